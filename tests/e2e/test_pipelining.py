"""Command groups: replies in order, the same whether octets come at once or one by one."""

import re
import unittest

import messages
from backends import MaildirServer
from gatehouse import Gatehouse
from smtp import stuff

# Each is a list of groups; a group is sent at once and may only end in a command that must.
DIALOGUES = (
    [b"EHLO client.example\r\n",
     b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<nobody@example.com>\r\n"
     b"RCPT TO:<carol@example.com>\r\nDATA\r\n",
     stuff(b"Subject: x\n\n.\n..\nbody\n") + b"MAIL FROM:<b@sender.example>\r\n"
     b"RCPT TO:<dave@example.com>\r\nRCPT TO:<x@other.example>\r\nRSET\r\nNOOP\r\n"],
    [b"HELO client.example\r\n", b"MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n"
     b"RCPT TO:<carol@example.com>\r\nRSET\r\nVRFY x\r\nNOOP\r\n"],
    [b"EHLO client.example\r\n", b"MAIL FROM:<>\r\n" + b"RCPT TO:<alice@example.com>\r\n" * 100 +
     b"NOOP\r\n"],
    [b"EHLO client.example\r\n", b"RCPT TO:<alice@example.com>\r\nRSET\r\n"
     b"MAIL FROM:<a@@b>\r\nRCPT TO:<alice@example.com>\r\nNOOP\r\nHELP\r\n"],
    [b"EHLO client.example\r\n", b"FOO\r\n\r\nMAIL FROM:a\r\nVRFY\r\nMAIL FROM:<a@b.example> SIZE=5 "
     b"BODY=8BITMIME\r\nMAIL FROM:<c@d.example>\r\nETRN x\r\nAUTH PLAIN eHh4\r\n"],
)


def masked(octets):
    """Replies without the ids of transactions."""
    return re.sub(rb"(?<=Accepted).*", b"", octets)


class Pipelining(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def run_dialogue(self, groups, octetwise):
        """Returns: all reply octets. QUIT follows the last group."""
        with self.gateway.client(ehlo=False, octetwise=octetwise) as client:
            said = client.greeting.octets
            for group in groups[:-1]:
                client.send(group)
                said += b"".join(r.octets for r in client.replies(self.answers(group)))
            client.send(groups[-1] + b"QUIT\r\n")
            return masked(said + client.rest())

    @staticmethod
    def answers(group):
        return group.count(b"\r\n")

    def test_row_065_whole_and_octetwise(self):
        for number, groups in enumerate(DIALOGUES):
            with self.subTest(number):
                whole = self.run_dialogue(groups, False)
                self.assertIn(b"\r\n221 ", whole)
                self.assertEqual(self.run_dialogue(groups, True), whole)

    def test_row_062_one_reply_for_each_command(self):
        with self.gateway.client() as client:
            client.send(b"MAIL FROM:<a@sender.example>\r\n" + b"RCPT TO:<alice@example.com>\r\n" * 50 +
                        b"RCPT TO:<x@other.example>\r\n" * 5 + b"RCPT TO:<carol@example.com>\r\n" * 45 +
                        b"DATA\r\n")
            codes = [r.code for r in client.replies(102)]
            self.assertEqual(codes, [250] + [250] * 50 + [550] * 5 + [250] * 45 + [354])
            client.send(stuff(messages.simple()))
            self.assertEqual(client.reply().code, 250)

    def test_row_063_group_whose_mail_fails(self):
        with self.gateway.client() as client:
            client.send(b"MAIL FROM:<a@@b>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<x@y.example>\r\n"
                        b"DATA\r\n")
            self.assertEqual([r.status for r in client.replies(4)],
                             ["501 5.1.7", "503 5.5.1", "503 5.5.1", "503 5.5.1"])

    def test_row_060_commands_after_ehlo(self):
        with self.gateway.client(ehlo=False) as client:
            client.send(b"EHLO client.example\r\nMAIL FROM:<a@sender.example>\r\n")
            self.assertIn(b"554 5.5.0", client.rest())

    def test_row_109_110_after_the_end_of_data(self):
        with self.gateway.client() as client:
            client.deliver("a@sender.example", ["alice@example.com"], messages.simple())
            self.assertEqual(client.command("DATA").status, "503 5.5.1")
            self.assertEqual(client.command("RCPT TO:<alice@example.com>").status, "503 5.5.1")
            client.deliver("a@sender.example", ["alice@example.com"], b"no header\n\n")
            self.assertEqual(client.command("DATA").status, "503 5.5.1")

    def test_row_112_transactions_are_independent(self):
        """A session that is accepted, refused for content and refused for recipients in turn."""
        self.backend.maildir.clear()
        with self.gateway.client() as client:
            for _ in range(30):
                self.assertEqual(client.deliver("a@sender.example", ["alice@example.com"],
                                                messages.simple()).code, 250)
                self.assertEqual(client.deliver("a@sender.example", ["alice@example.com"],
                                                b"bad header\n\nx\n").status, "554 5.6.0")
                client.envelope("a@sender.example", ["erin@example.com"])
                client.command("RSET")
        self.assertEqual(len(self.backend.maildir.files()), 30)


if __name__ == "__main__":
    unittest.main()
