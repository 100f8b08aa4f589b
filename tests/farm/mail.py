"""Mail at every relay: a Postfix in each relay's namespace, which asks the mxcryptd there; domains of each kind; a message a second
from each Postfix to each domain; and what became of every one of them, by the servers that took it and by Postfix's log."""

import collections
import os
import threading
import time
from dataclasses import dataclass

import places  # noqa: F401  (first: where the others are)
import policyhost
import postfix
import smtpd
import waiting

CLEAR, TLS, VERIFIED = "in clear", "TLS", "TLS by name or DANE"
STRENGTH = {CLEAR: 0, TLS: 1, VERIFIED: 2}
DEMANDS = {"dane-only": VERIFIED, "dane": VERIFIED, "secure": VERIFIED, "verify": VERIFIED, "encrypt": TLS}
KINDS = {"dane": "OK dane-only", "sts": "OK secure", "verify": "OK verify", "encrypt": "OK encrypt", "clear": "NOTFOUND"}
ADDRESS = "198.18.25.{}"
PERIOD_S = 1


def demand_of(answer):
    """How a message must come at least, if this is what Postfix is told."""
    words = answer.split()
    return DEMANDS[words[1]] if words[0] == "OK" else CLEAR


@dataclass
class Domain:
    name: str
    kind: str
    server: smtpd.SmtpServer

    def strip(self):
        """Its mail host offers STARTTLS no more."""
        self.server.temper = smtpd.CLEAR


class Domains:
    """Declared before the name servers start."""

    def __init__(self, the_world):
        self.world, self.all = the_world, []

    def new(self, name, kind):
        """A domain of a kind, whose mail host takes messages."""
        the_world = self.world
        domain = f"{name}.{'signed' if kind == 'dane' else 'plain'}"
        host = f"mx.{domain}"
        leaf = the_world.ca.leaf(host, issuer=None) if kind == "encrypt" else the_world.ca.leaf(host)
        address = ADDRESS.format(len(self.all) + 1)
        server = smtpd.SmtpServer(the_world.loop, address, smtpd.CLEAR if kind == "clear" else smtpd.GOOD, the_world.ca.server_context(leaf))
        the_world.dns.add(domain, "@ MX 10 mx", f"mx A {address}")
        if kind == "dane":
            the_world.dns.add(domain, f"_25._tcp.mx TLSA {leaf.tlsa()}")
        if kind == "sts":
            self._policy(domain, host)
        self.all.append(Domain(domain, kind, server))
        return self.all[-1]

    def _policy(self, domain, host):
        the_world, policy_host = self.world, f"mta-sts.{domain}"
        the_world.dns.add(domain, '_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {the_world.policy_address}")
        the_world.policies.host(policy_host, the_world.ca.server_context(the_world.ca.leaf(policy_host)),
                                policyhost.Policy(policyhost.sts_text(host)))


class Sender:
    """The Postfix of a relay."""

    def __init__(self, relay, ca_file):
        self.relay, self.count = relay, 0
        self.postfix = postfix.Postfix(os.path.join(relay.folder, "postfix"), ca_file, {"inet_protocols": "ipv4"}, before=relay.space.enter)
        self.postfix.start({"smtp": ({"smtp_tls_policy_maps": f"socketmap:unix:{relay.daemon.socket}:policy"}, False)}, {})

    def submit(self, domains):
        """A message to each domain; the recipient is a new one, which begins with the relay's name."""
        self.count += 1
        self.postfix.submit(*(f"{self.relay.name}{self.count}@{domain.name}" for domain in domains))

    def flush(self):
        self.postfix.run("postqueue", "-f")

    def stop(self):
        self.postfix.stop()


class Flow:
    """A message a second, or more seldom on a machine that is busy, to each domain at each relay, until its end."""

    def __init__(self, senders, domains):
        self.senders, self.domains = senders, list(domains)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(sender,), daemon=True) for sender in senders]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, sender):
        while not self._stop.wait(PERIOD_S):
            sender.submit(self.domains)

    def more(self, count=3, seconds=120):
        """Waits until every relay has sent so many more."""
        wanted = {sender: sender.count + count for sender in self.senders}
        waiting.until(lambda: all(sender.count >= number for sender, number in wanted.items()), f"{count} more messages", seconds, pause=0.1)


class Book:
    """What became of all messages, so far as was read: recipient -> what became of it at each attempt."""

    def __init__(self, senders, domains):
        self.senders, self.domains = senders, domains
        self.attempts = collections.defaultdict(list)

    def read(self):
        for sender in self.senders:
            for recipient, fate in sender.postfix.new_attempts():
                self.attempts[recipient].append(fate)

    def ended(self, domains):
        """Waits until there is a word on the fate of every message to these domains."""
        last = [f"{sender.relay.name}{number}@{domain.name}" for sender in self.senders for number in range(1, sender.count + 1) for domain in domains]

        def known():
            self.read()
            return all(recipient in self.attempts for recipient in last)
        waiting.until(known, "a word on every message", 120, pause=0.2)

    def left(self):
        """Recipients whose message has not gone out."""
        return sorted(recipient for recipient, fates in self.attempts.items() if fates[-1].status != "sent")

    def flush_until(self, good, what):
        """Has every Postfix try again what waits, again and again."""
        def tried():
            for sender in self.senders:
                sender.flush()
            time.sleep(PERIOD_S)
            self.read()
            return good()
        waiting.until(tried, what, 120)

    def taken(self):
        """(recipient, domain, how it came) of every message that a server took."""
        for domain in self.domains:
            for one in domain.server.taken:
                for recipient in one.recipients:
                    yield recipient, domain, self._how(recipient, one)

    def _how(self, recipient, message):
        if message.tls is None:
            return CLEAR
        return VERIFIED if any(fate.status == "sent" and fate.tls == "Verified" for fate in self.attempts[recipient]) else TLS
