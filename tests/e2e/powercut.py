"""
What a power cut leaves on the disk. record.c writes down what a program does to files, and what it says;
a Disk follows and knows of every moment what may be there afterwards, by the words of POSIX:

  a file        holds what it held when it was synced last, and anything else if it was written since
  a directory   has the names of any moment since it was synced last, each directory for itself
"""

import collections
import os
import subprocess

from place import Directory, helper

Record = collections.namedtuple("Record", "verb arguments")


class Recorder:
    """Programs that run with its environment are recorded. In: below, the directory that counts."""

    def __init__(self, below=None):
        self.directory = Directory("record")
        for path in (self.directory.path, self.directory.write("trace", "")):
            os.chmod(path, 0o777)  # servers change their user
        self.environment = {
            "LD_PRELOAD": helper("tests/e2e/record.c", "-shared", "-fPIC", "-ldl"),
            "RECORD": self.directory.path}
        if below is not None:
            self.watch(below)

    def watch(self, below):
        """From here on; what there is now is on disk."""
        self.environment["RECORD_BELOW"] = below
        self.before = Disk(below)
        with open(self.directory.join("trace"), "w"):
            pass

    def run(self, *command):
        """Runs it to its end. Returns: exit status and output."""
        done = subprocess.run(command, env=dict(os.environ, **self.environment),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode()

    def trace(self):
        """What has happened, in order."""
        with open(self.directory.join("trace")) as f:
            lines = f.read().splitlines()
        return [Record(verb, arguments) for verb, *arguments in
                (line.split("\t") for line in lines)]

    def cuts(self, trace=None, named=False):
        """
        Yields what was done last, and the disk of that moment, from the start on. In: trace, another one;
        named, whether a file that is synced keeps its names too, as ext4, XFS and Btrfs have it and POSIX
        does not promise.
        """
        disk = self.before.copy()
        disk.named = named
        yield None, disk
        for record in self.trace() if trace is None else trace:
            disk.apply(record)
            yield record, disk

    def remove(self):
        self.directory.remove()


class File:
    """synced: what it holds for certain unless it is dirty; None before the first time."""

    def __init__(self, synced=None):
        self.synced = synced
        self.dirty = False

    @property
    def certain(self):
        """Its content, or None when that is anybody's guess."""
        return None if self.dirty else self.synced


class Disk:
    """In: root, a directory as it is now, all of it synced."""

    def __init__(self, root):
        self.root = root
        self.named = False
        self.files = {}  # by inode
        self.directories = {}  # by path: states since the last sync, each names and what they name
        for path, directories, files in os.walk(root):
            names = {name: os.path.join(path, name) for name in directories}
            for name in files:
                whole = os.path.join(path, name)
                if os.path.isfile(whole) and not os.path.islink(whole):
                    with open(whole, "rb") as f:
                        names[name] = self.files.setdefault(os.stat(whole).st_ino,
                                                            File(f.read()))
            self.directories[path] = [names]

    def copy(self):
        other = Disk.__new__(Disk)
        other.root, other.named = self.root, False
        fresh = {id(file): File(file.synced) for file in self.files.values()}
        other.files = {inode: fresh[id(file)] for inode, file in self.files.items()}
        other.directories = {
            path: [{name: fresh.get(id(what), what) for name, what in state.items()}
                   for state in states] for path, states in self.directories.items()}
        return other

    # ---- what is done

    def apply(self, record):
        getattr(self, "on_" + record.verb)(*(
            os.path.normpath(word) if word[:1] == "/" else word for word in record.arguments))

    def name(self, path, what):
        """A name is given to a file or a directory, or taken away with None."""
        where, name = os.path.split(path)
        state = dict(self.directories[where][-1])
        state.pop(name, None)
        if what is not None:
            state[name] = what
        self.directories[where].append(state)

    def named_by(self, path):
        where, name = os.path.split(path)
        return self.directories[where][-1].get(name)

    def on_create(self, path, inode):
        self.files[inode] = File()
        self.name(path, self.files[inode])

    def on_dirty(self, inode):
        if inode in self.files:
            self.files[inode].dirty = True

    def on_sync(self, inode, copy):
        file = self.files.get(inode)
        if file is None:
            return
        with open(copy, "rb") as f:
            file.synced = f.read()
        file.dirty = False
        for path, states in self.directories.items():
            if self.named and file in states[-1].values():
                self.on_syncdir(path)

    def on_syncdir(self, path):
        del self.directories[path][:-1]

    def on_mkdir(self, path):
        if os.path.dirname(path) in self.directories:
            self.name(path, path)
        self.directories[path] = [{}]

    def on_rename(self, old, new):
        what = self.named_by(old)
        self.name(new, what)
        self.name(old, None)

    def on_link(self, old, new):
        self.name(new, self.named_by(old))

    def on_unlink(self, path):
        self.name(path, None)

    def on_say(self, _octets):
        pass

    # ---- what is left

    def reached(self, path):
        """Whether a directory is there whatever happens."""
        where, name = os.path.split(path)
        return path == self.root or (self.reached(where) and all(
            state.get(name) == path for state in self.directories[where]))

    def has(self, good):
        """Whether there is a directory that has a file with good(content), whatever happens."""
        return any(self.reached(path) and all(
            any(isinstance(what, File) and what.certain is not None and good(what.certain)
                for what in state.values()) for state in states)
            for path, states in self.directories.items())

    def worlds(self, path):
        """
        What may be in a directory afterwards. Returns: a list of dictionaries of names and contents,
        without subdirectories; a content is None when it may be anything.
        """
        return [{name: what.certain for name, what in state.items() if isinstance(what, File)}
                for state in self.directories[path]]
