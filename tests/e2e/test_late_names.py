"""
Row F37: names that are answered at the very moment at which the gateway stops waiting. On which
side of it an answer comes is not ours to decide; that either is treated as what it is, is.
"""

import heapq
import re
import select
import socket
import threading
import time
import unittest

import messages
import nsd
from backends import MaildirServer
from dkim import Signer
from gatehouse import Gatehouse
from place import Directory, free_port, wait_until

MESSAGES = 24


class Delayed:
    """Stands before a name server and hands its answers on when it is told to, seconds later."""

    def __init__(self, server):
        self.port = free_port("127.0.0.1", socket.SOCK_DGRAM)
        self.delays = [0]
        self.server = ("127.0.0.1", server.port)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        clients, waiting, number = {}, [], 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
            front.bind(("127.0.0.1", self.port))
            while not self.ending.is_set():
                left = waiting[0][0] - time.monotonic() if waiting else 0.1
                for ready in select.select([front, *clients], [], [], max(0, min(left, 0.1)))[0]:
                    if ready is front:
                        question, client = front.recvfrom(4096)
                        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        delay = self.delays[number % len(self.delays)]
                        clients[back] = client, time.monotonic() + delay
                        number += 1
                        back.sendto(question, self.server)
                        continue
                    client, due = clients.pop(ready)
                    heapq.heappush(waiting, (due, number, client, ready.recv(4096)))
                    number += 1
                    ready.close()
                while waiting and waiting[0][0] <= time.monotonic():
                    _, _, client, answer = heapq.heappop(waiting)
                    front.sendto(answer, client)

    def stop(self):
        self.ending.set()
        self.thread.join()


class LateNames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Directory("late")
        cls.signer = Signer(cls.directory, "sender.example")
        cls.names = nsd.Nsd({"sender.example": "*._domainkey TXT %s\n_dmarc TXT \"%s\"\n" % (
            nsd.txt(cls.signer.record()), "v=DMARC1; p=reject; adkim=s"),
            "example": "sender NS ns\n"})
        cls.delayed = Delayed(cls.names)
        cls.backend = MaildirServer()
        cls.gateway = Gatehouse(cls.backend.port, options={
            "dns.servers": '{ "127.0.0.1:%d" }' % cls.delayed.port, "dns.timeout": 1,
            "dmarc.enforce": "true"}).start()
        cls.signed = []
        for number in range(MESSAGES):
            cls.signer.selector = "late%d" % number
            cls.signed.append(cls.signer.sign(messages.simple()))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.backend.stop()
        cls.delayed.stop()
        cls.names.stop()
        cls.directory.remove()

    def deliver_late(self, numbers):
        """All at once, answers coming about the deadline. Returns: replies and A-R fields taken."""
        self.delayed.delays = [1 + ms / 1000 for ms in (-20, -5, -2, -1, 0, 1, 2, 20)]
        self.backend.maildir.clear()
        replies = {}

        def one(number):
            replies[number] = self.gateway.deliver(["alice@example.com"], self.signed[number])

        threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.delayed.delays = [0]
        self.assertEqual(sorted(replies), list(numbers))
        stored = [re.sub(rb"\n[ \t]+", b" ", m) for m in self.backend.maildir.messages()]
        self.assertEqual(len(stored), sum(reply.code == 250 for reply in replies.values()))
        results = [re.search(rb"(?m)^Authentication-Results: (.*)", m).group(1) for m in stored]
        return {reply.status for reply in replies.values()}, results

    def test_row_F37_at_the_deadline_of_a_question(self):
        """
        Either side of it is what it is: an answer, or trouble that is marked, or that defers the
        message where its domain is known to want refusals. Nothing is refused, and nothing passes
        unchecked.
        """
        statuses, results = self.deliver_late(range(MESSAGES))
        self.assertLessEqual(statuses, {"250 2.0.0", "451 4.4.3"})
        for result in results:
            self.assertRegex(result, rb"dkim=(pass|temperror)")
            self.assertFalse(b"dmarc=pass" in result and b"dkim=temperror" in result, result)
            self.assertFalse(b"dmarc=fail" in result, result)
        # Afterwards the names are as good as ever.
        wait_until(lambda: self.gateway.deliver(["alice@example.com"],
                                                self.signed[0]).code == 250, "a good answer")


if __name__ == "__main__":
    unittest.main()
