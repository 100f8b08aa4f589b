"""mxcrypt check: faults of MTA-STS and of TLSRPT, what is remembered of the policy, and mail hosts that are dead."""

import os
import time
from dataclasses import replace

import policyhost
import smtpd
from case import Failed, case
from checking import MAX_AGE, MailHost, Sound, must_find, planted

DEAD_HOSTS, DEADLINE_S = 2, 6
DAEMONS = {"check-dead": {"dns-timeout": "1s", "dns-tries": "3", "probe-deadline": f"{DEADLINE_S}s", "greeting-deadline": f"{DEADLINE_S}s",
                          "fetch-deadline": "5s"}}


# the record

@planted("sts", "the lookup of the MTA-STS record fails", "warning sts-lookup-failed")
def _(sound):
    sound.record = []
    sound.c.child(f"_mta-sts.{sound.name}", "lame")


@planted("sts", "an id with a hyphen", "warning sts-record-bad")
def _(sound):
    sound.record = ["v=STSv1; id=2026-01-01;"]


@planted("sts", "two MTA-STS records", "warning sts-record-bad")
def _(sound):
    sound.record.append("v=STSv1; id=20260101000001;")


# the policy host

@planted("both", "the policy host has no address", "warning sts-host-missing: mta-sts.DOMAIN")
def _(sound):
    sound.policy_host = None


@planted("both", "a wildcard answers for the policy host", "warning sts-wildcard: *.DOMAIN")
def _(sound):
    sound.policy_host = None
    sound.lines.append(f"* A {sound.c.world.policy_address}")
    sound.policy = policyhost.Policy(b"", "404 Not Found")


@planted("both", "nothing listens at the policy host", "warning sts-fetch-failed: mta-sts.DOMAIN")
def _(sound):
    sound.policy_host = f"A {sound.c.address()}"


@planted("both", "the policy host has a certificate for another name", "warning sts-certificate: mta-sts.DOMAIN")
def _(sound):
    sound.policy_cert = sound.ca.leaf(f"www.{sound.name}")


@planted("both", "the certificate of the policy host has expired", "warning sts-certificate: mta-sts.DOMAIN")
def _(sound):
    sound.policy_cert = sound.ca.expired(f"mta-sts.{sound.name}")


@planted("both", "the certificate of the policy host is self-signed", "warning sts-certificate: mta-sts.DOMAIN")
def _(sound):
    sound.policy_cert = sound.ca.leaf(f"mta-sts.{sound.name}", issuer=None)


@planted("both", "no policy there: 404", "warning sts-fetch-failed: HTTP status 404")
def _(sound):
    sound.policy = policyhost.Policy(b"", "404 Not Found")


@planted("both", "the policy has moved: 301", "warning sts-fetch-failed: HTTP status 301")
def _(sound):
    sound.policy = policyhost.Policy(b"", "301 Moved Permanently", headers=(f"Location: https://www.{sound.name}/mta-sts.txt",))


@planted("both", "the policy is served as text/html", "warning sts-media-type: text/html")
def _(sound):
    sound.policy = policyhost.Policy(policyhost.sts_text(*sound.patterns, max_age=MAX_AGE), content_type="text/html")


# the policy

def policy_of(*lines):
    return policyhost.Policy("".join(line + "\r\n" for line in lines).encode())


@planted("both", "a mode that does not exist", "warning sts-policy-bad: line 2")
def _(sound):
    sound.policy = policy_of("version: STSv1", "mode: enforced", f"mx: {sound.one.name}", f"mx: {sound.two.name}", f"max_age: {MAX_AGE}")


@planted("both", "an mx line that is a URL", "warning sts-policy-bad: line 4")
def _(sound):
    sound.policy = policy_of("version: STSv1", "mode: enforce", f"mx: {sound.one.name}", f"mx: smtp://{sound.two.name}/", f"max_age: {MAX_AGE}")


@planted("both", "no version", "warning sts-policy-bad")
def _(sound):
    sound.policy = policy_of("mode: enforce", f"mx: {sound.one.name}", f"mx: {sound.two.name}", f"max_age: {MAX_AGE}")


@planted("both", "no max_age", "warning sts-policy-bad: max_age")
def _(sound):
    sound.policy = policy_of("version: STSv1", "mode: enforce", f"mx: {sound.one.name}", f"mx: {sound.two.name}")


@planted("both", "mode: testing", "notice sts-testing")
def _(sound):
    sound.policy_text["mode"] = "testing"


@planted("both", "mode: none", "notice sts-none")
def _(sound):
    sound.policy_text["mode"] = "none"


@planted("both", "a max_age of an hour", "warning sts-max-age-short: max_age: 3600")
def _(sound):
    sound.policy_text["max_age"] = 3600


@planted("both", "a max_age of two days", "notice sts-max-age-short: max_age: 172800")
def _(sound):
    sound.policy_text["max_age"] = 172800


@planted("both", "an MX host that the policy has forgotten", "critical sts-mx-unmatched: mx2.DOMAIN")
def _(sound):
    sound.patterns.remove(sound.two.name)


@planted("both", "a policy in testing that has forgotten an MX host", "notice sts-testing", "warning sts-mx-unmatched: mx2.DOMAIN")
def _(sound):
    sound.policy_text["mode"] = "testing"
    sound.patterns.remove(sound.two.name)


@planted("both", "an mx line that no MX host matches", "notice sts-pattern-unused: mx: old.DOMAIN")
def _(sound):
    sound.patterns.append(f"old.{sound.name}")


# TLSRPT

@planted("both", "no TLSRPT record", "notice tlsrpt-missing")
def _(sound):
    sound.tlsrpt = []


@planted("both", "a TLSRPT record without rua", "warning tlsrpt-bad")
def _(sound):
    sound.tlsrpt = ["v=TLSRPTv1;"]


@planted("both", "two TLSRPT records", "warning tlsrpt-bad")
def _(sound):
    sound.tlsrpt *= 2
    sound.tlsrpt[1] = sound.tlsrpt[1].replace("reports@", "other@")


@planted("both", "reports by a way that does not exist", "warning tlsrpt-bad: ftp:")
def _(sound):
    sound.tlsrpt = ["v=TLSRPTv1; rua=ftp://reports.example/"]


@planted("sts", "the lookup of the TLSRPT record fails", "warning tlsrpt-lookup-failed")
def _(sound):
    sound.tlsrpt = []
    sound.c.child(f"_tls.{sound.name}", "lame")


@planted("both", "reports are mailed to a domain with a null MX", "warning tlsrpt-mail: null MX")
def _(sound):
    sound.lines.append("silent MX 0 .")
    sound.tlsrpt = [f"v=TLSRPTv1; rua=mailto:reports@silent.{sound.name}"]


@planted("both", "reports are mailed to a domain that does not exist", "warning tlsrpt-mail: does not exist")
def _(sound):
    sound.tlsrpt = [f"v=TLSRPTv1; rua=mailto:reports@gone.{sound.name}"]


@planted("both", "sound: reports are mailed with a subject, and posted to another port")
def _(sound):
    sound.tlsrpt = [f"v=TLSRPTv1; rua=mailto:reports@{sound.name}?subject=a@gone.{sound.name},https://{sound.name}:8443/v1/report"]


@planted("both", "reports are posted to a host that is dead", "warning tlsrpt-https: https://collector.DOMAIN/")
def _(sound):
    sound.lines.append(f"collector A {sound.c.address()}")
    sound.tlsrpt = [f"v=TLSRPTv1; rua=https://collector.{sound.name}/v1/report"]


@planted("both", "reports are posted to a host without address", "warning tlsrpt-https: no address")
def _(sound):
    sound.tlsrpt = [f"v=TLSRPTv1; rua=https://collector.{sound.name}/v1/report"]


@planted("both", "sound: reports are posted, and mailed elsewhere")
def _(sound):
    name = f"collector.{sound.name}"
    sound.lines += [f"collector A {sound.c.world.policy_address}"]
    sound.c.world.policies.host(name, sound.ca.server_context(sound.ca.leaf(name)), policyhost.Policy(b"", "405 Method Not Allowed"))
    sound.tlsrpt = [f"v=TLSRPTv1; rua=https://{name}/v1/report,mailto:reports@calm.signed"]


# what is remembered

@case("own", "both: the policy changes, and its id does not: told until it is the old one again", daemon="check", group="few", valgrind=False)
def _(c):
    sound = Sound(c, "both")
    sound.plant()
    state = os.path.join(c.world.folder, f"{c.label}-state")
    os.mkdir(state)
    host = c.world.policies.hosts[f"mta-sts.{sound.name}"]
    changed = replace(host.policy, body=policyhost.sts_text(*sound.patterns, max_age=MAX_AGE + 1))

    def step():
        must_find(c, sound.name, [], "--state", state)
        must_find(c, sound.name, [], "--state", state)
        was, host.policy = host.policy, changed
        for _ in range(2):
            must_find(c, sound.name, ["warning sts-id-unchanged: id=20260101000000"], "--state", state)
        host.policy = was
        must_find(c, sound.name, [], "--state", state)
    c.do(step)


# dead mail hosts

@case("own", "both: eight MX hosts, two of them dead: the check takes as long as the slowest deadline, not as their sum", daemon="check-dead",
      group="alone", valgrind=False)
def _(c):
    sound = Sound(c, "both")
    sound.hosts = [MailHost(sound, f"mx{number}") for number in range(1, 9)]
    sound.mx = [f"10 {host.label}" for host in sound.hosts]
    sound.patterns = [f"*.{sound.name}"]
    unreachable, mute = sound.hosts[2], sound.hosts[5]
    del unreachable.addresses[6]
    unreachable.temper(None)
    kept = smtpd.hanging_address(unreachable.addresses[4])
    mute.temper(replace(smtpd.GOOD, hang=True))
    sound.plant()

    def step():
        assert kept
        began = time.monotonic()
        must_find(c, sound.name, [f"warning smtp-silent: {unreachable.name} [", f"warning smtp-silent: {mute.name} ["],
                  configured=c.world.new_daemon("check-dead", c.world.options("check-dead")))
        took = time.monotonic() - began
        if not DEADLINE_S <= took < DEAD_HOSTS * DEADLINE_S:
            raise Failed(f"it took {took:.1f} s: three dead addresses with a deadline of {DEADLINE_S} s each")
    c.do(step)
