"""
The ledger over the whole gateway: a back end that fails at every octet of every protocol, a client
that vanishes after each of its octets, many sessions at once. What a single hand-off does at every
octet is tested in tests/queue-handoff; here the client's word is held against the back end's.

LEDGER=all takes every octet, as `make torture` does; otherwise every STRIDE-th, and the first and
the last of each direction.
"""

import os
import queue
import threading
import time
import unittest

import messages
from gatehouse import LIST, Gatehouse
from ledger import SERVERS, FaultyQmqp, Fault, Ledger, Watch
from place import PATIENCE, wait_until
from smtp import Client, Closed, stuff

EVERY = os.environ.get("LEDGER") == "all"
STRIDE = 5  # prime to the lengths of lines and fields
SESSIONS = 12
HOWS = ("close", "reset")
LONGEST = PATIENCE / 2 + (1200 if EVERY else 0)  # seconds; ends a test that hangs
BODY = b"hello\n.\n..\n.x\n\nend of %s\n"


def offsets(total):
    """Offsets 0 to total, all of them or some."""
    if EVERY:
        return list(range(total + 1))
    return sorted({0, 1, total - 2, total - 1, total} | set(range(0, total + 1, STRIDE)))


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
        self.replies = 0

    def new(self):
        token = messages.token()
        content = messages.head(token.encode()) + BODY % token.encode()
        self.ledger.new(token, content)
        return token, content

    def deliver(self, token, content):
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            try:
                if self.once(token, content):
                    self.ledger.acknowledge(token)
                    return
                time.sleep(0.005)
            except Closed:
                self.hang_up()
        self.ledger.trouble("%s is not taken" % token)

    def once(self, token, content):
        """One attempt. Returns: whether it was acknowledged."""
        if self.client is None:
            client = Client(self.gateway.port)
            if client.greeting.code != 220:
                self.note(client.greeting)
                client.close()
                time.sleep(0.05)
                return False
            self.client = client.ehlo()
        return self.attempt(self.client, token, content)

    def attempt(self, client, token, content):
        if not self.note(client.command("MAIL FROM:<%s@sender.example>" % token)):
            return False
        for recipient in self.recipients:
            reply = client.command("RCPT TO:<%s>" % recipient)
            if recipient.startswith("nobody"):
                if reply.status != "550 5.1.1":
                    self.ledger.trouble("%s: %r" % (recipient, reply))
            elif self.note(reply):
                self.ledger.accept(token, recipient)
            else:
                client.command("RSET")
                return False
        reply = client.command("DATA")
        if reply.code != 354:
            self.note(reply)
            return False
        client.send(stuff(content))
        return self.note(client.reply())

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
    """Around the class, so that the loader does not take it for a test of its own."""

    class Case(unittest.TestCase):
        PROTOCOL = None
        RECIPIENTS = ["alice@example.com", "nobody@example.com", "carol@example.com"]

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
                "limits.messages_per_session": 1000000,
                **{"backend." + key: value for key, value in options.items()}})

        def measure(self):
            """Returns: the most octets of one message that a back end reads, and says."""
            ledger = Ledger()
            with SERVERS[self.PROTOCOL](ledger) as server, self.gateway(server) as gateway:
                sender = Sender(gateway, ledger, self.RECIPIENTS)
                for _ in range(3):
                    sender.deliver(*sender.new())
                    sender.hang_up()
                self.assertEqual(ledger.check(), [])
                return server.longest

        def check(self, ledger, watch):
            self.assertEqual(ledger.check()[:10], [])
            self.assertEqual(watch.foreign, set())
            self.assertEqual(ledger.acknowledged, set(ledger.contents))

        def backend_fails(self, plan, ports, **options):
            ledger = Ledger()
            with SERVERS[self.PROTOCOL](ledger, plan, ports) as server, \
                    self.gateway(server, **options) as gateway, \
                    Watch(gateway, server.ports) as watch:
                end = time.monotonic() + LONGEST

                def work(sender):
                    while not server.done() and time.monotonic() < end:
                        sender.deliver(*sender.new())

                self.run_sessions(gateway, ledger, work)
                self.assertTrue(server.done(), "%d faults are left" % len(server.plan))
                self.check(ledger, watch)
                # Lengths differ by a few octets: a number here, and a second of the clock there.
                self.assertGreater(server.hits, 0.9 * len(plan))
            print("%s: %d faults hit, %d messages, %d copies too many" %
                  (self.id(), server.hits, len(ledger.acknowledged), ledger.duplicates()))

        def plan(self, how):
            longest = self.measure()
            return [Fault(direction, at, how) for direction in ("read", "answer")
                    for at in offsets(longest[direction])]

        def test_back_end_closes(self):
            """row_F1, row_F2, row_F3, row_F4, row_F5, row_F6: one server, which closes."""
            self.backend_fails(self.plan("close"), 1)

        def test_back_end_resets(self):
            """The same rows, with a reset, and a second server to go to."""
            self.backend_fails(self.plan("reset"), 2)

        def test_back_end_stalls(self):
            """row_F7, row_F8: it neither reads nor answers any more; each takes a second."""
            plan = self.plan("stall")
            self.backend_fails(plan[::1 if EVERY else len(plan) // 20], 1, write_timeout=1,
                               reply_timeout=1)

        def test_back_end_comes_and_goes(self):
            """row_F13: dead and alive again, over and over, under load."""
            ledger, end = Ledger(), time.monotonic() + (20 if EVERY else 2)
            with SERVERS[self.PROTOCOL](ledger) as server, self.gateway(server) as gateway, \
                    Watch(gateway, server.ports) as watch:
                def come_and_go():
                    while time.monotonic() < end:
                        time.sleep(0.1)
                        server.die()
                        time.sleep(0.02)
                        server.start()

                def work(sender):
                    while time.monotonic() < end:
                        sender.deliver(*sender.new())

                restarts = threading.Thread(target=come_and_go)
                restarts.start()
                self.run_sessions(gateway, ledger, work)
                restarts.join()
                self.check(ledger, watch)
                self.assertGreater(server.deaths, 2)

        def test_client_vanishes(self):
            """row_F15, row_F16, row_F17: after each octet; then it sends the message again."""
            ledger = Ledger()
            with SERVERS[self.PROTOCOL](ledger) as server, self.gateway(server) as gateway, \
                    Watch(gateway, server.ports) as watch:
                total = self.octets_of_a_session(gateway, ledger)
                work_list = queue.SimpleQueue()
                for how in HOWS:
                    for at in offsets(total):
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
                self.check(ledger, watch)
            print("%s: %d messages, %d copies too many" %
                  (self.id(), len(ledger.acknowledged), ledger.duplicates()))

        def octets_of_a_session(self, gateway, ledger):
            """What a client sends for one message, EHLO included."""
            sender = Sender(gateway, ledger, self.RECIPIENTS)
            client = Vanishing(gateway.port, 1 << 30, "close")
            client.ehlo()
            token, content = sender.new()
            self.assertTrue(sender.attempt(client, token, content))
            ledger.acknowledge(token)
            client.close()
            return (1 << 30) - client.left


class Oracle(unittest.TestCase):
    """What decides all of the above finds what it is there for."""

    def ledger(self):
        ledger = Ledger()
        ledger.new("one", b"Subject: x\n\nx\n")
        ledger.accept("one", "alice@example.com")
        return ledger

    def commit(self, ledger, recipient=b"alice@example.com", content=b"Subject: x\n\nx\n"):
        ledger.commit(b"one@sender.example", [recipient], b"Received: here\n" + content)

    def found(self, ledger, text):
        troubles = ledger.check()
        self.assertTrue(len(troubles) == 1 and text in troubles[0], troubles)

    def test_good(self):
        ledger = self.ledger()
        self.commit(ledger)
        ledger.acknowledge("one")
        self.assertEqual(ledger.check(), [])

    def test_acknowledged_and_lost(self):
        ledger = self.ledger()
        ledger.acknowledge("one")
        self.found(ledger, "LOST")

    def test_two_copies_need_a_fault(self):
        ledger = self.ledger()
        self.commit(ledger)
        self.commit(ledger)
        self.found(ledger, "2 times")
        ledger.troubles.clear()
        ledger.excuse("one")
        self.assertEqual(ledger.check(), [])

    def test_somebody_else(self):
        ledger = self.ledger()
        self.commit(ledger, b"bob@example.com")
        self.found(ledger, "not accepted")

    def test_other_octets(self):
        ledger = self.ledger()
        self.commit(ledger, content=b"Subject: x\n\n.x\n")
        self.found(ledger, "differs")

    def test_connections_are_seen(self):
        """The watch sees a connection of the gateway that it is not told to allow."""
        ledger, held = Ledger(), threading.Event()

        class Holding(FaultyQmqp):
            def message(self, wire, token):
                held.wait(PATIENCE)
                super().message(wire, token)

        with Holding(ledger) as server, Gatehouse(server.ports) as gateway, \
                Watch(gateway, ()) as watch:
            sender = Sender(gateway, ledger, ["alice@example.com"])
            thread = threading.Thread(target=lambda: sender.deliver(*sender.new()))
            thread.start()
            wait_until(lambda: ("127.0.0.1", server.ports[0]) in watch.foreign, "the watch")
            held.set()
            thread.join()
            sender.hang_up()
            self.assertEqual(ledger.check(), [])


class Qmqp(Sweeps.Case):
    PROTOCOL = "qmqp"


class Qmtp(Sweeps.Case):
    PROTOCOL = "qmtp"


class Lmtp(Sweeps.Case):
    PROTOCOL = "lmtp"


class Smtp(Sweeps.Case):
    PROTOCOL = "smtp"


if __name__ == "__main__":
    unittest.main()
