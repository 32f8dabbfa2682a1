"""
Real messages through real senders and real back ends: what lies in the mailbox is what was
sent, octet for octet below our header block.
"""

import re
import smtplib
import unittest

import messages
import postfix
from backends import Mailfront, MaildirServer, QmqpSink, Scripted, split_block
from gatehouse import HOSTNAME, Gatehouse, numbered_users
from place import needs_root, wait_until

MESSAGE_ID = re.compile(rb"^Message-ID: <(token-[^@]*)@", re.M)


def token_of(message):
    return MESSAGE_ID.search(message).group(1)


def crlf(message):
    return message.replace(b"\n", b"\r\n")


class Check(unittest.TestCase):
    """What all tests do with what was sent and what was stored."""

    def compare(self, sent, stored, copies=1):
        """Every message sent is there `copies` times and unchanged; nothing else is there."""
        self.assertEqual(len(stored), len(sent) * copies)
        by_token = {token_of(message): message for message in sent}
        for message in stored:
            fields = split_block(message, by_token[token_of(message)])
            ours = [field for field in fields if b" by %s" % HOSTNAME.encode() in field]
            self.assertEqual(len(ours), 1, fields)
            self.check_received(ours[0])

    def check_received(self, field):
        self.assertTrue(field.startswith(b"Received: from "), field)
        self.assertIn(b"127.0.0.1", field)
        self.assertRegex(field, rb" with E?SMTPS?(?=[\s;])")
        self.assertRegex(field, rb" id [0-9A-Za-z]+")
        self.assertRegex(field, rb"; \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000$")


class Senders(Check):
    """Each sender, into our Maildir server."""

    def test_smtplib(self):
        sent = [message for _, message in messages.kinds()]
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            with smtplib.SMTP("127.0.0.1", gateway.port) as client:
                for message in sent:
                    client.sendmail("sender@sender.example", "alice@example.com", crlf(message))
            self.compare(sent, backend.maildir.messages())

    def test_octetwise(self):
        """The same messages, one octet in a segment, arrive the same."""
        sent = [message for name, message in messages.kinds() if len(message) < 5000]
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            with gateway.client(octetwise=True) as client:
                for message in sent:
                    reply = client.deliver("sender@sender.example", ["alice@example.com"], message)
                    self.assertEqual(reply.status, "250 2.0.0")
            self.compare(sent, backend.maildir.messages())

    def test_smtp_source(self):
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            for options in ((), ("-d",)):
                backend.maildir.clear()
                status, said = postfix.smtp_source(
                    gateway.port, "-s", "10", "-m", "100", "-l", "4096", "-f",
                    "sender@sender.example", "-t", "alice@example.com", *options)
                self.assertEqual(status, 0, said)
                stored = backend.maildir.messages()
                self.assertEqual(len(stored), 100)
                self.assertEqual({message.count(b"X") > 3000 for message in stored}, {True})

    @needs_root
    def test_postfix_smtp_client(self):
        sent = [message for name, message in messages.kinds() if "no empty line" not in name]
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway, \
                postfix.relay_to(gateway.port) as sender:
            with smtplib.SMTP("127.0.0.1", sender.port) as client:
                for message in sent:
                    client.sendmail("sender@sender.example", "alice@example.com", crlf(message))
            sender.wait_empty()
            self.compare(sent, backend.maildir.wait(len(sent)))

    @needs_root
    def test_postfix_hundreds_of_recipients(self):
        """More recipients than a transaction takes: Postfix sends the rest in further ones."""
        count = 350
        sent = messages.simple(b"to many\n")
        with Scripted() as backend, \
                Gatehouse(backend.port, numbered_users(count)) as gateway, \
                postfix.relay_to(gateway.port,
                                 "smtp_destination_recipient_limit = 120\n") as sender:
            with smtplib.SMTP("127.0.0.1", sender.port) as client:
                client.sendmail("sender@sender.example",
                                ["user%d@example.com" % i for i in range(1, count + 1)], crlf(sent))
            sender.wait_empty()
            got = [r for package in backend.packages for r in package.recipients]
            self.assertEqual(len(got), count)
            self.assertEqual(len(set(got)), count)
            self.compare([sent], [p.content for p in backend.packages],
                         copies=len(backend.packages))


class Backends(Check):
    """Each back end, fed by smtplib."""

    def through(self, backend, sent):
        with Gatehouse(backend.port) as gateway:
            with smtplib.SMTP("127.0.0.1", gateway.port) as client:
                for message in sent:
                    client.sendmail("sender@sender.example",
                                    ["alice@example.com", "carol@example.com"], crlf(message))

    def test_mailfront(self):
        sent = [message for _, message in messages.kinds()]
        with Mailfront() as backend:
            self.through(backend, sent)
            self.compare(sent, backend.maildir.messages())

    @needs_root
    def test_postfix_qmqpd_into_a_mailbox(self):
        # Postfix completes a header without an empty line, which is its right.
        sent = [message for name, message in messages.kinds() if "no empty line" not in name]
        with postfix.qmqp_mailbox() as backend:
            self.through(backend, sent)
            backend.wait_empty()
            self.compare(sent, backend.maildir.wait(2 * len(sent)), copies=2)

    def test_qmqp_sink(self):
        """It answers wrongly when the last comma comes by itself, so ours never does."""
        with QmqpSink() as backend:
            for _ in range(3):
                self.through(backend, [message for _, message in messages.kinds()])

    def test_hundreds_of_recipients(self):
        """Several transactions of one session, each with its share, one hand-off each."""
        count = 300
        listed = numbered_users(count)
        names = ["user%d@example.com" % i for i in range(1, count + 1)]
        with Scripted() as backend, Gatehouse(backend.port, listed) as gateway:
            message = messages.simple()
            with gateway.client() as client:
                for at in range(0, count, 100):
                    reply = client.deliver("sender@sender.example", names[at:at + 100], message)
                    self.assertEqual(reply.status, "250 2.0.0")
            self.assertEqual([[r.decode() for r in p.recipients] for p in backend.packages],
                             [names[at:at + 100] for at in range(0, count, 100)])
            self.compare([message], [p.content for p in backend.packages], copies=3)


class Headers(Check):
    """What the gateway does with header fields."""

    def test_row_181_hops(self):
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            hops = b"".join(b"Received: from a by b; date %d\n" % i for i in range(100))
            self.assertEqual(gateway.deliver(["alice@example.com"], hops + messages.simple()).code, 250)
            self.assertEqual(gateway.deliver(["alice@example.com"],
                                             b"received: x\n" + hops + messages.simple()).status,
                             "554 5.4.6")
            self.assertEqual(len(backend.maildir.files()), 1)

    def test_row_206_received_spf_is_ours_alone(self):
        """A forged result that names us does not reach the mailbox."""
        forged = b"Authentication-Results: %s; dkim=pass header.d=bank.example\n" % HOSTNAME.encode()
        foreign = b"Authentication-Results: other.example; dkim=pass header.d=a.example\n"
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            content = forged + foreign + messages.simple()
            self.assertEqual(gateway.deliver(["alice@example.com"], content).code, 250)
            stored, = backend.maildir.messages()
            self.assertNotIn(b"bank.example", stored)
            self.assertIn(foreign, stored)


class Sizes(unittest.TestCase):
    """Rows 161 and 162: the limit is exact."""

    LIMIT = 65536

    def test_row_161_162(self):
        with MaildirServer() as backend, \
                Gatehouse(backend.port, options={"limits.message_size": self.LIMIT}) as gateway:
            for octets, status in ((self.LIMIT - 1, "250 2.0.0"), (self.LIMIT, "250 2.0.0"),
                                   (self.LIMIT + 1, "552 5.3.4"), (self.LIMIT * 2 - 10, "552 5.3.4")):
                with self.subTest(octets):
                    message = messages.of_size(octets)
                    self.assertEqual(len(crlf(message)), octets)
                    self.assertEqual(gateway.deliver(["alice@example.com"], message).status, status)
            with gateway.client() as client:
                self.assertEqual(client.extensions["SIZE"], "SIZE %d" % self.LIMIT)
                reply = client.command("MAIL FROM:<a@b.example> SIZE=%d" % (self.LIMIT + 1))
                self.assertEqual(reply.status, "552 5.3.4")
            self.assertEqual(len(backend.maildir.files()), 2)

    def test_row_160_lines(self):
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            for octets, status in ((998, "250 2.0.0"), (1000, "250 2.0.0"), (65534, "250 2.0.0"),
                                   (70000, "500 5.6.0"), (3000000, "500 5.6.0")):
                with self.subTest(octets):
                    message = messages.simple(b"x" * octets + b"\n")
                    self.assertEqual(gateway.deliver(["alice@example.com"], message).status, status)
            wait_until(lambda: len(backend.maildir.files()) == 3, "three messages")


if __name__ == "__main__":
    unittest.main()
