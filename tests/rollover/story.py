#!/usr/bin/python3
"""Certificates that change under TLSA records: story.py --bin DIR

A real certbot renews at pebble, Debian's ACME server, with a new key each time; a real Postfix receives with that certificate; its
zone, signed, has TLSA 3 1 1; and another Postfix, at dane-only, delivers a message every second throughout.

naive    renew, reload Postfix, and only then publish the new record: mail is deferred
"""

import argparse
import os
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "bench"))
sys.path.insert(0, HERE)

import benchworld  # noqa: E402  puts tests/world on the path

import acme  # noqa: E402
import postfix  # noqa: E402
import receiver  # noqa: E402
import waiting  # noqa: E402

DOMAIN, HOST, ADDRESS = "own.signed", "mx.own.signed", "198.51.100.90"
TTL = 2  # seconds, of the TLSA records
TIME_LIMIT_S = 600


class Zone:
    """The domain's zone, which is signed anew with each change."""

    def __init__(self, dns):
        self.dns, self.records = dns, []
        dns.add_child(DOMAIN, "signed", *self._lines(), soa_minimum=TTL)

    def _lines(self):
        return [f"@ {TTL} MX 10 mx", f"mx {TTL} A {ADDRESS}", *(f"_25._tcp.mx {TTL} TLSA {one}" for one in self.records)]

    def publish(self, *records):
        """These TLSA records and no others; known to the resolver when their TTL is over."""
        self.records = list(records)
        zone = self.dns.zones[DOMAIN]
        zone.lines = [f"$ORIGIN {DOMAIN}.", *self._lines()]
        self.dns._write(zone)
        self.dns.nsd.send_signal(signal.SIGHUP)


class Mail:
    """A message a second to the domain, each to another recipient."""

    def __init__(self, client):
        self.client, self.count, self._stop = client, 0, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(1):
            self.count += 1
            self.client.submit(f"u{self.count}@{DOMAIN}")

    def fates(self):
        """(sent, deferred) by first fate, once there is one of each message."""
        first = waiting.until(lambda: self._first(), "a fate of every message", 60, pause=0.2)
        return sum(one.status == "sent" for one in first), [one for one in first if one.status != "sent"]

    def _first(self):
        fates = [self.client.fate(f"u{number}@{DOMAIN}") for number in range(1, self.count + 1)]
        return fates if all(fates) else None


class Story:
    def __init__(self, the_world):
        self.world, self.failed = the_world, 0
        the_world.dns.add("signed", f"acme A {acme.ADDRESS}")
        self.zone = Zone(the_world.dns)
        the_world.dns.unbound_lines = ["server:", "  cache-min-ttl: 0"]
        the_world.dns.start()
        self.authority = acme.Authority(self.path("acme"), the_world.ca)
        self.certbot = acme.Certbot(self.path("certbot"), self.authority)
        self.client = postfix.Postfix(self.path("client"), the_world.ca.ca_file)
        self.client.start({"smtp": ({"smtp_tls_security_level": "dane-only"}, False)}, {})

    def path(self, name):
        return os.path.join(self.world.folder, name)

    def expect(self, what, ok, said=""):
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {what}" + ("" if ok else f": {said}"), flush=True)

    def obtain(self):
        """The first certificate; certbot's own challenge server needs the host's address."""
        status, said = self.certbot.obtain(HOST, "--http-01-address", ADDRESS)
        if status != 0:
            raise RuntimeError(said)

    def naive(self):
        self.obtain()
        server = receiver.Receiver(self.path("naive"), self.world.ca.ca_file, HOST, ADDRESS, self.certbot.live(HOST, "privkey.pem"),
                                   self.certbot.live(HOST, "fullchain.pem"))
        server.settings["mydestination"] = DOMAIN
        before = server.digest(self.certbot.live(HOST, "cert.pem"))
        self.zone.publish(f"3 1 1 {before}")
        server.start()
        with Mail(self.client) as mail:
            waiting.until(lambda: mail.count > 5, "some mail", 30, pause=0.2)
            status, said = self.certbot.renew()
            server.reload()
            after = server.digest(self.certbot.live(HOST, "cert.pem"))
            at = mail.count
            waiting.until(lambda: mail.count > at + 3, "some more mail", 30, pause=0.2)
            self.zone.publish(f"3 1 1 {after}")
            at = mail.count
            waiting.until(lambda: mail.count > at + 5, "some more mail", 30, pause=0.2)
        sent, deferred = mail.fates()
        self.expect("certbot renews with a new key", status == 0 and before != after, said)
        self.expect("the naive order: mail is sent before and afterwards", sent >= 6, f"{sent} sent")
        self.expect("the naive order: mail is deferred in between, for TLS", deferred and all("4.7.5" in one.line for one in deferred),
                    [one.line for one in deferred][:3])
        print(f"# naive order: {sent} sent at once, {len(deferred)} deferred", flush=True)
        server.stop()


def measure(the_world, _):
    began = time.monotonic()
    story = Story(the_world)
    story.naive()
    story.client.stop()
    story.authority.stop()
    the_world.dns.stop()
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
    return 1 if story.failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="folder of mxcrypt")
    wanted = parser.parse_args()
    wanted.bin = os.path.abspath(wanted.bin)
    benchworld.main(__file__, measure, wanted, TIME_LIMIT_S)
