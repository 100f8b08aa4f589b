"""MTA-STS policy hosts: HTTPS on port 443, certificate and behaviour chosen by SNI, every fetch written down.

What a host says is its Policy, looked up at each request, so a case may change it while the server runs."""

import asyncio
import contextlib
import gzip
import ssl
import time
from dataclasses import dataclass, field
from typing import Callable

CLIENT_PATIENCE = 120


@dataclass(frozen=True)
class Policy:
    body: bytes = b""
    status: str = "200 OK"
    content_type: str | None = "text/plain"
    headers: tuple = ()
    content_length: int | None = None      # None: the true one
    chunked: bool = False
    drip: float = 0.0                      # seconds between octets of headers and body
    raw: bytes | None = None               # the whole response, as it stands
    then: Callable | None = None           # async function (writer) after the response

    def response(self):
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status}"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        lines += self.headers
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        else:
            lines.append(f"Content-Length: {len(self.body) if self.content_length is None else self.content_length}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return head + (chunks(self.body) if self.chunked else self.body)


def chunks(body, size=4096):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def gzipped(body):
    return Policy(gzip.compress(body), headers=("Content-Encoding: gzip",))


class Files(dict):
    """In the place of a Policy: one for each path; what is not there is 404."""

    missing = Policy(status="404 Not Found")

    def at(self, request):
        return self.get(request.split(" ", 2)[1], self.missing)


@dataclass
class Fetch:
    request: str
    tls: str
    sent: int = 0
    finished: bool = False
    at: float = field(default_factory=time.monotonic)


@dataclass
class Host:
    context: ssl.SSLContext
    policy: Policy | Files
    fetches: list = field(default_factory=list)


class PolicyServer:
    """One address; hosts by name."""

    def __init__(self, loop, address, default_context, port=443):
        self.address, self.port = address, port
        self.hosts = {}
        self.snis = []
        self._default = default_context
        default_context.sni_callback = self._choose
        loop.run(self._listen())

    def host(self, name, context, policy):
        self.hosts[name] = Host(context, policy)
        return self.hosts[name]

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, self.address, self.port, ssl=self._default,
                                                  ssl_handshake_timeout=CLIENT_PATIENCE)

    def _choose(self, sslobject, name, _context):
        self.snis.append(name)
        sslobject.sni_seen = name
        if name in self.hosts:
            sslobject.context = self.hosts[name].context

    async def _serve(self, reader, writer):
        try:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await asyncio.wait_for(self._talk(reader, writer), CLIENT_PATIENCE)
        except asyncio.TimeoutError:
            pass
        finally:
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()

    async def _talk(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        sslobject = writer.get_extra_info("ssl_object")
        host = self.hosts.get(getattr(sslobject, "sni_seen", None))
        if host is None:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return await writer.drain()
        fetch = Fetch(request, sslobject.version())
        host.fetches.append(fetch)
        policy = host.policy
        await self._answer(writer, policy.at(request) if isinstance(policy, Files) else policy, fetch)
        fetch.finished = True
        return await writer.drain()

    @staticmethod
    async def _answer(writer, policy, fetch):
        step = 1 if policy.drip else 65536
        response = policy.response()
        for at in range(0, len(response), step):
            writer.write(response[at:at + step])
            await writer.drain()
            fetch.sent = at + step
            await asyncio.sleep(policy.drip)
        if policy.then:
            await policy.then(writer)


def endless(data):
    """Sends the data until the client has had enough."""
    async def run(writer):
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0)
    return run


def sts_text(*mx, mode="enforce", max_age=86400, eol="\r\n"):
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {one}" for one in mx), f"max_age: {max_age}"]
    return "".join(line + eol for line in lines).encode()
