"""Verdicts for the domains of a mail log: asked in bulk, of the daemon or without one, and each is what explain says."""

import ruleset
import tap
import waiting
from case import case
from cases_rules_walks import Asked, whole
from ruleset import LITERAL, Ordered, wanted
from smtpd import CLEAR

ROW = "orders"
KINDS = ("dane", "sts", "verified", "untrusted", "clear", "off", "exactly", "monitor", "nothing")


def operation(name, group="few", valgrind=False):
    return case(ROW, name, daemon="orders", group=group, valgrind=valgrind)


class Partners:
    """Domains of each kind below those of the case, and rules for some of them."""

    def __init__(self, c):
        self.c = c
        self.names = {kind: f"{kind}.{c.d if kind == 'dane' else c.u}" for kind in KINDS}
        c.zone("dane MX 10 mx.dane")
        c.host("mx.dane", "good")
        self.servers = {}
        for kind in KINDS[1:-1]:
            c.plain(f"{kind} MX 10 mx.{kind}")
            self.servers[kind] = c.plain_host(f"mx.{kind}", temper=CLEAR if kind == "clear" else ruleset.GOOD,
                         cert=c.world.ca.leaf(f"mx.{self.names[kind]}", issuer=c.world.ca.stranger) if kind == "untrusted" else None)
        c.sts(f"mx.{self.names['sts']}", domain=self.names["sts"])
        self.rules = f"{self.names['off']} off\n{self.names['exactly']} exactly {LITERAL}\n{self.names['monitor']} monitor # for now\n"

    def keys(self):
        return list(self.names.values()) + [f"[mx.{self.names['verified']}]", "192.0.2.1", f".{self.c.u}"]


def as_explained(one, line):
    """A line of the answer against explain of its key."""
    key, told = line["key"], line["told"]
    explained = one.explain(key)
    wanted(key, (told["answer"], told["level"], told["reason"], line["withheld"]),
           (explained["answer"], explained["level"], explained["reason"], explained["withheld"]))
    if line["found"] is not None:
        wanted(f"{key}, found", {name: line["found"][name] for name in ("answer", "level", "reason")}, explained["found"])


@operation("verdicts: cold and cached, each as explain has it", valgrind=True)
def _(c):
    partners = Partners(c)

    def step():
        with Ordered(c, partners.rules) as life:
            one = life.start()
            for _ in range(2):
                with Asked(one, "verdicts", keys=partners.keys()) as asked:
                    lines, _ = whole(asked)
                wanted("keys", sorted(line["key"] for line in lines), sorted(partners.keys()))
                for line in lines:
                    as_explained(one, line)
    c.do(step)


@operation("verdicts: while some keys hang, the others are told; a client that goes lets them be")
def _(c):
    partners = Partners(c)
    c.plain("hangs MX 10 mx.hangs", "mx.hangs A 198.51.100.25")
    c.rule(f"hangs.{c.u}", "MX", tap.silence())

    def step():
        with Ordered(c, partners.rules, job_deadline="5s") as life:
            one = life.start()
            before = one.descriptors()
            with Asked(one, "verdicts", keys=[f"hangs.{c.u}", *partners.keys()]) as asked:
                told = 0
                for part, _ in asked.objects():
                    told += len(part["lines"])
                    if told == len(partners.keys()):
                        break
                wanted("the one that hangs is not told", told, len(partners.keys()))
            waiting.until(lambda: one.descriptors() <= before + 2, "it is gone")
            wanted("and the daemon answers", one.ask(partners.names["off"]), "NOTFOUND ")
            one.settled()
    c.do(step)
