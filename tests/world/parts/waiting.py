"""Waiting by asking: the one place where the tests' world lets time pass."""

import time


class TimedOut(Exception):
    pass


def until(ask, what, seconds=30, pause=0.02):
    """Ask until the answer is true and return it."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimedOut(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)
