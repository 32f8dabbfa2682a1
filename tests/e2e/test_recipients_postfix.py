"""
postfix:DIR against the Postfix that it describes: random installations, made by the real postmap and
postalias, each asked for every address that it knows and for some that it does not; what is
accepted is sent, and followed through the log to its ends.
"""

import os
import random
import re
import smtplib
import subprocess
import unittest

from place import BUILD, needs_root, peer, peer_environment, wait_until
from postfix import Postfix

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
local unix - n n - - local
stored unix - - n - - discard -o syslog_name=stored
"""

# Mailboxes of accounts that every machine has; nothing leaves this host.
SETTINGS = """\
mydestination = mx.test, local.test, plain.test, bare.test
mydomain = test
myorigin = mx.test
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 100000
smtpd_junk_command_limit = 100000
smtpd_client_connection_count_limit = 0
mail_spool_directory = {directory}/spool/
forward_path = {directory}/forward/$user
default_transport = stored:
relay_transport = stored:
alias_maps = hash:{directory}/etc/aliases
virtual_alias_domains = va.test, all.test, twin.test
virtual_alias_maps = hash:{directory}/etc/virtual
virtual_mailbox_domains = vm.test, box.test
virtual_mailbox_maps = hash:{directory}/etc/mailboxes
virtual_mailbox_base = {directory}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
relay_domains = relay.test
canonical_maps = hash:{directory}/etc/canonical
relocated_maps = hash:{directory}/etc/relocated
transport_maps = hash:{directory}/etc/transport
"""

ACCOUNTS = ["daemon", "games", "mail", "nobody"]
UNKNOWN = ["nouser", "none"]
ALIASES = ["al%d" % i for i in range(8)]
DOMAINS = ["mx.test", "local.test", "va.test", "all.test", "twin.test", "vm.test", "box.test",
           "relay.test", "elsewhere.test"]
# Local, and no table has them.
PLAIN = ["plain.test", "bare.test"]


class Installation:
    """Tables of a random Postfix. At least one row each: an empty one is none."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        pick = self.random.choice
        self.settings = "".join("%s = %s\n" % row for row in {
            "recipient_delimiter": pick(["+", "+", "-+", ""]),
            "luser_relay": pick(["", "", "", "daemon", "nouser", "u1@va.test", "$user+l@local.test"]),
            "propagate_unmatched_extensions": pick([
                "canonical, virtual", "canonical, virtual, alias, forward, include", "virtual", ""]),
            "append_dot_mydomain": pick(["yes", "no"]),
            "local_recipient_maps": pick(["proxy:unix:passwd.byname $alias_maps"] * 3 + [""]),
            "relay_recipient_maps": pick(["hash:{directory}/etc/relayed", ""]),
            "owner_request_special": pick(["yes", "no"]),
            "allow_mail_to_commands": pick(["alias, forward", "forward"]),
        }.items())
        self.aliases = {name: self.targets(self.alias_target) for name in ALIASES
                        if self.random.random() < 0.8}
        self.aliases["owner-al1"] = "daemon"
        self.aliases["postmaster"] = pick(["daemon", "nouser"])
        self.virtual = {"va.test": "x", "@twin.test": "@local.test",
                        "@all.test": self.address()}
        for _ in range(22):
            self.virtual[self.key()] = self.targets(self.address)
        self.mailboxes = {"%s@vm.test" % name: name + "/" for name in ("bob", "eve", "joe+tag")}
        self.mailboxes["@box.test"] = "all/"
        self.relayed = {"%s@relay.test" % name: "x" for name in ("ann", "sam+x")}
        self.canonical = {self.key(): self.address() for _ in range(3)}
        self.relocated = {"gone@local.test": "new@elsewhere.test", self.key(): "x@elsewhere.test"}
        self.transport = {"boom@vm.test": "error:5.7.0 boom", "wait@box.test": "retry:later",
                          self.key(): "discard:"}
        self.forward = {"games": pick(["nouser\n", "daemon\n", "# nothing\n"]),
                        "mail": pick(["\\mail, al1\n", "al2\nnouser\n", "x@va.test\n"])}

    def local(self):
        name = self.random.choice(ACCOUNTS + UNKNOWN + ALIASES + ["u1", "u2", "u3"])
        return name + self.random.choice(["", "", "", "+x", "+tag"])

    def address(self):
        if self.random.random() < 0.3:
            return self.local()
        name = self.random.choice([self.local(), self.local(), "bob", "eve", "ann"])
        return "%s@%s" % (name, self.random.choice(DOMAINS))

    def key(self):
        return "%s@%s" % (self.local(), self.random.choice(DOMAINS[:-1]))

    def alias_target(self):
        return self.random.choice([
            self.address(), self.address(), self.random.choice(ACCOUNTS + UNKNOWN + ALIASES),
            '"|/bin/false"', '"|/bin/true"', '"|exit 75"', "/dev/null",
            ":include:@D@/etc/list", ":include:/nonexistent/list"])

    def targets(self, one):
        return ", ".join(one() for _ in range(self.random.choice([1, 1, 1, 2])))

    def make(self, directory):
        for name in ("virtual", "mailboxes", "relayed", "canonical", "relocated", "transport"):
            rows = getattr(self, name)
            directory.write("etc/" + name, "".join("%s %s\n" % row for row in rows.items()))
            self.run("postmap", directory, name)
        directory.write("etc/aliases", "".join(
            "%s: %s\n" % row for row in self.aliases.items()).replace("@D@", directory.path))
        self.run("postalias", directory, "aliases")
        os.chmod(directory.make("spool"), 0o1777)
        directory.write("etc/list", "# a list\ndaemon\nu1@va.test\n")
        directory.make("forward")
        for name, text in self.forward.items():
            directory.write("forward/" + name, text)

    @staticmethod
    def run(program, directory, name):
        subprocess.run([peer("postfix", "usr/sbin/" + program), "-c", directory.join("etc"),
                        "hash:" + directory.join("etc", name)], check=True,
                       env=peer_environment(), stderr=subprocess.DEVNULL)

    def addresses(self):
        """What the tables have, their names with other extensions and domains, and others."""
        known = set()
        for rows in (self.virtual, self.mailboxes, self.relayed, self.canonical, self.relocated,
                     self.transport):
            known.update(key for key in rows if "@" in key[1:])
        names = ACCOUNTS + UNKNOWN + ALIASES + ["u1", "u2", "u3", "bob", "ann", "postmaster",
                                               "mailer-daemon", "owner-al1", "double-bounce"]
        known.update("%s@%s" % (self.random.choice(names) + self.random.choice(["", "+x", "+q", "-x", "-request"]),
                                self.random.choice(DOMAINS + PLAIN)) for _ in range(80))
        known.update("%s@%s" % (name, domain) for name in ("daemon", "al1", "stranger")
                     for domain in DOMAINS + PLAIN)
        return sorted(known)


class Real:
    """What the running Postfix does."""

    def __init__(self, postfix):
        self.postfix = postfix
        self.queued = {}

    def ask(self, addresses):
        """Verdicts of RCPT, and messages on their way to what was accepted."""
        verdicts = {}
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=60) as s:
            s.ehlo("client.example")
            for address in addresses:
                s.mail("sender@elsewhere.test")
                code, _ = s.rcpt(address)
                verdicts[address] = {2: "accept", 4: "defer", 5: "refuse"}[code // 100]
                if code // 100 == 2:
                    code, text = s.data(b"Subject: x\r\n\r\nx\r\n")
                    found = re.search(rb"queued as (\w+)", text)
                    if found:
                        self.queued[address] = found.group(1).decode()
                    else:
                        verdicts[address] = "defer" if code // 100 == 4 else "refuse"
                s.rset()
        return verdicts

    def ends(self):
        """For each queue id: the words of its deliveries, and what it was forwarded as."""
        words, forwards = {}, {}
        for line in self.postfix.log().split("\n"):
            found = re.search(r" ([\w/]+)\[\d+\]: (\w+): to=<.*status=(\w+) \((.*)\)$", line)
            if not found:
                continue
            daemon, queue_id, status, text = found.groups()
            forward = re.search(r"forwarded as (\w+)", text)
            if forward:
                forwards.setdefault(queue_id, set()).add(forward.group(1))
            else:
                dropped = status == "sent" and (
                    daemon == "postfix/discard" or re.search(r"/dev/null|command: /bin/true", text))
                words.setdefault(queue_id, set()).add("dropped" if dropped else status)
        return words, forwards

    def final(self, address, ends):
        words, forwards = ends
        seen, todo, result = set(), [self.queued[address]], set()
        while todo:
            queue_id = todo.pop()
            if queue_id not in seen:
                seen.add(queue_id)
                result |= words.get(queue_id, set())
                todo += forwards.get(queue_id, ())
        # The worst counts, but for mail that somebody got.
        if "bounced" in result and "sent" not in result:
            return "refuse"
        if "deferred" in result:
            return "defer"
        if "bounced" in result:
            return "partial"
        # A luser_relay that is unknown itself, in another domain: nobody gets it or hears of it.
        return "accept" if result else "lost"

    def settled(self):
        """
        Every message has left the incoming and active queues: it was delivered or deferred; and
        the log says so.
        """
        if any(files for name in ("maildrop", "incoming", "active")
               for _, _, files in os.walk(self.postfix.directory.join("queue", name))):
            return False
        log = self.postfix.log()
        done = set(re.findall(r": (\w+): (?:removed$|to=<.*status=deferred )", log, re.M))
        forwards = re.findall(r" forwarded as (\w+)\)$", log, re.M)
        return done.issuperset([*self.queued.values(), *forwards])


@needs_root
class Comparison(unittest.TestCase):
    def compare(self, seed):
        installation = Installation(seed)
        postfix = Postfix(SERVICES, SETTINGS + installation.settings, installation.make)
        self.addCleanup(postfix.stop)
        directory = postfix.directory
        addresses = installation.addresses()
        ours = self.ours(directory, addresses)
        real = Real(postfix)
        verdicts = real.ask(addresses)
        wait_until(real.settled, "deliveries; log:\n" + postfix.log()[-2000:])
        ends = real.ends()
        differences = []
        for address in addresses:
            verdict = verdicts[address]
            if address in real.queued:
                verdict = real.final(address, ends)
            if ours[address] != {"partial": "accept", "lost": "refuse"}.get(verdict, verdict):
                differences.append("%s: Postfix %s, we %s" % (address, verdict, ours[address]))
        self.assertFalse(differences, "seed %d\n%s" % (seed, "\n".join(differences)))

    def ours(self, directory, addresses):
        program = os.path.join(BUILD, "bin", "gatehouse-recipients")
        database = directory.join("recipients.cdb")
        done = subprocess.run(
            [program, "compile", "-o", database, "postfix:%s,bin=%s,remote=accept" % (
                directory.join("etc"), os.path.dirname(peer("postfix", "usr/sbin/postmap")))],
            env=peer_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        done = subprocess.run([program, "query", database, *addresses], stdout=subprocess.PIPE)
        words = {"accepted": "accept", "unknown-user": "refuse", "unknown-domain": "refuse",
                 "refused": "refuse", "deferred": "defer"}
        result = {}
        for line in done.stdout.decode().split("\n")[:-1]:
            address, _, rest = line.partition(": ")
            result[address] = words.get(rest.split()[0], rest)
        return result

    def test_random_installations(self):
        for seed in range(int(os.environ.get("E2E_SEED", "1")),
                          int(os.environ.get("E2E_SEED", "1")) + 3):
            with self.subTest(seed=seed):
                self.compare(seed)
