"""A DNS of the tests' own: NSD serves a signed root, a signed and an unsigned TLD and their children; unbound validates.

Names below `signed.` are secure, names below `plain.` are not. A case adds records to either, or children of a kind:
signed, unsigned, bogus (the DS fits no key: SERVFAIL), optout (NSEC3 with opt-out), lame (nothing listens at its server) or
silent (its server takes questions and never answers): unbound tries for longer than anybody waits.

A zone may have a secondary, a second server that says the same, lags behind with lines of its own, or is silent."""

import ipaddress
import os
import signal
import socket
import subprocess

import dnswire
import waiting

NSD_ADDRESS = "198.51.100.53"
SECONDARY_ADDRESS, SILENT_SECONDARY_ADDRESS = "198.51.100.57", "198.51.100.58"
DEAD_ADDRESSES = "198.51.100.%d"  # of servers that do not answer, one for each as far as they reach: unbound remembers them
LAME_RANGE, SILENT_RANGE = range(100, 200), range(200, 250)
UNBOUND_ADDRESS = "127.0.0.1"
SOA_MINIMUM, TTL = 300, 3600
SIGNED_KINDS = ("signed", "bogus", "optout")
SERVED_KINDS = (*SIGNED_KINDS, "unsigned")
DEAD_KINDS = ("lame", "silent")
SERVERS = {"ns": NSD_ADDRESS, "ns2": SECONDARY_ADDRESS, "ns3": SILENT_SECONDARY_ADDRESS}
SIGNED_UNTIL = "20371231000000"
OWN_REVERSE_ZONES = ("100.51.198.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")  # of which unbound says without asking that they are empty


def _silent_server(address):
    """Takes questions and never answers."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    return server


class Zone:
    """`secondary`: None, "same", "silent", or the lines that a secondary with an older serial has instead."""

    def __init__(self, name, kind, soa_minimum=SOA_MINIMUM, secondary=None, signed_until=SIGNED_UNTIL, ttl=TTL):
        self.name, self.kind, self.soa_minimum, self.ttl = name, kind, soa_minimum, ttl
        self.secondary, self.signed_until = secondary, signed_until
        self.lines, self.serial = [], 2

    @property
    def origin(self):
        return self.name + "." if self.name else "."

    @property
    def server(self):
        return f"ns.{self.origin}" if self.kind in DEAD_KINDS else "ns.signed."

    @property
    def servers(self):
        if self.secondary is None:
            return [self.server]
        return [self.server, "ns3.signed." if self.secondary == "silent" else "ns2.signed."]

    @property
    def lags(self):
        return isinstance(self.secondary, list)

    @property
    def depth(self):
        return len(self.name.split(".")) if self.name else 0

    def text(self, lines=None, serial=None):
        head = [f"{self.origin} 3600 IN SOA ns.signed. hostmaster.signed. {serial or self.serial} 3600 600 86400 {self.soa_minimum}",
                *[f"{self.origin} 3600 IN NS {server}" for server in self.servers], f"$TTL {self.ttl}"]
        return "\n".join([*head, *(self.lines if lines is None else lines)]) + "\n"


class DnsWorld:
    def __init__(self, folder):
        self.folder = folder
        self.zones = {"": Zone("", "signed"), "signed": Zone("signed", "signed"), "plain": Zone("plain", "unsigned")}
        self.unbound_lines = []  # more of unbound.conf, behind the rest: the last word on a setting counts
        self._processes, self._nsds = [], []
        os.makedirs(folder, exist_ok=True)
        self._lame = 0
        self._silent = []
        for name, address in SERVERS.items():
            self.zones["signed"].lines.append(f"{name}.signed. A {address}")
        self.zones[""].lines.append(f"ns.signed. A {NSD_ADDRESS}")

    def add(self, origin, *lines):
        """Records below signed. or plain., names relative to origin."""
        self.zones[origin.rsplit(".", 1)[-1]].lines += [f"$ORIGIN {origin}.", *lines]

    def add_child(self, name, kind, *lines, **more):
        """A zone of its own; names relative to it."""
        self.zones[name] = zone = Zone(name, kind, **more)
        zone.lines += [f"$ORIGIN {name}.", *lines]
        if zone.lags:
            zone.secondary.insert(0, f"$ORIGIN {name}.")

    def add_reverse(self, address, name):
        """A PTR record."""
        owner = ipaddress.ip_address(address).reverse_pointer
        zone = owner.split(".", owner.count(".") - 1)[-1]
        if zone not in self.zones:
            self.add_child(zone, "unsigned")
        self.zones[zone].lines.append(f"{owner}. PTR {name}.")

    def change(self, name, *lines):
        """A child has these records and no others from now on; what is cached stays so for its TTL."""
        zone = self.zones[name]
        zone.lines, zone.serial = [f"$ORIGIN {name}.", *lines], zone.serial + 1
        self._write(zone)
        for server in self._nsds:
            server.send_signal(signal.SIGHUP)
        for address in (NSD_ADDRESS, SECONDARY_ADDRESS)[:len(zone.servers)]:
            waiting.until(lambda address=address: self._serial(address, name) == zone.serial, f"{address} has the new zone of {name}")

    def start(self):
        for zone in sorted(self.zones.values(), key=lambda zone: -zone.depth):
            self._delegate(zone)
            self._write(zone)
        self.nsd = self._start_nsd("nsd", NSD_ADDRESS, [zone for zone in self.zones.values() if zone.kind in SERVED_KINDS])
        self._start_secondaries()
        self._start_unbound()

    def _start_secondaries(self):
        zones = [zone for zone in self.zones.values() if zone.secondary not in (None, "silent")]
        if zones:
            self._start_nsd("nsd2", SECONDARY_ADDRESS, zones)
        if any(zone.secondary == "silent" for zone in self.zones.values()):
            self._silent.append(_silent_server(SILENT_SECONDARY_ADDRESS))

    def _add_dead_server(self, zone):
        numbers, used = (SILENT_RANGE, len(self._silent)) if zone.kind == "silent" else (LAME_RANGE, self._lame)
        address = DEAD_ADDRESSES % numbers[used % len(numbers)]
        self._parent(zone).lines.append(f"{zone.server} A {address}")
        if zone.kind == "lame":
            self._lame += 1
        elif used < len(numbers):
            self._silent.append(_silent_server(address))

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
        self._parent(zone).lines += [f"{zone.origin} NS {server}" for server in zone.servers]
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
        self._write_file(zone, "", zone.text())
        if zone.lags:
            self._write_file(zone, ".old", zone.text(zone.secondary, serial=1))

    def _write_file(self, zone, version, text):
        with open(self._path(zone, version + ".zone"), "w", encoding="utf-8") as file:
            file.write(text)
        if zone.kind not in SIGNED_KINDS:
            return
        options = ["-n", "-p"] if zone.kind == "optout" else []
        subprocess.run(["ldns-signzone", *options, "-i", "20200101000000", "-e", zone.signed_until, "-f", self._path(zone, version + ".served"),
                        self._path(zone, version + ".zone"), self._key(zone)], check=True, stdout=subprocess.PIPE)

    def _start_nsd(self, name, address, zones):
        lines = ["server:", f"  ip-address: {address}", '  username: ""', '  database: ""', "  server-count: 1",
                 f'  zonesdir: "{self.folder}"', f'  pidfile: "{self.folder}/{name}.pid"', f'  xfrdfile: "{self.folder}/{name}.xfrd"',
                 f'  zonelistfile: "{self.folder}/{name}.zones"', f'  xfrdir: "{self.folder}/"', "  tcp-count: 200", "  rrl-ratelimit: 0",
                 "remote-control:", "  control-enable: no"]
        for zone in zones:
            version = ".old" if zone.lags and address == SECONDARY_ADDRESS else ""
            end = ".served" if zone.kind in SIGNED_KINDS else ".zone"
            lines += ["zone:", f'  name: "{zone.origin}"', f'  zonefile: "{self._path(zone, version + end)}"']
        process = self._start(["nsd", "-d", "-c"], name, lines)
        self._nsds.append(process)
        waiting.until(lambda: self._answers(address, zones[0].name), "NSD answers")
        errors = [line for line in self._read(os.path.join(self.folder, name + ".log")).splitlines() if " error: " in line]
        if errors:
            raise RuntimeError(f"NSD: {errors}")
        return process

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
                 *[f'  local-zone: "{zone}." nodefault' for zone in OWN_REVERSE_ZONES],
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
        answer = self._ask_soa(address, name)
        return int.from_bytes(answer[2:4], "big") if answer[6:8] != b"\0\0" else 0

    def _serial(self, address, name):
        """That of the SOA answer; its numbers follow the names, which are the same in every zone."""
        numbers = b"\0\0\x0e\x10\0\0\x02\x58\0\1\x51\x80"  # refresh, retry and expire, as Zone.text has them
        head, found, _ = self._ask_soa(address, name).partition(numbers)
        return int.from_bytes(head[-4:], "big") if found else None

    def _ask_soa(self, address, name):
        query = b"\0\1\x01\x20\0\1\0\0\0\0\0\1" + dnswire.name_bytes(name) + b"\0\6\0\1" + dnswire.opt_record()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            try:
                sock.connect((address, 53))
                sock.send(query)
                return sock.recv(4096)
            except OSError:
                return bytes(12)
