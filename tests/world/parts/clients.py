"""The two protocols in which Postfix asks: socketmap and tcp_table."""

import socket


class Closed(Exception):
    """The server closed the connection."""


def _connect(where, timeout):
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(where)
    return sock


class Stream:
    """A connection with a read buffer; `where` is a Unix path or (address, port)."""

    def __init__(self, where, timeout=40):
        self.sock = _connect(where, timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        self.buffer += data

    def read_until(self, mark):
        while mark not in self.buffer:
            self._more()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def read_exactly(self, size):
        while len(self.buffer) < size:
            self._more()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def closed(self):
        """True when the server closes the connection without another octet."""
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False


def netstring(data):
    return b"%d:%s," % (len(data), data)


class Socketmap(Stream):
    def ask(self, key, name="policy"):
        raw = key if isinstance(key, bytes) else key.encode()
        self.send(netstring(name.encode() + b" " + raw))
        return self.read_reply()

    def read_reply(self):
        size = int(self.read_until(b":"))
        reply = self.read_exactly(size + 1)
        assert reply.endswith(b","), reply
        return reply[:-1].decode("latin-1")


class TcpTable(Stream):
    def ask(self, key):
        self.send(b"get " + key.encode() + b"\n")
        return self.read_line()

    def read_line(self):
        return self.read_until(b"\n").decode("latin-1")
