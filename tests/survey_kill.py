#!/usr/bin/python3
"""A survey that is killed and goes on comes to the same file as one that is left alone; and its memory does not grow.

usage: survey_kill.py --bin DIR [--domains 100000] [--kills 10] [--fewer 10000] [--seed N]

In a generated world (tests/survey/bigworld.py) a survey runs undisturbed. Another one of the same list and seed is killed with -9
again and again at random moments, and taken up with --resume. After each kill SQLite finds nothing wrong with the file. In the end
the two files are equal in every column of every table, but for moments (when something was looked up) and lifetimes (which the
resolver counts down). A third one, of the first --fewer domains, shows what memory costs: the peaks (VmHWM) are within 20 % of each
other and below 300 MiB; only said, not judged, with fewer than 100,000 domains or with sanitizers. --fewer 0: no third one."""

import argparse
import os
import random

import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "survey"))

import setting  # noqa: E402 F401
import benchworld  # noqa: E402
import bigworld  # noqa: E402
import farm_server  # noqa: E402
import results_file  # noqa: E402
import survey_command  # noqa: E402
from tally import Tally  # noqa: E402

PEAK_MAX_KB = 300 * 1024
PEAK_GROWTH = 1.20
JUDGED_FROM = 100_000  # domains
BATCH_S = 2  # commits come once a second; what was under way then had begun a little earlier
RATE = 100_000  # a second: nobody is disturbed here
SEED = 11  # of the survey
SANITIZER = b"__asan_init"
TIME_LIMIT_S = 3600


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt and survey_farm")
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--fewer", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"), help="of the moments of the kills")
    parser.add_argument("--keep", default="", help="folder where the results files are kept")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    options.keep = options.keep and os.path.abspath(options.keep)
    return options


def sanitized(options):
    with open(os.path.join(options.bin, "mxcrypt"), "rb") as file:
        return SANITIZER in file.read()


def words(out, names, options, *more):
    return ["--out", out, "--seed", SEED, "--rate", RATE, "--jobs", options.jobs, *more, names]


def must_end(done, what):
    if done.status != 0:
        raise RuntimeError(f"{what}: exit {done.status}: {done.out[-1000:]} {done.err[-3000:]}")


def killed_run(command, options, names, out, chance, seconds):
    """Runs with kills until there were so many of them; the number of kills, and what was wrong with the file after one."""
    wrong, kills, runs, known = [], 0, 0, 0
    mean = seconds / (options.kills + 1)
    while kills < options.kills:
        if runs and os.path.exists(out) and results_file.finished(out):
            break  # it came to its end between kills
        more = ["--resume"] if os.path.exists(out) else []
        done = command.run(*words(out, names, options, *more), kill_after=chance.uniform(0.1, 1.9) * mean)
        runs += 1
        if not done.killed:
            must_end(done, "resumed")
            continue
        kills += 1
        said = os.path.exists(out) and results_file.whole(out)
        if said:
            wrong.append(f"after kill {kills}: {said}")
        if results_file.known(out) < known:
            wrong.append(f"after kill {kills}: {results_file.known(out)} units have a result, {known} had before")
        known = results_file.known(out)
    return kills, wrong


def check_again(tally, made, before, log):
    """What a kill costs others: the connections of the last batch, which are made again."""
    batch = farm_server.most_in(log, BATCH_S)
    tally.check("  no more was asked again than the last batches", len(log) - len(before), lambda more: more <= made * batch)


def check_kills(tally, command, options, names, undisturbed, seconds, folder, farm):
    chance = random.Random(options.seed)
    kills, round_number, wrong, before = 0, 0, [], farm.take()
    while kills < options.kills:
        out = os.path.join(folder, f"killed-{round_number}.db")
        made, said = killed_run(command, options, names, out, chance, seconds)
        kills, wrong, round_number = kills + made, wrong + said, round_number + 1
        if not results_file.closed(out):
            must_end(command.run(*words(out, names, options, *(["--resume"] if os.path.exists(out) else []))), "resumed at last")
        tally.check(f"{made} kills, and the file equals the undisturbed one's", results_file.differences(undisturbed, out), [])
        check_again(tally, made, before, farm.take())
        tally.check("  and is one file", [name for name in os.listdir(folder) if name.startswith(f"killed-{round_number - 1}.db-")], [])
    tally.check(f"{kills} kills (seed {options.seed}): the file was whole after each", wrong, [])


def check_memory(tally, command, options, world, peak_kb, folder):
    fewer = world.write_list(os.path.join(folder, "fewer"), options.fewer)
    done = command.run(*words(os.path.join(folder, "fewer.db"), fewer, options))
    must_end(done, f"{options.fewer} domains")
    figures = f"peak memory: {done.peak_kb / 1024:.1f} MiB with {options.fewer} domains, {peak_kb / 1024:.1f} MiB with {options.domains}"
    print(figures, flush=True)
    if options.domains < JUDGED_FROM or sanitized(options):
        return
    tally.check("peaks below 300 MiB", max(done.peak_kb, peak_kb) < PEAK_MAX_KB, True)
    tally.check("peaks within 20 % of each other", max(done.peak_kb, peak_kb) / min(done.peak_kb, peak_kb), lambda ratio: ratio <= PEAK_GROWTH)


def keep(options, folder):
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        for name in os.listdir(folder):
            os.replace(os.path.join(folder, name), os.path.join(options.keep, name))


def measure(the_world, options):
    tally = Tally()
    world = bigworld.BigWorld(the_world, options.domains)
    the_world.dns.start()
    farm = farm_server.Farm(options.bin, the_world.folder, the_world.ca, world.write_table(os.path.join(the_world.folder, "table")))
    folder = os.path.join(the_world.folder, "results")
    os.mkdir(folder)
    command = survey_command.Command(options.bin, survey_command.write_conf(the_world))
    names = world.write_list(os.path.join(the_world.folder, "names"))
    undisturbed = os.path.join(folder, "undisturbed.db")
    try:
        done = command.run(*words(undisturbed, names, options))
        must_end(done, "undisturbed")
        print(f"{options.domains} domains, {len(world.hosts)} addresses: {done.seconds:.1f} s", flush=True)
        tally.check("as many domains as names", results_file.value(undisturbed, "SELECT count(*) FROM domain WHERE verdict IS NOT NULL"),
                    len(set(world.names)))
        check_kills(tally, command, options, names, undisturbed, done.seconds, folder, farm)
        if options.fewer:
            check_memory(tally, command, options, world, done.peak_kb, folder)
    finally:
        keep(options, folder)
    farm.stop()
    the_world.dns.stop()
    return tally.status()


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
