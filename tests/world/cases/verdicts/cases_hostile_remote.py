"""Hostile rows 1 to 15 and 43: policy hosts, mail hosts and domain owners that mean ill."""

import asyncio
import gzip
from dataclasses import replace

import policyhost
import rawtls
import smtpd
from case import Failed, case, table
from policyhost import Policy, endless, sts_text
from smtpd import CLEAR, GOOD

DAEMONS = {
    "hostile": {"resolver": "127.0.0.53", "dns-timeout": "500ms", "fetch-deadline": "3s", "greeting-deadline": "2s",
                "probe-deadline": "4s", "job-deadline": "10s", "ttl-min": "1s"},
}
GROUP = {"daemon": "hostile", "group": "hostile-remote"}


def hostile(rows, name):
    return case(rows, name, **GROUP)


def bad_policy(c, make, want="NF"):
    """The policy host does what make(a good policy) says."""
    c.clear_mx()
    host = c.sts(policy=make(sts_text(f"mx.{c.u}")))
    c.want(want)
    c.check("fetches", lambda: len(host.fetches), lambda n: n <= 1)
    return host


def stopped_early(c, make):
    """The daemon leaves long before the end."""
    host = bad_policy(c, make)
    c.later("the connection is closed", lambda: host.fetches and not host.fetches[0].finished)


def drip(data, pause):
    async def run(writer):
        for octet in data:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(pause)
    return run


async def silence(_writer):
    await asyncio.sleep(policyhost.CLIENT_PATIENCE)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
table("hostile-1", "slow policy host", [
    ("headers octet by octet", lambda body: Policy(body, drip=0.5)),
    ("body octet by octet", lambda body: Policy(raw=HEAD + b"Content-Length: 59\r\n\r\n", then=drip(body, 0.5))),
    ("accepts and says nothing", lambda body: Policy(raw=b"", then=silence)),
], bad_policy, **GROUP)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
table("hostile-2", "big body", [
    ("without end", lambda body: Policy(raw=HEAD + b"\r\n", then=endless(b"x: " + b"y" * 60 + b"\r\n"))),
    ("chunks without end", lambda body: Policy(raw=CHUNKED, then=endless(b"5\r\nx: y\n\r\n"))),
    ("Content-Length of 10 GB", lambda body: Policy(raw=HEAD + b"Content-Length: 10000000000\r\n\r\n", then=endless(b"z" * 4096))),
    ("chunk extensions without end", lambda body: Policy(raw=CHUNKED + b"5;", then=endless(b"ext=value;" * 100))),
    ("a chunk size of 30 digits", lambda body: Policy(raw=CHUNKED + b"f" * 30 + b"\r\n", then=endless(b"z" * 4096))),
], stopped_early, **GROUP)
table("hostile-3", "encoded body", [
    ("gzip", lambda body: policyhost.gzipped(body)),
    ("gzip bomb", lambda body: Policy(gzip.compress(b"\n" * 50_000_000), headers=("Content-Encoding: gzip",))),
    ("br", lambda body: Policy(body, headers=("Content-Encoding: br",))),
    ("deflate", lambda body: Policy(body, headers=("Content-Encoding: deflate",))),
], bad_policy, **GROUP)


def head(*lines):
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/plain", *lines, "", ""]).encode("latin-1")


table("hostile-4", "HTTP", [
    ("a header line of 10 MB", lambda body: Policy(body, headers=("X: " + "y" * 10_000_000,))),
    ("10,000 headers", lambda body: Policy(body, headers=tuple(f"X-{n}: y" for n in range(10_000)))),
    ("101 headers", lambda body: Policy(body, headers=tuple(f"X-{n}: y" for n in range(101)))),
    ("100 interim responses", lambda body: Policy(raw=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100 + Policy(body).response())),
    ("HTTP/0.9", lambda body: Policy(raw=body)),
    ("folded header", lambda body: Policy(raw=head(f"Content-Length: {len(body)}", "X: a", "  folded") + body)),
    ("Content-Length and Transfer-Encoding", lambda body: Policy(raw=head(f"Content-Length: {len(body)}", "Transfer-Encoding: chunked")
                                                                 + policyhost.chunks(body))),
    ("two different Content-Length", lambda body: Policy(raw=head(f"Content-Length: {len(body)}", "Content-Length: 5") + body)),
    ("bare LF", lambda body: Policy(raw=head(f"Content-Length: {len(body)}").replace(b"\r\n", b"\n") + body)),
    ("the body ends early", lambda body: Policy(body, content_length=len(body) + 10)),
], bad_policy, **GROUP)


@hostile("hostile-4", "five interim responses are fine")
def _(c):
    c.clear_mx()
    body = sts_text(f"mx.{c.u}")
    c.sts(policy=Policy(raw=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5 + Policy(body).response()))
    c.want("SEC")


table("hostile-5", "redirect", [
    ("to a loopback address", lambda body: Policy(body, status="302 Found", headers=("Location: https://127.0.0.1/",))),
    ("to a file", lambda body: Policy(body, status="301 Moved", headers=("Location: file:///etc/passwd",))),
], bad_policy, **GROUP)
table("hostile-6", "charset", [
    ("UTF-16", lambda body: Policy(body.decode().encode("utf-16"), content_type="text/plain; charset=utf-16")),
    ("UTF-7 name of a mode", lambda body: Policy(body.replace(b"enforce", b"+AGUAbgBmAG8AcgBjAGU-"), content_type="text/plain; charset=utf-7")),
    ("BOM", lambda body: Policy(b"\xef\xbb\xbf" + body)),
    ("8-bit octets in a mode", lambda body: Policy(body.replace(b"enforce", b"enforc\xe9"))),
], bad_policy, **GROUP)
INJECTED = ["a b.example", "a:b.example", "{a.example}", "a=b.example", "a,b.example", "a\0b.example", ".",
            "*", "", ".example.com", "a..example", "[192.0.2.1]", "mx.example.", "-a.example", "a*.example", "*.*.example"]
table("hostile-7", "policy injection, mx", [
    (repr(mx), lambda body, mx=mx: Policy(sts_text("mx.good.example", mx))) for mx in INJECTED
], bad_policy, **GROUP)
table("hostile-7", "policy injection", [
    ("1001 mx", lambda body: Policy(sts_text(*(f"m{n}.example" for n in range(1001))))),
    ("60 kB in one line", lambda body: Policy(body.replace(b"mx: ", b"mx: " + b"a" * 60_000))),
    ("no newline at all", lambda body: Policy(b"version: STSv1 " * 3000)),
], bad_policy, **GROUP)


@hostile("hostile-7", "1000 mx are still a policy")
def _(c):
    c.clear_mx()
    c.sts(*(f"m{n}.ex.plain" for n in range(1000)))
    c.want("SEC")


def bad_certificate(c, make):
    c.clear_mx()
    cert, extra = make(c, c.world.ca)
    c.sts(cert=cert, context=c.world.ca.server_context(cert, extra=extra))
    c.want("NF")


def _fits_no_constraint(c, ca):
    """A CA with hundreds of name constraints below it a leaf with hundreds of names: checked one by one that is work."""
    narrow = ca.new_ca("narrow", ca.root, permitted=[f"p{n}.example" for n in range(700)])
    return ca.leaf(*(f"n{n}.example" for n in range(700)), f"mta-sts.{c.u}", issuer=narrow), ()


table("hostile-8", "certificate", [
    ("chain of 100", lambda c, ca: (ca.chain_of(100, f"mta-sts.{c.u}"), ())),
    ("chain of 15, beyond the depth", lambda c, ca: (ca.chain_of(15, f"mta-sts.{c.u}"), ())),
    ("RSA key of 16,384 bits in the chain", lambda c, ca: (ca.huge_rsa_chain(f"mta-sts.{c.u}"), ())),
    ("5,000 names in 150 kB", lambda c, ca: (ca.leaf(*(f"n{n}.{'x' * 20}.example" for n in range(5000)), f"mta-sts.{c.u}"), ())),
    ("name constraints by the hundred", _fits_no_constraint),
], bad_certificate, **GROUP)


def misuse(c, how):
    """Policy host and mail host both misuse TLS after the handshake."""
    ca, address = c.world.ca, c.address()
    leaf = ca.leaf(f"mta-sts.{c.u}")
    c.clear_mx()
    c.plain('_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {address}")
    server = rawtls.RawTlsServer(address, 443, ca.chain_file(leaf), leaf.key.path, how)
    c.want("NF")
    c.check("connections", lambda: server.connections, lambda n: n >= 1)


table("hostile-9", "TLS", [("KeyUpdate without end", rawtls.key_updates), ("session tickets without end", rawtls.session_tickets),
                            ("renegotiation without end", rawtls.renegotiation)], misuse, **GROUP)


def bad_tls(c, talk):
    """What is no handshake at all, from the policy host and after a mail host's 220."""
    async def after_220(reader, writer):
        writer.write(b"220 mail.world ESMTP\r\n")
        await reader.readline()
        writer.write(b"250-mail.world\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n")
        await talk(reader, writer)
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx", temper=smtpd.Temper(on_raw=after_220))
    policy = smtpd.SmtpServer(c.world.loop, c.address(), smtpd.Temper(on_raw=talk), port=443)
    c.plain('_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {policy.address}")
    c.want("NF")
    c.check("connections", lambda: len(policy.connections), lambda n: n >= 1)


def say(*parts, pause=0.0, again=False):
    async def talk(reader, writer):
        await reader.read(1)
        while True:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if not again:
                return await reader.read()
    return talk


RECORD = b"\x16\x03\x03"
table("hostile-9", "handshake", [
    ("silence", say()),
    ("octet by octet", say(*(bytes([one]) for one in RECORD + b"\x10\0" + b"\2" * 200), pause=0.3)),
    ("a ServerHello of 16 MB", say(RECORD + b"\x40\0" + b"\2\xff\xff\xff" + b"x" * 16380, RECORD + b"\x40\0" + b"y" * 16384, again=True)),
    ("empty records without end", say(RECORD + b"\0\0", again=True)),
    ("warning alerts without end", say(b"\x15\x03\x03\0\2\1\x5a", again=True)),
    ("noise", say(bytes(range(256)) * 4)),
], bad_tls, **GROUP)

NOT_GLOBAL = [("A", one) for one in ("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254",
                                     "203.0.113.7", "224.0.0.1", "255.255.255.255", "240.0.0.1")]
NOT_GLOBAL += [("AAAA", one) for one in ("::1", "::", "fd00::25", "fe80::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::7f00:1",
                                         "2002:7f00:1::", "ff02::1", "::127.0.0.1")]
LISTENERS = ["127.0.0.1", "127.8.9.10", "10.1.2.3", "192.168.1.1", "169.254.169.254", "203.0.113.7", "::1", "fd00::25"]


def internal_policy_host(c, rrtype, address):
    c.clear_mx()
    c.plain('_mta-sts TXT "v=STSv1; id=1"', f"mta-sts {rrtype} {address}")
    trap = _trap(c, address, 443)
    c.want("NF")
    c.check("connections", lambda: len(trap.connections) if trap else 0, 0)


def internal_mail_host(c, rrtype, address):
    c.key = c.u
    c.plain("@ MX 10 mx", f"mx {rrtype} {address}")
    trap = _trap(c, address, 25)
    c.want("NF")
    c.check("connections", lambda: len(trap.connections) if trap else 0, 0)
    c.explained("not probed", lambda e: e["evidence"]["starttls"], "unknown")


def _trap(c, address, port):
    return smtpd.SmtpServer(c.world.loop, address, port=port) if address in LISTENERS else None


table("hostile-10", "policy host at", [(address, rrtype, address) for rrtype, address in NOT_GLOBAL], internal_policy_host, **GROUP)
table("hostile-11", "mail host at", [(address, rrtype, address) for rrtype, address in NOT_GLOBAL], internal_mail_host, **GROUP)


@hostile("hostile-10", "an internal address beside a good one: only the good one is connected to")
def _(c):
    c.clear_mx()
    c.plain("mta-sts A 10.1.2.4")
    trap = smtpd.SmtpServer(c.world.loop, "10.1.2.4", port=443)
    c.sts()
    c.want("SEC")
    c.check("connections", lambda: len(trap.connections), 0)


def bad_smtp(c, **changes):
    c.key = c.u
    c.plain("@ MX 10 mx")
    server = c.plain_host("mx", temper=replace(GOOD, **changes))
    c.want("NF")
    c.check("connections", lambda: len(server.connections), 1)


for _row, _name, _changes in [
    (12, "a greeting without end", {"endless": b"220-welcome\r\n"}),
    (12, "a greeting octet by octet", {"drip": 0.5}),
    (12, "a line without end", {"endless": b"220-" + b"x" * 4096}),
    (12, "a greeting line of 100 kB", {"greeting": b"220 " + b"x" * 100_000 + b"\r\n"}),
    (12, "a greeting line of 2100 octets", {"greeting": b"220 " + b"x" * 2100 + b"\r\n"}),
    (12, "a greeting of 101 lines", {"greeting": b"220-x\r\n" * 101 + b"220 x\r\n"}),
    (12, "no greeting", {"hang": True}),
    (13, "an EHLO reply without end", {"ehlo_endless": b"250-X-EXTENSION\r\n"}),
    (13, "an EHLO reply of 101 lines", {"ehlo": b"250-X\r\n" * 101 + b"250 STARTTLS\r\n"}),
    (13, "codes that differ", {"ehlo": b"250-mail.world\r\n251-x\r\n250 STARTTLS\r\n"}),
    (13, "binary EHLO reply", {"ehlo": bytes(range(256)) + b"\r\n250 STARTTLS\r\n"}),
    (13, "STARTTLS in the greeting only", {"greeting": b"220-mail.world\r\n220 STARTTLS\r\n", "ehlo": b"250 mail.world\r\n"}),
    (13, "replies ahead of commands", {"unasked": b"250-mail.world\r\n250 STARTTLS\r\n220 go\r\n"}),
    (13, "no SMTP at all", {"greeting": b"HTTP/1.1 400 Bad Request\r\n\r\n"}),
    (15, "a command injected after 220", {"injected": b"250 injected\r\n"}),
]:
    case(f"hostile-{_row}", _name, **GROUP)(lambda c, changes=_changes: bad_smtp(c, **changes))


@hostile("hostile-14", "STARTTLS stripped: dane-only and secure stay")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good", temper=CLEAR)
    c.want("DO")
    c.plain("@ MX 10 mx")
    c.plain_host("mx", temper=CLEAR)
    c.sts(domain=c.u)
    c.want("SEC", key=c.u)
    c.later("the probe has seen it", lambda: c.explain(c.u)["evidence"]["starttls"] != "unknown")
    c.want("DO")
    c.want("SEC", key=c.u)


@hostile("hostile-43", "a policy that names no MX of the domain: secure, and explain says so")
def _(c):
    c.clear_mx()
    c.sts("elsewhere.example")
    c.want("SEC")
    c.explained("words", lambda e: " ".join([*e["why"], *e["change"]]).lower(),
                lambda words: "mx" in words and ("match" in words or "cover" in words))


def banner_is_escaped(c):
    for text in (c.daemon.log(), c.daemon.cli("explain", c.key).stdout, c.daemon.cli("--json", "explain", c.key).stdout):
        if "\x1b" in text or "%n%s" in text and "\r" in text:
            raise Failed("octets of the banner came through unescaped")


@hostile("hostile-45", "a banner with ANSI sequences, percent signs and line ends is escaped wherever it is shown")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx", temper=replace(GOOD, greeting=b"554 \x1b[31mred %n%s%d \x1b]0;title\x07\x80\xff\r\n"))
    c.want("NF")
    c.do(lambda: banner_is_escaped(c))
