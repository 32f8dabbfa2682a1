#!/usr/bin/python3
"""Messages signed by an independent signer (dkimpy), and what must be found out about them.

CASE name / EXPECT result,... / MESSAGE =hex / KEY =hex(name) =hex(record) ... / TEMP =hex(name) / END
Messages are in LF form.
"""
import base64
import os
import subprocess
import tempfile

import dkim
import nacl.signing

DOMAIN = b"signer.example"
HEAD = (b"From: Alice <alice@signer.example>\nTo: bob@example.net\nSubject: a  long\n"
        b"\tfolded subject\nDate: Sat, 21 Nov 2026 00:00:00 +0000\nMessage-ID: <1@signer.example>\n")
BODY = b"Hello  you,\n\n.a dot\nand \xc3\xa4 \t \nend\n\n\n"
SIGNED = [b"from", b"to", b"subject", b"date"]


def hexed(data):
    return "=" + data.hex()


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


class Rsa:
    def __init__(self, bits):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "key")
            openssl("genrsa", "-traditional", "-out", path, str(bits))
            with open(path, "rb") as file:
                self.private = file.read()
            self.public = base64.b64encode(openssl("rsa", "-in", path, "-pubout", "-outform", "DER"))

    def record(self, tags=b"v=DKIM1; k=rsa; "):
        return tags + b"p=" + self.public


class Ed25519:
    def __init__(self):
        key = nacl.signing.SigningKey.generate()
        self.private = base64.b64encode(bytes(key))
        self.raw = bytes(key.verify_key)

    def record(self, raw=None):
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(self.raw if raw is None else raw)


def sign(message, key, selector=b"s1", canon=(b"relaxed", b"relaxed"), headers=None, **more):
    crlf = message.replace(b"\n", b"\r\n")
    field = dkim.sign(crlf, selector, DOMAIN, key.private, canonicalize=canon,
                      include_headers=headers or SIGNED,
                      signature_algorithm=b"ed25519-sha256" if isinstance(key, Ed25519)
                      else more.pop("algorithm", b"rsa-sha256"), **more)
    return field.replace(b"\r\n", b"\n") + message


def key_name(selector=b"s1"):
    return selector + b"._domainkey." + DOMAIN


def case(name, expect, message, keys=(), temporary=()):
    print("CASE", name)
    print("EXPECT", expect)
    print("MESSAGE", hexed(message))
    for owner, record in keys:
        print("KEY", hexed(owner), hexed(record))
    for owner in temporary:
        print("TEMP", hexed(owner))
    print("END")


def canonicalizations(key):
    for header in (b"simple", b"relaxed"):
        for body in (b"simple", b"relaxed"):
            for what, content in (("body", BODY), ("empty", b""), ("lines", b"\n\n\n"),
                                  ("long", b"x" * 70000 + b"\n" + b"y z\n" * 40000)):
                case("%s-%s-%s" % (header.decode(), body.decode(), what), "pass",
                     sign(HEAD + b"\n" + content, key, canon=(header, body)),
                     [(key_name(), key.record())])


def changed(key):
    good = sign(HEAD + b"\n" + BODY, key)
    keys = [(key_name(), key.record())]
    case("body-changed", "fail", good.replace(b"Hello", b"Hallo"), keys)
    case("body-longer", "fail", good + b"more\n", keys)
    case("header-changed", "fail", good.replace(b"folded", b"golden"), keys)
    case("unsigned-header-changed", "pass", good.replace(b"<1@", b"<2@"), keys)
    case("row_238_subject_doubled", "neutral", b"Subject: buy\n" + good, keys)
    case("row_238_reply_to_added", "pass", b"Reply-To: x@evil.example\n" + good, keys)
    case("row_238_subject_oversigned", "fail", b"Subject: buy\n" +
         sign(HEAD + b"\n" + BODY, key, headers=SIGNED + [b"subject"]), keys)
    case("two-from", "permerror", b"From: x@evil.example\n" + good, keys)
    case("no-from", "permerror", good.replace(b"\nFrom: ", b"\nX-From: "), keys)
    case("row_229_part_of_body", "neutral", sign(HEAD + b"\n" + BODY, key, length=True), keys)
    case("row_227_rsa_sha1", "permerror",
         sign(HEAD + b"\n" + BODY, key, algorithm=b"rsa-sha1"), keys)
    case("continued-first-line", "", b" x: y\n" + good, keys)
    case("line-without-colon", "permerror", good.replace(b"\nTo:", b"\nnonsense\nTo:"), keys)


def keys_that_fail(key):
    good = sign(HEAD + b"\n" + BODY, key)
    other = Rsa(1024)
    rows = [
        ("no-key", []),
        ("other-key", [other.record()]),
        ("revoked", [b"v=DKIM1; p="]),
        ("unknown-type", [key.record(b"v=DKIM1; k=x; ")]),
        ("other-hash", [key.record(b"v=DKIM1; h=sha1; ")]),
        ("not-for-mail", [key.record(b"v=DKIM1; s=tlsrpt; ")]),
        ("other-version", [key.record(b"v=DKIM2; ")]),
        ("broken-der", [b"v=DKIM1; p=" + base64.b64encode(b"0\x82\xff\xff\x02garbage")]),
        ("no-base64", [b"v=DKIM1; p=%%%%"]),
        ("two-records", [key.record(), key.record()]),
        ("nul", [key.record() + b"\0"]),
        ("row_233_long_key", [b"v=DKIM1; p=" + b"A" * 2700]),
        ("empty", [b""]),
    ]
    for name, records in rows:
        case("key-" + name, "fail" if name == "other-key" else "permerror", good,
             [(key_name(), record) for record in records])
    case("key-temporary", "temperror", good, temporary=[key_name()])
    case("key-test-mode", "pass", good, [(key_name(), key.record(b"v=DKIM1; t=y; "))])
    sub = sign(HEAD + b"\n" + BODY, key, identity=b"@sub." + DOMAIN)
    case("row_233_strict_subdomain", "permerror", sub, [(key_name(), key.record(b"t=s; "))])
    case("subdomain", "pass", sub, [(key_name(), key.record())])
    case("row_232_identity_elsewhere", "permerror", sub.replace(b"@sub." + DOMAIN, b"@evil.example"),
         [(key_name(), key.record())])


def sizes():
    for bits, expect in ((512, "permerror"), (768, "permerror"), (1024, "pass"), (4096, "pass")):
        key = Rsa(bits)
        case("row_233_rsa_%d" % bits, expect, sign(HEAD + b"\n" + BODY, key),
             [(key_name(), key.record())])
    key = Ed25519()
    message = sign(HEAD + b"\n" + BODY, key)
    case("ed25519", "pass", message, [(key_name(), key.record())])
    case("row_233_ed25519_31", "permerror", message, [(key_name(), key.record(key.raw[:31]))])
    case("row_233_ed25519_33", "permerror", message, [(key_name(), key.record(key.raw + b"x"))])
    case("ed25519-changed", "fail", message.replace(b"Hello", b"Hallo"), [(key_name(), key.record())])


def eight(key):
    """Eight signatures, the fifth of which is the one whose key there is."""
    fields = b""
    for selector in (b"n1", b"t", b"n2", b"n3", b"s1", b"n4", b"n5", b"n6"):
        whole = sign(HEAD + b"\n" + BODY, key, selector=selector)
        fields += whole[:whole.index(b"\nFrom:") + 1]
    return fields + HEAD + b"\n" + BODY


def several(key):
    case("row_226_many_signatures",
         "permerror,temperror,permerror,permerror,pass,neutral,neutral,neutral", eight(key),
         [(key_name(b"s1"), key.record())], [key_name(b"t")])
    ed = Ed25519()
    both = sign(sign(HEAD + b"\n" + BODY, key), ed, selector=b"e")
    case("two-algorithms", "pass,pass", both,
         [(key_name(b"e"), ed.record()), (key_name(), key.record())])
    case("good-after-temporary", "temperror,pass", both, [(key_name(), key.record())],
         [key_name(b"e")])


def main():
    key = Rsa(2048)
    canonicalizations(key)
    changed(key)
    keys_that_fail(key)
    sizes()
    several(key)


main()
