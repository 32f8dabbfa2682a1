"""What an operator does: status, check, reload, stop, signals, reading the log."""

import os
import signal
import threading
import time
import unittest

import messages
import processes
from backends import MaildirServer, Scripted, answer
from gatehouse import PROGRAMS, Gatehouse
from place import wait_until
from smtp import Closed, stuff


class Status(unittest.TestCase):
    def test_status_names_every_program(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            gateway.deliver(["alice@example.com"], messages.simple())
            code, said = gateway.tell("status")
            self.assertEqual(code, 0, said)
            lines = said.splitlines()
            for name in PROGRAMS:
                if name in ("tlsd", "tls-keys"):
                    continue
                rows = [line for line in lines if line.startswith(name + "/")]
                self.assertEqual(len(rows), 2 if name == "smtpd" else 1, said)
                for row in rows:
                    self.assertIn(" state=ready pid=", row)
            self.assertIn("listen 127.0.0.1:%d" % gateway.port, lines)

    def test_status_counts_restarts(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            gateway.wait_restarted("lookupd", gateway.kill("lookupd"))
            said = gateway.tell("status")[1]
            self.assertRegex(said, r"lookupd/0 state=ready pid=\d+ up=\d+ restarts=1\n")

    def test_not_running(self):
        with Scripted() as backend:
            gateway = Gatehouse(backend.port)
            for verb in ("status", "reload", "stop"):
                self.assertNotEqual(gateway.tell(verb)[0], 0)
            gateway.destroy()

    def test_second_one_is_refused(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            code, said = gateway.tell("run")
            self.assertNotEqual(code, 0)
            self.assertIn("another gatehouse", said)
            self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code, 250)


class Check(unittest.TestCase):
    def test_good_and_bad(self):
        with Scripted() as backend:
            gateway = Gatehouse(backend.port)
            self.assertEqual(gateway.tell("check")[0], 0)
            gateway.write_configuration('hostname = "a.example"\nno_such_option = 1\n')
            code, said = gateway.tell("check")
            self.assertEqual(code, 1, said)
            self.assertIn("gatehouse.conf:2:", said)
            self.assertEqual(gateway.tell("run")[0], 78)
            gateway.destroy()


class Reload(unittest.TestCase):
    def test_row_F45_bad_configuration_keeps_the_old(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            before = gateway.programs()
            gateway.write_configuration("nonsense = {")
            code, said = gateway.tell("reload")
            self.assertNotEqual(code, 0)
            self.assertIn("gatehouse.conf", said)
            self.assertEqual(gateway.programs(), before)
            self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code, 250)

    def test_row_F47_open_sessions_go_on(self):
        """A reload takes new options into service and lets the sessions of before finish."""
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            old = gateway.client()
            old.envelope("a@sender.example", ["alice@example.com"])
            old.command("DATA")
            gateway.options["limits.message_size"] = 65536
            gateway.write_configuration()
            self.assertEqual(gateway.tell("reload")[0], 0)
            with gateway.client() as new:
                self.assertEqual(new.extensions["SIZE"], "SIZE 65536")
                self.assertEqual(new.deliver("a@sender.example", ["alice@example.com"],
                                             messages.simple()).code, 250)
            old.send(stuff(messages.of_size(100000)))
            self.assertEqual(old.reply().status, "250 2.0.0")
            old.close()
            gateway.wait_event("generation_gone")
            self.assertEqual(len(backend.maildir.files()), 2)

    def test_hangup_signal(self):
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            gateway.options["limits.message_size"] = 65536
            gateway.write_configuration()
            processes.kill(gateway.pid, signal.SIGHUP)
            gateway.wait_event("generation_gone")
            with gateway.client() as client:
                self.assertEqual(client.extensions["SIZE"], "SIZE 65536")

    def test_row_F46_reloads_with_open_sessions(self):
        """Sessions of several earlier configurations stay; with too many, the oldest are ended."""
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            held = []
            for _ in range(5):
                held.append(gateway.client())
                status, said = gateway.tell("reload")
                if status != 0:
                    break
            self.assertEqual((status, len(held)), (75, 5), said)
            self.assertIn("421", held[0].rest().decode())
            wait_until(lambda: gateway.tell("reload")[0] == 0, "a reload that succeeds")
            for client in held[1:]:
                self.assertEqual(client.command("NOOP").code, 250)

    def test_row_F46_two_reloads_at_once(self):
        """Both are answered, and what was in the file last is served."""
        with Scripted() as backend, Gatehouse(backend.port) as gateway:
            first = threading.Thread(target=gateway.tell, args=("reload",))
            first.start()
            gateway.options["limits.message_size"] = 65536
            gateway.write_configuration()
            self.assertEqual(gateway.tell("reload")[0], 0)
            first.join()
            with gateway.client() as client:
                self.assertEqual(client.extensions["SIZE"], "SIZE 65536")

    def test_row_F46_many_reloads(self):
        """Under load, many reloads: no message fails for it, no descriptor stays open."""
        with MaildirServer() as backend, Gatehouse(backend.port) as gateway:
            stop, replies = [], []

            def load():
                while not stop:
                    try:
                        with gateway.client(ehlo=False) as client:
                            replies.append(self.deliver(client))
                    except (Closed, ConnectionError) as error:
                        replies.append(repr(error))

            thread = threading.Thread(target=load)
            thread.start()
            for _ in range(10):
                gateway.tell("reload")
            stop.append(True)
            thread.join()
            wait_until(lambda: len(gateway.programs()) == 7, "the end of old programs")
            self.assertGreater(replies.count("250 2.0.0"), 0)
            self.assertEqual(set(replies), {"250 2.0.0"}, replies)
            self.assertEqual(len(backend.maildir.files()), replies.count("250 2.0.0"))
            if os.geteuid() == 0:
                self.assertLess(len(os.listdir("/proc/%d/fd" % gateway.pid)), 60)


    @staticmethod
    def deliver(client):
        """A transaction up to the first reply that is no success."""
        for line in ("EHLO client.example", "MAIL FROM:<a@sender.example>",
                     "RCPT TO:<alice@example.com>"):
            reply = client.command(line)
            if reply.code != 250:
                return reply.status
        return client.data(messages.simple()).status


class Stop(unittest.TestCase):
    def test_stop_command(self):
        with Scripted() as backend:
            gateway = Gatehouse(backend.port).start()
            self.assertEqual(gateway.tell("stop")[0], 0)
            self.assertEqual(gateway.wait_end(), 0)
            self.assertEqual(processes.of_session(gateway.process.pid), [])
            gateway.destroy()

    def test_row_F49_terminate_drains(self):
        """A message on its way is finished and answered; other sessions get 421."""
        released = []

        def late(server, connection):
            server.read_package(connection)
            wait_until(lambda: released, "the release")
            connection.sendall(answer("Kok"))

        with Scripted(late) as backend:
            gateway = Gatehouse(backend.port).start()
            try:
                idle = gateway.client()
                busy = gateway.client()
                busy.envelope("a@sender.example", ["alice@example.com"])
                busy.command("DATA")
                busy.send(stuff(messages.simple()))
                wait_until(lambda: backend.packages, "the package")
                processes.kill(gateway.pid, signal.SIGTERM)
                self.assertIn(b"421 4.3.2", idle.rest())
                gateway.wait_event("stopping")
                released.append(True)
                self.assertEqual(busy.reply().status, "250 2.0.0")
                busy.close()
                self.assertEqual(gateway.wait_end(), 0)
                self.assertEqual(processes.of_session(gateway.process.pid), [])
            finally:
                released.append(True)
                gateway.destroy()


class Log(unittest.TestCase):
    """The id of a reply finds the line."""

    @classmethod
    def setUpClass(cls):
        cls.backend = Scripted()
        cls.gateway = Gatehouse(cls.backend.port).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()

    def lines_of(self, identity):
        return [line for line in self.gateway.events() if line.get("id") == identity]

    def test_id_of_a_250(self):
        reply = self.gateway.deliver(["alice@example.com", "carol@example.com"], messages.simple())
        wait_until(lambda: {"smtpd", "validators", "queue-handoff"} <=
                   {line["by"] for line in self.lines_of(reply.id)},
                   "lines of all programs on the path with the id " + reply.id)

    def test_id_of_a_refusal(self):
        reply = self.gateway.deliver(["alice@example.com"], b"bad header\n\nx\n")
        self.assertEqual(reply.status, "554 5.6.0")
        wait_until(lambda: self.lines_of(reply.id), "a line with the id " + reply.id)

    def test_row_114_foreign_octets_are_no_syntax(self):
        sender = '"a\\" status=accepted rcpt=<x> b"@c.example'
        with self.gateway.client() as client:
            reply = client.deliver(sender, ["alice@example.com"], messages.simple())
            self.assertEqual(reply.code, 250)
        wait_until(lambda: self.lines_of(reply.id), "the line")
        for line in self.lines_of(reply.id):
            self.assertNotEqual(line.get("status"), "accepted")
            self.assertNotEqual(line.get("rcpt"), "<x>")

    def test_row_298_nobody_reads_the_log(self):
        """A log that does not take a line any more stops nothing."""
        read, write = os.pipe()
        with Scripted() as backend:
            gateway = Gatehouse(backend.port)
            gateway.log_path = "/proc/self/fd/%d" % write
            gateway.events = lambda *_, **__: []
            gateway.wait_event = lambda *_, **__: wait_until(
                lambda: gateway.tell("status")[0] == 0, "the gateway")
            try:
                gateway.start()
                for _ in range(400):
                    self.assertEqual(gateway.deliver(["alice@example.com"], messages.simple()).code, 250)
                self.assertIn("gatehouse.log_lines_lost ", gateway.tell("status")[1])
            finally:
                gateway.destroy()
                os.close(read)
                os.close(write)


class Time(unittest.TestCase):
    def test_row_012_silent_client(self):
        with Scripted() as backend, \
                Gatehouse(backend.port, options={"limits.command_timeout": 10}) as gateway:
            with gateway.client() as silent, gateway.client() as slow:
                start = time.monotonic()
                while time.monotonic() - start < 8:
                    slow.send(b"N")
                    time.sleep(0.5)
                self.assertIn(b"421 4.4.2", silent.rest())
                # Row 11: the deadline is that of the command, not of the octet.
                self.assertIn(b"421 4.4.2", slow.rest())


if __name__ == "__main__":
    unittest.main()
