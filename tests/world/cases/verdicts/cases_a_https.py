"""A. MTA-STS: the policy host, its certificate, HTTP."""

import ipaddress
import ssl

import policyhost
from case import case, table
from policyhost import Policy, sts_text


def certificate(c, want, make):
    c.clear_mx()
    host = c.sts(cert=make(c, c.world.ca))
    c.want(want)
    c.check("fetches", lambda: len(host.fetches), 1 if want == "SEC" else 0)


table("A-21", "policy host certificate", [
    ("untrusted CA", "NF", lambda c, ca: ca.leaf(f"mta-sts.{c.u}", issuer=ca.stranger)),
    ("expired", "NF", lambda c, ca: ca.expired(f"mta-sts.{c.u}")),
    ("not yet valid", "NF", lambda c, ca: ca.not_yet_valid(f"mta-sts.{c.u}")),
    ("another name", "NF", lambda c, ca: ca.leaf(f"www.{c.u}")),
    ("CN only", "NF", lambda c, ca: ca.leaf(cn=f"mta-sts.{c.u}")),
    ("mta-*.D", "NF", lambda c, ca: ca.leaf(f"mta-*.{c.u}")),
    ("self-signed", "NF", lambda c, ca: ca.leaf(f"mta-sts.{c.u}", issuer=None)),
], certificate)
table("A-22", "policy host certificate", [
    ("*.D", "SEC", lambda c, ca: ca.leaf(f"*.{c.u}")),
], certificate)
table("J-1", "policy host certificate", [
    ("another case", "SEC", lambda c, ca: ca.leaf(f"MTA-STS.{c.u.upper()}")),
], certificate)
table("J-2", "policy host certificate", [
    ("*", "NF", lambda c, ca: ca.leaf("*")),
    ("*.plain", "NF", lambda c, ca: ca.leaf("*.plain")),
    ("mta-sts.*.plain", "NF", lambda c, ca: ca.leaf("mta-sts.*.plain")),
    ("m*.D", "NF", lambda c, ca: ca.leaf(f"m*.{c.u}")),
    ("*s.D", "NF", lambda c, ca: ca.leaf(f"*s.{c.u}")),
], certificate)
table("J-3", "policy host certificate", [
    ("the right CN beside another SAN", "NF", lambda c, ca: ca.leaf(f"www.{c.u}", cn=f"mta-sts.{c.u}")),
], certificate)
table("J-4", "policy host certificate", [
    ("an IP SAN that is the host's address", "NF", lambda c, ca: ca.leaf(ipaddress.ip_address(c.world.policy_address))),
], certificate)
table("J-5", "policy host certificate", [
    ("NUL in the SAN", "NF", lambda c, ca: ca.leaf((0x82, f"mta-sts.{c.u}\0.evil.plain".encode()))),
    ("trailing dot", "NF", lambda c, ca: ca.leaf(f"mta-sts.{c.u}.")),
    ("U-label", "NF", lambda c, ca: ca.leaf((0x82, f"mta-sts.bücher.{c.u}".encode()))),
], certificate)
table("J-7", "policy host certificate", [
    ("only an e-mail and a URI SAN", "NF", lambda c, ca: ca.leaf((0x81, f"x@mta-sts.{c.u}".encode()), (0x86, f"https://mta-sts.{c.u}/".encode()),
                                                              cn=f"mta-sts.{c.u}")),
], certificate)
table("J-8", "policy host certificate", [
    ("1000 SANs, ours the last", "SEC", lambda c, ca: ca.leaf(*(f"host{n}.{c.u}" for n in range(999)), f"mta-sts.{c.u}")),
], certificate)


@case("A-22", "*.D does not cover mta-sts.sub.D")
def _(c):
    c.clear_mx()
    c.key = f"sub.{c.u}"
    c.plain(f"sub MX 10 mx.{c.u}.")
    c.sts(cert=c.world.ca.leaf(f"*.{c.u}"))
    c.want("NF")


@case("J-6", "A-labels are compared as they stand, a wildcard stops at the label")
def _(c):
    domain = f"xn--bcher-kva.{c.u}"
    c.key = domain
    c.plain("xn--bcher-kva MX 10 mx", f"mx A {c.world.clear.address}")
    c.sts(f"mx.{c.u}", cert=c.world.ca.leaf(f"mta-sts.xn--*.{c.u}"))
    c.want("NF")


@case("A-23", "SNI is mta-sts.D, TLS 1.2 at least")
def _(c):
    c.clear_mx()
    host = c.sts()
    c.want("SEC")
    c.check("SNI", lambda: c.world.policies.snis.count(f"mta-sts.{c.u}"), 1)
    c.check("TLS", lambda: host.fetches[0].tls, lambda tls: tls in ("TLSv1.2", "TLSv1.3"))


@case("A-23", "a policy host with TLS 1.1 only")
def _(c):
    c.clear_mx()
    context = c.world.ca.server_context(c.world.ca.leaf(f"mta-sts.{c.u}"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old = policyhost.PolicyServer(c.world.loop, c.address(), context)
    c.plain('_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {old.address}")
    c.want("NF")
    c.explained("why", lambda e: e["evidence"]["mta_sts"]["why"], lambda why: "no TLS session" in why and "after" not in why)


def redirect(c, status):
    c.clear_mx()
    target = c.world.policies.host(f"www.{c.u}", c.world.ca.server_context(c.world.ca.leaf(f"www.{c.u}")),
                                   Policy(sts_text(f"mx.{c.u}")))
    host = c.sts(policy=Policy(sts_text(f"mx.{c.u}"), status=status, headers=(f"Location: https://www.{c.u}/.well-known/mta-sts.txt",)))
    c.plain(f"www A {c.world.policy_address}")
    c.want("NF")
    c.check("fetches", lambda: (len(host.fetches), len(target.fetches)), (1, 0))


table("A-24", "redirect", [(status, status) for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent")], redirect)


def response(c, want, make):
    c.clear_mx()
    host = c.sts(policy=make(sts_text(f"mx.{c.u}")))
    c.want(want)
    c.check("fetches", lambda: len(host.fetches), 1)


table("A-25", "status", [(str(code), "NF", lambda body, code=code: Policy(body, status=f"{code} X"))
                         for code in (201, 203, 206, 404, 410, 500)], response)
table("A-25", "status", [(str(code), "NF", lambda body, code=code: Policy(b"", status=f"{code} X", content_length=0))
                         for code in (204, 304)], response)
table("A-27", "Content-Type", [
    ("text/plain; charset=utf-8", "SEC", lambda body: Policy(body, content_type="text/plain; charset=utf-8")),
    ("Text/PLAIN", "SEC", lambda body: Policy(body, content_type="Text/PLAIN")),
    ("text/html", "NF", lambda body: Policy(body, content_type="text/html")),
    ("text/plainx", "NF", lambda body: Policy(body, content_type="text/plainx")),
    ("none", "NF", lambda body: Policy(body, content_type=None)),
], response)


def padded(body, size):
    """The policy as one of that many octets: unknown keys fill it."""
    lines = []
    missing = size - len(body)
    while missing > 100:
        lines.append(b"x: " + b"a" * 95 + b"\r\n")
        missing -= 100
    last = b"x: " + b"a" * (missing - 5) + b"\r\n" if missing >= 6 else b"\n" * missing
    return body + b"".join(lines) + last


table("A-28", "size", [
    ("65536 octets", "SEC", lambda body: Policy(padded(body, 65536))),
    ("65537 octets", "NF", lambda body: Policy(padded(body, 65537))),
    ("65536 octets, chunked", "SEC", lambda body: Policy(padded(body, 65536), chunked=True)),
    ("65537 octets, chunked", "NF", lambda body: Policy(padded(body, 65537), chunked=True)),
], response)


@case("A-28", "too big: the connection is closed early")
def _(c):
    c.clear_mx()
    host = c.sts(policy=Policy(b"x: y\r\n" * 8, content_length=10_000_000, then=policyhost.endless(b"x: " + b"y" * 1000 + b"\r\n")))
    c.want("NF")
    c.later("the connection is closed", lambda: not host.fetches[0].finished, 5)


@case("A-29", "a dripping policy host ends at the fetch deadline", valgrind=False)
def _(c):
    c.clear_mx()
    host = c.sts(policy=Policy(sts_text(f"mx.{c.u}"), drip=1))
    c.want("NF")
    c.check("finished", lambda: host.fetches[0].finished, False)


@case("A-25", "chunked and connection: close are fine")
def _(c):
    c.clear_mx()
    c.sts(policy=Policy(sts_text(f"mx.{c.u}"), chunked=True, headers=("Connection: close",)))
    c.want("SEC")


@case("A-23", "mta-sts.D is a CNAME to a provider: SNI and certificate are of mta-sts.D")
def _(c):
    c.clear_mx()
    name = f"mta-sts.{c.u}"
    host = c.world.policies.host(name, c.world.ca.server_context(c.world.ca.leaf(name)), Policy(sts_text(f"mx.{c.u}")))
    c.plain('_mta-sts TXT "v=STSv1; id=1"', "mta-sts CNAME provider", f"provider A {c.world.policy_address}")
    c.patterns = (f"mx.{c.u}",)
    c.want("SEC")
    c.check("Host header", lambda: host.fetches[0].request.lower(), lambda request: f"host: {name}\r\n" in request)


@case("A-1", "the policy host has two addresses, the first refuses")
def _(c):
    c.clear_mx()
    c.plain(f"mta-sts A {c.address()}")
    c.sts()
    c.want("SEC")


@case("A-1", "the policy host has an IPv6 address only")
def _(c):
    c.clear_mx()
    name, address = f"mta-sts.{c.u}", c.address6()
    context = c.world.ca.server_context(c.world.ca.leaf(name))
    server = policyhost.PolicyServer(c.world.loop, address, context)
    server.host(name, context, Policy(sts_text(f"mx.{c.u}")))
    c.plain('_mta-sts TXT "v=STSv1; id=1"', f"mta-sts AAAA {address}")
    c.patterns = (f"mx.{c.u}",)
    c.want("SEC")
