"""A redis-server of a test, on a Unix socket in a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess

import waiting


class Redis:
    def __init__(self, folder):
        self.folder, self.socket = os.path.join(folder, "redis"), os.path.join(folder, "redis.sock")
        self.url = f"valkey+unix://{self.socket}"
        self.process = None
        self.start()

    def start(self, empty=False, copy=None):
        """`empty`: without its data; `copy`: with that of a moment before, which keep() has kept."""
        if empty or copy:
            shutil.rmtree(self.folder)
        if copy:
            shutil.copytree(copy, self.folder)
        os.makedirs(self.folder, exist_ok=True)
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--appendonly", "yes", "--appendfsync",
             "always", "--daemonize", "no"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        waiting.until(self._answers, "redis-server", 60)

    def _answers(self):
        try:
            return self.ask("PING") == "PONG"
        except (OSError, RuntimeError):
            return False  # it is starting, or reads its data

    def kill(self):
        """As a machine dies; what was written is on the disk."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        os.unlink(self.socket)

    def keep(self, path):
        """Its data of this moment: a write that is half done there is left out when it is read."""
        shutil.copytree(self.folder, path)
        return path

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def ask(self, *words):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.socket)
            octets = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(octets) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in octets))
            with connection.makefile("rb") as reader:
                return _read(reader)

    def info(self, section):
        lines = self.ask("INFO", section).split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def calls(self):
        """Command -> how often it was called."""
        return {name.removeprefix("cmdstat_"): int(value.split(",")[0].removeprefix("calls=")) for name, value in self.info("commandstats").items()}


def _read(reader):
    line = reader.readline()[:-2].decode()
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise RuntimeError(rest)
    if kind == "$":
        return None if rest == "-1" else reader.read(int(rest) + 2)[:-2].decode(errors="backslashreplace")
    if kind == "*":
        return [_read(reader) for _ in range(int(rest))]
    return int(rest) if kind == ":" else rest
