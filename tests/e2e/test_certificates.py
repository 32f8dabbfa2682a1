"""Several certificates, new ones, and sessions that begin with the handshake."""

import smtplib
import socket
import ssl
import unittest

import messages
from backends import MaildirServer, Scripted
from certificates import certificate, make, names_in, start_tls, tls_socket
from gatehouse import HOSTNAME, Gatehouse
from place import Directory, free_port


def keypair(name, pair):
    return {"keypair.%s.certificate" % name: '"%s"' % pair[0],
            "keypair.%s.key" % name: '"%s"' % pair[1]}


class Place(unittest.TestCase):
    def setUp(self):
        self.directory = Directory("certificates")
        self.addCleanup(self.directory.remove)
        self.backend = Scripted()
        self.addCleanup(self.backend.stop)

    def shown(self, gateway, name):
        with gateway.client() as client:
            return names_in(start_tls(client, server_hostname=name).socket)


class Names(Place):
    def test_sni(self):
        """A name chooses; the default serves who asks for no name, or for one that nobody has."""
        options = certificate(self.directory, "rsa")
        options.update(keypair("two", make(self.directory, "ecdsa", "two.example", "*.w.example",
                                           stem="two")))
        options.update(keypair("three", make(self.directory, "rsa", "three.example", stem="three")))
        with Gatehouse(self.backend.port, options=options) as gateway:
            for asked, served in (("two.example", "two.example"), ("a.w.example", "two.example"),
                                  ("three.example", "three.example"), (HOSTNAME, HOSTNAME),
                                  ("other.example", HOSTNAME), (None, HOSTNAME)):
                with self.subTest(asked):
                    self.assertEqual(self.shown(gateway, asked)[0], served)
            with gateway.client() as client:
                start_tls(client, server_hostname="two.example").ehlo()
                client.deliver("a@sender.example", ["alice@example.com"], messages.simple())
            line = gateway.wait_event("transaction", verdict="accepted")
            self.assertEqual(line["sni"], "two.example")
            self.assertEqual(line["tls"], "TLSv1.3")

    def test_one_bad_pair_at_the_start(self):
        """The names whose keys are good are served; the others get the default."""
        options = certificate(self.directory, "ecdsa")
        two = make(self.directory, "ecdsa", "two.example", stem="two")
        three = make(self.directory, "ecdsa", "three.example", stem="three")
        options.update(keypair("two", (two[0], three[1])))
        options.update(keypair("three", three))
        with Gatehouse(self.backend.port, options=options) as gateway:
            gateway.wait_event("certificate_refused")
            gateway.wait_event("certificate_loaded", count=2)
            self.assertEqual(self.shown(gateway, "two.example")[0], HOSTNAME)
            self.assertEqual(self.shown(gateway, "three.example")[0], "three.example")

    def test_configuration(self):
        options = keypair("two", make(self.directory, "ecdsa", "two.example", stem="two"))
        options["listen_tls"] = '{ "127.0.0.1:%d" }' % free_port()
        gateway = Gatehouse(self.backend.port, options=options)
        self.addCleanup(gateway.destroy)
        status, said = gateway.tell("check")
        self.assertEqual(status, 1)
        self.assertIn("needs a certificate in section tls", said)
        self.assertIn("listen_tls: needs section tls", said)


class Reload(Place):
    def test_row_F45_new_certificates(self):
        """New ones are taken, sessions under the old ones go on; a bad pair changes nothing."""
        options = certificate(self.directory, "ecdsa")
        options.update(keypair("two", make(self.directory, "ecdsa", "two.example", stem="two")))
        with Gatehouse(self.backend.port, options=options) as gateway:
            old = start_tls(gateway.client()).ehlo()
            make(self.directory, "rsa", "two.example", "new.example", stem="two")
            status, said = gateway.tell("reload")
            self.assertEqual(status, 0, said)
            self.assertEqual(self.shown(gateway, "new.example")[:2], ["two.example", "new.example"])
            reply = old.deliver("a@sender.example", ["alice@example.com"], messages.simple())
            self.assertEqual(reply.code, 250)

            key = self.directory.join("two.key")
            with open(key) as f:
                good = f.read()
            make(self.directory, "rsa", "stranger.example", stem="stranger")
            with open(self.directory.join("stranger.key")) as f, open(key, "w") as to:
                to.write(f.read())
            status, said = gateway.tell("reload")
            self.assertEqual(status, 78, said)
            self.assertEqual(self.shown(gateway, "new.example")[:2], ["two.example", "new.example"])
            with open(key, "w") as to:
                to.write(good)
            self.assertEqual(gateway.tell("reload")[0], 0)
            self.assertEqual(old.command("NOOP").code, 250)


class ImplicitTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("implicit")
        cls.backend = MaildirServer()
        cls.port = free_port()
        options = certificate(cls.directory, "ecdsa")
        options["listen_tls"] = '{ "127.0.0.1:%d" }' % cls.port
        cls.gateway = Gatehouse(cls.backend.port, options=options).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.directory.remove()

    def test_smtplib(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with smtplib.SMTP_SSL("127.0.0.1", self.port, context=context, timeout=30) as client:
            client.ehlo("client.example")
            self.assertFalse(client.has_extn("starttls"))
            client.sendmail("a@sender.example", ["alice@example.com"], messages.simple())
        stored = self.backend.maildir.messages()[-1]
        self.assertIn(b" with ESMTPS ", stored.replace(b"\n\t", b" ").replace(b"\n ", b" "))

    def test_plaintext(self):
        """Who does not speak TLS here is not spoken to."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            plain.sendall(b"EHLO client.example\r\n")
            self.assertNotIn(b"220", plain.recv(1000))

    def test_reload_keeps_both_kinds_of_sockets(self):
        self.assertEqual(self.gateway.tell("reload")[0], 0)
        self.gateway.client().quit()
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            self.assertTrue(tls_socket(plain).recv(100).startswith(b"220 "))


if __name__ == "__main__":
    unittest.main()
