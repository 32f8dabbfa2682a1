"""
Programs that die, hang or answer nonsense: the client sees a 4xx or a close, what was
acknowledged is there, and the gateway goes on.
"""

import signal
import socket
import threading
import unittest

import messages
import processes
from backends import MaildirServer, Scripted, answer, read_netstring
from gatehouse import LIST, Gatehouse
from place import free_port, wait_until
from smtp import Closed, stuff

SENDER = "sender@sender.example"


class Killed(unittest.TestCase):
    """SIGKILL of each program, in several states of a transaction."""

    def transaction(self, gateway, victim, when):
        """
        One transaction during which a program is killed. Returns: the last reply, or None
        when the connection was closed.
        """
        client = gateway.client(patience=120)
        steps = (("greeted", None), ("mail", b"MAIL FROM:<%s>\r\n" % SENDER.encode()),
                 ("rcpt", b"RCPT TO:<alice@example.com>\r\n"), ("data", b"DATA\r\n"),
                 ("half", None))
        message = stuff(self.message)
        try:
            reply = client.greeting
            for name, command in steps:
                if command is not None:
                    client.send(command)
                    reply = client.reply()
                    if reply.code >= 400:
                        return reply
                if name == "half":
                    client.send(message[:len(message) // 2])
                if name == when:
                    gateway.kill(victim)
            client.send(message[len(message) // 2:])
            return client.reply()
        except (Closed, BrokenPipeError):
            return None
        finally:
            client.close()

    def check(self, victim):
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            for when in ("greeted", "mail", "rcpt", "data", "half"):
                with self.subTest(victim=victim, when=when):
                    before = gateway.pids(victim)
                    self.message = messages.simple()
                    reply = self.transaction(gateway, victim, when)
                    stored = self.message in b"".join(backend.maildir.messages())
                    if reply is not None and reply.code < 400:
                        self.assertEqual(reply.status, "250 2.0.0")
                        self.assertTrue(stored, "acknowledged and lost")
                    else:
                        self.assertTrue(reply is None or reply.code < 500, reply)
                        self.assertFalse(stored, "not acknowledged, but there")
                    gateway.wait_restarted(victim, before)
                    self.back_in_service(gateway)

    def back_in_service(self, gateway):
        """Links are made again a moment after a restart; until then the answer is 4xx."""

        def taken():
            try:
                reply = self.deliver(gateway)
            except Closed:
                return False
            self.assertTrue(reply.code == 250 or 400 <= reply.code < 500, reply)
            return reply.code == 250

        wait_until(taken, "mail to be taken again")

    @staticmethod
    def deliver(gateway):
        with gateway.client() as client:
            for reply in client.envelope(SENDER, ["alice@example.com"]):
                if reply.code != 250:
                    return reply
            return client.data(messages.simple())

    def test_row_F20_smtpd(self):
        self.check("smtpd")

    def test_row_F21_queue_handoff(self):
        self.check("queue-handoff")

    def test_row_F22_validators(self):
        self.check("validators")

    def test_row_F22_validator(self):
        self.check("validator")

    def test_row_F24_lookupd(self):
        self.check("lookupd")

    def test_row_F25_resolverd(self):
        self.check("resolverd")

    def test_supervisor_killed_leaves_nobody(self):
        """Without the supervisor nobody would renew anything: all end."""
        with MaildirServer() as backend:
            gateway = Gatehouse(backend.port).start()
            try:
                processes.kill(gateway.pid)
                gateway.wait_end()
                wait_until(lambda: not processes.of_session(gateway.process.pid),
                           "the end of all programs")
                gateway.start()  # over what the killed one left in its directory
                self.assertEqual(self.deliver(gateway).code, 250)
            finally:
                gateway.destroy()


class Lookup(unittest.TestCase):
    def test_row_273_lookupd_stopped(self):
        """A lookupd that hangs: 451 4.4.3 in time, and the next answer is right again."""
        with Scripted() as backend, \
                Gatehouse(backend.port, options={"limits.lookup_timeout": 1}) as gateway:
            pid, = gateway.pids("lookupd")
            with gateway.client() as client:
                client.command("MAIL FROM:<a@b.example>")
                processes.kill(pid, signal.SIGSTOP)
                self.assertEqual(client.command("RCPT TO:<alice@example.com>").status, "451 4.4.3")
                processes.kill(pid, signal.SIGCONT)
            wait_until(lambda: Killed.deliver(gateway).code == 250, "lookups to work again")

    def test_row_F24_lookupd_killed_again_and_again(self):
        """While lookupd is away RCPT is 451 4.4.3, never 550."""
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            found = set()
            for _ in range(4):
                before = gateway.kill("lookupd")
                with gateway.client() as client:
                    client.command("MAIL FROM:<a@b.example>")
                    for _ in range(20):
                        found.add(client.command("RCPT TO:<alice@example.com>").status)
                gateway.wait_restarted("lookupd", before)
            self.assertLessEqual(found, {"250 2.1.5", "451 4.4.3"})
            wait_until(lambda: Killed.deliver(gateway).code == 250, "lookups to work again")


class Stopped(unittest.TestCase):
    """Row F30: a program on the path that stands still. The budget of the reply ends it."""

    def reply_with_stopped(self, name, found):
        """Delivers while that program is stopped, lets it go on, and delivers again."""
        with MaildirServer() as backend, \
                Gatehouse(backend.port, options={
                    "limits.reply_budget": 10, "backend.reply_timeout": 5}) as gateway:
            pid, = gateway.pids(name)
            with gateway.client() as client:
                for reply in client.envelope(SENDER, ["alice@example.com"]):
                    assert reply.code == 250, reply
                processes.kill(pid, signal.SIGSTOP)
                reply = client.data(messages.simple())
                processes.kill(pid, signal.SIGCONT)
            wait_until(lambda: Killed.deliver(gateway).code == 250, "mail to be taken again")
            # What was answered 4xx must not have gone out afterwards.
            found[name] = (reply.code, len(backend.maildir.files()))

    def test_row_F30(self):
        found = {}
        threads = [threading.Thread(target=self.reply_with_stopped, args=(name, found))
                   for name in ("validators", "validator", "queue-handoff")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, {"validators": (451, 1), "validator": (451, 1),
                                 "queue-handoff": (451, 1)})


class StoppedForGood(unittest.TestCase):
    """Row F30: a zygote that stands still is noticed long before a check would be over, and replaced."""

    def test_row_F30_zygote(self):
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            pid, = gateway.pids("validator")
            processes.kill(pid, signal.SIGSTOP)
            with gateway.client() as client:
                reply = client.deliver(SENDER, ["alice@example.com"], messages.simple())
            self.assertEqual(reply.code, 451, reply)
            gateway.wait_event("zygote_hangs")
            processes.wait_gone(pid)
            wait_until(lambda: Killed.deliver(gateway).code == 250, "mail to be taken again")
            self.assertEqual(len(backend.maildir.files()), 1)


class BackendAnswers(unittest.TestCase):
    """Section 2.11 of the catalogue over real sockets."""

    @classmethod
    def setUpClass(cls):
        cls.backend = Scripted()
        cls.gateway = Gatehouse(cls.backend.port, options={
            "backend.reply_timeout": 2, "backend.write_timeout": 2}).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def reply_with(self, behaviour=None, octets=None):
        self.backend.behaviour = behaviour or Scripted.take
        self.backend.answer = octets or answer("Kok")
        return self.gateway.deliver(["alice@example.com"], messages.simple())

    def test_row_278_closes(self):
        def close_at_once(server, connection):
            pass

        def close_after_package(server, connection):
            server.read_package(connection)

        for behaviour in (close_at_once, close_after_package):
            with self.subTest(behaviour.__name__):
                self.assertEqual(self.reply_with(behaviour).status, "451 4.4.2")

    def test_row_279_promise_before_the_end(self):
        def early(server, connection):
            connection.sendall(answer("Kok"))
            read_netstring(connection)

        # Too big for the buffers of a socket: the answer is there before the comma leaves.
        self.backend.behaviour = early
        reply = self.gateway.deliver(["alice@example.com"], messages.of_size(20 << 20))
        self.assertEqual(reply.status, "451 4.3.0")

    def test_row_280_malformed_answers(self):
        for octets in (b"0:,", b"3:Kok;", b"03:Kok,", b"-1:", b":K,", b"99999999999:K", b"3:kok,",
                       b"4:XKok,", b"1:,,", b"Kok", b"3:Kok", b"\0\0\0", b"2000:K" + b"x" * 1999 + b","):
            with self.subTest(octets=octets[:20]):
                self.assertIn(self.reply_with(octets=octets).status, ("451 4.3.0", "451 4.4.2"))

    def test_row_281_more_after_the_promise(self):
        self.assertEqual(self.reply_with(octets=b"3:Kok,trailing").status, "250 2.0.0")

    def test_row_282_deferred(self):
        self.assertEqual(self.reply_with(octets=answer("Zdisk full")).status, "451 4.3.0")

    def test_row_282_refused(self):
        self.assertEqual(self.reply_with().code, 250)  # the server is in good standing
        self.assertEqual(self.reply_with(octets=answer("Dmessage smells")).status, "554 5.3.0")

    def test_row_283_text_stays_inside(self):
        reply = self.reply_with(octets=answer("Zsecret\r\n250 ok\r\n"))
        self.assertEqual(reply.status, "451 4.3.0")
        self.assertNotIn("secret", reply.text)

    def test_row_284_silent(self):
        def silent(server, connection):
            server.read_package(connection)
            connection.recv(1)

        self.assertEqual(self.reply_with(silent).status, "451 4.4.2")

    def test_row_286_never_reads(self):
        done = []

        def deaf(server, connection):
            wait_until(lambda: done, "the end of the test")

        self.backend.behaviour = deaf
        with self.gateway.client() as client:
            reply = client.deliver(SENDER, ["alice@example.com"], messages.of_size(30 << 20))
        done.append(True)
        self.assertEqual(reply.status, "451 4.4.2")

    def test_row_287_promise_then_reset(self):
        def promise_and_reset(server, connection):
            server.take(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        self.assertIn(self.reply_with(promise_and_reset).status, ("250 2.0.0", "451 4.4.2"))

    def test_row_F10_answer_one_octet_at_a_time(self):
        def slowly(server, connection):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.read_package(connection)
            for octet in answer("Kok"):
                connection.sendall(bytes([octet]))

        self.assertEqual(self.reply_with(slowly).status, "250 2.0.0")


class BackendDown(unittest.TestCase):
    @staticmethod
    def deliver(gateway, message):
        """Returns: the first reply that is not a good one, or the last."""
        with gateway.client(ehlo=False, greet=False) as client:
            reply = client.reply()
            if reply.code != 220:
                return reply
            client.ehlo()
            for reply in client.envelope(SENDER, ["alice@example.com"]):
                if reply.code != 250:
                    return reply
            return client.data(message)

    def check_down(self, gateway, message):
        """At the end of the message; and once it is known, at RCPT or before."""
        self.assertIn(self.deliver(gateway, message).status, ("451 4.4.1", "421 4.3.2"))

    def test_row_277_down_and_up_again(self):
        port = free_port()
        with Gatehouse(port) as gateway:
            for _ in range(3):
                self.check_down(gateway, messages.simple())
            with MaildirServer(port=port) as backend:
                message, other = messages.simple(), messages.simple()
                wait_until(lambda: self.deliver(gateway, message).code == 250, "mail to be taken")
                backend.halt()
                self.check_down(gateway, other)
                backend.start()
                wait_until(lambda: self.deliver(gateway, other).code == 250, "mail to be taken")
                self.assertEqual(len(backend.maildir.files()), 2)

    def test_row_290_second_server(self):
        """The second server is tried when the first does not take the connection."""
        with MaildirServer() as backend, Gatehouse({"main": [free_port(), backend.port]}) as gateway:
            for _ in range(3):
                self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code, 250)
            self.assertEqual(len(backend.maildir.files()), 3)

    def test_row_290_not_after_the_comma(self):
        """Once the first server may have the message, the second one must not get it."""
        def swallow(server, connection):
            server.read_package(connection)

        with Scripted(swallow) as first, MaildirServer() as second, \
                Gatehouse({"main": [first.port, second.port]}) as gateway:
            self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).status,
                             "451 4.4.2")
            self.assertEqual(second.maildir.files(), [])

    def test_routes(self):
        """A recipient's record says which back end; another one's recipient waits."""
        listed = LIST + "frank@example.com backend=second\n"
        with MaildirServer() as first, MaildirServer() as second, \
                Gatehouse({"main": first.port, "second": second.port}, listed) as gateway:
            self.assertEqual(gateway.deliver(["frank@example.com"], messages.simple()).code, 250)
            self.assertEqual(len(second.maildir.files()), 1)
            with gateway.client() as client:
                replies = client.envelope(SENDER, ["alice@example.com", "frank@example.com"])
                self.assertEqual(replies[2].status, "452 4.5.3")
                self.assertEqual(client.data(messages.simple()).code, 250)
            self.assertEqual(len(first.maildir.files()), 1)
            self.assertEqual(len(second.maildir.files()), 1)


class ClientGone(unittest.TestCase):
    """The client is asked for once more before the comma."""

    def hold_back(self):
        """A server that takes the package only when told to."""
        self.held = []

        def hold(server, connection):
            self.held.append(connection)
            wait_until(lambda: self.released, "the release")
            server.take(connection)

        self.released = []
        return Scripted(hold)

    def test_row_023_026_gone_before_the_comma(self):
        """A package bigger than the socket buffers: the comma cannot have left yet."""
        for leave in ("close", "reset", "half_close"):
            with self.subTest(leave), self.hold_back() as backend, \
                    Gatehouse(backend.port) as gateway:
                client = gateway.client()
                client.envelope(SENDER, ["alice@example.com"])
                client.command("DATA")
                client.send(stuff(messages.of_size(24 << 20)))
                wait_until(lambda: self.held, "a connection to the back end")
                getattr(client, leave)()
                # The gateway has seen it when a later session is served by the same worker.
                for _ in range(4):
                    gateway.client().quit()
                self.released.append(True)
                gateway.wait_event("handoff", outcome="given-up")
                self.assertEqual(backend.packages, [])
                client.close()

    def test_row_024_gone_after_the_comma(self):
        """What the back end has by then stays taken."""
        def late(server, connection):
            server.read_package(connection)
            wait_until(lambda: self.released, "the release")
            connection.sendall(answer("Kok"))

        self.released = []
        with Scripted(late) as backend, Gatehouse(backend.port) as gateway:
            client = gateway.client()
            client.envelope(SENDER, ["alice@example.com"])
            client.command("DATA")
            client.send(stuff(messages.simple()))
            wait_until(lambda: backend.packages, "the package")
            client.reset()
            self.released.append(True)
            gateway.wait_event("handoff", outcome="taken")
            self.assertEqual(Killed.deliver(gateway).code, 250)


if __name__ == "__main__":
    unittest.main()
