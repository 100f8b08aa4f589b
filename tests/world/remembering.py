"""What the cases of the memory share: daemons that end and start again on one store, a world that is cut off."""

import contextlib
import mmap
import os
import shutil
import struct
import subprocess

import daemon
import tap
import waiting
from case import Failed

DAEMONS = {
    # Everything is looked up again after a second, in the background or when asked.
    "memory": {"resolver": "127.0.0.53", "dns-timeout": "800ms", "dns-tries": "2", "fetch-deadline": "2s", "greeting-deadline": "1s",
               "probe-deadline": "2s", "job-deadline": "8s", "ttl-min": "500ms", "ttl-max": "1s", "temp-ttl": "500ms", "probe-ttl": "500ms",
               "probe-retry-min": "300ms", "probe-retry-max": "600ms", "store-flush": "100ms", "refresh-rate": "500",
               "refresh-idle": "0s", "hold-probe-min": "200ms", "hold-probe-max": "400ms"},
}
SILENT, BROKEN, REFUSING, NOBODY = "127.0.0.61", "127.0.0.62", "127.0.0.63", "127.0.0.64"


class Lives:
    """A daemon that ends, one way or another, and starts again on the same store; options as keyword arguments."""

    def __init__(self, c, name="", like="memory", **options):
        self.c, self.name = c, f"{c.label}{name}"
        patience = {"fetch-deadline": "20s", "greeting-deadline": "10s"} if c.world.valgrind else {}
        self.options = {**c.world.options(like), **patience, **_keys(options)}
        self.daemon = self.clock = None

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
        self.daemon = self.c.world.new_daemon(self.name, dict(self.options))
        if self.clock:
            self.daemon.environment = self.clock.environment
        return self.daemon.start()

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


CLOCK_C = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead_s;

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("WORLD_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *page = mmap(NULL, sizeof *ahead_s, PROT_READ, MAP_SHARED, fd, 0);

    close(fd);
    if (page == MAP_FAILED)
        abort();
    ahead_s = page;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int status = (int)syscall(SYS_clock_gettime, id, out);

    if (ahead_s != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec += *ahead_s;
    return status;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}
"""


class Clock:
    """A wall clock of one daemon's own, which jumps when the test says so; the monotonic one goes on as always."""

    def __init__(self, c):
        library = os.path.join(c.world.folder, f"{c.label}.clock.so")
        path = os.path.join(c.world.folder, f"{c.label}.clock")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-x", "c", "-o", library, "-"], input=CLOCK_C, text=True, check=True)
        with open(path, "wb") as file:
            file.write(bytes(8))
        with open(path, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), 8)
        asan = daemon.SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        self.environment = {"LD_PRELOAD": library, "WORLD_CLOCK": path, "ASAN_OPTIONS": asan}

    def ahead(self, seconds):
        """From now on it is so far ahead of the true one."""
        self._page[:] = struct.pack("q", seconds)


def becomes(c, one, key, want, meanwhile, seconds=10):
    """A step's check: the answer becomes `want`, and until then it is `meanwhile`."""
    def there():
        got = one.ask(key)
        try:
            c.must_be(want, got, key)
        except Failed:
            c.must_be(meanwhile, got, key)
            return False
        return True
    waiting.until(there, f"{key} becomes {want}", seconds)


def tables(connection):
    """The names of the tables of a store."""
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
