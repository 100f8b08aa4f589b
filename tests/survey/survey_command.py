"""`mxcrypt survey` as the tests run it: its configuration, its runs, how much memory they took, and kill -9."""

import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

import daemon

OPTIONS = {"allow-address": "198.51.100.0/24 198.18.0.0/15 10.0.0.0/8 2001:db8::/32", "greeting-deadline": "2s", "probe-deadline": "10s",
           "fetch-deadline": "30s", "dns-timeout": "10s", "dns-tries": "5"}  # a machine that is busy changes no result
POLL_S = 0.02
STOP_S = 60  # from SIGINT to the end
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True)
class Finished:
    status: int
    out: str
    err: str
    seconds: float
    peak_kb: int
    killed: bool  # by a signal of ours


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

    def run(self, *arguments, kill_after=None, stop_after=None, timeout=1800):
        """A whole run. After kill_after seconds it is killed, after stop_after seconds it gets SIGINT, if it still runs."""
        began = time.monotonic()
        process = subprocess.Popen(self.words("run", *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, errors="backslashreplace", env={**os.environ, **daemon.SANITIZERS})
        said = {}
        readers = [threading.Thread(target=lambda name=name: said.update({name: getattr(process, name).read()})) for name in ("stdout", "stderr")]
        for reader in readers:
            reader.start()
        peak_kb = _watch(process, began + (stop_after or kill_after or timeout))
        killed = process.poll() is None
        if killed:
            process.send_signal(signal.SIGINT if stop_after else signal.SIGKILL)
            process.wait(STOP_S)
        for reader in readers:
            reader.join()
        if killed and not (kill_after or stop_after):
            raise RuntimeError(f"mxcrypt survey run did not end within {timeout} s: {said['stderr'][-2000:]}")
        return Finished(process.returncode, said["stdout"], said["stderr"], time.monotonic() - began, peak_kb, killed)


def _watch(process, until):
    """Waits for its end, or until then. The peak of its memory in kB: a mark that only rises, so the last glance misses little."""
    peak_kb = 0
    while time.monotonic() < until:
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        try:
            process.wait(min(POLL_S, max(0.0, until - time.monotonic())))
            break
        except subprocess.TimeoutExpired:
            pass
    return peak_kb


def _peak_kb(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            found = PEAK.search(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found.group(1)) if found else 0
