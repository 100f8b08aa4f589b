"""What is done to a farm: each fault is a function that begins it, lets mail flow, and ends it."""

import concurrent.futures
import os
import random
import signal
import subprocess
import threading
import time

import places  # noqa: F401  (first: where the others are)
import clients
import waiting
import watch

SEED = 20
FRESH = 900  # domains that nobody has asked for yet
FRESH_HOSTS = 6
AHEAD_S = 600
CHAFF = 64  # octets that a record is overwritten with
NEW = 6  # domains that are asked for while the share is full of chaff
VERIFY = "OK verify servername=hostname"
FOREIGN = {"string": ("RPUSH", "x", "y"), "hash": ("SET", "x"), "stream": ("SET", "x"), "zset": ("RPUSH", "x")}


def declare_fresh(the_world, domains):
    """Domains at a few mail hosts, to be asked for while relays are killed."""
    hosts = [domains.new(f"fresh-mx{number}", "verify") for number in range(FRESH_HOSTS)]
    names = [f"fresh{number}.plain" for number in range(FRESH)]
    for number, name in enumerate(names):
        the_world.dns.add(name, f"@ MX 10 mx.{hosts[number % FRESH_HOSTS].name}.")
    return names


def wait_until_told(proof, relays):
    waiting.until(lambda: not any(relay.has_share() for relay in relays), "the relays know that the share is away", 30, pause=0.1)


def killed(proof):
    """The share is killed with -9, and starts again with its data."""
    proof.farm.share.kill()
    wait_until_told(proof, proof.farm.relays)
    proof.farm_says("without the share")
    proof.pause(20, 3)
    proof.farm.share.start()


def killed_and_emptied(proof):
    """The share is killed with -9, and starts again without its data."""
    proof.farm.share.kill()
    proof.farm.share.empty()
    wait_until_told(proof, proof.farm.relays)
    proof.pause(20, 3)
    proof.farm.share.start()


def frozen(proof):
    """The share is stopped for a minute: it takes connections, and does not answer."""
    proof.farm.share.signal(signal.SIGSTOP)
    proof.pause(60, 8)
    proof.farm_says("with a share that is frozen")
    proof.farm.share.signal(signal.SIGCONT)


def cut_off(proof):
    """No packet passes between one relay and the share."""
    relay = proof.farm.relays[1]
    relay.space.cut_off(proof.farm.share_space)
    wait_until_told(proof, [relay])
    proof.pause(30, 3)
    proof.farm_says("while b is cut off")
    relay.space.join_again(proof.farm.share_space)


def flushed(proof):
    """FLUSHALL."""
    proof.farm.share.command("FLUSHALL")
    proof.pause(10, 1)
    proof.farm_says("after FLUSHALL")


def _keys(proof, new):
    """What is there, and what relays would put there for domains that are about to be asked for: words, leases, notes, turns of a network."""
    there = [key for key in proof.farm.share.command("--scan", "--pattern", "mxcrypt:*").split("\n") if key]
    names = new + [domain.name for domain in proof.flowing]
    addresses = [domain.server.address for domain in proof.domains.all]
    turns = [f"k:{name}" for name in names] + [f"p:{name}" for name in names] + [f"a:{address}" for address in addresses]
    networks = {address.rsplit(".", 1)[0] + ".0/24" for address in addresses}
    return [*there, *(f"mxcrypt:1:w:{name}" for name in names), *(f"mxcrypt:1:{letter}:{turn}" for turn in turns for letter in "lq"),
            *(f"mxcrypt:1:x:{network}" for network in networks)]


def _ask_for(proof, new):
    """They get their answer, though it may take as long as a lease."""
    def ask(number):
        relay, name = proof.farm.relays[number % len(proof.farm.relays)], new[number]
        waiting.until(lambda: relay.daemon.ask(name) == VERIFY, f"{relay.name} says what {name} does", 60)
    with concurrent.futures.ThreadPoolExecutor(len(new)) as pool:
        list(pool.map(ask, range(len(new))))


def _tell(share, *words):
    subprocess.run(["redis-cli", "-s", share.socket, "-x", *words], input=os.urandom(CHAFF), stdout=subprocess.DEVNULL, check=True)


def overwritten(proof):
    """Everything below the prefix is overwritten with random octets, again and again; then the epoch is deleted, as operators are told to."""
    share, new = proof.farm.share, [proof.fresh.pop() for _ in range(NEW)]
    for _ in range(proof.seconds(10, 2)):
        for key in _keys(proof, new):
            _tell(share, "SET", key)
        time.sleep(1)
    _ask_for(proof, new)
    proof.farm_says("with chaff in the share")
    share.command("DEL", "mxcrypt:1:epoch")


def of_other_types(proof):
    """Everything below the prefix is of another type than it should be; then the epoch is deleted."""
    share, new = proof.farm.share, [proof.fresh.pop() for _ in range(NEW)]
    for _ in range(proof.seconds(10, 2)):
        for key in _keys(proof, new):
            kind = share.command("TYPE", key)
            share.command("DEL", key)
            word, *values = FOREIGN.get(kind, FOREIGN["string"])
            share.command(word, key, *values)
        time.sleep(1)
    _ask_for(proof, new)
    proof.farm_says("with other types in the share")
    share.command("DEL", "mxcrypt:1:epoch")


def clock_off(proof):
    """The wall clock of one relay goes ten minutes ahead, while it works and over a restart, then back."""
    relay = proof.farm.relays[-1]
    proof.clock.ahead(AHEAD_S)
    proof.pause(20, 3)
    relay.pause()
    relay.start()
    proof.pause(20, 3)
    proof.farm_says("while the clock of c is ten minutes ahead")
    proof.clock.ahead(0)


class Asking:
    """New domains are asked for all the time, each at one relay or another; who is down is asked when it is back."""

    def __init__(self, proof):
        self.proof, self.asked, self._stop = proof, [], threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(len(proof.farm.relays))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number):
        relays, chance = self.proof.farm.relays, random.Random(SEED + number)
        for name in self.proof.fresh[number::len(relays)]:
            if self._stop.is_set():
                return
            try:
                chance.choice(relays).daemon.ask(name)
            except (OSError, EOFError, waiting.TimedOut, clients.Closed):
                pass
            self.asked.append(name)
            time.sleep(self.proof.seconds(0.6, 0.1))


def killed_at_random(proof):
    """Relays and the share are killed with -9 at random, two hundred times or a few, while new domains are asked for."""
    chance, farm = random.Random(SEED), proof.farm
    with Asking(proof) as asking:
        for _ in range(proof.seconds(200, 15)):
            time.sleep(chance.random())
            victim = chance.choice([*farm.relays, farm.share])
            victim.kill()
            victim.start()
    said = watch.answers(farm, asking.asked)
    proof.check(f"the relays say the same of {len(asking.asked)} new domains", [(name, *(of[name] for of in said)) for name in asking.asked
                                                                                if len({of[name] for of in said}) > 1][:5], [])
    proof.check("and what these domains do", [name for name in asking.asked if said[0][name] != VERIFY][:5], [])


ALL = (killed, killed_and_emptied, frozen, cut_off, flushed, overwritten, of_other_types, clock_off, killed_at_random)
