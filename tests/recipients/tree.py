"""A tree of files as a back end has it, with owners and modes that need not be real."""

import os

SELF = (os.geteuid(), os.getegid())


def octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def lines_of(value):
    """A list of lines, or a text."""
    if isinstance(value, (list, tuple)):
        return b"".join(octets(line) + b"\n" for line in value)
    return octets(value)


class Tree:
    """
    Paths are absolute in the tree. With real=True owners and modes are set on the files, which
    takes root; else they go into a list that the compiler is given (stat=).
    """

    def __init__(self, root, real=False):
        self.root = octets(root)
        self.real = real
        self.owners = {}
        self.add(b"/", 0, 0, 0o755)

    def host(self, path):
        return self.root + octets(path)

    def add(self, path, uid, gid, mode):
        self.owners[octets(path).rstrip(b"/") or b"/"] = (mode, uid, gid)

    def directory(self, path, uid=0, gid=0, mode=0o755):
        path = octets(path).rstrip(b"/")
        at = b""
        for name in path.split(b"/")[1:]:
            at += b"/" + name
            if not os.path.isdir(self.host(at)):
                os.mkdir(self.host(at))
                self.add(at, 0, 0, 0o755)
        self.add(path, uid, gid, mode)

    def file(self, path, text, uid=0, gid=0, mode=0o644):
        path = octets(path)
        parent = os.path.dirname(path)
        if not os.path.isdir(self.host(parent)):
            self.directory(parent)
        with open(self.host(path), "wb") as f:
            f.write(octets(text))
        self.add(path, uid, gid, mode)

    def link(self, path, target):
        os.symlink(octets(target), self.host(path))

    def is_directory(self, path):
        return os.path.isdir(self.host(path))

    def finish(self, manifest):
        """Sets owners and modes, or writes their list. Returns: the option stat=, or None."""
        if self.real:
            for path, (mode, uid, gid) in sorted(self.owners.items(), reverse=True):
                os.chown(self.host(path), uid, gid)
                os.chmod(self.host(path), mode)
            return None
        with open(manifest, "wb") as f:
            for path, (mode, uid, gid) in self.owners.items():
                f.write(b"%o %d %d %s\0" % (mode, uid, gid, path))
        return "stat=" + manifest


def option(text):
    """A value of an option of a source."""
    return text.replace("\\", "\\\\").replace(",", "\\,")


# ---- constant databases, as qmail-newu and qmail-newmrh make them --------------------------------

def cdb_hash(key):
    h = 5381
    for c in key:
        h = ((h << 5) + h ^ c) & 0xffffffff
    return h


def cdb(records):
    """The octets of a constant database."""
    def number(n):
        return n.to_bytes(4, "little")

    body, position, slots = [], 2048, [[] for _ in range(256)]
    for key, value in records:
        h = cdb_hash(key)
        slots[h & 255].append((h, position))
        record = number(len(key)) + number(len(value)) + key + value
        body.append(record)
        position += len(record)
    head, tables = [], []
    for entries in slots:
        size = 2 * len(entries)
        head.append(number(position) + number(size))
        table = [(0, 0)] * size
        for h, at in entries:
            i = (h >> 8) % size
            while table[i][1]:
                i = (i + 1) % size
            table[i] = (h, at)
        tables += [number(h) + number(at) for h, at in table]
        position += 8 * size
    return b"".join(head + body + tables)


def lower(text):
    return bytes(c + 32 if 65 <= c <= 90 else c for c in text)


def newu(text):
    """users/cdb of users/assign; None when qmail-newu refuses it."""
    records, wild = [], b""
    for line in text.split(b"\n")[:-1]:
        if line[:1] == b".":
            return cdb(records + [(b"", wild)])
        fields = line.split(b":")
        if b"\0" in line or not fields[0] or len(fields) < 8:
            return None
        key = b"!" + lower(fields[0][1:])
        if line[:1] == b"+":
            last = fields[0][-1:]
            if len(fields[0]) > 1 and last not in wild:
                wild += last
        else:
            key += b"\0"
        records.append((key, b"\0".join(fields[1:7])))
    return None


def newmrh(text):
    """control/morercpthosts.cdb"""
    entries = [lower(line.rstrip(b" \t")) for line in text.split(b"\n")]
    return cdb([(entry, b"") for entry in entries if entry and entry[:1] != b"#"])
