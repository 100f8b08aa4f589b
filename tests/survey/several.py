#!/usr/bin/python3
"""A survey of several machines comes to the same file as one of a single machine: several.py --bin DIR [--domains 2000]

A real redis-server, a collector, and workers, each a process with processes of its own for its chunks. Two of four workers are killed
with -9 on the way; then the server is killed, and comes back with its data; then it comes back empty; then a spool file is garbage;
then a chunk's process is killed three times. By the servers' own count nobody is connected to twice, but for what was under way in
the moment of a kill, nor by two at a time. Prints what the queue costs: commands and octets for each domain."""

import argparse
import collections
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import setting  # noqa: F401  (first: where the others are)
import benchworld
import bigworld
import daemon
import farm_server
import farming
import results_file
import survey_command
import waiting
from tally import Tally

TIME_LIMIT_S = 3600
SEED, RATE = 11, 100_000
IDLE_S, SLOTS, WORKERS, PREFIX_CAP = 4, 2, 4, 5
ALL_RATE, RATE_SLACK = 40, 1.1  # the servers' clock is not the clients': a connection may be seen a little later than it was begun
UNDER_WAY_NS = 2 * farm_server.NS_PER_S  # a connection that a kill cut ends at the server so much later at most
AMID = 150_000  # octets of SQLite's log: results of a few addresses
LOST, GONE = 75, "has lost the survey"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt and survey_farm")
    parser.add_argument("--domains", type=int, default=2000)
    parser.add_argument("--chunk", type=int, default=100, help="domains in a chunk")
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--only", default="", help="names of stories, joined by commas")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Running:
    """A command that runs beside the test; what it says is in a file."""

    def __init__(self, words, path):
        self.path = path
        with open(path, "wb") as said:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={**os.environ, **daemon.SANITIZERS})

    @property
    def said(self):
        with open(self.path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    def kill(self):
        """-9; the moment, ns."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        return time.monotonic_ns()

    def end(self, timeout=1200):
        """Its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"{self.path} does not end: {self.said[-3000:]}") from None

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)


def path_of(pid):
    """The file of a chunk's process; None: it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[-2].decode()
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None


def is_amid(pid):
    """Whether the process of a chunk of addresses has written results: they are in SQLite's log until it ends."""
    path = path_of(pid)
    return bool(path) and "/addresses-" in path and os.path.exists(path + "-wal") and os.path.getsize(path + "-wal") > AMID


def results_in(path):
    """The addresses in a file that a dead process left: those that have all their results, and the others."""
    if "/addresses-" not in path or not os.path.exists(path):
        return set(), set()
    copy = path + ".copy"
    for end in ("", "-wal"):
        if os.path.exists(path + end):
            shutil.copy(path + end, copy + end)
    found = results_file.rows(copy, "SELECT ip, looked_up IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sni WHERE address = id AND looked_up IS NULL) AS done "
                              "FROM address")
    for end in ("", "-wal", "-shm"):
        if os.path.exists(copy + end):
            os.unlink(copy + end)
    return {row["ip"] for row in found if row["done"]}, {row["ip"] for row in found if not row["done"]}


class Run:
    """One survey in a queue."""

    def __init__(self, proof, name):
        self.proof, self.name, self.count, self.all = proof, name, 0, []
        self.folder = os.path.join(proof.world.folder, name)
        os.makedirs(os.path.join(self.folder, "spool"))
        self.out = os.path.join(self.folder, "out.db")
        self.redis = farming.Share(os.path.join(self.folder, "redis"))
        self.redis.start()
        self.queue = ["--queue", self.redis.url, "--name", name]
        self.spool = ["--spool", os.path.join(self.folder, "spool")]

    def start(self, *words):
        self.count += 1
        self.all.append(Running(self.proof.command.words(*words), os.path.join(self.folder, f"{self.count}-{words[0]}")))
        return self.all[-1]

    def enqueue(self, *more):
        return self.start("enqueue", *self.queue, "--seed", SEED, *more, "--chunk-size", self.proof.options.chunk, "--parts", self.proof.options.parts, self.proof.names)

    def collect(self):
        return self.start("collect", *self.queue, *self.spool, "--out", self.out)

    def work(self, *more):
        return self.start("work", *self.queue, *self.spool, "--slots", SLOTS, "--idle", IDLE_S, "--rate", RATE, "--jobs", 2, *more)

    def must_enqueue(self, *more):
        running = self.enqueue(*more)
        if running.end() != 0:
            raise RuntimeError(f"enqueue: {running.said}")

    def files(self, suffix, kind=""):
        """Chunks of the spool."""
        return [name for name in self._names() if name.startswith(kind) and name.endswith(suffix)]

    def _names(self, *folder):
        try:
            return os.listdir(os.path.join(self.folder, "spool", self.name, *folder))
        except FileNotFoundError:
            return []

    def collected(self, kind=""):
        return [name for name in self._names("collected") if name.startswith(kind)]

    def processes(self, kind):
        """Of chunks of a kind, of this run: pid -> the worker's."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"chunk" in words and f"{self.folder}/spool/{self.name}/{kind}" in words[-2].decode():
                found[int(pid)] = parent
        return found

    def status(self):
        done = self.proof.command.read("status", *self.queue)
        shown = subprocess.run([self.proof.command.program, "--json", "-c", self.proof.command.conf, "survey", "status", *self.queue],
                               stdout=subprocess.PIPE, check=True, env={**os.environ, **daemon.SANITIZERS})
        return done, json.loads(shown.stdout)

    def end(self):
        for running in self.all:
            running.stop()
        self.redis.stop()


class Proof:
    def __init__(self, the_world, options):
        self.world, self.options, self.tally = the_world, options, Tally()
        self.check = self.tally.check
        self.big = bigworld.BigWorld(the_world, options.domains)
        the_world.dns.start()
        self.farm = farm_server.Farm(options.bin, the_world.folder, the_world.ca, self.big.write_table(os.path.join(the_world.folder, "table")))
        self.names = self.big.write_list(os.path.join(the_world.folder, "names"))
        self.command = survey_command.Command(options.bin, survey_command.write_conf(the_world))
        self.alone = os.path.join(the_world.folder, "alone.db")
        done = self.command.run("--out", self.alone, "--seed", SEED, "--rate", RATE, "--jobs", 2, self.names)
        if done.status != 0:
            raise RuntimeError(f"alone: exit {done.status}: {done.err[-3000:]}")
        print(f"{options.domains} domains alone: {done.seconds:.1f} s", flush=True)
        self.log = self.farm.take()
        self.visits = collections.Counter(one.address for one in self.log)

    def check_end(self, run, collector, workers, stops=(), cut=()):
        """All have ended well, and it is as if one machine had done it."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        status = collector.end()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"the collector took {after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f} s of processor time", flush=True)
        self.check("the collector ends", (status, collector.said[-2000:] if status else ""), (0, ""))
        for worker in workers:
            status = worker.end()
            self.check("a worker ends", (status, worker.said[-2000:] if status else ""), (0, ""))
        self.check("the file equals that of one machine", results_file.differences(self.alone, run.out) if os.path.exists(run.out) else None, [])
        self.check("  and SQLite finds nothing wrong with it", results_file.whole(run.out), None)
        self.check_visits(self.farm.take(), stops, cut)
        self.check("the spool is gone", os.listdir(os.path.join(run.folder, "spool")), [])

    def check_visits(self, log, stops=(), cut=()):
        """`stops`: moments at which workers ended; `cut`: addresses that were under way."""
        visits = collections.Counter(one.address for one in log)
        self.check("every address was connected to", sorted(set(self.visits) - set(visits))[:5], [])
        more = {address for address in visits if visits[address] > self.visits[address]}
        cut = set(cut) | {one.address for one in log for stop in stops if one.opened <= stop + UNDER_WAY_NS and one.closed >= stop - UNDER_WAY_NS}
        print(f"{len(log)} connections, {len(self.log)} by one machine; had no result in a kill: {len(cut)} addresses", flush=True)
        self.check("and no oftener than by one machine, but for those without a result in a kill", sorted(more - cut)[:5], [])
        self.check("one connection at a time to an address", max(farm_server.most_at_once(log, lambda one: one.address).values()), 1)
        self.check(f"{PREFIX_CAP} at most to a prefix, by all workers together",
                   max(farm_server.most_at_once(log, lambda one: one.prefix).values()), lambda most: most <= PREFIX_CAP)

    def print_cost(self, run):
        info = dict(line.strip().split(":", 1) for line in run.redis.command("INFO", "all").splitlines() if ":" in line)
        calls = {name.removeprefix("cmdstat_"): int(value.split(",")[0].removeprefix("calls=")) for name, value in info.items() if "cmdstat_" in name}
        octets, domains = int(info["total_net_input_bytes"]) + int(info["total_net_output_bytes"]), self.options.domains
        most = ", ".join(f"{name} {count / domains:.4f}" for name, count in sorted(calls.items(), key=lambda one: -one[1])[:12])
        print(f"the queue costs {sum(calls.values()) / domains:.3f} commands and {octets / domains:.0f} octets a domain ({domains} domains, chunks of "
              f"{self.options.chunk}, {self.options.parts} parts, {WORKERS} workers): {most}; peak memory {int(info['used_memory_peak']) / 1024:.0f} KiB",
              flush=True)


# stories

def killed_workers(proof, run):
    run.must_enqueue()
    began = time.monotonic()
    workers = [run.work() for _ in range(WORKERS)]
    collector = run.collect()
    cut, known = set(), set()
    for victim in (0, 1):
        pid = workers[victim].process.pid
        waiting.until(lambda victim=victim, pid=pid: any(parent == pid and (victim == 0 or is_amid(child))
                                                         for child, parent in run.processes("").items()), f"worker {victim} amid", 300, pause=0.002)
        children = [child for child, parent in run.processes("").items() if parent == pid]
        paths = [path_of(child) for child in children]
        workers[victim].kill()
        waiting.until(lambda children=children: not set(children) & set(run.processes("")), "the processes of a dead worker", 60)
        for done, others in map(results_in, filter(None, paths)):
            known |= done
            cut |= others
    proof.check("results of addresses had been written in the moment of a kill", len(known), lambda count: count > 0)
    proof.check_end(run, collector, workers[2:], (), cut - known)
    print(f"{proof.options.domains} domains by {WORKERS} workers, 2 of them killed: {time.monotonic() - began:.1f} s", flush=True)
    done, status = run.status()
    proof.check("status says that it is finished", (done.returncode, status["finished"], status["chunks_aside"]), (0, True, []))
    proof.print_cost(run)
    again = run.enqueue()
    proof.check("a finished survey is not begun again", (again.end(), "finished" in again.said), (LOST, True))


def file_in_use(proof, run):
    """As by a worker that was stopped for so long that its lease is another's: its chunk is left alone until it lets go."""
    run.must_enqueue()
    first = run.work()
    waiting.until(lambda: run.files(".work", "domains-1."), "a file", 60, pause=0.002)
    first.kill()
    waiting.until(lambda: not run.processes(""), "the processes of a dead worker", 60)
    path = os.path.join(run.folder, "spool", run.name, run.files(".work", "domains-1.")[0])
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        worker, collector = run.work(), run.collect()
        waiting.until(lambda: worker.said.count("domains-1: another process fills its file") >= 4 or worker.process.poll() is not None, "told", 120)
    proof.check_end(run, collector, [worker])


def server_restarted(proof, run):
    run.must_enqueue()
    workers = [run.work(), run.work()]
    collector = run.collect()
    for kind in ("domains", "addresses"):
        waiting.until(lambda kind=kind: len(run.collected(kind)) >= 2, f"collected {kind}", 300)
        run.redis.kill()
        waiting.until(lambda: all("waiting for it" in one.said for one in (*workers, collector)), "told", 60)
        run.redis.start()
    proof.check_end(run, collector, workers)


def server_failed_over(proof, run):
    """The next one lacks what was written lately: entries come again that were done, and others are missing."""
    run.must_enqueue()
    workers, collector = [run.work(), run.work()], run.collect()
    data, copy = os.path.join(run.redis.folder, "appendonlydir"), os.path.join(run.folder, "kept")
    shutil.copytree(data, copy)
    for kind in ("domains", "addresses"):
        waiting.until(lambda kind=kind: len(run.collected(kind)) >= 2, f"collected {kind}", 300)
        run.redis.kill()
        run.redis.empty()
        shutil.copytree(copy, data)
        run.redis.start()
    proof.check_end(run, collector, workers)


def worker_stopped(proof, run):
    """What it had is another's at once."""
    run.must_enqueue()
    first, collector, stops = run.work("--idle", 3000), run.collect(), []
    for kind in ("domains", "addresses"):
        waiting.until(lambda kind=kind: run.processes(kind), f"{kind}", 300)
        first.process.send_signal(signal.SIGTERM)
        stops.append(time.monotonic_ns())
        second = run.work("--idle", 3000)
        proof.check("SIGTERM ends it", (first.end(), "stopped" in first.said), (LOST, True))
        first = second
    proof.check_end(run, collector, [first], stops)


def server_emptied(proof, run):
    run.must_enqueue()
    stops = []
    for kind in ("domains", "addresses"):
        workers, collector = [run.work(), run.work()], run.collect()
        waiting.until(lambda kind=kind: len(run.collected(kind)) >= 2, f"collected {kind}", 300)
        run.redis.kill()
        run.redis.empty()
        run.redis.start()
        for running in (*workers, collector):
            proof.check(f"{kind}: told, and ended", (running.end(), GONE in running.said), (LOST, True))
            stops.append(time.monotonic_ns())
        run.must_enqueue()
    workers, collector = [run.work(), run.work()], run.collect()
    proof.check_end(run, collector, workers, stops)


def garbage(proof, run):
    os.makedirs(os.path.join(run.folder, "spool", run.name))
    for name in ("domains-1.db", "hosts-1.db", "addresses-0-1.db", "domains-99.db", "domains-2.work", "nonsense.db"):
        with open(os.path.join(run.folder, "spool", run.name, name), "wb") as file:
            file.write(os.urandom(5000))
    run.must_enqueue()
    workers, collector = [run.work(), run.work()], run.collect()
    status = collector.end()
    proof.check("the collector ends", (status, collector.said[-2000:] if status else ""), (0, ""))
    proof.check("and tells", [name for name in ("domains-1", "hosts-1", "addresses-0-1") if f"warning: {name} is looked up again" not in collector.said], [])
    for worker in workers:
        proof.check("a worker ends", worker.end(), 0)
    proof.check("the file equals that of one machine", results_file.differences(proof.alone, run.out), [])
    proof.check("what was refused is kept", sorted(name.split(".")[0] for name in run.files(".bad")),
                lambda names: {"domains-1", "hosts-1", "addresses-0-1", "domains-2", "domains-99"} <= set(names))
    proof.check_visits(proof.farm.take())


def one_rate(proof, run):
    """Of all machines together."""
    run.must_enqueue("--rate", ALL_RATE)
    workers = [run.work(), run.work()]
    key = f"mxcrypt:survey:{run.name}:slots"
    waiting.until(lambda: run.redis.command("ZCARD", key) == str(2 * SLOTS), "both workers", 60)
    collector = run.collect()
    status = collector.end()
    proof.check("the collector ends", (status, collector.said[-2000:] if status else ""), (0, ""))
    log = proof.farm.take()
    proof.check(f"{ALL_RATE} connections in any second at most", farm_server.most_in(log, 1), lambda most: most <= ALL_RATE * RATE_SLACK)
    proof.check("the file equals that of one machine", results_file.differences(proof.alone, run.out), [])
    for worker in workers:
        worker.end()


def poison(proof, run):
    run.must_enqueue()
    worker, collector = run.work(), run.collect()
    for number in range(1, 4):
        waiting.until(lambda: run.processes("domains-3.work"), f"domains-3, try {number}", 120)
        for pid in run.processes("domains-3.work"):
            os.kill(pid, signal.SIGKILL)
        waiting.until(lambda number=number: worker.said.count("domains-3: its process was killed by signal 9") == number, "told", 60)
    proof.check("the collector ends, and tells", (collector.end(), "1 chunks that were set aside" in collector.said), (LOST, True))
    proof.check("the worker has told", (worker.end(), "domains-3 was set aside" in worker.said), (0, True))
    _, status = run.status()
    proof.check("status names the chunk", status["chunks_aside"], ["domains-3"])
    waits = results_file.value(run.out, "SELECT count(*) FROM domain WHERE looked_up IS NULL")
    proof.check("its domains have no result", waits, proof.options.chunk)
    proof.check("and all others have", results_file.value(run.out, "SELECT count(*) FROM domain WHERE verdict IS NOT NULL"),
                len(set(proof.big.names)) - proof.options.chunk)
    proof.farm.take()


STORIES = (killed_workers, worker_stopped, file_in_use, server_restarted, server_failed_over, server_emptied, garbage, one_rate, poison)


def measure(the_world, options):
    proof = Proof(the_world, options)
    for story in STORIES:
        if options.only and story.__name__ not in options.only.split(","):
            continue
        print(f"-- {story.__name__}", flush=True)
        run = Run(proof, story.__name__)
        try:
            story(proof, run)
        except Exception:
            for running in run.all:
                print(f"{running.path} ({running.process.poll()}): {running.said[-1500:]}", flush=True)
            raise
        finally:
            run.end()
    proof.farm.stop()
    the_world.dns.stop()
    return proof.tally.status()


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
