"""What the cases of mxcrypt audit share: partners, a Postfix of the case's own, what the servers took, what the audit makes of the log."""

import collections
import json
import os
import ssl
import subprocess
import time

import postfix
import waiting
from case import Failed
from smtpd import GOOD

IN_CLEAR = "clear"  # where a TLS version stands otherwise
TLSPROXY = "tlsproxy unix - - n - 0 tlsproxy\n"


def anonymous_context():
    """A server without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH:@SECLEVEL=0")
    return context


class Partner:
    """A domain with one mail host: below c.d when it has TLSA records, else below c.u."""

    def __init__(self, c, name, *tlsa, temper=GOOD, cert=None, context=None, signed=None, sts=False):
        signed = bool(tlsa) if signed is None else signed
        self.c, self.domain = c, f"{name}.{c.d if signed else c.u}"
        add = c.zone if signed else c.plain
        self.server = c.server(f"mx.{self.domain}", temper=temper, cert=cert, context=context)
        add(f"{name} MX 10 mx.{name}", f"mx.{name} A {self.server.address}")
        for one in tlsa:
            add(f"_25._tcp.mx.{name} TLSA {self.server.cert.tlsa() if one == 'good' else one}")
        if sts:
            c.sts(f"mx.{self.domain}", domain=self.domain)

    def becomes(self, temper):
        self.server.temper = temper

    def address(self, local="user"):
        return f"{local}@{self.domain}"


def known(c, *partners):
    """The daemon has looked them up, before anything changes."""
    for one in partners:
        c.ask(one.domain)


class Mail:
    """A Postfix of the case's own, whose smtp clients ask the case's daemon; its log is what is audited."""

    def __init__(self, c, name="", settings=None, services="", transports=None, policy="policy", socket=None):
        self.c, self.transports, self.routes = c, transports or {}, {}
        socket = socket or os.path.join(c.world.folder, f"d-{c.entry.daemon}", "policy.sock")
        self.maps = f"socketmap:unix:{socket}:{policy}"
        settings = {"smtp_tls_policy_maps": self.maps, "minimal_backoff_time": "1s", **(settings or {})}
        self.postfix = postfix.Postfix(os.path.join(c.world.folder, f"pf-{c.label}{name}"), c.world.ca.ca_file, settings, services)

    def start(self):
        """The daemon, and Postfix."""
        assert self.c.daemon
        self.postfix.start({"smtp": ({}, False), **self.transports}, self.routes)

    def lines(self, recipient):
        """The status lines of a recipient."""
        return [line for line in self.postfix.log().splitlines() if f" to=<{recipient}>, " in line and " status=" in line]

    def send(self, *recipients, wait=True):
        """One message; waits until each of them has one more status line than before."""
        before = {one: len(self.lines(one)) for one in recipients}
        self.postfix.submit(*recipients)
        if wait:
            self.told(before)

    def again(self, *recipients):
        """The queue is flushed until each of them has been tried once more."""
        before = {one: len(self.lines(one)) for one in recipients}

        def tried():
            self.postfix.run("postqueue", "-f")
            return self._all_told(before)
        waiting.until(tried, f"another attempt for {recipients}", 60, pause=0.3)

    def told(self, before):
        waiting.until(lambda: self._all_told(before), f"status lines for {list(before)}", 60, pause=0.05)

    def _all_told(self, before):
        return all(len(self.lines(one)) > count for one, count in before.items())

    def must_say(self, recipient, *words):
        """The last status line of the recipient holds all of these."""
        line = (self.lines(recipient) or [""])[-1]
        missing = [one for one in words if one not in line]
        if missing:
            raise Failed(f"{missing} is not in {line!r}")

    def rotated(self):
        """The files that `postfix logrotate` made of the log."""
        folder, name = os.path.split(self.postfix.log_path)

        def files():
            return [os.path.join(folder, one) for one in os.listdir(folder) if one.startswith(name + ".") and one.endswith(".gz")]
        return waiting.until(files, "the log is rotated")

    def reason_of(self, domain):
        """What mxcryptd answered Postfix of a domain: the reason of TEMP."""
        answer = self.c.ask(domain)
        return answer.removeprefix("TEMP ") if answer.startswith("TEMP ") else ""

    def stop(self):
        """All is written then."""
        self.postfix.stop()
        return self.postfix.log_path


class History:
    """A log of the days up to now, made up: mail to partners that exist."""

    def __init__(self):
        self._lines, self._messages = [], 0
        self._now = int(time.time())

    def mail(self, partner, count, days, level="Verified", domain=None, instance="postfix", status="sent (250 ok)", dsn="2.0.0"):
        """So many messages spread over so many days; `level` as Postfix logs it, None: no word about TLS."""
        relay = f"mx.{partner.domain}[{partner.server.address}]:25"
        for number in range(count):
            self._messages += 1
            at, queue_id = self._now - 3600 - (count - 1 - number) * (days - 1) * 86400 // max(1, count - 1), f"{0xA0000 + self._messages:X}"
            smtp = f"{instance}/smtp[{1000 + self._messages}]: "
            texts = [f"{instance}/qmgr[9]: {queue_id}: from=<a@client.signed>, size=1000, nrcpt=1 (queue active)"]
            if level:
                texts.append(f"{smtp}{level} TLS connection established to {relay}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)")
            texts.append(f"{smtp}{queue_id}: to=<user@{domain or partner.domain}>, relay={relay}, delay=1.2, delays=0.1/0.1/0.5/0.5, dsn={dsn}, status={status}")
            texts.append(f"{instance}/qmgr[9]: {queue_id}: removed")
            self._lines += [(at, len(self._lines) + place, text) for place, text in enumerate(texts)]

    def write(self, path):
        with open(path, "w", encoding="ascii") as file:
            for at, _, text in sorted(self._lines):
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))} mail {text}\n")


def audit(c, *words, status=0, stdin=subprocess.DEVNULL):
    """What mxcrypt --json audit says."""
    done = c.daemon.cli("--json", "audit", *words, stdin=stdin)
    if done.returncode != status:
        raise Failed(f"audit {words}: exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"audit {words}: no JSON: {done.stdout[:500]!r} {done.stderr[:500]!r}") from error


def domains(told):
    return {one["name"]: one for one in told["domains"]}


def counted(told):
    return tuple(told[one] for one in ("messages", "recipients", "deliveries"))


def sent_over(*partners):
    """What the servers took: domain -> how many recipients over which TLS version, or in clear."""
    found = {}
    for server in {id(one.server): one.server for one in partners}.values():
        for message in server.taken:
            for recipient in message.recipients:
                found.setdefault(recipient.split("@")[1].lower(), collections.Counter())[message.tls or IN_CLEAR] += 1
    return {domain: dict(over) for domain, over in found.items()}


def queue_ids(*partners):
    """domain -> the queue ids of the messages that the servers took."""
    found = {}
    for one in partners:
        for message in one.server.taken:
            for recipient in message.recipients:
                found.setdefault(recipient.split("@")[1].lower(), set()).add(message.queue_id)
    return found


def must_equal(told, *partners):
    """The audit says of every domain what the servers took: recipients, messages, TLS versions; and the sums are right."""
    want = sent_over(*partners)
    got = {}
    for name, one in domains(told).items():
        over = {version: count for version, count in one["by_protocol"].items() if count}
        if one["by_tls"]["none"]:
            over[IN_CLEAR] = one["by_tls"]["none"]
        if sum(one["by_tls"].values()):
            got[name] = over
            must_be(f"{name}: sent", sum(one["by_tls"].values()), one["statuses"]["sent"])
    must_be("sent over", got, want)
    for name, ids in queue_ids(*partners).items():
        if "" in ids or len(ids) > domains(told)[name]["messages"]:
            raise Failed(f"{name}: the servers took {ids}, the audit counted {domains(told)[name]['messages']} messages")
    for name in ("by_tls", "by_protocol", "statuses"):
        total = collections.Counter()
        for one in told["domains"]:
            total.update(one[name])
        must_be(f"{name}, in all", told[name], dict(total) or told[name])


def must_be(what, got, want):
    if got != want:
        raise Failed(f"{what}: wanted {want!r}, got {got!r}")


def same(what, got, want):
    """Two values with members; what is named is where they differ."""
    for key in want.keys() | got.keys():
        must_be(f"{what}, {key}", got.get(key), want.get(key))


def levels(told):
    """domain -> the levels at which something was sent, with their numbers."""
    return {name: {level: count for level, count in one["by_tls"].items() if count} for name, one in domains(told).items()
            if any(one["by_tls"].values())}


def troubles(told):
    """domain -> cause -> deliveries deferred; recipients, those that were sent in the end and those that wait."""
    found = {}
    for one in told["troubles"]:
        if one["domain"]:
            causes = found.setdefault(one["domain"], {})
            figures = [one[name] for name in ("deferred", "recipients", "sent", "waiting")]
            causes[one["cause"]] = tuple(map(sum, zip(causes.get(one["cause"], (0,) * len(figures)), figures)))
    return found
