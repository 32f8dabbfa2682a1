"""curl."""

import os
import unittest

from clients import Clients, run
from place import peer, peer_environment


class Curl(Clients.Case):
    def send(self, recipient, content, tls):
        path = self.directory.write("message", content.replace(b"\n", b"\r\n"))
        status, said = run(
            [peer("curl", "usr/bin/curl"), "--silent", "--show-error", "--url",
             "smtp://127.0.0.1:%d/client.sender.example" % self.gateway.port, "--mail-from",
             "sender@sender.example", "--mail-rcpt", recipient, "--upload-file", path,
             "--insecure"] + (["--ssl-reqd"] if tls else []),
            environment=peer_environment(HOME=self.directory.path))
        return status == 0, said


if __name__ == "__main__":
    unittest.main()
