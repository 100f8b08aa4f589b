"""mxcrypt doctor finds each planted fault in the set-up of a real Postfix, and nothing in a sound one; mxcrypt postfix-config
makes a sound one."""

import json
import os
import pathlib
import shutil
import subprocess
import threading

import daemon
import dnswire
import postfix
import smtpd
import waiting
import tap
from case import Failed, case

INET_PORT = 8471
NOT_VALIDATING, REMOTE = "127.0.0.71", "198.51.100.71"
DAEMONS = {
    "doctor": {"listen": ["socketmap:unix:FOLDER/doctor/queue/mxcrypt/policy.sock mode=0666",
                          "socketmap:unix:FOLDER/doctor/queue/mxcrypt/private.sock mode=0600",
                          f"socketmap:inet:127.0.0.1:{INET_PORT}"]},
}
OLD_NAME, NEW_NAME = "policy", "tlsrpt"
NAME = OLD_NAME if postfix.version() < (3, 10) else NEW_NAME
SOCKET = f"socketmap:unix:mxcrypt/policy.sock:{NAME}"
INET = f"socketmap:inet:127.0.0.1:{INET_PORT}:{NAME}"
WARNINGS, ERRORS = 1, 2
CHECKS = {"config", "rules", "daemon", "postfix", "map", "map-name", "map-order", "proxy", "socket", "dns-support", "host-lookup", "insecure-mx", "ca",
          "security-level", "tls-protocols", "tls-ciphers", "bind-address", "probe-address", "resolver", "resolver-local", "postfix-resolver", "clock", "port-25", "helo-name"}
TAPS = {}
TAPS_LOCK = threading.Lock()


def doctor_case(name, skip=""):
    return case("doctor", name, daemon="doctor", group="doctor", valgrind=False, skip=skip)


class SetUp:
    """A configuration directory of Postfix that is sound, apart from what the test plants. Postfix need not run for it."""

    def __init__(self, c):
        self.c, self.world = c, c.world
        self.folder = os.path.join(self.world.folder, "doctor")
        self.queue = os.path.join(self.folder, "queue")
        self.settings, self.services, self.options, self.without = {}, [("smtp", {}, True)], [], set()
        self.mail_hosts = [self.world.clear.address]
        self.clock, self.user = "synchronised", None
        c.zone("here A 198.51.100.1")  # as world.LOCAL_NETS has it
        self.helo_name = f"here.{c.d}"

    @property
    def ca_file(self):
        return self.world.ca.ca_file

    def start(self):
        """The daemon, and the folders it wants."""
        os.makedirs(os.path.join(self.folder, "queue", "mxcrypt"), exist_ok=True)
        self.furnish(self.queue)
        return self.c.daemon

    @staticmethod
    def furnish(queue):
        os.makedirs(os.path.join(queue, "etc"), exist_ok=True)
        shutil.copy("/etc/resolv.conf", os.path.join(queue, "etc", "resolv.conf"))

    def write(self):
        """main.cf and master.cf; the folder."""
        etc = os.path.join(self.folder, self.c.label)
        os.makedirs(etc, exist_ok=True)
        settings = dict(line.split(" =", 1) for line in postfix.SETTINGS.strip().splitlines())
        settings |= {"queue_directory": self.queue, "data_directory": os.path.join(self.folder, "data"), "smtp_tls_CAfile": self.ca_file,
                     "smtp_tls_policy_maps": SOCKET, **self.settings}
        lines = [f"{key} = {value.strip()}\n" for key, value in settings.items() if key not in self.without]
        pathlib.Path(etc, "main.cf").write_text("".join(lines), encoding="utf-8")
        services = [postfix.Postfix._service(name, options, chrooted) for name, options, chrooted in self.services]
        pathlib.Path(etc, "master.cf").write_text(postfix.SERVICES.lstrip() + "".join(services), encoding="utf-8")
        return etc

    def command(self, *words):
        """The finished mxcrypt, run with the planted options and clock."""
        running = self.start()
        environment = {**os.environ, **daemon.SANITIZERS, "LD_PRELOAD": self._built("clock_shim.so"),
                       "MXC_TEST_CLOCK": self.clock}
        environment["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        options = [word for one in [f"helo-name={self.helo_name}", *self.options] for word in ("-o", one)]
        return subprocess.run([self._built("mxcrypt"), "-c", running.config, *options, *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False, env=environment, user=self.user)

    def _built(self, name):
        """Where it can be run: another user may be kept out of the folder it was built in."""
        built = os.path.join(self.world.bin_dir, name)
        return shutil.copy(built, os.path.join(self.world.folder, f"{self.c.label}-{name}")) if self.user else built

    def doctor(self, *words):
        hosts = [word for host in self.mail_hosts for word in ("--mail-host", host)]
        return self.command(*words, "doctor", "--postfix", self.write(), *hosts)


def report(done):
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"no JSON, exit {done.returncode}: {done.stdout[:500]!r} {done.stderr[:1500]!r}") from error


def names(checks, made):
    return {one["check"] for one in checks if one["made"] == made}


def sound(c, set_up, not_made=()):
    """doctor finds nothing, and made every check but these."""
    def step():
        done = set_up.doctor("--json")
        told = report(done)
        if done.returncode != 0 or told["findings"] or names(told["checks"], False) != set(not_made) or \
                names(told["checks"], True) != CHECKS - set(not_made):
            raise Failed(f"exit {done.returncode}: {done.stdout} {done.stderr}")
    c.do(step)


def finds(c, set_up, check, level, what, fix, not_made=()):
    """doctor finds this one fault, with these words and this fix, and nothing else."""
    def step():
        done = set_up.doctor("--json")
        told = report(done)
        findings = told["findings"]
        text = json.dumps(findings, indent=1)
        if len(findings) != 1 or done.returncode != (ERRORS if level == "error" else WARNINGS):
            raise Failed(f"exit {done.returncode}, findings: {text} {done.stderr}")
        one = findings[0]
        if (one["check"], one["level"]) != (check, level) or what not in one["what"] or fix not in one["fix"]:
            raise Failed(f"wanted {check} {level} {what!r} {fix!r}: {text}")
        if names(told["checks"], False) != set(not_made):
            raise Failed(f"not made: {[one for one in told['checks'] if not one['made']]}")
    c.do(step)


def fault(name, check, level, what, fix, not_made=(), skip=""):
    """The decorated function plants it."""
    def keep(plant):
        @doctor_case(f"doctor: {name}", skip)
        def _(c):
            set_up = SetUp(c)
            plant(c, set_up)
            finds(c, set_up, check, level, what, fix, not_made)
        return plant
    return keep


def settings(**planted):
    return lambda c, set_up: set_up.settings.update(planted)


def resolver(world, address):
    """A resolver of the test's own at that address, which passes questions on."""
    with TAPS_LOCK:
        if address not in TAPS:
            TAPS[address] = tap.Tap(world.loop, address)
        return TAPS[address]


# ---- a sound set-up

@doctor_case("doctor: a sound set-up, smtp(8) chrooted: nothing is found")
def _(c):
    set_up = SetUp(c)
    sound(c, set_up)

    def text():
        done = set_up.doctor()
        if done.returncode != 0 or done.stdout != f"no fault found in {len(CHECKS)} checks\n" or done.stderr:
            raise Failed(f"exit {done.returncode}: {done.stdout!r} {done.stderr!r}")
    c.do(text)


@doctor_case("doctor: eight mail hosts may be named, not nine")
def _(c):
    set_up = SetUp(c)
    set_up.mail_hosts *= 8
    sound(c, set_up)
    c.do(lambda: set_up.mail_hosts.append(set_up.mail_hosts[0]))
    c.check("nine", lambda: set_up.doctor().returncode, 64)


@doctor_case("doctor: a sound set-up, not chrooted, over TCP, tables of the operator's before mxcryptd: nothing is found")
def _(c):
    set_up = SetUp(c)
    set_up.services = [("smtp", {}, False), ("relay", {"syslog_name": "postfix/$service_name"}, False)]
    set_up.settings["smtp_tls_policy_maps"] = f"inline:{{ {{partner.example = encrypt}} }}, texthash:/dev/null {INET}"
    sound(c, set_up)


@doctor_case("doctor: without root what only root can try is not tried, and said")
def _(c):
    set_up = SetUp(c)
    set_up.user = "nobody"
    sound(c, set_up, not_made=("daemon", "socket"))


@doctor_case("doctor: without root a table that only root may read is not tried, and said")
def _(c):
    set_up = SetUp(c)
    set_up.user = "nobody"
    table = os.path.join(set_up.folder, f"{c.label}.texthash")
    os.makedirs(set_up.folder, exist_ok=True)
    pathlib.Path(table).write_text("partner.example encrypt\n", encoding="ascii")
    os.chmod(table, 0o600)
    set_up.settings["smtp_tls_policy_maps"] = f"texthash:{table} {SOCKET}"
    sound(c, set_up, not_made=("daemon", "socket", "map-order"))


@doctor_case("doctor: the host of a map that is named, not by its address, is not tried, and said")
def _(c):
    set_up = SetUp(c)
    set_up.settings["smtp_tls_policy_maps"] = f"socketmap:inet:mxcrypt.example:8999:{NAME}"
    set_up.options = [*set_up.options, "listen=socketmap:inet:0.0.0.0:8999"]
    sound(c, set_up, not_made=("socket",))


@doctor_case("doctor, postfix-config: mxcryptd's socket under another name is mxcryptd's, with the interfaces of each service")
def _(c):
    set_up = SetUp(c)
    linked = f"{c.label}.sock"
    set_up.settings |= {"smtp_tls_policy_maps": f"socketmap:unix:{linked}:{NAME}", "inet_interfaces": f"here.{c.d}"}
    set_up.services.append(("slow", {"smtp_tls_security_level": "encrypt"}, True))
    set_up.options.append("probe-bind-address=198.51.100.1")

    def link():
        set_up.start()
        os.link(os.path.join(set_up.queue, "mxcrypt", "policy.sock"), os.path.join(set_up.queue, linked))
    c.do(link)
    sound(c, set_up)
    c.check("not to be replaced", lambda: "Now there is" in set_up.command("postfix-config", "--postfix", set_up.write()).stdout, False)


# ---- planted faults

fault("the map name of 3.10 with an older Postfix", "map-name", "error", "is for Postfix 3.10 and later", f"smtp_tls_policy_maps = {SOCKET}",
      skip=postfix.since(3, 10))(settings(smtp_tls_policy_maps=f"socketmap:unix:mxcrypt/policy.sock:{NEW_NAME}"))
fault("the map name of all versions with Postfix 3.10", "map-name", "warning", "MTA-STS is matched less exactly", f"smtp_tls_policy_maps = {SOCKET}",
      skip=postfix.before(3, 10))(settings(smtp_tls_policy_maps=f"socketmap:unix:mxcrypt/policy.sock:{OLD_NAME}"))
fault("no DNSSEC in Postfix", "dns-support", "error", '"dane-only" defers', "smtp_dns_support_level = dnssec")(
    settings(smtp_dns_support_level=""))
fault("hosts are not looked up in the DNS", "host-lookup", "error", 'smtp_host_lookup is "native"', "smtp_host_lookup = dns")(
    settings(smtp_host_lookup="native"))
fault("TLSA records behind an insecure MX are not used", "insecure-mx", "warning", 'is "may"', "smtp_tls_dane_insecure_mx_policy = dane")(
    settings(smtp_tls_dane_insecure_mx_policy="may"))
fault("no trust anchors", "ca", "error", "neither smtp_tls_CAfile nor smtp_tls_CApath is set", "smtp_tls_CAfile = /")(
    settings(smtp_tls_CAfile=""))
fault("a CA file that is not there", "ca", "error", "/etc/no-such-file.pem cannot be used: open: No such file", "smtp_tls_CAfile = /")(
    settings(smtp_tls_CAfile="/etc/no-such-file.pem"))
fault("a CA folder outside the chroot", "ca", "error", "in the chroot of smtp(8): open: No such file", "smtp_tls_CAfile = /")(
    settings(smtp_tls_CAfile="", smtp_tls_CApath="/etc/ssl/certs"))
fault("no level for what mxcryptd does not know", "security-level", "warning", "mail goes out in the clear", "smtp_tls_security_level = may")(
    settings(smtp_tls_security_level=""))
fault("the obsolete switch for TLS", "security-level", "warning", "smtp_use_tls is obsolete", "smtp_tls_security_level = may")(
    settings(smtp_tls_security_level="", smtp_use_tls="yes"))
fault("mxcryptd is not asked", "map", "error", "it is never asked", f"smtp_tls_policy_maps = {SOCKET}", not_made=("socket",))(
    settings(smtp_tls_policy_maps="texthash:/dev/null"))
fault("a map before mxcryptd's answers everything", "map-order", "error", "static:may comes before mxcryptd", "put it after mxcryptd")(
    settings(smtp_tls_policy_maps=f"static:may, {SOCKET}"))
fault("another policy daemon before mxcryptd", "map-order", "warning", "another policy daemon", "remove it")(
    settings(smtp_tls_policy_maps=f"socketmap:inet:127.0.0.1:8460:QUERY {SOCKET}"))
fault("a table before mxcryptd's that cannot be opened", "map-order", "error", "cannot be looked up", "remove it")(
    settings(smtp_tls_policy_maps=f"hash:/etc/no-such-table {SOCKET}"))
fault("proxy: before mxcryptd's map", "proxy", "warning", "one slow domain stops all", f"smtp_tls_policy_maps = {SOCKET}")(
    settings(smtp_tls_policy_maps=f"proxy:{SOCKET}"))
fault("a socket outside the chroot", "socket", "error", "in its chroot, as user postfix, gets no answer", "smtp_tls_policy_maps = socketmap:unix:mxcrypt/")(
    lambda c, set_up: set_up.settings.update(smtp_tls_policy_maps=f"socketmap:unix:{set_up.queue}/mxcrypt/policy.sock:{NAME}"))
fault("a socket that user postfix may not use", "socket", "error", "Permission denied", "mode=0666")(
    settings(smtp_tls_policy_maps=f"socketmap:unix:mxcrypt/private.sock:{NAME}"))
fault("a socket where nobody listens", "socket", "error", "No such file", f"smtp_tls_policy_maps = {SOCKET}")(
    settings(smtp_tls_policy_maps=f"socketmap:unix:mxcrypt/policy:{NAME}"))


@fault("a regular expression before mxcryptd's map answers everything", "map-order", "error", "answers for every domain", "put it after")
def _(c, set_up):
    table = os.path.join(c.world.folder, f"{c.label}.regexp")
    pathlib.Path(table).write_text("/./ may\n", encoding="ascii")
    set_up.settings["smtp_tls_policy_maps"] = f"regexp:{table}, {SOCKET}"


@fault("master.cf bypasses mxcryptd", "map", "warning", 'master.cf service relay: "-o smtp_tls_policy_maps=" bypasses', "from master.cf")
def _(c, set_up):
    set_up.services.append(("relay", {"smtp_tls_policy_maps": ""}, True))


@fault("mxcryptd is on trial in one service", "map", "warning", "main.cf: only some services", f"smtp_tls_policy_maps = {SOCKET}")
def _(c, set_up):
    set_up.settings["smtp_tls_policy_maps"] = ""
    set_up.services.append(("smtp-mxcrypt", {"smtp_tls_policy_maps": SOCKET}, True))


@fault("one service without DNSSEC", "dns-support", "error", "master.cf service relay: smtp_dns_support_level", "smtp_dns_support_level = dnssec")
def _(c, set_up):
    set_up.services.append(("relay", {"smtp_dns_support_level": ""}, True))


@fault("the resolver does not validate", "resolver", "error", f"({NOT_VALIDATING}) does not validate", "nameserver 127.0.0.1")
def _(c, set_up):
    resolver(c.world, NOT_VALIDATING).rule(".", "NS", tap.answer(("", "NS", dnswire.name_bytes("ns.signed")), ad=False))
    set_up.options.append(f"resolver={NOT_VALIDATING}")


@fault("the resolver is on another host", "resolver-local", "warning", f"({REMOTE}) is not on this host", "nameserver 127.0.0.1")
def _(c, set_up):
    resolver(c.world, REMOTE)
    set_up.options.append(f"resolver={REMOTE}")


@fault("nobody answers at the resolver of smtp(8)'s chroot", "postfix-resolver", "error", "does not answer", "cp /etc/resolv.conf")
def _(c, set_up):
    set_up.queue = os.path.join(set_up.folder, c.label + "-queue")
    set_up.settings["smtp_tls_policy_maps"] = INET
    set_up.furnish(set_up.queue)
    set_up.furnish = lambda queue: None
    pathlib.Path(set_up.queue, "etc", "resolv.conf").write_text("nameserver 127.0.0.99\n", encoding="ascii")


@fault("the clock is not synchronised", "clock", "warning", "not synchronised", "NTP")
def _(c, set_up):
    set_up.clock = "unsynchronised"


@fault("the clock is years behind", "clock", "error", "before the day this program was built", "NTP")
def _(c, set_up):
    set_up.clock = "past"


@fault("port 25 is blocked", "port-25", "error", "outbound port 25 is blocked: Connection timed out", "outbound TCP port 25")
def _(c, set_up):
    address = c.address()
    c.fillers = smtpd.hanging_address(address)
    set_up.mail_hosts = [address]


@fault("port 25 is refused everywhere", "port-25", "error", "outbound port 25 is blocked: Connection refused", "outbound TCP port 25")
def _(c, set_up):
    c.zone(f"closed A {c.address()}", f"closed A {c.address()}")
    set_up.mail_hosts = [f"closed.{c.d}"]


@fault("helo-name is an address behind NAT", "helo-name", "warning", "no address of this host", "helo-name =")
def _(c, set_up):
    c.zone("nat A 192.0.2.1")
    set_up.helo_name = f"nat.{c.d}"


@fault("helo-name is not in the DNS", "helo-name", "warning", "has no address", "helo-name =")
def _(c, set_up):
    set_up.helo_name = f"nobody.{c.d}"


@fault("mxcryptd does not run", "daemon", "error", "mxcryptd does not answer at /nowhere/control.sock", "systemctl start mxcryptd")
def _(c, set_up):
    set_up.options.append("control-socket=/nowhere/control.sock")


@fault("rules that cannot be read", "rules", "error", "line 2", "mxcrypt reload")
def _(c, set_up):
    rules = os.path.join(c.world.folder, f"{c.label}.rules")
    pathlib.Path(rules).write_text("# ours\npartner.example perhaps\n", encoding="ascii")
    set_up.options.append(f"rules={rules}")


@doctor_case("doctor: no Postfix there: said, with what else is wrong")
def _(c):
    set_up = SetUp(c)

    def step():
        done = set_up.command("--json", "doctor", "--postfix", "/nowhere", "--mail-host", set_up.mail_hosts[0])
        told = report(done)
        if done.returncode != ERRORS or [one["check"] for one in told["findings"]] != ["postfix"] or \
                "--postfix DIR" not in told["findings"][0]["fix"] or "ca" not in names(told["checks"], False):
            raise Failed(f"exit {done.returncode}: {done.stdout}")
    c.do(step)


@doctor_case("doctor: a configuration that cannot be read is a finding, with file and line")
def _(c):
    set_up = SetUp(c)
    set_up.options.append("dane=perhaps")

    def step():
        told = report(set_up.doctor("--json"))
        first = told["findings"][0]
        if (first["check"], first["level"]) != ("config", "error") or "dane: must be yes or no" not in first["what"]:
            raise Failed(json.dumps(told))
    c.do(step)


@doctor_case("doctor: the clock of a kernel that says nothing: not checked, and said")
def _(c):
    set_up = SetUp(c)
    set_up.clock = "silent"
    sound(c, set_up, not_made=("clock",))


# ---- what it says is so

@doctor_case("doctor: what it calls an error does defer mail")
def _(c):
    sockets = {"sound": {}, "nodnssec": {"smtp_dns_support_level": ""}, "native": {"smtp_host_lookup": "native"},
               "nosocket": {"smtp_tls_policy_maps": f"socketmap:unix:mxcrypt/nobody.sock:{NAME}"}}
    set_up = SetUp(c)
    c.host("mx", "good")
    for name in sockets:
        c.zone(f"{name} MX 10 mx")

    def step():
        set_up.start()
        instance = postfix.Postfix(os.path.join(set_up.folder, "so"), set_up.ca_file)
        common = {"smtp_tls_policy_maps": INET}
        instance.start({name: ({**common, **options}, False) for name, options in sockets.items()}, {f"{name}.{c.d}": f"{name}:" for name in sockets})
        try:
            fates = {name: instance.deliver(f"user@{name}.{c.d}") for name in sockets}
        finally:
            instance.stop()
        if {name: fate.status for name, fate in fates.items()} != {name: "sent" if name == "sound" else "deferred" for name in sockets}:
            raise Failed("\n".join(str(fate) for fate in fates.values()))
    c.do(step)


# ---- what the probes see and Postfix would not

fault("smtp_tls_mandatory_protocols with a floor", "tls-protocols", "error", "main.cf: smtp_tls_mandatory_protocols allows TLSv1.2, TLSv1.3",
      "tls-protocols = >=TLSv1.2, in mxcryptd.conf")(settings(smtp_tls_mandatory_protocols=">=TLSv1.2"))


@fault("smtp_tls_mandatory_ciphers of one service", "tls-ciphers", "error", "master.cf service slow: smtp_tls_mandatory_ciphers",
       "tls-ciphers = high !aNULL !kRSA, in mxcryptd.conf")
def _(_c, set_up):
    set_up.services.append(("slow", {"smtp_tls_mandatory_ciphers": "high", "smtp_tls_exclude_ciphers": "aNULL",
                                     "smtp_tls_mandatory_exclude_ciphers": "kRSA"}, True))


@fault("tls-protocols with a floor that Postfix has not", "tls-protocols", "warning", "count as without TLS", "tls-protocols = >=TLSv1, in")
def _(_c, set_up):
    set_up.options.append("tls-protocols=>=TLSv1.2")


@doctor_case("doctor: tls-protocols and tls-ciphers as Postfix has them, in its words: nothing is found")
def _(c):
    set_up = SetUp(c)
    set_up.settings |= {"smtp_tls_mandatory_protocols": "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "smtp_tls_mandatory_ciphers": "high",
                        "smtp_tls_mandatory_exclude_ciphers": "MD5, kRSA"}
    set_up.options += ["tls-protocols=>=TLSv1.2", "tls-ciphers=high !MD5 !kRSA"]
    sound(c, set_up)


fault("smtp_bind_address", "bind-address", "warning", "main.cf: smtp(8) connects from 198.51.100.16 (smtp_bind_address)",
      "probe-bind-address = 198.51.100.16, in mxcryptd.conf")(settings(smtp_bind_address="198.51.100.16"))
fault("one address in inet_interfaces, by a name", "bind-address", "warning", "main.cf: smtp(8) connects from 198.51.100.1 (inet_interfaces)",
      "probe-bind-address = 198.51.100.1, in mxcryptd.conf")(lambda c, set_up: set_up.settings.update(inet_interfaces=f"here.{c.d}"))


@fault("smtp_bind_address6 of one service", "bind-address", "warning", "master.cf service slow: smtp(8) connects from fd00::25 (smtp_bind_address6)",
       "probe-bind-address6 = fd00::25, in mxcryptd.conf")
def _(_c, set_up):
    set_up.services.append(("slow", {"smtp_bind_address6": "fd00::25", "inet_protocols": "all"}, True))


@fault("probe-bind-address that this host does not have", "probe-address", "error", "probe-bind-address cannot be used", "probe-bind-address =")
def _(c, set_up):
    set_up.settings["smtp_bind_address"] = "192.0.2.1"
    set_up.options.append("probe-bind-address=192.0.2.1")
    c.server("mx.example", address="2001:db8::27")
    set_up.mail_hosts = ["2001:db8::27"]


@doctor_case("doctor: probe-bind-address as smtp_bind_address: nothing is found, and port 25 is tried from it")
def _(c):
    set_up = SetUp(c)
    set_up.settings["smtp_bind_address"] = "198.51.100.16"
    set_up.options.append("probe-bind-address=198.51.100.16")
    server = c.server("mx.example")
    set_up.mail_hosts = [server.address]
    sound(c, set_up)
    # the server may take note of a connection that was closed at once later than doctor ends
    c.check("connections came from", lambda: waiting.until(lambda: {one.client for one in server.connections}, "a connection"), {"198.51.100.16"})


@doctor_case("postfix-config: tells the line of mxcryptd.conf that Postfix's settings for TLS ask for, of each service")
def _(c):
    set_up = SetUp(c)
    set_up.settings["smtp_tls_mandatory_protocols"] = ">=TLSv1.2"
    set_up.services.append(("slow", {"smtp_tls_mandatory_protocols": ">=TLSv1.3"}, True))

    def step():
        done = set_up.command("postfix-config", "--postfix", set_up.write())
        lines = done.stdout.splitlines()
        wanted = ["#     tls-protocols = >=TLSv1.2, in mxcryptd.conf", "#     tls-protocols = >=TLSv1.3, in mxcryptd.conf"]
        if done.returncode != 0 or not set(wanted) <= set(lines):
            raise Failed(f"exit {done.returncode}: {done.stdout} {done.stderr}")
    c.do(step)


# ---- postfix-config

@doctor_case("postfix-config: its lines in a fresh main.cf are sound, and mail is delivered by them, chrooted")
def _(c):
    set_up = SetUp(c)
    c.zone("@ MX 10 mx")
    server = c.host("mx", "good")
    c.plain("@ MX 10 mx")
    c.plain_host("mx")
    c.sts(domain=c.u)
    private = os.path.join(c.world.folder, f"{c.label}.pem")
    set_up.options.append(f"ca-file={private}")  # read by smtp(8) as root, before it enters its chroot

    def fresh():
        set_up.start()
        shutil.copy(set_up.ca_file, private)
        os.chmod(private, 0o600)
        instance = postfix.Postfix(os.path.join(set_up.folder, "fresh"), "")
        instance.prepare({"smtp": ({}, True)}, {})
        return instance

    def main_cf(instance, lines):
        settings = dict(line.split(" =", 1) for line in postfix.SETTINGS.strip().splitlines() if not line.startswith("smtp_"))
        settings |= {"queue_directory": instance.queue, "data_directory": instance.data, "maillog_file": instance.log_path}
        instance._write("main.cf", "".join(f"{key} = {value.strip()}\n" for key, value in settings.items()) + lines)

    def step():
        instance = fresh()
        main_cf(instance, "")
        set_up.options.append(f"listen=socketmap:unix:{instance.queue}/mxcrypt/policy.sock")
        os.link(os.path.join(set_up.queue, "mxcrypt", "policy.sock"), os.path.join(instance.queue, "mxcrypt", "policy.sock"))
        done = set_up.command("postfix-config", "--postfix", instance.etc)
        if done.returncode != 0 or f"smtp_tls_policy_maps = {SOCKET}" not in done.stdout.splitlines():
            raise Failed(f"exit {done.returncode}: {done.stdout} {done.stderr}")
        main_cf(instance, done.stdout)
        told = set_up.command("doctor", "--postfix", instance.etc, "--mail-host", set_up.mail_hosts[0])
        if told.returncode != 0 or told.stdout != f"no fault found in {len(CHECKS)} checks\n":
            raise Failed(f"doctor, exit {told.returncode}: {told.stdout} {told.stderr}")
        instance.run("postfix", "start")
        try:
            for recipient in (f"user@{c.d}", f"user@{c.u}"):
                fate = instance.deliver(recipient)
                if (fate.status, fate.tls) != ("sent", "Verified"):
                    raise Failed("\n".join(fate.lines))
        finally:
            instance.stop()
    c.do(step)
    c.check("dane-only", lambda: c.ask(c.d), "OK dane-only")
    c.check("mail taken", lambda: sum(one.mail for one in server.connections), 1)
