"""Results files, read without any program of ours, and compared."""

import os
import sqlite3

# what depends on when a run was made: moments, and lifetimes, which the resolver counts down
TIMES = {"began", "ended", "looked_up", "ttl", "mx_ttl"}
SHOWN = 3


def connect(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def rows(path, sql, *parameters):
    connection = connect(path)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def value(path, sql, *parameters):
    return rows(path, sql, *parameters)[0][0]


def tables(connection, schema="main"):
    return [row[0] for row in connection.execute(f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' ORDER BY name")]


def finished(path):
    """Whether a survey of this file came to its end."""
    try:
        return value(path, "SELECT ended FROM run") is not None
    except (sqlite3.Error, IndexError):
        return False  # killed before it had tables


def closed(path):
    """Whether it also left one file: a kill may come between."""
    return os.path.exists(path) and finished(path) and not os.path.exists(path + "-wal")


def known(path):
    """How many domains, hosts and addresses have a result."""
    try:
        return value(path, "SELECT (SELECT count(looked_up) FROM domain) + (SELECT count(looked_up) FROM host) + "
                     "(SELECT count(looked_up) FROM address)")
    except sqlite3.Error:
        return 0  # killed before it had tables


def whole(path):
    """What SQLite says is wrong with the file; None: nothing."""
    try:
        said = value(path, "PRAGMA integrity_check")
    except sqlite3.Error as error:
        said = str(error)
    return None if said == "ok" else said


def differences(one, other, without=()):
    """What is different between two files apart from times and the columns `without` ("table.column"); a list of texts."""
    connection = sqlite3.connect(f"file:{one}?mode=ro", uri=True)
    connection.execute("ATTACH ? AS other", (f"file:{other}?mode=ro",))
    try:
        mine, theirs = tables(connection), tables(connection, "other")
        found = [] if mine == theirs else [f"tables {mine} and {theirs}"]
        for table in sorted(set(mine) & set(theirs)):
            found += _table_differences(connection, table, without)
        return found
    finally:
        connection.close()


def _table_differences(connection, table, without):
    columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    wanted = ", ".join(f'"{name}"' for name in columns if name not in TIMES and f"{table}.{name}" not in without)
    found = []
    for left, right, what in (("main", "other", "only in the first"), ("other", "main", "only in the second")):
        rest = f"SELECT {wanted} FROM {left}.{table} EXCEPT SELECT {wanted} FROM {right}.{table}"
        count = connection.execute(f"SELECT count(*) FROM ({rest})").fetchone()[0]
        if count:
            some = connection.execute(f"{rest} LIMIT {SHOWN}").fetchall()
            found.append(f"{table}: {count} rows {what}: " + "; ".join(str(tuple(one))[:400] for one in some))
    counts = [connection.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone()[0] for schema in ("main", "other")]
    if counts[0] != counts[1]:
        found.append(f"{table}: {counts[0]} and {counts[1]} rows")
    return found
