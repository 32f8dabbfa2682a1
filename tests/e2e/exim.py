"""The unpacked Exim, with configuration and spool in a temporary directory."""

import glob
import os
import pwd
import subprocess

import processes
from backends import Backend
from place import Directory, free_port, peer, peer_environment, wait_port, wait_until

COMMON = """\
exim_path = {program}
exim_user = daemon
exim_group = daemon
never_users =
spool_directory = {spool}
log_file_path = {spool}/%slog
trusted_users = root
keep_environment = LD_PRELOAD : LD_LIBRARY_PATH : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP : \
    RECORD : RECORD_BELOW
disable_ipv6
"""

SERVER = """\
primary_hostname = inner.backend.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
smtp_accept_max = 100
smtp_accept_max_per_connection = 1000
acl_smtp_rcpt = check
host_lookup =
rfc1413_query_timeout = 0s
queue_only
message_size_limit = 20M
bounce_return_body = false
begin acl
check:
  accept local_parts = {users}
  deny message = no such mailbox
"""


class Place:
    """A directory that Exim's account owns, and an environment in which that account exists."""

    def __init__(self):
        self.directory = Directory("exim")
        self.owner = pwd.getpwnam("daemon")
        self.spool = self.directory.make("spool")
        os.chown(self.spool, self.owner.pw_uid, self.owner.pw_gid)
        os.chmod(self.directory.path, 0o755)
        self.program = peer("exim4-daemon-light", "usr/sbin/exim4")
        self.environment = self._environment()

    def _environment(self):
        """Debian's exim asks for its account by name, and there is none on this machine."""
        files = {}
        for kind, line, ids in (
                ("passwd", "Debian-exim:x:%d:%d::/:/bin/false\n",
                 (self.owner.pw_uid, self.owner.pw_gid)),
                ("group", "Debian-exim:x:%d:\n", (self.owner.pw_gid,))):
            with open("/etc/" + kind) as f:
                path = self.directory.write(kind, f.read() + line % ids)
            os.chmod(path, 0o644)
            files["NSS_WRAPPER_" + kind.upper()] = path
        wrapper, = glob.glob(peer("libnss-wrapper", "usr/lib/*/libnss_wrapper.so"))
        return peer_environment(LD_PRELOAD=wrapper, **files)

    def configure(self, text, **values):
        path = self.directory.write("exim.conf", (COMMON + text).format(
            program=self.program, spool=self.spool, **values))
        os.chmod(path, 0o644)
        return [self.program, "-C", path]

    def log(self):
        try:
            with open(os.path.join(self.spool, "mainlog"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""


class Exim(Backend):
    """
    A server that takes SMTP and keeps what it took. In: users, the local parts that it has; begin, or
    start() is for the caller.
    """

    def __init__(self, users=("alice", "carol"), begin=True):
        self.place = Place()
        self.port = free_port()
        self.command = self.place.configure(SERVER, port=self.port, users=" : ".join(users))
        if begin:
            self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command + ["-bdf"], env=self.place.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_port(self.port, process=self.process)

    def messages(self):
        """What it took, without the first lines that are Exim's own: header fields and body."""
        found = []
        for path in sorted(glob.glob(os.path.join(self.place.spool, "input", "*-D"))):
            with open(path, "rb") as data, open(path[:-1] + "H", "rb") as head:
                fields = head.read().partition(b"\n\n")[2]
                found.append((fields, data.read().partition(b"\n")[2]))
        return found

    def wait(self, count):
        wait_until(lambda: len(self.messages()) >= count, "%d messages" % count)
        return self.messages()

    def stop(self):
        for pid in processes.of_session(self.process.pid):
            processes.kill(pid)
        self.process.wait()
        self.place.directory.remove()
