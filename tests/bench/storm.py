#!/usr/bin/python3
"""A storm: storm.py --bin DIR [--seconds N]

One connection flood, slow policy hosts, a tarpit MX and 10,000 random names that hang, all at once, while one connection goes
on asking for a cached domain. Prints the latency of that domain before and meanwhile; its answer must not change and its
median and 99th percentile must not grow by more than 5 ms. The asking and the attacking are processes of their own; the
asking and the daemon have priority, so that the figures are not about who gets one of two processors."""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time

import benchworld  # puts tests/world on the path

import clients
import policyhost
import smtpd

GOAL_MS = 5
TIME_LIMIT_S = 300
NAMES, NAMES_CONNECTIONS, BASES = 10_000, 100, 200
FLOOD = 2_000
SLOW = 20
HERE = os.path.dirname(os.path.abspath(__file__))
LATENCY = os.path.join(benchworld.WORLD, "latency.py")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", help="folder of mxcryptd: a release build")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--attack", metavar="SOCKET", help="be the attackers (used by the program itself)")
    options = parser.parse_args()
    options.bin = options.bin and os.path.abspath(options.bin)
    return options


# ---- the attackers ----

def netstring(key):
    request = b"policy " + key
    return b"%d:%s," % (len(request), request)


async def hold(path, data, until):
    """A connection that sends something, if anything, and then stays, reading what comes."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return 0
    replies = 0
    try:
        writer.write(data)
        while time.monotonic() < until:
            got = await asyncio.wait_for(reader.read(65536), until - time.monotonic())
            if not got:
                break
            replies += got.count(b":")
    except (OSError, asyncio.TimeoutError):
        pass
    writer.close()
    return replies


async def flood(path, until):
    """Connections without end, idle ones and half requests."""
    made = 0
    while time.monotonic() < until:
        batch = [hold(path, (b"", b"12:po")[number % 2], min(until, time.monotonic() + 2)) for number in range(FLOOD)]
        await asyncio.gather(*batch)
        made += FLOOD
    return made


async def attack(path, seconds):
    until = time.monotonic() + seconds
    share = NAMES // NAMES_CONNECTIONS
    names = [hold(path, b"".join(netstring(b"r%d.lame%d.signed" % (number, number % BASES)) for number in range(part * share, part * share + share)), until)
             for part in range(NAMES_CONNECTIONS)]
    slow = [hold(path, netstring(b"slow%d.plain" % number) + netstring(b"tarpit%d.plain" % number), until) for number in range(SLOW)]
    results = await asyncio.gather(flood(path, until), *names, *slow)
    print(f"attackers: {results[0]} connections flooded, {NAMES} hanging names asked, {sum(results[1:])} replies read")


# ---- the measurement ----

def declare(the_world):
    for number in range(SLOW):
        name = f"slow{number}.plain"
        the_world.dns.add(name, "@ MX 10 mx", f"mx A 198.18.{number}.1", '_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {the_world.policy_address}")
        leaf = the_world.ca.leaf(f"mta-sts.{name}")
        the_world.policies.host(f"mta-sts.{name}", the_world.ca.server_context(leaf), policyhost.Policy(policyhost.sts_text(f"mx.{name}"), drip=1.0))
        the_world.dns.add(f"tarpit{number}.plain", "@ MX 10 mx", "mx A 198.18.200.1")
    for number in range(BASES):
        the_world.dns.add_child(f"lame{number}.signed", "lame")
    smtpd.SmtpServer(the_world.loop, "198.18.200.1", smtpd.replace(smtpd.GOOD, drip=1.0))
    the_world.dns.start()


class Asking:
    """One connection that asks for the cached domain from start to end."""

    def __init__(self, daemon, key):
        self._process = subprocess.Popen([*benchworld.AT_PRIORITY, sys.executable, LATENCY, daemon.socket, key], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)

    def end(self):
        return json.loads(self._process.communicate(timeout=60)[0])


def show(name, figures):
    print(f"{name:10}{figures['count']:>8}{figures['p50']:>9.3f}{figures['p95']:>9.3f}{figures['p99']:>9.3f}{figures['max']:>9.2f}  {', '.join(figures['answers'])}")


def measure(the_world, options):
    declare(the_world)
    daemon = benchworld.new_daemon(the_world, "storm", {**the_world.options(), "stall-warning": "10ms"}).start()
    with clients.Socketmap(daemon.socket) as connection:
        answer = connection.ask(the_world.calm_domain)
    calm = Asking(daemon, the_world.calm_domain)
    time.sleep(options.seconds / 2)  # how long is measured, not waited for
    before = calm.end()
    asking = Asking(daemon, the_world.calm_domain)
    subprocess.run([sys.executable, os.path.abspath(__file__), "--attack", daemon.socket, "--seconds", str(options.seconds)], check=True)
    meanwhile = asking.end()
    stats = daemon.stats()
    print(f"cached domain {the_world.calm_domain}, milliseconds\n{'':10}{'answers':>8}{'p50':>9}{'p95':>9}{'p99':>9}{'most':>9}")
    show("before", before)
    show("meanwhile", meanwhile)
    print({name: stats[name] for name in ("connections_accepted", "connections_yielded", "jobs_started", "jobs_waiting", "jobs_overloads")})
    grown = {name: meanwhile[name] - before[name] for name in ("p50", "p99")}
    stalls = re.findall(r"event=loop-stalled cpu_ms=(\d+)", daemon.log())
    print(f"turns of the loop with 10 ms of processor time or more: {len(stalls)}, longest {max(map(int, stalls), default=0)} ms")
    reached = max(grown.values()) <= GOAL_MS and meanwhile["answers"] == before["answers"] == [answer]
    wrong = daemon.stop()
    the_world.dns.stop()
    print(f"goal: same answer, grown by {GOAL_MS} ms or less: p50 {grown['p50']:+.3f}, p99 {grown['p99']:+.3f} {'reached' if reached else 'MISSED'} {wrong}")
    return 0 if reached and not wrong else 1


if __name__ == "__main__":
    wanted = arguments()
    if wanted.attack:
        asyncio.run(attack(wanted.attack, wanted.seconds))
    else:
        benchworld.main(__file__, measure, wanted, TIME_LIMIT_S)
