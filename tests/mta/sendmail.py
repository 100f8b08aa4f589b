#!/usr/bin/python3
"""A real Sendmail with contrib/sendmail's lines, which asks a real mxcryptd, among mail hosts good and bad: sendmail.py --bin DIR

Each message goes to one domain, and its fate is what the domain's own mail host saw: verified, encrypted, in clear, or nothing, when it must
be in the queue then. An attacker changes what Sendmail meets after mxcryptd has looked. Where a domain's answer asks for TLS, its host must
never see so much as a MAIL command in clear, and no message may bounce."""

import argparse
import collections
import concurrent.futures
import itertools
import json
import os
import signal
import smtplib
import socketserver
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "farm"))

import places  # noqa: E402 F401  (first: where the others are)
import benchworld  # noqa: E402
import sendmail_instance  # noqa: E402
import smtpd  # noqa: E402
from sendmail_domains import BROKEN, ENCRYPT, GONE, NOTHING, REFUSED, VERIFY, Domain, Domains  # noqa: E402
from tally import Tally  # noqa: E402

TIME_LIMIT_S = 400
PORT, STRANGE_PORT, SMTP_PORT = 8461, 8463, 2525
SESSIONS = 4
SNI = "OK secure servername=hostname"
FOLDERS = {"kept": 0o755, "open": 0o777}  # of Unix sockets, whose owner is not root: who may write there
OWNER = 12345  # who has no name
SILENCE_S = 60  # until the socket's -d10 has passed as often as one delivery asks


def declare(domains):
    """What the world says, and what map sendmail and map sts must say of it."""
    new, leaf = domains.new, domains.leaf
    for label in ("secure", "secure-foreign", "secure-expired", "secure-self", "secure-strip", "secure-broken", "secure-454", "secure-554", "secure-queue"):
        new(label, VERIFY, policy=("mx.@",))
    new("secure-unlisted", VERIFY, policy=("other.@",))
    new("secure-late", VERIFY, policy=(*(f"mx{number}.@" for number in range(20)), "mx.@"))
    new("secure-wild", VERIFY, policy=("*.@",), match=("mx.@",), cert=leaf("*.secure-wild.plain"))
    new("secure-deep", VERIFY, policy=("*.@",), match=("no-mx-matches-the-mta-sts-policy.invalid",), host="a.mx")
    for label in ("verify", "verify-foreign", "verify-expired", "verify-self", "verify-strip", "verify-broken", "verify-454", "verify-554", "verify-queue"):
        new(label, VERIFY, SNI)
    new("verify-six", VERIFY, SNI, address="2001:db8:25::1")
    for label in ("encrypt", "encrypt-strip", "encrypt-broken", "encrypt-454", "encrypt-554", "encrypt-queue"):
        new(label, ENCRYPT, cert=leaf(f"mx.{label}.plain", issuer=None))
    new("dane", ENCRYPT, zone="signed", tlsa=True, cert=leaf("mx.dane.signed", issuer=None))
    new("dane-strip", ENCRYPT, zone="signed", tlsa=True, cert=leaf("mx.dane-strip.signed", issuer=None))
    new("dane-pkix", VERIFY, SNI, zone="signed", tlsa=True)
    new("dane-sts", VERIFY, zone="signed", tlsa=True, policy=("mx.@",))
    new("clear", NOTHING, temper=smtpd.CLEAR)
    new("broken", NOTHING, temper=BROKEN)
    new("refusing", NOTHING, temper=REFUSED)
    new("none", NOTHING, temper=smtpd.CLEAR, rule="exactly none")
    new("may", NOTHING, rule="exactly may")
    new("print", "TEMP", "TEMP", rule=f"exactly fingerprint match={'00:' * 31}00")
    new("ordered", ENCRYPT, temper=smtpd.CLEAR, rule="exactly encrypt")
    # domains with one mail host
    new("beside-clear", NOTHING, shared="clear", rule="exactly may")
    new("strict-clear", VERIFY, shared="clear", rule="exactly secure match=@ servername=hostname".replace("@", "mx.clear.plain"),
        sts="OK secure match=mx.clear.plain servername=hostname")
    new("beside-secure", NOTHING, shared="secure", rule="exactly may")
    new("strict-secure", VERIFY, shared="secure", policy=("other.@",))
    new("a-strict", VERIFY, shared="secure", policy=("other.@",))  # Sendmail goes by the order of the alphabet
    new("second-secure", VERIFY, shared="secure", policy=("mx.secure.plain",))
    # a mail host that is an alias: the name in the MX record counts
    new("alias", VERIFY, "OK secure match=cn.alias.plain servername=hostname", cert=leaf("cn.alias.plain"),
        rule="exactly secure match=cn.alias.plain servername=hostname")
    domains.world.dns.add("alias.plain", "@ MX 5 cn", "cn CNAME mx")
    # a domain that is an alias, as an attacker may forge one: its own policy counts
    clear = domains["clear"]
    domains.by_label["aliased"] = Domain("aliased.plain", clear.host, clear.server, ENCRYPT, "NOTFOUND ")
    domains.rules.append("aliased.plain exactly encrypt")
    domains.world.dns.add("aliased.plain", f"@ CNAME {clear.name}.")
    for label in ("relayed", "exempt"):
        new(label, VERIFY, policy=("mx.@",))
    # a second mail host, in clear, at the same preference
    new("secure-two", VERIFY, policy=("mx.@", "clear.@"))
    domains.world.dns.add("secure-two.plain", "@ MX 10 clear", f"clear A {domains['clear'].server.address}")


class Strange(socketserver.ThreadingTCPServer):
    """In mxcryptd's place: says to each question what `says` is."""

    allow_reuse_address = daemon_threads = True
    says = b""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while self.request.recv(65536):
                if self.server.says is None:
                    return
                self.request.sendall(self.server.says)

    def __init__(self):
        super().__init__(("127.0.0.1", STRANGE_PORT), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def say(self, text):
        self.says = text


class Story:
    def __init__(self, the_world, options):
        self.world, self.tally = the_world, Tally()
        self.check = self.tally.check
        self.figures, self.count = collections.Counter(), itertools.count(1)
        self.domains = Domains(the_world)
        declare(self.domains)
        the_world.dns.start()
        self.log = sendmail_instance.Log(the_world.folder)
        sendmail_instance.own_etc(the_world.folder)
        self.root = sendmail_instance.unpack()
        self.daemon = self._daemon().start()
        self.sendmail = self.instance("main")

    def _daemon(self):
        rules = os.path.join(self.world.folder, "rules")
        with open(rules, "w", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in self.domains.rules))
        unix = [os.path.join(self.world.folder, name) for name in FOLDERS]
        for path, mode in zip(unix, FOLDERS.values()):
            os.mkdir(path)
            os.chmod(path, mode)
            os.chown(path, OWNER, OWNER)
        listen = [f"socketmap:inet:127.0.0.1:{PORT}", *(f"socketmap:unix:{path}/sendmail.sock mode=0666" for path in unix)]
        return self.world.new_daemon("sendmail", {**self.world.options(), "listen": listen, "rules": rules, "ttl-min": "1h", "ttl-max": "2h"})

    def instance(self, name, lines="", socket=f"inet:{PORT}@127.0.0.1", **more):
        """A Sendmail with contrib's lines for this world, and others."""
        return sendmail_instance.Sendmail(self.root, os.path.join(self.world.folder, f"sendmail-{name}"), self.log, self.world.ca.ca_file, socket, lines, **more)

    def recipient(self, label):
        return f"m{next(self.count)}@{self.domains[label].name}"

    def saw(self, recipient, label, fate):
        """verified, encrypted or in clear, as the domain's mail host saw it; else where the message is."""
        taken = self.domains[label].taken(recipient)
        if taken is None:
            return {"Sent": "lost", "Deferred": "deferred"}.get(fate.status, fate.status)
        if fate.status != "Sent":
            return f"taken, and {fate.status}"
        return "clear" if taken == "clear" else "verified" if fate.verify == "OK" else "encrypted"

    def judge(self, what, label, recipient, fate, want, says=""):
        got = self.saw(recipient, label, fate)
        self.figures[got] += 1
        self.check(f"{what}: {want}", (got, says if says in fate.line else fate.line), (want, says))

    def send(self, label, want, says="", what="", by=None):
        """A message to the domain, and its fate."""
        recipient = self.recipient(label)
        fate = (by or self.sendmail).deliver(recipient)
        self.judge(what or label, label, recipient, fate, want, says)

    def examine(self, cf):
        """The exit status of sendmail-config --check, and the checks that found something."""
        done = self.daemon.cli("sendmail-config", "--check", "--json", "--cf", cf, "--sendmail", self.sendmail.wrapper())
        try:
            return done.returncode, [one["check"] for one in json.loads(done.stdout)["findings"]]
        except ValueError:
            return done.returncode, done.stdout + done.stderr

    def asks(self):
        """mxcryptd looks at all domains, and says what it must."""
        def both(domain):
            return domain, self.daemon.ask(domain.name, "sendmail"), self.daemon.ask(domain.name, "sts")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for domain, sendmail, sts in pool.map(both, self.domains.by_label.values()):
                self.check(f"maps sendmail and sts, {domain.name}", (sendmail, sts),
                           lambda got, domain=domain: all(one.startswith(want) if want == "TEMP" else one == want for one, want in zip(got, (domain.sendmail, domain.sts))))

    def spoil(self):
        """The attacker begins."""
        ca = self.world.ca
        for label, domain in self.domains.by_label.items():
            level, _, how = label.partition("-")
            if how in ("strip", "broken", "454", "554"):
                domain.tamper({"strip": smtpd.CLEAR, "broken": BROKEN, "454": REFUSED, "554": GONE}[how])
            if how in ("foreign", "expired", "self") and level in ("secure", "verify"):
                cert = {"foreign": lambda: ca.leaf("mx.elsewhere.plain"), "expired": lambda host=domain.host: ca.expired(host),
                        "self": lambda host=domain.host: ca.leaf(host, issuer=None)}[how]()
                domain.server.show(ca.server_context(cert))

    def stop(self):
        requiring = [domain for domain in self.domains.by_label.values() if domain.sendmail != NOTHING and domain.server is not self.domains["clear"].server]
        self.check("no MAIL in clear where TLS is required", [domain.mail_in_clear() for domain in requiring if domain.mail_in_clear()], [])
        self.check("nothing bounced", [line for line in self.log.lines if " DSN: " in line or "dsn=5" in line], [])
        self.check("mxcryptd ends clean", self.daemon.stop(), "")
        self.world.dns.stop()


NO_TLS, NO_CERT, NO_NAME, NO_MX = ("TLS is required, and there is none", "a valid certificate is required", "the certificate is not for the name of",
                                   "not among the MX hosts of the MTA-STS policy")
NO_POLICY = "mxcryptd gives no TLS policy"


def levels(story):
    """Each level, with a sound host and with each fault."""
    for label in ("secure", "secure-late", "secure-wild", "verify", "verify-six", "dane-pkix", "dane-sts", "alias"):
        story.send(label, "verified")
    for label in ("encrypt", "dane"):
        story.send(label, "encrypted")
    for _ in range(4):  # whichever of the two is tried first
        story.send("secure-two", "verified")
    for label in ("clear", "refusing", "none"):
        story.send(label, "clear")
    story.send("may", "verified")
    story.send("broken", "deferred", "TLS handshake failed")
    story.send("print", "deferred", NO_POLICY)
    for label in ("ordered", "aliased"):
        story.send(label, "deferred", NO_TLS)
    for label in ("secure-unlisted", "secure-deep"):
        story.send(label, "deferred", NO_MX)
    for level in ("secure", "verify"):
        story.send(f"{level}-foreign", "deferred", NO_NAME)
        for how in ("expired", "self", "strip", "broken", "454", "554"):
            story.send(f"{level}-{how}", "deferred", NO_CERT)
    for label in ("encrypt-strip", "encrypt-broken", "encrypt-454", "encrypt-554", "dane-strip"):
        story.send(label, "deferred", NO_TLS)
    sni = set(story.domains["verify"].server.snis) | set(story.domains["secure"].server.snis)
    story.check("the MX host's name is sent as SNI", sni, {"mx.verify.plain", "mx.secure.plain"})


def together(story):
    """Several recipients of one message, whose domains share a mail host; neither gets the other's policy, in whichever order."""
    for pair in ((("beside-clear", "clear"), ("strict-clear", "deferred")), (("beside-secure", "verified"), ("strict-secure", "deferred")),
                 (("beside-secure", "verified"), ("a-strict", "deferred")), (("second-secure", "verified"), ("strict-secure", "deferred")), (("secure", "verified"), ("second-secure", "verified"))):
        for order in (pair, pair[::-1]):
            recipients = {story.recipient(label): (label, want) for label, want in order}
            story.sendmail.submit(*recipients)
            for recipient, (label, want) in recipients.items():
                story.judge(f"one message, {' and '.join(label for label, _ in order)}: {label}", label, recipient, story.sendmail.fate(recipient), want)


def queued(story):
    """One run of the queue, in one process: the first message of each domain comes over TLS, STARTTLS is gone afterwards."""
    labels = ("secure-queue", "verify-queue", "encrypt-queue")
    story.sendmail.drop()
    recipients = [(label, story.recipient(label)) for label in labels * 2]
    for _, recipient in recipients:
        story.sendmail.submit(recipient, mode="q")
    for label in labels:
        strip_after_one(story.domains[label].server)
    story.sendmail.flush()
    for label in labels:
        fates = [(recipient, story.sendmail.fate(recipient)) for one, recipient in recipients if one == label]
        fates.sort(key=lambda fate: fate[1].status, reverse=True)
        story.judge(f"a queue run, {label}, first", label, *fates[0], "encrypted" if label == "encrypt-queue" else "verified")
        story.judge(f"a queue run, {label}, later", label, *fates[1], "deferred")


def strip_after_one(server):
    """The next connection of Sendmail is as before, those that follow offer no STARTTLS."""
    converse, seen = server._converse, []

    async def stripped(reader, writer, connection, temper, over_tls):
        seen.append(connection)
        return await converse(reader, writer, connection, temper if len(seen) == 1 else smtpd.CLEAR, over_tls)
    server._converse = stripped


def as_a_daemon(story):
    """Sendmail as it runs: one process takes messages over SMTP, in several sessions at once, others deliver them behind it."""
    wanted = {"secure": "verified", "clear": "clear", "encrypt": "encrypted", "verify-foreign": "deferred", "encrypt-strip": "deferred", "strict-secure": "deferred",
              "aliased": "deferred"}
    with story.instance("daemon", f"DAEMON_OPTIONS(`Port={SMTP_PORT}, Addr=127.0.0.1')dnl\n", access="Connect:127.0.0.1\tRELAY\n").serving(SMTP_PORT) as by:
        def session(_):
            recipients = [(label, story.recipient(label)) for _ in range(2) for label in wanted]
            with smtplib.SMTP("127.0.0.1", SMTP_PORT, timeout=60) as smtp:
                for _, recipient in recipients:
                    smtp.sendmail(f"sender@{sendmail_instance.NAME}", [recipient], "Subject: a test\r\n\r\nHello.\r\n")
            return recipients
        with concurrent.futures.ThreadPoolExecutor(SESSIONS) as pool:
            sent = [one for recipients in pool.map(session, range(SESSIONS)) for one in recipients]
        got = collections.Counter((label, story.saw(recipient, label, by.fate(recipient))) for label, recipient in sent)
    story.figures.update(fate for _, fate in got.elements())
    story.check(f"{len(sent)} messages in {SESSIONS} sessions at once", dict(got), {(label, want): 2 * SESSIONS for label, want in wanted.items()})


def odd_addresses(story):
    """The domain that is asked for is the one that Sendmail delivers to."""
    strict, clear = story.domains["strict-clear"].name, story.domains["clear"].name
    for address in (f"u+detail@{strict.upper()}", f"u%{clear}@{strict}", f'"u@{clear}"@{strict}', f"u@{strict}.", f"<@{clear}:u@{strict}>", f"{clear}!u@{strict}"):
        story.sendmail.submit(address)
        fate = story.sendmail.fate(address)
        story.judge(f"recipient {address}", "strict-clear", address, fate, "deferred", NO_CERT)


def other_lines(story):
    """Options and tables that would let mail out in another way."""
    relay = story.domains["clear"].host
    loose = story.instance("loose", f"define(`confTLS_FALLBACK_TO_CLEAR', `true')dnl\ndefine(`confFALLBACK_MX', `{relay}')dnl\n",
                           access=f"Try_TLS:{story.domains['encrypt'].host}\tNO\n")
    story.send("broken", "clear", by=loose, what="fall back to clear, broken")
    for label, says in (("secure-broken", NO_CERT), ("verify-broken", NO_CERT), ("encrypt-broken", NO_TLS)):
        story.send(label, "deferred", by=loose, what=f"fall back to clear and FallbackMX in clear, {label}")
    story.send("encrypt", "deferred", NO_TLS, by=loose, what="the access map forbids STARTTLS, encrypt")
    tables = story.instance("tables", "LOCAL_CONFIG\nC{MxcryptExempt}" + f"[{relay}]\n",
                            mailertable="".join(f"{story.domains[label].name}\tesmtp:{host}\n" for label, host in (("exempt", f"[{relay}]"), ("relayed", f"[{story.domains['verify'].host}]"))))
    recipient = story.recipient("exempt")
    fate = tables.deliver(recipient)
    story.check("an exempt relay gets mail in clear", (fate.status, story.domains["clear"].taken(recipient)), ("Sent", "clear"))
    story.send("relayed", "deferred", NO_MX, by=tables, what="a relay that is not exempt, secure")
    story.send("strict-clear", "deferred", NO_CERT, by=tables, what="the exempt relay's name as an MX host, secure")


def configuration(story):
    """`mxcrypt sendmail-config`: its lines are contrib's, and it finds nothing wrong with what these make, and what is missing without one of them."""
    def told(text):
        return [line for line in text.splitlines() if line and not line.startswith("dnl")]
    with open(os.path.join(sendmail_instance.CONTRIB, "sendmail.mc"), encoding="ascii") as file:
        contrib = told(story.sendmail.placed(file.read()))
    printed = [line for line in told(story.daemon.cli("sendmail-config").stdout) if not line.startswith("include(")]
    story.check("sendmail-config prints contrib's lines", [line.replace("/etc/ssl/certs", story.sendmail.etc) for line in printed], contrib)
    story.check("sendmail-config --check", story.examine(story.sendmail.cf), (0, []))
    with open(story.sendmail.cf, encoding="ascii") as file:
        sound = file.read()
    with open(story.instance("patient", "define(`confMXCRYPT_TIMEOUT', `45')dnl\n").cf, encoding="ascii") as file:
        story.check("confMXCRYPT_TIMEOUT", "\nKsendmail socket -d45 -T<TMPF> inet:" in file.read(), True)
    for what, line, other, finds in (("a hash map", "Ksendmail socket", "Ksendmail hash", (2, ["maps"])), ("no -T", "Ksts socket -d10 -T<TMPF>", "Ksts socket -d10", (2, ["maps"])),
                                     ("a cache", "O ConnectionCacheSize=0", "O ConnectionCacheSize=2", (2, ["options"])), ("two recipients", "r=1,", "r=2,", (1, ["recipients"])),
                                     ("no rules", "$>Mxcrypt $&{rcpt_addr}", "$>Other", (2, ["rules", "rules"])), ("no CA file", "O CACertFile=", "#O CACertFile=", (2, ["trust-anchors"])),
                                     ("aliases", "\nR$* $| $* < @ $+.$+ > $*", "\nR$* h $* $| $* < @ $+.$+ > $*", (2, ["aliases"])),
                                     ("a folder for everybody", f"inet:{PORT}@127.0.0.1", f"unix:{story.world.folder}/open/sendmail.sock", (2, ["socket"])),
                                     ("another port", f":{PORT}@", ":1@", (2, ["maps", "maps", "socket", "socket"]))):
        cf = os.path.join(story.world.folder, "spoilt.cf")
        with open(cf, "w", encoding="ascii") as file:
            file.write(sound.replace(line, other))
        story.check(f"sendmail-config --check, {what}", story.examine(cf), finds)


def unix_sockets(story):
    for name, want, says in (("kept", "verified", ""), ("open", "deferred", NO_CERT)):
        by = story.instance(name, socket=f"unix:{story.world.folder}/{name}/sendmail.sock")
        story.send("verify", want, by=by, what=f"a Unix socket in a folder of mode {FOLDERS[name]:o}, verify")


def strange_answers(story):
    """What is no answer defers, whatever the domain."""
    strange, by = Strange(), story.instance("strange", socket=f"inet:{STRANGE_PORT}@127.0.0.1")
    for what, says in (("a closed connection", None), ("no netstring", b"hello\r\n"), ("a netstring without an end", b"20:OK ENCR:112"), ("a huge length", b"999999999:OK"),
                       ("an empty value", b"3:OK ,"), ("another value", b"10:OK FOO:112,"), ("other bits", b"9:OK ENCR:0,"), ("an empty reply", b"0:,"),
                       ("TEMP", b"7:TEMP no,"), ("TIMEOUT", b"7:TIMEOUT,"), ("NOTFOUND", b"9:NOTFOUND ,"), ("PERM", b"7:PERM no,"), ("another word", b"6:MAY be,")):
        strange.say(says)
        story.send("clear", "deferred", by=by, what=f"a socket that says {what}, clear")
    strange.shutdown()


def away(story):
    """mxcryptd hangs; mxcryptd is gone."""
    labels = ("secure", "verify", "encrypt", "clear")
    os.kill(story.daemon.process.pid, signal.SIGSTOP)
    try:
        recipients = [(label, story.recipient(label)) for label in labels]
        with concurrent.futures.ThreadPoolExecutor(len(labels)) as pool:
            fates = list(pool.map(lambda one: story.sendmail.deliver(one[1], timeout=SILENCE_S), recipients))
    finally:
        os.kill(story.daemon.process.pid, signal.SIGCONT)
    for (label, recipient), fate in zip(recipients, fates):
        story.judge(f"mxcryptd hangs, {label}", label, recipient, fate, "deferred")
    for label in labels:
        recipient = story.recipient(label)
        story.judge(f"mxcryptd answers again, {label}", label, recipient, story.sendmail.deliver(recipient),
                    {"encrypt": "encrypted", "clear": "clear"}.get(label, "verified"))
    story.check("mxcryptd ends clean", story.daemon.stop(), "")
    for label in labels:
        story.send(label, "deferred", what=f"mxcryptd is away, {label}")


def measure(the_world, options):
    began = time.monotonic()
    story = Story(the_world, options)
    story.asks()
    story.spoil()
    for chapter in (levels, together, queued, as_a_daemon, odd_addresses, other_lines, configuration, unix_sockets, strange_answers, away):
        chapter(story)
    story.stop()
    print(f"# {sum(story.figures.values())} deliveries by Sendmail {story.sendmail.version()}, as the mail hosts saw them:")
    for fate, number in sorted(story.figures.items()):
        print(f"#   {fate:<10} {number:4}")
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
    return story.tally.status()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt")
    wanted = parser.parse_args()
    wanted.bin = os.path.abspath(wanted.bin)
    if benchworld.world_run.INSIDE not in os.environ:
        sendmail_instance.unpack()  # while there is a network
    benchworld.main(__file__, measure, wanted, TIME_LIMIT_S)
