"""msmtp."""

import unittest

from clients import Clients, run
from place import peer, peer_environment


class Msmtp(Clients.Case):
    def send(self, recipient, content, tls):
        status, said = run(
            [peer("msmtp", "usr/bin/msmtp"), "--file=/dev/null", "--host=127.0.0.1",
             "--port=%d" % self.gateway.port, "--from=sender@sender.example",
             "--domain=client.sender.example", "--tls=" + ("on" if tls else "off"),
             "--tls-starttls=on", "--tls-certcheck=off", recipient], content,
            peer_environment(HOME=self.directory.path))
        return status == 0, said


if __name__ == "__main__":
    unittest.main()
