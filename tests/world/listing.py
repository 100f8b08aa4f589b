"""Policy lists for tests: written, and signed by the real minisign(1) and gpg(1)."""

import json
import os
import subprocess
import threading
import time

DAY_S = 86400
MX = "mx"


def text(policies, aliases=None, timestamp=None, expires=None, **more):
    """A list of STARTTLS Everywhere's form, version 0.1."""
    now = int(time.time())
    whole = {"version": "0.1", "timestamp": now - 60 if timestamp is None else timestamp, "expires": now + 14 * DAY_S if expires is None else expires,
             "policies": policies, "policy-aliases": aliases or {}, **more}
    return json.dumps(whole, indent=1) + "\n"


def enforce(*mxs):
    return {"mode": "enforce", "mxs": list(mxs)}


def testing(*mxs):
    return {"mode": "testing", "mxs": list(mxs)}


def replace(path, content):
    with open(path + ".new", "w" if isinstance(content, str) else "wb") as file:
        file.write(content)
    os.replace(path + ".new", path)


class Minisign:
    """A key pair of minisign's own making."""

    suffix = ".minisig"

    def __init__(self, path):
        self.public, self.secret = path + ".pub", path + ".key"
        subprocess.run(["minisign", "-G", "-W", "-f", "-p", self.public, "-s", self.secret], check=True, capture_output=True)
        self.option = f"key={self.public}"

    def sign(self, path, comment="a list for tests"):
        """The signature beside the file, replaced at once."""
        subprocess.run(["minisign", "-S", "-s", self.secret, "-m", path, "-x", path + ".sig.new", "-t", comment], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL)
        os.replace(path + ".sig.new", path + self.suffix)


class OpenPgp:
    """A primary key in a keyring of its own, made by gpg; `expires` as gpg takes it ("0": never)."""

    suffix = ".asc"

    def __init__(self, folder, expires="0", name="list maker <maker@lists.example>"):
        self.home = os.path.join(folder, "gnupg")
        os.makedirs(self.home, mode=0o700)
        self.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", expires)
        listed = self.gpg("--with-colons", "--list-keys").stdout.decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        self.public = os.path.join(folder, "list.pgp")
        self.export()
        self.option = f"key={self.public} fingerprint={self.fingerprint}"

    def gpg(self, *words, **more):
        return subprocess.run(["gpg", "--homedir", self.home, "--batch", "--yes", "--no-tty", "--trust-model", "always", *words], check=True,
                              capture_output=True, **more)

    def export(self):
        self.gpg("--output", self.public, "--export", self.fingerprint)

    def sign(self, path, *more):
        self.gpg("--armor", "--detach-sign", *more, "--output", path + ".sig.new", path)
        os.replace(path + ".sig.new", path + self.suffix)

    def close(self):
        """Ends gpg's agent."""
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False, capture_output=True)


class Source:
    """A list as a file, signed by `key`; policies are added to it one by one."""

    def __init__(self, path, key, **more):
        self.path, self.key, self.more = path, key, more
        self.policies = {}
        self._lock = threading.Lock()
        self.option = f"{path} {key.option}"

    def add(self, **policies):
        with self._lock:
            self.policies.update(policies)
            self._write()

    def write(self, policies=None, **more):
        with self._lock:
            self.more.update(more)
            if policies is not None:
                self.policies = policies
            self._write()

    def _write(self):
        replace(self.path, text(self.policies, **self.more))
        self.key.sign(self.path)
