"""mxcrypt list import: what a list would change, asked of the daemon and looked up afresh, by domains and by messages."""

import json
import os
import pathlib

import listing
import policyhost
from case import Failed, case
from listing import enforce, testing
from smtpd import CLEAR

ROW = "lists"
QUICK = {"resolver": "127.0.0.53", "dns-timeout": "500ms", "dns-tries": "3", "greeting-deadline": "3s", "probe-deadline": "6s", "ttl-min": "1s",
         "answer-deadline": "20s", "job-deadline": "30s"}
DAEMONS = {"lists-import": QUICK, "lists-import-rules": {**QUICK, "rules": "FOLDER/import.rules"}}
MESSAGES = {"good": 10, "moved": 200, "clear": 3000, "tested": 40000}


class Import:
    def __init__(self, c):
        self.c = c
        self.folder = pathlib.Path(c.world.folder, c.label)
        self.folder.mkdir()
        self.list = str(self.folder / "list.json")
        self.policies = {}

    def domain(self, label, policy=enforce, host="mx", **more):
        """A domain on the list, whose entry has mx."""
        name = f"{label}.{self.c.u}"
        self.c.plain(f"{label} MX 10 {host}.{label}")
        self.c.plain_host(f"{host}.{label}", **more)
        self.policies[name] = policy(f"mx.{name}")
        return name

    def put(self, **more):
        listing.replace(self.list, listing.text(self.policies, **more))

    def run(self, status, *words, says=""):
        done = self.c.daemon.cli("list", "import", *words, self.list)
        if done.returncode != status or says not in done.stderr:
            raise Failed(f"list import {words}: exit {done.returncode}, not {status}; {done.stdout!r} {done.stderr[-1500:]!r}")
        return done.stdout

    def outcomes(self, status, *words):
        """By the first labels of the domains."""
        told = json.loads(self.run(status, "--json", *words))
        return {one["domain"].split(".")[0]: one["outcome"] for one in told["domains"]}


def must(what, got, want):
    if got != want:
        raise Failed(f"{what}: {got!r}, not {want!r}")


def declare(c):
    """A domain of each kind."""
    made = Import(c)
    made.domain("good")
    made.domain("tested", testing)
    made.domain("moved", host="other")
    made.domain("clear", temper=CLEAR)
    made.domain("self", cert=c.world.ca.leaf(f"mx.self.{c.u}", issuer=None))
    c.plain("silent MX 10 mx.silent", f"mx.silent A {c.address()}")
    made.policies[f"silent.{c.u}"] = enforce(f"mx.silent.{c.u}")
    made.policies[f"none.{c.u}"] = enforce(f"mx.none.{c.u}")
    sts = made.domain("sts")
    c.plain('_mta-sts.sts TXT "v=STSv1; id=1"', f"mta-sts.sts A {c.world.policy_address}")
    c.world.policies.host(f"mta-sts.{sts}", c.world.ca.server_context(c.world.ca.leaf(f"mta-sts.{sts}")),
                          policyhost.Policy(policyhost.sts_text(f"mx.{sts}")))
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    made.policies[c.d] = enforce(f"mx.{c.d}")
    for label in ("off", "floor", "low"):
        made.domain(label)
    return made


def rules(c):
    text = f"off.{c.u} off\nfloor.{c.u} at-least secure match=mx.floor.{c.u}\nlow.{c.u} at-least encrypt\n"
    pathlib.Path(c.world.folder, "import.rules").write_text(text, encoding="ascii")


@case(ROW, "list import: what each entry would change, of the daemon and afresh", daemon="lists-import-rules", group="few", valgrind=False)
def _(c):
    made = declare(c)
    want = {"good": "changes", "tested": "testing", "moved": "stops", "clear": "stops", "self": "stops", "silent": "unknown", "none": "unknown", "sts": "same",
            c.d.split(".", maxsplit=1)[0]: "same", "off": "same", "floor": "same", "low": "changes"}

    def step():
        rules(c)
        made.put()
        must("of the daemon", made.outcomes(1), want)
        must("afresh", made.outcomes(1, "--fresh"), want)
        must("if all were enforced", made.outcomes(1, "--mode", "enforce"), {**want, "tested": "changes"})
        text = made.run(1)
        name = f"moved.{c.u}"
        must("a line", f"{name}: OK verify servername=hostname -> OK secure match=mx.{name} servername=hostname; mail would wait\n" in text, True)
        must("sums", "       3 change: the list asks for TLS, and mail would wait\n" in text and "12 domains of the list\n" in text, True)
    c.do(step)


@case(ROW, "list import: by the messages of an audit, only domains that get mail", daemon="lists-import", group="few", valgrind=False)
def _(c):
    made = Import(c)
    made.domain("good")
    made.domain("tested", testing)
    made.domain("moved", host="other")
    made.domain("clear", temper=CLEAR)
    made.policies["never.example"] = enforce("mx.never.example")

    def step():
        made.put()
        audit = str(made.folder / "audit.json")
        domains = [{"name": f"{label}.{c.u}", "messages": count} for label, count in MESSAGES.items()] + [{"name": "others.example", "messages": 500000}]
        pathlib.Path(audit).write_text(json.dumps({"domains": domains}), encoding="ascii")
        text = made.run(1, "--from-audit", audit)
        for line in ("4 domains of the list get mail from here: 43210 of 543210 messages", "(10 messages)", "       2 change: the list asks for TLS, and mail would wait (3200 messages)",
                     "(40000 messages)"):
            must(line, line in text, True)
        pathlib.Path(audit).write_text("{}", encoding="ascii")
        made.run(65, "--from-audit", audit, says="not what mxcrypt --json audit writes")
    c.do(step)


@case(ROW, "list import: what is refused", daemon="lists-import", group="few", valgrind=False)
def _(c):
    made = Import(c)
    made.policies = {"one.example": enforce("mx.one.example")}

    def step():
        (made.folder / "gpg").mkdir()
        gpg = listing.OpenPgp(str(made.folder / "gpg"))
        minisign = listing.Minisign(str(made.folder / "k"))
        for key, words in ((minisign, ()), (gpg, ("--fingerprint", gpg.fingerprint))):
            made.put()
            made.run(65, "--key", key.public, *words, says="No such file")
            key.sign(made.list)
            made.run(0, "--key", key.public, *words)
            made.put(author="somebody else")
            made.run(65, "--key", key.public, *words, says="it is not of this file")
        gpg.close()
        made.put(timestamp=1700000000, expires=1700000001)
        made.run(65, says="would not be used: it expired")
        made.policies = {f"d{number}.example": enforce("mx.example.com") for number in range(10001)}
        made.put()
        made.run(64, says="more than 10000 domains")
        os.unlink(made.list)
        made.run(65, says="No such file")
    c.do(step)
