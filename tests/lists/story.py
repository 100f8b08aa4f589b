#!/usr/bin/python3
"""A policy list from its making to its end, on a clock that the test sets: story.py --bin DIR

A maker, with a resolver of his own, builds a list of domains, signs it, and publishes it over HTTPS by the scripts of contrib/lists. A
relay elsewhere, mxcryptd and a real Postfix, uses it. Day after day the list is renewed: its domains are enforced after three good
days, and the relay's first contact with one whose STARTTLS is stripped on the way waits; one loses its certificate, and is dropped
after three failed days; at last the maker is away, the list expires, and nothing waits for it."""

import argparse
import fcntl
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "farm"))

import places  # noqa: E402 F401  (first: where the others are)
import benchworld  # noqa: E402
import daemon  # noqa: E402
import mail  # noqa: E402
import network  # noqa: E402
import policyhost  # noqa: E402
import relays  # noqa: E402
import smtpd  # noqa: E402
import survey_command  # noqa: E402
import waiting  # noqa: E402
from tally import Tally  # noqa: E402

TIME_LIMIT_S = 400
DAY_S = 86400
RENEW = os.path.join(HERE, os.pardir, os.pardir, "contrib", "lists", "mxcrypt-list-renew")
WEB = "lists.maker.plain"
MEMBERS = ("one", "early", "fresh", "lost")
DAYS = ("--drop-after", "3", "--enforce-after", "3", "--rate", "2000")
NOT_OFFERED = "TLS is required, but was not offered"
EXPIRY_SEEN_S = 150  # mxcryptd looks at the clock once a minute
# nothing is looked up again for its age; the clock's days are not mxcryptd's own time
RELAY = {"ttl-min": "1h", "ttl-max": "2h", "policy-list-refresh": "1s"}


class Clock:
    """So many days later, for all who have its environment."""

    def __init__(self, folder, bin_dir):
        self.path, self.days = os.path.join(folder, "clock"), 0
        self.set(0)
        self.environment = {"LD_PRELOAD": os.path.join(bin_dir, "clock_shim.so"), "MXC_TEST_CLOCK": "@" + self.path,
                            "ASAN_OPTIONS": daemon.SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}

    def set(self, days):
        self.days = days
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("@q", days * DAY_S))


class Folder(policyhost.Files):
    """The files of a folder as they are, as a web server has them."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def at(self, request):
        path = pathlib.Path(self.path, request.split(" ", 2)[1].lstrip("/"))
        return policyhost.Policy(path.read_bytes(), content_type="application/octet-stream") if path.is_file() else self.missing


class Maker:
    """The machine where the list is made: a network namespace with a resolver."""

    def __init__(self, the_world, clock, number):
        self.world, self.clock = the_world, clock
        self.folder = os.path.join(the_world.folder, "maker")
        self.list, self.public = self.path("health.json"), self.path("public")
        os.makedirs(self.folder)
        self.space = network.Namespace("maker", number)
        self.resolver = relays.Resolver(the_world.dns, self.folder, self.space)
        self.conf = survey_command.write_conf(the_world)
        programs = pathlib.Path(self.path("bin"))  # the scripts call mxcrypt as it is installed
        programs.mkdir()
        (programs / "mxcrypt").write_text(f'#!/bin/sh\nexec {the_world.bin_dir}/mxcrypt -c {self.conf} "$@"\n', encoding="ascii")
        (programs / "mxcrypt").chmod(0o755)
        the_world.dns.add("maker.plain", f"lists A {the_world.policy_address}")
        the_world.policies.host(WEB, the_world.ca.server_context(the_world.ca.leaf(WEB)), Folder(self.public))

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *command):
        environment = {**os.environ, **daemon.SANITIZERS, **self.clock.environment, "PATH": f"{self.path('bin')}:{os.environ['PATH']}",
                       "MXCRYPT_LIST": self.folder, "MXCRYPT_LIST_KEY": self.path("list.key")}
        done = subprocess.run([*self.space.enter, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False, env=environment)
        if done.returncode != 0:
            raise RuntimeError(f"{command}: exit {done.returncode}: {done.stdout[-3000:]}")
        return done.stdout

    def renew(self):
        """What the timer does; a list of the same second has the same timestamp, and is none for it."""
        second = int(time.time())
        waiting.until(lambda: int(time.time()) > second, "the next second")
        return self.run(RENEW, *DAYS)

    def modes(self):
        """What is published."""
        published = json.loads(pathlib.Path(self.public, "health.json").read_text(encoding="ascii"))
        return {name.split(".")[0]: policy["mode"] for name, policy in published["policies"].items()}


class Story:
    def __init__(self, the_world, options):
        self.world, self.tally = the_world, Tally()
        self.check = self.tally.check
        self.clock = Clock(the_world.folder, options.bin)
        domains = mail.Domains(the_world)
        self.domains = {name: domains.new(name, "clear" if name == "clear" else "verify") for name in (*MEMBERS, "unlisted", "clear")}
        the_world.dns.add("maker.plain", f"lists A {the_world.policy_address}")
        the_world.dns.start()
        network.forward()
        self.maker = Maker(the_world, self.clock, 0)
        self.relay = self.sender = None

    def name(self, label):
        return self.domains[label].name

    # the maker

    def make(self):
        """Day 0: a key, a list, and its first publication."""
        names = self.maker.path("names")
        pathlib.Path(names).write_text("".join(f"{one}\n" for one in [*(domain.name for domain in self.domains.values()), "none.plain"] if one != self.name("unlisted")),
                                       encoding="ascii")
        self.maker.run("mxcrypt", "list", "keygen", self.maker.path("list"))
        said = self.maker.run("mxcrypt", "list", "build", "--name", "Health network", "--expires", "14", "--rate", "2000", "--from", names, self.maker.list)
        self.check("build: those that qualify", "4 of 6 domains" in said, True)
        self.check("build: why the others do not", f"{self.name('clear')}: no-tls: " in said and "none.plain: no-mail: " in said, True)
        self.maker.renew()
        self.check("published in testing mode", self.maker.modes(), dict.fromkeys(MEMBERS, "testing"))
        self.maker_is_alone()
        self.maker_is_killed()

    def maker_is_alone(self):
        """Two runs at once: the second leaves all as it is."""
        with open(self.maker.path(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                said = self.maker.renew()
            except RuntimeError as error:
                said = str(error)
        self.check("two runs at once: the second says so", "exit 75" in said and "another run is under way" in said, True)

    def maker_is_killed(self):
        """Between any two commands of a publication: what is published is a list with its signature."""
        real = shutil.which("mv")
        program = pathlib.Path(self.maker.path("bin"), "mv")
        for moment, body in (("before", "kill -9 $PPID"), ("after", f'{real} "$@"; kill -9 $PPID')):
            program.write_text(f"#!/bin/sh\n{body}\n", encoding="ascii")
            program.chmod(0o755)
            try:
                self.maker.renew()
            except RuntimeError:
                pass
            said = self.maker.run("mxcrypt", "list", "verify", "--key", self.maker.path("list.pub"), os.path.join(self.maker.public, "health.json"))
            self.check(f"killed {moment} the list is published: it verifies", "in-force" in said, True)
        program.unlink()
        self.maker.renew()
        self.check("nothing is left of them", [name for name in os.listdir(self.maker.folder) if name.startswith(".public")], [os.readlink(self.maker.public)])

    def day(self, days):
        """Another day, and what the maker's timer does; the list that the relay has then."""
        self.clock.set(days)
        before = pathlib.Path(self.maker.public, "health.json").read_bytes()
        said = self.maker.renew()
        self.check(f"day {days}: another list is published", pathlib.Path(self.maker.public, "health.json").read_bytes() != before, True)
        newest = json.loads(pathlib.Path(self.maker.public, "health.json").read_text(encoding="ascii"))["timestamp"]
        waiting.until(lambda: self.status()["timestamp"] == newest and self.status()["state"] == "in-force", f"the relay has the list of day {days}", 60, pause=0.1)
        return said

    # the relay

    def start_relay(self):
        """The second machine; it has seen none of the domains."""
        line = f"https://{WEB}/health.json key={self.maker.path('list.pub')}"
        self.relay = relays.Relay(self.world, "relay", 1, {**RELAY, "policy-list": line})
        self.relay.daemon.environment = self.clock.environment
        self.relay.start()
        self.sender = mail.Sender(self.relay, self.world.ca.ca_file)
        waiting.until(lambda: self.status()["state"] == "in-force", "the list is in force at the relay", 60, pause=0.1)
        self.check("the relay has the list, by its signature", {name: self.status()[name] for name in ("domains", "enforce", "testing", "signature")},
                   {"domains": 4, "enforce": 0, "testing": 4, "signature": "minisign"})

    def status(self):
        return self.relay.daemon.control_answer("lists")["lists"][0]

    def strip(self, label, stripped=True):
        """Somebody between the relay and this mail host removes STARTTLS; the maker comes another way."""
        tempers = self.domains[label].server.tempers
        if stripped:
            tempers[self.relay.space.address] = smtpd.CLEAR
        else:
            tempers.pop(self.relay.space.address)

    def send(self, label, status, tls=None, says=""):
        """A message from the relay: its fate, and that it is as it should be."""
        self.sender.count += 1
        fate = self.sender.postfix.deliver(f"m{self.sender.count}@{self.name(label)}")
        self.check(f"day {self.clock.days}: mail to {label}: {status}", (fate.status, fate.tls, says in fate.line), (status, tls, True))

    def try_again(self, label, tls):
        """The last message waits, for it: it goes out now."""
        recipient = f"m{self.sender.count}@{self.name(label)}"
        fates = self.sender.postfix.try_again(recipient, lambda fate: fate.status == "sent")
        self.check(f"day {self.clock.days}: mail to {label} that waited goes out", (fates[-1].status, fates[-1].tls), ("sent", tls))

    def stop(self):
        self.sender.stop()
        self.check("the relay ends clean", self.relay.stop(), [])
        self.maker.resolver.stop()
        self.world.dns.stop()


def enforced(story):
    """Days 0 to 2: from testing to enforce, and the first contact that somebody tampers with."""
    for label in ("early", "fresh", "unlisted"):
        story.strip(label)
    story.send("early", "sent")
    for day in (1, 2):
        story.check(f"day {day}: nothing is enforced before", set(story.maker.modes().values()), {"testing"})
        story.day(day)
    story.check("day 2: enforced", story.maker.modes(), dict.fromkeys(MEMBERS, "enforce"))
    story.send("fresh", "deferred", says=NOT_OFFERED)
    story.check("nothing was taken in clear", len(story.domains["fresh"].server.taken), 0)
    story.send("unlisted", "sent")
    story.send("one", "sent", "Verified")
    story.send("fresh", "deferred", says=NOT_OFFERED)
    story.strip("fresh", False)
    story.try_again("fresh", "Verified")


def dropped(story):
    """Days 3 to 5: one member loses its certificate."""
    lost, ca = story.domains["lost"], story.world.ca
    lost.server.show(ca.server_context(ca.leaf(f"mx.{lost.name}", issuer=None)))
    for day in (3, 4):
        said = story.day(day)
        story.check(f"day {day}: why it fails", f"{lost.name}: certificate: " in said and f"(day {day - 2} of 3)" in said, True)
        story.check(f"day {day}: still a member", story.maker.modes(), dict.fromkeys(MEMBERS, "enforce"))
    story.send("lost", "deferred", "Untrusted")
    said = story.day(5)
    story.check("day 5: dropped", f"{lost.name}: dropped: " in said, True)
    story.check("day 5: the others stay", story.maker.modes(), dict.fromkeys(("one", "early", "fresh"), "enforce"))
    story.check("day 5: the relay knows", story.status()["domains"], 3)
    story.try_again("lost", "Untrusted")


def expired(story):
    """The maker is away for a month: nothing waits for the list."""
    story.check("day 5: by the list", story.relay.daemon.ask(story.name("early")), f"OK secure match=mx.{story.name('early')} servername=hostname")
    story.send("early", "deferred", says=NOT_OFFERED)
    story.clock.set(35)
    waiting.until(lambda: story.status()["state"] == "expired", "the list has expired", EXPIRY_SEEN_S, pause=0.5)
    story.check("it is said loudly", len(story.relay.daemon.events("policy-list-expired")), 1)
    story.try_again("early", None)


def measure(the_world, options):
    began = time.monotonic()
    story = Story(the_world, options)
    story.make()
    story.start_relay()
    enforced(story)
    dropped(story)
    expired(story)
    story.stop()
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
    return story.tally.status()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    wanted = parser.parse_args()
    wanted.bin = os.path.abspath(wanted.bin)
    benchworld.main(__file__, measure, wanted, TIME_LIMIT_S)
