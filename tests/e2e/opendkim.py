"""opendkim of Debian as a signer: its milter, and the little of the protocol that a signature needs."""

import signal
import socket
import struct
import subprocess

import processes
from backends import Backend
from place import Directory, peer, peer_environment, wait_until

CONFIGURATION = """\
Mode s
Domain {domain}
Selector {selector}
KeyFile {key}
Canonicalization {canonicalization}
SignatureAlgorithm {algorithm}
Socket local:{socket}
Syslog no
RequireSafeKeys no
OversignHeaders From
"""

# Of the negotiation: what it may do to the message, and a step of the protocol.
ACTIONS = 0x1FF
VALUES_WITH_BLANKS = 1 << 20  # a value begins behind the colon


def _field(line):
    name, _, value = line.partition(b":")
    return name + b"\0" + value + b"\0"


def generate_key(directory, domain, selector):
    """
    By opendkim-genkey. Returns: the file of the key, and the record that it made for the zone.
    """
    done = subprocess.run(
        [peer("opendkim-tools", "usr/sbin/opendkim-genkey"), "-b", "2048", "-h", "sha256", "-d", domain,
         "-s", selector, "-D", directory.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    with open(directory.join(selector + ".txt")) as f:
        return directory.join(selector + ".private"), f.read()


class Opendkim(Backend):
    """
    In: key, a file in PEM form; canonicalization, as "relaxed/simple"; algorithm, "rsa-sha256"
    or "ed25519-sha256".
    """

    def __init__(self, domain, selector, key, canonicalization="relaxed/simple",
                 algorithm="rsa-sha256"):
        self.directory = Directory("opendkim")
        self.path = self.directory.join("milter")
        configuration = self.directory.write("conf", CONFIGURATION.format(
            domain=domain, selector=selector, key=key, canonicalization=canonicalization,
            algorithm=algorithm, socket=self.path))
        with open(self.directory.join("log"), "wb") as log:
            self.process = subprocess.Popen(
                [peer("opendkim", "usr/sbin/opendkim"), "-f", "-x", configuration],
                env=peer_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        wait_until(self.listens, "opendkim")

    def listens(self):
        if self.process.poll() is not None:
            with open(self.directory.join("log")) as f:
                raise AssertionError("opendkim ended: " + f.read())
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.path) == 0

    def sign(self, message):
        """Returns: the message, in CR LF form, with a signature before it."""
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        head, _, body = message.partition(b"\r\n\r\n")
        fields = head.replace(b"\r\n ", b"\n ").replace(b"\r\n\t", b"\n\t").split(b"\r\n")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.path)
            self.stream = s.makefile("rwb")
            self.say(b"O", struct.pack(">III", 6, ACTIONS, VALUES_WITH_BLANKS), b"O")
            self.say(b"C", b"localhost\0004" + struct.pack(">H", 9) + b"127.0.0.1\0")
            self.say(b"H", b"localhost\0")
            self.say(b"M", b"<a@sender.example>\0")
            self.say(b"R", b"<alice@example.com>\0")
            for field in fields:
                self.say(b"L", _field(field))
            self.say(b"N", b"")
            for at in range(0, len(body), 60000):
                self.say(b"B", body[at:at + 60000])
            return self.signature() + message

    def send(self, command, data):
        self.stream.write(struct.pack(">I", len(data) + 1) + command + data)
        self.stream.flush()

    def receive(self):
        length, = struct.unpack(">I", self.stream.read(4))
        packet = self.stream.read(length)
        return packet[:1], packet[1:]

    def say(self, command, data, wanted=b"c"):
        self.send(command, data)
        answer, rest = self.receive()
        assert answer == wanted, (command, answer, rest)

    def signature(self):
        self.send(b"E", b"")
        signature = None
        while True:
            answer, rest = self.receive()
            if answer in b"ih":
                name, value = rest[4 * (answer == b"i"):].rstrip(b"\0").split(b"\0")
                value = value.lstrip(b" ")
                if name == b"DKIM-Signature":
                    signature = b"%s: %s\r\n" % (name, value.replace(b"\n", b"\r\n"))
            elif answer in b"ac":
                assert signature, "opendkim did not sign"
                return signature
            else:
                raise AssertionError((answer, rest))

    def stop(self):
        processes.end(self.process, signal.SIGKILL)  # else it takes its time
        self.directory.remove()
