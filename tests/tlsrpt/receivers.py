"""Receivers of TLSRPT reports: one takes them by mail, one by HTTPS. Each writes down what came, and does what a test wants."""

import asyncio
import contextlib
import re
import ssl


class ByMail:
    """An SMTP server, as a Temper's on_raw, that keeps whole messages."""

    def __init__(self):
        self.messages = []  # (recipients, octets)

    async def serve(self, reader, writer):
        recipients = []
        writer.write(b"220 reports ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                recipients.append(re.search(rb"<([^>]*)>", line).group(1).decode("ascii"))
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append((tuple(recipients), text[:-5].replace(b"\r\n..", b"\r\n.")))
                recipients.clear()
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            await writer.drain()


class ByHttps:
    """An HTTPS server; what it answers is chosen by the path: `statuses` has the next ones, and 201 follows."""

    def __init__(self, loop, address, context):
        self.posts = []  # (request line and headers, octets)
        self.statuses, self.silent = {}, set()  # of paths; of these none is answered
        loop.run(self._listen(address, context))

    async def _listen(self, address, context):
        self._server = await asyncio.start_server(self._serve, address, 443, ssl=context)

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
            body = await reader.readexactly(int(length.group(1)))
            path = head.split(" ", 2)[1]
            self.posts.append((head, body))
            if path in self.silent:
                await reader.read()
                return
            waiting = self.statuses.get(path, [])
            status = waiting.pop(0) if waiting else "201 Created"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        with contextlib.suppress(OSError, ssl.SSLError):
            writer.close()

    def to(self, path):
        return [(head, body) for head, body in self.posts if head.split(" ", 2)[1] == path]
