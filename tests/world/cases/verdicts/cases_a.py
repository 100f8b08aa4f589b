"""A. MTA-STS: record and policy."""

import tap
from case import NO_MX, case, table
from policyhost import Policy, sts_text

# The key is an unsigned domain whose mail host offers no STARTTLS: without MTA-STS the answer is NOTFOUND.


@case("A-1", "record and enforce policy")
def _(c):
    c.clear_mx()
    host = c.sts()
    c.want("SEC")
    c.check("fetches", lambda: len(host.fetches), 1)
    c.explained("mode", lambda e: e["evidence"]["mta_sts"]["mode"], "enforce")


@case("A-2", "no TXT record: NXDOMAIN")
def _(c):
    c.clear_mx()
    host = c.sts(txt=None)
    c.want("NF")
    c.check("fetches", lambda: len(host.fetches), 0)


@case("A-2", "no TXT record: NODATA")
def _(c):
    c.clear_mx()
    host = c.sts(txt=None)
    c.plain("_mta-sts A 198.51.100.1")
    c.want("NF")
    c.check("fetches", lambda: len(host.fetches), 0)


def txt_records(c, want, *records):
    c.clear_mx()
    host = c.sts(txt=None)
    c.plain(*(f"_mta-sts TXT {one}" for one in records))
    c.want(want)
    c.check("fetches", lambda: len(host.fetches), 1 if want == "SEC" else 0)


table("A-3", "TXT", [("two STSv1 records", "NF", '"v=STSv1; id=1;"', '"v=STSv1; id=2;"')], txt_records)
table("A-4", "TXT", [("beside SPF-like junk", "SEC", '"v=STSv1; id=1;"', '"v=spf1 -all"', '"junk"')], txt_records)
table("A-5", "TXT", [("beside v=STSv12", "SEC", '"v=STSv1; id=1;"', '"v=STSv12;id=2"')], txt_records)
table("A-6", "TXT", [("id before v", "NF", '"id=x; v=STSv1;"')], txt_records)
table("A-7", "TXT", [("in two strings", "SEC", '"v=STSv1;" "id=1"'), ("split inside the id", "SEC", '"v=STSv1; id=1" "2;"')], txt_records)
table("A-9", "TXT", [
    ("blanks around ; and =", "SEC", '"v=STSv1 ;  id=20160831085700Z ; "'),
    ("no final ;", "SEC", '"v=STSv1;id=a"'),
    ("32 characters", "SEC", f'"v=STSv1; id={"a" * 32};"'),
    ("33 characters", "NF", f'"v=STSv1; id={"a" * 33};"'),
    ("empty id", "NF", '"v=STSv1; id=;"'),
    ("punctuation in the id", "NF", '"v=STSv1; id=a-b;"'),
    ("no id", "NF", '"v=STSv1;"'),
], txt_records)
table("A-10", "TXT", [("unknown extension", "SEC", '"v=STSv1; id=1; foo=bar;"')], txt_records)
table("A-11", "TXT", [("id twice", "SEC", '"v=STSv1; id=1; id=2;"')], txt_records)


@case("A-8", "_mta-sts is a CNAME, chain of two")
def _(c):
    c.clear_mx()
    c.sts(txt=None)
    c.plain("_mta-sts CNAME one", "one CNAME two", 'two TXT "v=STSv1; id=1;"')
    c.want("SEC")


@case("A-8", "_mta-sts is a CNAME loop")
def _(c):
    c.clear_mx()
    host = c.sts(txt=None)
    c.plain("_mta-sts CNAME one", "one CNAME _mta-sts")
    c.want(lambda got: got.startswith(("NOTFOUND ", "TEMP ")))
    c.check("fetches", lambda: len(host.fetches), 0)
    c.check("queries", lambda: c.world.tap.asked(f"_mta-sts.{c.u}"), lambda n: n <= 10)


def policy_body(c, want, body, patterns=None):
    c.clear_mx()
    body = body.encode("utf-8").replace(b"MX", f"mx.{c.u}".encode())
    c.sts(*(one.replace("MX", f"mx.{c.u}") for one in patterns or ("MX",)), policy=Policy(body))
    if want:
        c.want(want)


def policy_left_out(c, want, body, patterns):
    policy_body(c, None, body, patterns)
    unfit, fit = patterns[0], f"mx.{c.u}"
    c.do(lambda: c.must_be(f"OK secure match={fit} servername=hostname", c.ask()))
    c.explained("what is left out", lambda e: e["evidence"]["mta_sts"]["mx_left_out"], [unfit])
    c.explained("it says so", lambda e: " ".join(e["why"]), lambda why: "cannot be given to Postfix" in why and unfit in why)
    c.check("logged once", lambda: [line for line in c.daemon.log().splitlines() if "event=sts-mx-left-out" in line and f"domain={c.u}" in line],
            lambda lines: len(lines) == 1)


GOOD = "version: STSv1\nmode: enforce\nmx: MX\nmax_age: 86400\n"
table("A-12", "policy", [
    ("plain", "SEC", GOOD),
    ("blank lines and trailing blanks", "SEC", "version: STSv1  \n\nmode: enforce\t\nmx: MX \n\nmax_age: 86400\n\n"),
    ("no blank after the colon", "SEC", "version:STSv1\nmode:enforce\nmx:MX\nmax_age:86400\n"),
    ("no version", "NF", "mode: enforce\nmx: MX\nmax_age: 86400\n"),
    ("version STSv2", "NF", GOOD.replace("STSv1", "STSv2")),
    ("no mode", "NF", "version: STSv1\nmx: MX\nmax_age: 86400\n"),
    ("unknown mode", "NF", GOOD.replace("enforce", "strict")),
    ("no mx", "NF", "version: STSv1\nmode: enforce\nmax_age: 86400\n"),
    ("no max_age", "NF", "version: STSv1\nmode: enforce\nmx: MX\n"),
    ("line without colon", "NF", GOOD + "nonsense\n"),
    ("empty", "NF", ""),
    ("HTML", "NF", "<html><body>Welcome</body></html>"),
], policy_body)
table("A-13", "policy", [
    ("mode twice, the second garbage", "SEC", GOOD + "mode: garbage\n"),
    ("max_age twice, the second garbage", "SEC", GOOD + "max_age: xxx\n"),
    ("version twice", "SEC", GOOD + "version: STSv9\n"),
    ("mode none first", "NF", GOOD.replace("mode: enforce", "mode: none\nmode: enforce")),
], policy_body)
table("A-14", "policy", [
    ("unknown keys", "SEC", GOOD + "foo: bar\nx-y_z: 1\n"),
    ("any order", "SEC", "max_age: 86400\nmx: MX\nversion: STSv1\nmode: enforce\n"),
    ("CRLF", "SEC", GOOD.replace("\n", "\r\n")),
    ("mixed line ends, no final one", "SEC", "version: STSv1\r\nmode: enforce\nmx: MX\r\nmax_age: 86400"),
], policy_body)
table("A-15", "policy", [
    ("mode none with mx", "NF", GOOD.replace("enforce", "none")),
    ("mode none without mx", "NF", "version: STSv1\nmode: none\nmax_age: 86400\n"),
], policy_body)
table("A-16", "policy", [("testing", "NF", GOOD.replace("enforce", "testing"))], policy_body)
table("A-16", "policy, testing = enforce", [("testing", "SEC", GOOD.replace("enforce", "testing"))], policy_body, daemon="testing-enforced")
table("A-17", "max_age", [
    ("31557600", "SEC", GOOD.replace("86400", "31557600")),
    ("31557601 counts as the greatest", "SEC", GOOD.replace("86400", "31557601")),
    ("10 digits", "SEC", GOOD.replace("86400", "9999999999")),
    ("-1", "NF", GOOD.replace("86400", "-1")),
    ("xxx", "NF", GOOD.replace("86400", "xxx")),
    ("empty", "NF", GOOD.replace("86400", "")),
    ("11 digits", "NF", GOOD.replace("86400", "00000086400")),
], policy_body)
table("A-18", "wildcard mx", [("covers no MX at its own level", "SEC", GOOD.replace("MX", "*.MX"), ("*.MX",))], policy_body)
UNFIT = ("198.51.100.66", "*.microsoft", "*.example", "hostname", "nexthop", "dot-nexthop", "x", "123", "*.1")
table("A-44", "an mx that Postfix cannot be given", [(f"{one} beside a good one", "SEC", GOOD.replace("mx: MX", f"mx: {one}\nmx: MX"), (one, "MX"))
                                                    for one in UNFIT], policy_left_out)
table("A-44", "mx that Postfix cannot be given", [("alone", f"OK secure match={NO_MX} servername=hostname",
                                                  GOOD.replace("mx: MX", "\n".join(f"mx: {one}" for one in UNFIT)), UNFIT)], policy_body)
table("A-19", "U-label mx", [("makes the policy invalid", "NF", GOOD.replace("MX", "mäil.MX"))], policy_body)
table("A-20 A-12", "several mx", [("in their order", "SEC", GOOD.replace("mx: MX", "mx: b.MX\nmx: *.MX\nmx: a.MX"),
                                   ("b.MX", "*.MX", "a.MX"))], policy_body)

DAEMONS = {
    "testing-enforced": {"resolver": "127.0.0.53", "testing": "enforce"},
    "patient": {"resolver": "127.0.0.53", "sts-retry": "5m", "temp-ttl": "1s"},
}


@case("A-17", "max_age 0 is never served from the cache")
def _(c):
    c.clear_mx()
    host = c.sts(max_age=0)
    c.want("SEC")
    c.later("it is fetched again", lambda: c.ask() == "OK secure match=" + f"mx.{c.u} servername=hostname" and len(host.fetches) >= 2)


@case("A-15", "mode none is remembered as none")
def _(c):
    c.clear_mx()
    host = c.sts(mode="none")
    c.want("NF")
    c.want("NF")
    c.check("fetches", lambda: len(host.fetches), 1)
    c.explained("mode", lambda e: e["evidence"]["mta_sts"]["mode"], "none")


@case("A-18 A-20", "a wildcard and the tlsrpt name: mx_host_pattern keeps *., case does not matter")
def _(c):
    c.clear_mx()
    c.sts(f"*.{c.u}", f"MX.{c.u.upper()}")
    c.want(lambda got: f"mx_host_pattern=*.{c.u} " in got and "policy_type=sts" in got, name="QUERYwithTLSRPT")
    c.explained("wildcard covers the MX", lambda e: " ".join(e["why"]), lambda why: "excludes" not in why)


def short_lived_record(c, identifier):
    """The record with a TTL of 1, so that the daemon soon looks again."""
    name = f"_mta-sts.{c.u}"
    c.rule(name, "TXT", tap.answer((name, "TXT", f"v=STSv1; id={identifier};", 1)))


def asked_again(c):
    """Asks until the daemon has looked at the record once more."""
    before = []
    c.do(lambda: before.append(c.world.tap.asked(f"_mta-sts.{c.u}", "TXT")))
    c.later("the record is looked at again", lambda: c.ask() and c.world.tap.asked(f"_mta-sts.{c.u}", "TXT") > before[0])


@case("A-30", "a fetch that failed is not tried again for the same id")
def _(c):
    c.clear_mx()
    host = c.sts(txt=None, policy=Policy(status="500 Oops"))
    short_lived_record(c, 1)
    c.want("NF")
    asked_again(c)
    c.want("NF")
    c.check("fetches for the same id", lambda: len(host.fetches), 1)


@case("A-30", "after a failed fetch a new id is fetched at once")
def _(c):
    c.clear_mx()
    host = c.sts(txt=None, policy=Policy(status="500 Oops"))
    short_lived_record(c, 1)
    c.want("NF")
    c.do(lambda: setattr(host, "policy", Policy(sts_text(*c.patterns))))
    c.do(lambda: short_lived_record(c, 2))
    asked_again(c)
    c.later("the policy counts", lambda: c.ask().startswith("OK secure "))
    c.want("SEC")
    c.check("fetches", lambda: len(host.fetches), 2)


@case("A-26", "a repeated fetch is no conditional request and HTTP caching says nothing")
def _(c):
    c.clear_mx()
    caching = ("Cache-Control: max-age=864000", "Expires: Thu, 01 Jan 2099 00:00:00 GMT", 'ETag: "1"')
    host = c.sts(policy=Policy(sts_text(f"mx.{c.u}"), headers=caching))
    c.want("SEC")
    c.do(lambda: c.rule(f"_mta-sts.{c.u}", "TXT", tap.answer((f"_mta-sts.{c.u}", "TXT", "v=STSv1; id=2;"))))
    c.forget()
    c.want("SEC")
    c.check("fetches", lambda: len(host.fetches), 2)
    c.check("conditional requests", lambda: [f.request for f in host.fetches if "if-none-match" in f.request.lower()
                                             or "if-modified" in f.request.lower()], [])


@case("A-31", "[host] on another port looks up no MTA-STS")
def _(c):
    c.clear_mx()
    host = c.sts()
    c.plain(f"@ A {c.world.clear.address}")
    c.want("NF", key=f"[{c.u}]:587")
    c.check("TXT queries", lambda: c.world.tap.asked(f"_mta-sts.{c.u}"), 0)
    c.check("fetches", lambda: len(host.fetches), 0)


@case("A-32", "a subdomain has no policy of its parent")
def _(c):
    c.clear_mx()
    host = c.sts()
    c.plain("sub MX 10 mx")
    c.want("NF", key=f"sub.{c.u}")
    c.check("fetches", lambda: len(host.fetches), 0)


@case("A-32", ".parent asks nothing")
def _(c):
    c.clear_mx()
    c.sts()
    c.want("NF", key=f".{c.u}")
    c.check("queries", lambda: c.world.tap.asked_below(c.u), 0)


@case("A-39", "DANE is not overridden by MTA-STS")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    c.sts()
    c.want("DO")


@case("A-39 B-39", "DANE that will fail is not overridden either")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "3 1 1 " + "00" * 32)
    c.sts()
    c.want("DO")


@case("A-42", "the policy domain is the name asked for, not its CNAME target")
def _(c):
    c.clear_mx()
    host = c.sts()
    c.plain(f"alias CNAME {c.u}.")
    c.want("NF", key=f"alias.{c.u}")
    c.check("fetches", lambda: len(host.fetches), 0)


@case("A-43", "a U-label key: the A-label is asked, fetched, and named as policy_domain")
def _(c):
    c.key, a_label = f"bücher.{c.u}", f"xn--bcher-kva.{c.u}"
    c.plain("xn--bcher-kva MX 10 mx", f"mx A {c.world.clear.address}")
    host = c.sts(f"mx.{c.u}", domain=a_label)
    c.want("SEC")
    c.want(lambda got: f"policy_domain={a_label} " in got, name="QUERYwithTLSRPT")
    c.check("Host header", lambda: host.fetches[0].request.lower(), lambda r: f"host: mta-sts.{a_label}\r\n" in r)
    c.check("SNI", lambda: f"mta-sts.{a_label}" in c.world.policies.snis, True)


@case("A-41", "whatever the world does, no answer bounces mail")
def _(c):
    c.clear_mx()
    c.sts(policy=Policy(raw=b"\0" * 100))
    c.want(lambda got: got.startswith(("OK ", "NOTFOUND ", "TEMP ")))


@case("A-21 A-24 A-25", "a failed fetch is explained")
def _(c):
    c.clear_mx()
    c.sts(policy=Policy(status="404 Not Found"))
    c.want("NF")
    c.explained("why", lambda e: e["evidence"]["mta_sts"].get("why", ""), lambda why: "404" in why)
