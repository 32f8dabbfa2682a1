"""openssl s_client: a session by hand, as an operator does it."""

import subprocess
import unittest

from clients import Clients
from smtp import stuff


class Openssl(Clients.Case):
    only_tls = True

    def send(self, recipient, content, tls):
        process = subprocess.Popen(
            ["openssl", "s_client", "-starttls", "smtp", "-quiet", "-name", "client.sender.example",
             "-connect", "127.0.0.1:%d" % self.gateway.port], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        said, code = [], 0
        for line in (None, b"EHLO client.sender.example", b"MAIL FROM:<sender@sender.example>",
                     b"RCPT TO:<%s>" % recipient.encode(), b"DATA", stuff(content), b"QUIT"):
            if line is None:
                continue
            process.stdin.write(line if line.endswith(b"\r\n.\r\n") else line + b"\r\n")
            process.stdin.flush()
            reply = b"   -"
            while reply[3:4] == b"-":
                reply = process.stdout.readline()
                said.append(reply)
            code = int(reply[:3])
            if code >= 400:
                break
        process.kill()
        process.communicate()
        return code < 400, b"".join(said).decode()


if __name__ == "__main__":
    unittest.main()
