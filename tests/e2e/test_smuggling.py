"""
The boundary of a message: only CR LF . CR LF ends it, and nothing makes one message two. The
oracle is the Maildir.
"""

import unittest

import messages
from backends import MaildirServer, split_block
from gatehouse import Gatehouse
from smtp import Client, Closed

TAIL = (b"MAIL FROM:<admin@victim.example>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n"
        b"From: admin@victim.example\r\nSubject: smuggled\r\n\r\nsmuggled\r\n")

# row, what pretends to be the end, status with bare_lf = normalize
VECTORS = (
    ("140", b"\n.\n", "250 2.0.0"),
    ("141", b"\n.\r\n", "250 2.0.0"),
    ("142", b"\r\n.\n", "250 2.0.0"),
    ("143", b"\r.\r", "550 5.5.2"),
    ("144", b"\r.\r\n", "550 5.5.2"),
    ("145", b"\n.\r", "550 5.5.2"),
    ("146", b"\r.\n", "550 5.5.2"),
    ("147", b"\r\n.\r", "550 5.5.2"),
    ("148", b"\r\n.\r\r\n", "550 5.5.2"),
    ("149", b"\r\r\n.\r\r\n", "550 5.5.2"),
    ("150", b"\r\n\0.\r\n", "550 5.5.2"),
    ("151", b"\r\n.\0\r\n", "550 5.5.2"),
    ("151", b"\r\n.\0x\r\n", "550 5.5.2"),
    ("156", b"a\rb", "550 5.5.2"),
    ("156", b"a\0b", "550 5.5.2"),
    ("156", b"a\nb\r\n", "250 2.0.0"),
)


class Smuggling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def setUp(self):
        self.backend.maildir.clear()

    def try_vector(self, gateway, vector, octetwise):
        """Returns: status of the one reply, after making sure that it is the only one."""
        with gateway.client(octetwise=octetwise) as client:
            client.envelope("sender@sender.example", ["alice@example.com"])
            self.assertEqual(client.command("DATA").code, 354)
            client.send(b"From: sender@sender.example\r\nSubject: outer\r\n\r\nouter" + vector +
                        TAIL + b"\r\n.\r\n")
            reply = client.reply()
            # Had any line run as a command, its reply would be here first.
            self.assertEqual(client.command("VRFY x").code, 252)
            self.assertEqual(client.quit().code, 221)
        return reply.status

    def check(self, gateway, row, vector, want):
        for octetwise in (False, True):
            with self.subTest(row=row, vector=vector, octetwise=octetwise):
                self.backend.maildir.clear()
                self.assertEqual(self.try_vector(gateway, vector, octetwise), want)
                stored = self.backend.maildir.messages()
                self.assertEqual(len(stored), 1 if want.startswith("250") else 0)
                for message in stored:
                    self.assertEqual(message.count(b"\nSubject: outer\n"), 1)
                    self.assertIn(b"\nMAIL FROM:<admin@victim.example>\n", message)
                    self.assertTrue(message.endswith(b"\nsmuggled\n\n"), message)

    def test_row_140_to_151_and_156_normalize(self):
        for row, vector, want in VECTORS:
            self.check(self.gateway, row, vector, want)

    def test_row_140_to_151_and_156_reject(self):
        with Gatehouse(self.backend.port, options={"bare_lf": '"reject"'}) as gateway:
            for row, vector, _ in VECTORS:
                self.check(gateway, row, vector, "550 5.5.2")

    def test_row_152_end_of_file_is_no_end_of_data(self):
        for cut in (b"\r\n.", b"\r\n.\r", b"\r\n", b"."):
            with self.subTest(cut=cut), self.gateway.client() as client:
                client.envelope("sender@sender.example", ["alice@example.com"])
                self.assertEqual(client.command("DATA").code, 354)
                client.send(b"Subject: cut\r\n\r\ncut" + cut)
                client.half_close()
                self.assertNotIn(b"250", client.rest())
        # A message that goes through afterwards shows that the others would have been there.
        self.gateway.deliver(["alice@example.com"], messages.simple())
        self.assertEqual(len(self.backend.maildir.files()), 1)

    def test_row_153_dots(self):
        wire = b"..\r\n..x\r\n.x\r\n. \r\n...\r\n"
        with self.gateway.client() as client:
            client.envelope("sender@sender.example", ["alice@example.com"])
            client.command("DATA")
            client.send(b"Subject: dots\r\n\r\n" + wire + b".\r\n")
            self.assertEqual(client.reply().code, 250)
        stored, = self.backend.maildir.messages()
        split_block(stored, b"Subject: dots\n\n.\n.x\nx\n \n..\n")

    def test_row_154_end_split_anywhere(self):
        """The end of data cut in two at each octet, at the edges of buffers."""
        edges = [size + delta for size in (2048, 4096, 8192, 16384, 65536) for delta in (-3, 0, 3)]
        with self.gateway.client() as client:
            count = 0
            for edge in edges:
                for cut in range(6):
                    count += 1
                    content = messages.of_size(edge).replace(b"\n", b"\r\n")
                    wire = content + b".\r\n"
                    at = len(wire) - cut
                    client.envelope("sender@sender.example", ["alice@example.com"])
                    client.command("DATA")
                    client.send(wire[:at])
                    client.send(wire[at:])
                    self.assertEqual(client.reply().status, "250 2.0.0")
        self.assertEqual(len(self.backend.maildir.files()), count)

    def test_row_155_commands_after_the_end(self):
        """Legal pipelining: the next command in the segment of the end of data."""
        with self.gateway.client() as client:
            for _ in range(2):
                client.envelope("sender@sender.example", ["alice@example.com"])
                client.command("DATA")
                client.send(b"Subject: one\r\n\r\none\r\n.\r\nMAIL FROM:<a@sender.example>\r\n"
                            b"RSET\r\n")
                self.assertEqual([r.code for r in client.replies(3)], [250, 250, 250])
            client.envelope("sender@sender.example", ["alice@example.com"])
            client.command("DATA")
            client.send(b"Subject: last\r\n\r\nlast\r\n.\r\nQUIT\r\n")
            self.assertEqual([r.code for r in client.replies(2)], [250, 221])
            self.assertTrue(client.closed())
        self.assertEqual(len(self.backend.maildir.files()), 3)

    def test_row_157_empty_message(self):
        with self.gateway.client() as client:
            client.envelope("sender@sender.example", ["alice@example.com"])
            client.command("DATA")
            client.send(b".\r\n")
            self.assertEqual(client.reply().status, "554 5.6.0")

    def test_row_061_content_before_354(self):
        with self.gateway.client() as client:
            client.envelope("sender@sender.example", ["alice@example.com"])
            client.send(b"DATA\r\nSubject: early\r\n\r\nearly\r\n.\r\n")
            self.assertEqual(client.reply().status, "554 5.5.0")
            self.assertTrue(client.closed())
        self.assertEqual(self.backend.maildir.files(), [])

    def test_row_064_content_after_refusals(self):
        """A batch whose recipients are all refused, with the content right behind it."""
        client = Client(self.gateway.port)
        client.ehlo()
        try:
            client.send(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<nobody@example.com>\r\nDATA\r\n" +
                        TAIL + b".\r\nQUIT\r\n")
            said = client.rest()
        except Closed:
            said = b""
        self.assertNotIn(b"354", said)
        self.assertEqual(self.backend.maildir.files(), [])


if __name__ == "__main__":
    unittest.main()
