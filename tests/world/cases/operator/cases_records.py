"""mxcrypt records: what it tells, put into the zone and at the policy host, leaves mxcrypt check without a finding, and itself without a word.

Before that the domain publishes nothing, or what is wrong and left behind. Its zone is hardly cached, so that it may change."""

import re
import time

import dnsupdate
import policyhost
import waiting
from case import Failed, case
from checking import Sound, must_find, tool

RETIRED = "2 1 1 8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d"  # Let's Encrypt R3
CHANGING = re.compile(r"(_\S+) +(?:\d+ +)?(TLSA|TXT) (.*)")
LINE = re.compile(r"(?:; )?(\S+) \d+ IN (TLSA|TXT) (.*)")
POLICY = re.compile(r"^; https://mta-sts\.\S+:\n((?:;   .*\n)+)", re.M)
CACHED_S = 1
CACHED = {"ttl": CACHED_S, "soa_minimum": 0}  # ldns-signzone takes no TTL of 0


class Publisher:
    """What the owner of a domain does with the output of mxcrypt records."""

    def __init__(self, sound):
        self.sound, self.dns = sound, sound.c.world.dns
        self.fixed, self.changing = [], {}
        for line in self.dns.zones[sound.zone].lines[1:]:
            match = CHANGING.fullmatch(line)
            if match:
                self.changing.setdefault((f"{match[1]}.{sound.zone}.", match[2]), {})[match[3]] = 0
            else:
                self.fixed.append(line)

    def _lines(self):
        return [f"{name} {ttl} IN {kind} {data}" for (name, kind), rrset in self.changing.items() for data, ttl in rrset.items()]

    def as_zone(self, text):
        """Its lines as they are; of what was there only what they neither remove nor replace."""
        lines = text.splitlines()
        for said, line in zip(lines, lines[1:]):
            match = LINE.fullmatch(line)
            if match and said.startswith("; remove: "):
                del self.changing[match[1], match[2]][match[3]]
            elif match and said.endswith(", in place of what is there"):
                self.changing[match[1], match[2]].clear()
        self.dns.change(self.sound.zone, *self.fixed, *self._lines(), *lines)

    def by_nsupdate(self, text):
        updates = dnsupdate.Updates(self.sound.c.address(), self.changing)
        done = updates.run(text)
        if done.returncode != 0 or done.stdout or updates.count != text.count("send\n"):
            raise Failed(f"nsupdate: {done.returncode} {done.stdout!r}, {updates.count} updates")
        self.dns.change(self.sound.zone, *self.fixed, *self._lines())

    def serve(self, text):
        """The policy file, as it stands in a comment."""
        match = POLICY.search(text)
        if match:
            policy = "".join(line[len(";   "):] + "\r\n" for line in match[1].splitlines())
            self.sound.c.world.policies.hosts[f"mta-sts.{self.sound.name}"].policy = policyhost.Policy(policy.encode())


def said(sound, *arguments):
    done = tool(sound.c.world).cli("records", *arguments, sound.name)
    if done.returncode != 0 or done.stderr:
        raise Failed(f"{sound.name}: records: {done.returncode} {done.stderr!r}")
    return done.stdout


def nothing_yet(sound):
    for host in sound.hosts:
        host.tlsa = []
    sound.record, sound.tlsrpt = [], []
    sound.policy = policyhost.Policy(b"", "404 Not Found")


def published(setting, name, *left, nsupdate=False):
    """Registers a case: the decorated function says what is there at first, and gives the options of mxcrypt records; `left` is
    what remains to be found afterwards, as must_find has it."""
    def keep(spoil):
        def declare(c):
            sound = Sound(c, setting)
            sound.more |= CACHED
            options = ["--mode", "enforce", *(["--nsupdate"] if nsupdate else []), *spoil(sound)]
            sound.plant()
            publisher = Publisher(sound)
            c.do(lambda: publish(sound, publisher, options, nsupdate, left))
        case("own", f"{setting}, records{', nsupdate' if nsupdate else ''}: {name}", daemon="check", group="few", valgrind=False)(declare)
        return spoil
    return keep


def publish(sound, publisher, options, nsupdate, left):
    missing, text = said(sound, "--missing", *options), said(sound, *options)
    if not missing:
        raise Failed(f"{sound.name}: nothing is missing of {text!r}")
    asked = int(time.time())
    publisher.serve(text)
    (publisher.by_nsupdate if nsupdate else publisher.as_zone)(text)
    waiting.until(lambda: int(time.time()) > asked + CACHED_S, "nothing is cached any more")
    must_find(sound.c, sound.name, [one.replace("DOMAIN", sound.name) for one in left])
    again = said(sound, "--missing", *options)
    if again:
        raise Failed(f"{sound.name}: still missing: {again!r}")


def next_of(sound, *names):
    """The options for the certificate to come, which has a key of its own."""
    leaf = sound.ca.leaf(*(names or sound.names()), key=sound.ca.new_key())
    return ["--cert", sound.ca.chain_file(leaf)]


@published("both", "nothing is there, and one MX host")
@published("both", "nothing is there, and one MX host", nsupdate=True)
def _(sound):
    sound.hosts, sound.mx = [sound.one], ["10 mx1"]
    nothing_yet(sound)
    return next_of(sound)


@published("both", "nothing is there, and each MX host has a certificate of its own")
@published("both", "nothing is there, and each MX host has a certificate of its own", nsupdate=True)
def _(sound):
    nothing_yet(sound)
    for host in sound.hosts:
        host.show(sound.ca.leaf(host.name, key=sound.ca.new_key()))
    return next_of(sound, sound.one.name) + next_of(sound, sound.two.name)


@published("both", "nothing is there, one MX host has no IPv6 address, and reports go elsewhere")
def _(sound):
    nothing_yet(sound)
    del sound.one.addresses[6]
    return [*next_of(sound), "--rua", f"mailto:a@{sound.name},mailto:b@{sound.name}", "--max-age", "2419200", "--ttl", "600"]


@published("both", "nothing is there, and an MX host is an alias", "warning mx-alias: mail.DOMAIN")
def _(sound):
    nothing_yet(sound)
    sound.one.owner = "mail"
    sound.lines.append("mx1 CNAME mail")
    return next_of(sound)


@published("both", "nothing is there, and RSA and ECDSA are side by side")
def _(sound):
    nothing_yet(sound)
    rsa = sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key)
    for host in sound.hosts:
        host.contexts = dict.fromkeys((4, 6), lambda host: host.sound.ca.server_context(host.sound.good_cert(), rsa))
    return next_of(sound)


@published("both", "nothing is there, and the issuer is to be named")
@published("both", "nothing is there, and the issuer is to be named", nsupdate=True)
def _(sound):
    nothing_yet(sound)
    middle = sound.ca.new_ca("an issuer to be named", sound.ca.root)
    sound.show(sound.ca.leaf(*sound.names(), issuer=middle))
    return ["--issuer"]


@published("sts", "nothing is there, and the zone is not signed")
def _(sound):
    nothing_yet(sound)
    return []


@published("both", "RSA and ECDSA are side by side, each with a record of its certificate only")
def _(sound):
    rsa = sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key)
    for host in sound.hosts:
        host.contexts = dict.fromkeys((4, 6), lambda host: host.sound.ca.server_context(host.sound.good_cert(), rsa))
        host.tlsa = [sound.good_cert().tlsa(3, 0), rsa.tlsa(3, 0)]
    return next_of(sound)


@published("both", "the issuer is named in a form that is not recommended")
@published("both", "the issuer is named in a form that is not recommended", nsupdate=True)
def _(sound):
    middle = sound.ca.new_ca("an issuer in another form", sound.ca.root)
    sound.show(sound.ca.leaf(*sound.names(), issuer=middle))
    for host in sound.hosts:
        host.tlsa = ["present", middle.tlsa(2, 1, 2)]
    return []


def left_behind(sound):
    sound.one.tlsa = [sound.good_cert().tlsa(3, 0), sound.ca.leaf("old", key=sound.ca.rsa_key).tlsa(), sound.ca.root.tlsa(1, 0), RETIRED]
    sound.two.tlsa = ["3 1 1 abcdef", "3 1 9 " + "ab" * 32, sound.good_cert().tlsa(3, 1, 2)]
    sound.record *= 2
    sound.record[1] = "v=STSv1; id=left-behind;"
    sound.patterns = ["old." + sound.name, sound.one.name]
    sound.policy_text = {"mode": "testing", "max_age": 3600}
    sound.tlsrpt = ["v=TLSRPTv1; rua=reports"]


@published("both", "what is there is wrong, or left behind")
@published("both", "what is there is wrong, or left behind", nsupdate=True)
def _(sound):
    left_behind(sound)
    return next_of(sound)


@published("both", "only one TLSA record, and an MX host in the policy, are missing")
def _(sound):
    sound.two.tlsa.remove("present")
    sound.patterns.remove(sound.two.name)
    return []


@case("own", "records: options that no record can be made of are refused before anything is looked up", daemon="check", group="few", valgrind=False)
def _(c):
    def step():
        for options, words in ((("--rua", "reports@example.org"), "--rua is"), (("--rua", "mailto:a@b.example;x"), "--rua is"),
                               (("--rua", "mailto:a\nb"), "--rua is"), (("--rua", "mailto:" + "a" * 1000), "--rua is"), (("--mode", "none"), "--mode is"),
                               (("--max-age", "86399"), "--max-age must be"), (("--ttl", "86401"), "--ttl must be"), (("--cert", "/dev/null"), "no certificate")):
            done = tool(c.world).cli("records", *options, c.world.calm_domain)
            if done.returncode != 64 or done.stdout or words not in done.stderr:
                raise Failed(f"{options}: {done.returncode} {done.stdout!r} {done.stderr!r}")
    c.do(step)
