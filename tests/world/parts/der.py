"""A DER writer for X.509 certificates, so that a case can put anything into one, right or wrong."""

import datetime
import ipaddress

SEQUENCE, SET, INTEGER, BITS, OCTETS, OID, UTF8, UTCTIME, GENTIME, BOOL = 0x30, 0x31, 2, 3, 4, 6, 0x0C, 0x17, 0x18, 1
SAN_EMAIL, SAN_DNS, SAN_URI, SAN_IP = 0x81, 0x82, 0x86, 0x87

OID_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
OID_ECDSA_SHA1 = "1.2.840.10045.4.1"
OID_RSA_SHA256 = "1.2.840.113549.1.1.11"
OID_RSA = "1.2.840.113549.1.1.1"
OID_CN = "2.5.4.3"
OID_SAN = "2.5.29.17"
OID_BASIC_CONSTRAINTS = "2.5.29.19"
OID_NAME_CONSTRAINTS = "2.5.29.30"


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def integer(value):
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = (int(word) for word in text.split("."))
    out = bytes([first * 40 + second])
    for number in rest:
        chunk = [number & 0x7F]
        while number > 0x7F:
            number >>= 7
            chunk.append(0x80 | number & 0x7F)
        out += bytes(reversed(chunk))
    return tlv(OID, out)


def bits(raw):
    return tlv(BITS, b"\0" + raw)


def name(common_name):
    if not common_name:
        return tlv(SEQUENCE)
    return tlv(SEQUENCE, tlv(SET, tlv(SEQUENCE, oid(OID_CN), tlv(UTF8, common_name.encode()))))


def time(moment):
    if moment.year < 2050:
        return tlv(UTCTIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(GENTIME, moment.strftime("%Y%m%d%H%M%SZ").encode())


def validity(start_days, end_days):
    now = datetime.datetime.now(datetime.timezone.utc)
    return tlv(SEQUENCE, time(now + datetime.timedelta(days=start_days)), time(now + datetime.timedelta(days=end_days)))


def general_name(entry):
    """A SAN: a host name as text, an address object, (tag, bytes) for anything else."""
    if isinstance(entry, str):
        return tlv(SAN_DNS, entry.encode("utf-8"))
    if isinstance(entry, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return tlv(SAN_IP, entry.packed)
    return tlv(entry[0], entry[1])


def extension(identifier, value, critical=False):
    return tlv(SEQUENCE, oid(identifier), tlv(BOOL, b"\xff") if critical else b"", tlv(OCTETS, value))


def extensions(san, is_ca, permitted=()):
    parts = []
    if san:
        parts.append(extension(OID_SAN, tlv(SEQUENCE, *(general_name(entry) for entry in san))))
    if is_ca:
        parts.append(extension(OID_BASIC_CONSTRAINTS, tlv(SEQUENCE, tlv(BOOL, b"\xff")), critical=True))
    if permitted:
        trees = tlv(0xA0, *(tlv(SEQUENCE, general_name(entry)) for entry in permitted))
        parts.append(extension(OID_NAME_CONSTRAINTS, tlv(SEQUENCE, trees), critical=True))
    return tlv(0xA3, tlv(SEQUENCE, *parts)) if parts else b""


def rsa_public_key(modulus, exponent=65537):
    """SubjectPublicKeyInfo of an RSA key that nobody needs to hold."""
    key = tlv(SEQUENCE, integer(modulus), integer(exponent))
    return tlv(SEQUENCE, tlv(SEQUENCE, oid(OID_RSA), tlv(5)), bits(key))


def to_be_signed(serial, algorithm, issuer, subject, days, public_key, extension_block):
    return tlv(SEQUENCE, tlv(0xA0, integer(2)), integer(serial), algorithm, name(issuer), validity(*days),
               name(subject), public_key, extension_block)
