"""Root is left behind, and what is never needed is given up: the daemon's work goes on all the same. And syslog."""

import contextlib
import errno
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import threading

import daemon
import remembering
import rooms
import waiting
from case import Failed, case

ROW = "operations"
USER = "nobody"
ATTEMPTS = rooms.HERE / "attempts.c"
# how each attempt of attempts.c must end where it is refused
REFUSED = {"clone3": errno.ENOSYS, "packet": errno.EAFNOSUPPORT, "alg": errno.EAFNOSUPPORT,
           **dict.fromkeys(("make", "write", "truncate", "remove", "mkdir", "symlink", "bind"), errno.EACCES)}
ALLOWED = ("read", "null", "netlink", "keep", "unkeep")
NEEDED_BY_SANITIZERS = ("fork", "ptrace")  # they look for leaks from another process
NOT_AS_ROOT = ("setresuid", "make", "write", "truncate", "remove", "mkdir", "symlink", "bind", "fork")  # these succeed when nothing is refused
DAEMONS = {
    "privileges": {"resolver": "127.0.0.53", "store-flush": "100ms"},
}


def privileges(name):
    return case(ROW, name, daemon="privileges", group="few", valgrind=False)


def may_become_others():
    """Root of a namespace for one user alone has nobody to become."""
    lines = pathlib.Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return os.getuid() == 0 and int(lines[2]) > pwd.getpwnam(USER).pw_uid


def made(c, name="", **options):
    """A daemon in a folder that belongs to its user, not started."""
    settings = {**c.world.options("privileges"), **{key.replace("_", "-"): value for key, value in options.items()}}
    one = c.world.new_daemon(c.label + name, settings)
    os.makedirs(os.path.join(one.folder, "store"), exist_ok=True)
    shown = pwd.getpwnam(USER)
    for path in (one.folder, os.path.join(one.folder, "store")):
        os.chown(path, shown.pw_uid if settings.get("user") == USER else 0, 0)
    return one


def store_of(c):
    """A store in a folder where nothing else is."""
    return os.path.join(c.world.folder, "d-" + c.label, "store", "store.db")


@contextlib.contextmanager
def running(one):
    try:
        yield one.start()
    finally:
        wrong = one.stop()
    if wrong:
        raise Failed(wrong)


def states(one):
    """What /proc says of every thread."""
    found = []
    for task in pathlib.Path(f"/proc/{one.process.pid}/task").iterdir():
        text = (task / "status").read_text(encoding="ascii")
        found.append({key: value.split() for key, value in re.findall(r"^(\w+):[ \t]*(.*)$", text, re.MULTILINE)})
    return found


def is_locked_down(one, user):
    shown = pwd.getpwnam(user)
    for state in states(one):
        wrong = [(key, state[key]) for key, want in (("Uid", [str(shown.pw_uid)] * 4), ("Gid", [str(shown.pw_gid)] * 4), ("NoNewPrivs", ["1"]),
                                                     ("Seccomp", ["2"]), *((f"Cap{one}", ["0" * 16]) for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")))
                 if state[key] != want]
        if wrong or (shown.pw_uid != 0 and "0" in state["Groups"]):
            raise Failed(f"{wrong} {state['Groups']}")


def work(c):
    """DANE, MTA-STS and a mail host that is probed; what to ask and what must come."""
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.plain("@ MX 10 mx", "probed MX 10 mx.probed")
    c.plain_host("mx")
    c.sts(domain=c.u)
    server = c.server(f"mx.probed.{c.u}")
    c.plain(f"mx.probed A {server.address}")
    return ((c.d, "DO"), (c.u, "SEC"), (f"probed.{c.u}", "VER"))


@privileges("as its own user, without capabilities, under seccomp and Landlock, it does all its work")
def _(c):
    asked = work(c)

    def step():
        user = USER if may_become_others() else "root"
        one = made(c, user=user)
        exported = os.path.join(one.folder, "export.jsonl")
        with running(one):
            for key, want in asked:
                c.must_be(want, one.ask(key), key)
                one.explain(key)  # DANE and MTA-STS are answered before the probes end: nothing is kept until then
            one.settled()
            is_locked_down(one, user)
            pathlib.Path(exported).write_text(one.cli("export").stdout, encoding="utf-8")
        if [name for name in os.listdir(one.folder) if name.endswith(".sock")]:
            raise Failed(f"sockets were left behind: {os.listdir(one.folder)}")
        remembered(c, made(c, user=user, resolver=dead), asked[1:2])
        imported = made(c, "-imported", user=user, resolver=dead, **{"import": exported})
        remembered(c, imported, asked[1:2], "imported")
        moved = made(c, "-moved", user=user, resolver=dead)
        with running(moved):
            with open(exported, "rb") as file:
                if moved.cli("import", "-", stdin=file).returncode != 0:
                    raise Failed("mxcrypt import")
            c.must_be("SEC", moved.ask(c.u), c.u)
            moved.settled()
    dead = remembering.cut_off(c, "SERVFAIL")
    c.do(step)


def remembered(c, one, asked, told="warm"):
    """A life that knows only what it was left, and asked when the event `told` says that it has taken it in."""
    with running(one):
        for key, want in asked:
            waiting.until(lambda: one.events(told), f"event={told}")
            c.must_be(want, one.ask(key), key)
        if "event=store-degraded" in one.log() or "event=sandbox no_new_privs=yes capabilities=none seccomp=yes" not in one.log():
            raise Failed(one.log())


# what is refused

def attempts(c, one):
    """What came of each attempt made inside the daemon: its errno."""
    library, result, folder = (os.path.join(c.world.folder, f"{c.label}.{name}") for name in ("attempts.so", "attempts", "outside"))
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, ATTEMPTS], check=True)
    os.makedirs(folder)
    pathlib.Path(folder, "there").write_text("there", encoding="ascii")
    for path, mode in ((folder, 0o777), (os.path.join(folder, "there"), 0o666), (result, 0o666)):
        if path == result:
            pathlib.Path(path).touch()
        os.chmod(path, mode)
    one.environment = {"LD_PRELOAD": library, "WORLD_ATTEMPTS": result, "WORLD_ATTEMPTS_FOLDER": folder,
                       "WORLD_ATTEMPTS_STORE": os.path.join(one.folder, "store"),
                       "ASAN_OPTIONS": daemon.SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
    with running(one):
        one.process.send_signal(signal.SIGUSR2)
        waiting.until(lambda: "end 0" in pathlib.Path(result).read_text(encoding="ascii"), "all is tried")
        sanitized = "libasan" in pathlib.Path(f"/proc/{one.process.pid}/maps").read_text(encoding="utf-8")
    found = dict(line.split() for line in pathlib.Path(result).read_text(encoding="ascii").splitlines())
    loop = found.pop("loop")
    if loop != ("0" if "event=sandbox" not in one.log() else "2"):
        raise Failed(f"libuv's loop was made in seccomp mode {loop}")
    return {name: int(number) for name, number in found.items() if name != "end"}, sanitized


@privileges("what it never does is refused, in its own process")
def _(c):
    def step():
        user = USER if may_become_others() else "root"
        one = made(c, user=user, store=store_of(c))
        found, sanitized = attempts(c, one)
        expected = {name: 0 if name in ALLOWED else REFUSED.get(name, errno.EPERM) for name in found}
        if "landlock=0" in one.log():  # a kernel without
            expected.update(dict.fromkeys(("make", "write", "truncate", "remove", "mkdir", "symlink", "bind"), 0))
        for name in NEEDED_BY_SANITIZERS if sanitized else ():
            del expected[name]
        wrong = {name: (errno.errorcode.get(found[name], found[name]), "wanted", errno.errorcode.get(want, want))
                 for name, want in expected.items() if found[name] != want}
        if wrong:
            raise Failed(f"{wrong}")
    c.do(step)


@privileges("sandbox = no, user = root: a warning, and nothing of that is refused")
def _(c):
    def step():
        one = made(c, sandbox="no", store=store_of(c))
        found, _ = attempts(c, one)
        refused = {name for name, number in found.items() if number in (errno.EPERM, errno.EACCES)}
        not_done = {name for name in (*NOT_AS_ROOT, *ALLOWED) if found[name] != 0}
        if refused or not_done:
            raise Failed(f"refused: {refused}; not done: {not_done}")
        if "event=running-as-root" not in one.log() or "event=sandbox" in one.log():
            raise Failed(one.log())
    c.do(step)


@privileges("there is no such user: no start, and what to change")
def _(c):
    def step():
        one = made(c, user="no-such-user")
        try:
            one.start()
        except RuntimeError as error:
            if not all(words in str(error) for words in ("no user no-such-user", "useradd", "user = root")):
                raise Failed(f"not the reason: {error}") from error
        else:
            one.stop()
            raise Failed("it started")
    c.do(step)


# no Postfix

@privileges("a control socket handed over and no Postfix: a warning, and it waits for one to come")
def _(c):
    def step():
        folder = os.path.join(c.world.folder, f"d-{c.label}")
        os.makedirs(folder, exist_ok=True)
        control, log = os.path.join(folder, "control.sock"), os.path.join(folder, "log")
        with socket.socket(socket.AF_UNIX) as listener, open(log, "wb") as out:
            listener.bind(control)
            listener.listen()
            command = (f'mount -t tmpfs none /var/spool/postfix; exec 3<&{listener.fileno()}; exec env LISTEN_PID=$$ LISTEN_FDS=1 '
                       f'LISTEN_FDNAMES=control "$0" -c /dev/null -o user=root -o store= -o control-socket={control} -o resolver=127.0.0.1:1')
            with subprocess.Popen(["unshare", "-m", "bash", "-ec", command, os.path.join(c.world.bin_dir, "mxcryptd")], stderr=out,
                                  stdin=subprocess.DEVNULL, pass_fds=[listener.fileno()]) as process:
                waiting.until(lambda: "event=ready" in pathlib.Path(log).read_text(encoding="utf-8"), "it is ready")
                told = subprocess.run([os.path.join(c.world.bin_dir, "mxcrypt"), "-c", "/dev/null", "-o", f"control-socket={control}", "query",
                                       "[192.0.2.1]"], capture_output=True, text=True, check=False, timeout=20).stdout
                process.send_signal(signal.SIGTERM)
                status = process.wait(30)
        said = pathlib.Path(log).read_text(encoding="utf-8")
        if told != "NOTFOUND \n" or status != 0 or "event=no-policy-socket" not in said or "event=listening" in said:
            raise Failed(f"{told!r}, {status}, {said}")
    c.do(step)


# syslog

class SyslogDaemon(daemon.Daemon):
    """In a /dev of its own, where /dev/log leads to a socket in its folder."""

    DEV = ('mkdir "$0/dev"; mount -t tmpfs dev "$0/dev"; for one in null zero random urandom; do touch "$0/dev/$one"; '
           'mount --bind "/dev/$one" "$0/dev/$one"; done; ln -s "$0/log" "$0/dev/log"; mount --move "$0/dev" /dev; exec "$@"')

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._prefix = ["unshare", "-m", "sh", "-ec", self.DEV, self.folder, *self._prefix]
        self.heard = []

    def log(self):
        return "".join(f"{line}\n" for line in self.heard) + super().log()


class Syslogd:
    """Whoever reads /dev/log."""

    def __init__(self, one):
        self.path, self.heard = os.path.join(one.folder, "log"), one.heard

    def __enter__(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def _read(self):
        while data := self.sock.recv(16384):
            self.heard.append(data.decode(errors="backslashreplace"))

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RD)
        self.thread.join(10)
        self.sock.close()
        os.unlink(self.path)


@privileges("log = syslog: facility mail, the level as priority, also after the log's reader came back")
def _(c):
    asked = work(c)

    def step():
        user = USER if may_become_others() else "root"
        shape = made(c, user=user, log="syslog", helo_name="short")
        one = SyslogDaemon(shape.bin_dir, shape.folder, {key: value for key, value in shape.options.items() if key != "listen"})
        try:
            with Syslogd(one):
                one.start()
                c.must_be(asked[0][1], one.ask(asked[0][0]))
                waiting.until(lambda: one.events("verdict", asked[0][0]), "the verdict is logged")
            with Syslogd(one):
                c.must_be(asked[1][1], one.ask(asked[1][0]))
                waiting.until(lambda: one.events("verdict", asked[1][0]), "the verdict is logged")
                wrong = one.stop()
        finally:
            wrong = one.stop()
        for pattern in (r"<22>.*mxcryptd\[\d+\]: level=info event=ready ", r"<20>.*mxcryptd\[\d+\]: level=warning event=helo-name-not-full "):
            if not any(re.match(pattern, line) for line in one.heard):
                raise Failed(f"{pattern}: {one.heard}")
        stderr = pathlib.Path(one.log_path).read_text(encoding="utf-8")
        if wrong or "level=" in stderr or not one.events("stopped"):
            raise Failed(f"{wrong}; on stderr: {stderr}")
    c.do(step)
