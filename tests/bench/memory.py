#!/usr/bin/python3
"""The memory: memory.py --bin DIR [--domains N] [--refreshed N] [--seconds N]

Makes an export of so many domains that nobody has (a third dane-only, a third secure, a third verify and encrypt), from what
mxcryptd learnt of one domain of each kind; once with a mail host for each, once with one for ten. Imports it, restarts cut
off from the world, and shows: start to first answer, until everything is back in memory, resident memory for each domain,
a sample of the answers. Then domains that all end within the same minute: how their refreshing is spread. Nothing here
passes or fails by time; the exit status is 1 when an answer is wrong."""

import argparse
import base64
import binascii
import json
import os
import random
import subprocess
import time

import benchworld  # puts tests/world on the path

import clients
import policyhost
import remembering
import smtpd
import waiting

SAMPLE = 1000
TIME_LIMIT_S = 600
END_S = 60  # the refreshed domains end so long after the start
REFUSING = remembering.REFUSING
OPTIONS = {"store-flush": "500ms", "ttl-max": "24h", "sts-refresh": "24h", "sts-wildcards": "suffix"}
TEMPLATE = 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt: a release build")
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--refreshed", type=int, default=5000, help="domains of the refresh run; 0: none")
    parser.add_argument("--seconds", type=int, default=100, help="of the refresh run")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Kind:
    """Domains of one kind are numbered; number 0 really exists in the bench's world and is learnt."""

    def __init__(self, letter, host_letter, end, share, answer):
        self.letter, self.host_letter, self.end, self.share, self.answer = letter, host_letter, end, share, answer

    def domain(self, number):
        return f"{self.letter}{number:07d}.{self.end}"

    def host(self, number):
        return f"{self.host_letter}{number:07d}.{self.end}"

    def wanted(self, number):
        return self.answer.replace("HOST", self.host(number))


DANE = Kind("d", "h", "signed", 2, "OK dane-only")
STS = Kind("s", "i", "plain", 2, "OK secure match=.stsbench.plain servername=hostname")
VERIFY = Kind("v", "j", "plain", 1, "OK verify servername=hostname")
ENCRYPT = Kind("e", "k", "plain", 1, "OK encrypt")
KINDS = (DANE, STS, VERIFY, ENCRYPT)
SHARES = sum(kind.share for kind in KINDS)


def declare(the_world):
    """Domain 0 of each kind."""
    ca, addresses = the_world.ca, {}
    for kind in KINDS:
        host, address = kind.host(TEMPLATE), the_world.new_address()
        cert = ca.leaf("other.example") if kind is ENCRYPT else ca.leaf(host)
        smtpd.SmtpServer(the_world.loop, address, smtpd.CLEAR if kind is STS else smtpd.GOOD, ca.server_context(cert))
        addresses[kind] = address
        the_world.dns.add(kind.end, f"{kind.domain(TEMPLATE)}. 86400 MX 10 {host}.", f"{host}. 86400 A {address}")
        if kind is DANE:
            the_world.dns.add(kind.end, f"_25._tcp.{host}. 86400 TLSA {cert.tlsa()}")
    name = STS.domain(TEMPLATE)
    the_world.dns.add(STS.end, f'_mta-sts.{name}. TXT "v=STSv1; id=20260101000000Z;"', f"mta-sts.{name}. A {the_world.policy_address}")
    the_world.policies.host(f"mta-sts.{name}", ca.server_context(ca.leaf(f"mta-sts.{name}")),
                            policyhost.Policy(policyhost.sts_text("*.stsbench.plain", max_age=31557600)))
    the_world.dns.start()
    return addresses


def learn(the_world):
    """The export of a daemon that has asked for the four."""
    one = benchworld.new_daemon(the_world, "templates", {**the_world.options(), **OPTIONS}).start()
    for kind in KINDS:
        waiting.until(lambda kind=kind: one.ask(kind.domain(TEMPLATE)) == kind.wanted(TEMPLATE), f"{kind.domain(TEMPLATE)} is known")
    one.settled()
    lines = one.cli("export").stdout.splitlines()
    one.stop()
    return lines


class Template:
    """One record of the export, to be written again under other names; the names keep their length."""

    def __init__(self, record, kind, address):
        self.kind, self.type, self.address = kind, record["type"], address
        self.blob = next((name for name, value in record.items() if isinstance(value, str) and self._inside(value)), None)
        self.octets = self._inside(record[self.blob]) if self.blob else b""
        if self.blob:
            record[self.blob] = "BLOB"
        self.text = json.dumps(record)

    def _inside(self, value):
        """The octets behind a text, when they name the host in binary."""
        for decode in (base64.b64decode, binascii.unhexlify):
            try:
                octets = decode(value)
            except (ValueError, binascii.Error):
                continue
            if self.kind.host(TEMPLATE).encode() in octets or self.kind.host(TEMPLATE).split(".")[0].encode() in octets:
                self.encode = base64.b64encode if decode is base64.b64decode else binascii.hexlify
                return octets
        return b""

    def per_host(self):
        return self.type == "probe"

    def line(self, number, host):
        kind = self.kind
        label = (kind.domain(TEMPLATE).split(".")[0], kind.host(TEMPLATE).split(".")[0])
        new = (kind.domain(number).split(".")[0], kind.host(host).split(".")[0])
        address = address_of(kind, host)
        text = self.text.replace(label[0], new[0]).replace(label[1], new[1]).replace(self.address, address)
        if not self.blob:
            return text
        octets = self.octets.replace(label[0].encode(), new[0].encode()).replace(label[1].encode(), new[1].encode())
        octets = octets.replace(packed(self.address), packed(address))
        return text.replace("BLOB", self.encode(octets).decode(), 1)


def packed(address):
    return bytes(int(one) for one in address.split("."))


def address_of(kind, host):
    """An address of its own for each host."""
    number = KINDS.index(kind) << 21 | host
    return f"11.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def templates(lines, addresses):
    found = []
    for line in lines[1:-1]:
        record = json.loads(line)
        kind = next((one for one in KINDS if f'{one.domain(TEMPLATE)}' in line or one.host(TEMPLATE) in line), None)
        if kind:
            found.append(Template(record, kind, addresses[kind]))
    if {one.kind for one in found if one.type == "answer"} != set(KINDS):
        raise RuntimeError(f"the export lacks a kind: {lines}")
    return found


def count_of(kind, domains):
    return domains * kind.share // SHARES


def write_export(path, head, patterns, domains, per_host):
    """The export's size in octets."""
    records = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + "\n")
        for pattern in patterns:
            for number in range(1, count_of(pattern.kind, domains) + 1):
                host = (number - 1) // per_host + 1
                if pattern.per_host() and (number - 1) % per_host:
                    continue
                file.write(pattern.line(number, host) + "\n")
                records += 1
        file.write(json.dumps({"type": "end", "records": records}) + "\n")
    return os.path.getsize(path), records


def imported(the_world, name, path):
    """A daemon's folder whose store has all of the export; how long that took."""
    one = benchworld.new_daemon(the_world, name, {**the_world.options(), **OPTIONS, "resolver": REFUSING, "refresh-idle": "0s"}).start()
    began = time.monotonic()
    done = one.cli("import", path, timeout=300)
    said = time.monotonic() - began
    waiting.until(lambda: one.stats()["store_pending"] == 0, "everything is written", 300, 0.2)
    written = time.monotonic() - began
    if done.returncode != 0:
        print(f"  import: exit status {done.returncode}: {done.stdout}{done.stderr[:300]}")
    memory = one.resident_kb()
    one.stop()
    print(f"  {done.stdout.strip()}: {said:.1f} s, written after {written:.1f} s, VmRSS {memory // 1024} MB; "
          f"store {os.path.getsize(os.path.join(one.folder, 'store.db')) // 1024 // 1024} MB")
    os.unlink(path)


class Started:
    """A daemon started without waiting for its log: the moment of the start counts."""

    def __init__(self, one):
        self.one = one
        self.began = time.monotonic()
        log = open(one.log_path, "wb")
        one.process = subprocess.Popen([os.path.join(one.bin_dir, "mxcryptd"), "-c", one.config], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()

    def first_answer(self, key):
        while True:
            try:
                answer = self.one.ask(key)
                return answer, time.monotonic() - self.began
            except (OSError, clients.Closed):
                time.sleep(0.001)


def sample(one, domains, rng):
    """How many answers of a sample are wrong, and the slowest in ms."""
    wrong, slowest = [], 0.0
    with clients.Socketmap(one.socket) as connection:
        for _ in range(SAMPLE):
            kind = rng.choices(KINDS, [kind.share for kind in KINDS])[0]
            number = rng.randint(1, count_of(kind, domains))
            began = time.monotonic()
            answer = connection.ask(kind.domain(number))
            slowest = max(slowest, time.monotonic() - began)
            if answer != kind.wanted(number):
                wrong.append(f"{kind.domain(number)}: {answer}")
    return wrong, slowest * 1000


def remembered(the_world, options, head, patterns, per_host, empty_kb):
    """One variant: import, restart cut off, figures; the number of wrong answers."""
    name = f"own-{per_host}"
    path = os.path.join(the_world.folder, f"{name}.export")
    size, records = write_export(path, head, patterns, options.domains, per_host)
    print(f"{options.domains} domains, {'a mail host for each' if per_host == 1 else f'a mail host for {per_host}'}: "
          f"export of {records} records, {size // 1024 // 1024} MB")
    imported(the_world, name, path)
    one = benchworld.new_daemon(the_world, name, {**the_world.options(), **OPTIONS, "resolver": REFUSING})
    middle = count_of(STS, options.domains) // 2
    started = Started(one)
    answer, first_s = started.first_answer(STS.domain(middle))
    waiting.until(lambda: one.events("warm"), "all is back in memory", 120, 0.01)
    warm_s, stats, memory = time.monotonic() - started.began, one.stats(), one.resident_kb()
    wrong, slowest = sample(one, options.domains, random.Random(1))
    print(f"  start to first answer {first_s * 1000:.0f} ms ({answer[:30]!r}), warm after {warm_s * 1000:.0f} ms: {one.events('warm')[0].split('event=')[1]}")
    print(f"  VmRSS {memory} kB, empty {empty_kb} kB: {(memory - empty_kb) * 1024 / options.domains:.0f} octets a domain; "
          f"cache {stats['cache_octets'] / options.domains:.0f}; after the sample {(one.resident_kb() - empty_kb) * 1024 / options.domains:.0f}")
    print(f"  {SAMPLE} answers: {len(wrong)} wrong, the slowest {slowest:.1f} ms{'; ' + wrong[0] if wrong else ''}")
    one.stop()
    return len(wrong) + (answer != STS.wanted(middle))


def empty(the_world):
    one = benchworld.new_daemon(the_world, "empty", {**the_world.options(), **OPTIONS, "resolver": REFUSING}).start()
    waiting.until(lambda: one.events("warm"), "it is warm")
    memory = one.resident_kb()
    one.stop()
    return memory


def ends_soon(pattern):
    """The record as if it ended END_S from now, all of them at the same moment."""
    record = json.loads(pattern.text)
    if record["type"] == "answer":
        unit = 1000 if record["valid_until"] > 1_000_000_000_000 else 1
        record["valid_until"] = int((time.time() + END_S) * unit)
        pattern.text = json.dumps(record)
    return pattern


def refreshing(the_world, options, head, patterns):
    """Everything ends in the same minute: lookups per second."""
    path = os.path.join(the_world.folder, "refreshed.export")
    write_export(path, head, [ends_soon(one) for one in patterns], options.refreshed, 10)
    one = benchworld.new_daemon(the_world, "refreshed", {**the_world.options(), **OPTIONS, "resolver": REFUSING}).start()
    done = one.cli("import", path, timeout=120)
    print(f"{options.refreshed} domains that end at the same moment, in {END_S} s, with refresh-rate 20: {done.stdout.strip()}")
    before, counts, end = one.stats()["refreshes"], [], time.monotonic() + options.seconds
    while time.monotonic() < end:
        time.sleep(1)
        now = one.stats()["refreshes"]
        counts.append(now - before)
        before = now
    busy = [count for count in counts if count]
    stats = one.stats()
    print(f"  refreshes in {len(counts)} s: {sum(counts)}; of {len(busy)} busy seconds least {min(busy, default=0)}, "
          f"mean {sum(busy) / max(1, len(busy)):.1f}, most {max(busy, default=0)}; lapsed {stats['refreshes_lapsed']}, lag {stats['refresh_lag_ms']} ms")
    one.stop()


def measure(the_world, options):
    addresses = declare(the_world)
    remembering.CutOff.resolvers(the_world)
    lines = learn(the_world)
    head = lines[0]
    empty_kb = empty(the_world)
    wrong = sum(remembered(the_world, options, head, templates(lines, addresses), per_host, empty_kb) for per_host in (1, 10))
    if options.refreshed:
        refreshing(the_world, options, head, templates(lines, addresses))
    the_world.dns.stop()
    return 1 if wrong else 0


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
