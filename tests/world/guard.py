"""What must be true after every attack: the process lives, memory and descriptors are back, others were served in time."""

import json
import os
import subprocess
import sys
import time

import waiting

LATENCY_P95_MS = 50          # generous: sanitizers, two cores, and the attackers run on them too
MEMORY_KB = 200_000          # sanitizers keep freed memory for a while
DESCRIPTORS = 4
RECOVERY_S = 45
ENOUGH_SAMPLES = 20


class Guard:
    """Watches one daemon while a group of cases attacks it; `timed`: the latency is judged, not only shown."""

    def __init__(self, daemon, key, timed):
        self.daemon, self.key, self.timed = daemon, key, timed

    def __enter__(self):
        self.answer = self.daemon.ask(self.key)
        self.descriptors, self.memory = self.daemon.descriptors(), self.daemon.resident_kb()
        here = os.path.dirname(os.path.abspath(__file__))
        self._probe = subprocess.Popen([sys.executable, os.path.join(here, "latency.py"), self.daemon.socket, self.key],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._cpu, self._began = self.daemon.cpu_seconds(), time.monotonic()
        return self

    def __exit__(self, *_):
        out, err = self._probe.communicate(timeout=60)
        self.figures = json.loads(out) if out else {"error": err.decode()[-500:]}

    def wrong(self):
        """What is not as it must be, empty when all is well; and the figures."""
        if not self.daemon.alive():
            return "mxcryptd died: " + self.daemon.log()[-1500:], ""
        found = []
        if "error" in self.figures:
            return f"the measuring client failed: {self.figures['error']}", ""
        if self.figures["answers"] != [self.answer]:
            found.append(f"a cached domain was answered {self.figures['answers']} instead of {self.answer}")
        if self.timed and self.figures["p95"] > LATENCY_P95_MS and self.figures["count"] > ENOUGH_SAMPLES:
            found.append(f"p95 of a cached answer {self.figures['p95']:.1f} ms")
        try:
            waiting.until(lambda: self.daemon.descriptors() <= self.descriptors + DESCRIPTORS, "descriptors back", RECOVERY_S, 0.2)
        except waiting.TimedOut:
            found.append(f"{self.daemon.descriptors()} descriptors, {self.descriptors} before")
        if self.daemon.resident_kb() > self.memory + MEMORY_KB:
            found.append(f"{self.daemon.resident_kb()} kB resident, {self.memory} before")
        return "; ".join(found), self._figures_text()

    def _figures_text(self):
        figures = self.figures
        return (f"{figures['count']} cached answers meanwhile: p50 {figures['p50']:.2f} ms, p95 {figures['p95']:.2f} ms, "
                f"p99 {figures['p99']:.2f} ms, max {figures['max']:.1f} ms; descriptors {self.descriptors} -> {self.daemon.descriptors()}, "
                f"resident {self.memory // 1024} -> {self.daemon.resident_kb() // 1024} MB, "
                f"CPU {self.daemon.cpu_seconds() - self._cpu:.1f} s in {time.monotonic() - self._began:.1f} s")
