"""The same verdict in the words of Exim and of Sendmail's two maps (mxcrypt-exim(5), mxcrypt-sendmail(5)), over the wire."""

import clients
import ruleset
import tap
import world
from case import case, table

EXIM = "127.0.0.1", 8463
DAEMONS = {"dialects": {**ruleset.QUICK, "resolver": world.TAP_ADDRESS, "listen": [f"exim:inet:{EXIM[0]}:{EXIM[1]}"],
                        "rules": "FOLDER/dialects.rules"}}


def ask_exim(key):
    with clients.Stream(EXIM) as stream:
        stream.send(f"exim1 {key}\n".encode())
        line = stream.read_until(b"\n")
        return line.decode() if stream.closed() else "the connection goes on"


def told(c, exim, sts, sendmail, key=None):
    """What each of the three is told once everything is known."""
    key = key or c.key
    c.do(lambda: c.explain(key))
    c.check("Exim", lambda: ask_exim(key), exim)
    c.check("map sts", lambda: c.ask(key, "sts"), sts)
    c.check("map sendmail", lambda: c.ask(key, "sendmail"), sendmail)


def dialects(name):
    return case("dialects", name, daemon="dialects")


def signed(c, *san, sts=False):
    """DANE, at a host whose certificate also is valid for it, unless it is for somebody else."""
    server = c.server(*san) if san else c.server()
    c.zone("@ MX 10 mx", f"mx A {server.address}")
    c.tlsa("mx", server, "good")
    if sts:
        c.sts()


ONLY = "level=dane-only dane=require require_tls=yes verify=no"
VERIFY = "level=verify dane=no require_tls=yes verify=yes"


@dialects("DANE, certificate valid for the MX host")
def _(c):
    signed(c)
    told(c, ONLY, "OK secure servername=hostname", "OK VERIFY:112")
    c.explained("without DANE", lambda report: report["without_dane"], "OK verify servername=hostname")


@dialects("DANE, certificate of somebody else")
def _(c):
    signed(c, "other.test")
    told(c, ONLY, "NOTFOUND ", "OK ENCR:112")


@dialects("DANE and MTA-STS, asked by Sendmail first: the answer is not that of DANE alone")
def _(c):
    signed(c, sts=True)
    c.check("map sts", lambda: c.ask(c.key, "sts"), f"OK secure match=mx.{c.d} servername=hostname")


@dialects("DANE, asked by Sendmail first: the probes are waited for")
def _(c):
    signed(c)
    c.check("map sendmail", lambda: c.ask(c.key, "sendmail"), "OK VERIFY:112")


@dialects("DANE and MTA-STS in enforce mode")
def _(c):
    signed(c, sts=True)
    told(c, ONLY, f"OK secure match=mx.{c.d} servername=hostname", "OK VERIFY:112")


@dialects("MTA-STS with a wildcard")
def _(c):
    c.key = c.u
    c.plain_host("mx.in")
    c.plain("@ MX 10 mx.in")
    c.sts(f"*.in.{c.u}", f"other.{c.u}")
    names = f"mx.in.{c.u}:other.{c.u}"
    told(c, f"level=secure dane=no require_tls=yes verify=yes match={names}",
         f"OK secure match={names} servername=hostname", "OK VERIFY:112")


@dialects("valid certificates, no policy")
def _(c):
    c.key = c.u
    c.plain_host("mx")
    c.plain("@ MX 10 mx")
    told(c, VERIFY, "OK secure servername=hostname", "OK VERIFY:112")


@dialects("STARTTLS")
def _(c):
    c.key = c.u
    server = c.server("other.test")
    c.plain("@ MX 10 mx", f"mx A {server.address}")
    told(c, "level=encrypt dane=no require_tls=yes verify=no", "NOTFOUND ", "OK ENCR:112")


@dialects("no STARTTLS")
def _(c):
    c.clear_mx()
    told(c, "level=notfound", "NOTFOUND ", "OK NONE")


@dialects("the MX lookup fails")
def _(c):
    c.rule(c.d, "MX", tap.rcode("SERVFAIL"))
    temp = lambda got: got.startswith("TEMP MX lookup")
    told(c, lambda got: got.startswith('level=temp reason="MX lookup'), temp, temp)


@dialects("a TLSA lookup fails: TEMP without DANE, while Exim asks host by host")
def _(c):
    server = c.server("other.test")
    c.zone("@ MX 10 mx", f"mx A {server.address}")
    c.rule(f"_25._tcp.mx.{c.d}", "TLSA", tap.rcode("SERVFAIL"))
    temp = lambda got: got.startswith("TEMP ")
    told(c, "level=dane dane=try require_tls=no verify=no", temp, temp)


def rule(c, policy, exim, sts, sendmail):
    c.clear_mx()
    ruleset.shared(c, f"{c.key} exactly {policy}")
    told(c, exim, sts, sendmail)


CANNOT = lambda got: got.startswith("TEMP what a rule asks for")
table("dialects", "a rule", (
    ("may", "may", "level=may dane=no require_tls=no verify=no", "NOTFOUND ", "OK NONE"),
    ("none", "none", "level=none dane=no require_tls=no verify=no", "NOTFOUND ", "OK NONE"),
    ("secure with a domain of any depth", "secure match=.rule.test servername=sni.rule.test",
     "level=secure dane=no require_tls=yes verify=yes match=.rule.test sni=sni.rule.test",
     "OK secure match=.rule.test servername=hostname", "OK VERIFY:112"),
    ("fingerprint", "fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
     'level=temp reason="what a rule asks for, Exim cannot do"', CANNOT, CANNOT),
), rule, daemon="dialects")


@dialects("Exim's protocol: keys that are none, and what is no request")
def _(c):
    c.check("an address", lambda: ask_exim("[192.0.2.1]"), "level=notfound")
    c.check("a blank", lambda: ask_exim("a b"), 'level=temp reason="malformed request"')
    c.check("an empty key", lambda: ask_exim(""), 'level=temp reason="malformed request"')

    def refused():
        with clients.Stream(EXIM) as stream:
            stream.send(b"get a.example\n")
            return stream.closed()
    c.check("another protocol", refused, True)
