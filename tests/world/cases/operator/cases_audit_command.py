"""mxcrypt audit as a command: what does not go together, pages that cannot be written, --follow, a daemon that is older or another."""

import datetime
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import waiting
from cases_audit_verdicts import Log, operation
from daemon import SANITIZERS
from ruleset import Ordered, wanted

OLD = "old\n"
FILE_MAX = 8192  # octets: less than a page


def command(one, *arguments):
    return [os.path.join(one.bin_dir, "mxcrypt"), "-c", one.config, *arguments]


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_MAX, FILE_MAX))


@operation("audit: options that do not go together are refused, and say so")
def _(c):
    rows = [
        (("--json", "--html", "-"), "only one of"),
        (("--html", "-", "--prometheus", "-"), "only one of"),
        (("--suggest-rules", "--json"), "only one of"),
        (("--suggest-rules", "--html", "-"), "only one of"),
        *[(("--follow", *more), "--follow takes no other options") for more in (
            ("--html", "page"), ("--prometheus", "metrics"), ("--verdicts",), ("--queue",), ("--suggest-rules",), ("--top", "5"),
            ("--until", "today"), ("--rollout", "5"), ("--rules", "x"), ("--min-messages", "1"), ("--min-days", "1"))],
    ]

    def step():
        with Ordered(c) as life:
            one = life.start()
            log = Log(c)
            log.mails("one.example", 1, 1)
            path = log.write()
            for arguments, why in rows:
                done = one.cli("audit", *arguments, path)
                wanted(f"{arguments}: {done.stderr}", (done.returncode, done.stdout, why in done.stderr), (64, "", True))
            page = os.path.join(c.world.folder, f"{c.label}.html")
            done = one.cli("--json", "audit", "--html", page, path)
            wanted("a page beside JSON", (done.returncode, done.stdout[:10], os.path.exists(page)), (0, '{"period":', True))
    c.do(step)


@operation("audit: standard input is named")
def _(c):
    def step():
        with Ordered(c) as life:
            one, log = life.start(), Log(c)
            log.mails("one.example", 1, 1)
            with open(log.write(), encoding="ascii") as file:
                done = subprocess.run(command(one, "audit", "-"), stdin=file, capture_output=True, text=True, env={**os.environ, **SANITIZERS},
                                      check=False, timeout=60)
            wanted("source", (done.returncode, done.stdout.splitlines()[0][-19:]), (0, ", in standard input"))
    c.do(step)


@operation("audit: a page that cannot be written leaves the old one, and nothing beside it")
def _(c):
    def step():
        with Ordered(c) as life:
            one = life.start()
            log = Log(c)
            log.mails("one.example", 1, 1)
            path = log.write()
            folder = os.path.join(c.world.folder, c.label)
            os.makedirs(folder)
            page = os.path.join(folder, "page")
            for name in ("page", "aim"):
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(OLD)
            os.symlink("aim", os.path.join(folder, "link"))
            os.mkfifo(os.path.join(folder, "pipe"))
            there = sorted(os.listdir(folder))
            done = subprocess.run(command(one, "audit", "--html", page, path), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  env={**os.environ, **SANITIZERS}, check=False, timeout=60, preexec_fn=small_files)
            wanted("too long a file", (done.returncode, done.stderr), (73, f"mxcrypt: cannot write {page}: File too large\n"))
            for name, why in (("link", "it is a symbolic link"), ("pipe", "it is no plain file"), (".", "Is a directory")):
                place = os.path.join(folder, name)
                done = one.cli("audit", "--html", place, path)
                wanted(name, (done.returncode, done.stderr), (73, f"mxcrypt: cannot write {place}: {why}\n"))
            for name in ("page", "aim"):
                with open(os.path.join(folder, name), encoding="ascii") as file:
                    wanted(name, file.read(), OLD)
            wanted("files", sorted(os.listdir(folder)), there)
    c.do(step)


class OlderDaemon:
    """A control socket where no command is known; one connection."""

    def __init__(self, path):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        peer, _ = self._listener.accept()
        with peer, peer.makefile("rwb") as lines:
            while lines.readline():
                lines.write(b'{"error": "unknown command"}\n')
                lines.flush()

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._listener.close()
        self._thread.join(timeout=30)


@operation("audit --verdicts: a daemon that knows no verdicts is named, and the rest is printed")
def _(c):
    def step():
        with Ordered(c) as life:
            one = life.start()
            log = Log(c)
            log.mails("one.example", 2, 1)
            path = os.path.join(c.world.folder, "older.sock")  # short enough for a socket
            with OlderDaemon(path):
                done = one.cli("-o", f"control-socket={path}", "audit", "--verdicts", log.write())
            wanted(f"said: {done.stderr}", (done.returncode, "unknown command" in done.stderr, "older than mxcrypt" in done.stderr), (69, True, True))
            wanted("the rest", ("2 messages" in done.stdout, "Present verdicts" in done.stdout), (True, False))
    c.do(step)


class Following:
    """mxcrypt audit --follow, whose lines are read as they come."""

    def __init__(self, one, log, stdin=subprocess.DEVNULL):
        self._lines = []
        self.process = subprocess.Popen(command(one, "audit", "--follow", log), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**os.environ, **SANITIZERS})
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.append(line)

    def event(self, domain, count):
        """The event of a domain, and what follows it: so many lines at least."""
        def told():
            at = [number for number, line in enumerate(self._lines) if f" {domain} deferred: the mail host did not offer STARTTLS (relay=" in line]
            return self._lines[at[0]:] if at and len(self._lines) >= at[0] + count else None
        return waiting.until(told, f"the event of {domain}")

    def end(self):
        """Its status, and what it complained of."""
        errors = self.process.stderr.read()
        self._thread.join()
        return self.process.wait(timeout=30), errors


@operation("audit --follow: a daemon that was started again is asked again; the end of a pipe, and of the command")
def _(c):
    names = [f"{word}.{c.u}" for word in ("before", "after", "piped")]

    def add(log, name):
        log.mail(name, datetime.date(2037, 1, 1), tls=None, status="deferred", reason=f"TLS is required, but was not offered by host mx.{name}[198.18.0.1]")
        return log.write()

    def step():
        with Ordered(c) as life:
            one, log = life.start(), Log(c)
            following = Following(one, log.write())
            for name in names[:2]:
                add(log, name)
                wanted("what the daemon says", following.event(name, 2)[1][:4], "    ")
                wanted("the end of a daemon", one.stop(), "")
                one = life.start()
            following.process.send_signal(signal.SIGTERM)
            wanted("the end", following.end(), (0, ""))
            pipe = Following(one, "-", stdin=subprocess.PIPE)
            with open(add(Log(c, "piped"), names[2]), encoding="ascii") as file:
                pipe.process.stdin.write(file.read())
            pipe.process.stdin.close()
            wanted("the end of a pipe", pipe.end(), (0, ""))
            pipe.event(names[2], 1)
    c.do(step)


@operation("audit --follow: of a long journal no more is read than the last day")
def _(c):
    def step():
        with Ordered(c) as life:
            one = life.start()
            folder = os.path.join(c.world.folder, c.label)
            os.makedirs(folder)
            asked = os.path.join(folder, "asked")
            for name, text in (("postconf", "exit 1"), ("journalctl", f'case "$*" in *--follow*) echo "$@" >{asked} ;; *) echo a line ;; esac')):
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(f"#!/bin/sh\n{text}\n")
                os.chmod(os.path.join(folder, name), 0o755)
            for arguments, since in ((("--since", "@1790000000"), 1790000000), ((), int(time.time()))):
                done = one.cli("audit", "--follow", *arguments, path=folder)
                wanted(f"its end: {done.stderr}", done.returncode, 0)
                with open(asked, encoding="ascii") as file:
                    begin = [int(word.removeprefix("--since=@")) for word in file.read().split() if word.startswith("--since=@")]
                wanted("asked from", [since <= moment + 86400 <= since + 60 for moment in begin], [True])
    c.do(step)
