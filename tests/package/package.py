#!/usr/bin/python3
"""The package in a root of its own, in a world of its own: package.py --root DIR; called by tests/package.sh.

The world (DNS, mail hosts, a policy host) runs outside, in the same network; the root has its own mounts and processes, first
without systemd, then with it. Prints "ok ..." or "not ok ..." for each check."""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "world"))

import rooms  # noqa: E402 F401  (first: where the others are)
import case  # noqa: E402
import clients  # noqa: E402
import postfix as world_postfix  # noqa: E402
import run as world_run  # noqa: E402
import waiting  # noqa: E402
import world  # noqa: E402

TIME_LIMIT_S = 400
ENTER = os.path.join(HERE, os.pardir, "root", "enter.sh")
CGROUP = "mxcrypt-package"  # as in enter.sh
POLICY = "var/spool/postfix/mxcrypt/policy.sock"
REAPER = ("bash", "-c", "sleep infinity & while :; do wait; done")  # a first process that takes notice of the end of others
RESTARTS, ASKERS = 5, 4
# what changes by itself, or by any package that comes and goes
NOT_OURS = re.compile(r"/(proc|sys|dev|tmp|root|run|var/(log|cache|tmp|backups)|var/lib/(dpkg|apt|systemd|postfix|ucf|dbus)|"
                      r"var/spool/postfix/(?!mxcrypt)|etc/(machine-id|resolv.conf|hostname)|etc/(passwd|group|shadow|gshadow|subuid|subgid)-|"
                      r"etc/\.pwd\.lock|usr/sbin/policy-rc.d)")


class Failed(AssertionError):
    pass


def must(true, what):
    if not true:
        raise Failed(what)


class Machine:
    """The root with processes in it."""

    def __init__(self, root, *arguments):
        self.root = root
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen([ENTER, *arguments], stdin=subprocess.DEVNULL, stderr=self._log)
        try:
            self.pid = waiting.until(self._first, "the root is entered")
        except waiting.TimedOut as error:
            self._log.seek(0)
            raise Failed(self._log.read().decode()) from error

    def _first(self):
        """The first process inside, once it is what was asked for; 0 until then."""
        children = subprocess.run(["pgrep", "-P", str(self._process.pid)], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
        with contextlib.suppress(FileNotFoundError):
            for pid in children:
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
                apart = os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid") and os.path.samefile(f"/proc/{pid}/root", self.root)
                if command and os.path.basename(ENTER) not in command and apart:
                    return int(pid)
        return 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.wait(30)
        self._log.close()
        hierarchy = subprocess.run(["findmnt", "-n", "-o", "TARGET", "-t", "cgroup2"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
        for folder, _, _ in os.walk(os.path.join(*hierarchy[:1], CGROUP), topdown=False) if hierarchy else ():
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def command(self, *words):
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-p", "-C", "-r", "-w", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *words]

    def ask(self, script, data=None):
        """Exit status and output of a shell's lines."""
        done = subprocess.run(self.command("bash", "-c", script), input=data, stdin=None if data else subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.returncode, done.stdout

    def do(self, script, data=None):
        """The output; the shell must end well."""
        status, out = self.ask(script, data)
        must(status == 0, f"{script}: exit status {status}: {out[-2000:]}")
        return out


class Postfix(world_postfix.Postfix):
    """The root's Postfix, as Debian configures it."""

    def __init__(self, machine):  # nothing of a Postfix of the tests' own
        self.machine = machine
        self.log_path = os.path.join(machine.root, "var/log/postfix.log")

    def submit(self, recipient):
        self.machine.do(f"sendmail -f sender@client.signed {recipient}", f"To: {recipient}\nSubject: a test\n\nHello.\n")

    def run(self, command, *arguments, data=None):
        return self.machine.ask(" ".join([command, *arguments]), data)


class Package:
    def __init__(self, root):
        self.root = root
        self.failed = 0
        self.world = None

    def path(self, name):
        return os.path.join(self.root, name)

    @contextlib.contextmanager
    def check(self, name):
        began = time.monotonic()
        try:
            yield
            print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except (Failed, case.Failed, waiting.TimedOut, OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
            self.failed += 1
            print(f"not ok {name}: {error}", flush=True)

    # what is left

    def snapshot(self):
        """path -> what it is, and the accounts."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            inside = folder[len(self.root):] or "/"
            folders[:] = [one for one in folders if not NOT_OURS.match(os.path.join(inside, one))]
            for name in [*folders, *files]:
                path = os.path.join(inside, name)
                if not NOT_OURS.match(path):
                    status = os.lstat(os.path.join(folder, name))
                    found[path] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid)
        for name in ("passwd", "group", "shadow", "gshadow"):
            for line in pathlib.Path(self.path("etc"), name).read_text(encoding="utf-8").splitlines():
                found[f"{name}: {line}"] = True
        return found

    def same(self, before, machine):
        after = self.snapshot()
        changed = sorted(one for one in before.keys() | after.keys() if before.get(one) != after.get(one))
        must(not changed, f"left behind, gone or changed: {changed}")
        must(machine.ask("pgrep -l mxcryptd")[0] == 1, "a process is left")
        must(machine.ask("ls -d /run/mxcrypt")[0] != 0, "/run/mxcrypt is left")
        must("mxcrypt" not in machine.do("dpkg-query -W -f '${Package} ${Status}\\n'"), "dpkg still knows it")

    # the world outside

    def make_world(self, folder):
        self.world = world.World(folder, "", {"none": {}})

        def declared(name, declare):
            one = case.Case(self.world, case.Entry((), name, None, "none", "together", False), name)
            declare(one)
            return one
        self.good = declared("good", lambda one: (one.zone("@ MX 10 mx", f'_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tlsrpt@{one.d}"'), setattr(self, "good_server", one.host("mx", "good"))))
        self.bad = declared("bad", lambda one: (one.zone("@ MX 10 mx"), one.host("mx", "3 1 1 " + "00" * 32)))
        self.sts = declared("sts", lambda one: (one.plain("@ MX 10 mx"), one.plain_host("mx"), one.sts(domain=one.u)))
        self.world.dns.add("package.signed", "mx A 198.51.100.1")
        self.world.dns.start()
        shutil.copy("/etc/resolv.conf", self.path("etc/resolv.conf"))
        shutil.copy(self.world.ca.ca_file, self.path("usr/local/share/ca-certificates/world.crt"))

    def configure(self, machine):
        """What an operator does: the printed lines into main.cf. What is the world's: test addresses may be connected to."""
        machine.do("printf '%s\\n' 'allow-address = 198.51.100.0/24 198.18.0.0/15' 'helo-name = mx.package.signed' >>/etc/mxcrypt/mxcryptd.conf")
        lines = [line for line in machine.do("mxcrypt postfix-config").splitlines() if re.match(r"[a-z_A-Z]+ = ", line)]
        must(any(line.startswith("smtp_tls_policy_maps") for line in lines), f"{lines}")
        for line in lines:
            machine.do(f"postconf -e '{line}'")
        must(machine.do("postconf -F smtp/unix/chroot").split()[-1] == "y", "smtp(8) is not chrooted")

    def delivers(self, machine, tag):
        """dane-only and MTA-STS are obeyed by the chrooted smtp(8)."""
        client = Postfix(machine)
        for domain, status, tls in ((self.good.d, "sent", "Verified"), (self.sts.u, "sent", "Verified"), (self.bad.d, "deferred", "Untrusted")):
            fate = client.deliver(f"{tag}@{domain}")
            must((fate.status, fate.tls) == (status, tls), f"wanted {status} {tls}: {fate.lines}")

    def is_of(self, machine, user):
        pid = machine.do("pgrep -x mxcryptd").split()[0]
        status = machine.do(f"cat /proc/{pid}/status")
        uid = machine.do(f"id -u {user}").strip()
        must(re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", status, re.MULTILINE), status)
        must(re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE) and re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
             and re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE), status)

    def only_for_postfix(self, machine):
        ask = "postmap -q {} socketmap:unix:/" + POLICY + ":policy"
        must(machine.do(f"stat -c '%a %U %G' /{os.path.dirname(POLICY)}") == "750 mxcrypt postfix\n", "the folder's owner and mode")
        must(machine.do(f"runuser -u postfix -- {ask.format(self.good.d)}") == "dane-only\n", "user postfix is answered")
        status, out = machine.ask(f"runuser -u nobody -- {ask.format(self.good.d)}")
        must(status != 0 and "Permission denied" in out, f"user nobody: {out}")

    # the two lives

    def without_systemd(self):
        with Machine(self.root, self.root, *REAPER) as machine:
            machine.do("update-ca-certificates")
            with self.check("without Postfix: it installs, and is purged without a trace"):
                before = self.snapshot()
                machine.do("dpkg -i /root/mxcrypt.deb && id mxcrypt && mxcryptd -t && test ! -e /var/spool/postfix")
                machine.do("dpkg --purge mxcrypt")
                self.same(before, machine)
            with self.check("Postfix comes later: its group gets the socket's folder"):
                machine.do("dpkg -i /root/mxcrypt.deb")
                machine.do("dpkg -i /var/cache/apt/archives/*.deb")
                must(machine.do(f"stat -c '%a %U %G' /{os.path.dirname(POLICY)}") == "750 mxcrypt postfix\n", "the folder's owner and mode")
                machine.do("dpkg --purge mxcrypt")
            machine.do("postconf -e maillog_file=/var/log/postfix.log inet_interfaces=loopback-only mydestination= myhostname=client.signed")
            before = self.snapshot()
            main_cf = machine.do("cat /etc/postfix/main.cf")
            with self.check("started by hand as root: its own user's, locked down, for Postfix alone"):
                machine.do("dpkg -i /root/mxcrypt.deb")
                self.configure(machine)
                machine.do("(mxcryptd >/var/log/mxcryptd.log 2>&1 &)")
                waiting.until(lambda: machine.ask("grep event=ready /var/log/mxcryptd.log")[0] == 0, "it is ready: " + machine.ask("cat /var/log/mxcryptd.log")[1])
                self.is_of(machine, "mxcrypt")
                self.only_for_postfix(machine)
            with self.check("the chrooted smtp(8) delivers, and refuses, by its answers"):
                machine.do("service postfix start")
                self.delivers(machine, "hand")
            with self.check("mxcrypt reload: new rules count"):
                machine.do(f"echo '{self.good.d} exactly encrypt' >>/etc/mxcrypt/rules && mxcrypt reload")
                must(machine.do(f"mxcrypt query {self.good.d}") == "OK encrypt\n", "the rule")
                must(machine.ask("echo nonsense >>/etc/mxcrypt/rules; mxcrypt reload")[0] != 0, "a bad file is refused")
            with self.check("removal ends it and keeps configuration and memory; purge leaves nothing"):
                machine.do("postfix stop; dpkg --remove mxcrypt")
                must(machine.ask("pgrep -x mxcryptd")[0] == 1, "it still runs")
                must(not os.path.exists(self.path(os.path.dirname(POLICY))), "the socket's folder")
                machine.do("test -e /etc/mxcrypt/rules && test -e /var/lib/mxcrypt/store.db && dpkg --purge mxcrypt")
                pathlib.Path(self.path("etc/postfix/main.cf")).write_text(main_cf, encoding="utf-8")
                self.same(before, machine)

    def with_systemd(self):
        os.unlink(self.path("usr/sbin/policy-rc.d"))
        with Machine(self.root, "--boot", self.root) as machine:
            with self.check("systemd runs in it"):
                waiting.until(lambda: machine.ask("systemctl is-system-running")[1].strip() in ("running", "degraded"), "systemd is up", 60)
                waiting.until(lambda: machine.ask("postfix status")[0] == 0, "Postfix is up")
            before = self.snapshot()
            with self.check("installing starts it: sockets by systemd, not root, hardened"):
                machine.do("dpkg -i /root/mxcrypt.deb")
                must(machine.ask("systemctl is-active mxcryptd mxcryptd.socket mxcryptd-control.socket")[1] == "active\n" * 3, machine.ask("journalctl -u mxcryptd")[1])
                self.configure(machine)
                machine.do("systemctl restart mxcryptd && postfix reload")
                self.is_of(machine, "mxcrypt")
                self.only_for_postfix(machine)
                log = machine.do("journalctl -o cat -u mxcryptd")
                must("event=sandbox no_new_privs=yes capabilities=none seccomp=yes landlock=" in log and "sandbox-incomplete" not in log, log)
                must("<6>" not in log and "level=info" not in machine.do("journalctl -o cat -p warning -u mxcryptd"), "the journal takes the priorities")
                print("  " + machine.do("systemd-analyze security mxcryptd").strip().splitlines()[-1])
            with self.check("the chrooted smtp(8) delivers, and refuses, by its answers, under systemd"):
                self.delivers(machine, "systemd")
            with self.check("mxcrypt-audit.service: a page and metrics of that mail, and not as root"):
                machine.do("chgrp adm /var/log/postfix.log && chmod 640 /var/log/postfix.log && systemctl start mxcrypt-audit")
                modes = machine.do("cd /var/lib/mxcrypt-audit && stat -c '%n %a %U' *")
                must(modes == "audit.html 640 mxcrypt\nmxcrypt.prom 644 mxcrypt\n", modes)
                must(f'data-key="{self.good.d}"' in machine.do("cat /var/lib/mxcrypt-audit/audit.html"), "the mail is not on the page")
                must("mxcrypt_audit_written_timestamp_seconds" in machine.do("cat /var/lib/mxcrypt-audit/mxcrypt.prom"), "no metrics")
                must(machine.ask("systemctl is-enabled mxcrypt-audit.timer")[1] == "disabled\n", "the timer is on by itself")
            with self.check("mxcrypt-check.service: findings and metrics of own domains, and not as root"):
                self.own_domains(machine)
            with self.check("mxcrypt-rollover.service: locked down, it installs a certificate of the same key at once, and reloads Postfix"):
                self.rollover(machine)
            with self.check("mxcrypt-list.service: a list is renewed, signed and published, and not as root"):
                self.own_list(machine)
            with self.check("mxcrypt-tlsrpt.service: yesterday's report goes out by mail, and not as root"):
                self.reports(machine)
            with self.check("mxcryptd-exim.socket: systemd holds a socket for Exim beside Postfix's"):
                self.for_exim(machine)
            with self.check("systemd has nothing to say against the units"):
                units = machine.do("dpkg -L mxcrypt | grep -E '/systemd/system/[^/]*$'").split()
                must(sum("check." in one or "rollover." in one or "list." in one or "tlsrpt." in one for one in units) == 8, f"{units}")
                said = machine.do(f"systemd-analyze verify --man=no {' '.join(units)} 2>&1")
                must("mxcrypt" not in said, said)
            with self.check("mxcrypt doctor has nothing to say against it"):
                _, out = machine.ask("mxcrypt doctor")
                wrong = [line for line in out.splitlines() if line and not line.startswith("warning clock:")]  # the machine's, not the package's
                must(not wrong, f"{wrong}")
            with self.check("systemctl reload: new rules count, bad ones are told"):
                machine.do(f"cp /etc/mxcrypt/rules /root/rules && echo '{self.good.d} exactly encrypt' >>/etc/mxcrypt/rules && systemctl reload mxcryptd")
                must(machine.do(f"mxcrypt query {self.good.d}") == "OK encrypt\n", "the rule")
                must(machine.ask("echo nonsense >>/etc/mxcrypt/rules; systemctl reload mxcryptd")[0] != 0, "a bad file is refused")
                machine.do("cp /root/rules /etc/mxcrypt/rules && systemctl reload mxcryptd")
            self.under_load(machine)
            with self.check("killed: systemd starts it again"):
                pid = machine.do("pgrep -x mxcryptd")
                machine.do("pkill -9 -x mxcryptd")
                with clients.Socketmap(self.path(POLICY)) as connection:
                    must(connection.ask(self.good.d) == "OK dane-only", "the answer of the next one")
                must(machine.do("pgrep -x mxcryptd") != pid, "another process")
            with self.check("purged: no unit, no file, no account is left"):
                machine.do("dpkg --purge mxcrypt")
                must("mxcrypt" not in machine.do("systemctl list-units --all --no-legend; systemctl list-unit-files --no-legend"), "a unit")
                self.restore(machine)
                self.same(before, machine)

    def own_domains(self, machine):
        """From the example that the package has; a finding is told in the journal once, and is a failure of the unit only if it is critical."""
        machine.do("cp /usr/share/doc/mxcrypt/examples/own-domains /etc/mxcrypt/own-domains")
        must(machine.ask("systemctl start mxcrypt-check")[0] != 0, "a list without a domain is no success")
        machine.do(f"sed -i 's/^#example.org/{self.good.d}/' /etc/mxcrypt/own-domains && systemctl start mxcrypt-check && systemctl start mxcrypt-check")
        modes = machine.do("cd /var/lib/mxcrypt-check && stat -c '%n %a %U' *")
        must(modes == f"check.prom 644 mxcrypt\n{self.good.d}.json 644 mxcrypt\n", modes)
        must(f'mxcrypt_check_done{{domain="{self.good.d}"}} 1\n' in machine.do("cat /var/lib/mxcrypt-check/check.prom"), "no metrics")
        told = [line for line in machine.do("journalctl -o cat -u mxcrypt-check").splitlines() if "new: notice rollover-not-ready" in line]
        must(len(told) == 1, f"{told}")
        machine.do(f"echo {self.bad.d} >>/etc/mxcrypt/own-domains")
        must(machine.ask("systemctl start mxcrypt-check")[0] != 0 and machine.ask("systemctl is-failed mxcrypt-check")[0] == 0, "a critical finding fails the unit")
        must(machine.ask("systemctl is-enabled mxcrypt-check.timer mxcrypt-rollover.timer")[1] == "disabled\ndisabled\n", "a timer is on by itself")
        machine.do("rm /etc/mxcrypt/own-domains && systemctl reset-failed mxcrypt-check")

    def own_list(self, machine):
        """As contrib/lists/README.md has it; the service's user can read the key, and not write to it."""
        folder = "/var/lib/mxcrypt-list"
        machine.do("cd /etc/mxcrypt && mxcrypt list keygen list && chgrp mxcrypt list.key && chmod 640 list.key")
        machine.do(f"install -d -o mxcrypt -g mxcrypt {folder}")
        machine.do(f"echo {self.good.d} | mxcrypt list build --name me --expires 14 --from - {folder}/own.json")
        before = machine.do(f"sha256sum <{folder}/own.json")
        must(machine.ask("systemctl start mxcrypt-list")[0] == 0, machine.ask("journalctl -o cat -u mxcrypt-list")[1])
        modes = machine.do(f"cd {folder} && stat -c '%n %a %U' *.state public/*; stat -c '%n %a %U' /etc/mxcrypt/list.key")
        must(modes == "own.json.state 644 mxcrypt\npublic/own.json 644 mxcrypt\npublic/own.json.minisig 644 mxcrypt\n/etc/mxcrypt/list.key 640 root\n", modes)
        machine.do(f"mxcrypt list verify --key /etc/mxcrypt/list.pub {folder}/public/own.json")
        must(machine.do(f"sha256sum <{folder}/public/own.json") != before, "it was not renewed")
        must(machine.ask("systemctl is-enabled mxcrypt-list.timer")[1] == "disabled\n", "the timer is on by itself")
        machine.do("rm /etc/mxcrypt/list.key /etc/mxcrypt/list.pub")

    def reports(self, machine):
        """A log of yesterday, made up; the report is mail to the domain, which Postfix delivers."""
        day, mx = machine.do("date -u -d '1 day ago' +%F").strip(), f"mx.{self.good.d}[198.51.100.1]:25"
        lines = (f"{machine.do('date -u -d yesterday-1day +%F').strip()}T23:00:00Z mail postfix/master[1]: daemon started",
                 f"{day}T12:00:00Z mail postfix/smtp[9]: Verified TLS connection established to {mx}: TLSv1.3 with cipher X (256/256 bits)",
                 f"{day}T12:00:01Z mail postfix/smtp[9]: AAAAA1: to=<a@{self.good.d}>, relay={mx}, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)")
        pathlib.Path(self.path("var/log/postfix.log.1")).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        machine.do("chgrp adm /var/log/postfix.log.1")
        must(machine.ask("systemctl start mxcrypt-tlsrpt")[0] != 0, "without a contact it is no success")
        machine.do("printf '%s\\n' 'tlsrpt-organization = Us' 'tlsrpt-contact = tlsrpt@package.signed' >>/etc/mxcrypt/mxcryptd.conf")
        must(machine.ask("systemctl start mxcrypt-tlsrpt")[0] == 0, machine.ask("journalctl -o cat -u mxcrypt-tlsrpt")[1])
        waiting.until(lambda: machine.ask(f"grep 'to=<tlsrpt@{self.good.d}>.*status=sent' /var/log/postfix.log")[0] == 0,
                      "the report is delivered: " + machine.ask("journalctl -o cat -u mxcrypt-tlsrpt")[1], 60)
        machine.do("systemctl start mxcrypt-tlsrpt")
        said = machine.do("cat /var/lib/mxcrypt-tlsrpt/journal; stat -c '%a %U' /var/lib/mxcrypt-tlsrpt /var/lib/mxcrypt-tlsrpt/journal")
        must(said.count(" sent ") == 2 and said.endswith("750 mxcrypt\n640 mxcrypt\n"), said)
        must(machine.do("grep -c 'qmgr.*from=<tlsrpt@package.signed>' /var/log/postfix.log") == "1\n", "it went twice")
        must(machine.ask("systemctl is-enabled mxcrypt-tlsrpt.timer")[1] == "disabled\n", "the timer is on by itself")

    @staticmethod
    def for_exim(machine):
        """As mxcrypt-exim(5) has it; without the unit mxcryptd, which is not root, could not listen there."""
        unit, key, path = "mxcryptd-exim.socket", "listen = exim:unix:/run/mxcrypt/exim.sock", "/run/mxcrypt/exim.sock"
        machine.do(f"groupadd --system Debian-exim && cp /usr/share/doc/mxcrypt/examples/exim/{unit} /etc/systemd/system && "
                   f"echo '{key}' >>/etc/mxcrypt/mxcryptd.conf && systemctl enable {unit} 2>&1 && systemctl stop mxcryptd && systemctl start {unit} mxcryptd")
        must(machine.do(f"stat -c '%a %U %G' {path}") == "660 root Debian-exim\n", "the socket's owner and mode")
        status, said = machine.ask("mxcrypt doctor --self")
        must(status == 0 and "listen" not in said, said)
        machine.do(f"systemctl stop mxcryptd && systemctl disable --now {unit} 2>&1 && rm /etc/systemd/system/{unit} && sed -i '/exim/d' /etc/mxcrypt/mxcryptd.conf && "
                   "systemctl daemon-reload && systemctl restart mxcryptd && groupdel Debian-exim")

    def rollover(self, machine):
        """A mail host whose certificate is renewed with the same key; the lineage is in the home of root, as some ACME clients have it."""
        host, ca, folder = f"mx.{self.good.d}", self.world.ca, self.path("root/lineage")
        live = f"/var/lib/mxcrypt-tls/{host}/live"
        os.mkdir(folder)
        shutil.copy(ca.leaf_key.path, f"{folder}/privkey.pem")
        must(machine.ask("systemctl start mxcrypt-rollover")[0] != 0 and "no such folder" in machine.do("journalctl -o cat -u mxcrypt-rollover"),
             "without a folder it is no success")
        shutil.copy(ca.chain_file(self.good_server.cert), f"{folder}/fullchain.pem")
        machine.do(f"/usr/lib/mxcrypt/mxcrypt-setup -h {self.good_server.address} {host} /root/lineage/fullchain.pem /root/lineage/privkey.pem")
        before = machine.do(f"readlink {live}")
        machine.do("systemctl start mxcrypt-rollover")
        must(machine.do(f"readlink {live}") == before, "what is live is no change")
        shutil.copy(ca.chain_file(ca.leaf(host, cn="renewed")), f"{folder}/fullchain.pem")
        reloads = machine.do("cat /var/log/postfix.log").count(": reload --")
        machine.do("systemctl start mxcrypt-rollover")
        must(machine.do(f"readlink {live}") != before and machine.do(f"cmp {live}/fullchain.pem /root/lineage/fullchain.pem") == "", "it is not live")
        waiting.until(lambda: machine.do("cat /var/log/postfix.log").count(": reload --") > reloads, "Postfix is reloaded")
        must(machine.do(f"stat -L -c '%a %U' {live} {live}/privkey.pem") == "700 root\n600 root\n", "modes")
        shown = machine.do("systemctl show -p TimeoutStartUSec -p NoNewPrivileges -p ProtectSystem -p ProtectHome mxcrypt-rollover")
        must(sorted(shown.split()) == ["NoNewPrivileges=yes", "ProtectHome=read-only", "ProtectSystem=strict", "TimeoutStartUSec=1h"], shown)
        print("  " + machine.do("systemd-analyze security mxcrypt-rollover").strip().splitlines()[-1])
        machine.do("rm -r /root/lineage /var/lib/mxcrypt-tls")

    def restore(self, machine):
        for line in machine.do("postconf -n").splitlines():
            if line.startswith(("smtp_tls_", "smtp_dns_support_level", "smtp_host_lookup")):
                machine.do(f"postconf -X {line.split()[0]}")

    def under_load(self, machine):
        with self.check(f"{RESTARTS} restarts and an upgrade under load: no connection is refused, no lookup fails"):
            load = [Asker(self.path(POLICY), self.good.d) for _ in range(ASKERS)]
            for _ in range(RESTARTS):
                machine.do("systemctl restart mxcryptd")
            machine.do("dpkg -i /root/mxcrypt.deb")
            answers = [one.end() for one in load]
            wrong = [one.wrong for one in load if one.wrong]
            must(not wrong, f"{wrong}")
            again = sum(one.again for one in load)
            must(again >= RESTARTS, "the connections ended with the daemon")
            print(f"  {sum(answers)} answers, {again} asked again over a new connection")


class Asker(threading.Thread):
    """Asks as smtp(8) does: over one connection, and once more over a new one when that ends."""

    def __init__(self, path, key):
        super().__init__(daemon=True)
        self.path, self.key = path, key
        self.count = self.again = 0
        self.wrong = ""
        self.over = threading.Event()
        self.start()

    def run(self):
        try:
            connection = clients.Socketmap(self.path)
            while not self.over.is_set():
                try:
                    answer = connection.ask(self.key)
                except (clients.Closed, ConnectionResetError, BrokenPipeError):
                    connection.sock.close()
                    connection = clients.Socketmap(self.path)
                    answer = connection.ask(self.key)
                    self.again += 1
                if answer != "OK dane-only":
                    self.wrong = answer
                    return
                self.count += 1
        except Exception as error:  # whatever it was, a lookup failed
            self.wrong = repr(error)

    def end(self):
        self.over.set()
        self.join(60)
        return self.count


def main():
    if world_run.INSIDE not in os.environ:
        world_run.enter_namespaces(__file__)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    package = Package(os.path.abspath(parser.parse_args().root))
    signal.alarm(TIME_LIMIT_S)
    folder = tempfile.mkdtemp(prefix="mxp")
    os.chmod(folder, 0o755)
    try:
        package.make_world(folder)
        package.without_systemd()
        if subprocess.run(["findmnt", "-t", "cgroup2"], stdout=subprocess.DEVNULL, check=False).returncode == 0:
            package.with_systemd()
        else:
            print("no cgroup2 hierarchy here: nothing is tried under systemd")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(1 if package.failed else 0)


if __name__ == "__main__":
    main()
