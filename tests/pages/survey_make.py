"""Results files that are made up, for the tests of the survey's pages: by the tables of survey/results/schema.sql alone, so that
what reads them is tried against the documented format and not against the writer.

make(PATH, domains=N, seed=S, ...) writes a file in which every state occurs; hostile=True has names and texts in it that no survey
would write."""

import hashlib
import pathlib
import random
import sqlite3

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "survey" / "results" / "schema.sql"
FORMAT, APPLICATION = 1, 0x4d584352  # PRAGMA user_version, application_id
BEGAN, ENDED = 1793000000, 1793003600
DAY = 86400

# verdict, reason, starttls, dane, mta_sts, weight of the state
STATES = (
    ("dane-only", "dane-full", "verified", "full", "no-record", 5),
    ("dane-only", "dane-full", "tls", "full", "enforce", 3),
    ("secure", "sts-enforce", "verified", "none", "enforce", 4),
    ("secure", "sts-enforce", "partly", "unsigned", "enforce", 1),
    ("verify", "starttls-verified", "verified", "none", "no-record", 35),
    ("verify", "starttls-verified", "verified", "none", "testing", 4),
    ("dane", "dane-mixed", "verified", "mixed", "no-record", 1),
    ("encrypt", "starttls-tls", "tls", "none", "no-record", 24),
    ("encrypt", "starttls-tls", "tls", "unusable", "fetch-failed", 2),
    ("notfound", "starttls-partly", "partly", "none", "no-record", 4),
    ("notfound", "starttls-clear", "clear", "none", "no-record", 6),
    ("notfound", "starttls-unknown", "unknown", "none", "bad-policy", 5),
    ("notfound", "starttls-refused", "refused", "none", "none", 1),
    ("temp", "dane-error-sts", "tls", "error", "enforce", 1),
    ("temp", "mx-error", "unknown", "none", "dns-error", 1),
)
OTHERS = (("nxdomain", "notfound", "nxdomain"), ("null", "notfound", "null-mx"), ("unusable", "notfound", "no-mx-host"),
          ("listed", "notfound", "no-mx-host"), ("error", "temp", "mx-error"))
FAULTS = ("dns", "connect", "tls", "certificate", "timeout", "status", "response", "policy")
SOFTWARE = ("Postfix", "Exim", "Microsoft", "Google", "Sendmail", None)
CHAIN_FAULTS = (("none", 70), ("self-signed", 12), ("unknown-issuer", 6), ("expired", 6), ("not-yet-valid", 1), ("weak", 2), ("other", 3))
EVIL = ("<script>document.title='taken'</script>", "'; DROP TABLE domain; --", "=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "\t=1",
        "\x1b[31mred\x1b[0m", "a\r\nb", 'quote"comma,', "\u202egnp.exe", "x" * 255, "&lt;b&gt;", "</style></script>-->", "\x00after", "")


def pick(chance, rows):
    return chance.choices(rows, [row[-1] for row in rows])[0]


class Maker:
    def __init__(self, path, seed):
        pathlib.Path(path).unlink(missing_ok=True)
        self.chance = random.Random(seed)
        self.file = sqlite3.connect(path)
        self.file.executescript(SCHEMA.read_text(encoding="ascii"))
        self.file.executescript(f"PRAGMA user_version = {FORMAT}; PRAGMA application_id = {APPLICATION}")
        self.ids = 0
        self.certificates = {}

    def put(self, table, **row):
        self.file.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))

    def next_id(self):
        self.ids += 1
        return self.ids * 7919

    # ---- servers ----

    def chain(self, name, fault):
        key = f"{name} {fault}"
        if key in self.certificates:
            return self.certificates[key]
        chance, sha = self.chance, hashlib.sha256(key.encode()).hexdigest()
        left = -chance.randrange(1, 200) if fault == "expired" else chance.choice((1, 5, 12, 20, 28, 40, 60, 80, 120, 300))
        kind = pick(chance, (("RSA", 2048, 60), ("RSA", 4096, 15), ("EC", 256, 20), ("RSA", 1024, 2), ("ED25519", 256, 1)))
        self.put("certificate", sha256=sha, subject=name, issuer="self" if fault == "self-signed" else chance.choice(
            ("Let's Encrypt", "DigiCert Inc", "Sectigo Limited", "GlobalSign nv-sa")), names=name, name_count=1,
            not_before=ENDED - 90 * DAY, not_after=ENDED + left * DAY + chance.randrange(DAY), key_type=kind[0], key_bits=kind[1],
            signature=chance.choice(("sha256WithRSAEncryption", "ecdsa-with-SHA384")), self_signed=int(fault == "self-signed"), der=sha.encode())
        self.put("chain", sha256=sha, leaf=sha, fault=fault, why=None if fault == "none" else f"made up: {fault}")
        self.put("chain_certificate", chain=sha, position=0, certificate=sha)
        self.certificates[key] = sha
        return sha

    def address(self, host, position, state, operator):
        chance, number = self.chance, self.next_id()
        ip = f"198.51.{number // 256 % 256}.{number % 256}" if chance.random() < .8 else f"2001:db8::{number % 65536:x}"
        ip = f"{ip}%{number}"[:45] if self.file.execute("SELECT 1 FROM address WHERE ip = ?", (ip,)).fetchone() else ip
        tls = state in ("tls", "verified")
        fault = "none" if state == "verified" else pick(chance, CHAIN_FAULTS)[0]
        chain = self.chain(host["name"], fault) if tls else None
        failure = {"silent": chance.choice(("connect-timeout", "connect-refused", "connect-other", "local")), "error": "greeting-refused",
                   "broken": "handshake"}.get(state)
        self.put("address", id=number, ip=ip, prefix="198.51.100.0/24", host=host["id"], host_dane=int(host["dane"] == "usable"),
                 opted_out=int(state == "skipped"), looked_up=ENDED - 60, sni=host["name"],
                 starttls="tls" if tls else state, code=None if tls else 454 if state == "tempfail" else None,
                 protocol=chance.choice(("TLSv1.3", "TLSv1.3", "TLSv1.2", "TLSv1")) if tls else None,
                 cipher=chance.choice(("TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384")) if tls else None, strong=int(tls), nameless=0,
                 requiretls=int(chance.random() < .05) if tls else None, chain=chain, failure=failure,
                 greeting=None if failure else f"{host['name']} ESMTP {operator}", software=chance.choice(SOFTWARE), connections=int(state != "skipped"))
        name_ok = int(state == "verified" or chance.random() < .4)
        chain_ok = int(fault == "none" and tls)
        tlsa = "none" if host["dane"] != "usable" else "match" if chance.random() < .95 else "mismatch"
        sni = host["name"]
        if tls and chance.random() < .1:
            sni = f"other.{operator}"
            self.file.execute("UPDATE address SET connections = connections + 1 WHERE id = ?", (number,))
            self.put("sni", address=number, name=sni, host=host["id"], looked_up=ENDED - 30, starttls="tls", protocol="TLSv1.3",
                     chain=self.chain(sni, "none"), connections=1)
        self.put("host_address", host=host["id"], address=number, position=position, secure=int(host["dane"] == "usable"), sni=sni,
                 starttls="verified" if chain_ok and name_ok else state if state != "verified" else "tls", chain_ok=chain_ok if tls else None,
                 name_ok=name_ok if tls else None, expired=int(fault == "expired"), tlsa=tlsa, detail=None)

    def host(self, name, operator, state, dane):
        chance = self.chance
        host = {"id": self.next_id(), "name": name, "dane": dane}
        self.put("host", id=host["id"], name=name, operator=operator, opted_out=int(state == "skipped"), looked_up=ENDED - 90, dane=dane,
                 address_secure=int(dane == "usable"), addresses_known=1, tlsa_base=name if dane in ("usable", "unusable") else None,
                 ttl=3600, error=None)
        if dane in ("usable", "unusable"):
            for position in range(chance.randrange(1, 4)):
                usage, selector, kind = chance.choice(((3, 1, 1), (3, 1, 1), (3, 0, 1), (2, 1, 1), (3, 1, 2), (1, 1, 1)))
                self.put("tlsa", host=host["id"], position=position, usage=usage, selector=selector, matching_type=kind,
                         usable=int(dane == "usable" and usage != 1), data=chance.randbytes(32), matched=chance.choice((1, 1, 1, 0, None)))
        for position in range(chance.randrange(1, 4)):
            self.address(host, position, state, operator)
        return host["id"]

    # ---- domains ----

    def operator(self, number, shared):
        """Hosts of an operator, whose domains all have its state."""
        verdict, reason, starttls, dane, mta_sts, _ = state = pick(self.chance, STATES)
        operator = f"operator-{number}.example"
        show = {"verified": ("verified",), "tls": ("tls",), "partly": ("tls", "clear"), "clear": ("clear",), "refused": ("refused",),
                "unknown": (self.chance.choice(("silent", "error", "broken", "skipped", "tempfail")),)}[starttls]
        of_host = {"full": "usable", "mixed": "usable", "unusable": "unusable", "error": "error"}.get(dane, "none")
        hosts = [self.host(f"mx{i}.{operator}", operator, show[i % len(show)], of_host if i == 0 or dane != "mixed" else "none")
                 for i in range(max(len(show), 2 if shared else 1))]
        return {"name": operator, "hosts": hosts, "state": state, "domains": []}

    def domain(self, number, operator, weight):
        chance = self.chance
        verdict, reason, starttls, dane, mta_sts, _ = operator["state"]
        if mta_sts == "enforce" and chance.random() < .1:
            mta_sts = "fetch-failed"
        identity = self.next_id()
        operator["domains"].append(identity)
        asked = mta_sts not in ("no-record",)
        self.put("domain", id=identity, name=f"domain-{number}.example", weight=weight, run=1, looked_up=ENDED - 100,
                 mx="listed" if chance.random() < .95 else "implicit", mx_secure=int(dane in ("full", "mixed") or chance.random() < .1), mx_ttl=3600,
                 mx_truncated=0, mta_sts=mta_sts, mx_unmatched=chance.choice((0, 0, 0, 1, 2)) if mta_sts in ("enforce", "testing") else None,
                 tlsrpt=chance.choice(("none", "none", "none", "valid", "invalid", "error")), dane=dane, starttls=starttls, verdict=verdict,
                 reason=reason, answer=verdict if verdict not in ("notfound", "temp") else None, operator=operator["name"],
                 error="mx-servfail" if reason == "mx-error" else None)
        for preference, host in enumerate(operator["hosts"]):
            self.put("domain_mx", domain=identity, host=host, preference=10 * preference)
        if asked:
            state = "policy" if mta_sts in ("enforce", "testing", "none") else mta_sts
            self.put("policy", domain=identity, state=state, id="20260101", ttl=300, mode=mta_sts if state == "policy" else None,
                     max_age=604800 if state == "policy" else None, mx="*.example" if state == "policy" else None,
                     failure=chance.choice(FAULTS) if state in ("fetch-failed", "bad-policy", "dns-error") else None, error=None)

    def other(self, number, weight):
        mx, verdict, reason = self.chance.choice(OTHERS)
        self.put("domain", id=self.next_id(), name=f"other-{number}.example", weight=weight, run=1, looked_up=ENDED - 100, mx=mx, mx_secure=0,
                 mta_sts="no-record", tlsrpt="none", dane="none", starttls="unknown", verdict=verdict, reason=reason,
                 error="mx-timeout" if mx == "error" else None)

    def waiting(self, number):
        self.put("domain", id=self.next_id(), name=f"waiting-{number}.example", weight=1, run=1)

    def evil(self):
        for number, text in enumerate(EVIL):
            identity = self.next_id()
            self.put("domain", id=identity, name=f"{text}{number}.example", weight=10**12, run=1, looked_up=ENDED - 100, mx="listed", mx_secure=0,
                     mta_sts=text, tlsrpt=text, tlsrpt_rua=text, dane=text, starttls=text, verdict=text if number % 2 else "temp", reason=text or "x",
                     answer=text, operator=text, operator_share=1.0, error=text, error_detail=text)
            host = self.next_id()
            self.put("host", id=host, name=f"{number}{text}", operator=text, opted_out=0, looked_up=ENDED, dane=text, error=text)
            self.put("domain_mx", domain=identity, host=host, preference=1)
            sha = f"evil{number}"
            self.put("certificate", sha256=sha, subject=text, issuer=text, names=text, name_count=1, not_before=0, not_after=ENDED + number * DAY,
                     key_type=text, key_bits=number, signature=text, self_signed=0, der=b"\xff\x00")
            self.put("chain", sha256=sha, leaf=sha, fault=text, why=text)
            address = self.next_id()
            self.put("address", id=address, ip=f"{number}{text}", prefix=text, host=host, host_dane=0, opted_out=0, looked_up=ENDED, sni=text, starttls="tls", protocol=text, cipher=text,
                     chain=sha, greeting=text, software=text, failure=text, detail=text, connections=1)
            self.put("host_address", host=host, address=address, position=0, secure=0, sni=text, starttls="tls", chain_ok=0, name_ok=0, tlsa=text,
                     detail=text)
            self.put("policy", domain=identity, state=text, id=text, mode=text, mx=text, lines=text, failure=text, error=text)

    def finish(self):
        self.file.execute("UPDATE domain SET operator_share = 1.0 / o.domains FROM (SELECT operator, count(*) AS domains FROM domain "
                          "GROUP BY operator) o WHERE o.operator = domain.operator AND operator_share IS NULL")
        self.file.commit()
        self.file.close()


def make(path, domains=600, seed=1, sample=0, names=None, unfinished=0, hostile=False, dnssec=1, probe=1, runs=1):
    maker = Maker(path, seed)
    for run in range(1, runs + 1):
        maker.put("run", id=run, version="0.1.0", began=BEGAN, ended=None if unfinished else ENDED, list="top-list.csv", names=names or domains, lines_bad=3,
                  names_read=int(not unfinished), sample=sample, seed=2**62 + 1, shard=run, shards=runs, dnssec=dnssec, probe=probe, dane=1,
                  partial_dane="table", testing_enforced=0, wildcard_hosts=1, verify=1, helo="survey.example")
    chance = maker.chance
    large = [maker.operator(number, True) for number in range(max(3, domains // 100))]
    for number in range(domains):
        weight = int(1000000 / (number + 1)) + 1
        if chance.random() < .08:
            maker.other(number, weight)
        elif chance.random() < .6 and large:
            maker.domain(number, chance.choices(large, [1 / (i + 1) for i in range(len(large))])[0], weight)
        else:
            maker.domain(number, maker.operator(1000 + number, False), weight)
    for number in range(unfinished):
        maker.waiting(number)
    if hostile:
        maker.evil()
    maker.finish()
