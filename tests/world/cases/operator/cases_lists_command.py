"""mxcrypt list keygen, sign, verify, diff, export: lists and keys of this program beside those of minisign, gpg and Postfix."""

import json
import os
import pathlib
import subprocess
import time

import listing
from case import Failed, case
from listing import DAY_S, enforce, testing

ROW = "lists"
AUTHOR = "Ministère"
POLICIES = {"one.example": enforce("mx1.one.example", ".mail.one.example"), "two.example": testing("mx.two.example"),
            "three.example": {"policy-alias": "big"}}
ALIASES = {"big": enforce(".big.example")}
TABLE = {"one.example": "secure match=.mail.one.example:mx1.one.example servername=hostname", "two.example": "",
         "three.example": "secure match=.big.example servername=hostname"}


class Made:
    """A folder with a list in it, and the commands there."""

    def __init__(self, c):
        self.c = c
        self.folder = pathlib.Path(c.world.folder, c.label)
        self.folder.mkdir()
        self.list = self.put("list.json", POLICIES, aliases=ALIASES, author=AUTHOR)

    def path(self, name):
        return str(self.folder / name)

    def put(self, name, policies, **more):
        listing.replace(self.path(name), listing.text(policies, **more))
        return self.path(name)

    def run(self, status, *words, says=None, path=None):
        """What mxcrypt list prints with these words; `says` is part of what it complains, `path` has programs of its own."""
        done = self.c.daemon.cli("list", *words, path=path)
        if done.returncode != status or (says is None) != (done.stderr == "") or (says or "") not in done.stderr:
            raise Failed(f"list {words}: exit {done.returncode}, not {status}; {done.stdout!r} {done.stderr!r}, not {says!r}")
        return done.stdout

    def key(self):
        """A key of ours; its options for verify."""
        if not os.path.exists(self.path("k.key")):
            self.run(0, "keygen", self.path("k"))
        return "--key", self.path("k.pub")

    def sign(self, path=None):
        self.key()
        self.run(0, "sign", "--key", self.path("k.key"), path or self.list)

    def verified(self, *words):
        return json.loads(self.c.daemon.cli("--json", "list", "verify", *words, self.list).stdout)


def list_case(name):
    def keep(step):
        case(ROW, name)(lambda c: c.do(lambda: step(Made(c))))
        return step
    return keep


def must(what, got, want):
    if got != want:
        raise Failed(f"{what}: {got!r}, not {want!r}")


@list_case("list keygen: a secret key for its owner only, and none is overwritten")
def _(made):
    made.key()
    must("mode", oct(os.stat(made.path("k.key")).st_mode & 0o777), "0o600")
    made.run(73, "keygen", made.path("k"), says="File exists")
    os.unlink(made.path("k.key"))
    made.run(73, "keygen", made.path("k"), says="k.pub: File exists")
    must("secret key without a public one", os.path.exists(made.path("k.key")), False)


@list_case("list sign: minisign verifies what mxcrypt signed, and signs with mxcrypt's key")
def _(made):
    made.sign()
    files = ("-q", "-p", made.path("k.pub"), "-m", made.list)
    subprocess.run(["minisign", "-V", *files], check=True)
    os.unlink(made.list + ".minisig")
    subprocess.run(["minisign", "-S", "-s", made.path("k.key"), "-m", made.list], check=True, stdout=subprocess.DEVNULL)
    must("state", made.verified(*made.key())["state"], "in-force")


@list_case("list sign, verify: with gpg and its keyring")
def _(made):
    key = listing.OpenPgp(str(made.folder))
    programs = made.folder / "bin"
    programs.mkdir()
    (programs / "gpg").write_text(f'#!/bin/sh\nexec /usr/bin/gpg --homedir {key.home} "$@"\n', encoding="ascii")
    (programs / "gpg").chmod(0o755)
    made.run(0, "sign", "--fingerprint", key.fingerprint, made.list, path=programs)
    key.close()
    options = ("--key", key.public)
    got = made.verified(*options, "--fingerprint", key.fingerprint.lower())
    must("verified", (got["state"], got["signature"], got["key"]), ("in-force", "openpgp", key.fingerprint))
    made.run(64, "verify", *options, made.list, says="--fingerprint")
    made.run(64, "verify", *options, "--fingerprint", "12", made.list, says="40 or 64")
    made.run(65, "verify", *options, "--fingerprint", "0" * 40, made.list, says="not the pinned one")


@list_case("list sign: a list that nobody would use is not signed")
def _(made):
    now = int(time.time())
    made.key()
    for name, says, more in (("expired", "it expired", {"timestamp": now - 9 * DAY_S, "expires": now - DAY_S}),
                             ("long", "more than 366 days", {"expires": now + 400 * DAY_S}), ("surprise", "surprise", {"surprise": 1})):
        path = made.put(f"{name}.json", POLICIES, aliases=ALIASES, **more)
        made.run(65, "sign", "--key", made.path("k.key"), path, says=says)
        must(name, os.path.exists(path + ".minisig"), False)
    made.run(64, "sign", "--key", made.path("k.pub"), made.list, says="it is a public key")
    made.run(64, "sign", made.list, says="--key")


@list_case("list verify: what a list is, and whether it may be used")
def _(made):
    made.sign()
    got = made.verified(*made.key())
    must("verified", {name: got[name] for name in ("author", "signature", "enforce", "testing", "state", "why")},
         {"author": AUTHOR, "signature": "minisign", "enforce": 2, "testing": 1, "state": "in-force", "why": ""})
    subprocess.run(["sed", "-i", "s/two.example/fwo.example/", made.list], check=True)
    made.run(65, "verify", *made.key(), made.list, says="it is not of this file")
    os.unlink(made.list + ".minisig")
    made.run(65, "verify", *made.key(), made.list, says="list.json.minisig: No such file")
    made.run(64, "verify", made.list, says="--key FILE is missing")
    made.run(65, "verify", "--key", made.path("k.key"), made.list, says="No such file")


@list_case("list verify: too new, and expired")
def _(made):
    now = int(time.time())
    made.put("list.json", POLICIES, aliases=ALIASES, timestamp=now + DAY_S, expires=now + 2 * DAY_S)
    made.sign()
    must("too new", "too-new: " in made.run(1, "verify", *made.key(), made.list), True)
    made.put("list.json", POLICIES, aliases=ALIASES, timestamp=now - 2 * DAY_S, expires=now - DAY_S)
    subprocess.run(["minisign", "-S", "-s", made.path("k.key"), "-m", made.list], check=True, stdout=subprocess.DEVNULL)
    must("expired", "expired: it expired" in made.run(1, "verify", *made.key(), made.list), True)


@list_case("list diff: added, removed, changed, in order")
def _(made):
    new = made.put("new.json", {"one.example": enforce("mx1.one.example"), "two.example": enforce("mx.two.example"), "four.example": {"policy-alias": "big"}},
                   aliases=ALIASES)
    must("lines", made.run(1, "diff", made.list, new).splitlines(),
         ["+ four.example enforce .big.example", "- one.example enforce .mail.one.example mx1.one.example", "+ one.example enforce mx1.one.example",
          "- three.example enforce .big.example", "- two.example testing mx.two.example", "+ two.example enforce mx.two.example",
          "1 added, 1 removed, 2 changed"])
    must("itself", made.run(0, "diff", made.list, made.list), "0 added, 0 removed, 0 changed\n")
    got = json.loads(made.c.daemon.cli("--json", "list", "diff", made.list, new).stdout)
    must("JSON", [(one["domain"], one["change"], one.get("was", {}).get("mode"), one.get("now", {}).get("mxs")) for one in got],
         [("four.example", "added", None, [".big.example"]), ("one.example", "changed", "enforce", ["mx1.one.example"]),
          ("three.example", "removed", "enforce", None), ("two.example", "changed", "testing", ["mx.two.example"])])
    made.run(65, "diff", made.list, made.path("none"), says="No such file")


@list_case("list export: a table that Postfix reads, of a list that is in force and signed")
def _(made):
    made.sign()
    words = ("export", "--format", "postfix", *made.key())
    listing.replace(made.path("table"), made.run(0, *words, made.list))
    for domain, policy in TABLE.items():
        found = subprocess.run(["postmap", "-c", "/etc/postfix", "-q", domain, f"texthash:{made.path('table')}"], stdout=subprocess.PIPE, text=True, check=False)
        must(domain, found.stdout.strip(), policy)
    must("expiry", "# expires " in made.run(0, *words, made.list), True)
    made.run(64, "export", *made.key(), made.list, says="--format postfix")
    made.run(64, "export", "--format", "exim", *made.key(), made.list, says="--format postfix")
    unsigned = made.put("unsigned.json", POLICIES, aliases=ALIASES)
    must("unsigned", made.run(65, *words, unsigned, says="No such file"), "")
    now = int(time.time())
    made.put("list.json", POLICIES, aliases=ALIASES, timestamp=now - 2 * DAY_S, expires=now - DAY_S)
    subprocess.run(["minisign", "-S", "-s", made.path("k.key"), "-m", made.list], check=True, stdout=subprocess.DEVNULL)
    must("expired", made.run(1, *words, made.list, says="is not to be used: it expired"), "")
