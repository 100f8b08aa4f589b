"""Docker's daemon and compose, with everything of theirs in one folder; one that the machine runs is not touched."""

import contextlib
import glob
import json
import os
import subprocess

import waiting
from outside import run

COMPOSE = "contrib/container/compose.yaml"
STATE = "/run/docker"  # of a mount namespace of the test's own
KEYS = "/etc/docker"   # where it would leave one
CGROUP = "mxcrypt-compose"
KEPT_OUT = ("COMPOSE_", "DOCKER_", "MAIL_HOSTNAME")  # of the environment: the files decide


class Docker:
    """dockerd, until stop()."""

    def __init__(self, folder):
        """`folder`: one that nobody else can write to, for all that it keeps."""
        socket = os.path.join(folder, "docker.sock")
        own = {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": os.path.join(folder, "config")}
        self.environment = {**{key: value for key, value in os.environ.items() if not key.startswith(KEPT_OUT)}, **own}
        with open(os.path.join(folder, "daemon.json"), "w", encoding="ascii") as file:
            file.write("{}")
        self.has_keys = os.path.isdir(KEYS)
        os.makedirs(KEYS, exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", KEYS)
        self.log = os.path.join(folder, "dockerd.log")
        with open(self.log, "wb") as log:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(["dockerd", "--data-root", os.path.join(folder, "data"), "--exec-root", STATE, "--pidfile", f"{STATE}.pid",
                                             "--config-file", file.name, "--host", f"unix://{socket}", "--cgroup-parent", CGROUP],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        waiting.until(lambda: self.process.poll() is not None or self.docker("version", want=None).returncode == 0, "dockerd answers", seconds=60, pause=0.2)
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="backslashreplace") as text:
                raise RuntimeError(f"dockerd ends with {self.process.returncode}: {text.read()[-3000:]}")

    def run(self, *words, want=0, timeout=300, **environment):
        """The program, ended; `want`: its exit status, None for any."""
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=timeout, env={**self.environment, **environment}, errors="backslashreplace")
        if want is not None and done.returncode != want:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def docker(self, *words, **options):
        return self.run("docker", *words, **options)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        run("umount", KEYS)
        if not self.has_keys:
            os.rmdir(KEYS)
        for path in (*glob.glob(f"/sys/fs/cgroup/*/{CGROUP}"), f"/sys/fs/cgroup/{CGROUP}"):
            with contextlib.suppress(OSError):
                os.rmdir(path)


class Project:
    """What compose makes of compose.yaml and of another file with what the test has in the place of the Internet."""

    def __init__(self, docker, folder, services):
        self.docker = docker
        path = os.path.join(folder, "more.json")  # JSON is YAML
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"services": services}, file)
        self.files = ["--file", COMPOSE, "--file", path]

    def compose(self, *words, **options):
        return self.docker.run("docker-compose", *self.files, *words, **options).stdout

    def container(self, service):
        return self.compose("ps", "--quiet", service).strip()

    def state(self, service):
        """docker inspect, of the service's container; also of one that has ended."""
        name = self.docker.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.service={service}").stdout.strip()
        return json.loads(self.docker.docker("inspect", name).stdout)[0]

    def exec(self, service, *words, want=0):
        """What it prints; `want`: its exit status, None for any, and if that is not 0 it printed nothing."""
        done = self.docker.run("docker-compose", *self.files, "exec", "-T", service, *words, want=want)
        return done.stdout if done.returncode == 0 else ""

    def log(self, service):
        return self.compose("logs", "--no-color", service)

    def says(self, service, *words, count=1):
        """Waits until so many lines of its log have these words."""
        def lines():
            return [line for line in self.log(service).splitlines() if all(word in line for word in words)][count - 1:]
        try:
            return waiting.until(lines, f"{service} says {words}", seconds=60, pause=0.2)[0]
        except waiting.TimedOut as error:
            raise RuntimeError(f"{error}\n{self.log(service)[-3000:]}") from error
