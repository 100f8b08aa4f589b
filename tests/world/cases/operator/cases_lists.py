"""Policy lists in answers: beside what is found, under rules and mode, and what happens to answers in the cache when lists change."""

import json
import os
import time
from dataclasses import replace

import listing
import ruleset
import waiting
from case import Failed, case
from listing import enforce, testing
from ruleset import FOUND, Ordered, said, wanted
from smtpd import GOOD

ROW = "lists"
DAEMONS = {
    "lists": {**ruleset.QUICK},
}


LOG = """Nov  1 10:00:0{number} host postfix/qmgr[2]: 4ZbCdK1x2Yz{number}: from=<a@client.signed>, size=300, nrcpt=1 (queue active)
Nov  1 10:00:0{number} host postfix/smtp[1]: 4ZbCdK1x2Yz{number}: to=<user@{key}>, relay={host}[192.0.2.1]:25, delay=1, delays=0/0/0/1, \
dsn=2.0.0, status=sent (250 2.0.0 ok)
Nov  1 10:00:0{number} host postfix/qmgr[2]: 4ZbCdK1x2Yz{number}: removed
"""


def operation(name, valgrind=False):
    return case(ROW, name, daemon="lists", group="few", valgrind=valgrind)


class Listed(Ordered):
    """A daemon with lists of its own, the first of which is `source`."""

    def __init__(self, c, policies, rules="", more=(), option="", **options):
        path = os.path.join(c.world.folder, c.label)
        self.source = listing.Source(f"{path}.json", listing.Minisign(path))
        self.source.write(policies)
        others = [one.option for one in more]
        super().__init__(c, rules, like="lists", policy_list=[f"{self.source.option} {option}".strip(), *others], **options)

    def change(self, policies, **more):
        """Another list in its place, read again."""
        newest = self.source.more.get("timestamp", int(time.time()) - 60)
        self.source.write(policies, timestamp=newest + 1, **more)
        before = len(self.daemon.events("policy-list"))
        self.reload()
        waiting.until(lambda: len(self.daemon.events("policy-list")) > before, "the list is in force")

    def secure(self, c, key, *hosts):
        answer = self.daemon.ask(key)
        if answer != f"OK secure match={':'.join(hosts)} servername=hostname":
            raise Failed(f"{key}: {answer}")


def stripped(c):
    FOUND["no STARTTLS"][0](c)
    return f"mx.{c.u}"


@operation("a list in force decides where nothing else does, and explain says so", valgrind=True)
def _(c):
    host = stripped(c)

    def step():
        with Listed(c, {c.u: enforce(host)}) as life:
            one = life.start()
            life.secure(c, c.u, host)
            shown = one.explain(c.u)
            wanted("reason", (shown["level"], shown["reason"]), ("secure", "list-enforce"))
            listed = shown["evidence"]["list"]
            wanted("list", (listed["list"], listed["mode"], listed["mx"], listed["decides"]), (life.source.path, "enforce", [host], True))
            said(one.cli("explain", c.u), 0, life.source.path, "enforce mode", host)
            said(one.cli("explain", "--fresh", c.u), 1, "policy lists are not asked here", "STARTTLS works at no address")
            life.must_be("NF", f"elsewhere.{c.u}")
    c.do(step)


@operation("lists change while answers are in the cache: each counts at once, without another lookup", valgrind=True)
def _(c):
    host = stripped(c)

    def step():
        with Listed(c, {"other.example": enforce(host)}) as life:
            one = life.start()
            life.must_be_cached("NF", c.u)
            started = one.stats()["jobs_started"]
            life.change({c.u: enforce(host)})
            life.secure(c, c.u, host)
            life.change({c.u: enforce("mx2.elsewhere.example", "mx1.elsewhere.example")})
            life.secure(c, c.u, "mx1.elsewhere.example", "mx2.elsewhere.example")
            life.change({c.u: testing(host)})
            life.must_be("NF", c.u)
            life.change({c.u: enforce(host)})
            life.secure(c, c.u, host)
            life.change({"other.example": enforce(host)})
            life.must_be("NF", c.u)
            wanted("lookups", one.stats()["jobs_started"], started)
    c.do(step)


@operation("a list that is taken out of the configuration, and put in again, by reload")
def _(c):
    host = stripped(c)

    def step():
        with Listed(c, {c.u: enforce(host)}) as life:
            life.start()
            life.secure(c, c.u, host)
            lines = life.daemon.options["policy-list"]
            life.reload(policy_list=[])
            life.must_be("NF", c.u)
            life.reload(policy_list=lines)
            waiting.until(lambda: life.daemon.ask(c.u).startswith("OK secure"), "the list counts again")
    c.do(step)


@operation("an answer by a list in a store: a start without the list has what was found")
def _(c):
    host = stripped(c)

    def step():
        with Listed(c, {c.u: enforce(host)}) as life:
            one = life.start()
            life.secure(c, c.u, host)
            one.explain(c.u)
            life.stop()
            life.start(policy_list=[])
            life.must_be("NF", c.u)
    c.do(step)


@operation("rules stand above lists: off, exactly, at-least secure, monitor; at-least encrypt is less than a list")
def _(c):
    host = stripped(c)
    names = {name: f"{name}.{c.u}" for name in ("off", "exact", "least", "watched", "weak")}
    c.plain(*(f"{name} MX 10 mx" for name in names))
    rules = (f"{names['off']} off\n{names['exact']} exactly encrypt\n{names['least']} at-least {ruleset.LITERAL}\n"
             f"{names['watched']} monitor\n{names['weak']} at-least encrypt\n")

    def step():
        with Listed(c, {key: enforce(host) for key in names.values()}, rules) as life:
            one = life.start()
            life.must_be("NF", names["off"])
            life.must_be("ENC", names["exact"])
            wanted("at-least secure", one.ask(names["least"]), f"OK {ruleset.LITERAL}")
            life.must_be("NF", names["watched"])
            life.secure(c, names["weak"], host)
            wanted("found", one.explain(names["watched"])["found"]["reason"], "list-enforce")
            life.reload(mode="monitor")
            life.must_be("NF", names["weak"])
    c.do(step)


@operation("several lists: the first that has the domain counts, in the order of the configuration")
def _(c):
    host = stripped(c)
    path = os.path.join(c.world.folder, f"{c.label}-second")
    both, second = f"both.{c.u}", f"second.{c.u}"
    c.plain("both MX 10 mx", "second MX 10 mx")

    def step():
        other = listing.Source(f"{path}.json", listing.Minisign(path))
        other.write({both: enforce("mx.elsewhere.example"), second: enforce(host), c.u: enforce(host)})
        with Listed(c, {both: enforce(host), c.u: testing(host)}, more=(other,)) as life:
            one = life.start()
            life.secure(c, both, host)
            life.secure(c, second, host)
            life.must_be("NF", c.u)
            wanted("list", one.explain(second)["evidence"]["list"]["list"], other.path)
    c.do(step)


@operation("as=testing and as=enforce stand for the modes of the file")
def _(c):
    host = stripped(c)
    watched = f"watched.{c.u}"
    c.plain("watched MX 10 mx")

    def step():
        policies = {c.u: enforce(host), watched: testing(host)}
        for mode, secure in (("testing", ()), ("enforce", (c.u, watched)), ("file", (c.u,))):
            with Listed(c, policies, option=f"as={mode}", name=f"-{mode}") as life:
                life.start()
                for key in policies:
                    if key in secure:
                        life.secure(c, key, host)
                    else:
                        life.must_be("NF", key)
    c.do(step)


@operation("a list in testing mode: what it would change is counted, and in report and audit")
def _(c):
    host = stripped(c)
    good = f"good.{c.d}"
    c.zone("good MX 10 mx")
    c.host("mx")

    def step():
        with Listed(c, {c.u: testing(host), good: testing(f"mx.{c.d}"), "absent.example": testing(host)}) as life:
            one = life.start()
            life.must_be_cached("NF", c.u)
            life.must_be_cached("VER", good)
            before = one.stats()["list_testing"]
            for _ in range(3):
                life.must_be("NF", c.u)
            wanted("counted", one.stats()["list_testing"] - before, 3)
            report = one.value("report")
            wanted("report", (report["listed"], report["listed_testing"]), (0, 2))
            wanted("would stop", [line["key"] for line in report["list_would_stop"]], [c.u])
            said(one.cli("report"), 0, "entries in testing mode would for 2 more", c.u)
            log = os.path.join(c.world.folder, f"{c.label}.log")
            with open(log, "w", encoding="ascii") as file:
                for number, key in enumerate((c.u, c.u, good)):
                    file.write(LOG.format(number=number, key=key, host=host))
            audit = json.loads(said(one.cli("--json", "audit", "--verdicts", log), 0))
            changes = next(one for one in audit["what_if"] if "list" in one["setting"])
            wanted("messages", (changes["messages_changed"], changes["messages_stopped"]), (3, 2))
    c.do(step)


@operation("a listed domain's first answer does not wait for probes", valgrind=True)
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx", temper=replace(GOOD, greeting_delay=4.0))

    def step():
        with Listed(c, {c.u: enforce(f"mx.{c.u}")}, answer_deadline="2s", greeting_deadline="3s") as life:
            one = life.start()
            life.secure(c, c.u, f"mx.{c.u}")
            wanted("deadlines", one.stats()["jobs_answer_deadlines"], 0)
    c.do(step)
