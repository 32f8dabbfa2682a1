"""
DMARC over real DNS packets: policies, alignment, forwarded mail, lists, relays, DNS that fails.
"""

import re
import unittest

import messages
import network
import nsd
from backends import MaildirServer
from dkim import Signer
from gatehouse import HOSTNAME, Gatehouse
from place import Directory, wait_until

GOOD = "192.0.2.10"     # may send for every domain here
OTHER = "192.0.2.66"    # may send for none
FORWARDER = "192.0.2.77"
RELAY = "192.0.2.88"

SPF = '@ TXT "v=spf1 ip4:%s ip4:192.0.2.99 ?all"\n' % GOOD


def setUpModule():
    if not network.enter_private([GOOD, OTHER, FORWARDER, RELAY]):
        raise unittest.SkipTest("needs a network of its own")


def message(author, text=b"hello\n", fields=b""):
    return (b"From: %s\r\nTo: alice@example.com\r\nSubject: test\r\n"
            b"Date: Sat, 21 Nov 2026 00:00:00 +0000\r\n%s\r\n" % (author.encode(), fields) +
            text.replace(b"\n", b"\r\n"))


class Place(unittest.TestCase):
    options = {}
    zones = {}

    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("dmarc")
        cls.signer = Signer(cls.directory, "reject.example")
        cls.list_signer = Signer(cls.directory, "lists.example", "list")
        zones = {
            "reject.example": SPF + '_dmarc TXT "v=DMARC1; p=reject; sp=quarantine; np=reject"\n'
                              'sub A 192.0.2.1\nsel._domainkey TXT %s\n'
                              % nsd.txt(cls.signer.record()),
            "quarantine.example": SPF + '_dmarc TXT "v=DMARC1; p=quarantine"\n',
            "none.example": SPF + '_dmarc TXT "v=DMARC1; p=none"\n',
            "plain.example": SPF,
            "silent.example": '@ TXT "v=spf1 -all"\n',
            "example": '@ TXT "x"\n',
            "bank": '@ TXT "x"\n_dmarc TXT "v=DMARC1; p=reject; psd=y"\n'
                    'one TXT "v=spf1 ip4:%s -all"\ntwo TXT "v=spf1 ip4:%s -all"\n' % (GOOD, GOOD),
            "lists.example": SPF + 'list._domainkey TXT %s\n' % nsd.txt(cls.list_signer.record()),
        }
        zones.update(cls.zones)
        cls.names = nsd.Nsd(zones)
        cls.backend = MaildirServer()
        options = {"dns.servers": '{ "%s" }' % cls.names.address, "dns.timeout": 2}
        options.update(cls.options)
        cls.gateway = Gatehouse(cls.backend.port, listen="0.0.0.0", options=options).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.names.stop()
        cls.directory.remove()

    def send(self, content, sender="a@plain.example", source=OTHER, helo="client.plain.example"):
        self.backend.maildir.clear()
        with self.gateway.client(ehlo=False, host_address=GOOD, source=source) as client:
            client.ehlo(helo)
            return client.deliver(sender, ["alice@example.com"], content)

    def refused(self, status, content, **options):
        reply = self.send(content, **options)
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(self.backend.maildir.messages(), [])

    def block(self, content, **options):
        """The unfolded header block that lies before the message."""
        reply = self.send(content, **options)
        self.assertEqual(reply.status, "250 2.0.0", reply)
        stored, = self.backend.maildir.messages()
        block = stored[:stored.index(b"From: ")]
        return re.sub(rb"\n[ \t]+", b" ", block).decode()

    def dmarc(self, content, **options):
        """The result of DMARC, and whether the message is to be put into quarantine."""
        block = self.block(content, **options)
        self.assertEqual(block.count("Authentication-Results: " + HOSTNAME), 1, block)
        found = re.search(r"dmarc=(\w+)", block)
        quarantine = "\nX-Gatehouse-Disposition: quarantine\n" in block
        self.assertEqual(quarantine, "dis=quarantine" in block, block)
        return (found and found.group(1)), quarantine


class Policies(Place):
    def test_pass_by_spf(self):
        found = self.block(message("a@reject.example"), sender="b@reject.example", source=GOOD)
        self.assertRegex(found, r"dmarc=pass \(by=reject\.example\) header\.from=reject\.example "
                                r"policy\.dmarc=reject")

    def test_pass_by_dkim(self):
        content = self.signer.sign(message("A. B. <a@reject.example>"))
        self.assertEqual(self.dmarc(content), ("pass", False))

    def test_pass_by_dkim_of_the_organisation(self):
        content = self.signer.sign(message("a@sub.reject.example"))
        self.assertEqual(self.dmarc(content), ("pass", False))

    def test_reject(self):
        self.refused("550 5.7.26", message("a@reject.example"))

    def test_row_241_pass_of_another(self):
        """What passed is of the attacker's domain."""
        self.refused("550 5.7.26", message("a@reject.example"), sender="b@plain.example",
                     source=GOOD)

    def test_reject_of_a_changed_message(self):
        content = self.signer.sign(message("a@reject.example")).replace(b"hello", b"hullo")
        self.refused("550 5.7.26", content)

    def test_forwarded_with_signature(self):
        """SPF fails for the forwarder, the signature is still good."""
        content = self.signer.sign(message("a@reject.example"))
        self.assertEqual(self.dmarc(content, sender="a@reject.example"), ("pass", False))

    def test_sp_quarantine(self):
        self.assertEqual(self.dmarc(message("a@sub.reject.example")), ("fail", True))

    def test_row_214_np_reject(self):
        self.refused("550 5.7.26", message("a@gone.reject.example"))

    def test_quarantine(self):
        self.assertEqual(self.dmarc(message("a@quarantine.example")), ("fail", True))

    def test_none(self):
        self.assertEqual(self.dmarc(message("a@none.example")), ("fail", False))

    def test_no_record(self):
        self.assertEqual(self.dmarc(message("a@plain.example")), ("none", False))

    def test_row_245_tree_walk(self):
        name = ".".join("abcdefghijklmnop") + ".reject.example"
        self.refused("550 5.7.26", message("a@" + name))

    def test_row_246_psd(self):
        """Two customers of a public suffix are not one organisation."""
        self.refused("550 5.7.26", message("a@one.bank"), sender="b@two.bank", source=GOOD)
        self.assertEqual(self.dmarc(message("a@one.bank"), sender="b@one.bank", source=GOOD),
                         ("pass", False))

    def test_row_191_two_from(self):
        self.refused("554 5.6.0", message("a@plain.example", fields=b"From: b@plain.example\r\n"))

    def test_row_200_no_author(self):
        for author in ("undisclosed:;", "", "(a@plain.example)", "<>"):
            with self.subTest(author):
                self.refused("554 5.6.0", message(author))

    def test_row_200_null_sender(self):
        """A notice that is from nobody is taken."""
        self.assertEqual(self.dmarc(message("MAILER-DAEMON (the mail system)"), sender=""),
                         ("none", False))

    def test_row_192_several_organisations(self):
        self.refused("550 5.7.1", message("a@plain.example, b@none.example"))

    def test_row_206_forged_disposition(self):
        fields = b"X-Gatehouse-Disposition: none\r\nReceived-SPF: pass (x)\r\n"
        content = self.signer.sign(message("a@reject.example", fields=fields))
        self.send(content)
        stored, = self.backend.maildir.messages()
        self.assertNotIn(b"X-Gatehouse", stored)
        self.assertNotIn(b"Received-SPF", stored)

    def test_spf_no_mail(self):
        """
        A record that is nothing but -all: nobody forwards that domain's mail. Refused at RCPT when
        it is known by then, else at the end of data.
        """
        with self.gateway.client(ehlo=False, host_address=GOOD, source=OTHER) as client:
            client.ehlo("client.plain.example")
            client.command("MAIL FROM:<a@silent.example>")
            reply = client.command("RCPT TO:<alice@example.com>")
            if reply.code == 250:
                reply = client.data(message("a@plain.example"))
            self.assertEqual(reply.status, "550 5.7.23")


class Exceptions(Place):
    options = {
        "dmarc.trusted_sealers": '{ "lists.example" }',
        "dmarc.trusted_forwarders": '{ "%s/32" }' % FORWARDER,
        "dmarc.override": '{ ".quarantine.example=none", "plain.example=reject" }',
        "trusted_relays": '{ "%s" }' % RELAY,
        "trusted_relays_client": '"received"',
        "results.received_spf": "true",
        "results.remove": '{ "X-Spam-Flag" }',
        "authserv_id": '"%s"' % HOSTNAME,
        "spf.fail": '"observe-reject"',
    }

    def test_mailing_list(self):
        """The list has changed the message, and signed it."""
        content = self.signer.sign(message("a@reject.example"))
        content = self.list_signer.sign(content.replace(b"Subject: ", b"Subject: [list] "))
        self.assertEqual(self.dmarc(content, sender="list@lists.example"), ("fail", False))
        self.refused("550 5.7.26", content.replace(b"hello", b"hullo"), sender="list@lists.example")

    def test_forwarder(self):
        self.assertEqual(self.dmarc(message("a@reject.example"), source=FORWARDER),
                         ("fail", False))

    def test_override(self):
        self.assertEqual(self.dmarc(message("a@quarantine.example")), ("fail", False))
        self.refused("550 5.7.26", message("a@plain.example"), sender="x@none.example")

    def relayed(self, client):
        return ("Received: from there.example (unknown [%s])\r\n\tby relay.example with ESMTP;\r\n"
                "\tSat, 21 Nov 2026 00:00:00 +0000\r\n" % client).encode()

    def test_relay(self):
        """The client that the relay names is judged."""
        content = self.relayed(OTHER) + message("a@reject.example")
        self.refused("550 5.7.26", content, source=RELAY, sender="a@reject.example")
        content = self.relayed(GOOD) + message("a@reject.example")
        found = self.block(content, source=RELAY, sender="a@reject.example")
        self.assertRegex(found, r"spf=pass smtp\.mailfrom=reject\.example")
        self.assertIn("dmarc=pass", found)
        self.assertIn("client-ip=" + GOOD, found)

    def test_relay_that_names_nobody(self):
        """Nothing is judged then, and nothing refused."""
        found = self.block(message("a@reject.example"), source=RELAY, sender="a@reject.example")
        self.assertNotIn("spf=", found)
        self.assertNotIn("dmarc=", found)

    def test_received_spf(self):
        found = self.block(message("a@plain.example", fields=b"X-Spam-Flag: NO\r\n"), source=GOOD)
        self.assertRegex(found, r"\nReceived-SPF: pass client-ip=%s; "
                                r'envelope-from="a@plain.example"; helo="client\.plain\.example"; '
                                r"identity=mailfrom; receiver=%s\n" % (GOOD, HOSTNAME))
        stored, = self.backend.maildir.messages()
        self.assertNotIn(b"X-Spam-Flag", stored)


class Observing(Place):
    options = {"dmarc.enforce": "false"}

    def test_nothing_is_refused_and_it_is_said(self):
        self.assertEqual(self.dmarc(message("a@reject.example")), ("fail", False))
        wait_until(lambda: self.gateway.events("judged", observed="dmarc.reject"), "the line")


class Trouble(Place):
    """Names about which no server answers: NSD refuses what it has no zone for."""

    zones = {
        "half.example": '_dmarc TXT "v=DMARC1; p=reject"\nsel._domainkey CNAME key.nobody.\n'
                        '@ TXT "v=spf1 include:x.nobody -all"\n',
        "lax.example": '_dmarc TXT "v=DMARC1; p=none"\n@ TXT "v=spf1 include:x.nobody -all"\n',
    }

    def test_row_247_policy_of_reject_defers(self):
        """SPF, or the key, could have passed."""
        self.refused("451 4.4.3", message("a@half.example"), sender="a@half.example")
        signer = Signer(self.directory, "half.example")
        self.refused("451 4.4.3", signer.sign(message("a@half.example")))

    def test_row_247_no_policy_of_reject_is_marked(self):
        self.assertEqual(self.dmarc(message("a@lax.example"), sender="a@lax.example"),
                         ("temperror", False))

    def test_row_247_policy_that_is_not_known_is_marked(self):
        found = self.dmarc(message("a@sub.nobody"), sender="a@plain.example", source=GOOD)
        self.assertEqual(found, ("temperror", False))

    def test_row_247_another_pass(self):
        content = self.signer.sign(message("a@reject.example"))
        self.assertEqual(self.dmarc(content, sender="a@half.example"), ("pass", False))


if __name__ == "__main__":
    unittest.main()
