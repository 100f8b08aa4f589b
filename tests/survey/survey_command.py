"""`mxcrypt survey` as the tests run it: its configuration, its runs, how much memory they took, and kill -9."""

import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass

import daemon

OPTIONS = {"allow-address": "198.51.100.0/24 198.18.0.0/15 10.0.0.0/8 2001:db8::/32", "greeting-deadline": "2s", "probe-deadline": "10s",
           "fetch-deadline": "5s"}
POLL_S = 0.02
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True)
class Finished:
    status: int
    out: str
    err: str
    seconds: float
    peak_kb: int
    killed: bool


def write_conf(the_world, **changes):
    """An mxcryptd.conf for surveys of this world; returns its path."""
    path = os.path.join(the_world.folder, f"survey-{time.monotonic_ns()}.conf")
    options = {**the_world.options(), "resolver": "127.0.0.1", **OPTIONS, **{key.replace("_", "-"): value for key, value in changes.items()}}
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{key} = {value}\n" for key, value in options.items())
    return path


class Command:
    def __init__(self, bin_dir, conf, before=()):
        """`before`: words before the command, as taskset's."""
        self.program, self.conf, self.before = os.path.join(bin_dir, "mxcrypt"), conf, list(before)

    def words(self, *arguments):
        return [*self.before, self.program, "-c", self.conf, "survey", *map(str, arguments)]

    def read(self, *arguments, timeout=120):
        """A command that reads a results file."""
        return subprocess.run(self.words(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="backslashreplace", timeout=timeout, check=False, env={**os.environ, **daemon.SANITIZERS})

    def run(self, *arguments, kill_after=None, timeout=1800):
        """A whole run; with kill_after it is killed after so many seconds, if it still runs."""
        began = time.monotonic()
        process = subprocess.Popen(self.words("run", *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, errors="backslashreplace", env={**os.environ, **daemon.SANITIZERS})
        said = {}
        readers = [threading.Thread(target=lambda name=name: said.update({name: getattr(process, name).read()})) for name in ("stdout", "stderr")]
        for reader in readers:
            reader.start()
        peak, killed = self._watch(process, began, kill_after, timeout)
        for reader in readers:
            reader.join()
        return Finished(process.returncode, said["stdout"], said["stderr"], time.monotonic() - began, peak, killed)

    @staticmethod
    def _watch(process, began, kill_after, timeout):
        """The peak of its memory in kB (a mark that only rises: what the last glance misses is one interval's), and whether it was
        killed."""
        peak, killed = 0, False
        while process.poll() is None:
            peak = max(peak, _peak_kb(process.pid))
            left = (kill_after if kill_after is not None else timeout) - (time.monotonic() - began)
            if left <= 0:
                process.kill()
                process.wait()
                killed = process.returncode == -9
                break
            try:
                process.wait(min(POLL_S, left))
            except subprocess.TimeoutExpired:
                pass
        if killed and kill_after is None:
            raise RuntimeError(f"mxcrypt survey run did not end within {timeout} s")
        return peak, killed


def _peak_kb(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            found = PEAK.search(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) if found else 0
