#!/usr/bin/python3
"""Cold domains asked for at three relays at the same time: cold.py --bin DIR [--domains 1000]

Every relay is in a network namespace of its own; they share what they learn. By the servers' own count no MX address is probed
more often than a lone mxcryptd does it, no MTA-STS policy is fetched twice, and all relays say what the lone one says. Only a fetch
that fails is tried by each relay: it may have failed because of the relay."""

import argparse
import collections
import os
import time

import places  # noqa: F401  (first: where the others are)
import asking
import benchworld
import bigworld
import farm_server
import relays
import survey_command
from tally import Tally

TIME_LIMIT_S = 900
KINDS = {"shared": 40, "tenant": 10, "vanity": 5, "reseller": 10, "own": 30, "several": 5}
TEMPERS = {"postfix": 60, "exim": 15, "requiretls": 5, "tls12": 5, "clear": 15}
CERTIFICATES = {"valid": 75, "wrong": 10, "self": 15}
LONG = {"ttl-min": "1h", "probe-ttl": "24h",  # nothing is looked up a second time because its time is over
        "answer-deadline": "40s", "job-deadline": "60s"}  # nor because a machine that is busy took its time; another relay is waited for a quarter of it
SHOWN = 5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and survey_farm")
    parser.add_argument("--domains", type=int, default=1000)
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Visits:
    """What the servers saw: probes by address and name, fetches by policy host."""

    def __init__(self, mail_hosts, policies):
        log = mail_hosts.take()
        self.addresses = collections.Counter(one.address for one in log)
        self.probes = collections.Counter((one.address, one.sni) for one in log)
        self.fetches = collections.Counter({name: len(host.fetches) for name, host in policies.hosts.items() if host.fetches})
        self.failed = {name for name in self.fetches if not policies.hosts[name].policy.status.startswith("200")}
        for host in policies.hosts.values():
            host.fetches.clear()


def most(counter):
    return max(counter.values(), default=0)


def more_often(counter, than):
    """What was done more often than the lone one did it."""
    return [(what, times, than[what]) for what, times in counter.most_common() if times > than[what]][:SHOWN]


def alone(the_world, names):
    """The answers of a lone mxcryptd."""
    one = the_world.new_daemon("alone", {**the_world.options(), "resolver": "127.0.0.1", **survey_command.OPTIONS, **LONG}).start()
    answers = asking.ask_all(one.socket, names)
    one.settled()
    wrong = one.stop()
    if wrong:
        raise RuntimeError(wrong)
    return {name: answer for name, (answer, _) in answers.items()}


def txt_lookups(farm):
    return collections.Counter(name for relay in farm.relays for name, kind in relay.resolver.asked() if kind == "TXT" and name.startswith("_mta-sts."))


def check_cost(tally, farm, names, txt, seconds):
    stats = [relay.daemon.stats() for relay in farm.relays]
    print(f"{len(names)} domains at {len(farm.relays)} relays in {seconds:.1f} s; TXT lookups: {sum(txt.values())}, at most {most(txt)} of a domain", flush=True)
    for relay, one in zip(farm.relays, stats):
        print(f"  {relay.name}: {one['share_waits']} lookups of {one['share_finds']} waited for another relay; {one['share_written']} records written, "
              f"{one['share_found']} found", flush=True)
    tally.check("no read of the share was late, and nothing was refused or dropped",
                [(relay.name, word, one[word]) for relay, one in zip(farm.relays, stats)
                 for word in ("share_finds_late", "share_rejected", "share_dropped", "share_write_failures") if one[word]], [])


def check_answers(tally, names, answers, lone):
    late = sum(waited > 0 for of in answers for _, waited in of.values())
    print(f"answers that were TEMP at first: {late} of {len(names) * len(answers)}", flush=True)
    print("answers: " + ", ".join(f"{word} {count}" for word, count in collections.Counter(
        " ".join(answer.split()[:2]) for answer in lone.values()).most_common()), flush=True)
    differ = [(name, lone[name], *(of[name][0] for of in answers)) for name in names if any(of[name][0] != lone[name] for of in answers)]
    tally.check("all relays say what a lone one says", differ[:SHOWN], [])


def check_visits(tally, shared, lone):
    for word, one in (("the farm", shared), ("a lone one", lone)):
        print(f"{word}: {sum(one.addresses.values())} connections to {len(one.addresses)} addresses, at most {most(one.addresses)} to one and "
              f"{most(one.probes)} with a name; {sum(one.fetches.values())} fetches of {len(one.fetches)} policies, at most {most(one.fetches)} of one", flush=True)
    tally.check("every address of the lone one was probed", sorted(set(lone.addresses) - set(shared.addresses))[:SHOWN], [])
    tally.check("no address is probed twice with a name", [one for one in shared.probes.most_common(SHOWN) if one[1] > 1], [])
    tally.check("no address is connected to more often than by a lone one", more_often(shared.addresses, lone.addresses), [])
    tally.check("every policy is fetched once, one that is not there once by each relay",
                [(name, times) for name, times in shared.fetches.items() if times > (len(relays.NAMES) if name in shared.failed else 1)], [])
    tally.check("and none is left out", sorted(set(lone.fetches) - set(shared.fetches)), [])


def measure(the_world, options):
    tally = Tally()
    big = bigworld.BigWorld(the_world, options.domains, kinds=KINDS, tempers=TEMPERS, certificates=CERTIFICATES)
    the_world.dns.start()
    mail_hosts = farm_server.Farm(options.bin, the_world.folder, the_world.ca, big.write_table(os.path.join(the_world.folder, "table")))
    names = sorted(set(big.names))
    farm = relays.Farm(the_world, **LONG).start()
    began = time.monotonic()
    answers = farm.each(lambda relay: asking.ask_all(relay.daemon.socket, names))
    seconds = time.monotonic() - began
    farm.settled()
    shared = Visits(mail_hosts, the_world.policies)
    check_cost(tally, farm, names, txt_lookups(farm), seconds)
    tally.check("the relays end clean", farm.stop(), [])
    lone = alone(the_world, names)
    check_answers(tally, names, answers, lone)
    check_visits(tally, shared, Visits(mail_hosts, the_world.policies))
    mail_hosts.stop()
    the_world.dns.stop()
    return tally.status()


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
