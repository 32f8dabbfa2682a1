"""What /proc says about processes, and how they are ended: by the pid that we know."""

import os
import signal

from place import wait_until


def stat(pid):
    """Fields of /proc/PID/stat from `state` on, or None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as f:
            return f.read().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def name(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(pid):
    """Zombies count as ended."""
    fields = stat(pid)
    return fields is not None and fields[0] not in (b"Z", b"X")


def everybody():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def with_argument(text):
    """Those that have it in their command line."""
    found = []
    for pid in everybody():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                if text.encode() in f.read():
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def children(pid):
    """Pids of the living children, oldest first."""
    found = []
    for other in everybody():
        fields = stat(other)
        if fields and int(fields[1]) == pid and fields[0] not in (b"Z", b"X"):
            found.append((int(fields[19]), other))
    return [other for _, other in sorted(found)]


def tree(pid):
    """The process and its living descendants."""
    below = {}
    for other in everybody():
        fields = stat(other)
        if fields and fields[0] not in (b"Z", b"X"):
            below.setdefault(int(fields[1]), []).append((int(fields[19]), other))
    found = []
    waiting = [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += [child for _, child in sorted(below.get(found[-1], []), reverse=True)]
    return found


def of_session(*sessions):
    """Living processes of these sessions: what a program that led one has left behind too."""
    found = []
    for pid in everybody():
        fields = stat(pid)
        if fields and int(fields[3]) in sessions and fields[0] not in (b"Z", b"X"):
            found.append(pid)
    return found


def end_sessions(*sessions):
    """Kills everything in them, until nothing is left."""
    left = of_session(*sessions)
    while left:
        for pid in left:
            kill(pid)
        left = of_session(*sessions)


def status(pid):
    """/proc/PID/status as a dictionary."""
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


class Mapping:
    """One of /proc/PID/smaps; sizes in KiB."""

    def __init__(self, line):
        fields = line.split(None, 5)
        self.rights = fields[1]
        self.what = fields[5].strip() if len(fields) > 5 else ""
        self.size = self.huge = 0

    def __repr__(self):
        return "%s %s %d (%d huge)" % (self.rights, self.what, self.size, self.huge)


def mappings(pid):
    found = []
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            word = line.split()[0]
            if not word.endswith(":"):
                found.append(Mapping(line))
            elif word == "Size:":
                found[-1].size = int(line.split()[1])
            elif word == "AnonHugePages:":
                found[-1].huge = int(line.split()[1])
    return found


TICK_NS = 1000000000 // os.sysconf("SC_CLK_TCK")


def cpu_ns(pid):
    """CPU time of a process of one thread, and of its reaped children, in nanoseconds."""
    fields = stat(pid)
    if fields is None:
        return 0
    own, reaped = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    try:
        with open("/proc/%d/schedstat" % pid) as f:
            return int(f.read().split()[0]) + reaped * TICK_NS
    except OSError:
        return (own + reaped) * TICK_NS


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pid, patience=None):
    wait_until(lambda: not alive(pid), "the end of process %d (%s)" % (pid, name(pid)), patience)


def end(process, number=signal.SIGTERM, patience=10):
    """Ends a subprocess.Popen: asks, then kills. Returns its exit status."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(patience)
        except Exception:
            process.kill()
    return process.wait()
