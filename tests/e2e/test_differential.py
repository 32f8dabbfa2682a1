"""
The same session, whatever the network makes of it: the dialogues of smtpd's unit tests against a
whole gateway, in one piece, octet by octet and cut at random, in plain text and over TLS. What the
server says must be what the dialogue says, and the same octets every time.
"""

import unittest

import dialogues
from backends import MaildirServer
from certificates import certificate, start_tls
from gatehouse import Gatehouse
from place import Directory

WAYS = [("plain", "whole"), ("plain", "octets"), ("plain", "random"), ("tls", "random")]


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("differential")
        cls.backend = MaildirServer()
        options = {"hostname": '"%s"' % dialogues.HOSTNAME, "postmaster": '"admin@ours.example"',
                   "limits.log_rate": 100000}
        options.update(certificate(cls.directory, "ecdsa"))
        cls.gateway = Gatehouse(cls.backend.port, recipients=dialogues.RECIPIENTS,
                                options=options).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.directory.remove()

    def connect(self, how):
        if how == "plain":
            return self.gateway.client(ehlo=False)
        return start_tls(self.gateway.client())

    def play(self, lines, how, cut):
        return dialogues.Player(lambda: self.connect(how), dialogues.Cut(cut, 7)).play(lines)

    def test_row_065_row_066_every_dialogue(self):
        played = 0
        for name, lines in dialogues.scenarios():
            plain_only = any("STARTTLS" in line for line in lines)
            said = None
            for how, cut in WAYS:
                if how == "tls" and plain_only:
                    continue
                with self.subTest(name, how=how, cut=cut):
                    now = self.play(lines, how, cut)
                    said = now if said is None else said
                    self.assertEqual(now, said)
            played += 1
        self.assertGreater(played, 120)


if __name__ == "__main__":
    unittest.main()
