#!/usr/bin/python3
"""The main job shown inside a world of its own: quick.py --bin DIR

Starts mxcryptd, asks it for one domain per verdict, prints each answer and its explanation, then lets a real Postfix deliver
through dane-only, secure, verify and encrypt and refuse a TLSA mismatch, an MTA-STS mismatch and a stripped STARTTLS."""

import argparse
import os
import shutil
import signal
import sys
import tempfile

import rooms  # noqa: F401  (first: where the others are)
import case
import cases_postfix
import run
import smtpd
import world
from postfix import UNVERIFIED

TIME_LIMIT_S = 120
RULE = "-" * 100


class Shown:
    """One domain: what the world says of it, what must be answered, and what must become of a message to it."""

    def __init__(self, name, want, declare, status=None, tls=None, says=""):
        self.name, self.want, self.declare = name, want, declare
        self.status, self.tls, self.says = status, tls, says


def _dane(one, *tlsa):
    one.zone("@ MX 10 mx")
    return one.host("mx", *tlsa)


def _plain(one, **more):
    one.key = one.u
    one.plain("@ MX 10 mx")
    return one.plain_host("mx", **more)


def _sts(one, **more):
    server = _plain(one, **more)
    one.sts()
    return server


def _mixed(one):
    server = _dane(one, "good")
    one.zone("@ MX 20 mx2")
    one.host("mx2")
    return server


def _bogus(one):
    one.child(one.d, "bogus", "@ MX 10 mx", "mx A 198.18.0.1")


def _self_signed(one):
    return _plain(one, cert=one.world.ca.leaf(f"mx.{one.u}", issuer=None))


SHOWN = [
    Shown("dane-only", "DO", lambda one: _dane(one, "good"), "sent", "Verified"),
    Shown("secure", "SEC", _sts, "sent", "Verified"),
    Shown("verify", "VER", _plain, "sent", "Verified"),
    Shown("encrypt", "ENC", _self_signed, "sent", "Untrusted"),
    Shown("tlsa-mismatch", "DO", lambda one: _dane(one, "3 1 1 " + "00" * 32), "deferred", "Untrusted", "not verified"),
    Shown("sts-mismatch", "SEC", lambda one: _sts(one, cert=one.world.ca.leaf("other.example")), "deferred", UNVERIFIED, "not verified"),
    Shown("stripped", "VER", _plain, "deferred", None, "TLS is required, but was not offered"),
    Shown("dane", "DA", _mixed),
    Shown("nothing-known", "NF", lambda one: _plain(one, temper=smtpd.CLEAR)),
    Shown("mx-unknown", "TMP", _bogus),
]


def ask(daemon, shown, one):
    """Prints the answer and its explanation; whether it is the right one."""
    answer = daemon.ask(one.key)
    print(f"{RULE}\n{one.key}\n  Postfix is told: {answer}\n")
    print(daemon.cli("explain", one.key).stdout)
    try:
        one.must_be(shown.want, answer)
    except case.Failed as error:
        print(f"  NOT AS IT SHOULD BE: {error}")
        return False
    return True


def deliver(postfix, shown, one):
    fate = postfix.deliver(f"user@{one.key}")
    good = fate.status == shown.status and fate.over(shown.tls) and shown.says in "\n".join(fate.lines)
    print(f"{RULE}\n{shown.name}: wanted {shown.status}" + (f" over a connection that is {shown.tls}" if shown.tls else "")
          + f": {'as it should be' if good else 'NOT AS IT SHOULD BE'}")
    for line in fate.lines:
        print("  " + line)
    return good


def show(the_world):
    pairs = []
    for shown in SHOWN:
        one = case.Case(the_world, case.Entry((), shown.name, shown.declare, "postfix", "together", False), shown.name)
        pairs.append((shown, one, shown.declare(one)))
    the_world.dns.start()
    postfix = the_world.postfix()
    daemon = the_world.daemon("postfix")
    print(f"mxcryptd runs and listens at {daemon.socket}")
    good = [ask(daemon, shown, one) for shown, one, _ in pairs]
    print(f"\n{RULE}\nNow a real Postfix delivers, with smtp_tls_policy_maps = socketmap:unix:{daemon.socket}:policy\n")
    for shown, one, server in pairs:
        if shown.name == "stripped":
            server.temper = smtpd.CLEAR
            print(f"(the server of {one.key} no longer offers STARTTLS)")
        if shown.status:
            good.append(deliver(postfix, shown, one))
    postfix.stop()
    for name, wrong in the_world.stop_daemons():
        if wrong:
            print(f"mxcryptd ({name}) did not end clean: {wrong}")
            good.append(False)
    print(f"{RULE}\n{sum(good)} of {len(good)} as they should be")
    return 0 if all(good) else 1


def main():
    if run.INSIDE not in os.environ:
        run.enter_namespaces(__file__)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    options = parser.parse_args()
    signal.alarm(TIME_LIMIT_S)
    folder = tempfile.mkdtemp(prefix="mxq")
    os.chmod(folder, 0o755)
    try:
        status = show(world.World(folder, os.path.abspath(options.bin), cases_postfix.DAEMONS))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
