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

RULES = re.compile(r"\bregexp:(@C@/[^\s,]+)")


def run_tool(program, directory, *arguments):
    subprocess.run([peer("postfix", "usr/sbin/" + program), "-c", directory, *arguments],
                   check=True, env=peer_environment(), stdin=subprocess.DEVNULL)


def write(path, text):
    with open(path, "wb") as f:
        f.write(text.encode("utf-8", "surrogateescape"))


def rule_words(main, directory):
    """What an operator must say: a rule whose result depends on the address is put off."""
    paths = set(path for value in main.values() for path in RULES.findall(value))
    for path in sorted(path.replace("@C@", directory) for path in paths):
        with open(path, errors="surrogateescape") as f:
            for number, line in enumerate(f, 1):
                if re.match(r"[^\w\s#].*\s\S*\$", line):
                    yield ",rule:%s:%d=defer" % (path, number)


def make(installation, directory):
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
    return "postfix:%s,bin=%s,passwd=%s/accounts%s" % (
        directory, os.path.dirname(peer("postfix", "usr/sbin/postmap")), directory,
        "".join(rule_words(main, directory)))


class OneOf(str):
    """A verdict that several words stand for: the log does not tell them apart."""

    def __new__(cls, *words):
        self = super().__new__(cls, words[0])
        self.words = words
        return self

    def __eq__(self, other):
        return str(other) in self.words

    __hash__ = str.__hash__


# What is relayed, stored or dropped has the status "sent".
SENT = OneOf("DELIVER", "DISCARD", "REMOTE")
REFUSED = OneOf("BOUNCE", "REJECT-RELAY", "REJECT-SYNTAX")


def expected(reply, log):
    """The immediate and the final verdict that a recorded reply and log stand for."""
    if reply.startswith("4"):
        return "TEMP", "TEMP"
    if not reply.startswith("2"):
        return REFUSED, REFUSED
    words = set(log.split())
    if "bounced" in words:
        return "DELIVER" if "sent" in words else "FORWARD", "BOUNCE"
    return ("DELIVER", SENT) if "sent" in words else ("TEMP", "TEMP")


# ---- what tests/recipients/agree asks for


def handles(vector):
    return "main" in vector and "cases" in vector


def lay_out(vector, tree, settings):
    os.environ["LD_LIBRARY_PATH"] = peer_environment()["LD_LIBRARY_PATH"]
    directory = os.path.join(os.path.dirname(os.fsdecode(tree.root)), "postfix")
    source = make(vector, directory) + (",strict=yes" if settings.strict else "")
    # "U" in front: sent with SMTPUTF8, which makes no other recipient of it.
    return [(source, [], "as it is")], [
        (argument[1:] if argument.startswith("U") else argument, *expected(reply, log), why)
        for argument, reply, log, why in vector["cases"]]


def on_purpose(vector, argument, expected, got):
    return False
