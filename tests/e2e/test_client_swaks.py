"""swaks, the first thing that an operator tries."""

import glob
import unittest

from clients import Clients, run
from place import peer, peer_environment


class Swaks(Clients.Case):
    leaves_out = ("dots",)  # it takes a dot in the last line for its own

    def send(self, recipient, content, tls):
        perl = glob.glob(peer("libnet-ssleay-perl", "usr/lib/*/perl5/*"))
        environment = peer_environment(PERL5LIB=":".join(perl))
        path = self.directory.write("message", content[:-1])  # swaks ends the last line itself
        status, said = run(
            ["perl", peer("swaks", "usr/bin/swaks"), "--server", "127.0.0.1", "--port", str(self.gateway.port), "--from",
             "sender@sender.example", "--to", recipient, "--data", "@" + path, "--suppress-data",
             "--helo", "client.sender.example"] + (["--tls"] if tls else []), environment=environment)
        return status == 0, said

    def test_words_of_a_refusal(self):
        _, said = self.send("nobody@example.com", b"Subject: x\n\nx\n", tls=False)
        self.assertIn("RCPT TO:<nobody@example.com>\n<** 550 5.1.1 ", said)
        self.assertNotIn(" -> DATA", said)


if __name__ == "__main__":
    unittest.main()
