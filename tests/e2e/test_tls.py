"""STARTTLS with real clients."""

import re
import ssl
import subprocess
import unittest

import messages
from backends import MaildirServer, Scripted
from certificates import KEYS, certificate, start_tls, tls_socket
from gatehouse import Gatehouse
from place import Directory, wait_until
from smtp import Client, Closed, stuff

class Sessions(unittest.TestCase):
    """Both kinds of keys, both versions, two clients."""

    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("tls")
        cls.backend = MaildirServer()
        cls.gateways = {kind: Gatehouse(cls.backend.port, options=certificate(cls.directory, kind))
                        .start() for kind in KEYS}

    @classmethod
    def tearDownClass(cls):
        for gateway in cls.gateways.values():
            gateway.stop()
        cls.backend.stop()
        cls.directory.remove()

    def setUp(self):
        self.backend.maildir.clear()

    def test_python(self):
        versions = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
        for kind, gateway in self.gateways.items():
            for name, version in versions.items():
                with self.subTest(kind=kind, version=name), gateway.client() as client:
                    self.backend.maildir.clear()
                    self.assertIn("STARTTLS", client.extensions)
                    start_tls(client, minimum_version=version, maximum_version=version)
                    self.assertEqual(client.socket.version(), name)
                    client.ehlo()
                    self.assertNotIn("STARTTLS", client.extensions)
                    reply = client.deliver("a@sender.example", ["alice@example.com"],
                                           messages.attachment(200000))
                    self.assertEqual(reply.code, 250)
                    self.check_received(name, client.socket.cipher()[0])
                    self.assertEqual(client.command("QUIT").code, 221)

    def test_row_066_commands_in_many_records(self):
        """A command cut into records of one octet is the same command."""
        for gateway in self.gateways.values():
            with gateway.client() as client:
                start_tls(client)
                replies = []
                for line in ("EHLO client.example", "MAIL FROM:<a@sender.example>",
                             "RCPT TO:<alice@example.com>", "RCPT TO:<nobody@example.com>",
                             "NOOP", "QUIT"):
                    for octet in (line + "\r\n").encode():
                        client.socket.sendall(bytes([octet]))
                    replies.append(client.reply().code)
                self.assertEqual(replies, [250, 250, 250, 550, 250, 221])

    def check_received(self, version, cipher):
        stored, = self.backend.maildir.messages()
        field = re.sub(rb"\n[ \t]+", b" ", stored).split(b"\nFrom:")[0].decode()
        self.assertIn(" with ESMTPS ", field)
        self.assertIn(version, field)
        self.assertIn(cipher, field)

    def test_openssl(self):
        for kind, gateway in self.gateways.items():
            with self.subTest(kind):
                self.backend.maildir.clear()
                said = self.s_client(gateway.port)
                self.assertIn("250 2.0.0 Accepted", said)
                self.assertEqual(len(self.backend.maildir.files()), 1)

    def s_client(self, port):
        """A session by openssl s_client, which speaks SMTP up to STARTTLS itself."""
        process = subprocess.Popen(
            ["openssl", "s_client", "-starttls", "smtp", "-crlf", "-quiet", "-connect",
             "127.0.0.1:%d" % port], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        said = b""
        for line in ("EHLO client.example", "MAIL FROM:<a@sender.example>",
                     "RCPT TO:<alice@example.com>", "DATA", "Subject: openssl\n\nhello\n.", "QUIT"):
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            reply = b"   -"
            while reply[3:4] == b"-":
                reply = process.stdout.readline()
                said += reply
        process.communicate(timeout=60)
        return said.decode()


class Misuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("tls")
        cls.backend = Scripted()
        cls.gateway = Gatehouse(cls.backend.port,
                                options=certificate(cls.directory, "ecdsa")).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.directory.remove()

    def test_row_116_commands_with_starttls(self):
        with self.gateway.client() as client:
            client.send(b"STARTTLS\r\nRSET\r\nMAIL FROM:<x@y.example>\r\n")
            said = client.rest()
            self.assertTrue(said.startswith(b"554 5.5.0 "), said)
            self.assertEqual(said.count(b"\r\n"), 1)

    def test_row_117_plaintext_before_the_hello(self):
        """What a stranger puts between the 220 and the ClientHello goes to TLS, and nowhere else."""
        with self.gateway.client() as client:
            self.assertEqual(client.command("STARTTLS").code, 220)
            client.send(b"RSET\r\nMAIL FROM:<x@y.example>\r\n")
            self.gateway.wait_event("tls_handshake_failed")
            with self.assertRaises(OSError):
                tls_socket(client.socket).sendall(b"RSET\r\n")
        with self.gateway.client() as client:
            self.assertEqual(start_tls(client).ehlo().command("NOOP").code, 250)

    def test_row_118_plain_after_starttls(self):
        with self.gateway.client() as client:
            self.assertEqual(client.command("STARTTLS").code, 220)
            client.send(b"EHLO x\r\n")
            self.assertNotIn(b"250", client.rest())

    def test_row_122_123_everything_is_forgotten(self):
        with self.gateway.client() as client:
            client.envelope("a@sender.example", ["alice@example.com"])
            self.assertEqual(client.command("STARTTLS").status, "503 5.5.1")
            client.command("RSET")
            start_tls(client)
            for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<alice@example.com>", "DATA"):
                self.assertEqual(client.command(line).status, "503 5.5.1")
            client.ehlo()
            self.assertIn(client.command("STARTTLS").status, ("503 5.5.1",))

    def test_row_121_old_versions(self):
        with self.gateway.client() as client:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                context_version = ssl.TLSVersion.TLSv1_1
                start_tls(client, minimum_version=context_version, maximum_version=context_version)

    def test_row_128_129_cut_in_the_message(self):
        """A session that ends inside a message, with or without a close, leaves nothing."""
        for polite in (True, False):
            with self.subTest(polite=polite):
                client = start_tls(self.gateway.client()).ehlo()
                client.envelope("a@sender.example", ["alice@example.com"])
                client.command("DATA")
                client.send(b"Subject: cut\r\n\r\ncut\r\n")
                plain = client.socket
                if polite:
                    plain.settimeout(2)
                    try:
                        plain = plain.unwrap()
                        plain.sendall(b".\r\n")
                    except OSError:
                        pass
                plain.close()
        with self.gateway.client() as client:
            client.deliver("a@sender.example", ["alice@example.com"], messages.simple())
        self.assertEqual(len(self.backend.packages), 1)
        self.backend.packages.clear()

    def test_row_026_reset_under_tls(self):
        """A client under TLS that is gone before the comma: nothing is handed off."""
        held, released = [], []

        def hold(server, connection):
            held.append(True)
            wait_until(lambda: released, "the release")
            server.take(connection)

        with Scripted(hold) as backend, \
                Gatehouse(backend.port, options=certificate(self.directory, "rsa")) as gateway:
            client = start_tls(gateway.client()).ehlo()
            client.envelope("a@sender.example", ["alice@example.com"])
            client.command("DATA")
            client.send(stuff(messages.of_size(20 << 20)))
            wait_until(lambda: held, "a connection to the back end")
            client.reset()
            for _ in range(4):
                gateway.client().quit()
            released.append(True)
            gateway.wait_event("handoff", outcome="given-up")
            self.assertEqual(backend.packages, [])

    def test_row_137_F26_tlsd_killed(self):
        """STARTTLS is 454 while it is away, and still offered; TLS sessions end, others go on."""
        with self.gateway.client() as plain:
            inside = start_tls(self.gateway.client()).ehlo()
            before = self.gateway.kill("tlsd")
            try:
                self.assertEqual(inside.rest(), b"")
            except (OSError, Closed):
                pass
            self.assertEqual(plain.command("NOOP").code, 250)
            self.gateway.wait_restarted("tlsd", before)
            self.wait_tls()

    def test_F26_tls_keys_killed(self):
        before = self.gateway.kill("tls-keys")
        self.gateway.wait_restarted("tls-keys", before)
        self.wait_tls()

    def wait_tls(self):
        def works():
            client = self.gateway.client()
            self.assertIn("STARTTLS", client.extensions)
            try:
                start_tls(client).ehlo().quit()
                return True
            except (AssertionError, OSError, Closed):
                return False

        wait_until(works, "TLS to work again")


class Keys(unittest.TestCase):
    def test_row_F45_missing_key(self):
        """Without its key a certificate is trouble with TLS, not with mail."""
        with Scripted() as backend:
            directory = Directory("tls")
            options = certificate(directory, "rsa")
            options["tls.key"] = '"%s"' % directory.join("none.key")
            gateway = Gatehouse(backend.port, options=options)
            status, said = gateway.tell("check")
            self.assertNotEqual(status, 0)
            self.assertIn("none.key", said)
            gateway.destroy()
            directory.remove()

    def test_not_offered_without_a_certificate(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway, gateway.client() as client:
            self.assertNotIn("STARTTLS", client.extensions)
            self.assertIn(client.command("STARTTLS").code, (502, 454))


if __name__ == "__main__":
    unittest.main()
