"""The operator's rules: what each action makes of everything that may be found out, which rule wins, which keys are answered."""

import itertools
import random

import clients
import ruleset
from case import Failed, case, table
from ruleset import FOUND, LITERAL, Ordered, answer, shared

ROW = "orders"
DAEMONS = {
    "orders": {**ruleset.QUICK, "rules": "FOLDER/orders.rules"},
    "orders-own": ruleset.QUICK,
    "orders-monitor": {**ruleset.QUICK, "mode": "monitor", "rules": "FOLDER/orders-monitor.rules"},
    "orders-none": {**ruleset.QUICK, "rollout": "0%", "rules": "FOLDER/orders-none.rules"},
}


def ordered(name, daemon="orders", **more):
    return case(ROW, name, daemon=daemon, **more)


def ruled(c, want, reason, withheld=False, level=None):
    """The answer, and what explain says of it and of what was found; reason None: that of what was found."""
    c.want(answer(want))
    c.explained("reason", lambda e: e["reason"] == (reason or e["found"]["reason"]) or e["reason"], True)
    c.explained("withheld", lambda e: e["withheld"], withheld)
    if level:
        c.explained("found", lambda e: e["found"]["level"], level)


# at-least

def at_least(c, floor, name):
    declare, found, level, *answers = FOUND[name]
    declare(c)
    shared(c, f"{c.key} at-least {LITERAL if floor == 'secure' else floor}")
    want = answers[("encrypt", "verify", "secure").index(floor)]
    special = {"STARTTLS refused": "rule-refused", "dane, a TLSA lookup failed": "rule-dane-error"}.get(name)
    ruled(c, want, None if want == found else special or "rule-at-least", level=level)
    c.explained("rule", lambda e: (e["rule"]["pattern"], e["rule"]["action"]), (c.key, "at-least"))


for _floor in ("encrypt", "verify", "secure"):
    table(ROW, f"at-least {_floor}", [(name, _floor, name) for name in FOUND], at_least, daemon="orders", valgrind=_floor == "encrypt")


# exactly, off, monitor

def without_lookup(c, name, action, want, reason):
    FOUND[name][0](c)
    shared(c, f"{c.key} {action}")
    c.want(answer(want))
    c.check("lookups", lambda: c.world.tap.asked_below(c.key), 0)
    ruled(c, want, reason)


def exactly(c, name):
    without_lookup(c, name, f"exactly {LITERAL}", "LIT", "rule-exactly")


def off(c, name):
    without_lookup(c, name, "off", "NF", "rule-off")


def monitor(c, name):
    declare, found, level, *_ = FOUND[name]
    declare(c)
    shared(c, f"{c.key} monitor")
    ruled(c, "NF", None if found == "NF" else "rule-monitor", found != "NF", level)
    c.check("it is looked up", lambda: c.world.tap.asked(c.key, "MX") > 0, True)


for _name, _declare in (("exactly", exactly), ("off", off), ("monitor", monitor)):
    table(ROW, _name, [(name, name) for name in FOUND], _declare, daemon="orders", valgrind=_name == "monitor")

EXACT = ["none", "may", "may ciphers=high", "encrypt", "fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", "dane", "dane-only",
         "verify match=mx.partner.example", LITERAL, "encrypt,protocols=>=TLSv1.2"]


def word_for_word(c, policy):
    shared(c, f"{c.d} exactly {policy}")
    c.want(f"OK {policy}")
    c.explained("rule", lambda e: (e["rule"]["action"], e["rule"]["policy"]), ("exactly", policy))


table(ROW, "exactly, word for word", [(policy, policy) for policy in EXACT], word_for_word, daemon="orders")


# monitor against enforce

def withheld(c, name):
    """mode = monitor: nothing for anybody, everything known."""
    declare, found, level, *_ = FOUND[name]
    declare(c)
    ruled(c, "NF", None if found == "NF" else "mode-monitor", found != "NF", level)


table(ROW, "mode = monitor", [(name, name) for name in FOUND], withheld, daemon="orders-monitor", valgrind=False)


def withheld_rule(c, action, reason, held_back):
    FOUND["dane-only"][0](c)
    shared(c, f"{c.key} {action}")
    ruled(c, "NF", reason, held_back)
    c.explained("rule", lambda e: e["rule"]["pattern"], c.key)


table(ROW, "mode = monitor holds back rules too", [
    ("at-least", "at-least encrypt", "mode-monitor", True), ("exactly", "exactly encrypt", "mode-monitor", True),
    ("off", "off", "rule-off", False), ("monitor", "monitor", "rule-monitor", True)], withheld_rule, daemon="orders-monitor")


@ordered("rollout = 0%: only rules that name somebody are enforced", daemon="orders-none")
def _(c):
    FOUND["dane-only"][0](c)
    shared(c, f"named.{c.d} at-least encrypt", f".below.{c.d} exactly encrypt", "* at-least encrypt")
    c.zone(*(f"{name} MX 10 mx" for name in ("named", "other", "a.below")))
    ruled(c, "NF", "rollout", True, "dane-only")
    c.want("NF", key=f"other.{c.d}")
    c.want("DO", key=f"named.{c.d}")
    c.want("ENC", key=f"a.below.{c.d}")


# which rule wins

@ordered("the most specific rule wins, in every form of key; parents are never answered")
def _(c):
    c.clear_mx()
    d = c.u
    shared(c, f".{d} exactly verify", f"{d} exactly encrypt", f"{d}:587 exactly dane-only", f"[{d}] exactly may", f"[{d}]:587 exactly none",
           f"a.{d} off", f".a.{d} exactly dane", f"[b.a.{d}]:26 exactly encrypt ciphers=high")
    for key, want in (
            (d, "OK encrypt"), (f"{d.upper()}.", "OK encrypt"), (f"{d}:25", "OK encrypt"), (f"{d}:26", "OK encrypt"),
            (f"{d}:587", "OK dane-only"), (f"{d}:submission", "OK dane-only"), (f"[{d}]", "OK may"), (f"[{d}]:25", "OK may"),
            (f"[{d}]:465", "OK may"), (f"[{d}]:587", "OK none"), (f"x.{d}", "OK verify"), (f"x.y.{d}:587", "OK verify"), (f"[x.{d}]", "OK verify"),
            (f"[x.{d}]:587", "OK verify"),
            (f"a.{d}", "NF"), (f"a.{d}:587", "NF"), (f"[a.{d}]", "OK verify"), (f"b.a.{d}", "OK dane"), (f"[b.a.{d}]", "OK dane"),
            (f"[b.a.{d}]:26", "OK encrypt ciphers=high"), (f"x{d}", "NF"),
            (f".{d}", "NF"), (f".a.{d}", "NF"), (f".b.a.{d}", "NF"), (".plain", "NF")):
        c.want(want, key=key)


def expected(rules, key):
    """Which of the patterns is for the key, by the words of mxcrypt-rules(5) and nothing cleverer."""
    bracketed = key.startswith("[")
    host = key[:key.index("]") + 1] if bracketed else key.split(":")[0]
    name = host.strip("[]")
    parents = [name[at:] for at, octet in enumerate(name) if octet == "."]
    return next((pattern for pattern in (key, host, *parents, "*") if pattern in rules), None)


@ordered("random rules and keys: always the rule that the manual says", group="few", valgrind=False)
def _(c):
    dice = random.Random(4)
    names = [".".join((*labels, "example")) for depth in (1, 2, 3) for labels in itertools.product("ab", repeat=depth)]
    keys = [form.format(name) for name in names for form in ("{}", "{}:26", "{}:587", "[{}]", "[{}]:26", "[{}]:587")]
    patterns = [*keys, *(f".{name}" for name in names), ".example", "*"]

    def step():
        with Ordered(c) as life:
            one = life.start()
            for _ in range(60):
                chosen = dice.sample(patterns, dice.choice((1, 3, 10, 40)))
                life.reload("".join(f"{pattern} exactly encrypt ciphers=c{number}\n" for number, pattern in enumerate(chosen)))
                with clients.Socketmap(one.socket) as connection:
                    for key in (key for key in keys if expected(chosen, key)):
                        c.must_be(f"OK encrypt ciphers=c{chosen.index(expected(chosen, key))}", connection.ask(key), f"{key} by {chosen}")
    c.do(step)


@ordered("addresses, names of one label and paths have rules of their own")
def _(c):
    label = c.label.replace("-", "")
    shared(c, "192.0.2.77 at-least encrypt", "[192.0.2.77]:587 exactly none", "[2001:db8::77] at-least verify", f"{label} at-least encrypt",
           f"[{label}]:26 off", f"/run/{label}/lmtp exactly none", "[127.0.0.77]:10024 exactly may", f"[{label}] at-least {LITERAL}")
    for key, want in (
            ("192.0.2.77", "ENC"), ("[192.0.2.77]", "ENC"), ("[192.0.2.77]:25", "ENC"), ("[192.0.2.77]:26", "ENC"), ("[192.0.2.77]:587", "OK none"),
            ("[192.0.2.78]", "NF"), ("[IPv6:2001:DB8:0::77]", "VER"), ("[2001:db8::77]:587", "VER"), ("[2001:db8::78]", "NF"),
            (label, "ENC"), (f"{label}:26", "ENC"), (f"[{label}]", f"OK {LITERAL}"), (f"[{label}]:26", "NF"), (f"/run/{label}/lmtp", "OK none"),
            (f"/run/{label}/other", "NF"), ("[127.0.0.77]:10024", "OK may"), ("[127.0.0.77]", "NF"), ("localhost", "NF")):
        c.want(want, key=key)


@ordered("U-labels in rules and keys are one")
def _(c):
    shared(c, f"bücher.{c.d} exactly encrypt", f".größe.{c.d} exactly verify")
    for key, want in ((f"bücher.{c.d}", "ENC"), (f"xn--bcher-kva.{c.d}", "ENC"), (f"BÜCHER.{c.d}:26", "ENC"), (f"a.größe.{c.d}", "OK verify")):
        c.do(lambda key=key, want=want: c.must_be(want, c.ask(key.encode()), key))


@ordered("* is for all mail that leaves this host; what is below a dot is not answered", group="few", valgrind=False)
def _(c):
    c.clear_mx()
    rules = f"* at-least encrypt\nfree.{c.u} off\n.tree.{c.u} monitor\n"
    c.plain(*(f"{name} MX 10 mx" for name in ("free", "a.tree", "tree")))

    def step():
        with Ordered(c, rules) as life:
            life.start()
            for key, want in (
                    (c.u, "ENC"), (f"{c.u}:587", "ENC"), (f"[mx.{c.u}]", "ENC"), (f"[mx.{c.u}]:587", "ENC"), (f"nothing.{c.u}", "ENC"),
                    (f"free.{c.u}", "NF"), (f"a.tree.{c.u}", "NF"), (f"tree.{c.u}", "ENC"), ("192.0.2.1", "ENC"), ("[192.0.2.1]:587", "ENC"),
                    ("[2001:db8::9]", "ENC"), ("relay", "ENC"), ("[relay]:587", "ENC"),
                    ("/run/lmtp", "NF"), ("private/lmtp", "NF"), ("[127.0.0.1]:10024", "NF"), ("127.0.0.2", "NF"), ("[::1]:10024", "NF"),
                    ("[::ffff:127.0.0.1]:10024", "NF"), ("localhost", "NF"), ("localhost:10024", "NF"), ("[localhost]:10024", "NF"),
                    (f".{c.u}", "NF"), (f".free.{c.u}", "NF"), (".plain", "NF"), (".", None)):
                if want:
                    life.must_be(want, key)
    c.do(step)


@ordered("the tcp_table protocol answers by the same rules", group="few", valgrind=False)
def _(c):
    c.clear_mx()

    long = "secure " + " ".join(f"match=m{number}.example" for number in range(100, 305))  # too long once blanks are %20

    def step():
        rules = f"{c.u} at-least encrypt\nb.{c.u} exactly {LITERAL}\nc.{c.u} off\nlong.{c.u} exactly {long}\n"
        with Ordered(c, rules, listen=["tcp:127.0.0.1:8472"]) as life:
            life.start()
            with clients.TcpTable(("127.0.0.1", 8472)) as connection:
                c.must_be(f"OK {long}", life.daemon.ask(f"long.{c.u}"))
                literal = f"200 {LITERAL.replace(' ', '%20')}"
                for key, want in ((c.u, "200 encrypt"), (f"b.{c.u}", literal), (f"c.{c.u}", "500 "), (f"long.{c.u}", "400 "), (f".{c.u}", "500 "),
                                  (c.u, "200 encrypt")):
                    got = connection.ask(key)
                    if not got.startswith(want):
                        raise Failed(f"{key}: wanted {want!r}, got {got!r}")
    c.do(step)


@ordered("with QUERYwithTLSRPT: a found answer has its attributes, a rule's answer is the rule's")
def _(c):
    c.clear_mx()
    c.sts()
    c.plain("literal MX 10 mx")
    shared(c, f"{c.u} at-least encrypt", f"literal.{c.u} at-least {LITERAL}")
    c.do(lambda: c.must_be(lambda got: "policy_type=sts" in got, c.ask(name="QUERYwithTLSRPT")))
    c.want("SEC")
    c.do(lambda: c.must_be(f"OK {LITERAL}", c.ask(f"literal.{c.u}", "QUERYwithTLSRPT")))
