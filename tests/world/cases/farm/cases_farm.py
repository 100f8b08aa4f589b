"""A farm: what one relay learns, the others know; a hold at one is a hold at all; and the share may do what it likes."""

from dataclasses import replace

import farming
import remembering
import waiting
from case import Failed, case
from smtpd import CLEAR, GOOD

DAEMONS = remembering.DAEMONS
LONG = {"ttl-min": "1h", "ttl-max": "1h", "probe-ttl": "1h"}


def farm(name, valgrind=False):
    return case("FARM", name, daemon="memory", group="few", valgrind=valgrind)


def _host(c):
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}")
    c.plain(f"mx 1 A {server.address}")
    return server


def history(relay, key):
    """How its verdict changed, as this relay tells it."""
    return [(event["was"] or "notfound", event["now"]) for event in relay.daemon.value("history", key)]


def _same(got, want, what):
    if got != want:
        raise Failed(f"{what}: {got!r}, not {want!r}")


@farm("a relay learns what another has learnt, and no host is asked twice")
def learns(c):
    server = _host(c)

    def step():
        with farming.farm(c, "a", "b", "c", **LONG) as (_share, a, b, other):
            first = a.daemon.ask(c.u)
            a.daemon.settled()
            count = len(server.connections)
            _same(b.daemon.ask(c.u), first, "the answer of b")
            _same(other.daemon.ask(c.u), first, "the answer of c")
            _same(len(server.connections), count, "connections")
            _same(count, 1, "connections")
            if "verify" not in str(first):
                raise Failed(f"{first!r} is no verify")
            _same([history(relay, c.u) for relay in (a, b, other)], [[("notfound", "verify")]] * 3, "history")
    c.do(step)


@farm("a hold begun at one relay is held at the others, and its release ends it everywhere")
def holds(c):
    server = _host(c)

    def step():
        with farming.farm(c, "a", "b", "c", hold="1h", hold_expired="1h") as (_share, a, b, other):
            for relay in (a, b, other):
                relay.daemon.ask(c.u)
                relay.daemon.settled()
            server.temper = CLEAR
            waiting.until(lambda: a.daemon.ask(c.u) and a.daemon.held(c.u), "a begins to hold", 20)
            waiting.until(lambda: b.daemon.held(c.u), "b holds as well", 2)
            waiting.until(lambda: other.daemon.held(c.u), "c holds as well", 2)
            if other.daemon.cli("release", c.u).returncode != 0:
                raise Failed("release at c fails")
            waiting.until(lambda: not a.daemon.held(c.u), "a holds no more", 2)
            waiting.until(lambda: not b.daemon.held(c.u), "b holds no more", 2)
            for relay in (a, b, other):
                _same("notfound" in str(relay.daemon.ask(c.u)).lower(), True, "no opinion after the release")
                _same(relay.daemon.held(c.u), None, "a hold after the release")
            for relay in (a, b, other):
                _same(history(relay, c.u), [("notfound", "verify"), ("verify", "notfound")], "history")
    c.do(step)


@farm("a relay that was down through a hold and its release catches up at its start")
def away(c):
    server = _host(c)

    def step():
        with farming.farm(c, "a", "b", hold="1h", hold_expired="1h") as (_share, a, b):
            for relay in (a, b):
                relay.daemon.ask(c.u)
                relay.daemon.settled()
            b.stop()
            server.temper = CLEAR
            waiting.until(lambda: a.daemon.ask(c.u) and a.daemon.held(c.u), "a begins to hold", 20)
            if a.daemon.cli("release", c.u).returncode != 0:
                raise Failed("release at a fails")
            b.start()
            waiting.until(lambda: b.daemon.events("share-ready"), "b has the share", 20)
            waiting.until(lambda: "notfound" in str(b.daemon.ask(c.u)).lower(), "b has no opinion", 5)
            _same(b.daemon.held(c.u), None, "a hold at b")
    c.do(step)


@farm("what is forgotten at one relay is forgotten at all")
def forgets(c):
    server = _host(c)

    def step():
        with farming.farm(c, "a", "b", **LONG) as (_share, a, b):
            a.daemon.ask(c.u)
            a.daemon.settled()
            b.daemon.ask(c.u)
            server.temper = replace(GOOD, starttls=b"454 not now\r\n")
            _same(a.daemon.cli("cache", "forget", c.u).returncode, 0, "exit status of forget")
            waiting.until(lambda: b.daemon.ask(c.u) and len(server.connections) >= 2, "b asks the host again", 5)
    c.do(step)


@farm("relays that look up differently share no answers, and mxcrypt farm says so")
def differ(c):
    c.zone("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.d}")
    c.zone(f"mx 1 A {server.address}")
    c.tlsa("mx", server, "good")

    def step():
        with farming.farm(c, "a", **LONG) as (share, a), farming.relay(c, share, "b", dane="no", **LONG) as b:
            first = a.daemon.ask(c.d)
            a.daemon.settled()
            _same("dane-only" in first, True, f"DANE at a, {first}")
            second = b.daemon.ask(c.d)
            _same("verify" in second, True, f"no DANE at b, {second}")
            waiting.until(lambda: "differ in settings" in a.daemon.cli("farm").stdout, "the difference is told", 20)
            _same(b.daemon.cli("cache", "show", c.d).returncode, 0, "b knows it")
            _same(a.daemon.cli("cache", "forget", c.d).returncode, 0, "exit status of forget")
            waiting.until(lambda: b.daemon.cli("cache", "show", c.d).returncode != 0, "b forgets it as well", 5)
    c.do(step)


@farm("without the share each relay goes on alone, and brings what it learnt when it is back")
def alone(c):
    server = _host(c)

    def step():
        with farming.farm(c, "a", "b", **LONG) as (share, a, b):
            share.kill()
            waiting.until(lambda: a.daemon.events("share-lost"), "a knows", 10)
            answer = a.daemon.ask(c.u)
            a.daemon.settled()
            share.empty()
            share.start()
            waiting.until(lambda: share.has("a", c.u), "the share has it", 30)
            count = len(server.connections)
            _same(b.daemon.ask(c.u), answer, "the answer of b")
            _same(len(server.connections), count, "connections")
    c.do(step)


@farm("mxcrypt farm lists the relays and warns where they differ; farm reload reaches all")
def lists(c):
    def step():
        with farming.farm(c, "a", "b") as (_share, a, b):
            waiting.until(lambda: len((a.daemon.value("farm") or {}).get("relays", [])) == 2, "both are listed", 20)
            out = a.daemon.cli("farm").stdout
            if "warning" in out or "(this one)" not in out:
                raise Failed(out)
            b.daemon.configure(mode="monitor")
            _same(a.daemon.cli("farm", "reload").returncode, 0, "exit status of farm reload")
            waiting.until(lambda: b.daemon.control_answer("farm")["relays"], "b reloads", 5)
            waiting.until(lambda: "differ in mode" in a.daemon.cli("farm").stdout, "the difference is told", 20)
    c.do(step)


@farm("without a share mxcrypt farm says so")
def no_share(c):
    def step():
        with remembering.Lives(c, "-alone") as alone_:
            alone_.start()
            done = alone_.daemon.cli("farm")
            if done.returncode == 0 or "no share" not in done.stderr + done.stdout:
                raise Failed(f"{done.returncode} {done.stdout} {done.stderr}")
    c.do(step)
