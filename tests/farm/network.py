"""Network namespaces around that of tests/world, each joined to it by a pair of interfaces. They reach each other through it, and
whatever listens there.

A namespace lasts as long as the process that holds it, which ends with the test."""

import subprocess
import sys

NET, NET6 = "192.0.2.{}", "fd01:{:x}::{}"
HOLD = "import ctypes, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); print(flush=True); signal.pause()"  # 1: PR_SET_PDEATHSIG


def ip(*words, before=()):
    subprocess.run([*before, "ip", *map(str, words)], check=True, stdin=subprocess.DEVNULL)


def forward():
    """Lets packets pass from one namespace to another."""
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
        file.write("1\n")


class Namespace:
    """`number`, from 0, says which addresses it has."""

    def __init__(self, name, number):
        self.name, self.link = name, f"w-{name}"
        self.address, gateway = NET.format(4 * number + 2), NET.format(4 * number + 1)
        self.address6, gateway6 = NET6.format(number, 2), NET6.format(number, 1)
        self._holder = subprocess.Popen(["unshare", "-n", sys.executable, "-c", HOLD], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self._holder.stdout.readline() != b"\n":
            raise RuntimeError(f"no network namespace: exit status {self._holder.wait()}")
        self.enter = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]
        self._join(gateway, gateway6)

    def _join(self, gateway, gateway6):
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self._holder.pid)
        ip("addr", "add", f"{gateway}/30", "dev", self.link)
        ip("addr", "add", f"{gateway6}/64", "dev", self.link, "nodad")
        ip("link", "set", self.link, "up")
        self.ip("link", "set", "lo", "up")
        self.ip("addr", "add", f"{self.address}/30", "dev", "eth0")
        self.ip("addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        self.ip("link", "set", "eth0", "up")
        self.ip("route", "add", "default", "via", gateway)
        self.ip("-6", "route", "add", "default", "via", gateway6)

    def ip(self, *words):
        ip(*words, before=self.enter)

    def start(self, command, log):
        """A process in there, whose output goes into the file `log`."""
        with open(log, "ab") as file:
            return subprocess.Popen([*self.enter, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def cut_off(self, other):
        """From now on no packet passes between the two, in silence."""
        for one, to in ((self, other), (other, self)):
            ip("rule", "add", "prio", 0, "iif", one.link, "to", to.address, "blackhole")

    def join_again(self, other):
        for one, to in ((self, other), (other, self)):
            ip("rule", "del", "prio", 0, "iif", one.link, "to", to.address, "blackhole")
