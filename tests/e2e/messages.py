"""Real messages of many kinds, in LF form, each with a token that no other has."""

import base64
import itertools
import random
import string

_numbers = itertools.count(1)
_random = random.Random(4711)  # the same octets in every run


def token():
    return "token-%d-%s" % (next(_numbers), "".join(random.choices(string.ascii_lowercase, k=12)))


def head(subject=b"a message", **more):
    """Header fields that every message of the tests has, and the empty line."""
    lines = [b"From: Sender <sender@sender.example>", b"To: Alice <alice@example.com>",
             b"Subject: " + subject, b"Date: Sat, 21 Nov 2026 02:20:00 +0000",
             b"Message-ID: <%s@sender.example>" % token().encode()]
    lines += [b"%s: %s" % (name.replace("_", "-").encode(), value) for name, value in more.items()]
    return b"\n".join(lines) + b"\n\n"


def simple(text=b"hello\n"):
    return head() + text


def of_size(octets):
    """A plain message that has `octets` octets in CR LF form."""
    message = head()
    left = octets - len(message) - message.count(b"\n")
    line = b"x" * 76
    body = (line + b"\n") * (left // 78)
    rest = left % 78
    if rest == 1:
        body, rest = body[:-1] + b"x\n", 0
    if rest >= 2:
        body += b"y" * (rest - 2) + b"\n"
    return message + body


def attachment(octets):
    """A multipart message with that many octets of random data in base64."""
    data = base64.encodebytes(_random.randbytes(octets))
    return (head(b"attachment", MIME_Version=b"1.0",
                 Content_Type=b'multipart/mixed; boundary="=_edge"') +
            b"--=_edge\nContent-Type: text/plain\n\nsee there\n--=_edge\n"
            b"Content-Type: application/octet-stream; name=data\n"
            b"Content-Transfer-Encoding: base64\n\n" + data + b"--=_edge--\n")


def kinds():
    """Pairs of a name and a message."""
    utf8 = "Grüße aus Köln – žluťoučký kůň – 日本語".encode()
    return [
        ("plain", simple()),
        ("no body", head()),
        ("header only, no empty line", head()[:-1]),
        ("empty lines at the end", simple(b"text\n\n\n\n\n")),
        ("empty lines at the start", simple(b"\n\n\ntext\n")),
        ("eight bit", head(b"eight bit", MIME_Version=b"1.0",
                           Content_Type=b"text/plain; charset=iso-8859-1",
                           Content_Transfer_Encoding=b"8bit") + bytes(range(0xa0, 0x100)) + b"\n"),
        ("every octet but CR, LF and NUL",
         head(b"octets") + bytes(i for i in range(1, 256) if i not in (10, 13)) + b"\n"),
        ("utf-8 header", head(utf8) + utf8 + b"\n"),
        ("encoded words", head(b"=?utf-8?b?R3LDvMOfZQ==?= =?iso-8859-1?q?a=20b?=") + b"x\n"),
        ("folded header", head(b"one\n\ttwo\n  three", X_List=b"a,\n b,\n c") + b"x\n"),
        ("long header field", head(b"s" * 900, References=b"\n ".join(
            b"<%d.%s@sender.example>" % (i, b"r" * 60) for i in range(200))) + b"x\n"),
        ("dots", simple(b".\n..\n...\n.x\n..x\n .\n. \n.\n")),
        ("smtp commands", simple(b"QUIT\nRSET\nDATA\nMAIL FROM:<a@b.example>\n.QUIT\n250 ok\n")),
        ("mbox line in the body", simple(b"\nFrom someone Mon Jan  1\n>From x\n")),
        ("lines of 998 octets", simple((b"y" * 998 + b"\n") * 50)),
        ("lines of 20000 octets", simple((b"z" * 20000 + b"\n") * 5)),
        ("many short lines", simple(b"a\n" * 40000)),
        ("netstrings", simple(b"3:abc,\n0:,\n999999:\n")),
        ("around the inline limit", of_size(16384)),
        ("over the inline limit", of_size(16900)),
        ("attachment", attachment(300000)),
        ("big attachment", attachment(4 * 1024 * 1024)),
    ]
