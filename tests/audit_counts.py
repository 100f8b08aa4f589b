#!/usr/bin/python3
"""What mxcrypt audit counts: audit_counts.py --bin DIR [--messages N] [--lean DIR]

Made-up logs of every form (tests/bench/maillog.py) must be counted as they were written, and the totals of a large one must be
those of pflogsumm. With --lean, a build without sanitizers, the memory for many next-hops must stay in proportion."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import maillog  # noqa: E402

PFLOGSUMM = "/usr/sbin/pflogsumm"
NEXTHOPS, NEXTHOPS_MIB = 100_000, 60  # a million of them take less than 300 MiB; what else the program takes does not grow
RELAYHOST = "[relay.example]:587"
FORMS = (
    ("traditional stamps, short queue ids",),
    ("RFC 3339, long queue ids", "--form", "rfc3339", "--zone", "60", "--ids", "long"),
    ("short-iso, west of Greenwich, three instances", "--form", "short-iso", "--zone", "-330", "--names", "postfix,postfix-out,mx-in"),
    ("short-precise, one instance that logs no TLS", "--form", "short-precise", "--names", "postfix,postfix-out", "--silent", "postfix-out"),
    ("a relayhost with a port", "--relayhost", RELAYHOST, "--troubles", "0", "--others", "0"),
    ("queue ids that come again, a message every eight seconds", "--reuse-ids", "--days", "0.5"),
    ("thirty messages at once", "--days", "0.01"),
    ("half of the domains have troubles", "--troubles", "0.5"),
    ("each message to another domain", "--nexthops", "5000", "--spread"),
    ("over the turn of a year", "--begin", "1797000000", "--days", "40"),
    ("a leap day", "--begin", "1835000000", "--days", "40"),
)


class Failed(AssertionError):
    pass


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt")
    parser.add_argument("--lean", help="folder of another one, without sanitizers")
    parser.add_argument("--messages", type=int, default=200_000, help="of the log that pflogsumm counts, too")
    return parser.parse_args()


def audit(folder, path, *words):
    """What mxcrypt --json audit says of a log."""
    done = subprocess.run([os.path.join(folder, "mxcrypt"), "-c", "/dev/null", "--json", "audit", *words, path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TZ": "UTC"}, check=False)
    if done.returncode != 0:
        raise Failed(f"exit {done.returncode}: {done.stderr[-2000:].decode(errors='backslashreplace')}")
    return json.loads(done.stdout)


def must_be(what, got, want):
    if got != want:
        raise Failed(f"{what}: wanted {want!r}, got {got!r}")


def postfix(folder, relayhost):
    """A folder with Postfix's configuration."""
    etc = os.path.join(folder, "etc")
    os.mkdir(etc)
    pathlib.Path(etc, "main.cf").write_text(f"compatibility_level = 3.6\nrelayhost = {relayhost}\n", encoding="ascii")
    pathlib.Path(etc, "master.cf").touch()
    return etc


def as_written(folder, *words):
    """A made-up log is counted as it was written."""
    path = os.path.join(folder, "log")
    truth = maillog.write(path, "--messages", "5000", *words)
    found = maillog.differences(truth, audit(folder, path, "--postfix", postfix(folder, RELAYHOST if RELAYHOST in words else "")))
    if found:
        raise Failed("; ".join(found))


# pflogsumm

def summary(folder, path):
    """pflogsumm's grand totals by name. It rounds what is more than 512k; the constants at its beginning, which its manual says
    to change for that, are out of reach here."""
    text = pathlib.Path(PFLOGSUMM).read_text(encoding="latin-1")
    exact, count = re.subn(r"^(\$divByOne(?:K|Meg)At\s*=).*$", r"\1 1e15;", text, flags=re.MULTILINE)
    must_be("constants in pflogsumm", count, 2)
    script = os.path.join(folder, "pflogsumm")
    pathlib.Path(script).write_text(exact, encoding="latin-1")
    out = subprocess.run(["perl", script, "--detail", "0", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
                         env={**os.environ, "LC_ALL": "C", "TZ": "UTC"}).stdout
    totals = out[out.index("Grand Totals"):out.index("Per-")]
    found = {name.strip(): int(number) for number, name in re.findall(r"^\s*(\d+)\s+([a-z/ ]+?)\s*(?:\(|$)", totals, re.MULTILINE)}
    found["deferrals"] = int((re.search(r"\((\d+)\s+deferrals\)", totals) or [0, 0])[1])
    return found


def as_pflogsumm(folder, messages, *words):
    """Totals of the audit and of pflogsumm. What other agents than smtp(8) delivered is counted by pflogsumm alone; its
    recipients are distinct addresses that something was sent to, those of the audit are the recipients of each message."""
    path = os.path.join(folder, "log")
    truth = maillog.write(path, "--messages", str(messages), *words)
    apart, told, theirs = truth["apart"], audit(folder, path), summary(folder, path)
    sent = sum(bool(one["statuses"]["sent"]) for one in told["domains"])
    for what, ours, name in (("sent", told["statuses"]["sent"] + apart["sent"], "delivered"),
                             ("deferred", told["statuses"]["deferred"] + apart["deferred"], "deferrals"),
                             ("bounced", told["statuses"]["bounced"] + apart["bounced"], "bounced"),
                             ("octets", told["octets"] + apart["octets"], "bytes delivered"),
                             ("domains that something was sent to", sent + bool(apart["sent"]), "recipient hosts/domains"),
                             ("messages that came in", apart["received"], "received"),
                             ("distinct addresses", apart["distinct_recipients"], "recipients")):
        must_be(f"{what}, as pflogsumm's {name}", ours, theirs[name])
    must_be("differences", maillog.differences(truth, told), [])
    print(f"  pflogsumm and audit: {messages} messages, {theirs}", flush=True)


# memory

def in_proportion(folder):
    path, out = os.path.join(folder, "log"), os.path.join(folder, "out")
    generator = [sys.executable, str(ROOT / "tests" / "bench" / "maillog.py"), "--messages", str(NEXTHOPS), "--nexthops", str(NEXTHOPS),
                 "--spread", "--others", "0", "--noise", "0"]
    with open(path, "wb") as file:  # a program of its own: its memory would count for the next child
        subprocess.run(generator, stdout=file, check=True)
    with open(out, "wb") as file:
        process = subprocess.Popen([os.path.join(folder, "lean"), "-c", "/dev/null", "--json", "audit", path], stdout=file)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    must_be("exit", process.returncode, 0)
    with open(out, encoding="ascii") as file:
        must_be("next-hops", len(json.load(file)["domains"]), NEXTHOPS)
    if usage.ru_maxrss / 1024 > NEXTHOPS_MIB:
        raise Failed(f"{usage.ru_maxrss / 1024:.0f} MiB")
    print(f"  memory: {NEXTHOPS} next-hops, {usage.ru_maxrss / 1024:.0f} MiB", flush=True)


def tests(options):
    """(name, function of a folder)"""
    for name, *words in FORMS:
        yield f"as it was written: {name}", lambda folder, words=words: as_written(folder, *words)
    yield "as pflogsumm: only mail by SMTP", lambda folder: as_pflogsumm(folder, options.messages, "--others", "0")
    yield "as pflogsumm: among other deliveries", lambda folder: as_pflogsumm(folder, options.messages // 10, "--others", "0.3", "--form", "rfc3339")
    if options.lean:
        yield f"memory for {NEXTHOPS} next-hops", in_proportion


def main():
    options, failed, passed = arguments(), 0, 0
    for name, test in tests(options):
        with tempfile.TemporaryDirectory(prefix="mxa") as folder:
            os.symlink(os.path.join(os.path.abspath(options.bin), "mxcrypt"), os.path.join(folder, "mxcrypt"))
            if options.lean:
                os.symlink(os.path.join(os.path.abspath(options.lean), "mxcrypt"), os.path.join(folder, "lean"))
            try:
                test(folder)
            except (Failed, subprocess.CalledProcessError, ValueError) as error:
                failed += 1
                print(f"not ok {name}: {error}", flush=True)
            else:
                passed += 1
                print(f"ok {name}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
