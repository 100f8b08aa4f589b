"""Policy lists and a real Postfix: what a listed domain's mail does at the first contact, and after the list has expired."""

import os
import time

import listing
import ruleset
import tap
import waiting
from case import Failed, case
from cases_postfix import deliver
from listing import enforce, testing
from postfix import UNVERIFIED
from ruleset import WRONG_TLSA, Ordered
from smtpd import CLEAR

ROW = "lists"
MISSING = "TLS is required, but was not offered"
DAEMONS = {
    "postfix-lists": {**ruleset.QUICK, "policy-list": "FOLDER/listed.json key=FOLDER/listed.pub"},
}


class Shared:
    """The list that these cases share, whole before the daemon starts."""

    _source = None

    @classmethod
    def add(cls, c, **policies):
        path = os.path.join(c.world.folder, "listed")
        if cls._source is None:
            cls._source = listing.Source(f"{path}.json", listing.Minisign(path))
        cls._source.add(**policies)


def mail_case(name):
    return case(ROW, name, daemon="postfix-lists", group="postfix", valgrind=False)


def own_host(c, **more):
    c.key = c.u
    c.plain("@ MX 10 mx")
    return c.plain_host("mx", **more)


def mail(c, policy, status, tls=None, says=""):
    """A list with this policy for c.key, and what becomes of the first message to it."""
    if policy is not None:
        Shared.add(c, **{c.key: policy})
    c.world.routes[c.key] = "lists:"
    deliver(c, status, tls, says)


def taken(c, server, want):
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), want)


@mail_case("first contact, STARTTLS is stripped: a listed domain's mail waits")
def _(c):
    server = own_host(c, temper=CLEAR)
    mail(c, enforce(f"mx.{c.u}"), "deferred", None, MISSING)
    taken(c, server, 0)


@mail_case("first contact, STARTTLS is stripped: mail to a domain on no list goes out")
def _(c):
    server = own_host(c, temper=CLEAR)
    mail(c, None, "sent")
    taken(c, server, 1)


@mail_case("first contact, STARTTLS is stripped: an entry in testing mode holds nothing up")
def _(c):
    server = own_host(c, temper=CLEAR)
    mail(c, testing(f"mx.{c.u}"), "sent")
    taken(c, server, 1)


@mail_case("listed, and all is well: delivered, Verified")
def _(c):
    own_host(c)
    mail(c, enforce(f"mx.{c.u}"), "sent", "Verified")


@mail_case("a suffix covers hosts one label below it: delivered, Verified")
def _(c):
    own_host(c)
    mail(c, enforce(f".{c.u}"), "sent", "Verified")


@mail_case("a suffix does not cover hosts two labels below it: deferred, although the certificate is valid")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx.deep")
    server = c.plain_host("mx.deep")
    mail(c, enforce(f".{c.u}"), "deferred", UNVERIFIED, "Server certificate not verified")
    taken(c, server, 0)


@mail_case("the MX is another's, with a certificate valid for itself: deferred")
def _(c):
    server = own_host(c)
    mail(c, enforce("mx.elsewhere.example"), "deferred", UNVERIFIED, "Server certificate not verified")
    taken(c, server, 0)


@mail_case("the certificate is nobody's: deferred")
def _(c):
    server = own_host(c, cert=c.world.ca.leaf(f"mx.{c.key}", issuer=c.world.ca.stranger))
    mail(c, enforce(f"mx.{c.u}"), "deferred", UNVERIFIED, "Server certificate not verified")
    taken(c, server, 0)


@mail_case("an unsigned MX that names a host with TLSA of its own does not override the list: deferred")
def _(c):
    c.key = c.u
    c.plain(f"@ MX 10 mx.{c.d}.")
    server = c.host("mx", "good")
    mail(c, enforce(f"mx.{c.u}"), "deferred", UNVERIFIED, "Server certificate not verified")
    taken(c, server, 0)


@mail_case("STARTTLS is stripped, and NXDOMAIN forged for mxcryptd alone: a listed domain's mail waits")
def _(c):
    server = own_host(c, temper=CLEAR)
    c.rule(c.u, "MX", tap.answer(rcode="NXDOMAIN"))
    mail(c, enforce(f"mx.{c.u}"), "deferred", None, MISSING)
    taken(c, server, 0)


@mail_case("STARTTLS is stripped, and the answer for TLSA held back from mxcryptd alone: a listed domain's mail waits")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 mx")
    server = c.host("mx", temper=CLEAR)
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.silence())
    mail(c, enforce(f"mx.{c.d}"), "deferred", None)
    taken(c, server, 0)


@mail_case("DANE decides beside a list: TLSA that does not match is deferred, whatever the certificate is valid for")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 mx")
    server = c.host("mx", WRONG_TLSA)
    mail(c, enforce(f"mx.{c.d}"), "deferred", "Untrusted", "Server certificate not verified")
    taken(c, server, 0)


@mail_case("TLSA at one host, which does not answer, and STARTTLS is stripped at the other: deferred")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 dead", "@ MX 20 clear", f"dead A {c.address()}", f"_25._tcp.dead TLSA {WRONG_TLSA}")
    server = c.host("clear", temper=CLEAR)
    mail(c, enforce(f"dead.{c.d}", f"clear.{c.d}"), "deferred")
    taken(c, server, 0)


@mail_case("MTA-STS decides beside a list that has other hosts: delivered, Verified")
def _(c):
    own_host(c)
    c.sts()
    mail(c, enforce("mx.elsewhere.example"), "sent", "Verified")


@mail_case("the list expires: mail that waited goes out, and nothing else is held up")
def _(c):
    names = {name: f"{name}.{c.u}" for name in ("before", "after")}
    c.plain(*(f"{name} MX 10 mx" for name in names))
    server = c.plain_host("mx", temper=CLEAR)
    for key in names.values():
        c.world.routes[key] = "lists-expire:"
    path = os.path.join(c.world.folder, c.label)
    postfix = c.world.postfix

    def step():
        source = listing.Source(f"{path}.json", listing.Minisign(path), expires=int(time.time()) + 15)
        source.write({key: enforce(f"mx.{c.u}") for key in names.values()})
        with Ordered(c, like="postfix-lists", policy_list=source.option) as life:
            life.name = "postfix-lists-expire"
            one = life.start()
            got = postfix().deliver(f"user@{names['before']}")
            if got.status != "deferred" or MISSING not in got.line:
                raise Failed(f"while it is in force: {got}")
            waiting.until(lambda: one.events("policy-list-expired"), "the list has expired", 60)
            got = postfix().deliver(f"user@{names['after']}")
            if got.status != "sent":
                raise Failed(f"a domain that was never asked for: {got}")
            got = postfix().deliver(f"later@{names['before']}")
            if got.status != "sent":
                raise Failed(f"a domain whose answer was in the cache: {got}")
    c.do(postfix)
    c.do(step)
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), lambda mails: mails >= 2)
