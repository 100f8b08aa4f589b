#!/usr/bin/python3
"""What tests/container.sh runs when the images are there: it starts the services of compose.yaml and attacks them."""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(__file__), "..", "world", "parts"), os.path.dirname(__file__)]
# pylint: disable=wrong-import-position
import waiting
from checks import RULES, SOCKETMAP, check, holds, perform, same
from engine import LIMITS, Engine, Service, podman
from outside import ROOT_SERVER, Outside, run

USER = "10025"


class World:
    """The outside, an unbound that all use, and files to mount."""

    def __init__(self, work):
        self.folder = os.path.join(work, "outside")
        os.mkdir(self.folder)
        os.chmod(work, 0o755)
        self.outside = Outside(self.folder)
        self.made = []
        self.unbound = self.service("unbound", {"/usr/share/dns/root.key": (self.path("anchor"), "ro"), "/usr/share/dns/root.hints": (self.path("hints"), "ro")})
        self.kept = [self.unbound]
        self.unbound.says("start of service")

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, text):
        pathlib.Path(self.path(name)).write_text(text, encoding="utf-8")
        os.chmod(self.path(name), 0o644)
        return self.path(name)

    def directory(self, name, owner, mode):
        os.mkdir(self.path(name))
        os.chown(self.path(name), owner, owner)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def service(self, name, instead=None, **options):
        one = Service(self.outside, name, instead=instead, **options)
        self.made.append(one)
        return one

    def daemon(self, instead=None, **options):
        files = {"/etc/mxcrypt/rules": (self.file("rules", RULES), "ro"), **(instead or {})}
        return self.service("mxcryptd", files, **options).ready()

    def tell(self):
        """The logs, of a check that failed."""
        for one in self.made:
            print(f"--- {one.name}\n{one.log()[-3000:]}")

    def clear(self):
        for one in [one for one in self.made if one not in self.kept]:
            one.remove()
            self.made.remove(one)


def healthy(one, *words):
    """The health check says yes, and these words; none: nothing is wrong."""
    status, text, told = one.health()
    same((status, told), (0, "healthy"), text)
    if words:
        holds(all(word in text for word in words), f"{words}: {text}")
    else:
        holds("no fault found" in text, text)


# ---- as it is meant

@check("the image: a user by number, an entry without a shell, a health check, nothing of the build")
def _(_):
    config = podman("image", "inspect", "--format", "{{.Config.User}} {{.Config.Entrypoint}} {{.Config.StopSignal}}", "localhost/mxcrypt").strip()
    same(config, f"{USER}:{USER} [/usr/sbin/mxcryptd] SIGTERM", "config")
    test = podman("image", "inspect", "--format", "{{.HealthCheck.Test}}", "localhost/mxcrypt").strip()
    same(test, "[CMD /usr/bin/mxcrypt doctor --self]", "health check")
    run_in = podman("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", "localhost/mxcrypt", "-c",
                    "ls /src /usr/bin/gcc /usr/bin/cc /usr/bin/cmake /usr/bin/python3 2>/dev/null; echo; "
                    "ldd /usr/sbin/mxcryptd /usr/bin/mxcrypt | grep 'not found'; echo end")
    same(run_in.split(), ["end"], "left of the build, or libraries that lack")


@check("the image names the packages of the libraries that the programs need, and no other")
def _(_):
    script = """objects=$(for one in /usr/sbin/mxcryptd /usr/bin/mxcrypt; do
        LD_TRACE_LOADED_OBJECTS=1 LD_BIND_NOW= /lib64/ld-linux-x86-64.so.2 --list $one; done | awk '$3 ~ /^\\//{print $3}' | sort -u)
        for one in $objects; do echo "$one $(readlink -f $one | sed 's|^/usr||' | xargs -I{} sh -c 'dpkg -S {} /usr{} 2>/dev/null' | cut -d: -f1 | head -n 1)"; done"""
    found = dict(line.split() for line in podman("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", "localhost/mxcrypt", "-c", script).splitlines())
    needed = set()
    folder = podman("image", "mount", "localhost/mxcrypt").strip()
    for program in ("usr/sbin/mxcryptd", "usr/bin/mxcrypt"):
        text = run("readelf", "-d", os.path.join(folder, program))
        names = [line.split("[")[1].rstrip("]") for line in text.splitlines() if "(NEEDED)" in line]
        needed |= {found[path] for name in names for path in found if path.endswith("/" + name)}
    podman("image", "unmount", "localhost/mxcrypt")
    text = pathlib.Path("contrib/container/Containerfile").read_text(encoding="utf-8")
    named = set(text.split('ARG LIBRARIES="')[1].split('"')[0].split())
    same(named, needed - {"libc6"}, "LIBRARIES")


@check("the images of unbound and Postfix: their settings are valid, with the root's keys of Debian")
def _(_):
    def inside(image, *words):
        return podman("run", "--rm", *LIMITS, "--network", "none", "--read-only", "--cap-drop", "all", "--entrypoint", words[0], f"localhost/{image}", *words[1:])
    holds("no errors" in inside("mxcrypt-unbound", "/usr/sbin/unbound-checkconf"), "unbound-checkconf")
    keys = inside("mxcrypt-unbound", "/usr/bin/grep", "-cE", "^\\. .*(DNSKEY|DS)", "/usr/share/dns/root.key")
    holds(int(keys) >= 1, f"{keys} keys")
    unknown = inside("mxcrypt-postfix", "/bin/sh", "-c", "postconf -n 2>&1 | grep -i -E 'warning|error'; postconf -F | grep chroot | grep -v '= n'; true")
    same(unknown, "", "what postconf complains of, and services that are chrooted")


@check("it is healthy, without rights, on a read-only root, behind seccomp and Landlock within the engine's own seccomp")
def _(world):
    one = world.daemon()
    one.says("event=resolver-validates")
    healthy(one)
    status = one.status_of()
    same({status["Uid"].split()[0], status["Gid"].split()[0]}, {USER}, "user")
    same({status[key] for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16}, "capabilities")
    same(status["NoNewPrivs"], "1", "no_new_privs")
    same((status["Seccomp"], int(status["Seccomp_filters"]) >= 2), ("2", True), "seccomp of both")
    holds("seccomp=yes" in one.says("event=sandbox") and "incomplete" not in one.log(), one.log())
    for path in ("/x", "/etc/mxcrypt/x", "/tmp/x", "/usr/x"):
        one.exec("/bin/sh", "-c", f"! (: >{path})")
    one.exec("/bin/sh", "-c", ": >/run/mxcrypt/x && rm /run/mxcrypt/x")
    holds(one.exec("/usr/bin/stat", "-c", "%a %u", "/var/lib/mxcrypt").strip() == f"700 {USER}", "the store's directory")


def answer(box, domain):
    """What Postfix is told, once nothing is awaited any more."""
    return waiting.until(lambda: box.exec("postmap", "-q", domain, SOCKETMAP, want=None).strip(), f"{domain} is answered", seconds=120)


def query(one, domain="dane.mxc"):
    """The same, by mxcrypt."""
    def ask():
        got = one.exec("/usr/bin/mxcrypt", "query", domain, want=None)
        return got if got and "TEMP" not in got else ""
    return waiting.until(ask, f"{domain} is answered", seconds=120).split()[-1]


def send(box, domain):
    box.exec("/bin/sh", "-c", f"printf 'Subject: x\\n\\nx\\n' | sendmail -f a@mail.mxc b@{domain}")


@check("Postfix asks it: verified by DANE, deferred by a rule, in the clear where nothing says otherwise")
def _(world):
    world.daemon()
    box = world.service("postfix")
    box.says("daemon started")
    same((answer(box, "dane.mxc"), answer(box, "must.mxc")), ("dane-only", "encrypt"), "answers")
    for domain in ("dane.mxc", "must.mxc", "clear.mxc"):
        send(box, domain)
    box.says("to=<b@dane.mxc>", "status=sent")
    holds("Verified TLS connection established to mx.dane.mxc" in box.log(), box.log())
    box.says("to=<b@must.mxc>", "status=deferred", "TLS is required")
    box.says("to=<b@clear.mxc>", "status=sent")
    same(world.outside.good.got, [True], "with TLS")
    same(world.outside.clear.got, [False], "in the clear")
    box.exec("/bin/sh", "-c", "! (: >/etc/postfix/x)")
    same(box.stop(), 0, "Postfix's end")


@check("Postfix waits while it is away, and sends when it is back")
def _(world):
    one = world.daemon()
    box = world.service("postfix")
    box.says("daemon started")
    one.stop()
    before = len(world.outside.good.got) + len(world.outside.clear.got)
    send(box, "later.mxc")
    box.says("to=<b@later.mxc>", "status=deferred")
    same(len(world.outside.good.got) + len(world.outside.clear.got), before, "messages that left meanwhile")
    one.start()
    same(answer(box, "dane.mxc"), "dane-only", "when it is back")
    box.exec("postqueue", "-f")
    box.says("to=<b@later.mxc>", "status=sent")


@check("a Postfix that has its socket's volume asks by the Unix socket, as user postfix")
def _(world):
    conf = world.file("unix.conf", "listen = socketmap:unix:/run/mxcrypt/policy.sock mode=0666\n")
    one = world.daemon({"/etc/mxcrypt/mxcryptd.conf": (conf, "ro")})
    healthy(one)
    box = world.service("postfix", {"/run/mxcrypt": (f"{one.name}-run",)})
    box.says("daemon started")
    query(one)
    got = box.exec("postmap", "-q", "dane.mxc", "socketmap:unix:/run/mxcrypt/policy.sock:policy", user="postfix").strip()
    same(got, "dane-only", "answer")


@check("SIGTERM ends it cleanly as process 1, and what it learnt is there at the next start")
def _(world):
    one = world.daemon()
    query(one)
    same(one.stop(), 0, "exit status")
    holds("event=stopped" in one.log(), one.log())
    one.start()
    one.says("event=store-opened", "answers=1")


@check("an upgrade: a new container on the volumes of the old one knows what that learnt")
def _(world):
    one = world.daemon({"/var/lib/mxcrypt": ("kept-store",), "/run/mxcrypt": ("kept-run",)})
    query(one)
    same(one.stop(), 0, "exit status")
    other = world.daemon({"/var/lib/mxcrypt": ("kept-store",), "/run/mxcrypt": ("kept-run",)}, address="172.30.53.62")
    other.says("event=store-opened", "answers=1")
    healthy(other)


@check("SIGKILL, and it starts again on the same volumes")
def _(world):
    one = world.daemon()
    query(one)
    waiting.until(lambda: "\"store_pending\": 0" in one.exec("/usr/bin/mxcrypt", "--json", "stats"), "it is written")
    one.signal("KILL")
    same(one.wait(), 137, "exit status")
    one.start()
    one.says("event=store-opened", "answers=1")
    waiting.until(lambda: one.health()[0] == 0, "it is healthy")


# ---- what a restart helps, and what it does not

@check("one that hangs is unhealthy, and healthy when it goes on")
def _(world):
    one = world.daemon()
    healthy(one)
    one.signal("STOP")
    status, text, _ = one.health()
    one.signal("CONT")
    same(status, 1, text)
    holds("error daemon: mxcryptd does not answer" in text, text)
    healthy(one)


@check("a resolver that is away is told, and is no reason to start again")
def _(world):
    away = world.file("away.conf", "nameserver 172.30.53.99\n")
    one = world.daemon({"/etc/resolv.conf": (away, "ro")})
    healthy(one, "error resolver: mxcryptd's resolver (172.30.53.99) does not answer")


@check("a resolver that does not validate is told, and is no reason to start again; DANE is off")
def _(world):
    bare = world.file("bare.conf", f"nameserver {ROOT_SERVER}\n")
    one = world.daemon({"/etc/resolv.conf": (bare, "ro")})
    one.says("event=resolver-does-not-validate")
    healthy(one, "error resolver", "does not validate")
    same(query(one), "encrypt", "an answer without DANE")


@check("a configuration that has become wrong is told, and is no reason to start again")
def _(world):
    folder = world.directory("conf", 0, 0o755)
    text = pathlib.Path("contrib/container/mxcryptd.conf").read_text(encoding="utf-8")
    path = world.file("conf/mxcryptd.conf", text)
    one = world.service("mxcryptd", {"/etc/mxcrypt": (folder, "ro"), "/etc/mxcrypt/mxcryptd.conf": None}).ready()
    pathlib.Path(path).write_text(text + "lisen = x\n", encoding="utf-8")
    healthy(one, "error config:", "not checked daemon")
    pathlib.Path(path).write_text(text, encoding="utf-8")
    healthy(one)


@check("a store whose volume is root's is told, and is no reason to start again")
def _(world):
    one = world.daemon({"/var/lib/mxcrypt": (world.directory("roots", 0, 0o755),)})
    one.says("event=store-degraded")
    healthy(one, "warning store: the store /var/lib/mxcrypt/store.db is degraded")
    query(one)


@check("a store whose disk is full is told, and is no reason to start again; it heals when there is room")
def _(world):
    folder = world.directory("small", int(USER), 0o700)
    run("mount", "-t", "tmpfs", "-o", f"size=512k,uid={USER},gid={USER},mode=700", "tmpfs", folder)
    one = world.daemon({"/var/lib/mxcrypt": (folder,)})
    one.says("event=warm")
    subprocess.run(["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4k"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
    query(one)
    one.says("event=store-degraded")
    healthy(one, "warning store:")
    os.unlink(f"{folder}/filler")
    one.says("event=store-healed")
    healthy(one)
    one.remove()
    world.made.remove(one)
    run("umount", folder)


@check("a socket's volume that it cannot write to keeps it from starting, and it says which")
def _(world):
    one = world.service("mxcryptd", {"/run/mxcrypt": (world.directory("run", 0, 0o755),)})
    holds(one.wait() != 0, "exit status")
    one.says("event=cannot-start", "/run/mxcrypt/control.sock")


@check("a socket that is gone from its volume is a reason to start again")
def _(world):
    one = world.daemon()
    healthy(one)
    one.exec("/usr/bin/rm", "/run/mxcrypt/control.sock")
    status, text, _ = one.health()
    same(status, 1, text)
    holds("error daemon" in text, text)


@check("no IPv6: it is healthy, and mail goes out as before")
def _(world):
    one = world.daemon(ipv6=False)
    healthy(one)
    same(query(one), "dane-only", "answer")


@check("two on one volume: both answer, and what the first wrote is not spoilt")
def _(world):
    shared = world.directory("shared", int(USER), 0o700)
    first = world.daemon({"/var/lib/mxcrypt": (shared,)})
    query(first)
    second = world.daemon({"/var/lib/mxcrypt": (shared,)}, address="172.30.53.62")
    for one in (first, second):
        same(query(one), "dane-only", one.name)
        same(one.health()[0], 0, "health")
    same((first.stop(), second.stop()), (0, 0), "exit statuses")
    holds("store-set-aside" not in first.log() + second.log(), first.log() + second.log())
    first.start()
    first.says("event=store-opened", "answers=1")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    if os.environ.get("CONTAINERS_STORAGE_CONF") != os.path.join(options.work, "storage.conf"):
        sys.exit("tests/container.sh runs this: all containers and volumes of the storage are removed")
    run("mount", "--make-rprivate", "/")
    try:
        podman("rm", "--force", "--all", "--time", "0", want=None)
        podman("volume", "prune", "--force", want=None)
        why = Engine.find()
        if why:
            print(f"not ok containers run here\n{why}", flush=True)
            return
        print(f"# by podman and {Engine.runtime}", flush=True)
        world = World(options.work)
        perform((world,), world.tell, options.words, world.clear)
    finally:
        podman("rm", "--force", "--all", "--time", "0", want=None)
        podman("volume", "prune", "--force", want=None)


main()
