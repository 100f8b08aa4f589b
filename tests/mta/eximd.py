"""A real Exim as the client, with Debian's own configuration and the files of contrib/exim: its own /etc, spool and log, in the mount
namespace of the test. Its version is that of this Debian release."""

import os
import pathlib
import re
import shutil
import subprocess

import unpacked

HERE = pathlib.Path(__file__).resolve().parent
CONTRIB = HERE.parents[1] / "contrib" / "exim"
PARTS = ("macros", "routers", "transports", "smtp", "retry")
UID = 9125
DEBIAN = """dc_eximconfig_configtype='internet'
dc_other_hostnames='client.signed'
dc_local_interfaces='127.0.0.1'
dc_readhost=''
dc_relay_domains=''
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost=''
CFILEMODE='644'
dc_use_split_config='%s'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""
PLAIN = """
%(macros)s
primary_hostname = client.signed
domainlist local_domains = client.signed
domainlist relay_to_domains =
acl_smtp_rcpt = %(acl)s
dns_dnssec_ok = 1
exim_user = Debian-exim
exim_group = Debian-exim
never_users = root
keep_environment =
tls_advertise_hosts =

%(acls)s
begin routers
%(routers)s
dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more

begin transports
%(transports)s
remote_smtp:
  driver = smtp

begin retry
%(retry)s
"""


def fetch(flavour="heavy"):
    """The tree of the unpacked Exim; before the network is left behind."""
    return unpacked.tree([f"exim4-daemon-{flavour}", "exim4-config", "exim4-base"], "usr/sbin/exim4")


class Exim:
    """One instance; `layout` is how it is configured: Debian's split or unsplit files, or a plain file with our parts in it."""

    def __init__(self, folder, tree, layout="split"):
        self.folder, self.tree, self.layout = folder, tree, layout
        self.etc, self.program = os.path.join(folder, "etc"), os.path.join(folder, "exim4")
        self.conf, self.acl = "/etc/exim4/exim4.conf", "accept"

    def prepare(self, ca_file, socket, before=""):
        """All that it needs to run; `before`: lines ahead of the main part."""
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        shutil.copytree("/etc", self.etc, symlinks=True, ignore=shutil.ignore_patterns("exim4"))
        shutil.copytree(os.path.join(self.tree, "etc", "exim4"), os.path.join(self.etc, "exim4"))
        shutil.copy2(os.path.join(self.tree, "usr", "sbin", "exim4"), self.program)
        os.chown(self.program, 0, 0)
        os.chmod(self.program, 0o4755)
        self._add_user()
        self._add_libraries()
        bundle = pathlib.Path(self.etc, "ssl", "certs", "ca-certificates.crt")
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.unlink(missing_ok=True)
        bundle.write_text(pathlib.Path(ca_file).read_text(encoding="ascii"), encoding="ascii")
        _mount("--bind", self.etc, "/etc")
        for path in ("/var/spool", "/var/log"):
            _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
        for path in ("/var/spool/exim4", "/var/log/exim4"):
            os.mkdir(path)
            os.chown(path, UID, UID)
        shutil.copytree("/etc/exim4", os.path.join(self.folder, "exim4.debian"))
        pathlib.Path("/etc/email-addresses").touch()
        self.install(socket, before)

    def _add_user(self):
        for name, line in (("passwd", f"Debian-exim:x:{UID}:{UID}::/var/spool/exim4:/usr/sbin/nologin"), ("group", f"Debian-exim:x:{UID}:")):
            with open(os.path.join(self.etc, name), "a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _add_libraries(self):
        """Through ld.so's cache, for LD_LIBRARY_PATH does not count for a set-uid program."""
        folder = os.path.join(self.folder, "lib")
        os.mkdir(folder)
        for source in unpacked.libraries(self.tree):
            for path in pathlib.Path(source).glob("*.so.*"):
                shutil.copy2(path, folder)
        with open(os.path.join(self.etc, "ld.so.conf.d", "exim.conf"), "w", encoding="ascii") as file:
            file.write(folder + "\n")
        subprocess.run(["ldconfig", "-X", "-f", os.path.join(self.etc, "ld.so.conf"), "-C", os.path.join(self.etc, "ld.so.cache"), folder],
                       check=True, cwd=self.etc, stderr=subprocess.DEVNULL)

    def install(self, socket, before="", changes=None, macros=None, acls=""):
        """As README.md of contrib/exim says: the files as they are, but for the path of the socket. `changes`: file -> (regex, text);
        `macros`: others; `acls`: a section of a plain file."""
        shutil.rmtree("/etc/exim4")
        shutil.copytree(os.path.join(self.folder, "exim4.debian"), "/etc/exim4")
        folder = pathlib.Path("/etc/exim4/mxcrypt")
        folder.mkdir()
        for name in PARTS:
            text = (CONTRIB / name).read_text(encoding="ascii")
            if name == "macros" and macros:
                text = macros
            elif name == "macros":
                text, count = re.subn(r"^MXCRYPT_SOCKET = .*$", f"MXCRYPT_SOCKET = {socket}", text, flags=re.MULTILINE)
                assert count == 1
            for regex, new in (changes or {}).get(name, ()):
                text, count = re.subn(regex, new, text, flags=re.MULTILINE)
                assert count, (name, regex)
            (folder / name).write_text(text, encoding="ascii")
        self._configure(before, acls)

    def _configure(self, before, acls):
        includes = {name: f".include /etc/exim4/mxcrypt/{name}\n" for name in PARTS}
        top = pathlib.Path("/etc/exim4")
        settings = f"MAIN_LOG_SELECTOR = +tls_certificate_verified +tls_peerdn +deliver_time\n{before}\n"
        if self.layout == "plain":
            settings = settings.replace("MAIN_LOG_SELECTOR =", "log_selector =") + f"exim_path = {self.program}\n"
            pathlib.Path(self.conf).write_text(settings + PLAIN % {"acl": self.acl, "acls": acls, **includes}, encoding="ascii")
            return
        (top / "update-exim4.conf.conf").write_text(DEBIAN % ("true" if self.layout == "split" else "false"), encoding="ascii")
        pathlib.Path("/etc/mailname").write_text("client.signed\n", encoding="ascii")
        if self.layout == "split":
            for place in ("main/00_mxcrypt_test", "main/05_mxcrypt", "router/160_mxcrypt", "transport/40_mxcrypt"):
                room = {"main": "macros", "router": "routers", "transport": "transports"}[place.split("/")[0]]
                (top / "conf.d" / place).write_text(settings if "test" in place else includes[room], encoding="ascii")
        else:
            template = top / "exim4.conf.template"
            text = template.read_text(encoding="utf-8")
            for line, place in (("### router/200_exim4-config_primary\n", "%(routers)s%(line)s"), ("begin transports\n", "%(line)s%(transports)s")):
                assert "\n" + line in text
                text = text.replace("\n" + line, "\n" + place % {**includes, "line": line}, 1)
            template.write_text(settings + includes["macros"] + text, encoding="utf-8")
        made = "/etc/exim4/config.made"
        done = subprocess.run(["sh", os.path.join(self.tree, "usr", "sbin", "update-exim4.conf"), "-d", "/etc/exim4", "-o", made],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if not os.path.exists(made):
            raise RuntimeError(f"update-exim4.conf: {done.stdout}")
        text = pathlib.Path(made).read_text(encoding="utf-8")
        assert text.count("\nexim_path = /usr/sbin/exim4\n") == 1
        pathlib.Path(self.conf).write_text(text.replace("/usr/sbin/exim4", self.program), encoding="utf-8")

    def run(self, *arguments, data="", timeout=120):
        return subprocess.run([self.program, *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="backslashreplace", timeout=timeout, check=False)

    def version(self):
        return re.search(r"version (\S+)", self.run("-bV").stdout).group(1)

    def submit(self, *recipients, how="-odf"):
        """One message for all of them; -odf: tried before this returns, -odq: only queued."""
        done = self.run(how, "-oi", "-f", "sender@client.signed", "--", *recipients, data=f"Subject: a test\nTo: {recipients[0]}\n\nHello.\n")
        if done.returncode != 0:
            raise RuntimeError(f"exim: {done.returncode}: {done.stdout}")

    def log(self):
        path = pathlib.Path("/var/log/exim4/mainlog")
        return path.read_text(encoding="utf-8", errors="backslashreplace") if path.exists() else ""

    def fate(self, recipient):
        """What the log says last of a recipient: sent, deferred or bounced, with the line; None before."""
        found = [line for line in self.log().splitlines() if re.search(rf" (=>|->|==|\*\*) {re.escape(recipient)}[ :]", line)]
        if not found:
            return None, ""
        word = re.search(r" (=>|->|==|\*\*) ", found[-1]).group(1)
        return {"=>": "sent", "->": "sent", "==": "deferred", "**": "bounced"}[word], found[-1]

    def receive(self, recipient, client="198.51.100.7", options=""):
        """A message for a recipient that comes by SMTP; the replies."""
        lines = ["EHLO there.example", f"MAIL FROM:<sender@there.example>{options}", f"RCPT TO:<{recipient}>", "DATA", "Subject: a test", "", "Hello.", ".", "QUIT"]
        return self.run("-oMa", client, "-odi", "-bs", data="\r\n".join(lines) + "\r\n").stdout

    def panics(self):
        path = pathlib.Path("/var/log/exim4/paniclog")
        return len(path.read_text(encoding="utf-8", errors="backslashreplace").splitlines()) if path.exists() else 0

    def running(self):
        """Whether any process of it is left: they begin others, and all live in the namespace of the test."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{name}/exe") == self.program and self._alive(name):
                    return True
            except OSError:
                continue
        return False

    @staticmethod
    def _alive(pid):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1][0] != "Z"


def _mount(*words):
    subprocess.run(["mount", *words], check=True)
