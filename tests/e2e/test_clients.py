"""What one client may have, in all workers together, and who it is behind a balancer."""

import socket
import struct
import unittest

import messages
from backends import MaildirServer, Scripted
from certificates import certificate, start_tls
from gatehouse import Gatehouse
from place import Directory, wait_until
from smtp import Client, Closed

TOO_MANY = "421 4.7.0"


class Limits(unittest.TestCase):
    """Sources 127.x.y.z: any of them is local."""

    def gateway(self, backend, **limits):
        options = {"limits.connections_per_client": 8, "limits.connections_per_network": 12,
                   "limits.connections_per_minute": 1000, "workers": 2}
        options.update(("limits." + key, value) for key, value in limits.items())
        return Gatehouse(backend.port, options=options)

    def connect(self, gateway, source):
        return Client(gateway.port, source=source)

    def greeted(self, gateway, source, count):
        clients = [self.connect(gateway, source) for _ in range(count)]
        for client in clients:
            self.assertEqual(client.greeting.code, 220, client.greeting)
        return clients

    def assert_full(self, gateway, source):
        client = self.connect(gateway, source)
        self.assertEqual(client.greeting.status, TOO_MANY, client.greeting)
        self.assertTrue(client.closed())

    def test_row_013_014_one_address_one_network(self):
        """Whichever worker takes the connection, and across a reload."""
        with Scripted() as backend, self.gateway(backend) as gateway:
            clients = self.greeted(gateway, "127.1.1.1", 8)
            for _ in range(4):
                self.assert_full(gateway, "127.1.1.1")
            self.greeted(gateway, "127.1.2.1", 1)[0].close()
            clients += self.greeted(gateway, "127.1.1.2", 4)
            for last in range(3, 6):
                self.assert_full(gateway, "127.1.1.%d" % last)
            found = gateway.events("client_limited")
            self.assertEqual({line["limit"] for line in found},
                             {"connections_per_client", "connections_per_network"})
            self.assertEqual(gateway.tell("reload")[0], 0)
            self.assert_full(gateway, "127.1.1.1")
            clients[0].close()
            clients[1].close()
            wait_until(lambda: self.connect(gateway, "127.1.1.1").greeting.code == 220,
                       "room for the client again")
            reply = gateway.deliver(["alice@example.com"], messages.simple())
            self.assertEqual(reply.code, 250)
            for client in clients:
                client.close()

    def test_row_F28_connections_of_a_dead_worker_are_forgotten(self):
        with Scripted() as backend, self.gateway(backend, connections_per_network=1000) as gateway:
            clients = self.greeted(gateway, "127.1.1.1", 8)
            self.assert_full(gateway, "127.1.1.1")
            gateway.wait_restarted("smtpd", gateway.kill("smtpd"))
            self.greeted(gateway, "127.1.1.1", 8)
            for client in clients:
                client.close()

    def test_row_027_many_connections_in_a_minute(self):
        with Scripted() as backend, self.gateway(backend, connections_per_minute=20) as gateway:
            codes = []
            for _ in range(60):
                with self.connect(gateway, "127.1.1.1") as client:
                    codes.append(client.greeting.code)
            self.assertEqual(codes[:15], [220] * 15)
            self.assertIn(421, codes)
            with self.connect(gateway, "127.1.2.1") as client:
                self.assertEqual(client.greeting.code, 220)

    def test_row_014_many_networks(self):
        """When all sessions are taken everybody is told so, and sessions without commands go first."""
        options = {"limits.sessions": 40, "workers": 1, "limits.stress": 50,
                   "limits.stress_timeout": 5}
        with Scripted() as backend, Gatehouse(backend.port, options=options) as gateway:
            clients = [self.connect(gateway, "127.%d.%d.1" % (1 + i // 8, i % 8))
                       for i in range(60)]
            codes = [client.greeting.code for client in clients]
            self.assertEqual((codes.count(220), codes.count(421)), (40, 20))
            self.assertEqual({client.greeting.status for client in clients
                              if client.greeting.code == 421}, {"421 4.3.2"})
            gateway.wait_event("stress")
            gateway.wait_event("stress_over")
            reply = gateway.deliver(["alice@example.com"], messages.simple())
            self.assertEqual(reply.code, 250)
            for client in clients:
                client.close()

    def test_row_101_guesses_of_all_sessions(self):
        with Scripted() as backend, self.gateway(backend, unknown_per_hour=5) as gateway:
            self.assertEqual(self.guess(gateway, 20), TOO_MANY)
            self.assert_full(gateway, "127.0.0.1")
            with Client(gateway.port, source="127.1.1.1") as client:
                self.assertEqual(client.greeting.code, 220)

    def guess(self, gateway, count):
        for number in range(count):
            try:
                with gateway.client() as client:
                    client.command("MAIL FROM:<a@sender.example>")
                    reply = client.command("RCPT TO:<guess%d@example.com>" % number)
                    if reply.code != 550:
                        return reply.status
            except Closed:
                break
        return None

    def test_row_028_half_open_handshakes(self):
        """They end at the deadline; meanwhile and afterwards there is room for mail under TLS."""
        directory = Directory("half-open")
        self.addCleanup(directory.remove)
        options = dict(certificate(directory, "ecdsa"), **{"tls.handshake_timeout": 2})
        with Scripted() as backend, Gatehouse(backend.port, options=options) as gateway:
            waiting = []
            for number in range(150):
                client = gateway.client(source="127.2.%d.1" % number)
                self.assertEqual(client.command("STARTTLS").code, 220)
                client.send(b"\x16\x03\x01\x02")
                waiting.append(client)
            with start_tls(gateway.client()).ehlo() as client:
                self.assertEqual(client.deliver("a@sender.example", ["alice@example.com"],
                                                messages.simple()).code, 250)
            for client in waiting:
                client.rest()
                client.close()
            with start_tls(gateway.client()) as client:
                self.assertEqual(client.ehlo().command("NOOP").code, 250)

    def test_trusted_relays(self):
        options = {"limits.connections_per_client": 2, "limits.connections_per_network": 2,
                   "trusted_relays": '{ "127.5.0.0/16" }'}
        with Scripted() as backend, Gatehouse(backend.port, options=options) as gateway:
            for client in self.greeted(gateway, "127.5.1.1", 10):
                client.close()


class Balancer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port, options={
            "proxy_from": '{ "127.7.0.0/16" }', "limits.connections_per_client": 3,
            "spf.check": "false"}).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def connect(self, header):
        client = Client(self.gateway.port, source="127.7.0.1", greet=False)
        client.send(header)
        return client

    @staticmethod
    def version_2(source, command=0x21, family=0x11, values=b""):
        addresses = socket.inet_aton(source) + socket.inet_aton("127.0.0.1")
        addresses += struct.pack(">HH", 4242, 25) + values
        return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([command, family]) +
                struct.pack(">H", len(addresses)) + addresses)

    def check_mail(self, client, address):
        self.backend.maildir.clear()
        self.assertEqual(client.reply().code, 220)
        client.ehlo()
        reply = client.deliver("a@sender.example", ["alice@example.com"], messages.simple())
        self.assertEqual(reply.code, 250)
        stored, = self.backend.maildir.messages()
        self.assertIn(b"[" + address.encode() + b"]", stored.split(b"\n\tby ")[0])
        line = self.gateway.wait_event("transaction", id=reply.id)
        self.assertEqual(line["client"], address)
        begun, = self.gateway.events("connect", session=line["session"], worker=line["worker"])
        self.assertEqual((begun["client"], begun["balancer"]), (address, "127.7.0.1"))
        client.quit()

    def test_mail_is_from_the_client(self):
        self.check_mail(self.connect(b"PROXY TCP4 203.0.113.5 127.0.0.1 4242 25\r\n"), "203.0.113.5")
        self.check_mail(self.connect(self.version_2("203.0.113.6")), "203.0.113.6")
        self.check_mail(self.connect(self.version_2("203.0.113.7", values=b"\x04\0\x02xx")),
                        "203.0.113.7")
        slow = Client(self.gateway.port, source="127.7.0.1", greet=False, octetwise=True)
        slow.send(self.version_2("203.0.113.8"))
        slow.octetwise = False
        self.check_mail(slow, "203.0.113.8")

    def test_row_009_what_is_no_header(self):
        for header in (self.version_2("203.0.113.5")[:14] + b"\0\0",
                       self.version_2("203.0.113.5")[:14] + b"\xff\xff" + b"x" * 3000,
                       self.version_2("203.0.113.5", family=0x31),
                       b"PROXY TCP4 203.0.113.5\r\n", b"EHLO x\r\n"):
            client = self.connect(header)
            self.assertEqual(client.rest(), b"", header)
        self.connect(self.version_2("203.0.113.5")[:20]).reset()

    def test_row_013_each_client_has_its_limits(self):
        header = b"PROXY TCP4 203.0.113.9 127.0.0.1 4242 25\r\n"
        clients = [self.connect(header) for _ in range(3)]
        for client in clients:
            self.assertEqual(client.reply().code, 220)
        self.assertEqual(self.connect(header).reply().status, TOO_MANY)
        other = self.connect(b"PROXY TCP4 203.0.114.9 127.0.0.1 4242 25\r\n")
        self.assertEqual(other.reply().code, 220)
        for client in clients + [other]:
            client.close()


if __name__ == "__main__":
    unittest.main()
