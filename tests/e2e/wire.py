"""
A bad wire: two networks, each with a TUN device, and between them a thread that passes packets on
late, in another order, or not at all. The kernel's TCP at both ends is the real one.
"""

import fcntl
import heapq
import os
import random
import select
import signal
import socket
import struct
import threading
import time
import traceback

import network
from backends import Package, answer, read_netstring

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
HERE, THERE = "198.51.100.1", "198.51.100.2"
PORT = 628


def tunnel(name, address):
    """A TUN device of this network, up, with this address. Raises OSError where there is none."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        network.set_up(control, name, address, "255.255.255.0")
    return fd


class Wire:
    """
    Make it before any thread, in a network of one's own. Behind it, in a process and a network of
    its own, a QMQP server takes whatever comes whole; `contents` has what that was.

    What happens to a packet: loss, the chance that it goes nowhere; delay and jitter, seconds, of
    which jitter is what changes their order; largest, octets of what passes at all, without a word
    to the sender of more (a black hole).
    """

    def __init__(self, seed=0):
        self.random = random.Random(seed)
        self.loss = self.delay = self.jitter = 0
        self.largest = 1500
        self.contents = []
        self.here = tunnel("wire0", HERE)
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.pid = os.fork()
        if self.pid == 0:
            channel.close()
            os.close(self.here)
            try:
                serve(theirs)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        theirs.close()
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        self.there = fds[0]
        self.channel = channel
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (self.pass_on, self.listen)]
        for thread in self.threads:
            thread.start()

    def listen(self):
        """What the server took, one netstring each."""
        while True:
            octets = read_netstring(self.channel)
            if octets is None:
                return
            self.contents.append(octets)

    def pass_on(self):
        waiting, number = [], 0
        while not self.ending.is_set():
            left = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.1
            for fd in select.select([self.here, self.there], [], [], min(left, 0.1))[0]:
                packet = os.read(fd, 65536)
                if len(packet) > self.largest or self.random.random() < self.loss:
                    continue
                number += 1
                due = time.monotonic() + self.delay + self.random.random() * self.jitter
                heapq.heappush(waiting, (due, number, self.there if fd == self.here else self.here,
                                         packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(waiting)
                os.write(to, packet)

    def stop(self):
        self.ending.set()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for thread in self.threads:
            thread.join()
        self.channel.close()
        os.close(self.here)
        os.close(self.there)


def serve(channel):
    """The other side: its network, its end of the wire, its server."""
    if not network.enter_private():
        return
    fd = tunnel("wire1", THERE)
    socket.send_fds(channel, [b"!"], [fd])
    lock = threading.Lock()

    def one(connection):
        with connection:
            octets = read_netstring(connection)
            if octets is None:
                return
            with lock:
                content = Package(octets).content
                channel.sendall(b"%d:%s," % (len(content), content))
            connection.sendall(answer("Kok"))

    listener = socket.create_server((THERE, PORT), backlog=256)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()
