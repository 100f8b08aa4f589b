"""A name server that takes dynamic updates (RFC 2136), as nsupdate sends them; to other questions it passes on what NSD says."""

import contextlib
import socket
import struct
import subprocess
import threading

import dnsworld

UPDATE, OPCODE, RESPONSE = 5 << 11, 0xf << 11, 0x8000
CLASS_NONE, CLASS_ANY = 254, 255
TYPES = {16: "TXT", 52: "TLSA"}
PATIENCE_S = 5


def _name(packet, at):
    """The name there, and where it ends."""
    labels, end = [], None
    while packet[at]:
        if packet[at] >= 0xc0:
            end = end or at + 2
            at = int.from_bytes(packet[at:at + 2], "big") & 0x3fff
            continue
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii"))
        at += 1 + packet[at]
    return ".".join(labels) + ".", end or at + 1


def _text(rrtype, rdata):
    """As in a zone file."""
    if rrtype == "TLSA":
        return f"{rdata[0]} {rdata[1]} {rdata[2]} {rdata[3:].hex()}"
    strings = []
    while rdata:
        strings.append(rdata[1:1 + rdata[0]].decode("ascii"))
        rdata = rdata[1 + rdata[0]:]
    return " ".join('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in strings)


class Updates:
    """`records`: (name, type) -> {rdata: TTL}; it changes as the updates say."""

    def __init__(self, address, records):
        self.address, self.records, self.count = address, records, 0

    def run(self, commands):
        """Has nsupdate carry the commands out."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((self.address, 53))
            server.settimeout(0.1)
            over = threading.Event()
            thread = threading.Thread(target=self._serve, args=(server, over))
            thread.start()
            try:
                return subprocess.run(["nsupdate"], input=f"server {self.address}\n{commands}", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      text=True, timeout=60, check=False)
            finally:
                over.set()
                thread.join()

    def _serve(self, server, over):
        while not over.is_set():
            with contextlib.suppress(socket.timeout):
                packet, client = server.recvfrom(65535)
                flags = int.from_bytes(packet[2:4], "big")
                server.sendto(self._update(packet) if flags & OPCODE == UPDATE else self._pass_on(packet), client)

    @staticmethod
    def _pass_on(packet):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect((dnsworld.NSD_ADDRESS, 53))
            sock.send(packet)
            return sock.recv(65535)

    def _update(self, packet):
        ident, _, _, _, count, _ = struct.unpack("!6H", packet[:12])
        _, at = _name(packet, 12)
        at += 4
        for _ in range(count):
            name, at = _name(packet, at)
            number, rrclass, ttl, length = struct.unpack("!HHIH", packet[at:at + 10])
            at += 10
            self._apply(name, TYPES[number], rrclass, ttl, packet[at:at + length])
            at += length
        self.count += 1
        return struct.pack("!6H", ident, RESPONSE | UPDATE, 0, 0, 0, 0)

    def _apply(self, name, rrtype, rrclass, ttl, rdata):
        rrset = self.records.setdefault((name, rrtype), {})
        if rrclass == CLASS_ANY:
            rrset.clear()
        elif rrclass == CLASS_NONE:
            rrset.pop(_text(rrtype, rdata), None)
        else:
            rrset[_text(rrtype, rdata)] = ttl
