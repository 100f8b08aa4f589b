"""A-33 to A-38, hostile 17, 18, 41: what is remembered of MTA-STS policies, and how it is kept fresh.

The key is an unsigned domain whose mail host offers no STARTTLS: without MTA-STS the answer is NOTFOUND. Answers live for
a second at most, so each question after that is a new lookup."""

import itertools
import time

import dnswire
import remembering
import tap
import waiting
from case import Failed, case, secure, table
from policyhost import Policy, sts_text

DAEMONS = {
    **remembering.DAEMONS,
    "refreshing": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "sts-refresh": "1s", "sts-retry": "500ms",
                   "ttl-min": "100ms"},
    "sts-daily": {**remembering.DAEMONS["memory"], "sts-refresh": "24h", "sts-retry": "5m"},
    "sts-often": {**remembering.DAEMONS["memory"], "sts-refresh": "2s", "sts-retry": "5m"},
}


def memory(rows, name, daemon="sts-daily", valgrind=False):
    return case(rows, name, daemon=daemon, valgrind=valgrind)


def record(c, rule):
    """The TXT record, by a rule or by its id."""
    name = f"_mta-sts.{c.u}"
    if not callable(rule):
        rule = tap.answer((name, "TXT", f"v=STSv1; id={rule};", 1))
    c.rule(name, "TXT", rule)


def policy(c, **more):
    """A policy whose record has the id 1 and a TTL of 1."""
    c.clear_mx()
    host = c.sts(txt=None, **more)
    record(c, 1)
    return host


def says(c, host, **policy_text):
    host.policy = Policy(sts_text(*c.patterns, **policy_text))


def looked_again(c, times=1):
    """Asks until the daemon has looked at the record so often once more."""
    def step():
        before = c.world.tap.asked(f"_mta-sts.{c.u}", "TXT")
        waiting.until(lambda: c.ask() and c.world.tap.asked(f"_mta-sts.{c.u}", "TXT") >= before + times, "the record is looked at again")
    c.do(step)


def sts_of(c):
    return c.explain()["evidence"]["mta_sts"]


def _txt(rule):
    return lambda c, host: record(c, rule)


def _new_policy(**changes):
    """A new id, and a policy host that has changed so."""
    def run(c, host):
        for name, value in changes.items():
            setattr(host, name, value(c) if callable(value) else value)
        record(c, 2)
    return run


def _expired(c):
    return c.world.ca.server_context(c.world.ca.expired(f"mta-sts.{c.u}"))


BROKEN = [
    ("TXT NXDOMAIN", _txt(tap.rcode("NXDOMAIN"))), ("TXT NODATA", _txt(tap.answer())), ("TXT SERVFAIL", _txt(tap.rcode("SERVFAIL"))),
    ("TXT timeout", _txt(tap.silence())), ("TXT without id", lambda c, host: record(c, tap.answer((f"_mta-sts.{c.u}", "TXT", "v=STSv1;", 1)))),
    ("HTTP 500", _new_policy(policy=Policy(status="500 Oops"))), ("bad certificate", _new_policy(context=_expired)),
    ("unparsable new policy", _new_policy(policy=Policy(b"version: STSv9\nmode: none\n"))),
]


def kept(c, break_it):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: break_it(c, host))
    looked_again(c, 2)
    c.want("SEC")
    c.want(lambda got: f"policy_domain={c.u}" in got and "policy_string = mode: enforce" in got, name="tlsrpt")
    c.explained("in force", lambda e: e["evidence"]["mta_sts"]["in_force"], True)


table("A-33", "a cached policy outlives", BROKEN, kept, daemon="sts-daily", valgrind=False)


def ended(c, break_it):
    host = policy(c, max_age=6)
    c.want("SEC")
    c.do(lambda: break_it(c, host))
    looked_again(c)
    c.want("SEC")
    c.later("max_age is over", lambda: c.ask() == "NOTFOUND ", 20)
    c.want("NF")


table("A-34", "after its max_age a policy has ended in spite of", BROKEN, ended, daemon="sts-daily", valgrind=False)


def replaced(c, want, patterns=None, **new):
    host = policy(c)
    patterns = tuple(f"{one}.{c.u}" for one in patterns) if patterns else (f"mx.{c.u}",)
    c.want("SEC")
    c.do(lambda: setattr(host, "policy", Policy(sts_text(*patterns, **new))))
    c.do(lambda: record(c, 2))
    c.later("the new policy counts", lambda: c.ask() == (secure(patterns, f"mx.{c.u}") if want == "SEC" else "NOTFOUND "))
    c.check("fetches", lambda: len(host.fetches), 2)
    looked_again(c, 2)
    c.check("fetches later", lambda: len(host.fetches), 2)
    c.check("the answer stays", c.ask, lambda got: got == (secure(patterns, f"mx.{c.u}") if want == "SEC" else "NOTFOUND "))


for _name, _want, _patterns, _new in (("other mx", "SEC", ("mx2", "*.pool"), {}), ("mode none", "NF", None, {"mode": "none"}),
                                      ("mode testing", "NF", None, {"mode": "testing"})):
    memory("A-35", f"a new id and a new policy count at once: {_name}")(
        lambda c, a=(_want, _patterns), new=_new: replaced(c, *a, **new))


@memory("A-36", "the same id when max_age is over: fetched again, and never in between without")
def _(c):
    host = policy(c, max_age=2)
    c.want("SEC")

    def always_secure():
        got = c.ask()
        c.must_be("SEC", got)
        return len(host.fetches) >= 4
    c.later("it is fetched again at its end", always_secure, 20)
    c.check("life from one fetch to the next, not from the record", lambda: host.fetches[-1].at - host.fetches[0].at, lambda s: s >= 3)


@memory("A-36", "max_age counts from the fetch, whatever the record says in between")
def _(c):
    host = policy(c, max_age=4)
    c.want("SEC")
    c.do(lambda: setattr(host, "policy", Policy(status="500 Oops")))
    looked_again(c, 2)
    c.want("SEC")
    c.later("the policy ends although its record lives", lambda: c.ask() == "NOTFOUND ", 12)


# A-37: refreshing

@memory("A-37", "a policy is fetched again before its end without anybody asking", daemon="refreshing")
def _(c):
    host = policy(c, max_age=30)
    c.want("SEC")
    c.later("three more fetches", lambda: len(host.fetches) >= 4, 20)
    # under load the host sees a fetch later than it was begun, and the next one not: a gap may seem shorter, all of them together not
    c.check("gaps between fetches", lambda: _gaps(host), lambda gaps: sum(gaps) >= 0.9 * len(gaps) and min(gaps) >= 0.5)


@memory("A-37", "what changed is known when the next one asks", daemon="refreshing")
def _(c):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: says(c, host, mode="none"))
    fetched = []
    c.do(lambda: fetched.append(len(host.fetches)))
    c.later("it was fetched again", lambda: len(host.fetches) > fetched[0], 20)
    c.later("the verdict is made anew", lambda: any("now=notfound" in line for line in c.daemon.events("verdict", c.u)), 10)
    c.want("NF")


@memory("A-37", "when only the DNS fails the policy is fetched by HTTPS all the same", daemon="refreshing")
def _(c):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: record(c, tap.rcode("SERVFAIL")))
    looked_again(c)
    fetched = []
    c.do(lambda: fetched.append(len(host.fetches)))
    c.later("it is fetched twice more", lambda: len(host.fetches) >= fetched[0] + 2, 20)
    c.do(lambda: says(c, host, mode="none"))
    c.later("and what it says counts", lambda: c.ask() == "NOTFOUND ", 20)


def _gaps(host):
    return [later.at - earlier.at for earlier, later in zip(host.fetches, host.fetches[1:])]


@memory("A-37 hostile-17", "a failed refresh is logged, counted, explained with the life that is left, and backs off", daemon="refreshing")
def _(c):
    host = policy(c)
    c.want("SEC")
    first = []
    c.do(lambda: first.append(len(host.fetches)))
    c.do(lambda: setattr(host, "policy", Policy(status="500 Oops")))
    c.later("four failures", lambda: len(host.fetches) >= first[0] + 5, 30)
    c.want("SEC")
    c.check("the back-off grows", lambda: _gaps(host)[-3:], lambda gaps: gaps[-1] > 1.4 * gaps[0] and gaps[-1] >= 1.5)
    c.check("log", lambda: c.daemon.events("sts-fetch-failed", c.u),
            lambda lines: lines and "level=warn" in lines[-1] and "500" in lines[-1] and "remembered_for_s=8" in lines[-1])
    c.check("counted", lambda: c.daemon.stats()["sts_fetch_failures"], lambda n: n >= 4)
    c.check("explained", lambda: sts_of(c), lambda sts: "500" in (sts["why"] or "") and 80_000 < sts["remembered_for_s"] <= 86_400
            and sts["retry_in_s"] is not None)


@memory("A-37", "a failed refresh of mode none is not worth a line", daemon="refreshing")
def _(c):
    host = policy(c, mode="none")
    c.want("NF")
    c.do(lambda: setattr(host, "policy", Policy(status="500 Oops")))
    c.later("two failures", lambda: c.ask() and c.daemon.stats()["sts_fetch_failures"] and len(host.fetches) >= 4, 20)
    c.check("log", lambda: c.daemon.events("sts-fetch-failed", c.u), [])
    c.want("NF")


@memory("A-37", "what nobody asks for is left to lapse", valgrind=False)
def _(c):
    host = policy(c)
    c.rule(f"_mta-sts.used.{c.u}", "TXT", tap.answer((f"_mta-sts.used.{c.u}", "TXT", "v=STSv1; id=1;", 1)))
    c.plain(f"used MX 10 mx.{c.u}.")

    def refreshed(one, name, times):
        """Ask for another one until it was looked up so often."""
        end = c.world.tap.asked(name, "TXT") + times
        waiting.until(lambda: one.ask(f"used.{c.u}") and c.world.tap.asked(name, "TXT") >= end, f"{name} is used and looked up")

    def step():
        used = f"_mta-sts.used.{c.u}"
        with remembering.Lives(c, like="refreshing", refresh_idle="2s") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            waiting.until(lambda: len(host.fetches) >= 2, "it is refreshed at first")
            refreshed(one, used, 20)
            before = c.world.tap.asked(f"_mta-sts.{c.u}", "TXT")
            refreshed(one, used, 3)
            if c.world.tap.asked(f"_mta-sts.{c.u}", "TXT") != before:
                raise Failed("it is still looked up")
            c.must_be("SEC", one.ask(c.u))
    c.do(step)


@memory("A-38", "the TXT record is ahead of the policy: the next id brings it", daemon="sts-daily")
def _(c):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: record(c, 2))
    c.later("the old body is fetched again", lambda: c.ask() and len(host.fetches) == 2)
    c.do(lambda: says(c, host, mode="none"))
    looked_again(c, 2)
    c.want("SEC")
    c.do(lambda: record(c, 3))
    c.later("the new body counts", lambda: c.ask() == "NOTFOUND ")
    c.check("fetches", lambda: len(host.fetches), 3)


@memory("A-38", "the TXT record is ahead of the policy: the refresh brings it", daemon="sts-often")
def _(c):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: record(c, 2))
    c.later("the old body is fetched again", lambda: c.ask() and len(host.fetches) >= 2)
    c.do(lambda: says(c, host, mode="none"))
    c.later("the new body counts", lambda: c.ask() == "NOTFOUND ")


# hostile

@memory("hostile-17", "TXT and HTTPS are dropped: the policy stays, and comes back to life afterwards", daemon="refreshing")
def _(c):
    host = policy(c, max_age=600)
    c.want("SEC")
    first = []

    def attack():
        first.append(len(host.fetches))
        record(c, tap.silence())
        c.rule(f"mta-sts.{c.u}", "*", tap.silence())
    c.do(attack)
    looked_again(c, 3)
    c.want("SEC")
    c.check("log", lambda: c.daemon.events("sts-fetch-failed", c.u), lambda lines: lines and "remembered_for_s=5" in lines[-1])
    c.explained("life left", lambda e: e["evidence"]["mta_sts"]["remembered_for_s"], lambda s: 500 < s < 600)

    def give_up():
        record(c, 1)
        c.rule(f"mta-sts.{c.u}", "*", None)
    c.do(give_up)
    c.later("it is fetched again", lambda: len(host.fetches) > first[0], 30)
    c.later("its life is whole again", lambda: (sts_of(c)["ends_in_s"] or 0) >= 595, 30)


@memory("hostile-18", "the same id for ever: a policy's life comes from the fetch, and the refresh sees the new one", daemon="sts-often")
def _(c):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: says(c, host, mode="none"))
    c.later("the refresh sees it", lambda: c.ask() == "NOTFOUND ")


def random_ids(c):
    """A new id at each question; the count of them."""
    numbers = itertools.count(1000)
    name = f"_mta-sts.{c.u}"
    record(c, tap.packets(lambda question, _tcp: [dnswire.reply(question, [dnswire.record(name, "TXT", f"v=STSv1; id={next(numbers)};", 1)])]))


FETCHES_AT_MOST = 5  # the first and three changes of id, and one for luck; the next only after sts-retry


@memory("hostile-18 hostile-41", "a new id at each question: fetches are bounded, the last good policy stays")
def _(c):
    host = policy(c)
    random_ids(c)
    c.want("SEC")
    looked_again(c, 9)
    c.want("SEC")
    c.check("fetches", lambda: len(host.fetches), lambda n: n <= FETCHES_AT_MOST)


@memory("hostile-18", "a new id at each question and a policy host that fails: fetches are bounded")
def _(c):
    host = policy(c, policy=Policy(status="500 Oops"))
    random_ids(c)
    c.want("NF")
    looked_again(c, 9)
    c.check("fetches", lambda: len(host.fetches), lambda n: n <= FETCHES_AT_MOST)


@memory("hostile-41", "mode and id flip all the time: fetches are bounded, each answer is one of the two")
def _(c):
    host = policy(c)
    random_ids(c)
    modes = itertools.cycle(("enforce", "none", "testing"))
    c.want("SEC")

    def flip():
        says(c, host, mode=next(modes))
        got = c.ask()
        if got not in (secure(c.patterns), "NOTFOUND "):
            raise Failed(f"answered {got!r}")
        return c.world.tap.asked(f"_mta-sts.{c.u}", "TXT") >= 10
    c.later("ten lookups", flip, 30)
    c.check("fetches", lambda: len(host.fetches), lambda n: n <= FETCHES_AT_MOST)


@memory("hostile-41", "max_age 0: one fetch for one lookup at most")
def _(c):
    host = policy(c, max_age=0)
    c.want("SEC")
    began = []
    c.do(lambda: began.append(time.monotonic()))
    looked_again(c, 5)
    c.want("SEC")
    c.check("fetches", lambda: len(host.fetches) - (time.monotonic() - began[0]), lambda n: n <= 3)


@memory("hostile-41", "max_age 0 after a policy that would have lived: the end at once")
def _(c):
    host = policy(c)
    c.want("SEC")
    c.do(lambda: says(c, host, max_age=0))
    c.do(lambda: record(c, 2))
    c.later("the new policy is fetched", lambda: c.ask() and len(host.fetches) >= 2)
    c.do(lambda: setattr(host, "policy", Policy(status="404 Not Found")))
    c.later("nothing is left of it", lambda: c.ask() == "NOTFOUND ")
