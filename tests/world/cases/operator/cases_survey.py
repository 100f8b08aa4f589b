"""mxcrypt survey among real servers: every shape that the cases of the daemon know, and what is said of each is what the daemon
says; hosts, addresses and certificates are what the servers are."""

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import case as case_module
from case import Failed, case

ROW = "survey"
DAEMONS = {
    "survey": {"resolver": "127.0.0.53", "dns-timeout": "500ms", "dns-tries": "3", "fetch-deadline": "3s", "greeting-deadline": "2s",
               "probe-deadline": "4s", "job-deadline": "30s", "answer-deadline": "30s", "ttl-min": "1s"},
}
SHAPES = 300  # at least
SECTIONS = "ABCDEFGHIJ"  # of docs/conformance.md
NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
TOGETHER = 8  # keys that are asked for at once
SHOWN = 12  # differences
VERIFIED_OR_TLS = ("tls", "verified")


class Shape(case_module.Case):
    """What a case of the daemon declares, under names of its own; its steps are not run."""

    def __init__(self, world, entry, label):
        super().__init__(world, entry, label)
        self.servers = []

    def server(self, *san, **more):
        server = super().server(*san, **more)
        server.shows = None if more.get("context") else server.cert  # a context of the case's own may show what it likes
        self.servers.append(server)
        return server


def shapes_of(c):
    """Declares the world of each case of the daemon "main" once more."""
    found = []
    for entry in case_module.REGISTRY:
        if entry.rows[0].split("-")[0] in SECTIONS and entry.daemon == "main" and entry.group in ("together", "few") and not entry.skip:
            shape = Shape(c.world, entry, f"sv{len(found)}")
            entry.declare(shape)
            found.append(shape)
    return [shape for shape in found if NAME.fullmatch(shape.key)]


@dataclass
class Surveyed:
    """A finished results file."""
    path: str

    def select(self, sql, *parameters):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, parameters)]


def survey(c, names, *arguments, name="all"):
    """Runs a survey of these names with the configuration of the case's daemon."""
    stem = os.path.join(c.world.folder, f"{c.label}-{name}")
    with open(stem + ".list", "w", encoding="utf-8") as file:
        file.writelines(one + "\n" for one in names)
    done = c.daemon.cli("survey", "run", "--out", stem + ".db", "--rate", "2000", *arguments, stem + ".list", timeout=300)
    if done.returncode != 0:
        raise Failed(f"survey run: exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}")
    return Surveyed(stem + ".db")


def complain(what, wrong):
    if wrong:
        raise Failed(f"{what}: {len(wrong)} differ: " + "\n    ".join(["", *wrong[:SHOWN]]))


def explain_all(c, shapes):
    """What a fresh daemon says of each."""
    names = sorted({shape.key for shape in shapes})
    with ThreadPoolExecutor(TOGETHER) as pool:
        return dict(zip(names, pool.map(c.daemon.explain, names)))


def same_verdicts(surveyed, shapes, explained):
    rows = {row["name"]: row for row in surveyed.select("SELECT name, verdict, reason, answer FROM domain")}
    cases = {shape.key: shape.entry for shape in shapes}
    wrong = []
    for name, daemon in explained.items():
        row = rows.get(name)
        want = (daemon["level"], daemon["reason"], daemon["answer"])
        got = row and (row["verdict"], row["reason"], row["answer"])
        if got != want:
            wrong.append(f"{' '.join(cases[name].rows)} {cases[name].name} ({name}): daemon {want}, survey {got}")
    complain("verdicts", wrong)


HOSTS = """SELECT domain.name AS domain, host.name, preference, host.dane, ip, host_address.starttls, chain_ok, name_ok, host_address.tlsa
    FROM domain JOIN domain_mx ON domain_mx.domain = domain.id JOIN host ON host.id = domain_mx.host
    LEFT JOIN host_address ON host_address.host = host.id LEFT JOIN address ON address.id = host_address.address"""


def told_hosts(explained):
    """(domain, host, preference, DANE, address) -> what the daemon's own probe of it came to."""
    found = {}
    for name, tree in explained.items():
        for host in tree["evidence"]["hosts"]:
            for address in host["addresses"] or [None]:
                key = (name, host["name"], host["preference"], host["dane"], address and address["address"])
                found[key] = address and (address["starttls"], address["chain"] == "ok", address["name_ok"], address["tlsa"])
    return found


def same_hosts(surveyed, explained):
    """MX hosts, their addresses, and where the daemon saw a certificate, how it was judged."""
    told = told_hosts(explained)
    rows = {(row["domain"], row["name"], row["preference"], row["dane"], row["ip"]): row for row in surveyed.select(HOSTS)}
    wrong = [f"{key}: only the daemon" for key in sorted(set(told) - set(rows), key=str)]
    wrong += [f"{key}: only the survey" for key in sorted(set(rows) - set(told), key=str)]
    for key in set(told) & set(rows):
        row = rows[key]
        got = (row["starttls"], bool(row["chain_ok"]), bool(row["name_ok"]), row["tlsa"])
        if told[key] and told[key][0] in VERIFIED_OR_TLS and got != told[key]:
            wrong.append(f"{key}: daemon {told[key]}, survey {got}")
    complain("hosts and addresses", wrong)


# what the servers are

def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def true_certificate(cert):
    """Of a certificate, by openssl: issuer, end, key, signature."""
    text = openssl("x509", "-inform", "DER", "-noout", "-text", "-nameopt", "multiline,utf8,-esc_msb", data=cert.raw).stdout.decode(errors="replace")
    end = re.search(r"Not After\s*: (.*)", text).group(1)
    seconds = int(subprocess.run(["date", "-u", "-d", end, "+%s"], stdout=subprocess.PIPE, check=True).stdout)
    key = re.search(r"Public-Key: \((\d+) bit\)", text)
    return {"not_after": seconds, "key_type": "RSA" if "rsaEncryption" in text else "EC",
            "key_bits": int(key.group(1)), "signature": re.search(r"Signature Algorithm: (\S+)", text).group(1),
            "issuer": re.search(r"Issuer:\s*\n\s*commonName\s*= (.*)", text).group(1).strip()}


def chain_verifies(c, cert):
    """Whether openssl finds a way to the world's CA."""
    path = c.world.ca.chain_file(cert)
    return openssl("verify", "-purpose", "sslserver", "-CAfile", c.world.ca.ca_file, "-untrusted", path, path).returncode == 0


def checked_address(server, row):
    """What is wrong with the row of an address whose server shows one certificate; None: nothing."""
    if row["leaf"] is None:
        return f"no certificate, starttls {row['starttls']}" if row["starttls"] in VERIFIED_OR_TLS else None
    return None if row["leaf"] == hashlib.sha256(server.shows.raw).hexdigest() else f"another certificate: {row['leaf']}"


def same_certificates(c, surveyed, shapes):
    rows = {row["ip"]: row for row in surveyed.select("SELECT address.*, leaf, fault FROM address LEFT JOIN chain ON chain.sha256 = address.chain")}
    contacted = [server for shape in shapes for server in shape.servers if server.address in rows and server.shows]
    if len(contacted) < SHAPES // 2:
        raise Failed(f"only {len(contacted)} of the servers are in the file: {len(rows)} addresses")
    wrong = [f"{server.address}: {said}" for server in contacted for said in [checked_address(server, rows[server.address])] if said]
    complain("addresses", wrong)
    shown = {hashlib.sha256(server.cert.raw).hexdigest(): server.shows for server in contacted}
    wrong = []
    for row in surveyed.select("SELECT certificate.*, chain.fault FROM certificate JOIN chain ON chain.leaf = certificate.sha256"):
        if row["sha256"] not in shown:
            continue
        truth = true_certificate(shown[row["sha256"]])
        wrong += [f"{row['sha256'][:12]} {name}: {row[name]!r}, openssl says {want!r}" for name, want in truth.items() if row[name] != want]
        if (row["fault"] == "none") != chain_verifies(c, shown[row["sha256"]]):
            wrong.append(f"{row['sha256'][:12]} fault {row['fault']!r}: openssl says otherwise")
    complain("certificates", wrong)


def same_names(surveyed, shapes):
    """name_ok is whether a DNS name of the leaf covers the host, as Python's ssl matched names (RFC 6125)."""
    wrong = []
    for row in surveyed.select("SELECT host.name, host.expanded, host_address.name_ok, certificate.names, certificate.name_count FROM host_address "
                               "JOIN host ON host.id = host_address.host JOIN address ON address.id = host_address.address "
                               "JOIN chain ON chain.sha256 = address.chain JOIN certificate ON certificate.sha256 = chain.leaf "
                               "WHERE name_ok IS NOT NULL AND host_address.sni = address.sni AND host_address.tlsa = 'none'"):
        names = (row["names"] or "").split(" ")
        want = any(covers(one.lower(), row["name"]) for one in names)
        if row["name_count"] == len(names) and bool(row["name_ok"]) != want:
            wrong.append(f"{row['name']}: name_ok {row['name_ok']}, names {names}")
    complain("names", wrong)


def covers(pattern, host):
    return pattern == host or pattern.startswith("*.") and host.split(".", 1)[-1] == pattern[2:]


@case(ROW, "every shape the daemon's cases know", daemon="survey", group="alone", valgrind=False)
def _(c):
    shapes = shapes_of(c)

    def step():
        if len(shapes) < SHAPES:
            raise Failed(f"only {len(shapes)} shapes")
        before = {server: len(server.connections) for shape in shapes for server in shape.servers}
        surveyed = survey(c, [shape.key for shape in shapes])
        most = max(server.open_most for server in before)
        if most != 1:
            raise Failed(f"{most} connections to an address at once")
        mail = [command for server in before for command in server.commands if command.upper().startswith("MAIL")]
        if mail:
            raise Failed(f"MAIL was said: {mail}")
        explained = explain_all(c, shapes)
        same_verdicts(surveyed, shapes, explained)
        same_hosts(surveyed, explained)
        same_certificates(c, surveyed, shapes)
        same_names(surveyed, shapes)
        shown(c, surveyed, shapes)
    c.do(step)


def shown(c, surveyed, shapes):
    """survey show says of a domain what the file says."""
    wrong = []
    for row in surveyed.select("SELECT name, verdict, reason, answer FROM domain ORDER BY name LIMIT 40"):
        done = c.daemon.cli("--json", "survey", "show", surveyed.path, row["name"])
        try:
            told = json.loads(done.stdout)
        except ValueError:
            wrong.append(f"{row['name']}: exit {done.returncode}: {done.stdout[:200]!r} {done.stderr[:300]!r}")
            continue
        if (told.get("level"), told.get("reason"), told.get("answer")) != (row["verdict"], row["reason"], row["answer"]):
            wrong.append(f"{row['name']}: {({name: told.get(name) for name in ('level', 'reason', 'answer')})}, the file has {row}")
    complain("show", wrong)
