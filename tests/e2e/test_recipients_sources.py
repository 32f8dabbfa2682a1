"""
Recipients of whole mail systems, compiled from their own trees, asked for over SMTP: who is accepted,
which back end gets the mail, and what a change of the tree changes in the gateway that runs.
"""

import os
import subprocess
import sys
import unittest

import messages
from backends import Scripted
from gatehouse import Gatehouse
from place import TOP, Directory, peer, peer_environment, program, wait_until

sys.path.insert(0, os.path.join(TOP, "tests", "recipients"))
from tree import Tree, newu  # noqa: E402

QMAIL, VPOPMAIL = "/var/qmail", "/home/vpopmail"
UNKNOWN, NO_RELAY, LATER = "550 5.1.1", "550 5.7.1", "451 4.3.0"


class QmailTree:
    """/var/qmail and the homes of its users, with owners that need not be real."""

    def __init__(self, directory):
        self.directory = directory
        self.tree = Tree(directory.make("qmail"))
        for path in ("control", "users", "alias"):
            self.tree.directory("%s/%s" % (QMAIL, path))
        self.tree.file("/etc/passwd", "alias:x:70:70::/var/qmail/alias:\nqmailp:x:71:70::/:\n"
                       "joe:x:1001:1001::/home/joe:\nann:x:1002:1002::/home/ann:\n")
        self.home("joe", 1001)
        self.home("ann", 1002)
        self.tree.file(QMAIL + "/control/me", "old.example\n")
        self.tree.file(QMAIL + "/control/locals", "old.example\n")
        self.tree.file(QMAIL + "/control/virtualdomains", "club.example:joe-club\n")
        self.tree.file(QMAIL + "/control/rcpthosts",
                       "old.example\nclub.example\nmoved.example\nhosted.example\n")
        self.alias("postmaster", "joe\n")
        self.alias("sales", "&bob@hosted.example\n")
        self.alias("former", "&nobody@hosted.example\n")
        self.dot("joe", "club-chair", "./Maildir/\n")
        self.dot("joe", "lists-default", "|exit 0\n")
        self.dot("joe", "broken", "\n")

    def home(self, user, uid):
        self.tree.directory("/home/" + user, uid, uid)
        for part in ("", "/tmp", "/new", "/cur"):
            self.tree.directory("/home/%s/Maildir%s" % (user, part), uid, uid)
        self.tree.file("/home/%s/.qmail" % user, "./Maildir/\n", uid, uid)

    def dot(self, user, extension, text, uid=1001):
        self.tree.file("/home/%s/.qmail-%s" % (user, extension), text, uid, uid)

    def alias(self, name, text):
        self.tree.file("%s/alias/.qmail-%s" % (QMAIL, name), text, 70, 70)

    def source(self):
        return "qmail:%s,root=%s,%s" % (QMAIL, os.fsdecode(self.tree.root),
                                        self.tree.finish(self.directory.join("qmail.stat")))


class VpopmailTree:
    """Two domains of vpopmail and an alias domain, in a qmail of their own."""

    def __init__(self, directory):
        self.directory = directory
        self.tree = Tree(directory.make("vpopmail"))
        self.users = {"hosted.example": ["postmaster", "bob", "joe"],
                      "all.example": ["postmaster"]}
        self.tree.file("/etc/passwd", "vpopmail:x:89:89::/home/vpopmail:\n")
        self.tree.file(QMAIL + "/control/me", "hosting.example\n")
        self.tree.file(QMAIL + "/control/rcpthosts",
                       "hosted.example\nall.example\nalias.example\nold.example\n")
        self.tree.file(QMAIL + "/control/virtualdomains", "".join(
            "%s:%s\n" % (d, d) for d in ("hosted.example", "all.example", "alias.example")))
        self.tree.file(QMAIL + "/users/cdb", newu(b"".join(
            b"+%s-:x:89:89:%s/domains/%s:-::\n" % (a, VPOPMAIL.encode(), d) for a, d in (
                (b"hosted.example", b"hosted.example"), (b"all.example", b"all.example"),
                (b"alias.example", b"hosted.example"))) + b".\n"))
        self.put("hosted.example/.qmail-default", "| /v/vdelivermail '' bounce-no-mailbox\n")
        self.put("hosted.example/.qmail-news", "&bob@hosted.example\n")
        self.put("all.example/.qmail-default", "| /v/vdelivermail '' postmaster@all.example\n")

    def put(self, name, text):
        self.tree.file("%s/domains/%s" % (VPOPMAIL, name), text, 89, 89)

    def source(self):
        for domain, users in self.users.items():
            self.put(domain + "/vpasswd", "".join("%s:x:1:0::%s/domains/%s/%s:NOQUOTA\n" % (
                user, VPOPMAIL, domain, user) for user in users))
        return "vpopmail:%s,root=%s,%s" % (VPOPMAIL, os.fsdecode(self.tree.root),
                                           self.tree.finish(self.directory.join("vpopmail.stat")))


class PostfixTree:
    def __init__(self, directory):
        self.directory = directory
        directory.make("postfix")
        self.aliases = {"postmaster": "joe", "info": "joe", "gone": "nobody-has-this"}
        settings = {
            "mail_owner": "daemon", "setgid_group": "mail", "default_privs": "nobody",
            "queue_directory": directory.path, "data_directory": directory.path,
            "command_directory": directory.path, "daemon_directory": directory.path,
            "meta_directory": directory.path,
            "shlib_directory": peer("postfix", "usr/lib/postfix"),
            "myhostname": "office.example", "myorigin": "office.example",
            "mydestination": "office.example, second.example, localhost",
            "recipient_delimiter": "+", "alias_maps": "hash:%s/aliases" % self.at,
            "relay_domains": "",
        }
        directory.write("postfix/main.cf", "".join("%s = %s\n" % row for row in settings.items()))
        directory.write("postfix/master.cf", "")
        directory.write("postfix/passwd", "joe:x:1001:1001::/home/joe:/bin/sh\n")

    @property
    def at(self):
        return self.directory.join("postfix")

    def source(self):
        self.directory.write("postfix/aliases", "".join("%s: %s\n" % r for r in self.aliases.items()))
        subprocess.run([peer("postfix", "usr/sbin/postalias"), "-c", self.at,
                        "hash:%s/aliases" % self.at], check=True, env=peer_environment())
        return "postfix:%s,bin=%s,passwd=%s/passwd" % (
            self.at, os.path.dirname(peer("postfix", "usr/sbin/postmap")), self.at)


class Sources(unittest.TestCase):
    names = ("main",)

    def setUp(self):
        self.backends = {name: Scripted() for name in self.names}
        for backend in self.backends.values():
            self.addCleanup(backend.stop)
        self.gateway = Gatehouse({name: b.port for name, b in self.backends.items()})
        self.addCleanup(self.gateway.destroy)
        self.directory = self.gateway.directory

    def compile(self, *sources):
        done = subprocess.run([program("gatehouse-recipients"), "compile", "-o",
                               self.directory.join("recipients.cdb"), *sources],
                              env=peer_environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def start(self, *sources):
        os.unlink(self.directory.join("recipients.cdb"))
        self.compile(*sources)
        self.gateway.start()

    def taken(self):
        return len(self.gateway.events("file_taken", by="gatehouse", kind="recipients"))

    def reload(self, *sources):
        had = self.taken()
        self.compile(*sources)
        wait_until(lambda: self.taken() > had, "the new database")

    def check(self, rows):
        """Rows are a recipient, and the back end that gets its mail or the status of its refusal."""
        for recipient, expected in rows.items():
            with self.subTest(recipient), self.gateway.client() as client:
                reply = client.envelope("s@sender.example", [recipient])[1]
                if expected not in self.backends:
                    self.assertEqual(reply.status, expected)
                    continue
                self.assertEqual(reply.code, 250, reply)
                self.assertEqual(client.data(messages.simple()).code, 250)
                got = [(name, package.recipients) for name, backend in self.backends.items()
                       for package in backend.packages]
                self.assertEqual(got, [(expected, [recipient.encode()])])
                for backend in self.backends.values():
                    backend.packages.clear()


class OneSystem(Sources):
    def test_qmail(self):
        qmail = QmailTree(self.directory)
        self.start(qmail.source() + ",relay:hosted.example=accept")
        self.check({
            "joe@old.example": "main", "Ann@OLD.example": "main", "postmaster@old.example": "main",
            "joe-lists-x@old.example": "main", "chair@club.example": "main",
            "sales@old.example": "main", "any@hosted.example": "main",
            "nobody@old.example": UNKNOWN, "joe-x@old.example": UNKNOWN,
            "member@club.example": UNKNOWN, "joe-broken@old.example": LATER,
            "x@moved.example": NO_RELAY, "x@elsewhere.example": NO_RELAY})
        qmail.dot("joe", "club-default", "./Maildir/\n")
        qmail.tree.file(QMAIL + "/control/rcpthosts", "old.example\nclub.example\nnew.example\n"
                        "moved.example\nhosted.example\n")
        qmail.tree.file(QMAIL + "/control/locals", "old.example\nnew.example\n")
        os.unlink(qmail.tree.host("/home/joe/.qmail-lists-default"))
        self.reload(qmail.source() + ",relay:hosted.example=accept")
        self.check({
            "member@club.example": "main", "joe@new.example": "main",
            "joe-lists-x@old.example": UNKNOWN, "joe@old.example": "main"})

    def test_vpopmail(self):
        vpopmail = VpopmailTree(self.directory)
        self.start(vpopmail.source())
        self.check({
            "bob@hosted.example": "main", "Bob@alias.example": "main", "news@hosted.example": "main",
            "postmaster@alias.example": "main", "anybody@all.example": "main",
            "nobody@hosted.example": UNKNOWN, "nobody@alias.example": UNKNOWN,
            "bob@hosting.example": NO_RELAY, "bob@old.example": NO_RELAY})
        vpopmail.users["hosted.example"] = ["postmaster", "bob", "joe", "eve"]
        vpopmail.put("all.example/.qmail-default", "| /v/vdelivermail '' bounce-no-mailbox\n")
        self.reload(vpopmail.source())
        self.check({"eve@alias.example": "main", "bob@hosted.example": "main",
                    "anybody@all.example": UNKNOWN, "postmaster@all.example": "main"})


class Mixed(Sources):
    """Three mail systems with users of the same names, a list, a directory and accounts."""

    names = ("old", "hosting", "office", "extra")

    def sources(self):
        return [self.qmail.source() + ",backend=old",
                self.vpopmail.source() + ",backend=hosting",
                self.postfix.source() + ",backend=office",
                "list:" + self.directory.join("extra"),
                "ldif:%s,backend=extra" % self.directory.join("people.ldif"),
                "passwd:%s,domain=unix.example,backend=extra" % self.directory.join("accounts")]

    def test_all_kinds(self):
        self.qmail, self.vpopmail = QmailTree(self.directory), VpopmailTree(self.directory)
        self.postfix = PostfixTree(self.directory)
        self.directory.write("extra", "x@moved.example backend=extra\n"
                             "special@office.example backend=extra\n")
        self.directory.write("people.ldif", "dn: cn=Ann\nobjectClass: user\n"
                             "proxyAddresses: SMTP:ann@people.example\n"
                             "proxyAddresses: smtp:a.one@people.example\n")
        self.directory.write("accounts", "joe:x:1001:1001::/home/joe:/bin/sh\n")
        self.start(*self.sources())
        self.check({
            # One name, four users.
            "joe@old.example": "old", "joe@hosted.example": "hosting",
            "joe@office.example": "office", "joe@unix.example": "extra",
            # Each only where it is.
            "ann@old.example": "old", "ann@hosted.example": UNKNOWN,
            "ann@office.example": UNKNOWN, "ann@people.example": "extra",
            "bob@hosted.example": "hosting", "bob@alias.example": "hosting",
            "bob@old.example": UNKNOWN, "bob@second.example": UNKNOWN,
            "info+tag@second.example": "office", "joe+tag@office.example": "office",
            "joe-club@hosted.example": UNKNOWN, "joe-lists-x@old.example": "old",
            "chair@club.example": "old",
            # Forwards from one into another.
            "sales@old.example": "old", "former@old.example": UNKNOWN,
            "gone@office.example": UNKNOWN,
            # qmail would send it on, and a list knows who is there.
            "x@moved.example": "extra", "y@moved.example": UNKNOWN,
            "special@office.example": "extra",
            "a.one@people.example": "extra", "joe@elsewhere.example": NO_RELAY})
        # The target of a forward appears in the other system.
        self.vpopmail.users["hosted.example"] = ["postmaster", "bob", "joe", "nobody"]
        self.postfix.aliases["gone"] = "joe"
        self.reload(*self.sources())
        self.check({"former@old.example": "old", "gone@second.example": "office",
                    "nobody@hosted.example": "hosting", "nobody@old.example": UNKNOWN})


# What mysql prints of a database of vpopmail.
MYSQL = """\
#!/usr/bin/env python3
import sqlite3, sys
db = sqlite3.connect(":memory:")
db.create_function("CONCAT", -1, lambda *parts: "".join(str(p) for p in parts))
db.create_function("IF", 3, lambda condition, yes, no: yes if condition else no)
db.executescript(open(sys.argv[-1]).read())
for query in sys.stdin.read().split(";"):
    for row in db.execute(query):
        print("\\t".join(str(column) for column in row))
"""

VPOPMAIL_TABLES = """
CREATE TABLE vpopmail (pw_name, pw_domain, pw_gid);
CREATE TABLE valias (alias, domain, valias_line);
CREATE TABLE aliasdomains (alias, domain);
INSERT INTO vpopmail VALUES ('bob', 'sql.example', 0), ('locked', 'sql.example', 16),
    ('postmaster', 'sql.example', 0);
INSERT INTO valias VALUES ('team', 'sql.example', '&bob@sql.example'),
    ('team', 'sql.example', '&locked@sql.example'), ('bob', 'sql.example', '&x@else.example');
INSERT INTO aliasdomains VALUES ('also.example', 'sql.example');
"""


class Examples(unittest.TestCase):
    """Programs of docs/examples as command:, each with what it reads."""

    def answers(self, source, addresses):
        database = self.directory.join("recipients.cdb")
        environment = dict(os.environ, PATH=self.directory.join("bin") + ":" + os.environ["PATH"])
        done = subprocess.run([program("gatehouse-recipients"), "compile", "-o", database, source],
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        done = subprocess.run([program("gatehouse-recipients"), "query", database, *addresses],
                              stdout=subprocess.PIPE)
        return {line.split(": ")[0]: line.split(": ")[1].split()[0]
                for line in done.stdout.decode().splitlines()}

    def setUp(self):
        self.directory = Directory("examples")
        self.addCleanup(self.directory.remove)
        self.directory.make("bin")

    def test_sqmail(self):
        users = self.directory.write("recipients", "# users\nann@s.example\nlist-@s.example \n\n"
                                     "postmaster@s.example\n")
        domains = self.directory.write("domains", "!all.example\n@s.example:users/recipients.cdb\n!*\n")
        expected = {"ann@s.example": "accepted", "list-x@s.example": "accepted",
                    "list@s.example": "unknown-user", "bob@s.example": "unknown-user",
                    "any@all.example": "accepted", "x@else.example": "unknown-domain"}
        self.assertEqual(self.answers("command:%s %s %s" % (
            os.path.join(TOP, "docs/examples/recipients-sqmail"), users, domains), expected), expected)

    def test_vpopmail_in_mysql(self):
        os.chmod(self.directory.write("bin/mysql", MYSQL), 0o755)
        tables = self.directory.write("tables", VPOPMAIL_TABLES)
        expected = {"bob@sql.example": "accepted", "bob@also.example": "accepted",
                    "team@sql.example": "accepted", "locked@sql.example": "refused",
                    "nobody@sql.example": "unknown-user", "x@else.example": "unknown-domain"}
        self.assertEqual(self.answers("command:%s %s" % (
            os.path.join(TOP, "docs/examples/recipients-vpopmail-mysql"), tables), expected), expected)


if __name__ == "__main__":
    unittest.main()
