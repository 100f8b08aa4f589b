"""What the cases of mxcrypt check share: a domain as it should be, in which a case breaks one thing, and what the check must find.

Two mail hosts with an IPv4 and an IPv6 address each and reverse names that lead back, STARTTLS with a valid chain, a zone of its
own on two servers that agree. On top of that, by its setting: DANE, MTA-STS, both, or neither; TLSRPT wherever there is a policy."""

import json
import pathlib
import re
import threading

import jsonschema
import policyhost
import smtpd
from case import Failed, case

NEXT_KEY = "3 1 1 " + "5a" * 32  # of a key that is not in use yet
STS_RECORD = "v=STSv1; id=20260101000000;"
MAX_AGE = 1209600
SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "check.schema.json"
STATUS = {"notice": 0, "warning": 1, "critical": 2, "unknown": 3}
WORST_FIRST = ("critical", "unknown", "warning", "notice")
CLI_LIMIT_S = 120
COME_OR_GONE = re.compile(r"mxcrypt: [^ ]+: (new|gone): ")  # on standard error, for those who keep a state
TOOL_LOCK = threading.Lock()
SETTINGS = {"both": ("signed", True, True), "dane": ("signed", True, False), "sts": ("unsigned", False, True), "bare": ("unsigned", False, False)}


class MailHost:
    """Everything of it may be changed until it is planted; what is by family stands under 4 and 6."""

    def __init__(self, sound, label):
        self.sound, self.label, self.name = sound, label, f"{label}.{sound.name}"
        self.cert = None                                     # None: a good one
        self.extra = ()                                      # shown after the chain
        self.tempers = {4: smtpd.GOOD, 6: smtpd.GOOD}        # None: nothing listens
        self.contexts = {}                                   # instead of one that shows `cert`
        self.addresses = {4: sound.c.address(), 6: sound.c.world.new_routed6()}
        self.reverse = {4: self.name, 6: self.name}          # None: no PTR record
        self.tlsa = ["present", NEXT_KEY]                    # rdata, or "present"
        self.tlsa_ttl = ""
        self.owner = label                                   # of its addresses; None: they are elsewhere
        self.servers = {}

    def temper(self, temper):
        self.tempers = dict.fromkeys(self.tempers, temper)

    def show(self, cert, extra=()):
        self.cert, self.extra = cert, extra

    def lines(self):
        types = {4: "A", 6: "AAAA"}
        lines = [f"{self.owner} {types[family]} {address}" for family, address in self.addresses.items() if self.owner]
        if self.sound.has_dane:
            lines += [f"_25._tcp.{self.label} {self.tlsa_ttl} TLSA {self.cert.tlsa() if one == 'present' else one}" for one in self.tlsa]
        return lines

    def plant(self):
        world = self.sound.c.world
        self.cert = self.cert or self.sound.good_cert()
        for family, address in self.addresses.items():
            if self.reverse[family]:
                world.dns.add_reverse(address, self.reverse[family])
            if self.tempers[family]:
                context = self.contexts[family](self) if family in self.contexts else world.ca.server_context(self.cert, extra=self.extra)
                self.servers[family] = smtpd.SmtpServer(world.loop, address, self.tempers[family], context)


class Sound:
    """The whole domain: `name` is what is checked, `zone` what the hosts are in. `lines` are more records of the zone."""

    def __init__(self, c, setting):
        self.kind, self.has_dane, self.has_sts = SETTINGS[setting]
        self.c, self.ca = c, c.world.ca
        self.zone = self.name = c.d if self.kind == "signed" else c.u
        self.hosts = [MailHost(self, "mx1"), MailHost(self, "mx2")]
        self.one, self.two = self.hosts
        self.mx = ["10 mx1", "20 mx2"]
        self.lines, self.old_lines = [], None                # old_lines: of a secondary that lags behind, instead of the last ones of `lines`
        self.secondary = "same"
        self.more = {}                                       # of the zone
        self.record = [STS_RECORD] if self.has_sts else []
        self.policy_host = f"A {c.world.policy_address}"     # None: no address
        self.policy_cert = self.policy = None                # None: good ones
        self.policy_text = {"max_age": MAX_AGE}
        self.patterns = [host.name for host in self.hosts]
        self.tlsrpt = [f"v=TLSRPTv1; rua=mailto:reports@{self.name}"] if self.has_dane or self.has_sts else []
        self.arguments = ()
        self.planted = True                                  # False: nobody has ever heard of it

    def good_cert(self):
        return self.ca.leaf(self.name, *[host.name for host in self.hosts])

    def names(self):
        return (self.name, *[host.name for host in self.hosts])

    def show(self, cert, extra=()):
        """All mail hosts show it."""
        for host in self.hosts:
            host.show(cert, extra)

    def _plant_policy(self):
        name = f"mta-sts.{self.name}"
        lines = [f'_mta-sts TXT "{one}"' for one in self.record]
        if not self.has_sts:
            return lines
        if self.policy_host:
            lines.append(f"mta-sts {self.policy_host}")
        policy = self.policy or policyhost.Policy(policyhost.sts_text(*self.patterns, **self.policy_text))
        context = self.ca.server_context(self.policy_cert or self.ca.leaf(name))
        self.c.world.policies.host(name, context, policy)
        return lines

    def plant(self):
        if not self.planted:
            return
        lines = [f"@ MX {one}" for one in self.mx]
        for host in self.hosts:
            host.plant()
            lines += host.lines()
        lines += self._plant_policy()
        lines += [f'_smtp._tls TXT "{one}"' for one in self.tlsrpt]
        secondary = self.secondary if self.old_lines is None else [*lines, *self.old_lines]
        self.c.child(self.zone, self.kind, *lines, *self.lines, secondary=secondary, **self.more)


# what the check says

def tool(world):
    """mxcrypt's configuration for the check; no daemon runs."""
    with TOOL_LOCK:
        if not hasattr(world, "check_tool"):
            world.check_tool = world.new_daemon("check", world.options("check"))
    return world.check_tool


def strict(schema):
    """The schema with no members but those that it names."""
    if isinstance(schema, dict):
        more = {"additionalProperties": False} if "properties" in schema and schema.get("type") == "object" else {}
        return {name: strict(value) for name, value in schema.items()} | more
    return [strict(one) for one in schema] if isinstance(schema, list) else schema


def validator():
    return jsonschema.Draft202012Validator(strict(json.loads(SCHEMA.read_text(encoding="ascii"))))


def words_of(finding):
    return f"{finding['severity']} {finding['code']}", "\n".join(finding[one] for one in ("where", "evidence", "fix"))


def found(c, domain, *arguments, configured=None):
    """What mxcrypt --json check prints, by its schema, with the exit status that belongs to it."""
    done = (configured or tool(c.world)).cli("--json", "check", *arguments, domain, timeout=CLI_LIMIT_S)
    try:
        page = json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"{domain}: no JSON: {done.stdout[:500]!r} {done.stderr[-3000:]!r}") from error
    faults = [f"{error.json_path}: {error.message}" for error in validator().iter_errors(page)]
    severities = [one["severity"] for one in page["findings"]]
    said = [line for line in done.stderr.splitlines() if not ("--state" in arguments and COME_OR_GONE.match(line))]
    if faults or said or severities != sorted(severities, key=WORST_FIRST.index):
        raise Failed(f"{domain}: {faults or said or severities}")
    status = STATUS[severities[0]] if severities else 0
    if (done.returncode, page["exit"]) != (status, status):
        raise Failed(f"{domain}: exit status {done.returncode}, {page['exit']}, wanted {status}: {severities}")
    return page


def must_find(c, domain, wanted, *arguments, configured=None):
    """Exactly these: "severity code", or "severity code: words" that stand where it was, in its evidence, or in what to do."""
    page = found(c, domain, *arguments, configured=configured)
    told = [words_of(one) for one in page["findings"]]
    left = list(told)
    for one in wanted:
        head, _, words = one.partition(": ")
        match = next((finding for finding in left if finding[0] == head and words in finding[1]), None)
        if match is None:
            raise Failed(f"{domain}: {one!r} is missing of {told}")
        left.remove(match)
    if left:
        raise Failed(f"{domain}: nobody wants {left}")
    return page


def planted(setting, name, *wanted):
    """Registers a case: the decorated function breaks one thing of a sound domain, and exactly that must be found."""
    def keep(break_it):
        def declare(c):
            sound = Sound(c, setting)
            break_it(sound)
            sound.plant()
            c.do(lambda: must_find(c, sound.name, [one.replace("DOMAIN", sound.name) for one in wanted], *sound.arguments))
        case("own", f"{setting}: {name}", daemon="check", group="few", valgrind=False)(declare)
        return break_it
    return keep
