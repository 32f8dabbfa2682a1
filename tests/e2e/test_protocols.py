"""Every protocol of the hand-off through the whole gateway, against servers of this process."""

import os
import re
import socket
import sys
import threading
import unittest

import messages
from backends import Backend, Maildir, netstring
from gatehouse import Gatehouse
from place import Directory, free_port, wait_until

SENDER = "sender@sender.example"
QUEUE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "qmail_queue.py")


class Server(Backend):
    """
    In: answers, what each recipient's message comes to, by address; rcpt, what RCPT is told. A
    text without a row is taken. Counts what it stored for each recipient.
    """

    def __init__(self, answers=None, rcpt=None, extensions=("PIPELINING", "SIZE", "8BITMIME")):
        self.answers = answers or {}
        self.rcpt = rcpt or {}
        self.extensions = extensions
        self.stored = []
        self.connections = 0
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, connection.makefile("rwb") as stream:
            try:
                self.speak(stream)
            except (OSError, ValueError):
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def take(self, recipient, content, good):
        """Returns: the answer; stores the message when it is a good one."""
        answer = self.answers.get(recipient, good)
        if answer == good:
            self.stored.append((recipient, content))
        return answer


class Qmtp(Server):
    PROTOCOL = "qmtp"
    REFUSED, DEFERRED = "Dno such thing", "Zlater"

    def read(self, stream):
        digits = b""
        while not digits.endswith(b":"):
            octet = stream.read(1)
            if not octet:
                raise ValueError
            digits += octet
        octets = stream.read(int(digits[:-1]) + 1)
        if octets[-1:] != b",":
            raise ValueError
        return octets[:-1]

    def speak(self, stream):
        while True:
            content, _, recipients = self.read(stream), self.read(stream), self.read(stream)
            while recipients:
                recipient, recipients = netstring(recipients)
                answer = self.take(recipient.decode(), content[1:], "Kok").encode()
                stream.write(b"%d:%s," % (len(answer), answer))
            stream.flush()


class Lmtp(Server):
    PROTOCOL, HELLO, EACH = "lmtp", "LHLO", True
    REFUSED, DEFERRED = "550 5.2.1 no", "450 4.2.2 later"

    def speak(self, stream):
        def say(text):
            stream.write(text.encode() + b"\r\n")
            stream.flush()

        say("220 store")
        recipients = []
        while True:
            line = stream.readline().decode().rstrip("\r\n")
            if not line:
                raise ValueError
            if line.startswith(self.HELLO + " "):
                say("".join("250-%s\r\n" % e for e in ("store",) + self.extensions) + "250 DSN")
            elif line.startswith("RCPT"):
                recipient = re.match(r"RCPT TO:<(.*)>", line).group(1)
                answer = self.rcpt.get(recipient, "250 2.1.5 ok")
                if answer[0] == "2":
                    recipients.append(recipient)
                say(answer)
            elif line == "DATA":
                say("354 go")
                lines = [stream.readline()]
                while lines[-1] != b".\r\n":
                    if not lines[-1].endswith(b"\r\n"):
                        raise ValueError
                    lines.append(stream.readline())
                content = b"".join(line[line[:1] == b".":-2] + b"\n" for line in lines[:-1])
                replies = [self.take(r, content, "250 2.0.0 ok") for r in recipients]
                for reply in replies if self.EACH else replies[:1]:
                    say(reply)
                recipients = []
            else:
                if line.startswith("MAIL"):
                    recipients = []
                say("250 ok")


class Smtp(Lmtp):
    PROTOCOL, HELLO, EACH = "smtp", "EHLO", False


def gateway(server, **options):
    options = {"backend." + key: value for key, value in options.items()}
    return Gatehouse(server.port, recipients="@example.com\n",
                     options={"backend.protocol": '"%s"' % server.PROTOCOL, **options})


def send(gate, recipients, message):
    """Returns: the replies to RCPT, and the last one."""
    with gate.client() as client:
        replies = client.envelope(SENDER, recipients)
        return replies[1:], client.data(message)


class Delivery(unittest.TestCase):
    SERVERS = (Qmtp, Lmtp, Smtp)

    def test_content_arrives_octet_for_octet(self):
        contents = (messages.simple(), messages.simple(b".\n..\n.a\n\n.\n"),
                    messages.of_size(1000000))
        for kind in self.SERVERS:
            with kind() as server, gateway(server) as gate:
                for content in contents:
                    with self.subTest(protocol=kind.PROTOCOL, size=len(content)):
                        _, reply = send(gate, ["a@example.com", "b@example.com"], content)
                        self.assertEqual(reply.status, "250 2.0.0")
                        (one, first), (two, second) = server.stored
                        server.stored.clear()
                        self.assertEqual((one, two), ("a@example.com", "b@example.com"))
                        self.assertEqual(first, second)
                        self.assertTrue(first.endswith(content), first[-200:])
                self.assertEqual(server.connections, 1)

    def test_refused_for_all(self):
        for kind in self.SERVERS:
            with self.subTest(protocol=kind.PROTOCOL), kind() as server, gateway(server) as gate:
                server.answers["no@example.com"] = kind.REFUSED
                _, reply = send(gate, ["no@example.com"], messages.simple())
                self.assertEqual(reply.status, "451 4.3.0")  # it has taken nothing yet
                self.assertEqual(send(gate, ["a@example.com"], messages.simple())[1].code, 250)
                _, reply = send(gate, ["no@example.com"], messages.simple())
                self.assertEqual(reply.status, "554 5.3.0")
                self.assertNotIn("no", reply.text.split(", id")[0].split())

    def test_backend_that_cannot_take_it(self):
        """Our trouble, not the sender's: 451 and a loud line."""
        with Smtp(extensions=("SIZE 1000",)) as server, gateway(server) as gate:
            _, reply = send(gate, ["a@example.com"], messages.of_size(5000))
            self.assertEqual(reply.status, "451 4.3.0")
            self.assertEqual(gate.wait_event("handoff_doubted")["about"], "size-offered")
            self.assertEqual(server.stored, [])


class QmailQueue(unittest.TestCase):
    def setUp(self):
        self.directory = Directory("qmail")
        self.maildir = Maildir(self.directory.make("Maildir"))
        for name in ("new", "tmp"):
            os.chmod(self.directory.make("Maildir", name), 0o777)
        self.addCleanup(self.directory.remove)

    def program(self, text):
        path = self.directory.write("qmail-queue", "#!/usr/bin/python3\n" + text)
        os.chmod(path, 0o755)
        os.chmod(self.directory.path, 0o755)
        os.chmod(self.maildir.path, 0o777)
        return path

    def queue(self):
        """The queue program of the tests; its account may not be able to read this tree."""
        with open(QUEUE) as f:
            return f.read().replace("sys.argv[1]", repr(self.maildir.path))

    def gateway(self, text):
        options = {"backend.protocol": '"qmail-queue"', "backend.program": '"%s"' %
                   self.program(text)}
        if os.geteuid() == 0:
            options["backend.user"] = '"nobody"'
        return Gatehouse({"main": []}, recipients="@example.com\n", options=options)

    def test_message_is_queued(self):
        queue = self.queue()
        content = messages.simple()
        with self.gateway(queue) as gate:
            _, reply = send(gate, ["a@example.com", "b@example.com"], content)
            self.assertEqual(reply.status, "250 2.0.0", str(gate.wait_event("handoff")))
            stored, = self.maildir.messages()
            self.assertTrue(stored.endswith(content))
            self.assertIn(b"Return-Path: <sender@sender.example>\nDelivered-To: a@example.com\n"
                          b"Delivered-To: b@example.com\n", stored)
            if os.geteuid() == 0:
                self.assertNotEqual(os.stat(self.maildir.files()[0]).st_uid, 0)

    def test_exit_status(self):
        with self.gateway("import os\nwhile os.read(0, 65536): pass\n"
                          "while os.read(1, 65536): pass\nos._exit(53)\n") as gate:
            _, reply = send(gate, ["a@example.com"], messages.simple())
            self.assertEqual(reply.status, "451 4.3.0")
            self.assertIn("disk full", gate.wait_event("handoff")["text"])

    def test_executes_nothing_else(self):
        """What the program itself tries to execute is refused by the kernel."""
        with self.gateway("import os\nwhile os.read(0, 65536): pass\n"
                          "while os.read(1, 65536): pass\n"
                          "try:\n os.execv('/bin/true', ['true'])\n"
                          "except PermissionError:\n os._exit(71)\n") as gate:
            _, reply = send(gate, ["a@example.com"], messages.simple())
            self.assertEqual(reply.status, "451 4.3.0")
            self.assertIn("temporarily rejected", gate.wait_event("handoff")["text"])

    def test_helper_killed(self):
        """The helper dies: 4xx, and the next message is taken."""
        queue = self.queue()
        with self.gateway(queue) as gate:
            gate.kill("qmail-queue-hel")  # as much as the kernel keeps of the name
            wait_until(lambda: send(gate, ["a@example.com"], messages.simple())[1].code == 250,
                       "mail to be taken again")


if __name__ == "__main__":
    sys.exit(unittest.main())
