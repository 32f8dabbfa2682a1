"""Installations of qmail: {"cfg": {control, users, files, dirs, links, maildirs, assign, ...}}."""

from tree import lines_of, newmrh, newu, octets, option

HOME = "/var/qmail"
SYSTEM = {"alias": 7790, "qmaild": 7791, "qmaill": 7792, "qmailp": 7793, "qmailq": 7794,
          "qmailr": 7795, "qmails": 7796}
FIRST_UID = 20000


def handles(vector):
    return "cfg" in vector and "control" in vector["cfg"]


class Qmail:
    def __init__(self, tree, cfg, assign_only=False):
        self.tree, self.cfg, self.assign_only = tree, cfg, assign_only
        self.uids, self.homes, self.late = {}, {}, []
        self.words = []

    def path(self, name):
        if name.startswith("~"):
            user, _, rest = name[1:].partition("/")
            return self.homes[user] + "/" + rest
        return HOME + "/" + name.lstrip("/")

    def owner_of(self, path):
        for user, home in self.homes.items():
            if path.startswith(home + "/"):
                return self.uids[user]
        return 0

    def number(self, owner):
        return owner if isinstance(owner, int) else self.uids.get(owner, 0)

    def accounts(self):
        users = {"alias": {"home": HOME + "/alias"}}
        users.update(self.cfg.get("users", {}))
        lines = ["root:x:0:0::/root:/bin/sh"]
        lines += ["%s:x:%d:7700::%s:/bin/true" % (user, uid, HOME)
                  for user, uid in SYSTEM.items() if user not in users]
        for count, (user, d) in enumerate(users.items()):
            uid = d.get("uid", SYSTEM.get(user, FIRST_UID + count))
            home = d.get("home", HOME + "/home/" + user)
            if home.startswith("home/"):
                home = HOME + "/" + home
            self.uids[user], self.homes[user] = uid, home
            if not d.get("nopasswd"):
                lines.append("%s:x:%d:%d::%s:/bin/sh" % (user, uid, d.get("gid", uid), home))
            # A name service that fails is no part of a file of accounts.
            if d.get("pw") == "ETXTBSY":
                self.words.append("account:%s=defer" % option(user))
            if d.get("mkhome", True):
                owner = d.get("owner", uid)
                self.tree.directory(home)
                self.late.append((home, owner, d.get("gid", owner), d.get("mode", 0o755)))
        self.tree.file("/etc/passwd", lines_of(lines))
        self.tree.file("/etc/group", "qmail:x:7700:\nnofiles:x:7701:\n")

    def control(self):
        control = dict(self.cfg["control"])
        control.setdefault("me", "me.test")
        for name, value in control.items():
            if value is not None:
                self.tree.file(HOME + "/control/" + name, lines_of(value))
        more = self.cfg.get("morercpthosts")
        if more is not None:
            self.tree.file(HOME + "/control/morercpthosts", lines_of(more))
            self.tree.file(HOME + "/control/morercpthosts.cdb", newmrh(lines_of(more)))

    def files(self):
        for name, (mode, owner) in self.cfg.get("dirs", {}).items():
            path = self.path(name)
            self.tree.directory(path)
            self.late.append((path, self.number(owner), 0, mode))
        for name, value in self.cfg.get("files", {}).items():
            text, mode, owner = value if isinstance(value, list) else (value, 0o644, None)
            path = self.path(name)
            uid = self.owner_of(path) if owner is None else self.number(owner)
            if not self.tree.is_directory(path):
                self.tree.file(path, text, uid, uid, mode)
        for name, target in self.cfg.get("links", {}).items():
            self.tree.link(self.path(name), target)
        for name in self.cfg.get("maildirs", []):
            path = self.path(name)
            uid = self.owner_of(path)
            for part in ("", "/tmp", "/new", "/cur"):
                self.tree.directory(path + part, uid, uid)
        for name, text in self.cfg.get("bin", {}).items():
            self.tree.file(HOME + "/bin/" + name, text, mode=0o755)

    def assign(self):
        text = self.cfg.get("assign")
        if text is None:
            return
        text = lines_of(text + ["."] if isinstance(text, list) else text)
        text = text.replace(b"@P@", octets(HOME))
        for user, uid in self.uids.items():
            text = text.replace(octets("@%s@" % user),
                                octets("%d:%d:%s" % (uid, uid, self.homes[user])))
        made = newu(text)
        if made is None or not self.assign_only:
            self.tree.file(HOME + "/users/assign.txt" if made is None else HOME + "/users/assign",
                           text)
        if made is None:
            return
        name = "/users/assign" if self.assign_only else "/users/cdb"
        self.tree.file(HOME + name, text if self.assign_only else made)

    def lay_out(self):
        for name in ("bin", "control", "users", "alias", "home", "queue/mess", "boot"):
            self.tree.directory(HOME + "/" + name)
        self.tree.directory(HOME + "/spool", mode=0o1777)
        self.accounts()
        self.control()
        self.files()
        self.assign()
        for path, uid, gid, mode in self.late:
            self.tree.add(path, uid, gid, mode)
        if "break" in self.cfg:
            self.words.append("break=" + option(self.cfg["break"]))


def lay_out(vector, tree, settings):
    """Returns: sources without their options for the tree, and cases."""
    qmail = Qmail(tree, vector["cfg"], settings.assign_only)
    qmail.lay_out()
    if vector.get("relayclient") is not None:
        qmail.words.append("relayclient=" + option(vector["relayclient"]))
    cases = [(case[0], case[1], case[2], case[3] if len(case) > 3 else "")
             for case in vector["cases"]]
    return [("qmail:" + HOME, qmail.words)], cases


def alone(vector):
    """What changes or takes every address leaves no room for others."""
    return vector.get("relayclient") is not None or \
        vector["cfg"]["control"].get("rcpthosts") is None


def on_purpose(vector, argument, expected, got):
    """Whether the gateway refuses here on purpose what qmail takes."""
    domain = argument.rpartition(b"@")[2]
    if got == "REJECT-RELAY" and any(c >= 0x80 for c in domain):
        return True  # a name that is none under IDNA either
    hacked = vector["cfg"]["control"].get("percenthack") is not None and b"%" in argument
    return hacked and got == "REJECT-RELAY"
