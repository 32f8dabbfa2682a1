"""
SPF and DKIM over real DNS packets: NSD with zones of ours, and clients whose address is not a
loopback one, in a network that belongs to this test alone.
"""

import base64
import re
import subprocess
import unittest

import messages
import network
import nsd
from backends import MaildirServer, Scripted
from dkim import Signer, openssl
from gatehouse import HOSTNAME, Gatehouse
from opendkim import Opendkim, generate_key
from place import Directory, peer, peer_environment

GOOD = "192.0.2.10"
OTHER = "192.0.2.66"


def setUpModule():
    if not network.enter_private([GOOD, OTHER]):
        raise unittest.SkipTest("needs a network of its own")


class Authentication(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("dkim")
        cls.signer = Signer(cls.directory, "sender.example")
        cls.opendkim_key, opendkim_record = generate_key(cls.directory, "sender.example", "odk")
        cls.ed25519_key = cls.directory.join("ed25519.pem")
        openssl("genpkey", "-algorithm", "ed25519", "-out", cls.ed25519_key)
        public = openssl("pkey", "-in", cls.ed25519_key, "-pubout", "-outform", "DER")[-32:]
        cls.names = nsd.Nsd({
            "sender.example": '@ TXT "v=spf1 ip4:%s -all"\nsel._domainkey TXT %s\n'
                              % (GOOD, nsd.txt(cls.signer.record())) +
                              'soft TXT "v=spf1 ~all"\n'
                              'client TXT "v=spf1 ip4:%s -all"\n' % GOOD +
                              'incl TXT "v=spf1 include:_spf.sender.example -all"\n'
                              '_spf TXT "v=spf1 a:host.sender.example -all"\n'
                              'host A %s\n' % GOOD +
                              'broken TXT "v=spf1 nonsense:x -all"\n' + opendkim_record +
                              '\ned._domainkey TXT "v=DKIM1; k=ed25519; p=%s"\n'
                              % base64.b64encode(public).decode(),
            "none.example": '@ TXT "nothing of that kind"\n',
        })
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port, listen="0.0.0.0", options={
            "dns.servers": '{ "%s" }' % cls.names.address, "dns.timeout": 5}).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.names.stop()
        cls.directory.remove()

    def block(self, sender, source=GOOD, message=None, helo="client.sender.example"):
        """Sends a message. Returns: the unfolded header block that lies before it, with LF ends."""
        self.backend.maildir.clear()
        message = message or messages.simple()
        with self.gateway.client(ehlo=False, host_address=GOOD, source=source) as client:
            client.ehlo(helo)
            reply = client.deliver(sender, ["alice@example.com"], message)
            self.assertEqual(reply.status, "250 2.0.0", reply)
        stored, = self.backend.maildir.messages()
        content = message.replace(b"\r\n", b"\n")
        self.assertTrue(stored.endswith(content))
        return re.sub(rb"\n[ \t]+", b" ", stored[:len(stored) - len(content)]).decode()

    def results(self, *arguments, **options):
        """The value of our Authentication-Results field."""
        block = self.block(*arguments, **options)
        fields = re.findall(r"^Authentication-Results:\s*(.*)$", block, re.M)
        self.assertEqual(len(fields), 1, block)
        self.assertTrue(fields[0].startswith(HOSTNAME + ";"), fields)
        return fields[0]

    def test_spf_pass(self):
        self.assertRegex(self.results("a@sender.example"), r"spf=pass\b.*smtp\.mailfrom=\S*sender\.example")

    def test_spf_pass_by_include(self):
        self.assertRegex(self.results("a@incl.sender.example"), r"spf=pass\b")

    def test_spf_fail(self):
        self.assertRegex(self.results("a@sender.example", source=OTHER), r"spf=fail\b")

    def test_spf_softfail_none_permerror(self):
        self.assertRegex(self.results("a@soft.sender.example"), r"spf=softfail\b")
        self.assertRegex(self.results("a@none.example"), r"spf=none\b")
        self.assertRegex(self.results("a@broken.sender.example"), r"spf=permerror\b")

    def test_row_213_null_sender(self):
        """The identity of a message without a sender is the HELO name, and is called so."""
        found = self.results("", helo="client.sender.example")
        self.assertRegex(found, r"spf=pass\b.*smtp\.helo=client\.sender\.example")

    def test_row_021_loopback(self):
        """SPF is not run for a client whose address says nothing."""
        block = self.block("a@sender.example", source="127.0.0.1")
        self.assertNotIn("spf=pass", block)
        self.assertNotIn("spf=fail", block)

    def test_dkim_pass(self):
        message = self.signer.sign(messages.simple(b"signed\n"))
        self.assertRegex(self.results("a@sender.example", message=message),
                         r"dkim=pass\b.*header\.d=sender\.example")

    def test_dkim_pass_of_a_big_message(self):
        message = self.signer.sign(messages.attachment(500000))
        self.assertRegex(self.results("a@sender.example", message=message), r"dkim=pass\b")

    def test_row_227_sha1_of_opendkim(self):
        """An independent signer: opendkim-testmsg of Debian signs with rsa-sha1."""
        program = peer("opendkim-tools", "usr/sbin/opendkim-testmsg")
        done = subprocess.run(
            [program, "-d", "sender.example", "-s", "sel", "-k", self.signer.key],
            input=messages.simple().replace(b"\r\n", b"\n"), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=peer_environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        signed = done.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self.assertRegex(self.results("a@sender.example", message=signed),
                         r"dkim=permerror\b.*header\.d=sender\.example.*header\.a=rsa-sha1")

    def by_opendkim(self, selector, key, algorithm, canonicalization):
        """What opendkim signs passes, and fails once it is changed."""
        message = (b"From: A <a@sender.example>\r\nTo:  alice@example.com\r\nSubject: a  folded\r\n"
                   b"\t subject \r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\n\r\n"
                   b"Some  words \t\r\n.dot\r\n\xc3\xa4\r\n\r\n\r\n")
        with Opendkim("sender.example", selector, key, canonicalization, algorithm) as signer:
            signed = signer.sign(message)
        result = (r"header\.d=sender\.example header\.s=%s header\.a=%s " % (selector, algorithm))
        self.assertRegex(self.results("a@sender.example", message=signed), "dkim=pass " + result)
        for old, new in ((b"Some", b"Same"), (b"a  folded", b"a  golden"), (b"To:  alice", b"To:  malice"),
                         (b"h=From:To", b"h=From"), (b"t=17", b"t=16")):
            with self.subTest(algorithm=algorithm, canonicalization=canonicalization, old=old):
                changed = signed.replace(old, new, 1)
                self.assertNotEqual(changed, signed)
                found = self.results("a@sender.example", message=changed)
                self.assertRegex(found, r"dkim=(fail|permerror) ")
                self.assertNotIn("dkim=pass", found)

    def test_dkim_by_opendkim(self):
        for canonicalization in ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"):
            self.by_opendkim("odk", self.opendkim_key, "rsa-sha256", canonicalization)

    def test_dkim_by_opendkim_ed25519(self):
        self.by_opendkim("ed", self.ed25519_key, "ed25519-sha256", "relaxed/simple")

    def test_dkim_fail(self):
        message = self.signer.sign(messages.simple(b"signed\n")).replace(b"signed", b"forged")
        found = self.results("a@sender.example", message=message)
        self.assertRegex(found, r"dkim=fail\b")
        self.assertNotIn("dkim=pass", found)

    def test_row_240_one_signature_for_many(self):
        """It passes, and the log tells."""
        message = self.signer.sign(messages.simple(b"for everybody\n"))
        for number in range(2):
            with self.gateway.client(ehlo=False, host_address=GOOD, source=GOOD) as client:
                client.ehlo()
                reply = client.deliver("a@sender.example", [
                    "u%d.%d@catchall.example" % (number, i) for i in range(50)], message)
                self.assertEqual(reply.code, 250, reply)
        self.gateway.wait_event("signature_repeated", domain="sender.example", selector="sel",
                                recipients="100")

    def test_dkim_key_missing(self):
        other = Signer(self.directory, "sender.example", "missing")
        found = self.results("a@sender.example", message=other.sign(messages.simple()))
        self.assertRegex(found, r"dkim=(permerror|temperror|fail)\b")

    def test_row_203_forged_results_are_removed(self):
        forged = b"Authentication-Results: %s; spf=pass smtp.mailfrom=bank.example\n" % HOSTNAME.encode()
        self.backend.maildir.clear()
        with self.gateway.client(ehlo=False, host_address=GOOD, source=OTHER) as client:
            client.ehlo()
            client.deliver("a@sender.example", ["alice@example.com"], forged + messages.simple())
        stored, = self.backend.maildir.messages()
        self.assertNotIn(b"bank.example", stored)


class Policy(unittest.TestCase):
    """spf.fail = reject and defer at RCPT, and DNS that does not answer."""

    def reply(self, fail, servers=None, sender="a@sender.example"):
        with nsd.Nsd({"sender.example": '@ TXT "v=spf1 ip4:192.0.2.99 -all"\n'}) as names, \
                MaildirServer() as backend, \
                Gatehouse(backend.port, listen="0.0.0.0", options={
                    "dns.servers": '{ "%s" }' % (servers or names.address),
                    "spf.temperror": '"defer"', "spf.fail": '"%s"' % fail}) as gateway:
            with gateway.client(host_address=GOOD, source=OTHER) as client:
                client.command("MAIL FROM:<%s>" % sender)
                refusal = client.command("RCPT TO:<alice@example.com>")
                # Postmaster takes it all the same, from the first octet to the last.
                self.assertEqual(client.command("RCPT TO:<postmaster@example.com>").code, 250)
                self.assertEqual(client.data(messages.simple()).code, 250)
                return refusal

    def test_reject(self):
        self.assertEqual(self.reply("reject").status, "550 5.7.23")

    def test_defer(self):
        self.assertEqual(self.reply("defer").status, "451 4.7.24")

    def test_row_100_sender_domain(self):
        """No such domain, one that takes no mail, one without an answer; and they are not asked for by default."""
        zone = {"sender.example": "@ MX 0 .\n", "good.example": "@ MX 10 mail.good.example.\n"}
        rules = {"sender.unknown": '"reject"', "sender.null_mx": '"reject"'}
        with nsd.Nsd(zone) as names, Scripted() as backend:
            for options, replies in (
                    (rules, {"sender.example": "550 5.7.27", "no.sender.example": "550 5.1.8",
                             "good.example": "250 2.1.5"}),
                    ({**rules, "dns.servers": '{ "127.0.0.1:9" }'},
                     {"sender.example": "451 4.4.3"}),
                    ({}, {"sender.example": "250 2.1.5", "no.sender.example": "250 2.1.5"})):
                with Gatehouse(backend.port, listen="0.0.0.0", options={
                        "dns.servers": '{ "%s" }' % names.address, **options}) as gateway:
                    for domain, status in replies.items():
                        with self.subTest(domain), \
                                gateway.client(host_address=GOOD, source=OTHER) as client:
                            client.command("MAIL FROM:<a@%s>" % domain)
                            reply = client.command("RCPT TO:<alice@example.com>")
                            self.assertEqual(reply.status, status)
                            reply = client.command("RCPT TO:<postmaster@example.com>")
                            self.assertEqual(reply.code, 250)

    def test_row_250_259_no_answer(self):
        """No name server: no verdict, and no refusal for good."""
        reply = self.reply("reject", servers="127.0.0.1:9")
        self.assertEqual(reply.code, 451)


if __name__ == "__main__":
    unittest.main()
