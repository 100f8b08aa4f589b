#!/usr/bin/python3
"""The cold path: cold.py --bin DIR [--domains N] [--delay-ms N] [--kind dane|sts]

Asks for domains nobody asked for before, through a resolver that answers every question 20 ms late, and subtracts the time
during which at least one of the lookup's DNS questions was waiting: what is left is mxcryptd's own. A domain with TLSA
must cost no more than 10 ms of its own (median)."""

import argparse
import asyncio
import os
import time

import benchworld  # puts tests/world on the path

import clients
import dnsworld
import policyhost

ADDRESS = "127.0.0.54"
GOAL_MS = 1.3
TIME_LIMIT_S = 300
TLSA = "3 1 1 " + "ab" * 32
MTA_STS_LABEL = b"\x08_mta-sts"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd: a release build")
    parser.add_argument("--domains", type=int, default=40)
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--kind", choices=("dane", "sts"), default="dane")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Upstream(asyncio.DatagramProtocol):
    """One question under way to unbound."""

    def __init__(self, answered):
        self.answered = answered

    def datagram_received(self, data, _address):
        self.answered(data)


class Slow(asyncio.DatagramProtocol):
    """Passes questions to unbound after a delay and answers on at once; writes down when each was waiting."""

    def __init__(self, delay_s, ignored):
        self.delay_s, self.ignored = delay_s, ignored
        self.spans = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        asyncio.ensure_future(self._pass(data, address, time.monotonic()))

    async def _pass(self, data, address, came):
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        await asyncio.sleep(self.delay_s)
        upstream, _ = await loop.create_datagram_endpoint(lambda: Upstream(lambda reply: answer.done() or answer.set_result(reply)),
                                                          remote_addr=(dnsworld.UNBOUND_ADDRESS, 53))
        upstream.sendto(data)
        reply = await answer
        upstream.close()
        if not self.ignored or self.ignored not in data:
            self.spans.append((came, time.monotonic()))
        self.transport.sendto(reply, address)

    def waiting(self, began, ended):
        """Seconds in between when a question was waiting, and the number of round trips one after the other."""
        total, trips, reached = 0.0, 0, began
        for start, end in sorted(span for span in self.spans if span[1] > began and span[0] < ended):
            if start >= reached:
                trips += 1
            total += max(0.0, min(end, ended) - max(start, reached))
            reached = max(reached, end)
        return total, trips


def declare(the_world, options):
    for number in range(options.domains):
        name = f"cold{number}.signed" if options.kind == "dane" else f"cold{number}.plain"
        the_world.dns.add(name, "@ MX 10 mx", f"mx A 198.18.{number}.1")
        if options.kind == "dane":
            the_world.dns.add(name, f"_25._tcp.mx TLSA {TLSA}")
            continue
        the_world.dns.add(name, '_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {the_world.policy_address}")
        leaf = the_world.ca.leaf(f"mta-sts.{name}")
        the_world.policies.host(f"mta-sts.{name}", the_world.ca.server_context(leaf), policyhost.Policy(policyhost.sts_text(f"mx.{name}")))
    the_world.dns.start()


def ask_all(daemon, slow, options):
    wanted, end = ("OK dane-only", "signed") if options.kind == "dane" else ("OK secure match=", "plain")
    figures = []
    with clients.Socketmap(daemon.socket) as connection:
        for number in range(options.domains):
            began = time.monotonic()
            answer = connection.ask(f"cold{number}.{end}")
            ended = time.monotonic()
            if not answer.startswith(wanted):
                raise RuntimeError(f"cold{number}.{end}: {answer}")
            spent, trips = slow.waiting(began, ended)
            figures.append((ended - began, spent, ended - began - spent, trips))
    return figures


def measure(the_world, options):
    declare(the_world, options)
    # a DANE verdict does not wait for MTA-STS: that question must not cover for anything
    slow = Slow(options.delay_ms / 1000, MTA_STS_LABEL if options.kind == "dane" else b"")

    async def listen():
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: slow, local_addr=(ADDRESS, 53))
    the_world.loop.run(listen())
    daemon = benchworld.new_daemon(the_world, "cold", {**the_world.options(), "resolver": ADDRESS, "probe": "no"}).start()
    figures = ask_all(daemon, slow, options)
    daemon.stop()
    the_world.dns.stop()
    print(f"{options.domains} cold domains ({options.kind}), every DNS answer {options.delay_ms:g} ms late")
    print(f"{'ms':24}{'median':>9}{'least':>9}{'most':>9}")
    for name, index in (("answer", 0), ("waiting for DNS", 1), ("of its own", 2)):
        values = [one[index] * 1000 for one in figures]
        print(f"{name:24}{benchworld.median(values):>9.2f}{min(values):>9.2f}{max(values):>9.2f}")
    print(f"round trips one after the other: {benchworld.median([one[3] for one in figures]):g}")
    own_ms = benchworld.median([one[2] * 1000 for one in figures])
    if options.kind != "dane":
        return 0
    print(f"goal: {GOAL_MS} ms of its own or less: {own_ms:.2f} {'reached' if own_ms <= GOAL_MS else 'MISSED'}")
    return 0 if own_ms <= GOAL_MS else 1


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
