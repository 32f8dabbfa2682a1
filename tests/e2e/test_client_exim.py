"""Exim as a client: it pipelines, and sends with BDAT where it may."""

import glob
import os
import pwd
import subprocess
import unittest

from clients import Clients, run
from place import needs_root, peer, peer_environment

CONFIGURATION = """\
exim_path = {program}
exim_user = daemon
exim_group = daemon
never_users =
spool_directory = {spool}
log_file_path = {spool}/%slog
primary_hostname = client.sender.example
qualify_domain = sender.example
trusted_users = root
keep_environment = LD_PRELOAD : LD_LIBRARY_PATH : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
disable_ipv6
begin routers
gateway:
  driver = manualroute
  transport = gateway
  route_data = 127.0.0.1
  self = send
begin transports
gateway:
  driver = smtp
  port = {port}
  allow_localhost
  dns_qualify_single = false
{tls}
begin retry
* * F,1h,1m
"""


@needs_root
class Exim(Clients.Case):
    def environment(self):
        """Debian's exim asks for its account by name, and there is none on this machine."""
        files = {}
        for kind, line in (("passwd", "Debian-exim:x:%d:%d::/:/bin/false\n"),
                           ("group", "Debian-exim:x:%d:\n")):
            with open("/etc/" + kind) as f:
                text = f.read()
            owner = pwd.getpwnam("daemon")
            ids = (owner.pw_uid, owner.pw_gid) if kind == "passwd" else (owner.pw_gid,)
            files["NSS_WRAPPER_" + kind.upper()] = self.directory.write(kind, text + line % ids)
            os.chmod(files["NSS_WRAPPER_" + kind.upper()], 0o644)
        wrapper, = glob.glob(peer("libnss-wrapper", "usr/lib/*/libnss_wrapper.so"))
        return peer_environment(LD_PRELOAD=wrapper, **files)

    def send(self, recipient, content, tls):
        owner = pwd.getpwnam("daemon")
        spool = self.directory.make("spool-%s" % tls)
        os.chown(spool, owner.pw_uid, owner.pw_gid)
        os.chmod(self.directory.path, 0o755)
        path = self.directory.write("exim.conf", CONFIGURATION.format(
            program=peer("exim4-daemon-light", "usr/sbin/exim4"), spool=spool,
            port=self.gateway.port,
            tls="  hosts_require_tls = *\n  tls_verify_hosts =\n  tls_try_verify_hosts =" if tls
            else "  hosts_avoid_tls = *"))
        os.chown(path, 0, 0)
        os.chmod(path, 0o644)
        log = os.path.join(spool, "mainlog")
        before = os.path.getsize(log) if os.path.exists(log) else 0
        exim = [peer("exim4-daemon-light", "usr/sbin/exim4"), "-C", path]
        environment = self.environment()
        run(exim + ["-odq", "-i", "-f", "sender@sender.example", recipient], content, environment)
        identity = subprocess.run(exim + ["-bpr"], env=environment, check=True,
                                  stdout=subprocess.PIPE).stdout.decode().split()[2]
        status, said = run(exim + ["-Mc", identity], environment=environment)
        run(exim + ["-Mrm", identity], environment=environment)  # what is left after a refusal
        with open(log, errors="replace") as f:
            f.seek(before)
            said += f.read()
        return status == 0 and " => " in said and " ** " not in said, said

    def test_it_used_what_we_offer(self):
        _, said = self.send("alice@example.com", b"Subject: x\n\nx\n", tls=False)
        self.assertIn(" K ", said)  # CHUNKING


if __name__ == "__main__":
    unittest.main()
