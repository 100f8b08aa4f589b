#!/usr/bin/python3
"""Cached lookups per second: run.py --bin DIR [--before DIR] [--unix-only] [--rounds N] [--seconds N] [--connections N] [--json FILE]

The floor (an epoll server that answers a constant), mxcryptd over a Unix socket and over TCP, and Debian's
postfix-mta-sts-resolver over TCP with its internal cache; the same load, in alternating rounds. The domain has an enforced
MTA-STS policy; it is asked once, then the world is cut off. --before adds the mxcryptd of another build, so that a change is
measured against what was before it in the same rounds. Figures are medians over the rounds, ratios are to the floor of
the same round: of lookups per second, and of lookups per second of server CPU, which a busy machine disturbs less. Server and
load have a processor each, where there are two."""

import argparse
import json
import os
import subprocess

import benchworld  # puts tests/world on the path

import daemon
import waiting
from cached import REPLY, WARM_UP_S, Subject, declare

PORT, PEER_PORT = 8470, 8461
PEER = "/usr/bin/mta-sts-daemon"
FLOOR, DAEMON, DAEMON_TCP, PEER_TCP = "floor, unix", "mxcryptd, unix", "mxcryptd, tcp", "postfix-mta-sts-resolver, tcp"
GOAL = 0.90
BUSY = 0.05


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd, bench_load and bench_floor: a release build")
    parser.add_argument("--before", default="", help="folder of another mxcryptd to compare with")
    parser.add_argument("--unix-only", action="store_true", help="no TCP and no peer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--json", default="", help="file for all figures of all rounds")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    options.before = options.before and os.path.abspath(options.before)
    return options


def start_floor(the_world, options):
    path = os.path.join(the_world.folder, "floor.sock")
    process = subprocess.Popen([os.path.join(options.bin, "bench_floor"), path, REPLY], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return [Subject(FLOOR, f"unix:{path}", process)]


def start_daemon(the_world, options):
    own = {**the_world.options(), "probe": "no", "listen": [f"socketmap:inet:127.0.0.1:{PORT}"]}
    started = the_world.new_daemon("bench", own).start()
    subjects = [Subject(DAEMON, f"unix:{started.socket}", started.process)]
    if not options.unix_only:
        subjects.append(Subject(DAEMON_TCP, f"inet:127.0.0.1:{PORT}", started.process))
    return subjects


def start_before(the_world, options):
    if not options.before:
        return []
    own = {**the_world.options(), "probe": "no", "listen": []}
    started = daemon.Daemon(options.before, os.path.join(the_world.folder, "d-before"), own, None).start()
    return [Subject("mxcryptd before, unix", f"unix:{started.socket}", started.process)]


def start_peer(the_world, options):
    """The peer asks for the record again after cache_grace; a day keeps it off the network, as mxcryptd is."""
    if options.unix_only:
        return []
    if not os.path.exists(PEER):
        print("postfix-mta-sts-resolver is not installed: no peer")
        return []
    path = os.path.join(the_world.folder, "peer.yml")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"host: 127.0.0.1\nport: {PEER_PORT}\nreuse_port: true\nshutdown_timeout: 1\ncache_grace: 86400\n"
                   "cache:\n  type: internal\n  options:\n    cache_size: 10000\ndefault_zone:\n  strict_testing: false\n  timeout: 4\n")
    process = subprocess.Popen([PEER, "-c", path], env={**os.environ, "SSL_CERT_FILE": the_world.ca.ca_file}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    peer = Subject(PEER_TCP, f"inet:127.0.0.1:{PEER_PORT}", process)
    waiting.until(lambda: listens(peer), "the peer listens")
    return [peer]


def listens(subject):
    try:
        return bool(subject.ask())
    except OSError:
        return False


def foreign_share(subjects):
    return benchworld.median([figures["foreign_cpu"] for one in subjects for figures in one.rounds])


def table(subjects, options):
    floor = subjects[0]
    print(f"{options.connections} connections, {options.rounds} rounds of {options.seconds} s, medians; ratios to the floor of the same round")
    print(f"{'':32}{'lookups/s':>11}{'ratio':>7}{'cpu µs':>8}{'ratio':>7}{'p50 µs':>9}{'p99 µs':>9}{'max µs':>10}")
    for one in subjects:
        print(f"{one.name:32}{one.median('rate'):>11.0f}{one.ratio_to(floor):>7.2f}{one.median('server_cpu_us'):>8.2f}"
              f"{1 / one.ratio_to(floor, 'server_cpu_us'):>7.2f}{one.median('p50_us'):>9.0f}{one.median('p99_us'):>9.0f}{one.median('max_us'):>10.0f}")
    foreign = foreign_share(subjects)
    print(f"other processes took {foreign:.0%} of the machine meanwhile" + (": lookups/s and latencies are theirs too" if foreign > BUSY else ""))
    by_name = {one.name: one for one in subjects}
    if PEER_TCP in by_name:
        print(f"mxcryptd over TCP serves {by_name[DAEMON_TCP].ratio_to(by_name[PEER_TCP]):.1f} times what the peer does, "
              f"with {1 / by_name[DAEMON_TCP].ratio_to(by_name[PEER_TCP], 'server_cpu_us'):.1f} times less server CPU per lookup")


def measure(the_world, options):
    declare(the_world)
    subjects = [one for start in (start_floor, start_daemon, start_before, start_peer) for one in start(the_world, options)]
    for one in subjects:
        answer = one.ask()
        if answer != REPLY:
            raise RuntimeError(f"{one.name} answers {answer!r}, wanted {REPLY!r}")
    the_world.dns.stop()
    for _ in range(options.rounds):
        for one in subjects:
            one.measure(options)
    table(subjects, options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({one.name: one.rounds for one in subjects}, file, indent=1)
    for process in {one.process for one in subjects}:
        process.terminate()
        process.wait()
    reached = subjects[1].ratio_to(subjects[0])
    print(f"goal: mxcryptd over a Unix socket at {GOAL:.2f} of the floor or more: {reached:.2f} {'reached' if reached >= GOAL else 'MISSED'}"
          + (", but run it again when the machine is quiet" if foreign_share(subjects) > BUSY else ""))
    return 0 if reached >= GOAL else 1


if __name__ == "__main__":
    wanted = arguments()
    benchworld.main(__file__, measure, wanted, 120 + wanted.rounds * 4 * (wanted.seconds + WARM_UP_S + 2))
