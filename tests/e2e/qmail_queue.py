"""
A queue program in the manner of qmail-queue(8): the message on descriptor 0, the envelope on
descriptor 1; exit 0 only when the message is on disk in the Maildir of the argument.
"""

import os
import sys


def read_all(descriptor):
    parts = []
    while True:
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def main(maildir):
    message = read_all(0)
    envelope = read_all(1)
    if not (envelope.startswith(b"F") and envelope.endswith(b"\0\0")):
        return 91
    sender, *recipients = envelope[:-2].split(b"\0")
    head = b"Return-Path: <%s>\n" % sender[1:]
    head += b"".join(b"Delivered-To: %s\n" % recipient[1:] for recipient in recipients)
    name = "%d.%d" % (os.getpid(), os.times().elapsed * 100)
    draft = os.path.join(maildir, "tmp", name)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as f:
        f.write(head + message)
        f.flush()
        os.fsync(f.fileno())
    os.rename(draft, os.path.join(maildir, "new", name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
