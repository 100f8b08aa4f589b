"""What an operator does: the mxcrypt command, start, stop, reload, sockets, a broken environment."""

import contextlib
import fcntl
import os
import pwd
import re
import socket
import stat
import subprocess

import clients
import daemon
import dnsworld
import smtpd
import tap
import waiting
from case import Failed, case

ROW = "operations"
NOBODY = "127.0.0.99"
DAEMONS = {
    "operations": {"resolver": "127.0.0.53"},
}


def operation(name, rows=ROW):
    return case(rows, name, daemon="operations")


@contextlib.contextmanager
def own_daemon(c, **options):
    """A daemon of this case's own; its end must be clean."""
    settings = {**c.world.options("operations"), **{key.replace("_", "-"): value for key, value in options.items()}}
    one = c.world.new_daemon(c.label, settings)
    try:
        yield one.start()
    finally:
        wrong = one.stop()
    if wrong:
        raise Failed(wrong)


def signed_host(c):
    c.zone("@ MX 10 mx")
    return c.host("mx", "good")


def status(c, want, *arguments):
    """mxcrypt ends with that status and prints what `want` says."""
    code, words = want

    def run():
        done = c.daemon.cli(*arguments)
        return done.returncode, done.stdout + done.stderr
    c.check(f"mxcrypt {' '.join(arguments)}", run, lambda got: got[0] == code and words in got[1])


@operation("mxcrypt query: exit status by verdict")
def _(c):
    signed_host(c)
    c.plain("@ MX 10 mx", f"mx A {c.world.clear.address}")
    c.rule(f"broken.{c.d}", "MX", tap.rcode("SERVFAIL"))
    status(c, (0, "OK dane-only"), "query", c.d)
    status(c, (1, "NOTFOUND"), "query", c.u)
    status(c, (75, "TEMP MX lookup"), "query", f"broken.{c.d}")
    status(c, (64, ""), "query")
    status(c, (64, ""), "no-such-command")
    status(c, (0, '"status": "OK"'), "--json", "query", c.d)


@operation("mxcrypt query --as tlsrpt shows the attributes")
def _(c):
    c.clear_mx()
    c.sts()
    status(c, (0, "policy_type=sts"), "query", "--as", "tlsrpt", c.u)
    status(c, (0, "OK secure match="), "query", c.u)


@operation("mxcrypt without a daemon: 69, but explain --fresh and probe work")
def _(c):
    server = signed_host(c)

    def step():
        lonely = c.world.new_daemon(c.label, c.world.options("operations"))
        for want, arguments in ((69, ["query", c.d]), (69, ["stats"]), (0, ["explain", "--fresh", c.d]), (0, ["probe", f"mx.{c.d}"])):
            done = lonely.cli(*arguments)
            if done.returncode != want:
                raise Failed(f"{arguments}: wanted {want}, got {done.returncode}: {done.stdout}{done.stderr}")
    c.do(step)
    c.check("probed", lambda: len(server.connections), lambda n: n >= 1)


@operation("mxcrypt probe: exit status by what was seen")
def _(c):
    signed_host(c)
    c.host("clear", temper=smtpd.CLEAR)
    c.zone(f"dead A {c.address()}")
    cert = c.world.ca.leaf(f"mx.{c.d}")
    at_587 = smtpd.SmtpServer(c.world.loop, c.address(), context=c.world.ca.server_context(cert), port=587)
    c.zone(f"submit A {at_587.address}")
    status(c, (0, "match"), "probe", f"mx.{c.d}")
    status(c, (1, "not offered"), "probe", f"clear.{c.d}")
    status(c, (75, "refused"), "probe", f"dead.{c.d}")
    status(c, (0, "TLSv1.3"), "probe", f"submit.{c.d}:587")


@operation("mxcrypt cache: list, show, forget, flush")
def _(c):
    signed_host(c)

    def step():
        with own_daemon(c) as one:
            one.ask(c.d)
            one.explain(c.d)
            outcomes = [(["cache", "list"], 0, c.d), (["cache", "show", c.d], 0, "dane-only"), (["cache", "forget", c.d], 0, ""),
                        (["cache", "show", c.d], 1, ""), (["query", c.d], 0, "OK dane-only"), (["cache", "flush"], 0, ""),
                        (["cache", "show", c.d], 1, "")]
            for arguments, want, words in outcomes:
                done = one.cli(*arguments)
                if done.returncode != want or words not in done.stdout:
                    raise Failed(f"{arguments}: wanted {want} {words!r}, got {done.returncode}: {done.stdout}{done.stderr}")
    c.do(step)


@operation("mxcrypt stats: lines of name and value")
def _(c):
    c.check("stats", lambda: c.daemon.cli("stats").stdout.splitlines(),
            lambda lines: len(lines) > 10 and all(len(line.split()) == 2 and line.split()[1].lstrip("-").isdigit() for line in lines))


def configuration(c, text, want, words):
    def step():
        path = os.path.join(c.world.folder, f"{c.label}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([os.path.join(c.world.bin_dir, "mxcryptd"), "-t", "-c", path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        if done.returncode != want or words not in done.stdout:
            raise Failed(f"wanted {want} {words!r}, got {done.returncode}: {done.stdout}")
    c.do(step)


for _name, _text, _want, _words in [
    ("an empty file", "", 0, ""), ("comments and continuation", "# x\nlisten = socketmap:unix:/tmp/x\n  mode=0660\n", 0, ""),
    ("an unknown key", "\nlisten = tcp:127.0.0.1:1\nnonsense = 1\n", 1, ":3:"), ("a key given twice", "dane = yes\ndane = no\n", 1, ":2:"),
    ("a bad value", "answer-deadline = soon\n", 1, ":1:"), ("no equals sign", "dane\n", 1, ":1:"),
]:
    operation(f"mxcryptd -t: {_name}")(lambda c, a=(_text, _want, _words): configuration(c, *a))


@operation("the resolver is down at start: TEMP with a reason, then it comes and all is well", "hostile-40")
def _(c):
    signed_host(c)

    def step():
        with own_daemon(c, resolver="127.0.0.98", dns_timeout="200ms", dns_tries="2", temp_ttl="1s") as one:
            c.must_be("TMP", one.ask(c.d))
            tap.Tap(c.world.loop, "127.0.0.98")
            waiting.until(lambda: one.ask(c.d) == "OK dane-only", "the resolver is used once it is there")
    c.do(step)


@operation("the first of two resolvers is dead: the second answers")
def _(c):
    signed_host(c)

    def step():
        with own_daemon(c, resolver=f"{NOBODY}, {c.world.tap.address}") as one:
            c.must_be("DO", one.ask(c.d))
    c.do(step)


@operation("the first of two resolvers fails: the second answers")
def _(c):
    signed_host(c)
    broken = tap.Tap(c.world.loop, "127.0.0.97")
    for name in (c.d, f"mx.{c.d}", f"_25._tcp.mx.{c.d}", f"_mta-sts.{c.d}"):
        broken.rule(name, "*", tap.rcode("REFUSED"))

    def step():
        with own_daemon(c, resolver=f"127.0.0.97 {c.world.tap.address}") as one:
            c.must_be("DO", one.ask(c.d))
    c.do(step)


@operation("resolv.conf is read again when it changes")
def _(c):
    signed_host(c)

    def step():
        path = os.path.join(c.world.folder, f"{c.label}.resolv")
        _write(path, f"nameserver {NOBODY}\n")
        with own_daemon(c, resolver="", resolv_conf=path, dns_timeout="100ms", temp_ttl="1s") as one:
            c.must_be("TMP", one.ask(c.d))
            _write(path, f"nameserver {dnsworld.UNBOUND_ADDRESS}\n")
            waiting.until(lambda: one.ask(c.d) == "OK dane-only", "the new resolver is used")
    c.do(step)


def _write(path, text):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.replace(path + ".new", path)


@operation("the CA file is missing: no start, and it says why", "hostile-40")
def _(c):
    def step():
        try:
            with own_daemon(c, ca_file="/nonexistent/ca.pem"):
                raise Failed("it started")
        except RuntimeError as error:
            if "/nonexistent/ca.pem" not in str(error):
                raise Failed(f"not the reason: {error}") from error
    c.do(lambda: _must_not_start(c, step))


def _must_not_start(c, step):
    """own_daemon also complains about the exit status, which must be 1 here."""
    try:
        step()
    except Failed as error:
        if "exit status 1" not in str(error):
            raise


@operation("no descriptors left: it lives, and serves again when some are free", "hostile-40 hostile-34")
def _(c):
    signed_host(c)

    def step():
        with own_daemon(c, idle_timeout="2s") as one, contextlib.ExitStack() as stack:
            c.must_be("DO", one.ask(c.d))
            subprocess.run(["prlimit", f"--pid={one.process.pid}", f"--nofile={one.descriptors() + 20}"], check=True)
            for _ in range(100):
                sock = stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    sock.connect(one.socket)
            waiting.until(lambda: _answers(one, c.d), "served again once the idle ones are closed")
            stack.close()
            waiting.until(lambda: _answers(one, c.d), "served when all have gone")
    c.do(step)


class PipedDaemon(daemon.Daemon):
    """Logs at level debug into a pipe that nobody reads."""

    def start(self, sockets=()):
        self.pipe, end = os.pipe()
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen([*self._prefix, os.path.join(self.bin_dir, "mxcryptd"), "-c", self.config, "-o", "log-level=debug"],
                                        stdout=subprocess.DEVNULL, stderr=end, stdin=subprocess.DEVNULL, env={**os.environ, **daemon.SANITIZERS})
        os.close(end)
        waiting.until(lambda: os.path.exists(self.control), "its socket is there", seconds=60)
        return self

    def log(self):
        return ""

    def read(self):
        """What is in the pipe by now."""
        os.set_blocking(self.pipe, False)
        with contextlib.suppress(BlockingIOError):
            return os.read(self.pipe, 65536).decode()
        return ""


@operation("nobody reads stderr: mail is answered, and what was lost is counted and said")
def _(c):
    signed_host(c)

    def step():
        shape = c.world.new_daemon(c.label, c.world.options("operations"))
        one = PipedDaemon(shape.bin_dir, shape.folder, {key: value for key, value in shape.options.items() if key != "listen"}).start()
        try:
            waiting.until(lambda: _answers(one, c.d), "the answer")
            for number in range(200):
                one.ask(f"{number}.{c.d}")
            lost = one.stats()["log_lines_lost"]
            first = one.read()
            one.ask(f"another.{c.d}")
            more = one.read()
        finally:
            wrong = one.stop()
            last = one.read()
            os.close(one.pipe)
        lines = (first + more + last).splitlines()
        if wrong or lost == 0 or not any(re.fullmatch(r"level=warning event=log-lines-lost lines=\d+", line) for line in lines) or \
                not all(line.startswith("level=") for line in lines):
            raise Failed(f"{wrong}; {lost} lost: {lines}")
    c.do(step)


def _answers(one, key):
    try:
        return one.ask(key, timeout=1) == "OK dane-only"
    except (OSError, clients.Closed):
        return False


@operation("a Unix socket with owner, group and mode; sockets on IPv4 and IPv6")
def _(c):
    signed_host(c)

    def step():
        path = os.path.join(c.world.folder, f"{c.label}.sock")
        listen = [f"socketmap:unix:{path} owner=postfix group=postfix mode=0660", "socketmap:inet:[::1]:10050", "socketmap:inet:127.0.0.1:10050"]
        with own_daemon(c, listen=listen) as one:
            found = os.stat(path)
            if (stat.S_IMODE(found.st_mode), found.st_uid) != (0o660, pwd.getpwnam("postfix").pw_uid):
                raise Failed(f"mode {found.st_mode:o}, owner {found.st_uid}")
            for where in (path, ("127.0.0.1", 10050), one.socket):
                with clients.Socketmap(where) as connection:
                    c.must_be("DO", connection.ask(c.d))
    c.do(step)


@operation("SIGTERM while lookups hang: a clean end at once")
def _(c):
    for number in range(50):
        c.rule(f"h{number}.{c.d}", "*", tap.silence())

    def step():
        with own_daemon(c) as one, contextlib.ExitStack() as stack:
            for number in range(50):
                connection = stack.enter_context(clients.Socketmap(one.socket))
                connection.send(clients.netstring(f"policy h{number}.{c.d}".encode()))
            waiting.until(lambda: c.world.tap.asked_below(c.d) >= 50, "the lookups are under way")
    c.do(step)


@operation("systemd: an inherited socket is served beside those configured, readiness is announced")
def _(c):
    signed_host(c)

    def step():
        folder = os.path.join(c.world.folder, "d-" + c.label)
        one = c.world.new_daemon(c.label, c.world.options("operations"))
        path, notify_path = os.path.join(folder, "inherited.sock"), os.path.join(folder, "notify.sock")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            listener.bind(path)
            listener.listen(10)
            notify.bind(notify_path)
            notify.settimeout(20)
            command = f"exec 3<&{listener.fileno()} && exec env LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=socketmap "
            command += f"NOTIFY_SOCKET={notify_path} {one.bin_dir}/mxcryptd -c {one.config}"
            process = subprocess.Popen(["bash", "-c", command], pass_fds=[listener.fileno()], stderr=subprocess.PIPE)
            try:
                if "READY=1" not in notify.recv(4096).decode():
                    raise Failed("no READY=1")
                for where in (path, one.socket):
                    with clients.Socketmap(where) as connection:
                        c.must_be("DO", connection.ask(c.d))
            finally:
                process.terminate()
                _, log = process.communicate(timeout=20)
        if process.returncode != 0:
            raise Failed(f"exit status {process.returncode}: {log.decode()[-500:]}")
        if not os.path.exists(path) or os.path.exists(one.socket):
            raise Failed("what was inherited is not ours to remove, what was opened is")
    c.do(step)


def handed_over(c, ask):
    """ask(daemon, listener) with one whose listening socket is the test's."""
    def step():
        one = c.world.new_daemon(c.label, c.world.options("operations"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(one.socket)
            listener.listen(10)
            one.start([(listener, "socketmap")])
            try:
                ask(one, listener)
            finally:
                wrong = one.stop()
            if wrong or not os.path.exists(one.socket):
                raise Failed(wrong or "the socket is gone")
    c.do(step)


@operation("systemd: SIGTERM during a lookup: it is answered, who is idle is let go at once, who comes waits for the next daemon")
def _(c):
    signed_host(c)
    c.zone("slow MX 10 mx")
    c.rule(f"slow.{c.d}", "MX", tap.delayed(1.0, tap.answer((f"slow.{c.d}", "MX", f"10 mx.{c.d}"), ad=True)))

    def ask(one, _listener):
        with clients.Socketmap(one.socket) as idle, clients.Socketmap(one.socket) as asking:
            c.must_be("DO", idle.ask(c.d))
            asking.send(clients.netstring(f"policy slow.{c.d}".encode()))
            waiting.until(lambda: c.world.tap.asked(f"slow.{c.d}", "MX"), "the lookup is under way")
            one.process.terminate()
            if not idle.closed():
                raise Failed("the idle connection stays")
            with clients.Socketmap(one.socket) as late:
                late.send(clients.netstring(f"policy {c.d}".encode()))
                c.must_be("DO", asking.read_reply())
                if not asking.closed():
                    raise Failed("the connection stays")
                one.process.wait(10)
                late.sock.settimeout(0.1)
                if late.closed():
                    raise Failed("the late one was taken and closed")
    handed_over(c, ask)


@operation("systemd: SIGTERM while lookups hang and clients are mute: the end comes by answer-deadline, a second SIGTERM ends at once")
def _(c):
    c.rule(f"hangs.{c.d}", "*", tap.silence())
    at_once_s = 30 if c.world.valgrind else 3  # valgrind looks for leaks when the process ends

    def ask(one, listener):
        with clients.Socketmap(one.socket) as asking, clients.Socketmap(one.socket):
            asking.send(clients.netstring(f"policy hangs.{c.d}".encode()))
            waiting.until(lambda: c.world.tap.asked(f"hangs.{c.d}"), "the lookup is under way")
            one.process.terminate()
            waiting.until(lambda: one.events("stopping"), "it is told")
            one.process.terminate()
            one.process.wait(at_once_s)
        one.start([(listener, "socketmap")])
        with clients.Socketmap(one.socket) as asking, clients.Socketmap(one.socket):
            asking.send(clients.netstring(f"policy hangs.{c.d}".encode()))
            waiting.until(lambda: one.stats()["jobs_running"], "the lookup is under way")
            one.process.terminate()
            c.must_be("TMP", asking.read_reply())
            one.process.wait(at_once_s)
    handed_over(c, ask)
