#!/usr/bin/python3
"""What tests/compose.sh runs when the images are there: compose starts them, cut off from the network."""

import argparse
import os
import pathlib
import signal
import sys

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "world", "parts"), os.path.dirname(__file__)]
# pylint: disable=wrong-import-position
import waiting
from checks import RULES, SOCKETMAP, check, holds, perform, same
from docker import Docker, Project
from outside import Outside, run

IMAGES = ("mxcrypt", "mxcrypt-unbound", "mxcrypt-postfix")
SERVICES = ("mxcryptd", "unbound", "postfix")


def answer(project, domain):
    """What Postfix is told, once nothing is awaited any more."""
    return waiting.until(lambda: project.exec("postfix", "postmap", "-q", domain, SOCKETMAP, want=None).strip(), f"{domain} is answered", seconds=120)


def send(project, domain):
    project.exec("postfix", "/bin/sh", "-c", f"printf 'Subject: x\\n\\nx\\n' | sendmail -f a@mail.mxc b@{domain}")


@check("compose knows every line, and the project is mxcrypt")
def _(project, _):
    done = project.docker.run("docker-compose", *project.files, "config", "--quiet")
    same((done.stdout, done.stderr), ("", ""), "complaints")
    same(sorted(project.compose("config", "--volumes").split()), ["postfix", "queue", "run", "store"], "volumes")
    same(project.compose("config").count("hostname: mail.example.org\n"), 2, "host names by .env")


@check("all three run, and the volumes and the network are the project's")
def _(project, _):
    project.compose("up", "--no-build", "--detach", MAIL_HOSTNAME="mail.mxc")
    project.says("mxcryptd", "event=ready")
    project.says("postfix", "daemon started")
    same([project.state(one)["State"]["Status"] for one in SERVICES], ["running"] * 3, "states")
    same([project.state(one)["Config"]["Hostname"] for one in ("mxcryptd", "postfix")], ["mail.mxc"] * 2, "host names by the environment")
    same(project.state("mxcryptd")["Config"]["Labels"]["com.docker.compose.project"], "mxcrypt", "the project")
    volumes = project.docker.docker("volume", "ls", "--quiet").stdout.split()
    same(sorted(one for one in volumes if one.startswith("mxcrypt_")), [f"mxcrypt_{one}" for one in ("postfix", "queue", "run", "store")], "volumes")
    same(project.docker.docker("network", "ls", "--quiet", "--filter", "name=mxcrypt_mail").stdout.count("\n"), 1, "networks")


@check("mxcryptd asks unbound, which validates, and not Docker's own resolver")
def _(project, _):
    project.says("mxcryptd", "event=resolver-validates")
    same(project.exec("mxcryptd", "cat", "/etc/resolv.conf").splitlines()[-1], "nameserver 172.30.53.53", "resolv.conf")


@check("mail goes out verified by DANE, waits by a rule, and in the clear where nothing says otherwise")
def _(project, outside):
    same((answer(project, "dane.mxc"), answer(project, "must.mxc")), ("dane-only", "encrypt"), "answers")
    for domain in ("dane.mxc", "must.mxc", "clear.mxc"):
        send(project, domain)
    project.says("postfix", "to=<b@dane.mxc>", "status=sent")
    project.says("postfix", "Verified TLS connection established to mx.dane.mxc")
    project.says("postfix", "to=<b@must.mxc>", "status=deferred", "TLS is required")
    project.says("postfix", "to=<b@clear.mxc>", "status=sent")
    same((outside.good.got, outside.clear.got), ([True], [False]), "with TLS")


@check("Docker's own health check says healthy")
def _(project, _):
    health = waiting.until(lambda: project.state("mxcryptd")["State"]["Health"]["Log"], "a first check", seconds=90, pause=0.5)
    same((health[0]["ExitCode"], project.state("mxcryptd")["State"]["Health"]["Status"]), (0, "healthy"), health[0]["Output"])


@check("it has no rights and a read-only root, and is behind seccomp of both")
def _(project, _):
    pid = project.state("mxcryptd")["State"]["Pid"]
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    same((status["Uid"].split()[0], status["CapPrm"], status["CapBnd"], status["NoNewPrivs"]), ("10025", "0" * 16, "0" * 16, "1"), "rights")
    same((status["Seccomp"], int(status["Seccomp_filters"]) >= 2), ("2", True), "seccomp")
    project.says("mxcryptd", "event=sandbox", "seccomp=yes")
    project.exec("mxcryptd", "/bin/sh", "-c", "! (: >/tmp/x) 2>/dev/null")


def remembers(line):
    """A line store-opened that tells of answers."""
    holds("answers=" in line and "answers=0" not in line, line)


def learnt(project):
    """Waits until what was learnt is on disk."""
    waiting.until(lambda: "\"store_pending\": 0" in project.exec("mxcryptd", "/usr/bin/mxcrypt", "--json", "stats"), "it is written")


@check("killed, it is started again by Docker, and knows what it learnt")
def _(project, _):
    learnt(project)
    os.kill(project.state("mxcryptd")["State"]["Pid"], signal.SIGKILL)
    waiting.until(lambda: project.state("mxcryptd")["RestartCount"] == 1, "it is started again", pause=0.2)
    project.says("mxcryptd", "event=ready", count=2)
    remembers(project.says("mxcryptd", "event=store-opened", count=2))
    same(answer(project, "dane.mxc"), "dane-only", "answer")


@check("an upgrade: new containers on the old volumes, with the mail that waits")
def _(project, _):
    before = project.container("mxcryptd")
    project.compose("up", "--no-build", "--detach", "--force-recreate", MAIL_HOSTNAME="mail.mxc")
    holds(project.container("mxcryptd") != before, "the same container")
    project.says("mxcryptd", "event=ready")
    remembers(project.says("mxcryptd", "event=store-opened"))
    same(answer(project, "dane.mxc"), "dane-only", "answer")
    holds("b@must.mxc" in project.exec("postfix", "postqueue", "-p"), "the deferred mail is not in the queue")


@check("stop ends all three in time, and down leaves the volumes")
def _(project, _):
    project.says("postfix", "daemon started")  # a SIGTERM before that is lost: process 1 is a shell until then
    project.compose("stop", "--timeout", "20")
    same([project.state(one)["State"]["ExitCode"] for one in SERVICES], [0] * 3, "exit statuses")
    project.compose("down")
    holds("mxcrypt_store" in project.docker.docker("volume", "ls", "--quiet").stdout, "the store is gone")


def tell(project):
    for one in SERVICES:
        print(f"--- {one}\n{project.log(one)[-3000:]}")


def main():
    if os.getpid() != 1:
        sys.exit("tests/compose.sh runs this, with mounts, network and processes of its own")
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    os.chmod(options.work, 0o755)
    folder = os.path.join(options.work, "docker")
    os.mkdir(folder, 0o700)
    run("mount", "--make-rprivate", "/")
    outside = Outside(options.work, gateway=False)
    rules = os.path.join(options.work, "rules")
    pathlib.Path(rules).write_text(RULES, encoding="utf-8")
    for name in ("rules", "anchor", "hints"):
        os.chmod(os.path.join(options.work, name), 0o644)
    docker = Docker(folder)
    project = Project(docker, options.work, {"mxcryptd": {"volumes": [f"{rules}:/etc/mxcrypt/rules:ro"]}, "unbound": {"volumes": [
        f"{options.work}/anchor:/usr/share/dns/root.key:ro", f"{options.work}/hints:/usr/share/dns/root.hints:ro"]}})
    versions = docker.docker("version", "--format", "{{.Server.Version}}, client {{.Client.Version}}").stdout.strip()
    print(f"# by Docker {versions}, docker-compose {docker.run('docker-compose', 'version', '--short').stdout.strip()}", flush=True)
    try:
        docker.docker("load", "--quiet", "--input", os.path.join(options.work, "images.tar"))
        for name in IMAGES:
            docker.docker("tag", f"localhost/{name}", name)
        perform((project, outside), lambda: tell(project), options.words)
    finally:
        project.compose("down", "--volumes", want=None)
        docker.stop()


main()
