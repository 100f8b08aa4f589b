"""G-17 and on: hosts that offer STARTTLS and with which mail over TLS does not get through, or not in every way."""

import ssl
from dataclasses import replace

import smtpd
import world
from case import Failed, case, table
from cases_g_to_j import temper_table
from cases_postfix import deliver, plain, postfix_case, verdict
from smtpd import GOOD


FLOOR = {"tls-protocols": ">=TLSv1.2", "tls-ciphers": "high !AES128"}
SOURCE = {"probe-bind-address": world.SOURCE, "probe-bind-address6": world.SOURCE6}
DAEMONS = {
    "floor": {"resolver": "127.0.0.53", "probe-deadline": "4s", **FLOOR},
    "postfix-floor": FLOOR,
    "source": {"resolver": "127.0.0.53", "probe-deadline": "4s", **SOURCE},
    "source-away": {"resolver": "127.0.0.53", "probe-bind-address": "192.0.2.1", "probe-retry-min": "1s"},
    "postfix-source": SOURCE,
}


def asking_for_certificates(c, version):
    """A server context that refuses a client without a certificate, in TLS 1.3 only after the client's handshake."""
    context = c.world.ca.server_context(c.world.ca.leaf(f"mx.{c.u}"))
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def seen(c, state, *words):
    """What explain says of the only address."""
    def pick(explained):
        address = explained["evidence"]["hosts"][0]["addresses"][0]
        return address["starttls"], address.get("detail") or ""
    c.explained("what was seen", pick, lambda got: got[0] == state and all(word in got[1] for word in words))


temper_table("G-17", "EHLO in TLS", [
    ("closed after the handshake", "NF", {"after_handshake": "close"}), ("reset after the handshake", "NF", {"after_handshake": "reset"}),
    ("closed at EHLO", "NF", {"after_handshake": "close_at_ehlo", "ehlo_over_tls": b""}),
    ("closed within the reply", "NF", {"after_handshake": "close_at_ehlo", "ehlo_over_tls": b"250-mail.world\r\n250-SI"}),
    ("closed after a whole reply", "VER", {"after_handshake": "close_at_ehlo"}),
    ("silence", "NF", {"after_handshake": "hang"}), ("554", "NF", {"ehlo_over_tls": b"554 no\r\n"}),
    ("421", "NF", {"ehlo_over_tls": b"421 not now\r\n"}), ("450", "NF", {"ehlo_over_tls": b"450 not now\r\n"}),
    ("502, and HELO would do", "NF", {"ehlo_over_tls": b"502 what?\r\n"}), ("no SMTP", "NF", {"ehlo_over_tls": b"what?\r\n"}),
])


def beside_a_good_one(c, want, temper):
    """Two MX hosts; whether the first counts as one without TLS shows in the verdict."""
    c.key = c.u
    c.plain("@ MX 10 mx", "@ MX 20 mx2")
    c.plain_host("mx", temper=temper)
    c.plain_host("mx2")
    c.want(want)


table("G-17", "EHLO in TLS, beside a good host", [
    ("closed: this one does no TLS", "NF", replace(GOOD, after_handshake="close")),
    ("silence: this one does no TLS", "NF", replace(GOOD, after_handshake="hang")),
    ("554 says nothing about TLS", "VER", replace(GOOD, ehlo_over_tls=b"554 no\r\n")),
    ("421 says nothing about TLS", "VER", replace(GOOD, ehlo_over_tls=b"421 not now\r\n")),
], beside_a_good_one)


def wants_client_certificate(c, version, words):
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx", context=asking_for_certificates(c, version))
    c.want("NF")
    seen(c, "broken", words)


table("G-17", "a client certificate is asked for", [
    ("TLS 1.3, after the handshake", ssl.TLSVersion.TLSv1_3, "EHLO in TLS"),
    ("TLS 1.2, within the handshake", ssl.TLSVersion.TLSv1_2, "handshake"),
], wants_client_certificate)


def sent_at_last(c, **more):
    """Postfix alone falls back to the clear once the message is older than minimal_backoff_time; so must it with us."""
    server = plain(c, **more)
    c.world.routes[c.u] = "soon:"
    verdict(c, "NF")
    recipient = f"user@{c.u}"

    def step():
        queue = c.world.postfix()
        queue.submit(recipient)
        fates = queue.try_again(recipient, lambda fate: fate.status == "sent")
        if any(fate.status not in ("deferred", "sent") for fate in fates):
            raise Failed("\n".join(map(str, fates)))
    c.do(step)
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 1)


@postfix_case("G-17", "closed after the handshake: nothing known, delivered in the clear in the end")
def _(c):
    sent_at_last(c, temper=replace(GOOD, after_handshake="close"))


@postfix_case("G-17", "a client certificate asked for in TLS 1.3: delivered in the clear in the end")
def _(c):
    sent_at_last(c, context=asking_for_certificates(c, ssl.TLSVersion.TLSv1_3))


@postfix_case("G-17", "EHLO in TLS 421 at one host, the other one is good: verify, delivered there")
def _(c):
    plain(c, temper=replace(GOOD, ehlo_over_tls=b"421 not now\r\n"))
    c.plain("@ MX 20 mx2")
    c.plain_host("mx2")
    verdict(c, "VER")
    deliver(c, "sent", "Verified")


def at_a_name(ca, san, refuse):
    """A server context with a certificate for the name, and refuse(sslobject) when there is an SNI: an alert, or no alert."""
    context = ca.server_context(ca.leaf(san))

    def choose(sslobject, name, _context):
        sslobject.sni_seen = name
        return refuse(sslobject) if name else None
    context.sni_callback = choose
    return context


def strict_host(c, declare, refuse):
    """A mail host that refuses any SNI; SmtpServer would put its own callback in the place of this one."""
    server = declare(c)
    server.context = at_a_name(c.world.ca, f"mx.{c.key}", refuse)
    return server


ALERTS = [("unrecognized_name", lambda _: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME),
          ("internal_error", lambda _: ssl.ALERT_DESCRIPTION_INTERNAL_ERROR),
          ("access_denied", lambda _: ssl.ALERT_DESCRIPTION_ACCESS_DENIED),
          ("handshake_failure", lambda _: ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE)]


def without_sni(c, refuse):
    server = strict_host(c, plain, refuse)
    c.want("ENC")
    seen(c, "tls", "works only without SNI")
    c.check("connections", lambda: len(server.connections), 2)


table("G-19", "an SNI is refused", ALERTS, without_sni)


@case("G-19", "MTA-STS enforced: secure, which sends an SNI, stays")
def _(c):
    strict_host(c, plain, ALERTS[0][1])
    c.sts()
    c.want("SEC")


@case("G-19", "an SNI is refused at one host of two, the other one is good")
def _(c):
    strict_host(c, plain, ALERTS[0][1])
    c.plain("@ MX 20 mx2")
    c.plain_host("mx2")
    c.want("ENC")


@case("G-19", "DANE: Postfix sends the SNI, so that it counts")
def _(c):
    c.zone("@ MX 10 mx")
    strict_host(c, lambda c: c.host("mx", "good"), ALERTS[0][1])
    c.want("DO")
    c.later("the probe", lambda: c.explain()["evidence"]["hosts"][0]["addresses"][0]["starttls"] == "broken")


@postfix_case("G-19", "an SNI is refused: encrypt, delivered")
def _(c):
    strict_host(c, plain, ALERTS[0][1])
    verdict(c, "ENC")
    deliver(c, "sent", "Trusted")


def old_context(c, version=None, ciphers=None, lowest=ssl.TLSVersion.TLSv1):
    """A server context that goes no further than that version, or has those ciphers of TLS 1.2."""
    context = c.world.ca.server_context(c.world.ca.leaf(f"mx.{c.u}"))
    context.set_ciphers(f"{ciphers or 'ALL'}:@SECLEVEL=0")
    context.minimum_version = lowest
    context.maximum_version = version or (ssl.TLSVersion.TLSv1_2 if ciphers else ssl.TLSVersion.TLSv1_3)
    return context


def by_version(c, want, connections, words=(), **kind):
    server = plain(c, context=old_context(c, **kind))
    c.want(want)
    if words:
        seen(c, "broken", *words)
    c.check("connections", lambda: len(server.connections), connections)


V = ssl.TLSVersion
table("G-18", "at least TLS 1.2, high without AES128", [
    ("TLS 1.0", "NF", 2, ("TLSv1 and", "tls-protocols"), {"version": V.TLSv1}),
    ("TLS 1.1", "NF", 2, ("TLSv1.1 and", "tls-protocols"), {"version": V.TLSv1_1}),
    ("TLS 1.2", "VER", 1, (), {"version": V.TLSv1_2}), ("TLS 1.3", "VER", 1, (), {"lowest": V.TLSv1_3}),
    ("AES128 alone", "NF", 3, ("TLSv1.2 and ECDHE-ECDSA-AES128-GCM-SHA256", "tls-ciphers"), {"ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}),
    ("AES128 and AES256", "VER", 1, (), {"ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"}),
], lambda c, want, connections, words, kind: by_version(c, want, connections, words, **kind), daemon="floor")
table("G-18", "by default", [
    ("TLS 1.0", "ENC", 1, (), {"version": V.TLSv1}), ("TLS 1.1", "ENC", 1, (), {"version": V.TLSv1_1}),
    ("AES128 alone", "VER", 1, (), {"ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}),
], lambda c, want, connections, words, kind: by_version(c, want, connections, words, **kind))


@case("G-18", "mxcrypt probe and explain tell what a host below the floor does", daemon="floor")
def _(c):
    plain(c, context=old_context(c, version=V.TLSv1))
    c.want("NF")
    told = "does TLS only with TLSv1 and ECDHE-ECDSA-AES256-SHA, which tls-protocols does not allow"

    def says(*words):
        return c.daemon.cli(*words).stdout
    c.check("mxcrypt probe", lambda: says("probe", f"mx.{c.u}"),
            lambda text: "STARTTLS broken, TLSv1, ECDHE-ECDSA-AES256-SHA\n" in text and told in text)
    c.check("mxcrypt explain", lambda: says("explain", c.u), lambda text: told in text.split("Why")[1])


def below_the_floor(c, **kind):
    """Postfix with a floor, asked through a daemon that knows of it: the mail gets through, in the clear."""
    server = plain(c, context=old_context(c, **kind))
    c.world.routes[c.u] = "floor:"
    verdict(c, "NF")
    deliver(c, "sent", "Trusted" if kind else None)
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 1)


def floor_case(name):
    return case("G-18", name, daemon="postfix-floor", group="postfix", valgrind=False)


@floor_case("TLS 1.0 alone, below Postfix's floor: nothing known, delivered over what TLS there is")
def _(c):
    below_the_floor(c, version=V.TLSv1)


@floor_case("a cipher that Postfix excludes: nothing known, delivered over what TLS there is")
def _(c):
    below_the_floor(c, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")


@postfix_case("G-18", "what the floor is for: asked through a daemon that does not know of it mail waits")
def _(c):
    plain(c, context=old_context(c, version=V.TLSv1))
    c.world.routes[c.u] = "floor-lax:"
    verdict(c, "ENC")
    deliver(c, "deferred", None, "Cannot start TLS")


def particular(c, known, others, declare=plain):
    """A server that has one temper for the source address and another one for all others."""
    server = declare(c)
    server.temper, server.tempers = others, {world.SOURCE: known, world.SOURCE6: known}
    return server


def clients(server):
    return {one.client for one in server.connections}


def by_source(c, want, known, others):
    server = particular(c, known, others)
    c.want(want)
    c.check("connections came from", lambda: clients(server), lambda got: got == {world.SOURCE})


REFUSED = replace(GOOD, greeting=b"554 not you\r\n")
table("G-1", "a server that treats addresses differently, probe-bind-address", [
    ("others get no STARTTLS", "VER", GOOD, smtpd.CLEAR), ("others are refused", "VER", GOOD, REFUSED),
    ("ours gets no STARTTLS", "NF", smtpd.CLEAR, GOOD), ("ours is refused", "NF", REFUSED, GOOD),
], by_source, daemon="source")


@case("G-1", "probe-bind-address6: the IPv6 address is used for IPv6, each family for itself", daemon="source")
def _(c):
    c.key = c.u
    server = particular(c, GOOD, smtpd.CLEAR, lambda c: c.server(f"mx.{c.u}", address="2001:db8::26"))
    other = particular(c, GOOD, smtpd.CLEAR, lambda c: c.plain_host("mx"))
    c.plain("@ MX 10 mx", "mx AAAA 2001:db8::26")
    c.want("VER")
    c.check("connections came from", lambda: clients(server) | clients(other), {world.SOURCE, world.SOURCE6})


@case("G-1", "probe-bind-address that this host does not have: nothing is probed, nothing is known, and it is logged", daemon="source-away")
def _(c):
    server = plain(c)
    c.want("NF")
    seen(c, "unknown", "probe-bind-address: address not available")
    c.check("connections", lambda: len(server.connections), 0)
    c.check("log", lambda: c.daemon.log(), lambda log: "event=probe-address-unusable" in log and "address=192.0.2.1" in log)


@case("G-1", "smtp_bind_address and probe-bind-address: the server has STARTTLS for that address alone, delivered, Verified",
      daemon="postfix-source", group="postfix", valgrind=False)
def _(c):
    server = particular(c, GOOD, smtpd.CLEAR)
    c.world.routes[c.u] = "source:"
    verdict(c, "VER")
    deliver(c, "sent", "Verified")
    c.check("connections came from", lambda: clients(server), {world.SOURCE})
