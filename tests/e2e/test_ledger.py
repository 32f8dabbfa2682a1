"""The ledger over simulated back ends of every protocol: sweeps.py says what is asked of them."""

import threading
import unittest

from gatehouse import Gatehouse
from ledger import SERVERS, FaultyQmqp, Ledger, Watch
from place import PATIENCE, wait_until
from sweeps import Sender, Sweeps


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

    def test_refused_for_good_and_there(self):
        ledger = self.ledger()
        self.commit(ledger)
        ledger.refuse("one")
        self.found(ledger, "refused for good")

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


class Simulated:
    def server(self, ledger, plan=(), ports=1):
        return SERVERS[self.PROTOCOL](ledger, plan, ports)


class Qmqp(Simulated, Sweeps.Case):
    PROTOCOL = "qmqp"


class Qmtp(Simulated, Sweeps.Case):
    PROTOCOL = "qmtp"


class Lmtp(Simulated, Sweeps.Case):
    PROTOCOL = "lmtp"


class Smtp(Simulated, Sweeps.Case):
    PROTOCOL = "smtp"


if __name__ == "__main__":
    unittest.main()
