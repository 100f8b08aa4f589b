"""What stands between Exim and mxcryptd: passes each question on and its answer back as they are, but for the domains that a test answers
itself, in ways that mxcryptd would not. One request a connection, as ${readsocket} makes it."""

import asyncio
import contextlib
import os

PATIENCE_S = 60


class Answers:
    """`scripted`: domain -> octets of the answer; None: it says nothing until the client gives up. `given`: what each domain got last."""

    def __init__(self, loop, path, daemon_path):
        self.path, self.daemon_path = path, daemon_path
        self.scripted, self.asked = {}, []
        self.given = {}
        loop.run(self._listen())

    async def _listen(self):
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=1 << 20)
        os.chmod(self.path, 0o666)

    def close(self):
        """The socket is gone."""
        self._server.close()
        with contextlib.suppress(FileNotFoundError):  # Python 3.13 has done so
            os.unlink(self.path)

    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._talk(reader, writer), PATIENCE_S)
        with contextlib.suppress(OSError):
            writer.close()

    async def _talk(self, reader, writer):
        line = await reader.readline()
        domain = line.decode("latin-1").strip().removeprefix("exim1 ")
        self.asked.append(domain)
        if domain in self.scripted:
            answer = self.scripted[domain]
            if answer is None:
                await asyncio.sleep(PATIENCE_S)
                return
        else:
            answer = await self.ask_daemon(domain)
        self.given[domain] = answer.decode("latin-1")
        writer.write(answer)
        await writer.drain()

    async def ask_daemon(self, domain):
        """What mxcryptd says; empty when it is away."""
        with contextlib.suppress(OSError):
            return await self._ask(f"exim1 {domain}\n".encode("latin-1"))
        return b""

    async def _ask(self, line):
        reader, writer = await asyncio.open_unix_connection(self.daemon_path, limit=1 << 20)
        writer.write(line)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer
