"""Hostile rows 28 to 37, 44 to 46: clients of the policy sockets, keys, logs, counters."""

import concurrent.futures
import contextlib
import os
import re
import socket
import time
from dataclasses import replace

import policyhost
import smtpd
import tap
import waiting
from case import Failed, case, table
from clients import Closed, Socketmap, Stream, TcpTable, netstring

TCP_PORT, SOCKETMAP_PORT = 10031, 10030
ALL_AT_ONCE = 20
DAEMONS = {
    "hostile-local": {"resolver": "127.0.0.53", "ttl-min": "1s", "idle-timeout": "3s", "fetch-deadline": "5s", "probe-deadline": "5s",
                      "max-connections": "256", "cache-entries": "2000",
                      "listen": [f"tcp:127.0.0.1:{TCP_PORT}", f"socketmap:inet:127.0.0.1:{SOCKETMAP_PORT}"]},
}
GROUP = {"daemon": "hostile-local", "group": "hostile-local"}
SOCKETMAP, TCP_TABLE = ("127.0.0.1", SOCKETMAP_PORT), ("127.0.0.1", TCP_PORT)


def hostile(rows, name, group="hostile-local"):
    return case(rows, name, daemon="hostile-local", group=group)


# row 30: netstrings

def closes(c, data):
    """The connection is closed without an answer, at once or when it has been silent for too long."""
    def step():
        with Stream(c.daemon.socket, 15) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(data)
            if not connection.closed():
                raise Failed(f"{data[:40]!r} was answered or the connection stayed: {connection.buffer[:100]!r}")
    c.do(step)


table("hostile-30", "netstring", [
    ("length overflow", b"99999999999999999999:policy x,"), ("-1", b"-1:policy x,"), ("+5", b"+5:a b c,"), ("blank before the length", b" 5:a b c,"),
    ("no colon", b"12345678901234"), ("no digits", b":a b,"), ("10,001 octets", netstring(b"p " + b"a" * 9999)), ("missing comma", b"8:policy x;"),
    ("a partial request, then silence", b"100:policy "), ("letters", b"abc:policy x,"), ("NUL", b"\0" * 64),
], closes, **GROUP)


def answered(c, data, want):
    def step():
        with Socketmap(c.daemon.socket) as connection:
            connection.send(data)
            got = connection.read_reply()
            connection.send(netstring(b"policy .still.alive"))
            if not want(got) or connection.read_reply() != "NOTFOUND ":
                raise Failed(f"{data[:40]!r} was answered {got!r}")
    c.do(step)


def anything(got):
    return got.split(" ", 1)[0] in ("OK", "NOTFOUND", "TEMP", "PERM")


table("hostile-30", "netstring, answered", [
    ("leading zeros", b"009:policy .x,", lambda got: got == "NOTFOUND "),
    ("10,000 octets", netstring(b"policy " + b"a" * 9993), lambda got: got == "NOTFOUND "),
], answered, **GROUP)


@hostile("hostile-30", "no blank between name and key: an answer or the end, nobody else notices")
def _(c):
    def step():
        with Socketmap(c.daemon.socket, 15) as connection:
            connection.send(netstring(b"policy"))
            with contextlib.suppress(Closed):
                if not anything(connection.read_reply()):
                    raise Failed("neither an answer nor the end")
    c.do(step)


# row 31: tcp_table

def tcp_line(c, line, want):
    def step():
        c.daemon  # start it
        with TcpTable(TCP_TABLE, 15) as connection:
            connection.send(line)
            try:
                got = connection.read_line()
            except (Closed, ConnectionResetError):
                got = "closed"
            if not re.fullmatch(want, got):
                raise Failed(f"{line[:40]!r} was answered {got!r}")
    c.do(step)


table("hostile-31", "tcp_table", [
    ("get without key", b"get\n", r"[45]00 .+"), ("get and a blank", b"get \n", r"[45]00 .+"), ("put", b"put a b\n", r"[45]00 .+"),
    ("bad %XX", b"get %zz\n", r"[45]00 .+"), ("%00", b"get a%00.plain\n", r"500 .+"), ("%0A", b"get a%0A.plain\n", r"[45]00 .+"),
    ("half a %", b"get a%4\n", r"[45]00 .+"), ("empty line", b"\n", r"[45]00 .+|closed"), ("a parent key", b"get .x.plain\n", r"500 .+"),
    ("a line of 20 kB", b"get " + b"a" * 20_000 + b"\n", r"[45]00 .+|closed"), ("no newline, then silence", b"get x", r"closed"),
    ("noise", bytes(range(256)) + b"\n", r"[45]00 .+|closed"), ("CR LF", b"get .x.plain\r\n", r"[45]00 .+"),
], tcp_line, **GROUP)


# row 32, 44: keys

KEYS = [("NUL", b"a\0b.plain"), ("CR", b"a\rb.plain"), ("LF", b"a\nb.plain"), ("blank", b"a b.plain"), ("@", b"user@x.plain"),
        ("path", b"/var/run/lmtp"), ("..", b"a..plain"), ("leading -", b"-a.plain"), ("label of 300", b"a" * 300 + b".plain"),
        ("name of 5000", b"a.".join([b""] * 2500) + b"plain"),
        ("bad UTF-8", b"\xff\xfe.plain"), ("right to left", "\u202emoc.plain".encode()), ("emoji", "\U0001f4a9.plain".encode()), ("empty", b""),
        ("dot", b"."), ("one label", b"localhost"), ("unix:", b"unix:/tmp/x"), ("[", b"[x.plain"), ("port 99999", b"x.plain:99999"),
        ("port x", b"x.plain:smtp2"),
        ("braces", b"{x}.plain"), ("percent", b"%s%n%s.plain"), ("ANSI", b"\x1b[31m.plain")]
IDN_BOMBS = [("U-labels, too long as A-label", ("ü" * 80 + ".plain").encode()),
             ("254 octets as A-labels", (".".join(["büü" * 12] * 8) + ".plain").encode()),
             ("bad xn--", b"xn--a-\xc3\xbc.plain"), ("xn-- that decodes to nothing", b"xn--.plain"), ("mixed", "xn--ü.plain".encode()),
             ("zero width joiner alone", "\u200d.plain".encode()), ("2,000 combining marks", ("a" + "\u0301" * 2000 + ".plain").encode())]


def not_found(c, key):
    answered(c, netstring(b"policy " + key), lambda got: got == "NOTFOUND ")


table("hostile-32", "key", KEYS, not_found, **GROUP)
table("hostile-44", "IDN key", IDN_BOMBS, not_found, **GROUP)


@hostile("hostile-44", "mixed case XN-- is one name")
def _(c):
    c.zone("xn--bcher-kva MX 10 mx")
    c.host("mx", "good")
    c.want("DO", key=f"XN--Bcher-KVA.{c.d.upper()}.")
    c.want("DO", key=f"bücher.{c.d}")
    c.check("MX queries", lambda: c.world.tap.asked(f"xn--bcher-kva.{c.d}", "MX"), 1)


@hostile("hostile-45", "foreign octets in keys are escaped in the log")
def _(c):
    for key in ("\x1b[31mred.plain", "a\nlevel=info event=ready domain=fake", "%n%n%s.plain"):
        c.want("NF", key=key)
    c.check("log", lambda: "\x1b" in c.daemon.log() or "\nlevel=info event=ready domain=fake" in c.daemon.log(), False)


@hostile("hostile-46", "counters have fixed names")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")

    def names():
        return set(_flat(c.daemon.stats()))
    before = []
    c.do(lambda: before.extend(names()))
    c.want("DO")
    c.check("new counters", lambda: names() - set(before), set())
    c.check("names of domains", lambda: [name for name in names() if "signed" in name or "plain" in name], [])


def _flat(value, prefix=""):
    if not isinstance(value, dict):
        return [prefix]
    return [one for key, inner in value.items() for one in _flat(inner, f"{prefix}.{key}")]


# row 35: other protocols

table("hostile-35", "at the socketmap port", [
    ("HTTP", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 500),
    ("control command", b'{"command":"stats"}\n'),
], closes, **GROUP)


@hostile("hostile-35", "HTTP at the tcp_table port learns nothing")
def _(c):
    tcp_line(c, b"GET / HTTP/1.1\r\n", r"[45]00 .+|closed")


# rows 36, 37: one connection, many requests

@hostile("hostile-36", "a slow name: replies keep their order and come within the answer deadline")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(c.u, "MX", tap.silence())

    def step():
        with Socketmap(c.daemon.socket) as connection:
            began = time.monotonic()
            for key in (c.d, c.u, c.d, ".x.plain"):
                connection.send(netstring(f"policy {key}".encode()))
            got = [connection.read_reply() for _ in range(4)]
            if got[0] != "OK dane-only" or not got[1].startswith("TEMP ") or got[2:] != ["OK dane-only", "NOTFOUND "]:
                raise Failed(f"replies: {got}")
            if time.monotonic() - began > 30:
                raise Failed(f"took {time.monotonic() - began:.1f} s")
    c.do(step)


@hostile("hostile-37", "200 clients ask for one new name: one lookup")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(c.d, "MX", tap.delayed(0.5, tap.answer((c.d, "MX", f"10 mx.{c.d}"), ad=True)))

    def ask_all():
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(Socketmap(c.daemon.socket)) for _ in range(150)]
            for connection in connections:
                connection.send(netstring(f"policy {c.d}".encode()))
            return {connection.read_reply() for connection in connections}
    c.check("answers", ask_all, {"OK dane-only"})
    c.check("MX queries", lambda: c.world.tap.asked(c.d, "MX"), 1)


# rows 28, 33, 34: floods, one after another

@hostile("hostile-28 hostile-29", "10,000 random names do not push out an enforced policy", group="hostile-names")
def _(c):
    c.clear_mx()
    c.sts()
    c.want("SEC")

    def flood_all():
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: _ask_random(c, 500 if c.world.valgrind else 2500), range(4)))
    c.do(flood_all)
    asked = []
    c.do(lambda: asked.append(c.world.tap.asked(c.u, "MX")))
    c.want("SEC")
    c.check("lookups for the enforced one", lambda: c.world.tap.asked(c.u, "MX"), lambda n: n == asked[0])


@hostile("hostile-33", "100,000 requests without reading a reply: bounded, and the others go on", group="hostile-pipeline")
def _(c):
    def step():
        memory = c.daemon.resident_kb()
        with Stream(c.daemon.socket) as connection:
            connection.sock.setblocking(False)
            request, sent = netstring(f"policy {c.world.calm_domain}".encode()) * 1000, 0
            end = time.monotonic() + 3
            while sent < 100 and time.monotonic() < end:
                try:
                    connection.sock.send(request)
                    sent += 1
                except BlockingIOError:
                    time.sleep(0.01)
                except (BrokenPipeError, ConnectionResetError):
                    break
            grown = c.daemon.resident_kb() - memory
            if grown > 50_000:
                raise Failed(f"memory grew by {grown} kB")
            if c.ask(c.world.calm_domain) != "OK dane-only":
                raise Failed("another client was not served")
    c.do(step)


def idle_flood(c, where):
    """More connections than allowed, all idle; they are closed in time, and who is connected is served."""
    def step():
        with contextlib.ExitStack() as stack, Socketmap(c.daemon.socket) as early:
            early.ask(c.world.calm_domain)
            _open_idle(stack, where, 2000)
            if early.ask(c.world.calm_domain) != "OK dane-only":
                raise Failed("a connected client was not served during the flood")
            if c.daemon.descriptors() > 256 + 100:
                raise Failed(f"{c.daemon.descriptors()} descriptors with max-connections = 256")
    c.do(step)
    c.later("a new client is served again", lambda: _served(c), 30)


def _served(c):
    try:
        return c.daemon.ask(c.world.calm_domain, timeout=2) == "OK dane-only"
    except (OSError, Closed):
        return False


@hostile("hostile-34", "2,000 idle connections over TCP", group="hostile-idle-tcp")
def _(c):
    idle_flood(c, SOCKETMAP)


@hostile("hostile-34", "slow writers are closed when idle", group="hostile-local")
def _(c):
    closes(c, b"30:pol")


@hostile("hostile-1 hostile-12 hostile-28 hostile-34", "a flood of connections and of names, slow policy hosts and tarpits, all at once",
         group="hostile-all-at-once")
def _(c):
    """What the guard of the group measures meanwhile is the case."""
    c.key = c.u
    tarpit = c.plain_host("mx", temper=replace(smtpd.GOOD, drip=1.0))
    slow = policyhost.Policy(policyhost.sts_text(f"mx.{c.u}"), drip=1)
    for number in range(ALL_AT_ONCE):
        c.plain(f"d{number} MX 10 mx")
        c.sts(f"mx.{c.u}", domain=f"d{number}.{c.u}", policy=slow)

    def ask_slow(number):
        with Socketmap(c.daemon.socket) as connection:
            return connection.ask(f"d{number}.{c.u}")

    def step():
        with concurrent.futures.ThreadPoolExecutor(ALL_AT_ONCE + 5) as pool, contextlib.ExitStack() as stack:
            slow_ones = [pool.submit(ask_slow, number) for number in range(ALL_AT_ONCE)]
            names = [pool.submit(_ask_random, c, 500 if c.world.valgrind else 2500) for _ in range(4)]
            waiting.until(lambda: tarpit.connections, "the tarpit has been reached")
            _open_idle(stack, SOCKETMAP, 2000)
            answers = {one.result() for one in [*slow_ones, *names]}
        if answers != {"NOTFOUND "}:
            raise Failed(f"answers: {answers}")
    c.do(step)
    c.later("a new client is served again", lambda: _served(c), 30)


def _ask_random(c, count):
    """The last of so many answers to random names."""
    with Socketmap(c.daemon.socket) as connection:
        for _ in range(count):
            answer = connection.ask(f"r{os.urandom(4).hex()}.{os.urandom(3).hex()}.{c.label}")
    return answer


def _open_idle(stack, where, count):
    for _ in range(count):
        sock = stack.enter_context(socket.socket(socket.AF_INET if isinstance(where, tuple) else socket.AF_UNIX))
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            sock.connect(where)


@case("hostile-34", "the control socket is for the owner alone", daemon="hostile-local", group="together")
def _(c):
    c.check("mode", lambda: oct(os.stat(c.daemon.control).st_mode & 0o777), "0o600")
