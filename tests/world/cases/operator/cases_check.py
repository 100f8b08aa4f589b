"""mxcrypt check: sound domains, of which it says nothing, and faults of MX records, of addresses and of name servers."""

import datetime
from dataclasses import replace

import smtpd
from checking import NEXT_KEY, MailHost, planted

DAEMONS = {"check": {"dns-timeout": "1s", "dns-tries": "3", "fetch-deadline": "5s", "greeting-deadline": "5s", "probe-deadline": "8s"}}


def in_hours(hours):
    """As ldns-signzone takes it."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)).strftime("%Y%m%d%H%M%S")


# nothing to say

@planted("both", "sound")
@planted("dane", "sound")
@planted("sts", "sound")
def _(sound):
    pass


@planted("dane", "sound: 3 1 1, and 2 1 1 of the root, which is sent")
def _(sound):
    sound.show(sound.good_cert(), extra=(sound.ca.root,))
    for host in sound.hosts:
        host.tlsa = ["present", sound.ca.root.tlsa(2)]


@planted("dane", "sound: 2 1 1 of an intermediate, which is sent")
def _(sound):
    middle = sound.ca.new_ca("an intermediate that is pinned", sound.ca.root)
    sound.show(sound.ca.leaf(*sound.names(), issuer=middle))
    for host in sound.hosts:
        host.tlsa = [middle.tlsa(2)]


@planted("bare", "sound: null MX")
def _(sound):
    sound.hosts, sound.mx = [], ["0 ."]


@planted("both", "sound: mail without TLS is refused")
def _(sound):
    sound.arguments = ("--enforced",)
    for host in sound.hosts:
        host.temper(replace(smtpd.GOOD, mail=b"530 5.7.0 Must issue a STARTTLS command first\r\n"))


@planted("both", "sound: RSA and ECDSA certificates side by side, each with its record")
def _(sound):
    rsa = sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key)
    for host in sound.hosts:
        host.contexts = dict.fromkeys((4, 6), lambda host: host.sound.ca.server_context(host.sound.good_cert(), rsa))
        host.tlsa = ["present", rsa.tlsa(), NEXT_KEY]


@planted("both", "sound: an address has two reverse names, and one leads back")
def _(sound):
    for address in sound.one.addresses.values():
        sound.c.world.dns.add_reverse(address, "elsewhere.plain")


@planted("both", "sound: each address has a certificate of its own, with its record")
def _(sound):
    other = sound.ca.leaf(*sound.names(), key=sound.ca.new_key())
    sound.one.contexts[6] = lambda host: host.sound.ca.server_context(other)
    sound.one.tlsa = ["present", other.tlsa(), NEXT_KEY]


@planted("dane", "sound: self-signed certificate, by 3 1 1")
def _(sound):
    sound.show(sound.ca.leaf(*sound.names(), issuer=None))


# MX records

@planted("both", "the zone is bogus", "critical mx-lookup-failed")
def _(sound):
    sound.kind = "bogus"


@planted("both", "no such domain", "critical domain-missing")
def _(sound):
    sound.planted = False


@planted("sts", "no MX record, but an address", "notice mx-implicit")
def _(sound):
    sound.mx, sound.hosts = [], [sound.one]
    sound.one.label, sound.one.owner, sound.one.name = "@", "@", sound.name
    sound.one.reverse = {4: sound.name, 6: sound.name}
    sound.patterns = [sound.name]


@planted("both", "null MX among others", "critical mx-null-among-others")
def _(sound):
    sound.mx.append("0 .")


@planted("both", "an address where a host name belongs", "warning mx-not-a-host: 192.0.2.1")
def _(sound):
    sound.mx.append("30 192.0.2.1.")


@planted("dane", "an underscore in the name of an MX host", "warning mx-not-a-host: mx_2.DOMAIN")
def _(sound):
    sound.hosts[1] = MailHost(sound, "mx_2")
    sound.mx[1] = "20 mx_2"


@planted("both", "the only MX is no host name", "critical mx-not-a-host")
def _(sound):
    sound.mx, sound.hosts, sound.has_sts, sound.record, sound.tlsrpt = ["10 192.0.2.1."], [], False, [], []


@planted("both", "an MX host is an alias", "warning mx-alias: mail.DOMAIN")
def _(sound):
    sound.one.owner = "mail"
    sound.lines.append("mx1 CNAME mail")


# hosts and addresses

@planted("both", "an MX host without address", "warning host-without-address: mx3.DOMAIN")
def _(sound):
    sound.mx.append("30 mx3")
    sound.lines += ['mx3 TXT "no address"', f"_25._tcp.mx3 TLSA {NEXT_KEY}"]
    sound.patterns.append(f"mx3.{sound.name}")


@planted("sts", "no MX host has an address", "critical host-without-address: mx1.DOMAIN", "critical host-without-address: mx2.DOMAIN")
def _(sound):
    for host in sound.hosts:
        host.addresses = {}


@planted("both", "the addresses of an MX host are bogus", "warning host-lookup-failed: mx3.DOMAIN")
def _(sound):
    sound.mx.append("30 mx3")
    sound.patterns.append(f"mx3.{sound.name}")
    sound.c.child(f"mx3.{sound.name}", "bogus", f"@ A {sound.c.address()}", f"_25._tcp TLSA {NEXT_KEY}")


@planted("both", "a private address", "warning address-not-public: [10.1.2.3]")
def _(sound):
    sound.lines.append("mx2 A 10.1.2.3")


@planted("both", "no IPv4", "warning no-ipv4")
def _(sound):
    for host in sound.hosts:
        del host.addresses[4]


@planted("both", "no IPv6", "notice no-ipv6")
def _(sound):
    for host in sound.hosts:
        del host.addresses[6]


@planted("both", "no reverse name", "notice reverse-name: no PTR")
def _(sound):
    sound.two.reverse[6] = None


@planted("both", "a reverse name that leads elsewhere", "notice reverse-name: mx1.DOMAIN, whose addresses are others")
def _(sound):
    sound.two.reverse[4] = sound.one.name


# name servers

@planted("both", "a secondary lags behind", "warning name-server-lags: ns2.signed [198.51.100.57] serial 1: TLSA _25._tcp.mx1.DOMAIN; others have serial 2")
def _(sound):
    sound.lines = [f"_25._tcp.mx1 TLSA 3 1 1 {'6b' * 32}"]
    sound.old_lines = [f"_25._tcp.mx1 TLSA 3 1 1 {'7c' * 32}"]


@planted("both", "a secondary is silent", "warning name-server-silent: ns3.signed [198.51.100.58]")
def _(sound):
    sound.secondary = "silent"


@planted("both", "signatures end in two days", "warning signature-expires: DOMAIN")
def _(sound):
    sound.more["signed_until"] = in_hours(48)


@planted("dane", "signatures end in 20 hours", "critical signature-expires: DOMAIN")
def _(sound):
    sound.more["signed_until"] = in_hours(20)


@planted("both", "TLSA records are cached for two days", "notice ttl-long: TLSA _25._tcp.mx1.DOMAIN: 172800 s")
def _(sound):
    sound.one.tlsa_ttl = "172800"
