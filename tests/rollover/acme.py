"""A certificate authority that speaks ACME, Debian's pebble, and the client certbot, in folders of the test's own."""

import json
import os
import ssl
import subprocess
import urllib.request

import waiting

ADDRESS, PORT, MANAGEMENT, CHALLENGE = "127.0.0.1", 14000, 15000, 5002
NAME = "acme.signed"


class Authority:
    def __init__(self, folder, ca):
        """`ca` signs the certificate of the ACME server itself."""
        self.folder, self.ca_file = folder, ca.ca_file
        os.makedirs(folder)
        leaf = ca.leaf(NAME, "localhost")
        config = {"pebble": {"listenAddress": f"{ADDRESS}:{PORT}", "managementListenAddress": f"{ADDRESS}:{MANAGEMENT}",
                             "certificate": ca.chain_file(leaf), "privateKey": leaf.key.path, "httpPort": CHALLENGE, "tlsPort": 5001,
                             "ocspResponderURL": "", "externalAccountBindingRequired": False}}
        with open(os.path.join(folder, "pebble.json"), "w", encoding="ascii") as file:
            json.dump(config, file)
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        with open(os.path.join(folder, "pebble.log"), "wb") as log:
            self._process = subprocess.Popen(["pebble", "-config", os.path.join(folder, "pebble.json"), "-dnsserver", "127.0.0.1:53"], env=environment,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.root = waiting.until(self._fetch_root, "pebble answers", 20)

    def _fetch_root(self):
        """Its root certificate, which it makes when it starts."""
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            with urllib.request.urlopen(f"https://localhost:{MANAGEMENT}/roots/0", context=context, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def stop(self):
        self._process.terminate()
        self._process.wait()


class Certbot:
    def __init__(self, folder, authority):
        self.folder, self.authority = folder, authority

    def run(self, command, *arguments, environment=None):
        """The exit status and all that it says."""
        done = subprocess.run(["certbot", command, "--config-dir", f"{self.folder}/config", "--work-dir", f"{self.folder}/work", "--logs-dir",
                               f"{self.folder}/logs", "--non-interactive", "--no-random-sleep-on-renew", *arguments],
                              env={**os.environ, **(environment or {}), "REQUESTS_CA_BUNDLE": self.authority.ca_file}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180, check=False)
        return done.returncode, done.stdout

    def obtain(self, name, *arguments, **more):
        """The first certificate for a name."""
        return self.run("certonly", "--standalone", "--http-01-port", str(CHALLENGE), "--server", f"https://localhost:{PORT}/dir", "--agree-tos",
                        "--register-unsafely-without-email", "--key-type", "ecdsa", "-d", name, *arguments, **more)

    def renew(self, *arguments, **more):
        return self.run("renew", "--force-renewal", *arguments, **more)

    def live(self, name, file):
        return os.path.join(self.folder, "config", "live", name, file)
