"""What the real Postfix does with the answers: mail delivered or refused, as its log says."""

import ssl
from dataclasses import replace

import smtpd
import world
from case import Failed, case, table
from postfix import UNVERIFIED
from smtpd import CLEAR, GOOD
from tap import answer

WRONG = "3 1 1 " + "00" * 32
DAEMONS = {
    "postfix": {"resolver": world.TAP_ADDRESS,
                "listen": ["socketmap:unix:QUEUE/mxcrypt/policy.sock mode=0666",
                           f"socketmap:inet:127.0.0.1:{world.POSTFIX_PORT}", f"tcp:127.0.0.1:{world.POSTFIX_TCP_TABLE_PORT}"]},
}


def postfix_case(rows, name):
    return case(rows, name, daemon="postfix", group="postfix", valgrind=False)


def deliver(c, status, tls=None, says="", domain=None):
    """A message to c.key must be sent, deferred or bounced, over a connection that Postfix calls `tls`, with these words."""
    def step():
        fate = c.world.postfix().deliver(f"user@{domain or c.key}")
        log = "\n".join(fate.lines)
        if fate.status != status or not fate.over(tls) or says not in log:
            raise Failed(f"wanted status={status} TLS={tls} {says!r}, the log says:\n{log}")
    c.do(lambda: c.world.postfix() and c.daemon)
    c.do(step)


def dane(c, *tlsa, **more):
    c.zone("@ MX 10 mx")
    return c.host("mx", *tlsa, **more)


def plain(c, **more):
    c.key = c.u
    c.plain("@ MX 10 mx")
    return c.plain_host("mx", **more)


def verdict(c, want):
    c.do(lambda: c.world.postfix())
    c.want(want)


@postfix_case("B-1", "dane-only: delivered, Verified")
def _(c):
    server = dane(c, "good")
    deliver(c, "sent", "Verified")
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 1)


@postfix_case("B-39 hostile-42", "dane-only, TLSA mismatch: deferred")
def _(c):
    dane(c, WRONG)
    verdict(c, "DO")
    deliver(c, "deferred", "Untrusted", "Server certificate not verified")


@postfix_case("A-1", "secure: delivered, Verified")
def _(c):
    plain(c)
    c.sts()
    verdict(c, "SEC")
    deliver(c, "sent", "Verified")


@postfix_case("A-1", "secure, certificate for another name: deferred")
def _(c):
    plain(c, cert=c.world.ca.leaf("other.example"))
    c.sts()
    verdict(c, "SEC")
    deliver(c, "deferred", UNVERIFIED, "Server certificate not verified")


@postfix_case("A-1", "secure, certificate of an unknown CA: deferred")
def _(c):
    plain(c, cert=c.world.ca.leaf(f"mx.{c.u}", issuer=c.world.ca.stranger))
    c.sts()
    deliver(c, "deferred", "Untrusted", "untrusted issuer")


@postfix_case("A-18", "secure with a wildcard pattern: delivered, Verified")
def _(c):
    plain(c)
    c.sts(f"*.{c.u}")
    verdict(c, "SEC")
    deliver(c, "sent", "Verified")


@postfix_case("hostile-43", "secure, the policy names no MX of the domain: deferred")
def _(c):
    plain(c)
    c.sts(f"elsewhere.{c.d}")
    verdict(c, "SEC")
    deliver(c, "deferred", UNVERIFIED, "Server certificate not verified")


@postfix_case("A-39", "dane-only beside MTA-STS: delivered, Verified by DANE with a self-signed certificate")
def _(c):
    dane(c, "good", cert=c.world.ca.leaf(f"mx.{c.d}", issuer=None))
    c.sts()
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("G-1", "verify: delivered, Verified")
def _(c):
    plain(c)
    verdict(c, "VER")
    deliver(c, "sent", "Verified")


@postfix_case("G-1", "encrypt: delivered, Untrusted")
def _(c):
    plain(c, cert=c.world.ca.leaf(f"mx.{c.u}", issuer=None))
    verdict(c, "ENC")
    deliver(c, "sent", "Untrusted")


@postfix_case("B-9", "encrypt for unusable TLSA: delivered, Trusted")
def _(c):
    dane(c, "1 1 1 " + "ab" * 32)
    verdict(c, "ENC")
    deliver(c, "sent", "Trusted")


@postfix_case("G-5", "encrypt, a server without certificate: delivered, Anonymous")
def _(c):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH:@SECLEVEL=0")
    plain(c, context=context)
    verdict(c, "ENC")
    deliver(c, "sent", "Anonymous")


def stripped(c, want, declare):
    """The verdict is known; then the server loses STARTTLS: no mail in the clear."""
    server = declare(c)
    verdict(c, want)
    c.do(lambda: setattr(server, "temper", CLEAR))
    deliver(c, "deferred", None, "TLS is required, but was not offered")
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 0)


def _secured(c):
    server = plain(c)
    c.sts()
    return server


for _rows, _want, _declare in (("G-14 hostile-14", "ENC", lambda c: plain(c, cert=c.world.ca.leaf("other.example"))),
                               ("G-14 hostile-14", "VER", plain), ("A-1 hostile-14", "SEC", _secured),
                               ("B-1 hostile-14", "DO", lambda c: dane(c, "good"))):
    postfix_case(_rows, f"STARTTLS stripped under {_want}: deferred")(lambda c, w=_want, d=_declare: stripped(c, w, d))


@postfix_case("B-2", "dane for an insecure MX: delivered")
def _(c):
    c.key = c.u
    c.host("mx", "good")
    c.plain(f"@ MX 10 mx.{c.d}.")
    verdict(c, "DA")
    deliver(c, "sent", "Trusted")


@postfix_case("B-13", "dane for a mixed domain: delivered, Verified where TLSA is")
def _(c):
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    c.host("mx", "good")
    c.host("mx2", temper=CLEAR)
    verdict(c, "DA")
    deliver(c, "sent", "Verified")


@postfix_case("B-5", "TLSA bogus: dane, Postfix cannot look it up either: deferred")
def _(c):
    dane(c)
    c.child(f"_tcp.mx.{c.d}", "bogus", f"_25 TLSA {WRONG}")
    verdict(c, "DA")
    deliver(c, "deferred", None, "TLSA lookup error")


@postfix_case("B-5", "TLSA bogus with MTA-STS: TEMP, deferred")
def _(c):
    dane(c)
    c.child(f"_tcp.mx.{c.d}", "bogus", f"_25 TLSA {WRONG}")
    c.sts()
    verdict(c, "TMP")
    deliver(c, "deferred", None, "4.7.5")


@postfix_case("B-17", "MX bogus: deferred")
def _(c):
    c.child(c.d, "bogus", "@ MX 10 mx", "mx A 198.18.0.1")
    verdict(c, "TMP")
    deliver(c, "deferred", None, "")


@postfix_case("B-18", "implicit MX: delivered, Verified")
def _(c):
    server = c.server(c.d)
    c.zone(f"@ A {server.address}", f"_25._tcp TLSA {server.cert.tlsa()}")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-21", "the next-hop is a CNAME: delivered, Verified")
def _(c):
    c.key = f"alias.{c.d}"
    c.zone(f"alias CNAME {c.d}.")
    dane(c, "good")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-23", "the MX host is a CNAME: delivered, Verified")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    c.host("mx", "good")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-24", "TLSA at the MX host's original name: delivered, Verified")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    c.tlsa("alias", c.host("mx"), "good")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-26", "the MX host's CNAME is secure, its target is not: delivered, Verified")
def _(c):
    c.zone("@ MX 10 alias", f"alias CNAME mx.{c.u}.")
    c.tlsa("alias", c.plain_host("mx"), "good")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-28", "the TLSA name is a CNAME: delivered, Verified")
def _(c):
    c.zone("_25._tcp.mx CNAME dane.elsewhere")
    server = dane(c)
    c.zone(f"dane.elsewhere TLSA {server.cert.tlsa()}")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-29", "a CNAME made by DNAME: delivered, Verified")
def _(c):
    c.zone("@ MX 10 mx.old", f"old DNAME new.{c.d}.")
    c.host("mx.new", "good")
    verdict(c, "DO")
    deliver(c, "sent", "Verified")


@postfix_case("B-33", "usage 3, expired and for another name: delivered, Verified")
def _(c):
    dane(c, "good", cert=c.world.ca.expired("other.example"))
    deliver(c, "sent", "Verified")


def trust_anchor(c, status, tls, name):
    ca = c.world.ca
    cert = ca.leaf(name.replace("D", c.d))
    dane(c, ca.root.tlsa(2, 0, 1), cert=cert, context=ca.server_context(cert, extra=(ca.root,)))
    verdict(c, "DO")
    deliver(c, status, tls)


table("B-34", "usage 2", [("the MX host's name: delivered, Verified", "sent", "Verified", "mx.D"),
                          ("another name: deferred", "deferred", UNVERIFIED, "other.example")],
      trust_anchor, daemon="postfix", group="postfix", valgrind=False)


@postfix_case("B-31", "[host]:587: delivered, Verified by the TLSA at 587")
def _(c):
    cert = c.world.ca.leaf(f"mx.{c.d}")
    server = smtpd.SmtpServer(c.world.loop, c.address(), GOOD, c.world.ca.server_context(cert), port=587)
    c.zone(f"mx A {server.address}", f"_587._tcp.mx TLSA {cert.tlsa()}")
    c.world.routes[c.d] = f"smtp:[mx.{c.d}]:587"
    verdict(c, "NF")
    deliver(c, "sent", "Verified")


@postfix_case("C-2", "a TLSA record of 3 octets: encrypt, delivered, smtp(8) lives")
def _(c):
    server = dane(c, "good")
    name = f"_25._tcp.mx.{c.d}"
    # no name server of today reads such a record from its zone file
    c.rule(name, "TLSA", answer((name, "TLSA", server.cert.tlsa()), (name, "TLSA", "3 1 1"), ad=True))
    verdict(c, "ENC")
    deliver(c, "sent", "Trusted")


@postfix_case("G-2", "nothing known, no STARTTLS: delivered in the clear")
def _(c):
    plain(c, temper=CLEAR)
    verdict(c, "NF")
    deliver(c, "sent")


@postfix_case("G-4", "STARTTLS refused for good: no encrypt, delivered in the clear instead of bounced")
def _(c):
    plain(c, temper=replace(GOOD, starttls=b"554 no\r\n"))
    verdict(c, "NF")
    deliver(c, "sent")


@postfix_case("G-13", "one address of two without STARTTLS: delivered")
def _(c):
    server = plain(c)
    c.plain(f"mx A {c.server(temper=CLEAR).address}")
    verdict(c, "NF")
    c.do(lambda: setattr(server, "temper", CLEAR))
    deliver(c, "sent")


@postfix_case("A-16", "testing: delivered by main.cf's level")
def _(c):
    plain(c, temper=CLEAR)
    c.sts(mode="testing")
    verdict(c, "NF")
    deliver(c, "sent")


@postfix_case("E-1", "null MX: Postfix bounces by itself")
def _(c):
    c.zone("@ MX 0 .")
    verdict(c, "NF")
    deliver(c, "bounced", None, "null")


def by_transport(c, transport):
    dane(c, "good")
    c.world.routes[c.d] = f"{transport}:"
    deliver(c, "sent", "Verified")


table("D-3", "main.cf names the map", [("QUERY", "query"), ("postfix, over TCP", "peer"), ("tcp:", "tcp"),
                                        ("policy, smtp(8) chrooted as Debian has it", "chroot")],
      by_transport, daemon="postfix", group="postfix", valgrind=False)


@postfix_case("A-41", "the daemon is down: deferred, not bounced")
def _(c):
    dane(c, "good")
    c.world.routes[c.d] = "nobody:"
    deliver(c, "deferred", None, "4.7.5")


@postfix_case("D-1 D-3", "postmap with QUERYwithTLSRPT sees the attributes")
def _(c):
    plain(c)
    c.sts()

    def look_up():
        instance = c.world.postfix()
        return instance.postmap(c.key, f"socketmap:unix:{c.daemon.socket}:QUERYwithTLSRPT")
    c.check("postmap", look_up, lambda got: got[0] == 0 and f"policy_type=sts policy_domain={c.key}" in got[1]
            and "{ policy_string = version: STSv1 }" in got[1])
