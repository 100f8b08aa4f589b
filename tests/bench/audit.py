#!/usr/bin/python3
"""The audit: audit.py --bin DIR [--octets N] [--rounds N] [--nexthops N] [--folder DIR]

Times `mxcrypt --json audit` over a made-up log of a gibibyte beside `LC_ALL=C grep -c status=` over the same file, one after
the other in each round, both on one processor, the file being in memory; and shows the memory that the audit takes, for that
log and for one with a million next-hops. Nothing here passes or fails by time; the exit status is 1 when what is counted is not
what was written."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import maillog

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = os.path.join(HERE, "maillog.py")
GOAL_RATIO, GOAL_MIB = 4, 300


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt: a release build")
    parser.add_argument("--octets", type=int, default=1 << 30, help="of the log")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nexthops", type=int, default=1_000_000, help="of the second log; 0: none")
    parser.add_argument("--folder", help="where the logs are kept, and found again; otherwise they are made and removed")
    return parser.parse_args()


class Run:
    """One command on one processor: seconds, those of the processor, and memory. What this process takes counts as the command's until it runs it, so that
    no truth is loaded before. Output goes to a file: grep does not read on when it is /dev/null."""

    def __init__(self, cpu, out, *command):
        began = time.monotonic()
        with open(out, "wb") as file:
            process = subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=file, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds, self.mib = time.monotonic() - began, usage.ru_maxrss / 1024
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        if process.returncode != 0:
            raise RuntimeError(f"{command} ended with {process.returncode}")


def log(folder, name, *words):
    """A log, made unless it is there, beside its truth."""
    path, truth = os.path.join(folder, name), os.path.join(folder, name + ".truth")
    if not os.path.exists(truth):
        with open(path, "wb") as file:
            subprocess.run([sys.executable, GENERATOR, *words, "--truth", truth + ".new"], stdout=file, check=True)
        os.replace(truth + ".new", truth)
    return path


def wrong(path, out):
    """What was counted otherwise than it was written."""
    with open(path + ".truth", encoding="ascii") as truth, open(out, encoding="ascii") as told:
        return maillog.differences(json.load(truth), json.load(told))


def times(name, runs):
    seconds = [one.seconds for one in runs]
    print(f"{name:28}{min(seconds):>8.2f}{statistics.median(seconds):>8.2f}{max(seconds):>8.2f}{statistics.median(one.cpu_seconds for one in runs):>12.2f} s"
          f"{max(one.mib for one in runs):>8.0f} MiB", flush=True)


def median_ratio(pairs, of):
    return statistics.median(of(audit) / of(grep) for grep, audit in pairs)


def speed(options, folder, program, out, cpu):
    path = log(folder, "log", "--octets", str(options.octets), "--nexthops", "5000")
    grep, audit = ["grep", "-c", "status=", path], [program, "-c", "/dev/null", "--json", "audit", path]
    Run(cpu, out, *grep)  # the file is in memory then
    pairs = [(Run(cpu, out, *grep), Run(cpu, out, *audit)) for _ in range(options.rounds)]
    print(f"a log of {os.path.getsize(path) >> 20} MiB\n{'':28}{'least':>8}{'median':>8}{'most':>8}{'processor':>12}{'memory':>10}")
    times("LC_ALL=C grep -c status=", [one for one, _ in pairs])
    times("mxcrypt --json audit", [one for _, one in pairs])
    print(f"ratio, the median of the rounds: {median_ratio(pairs, lambda one: one.seconds):.2f}, of processor time "
          f"{median_ratio(pairs, lambda one: one.cpu_seconds):.2f}; the goal is at most {GOAL_RATIO}", flush=True)


def memory(options, folder, program, out, cpu):
    count = str(options.nexthops)
    path = log(folder, "nexthops", "--messages", count, "--nexthops", count, "--spread", "--others", "0", "--noise", "0")
    one = Run(cpu, out, program, "-c", "/dev/null", "--json", "audit", path)
    print(f"{count} next-hops, a log of {os.path.getsize(path) >> 20} MiB: {one.seconds:.1f} s, {one.mib:.0f} MiB; the goal is less than {GOAL_MIB} MiB",
          flush=True)


def main():
    options = arguments()
    program, cpu = os.path.join(os.path.abspath(options.bin), "mxcrypt"), max(os.sched_getaffinity(0))
    folder = options.folder or tempfile.mkdtemp(prefix="mxa")
    paths = [os.path.join(folder, name) for name in ("log", "nexthops")[:2 if options.nexthops else 1]]
    outs = [path + ".out" for path in paths]
    try:
        for measure, out in zip((speed, memory), outs):
            measure(options, folder, program, out, cpu)
        found = [line for path, out in zip(paths, outs) for line in wrong(path, out)]
    finally:
        if not options.folder:
            shutil.rmtree(folder)
    print("\n".join(found) or "all that was counted is what was written")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
