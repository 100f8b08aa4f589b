"""Whether all relays of a farm say the same and have the same, and how long it takes them."""

import contextlib
import time

import places  # noqa: F401  (first: where the others are)
import asking
import remembering
import waiting

CONVERGED_S = 60
SILENT_S = 20  # a relay says every 5 s what it is


def answers(farm, names):
    """What each relay says of each domain."""
    return farm.each(lambda relay: {name: answer for name, (answer, _) in asking.ask_all(relay.daemon.socket, names, 4).items()})


def unlike(farm, wanted):
    """(relay, domain, answer) where a relay says something else."""
    return [(relay.name, name, said[name]) for relay, said in zip(farm.relays, answers(farm, list(wanted))) for name in wanted
            if said[name] != wanted[name]]


def missing(farm, names):
    """Domains of which the share has no answer."""
    keys = farm.share.command("--scan", "--pattern", "mxcrypt:1:a:*").split("\n")
    there = {key.rsplit(":", 1)[-1] for key in keys}
    return sorted(set(names) - there)


def apart(farm):
    """What `mxcrypt farm` says at each relay, where it does not list all of them, all alike and none behind."""
    wrong = []
    for relay in farm.relays:
        listed = {one["relay"]: one for one in (relay.daemon.value("farm") or {}).get("relays", [])}
        if any(one.name not in listed or listed[one.name]["silent_s"] > SILENT_S or listed[one.name]["behind_s"] > 0 for one in farm.relays):
            wrong.append((relay.name, listed))
    return wrong


def until_converged(farm, wanted):
    """Seconds until all relays have the share, say what is wanted, and the share has all of it; raises when it takes more than a minute."""
    began, differs = time.monotonic(), {}

    def alike():
        differs.update(ready=[relay.name for relay in farm.relays if not relay.has_share()])
        if not differs["ready"]:
            differs.update(answers=unlike(farm, wanted)[:5], missing=missing(farm, wanted)[:5], farm=apart(farm)[:1])
        return not any(differs.values())
    try:
        waiting.until(alike, "the relays are alike", CONVERGED_S, pause=0.1)
    except waiting.TimedOut:
        raise waiting.TimedOut(f"not alike after {CONVERGED_S} s: {differs}") from None
    return time.monotonic() - began


@contextlib.contextmanager
def guest(farm, name, **options):
    """Another mxcryptd that has the share, and no memory of its own, in the namespace of the first relay."""
    relay = farm.relays[0]
    own = {key: value for key, value in relay.daemon.options.items() if key not in ("listen", "control-socket")}
    one = farm.world.new_daemon(f"{name}-{time.monotonic_ns()}", {**own, "share-name": name, "store": "", **options}, relay.space.enter).start()
    waiting.until(lambda: one.stats().get("share_ready"), f"{name} has the share")
    yield one
    wrong = one.stop()
    if wrong:
        raise RuntimeError(wrong)


def newcomer(farm, wanted):
    """(what it says otherwise, how many domains it looked up itself): one that has nothing but the share."""
    with guest(farm, "newcomer") as one:
        said = {name: answer for name, (answer, _) in asking.ask_all(one.socket, list(wanted), 4).items()}
        return [(name, said[name]) for name in wanted if said[name] != wanted[name]], one.stats()["jobs_started"]


def clock_of(the_world, name):
    """A wall clock of a relay's own."""
    class Owner:
        world, label = the_world, name
    return remembering.Clock(Owner)
