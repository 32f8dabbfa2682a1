"""Every protocol of the hand-off through the whole gateway, against servers of this process."""

import contextlib
import os
import re
import signal
import socket
import sys
import threading
import unittest

import messages
import processes
from backends import Backend, Maildir, netstring, queue_program
from gatehouse import Gatehouse
from place import Directory, free_port, wait_until
from smtp import stuff

SENDER = "sender@sender.example"


class Server(Backend):
    """
    In: answers, what each recipient's message comes to, by address; rcpt, what RCPT is told. A
    text without a row is taken. Counts what it stored for each recipient.
    """

    def __init__(self, answers=None, rcpt=None, extensions=("PIPELINING", "SIZE", "8BITMIME"),
                 port=None):
        self.answers = answers or {}
        self.rcpt = rcpt or {}
        self.extensions = extensions
        self.stored = []
        self.connections = 0
        self.port = port or free_port()
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
        if self.listener.fileno() >= 0:
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


@contextlib.contextmanager
def only_worker(gate, index):
    """Clients come to this one of two smtpd workers: the other stands still."""
    other, = {int(line["by_pid"]) for line in gate.events("started", by="smtpd")
              if line["worker"] != str(index)}
    processes.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        processes.kill(other, signal.SIGCONT)


class Mixed(unittest.TestCase):
    """
    A message that is not answered alike for all recipients: 451, and at the repeat each hears its
    own answer; nobody gets it twice, nobody is told twice.
    """

    RECIPIENTS = ["one@example.com", "two@example.com", "three@example.com"]

    def test_refused_after_content(self):
        for kind in (Qmtp, Lmtp):
            with self.subTest(protocol=kind.PROTOCOL), kind() as server, gateway(server) as gate:
                send(gate, ["first@example.com"], messages.simple())  # it is known to take mail
                server.answers["two@example.com"] = kind.REFUSED
                server.stored.clear()
                content = messages.simple()
                rcpts, reply = send(gate, self.RECIPIENTS, content)
                self.assertEqual([r.code for r in rcpts], [250] * 3)
                self.assertEqual(reply.status, "451 4.3.0")
                self.assertEqual([r for r, _ in server.stored],
                                 ["one@example.com", "three@example.com"])
                gate.wait_event("handoff", outcome="mixed")
                rcpts, reply = send(gate, self.RECIPIENTS, content)
                self.assertEqual([r.status for r in rcpts],
                                 ["250 2.1.5", "554 5.3.0", "250 2.1.5"])
                self.assertEqual(reply.status, "250 2.0.0")
                self.assertEqual(len(server.stored), 2, "a second copy")
                # Each answer is given once: the next message is asked about again.
                del server.answers["two@example.com"]
                rcpts, reply = send(gate, self.RECIPIENTS, messages.simple())
                self.assertEqual([r.code for r in rcpts] + [reply.code], [250] * 4)
                self.assertEqual(len(server.stored), 5)

    def test_deferred_after_content(self):
        for kind in (Qmtp, Lmtp):
            with self.subTest(protocol=kind.PROTOCOL), kind() as server, gateway(server) as gate:
                server.answers["two@example.com"] = kind.DEFERRED
                content = messages.simple()
                self.assertEqual(send(gate, self.RECIPIENTS, content)[1].status, "451 4.3.0")
                del server.answers["two@example.com"]
                rcpts, reply = send(gate, self.RECIPIENTS, content)
                self.assertEqual([r.code for r in rcpts] + [reply.code], [250] * 4)
                self.assertEqual([r for r, _ in server.stored],
                                 ["one@example.com", "three@example.com", "two@example.com"])

    def test_repeat_in_another_worker(self):
        with Qmtp() as server, gateway(server) as gate:
            send(gate, ["first@example.com"], messages.simple())
            server.answers["two@example.com"] = Qmtp.REFUSED
            server.stored.clear()
            content = messages.simple()
            with only_worker(gate, 0):
                self.assertEqual(send(gate, self.RECIPIENTS, content)[1].status, "451 4.3.0")
            with only_worker(gate, 1):
                rcpts, reply = send(gate, self.RECIPIENTS, content)
            self.assertEqual([r.status for r in rcpts], ["250 2.1.5", "554 5.3.0", "250 2.1.5"])
            self.assertEqual(reply.status, "250 2.0.0")
            self.assertEqual([r for r, _ in server.stored],
                             ["one@example.com", "three@example.com"])
            # It was owed once, whichever worker gave it.
            with only_worker(gate, 0):
                rcpts, _ = send(gate, self.RECIPIENTS, messages.simple())
            self.assertEqual([r.code for r in rcpts], [250] * 3)

    def test_owed_answer_is_lost(self):
        """A worker that dies forgets what it owes: still nobody who was served hears a refusal."""
        with Qmtp() as server, gateway(server) as gate:
            send(gate, ["first@example.com"], messages.simple())
            server.answers["two@example.com"] = Qmtp.REFUSED
            server.stored.clear()
            content = messages.simple()
            self.assertEqual(send(gate, self.RECIPIENTS, content)[1].status, "451 4.3.0")
            gate.wait_restarted("smtpd", gate.kill("smtpd"))
            rcpts, reply = send(gate, self.RECIPIENTS, content)
            self.assertEqual([r.code for r in rcpts] + [reply.status], [250] * 3 + ["451 4.3.0"])
            rcpts, reply = send(gate, self.RECIPIENTS, content)
            self.assertEqual([r.status for r in rcpts], ["250 2.1.5", "554 5.3.0", "250 2.1.5"])
            self.assertEqual(reply.status, "250 2.0.0")
            self.assertEqual([r for r, _ in server.stored],
                             ["one@example.com", "three@example.com"])

    def test_refused_at_rcpt(self):
        for kind in (Lmtp, Smtp):
            with self.subTest(protocol=kind.PROTOCOL), kind() as server, gateway(server) as gate:
                send(gate, ["first@example.com"], messages.simple())
                server.stored.clear()
                server.rcpt = {"one@example.com": "550 5.1.1 no such user",
                               "two@example.com": "452 4.2.2 full"}
                content = messages.simple()
                _, reply = send(gate, self.RECIPIENTS, content)
                self.assertEqual(reply.status, "451 4.3.0")
                self.assertEqual(server.stored, [])
                rcpts, reply = send(gate, self.RECIPIENTS, content)
                self.assertEqual([r.status for r in rcpts],
                                 ["554 5.3.0", "451 4.3.0", "250 2.1.5"])
                self.assertEqual(reply.code, 250)
                self.assertEqual([r for r, _ in server.stored], ["three@example.com"])


class Repeats(unittest.TestCase):
    def test_row_F17_client_gone_after_the_commit(self):
        """The message is taken, the client does not hear it: its repeat brings no second copy."""
        with Qmtp() as server, gateway(server) as gate:
            hold, held = threading.Event(), threading.Event()

            def take(recipient, content, good):
                server.stored.append((recipient, content))
                held.set()
                hold.wait(30)
                return good

            server.take = take
            content = messages.simple()
            client = gate.client()
            client.envelope(SENDER, ["a@example.com"])
            self.assertEqual(client.command("DATA").code, 354)
            client.send(stuff(content))
            self.assertTrue(held.wait(60))
            client.close()
            hold.set()
            gate.wait_event("disconnect")
            del server.take
            self.assertEqual(send(gate, ["a@example.com"], content)[1].status, "250 2.0.0")
            self.assertEqual(gate.wait_event("handoff_repeat")["recipients"], "1")
            self.assertEqual(len(server.stored), 1)
            # Another one is another one.
            send(gate, ["a@example.com"], messages.simple())
            send(gate, ["b@example.com"], content)
            self.assertEqual(len(server.stored), 3)


class Groups(unittest.TestCase):
    """A group whose servers take no connections costs nobody else anything."""

    LIST = "a@example.com backend=one\nb@example.com backend=two\n"

    def test_group_down(self):
        with Smtp() as server:
            gone = free_port()
            with Gatehouse({"one": gone, "two": server.port}, recipients=self.LIST,
                           options={"backend.protocol": '"smtp"',
                                    "backend.keep_connection": 0}) as gate:
                _, reply = send(gate, ["a@example.com"], messages.simple())
                self.assertEqual(reply.status, "451 4.4.1")
                gate.wait_event("backend_group_down", backend="one")

                def rcpt(address):
                    with gate.client() as client:
                        return client.envelope(SENDER, [address])[1].status

                wait_until(lambda: rcpt("a@example.com") == "451 4.4.1", "RCPT to be deferred")
                self.assertEqual(rcpt("b@example.com"), "250 2.1.5")
                self.assertEqual(send(gate, ["b@example.com"], messages.simple())[1].code, 250)
                # All of them: nobody is let in.
                server.stop()
                send(gate, ["b@example.com"], messages.simple())
                gate.wait_event("backend_group_down", backend="two")

                def greeting():
                    with gate.client(ehlo=False, greet=False) as client:
                        return client.reply().status

                wait_until(lambda: greeting() == "421 4.3.2", "connections to be turned away")
                again = Smtp(port=gone)
                gate.wait_event("backend_group_up", backend="one")
                wait_until(lambda: greeting().startswith("220"), "connections to be taken")
                self.assertEqual(send(gate, ["a@example.com"], messages.simple())[1].code, 250)
                self.assertEqual(len(again.stored), 1)
                again.stop()

    def test_repeat_in_another_worker(self):
        """The group that deferred a message does not come first again, in whatever worker."""
        with Smtp(answers={"a@example.com": "451 4.3.0 later"}) as one, Smtp() as two, \
                Gatehouse({"one": one.port, "two": two.port}, recipients=self.LIST,
                          options={"backend.protocol": '"smtp"'}) as gate:

            def both():
                with gate.client() as client:
                    rcpts = client.envelope(SENDER, ["a@example.com", "b@example.com"])[1:]
                    return [r.status for r in rcpts], client.data(messages.simple()).status

            with only_worker(gate, 0):
                self.assertEqual(both(), (["250 2.1.5", "452 4.5.3"], "451 4.3.0"))
            with only_worker(gate, 1):
                self.assertEqual(both(), (["452 4.5.3", "250 2.1.5"], "250 2.0.0"))
            self.assertEqual([r for r, _ in two.stored], ["b@example.com"])

    def test_failover(self):
        with Smtp() as server, Smtp() as other:
            with Gatehouse({"main": [free_port(), server.port, other.port]},
                           recipients="@example.com\n",
                           options={"backend.protocol": '"smtp"'}) as gate:
                for _ in range(6):
                    _, reply = send(gate, ["a@example.com"], messages.simple())
                    self.assertEqual(reply.code, 250)
                self.assertGreaterEqual(min(len(server.stored), len(other.stored)), 1)

    def test_message_size_of_a_group(self):
        with Smtp() as server, Smtp() as other:
            with Gatehouse({"one": server.port, "two": other.port}, recipients=self.LIST,
                           options={"backend.protocol": '"smtp"'}) as gate:
                path = gate.configuration
                with open(path) as f:
                    text = f.read().replace("message_size = 104857600", "message_size = 1000000", 1)
                with open(path, "w") as f:
                    f.write(text)
                gate.tell("reload")
                gate.wait_event("ready", generation="2")
                with gate.client() as client:
                    self.assertEqual(client.command("MAIL FROM:<%s> SIZE=2000000" % SENDER).code,
                                     250)
                    self.assertEqual(client.command("RCPT TO:<a@example.com>").status, "552 5.3.4")
                    self.assertEqual(client.command("RCPT TO:<b@example.com>").code, 250)
                _, reply = send(gate, ["a@example.com"], messages.of_size(1500000))
                self.assertEqual(reply.status, "552 5.3.4")
                self.assertEqual(server.stored, [])


class QmailQueue(unittest.TestCase):
    def setUp(self):
        self.directory = Directory("qmail")
        self.queue = queue_program(self.directory)
        self.maildir = Maildir(self.directory.join("Maildir"))
        self.addCleanup(self.directory.remove)

    def program(self, text):
        path = self.directory.write("script", "#!/usr/bin/python3\n" + text)
        os.chmod(path, 0o755)
        return path

    def gateway(self, program):
        options = {"backend.protocol": '"qmail-queue"', "backend.program": '"%s"' % program}
        if os.geteuid() == 0:
            options["backend.user"] = '"nobody"'
        return Gatehouse({"main": []}, recipients="@example.com\n", options=options)

    def test_message_is_queued(self):
        content = messages.simple()
        with self.gateway(self.queue) as gate:
            _, reply = send(gate, ["a@example.com", "b@example.com"], content)
            self.assertEqual(reply.status, "250 2.0.0", str(gate.wait_event("handoff")))
            stored, = self.maildir.messages()
            self.assertTrue(stored.endswith(content))
            self.assertIn(b"Return-Path: <sender@sender.example>\nDelivered-To: a@example.com\n"
                          b"Delivered-To: b@example.com\n", stored)
            if os.geteuid() == 0:
                self.assertNotEqual(os.stat(self.maildir.files()[0]).st_uid, 0)

    def test_exit_status(self):
        with self.gateway(self.program(
                "import os\nwhile os.read(0, 65536): pass\n"
                "while os.read(1, 65536): pass\nos._exit(53)\n")) as gate:
            _, reply = send(gate, ["a@example.com"], messages.simple())
            self.assertEqual(reply.status, "451 4.3.0")
            self.assertIn("disk full", gate.wait_event("handoff")["text"])

    def test_executes_nothing_else(self):
        """What the program itself tries to execute is refused by the kernel."""
        with self.gateway(self.program(
                "import os\nwhile os.read(0, 65536): pass\n"
                "while os.read(1, 65536): pass\n"
                "try:\n os.execv('/bin/true', ['true'])\n"
                "except PermissionError:\n os._exit(71)\n")) as gate:
            _, reply = send(gate, ["a@example.com"], messages.simple())
            self.assertEqual(reply.status, "451 4.3.0")
            self.assertIn("temporarily rejected", gate.wait_event("handoff")["text"])

    def test_helper_killed(self):
        """The helper dies: 4xx, and the next message is taken."""
        with self.gateway(self.queue) as gate:
            gate.kill("qmail-queue-hel")  # as much as the kernel keeps of the name
            wait_until(lambda: send(gate, ["a@example.com"], messages.simple())[1].code == 250,
                       "mail to be taken again")


if __name__ == "__main__":
    sys.exit(unittest.main())
