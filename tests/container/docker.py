"""Docker's daemon and compose, with everything of theirs in one folder; one that the machine runs is not touched."""

import json
import os
import subprocess

import waiting

COMPOSE = "contrib/container/compose.yaml"
NO_NETWORKS = ("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
STATE = "/run/docker"  # of a mount namespace of the test's own


class Docker:
    """dockerd, until stop(). It makes networks where the test has a network namespace of its own, else with `NO_NETWORKS` none."""

    def __init__(self, folder, flags=()):
        self.socket = os.path.join(folder, "docker.sock")
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": os.path.join(folder, "config")}
        with open(os.path.join(folder, "dockerd.log"), "ab") as log:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(["dockerd", "--data-root", os.path.join(folder, "data"), "--exec-root", STATE, "--pidfile", f"{STATE}.pid",
                                             "--config-file", os.path.join(folder, "daemon.json"), "--host", f"unix://{self.socket}", *flags],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        waiting.until(lambda: self.process.poll() is not None or self.docker("version", want=None).returncode == 0, "dockerd answers", seconds=60, pause=0.2)
        if self.process.poll() is not None:
            raise RuntimeError(f"dockerd ends with {self.process.returncode}: {folder}/dockerd.log")

    def run(self, *words, want=0, timeout=300, **environment):
        """The program, ended; `want`: its exit status, None for any."""
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              timeout=timeout, env={**self.environment, **environment}, errors="backslashreplace")
        if want is not None and done.returncode != want:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stdout[-6000:]}")
        return done

    def docker(self, *words, **options):
        return self.run("docker", *words, **options)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Project:
    """What compose makes of compose.yaml and of another file with what the test has in the place of the Internet."""

    def __init__(self, docker, folder, services):
        self.docker = docker
        self.files = ["--file", COMPOSE]
        if services:
            path = os.path.join(folder, "more.json")  # JSON is YAML
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"services": services}, file)
            self.files += ["--file", path]

    def compose(self, *words, **options):
        return self.docker.run("docker-compose", *self.files, *words, **options).stdout

    def container(self, service):
        return self.compose("ps", "--quiet", service).strip()

    def state(self, service):
        """docker inspect, of the service's container; also of one that has ended."""
        name = self.docker.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.service={service}").stdout.strip()
        return json.loads(self.docker.docker("inspect", name).stdout)[0]

    def exec(self, service, *words, want=0):
        return self.compose("exec", "-T", service, *words, want=want)

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
