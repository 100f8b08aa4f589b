#!/usr/bin/python3
"""Do the generated world, the farm and the bare client do what they say? selftest.py --bin DIR

Everything is looked at with other means than ours: Python's ssl, sockets, and the answers of unbound."""

import argparse
import json
import os
import socket
import ssl
import struct
import subprocess
import types

import setting  # noqa: F401  (first: where the others are)
import benchworld
import bigworld
import dnswire
import farm_server
from farm_server import Connection
from tally import Tally

DOMAINS = 400
TIME_LIMIT_S = 120
PATIENCE_S = 20
OK, MISMATCH, SELF_SIGNED, UNKNOWN, EXPIRED = 0, 62, 18, 20, 10  # X509_V_ERR_*
HELO = "EHLO=prober.world.signed"

# temper: the code of the greeting (None: nothing comes, 0: the end), of STARTTLS (None: is not offered)
TEMPERS = {"postfix": (220, 220), "exim": (220, 220), "requiretls": (220, 220), "tls12": (220, 220), "clear": (220, None), "later": (421, None),
           "refusing": (554, None), "closing": (0, None), "silent": (None, None), "starttls4": (220, 454), "starttls5": (220, 554),
           "garbage": (220, 220), "hostile": (220, 220)}
CERTIFICATES = {"valid": OK, "soon": OK, "wrong": MISMATCH, "self": SELF_SIGNED, "stranger": UNKNOWN, "expired": EXPIRED}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of survey_farm and bench_handshakes")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    return options


class Client:
    """Just enough of SMTP."""

    def __init__(self, address):
        self.sock = socket.create_connection((address, 25), PATIENCE_S)
        self.file = self.sock.makefile("rb")

    def reply(self):
        """The code and the lines; 0 at the end of the connection."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return 0, lines
            lines.append(line)
            if line[3:4] == b" ":
                return int(line[:3]), lines

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.sock.close()


def greeting_of(address, temper):
    client = Client(address)
    if temper == "silent":
        client.sock.settimeout(0.2)
        try:
            return client.sock.recv(1) and "spoke"
        except socket.timeout:
            return None
    code = client.reply()[0]
    client.close()
    return code


def starttls_of(address):
    """The code of STARTTLS, None when it is not offered."""
    client = Client(address)
    client.reply()
    offered = any(line[4:].strip() == b"STARTTLS" for line in client.say("EHLO prober.world.signed")[1])
    code = client.say("STARTTLS")[0]
    client.close()
    return code if offered else None


def certificate_of(address, name, ca_file):
    """The X509_V_ERR code of a handshake for this name, and the names in the certificate if it is valid."""
    client = Client(address)
    client.reply()
    client.say("EHLO prober.world.signed")
    client.say("STARTTLS")
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with context.wrap_socket(client.sock, server_hostname=name) as over_tls:
            return OK, {value for _, value in over_tls.getpeercert()["subjectAltName"]}
    except ssl.SSLCertVerificationError as error:
        return error.verify_code, set()
    finally:
        client.close()


def answer(name, rrtype):
    """The response code, AD, and the number of answers."""
    query = b"\0\1\x01\x20\0\1\0\0\0\0\0\1" + dnswire.name_bytes(name) + struct.pack("!HH", dnswire.type_number(rrtype), 1) + dnswire.opt_record()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", 53))
        sock.send(query)
        flags, _, count = struct.unpack("!HHH", sock.recv(4096)[2:8])
    return flags & 15, bool(flags & dnswire.AD), count


def check_arithmetic(tally):
    def one(opened, closed, address="10.0.0.1"):
        return Connection(opened, closed, address, "postfix", None, ())
    followers = [one(0, 10), one(10, 20)]
    tally.check("one after the other is one at once", farm_server.most_at_once(followers, lambda c: c.address)["10.0.0.1"], 1)
    tally.check("two that overlap are two at once", farm_server.most_at_once([one(0, 11), one(10, 20)], lambda c: c.address)["10.0.0.1"], 2)
    neighbours = [one(0, 5, "10.0.0.1"), one(1, 5, "10.0.0.2"), one(2, 5, "10.0.1.1")]
    tally.check("two of a prefix", farm_server.most_at_once(neighbours, lambda c: c.prefix)["10.0.0.0/24"], 2)
    second = farm_server.NS_PER_S
    tally.check("most within a second", farm_server.most_in([one(0, 1), one(second // 2, 1), one(second, 1), one(second + 1, 1)], 1), 3)


def stand_in(the_world):
    """A world to declare into, and to throw away."""
    zones = {name: types.SimpleNamespace(lines=[]) for name in ("signed", "plain")}
    dns = types.SimpleNamespace(zones=zones, add_child=lambda *_: None)
    return types.SimpleNamespace(dns=dns, ca=the_world.ca, policies=types.SimpleNamespace(host=lambda *_: None), options=the_world.options,
                                 policy_address=the_world.policy_address)


def check_same_again(tally, the_world):
    worlds = [bigworld.BigWorld(stand_in(the_world), DOMAINS, seed) for seed in (1, 1, 2)]
    tally.check("the same seed gives the same world", (worlds[0].names, worlds[0].hosts, worlds[0].lines),
                (worlds[1].names, worlds[1].hosts, worlds[1].lines))
    tally.check("another one gives another", worlds[2].hosts != worlds[0].hosts, True)


def check_tempers(tally, addresses):
    for temper, (greeting, starttls) in TEMPERS.items():
        address = addresses["temper", temper]
        tally.check(f"temper {temper}: greeting", greeting_of(address, temper), greeting)
        if greeting == 220:
            tally.check(f"temper {temper}: STARTTLS", starttls_of(address), starttls)


def check_certificates(tally, addresses, ca_file):
    for kind, code in CERTIFICATES.items():
        tally.check(f"certificate {kind}", certificate_of(addresses["certificate", kind], f"{kind}.example", ca_file)[0], code)
    tally.check("a certificate by SNI", certificate_of(addresses["sni", ""], "b.example", ca_file), (OK, {"b.example"}))
    tally.check("another name by SNI: the first certificate", certificate_of(addresses["sni", ""], "c.example", ca_file)[0], MISMATCH)


def declare_samples(world):
    """An address of each temper and certificate."""
    found = {}
    for number, (what, kind) in enumerate([("temper", one) for one in TEMPERS] + [("certificate", one) for one in CERTIFICATES]):
        found[what, kind] = f"10.210.0.{number + 1}"
        world.serve(found[what, kind], kind if what == "temper" else "postfix", kind if what == "certificate" else "valid", f"{kind}.example")
    found["sni", ""] = "10.210.1.1"
    world.serve("10.210.1.1", "postfix", "valid-sni", "a.example", "b.example")
    return found


def check_dns(tally, world):
    secure = next(line.split(". MX", 1)[0] for line in world.lines["signed"] if line.startswith("d") and ". MX" in line)
    plain = next(line.split(". MX", 1)[0] for line in world.lines["plain"] if line.startswith("d") and ". MX" in line)
    broken = next(name for name in world.names if name.endswith(".broken.signed"))
    tally.check("a signed domain is secure", answer(secure, "MX"), lambda got: got[:2] == (0, True) and got[2] > 0)
    tally.check("another is not", answer(plain, "MX"), lambda got: got[:2] == (0, False) and got[2] > 0)
    tally.check("a broken one fails", answer(broken, "MX")[0], dnswire.RCODES["SERVFAIL"])
    tally.check("what is not there", answer("nobody.plain", "MX")[0], dnswire.RCODES["NXDOMAIN"])


def check_handshakes(tally, world, farm, options, *more):
    targets = os.path.join(world.world.folder, "targets")
    good = {address: row[2] for address, row in world.hosts.items()
            if ":" not in address and row[0] in ("postfix", "exim", "requiretls", "tls12", "hostile")}
    with open(targets, "w", encoding="ascii") as file:
        file.writelines(f"{address} {name}\n" for address, name in good.items())
    done = subprocess.run([os.path.join(options.bin, "bench_handshakes"), "-a", world.world.ca.ca_file, "-c", "20", *more, targets],
                          stdout=subprocess.PIPE, check=False, timeout=60)
    figures = json.loads(done.stdout)
    tally.check(f"bench_handshakes {' '.join(more)}", (done.returncode, figures["handshakes"], figures["failed"]), (0, len(good), 0))
    log = farm.take()
    tally.check("  the farm saw each address once, and the name", {one.address: one.sni for one in log} == good and len(log), len(good))
    tally.check("  and the whole conversation", {one.words for one in log}, {(HELO, "STARTTLS", "TLS", HELO, "QUIT")})
    tally.check("  and no more at once than was said", farm_server.most_at_once(log, lambda _: "all")["all"], lambda got: 0 < got <= 20)


def measure(the_world, options):
    tally = Tally()
    check_arithmetic(tally)
    check_same_again(tally, the_world)
    world = bigworld.BigWorld(the_world, DOMAINS)
    samples = declare_samples(world)
    the_world.dns.start()
    farm = farm_server.Farm(options.bin, the_world.folder, the_world.ca, world.write_table(os.path.join(the_world.folder, "table")))
    check_dns(tally, world)
    check_tempers(tally, samples)
    check_certificates(tally, samples, the_world.ca.ca_file)
    farm.take()
    check_handshakes(tally, world, farm, options)
    check_handshakes(tally, world, farm, options, "-n", "-p", "2")
    farm.stop()
    the_world.dns.stop()
    return tally.status()


if __name__ == "__main__":
    benchworld.main(__file__, measure, arguments(), TIME_LIMIT_S)
