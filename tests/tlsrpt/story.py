#!/usr/bin/python3
"""TLSRPT from a Postfix's log: story.py --bin DIR

A real Postfix that asks mxcryptd sends a day's mail to domains with DANE, MTA-STS and neither, whose servers are good or fail, each in
one way. `mxcrypt audit --tlsrpt` makes reports of its log, whose counts must be those of the servers; `mxcrypt tlsrpt send` sends them by
mail, through Postfix, and by HTTPS, with receivers that fail, a kill -9 in between, and no report twice."""

import argparse
import collections
import email
import email.policy
import fcntl
import gzip
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "farm"))

import places  # noqa: E402 F401  (first: where the others are)
import benchworld  # noqa: E402
import daemon  # noqa: E402
import jsonschema  # noqa: E402
import policyhost  # noqa: E402
import postfix  # noqa: E402
import receivers  # noqa: E402
import smtpd  # noqa: E402
import waiting  # noqa: E402
from tally import Tally  # noqa: E402

TIME_LIMIT_S = 300
DAY_S = 86400
NEAR_MIDNIGHT_S = 90        # the whole story takes less, on a busy machine too
RUN = os.path.join(HERE, os.pardir, os.pardir, "contrib", "tlsrpt", "mxcrypt-tlsrpt-run")
DOCS = pathlib.Path(HERE, os.pardir, os.pardir, "docs")
CONTACT = "tlsrpt@client.signed"
MAIL_HOST, WEB = "mx.reports.plain", "web.reports.plain"
MAIL_ADDRESS, WEB_ADDRESS = "198.51.100.91", "198.51.100.92"
BY_MAIL = "mailto:tls%2dreports@reports.plain?subject=no"
INWARD = "https://inward.reports.plain/"
TLSPROXY = "tlsproxy unix - - n - 0 tlsproxy\n"
NO_TLS = replace(smtpd.GOOD, ehlo=b"250-mail.world\r\n250 PIPELINING\r\n")
GARBAGE = replace(smtpd.GOOD, handshake="garbage")
REFUSES = replace(smtpd.GOOD, starttls=b"454 \x1b[31m=?utf-8?q?not_now?= \"<script> for <a0@stsrefuses.plain>\r\n")
OK, NONE, TLSA, STS = "success", "no-policy-found", "tlsa", "sts"


def https(path):
    return f"https://{WEB}{path}"


@dataclass
class Partner:
    """A domain: its policy, its servers by preference, (temper, certificate's kind) each, what its failures are called."""
    label: str
    policy: str
    hosts: tuple
    failure: str = ""           # the result type; "": none
    rua: str = BY_MAIL
    messages: int = 2
    servers: list = field(default_factory=list)
    mode: str = "enforce"
    under: str = ""             # the policy that a session counts under, where it is not `policy`

    @property
    def name(self):
        return f"{self.label}.{'signed' if self.policy == TLSA else 'plain'}"


GOOD_HOST = ((smtpd.GOOD, "good"),)
PARTNERS = (
    Partner("dane", TLSA, ((smtpd.GOOD, "self"),), messages=3),
    Partner("danebad", TLSA, ((smtpd.GOOD, "other"),), "validation-failure", rua=https("/danebad")),
    Partner("daneclear", TLSA, ((NO_TLS, "self"),), "starttls-not-supported", rua=https("/daneclear")),
    Partner("sts", STS, GOOD_HOST, rua=https("/sts"), messages=3),
    Partner("stsself", STS, ((smtpd.GOOD, "self"),), "certificate-not-trusted"),
    Partner("stsname", STS, ((smtpd.GOOD, "name"),), "certificate-host-mismatch|validation-failure"),
    Partner("stsold", STS, ((smtpd.GOOD, "old"),), "certificate-expired"),
    Partner("stsclear", STS, ((NO_TLS, "good"),), "starttls-not-supported", rua=f"{https('/stsclear')},{BY_MAIL}"),
    Partner("stsbroken", STS, ((GARBAGE, "good"),), "validation-failure"),
    Partner("stsrefuses", STS, ((REFUSES, "good"),), "validation-failure"),
    Partner("ststwo", STS, ((NO_TLS, "good"), (smtpd.GOOD, "good")), "starttls-not-supported"),
    Partner("stsnametwo", STS, ((smtpd.GOOD, "self"), (smtpd.GOOD, "good")), "certificate-not-trusted"),
    Partner("testing", STS, GOOD_HOST, mode="testing"),
    Partner("none", NONE, ((smtpd.GOOD, "self"),)),
    Partner("verified", NONE, GOOD_HOST),
    Partner("clear", NONE, ((NO_TLS, "good"),), "validation-failure"),
    Partner("xn--bcher-kva", NONE, GOOD_HOST),
    Partner("silent", NONE, GOOD_HOST, rua=""),
    Partner("inward", NONE, GOOD_HOST, rua=INWARD),
    Partner("option", NONE, GOOD_HOST, rua="mailto:-oQ/tmp@reports.plain,mailto:a%0ab@reports.plain,mailto:root@localhost"),
    Partner("invalid", NONE, GOOD_HOST, rua="ftp://reports.plain/"),
)


class Story:
    def __init__(self, the_world, options):
        self.world, self.options, self.tally = the_world, options, Tally()
        self.check = self.tally.check
        self.folder = os.path.join(the_world.folder, "reports")
        self.begin = (int(time.time()) // DAY_S - 1) * DAY_S  # yesterday, in UTC
        for one in PARTNERS:
            self.declare(one)
        self.by_mail = receivers.ByMail()
        smtpd.SmtpServer(the_world.loop, MAIL_ADDRESS, replace(smtpd.GOOD, on_raw=self.by_mail.serve))
        self.by_https = receivers.ByHttps(the_world.loop, WEB_ADDRESS, the_world.ca.server_context(the_world.ca.leaf(WEB)))
        the_world.dns.add("reports.plain", "@ MX 10 mx", f"mx A {MAIL_ADDRESS}", f"web A {WEB_ADDRESS}", "inward A 127.0.0.1")
        the_world.dns.start()
        self.daemon = the_world.new_daemon("main", {**the_world.options(), "tlsrpt-organization": "Example \"Relay\" Ltd.", "tlsrpt-contact": CONTACT}).start()
        maps = {"smtp_tls_policy_maps": f"socketmap:unix:{self.daemon.socket}:policy"}
        self.postfix = self.start_postfix("one", maps)
        self.reusing = self.start_postfix("two", {**maps, "smtp_tls_connection_reuse": "yes", "smtp_connection_cache_destinations": "sts.plain",
                                                  "smtp_destination_concurrency_limit": "1", "smtp_connection_cache_time_limit": "10s"}, TLSPROXY)

    def path(self, name):
        return os.path.join(self.world.folder, name)

    def start_postfix(self, name, settings, services=""):
        one = postfix.Postfix(self.path(f"pf-{name}"), self.world.ca.ca_file, settings, services)
        one.start({"smtp": ({}, False)}, {})
        return one

    def declare(self, one):
        """Records, servers and policy."""
        dns, authority = self.world.dns, self.world.ca
        for number, (temper, kind) in enumerate(one.hosts):
            host, address = f"mx{number}.{one.name}", self.world.new_address()
            leaf = {"good": lambda host=host: authority.leaf(host), "self": lambda host=host: authority.leaf(host, issuer=None),
                    "other": lambda host=host: authority.leaf(host, issuer=None, cn="other"), "name": lambda: authority.leaf("another.plain"),
                    "old": lambda host=host: authority.expired(host)}[kind]()
            one.servers.append(smtpd.SmtpServer(self.world.loop, address, temper, authority.server_context(leaf)))
            dns.add(one.name, f"@ MX {10 + number} mx{number}", f"mx{number} A {address}")
            if one.policy == TLSA:
                dns.add(one.name, f"_25._tcp.mx{number} TLSA {authority.leaf(host, key=authority.rsa_key).tlsa() if kind == 'other' else leaf.tlsa()}")
        if one.rua:
            dns.add(one.name, f'_smtp._tls TXT "v=TLSRPTv1; rua={one.rua}"')
        if one.policy == STS:
            host = f"mta-sts.{one.name}"
            dns.add(one.name, '_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {self.world.policy_address}")
            self.world.policies.host(host, authority.server_context(authority.leaf(host)),
                                     policyhost.Policy(policyhost.sts_text(f"*.{one.name}", mode=one.mode)))

    # the day

    def deliver(self):
        """Each message has two recipients; to one domain five messages go over one connection, or few."""
        for one in PARTNERS:
            self.daemon.ask(one.name)
        for one in PARTNERS:
            for number in range(one.messages):
                self.postfix.submit(f"a{number}@{one.name}", f"b{number}@{one.name}")
        for number in range(5):
            self.reusing.submit(f"r{number}@sts.plain")
        wanted = sum(one.messages * 2 for one in PARTNERS)
        waiting.until(lambda: self.told(self.postfix) >= wanted, "every recipient has a fate", 60, pause=0.2)
        waiting.until(lambda: self.told(self.reusing) >= 5, "every recipient of the second has", 60, pause=0.2)

    @staticmethod
    def told(instance):
        return len(re.findall(r" to=<[^>]*>,.* status=", instance.log()))

    def write_log(self):
        """As the log of yesterday, in two files, of which the older is packed; its stamps begin at six o'clock."""
        lines = sorted([*self.postfix.log().splitlines(), *(line.replace("postfix/", "postfix-two/", 1) for line in self.reusing.log().splitlines())],
                       key=lambda line: line[:15])
        stamps = [time.mktime(time.strptime(f"{time.localtime().tm_year} {line[:15]}", "%Y %b %d %H:%M:%S")) for line in lines]
        moved = [f"{self.stamp(self.begin + 6 * 3600 + int(at - min(stamps)))} {line[16:]}" for at, line in zip(stamps, lines)]
        first = [f"{self.stamp(self.begin - 1)} mail postfix/master[1]: daemon started"]
        last = [f"{self.stamp(self.begin + DAY_S)} mail postfix/master[1]: reload"]
        half = len(moved) // 2
        with gzip.open(self.path("mail.log.2.gz"), "wt", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in first + moved[:half]))
        pathlib.Path(self.path("mail.log.1")).write_text("".join(f"{line}\n" for line in moved[half:] + last), encoding="utf-8")
        self.logs = [self.path("mail.log.1"), self.path("mail.log.2.gz")]

    @staticmethod
    def stamp(at):
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at))

    # the command

    def run(self, *words, later=0, status=0, **more):
        """mxcrypt, so many seconds later than now."""
        environment = {**os.environ, **daemon.SANITIZERS, "TZ": "America/New_York"}
        if later:
            environment.update({"LD_PRELOAD": os.path.join(self.options.bin, "clock_shim.so"), "MXC_TEST_CLOCK": f"+{later}",
                                "ASAN_OPTIONS": daemon.SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"})
        done = subprocess.run([os.path.join(self.options.bin, "mxcrypt"), "-c", self.daemon.config, *words], stdin=subprocess.DEVNULL, timeout=100,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, env=environment, **more)
        self.check(f"mxcrypt {' '.join(words[:2])}: exit status", done.returncode if done.returncode == status else (done.returncode, done.stderr[-2000:]), status)
        return done

    def audit(self, *words, status=0, folder=None, logs=None):
        return self.run("audit", "--tlsrpt", folder or self.folder, *words, *(logs or self.logs), status=status)

    def send(self, *words, **more):
        return self.run("tlsrpt", "send", "--sendmail", self.sendmail, *words, self.folder, **more)

    def reports(self):
        """By domain."""
        found = {}
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".json.gz"):
                found[name.split("!")[1]] = json.loads(gzip.decompress(pathlib.Path(self.folder, name).read_bytes()))
        return found

    # what must be

    def of_postfix(self, one):
        """(connections of Postfix on which mail was sent over TLS, in clear, neither), by the servers' own records."""
        found = collections.Counter()
        for server in one.servers:
            for connection in server.connections:
                if any(command.upper().startswith("EHLO CLIENT.SIGNED") for command in connection.commands):
                    found["tls" if connection.taken and connection.tls else "clear" if connection.taken else "neither"] += 1
        return found["tls"], found["clear"], found["neither"]

    def compare(self, one, report):
        tls, clear, neither = self.of_postfix(one)
        part, more = report["policies"][0], report["policies"][1:]
        details = part.get("failure-details", [])
        print(f"# {one.name}: {part['policy']['policy-type']} {part['summary']} {[(d['result-type'], d['failed-session-count'], d.get('failure-reason-code')) for d in details]}")
        self.check(f"{one.name}: one policy", more, [])
        self.check(f"{one.name}: type", part["policy"]["policy-type"], one.under or one.policy)
        self.check(f"{one.name}: successes are the server's", part["summary"]["total-successful-session-count"], tls)
        self.check(f"{one.name}: failures are the server's", part["summary"]["total-failure-session-count"], clear + neither)
        self.check(f"{one.name}: details are all failures", sum(detail["failed-session-count"] for detail in details), clear + neither)
        self.check(f"{one.name}: results", {detail["result-type"] for detail in details} <= set(one.failure.split("|")), True)
        self.check(f"{one.name}: there were sessions", tls + clear + neither >= one.messages and bool(clear + neither) == bool(one.failure), True)
        hosts = {f"mx{number}.{one.name}": server.address for number, server in enumerate(one.servers)}
        self.check(f"{one.name}: hosts", [detail for detail in details if hosts.get(detail["receiving-mx-hostname"]) != detail["receiving-ip"]], [])

    def check_reports(self):
        schema = json.loads((DOCS / "tlsrpt.schema.json").read_text(encoding="ascii"))
        example = json.loads(pathlib.Path(HERE, "example.json").read_text(encoding="ascii"))
        validator = jsonschema.Draft7Validator(schema)
        self.check("RFC 8460's example holds by the schema", list(validator.iter_errors(example)), [])
        reports = self.made = self.reports()
        self.check("reports for those that want them", set(reports), {one.name for one in PARTNERS if one.label not in ("silent", "invalid")})
        for one in PARTNERS:
            if one.name not in reports:
                continue
            report = reports[one.name]
            self.check(f"{one.name}: the schema", [error.message for error in validator.iter_errors(report)], [])
            self.compare(one, report)
        day = self.stamp(self.begin)[:10]
        self.check("a full day", reports["sts.plain"]["date-range"], {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"})
        self.check("what servers say is tame", "\x1b" not in json.dumps(reports, ensure_ascii=False), True)
        self.check("and names no recipient", ["a0@" in json.dumps(reports), "<**@stsrefuses.plain>" in json.dumps(reports)], [False, True])
        self.check("five messages went over fewer connections", self.reused() < 5, True)
        name = next(one for one in os.listdir(self.folder) if "!sts.plain!" in one)
        self.check("show", "sts.plain: " in self.run("tlsrpt", "show", os.path.join(self.folder, name)).stdout, True)

    def reused(self):
        return len(re.findall(r"TLS connection established to", self.reusing.log()))

    def without_daemon(self):
        """The command looks everything up itself: the same, but that nobody knows what policy there was yesterday."""
        folder, before = self.path("fresh"), self.reports()
        os.mkdir(folder)
        self.audit("--fresh", folder=folder)
        self.folder, kept = folder, self.folder
        now = self.reports()
        self.check("--fresh: the same reports", {name: (now.get(name), before.get(name)) for name in now.keys() | before.keys() if now.get(name) != before.get(name)}, {})
        self.folder = kept

    # refusals

    def refusals(self):
        """A log that lacks something, a day that is not over, a Postfix that reports itself."""
        other = self.path("other")
        os.mkdir(other)
        self.audit(folder=other, logs=self.logs[:1], status=65)
        self.audit(folder=other, logs=self.logs[1:], status=65)
        self.audit("--day", time.strftime("%Y-%m-%d", time.gmtime()), folder=other, status=64)
        self.audit("--day", "2026-02-30", folder=other, status=64)
        self.audit(folder=self.path("nowhere"), status=73)
        etc = pathlib.Path(self.path("etc310"))
        etc.mkdir()
        (etc / "main.cf").write_text("compatibility_level = 3.6\nsmtp_tlsrpt_enable = yes\n", encoding="ascii")
        (etc / "master.cf").touch()
        if postfix.version() >= (3, 10):
            self.check("Postfix reports itself", "reports by itself" in self.audit("--postfix", str(etc), folder=other, status=65).stderr, True)
        (etc / "main.cf").write_text("compatibility_level = 3.6\nsmtp_tls_loglevel = 0\n", encoding="ascii")
        (etc / "master.cf").write_text("smtp unix - - n - - smtp\n", encoding="ascii")
        self.check("TLS is not logged", "logs no TLS" in self.audit("--postfix", str(etc), folder=other, status=65).stderr, True)
        self.check("the resolver is away", "is not known whether" in self.audit("-o", "resolver=127.0.0.99", "-o", "dns-timeout=100ms", "-o", "dns-tries=1",
                                                                                folder=other, status=75).stderr, True)
        self.check("no report was written", os.listdir(other), [])
        self.audit("--partial", folder=other, logs=self.logs[:1])
        self.check("--partial: some reports", len(os.listdir(other)) > 0, True)
        self.check("an empty day", self.audit("--day", self.stamp(self.begin - 1)[:10], "--partial",
                                              folder=other).stdout.startswith("0 reports written"), True)

    # sending

    def prepare_sending(self):
        self.sendmail = self.path("sendmail")
        pathlib.Path(self.sendmail).write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{self.path("sendmail.log")}\nexec sendmail -C {self.postfix.etc} "$@"\n', encoding="ascii")
        os.chmod(self.sendmail, 0o755)

    def journal(self):
        """(domain, address or nothing) -> what became of it at each attempt."""
        found = collections.defaultdict(list)
        for line in pathlib.Path(self.folder, "journal").read_text(encoding="ascii").splitlines():
            _, fate, name, *address = line.split(" ")
            found[name.split("!")[1], *address].append(fate)
        return found

    def first_run(self):
        """Two of the web's paths fail; one that has a second address goes there."""
        dry = self.send("--dry-run", status=1).stdout
        self.check("--dry-run names each", dry.count("would be sent to"), len(self.reports()) - 1 + 1)
        self.check("--dry-run sends nothing", (self.by_mail.messages, self.by_https.posts, os.path.exists(os.path.join(self.folder, "journal"))), ([], [], False))
        self.by_https.statuses = {"/sts": ["503 Service Unavailable"], "/danebad": ["302 Found"], "/stsclear": ["404 Not Found"]}
        lock = os.open(self.folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.check("two runs at once", "already" in self.send(status=75).stderr, True)
        os.close(lock)
        done = self.send(status=75)
        fates = self.journal()
        failed = {name for (name, *_), one in fates.items() if one == ["failed"]}
        self.check("failed", failed, {"sts.plain", "danebad.signed", "inward.plain", "stsclear.plain"})
        self.check("the other address of one of them", fates["stsclear.plain", BY_MAIL], ["sent"])
        self.check("no address", fates["option.plain",], ["given-up"])
        self.check("all others are sent", {key for key, one in fates.items() if one == ["sent"] and len(key) == 1},
                   {(name,) for name in set(self.reports()) - failed - {"option.plain"}})
        self.check("an inward address is refused", "no public address" in done.stderr, True)
        words = pathlib.Path(self.path("sendmail.log")).read_text(encoding="ascii").splitlines()
        self.check("recipients are words of their own", set(words), {f"-i -f {CONTACT} -- tls-reports@reports.plain"})

    def second_run(self):
        """Nothing is due; later what failed is, and works."""
        posts = len(self.by_https.posts)
        self.check("at once nothing is due", self.send().stdout, "0 reports sent, 0 failed and will be tried again, 0 given up\n")
        self.check("nothing was sent again", len(self.by_https.posts), posts)
        self.send(later=11 * 60, status=75)
        fates = self.journal()
        self.check("a second attempt", [fates[name, address] for name, address in (
            ("sts.plain", https("/sts")), ("danebad.signed", https("/danebad")), ("stsclear.plain", https("/stsclear")), ("inward.plain", INWARD))],
            [["failed", "sent"]] * 3 + [["failed"] * 2])
        self.check("the back-off doubles", self.send(later=25 * 60).stdout[:14], "0 reports sent")
        self.send(later=26 * 3600, status=1)
        fates = self.journal()
        self.check("given up after a day", (fates["inward.plain", INWARD], fates["inward.plain",]), (["failed", "failed", "given-up"], ["given-up"]))

    def check_https(self):
        for label in ("sts.plain", "danebad.signed", "daneclear.signed"):
            path = "/" + label.split(".")[0]
            head, body = self.by_https.to(path)[-1]
            self.check(f"{label}: posted", (head.split("\r\n")[0], "\r\nContent-Type: application/tlsrpt+gzip\r\n" in head), (f"POST {path} HTTP/1.1", True))
            self.check(f"{label}: what was posted", json.loads(gzip.decompress(body)), self.reports()[label])
            self.check(f"{label}: tries", len(self.by_https.to(path)), {"sts.plain": 2, "danebad.signed": 2}.get(label, 1))

    def check_mail(self):
        reports = self.reports()
        fates = self.journal()
        wanted = {one.name for one in PARTNERS if one.rua.endswith(BY_MAIL)}
        waiting.until(lambda: len(self.by_mail.messages) >= len(wanted), "every report has come", 30)
        found = {}
        for recipients, octets in self.by_mail.messages:
            message = email.message_from_bytes(octets, policy=email.policy.default)
            found[message["TLS-Report-Domain"]] = (recipients, message)
        self.check("by mail: each domain once", (set(found), len(self.by_mail.messages)), (wanted, len(wanted)))
        for domain, (recipients, message) in found.items():
            self.check_message(domain, recipients, message, reports[domain])
        self.check("by mail: the journal", all(fates[name, BY_MAIL] == ["sent"] for name in wanted), True)

    def check_message(self, domain, recipients, message, report):
        text, attached = message.iter_parts()
        subject = f"Report Domain: {domain} Submitter: client.signed Report-ID: <{report['report-id']}>"
        want = {"To": "tls-reports@reports.plain", "TLS-Report-Submitter": "client.signed", "TLS-Required": "No", "MIME-Version": "1.0",
                "Auto-Submitted": "auto-generated", "Subject": subject}
        self.check(f"{domain}: headers", {name: str(message[name]) for name in want}, want)
        self.check(f"{domain}: from", (message["From"].addresses[0].addr_spec, recipients), (CONTACT, ("tls-reports@reports.plain",)))
        self.check(f"{domain}: one of each", all(len(message.get_all(name)) == 1 for name in (*want, "Date", "Message-ID", "From")), True)
        self.check(f"{domain}: form", (message.get_content_type(), message.get_param("report-type"), text.get_content_type(), attached.get_content_type()),
                   ("multipart/report", "tlsrpt", "text/plain", "application/tlsrpt+gzip"))
        self.check(f"{domain}: what is attached", json.loads(gzip.decompress(attached.get_payload(decode=True))), report)
        self.check(f"{domain}: its name", os.path.exists(os.path.join(self.folder, attached.get_filename())), True)

    def killed(self):
        """kill -9 while a report is on its way: that one is sent again, and no other."""
        os.remove(os.path.join(self.folder, "journal"))
        for name in os.listdir(self.folder):
            if name.split("!")[1] not in ("danebad.signed", "daneclear.signed", "sts.plain"):
                os.remove(os.path.join(self.folder, name))
        self.by_https.posts.clear()
        self.by_https.silent = {"/daneclear"}
        process = subprocess.Popen([os.path.join(self.options.bin, "mxcrypt"), "-c", self.daemon.config, "tlsrpt", "send", self.folder], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **daemon.SANITIZERS})
        waiting.until(lambda: self.by_https.to("/daneclear"), "a report is on its way", 30)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with open(os.path.join(self.folder, "journal"), "ab") as file:
            file.write(b"179")  # half a line
        self.by_https.silent = set()
        self.send()
        self.check("after kill -9", [len(self.by_https.to(path)) for path in ("/danebad", "/daneclear", "/sts")], [1, 2, 1])
        self.send()
        self.check("and never again", len(self.by_https.posts), 4)
        journal = pathlib.Path(self.folder, "journal")
        kept = [line for line in journal.read_text(encoding="ascii").splitlines() if line.count(" ") == 2]  # no address
        with open(journal, "ab") as file:
            file.write(b"1700000000 sent client.signed!gone.plain!1!2!1.json.gz\n" * 20000)
        self.send()
        self.check("a long journal loses the lines of reports that are gone, and the attempts at those that are done with", journal.read_text(encoding="ascii").splitlines()[:len(kept) + 1], kept)
        self.check("and nothing is sent again", len(self.by_https.posts), 4)

    def slow_receivers(self):
        """What failed before comes last; a host that is silent is asked once in a run."""
        folder = pathlib.Path(self.path("slow"))
        folder.mkdir()
        for report in pathlib.Path(self.folder).glob("*.json.gz"):
            (folder / report.name).write_bytes(report.read_bytes())
        late = next(folder.glob("*!danebad.signed!*")).name
        (folder / "journal").write_text(f"1700000000 given-up x\n{int(time.time()) - 3600} failed {late} {https('/danebad')}\n", encoding="ascii")
        self.by_https.posts.clear()
        self.by_https.silent = {"/danebad", "/daneclear", "/sts"}
        done = self.run("-o", "fetch-deadline=500ms", "tlsrpt", "send", str(folder), status=75)
        self.check("a silent host: asked once", len(self.by_https.posts), 1)
        self.check("a silent host: all are tried again", (done.stdout, done.stderr.count("no answer to another report")),
                   ("0 reports sent, 3 failed and will be tried again, 0 given up\n", 2))
        (folder / "journal").write_text(f"{int(time.time()) - 3600} failed {late} {https('/danebad')}\n", encoding="ascii")
        self.by_https.posts.clear()
        self.by_https.silent = set()
        self.by_https.statuses = {"/sts": ["201 Created\r\nContent-Length: 9"], "/daneclear": ["200 OK\r\nConnection: close\r\nX: " + "x" * 20000]}
        self.run("tlsrpt", "send", str(folder))
        self.check("what failed before comes last", self.by_https.posts[-1][0].split(" ")[1], "/danebad")
        self.run("tlsrpt", "send", str(folder), later=1200)
        self.check("a response that is wrong behind its status: taken all the same", len(self.by_https.posts), 3)
        (folder / "journal").write_text(f"{int(time.time()) + 10 ** 8} failed {late} {https('/danebad')}\n", encoding="ascii")
        self.run("tlsrpt", "send", str(folder))
        self.check("an attempt of the future is none to wait for", len(self.by_https.to("/danebad")), 2)

    def timer(self):
        """What the timer runs: reports are made once a day, and again while the resolver is away."""
        folder, words = pathlib.Path(self.path("timer")), pathlib.Path(self.path("timer.log"))
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "mxcrypt").write_text(f'#!/bin/sh\necho "$1 $2" >>{words}\n[ "$1" = audit ] || {{ shift 2; set -- tlsrpt send --sendmail {self.sendmail} "$@"; }}\n'
                                                f'exec {self.options.bin}/mxcrypt -c {self.daemon.config} $MXC_OPTIONS "$@"\n', encoding="ascii")
        (folder / "bin" / "mxcrypt").chmod(0o755)
        (folder / "x.json.gz.1-0.tmp").touch()
        os.utime(folder / "x.json.gz.1-0.tmp", (0, 0))

        def run(options=""):
            return subprocess.run([RUN, *self.logs], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=100, check=False,
                                  env={**os.environ, **daemon.SANITIZERS, "PATH": f"{folder}/bin:{os.environ['PATH']}", "MXCRYPT_TLSRPT": str(folder),
                                       "MXC_OPTIONS": options}).returncode
        away = run("-o resolver=127.0.0.99 -o dns-timeout=100ms -o dns-tries=1")
        self.check("timer: the resolver is away", (away, (folder / "day").exists(), list(folder.glob("*.gz"))), (75, False, []))
        self.check("timer: what a killed run left is gone", list(folder.glob("*.tmp")), [])
        self.check("timer: reports are made", (run(), (folder / "day").read_text(encoding="ascii"), len(list(folder.glob("*.gz")))),
                   (0, f"{self.stamp(self.begin)[:10]}\n", len(self.made)))
        self.check("timer: and no more that day", (run(), words.read_text(encoding="ascii").split("\n").count("audit --tlsrpt")), (0, 2))

    def bad_files(self):
        """A resolver that is away, a domain without a record, no reports, no files; and what only looks like a report's name."""
        folder, report = pathlib.Path(self.path("bad")), next(pathlib.Path(self.folder).glob("*!sts.plain!*"))
        folder.mkdir()

        def add(domain, octets):
            path = folder / report.name.replace("!sts.plain!", f"!{domain}!")
            path.write_bytes(octets)
            return path.name
        gone, bad, none = add("silent.plain", report.read_bytes()), add("none.plain", b"\x1f\x8b\x08garbage"), add("verified.plain", b"[1]")
        os.mkfifo(folder / report.name.replace("!sts.plain!", "!dane.signed!"))
        os.symlink("/etc/passwd", folder / report.name.replace("!sts.plain!", "!clear.plain!"))
        add("a b", report.read_bytes())
        os.symlink("/proc/self/mem", folder / report.name.replace("!sts.plain!", "!stsclear.plain!"))  # EIO
        os.chown(folder, 65534, 65534)
        posts = len(self.by_https.posts)
        self.run("-o", "resolver=127.0.0.99", "-o", "dns-timeout=100ms", "-o", "dns-tries=1", "tlsrpt", "send", str(folder), status=75)
        fates = (folder / "journal").read_text(encoding="ascii").split()[1::3]
        self.check("no resolver: all are tried again", (set(fates), len(fates)), ({"failed"}, 6))
        self.check("root's journal is the directory's owner's", (os.stat(folder / "journal").st_uid, os.stat(folder / "journal").st_gid), (65534, 65534))
        os.remove(folder / "journal")
        self.run("tlsrpt", "send", str(folder), status=75)
        text = (folder / "journal").read_text(encoding="ascii")
        self.check("given up", [f" given-up {name}\n" in text for name in (gone, bad, none)], [True] * 3)
        self.check("what cannot be read now is tried again", len(re.findall(r" failed \S*!stsclear\.plain!\S*\n", text)), 1)
        self.check("neither sent nor followed", (len(self.by_https.posts), text.count(" given-up "), " sent " in text), (posts, 5, False))

    def full_disk(self):
        """What cannot be noted is not sent."""
        self.by_https.posts.clear()
        full = self.path("full")
        os.mkdir(full)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], check=True)
        source = next(pathlib.Path(self.folder, name) for name in os.listdir(self.folder) if name.endswith(".gz"))
        pathlib.Path(full, source.name).write_bytes(source.read_bytes())
        with open(os.path.join(full, "filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        self.run("tlsrpt", "send", full, status=73)
        self.check("a full disk: nothing is sent", self.by_https.posts, [])
        self.audit(folder=full, status=73)
        self.check("a full disk: no half report", [one for one in os.listdir(full) if one.endswith(".tmp")], [])
        subprocess.run(["umount", full], check=True)

    def stop(self):
        for one in (self.postfix, self.reusing):
            one.stop()
        self.check("mxcryptd ends well", self.daemon.stop(), "")


def await_a_day_that_lasts():
    """What is yesterday must stay so until the end."""
    day = (int(time.time()) + NEAR_MIDNIGHT_S) // DAY_S
    waiting.until(lambda: int(time.time()) // DAY_S == day, "midnight, UTC", NEAR_MIDNIGHT_S + 10, pause=1)


def measure(the_world, options):
    await_a_day_that_lasts()
    began = time.monotonic()
    story = Story(the_world, options)
    os.mkdir(story.folder)
    story.deliver()
    story.write_log()
    story.audit()
    story.check_reports()
    story.check("a second time nothing is written", story.audit().stdout.startswith("0 reports written, "), True)
    story.without_daemon()
    story.refusals()
    story.prepare_sending()
    story.first_run()
    story.second_run()
    story.check_https()
    story.check_mail()
    story.killed()
    story.slow_receivers()
    story.timer()
    story.bad_files()
    story.full_disk()
    story.stop()
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
    return story.tally.status()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    wanted = parser.parse_args()
    wanted.bin = os.path.abspath(wanted.bin)
    benchworld.main(__file__, measure, wanted, TIME_LIMIT_S)
