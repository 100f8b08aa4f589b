"""Just enough of the DNS wire format for a scripted server: read a question, write answers, right or wrong on purpose."""

import ipaddress
import struct
from dataclasses import dataclass, field

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "DNAME": 39, "OPT": 41, "TLSA": 52}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
CLASS_IN = 1
SAME_OWNER = b"\xc0\x0c"  # a pointer to the question's name


@dataclass
class Question:
    ident: int
    flags: int
    name: str
    rrtype: int
    edns_size: int = 0
    dnssec_ok: bool = False
    raw: bytes = field(default=b"", repr=False)


def type_number(rrtype):
    return rrtype if isinstance(rrtype, int) else TYPES[rrtype]


def name_bytes(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("latin-1")
            out += bytes([len(raw)]) + raw
    return out + b"\0"


def _read_name(packet, at):
    labels = []
    while packet[at]:
        length = packet[at]
        labels.append(packet[at + 1:at + 1 + length].decode("latin-1"))
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def read_question(packet):
    ident, flags, _, _, _, additional = struct.unpack("!6H", packet[:12])
    name, at = _read_name(packet, 12)
    rrtype, _ = struct.unpack("!HH", packet[at:at + 4])
    question = Question(ident, flags, name, rrtype, raw=packet[12:at + 4])
    at += 4
    if additional and packet[at:at + 3] == b"\0\0\x29":
        size, ttl = struct.unpack("!HI", packet[at + 3:at + 9])
        question.edns_size, question.dnssec_ok = size, bool(ttl & 0x8000)
    return question


def record(name, rrtype, rdata, ttl=3600, rrclass=CLASS_IN):
    """One resource record; the name is text or wire format; rdata is bytes, or text as in a zone file for the types known here."""
    owner = name if isinstance(name, bytes) else name_bytes(name)
    if isinstance(rdata, str):
        rdata = rdata_bytes(rrtype, rdata)
    return owner + struct.pack("!HHIH", type_number(rrtype), rrclass, ttl & 0xFFFFFFFF, len(rdata)) + rdata


def rdata_bytes(rrtype, text):
    words = text.split()
    if rrtype in ("A", "AAAA"):
        return ipaddress.ip_address(text).packed
    if rrtype in ("CNAME", "NS", "DNAME"):
        return name_bytes(text)
    if rrtype == "MX":
        return struct.pack("!H", int(words[0])) + name_bytes(words[1])
    if rrtype == "TLSA":
        return bytes(int(word) for word in words[:3]) + bytes.fromhex("".join(words[3:]))
    if rrtype == "TXT":
        raw = text.encode("latin-1")
        return b"".join(bytes([len(part)]) + part for part in (raw[i:i + 255] for i in range(0, len(raw), 255))) or b"\0"
    if rrtype == "SOA":
        return name_bytes(words[0]) + name_bytes(words[1]) + struct.pack("!5I", *(int(word) for word in words[2:]))
    raise ValueError(f"no text form for {rrtype}")


def opt_record(size=1232, dnssec_ok=True, options=b""):
    return b"\0" + struct.pack("!HHIH", TYPES["OPT"], size, 0x8000 if dnssec_ok else 0, len(options)) + options


def reply(question, answers=(), rcode="NOERROR", ad=False, flags=0, authority=(), counts=None, ident=None, opt=True):
    """A response to the question; `counts` overrides the four section counts to tell lies with."""
    extra = [opt_record()] if opt and question.edns_size else []
    bits = QR | RA | (question.flags & RD) | (AD if ad else 0) | flags | RCODES[rcode]
    if counts is None:
        counts = (1, len(answers), len(authority), len(extra))
    header = struct.pack("!6H", question.ident if ident is None else ident, bits, *counts)
    return header + question.raw + b"".join(answers) + b"".join(authority) + b"".join(extra)
