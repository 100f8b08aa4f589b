"""The farm (farm/farm.h) as a server of a test, and what its log tells."""

import collections
import ipaddress
import os
import signal
import subprocess
import time
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
    """Serves the hosts of a table."""

    def __init__(self, bin_dir, folder, ca, table, workers=2, before=()):
        """`before`: words before the command, as taskset's."""
        self.log = os.path.join(folder, f"farm-{time.monotonic_ns()}")
        self.places = [0] * workers  # up to where each log was read
        subprocess.run(["ip", "-6", "route", "replace", "local", NET6, "dev", "lo"], check=True)
        self.process = subprocess.Popen([*before, os.path.join(bin_dir, "survey_farm"), "-t", table, "-a", ca.ca_file, "-A", ca.root.key.path, "-k",
                                         ca.leaf_key.path, "-w", str(workers), "-l", self.log], stdout=subprocess.PIPE, text=True)
        self._must_be_ready()

    def _must_be_ready(self):
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the farm ended with {self.process.wait()}")

    def take(self):
        """Every connection that has ended since this was last asked, by the time it was opened."""
        self.process.send_signal(signal.SIGHUP)
        self._must_be_ready()
        return self._read_logs()

    def stop(self):
        """Ends it; gives the rest of the connections."""
        self.process.terminate()
        if self.process.wait(60) != 0:
            raise RuntimeError(f"the farm ended with {self.process.returncode}")
        return self._read_logs()

    def _read_logs(self):
        found = []
        for worker, place in enumerate(self.places):
            with open(f"{self.log}.{worker}", encoding="ascii", errors="backslashreplace") as file:
                file.seek(place)
                found += [_read(line) for line in iter(file.readline, "")]
                self.places[worker] = file.tell()
        return sorted(found, key=lambda one: one.opened)


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
