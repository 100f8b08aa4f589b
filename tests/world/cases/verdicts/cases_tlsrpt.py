"""TLSRPT end to end: what a Postfix from 3.10 on, told by mxcryptd through the map "tlsrpt", hands to the collector of reports."""

from dataclasses import replace

import postfix
import smtpd
import waiting
from case import Failed, case
from cases_postfix import WRONG, dane, deliver, plain, verdict
from policyhost import sts_text
from postfix import UNVERIFIED
from tlsrpt import (CERTIFICATE_EXPIRED, CERTIFICATE_HOST_MISMATCH, CERTIFICATE_NOT_TRUSTED, NO_POLICY_FOUND, STARTTLS_NOT_SUPPORTED, STS, TLSA,
                    VALIDATION_FAILURE)

OUTSIDE = "does not match STS MX pattern"


def tlsrpt_case(rows, name):
    return case(rows, f"TLSRPT: {name}", daemon="postfix", group="postfix", valgrind=False, skip=postfix.before(3, 10))


def record(c):
    return f"v=TLSRPTv1; rua=mailto:reports@{c.key}"


def wants_reports(c):
    """The domain's owner asks for reports, and its mail goes by the transport that makes them."""
    (c.zone if c.key == c.d else c.plain)(f'_smtp._tls TXT "{record(c)}"')
    c.world.routes[c.key] = "tlsrpt:"
    c.do(c.world.collector)


def sts_policy(c, body):
    """What RFC 8460 §4.4 has a report say of an MTA-STS policy: its lines, and the patterns of its mx lines."""
    lines = body.decode().splitlines()
    return {"policy-type": STS, "policy-domain": c.key, "policy-string": lines,
            "mx-host": [line.removeprefix("mx: ") for line in lines if line.startswith("mx: ")]}


def tlsa_policy(c, *records):
    """Of DANE (§4.4): the policy domain is the TLSA base domain, the strings are the records in presentation form."""
    return {"policy-type": TLSA, "policy-domain": f"mx.{c.key}", "policy-string": [one.upper() for one in records]}


def no_policy(c):
    return {"policy-type": NO_POLICY_FOUND, "policy-domain": c.key}


def reported(c, policy, failure=None, address=None):
    """One datagram with this policy, and with one session that failed for this reason, or none that did."""
    def step():
        found = waiting.until(lambda: c.world.collector().about(c.key), f"a datagram about {c.key}")
        wanted = {**policy, "t": int(failure is not None), "f": int(failure is not None)}
        got = [dict(one) for report in found for one in report["policies"]]
        details = [one for each in got for one in each.pop("failure-details", [])]
        if [report["pr"] for report in found] != [record(c)] or got != [wanted]:
            raise Failed(f"wanted {wanted}, got {found}")
        if [(one["c"], one["n"], one["r"]) for one in details] != ([(failure, f"mx.{c.key}", address)] if failure else []):
            raise Failed(f"wanted failure {failure}, got {details}")
    c.do(step)


def sts(c, *mx, **more):
    """A domain with MTA-STS: its mail host's server, and the policy that is served."""
    server = plain(c, **more)
    c.sts(*mx)
    wants_reports(c)
    return server, sts_policy(c, sts_text(*c.patterns))


# MTA-STS: a session that succeeds, and one of each kind that does not

@tlsrpt_case("D-1 A-1", "MTA-STS, sent: a success under the policy")
def _(c):
    _, policy = sts(c)
    deliver(c, "sent", "Verified")
    reported(c, policy)


@tlsrpt_case("D-1 A-18", "MTA-STS with a wildcard among the patterns, sent: the patterns as the policy has them")
def _(c):
    _, policy = sts(c, f"*.{c.u}", f"backup.{c.d}", f"MX.{c.u}")
    policy["mx-host"] = [pattern.lower() for pattern in policy["mx-host"]]
    deliver(c, "sent", "Verified")
    reported(c, policy)


def refused(rows, name, failure, cert, tls):
    @tlsrpt_case(rows, f"MTA-STS, {name}: deferred, a failure")
    def _(c):
        server, policy = sts(c, cert=cert(c.world.ca, f"mx.{c.u}"))
        deliver(c, "deferred", tls, "Server certificate not verified")
        reported(c, policy, failure, server.address)


refused("D-1 A-1", "the certificate is for another name", CERTIFICATE_HOST_MISMATCH, lambda ca, _: ca.leaf("other.example"), UNVERIFIED)
refused("D-1 A-1", "the certificate is out of date", CERTIFICATE_EXPIRED, lambda ca, name: ca.expired(name), "Untrusted")
# with "f", why OpenSSL does not trust it; RFC 8460 has certificate-not-trusted for it, which Postfix keeps for DANE
refused("D-1 A-1", "the certificate is of an unknown CA", VALIDATION_FAILURE, lambda ca, name: ca.leaf(name, issuer=ca.stranger), "Untrusted")


def changed(rows, name, temper, failure, says):
    """The policy is known; then the server becomes another."""
    @tlsrpt_case(rows, f"MTA-STS, {name}: deferred, a failure")
    def _(c):
        server, policy = sts(c)
        verdict(c, "SEC")
        c.do(lambda: setattr(server, "temper", temper))
        deliver(c, "deferred", None, says)
        reported(c, policy, failure, server.address)


changed("D-1 A-1", "STARTTLS is missing", smtpd.CLEAR, STARTTLS_NOT_SUPPORTED, "TLS is required, but was not offered")
changed("D-1 A-1", "the handshake fails", replace(smtpd.GOOD, handshake="garbage"), VALIDATION_FAILURE, "Cannot start TLS")


@tlsrpt_case("D-1 hostile-43", "MTA-STS, the MX is outside the policy: deferred with a warning, no datagram")
def _(c):
    server, _ = sts(c, f"elsewhere.{c.d}")
    deliver(c, "deferred", None, f"MX name 'mx.{c.u}' {OUTSIDE} for '{c.u}'")
    c.check("the status", lambda: c.world.postfix().fate(f"user@{c.u}").line, lambda line: "dsn=4.3.0" in line)
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 0)
    c.check("datagrams, once the message is deferred", lambda: c.world.collector().about(c.u), [])


@tlsrpt_case("D-1 A-18", "MTA-STS, one MX of two is outside the policy: it is passed by, the other's success is told")
def _(c):
    _, policy = sts(c)
    c.plain("@ MX 5 outside", f"outside A {c.server().address}")
    deliver(c, "sent", "Verified", OUTSIDE)
    reported(c, policy)


# DANE and no policy: Postfix finds out by itself, our answer has no attributes

@tlsrpt_case("D-1 B-1", "DANE, sent: a success under the TLSA records")
def _(c):
    server = dane(c, "good")
    wants_reports(c)
    deliver(c, "sent", "Verified")
    reported(c, tlsa_policy(c, server.cert.tlsa()))


@tlsrpt_case("D-1 B-39", "DANE, the certificate fits no record: deferred, a failure")
def _(c):
    server = dane(c, WRONG)
    wants_reports(c)
    deliver(c, "deferred", "Untrusted", "Server certificate not verified")
    reported(c, tlsa_policy(c, WRONG), CERTIFICATE_NOT_TRUSTED, server.address)


@tlsrpt_case("D-5", "MTA-STS in mode testing, sent: no policy is claimed, since none was checked")
def _(c):
    plain(c)
    c.sts(mode="testing")
    wants_reports(c)
    deliver(c, "sent", "Verified")
    reported(c, no_policy(c))


@tlsrpt_case("D-1 G-14", "no policy, STARTTLS is missing where it was: deferred, a failure")
def _(c):
    server = plain(c, cert=c.world.ca.leaf("other.example"))
    wants_reports(c)
    verdict(c, "ENC")
    c.do(lambda: setattr(server, "temper", smtpd.CLEAR))
    deliver(c, "deferred", None, "TLS is required, but was not offered")
    reported(c, no_policy(c), STARTTLS_NOT_SUPPORTED, server.address)


@tlsrpt_case("D-1", "a domain that asks for no reports: no datagram")
def _(c):
    plain(c)
    c.sts()
    c.world.routes[c.key] = "tlsrpt:"
    c.do(c.world.collector)
    deliver(c, "sent", "Verified")
    c.check("datagrams, once the message is sent", lambda: c.world.collector().about(c.u), [])
