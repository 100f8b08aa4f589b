#!/usr/bin/python3
"""A guest's manners, by what the servers saw: manners.py --bin DIR [--domains 1500]

Never two connections at once to an address; the cap of a prefix kept with four threads; the rate kept; who opted out is never
contacted; no second handshake but for SNI, and those within their cap; a prefix that refuses is left to rest; a greeting of 4xx is
not "no TLS"; EHLO with the configured name, QUIT always, MAIL never. Three shards share no prefix, and merged they are the whole.
And a resolver that does not validate is refused."""

import argparse
import collections
import os
import sqlite3
import struct

import setting  # noqa: F401  (first: where the others are)
import benchworld
import bigworld
import dnswire
import farm_server
import results_file
import survey_command
import tap
from tally import Tally

TIME_LIMIT_S = 900
SEED = 7
JOBS, PREFIX_CAP, RATE = 4, 3, 150
RATE_SLACK = 1.1  # the servers' clock is not the client's: a connection may be seen a little later than it was begun
RETRIES_MAX = 3  # other names at one address
REFUSING_NET, REFUSING_HOSTS = "10.220.7", 40
SLOW_NET, SLOW_HOSTS = "10.221.7", 12
REFUSALS, RESTS_S = 5, (2, 4)  # survey/manners.h: so many refusals, then rests of that many seconds
STOP_AFTER_S = 8  # within the third rest
HELO = "EHLO=prober.world.signed"
TALKING = {"postfix", "exim", "requiretls", "tls12", "clear", "later", "refusing", "starttls4", "starttls5", "hostile"}
WITH_TLS = {"postfix", "exim", "requiretls", "tls12", "hostile"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt and survey_farm")
    parser.add_argument("--domains", type=int, default=1500)
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Proof:
    """The world, the farm, and one run after the other."""

    def __init__(self, the_world, options):
        self.world, self.options, self.tally = the_world, options, Tally()
        self.big = bigworld.BigWorld(the_world, options.domains)
        self.refusing = self._declare_prefix("later", REFUSING_NET, REFUSING_HOSTS)  # wants no guests
        self.big.names += self._declare_prefix("silent", SLOW_NET, SLOW_HOSTS)  # takes its time
        the_world.dns.start()
        table = self.big.write_table(os.path.join(the_world.folder, "table"))
        self.farm = farm_server.Farm(options.bin, the_world.folder, the_world.ca, table)
        self.names = self.big.write_list(self.path("names"))
        self.check = self.tally.check

    def _declare_prefix(self, temper, net, count):
        """Domains whose hosts are all in one prefix, and of that temper."""
        names = []
        for number in range(count):
            name = f"{temper}{number}.plain"
            self.big.record(name, f"MX 10 mx.{name}.")
            self.big.host(f"mx.{name}", f"{net}.{number + 1}", temper, "valid")
            names.append(name)
        return names

    def path(self, name):
        return os.path.join(self.world.folder, name)

    def write(self, name, lines):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        return self.path(name)

    def command(self, **changes):
        return survey_command.Command(self.options.bin, survey_command.write_conf(self.world, **changes))

    def run(self, out, names, *more, command=None, want=0, **changes):
        """Runs a survey; what the farm saw of it."""
        done = (command or self.command()).run("--out", self.path(out), "--seed", SEED, "--jobs", JOBS, *more, names, **changes)
        if want is not None and done.status != want:
            raise RuntimeError(f"{out}: exit {done.status}: {done.out[-1000:]} {done.err[-3000:]}")
        return done, self.farm.take()


# one undisturbed run

def check_talk(proof, log):
    check = proof.check
    check("MAIL is never said", [one for one in log if any(word.startswith(("MAIL", "RCPT", "DATA")) for word in one.words)], [])
    check("EHLO by the configured name", {word for one in log for word in one.words if word.startswith(("EHLO", "HELO"))}, {HELO})
    rude = [one for one in log if one.temper in TALKING and one.words[-1] != "QUIT"]
    check("QUIT ends every conversation", rude[:5], [])
    unmade = [one for one in log if one.temper in WITH_TLS and "TLS" not in one.words]
    check("a handshake wherever there is one to be had", unmade[:5], [])


def check_caps(proof, log):
    check = proof.check
    check("one connection at a time to an address", max(farm_server.most_at_once(log, lambda one: one.address).values()), 1)
    check(f"{PREFIX_CAP} at most to a prefix, and as many somewhere", max(farm_server.most_at_once(log, lambda one: one.prefix).values()), PREFIX_CAP)
    check(f"{RATE} in any second at most", farm_server.most_in(log, 1), lambda most: RATE / 4 < most <= RATE * RATE_SLACK)
    check("and no more on average", len(log) / farm_server.seconds_of(log), lambda rate: rate <= RATE * 1.02)


def check_visits(proof, log, path):
    """One visit for each address, but for SNI."""
    check, visits = proof.check, collections.Counter(one.address for one in log)
    known = {row["ip"] for row in results_file.rows(path, "SELECT ip FROM address")}
    check("addresses that are known were connected to", sorted(known & set(proof.big.hosts) - set(visits))[:5], [])
    check("and no other", sorted(set(visits) - known)[:5], [])
    again = {address for address, count in visits.items() if count > 1}
    check("more than once only where names share an address, or SNI chooses",
          sorted(address for address in again if not needs_sni(proof, path, address))[:5], [])
    check(f"{RETRIES_MAX} other names at most", max(visits.values()), lambda most: 1 < most <= 1 + RETRIES_MAX)
    twice = [pair for pair, count in collections.Counter((one.address, one.sni) for one in log if one.sni).items() if count > 1]
    check("no name twice at an address", twice[:5], [])
    wrong = [(*row, visits[row["ip"]]) for row in results_file.rows(path, "SELECT ip, connections FROM address")
             if row["connections"] != visits[row["ip"]] and row["ip"] in proof.big.hosts]
    check("the file has as many connections as the servers", wrong[:5], [])


def needs_sni(proof, path, address):
    """Whether a name that is looked for at the address is not in the certificate shown without it."""
    return results_file.value(path, "SELECT count(*) FROM sni JOIN address ON address.id = sni.address WHERE ip = ?", address) > 0 and \
        proof.big.hosts[address][0] in WITH_TLS


def check_later(proof, path):
    """421 says nothing of TLS."""
    tempers = {address: row[0] for address, row in proof.big.hosts.items()}
    rows = results_file.rows(path, "SELECT address.ip, address.starttls AS seen, domain.starttls, domain.name FROM address "
                             "JOIN host_address ON host_address.address = address.id JOIN domain_mx ON domain_mx.host = host_address.host "
                             "JOIN domain ON domain.id = domain_mx.domain "
                             "WHERE (SELECT count(*) FROM domain_mx d JOIN host_address h ON h.host = d.host WHERE d.domain = domain.id) = 1")
    later = [row for row in rows if tempers.get(row["ip"]) == "later"]
    proof.check("there are greetings of 4xx", len(later), lambda count: count > 0)
    proof.check("a greeting of 4xx is an error", {row["seen"] for row in later}, {"error"})
    proof.check("and not taken for \"no TLS\"", {row["starttls"] for row in later}, {"unknown"})
    clear = {row["starttls"] for row in rows if tempers.get(row["ip"]) == "clear"}
    proof.check("which another is", clear, {"clear"})


def check_undisturbed(proof):
    _, log = proof.run("whole.db", proof.names, "--rate", RATE, command=proof.command(probe_connections_prefix=PREFIX_CAP))
    path = proof.path("whole.db")
    check_talk(proof, log)
    check_caps(proof, log)
    check_visits(proof, log, path)
    check_later(proof, path)
    order = [one.address for one in log if one.address.startswith("10.")]
    neighbours = sum(one.rsplit(".", 1)[0] == other.rsplit(".", 1)[0] for one, other in zip(order, order[1:]))
    proof.check("neighbours do not come in a row", neighbours / len(order), lambda share: share < 0.2)


# opt-outs

def own_domains(proof):
    """Domains with a host and an address of their own that others do not have: name, address."""
    for name in sorted(proof.big.names):
        address = next((address for address, row in proof.big.hosts.items() if row[2:] == [f"mx.{name}"] and row[0] in WITH_TLS and ":" not in address), None)
        if address:
            yield name, address


def check_opt_outs(proof):
    chosen = [pair for pair, _ in zip(own_domains(proof), range(40))]
    by_domain, by_host, by_address, by_prefix, by_key = chosen[0], chosen[9], chosen[19], chosen[29], chosen[39]
    prefix = farm_server.prefix_of(by_prefix[1])
    file = proof.write("opt-out", ["# who wants no visits", by_domain[0], f"mx.{by_host[0]}", by_address[1], f"{prefix}  # all of it"])
    _, log = proof.run("opted.db", proof.names, "--rate", 100_000, "--opt-out", file, command=proof.command(probe_exclude=by_key[1]))
    visited = {one.address for one in log}
    for what, address in (("domain", by_domain[1]), ("host", by_host[1]), ("address", by_address[1]), ("probe-exclude", by_key[1])):
        proof.check(f"opted out by {what}: not contacted", address in visited, False)
    proof.check("opted out by prefix: nobody of it contacted", [one for one in visited if farm_server.prefix_of(one) == prefix], [])
    proof.check("others were", len(visited), lambda count: count > len(proof.big.hosts) / 2)
    path = proof.path("opted.db")
    proof.check("  and the domain that opted out is not in the file", results_file.rows(path, "SELECT 1 FROM domain WHERE name = ?", by_domain[0]), [])
    for name, _ in (by_host, by_address, by_prefix, by_key):
        proof.check("  and that is not taken for \"no TLS\"", results_file.value(path, "SELECT starttls FROM domain WHERE name = ?", name), "unknown")


# a prefix that refuses, and a stop

def check_refusing(proof):
    names = proof.write("refusing", proof.refusing)
    done, log = proof.run("refusing.db", names, "--rate", 100_000, command=proof.command(probe_connections_prefix=1), want=None,
                          stop_after=STOP_AFTER_S)
    proof.check("SIGINT stops it, and it says how to go on", (done.status, "--resume" in done.err + done.out), lambda got: got[0] != 0 and got[1])
    times = [one.opened / farm_server.NS_PER_S for one in log]
    gaps = [after - before for before, after in zip(times, times[1:])]
    long = [gap for gap in gaps if gap >= RESTS_S[0] * 0.95]
    proof.check(f"{REFUSALS} refusals, and a rest", (len(log) >= REFUSALS + 1, all(gap < RESTS_S[0] for gap in gaps[:REFUSALS - 1])), (True, True))
    proof.check("rests that grow", long, lambda got: len(got) >= len(RESTS_S) and all(gap >= rest * 0.95 for gap, rest in zip(got, RESTS_S)))
    proof.check("and few visits in all", len(log), lambda count: count <= REFUSALS + len(RESTS_S) + 1)


# shards

def check_shards(proof):
    prefixes, paths = [], []
    for shard in (1, 2, 3):
        _, log = proof.run(f"shard{shard}.db", proof.names, "--rate", 100_000, "--shard", f"{shard}/3")
        prefixes.append({one.prefix for one in log})
        paths.append(proof.path(f"shard{shard}.db"))
    for one in range(3):
        shared = prefixes[one] & prefixes[(one + 1) % 3]
        proof.check(f"shards {one + 1} and {(one + 1) % 3 + 1} share no prefix", sorted(shared)[:5], [])
        proof.check(f"  shard {one + 1} has its part", len(prefixes[one]), lambda count: count > len(set().union(*prefixes)) / 6)
    merged = proof.path("merged.db")
    done = proof.command().read("merge", merged, *paths)
    proof.check("merge", (done.returncode, done.stderr[-500:]), lambda got: got[0] == 0)
    if done.returncode == 0:
        wrong = [one for one in results_file.differences(proof.path("whole.db"), merged, without={"domain.run"}) if not one.startswith("run:")]
        proof.check("merged, they are the whole", wrong, [])


# the resolver

async def blind(question, over_tcp):
    """What unbound says, without AD."""
    query = struct.pack("!6H", question.ident, question.flags, 1, 0, 0, 1) + question.raw + dnswire.opt_record()
    packet = await tap.pass_on(query, over_tcp)
    return [packet[:3] + bytes([packet[3] & ~dnswire.AD]) + packet[4:]]


def check_resolver(proof):
    proof.world.tap.cut_off(blind)
    command = proof.command(resolver=proof.world.tap.address)
    names = proof.write("few", proof.big.names[:30])
    done, log = proof.run("blind.db", names, command=command, want=None)
    proof.check("a resolver that does not validate is refused", (done.status != 0, "validate" in done.err, log), (True, True, []))
    proof.check("  with the way out", "--no-dnssec" in done.err, True)
    done, log = proof.run("blind2.db", names, "--no-dnssec", command=command)
    path = proof.path("blind2.db")
    proof.check("unless --no-dnssec is said", (len(log) > 0, results_file.value(path, "SELECT dnssec FROM run")), (True, 0))
    proof.check("  and nothing counts as secure", results_file.value(path, "SELECT count(*) FROM domain WHERE mx_secure OR verdict LIKE 'dane%'"), 0)


def go_through(proof, checks):
    """Makes the checks, one that breaks off being one that failed; the exit status."""
    for check in checks:
        try:
            check(proof)
        except (RuntimeError, OSError, sqlite3.Error) as error:
            proof.check(f"{check.__name__} came to its end", str(error), "")
            proof.farm.take()
    proof.farm.stop()
    proof.world.dns.stop()
    return proof.tally.status()


def measure(the_world, options):
    return go_through(Proof(the_world, options), (check_undisturbed, check_opt_outs, check_refusing, check_shards, check_resolver))


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
