#!/usr/bin/python3
"""How fast is `mxcrypt survey run`? survey.py --bin DIR [--only tls,dns,cores] [--rounds N] [--addresses N] [--domains N] [--json FILE]

Ratios in one run, in alternating rounds, each the median of its rounds; the farm of tests/survey serves the addresses, each with
TLS and a valid certificate (ECDSA P-256) of its own.

tls    Probes per second of a survey whose domains have a host and an address each, --jobs 1, beside bench_handshakes, a bare
       OpenSSL client that connects, says EHLO, STARTTLS, makes the handshake, verifies the chain, says EHLO and QUIT; as many
       connections at once. Client on processor 0, servers on processor 1. Both are measured by the servers: connections divided by
       the time from the first connection to the end of the last. So the survey's verifying, judging and writing count; looking up
       domains and hosts, which comes before, does not: "whole run" is the same with that. Goal: 0.70. The line "no verifying" is
       beside a client that does not look at the chain. Processor time is the whole run's, for one address.
dns    Questions per second of `survey run --no-probe`, --jobs 2, of a world of domains of every kind, none with a policy to
       fetch, whose answers are in unbound's cache, beside dnsperf with two threads and the very same questions (unbound wrote
       them down). Questions are counted by unbound; they are timed by the datagrams of this network namespace, from the first to
       the last but for the first and last hundredth, as dnsperf times its own: while the survey looks up. "whole run" is the same
       by the time from the start of the program to its end, with reading the list, verdicts and what is done at the end. Client
       and unbound share both processors. Goal: 0.50.
cores  The time of a whole survey as in "tls" with client and servers on processor 0 together and --jobs 1, divided by that on
       processors 0 and 1 and --jobs 2. Goal: 1.6."""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time

import benchworld  # puts tests/world on the path

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "survey"))

import bigworld  # noqa: E402
import farm_server  # noqa: E402
import survey_command  # noqa: E402

CLIENT_CPU, SERVER_CPU = BOTH = 0, 1
CONNECTIONS, PREFIX_CONNECTIONS = 200, 16
RATE = 1_000_000  # a second: nobody is disturbed here
GOALS = {"tls": 0.70, "dns": 0.50, "cores": 1.6}
TTL_S = 86400  # or what is not there is forgotten while we measure
FRINGE = 0.01  # of the datagrams, at either end
LOOK_S = 0.01
BUSY = 0.5  # processes that want to run before we begin
QUESTION = re.compile(r" info: 127\.0\.0\.1 (\S+) ([A-Z0-9]+) IN$")
DNSPERF_RATE = re.compile(r"Queries per second:\s+([0-9.]+)")
DNSPERF_LOST = re.compile(r"Queries lost:\s+(\d+)")
OWN_KINDS = {name: share for name, share in bigworld.DOMAIN_KINDS.items() if name != "servfail"}  # failures are not cached for long


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt, survey_farm and bench_handshakes: a release build")
    parser.add_argument("--only", default="tls,dns,cores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--addresses", type=int, default=10_000, help="of tls and cores")
    parser.add_argument("--domains", type=int, default=100_000, help="of dns")
    parser.add_argument("--json", default="", help="file for all figures of all rounds")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    options.only = options.only.split(",")
    return options


def spent_s():
    """Processor time of the commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def on(*cpus):
    """The words before a command that keep it on these processors."""
    return ["taskset", "-c", ",".join(map(str, cpus))]


class Bench:
    def __init__(self, the_world, options):
        self.world, self.options = the_world, options
        self.rounds = {name: [] for name in options.only}
        self.conf = survey_command.write_conf(the_world, probe_connections=CONNECTIONS, probe_connections_prefix=PREFIX_CONNECTIONS,
                                               dns_timeout="1500ms", dns_tries=3)  # as without a configuration
        self.tls = self.mixed = None
        self._declare()
        self.runs = 0

    def _declare(self):
        dns = self.world.dns
        for zone in ("signed", "plain"):
            dns.zones[zone].soa_minimum = TTL_S
        self.control = os.path.join(self.world.folder, "unbound.sock")
        dns.unbound_lines = ["server:", "  num-threads: 2", "  msg-cache-size: 512m", "  rrset-cache-size: 512m", "  neg-cache-size: 64m",
                             "  key-cache-size: 64m", "  cache-max-negative-ttl: 86400", "  so-rcvbuf: 0",
                             "remote-control:", "  control-enable: yes", f'  control-interface: "{self.control}"', "  control-use-cert: no"]
        if "tls" in self.options.only or "cores" in self.options.only:
            self.tls = bigworld.BigWorld(self.world, **bigworld.tls_only(self.options.addresses))
            self.tls_names = self.tls.write_list(self.path("tls-names"), weights=False)
            self.targets, self.table = self.tls.write_targets(self.path("targets")), self.tls.write_table(self.path("table"))
        if "dns" in self.options.only:
            self.mixed = bigworld.BigWorld(self.world, self.options.domains, kinds=OWN_KINDS, policies=0)
            self.mixed_names = self.mixed.write_list(self.path("mixed-names"))
        dns.start()

    def path(self, name):
        return os.path.join(self.world.folder, name)

    def place_unbound(self, *cpus):
        for thread in os.listdir(f"/proc/{self.world.dns.unbound.pid}/task"):
            os.sched_setaffinity(int(thread), set(cpus))

    def ask_unbound(self, *words):
        return subprocess.run(["unbound-control", "-c", os.path.join(self.world.dns.folder, "unbound.conf"), *words], stdout=subprocess.PIPE,
                              text=True, check=True).stdout

    def questions(self):
        return int(re.search(r"^total\.num\.queries=(\d+)", self.ask_unbound("stats_noreset"), re.MULTILINE).group(1))

    def survey(self, names, cpus, jobs, *more):
        """A whole survey; the finished command."""
        self.runs += 1
        out = self.path(f"survey-{self.runs}.db")
        command = survey_command.Command(self.options.bin, self.conf, on(*cpus))
        done = command.run("--out", out, "--rate", RATE, "--jobs", jobs, "--seed", 1, *more, names)
        if done.status != 0:
            raise RuntimeError(f"survey run: exit {done.status}: {done.out[-500:]} {done.err[-3000:]}")
        os.unlink(out)
        return done

    def farm(self, *cpus):
        return farm_server.Farm(self.options.bin, self.world.folder, self.world.ca, self.table, before=on(*cpus))


# tls

def handshakes(bench, farm, *more):
    """Handshakes per second of the bare client, as the servers saw them."""
    command = [*on(CLIENT_CPU), os.path.join(bench.options.bin, "bench_handshakes"), "-a", bench.world.ca.ca_file, "-c", str(CONNECTIONS), *more,
               bench.targets]
    figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    log = farm.take()
    if len(log) != bench.options.addresses or figures["handshakes"] != len(log):
        raise RuntimeError(f"bench_handshakes made {figures}, the servers saw {len(log)}")
    return len(log) / farm_server.seconds_of(log)


def tls_round(bench):
    farm = bench.farm(SERVER_CPU)
    bench.place_unbound(SERVER_CPU)
    looking_away = handshakes(bench, farm, "-n")
    before = spent_s()
    verifying = handshakes(bench, farm)
    between = spent_s()
    done = bench.survey(bench.tls_names, [CLIENT_CPU], 1)
    cpu_ms = [(after - before) / bench.options.addresses * 1000 for before, after in ((before, between), (between, spent_s()))]
    log = farm.stop()
    if len(log) != bench.options.addresses:
        raise RuntimeError(f"the survey connected {len(log)} times to {bench.options.addresses} addresses")
    rate = len(log) / farm_server.seconds_of(log)
    return {"survey": rate, "cpu_ms": cpu_ms[1], "openssl_cpu_ms": cpu_ms[0], "openssl": verifying, "openssl_not_verifying": looking_away, "whole": len(log) / done.seconds,
            "ratio": rate / verifying, "ratio_not_verifying": rate / looking_away, "ratio_whole": len(log) / done.seconds / verifying}


# dns

def write_questions(bench):
    """A first survey fills unbound's cache, and unbound writes down what it was asked."""
    bench.ask_unbound("set_option", "log-queries:", "yes")
    bench.survey(bench.mixed_names, BOTH, 2, "--no-probe")
    bench.ask_unbound("set_option", "log-queries:", "no")
    count = 0
    with open(os.path.join(bench.world.dns.folder, "unbound.log"), encoding="utf-8", errors="replace") as log, \
            open(bench.path("questions"), "w", encoding="utf-8") as file:
        for found in map(QUESTION.search, log):
            if found:
                file.write(f"{found.group(1)} {found.group(2)}\n")
                count += 1
    if count < bench.options.domains:
        raise RuntimeError(f"unbound wrote down only {count} questions")
    return count


class Datagrams:
    """The UDP datagrams of this namespace, as they come while the block runs."""

    def __enter__(self):
        self.seen, self.over = [], threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _look(self):
        while not self.over.wait(LOOK_S):
            with open("/proc/net/snmp", encoding="ascii") as file:
                names, values = (line.split() for line in file if line.startswith("Udp:"))
            self.seen.append((time.monotonic(), int(values[names.index("InDatagrams")])))

    def seconds(self):
        """How long it took all but the first and last hundredth of them to come, as if for all."""
        first, last = self.seen[0][1], self.seen[-1][1]
        begin, end = (next(at for at, count in self.seen if count >= first + (last - first) * part) for part in (FRINGE, 1 - FRINGE))
        return (end - begin) / (1 - 2 * FRINGE)


def dnsperf(bench):
    """Questions per second."""
    command = [*on(*BOTH), "dnsperf", "-T", "2", "-c", "2", "-s", "127.0.0.1", "-d", bench.path("questions"), "-n", "1", "-e", "-D", "-O", "suppress=unexpected"]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True).stdout
    if int(DNSPERF_LOST.search(said).group(1)) > 0:
        print(f"dnsperf lost {DNSPERF_LOST.search(said).group(1)} questions")
    return float(DNSPERF_RATE.search(said).group(1))


def dns_round(bench):
    bench.place_unbound(*BOTH)
    if not bench.rounds["dns"]:
        print(f"dns: {write_questions(bench)} questions", flush=True)
    before, asked = spent_s(), bench.questions()
    other = dnsperf(bench)
    other_us = (spent_s() - before) / (bench.questions() - asked) * 1e6
    before, asked = spent_s(), bench.questions()
    with Datagrams() as datagrams:
        done = bench.survey(bench.mixed_names, BOTH, 2, "--no-probe")
    count = bench.questions() - asked
    rate = count / datagrams.seconds()
    return {"survey": rate, "cpu_us": (spent_s() - before) / count * 1e6, "dnsperf": other, "dnsperf_cpu_us": other_us,
            "ratio": rate / other, "whole": count / done.seconds, "ratio_whole": count / done.seconds / other, "seconds": done.seconds}


# cores

def timed_on(bench, *cpus):
    farm = bench.farm(*cpus)
    bench.place_unbound(*cpus)
    done = bench.survey(bench.tls_names, cpus, len(cpus))
    log = farm.stop()
    return done.seconds, len(log) / farm_server.seconds_of(log)


def cores_round(bench):
    if not bench.rounds["cores"]:
        bench.survey(bench.tls_names, [CLIENT_CPU, SERVER_CPU], 2, "--no-probe")  # what is cached is cached for both
    one_s, one_rate = timed_on(bench, 0)
    two_s, two_rate = timed_on(bench, 0, 1)
    return {"one_s": one_s, "two_s": two_s, "ratio": one_s / two_s, "ratio_probes": two_rate / one_rate}


ROUNDS = {"tls": tls_round, "dns": dns_round, "cores": cores_round}
WORDS = {"tls": "{survey:.0f} probes/s, bare client {openssl:.0f}/s; ratio {ratio:.2f} (no verifying {ratio_not_verifying:.2f}, "
                "whole run {ratio_whole:.2f}); processor time {cpu_ms:.2f} ms in all, bare {openssl_cpu_ms:.2f} ms",
         "dns": "{survey:.0f} questions/s, dnsperf {dnsperf:.0f}/s; ratio {ratio:.2f} (whole run of {seconds:.1f} s {ratio_whole:.2f}); "
                "processor time {cpu_us:.1f} us, dnsperf {dnsperf_cpu_us:.1f} us",
         "cores": "{one_s:.1f} s on one processor, {two_s:.1f} s on two; ratio {ratio:.2f} (of probes/s alone {ratio_probes:.2f})"}


def one_round(bench, name):
    figures = ROUNDS[name](bench)
    bench.rounds[name].append(figures)
    print(f"{name}: " + WORDS[name].format(**figures), flush=True)


def measure(the_world, options):
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"others are at work here (load average {load:.1f}): run it again when the machine is quiet")
    bench = Bench(the_world, options)
    for _ in range(options.rounds):
        for name in options.only:
            one_round(bench, name)
    the_world.dns.stop()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(bench.rounds, file, indent=1)
    missed = 0
    for name in options.only:
        median = {key: benchworld.median([one[key] for one in bench.rounds[name]]) for key in bench.rounds[name][0]}
        reached = median["ratio"] >= GOALS[name]
        missed += not reached
        print(f"{name}, median of {options.rounds}: " + WORDS[name].format(**median))
        print(f"goal: {GOALS[name]:.2f}: {median['ratio']:.2f} {'reached' if reached else 'MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    wanted = arguments()
    benchworld.main(__file__, measure, wanted, 600 + wanted.rounds * 600)
