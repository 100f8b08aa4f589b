"""Ways round the routers that an attacker or an operator may find: odd addresses, another answer at the next attempt, delivery while a
message is received, a smarthost."""

import asyncio

import case
import exim_cases
import smtpd

SMART_PORT, TLS_PORT = 587, 465
PRIVATE, PRIVATE_SMART = "10.1.2.3", "10.1.2.4"
UMLAUT = "bücher"
ENCRYPT, NOTFOUND = exim_cases.of_level("encrypt").encode(), b"level=notfound\n"


class TlsFirst(smtpd.SmtpServer):
    """A server that speaks TLS from the first octet."""

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, self.address, self.port, ssl=self.context)

    async def _talk(self, reader, writer, connection):
        connection.tls = writer.get_extra_info("ssl_object").version()
        writer.write(self.temper.greeting)
        return await self._converse(reader, writer, connection, self.temper, True)


def _one(the_world, name, temper, scripted=ENCRYPT):
    one = case.Case(the_world, case.Entry(("exim",), name, None, "main", "alone", True), f"odd-{name}")
    one.zone("@ MX 10 mx")
    one.servers, one.scripted, one.row = [one.host("mx", temper=temper)], (scripted,), exim_cases.Row(name, "encrypt", "", None)
    return one


def declare(the_world):
    names = ("addresses", "attempts", "cutthrough", "callout")
    them = {name: _one(the_world, name, smtpd.CLEAR, NOTFOUND if name == "attempts" else ENCRYPT) for name in names}
    them["open"] = _one(the_world, "open", smtpd.GOOD)
    private = _one(the_world, "private", smtpd.CLEAR)
    server = smtpd.SmtpServer(the_world.loop, PRIVATE, smtpd.CLEAR)
    private.d = private.key = "inside." + private.d
    private.zone("@ MX 10 mx", f"mx A {PRIVATE}")
    private.servers = [server]
    them["private"] = private
    umlaut = _one(the_world, "umlaut", smtpd.GOOD)
    label = UMLAUT.encode("idna").decode("ascii")
    umlaut.zone(f"{label} MX 10 mx")
    umlaut.key = f"{label}.{umlaut.d}"
    them["umlaut"] = umlaut
    smart = _one(the_world, "smart", smtpd.CLEAR)
    smart.key = f"[mx.{smart.d}]:{SMART_PORT}"
    leaf = the_world.ca.leaf(f"mx.{smart.d}")
    smart.servers = [smtpd.SmtpServer(the_world.loop, smart.servers[0].address, smtpd.GOOD, the_world.ca.server_context(leaf), SMART_PORT)]
    smart.zone(f"_{SMART_PORT}._tcp.mx TLSA {leaf.tlsa()}")
    them["smart"] = smart
    inner = _one(the_world, "inner", smtpd.CLEAR)
    inner.key = f"[inner.{inner.d}]:{SMART_PORT}"
    inner.zone(f"inner A {PRIVATE_SMART}")
    leaf = the_world.ca.leaf(f"inner.{inner.d}")
    inner.servers = [smtpd.SmtpServer(the_world.loop, PRIVATE_SMART, smtpd.GOOD, the_world.ca.server_context(leaf), SMART_PORT)]
    them["inner"] = inner
    first = _one(the_world, "first", smtpd.GOOD)
    wrong = first.host("wrong")
    first.servers = [TlsFirst(the_world.loop, server.address, smtpd.GOOD, the_world.ca.server_context(the_world.ca.leaf(name)), TLS_PORT)
                     for server, name in ((first.servers[0], f"mx.{first.d}"), (wrong, "mx.elsewhere.example"))]
    them["first"] = first
    declare.them = them
    return list(them.values())


def deliver(them):
    _addresses(them, declare.them["addresses"])
    _attempts(them, declare.them["attempts"])
    _smtp(them)
    _smarthost(them, declare.them["smart"])
    _smarthost_within(them, declare.them["inner"])
    _smarthost_tls_first(them, declare.them["first"])
    for one in declare.them.values():
        for server in one.servers:
            them.check(f"{one.row.name}: nothing was taken in clear", [taken for taken in server.taken if taken.tls is None], [])


def _addresses(them, one):
    """Whatever the local part and however the domain is written; each is deferred, or refused before it is queued."""
    domain = one.d
    for recipient in (f"a%b@{domain}", f'"a b"@{domain}', f'"a@other.example"@{domain}', f"a!b@{domain}", f"a@{domain.upper()}", f"a@{domain}.",
                      f"${{run{{x}}}}@{domain}", f"a@[{one.servers[0].address}]", f"a@{domain}:25"):
        try:
            them.exim.submit(recipient)
        except RuntimeError:
            pass  # it is not taken at all
        them.check(f"mail to {recipient} is not taken in clear", any(taken.tls is None for taken in one.servers[0].taken), False)
    them.check("other writings of the domain are asked for as they are meant",
               {asked for asked in them.answers.asked if domain in asked.lower()} <= {domain, domain + ".", domain + ":25"}, True)


def _attempts(them, one):
    """notfound while the host is away, then encrypt, and the host is there in clear."""
    server = one.servers[0]
    server.close()
    recipient = f"rcpt@{one.key}"
    them.exim.submit(recipient)
    them.check("another answer: it waits at first", them.exim.fate(recipient)[0], "deferred")
    them.answers.scripted[one.key] = ENCRYPT
    one.servers = [smtpd.SmtpServer(them.world.loop, server.address, smtpd.CLEAR, server.context)]
    number = them.exim.fate(recipient)[1].split()[2]
    for how in ("-qff", "-qqff"):
        them.exim.run(how, number, number)
    them.exim.run("-M", number)
    them.check("another answer: it waits again", them.what_came(recipient, one.servers)[0], "deferred")
    them.check("another answer: the last one counts", "T=mxcrypt_encrypt" in them.exim.fate(recipient)[1], True)


def _smtp(them):
    """Delivery while the message is received, and callouts."""
    them.exim.layout = "plain"
    for name, modifier, host in (("cutthrough", "control = cutthrough_delivery", "cutthrough"), ("callout", "verify = recipient/callout", "callout"),
                                 ("open", "control = cutthrough_delivery", "open")):
        one = declare.them[host]
        them.exim.acl = "check_rcpt"
        them.exim.install(them.socket, acls=f"begin acl\ncheck_rcpt:\n  accept {modifier}\n")
        replies = them.exim.receive(f"{name}@{one.key}")
        taken = [message for server in one.servers for message in server.taken]
        if name == "open":
            them.check("cutthrough delivery is really tried, and encrypted",
                       f">> {name}@" in them.exim.log() and [message.tls is not None for message in taken] == [True], True)
        else:
            them.check(f"{name}: nothing in clear", taken, [])
            them.check(f"{name}: no recipient is told in clear",
                       [command for server in one.servers for command in server.commands if command.startswith("RCPT")], [])
        them.counts["encrypt"]["verified" if taken else "deferred"] += 1
        if them.options.verbose:
            print(replies)
    them.exim.acl = "accept"
    _umlaut(them, declare.them["umlaut"])
    _private(them, declare.them["private"])
    them.exim.layout = "split"
    them.exim.install(them.socket)


def _umlaut(them, one):
    """A domain in UTF-8: mxcryptd is asked for the name that Exim looks up."""
    them.exim.install(them.socket)
    recipient = f"rcpt@{UMLAUT}.{one.d}"
    them.exim.receive(recipient, options=" SMTPUTF8")
    them.check("a domain in UTF-8 is asked for in A-labels", one.key in them.answers.asked, True)
    them.check("a domain in UTF-8 is delivered to, encrypted", [len(taken.recipients) for taken in one.servers[0].taken if taken.tls], [1])
    them.counts["encrypt"]["verified"] += 1


def _private(them, one):
    """A host that our router ignores, and that of the operator behind it would not."""
    them.exim.install(them.socket)
    recipient = f"rcpt@{one.key}"
    them.exim.submit(recipient)
    them.check("what our router cannot deliver goes to no other", them.what_came(recipient, one.servers)[0], "bounced")
    them.counts["encrypt"]["bounced"] += 1


def _install_smarthost(them, host, port=SMART_PORT, before=""):
    them.exim.install(them.socket, before, {"macros": [(r"^#MXCRYPT_SMARTHOST = .*", f"MXCRYPT_SMARTHOST = {host}"),
                                                       (r"^#MXCRYPT_PORT = .*", f"MXCRYPT_PORT = {port}")]})


def _smarthost_tls_first(them, one):
    """Debian's macro for a smarthost of this kind counts, and the certificate with it."""
    for number, (level, label, want) in enumerate((("verify", "mx", "verified"), ("encrypt", "wrong", "encrypted"), ("verify", "wrong", "deferred"),
                                                   ("dane-only", "mx", "deferred"))):
        host, recipient = f"{label}.{one.d}", f"t{number}@anywhere.example"
        _install_smarthost(them, host, TLS_PORT, "REMOTE_SMTP_SMARTHOST_PROTOCOL = smtps")
        them.answers.scripted[f"[{host}]:{TLS_PORT}"] = exim_cases.of_level(level).encode()
        them.exim.submit(recipient)
        came, line = them.what_came(recipient, one.servers)
        them.check(f"smarthost, TLS first, {level}: {want}", came == want or line, True)
        them.counts[level][came] += 1
    them.exim.install(them.socket)


def _smarthost_within(them, one):
    """A smarthost that has a private address, named by name and by address."""
    for number, host in enumerate((f"inner.{one.d}", PRIVATE_SMART)):
        recipient = f"c{number}@anywhere.example"
        _install_smarthost(them, host)
        them.answers.scripted[f"[{host}]:{SMART_PORT}"] = ENCRYPT
        them.exim.submit(recipient)
        came, line = them.what_came(recipient, one.servers)
        them.check(f"smarthost at a private address: {host}", came in ("verified", "encrypted") or line, True)
        them.counts["encrypt"][came] += 1
    them.exim.install(them.socket)


def _smarthost(them, one):
    """All mail goes to one host and port, as mxcryptd says of these."""
    _install_smarthost(them, f"mx.{one.d}")
    server = one.servers[0]
    for number, (level, want) in enumerate((("encrypt", "verified"), ("verify", "verified"), ("dane-only", "verified"), ("secure", "deferred"))):
        recipient = f"a{number}@anywhere.example"
        them.answers.scripted[one.key] = exim_cases.of_level(level, "other.example" if level == "secure" else "").encode()
        them.exim.submit(recipient)
        came, line = them.what_came(recipient, [server])
        them.check(f"smarthost, {level}: {want}", came == want or line, True)
        them.counts[level][came] += 1
    server.temper = smtpd.CLEAR
    for number, level in enumerate(exim_cases.STRICT):
        recipient = f"b{number}@anywhere.example"
        them.answers.scripted[one.key] = exim_cases.of_level(level, f"mx.{one.d}" if level == "secure" else "").encode()
        them.exim.submit(recipient)
        came, line = them.what_came(recipient, [server])
        them.check(f"smarthost stripped, {level}: deferred", came == "deferred" or line, True)
        them.counts[level][came] += 1
    them.exim.install(them.socket)
