"""Benches run, on a hundredth of their work. What they measure here says nothing."""

import os
import subprocess
import sys
import unittest

from place import TOP


class Bench(unittest.TestCase):
    def check(self, name, *options):
        done = subprocess.run([sys.executable, "-B", os.path.join(TOP, "bench", name), *options],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = done.stdout.decode()
        if "needs a network of its own" in said:
            self.skipTest("the kernel gives this user no network of his own")
        self.assertEqual(done.returncode, 0, said)
        self.assertRegex(said, r"\d us +\d+/s|\d ns")
        return said

    def test_authentication(self):
        self.check("authentication", "--rounds", "1", "--scale", "0.01")

    def test_crowd(self):
        self.check("crowd", "--rounds", "1", "--scale", "0.01", "--sessions", "20")

    def test_recipients(self):
        self.check("recipients", "--rounds", "1", "--sizes", "1000")
