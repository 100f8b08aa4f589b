"""mxcrypt check: faults of TLSA records, and what comes at the next renewal."""

from checking import NEXT_KEY, planted

RETIRED = "2 1 1 8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d"  # Let's Encrypt R3


# whether they count

@planted("both", "the TLSA lookup of one host fails", "critical tlsa-lookup-failed: _25._tcp.mx1.DOMAIN")
def _(sound):
    sound.one.tlsa = []
    sound.c.child(f"_tcp.mx1.{sound.name}", "bogus", f"_25 TLSA {NEXT_KEY}")


@planted("both", "one host of two has no TLSA records", "warning dane-partial: mx2.DOMAIN")
def _(sound):
    sound.two.tlsa = []


@planted("sts", "TLSA records in a zone that is not signed", "warning tlsa-unsigned: mx1.DOMAIN", "warning tlsa-unsigned: mx2.DOMAIN")
def _(sound):
    sound.has_dane = True


@planted("dane", "the MX records are not signed", "warning dane-mx-unsigned: signed TLSA records of mx1.")
def _(sound):
    sound.name = sound.c.u
    sound.c.child(sound.name, "unsigned", *[f"@ MX {one}.{sound.zone}." for one in sound.mx],
                  f'_smtp._tls TXT "v=TLSRPTv1; rua=mailto:reports@{sound.name}"', secondary="same")
    sound.mx, sound.tlsrpt = [], []


@planted("both", "the addresses of an alias are not signed, but the alias is, by which its records count", "warning mx-alias: mx1.DOMAIN")
def _(sound):
    sound.lines.append(f"mx1 CNAME mail.{sound.c.u}.")
    sound.one.owner = None
    sound.c.plain(*[f"mail {kind} {sound.one.addresses[family]}" for family, kind in ((4, "A"), (6, "AAAA"))])


# whether they match

@planted("dane", "the key has changed", "critical tlsa-mismatch: mx1.DOMAIN [")
def _(sound):
    sound.one.tlsa = [sound.good_cert().tlsa()]
    sound.one.show(sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key))


@planted("both", "a certificate that is pinned whole has been renewed", "critical tlsa-mismatch: ends with its certificate, at each renewal")
def _(sound):
    sound.two.tlsa = [sound.ca.leaf(*sound.names(), cn="the old one").tlsa(3, 0)]


@planted("dane", "one address shows a key that no record is for", "critical tlsa-mismatch: [2001:db8:")
def _(sound):
    other = sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key)
    sound.one.contexts[6] = lambda host: host.sound.ca.server_context(other)


@planted("dane", "RSA and ECDSA side by side, one without a record", "critical tlsa-second-certificate: mx1.DOMAIN [")
def _(sound):
    rsa = sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key)
    sound.one.contexts = dict.fromkeys((4, 6), lambda host: host.sound.ca.server_context(host.cert, rsa))


@planted("dane", "2 1 1 of the root, which is not sent", "critical tlsa-ta-not-sent: mx1.DOMAIN [")
def _(sound):
    sound.one.tlsa = [sound.ca.root.tlsa(2)]


@planted("dane", "2 0 1 of the root, which is not sent", "critical tlsa-ta-not-sent: mx1.DOMAIN [")
def _(sound):
    sound.one.tlsa = [sound.ca.root.tlsa(2, 0)]


@planted("dane", "2 1 1, and the certificate names another host", "critical certificate-name: mx1.DOMAIN [")
def _(sound):
    sound.one.tlsa = [sound.ca.root.tlsa(2)]
    sound.one.show(sound.ca.leaf(sound.two.name), extra=(sound.ca.root,))


@planted("dane", "2 1 1, and the certificate has expired", "critical certificate-expired: mx1.DOMAIN [")
def _(sound):
    sound.one.tlsa = [sound.ca.root.tlsa(2)]
    sound.one.show(sound.ca.expired(*sound.names()), extra=(sound.ca.root,))


# which records

@planted("both", "1 1 1 beside 3 1 1", "warning tlsa-pkix-usage: 1 1 1 ")
def _(sound):
    sound.one.tlsa.append(sound.good_cert().tlsa(1))


@planted("both", "0 0 1 alone", "warning tlsa-pkix-usage: 0 0 1 ", "warning tlsa-pkix-usage: 0 0 1 ")
def _(sound):
    for host in sound.hosts:
        host.tlsa = [sound.ca.root.tlsa(0, 0)]


@planted("both", "a digest that is cut short", "warning tlsa-unusable: 3 1 1 abcdef")
def _(sound):
    sound.one.tlsa.append("3 1 1 abcdef")


@planted("both", "a matching type that nobody knows", "warning tlsa-unusable: 3 1 7 ")
def _(sound):
    sound.one.tlsa.append("3 1 7 " + "ab" * 32)


@planted("both", "SHA-512 alone", "notice tlsa-not-recommended: 3 1 2 ")
def _(sound):
    sound.one.tlsa[0] = sound.good_cert().tlsa(3, 1, 2)


@planted("both", "SHA-512 of another key, beside SHA-256 that would match", "critical tlsa-mismatch: remove 3 1 2 ")
def _(sound):
    sound.one.tlsa.append("3 1 2 " + "ab" * 64)


@planted("both", "a whole key", "notice tlsa-not-recommended: 3 1 0 ")
def _(sound):
    sound.one.tlsa[0] = sound.good_cert().tlsa(3, 1, 0)


# the next renewal

@planted("both", "no record for a next key", "notice rollover-not-ready: mx1.DOMAIN")
def _(sound):
    sound.one.tlsa = ["present"]


@planted("both", "3 0 1 of a certificate that will be renewed", "warning rollover-certificate-pinned: (89 days left)")
def _(sound):
    sound.one.tlsa = [sound.good_cert().tlsa(3, 0)]


@planted("both", "2 1 1 of an issuer that issues no more, beside 3 1 1", "warning rollover-issuer-retired: Let's Encrypt R3")
def _(sound):
    sound.one.tlsa = ["present", RETIRED]


@planted("dane", "2 1 1 of an issuer that issues no more, alone", "critical rollover-issuer-retired: Let's Encrypt R3")
def _(sound):
    sound.one.tlsa = [RETIRED]
