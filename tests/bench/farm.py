#!/usr/bin/python3
"""What the share of a farm costs: farm.py --bin DIR [--rounds N] [--seconds N] [--connections N] [--domains N]

Cached lookups per second of a mxcryptd with a share beside one without, the same load in alternating rounds: the figure is the
ratio within a round, of lookups per second and of server CPU per lookup. Then domains that one relay has looked up are asked at
another one: such a miss beside a round trip to the share, a GET of a record on a connection of its own, measured before each.
The share is a real server on a Unix socket; figures are medians."""

import argparse
import os
import socket
import time

import benchworld  # puts tests/world on the path

import cached
import clients
import farming
import waiting

GOAL_RATIO, GOAL_MS = 0.98, 2.0
KEY = "0123456789abcdef" * 2
HUB = "mx.hub.signed"
TLSA = "3 1 1 " + "ab" * 32


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and bench_load: a release build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--domains", type=int, default=1000)
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Trips:
    """A connection to the share: how long it takes to be asked for a record."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)

    def get_ms(self, name):
        words = (b"GET", name.encode())
        command = b"*2\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        began = time.monotonic()
        self.sock.sendall(command)
        reply = self.sock.recv(65536)
        while not reply.endswith(b"\r\n") or reply.count(b"\r\n") < 2:
            reply += self.sock.recv(65536)
        return (time.monotonic() - began) * 1000


def domain(number):
    return f"d{number}.signed"


def declare(the_world, options):
    the_world.dns.add("hub.signed", "mx A 198.18.0.1", f"_25._tcp.mx TLSA {TLSA}")
    for number in range(options.domains):
        the_world.dns.add(domain(number), f"@ MX 10 {HUB}.")
    cached.declare(the_world)


def start(the_world, share, name):
    """A relay of this name; without a share when `share` is None."""
    own = {**the_world.options(), "probe": "no", "ttl-min": "1h"}
    if share is not None:
        own |= {"share": share.url, "share-key-file": share.key, "share-name": name, "share-deadline": "1s"}
    one = the_world.new_daemon(name, own).start()
    if share is not None:
        waiting.until(lambda: one.events("share-ready"), "the relay has the share", 20)
    return one


def measure_cached(without, shared, options):
    """Ratios of the one with a share to the one without."""
    return cached.beside(("without a share", without), ("with a share", shared), options)


def learn(one, options):
    with clients.Socketmap(one.socket) as connection:
        for number in range(options.domains):
            answer = connection.ask(domain(number))
            if answer != "OK dane-only":
                raise RuntimeError(f"{domain(number)}: {answer}")
    one.settled()
    waiting.until(lambda: one.stats()["share_pending"] == 0, "it is in the share", 20)


def measure_misses(share, one, options):
    """Medians in ms: of a round trip to the share, of a miss that it answers."""
    names = {name.rsplit(":", 1)[1]: name for name in share.command("--scan", "--pattern", "mxcrypt:1:a:*").split()}
    trips, misses, socket_trips = Trips(share.socket), [], []
    with clients.Socketmap(one.socket) as connection:
        connection.ask(cached.DOMAIN)
        before = one.stats()["share_found"]
        for number in range(options.domains):
            trip = trips.get_ms(names[domain(number)])
            began = time.monotonic()
            answer = connection.ask(domain(number))
            misses.append(((time.monotonic() - began) * 1000, trip))
            if answer != "OK dane-only":
                raise RuntimeError(f"{domain(number)}: {answer}")
            began = time.monotonic()
            connection.ask(domain(number))
            socket_trips.append((time.monotonic() - began) * 1000)
    found = one.stats()["share_found"] - before
    print(f"{found} of {options.domains} misses were answered from the share")
    print(f"a cached answer takes {benchworld.median(socket_trips):.3f} ms")
    if found != options.domains:
        raise RuntimeError("not all of them")
    return benchworld.median([trip for _, trip in misses]), benchworld.median([miss for miss, _ in misses])


def measure(the_world, options):
    declare(the_world, options)
    share = farming.Share(os.path.join(the_world.folder, "share"))
    with open(share.key, "w", encoding="ascii") as file:
        file.write(KEY)
    share.start()
    relays = [start(the_world, None, "without"), start(the_world, share, "a"), start(the_world, share, "b")]
    without, first, second = relays
    rate, cpu = measure_cached(without, first, options)
    learn(first, options)
    trip, miss = measure_misses(share, second, options)
    the_world.dns.stop()
    for one in relays:
        one.stop()
    share.stop()
    print(f"cached, with a share to without: {rate:.3f} of the lookups/s, {cpu:.3f} of the lookups per second of CPU; goal {GOAL_RATIO}")
    print(f"a round trip to the share: {trip:.3f} ms; a miss that it answers: {miss:.3f} ms, {miss - trip:.3f} ms more; goal {GOAL_MS} ms")
    return 0 if min(rate, cpu) >= GOAL_RATIO and miss - trip <= GOAL_MS else 1


if __name__ == "__main__":
    wanted = arguments()
    benchworld.main(__file__, measure, wanted, 300 + wanted.rounds * 3 * (wanted.seconds + cached.WARM_UP_S + 2))
