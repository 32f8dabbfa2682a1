"""
The installation of vpopmail that the cases of vpopmail are about: {"qmail_ext": bool, "cases": ...}.
"""

import layout_qmail
from tree import newu, octets

VPOPMAIL = "/home/vpopmail"
UID = 7789
DELIVER = VPOPMAIL + "/bin/vdelivermail"

USERS = [
    # name, flags, quota, .qmail
    ("bob", 0, None, None), ("postmaster", 0, None, None), ("lock", 0x10, None, None),
    ("nopop", 0x02 | 0x08, None, None), ("full", 0, "3S", None), ("x.y", 0, None, None),
    ("max-ext", 0, None, None), ("fwd", 0, None, "&bob@vp.test\n"),
    ("fwdbad", 0, None, "nobody@vp.test\n"), ("cmt", 0, None, "# nothing\n"),
    ("empty", 0, None, ""), ("gina", 0, None, None), ("prog", 0, None, "|exit 100\n"),
    ("p99", 0, None, "|exit 99\n"), ("mbox", 0, None, "./Mailbox\n"), ("base", 0, None, None),
]
FILES = {
    ".qmail-alias1": "&bob@vp.test\n", ".qmail-gina": "|exit 100\n",
    ".qmail-list-default": "|exit 0\n", ".qmail-al:ias": "&bob@vp.test\n",
    ".qmail-albad": "&nobody@vp.test\n", "base/.qmail-sub": "./Maildir/\n",
    "base/.qmail-no": "|exit 100\n",
}
BOB = [("bob", 0, None, None)]
DOMAINS = {
    # name: (.qmail-default, users, files); a word is that of vdelivermail
    "vp.test": ("bounce-no-mailbox", USERS, FILES),
    "del.test": ("delete", BOB, {}),
    "nodef.test": (None, BOB, {}),
    "addr.test": ("bob@vp.test", [], {}),
    "bad.test": ("nobody@vp.test", BOB, {}),
    "rem.test": ("a@else.where", [], {}),
    "path.test": (VPOPMAIL + "/domains/path.test/catch", BOB + [("catch", 0, None, None)], {}),
    "args.test": ("| %s bounce-no-mailbox\n" % DELIVER, BOB, {}),
    "pipe.test": ("| exit 0\n", [], {}),
}


def handles(vector):
    return "qmail_ext" in vector


def directory(domain):
    return VPOPMAIL + "/domains/" + domain


def put(tree, path, text):
    tree.file(path, text, UID, UID)


def lay_out_domain(tree, name, default, users, files):
    home = directory(name)
    tree.directory(home, UID, UID)
    if default is not None:
        if not default.endswith("\n"):
            default = "| %s '' %s\n" % (DELIVER, default)
        put(tree, home + "/.qmail-default", default)
    lines = []
    for user, flags, quota, text in users:
        own = home + "/" + user
        lines.append("%s:$1$x:1:%d:%s:%s:%s\n" % (user, flags, user, own, quota or "NOQUOTA"))
        tree.directory(own, UID, UID)
        for part in ("", "/tmp", "/new", "/cur"):
            tree.directory(own + "/Maildir" + part, UID, UID)
        if text is not None:
            put(tree, own + "/.qmail", text)
    put(tree, home + "/vpasswd", "".join(lines))
    for path, text in files.items():
        put(tree, home + "/" + path, text)


def lay_out(vector, tree, settings):
    tree.directory(VPOPMAIL, UID, UID)
    tree.directory(VPOPMAIL + "/domains", UID, UID)
    put(tree, DELIVER, "a program\n")
    for name, (default, users, files) in DOMAINS.items():
        lay_out_domain(tree, name, default, users, files)
    names = sorted(DOMAINS)
    assign = ["+%s-:%s:%d:%d:%s:-::" % (name, name, UID, UID, directory(name)) for name in names]
    assign.append("+alias.test-:vp.test:%d:%d:%s:-::" % (UID, UID, directory("vp.test")))
    cfg = {
        "control": {
            "locals": ["me.test"],
            "virtualdomains": ["%s:%s" % (n, n) for n in names] + ["alias.test:alias.test"],
            "rcpthosts": names + ["alias.test"],
        },
        "assign": assign,
        "users": {},
    }
    qmail = layout_qmail.Qmail(tree, cfg, settings.assign_only)
    qmail.lay_out()
    words = qmail.words + (["extensions=yes"] if vector["qmail_ext"] else [])
    source = ("vpopmail:" + VPOPMAIL if settings.vpopmail else "qmail:" + layout_qmail.HOME)
    cases = [("TO:<%s>" % case[0], case[1], case[2], case[3] if len(case) > 3 else "")
             for case in vector["cases"]]
    return [(source, words)], cases


def on_purpose(vector, argument, expected, got):
    return False
