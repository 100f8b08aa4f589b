"""A-40: what survives a restart, however the daemon ended and whatever cannot be reached afterwards."""

import time

import remembering
import waiting
from case import Failed, case, secure, table
from smtpd import CLEAR

DAEMONS = {
    **remembering.DAEMONS,
    # answers live long: what is asked after a restart comes from the store or is looked up anew
    "stored": {**remembering.DAEMONS["memory"], "ttl-min": "60s", "ttl-max": "24h", "probe-ttl": "24h"},
}
EACH = 25
FIRST_ANSWER_S = 1.0


def stored(name, rows, valgrind=False):
    return case(rows, name, daemon="stored", group="few", valgrind=valgrind)


class Domains:
    """So many domains of each kind behind a few hosts."""

    def __init__(self, c, each=EACH):
        self.c, self.each = c, each
        good, clear = c.server(f"mx.{c.d}", f"mx.{c.u}"), c.server(temper=CLEAR)
        untrusted = c.server(cert=c.world.ca.leaf("other.example"))
        c.zone(f"mx A {good.address}", f"_25._tcp.mx TLSA {good.cert.tlsa()}")
        c.plain(f"mx A {good.address}", f"clear A {clear.address}", f"untrusted A {untrusted.address}")
        for number in range(each):
            c.zone(f"dane{number} MX 10 mx")
            c.plain(f"sts{number} MX 10 clear", f"verify{number} MX 10 mx", f"encrypt{number} MX 10 untrusted")
            c.sts(f"*.{c.u}", domain=f"sts{number}.{c.u}")

    def wanted(self):
        """key -> answer."""
        c, found = self.c, {}
        for number in range(self.each):
            found |= {f"dane{number}.{c.d}": "OK dane-only", f"sts{number}.{c.u}": secure((f"*.{c.u}",), f"clear.{c.u}"),
                      f"verify{number}.{c.u}": "OK verify servername=hostname", f"encrypt{number}.{c.u}": "OK encrypt"}
        return found

    def learn(self, one):
        """Until the daemon knows all of them."""
        for key, want in self.wanted().items():
            waiting.until(lambda key=key, want=want: one.ask(key) == want, f"{key} is {want}", 20)

    def check(self, one):
        """Every answer right and in time; the slowest, in seconds."""
        slowest = 0.0
        for key, want in self.wanted().items():
            began = time.monotonic()
            self.c.must_be(want, one.ask(key), key)
            slowest = max(slowest, time.monotonic() - began)
        if slowest > FIRST_ANSWER_S and not self.c.world.valgrind:
            raise Failed(f"an answer took {slowest * 1000:.0f} ms")
        return slowest


@stored("many domains of every kind: answered from the store at once, with DNS and policy hosts cut off, however it ended", "A-40")
def _(c):
    domains = Domains(c)
    resolvers = [remembering.cut_off(c, how) for how in ("silence", "SERVFAIL", "REFUSED", "nobody there")]

    def step():
        with remembering.Lives(c, "-all", like="stored") as first:
            one = first.start()
            domains.learn(one)
            one.settled()
            first.kill()
            figures = []
            for number, resolver in enumerate(resolvers):
                with remembering.Lives(c, f"-{number}", like="stored") as life:
                    first.copy_store_to(life)
                    one = life.start(resolver=resolver)
                    figures.append(domains.check(one))
            one = first.start(resolver=resolvers[0])
            figures.append(domains.check(one))
            first.stop()
            figures.append(domains.check(first.start()))
        print(f"  A-40: {len(domains.wanted())} remembered domains, the slowest answer after each restart: "
              + ", ".join(f"{one * 1000:.1f} ms" for one in figures), flush=True)
    c.do(step)


def restart(c, end, how, between=None):
    """A policy is known; the daemon ends, `between` happens to its store, it starts again with the world cut off."""
    c.clear_mx()
    host = c.sts()
    dead = remembering.cut_off(c, how)

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            getattr(lives, end)()
            if between:
                between(lives)
            one = lives.start(resolver=dead)
            began = time.monotonic()
            c.must_be("SEC", one.ask(c.u))
            took = time.monotonic() - began
            if took > FIRST_ANSWER_S and not c.world.valgrind:
                raise Failed(f"it took {took:.2f} s")
            if len(host.fetches) != 1:
                raise Failed(f"{len(host.fetches)} fetches")
            if one.events("store-set-aside") or one.events("store-degraded"):
                raise Failed("it complains of its own store")
    c.do(step)


table("A-40", "a policy is known after", [(f"{end}, then {how}", end, how) for end, how in (
    ("kill", "silence"), ("kill", "SERVFAIL"), ("kill", "REFUSED"), ("kill", "nobody there"), ("stop", "silence"))], restart, daemon="stored", group="few", valgrind=False)


@stored("no policy is made longer by a restart", "A-40 A-34", valgrind=False)
def _(c):
    c.clear_mx()
    c.sts(max_age=5)
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with remembering.Lives(c, like="memory") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            began = time.monotonic()
            one.settled()
            lives.kill()
            one = lives.start(resolver=dead)
            c.must_be("SEC", one.ask(c.u))
            waiting.until(lambda: not one.ask(c.u).startswith("OK"), "its end", 12)
            if time.monotonic() - began > 9:
                raise Failed(f"it lived {time.monotonic() - began:.1f} s")
            c.must_be("TMP", one.ask(c.u))
    c.do(step)


@stored("a probe result is known after a restart: the host is not probed again", "A-40", valgrind=True)
def _(c):
    c.plain("@ MX 10 mx")
    server = c.plain_host("mx")

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("VER", one.ask(c.u))
            one.settled()
            lives.kill()
            one = lives.start()
            waiting.until(lambda: one.events("warm"), "it is warm")
            c.must_be("VER", one.ask(f"other.{c.u}"))
            if len(server.connections) != 1:
                raise Failed(f"{len(server.connections)} connections")
    c.plain("other MX 10 mx")
    c.do(step)
