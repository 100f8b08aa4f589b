"""A Postfix that receives: smtpd with a certificate from files, which throws the mail away."""

import subprocess

import postfix

SERVICES = "{address}:25 inet n - n - - smtpd\nanvil unix - - n - 1 anvil\n"


class Receiver(postfix.Postfix):
    """At an address of its own; key and certificate are read from one folder."""

    def __init__(self, folder, ca_file, name, address, key, chain):
        settings = {"myhostname": name, "mydestination": name, "local_recipient_maps": "", "local_transport": "discard", "inet_interfaces": "all",
                    "smtpd_tls_chain_files": f"{key}, {chain}", "smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
                    "smtpd_recipient_restrictions": "permit_auth_destination, reject", "mynetworks": "127.0.0.0/8"}
        super().__init__(folder, ca_file, settings, SERVICES.format(address=address))
        self.name = name

    def start(self, transports=None, routes=None):
        super().start(transports or {}, routes or {})

    def reload(self):
        self.run("postfix", "reload")

    @staticmethod
    def digest(path):
        """The SHA-256 of the key of a certificate in a file, as TLSA 3 1 1 has it."""
        spki = subprocess.run(f"openssl x509 -in '{path}' -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum", shell=True, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        return spki.split()[0]

    @staticmethod
    def shown(address, name):
        """The same of the certificate that a server shows now."""
        command = f"openssl s_client -starttls smtp -connect {address}:25 -servername {name} </dev/null 2>/dev/null | openssl x509 -noout -pubkey"
        spki = subprocess.run(f"{command} | openssl pkey -pubin -outform DER | sha256sum", shell=True, check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        return spki.split()[0]
