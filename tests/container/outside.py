"""The world outside the containers: a network that ends here, a signed DNS root with all names in it, and two mail hosts."""

import os
import pathlib
import socket
import ssl
import subprocess
import threading

import waiting

GATEWAY, ROOT_SERVER, GOOD, CLEAR = "172.30.53.1", "172.30.53.2", "203.0.114.10", "203.0.114.11"
ZONE = f""". 3600 SOA ns.mxc. h.mxc. 1 3600 600 86400 60
. 3600 NS ns.mxc.
ns.mxc. 3600 A {ROOT_SERVER}
dane.mxc. 3600 MX 10 mx.dane.mxc.
mx.dane.mxc. 3600 A {GOOD}
_25._tcp.mx.dane.mxc. 3600 TLSA 3 1 1 KEY
clear.mxc. 3600 MX 10 mx.clear.mxc.
mx.clear.mxc. 3600 A {CLEAR}
must.mxc. 3600 MX 10 mx.clear.mxc.
later.mxc. 3600 MX 10 mx.dane.mxc.
"""


def run(*words, **options):
    """The finished program, which must have gone well."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}")
    return done.stdout


class MailHost:
    """Takes mail at an address, with STARTTLS if there is a context; `got`: for each message, whether TLS was on."""

    def __init__(self, address, context):
        self.context, self.got = context, []
        self.listener = socket.create_server((address, 25), backlog=50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.settimeout(60)
            connection.sendall(b"220 mx ESMTP\r\n")
            self._talk(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _talk(self, connection):
        reader, data, tls = connection.makefile("rb"), False, False
        while line := reader.readline(2000):
            verb = line.strip().upper()
            if data:
                data = verb != b"."
                answer = b"" if data else b"250 taken"
                if not data:
                    self.got.append(tls)
            elif verb.startswith(b"EHLO"):
                answer = b"250-mx\r\n250 STARTTLS" if self.context and not tls else b"250 mx"
            elif verb == b"STARTTLS" and self.context and not tls:
                connection.sendall(b"220 go\r\n")
                connection = self.context.wrap_socket(connection, server_side=True)
                reader, tls, answer = connection.makefile("rb"), True, b""
            elif verb == b"DATA":
                data, answer = True, b"354 go"
            else:
                answer = b"221 bye" if verb == b"QUIT" else b"250 ok"
            if answer:
                connection.sendall(answer + b"\r\n")
            if verb == b"QUIT" and not data:
                return


class Outside:
    """What must be there before a container starts. All of it is in namespaces of the test's own."""

    def __init__(self, folder, gateway=True):
        """`gateway=False`: the engine makes the containers' network, and with it the gateway."""
        self.folder = folder
        self._network([GATEWAY] if gateway else [])
        self._names()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, "mx.pem"), os.path.join(folder, "mx.key"))
        self.good, self.clear = MailHost(GOOD, context), MailHost(CLEAR, None)

    def _network(self, gateways):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        run("ip", "link", "set", "lo", "up")
        # a MAC of its own: else it has that of one of its ports, and another one when that goes
        run("ip", "link", "add", "mxc", "address", "02:00:00:00:00:01", "type", "bridge")
        for address in (*gateways, ROOT_SERVER, GOOD, CLEAR):
            run("ip", "address", "add", f"{address}/{24 if address == GATEWAY else 32}", "dev", "mxc")
        run("ip", "link", "set", "mxc", "up")
        self._made, self._ends = 0, {}

    def network(self, name, address, ipv6=True):
        """A network namespace with that address, for a container; its path."""
        self._made += 1
        end = self._ends[name] = f"v{self._made}"
        run("ip", "netns", "add", name)
        # an address keeps its MAC, or neighbours go on sending to the container before
        mac = "02:00:" + ":".join(f"{int(octet):02x}" for octet in address.split("."))
        run("ip", "link", "add", end, "master", "mxc", "type", "veth", "peer", "name", "eth0", "address", mac, "netns", name)
        run("ip", "link", "set", end, "up")
        for words in (("link", "set", "lo", "up"), ("address", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                      ("route", "add", "default", "via", GATEWAY)):
            run("ip", "-n", name, *words)
        if not ipv6:
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        return f"/run/netns/{name}"

    def forget_network(self, name):
        """At once: the kernel may take seconds for the namespace, and its address would go on being answered for."""
        run("ip", "link", "delete", self._ends.pop(name))
        run("ip", "netns", "delete", name)

    def _names(self):
        def here(name):
            return os.path.join(self.folder, name)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", here("mx.key"), "-out", here("mx.pem"),
            "-days", "30", "-subj", "/CN=mx.dane.mxc", "-addext", "subjectAltName=DNS:mx.dane.mxc")
        key = run("sh", "-c", f"openssl x509 -in {here('mx.pem')} -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum").split()[0]
        pathlib.Path(here("root.zone")).write_text(ZONE.replace("KEY", key), encoding="ascii")
        pathlib.Path(here("hints")).write_text(f". 3600 NS ns.mxc.\nns.mxc. 3600 A {ROOT_SERVER}\n", encoding="ascii")
        signer = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", ".", cwd=self.folder).strip()
        run("ldns-signzone", "-n", "-o", ".", "root.zone", signer, cwd=self.folder)
        pathlib.Path(here("anchor")).write_text(pathlib.Path(here(signer + ".ds")).read_text(encoding="ascii"), encoding="ascii")
        lines = ["server:", f"  ip-address: {ROOT_SERVER}", '  username: ""', '  database: ""', "  server-count: 1", f'  zonesdir: "{self.folder}"',
                 f'  pidfile: "{here("nsd.pid")}"', f'  xfrdfile: "{here("xfrd")}"', f'  zonelistfile: "{here("zones")}"', f'  xfrdir: "{self.folder}/"',
                 "remote-control:", "  control-enable: no", "zone:", '  name: "."', f'  zonefile: "{here("root.zone.signed")}"']
        pathlib.Path(here("nsd.conf")).write_text("\n".join(lines) + "\n", encoding="ascii")
        with open(here("nsd.log"), "wb") as log:
            # pylint: disable=consider-using-with
            self.nsd = subprocess.Popen(["nsd", "-d", "-c", here("nsd.conf")], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        waiting.until(self._root_answers, "NSD answers")

    @staticmethod
    def _root_answers():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(1)
            try:
                asker.sendto(b"\0\1\0\0\0\1\0\0\0\0\0\0\0\0\6\0\1", (ROOT_SERVER, 53))
                return len(asker.recv(512)) > 12
            except OSError:
                return False
