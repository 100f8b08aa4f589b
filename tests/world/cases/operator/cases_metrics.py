"""Metrics: what Prometheus gets, that it counts what happened, and that its listener disturbs nobody."""

import contextlib
import itertools
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time
from dataclasses import replace

import exposition
import rooms
import smtpd
import tap
import waiting
from case import Failed, case
from cases_operations import own_daemon
from policyhost import Policy, sts_text
from smtpd import GOOD

ROW = "metrics"
PORT = 9760
PORTS = itertools.count(9761)
LIFE_S = 10  # of a connection, daemon/metrics/metrics.c
CONNECTIONS = 16
MANUAL = rooms.HERE.parents[1] / "docs" / "mxcryptd.8"
DAEMONS = {"metrics": {"resolver": "127.0.0.53", "metrics-listen": f"127.0.0.1:{PORT}"}}
SHORT = {"greeting_deadline": "1s", "probe_deadline": "3s", "fetch_deadline": "2s"}


def metrics(name, valgrind=True):
    return case(ROW, name, daemon="metrics", valgrind=valgrind)


def impatient(c):
    """One try, so that what fails is counted once; an answer that is given arrives in time, under valgrind too."""
    return {"dns_timeout": "8s" if c.world.valgrind else "1s", "dns_tries": "1"}


def hostile(name, group="hostile-metrics"):
    return case(ROW, name, daemon="metrics", group=group)


@contextlib.contextmanager
def measured(c, **options):
    """A daemon of its own, and a function that scrapes it."""
    port = next(PORTS)
    with own_daemon(c, metrics_listen=f"127.0.0.1:{port}", **options) as one:
        yield one, lambda: exposition.scrape(port)


def families():
    return set(re.findall(r"^\.It Li (mxcryptd_[a-z_]+)", MANUAL.read_text(encoding="ascii"), re.MULTILINE))


def rose(c, before, after, **wanted):
    """Counters by name, or by name and label as name__label__value, with - for each _ in the value."""
    wrong = []
    for name, want in wanted.items():
        family, *label = name.split("__")
        series = family + (f" {label[0]}={label[1].replace('_', '-')}" if label else "")
        got = after.value(series) - before.value(series)
        if got != want:
            wrong.append(f"{series}: {got:g} for {want}")
    if wrong:
        raise Failed("; ".join(wrong))


@metrics("every family of the manual is there, with what Prometheus wants")
def _(c):
    c.check("families", lambda: set(exposition.scrape(PORT).types), families())
    c.check("many", lambda: len(families()), lambda n: n > 50)
    if shutil.which("promtool"):
        c.check("promtool", lambda: subprocess.run(["promtool", "check", "metrics"], input=exposition.scrape(PORT).text, text=True,
                                                   capture_output=True, check=False), lambda done: (done.returncode, done.stderr) == (0, ""))


@metrics("no name from outside is in the text")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.want("DO")
    c.check("text", lambda: c.label in exposition.scrape(PORT).text, False)


@metrics("answers, cache and how long it took count what was asked", valgrind=False)
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.plain("@ MX 10 mx", f"mx A {c.world.clear.address}")

    def step():
        with measured(c) as (one, scrape):
            before = scrape()
            for key, want in ((c.d, "DO"), (c.u, "NF"), (".parent.example", "NF"), (c.d, "DO"), (c.d, "DO")):
                c.must_be(want, one.ask(key), key)
                one.settled()  # what is answered before the lookup is at its end does not come from the cache
            after = scrape()
            rose(c, before, after, lookups_total=5, lookups_waited_total=2, lookups_not_needed_total=1, cache_hits_total=2, cache_misses_total=2,
                 answers_total__level__dane_only=3, answers_total__level__notfound=2, answers_total__level__temp=0,
                 answers_found_total__reason__dane_full=3, answers_found_total__reason__starttls_clear=1, answers_found_total__reason__key=1,
                 answers_ruled_total__outcome__found=5, answer_duration_seconds_count__answered__at_once=3,
                 answer_duration_seconds_count__answered__after_lookup=2, connections_accepted_total=5, jobs_started_total=2,
                 probe_results_total__result__clear=1, cache_entries=2, cache_negative_entries=1)
            took = {name: after.value(f"answer_duration_seconds_sum answered={name}") for name in ("at-once", "after-lookup")}
            if not (0 < took["at-once"] < 3 * 0.2 and took["at-once"] < took["after-lookup"] < 2 * 30):
                raise Failed(f"it took {took}")
            stats = one.stats()
            if (stats["lookups"], stats["cache_hits"]) != (5, 2):
                raise Failed(f"mxcrypt stats: {stats}")
            if abs(after.value("start_time_seconds") - time.time()) > 300:
                raise Failed("not the time of the start")
    c.do(step)


@metrics("failures of DNS, by kind")
def _(c):
    rules = {"s": tap.rcode("SERVFAIL"), "r": tap.rcode("REFUSED"), "n": tap.rcode("NOTIMP"), "t": tap.silence()}
    for name, rule in rules.items():
        c.rule(f"{name}.{c.d}", "MX", rule)

    def step():
        with measured(c, mta_sts="no", **impatient(c)) as (one, scrape):
            before = scrape()
            for name in rules:
                c.must_be("TMP", one.ask(f"{name}.{c.d}"))
            one.settled()
            rose(c, before, scrape(), answers_total__level__temp=4, answers_found_total__reason__mx_error=4,
                 dns_failures_total__kind__servfail=1, dns_failures_total__kind__refused=1, dns_failures_total__kind__other_rcode=1,
                 dns_failures_total__kind__timeout=1, dns_failures_total__kind__network=0, dns_timeouts_total=1)
    c.do(step)


@metrics("a resolver that is not there: network failures")
def _(c):
    def step():
        with measured(c, resolver="127.0.0.96", mta_sts="no", **impatient(c)) as (one, scrape):
            waiting.until(lambda: one.events("resolver-unreachable"), "the daemon's own question has failed")
            before = scrape()
            c.must_be("TMP", one.ask(c.d))
            one.settled()
            rose(c, before, scrape(), dns_failures_total__kind__network=1)
    c.do(step)


SMTP = {
    "connect-refused": None, "greeting-timeout": replace(GOOD, hang=True), "greeting-refused": replace(GOOD, greeting=b"554 no\r\n"),
    "ehlo": replace(GOOD, ehlo=b"421 no\r\n"), "starttls-4xx": replace(GOOD, starttls=b"454 later\r\n"),
    "starttls-5xx": replace(GOOD, starttls=b"554 never\r\n"), "handshake": replace(GOOD, handshake="close"),
    "handshake-timeout": replace(GOOD, handshake="hang"), "protocol": replace(GOOD, greeting=b"what is this\r\n"),
    "ehlo-in-tls": replace(GOOD, ehlo_over_tls=b"554 no\r\n"),
}


@metrics("failures of probes, by kind", valgrind=False)
def _(c):
    for kind, temper in SMTP.items():
        address = c.address() if temper is None else c.server("mx.example", temper=temper).address
        c.plain(f"{kind} MX 10 mx.{kind}", f"mx.{kind} A {address}")

    def step():
        with measured(c, **SHORT) as (one, scrape):
            before = scrape()
            for kind in SMTP:
                one.explain(f"{kind}.{c.u}")
            one.settled()
            after = scrape()
            rose(c, before, after, **{f"probe_failures_total__kind__{kind}": 1 for kind in SMTP}, probe_failures_total__kind__local=0,
                 probes_total=len(SMTP), probes_in_flight=0, probe_results_total__result__refused=1)
    c.do(step)


@metrics("failures of policy fetches, by kind", valgrind=False)
def _(c):
    text = sts_text("mx.example")
    policies = {"status": (Policy(text, status="404 Not Found"), None), "policy": (Policy(b"version: STSv2\r\n"), None),
                "certificate": (Policy(text), "other.example"), "timeout": (Policy(text, drip=5), None),
                "response": (Policy(text, content_type="text/html"), None)}
    for kind, (policy, name) in policies.items():
        cert = c.world.ca.leaf(name or f"mta-sts.{kind}.{c.u}")
        c.sts(domain=f"{kind}.{c.u}", policy=policy, cert=cert)
    c.plain('_mta-sts.dns TXT "v=STSv1; id=1"', '_mta-sts.connect TXT "v=STSv1; id=1"', f"mta-sts.connect A {c.address()}")

    def step():
        with measured(c, probe="no", **SHORT) as (one, scrape):
            before = scrape()
            for kind in (*policies, "dns", "connect"):
                one.explain(f"{kind}.{c.u}")
            one.settled()
            rose(c, before, scrape(), **{f"policy_fetch_failures_total__kind__{kind}": 1 for kind in (*policies, "dns", "connect")},
                 policy_fetches_total=len(policies) + 1)
    c.do(step)


@metrics("mode, rollout and rules; what is withheld")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    path = f"{c.label}.rules"

    def step():
        rules = os.path.join(c.world.folder, path)
        pathlib.Path(rules).write_text(f"off.{c.d} off\nexact.{c.d} exactly encrypt\n", encoding="ascii")
        with measured(c, rules=rules, rollout="0%") as (one, scrape):
            before = scrape()
            for key, want in ((c.d, "NF"), (f"off.{c.d}", "NF"), (f"exact.{c.d}", "ENC")):
                c.must_be(want, one.ask(key), key)
            one.settled()  # nobody waits for what is withheld: it counts when it is found
            after = scrape()
            rose(c, before, after, answers_withheld_total__level__dane_only=1, answers_ruled_total__outcome__rollout=1,
                 answers_ruled_total__outcome__rule_off=1, answers_ruled_total__outcome__rule_exactly=1, lookups_not_needed_total=2)
            found = [after.value(name) for name in ("rules", "rollout_ratio", "mode mode=enforce", "mode mode=monitor")]
            if found != [2, 0, 1, 0]:
                raise Failed(f"rules, rollout and mode: {found}")
    c.do(step)


@metrics("the store: written, and degraded when it cannot be")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")

    def step():
        with measured(c, store_flush="10ms") as (one, scrape):
            c.must_be("DO", one.ask(c.d))
            one.settled()
            page = scrape()
            found = [page.value(name) for name in ("store_enabled", "store_degraded", "store_pending")]
            if found != [1, 0, 0] or page.value("store_written_total") < 1:
                raise Failed(f"store: {found}")
        with measured(c, store="/proc/none/store.db") as (one, scrape):
            waiting.until(lambda: scrape().value("store_degraded") == 1, "it says so")
    c.do(step)


# ---- the listener ----

def open_files(pid):
    """Of a process that may close some while they are listed."""
    folder, found = f"/proc/{pid}/fd", set()
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"{folder}/{fd}"))
    return found


@metrics("off by default")
def _(c):
    def step():
        with own_daemon(c) as one:
            inodes = open_files(one.process.pid)
            for name in ("tcp", "tcp6"):
                for line in pathlib.Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
                    if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in inodes:
                        raise Failed(f"it listens: {line}")
    c.do(step)


def refuses_to_start(c, value, words):
    def step():
        try:
            with own_daemon(c, metrics_listen=value):
                raise Failed("it started")
        except RuntimeError as error:
            if not all(word in str(error) for word in words):
                raise Failed(f"not the reason: {error}") from error
        except Failed as error:
            if "exit status 1" not in str(error):
                raise
    c.do(step)


for _value, _words in (("192.0.2.77:9760", ("what=metrics-listen", "192.0.2.77:9760", "annot assign")),
                       (f"127.0.0.1:{PORT}", ("what=metrics-listen", f"127.0.0.1:{PORT}", "in use")),
                       ("localhost:9760", ("metrics-listen", "mxcryptd.conf:")), ("127.0.0.1", ("metrics-listen", "mxcryptd.conf:")),
                       ("127.0.0.1:0", ("metrics-listen", "mxcryptd.conf:")), ("127.0.0.1:65536", ("metrics-listen", "mxcryptd.conf:"))):
    metrics(f"metrics-listen = {_value}: no start, and it says why")(
        lambda c, value=_value, words=_words: (c.do(c.world.daemon("metrics").alive) if str(PORT) in value else None,
                                               refuses_to_start(c, value, words)))


@metrics("IPv6")
def _(c):
    def step():
        port = next(PORTS)
        with own_daemon(c, metrics_listen=f"[::1]:{port}"), socket.create_connection(("::1", port), 20) as sock:
            sock.sendall(exposition.request())
            if exposition.split(exposition.read_all(sock))[0] != 200:
                raise Failed("no page")
    c.do(step)


def answers(c, data, status, *, half_closed=False, check=lambda headers, body: True):
    def step():
        got, headers, body = exposition.split(exposition.exchange(PORT, data, half_closed=half_closed))
        if got != status or not check(headers, body):
            raise Failed(f"{data[:40]!r}: wanted {status}, got {got} {headers} {body[:100]!r}")
    c.do(step)


@metrics("GET and HEAD of /metrics, 404 and 405; what Host says does not matter")
def _(c):
    request = exposition.request
    answers(c, request("HEAD"), 200, check=lambda headers, body: int(headers["content-length"]) > 10000 and not body)
    answers(c, b"GET /metrics HTTP/1.0\r\n\r\n", 200)
    answers(c, request("GET", "/metrics", "elsewhere.example"), 200)
    answers(c, request("GET", "/metrics?x=1"), 200)
    for path in ("/", "/metrics/", "/metrics/..", "//metrics", "/METRICS", "/metrics%00"):
        answers(c, request("GET", path), 404)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"):
        answers(c, request(method), 405, check=lambda headers, body: headers["allow"] == "GET, HEAD")
    answers(c, request(), 200, half_closed=True)
    answers(c, request() * 3, 200, check=lambda headers, body: body.count(b"# TYPE mxcryptd_lookups_total") == 1 and headers["connection"] == "close")


@hostile("a request line, headers, a body that do not end")
def _(c):
    for data in (b"GET /" + b"a" * 1000000, b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 1000000, b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 100000,
                 b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"z" * 1000000,
                 b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b"z" * 1000000):
        c.do(lambda data=data: _send_and_forget(data))


def _send_and_forget(data):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        response = exposition.exchange(PORT, data)
        if b"# TYPE" in response:
            raise Failed(f"{data[:40]!r} was answered with the page")


@hostile("garbage, also of TLS and HTTP/2")
def _(c):
    hello = bytes.fromhex("160301") + b"\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(508)
    for data in (os.urandom(20000), b"\0" * 20000, b"\r\n" * 5000, hello, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n",
                 b"GET /metrics HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b" \r\n\r\n", b"GET /metrics HTTP/1.1\nA\n\n", b""):
        c.do(lambda data=data: ends_in_time(data))


def ends_in_time(data):
    """Whatever the answer: the connection is closed by its deadline, or when we have closed our side."""
    began = time.monotonic()
    with contextlib.suppress(OSError):
        exposition.exchange(PORT, data, timeout=2 * LIFE_S, half_closed=True)
    if time.monotonic() - began > LIFE_S + 5:
        raise Failed(f"{data[:40]!r}: open after {LIFE_S} s")


@hostile("slow clients: a request in drops, a page that nobody reads")
def _(c):
    def drops():
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", PORT), 30) as sock:
            sock.settimeout(0.5)
            for octet in exposition.request() * 2:
                with contextlib.suppress(socket.timeout):
                    sock.sendall(bytes([octet]))
                    if sock.recv(1) == b"":
                        break
                if time.monotonic() - began > LIFE_S + 5:
                    raise Failed("still open")

    def unread():
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.connect(("127.0.0.1", PORT))
            sock.sendall(exposition.request())
            waiting.until(lambda: gone(sock), "the daemon has closed it", LIFE_S + 5)

    def gone(sock):
        state = subprocess.run(["ss", "-tnH", f"sport = :{PORT} and dport = :{sock.getsockname()[1]}"], capture_output=True, text=True, check=True)
        return not state.stdout.startswith("ESTAB")
    c.do(drops)
    c.do(unread)


@hostile("more connections than there may be: Prometheus gets its page all the same", group="hostile-metrics-crowd")
def _(c):
    def step():
        with contextlib.ExitStack() as stack:
            for _ in range(10 * CONNECTIONS):
                stack.enter_context(socket.create_connection(("127.0.0.1", PORT), 20))
            for _ in range(20):
                began = time.monotonic()
                exposition.scrape(PORT)
                if not c.world.valgrind and time.monotonic() - began > 2:
                    raise Failed(f"the page took {time.monotonic() - began:.1f} s")
            held = c.daemon.descriptors()
            if held > 200:
                raise Failed(f"{held} descriptors")
    c.do(step)


@hostile("a thousand scrapes at once with every kind of end")
def _(c):
    def step():
        for number in range(1000):
            sock = socket.create_connection(("127.0.0.1", PORT), 20)
            sock.sendall(exposition.request()[:number % 40])
            if number % 3 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        exposition.scrape(PORT)
    c.do(step)


@metrics("no descriptors left: no spinning, and the page is there again when some are free")
def _(c):
    def step():
        with measured(c) as (one, scrape):
            scrape()
            limit = one.descriptors()
            subprocess.run(["prlimit", f"--pid={one.process.pid}", f"--nofile={limit}:"], check=True)
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", next(PORTS) - 1), 2) as sock:
                sock.sendall(exposition.request())
                before = one.cpu_seconds()
                with contextlib.suppress(socket.timeout):
                    sock.recv(1)
                spent = one.cpu_seconds() - before
                if spent > 0.5:
                    raise Failed(f"{spent} s of CPU for nothing")
            subprocess.run(["prlimit", f"--pid={one.process.pid}", f"--nofile={limit + 50}:"], check=True)
            waiting.until(scrape, "the page again")
    c.do(step)
