"""
row_F14, row_F29: power cuts at every moment. Who has been told K has a message that is whole on the
disk, whatever of the rest got there; and the gateway starts again from what is left, without repair.
"""

import os
import re
import socket
import subprocess
import threading
import time
import unittest

import dovecot
import exim
import messages
import postfix
import processes
from backends import Mailfront, MaildirServer, read_netstring
from gatehouse import Gatehouse
from ledger import FaultyQmqp, Ledger
from place import IS_ROOT, PATIENCE, Directory, needs_root, program, wait_until
from powercut import Recorder
from smtp import Client, Closed
from sweeps import EVERY, SESSIONS, Sender


def package(content, sender, recipients):
    """A message in QMQP."""
    inner = b"".join(b"%d:%s," % (len(part), part) for part in (content, sender, *recipients))
    return b"%d:%s," % (len(inner), inner)


class Taken:
    """Around the class, so that the loader does not take it for a test of its own."""

    class Case(unittest.TestCase):
        """
        NAMED: what must be assumed of the file system, see powercut.py. WARM: its own directories have
        been made before, and are on disk. YES: what it says when it has taken a message.
        """

        SIZES = (1, 3000, 70000, 300000)  # octets; gatehouse-maildir keeps the small ones in memory
        NAMED = False
        WARM = False
        YES = rb"(\d+:)?K"

        @staticmethod
        def files(content):
            """Returns: for each file that makes up this message, what says whether it is one."""
            return [lambda stored: stored.endswith(content)]

        @classmethod
        def start(cls, recorder):
            """Returns: the back end, recorded, with its end seen to."""
            raise NotImplementedError

        @classmethod
        def setUpClass(cls):
            cls.recorder = Recorder()
            cls.addClassCleanup(cls.recorder.remove)
            port = cls.start(cls.recorder).port
            if cls.WARM:
                cls.deliver(port, messages.simple())
                cls.recorder.watch(cls.recorder.before.root)
            cls.sent = [messages.of_size(size + 250) for size in cls.SIZES]
            for content in cls.sent:
                cls.deliver(port, content)
            cls.trace = cls.recorder.trace()

        @staticmethod
        def deliver(port, content):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                connection.sendall(package(content, b"s@sender.example", [b"alice@example.com"]))
                answer = read_netstring(connection)
                assert re.match(rb"\d+:K", answer), answer

        def says_yes(self, record):
            return record is not None and record.verb == "say" and \
                re.match(self.YES, bytes.fromhex(record.arguments[0])) is not None

        def first_loss(self, trace, named):
            """Returns: what was done before the first moment at which a cut loses mail, or None."""
            told = 0
            for record, disk in self.recorder.cuts(trace, named):
                told += self.says_yes(record)
                for content in self.sent[:told]:
                    if not all(disk.has(file) for file in self.files(content)):
                        return record
            self.assertEqual(told, len(self.sent))
            return None

        def test_row_F14_nothing_is_lost(self):
            self.assertIsNone(self.first_loss(self.trace, self.NAMED))

        def test_each_sync_is_needed(self):
            """The check sees it when one of a message is left out."""
            needed = [number for number, record in enumerate(self.trace) if self.is_needed(record)]
            self.assertGreaterEqual(len(needed), len(self.sent))
            for number in needed:
                with self.subTest(record=self.trace[number]):
                    less = self.trace[:number] + self.trace[number + 1:]
                    self.assertIsNotNone(self.first_loss(less, self.NAMED))

        def is_needed(self, record):
            """Whether it is the sync of a directory, or of a file of a message: not of an index."""
            if record.verb != "sync":
                return record.verb == "syncdir"
            with open(record.arguments[1], "rb") as f:
                stored = f.read()
            return any(file(stored) for content in self.sent for file in self.files(content))


class Maildir(Taken.Case):
    """gatehouse-maildir, which makes its directories itself."""

    @classmethod
    def start(cls, recorder):
        directory = Directory("powercut")
        cls.addClassCleanup(directory.remove)
        recorder.watch(directory.path)
        backend = MaildirServer(path=directory.join("Maildir"), environment=recorder.environment)
        cls.addClassCleanup(backend.stop)
        return backend


class MailfrontQmqp(Taken.Case):
    """It says K when its queue program has ended well; that one is ours."""

    @classmethod
    def start(cls, recorder):
        backend = Mailfront(begin=False)
        cls.addClassCleanup(backend.stop)
        recorder.watch(backend.directory.path)
        backend.environment.update(recorder.environment)
        backend.start()
        return backend


@needs_root
class PostfixQmqpd(Taken.Case):
    """It syncs the file, and leaves the name to the file system."""

    NAMED = True

    @staticmethod
    def files(content):
        def queued(stored):
            try:
                return postfix.queue_file(stored)[2].endswith(content)
            except (AssertionError, IndexError, ValueError):
                return False

        return [queued]

    @classmethod
    def start(cls, recorder):
        passed_on = " ".join("%s=%s" % pair for pair in recorder.environment.items())
        backend = postfix.Queue("qmqpd", "import_environment = MAIL_CONFIG TZ=UTC "
                                "LD_LIBRARY_PATH={environment[LD_LIBRARY_PATH]} "
                                "RECORD_BELOW={directory} " + passed_on + "\n", begin=False)
        cls.addClassCleanup(backend.stop)
        recorder.watch(backend.directory.path)
        backend.start()
        return backend

    def test_the_name_is_left_to_the_file_system(self):
        self.assertIsNotNone(self.first_loss(self.trace, False))


class Spoken:
    """Of back ends that are spoken to in SMTP or LMTP."""

    HELLO = "EHLO"

    @classmethod
    def deliver(cls, port, content):
        with Client(port) as client:
            assert client.command(cls.HELLO + " client.example").code == 250
            reply = client.deliver("s@sender.example", ["alice@example.com"], content)
            assert reply.code == 250, reply


@needs_root
class EximSmtp(Spoken, Taken.Case):
    YES = rb"250 OK id="

    WARM = True

    @staticmethod
    def files(content):
        head, _, body = content.partition(b"\n\n")
        return [lambda stored: stored.endswith(b"\n" + body) and head not in stored,
                lambda stored: head.splitlines()[-1] in stored]

    @classmethod
    def start(cls, recorder):
        backend = exim.Exim(begin=False)
        cls.addClassCleanup(backend.stop)
        recorder.watch(backend.place.directory.path)
        environment = dict(recorder.environment)
        backend.place.environment["LD_PRELOAD"] += ":" + environment.pop("LD_PRELOAD")
        backend.place.environment.update(environment)
        backend.start()
        return backend


@needs_root
class DovecotLmtp(Spoken, Taken.Case):
    HELLO = "LHLO"
    WARM = True
    YES = rb"250 2\.0\.0 <alice@example\.com> .* Saved"

    @classmethod
    def start(cls, recorder):
        backend = dovecot.Dovecot(recorder=recorder)
        cls.addClassCleanup(backend.stop)
        return backend


OLD, NEW = "alice@example.com\nbob@example.com\n", "alice@example.com\ncarol@example.com\n"


class Publish(unittest.TestCase):
    """row_F29: what the gateway needs to start again: the database and its overlay."""

    NAMES = ("recipients.cdb", "recipients.cdb.overlay", "recipients.cdb.prev")

    def setUp(self):
        self.directory = Directory("powercut")
        self.addCleanup(self.directory.remove)
        self.directory.make("db")
        self.database = self.directory.join("db", "recipients.cdb")
        self.recorder = Recorder()
        self.addCleanup(self.recorder.remove)

    def list(self, text):
        return "list:" + self.directory.write("list", text)

    def recipients(self, *arguments):
        done = subprocess.run([program("gatehouse-recipients"), *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def record(self, *arguments):
        self.recorder.watch(self.directory.join("db"))
        status, said = self.recorder.run(program("gatehouse-recipients"), *arguments)
        self.assertEqual(status, 0, said)
        return self.recorder.trace()

    def worlds(self, trace):
        """
        Returns: what may be there after a cut while the command runs, and when it has ended; each a
        list of dictionaries of names and contents, none of them twice.
        """
        during = []
        for _, disk in self.recorder.cuts(trace):
            during += disk.worlds(self.recorder.before.root)
        ended = disk.worlds(self.recorder.before.root)
        return [self.distinct(found) for found in (during, ended)]

    def distinct(self, worlds):
        known = {tuple((name, world[name]) for name in self.NAMES if name in world)
                 for world in worlds}
        return [dict(world) for world in known]

    def materialise(self, world):
        """Returns: a directory that is as this world."""
        directory = Directory("world")
        self.addCleanup(directory.remove)
        for name, content in world.items():
            self.assertIsNotNone(content, name + " may hold anything")
            directory.write(name, content)
        return directory

    def accepted(self, world):
        """Returns: who of those that are asked for is accepted."""
        directory = self.materialise(world)
        asked = ["%s@example.com" % name for name in ("alice", "bob", "carol", "dan")]
        done = subprocess.run([program("gatehouse-recipients"), "query",
                               directory.join("recipients.cdb"), *asked],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), len(asked), done.stdout)
        return {line.split("@")[0] for line in lines if ": accept" in line}

    def check(self, trace, before, after):
        """In: who is accepted before and after what the trace is of."""
        during, ended = self.worlds(trace)
        for world in during:
            self.assertIn(self.accepted(world), (before, after))
        for world in ended:
            self.assertEqual(self.accepted(world), after)

    def check_syncs(self, trace, before, after):
        """The same without each sync in turn must fail."""
        for number, record in enumerate(trace):
            if record.verb.startswith("sync"):
                with self.subTest(record=record), self.assertRaises(AssertionError):
                    self.check(trace[:number] + trace[number + 1:], before, after)

    def test_compile(self):
        self.recipients("compile", "-o", self.database, self.list(OLD))
        trace = self.record("compile", "--force", "-o", self.database, self.list(NEW))
        self.check(trace, {"alice", "bob"}, {"alice", "carol"})
        self.check_syncs(trace, {"alice", "bob"}, {"alice", "carol"})

    def test_add(self):
        self.recipients("compile", "-o", self.database, self.list(OLD))
        self.recipients("add", "-d", self.database, "carol@example.com")
        trace = self.record("add", "-d", self.database, "dan@example.com")
        before, after = {"alice", "bob", "carol"}, {"alice", "bob", "carol", "dan"}
        self.check(trace, before, after)
        self.check_syncs(trace, before, after)

    def test_compile_folds_in(self):
        """Who was added stays, in whatever order things reach the disk; the gateway starts with it."""
        self.recipients("compile", "-o", self.database, self.list(OLD))
        self.recipients("add", "-d", self.database, "dan@example.com")
        trace = self.record("compile", "--force", "-o", self.database,
                            self.list(NEW + "dan@example.com\n"))
        self.check(trace, {"alice", "bob", "dan"}, {"alice", "carol", "dan"})
        during, _ = self.worlds(trace)
        self.assertGreater(len(during), 2)
        with MaildirServer() as backend:
            for world in during:
                database = self.materialise(world).join("recipients.cdb")
                with Gatehouse(backend.port, options={"recipients": '"%s"' % database}) as gateway:
                    reply = gateway.deliver(["dan@example.com"], messages.simple())
                    self.assertEqual(reply.code, 250, reply)


class Power:
    """That of the host of a gateway."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.moments = 0  # of beginnings and ends: odd while one goes on

    def cut(self):
        """Everything ends at once. What is on its way to clients is lost: see Sender."""
        self.moments += 1
        pids = self.gateway.everything()
        for pid in pids:
            processes.kill(pid)
        for pid in pids[1:]:
            processes.wait_gone(pid)
        self.gateway.process.wait()
        self.moments += 1


class CutSender(Sender):
    """A client that hears nothing of what was said before a power cut."""

    power = None

    def once(self, token, content):
        before = self.power.moments
        try:
            return super().once(token, content)
        except OSError:
            time.sleep(0.05)  # it is down
            raise Closed()
        finally:
            if self.power.moments != before or before % 2:
                self.ledger.excuse(token)
                raise Closed()


class Gateway(unittest.TestCase):
    """row_F29: the host of the gateway loses its power under load, and starts again as it is."""

    CUTS = 50 if EVERY else 5

    def test_row_F29_starts_again_without_repair(self):
        ledger = Ledger()
        with FaultyQmqp(ledger) as server, Gatehouse({"main": server.ports}) as gateway:
            power, ending = Power(gateway), threading.Event()

            def session():
                sender = CutSender(gateway, ledger, ["alice@example.com"])
                sender.power = power
                try:
                    while not ending.is_set():
                        sender.work(False)
                except Exception as error:  # a bug of the test must not look like success
                    ledger.trouble("session: %r" % error)
                    raise
                finally:
                    sender.hang_up()

            threads = [threading.Thread(target=session) for _ in range(SESSIONS)]
            for thread in threads:
                thread.start()
            try:
                self.cut_again_and_again(gateway, power, ledger)
            finally:
                ending.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(ledger.check(), [])
            self.assertEqual(ledger.acknowledged | ledger.refused, set(ledger.contents))
            print("%s: %d cuts, %d messages taken, %d copies too many" % (
                self.id(), self.CUTS, len(ledger.acknowledged), ledger.duplicates()))

    def cut_again_and_again(self, gateway, power, ledger):
        files = self.files(gateway)
        for _ in range(self.CUTS):
            had = len(ledger.acknowledged)
            wait_until(lambda: len(ledger.acknowledged) > had + 5, "mail to be taken")
            if IS_ROOT:  # nobody else sees what confined processes have open
                self.no_file_is_written(gateway)
            power.cut()
            self.assertEqual(self.files(gateway), files)
            gateway.start()

    def files(self, gateway):
        """Of the gateway, with their content; without the log, the pid, the control socket."""
        found = {}
        for where, _, names in os.walk(gateway.directory.path):
            for name in names:
                path = os.path.join(where, name)
                if name not in ("log", "gatehouse.pid", "control"):
                    with open(path, "rb") as f:
                        found[path] = f.read()
        return found

    def no_file_is_written(self, gateway):
        """There is no state: files are open for writing only where that is a log or a pid."""
        for pid in gateway.everything():
            try:
                for name in os.listdir("/proc/%d/fd" % pid):
                    path = os.readlink("/proc/%d/fd/%s" % (pid, name))
                    with open("/proc/%d/fdinfo/%s" % (pid, name)) as f:
                        flags = int(re.search(r"flags:\t(\d+)", f.read()).group(1), 8)
                    if path[:1] == "/" and flags & os.O_ACCMODE and not path.startswith(
                            ("/memfd:", "/dev/")) and os.path.isfile(path):
                        self.assertIn(path, (gateway.log_path,
                                             gateway.directory.join("run", "gatehouse.pid")))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended, or closed that one


if __name__ == "__main__":
    unittest.main()
