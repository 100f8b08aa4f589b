"""Messages that meet at one mail host: of two domains in one message, of two messages in the queue. None gets the policy of another."""

import case
import exim_cases
import smtpd
import waiting

ROW = exim_cases.Row("together", "", "", None)


def _domains(the_world, name, temper, first, second, tlsa=()):
    """Two domains with the same MX host; what mxcryptd says of each. `temper` is that of the host."""
    host = case.Case(the_world, case.Entry(("exim",), name, None, "main", "alone", True), f"host-{name}")
    server = host.host("mx", *tlsa, temper=temper, cert=the_world.ca.leaf(f"mx.{host.d}"))
    pair = []
    for number, answer in enumerate((first, second)):
        one = case.Case(the_world, case.Entry(("exim",), name, None, "main", "alone", True), f"{name}-{number}")
        one.zone(f"@ MX 10 mx.{host.d}.")
        one.servers, one.row = [server], ROW
        one.scripted = (answer.replace("HOST", f"mx.{host.d}").encode(),)
        pair.append(one)
    return pair


SECURE, ENCRYPT, NOTFOUND = exim_cases.of_level("secure", "HOST"), exim_cases.of_level("encrypt"), "level=notfound\n"
MAY, DANE, OTHER = exim_cases.of_level("may"), exim_cases.of_level("dane"), exim_cases.of_level("secure", "mx.other.example")
DANE_ONLY, VERIFY = exim_cases.of_level("dane-only"), exim_cases.of_level("verify")
# name, temper of the host, answers, what comes of them, TLSA
ROWS = (
    ("clear-host", smtpd.CLEAR, (SECURE, NOTFOUND), ("deferred", "clear"), ()),
    ("clear-host-2", smtpd.CLEAR, (NOTFOUND, ENCRYPT), ("clear", "deferred"), ()),
    ("clear-host-3", smtpd.CLEAR, (MAY, VERIFY), ("clear", "deferred"), ()),
    ("clear-dane", smtpd.CLEAR, (MAY, DANE), ("clear", "deferred"), ("good",)),
    ("clear-dane-only", smtpd.CLEAR, (DANE_ONLY, NOTFOUND), ("deferred", "deferred"), ("good",)),
    ("other-names", smtpd.GOOD, (SECURE, OTHER), ("verified", "deferred"), ()),
    ("other-names-2", smtpd.GOOD, (OTHER, SECURE), ("deferred", "verified"), ()),
    ("other-names-3", smtpd.GOOD, (OTHER, ENCRYPT), ("deferred", "verified"), ()),
    ("same-verify", smtpd.GOOD, (VERIFY, SECURE), ("verified", "verified"), ()),
    ("same-dane", smtpd.GOOD, (DANE_ONLY, DANE_ONLY), ("verified", "verified"), ("good",)),
    ("no-tlsa", smtpd.GOOD, (DANE_ONLY, VERIFY), ("deferred", "verified"), ()),
)


def declare(the_world):
    pairs = [(how, row, _domains(the_world, f"{how}-{row[0]}", row[1], *row[2], tlsa=row[4])) for how in ("message", "queue") for row in ROWS]
    declare.pairs = pairs
    return [one for _, _, pair in pairs for one in pair]


def _recipients(pair):
    return [f"rcpt@{one.key}" for one in pair]


def deliver(them):
    """While nothing else is in the queue."""
    queued = [pair for how, _, pair in declare.pairs if how == "queue"]
    _from_the_queue(them, queued)
    for how, row, pair in declare.pairs:
        if how == "message":
            them.exim.submit(*_recipients(pair))
        came = tuple(them.what_came(recipient, pair[0].servers)[0] for recipient in _recipients(pair))
        for one, fate in zip(pair, came):
            them.counts[one.scripted[0].decode().split()[0].split("=")[1]][fate] += 1
        them.check(f"{how}, {row[0]}: {' and '.join(row[3])}", came, row[3])
    _reused(them)
    _hints(them)


def _from_the_queue(them, pairs):
    """All wait for their hosts, which were away: hints of it are in Exim's database. Then one run with connections that are used again."""
    for pair in pairs:
        pair[0].servers[0].close()
        for recipient in _recipients(pair):
            them.exim.submit(recipient)
            assert them.exim.fate(recipient)[0] == "deferred", recipient
    for pair in pairs:
        server = pair[0].servers[0]
        pair[0].servers[0] = smtpd.SmtpServer(them.world.loop, server.address, server.temper, server.context)
        pair[1].servers = pair[0].servers
    them.exim.run("-qqff")
    waiting.until(lambda: not them.exim.running(), "the queue run and what it began are at their end", 120, pause=0.05)


def _reused(them):
    """Connections are used again at all, or the above proves nothing: by messages of the same transport."""
    for how, row, pair in declare.pairs:
        if how == "queue" and row[0].startswith("same"):
            carried = [len(one.taken) for one in pair[0].servers[0].connections if one.taken]
            them.check(f"queue, {row[0]}: one connection for both", carried, [2])


def _hints(them):
    """A domain whose MX hosts are not in its policy says nothing against the host: mail of others to it does not wait."""
    good, bad = next(pair for how, row, pair in declare.pairs if how == "message" and row[0] == "other-names")
    for number in range(3):
        them.exim.submit(f"again{number}@{bad.key}")
    them.exim.submit(f"after@{good.key}")
    them.check("mail to a host does not wait for the policy of another domain", them.what_came(f"after@{good.key}", good.servers)[0], "verified")
