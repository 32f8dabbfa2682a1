"""Postfix' SMTP client: a queue, and what it makes of our replies."""

import re
import unittest

import postfix
from clients import Clients
from place import needs_root, wait_until
from smtp import Client


@needs_root
class Postfix(Clients.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.senders = {tls: postfix.relay_to(
            cls.gateway.port, "smtp_tls_security_level = %s\n" % ("encrypt" if tls else "none"))
                       for tls in (False, True)}

    @classmethod
    def tearDownClass(cls):
        for sender in cls.senders.values():
            sender.stop()
        super().tearDownClass()

    def send(self, recipient, content, tls):
        sender = self.senders[tls]
        before = len(sender.log())
        with Client(sender.port) as client:
            client.ehlo()
            reply = client.deliver("sender@sender.example", [recipient], content)
            assert reply.code == 250, reply
        # It also bounces what we refuse, to a sender who is not here.
        found = wait_until(lambda: re.search(r" to=<%s>, .* status=(\w+)" % re.escape(recipient),
                                             sender.log()[before:]), "a delivery")
        return found[1] == "sent", sender.log()[before:]


if __name__ == "__main__":
    unittest.main()
