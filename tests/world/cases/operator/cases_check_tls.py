"""mxcrypt check: faults of STARTTLS, of TLS, and of certificates."""

import ssl
from dataclasses import replace

from checking import planted
from smtpd import CLEAR, GOOD

WITHOUT_POLICY = "notice no-policy"


# STARTTLS

@planted("both", "an address where nothing listens", "warning smtp-silent: mx2.DOMAIN [2001:db8:")
def _(sound):
    sound.two.tempers[6] = None


@planted("dane", "no address answers", "critical smtp-silent: mx1.DOMAIN [", "critical smtp-silent: mx2.DOMAIN [")
def _(sound):
    for host in sound.hosts:
        host.temper(None)


@planted("both", "a greeting of 421", "warning smtp-error: mx2.DOMAIN")
def _(sound):
    sound.two.temper(replace(GOOD, greeting=b"421 4.3.2 Service not available\r\n"))


@planted("both", "a greeting of 554", "warning smtp-error: mx2.DOMAIN")
def _(sound):
    sound.two.temper(replace(GOOD, greeting=b"554 5.7.1 Go away\r\n"))


@planted("both", "STARTTLS is not offered", "critical starttls-missing: mx1.DOMAIN [")
def _(sound):
    sound.one.temper(CLEAR)


@planted("bare", "STARTTLS is not offered", "critical starttls-missing: mx1.DOMAIN [", "critical starttls-missing: mx2.DOMAIN [")
def _(sound):
    for host in sound.hosts:
        host.temper(CLEAR)


@planted("both", "STARTTLS is not offered at one address", "critical starttls-missing: [2001:db8:")
def _(sound):
    sound.two.tempers[6] = CLEAR


@planted("both", "STARTTLS is refused with 454", "critical starttls-refused: 454")
def _(sound):
    sound.one.temper(replace(GOOD, starttls=b"454 4.7.0 TLS not available due to local problem\r\n"))


@planted("both", "STARTTLS is refused with 502", "critical starttls-refused: 502")
def _(sound):
    sound.one.temper(replace(GOOD, starttls=b"502 5.5.1 Not implemented\r\n"))


@planted("both", "no handshake comes of STARTTLS", "critical tls-broken: mx1.DOMAIN [")
def _(sound):
    sound.one.tempers[4] = replace(GOOD, handshake="close")


@planted("both", "no reply to EHLO in TLS", "critical tls-broken: mx1.DOMAIN [")
def _(sound):
    sound.one.temper(replace(GOOD, after_handshake="close"))


@planted("both", "mail is taken without TLS, --enforced", "warning tls-not-enforced: mx1.DOMAIN [", "warning tls-not-enforced: mx2.DOMAIN [")
def _(sound):
    sound.arguments = ("--enforced",)


@planted("both", "mail is taken without TLS at one address, --enforced", "warning tls-not-enforced: [2001:db8:")
def _(sound):
    sound.arguments = ("--enforced",)
    must_issue = replace(GOOD, mail=b"530 5.7.0 Must issue a STARTTLS command first\r\n")
    sound.one.temper(must_issue)
    sound.two.tempers[4] = must_issue


# versions and ciphers

def versions(lowest, highest, ciphers="DEFAULT"):
    """A context for a host's certificate that speaks these only."""
    def context(host):
        made = host.sound.ca.server_context(host.cert, extra=host.extra, ciphers=f"{ciphers}:@SECLEVEL=0")
        made.minimum_version, made.maximum_version = lowest, highest
        return made
    return dict.fromkeys((4, 6), context)


@planted("both", "TLS 1.1 only", "critical tls-old-only: TLSv1.1 is the best that works")
def _(sound):
    sound.two.contexts = versions(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)


@planted("both", "TLS 1.0 only", "critical tls-old-only: TLSv1 is the best that works")
def _(sound):
    sound.two.contexts = versions(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)


@planted("both", "TLS 1.0 is offered", "notice tls-old-offered: mx2.DOMAIN [")
def _(sound):
    sound.two.contexts = versions(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3, "ECDHE+AES")


@planted("both", "a cipher that encrypts nothing", "warning tls-weak-cipher: encrypts nothing")
def _(sound):
    sound.two.contexts = versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, "ECDHE+AESGCM:ECDHE-ECDSA-NULL-SHA")


@planted("both", "sound: ciphers without a certificate, or without forward secrecy, as Postfix takes them too")
def _(sound):
    sound.one.contexts = versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, "ECDHE+AESGCM:AECDH-AES128-SHA")
    sound.two.cert = sound.ca.leaf(*sound.names(), key=sound.ca.rsa_key)
    sound.two.contexts = versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, "ECDHE+AESGCM:AES128-GCM-SHA256")


# what MTA-STS does not forgive: a valid certificate at every MX host

@planted("sts", "a certificate for another name", "critical sts-mx-certificate: mx1.DOMAIN [")
def _(sound):
    sound.one.show(sound.ca.leaf(sound.two.name))


@planted("sts", "a self-signed certificate", "critical sts-mx-certificate: signed by itself")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), issuer=None))


@planted("sts", "a certificate of a CA that nobody trusts", "critical sts-mx-certificate: from nobody who is trusted")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), issuer=sound.ca.stranger), extra=(sound.ca.stranger,))


def without_intermediate(sound):
    middle = sound.ca.new_ca("an intermediate that is not sent", sound.ca.root)
    sound.one.show(sound.ca.leaf(*sound.names(), issuer=replace(middle, issuer=None)))


@planted("sts", "the intermediate is not sent", "critical sts-mx-certificate: an intermediate that is not sent")
def _(sound):
    without_intermediate(sound)


@planted("sts", "an expired certificate", "critical certificate-expired: mx1.DOMAIN [")
def _(sound):
    sound.one.show(sound.ca.expired(*sound.names()))


@planted("sts", "a certificate that is not valid yet", "critical certificate-expired: mx1.DOMAIN [")
def _(sound):
    sound.one.show(sound.ca.not_yet_valid(*sound.names()))


@planted("both", "a certificate ends in 29 days", "notice certificate-expires: 28 days left")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), days=(-61, 29)))


@planted("both", "a certificate ends in 13 days", "warning certificate-expires: 12 days left")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), days=(-77, 13)))


@planted("both", "a certificate ends in 2 days", "critical certificate-expires: 1 day left")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), days=(-88, 2)))


@planted("dane", "an expired certificate, by 3 1 1", "notice certificate-expired: mx1.DOMAIN [")
def _(sound):
    sound.one.show(sound.ca.expired(*sound.names()))


@planted("sts", "a key of 1024 bits", "warning certificate-weak-key: 1024 bits")
def _(sound):
    sound.one.cert = sound.ca.leaf(*sound.names(), key=sound.ca.new_key(1024))
    sound.one.contexts = versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, "ECDHE+AESGCM")


@planted("sts", "a signature with SHA-1", "critical certificate-weak-signature: ecdsa-with-SHA1")
def _(sound):
    sound.one.cert = sound.ca.with_sha1(*sound.names())
    sound.one.contexts = versions(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, "ECDHE+AESGCM")


@planted("sts", "another certificate at one address", "notice certificate-differs: mx1.DOMAIN [2001:db8:")
def _(sound):
    other = sound.ca.leaf(*sound.names(), cn="another leaf")
    sound.one.contexts[6] = lambda host: host.sound.ca.server_context(other)


# without a policy hardly any sender looks

@planted("bare", "nothing but that it has no policy", WITHOUT_POLICY)
def _(sound):
    pass


@planted("bare", "a certificate for another name", WITHOUT_POLICY, "warning certificate-name: mx1.DOMAIN [")
def _(sound):
    sound.one.show(sound.ca.leaf(sound.two.name))


@planted("bare", "a self-signed certificate", WITHOUT_POLICY, "warning certificate-self-signed: mx1.DOMAIN [")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), issuer=None))


@planted("bare", "a certificate of a CA that nobody trusts", WITHOUT_POLICY, "warning certificate-untrusted: a CA nobody trusts")
def _(sound):
    sound.one.show(sound.ca.leaf(*sound.names(), issuer=sound.ca.stranger), extra=(sound.ca.stranger,))


@planted("bare", "the intermediate is not sent", WITHOUT_POLICY, "warning certificate-chain-incomplete: an intermediate that is not sent")
def _(sound):
    without_intermediate(sound)
