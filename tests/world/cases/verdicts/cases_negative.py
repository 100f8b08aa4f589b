"""C-5 and I: how long what the DNS said counts, absences, failures and lives of nothing included."""

import time

import dnswire
import remembering
import tap
import waiting
from case import Failed, case, table

DAEMONS = {
    **remembering.DAEMONS,
    "ttl": {"resolver": "127.0.0.53", "ttl-min": "500ms", "refresh-idle": "0s", "dns-timeout": "800ms", "dns-tries": "2"},
    "ttl-refreshed": {"resolver": "127.0.0.53", "ttl-min": "500ms", "refresh-idle": "1h", "dns-timeout": "800ms", "dns-tries": "2"},
}
DAY = 86400


def ttl_case(rows, name, daemon="ttl", valgrind=True):
    return case(rows, name, daemon=daemon, valgrind=valgrind)


def soa(zone, ttl, minimum):
    return dnswire.record(zone, "SOA", f"ns.signed hostmaster.signed 1 3600 600 86400 {minimum}", ttl)


def absent(c, most, rcode="NXDOMAIN", zone="plain", ttl=DAY, minimum=DAY, least=1):
    """The MX question gets this absence; without zone no SOA."""
    authority = [soa(zone, ttl, minimum)] if zone else []
    c.key = c.u
    c.rule(c.u, "MX", tap.answer(rcode=rcode, authority=authority))
    for rrtype in ("A", "AAAA"):
        c.rule(c.u, rrtype, tap.answer(rcode=rcode, authority=[soa("plain", DAY, DAY)]))
    c.rule(f"_mta-sts.{c.u}", "TXT", tap.answer(rcode="NXDOMAIN", authority=[soa("plain", DAY, DAY)]))
    c.want("NF")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: least <= seconds <= most)


table("I-1", "an absence lives by", [
    ("the SOA's TTL, NXDOMAIN", 50, "NXDOMAIN", "plain", 50, DAY, 40), ("the SOA's MINIMUM, NXDOMAIN", 70, "NXDOMAIN", "plain", DAY, 70, 60),
    ("the SOA's TTL, NODATA", 50, "NOERROR", "plain", 50, DAY, 40), ("the SOA's MINIMUM, NODATA", 70, "NOERROR", "plain", DAY, 70, 60),
], absent, daemon="ttl")
table("I-2", "an absence without SOA lives a minute at most", [("NXDOMAIN", 60, "NXDOMAIN", None), ("NODATA", 60, "NOERROR", None)],
      absent, daemon="ttl")
table("I-3", "an absence lives three hours at most", [("NXDOMAIN", 10800, "NXDOMAIN", "plain", DAY, DAY, 10000),
                                                        ("NODATA", 10800, "NOERROR", "plain", DAY, DAY, 10000),
                                                        ("SOA of 2^31-1", 10800, "NXDOMAIN", "plain", 2**31 - 1, 2**31 - 1, 10000)],
      absent, daemon="ttl")
table("I-7", "an SOA with a TTL or MINIMUM beyond 2^31-1: nothing is kept", [
    ("TTL", 1, "NXDOMAIN", "plain", 2**31, DAY, 0), ("MINIMUM", 1, "NXDOMAIN", "plain", DAY, 2**32 - 1, 0)], absent, daemon="ttl")


def failing(c, most, name, rrtype, rule, want, state):
    """One question fails: an error that is soon asked again, never an absence."""
    c.zone("@ MX 10 mx")
    c.host("mx")
    c.rule(name.replace("D", c.d), rrtype, rule)
    c.want(want)
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: seconds <= most)
    c.explained("an error", state, lambda seen: seen in ("error", "dns-error"))


def _mx(e):
    return e["evidence"]["mx"]["state"]


def _host(e):
    return e["evidence"]["hosts"][0]["dane"]


def _sts(e):
    return e["evidence"]["mta_sts"]["state"]


for _what, _rule in (("SERVFAIL", tap.rcode("SERVFAIL")), ("timeout", tap.silence()), ("REFUSED", tap.rcode("REFUSED"))):
    for _name, _type, _want, _state in (("D", "MX", "TMP", _mx), ("_25._tcp.mx.D", "TLSA", "DA", _host), ("_mta-sts.D", "TXT", "VER", _sts)):
        ttl_case("I-4", f"{_type} {_what}: an error, for five minutes at most")(
            lambda c, a=(_name, _type, _rule, _want, _state): failing(c, 300, *a))


@ttl_case("I-4", "a failure belongs to its name and type")
def _(c):
    c.zone("@ MX 10 mx", "other MX 10 mx")
    c.host("mx", "good")
    c.rule(c.d, "MX", tap.rcode("SERVFAIL"))
    c.want("TMP")
    c.want("DO", key=f"other.{c.d}")


@ttl_case("I-5", "NXDOMAIN for _mta-sts.D says nothing about D")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(f"_mta-sts.{c.d}", "*", tap.answer(rcode="NXDOMAIN", authority=[soa("signed", DAY, DAY)]))
    c.want("DO")


def short_lived(c, ttl):
    """MX with this TTL: good for this answer, asked again with the next."""
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(c.d, "MX", tap.answer((c.d, "MX", f"10 mx.{c.d}", ttl), ad=True))
    c.want("DO")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: seconds <= 1)
    c.later("it is asked for again", lambda: c.ask() == "OK dane-only" and c.world.tap.asked(c.d, "MX") >= 3, 10)


table("I-6", "TTL 0 is good for this answer", [("MX", 0)], short_lived, daemon="ttl")
table("I-7", "TTL beyond 2^31-1 is 0", [("2^31", 2**31), ("2^32-1", 2**32 - 1)], short_lived, daemon="ttl")


@ttl_case("I-7", "a TTL of 2^31-1 is a day")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    for name, rrtype, rdata in ((c.d, "MX", f"10 mx.{c.d}"),):
        c.rule(name, rrtype, tap.answer((name, rrtype, rdata, 2**31 - 1), ad=True))
    c.want("DO")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: 1000 < seconds <= DAY)


def alias_without_mx(c, most, least, authority):
    """D is a CNAME whose target has no MX but an address; what the SOA says of it counts."""
    target = f"target.{c.d}"
    c.key = c.u
    c.rule(c.u, "MX", tap.answer((c.u, "CNAME", target), authority=[soa(*one) for one in authority(c)]))
    c.zone(f"target A {c.world.clear.address}")
    for rrtype, rdata in (("A", c.world.clear.address),):
        c.rule(c.u, rrtype, tap.answer((c.u, "CNAME", target), (target, rrtype, rdata)))
    c.rule(f"_mta-sts.{c.u}", "TXT", tap.answer(rcode="NXDOMAIN", authority=[soa("plain", DAY, DAY)]))
    c.want("NF")
    c.explained("implicit", lambda e: e["evidence"]["mx"]["state"], "implicit")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: least <= seconds <= most)


table("I-8", "CNAME and NODATA", [
    ("the SOA of the target's zone counts", 40, 20, lambda c: [("signed", DAY, 40)]),
    ("the SOA of the alias's zone does not", 60, 20, lambda c: [("plain", DAY, 5)]),
    ("both: the target's", 40, 20, lambda c: [("plain", DAY, 5), ("signed", 40, DAY)]),
], alias_without_mx, daemon="ttl")


@ttl_case("I-9", "a negative verdict is cached until its end, then asked again")
def _(c):
    c.key = c.u
    c.rule(c.u, "MX", tap.answer(rcode="NXDOMAIN", authority=[soa("plain", 2, 2)]))
    c.want("NF")
    c.want("NF")
    c.check("MX queries", lambda: c.world.tap.asked(c.u, "MX"), 1)
    c.later("asked again", lambda: c.ask() == "NOTFOUND " and c.world.tap.asked(c.u, "MX") == 2, 10)


# C-5: DANE lives by its TTLs, not a moment longer, not a moment less

def dane_short_lived(c, ttl):
    c.zone(f"@ {ttl} MX 10 mx")
    server = c.server(f"mx.{c.d}")
    c.zone(f"mx {ttl} A {server.address}", f"_25._tcp.mx {ttl} TLSA {server.cert.tlsa()}")


def within_its_ttl(c, ttl, afterwards):
    """dane-only until the TTL is over, whatever happens to the lookups, `afterwards` then."""
    began = []

    def gone():
        got = c.ask()
        if got == "OK dane-only":
            return False
        if time.monotonic() - began[0] < ttl - 1.5:
            raise Failed(f"{got!r} after {time.monotonic() - began[0]:.1f} s of a TTL of {ttl} s")
        c.must_be(afterwards, got)
        return True
    c.do(lambda: began.append(time.monotonic()))
    c.want("DO")
    c.do(lambda: c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.rcode("SERVFAIL")))
    c.later("the end of the TTL", gone, ttl + 10)


@ttl_case("C-5 hostile-16", "TLSA fails: dane-only until the TTL is over, then dane", valgrind=False)
def _(c):
    dane_short_lived(c, 4)
    within_its_ttl(c, 4, "DA")


@ttl_case("C-5 hostile-16", "TLSA fails when it is refreshed: dane-only until the TTL is over, then dane", daemon="ttl-refreshed", valgrind=False)
def _(c):
    dane_short_lived(c, 4)
    within_its_ttl(c, 4, "DA")


@ttl_case("C-5", "an entry in use is renewed before its TTL is over", daemon="ttl-refreshed", valgrind=False)
def _(c):
    dane_short_lived(c, 3)
    c.want("DO")
    c.later("two more lookups without anybody asking", lambda: c.world.tap.asked(f"_25._tcp.mx.{c.d}", "TLSA") >= 3, 20)
    c.want("DO")


@ttl_case("C-5 A-40", "a restart does not lengthen the life of dane-only", valgrind=False)
def _(c):
    dane_short_lived(c, 4)
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with remembering.Lives(c, like="ttl", store_flush="50ms") as lives:
            one = lives.start()
            began = time.monotonic()
            c.must_be("DO", one.ask(c.d))
            one.settled()
            lives.kill()
            one = lives.start(resolver=dead)
            c.must_be("DO", one.ask(c.d))
            waiting.until(lambda: one.ask(c.d) != "OK dane-only", "its end", 12)
            if not 2.5 < time.monotonic() - began < 9:
                raise Failed(f"it lived {time.monotonic() - began:.1f} s")
            c.must_be("TMP", one.ask(c.d))
    c.do(step)
