"""mxcrypt doctor finds each fault that is planted in the share of a farm, and nothing in a sound one."""

import contextlib
import json
import os

import farming
import remembering
import waiting
from case import Failed, case

DAEMONS = remembering.DAEMONS
CHECKS = {"share", "share-files", "share-tls", "share-key", "share-rights", "share-memory", "share-clock", "share-relays"}
OF_SERVER = {"share-rights", "share-memory", "share-clock", "share-relays"}


def doctor_case(name):
    return case("FARM", f"doctor of a farm: {name}", daemon="memory", group="few", valgrind=False)


def doctor(relay, *options):
    """Its findings about the share, and the checks that could not be made."""
    words = [word for option in options for word in ("-o", option)]
    done = relay.daemon.cli(*words, "--json", "doctor", "--postfix", "/nowhere", "--mail-host", relay.c.world.clear.address)
    told = json.loads(done.stdout)
    return ([one for one in told["findings"] if one["check"] in CHECKS],
            {one["check"] for one in told["checks"] if one["check"] in CHECKS and not one["made"]},
            {one["check"] for one in told["checks"]} & CHECKS)


def silent(relay):
    findings, not_made, checks = doctor(relay)
    if findings or not_made or checks != CHECKS:
        raise Failed(f"{json.dumps(findings, indent=1)} not made: {not_made} checks: {checks}")


def finds(relay, *wanted, options=(), not_made=()):
    """These findings, each by (check, level, words, words of the fix), and no other."""
    findings, missing, _ = doctor(relay, *options)
    got = sorted(findings, key=lambda one: (one["check"], one["what"]))
    if len(got) != len(wanted) or missing != set(not_made):
        raise Failed(f"{json.dumps(got, indent=1)} not made: {missing}")
    for one, (check, level, what, fix) in zip(got, sorted(wanted)):
        if (one["check"], one["level"]) != (check, level) or what not in one["what"] or fix not in one["fix"]:
            raise Failed(f"wanted {check} {level} {what!r} {fix!r}: {json.dumps(one)}")


def listed(relay, count):
    waiting.until(lambda: len((relay.daemon.value("farm") or {}).get("relays", [])) == count, "the relays are listed", 20)


@contextlib.contextmanager
def sound(c, *names, **options):
    """A farm as contrib/valkey has it: a user of its own, and a bound for the memory."""
    folder = os.path.join(c.world.folder, f"share-{c.label}")
    password = os.path.join(folder, "password")
    os.makedirs(folder, exist_ok=True)
    farming.secret(password, farming.PASSWORD)

    def begin(share):
        share.url = f"valkey+unix://relay:@{share.socket}"
        share.user()
        share.command("CONFIG", "SET", "maxmemory", "100mb")
        share.command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    with farming.farm(c, *names, begin=begin, share_password_file=password, **options) as farm:
        listed(farm[1], len(names))
        yield farm


@doctor_case("a sound one: nothing is found, and farm says what the server says")
def _(c):
    def step():
        with sound(c, "a", "b") as (_share, a, b):
            silent(a)
            silent(b)
            told = a.daemon.cli("farm").stdout
            if "warning" in told or "MiB used of 100.0 MiB, maxmemory-policy volatile-ttl, appendonly yes" not in told:
                raise Failed(told)
    c.do(step)


@doctor_case("what the server's user may do, too little and too much")
def _(c):
    def step():
        with sound(c, "a") as (share, a):
            share.user("-xadd", "-zcard")
            finds(a, ("share-rights", "error", "the user relay may not: ZCARD mxcrypt:1:x:x, XADD mxcrypt:1:news", "users.acl"))
            share.user("resetkeys", "~mxcrypt:1:[a-w]*")
            finds(a, ("share-rights", "error", "may not: PEXPIRE mxcrypt:1:x:x, ZADD mxcrypt:1:x:x", "users.acl"))
            share.user("+flushall", "+keys", "+config|set")
            finds(a, ("share-rights", "warning", "may do what no relay does: FLUSHALL, KEYS, CONFIG SET", "users.acl"))
            share.user("~*")
            finds(a, ("share-rights", "warning", "GET not-mxcrypt:x, SET not-mxcrypt:x", "users.acl"))
            share.user("-info")
            finds(a, not_made={"share-memory"})
            share.user("-eval")
            finds(a, not_made={"share-rights"})
            share.user()
            silent(a)
    c.do(step)


@doctor_case("the default user, who may do everything")
def _(c):
    def step():
        with farming.farm(c, "a") as (share, a):
            share.command("CONFIG", "SET", "maxmemory", "100mb")
            finds(a, ("share-rights", "warning", "the user default may do what no relay does: FLUSHALL, FLUSHDB", "valkey://relay:@HOST"))
    c.do(step)


@doctor_case("the server's memory")
def _(c):
    def step():
        with sound(c, "a") as (share, a):
            share.command("CONFIG", "SET", "maxmemory", "0")
            finds(a, ("share-memory", "warning", "the server has no maxmemory", "maxmemory 1gb"))
            share.command("CONFIG", "SET", "maxmemory", "100mb")
            share.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
            finds(a, ("share-memory", "warning", "maxmemory-policy allkeys-lru", "volatile-ttl"))
            share.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
            silent(a)
            share.command("CONFIG", "SET", "maxmemory", "1mb")
            finds(a, ("share-memory", "warning", "of 1048576 octets of the server are used", "more maxmemory"))
    c.do(step)


@doctor_case("a server that is away, one that refuses, and one that is a replica")
def _(c):
    def step():
        with sound(c, "a") as (share, a):
            share.kill()
            waiting.until(lambda: a.daemon.events("share-lost"), "a knows", 10)
            finds(a, ("share", "warning", "and each relay goes on alone: c", "start the server"), not_made=OF_SERVER)
            share.start()  # without the user
            waiting.until(lambda: "WRONGPASS" in json.dumps(a.daemon.control_answer("share")), "a is refused", 20)
            finds(a, ("share", "warning", "WRONGPASS", "share-password-file"), not_made=OF_SERVER)
            share.user()
            share.command("REPLICAOF", "127.0.0.1", "1")
            waiting.until(lambda: "replica" in json.dumps(a.daemon.control_answer("share")), "a sees a replica", 20)
            finds(a, ("share", "warning", "it is a replica, which cannot be written", "start the server"), not_made=OF_SERVER)
    c.do(step)


@doctor_case("news that do not come, which is logged once")
def _(c):
    def step():
        with sound(c, "a") as (share, a):
            share.user("-xread")
            waiting.until(lambda: a.daemon.events("share-news-lost"), "a says it", 40)
            finds(a, ("share", "warning", "the news of the other relays do not come: NOPERM", "users.acl"),
                  ("share-rights", "error", "may not: XREAD mxcrypt:1:news", "users.acl"))
            if "warning: the news of the other relays do not come" not in a.daemon.cli("farm").stdout:
                raise Failed(a.daemon.cli("farm").stdout)
            share.user()
            waiting.until(lambda: a.daemon.events("share-news-ready"), "the news come", 20)
            silent(a)
            if len(a.daemon.events("share-news-lost")) != 1:
                raise Failed(a.daemon.log())
    c.do(step)


@doctor_case("files that others can read, and one that is not there")
def _(c):
    def step():
        with sound(c, "a") as (_share, a):
            key = a.options["share-key-file"]
            os.chmod(key, 0o644)
            finds(a, ("share-files", "warning", f"{key} (share-key-file) can be read", f"chmod 600 {key}"))
            os.chmod(key, 0o600)
            finds(a, ("share-files", "error", "/nowhere: No such file", "readable by root"), options=["share-key-file=/nowhere"])
            url = a.options["share"].replace("relay:", "relay:secret")
            finds(a, ("share-files", "warning", f"stands in {a.daemon.config}", "share-password-file"),
                  options=[f"share={url}", "share-password-file="])
    c.do(step)


@doctor_case("a server on another machine, in clear and without a key")
def _(c):
    def step():
        with sound(c, "a") as (_share, a):
            finds(a, ("share-key", "warning", "the share is at 192.0.2.1", "openssl rand"),
                  ("share-tls", "warning", "the share at 192.0.2.1 is in clear", "valkeys://"),
                  options=["share=valkey://relay:@192.0.2.1", "share-key-file="])
    c.do(step)


@doctor_case("a configuration with a share that the running mxcryptd has not")
def _(c):
    def step():
        with remembering.Lives(c, "-alone") as alone:
            alone.start()
            finds(alone, ("share", "warning", "the running mxcryptd has none", "restart mxcryptd"),
                  options=["share=valkey+unix:///nowhere"], not_made=OF_SERVER)
    c.do(step)


@doctor_case("a relay whose clock is wrong")
def _(c):
    def step():
        with sound(c, "a", "b") as (_share, a, b):
            b.clock = remembering.Clock(c)
            b.stop()
            b.clock.ahead(30)
            b.start()
            waiting.until(lambda: any(one["skew_ms"] > 20000 for one in a.daemon.control_answer("farm")["relays"]), "b says so", 20)
            finds(a, ("share-clock", "warning", "the clock of relay b is 30.", "NTP"))
            finds(b, ("share-clock", "warning", "the clock of this host is 30.", "NTP"))
    c.do(step)


@doctor_case("relays that are not set up alike")
def _(c):
    def step():
        with sound(c, "a", "b") as (_share, a, b):
            b.stop()
            b.start(tls_ciphers="high", mode="monitor", rollout="50%")
            waiting.until(lambda: a.daemon.control_answer("farm")["relays"] and "differ in settings" in a.daemon.cli("farm").stdout, "a sees it", 20)
            finds(a, ("share-relays", "warning", "relay b has mode = monitor and rollout = 50%, this one enforce and 100%", "farm reload"),
                  ("share-relays", "warning", "relay b has other settings of lookups", "mxcryptd.conf at both"))
    c.do(step)
