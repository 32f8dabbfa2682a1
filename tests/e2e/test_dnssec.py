"""
DNSSEC over real packets: zones signed by ldns-signzone and served by NSD, of which some are forged,
have expired or lost their signatures. What is not validated is no answer: never a pass, never a 5xx.
"""

import os
import re
import subprocess
import unittest

import messages
import network
import nsd
import processes
from backends import MaildirServer
from dnssec import Key, key_trap
from gatehouse import Gatehouse, program
from place import Directory

GOOD = "192.0.2.10"
OTHER = "192.0.2.66"
ROOT_KEY = "/usr/share/dns/root.key"  # of Debian's package dns-root-data

SPF = '@ TXT "v=spf1 ip4:%s -all"\n' % GOOD
DMARC = '_dmarc TXT "v=DMARC1; p=reject"\n'


def setUpModule():
    if not network.enter_private([GOOD, OTHER]):
        raise unittest.SkipTest("needs a network of its own")


class Signed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("dnssec")
        keys = {name: Key(cls.directory, name) for name in (
            "secure.example", "forged.example", "expired.example", "stripped.example",
            "nsec3.example")}
        forged = keys["forged.example"].sign(SPF + DMARC)
        trap, trap_anchor = key_trap("trap.example", SPF, 40, 120)
        zones = {
            "secure.example": keys["secure.example"].sign(SPF + DMARC + "island NS ns\n"),
            "island.secure.example": SPF,
            "forged.example": nsd.Whole(forged.replace("ip4:" + GOOD, "ip4:" + OTHER)
                                        .replace("p=reject", "p=none")),
            "expired.example": keys["expired.example"].sign(SPF + DMARC, expires="20210101000000"),
            "stripped.example": SPF + DMARC,
            "nsec3.example": keys["nsec3.example"].sign(SPF, nsec3_iterations=2500),
            "trap.example": trap,
            "plain.example": SPF,
            "example": '@ TXT "x"\n',
        }
        cls.anchors = [key.anchor for key in keys.values()] + [trap_anchor]
        cls.names = nsd.Nsd(zones)
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port, listen="0.0.0.0", options=cls.options()).start()

    @classmethod
    def options(cls, **more):
        options = {"dns.servers": '{ "%s" }' % cls.names.address, "dns.timeout": 5,
                   "dns.anchors": "{ %s }" % ", ".join('"%s"' % a for a in cls.anchors),
                   "reverse_dns.check": "false"}
        options.update(more)
        return options

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.names.stop()
        cls.directory.remove()

    def deliver(self, sender, source=GOOD, gateway=None, author=None):
        """Returns: the reply that decides, and the unfolded header block of what was delivered."""
        self.backend.maildir.clear()
        content = messages.simple()
        if author:
            content = re.sub(rb"From: .*", b"From: " + author.encode(), content, 1)
        with (gateway or self.gateway).client(ehlo=False, host_address=GOOD,
                                              source=source) as client:
            client.ehlo("client.plain.example")
            client.command("MAIL FROM:<%s>" % sender)
            reply = client.command("RCPT TO:<alice@example.com>")
            if reply.code == 250:
                reply = client.data(content)
        stored = self.backend.maildir.messages()
        return reply, re.sub(rb"\n[ \t]+", b" ", stored[0]).decode() if stored else ""

    def spf(self, domain, source=GOOD):
        reply, block = self.deliver("a@" + domain, source)
        self.assertEqual(reply.code, 250, reply)
        return re.search(r"spf=(\w+)", block).group(1)

    def test_it_is_validated(self):
        self.gateway.wait_event("resolver", dnssec="validated")

    def test_secure(self):
        self.assertEqual(self.spf("secure.example"), "pass")
        self.assertEqual(self.spf("secure.example", OTHER), "fail")
        self.assertEqual(self.spf("none.secure.example"), "none")  # that it is not there is signed
        reply, _ = self.deliver("a@plain.example", author="a@secure.example")
        self.assertEqual(reply.status, "550 5.7.26", reply)

    def test_unsigned(self):
        """Below no anchor, and below a delegation that is said to be unsigned."""
        self.assertEqual(self.spf("plain.example"), "pass")
        self.assertEqual(self.spf("island.secure.example"), "pass")
        self.assertEqual(self.spf("island.secure.example", OTHER), "fail")

    def test_row_250_bogus_is_no_answer(self):
        for domain in ("forged.example", "expired.example", "stripped.example"):
            for source in (GOOD, OTHER):
                with self.subTest(domain=domain, source=source):
                    self.assertEqual(self.spf(domain, source), "temperror")

    def test_row_250_bogus_policy(self):
        """Not known whether there is one: neither refused nor passed."""
        for domain in ("forged.example", "expired.example"):
            with self.subTest(domain):
                reply, block = self.deliver("a@plain.example", author="a@" + domain)
                self.assertEqual(reply.code, 250, reply)
                self.assertRegex(block, r"dmarc=temperror\b")

    def test_row_250_bogus_is_deferred_where_that_is_wanted(self):
        with Gatehouse(self.backend.port, listen="0.0.0.0", options=self.options(**{
                "spf.temperror": '"defer"', "spf.fail": '"reject"'})) as gateway:
            self.assertEqual(self.deliver("a@forged.example", OTHER, gateway)[0].status, "451 4.4.3")
            self.assertEqual(self.deliver("a@expired.example", OTHER, gateway)[0].status, "451 4.4.3")
            self.assertEqual(self.deliver("a@secure.example", OTHER, gateway)[0].status, "550 5.7.23")

    def test_row_258_key_trap(self):
        """Thousands of pairs of keys and signatures: a few are tried, and it is no answer."""
        pid, = self.gateway.pids("resolverd")
        before = processes.cpu_ns(pid)
        self.assertEqual(self.spf("trap.example"), "temperror")
        self.assertEqual(self.spf("secure.example"), "pass")
        self.assertLess(processes.cpu_ns(pid) - before, 1e9)

    def test_row_258_nsec3_iterations(self):
        """Past what is reasonable nothing is hashed, and the zone is as good as unsigned (RFC 9276)."""
        pid, = self.gateway.pids("resolverd")
        before = processes.cpu_ns(pid)
        self.assertEqual(self.spf("nsec3.example"), "pass")
        for number in range(20):
            self.assertEqual(self.spf("n%d.nsec3.example" % number), "none")
        self.assertLess(processes.cpu_ns(pid) - before, 1e9)

    def explain(self, domain):
        done = subprocess.run(
            [program("gatehouse"), "-f", self.gateway.configuration, "explain", "--ip", GOOD,
             "--helo", "client.plain.example", "--from", "a@" + domain, "--rcpt",
             "alice@example.com"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, timeout=60)
        return done.stdout.decode()

    def test_explain_says_so(self):
        text = self.explain("secure.example")
        self.assertIn("dnssec secure.example: validated", text)
        self.assertIn("spf result secure.example: pass", text)
        text = self.explain("forged.example")
        self.assertIn("dnssec forged.example: not valid", text)
        self.assertIn("spf result forged.example: temperror", text)
        self.assertNotIn("dnssec plain.example", self.explain("plain.example"))

    def test_row_261_reload_keeps_what_works(self):
        """A resolver that cannot be set up is not taken into service."""
        with Gatehouse(self.backend.port, listen="0.0.0.0", options=self.options()) as gateway:
            for option, value in (("dns.servers", '{ "nonsense" }'),
                                  ("dns.anchors", '{ "secure.example. IN DS x" }')):
                with self.subTest(option):
                    kept = gateway.options[option]
                    gateway.options[option] = value
                    gateway.write_configuration()
                    done = subprocess.run(
                        [program("gatehouse"), "-f", gateway.configuration, "reload"],
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
                    self.assertNotEqual(done.returncode, 0, done.stdout)
                    reply, block = self.deliver("a@secure.example", gateway=gateway)
                    self.assertEqual(reply.code, 250, reply)
                    self.assertIn("spf=pass", block)
                    gateway.options[option] = kept

    def check(self, gateway):
        done = subprocess.run([program("gatehouse"), "-f", gateway.configuration, "check"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout.decode()

    def test_always(self):
        """The key of the real root proves nothing about this one: nothing is believed."""
        options = self.options(**{"dns.dnssec": '"always"'})
        del options["dns.anchors"]
        gateway = Gatehouse(self.backend.port, listen="0.0.0.0", options=options)
        if not os.path.exists(ROOT_KEY):
            status, text = self.check(gateway)
            gateway.destroy()
            self.assertEqual(status, 1, text)
            self.assertIn("dns-root-data", text)
            return
        with gateway:
            reply, block = self.deliver("a@secure.example", gateway=gateway)
            self.assertEqual(reply.code, 250, reply)
            self.assertIn("spf=temperror", block)


if __name__ == "__main__":
    unittest.main()
