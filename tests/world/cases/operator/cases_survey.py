"""mxcrypt survey among real servers: every shape that the cases of the daemon know, and what is said of each is what the daemon
says; hosts, addresses and certificates are what the servers are."""

import contextlib
import hashlib
import html.parser
import json
import os
import re
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import case as case_module
import daemon
import policyhost
import smtpd
import waiting
from case import Failed, case

ROW = "survey"
DAEMONS = {
    "survey": {"resolver": "127.0.0.53", "dns-timeout": "500ms", "dns-tries": "3", "fetch-deadline": "3s", "greeting-deadline": "5s",
               "probe-deadline": "10s", "probe-connections": "20", "job-deadline": "30s", "answer-deadline": "30s", "ttl-min": "1s"},
}
SHAPES = 300  # at least
SECTIONS = "ABCDEFGHIJ"  # of docs/conformance.md
NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
TOGETHER = 8  # keys that are asked for at once
SHOWN = 12  # differences
VERIFIED_OR_TLS = ("tls", "verified")


class FixedAddress(Exception):
    """A case wants an address that it has already, as a case of the daemon."""


class Shape(case_module.Case):
    """What a case of the daemon declares, under names of its own; its steps are not run."""

    def __init__(self, world, entry, label):
        super().__init__(world, entry, label)
        self.servers, self.addresses = [], set()

    def address(self):
        self.addresses.add(address := super().address())
        return address

    def address6(self):
        self.addresses.add(address := super().address6())
        return address

    def server(self, *san, **more):
        if more.get("address") not in self.addresses | {None}:
            raise FixedAddress
        server = super().server(*san, **more)
        server.shows = None if more.get("context") else server.cert  # a context of the case's own may show what it likes
        self.servers.append(server)
        return server


def shapes_of(c):
    """Declares the world of each case of the daemon "main" once more, but for those with servers at addresses of their choice."""
    found = []
    for number, entry in enumerate(case_module.REGISTRY):
        if entry.rows[0].split("-")[0] in SECTIONS and entry.daemon == "main" and entry.group in ("together", "few") and not entry.skip:
            shape = Shape(c.world, entry, f"sv{number}")
            with contextlib.suppress(FixedAddress):
                entry.declare(shape)
                found.append(shape)
    return [shape for shape in found if NAME.fullmatch(shape.key) and not by_chance(shape)]


def by_chance(shape):
    """Whether two connections may see two things: garbage behind a 220 may come in the same packet, which is another fault."""
    return any(server.temper.handshake == "garbage" for server in shape.servers)


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
        raise Failed(f"survey run: exit {done.returncode}: {done.stdout[-500:]} {complaint(done.stderr)}")
    return Surveyed(stem + ".db")


def complaint(text):
    """The end of what a program said, or what a sanitizer says of it."""
    found = daemon.BAD_OUTPUT.search(text)
    return text[found.start():][:3000] if found else text[-1000:]


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
    for name, told in explained.items():
        row = rows.get(name)
        want = (told["level"], told["reason"], told["answer"].removeprefix("OK "))
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
        if told[key] and told[key][0] in VERIFIED_OR_TLS and got != told[key] and not by_next_hop(got, told[key]):
            wrong.append(f"{key}: daemon {told[key]}, survey {got}")
    complain("hosts and addresses", wrong)


def by_next_hop(got, told):
    """The next-hop is a reference name of usage 2 as well (RFC 7672 3.2.2): the daemon knows it; a survey judges a host for all who
    send there."""
    return (got, told) == (("tls", True, False, "mismatch"), ("tls", True, False, "match"))


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


def same_names(surveyed):
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


def shown(c, surveyed):
    """survey show says of a domain what the file says."""
    wrong = []
    for row in surveyed.select("SELECT name, verdict, reason, answer FROM domain ORDER BY name LIMIT 40"):
        done = c.daemon.cli("--json", "survey", "show", surveyed.path, row["name"])
        try:
            told = json.loads(done.stdout)
        except ValueError:
            wrong.append(f"{row['name']}: exit {done.returncode}: {done.stdout[:200]!r} {done.stderr[:300]!r}")
            continue
        if (told.get("level"), told.get("reason"), told.get("answer", "").removeprefix("OK ")) != (row["verdict"], row["reason"], row["answer"]):
            wrong.append(f"{row['name']}: {({name: told.get(name) for name in ('level', 'reason', 'answer')})}, the file has {row}")
    complain("show", wrong)


def guests(servers):
    """The manners that these servers saw."""
    most = max(server.open_most for server in servers)
    mail = [command for server in servers for command in server.commands if command.upper().startswith("MAIL")]
    complain("manners", [f"{most} connections to an address at once"] * (most > 1) + [f"said {command}" for command in mail])


def all_of(*checks):
    """Makes every check, whatever the others say."""
    said = []
    for check, *arguments in checks:
        try:
            check(*arguments)
        except Failed as error:
            said.append(str(error))
    if said:
        raise Failed("\n  ".join(said))


@case(ROW, "every shape the daemon's cases know", daemon="survey", group="alone", valgrind=False)
def _(c):
    shapes = shapes_of(c)

    def step():
        if len(shapes) < SHAPES:
            raise Failed(f"only {len(shapes)} shapes")
        surveyed = survey(c, [shape.key for shape in shapes])
        guests([server for shape in shapes for server in shape.servers])
        explained = explain_all(c, shapes)
        all_of((same_verdicts, surveyed, shapes, explained), (same_hosts, surveyed, explained), (same_certificates, c, surveyed, shapes),
               (same_names, surveyed), (shown, c, surveyed))
    c.do(step)


# the list, and the file

LIST = """\ufeff# a comment
one.{u} 5
one.{u}
2,two.{u}
three.{u},7   # and one behind a line
THREE.{U} 3
b\u00fccher.{u}
\t
no domain at all\r
{long}.{u}
<script>alert(1)</script>.{u}
'; DROP TABLE domain; --
\x1b[31mred.{u}
four.{u}\r
"""
WEIGHTS = {"one": 5, "two": 1, "three": 7, "xn--bcher-kva": 1, "four": 1}
BAD_LINES = 5


def run_list(c, text, *arguments, name="list", source=None):
    """Runs a survey of this list; the finished process and the path of its file."""
    stem = os.path.join(c.world.folder, f"{c.label}-{name}")
    with open(stem + ".list", "w", encoding="utf-8", newline="") as file:
        file.write(text)
    with open(stem + ".list", "rb") as stdin:
        done = c.daemon.cli("survey", "run", "--out", stem + ".db", *arguments, source or stem + ".list", timeout=120, stdin=stdin)
    return done, stem + ".db"


def weights(c, path):
    return {row["name"].removesuffix("." + c.u): row["weight"] for row in Surveyed(path).select("SELECT name, weight FROM domain")}


@case(ROW, "a list in all its forms, from a file and from standard input", daemon="survey", group="few", valgrind=False)
def _(c):
    c.plain("one MX 0 .", "two MX 0 .")
    text = LIST.format(u=c.u, U=c.u.upper(), long="x" * 64)

    def step():
        for source in (None, "-"):
            done, path = run_list(c, text, name=f"forms{source or ''}", source=source)
            if done.returncode != 0 or weights(c, path) != WEIGHTS:
                raise Failed(f"exit {done.returncode}: {weights(c, path)} {done.stderr}")
            run = Surveyed(path).select("SELECT names, lines_bad, names_read FROM run")[0]
            if (run["names"], run["lines_bad"], run["names_read"]) != (len(WEIGHTS), BAD_LINES, 1):
                raise Failed(f"{run}: {done.stderr}")
            for octet in "\x1b\x07":
                if octet in done.stdout + done.stderr:
                    raise Failed(f"the terminal was sent {octet!r}")
    c.do(step)


@case(ROW, "--from-audit takes next-hops and messages", daemon="survey", group="few", valgrind=False)
def _(c):
    counted = {"domains": [{"name": f"one.{c.u}", "messages": 5}, {"name": f"two.{c.u}", "messages": 0},
                           {"name": f"[relay.{c.u}]", "messages": 3}]}

    def step():
        stem = os.path.join(c.world.folder, f"{c.label}-audit")
        for text, status in ((json.dumps(counted), 0), ("{}", 65), ("<b>", 65)):
            with open(stem + ".json", "w", encoding="utf-8") as file:
                file.write(text)
            out = f"{stem}-{len(text)}.db"
            done = c.daemon.cli("survey", "run", "--out", out, "--from-audit", stem + ".json", "--no-probe", timeout=120)
            if done.returncode != status:
                raise Failed(f"{text}: exit {done.returncode}: {done.stderr}")
            if os.path.exists(out) != (status == 0):
                raise Failed(f"{text}: a file is there: {os.path.exists(out)}")
            if status == 0 and weights(c, out) != {"one": 5, "two": 0}:
                raise Failed(f"{weights(c, out)}: {done.stderr}")
    c.do(step)


@case(ROW, "--sample takes the same names again", daemon="survey", group="few", valgrind=False)
def _(c):
    text = "".join(f"n{number}.{c.u}\n" for number in range(200))

    def step():
        samples = []
        for name, seed in (("first", 1), ("again", 1), ("other", 2)):
            done, path = run_list(c, text, "--sample", "50", "--seed", str(seed), "--no-probe", name=name)
            if done.returncode != 0:
                raise Failed(f"exit {done.returncode}: {done.stderr}")
            samples.append(set(weights(c, path)))
        if samples[0] != samples[1] or samples[0] == samples[2] or len(samples[0]) != 50:
            raise Failed(f"{[sorted(one)[:5] for one in samples]}")
    c.do(step)


def contents(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


@case(ROW, "a file that is there is not written over, and a finished one stays as it is", daemon="survey", group="few", valgrind=False)
def _(c):
    c.plain("one MX 0 .")

    def step():
        text = f"one.{c.u}\n"
        first, path = run_list(c, text)
        before = contents(path)
        again, _ = run_list(c, text)
        resumed, _ = run_list(c, text, "--resume")
        same = contents(path) == before
        if (first.returncode, again.returncode != 0, resumed.returncode, same) != (0, True, 0, True):
            raise Failed(f"{first.returncode} {again.returncode} {resumed.returncode} {same}: {again.stderr} {resumed.stderr}")
        if "--resume" not in again.stderr:
            raise Failed(f"does not say what to do: {again.stderr}")
    c.do(step)


@case(ROW, "SIGINT in the middle, and on with --resume", daemon="survey", group="few", valgrind=False)
def _(c):
    c.key = c.u
    slow = c.server(temper=replace(smtpd.GOOD, greeting_delay=1.5))
    c.plain("slow MX 10 mx", f"mx A {slow.address}", "one MX 0 .")

    def step():
        stem = os.path.join(c.world.folder, c.label)
        with open(stem + ".list", "w", encoding="ascii") as file:
            file.write(f"slow.{c.u}\none.{c.u}\n")
        words = [os.path.join(c.world.bin_dir, "mxcrypt"), "-c", c.daemon.config, "survey", "run", "--out", stem + ".db", stem + ".list"]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, **daemon.SANITIZERS}) as process:
            waiting.until(lambda: slow.open_now, "the slow host is connected to")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        if process.returncode == 0 or "--resume" not in said or os.path.exists(stem + ".db-wal"):
            raise Failed(f"exit {process.returncode}: {said}")
        done = c.daemon.cli("survey", "run", "--out", stem + ".db", "--resume", stem + ".list")
        rows = Surveyed(stem + ".db").select("SELECT name, starttls FROM domain ORDER BY name DESC")
        if done.returncode != 0 or rows[0]["starttls"] != "verified" or len(slow.connections) != 2:
            raise Failed(f"exit {done.returncode}: {rows}, {len(slow.connections)} connections: {done.stderr}")
    c.do(step)


# what is hostile

SCRIPT = "<script>alert(1)</script>"
HOSTILE_GREETING = f"220 {SCRIPT}\x1b[31m'; DROP TABLE domain; --\x07=cmd|' /C calc'!A0,\"\r\n".encode()
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Scripts(html.parser.HTMLParser):
    """The tags of a page that a browser would run, with what is in them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.inside = [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "script"
        self.found += [f"{name}={value}" for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]

    def handle_data(self, data):
        if self.inside:
            self.found.append(data)

    def handle_endtag(self, tag):
        self.inside = False


def declare_hostile(c):
    """A domain whose every word is meant to harm the program that shows it."""
    c.key = c.u
    hostile = c.world.ca.leaf(f"mx.{c.u}", f"{SCRIPT}.{c.u}", cn=f"{SCRIPT}\x1b[31m", issuer=c.world.ca.new_ca(f"{SCRIPT}'--"))
    server = c.server(temper=replace(smtpd.GOOD, greeting=HOSTILE_GREETING), cert=hostile)
    c.plain("@ MX 10 mx", rf"@ MX 20 \<script\>alert\(1\)\</script\>", rf"@ MX 30 a\027\091\'\;b", f"mx A {server.address}",
            rf"\<script\>alert\(1\)\</script\> A {server.address}",
            rf'_smtp._tls TXT "v=TLSRPTv1; rua=mailto:{SCRIPT}@x\027[31m"'.replace(";", r"\;"))
    c.sts(f"{SCRIPT}.{c.u}", f"mx.{c.u}", policy=policyhost.Policy(
        policyhost.sts_text(f"mx.{c.u}") + f"x: {SCRIPT}\x1b[31m\r\n".encode()))


def readings(path, page):
    """Every command that shows a file."""
    return [("status", path), ("report", path), ("--json", "report", path), ("report", path, "--html", page), ("diff", path, path),
            ("--json", "diff", path, path), ("show", path, "NAME"), ("--json", "show", path, "NAME"),
            *(("export", path, "--format", format, table) for format in ("csv", "jsonl") for table in ("domains", "hosts", "addresses"))]


@case(ROW, "what is hostile comes through every command unharmed", daemon="survey", group="few", valgrind=False)
def _(c):
    declare_hostile(c)

    def step():
        done, path = run_list(c, f"{c.u}\n{SCRIPT}.{c.u}\n\x1b[31m.{c.u}\n")
        page = path + ".html"
        wrong = [f"run: exit {done.returncode}: {complaint(done.stderr)}"] if done.returncode else []
        for words in readings(path, page):
            asked = [c.u if word == "NAME" else word for word in words if word != "--json"]
            said = c.daemon.cli(*[word for word in words if word == "--json"], "survey", *asked)
            wrong += [f"{asked}: exit {said.returncode}: {complaint(said.stderr)}"] if said.returncode else []
            wrong += [f"{asked}: octets {UNPRINTABLE.findall(text)[:5]}" for text in (said.stdout, said.stderr) if UNPRINTABLE.search(text)]
            if "jsonl" in words:
                wrong += [f"{asked}: {error}" for error in [broken_line(said.stdout)] if error]
        with open(page, encoding="utf-8") as file:
            text = file.read()
        wrong += [f"the page runs {one[:200]!r}" for one in Scripts(text).found if "alert(1)" in one]
        wrong += ["the page has octets that are none of text"] if UNPRINTABLE.search(text) else []
        names = [row["name"] for row in Surveyed(path).select("SELECT name FROM domain")]
        wrong += [f"names {names}"] if names != [c.u] else []
        complain("hostile", wrong)
    c.do(step)


def broken_line(text):
    """Why a line is no JSON; None: every line is."""
    try:
        rows = [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        return str(error)
    return None if rows else "no line"
