"""Trust anchors that change: what was judged by the old ones is judged again, and nothing is held that the host did not change."""

import os

import remembering
import waiting
from case import Failed, case

LIKE = {"probe-ttl": "1h", "ttl-max": "1h", "hold": "1h", "hold-expired": "1h", "refresh-idle": "1h"}


class Bundle:
    """A CA bundle of the case's own: the tests' root, and others."""

    def __init__(self, c):
        self.c, self.path = c, os.path.join(c.world.folder, f"{c.label}.pem")

    def holds(self, *more):
        self.write("".join(one.pem for one in (self.c.world.ca.root, *more)))

    def write(self, text):
        """Replaced as update-ca-certificates does it."""
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)


class Anchors:
    """A daemon with such a bundle, and a mail host whose certificate an authority of its own signed."""

    def __init__(self, c, **options):
        c.key = c.u
        self.c = c
        self.bundle = Bundle(c)
        self.authority = c.world.ca.new_ca(f"Authority of {c.label}")
        self.server = c.server(f"mx.{c.u}", cert=self.leaf())
        c.plain("@ MX 10 mx", f"mx A {self.server.address}")
        self.life = remembering.Lives(c, ca_file=self.bundle.path, **{key.replace("-", "_"): value for key, value in LIKE.items()}, **options)

    def leaf(self, days=90):
        return self.c.world.ca.leaf(f"mx.{self.c.u}", issuer=self.authority, days=(-1, days))

    @property
    def one(self):
        return self.life.daemon

    def ask(self):
        return self.one.ask(self.c.u)

    def answers(self, want):
        waiting.until(lambda: self.ask() == want, f"the answer {want!r}, the last was {self.ask()!r}", 20)

    def reload(self):
        if self.one.cli("reload").returncode != 0:
            raise Failed("mxcrypt reload")

    def logged(self, event, *words):
        def lines():
            return [line for line in self.one.log().splitlines() if f"event={event} " in line and all(word in line for word in words)]
        waiting.until(lines, f"event={event} with {words}", 20)
        return lines()

    def not_held(self):
        if self.one.held(self.c.u):
            raise Failed(f"held: {self.one.held(self.c.u)}")


VERIFY, ENCRYPT = "OK verify servername=hostname", "OK encrypt"


def anchors(name, rows="G-14"):
    """The decorated function is a story; it runs as the one step of the case."""
    def keep(story):
        def declare(c):
            here = Anchors(c)

            def step():
                with here.life:
                    story(here)
            c.do(step)
        return case(rows, f"trust anchors: {name}", group="few", valgrind=False)(declare)
    return keep


def proven(here):
    here.bundle.holds(here.authority)
    here.life.start()
    here.answers(VERIFY)


@anchors("one goes: encrypt at once, not held, the log names it")
def _(here):
    proven(here)
    here.bundle.holds()
    here.reload()
    here.logged("trust-anchors-changed")
    here.answers(ENCRYPT)
    here.logged("trust-anchor-gone", f"domain={here.c.u}", "was=verify", "now=encrypt", f"Authority of {here.c.label}")
    here.not_held()
    if "the one that verified before" not in " ".join(here.one.explain(here.c.u)["why"]):
        raise Failed("explain does not say that it was the trust anchor")


@anchors("noticed without a reload")
def _(here):
    proven(here)
    here.bundle.holds()
    here.logged("trust-anchors-changed")
    here.answers(ENCRYPT)
    here.not_held()


@anchors("one goes while the daemon is down", "G-14 A-40")
def _(here):
    proven(here)
    waiting.until(lambda: here.one.stats()["store_pending"] == 0, "it is written")
    here.life.stop()
    here.bundle.holds()
    here.life.start()
    here.answers(ENCRYPT)
    here.logged("trust-anchor-gone", f"domain={here.c.u}")
    here.not_held()


@anchors("one goes and comes back")
def _(here):
    proven(here)
    here.bundle.holds()
    here.reload()
    here.answers(ENCRYPT)
    here.bundle.holds(here.authority)
    here.reload()
    here.answers(VERIFY)
    here.not_held()


@anchors("one goes, and the host shows another certificate: held")
def _(here):
    proven(here)
    here.server.show(here.c.world.ca.server_context(here.leaf(91)))
    here.bundle.holds()
    here.reload()
    waiting.until(lambda: here.ask() and here.one.held(here.c.u), "the hold begins", 20)
    here.answers(VERIFY)
    if "What the hosts show has changed" not in " ".join(here.one.explain(here.c.u)["why"]):
        raise Failed("explain does not say that the host changed")


@anchors("a new one: verify at once")
def _(here):
    here.bundle.holds()
    here.life.start()
    here.answers(ENCRYPT)
    here.bundle.holds(here.authority)
    here.reload()
    here.answers(VERIFY)


@anchors("a bundle that cannot be read: the old ones stay")
def _(here):
    proven(here)
    here.bundle.write("")
    here.reload()
    here.logged("trust-anchors-unreadable")
    here.one.cli("cache", "forget", here.c.u)
    here.answers(VERIFY)


@anchors("another one changes: nothing does")
def _(here):
    proven(here)
    here.bundle.holds(here.authority, here.c.world.ca.stranger)
    here.reload()
    here.logged("trust-anchors-changed")
    here.answers(VERIFY)
    here.not_held()


@case("G-14", "trust anchors: one goes: Postfix delivers at once", daemon="postfix-anchors", group="postfix", valgrind=False)
def _(c):
    here = Anchors(c)
    here.life.name = "postfix-anchors"
    c.world.routes[c.u] = "anchors:"

    def step():
        with here.life:
            proven(here)
            here.bundle.holds()
            here.reload()
            here.answers(ENCRYPT)
            fate = c.world.postfix().deliver(f"user@{c.u}")
            if fate.status != "sent" or fate.tls != "Untrusted":
                raise Failed(str(fate))
    c.do(step)
