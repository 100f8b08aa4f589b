"""A resolver in front of unbound: passes questions on, writes them down, and answers some of them by a rule of the test's.

The daemon under test is pointed at it by `resolver =`. A rule is an async function (question, over_tcp) -> list of packets;
an empty list is silence."""

import asyncio
import collections
import struct
import threading

import dnswire
from dnsworld import UNBOUND_ADDRESS

UPSTREAM_TIMEOUT = 10


def silence():
    async def rule(_question, _over_tcp):
        return []
    return rule


def rcode(name, **more):
    return answer(rcode=name, **more)


def answer(*records, **more):
    """Records are (name, type, rdata[, ttl]) tuples or ready bytes; more goes to dnswire.reply."""
    raw = [one if isinstance(one, bytes) else dnswire.record(*one) for one in records]

    async def rule(question, _over_tcp):
        return [dnswire.reply(question, raw, **more)]
    return rule


def packets(make):
    """make(question, over_tcp) gives the packets."""
    async def rule(question, over_tcp):
        return make(question, over_tcp)
    return rule


def delayed(seconds, rule):
    async def slow(question, over_tcp):
        await asyncio.sleep(seconds)
        return await rule(question, over_tcp)
    return slow


def after(count, first, then):
    """The rule `first` for the first `count` questions, `then` afterwards."""
    seen = [0]

    async def rule(question, over_tcp):
        seen[0] += 1
        return await (first if seen[0] <= count else then)(question, over_tcp)
    return rule


async def pass_on(question_packet, over_tcp):
    """What unbound says."""
    if over_tcp:
        reader, writer = await asyncio.open_connection(UNBOUND_ADDRESS, 53)
        writer.write(struct.pack("!H", len(question_packet)) + question_packet)
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        packet = await reader.readexactly(size)
        writer.close()
        return packet
    loop = asyncio.get_running_loop()
    came = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(came), remote_addr=(UNBOUND_ADDRESS, 53))
    try:
        transport.sendto(question_packet)
        return await asyncio.wait_for(came, UPSTREAM_TIMEOUT)
    finally:
        transport.close()


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, came):
        self.came = came

    def datagram_received(self, data, addr):
        if not self.came.done():
            self.came.set_result(data)


class Tap(asyncio.DatagramProtocol):
    def __init__(self, loop, address):
        self.address = address
        self.rules = {}
        self.otherwise = None
        self._seen = collections.Counter()
        self._lock = threading.Lock()
        self.questions = []
        self._transport = None
        self._tasks = set()
        loop.run(self._listen())

    async def _listen(self):
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, 53))
        self._tcp = await asyncio.start_server(self._serve_tcp, self.address, 53)

    def rule(self, name, rrtype, rule):
        """Questions for this name and type ("*": any type) are answered by the rule; None takes it away."""
        key = (name.rstrip(".").lower(), rrtype if rrtype == "*" else dnswire.type_number(rrtype))
        if rule is None:
            self.rules.pop(key, None)
        else:
            self.rules[key] = rule

    def cut_off(self, rule):
        """From now on every question is answered by the rule; None: by unbound again."""
        self.otherwise = rule

    def asked(self, name, rrtype=None):
        """How often the name was asked for, with this type or any."""
        name = name.rstrip(".").lower()
        if rrtype is not None:
            return self._seen[(name, dnswire.type_number(rrtype))]
        return self._count(lambda one: one == name)

    def asked_below(self, suffix):
        return self._count(lambda one: one == suffix or one.endswith("." + suffix))

    def _count(self, fits):
        with self._lock:
            return sum(count for (name, _), count in self._seen.items() if fits(name))

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, addr):
        task = asyncio.get_running_loop().create_task(self._serve_udp(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_udp(self, data, addr):
        for packet in await self._answers(data, False):
            self._transport.sendto(packet, addr)

    async def _serve_tcp(self, reader, writer):
        try:
            while True:
                size = struct.unpack("!H", await reader.readexactly(2))[0]
                for packet in await self._answers(await reader.readexactly(size), True):
                    writer.write(struct.pack("!H", len(packet)) + packet)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answers(self, data, over_tcp):
        question = dnswire.read_question(data)
        with self._lock:
            self._seen[(question.name, question.rrtype)] += 1
        self.questions.append(question)
        rule = self.rules.get((question.name, question.rrtype)) or self.rules.get((question.name, "*")) or self.otherwise
        if rule:
            return await rule(question, over_tcp)
        try:
            return [await pass_on(data, over_tcp)]
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            return []
