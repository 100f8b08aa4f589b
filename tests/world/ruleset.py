"""What the cases of the operator's orders share: rules files, daemons that read them again, what a domain may be found to be."""

import asyncio
import json
import os
from dataclasses import replace

import dnsworld
import remembering
import tap
from case import Failed
from smtpd import CLEAR, GOOD

QUICK = {"resolver": "127.0.0.53", "dns-timeout": "1500ms", "dns-tries": "3", "fetch-deadline": "3s", "greeting-deadline": "2s",
         "probe-deadline": "4s", "job-deadline": "10s", "ttl-min": "1s"}
# For cases that ask for hundreds of domains. On a busy machine the tap would answer late, and an answer given at the deadline may differ.
MANY = {**QUICK, "resolver": dnsworld.UNBOUND_ADDRESS, "answer-deadline": "20s", "job-deadline": "30s"}
REFUSING = replace(GOOD, starttls=b"554 no\r\n")
BAD = "# rules\ngood.example off\nbad.example at-least dane\n"
FAULT = "line 3: at-least knows encrypt, verify, secure match=... and dane-only: 'dane' is not one of them"
WRONG_TLSA = "3 1 1 " + "00" * 32
LITERAL = "secure match=mx.partner.example:.partner.example servername=hostname"


def shared(c, *lines):
    """Rules of the daemon that many cases share, whose file is whole before it starts."""
    with open(os.path.join(c.world.folder, f"{c.entry.daemon}.rules"), "a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


class Ordered(remembering.Lives):
    """A daemon of the case's own with a rules file that the test writes."""

    def __init__(self, c, rules="", name="", like="orders-own", **options):
        self.path = os.path.join(c.world.folder, f"{c.label}{name}.rules")
        super().__init__(c, name, like, rules=self.path, **options)
        self.write(rules)

    def prepare(self):
        """Another life, not begun."""
        self.daemon = self.c.world.new_daemon(self.name, dict(self.options))
        return self.daemon

    def write(self, text):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def reload(self, rules=None, **changes):
        """New rules, new options: mxcrypt reload, which must succeed; what it says."""
        if rules is not None:
            self.write(rules)
        if changes:
            self.daemon.configure(**changes)
        answer = self.daemon.control_answer("reload")
        if answer.get("reloaded") is not True:
            raise Failed(f"reload: {answer}")
        return answer

    def must_be(self, want, key):
        self.c.must_be(want, self.daemon.ask(key), key)

    def must_be_cached(self, want, key):
        """The same, and waits until all is found out: DANE is answered before the probes end, and nothing is in the cache until then."""
        self.must_be(want, key)
        self.daemon.explain(key)

    def listed(self):
        """mxcrypt --json rules."""
        done = self.daemon.cli("--json", "rules")
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise Failed(f"mxcrypt rules gave no JSON: {done.stdout[:300]!r} {done.stderr[:300]!r}") from error


def said(done, status, *words):
    """mxcrypt ended with that status and printed these words."""
    text = done.stdout + done.stderr
    if done.returncode != status or any(word not in text for word in words):
        raise Failed(f"{done.args[3:]}: wanted {status} and {words}, got {done.returncode}: {text}")
    return text


def wanted(what, got, want):
    if got != want:
        raise Failed(f"{what}: wanted {want!r}, got {got!r}")


# what a domain may be found to be: each sets c.key and the world

def _signed(c, *tlsa, **more):
    c.key = c.d
    c.zone("@ MX 10 mx")
    return c.host("mx", *tlsa, **more)


def _plain(c, **more):
    c.key = c.u
    c.plain("@ MX 10 mx")
    return c.plain_host("mx", **more)


def _untrusted(c):
    return _plain(c, cert=c.world.ca.leaf(f"mx.{c.u}", issuer=c.world.ca.stranger))


def _secure(c):
    server = _plain(c)
    c.sts()
    return server


def _mixed(c):
    c.key = c.d
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    c.host("mx2")
    return c.host("mx", "good")


def _unsigned(c):
    c.key = c.u
    c.plain(f"@ MX 10 mx.{c.d}.")
    return c.host("mx", "good")


def _dane_error(c):
    server = _signed(c)
    c.child(f"_tcp.mx.{c.d}", "bogus", f"_25 TLSA {WRONG_TLSA}")
    return server


def _clear(c):
    return _plain(c, temper=CLEAR)


def _refused(c):
    return _plain(c, temper=REFUSING)


def _nobody(c):
    c.key = c.u
    c.plain("@ MX 10 mx", f"mx A {c.address()}")


def _nxdomain(c):
    c.key = f"nothing.{c.d}"


def _null_mx(c):
    c.key = c.d
    c.zone("@ MX 0 .")


def _mx_error(c):
    c.key = c.d
    c.rule(c.d, "MX", tap.rcode("SERVFAIL"))


# name -> (declare, found out, the level of it, answers under at-least encrypt, verify, secure)
FOUND = {
    "dane-only": (lambda c: _signed(c, "good"), "DO", "dane-only", "DO", "DO", "DO"),
    "secure": (_secure, "SEC", "secure", "SEC", "SEC", "LIT"),
    "verify": (_plain, "VER", "verify", "VER", "VER", "LIT"),
    "encrypt": (_untrusted, "ENC", "encrypt", "ENC", "VER", "LIT"),
    "dane, some hosts have TLSA": (_mixed, "DA", "dane", "DO", "DO", "DO"),
    "dane, the MX is not signed": (_unsigned, "DA", "dane", "ENC", "VER", "LIT"),
    "dane, a TLSA lookup failed": (_dane_error, "DA", "dane", "TMP", "TMP", "TMP"),
    "no STARTTLS": (_clear, "NF", "notfound", "ENC", "VER", "LIT"),
    "STARTTLS refused": (_refused, "NF", "notfound", "TMP", "TMP", "TMP"),
    "nobody listens": (_nobody, "NF", "notfound", "ENC", "VER", "LIT"),
    "NXDOMAIN": (_nxdomain, "NF", "notfound", "ENC", "VER", "LIT"),
    "null MX": (_null_mx, "NF", "notfound", "ENC", "VER", "LIT"),
    "TEMP": (_mx_error, "TMP", "temp", "TMP", "TMP", "TMP"),
}


def answer(short):
    """What Postfix is told, from the short forms of the table."""
    return f"OK {LITERAL}" if short == "LIT" else short


class Recorder:
    """Between a Postfix and the daemon: passes questions on and writes them down with their answers."""

    def __init__(self, world, path, upstream):
        self.path, self._upstream = path, upstream
        self.seen = []  # (key, answer)
        world.loop.run(self._listen())

    async def _listen(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        os.chmod(self.path, 0o666)

    async def _serve(self, reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
            while True:
                asked = await _netstring(reader)
                up_writer.write(asked)
                answered = await _netstring(up_reader)
                self.seen.append((asked.partition(b" ")[2][:-1].decode(), answered.partition(b":")[2][:-1].decode()))
                writer.write(answered)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    def answers(self, key):
        return [told for asked, told in self.seen if asked == key]


async def _netstring(reader):
    head = await reader.readuntil(b":")
    return head + await reader.readexactly(int(head[:-1]) + 1)
