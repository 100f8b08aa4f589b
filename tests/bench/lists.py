#!/usr/bin/python3
"""What policy lists cost: lists.py --bin DIR [--rounds N] [--seconds N] [--connections N] [--domains N] [--starts N]

Cached lookups per second of a mxcryptd with a list of many domains beside one without, the same load in alternating rounds: the
figure is the ratio within a round, of lookups per second and of server CPU per lookup. Then starts of both in turns, from the
command to the line that says ready, and the memory that the list takes for each of its domains beside its text."""

import argparse
import json
import os
import re
import subprocess
import time

import benchworld  # puts tests/world on the path

import cached

GOAL_RATIO, GOAL_START_MS, GOAL_OCTETS = 0.98, 300, 100
DAY_S = 86400


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd, mxcrypt and bench_load: a release build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--domains", type=int, default=100000)
    parser.add_argument("--starts", type=int, default=9)
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


def write_list(folder, options):
    """A signed list of so many domains, each with hosts of its own: its path and that of the key."""
    path, key, now = os.path.join(folder, "list.json"), os.path.join(folder, "maker"), int(time.time())
    policies = {f"d{number}.listed.example": {"mode": "enforce", "mxs": [f"mx{number}.listed.example", f".mail{number}.example"]}
                for number in range(options.domains)}
    with open(path, "w", encoding="ascii") as file:
        json.dump({"timestamp": now - 60, "expires": now + 14 * DAY_S, "version": "0.1", "policies": policies, "policy-aliases": {}}, file)
    mxcrypt = os.path.join(options.bin, "mxcrypt")
    subprocess.run([mxcrypt, "list", "keygen", key], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([mxcrypt, "list", "sign", "--key", f"{key}.key", path], check=True, stdout=subprocess.DEVNULL)
    return path, f"{key}.pub"


def resident(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


def measure_starts(the_world, options, own):
    """Medians in ms of starts without and with the list, in turns."""
    times = {name: [] for name in own}
    for number in range(options.starts):
        for name in own if number % 2 == 0 else reversed(own):
            began = time.monotonic()
            one = benchworld.new_daemon(the_world, f"start-{name}-{number}", own[name]).start()
            times[name].append((time.monotonic() - began) * 1000)
            one.stop()
    return [benchworld.median(times[name]) for name in own]


def measure(the_world, options):
    cached.declare(the_world)
    path, key = write_list(the_world.folder, options)
    plain = {**the_world.options(), "probe": "no", "ttl-min": "1h"}
    own = {"without": plain, "with": {**plain, "policy-list": f"{path} key={key}"}}
    without, listed = (benchworld.new_daemon(the_world, name, own[name]).start() for name in own)
    memory = (resident(listed.process) - resident(without.process)) / options.domains
    rate, cpu = cached.beside(("without a list", without), ("with a list", listed), options)
    for one in (without, listed):
        one.stop()
    started, started_with = measure_starts(the_world, options, own)
    the_world.dns.stop()
    text = os.path.getsize(path) / options.domains
    print(f"cached, with a list of {options.domains} domains to without: {rate:.3f} of the lookups/s, {cpu:.3f} of the lookups per second of CPU; "
          f"goal {GOAL_RATIO}")
    print(f"start: {started:.0f} ms without, {started_with:.0f} ms with the list, {started_with - started:.0f} ms more; goal {GOAL_START_MS} ms")
    print(f"resident memory: {memory:.0f} octets a domain more, whose text has {text:.0f}; goal {GOAL_OCTETS} above the text")
    return 0 if min(rate, cpu) >= GOAL_RATIO and started_with - started <= GOAL_START_MS and memory <= GOAL_OCTETS + text else 1


if __name__ == "__main__":
    wanted = arguments()
    benchworld.main(__file__, measure, wanted, 300 + wanted.rounds * 2 * (wanted.seconds + cached.WARM_UP_S + 2) + 6 * wanted.starts)
