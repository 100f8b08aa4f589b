"""mxcryptd under test: its configuration, start, questions, and a stop that must be clean."""

import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import clients
import waiting

SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=98:quarantine_size_mb=16",
              "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "LSAN_OPTIONS": "report_objects=1"}
VALGRIND = ["valgrind", "--quiet", "--vgdb=no", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=99", "--child-silent-after-fork=yes",
            "--num-callers=40",  # or a stack ends before the frame by which a suppression knows it
            f"--suppressions={os.path.join(os.path.dirname(os.path.abspath(__file__)), 'valgrind.supp')}"]
FAR_FD = 200  # out of the way of those that are handed over
BAD_OUTPUT = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|^==\d+== (?!\s*$)", re.MULTILINE)


def _handed_over(command, descriptors, names):
    """The command, run with these descriptors from 3 on and the environment that systemd promises them by."""
    if not descriptors:
        return command
    moves = " ".join(f"{3 + number}<&{descriptor} {descriptor}<&-" for number, descriptor in enumerate(descriptors))
    promise = f"LISTEN_PID=$$ LISTEN_FDS={len(descriptors)} LISTEN_FDNAMES={':'.join(names)}"
    return ["bash", "-c", f'exec {moves} && exec env {promise} "$@"', "bash", *command]


class Daemon:
    """One mxcryptd; `options` are lines of its configuration, keys may repeat as lists; `before`: words before the command, as nsenter's."""

    def __init__(self, bin_dir, folder, options, valgrind=False, before=()):
        self.bin_dir, self.folder = bin_dir, folder
        self.socket = os.path.join(folder, "policy.sock")
        self.control = os.path.join(folder, "control.sock")
        self.config = os.path.join(folder, "mxcryptd.conf")
        self.log_path = os.path.join(folder, "mxcryptd.log")
        self.environment = {}
        self._prefix = [*before, *(VALGRIND if valgrind else [])]
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        listen = [f"socketmap:unix:{self.socket} mode=0666", *options.pop("listen", [])]
        self.options = {"listen": listen, "control-socket": self.control, "store": os.path.join(folder, "store.db"), "user": "root", **options}
        self.configure()

    def configure(self, **changes):
        """Writes the configuration, with these options changed for good."""
        self.options.update({key.replace("_", "-"): value for key, value in changes.items()})
        with open(self.config + ".new", "w", encoding="utf-8") as file:
            for key, value in self.options.items():
                for one in value if isinstance(value, list) else [value]:
                    file.write(f"{key} = {one}\n")
        os.replace(self.config + ".new", self.config)

    def start(self, sockets=()):
        """Starts it; `sockets` are listening ones to hand over as systemd does: (socket, name)."""
        command = [*self._prefix, os.path.join(self.bin_dir, "mxcryptd"), "-c", self.config]
        handed = [fcntl.fcntl(one, fcntl.F_DUPFD, FAR_FD) for one, _ in sockets]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(_handed_over(command, handed, [name for _, name in sockets]), pass_fds=handed, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env={**os.environ, **SANITIZERS, **self.environment})
        for descriptor in handed:
            os.close(descriptor)
        waiting.until(self._ready, f"mxcryptd is ready, see {self.log_path}", seconds=60)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"mxcryptd ended with {self.process.returncode}: {self.log()[-2000:]}")
        return "event=ready" in self.log()

    def log(self):
        return pathlib.Path(self.log_path).read_text(encoding="utf-8", errors="backslashreplace")

    def ask(self, key, name="policy", timeout=40):
        with clients.Socketmap(self.socket, timeout) as connection:
            return connection.ask(key, name)

    def cli(self, *arguments, timeout=60, stdin=subprocess.DEVNULL, path=None):
        """mxcrypt with these arguments, programs of the folder `path` coming first; the finished process."""
        return subprocess.run([os.path.join(self.bin_dir, "mxcrypt"), "-c", self.config, *arguments], stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="backslashreplace", timeout=timeout, check=False,
                              env={**os.environ, **SANITIZERS, **({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})})

    def explain(self, key):
        out = self.cli("--json", "explain", key)
        try:
            return json.loads(out.stdout)
        except ValueError as error:
            raise AssertionError(f"explain {key} gave no JSON: {out.stdout[:300]!r} {out.stderr[:300]!r}") from error

    def control_answer(self, command, **more):
        """What the control socket answers: as mxcrypt, for those who ask again and again."""
        with clients.Stream(self.control) as connection:
            connection.send(json.dumps({"command": command, **more}).encode() + b"\n")
            return json.loads(connection.read_until(b"\n"))

    def stats(self):
        return self.control_answer("stats")

    def value(self, *arguments):
        """What mxcrypt --json prints with these arguments, None when it is no JSON."""
        try:
            return json.loads(self.cli("--json", *arguments).stdout)
        except ValueError:
            return None

    def held(self, key=None):
        """The holds, or the hold of one key (None when there is none)."""
        holds = self.control_answer("held")["held"]
        return holds if key is None else next((one for one in holds if one["key"] == key), None)

    def events(self, name, domain=None):
        """The log lines of an event, of all or of one domain."""
        return [line for line in self.log().splitlines() if f"event={name} " in line + " " and (domain is None or f"domain={domain} " in line + " ")]

    def settled(self):
        """Wait until lookups are at their end and all that was learnt is written."""
        def at_rest():
            stats = self.stats()
            return not (stats["jobs_running"] or stats["jobs_waiting"] or stats["store_pending"])
        waiting.until(at_rest, "everything is written", 60, pause=0.005)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends the daemon; what was wrong about it as text, empty when nothing was."""
        began = time.monotonic()
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "did not end within 60 s of SIGTERM"
        wrong = [] if status == 0 else [f"exit status {status} after {time.monotonic() - began:.1f} s"]
        found = BAD_OUTPUT.search(self.log())
        if found:
            wrong.append(self.log()[found.start():found.start() + 3000])
        return "; ".join(wrong)
