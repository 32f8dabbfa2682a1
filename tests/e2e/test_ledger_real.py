"""
The ledger over real mail systems: their own queue says what was committed. A relay before them breaks
at any octet, their processes are killed, clients vanish. LEDGER=all takes every octet, and Postfix's
smtpd too.
"""

import threading
import time
import unittest

import postfix
from backends import Mailfront
from ledger import Fault, Ledger, Watch
from place import needs_root
from relay import relay
from sweeps import EVERY, HOWS, LONGEST, Sweeps, offsets

PAUSE = 0.02  # seconds between two kills
KILLS = 500 if EVERY else 20
STALL_EVERY = 15  # of so many faults one is a stall, which takes TIMEOUT
TIMEOUT = 2  # seconds; real servers answer within that, or the message is sent again


class Real:
    """Around the class, so that the loader does not take it for a test of its own."""

    class Case(Sweeps.Base):
        """Fewer offsets than of simulated ones: each message costs real work."""

        STRIDE, ENDS = 31, 4

        def real(self):
            raise NotImplementedError

        def server(self, ledger, plan=(), ports=1):
            return relay(self.PROTOCOL, ledger, self.real(), plan, ports)

        def test_relay_breaks(self):
            """row_F1 to row_F8: at every octet it closes, resets, or lets nothing through any more."""
            longest = self.measure()
            plan = []
            for direction in ("read", "answer"):
                for at in offsets(longest[direction], self.STRIDE, self.ENDS):
                    how = "stall" if len(plan) % STALL_EVERY == 0 else HOWS[len(plan) % 2]
                    plan += [Fault(direction, at, how)
                             for how in ({how, *HOWS} if EVERY else {how})]
            plan.sort(key=lambda fault: fault.how != "stall")  # they take their time together
            self.backend_fails(plan, 2, write_timeout=TIMEOUT, reply_timeout=TIMEOUT)

        def test_processes_are_killed(self):
            """row_F3, row_F4: those of the mail system, at random, while mail flows."""
            ledger, names, deadline = Ledger(), [], time.monotonic() + LONGEST
            with self.server(ledger) as server, self.gateway(server) as gateway, \
                    Watch(gateway, server.ports) as watch:
                def going():
                    return len(names) < KILLS and time.monotonic() < deadline

                def kill():
                    while going():
                        time.sleep(PAUSE)
                        names.extend(filter(None, [server.kill()]))

                def work(sender):
                    while going():
                        sender.work(self.REFUSES)

                killer = threading.Thread(target=kill)
                killer.start()
                self.run_sessions(gateway, ledger, work)
                killer.join()
                self.assertEqual(len(names), KILLS)
                self.check(ledger, watch, server, "%d kills of %s, " %
                           (KILLS, ", ".join(sorted(set(names)))))


@needs_root
class PostfixQmqpd(Real.Case):
    PROTOCOL = "qmqp"

    def real(self):
        return postfix.Queue("qmqpd")


if EVERY:
    @needs_root
    class PostfixSmtpd(Real.Case):
        PROTOCOL = "smtp"

        def real(self):
            return postfix.Queue("smtpd")


class MailfrontQmqp(Real.Case):
    PROTOCOL = "qmqp"
    REFUSES = False  # its queue program knows no such thing

    def real(self):
        return Mailfront("qmqp")


class MailfrontQmtp(Real.Case):
    """It gives one answer for a message, so it gets one recipient at a time."""

    PROTOCOL = "qmtp"
    REFUSES = False
    OPTIONS = {"backend.recipients": 1}
    RECIPIENTS = ["nobody@example.com", "alice@example.com"]

    def real(self):
        return Mailfront("qmtp")


if __name__ == "__main__":
    unittest.main()
