"""
Reads tests/smtpd/dialogues/ and plays what of it a real gateway can play: the scenarios without
options, waiting, or programs that behave in a way of their own (README there).
"""

import glob
import os
import random
import re

from place import TOP
from smtp import Closed

HOSTNAME = "mx.ours.example"

# Recipients as the played lookupd of tests/smtpd/stage.h knows them.
RECIPIENTS = """\
u@ours.example
v@ours.example
admin@ours.example
disabled@ours.example  reject="5.2.1 Mailbox disabled"
full@ours.example      defer="4.2.2 Mailbox full"
small@ours.example     size=2000
loops@ours.example     delivered_to=box-loops@store
"""

PLAYABLE = {"hello", "envelope", "data", "C:", "c:", "S:", "open", "closed", "connect", "messages",
            "content:", "recipients:", "questions", "sessions"}
MACROS = {
    "hello": ["connect", "S: 220 *", "C: EHLO client.example", "ehlo"],
    "envelope": ["C: MAIL FROM:<sender@client.example>", "S: 250 2.1.0 Sender ok",
                 "C: RCPT TO:<u@ours.example>", "S: 250 2.1.5 Recipient ok"],
    "data": ["C: DATA", "S: 354 *"],
}
KNOWN = {line.split()[0] for line in RECIPIENTS.splitlines()} | {"postmaster"}


def unescape(text):
    """Octets of a line of a dialogue."""
    def repeat(match):
        return match.group(1) * int(match.group(2))
    text = re.sub(r"\\\{((?:[^}\\]|\\.)*?)\*(\d+)\}", repeat, text)
    table = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "e": b"\x1b"}
    out, i = b"", 0
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode()
            i += 1
        elif text[i + 1] == "x":
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        else:
            out += table[text[i + 1]]
            i += 2
    return out


def steps(lines):
    """The lines of a scenario without comments, macros replaced."""
    for line in lines:
        if line and not line.startswith("#"):
            yield from MACROS.get(line, [line])


def playable(lines):
    words = {line.split(" ")[0] for line in lines if line and not line.startswith("#")}
    named = set(re.findall(r"(?i)TO: *<([^>@]*@ours\.example|postmaster)>", "\n".join(lines)))
    unknown = {name for name in named if name.lower() not in KNOWN}
    return (words <= PLAYABLE and words & {"hello", "connect"} and
            all(name.startswith("unknown") for name in unknown))


def scenarios():
    """Yields (name, lines) of those that can be played."""
    for path in sorted(glob.glob(os.path.join(TOP, "tests/smtpd/dialogues/*.dialogue"))):
        with open(path, encoding="utf-8") as file:
            parts = file.read().split("\n== ")
        for part in parts[1:]:
            name, *lines = part.split("\n")
            if playable(lines):
                yield "%s: %s" % (os.path.basename(path), name), lines


class Cut:
    """How octets are sent: whole, each for itself, or in pieces of random lengths."""

    def __init__(self, how, seed=0):
        self.how = how
        self.random = random.Random(seed)

    def pieces(self, octets):
        # A segment for each of 100,000 octets shows nothing more and takes minutes.
        if self.how == "whole" or not octets:
            return [octets]
        size = 1 if self.how == "octets" and len(octets) < 1500 else None
        out, at = [], 0
        while at < len(octets):
            step = size or self.random.choice((1, 2, 3, 7, 50, 1000, 16384, 60000))
            out.append(octets[at:at + step])
            at += step
        return out


class Player:
    """One scenario on one kind of connection. In: connect, makes a Client that was greeted."""

    def __init__(self, connect, cut):
        self.connect = connect
        self.cut = cut
        self.client = None
        self.segment = b""
        self.said = []  # the server's lines

    def flush(self):
        try:
            self.client.send_pieces(self.cut.pieces(self.segment))
        except OSError:
            pass  # it has closed; what it said before is still to be read
        self.segment = b""

    def line(self):
        self.flush()
        line = self.client.read_line()
        self.said.append(re.sub(rb", id [0-9A-Za-z]+\r\n", b", id *\r\n", line))
        return line

    def play(self, lines):
        """Returns: the server's lines. Raises AssertionError where it says something else."""
        for step in steps(lines):
            word, _, rest = step.partition(" ")
            getattr(self, "do_" + word.rstrip(":"), self.skip)(rest)
        self.finish()
        return b"".join(self.said)

    def skip(self, rest):
        pass

    def finish(self):
        if self.client is None:
            return
        self.flush()
        self.client.close()
        self.client = None

    def do_connect(self, rest):
        self.finish()
        self.client = self.connect()

    def do_C(self, rest):
        self.segment += unescape(rest) + b"\r\n"

    def do_c(self, rest):
        self.segment += unescape(rest)

    def do_S(self, rest):
        if rest.startswith("220 "):
            return  # over TLS there is none
        want = rest.encode()
        try:
            line = self.line()[:-2]
        except Closed:
            raise AssertionError("%r is missing" % rest)
        if line[:len(want) - 1] != want[:-1] if want.endswith(b"*") else line != want:
            raise AssertionError("%r, not %r" % (line, rest))

    def do_ehlo(self, rest):
        """The answer to EHLO; STARTTLS stands only where it can be."""
        while self.line()[3:4] == b"-":
            if self.said[-1] == b"250-STARTTLS\r\n":
                self.said.pop()

    def do_closed(self, rest):
        self.flush()
        more = self.client.rest()
        assert more == b"", "%r before the end" % more
