"""What the checks of the images share: how they are declared and run, and what they ask for."""

import sys
import traceback

SOCKETMAP = "socketmap:inet:172.30.53.61:8461:policy"
RULES = "must.mxc at-least encrypt\n"
CHECKS = []


class Failed(Exception):
    pass


def check(name):
    def keep(function):
        CHECKS.append((name, function))
        return function
    return keep


def same(got, want, what):
    if got != want:
        raise Failed(f"{what}: {got!r}, wanted {want!r}")


def holds(claim, what):
    if not claim:
        raise Failed(str(what))


def perform(given, tell, words=(), after=lambda: None):
    """Runs those whose names have one of the words; tell() prints the logs, of one that failed."""
    for name, function in CHECKS:
        if words and not any(word in name for word in words):
            continue
        try:
            function(*given)
            print(f"ok {name}", flush=True)
        except Exception:  # pylint: disable=broad-except
            print(f"not ok {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
            tell()
        finally:
            after()
