"""G-14: the downgrade hold. A domain whose mail hosts did TLS and do no longer keeps its level for a while; who sees it, who
ends it, and what cannot.

Answers live for a second at most and probes for half a one, so that a change is seen soon."""

import contextlib
import time
from dataclasses import replace

import remembering
import tap
import waiting
from case import Failed, case, table
from smtpd import CLEAR, GOOD

LONG, SHORT_S = "1h", 4
DAEMONS = {
    **remembering.DAEMONS,
    "hold": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "hold": LONG, "hold-expired": LONG, "hold-reminder": "1s"},
    "hold-short": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "hold": f"{SHORT_S}s", "hold-expired": f"{SHORT_S}s"},
    "hold-none": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "hold": "0s", "hold-expired": "0s"},
    "hold-encrypt": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "hold": LONG, "probe-level": "encrypt"},
}
REFUSED = replace(GOOD, starttls=b"554 no\r\n")


def hold(name, rows="G-14", daemon="hold", group="together", valgrind=True):
    return case(rows, name, daemon=daemon, group=group, valgrind=valgrind)


def lives(name, rows="G-14", valgrind=False):
    return hold(name, rows, group="few", valgrind=valgrind)


def proven(c, want="VER", **more):
    """c.u has a mail host that does TLS, and the daemon has seen it; records of a TTL of 1."""
    c.key = c.u
    c.plain("@ 1 MX 10 mx", f"clear A {c.world.clear.address}")
    server = c.server(f"mx.{c.u}", **more)
    c.plain(f"mx 1 A {server.address}")
    c.want(want)
    return server


def untrusted(c):
    return c.world.ca.leaf(f"mx.{c.u}", issuer=c.world.ca.stranger)


def wait_held(c, level="verify", sees="notfound"):
    c.later("the hold begins", lambda: c.daemon.held(c.key), 15)
    c.check("the hold", lambda: c.daemon.held(c.key), lambda got: got["level"] == level and got["sees"] == sees)


def not_held(c):
    c.later("no hold", lambda: c.daemon.held(c.key) is None, 15)


def always(c, want, seconds):
    """While it is asked for so long, no answer is another."""
    def step():
        end = time.monotonic() + seconds
        waiting.until(lambda: c.must_be(want, c.ask()) or time.monotonic() > end, "the time is over", seconds + 10, pause=0.05)
    c.do(step)


# how a domain loses what it had: (name, change, answer while held, what the probes see, answer afterwards)

def _temper(temper):
    return lambda c, server: setattr(server, "temper", temper)


def _certificate(make):
    return lambda c, server: server.show(c.world.ca.server_context(make(c, c.world.ca)))


def _records(rule):
    def run(c, _server):
        for rrtype in ("MX", "A", "AAAA"):
            c.rule(c.u, rrtype, rule)
    return run


def _no_address(c, _server):
    c.rule(f"mx.{c.u}", "*", tap.rcode("NXDOMAIN"))


def _moved(c, _server):
    c.rule(c.u, "MX", tap.answer((c.u, "MX", f"10 clear.{c.u}", 1)))


LOSSES = [
    ("STARTTLS is not offered", _temper(CLEAR), "VER", "notfound", "NF"),
    ("STARTTLS is answered 454", _temper(replace(GOOD, starttls=b"454 not now\r\n")), "VER", "notfound", "NF"),
    ("STARTTLS is answered 554", _temper(REFUSED), "TMP", "notfound", "NF"),
    ("the handshake breaks", _temper(replace(GOOD, handshake="garbage")), "VER", "notfound", "NF"),
    ("EHLO is refused", _temper(replace(GOOD, ehlo=b"502 what?\r\n")), "VER", "notfound", "NF"),
    ("nobody listens", lambda c, server: server.close(), "VER", "notfound", "NF"),
    ("the host is mute", _temper(replace(GOOD, hang=True)), "VER", "notfound", "NF"),
    ("another mail host without STARTTLS", _moved, "VER", "notfound", "NF"),
    ("the mail host has no address", _no_address, "VER", "notfound", "NF"),
    ("NXDOMAIN", _records(tap.rcode("NXDOMAIN")), "VER", "notfound", "NF"),
    ("null MX", lambda c, server: c.rule(c.u, "MX", tap.answer((c.u, "MX", "0 .", 1))), "VER", "notfound", "NF"),
    ("the certificate expired", _certificate(lambda c, ca: ca.expired(f"mx.{c.u}")), "VER", "encrypt", "ENC"),
    ("the certificate is of an unknown CA", _certificate(lambda c, ca: untrusted(c)), "VER", "encrypt", "ENC"),
    ("the certificate is for another name", _certificate(lambda c, ca: ca.leaf("other.example")), "VER", "encrypt", "ENC"),
]


def held_on(c, lose, want, sees, _afterwards):
    server = proven(c)
    c.do(lambda: lose(c, server))
    wait_held(c, "verify", sees)
    always(c, want, 1.0)
    c.explained("reason", lambda e: e["reason"], "held")


def sinks(c, lose, _want, sees, afterwards):
    """Nothing but the level before until the hold ends, then what is seen; logged."""
    server = proven(c)
    began = []

    def sunk():
        got = c.ask()
        if got == _want_text(c, afterwards):
            return True
        if not got.startswith(("OK verify ", "TEMP ")):
            raise Failed(f"answered {got!r} during the hold")
        return False
    c.do(lambda: lose(c, server))
    wait_held(c, "verify", sees)
    c.do(lambda: began.append(time.monotonic()))
    c.later("the hold ends", sunk, SHORT_S + 20)
    c.check("it lasted", lambda: time.monotonic() - began[0], lambda seconds: SHORT_S - 2.5 < seconds)
    not_held(c)
    always(c, afterwards, 1.0)
    c.check("log", lambda: c.daemon.events("hold-ends", c.u), lambda lines: len(lines) == 1 and "why=expired" in lines[0]
            and "kept=verify" in lines[0])


def _want_text(_c, short):
    return {"NF": "NOTFOUND ", "ENC": "OK encrypt"}[short]


table("G-14 hostile-14", "held", LOSSES, held_on, daemon="hold")
table("G-14 hostile-14", "held, then not", LOSSES, sinks, daemon="hold-short", valgrind=False)


@hold("STARTTLS is answered 554, and slowly: once that was seen no answer in between makes mail bounce", valgrind=False)
def _(c):
    server = proven(c)
    c.do(lambda: setattr(server, "temper", replace(REFUSED, command_delay=0.4)))
    wait_held(c)
    c.later("it was seen", lambda: c.ask().startswith("TEMP "))
    always(c, "TMP", 3.0)


@hold("encrypt is held too")
def _(c):
    server = proven(c, "ENC", cert=c.world.ca.leaf("other.example"))
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c, "encrypt")
    always(c, "ENC", 1.0)


@hold("verify, then encrypt, then nothing: each sinks on its own", daemon="hold-short", valgrind=False)
def _(c):
    server = proven(c)
    c.do(lambda: server.show(c.world.ca.server_context(untrusted(c))))
    wait_held(c, "verify", "encrypt")
    c.later("encrypt", lambda: c.ask() == "OK encrypt", SHORT_S + 15)
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c, "encrypt", "notfound")
    always(c, "ENC", 1.0)
    c.later("nothing", lambda: c.ask() == "NOTFOUND ", SHORT_S + 15)


@hold("STARTTLS that never was is not missed")
def _(c):
    c.clear_mx()
    c.want("NF")
    always(c, "NF", 1.5)
    c.check("held", lambda: c.daemon.held(c.key), None)


@hold("hold = 0: nothing is held", daemon="hold-none")
def _(c):
    server = proven(c)
    c.do(lambda: setattr(server, "temper", CLEAR))
    c.later("it sinks", lambda: c.ask() == "NOTFOUND ")
    c.check("held", lambda: c.daemon.held(c.key), None)


@hold("probe-level = encrypt: encrypt is held, verify never answered", daemon="hold-encrypt")
def _(c):
    server = proven(c, "ENC")
    c.do(lambda: setattr(server, "temper", CLEAR))
    c.later("the hold begins", lambda: c.daemon.held(c.key))
    always(c, "ENC", 1.0)


@hold("what was there is back: the hold ends, and the log says both")
def _(c):
    server = proven(c)
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)
    c.do(lambda: setattr(server, "temper", GOOD))
    not_held(c)
    c.want("VER")
    c.explained("reason", lambda e: e["reason"], "starttls-verified")
    c.check("begin", lambda: c.daemon.events("hold-begins", c.u), lambda lines: len(lines) == 1 and "kept=verify" in lines[0]
            and "sees=notfound" in lines[0] and "reason=starttls-clear" in lines[0] and "until_s=3" in lines[0] and "level=warn" in lines[0])
    c.check("end", lambda: c.daemon.events("hold-ends", c.u), lambda lines: len(lines) == 1 and "why=recovered" in lines[0]
            and "now=verify" in lines[0])


@hold("half of it is back: verify stays held, encrypt is seen")
def _(c):
    server = proven(c)
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)
    c.do(lambda: server.show(c.world.ca.server_context(untrusted(c))))
    c.do(lambda: setattr(server, "temper", GOOD))
    c.later("the probes see encrypt", lambda: (c.daemon.held(c.key) or {}).get("sees") == "encrypt")
    c.want("VER")


@hold("a hold is logged again and again, counted, listed, explained")
def _(c):
    server = proven(c)
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)
    now = time.time

    def listed(got):
        return (got["reason"] == "starttls-clear" and now() - 60 < got["since"] <= now() + 1 and 3500 < got["until"] - got["since"] <= 3601
                and now() - 60 < got["seen_at"] <= now() + 1)
    c.check("list", lambda: c.daemon.held(c.key), listed)
    c.check("text", lambda: c.daemon.cli("held"), lambda done: done.returncode == 0 and any(
        c.key in line and "verify" in line and "starttls-clear" in line for line in done.stdout.splitlines()))
    c.explained("held", lambda e: e["held"], lambda got: got["level"] == "verify" and 0 <= got["since_s"] < 60 and 3500 < got["until_s"] <= 3600)
    c.check("stats", lambda: c.daemon.stats(), lambda stats: stats["held"] >= 1 and stats["holds_begun"] >= 1)
    c.later("reminders", lambda: len(c.daemon.events("held", c.u)) >= 2)


@hold("release ends a hold at once")
def _(c):
    server = proven(c)
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)
    c.want("VER")
    c.check("release", lambda: c.daemon.cli("release", c.key).returncode, 0)
    c.want("NF")
    c.check("held", lambda: c.daemon.held(c.key), None)
    c.check("log", lambda: c.daemon.events("hold-ends", c.u), lambda lines: len(lines) == 1 and "why=released" in lines[0])
    c.check("release again", lambda: c.daemon.cli("release", c.key).returncode, 1)
    always(c, "NF", 1.5)
    c.do(lambda: setattr(server, "temper", GOOD))
    c.later("it does TLS again", lambda: c.ask() == "OK verify servername=hostname")
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)


def under_way(c, command):
    """The mail host is slow, so that a lookup with what was remembered is nearly always under way."""
    server = proven(c)
    c.do(lambda: setattr(server, "temper", replace(CLEAR, command_delay=0.5)))
    wait_held(c)
    known = []
    c.do(lambda: known.append(len(server.connections)))
    c.later("a lookup is under way", lambda: c.ask() and len(server.connections) > known[0] and server.open_now)
    c.check("the command", lambda: c.daemon.cli(*command, c.key).returncode, 0)
    always(c, "NF", 3.0)
    c.check("held", lambda: c.daemon.held(c.key), None)


table("G-14", "while a lookup is under way", [("release", ["release"]), ("cache forget", ["cache", "forget"])], under_way, daemon="hold",
      valgrind=False)


@hold("release of what is not held: 1; of nonsense: 1, nothing happens")
def _(c):
    proven(c)
    for key in (c.u, f"unknown.{c.u}", "..", "[198.18.0.1]"):
        c.check(f"release {key}", lambda key=key: c.daemon.cli("release", key).returncode, 1)
    c.want("VER")


@hold("mxcrypt held: 1 and an empty list when there is none", daemon="hold-none")
def _(c):
    c.check("text", lambda: c.daemon.cli("held"), lambda done: done.returncode == 1 and done.stdout == "")
    c.check("JSON", lambda: c.daemon.cli("--json", "held"), lambda done: done.returncode == 1 and done.stdout.strip() == "[]")


@hold("an MTA-STS policy is stronger than a hold")
def _(c):
    server = proven(c)
    host = c.sts(txt=None)
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)
    name = f"_mta-sts.{c.u}"
    c.do(lambda: c.rule(name, "TXT", tap.answer((name, "TXT", "v=STSv1; id=1;", 1))))
    c.later("secure", lambda: c.ask().startswith("OK secure "))
    c.check("fetched", lambda: len(host.fetches), 1)
    c.later("the hold's end in the log", lambda: any("why=superseded" in line for line in c.daemon.events("hold-ends", c.u)))
    c.check("held", lambda: c.daemon.held(c.key), None)


@hold("MTA-STS and DANE never enter a hold: without the policy nothing was proven")
def _(c):
    c.clear_mx()
    c.sts(txt=None)
    name = f"_mta-sts.{c.u}"
    c.rule(name, "TXT", tap.answer((name, "TXT", "v=STSv1; id=1;", 1)))
    c.want("SEC")
    host = c.world.policies.hosts[f"mta-sts.{c.u}"]
    c.do(lambda: setattr(host, "policy", replace(host.policy, body=b"version: STSv1\nmode: none\nmax_age: 86400\n")))
    c.do(lambda: c.rule(name, "TXT", tap.answer((name, "TXT", "v=STSv1; id=2;", 1))))
    c.later("the policy ends", lambda: c.ask() == "NOTFOUND ")
    c.check("held", lambda: c.daemon.held(c.key), None)


# the attacker's story

def in_between(c, attack, calm, allowed):
    """A hold; then lookups are attacked for a while, and calm again: level, begin and end stay as they are."""
    server = proven(c)
    before = []
    c.do(lambda: setattr(server, "temper", CLEAR))
    wait_held(c)
    c.do(lambda: before.append(c.daemon.held(c.key)))
    c.do(lambda: attack(c))

    def attacked():
        seen = c.world.tap.asked(c.u, "MX")

        def over():
            got = c.ask()
            if not got.startswith(allowed):
                raise Failed(f"answered {got!r}")
            return c.world.tap.asked(c.u, "MX") >= seen + 3
        waiting.until(over, "three lookups under attack", 20)
    c.do(attacked)
    c.do(lambda: calm(c))
    always(c, lambda got: got.startswith(allowed), 1.5)
    c.want("VER")
    c.check("begin and end", lambda: c.daemon.held(c.key), lambda got: got is not None and got["level"] == "verify" and all(
        abs(got[one] - before[0][one]) <= 1 for one in ("since", "until")))


def _nothing(name):
    def calm(c):
        for rrtype in ("MX", "A", "AAAA", "*"):
            c.rule(name.replace("D", c.u), rrtype, None)
    return calm


table("G-14 hostile-14", "a hold outlives", [
    ("NXDOMAIN", lambda c: _records(tap.rcode("NXDOMAIN"))(c, None), _nothing("D"), "OK verify "),
    ("null MX", lambda c: c.rule(c.u, "MX", tap.answer((c.u, "MX", "0 .", 1))), _nothing("D"), "OK verify "),
    ("SERVFAIL for MX", lambda c: c.rule(c.u, "MX", tap.rcode("SERVFAIL")), _nothing("D"), ("OK verify ", "TEMP ")),
    ("silence of the MX lookup", lambda c: c.rule(c.u, "MX", tap.silence()), _nothing("D"), ("OK verify ", "TEMP ")),
    ("no address", lambda c: c.rule(f"mx.{c.u}", "*", tap.rcode("NXDOMAIN")), _nothing("mx.D"), "OK verify "),
    ("another MX", lambda c: _moved(c, None), _nothing("D"), "OK verify "),
], in_between, daemon="hold")


def once_only(c, attack, calm):
    """An attack before anything is lost: it begins a hold at most, the answer never sinks."""
    proven(c)
    c.do(lambda: attack(c))
    always(c, lambda got: got.startswith(("OK verify ", "TEMP ")), 2.5)
    c.do(lambda: calm(c))
    c.later("all is well", lambda: c.daemon.held(c.key) is None and c.explain()["reason"] == "starttls-verified")
    c.want("VER")


table("G-14 hostile-14", "for a moment", [
    ("NXDOMAIN", lambda c: _records(tap.rcode("NXDOMAIN"))(c, None), _nothing("D")),
    ("null MX", lambda c: c.rule(c.u, "MX", tap.answer((c.u, "MX", "0 .", 1))), _nothing("D")),
    ("SERVFAIL", lambda c: c.rule(c.u, "*", tap.rcode("SERVFAIL")), _nothing("D")),
    ("no address", lambda c: c.rule(f"mx.{c.u}", "*", tap.rcode("NXDOMAIN")), _nothing("mx.D")),
    ("address lookup SERVFAIL", lambda c: c.rule(f"mx.{c.u}", "*", tap.rcode("SERVFAIL")), _nothing("mx.D")),
    ("address lookup silent", lambda c: c.rule(f"mx.{c.u}", "*", tap.silence()), _nothing("mx.D")),
], once_only, daemon="hold")


# daemons of their own

@contextlib.contextmanager
def own(c, **options):
    with remembering.Lives(c, like="hold", **options) as life:
        yield life, life.start()


@lives("a restart in the middle keeps the hold and its end", "G-14 A-40", valgrind=False)
def _(c):
    server = proven(c)

    def step():
        with own(c, hold="9s") as (life, one):
            c.must_be("VER", one.ask(c.u))
            server.temper = CLEAR
            before = waiting.until(lambda: one.held(c.u), "the hold begins")
            waiting.until(lambda: c.must_be("VER", one.ask(c.u)) or one.stats()["store_pending"] == 0, "it is written")
            life.kill()
            one = life.start()
            c.must_be("VER", one.ask(c.u))
            after = waiting.until(lambda: one.held(c.u), "the hold is known again", 5)
            if any(abs(after[name] - before[name]) > 1 for name in ("since", "until")) or after["level"] != "verify":
                raise Failed(f"before {before}, after {after}")
            waiting.until(lambda: one.ask(c.u) == "NOTFOUND ", "its end", 20)
            if time.time() < before["until"] - 1:
                raise Failed(f"it ended at {time.time():.1f}, {before}")
    c.do(step)


@lives("a hold goes on through a restart with nobody there to ask", "G-14 A-40", valgrind=False)
def _(c):
    server = proven(c)
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with own(c) as (life, one):
            c.must_be("VER", one.ask(c.u))
            server.temper = CLEAR
            waiting.until(lambda: one.held(c.u), "the hold begins")
            one.settled()
            life.kill()
            one = life.start(resolver=dead)
            for _ in range(3):
                c.must_be(lambda got: got.startswith(("OK verify ", "TEMP ")), one.ask(c.u))
            life.stop()
            one = life.start(resolver=c.world.tap.address)
            remembering.becomes(c, one, c.u, "VER", "TMP")
            if not one.held(c.u):
                raise Failed("the hold is forgotten")
            if one.cli("release", c.u).returncode != 0:
                raise Failed("it cannot be released")
            waiting.until(lambda: one.ask(c.u) == "NOTFOUND ", "the answer without it", 5)
    c.do(step)


@lives("a loss that was not seen before the restart is seen after it")
def _(c):
    server = proven(c)

    def step():
        with own(c) as (life, one):
            c.must_be("VER", one.ask(c.u))
            one.settled()
            life.kill()
            server.temper = CLEAR
            one = life.start()
            waiting.until(lambda: c.must_be("VER", one.ask(c.u)) or one.held(c.u), "the hold begins")
    c.do(step)


@lives("a hold probes more often than probe-ttl says", valgrind=False)
def _(c):
    server = proven(c)

    def step():
        with own(c, probe_ttl="4s", probe_retry_min="4s", probe_retry_max="1h") as (_, one):
            c.must_be("VER", one.ask(c.u))
            server.temper = CLEAR
            waiting.until(lambda: one.held(c.u), "the hold begins", 20)
            known = len(server.connections)
            waiting.until(lambda: len(server.connections) > known, "another probe", 2.5)
            server.temper = GOOD
            waiting.until(lambda: one.held(c.u) is None, "it is seen that all is well", 2.5)
    c.do(step)


@lives("a lookup that we give up on is no loss", valgrind=False)
def _(c):
    server = proven(c)

    def step():
        with own(c, greeting_deadline="10s", probe_deadline="12s", job_deadline="1s", answer_deadline="500ms") as (_, one):
            c.must_be("VER", one.ask(c.u))
            server.temper = replace(GOOD, greeting_delay=6.0)
            known = len(server.connections)
            waiting.until(lambda: c.must_be("VER", one.ask(c.u)) or len(server.connections) > known, "a slow probe")
            end = time.monotonic() + 2.5
            waiting.until(lambda: c.must_be("VER", one.ask(c.u)) or time.monotonic() > end, "the job has given up", 10)
            if one.held(c.u):
                raise Failed("held")
    c.do(step)


@hold("two domains behind one mail host are both held, and both come back")
def _(c):
    server = proven(c)
    c.plain("other 1 MX 10 mx")
    c.want("VER", key=f"other.{c.u}")
    c.do(lambda: setattr(server, "temper", CLEAR))
    for key in (c.u, f"other.{c.u}"):
        c.later("held", lambda key=key: c.daemon.held(key))
        c.want("VER", key=key)
    c.do(lambda: setattr(server, "temper", GOOD))
    for key in (c.u, f"other.{c.u}"):
        c.later("no hold", lambda key=key: c.daemon.held(key) is None)


@lives("probe = no: what was proven is not used, and not forgotten", valgrind=False)
def _(c):
    proven(c)

    def step():
        with own(c) as (life, one):
            c.must_be("VER", one.ask(c.u))
            one.settled()
            life.stop()
            one = life.start(probe="no")
            waiting.until(lambda: one.ask(c.u) == "NOTFOUND ", "no opinion", 10)
            life.stop()
            one = life.start(probe="yes")
            waiting.until(lambda: one.ask(c.u) == "OK verify servername=hostname", "verify again", 10)
    c.do(step)


@hold("[host] is held as well")
def _(c):
    server = c.plain_host("mx")
    key = c.key = f"[mx.{c.u}]"
    c.want("VER", key=key)
    c.do(lambda: setattr(server, "temper", CLEAR))
    c.later("the hold begins", lambda: c.daemon.held(key))
    c.want("VER", key=key)
    c.check("release", lambda: c.daemon.cli("release", key).returncode, 0)
    c.want("NF", key=key)
