"""B and C. What the prober's own check of TLSA against certificates says; the verdict stays as DNS has it."""

from case import case, table

WRONG = "3 1 1 " + "00" * 32


def outcome(c, want):
    """The answer is DO at once; the probe of the one address then says match or mismatch."""
    c.want("DO")
    c.later("the probe's result", lambda: "tlsa" in _address(c.explain()))
    c.explained("the probe's TLSA check", lambda e: _address(e)["tlsa"], want)
    c.want("DO")


def _address(explained):
    hosts = explained["evidence"]["hosts"]
    return hosts[0]["addresses"][0] if hosts and hosts[0].get("addresses") else {}


def checked(c, want, make):
    """make(c, ca) gives the certificate, what else the server shows, and the TLSA records."""
    cert, extra, records = make(c, c.world.ca)
    c.zone("@ MX 10 mx")
    c.host("mx", *records, cert=cert, context=c.world.ca.server_context(cert, extra=extra))
    outcome(c, want)


def _own(usage=3, selector=1, mtype=1, **leaf):
    def make(c, ca):
        cert = ca.leaf(f"mx.{c.d}", **leaf)
        return cert, (), [cert.tlsa(usage, selector, mtype)]
    return make


def _matching(make_cert):
    def make(c, ca):
        cert = make_cert(c, ca)
        return cert, (), [cert.tlsa()]
    return make


def _named(*names, cn="leaf"):
    """A leaf for these names below a trust anchor that TLSA names and the server shows."""
    def make(c, ca):
        cert = ca.leaf(*(name.replace("D", c.d) for name in names), cn=cn.replace("D", c.d))
        return cert, (ca.root,), [ca.root.tlsa(2, 0, 1)]
    return make


OTHER_512 = "3 1 2 " + "00" * 64


def _beside(usage, selector, mtype, other):
    """A record that matches, beside another that does not."""
    def make(c, ca):
        cert = ca.leaf(f"mx.{c.d}")
        return cert, (), [cert.tlsa(usage, selector, mtype), other]
    return make


table("B-33", "usage 3", [
    ("another name", "match", _matching(lambda c, ca: ca.leaf("other.example"))),
    ("expired", "match", _matching(lambda c, ca: ca.expired(f"mx.{c.d}"))),
    ("self-signed", "match", _own(issuer=None)),
    ("3 0 1", "match", _own(3, 0, 1)), ("3 0 2", "match", _own(3, 0, 2)), ("3 1 2", "match", _own(3, 1, 2)),
    ("3 0 0", "match", _own(3, 0, 0)), ("3 1 0", "match", _own(3, 1, 0)),
], checked)
table("B-34", "usage 2", [
    ("MX host name", "match", _named("mx.D")),
    ("next-hop name", "match", _named("D")),
    ("wildcard for the whole left label", "match", _named("*.D")),
    ("m*.D", "mismatch", _named("m*.D")),
    ("another name", "mismatch", _named("www.example")),
    ("CN when there is no SAN", "match", _named(cn="mx.D")),
    ("CN beside another SAN", "mismatch", _named("www.example", cn="mx.D")),
    ("expired", "mismatch", lambda c, ca: (ca.expired(f"mx.{c.d}"), (ca.root,), [ca.root.tlsa(2, 0, 1)])),
], checked)
table("B-35", "usage 2", [
    ("2 0 1, the anchor is not shown", "mismatch", lambda c, ca: (ca.leaf(f"mx.{c.d}"), (), [ca.root.tlsa(2, 0, 1)])),
    ("2 0 0, the anchor is in DNS", "match", lambda c, ca: (ca.leaf(f"mx.{c.d}"), (), [ca.root.tlsa(2, 0, 0)])),
    ("2 1 0, the anchor's key is in DNS", "match", lambda c, ca: (ca.leaf(f"mx.{c.d}"), (), [ca.root.tlsa(2, 1, 0)])),
], checked)
table("B-36", "usage 2", [
    ("an unrelated CA is shown beside", "mismatch", lambda c, ca: (ca.leaf(f"mx.{c.d}"), (ca.stranger,), [ca.stranger.tlsa(2, 0, 1)])),
], checked)
table("B-37 C-4", "several", [
    ("3 bad, 2 good", "match", lambda c, ca: (ca.leaf(f"mx.{c.d}"), (ca.root,), [WRONG, ca.root.tlsa(2, 0, 1)])),
    ("old and new key", "match", _beside(3, 1, 1, WRONG)),
], checked)
table("B-39", "usage 3", [("no match", "mismatch", lambda c, ca: (ca.leaf(f"mx.{c.d}"), (), [WRONG]))], checked)
table("C-1", "digest agility", [
    ("311 matches, 312 does not", "mismatch", _beside(3, 1, 1, OTHER_512)),
    ("312 matches, 311 does not", "match", _beside(3, 1, 2, WRONG)),
    ("310 is never dropped", "match", _beside(3, 1, 0, OTHER_512)),
    ("each usage and selector apart", "match", _beside(3, 0, 1, OTHER_512)),
], checked)


@case("B-38", "SNI is the TLSA base domain")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    server = c.host("mx", "good")
    c.want("DO")
    c.later("the probe's SNI", lambda: server.snis)
    c.check("SNI", lambda: set(server.snis), {f"mx.{c.d}"})


@case("B-38", "SNI is the original name when TLSA is there")
def _(c):
    c.zone("@ MX 10 alias", "alias CNAME mx")
    server = c.host("mx")
    c.tlsa("alias", server, "good")
    c.want("DO")
    c.later("the probe's SNI", lambda: server.snis)
    c.check("SNI", lambda: set(server.snis), {f"alias.{c.d}"})


@case("B-21 B-34", "usage 2: the expanded next-hop is a reference name")
def _(c):
    ca = c.world.ca
    cert = ca.leaf(f"target.{c.d}")
    c.key = f"alias.{c.d}"
    c.zone(f"alias CNAME target.{c.d}.", f"target MX 10 mx.{c.d}.")
    c.host("mx", ca.root.tlsa(2, 0, 1), cert=cert, context=ca.server_context(cert, extra=(ca.root,)))
    outcome(c, "match")


@case("B-37", "RSA and ECDSA certificates, TLSA for either")
def _(c):
    ca = c.world.ca
    ecdsa, rsa = ca.leaf(f"mx.{c.d}"), ca.leaf(f"mx.{c.d}", key=ca.rsa_key)
    c.zone("@ MX 10 mx")
    c.host("mx", ecdsa.tlsa(), rsa.tlsa(), cert=ecdsa, context=ca.server_context(ecdsa, rsa))
    outcome(c, "match")


@case("B-39", "a mismatch is never called verified")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", WRONG)
    outcome(c, "mismatch")
    c.explained("the words", lambda e: " ".join([*e["why"], *e["change"]]), lambda words: "match" in words)
