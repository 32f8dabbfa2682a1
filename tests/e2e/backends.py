"""Back ends: our own Maildir server, a server that does what a test says, mailfront."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import processes
from place import (Directory, free_port, helper, peer, peer_environment, program, wait_port,
                   wait_until)

# Fields that the gateway and a back end put before the content.
OURS = (b"Received", b"Received-SPF", b"Authentication-Results")
BACKENDS = (b"Return-Path", b"Delivered-To", b"X-Original-To", b"Received", b"Message-Id", b"Date",
            b"From")


def split_block(stored, content):
    """
    Takes what lies in a mailbox and the content that was sent, in LF form.
    Returns: the fields before the content, unfolded; fails when anything else differs.
    """
    content = content.replace(b"\r\n", b"\n")
    if not stored.endswith(content):
        at = next((i for i in range(1, min(len(stored), len(content)) + 1)
                   if stored[-i] != content[-i]), min(len(stored), len(content)))
        raise AssertionError("content differs %d octets before its end: stored ...%r, sent ...%r" %
                             (at, stored[-at:][:80], content[-at:][:80]))
    block = stored[:len(stored) - len(content)]
    assert block == b"" or block.endswith(b"\n"), block
    fields = re.sub(rb"\n[ \t]+", b" ", block).split(b"\n")[:-1]
    for field in fields:
        name = field.split(b":")[0]
        assert name in OURS + BACKENDS, "a field that nobody may add: %r" % field
    return fields


class Maildir:
    """Octets of the messages in a Maildir."""

    def __init__(self, path):
        self.path = path

    def files(self):
        try:
            return sorted(os.path.join(self.path, "new", name)
                          for name in os.listdir(os.path.join(self.path, "new")))
        except FileNotFoundError:
            return []

    def messages(self):
        found = []
        for path in self.files():
            with open(path, "rb") as f:
                found.append(f.read())
        return found

    def clear(self):
        for path in self.files():
            os.unlink(path)

    def wait(self, count):
        """Waits until that many lie there, for back ends that deliver after their answer."""
        wait_until(lambda: len(self.files()) >= count, "%d messages in %s" % (count, self.path))
        return self.messages()


class Backend:
    """What all have: a port, messages, an end."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class MaildirServer(Backend):
    """gatehouse-maildir, our own QMQP server."""

    def __init__(self, discard=False, port=None, path=None, environment=None):
        self.directory = Directory("maildir")
        self.maildir = Maildir(path or self.directory.join("Maildir"))
        self.environment = dict(os.environ, **(environment or {}))
        self.port = port or free_port()
        self.discard = discard
        self.start()

    def start(self):
        where = ["--discard"] if self.discard else [self.maildir.path]
        with open(self.directory.join("log"), "ab") as log:
            self.process = subprocess.Popen(
                [program("gatehouse-maildir"), "--listen", "127.0.0.1:%d" % self.port] + where,
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_port(self.port, process=self.process)

    def halt(self, number=signal.SIGTERM):
        """Ends the server and leaves the mail."""
        processes.end(self.process, number)

    def stop(self):
        self.halt()
        self.directory.remove()


class Package:
    """A QMQP package as it was received."""

    def __init__(self, octets):
        outer, rest = netstring(octets)
        assert rest == b"", "octets after the package: %r" % rest[:40]
        self.content, rest = netstring(outer)
        self.sender, rest = netstring(rest)
        self.recipients = []
        while rest:
            recipient, rest = netstring(rest)
            self.recipients.append(recipient)


def netstring(octets):
    """Returns: the string and the octets after it."""
    digits, colon, rest = octets.partition(b":")
    length = int(digits)
    assert colon and str(length).encode() == digits and rest[length:length + 1] == b",", octets[:40]
    return rest[:length], rest[length + 1:]


def answer(text):
    """A QMQP answer as a netstring."""
    text = text if isinstance(text, bytes) else text.encode()
    return b"%d:%s," % (len(text), text)


class Scripted(Backend):
    """
    A QMQP server in this process. `behaviour(server, connection)` handles each connection in
    a thread of its own; the default takes the package and answers `self.answer`.
    """

    def __init__(self, behaviour=None, text="Kok"):
        self.answer = answer(text)
        self.behaviour = behaviour or Scripted.take
        self.packages = []
        self.connections = 0
        self.lock = threading.Lock()
        self.port = free_port()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(connection)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            connection.settimeout(120)
            self.behaviour(self, connection)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
            connection.close()

    def read_package(self, connection):
        """Reads a whole package and remembers it. Returns: None when it stays incomplete."""
        octets = read_netstring(connection)
        if octets is None:
            return None
        package = Package(octets)
        with self.lock:
            self.packages.append(package)
        return package

    def take(self, connection):
        if self.read_package(connection) is not None:
            connection.sendall(self.answer)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def read_netstring(connection):
    """Reads up to the comma. Returns: None when the peer closed before it."""
    octets = b""
    while b":" not in octets:
        more = connection.recv(65536)
        if not more:
            return None
        octets += more
    head, _, _ = octets.partition(b":")
    whole = len(head) + 1 + int(head) + 1
    parts, have = [octets], len(octets)
    while have < whole:
        more = connection.recv(1 << 20)
        if not more:
            return None
        parts.append(more)
        have += len(more)
    return b"".join(parts)


class QmqpSink(Backend):
    """Postfix's qmqp-sink: takes and forgets."""

    def __init__(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            [peer("postfix", "usr/sbin/qmqp-sink"), "127.0.0.1:%d" % self.port, "1000"],
            env=peer_environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.port, process=self.process)

    def stop(self):
        processes.end(self.process)


def queue_program(directory):
    """
    A copy of the queue program of the tests, with the Maildir that it fills, both for any user: its
    account may not be able to read this tree. Returns: the path of the program.
    """
    for name in (".", "new", "tmp"):
        os.chmod(directory.make("Maildir", name), 0o777)
    return shutil.copy(helper("tests/e2e/qmail_queue.c"), directory.join("queue"))


class Mailfront(Backend):
    """
    mailfront's QMQP or QMTP front over a queue program of ours that writes into a Maildir; served
    as inetd does, one process for each connection. In: begin, or start() is for the caller.
    """

    INETD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inetd.py")

    def __init__(self, protocol="qmqp", begin=True):
        self.directory = Directory("mailfront")
        queue = queue_program(self.directory)
        self.maildir = Maildir(self.directory.join("Maildir"))
        self.port = free_port()
        self.command = [peer("mailfront", "usr/sbin/mailfront"), protocol, "qmail", "accept"]
        self.environment = peer_environment(
            MODULE_PATH=peer("mailfront", "usr/lib/mailfront"), QMAILQUEUE=queue,
            QMAILHOME=self.directory.path,
            PROTO="TCP", TCPREMOTEIP="127.0.0.1", TCPREMOTEHOST="localhost")
        if begin:
            self.start()

    def start(self):
        with open(self.directory.join("log"), "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", self.INETD, str(self.port)] + self.command,
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        wait_port(self.port, process=self.process)

    def running(self):
        return self.process.poll() is None

    def kill(self):
        """Kills one of the sessions, or a queue program. Returns: its name, or None."""
        pids = [pid for pid in processes.of_session(self.process.pid) if pid != self.process.pid]
        pid = random.choice(pids) if pids else None
        name = pid and processes.name(pid)
        return name if name and processes.kill(pid) else None

    def halt(self):
        """Kills every process; what is in the Maildir stays, and start() is possible."""
        processes.end_sessions(self.process.pid)
        self.process.wait()

    def commits(self):
        """Triples of sender, recipients and content of what the queue program has taken."""
        for stored in self.maildir.messages():
            head = re.match(rb"Return-Path: <(.*)>\n((?:Delivered-To: .*\n)*)", stored)
            yield (head.group(1), re.findall(rb"^Delivered-To: (.*)$", head.group(2), re.M),
                   stored[head.end():])

    def stop(self):
        self.halt()
        self.directory.remove()
