"""The operator's orders with a real Postfix: what each rule does to mail, parent lookups, monitor, and a restart that nobody notices."""

import itertools
import os
import socket
import threading

import ruleset
import tap
import waiting
from case import Failed, case
from cases_postfix import deliver
from ruleset import FOUND, LITERAL, REFUSING, WRONG_TLSA, Ordered, Recorder, shared
from postfix import UNVERIFIED
from smtpd import CLEAR

ROW = "orders"
DAEMONS = {
    "postfix-orders": {**ruleset.QUICK, "rules": "FOLDER/postfix-orders.rules"},
}


def mail_case(name):
    return case(ROW, name, daemon="postfix-orders", group="postfix", valgrind=False)


def mail(c, rule, status, tls=None, says=""):
    """The rule for c.key, and what becomes of a message to it."""
    shared(c, f"{c.key} {rule}")
    c.world.routes[c.key] = "orders:"
    deliver(c, status, tls, says)


def taken(c, server, want):
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), want)


def own_host(c, **more):
    c.key = c.u
    c.plain("@ MX 10 mx")
    return c.plain_host("mx", **more)


@mail_case("at-least encrypt, no STARTTLS: deferred, nothing goes out")
def _(c):
    server = own_host(c, temper=CLEAR)
    mail(c, "at-least encrypt", "deferred", None, "TLS is required, but was not offered")
    taken(c, server, 0)


@mail_case("at-least encrypt, a server that does TLS: delivered")
def _(c):
    server = own_host(c, cert=c.world.ca.leaf("other.example"))
    mail(c, "at-least encrypt", "sent", "Trusted")
    taken(c, server, 1)


@mail_case("at-least encrypt, STARTTLS refused for good: deferred, not bounced")
def _(c):
    server = own_host(c, temper=REFUSING)
    mail(c, "at-least encrypt", "deferred", None, "4.7.5")
    taken(c, server, 0)


@mail_case("at-least verify, the certificate is for another name: deferred")
def _(c):
    server = own_host(c, cert=c.world.ca.leaf("other.example"))
    mail(c, "at-least verify", "deferred", UNVERIFIED, "Server certificate not verified")
    taken(c, server, 0)


@mail_case("at-least verify: delivered, Verified")
def _(c):
    own_host(c)
    mail(c, "at-least verify", "sent", "Verified")


@mail_case("at-least secure: delivered to the host that it names, Verified")
def _(c):
    own_host(c)
    mail(c, f"at-least secure match=mx.{c.u} servername=hostname", "sent", "Verified")


@mail_case("at-least secure in place of MTA-STS: another name is deferred")
def _(c):
    server = own_host(c)
    c.sts()
    mail(c, f"at-least {LITERAL}", "deferred", UNVERIFIED, "Server certificate not verified")
    taken(c, server, 0)


@mail_case("at-least encrypt, TLSA at one host of two: dane-only, nothing goes out in clear")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 clear", "@ MX 20 mx")
    clear = c.host("clear", temper=CLEAR)
    server = c.host("mx", "good")
    mail(c, "at-least encrypt", "sent", "Verified")
    taken(c, clear, 0)
    taken(c, server, 1)


@mail_case("at-least encrypt, TLSA that does not match: dane-only stays, deferred")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 mx")
    server = c.host("mx", WRONG_TLSA)
    mail(c, "at-least encrypt", "deferred", "Untrusted", "Server certificate not verified")
    taken(c, server, 0)


@mail_case("exactly may, though its TLSA does not match: delivered")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 mx")
    c.host("mx", WRONG_TLSA)
    mail(c, "exactly may", "sent", "Trusted")


@mail_case("exactly none: delivered without TLS, which is offered")
def _(c):
    own_host(c)
    mail(c, "exactly none", "sent")


@mail_case("exactly fingerprint of the certificate: delivered, Verified")
def _(c):
    server = own_host(c, cert=c.world.ca.leaf("other.example", issuer=None))
    digest = server.cert.tlsa(3, 0, 1).split()[-1]
    mail(c, f"exactly fingerprint match={':'.join(digest[at:at + 2] for at in range(0, len(digest), 2))}", "sent", "Verified")


@mail_case("exactly dane-only for a domain without TLSA: deferred")
def _(c):
    c.key = c.d
    c.zone("@ MX 10 mx")
    server = c.host("mx")
    mail(c, "exactly dane-only", "deferred")
    taken(c, server, 0)


@mail_case("off and monitor, though its TLSA does not match: delivered by main.cf's level")
def _(c):
    for name, rule in (("off", "off"), ("watched", "monitor")):
        c.zone(f"{name} MX 10 mx")
        c.key = f"{name}.{c.d}"
        mail_to = c.key
        shared(c, f"{mail_to} {rule}")
        c.world.routes[mail_to] = "orders:"
        deliver(c, "sent", "Trusted", domain=mail_to)
    c.host("mx", WRONG_TLSA)


# parents

def recorded(c, *keys):
    """Postfix asks for these through a recorder, which is the socket of transport orders-recorded."""
    recorder = Recorders.of(c)
    for key in keys:
        c.world.routes[key] = "orders-recorded:"
    return recorder


class Recorders:
    _one = None

    @classmethod
    def of(cls, c):
        if cls._one is None:
            folder = c.world.folder
            cls._one = Recorder(c.world, os.path.join(folder, "d-postfix-orders-recorded", "policy.sock"),
                                os.path.join(folder, "d-postfix-orders", "policy.sock"))
        return cls._one


@mail_case("Postfix asks for parents, and a rule for all below never widens: one name below it is left to main.cf")
def _(c):
    c.key = c.u
    free, bound, deep = f"free.{c.u}", f"bound.{c.u}", f"deep.free.{c.u}"
    c.plain("free MX 10 mx", "bound MX 10 mx", "deep.free MX 10 mx", "@ MX 10 mx")
    server = c.plain_host("mx", temper=CLEAR)
    recorder = recorded(c, c.u, free, bound, deep)
    shared(c, f".{c.u} exactly encrypt", f"{free} off")
    deliver(c, "sent", domain=free)
    deliver(c, "deferred", None, "TLS is required, but was not offered", domain=bound)
    deliver(c, "deferred", None, "TLS is required, but was not offered", domain=deep)
    deliver(c, "sent", domain=c.u)
    taken(c, server, 2)
    c.check("Postfix asked for the parents", lambda: {told for told in recorder.answers(f".{c.u}")}, {"NOTFOUND "})
    c.check("of the name that is left free", lambda: set(recorder.answers(free)), {"NOTFOUND "})
    c.check("and of the domain", lambda: set(recorder.answers(c.u)), {"NOTFOUND "})
    c.check("the others", lambda: set(recorder.answers(bound)) | set(recorder.answers(deep)), {"OK encrypt"})
    c.check("top-level", lambda: set(recorder.answers(".plain")), {"NOTFOUND "})


def own_transport(c, name, rules, **options):
    """A daemon of this case's own, which the Postfix transport of that name asks."""
    life = Ordered(c, rules, like="postfix-orders", **options)
    life.name = f"postfix-{name}"
    return life


@mail_case("* at-least encrypt with exceptions, then monitor against enforce, by reload, under a real Postfix")
def _(c):
    names = {name: f"{name}.{c.u}" for name in ("all", "free", "watched", "again", "once", "more")}
    c.plain(*(f"{name} MX 10 mx" for name in names))
    server = c.plain_host("mx", temper=CLEAR)
    for key in names.values():
        c.world.routes[key] = "orders-mode:"

    def fate(key, want):
        got = c.world.postfix().deliver(f"user@{key}")
        if (got.status, got.tls) != (want, None):
            raise Failed(f"{key}: wanted {want}, got {got}")

    def step():
        with own_transport(c, "orders-mode", f"* at-least encrypt\n{names['free']} off\n{names['watched']} monitor\n") as life:
            life.start()
            for name, want in (("all", "deferred"), ("free", "sent"), ("watched", "sent")):
                fate(names[name], want)
            life.reload(mode="monitor")
            fate(names["once"], "sent")
            life.reload(mode="enforce")
            fate(names["again"], "deferred")
            life.reload(rollout="0%")
            fate(names["more"], "sent")
    c.do(lambda: c.world.postfix())
    c.do(step)
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), lambda mails: mails >= 4)  # others flush the queue too


# restart

class Sender(threading.Thread):
    """Queues message after message, some at once, until told to stop."""

    def __init__(self, postfix, recipients):
        super().__init__(daemon=True)
        self.postfix, self.recipients = postfix, recipients
        self.sent, self.over, self.wrong = [], False, ""

    def run(self):
        try:
            for number in itertools.count():
                if self.over:
                    return
                recipient = f"m{number}-{id(self)}@{self.recipients(number)}"
                self.postfix.submit(recipient)
                self.sent.append(recipient)
        except Exception as error:
            self.wrong = repr(error)


@case(ROW, "restart by socket hand-over under load: no message deferred, none lost", daemon="postfix-orders", group="alone", valgrind=False)
def _(c):
    FOUND["dane-only"][0](c)
    quick, slow = ([f"{name}{number}.{c.d}" for number in range(count)] for name, count in (("quick", 6), ("slow", 60)))
    c.zone(*(f"{key}. MX 10 mx" for key in (*quick, *slow)))
    for key in slow:
        c.rule(key, "MX", tap.delayed(0.4, tap.answer((key, "MX", f"10 mx.{c.d}"), ad=True)))
    for key in (*quick, *slow):
        c.world.routes[key] = "orders-handed:"

    def recipients(number):
        """Every third message is to a domain that is looked up for the first time, and slowly."""
        return quick[number % len(quick)] if number % 3 else slow[number // 3 % len(slow)]
    restarts = 10

    def step():
        postfix = c.world.postfix()
        life = own_transport(c, "orders-handed", f".{c.d} at-least encrypt\n", answer_deadline="20s", job_deadline="40s", dns_timeout="2s")
        folder = os.path.join(c.world.folder, "d-postfix-orders-handed")
        os.makedirs(folder, exist_ok=True)
        paths = [os.path.join(folder, f"{name}.sock") for name in ("policy", "control")]
        with socket.socket(socket.AF_UNIX) as policy, socket.socket(socket.AF_UNIX) as control:
            for one, path in ((policy, paths[0]), (control, paths[1])):
                one.bind(path)
                one.listen(200)
            os.chmod(paths[0], 0o666)
            handed = ((policy, "socketmap"), (control, "control"))
            one = life.prepare()
            one.start(handed)
            senders = [Sender(postfix, recipients) for _ in range(4)]
            for sender in senders:
                sender.start()
            pids = set()
            for number in range(restarts):
                goal = sum(len(sender.sent) for sender in senders) + 30
                waiting.until(lambda goal=goal: sum(len(sender.sent) for sender in senders) >= goal, "mail is queued", 60)
                pids.add(one.process.pid)
                wrong = one.stop()
                if wrong or not all(os.path.exists(path) for path in paths):
                    raise Failed(f"restart {number}: {wrong or 'a socket is gone'}")
                one = life.prepare()
                one.start(handed)
            for sender in senders:
                sender.over = True
            for sender in senders:
                sender.join(60)
            sent = [recipient for sender in senders for recipient in sender.sent]
            log = waiting.until(lambda: _all_told(postfix.log(), sent), f"the fate of {len(sent)} messages", 120, pause=0.5)
            wrong = one.stop()
        bad = [line for line in log if "status=sent" not in line] + [sender.wrong for sender in senders if sender.wrong]
        if bad or wrong or len(pids) != restarts:
            warnings = [line for line in postfix.log().splitlines() if " warning: " in line and "socketmap" in line]
            raise Failed(f"{len(bad)} of {len(sent)} messages: {bad[:2]} {wrong} {warnings[-4:]}")
        print(f"  hand-over: {len(sent)} messages through {restarts} restarts, none deferred", flush=True)
    c.do(lambda: c.world.postfix())
    c.do(step)


def _all_told(log, recipients):
    """Every status line of these messages, once each has one."""
    told = {}
    for line in log.splitlines():
        if " status=" in line and "to=<" in line:
            told.setdefault(line.split("to=<", 1)[1].split(">", 1)[0], []).append(line)
    return None if any(one not in told for one in recipients) else [line for one in recipients for line in told[one]]
