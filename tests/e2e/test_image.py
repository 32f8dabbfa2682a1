"""The file of validator: it can come into huge pages wherever the kernel puts it."""

import struct
import unittest

from place import program

PAGE = 4096
HUGE = 2 * 1024 * 1024
LOAD, WRITABLE = 1, 2


def segments(path):
    """What is loaded of a 64-bit ELF program: (flags, first page, page after the last, offset)."""
    with open(path, "rb") as f:
        file = f.read()
    table, = struct.unpack_from("=Q", file, 32)
    size, number = struct.unpack_from("=HH", file, 54)
    found = []
    for i in range(number):
        kind, flags, offset, address, _, _, length, _ = struct.unpack_from(
            "=IIQQQQQQ", file, table + i * size)
        if kind == LOAD:
            found.append((flags, address // PAGE * PAGE, -(-(address + length) // PAGE) * PAGE,
                          offset))
    return found


def moved(flags, first, end, offset):
    """As validators/image.c says."""
    return flags & WRITABLE == 0 and offset != 0 and end - first >= HUGE // 2


class Image(unittest.TestCase):
    def test_room_at_any_page(self):
        """Between code or constants and each neighbour there is a boundary of huge pages."""
        found = segments(program("validator"))
        both = [i for i, segment in enumerate(found) if moved(*segment)]
        if len(both) < 2:
            self.skipTest("this machine's linker puts the constants beside the headers")
        for i in both:
            for before, after in ((found[i - 1], found[i]), (found[i], found[i + 1])):
                # So wide that each of the HUGE / PAGE places that differ has one in it.
                self.assertGreaterEqual(after[1] - before[2], HUGE - PAGE,
                                        "needs a larger max-page-size in the Makefile")


if __name__ == "__main__":
    unittest.main()
