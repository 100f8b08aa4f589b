"""mxcrypt doctor --self: the health check asks the daemon alone, and fails only for what a restart may end."""

import json
import signal
import socket
import threading

import waiting
from case import Failed, case
from cases_operations import NOBODY, own_daemon

TCP_PORT, INET_PORT, EXIM_PORT, OTHERS_PORT = 8472, 8473, 8474, 8475
CHECKS = ["config", "rules", "daemon", "listen", "store", "resolver"]


def self_case(name):
    return case("doctor", f"doctor --self: {name}", daemon="operations", valgrind=False)


def told(one, status, *options):
    """The check's findings by name, when it ended with that status; those that could not be made."""
    done = one.cli("--json", *options, "doctor", "--self")
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"no JSON, exit {done.returncode}: {done.stdout[:500]!r} {done.stderr[:1500]!r}") from error
    if done.returncode != status or report["healthy"] != (status == 0):
        raise Failed(f"exit {done.returncode}: {done.stdout} {done.stderr}")
    return {finding["check"]: finding["what"] for finding in report["findings"]}, [check["check"] for check in report["checks"] if not check["made"]], report


def same(got, want):
    if got != want:
        raise Failed(f"{got!r}, wanted {want!r}")


def greet(listener):
    """Takes one client, and speaks SMTP."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.recv(100)


def speak(listener, text, part):
    """Takes one client, and answers with the text in parts, five a second, until the client goes away."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.settimeout(0.2)
        for start in range(0, len(text), part):
            try:
                connection.sendall(text[start:start + part])
                if not connection.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


def listeners(folder):
    return [f"socketmap:unix:{folder}/other.sock", f"socketmap:inet:127.0.0.1:{INET_PORT}", f"tcp:127.0.0.1:{TCP_PORT}",
            f"exim:unix:{folder}/exim.sock", f"exim:inet:127.0.0.1:{EXIM_PORT}"]


@self_case("every listener of every protocol answers, and nothing is wrong")
def _(c):
    def step():
        with own_daemon(c, listen=listeners(c.world.folder)) as one:
            findings, not_made, report = told(one, 0)
            same((findings, not_made, [check["check"] for check in report["checks"]]), ({}, [], CHECKS))
            text = one.cli("doctor", "--self").stdout
            same(text, f"no fault found in {len(CHECKS)} checks\n")
            # one more listener than the daemon has
            findings, _, _ = told(one, 1, "-o", f"listen=tcp:{NOBODY}:{TCP_PORT}")
            same(list(findings), ["listen"])
            same(f"tcp:{NOBODY}:{TCP_PORT}" in findings["listen"], True)
    c.do(step)


@self_case("another program at the port of a listener is not taken for it")
def _(c):
    def step():
        with own_daemon(c) as one, socket.create_server((NOBODY, OTHERS_PORT)) as other:
            threading.Thread(target=greet, args=(other,), daemon=True).start()
            findings, _, _ = told(one, 1, "-o", f"listen=tcp:{NOBODY}:{OTHERS_PORT}")
            same('it answers "220 mail.example ESMTP' in findings["listen"], True)
    c.do(step)


@self_case("another program at the control socket is not taken for mxcryptd, however long it goes on")
def _(c):
    def step():
        with own_daemon(c) as one:
            # the second sends an octet at a time, for twice as long as a health check may take
            for text, part, why in ((b"220 mail.example ESMTP\n", 100, "is not mxcryptd"), (b"2" * 100, 1, "Connection timed out")):
                path = f"{c.world.folder}/another-{part}.sock"
                with socket.socket(socket.AF_UNIX) as other:
                    other.bind(path)
                    other.listen()
                    threading.Thread(target=speak, args=(other, text, part), daemon=True).start()
                    findings, _, _ = told(one, 1, "-o", f"control-socket={path}")
                same((list(findings), why in findings["daemon"]), (["daemon"], True))
    c.do(step)


@self_case("a daemon that hangs, one that goes on, one that is gone")
def _(c):
    def step():
        with own_daemon(c) as one:
            told(one, 0)
            one.process.send_signal(signal.SIGSTOP)
            try:
                findings, not_made, _ = told(one, 1)
            finally:
                one.process.send_signal(signal.SIGCONT)
            same((list(findings), "Connection timed out" in findings["daemon"], not_made), (["daemon"], True, ["listen", "store", "resolver"]))
            waiting.until(lambda: one.cli("doctor", "--self").returncode == 0, "it goes on")
        findings, _, _ = told(one, 1)
        same({"daemon", "listen"} <= set(findings), True)
    c.do(step)


@self_case("a resolver that is away, or a configuration that has become wrong, is told and no reason to restart")
def _(c):
    def step():
        with own_daemon(c) as one:
            findings, _, _ = told(one, 0, "-o", f"resolver={NOBODY}")
            same((list(findings), "does not answer" in findings["resolver"]), (["resolver"], True))
            findings, not_made, _ = told(one, 0, "-o", "lisen=x")
            same((list(findings), not_made), (["config"], ["daemon", "listen", "store", "resolver"]))
            same(one.cli("doctor", "--self", "--postfix", "/etc/postfix").returncode, 64)
    c.do(step)
