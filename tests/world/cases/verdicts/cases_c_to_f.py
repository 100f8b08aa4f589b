"""C to F. TLSA details, TLSRPT attributes, null MX, MX records."""

import clients
import dnswire
import tap
from case import case, table
from policyhost import Policy, sts_text

TCP_PORT = 10025
DAEMONS = {
    "remote-resolver": {"resolver": "198.51.100.54"},
    "deaf-resolver": {"resolver": "127.0.0.54"},
    "tcp-table": {"resolver": "127.0.0.53", "listen": [f"tcp:127.0.0.1:{TCP_PORT}"]},
}


def short_rdata(c, want, octets, beside, with_sts=False):
    server = c.host("mx")
    c.zone("@ MX 10 mx")
    name = f"_25._tcp.mx.{c.d}"
    good = [(name, "TLSA", server.cert.tlsa())] if beside else []
    c.rule(name, "TLSA", tap.answer((name, "TLSA", b"\3\1\1"[:octets]), *good, ad=True))
    if with_sts:
        c.sts()
    c.want(want)


table("C-2", "TLSA rdata", [
    ("0 octets beside a good one", "DO", 0, True), ("1 octet beside a good one", "DO", 1, True),
    ("2 octets beside a good one", "DO", 2, True), ("2 octets alone", "ENC", 2, False),
    ("3 octets beside a good one: crashes Postfix, so never dane", "ENC", 3, True),
    ("3 octets alone", "ENC", 3, False), ("3 octets with MTA-STS", "SEC", 3, True, True),
], short_rdata)


@case("C-3", "TLS 1.2 at least is offered and SNI always sent")
def _(c):
    c.key = c.u
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx")
    c.want("VER")
    c.check("SNI", lambda: server.snis, lambda snis: snis and set(snis) == {f"mx.{c.u}"})
    c.check("TLS", lambda: server.connections[0].tls, "TLSv1.3")


def ttl(c, *lines):
    server = c.server(f"mx.{c.d}")
    c.zone(*(line.replace("ADDRESS", server.address).replace("TLSA", f"TLSA {server.cert.tlsa()}") for line in lines))
    c.want("DO")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: 0 < seconds <= 100)


table("C-5", "the verdict lives no longer than", [
    ("MX", "@ 100 MX 10 mx", "mx A ADDRESS", "_25._tcp.mx TLSA"),
    ("address", "@ MX 10 mx", "mx 100 A ADDRESS", "_25._tcp.mx TLSA"),
    ("TLSA", "@ MX 10 mx", "mx A ADDRESS", "_25._tcp.mx 100 TLSA"),
    ("CNAME", "@ MX 10 alias", "alias 100 CNAME mx", "mx A ADDRESS", "_25._tcp.mx TLSA"),
], ttl)


@case("C-7 hostile-25", "a resolver that is not loopback is warned of", daemon="remote-resolver")
def _(c):
    tap.Tap(c.world.loop, "198.51.100.54")
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.do(c.ask)
    c.check("log", lambda: [line for line in c.daemon.log().splitlines() if "198.51.100.54" in line and "level=warn" in line], lambda lines: lines)


@case("C-7", "a resolver that does not validate is warned of once", daemon="deaf-resolver")
def _(c):
    deaf = tap.Tap(c.world.loop, "127.0.0.54")

    async def without_ad(question, over_tcp):
        packet = bytearray(await tap.pass_on(_query(question), over_tcp))
        packet[3] &= ~dnswire.AD & 0xFF
        return [bytes(packet)]
    for name, rrtype in ((c.d, "*"), (f"mx.{c.d}", "*"), (f"_25._tcp.mx.{c.d}", "*"), ("", "*"), ("signed", "*"), ("org", "*"), ("com", "*")):
        deaf.rule(name, rrtype, without_ad)
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.want(lambda got: got != "OK dane-only")
    c.later("one loud warning", lambda: [line for line in c.daemon.log().splitlines()
                                         if ("level=warn" in line or "level=error" in line) and "DANE" in line.upper()])


def _query(question):
    head = question.ident.to_bytes(2, "big") + b"\x01\x20\0\1\0\0\0\0\0\1"
    return head + question.raw + dnswire.opt_record(question.edns_size or 1232)


@case("C-8", "queries carry DO or AD and never CD")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.want("DO")

    def mine():
        return [q for q in c.world.tap.questions if q.name.endswith(c.d)]
    c.check("DO or AD", lambda: [q.name for q in mine() if not (q.dnssec_ok or q.flags & dnswire.AD)], [])
    c.check("CD", lambda: [q.name for q in mine() if q.flags & dnswire.CD], [])
    c.check("EDNS size", lambda: {q.edns_size for q in mine()}, {1232})


@case("C-10", "an MX host of 253 octets: no TLSA name fits")
def _(c):
    room = 253 - len(c.d) - 1
    labels = []
    while room > 64:
        labels.append("a" * 63)
        room -= 64
    labels.append("b" * room)
    long_name = ".".join(labels)
    c.zone(f"@ MX 10 {long_name}", f"{long_name} A {c.world.clear.address}")
    c.want("NF")


# D. TLSRPT attributes

def sts_lines(body):
    return "".join(" { policy_string = " + line + " }" for line in body.decode().split("\r\n") if line)


@case("D-1 D-3", "attributes for the names tlsrpt and QUERYwithTLSRPT, for no other")
def _(c):
    c.clear_mx()
    mx = (f"mx.{c.u}", f"*.{c.u}")
    c.sts(*mx)
    exact, plain = (f"OK secure match={names} servername=hostname" for names in (f"mx.{c.u}:.{c.u}", f"mx.{c.u}"))
    attributes = (f" policy_type=sts policy_domain={c.u} mx_host_pattern=mx.{c.u} mx_host_pattern=*.{c.u}" + sts_lines(sts_text(*mx)))
    for name in ("QUERYwithTLSRPT", "tlsrpt"):
        c.want(exact + attributes, name=name)
    for name in ("policy", "QUERY", "postfix", "anything"):
        c.want(plain, name=name)


def no_attributes(c, want, declare):
    declare(c)
    c.want(want, name="tlsrpt")
    c.want(want)


def _dane(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.sts()


def _mixed(c):
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    c.host("mx", "good")
    c.host("mx2")


def _unusable(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "1 1 1 " + "ab" * 32)


table("D-1", "no attributes with tlsrpt", [("dane-only", "DO", _dane), ("dane", "DA", _mixed), ("encrypt", "ENC", _unusable),
                                             ("nothing", "NF", lambda c: c.clear_mx())], no_attributes)
table("D-5", "no attributes with tlsrpt", [("testing", "NF", lambda c: (c.clear_mx(), c.sts(mode="testing")))], no_attributes)


@case("D-2", "braces and control characters of a policy never reach Postfix")
def _(c):
    c.clear_mx()
    c.sts(policy=Policy(sts_text(f"mx.{c.u}") + b"x: {a} }{ policy_ttl=1\r\n"))
    c.want(lambda got: got.startswith("OK secure match=") and "policy_ttl" not in got or got == "NOTFOUND ", name="tlsrpt")


def many_mx(c, count):
    c.clear_mx()
    mx = [f"mx.{c.u}", *(f"host-number-{number}.{c.u}" for number in range(count))]
    c.sts(*mx)


@case("D-4", "a reply beyond 100,000 octets loses its attributes first")
def _(c):
    many_mx(c, 900)
    c.want("SEC")
    c.want(lambda got: got.startswith("OK secure match=") and len(got) <= 100000, name="tlsrpt")


@case("D-4", "a tcp_table reply beyond 4096 octets", daemon="tcp-table")
def _(c):
    many_mx(c, 200)

    def ask():
        c.daemon  # start it
        with clients.TcpTable(("127.0.0.1", TCP_PORT)) as table_client:
            return table_client.ask(c.u)
    c.check("reply", ask, lambda got: len(got) < 4096 and (got.startswith("400 ") or got == f"200 secure%20match=mx.{c.u}%20servername=hostname"
                                                          or got == f"200 secure match=mx.{c.u} servername=hostname"))


@case("D-6", "counters by result type")
def _(c):
    c.clear_mx()
    c.sts(cert=c.world.ca.expired(f"mta-sts.{c.u}"))
    c.want("NF")
    c.check("stats", lambda: {name: value for name, value in c.daemon.stats().items() if "sts" in name and value}, lambda found: found)


# E. null MX

@case("E-1", "null MX: nothing more is asked")
def _(c):
    c.zone("@ MX 0 .", "@ A 198.18.0.9")
    c.want("NF")
    c.explained("state", lambda e: e["evidence"]["mx"]["state"], lambda state: "null" in state)
    c.check("address and TLSA queries", lambda: (c.world.tap.asked(c.d, "A"), c.world.tap.asked(f"_25._tcp.{c.d}")), (0, 0))


@case("E-2", "null MX with another preference")
def _(c):
    c.zone("@ MX 10 .")
    c.want("NF")
    c.check("address queries", lambda: c.world.tap.asked(c.d, "A"), 0)


@case("E-3", ". beside a real MX is ignored")
def _(c):
    c.zone("@ MX 0 .", "@ MX 10 mx")
    c.host("mx", "good")
    c.want("DO")


@case("E-4", "null MX with A and TLSA is no implicit MX")
def _(c):
    server = c.server(c.d)
    c.zone("@ MX 0 .", f"@ A {server.address}", f"_25._tcp TLSA {server.cert.tlsa()}")
    c.want("NF")
    c.check("connections", lambda: len(server.connections), 0)


@case("E-5", "null MX with an MTA-STS policy")
def _(c):
    c.zone("@ MX 0 .")
    host = c.sts()
    c.want("NF")
    c.check("fetches", lambda: len(host.fetches), 0)


# F. MX records

@case("F-2", "MX exist but resolve to nothing: the domain is not its own host")
def _(c):
    server = c.server(c.d)
    c.zone("@ MX 10 gone", f"@ A {server.address}", f"_25._tcp TLSA {server.cert.tlsa()}")
    c.want("NF")
    c.check("connections", lambda: len(server.connections), 0)


@case("F-2", "MX lookup fails: the domain is not its own host")
def _(c):
    server = c.server(c.d)
    c.zone(f"@ A {server.address}", f"_25._tcp TLSA {server.cert.tlsa()}")
    c.rule(c.d, "MX", tap.rcode("SERVFAIL"))
    c.want("TMP")


@case("F-5", "an MX host named twice is resolved once")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 mx", "@ MX 30 MX")
    c.host("mx", "good")
    c.want("DO")
    c.check("queries", lambda: [c.world.tap.asked(f"mx.{c.d}", "A"), c.world.tap.asked(f"_25._tcp.mx.{c.d}")], [1, 1])


@case("F-6", "MX names: case folded, underscores fine, invalid ones skipped")
def _(c):
    c.zone("@ MX 10 MX_One", "@ MX 20 mx\\032two", "@ MX 30 -mx-")
    c.host("mx_one", "good")
    c.want("DO")


@case("F-8", "no usable MX at all")
def _(c):
    c.zone("@ MX 10 gone1", "@ MX 20 gone2")
    c.want("NF")


@case("F-9", "an address literal in IPv6")
def _(c):
    c.want("NF", key="[IPv6:2001:db8::1]:25")


@case("F-10 hostile-19", "more MX than are looked at: at most dane")
def _(c):
    server = c.server(f"mx.{c.d}")
    for number in range(60):
        c.zone(f"@ MX {number} mx{number}", f"mx{number} A {server.address}", f"_25._tcp.mx{number} TLSA {server.cert.tlsa()}")
    c.want("DA")
