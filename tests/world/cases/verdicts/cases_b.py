"""B. DANE: what DNS says and what follows from it."""

import dnswire
import tap
from case import case, table

WRONG = "3 1 1 " + "00" * 32


@case("B-1 C-9", "MX, A and TLSA secure")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.want("DO")
    c.explained("dane", lambda e: e["evidence"]["dane"], "full")
    c.explained("MX secure", lambda e: e["evidence"]["mx"]["secure"], True)


@case("B-2 B-40", "MX insecure, host secure: never dane-only")
def _(c):
    c.key = c.u
    c.host("mx", "good")
    c.plain(f"@ MX 10 mx.{c.d}.")
    c.want("DA")
    c.explained("dane", lambda e: e["evidence"]["dane"], "unsigned")


@case("B-2", "MX insecure, host secure, MTA-STS: secure")
def _(c):
    c.key = c.u
    c.host("mx", "good")
    c.plain(f"@ MX 10 mx.{c.d}.")
    c.sts(f"mx.{c.d}")
    c.want("SEC")


@case("B-3", "address insecure: TLSA is not asked")
def _(c):
    c.zone(f"@ MX 10 mx.{c.u}.")
    c.plain(f"mx A {c.world.clear.address}", f"_25._tcp.mx TLSA {WRONG}")
    c.rule(f"_25._tcp.mx.{c.u}", "TLSA", tap.rcode("SERVFAIL"))
    c.want("NF")
    c.check("TLSA queries", lambda: c.world.tap.asked(f"_25._tcp.mx.{c.u}"), 0)


@case("B-3", "address insecure, with MTA-STS")
def _(c):
    c.zone(f"@ MX 10 mx.{c.u}.")
    c.plain(f"mx A {c.world.clear.address}")
    c.rule(f"_25._tcp.mx.{c.u}", "TLSA", tap.silence())
    c.sts(f"mx.{c.u}", domain=c.d)
    c.want("SEC")
    c.check("TLSA queries", lambda: c.world.tap.asked(f"_25._tcp.mx.{c.u}"), 0)


@case("B-4", "A secure, AAAA fails: DANE applies")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(f"mx.{c.d}", "AAAA", tap.rcode("SERVFAIL"))
    c.want("DO")


@case("B-4", "A secure, AAAA insecure: DANE applies")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(f"mx.{c.d}", "AAAA", tap.answer((f"mx.{c.d}", "AAAA", "2001:db8::25"), ad=False))
    c.want("DO")


def tlsa_fails(c, rule, with_sts=False):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", rule)
    if with_sts:
        c.sts()
    c.want("TMP" if with_sts else "DA")
    c.explained("dane", lambda e: e["evidence"]["dane"], "error")


FAILURES = [("SERVFAIL", tap.rcode("SERVFAIL")), ("REFUSED", tap.rcode("REFUSED")), ("FORMERR", tap.rcode("FORMERR")),
            ("NOTIMP", tap.rcode("NOTIMP")), ("timeout", tap.silence())]
table("B-5 C-6", "TLSA fails", FAILURES, tlsa_fails)
table("B-5", "TLSA fails, MTA-STS enforced", [(name, rule, True) for name, rule in FAILURES[:1] + FAILURES[4:]], tlsa_fails)


@case("B-5 C-6", "TLSA bogus")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx")
    c.child(f"_tcp.mx.{c.d}", "bogus", f"_25 TLSA {WRONG}")
    c.want("DA")


@case("B-5", "TLSA zone lame")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx")
    c.child(f"_tcp.mx.{c.d}", "lame")
    c.want("DA")


@case("B-6", "TLSA NODATA, secure")
def _(c):
    c.zone("@ MX 10 mx", "_25._tcp.mx TXT here", f"mx A {c.world.clear.address}")
    c.want("NF")
    c.explained("dane", lambda e: e["evidence"]["dane"], "none")


@case("B-6", "TLSA NXDOMAIN, secure")
def _(c):
    c.zone("@ MX 10 mx", f"mx A {c.world.clear.address}")
    c.want("NF")
    c.explained("dane", lambda e: e["evidence"]["dane"], "none")


@case("B-7", "TLSA NXDOMAIN from an unsigned child: none, no error")
def _(c):
    c.zone("@ MX 10 mx", f"mx A {c.world.clear.address}")
    c.child(f"_tcp.mx.{c.d}", "unsigned")
    c.want("NF")
    c.explained("dane", lambda e: e["evidence"]["dane"], "none")


@case("B-7", "TLSA NXDOMAIN by NSEC3 opt-out: none, no error")
def _(c):
    c.child(c.d, "optout", "@ MX 10 mx", f"mx A {c.world.clear.address}")
    c.want("NF")
    c.explained("dane", lambda e: e["evidence"]["dane"], "none")


@case("B-8", "TLSA records that are insecure count as none")
def _(c):
    c.zone("@ MX 10 mx", f"mx A {c.world.clear.address}")
    c.child(f"_tcp.mx.{c.d}", "unsigned", f"_25 TLSA {WRONG}")
    c.want("NF")


def records(c, want, *tlsa):
    c.zone("@ MX 10 mx")
    c.host("mx", *tlsa)
    c.want(want)


HASH = "ab" * 32
table("B-9", "TLSA", [("usage 0", "ENC", f"0 0 1 {HASH}"), ("usage 1", "ENC", f"1 1 1 {HASH}")], records)
table("B-10", "TLSA", [
    ("usage 4", "ENC", f"4 1 1 {HASH}"), ("usage 255", "ENC", f"255 1 1 {HASH}"), ("selector 2", "ENC", f"3 2 1 {HASH}"),
    ("matching type 3", "ENC", f"3 1 3 {HASH}"), ("unknown beside a good one", "DO", f"4 2 3 {HASH}", "good"),
    ("usage 1 beside a good one", "DO", f"1 1 1 {HASH}", "good"),
], records)
table("B-11", "TLSA", [
    ("311 with 31 octets", "ENC", "3 1 1 " + "ab" * 31), ("311 with 33 octets", "ENC", "3 1 1 " + "ab" * 33),
    ("312 with 63 octets", "ENC", "3 1 2 " + "ab" * 63),
], records)
table("B-12", "TLSA", [
    ("300 that is no certificate", "ENC", "3 0 0 " + "ab" * 40), ("310 that is no key", "ENC", "3 1 0 " + "ab" * 40),
], records)


@case("B-12", "TLSA: 300 with garbage after the certificate")
def _(c):
    c.zone("@ MX 10 mx")
    server = c.host("mx")
    c.zone(f"_25._tcp.mx TLSA {server.cert.tlsa(3, 0, 0)}00")
    c.want("ENC")


@case("B-9", "UNUSABLE with MTA-STS: secure")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", f"1 1 1 {HASH}")
    c.sts()
    c.want("SEC")


@case("B-9", "UNUSABLE, another host without TLSA: dane")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    c.host("mx", f"1 1 1 {HASH}")
    c.host("mx2")
    c.want("DA")


def two_hosts(c, want, with_sts):
    c.zone("@ MX 10 mx1", "@ MX 20 mx2")
    c.host("mx1", "good")
    c.host("mx2")
    if with_sts:
        c.sts(f"mx1.{c.d}", f"mx2.{c.d}")
    c.want(want)


table("B-13", "one MX with TLSA, one without", [("alone", "DA", False), ("with MTA-STS", "DO", True)], two_hosts)
table("B-13", "partial-dane = dane-only", [("alone", "DO", False)], two_hosts, daemon="partial-dane-only")
table("B-13", "partial-dane = dane", [("with MTA-STS", "DA", True)], two_hosts, daemon="partial-dane")
table("B-13", "dane = no", [("with MTA-STS", lambda got: got.startswith("OK secure match="), True)], two_hosts, daemon="no-dane")

DAEMONS = {
    "partial-dane-only": {"resolver": "127.0.0.53", "partial-dane": "dane-only"},
    "partial-dane": {"resolver": "127.0.0.53", "partial-dane": "dane"},
    "no-dane": {"resolver": "127.0.0.53", "dane": "no"},
}


@case("B-14 F-7", "the other MX does not exist")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 gone")
    c.host("mx", "good")
    c.want("DO")


@case("B-14 F-7", "the other MX has no address")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 gone", "gone TXT nothing")
    c.host("mx", "good")
    c.want("DO")


@case("B-15", "the other MX's address lookup fails")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 lost")
    c.host("mx", "good")
    c.rule(f"lost.{c.d}", "*", tap.rcode("SERVFAIL"))
    c.want("DO")


@case("B-16 F-1", "the order of MX records and addresses changes nothing")
def _(c):
    c.zone(*(f"@ MX {preference} mx{number}" for number, preference in enumerate((10, 10, 20, 10))))
    for number in range(4):
        c.host(f"mx{number}", "good")
    c.explained("hosts by preference", lambda e: [host["preference"] for host in e["evidence"]["hosts"]], [10, 10, 10, 20])
    c.want("DO")


@case("B-17", "MX lookup SERVFAIL")
def _(c):
    c.rule(c.d, "MX", tap.rcode("SERVFAIL"))
    c.want("TMP")


@case("B-17", "MX lookup never answered")
def _(c):
    c.rule(c.d, "MX", tap.silence())
    c.want("TMP")


@case("B-17", "MX bogus")
def _(c):
    c.child(c.d, "bogus", "@ MX 10 mx", "mx A 198.18.0.1")
    c.want("TMP")


@case("B-18", "no MX, secure: the domain is its own host")
def _(c):
    server = c.server(c.d)
    c.zone(f"@ A {server.address}", f"_25._tcp TLSA {server.cert.tlsa()}")
    c.want("DO")


@case("B-19", "no MX, the absence insecure, address secure: DANE applies")
def _(c):
    server = c.server(c.d)
    c.zone(f"@ A {server.address}", f"_25._tcp TLSA {server.cert.tlsa()}")
    c.rule(c.d, "MX", tap.answer())
    c.want("DO")


@case("B-20 I-5", "NXDOMAIN: nothing more is asked")
def _(c):
    c.want("NF")
    c.check("queries for addresses", lambda: c.world.tap.asked(c.d, "A") + c.world.tap.asked(c.d, "AAAA"), 0)
    c.check("TLSA queries", lambda: c.world.tap.asked(f"_25._tcp.{c.d}"), 0)


@case("B-21 F-3", "the next-hop is a CNAME, all secure")
def _(c):
    c.key = f"alias.{c.d}"
    c.zone(f"alias CNAME {c.d}.", "@ MX 10 mx")
    c.host("mx", "good")
    c.want("DO")


@case("B-22", "the next-hop is a CNAME through an insecure zone")
def _(c):
    c.key = f"alias.{c.u}"
    c.plain(f"alias CNAME {c.d}.")
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.want("DA")


@case("B-23 F-4", "the MX host is a CNAME: TLSA at its target")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    c.host("mx", "good")
    c.want("DO")
    c.check("TLSA queries at the original", lambda: c.world.tap.asked(f"_25._tcp.alias.{c.d}"), 0)
    c.explained("base", lambda e: e["evidence"]["hosts"][0]["tlsa_base"], f"mx.{c.d}")


@case("B-24", "the MX host is a CNAME, nothing at its target: TLSA at the original")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    server = c.host("mx")
    c.tlsa("alias", server, "good")
    c.want("DO")
    c.explained("base", lambda e: e["evidence"]["hosts"][0]["tlsa_base"], f"alias.{c.d}")


@case("B-25", "the MX host is a CNAME, TLSA at the target fails: no fall to the original")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    server = c.host("mx")
    c.tlsa("alias", server, "good")
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.rcode("SERVFAIL"))
    c.want("DA")
    c.explained("dane", lambda e: e["evidence"]["dane"], "error")


@case("B-26", "the CNAME is secure, its target is not: TLSA at the original only")
def _(c):
    c.zone("@ MX 10 alias", f"alias CNAME mx.{c.u}.")
    server = c.plain_host("mx")
    c.tlsa("alias", server, "good")
    c.want("DO")
    c.check("CNAME asked", lambda: c.world.tap.asked(f"alias.{c.d}", "CNAME"), lambda n: n >= 1)
    c.check("TLSA queries at the target", lambda: c.world.tap.asked(f"_25._tcp.mx.{c.u}"), 0)


@case("B-22 B-26", "the MX host is an insecure CNAME to a secure host")
def _(c):
    c.zone(f"@ MX 10 alias.{c.u}.")
    c.plain(f"alias CNAME mx.{c.d}.")
    c.zone(f"mx A {c.world.clear.address}", f"_25._tcp.mx TLSA {WRONG}")
    c.want("NF")


@case("B-27", "names inside a CNAME chain are not asked for TLSA")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME middle", "middle CNAME mx")
    server = c.host("mx")
    c.tlsa("alias", server, "good")
    c.want("DO")
    c.check("TLSA queries", lambda: [c.world.tap.asked(f"_25._tcp.{name}.{c.d}") > 0 for name in ("mx", "middle", "alias")], [True, False, True])


@case("B-28", "the TLSA name is a CNAME, secure")
def _(c):
    c.zone("@ MX 10 mx", "_25._tcp.mx CNAME dane.elsewhere")
    server = c.host("mx")
    c.zone(f"dane.elsewhere TLSA {server.cert.tlsa()}")
    c.want("DO")
    c.explained("base", lambda e: e["evidence"]["hosts"][0]["tlsa_base"], f"mx.{c.d}")


@case("B-28", "the TLSA name is a CNAME into an insecure zone: as if none")
def _(c):
    c.zone("@ MX 10 mx", f"_25._tcp.mx CNAME dane.{c.u}.", f"mx A {c.world.clear.address}")
    c.plain(f"dane TLSA {WRONG}")
    c.want("NF")


@case("B-29", "a CNAME made by DNAME")
def _(c):
    c.zone("@ MX 10 mx.old", f"old DNAME new.{c.d}.")
    c.host("mx.new", "good")
    c.want("DO")


@case("B-30", "the MX host is in a CNAME loop: an error")
def _(c):
    c.zone("@ MX 10 one", "one CNAME two", "two CNAME one")
    c.want("DA")
    c.explained("dane", lambda e: e["evidence"]["dane"], "error")


@case("B-30", "the TLSA name is in a CNAME loop: an error")
def _(c):
    c.zone("@ MX 10 mx", "_25._tcp.mx CNAME one", "one CNAME two", "two CNAME one", f"mx A {c.world.clear.address}")
    c.want("DA")


@case("B-30", "a CNAME chain longer than the limit: an error")
def _(c):
    server = c.host("mx")
    c.zone("@ MX 10 mx", "_25._tcp.mx CNAME c0", *(f"c{n} CNAME c{n + 1}" for n in range(40)), f"c40 TLSA {server.cert.tlsa()}")
    chain = [(f"_25._tcp.mx.{c.d}", "CNAME", f"c0.{c.d}"), *((f"c{n}.{c.d}", "CNAME", f"c{n + 1}.{c.d}") for n in range(40)),
             (f"c40.{c.d}", "TLSA", server.cert.tlsa())]
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.answer(*chain, ad=True))
    c.want("DA")


@case("B-31", "[host]:587 has its TLSA at _587")
def _(c):
    server = c.host("mx", WRONG)
    c.zone(f"_587._tcp.mx TLSA {server.cert.tlsa()}")
    c.want("DO", key=f"[mx.{c.d}]:587")
    c.check("queries at 25", lambda: c.world.tap.asked(f"_25._tcp.mx.{c.d}"), 0)


@case("B-31", "domain:port has its TLSA at the port of the MX host")
def _(c):
    c.zone("@ MX 10 mx")
    server = c.host("mx")
    c.zone(f"_2525._tcp.mx TLSA {server.cert.tlsa()}")
    c.want("DO", key=f"{c.d}:2525")


@case("B-31", "[host]: no MX lookup, DANE from the host's own records")
def _(c):
    c.host("mx", "good")
    c.want("DO", key=f"[mx.{c.d}]")
    c.check("MX queries", lambda: c.world.tap.asked(f"mx.{c.d}", "MX"), 0)


@case("B-32 F-9", "an address literal asks nothing")
def _(c):
    questions = len(c.world.tap.questions)
    for key in ("[198.18.0.1]", "[IPv6:2001:db8::1]", "198.18.0.1", "[ipv6:2001:db8::1]:25"):
        c.want("NF", key=key)
    c.check("PTR-like questions", lambda: [q.name for q in c.world.tap.questions[questions:] if q.name.startswith(("198.18", "2001:"))], [])


@case("B-32", "an MX that names an address is no host")
def _(c):
    c.zone("@ MX 10 198.18.0.9.")
    c.want(lambda got: not got.startswith("OK "))
    c.check("address queries", lambda: c.world.tap.asked("198.18.0.9", "TLSA"), 0)


@case("B-1", "an IPv6-only host")
def _(c):
    address = c.address6()
    server = c.server(f"mx.{c.d}", address=address)
    c.zone("@ MX 10 mx", f"mx AAAA {address}", f"_25._tcp.mx TLSA {server.cert.tlsa()}")
    c.want("DO")
    c.later("the probe saw it match", lambda: c.explain()["evidence"]["hosts"][0]["addresses"][0].get("tlsa") == "match")


@case("B-17", "MX answer truncated over UDP is taken over TCP")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")

    async def truncated(question, over_tcp):
        if not over_tcp:
            return [dnswire.reply(question, flags=dnswire.TC)]
        return [dnswire.reply(question, [dnswire.record(c.d, "MX", f"10 mx.{c.d}")], ad=True)]
    c.rule(c.d, "MX", truncated)
    c.want("DO")


@case("B-1", "one domain by many keys: case, final dot, :25")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    for key in (c.d.upper(), c.d + ".", f"{c.d}:25"):
        c.want("DO", key=key)


@case("B-31", "MTA-STS is for port 25 alone")
def _(c):
    c.clear_mx()
    c.sts()
    c.want("SEC", key=f"{c.u}:25")
    c.want("NF", key=f"{c.u}:2525")


@case("B-13", "an insecure MX with one host usable and one without TLSA: nothing is weakened, nothing promised")
def _(c):
    c.key = c.u
    c.host("mx", "good")
    c.plain(f"@ MX 10 mx.{c.d}.", "@ MX 20 mx2", f"mx2 A {c.world.clear.address}")
    c.want("NF")
