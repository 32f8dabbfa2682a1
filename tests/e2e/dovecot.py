"""The unpacked Dovecot as an LMTP server, with configuration and mailboxes in a temporary directory."""

import os
import pwd
import signal
import subprocess

import processes
from backends import Backend, Maildir
from place import Directory, free_port, helper, peer, peer_environment, wait_port

CONFIGURATION = """\
base_dir = {directory}/run
state_dir = {directory}/state
libexec_dir = {core}/usr/lib/dovecot
mail_plugin_dir = {core}/usr/lib/dovecot/modules
import_environment = TZ=UTC LD_LIBRARY_PATH={libraries} LD_PRELOAD={preload} ELSEWHERE={core} {more}
protocols = lmtp
listen = 127.0.0.1
ssl = no
hostname = inner.backend.example
default_internal_user = daemon
default_internal_group = daemon
default_login_user = nobody
log_path = {directory}/log
mail_location = maildir:{directory}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
postmaster_address = postmaster@example.com
auth_username_format = %Ln
lmtp_save_to_detail_mailbox = no
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = {directory}/users
}}
service lmtp {{
  executable = {lmtpd}/usr/lib/dovecot/lmtp
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service stats {{
  unix_listener stats-reader {{
    mode = 0600
  }}
}}
"""


class Dovecot(Backend):
    """In: users, the local parts that have a mailbox; recorder, from powercut.py, or None."""

    def __init__(self, users=("alice", "carol"), recorder=None):
        self.directory = Directory("dovecot")
        self.port = free_port()
        core, lmtpd = (os.path.dirname(os.path.dirname(peer(name, "usr/lib")))
                       for name in ("dovecot-core", "dovecot-lmtpd"))
        environment = peer_environment()
        libraries = environment["LD_LIBRARY_PATH"] + "".join(
            ":%s/usr/lib/dovecot%s" % (core, part) for part in ("", "/modules", "/modules/old-stats"))
        environment["LD_LIBRARY_PATH"] = libraries
        preload = helper("tests/e2e/elsewhere.c", "-shared", "-fPIC", "-ldl")
        more = {}
        if recorder is not None:
            more = dict(recorder.environment, RECORD_BELOW=self.directory.path)
            preload += ":" + more.pop("LD_PRELOAD")
        environment.update(LD_PRELOAD=preload, ELSEWHERE=core, **more)
        owner = pwd.getpwnam("nobody")
        os.chmod(self.directory.path, 0o755)
        for name in ("run", "state", "mail"):
            path = self.directory.make(name)
            os.chmod(path, 0o755)
        os.chown(self.directory.join("mail"), owner.pw_uid, owner.pw_gid)
        users_file = self.directory.write("users", "".join("%s::%d:%d::%s\n" % (
            user, owner.pw_uid, owner.pw_gid, self.directory.join("mail", user)) for user in users))
        os.chmod(users_file, 0o644)
        path = self.directory.write("dovecot.conf", CONFIGURATION.format(
            directory=self.directory.path, core=core, lmtpd=lmtpd, libraries=libraries,
            preload=preload, more=" ".join("%s=%s" % pair for pair in more.items()),
            uid=owner.pw_uid, gid=owner.pw_gid, port=self.port))
        os.chmod(path, 0o644)
        if recorder is not None:
            recorder.watch(self.directory.path)
        self.process = subprocess.Popen(
            # What dovecot would call itself, at a path where it is not.
            [os.path.join(core, "usr/bin/doveconf"), "-f", "service=master", "-c", path, "-p", "-e",
             os.path.join(core, "usr/sbin/dovecot"), "-F", "-c", path], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        wait_port(self.port, process=self.process)

    def maildir(self, user):
        return Maildir(self.directory.join("mail", user))

    def log(self):
        with open(self.directory.join("log")) as f:
            return f.read()

    def stop(self):
        pids = processes.of_session(self.process.pid)
        processes.end(self.process, signal.SIGTERM)
        for pid in pids:
            processes.kill(pid)
        self.directory.remove()
