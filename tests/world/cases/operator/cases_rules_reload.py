"""The operator's orders while the daemon runs: reload, rollout, rules that lapse, and what they leave as it is."""

import os
import pwd
import signal
import subprocess
import sys
import threading
import time

import clients
import ruleset
import remembering
import rooms
import tap
import waiting
from case import Failed, case
from cases_privileges import USER, may_become_others
from ruleset import BAD, FAULT, FOUND, LITERAL, Ordered, said, wanted
from smtpd import CLEAR

ROW = "orders"
DAY_S = 86400
DAEMONS = {
    "orders-many": ruleset.MANY,
    "orders-memory": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "hold": "1h", "hold-expired": "1h"},
}


def operation(name, group="few", valgrind=False):
    return case(ROW, name, daemon="orders", group=group, valgrind=valgrind)


# bad files

@operation("a bad rules file at start: no start, file, line and fault are named")
def _(c):
    def step():
        life = Ordered(c, BAD)
        try:
            life.start()
        except RuntimeError as error:
            if f"{life.path}: {FAULT}" not in str(error):
                raise Failed(f"not the reason: {error}") from error
            wanted("exit status", life.daemon.process.wait(), 1)
            return
        life.stop()
        raise Failed("it started")
    c.do(step)


@operation("a rules file that is named and missing: no start; none named: none needed")
def _(c):
    def step():
        life = Ordered(c, "")
        os.unlink(life.path)
        try:
            life.start()
        except RuntimeError as error:
            if life.path not in str(error):
                raise Failed(f"not the reason: {error}") from error
        else:
            life.stop()
            raise Failed("it started")
    c.do(step)


@operation("a bad rules file at reload: the old rules stay, the message names the line", valgrind=True)
def _(c):
    c.clear_mx()

    def step():
        with Ordered(c, f"{c.u} exactly encrypt\n") as life:
            one = life.start()
            life.must_be("ENC", c.u)
            life.write(BAD)
            said(one.cli("reload"), 1, f"{life.path}: {FAULT}")
            life.must_be("ENC", c.u)
            wanted("rules", [(rule["pattern"], rule["line"]) for rule in life.listed()], [(c.u, 1)])
            before = len(one.events("reload-refused"))
            wanted("logged", before > 0 and FAULT in one.log(), True)
            one.process.send_signal(signal.SIGHUP)
            waiting.until(lambda: len(one.events("reload-refused")) > before, "SIGHUP is refused too")
            life.must_be("ENC", c.u)
            os.unlink(life.path)
            said(one.cli("reload"), 1, life.path)
            life.must_be("ENC", c.u)
            life.write(f"{c.u} off\n")
            said(one.cli("reload"), 0)
            life.must_be("NF", c.u)
    c.do(step)


@operation("a bad configuration at reload: everything stays; then it is mended")
def _(c):
    c.clear_mx()

    def step():
        with Ordered(c, f"{c.u} exactly encrypt\n") as life:
            one = life.start()
            life.write(f"{c.u} off\n")
            one.configure(rollout="lots")
            refused = one.control_answer("reload").get("error", "")
            wanted(f"refused: {refused}", one.config in refused and "rollout" in refused, True)
            life.must_be("ENC", c.u)
            one.configure(rollout="100%")
            with open(one.config, "ab") as file:
                file.write(b"caf\xe9 = 1\n")
            refused = one.control_answer("reload").get("error", "")
            wanted(f"a key in Latin-1 is shown: {refused}", "caf\\xe9: unknown key" in refused, True)
            one.configure(rollout="100%")
            said(one.cli("reload"), 0)
            life.must_be("NF", c.u)
    c.do(step)


# reload

@operation("mxcrypt reload and SIGHUP: new rules at once, for what is cached and what is not", valgrind=True)
def _(c):
    FOUND["dane-only"][0](c)
    c.zone("other MX 10 mx")

    def step():
        with Ordered(c) as life:
            one = life.start()
            life.must_be("DO", c.d)
            for rules, want in ((f"{c.d} off\n", "NF"), (f"{c.d} at-least {LITERAL}\n", "DO"), (f"* exactly {LITERAL}\n", f"OK {LITERAL}"),
                                (f"* monitor\n.{c.d} off\n", "NF"), ("", "DO")):
                life.reload(rules)
                life.must_be(want, c.d)
            asked = c.world.tap.asked(c.d, "MX")
            life.write(f"{c.d} exactly encrypt\n")
            known = len(one.events("reloaded"))
            one.process.send_signal(signal.SIGHUP)
            waiting.until(lambda: len(one.events("reloaded")) > known, "reloaded")
            life.must_be("ENC", c.d)
            wanted("looked up again for a reload", c.world.tap.asked(c.d, "MX") <= asked + 1, True)
            text = said(one.cli("reload"), 0)
            wanted("rules counted", "1" in text, True)
    c.do(step)


@operation("reload: keys that need a restart are named, the others count at once")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c) as life:
            one = life.start()
            life.must_be("DO", c.d)
            answer = life.reload(answer_deadline="4s", mode="monitor", dane="no")
            wanted("needs_restart", sorted(answer["needs_restart"]), ["answer-deadline", "dane"])
            life.must_be("NF", c.d)
            for key in ("answer-deadline", "dane"):
                wanted(f"{key} in the log", any(f"key={key}" in line for line in one.events("needs-restart")), True)
            said(one.cli("reload"), 0, "answer-deadline")
            answer = life.reload(mode="enforce")
            life.must_be("DO", c.d)
            answer = life.reload(answer_deadline="5s", dane="yes")
            wanted("needs_restart", answer["needs_restart"], [])
    c.do(step)


@operation("log-level: shown, changed, kept; nonsense is refused")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c) as life:
            one = life.start()
            said(one.cli("log-level"), 0, "info")
            wanted("debug lines", "level=debug" in one.log(), False)
            said(one.cli("log-level", "debug"), 0)
            life.must_be("DO", c.d)
            waiting.until(lambda: "level=debug" in one.log(), "debug lines")
            said(one.cli("log-level"), 0, "debug")
            wanted("nonsense", one.cli("log-level", "loud").returncode in (1, 64), True)
            said(one.cli("log-level"), 0, "debug")
            said(one.cli("log-level", "error"), 0)
            life.reload(log_level="warning")
            said(one.cli("log-level"), 0, "warn")
    c.do(step)


@operation("after root is left behind, under seccomp and Landlock: reload, and rules that its user may not read")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, f"{c.d} exactly encrypt\n", user=USER if may_become_others() else "root") as life:
            one = life.prepare()
            os.chown(one.folder, pwd.getpwnam(USER).pw_uid, 0)
            one.start()
            life.must_be("ENC", c.d)
            life.reload("", mode="monitor")
            life.must_be("NF", c.d)
            life.reload(f"{c.d} off\n", mode="enforce")
            life.write(f"{c.d} exactly may\n")
            os.chmod(life.path, 0o600)
            if may_become_others():
                said(one.cli("reload"), 1, life.path)
                life.must_be("NF", c.d)
            os.chmod(life.path, 0o644)
            life.reload()
            life.must_be("OK may", c.d)
    c.do(step)


@operation("a hundred thousand rules: nobody waits while they are read", group="alone")
def _(c):
    FOUND["dane-only"][0](c)
    count = 99990

    def step():
        many = "".join(f"n{number}.example at-least encrypt until=2020-02-29\n" for number in range(0, 2000)) + "".join(
            f".n{number}.example at-least {LITERAL} ticket=\"number {number}\"\n" for number in range(2000, count))
        with Ordered(c, many) as life:
            one = life.start()
            life.must_be("DO", c.d)
            wanted("named in the log, and counted", (len(one.events("rule-lapsed")), [line.split("count=")[1].split()[0]
                                                                                       for line in one.events("more-rules-lapse")]), (100, ["1900"]))
            slowest = []

            def asks():
                with clients.Socketmap(one.socket) as connection:
                    while len(slowest) < 2:
                        began = time.monotonic()
                        c.must_be("DO", connection.ask(c.d), c.d)
                        slowest[0] = max(slowest[0], time.monotonic() - began)
            slowest.append(0.0)
            asking = threading.Thread(target=asks)
            asking.start()
            began = time.monotonic()
            for _ in range(3):
                wanted("rules", life.reload()["rules"], count)
            took = (time.monotonic() - began) / 3
            slowest.append(0.0)
            asking.join(30)
            life.must_be(f"OK {LITERAL}", f"a.n{count - 1}.example")
            print(f"  {count} rules: read in {took:.2f} s, the slowest answer meanwhile took {slowest[0] * 1000:.1f} ms", flush=True)
            wanted("in time", slowest[0] < 1.0, True)
    c.do(step)


# reload under load

class Asker:
    """A process that asks as fast as it can over one connection; every answer must be among the allowed ones."""

    def __init__(self, one, questions):
        script = str(rooms.HERE / "asker.py")
        self._process = subprocess.Popen([sys.executable, script, one.socket, *(f"{key}={'|'.join(told)}" for key, told in questions)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """How many answers it had; what was wrong is a failure."""
        told, _ = self._process.communicate(timeout=60)
        if not told.endswith(" answers\n"):
            raise Failed(told)
        return int(told.split()[0])


DO, ENC, VER, NF = ("OK dane-only",), ("OK encrypt",), ("OK verify servername=hostname",), ("NOTFOUND ",)


@operation("reload under load: hundreds of reloads, no lookup failed, no connection lost", group="alone")
def _(c):
    FOUND["dane-only"][0](c)
    c.zone("*.many MX 10 mx", *(f"{name} MX 10 mx" for name in ("changing", "off", "stays", "cached", "least")))
    rules = [f"changing.{c.d} exactly {policy}\noff.{c.d} off\nleast.{c.d} at-least encrypt\n.many.{c.d} {action}\n{more}"
             for policy, action, more in (("encrypt", "at-least encrypt", ""), ("verify servername=hostname", "monitor", "# longer\n" * 500),
                                          ("dane-only", "at-least verify", f"stays.{c.d} exactly dane-only\n"))]
    changing = ENC + VER + DO

    questions = [(f"changing.{c.d}", changing), (f"off.{c.d}", NF), (f"cached.{c.d}", DO), (f"stays.{c.d}", DO), (f"least.{c.d}", DO),
                 (f".{c.d}", NF), ("[127.0.0.1]:10024", NF), (f"cached.{c.d}", DO), (f"least.{c.d}", DO)]

    def step():
        with Ordered(c, rules[0], like="orders-many") as life:
            one = life.start()
            askers = [Asker(one, [*questions, (f"n#x{number}.many.{c.d}", DO + NF)]) for number in range(3)]
            askers += [Asker(one, questions) for number in range(3)]
            for number in range(300):
                which = number % len(rules)
                if number % 4 == 3:
                    life.write(rules[which])
                    known = len(one.events("reloaded"))
                    one.process.send_signal(signal.SIGHUP)
                    waiting.until(lambda known=known: len(one.events("reloaded")) > known, "reloaded", pause=0.005)
                else:
                    life.reload(rules[which])
                life.must_be(changing[which], f"changing.{c.d}")
            count = sum(asker.stop() for asker in askers)
            wanted(f"{count} lookups are a load", count > 5000, True)
            print(f"  reload under load: {count} lookups by {len(askers)} clients during 300 reloads", flush=True)
    c.do(step)


# rollout

def enforced(life, names):
    return {name for name in names if life.daemon.ask(name) != "NOTFOUND "}


@operation("rollout 30 % to 60 %: only adds, about the share, the same after a restart; named rules are enforced anyway", group="alone")
def _(c):
    FOUND["dane-only"][0](c)
    c.zone("*.many MX 10 mx")
    names = [f"n{number}.many.{c.d}" for number in range(300)]
    rules = f"{names[0]} at-least encrypt\n{names[1]} exactly encrypt\n{names[2]} off\n{names[3]} monitor\n"

    def step():
        with Ordered(c, rules, like="orders-many", rollout="30%") as life:
            life.start()
            at_30 = enforced(life, names)
            life.reload(rollout="60%")
            at_60 = enforced(life, names)
            if not at_30 < at_60 or not 60 <= len(at_30) <= 120 or not 140 <= len(at_60) <= 220:
                raise Failed(f"30 %: {len(at_30)}, 60 %: {len(at_60)}, lost {sorted(at_30 - at_60)[:5]}")
            wanted("named", [name in at_30 for name in names[:4]], [True, True, False, False])
            shown = life.daemon.value("report")
            counted = (shown["rollout"], shown["verdicts"]["dane-only"]["found"], shown["verdicts"]["dane-only"]["told"], len(shown["would_change"]))
            wanted("report", counted, (60, 298, len(at_60) - 1, 300 - len(at_60) - 1))
            print(f"  rollout: {len(at_30)} of 300 at 30 %, {len(at_60)} at 60 %", flush=True)
            life.stop()
            life.start(rollout="30%")
            wanted("after a restart", enforced(life, names), at_30)
            life.reload(rollout="0%")
            wanted("0 %", enforced(life, names), set(names[:2]))
            life.reload(rollout="100%")
            wanted("100 %", enforced(life, names), set(names) - set(names[2:4]))
            held_back = [name for name in names if name not in at_30][5]
            life.reload(rollout="30%")
            shown = life.daemon.explain(held_back)
            wanted("explain", (shown["withheld"], shown["reason"], shown["found"]["level"]), (True, "rollout", "dane-only"))
            wanted("a port does not move it", life.daemon.ask(f"{held_back}:26"), "NOTFOUND ")
            for name in sorted(at_30)[5:8]:
                wanted("nor the other way", life.daemon.explain(f"{name}:26")["withheld"], False)
    c.do(step)


# until=

def date(seconds):
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


@operation("until: a warning a week before, then the rules lapse while it runs")
def _(c):
    FOUND["dane-only"][0](c)
    c.zone("later MX 10 mx", "watched MX 10 mx")

    def step():
        end = (int(time.time()) // DAY_S + 20) * DAY_S
        rules = (f"* off\n{c.d} exactly encrypt until={date(end - DAY_S)} ticket=\"OPS 1\"\n"
                 f"later.{c.d} exactly encrypt until={date(end)}\nwatched.{c.d} monitor until={date(end)[:10]}T00:00Z\n.{c.d} at-least encrypt\n")
        keys = (c.d, f"later.{c.d}", f"watched.{c.d}")
        with Ordered(c, rules) as life:
            life.clock = remembering.Clock(c)
            one = life.start()

            def told(*wants):
                for key, want in zip(keys, wants):
                    life.must_be(want, key)
            told("ENC", "ENC", "NF")
            wanted("no warning yet", one.events("rule-lapses-soon"), [])
            life.clock.ahead(int(end - 7 * DAY_S - time.time()) + 2)
            life.reload()  # else it looks at the clock once an hour, and when a rule lapses
            warned = one.events("rule-lapses-soon")
            first = [("line=2 " in line, "OPS" in line, "level=warn" in line) for line in warned if f"pattern={c.d} " in line]
            wanted("warned", first, [(True,) * 3])
            wanted("and of whom", len(warned), 2)
            told("ENC", "ENC", "NF")
            life.clock.ahead(int(end - time.time()) - 4)
            life.reload()
            told("ENC", "ENC", "NF")
            waiting.until(lambda: len(one.events("rule-lapsed")) == 2, "it is logged", 15)
            told("NF", "ENC", "DO")
            wanted("lapsed", {rule["line"]: rule["lapsed"] for rule in life.listed()}, {1: False, 2: True, 3: False, 4: True, 5: False})
            said(one.cli("rules"), 0, "lapsed")
            life.reload()
            told("NF", "ENC", "DO")
    c.do(step)


@operation("until: what has lapsed at start is listed and does nothing")
def _(c):
    c.clear_mx()

    def step():
        with Ordered(c, f"{c.u} exactly encrypt until=2020-02-29\n.{c.u} off until=2020-02-29T12:00Z\n") as life:
            life.start()
            life.must_be("NF", c.u)
            wanted("rules", [rule["lapsed"] for rule in life.listed()], [True, True])
            wanted("explain", life.daemon.explain(c.u)["rule"], None)
    c.do(step)


# what rules leave as it is

def proven(c):
    c.key = c.u
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}")
    c.plain(f"mx 1 A {server.address}")
    return server


@operation("a hold goes on under monitor, at-least, exactly and off, and the history is as it was")
def _(c):
    server = proven(c)

    def step():
        with Ordered(c, like="orders-memory") as life:
            one = life.start()
            life.must_be("VER", c.u)
            server.temper = CLEAR
            before = waiting.until(lambda: one.held(c.u), "the hold begins", 20)
            history = one.cli("history", c.u).stdout
            for rules, want in ((f"{c.u} monitor\n", "NF"), (f"{c.u} at-least encrypt\n", "VER"), (f"{c.u} at-least {LITERAL}\n", f"OK {LITERAL}"),
                                (f"{c.u} exactly may\n", "OK may"), (f"{c.u} off\n", "NF"), ("", "VER")):
                life.reload(rules)
                life.must_be(want, c.u)
                held = one.held(c.u)
                if held is None or abs(held["since"] - before["since"]) > 1 or abs(held["until"] - before["until"]) > 1:
                    raise Failed(f"under {rules!r}: {held}, before {before}")
            wanted("history", one.cli("history", c.u).stdout, history)
            life.reload(f"{c.u} monitor\n")
            wanted("explain", (one.explain(c.u)["found"]["reason"], one.explain(c.u)["withheld"]), ("held", True))
            wanted("release", one.cli("release", c.u).returncode, 0)
            life.reload("")
            life.must_be("NF", c.u)
    c.do(step)


@operation("a hold begins under a rule that withholds")
def _(c):
    server = proven(c)

    def step():
        with Ordered(c, f"{c.u} monitor\n", like="orders-memory") as life:
            one = life.start()
            life.must_be("NF", c.u)
            waiting.until(lambda: one.explain(c.u)["found"]["level"] == "verify", "it is found out")
            server.temper = CLEAR
            waiting.until(lambda: one.ask(c.u) and one.held(c.u), "the hold begins", 20)
            life.must_be("NF", c.u)
            life.reload("")
            life.must_be("VER", c.u)
    c.do(step)


@operation("rules do not enter the store: after a restart without them the answer is what was found")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, f"{c.d} at-least {LITERAL}\n* exactly may\n") as life:
            one = life.start()
            life.must_be("DO", c.d)
            one.settled()
            life.stop()
            life.write(f"{c.d} off\n")
            life.start()
            life.must_be("NF", c.d)
            life.stop()
            life.write("")
            life.start()
            life.must_be("DO", c.d)
    c.do(step)


@operation("a lookup under way when the rules change: its waiters are told by rules that were in force", valgrind=True)
def _(c):
    FOUND["verify"][0](c)
    c.rule(c.u, "MX", tap.delayed(1.0, tap.answer((c.u, "MX", f"10 mx.{c.u}"))))

    def step():
        with Ordered(c) as life:
            one = life.start()
            with clients.Socketmap(one.socket) as first, clients.Socketmap(one.socket) as second:
                first.send(clients.netstring(f"policy {c.u}".encode()))
                waiting.until(lambda: c.world.tap.asked(c.u, "MX"), "the lookup is under way")
                life.reload(f"{c.u} at-least {LITERAL}\n")
                second.send(clients.netstring(f"policy {c.u}".encode()))
                c.must_be(lambda got: got in (VER[0], f"OK {LITERAL}"), first.read_reply())
                c.must_be(f"OK {LITERAL}", second.read_reply())
            life.must_be(f"OK {LITERAL}", c.u)
    c.do(step)
