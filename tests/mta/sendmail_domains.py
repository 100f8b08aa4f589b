"""Domains of every level for tests/mta/sendmail.py, each with a mail host of its own, and how an attacker, whom Sendmail meets and mxcryptd does
not, spoils them."""

from dataclasses import dataclass, replace

import policyhost
import sendmail_instance
import smtpd

VERIFY, ENCRYPT, NOTHING = "OK VERIFY:112", "OK ENCR:112", "OK NONE"
BROKEN, REFUSED, GONE = replace(smtpd.GOOD, handshake="garbage"), replace(smtpd.GOOD, starttls=b"454 not now\r\n"), replace(smtpd.GOOD, starttls=b"554 never\r\n")
ADDRESS = "198.18.60.{}"


@dataclass
class Domain:
    """`sendmail` and `sts`: what those maps must say of it."""
    name: str
    host: str
    server: smtpd.SmtpServer
    sendmail: str
    sts: str

    def tamper(self, temper):
        """From now on Sendmail, and nobody else, meets a server like that."""
        self.server.tempers[sendmail_instance.SOURCE] = temper

    def taken(self, recipient):
        """How its server took the message for this recipient: the TLS version or "clear"; None when it did not."""
        return next((one.tls or "clear" for one in self.server.taken if recipient in one.recipients), None)

    def mail_in_clear(self):
        """Connections without TLS on which the envelope was begun."""
        return [one.commands for one in self.server.connections if one.tls is None and any(command.upper().startswith("MAIL") for command in one.commands)]


class Domains:
    """Declared before the name servers start; by label."""

    def __init__(self, the_world):
        self.world, self.by_label, self._hosts = the_world, {}, 0
        self.rules = []

    def __getitem__(self, label):
        return self.by_label[label]

    def leaf(self, *names, **more):
        return self.world.ca.leaf(*names, **more)

    def _server(self, cert, temper, address=None):
        self._hosts += 1
        return smtpd.SmtpServer(self.world.loop, address or ADDRESS.format(self._hosts), temper, self.world.ca.server_context(cert))

    def new(self, label, sendmail, sts=None, *, zone="plain", host="mx", cert=None, temper=smtpd.GOOD, rule=None, policy=None, tlsa=False, address=None,
            shared=None, match=None):
        """`policy`: patterns of an MTA-STS policy, @ for the domain; `match`: how map sts has them; `shared`: a domain whose mail host it uses."""
        domain = f"{label}.{zone}"
        name = self[shared].host if shared else f"{host}.{domain}"
        cert = cert or self.leaf(name)
        server = self[shared].server if shared else self._server(cert, temper, address)
        self.world.dns.add(domain, f"@ MX 10 {name}.")
        if not shared:
            self.world.dns.add(domain, f"{host} {'AAAA' if address and ':' in address else 'A'} {server.address}")
        if tlsa:
            self.world.dns.add(domain, f"_25._tcp.{host} TLSA {cert.tlsa()}")
        if policy:
            self._publish(domain, [one.replace("@", domain) for one in policy])
            sts = f"OK secure match={':'.join(match or policy).replace('@', domain).replace('*.', '.')} servername=hostname"
        if rule:
            self.rules.append(f"{domain} {rule}")
        self.by_label[label] = Domain(domain, name, server, sendmail, sts or "NOTFOUND ")
        return self.by_label[label]

    def _publish(self, domain, patterns):
        the_world, policy_host = self.world, f"mta-sts.{domain}"
        the_world.dns.add(domain, '_mta-sts TXT "v=STSv1; id=1"', f"mta-sts A {the_world.policy_address}")
        the_world.policies.host(policy_host, the_world.ca.server_context(self.leaf(policy_host)), policyhost.Policy(policyhost.sts_text(*patterns)))
