"""A case: rows of docs/conformance.md, what the world says, what is asked, what must come.

A case function runs twice removed from the questions: it declares records, servers and steps before any server starts;
the steps run later, in order, many cases at once. Each case has domains of its own: c.d below the signed TLD, c.u below
the unsigned one."""

import re
from dataclasses import dataclass
from typing import Callable

import policyhost
import smtpd
import waiting

SHORT = {"DO": "OK dane-only", "DA": "OK dane", "ENC": "OK encrypt", "VER": "OK verify servername=hostname", "NF": "NOTFOUND "}
REGISTRY = []
UNDER_VALGRIND = 6  # one of so many lines of a table


class Failed(AssertionError):
    pass


@dataclass(frozen=True)
class Entry:
    rows: tuple
    name: str
    declare: Callable
    daemon: str
    group: str
    valgrind: bool
    skip: str = ""


def case(rows, name, daemon="main", group="together", valgrind=True, skip=""):
    """Registers the decorated function as a case. The cases of a group run at once, those of "alone" one after another, those
    of "few" a few at once; a group whose name begins with "hostile" is watched by a guard. `skip` says why it cannot be tried
    on this system; empty when it can."""
    def keep(declare):
        REGISTRY.append(Entry(tuple(rows.split()), name, declare, daemon, group, valgrind, skip))
        return declare
    return keep


def table(rows, title, lines, declare, valgrind=True, **more):
    """One case per line (name, *arguments): declare(c, *arguments). The lines of a table take the same way through the program:
    under valgrind, which is slow, every sixth of them is enough."""
    for number, (name, *arguments) in enumerate(lines):
        case(rows, f"{title}: {name}", valgrind=valgrind and number % UNDER_VALGRIND == 0, **more)(
            lambda c, arguments=arguments: declare(c, *arguments))


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


class Case:
    def __init__(self, world, entry, label):
        self.world, self.entry, self.label = world, entry, label
        self.d, self.u = f"{label}.signed", f"{label}.plain"
        self.key = self.d
        self.steps = []
        self.patterns = ()

    # what the world says

    def zone(self, *lines):
        """Records below c.d, names relative to it."""
        self.world.dns.add(self.d, *lines)

    def plain(self, *lines):
        """Records below c.u, names relative to it."""
        self.world.dns.add(self.u, *lines)

    def child(self, name, kind, *lines, **more):
        self.world.dns.add_child(name, kind, *lines, **more)

    def address6(self):
        """The same, of IPv6."""
        return self.world.new_address6()

    def address(self):
        """An address where nothing listens."""
        return self.world.new_address()

    def server(self, *san, temper=smtpd.GOOD, cert=None, context=None, address=None):
        """An SMTP server at an address of its own; its certificate is for mx.c.d and mx.c.u unless said otherwise."""
        cert = cert or self.world.ca.leaf(*(san or (f"mx.{self.d}", f"mx.{self.u}")))
        server = smtpd.SmtpServer(self.world.loop, address or self.address(), temper, context or self.world.ca.server_context(cert))
        server.cert = cert
        return server

    def host(self, name, *tlsa, temper=smtpd.GOOD, cert=None, context=None):
        """A mail host below c.d with a server behind it; TLSA rdata, "good" for the one that matches."""
        server = self.server(f"{name}.{self.d}", temper=temper, cert=cert, context=context)
        self.zone(f"{name} A {server.address}")
        self.tlsa(name, server, *tlsa)
        return server

    def tlsa(self, name, server, *tlsa):
        for one in tlsa:
            self.zone(f"_25._tcp.{name} TLSA {server.cert.tlsa() if one == 'good' else one}")

    def plain_host(self, name, temper=smtpd.GOOD, cert=None, context=None):
        server = self.server(f"{name}.{self.u}", temper=temper, cert=cert, context=context)
        self.plain(f"{name} A {server.address}")
        return server

    def clear_mx(self):
        """c.u is asked for; its mail host offers no STARTTLS."""
        self.key = self.u
        self.plain("@ MX 10 mx", f"mx A {self.world.clear.address}")

    def sts(self, *mx, domain=None, txt="v=STSv1; id=1", policy=None, cert=None, context=None, **policy_text):
        """MTA-STS for c.key's domain: TXT, policy host and policy."""
        domain = domain or self.key
        add = self.zone if domain.endswith("signed") else self.plain
        origin = f"{domain}."
        self.patterns = mx or (f"mx.{domain}",)
        if txt is not None:
            add(f'_mta-sts.{origin} TXT "{txt}"')
        add(f"mta-sts.{origin} A {self.world.policy_address}")
        context = context or self.world.ca.server_context(cert or self.world.ca.leaf(f"mta-sts.{domain}"))
        policy = policy or policyhost.Policy(policyhost.sts_text(*self.patterns, **policy_text))
        return self.world.policies.host(f"mta-sts.{domain}", context, policy)

    def rule(self, name, rrtype, rule):
        """The resolver in front of the daemon answers this by the rule."""
        self.world.tap.rule(name, rrtype, rule)

    # what is asked and must come

    def do(self, step):
        self.steps.append(step)

    def want(self, want, key=None, name="policy"):
        self.do(lambda: self.must_be(want, self.ask(key, name), key))

    def check(self, what, get, want):
        """get() must give `want`, or make want(value) true."""
        def step():
            got = get()
            if not (want(got) if callable(want) else got == want):
                raise Failed(f"{what}: wanted {'another' if callable(want) else repr(want)}, got {got!r}")
        self.do(step)

    def later(self, what, get, seconds=15):
        """get() must become true."""
        self.do(lambda: waiting.until(get, what, seconds))

    def explained(self, what, pick, want, key=None):
        """pick(explain JSON) must be `want`."""
        self.check(what, lambda: pick(self.explain(key)), want)

    # at the time of the questions

    @property
    def daemon(self):
        return self.world.daemon(self.entry.daemon)

    def ask(self, key=None, name="policy"):
        return self.daemon.ask(key or self.key, name)

    def explain(self, key=None):
        return self.daemon.explain(key or self.key)

    def forget(self, key=None):
        """As the operator's command; explain first, which waits for the end of the lookup."""
        self.do(lambda: self.explain(key))
        self.check("mxcrypt cache forget", lambda: self.daemon.cli("cache", "forget", key or self.key).returncode, 0)

    def must_be(self, want, got, key=None):
        if want == "TMP":
            good = got.startswith("TEMP ") and len(got) > len("TEMP ")
        elif want == "SEC":
            want = secure(self.patterns, f"mx.{self.key}")
            good = got == want
        elif callable(want):
            good = want(got)
        else:
            want = SHORT.get(want, want)
            good = got == want
        if not good:
            raise Failed(f"{key or self.key}: wanted {want if isinstance(want, str) else 'another'!r}, got {got!r}")

    def run(self):
        for step in self.steps:
            step()


NO_MX = "no-mx-matches-the-mta-sts-policy.invalid"


def secure(patterns, *hosts):
    """The MTA-STS answer that any Postfix understands; a wildcard stands for the MX hosts one label below."""
    names = []
    for one in patterns:
        covered = [host for host in hosts if host.split(".", 1)[1] == one[2:]]
        names += [name for name in (covered if one.startswith("*.") else [one]) if name not in names]
    return f"OK secure match={':'.join(names or [NO_MX])} servername=hostname"
