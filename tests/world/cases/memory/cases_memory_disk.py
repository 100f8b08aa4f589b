"""hostile 39, 40: clocks that jump, disks that are full, read-only or locked."""

import os
import sqlite3
import subprocess
import time

import remembering
import waiting
from case import Failed, secure, table
from cases_memory_store import stored
from smtpd import CLEAR

HOUR_S, DAY_S = 3600, 86400


def known(c, lives):
    """A life in which c.u's policy is learnt."""
    one = lives.start()
    c.must_be("SEC", one.ask(c.u))
    one.settled()
    return one


def life_left(c, one, most_s):
    left = one.explain(c.u)["evidence"]["mta_sts"]["ends_in_s"]
    if left is None or not 0 < left <= most_s:
        raise Failed(f"the policy lives for another {left} s")


def clock(c, ahead_s, want, max_age=DAY_S, most_s=DAY_S):
    """A policy and a clock that jumps while the daemon is down."""
    c.clear_mx()
    c.sts(max_age=max_age)
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with remembering.Lives(c) as lives:
            lives.clock = remembering.Clock(c)
            known(c, lives)
            lives.kill()
            lives.clock.ahead(ahead_s)
            one = lives.start(resolver=dead)
            c.must_be(want, one.ask(c.u))
            if want == "SEC":
                life_left(c, one, most_s)
    c.do(step)


table("hostile-39 hostile-38", "the clock jumped while the daemon was down", [
    ("an hour back", -HOUR_S, "SEC", 7200, 7200), ("ten hours back, the policy had one left", -10 * HOUR_S, "SEC", 3600, 3600),
    ("ten days back", -10 * DAY_S, "SEC"), ("forty years back", -40 * 365 * DAY_S, "SEC"), ("an hour forward", HOUR_S, "SEC", DAY_S, DAY_S - HOUR_S),
    ("two days forward, the policy had one", 2 * DAY_S, "TMP"), ("two days forward, the policy had ten", 2 * DAY_S, "SEC", 10 * DAY_S, 8 * DAY_S),
    ("forty years forward", 40 * 365 * DAY_S, "TMP"),
], clock, daemon="stored", group="few", valgrind=False)


def clock_while_running(c, ahead_s):
    """The daemon goes by the monotonic clock; what it writes after the jump counts after a restart."""
    c.clear_mx()
    c.sts(max_age=7200)
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with remembering.Lives(c) as lives:
            lives.clock = remembering.Clock(c)
            one = known(c, lives)
            lives.clock.ahead(ahead_s)
            for _ in range(3):
                c.must_be("SEC", one.ask(c.u))
            waiting.until(lambda: c.must_be("SEC", one.ask(c.u)) or one.stats()["jobs_started"] >= 2, "it is looked up again")
            life_left(c, one, 7200)
            one.settled()
            lives.kill()
            one = lives.start(resolver=dead)
            if ahead_s < 7200:
                c.must_be("SEC", one.ask(c.u))
                life_left(c, one, 7200)
    c.do(step)


table("hostile-39", "the clock jumps while the daemon runs", [("an hour back", -HOUR_S), ("ten days back", -10 * DAY_S), ("an hour forward", HOUR_S),
                                                              ("ten days forward", 10 * DAY_S)],
      clock_while_running, daemon="stored", group="few", valgrind=False)


@stored("a hold whose times are in the future ends all the same", "hostile-39 G-14", valgrind=False)
def _(c):
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}")
    c.plain(f"mx 1 A {server.address}")

    def step():
        with remembering.Lives(c, hold="5s", refresh_idle="1h") as lives:
            lives.clock = remembering.Clock(c)
            one = lives.start()
            c.must_be("VER", one.ask(c.u))
            server.temper = CLEAR
            waiting.until(lambda: one.held(c.u), "the hold begins")
            one.settled()
            lives.kill()
            lives.clock.ahead(-10 * DAY_S)
            one = lives.start()
            c.must_be("VER", one.ask(c.u))
            waiting.until(lambda: one.ask(c.u) == "NOTFOUND ", "it ends", 15)
    c.do(step)


@stored("dane-only from a time in the future lives no longer than its TTL", "hostile-39 C-5", valgrind=False)
def _(c):
    server = c.server(f"mx.{c.d}")
    c.zone("@ 5 MX 10 mx", f"mx 5 A {server.address}", f"_25._tcp.mx 5 TLSA {server.cert.tlsa()}")
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with remembering.Lives(c, ttl_max="1h") as lives:
            lives.clock = remembering.Clock(c)
            one = lives.start()
            c.must_be("DO", one.ask(c.d))
            one.settled()
            lives.kill()
            lives.clock.ahead(-10 * DAY_S)
            one = lives.start(resolver=dead)
            began = time.monotonic()
            c.must_be("DO", one.ask(c.d))
            waiting.until(lambda: one.ask(c.d) != "OK dane-only", "its end", 15)
            if time.monotonic() - began > 8:
                raise Failed(f"it lived {time.monotonic() - began:.1f} s")
    c.do(step)


# hostile 40: the disk

class Disk:
    """A file system of a megabyte of its own."""

    def __init__(self, c):
        self.path = os.path.join(c.world.folder, f"disk-{c.label}")
        self.filler = os.path.join(self.path, "filler")

    def __enter__(self):
        os.makedirs(self.path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "mxcrypt", self.path], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.path], check=True)

    @property
    def store(self):
        return os.path.join(self.path, "store.db")

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def make_room(self):
        os.unlink(self.filler)

    def remount(self, how):
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)


def many(c, count=40):
    """Domains with policies of some size: name -> answer."""
    c.plain(f"clear A {c.world.clear.address}")
    found = {}
    for number in range(count):
        domain, mx = f"d{number}.{c.u}", tuple(f"host-{n}-{'x' * 40}.{c.u}" for n in range(30))
        c.plain(f"d{number} MX 10 clear")
        c.sts(*mx, domain=domain)
        found[domain] = secure(mx)
    return found


def _degraded(one):
    return one.stats()["store_degraded"]


@stored("the disk is full: served from memory, said once, and healed when there is room", "hostile-40")
def _(c):
    domains = many(c)
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with Disk(c) as disk, remembering.Lives(c, like="stored", store=disk.store) as lives:
            one = lives.start()
            names = list(domains)
            c.must_be(domains[names[0]], one.ask(names[0]))
            one.settled()
            disk.fill()
            for name in names:
                c.must_be(domains[name], one.ask(name))
            waiting.until(lambda: _degraded(one), "it is noticed")
            stats = one.stats()
            if not stats["store_pending"] or not stats["store_write_failures"]:
                raise Failed(f"{stats}")
            for name in names:
                c.must_be(domains[name], one.ask(name))
            lines = waiting.until(lambda: one.events("store-degraded"), "a warning")
            if len(lines) > 3 or "reason=" not in lines[0]:
                raise Failed(f"{len(lines)} warnings: {lines[0]}")
            disk.make_room()
            waiting.until(lambda: not _degraded(one), "it heals by itself", 60)
            one.settled()
            if not one.events("store-healed"):
                raise Failed("not a word of it")
            lives.kill()
            one = lives.start(resolver=dead)
            for name in names:
                c.must_be(domains[name], one.ask(name))
            lives.stop()
    c.do(step)


@stored("the disk is full from the start", "hostile-40")
def _(c):
    c.clear_mx()
    c.sts()

    def step():
        with Disk(c) as disk, remembering.Lives(c, like="stored", store=disk.store) as lives:
            disk.fill()
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            waiting.until(lambda: _degraded(one), "it is noticed")
            disk.make_room()
            waiting.until(lambda: not _degraded(one), "it heals by itself", 60)
            # what was learnt without the store is written once it was asked, a flush period later
            waiting.until(lambda: '"type":"answer"' in one.cli("export").stdout, "the answer is written too", 20)
            one.settled()
            lives.kill()
            c.must_be("SEC", lives.start(resolver=remembering.BROKEN).ask(c.u))
            lives.stop()
    remembering.cut_off(c)
    c.do(step)


@stored("the disk is full when it ends: it ends, clean and soon", "hostile-40")
def _(c):
    domains = many(c, 30)

    def step():
        with Disk(c) as disk, remembering.Lives(c, like="stored", store=disk.store, store_flush="1h") as lives:
            one = lives.start()
            for name, want in domains.items():
                c.must_be(want, one.ask(name))
            disk.fill()
            began = time.monotonic()
            lives.stop()
            if not [line for line in one.events("store-not-closed") if " lost=0 " not in line]:
                raise Failed("what is lost is not told")
            if time.monotonic() - began > 10 and not c.world.valgrind:
                raise Failed(f"it took {time.monotonic() - began:.1f} s")
    c.do(step)


@stored("a file system that is read-only: served from memory, healed when it can be written", "hostile-40")
def _(c):
    c.clear_mx()
    c.sts()
    c.plain("later MX 10 mx")
    c.sts(f"mx.{c.u}", domain=f"later.{c.u}")

    def step():
        with Disk(c) as disk, remembering.Lives(c, like="stored", store=disk.store) as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            lives.stop()
            disk.remount("ro")
            one = lives.start()
            c.must_be("SEC", one.ask(f"later.{c.u}"))
            waiting.until(lambda: _degraded(one), "it is noticed")
            disk.remount("rw")
            waiting.until(lambda: not _degraded(one), "it heals by itself", 60)
            one.settled()
            lives.kill()
            one = lives.start(resolver=remembering.BROKEN)
            for key in (c.u, f"later.{c.u}"):
                c.must_be("SEC", one.ask(key), key)
            lives.stop()
    remembering.cut_off(c)
    c.do(step)


def locked(c, at_start):
    """Another process has the store for itself for a while."""
    c.clear_mx()
    c.sts()
    c.plain("later MX 10 mx")
    c.sts(f"mx.{c.u}", domain=f"later.{c.u}")

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            if at_start:
                lives.stop()
            thief = sqlite3.connect(lives.store, isolation_level=None, timeout=10, check_same_thread=False)
            try:
                thief.execute("BEGIN EXCLUSIVE")
                if at_start:
                    one = lives.start()
                c.must_be("SEC", one.ask(f"later.{c.u}"))
                waiting.until(lambda: _degraded(one), "it is noticed")
                thief.execute("ROLLBACK")
            finally:
                thief.close()
            waiting.until(lambda: not _degraded(one), "it heals by itself", 60)
            one.settled()
            if one.events("store-set-aside"):
                raise Failed("a locked store was set aside")
            lives.kill()
            one = lives.start(resolver=remembering.BROKEN)
            for key in (c.u, f"later.{c.u}"):
                c.must_be("SEC", one.ask(key), key)
    remembering.cut_off(c)
    c.do(step)


table("hostile-40", "the store is locked by another process", [("while it runs", False), ("when it starts", True)], locked, daemon="stored", group="few", valgrind=False)


@stored("a store that cannot even be read when it starts is read back when it can be", "hostile-40", valgrind=False)
def _(c):
    c.clear_mx()
    c.sts()

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            lives.stop()
            thief = sqlite3.connect(lives.store, isolation_level=None, timeout=10, check_same_thread=False)
            try:
                thief.execute("PRAGMA locking_mode = exclusive")
                thief.execute("BEGIN EXCLUSIVE")
                one = lives.start(resolver=remembering.BROKEN)
                waiting.until(lambda: _degraded(one), "it is noticed")
                if one.events("warm"):
                    raise Failed("it says that it has read back what it could not read")
                thief.execute("ROLLBACK")
            finally:
                thief.close()
            warm = waiting.until(lambda: one.events("warm"), "it is read back", 60)
            if " policies=1 " not in warm[0]:
                raise Failed(warm[0])
            c.must_be("SEC", one.ask(c.u))
    remembering.cut_off(c)
    c.do(step)


@stored("the folder of the store is missing: made, or served from memory", "hostile-40")
def _(c):
    c.clear_mx()
    c.sts()

    def step():
        path = os.path.join(c.world.folder, f"state-{c.label}", "deep", "store.db")
        with remembering.Lives(c, like="stored", store=path) as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            if not os.path.exists(path):
                waiting.until(lambda: _degraded(one), "it is noticed")
                os.makedirs(os.path.dirname(path))
                waiting.until(lambda: not _degraded(one), "it heals by itself", 60)
            one.settled()
    c.do(step)


@stored("the file is taken away while it runs: a fresh one has everything again", "hostile-40 hostile-38")
def _(c):
    c.clear_mx()
    c.sts()
    c.plain("later MX 10 mx")
    c.sts(f"mx.{c.u}", domain=f"later.{c.u}")

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            for end in ("", "-wal", "-shm"):
                if os.path.exists(lives.store + end):
                    os.unlink(lives.store + end)
            c.must_be("SEC", one.ask(f"later.{c.u}"))
            waiting.until(lambda: os.path.exists(lives.store), "a fresh store", 60)
            one.settled()
            lives.kill()
            one = lives.start(resolver=remembering.BROKEN)
            for key in (c.u, f"later.{c.u}"):
                c.must_be("SEC", one.ask(key), key)
    remembering.cut_off(c)
    c.do(step)


@stored("without a store nothing survives, and nothing is written", "hostile-40")
def _(c):
    c.clear_mx()
    c.sts()

    def step():
        with remembering.Lives(c, like="stored", store="") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            lives.stop()
            if os.path.exists(os.path.join(one.folder, "store.db")):
                raise Failed("a store was made")
            c.must_be("TMP", lives.start(resolver=remembering.BROKEN).ask(c.u))
    remembering.cut_off(c)
    c.do(step)
