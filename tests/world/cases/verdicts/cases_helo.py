"""The host's own name: looked up by who probes, by nobody else, and waited for by nobody."""

import contextlib
import itertools
import os
import pathlib
import re
import socket
import subprocess
import threading
from dataclasses import replace

import daemon
import waiting
from case import Failed, case
from smtpd import GOOD

ROW = "operations"
NUMBERS = itertools.count(1)  # each silent name server has an address of its own; the mail's DNS is the world's
DAEMONS = {
    "helo": {"resolver": "127.0.0.53", "helo-name": ""},
}
SHADOW = 'echo "$1" >/proc/sys/kernel/hostname; for one in resolv.conf hosts nsswitch.conf; do mount --bind "$2/$one" "/etc/$one"; done; ' \
         'shift 2; exec "$@"'


def helo(name):
    return case(ROW, name, daemon="helo", group="few", valgrind=False)


class SilentServer:
    """A name server that never answers, and counts what it is asked."""

    def __init__(self):
        self.asked, self.address = [], f"127.0.98.{next(NUMBERS)}"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, 53))
        self.thread = threading.Thread(target=self.count)
        self.thread.start()

    def count(self):
        while question := self.sock.recv(4096):
            self.asked.append(question)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, 53))
        self.thread.join(10)
        self.sock.close()


@contextlib.contextmanager
def silence():
    server = SilentServer()
    try:
        yield server
    finally:
        server.close()


def shadow(c, server=None, host="mail", hosts="", resolv_conf=""):
    """The words before a command that give it a host of that name, with files of its own in /etc; `server` answers its DNS."""
    resolv_conf = resolv_conf or f"nameserver {server.address}\noptions timeout:2 attempts:2\n"
    folder = os.path.join(c.world.folder, "etc-" + c.label)
    os.makedirs(folder, exist_ok=True)
    for name, text in (("resolv.conf", resolv_conf), ("hosts", f"127.0.0.1 localhost\n{hosts}"), ("nsswitch.conf", "hosts: files dns\n")):
        pathlib.Path(folder, name).write_text(text, encoding="ascii")
    return ["unshare", "-mu", "sh", "-ec", SHADOW, "sh", host, folder]


def command(c, before, program, *words):
    """The finished program, run with the configuration of the daemon of this case."""
    return subprocess.run([*before, os.path.join(c.world.bin_dir, program), "-c", c.daemon.config, *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
                          env={**os.environ, **daemon.SANITIZERS})


@contextlib.contextmanager
def daemon_in(c, before):
    one = c.world.new_daemon(c.label, c.world.options("helo"))
    one._prefix = [*before, *one._prefix]
    try:
        yield one.start()
    finally:
        wrong = one.stop()
    if wrong:
        raise Failed(wrong)


def said(server):
    """What the probes said in EHLO."""
    return {line for line in server.commands if line.startswith("EHLO")}


def said_address(server):
    return len(said(server)) == 1 and re.fullmatch(r"EHLO \[198\.\d+\.\d+\.\d+\]", *said(server))


COMMANDS = [("mxcrypt", ["rules"]), ("mxcrypt", ["stats"]), ("mxcrypt", ["held"]), ("mxcrypt", ["cache", "list"]), ("mxcrypt", ["report"]),
            ("mxcrypt", ["query", "192.0.2.1"]), ("mxcrypt", ["log-level"]), ("mxcrypt", ["no-such-command"]),
            ("mxcryptd", ["-t"]), ("mxcryptd", ["-V"])]


@helo("no command asks for the host's name")
def _(c):
    def step():
        with silence() as server:
            before = shadow(c, server)
            for program, words in COMMANDS:
                done = command(c, before, program, *words)
                if done.returncode not in (0, 1, 64) or server.asked:
                    raise Failed(f"{program} {words}: exit {done.returncode}, asked {server.asked}: {done.stdout} {done.stderr}")
    c.do(step)


@helo("DNS is silent: the daemon starts, and says its address until it knows its name")
def _(c):
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx")

    def step():
        with silence() as dns, daemon_in(c, shadow(c, dns)) as one:
            waiting.until(lambda: dns.asked, "the name is asked for")
            c.must_be("VER", one.ask(c.u), c.u)
            if not said_address(server):
                raise Failed(f"said {said(server)}")
            if one.events("helo-name") or one.events("helo-name-unknown"):
                raise Failed(one.log())
    c.do(step)


@helo("DNS is silent: who refuses an address is not judged by it")
def _(c):
    server = c.plain_host("mx", temper=replace(GOOD, ehlo=b"504 who?\r\n", helo=b"504 who?\r\n"))
    c.plain("@ MX 10 mx")

    def step():
        with silence() as dns, daemon_in(c, shadow(c, dns)) as one:
            c.must_be("NF", one.ask(c.u), c.u)
            seen = one.explain(c.u)["evidence"]["hosts"][0]["addresses"][0]
            if seen["starttls"] != "unknown" or "own name is not known yet" not in seen["detail"]:
                raise Failed(f"{seen}")
            stats = one.stats()
            if not said_address(server) or stats["probe_failures_local"] != 1 or stats["probes_error"] != 0:
                raise Failed(f"said {said(server)}: {stats}")
    c.do(step)


@helo("the name is in /etc/hosts: nobody is asked, and it is said")
def _(c):
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx")

    def step():
        with silence() as dns, daemon_in(c, shadow(c, dns, hosts="198.51.100.1 mail.hosts.example mail\n")) as one:
            waiting.until(lambda: one.events("helo-name"), "the name is known")
            c.must_be("VER", one.ask(c.u), c.u)
            if said(server) != {"EHLO mail.hosts.example"} or dns.asked:
                raise Failed(f"said {said(server)}, asked {dns.asked}")
    c.do(step)


@helo("the name is in the DNS")
def _(c):
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx", "own A 198.51.100.1")

    def step():
        with daemon_in(c, shadow(c, host="own", resolv_conf=f"nameserver 127.0.0.53\nsearch {c.u}\n")) as one:
            waiting.until(lambda: one.events("helo-name"), "the name is known")
            c.must_be("VER", one.ask(c.u), c.u)
            if said(server) != {f"EHLO own.{c.u}"}:
                raise Failed(f"said {said(server)}")
    c.do(step)


@helo("there is no full name: a warning, and the address")
def _(c):
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx")

    def step():
        with daemon_in(c, shadow(c, host="lonely", hosts="198.51.100.1 lonely\n", resolv_conf="nameserver 127.0.0.53\n")) as one:
            waiting.until(lambda: one.events("helo-name-unknown"), "that there is no name is known")
            c.must_be("VER", one.ask(c.u), c.u)
            if not said_address(server):
                raise Failed(f"said {said(server)}")
    c.do(step)


@helo("a full host name is said as it stands")
def _(c):
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx")

    def step():
        with silence() as dns, daemon_in(c, shadow(c, dns, "full.host.example")) as one:
            c.must_be("VER", one.ask(c.u), c.u)
            if said(server) != {"EHLO full.host.example"} or dns.asked:
                raise Failed(f"said {said(server)}, asked {dns.asked}")
    c.do(step)


@helo("mxcrypt explain --fresh and probe: the name from /etc/hosts, and no wait for a silent DNS")
def _(c):
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx")

    def step():
        with silence() as dns:
            for words in (["explain", "--fresh", c.u], ["probe", f"mx.{c.u}"]):
                for hosts, name in (("", "EHLO ["), ("198.51.100.1 mail.hosts.example mail\n", "EHLO mail.hosts.example")):
                    server.connections.clear()
                    done = command(c, shadow(c, dns, hosts=hosts), "mxcrypt", *words)
                    if done.returncode != 0 or not said(server) or not all(line.startswith(name) for line in said(server)):
                        raise Failed(f"{words}: exit {done.returncode}, said {said(server)}: {done.stdout} {done.stderr}")
    c.do(step)
