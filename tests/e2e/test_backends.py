"""
Real mail systems behind the gateway, one class each: every kind of message arrives as it was sent,
what the back end refuses becomes the right answer, and it may go away and come back.
"""

import unittest

import dovecot
import exim
import messages
import postfix
from backends import Mailfront
from gatehouse import Gatehouse
from place import needs_root, wait_until

SENDER = "sender@sender.example"
LIST = "alice@example.com\ncarol@example.com\ngone@example.com\n"
# Mail systems complete a header without an empty line, which is their right.
KINDS = [(name, content) for name, content in messages.kinds() if "no empty line" not in name]


class BackEnds:
    """Around the class, so that the loader does not take it for a test of its own."""

    class Case(unittest.TestCase):
        """
        PROTOCOL: of the back end. leaves_out: kinds of messages that it changes by itself.
        """

        leaves_out = ()
        options = {}

        def start(self):
            raise NotImplementedError

        def gateway(self):
            return Gatehouse(self.backend.port, recipients=LIST,
                             options={"backend.protocol": '"%s"' % self.PROTOCOL, **self.options})

        def setUp(self):
            self.backend = self.start()
            self.addCleanup(self.backend.stop)

        def bodies(self, count):
            """The bodies of the `count` messages that arrived."""
            return [stored.partition(b"\n\n")[2] for stored in self.backend.maildir.wait(count)]

        def test_every_kind_of_message(self):
            sent = [content for name, content in KINDS if name not in self.leaves_out]
            with self.gateway() as gateway:
                for content in sent:
                    reply = gateway.deliver(["alice@example.com"], content, SENDER)
                    self.assertEqual(reply.code, 250, reply)
            self.assertEqual(sorted(self.bodies(len(sent))),
                             sorted(content.partition(b"\n\n")[2] for content in sent))

        def test_two_recipients(self):
            with self.gateway() as gateway:
                reply = gateway.deliver(["alice@example.com", "carol@example.com"],
                                        messages.simple(), SENDER)
                self.assertEqual(reply.code, 250, reply)

        def test_connections_are_used_again(self):
            with self.gateway() as gateway:
                for _ in range(20):
                    reply = gateway.deliver(["alice@example.com"], messages.simple(), SENDER)
                    self.assertEqual(reply.code, 250, reply)


class MailfrontQmqp(BackEnds.Case):
    PROTOCOL = "qmqp"

    def start(self):
        return Mailfront()


class MailfrontQmtp(BackEnds.Case):
    """It gives one answer for a message, and not one for each recipient, as QMTP has it."""

    PROTOCOL = "qmtp"
    options = {"backend.recipients": 1}

    def test_two_recipients(self):
        with self.gateway() as gateway, gateway.client() as client:
            replies = client.envelope(SENDER, ["alice@example.com", "carol@example.com"])
            self.assertEqual([reply.status for reply in replies],
                             ["250 2.1.0", "250 2.1.5", "452 4.5.3"])
            self.assertEqual(client.data(messages.simple()).code, 250)

    def start(self):
        return Mailfront("qmtp")


@needs_root
class PostfixQmqpd(BackEnds.Case):
    PROTOCOL = "qmqp"

    def start(self):
        return postfix.qmqp_mailbox()


@needs_root
class PostfixSmtpd(BackEnds.Case):
    PROTOCOL = "smtp"
    leaves_out = ("lines of 20000 octets", "every octet but CR, LF and NUL")

    def start(self):
        return postfix.smtp_mailbox()

    def test_it_refuses_a_recipient(self):
        """Its 550 is believed when it has taken other mail before."""
        with self.gateway() as gateway:
            self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code, 250)
            self.assertEqual(gateway.deliver(["gone@example.com"], messages.simple()).status,
                             "554 5.3.0")


class WithUsers:
    """Back ends that know alice and carol, and not gone."""

    def test_it_refuses_one_of_two_recipients(self):
        """Every recipient ends with its own true answer, and nobody gets two copies."""
        with self.gateway() as gateway:
            self.assertEqual(gateway.deliver(["carol@example.com"], messages.simple()).code, 250)
            content = messages.simple()
            with gateway.client() as client:
                replies = client.envelope(SENDER, ["alice@example.com", "gone@example.com"])
                self.assertEqual([reply.code for reply in replies], [250, 250, 250])
                self.assertEqual(client.data(content).code, 451)
            with gateway.client() as client:
                replies = client.envelope(SENDER, ["alice@example.com", "gone@example.com"])
                self.assertEqual([reply.code // 100 for reply in replies], [2, 2, 5])
                self.assertEqual(client.data(content).code, 250)
            self.assertEqual(self.copies(content), 1)


@needs_root
class DovecotLmtp(BackEnds.Case, WithUsers):
    PROTOCOL = "lmtp"

    def start(self):
        return dovecot.Dovecot()

    def stored(self):
        return [stored for user in ("alice", "carol")
                for stored in self.backend.maildir(user).messages()]

    def bodies(self, count):
        wait_until(lambda: len(self.stored()) >= count, "%d messages" % count)
        return [stored.partition(b"\n\n")[2] for stored in self.stored()]

    def copies(self, content):
        return sum(content.split(b"\n")[4] in stored for stored in self.stored())


@needs_root
class EximSmtp(BackEnds.Case, WithUsers):
    PROTOCOL = "smtp"

    def start(self):
        return exim.Exim()

    def bodies(self, count):
        return [body for _, body in self.backend.wait(count)]

    def copies(self, content):
        return sum(content.split(b"\n")[4] in fields for fields, _ in self.backend.messages())


if __name__ == "__main__":
    unittest.main()
