"""
The unpacked Postfix, with configuration, queue and mailboxes in a temporary directory.

Its master insists on root, and on accounts for the mail owner and the privileges of
deliveries; it makes do with ones that every Debian has, since it owns everything it touches
here by its own directory. /etc is read, never written.
"""

import os
import pwd
import random
import re
import signal
import subprocess

import processes
from backends import Backend, Maildir
from place import Directory, free_port, peer, peer_environment, wait_port, wait_until

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
          "private", "public", "maildrop", "pid", "saved", "trace")

MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
daemon_directory = {daemons}
command_directory = {commands}
shlib_directory = {libraries}
meta_directory = {directory}/etc
sendmail_path = {commands}/sendmail
mail_owner = daemon
setgid_group = mail
default_privs = nobody
import_environment = MAIL_CONFIG LD_LIBRARY_PATH={environment[LD_LIBRARY_PATH]} TZ=UTC
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = {hostname}
myorigin = {hostname}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
qmqpd_authorized_clients = 127.0.0.0/8
qmqpd_error_delay = 0
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_limit = 2000
message_size_limit = 104857600
mailbox_size_limit = 0
virtual_mailbox_limit = 0
notify_classes =
biff = no
alias_maps =
alias_database =
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtp_host_lookup = native
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
always_add_missing_headers = no
local_header_rewrite_clients =
smtp_line_length_limit = 0
"""

MAILBOX = """\
virtual_mailbox_domains = example.com, catchall.example
virtual_mailbox_base = {directory}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""

MASTER = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def merged(text):
    """
    main.cf with the last of the lines for each parameter. Postfix warns of others, in every
    process; postlogd would wait for itself, since it cannot read what the others and it said
    before it has begun.
    """
    rows = {}
    for row in re.split(r"\n(?=[^\s])", text.strip("\n")):
        rows[row.partition("=")[0].strip()] = row
    return "\n".join(rows.values()) + "\n"


class Postfix(Backend):
    """
    In: services, lines of master.cf with {port} where this instance is to listen; settings,
    further lines of main.cf; prepare, called with the directory before anything runs; begin, or
    start() is for the caller.
    """

    def __init__(self, services, settings="", prepare=None, begin=True):
        self.directory = Directory("postfix")
        self.port = free_port()
        self.environment = peer_environment(MAIL_CONFIG=self.directory.join("etc"))
        owner = pwd.getpwnam("daemon")
        mailbox = pwd.getpwnam("nobody")
        for name in QUEUES:
            self._make(owner, "queue", name)
        self._make(owner, "data")
        self._make(mailbox, "mail")
        self.directory.make("etc")
        values = dict(
            directory=self.directory.path, daemons=peer("postfix", "usr/lib/postfix/sbin"),
            commands=peer("postfix", "usr/sbin"), libraries=peer("postfix", "usr/lib/postfix"),
            hostname="inner.backend.example", environment=self.environment, uid=mailbox.pw_uid,
            gid=mailbox.pw_gid, port=self.port)
        self.directory.write("etc/main.cf", merged((MAIN + settings).format(**values)))
        self.directory.write("etc/master.cf", MASTER + services.format(**values))
        if prepare:
            prepare(self.directory)
        self.maildir = Maildir(self.directory.join("mail", "all"))
        if begin:
            self.start()

    def start(self):
        self.process = subprocess.Popen(
            [peer("postfix", "usr/lib/postfix/sbin/master"), "-c", self.directory.join("etc"),
             "-d"],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        wait_port(self.port, process=self.process)

    def _make(self, owner, *parts):
        path = self.directory.make(*parts)
        os.chmod(path, 0o755 if parts[-1] in ("pid", "public", "mail") else 0o700)
        os.chown(path, owner.pw_uid, owner.pw_gid)

    def log(self):
        try:
            with open(self.directory.join("log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def queued(self):
        """Messages that are still on their way."""
        count = 0
        for name in ("incoming", "active", "deferred", "maildrop"):
            for _, _, files in os.walk(self.directory.join("queue", name)):
                count += len(files)
        return count

    def wait_empty(self, patience=None):
        wait_until(lambda: self.queued() == 0, "an empty queue; log:\n" + self.log()[-2000:],
                   patience)

    def pids(self):
        return processes.of_session(self.process.pid)

    def running(self):
        return self.process.poll() is None

    def halt(self):
        """Kills every process. The queue stays, and start() is possible."""
        processes.end_sessions(self.process.pid)
        self.process.wait()

    def stop(self):
        pids = self.pids()
        processes.end(self.process, signal.SIGTERM)
        for pid in set(pids + self.pids()):
            processes.kill(pid)
        self.directory.remove()


class Queue(Postfix):
    """
    A Postfix that keeps in its queue what it takes, and delivers nothing: what is committed can be
    counted there. A message with the field X-Refuse is refused.
    """

    CHECKS = "/^X-Refuse: yes/ REJECT 5.6.0 not here\n/^Subject: / HOLD\n"
    SETTINGS = "header_checks = regexp:{directory}/checks\nservice_throttle_time = 1s\n"

    def __init__(self, service, settings="", begin=True):
        super().__init__("127.0.0.1:{port} inet n - n - - %s\n" % service,
                         MAILBOX + self.SETTINGS + settings,
                         lambda directory: directory.write("checks", self.CHECKS), begin)

    def kill(self):
        """Kills a process that has to do with taking mail. Returns: its name."""
        pids = [pid for pid in self.pids() if processes.name(pid) in TAKERS]
        if not pids:
            return None
        pid = random.choice(pids)
        name = processes.name(pid)
        return name if processes.kill(pid) else None

    def commits(self):
        """Triples of sender, recipients and content of what is in the queue, whole."""
        for name in ("incoming", "active", "deferred", "hold"):
            for where, _, files in os.walk(self.directory.join("queue", name)):
                for file in files:
                    path = os.path.join(where, file)
                    if os.stat(path).st_mode & 0o100:  # cleanup has finished it
                        with open(path, "rb") as f:
                            yield queue_file(f.read())


TAKERS = ("qmqpd", "smtpd", "cleanup", "trivial-rewrite")


def records(octets):
    """Pairs of type and data, as postcat(1) reads them."""
    at = 0
    while at < len(octets):
        kind, length, shift = octets[at:at + 1], 0, 0
        while True:
            at += 1
            length |= (octets[at] & 0x7f) << shift
            shift += 7
            if not octets[at] & 0x80:
                break
        yield kind, octets[at + 1:at + 1 + length]
        at += 1 + length


def queue_file(octets):
    """Returns: sender, recipients and content of a file of the queue."""
    sender, recipients, content, inside = None, [], [], False
    for kind, data in records(octets):
        if kind == b"S":
            sender = data
        elif kind == b"R":
            recipients.append(data)
        elif kind in (b"M", b"X"):
            inside = kind == b"M"
        elif kind in (b"N", b"L") and inside:
            content.append(data + (b"\n" if kind == b"N" else b""))
        assert kind != b"p" or int(data) == 0, "the file has been edited"
    return sender, recipients, b"".join(content)


def qmqp_mailbox():
    """A Postfix that takes QMQP and delivers everything into one Maildir."""
    return Postfix("127.0.0.1:{port} inet n - n - - qmqpd\n", MAILBOX)


def smtp_mailbox():
    """A Postfix that takes SMTP for example.com, without gone@, and delivers into one Maildir."""
    return Postfix("127.0.0.1:{port} inet n - n - - smtpd\n",
                   MAILBOX + "smtpd_recipient_restrictions =\n"
                   "    check_recipient_access inline:{{{{gone@example.com=550 5.1.1 no such user}}}}, permit\n")


def relay_to(port, settings=""):
    """A Postfix that takes SMTP and sends everything on by its SMTP client."""
    return Postfix("127.0.0.1:{port} inet n - n - - smtpd\n",
                   "relayhost = [127.0.0.1]:%d\n%s" % (port, settings))


def smtp_source(port, *options, host="127.0.0.1"):
    """Runs smtp-source to its end. Returns exit status and what it said."""
    done = subprocess.run([peer("postfix", "usr/sbin/smtp-source"), *options,
                           "%s:%d" % (host, port)],
                          env=peer_environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    return done.returncode, done.stdout.decode()
