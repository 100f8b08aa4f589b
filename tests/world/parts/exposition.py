"""Prometheus' text format as the daemon writes it: read strictly, over HTTP of our own, so that nothing is hidden by a client."""

import re
import socket

SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>[^{}]*)\})? (?P<value>\d+(?:\.\d+)?)')
LABEL = re.compile(r'([a-z_]+)="([^"\\]+)"')
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Bad(AssertionError):
    pass


def exchange(port, data, timeout=30, half_closed=False):
    """Everything that comes back for these octets until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout) as sock:
        sock.sendall(data)
        if half_closed:
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def read_all(sock):
    found = b""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return found
        if not data:
            return found
        found += data


def request(method="GET", path="/metrics", host="127.0.0.1"):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def split(response):
    """Status, headers by name in lower case, body."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    return int(status.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


class Page:
    """One scrape: .types by family, .values by (name, labels as "name=value,...")."""

    def __init__(self, text):
        self.text, self.types, self.values = text, {}, {}
        if not text.endswith("\n"):
            raise Bad("the last line does not end")
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, family, kind = line.split()
                self.types[family] = kind
            elif not line.startswith("# HELP "):
                self._sample(line)

    def _sample(self, line):
        found = SAMPLE.fullmatch(line)
        if not found:
            raise Bad(f"no sample: {line}")
        series = found["name"], ",".join("=".join(one) for one in LABEL.findall(found["labels"] or ""))
        if series in self.values or not (self.types.get(series[0]) or self.types.get(re.sub("_(bucket|sum|count)$", "", series[0])) == "histogram"):
            raise Bad(f"twice, or without family: {line}")
        self.values[series] = float(found["value"])

    def value(self, series):
        """"lookups_total", "answers_total level=temp": without the prefix."""
        name, _, labels = series.partition(" ")
        return self.values[f"mxcryptd_{name}", labels]


def scrape(port):
    status, headers, body = split(exchange(port, request()))
    if status != 200 or headers["content-type"] != TYPE or int(headers["content-length"]) != len(body):
        raise Bad(f"{status} {headers}")
    return Page(body.decode("ascii"))
