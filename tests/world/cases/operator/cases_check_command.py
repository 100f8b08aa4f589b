"""mxcrypt check: the folder of --state, and what a plugin of Nagios says and how it ends, in every way that it can fail."""

import os
import re
import stat
import subprocess

from case import Failed, case
from checking import Sound, must_find, tool

PLUGIN = re.compile(r"MXCRYPT (OK|WARNING|CRITICAL|UNKNOWN) - [ -{}~]*(\|( days_to_expiry=-?\d+;14;3)? findings=\d+)?\n")  # no second bar
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
        plugin(c, "UNKNOWN", "check", "--nagios", domain, domain)
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
