#!/usr/bin/python3
"""Mail from a real Exim that asks mxcryptd by the files of contrib/exim: exim.py --bin DIR [--only NAME] [--flavour light] [-v]

Each delivery is one of a domain of its own. What came of it is read from the servers that took it, or did not: verified (over TLS, and Exim
says that the certificate was), encrypted, clear, deferred or bounced. The configuration is Debian's, split, and then unsplit and one plain
file for one delivery of each level. Exim is this Debian release's, unpacked into build/mta. Needs root and, once, a Debian archive."""

import argparse
import collections
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "farm"))

import places  # noqa: E402 F401  (first: where the others are)
import answers  # noqa: E402
import benchworld  # noqa: E402
import exim_cases  # noqa: E402
import exim_checked  # noqa: E402
import exim_odd  # noqa: E402
import exim_together  # noqa: E402
import eximd  # noqa: E402
import world  # noqa: E402
from tally import Tally  # noqa: E402

TIME_LIMIT_S = 500
OVER_TLS = {"yes": "verified", "dane": "verified", "no": "encrypted"}
LAYOUTS = ("unsplit", "plain")
INET = "inet:127.0.0.1:8463"


class Deliveries:
    def __init__(self, the_world, options):
        self.world, self.options, self.tally = the_world, options, Tally()
        self.check = self.tally.check
        self.socket = os.path.join(the_world.folder, "asked.sock")
        self.counts = collections.defaultdict(collections.Counter)
        self.rules = []
        self.cases = exim_cases.declare_all(the_world, exim_cases.FROM_MXCRYPTD + exim_cases.SCRIPTED, self.rules)
        self.others = exim_together.declare(the_world) + exim_odd.declare(the_world)
        the_world.dns.add_child("org", "signed")  # exim-config asks for it
        self.exim = eximd.Exim(os.path.join(the_world.folder, "mta"), options.tree)

    def start(self):
        self.world.dns.start()
        rules = os.path.join(self.world.folder, "rules")
        with open(rules, "w", encoding="ascii") as file:
            file.write("\n".join(self.rules) + "\n")
        options = {"ca-file": self.world.ca.ca_file, "allow-address": "198.51.100.0/24 198.18.0.0/15", "helo-name": world.HELO_NAME,
                   "rules": rules, "ttl-min": "1h", "ttl-max": "2h", "listen": [f"exim:unix:{self.world.folder}/d-exim/exim.sock mode=0666", f"exim:{INET}"]}
        self.daemon = self.world.new_daemon("exim", options).start()
        self.answers = answers.Answers(self.world.loop, self.socket, os.path.join(self.daemon.folder, "exim.sock"))
        self.exim.prepare(self.world.ca.ca_file, self.socket)
        for one in [*self.cases, *self.others]:
            if one.scripted:
                self.answers.scripted[one.key] = None if one.scripted[0] == b"HANG" else one.scripted[0]

    def what_came(self, recipient, servers):
        """How a message was sent, by the servers' own record, or what became of it without."""
        taken = [one for server in servers for one in server.taken if recipient in one.recipients]
        fate, line = self.exim.fate(recipient)
        if len(taken) > 1:
            return f"taken {len(taken)} times", line
        if not taken:
            return fate if fate != "sent" else "lost", line
        if fate != "sent":
            return f"taken, but {fate}", line
        if taken[0].tls is None:
            return "clear", line
        return self.proof(recipient, servers, line), line

    def proof(self, recipient, servers, line):
        """Exim says of a connection only once whether the certificate was valid, for the first message on it."""
        connection = next(one for server in servers for one in server.connections for message in one.taken if recipient in message.recipients)
        first = connection.taken[0].recipients[0]
        proof = re.search(r" CV=(\w+)", line if first == recipient else self.exim.fate(first)[1])
        return OVER_TLS[proof.group(1)] if proof else "encrypted"

    def prime(self, cases):
        """mxcryptd has looked before the attacker comes."""
        for one in cases:
            if one.scripted is None and one.row.then:
                self.world.loop.run(self.answers.ask_daemon(one.key))
        self.daemon.settled()

    def deliver(self, one, prefix="", local="rcpt"):
        row, recipient, began = one.row, f"{local}@{one.key}", time.monotonic()
        if row.then and not prefix:
            row.then(one)
        self.exim.submit(recipient)
        came, line = self.what_came(recipient, one.servers)
        level = (self.answers.given.get(one.key) or "level=temp").split()[0:1] or ["level=temp"]
        self.counts[row.level][came] += 1
        right = came == row.want and bool(re.search(row.says, line)) and (one.scripted or level[0] == f"level={row.level}")
        self.check(f"{prefix}{row.name}: {row.want}", (came, level[0], line) if not right else True, True)
        if self.options.verbose:
            print(f"    {time.monotonic() - began:.1f} s {line}")

    def away(self):
        """The daemon is killed; nobody listens where it did."""
        one = next(one for one in self.cases if one.row.name == "verify")
        self.daemon.kill()
        self.exim.submit(f"away@{one.key}")
        self.check("mxcryptd is away: deferred", self.what_came(f"away@{one.key}", one.servers)[0], "deferred")
        self.counts["temp"]["deferred"] += 1
        self.answers.close()
        self.exim.submit(f"gone@{one.key}")
        came, line = self.what_came(f"gone@{one.key}", one.servers)
        self.counts["temp"][came] += 1
        self.check("there is no socket: deferred", came == "deferred" and "does not answer" in line, True)

    def names_asked_for(self):
        """SNI is the MX host's name, or what a rule says; these servers were not probed."""
        for name, want in (("verify, two addresses", "mx.{}"), ("sni by a rule", "other.name.example")):
            one = next(one for one in self.cases if one.row.name == name)
            self.check(f"{name}: SNI", {sni for server in one.servers for sni in server.snis}, {want.format(one.key)})

    def by_tcp(self):
        """Exim asks mxcryptd itself, by TCP."""
        self.exim.install(INET)
        for level, want in (("verify", "verified"), ("notfound", "clear"), ("temp", "deferred")):
            one = next(one for one in self.cases if one.row.level == level and one.row.want == want and not one.row.then and not one.scripted)
            self.exim.submit(f"tcp@{one.key}")
            came, line = self.what_came(f"tcp@{one.key}", one.servers)
            self.counts[level][came] += 1
            self.check(f"asked by TCP, {level}: {want}", came == want or line, True)
        self.exim.install(self.socket)

    def in_other_layouts(self):
        """One delivery of each level; where nothing happens to the domain meanwhile."""
        firsts = {}
        for one in self.cases:
            if not one.row.then and not one.scripted and one.row.name not in exim_cases.RETRIED_LATER:
                firsts.setdefault((one.row.level, one.row.want), one)
        for layout in LAYOUTS:
            self.exim.layout = layout
            self.exim.install(self.socket)
            for one in firsts.values():
                self.deliver(one, f"{layout}: ", f"rcpt-{layout}")

    def table(self):
        kinds = ("verified", "encrypted", "clear", "deferred", "bounced")
        print("# level       " + "".join(f"{kind:>11}" for kind in kinds))
        for level, counts in self.counts.items():
            print(f"# {level:<12}" + "".join(f"{counts.get(kind, 0):>11}" for kind in kinds))
            self.counts_are_right(level, counts)
        total = sum(sum(counts.values()) for counts in self.counts.values())
        print(f"# {total} deliveries by Exim {self.exim.version()} ({self.options.flavour}), {self.exim.panics()} lines in its panic log")

    def counts_are_right(self, level, counts):
        if level in exim_cases.STRICT:
            self.check(f"{level}: nothing in clear", counts["clear"], 0)
        if level in ("dane-only", "secure", "verify"):
            self.check(f"{level}: nothing unverified", counts["encrypted"], 0)


def measure(the_world, options):
    began = time.monotonic()
    them = Deliveries(the_world, options)
    them.start()
    wanted = [one for one in them.cases if not options.only or options.only in one.row.name]
    if not options.only:
        exim_together.deliver(them)
    them.prime(wanted)
    for one in wanted:
        them.deliver(one)
    if not options.only:
        exim_odd.deliver(them)
        exim_checked.check(them)
        them.names_asked_for()
        them.by_tcp()
        them.in_other_layouts()
        them.check("mxcryptd ran all the time", them.daemon.alive(), True)
        them.check("no panic", them.exim.panics(), 0)
        them.away()
    them.table()
    the_world.dns.stop()
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
    return them.tally.status()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--flavour", default="heavy", choices=("heavy", "light"), help="which of Debian's Exim daemons")
    parser.add_argument("-v", action="store_true", dest="verbose")
    wanted_options = parser.parse_args()
    wanted_options.bin = os.path.abspath(wanted_options.bin)
    if os.getuid() != 0:
        print("skip exim: it takes root's rights")
        sys.exit(0)
    wanted_options.tree = eximd.fetch(wanted_options.flavour)
    benchworld.main(__file__, measure, wanted_options, TIME_LIMIT_S)
