"""`gatehouse explain`: each lookup, term and signature with its result, and the verdict."""

import os
import subprocess
import unittest

import nsd
import processes
from dkim import Signer
from gatehouse import Gatehouse, program
from place import Directory
from test_dmarc import message

GOOD = "192.0.2.10"
OTHER = "192.0.2.66"
LISTED = "192.0.2.77"


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("explain")
        cls.signer = Signer(cls.directory, "reject.example")
        cls.names = nsd.Nsd({
            "example": '@ TXT "x"\n',
            "reject.example": '@ TXT "v=spf1 a:host.reject.example ip4:%s -all"\n'
                              'host A 192.0.2.11\n_dmarc TXT "v=DMARC1; p=reject"\n'
                              'sel._domainkey TXT %s\n' % (GOOD, nsd.txt(cls.signer.record())),
            "terms.example": '@ TXT "v=spf1 ip4:192.0.2.1 mx include:sub.terms.example '
                             'exists:%{i}.terms.example ?all"\n'
                             'sub TXT "v=spf1 ip6:2001:db8::/32 -all"\nmail A 192.0.2.1\n',
            "2.0.192.in-addr.arpa": "77 PTR mail.terms.example.\n",
            "black.example": "77.2.0.192 A 127.0.0.2\n",
            "white.example": '@ TXT "x"\n',
            "silent.example": '@ TXT "v=spf1 -all"\n',
        })
        cls.gateway = Gatehouse(1, options={
            "dns.servers": '{ "%s" }' % cls.names.address, "dnslist.black.zone": '"black.example"',
            "dnslist.white.zone": '"white.example"', "dnslist.white.allow": "true",
            "listed.reject": 2, "listed.mark": 1})

    @classmethod
    def tearDownClass(cls):
        cls.gateway.destroy()
        cls.names.stop()
        cls.directory.remove()

    def explain(self, *arguments, ip=OTHER, sender="a@reject.example", recipient="alice@example.com",
                content=None, user=None):
        command = [program("gatehouse"), "-f", self.gateway.configuration, "explain", "--ip", ip,
                   "--helo", "client.example", "--from", sender, "--rcpt", recipient, *arguments]
        if content is not None:
            command += ["--message", self.directory.write("message", content.decode())]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=60, user=user,
                              cwd="/" if user else None)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_envelope_that_passes(self):
        status, text, errors = self.explain(ip=GOOD)
        self.assertEqual(status, 0, text + errors)
        for step in ("recipient: accepted", "dns TXT reject.example", "spf record reject.example",
                     "spf term a host.reject.example: no match", "192.0.2.11",
                     "spf result reject.example: pass", "envelope: spf=pass",
                     "verdict: the recipient is accepted"):
            self.assertIn(step, text)

    def test_terms_and_lists(self):
        """Each term of a record, each list, each name of the client."""
        status, text, errors = self.explain(ip=LISTED, sender="a@terms.example")
        self.assertEqual(status, 0, text + errors)
        for step in ("list black (black.example): listed, weight 1",
                     "list white (white.example, of good ones): not listed",
                     "dns PTR %s: mail.terms.example" % LISTED,
                     "reverse name mail.terms.example: does not lead back",
                     "spf term in terms.example: +ip4:192.0.2.1/32: no match",
                     "spf term in terms.example: ?all: match, unless a term before it does",
                     "spf term mx terms.example: no match",
                     "dns TXT sub.terms.example: v=spf1 ip6:2001:db8::/32 -all",
                     "spf term in sub.terms.example: +ip6:2001:db8::/32: no match",
                     "spf term exists %s.terms.example: no match" % LISTED,
                     "spf result terms.example: neutral", "lists=black"):
            self.assertIn(step, text)

    def test_envelope_that_is_refused(self):
        status, text, errors = self.explain(sender="a@silent.example")
        self.assertEqual(status, 1, text + errors)
        self.assertIn("recipients are refused unless they are exempt", text)
        self.assertIn("rule=spf.no_mail", text)

    def test_recipient_that_is_refused(self):
        status, text, errors = self.explain(recipient="nobody@example.com")
        self.assertEqual(status, 1, text + errors)
        self.assertIn("recipient: refused: 550 5.1.1", text)

    def test_message_that_passes(self):
        status, text, errors = self.explain(
            content=self.signer.sign(message("a@reject.example")), sender="b@other.example")
        self.assertEqual(status, 0, text + errors)
        for step in ("dns TXT sel._domainkey.reject.example", "dkim signature reject.example: pass",
                     "dns TXT _dmarc.reject.example: v=DMARC1; p=reject", "author reject.example",
                     "dmarc policy at reject.example: reject", "dmarc signatures reject.example: pass",
                     "verdict: the message goes to the back end"):
            self.assertIn(step, text)

    def test_message_that_is_refused(self):
        content = self.signer.sign(message("a@reject.example")).replace(b"hello", b"hullo")
        status, text, errors = self.explain(content=content, sender="b@other.example")
        self.assertEqual(status, 1, text + errors)
        self.assertIn("dkim signature reject.example: fail", text)
        self.assertIn("body was changed", text)
        self.assertIn("verdict=dmarc-reject rule=dmarc.reject", text)
        self.assertIn("verdict: not accepted", text)

    @unittest.skipUnless(os.geteuid() == 0, "is an ordinary user already")
    def test_ordinary_user(self):
        """All that is needed is a configuration and a database that can be read."""
        path = self.gateway.directory.path
        os.chmod(path, 0o755)
        status, text, errors = self.explain(ip=GOOD, user=65534)
        self.assertEqual(status, 0, text + errors)
        self.assertIn("spf result reject.example: pass", text)

    def test_usage(self):
        for arguments in (["--nonsense"], ["extra"], ["--ip", "nonsense"]):
            with self.subTest(arguments):
                status, _, errors = self.explain(*arguments)
                self.assertEqual(status, 64, errors)

    def test_nothing_is_left_behind(self):
        self.explain(ip=GOOD)
        self.assertEqual(processes.with_argument(self.gateway.configuration), [])


if __name__ == "__main__":
    unittest.main()
