"""
A network of our own: for tests that need a client address which is not loopback's (SPF is not
run for those), and ports that nobody else can take.
"""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFADDR = 0x8916
SIOCSIFNETMASK = 0x891C
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def _unshare(flags):
    return ctypes.CDLL(None, use_errno=True).unshare(flags) == 0


def _address_request(interface, address):
    return struct.pack("16sHH4s8x", interface.encode(), socket.AF_INET, 0,
                       socket.inet_aton(address))


def up(control, interface):
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), IFF_UP))


def set_up(control, interface, address, mask):
    """Gives an interface its address and starts it. In: control, any socket of that network."""
    fcntl.ioctl(control, SIOCSIFADDR, _address_request(interface, address))
    fcntl.ioctl(control, SIOCSIFNETMASK, _address_request(interface, mask))
    up(control, interface)


def enter_private(addresses=()):
    """
    Moves this process, which must have one thread, into an empty network with loopback and
    these further addresses. Returns: False where the kernel does not let us.
    """
    if not _unshare(CLONE_NEWNET):
        # An ordinary user needs a user namespace for it; without a map he stays who he is.
        if os.geteuid() == 0 or not _unshare(CLONE_NEWUSER | CLONE_NEWNET):
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up(control, "lo")
        for number, address in enumerate(addresses, 1):
            set_up(control, "lo:%d" % number, address, "255.255.255.255")
    return True
