#!/usr/bin/python3
"""Kills a program that writes to the store, at random moments, and looks what is left.

usage: store_kill.py --bin DIR [--kills 200] [--seed N]

After every kill the store opens as it is (nothing is set aside), and all that the killed program and
those before it were told to be written is there. One "ok" or "not ok" line for every 20 kills; exit
status 1 when any is not ok.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

EACH = 20  # kills of one line
RECORDS_MAX = 2000  # of one run: then it writes them again
FRESH = 10  # kills of one file
DELAY_MAX = 0.15  # seconds until the kill; the first tenths are the opening


def names(run, count):
    return {f"{'policy p' if n % 4 == 0 else 'answer a'}{n}.run{run}.example" for n in range(count)}


def write_and_kill(program, path, run, delay):
    """How many different records the killed program said were written, and what it complained of."""
    writer = subprocess.Popen([program, "write", path, str(run)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(delay, writer.kill)
    timer.start()
    lines = list(writer.stdout)
    timer.join()
    complaints = writer.stderr.read()
    writer.wait()
    # the last line may be cut short by the kill
    whole = [line for line in lines if line.endswith("\n")]
    return min(int(whole[-1].split()[1]), RECORDS_MAX) if whole else 0, complaints


def check(program, path):
    done = subprocess.run([program, "check", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60)
    return done.returncode, set(done.stdout.splitlines()), done.stderr


def wrong(program, path, told, complaints):
    """What is wrong with the store after a kill; None: nothing."""
    if "store-set-aside" in complaints or "store-degraded" in complaints:
        return complaints
    status, there, complaints = check(program, path)
    if status != 0 or "store-set-aside" in complaints or "store-degraded" in complaints:
        return f"check: exit status {status}: {complaints}"
    for run, count in told.items():
        missing = names(run, count) - there
        if missing:
            return f"run {run}: {len(missing)} of {count} written records are gone: {sorted(missing)[:3]}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    program = os.path.join(options.bin, "store_writer")
    # a kill leaves the page cache alone, so a disk would only make it slower
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="mxc-kill-", dir=shm)
    failed, began, written, silent = 0, time.monotonic(), 0, 0
    path = os.path.join(folder, "store.db")
    for batch in range(0, options.kills, EACH):
        problem, told = None, {}
        for run in range(batch, min(batch + EACH, options.kills)):
            if run % FRESH == 0:  # the first moments of a file are the most dangerous
                told = {}
                for name in os.listdir(folder):
                    os.unlink(os.path.join(folder, name))
            told[run], complaints = write_and_kill(program, path, run, chance.uniform(0, DELAY_MAX))
            written += told[run]
            silent += told[run] == 0
            problem = problem or wrong(program, path, told, complaints)
        failed += problem is not None
        print(f"{'not ok' if problem else 'ok'} {batch // EACH + 1} - kills {batch + 1} to {run + 1}",
              flush=True)
        if problem:
            print(f"# seed {options.seed}: {problem}")
    print(f"# {written} records written, {silent} kills before the first, "
          f"{time.monotonic() - began:.0f} s, seed {options.seed}")
    shutil.rmtree(folder)
    return 1 if failed or written == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
