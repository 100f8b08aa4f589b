"""The tests' certificates: CAs, leaves good and bad, chains, TLSA data. Made when asked for, kept for the run.

Only keys and signatures come from a library; the certificate itself is written by der.py."""

import base64
import functools
import hashlib
import itertools
import os
import secrets
import ssl
import threading
from dataclasses import dataclass, field, replace

import der
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

EXPONENT = 65537


def _pem(kind, raw):
    body = base64.encodebytes(raw).decode().replace("\n", "")
    lines = "\n".join(body[i:i + 64] for i in range(0, len(body), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"


@dataclass(frozen=True)
class Key:
    path: str
    spki: bytes
    private: object = field(default=None, compare=False, repr=False)  # None: nobody has it
    is_rsa: bool = False
    digest: str = "sha256"                 # of its signatures; sha1 for an EC key only

    @property
    def algorithm(self):
        if self.is_rsa:
            return der.tlv(der.SEQUENCE, der.oid(der.OID_RSA_SHA256), der.tlv(5))
        return der.tlv(der.SEQUENCE, der.oid(der.OID_ECDSA_SHA1 if self.digest == "sha1" else der.OID_ECDSA_SHA256))

    def sign(self, data):
        digest = hashes.SHA1() if self.digest == "sha1" else hashes.SHA256()
        return self.private.sign(data, padding.PKCS1v15(), digest) if self.is_rsa else self.private.sign(data, ec.ECDSA(digest))


@dataclass(frozen=True)
class Cert:
    """A certificate with its key; `issuer` is None for a self-signed one."""
    raw: bytes
    key: Key
    subject: str
    issuer: "Cert | None" = field(default=None, repr=False)

    @property
    def pem(self):
        return _pem("CERTIFICATE", self.raw)

    def tlsa(self, usage=3, selector=1, mtype=1):
        """TLSA rdata in zone file form that this certificate matches."""
        data = self.raw if selector == 0 else self.key.spki
        digest = {0: lambda d: d, 1: lambda d: hashlib.sha256(d).digest(), 2: lambda d: hashlib.sha512(d).digest()}
        return f"{usage} {selector} {mtype} {digest[mtype](data).hex()}"


class Authority:
    """Everything about certificates in one world."""

    def __init__(self, folder):
        self.folder = folder
        self._serials = itertools.count(int.from_bytes(os.urandom(4), "big"))
        self._lock = threading.Lock()
        self._made = {}
        os.makedirs(folder, exist_ok=True)
        self.root = self.new_ca("world test root")
        self.ca_file = self._write("ca.pem", self.root.pem)

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def new_key(self, rsa_bits=0):
        private = rsa.generate_private_key(EXPONENT, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        spki = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return Key(self._write(f"key-{next(self._serials)}.pem", pem.decode()), spki, private, bool(rsa_bits))

    @functools.cached_property
    def leaf_key(self):
        """The key of every leaf that needs none of its own."""
        return self.new_key()

    @functools.cached_property
    def rsa_key(self):
        return self.new_key(2048)

    @functools.cached_property
    def stranger(self):
        """A CA that nobody trusts."""
        return self.new_ca("a CA nobody trusts")

    def new_ca(self, subject, issuer=None, days=(-1, 3650), key=None, permitted=()):
        return self._issue(subject, key or self.new_key(), issuer, [], days, True, permitted)

    def _issue(self, subject, key, issuer, san, days, is_ca=False, permitted=()):
        signer = issuer.key if issuer else key
        signed_by = issuer.subject if issuer else subject
        body = der.to_be_signed(next(self._serials), signer.algorithm, signed_by, subject, days, key.spki,
                                der.extensions(san, is_ca, permitted))
        raw = der.tlv(der.SEQUENCE, body, signer.algorithm, der.bits(signer.sign(body)))
        return Cert(raw, key, subject, issuer)

    def leaf(self, *san, issuer="root", cn="leaf", days=(-1, 90), key=None):
        """A leaf with these SANs; issuer None makes it self-signed."""
        if issuer == "root":
            issuer = self.root
        key = key or self.leaf_key
        wanted = (san, issuer.raw if issuer else None, cn, days, key.path)
        with self._lock:
            if wanted not in self._made:
                self._made[wanted] = self._issue(cn, key, issuer, san, days)
            return self._made[wanted]

    def expired(self, *san):
        return self.leaf(*san, days=(-90, -1))

    def not_yet_valid(self, *san):
        return self.leaf(*san, days=(30, 90))

    def huge_rsa_chain(self, *san, modulus_bits=16384):
        """A leaf below a CA whose RSA key is of that size; nobody holds the key, the signatures are noise."""
        modulus = secrets.randbits(modulus_bits) | 1 | 1 << (modulus_bits - 1)
        huge = Key("", der.rsa_public_key(modulus), is_rsa=True)
        body = der.to_be_signed(next(self._serials), self.root.key.algorithm, self.root.subject, "huge", (-1, 90), huge.spki,
                                der.extensions([], True))
        middle = Cert(der.tlv(der.SEQUENCE, body, self.root.key.algorithm, der.bits(self.root.key.sign(body))), huge, "huge", self.root)
        body = der.to_be_signed(next(self._serials), huge.algorithm, "huge", "leaf", (-1, 90), self.leaf_key.spki,
                                der.extensions(san, False))
        noise = (secrets.randbits(modulus_bits - 8)).to_bytes(modulus_bits // 8, "big")
        return Cert(der.tlv(der.SEQUENCE, body, huge.algorithm, der.bits(noise)), self.leaf_key, "leaf", middle)

    def with_sha1(self, *san):
        """A leaf that the root has signed with SHA-1."""
        return self.leaf(*san, issuer=replace(self.root, key=replace(self.root.key, digest="sha1")), cn="leaf signed with SHA-1")

    def chain_of(self, length, *san):
        """A leaf below `length` intermediate CAs, all sharing one key."""
        issuer, key = self.root, self.leaf_key
        for number in range(length):
            issuer = self.new_ca(f"intermediate {number}", issuer, key=key)
        return self.leaf(*san, issuer=issuer)

    def server_context(self, *certs, extra=(), ciphers=None):
        """A TLS server context that shows these certificates, each with its chain (the root left out unless in `extra`). What is
        too weak for OpenSSL's usual level needs `ciphers` with another one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if ciphers:
            context.set_ciphers(ciphers)
        for cert in certs:
            context.load_cert_chain(self.chain_file(cert, extra), cert.key.path)
        return context

    def chain_file(self, cert, extra=()):
        shown, at = [cert], cert.issuer
        while at is not None and at.issuer is not None:
            shown.append(at)
            at = at.issuer
        pems = "".join(one.pem for one in [*shown, *extra])
        return self._write(f"chain-{hashlib.sha256(pems.encode()).hexdigest()[:20]}.pem", pems)
