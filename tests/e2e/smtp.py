"""An SMTP client that does exactly what a test tells it, right or wrong."""

import socket
import struct
import time

from place import PATIENCE


class Closed(Exception):
    """The server closed or reset the connection."""


class Reply:
    """One reply: code, the lines without code and line end, and the octets as they came."""

    def __init__(self, code, lines, octets):
        self.code = code
        self.lines = lines
        self.octets = octets

    @property
    def text(self):
        return b"\n".join(self.lines).decode("latin-1")

    @property
    def status(self):
        """Code with the enhanced status code, as "550 5.1.1"; without one just the code."""
        first = self.lines[0].split(b" ")[0].decode("latin-1") if self.lines else ""
        return "%d %s" % (self.code, first) if first.count(".") == 2 else str(self.code)

    @property
    def id(self):
        """The transaction id at the end of the text."""
        return self.lines[-1].decode("latin-1").split()[-1].strip("()")

    def __repr__(self):
        return "<%d %s>" % (self.code, self.text)


def stuff(content):
    """A message with LF or CR LF line ends as it goes over the wire, end of data included."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    wire = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
    return wire + b".\r\n"


class Client:
    """A connection. Every reading ends after PATIENCE seconds in a socket.timeout."""

    def __init__(self, port, host="127.0.0.1", source=None, greet=True, octetwise=False,
                 patience=None):
        source_address = (source, 0) if source else None
        self.socket = socket.create_connection((host, port), patience or PATIENCE,
                                               source_address=source_address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.octetwise = octetwise
        self.pending = b""
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- octets

    def send(self, octets):
        """Sends; octetwise, each octet in a segment of its own."""
        try:
            if not self.octetwise:
                self.socket.sendall(octets)
                return
            for i in range(len(octets)):
                self.socket.sendall(octets[i:i + 1])
        except (BrokenPipeError, ConnectionResetError):
            raise Closed()

    def send_pieces(self, pieces, pause=0):
        """Sends each piece in a segment of its own."""
        for piece in pieces:
            self.socket.sendall(piece)
            if pause:
                time.sleep(pause)

    def read_line(self):
        while b"\n" not in self.pending:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                raise Closed()
            if not more:
                raise Closed()
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return line + b"\n"

    def reply(self):
        """Reads one reply, all its lines."""
        lines, octets = [], b""
        while True:
            line = self.read_line()
            octets += line
            if len(line) > 512 or not line.endswith(b"\r\n") or not line[:3].isdigit():
                raise AssertionError("not a reply line: %r" % line)
            lines.append(line[4:-2])
            if line[3:4] != b"-":
                return Reply(int(line[:3]), lines, octets)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def rest(self):
        """Everything until the server closes; a reset counts as the end."""
        got = self.pending
        self.pending = b""
        while True:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return got
            if not more:
                return got
            got += more

    def closed(self):
        """Waits until the server closes and says whether it did so without another word."""
        return self.rest() == b""

    # ---- commands

    def command(self, line):
        """Sends a line and reads its reply."""
        if isinstance(line, str):
            line = line.encode("utf-8")
        self.send(line + b"\r\n")
        return self.reply()

    def ehlo(self, name="client.sender.example"):
        """EHLO; the reply's lines after the first are the extensions."""
        reply = self.command("EHLO " + name)
        assert reply.code == 250, reply
        self.extensions = {line.split(b" ")[0].decode(): line.decode() for line in reply.lines[1:]}
        return self

    def envelope(self, sender, recipients):
        """MAIL and RCPTs, in lock-step. Returns all replies."""
        answers = [self.command("MAIL FROM:<%s>" % sender)]
        answers += [self.command("RCPT TO:<%s>" % recipient) for recipient in recipients]
        return answers

    def data(self, content):
        """DATA and the message, dots stuffed. Returns the last reply."""
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        self.send(stuff(content))
        return self.reply()

    def deliver(self, sender, recipients, content):
        """One transaction; all recipients must be taken. Returns the reply to the message."""
        for reply in self.envelope(sender, recipients):
            assert reply.code == 250, reply
        return self.data(content)

    def quit(self):
        reply = self.command("QUIT")
        self.close()
        return reply

    # ---- ways to leave

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Leaves with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.socket.close()
