"""G-14 with a real Postfix: a mail host that stops offering STARTTLS gets no mail in clear for the whole hold."""

from dataclasses import replace

import remembering
import tap
import waiting
from case import Failed, case
from smtpd import CLEAR, GOOD

SHORT_S = 12  # Postfix needs a while for an attempt
QUICK = {**remembering.DAEMONS["memory"], "refresh-idle": "1h"}
DAEMONS = {
    "postfix-hold": {**QUICK, "hold": "1h", "hold-expired": "1h"},
    "postfix-hold-killed": {**QUICK, "hold": "1h", "hold-expired": "1h"},
    "postfix-hold-short": {**QUICK, "hold": f"{SHORT_S}s", "hold-expired": f"{SHORT_S}s"},
}


def held_case(name, rows="G-14 hostile-14", daemon="postfix-hold"):
    return case(rows, name, daemon=daemon, group="postfix", valgrind=False)


class Story:
    """One domain, its mail host, one message at a time."""

    def __init__(self, c, want="VER", **more):
        self.c = c
        c.key = c.u
        c.plain("@ 1 MX 10 mx")
        self.server = c.server(f"mx.{c.u}", **more)
        c.plain(f"mx 1 A {self.server.address}")
        c.world.routes[c.key] = c.entry.daemon.removeprefix("postfix-") + ":"
        c.do(lambda: c.world.postfix())
        c.want(want)

    @property
    def recipient(self):
        return f"user@{self.c.key}"

    def becomes(self, temper):
        self.c.do(lambda: setattr(self.server, "temper", temper))

    def held(self, level="verify", sees="notfound"):
        self.c.later("the hold begins", lambda: self.c.daemon.held(self.c.key))
        self.c.check("mxcrypt held", lambda: self.c.daemon.held(self.c.key),
                     lambda got: got["level"] == level and got["sees"] == sees and got["until"] > got["since"])

    def deferred(self, times=1):
        """The message is tried so often now, and each time deferred without TLS, nothing taken."""
        def step():
            postfix = self.c.world.postfix()
            if not postfix.fates(self.recipient):
                postfix.deliver(self.recipient)
            have = len(postfix.fates(self.recipient))
            postfix.try_again(self.recipient, lambda _: len(postfix.fates(self.recipient)) >= have + times - 1)
            self._all_deferred(postfix.fates(self.recipient))
            if self.mail():
                raise Failed(f"{self.mail()} messages were taken in clear")
        self.c.do(step)

    def _all_deferred(self, fates):
        wrong = [str(one) for one in fates if one.status != "deferred" or one.tls and "not verified" not in one.line]
        if wrong:
            raise Failed("; ".join(wrong))

    def flows(self, tls):
        """The message gets through now, over such a connection; before that it was deferred and nothing else."""
        def step():
            fates = self.c.world.postfix().try_again(self.recipient, lambda fate: fate.status != "deferred")
            self._all_deferred(fates[:-1])
            if fates[-1].status != "sent" or fates[-1].tls != tls:
                raise Failed(f"wanted sent TLS={tls}, got {fates[-1]}")
        self.c.do(step)
        self.c.check("mail taken", self.mail, 1)

    def mail(self):
        return sum(one.mail for one in self.server.connections)


@held_case("STARTTLS is gone: deferred, listed; after mxcrypt release it flows in clear")
def _(c):
    story = Story(c)
    story.becomes(CLEAR)
    story.held()
    story.deferred(3)
    c.want("VER")
    c.check("release", lambda: c.daemon.cli("release", c.key).returncode, 0)
    c.check("held", lambda: c.daemon.held(c.key), None)
    story.flows(None)


@held_case("STARTTLS is gone: deferred until the hold runs out, then it flows in clear", daemon="postfix-hold-short")
def _(c):
    story = Story(c)
    story.becomes(CLEAR)
    story.held()
    story.deferred(2)
    c.later("the hold ends", lambda: c.ask() == "NOTFOUND ", SHORT_S + 20)
    story.flows(None)
    c.check("log", lambda: c.daemon.events("hold-ends", c.key), lambda lines: len(lines) == 1 and "why=expired" in lines[0])


@held_case("STARTTLS is gone and comes back: deferred, then it flows encrypted")
def _(c):
    story = Story(c)
    story.becomes(CLEAR)
    story.held()
    story.deferred(2)
    story.becomes(GOOD)
    story.flows("Verified")
    c.later("no hold", lambda: c.daemon.held(c.key) is None)


@held_case("encrypt only: the same")
def _(c):
    story = Story(c, "ENC", cert=c.world.ca.leaf("other.example"))
    story.becomes(CLEAR)
    story.held("encrypt")
    story.deferred(2)
    story.becomes(GOOD)
    story.flows("Trusted")


@held_case("STARTTLS is answered 554 during the hold: deferred, not bounced")
def _(c):
    story = Story(c)
    story.becomes(replace(GOOD, starttls=b"554 no\r\n"))
    story.held()
    c.want("TMP")
    story.deferred(2)
    story.becomes(GOOD)
    c.later("all is well", lambda: c.ask() == "OK verify servername=hostname")
    story.flows("Verified")


@held_case("the certificate expired: deferred for hold-expired, then it flows as encrypt", daemon="postfix-hold-short")
def _(c):
    story = Story(c)
    c.do(lambda: story.server.show(c.world.ca.server_context(c.world.ca.expired(f"mx.{c.u}"))))
    story.held("verify", "encrypt")
    c.want("VER")
    story.deferred(1)
    c.later("encrypt", lambda: c.ask() == "OK encrypt", SHORT_S + 20)
    story.flows("Untrusted")


@held_case("NXDOMAIN, null MX and silence in between: nothing goes out in clear", "G-14 hostile-14")
def _(c):
    story = Story(c)
    story.becomes(CLEAR)
    story.held()
    story.deferred(1)
    for rule in (tap.rcode("NXDOMAIN"), tap.answer((c.u, "MX", "0 .", 1)), tap.rcode("SERVFAIL")):
        c.do(lambda rule=rule: c.rule(c.u, "MX", rule))
        _looked_again(c)
        c.do(lambda: c.rule(c.u, "MX", None))
        _looked_again(c)
        story.deferred(2)
    story.becomes(GOOD)
    story.flows("Verified")


def _looked_again(c):
    def step():
        seen = c.world.tap.asked(c.u, "MX")
        waiting.until(lambda: c.ask() and c.world.tap.asked(c.u, "MX") >= seen + 2, "it is looked up again", 15)
    c.do(step)


@held_case("mxcryptd is killed and starts again during the hold: deferred on", "G-14 A-40", "postfix-hold-killed")
def _(c):
    story = Story(c)
    story.becomes(CLEAR)
    story.held()
    story.deferred(1)
    c.do(lambda: c.daemon.settled())

    def restart():
        c.daemon.kill()
        c.daemon.start()
    c.do(restart)
    story.deferred(2)
    c.later("the hold is known", lambda: c.daemon.held(c.key))
    c.check("release", lambda: c.daemon.cli("release", c.key).returncode, 0)
    story.flows(None)
