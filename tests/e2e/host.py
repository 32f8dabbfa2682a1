"""A host that fails as a test wants: host.c in front of the C library, and the page it reads."""

import mmap
import os
import struct

from place import BUILD, Directory, helper

# As in host.c.
NOTHING, CALL, MEMORY, SHORT, STORM, OVERFULL, EXHAUSTED, NO_FORKS, NO_ROOM, GARBLED = \
    range(10)
REALTIME, BOOTTIME, PROGRAM, KIND, AT, CHOICE, SEEN, DONE, WHERE, ROOM, WRITTEN, ERROR = (
    0, 8, 16, 48, 52, 56, 60, 64, 68, 104, 112, 120)


class Host:
    """
    In: lacks, "seccomp" or "landlock", which its kernel has not; syslog, where its /dev/log is.
    A gateway on it has all libraries shared: nothing comes before one that a program has inside.
    """

    program = os.path.join(BUILD, "shared/bin/gatehouse")

    def __init__(self, lacks=None, syslog=None):
        self.directory = Directory("host")
        path = self.directory.write("control", bytes(4096))
        os.chmod(path, 0o666)
        self.file = open(path, "r+b")
        self.page = mmap.mmap(self.file.fileno(), 4096)
        library = helper("tests/e2e/host.c", "-shared", "-fPIC")
        self.environment = dict(os.environ, LD_PRELOAD=library, HOST_CONTROL=path)
        if lacks is not None:
            self.environment["HOST_LACKS"] = lacks
        if syslog is not None:
            self.environment["HOST_SYSLOG"] = syslog

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.close()
        self.file.close()
        self.directory.remove()

    def _put(self, at, kind, value):
        struct.pack_into("=" + kind, self.page, at, value)

    def _get(self, at, kind):
        return struct.unpack_from("=" + kind, self.page, at)[0]

    def arm(self, program, kind, at=0, choice=0, room=0, error=0):
        """What that program meets from now on; see host.c. One program at a time."""
        self._put(KIND, "I", NOTHING)
        self._put(PROGRAM, "32s", program.encode())
        self._put(AT, "I", at)
        self._put(CHOICE, "I", choice)
        self._put(SEEN, "I", 0)
        self._put(DONE, "I", 0)
        self._put(WHERE, "32s", b"")
        self._put(ROOM, "q", room)
        self._put(WRITTEN, "q", 0)
        self._put(ERROR, "i", error)
        self._put(KIND, "I", kind)

    def disarm(self):
        self._put(KIND, "I", NOTHING)

    @property
    def seen(self):
        """Calls of that program since it was armed."""
        return self._get(SEEN, "I")

    @property
    def done(self):
        """How often something failed since."""
        return self._get(DONE, "I")

    @property
    def where(self):
        """The call that failed last, and how."""
        return self._get(WHERE, "32s").split(b"\0")[0].decode()

    def set_realtime(self, seconds):
        """The calendar is so far off, for everybody."""
        self._put(REALTIME, "q", int(seconds * 1000000))

    def suspend(self, seconds):
        """
        The machine sleeps: CLOCK_BOOTTIME has gone on when it wakes, the clock by which the
        kernel ends waits has not.
        """
        self._put(BOOTTIME, "q", self._get(BOOTTIME, "q") + int(seconds * 1000000))
