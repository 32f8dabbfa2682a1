"""Rows of the catalogue that need real sockets: how connections begin, fill up and break."""

import os
import socket
import subprocess
import sys
import time
import unittest

import messages
import processes
from backends import MaildirServer, Scripted
from gatehouse import Gatehouse
from place import program, wait_until
from smtp import Client, Closed

NOBODY = 65534
LOWER = ("import resource, sys; "
         "resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)")


class Connections(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def setUp(self):
        self.before = self.gateway.pids("smtpd")

    def tearDown(self):
        """Whatever a client did: the workers are the same and still take mail."""
        self.assertEqual(self.gateway.pids("smtpd"), self.before)
        reply = self.gateway.deliver(["alice@example.com"], messages.simple())
        self.assertEqual(reply.status, "250 2.0.0")

    def open_descriptors(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to look at the descriptors of confined processes")
        return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in self.gateway.everything())

    def test_row_001_002_reset_and_close(self):
        idle = self.open_descriptors()
        for _ in range(200):
            Client(self.gateway.port, greet=False).reset()
            Client(self.gateway.port, greet=False).close()
            client = Client(self.gateway.port, greet=False)
            client.send(b"EHLO x\r\n" * 3)
            client.reset()
        wait_until(lambda: self.open_descriptors() <= idle, "the end of those sessions")

    def test_row_006_007_not_smtp(self):
        for first in (b"GET / HTTP/1.1\r\nHost: mx\r\n\r\n", b"POST / HTTP/1.0\r\n",
                      b"CONNECT a:25 HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with self.subTest(first), self.gateway.client(ehlo=False) as client:
                client.send(first)
                self.assertTrue(client.rest().startswith(b"554 5.5.1 "))

    def test_row_004_005_early_talker(self):
        """With a delay before the greeting, who talks first is refused."""
        options = {"greeting_delay": 2}
        with Gatehouse(self.backend.port, options=options) as gateway:
            for early in (b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\n"):
                client = Client(gateway.port, greet=False)
                client.send(early)
                said = client.rest()
                self.assertTrue(said.startswith(b"554 5.5.0 "), said)
                self.assertEqual(said.count(b"\r\n"), 1)
            with gateway.client() as client:
                self.assertEqual(client.quit().code, 221)

    def test_row_008_010_not_configured(self):
        for line, code in ((b"PROXY TCP4 1.2.3.4 5.6.7.8 1 25", 500), (b"XCLIENT ADDR=127.0.0.1", 502),
                           (b"XFORWARD ADDR=1.2.3.4", 502)):
            with self.subTest(line), self.gateway.client(ehlo=False) as client:
                client.send(line + b"\r\n")
                self.assertEqual(client.reply().status, "%d 5.5.1" % code)

    def test_row_017_urgent_octet(self):
        """The same result each time, and a server that goes on."""
        found = set()
        for _ in range(10):
            with self.gateway.client() as client:
                client.send(b"NO")
                client.socket.send(b"X", socket.MSG_OOB)
                client.send(b"OP\r\n")
                found.add(client.reply().status)
        self.assertEqual(len(found), 1, found)

    def test_row_015_client_that_never_reads(self):
        """Replies to a client that does not read are bounded; others are served meanwhile."""
        with self.gateway.client() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.socket.settimeout(2)
            try:
                for _ in range(2000):
                    client.socket.sendall(b"MAIL FROM:<a@b.example>\r\nRSET\r\n" * 100)
            except OSError:
                pass
            self.gateway.deliver(["alice@example.com"], messages.simple())

    def test_row_025_026_gone_in_mid_message(self):
        """A client that leaves at any point before the end of data leaves nothing behind."""
        self.backend.maildir.clear()
        wire = (b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\n",
                b"Subject: gone\r\n\r\ngone\r\n.\r\n")
        for cut in range(0, len(wire[1]), 2):
            for leave in ("close", "reset", "half_close"):
                client = self.gateway.client()
                client.send(wire[0])
                client.replies(3)
                client.send(wire[1][:cut])
                getattr(client, leave)()
                client.close()
        self.gateway.deliver(["alice@example.com"], messages.simple())
        self.assertEqual(len(self.backend.maildir.files()), 1)

    def test_row_305_many_sessions_leave_nothing(self):
        """Descriptors and memory after thousands of sessions are what they were."""
        self.some_sessions(300)
        idle, memory = self.open_descriptors(), self.resident()
        self.some_sessions(1500)
        wait_until(lambda: self.open_descriptors() <= idle, "as many descriptors as before")
        for name, kilobytes in self.resident().items():
            self.assertLess(kilobytes, memory[name] + 512, name)

    def some_sessions(self, count):
        for number in range(count):
            if number % 3 == 0:
                self.gateway.deliver(["alice@example.com"], messages.simple())
            else:
                self.gateway.client().quit()

    def resident(self):
        return {"%s %d" % (name, pid): int(processes.status(pid)["VmRSS"].split()[0])
                for name, pid in self.gateway.programs()}


class Addresses(unittest.TestCase):
    """What the client's address looks like in the trace field."""

    def setUp(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("this machine has no IPv6")

    def received(self, listen, host):
        with MaildirServer() as backend, Gatehouse(backend.port, listen=listen) as gateway:
            with gateway.client(host_address=host) as client:
                client.deliver("a@sender.example", ["alice@example.com"], messages.simple())
            stored, = backend.maildir.messages()
            return stored[stored.index(b"Received: "):].split(b"\n\tby ")[0]

    def test_ipv6(self):
        self.assertIn(b"[IPv6:::1]", self.received("::1", "::1"))

    def test_row_018_mapped(self):
        """A socket for IPv6 takes no IPv4 client, so that no mapped address exists."""
        with Scripted() as backend, Gatehouse(backend.port, listen="::") as gateway:
            with self.assertRaises(ConnectionRefusedError):
                gateway.client(host_address="127.0.0.1")
            self.assertEqual(gateway.client(host_address="::1").quit().code, 221)


class Full(unittest.TestCase):
    """More connections than the gateway may have."""

    def test_row_014_sessions_limit(self):
        with Scripted() as backend, \
                Gatehouse(backend.port, options={"limits.sessions": 20, "workers": 1}) as gateway:
            clients = [gateway.client() for _ in range(20)]
            for _ in range(5):
                extra = Client(gateway.port)
                self.assertEqual(extra.greeting.status, "421 4.3.2")
                self.assertTrue(extra.closed())
            self.assertEqual(clients[0].deliver("a@sender.example", ["alice@example.com"],
                                                messages.simple()).code, 250)
            for client in clients:
                client.quit()
            wait_until(lambda: Client(gateway.port).greeting.code == 220, "room again")

    def test_row_F33_too_few_descriptors_for_the_sessions(self):
        """What can only end in trouble is refused at the start, with the numbers."""
        with Scripted() as backend:
            gateway = Gatehouse(backend.port, options={"limits.sessions": 1000}, files=96,
                                user=self.ordinary_user())
            with self.assertRaisesRegex(AssertionError, "1000 sessions need .* the limit is 96"):
                gateway.start()
            gateway.destroy()

    def ordinary_user(self):
        """Whom a limit can be lowered for while it runs, even by a root without privileges."""
        if os.geteuid() != 0:
            return None
        done = subprocess.run(["test", "-x", program("gatehouse")], user=NOBODY, group=NOBODY)
        if done.returncode != 0:
            self.skipTest("this machine keeps the build from other users")
        return NOBODY

    def test_row_003_out_of_descriptors(self):
        """421 or a wait in the backlog, no busy loop, no crash, and mail again afterwards."""
        user = self.ordinary_user()
        with Scripted() as backend, \
                Gatehouse(backend.port, options={"limits.sessions": 1000, "workers": 1},
                          user=user) as gateway:
            before = gateway.programs()
            worker, = gateway.pids("smtpd")
            subprocess.run([sys.executable, "-c", LOWER, str(worker), "64"], user=user, group=user,
                           check=True)
            sockets = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(200)]
            greetings = set()
            for s in sockets:
                s.settimeout(0.05)
                try:
                    greetings.add(s.recv(100)[:3])
                except OSError:
                    greetings.add(b"")
            self.assertLessEqual(greetings, {b"220", b"421", b""})
            self.assertIn(b"220", greetings)
            busy = processes.cpu_ns(worker)
            time.sleep(1)
            self.assertLess(processes.cpu_ns(worker) - busy, 500e6, "it loops while it waits")
            for s in sockets:
                s.close()
            wait_until(lambda: self.takes_mail(gateway), "mail to be taken again")
            self.assertEqual(gateway.programs(), before)

    @staticmethod
    def takes_mail(gateway):
        try:
            return gateway.deliver(["alice@example.com"], messages.simple()).code == 250
        except (AssertionError, Closed, OSError):
            return False


if __name__ == "__main__":
    unittest.main()
