"""Deliveries by Exim, each with what mxcryptd says of the domain and what must come of the message.

A row: name, level, what must come (verified, encrypted, clear, deferred, bounced), how the domain is declared, what happens to it after
mxcryptd has looked at it, and what Exim must log of it."""

from dataclasses import dataclass, replace
from typing import Callable

import case
import smtpd

STRIPPED = smtpd.CLEAR
NO_TLS_4XX = replace(smtpd.GOOD, starttls=b"454 not now\r\n")
NO_TLS_5XX = replace(smtpd.GOOD, starttls=b"554 not here\r\n")
GARBAGE = replace(smtpd.GOOD, handshake="garbage")
CLOSED = replace(smtpd.GOOD, handshake="close")
OTHER_TLSA = "3 1 1 " + "00" * 32
UNUSABLE_TLSA = "1 1 1 " + "00" * 32
LONG = ".".join(["x" * 60, "y" * 20, "example"])
STRICT = ("dane-only", "secure", "verify", "encrypt")


@dataclass
class Row:
    name: str
    level: str
    want: str
    declare: Callable
    then: Callable | None = None
    says: str = ""


def signed(c, *tlsa, **more):
    c.zone("@ MX 10 mx")
    return [c.host("mx", *tlsa, **more)]


def plain(c, **more):
    c.key = c.u
    c.plain("@ MX 10 mx")
    return [c.plain_host("mx", **more)]


def with_sts(*mx, **more):
    def declare(c):
        servers = plain(c, **more)
        c.sts(*[one.replace("DOMAIN", c.u) for one in mx])
        return servers
    return declare


def self_signed(c, where="d"):
    return c.world.ca.leaf(f"mx.{getattr(c, where)}", issuer=None)


def untrusted(c):
    return plain(c, cert=self_signed(c, "u"))


def become(temper):
    """The server is another one from now on."""
    def then(c):
        for server in c.servers:
            server.temper = temper
    return then


def show(make):
    """It shows another certificate from now on."""
    def then(c):
        for server in c.servers:
            server.show(c.world.ca.server_context(make(c)))
    return then


EXPIRED = show(lambda c: c.world.ca.expired(f"mx.{c.key}"))
FOREIGN = show(lambda c: c.world.ca.leaf("mx.elsewhere.example"))
STRANGER = show(lambda c: c.world.ca.leaf(f"mx.{c.key}", issuer=c.world.ca.stranger))
NEW_KEY = show(lambda c: c.world.ca.leaf(f"mx.{c.key}", key=c.world.ca.rsa_key))


def two_hosts(first, second):
    """The answer is encrypt or verify: the first MX host turns bad, the second stays."""
    def declare(c):
        c.key = c.u
        c.plain("@ MX 10 mx", "@ MX 20 mx2")
        return [c.plain_host("mx", cert=first and first(c)), c.plain_host("mx2", cert=second and second(c))]
    return declare


def sts_two_hosts(c):
    """The first MX host is not in the policy."""
    c.key = c.u
    c.plain("@ MX 10 evil", "@ MX 20 mx")
    servers = [c.plain_host("evil"), c.plain_host("mx")]
    c.sts(f"mx.{c.u}")
    return servers


def deep_host(c):
    """The MX host is two labels below what the wildcard is for."""
    c.key = c.u
    c.plain("@ MX 10 a.mx")
    servers = [c.plain_host("a.mx")]
    c.sts(f"*.{c.u}")
    return servers


def some_dane(c):
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    return [c.host("mx", "good"), c.host("mx2")]


def dane_second(c):
    """Only the second host has TLSA records, and the first is away."""
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    return [c.host("mx"), c.host("mx2", "good")]


def stripped_and_away(c):
    c.servers[0].temper = STRIPPED
    c.servers[1].close()


def cname(c):
    """The MX record leads to an alias."""
    c.key = c.u
    c.plain("@ MX 10 mx", f"mx CNAME real.{c.u}.")
    server = c.server(f"mx.{c.u}")
    c.plain(f"real A {server.address}")
    c.sts(f"mx.{c.u}")
    return [server]


def only_address(match):
    """No MX record: the domain is its own mail host."""
    def declare(c):
        server = c.server(c.d)
        c.zone(f"@ A {server.address}")
        return [server]
    return answer(of_level("secure", match), declare)


def cname_target(c):
    """The same, and the policy has what it leads to, which does not count."""
    servers = cname(c)
    c.scripted = (of_level("secure", f"real.{c.u}").encode(),)
    return servers


def many_hosts(c):
    """More than Exim tries at once."""
    c.key = c.u
    servers = []
    for number in range(7):
        c.plain(f"@ MX {number} mx{number}")
        servers.append(c.plain_host(f"mx{number}", temper=smtpd.CLEAR))
    return servers


def two_addresses(c):
    """The first is an attacker's: it is tried, and the other takes the message."""
    c.key = c.u
    c.plain("@ MX 10 mx")
    return [c.plain_host("mx", temper=smtpd.CLEAR), c.plain_host("mx")]


def two_families(c):
    """By IPv6 there is an attacker."""
    servers = plain(c)
    attacker = c.server(temper=smtpd.CLEAR, address=c.address6())
    c.plain(f"mx AAAA {attacker.address}")
    return [attacker, *servers]


def dane_ta_of_another_name(c):
    """The CA is in a TLSA record, and the certificate is valid, but not for this host (RFC 7672 section 3.2)."""
    ca = c.world.ca
    return signed(c, ca.root.tlsa(usage=2, selector=0), context=ca.server_context(ca.leaf("mx.elsewhere.example"), extra=[ca.root]))


def odd_case(c):
    c.key = c.u
    c.plain("@ MX 10 mX")
    servers = [c.plain_host("mx")]
    c.sts(f"MX.{c.u}")
    return servers


def bogus(c):
    c.child(f"bogus.{c.d}", "bogus", "@ MX 10 mx", "mx A 198.51.100.25")
    c.key = f"bogus.{c.d}"
    return []


def nothing(c):
    return []


def no_tls(c):
    return plain(c, temper=smtpd.CLEAR)


def answer(text, declare=signed):
    """The domain is as it is; mxcryptd's place is taken by one that says this."""
    def declared(c):
        servers = declare(c)
        c.scripted = (text.replace("DOMAIN", c.key).encode() if isinstance(text, str) else text,)
        return servers
    return declared


def of_level(level, match="", more=""):
    words = {"dane-only": "dane=require require_tls=yes verify=no", "secure": "dane=no require_tls=yes verify=yes",
             "verify": "dane=no require_tls=yes verify=yes", "encrypt": "dane=no require_tls=yes verify=no",
             "dane": "dane=try require_tls=no verify=no", "may": "dane=no require_tls=no verify=no"}
    return f"level={level} {words[level]}{' match=' + match if match else ''}{more}\n"


FROM_MXCRYPTD = [
    Row("dane-only", "dane-only", "verified", lambda c: signed(c, "good"), says="CV=dane"),
    Row("dane-only, DANE-TA", "dane-only", "verified", lambda c: signed(c, c.world.ca.root.tlsa(usage=2, selector=0),
        context=c.world.ca.server_context(c.world.ca.leaf(f"mx.{c.d}"), extra=[c.world.ca.root])), says="CV=dane"),
    Row("dane-only, certificate expired", "dane-only", "verified",
        lambda c: signed(c, "good", cert=c.world.ca.expired(f"mx.{c.d}")), says="CV=dane"),
    Row("dane-only, STARTTLS stripped", "dane-only", "deferred", lambda c: signed(c, "good"), become(STRIPPED), "did not offer TLS"),
    Row("dane-only, another key", "dane-only", "deferred", lambda c: signed(c, "good"), NEW_KEY, "certificate verification failed"),
    Row("dane-only, broken handshake", "dane-only", "deferred", lambda c: signed(c, "good"), become(GARBAGE)),
    Row("secure", "secure", "verified", with_sts("mx.DOMAIN"), says="CV=yes"),
    Row("secure, wildcard", "secure", "verified", with_sts("*.DOMAIN"), says="CV=yes"),
    Row("secure, wildcard and two labels", "secure", "deferred", deep_host, says="no MX host of .* matches"),
    Row("secure, no MX host matches", "secure", "deferred", with_sts("mx.other.example"), says="no MX host of .* matches"),
    Row("secure, the first MX host does not match", "secure", "verified", sts_two_hosts, says="H=mx\\."),
    Row("secure, MX is an alias", "secure", "verified", cname, says="CV=yes"),
    Row("secure, letters of both cases", "secure", "verified", odd_case, says="CV=yes"),
    Row("secure, STARTTLS stripped", "secure", "deferred", with_sts("mx.DOMAIN"), become(STRIPPED), "did not offer TLS"),
    Row("secure, expired", "secure", "deferred", with_sts("mx.DOMAIN"), EXPIRED, "certificate verification failed"),
    Row("secure, for another name", "secure", "deferred", with_sts("mx.DOMAIN"), FOREIGN, "certificate verification failed"),
    Row("secure, another CA", "secure", "deferred", with_sts("mx.DOMAIN"), STRANGER, "certificate verification failed"),
    Row("verify", "verify", "verified", plain, says="CV=yes"),
    Row("verify, expired", "verify", "deferred", plain, EXPIRED, "certificate verification failed"),
    Row("verify, for another name", "verify", "deferred", plain, FOREIGN, "certificate verification failed"),
    Row("verify, STARTTLS refused with 4xx", "verify", "deferred", plain, become(NO_TLS_4XX), "an attempt to start TLS failed"),
    Row("verify, the first MX host expired", "verify", "verified", two_hosts(None, None),
        lambda c: c.servers[0].show(c.world.ca.server_context(c.world.ca.expired(f"mx.{c.u}"))), "H=mx2"),
    Row("encrypt", "encrypt", "encrypted", untrusted, says="CV=no"),
    Row("encrypt, STARTTLS stripped", "encrypt", "deferred", untrusted, become(STRIPPED), "did not offer TLS"),
    Row("encrypt, STARTTLS refused with 4xx", "encrypt", "deferred", untrusted, become(NO_TLS_4XX), "an attempt to start TLS failed"),
    Row("encrypt, STARTTLS refused with 5xx", "encrypt", "deferred", untrusted, become(NO_TLS_5XX), "an attempt to start TLS failed"),
    Row("encrypt, broken handshake", "encrypt", "deferred", untrusted, become(GARBAGE), "TLS session"),
    Row("encrypt, handshake cut off", "encrypt", "deferred", untrusted, become(CLOSED), "TLS session"),
    Row("encrypt, the first MX host is stripped", "encrypt", "verified", two_hosts(lambda c: self_signed(c, "u"), None),
        lambda c: setattr(c.servers[0], "temper", STRIPPED), "H=mx2"),
    Row("dane", "dane", "verified", some_dane, says="CV=dane"),
    Row("dane, at a host without TLSA", "dane", "clear", dane_second, lambda c: setattr(c.servers[0], "temper", STRIPPED)),
    Row("dane, STARTTLS stripped at a host with TLSA", "dane", "deferred", some_dane, stripped_and_away),
    Row("notfound", "notfound", "clear", no_tls, says="T=remote_smtp"),
    Row("notfound, TLS by Exim's own settings", "notfound", "verified", no_tls, become(smtpd.GOOD), "T=remote_smtp"),
    Row("notfound, no such domain", "notfound", "bounced", nothing, says="Unrouteable"),
    Row("TEMP", "temp", "deferred", bogus, says="mxcrypt: .*MX"),
    Row("may by a rule", "may", "encrypted", untrusted, says="T=mxcrypt_may"),
    Row("may by a rule, no TLS", "may", "clear", no_tls, says="T=mxcrypt_may"),
    Row("none by a rule", "none", "clear", plain, says="T=mxcrypt_may"),
    Row("at-least encrypt by a rule, no TLS", "encrypt", "deferred", no_tls, says="did not offer TLS"),
    Row("a fingerprint by a rule", "temp", "deferred", plain, says="mxcrypt: "),
]
RULES = {"may by a rule": "exactly may", "may by a rule, no TLS": "exactly may", "none by a rule": "exactly none",
         "at-least encrypt by a rule, no TLS": "at-least encrypt",
         "a fingerprint by a rule": "exactly fingerprint match=" + ":".join(["00"] * 32)}

RETRIED_LATER = ("at-least encrypt by a rule, no TLS",)  # whose host is known to Exim as one that failed

SCRIPTED = [
    Row("an empty answer", "temp", "deferred", answer(""), says='not an answer: ""'),
    Row("garbage", "temp", "deferred", answer("what is this\n"), says='not an answer: "what is this "'),
    Row("an answer without its end", "temp", "deferred", answer("level=notfound"), says="not an answer"),
    Row("an answer cut in a word", "temp", "deferred", answer("level=may dane=n"), says="not an answer"),
    Row("an unknown level", "temp", "deferred", answer("level=notfoundx\n"), says="not an answer"),
    Row("two answers", "temp", "deferred", answer("level=may dane=no\nlevel=none\n"), says="not an answer"),
    Row("a NUL", "temp", "deferred", answer(b"level=notfound\0 \n"), says="not an answer"),
    Row("three megabytes", "temp", "deferred", answer(b"level=may " + b"x" * 3000000 + b"\n"), says="not an answer"),
    Row("nothing for ever", "temp", "deferred", answer(b"HANG"), says="does not answer"),
    Row("nothing but a level", "encrypt", "deferred", answer("level=encrypt\n", no_tls), says="did not offer TLS"),
    Row("secure without match", "secure", "deferred", answer("level=secure dane=no require_tls=yes verify=yes\n"), says="no MX host"),
    Row("secure, one octet less", "secure", "deferred", answer(of_level("secure", "x.DOMAIN")), says="no MX host"),
    Row("secure, a dot is no wildcard", "secure", "deferred", answer(of_level("secure", "mx-DOMAIN")), says="no MX host"),
    Row("secure, wildcard is for one label", "secure", "deferred",
        answer(of_level("secure", "*.DOMAIN"), lambda c: (c.zone("@ MX 10 a.mx"), [c.host("a.mx")])[1]), says="no MX host"),
    Row("secure, below at any depth", "secure", "verified", answer(of_level("secure", ".signed")), says="CV=yes"),
    Row("secure, not below itself", "secure", "deferred", answer(of_level("secure", ".mx.DOMAIN")), says="no MX host"),
    Row("secure, 1000 items", "secure", "verified",
        answer(of_level("secure", ":".join([f"mx{n:03}.{LONG}" for n in range(999)] + ["*.DOMAIN"]))), says="CV=yes"),
    Row("secure, 1000 others", "secure", "deferred",
        answer(of_level("secure", ":".join([f"mx{n:03}.{LONG}" for n in range(1000)]))), says="no MX host"),
    Row("secure, no MX record", "secure", "verified", only_address("DOMAIN"), says="CV=yes"),
    Row("secure, no MX record, another host", "secure", "deferred", only_address("mx.DOMAIN"), says="no MX host"),
    Row("secure, only what the MX leads to matches", "secure", "deferred", cname_target, says="no MX host"),
    Row("encrypt, seven hosts in clear", "encrypt", "deferred", answer(of_level("encrypt"), many_hosts), says="did not offer TLS"),
    Row("verify, two addresses", "verify", "verified", answer(of_level("verify"), two_addresses), says="CV=yes"),
    Row("encrypt, IPv6 in clear", "encrypt", "verified", answer(of_level("encrypt"), two_families)),
    Row("dane-only, DANE-TA for another name", "dane-only", "deferred", answer(of_level("dane-only"), dane_ta_of_another_name)),
    Row("dane, DANE-TA for another name", "dane", "deferred", answer(of_level("dane"), dane_ta_of_another_name)),
    Row("verify with match", "verify", "deferred", answer(of_level("verify", "mx.other.example")), says="no MX host"),
    Row("sni by a rule", "encrypt", "verified", answer(of_level("encrypt", more=" sni=other.name.example")), says="T=mxcrypt_encrypt"),
    Row("dane-only without TLSA", "dane-only", "deferred", answer(of_level("dane-only")), says="certificate invalid"),
    Row("dane-only with unusable TLSA", "dane-only", "deferred", answer(of_level("dane-only"), lambda c: signed(c, UNUSABLE_TLSA)),
        says="certificate invalid"),
    Row("dane-only with unsigned MX", "dane-only", "deferred", answer(of_level("dane-only"), plain), says="certificate invalid"),
    Row("dane with TLSA of another", "dane", "deferred", answer(of_level("dane"), lambda c: signed(c, OTHER_TLSA)),
        says="certificate verification failed"),
    Row("may with TLSA of another", "may", "verified", answer(of_level("may"), lambda c: signed(c, OTHER_TLSA))),
    Row("encrypt, no such domain", "encrypt", "bounced", answer(of_level("encrypt"), nothing), says="Unrouteable"),
]


def declare_all(the_world, rows, rules):
    """The cases of the rows, in their order; `rules` is added to."""
    cases = []
    for number, row in enumerate(rows):
        entry = case.Entry(("exim",), row.name, None, "main", "alone", True)
        one = case.Case(the_world, entry, f"e{number}-{case.slug(row.name)}"[:40].strip("-"))
        one.row, one.scripted = row, None
        one.servers = row.declare(one)
        if row.name in RULES:
            rules.append(f"{one.key} {RULES[row.name]}")
        cases.append(one)
    return cases
