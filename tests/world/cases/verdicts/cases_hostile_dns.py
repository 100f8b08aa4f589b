"""Hostile rows 16 and 19 to 27, 29: what DNS may throw at us, here by the resolver in front of the daemon."""

import concurrent.futures
import struct
import time

import dnswire
import tap
from case import Failed, case, table

DAEMONS = {
    "hostile-dns": {"resolver": "127.0.0.53", "dns-timeout": "300ms", "dns-tries": "2", "job-deadline": "8s", "ttl-min": "1s"},
}
GROUP = {"daemon": "hostile-dns", "group": "hostile-dns"}
WRONG = "3 1 1 " + "00" * 32


def hostile(rows, name):
    return case(rows, name, **GROUP)


@hostile("hostile-16", "TLSA alone fails: dane or TEMP, never secure alone")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.rcode("SERVFAIL"))
    c.zone(f"protected MX 10 mx.{c.d}.")
    c.sts(f"mx.{c.d}", domain=f"protected.{c.d}")
    c.want("DA")
    c.want("TMP", key=f"protected.{c.d}")


def over_tcp_only(*records, ad=True):
    """Truncated by UDP, whole by TCP, as a resolver does; owners equal to the first are compressed."""
    owner = records[0][0]
    raw = [dnswire.record(dnswire.SAME_OWNER if name == owner else name, *rest) for name, *rest in records]

    async def rule(question, over_tcp):
        if over_tcp:
            return [dnswire.reply(question, raw, ad=ad)]
        return [dnswire.reply(question, ad=ad, flags=dnswire.TC)]
    return rule


def mx_rdata(number):
    """mxN below the question's name, compressed: a thousand of them fit into one message."""
    label = f"mx{number}".encode()
    return struct.pack("!HB", number, len(label)) + label + dnswire.SAME_OWNER


@hostile("hostile-19", "1000 MX: at most 50 are looked at, at most dane")
def _(c):
    c.rule(c.d, "MX", over_tcp_only(*((c.d, "MX", mx_rdata(n)) for n in range(1000))))
    server = c.server(f"mx.{c.d}")
    for number in range(50):
        c.zone(f"mx{number} A {server.address}", f"_25._tcp.mx{number} TLSA {server.cert.tlsa()}")
    c.want("DA")
    c.check("queries for the domain", lambda: c.world.tap.asked_below(c.d), lambda n: n <= 310)


@hostile("hostile-20", "1000 addresses of one host: any secure one suffices for DANE")
def _(c):
    c.zone("@ MX 10 mx")
    server = c.server(f"mx.{c.d}")
    addresses = [server.address, *(f"203.0.{n // 250}.{n % 250 + 1}" for n in range(999))]
    c.rule(f"mx.{c.d}", "A", over_tcp_only(*((f"mx.{c.d}", "A", one) for one in addresses)))
    c.rule(f"mx.{c.d}", "AAAA", over_tcp_only(*((f"mx.{c.d}", "AAAA", f"2001:db8:ffff::{n:x}") for n in range(1000))))
    c.zone(f"_25._tcp.mx TLSA {server.cert.tlsa()}")
    c.want("DO")
    c.explained("addresses kept", lambda e: len(e["evidence"]["hosts"][0]["addresses"]), lambda n: n <= 32)


def tlsa_flood(c, want, records):
    c.zone("@ MX 10 mx")
    server = c.host("mx")
    name = f"_25._tcp.mx.{c.d}"
    c.rule(name, "TLSA", over_tcp_only(*((name, "TLSA", one) for one in records(server.cert))))
    c.want(want)


def not_full(got):
    return got != "OK dane-only" and got.startswith(("OK dane", "OK encrypt", "OK secure", "TEMP "))


table("hostile-21", "TLSA flood", [
    ("100 records", "DO", lambda cert: [cert.tlsa(), *("3 1 1 " + f"{n:064x}" for n in range(99))]),
    ("1000 records", not_full, lambda cert: [cert.tlsa(), *("3 1 1 " + f"{n:064x}" for n in range(999))]),
    ("3 0 0 of 60 kB that is no certificate", "ENC", lambda cert: ["3 0 0 " + "30" * 60_000]),
], tlsa_flood, **GROUP)


@hostile("hostile-22", "a new CNAME at every answer: the chain and the queries are bounded")
def _(c):
    c.zone("@ MX 10 mx")
    c.rule(f"mx.{c.d}", "*", tap.packets(lambda q, tcp: [dnswire.reply(q, [dnswire.record(q.name, "CNAME", f"n.{c.d}")], ad=True)]))
    c.rule(f"n.{c.d}", "*", tap.packets(lambda q, tcp: [dnswire.reply(q, [dnswire.record(q.name, "CNAME", f"mx.{c.d}")], ad=True)]))
    c.want(lambda got: not got.startswith("OK dane-only"))
    c.check("queries", lambda: c.world.tap.asked_below(c.d), lambda n: n <= 60)


@hostile("hostile-22", "a chain of 100 CNAMEs in one answer")
def _(c):
    c.zone("@ MX 10 mx")
    chain = [(f"mx.{c.d}", "CNAME", f"c0.{c.d}"), *((f"c{n}.{c.d}", "CNAME", f"c{n + 1}.{c.d}") for n in range(100)),
             (f"c100.{c.d}", "A", "198.18.0.1")]
    for rrtype in ("A", "AAAA"):
        c.rule(f"mx.{c.d}", rrtype, over_tcp_only(*chain))
    c.want(lambda got: not got.startswith("OK dane-only"))


# malformed answers to the MX question: each is as good as none, so TEMP

def header(question, answers=1, flags=0x8180):
    return struct.pack("!6H", question.ident, flags, 1, answers, 0, 0) + question.raw


def rr_head(rrtype, rdlength):
    return b"\xc0\x0c" + struct.pack("!HHIH", dnswire.TYPES[rrtype], 1, 60, rdlength)


MALFORMED = [
    ("nothing at all", lambda q: b""),
    ("5 octets", lambda q: struct.pack("!HHB", q.ident, 0x8180, 0)),
    ("pointer to itself", lambda q: header(q) + struct.pack("!H", 0xC000 | 12 + len(q.raw)) + b"\0" * 10),
    ("pointers in a circle", lambda q: header(q) + rr_head("MX", 6) + b"\0\x0a"
     + struct.pack("!HH", 0xC000 | (12 + len(q.raw) + 16), 0xC000 | (12 + len(q.raw) + 14))),
    ("pointer beyond the end", lambda q: header(q) + b"\xff\xff" + struct.pack("!HHIH", 15, 1, 60, 3) + b"\0\x0a\0"),
    ("label of 64", lambda q: header(q) + b"\x40" + b"a" * 64 + b"\0" + struct.pack("!HHIH", 15, 1, 60, 3) + b"\0\x0a\0"),
    ("name of 300", lambda q: header(q) + (b"\x3f" + b"a" * 63) * 5 + b"\0" + struct.pack("!HHIH", 15, 1, 60, 3) + b"\0\x0a\0"),
    ("RDLENGTH overruns", lambda q: header(q) + rr_head("MX", 500) + b"\0\x0a\x01a\0"),
    ("MX rdata of one octet", lambda q: header(q) + rr_head("MX", 1) + b"\0"),
    ("ANCOUNT says 65535", lambda q: header(q, 65535) + rr_head("MX", 5) + b"\0\x0a\x01a\0"),
    ("QDCOUNT says 0", lambda q: struct.pack("!6H", q.ident, 0x8180, 0, 0, 0, 0)),
    ("a query, not an answer", lambda q: header(q, 0, 0x0100)),
    ("two OPT, one with garbage", lambda q: struct.pack("!6H", q.ident, 0x8180, 1, 0, 0, 2) + q.raw + dnswire.opt_record()
     + b"\0" + struct.pack("!HHIH", 41, 1232, 0, 5) + b"\xff\xff\xff\xff\xff"),
    ("OPT options overrun", lambda q: struct.pack("!6H", q.ident, 0x8180, 1, 0, 0, 1) + q.raw + dnswire.opt_record(options=b"\0\x0a\xff\xff12")),
    ("noise", lambda q: bytes((q.ident >> 8, q.ident & 255)) + bytes(range(256)) * 4),
    ("65,000 zero octets over UDP", lambda q: header(q) + b"\0" * 60_000),
]


def malformed(c, make, rrtype="MX"):
    c.rule(c.d, rrtype, tap.packets(lambda question, over_tcp: [make(question)]))
    c.want(lambda got: got.startswith("TEMP ") or got == "NOTFOUND " and "OPT" in c.entry.name)


table("hostile-23", "malformed answer", MALFORMED, malformed, **GROUP)


@hostile("hostile-23", "a malformed TLSA answer is an error")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.packets(lambda q, tcp: [header(q) + rr_head("TLSA", 500) + b"\3\1\1"]))
    c.want("DA")


def forged_first(c, forge):
    """A forged answer comes ahead of the right one: it must not count."""
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    forged = [dnswire.record(c.d, "MX", "10 mx.evil.plain")]
    right = [dnswire.record(c.d, "MX", f"10 mx.{c.d}")]
    c.rule(c.d, "MX", tap.packets(lambda q, tcp: [*forge(q, forged), dnswire.reply(q, right, ad=True)]))
    c.want("DO")


def _other_question(question, forged):
    raw = dnswire.name_bytes("evil.plain") + b"\0\x0f\0\1"
    other = dnswire.Question(question.ident, question.flags, "evil.plain", dnswire.TYPES["MX"], question.edns_size, raw=raw)
    return [dnswire.reply(other, forged)]


table("hostile-24", "forged ahead of the right answer", [
    ("other id", lambda q, forged: [dnswire.reply(q, forged, ident=q.ident ^ n) for n in range(1, 200)]),
    ("other question", _other_question),
    ("no answer but a query", lambda q, forged: [dnswire.reply(q, forged)[:2] + b"\x01\0" + dnswire.reply(q, forged)[4:]]),
], forged_first, **GROUP)


@hostile("hostile-24", "ids and ports are random")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.want("DO")
    c.check("different ids", lambda: len({q.ident for q in c.world.tap.questions[-400:]}), lambda n: n > 3)


@hostile("hostile-25", "records of other owners are no answer")
def _(c):
    c.zone("@ MX 10 mx", f"mx A {c.world.clear.address}")
    name = f"_25._tcp.mx.{c.d}"
    c.rule(name, "TLSA", tap.answer((f"_25._tcp.other.{c.d}", "TLSA", WRONG), ("evil.plain", "TLSA", WRONG), ad=True))
    c.want("NF")


@hostile("hostile-25", "extra MX records of other owners are no MX")
def _(c):
    c.host("mx", "good")
    c.rule(c.d, "MX", tap.answer((c.d, "MX", f"10 mx.{c.d}"), ("other.plain", "MX", "5 mx.evil.plain"), ad=True))
    c.want("DO")
    c.check("queries for the stranger", lambda: c.world.tap.asked("mx.evil.plain"), 0)


def ttl_vector(c, ttl, low, high):
    c.host("mx", "good")
    c.rule(c.d, "MX", tap.answer((c.d, "MX", f"10 mx.{c.d}", ttl), ad=True))
    c.want("DO")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: low <= seconds <= high)


table("hostile-26", "TTL", [("0", 0, 0, 60), ("2^31", 2**31, 0, 60), ("2^32-1", 2**32 - 1, 0, 60), ("2^31-1", 2**31 - 1, 1000, 86400)],
      ttl_vector, **GROUP)


@hostile("hostile-26", "SOA MINIMUM of 2^31-1: a negative answer lives at most 3 h")
def _(c):
    soa = dnswire.record("signed", "SOA", f"ns.signed hostmaster.signed 1 1 1 1 {2**31 - 1}", 2**31 - 1)
    c.rule(c.d, "MX", tap.answer(rcode="NXDOMAIN", ad=True, authority=[soa]))
    c.want("NF")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: seconds <= 3 * 3600)


def hanging_names(c, count):
    """So many names of one domain that never get an answer, asked at once; a stranger's name meanwhile."""
    for number in range(count):
        c.rule(f"h{number}.{c.u}", "*", tap.silence())

    def step():
        with concurrent.futures.ThreadPoolExecutor(count + 1) as pool:
            slow = [pool.submit(c.ask, f"h{number}.{c.u}") for number in range(count)]
            time.sleep(0.2)  # the attack is on its way
            began = time.monotonic()
            fresh = c.ask(c.d)
            took = time.monotonic() - began
            answers = {one.result() for one in slow}
        if fresh != "OK dane-only":
            raise Failed(f"a stranger's domain was answered {fresh!r}")
        if took > 3:
            raise Failed(f"a stranger's fresh domain took {took:.1f} s")
        if not all(answer.startswith("TEMP ") for answer in answers):
            raise Failed(f"hanging names were answered {answers}")
    c.do(step)


@case("hostile-27 hostile-29", "200 hanging names of one domain do not hold up others", daemon="hostile-dns", group="hostile-dns-hang")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    hanging_names(c, 200)
