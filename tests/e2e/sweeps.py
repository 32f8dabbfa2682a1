"""
The ledger over a whole gateway: a back end that fails at any octet, a client that vanishes after each
of its octets, many sessions at once. What a single hand-off does at every octet is tested in
tests/queue-handoff; here the client's word is held against the back end's.

LEDGER=all takes every octet, as `make torture` does; otherwise every STRIDE-th, and those at both ends
of each direction.
"""

import os
import queue
import threading
import time
import unittest

import messages
from gatehouse import LIST, Gatehouse
from ledger import REFUSE, Fault, Ledger, Watch
from place import PATIENCE
from smtp import Client, Closed, stuff

EVERY = os.environ.get("LEDGER") == "all"
SESSIONS = 12
HOWS = ("close", "reset")
LONGEST = PATIENCE / 2 + (1200 if EVERY else 0)  # seconds; ends a test that hangs
BODY = b"hello\n.\n..\n.x\n\nend of %s\n"
HOPS = b"Received: from a by b; Sat, 21 Nov 2026 02:20:00 +0000\n" * 101
STALLS = 20  # of all offsets about so many are taken for stalls
REFUSED_EVERY = 10  # of so many messages of a session one is refused for good


def offsets(total, stride, ends):
    """Offsets 0 to total, all of them or some. In: ends, how many at both ends are among them."""
    if EVERY:
        return list(range(total + 1))
    return sorted(at for at in range(total + 1)
                  if at % stride == 0 or at < ends or total - at < ends)


class Vanished(Exception):
    pass


class Vanishing(Client):
    """A client that goes away when it has sent so many octets."""

    def __init__(self, port, octets, how):
        self.left = octets
        self.how = how
        super().__init__(port)

    def send(self, octets):
        if len(octets) < self.left:
            self.left -= len(octets)
            super().send(octets)
            return
        super().send(octets[:self.left])
        if self.how == "reset":
            self.reset()
        else:
            self.close()
        raise Vanished


class Sender:
    """A sender with a queue of one message, which it sends again until it is acknowledged."""

    def __init__(self, gateway, ledger, recipients):
        self.gateway = gateway
        self.ledger = ledger
        self.recipients = recipients
        self.client = None
        self.count = 0

    def new(self, fields=b""):
        token = messages.token()
        content = fields + messages.head(token.encode()) + BODY % token.encode()
        self.ledger.new(token, content)
        return token, content

    def work(self, by_back_end):
        """One message; now and then also one that is refused, here or by the back end."""
        self.deliver(*self.new())
        self.count += 1
        if self.count % REFUSED_EVERY == 0:
            theirs = by_back_end and self.count % (2 * REFUSED_EVERY) == 0
            self.deliver(*self.new(REFUSE + b"\n" if theirs else HOPS), good=False)

    def deliver(self, token, content, good=True):
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            try:
                reply = self.once(token, content)
                if reply is not None and self.final(token, reply, good):
                    return
                time.sleep(0.005)
            except Closed:
                self.hang_up()
        self.ledger.trouble("%s is not taken" % token)

    def final(self, token, reply, good):
        """Takes down what became of a message. Returns: whether it need not be sent again."""
        if reply.code == 250 and good:
            self.ledger.acknowledge(token)
        elif reply.code // 100 == 5 and not good:
            self.ledger.refuse(token)
        elif reply.code // 100 == 4:
            return False
        else:
            self.ledger.trouble("%s: %r" % (token, reply))
        return True

    def once(self, token, content):
        """One attempt. Returns: the reply to the whole message, or None when it came to none."""
        if self.client is None:
            client = Client(self.gateway.port)
            if client.greeting.code != 220:
                self.note(client.greeting)
                client.close()
                time.sleep(0.05)
                return None
            self.client = client.ehlo()
        return self.attempt(self.client, token, content)

    def attempt(self, client, token, content):
        if not self.note(client.command("MAIL FROM:<%s@sender.example>" % token)):
            return None
        for recipient in self.recipients:
            reply = client.command("RCPT TO:<%s>" % recipient)
            if recipient.startswith("nobody"):
                if reply.status != "550 5.1.1" and reply.code // 100 != 4:
                    self.ledger.trouble("%s: %r" % (recipient, reply))
            elif self.note(reply):
                self.ledger.accept(token, recipient)
            else:
                client.command("RSET")
                return None
        reply = client.command("DATA")
        if reply.code != 354:
            self.note(reply)
            return None
        client.send(stuff(content))
        return client.reply()

    def note(self, reply):
        """Nothing that a back end's faults bring about is for good. Returns: whether it is 250."""
        if reply.code != 250 and reply.code // 100 != 4:
            self.ledger.trouble("a reply of %r" % reply)
        return reply.code == 250

    def vanish(self, token, content, octets, how):
        try:
            client = Vanishing(self.gateway.port, octets, how)
            client.ehlo()
            self.attempt(client, token, content)
            client.close()
        except (Closed, Vanished):
            pass

    def hang_up(self):
        if self.client is not None:
            self.client.close()
            self.client = None


class Sweeps:
    """Around the classes, so that the loader does not take them for tests of their own."""

    class Base(unittest.TestCase):
        """
        STRIDE, ENDS: which offsets are taken. REFUSES: whether the back end refuses what has the
        field for it. OPTIONS, of the gateway.
        """

        PROTOCOL = None
        STRIDE, ENDS = 5, 3  # prime to the lengths of lines and fields
        REFUSES = True
        OPTIONS = {}
        RECIPIENTS = ["alice@example.com", "nobody@example.com", "carol@example.com"]

        def server(self, ledger, plan=(), ports=1):
            """A FaultyServer of PROTOCOL."""
            raise NotImplementedError

        def run_sessions(self, gateway, ledger, work):
            """Runs work(sender) in SESSIONS threads."""
            def session():
                sender = Sender(gateway, ledger, self.RECIPIENTS)
                try:
                    work(sender)
                except Exception as error:  # a bug of the test must not look like success
                    ledger.trouble("session: %r" % error)
                    raise
                finally:
                    sender.hang_up()

            threads = [threading.Thread(target=session) for _ in range(SESSIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        def gateway(self, server, **options):
            return Gatehouse({"main": server.ports}, recipients=LIST, options={
                "workers": 1, "backend.protocol": '"%s"' % self.PROTOCOL,
                "limits.messages_per_session": 1000000, **self.OPTIONS,
                **{"backend." + key: value for key, value in options.items()}})

        def measure(self):
            """Returns: the most octets of one message that a back end reads, and says."""
            ledger = Ledger()
            with self.server(ledger) as server, self.gateway(server) as gateway:
                sender = Sender(gateway, ledger, self.RECIPIENTS)
                for _ in range(3):
                    sender.deliver(*sender.new())
                    sender.hang_up()
                server.settle()
                self.assertEqual(ledger.check(), [])
                return server.longest

        def check(self, ledger, watch, server, what=""):
            server.settle()
            self.assertEqual(ledger.check()[:10], [])
            self.assertEqual(watch.foreign, set())
            self.assertEqual(ledger.acknowledged | ledger.refused, set(ledger.contents))
            print("%s: %s%d messages taken, %d refused, %d copies too many" % (
                self.id(), what, len(ledger.acknowledged), len(ledger.refused),
                ledger.duplicates()))

        def backend_fails(self, plan, ports, **options):
            ledger = Ledger()
            with self.server(ledger, plan, ports) as server, \
                    self.gateway(server, **options) as gateway, \
                    Watch(gateway, server.ports) as watch:
                end = time.monotonic() + LONGEST

                def work(sender):
                    while not server.done() and time.monotonic() < end:
                        sender.work(self.REFUSES)
                        if not server.plan:  # the last ones stall, or wait for a message
                            time.sleep(0.2)

                self.run_sessions(gateway, ledger, work)
                self.assertTrue(server.done(), "%d faults are left" % len(server.plan))
                self.check(ledger, watch, server, "%d faults hit, " % server.hits)
                # Lengths differ by a few octets: a number here, and a second of the clock there.
                self.assertGreater(server.hits, 0.9 * len(plan))

        def test_client_vanishes(self):
            """row_F15, row_F16, row_F17: after each octet; then it sends the message again."""
            ledger = Ledger()
            with self.server(ledger) as server, self.gateway(server) as gateway, \
                    Watch(gateway, server.ports) as watch:
                total = self.octets_of_a_session(gateway, ledger)
                work_list = queue.SimpleQueue()
                for how in HOWS:
                    for at in offsets(total, self.STRIDE, self.ENDS):
                        work_list.put((at, how))

                def work(sender):
                    while True:
                        try:
                            at, how = work_list.get_nowait()
                        except queue.Empty:
                            return
                        token, content = sender.new()
                        sender.vanish(token, content, at, how)
                        if at >= total - 20:  # tokens differ in length
                            ledger.excuse(token)
                        sender.deliver(token, content)

                self.run_sessions(gateway, ledger, work)
                self.check(ledger, watch, server)

        def octets_of_a_session(self, gateway, ledger):
            """What a client sends for one message, EHLO included."""
            sender = Sender(gateway, ledger, self.RECIPIENTS)
            client = Vanishing(gateway.port, 1 << 30, "close")
            client.ehlo()
            token, content = sender.new()
            self.assertTrue(sender.final(token, sender.attempt(client, token, content), True))
            client.close()
            return (1 << 30) - client.left

    class Case(Base):
        """For a server of ledger.py."""

        def plan(self, how):
            longest = self.measure()
            return [Fault(direction, at, how) for direction in ("read", "answer")
                    for at in offsets(longest[direction], self.STRIDE, self.ENDS)]

        def test_back_end_closes(self):
            """row_F1, row_F2, row_F3, row_F4, row_F5, row_F6: one server, which closes."""
            self.backend_fails(self.plan("close"), 1)

        def test_back_end_resets(self):
            """The same rows, with a reset, and a second server to go to."""
            self.backend_fails(self.plan("reset"), 2)

        def test_back_end_stalls(self):
            """row_F7, row_F8: it neither reads nor answers any more; each takes a second."""
            plan = self.plan("stall")
            self.backend_fails(plan[::1 if EVERY else len(plan) // STALLS], 1, write_timeout=1,
                               reply_timeout=1)

        def test_back_end_comes_and_goes(self):
            """row_F13: dead and alive again, over and over, under load."""
            ledger, end = Ledger(), time.monotonic() + (20 if EVERY else 2)
            with self.server(ledger) as server, self.gateway(server) as gateway, \
                    Watch(gateway, server.ports) as watch:
                def come_and_go():
                    while time.monotonic() < end:
                        time.sleep(0.1)
                        server.die()
                        time.sleep(0.02)
                        server.start()

                def work(sender):
                    while time.monotonic() < end:
                        sender.work(self.REFUSES)

                restarts = threading.Thread(target=come_and_go)
                restarts.start()
                self.run_sessions(gateway, ledger, work)
                restarts.join()
                self.check(ledger, watch, server)
                self.assertGreater(server.deaths, 2)
