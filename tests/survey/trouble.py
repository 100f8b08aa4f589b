#!/usr/bin/python3
"""A survey in trouble, and what it loses: trouble.py --bin DIR [--domains 300]

It ends where every mail host is opted out. Where its file takes no more (it was removed, the disk is full, it has rows that cannot
be) it says so, leaves no half of a result, and goes on when the trouble is over. A list that was not read to its end is counted as
a whole. While the resolver is silent or gone it waits, and no domain counts as failed for it."""

import argparse
import contextlib
import os
import signal
import sqlite3
import subprocess
import threading
import time

import setting  # noqa: F401  (first: where the others are)
import benchworld
import manners
import results_file
import survey_command
import waiting
from tally import Tally

TIME_LIMIT_S = 600
QUICK = ("--rate", 100_000)
SOON_S = 60  # for what ends at once
DISK = "size=700k"
LONG = 500_000
FILES, FILES_TOO_FEW = 100, 60  # open at once; the configuration lets it have 200 connections
NAMES, NAMES_SAMPLED = 25_000, 20  # more than are written at once
OUTAGE_S = 4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt and survey_farm")
    parser.add_argument("--domains", type=int, default=300)
    parser.add_argument("--only", default="", help="part of the name of a check")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


def change(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


def number(path, sql):
    """0 while there is no such table."""
    try:
        return results_file.value(path, sql)
    except sqlite3.Error:
        return 0


@contextlib.contextmanager
def meanwhile(act):
    """Runs act() beside what is done inside."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def resume(proof, out, more=()):
    done = proof.command().run("--resume", "--out", proof.path(out), *QUICK, *more)
    proof.check("  resumed, it comes to its end", (done.status, done.err[-500:]), lambda got: got[0] == 0)


def check_all_opted_out(proof):
    name, _ = next(manners.own_domains(proof))
    file = proof.write("opt-out", [f"mx.{name}"])
    _, log = proof.run("opted.db", proof.write("one", [name]), "--opt-out", file, timeout=SOON_S)
    proof.check("where all hosts are opted out it ends", results_file.value(proof.path("opted.db"), "SELECT group_concat(starttls) FROM address"),
                "skipped")
    proof.check("  and nobody was connected to", log, [])


def check_opted_out_later(proof):
    """Who opts out while a survey rests is not looked up when it goes on."""
    path, (name, _) = proof.path("later.db"), next(manners.own_domains(proof))
    proof.run("later.db", proof.write("two", [name, proof.big.names[1]]), "--no-probe")
    change(path, "UPDATE run SET ended = NULL; UPDATE domain SET verdict = NULL, looked_up = NULL; DELETE FROM domain_mx; DELETE FROM policy")
    resume(proof, "later.db", more=["--opt-out", proof.write("opt-out", [name])])
    proof.check("who opts out later is not looked up", [tuple(row) for row in results_file.rows(path, "SELECT name FROM domain")], [(proof.big.names[1],)])


def check_half(proof):
    path = proof.path("half.db")
    proof.run("half.db", proof.names, "--no-probe")
    change(path, "UPDATE run SET ended = NULL; UPDATE domain SET verdict = NULL; DELETE FROM host_address; DELETE FROM address; "
                 "UPDATE host SET looked_up = NULL; DELETE FROM tlsa WHERE position > 0;")
    done = proof.command().run("--resume", "--out", path, *QUICK, timeout=SOON_S)
    half = results_file.value(path, "SELECT count(*) FROM host WHERE looked_up IS NOT NULL AND id IN (SELECT host FROM tlsa) "
                              "AND id NOT IN (SELECT host FROM host_address)")
    proof.check("a result that cannot be written ends a survey", (done.status != 0, "UNIQUE" in done.err), (True, True))
    proof.check("  and no half of it stays", half, 0)
    change(path, "DELETE FROM tlsa")
    resume(proof, "half.db")
    proof.check("  it is the whole", results_file.differences(proof.path("dns.db"), path), [])


def check_removed(proof):
    path = proof.path("removed.db")

    def move():
        waiting.until(lambda: number(path, "SELECT count(looked_up) FROM address") > 0, "an address")
        os.rename(path, path + ".elsewhere")

    with meanwhile(move):
        done, _ = proof.run("removed.db", proof.names, "--rate", 20, want=None, timeout=SOON_S)
    proof.check("a file that was taken away ends a survey", (done.status != 0, "removed or replaced" in done.err), (True, True))
    os.rename(path + ".elsewhere", path)
    resume(proof, "removed.db")
    proof.check("  put back, it becomes the whole", results_file.differences(proof.path("whole.db"), path), [])


def check_full_disk(proof):
    folder = proof.path("disk")
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "mxcrypt", folder], check=True)
    try:
        done, _ = proof.run("disk/full.db", proof.names, *QUICK, want=None, timeout=SOON_S)
        proof.check("a full disk ends a survey", (done.status, done.err[-300:]), lambda got: got[0] != 0 and "full" in got[1])
        subprocess.run(["mount", "-o", "remount,size=100m", folder], check=True)
        proof.check("  the file is whole", results_file.whole(proof.path("disk/full.db")), None)
        resume(proof, "disk/full.db")
        proof.check("  with room it becomes the whole", results_file.differences(proof.path("whole.db"), proof.path("disk/full.db")), [])
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def check_long_file(proof):
    """The file may not become longer than so many octets."""
    command = survey_command.Command(proof.options.bin, survey_command.write_conf(proof.world), before=["prlimit", f"--fsize={LONG}:unlimited"])
    done, _ = proof.run("long.db", proof.names, *QUICK, command=command, want=None, timeout=SOON_S)
    proof.check("a file that may not grow ends a survey", (done.status, "--resume" in done.err), lambda got: got[0] > 0 and got[1])
    resume(proof, "long.db")
    proof.check("  where it may it becomes the whole", results_file.differences(proof.path("whole.db"), proof.path("long.db")), [])


def check_few_files(proof):
    """Fewer descriptors than connections are allowed."""
    conf = survey_command.write_conf(proof.world)
    for files, status in ((FILES, 0), (FILES_TOO_FEW, 75)):
        command = survey_command.Command(proof.options.bin, conf, before=["prlimit", f"--nofile={files}:{files}"])
        done, log = proof.run(f"files{files}.db", proof.names, *QUICK, "--jobs", 1, command=command, want=None, timeout=SOON_S)
        proof.check(f"{files} files", (done.status, done.err[-300:]), lambda got, status=status: got[0] == status)
    proof.check("  with too few it does not begin, and says so", (log, "ulimit" in done.err), ([], True))
    proof.check("  with few nothing fails", results_file.differences(proof.path("whole.db"), proof.path(f"files{FILES}.db")), [])


def check_list_in_part(proof):
    """Killed in the middle of a list, after some of it was written."""
    path, pipe = proof.path("part.db"), proof.path("pipe")
    names = proof.write("long", [f"n{number}.nowhere.plain" for number in range(NAMES)])
    os.mkfifo(pipe)
    words = ["--out", path, "--seed", manners.SEED, "--sample", NAMES_SAMPLED, *QUICK]
    process = subprocess.Popen(proof.command().words("run", *words, pipe), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(names, encoding="ascii") as file, open(pipe, "w", encoding="ascii") as out:
        out.write(file.read(NAMES * 10))
        out.flush()
        waiting.until(lambda: number(path, "SELECT count(*) FROM domain") == NAMES_SAMPLED, "the first batch")
        process.kill()
        process.wait()
    for more in (["--resume"], []):
        done = proof.command().run(*words, *more, names, timeout=SOON_S)
        proof.check(f"a list of {NAMES} names {'in two parts' if more else 'at once'}", (done.status, results_file.value(path, "SELECT names FROM run")),
                    (0, NAMES))
        path = words[1] = proof.path("at-once.db")
    proof.check("  and the sample is the same", results_file.differences(proof.path("part.db"), path, without={"run.list"}), [])
    proof.check("  and the file says where the names came from", results_file.value(proof.path("part.db"), "SELECT list FROM run"), pipe)


def outage(proof, path, begin, end):
    """Something happens to the resolver when some domains are known, and ends later."""
    def act():
        waiting.until(lambda: results_file.known(path) > 0, "a domain")
        begin()
        time.sleep(OUTAGE_S)
        end()
    return meanwhile(act)


def check_outage(proof):
    dns, command = proof.world.dns, proof.command(dns_timeout="300ms", dns_tries="2")

    def stop():
        dns.unbound.terminate()
        dns.unbound.wait()

    for what, begin, end in (("silent", lambda: dns.unbound.send_signal(signal.SIGSTOP), lambda: dns.unbound.send_signal(signal.SIGCONT)),
                             ("gone", stop, dns._start_unbound)):
        out = f"{what}.db"
        with outage(proof, proof.path(out), begin, end):
            done, _ = proof.run(out, proof.names, *QUICK, command=command, want=None, timeout=120)
        proof.check(f"a resolver that is {what} for a time", (done.status, done.err[-300:]), lambda got: got[0] == 0)
        proof.check("  costs no domain its verdict", results_file.differences(proof.path("whole.db"), proof.path(out))[:5], [])


CHECKS = (check_all_opted_out, check_opted_out_later, check_half, check_removed, check_full_disk, check_long_file, check_few_files, check_list_in_part, check_outage)


def measure(the_world, options):
    proof = manners.Proof(the_world, options)
    proof.names = proof.big.write_list(proof.path("names"), options.domains)
    proof.run("whole.db", proof.names, *QUICK)
    proof.run("dns.db", proof.names, "--no-probe")
    return manners.go_through(proof, [check for check in CHECKS if options.only in check.__name__])


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
