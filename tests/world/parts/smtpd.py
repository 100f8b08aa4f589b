"""SMTP servers of every temper, each on port 25 of an address of its own.

What a server does is its Temper, looked up at each connection, so a case may change it while the server runs. Every
connection, command and SNI is written down."""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from asyncio import sslproto
from dataclasses import dataclass, field, replace
from typing import Callable

CLIENT_PATIENCE = 120
BACKLOG = 100
IPV6_FREEBIND = 78  # linux/in6.h: listen at an address that is local by its route only
# in the Received line that the client adds; Postfix's queue ids are letters and digits
QUEUE_ID = re.compile(rb"\bid ([0-9A-Za-z]+)")
RECIPIENT = re.compile(r"RCPT TO:<([^>]*)>", re.IGNORECASE)


def _alert_first(protocol, error, complete=sslproto.SSLProtocol._on_handshake_complete):
    """asyncio closes the connection when a handshake fails, and keeps to itself the alert that says why."""
    if error is not None:
        protocol._process_outgoing()
    complete(protocol, error)


sslproto.SSLProtocol._on_handshake_complete = _alert_first


@dataclass(frozen=True)
class Temper:
    """How a server behaves. Bytes are sent as they stand."""
    greeting: bytes = b"220 mail.world ESMTP\r\n"
    greeting_delay: float = 0.0
    drip: float = 0.0                      # seconds between the octets of the greeting
    unasked: bytes = b""                   # sent together with the greeting, ahead of any command
    endless: bytes = b""                   # sent over and over in place of a greeting
    ehlo: bytes = b"250-mail.world\r\n250-PIPELINING\r\n250 STARTTLS\r\n"
    ehlo_endless: bytes = b""              # sent over and over in place of the EHLO reply
    helo: bytes = b"250 mail.world\r\n"
    starttls: bytes = b"220 ready\r\n"
    injected: bytes = b""                  # in the same packet as the 220
    handshake: str = "tls"                 # tls, garbage, close, hang
    garbage: bytes = b"this is no TLS record at all\r\n"
    mail: bytes = b"250 ok\r\n"            # the reply to MAIL without TLS
    ehlo_over_tls: bytes = b"250-mail.world\r\n250 REQUIRETLS\r\n"
    after_handshake: str = "talk"          # talk, close, reset (before a command is read), hang, close_at_ehlo (after its reply, if any)
    hang: bool = False                     # accept the connection and say nothing, ever
    command_delay: float = 0.0
    rcpt: bytes = b"250 ok\r\n"
    taken: bytes = b"250 taken\r\n"        # the reply to the end of the data
    on_raw: Callable | None = None         # async function (reader, writer) that is the whole server


GOOD = Temper()
CLEAR = replace(GOOD, ehlo=b"250-mail.world\r\n250 PIPELINING\r\n")


@dataclass(frozen=True)
class Taken:
    """A message for these recipients, as the server saw it: the client's queue id, the TLS version or None."""
    queue_id: str
    recipients: tuple
    tls: str | None


@dataclass
class Connection:
    commands: list = field(default_factory=list)
    client: str | None = None              # its address
    sni: str | None = None
    tls: str | None = None
    mail: int = 0
    recipients: list = field(default_factory=list)  # of the message that is being sent, those that were accepted
    refused: list = field(default_factory=list)     # recipients, of any message
    taken: list = field(default_factory=list)


class SmtpServer:
    """One address, one temper, one certificate; `context` is an ssl.SSLContext nobody else uses."""

    def __init__(self, loop, address, temper=GOOD, context=None, port=25):
        self.loop, self.address, self.port = loop, address, port
        self.temper, self.context = temper, context
        self.tempers = {}  # by the client's address, where it is not the temper of all
        self.connections = []
        self.open_now = self.open_most = 0
        if context:
            context.sni_callback = self._remember_sni
        loop.run(self._listen())

    @property
    def commands(self):
        return [command for connection in self.connections for command in connection.commands]

    @property
    def taken(self):
        """Every message, in the order it came."""
        return [one for connection in self.connections for one in connection.taken]

    @property
    def refused(self):
        return [one for connection in self.connections for one in connection.refused]

    @property
    def snis(self):
        return [connection.sni for connection in self.connections if connection.sni]

    def show(self, context):
        """From now on another certificate."""
        context.sni_callback = self._remember_sni
        self.context = context

    def close(self):
        """Nothing listens any more."""
        self.loop.run(self._close())

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, sock=_listening_socket(self.address, self.port), limit=1 << 20)

    async def _close(self):
        self._server.close()

    @staticmethod
    def _remember_sni(sslobject, name, _context):
        sslobject.sni_seen = name

    async def _serve(self, reader, writer):
        connection = Connection()
        self.connections.append(connection)
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await asyncio.wait_for(self._talk(reader, writer, connection), CLIENT_PATIENCE)
        except asyncio.TimeoutError:
            pass
        finally:
            self.open_now -= 1
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()

    async def _talk(self, reader, writer, connection):
        connection.client = writer.get_extra_info("peername")[0]
        temper = self.tempers.get(connection.client, self.temper)
        if temper.on_raw:
            return await temper.on_raw(reader, writer)
        if temper.hang:
            return await reader.read()
        await asyncio.sleep(temper.greeting_delay)
        if temper.endless:
            return await _repeat(writer, temper.endless)
        await _send(writer, temper.greeting + temper.unasked, temper.drip)
        return await self._converse(reader, writer, connection, temper, False)

    async def _converse(self, reader, writer, connection, temper, over_tls):
        while line := await reader.readline():
            command = line.decode("latin-1").strip()
            connection.commands.append(command)
            await asyncio.sleep(temper.command_delay)
            verb = command.split(" ", 1)[0].upper()
            if verb == "STARTTLS" and not over_tls:
                over_tls = await self._starttls(reader, writer, connection, temper)
                if over_tls is None:
                    return
                continue
            if verb == "EHLO" and temper.ehlo_endless and not over_tls:
                await _repeat(writer, temper.ehlo_endless)
            await self._reply(reader, writer, connection, verb, temper, over_tls)
            if verb == "QUIT":
                return

    async def _reply(self, reader, writer, connection, verb, temper, over_tls):
        ehlo = temper.ehlo_over_tls if over_tls else temper.ehlo
        fixed = {"EHLO": ehlo, "LHLO": ehlo, "HELO": temper.helo, "QUIT": b"221 bye\r\n",
                 "MAIL": b"250 ok\r\n" if over_tls else temper.mail, "RCPT": temper.rcpt, "RSET": b"250 ok\r\n", "NOOP": b"250 ok\r\n"}
        _remember_recipients(connection, verb, temper)
        if verb != "DATA" or not connection.recipients:
            return await _send(writer, fixed.get(verb, b"502 what?\r\n"))
        await _send(writer, b"354 go on\r\n")
        text = await reader.readuntil(b"\r\n.\r\n")
        if temper.taken.startswith(b"2"):
            connection.mail += 1
            queue_id = QUEUE_ID.search(text)
            connection.taken.append(Taken(queue_id.group(1).decode() if queue_id else "", tuple(connection.recipients), connection.tls))
        connection.recipients.clear()
        return await _send(writer, temper.taken)

    async def _starttls(self, reader, writer, connection, temper):
        """Whether the conversation goes on over TLS; None when it is over."""
        await _send(writer, temper.starttls + temper.injected)
        if not temper.starttls.startswith(b"220"):
            return False
        if temper.handshake == "hang":
            await reader.read()
        if temper.handshake == "garbage":
            await _send(writer, temper.garbage)
        if temper.handshake != "tls":
            return None
        await writer.start_tls(self.context)
        sslobject = writer.get_extra_info("ssl_object")
        connection.sni, connection.tls = getattr(sslobject, "sni_seen", None), sslobject.version()
        return await _goes_on(reader, writer, temper)


def _remember_recipients(connection, verb, temper):
    if verb in ("MAIL", "RSET"):
        connection.recipients.clear()
    found = RECIPIENT.match(connection.commands[-1]) if verb == "RCPT" else None
    if found:
        (connection.recipients if temper.rcpt.startswith(b"2") else connection.refused).append(found.group(1))


async def _goes_on(reader, writer, temper):
    """Whether there is more than the handshake to this server; None when not."""
    if temper.after_handshake == "reset":
        tcp = writer.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    if temper.after_handshake == "hang":
        await reader.read()
    if temper.after_handshake == "close_at_ehlo":
        await reader.readline()
        await _send(writer, temper.ehlo_over_tls)
    return True if temper.after_handshake == "talk" else None


def _listening_socket(address, port):
    if ":" not in address:
        return socket.create_server((address, port), backlog=BACKLOG)
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    sock.listen(BACKLOG)
    return sock


async def _send(writer, data, drip=0.0):
    if not drip:
        writer.write(data)
        return await writer.drain()
    for octet in data:
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(drip)
    return None


async def _repeat(writer, data):
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)


def hanging_address(address, port=25):
    """Sockets that make connects to the address wait for ever: keep them."""
    listener = socket.socket()
    listener.bind((address, port))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((address, port))
        fillers.append(filler)
    return [listener, *fillers]
