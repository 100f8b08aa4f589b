"""A farm of relays, each in a network namespace of its own with a validating resolver and mxcryptd, and their share in another.

The servers that they ask are those of the surrounding namespace (tests/world): name servers, policy hosts, mail hosts."""

import concurrent.futures
import os
import re
import socket

import places  # noqa: F401  (first: where the others are)
import daemon
import dnsworld
import farming
import network
import survey_command
import waiting

NAMES = ("a", "b", "c")
BACKLOG = 100
SHARE_DEADLINE = "500ms"  # a machine that is busy changes no result
QUERY = re.compile(r"info: 127\.0\.0\.1 (\S+)\. (\w+) IN$", re.MULTILINE)


class Resolver:
    """An unbound as that of the surrounding namespace, which logs what it is asked."""

    def __init__(self, dns, folder, space):
        self.log = os.path.join(folder, "unbound.log")
        conf = os.path.join(folder, "unbound.conf")
        with open(os.path.join(dns.folder, "unbound.conf"), encoding="ascii") as file:
            lines = [line for line in file if "pidfile:" not in line]
        with open(conf, "w", encoding="ascii") as file:
            file.writelines([*lines, "server:\n", f'  pidfile: "{folder}/unbound.pid"\n', "  log-queries: yes\n"])
        self.process = space.start(["unbound", "-d", "-c", conf], self.log)

    def asked(self):
        """(name, type) of each question, in their order."""
        with open(self.log, encoding="utf-8", errors="backslashreplace") as file:
            return QUERY.findall(file.read())

    def ready(self):
        with open(self.log, encoding="utf-8", errors="backslashreplace") as file:
            return "start of service" in file.read()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Relay:
    """What is one machine. The socket that Postfix asks at stays open while mxcryptd is away, as systemd has it."""

    def __init__(self, the_world, name, number, options):
        self.world, self.name = the_world, name
        self.folder = os.path.join(the_world.folder, f"d-{name}")
        self.space = network.Namespace(name, number)
        self.daemon = the_world.new_daemon(name, {**the_world.options(), "resolver": dnsworld.UNBOUND_ADDRESS, **survey_command.OPTIONS,
                                                  "share-name": name, **options}, self.space.enter)
        self.resolver = Resolver(the_world.dns, self.folder, self.space)
        self.wrong = []  # of each life of the daemon
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.daemon.socket)
        self._listener.listen(BACKLOG)
        os.chmod(self.daemon.socket, 0o666)

    def start(self):
        waiting.until(self.resolver.ready, f"unbound of {self.name} is ready")
        self.daemon.start([(self._listener, "socketmap")])

    def has_share(self):
        return bool(self.daemon.stats().get("share_ready"))

    def kill(self):
        """kill -9; it starts again with the same store."""
        self.daemon.kill()
        self._look()

    def pause(self):
        """SIGTERM, after which it may start again."""
        said = self.daemon.stop()
        if said:
            self.wrong.append(said)

    def _look(self):
        found = daemon.BAD_OUTPUT.search(self.daemon.log())
        if found:
            self.wrong.append(self.daemon.log()[found.start():found.start() + 3000])

    def stop(self):
        """What was wrong about all its lives."""
        said = self.daemon.stop()
        self.resolver.stop()
        self._listener.close()
        return self.wrong + ([said] if said else [])


class Farm:
    """Three relays that have a share; options of mxcryptd: of all, and `own` by name."""

    def __init__(self, the_world, own=None, **options):
        network.forward()
        self.world = the_world
        self.share_space = network.Namespace("share", len(NAMES))
        self.share = farming.Share(os.path.join(the_world.folder, "share"), self.share_space.address, self.share_space.enter)
        with open(self.share.key, "w", encoding="ascii") as file:
            file.write(farming.KEY + "\n")
        self.options = {"share": self.share.url, "share-key-file": self.share.key, "share-deadline": SHARE_DEADLINE, **options}
        self.relays = [Relay(the_world, name, number, {**self.options, **(own or {}).get(name, {})}) for number, name in enumerate(NAMES)]

    def start(self):
        self.share.start()
        self.each(lambda relay: relay.start())
        waiting.until(lambda: all(relay.has_share() for relay in self.relays), "all have the share")
        return self

    def each(self, what):
        """what(relay) of all relays at once; the results in their order."""
        with concurrent.futures.ThreadPoolExecutor(len(self.relays)) as pool:
            return list(pool.map(what, self.relays))

    def settled(self):
        """Lookups are at their end, and all that was learnt is written, here and in the share."""
        def at_rest(relay):
            stats = relay.daemon.stats()
            return not (stats["jobs_running"] or stats["jobs_waiting"] or stats["store_pending"] or stats.get("share_pending"))
        for relay in self.relays:
            waiting.until(lambda relay=relay: at_rest(relay), f"{relay.name} is at rest", 120, pause=0.05)

    def stop(self):
        """What was wrong about the relays, empty when nothing was."""
        wrong = [f"{relay.name}: {one}" for relay in self.relays for one in relay.stop()]
        self.share.stop()
        return wrong
