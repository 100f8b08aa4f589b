#!/usr/bin/python3
"""Asks a daemon as fast as it can over one connection, until its standard input ends: asker.py SOCKET KEY=ANSWER|ANSWER...

`#` in a key is a number that grows. Prints "N answers", or what was wrong."""

import select
import sys

import rooms  # noqa: F401  (first: where the others are)

import clients


def main():
    questions = [one.split("=", 1) for one in sys.argv[2:]]
    count = 0
    with clients.Socketmap(sys.argv[1]) as connection:
        while not select.select([sys.stdin], [], [], 0)[0]:
            for key, allowed in questions:
                key = key.replace("#", str(count))
                got = connection.ask(key)
                if got not in allowed.split("|"):
                    return f"{key}: {got!r}, as answer {count + 1}"
                count += 1
    return f"{count} answers"


try:
    print(main())
except Exception as error:  # whatever it was, a lookup failed
    print(f"{error!r}")
