"""
Lays out the installations of a vector file of Postfix: a configuration directory with its tables
made by the real postmap and postalias, and the accounts of the host.

An installation is {"main": parameters, "files": {name: text}, "cases": [[SMTP argument, reply,
what the log says, why]...]}; @C@ stands for the configuration directory.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from place import peer, peer_environment  # noqa: E402

# The accounts of the host on which the verdicts were recorded, as far as they matter.
USERS = ("root", "daemon", "bin", "sys", "mail", "nobody", "qpj_t")

# What the tools want to know before they look at anything else.
FOUNDATION = {
    "mail_owner": "daemon", "setgid_group": "mail", "default_privs": "nobody",
    "queue_directory": "@C@/queue", "data_directory": "@C@/data",
    "command_directory": "@C@", "daemon_directory": "@C@", "meta_directory": "@C@",
    "virtual_uid_maps": "static:5000", "virtual_gid_maps": "static:5000",
    "virtual_mailbox_base": "/var/mail", "inet_interfaces": "all",
}

FILE_TABLE = re.compile(r"\b(hash|btree|lmdb|cdb|dbm|sdbm):(@C@/[^\s,]+)")


def run_tool(program, directory, *arguments):
    subprocess.run([peer("postfix", "usr/sbin/" + program), "-c", directory, *arguments],
                   check=True, env=peer_environment(), stdin=subprocess.DEVNULL)


def write(path, text):
    with open(path, "wb") as f:
        f.write(text.encode("utf-8", "surrogateescape"))


def lay_out(installation, directory):
    """Makes the configuration directory. Returns the source for gatehouse-recipients compile."""
    os.makedirs(directory, exist_ok=True)
    main = dict(FOUNDATION, shlib_directory=peer("postfix", "usr/lib/postfix"))
    main.update(installation["main"])
    for name, text in installation.get("files", {}).items():
        write(os.path.join(directory, name), text)
    write(os.path.join(directory, "main.cf"),
          "".join("%s = %s\n" % row for row in main.items()).replace("@C@", directory))
    write(os.path.join(directory, "master.cf"), "")
    write(os.path.join(directory, "accounts"), "".join(
        "%s:x:%d:%d::/nonexistent/%s:/bin/sh\n" % (user, 1000 + i, 1000 + i, user)
        for i, user in enumerate(installation.get("users", USERS))))
    for parameter, value in main.items():
        tool = "postalias" if parameter in ("alias_maps", "alias_database") else "postmap"
        for kind, path in FILE_TABLE.findall(value):
            run_tool(tool, directory, "%s:%s" % (kind, path.replace("@C@", directory)))
    return "postfix:%s,bin=%s,passwd=%s/accounts" % (
        directory, os.path.dirname(peer("postfix", "usr/sbin/postmap")), directory)


def expected(reply, log):
    """The verdict of recipients.md that a recorded reply and log stand for."""
    if not reply.startswith("2"):
        return "TEMP" if reply.startswith("4") else "BOUNCE"
    words = set(log.split())
    if "none" in words or "deferred" in words:
        return "TEMP"
    if "bounced" in words:
        return "PARTIAL" if "sent" in words else "BOUNCE"
    return "DELIVER" if "sent" in words else "TEMP"
