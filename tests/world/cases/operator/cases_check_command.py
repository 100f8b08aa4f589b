"""mxcrypt check: the folder of --state, and what a plugin of Nagios says and how it ends, in every way that it can fail."""

import os
import re
import stat
import subprocess

from case import Failed, case
from checking import Sound, must_find, tool

PLUGIN = re.compile(r"MXCRYPT (OK|WARNING|CRITICAL|UNKNOWN) - [ -{}~]*(\|( days_to_expiry=-?\d+;14:;3:)? findings=\d+)?\n")  # no second bar
USAGE = 64
STATUS = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
OWN = {"daemon": "check", "group": "few", "valgrind": False}
DEAD_RESOLVER = "198.51.100.99"
QUICK = ("-o", "dns-timeout=200ms", "-o", "dns-tries=1")


def plugin(c, wanted, *arguments, words=""):
    """One line that says `wanted`, and the exit status that belongs to it."""
    done = tool(c.world).cli(*arguments)
    match = PLUGIN.fullmatch(done.stdout)
    if not match or match[1] != wanted or done.returncode != STATUS[wanted] or words not in done.stdout:
        raise Failed(f"{arguments}: wanted {wanted} {words!r}: {done.returncode} {done.stdout!r} {done.stderr!r}")


# --state

@case("own", "--state makes its folder, for all to read", **OWN)
def _(c):
    sound = Sound(c, "bare")
    sound.hosts, sound.mx = [], ["0 ."]
    sound.plant()
    state = os.path.join(c.world.folder, f"{c.label}-state")

    def step():
        for _ in range(2):
            must_find(c, sound.name, [], "--state", state)
            mode = stat.S_IMODE(os.stat(state).st_mode)
            if mode != 0o755 or os.listdir(state) != [f"{sound.name}.json"]:
                raise Failed(f"{mode:o} {os.listdir(state)}")
    c.do(step)


@case("own", "--state: a folder that cannot be, a symbolic link and a file are refused before anything is looked at", **OWN)
def _(c):
    def step():
        here = os.path.join(c.world.folder, f"{c.label}-here")
        os.mkdir(here)
        link, file = here + "/link", here + "/file"
        os.symlink(here, link)
        with open(file, "wb"):
            pass
        for path, why in ((here + "/not/there", "No such file or directory"), (link, "symbolic link"), (file, "no folder"), ("", "No such file")):
            done = tool(c.world).cli("check", "--state", path, c.world.calm_domain)
            if done.returncode == 0 or f"mxcrypt: --state {path}: " not in done.stderr or why not in done.stderr or done.stdout:
                raise Failed(f"{path}: {done.returncode} {done.stdout!r} {done.stderr!r}")
            plugin(c, "UNKNOWN", "check", "--nagios", "--state", path, c.world.calm_domain)
        if sorted(os.listdir(here)) != ["file", "link"]:
            raise Failed(os.listdir(here))
    c.do(step)


# --from

def listed(c, text, wanted, *complaints):
    """What is checked of a file, and what is said of it, each line of it printable."""
    path = os.path.join(c.world.folder, f"{c.label}-list")
    with open(path, "wb") as file:
        file.write(text)
    done = tool(c.world).cli("check", "--quiet", "--from", path)
    checked = [line.partition(":")[0] for line in done.stdout.splitlines() if line and not line.startswith(" ") and ": " in line]
    said = [line.removeprefix(f"mxcrypt: {path}") for line in done.stderr.splitlines()]
    if checked != wanted or said != list(complaints) or re.search(r"[^\n -~]", done.stderr):
        raise Failed(f"{text[:100]}: {checked} {said}")
    return done.returncode


@case("own", "--from: each domain once, and what is no domain is told, escaped, with its line", **OWN)
def _(c):
    one, other = f"a.{c.d}", f"b.{c.d}"
    zone = f"z.{c.d}"
    c.child(zone, "signed", "@ MX 0 .")
    first, second = one.encode(), other.encode()

    def step():
        statuses = [listed(c, b"# a comment\n\n  " + first + b" # one\r\n" + first + b"\n" + first.upper() + b".\n" + second, [one, other]),
                    listed(c, b"\xef\xbb\xbf" + first, [one])]
        if statuses != [2, 2]:
            raise Failed(statuses)
        statuses = [listed(c, zone.encode() + b"\n" + first + b" " + second + b"\n", [], f":2: not a domain: {one} {other}"),
                    listed(c, b"\x1b[31m\xff\n" + zone.encode() + b"\na.signed\0b.signed\n", [], r":1: not a domain: \x1b[31m\xff",
                           r":3: not a domain: a.signed\x00b.signed"),
                    listed(c, b"x" * 5000 + b"\n../../etc/passwd\n[192.0.2.1]\n.\n" + zone.encode(), [], f":1: not a domain: {'x' * 96}...",
                           ":2: not a domain: ../../etc/passwd", ":3: not a domain: [192.0.2.1]", ":4: not a domain: .")]
        if statuses != [3, 3, 3]:
            raise Failed(statuses)
        for text in (b"", b"# nothing\n\n"):
            if listed(c, text, [], ": it names no domain") != USAGE:
                raise Failed(text)
        if listed(c, b"#" * (1 << 20), [], ": it names no domain") != USAGE or listed(c, b"#" * ((1 << 20) + 1), [], ": File too large") != USAGE:
            raise Failed("a file of a megabyte")
        done = tool(c.world).cli("-o", f"resolver={DEAD_RESOLVER}", *QUICK, "check", "--from", "/dev/zero")
        if done.returncode != USAGE or "/dev/zero: File too large" not in done.stderr:
            raise Failed(done)
    c.do(step)


# --nagios

@case("own", "--nagios: sound, a warning, critical", **OWN)
def _(c):
    sound = Sound(c, "both")
    sound.plant()

    def step():
        plugin(c, "OK", "check", "--nagios", sound.name, words=f"- {sound.name}: no findings | days_to_expiry=")
        plugin(c, "WARNING", "check", "--nagios", "--enforced", sound.name, words="2 warnings: tls-not-enforced ")
        plugin(c, "CRITICAL", "check", "--nagios", f"not-there.{c.d}", words="domain-missing | findings=1")
    c.do(step)


@case("own", "--nagios: one line, and status 3, wherever nothing is known", **OWN)
def _(c):
    domain = c.world.calm_domain

    def step():
        plugin(c, "UNKNOWN", *QUICK, "-o", f"resolver={DEAD_RESOLVER}", "check", "--nagios", domain, words="not-found-out")
        plugin(c, "UNKNOWN", "-o", "ca-file=/not/there|.pem", "check", "--nagios", domain)
        plugin(c, "UNKNOWN", "-o", "no-such-key=1", "check", "--nagios", domain)
        plugin(c, "UNKNOWN", "-c", "/not/there", "check", "--nagios", domain)
        plugin(c, "UNKNOWN", "check", "--nagios", "--no-such-option", domain)
        plugin(c, "UNKNOWN", "check", "--no-such-option", "--nagios", domain)
        plugin(c, "UNKNOWN", "check", "--nagios")
        plugin(c, "UNKNOWN", "check", "--nagios", domain, f"x.{domain}")
        plugin(c, "UNKNOWN", "check", "--nagios", "not a domain")
        plugin(c, "UNKNOWN", "check", "--nagios", "--from", "/not/there")
    c.do(step)


@case("own", "a reader that goes away, and a full disk, are told by the exit status", **OWN)
def _(c):
    sound = Sound(c, "bare")
    sound.hosts, sound.mx = [], ["0 ."]
    sound.plant()

    def step():
        configured = tool(c.world)
        command = [os.path.join(configured.bin_dir, "mxcrypt"), "-c", configured.config, "check"]
        for options, wanted in (([], 73), (["--nagios"], 3)):
            done = subprocess.run(f"{' '.join(command + options)} {sound.name} >/dev/full", shell=True, stderr=subprocess.PIPE, check=False)
            read, write = os.pipe()
            os.close(read)
            gone = subprocess.run([*command, *options, sound.name], stdout=write, stderr=subprocess.PIPE, check=False)
            os.close(write)
            if (done.returncode, gone.returncode) != (wanted, wanted) or not done.stderr or not gone.stderr:
                raise Failed(f"{options}: {done} {gone}")
    c.do(step)


# what mxcrypt records refuses

@case("own", "records: addresses for reports that no sender would take", **OWN)
def _(c):
    def step():
        for rua in ("reports", "mailto:", "mailto:a@b\nupdate delete c", "mailto:a@b;x=y", "mailto:a@b, mailto:c@d", "mailto:a@b," + "x" * 1000):
            done = tool(c.world).cli("records", "--rua", rua, c.world.calm_domain)
            if done.returncode != USAGE or done.stdout or "--rua" not in done.stderr:
                raise Failed(f"{rua!r}: {done}")
    c.do(step)
