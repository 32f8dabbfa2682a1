"""NSD, an authoritative name server, on a loopback port, with the zones of a test."""

import socket
import struct
import subprocess

import processes
from backends import Backend
from place import Directory, free_port, peer, peer_environment, wait_until

SERVER = """\
server:
	ip-address: {address}@{port}
	username: ""
	chroot: ""
	zonesdir: "{directory}"
	database: ""
	pidfile: "{directory}/pid"
	xfrdfile: "{directory}/xfrd"
	zonelistfile: "{directory}/zones"
	logfile: "{directory}/log"
	server-count: 1
remote-control:
	control-enable: no
"""

ZONE = """\
zone:
	name: "{name}"
	zonefile: "{file}"
"""

START = "$ORIGIN {name}.\n$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n"


def txt(text):
    """The strings of a TXT record, each at most 255 octets."""
    return " ".join('"%s"' % text[i:i + 250] for i in range(0, len(text), 250))


def question(name, kind=16):
    """A DNS question as octets."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split(".") if label)
    return struct.pack(">HHHHHH", 4711, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


class Whole(str):
    """A zone with its SOA and NS records."""


class Nsd(Backend):
    """
    In: zones, a dictionary of names and their records in master file form; port and host to listen
    on, where a resolver looks for it.
    """

    def __init__(self, zones, port=None, host="127.0.0.1"):
        self.directory = Directory("nsd")
        self.port = port or free_port("127.0.0.1", socket.SOCK_DGRAM, socket.SOCK_STREAM)
        configuration = SERVER.format(address=host, port=self.port, directory=self.directory.path)
        for name, records in zones.items():
            start = "" if isinstance(records, Whole) else START.format(name=name)
            file = name if name != "." else "root"
            self.directory.write(file, start + records)
            configuration += ZONE.format(name=name, file=file)
        path = self.directory.write("nsd.conf", configuration)
        self.process = subprocess.Popen(
            [peer("nsd", "usr/sbin/nsd"), "-d", "-c", path], env=peer_environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        wait_until(lambda: self.answers(next(iter(zones))), "an answer of nsd")

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def answers(self, name):
        if self.process.poll() is not None:
            with open(self.directory.join("log")) as f:
                raise AssertionError("nsd ended: " + f.read())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.sendto(question(name), ("127.0.0.1", self.port))
                return s.recv(4096)[3] & 15 == 0
            except OSError:
                return False

    def stop(self):
        pids = processes.of_session(self.process.pid)
        processes.end(self.process)
        for pid in pids:
            processes.kill(pid)
        self.directory.remove()
