"""The whole world: addresses on lo, DNS, certificates, the servers every case shares, and the daemons under test."""

import logging
import os
import resource
import subprocess
import threading

import ca
import daemon
import dnsworld
import loop
import policyhost
import postfix
import smtpd
import tap
import tlsrpt

LOCAL_NETS = ("198.51.100.1/24", "198.18.0.1/15", "203.0.113.1/24", "10.0.0.1/8", "192.168.0.1/16", "169.254.169.254/16")
CASE_ADDRESSES6 = [f"2001:db8:25::{number:x}" for number in range(1, 17)]
ROUTED_NET6 = "2001:db8:26::/64"  # all of it is local: as many addresses as are wanted, bound with IPV6_FREEBIND
LOCAL_ADDRESSES6 = (*[f"{address}/128" for address in CASE_ADDRESSES6], "2001:db8::26/128", "2001:db8::27/128", "fd00::25/128")
POLICY_ADDRESS = "198.51.100.80"
TAP_ADDRESS = "127.0.0.53"
HELO_NAME = "prober.world.signed"
POSTFIX_PORT, POSTFIX_TCP_TABLE_PORT = 8461, 8462
UNDER_VALGRIND = {"answer-deadline": "20s", "job-deadline": "40s", "dns-timeout": "3s", "dns-tries": "2", "probe-deadline": "15s",
                  "greeting-deadline": "5s", "fetch-deadline": "10s"}
OWN_TRANSPORTS = ("hold", "hold-short", "hold-killed", "orders", "orders-recorded", "orders-mode", "orders-handed", "anchors", "lists",
                  "lists-expire")  # each asks daemon postfix-NAME
SOURCE, SOURCE6 = "198.51.100.16", "fd00::25"  # of clients that are known by their address
FLOOR = {"smtp_tls_mandatory_protocols": "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "smtp_tls_mandatory_ciphers": "high",
         "smtp_tls_mandatory_exclude_ciphers": "AES128"}
DESCRIPTORS = 16384  # enough for the floods
NETS = 100  # mail hosts are spread over that many /24, so that caps per prefix do not slow the run


class World:
    def __init__(self, folder, bin_dir, daemons, valgrind=False):
        self.folder, self.bin_dir, self.valgrind = folder, bin_dir, valgrind
        self._configurations = daemons
        self._daemons = {}
        self._lock = threading.Lock()
        self._addresses6 = self._routed6 = 0
        self._addresses = 0
        self._postfix = self._collector = None
        self.routes = {}
        self.policy_address = POLICY_ADDRESS
        _prepare_namespace(folder)
        self.loop = loop.Loop()
        self.ca = ca.Authority(os.path.join(folder, "ca"))
        self.dns = dnsworld.DnsWorld(os.path.join(folder, "dns"))
        self.tap = tap.Tap(self.loop, TAP_ADDRESS)
        self.policies = policyhost.PolicyServer(self.loop, POLICY_ADDRESS, self.ca.server_context(self.ca.leaf("default")))
        self.calm_domain = self._declare_calm_domain()
        self.clear = smtpd.SmtpServer(self.loop, "198.51.100.25", smtpd.CLEAR)

    def _declare_calm_domain(self):
        """The domain that others ask for while some attack."""
        leaf = self.ca.leaf("mx.calm.signed")
        smtpd.SmtpServer(self.loop, "198.51.100.26", context=self.ca.server_context(leaf))
        self.dns.add("calm.signed", "@ MX 10 mx", "mx A 198.51.100.26", f"_25._tcp.mx TLSA {leaf.tlsa()}")
        return "calm.signed"

    def new_address6(self):
        with self._lock:
            self._addresses6 += 1
            return CASE_ADDRESSES6[self._addresses6 - 1]

    def new_routed6(self):
        """One of the many; only smtpd.SmtpServer can listen there."""
        with self._lock:
            self._routed6 += 1
            return ROUTED_NET6.replace("/64", f"{self._routed6:x}")

    def new_address(self):
        with self._lock:
            self._addresses += 1
            return f"198.18.{self._addresses % NETS}.{self._addresses // NETS + 1}"

    def options(self, name="main"):
        """The configuration of a daemon in this world."""
        common = {"ca-file": self.ca.ca_file, "allow-address": "198.51.100.0/24 198.18.0.0/15 2001:db8::/32",
                  "helo-name": HELO_NAME}
        patience = UNDER_VALGRIND if self.valgrind and "answer-deadline" not in self._configurations[name] else {}

        def placed(text):
            return text.replace("QUEUE", self._queue).replace("FOLDER", self.folder)
        return {key: placed(value) if isinstance(value, str) else [placed(one) for one in value]
                for key, value in {**common, **self._configurations[name], **patience}.items()}

    def daemon(self, name):
        """The running daemon of that configuration."""
        with self._lock:
            if name not in self._daemons:
                self._daemons[name] = self.new_daemon(name, self.options(name)).start()
            return self._daemons[name]

    def new_daemon(self, name, options, before=()):
        """A daemon of the caller's own, not started."""
        return daemon.Daemon(self.bin_dir, os.path.join(self.folder, "d-" + name), options, self.valgrind, before)

    @property
    def _queue(self):
        return os.path.join(self.folder, "pf", "queue")

    def postfix(self):
        """The running Postfix; it asks the daemon "postfix", by transport through one map name or another."""
        with self._lock:
            if self._postfix is None:
                instance = postfix.Postfix(os.path.join(self.folder, "pf"), self.ca.ca_file)
                instance.start(self.transports(), self.routes)
                self._postfix = instance
        return self._postfix

    def collector(self):
        """What the running Postfix, from 3.10 on, says of the transport "tlsrpt" to TLSRPT's collector."""
        queue = self.postfix().queue
        with self._lock:
            if self._collector is None:
                self._collector = tlsrpt.Collector(self.loop, queue)
        return self._collector

    def transports(self):
        """Name -> (settings, chrooted): one smtp client per way to name the daemon in main.cf."""
        socket = os.path.join(self.folder, "d-postfix", "policy.sock")

        def maps(table):
            return {"smtp_tls_policy_maps": table}
        return {"smtp": (maps(f"socketmap:unix:{socket}:policy"), False), "query": (maps(f"socketmap:unix:{socket}:QUERY"), False),
                "peer": (maps(f"socketmap:inet:127.0.0.1:{POSTFIX_PORT}:postfix"), False),
                "tcp": (maps(f"tcp:127.0.0.1:{POSTFIX_TCP_TABLE_PORT}"), False),
                "chroot": (maps("socketmap:unix:mxcrypt/policy.sock:policy"), True),
                "tlsrpt": ({**maps("socketmap:unix:mxcrypt/policy.sock:tlsrpt"), "smtp_tlsrpt_enable": "yes",
                            "smtp_tlsrpt_socket_name": tlsrpt.NAME}, True),
                **{name: (maps(f"socketmap:unix:{self.folder}/d-postfix-{name}/policy.sock:policy"), False) for name in OWN_TRANSPORTS},
                "floor": ({**maps(f"socketmap:unix:{self.folder}/d-postfix-floor/policy.sock:policy"), **FLOOR, "minimal_backoff_time": "1s"},
                          False),
                "floor-lax": ({**maps(f"socketmap:unix:{socket}:policy"), **FLOOR}, False),
                "source": ({**maps(f"socketmap:unix:{self.folder}/d-postfix-source/policy.sock:policy"), "smtp_bind_address": SOURCE},
                           False),
                "soon": ({**maps(f"socketmap:unix:{socket}:policy"), "minimal_backoff_time": "1s"}, False),
                "nobody": (maps(f"socketmap:unix:{self.folder}/nobody.sock:policy"), False)}

    def stop_daemons(self):
        """(name, what was wrong) for every daemon that runs."""
        return [(name, one.stop()) for name, one in self._daemons.items()]


def _prepare_namespace(folder):
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, DESCRIPTORS), hard))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for net in LOCAL_NETS:
        subprocess.run(["ip", "addr", "add", net, "dev", "lo"], check=True)
    for net in LOCAL_ADDRESSES6:
        subprocess.run(["ip", "addr", "add", net, "dev", "lo", "nodad"], check=True)
    subprocess.run(["ip", "-6", "route", "add", "local", ROUTED_NET6, "dev", "lo"], check=True)
    resolv_conf = os.path.join(folder, "resolv.conf")
    with open(resolv_conf, "w", encoding="ascii") as file:
        file.write(f"nameserver {dnsworld.UNBOUND_ADDRESS}\noptions edns0 trust-ad\n")
    subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
