"""
Real back ends behind a relay that breaks as a simulated one does: the ledger over mail systems whose
own queue says what was committed.
"""

import select
import socket
import threading

from ledger import SERVERS, FaultyServer, Wire

ANSWER_PATIENCE = 60  # seconds; ends a relay whose server hangs


class RelayWire(Wire):
    """
    What the gateway says goes on to the real server as it is read, up to the fault; what the server
    answers goes back likewise. The end of either connection is the end of the other.
    """

    def __init__(self, connection, fault):
        super().__init__(connection, fault)
        self.upstream = None
        self.answers = b""  # of the server, not passed on yet
        self.good = False  # whether its last answer took what it answers

    def connect(self, port):
        self.upstream = socket.create_connection(("127.0.0.1", port), ANSWER_PATIENCE)
        self.upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def wait(self, this, that):
        """Waits for octets of this; the end of that ends both."""
        poll = select.poll()
        poll.register(this, select.POLLIN)
        poll.register(that, select.POLLRDHUP)
        ready = dict(poll.poll(ANSWER_PATIENCE * 1000))
        if ready.get(self.connection.fileno(), 0) & select.POLLERR:
            raise ConnectionResetError  # also where its end came first, and the answer too late
        if this.fileno() not in ready:
            raise EOFError

    def more(self):
        if self.left("read") > 0:
            self.wait(self.connection, self.upstream)
        at = len(self.buffer)
        super().more()
        self.upstream.sendall(self.buffer[at:])

    def answer_more(self):
        self.wait(self.upstream, self.connection)
        octets = self.upstream.recv(65536)
        if not octets:
            raise EOFError
        self.answers += octets

    def answer_take(self, count):
        while len(self.answers) < count:
            self.answer_more()
        octets, self.answers = self.answers[:count], self.answers[count:]
        return octets

    def answer_through(self, mark, start=0):
        while mark not in self.answers[start:]:
            self.answer_more()
        return self.answers.index(mark, start) + len(mark)

    def say(self, instead):
        """The server's own answer. In: instead, what a simulated one would say."""
        if instead.endswith(b","):
            colon = self.answer_through(b":")
            answer = self.answer_take(colon + int(self.answers[:colon - 1]) + 1)
            self.good = answer[colon:colon + 1] == b"K"
        else:
            start = 0
            while True:
                end = self.answer_through(b"\n", start)
                if self.answers[start + 3:start + 4] != b"-":
                    break
                start = end
            answer = self.answer_take(end)
            self.good = answer[:1] == b"2"
        super().say(answer)

    def end(self, hit):
        # As a cable that is pulled out here: the server hears of it when the gateway does.
        super().end(hit)
        if self.upstream is not None:
            if self.fault is not None and self.fault.how == "reset":
                self.upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.upstream.close()


RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds


class Relay(FaultyServer):
    """
    In: real, a server with port, start(), halt(), which ends all that could still commit, kill(), of
    one of its processes, and commits(), triples of sender, recipients and content.
    """

    def __init__(self, ledger, real, plan=(), ports=1):
        self.real = real
        self.kills = 0  # odd while one goes on
        super().__init__(ledger, plan, ports)

    def wire(self, connection, fault):
        return RelayWire(connection, fault)

    def greet(self, wire):
        wire.connect(self.real.port)
        super().greet(wire)

    def message(self, wire, token):
        kills = self.kills
        super().message(wire, token)
        if (self.kills != kills or kills % 2) and not wire.good:
            # The one that was killed may have committed, and another has spoken for it.
            self.ledger.excuse(token[0])

    def take(self, wire, token, sender, recipients, content):
        token.append(sender.partition(b"@")[0].decode())
        wire.whole()
        return True

    def leave(self, wire):
        """Who closes without having read the answer resets the connection."""
        wire.connection.shutdown(socket.SHUT_WR)
        while wire.connection.recv(65536):
            pass
        if wire.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            raise ConnectionResetError

    def unsure(self, token, last, died, error):
        return token or (isinstance(error, OSError) and last)

    def kill(self):
        """One process of the server, as chance wants it. Returns: its name, or None."""
        self.kills += 1
        killed = self.real.kill()
        self.kills += 1
        return killed

    def die(self):
        super().die()
        self.kills += 1
        self.real.halt()

    def start(self):
        if not self.real.running():
            self.real.start()
        super().start()

    def settle(self):
        self.real.halt()
        for sender, recipients, content in self.real.commits():
            self.ledger.commit(sender, recipients, content)

    def stop(self):
        super().stop()
        self.real.stop()


def relay(protocol, *arguments):
    """A Relay that speaks the protocol."""
    kind = SERVERS[protocol]
    return type("Relayed" + kind.__name__, (Relay, kind), {})(*arguments)
