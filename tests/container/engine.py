"""Containers by podman, with what compose.yaml says of a service."""

import json
import os
import subprocess

import yaml

import waiting
from outside import run

COMPOSE = "contrib/container/compose.yaml"
RUNTIMES = ("runc", "crun")
# of the machine's own, which need not be ours to raise
LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000")


def podman(*words, want=0):
    """What it prints; `want`: its exit status, None for any."""
    done = subprocess.run(["podman", "--runtime", Engine.runtime, "--cgroup-manager", "cgroupfs", "--events-backend", "file", *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=120, errors="backslashreplace")
    if want is not None and done.returncode != want:
        raise RuntimeError(f"podman {' '.join(words)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class Engine:
    """Which runtime works here."""
    runtime = RUNTIMES[0]

    @classmethod
    def find(cls):
        why = ""
        for cls.runtime in RUNTIMES:
            try:
                podman("run", "--rm", *LIMITS, "--network", "none", "localhost/mxcrypt", "-V")
                return ""
            except RuntimeError as error:
                why += f"{cls.runtime}: {error}\n"
        return why


class Service:
    """A service of compose.yaml as a container. `instead`: mounts in the place of its volumes, by their targets; None: no mount."""
    made = 0

    def __init__(self, outside, service, address=None, instead=None, ipv6=True, words=()):
        with open(COMPOSE, encoding="utf-8") as file:
            compose = yaml.safe_load(file)
        self.outside, self.spec = outside, compose["services"][service]
        self.address = address or self.spec["networks"]["mail"]["ipv4_address"]
        Service.made += 1
        self.name = f"{service}{Service.made}"
        self.command = ["run", "--detach", "--name", self.name, *LIMITS, "--network", "ns:" + outside.network(self.name, self.address, ipv6),
                        *self._flags(dict(instead or {})), f"localhost/{self.spec['image']}", *words]
        podman(*self.command)

    def _flags(self, instead):
        spec, flags = self.spec, []
        if spec["read_only"]:
            flags += ["--read-only", "--read-only-tmpfs=false"]
        for one in spec["cap_drop"]:
            flags += ["--cap-drop", one]
        for one in spec.get("cap_add", []):
            flags += ["--cap-add", one]
        for one in spec["security_opt"]:
            flags += ["--security-opt", one.replace(":true", "")]
        for key, value in spec.get("sysctls", {}).items():
            flags += ["--sysctl", f"{key}={value}"]
        for one in spec.get("volumes", []):
            source, target, *mode = one.split(":")
            if target not in instead:
                instead[target] = (os.path.realpath(os.path.join(os.path.dirname(COMPOSE), source)) if source.startswith(".") else f"{self.name}-{source}",
                                   *mode)
        for target, (source, *mode) in ((target, mount) for target, mount in instead.items() if mount):
            flags += ["--volume", ":".join([source, target, *mode])]
        return [*flags, "--hostname", "mail.mxc"]

    def state(self, path="State"):
        got = json.loads(podman("inspect", self.name))[0]
        for key in path.split("."):
            got = got[key]
        return got

    def log(self):
        done = subprocess.run(["podman", "--runtime", Engine.runtime, "logs", self.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=True, timeout=60, errors="backslashreplace")
        return done.stdout

    def says(self, *words):
        """Waits until a line of its log has these words; the line."""
        def line():
            return next((one for one in self.log().splitlines() if all(word in one for word in words)), "")
        try:
            return waiting.until(line, f"{self.name} says {words}", seconds=60)
        except Exception as error:
            raise RuntimeError(f"{error}\n{self.log()[-3000:]}") from error

    def ready(self):
        self.says("event=ready")
        return self

    def exec(self, *words, want=0, user=None):
        return podman("exec", *(["--user", user] if user else []), self.name, *words, want=want)

    def health(self):
        """The exit status and the lines of the health check, run as the engine runs it; then what the engine says."""
        done = subprocess.run(["podman", "--runtime", Engine.runtime, "healthcheck", "run", self.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        health = self.state("State")["Health"] if "Health" in self.state("State") else self.state("State")["Healthcheck"]
        return done.returncode, health["Log"][-1]["Output"] if health["Log"] else done.stdout, health["Status"]

    def status_of(self, path="/proc/1/status"):
        """What the kernel says of its first process."""
        with open(path.replace("/1/", f"/{self.state('State.Pid')}/"), encoding="ascii") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)

    def signal(self, name):
        podman("kill", "--signal", name, self.name)

    def wait(self):
        """Its exit status, once it has ended."""
        return int(podman("wait", self.name).strip())

    def stop(self):
        """As `compose stop`: SIGTERM, then SIGKILL; its exit status."""
        podman("stop", "--time", "30", self.name)
        return self.wait()

    def start(self):
        podman("start", self.name)
        return self

    def remove(self):
        podman("rm", "--force", "--time", "0", "--volumes", self.name, want=None)
        self.outside.forget_network(self.name)


__all__ = ["Engine", "Service", "podman", "run"]
