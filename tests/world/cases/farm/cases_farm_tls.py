"""A farm whose share is reached over TLS: by certificates of both sides, and never otherwise."""

import ipaddress
import os
import shutil

import farming
import remembering
import waiting
from case import Failed, case
from cases_privileges import USER, made, may_become_others, running

DAEMONS = remembering.DAEMONS
LONG = {"ttl-min": "1h", "ttl-max": "1h", "probe-ttl": "1h"}


def farm(name):
    return case("FARM", name, daemon="memory", group="few", valgrind=False, skip=farming.without_tls())


def _host(c):
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}")
    c.plain(f"mx 1 A {server.address}")
    return server


def _ip(address):
    return ipaddress.ip_address(address)


def _share(c, address, cert, name=""):
    return farming.Share(os.path.join(c.world.folder, f"share-{c.label}{name}"), address, cert=cert, ca_file=c.world.ca.ca_file)


def _files(c):
    """What a relay needs to be let in."""
    own = c.world.ca.leaf("relay.example")
    return {"share-ca-file": c.world.ca.ca_file, "share-cert-file": c.world.ca.chain_file(own), "share-cert-key": own.key.path}


def _lost(relay, why):
    return any(why in line for line in relay.daemon.events("share-lost"))


def _learns(c, server, a, b):
    """b has what a looks up, and asks no host."""
    first = a.daemon.ask(c.u)
    a.daemon.settled()
    if b.daemon.ask(c.u) != first or "verify" not in first or len(server.connections) != 1:
        raise Failed(f"{first!r}, {b.daemon.ask(c.u)!r}, {len(server.connections)} connections")


@farm("over TLS a relay learns what another has learnt, and no host is asked twice")
def learns(c):
    server, address = _host(c), c.address()

    def step():
        share = _share(c, address, c.world.ca.leaf(_ip(address)))
        with farming.farm_of(c, share, "a", "b", **_files(c), **LONG) as (_, a, b):
            _learns(c, server, a, b)
    c.do(step)


@farm("a share that shows another's certificate is not used, and is again when it shows its own")
def another(c):
    server, address = _host(c), c.address()

    def step():
        good, wrong = c.world.ca.leaf(_ip(address)), c.world.ca.leaf("share.example")
        share = _share(c, address, good)
        with farming.farm_of(c, share, "a", "b", **_files(c), **LONG) as (_, a, b):
            share.kill()
            share.show(address, wrong, c.world.ca.ca_file)
            share.start()
            b.stop()
            b.start()
            waiting.until(lambda: _lost(b, "the server's certificate is refused: it is for another name"), "it is told", 20)
            if len(a.daemon.events("share-ready")) != 1 or b.daemon.events("share-ready"):
                raise Failed("it is used")
            share.kill()
            share.show(address, good, c.world.ca.ca_file)
            share.start()
            waiting.until(lambda: len(a.daemon.events("share-ready")) == 2 and b.daemon.events("share-ready"), "both have it", 30)
            _learns(c, server, a, b)
    c.do(step)


@farm("of two servers the one with an expired certificate is passed over")
def passed_over(c):
    server, bad, good = _host(c), c.address(), c.address()

    def step():
        expired = _share(c, bad, c.world.ca.expired(_ip(bad)), "-expired")
        share = _share(c, good, c.world.ca.leaf(_ip(good)))
        share.url = f"valkeys://{bad},{good}"
        expired.start()
        try:
            with farming.farm_of(c, share, "a", "b", **_files(c), **LONG) as (_, a, b):
                for relay in (a, b):
                    if not _lost(relay, "the server's certificate is refused: certificate has expired"):
                        raise Failed(relay.daemon.log())
                _learns(c, server, a, b)
                if expired.command("DBSIZE") != "0":
                    raise Failed("something was written there")
        finally:
            expired.stop()
    c.do(step)


@farm("without a certificate of its own a relay is refused where one is wanted, and goes on alone")
def refused(c):
    server, address = _host(c), c.address()

    def step():
        share = _share(c, address, c.world.ca.leaf(_ip(address)))
        share.start()
        try:
            with remembering.Lives(c, "-a", share=share.url, share_ca_file=c.world.ca.ca_file, **LONG) as a:
                a.start()
                waiting.until(lambda: _lost(a, "the server refuses this client: certificate required"), "it is told", 20)
                if "verify" not in a.daemon.ask(c.u) or len(server.connections) != 1:
                    raise Failed("it does not go on")
        finally:
            share.stop()
    c.do(step)


@farm("a key that only root may read: it is read before root is left")
def only_root(c):
    address = c.address()

    def step():
        share = _share(c, address, c.world.ca.leaf(_ip(address)))
        files = _files(c)
        key = os.path.join(share.folder, "own-key.pem")
        shutil.copyfile(files["share-cert-key"], key)
        os.chmod(key, 0o600)
        share.start()
        try:
            one = made(c, user=USER if may_become_others() else "root", share=share.url, **{**files, "share-cert-key": key})
            with running(one):
                waiting.until(lambda: one.events("share-ready"), "the relay has the share", 20)
                share.kill()
                share.start()
                waiting.until(lambda: len(one.events("share-ready")) == 2, "it has it again", 30)
        finally:
            share.stop()
    c.do(step)
