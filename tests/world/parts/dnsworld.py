"""A DNS of the tests' own: NSD serves a signed root, a signed and an unsigned TLD and their children; unbound validates.

Names below `signed.` are secure, names below `plain.` are not. A case adds records to either, or children of a kind:
signed, unsigned, bogus (the DS fits no key: SERVFAIL), optout (NSEC3 with opt-out), lame (nothing listens at its server) or
silent (its server takes questions and never answers): unbound tries for longer than anybody waits."""

import os
import socket
import subprocess

import dnswire
import waiting

NSD_ADDRESS = "198.51.100.53"
DEAD_ADDRESSES = "198.51.100.%d"  # of servers that do not answer, one for each as far as they reach: unbound remembers them
LAME_RANGE, SILENT_RANGE = range(100, 200), range(200, 250)
UNBOUND_ADDRESS = "127.0.0.1"
SOA_MINIMUM = 300
SIGNED_KINDS = ("signed", "bogus", "optout")
SERVED_KINDS = (*SIGNED_KINDS, "unsigned")
DEAD_KINDS = ("lame", "silent")


class Zone:
    def __init__(self, name, kind, soa_minimum=SOA_MINIMUM):
        self.name, self.kind, self.soa_minimum = name, kind, soa_minimum
        self.lines = []

    @property
    def origin(self):
        return self.name + "." if self.name else "."

    @property
    def server(self):
        return f"ns.{self.origin}" if self.kind in DEAD_KINDS else "ns.signed."

    @property
    def depth(self):
        return len(self.name.split(".")) if self.name else 0

    def text(self):
        head = [f"{self.origin} 3600 IN SOA ns.signed. hostmaster.signed. 1 3600 600 86400 {self.soa_minimum}",
                f"{self.origin} 3600 IN NS ns.signed.", "$TTL 3600"]
        return "\n".join([*head, *self.lines]) + "\n"


class DnsWorld:
    def __init__(self, folder):
        self.folder = folder
        self.zones = {"": Zone("", "signed"), "signed": Zone("signed", "signed"), "plain": Zone("plain", "unsigned")}
        self.unbound_lines = []  # more of unbound.conf, behind the rest: the last word on a setting counts
        self._processes = []
        os.makedirs(folder, exist_ok=True)
        self._lame = 0
        self._silent = []
        self.zones["signed"].lines.append(f"ns.signed. A {NSD_ADDRESS}")
        self.zones[""].lines.append(f"ns.signed. A {NSD_ADDRESS}")

    def add(self, origin, *lines):
        """Records below signed. or plain., names relative to origin."""
        self.zones[origin.rsplit(".", 1)[-1]].lines += [f"$ORIGIN {origin}.", *lines]

    def add_child(self, name, kind, *lines, soa_minimum=SOA_MINIMUM):
        """A zone of its own; names relative to it."""
        self.zones[name] = Zone(name, kind, soa_minimum)
        self.zones[name].lines += [f"$ORIGIN {name}.", *lines]

    def start(self):
        for zone in sorted(self.zones.values(), key=lambda zone: -zone.depth):
            self._delegate(zone)
            self._write(zone)
        self._start_nsd()
        self._start_unbound()

    def _add_dead_server(self, zone):
        numbers, used = (SILENT_RANGE, len(self._silent)) if zone.kind == "silent" else (LAME_RANGE, self._lame)
        address = DEAD_ADDRESSES % numbers[used % len(numbers)]
        self._parent(zone).lines.append(f"{zone.server} A {address}")
        if zone.kind == "lame":
            self._lame += 1
        elif used < len(numbers):
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((address, 53))
            self._silent.append(server)

    def stop(self):
        for server in self._silent:
            server.close()
        for process in self._processes:
            process.terminate()
            process.wait()

    def _parent(self, zone):
        labels = zone.name.split(".")[1:]
        while ".".join(labels) not in self.zones:
            labels = labels[1:]
        return self.zones[".".join(labels)]

    def _delegate(self, zone):
        if not zone.name:
            return
        self._parent(zone).lines.append(f"{zone.origin} NS {zone.server}")
        if zone.kind in DEAD_KINDS:
            self._add_dead_server(zone)
        if zone.kind in SIGNED_KINDS:
            published = self._new_key(zone) if zone.kind == "bogus" else self._key(zone)
            self._parent(zone).lines.append(self._read(published + ".ds"))

    def _path(self, zone, end):
        return os.path.join(self.folder, (zone.name or "root") + end)

    def _read(self, path):
        with open(path, encoding="ascii") as file:
            return file.read().strip()

    def _new_key(self, zone):
        made = subprocess.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone.origin], cwd=self.folder, check=True,
                              stdout=subprocess.PIPE, text=True)
        return os.path.join(self.folder, made.stdout.strip())

    def _key(self, zone):
        if not hasattr(zone, "key"):
            zone.key = self._new_key(zone)
        return zone.key

    def _write(self, zone):
        if zone.kind not in SERVED_KINDS:
            return
        with open(self._path(zone, ".zone"), "w", encoding="utf-8") as file:
            file.write(zone.text())
        if zone.kind not in SIGNED_KINDS:
            return
        options = ["-n", "-p"] if zone.kind == "optout" else []
        subprocess.run(["ldns-signzone", *options, "-i", "20200101000000", "-e", "20371231000000", "-f", self._path(zone, ".served"),
                        self._path(zone, ".zone"), self._key(zone)], check=True, stdout=subprocess.PIPE)

    def _start_nsd(self):
        lines = ["server:", f"  ip-address: {NSD_ADDRESS}", '  username: ""', '  database: ""', "  server-count: 1",
                 f'  zonesdir: "{self.folder}"', f'  pidfile: "{self.folder}/nsd.pid"', f'  xfrdfile: "{self.folder}/xfrd"',
                 f'  zonelistfile: "{self.folder}/zones"', "  tcp-count: 200", "  rrl-ratelimit: 0",
                 "remote-control:", "  control-enable: no"]
        for zone in self.zones.values():
            if zone.kind in SERVED_KINDS:
                end = ".served" if zone.kind in SIGNED_KINDS else ".zone"
                lines += ["zone:", f'  name: "{zone.origin}"', f'  zonefile: "{self._path(zone, end)}"']
        self.nsd = self._start(["nsd", "-d", "-c"], "nsd", lines)
        waiting.until(lambda: self._answers(NSD_ADDRESS, ""), "NSD answers")
        errors = [line for line in self._read(os.path.join(self.folder, "nsd.log")).splitlines() if " error: " in line]
        if errors:
            raise RuntimeError(f"NSD: {errors}")

    def _start_unbound(self):
        hints = os.path.join(self.folder, "hints")
        with open(hints, "w", encoding="ascii") as file:
            file.write(f". 3600 NS ns.signed.\nns.signed. 3600 A {NSD_ADDRESS}\n")
        anchor = self._key(self.zones[""]) + ".ds"
        lines = ["server:", f"  interface: {UNBOUND_ADDRESS}", "  do-ip6: no", '  chroot: ""', '  username: ""', f'  directory: "{self.folder}"',
                 f'  pidfile: "{self.folder}/unbound.pid"', "  use-syslog: no", "  do-not-query-localhost: no",
                 f'  root-hints: "{hints}"', f'  trust-anchor-file: "{anchor}"', '  module-config: "validator iterator"',
                 "  qname-minimisation: no", "  num-threads: 1", "  infra-cache-min-rtt: 20", "  incoming-num-tcp: 200",
                 "  access-control: 0.0.0.0/0 allow", "  msg-cache-size: 64m", "  rrset-cache-size: 64m",
                 "remote-control:", "  control-enable: no", *self.unbound_lines]
        self.unbound = self._start(["unbound", "-d", "-c"], "unbound", lines)
        waiting.until(lambda: self._answers(UNBOUND_ADDRESS, "signed") & dnswire.AD, "unbound validates")

    def _start(self, command, name, lines):
        path = os.path.join(self.folder, name + ".conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        with open(os.path.join(self.folder, name + ".log"), "wb") as log:
            self._processes.append(subprocess.Popen([*command, path], stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        return self._processes[-1]

    def _answers(self, address, name):
        """The flags of the SOA answer, 0 when there is none."""
        query = b"\0\1\x01\x20\0\1\0\0\0\0\0\1" + dnswire.name_bytes(name) + b"\0\6\0\1" + dnswire.opt_record()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            try:
                sock.connect((address, 53))
                sock.send(query)
                answer = sock.recv(4096)
            except OSError:
                return 0
        return int.from_bytes(answer[2:4], "big") if answer[6:8] != b"\0\0" else 0
