"""hostile 38: a store that is corrupt, foreign, cut short, a link, open to others, or tampered with."""

import os
import sqlite3
import stat

import remembering
import waiting
from case import Failed, secure, table
from cases_memory_store import stored


@stored("the store's file is for its owner alone, readable with sqlite3", "hostile-38")
def _(c):
    c.clear_mx()
    c.sts()

    def step():
        with remembering.Lives(c, like="stored") as lives:
            before = os.umask(0)
            try:
                one = lives.start()
            finally:
                os.umask(before)
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            for end in ("", "-wal", "-shm"):
                path = lives.store + end
                if os.path.exists(path) and stat.S_IMODE(os.stat(path).st_mode) != 0o600:
                    raise Failed(f"{path} has mode {os.stat(path).st_mode:o}")
            with sqlite3.connect(f"file:{lives.store}?mode=ro", uri=True) as reader:
                found = [str(row) for name in remembering.tables(reader) for row in reader.execute(f'SELECT * FROM "{name}"')]
            if not any(c.u in row for row in found) or not any("enforce" in row for row in found) or not any("OK secure" in row for row in found):
                raise Failed(f"an operator cannot read it: {found}")
    c.do(step)


def spoilt(c, spoil, known_after=False, aside=True):
    """The store is spoilt between two lives: the daemon starts, says so, sets it aside, and begins a fresh one that works."""
    c.clear_mx()
    c.sts()
    dead = remembering.cut_off(c, "SERVFAIL")

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            lives.stop()
            extra = spoil(lives)
            one = lives.start(resolver=dead)
            c.must_be("SEC" if known_after else "TMP", one.ask(c.u))
            if aside:
                _set_aside(one, lives)
            lives.stop()
            one = lives.start(resolver=c.world.tap.address)
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            if one.stats()["store_degraded"] and aside:
                raise Failed("the fresh store does not work")
            lives.kill()
            if aside:
                c.must_be("SEC", lives.start(resolver=dead).ask(c.u))
            if callable(extra):
                extra()
    c.do(step)


def _set_aside(one, lives):
    lines = waiting.until(lambda: one.events("store-set-aside"), "a warning that it was set aside")
    if "level=warn" not in lines[0] or "reason=" not in lines[0]:
        raise Failed(lines[0])
    aside = lines[0].split(" aside=")[1].split()[0].strip('"')
    if not os.path.lexists(aside) or os.path.samefile(aside, lives.store):
        raise Failed(f"nothing is at {aside}")


def _overwrite(make):
    def spoil(lives):
        for end in ("-wal", "-shm"):
            if os.path.exists(lives.store + end):
                os.unlink(lives.store + end)
        with open(lives.store, "rb") as file:
            data = file.read()
        with open(lives.store, "wb") as file:
            file.write(make(data))
    return spoil


def _sql(*statements):
    def spoil(lives):
        with sqlite3.connect(lives.store) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
    return spoil


def _foreign(lives):
    os.unlink(lives.store)
    _sql("CREATE TABLE recipes (name TEXT, text TEXT)", "INSERT INTO recipes VALUES ('pancakes', 'flour')", "PRAGMA user_version = 1")(lives)


def _foreign_same_tables(lives):
    """Another program's database that happens to have our table names."""
    with sqlite3.connect(lives.store) as connection:
        names = remembering.tables(connection)
    connection.close()
    os.unlink(lives.store)
    _sql(*(f'CREATE TABLE "{name}" (id INTEGER, text BLOB)' for name in names))(lives)


def _middle(data):
    """Noise over all pages but the first."""
    return data[:4096] + os.urandom(len(data) - 4096)


table("hostile-38", "the store is", [
    ("noise", _overwrite(lambda data: os.urandom(len(data)))), ("cut in half", _overwrite(lambda data: data[:len(data) // 2])),
    ("cut within the header", _overwrite(lambda data: data[:50])), ("noise after the first page", _overwrite(_middle)),
    ("text", _overwrite(lambda data: b"hello\n" * 1000)), ("another program's database", _foreign),
    ("another program's, with our table names", _foreign_same_tables), ("of a newer version", _sql("PRAGMA user_version = 999999")),
], spoilt, daemon="stored", group="few", valgrind=False)


@stored("an empty file is a fresh store", "hostile-38")
def _(c):
    spoilt(c, _overwrite(lambda data: b""), aside=False)


def _world_writable(lives):
    os.chmod(lives.store, 0o666)


@stored("a store that others may write to is not believed", "hostile-38")
def _(c):
    spoilt(c, _world_writable)


@stored("a store of another owner is not believed", "hostile-38", valgrind=False)
def _(c):
    spoilt(c, lambda lives: os.chown(lives.store, 65534, 65534))


def _not_believed(c, prepare):
    """Something that is no regular file of ours is where the store should be: nothing is read or written through it."""
    c.clear_mx()
    c.sts()

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            one.settled()
            lives.stop()
            untouched = prepare(lives)
            one = lives.start(resolver=remembering.SILENT)
            c.must_be("TMP", one.ask(c.u))
            waiting.until(lambda: one.events("store-set-aside") or one.events("store-degraded"), "a warning")
            lives.stop()
            one = lives.start(resolver=c.world.tap.address)
            c.must_be("SEC", one.ask(c.u))
            lives.stop()
            untouched()
    remembering.cut_off(c)
    c.do(step)


def _symlink(lives):
    """To a store that would be believed."""
    target = lives.store + ".elsewhere"
    os.rename(lives.store, target)
    for end in ("-wal", "-shm"):
        if os.path.exists(lives.store + end):
            os.unlink(lives.store + end)
    os.symlink(target, lives.store)
    return _unchanged(target)


def _unchanged(target):
    with open(target, "rb") as file:
        data = file.read()

    def check():
        with open(target, "rb") as file:
            if file.read() != data:
                raise Failed(f"{target} was written to")
        if [name for name in (target + "-wal", target + "-journal") if os.path.exists(name)]:
            raise Failed(f"files beside {target}")
    return check


def _dangling(lives):
    target = lives.store + ".elsewhere"
    os.unlink(lives.store)
    os.symlink(target, lives.store)

    def check():
        if os.path.exists(target):
            raise Failed(f"{target} was made")
    return check


def _directory(lives):
    os.unlink(lives.store)
    os.mkdir(lives.store)
    return lambda: None


def _fifo(lives):
    os.unlink(lives.store)
    os.mkfifo(lives.store)
    return lambda: None


table("hostile-38", "in place of the store", [("a symbolic link", _symlink), ("a dangling symbolic link", _dangling), ("a directory", _directory),
                                              ("a FIFO", _fifo)], _not_believed, daemon="stored", group="few", valgrind=False)


@stored("a symbolic link where the write-ahead log would be is not followed", "hostile-38")
def _(c):
    victim = os.path.join(c.world.folder, f"{c.label}.victim")

    def prepare(lives):
        with open(victim, "w", encoding="ascii") as file:
            file.write("precious\n")
        if os.path.lexists(lives.store + "-wal"):
            os.unlink(lives.store + "-wal")
        os.symlink(victim, lives.store + "-wal")

    def step():
        with remembering.Lives(c, like="stored") as lives:
            lives.start()
            lives.stop()
            prepare(lives)
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            lives.stop()
            with open(victim, encoding="ascii") as file:
                if file.read() != "precious\n":
                    raise Failed("it was written through the link")
    c.clear_mx()
    c.sts()
    c.do(step)


@stored("rows that were tampered with are refused one by one, the others count", "hostile-38")
def _(c):
    c.clear_mx()
    c.sts()
    c.plain("other MX 10 clear", f"clear A {c.world.clear.address}")
    c.sts(f"mx.{c.u}", domain=f"other.{c.u}")
    dead = remembering.cut_off(c, "SERVFAIL")

    def tamper(lives):
        """Every text and blob of the other domain's rows becomes noise, but for what names it."""
        with sqlite3.connect(lives.store) as connection:
            for name in remembering.tables(connection):
                columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]
                for rowid, *values in connection.execute(f'SELECT rowid, * FROM "{name}"').fetchall():
                    if f"other.{c.u}" not in values:
                        continue
                    for column, value in zip(columns, values):
                        noise = b"\xff{}\0nonsense" if isinstance(value, bytes) else "{nonsense"
                        if isinstance(value, (str, bytes)) and value != f"other.{c.u}":
                            connection.execute(f'UPDATE "{name}" SET "{column}" = ? WHERE rowid = ?', (noise, rowid))
        connection.close()

    def step():
        with remembering.Lives(c, like="stored") as lives:
            one = lives.start()
            c.must_be("SEC", one.ask(c.u))
            c.must_be(lambda got: got.startswith("OK secure"), one.ask(f"other.{c.u}"))
            one.settled()
            lives.stop()
            tamper(lives)
            one = lives.start(resolver=dead)
            c.must_be(secure((f"mx.{c.u}",)), one.ask(c.u))
            c.must_be("TMP", one.ask(f"other.{c.u}"))
            if not one.stats()["store_rejected"]:
                raise Failed("nothing was counted")
    c.do(step)
