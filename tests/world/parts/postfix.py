"""A real Postfix as the client: its own configuration, queue and log; messages are queued and their fate is read in the log."""

import collections
import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

import waiting

SERVICES = """
pickup    unix  n - n 1 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

SETTINGS = """
compatibility_level = 3.6
mail_owner = postfix
setgid_group = postdrop
myhostname = client.signed
mydestination =
local_recipient_maps =
local_transport = error:no local mail
alias_maps =
inet_interfaces = loopback-only
inet_protocols = ipv4
maillog_file_prefixes = /
smtp_host_lookup = dns
smtp_dns_support_level = dnssec
smtp_tls_dane_insecure_mx_policy = dane
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtp_connect_timeout = 5s
smtp_helo_timeout = 5s
smtp_starttls_timeout = 5s
smtp_mail_timeout = 5s
smtp_rcpt_timeout = 5s
smtp_quit_timeout = 2s
queue_run_delay = 3600s
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
default_process_limit = 60
in_flow_delay = 0
"""

TLS_LINE = re.compile(r"(Verified|Trusted|Untrusted|Anonymous) TLS connection established to")
ATTEMPT = re.compile(r" to=<([^>]*)>,.* status=\w+")
PROCESS = re.compile(r" postfix\S*/(?:smtp|error|retry|qmgr)(\[\d+\]:)")  # of those that end an attempt
PROCESS_LINES = 50  # of one process, at most so many belong to an attempt
# a connection to a host whose certificate has a good chain and a wrong name: Untrusted before 3.10, Trusted since
UNVERIFIED = "Untrusted or Trusted"


@dataclass
class Delivery:
    """What became of one message, with the log lines that say so."""
    status: str
    line: str
    tls: str | None
    tls_line: str
    lines: list

    def __str__(self):
        return f"status={self.status} TLS={self.tls}: {self.line}"

    def over(self, tls):
        """Whether the connection was what Postfix calls `tls`, or UNVERIFIED; None: it was in clear, or there was none."""
        return self.tls in (tls.split(" or ") if tls else [None])


@functools.cache
def version():
    """Of the Postfix that is installed, as numbers."""
    text = subprocess.run(["postconf", "-dh", "mail_version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return tuple(int(one) for one in re.findall(r"\d+", text))


def before(*wanted):
    """Why a case for this version of Postfix and later is skipped; empty when it is not."""
    return f"Postfix {_dotted(version())} is older than {_dotted(wanted)}" if version() < wanted else ""


def since(*wanted):
    """Why a case for versions of Postfix before this one is skipped; empty when it is not."""
    return f"Postfix {_dotted(version())} is not older than {_dotted(wanted)}" if version() >= wanted else ""


def _dotted(numbers):
    return ".".join(str(one) for one in numbers)


class Postfix:
    """One instance; which smtp client takes a recipient is chosen by its domain."""

    def __init__(self, folder, ca_file, settings=None, services="", before=()):
        """`settings` of main.cf beside those above, or instead of them; lines of master.cf; words before each command, as nsenter's."""
        self.folder, self.settings, self.services = folder, settings or {}, services
        self.etc, self.queue, self.data = (os.path.join(folder, one) for one in ("etc", "queue", "data"))
        self.log_path = self.settings.get("maillog_file", os.path.join(folder, "maillog"))
        self._routes = os.path.join(self.etc, "transport")
        self.ca_file, self.before = ca_file, before
        self._read, self._lines = 0, collections.defaultdict(lambda: collections.deque(maxlen=PROCESS_LINES))

    def start(self, transports, routes):
        """transports: name -> (settings, chrooted); routes: recipient domain -> transport:next-hop."""
        self.prepare(transports, routes)
        self.run("postfix", "start")
        waiting.until(lambda: "daemon started" in self.log(), "Postfix runs")

    def prepare(self, transports, routes):
        """All that start() needs."""
        for path in (self.etc, self.queue, self.data):
            os.makedirs(path)
        shutil.chown(self.data, "postfix")
        settings = {"queue_directory": self.queue, "data_directory": self.data, "maillog_file": self.log_path,
                    "smtp_tls_CAfile": self.ca_file, "transport_maps": f"texthash:{self._routes}", **self.settings}
        common = [line for line in SETTINGS.strip().splitlines() if line.split(" =")[0] not in settings]
        self._write("main.cf", "\n".join([*common, *(f"{key} = {value}" for key, value in settings.items())]) + "\n")
        self._write("master.cf", SERVICES + self.services + "".join(self._service(name, *one) for name, one in transports.items()))
        self._write("transport", "".join(f"{domain} {name}\n" for domain, name in routes.items()))
        self._furnish_chroot()
        os.makedirs(os.path.join(self.queue, "mxcrypt"))

    @staticmethod
    def _service(name, options, chrooted):
        lines = [f"{name} unix - - {'y' if chrooted else 'n'} - - smtp"]
        lines += ["  -o { %s = %s }" % pair for pair in options.items()]
        return "\n".join(lines) + "\n"

    def _furnish_chroot(self):
        """What Debian's start script copies below the queue directory."""
        os.makedirs(os.path.join(self.queue, "etc"))
        for name in ("resolv.conf", "hosts", "services", "nsswitch.conf"):
            source = os.path.join("/etc", name)
            if os.path.exists(source):
                shutil.copy(source, os.path.join(self.queue, "etc", name))

    def _write(self, name, text):
        with open(os.path.join(self.etc, name), "w", encoding="utf-8") as file:
            file.write(text.lstrip("\n"))

    def run(self, command, *arguments, data=None):
        done = subprocess.run([*self.before, command, "-c", self.etc, *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def postmap(self, key, table):
        """The exit status and what postmap says of the key."""
        return self.run("postmap", "-q", key, table)

    def stop(self):
        self.run("postfix", "stop")

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="backslashreplace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def submit(self, *recipients):
        """Queues one message for all of them."""
        subprocess.run(["sendmail", "-C", self.etc, "-f", "sender@client.signed", *recipients], check=True, text=True,
                       input=f"From: sender@client.signed\nTo: {recipients[0]}\nSubject: a test\n\nHello.\n", timeout=60)

    def deliver(self, recipient, seconds=60):
        """Queue one message and wait for the first word on its fate."""
        self.submit(recipient)
        return waiting.until(lambda: self.fate(recipient), f"a status= line for {recipient}", seconds, pause=0.1)

    def fate(self, recipient):
        """What became of the message first."""
        return next(iter(self.fates(recipient)), None)

    def fates(self, recipient):
        """What became of it at each attempt."""
        lines = self.log().splitlines()
        return [self._delivery(lines[:number + 1]) for number, line in enumerate(lines)
                if f"to=<{recipient}>" in line and " status=" in line]

    def new_attempts(self):
        """(recipient, what became of the message) of each attempt since this was last asked, in their order: for many messages."""
        with open(self.log_path, "rb") as file:
            file.seek(self._read)
            text = file.read()
        text = text[:text.rfind(b"\n") + 1]
        self._read += len(text)
        for line in text.decode("utf-8", "backslashreplace").splitlines():
            process = PROCESS.search(line)
            if not process:
                continue
            own = self._lines[process.group(1)]
            own.append(line)
            attempt = ATTEMPT.search(line)
            if attempt:
                yield attempt.group(1), self._delivery(list(own))
                own.clear()

    def try_again(self, recipient, good, seconds=40):
        """Flush the queue, again and again, until good(an attempt's fate); all fates so far. Others flush it too."""
        def attempt():
            known = self.fates(recipient)
            if known and good(known[-1]):
                return known
            self.run("postqueue", "-f")
            waiting.until(lambda: len(self.fates(recipient)) > len(known), f"another attempt for {recipient}", 20, pause=0.1)
            return None
        return waiting.until(attempt, f"mail to {recipient} meets another fate", seconds, pause=0.2)

    @staticmethod
    def _delivery(lines):
        """The last line is the status line; what the same process said since its last status line belongs to it."""
        process = re.search(r"\[\d+\]:", lines[-1]).group()
        own = [line for line in lines if process in line]
        begin = max((number for number, line in enumerate(own[:-1]) if " to=<" in line and " status=" in line), default=-1)
        own = own[begin + 1:]
        tls_line = next((line for line in reversed(own) if TLS_LINE.search(line)), "")
        found = TLS_LINE.search(tls_line)
        status = re.search(r" status=(\w+)", lines[-1]).group(1)
        return Delivery(status, lines[-1], found.group(1) if found else None, tls_line, own)
