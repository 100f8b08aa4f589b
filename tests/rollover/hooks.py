#!/usr/bin/python3
"""contrib/certbot's scripts, without a network: hooks.py --bin DIR

Certificates are made here; `mxcrypt rollover stage` and `status` are the real ones, and a step installs at once what is staged. Folders
and lineages have names with blanks and characters that mean something to a shell.

Each script is killed before each command that changes something, in turn; then the timer's step is made, and all must be as if nothing had happened:
the renewed certificate is staged, key and chain that Postfix reads are a pair at any moment, no private key is readable for others."""

import argparse
import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time

import showing

HERE = os.path.dirname(os.path.abspath(__file__))
CERTBOT = os.path.join(HERE, os.pardir, os.pardir, "contrib", "certbot")
NAME = "mx's $(touch hacked) \"*\" `id` & lineage"
HOST = "mx.example.org"
CHANGING = ("ln", "mkdir", "mv", "mxcrypt", "rm", "sync") # what others do cannot be left half done
KILLS_MAX = 60

MXCRYPT = """#!/bin/sh
# the real one, but for steps: those install what is staged
case "$1 $2" in
"rollover step")
    state=$4
    [ ! -e "${{state%state}}exit-status" ] || exit "$(cat "${{state%state}}exit-status")"
    [ -e "$state" ] || exit 0
    MXCRYPT_NEXT_SHA256=$({real} rollover status --no-probe --state "$state" | sed -n 's/^next: //p')
    export MXCRYPT_NEXT_SHA256
    shift 5
    [ -z "${{RIPE:-}}" ] || exec "$@"
    exit "${{STEP:-1}}"
    ;;
*) exec {real} "$@" ;;
esac
"""
# each command of the scripts: counted, and at KILL_AT the script that runs it dies
SHIM = """#!/bin/sh
if [ -n "${{KILL_AT:-}}" ]; then
    echo >>"$KILL_COUNT"
    [ "$(grep -c '' "$KILL_COUNT")" -ne "$KILL_AT" ] || kill -9 "$PPID"
fi
exec {real} "$@"
"""


class Hooks:
    def __init__(self, folder, binaries):
        self.folder, self.failed, self.turn, self.known = folder, 0, 0, {}
        self.base = os.path.join(folder, "base of 'all' $HOME")
        self.lineage = os.path.join(folder, "live dir", NAME)
        self.dir = os.path.join(self.base, NAME)
        self.path = os.path.join(folder, "path")
        os.makedirs(self.path)
        os.makedirs(self.lineage)
        real = os.path.join(self.path, "mxcrypt.real")
        self._program("mxcrypt.real", f'#!/bin/sh\nexec {binaries}/mxcrypt -c /dev/null "$@"\n')
        self._program("mxcrypt.step", MXCRYPT.format(real=real))
        for command in CHANGING:
            real = {"mxcrypt": os.path.join(self.path, "mxcrypt.step"), "sync": "true"}.get(command, shutil.which(command))
            self._program(command, SHIM.format(real=real))
        self.count = os.path.join(folder, "count")
        self.environment = {**os.environ, "PATH": f"{self.path}:{os.environ['PATH']}", "MXCRYPT_TLS": self.base, "RENEWED_LINEAGE": self.lineage,
                            "RENEWED_DOMAINS": HOST, "MXCRYPT_RELOAD": "true", "KILL_COUNT": self.count}

    def _program(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def expect(self, what, ok, said=""):
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {what}" + ("" if ok else f": {said}"), flush=True)

    def run(self, script, *arguments, **more):
        """The exit status, and all that it says."""
        done = subprocess.run([os.path.join(CERTBOT, script), *arguments], env={**self.environment, **more}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False, cwd=self.folder)
        return done.returncode, done.stdout

    # certificates

    def make(self, folder, *names, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-subj", "/CN=x",
                        "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names), "-keyout", f"{folder}/privkey.pem",
                        "-out", f"{folder}/fullchain.pem"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(f"{folder}/privkey.pem", 0o644)

    def renew(self, *names):
        """Another certificate, of another key, at the lineage; for HOST they are made once, and come in turn."""
        if names:
            self.make(self.lineage, *names)
            return self.digest(self.lineage)
        self.turn += 1
        made = os.path.join(self.folder, f"made{self.turn % 3}")
        if not os.path.exists(made):
            self.make(made, HOST)
        shutil.copytree(made, self.lineage, dirs_exist_ok=True)
        return self.digest(self.lineage)

    def openssl(self, file, *arguments):
        """What it says of a file; asked once for each content."""
        try:
            with open(file, "rb") as opened:
                content = opened.read()
        except OSError:
            return ""
        if (content, arguments) not in self.known:
            self.known[content, arguments] = subprocess.run(["openssl", *arguments], input=content, check=False, stdout=subprocess.PIPE,
                                                            stderr=subprocess.DEVNULL).stdout.decode()
        return self.known[content, arguments]

    def digest(self, folder):
        return self.openssl(f"{folder}/fullchain.pem", "x509", "-noout", "-fingerprint", "-sha256").rpartition("=")[2].strip().replace(":", "").lower()

    def is_pair(self, folder):
        key = self.openssl(f"{folder}/privkey.pem", "pkey", "-pubout")
        return key == self.openssl(f"{folder}/fullchain.pem", "x509", "-noout", "-pubkey") != ""

    def begin(self):
        """What the README says: the certificate in use, in a folder of its own."""
        shutil.rmtree(self.base, ignore_errors=True)
        self.renew()
        status, said = self.set_up("-n", NAME)
        if status != 0 or said:
            raise RuntimeError(f"mxcrypt-setup: {status}: {said}")

    def set_up(self, *options):
        return self.run("mxcrypt-setup", *options, f"{self.lineage}/fullchain.pem", f"{self.lineage}/privkey.pem")

    def staged(self):
        status, said = self.run_mxcrypt("rollover", "status", "--no-probe", "--state", f"{self.dir}/state")
        found = re.search("^next: (.*)$", said, re.M)
        return found[1] if found and status == 1 else None

    def run_mxcrypt(self, *arguments):
        done = subprocess.run([f"{self.path}/mxcrypt.real", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def write(self, path, text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def faults(self):
        """What must not be, at any moment."""
        if not self.is_pair(f"{self.dir}/live"):
            yield "what Postfix reads is no pair"
        for folder, _, files in os.walk(self.base):
            for file in files:
                path = os.path.join(folder, file)
                if os.path.islink(path) or "PRIVATE KEY" not in open(path, encoding="ascii").read():
                    continue
                if not re.search(r"/privkey\.pem(\.\d+\.tmp)?$", path):
                    yield f"a private key is in {path}"
                if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
                    yield f"{path} is readable for others"
                if stat.S_IMODE(os.stat(folder).st_mode) & 0o077:
                    yield f"{folder} is open for others"
        if os.path.exists(os.path.join(self.folder, "hacked")):
            yield "a name was run"

    # cases

    def staging(self):
        self.begin()
        before = self.digest(f"{self.dir}/live")
        new = self.renew()
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: staged, put aside, and not installed", status == 0 and self.staged() == new and self.is_pair(f"{self.dir}/{new}")
                    and self.digest(f"{self.dir}/live") == before, said)
        again, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: twice is once", again == 0 and self.staged() == new, said)
        status, said = self.run("mxcrypt-rollover-step", RIPE="1")
        self.expect("step: installed when it is ripe", status == 0 and self.digest(f"{self.dir}/live") == new, said)
        self.expect("modes, and names that a shell could run", not list(self.faults()), list(self.faults()))
        for step, want in ((0, 0), (1, 0), (2, 2), (3, 3), (75, 75)):
            status, said = self.run("mxcrypt-post-hook", STEP=str(step))
            self.expect(f"step: exit status {step} of mxcrypt is {want}", status == want, said)

    def refusals(self):
        self.begin()
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: the present certificate is no change", status == 0 and self.staged() is None, said)
        new = self.renew()
        shutil.copyfile(f"{self.dir}/live/privkey.pem", f"{self.lineage}/privkey.pem")
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: a key that does not fit is refused", status == 65 and self.staged() is None and "not the key" in said, said)
        self.renew("www.example.org")
        with open(f"{self.dir}/hosts", "w", encoding="ascii") as file:
            file.write(f"# of example.org\n\n  {HOST}  the only one")
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: a certificate for other names is refused", status == 65 and self.staged() is None and "does not name" in said, said)
        status, said = self.run("mxcrypt-rollover-step")
        self.expect("step: and stays refused, loudly", status == 65 and "does not name" in said, said)
        new = self.renew("*.example.org", "www.example.org")
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: the file of hosts counts, not the names", status == 0 and self.staged() == new and f'"{HOST}"' in
                    open(f"{self.dir}/state", encoding="ascii").read() and "www" not in open(f"{self.dir}/state", encoding="ascii").read(), said)
        os.unlink(f"{self.dir}/hosts")
        self.renew(*(f"mx{number}.example.org" for number in range(101)))
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: more than a hundred names are refused", status == 65 and "more than 100 names" in said, said)
        status, said = self.run("mxcrypt-deploy-hook", RENEWED_LINEAGE=os.path.join(self.folder, "live dir", "www.example.org"))
        self.expect("deploy: a lineage without a folder is none of ours", status == 0 and said == "", said)
        for name in ("..", "", "a/b", ".hidden"):
            status, said = self.run("mxcrypt-deploy-hook", f"{self.lineage}/fullchain.pem", f"{self.lineage}/privkey.pem", name or ".")
            self.expect(f"deploy: the name {name!r} is refused", status == 64, said)

    def other_clients(self):
        shutil.rmtree(self.base, ignore_errors=True)
        os.makedirs(self.base, mode=0o700)
        new = self.renew()
        relative = os.path.relpath(self.lineage, self.folder)
        status, said = self.run("mxcrypt-deploy-hook", f"{relative}/fullchain.pem", f"{relative}/privkey.pem", NAME)
        self.expect("deploy: from another client", status == 0 and self.staged() == new, said)
    def of_others(self):
        """What others can write to is refused by each script, and left as it is."""
        self.begin()
        live = self.digest(f"{self.dir}/live")
        new = self.renew()
        self.run("mxcrypt-stage", NAME, f"{self.lineage}/fullchain.pem", f"{self.lineage}/privkey.pem")
        newer = self.renew()
        self.write(f"{self.dir}/hosts", HOST)
        for what, path, mode in (("the base", self.base, 0o770), ("the base", self.base, 0o702), ("the lineage's folder", self.dir, 0o720),
                                 ("the folder above", self.folder, 0o770), ("the file of hosts", f"{self.dir}/hosts", 0o664),
                                 ("the live folder", f"{self.dir}/{live}", 0o770), ("a key", f"{self.dir}/{new}/privkey.pem", 0o620)):
            before = stat.S_IMODE(os.stat(path).st_mode)
            os.chmod(path, mode)
            inside = path.startswith(f"{self.dir}/{new}/")
            for script in ("mxcrypt-deploy-hook", "mxcrypt-rollover-step") if not inside else ():
                status, said = self.run(script, RIPE="1")
                self.expect(f"{script}: refused, as others may write to {what}, of mode {mode:o}",
                            status == 77 and self.staged() == new and not os.path.exists(f"{self.dir}/{newer}"), said)
            status, said = self.run("mxcrypt-install", self.dir, MXCRYPT_NEXT_SHA256=new)
            self.expect(f"install: refused, as others may write to {what}, of mode {mode:o}",
                        status == 77 and self.digest(f"{self.dir}/live") == live, said)
            os.chmod(path, before)
        status, said = self.run("mxcrypt-rollover-step", RIPE="1")
        self.expect("and goes on when that is over", status == 0 and self.digest(f"{self.dir}/live") == newer, said)

    def one_file(self):
        """Key and certificates in one file, in either order, as smtpd_tls_chain_files may have them: they are put aside apart."""
        parts = {}
        for order in (("privkey.pem", "fullchain.pem"), ("fullchain.pem", "privkey.pem")):
            self.begin()
            new = self.renew()
            parts = {name: open(f"{self.lineage}/{name}", encoding="ascii").read() for name in order}
            both = f"{self.lineage}/all.pem"
            self.write(both, "".join(parts.values()))
            os.chmod(both, 0o644)
            status, said = self.run("mxcrypt-deploy-hook", both, both, NAME, RIPE="1")
            self.expect(f"deploy: {' and '.join(order)} in one file", status == 0 and self.digest(f"{self.dir}/live") == new and not list(self.faults()) and
                        all(open(f"{self.dir}/live/{name}", encoding="ascii").read() == text for name, text in parts.items()), (said, list(self.faults())))
            status, said = self.run_mxcrypt("rollover", "stage", "--state", os.path.join(self.folder, "another"), "--cert", both, "--key", both,
                                            "--current", both)
            self.expect("mxcrypt reads such a file", status == 1 and "present certificate" in said, said)
            shutil.rmtree(self.base)
            status, said = self.run("mxcrypt-setup", "-n", NAME, both, both)
            self.expect("set up: from one file", status == 0 and self.digest(f"{self.dir}/live") == new and not list(self.faults()), (said, list(self.faults())))
        self.make(os.path.join(self.folder, "rsa"), HOST, key=("rsa:2048",))
        self.write(both, open(both, encoding="ascii").read() + "".join(open(f"{self.folder}/rsa/{name}", encoding="ascii").read() for name in order))
        status, said = self.run("mxcrypt-deploy-hook", both, both, NAME)
        self.expect("deploy: two keys in one file are refused", status == 65 and "not one private key" in said, said)
        os.unlink(both)

    def set_up_first(self):
        """Nothing is put aside but what the host shows."""
        shutil.rmtree(self.base, ignore_errors=True)
        new = self.renew()
        other, rsa = os.path.join(self.folder, "other"), os.path.join(self.folder, "rsa")
        self.make(other, HOST)
        self.make(rsa, HOST, key=("rsa:2048",))
        for what, shows, want, words in (("another certificate", (other,), 65, "shows another certificate"),
                                         ("a second one, with an RSA key", (self.lineage, rsa), 65, "has a second certificate"),
                                         ("only one with an RSA key", (rsa,), 65, "shows another certificate"),
                                         ("none", (), 69, "shows no certificate")):
            with showing.Server(shows) as server:
                status, said = self.set_up("-h", server.at, NAME)
            self.expect(f"set up: refused where the host shows {what}", status == want and words in said and not os.path.exists(self.dir), said)
        with showing.Server((self.lineage,)) as server:
            status, said = self.set_up("-h", server.at, NAME)
        self.expect("set up: what the host shows", status == 0 and said == "" and self.digest(f"{self.dir}/live") == new and not list(self.faults()), said)
        shutil.rmtree(self.base)
        for folder in (self.lineage, rsa):
            with showing.Server((self.lineage, rsa)) as server:
                status, said = self.run("mxcrypt-setup", "-k", "-h", server.at, os.path.basename(folder), f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
            self.expect("set up: one of two, by kind of key", status == 0 and said == "" and
                        self.digest(f"{self.base}/{os.path.basename(folder)}/live") == self.digest(folder), said)
        with showing.Server((other, rsa)) as server:
            status, said = self.set_up("-k", "-h", server.at, "third")
        self.expect("set up: of two, not another one of the same kind", status == 65 and "shows another certificate" in said, said)
        self.renew()
        status, said = self.set_up("-n", NAME)
        self.expect("set up: never a second time", status == 73 and self.digest(f"{self.dir}/live") == new, said)
        for arguments in ((), ("-x", NAME), (NAME, "one"), ("-n", ".."), ("-n", "a/b", "x", "y")):
            status, said = self.run("mxcrypt-setup", *arguments)
            self.expect(f"set up: {arguments} is wrong usage", status == 64, said)
        shutil.rmtree(self.base)
        shutil.copyfile(f"{other}/privkey.pem", f"{self.lineage}/privkey.pem")
        status, said = self.set_up("-n", NAME)
        self.expect("set up: a key that does not fit is refused", status == 65 and not os.path.exists(self.dir), said)

    def documented(self):
        """The first commands of each document: one that fails is the last one."""
        root = os.path.join(HERE, os.pardir, os.pardir)
        commands, done = os.path.join(self.folder, "commands"), os.path.join(self.folder, "done")
        os.makedirs(commands)
        for name in ("postconf", "postfix", "systemctl"):
            self.write(os.path.join(commands, name), f'#!/bin/sh\necho "{name} $*" >>"{done}"\n')
            os.chmod(os.path.join(commands, name), 0o755)
        for document in ("README.md", "contrib/certbot/README", "docs/mxcrypt-rollover.5"):
            text = open(os.path.join(root, document), encoding="utf-8").read()
            block = re.search(r"^ *lib=.*? hooks=.*?^ *systemctl enable.*?$", text, re.M | re.S)[0]
            for paths in (None, (f"{self.lineage}/fullchain.pem", f"{self.lineage}/privkey.pem")):
                shutil.rmtree(self.base, ignore_errors=True)
                hooks = os.path.join(self.folder, "renewal-hooks")
                shutil.rmtree(hooks, ignore_errors=True)
                for one in ("pre", "deploy", "post"):
                    os.makedirs(os.path.join(hooks, one))
                self.write(done, "")
                self.renew()
                script = block.replace("/usr/lib/mxcrypt", CERTBOT).replace("/etc/letsencrypt/renewal-hooks", hooks)
                if paths:
                    script = script.replace("mxcrypt-setup", "mxcrypt-setup -n").replace(f"{HOST} &&", f"{HOST} '{{}}' '{{}}' &&".format(
                        *(path.replace("'", "'\\''") for path in paths)))
                ended = subprocess.run(["sh", "-c", script], env={**self.environment, "PATH": f"{commands}:{os.environ['PATH']}"}, cwd=self.folder,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
                lines = open(done, encoding="ascii").read().splitlines()
                links = sorted(one for one in ("pre", "deploy", "post") if os.access(os.path.join(hooks, one, "mxcrypt"), os.X_OK))
                if paths:
                    self.expect(f"{document}: all is done", ended.returncode == 0 and [one.split()[0] for one in lines] == ["postconf", "postfix", "systemctl"]
                                and links == ["deploy", "post", "pre"] and os.path.exists(os.path.join(self.base, HOST, "live")), (ended.stdout, lines, links))
                else:
                    self.expect(f"{document}: nothing is done without a certificate", ended.returncode == 66 and not lines and not links and
                                not os.path.exists(self.base), (ended.stdout, lines, links))

    def missing(self):
        """What is named wrongly, or was taken away, is told; what goes on without it does."""
        self.begin()
        new = self.renew()
        for names in (("typo",), ("typo", NAME), (NAME, "typo")):
            status, said = self.run("mxcrypt-rollover-step", *names)
            self.expect(f"step: no folder for one of {len(names)}", status == 66 and "typo: no such folder" in said and
                        not os.path.exists(os.path.join(self.base, "typo")) and (len(names) == 1 or self.staged() == new), said)
        status, said = self.run("mxcrypt-rollover-step", MXCRYPT_TLS=self.base + "x")
        self.expect("step: no folder at all", status == 66 and "no such folder" in said, said)
        os.rename(self.lineage, self.lineage + " gone")
        status, said = self.run("mxcrypt-rollover-step", RIPE="1")
        self.expect("step: a lineage that is gone is told, and the staged certificate is installed", status == 66 and "is not there" in said and
                    self.digest(f"{self.dir}/live") == new, said)
        os.rename(self.lineage + " gone", self.lineage)
        os.unlink(f"{self.dir}/from-fullchain.pem")
        status, said = self.run("mxcrypt-rollover-step")
        self.expect("step: a link to a lineage that was never made is told", status == 66 and "from-fullchain.pem is not there" in said, said)
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("step: and the hook makes it", status == 0 and os.path.exists(f"{self.dir}/from-fullchain.pem"), said)

    def changing(self):
        """An ACME client writes while its files are copied, or the chain of what is in use is another one: what Postfix reads stays."""
        meanwhile, racing = os.path.join(self.folder, "meanwhile"), os.path.join(self.folder, "racing")
        self.make(meanwhile, HOST)
        os.makedirs(racing)
        calls = os.path.join(racing, "calls")
        self.write(os.path.join(racing, "mkdir"), f"""#!/bin/sh
echo >>"{calls}"
[ "$(grep -c '' "{calls}")" -ne 2 ] || cp -- "{meanwhile}"/*.pem "$RENEWED_LINEAGE"
exec {shutil.which("mkdir")} "$@"
""")
        os.chmod(os.path.join(racing, "mkdir"), 0o755)
        self.begin()
        before = {one: open(f"{self.dir}/live/{one}", encoding="ascii").read() for one in ("fullchain.pem", "privkey.pem")}
        same = lambda: all(open(f"{self.dir}/live/{one}", encoding="ascii").read() == text for one, text in before.items())  # noqa: E731
        self.write(f"{self.dir}/hosts", HOST)
        status, said = self.run("mxcrypt-rollover-step", PATH=f"{racing}:{self.environment['PATH']}")
        self.expect("step: renewed while it is copied", status == 65 and "changed meanwhile" in said and same() and not list(self.faults()) and
                    not os.path.exists(f"{self.dir}/new.tmp"), (status, said))
        status, said = self.run("mxcrypt-rollover-step")
        self.expect("step: and taken up by the next one", status == 0 and same() and self.staged() == self.digest(meanwhile), said)
        self.begin()
        before = {one: open(f"{self.dir}/live/{one}", encoding="ascii").read() for one in before}
        self.write(f"{self.lineage}/fullchain.pem", before["fullchain.pem"] + open(f"{meanwhile}/fullchain.pem", encoding="ascii").read())
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: other issuers of what is in use", status == 65 and "other issuers" in said and same(), (status, said))

    def forgotten(self):
        """A certificate that waits is not forgotten in silence, nor does a wrong host keep a step from being made."""
        self.begin()
        new = self.renew()
        self.run("mxcrypt-deploy-hook")
        self.write(f"{self.dir}/hosts", "a/host")
        status, said = self.run("mxcrypt-rollover-step", RIPE="1")
        self.expect("step: a host that is none is told, and the staged certificate is installed", status == 65 and "not a host name" in said and
                    self.digest(f"{self.dir}/live") == new, (status, said))
        self.begin()
        new = self.renew()
        self.run("mxcrypt-deploy-hook")
        os.unlink(f"{self.dir}/state")
        status, said = self.run("mxcrypt-rollover-step")
        self.expect("step: a state that is gone is told", status == 66 and "stage it again" in said, (status, said))
        status, said = self.run("mxcrypt-deploy-hook")
        self.expect("deploy: and the hook makes it", status == 0 and self.staged() == new, (status, said))

    def several(self):
        """The exit status of several steps is the most urgent one."""
        self.begin()
        for name in ("a", "b"):
            shutil.copytree(self.dir, os.path.join(self.base, name), symlinks=True)
        for statuses, want in (((1, 0, 1), 0), ((2, 3, 1), 2), ((3, 2, 0), 2), ((3, 75, 0), 3), ((75, 3, 1), 3), ((2, 75, 0), 2), ((75, 2, 65), 2), ((0, 75, 1), 75)):
            for name, one in zip(("a", "b", NAME), statuses):
                self.write(os.path.join(self.base, name, "exit-status"), str(one))
            status, said = self.run("mxcrypt-rollover-step")
            self.expect(f"step: {statuses} is {want}", status == want, said)

    def over(self):
        """Keys that are not in use any more are removed when a change is over, and not before."""
        self.begin()
        old, new = self.digest(f"{self.dir}/live"), self.renew()
        self.run("mxcrypt-deploy-hook", RIPE="1")
        os.mkdir(f"{self.dir}/notes")
        kept = sorted([old, new, "notes"])
        folders = lambda: sorted(one for one in os.listdir(self.dir) if os.path.isdir(f"{self.dir}/{one}") and one != "live")  # noqa: E731
        status, said = self.run("mxcrypt-rollover-step", STEP="0")
        self.expect("over: not before", status == 0 and folders() == kept, (said, folders()))
        state = open(f"{self.dir}/state", encoding="ascii").read()
        since = re.search('"since": ([0-9]+)', state)[1]
        self.write(f"{self.dir}/state", state.replace('"state": "staged"', '"state": "cleaned"').replace('"published_at": 0', f'"published_at": {since}'))
        status, said = self.run("mxcrypt-rollover-step", STEP="3")
        self.expect("over: not while the operator must do something", status == 3 and folders() == kept, (said, folders()))
        os.rename(f"{self.dir}/live", f"{self.dir}/live.kept")
        os.symlink(old, f"{self.dir}/live")
        status, said = self.run("mxcrypt-rollover-step", STEP="0")
        self.expect("over: not what is live", status == 0 and folders() == sorted([*kept, "live.kept"]), (said, folders()))
        os.replace(f"{self.dir}/live.kept", f"{self.dir}/live")
        status, said = self.run("mxcrypt-rollover-step", STEP="0")
        self.expect("over: the keys before are removed", status == 0 and folders() == sorted([new, "notes"]) and self.is_pair(f"{self.dir}/live"), (said, folders()))

    def more_hosts(self):
        """Staged again, with a host that nothing has been waited for."""
        self.begin()
        new = self.renew(HOST, "mx2.example.org")
        state = f"{self.dir}/state"
        for hosts, want in ((HOST, "ripe"), (HOST, "ripe"), (f"{HOST}\nmx2.example.org", "staged"), (HOST, "ripe")):
            if not os.path.exists(state):
                with open(f"{self.dir}/hosts", "w", encoding="ascii") as file:
                    file.write(HOST)
                self.run("mxcrypt-deploy-hook")
            with open(state, encoding="ascii") as file:
                page = json.load(file)
            page.update(state="ripe", released=True, installed=True, published_at=page["since"])
            with open(state, "w", encoding="ascii") as file:
                json.dump(page, file)
            with open(f"{self.dir}/hosts", "w", encoding="ascii") as file:
                file.write(hosts)
            status, said = self.run("mxcrypt-rollover-step")
            with open(state, encoding="ascii") as file:
                page = json.load(file)
            self.expect(f"step: for {len(hosts.split())} hosts it is {want} after it was ripe", status == 0 and self.staged() == new and
                        page["state"] == want and page["released"] and page["installed"] == (want == "ripe"), [page, said])

    def what_was_before(self):
        """A host that is added when the next certificate is live already: the one before it is still known."""
        self.begin()
        old = self.digest(f"{self.dir}/live")
        new = self.renew(HOST, "mx2.example.org")
        self.write(f"{self.dir}/hosts", HOST)
        self.run("mxcrypt-deploy-hook", RIPE="1")
        with open(f"{self.dir}/state", encoding="ascii") as file:
            page = json.load(file)
        before = page["current"]
        page.update(state="deployed", released=True, installed=True, published_at=page["since"])
        self.write(f"{self.dir}/state", json.dumps(page))
        self.write(f"{self.dir}/hosts", f"{HOST}\nmx2.example.org")
        status, said = self.run("mxcrypt-rollover-step")
        with open(f"{self.dir}/state", encoding="ascii") as file:
            page = json.load(file)
        self.expect("step: a host is added when the next certificate is live", status == 0 and self.digest(f"{self.dir}/live") == new != old and
                    page["state"] == "staged" and page["current"] == before != page["next"], (page["state"], said))

    def what_was_not_installed(self):
        """The next certificate was released, but could not be installed, and there is another: the one in use is still the present one."""
        self.begin()
        self.renew()
        self.run("mxcrypt-deploy-hook")
        with open(f"{self.dir}/state", encoding="ascii") as file:
            page = json.load(file)
        before = page["current"]
        page.update(state="ripe", released=True, published_at=page["since"])
        self.write(f"{self.dir}/state", json.dumps(page))
        new = self.renew()
        status, said = self.run("mxcrypt-deploy-hook")
        with open(f"{self.dir}/state", encoding="ascii") as file:
            page = json.load(file)
        self.expect("deploy: another one after a release that came to nothing", self.staged() == new and page["state"] == "staged" and
                    page["current"] == before != page["next"], (status, page["state"], said))

    def before_a_renewal(self):
        self.begin()
        status, said = self.run("mxcrypt-pre-hook")
        self.expect("pre: nothing waits", status == 0 and said == "", said)
        self.renew()
        self.run("mxcrypt-deploy-hook")
        status, said = self.run("mxcrypt-pre-hook")
        self.expect("pre: what waits is named", status == 1 and NAME in said, said)

    def lock(self):
        """A hook that comes while a step is made is not lost."""
        self.begin()
        new = self.renew()
        with open(f"{self.dir}/state.lock", "w", encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            hook = subprocess.Popen([os.path.join(CERTBOT, "mxcrypt-deploy-hook")], env=self.environment, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            while not os.path.exists(f"{self.dir}/{new}/privkey.pem"):
                time.sleep(0.01)
            fcntl.flock(held, fcntl.LOCK_UN)
        said = hook.communicate(timeout=60)[0]
        self.expect("two at once: one waits", hook.returncode == 0 and self.staged() == new, said)

    # killed

    def killed(self, what, script, prepare, check):
        """`script` is killed before each of its commands in turn, and the timer's step is made; `check` says what is wrong then."""
        wrong, at = [], 0
        for at in range(1, KILLS_MAX + 1):
            self.begin()
            new = prepare()
            if os.path.exists(self.count):
                os.unlink(self.count)
            status, said = self.run(script, KILL_AT=str(at), RIPE="1")
            found = list(self.faults())
            step, after = self.run("mxcrypt-rollover-step", RIPE="1")
            found += list(self.faults())
            found += [] if step == 0 and check(new) else [f"step: {step}: {after}: {said}"]
            wrong += [f"before command {at}: {one}" for one in found]
            if status == 0 and len(open(self.count, encoding="ascii").readlines()) < at:
                break
        self.expect(f"{what}, killed before each of {at - 1} commands", not wrong and 4 < at < KILLS_MAX, wrong[:2] or at)

    def taken_up(self, new):
        return self.digest(f"{self.dir}/live") == new and not any(".tmp" in file for file in os.listdir(f"{self.dir}/{new}"))

    def staged_before(self):
        new = self.renew()
        self.run("mxcrypt-deploy-hook")
        return new

    def kills(self):
        self.killed_while_set_up()
        self.killed("deploy, the first time", "mxcrypt-deploy-hook", self.renew, self.taken_up)
        self.killed("deploy", "mxcrypt-deploy-hook", self.renewed_before, self.taken_up)
        self.killed("install", "mxcrypt-rollover-step", self.staged_before, self.taken_up)

    def killed_while_set_up(self):
        """Killed before each of its commands in turn, and run again, unless all was done."""
        wrong, at, status = [], 0, None
        new = self.renew()
        while status != 0 and at < KILLS_MAX:
            at += 1
            shutil.rmtree(self.base, ignore_errors=True)
            if os.path.exists(self.count):
                os.unlink(self.count)
            status = self.run("mxcrypt-setup", "-n", NAME, f"{self.lineage}/fullchain.pem", f"{self.lineage}/privkey.pem", KILL_AT=str(at))[0]
            early = os.path.lexists(f"{self.dir}/live")
            again, said = self.set_up("-n", NAME)
            found = list(self.faults())
            if again != (73 if early else 0) or found or self.digest(f"{self.dir}/live") != new or self.run("mxcrypt-rollover-step")[0] != 0:
                wrong.append(f"before command {at}: {again}: {said}: {found}")
        self.expect(f"set up, killed before each of {at - 1} commands", not wrong and 4 < at < KILLS_MAX, wrong[:2] or at)

    def renewed_before(self):
        """A lineage that mxcrypt knows, renewed."""
        self.run("mxcrypt-stage", NAME, f"{self.lineage}/fullchain.pem", f"{self.lineage}/privkey.pem")
        return self.renew()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mxcrypt-hooks-") as folder:
        hooks = Hooks(folder, os.path.abspath(options.bin))
        for case in (hooks.staging, hooks.refusals, hooks.other_clients, hooks.of_others, hooks.one_file, hooks.set_up_first, hooks.documented,
                     hooks.missing, hooks.changing, hooks.forgotten, hooks.several, hooks.over, hooks.more_hosts, hooks.what_was_before, hooks.what_was_not_installed, hooks.before_a_renewal, hooks.lock, hooks.kills):
            case()
    return 1 if hooks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
