"""A backup MX whose name server does not answer holds up no mail: what is awaited at the answer deadline counts as docs/verdicts.md §5 says.

With the real Postfix where its fate shows; the daemon "hurried-dns" has a resolver that can be made to answer late."""

import tap
import world
from case import case
from cases_postfix import deliver, postfix_case, verdict

DAEMONS = {
    "hurried-dns": {"resolver": world.TAP_ADDRESS, "answer-deadline": "1s", "dns-timeout": "2s", "dns-tries": "2", "job-deadline": "12s",
                    "ttl-min": "1s"},
}
ZONES = ("lame", "silent")


def each_zone(name, declare):
    for zone in ZONES:
        postfix_case("B-41", f"{name}, {zone} backup zone")(lambda c, zone=zone: declare(c, zone))


def backup(c, zone):
    """A second MX whose name is in a zone that does not answer."""
    name = f"backup-{c.label}.{'signed' if c.key == c.d else 'plain'}"
    c.child(name, zone)
    (c.zone if c.key == c.d else c.plain)("@ MX 10 mx", f"@ MX 20 mx.{name}.")


def full(c, zone):
    c.host("mx", "good")
    backup(c, zone)
    verdict(c, "DO")
    deliver(c, "sent", "Verified")
    c.explained("at the end the backup counts for nothing", lambda e: e["evidence"]["dane"], "full")


def signed_without_tlsa(c, zone):
    c.host("mx")
    backup(c, zone)
    verdict(c, "VER")
    deliver(c, "sent", "Verified")


def unsigned(c, zone):
    c.key = c.u
    c.plain_host("mx")
    backup(c, zone)
    verdict(c, "VER")
    deliver(c, "sent", "Verified")


def unsigned_enforced(c, zone):
    c.key = c.u
    c.sts()
    c.plain_host("mx")
    backup(c, zone)
    verdict(c, "SEC")
    deliver(c, "sent", "Verified")


def self_signed(c, zone):
    c.key = c.u
    c.plain_host("mx", cert=c.world.ca.leaf(f"mx.{c.u}", issuer=None))
    backup(c, zone)
    verdict(c, "ENC")
    deliver(c, "sent", "Untrusted")


each_zone("usable TLSA: dane-only, delivered", full)
each_zone("signed, no TLSA: by STARTTLS, delivered", signed_without_tlsa)
each_zone("unsigned, valid certificate: verify, delivered", unsigned)
each_zone("MTA-STS: secure, delivered", unsigned_enforced)
each_zone("unsigned, self-signed certificate: encrypt, delivered", self_signed)


def tlsa_hangs(c, want, *tlsa):
    c.host("mx", *tlsa)
    server = c.host("backup")
    c.zone("@ MX 10 mx", "@ MX 20 backup")
    c.child(f"_tcp.backup.{c.d}", "silent")
    verdict(c, want)
    deliver(c, "sent", "Verified" if tlsa else "Trusted")
    c.check("mail at the backup", lambda: sum(one.mail for one in server.connections), 0)


postfix_case("B-41", "only the TLSA of the backup hangs, usable TLSA beside it: dane-only")(lambda c: tlsa_hangs(c, "DO", "good"))
postfix_case("B-41", "only the TLSA of the backup hangs, no TLSA beside it: dane")(lambda c: tlsa_hangs(c, "DA"))


def late(c, *, name="backup", rrtype="A", seconds=3):
    c.rule(f"{name}.{c.d}", rrtype, tap.delayed(seconds, tap.answer((f"{name}.{c.d}", rrtype, c.world.clear.address), ad=True)))


def hurried(name, rows="B-41"):
    return case(rows, name, daemon="hurried-dns", valgrind=False)  # in valgrind a second is too short for an answer


@hurried("a backup that answers late: left out at the deadline, counted when the lookup ends")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 backup")
    c.host("mx")
    late(c)
    c.want("VER")
    c.explained("STARTTLS of both", lambda e: e["evidence"]["starttls"], "partly")
    c.later("the answer of the whole lookup", lambda: c.ask() == "NOTFOUND ")


@hurried("a first MX that answers late: the backup is answered for, then both")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 backup")
    server = c.host("backup", "good")
    c.zone(f"_25._tcp.mx TLSA {server.cert.tlsa()}")
    late(c, name="mx")
    c.want("DO")
    c.explained("dane", lambda e: e["evidence"]["dane"], "full")


@hurried("every MX late: dane, for Postfix looks at each host itself")
def _(c):
    c.zone("@ MX 10 mx")
    late(c, name="mx")
    c.want("DA")
    c.later("the answer of the whole lookup", lambda: c.ask() == "NOTFOUND ")


@hurried("AAAA of the backup hangs, A is there")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 backup", f"backup A {c.world.clear.address}")
    c.host("mx", "good")
    c.rule(f"backup.{c.d}", "AAAA", tap.silence())
    c.want("DO")


@hurried("the MX itself hangs: TEMP")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.rule(c.d, "MX", tap.silence())
    c.want("TMP")


@hurried("what was proven before is not answered for less")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 backup")
    c.host("mx", "good")
    c.host("backup", "good")
    c.want("DO")
    c.do(lambda: c.world.tap.rule(f"backup.{c.d}", "*", tap.silence()))
    c.do(lambda: c.daemon.cli("cache", "flush"))
    c.want("DO")


def answered_without_sts(c, zone):
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx")
    c.child(f"_mta-sts.{c.u}", zone)
    verdict(c, "VER")
    deliver(c, "sent", "Verified")


for one in ZONES:
    postfix_case("A-46", f"_mta-sts in a {one} zone: the answer without MTA-STS")(lambda c, zone=one: answered_without_sts(c, zone))
