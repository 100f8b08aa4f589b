#!/usr/bin/python3
"""The reports: report.py --bin DIR [--domains N] [--runs N]

Fills a daemon with so many domains that nobody has, as memory.py does, and times `mxcrypt report`, `rules`, `rules check` and
`audit --verdicts` over them: with few rules and with many, and in monitor mode, where every domain is on the list. A connection of its own goes
on asking for a cached domain: its latency meanwhile is shown beside that of the idle daemon, and the longest turn of the loop.
The exit status is 1 when a command fails or counts other domains than there are."""

import argparse
import json
import os
import re
import subprocess
import sys
import time

import benchworld  # puts tests/world on the path

import memory
import waiting

TIME_LIMIT_S = 1200
IDLE_S = 5
TURN_MS = 10
HERE = os.path.dirname(os.path.abspath(__file__))
LATENCY = os.path.join(benchworld.WORLD, "latency.py")
OPTIONS = {**memory.OPTIONS, "resolver": memory.REFUSING, "refresh-idle": "0s", "stall-warning": "1ms"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt: a release build")
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5, help="of each command")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def mail_log(options):
    """The log of a message to each domain."""
    return "".join(f"2026-11-01T10:00:00+00:00 mail postfix/smtp[9]: {number:06X}{kind:X}: to=<a@{domain}>, relay=mx.{domain}[192.0.2.1]:25, "
                   "delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 Ok)\n"
                   for kind, one in enumerate(memory.KINDS) for number, domain in
                   ((number, one.domain(number)) for number in range(1, memory.count_of(one, options.domains) + 1)))


def some_rules(count):
    """So many rules, each for a domain or what is below a name, and one for all others."""
    named = [f"{memory.VERIFY.domain(number)} at-least encrypt" if number % 2 else f".r{number}.example exactly may until=2999-12-31"
             for number in range(1, count)]
    return "\n".join([*named, "* at-least verify"]) + "\n"


class Asking:
    """One connection that asks for the cached domain from start to end."""

    def __init__(self, daemon, key):
        self._process = subprocess.Popen([*benchworld.AT_PRIORITY, sys.executable, LATENCY, daemon.socket, key], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)

    def end(self):
        return json.loads(self._process.communicate(timeout=60)[0])


def filled(the_world, options):
    """A daemon that has all the domains in its cache, with an empty file of rules."""
    addresses = memory.declare(the_world)
    memory.remembering.CutOff.resolvers(the_world)
    lines = memory.learn(the_world)
    path = os.path.join(the_world.folder, "export")
    memory.write_export(path, lines[0], memory.templates(lines, addresses), options.domains, 10)
    rules = write(os.path.join(the_world.folder, "rules"), "")
    one = benchworld.new_daemon(the_world, "report", {**the_world.options(), **OPTIONS, "rules": rules}).start()
    if one.cli("import", path, timeout=300).returncode != 0:
        raise RuntimeError("the import failed")
    waiting.until(lambda: one.stats()["store_pending"] == 0, "everything is written", 300, 0.2)
    os.unlink(path)
    return one


class Bench:
    def __init__(self, one, options):
        self.one, self.options, self.wrong = one, options, []
        self.domains = sum(memory.count_of(kind, options.domains) for kind in memory.KINDS)
        self.key = memory.STS.domain(1)
        self.idle = self._idle()

    def _idle(self):
        asking = Asking(self.one, self.key)
        time.sleep(IDLE_S)  # how long is measured, not waited for
        return asking.end()

    def turns(self, since):
        """Turns of the loop of 1 ms of processor time or more, in the log from an octet on."""
        with open(self.one.log_path, "rb") as file:
            file.seek(since)
            return [int(ms) for ms in re.findall(rb"event=loop-stalled cpu_ms=(\d+)", file.read())]

    def command(self, *words):
        """mxcrypt, before what else the machine does."""
        return subprocess.run([*benchworld.AT_PRIORITY, os.path.join(self.options.bin, "mxcrypt"), "-c", self.one.config, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300, check=False)

    def measure(self, name, *command, counted):
        asking, since, times = Asking(self.one, self.key), os.path.getsize(self.one.log_path), []
        for _ in range(self.options.runs):
            began = time.monotonic()
            done = self.command(*command)
            times.append(time.monotonic() - began)
            if done.returncode not in (0, 1) or not counted(done.stdout):
                self.wrong.append(f"{name}: {done.returncode} {done.stdout[-200:]} {done.stderr[:200]}")
        asked, turns = asking.end(), self.turns(since)
        if len(asked["answers"]) != 1:
            self.wrong.append(f"{name}: the cached domain was told {asked['answers']}")
        ratio = [asked[one] / self.idle[one] for one in ("p50", "p99")]
        print(f"{name:34}{min(times):>8.2f}{benchworld.median(times):>8.2f}{asked['count']:>8}{asked['p50']:>9.3f}{asked['p99']:>9.3f}"
              f"{ratio[0]:>7.1f}{ratio[1]:>7.1f}{max(turns, default=0):>8}{sum(one >= TURN_MS for one in turns):>8}", flush=True)

    def reload(self, rules, **changes):
        write(self.one.options["rules"], rules)
        self.one.configure(**changes)
        if self.one.cli("reload").returncode != 0:
            raise RuntimeError("the reload failed")


def measure(the_world, options):
    one = filled(the_world, options)
    bench = Bench(one, options)
    idle = bench.idle
    print(f"{bench.domains} domains; cached lookups when idle: {idle['count']}, p50 {idle['p50']:.3f} ms, p99 {idle['p99']:.3f} ms\n"
          f"{'':34}{'seconds':>16}{'cached lookups, ms':>26}{'to idle':>14}{'turn, ms':>8}\n"
          f"{'':34}{'least':>8}{'median':>8}{'number':>8}{'p50':>9}{'p99':>9}{'p50':>7}{'p99':>7}{'most':>8}{f'>= {TURN_MS}':>8}")

    def all_counted(out):
        return f" {bench.domains} " in out

    def listed(out):
        return len(json.loads(out)["would_change"]) == bench.domains

    def judged(out):
        found = json.loads(out)["verdicts"]["domains"]
        return sum(found.values()) == bench.domains and found["unknown"] == found["temp"] == 0

    few, many = (write(os.path.join(the_world.folder, f"rules{count}"), some_rules(count)) for count in (1000, 100_000))
    bench.measure("report", "report", counted=all_counted)
    bench.measure("rules check, 1000 rules", "rules", "check", few, counted=all_counted)
    bench.measure("rules check, 100,000 rules", "rules", "check", many, counted=all_counted)
    log = write(os.path.join(the_world.folder, "log"), mail_log(options))
    bench.measure("audit --verdicts", "--json", "audit", "--verdicts", "--rules", few, log, counted=judged)
    bench.reload(some_rules(1000))
    bench.measure("rules, 1000", "rules", counted=lambda out: out.count("\n") == 2000)
    bench.measure("report, 1000 rules", "report", counted=all_counted)
    bench.reload(some_rules(100_000))
    bench.measure("rules, 100,000", "rules", counted=lambda out: out.count("\n") == 200_000)
    bench.reload("", mode="monitor")
    bench.measure("--json report, every domain listed", "--json", "report", counted=listed)
    bench.measure("rules check, monitor", "rules", "check", few, counted=all_counted)
    print(f"resident memory {one.resident_kb() // 1024} MB")
    wrong = one.stop()
    the_world.dns.stop()
    print("\n".join(bench.wrong) + wrong)
    return 1 if bench.wrong or wrong else 0


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
