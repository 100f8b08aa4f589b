"""The collector of TLS reports: the Unix socket that Postfix 3.10 and later hand one JSON datagram per session and domain to.

The datagram is libtlsrpt's own form of RFC 8460's report: d is the policy domain, pr its TLSRPT record, policies what was
found for it: policy-type by number, f 1 for a session that failed, and failure-details with c, the result type of §4.3 by number,
n, the MX host, and r, its address."""

import asyncio
import json
import os
import socket

NAME = "tlsrpt.sock"  # below Postfix's queue directory, where a chrooted smtp(8) finds it
TLSA, STS, NO_POLICY_FOUND = 1, 2, 9  # policy-type of RFC 8460 §4.4
STARTTLS_NOT_SUPPORTED, CERTIFICATE_HOST_MISMATCH, CERTIFICATE_NOT_TRUSTED, CERTIFICATE_EXPIRED, VALIDATION_FAILURE = range(201, 206)
LARGEST = 1 << 20


class Collector:
    """Keeps every datagram, in the order they came."""

    def __init__(self, loop, queue):
        self.datagrams = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        path = os.path.join(queue, NAME)
        self._socket.bind(path)
        os.chmod(path, 0o666)
        loop.run(self._listen())

    async def _listen(self):
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._take)

    def _take(self):
        self.datagrams.append(self._socket.recv(LARGEST))

    def about(self, domain):
        """The reports whose policy domain it is."""
        return [one for one in map(json.loads, list(self.datagrams)) if one.get("d") == domain]
