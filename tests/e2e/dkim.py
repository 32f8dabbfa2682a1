"""Signs messages by RFC 6376 with openssl(1): simple/simple, rsa-sha256."""

import base64
import hashlib
import subprocess


def openssl(*arguments, data=b""):
    return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


class Signer:
    def __init__(self, directory, domain, selector="sel"):
        self.key = directory.join("%s.%s.pem" % (selector, domain))
        self.domain = domain
        self.selector = selector
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048",
                "-out", self.key)

    def record(self):
        """The text of the key's TXT record, which lies at SELECTOR._domainkey."""
        public = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        return "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()

    def sign(self, message, fields=(b"From", b"To", b"Subject")):
        """Returns: the message, in CR LF form, with a signature before it."""
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        head, _, body = message.partition(b"\r\n\r\n")
        body = body.rstrip(b"\r\n") + b"\r\n"
        present = dict((line.split(b":")[0].lower(), line) for line in head.split(b"\r\n"))
        digest = base64.b64encode(hashlib.sha256(body).digest())
        field = (b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=%s; s=%s;\r\n"
                 b"\th=%s; bh=%s;\r\n\tb=" %
                 (self.domain.encode(), self.selector.encode(), b":".join(fields), digest))
        signed = b"".join(present[name.lower()] + b"\r\n" for name in fields) + field
        signature = openssl("dgst", "-sha256", "-sign", self.key, data=signed)
        return field + base64.b64encode(signature) + b"\r\n" + message
