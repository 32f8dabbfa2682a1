"""Who is accepted, who is refused, and with which words."""

import unittest

import messages
from backends import Scripted
from gatehouse import LIST, Gatehouse


class Answers(unittest.TestCase):
    """One gateway for all rows; the back end says who was handed off."""

    @classmethod
    def setUpClass(cls):
        cls.backend = Scripted()
        cls.gateway = Gatehouse(cls.backend.port, LIST + "mixed.Case@example.com\n").start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def answer(self, recipient):
        with self.gateway.client() as client:
            return client.envelope("sender@sender.example", [recipient])[1]

    def handed_off(self, *recipients):
        """Sends to these and returns the envelope that the back end got."""
        with self.backend.lock:
            self.backend.packages.clear()
        reply = self.gateway.deliver(recipients, messages.simple())
        self.assertEqual(reply.status, "250 2.0.0", reply)
        package, = self.backend.packages
        self.assertEqual(package.sender, b"sender@sender.example")
        return [recipient.decode() for recipient in package.recipients]

    def test_refusals(self):
        rows = (
            ("nobody@example.com", "550 5.1.1"),
            ("alice-x@example.com", "550 5.1.1"),
            ("alice@elsewhere.example", "550 5.7.1"),
            ("alice@sub.example.com", "550 5.7.1"),
            ("alice@[127.0.0.1]", "550 5.7.1"),
            ("dave@example.com", "550 5.2.1"),
            ("erin@example.com", "452 4.2.2"),
            ("postmaster@elsewhere.example", "550 5.7.1"),
        )
        for recipient, status in rows:
            with self.subTest(recipient):
                self.assertEqual(self.answer(recipient).status, status)

    def test_record_texts(self):
        self.assertIn("Mailbox disabled", self.answer("dave@example.com").text)
        self.assertIn("Mailbox full", self.answer("erin@example.com").text)

    def test_row_085_106_literal_only(self):
        for local in ("u%attacker.example", "attacker.example!u", '"alice@attacker.example"',
                      "|id", "/etc/x", "-oQ/tmp", "~root"):
            with self.subTest(local):
                reply = self.answer(local + "@example.com")
                self.assertEqual(reply.status, "550 5.1.1")

    def test_accepted(self):
        rows = ("alice@example.com", "bob+@example.com", "bob+list@example.com", "bob+a+b@example.com",
                "anything@catchall.example", "carol@example.com", "postmaster@example.com")
        for recipient in rows:
            with self.subTest(recipient):
                self.assertEqual(self.handed_off(recipient), [recipient])

    def test_row_087_105_case(self):
        self.assertEqual(self.handed_off("ALICE@EXAMPLE.COM")[0].lower(), "alice@example.com")
        self.assertEqual(self.handed_off("Mixed.CASE@example.com")[0].partition("@")[0], "Mixed.CASE")

    def test_row_097_same_recipient_twice(self):
        self.assertEqual(self.handed_off(*["alice@example.com"] * 100), ["alice@example.com"])

    def test_refused_ones_do_not_spoil_the_others(self):
        with self.gateway.client() as client:
            with self.backend.lock:
                self.backend.packages.clear()
            replies = client.envelope("sender@sender.example",
                                      ["alice@example.com", "nobody@example.com",
                                       "x@elsewhere.example", "carol@example.com"])
            self.assertEqual([reply.code for reply in replies], [250, 250, 550, 550, 250])
            self.assertEqual(client.data(messages.simple()).code, 250)
        package, = self.backend.packages
        self.assertEqual(package.recipients, [b"alice@example.com", b"carol@example.com"])

    def test_null_sender(self):
        with self.gateway.client() as client:
            with self.backend.lock:
                self.backend.packages.clear()
            self.assertEqual(client.deliver("", ["alice@example.com"], messages.simple()).code, 250)
        self.assertEqual(self.backend.packages[0].sender, b"")

    def test_no_valid_recipient(self):
        with self.gateway.client() as client:
            client.envelope("sender@sender.example", ["nobody@example.com"])
            self.assertEqual(client.command("DATA").status, "554 5.5.1")


class Postmaster(unittest.TestCase):
    """RFC 5321 4.5.1."""

    LIST = "alice@example.com\n"

    def answers(self, options, recipients=LIST):
        with Scripted() as backend, Gatehouse(backend.port, recipients, options) as gateway:
            found = []
            for recipient in ("Postmaster", "POSTMASTER@example.com", "postmaster@elsewhere.example"):
                with gateway.client() as client:
                    reply = client.envelope("sender@sender.example", [recipient])[1]
                    if reply.code == 250:
                        self.assertEqual(client.data(messages.simple()).code, 250)
                        found.append(backend.packages[-1].recipients[0].decode())
                    else:
                        found.append(reply.status)
            return found

    def test_configured(self):
        self.assertEqual(self.answers({"postmaster": '"admin@example.com"'},
                                      "alice@example.com\nadmin@example.com\n"),
                         ["admin@example.com", "admin@example.com", "550 5.7.1"])

    def test_configured_but_unknown_itself(self):
        """A postmaster whom the back end would bounce is the operator's mistake: trouble."""
        self.assertEqual(self.answers({"postmaster": '"admin@example.com"'}),
                         ["451 4.4.3", "451 4.4.3", "550 5.7.1"])

    def test_not_configured_and_unknown(self):
        self.assertEqual(self.answers({}), ["550 5.1.1", "550 5.1.1", "550 5.7.1"])

    def test_known_to_the_database(self):
        found = self.answers({"postmaster": '"admin@example.com"'},
                             "admin@example.com\npostmaster@example.com\n")
        self.assertEqual(found[1].lower(), "postmaster@example.com")


class NoBounces(unittest.TestCase):
    def test_the_null_sender_is_refused(self):
        with Scripted() as backend, \
                Gatehouse(backend.port, recipients="news@example.com bounces=no\n"
                          "alice@example.com\n") as gateway, gateway.client() as client:
            self.assertEqual(client.envelope("", ["news@example.com"])[1].status, "550 5.7.1")
            client.command("RSET")
            self.assertEqual(client.envelope("", ["alice@example.com"])[1].status, "250 2.1.5")
            client.command("RSET")
            self.assertEqual(client.envelope("s@sender.example", ["news@example.com"])[1].status,
                             "250 2.1.5")


class Limits(unittest.TestCase):
    def test_row_096_too_many_recipients(self):
        listed = "".join("u%d@example.com\n" % i for i in range(130))
        with Scripted() as backend, Gatehouse(backend.port, listed) as gateway:
            with gateway.client() as client:
                replies = client.envelope("s@sender.example",
                                          ["u%d@example.com" % i for i in range(130)])
                self.assertEqual({r.status for r in replies[:101]}, {"250 2.1.0", "250 2.1.5"})
                self.assertEqual({r.status for r in replies[101:]}, {"452 4.5.3"})
                self.assertEqual(client.data(messages.simple()).code, 250)
            self.assertEqual(len(backend.packages[0].recipients), 100)

    def test_row_101_harvest(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            with gateway.client() as client:
                client.command("MAIL FROM:<s@sender.example>")
                found = [client.command("RCPT TO:<guess%d@example.com>" % i).status for i in range(10)]
                found.append(client.command("RCPT TO:<guess@example.com>").status)
                self.assertEqual(found[:9], ["550 5.1.1"] * 9)
                self.assertEqual(found[-1], "421 4.7.0")
                self.assertTrue(client.closed())


if __name__ == "__main__":
    unittest.main()
