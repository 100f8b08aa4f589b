#!/usr/bin/python3
"""A log of Postfix, made up: maillog.py [--messages N] [--octets N] [--seed N] ... --truth FILE >LOG

Writes the lines that Postfix 3.4 to 3.12 write for so many messages, the same for the same options and seed: smtpd, cleanup,
qmgr, smtp, bounce; one or several recipients, one or several deliveries on a connection, several domains of one message,
retries until mail is sent, bounced or expired, TLS of every level and version, and TLS that fails in every way. Processes
and messages run side by side, so their lines are mixed as in a real log. Other deliveries (lmtp, local, pipe, error) and
lines of other programs are among them.

--truth FILE gets what was written as JSON, in the form of `mxcrypt --json audit`, and under "apart" what that does not count.
With --octets the log ends with the first message that begins beyond that size."""

import argparse
import heapq
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field

SECOND = 1_000_000  # times are microseconds since 1970
FORMS = ("traditional", "rfc3339", "short-iso", "short-precise")
LONG_ID = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
LEVELS = ("verified", "trusted", "untrusted", "anonymous", "none", "unknown")
CAUSES = ("policy-lookup", "not-offered", "refused", "handshake", "certificate", "tlsa-lookup", "no-dane", "mx-pattern")
CIPHERS = {
    "TLSv1.3": ("TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256",
                "TLS_AES_128_GCM_SHA256 (128/128 bits) key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256"),
    "TLSv1.2": ("ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)", "ECDHE-ECDSA-AES128-GCM-SHA256 (128/128 bits)"),
    "TLSv1.1": ("ECDHE-RSA-AES256-SHA (256/256 bits)",),
    "TLSv1": ("AES256-SHA (256/256 bits)",),
}
USES_MAX = 100  # max_use: deliveries of one process
ATTEMPTS_MAX = 6  # then the message has expired
# TLS that fails: (dsn, what the status line says, the relay is named in it, what the process says before)
FAILURES = {
    "policy-lookup": ("4.7.5", "client TLS configuration problem", False,
                      ('warning: socketmap:unix:/run/mxcrypt/policy.sock:policy socketmap server temporary error: {why}',
                       'warning: socketmap:unix:/run/mxcrypt/policy.sock:policy lookup error for "{domain}"',
                       'warning: smtp_tls_policy_maps, next-hop destination "{domain}": policy table lookup error',
                       "warning: TLS policy lookup for {domain}/{host}: client TLS configuration problem")),
    "not-offered": ("4.7.4", "TLS is required, but was not offered by host {relay}", True, ()),
    "refused": ("4.7.0", "TLS is required, but host {relay} refused to start TLS: 454 4.7.0 TLS not available due to local problem", True, ()),
    "handshake": ("4.7.5", "Cannot start TLS: handshake failure", True,
                  ("SSL_connect error to {relay}:25: -1",
                   "warning: TLS library problem: error:0A000102:SSL routines::unsupported protocol:../ssl/statem/statem_lib.c:1952:")),
    "certificate": ("4.7.5", "Server certificate not verified", True,
                    ("certificate verification failed for {relay}:25: untrusted issuer /CN=somebody",
                     "Untrusted TLS connection established to {relay}:25: TLSv1.3 with cipher " + CIPHERS["TLSv1.3"][0])),
    "tlsa-lookup": ("4.7.5", "TLSA lookup error for {host}:25", False,
                    ("warning: TLS policy lookup for {domain}/{host}: TLSA lookup error for {host}:25",)),
    "no-dane": ("4.7.5", "no TLSA records found", False,
                ("warning: TLS policy lookup for {domain}/{host}: no TLSA records found",)),
    "mx-pattern": ("4.3.0", "server unavailable or unable to receive mail", False,
                   ("warning: MX name '{host}' does not match STS MX pattern for '{domain}'",)),
}
WHYS = ("no DNS server answered the MX question", "the MTA-STS policy could not be fetched: HTTP status 503",
        "the answers to the TLSA question are bogus")


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--octets", type=int, default=0, help="as many messages as so many octets take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--begin", type=int, default=1790812800, help="seconds since 1970; 2026-10-01")
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--form", choices=FORMS, default="traditional", help="of the stamps")
    parser.add_argument("--zone", type=int, default=0, help="minutes east of UTC, of the stamps")
    parser.add_argument("--ids", choices=("short", "long"), default="short", help="queue ids")
    parser.add_argument("--reuse-ids", action="store_true", help="short queue ids come again, as they do")
    parser.add_argument("--names", default="postfix", help="syslog_name of each instance, separated by commas")
    parser.add_argument("--silent", default="", help="those of them with smtp_tls_loglevel = 0")
    parser.add_argument("--nexthops", type=int, default=500, help="so many domains")
    parser.add_argument("--spread", action="store_true", help="one domain after the other, so that each has mail")
    parser.add_argument("--relayhost", default="", help="[host]:port that all mail of the last instance goes to")
    parser.add_argument("--others", type=float, default=0.1, help="share of messages that no smtp client delivers")
    parser.add_argument("--noise", type=float, default=0.2, help="lines of other programs, for each message")
    parser.add_argument("--troubles", type=float, default=0.1, help="share of domains whose deliveries fail at first")
    parser.add_argument("--truth", default="", help="a file for the truth")
    return parser.parse_args(words)


@dataclass
class Domain:
    """A next-hop: how its mail hosts behave."""
    name: str
    host: str
    relay: str           # host[address]
    level: str           # of its connections
    protocol: str
    cipher: str
    trouble: str         # a key of FAILURES, "greylist", "timeout", "expires", "unknown-user", "refused-5xx"; empty: none
    attempts: int        # that fail with the trouble
    cached: bool         # Postfix keeps its connections for the next message
    port: str = "25"


def domain_of(number):
    """The same for the same number, without a table of all."""
    some = random.Random(number * 7919 + 1)
    name = f"{some.choice(('mail', 'office', 'shop', 'post', 'news'))}{number}.{some.choice(('example', 'test', 'co.example', 'invalid'))}"
    shared = some.random() < 0.3
    host = f"mx{number % 7}.hoster{number % 40}.example" if shared else f"mx.{name}"
    octets = (198, 18 + number // 65536 % 2, number // 256 % 256, number % 256)
    address = ".".join(map(str, octets)) if some.random() < 0.9 else f"2001:db8:{number // 65536:x}:{number % 65536:x}::25"
    level = some.choices(LEVELS[:5], (20, 45, 15, 2, 18))[0]
    protocol = some.choices(tuple(CIPHERS), (70, 26, 1, 3))[0]
    if level == "anonymous":
        protocol = "TLSv1.2"
    return Domain(name, host, f"{host}[{address}]", level, protocol, some.choice(CIPHERS[protocol]), "", 0, some.random() < 0.3)


def relay_domain(relayhost):
    """The same for a relayhost, [host] or [host]:port."""
    host, _, port = relayhost[1:].partition("]")
    return Domain(relayhost, host, f"{host}[192.0.2.25]", "trusted", "TLSv1.3", CIPHERS["TLSv1.3"][0], "", 0, True, port[1:] or "25")


class Figures:
    """What is counted of one domain, or in all."""

    def __init__(self):
        self.messages = self.recipients = self.octets = 0
        self.statuses = {"sent": 0, "deferred": 0, "bounced": 0}
        self.by_tls = dict.fromkeys(LEVELS, 0)
        self.by_protocol = {}
        self.deferred_by_tls = self.bounced_by_tls = 0

    def delivery(self, status, level, protocol, cause, size):
        self.statuses[status] += 1
        if status == "sent":
            self.by_tls[level] += 1
            self.octets += size
            if protocol:
                self.by_protocol[protocol] = self.by_protocol.get(protocol, 0) + 1
        elif cause:
            self.deferred_by_tls += status == "deferred"
            self.bounced_by_tls += status == "bounced"


class Truth:
    def __init__(self):
        self.total, self.domains = Figures(), {}
        self.deferred, self.bounced = dict.fromkeys(CAUSES, 0), dict.fromkeys(CAUSES, 0)
        self.apart = {"lines": 0, "octets_of_the_log": 0, "received": 0, "sent": 0, "deferred": 0, "bounced": 0, "octets": 0,
                      "distinct_recipients": 0, "end": 0}
        self._distinct = set()

    def domain(self, name):
        return self.domains.setdefault(name, Figures())

    def delivery(self, name, status, level, protocol, cause, size):
        for one in (self.total, self.domain(name)):
            one.delivery(status, level, protocol, cause, size)
        if cause:
            (self.deferred if status == "deferred" else self.bounced)[cause] += 1

    def other(self, recipient, status, size):
        """A delivery that no smtp client made."""
        self.apart[status] += 1
        if status == "sent":
            self.apart["octets"] += size
            self.address(recipient)

    def address(self, recipient):
        """Something was sent to this address."""
        self._distinct.add(recipient)

    def value(self):
        total = self.total
        self.apart["distinct_recipients"] = len(self._distinct)
        return {"messages": total.messages, "recipients": total.recipients, "octets": total.octets,
                "deliveries": sum(total.statuses.values()), "statuses": total.statuses, "by_tls": total.by_tls,
                "by_protocol": total.by_protocol, "deferred_by_tls": self.deferred, "bounced_by_tls": self.bounced,
                "domains": [{"name": name, "messages": one.messages, "recipients": one.recipients, "octets": one.octets,
                             "statuses": one.statuses, "by_tls": one.by_tls, "by_protocol": one.by_protocol, "deferred_by_tls": one.deferred_by_tls,
                             "bounced_by_tls": one.bounced_by_tls}
                            for name, one in sorted(self.domains.items())],
                "apart": self.apart}


class Stamps:
    """The beginning of a line; the text of a second is made once."""

    def __init__(self, form, zone):
        self._form, self._zone_s = form, zone * 60
        self._second, self._text = None, ""
        sign = "-" if zone < 0 else "+"
        self._offset = f"{sign}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}"

    def of(self, at):
        second, micro = divmod(at, SECOND)
        if second != self._second:
            self._second = second
            moment = time.gmtime(second + self._zone_s)
            self._text = (time.strftime("%Y-%m-%dT%H:%M:%S", moment) if self._form in ("rfc3339", "short-iso")
                          else f"{time.strftime('%b', moment)} {moment.tm_mday:2d} {time.strftime('%H:%M:%S', moment)}")
        if self._form == "rfc3339":
            return f"{self._text}.{micro:06d}{self._offset}"
        if self._form == "short-precise":
            return f"{self._text}.{micro:06d}"
        return self._text + self._offset.replace(":", "") if self._form == "short-iso" else self._text


@dataclass
class Process:
    """An smtp client; it delivers one message at a time, and may keep a connection."""
    pid: int
    free_at: int = 0
    deliveries: int = 0
    relay: str = ""
    uses: int = 0


@dataclass
class Instance:
    name: str
    silent: bool
    relayhost: str
    first_pid: int
    free: list = field(default_factory=list)  # a heap of processes by when they are free
    kept: dict = field(default_factory=dict)  # relay -> the process that keeps a connection to it
    pids: int = 0
    turn: int = 0

    def pid(self):
        self.pids += 1
        return self.first_pid + self.pids % 30000

    def process(self, at, relay):
        """One that is free; with an open connection to the relay if there is one."""
        kept = self.kept.get(relay)
        if kept is not None and kept.free_at <= at and kept.relay == relay and kept.deliveries < USES_MAX:
            return kept
        while self.free and self.free[0][0] <= at:
            free_at, _, one = heapq.heappop(self.free)
            if free_at == one.free_at and one.deliveries < USES_MAX:  # else it has been used since, or it has ended
                return one
        return Process(self.pid(), at)

    def ends(self, process, at):
        """Its delivery is over then."""
        self.turn += 1
        process.free_at = at + 10
        heapq.heappush(self.free, (process.free_at, self.turn, process))


@dataclass
class Message:
    instance: Instance
    queue_id: str
    sender: str
    size: int
    begin: int
    left: dict           # domain -> recipients that wait
    attempts: int = 0


def seconds(micro):
    """As Postfix writes delays: two digits, or whole seconds."""
    value = micro / SECOND
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


class Log:
    def __init__(self, options, out):
        self._options, self._out = options, out
        self._some = random.Random(options.seed)
        self._stamps = Stamps(options.form, options.zone)
        self._events, self._number = [], 0
        self._lines, self._written = [], 0
        self.end = 0
        self.truth = Truth()
        silent = options.silent.split(",")
        names = options.names.split(",")
        self._instances = [Instance(name, name in silent, options.relayhost if number == len(names) - 1 else "", 1000 + 40000 * number)
                           for number, name in enumerate(names)]
        self._ids = 0
        self._troubled = {}

    # the order of the lines

    def _at(self, moment, what):
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, what))

    def _say(self, moment, instance, service, pid, text):
        self._at(moment, f"{instance.name}/{service}[{pid}]: {text}")

    def _until(self, moment):
        """Everything before that moment happens."""
        while self._events and self._events[0][0] <= moment:
            at, _, what = heapq.heappop(self._events)
            self.end = at
            if isinstance(what, str):
                self._lines.append(f"{self._stamps.of(at)} mail {what}\n")
            else:
                what[0](at, *what[1:])
        if len(self._lines) > 5000:
            self._flush()

    def _flush(self):
        text = "".join(self._lines)
        self._out.write(text.encode())
        self.truth.apart["lines"] += len(self._lines)
        self.truth.apart["octets_of_the_log"] += len(text)
        self._written += len(text)
        self._lines.clear()

    def write(self):
        options = self._options
        step = options.days * 86400 * SECOND / max(1, options.messages)
        moment = options.begin * SECOND
        number = 0
        while self._written < options.octets if options.octets else number < options.messages:
            moment += int(self._some.expovariate(1) * step) + 1 if not options.octets else 20000
            self._until(moment)
            self._arrives(moment, number)
            number += 1
        self._until(float("inf"))
        self._flush()
        self.truth.apart["end"] = self.end // SECOND

    # what happens

    def _queue_id(self, moment):
        self._ids += 1
        second, micro = divmod(moment, SECOND)
        if self._options.ids == "short":
            inode = 0xA0000 + (self._ids % 64 if self._options.reuse_ids else self._ids)
            return f"{micro:05X}{inode:X}"
        return based(second, 6) + based(micro, 4) + "z" + based(0x70000 + self._ids, 0)

    def _domain(self, number):
        """A domain, the first ones more often than the last."""
        options = self._options
        if not options.spread:
            number = int(self._some.random() ** 3 * options.nexthops)
        number %= options.nexthops
        known = self._troubled.get(number)
        if known is not None:
            return known
        domain = domain_of(number)
        some = random.Random(number * 31 + options.seed)
        if some.random() < options.troubles:
            domain.trouble = some.choice((*FAILURES, "greylist", "greylist", "timeout", "expires", "unknown-user", "refused-5xx"))
            domain.attempts = some.randint(1, 3)
        if len(self._troubled) < 10000:
            self._troubled[number] = domain
        return domain

    def _arrives(self, moment, number):
        some = self._some
        instance = self._instances[some.randrange(len(self._instances))] if len(self._instances) > 1 else self._instances[0]
        message = Message(instance, self._queue_id(moment), f"user{some.randrange(200)}@sender{some.randrange(20)}.example",
                          some.randrange(400, 200_000), moment, {})
        pid = instance.first_pid + 30100 + number % 50
        queue_id = message.queue_id
        if some.random() < 0.7:
            client = f"client{some.randrange(99)}.example[192.0.2.{some.randrange(256)}]"
            self._say(moment, instance, "smtpd", pid, f"connect from {client}")
            if some.random() < 0.5:
                self._say(moment + 20, instance, "smtpd", pid, f"Anonymous TLS connection established from {client}: TLSv1.3 with cipher "
                          + CIPHERS["TLSv1.3"][0])
            self._say(moment + 30, instance, "smtpd", pid, f"{queue_id}: client={client}")
            self._say(moment + 60, instance, "smtpd", pid, f"disconnect from {client} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7")
        else:
            self._say(moment + 30, instance, "pickup", pid + 100, f"{queue_id}: uid=1000 from=<{message.sender}>")
        self.truth.apart["received"] += 1
        self._say(moment + 40, instance, "cleanup", pid + 200, f"{queue_id}: message-id=<{number}.{moment}@{message.sender.split('@')[1]}>")
        if some.random() < self._options.noise:
            self._at(moment + 70, some.choice(NOISE))
        recipients = 1 if some.random() < 0.8 else some.randrange(2, 6)
        if some.random() < self._options.others:
            self._at(moment + 100, (self._other, message, recipients))
            return
        self._choose(message, number, recipients)
        self._at(moment + 100, (self._active, message))

    def _choose(self, message, number, recipients):
        """Who gets the message, and what of that is counted."""
        some = self._some
        several = recipients > 1 and some.random() < 0.4
        for one in range(recipients):
            domain = self._domain(number + one if several else number) if one == 0 or several else domain
            at = message.left.setdefault(domain.name, (domain, []))[1]
            address = f"{some.choice(('info', 'anna', 'max.muster', 'Office', 'x-1'))}{some.randrange(50) if several else one}@{domain.name}"
            if address not in at:
                at.append(address)
        truth = self.truth
        truth.total.messages += 1
        names = {self._counted_for(message.instance, name): 0 for name in message.left}
        for name, (_, addresses) in message.left.items():
            names[self._counted_for(message.instance, name)] += len(addresses)
        for name, count in names.items():
            truth.domain(name).messages += 1
            truth.domain(name).recipients += count
            truth.total.recipients += count

    @staticmethod
    def _counted_for(instance, name):
        return instance.relayhost or name

    def _active(self, moment, message):
        """The queue manager hands it to the clients."""
        message.attempts += 1
        instance = message.instance
        count = sum(len(addresses) for _, addresses in message.left.values())
        self._say(moment, instance, "qmgr", instance.first_pid, f"{message.queue_id}: from=<{message.sender}>, size={message.size}, "
                  f"nrcpt={count} (queue active)")
        last = moment
        for name in list(message.left):
            domain, addresses = message.left[name]
            last = max(last, self._deliver(moment + 1000, message, domain, addresses))
        again = last + 300 * SECOND * 2 ** (message.attempts - 1)
        if not message.left:
            self._say(last + 50, instance, "qmgr", instance.first_pid, f"{message.queue_id}: removed")
        elif message.attempts < ATTEMPTS_MAX:
            self._at(again, (self._active, message))
        else:
            self._at(again, (self._expires, message))

    def _expires(self, moment, message):
        instance = message.instance
        self._say(moment, instance, "qmgr", instance.first_pid, f"{message.queue_id}: from=<{message.sender}>, status=expired, returned to sender")
        self._say(moment + 200, instance, "bounce", instance.first_pid + 3, f"{message.queue_id}: sender non-delivery notification: {message.queue_id[::-1]}")
        self._say(moment + 300, instance, "qmgr", instance.first_pid, f"{message.queue_id}: removed")

    def _deliver(self, moment, message, domain, addresses):
        """One delivery to one domain; when it ended. What is not deferred is taken out of message.left."""
        some, instance = self._some, message.instance
        if instance.relayhost:
            domain = relay_domain(instance.relayhost)
        relay = domain.relay
        process = instance.process(moment, relay)
        moment = max(moment, process.free_at)
        process.deliveries += 1
        trouble = domain.trouble if message.attempts <= domain.attempts or domain.trouble in LASTING else ""
        if trouble:
            return self._fails(moment, message, domain, process, addresses, trouble)
        reuse = process.relay == relay and domain.cached
        process.uses = process.uses + 1 if reuse else 1
        process.relay = relay if domain.cached else ""
        if domain.cached:
            instance.kept[relay] = process
        if not reuse and some.random() < 0.02:
            self._say(moment, instance, "smtp", process.pid, f"connect to backup.{domain.name}[192.0.2.77]:25: Connection timed out")
        self._tls_line(moment + 10000, instance, process, domain, relay, "reused" if reuse else "established")
        end = moment + some.randrange(50_000, 3_000_000)
        conn_use = f", conn_use={process.uses}" if process.uses > 1 else ""
        for address in addresses:
            self._status(end, message, process, f"{address}>, relay={relay}:{domain.port}{conn_use}", end - moment, "2.0.0", "sent",
                         some.choice(("250 2.0.0 Ok: queued as 4F0A1B2C3D", "250 2.6.0 <x@y.example> [InternalId=1] Queued mail for delivery",
                                      "250 2.0.0 OK  1764237000 d2e1a72fcca58-7c3ff.9 - gsmtp")))
            self._count(message, domain, address, "sent", "")
        instance.ends(process, end)
        self._done(message, domain, addresses)
        return end

    def _tls_line(self, moment, instance, process, domain, relay, word):
        if domain.level != "none" and not instance.silent:
            self._say(moment, instance, "smtp", process.pid,
                      f"{domain.level.capitalize()} TLS connection {word} to {relay}:{domain.port}: {domain.protocol} with cipher {domain.cipher}")

    def _fails(self, moment, message, domain, process, addresses, trouble):
        instance, relay = message.instance, domain.relay
        process.relay = ""
        end = moment + 300_000
        if message.attempts > 1 and trouble in SUSPENDED and self._some.random() < 0.3:
            return self._suspended(moment, message, domain, addresses, trouble)
        if trouble in FAILURES:
            dsn, reason, named, before = FAILURES[trouble]
            words = {"domain": domain.name, "host": domain.host, "relay": relay, "why": WHYS[len(domain.name) % len(WHYS)]}
            if instance.silent:
                before = [line for line in before if "TLS connection" not in line]
            for number, line in enumerate(before):
                self._say(moment + 1000 + number, instance, "smtp", process.pid, line.format(**words))
            reason, status, cause = reason.format(**words), "deferred", trouble
            at = f"{relay}:25" if named else "none"
        else:
            at, dsn, status, reason, cause = self._plain_failure(trouble, domain, moment, instance, process)
        for address in addresses:
            self._status(end, message, process, f"{address}>, relay={at}", end - moment, dsn, status, reason.replace("RECIPIENT", address))
            self._count(message, domain, address, status, cause)
        instance.ends(process, end)
        if status == "bounced":
            self._say(end + 100, instance, "bounce", instance.first_pid + 3, f"{message.queue_id}: sender non-delivery notification: {message.queue_id}F")
            self._done(message, domain, addresses)
        return end

    def _suspended(self, moment, message, domain, addresses, trouble):
        """The queue manager has given up on the domain for a while; error(8) says so."""
        instance, dsn, reason = message.instance, *SUSPENDED[trouble]
        for address in addresses:
            self._say(moment, instance, "error", instance.first_pid + 30600, f"{message.queue_id}: to=<{address}>, relay=none, "
                      f"delay={seconds(moment - message.begin)}, delays={seconds(moment - message.begin)}/0.01/0/0.01, dsn={dsn}, "
                      f"status=deferred (delivery temporarily suspended: {reason.format(relay=domain.relay)})")
            self._count(message, domain, address, "deferred", trouble if trouble in FAILURES else "")
        return moment

    def _plain_failure(self, trouble, domain, moment, instance, process):
        relay = domain.relay
        if trouble == "greylist":
            self._tls_line(moment + 10000, instance, process, domain, relay, "established")
            return (f"{relay}:25", "4.2.0", "deferred", f"host {relay} said: 450 4.2.0 <RECIPIENT>: Recipient address rejected: Greylisted, "
                    "see http://postgrey.example/help (in reply to RCPT TO command)", "")
        if trouble == "unknown-user":
            self._tls_line(moment + 10000, instance, process, domain, relay, "established")
            return (f"{relay}:25", "5.1.1", "bounced", f"host {relay} said: 550 5.1.1 <RECIPIENT>: Recipient address rejected: "
                    "User unknown in virtual mailbox table (in reply to RCPT TO command)", "")
        if trouble == "refused-5xx":
            return (f"{relay}:25", "5.7.1", "bounced", f"TLS is required, but host {relay} refused to start TLS: 554 5.7.1 no TLS for you", "refused")
        self._say(moment + 200, instance, "smtp", process.pid, f"connect to {relay}:25: Connection timed out")
        return "none", "4.4.1", "deferred", f"connect to {relay}:25: Connection timed out", ""

    def _status(self, moment, message, process, to_and_relay, sending, dsn, status, reason):
        delays = f"{seconds(moment - message.begin)}, delays={seconds(max(0, moment - sending - message.begin))}/0.01/{seconds(sending * 2 // 3)}/{seconds(sending // 3)}"
        self._say(moment, message.instance, "smtp", process.pid, f"{message.queue_id}: to=<{to_and_relay}, delay={delays}, dsn={dsn}, "
                  f"status={status} ({reason})")

    def _count(self, message, domain, address, status, cause):
        level, protocol = domain.level, domain.protocol if domain.level != "none" else ""
        if message.instance.silent:
            level, protocol = "unknown", ""
        if status == "sent":
            self.truth.address(address)
        self.truth.delivery(self._counted_for(message.instance, address.split("@")[1]), status, level, protocol, cause, message.size)

    @staticmethod
    def _done(message, domain, addresses):
        name = addresses[0].split("@")[1]
        del message.left[name]

    def _other(self, moment, message, recipients):
        """Delivered by something else than an smtp client."""
        some, instance = self._some, message.instance
        self._say(moment, instance, "qmgr", instance.first_pid, f"{message.queue_id}: from=<{message.sender}>, size={message.size}, "
                  f"nrcpt={recipients} (queue active)")
        service, relay, status, reason = some.choice(OTHERS)
        dsn = {"sent": "2.0.0", "deferred": "4.4.1", "bounced": "5.1.1"}[status]
        for number in range(recipients):
            address = f"local{number}-{some.randrange(100)}@sender1.example"
            self._say(moment + 5000, instance, service, instance.first_pid + 30500, f"{message.queue_id}: to=<{address}>, relay={relay}, delay=0.05, "
                      f"delays=0.02/0.01/0.01/0.01, dsn={dsn}, status={status} ({reason})")
            self.truth.other(address, status, message.size)
        self._say(moment + 6000, instance, "qmgr", instance.first_pid, f"{message.queue_id}: removed")


SUSPENDED = {"timeout": ("4.4.1", "connect to {relay}:25: Connection timed out"),
             "not-offered": ("4.7.4", "TLS is required, but was not offered by host {relay}"),
             "handshake": ("4.7.5", "Cannot start TLS: handshake failure")}
LASTING = ("expires", "unknown-user", "refused-5xx")
OTHERS = (("lmtp", "mail.sender1.example[private/dovecot-lmtp]", "sent", "250 2.0.0 <local> aGVsbG8 Saved"),
          ("lmtp", "127.0.0.1[127.0.0.1]:24", "sent", "250 2.1.5 Ok"),
          ("local", "local", "sent", "delivered to mailbox"), ("virtual", "virtual", "sent", "delivered to maildir"),
          ("pipe", "procmail", "sent", "delivered via procmail service"),
          ("pipe", "procmail", "bounced", "user unknown"), ("local", "local", "bounced", 'unknown user: "nobody"'),
          ("error", "none", "deferred", "delivery temporarily suspended: connect to mx.elsewhere.example[192.0.2.9]:25: Connection refused"))
NOISE = ("sshd[811]: Connection closed by 192.0.2.4 port 4711 [preauth]", "CRON[812]: (root) CMD (command -v debian-sa1 > /dev/null)",
         "dovecot: imap-login: Login: user=<anna>, method=PLAIN, rip=192.0.2.8, lip=192.0.2.1, TLS, session=<abc>",
         "rspamd[900]: <a1b2c3>; task; rspamd_task_write_log: id: <x@y.example>, from: <a@b.example>, (default: F (no action): [0.10/15.00] [])",
         "opendkim[77]: 4F0A1B2C3D: DKIM-Signature field added (s=mail, d=sender1.example)",
         "postfix/anvil[950]: statistics: max connection rate 1/60s for (smtp:192.0.2.4) at Oct  1 00:00:00",
         "postfix/scache[951]: statistics: domain lookup hits=1 miss=3 success=25%",
         "postfix/postscreen[952]: CONNECT from [192.0.2.44]:39418 to [192.0.2.1]:25",
         "postfix/smtpd[953]: NOQUEUE: reject: RCPT from unknown[192.0.2.44]: 554 5.7.1 <a@b.example>: Relay access denied; "
         "from=<c@d.example> to=<a@b.example> proto=ESMTP helo=<x>")


def based(value, width):
    digits = ""
    while value:
        value, one = divmod(value, len(LONG_ID))
        digits = LONG_ID[one] + digits
    return digits.rjust(width, "0")


def write(path, *words):
    """A log at a path, with these words for options; its truth. The file was last changed when the log ends."""
    options = arguments(words)
    with open(path, "wb") as out:
        log = Log(options, out)
        log.write()
    truth = log.truth.value()
    os.utime(path, (truth["apart"]["end"],) * 2)
    return truth


def differences(truth, told, most=10):
    """Where what `mxcrypt --json audit` told of a log is not what was written, as sentences."""
    found = _unlike("in all", {name: value for name, value in truth.items() if name not in ("domains", "apart")}, told)
    domains = {one["name"]: one for one in told["domains"]}
    for one in truth["domains"]:
        found += _unlike(one["name"], one, domains.pop(one["name"], {}))
    found += [f"{name}: not written" for name in domains]
    return found if len(found) <= most else [*found[:most], f"and {len(found) - most} more"]


def _unlike(what, want, got):
    return [f"{what}, {name}: wrote {_counts(value)}, counted {_counts(got.get(name))}" for name, value in want.items()
            if _counts(value) != _counts(got.get(name))]


def _counts(value):
    """Without the zeros."""
    return {key: count for key, count in value.items() if count} if isinstance(value, dict) else value


def main():
    options = arguments()
    log = Log(options, sys.stdout.buffer)
    log.write()
    sys.stdout.buffer.flush()
    if options.truth:
        with open(options.truth, "w", encoding="ascii") as file:
            json.dump(log.truth.value(), file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
