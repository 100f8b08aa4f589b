"""What a review of the whole found: pipelines, half-closed clients, lookups that are given up on."""

import contextlib
import os
import socket
import threading
import time
from dataclasses import replace

import smtpd
import tap
import waiting
from case import Failed, case
from cases_operations import own_daemon, signed_host
from clients import Closed, Socketmap, netstring

DAEMONS = {
    "review": {"resolver": "127.0.0.53", "listen": ["socketmap:inet:127.0.0.1:10040"]},
}
TCP = ("127.0.0.1", 10040)


def review(rows, name, group="together", valgrind=True):
    return case(rows, name, daemon="review", group=group, valgrind=valgrind)


def requests(*keys):
    return b"".join(netstring(b"policy " + key.encode()) for key in keys)


def replies_after_shutdown(where, keys):
    """Everything the daemon sends to a client that ends its side after these requests."""
    got = []
    with Socketmap(where, 20) as connection:
        connection.send(requests(*keys))
        connection.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(Closed):
            while True:
                got.append(connection.read_reply())
    return got


@review("hostile-36", "a client that ends its side is answered all the same, in order, and then closed")
def _(c):
    signed_host(c)
    c.rule(f"slow.{c.d}", "MX", tap.delayed(1, tap.rcode("SERVFAIL")))

    def step():
        c.must_be("DO", c.ask(c.d))
        for where in (c.daemon.socket, TCP):
            got = replies_after_shutdown(where, [c.d, f"slow.{c.d}", c.d, ".parent.example"])
            if [reply.split()[0] for reply in got] != ["OK", "TEMP", "OK", "NOTFOUND"]:
                raise Failed(f"{where}: {got}")
            if replies_after_shutdown(where, []):
                raise Failed("an answer to nothing")
    c.do(step)


@review("hostile-33", "a client that is gone altogether is not waited for")
def _(c):
    c.rule(f"silent.{c.d}", "*", tap.silence())

    def step():
        with own_daemon(c) as one:
            with Socketmap(one.socket) as connection:
                connection.send(requests(f"silent.{c.d}"))
                waiting.until(lambda: one.stats()["jobs_running"] == 1, "the lookup runs")
            waiting.until(lambda: one.stats()["connections"] == 0, "the connection is closed", 3)
    c.do(step)


@review("hostile-33", "long replies to a long pipeline all come, with nothing more to send")
def _(c):
    c.clear_mx()
    c.sts(*(f"{'m' * 60}{number}.{c.u}" for number in range(20)))
    count = 3000

    def step():
        want = c.ask()
        for where in (c.daemon.socket, TCP):
            with Socketmap(where, 10) as connection:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                connection.send(requests(*[c.key] * count))
                for number in range(count):
                    if connection.read_reply() != want:
                        raise Failed(f"{where}: reply {number} differs")
    c.do(step)


def flood(where, data, seconds):
    """Sends as fast as it can and reads everything, in threads of its own."""
    with Socketmap(where) as connection:
        def read():
            with contextlib.suppress(OSError):
                while connection.sock.recv(1 << 20):
                    pass
        reader = threading.Thread(target=read)
        reader.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.send(data)
        connection.sock.shutdown(socket.SHUT_RDWR)
        reader.join()


@review("hostile-33", "a client that sends and reads without pause does not keep the loop", group="alone", valgrind=False)
def _(c):
    signed_host(c)

    def step():
        with own_daemon(c, stall_warning="20ms") as one:
            c.must_be("DO", one.ask(c.d))
            flood(one.socket, requests(c.d) * 50_000, 2)
            stalls = [line for line in one.log().splitlines() if "loop-stalled" in line]
        if stalls:
            raise Failed(f"{len(stalls)} stalls: {stalls[-1]}")
    c.do(step)


@review("G-15", "a probe that outlasts the job: the next question soon gets what it saw", valgrind=False)  # the job's deadline is a second
def _(c):
    c.plain("@ MX 10 mx")
    c.plain_host("mx", temper=replace(smtpd.GOOD, greeting_delay=3.0))

    def step():
        with own_daemon(c, answer_deadline="500ms", job_deadline="1s", temp_ttl="100ms") as one:
            c.must_be(lambda got: not got.startswith("OK"), one.ask(c.u))
            waiting.until(lambda: one.ask(c.u).startswith("OK verify"), "the probe's result is used", 8)
    c.do(step)


@review("operations", "Postfix gets through a folder made under the unit's UMask=0077", valgrind=False)
def _(c):
    signed_host(c)

    def step():
        folder = os.path.join(c.world.folder, f"q-{c.label}")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        before = os.umask(0o077)
        try:
            with own_daemon(c, listen=[f"socketmap:unix:{folder}/mxcrypt/policy.sock"]):
                mode = os.stat(f"{folder}/mxcrypt").st_mode & 0o777
        finally:
            os.umask(before)
        if mode != 0o755:
            raise Failed(f"the folder has mode {mode:o}")
    c.do(step)
