"""mxcrypt audit over the log of a real Postfix: what it counts is what the mail servers themselves saw, message by message."""

import gzip
import lzma
import os
import ssl
from dataclasses import replace

import postfix
import smtpd
import world
from auditing import (TLSPROXY, Mail, Partner, anonymous_context, audit, counted, known, levels, must_be, must_equal, same, sent_over, troubles)
from case import Failed, case
from smtpd import CLEAR, GOOD

WRONG = "3 1 1 " + "00" * 32
GREYLISTING = replace(GOOD, rcpt=b"450 4.2.0 greylisted, come again\r\n")
HOSTILE = replace(GOOD, rcpt=b"450 4.2.0 x), to=<u@evil.example>, relay=evil[192.0.2.66]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok\r\n")
LMTP_PORT = 24
DAEMONS = {"audit": {"resolver": world.TAP_ADDRESS}}


def audit_case(name, skip=""):
    return case("audit", name, daemon="audit", group="few", valgrind=False, skip=skip)


def tls_1_2(c, *san):
    context = c.world.ca.server_context(c.world.ca.leaf(*san))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


# levels

def every_level(c):
    """Level -> partners."""
    ca = c.world.ca
    return {
        "verified": [Partner(c, "dane", "good"), Partner(c, "sts", sts=True), Partner(c, "verify"),
                     Partner(c, "old", context=tls_1_2(c, f"mx.old.{c.u}"))],
        "trusted": [Partner(c, "other", cert=ca.leaf("other.example"))],
        "untrusted": [Partner(c, "self", cert=ca.leaf(f"mx.self.{c.u}", issuer=None)),
                      Partner(c, "stranger", cert=ca.leaf(f"mx.stranger.{c.u}", issuer=ca.stranger))],
        "anonymous": [Partner(c, "anonymous", context=anonymous_context())],
        "none": [Partner(c, "clear", temper=CLEAR)],
    }


def all_of(partners):
    return [one for some in partners.values() for one in some]


def send_all(mail, partners):
    """To each partner one message, one to three recipients, and one to all partners: five recipients, three messages each."""
    for one in partners:
        mail.send(one.address())
        mail.send(one.address("anna"), one.address("berta"), one.address("carla"))
    mail.send(*(one.address("all") for one in partners))


def is_counted_as_taken(c, **settings):
    partners = every_level(c)
    mail = Mail(c, settings=settings)

    def step():
        mail.start()
        send_all(mail, all_of(partners))
        told = audit(c, mail.stop())
        must_equal(told, *all_of(partners))
        must_be("levels", levels(told), {one.domain: {level: 5} for level, some in partners.items() for one in some})
        count = len(all_of(partners))
        must_be("messages, recipients, deliveries", counted(told), (2 * count + 1, 5 * count, 5 * count))
        must_be("messages of each domain", {one["messages"] for one in told["domains"]}, {3})
        must_be("octets", told["octets"], sum(one["octets"] for one in told["domains"]))
    c.do(step)


@audit_case("each level: one message, several recipients, several domains")
def _(c):
    is_counted_as_taken(c)


@audit_case("the same with long queue ids and a log of every handshake's details")
def _(c):
    is_counted_as_taken(c, smtp_tls_loglevel="2", enable_long_queue_ids="yes")


@audit_case("smtp_tls_loglevel = 0: the levels are unknown, and the remedy is said")
def _(c):
    partners = [Partner(c, "dane", "good"), Partner(c, "clear", temper=CLEAR)]
    mail = Mail(c, settings={"smtp_tls_loglevel": "0"})

    def step():
        mail.start()
        send_all(mail, partners)
        log = mail.stop()
        must_be("levels", levels(audit(c, log)), {one.domain: {"unknown": 5} for one in partners})
        text = c.daemon.cli("audit", log).stdout
        if "smtp_tls_loglevel" not in text:
            raise Failed(f"the text does not say the remedy: {text}")
    c.do(step)


@audit_case("lmtp, local, pipe, discard and error deliver too, and are not counted")
def _(c):
    one = Partner(c, "dane", "good")
    lmtp = c.server(temper=GOOD, address=c.address())
    lmtpd = smtpd.SmtpServer(c.world.loop, lmtp.address, GOOD, lmtp.context, port=LMTP_PORT)
    spool = os.path.join(c.world.folder, f"{c.label}-spool", "")
    services = ("local unix - n n - - local\nlmtp unix - - n - - lmtp\n  -o { lmtp_tls_security_level = may }\n  -o { lmtp_tls_loglevel = 1 }\n"
                "pipe unix - n n - - pipe\n  flags=R user=nobody argv=/bin/true\n")
    mail = Mail(c, settings={"mail_spool_directory": spool}, services=services)
    mail.routes |= {f"lmtp.{c.u}": f"lmtp:inet:{lmtp.address}:{LMTP_PORT}", f"local.{c.u}": "local:", f"pipe.{c.u}": "pipe:",
                    f"discard.{c.u}": "discard:", f"error.{c.u}": "error:5.1.1 no such user"}

    def step():
        os.mkdir(spool)
        os.chmod(spool, 0o1777)
        mail.start()
        for domain in mail.routes:
            mail.send(f"nobody@{domain}")
            mail.send(f"nobody@{domain}", one.address())
        must_be("taken by LMTP", [(len(message.recipients), message.tls) for message in lmtpd.taken], [(1, "TLSv1.3")] * 2)
        told = audit(c, mail.stop())
        must_equal(told, one)
        must_be("sent", {name: tls for name, tls in levels(told).items()}, {one.domain: {"verified": len(mail.routes)}})
        must_be("messages, recipients", counted(told)[:2], counted_of(told, one.domain))
    c.do(step)


def counted_of(told, *names):
    """Messages and recipients of these and of those that bounces went to."""
    some = [one for one in told["domains"] if one["name"] in (*names, "client.signed")]
    return sum(one["messages"] for one in some), sum(one["recipients"] for one in some)


# connections

@audit_case("connections that are used again: in clear, and over TLS by tlsproxy")
def _(c):
    partners = [Partner(c, "clear", temper=CLEAR), Partner(c, "dane", "good"), Partner(c, "encrypt", cert=c.world.ca.leaf("other.example")),
                Partner(c, "old", context=tls_1_2(c, f"mx.old.{c.u}"))]
    mail = Mail(c, settings={"smtp_tls_connection_reuse": "yes", "smtp_connection_cache_time_limit": "60s",
                             "smtp_connection_cache_destinations": ", ".join(one.domain for one in partners)}, services=TLSPROXY)

    def step():
        mail.start()
        known(c, *partners)
        sent = {one.domain: _until_used_three_times(mail, one) for one in partners}
        told = audit(c, mail.stop())
        for one in partners:
            if sum(bool(connection.taken) for connection in one.server.connections) >= sent[one.domain]:
                raise Failed(f"no connection of {one.domain} was used again")
        must_equal(told, *partners)
        must_be("levels", levels(told), {one.domain: {level: 2 * sent[one.domain]}
                                         for one, level in zip(partners, ("none", "verified", "trusted", "verified"))})
        if mail.postfix.log().count("TLS connection reused to") < 6:
            raise Failed("tlsproxy's connections were not used again")
    c.do(step)


def _until_used_three_times(mail, partner):
    """Messages for two recipients each; how many. A message may come before the connection of the one before is in the cache."""
    for number in range(1, 30):
        address = partner.address(f"user{number}")
        mail.send(address, partner.address("other"))
        if "conn_use=3," in mail.lines(address)[0]:
            return number
    raise Failed(f"no connection of {partner.domain} was used three times")


@audit_case("the handshake fails, or the session after it, and at the next attempt mail goes in clear")
def _(c):
    garbage, closing = Partner(c, "garbage"), Partner(c, "closing")
    partners = [garbage, closing]
    may = " ".join(f"{{ {one.domain} = may }}" for one in partners)
    mail = Mail(c, settings={"smtp_tls_policy_maps": f"inline:{{ {may} }}"})

    def step():
        garbage.becomes(replace(GOOD, handshake="garbage"))
        closing.becomes(replace(GOOD, after_handshake="close_at_ehlo", ehlo_over_tls=b""))
        mail.start()
        for one in partners:
            mail.send(one.address())
        sent = "status=sent"
        while not all(sent in mail.lines(one.address())[-1] for one in partners):
            mail.again(*(one.address() for one in partners if sent not in mail.lines(one.address())[-1]))
        told = audit(c, mail.stop())
        must_equal(told, *partners)
        must_be("levels", levels(told), {one.domain: {"none": 1} for one in partners})
        must_be("what TLS deferred", {domain: {cause: figures[1:] for cause, figures in causes.items()} for domain, causes in troubles(told).items()},
                {garbage.domain: {"handshake": (1, 1, 0)}})
    c.do(step)


@audit_case("the first mail host fails, and the second takes the mail at its own level")
def _(c):
    first, second = Partner(c, "first"), Partner(c, "second", cert=c.world.ca.leaf("other.example"))
    c.plain(f"both MX 10 mx.first.{c.u}.", f"both MX 20 mx.second.{c.u}.")
    domain = f"both.{c.u}"
    mail = Mail(c)

    def step():
        c.ask(domain)
        mail.start()
        mail.send(f"before@{domain}")
        first.becomes(replace(GOOD, rcpt=b"421 4.3.2 not now\r\n"))
        mail.send(f"after@{domain}", f"also@{domain}")
        must_be("taken", [len(one.server.taken) for one in (first, second)], [1, 1])
        told = audit(c, mail.stop())
        must_equal(told, first, second)
        must_be("sent", sum(levels(told)[domain].values()), 3)
    c.do(step)


# what fails

@audit_case("mail that TLS defers, in every way, and then goes: the cause, who waited and what ended it")
def _(c):
    ca = c.world.ca
    stripped, refusing, failing = Partner(c, "stripped"), Partner(c, "refusing"), Partner(c, "failing")
    mismatch, named = Partner(c, "mismatch", WRONG), Partner(c, "named", cert=ca.leaf("other.example"), sts=True)
    bogus, temporary = Partner(c, "bogus", signed=True), Partner(c, "temporary", signed=True, sts=True)
    without = Partner(c, "without", signed=True)
    for one in (bogus, temporary):
        c.child(f"_tcp.mx.{one.domain}", "bogus", f"_25 TLSA {WRONG}")
    causes = {stripped: "not-offered", refusing: "refused", failing: "handshake", mismatch: "certificate", named: "certificate",
              bogus: "tlsa-lookup", temporary: "policy-lookup", without: "no-dane"}
    mended = (stripped, refusing, failing)
    mail = Mail(c)
    mail.postfix.settings["smtp_tls_policy_maps"] = f"inline:{{ {{ {without.domain} = dane-only }} }}, {mail.maps}"

    def step():
        mail.start()
        known(c, *causes)
        for one, temper in zip(mended, (CLEAR, replace(GOOD, starttls=b"454 4.7.0 status=sent (not now)\r\n"), replace(GOOD, handshake="garbage"))):
            one.becomes(temper)
        for one in causes:
            mail.send(one.address(), one.address("other"))
            mail.must_say(one.address(), "status=deferred")
        must_be("taken", [one.domain for one in causes if one.server.taken], [])
        told = audit(c, mail.postfix.log_path)
        must_equal(told)
        must_be("deferred by TLS", troubles(told), {one.domain: {cause: (2, 2, 0, 2)} for one, cause in causes.items()})
        must_be("in all", {key: value for key, value in told["deferred_by_tls"].items() if value},
                {cause: 2 * list(causes.values()).count(cause) for cause in causes.values()})
        for one in mended:
            one.becomes(GOOD)
        mail.again(*(one.address() for one in mended))
        told = audit(c, mail.stop())
        must_equal(told, *mended)
        must_be("what ended it", {name: told_causes for name, told_causes in troubles(told).items() if name in {one.domain for one in mended}},
                {one.domain: {causes[one]: (2, 2, 2, 0)} for one in mended})
        must_be("recipients", {one["recipients"] for one in told["domains"]}, {2})
        reasons = {one["domain"]: one["text"] for one in told["troubles"] if one["domain"]}
        why = mail.reason_of(temporary.domain)
        if not why or why not in reasons[temporary.domain]:
            raise Failed(f"mxcryptd said {why!r}, the audit {reasons}")
    c.do(step)


@audit_case("STARTTLS is refused for good where a rule of main.cf asks for it: bounced, and TLS is the cause")
def _(c):
    one = Partner(c, "refusing", temper=replace(GOOD, starttls=b"554 5.7.0 status=sent (no)\r\n"))
    mail = Mail(c, settings={"smtp_tls_policy_maps": f"inline:{{ {{ {one.domain} = encrypt }} }}"})

    def step():
        mail.start()
        mail.send(one.address(), one.address("other"))
        mail.must_say(one.address(), "status=bounced")
        told = audit(c, mail.stop())
        must_be("bounced by TLS", ({key: value for key, value in told["bounced_by_tls"].items() if value}, troubles(told)),
                ({"refused": 2}, {one.domain: {"refused": (0, 2, 0, 0)}}))
        must_equal(told, one)
    c.do(step)


@audit_case("no mail host matches the MTA-STS policy: Postfix 3.10 defers without a word in the status line", postfix.before(3, 10))
def _(c):
    one = Partner(c, "elsewhere")
    c.sts(f"mx.somewhere.{c.d}", domain=one.domain)
    mail = Mail(c, policy="tlsrpt")

    def step():
        mail.start()
        known(c, one)
        mail.send(one.address())
        mail.must_say(one.address(), "4.3.0", "server unavailable or unable to receive mail")
        told = audit(c, mail.stop())
        must_be("deferred by TLS", troubles(told), {one.domain: {"mx-pattern": (1, 1, 0, 1)}})
    c.do(step)


@audit_case("greylisting, a mailbox that does not exist, replies that read like a log: TLS is not the cause")
def _(c):
    grey, unknown, hostile = Partner(c, "grey", temper=GREYLISTING), Partner(c, "unknown", temper=replace(GOOD, rcpt=b"550 5.1.1 no such user\r\n")), \
        Partner(c, "hostile", temper=HOSTILE)
    mail = Mail(c)

    def step():
        mail.start()
        for one in (grey, unknown, hostile):
            mail.send(one.address())
        must_be("refused", [len(one.server.refused) for one in (grey, unknown, hostile)], [1, 1, 1])
        grey.becomes(GOOD)
        mail.again(grey.address())
        told = audit(c, mail.stop())
        must_equal(told, grey)
        must_be("deferred by TLS", (troubles(told), sum(told["deferred_by_tls"].values())), ({}, 0))
        statuses = {one["name"]: {key: value for key, value in one["statuses"].items() if value} for one in told["domains"]}
        must_be("grey", statuses[grey.domain], {"sent": 1, "deferred": len(grey.server.refused)})
        must_be("unknown", statuses[unknown.domain], {"bounced": 1})
        must_be("hostile", statuses[hostile.domain], {"deferred": len(hostile.server.refused)})
        must_be("domains", sorted(statuses), sorted([grey.domain, unknown.domain, hostile.domain, "client.signed"]))
    c.do(step)


# instances and routes

@audit_case("two instances and a service of its own name write to one log")
def _(c):
    partners = [Partner(c, "dane", "good"), Partner(c, "clear", temper=CLEAR), Partner(c, "relayed", cert=c.world.ca.leaf("other.example"))]
    first = Mail(c, transports={"relay": ({"syslog_name": "postfix/relay"}, False)})
    first.routes[partners[2].domain] = "relay:"
    second = Mail(c, "-out", settings={"maillog_file": first.postfix.log_path, "syslog_name": "postfix-out"})

    def step():
        first.start()
        second.start()
        for number in range(3):
            for one in partners:
                addresses = [[one.address(f"user{number}{who}") for who in "ab"] for _ in range(2)]
                first.postfix.submit(addresses[0][0])
                second.postfix.submit(addresses[1][1])
        first.told({one.address(f"user{number}{who}"): 0 for number in range(3) for one in partners for who in "ab"})
        second.stop()
        log = first.stop()
        for name in ("postfix/smtp[", "postfix/relay/smtp[", "postfix-out/smtp["):
            if name not in first.postfix.log():
                raise Failed(f"{name} is not in the log")
        told = audit(c, log)
        must_equal(told, *partners)
        must_be("levels", levels(told), dict(zip((one.domain for one in partners), ({"verified": 6}, {"none": 6}, {"trusted": 6}))))
    c.do(step)


@audit_case("a relayhost: what goes there counts for it, when the log is that of a Postfix whose main.cf is known")
def _(c):
    relay = Partner(c, "relay")
    name = f"[mx.{relay.domain}]"
    mail = Mail(c, settings={"relayhost": name})
    recipients = [f"{user}@{domain}.example" for domain in ("one", "two") for user in ("anna", "berta")]

    def step():
        mail.start()
        mail.send(*recipients)
        mail.send(*recipients[:2])
        log = mail.stop()
        must_be("taken", sent_over(relay), {"one.example": {"TLSv1.3": 4}, "two.example": {"TLSv1.3": 2}})
        told = audit(c, "--postfix", mail.postfix.etc, log)
        must_be("levels", levels(told), {name: {"verified": 6}})
        must_be("messages, recipients, deliveries", counted(told), (2, 6, 6))
        must_equal(audit(c, log), relay)
    c.do(step)


# files

def contents(told):
    """What does not depend on where the log was read."""
    return {key: value for key, value in told.items() if key not in ("source", "written")}


@audit_case("the same log as a file, compressed, through standard input, and in pieces in any order")
def _(c):
    partners = [Partner(c, "dane", "good"), Partner(c, "clear", temper=CLEAR)]
    mail = Mail(c)

    def step():
        mail.start()
        send_all(mail, partners)
        log = mail.stop()
        want = contents(audit(c, log))
        must_equal(want, *partners)
        with open(log, "rb") as file:
            text = file.read()
        middle = text.index(b"\n", len(text) // 2) + 1
        folder = os.path.join(c.world.folder, f"{c.label}-pieces")
        os.mkdir(folder)
        for name, data in (("all.gz", gzip.compress(text)), ("all.xz", lzma.compress(text)), ("first.gz", gzip.compress(text[:middle])),
                           ("second", text[middle:])):
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(data)
            os.utime(path, (os.path.getmtime(log) - (name == "first.gz"),) * 2)
        for names in (["all.gz"], ["all.xz"], ["first.gz", "second"], ["second", "first.gz"]):
            same(f"read as {names}", contents(audit(c, *(os.path.join(folder, name) for name in names))), want)
        with open(log, "rb") as file:
            same("read from standard input", contents(audit(c, "-", stdin=file)), want)
        same("found by main.cf", contents(audit(c, "--postfix", mail.postfix.etc)), want)
    c.do(step)


@audit_case("the log is rotated between deferral and success")
def _(c):
    one = Partner(c, "grey", temper=GREYLISTING)
    stripped = Partner(c, "stripped")
    mail = Mail(c, settings={"maillog_file_compressor": "gzip"})

    def step():
        mail.start()
        known(c, stripped)
        stripped.becomes(CLEAR)
        mail.send(one.address())
        mail.send(stripped.address())
        mail.postfix.run("postfix", "logrotate")
        rotated = mail.rotated()
        one.becomes(GOOD)
        stripped.becomes(GOOD)
        mail.again(one.address(), stripped.address())
        log = mail.stop()
        told = audit(c, log, *rotated)
        must_equal(told, one, stripped)
        must_be("messages, recipients", counted(told)[:2], (2, 2))
        must_be("what ended it", troubles(told)[stripped.domain]["not-offered"][1:], (1, 1, 0))
        must_be("grey", next(domain["statuses"] for domain in told["domains"] if domain["name"] == one.domain),
                {"sent": 1, "deferred": len(one.server.refused), "bounced": 0})
    c.do(step)
