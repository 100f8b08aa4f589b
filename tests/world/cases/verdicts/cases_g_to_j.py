"""G to I. The STARTTLS probe, REQUIRETLS, negative answers (J's rows are policy host certificates: cases_a_https.py)."""

import concurrent.futures
from dataclasses import replace

import smtpd
import tap
from case import case, table
from smtpd import GOOD

DAEMONS = {
    "probe-encrypt": {"resolver": "127.0.0.53", "probe-level": "encrypt"},
    "no-probe": {"resolver": "127.0.0.53", "probe": "no"},
    "probe-exclude": {"resolver": "127.0.0.53", "probe-exclude": ".excluded.plain, 198.18.99.0/24"},
    "hurried": {"resolver": "127.0.0.53", "answer-deadline": "1s", "greeting-deadline": "20s", "probe-deadline": "25s"},
}


def one_server(c, want, temper, **certificate):
    """c.u has one MX host of that temper; nothing is signed."""
    c.key = c.u
    c.plain("@ MX 10 mx")
    server = c.plain_host("mx", temper=temper, **certificate)
    c.want(want)
    return server


def tempered(c, want, **changes):
    server = one_server(c, want, replace(GOOD, **changes))
    c.check("MAIL never", lambda: [command for command in server.commands if command.upper().startswith("MAIL")], [])


def with_cert(c, want, make):
    one_server(c, want, GOOD, cert=make(c, c.world.ca))


def temper_table(rows, title, lines, **more):
    """Lines are (name, want, changes of the good temper)."""
    for name, want, changes in lines:
        case(rows, f"{title}: {name}", **more)(lambda c, want=want, changes=changes: tempered(c, want, **changes))


temper_table("G-1", "STARTTLS", [("certificate valid for the MX host", "VER", {})])
temper_table("G-1", "probe-level = encrypt", [("certificate valid for the MX host", "ENC", {})], daemon="probe-encrypt")
temper_table("G-1", "probe = no", [("nothing connects", "NF", {})], daemon="no-probe")
table("G-1", "STARTTLS, certificate", [
    ("self-signed", "ENC", lambda c, ca: ca.leaf(f"mx.{c.u}", issuer=None)),
    ("unknown CA", "ENC", lambda c, ca: ca.leaf(f"mx.{c.u}", issuer=ca.stranger)),
    ("another name", "ENC", lambda c, ca: ca.leaf("other.example")),
    ("expired", "ENC", lambda c, ca: ca.expired(f"mx.{c.u}")),
    ("wildcard", "VER", lambda c, ca: ca.leaf(f"*.{c.u}")),
], with_cert)

EHLO = b"250-mail.world\r\n"
temper_table("G-2", "EHLO", [("no STARTTLS", "NF", {"ehlo": EHLO + b"250 PIPELINING\r\n"})])
temper_table("G-3", "EHLO refused", [("500", "NF", {"ehlo": b"500 what?\r\n"}), ("502", "NF", {"ehlo": b"502 what?\r\n"})])
temper_table("G-4", "STARTTLS refused", [("454", "NF", {"starttls": b"454 not now\r\n"}), ("501", "NF", {"starttls": b"501 no\r\n"}),
                                          ("554", "NF", {"starttls": b"554 no\r\n"})])
temper_table("G-5", "220, then", [("garbage", "NF", {"handshake": "garbage"}), ("the end", "NF", {"handshake": "close"}),
                                   ("silence", "NF", {"handshake": "hang"})])
temper_table("G-6", "keyword", [("lower case", "VER", {"ehlo": EHLO + b"250 starttls\r\n"}),
                                 ("trailing blank", "VER", {"ehlo": EHLO + b"250 STARTTLS \r\n"}),
                                 ("STARTTLSX", "NF", {"ehlo": EHLO + b"250 STARTTLSX\r\n"})])
temper_table("G-7", "replies", [("codes differ", "NF", {"ehlo": b"250-mail.world\r\n220 STARTTLS\r\n"})])
temper_table("G-8", "injection", [("a reply in the packet of the 220", "NF", {"injected": b"250-mail.world\r\n250 STARTTLS\r\n"})])
temper_table("G-11", "greeting", [("554", "NF", {"greeting": b"554 go away\r\n"}), ("421", "NF", {"greeting": b"421 not now\r\n"})])
temper_table("G-12", "greeting", [("in single octets", "VER", {"drip": 0.01}),
                                   ("of several lines", "VER", {"greeting": b"220-mail.world\r\n220-be welcome\r\n220 ESMTP\r\n"})])


@case("G-3", "EHLO refused: HELO follows")
def _(c):
    server = one_server(c, "NF", replace(GOOD, ehlo=b"500 what?\r\n"))
    c.check("commands", lambda: [command.split()[0] for command in server.commands], lambda words: words[:2] == ["EHLO", "HELO"])


@case("G-9 G-10 G-16 H-3", "the conversation: EHLO by the configured name, STARTTLS, at most EHLO again, QUIT")
def _(c):
    server = one_server(c, "VER", GOOD)
    c.later("QUIT", lambda: "QUIT" in server.commands)

    def words():
        return [command for command in server.connections[0].commands]
    c.check("commands", words, lambda got: got[:2] == [f"EHLO {c.world.options()['helo-name']}", "STARTTLS"] and got[-1] == "QUIT"
            and all(command.startswith("EHLO") for command in got[2:-1]))


@case("G-9 H-3", "what the EHLO before TLS promised does not count after it, and REQUIRETLS changes no verdict")
def _(c):
    one_server(c, "VER", replace(GOOD, ehlo=b"250-mail.world\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n", ehlo_over_tls=b"250 mail.world\r\n"))


def several(c, want, *tempers):
    """One MX host with an address per temper; None is an address where nothing listens."""
    c.key = c.u
    c.plain("@ MX 10 mx")
    for temper in tempers:
        address = c.server(f"mx.{c.u}", temper=temper).address if temper else c.address()
        c.plain(f"mx A {address}")
    c.want(want)


table("G-13", "several addresses", [
    ("all good", "VER", GOOD, GOOD), ("one without STARTTLS", "NF", GOOD, smtpd.CLEAR),
    ("one dead", "VER", GOOD, None), ("one refuses STARTTLS for good", "NF", GOOD, replace(GOOD, starttls=b"554 no\r\n")),
    ("all dead", "NF", None, None),
], several)


@case("G-13", "an address where connects hang does not count beside a good one")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx")
    c.plain_host("mx")
    hanging = c.address()
    c.sockets = smtpd.hanging_address(hanging)
    c.plain(f"mx A {hanging}")
    c.later("the verdict when the connect has timed out", lambda: c.ask() == "OK verify servername=hostname", 30)


@case("G-13", "two MX hosts, one without STARTTLS")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx", "@ MX 20 mx2")
    c.plain_host("mx")
    c.plain_host("mx2", temper=smtpd.CLEAR)
    c.want("NF")


@case("G-13", "two MX hosts, one certificate does not verify")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx", "@ MX 20 mx2")
    c.plain_host("mx")
    c.plain_host("mx2", cert=c.world.ca.leaf("other.example"))
    c.want("ENC")


@case("G-13", "one probe serves every domain behind an address")
def _(c):
    c.key = c.u
    server = c.plain_host("mx")
    c.plain("@ MX 10 mx", *(f"d{number} MX 10 mx" for number in range(5)))
    for number in range(5):
        c.want("VER", key=f"d{number}.{c.u}")
    c.check("connections", lambda: len(server.connections), 1)


@case("G-15", "a late greeting is waited for by the job, not by the answer", daemon="hurried", valgrind=False)  # its answers are due in a second
def _(c):
    one_server(c, "NF", replace(GOOD, greeting_delay=3))
    c.later("the job's result", lambda: c.ask() == "OK verify servername=hostname")


@case("G-10", "probe-exclude: never connected to", daemon="probe-exclude")
def _(c):
    c.key = "d.excluded.plain"
    server = c.server("mx.excluded.plain")
    c.plain("d.excluded.plain. MX 10 mx.excluded.plain.", f"mx.excluded.plain. A {server.address}")
    by_net = c.server(f"mx.{c.u}", address="198.18.99.200")
    c.plain("@ MX 10 mx", "mx A 198.18.99.200")
    c.want("NF")
    c.want("NF", key=c.u)
    c.check("connections", lambda: len(server.connections) + len(by_net.connections), 0)


@case("G-13", "one connection at a time for an address")
def _(c):
    server = c.server(*(f"mx{n}.{c.u}" for n in range(4)), temper=replace(GOOD, command_delay=0.1))
    c.key = f"d0.{c.u}"
    for number in range(4):
        c.plain(f"d{number} MX 10 mx{number}", f"mx{number} A {server.address}")

    def ask_all():
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda number: c.ask(f"d{number}.{c.u}"), range(4)))
    c.check("answers", ask_all, lambda got: set(got) <= {"OK verify servername=hostname", "OK encrypt"})
    c.check("most at once", lambda: server.open_most, 1)


@case("H-1 H-2", "the answer depends on the key alone")
def _(c):
    c.zone("@ MX 10 mx")
    c.host("mx", "good")
    for name in ("policy", "QUERY", "postfix", "policy"):
        c.want("DO", name=name)


@case("I-9", "a negative verdict is cached")
def _(c):
    c.clear_mx()
    c.want("NF")
    c.want("NF")
    c.check("MX queries", lambda: c.world.tap.asked(c.u, "MX"), 1)


@case("I-4", "a failed lookup is an error and soon asked again")
def _(c):
    c.rule(c.d, "MX", tap.rcode("SERVFAIL"))
    c.want("TMP")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: seconds <= 60)


@case("I-1", "NXDOMAIN lives as long as the SOA says")
def _(c):
    c.want("NF")
    c.explained("valid for", lambda e: e["valid_for_s"], lambda seconds: 0 < seconds <= 300)


@case("G-13", "one address, two host names: verified counts for the name in the certificate alone")
def _(c):
    server = c.server(f"mx.{c.u}")
    c.key = c.u
    c.plain("@ MX 10 mx", f"mx A {server.address}", "other MX 10 mx2", f"mx2 A {server.address}")
    c.want("VER")
    c.want("ENC", key=f"other.{c.u}")
    c.want("VER")


@case("G-13", "one address, two host names, the other order")
def _(c):
    server = c.server(f"mx.{c.u}")
    c.key = c.u
    c.plain("@ MX 10 mx", f"mx A {server.address}", "other MX 10 mx2", f"mx2 A {server.address}")
    c.want("ENC", key=f"other.{c.u}")
    c.want("VER")


@case("G-13", "the certificate depends on SNI: each name is judged by what it gets")
def _(c):
    ca = c.world.ca
    contexts = {f"mx{n}.{c.u}": ca.server_context(ca.leaf(f"mx{n}.{c.u}")) for n in (1, 2)}
    front = ca.server_context(ca.leaf("front.example"))
    server = c.server(context=front)

    def choose(sslobject, name, _context):
        sslobject.sni_seen = name
        sslobject.context = contexts.get(name, front)
    front.sni_callback = choose
    c.key = f"d1.{c.u}"
    c.plain(*(f"d{n} MX 10 mx{n}" for n in (1, 2, 3)), *(f"mx{n} A {server.address}" for n in (1, 2, 3)))
    c.want("VER", key=f"d1.{c.u}")
    c.want("VER", key=f"d2.{c.u}")
    c.want("ENC", key=f"d3.{c.u}")


@case("G-1", "[host] and [host]:port are probed where they are")
def _(c):
    cert = c.world.ca.leaf(f"mx.{c.u}")
    server = c.plain_host("mx", temper=smtpd.CLEAR)
    smtpd.SmtpServer(c.world.loop, server.address, context=c.world.ca.server_context(cert), port=587)
    c.want("NF", key=f"[mx.{c.u}]")
    c.want("VER", key=f"[mx.{c.u}]:587")
    c.want("NF", key=f"[mx.{c.u}]:25")


@case("G-13", "a greeting of 554 at one host does not count beside a good one")
def _(c):
    c.key = c.u
    c.plain("@ MX 10 mx", "@ MX 20 mx2")
    c.plain_host("mx")
    c.plain_host("mx2", temper=replace(GOOD, greeting=b"554 go away\r\n"))
    c.want("VER")


@case("G-13 hostile-29", "connections to one /24 are capped")
def _(c):
    servers = [c.server(f"mx{n}.{c.u}", address=f"198.19.7.{n + 1}", temper=replace(GOOD, greeting_delay=0.3)) for n in range(40)]
    c.plain(*(f"d{n} MX 10 mx{n}" for n in range(40)), *(f"mx{n} A 198.19.7.{n + 1}" for n in range(40)))
    most = []

    def ask_all():
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = [pool.submit(c.ask, f"d{number}.{c.u}") for number in range(40)]
            while not all(one.done() for one in answers):
                most.append(sum(server.open_now for server in servers))
                concurrent.futures.wait(answers, 0.02)
        return {one.result() for one in answers}
    c.check("answers", ask_all, {"OK verify servername=hostname"})
    c.check("most at once", lambda: max(most), lambda n: 5 < n <= 20)
