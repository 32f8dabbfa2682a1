"""Row F12: packets between gateway and back end that are lost, late, out of order, too large."""

import threading
import unittest

import messages
import network
from gatehouse import Gatehouse
from place import wait_until
from smtp import Client
from wire import PORT, THERE, Wire


def setUpModule():
    if not network.enter_private():
        raise unittest.SkipTest("needs a network of its own")


class BadWire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.wire = Wire(seed=4711)
        except OSError as error:
            raise unittest.SkipTest("needs TUN devices: %s" % error)
        cls.gateway = Gatehouse({"main": []}, options={
            "backend.servers": '{ "%s:%d" }' % (THERE, PORT), "backend.connect_timeout": 4,
            "backend.write_timeout": 4, "backend.reply_timeout": 4, "limits.reply_budget": 15,
        }).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.wire.stop()

    def setUp(self):
        self.wire.loss = self.wire.delay = self.wire.jitter = 0
        self.wire.largest = 1500
        # After too many lost packets the back end is taken to be down, until a probe finds it.
        wait_until(self.greets, "the back end to be found again")

    def greets(self):
        with Client(self.gateway.port) as client:
            return client.greeting.code == 220

    def deliver_at_once(self, count, size):
        """Returns: the replies' codes; each is held against what the back end has."""
        codes, tokens = {}, {}

        def committed(number):
            return sum(tokens[number] in content for content in self.wire.contents)

        def one(number):
            token = tokens[number] = b"wire-%s-" % messages.token().encode()
            reply = self.gateway.deliver(["alice@example.com"],
                                         b"X-Token: " + token + b"\n" + messages.of_size(size))
            codes[number] = reply.code

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(codes), count)
        # What the server took before it answered is told here a moment later.
        wait_until(lambda: all(committed(number) for number in codes if codes[number] == 250),
                   "what was acknowledged")
        for number, code in codes.items():
            self.assertIn((code, committed(number)), ((250, 1), (451, 0), (451, 1)))
        return list(codes.values())

    def test_row_F12_nothing_is_wrong(self):
        self.assertEqual(self.deliver_at_once(5, 20000), [250] * 5)

    def test_row_F12_loss(self):
        self.wire.loss = 0.3
        self.assertIn(250, self.deliver_at_once(20, 10000))

    def test_row_F12_delay_and_another_order(self):
        self.wire.delay = 0.1
        self.wire.jitter = 0.2
        self.assertEqual(self.deliver_at_once(10, 30000), [250] * 10)

    def test_row_F12_black_hole_for_large_packets(self):
        """The connection is made, and no full segment ever arrives."""
        self.wire.largest = 700
        self.assertEqual(self.deliver_at_once(3, 5000), [451] * 3)
        self.wire.largest = 1500
        wait_until(self.greets, "the back end to be found again")
        self.assertEqual(self.deliver_at_once(3, 5000), [250] * 3)


if __name__ == "__main__":
    unittest.main()
