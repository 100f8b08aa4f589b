"""A generated world of many mail domains, for the proofs of `mxcrypt survey`: the same for the same seed.

Domains of every kind that providers have: tenants of a few large providers (hosts of the provider; a host for each tenant below
a name that a wildcard certificate covers; hosts of the tenants' own that only SNI tells apart), hosts shared by a few, hosts of
their own with every temper and certificate of the farm, with DANE and without, and what is no mail domain at all. About one
address for five domains. A few hundred have an MTA-STS policy.

The farm (farm/farm.h) serves the addresses; DNS and policy hosts are those of tests/world."""

import hashlib
import random

import policyhost

ADDRESSES_IN_PREFIX = 16
POLICIES_MAX = 300
PROVIDERS, TENANT_PROVIDERS, VANITY_PROVIDERS = 8, 2, 2
RESELLER_TENANTS = 20
TENANTS_WITH_SNI = 8  # of a vanity provider's names, those it has a certificate for
WRONG_TLSA = "3 1 1 " + "00" * 32
UNUSABLE_TLSA = "0 0 1 " + "ab" * 32

DOMAIN_KINDS = {"shared": 480, "tenant": 100, "vanity": 50, "reseller": 120, "own": 160, "several": 10, "null_mx": 20, "nxdomain": 30,
                "servfail": 8, "no_mail": 10, "implicit": 10, "dead_host": 1, "hostile": 1}
TEMPERS = {"postfix": 550, "exim": 150, "requiretls": 50, "tls12": 50, "clear": 60, "later": 15, "refusing": 10, "closing": 5, "silent": 3,
           "starttls4": 7, "starttls5": 7, "garbage": 3, "nobody": 15}
CERTIFICATES = {"valid": 70, "soon": 3, "wrong": 8, "self": 9, "stranger": 4, "expired": 4}
TLSA = {"none": 60, "good": 25, "wrong": 5, "both": 4, "unusable": 3, "mixed": 3}
POLICY_KINDS = {"enforce": 40, "testing": 20, "none": 5, "unmatched": 15, "missing": 10, "certificate": 10}
TLSRPT = ("v=TLSRPTv1; rua=mailto:tls@reports.example", "v=TLSRPTv1; rua=https://reports.example/<b>", "v=TLSRPTv1;")
HOSTILE_LABELS = (r"\<script\>alert\(1\)\</script\>", r"'\;drop\032table\032domain\;--", r"\027\0911m\007", "x" * 63, r"a\000b", r"a\.b",
                  r"\=cmd\|calc", r"\226\128\174rtl")


def tls_only(addresses):
    """Arguments for a world in which every domain has a host and an address of its own with TLS that works: for benchmarks."""
    return {"domains": addresses, "kinds": {"own": 1}, "tempers": {"postfix": 1}, "certificates": {"valid": 1}, "signed": 0, "extras": 0, "letter": "t", "net": 100}


class BigWorld:
    def __init__(self, the_world, domains, seed=1, kinds=None, tempers=None, certificates=None, signed=0.3, extras=1.0, policies=POLICIES_MAX, letter="d",
                 net=0):
        """`letter` and `net` (the second octet of the first address) keep two worlds beside each other apart."""
        self.world, self.chance = the_world, random.Random(seed)
        self.kinds, self.tempers, self.certificates = kinds or DOMAIN_KINDS, tempers or TEMPERS, certificates or CERTIFICATES
        self.signed, self.extras, self.letter, self.net = signed, extras, letter, net
        self.names, self.hosts = [], {}
        self.policies_left = min(policies, domains // 20) if extras else 0
        self.prefixes = max(1, domains // 5 // ADDRESSES_IN_PREFIX)
        self.count = self.count6 = self.provider_count = 0
        self.tlsa = f"3 1 1 {hashlib.sha256(the_world.ca.leaf_key.spki).hexdigest()}"
        self.lines = {"signed": the_world.dns.zones["signed"].lines, "plain": the_world.dns.zones["plain"].lines}
        self._providers()
        if "servfail" in self.kinds:
            the_world.dns.add_child("broken.signed", "bogus", "* MX 10 mx.broken.signed.")
        for number in range(domains):
            self._domain(number)
        self._finish()

    # addresses and hosts

    def new_address(self):
        """Neighbours in a prefix come far from each other."""
        prefix, host = self.count % self.prefixes, self.count // self.prefixes + 1
        self.count += 1
        return f"10.{self.net + (prefix >> 8)}.{prefix & 255}.{host}"

    def _provider_address(self):
        self.provider_count += 1
        return f"10.200.{self.provider_count // 4}.{self.provider_count % 4 + 1}"

    def record(self, name, text):
        self.lines[name.rsplit(".", 1)[-1]].append(f"{name}. {text}")

    def serve(self, address, temper, certificate, *names):
        """What listens at the address; a second call adds names."""
        if temper != "nobody":
            row = self.hosts.setdefault(address, [temper, certificate])
            row += [name for name in names if name not in row[2:]]

    def host(self, name, address, temper, certificate, *names):
        self.record(name, f"{'AAAA' if ':' in address else 'A'} {address}")
        self.serve(address, temper, certificate, *(names or (name,)))
        return name

    def _providers(self):
        self.shared, self.tenants, self.vanity, self.reseller = [], [], [], None
        for number in range(PROVIDERS if "shared" in self.kinds else 0):
            zone = f"provider{number}.{'signed' if number % 2 else 'plain'}"
            names = [f"mx{one}.{zone}" for one in range(1, 4)]
            for name in names:
                for _ in range(2):
                    self.host(name, self._provider_address(), "postfix", "valid", *names)
                if number % 2:
                    self.record(f"_25._tcp.{name}", f"TLSA {self.tlsa}")
            self.shared.append(names)
        for number in range(TENANT_PROVIDERS if "tenant" in self.kinds else 0):
            self.tenants.append((f"mail.tenants{number}.plain", [self._provider_address() for _ in range(4)]))
        for number in range(VANITY_PROVIDERS if "vanity" in self.kinds else 0):
            self.vanity.append((f"vanity{number}.plain", [self._provider_address() for _ in range(2)], []))

    # domains

    def _pick(self, shares):
        return self.chance.choices(list(shares), list(shares.values()))[0]

    def _domain(self, number):
        end = "signed" if self.chance.random() < self.signed else "plain"
        name, kind = f"{self.letter}{number:06d}.{end}", self._pick(self.kinds)
        self.names.append(getattr(self, "_" + kind)(name) or name)
        if self.extras and kind not in ("nxdomain", "servfail") and self.chance.random() < 0.03:
            self.record(f"_smtp._tls.{name}", f'TXT "{self.chance.choice(TLSRPT)}"')

    def _shared(self, name):
        rank = min(int(self.chance.paretovariate(0.8)) - 1, len(self.shared) - 1)
        for preference, host in enumerate(self.shared[rank]):
            self.record(name, f"MX {preference}0 {host}.")

    def _tenant(self, name):
        zone, addresses = self.chance.choice(self.tenants)
        host = f"{name.replace('.', '-')}.{zone}"
        self.record(name, f"MX 10 {host}.")
        for address in addresses:
            self.host(host, address, "postfix", "valid", f"*.{zone}")

    def _vanity(self, name):
        zone, addresses, known = self.chance.choice(self.vanity)
        host = f"mx.{name}"
        self.record(name, f"MX 10 {host}.")
        if len(known) < TENANTS_WITH_SNI:
            known.append(host)
        for address in addresses:
            self.host(host, address, "postfix", "valid-sni", f"default.{zone}", *known)

    def _reseller(self, name):
        if self.reseller is None or self.reseller[1] == RESELLER_TENANTS:
            self.reseller = [self.new_address(), 0, self._pick({"wrong": 1, "valid-sni": 2})]
        self.reseller[1] += 1
        self.record(name, f"MX 10 mx.{name}.")
        self.host(f"mx.{name}", self.reseller[0], "exim", self.reseller[2])

    def _own(self, name):
        host = self._new_host(f"mx.{name}")
        self.record(name, f"MX 10 {host}.")
        if name.endswith("signed"):
            self._dane(name, host)
        if self.policies_left > 0 and self.chance.random() < 0.3:
            self._policy(name, host)

    def _new_host(self, host):
        temper, certificate = self._pick(self.tempers), self._pick(self.certificates)
        self.host(host, self.new_address(), temper, certificate)
        if self.extras and self.chance.random() < 0.03:
            self.count6 += 1
            self.host(host, f"2001:db8:{self.count6:x}::25", temper, certificate)
        return host

    def _dane(self, name, host):
        kind = self._pick(TLSA)
        for tlsa in {"good": [self.tlsa], "wrong": [WRONG_TLSA], "both": [WRONG_TLSA, self.tlsa], "unusable": [UNUSABLE_TLSA],
                     "mixed": [self.tlsa]}.get(kind, ()):
            self.record(f"_25._tcp.{host}", f"TLSA {tlsa}")
        if kind == "mixed":
            self.record(name, f"MX 20 {self._new_host(f'mx2.{name}')}.")

    def _policy(self, name, host):
        kind = self._pick(POLICY_KINDS)
        self.policies_left -= 1
        policy_host = f"mta-sts.{name}"
        self.record(f"_mta-sts.{name}", 'TXT "v=STSv1; id=1"')
        self.record(policy_host, f"A {self.world.policy_address}")
        leaf = self.world.ca.leaf("other.example" if kind == "certificate" else policy_host)
        mode = kind if kind in ("testing", "none") else "enforce"
        text = policyhost.sts_text("mx.other.example" if kind == "unmatched" else host, mode=mode)
        policy = policyhost.Policy(b"", status="404 Not Found") if kind == "missing" else policyhost.Policy(text)
        self.world.policies.host(policy_host, self.world.ca.server_context(leaf), policy)

    def _several(self, name):
        for preference in (10, 20):
            self.record(name, f"MX {preference} {self._new_host(f'mx{preference}.{name}')}.")
        self.record(name, f"MX 30 {self.shared[0][0]}.")

    def _null_mx(self, name):
        self.record(name, "MX 0 .")

    def _nxdomain(self, name):
        """Nothing at all."""

    def _servfail(self, name):
        return f"{name.split('.')[0]}.broken.signed"

    def _no_mail(self, name):
        self.record(name, "TXT \"no mail here\"")

    def _implicit(self, name):
        self.host(name, self.new_address(), self._pick(self.tempers), self._pick(self.certificates))

    def _dead_host(self, name):
        self.record(name, f"MX 10 gone.{name}.")

    def _hostile(self, name):
        """Names, greetings and records that are meant to harm the programs that show them."""
        label = self.chance.choice(HOSTILE_LABELS)
        host, address = f"{label}.{name}", self.new_address()
        self.record(name, f"MX 10 {host}.")
        self.record(name, f"MX 20 mx.{name}.")
        self.record(host, f"A {address}")
        self.host(f"mx.{name}", address, "hostile", "valid")
        self.record(f"_smtp._tls.{name}", 'TXT "v=TLSRPTv1; rua=mailto:<script>alert(2)</script>@\\"x\\027[31m"')

    # what the programs read

    def _finish(self):
        for zone, addresses, known in self.vanity:
            for address in addresses:
                self.serve(address, "postfix", "valid-sni", f"default.{zone}", *known)
        self.chance.shuffle(self.names)

    @property
    def addresses(self):
        """Where something listens."""
        return sorted(self.hosts)

    def write_table(self, path):
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{address} {' '.join(row)}\n" for address, row in self.hosts.items())
        return path

    def write_list(self, path, count=None, weights=True):
        """The list of domains; every seventh has a weight."""
        with open(path, "w", encoding="ascii") as file:
            for number, name in enumerate(self.names[:count]):
                file.write(f"{name} {number % 1000 + 2}\n" if weights and number % 7 == 0 else f"{name}\n")
        return path

    def write_targets(self, path):
        """Address and a name of it, for bench_handshakes."""
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{address} {row[2]}\n" for address, row in self.hosts.items() if ":" not in address)
        return path
