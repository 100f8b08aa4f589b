"""What the cases of a farm share: a redis-server or valkey-server of the case's own, and relays that share by it."""

import contextlib
import os
import shutil
import signal
import subprocess

import remembering
import waiting

SERVERS = ("valkey-server", "redis-server")
CLIENTS = ("valkey-cli", "redis-cli")
USERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "valkey", "users.acl")
PASSWORD = "CHANGE-ME"  # as it stands there
KEY = "0123456789abcdef0123456789abcdef"


def program(names):
    """The first of these that this system has."""
    return next(found for found in map(shutil.which, names) if found)


def without_tls():
    """Why there is no TLS to the share; empty when there is."""
    found = subprocess.run(["pkg-config", "--exists", "hiredis_ssl"], check=False).returncode == 0
    return "" if found else "hiredis is older than 1.0 and has no TLS"


class Share:
    """A server on a Unix socket, which keeps what it knows in a folder of its own.

    With an address it is reached there, over TCP, and with a certificate (of ca.py) over TLS only, by clients that have one of the
    CA in `ca_file`; `before`: words before the command, as nsenter's."""

    def __init__(self, folder, address=None, before=(), cert=None, ca_file=None):
        self.folder, self.before = folder, before
        self.listen = ["--bind", address, "--port", "6379", "--protected-mode", "no"] if address else ["--port", "0"]
        self.socket = os.path.join(folder, "s")
        self.url = f"valkey://{address}" if address else f"valkey+unix://{self.socket}"
        if cert:
            self.url = f"valkeys://{address}"
            self.show(address, cert, ca_file)
        self.key = os.path.join(folder, "key")
        self.process = None
        os.makedirs(folder, exist_ok=True)

    def show(self, address, cert, ca_file):
        """From its next start on it has this certificate."""
        path = os.path.join(self.folder, "cert.pem")
        os.makedirs(self.folder, exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(cert.pem)
        self.listen = ["--bind", address, "--port", "0", "--tls-port", "6379", "--protected-mode", "no", "--tls-cert-file", path,
                       "--tls-key-file", cert.key.path, "--tls-ca-cert-file", ca_file, "--tls-auth-clients", "yes"]

    def start(self):
        self.process = subprocess.Popen([*self.before, program(SERVERS), *self.listen, "--unixsocket", self.socket, "--save", "", "--appendonly", "yes"],
                                        cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        waiting.until(lambda: self.command("PING") == "PONG", "the share answers", 20)

    def command(self, *words):
        """What the server's command line client prints, "" while there is no server."""
        done = subprocess.run([program(CLIENTS), "-s", self.socket, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return done.stdout.strip()

    def has(self, kind, name):
        """There is a record of this kind: a (answer), p (policy) or r (probe result)."""
        return self.command("--scan", "--pattern", f"mxcrypt:1:{kind}:*:{name}") != ""

    def user(self, *changes):
        """Makes the user of contrib/valkey/users.acl, with these changes to its rights."""
        with open(USERS, encoding="ascii") as file:
            words = next(line for line in file if line.startswith("user relay ")).split()[2:]
        if self.command("ACL", "SETUSER", "relay", "reset", *words, *changes) != "OK":
            raise AssertionError(f"ACL SETUSER relay {changes}")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def empty(self):
        shutil.rmtree(os.path.join(self.folder, "appendonlydir"), ignore_errors=True)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


def secret(path, text):
    """A file that only its owner can read."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")
    os.chmod(path, 0o600)


@contextlib.contextmanager
def relay(c, share, name, **options):
    """One relay of this name, which is started and has the share."""
    own = {"share": share.url, "share_key_file": share.key, "share_name": name, "share_deadline": "500ms", **options}
    with remembering.Lives(c, f"-{name}", **own) as one:
        one.start()
        waiting.until(lambda: one.daemon.events("share-ready"), "the relay has the share", 20)
        yield one


@contextlib.contextmanager
def farm(c, *names, **options):
    """A share on a Unix socket, and relays of these names that have it."""
    with farm_of(c, Share(os.path.join(c.world.folder, f"share-{c.label}")), *names, **options) as made:
        yield made


@contextlib.contextmanager
def farm_of(c, share, *names, begin=None, **options):
    """The same with this share; `begin` sets its server up."""
    secret(share.key, KEY)
    share.start()
    with contextlib.ExitStack() as stack:
        stack.callback(share.stop)
        if begin:
            begin(share)
        yield (share, *[stack.enter_context(relay(c, share, name, **options)) for name in names])
