"""The farm (farm/farm.h) as a server of a test, and what its log tells."""

import collections
import glob
import ipaddress
import os
import subprocess
from dataclasses import dataclass

NS_PER_S = 1_000_000_000
NET6 = "2001:db8::/32"  # all of it is here; tests/world does the same for 10.0.0.0/8


@dataclass(frozen=True)
class Connection:
    opened: int  # ns
    closed: int
    address: str
    temper: str
    sni: str | None
    words: tuple

    @property
    def prefix(self):
        return prefix_of(self.address)


def prefix_of(address):
    return str(ipaddress.ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


class Farm:
    """Serves the hosts of a table; every start has a log of its own."""

    def __init__(self, bin_dir, folder, ca, table, workers=2, before=()):
        """`before`: words before the command, as taskset's."""
        self.folder, self.workers = folder, workers
        self.command = [*before, os.path.join(bin_dir, "survey_farm"), "-t", table, "-a", ca.ca_file, "-A", ca.root.key.path, "-k", ca.leaf_key.path,
                        "-w", str(workers)]
        self.starts, self.process = 0, None
        subprocess.run(["ip", "-6", "route", "replace", "local", NET6, "dev", "lo"], check=True)

    def start(self):
        self.starts += 1
        self.log = os.path.join(self.folder, f"farm-{self.starts}.log")
        self.process = subprocess.Popen([*self.command, "-l", self.log], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the farm ended with {self.process.wait()}")
        return self

    def stop(self):
        """Ends it, and gives every connection that there was, by the time it was opened."""
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise RuntimeError(f"the farm ended with {self.process.returncode}")
        found = []
        for path in glob.glob(self.log + ".*"):
            with open(path, encoding="ascii", errors="backslashreplace") as file:
                found += [_read(line) for line in file]
            os.unlink(path)
        return sorted(found, key=lambda one: one.opened)

    def restart(self):
        """The connections so far; it goes on with an empty log."""
        found = self.stop()
        self.start()
        return found


def _read(line):
    opened, closed, address, temper, sni, words = line.split(" ")
    return Connection(int(opened), int(closed), address, temper, None if sni == "-" else sni, tuple(words.rstrip("\n").split(",")))


def most_at_once(connections, key):
    """How many were open at once to an address, a prefix, ... (`key`), at most: key -> number. A connection that is opened at the
    very moment when another one ends does not count with it."""
    moments = sorted([(one.closed, 0, key(one)) for one in connections] + [(one.opened, 1, key(one)) for one in connections])
    now, most = collections.Counter(), collections.Counter()
    for _, begins, what in moments:
        now[what] += 1 if begins else -1
        most[what] = max(most[what], now[what])
    return most


def most_in(connections, seconds):
    """The largest number of connections that began within so many seconds."""
    times = [one.opened for one in connections]
    first = most = 0
    for last, time in enumerate(times):
        while time - times[first] >= seconds * NS_PER_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def seconds_of(connections):
    """From the first connection to the end of the last."""
    return (max(one.closed for one in connections) - connections[0].opened) / NS_PER_S
