"""Certificates made on the spot, and clients' TLS."""

import ssl
import subprocess

from gatehouse import HOSTNAME

KEYS = {
    "rsa": ("-newkey", "rsa:2048"),
    "ecdsa": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
}


def make(directory, kind, *names, stem=None):
    """A self-signed certificate for names. Returns: the paths of certificate and key."""
    names = names or (HOSTNAME,)
    key, cert = (directory.join((stem or kind) + end) for end in (".key", ".pem"))
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", *KEYS[kind], "-subj",
                    "/CN=" + names[0], "-addext",
                    "subjectAltName=" + ",".join("DNS:" + name for name in names), "-keyout", key,
                    "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def certificate(directory, kind):
    """Makes a self-signed certificate. Returns: options of the gateway that use it."""
    cert, key = make(directory, kind)
    return {"tls.certificate": '"%s"' % cert, "tls.key": '"%s"' % key}


def tls_socket(plain, server_hostname=HOSTNAME, **options):
    """The handshake as a client that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for key, value in options.items():
        setattr(context, key, value)
    return context.wrap_socket(plain, server_hostname=server_hostname)


def start_tls(client, **options):
    """STARTTLS and the handshake on a Client that has said EHLO."""
    reply = client.command("STARTTLS")
    assert reply.code == 220, reply
    client.socket = tls_socket(client.socket, **options)
    client.pending = b""
    return client


def names_in(tls):
    """The DNS names in the certificate that the server showed."""
    der = tls.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-ext", "subjectAltName"],
                          input=der, stdout=subprocess.PIPE, check=True).stdout.decode()
    return [word.strip(" ,\n") for word in text.replace("DNS:", "\n").split("\n")[2:] if word.strip()]
