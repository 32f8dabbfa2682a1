"""Signed zones, made by ldns-keygen and ldns-signzone; also ones that a resolver must not believe."""

import base64
import random
import struct
import subprocess

from nsd import START, Whole
from place import peer, peer_environment

ED25519 = 15


def _ldns(directory, program, *arguments):
    done = subprocess.run([peer("ldnsutils", "usr/bin/" + program), *arguments],
                          cwd=directory.path, env=peer_environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode().strip()


class Key:
    """The one key of a zone; anchor is its DS record, as option dns.anchors wants it."""

    def __init__(self, directory, zone):
        self.directory = directory
        self.zone = zone
        self.name = _ldns(directory, "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone)
        with open(directory.join(self.name + ".ds")) as f:
            self.anchor = " ".join(f.read().split())

    def sign(self, records, expires="20361231000000", nsec3_iterations=None):
        """Returns: the whole zone with its signatures."""
        path = self.directory.write(self.zone + ".unsigned", START.format(name=self.zone) + records)
        nsec3 = ["-n", "-t", str(nsec3_iterations)] if nsec3_iterations else []
        _ldns(self.directory, "ldns-signzone", "-i", "20200101000000", "-e", expires, *nsec3,
              "-f", path + ".signed", path, self.name)
        with open(path + ".signed") as f:
            return Whole(f.read())


def _key_with_tag(r, tag):
    """An Ed25519 key record of octets that mean nothing, whose key tag (RFC 4034 B) is this one."""
    while True:
        data = struct.pack(">HBB", 257, 3, ED25519) + r.randbytes(30)
        total = sum(struct.unpack(">17H", data))
        for last in range(0x10000):
            whole = total + last
            if (whole + (whole >> 16 & 0xFFFF)) & 0xFFFF == tag:
                return data[4:] + struct.pack(">H", last)


def key_trap(zone, records, keys, signatures):
    """
    A zone whose keys all have one tag, and whose every record set has many signatures that could be
    by any of them (CVE-2023-50387). Returns: the whole zone and an anchor.
    """
    r = random.Random(1)
    tag = 4711
    text = START.format(name=zone) + records
    points = [_key_with_tag(r, tag) for _ in range(keys)]
    text += "".join("@ DNSKEY 257 3 %d %s\n" % (ED25519, base64.b64encode(p).decode())
                    for p in points)
    for kind in ("SOA", "NS", "TXT", "DNSKEY"):
        for _ in range(signatures):
            text += "@ RRSIG %s %d 2 60 20361231000000 20200101000000 %d %s. %s\n" % (
                kind, ED25519, tag, zone, base64.b64encode(r.randbytes(64)).decode())
    return Whole(text), "%s. IN DNSKEY 257 3 %d %s" % (
        zone, ED25519, base64.b64encode(points[0]).decode())
