"""A wildcard of an MTA-STS policy, with a real Postfix older than 3.10.5: RFC 8461 §4.1 means one label, match=.d any depth;
and smart hosts (RFC 8461 §3.4), whose policy is that of their own name."""

import tap
import world
from case import NO_MX, case, secure
from cases_postfix import deliver, postfix_case, verdict
from policyhost import Policy, sts_text
from postfix import UNVERIFIED

DAEMONS = {
    "sts-suffix": {"resolver": world.TAP_ADDRESS, "sts-wildcards": "suffix"},
    "sts-hosts": {"resolver": world.TAP_ADDRESS},
}


def pool(c, *names):
    """MX hosts below c.u, each with a server that has a certificate for its name."""
    c.key = c.u
    for number, name in enumerate(names):
        server = c.plain_host(name)
        c.plain(f"@ MX {number + 1}0 {name}")
    return server


@postfix_case("A-18", "a wildcard covers the MX one label below: delivered, Verified")
def _(c):
    pool(c, "a.in", "b.in")
    c.sts(f"*.in.{c.u}")
    verdict(c, f"OK secure match=a.in.{c.u}:b.in.{c.u} servername=hostname")
    deliver(c, "sent", "Verified")


@postfix_case("A-18", "a wildcard does not cover an MX two labels below: deferred, though its certificate is valid")
def _(c):
    server = pool(c, "a.b.in")
    c.sts(f"*.in.{c.u}")
    verdict(c, f"OK secure match={NO_MX} servername=hostname")
    deliver(c, "deferred", UNVERIFIED, "Server certificate not verified")
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 0)


@postfix_case("A-18", "an MX two labels below beside one that is covered: mail goes to that one alone")
def _(c):
    c.key = c.u
    deep, good = c.plain_host("a.b.in"), c.plain_host("mx.in")
    c.plain("@ MX 10 a.b.in", "@ MX 20 mx.in")
    c.sts(f"*.in.{c.u}")
    verdict(c, f"OK secure match=mx.in.{c.u} servername=hostname")
    deliver(c, "sent", "Verified")
    c.check("mail taken", lambda: [sum(one.mail for one in server.connections) for server in (deep, good)], [0, 1])


@postfix_case("A-44", "a policy with nothing that Postfix can be given: deferred")
def _(c):
    pool(c, "mx")
    c.sts("hostname", "198.51.100.66")
    verdict(c, f"OK secure match={NO_MX} servername=hostname")
    deliver(c, "deferred", UNVERIFIED, "Server certificate not verified")


@postfix_case("A-44", "an address beside the MX: delivered, Verified")
def _(c):
    pool(c, "mx")
    c.sts("198.51.100.66", f"mx.{c.u}", "*.microsoft")
    verdict(c, f"OK secure match=mx.{c.u} servername=hostname")
    deliver(c, "sent", "Verified")


@case("A-18", "sts-wildcards = suffix: as a parent domain", daemon="sts-suffix")
def _(c):
    c.clear_mx()
    c.sts(f"*.{c.u}")
    c.want(f"OK secure match=.{c.u} servername=hostname")


@case("A-18", "the MX set changes within its TTL: the old hosts are named until the TTL ends, then the new", daemon="sts-hosts")
def _(c):
    """What naming hosts costs: for the rest of the TTL mail to an MX that has just been added waits. A Postfix that asks the
    same resolver sees the old MX set for as long."""
    c.key = c.u
    names = [f"{name}.{c.u}" for name in ("old", "new")]
    ttl = 20 if c.world.valgrind else 4  # s: long enough to be asked again meanwhile
    c.plain(*(f"{name} A {c.world.clear.address}" for name in ("old", "new")))
    c.sts(f"*.{c.u}")

    def mx(name, ttl):
        c.rule(c.u, "MX", tap.answer((c.u, "MX", f"10 {name}", ttl)))
    mx(names[0], ttl)
    c.want(f"OK secure match={names[0]} servername=hostname")
    c.do(lambda: mx(names[1], ttl))
    c.want(f"OK secure match={names[0]} servername=hostname")
    c.later("the new MX is named", lambda: c.ask() == f"OK secure match={names[1]} servername=hostname", ttl + 15)


def smart_host(c, key, status, tls, want, cert=None):
    """c.u is routed to a smart host in main.cf."""
    c.key = c.u
    c.plain_host("relay", cert=cert)
    c.sts(f"relay.{c.u}", domain=f"relay.{c.u}")
    c.world.routes[c.u] = f"smtp:{key}"
    c.do(lambda: c.world.postfix())
    c.want(want, key=key)
    deliver(c, status, tls)


for _key in ("[relay.%s]", "relay.%s", "[relay.%s]:25"):
    postfix_case("A-45", f"smart host {_key.replace('%s', 'D')}: its own policy, delivered, Verified")(
        lambda c, key=_key: smart_host(c, key % c.u, "sent", "Verified", secure((f"relay.{c.u}",))))
    postfix_case("A-45", f"smart host {_key.replace('%s', 'D')}: certificate for another name, deferred")(
        lambda c, key=_key: smart_host(c, key % c.u, "deferred", UNVERIFIED, secure((f"relay.{c.u}",)), cert=c.world.ca.leaf("other.example")))


@case("A-45", "a smart host that its own policy does not name")
def _(c):
    c.key = c.u
    c.plain(f"relay A {c.world.clear.address}")
    c.sts("elsewhere.example", domain=f"relay.{c.u}")
    c.want("OK secure match=elsewhere.example servername=hostname", key=f"[relay.{c.u}]")


@case("A-45", "a wildcard covers a smart host")
def _(c):
    c.key = c.u
    c.plain(f"relay A {c.world.clear.address}")
    c.sts(f"*.{c.u}", domain=f"relay.{c.u}")
    c.want(f"OK secure match=relay.{c.u} servername=hostname", key=f"[relay.{c.u}]")


@case("A-45 A-31", "a smart host on another port: no MTA-STS")
def _(c):
    c.key = c.u
    c.plain(f"relay A {c.world.clear.address}")
    host = c.sts(f"relay.{c.u}", domain=f"relay.{c.u}")
    c.want("NF", key=f"[relay.{c.u}]:587")
    c.check("TXT queries", lambda: c.world.tap.asked(f"_mta-sts.relay.{c.u}"), 0)
    c.check("fetches", lambda: len(host.fetches), 0)


@case("A-45", "the policy of a smart host is remembered and ends as any other's", daemon="sts-hosts")
def _(c):
    c.key = c.u
    key = f"[relay.{c.u}]"
    c.plain(f"relay A {c.world.clear.address}")
    host = c.sts(f"relay.{c.u}", domain=f"relay.{c.u}")
    c.want(secure((f"relay.{c.u}",)), key=key)
    c.do(lambda: c.daemon.cli("cache", "flush"))
    c.do(lambda: c.rule(f"_mta-sts.relay.{c.u}", "TXT", tap.silence()))
    c.want(secure((f"relay.{c.u}",)), key=key)
    c.check("fetches", lambda: len(host.fetches), 1)
    c.do(lambda: c.rule(f"_mta-sts.relay.{c.u}", "TXT", None))
    c.do(lambda: setattr(host, "policy", Policy(sts_text(mode="none"))))
    c.forget(key)
    c.want("NF", key=key)
