"""Asks a cached domain again and again over one connection: latency.py SOCKET KEY; ends when standard input does.

A process of its own, so that the servers of the tests do not disturb the figures."""

import json
import select
import sys
import time

import rooms  # noqa: F401  (first: where the others are)
import clients

PAUSE_S = 0.005


def measure(path, key):
    times, answers = [], set()
    with clients.Socketmap(path) as connection:
        while not times or not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            began = time.monotonic()
            answers.add(connection.ask(key))
            times.append((time.monotonic() - began) * 1000)
    return times, answers


def main():
    times, answers = measure(sys.argv[1], sys.argv[2])
    times.sort()
    print(json.dumps({"count": len(times), "p50": times[len(times) // 2], "p95": times[len(times) * 95 // 100],
                      "p99": times[len(times) * 99 // 100], "max": times[-1],
                      "answers": sorted(answers)}))


if __name__ == "__main__":
    main()
