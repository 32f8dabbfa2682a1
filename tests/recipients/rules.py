"""
What qmail does with an address, told once more: control files, boxes, homes and .qmail files, from the
rules of its manual pages, over the description of an installation that layout_qmail.py lays out.
It shares no line with the importer, whose errors it is there to find.
"""

from tree import lower, octets

WEIGHT = {"BOUNCE": 5, "TEMP": 4, "REMOTE": 2, "DELIVER": 1, "FORWARD": 1, "DISCARD": 0}
EMPTY = b"./Mailbox"
HOPS = 30


def entries(lines):
    """A control file: blanks at the end go, comments and empty lines too."""
    stripped = [octets(line).rstrip(b" \t") for line in lines or ()]
    return [line for line in stripped if line and not line.startswith(b"#")]


def suffixes(domain):
    return [domain[i:] for i in range(len(domain)) if domain[i:i + 1] == b"."]


class Home:
    def __init__(self, user, description):
        self.user = octets(user)
        self.uid = description.get("uid", 20000)
        self.owned = description.get("owner", self.uid) == self.uid
        self.there = description.get("mkhome", True)
        self.mode = description.get("mode", 0o755)
        self.files = {}  # name behind ".qmail": (text, mode)


class Qmail:
    def __init__(self, cfg):
        control = cfg["control"]
        self.me = octets(control.get("me", "me.test"))
        self.locals = {lower(e) for e in entries(control["locals"])}
        self.percent = {lower(e) for e in entries(control.get("percenthack"))}
        self.served = {lower(e) for e in entries(control["rcpthosts"])}
        self.virtual = {}
        for entry in entries(control.get("virtualdomains")):
            key, _, prefix = entry.partition(b":")
            self.virtual[lower(key)] = prefix
        self.homes = {octets(user): Home(user, d) for user, d in cfg["users"].items()}
        self.homes.setdefault(b"alias", Home("alias", {"uid": 7790}))
        for name, value in cfg["files"].items():
            user, _, file = octets(name[1:]).partition(b"/.qmail")
            text, mode, _ = value
            self.homes[user].files[file] = (octets(text), mode)
        self.wild, self.simple, self.longer = b"", {}, {}
        for line in cfg.get("assign") or ():
            self.assign(octets(line))

    def assign(self, line):
        """=local:name:@user@:dash:ext: or +local:...; the first of two counts."""
        name, _, user, dash, ext = line[1:].split(b":")[:5]
        target = (user.strip(b"@"), dash, ext)
        if line[:1] == b"=":
            self.simple.setdefault(lower(name), target)
            return
        if name and name[-1:] not in self.wild:
            self.wild += name[-1:]
        self.longer.setdefault(lower(name), target)

    # ---- where mail goes

    def may_come_in(self, address):
        box, at, domain = address.rpartition(b"@")
        domain = lower(domain)
        return not at or any(d in self.served for d in [domain] + suffixes(domain) if d)

    def rewrite(self, address):
        """The box that has it, or None when it goes to another host."""
        if b"@" not in address:
            address += b"@" + self.me
        at = address.rindex(b"@")
        while lower(address[at + 1:]) in self.percent:
            percent = address.rfind(b"%", 0, at)
            if percent < 0:
                break
            address = address[:percent] + b"@" + address[percent + 1:at]
            at = percent
        box, _, domain = address.rpartition(b"@")
        if lower(domain) in self.locals:
            return address, box
        for key in [lower(address), lower(domain)] + suffixes(lower(domain)) + [b""]:
            if key in self.virtual:
                prefix = self.virtual[key]
                return (prefix + b"-" + address, prefix + b"-" + box) if prefix else None
        return None

    def owner(self, box):
        """Home, dash and extension of a box; or a verdict."""
        folded = lower(box)
        found, rest = self.simple.get(folded), b""
        for i in range(len(box), 0, -1):
            if found is None and folded[i - 1:i] in self.wild and folded[:i] in self.longer:
                found, rest = self.longer[folded[:i]], box[i:]
        if found is None and b"" in self.longer:
            found, rest = self.longer[b""], box
        if found is not None:
            user, dash, ext = found
            return self.homes[user], dash, ext + rest
        for i in range(len(box), -1, -1):
            if i != len(box) and box[i:i + 1] != b"-":
                continue
            home = self.homes.get(folded[:i]) if i < 32 else None
            if home is not None and home.uid != 0 and home.there and home.owned:
                return (home, b"", b"") if i == len(box) else (home, b"-", box[i + 1:])
        return self.homes[b"alias"], b"-", box

    # ---- what is done with it

    def file_of(self, home, dash, ext):
        """The text that counts, its mode; "" for none; None when nobody is there."""
        safe = lower(ext).replace(b".", b":")
        names = [safe] + [safe[:i] + b"default" for i in range(len(safe), -1, -1)
                          if i == 0 or safe[i - 1:i] == b"-"]
        for name in names:
            if dash + name in home.files:
                return home.files[dash + name]
        return None if dash else (b"", 0o644)

    def deliver(self, box):
        """A verdict, and forward addresses."""
        if not box:
            return "DISCARD", []
        home, dash, ext = self.owner(box)
        if home.uid == 0 or not home.there or home.mode & 0o1002:
            return "TEMP", []
        found = self.file_of(home, dash, ext)
        if found is None:
            return "BOUNCE", []
        text, mode = found
        if mode & 0o002:
            return "TEMP", []
        if not text:
            text, mode = EMPTY, 0o644
        return self.run(home, text, bool(mode & 0o100))

    def run(self, home, text, only_forwards):
        forwards, delivered = [], False
        for number, line in enumerate(text.split(b"\n")):
            line = line.rstrip(b" \t")
            if not line and number == 0:
                return "TEMP", []
            if not line or line[:1] == b"#":
                continue
            if line[:1] == b"+":
                only_forwards = only_forwards or line == b"+list"
            elif line[:1] in b"./|":
                verdict = "TEMP" if only_forwards else self.store(home, line)
                if verdict == "stop":
                    delivered = True
                    break
                if verdict != "DELIVER":
                    return verdict, []
                delivered = True
            else:
                forwards.append(line[1:] if line[:1] == b"&" else line)
        if delivered:
            return "DELIVER", forwards
        return ("FORWARD", forwards) if forwards else ("DISCARD", [])

    @staticmethod
    def store(home, line):
        if line[:1] != b"|":
            # In a home of somebody else no mailbox can be made.
            return "DELIVER" if line == b"./Mailbox" and home.owned else "TEMP"
        code = {b"true": 0, b"false": 1}.get(line[1:])
        if code is None:
            code = int(line.split()[-1])
        if code in (0, 99):
            return "DELIVER" if code == 0 else "stop"
        return "BOUNCE" if code in (100, 64, 65, 70, 76, 77, 78, 112) else "TEMP"

    # ---- in the end

    def final(self, address, before=()):
        target = self.rewrite(address)
        if target is None:
            return "REMOTE", "REMOTE"
        record, box = target
        if box and record in before:
            return "BOUNCE", "BOUNCE"
        if len(before) > HOPS:
            return "TEMP", "TEMP"
        at_once, forwards = self.deliver(box)
        if at_once in ("BOUNCE", "TEMP") or not forwards:
            return at_once, at_once
        worst = max((self.final(f, before + (record,))[1] for f in forwards), key=WEIGHT.get)
        if WEIGHT[worst] >= WEIGHT["TEMP"] or at_once == "FORWARD":
            return at_once, worst
        return at_once, at_once

    def verdict(self, address):
        """What a client of its SMTP server gets, and what becomes of the mail."""
        if not self.may_come_in(address):
            return "REJECT-RELAY", "REJECT-RELAY"
        return self.final(address)
