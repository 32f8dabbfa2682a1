"""What every mail client must manage; each test_client_*.py brings one."""

import subprocess
import unittest

import messages
from backends import MaildirServer
from certificates import certificate
from gatehouse import Gatehouse
from place import Directory


KINDS = ("dots", "smtp commands", "lines of 998 octets", "many short lines",
         "empty lines at the end", "attachment", "big attachment")


def run(command, content=b"", environment=None, patience=120):
    """Runs a client to its end. Returns exit status and what it said."""
    done = subprocess.run(command, input=content, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment, timeout=patience)
    return done.returncode, done.stdout.decode(errors="replace")


class Clients:
    """Around the class, so that the loader does not take it for a test of its own."""

    class Case(unittest.TestCase):
        """
        A client overrides send(). only_tls: it cannot do without; leaves_out: kinds of messages that
        it changes by itself.
        """

        only_tls = False
        leaves_out = ()

        @classmethod
        def setUpClass(cls):
            cls.directory = Directory("client")
            cls.backend = MaildirServer()
            cls.gateway = Gatehouse(cls.backend.port,
                                    options=certificate(cls.directory, "ecdsa")).start()

        @classmethod
        def tearDownClass(cls):
            cls.gateway.stop()
            cls.backend.stop()
            cls.directory.remove()

        def setUp(self):
            self.backend.maildir.clear()

        def send(self, recipient, content, tls):
            """In: content, in LF form. Returns: whether the client says that it was sent, its words."""
            raise NotImplementedError

        def arrives(self, content, tls):
            sent, said = self.send("alice@example.com", content, tls)
            self.assertTrue(sent, said)
            stored, = self.backend.maildir.messages()
            self.assertEqual(stored.partition(b"\n\n")[2], content.partition(b"\n\n")[2])
            self.assertIn(b" with ESMTPS " if tls else b" with ESMTP ",
                          stored.replace(b"\n\t", b" ").replace(b"\n ", b" "))
            self.backend.maildir.clear()

        def test_plaintext(self):
            self.arrives(messages.simple(), tls=self.only_tls)

        def test_tls(self):
            self.arrives(messages.simple(), tls=True)

        def test_contents(self):
            for name, content in messages.kinds():
                if name in KINDS and name not in self.leaves_out:
                    with self.subTest(name):
                        self.arrives(content, tls=self.only_tls)

        def test_eight_bits(self):
            self.arrives(dict(messages.kinds())["eight bit"], tls=True)

        def test_big_one_by_tls(self):
            self.arrives(messages.attachment(2 << 20), tls=True)

        def test_refused_at_rcpt(self):
            """The client learns that it is for good, and nothing is handed off."""
            sent, said = self.send("nobody@example.com", messages.simple(), tls=True)
            self.assertFalse(sent, said)
            self.assertEqual(self.backend.maildir.files(), [])
