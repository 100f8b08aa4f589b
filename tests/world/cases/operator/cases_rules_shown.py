"""What the operator is shown of his orders: rules, rules check, report, explain, the log."""

import contextlib
import json
import os
import random
import signal
import threading

import ruleset
import waiting
from case import case
from ruleset import BAD, FAULT, FOUND, LITERAL, Ordered, said, wanted
from smtpd import CLEAR

ROW = "orders"
DAEMONS = {
    "orders-renewed": {**ruleset.MANY, "ttl-min": "5s", "ttl-max": "5s", "refresh-rate": "500", "refresh-idle": "1h"},
}


def operation(name, group="few", valgrind=False):
    return case(ROW, name, daemon="orders", group=group, valgrind=valgrind)


@operation("mxcrypt rules: each line with what it does")
def _(c):
    rules = f"# a comment\n{c.d} at-least encrypt ticket=\"a b\"\n\n.{c.d} exactly {LITERAL} until=2999-12-31T18:00Z\n* monitor\n"

    def step():
        with Ordered(c, rules) as life:
            one = life.start()
            listed = life.listed()
            wanted("JSON", [(rule["line"], rule["pattern"], rule["action"], rule["policy"], rule["ticket"], rule["lapsed"]) for rule in listed],
                   [(2, c.d, "at-least", "encrypt", "a b", False), (4, f".{c.d}", "exactly", LITERAL, None, False),
                    (5, "*", "monitor", None, None, False)])
            wanted("until", [rule["until"] for rule in listed], [None, "2999-12-31T18:00:00Z", None])
            said(one.cli("rules"), 0, c.d, "at-least encrypt", LITERAL, "2999-12-31", "a b", "monitor")
    c.do(step)


@operation("mxcrypt rules: thousands, all of them in order")
def _(c):
    count = 3000

    def step():
        with Ordered(c, "".join(f"n{number}.example off\n" for number in range(count))) as life:
            life.start()
            wanted("rules", [rule["line"] for rule in life.listed()], list(range(1, count + 1)))
    c.do(step)


@operation("mxcrypt rules: never of two files at once")
def _(c):
    count = 2500

    def step():
        files = ["".join(f"{letter}{number}.example off\n" for number in range(count)) for letter in "ab"]
        with Ordered(c, files[0]) as life:
            one = life.start()
            over = threading.Event()

            def reloads():
                while not over.is_set():
                    for text in files[::-1]:
                        life.write(text)
                        one.process.send_signal(signal.SIGHUP)
                        over.wait(0.05)
            reloading = threading.Thread(target=reloads)
            reloading.start()
            try:
                for _ in range(15):
                    done = one.cli("--json", "rules")
                    if done.returncode == 0:
                        listed = json.loads(done.stdout)
                        wanted("rules", (len(listed), len({rule["pattern"][0] for rule in listed})), (count, 1))
                    else:
                        said(done, 1, "ask again")
            finally:
                over.set()
                reloading.join()
    c.do(step)


@contextlib.contextmanager
def three_found(c):
    """A daemon that knows a dane-only, a clear and a wrong-certificate domain."""
    server = FOUND["dane-only"][0](c)
    clear = f"clear.{c.u}"
    weak = c.plain_host("weak", cert=c.world.ca.leaf("other.example"))
    c.plain(f"clear MX 10 clear-mx", f"clear-mx A {c.world.clear.address}", "weak MX 10 weak")
    yield server, clear, f"weak.{c.u}", weak


def check_new_rules(c, text, changes, deferring):
    """mxcrypt rules check: exactly these change, exactly these would start to defer."""
    with three_found(c) as (_, clear, weak, _):
        def step():
            with Ordered(c) as life:
                one = life.start()
                for key, want in ((c.d, "DO"), (clear, "NF"), (weak, "ENC")):
                    life.must_be(want, key)
                    one.explain(key)
                path = os.path.join(c.world.folder, f"{c.label}.new-rules")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.format(signed=c.d, clear=clear, weak=weak))
                done = one.cli("rules", "check", path)
                names = {"signed": c.d, "clear": clear, "weak": weak}
                for name, key in names.items():
                    wanted(f"{name} is told\n{done.stdout}{done.stderr}", key in done.stdout, name in changes)
                lines = done.stdout.splitlines()
                for name, key in names.items():
                    told = any(key in line and "start to wait" in line for line in lines)
                    wanted(f"{name} would defer\n{done.stdout}", told, name in deferring)
                life.must_be("DO", c.d)
        c.do(step)


for _name, _text, _changes, _deferring in (
        ("nothing changes", "{signed} at-least encrypt\n", (), ()),
        ("at-least encrypt for all", "* at-least encrypt\n", ("clear",), ("clear",)),
        ("at-least verify for all", "* at-least verify\n", ("clear", "weak"), ("clear", "weak")),
        ("off", "{signed} off\n{weak} monitor\n", ("signed", "weak"), ()),
        ("exactly, weaker", "{signed} exactly may\n", ("signed",), ())):
    operation(f"mxcrypt rules check: {_name}")(lambda c, a=(_text, _changes, _deferring): check_new_rules(c, *a))


@operation("mxcrypt rules check: a match= that names no mail host with a good certificate is not said to let mail flow")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx")

    def step():
        with Ordered(c) as life:
            one = life.start()
            one.explain(c.u)
            path = os.path.join(c.world.folder, f"{c.label}.new-rules")
            for match, forecast in ((f"mx.{c.u}", "flows"), (f"other.example:.{c.u.upper()}", "flows"), (f"other.example match=.{c.u}", "flows"),
                                    (c.u, "unknown"), (f".mx.{c.u}", "unknown"), (f"x.{c.u}", "unknown"), (f"mx.{c.u}x", "unknown"),
                                    (f"mx.{c.u} tafile=/etc/partner.pem", "unknown")):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(f"{c.u} at-least secure match={match}\n")
                checked = one.value("rules", "check", path)
                wanted(match, [change["forecast"] for change in checked["changes"]], [forecast])
                said(one.cli("rules", "check", path), 0, "not known" if forecast == "unknown" else "")
            life.reload(f"{c.u} exactly secure match=typo.{c.u}\n")
            wanted("report", (one.value("report")["unsure"], one.value("report")["would_stop"]), (1, []))
            said(one.cli("report"), 0, "For 1 it is not known")
    c.do(step)


@operation("mxcrypt rules check: a bad file is refused with its line, and nothing changes")
def _(c):
    def step():
        with Ordered(c, "* monitor\n") as life:
            one = life.start()
            path = os.path.join(c.world.folder, f"{c.label}.new-rules")
            with open(path, "w", encoding="utf-8") as file:
                file.write(BAD)
            said(one.cli("rules", "check", path), 65, f"{path}: {FAULT}")
            wanted("rules", [rule["pattern"] for rule in life.listed()], ["*"])
            said(one.cli("rules", "check", path + ".missing"), 65, path)
    c.do(step)


@operation("mxcrypt report in monitor mode: who would get what, who would be deferred", valgrind=True)
def _(c):
    with three_found(c) as (server, clear, weak, _):
        wrong = f"wrong.{c.d}"
        c.zone("wrong MX 10 wrong", f"wrong A {server.address}", f"_25._tcp.wrong TLSA {ruleset.WRONG_TLSA}")

        def step():
            with Ordered(c, mode="monitor") as life:
                one = life.start()
                for key in (c.d, clear, weak, wrong):
                    life.must_be("NF", key)
                    one.explain(key)
                text = said(one.cli("report"), 0, "monitor", "dane-only", "encrypt")
                wanted(f"who would be deferred is named\n{text}", any(wrong in line for line in text.splitlines()), True)
                report = one.value("report")
                wanted("figures", [report[name] for name in ("mode", "rollout", "nexthops", "withheld", "unsure")], ["monitor", 100, 4, 3, 0])
                wanted("verdicts", {level: count for level, count in report["verdicts"].items() if count != {"found": 0, "told": 0}},
                       {"dane-only": {"found": 2, "told": 0}, "encrypt": {"found": 1, "told": 0}, "notfound": {"found": 1, "told": 4}})
                changes = {one["key"]: one for one in report["would_change"]}
                wanted("keys, in order", list(changes), sorted((c.d, weak, wrong)))
                wanted("told", {(one["told"], one["withheld"]) for one in changes.values()}, {("NOTFOUND", True)})
                wanted("forecast", [(changes[key]["enforced"], changes[key]["forecast"]) for key in (c.d, weak, wrong)],
                       [("OK dane-only", "flows"), ("OK encrypt", "flows"), ("OK dane-only", "defers")])
                wanted("who would be deferred", report["would_stop"], [changes[wrong]])
        c.do(step)


@operation("mxcrypt report: nobody is left out or counted twice while answers are renewed")
def _(c):
    FOUND["dane-only"][0](c)
    c.zone("*.many MX 10 mx")
    count = 400

    def step():
        with Ordered(c, like="orders-renewed") as life:
            one = life.start()
            for number in range(count):
                life.must_be("DO", f"n{number}.many.{c.d}")
            counted = []

            def renewed():
                counted.append(one.value("report")["nexthops"])
                return one.stats()["refreshes"] >= 2 * count
            waiting.until(renewed, "each answer is renewed twice")
            wanted(f"next-hops {counted}, some of which lapse on a busy machine", all(count / 2 < one <= count for one in counted), True)
    c.do(step)


@operation("explain says the rule, in words and in JSON")
def _(c):
    FOUND["no STARTTLS"][0](c)

    def step():
        with Ordered(c, f"# one\n{c.u} at-least encrypt ticket=OPS-7 until=2999-12-31\n", log_level="debug") as life:
            one = life.start()
            shown = one.explain(c.u)
            rule = {"line": 2, "pattern": c.u, "action": "at-least", "policy": "encrypt", "until": "3000-01-01T00:00:00Z", "ticket": "OPS-7"}
            wanted("rule", shown["rule"], rule)
            wanted("told", (shown["level"], shown["reason"], shown["withheld"]), ("encrypt", "rule-at-least", False))
            wanted("found", (shown["found"]["level"], shown["found"]["reason"]), ("notfound", "starttls-clear"))
            said(one.cli("explain", c.u), 0, "OPS-7", "at-least")
            verdict = waiting.until(lambda: one.events("verdict", c.u), "a verdict event")[-1]
            wanted(f"the event {verdict}", ("answer=encrypt" in verdict, "rule=2" in verdict, "rule-at-least" in verdict), (True,) * 3)
    c.do(step)


@operation("explain --fresh asks the rules file as it is now, without the daemon")
def _(c):
    FOUND["no STARTTLS"][0](c)

    def step():
        with Ordered(c) as life:
            one = life.start()
            for rules, told in ((f"{c.u} at-least encrypt\n", ("encrypt", "rule-at-least")), (f"{c.u} off\n", ("notfound", "rule-off")),
                                (f"{c.u} exactly may\n", ("may", "rule-exactly")), ("", ("notfound", "starttls-clear"))):
                life.write(rules)
                shown = one.value("explain", "--fresh", c.u)
                wanted("told", (shown["level"], shown["reason"], shown["rule"] is None), (*told, rules == ""))
            life.must_be("NF", c.u)
            life.write(BAD)
            said(one.cli("explain", "--fresh", c.u), 70, FAULT)
    c.do(step)


@operation("what is told by rules and withheld is counted")
def _(c):
    FOUND["dane-only"][0](c)
    c.zone("least MX 10 mx", "off MX 10 mx", "exact MX 10 mx", "watched MX 10 mx")

    def step():
        rules = f"least.{c.d} at-least {LITERAL}\noff.{c.d} off\nexact.{c.d} exactly may\nwatched.{c.d} monitor\n"
        with Ordered(c, rules) as life:
            one = life.start()
            before = one.stats()
            for key in (c.d, f"least.{c.d}", f"off.{c.d}", f"exact.{c.d}", f"watched.{c.d}"):
                one.ask(key)
            one.settled()  # nobody waits for what is withheld: it counts when it is found
            one.ask(f"watched.{c.d}")
            after = one.stats()
            more = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
            wanted(f"withheld {more}", any("withheld" in name and value == 2 for name, value in more.items()), True)
    c.do(step)


@operation("what is withheld is logged as such")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, mode="monitor") as life:
            one = life.start()
            life.must_be("NF", c.d)
            verdict = waiting.until(lambda: one.events("verdict", c.d), "a verdict event")[-1]
            wanted(f"the event {verdict}", "why=mode-monitor" in verdict and "answer=notfound" in verdict, True)
            wanted("JSON", json.loads(json.dumps(one.explain(c.d)))["found"]["answer"], "OK dane-only")
    c.do(step)


# what was foretold

ACTIONS = ("at-least encrypt", "at-least verify", f"at-least {LITERAL}", "exactly encrypt", "exactly may", "exactly dane-only", "off", "monitor",
           "exactly verify match=mx.partner.example", "at-least encrypt until=2020-01-01", "monitor until=2999-01-01 ticket=\"ü\"")
TURNS = 10


def all_kinds(c):
    """Next-hops of many kinds, below c.d and c.u."""
    for name, tlsa in (("mx", ["good"]), ("mx2", []), ("bad", [ruleset.WRONG_TLSA]), ("err", ["good"])):
        c.host(name, *tlsa)
    c.zone("full MX 10 mx", "mixed MX 10 mx", "mixed MX 20 mx2", "null MX 0 .", "wrong MX 10 bad", "failing MX 10 err")
    c.child(f"_tcp.err.{c.d}", "bogus", f"_25 TLSA {ruleset.WRONG_TLSA}")
    c.plain_host("cmx", temper=CLEAR)
    c.plain_host("rmx", temper=ruleset.REFUSING)
    c.plain_host("vmx")
    c.plain_host("wmx", cert=c.world.ca.leaf("other.example"))
    c.plain("clear MX 10 cmx", "refused MX 10 rmx", "ver MX 10 vmx", "weak MX 10 wmx", f"unsigned MX 10 mx.{c.d}.", "nobody MX 10 nmx",
            f"nmx A {c.address()}")
    return [*(f"{name}.{c.d}" for name in ("full", "mixed", "null", "wrong", "failing", "nothing")),
            *(f"{name}.{c.u}" for name in ("clear", "refused", "ver", "weak", "unsigned", "nobody")), f"[mx.{c.d}]", f"[cmx.{c.u}]"]


def some_rules(c, keys, rng):
    patterns = [key for key in keys if rng.random() < 0.4] + [pattern for pattern in (f".{c.d}", f".{c.u}", "*") if rng.random() < 0.5]
    return "".join(f"{pattern} {rng.choice(ACTIONS)}\n" for pattern in rng.sample(patterns, len(patterns)))


def cached(one):
    """Keys in the cache, and for how many seconds they are valid."""
    return {entry["key"]: entry["valid_for_s"] for entry in one.control_answer("cache-list")["entries"]}


@operation("what mxcrypt rules check foretells is what the reload brings, for rules by chance")
def _(c):
    keys = all_kinds(c)
    rng = random.Random(1)
    path = os.path.join(c.world.folder, f"{c.label}.new-rules")

    def step():
        with Ordered(c) as life:
            one = life.start()
            compared = 0
            for _ in range(TURNS):
                rules = some_rules(c, keys, rng)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(rules)
                for key in keys:
                    one.explain(key)
                before = cached(one)
                then = {change["key"]: change["then"] for change in one.value("rules", "check", path)["changes"]}
                now = {key: one.ask(key).strip() for key in keys}
                after = cached(one)  # what is later than before was looked up in between, and not foretold
                life.reload(rules)
                for key in [key for key in keys if key in before and after.get(key, before[key] + 1) <= before[key]]:
                    wanted(f"{key} under\n{rules}", one.ask(key).strip(), then.get(key, now[key]))
                    compared += 1
            wanted(f"{compared} compared", compared > 5 * TURNS, True)
    c.do(step)
