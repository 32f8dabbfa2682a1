"""gatehouse-recipients audit, explain and compile --watch, as an operator calls them."""

import os
import socket
import subprocess
import threading
import unittest

import processes
from place import Directory, free_port, program, wait_until
from postfix import Postfix

TOOL = "gatehouse-recipients"


def run(*words):
    return subprocess.run([program(TOOL), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


class FakeServer:
    """Knows who it takes; answers RCPT by that. Notes every command."""

    def __init__(self, known, deferred=(), hello=b"EHLO"):
        self.known, self.deferred, self.hello = known, deferred, hello
        self.commands = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220-fake\r\n220 ready\r\n")
            for line in lines:
                self.commands.append(line.rstrip())
                word = line.split()[0].upper()
                reply = b"250 ok"
                if word in (b"EHLO", b"LHLO"):
                    reply = b"250-fake\r\n250 SIZE" if word == self.hello else b"502 no"
                if word == b"RCPT":
                    address = line.split(b"<")[1].split(b">")[0].decode()
                    if address in self.deferred:
                        reply = b"451 4.3.0 later"
                    elif address not in self.known:
                        reply = b"550 5.1.1 no such user"
                connection.sendall(reply + b"\r\n")
                if word == b"QUIT":
                    return

    def stop(self):
        self.socket.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = Directory("audit")
        self.addCleanup(self.directory.remove)
        self.database = self.directory.join("r.cdb")

    def compile(self, text):
        done = run("compile", "-o", self.database,
                   "list:" + self.directory.write("list", text))
        self.assertEqual(done.returncode, 0, done.stdout)

    def audit(self, port, *words, kind="--smtp"):
        return run("audit", "-d", self.database, kind, "127.0.0.1:%d" % port, "--rate", "10000",
                   *words)


class Audit(Case):
    USERS = ["user%d@example.com" % i for i in range(120)]

    def setUp(self):
        super().setUp()
        self.compile("".join(user + "\n" for user in self.USERS) +
                     "off@example.com reject=\"5.2.1 Disabled\"\n")

    def server(self, *words, **options):
        server = FakeServer(*words, **options)
        self.addCleanup(server.stop)
        return server

    def test_agree(self):
        server = self.server(self.USERS)
        done = self.audit(server.port, "--connections", "3", "--from", "me@example.net")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("120 members and 200 others asked: 320 agree, 0 false accepts", done.stdout)
        words = [command.split()[0] for command in server.commands]
        self.assertGreaterEqual(words.count(b"EHLO"), 3)
        self.assertEqual(words.count(b"RCPT"), 320)
        self.assertNotIn(b"DATA", words)
        self.assertIn(b"MAIL FROM:<me@example.net>", server.commands)

    def test_false_accepts_and_refusals(self):
        server = self.server(self.USERS[1:], deferred=[self.USERS[7]])
        done = self.audit(server.port)
        self.assertEqual(done.returncode, 1)
        self.assertIn("false accept: user0@example.com: the back end says 550 5.1.1 no such user",
                      done.stdout)
        self.assertIn("deferred: user7@example.com: the back end says 451", done.stdout)
        self.assertIn("1 false accepts, 0 false refusals, 1 deferred", done.stdout)

    def test_a_back_end_that_takes_everything(self):
        class All:
            def __contains__(self, _):
                return True
        server = self.server(All())
        done = self.audit(server.port, "--sample", "10")
        self.assertEqual(done.returncode, 1)
        self.assertIn("10 members and 10 others asked: 10 agree, 0 false accepts, "
                      "10 false refusals", done.stdout)

    def test_lmtp(self):
        server = self.server(self.USERS, hello=b"LHLO")
        self.assertEqual(self.audit(server.port, kind="--lmtp").returncode, 0)
        self.assertEqual(self.audit(server.port).returncode, 75)

    def test_nobody_there(self):
        done = self.audit(free_port())
        self.assertEqual(done.returncode, 75)
        self.assertIn("Connection refused", done.stdout)

    def test_postfix(self):
        server = Postfix(
            "127.0.0.1:{port} inet n - n - - smtpd\n",
            "virtual_mailbox_domains = example.com\n"
            "virtual_mailbox_maps = inline:{{%s}}\n"
            "smtpd_relay_restrictions = reject_unauth_destination\n" %
            ", ".join("%s=x" % user for user in self.USERS[:50] + ["extra@example.com"]))
        self.addCleanup(server.stop)
        done = self.audit(server.port, "--sample", "120")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("120 members and 120 others asked: 170 agree, 70 false accepts, "
                      "0 false refusals", done.stdout)


class Explain(Case):
    def test_lines_that_decided(self):
        self.compile("# who\ndomain:example.com class=staff\n\nalice@example.com\n"
                     "bob+*@example.com\n@example.org alias=example.com\n")
        path = self.directory.join("list")
        for words in (("-d", self.database, "bob+x@example.org"),
                      ("bob+x@example.org", "list:" + path)):
            done = run("explain", *words)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("bob+x@example.org: accepted by=extensions", done.stdout)
            self.assertRegex(done.stdout, "domain example.org: .* -- %s:6" % path)
            self.assertRegex(done.stdout, "domain example.com: .* -- %s:2" % path)
            self.assertRegex(done.stdout, "extensions-of 1 bob\\+: accept -- %s:5" % path)
        done = run("explain", "-d", self.database, "nobody@example.com")
        self.assertEqual(done.returncode, 1)
        self.assertIn("unknown-user", done.stdout)
        self.directory.write("list", "alice@example.com\n")
        done = run("explain", "-d", self.database, "alice@example.com")
        self.assertIn("has changed since", done.stdout)


class Watch(Case):
    def query(self, address):
        return run("query", self.database, address).returncode == 0

    def test_changes_are_compiled(self):
        source = self.directory.write("list", "a@example.com\n")
        process = subprocess.Popen(
            [program(TOOL), "compile", "--watch", "-o", self.database, "list:" + source],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(processes.end, process)
        wait_until(lambda: os.path.exists(self.database) and self.query("a@example.com"),
                   "the first one")
        # Replaced, as editors do.
        self.directory.write("list", "a@example.com\nb@example.com\n")
        wait_until(lambda: self.query("b@example.com"), "the second one")
        # One with an error changes nothing, and the next good one is taken.
        self.directory.write("list", "a@example.com\nnonsense\n")
        self.directory.write("list", "a@example.com\nb@example.com\nc@example.com\n")
        wait_until(lambda: self.query("c@example.com"), "the third one")


if __name__ == "__main__":
    unittest.main()
