#!/usr/bin/python3
"""Runs the cases of the tests' world: run.py --bin DIR [--only A-1,hostile,...] [--valgrind] [--every N] [--keep] [-v]

Starts itself again in namespaces of its own, so that everything it starts ends with it."""

import argparse
import concurrent.futures
import importlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback

import rooms  # noqa: F401  (first: where the others are)
import case
import guard
import rows
import waiting
import world

MODULES = ("cases_a", "cases_a_https", "cases_b", "cases_b_verify", "cases_c_to_f", "cases_g_to_j", "cases_g_tls", "cases_hostile_remote",
           "cases_hostile_dns", "cases_hostile_local", "cases_operations", "cases_postfix", "cases_review", "cases_negative", "cases_memory_sts",
           "cases_memory_hold", "cases_memory_store", "cases_memory_file", "cases_memory_disk", "cases_memory_commands",
           "cases_memory_postfix", "cases_privileges", "cases_doctor", "cases_doctor_self", "cases_rules", "cases_rules_reload", "cases_rules_shown",
           "cases_rules_walks", "cases_verdicts", "cases_audit_verdicts", "cases_rules_postfix", "cases_lists", "cases_lists_mail",
           "cases_lists_source", "cases_lists_command", "cases_lists_made", "cases_lists_import", "cases_metrics", "cases_backup", "cases_wildcards", "cases_anchors", "cases_tlsrpt", "cases_helo", "cases_dialects",
           "cases_audit", "cases_audit_command", "cases_audit_judged", "cases_survey", "cases_farm", "cases_farm_tls", "cases_farm_doctor",
           "cases_records", "cases_check", "cases_check_command", "cases_check_tls", "cases_check_dane", "cases_check_sts")
TIME_LIMIT_S = 900
TOGETHER, TOGETHER_UNDER_VALGRIND = 12, 6
FEW = 4  # cases whose daemons start again and again
SHORTEST_NAME_PART = 3  # "A" or "B-1" are rows
INSIDE = "MXCRYPT_WORLD_INSIDE"

DAEMONS = {
    "main": {"resolver": world.TAP_ADDRESS, "dns-timeout": "500ms", "dns-tries": "3", "fetch-deadline": "3s",
             "greeting-deadline": "2s", "probe-deadline": "4s", "job-deadline": "10s", "ttl-min": "1s"},
}


def enter_namespaces(script=__file__):
    """Become the first process of a world apart; its end is the end of all in it."""
    command = ["unshare", "-mnp", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid() != 0:
        command.append("-r")
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, os.path.abspath(script), *sys.argv[1:]])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    parser.add_argument("--only", default="", help="row prefixes or parts of names, separated by commas")
    parser.add_argument("--valgrind", action="store_true")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth of the cases alone")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    parser.add_argument("-v", action="store_true", dest="verbose")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


def selected(entry, options):
    if options.valgrind and not entry.valgrind:
        return False
    words = [word for word in options.only.split(",") if word]
    return not words or any(row == word or row.startswith(word + "-") for word in words for row in entry.rows) or any(
        len(word) > SHORTEST_NAME_PART and word in entry.name for word in words)


def declare(the_world, entries):
    cases, labels = [], set()
    for entry in entries:
        label = base = case.slug(f"{entry.rows[0]} {entry.name}")[:40].strip("-")
        number = 2
        while label in labels:
            label, number = f"{base[:37]}-{number}", number + 1
        labels.add(label)
        one = case.Case(the_world, entry, label)
        entry.declare(one)
        cases.append(one)
    return cases


class Tally:
    def __init__(self, verbose):
        self.verbose = verbose
        self.passed, self.failed, self.skipped = 0, 0, 0

    def line(self, rows_text, name, wrong, seconds=0.0):
        if wrong:
            self.failed += 1
            print(f"not ok {rows_text} {name}: {wrong}", flush=True)
        else:
            self.passed += 1
            print(f"ok {rows_text} {name}" + (f" ({seconds:.1f} s)" if self.verbose else ""), flush=True)

    def skip(self, entry):
        self.skipped += 1
        print(f"skip {' '.join(entry.rows)} {entry.name}: {entry.skip}", flush=True)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def run_case(one):
    """What went wrong, empty when nothing did, and how long it took."""
    began = time.monotonic()
    try:
        one.run()
        wrong = ""
    except (case.Failed, waiting.TimedOut, AssertionError) as error:
        wrong = str(error) or traceback.format_exc(limit=-2)
    except Exception:  # a case that breaks is a case that failed
        wrong = " | ".join(line.strip() for line in traceback.format_exc(limit=-3).splitlines())  # a result is one line
    return wrong, time.monotonic() - began


def run_group(group, tally, width):
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        for one, (wrong, seconds) in zip(group, pool.map(run_case, group)):
            tally.line(" ".join(one.entry.rows), one.entry.name, wrong, seconds)


def run_guarded(name, group, tally, the_world):
    """An attack or several at once; then what must be true after every one of them."""
    watch = guard.Guard(the_world.daemon(group[0].entry.daemon), the_world.calm_domain, timed=not the_world.valgrind)
    with watch:
        run_group(group, tally, TOGETHER)
    wrong, figures = watch.wrong()
    tally.line(name, "afterwards: alive, descriptors and memory back, others served in time", wrong)
    print(f"  {name}: {figures}", flush=True)


def run_all(cases, tally, the_world):
    together = TOGETHER_UNDER_VALGRIND if the_world.valgrind else TOGETHER
    widths = {"alone": 1, "few": FEW}
    groups = {}
    for one in cases:
        groups.setdefault(one.entry.group, []).append(one)
    for name, group in groups.items():
        if name.startswith("hostile"):
            run_guarded(name, group, tally, the_world)
        else:
            run_group(group, tally, widths.get(name, together))


def run_world(options, folder):
    for module in MODULES:
        importlib.import_module(module)
    entries = [entry for entry in case.REGISTRY if selected(entry, options)][::options.every]
    configurations = dict(DAEMONS)
    for module in MODULES:
        configurations.update(getattr(sys.modules[module], "DAEMONS", {}))
    the_world = world.World(folder, options.bin, configurations, options.valgrind)
    cases = declare(the_world, [entry for entry in entries if not entry.skip])
    the_world.dns.start()
    tally = Tally(options.verbose)
    for entry in entries:
        if entry.skip:
            tally.skip(entry)
    run_all(cases, tally, the_world)
    for name, wrong in the_world.stop_daemons():
        tally.line("exit", f"daemon {name} ends clean", wrong)
    the_world.dns.stop()
    if not (options.only or options.valgrind or options.every > 1):
        rows.summary(cases)
    print(tally, flush=True)
    return 1 if tally.failed else 0


def out_of_time(*_):
    print(f"the time limit of {TIME_LIMIT_S} s is over", flush=True)
    print("0 passed, 1 failed", flush=True)
    os._exit(1)


def main():
    if INSIDE not in os.environ:
        enter_namespaces()
    options = arguments()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(TIME_LIMIT_S)
    folder = tempfile.mkdtemp(prefix="mxw")
    os.chmod(folder, 0o755)
    try:
        status = run_world(options, folder)
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
