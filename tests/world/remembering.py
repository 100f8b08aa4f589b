"""What the cases of the memory share: daemons that end and start again on one store, a world that is cut off."""

import contextlib
import os
import shutil

import tap
from case import Failed

DAEMONS = {
    # Everything is looked up again after a second, in the background or when asked.
    "memory": {"resolver": "127.0.0.53", "dns-timeout": "300ms", "dns-tries": "2", "fetch-deadline": "2s", "greeting-deadline": "1s",
               "probe-deadline": "2s", "job-deadline": "5s", "ttl-min": "500ms", "ttl-max": "1s", "temp-ttl": "500ms", "probe-ttl": "500ms",
               "probe-retry-min": "300ms", "probe-retry-max": "600ms", "store-flush": "100ms", "refresh-rate": "500",
               "refresh-idle": "0s", "hold-probe-min": "200ms", "hold-probe-max": "400ms"},
}
SILENT, BROKEN, REFUSING, NOBODY = "127.0.0.61", "127.0.0.62", "127.0.0.63", "127.0.0.64"


class Lives:
    """A daemon that ends, one way or another, and starts again on the same store; options as keyword arguments."""

    def __init__(self, c, name="", like="memory", **options):
        self.c, self.name = c, f"{c.label}{name}"
        self.options = {**c.world.options(like), **_keys(options)}
        self.daemon = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.daemon is None or not self.daemon.alive():
            return
        wrong = self.daemon.stop()
        if wrong and kind is None:
            raise Failed(wrong)

    @property
    def store(self):
        return self.options.get("store", os.path.join(self.c.world.folder, "d-" + self.name, "store.db"))

    def start(self, **changes):
        """Another life, with these options changed for good."""
        self.options.update(_keys(changes))
        self.daemon = self.c.world.new_daemon(self.name, dict(self.options)).start()
        return self.daemon

    def kill(self):
        self.daemon.kill()

    def stop(self):
        """SIGTERM; the end must be clean."""
        wrong = self.daemon.stop()
        if wrong:
            raise Failed(wrong)

    def copy_store_to(self, other):
        """The other's daemon, not started yet, will find this one's store."""
        os.makedirs(os.path.dirname(other.store), exist_ok=True)
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(self.store + end, other.store + end)


def _keys(options):
    return {key.replace("_", "-"): value for key, value in options.items()}


class CutOff:
    """Resolvers that know nothing, each in its way, by name; each a world of its own to a daemon that is pointed at it."""

    _made = None

    @classmethod
    def resolvers(cls, world):
        if cls._made is None:
            cls._made = {"silence": SILENT, "SERVFAIL": BROKEN, "REFUSED": REFUSING, "nobody there": NOBODY}
            for address, rule in ((SILENT, tap.silence()), (BROKEN, tap.rcode("SERVFAIL")), (REFUSING, tap.rcode("REFUSED"))):
                tap.Tap(world.loop, address).cut_off(rule)
        return cls._made


def cut_off(c, how="silence"):
    """The address of a resolver that gives nothing in this way; make it while the case declares."""
    return CutOff.resolvers(c.world)[how]


def must(one, key, want, c):
    """The daemon answers the key so."""
    c.must_be(want, one.ask(key), key)


def tables(connection):
    """The names of the tables of a store."""
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
