#!/usr/bin/python3
"""Mail flows at three relays while their share, or a relay, fails: faults.py --bin DIR [--only NAME,...] [--short]

Each relay has a real Postfix, which sends a message a second to a domain of each kind, and to one that is held. The servers count
how every message came. After each fault the relays must say the same again, and the share have all of it, within a minute of its end.

Counted, of each fault, from its beginning until the relays are alike again:
  weaker    messages that came weaker than what mxcryptd had demanded of the domain before the fault: in clear where TLS was demanded,
            or by a connection that Postfix does not call Verified where DANE or a name was; and any to the domain that is held
  deferred  attempts that did not end in "sent", but for the domain that is held
"""

import argparse
import collections
import os
import time

import places  # noqa: F401  (first: where the others are)
import benchworld
import harm
import holds
import mail
import relays
import waiting
import watch
from tally import Tally

TIME_LIMIT_S = 3000
HELD = "kept"
OPTIONS = {"hold": "24h", "hold-expired": "24h", "probe-ttl": "24h", "ttl-min": "1h", "ttl-max": "2h", "hold-probe-min": "1h", "hold-probe-max": "2h"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    parser.add_argument("--only", default="", help="names of faults, joined by commas: " + ", ".join(one.__name__ for one in harm.ALL))
    parser.add_argument("--short", action="store_true", help="shorter faults, and fewer kills")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Proof:
    """The farm, its mail, and what was demanded of each domain before all faults."""

    def __init__(self, the_world, options):
        self.world, self.tally, self.short = the_world, Tally(), options.short
        self.check = self.tally.check
        self.domains = mail.Domains(the_world)
        self.flowing = [self.domains.new(kind, kind) for kind in mail.KINDS] + [self.domains.new(HELD, "verify")]
        self.kept = self.flowing[-1]
        self.fresh = harm.declare_fresh(the_world, self.domains)
        the_world.dns.start()
        self.farm = relays.Farm(the_world, **OPTIONS)
        self.clock = watch.clock_of(the_world, "c")
        self.farm.relays[-1].daemon.environment = self.clock.environment
        self.farm.start()
        self.senders = [mail.Sender(relay, the_world.ca.ca_file) for relay in self.farm.relays]
        self.book = mail.Book(self.senders, self.flowing)
        self.wanted = self._begin()
        self.came, self.tried = collections.Counter(), collections.Counter()

    def _begin(self):
        """All relays know all domains, and hold the one; what they say."""
        names = [domain.name for domain in self.flowing]
        watch.answers(self.farm, names)
        self.farm.settled()
        with watch.guest(self.farm, "first-to-hold", **holds.SOON) as first:
            first.ask(self.kept.name)
            self.kept.strip()
            waiting.until(lambda: first.ask(self.kept.name) and first.held(self.kept.name), "it is held", 60)
            waiting.until(lambda: all(relay.daemon.held(self.kept.name) for relay in self.farm.relays), "all hold it", 60)
        wanted = watch.answers(self.farm, names)[0]
        self.check("what is demanded before all faults", [name for domain, name in zip(self.flowing, names)
                                                          if not wanted[name].startswith(mail.KINDS[domain.kind])], [])
        watch.until_converged(self.farm, wanted)
        return wanted

    def seconds(self, long, short):
        return short if self.short else long

    def pause(self, long, short):
        """Mail flows for a while."""
        time.sleep(self.seconds(long, short))

    def counted(self):
        """(weaker, deferred) since this was last asked, and how messages came."""
        self.book.ended(self.flowing)
        came = collections.Counter((domain.name, how) for _, domain, how in self.book.taken())
        new, self.came = came - self.came, came
        weaker = {f"{name}: {how}": count for (name, how), count in new.items()
                  if name == self.kept.name or mail.STRENGTH[how] < mail.STRENGTH[mail.demand_of(self.wanted[name])]}
        deferred = [f"{recipient}: {fate.line}" for recipient, fates in self.book.attempts.items() if not recipient.endswith("@" + self.kept.name)
                    for fate in fates[self.tried[recipient]:] if fate.status != "sent"]
        self.tried = collections.Counter({recipient: len(fates) for recipient, fates in self.book.attempts.items()})
        return weaker, deferred, collections.Counter({how: sum(count for (_, one), count in new.items() if one == how) for how in mail.STRENGTH})

    def farm_says(self, when):
        """`mxcrypt farm` at each relay, for the reader."""
        for relay in self.farm.relays:
            done = relay.daemon.cli("farm") if relay.daemon.alive() else None
            print(f"  mxcrypt farm at {relay.name} {when}: " + ("(it is down)" if done is None else (done.stdout + done.stderr).strip().replace("\n", "\n    ")),
                  flush=True)

    def stop(self):
        for sender in self.senders:
            sender.stop()
        self.check("the relays end clean", self.farm.stop(), [])
        self.world.dns.stop()


def suffer(proof, fault):
    """One fault, from its beginning to its end, and all that is counted."""
    print(f"-- {fault.__name__}: {' '.join(fault.__doc__.split())}", flush=True)
    proof.counted()
    began = time.monotonic()
    with mail.Flow(proof.senders, proof.flowing) as flow:
        flow.more()
        fault(proof)
        ended = time.monotonic()
        try:
            seconds = f"{watch.until_converged(proof.farm, proof.wanted):.1f} s"
        except waiting.TimedOut as error:
            seconds = f"not: {error}"
            proof.farm_says("afterwards")
        flow.more()
    weaker, deferred, came = proof.counted()
    print(f"{fault.__name__}: {ended - began:.0f} s; " + ", ".join(f"{count} {how}" for how, count in came.items()) + f"; alike again after {seconds}", flush=True)
    proof.check(f"{fault.__name__}: none weaker", weaker, {})
    proof.check(f"{fault.__name__}: none deferred", (len(deferred), deferred[:3]), (0, []))
    proof.check(f"{fault.__name__}: the relays are alike within a minute", seconds, lambda text: not text.startswith("not"))
    wrong, lookups = watch.newcomer(proof.farm, proof.wanted)
    print(f"  a relay that has nothing but the share: {lookups} lookups", flush=True)
    proof.check(f"{fault.__name__}: a newcomer says the same", wrong, [])


def measure(the_world, options):
    proof = Proof(the_world, options)
    for fault in harm.ALL:
        if not options.only or fault.__name__ in options.only.split(","):
            suffer(proof, fault)
    proof.stop()
    return proof.tally.status()


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
