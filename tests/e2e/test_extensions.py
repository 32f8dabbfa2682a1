"""CHUNKING, SMTPUTF8, LIMITS, SIZE, Delivered-To, and memory, through a whole gateway."""

import smtplib
import subprocess
import unittest

import messages
from backends import MaildirServer, Scripted, split_block
from gatehouse import Gatehouse, numbered_users
from place import program

LIST = """\
alice@example.com
loops@example.com   delivered_to=box-loops@store
j\u00f6rg@b\u00fccher.example
@catchall.example
second@example.com  backend=second
"""


class Chunks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port, recipients=LIST.replace(
            "second@example.com  backend=second\n", "")).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def setUp(self):
        self.backend.maildir.clear()

    def stored(self, content):
        stored, = self.backend.maildir.messages()
        return split_block(stored, content)

    def test_a_large_message_in_chunks(self):
        content = messages.attachment(3000000).replace(b"\r\n", b"\n")
        wire = content.replace(b"\n", b"\r\n")
        with self.gateway.client() as client:
            self.assertIn("CHUNKING", client.extensions)
            client.envelope("a@sender.example", ["alice@example.com"])
            at, size = 0, 65537
            while len(wire) - at > size:
                client.send(b"BDAT %d\r\n" % size + wire[at:at + size])
                self.assertEqual(client.reply().text, "2.0.0 %d octets received" % size)
                at += size
            client.send(b"BDAT %d LAST\r\n" % (len(wire) - at) + wire[at:])
            self.assertEqual(client.reply().status, "250 2.0.0")
        self.stored(content)

    def test_rfc_3030_pipelining(self):
        with self.gateway.client() as client:
            client.send(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<alice@example.com>\r\n"
                        b"BDAT 14\r\nSubject: x\r\n\r\nBDAT 7\r\n.\r\nQUITBDAT 2 LAST\r\n\r\nQUIT\r\n")
            self.assertEqual([r.code for r in client.replies(6)], [250, 250, 250, 250, 250, 221])
        self.stored(b"Subject: x\n\n.\nQUIT\n")

    def test_row_180_client_leaves_inside_a_chunk(self):
        for leave in ("close", "half_close", "reset"):
            with self.subTest(leave), self.gateway.client() as client:
                client.envelope("a@sender.example", ["alice@example.com"])
                client.send(b"BDAT 1000 LAST\r\nSubject: x\r\n\r\n")
                getattr(client, leave)()
        with self.gateway.client() as client:
            client.deliver("a@sender.example", ["alice@example.com"], messages.simple())
        self.assertEqual(len(self.backend.maildir.files()), 1)

    def test_row_182_delivered_to(self):
        with self.gateway.client() as client:
            looping = b"Received: x\nDelivered-To: box-loops@store\nSubject: x\n\nx\n"
            self.assertEqual(client.deliver("a@sender.example", ["alice@example.com"],
                                            looping).code, 250)
            self.assertEqual(client.deliver("a@sender.example",
                                            ["alice@example.com", "loops@example.com"],
                                            looping).status, "554 5.4.6")
        self.assertEqual(len(self.backend.maildir.files()), 1)


class Utf8(unittest.TestCase):
    """SMTPUTF8 with Python's client; the back end gets the octets as they were said."""

    def test_addresses_arrive_unharmed(self):
        with Scripted() as backend, Gatehouse(
                backend.port, recipients=LIST.replace(" backend=second", ""),
                options={"backend.smtputf8": "true"}) as gateway:
            with smtplib.SMTP("127.0.0.1", gateway.port) as client:
                client.ehlo("client.example")
                self.assertTrue(client.has_extn("smtputf8"))
                client.sendmail("gr\u00fc\u00dfe@sender.example", ["j\u00f6rg@b\u00fccher.example"],
                                "Subject: \u00fc\r\n\r\nx\r\n".encode(),
                                mail_options=["SMTPUTF8", "BODY=8BITMIME"])
            package, = backend.packages
            self.assertEqual(package.sender, "gr\u00fc\u00dfe@sender.example".encode())
            self.assertEqual(package.recipients, ["j\u00f6rg@b\u00fccher.example".encode()])
            self.assertIn(b" with UTF8SMTP id ", package.content)
            self.assertIn("Subject: \u00fc\n".encode(), package.content)
            with gateway.client() as client:
                client.command("MAIL FROM:<a@sender.example> SMTPUTF8")
                self.assertEqual(client.command("RCPT TO:<j\u00f6rg@xn--bcher-kva.example>").code, 250)
                self.assertEqual(client.command("RCPT TO:<j\u00d6rg@b\u00fccher.example>").status,
                                 "550 5.1.1")
                self.assertEqual(client.command("RCPT TO:<a@\u00fc.example>").status, "550 5.7.1")

    def test_row_095_one_back_end_does_not_take_it(self):
        with MaildirServer() as backend:
            with Gatehouse({"main": backend.port, "second": backend.port},
                           recipients=LIST) as gateway, gateway.client() as client:
                self.assertNotIn("SMTPUTF8", client.extensions)
                self.assertEqual(client.command("MAIL FROM:<a@b.example> SMTPUTF8").status,
                                 "555 5.5.4")
                self.assertEqual(client.command("MAIL FROM:<\u00fc@b.example>").status, "553 5.6.7")
                # RFC 9422: recipients of two back ends are no one transaction.
                self.assertIn(" RCPTDOMAINMAX=1", client.extensions["LIMITS"])
                replies = client.envelope("a@b.example", ["alice@example.com", "second@example.com"])
                self.assertEqual([r.code for r in replies], [250, 250, 452])

    def test_query_takes_both_forms(self):
        with MaildirServer() as backend, Gatehouse(backend.port, recipients=LIST.replace(
                " backend=second", "")) as gateway:
            for name in ("j\u00f6rg@b\u00fccher.example", "J\u00f6RG@xn--bcher-kva.example"):
                done = subprocess.run([program("gatehouse-recipients"), "query",
                                       gateway.directory.join("recipients.cdb"), name],
                                      stdout=subprocess.PIPE)
                self.assertEqual(done.returncode, 0, done.stdout)


class Limits(unittest.TestCase):
    def test_row_309_announcing_takes_nothing(self):
        """As many clients as would fill the memory five times announce, and send nothing."""
        with MaildirServer() as backend, Gatehouse(
                backend.port, recipients=LIST.replace(" backend=second", ""), options={
                    "workers": 1, "limits.message_memory": 10000000,
                    "limits.message_size": 5000000}) as gateway:
            clients = [gateway.client() for _ in range(10)]
            for client in clients:
                reply = client.command("MAIL FROM:<a@b.example> SIZE=5000000")
                self.assertEqual(reply.code, 250)
                self.assertEqual(client.command("RCPT TO:<alice@example.com>").code, 250)
                self.assertEqual(client.command("DATA").code, 354)
            reply = gateway.deliver(["alice@example.com"], messages.attachment(3000000))
            self.assertEqual(reply.code, 250)
            for client in clients:
                client.close()

    def test_row_317_memory_does_not_grow_with_questions(self):
        def memory():
            total = {}
            for name in ("smtpd", "lookupd", "validators", "queue-handoff"):
                for pid in gateway.pids(name):
                    with open("/proc/%d/status" % pid, encoding="ascii") as file:
                        kib, = [int(line.split()[1]) for line in file if line.startswith("VmRSS")]
                    total[name] = total.get(name, 0) + kib
            return total

        def ask(times):
            with gateway.client() as client:
                for i in range(times):
                    client.send(b"RSET\r\nMAIL FROM:<a@b.example>\r\n" + b"".join(
                        b"RCPT TO:<user%d@example.com>\r\n" % n for n in range(1 + i % 3, 101)))
                    client.replies(102 - i % 3)

        with MaildirServer() as backend, Gatehouse(
                backend.port, recipients=numbered_users(99),
                options={"limits.junk": 100000, "limits.unknown_recipients": 100000}) as gateway:
            ask(40)
            before = memory()
            ask(200)
            after = memory()
        for name, kib in after.items():
            self.assertLess(kib - before[name], 512, name)


if __name__ == "__main__":
    unittest.main()
