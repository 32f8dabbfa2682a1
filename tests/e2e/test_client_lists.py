"""
Names and DNS lists of clients over real DNS packets, and checks that wait for a slow DNS.
"""

import re
import socket
import threading
import time
import unittest

import messages
import network
import nsd
from backends import MaildirServer
from gatehouse import Gatehouse

GATEWAY = "192.0.2.10"
NAMED, UNNAMED, LISTED, LISTED_AND_GOOD = ("192.0.2.%d" % i for i in (21, 22, 23, 24))
NETWORKS = 5
SLOW = ["198.51.%d.1" % i for i in range(NETWORKS)]


def setUpModule():
    if not network.enter_private([GATEWAY, NAMED, UNNAMED, LISTED, LISTED_AND_GOOD] + SLOW):
        raise unittest.SkipTest("needs a network of its own")


class Base(unittest.TestCase):
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.names = nsd.Nsd({
            "2.0.192.in-addr.arpa": "21 PTR mail.sender.example.\n23 PTR mail.sender.example.\n",
            "sender.example": "mail A %s\n" % NAMED,
            "black.example": "23.2.0.192 A 127.0.0.4\n24.2.0.192 A 127.0.0.4\n"
                             "2.0.0.127 A 127.0.0.2\n",
            "white.example": "24.2.0.192 A 127.0.0.2\n",
            "everybody.example": "* A 127.0.0.2\n",
            "refuses.example": "* A 127.255.255.254\n",
        })
        cls.backend = MaildirServer()
        options = {"dns.servers": '{ "%s" }' % cls.names.address, "dns.timeout": 5,
                   "spf.check": "false"}
        options.update(cls.options)
        cls.gateway = Gatehouse(cls.backend.port, listen="0.0.0.0", options=options).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.names.stop()

    def deliver(self, source):
        """Returns: the reply that decides, and the header block of what was delivered."""
        self.backend.maildir.clear()
        with self.gateway.client(ehlo=False, host_address=GATEWAY, source=source) as client:
            client.ehlo("client.example")
            client.command("MAIL FROM:<a@sender.example>")
            reply = client.command("RCPT TO:<alice@example.com>")
            if reply.code == 250:
                reply = client.data(messages.simple())
        stored = self.backend.maildir.messages()
        return reply, re.sub(rb"\n[ \t]+", b" ", stored[0]).decode() if stored else ""


class Names(Base):
    def test_row_022_name_in_received(self):
        reply, block = self.deliver(NAMED)
        self.assertEqual(reply.code, 250, reply)
        self.assertRegex(block, r"Received: from client\.example \(mail\.sender\.example ")
        self.assertRegex(block, r"iprev=pass")
        self.gateway.wait_event("judged", client_name="mail.sender.example")

    def test_name_of_another(self):
        reply, block = self.deliver(LISTED)
        self.assertEqual(reply.code, 250, reply)
        self.assertNotIn("mail.sender.example", block)
        self.assertRegex(block, r"iprev=fail")


class UnnamedRejected(Base):
    options = {"reverse_dns.missing": '"reject"', "reverse_dns.unconfirmed": '"defer"'}

    def test_rules(self):
        self.assertEqual(self.deliver(NAMED)[0].code, 250)
        self.assertEqual(self.deliver(UNNAMED)[0].status, "550 5.7.25")
        self.assertEqual(self.deliver(LISTED)[0].status, "451 4.7.25")


class Lists(Base):
    options = {"dnslist.black.zone": '"black.example"',
               "dnslist.black.answers": '{ "127.0.0.2-127.0.0.11" }',
               "dnslist.white.zone": '"white.example"', "dnslist.white.allow": "true",
               "dnslist.everybody.zone": '"everybody.example"',
               "dnslist.refuses.zone": '"refuses.example"'}

    def test_listed(self):
        reply, _ = self.deliver(LISTED)
        self.assertEqual(reply.status, "550 5.7.1", reply)
        self.assertIn("black.example", reply.text)

    def test_allowed(self):
        self.assertEqual(self.deliver(LISTED_AND_GOOD)[0].code, 250)

    def test_lists_that_list_everybody(self):
        self.assertEqual(self.deliver(UNNAMED)[0].code, 250)
        self.gateway.wait_event("dnslist_error", list="everybody")
        self.gateway.wait_event("dnslist_error", list="refuses")


class Observed(Base):
    options = {"dnslist.black.zone": '"black.example"', "dnslist.black.answers": '{ "127.0.0.4" }',
               "listed.observe": "true"}

    def test_only_logged(self):
        self.assertEqual(self.deliver(LISTED)[0].code, 250)
        self.gateway.wait_event("judged", lists="black", observed="listed.reject")


class Marked(Base):
    options = {"dnslist.black.zone": '"black.example"', "dnslist.black.answers": '{ "127.0.0.4" }',
               "dnslist.black.weight": 2, "dnslist.white.zone": '"white.example"',
               "dnslist.white.allow": "true", "listed.mark": 2, "listed.defer": 3,
               "listed.reject": 4}

    def test_back_end_is_told(self):
        reply, block = self.deliver(LISTED)
        self.assertEqual(reply.code, 250, reply)
        self.assertIn("\nX-Gatehouse-Listed: black\nX-Gatehouse-Disposition: quarantine\n", block)
        self.gateway.wait_event("judged", lists="black", disposition="quarantine")

    def test_others_are_not_marked(self):
        for source in (NAMED, LISTED_AND_GOOD):
            reply, block = self.deliver(source)
            self.assertEqual(reply.code, 250, reply)
            self.assertNotIn("X-Gatehouse", block)

    def test_row_206_nobody_else_says_so(self):
        self.backend.maildir.clear()
        with self.gateway.client(ehlo=False, host_address=GATEWAY, source=NAMED) as client:
            client.ehlo("client.example")
            reply = client.deliver("a@sender.example", ["alice@example.com"],
                                   b"X-Gatehouse-Listed: forged\r\n" + messages.simple())
            self.assertEqual(reply.code, 250, reply)
        stored, = self.backend.maildir.messages()
        self.assertNotIn(b"X-Gatehouse", stored)


class WaitingNames:
    """A name server that answers nobody before `wanted` different names are asked for."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.pending = {}
        self.most = 0
        self.stopping = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        until = time.monotonic() + 60
        while not self.stopping:
            try:
                packet, peer = self.socket.recvfrom(4096)
                self.pending[packet[12:packet.index(b"\0", 12)].lower()] = (packet, peer)
            except OSError:
                pass
            self.most = max(self.most, len(self.pending))
            if self.most >= self.wanted or time.monotonic() > until:
                for packet, peer in self.pending.values():
                    end = packet.index(b"\0", 12) + 5
                    self.socket.sendto(packet[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + packet[12:end], peer)
                self.pending.clear()

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.socket.close()


class SlowNames(unittest.TestCase):
    def test_row_256_a_hundred_wait_at_the_same_time(self):
        sessions = 100
        names = WaitingNames(sessions)
        backend = MaildirServer()
        gateway = Gatehouse(backend.port, listen="0.0.0.0", options={
            "dns.servers": '{ "%s" }' % names.address, "dns.timeout": 20,
            "reverse_dns.check": "false", "dkim.check": "false"}).start()
        clients = []
        try:
            for number in range(sessions):
                client = gateway.client(ehlo=False, host_address=GATEWAY,
                                        source=SLOW[number % NETWORKS])
                clients.append(client)
                client.ehlo("client.example")
                self.assertEqual(client.command("MAIL FROM:<a@n%d.slow-names.example>" % number).code, 250)
            for client in clients:
                self.assertEqual(client.command("RCPT TO:<alice@example.com>").code, 250)
            for client in clients:
                self.assertEqual(client.data(messages.simple()).code, 250)
            self.assertGreaterEqual(names.most, sessions)
        finally:
            for client in clients:
                client.close()
            gateway.stop()
            backend.stop()
            names.stop()


if __name__ == "__main__":
    unittest.main()
