"""
Every rule of every verdict with every value that it takes, over real DNS packets: what the client is
told, what the back end is told, what the log says; and that postmaster takes the mail whatever they say.
"""

import re
import unittest

import network
import nsd
from backends import MaildirServer
from dkim import Signer
from gatehouse import HOSTNAME, LIST, Gatehouse
from place import Directory, wait_until
from test_dmarc import message

GOOD, NAMELESS, MISNAMED, BALANCER = ("192.0.2.%d" % i for i in (10, 66, 77, 88))

QUARANTINE = "X-Gatehouse-Disposition: quarantine"

# What a rule does with a refusal or a deferral, and how the back end sees the result.
# rule: (reject, defer, in the results, quarantined by mark)
RULES = {
    "spf.fail": ("550 5.7.23", "451 4.7.24", "spf=fail", False),
    "spf.no_mail": ("550 5.7.23", "451 4.7.24", "spf=fail", False),
    "spf.softfail": ("550 5.7.23", "451 4.7.24", "spf=softfail", False),
    "spf.permerror": ("550 5.7.24", "451 4.7.24", "spf=permerror", False),
    "spf.helo_fail": ("550 5.7.23", "451 4.7.24", "spf=fail smtp.helo", False),
    "sender.unknown": ("550 5.1.8", "451 4.7.1", None, False),
    "sender.null_mx": ("550 5.7.27", "451 4.7.1", None, False),
    "reverse_dns.missing": ("550 5.7.25", "451 4.7.25", "iprev=permerror", False),
    "reverse_dns.unconfirmed": ("550 5.7.25", "451 4.7.25", "iprev=fail", False),
    "dmarc.malformed_from": ("554 5.6.0", "451 4.7.1", "dmarc=permerror", True),
    "dmarc.several_authors": ("550 5.7.1", "451 4.7.1", "dmarc=permerror", True),
    "dmarc.reject": ("550 5.7.26", "451 4.7.1", "dmarc=fail", True),
    "dmarc.quarantine": ("550 5.7.26", "451 4.7.1", "dmarc=fail", True),
}
# These take no reject: the DNS is to blame.
SOFT_RULES = {
    "spf.temperror": ("451 4.4.3", "spf=temperror"),
    "sender.temperror": ("451 4.4.3", None),
    "dmarc.temperror": ("451 4.4.3", "dmarc=temperror"),
}
VALUES = ("reject", "defer", "mark", "ignore", "observe-reject", "observe-defer", "observe-mark")


def setUpModule():
    if not network.enter_private([GOOD, NAMELESS, MISNAMED, BALANCER]):
        raise unittest.SkipTest("needs a network of its own")


class Place(unittest.TestCase):
    """Mail of which each is what one rule is about, and nothing else."""

    mail = {
        "spf.fail": {"sender": "a@fail.example"},
        "spf.no_mail": {"sender": "a@silent.example"},
        "spf.softfail": {"sender": "a@soft.example"},
        "spf.permerror": {"sender": "a@broken.example"},
        "spf.temperror": {"sender": "a@lost.example"},
        "spf.helo_fail": {"helo": "silent.example"},
        "sender.unknown": {"sender": "a@gone.good.example"},
        "sender.null_mx": {"sender": "a@nullmx.example"},
        "sender.temperror": {"sender": "a@x.nobody"},
        "reverse_dns.missing": {"source": NAMELESS, "sender": "a@open.example"},
        "reverse_dns.unconfirmed": {"source": MISNAMED, "sender": "a@open.example"},
        "dmarc.malformed_from": {"content": message("a@good.example, b")},
        "dmarc.several_authors": {"content": message("a@good.example, b@fail.example")},
        "dmarc.reject": {"content": message("a@reject.example")},
        "dmarc.quarantine": {"content": message("a@quarantine.example")},
        "dmarc.temperror": {"sender": "a@half.example", "content": message("a@half.example")},
    }

    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("rules")
        cls.signer = Signer(cls.directory, "good.example")
        domain = '@ A 192.0.2.1\n@ TXT "v=spf1 %s"\n'
        cls.names = nsd.Nsd({
            "good.example": domain % ("ip4:%s -all" % GOOD) + "mail A %s\n" % GOOD +
                            "client A 192.0.2.1\nsel._domainkey TXT %s\n"
                            % nsd.txt(cls.signer.record()),
            "open.example": domain % "+all",
            "fail.example": domain % "ip4:192.0.2.99 -all",
            "silent.example": domain % "-all",
            "soft.example": domain % "~all",
            "broken.example": domain % "nonsense:x",
            "lost.example": domain % "include:x.nobody -all",
            "nullmx.example": domain % "?all" + "@ MX 0 .\n",
            "reject.example": domain % "-all" + '_dmarc TXT "v=DMARC1; p=reject"\n',
            "quarantine.example": domain % "-all" + '_dmarc TXT "v=DMARC1; p=quarantine"\n',
            "strict.example": domain % ("ip4:%s -all" % GOOD) + '_dmarc TXT "v=DMARC1; p=reject"\n',
            "half.example": domain % "include:x.nobody -all" +
                            '_dmarc TXT "v=DMARC1; p=reject"\n',
            "example": '@ TXT "x"\n',
            "2.0.192.in-addr.arpa": "10 PTR mail.good.example.\n77 PTR mail.good.example.\n"
                                    "88 PTR mail.good.example.\n",
        })
        cls.backend = MaildirServer()

    @classmethod
    def tearDownClass(cls):
        cls.backend.stop()
        cls.names.stop()
        cls.directory.remove()

    def gateway(self, **options):
        return Gatehouse(self.backend.port, LIST, listen="0.0.0.0", options={
            "dns.servers": '{ "%s" }' % self.names.address, "dns.timeout": 5, **options})

    def send(self, gateway, recipient="alice@example.com", sender="a@good.example", source=GOOD,
             helo="client.good.example", content=None, first=b""):
        """Returns: the status that decides, and the unfolded header block of what was delivered."""
        self.backend.maildir.clear()
        with gateway.client(ehlo=False, greet=not first, host_address=GOOD, source=source) as client:
            if first:
                client.send(first)
                client.reply()
            client.ehlo(helo)
            client.command("MAIL FROM:<%s>" % sender)
            reply = client.command("RCPT TO:<%s>" % recipient)
            if reply.code == 250:
                reply = client.data(content or message("a@good.example"))
            client.quit()  # it has heard the reply: the same message again is no repeat
        stored = self.backend.maildir.messages()
        block = re.sub(rb"\n[ \t]+", b" ", stored[0]).decode() if stored else ""
        return reply.status, block.partition("\nFrom: ")[0] + "\n"

    def expect(self, gateway, rule, value, refusal, result, quarantined):
        """In: refusal, the status when it refuses, else None."""
        before = len(gateway.events("judged", observed=rule))
        status, block = self.send(gateway, **self.mail[rule])
        self.assertEqual(status, refusal or "250 2.0.0", block)
        if refusal:
            self.assertEqual(self.send(gateway, "postmaster@example.com", **self.mail[rule])[0],
                             "250 2.0.0")
            return
        self.assertEqual(QUARANTINE in block, quarantined, block)
        # What a rule about the sender's domain or the name of a client found is not always shown.
        if result and not value.startswith("observe"):
            self.assertEqual(result in block, value != "ignore", block)
        if value.startswith("observe") and not rule.startswith("reverse_dns"):
            wait_until(lambda: len(gateway.events("judged", observed=rule)) > before, "the line")


class EveryRule(Place):
    def with_value(self, value):
        options = {rule: '"%s"' % value for rule in RULES}
        with self.gateway(**options) as gateway:
            self.assertEqual(self.send(gateway)[0], "250 2.0.0")  # what no rule is about
            for rule, (reject, defer, result, quarantines) in RULES.items():
                with self.subTest(rule=rule, value=value):
                    refusal = {"reject": reject, "defer": defer}.get(value)
                    self.expect(gateway, rule, value, refusal, result,
                                quarantines and value == "mark")

    def test_reject(self):
        self.with_value("reject")

    def test_defer(self):
        self.with_value("defer")

    def test_mark(self):
        self.with_value("mark")

    def test_ignore(self):
        self.with_value("ignore")

    def test_observe(self):
        for value in VALUES[4:]:
            self.with_value(value)

    def test_trouble(self):
        """Rules for a DNS that does not answer never refuse for good."""
        for value in ("defer", "mark", "ignore", "observe-defer", "observe-mark"):
            options = {rule: '"%s"' % value for rule in SOFT_RULES}
            options["sender.unknown"] = '"observe-mark"'
            with self.gateway(**options) as gateway:
                for rule, (defer, result) in SOFT_RULES.items():
                    with self.subTest(rule=rule, value=value):
                        self.expect(gateway, rule, value, defer if value == "defer" else None,
                                    result, False)


class Signatures(Place):
    """Rules that every unsigned message is about, each alone."""

    def test_every_value(self):
        unsigned = message("a@good.example")
        unaligned = self.signer.sign(message("a@open.example"))
        for rule, reject, content in (("dkim.no_pass", "550 5.7.20", unsigned),
                                      ("dkim.not_aligned", "550 5.7.22", unaligned)):
            for value in VALUES:
                with self.subTest(rule=rule, value=value), \
                        self.gateway(**{rule: '"%s"' % value}) as gateway:
                    expected = {"reject": reject, "defer": "451 4.7.1"}.get(value, "250 2.0.0")
                    self.assertEqual(self.send(gateway, content=content)[0], expected)
                    self.assertEqual(self.send(gateway, "postmaster@example.com",
                                               content=content)[0], "250 2.0.0")
                    self.assertEqual(self.send(gateway, content=self.signer.sign(unsigned))[0],
                                     "250 2.0.0")
                    if value.startswith("observe"):
                        gateway.wait_event("judged", observed=rule)


class Proxied(Place):
    """The client is the one that a balancer names, for SPF too; a relay behind it is one to trust."""

    def header(self, client):
        return ("PROXY TCP4 %s 192.0.2.1 4711 25\r\n" % client).encode()

    def test_client_of_the_balancer(self):
        with self.gateway(**{"proxy_from": '{ "%s" }' % BALANCER, "spf.fail": '"reject"'}) as gateway:
            status, block = self.send(gateway, source=BALANCER, first=self.header(GOOD))
            self.assertEqual(status, "250 2.0.0")
            self.assertIn("spf=pass", block)
            self.assertEqual(self.send(gateway, source=BALANCER, first=self.header("192.0.2.99"))[0],
                             "550 5.7.23")

    def test_trusted_relay_behind_the_balancer(self):
        relay = "198.51.100.1"
        with self.gateway(**{"proxy_from": '{ "%s" }' % BALANCER, "trusted_relays": '{ "%s" }' % relay,
                             "trusted_relays_client": '"received"'}) as gateway:
            for client, expected in ((GOOD, "250 2.0.0"), ("192.0.2.99", "550 5.7.26")):
                content = ("Received: from there.example (unknown [%s])\r\n\tby relay.example;\r\n"
                           "\tSat, 21 Nov 2026 00:00:00 +0000\r\n" % client).encode()
                status, _ = self.send(gateway, source=BALANCER, first=self.header(relay),
                                      sender="a@strict.example",
                                      content=content + message("a@strict.example"))
                self.assertEqual(status, expected)


class Classes(Place):
    def test_unfiltered(self):
        """Recipients of a class that wants its mail unfiltered, in one transaction with others."""
        recipients = LIST + "open@example.com      class=open\n"
        with Gatehouse(self.backend.port, recipients, listen="0.0.0.0", options={
                "dns.servers": '{ "%s" }' % self.names.address, "dns.timeout": 5,
                "unfiltered": '{ "open" }', "spf.fail": '"reject"'}) as gateway:
            mail = dict(self.mail["spf.fail"], content=message("a@reject.example"))
            self.assertEqual(self.send(gateway, **mail)[0], "550 5.7.23")
            status, block = self.send(gateway, "open@example.com", **mail)
            self.assertEqual(status, "250 2.0.0")
            self.assertIn("spf=fail", block)
            self.assertIn("dmarc=fail", block)
            self.assertIn("Authentication-Results: " + HOSTNAME, block)
            self.assertNotIn(QUARANTINE, block)


if __name__ == "__main__":
    unittest.main()
