"""Exim as a client: it pipelines, and sends with BDAT where it may."""

import subprocess
import unittest

import exim
from clients import Clients, run
from place import needs_root

CONFIGURATION = """\
primary_hostname = client.sender.example
qualify_domain = sender.example
begin routers
gateway:
  driver = manualroute
  transport = gateway
  route_data = 127.0.0.1
  self = send
begin transports
gateway:
  driver = smtp
  port = {port}
  allow_localhost
  dns_qualify_single = false
{tls}
begin retry
* * F,1h,1m
"""


@needs_root
class Exim(Clients.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = exim.Place()

    @classmethod
    def tearDownClass(cls):
        cls.place.directory.remove()
        super().tearDownClass()

    def send(self, recipient, content, tls):
        command = self.place.configure(
            CONFIGURATION, port=self.gateway.port,
            tls="  hosts_require_tls = *\n  tls_verify_hosts =\n  tls_try_verify_hosts =" if tls
            else "  hosts_avoid_tls = *")
        before = len(self.place.log())
        run(command + ["-odq", "-i", "-f", "sender@sender.example", recipient], content,
            self.place.environment)
        identity = subprocess.run(command + ["-bpr"], env=self.place.environment, check=True,
                                  stdout=subprocess.PIPE).stdout.decode().split()[2]
        status, said = run(command + ["-Mc", identity], environment=self.place.environment)
        # What is left after a refusal.
        run(command + ["-Mrm", identity], environment=self.place.environment)
        said += self.place.log()[before:]
        return status == 0 and " => " in said and " ** " not in said, said

    def test_it_used_what_we_offer(self):
        _, said = self.send("alice@example.com", b"Subject: x\n\nx\n", tls=False)
        self.assertIn(" K ", said)  # CHUNKING


if __name__ == "__main__":
    unittest.main()
