#!/usr/bin/python3
"""How much memory the share of a farm takes: share_size.py --bin DIR [--domains N]

A real server is filled by a real mxcryptd, which imports so many domains of one kind that nobody has, made from what it learnt of
one that exists; once with a mail host for each, once with one for ten. Shown are keys and octets a domain, by the server's own
used_memory less what it had before; then the history of a domain that a relay has looked up itself, which an import does not
bring. Nothing here passes or fails by figures; the exit status is 1 when records are missing."""

import argparse
import json
import os

import benchworld  # puts tests/world on the path

import farming
import memory
import waiting

TIME_LIMIT_S = 900
NAMES = {memory.DANE: "dane-only", memory.STS: "secure (MTA-STS)", memory.VERIFY: "verify", memory.ENCRYPT: "encrypt"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    parser.add_argument("--domains", type=int, default=5000, help="of each kind")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


def info(share, name):
    return int(next(line for line in share.command("INFO").splitlines() if line.startswith(name + ":")).split(":")[1])


def start_share(the_world, name):
    share = farming.Share(os.path.join(the_world.folder, f"share-{name}"))
    farming.secret(share.key, farming.KEY)
    share.start()
    return share


def relay(the_world, share, name, **options):
    own = {**the_world.options(), **memory.OPTIONS, "share": share.url, "share-key-file": share.key, "share-name": name, **options}
    one = benchworld.new_daemon(the_world, name, own).start()
    waiting.until(lambda: one.events("share-ready"), "the relay has the share", 20)
    return one


def fill(the_world, share, name, path):
    """A relay that has imported all of it, and put it into the share."""
    one = relay(the_world, share, name, **{"resolver": memory.REFUSING, "refresh-idle": "0s"})
    done = one.cli("import", path, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"import: {done.stdout}{done.stderr}")
    # what finds no room on its way is put again later
    waiting.until(lambda: one.stats()["share_pending"] == 0 and int(share.command("DBSIZE")) >= records_of(path), "everything is in the share", 120, 0.2)
    one.stop()


def records_of(path):
    """Those that are shared: the past of a domain is not."""
    with open(path, encoding="utf-8") as file:
        return sum(json.loads(line).get("type") in ("answer", "policy", "probe") for line in file)


def measure_kind(the_world, head, patterns, kind, domains, per_host):
    name = f"{kind.letter}-{per_host}"
    share = start_share(the_world, name)
    before = info(share, "used_memory")
    path = os.path.join(the_world.folder, f"{name}.export")
    # write_export divides its domains among the kinds
    memory.write_export(path, head, [one for one in patterns if one.kind is kind], -(-domains * memory.SHARES // kind.share), per_host)
    fill(the_world, share, name, path)
    keys, used = int(share.command("DBSIZE")), info(share, "used_memory") - before
    share.stop()
    print(f"{NAMES[kind]:18}{'a mail host each' if per_host == 1 else f'a mail host for {per_host}':20}"
          f"{keys / domains:6.1f} keys{used / domains:8.0f} octets a domain", flush=True)


def measure_history(the_world):
    """Of the four domains that exist, each looked up once."""
    share = start_share(the_world, "history")
    one = relay(the_world, share, "history")
    for kind in memory.KINDS:
        waiting.until(lambda kind=kind: one.ask(kind.domain(memory.TEMPLATE)) == kind.wanted(memory.TEMPLATE), f"{kind.letter} is known")
    waiting.until(lambda: len(histories(share)) == len(memory.KINDS), "each has a history", 20)
    sizes = [int(share.command("MEMORY", "USAGE", name, "SAMPLES", "0")) for name in histories(share)]
    one.stop()
    share.stop()
    print(f"history of one event: {sum(sizes) / len(sizes):.0f} octets a domain")


def histories(share):
    return share.command("--scan", "--pattern", "mxcrypt:1:h:*").split()


def measure(the_world, options):
    addresses = memory.declare(the_world)
    lines = memory.learn(the_world)
    patterns = memory.templates(lines, addresses)
    for per_host in (1, 10):
        for kind in memory.KINDS:
            measure_kind(the_world, lines[0], patterns, kind, options.domains, per_host)
    measure_history(the_world)
    the_world.dns.stop()
    return 0


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
