"""Where things are: the build, the unpacked peers, temporary directories, free ports."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
PEERS = os.path.join(TOP, os.environ.get("PEERS", os.path.join(BUILD, "peers")))
IS_ROOT = os.geteuid() == 0

# Generous: a deadline only ends a test that would otherwise hang, it never decides one.
PATIENCE = float(os.environ.get("E2E_PATIENCE", "60"))

# Test files that run at the same time take their ports from different ranges.
_SLOT = int(os.environ.get("E2E_SLOT", os.getpid())) % 16
_used_ports = set()


def program(name):
    """Path of one of our executables; the test fails when it was not built."""
    for directory in ("bin", "libexec/gatehouse"):
        path = os.path.join(BUILD, directory, name)
        if os.access(path, os.X_OK):
            return path
    raise AssertionError("%s is not built under %s" % (name, BUILD))


def helper(source, *flags):
    """Path of a C program of the tests, built when it is older than its source or not there."""
    source = os.path.join(TOP, source)
    binary = os.path.join(BUILD, "tests", os.path.basename(source)[:-2])
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        os.makedirs(os.path.dirname(binary), exist_ok=True)
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-O2", "-o",
                        binary, source, *flags], check=True)
    return binary


def peer(name, path):
    """Path of a file of an unpacked peer; unpacks it when it is not there yet."""
    whole = os.path.join(PEERS, name, path)
    if not os.path.exists(os.path.join(PEERS, name, ".complete")):
        subprocess.run([os.path.join(TOP, "tools/peers"), "-d", PEERS, name], check=True)
    return whole


def peer_environment(**more):
    """Environment in which the programs of unpacked peers find their shared objects."""
    libraries = "%s/lib:%s/postfix/usr/lib/postfix" % (PEERS, PEERS)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": libraries}
    environment.update(more)
    return environment


def needs_root(test):
    """Skips the test as an ordinary user; the runner counts no such skip as good for root."""
    return unittest.skipUnless(IS_ROOT, "needs root")(test)


def free_port(host="127.0.0.1", *kinds):
    """
    A port below the ephemeral range that nobody listens on, never given out twice. In: kinds, of
    the sockets for which it must be free; without any, streams.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(1000):
        port = 15000 + 1000 * _SLOT + random.randrange(1000)
        if port in _used_ports:
            continue
        try:
            for kind in kinds or (socket.SOCK_STREAM,):
                with socket.socket(family, kind) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        _used_ports.add(port)
        return port
    raise AssertionError("no free port")


class Directory:
    """A temporary directory that other users may enter; removed unless E2E_KEEP is set."""

    def __init__(self, prefix):
        self.path = tempfile.mkdtemp(prefix="gatehouse-%s-" % prefix)
        os.chmod(self.path, 0o755)

    def join(self, *parts):
        return os.path.join(self.path, *parts)

    def write(self, name, text):
        """Writes a file whole: a reader sees the old one or the new one."""
        path = self.join(name)
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(path + ".new", mode) as f:
            f.write(text)
        os.rename(path + ".new", path)
        return path

    def make(self, *parts):
        path = self.join(*parts)
        os.makedirs(path, exist_ok=True)
        return path

    def give_to(self, user):
        """Makes everything in it another user's."""
        for directory, _, files in os.walk(self.path):
            os.chown(directory, user, user)
            for name in files:
                os.chown(os.path.join(directory, name), user, user)

    def remove(self):
        if "E2E_KEEP" not in os.environ:
            shutil.rmtree(self.path, ignore_errors=True)


def wait_until(condition, what, patience=None):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + (patience or PATIENCE)
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def wait_port(port, host="127.0.0.1", process=None):
    """Waits until something accepts connections there, or the process that should has ended."""

    def accepted():
        if process is not None and process.poll() is not None:
            raise AssertionError("the server ended with status %s" % process.returncode)
        try:
            socket.create_connection((host, port), timeout=5).close()
            return True
        except OSError:
            return False

    wait_until(accepted, "a server on port %d" % port)
