"""A real Sendmail as the client: Debian's packages, which cannot be installed beside Postfix, unpacked into a cache folder; its own
configuration, made of contrib/sendmail's lines; its own queue; and its log, which is read at a /dev/log of the test's own."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass

import unpacked
import waiting

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, os.pardir, os.pardir)
CONTRIB = os.path.abspath(os.path.join(TOP, "contrib", "sendmail"))
CONTRIB_CA, CONTRIB_SOCKET = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs"), "inet:8461@127.0.0.1"
PACKAGES, PROGRAM = ("sendmail-bin", "sendmail-base", "sendmail-cf", "m4"), "usr/libexec/sendmail/sendmail"
NAME = "client.signed"
SOURCE = "198.51.100.16"  # Sendmail's own address: who tampers with its connections leaves those of mxcryptd alone
USERS = ("smmta", "smmsp")
LOG_LINE_MAX = 8192
PATIENCE_S = 40

# Debian's sendmail.mc in short, in folders of the test's own
MC = """divert(0)dnl
define(`VERSIONID', `')dnl
include(`{cf}debian/autoconf.m4')dnl
define(`_USE_ETC_MAIL_')dnl
define(`MAIL_SETTINGS_DIR', `{etc}/')dnl
include(`{cf}m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
define(`QUEUE_DIR', `{queue}')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`confPID_FILE', `{folder}/pid')dnl
define(`confCONTROL_SOCKET_NAME', `')dnl
define(`ALIAS_FILE', `')dnl
define(`confDOMAIN_NAME', `{name}')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confTO_QUEUERETURN', `5d')dnl
define(`confTO_CONNECT', `5s')dnl
define(`confTO_STARTTLS', `5s')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`access_db', `hash -T<TMPF> {etc}/access', `skip')dnl
FEATURE(`mailertable', `hash {etc}/mailertable')dnl
CLIENT_OPTIONS(`Family=inet, Addr={source}')dnl
{lines}
MAILER(`local')dnl
MAILER(`smtp')dnl
include(`{rules}')dnl
"""


def unpack():
    """The tree with the packages' files."""
    return unpacked.tree(PACKAGES, PROGRAM)


class Log:
    """What all programs of this mount namespace send to syslog."""

    def __init__(self, folder):
        self.lines = []
        self._own_dev(os.path.join(folder, "dev"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        threading.Thread(target=self._read, daemon=True).start()

    @staticmethod
    def _own_dev(dev):
        os.makedirs(dev)
        for name in ("null", "zero", "random", "urandom", "tty"):
            with open(os.path.join(dev, name), "w", encoding="ascii"):
                pass
            subprocess.run(["mount", "--bind", os.path.join("/dev", name), os.path.join(dev, name)], check=True)
        for name in ("shm", "pts"):
            os.makedirs(os.path.join(dev, name))
            subprocess.run(["mount", "--bind", os.path.join("/dev", name), os.path.join(dev, name)], check=True)
        subprocess.run(["mount", "--rbind", dev, "/dev"], check=True)

    def _read(self):
        while True:
            self.lines.append(self._socket.recv(LOG_LINE_MAX).decode("utf-8", "backslashreplace").rstrip("\n\0"))


def own_etc(folder):
    """Sendmail's users and this host's name, in files that are seen in this mount namespace only."""
    for name, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"), ("group", "{0}:x:{1}:\n")):
        copy = os.path.join(folder, name)
        with open(f"/etc/{name}", encoding="utf-8") as file:
            text = file.read()
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text + "".join(line.format(user, 990 + number) for number, user in enumerate(USERS) if f"\n{user}:" not in text))
        subprocess.run(["mount", "--bind", copy, f"/etc/{name}"], check=True)
    hosts = os.path.join(folder, "hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write(f"127.0.0.1 {NAME} localhost {socket.gethostname()}\n")  # Sendmail waits for a minute when its host has no full name
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@dataclass
class Fate:
    """What Sendmail's log says of one recipient at one attempt."""
    status: str  # "Sent", "Deferred", or another first word
    line: str
    verify: str | None  # of the last TLS connection before

    def __str__(self):
        return f"{self.status} verify={self.verify}: {self.line}"


class Sendmail:
    """One configuration with its queue. Each message is tried at once, by the process that submits it."""

    def __init__(self, root, folder, log, ca_file, socket, lines="", access="", mailertable=""):
        """`socket`: mxcryptd's, as Sendmail writes it; `lines` beside contrib's."""
        self.root, self.folder, self.log = root, folder, log
        self.etc, self.queue = os.path.join(folder, "etc"), os.path.join(folder, "queue")
        self.cf = os.path.join(self.etc, "sendmail.cf")
        for path in (self.etc, self.queue):
            os.makedirs(path)
        self.program = os.path.join(folder, "sendmail")  # a copy without setgid, for which the loader would not look into the tree
        shutil.copyfile(os.path.join(root, PROGRAM), self.program)
        os.chmod(self.program, 0o755)
        for name, text in (("access", access), ("mailertable", mailertable)):
            self._run([os.path.join(root, "usr/libexec/sendmail/makemap"), "-C", "/dev/null", "hash", os.path.join(self.etc, name)], text)
        self._places = ca_file, self.etc, socket
        with open(os.path.join(CONTRIB, "sendmail.mc"), encoding="ascii") as file:
            self._write_cf(self.placed(file.read()) + lines)

    def placed(self, text):
        """contrib/sendmail/sendmail.mc, with this world's certificates and socket."""
        for theirs, ours in zip((*CONTRIB_CA, CONTRIB_SOCKET), self._places):
            if theirs not in text:
                raise RuntimeError(f"contrib/sendmail/sendmail.mc does not name {theirs}")
            text = text.replace(theirs, ours)
        return text

    def wrapper(self):
        """A command that is this Sendmail, for others to run."""
        path = os.path.join(self.folder, "run")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nLD_LIBRARY_PATH={self.environment['LD_LIBRARY_PATH']} exec {self.program} \"$@\"\n")
        os.chmod(path, 0o755)
        return path

    @property
    def environment(self):
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(unpacked.libraries(self.root))}

    def _run(self, command, text="", timeout=PATIENCE_S):
        return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="backslashreplace", timeout=timeout,
                              check=False, env=self.environment)

    def _write_cf(self, lines):
        cf = os.path.join(self.root, "usr/share/sendmail/cf/")
        text = MC.format(cf=cf, etc=self.etc, queue=self.queue, folder=self.folder, name=NAME, source=SOURCE, lines=lines,
                         rules=os.path.join(CONTRIB, "mxcrypt.m4"))
        made = subprocess.run([os.path.join(self.root, "usr/bin/m4"), f"-D_CF_DIR_={cf}"], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=True, env=self.environment)
        if made.stderr:
            raise RuntimeError(f"m4: {made.stderr}")
        with open(self.cf, "w", encoding="utf-8") as file:
            file.write(made.stdout)

    def run(self, *arguments, text="", timeout=PATIENCE_S):
        return self._run([self.program, f"-C{self.cf}", *arguments], text, timeout)

    def submit(self, *recipients, mode="i", timeout=PATIENCE_S):
        """One message for all of them; mode q: it waits in the queue for a run."""
        done = self.run(f"-od{mode}", "-oi", "-f", f"sender@{NAME}", *recipients, timeout=timeout,
                        text=f"From: sender@{NAME}\nTo: {recipients[0]}\nSubject: a test\n\nHello.\n")
        return done.stdout

    @contextlib.contextmanager
    def serving(self, port):
        """As the daemon, which takes mail at that port."""
        process = subprocess.Popen([self.program, f"-C{self.cf}", "-bD", "-odb"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=self.environment)
        try:
            waiting.until(lambda: answers(port), "Sendmail takes mail", 30)
            yield self
        finally:
            process.terminate()
            process.wait()

    def flush(self):
        """A run through all that waits, in one process."""
        return self.run("-qf").stdout

    def fates(self, recipient):
        """What became of it at each attempt."""
        found = []
        lines = list(self.log.lines)
        for number, line in enumerate(lines):
            stat = re.search(r" stat=(\w+)", line)
            if not stat or not re.search(rf" to=(\S*,)?<?{re.escape(recipient)}[>,]", line) or "mailer=" not in line or stat.group(1) == "queued":
                continue
            process = re.search(r"\[\d+\]:", line).group()
            tls = [re.search(r"verify=(\w+)", one) for one in lines[:number] if process in one and "STARTTLS=client, relay=" in one and "verify=" in one]
            found.append(Fate(stat.group(1), line, tls[-1].group(1) if tls else None))
        return found

    def fate(self, recipient):
        return waiting.until(lambda: self.fates(recipient), f"a stat= line for {recipient}", 30)[-1]

    def deliver(self, recipient, timeout=PATIENCE_S):
        self.submit(recipient, timeout=timeout)
        return self.fate(recipient)

    def drop(self):
        """Nothing waits any more."""
        for name in os.listdir(self.queue):
            os.remove(os.path.join(self.queue, name))

    def version(self):
        return re.search(r"Version (\S+)", self.run("-d0.1", "-bv", "root").stdout).group(1)
