"""
The ledger: what a simulated back end committed against what clients were told. Every message
carries a token of its own as the local part of its sender.

  acknowledged          committed, for every recipient that was taken
  refused for good      not committed at all
  committed twice       only when a fault hit after the commit octet
  committed for whom    only for recipients that RCPT was answered 2xx for
  committed octets      those that were sent, un-stuffed, after our header block
"""

import collections
import os
import select
import socket
import struct
import threading

from backends import Backend, netstring, split_block
from place import free_port

REFUSE = b"X-Refuse: yes"  # a message with this field is refused for good by the back end

Commit = collections.namedtuple("Commit", "recipients content")


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.contents = {}  # by token
        self.accepted = collections.defaultdict(set)  # recipients answered 2xx, by token
        self.acknowledged = set()
        self.refused = set()
        self.excuses = collections.Counter()  # faults after the commit octet, by token
        self.commits = collections.defaultdict(list)
        self.troubles = []

    def trouble(self, text):
        with self.lock:
            self.troubles.append(text)

    def new(self, token, content):
        with self.lock:
            self.contents[token] = content

    def accept(self, token, recipient):
        with self.lock:
            self.accepted[token].add(recipient)

    def acknowledge(self, token):
        with self.lock:
            self.acknowledged.add(token)

    def refuse(self, token):
        with self.lock:
            self.refused.add(token)

    def excuse(self, token):
        with self.lock:
            self.excuses[token] += 1

    def commit(self, sender, recipients, content):
        """What the back end has now. Returns: the token."""
        token = sender.partition(b"@")[0].decode()
        with self.lock:
            self.commits[token].append(Commit([r.decode() for r in recipients], content))
        return token

    def duplicates(self):
        """Commits of a message to the same recipient beyond the first."""
        return sum(count - 1 for commits in self.commits.values()
                   for count in self._copies(commits).values())

    @staticmethod
    def _copies(commits):
        return collections.Counter(r for commit in commits for r in commit.recipients)

    def check(self):
        """Returns: everything that is not as it must be, as a list of texts."""
        for token in self.acknowledged:
            missing = self.accepted[token] - set(self._copies(self.commits[token]))
            if missing:
                self.trouble("LOST: %s was acknowledged and is not there for %s" %
                             (token, sorted(missing)))
        for token, commits in self.commits.items():
            if token not in self.contents:
                self.trouble("a message of nobody: %s" % token)
                continue
            if token in self.refused:
                self.trouble("%s was refused for good and is there" % token)
            for recipient, count in self._copies(commits).items():
                if recipient not in self.accepted[token]:
                    self.trouble("%s is there for %s, who was not accepted" % (token, recipient))
                if count > 1 + self.excuses[token]:
                    self.trouble("%s is there %d times for %s, with %d faults after the commit" %
                                 (token, count, recipient, self.excuses[token]))
            for commit in commits:
                try:
                    split_block(commit.content, self.contents[token])
                except AssertionError as error:
                    self.trouble("%s: %s" % (token, error))
        return self.troubles


class Fault(collections.namedtuple("Fault", "direction at how")):
    """
    direction: "read", of what the server reads, or "answer", of what it says, since the message
    before; at: after that many octets; how: "close", "reset", or "stall": neither reads nor answers
    any more, until the gateway closes.
    """


class Hit(Exception):
    """The fault of this connection has come."""


class Wire:
    """A connection of a server that breaks where its fault says."""

    def __init__(self, connection, fault):
        self.connection = connection
        self.fault = fault
        self.buffer = b""
        self.start()

    def start(self):
        """The next message begins; octets are counted from here."""
        self.counts = {"read": 0, "answer": 0}

    def left(self, direction):
        """Octets until the fault, or a great many."""
        if self.fault is None or self.fault.direction != direction:
            return 1 << 30
        return self.fault.at - self.counts[direction]

    def more(self):
        if self.left("read") == 0:
            raise Hit
        octets = self.connection.recv(min(65536, self.left("read")))
        if not octets:
            raise EOFError
        self.counts["read"] += len(octets)
        self.buffer += octets

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def take_through(self, mark):
        while mark not in self.buffer:
            self.more()
        return self.take(self.buffer.index(mark) + len(mark))

    def say(self, octets):
        octets, cut = octets[:self.left("answer")], len(octets)
        self.connection.sendall(octets)
        self.counts["answer"] += len(octets)
        if self.left("answer") == 0:
            raise Hit
        assert len(octets) == cut

    def whole(self):
        """All octets of the message have been read: last chance for a fault before the commit."""
        if self.left("read") == 0:
            raise Hit

    def end(self, hit):
        how = self.fault.how if self.fault else "close"
        if how == "stall" and hit:
            poll = select.poll()
            poll.register(self.connection, select.POLLRDHUP)
            poll.poll()
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
        self.connection.close()


class FaultyServer(Backend):
    """
    A server with a plan of faults: one for each second connection; those in between take a message
    and close; none when the plan is done. Faults that lie behind the last octet of a message are
    counted in `beyond` and dropped, those of connections that nobody used come again.
    """

    def __init__(self, ledger, plan=(), ports=1):
        self.ledger = ledger
        self.lock = threading.Lock()
        self.plan = collections.deque(plan)
        self.open = 0  # connections with a fault
        self.hits = self.beyond = self.connections = self.deaths = 0
        self.longest = {"read": 0, "answer": 0}
        self.sockets = set()
        self.ports = [free_port() for _ in range(ports)]
        self.start()

    def start(self):
        self.listeners = [socket.create_server(("127.0.0.1", port), backlog=256)
                          for port in self.ports]
        for listener in self.listeners:
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def die(self):
        """Nobody listens any more, and every connection ends where it is."""
        self.unlisten()
        with self.lock:
            self.deaths += 1
            for connection in self.sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.sockets.add(connection)
                deaths = self.deaths
                once = bool(self.plan)
                fault = None
                if self.plan and self.connections % 2:
                    fault = self.plan.popleft()
                    self.open += 1
            threading.Thread(target=self._one, args=(connection, fault, once, deaths),
                             daemon=True).start()

    def wire(self, connection, fault):
        return Wire(connection, fault)

    def _one(self, connection, fault, once, deaths):
        wire = self.wire(connection, fault)
        hit = self.speak(wire, once, deaths)
        wire.end(hit)
        with self.lock:
            self.sockets.discard(connection)
            if fault is not None:
                self.open -= 1

    def speak(self, wire, once, deaths):
        """One connection. Returns: whether its fault has come."""
        token, done = [], False  # the token is there from the commit on
        last = []
        try:
            self.greet(wire)
            while True:
                token.clear()
                self.message(wire, token)
                with self.lock:
                    for direction, count in wire.counts.items():
                        self.longest[direction] = max(self.longest[direction], count)
                last = list(token)
                if wire.fault is not None:
                    done = True
                    with self.lock:
                        self.beyond += 1
                if wire.fault is not None or once:
                    self.leave(wire)
                    return False
                wire.start()
        except Hit:
            done = True
            with self.lock:
                self.hits += 1
            if token:
                self.ledger.excuse(token[0])
            return True
        except (EOFError, OSError) as error:
            unsure = self.unsure(token, last, self.deaths != deaths, error)
            if unsure:
                self.ledger.excuse(unsure[0])
        except (AssertionError, ValueError) as error:
            self.ledger.trouble("the back end got nonsense: %r" % error)
        finally:
            if wire.fault is not None and not done:
                with self.lock:
                    self.plan.append(wire.fault)
        return False

    def leave(self, wire):
        """A message has been answered, and the connection is given up."""

    def unsure(self, token, last, died, _error):
        """
        A connection has ended without a fault of ours. In: token, of a message that is committed and
        not answered; last, of the one before, when token is empty. Returns: the one whose answer may
        not have got through, or nothing.
        """
        return died and (token or last)

    def take(self, wire, token, sender, recipients, content):
        """A whole message has been read. Returns: whether it was committed."""
        wire.whole()
        if REFUSE in content:
            return False
        token.append(self.ledger.commit(sender, recipients, content))
        return True

    def settle(self):
        """From here on nothing is committed any more."""

    def done(self):
        with self.lock:
            return not self.plan and not self.open

    def greet(self, wire):
        pass

    def unlisten(self):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def stop(self):
        self.unlisten()


class FaultyQmqp(FaultyServer):
    PROTOCOL = "qmqp"

    def netstring(self, wire):
        length = int(wire.take_through(b":")[:-1])
        octets = wire.take(length + 1)
        assert octets[-1:] == b",", "no comma"
        return octets[:-1]

    def recipients(self, octets):
        found = []
        while octets:
            recipient, octets = netstring(octets)
            found.append(recipient)
        return found

    def message(self, wire, token):
        content, rest = netstring(self.netstring(wire))
        sender, rest = netstring(rest)
        taken = self.take(wire, token, sender, self.recipients(rest), content)
        wire.say(b"3:Kok," if taken else b"5:Dnot!,")


class FaultyQmtp(FaultyQmqp):
    PROTOCOL = "qmtp"

    def message(self, wire, token):
        content, sender = self.netstring(wire), self.netstring(wire)
        recipients = self.recipients(self.netstring(wire))
        assert content[:1] == b"\n", "not in LF form"
        taken = self.take(wire, token, sender, recipients, content[1:])
        for _ in recipients:
            wire.say(b"3:Kok," if taken else b"5:Dnot!,")


class FaultyLmtp(FaultyServer):
    PROTOCOL, EACH = "lmtp", True

    def greet(self, wire):
        wire.say(b"220 store\r\n")

    def content(self, wire):
        lines = []
        while True:
            line = wire.take_through(b"\n")
            assert line.endswith(b"\r\n") and b"\r" not in line[:-2], "a bare CR or LF"
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[line[:1] == b".":-2] + b"\n")

    def message(self, wire, token):
        sender, recipients = None, []
        while True:
            line = wire.take_through(b"\r\n")[:-2]
            if line[:4] in (b"EHLO", b"LHLO"):
                wire.say(b"250-store\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n")
            elif line.startswith(b"MAIL FROM:<"):
                sender, recipients = line[11:].partition(b">")[0], []
                wire.say(b"250 ok\r\n")
            elif line.startswith(b"RCPT TO:<"):
                recipients.append(line[9:].partition(b">")[0])
                wire.say(b"250 ok\r\n")
            elif line == b"DATA":
                wire.say(b"354 go\r\n")
                content = self.content(wire)
                taken = self.take(wire, token, sender, recipients, content)
                for _ in recipients if self.EACH else recipients[:1]:
                    wire.say(b"250 2.0.0 ok\r\n" if taken else b"554 5.6.0 not\r\n")
                return
            else:
                wire.say(b"250 ok\r\n")


class FaultySmtp(FaultyLmtp):
    PROTOCOL, EACH = "smtp", False


SERVERS = {server.PROTOCOL: server for server in (FaultyQmqp, FaultyQmtp, FaultyLmtp, FaultySmtp)}


class Watch(threading.Thread):
    """
    Looks again and again where the processes of a gateway are connected to.
    In: allowed, a set of ports on loopback. Out: foreign, other ends that were seen.
    """

    PAUSE = 0.01
    RENEW = 50  # looks between two lists of the processes
    LISTEN = "0A"

    def __init__(self, gateway, allowed):
        super().__init__(daemon=True)
        self.gateway = gateway
        self.allowed = {("127.0.0.1", port) for port in allowed}
        self.foreign = set()
        self.looks = 0
        self.ending = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()

    def run(self):
        while not self.ending.wait(self.PAUSE):
            self.look()

    def look(self):
        if self.looks % self.RENEW == 0:
            self.pids = self.gateway.everything()
        self.looks += 1
        table = self.table()
        for inode in self.inodes():
            if inode not in table:
                continue
            local, remote, state = table[inode]
            if state == self.LISTEN or local[1] == self.gateway.port or remote[1] == 0:
                continue
            if remote not in self.allowed:
                self.foreign.add(remote)

    def inodes(self):
        found = set()
        for pid in self.pids:
            try:
                for name in os.listdir("/proc/%d/fd" % pid):
                    target = os.readlink("/proc/%d/fd/%s" % (pid, name))
                    if target.startswith("socket:["):
                        found.add(target[8:-1])
            except OSError:
                continue  # it has ended, or closed that one
        return found

    @staticmethod
    def table():
        """Of every TCP and UDP socket, by inode: both ends and the state."""
        found = {}
        for name in ("tcp", "tcp6", "udp", "udp6"):
            try:
                with open("/proc/net/" + name) as f:
                    lines = f.read().splitlines()[1:]
            except FileNotFoundError:
                continue
            for line in lines:
                fields = line.split()
                found[fields[9]] = (end(fields[1]), end(fields[2]), fields[3])
        return found


def end(text):
    """An address and port as /proc/net/tcp writes them."""
    address, port = text.split(":")
    octets = b"".join(bytes.fromhex(address[i:i + 8])[::-1] for i in range(0, len(address), 8))
    family = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, octets), int(port, 16)
