#!/usr/bin/python3
"""Certificates that change under TLSA records: story.py --bin DIR

A real certbot renews at pebble, Debian's ACME server, with a new key each time; a real Postfix receives with that certificate; its
zone, signed, has TLSA 3 1 1; and another Postfix, at dane-only, delivers a message every second throughout.

naive    renew, reload Postfix, and only then publish the new record: mail is deferred
safe     the hooks of contrib/certbot, a timer's steps, and an operator who does what they say: two renewals, and no message is deferred
unseen   a change by hand, at a host that cannot be reached
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "bench"))
sys.path.insert(0, HERE)

import benchworld  # noqa: E402  puts tests/world on the path

import acme  # noqa: E402
import jsonschema  # noqa: E402
import postfix  # noqa: E402
import receiver  # noqa: E402
import waiting  # noqa: E402

DOMAIN, HOST, ADDRESS = "own.signed", "mx.own.signed", "198.51.100.90"
CERTBOT = os.path.join(HERE, os.pardir, os.pardir, "contrib", "certbot")
TTL = 2  # seconds, of the TLSA records
TIME_LIMIT_S = 600
SCHEMA = pathlib.Path(HERE, os.pardir, os.pardir, "docs", "rollover.schema.json")


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
        self.dns.change(DOMAIN, *self._lines())
        self.published_at = time.monotonic()


class Mail:
    """A message a second to the domain, each to another recipient."""

    def __init__(self, client, letter):
        self.client, self.letter, self.count, self._stop = client, letter, 0, threading.Event()
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
            self.client.submit(f"{self.letter}{self.count}@{DOMAIN}")

    def fates(self):
        """(sent, deferred) by first fate, once there is one of each message."""
        first = waiting.until(lambda: self._first(), "a fate of every message", 60, pause=0.2)
        return sum(one.status == "sent" for one in first), [one for one in first if one.status != "sent"]

    def _first(self):
        fates = [self.client.fate(f"{self.letter}{number}@{DOMAIN}") for number in range(1, self.count + 1)]
        return fates if all(fates) else None


class Story:
    def __init__(self, the_world, options):
        self.world, self.options, self.failed = the_world, options, 0
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
        with Mail(self.client, "u") as mail:
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
        self.set_up(server)
        server.stop()

    def set_up(self, server):
        """The certificate that this Postfix shows is the one to begin with."""
        files = [self.certbot.live(HOST, name) for name in ("fullchain.pem", "privkey.pem")]
        done = subprocess.run([os.path.join(CERTBOT, "mxcrypt-setup"), "-h", ADDRESS, HOST, *files], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env={**os.environ, "MXCRYPT_TLS": self.path("tls")}, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        live = os.path.join(self.path("tls"), HOST, "live", "fullchain.pem")
        self.expect("set up: the certificate that Postfix shows", done.returncode == 0 and server.digest(live) == server.shown(ADDRESS, HOST), done.stdout)

    # the safe order

    def environment(self, folder):
        """What contrib/certbot's scripts need: the command, its configuration, where the certificates are, how Postfix is reloaded."""
        conf = self.path("rollover.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.writelines(f"{key} = {value}\n" for key, value in {**self.world.options(), "resolver": "127.0.0.1"}.items())
        command = self.path("bin")
        os.makedirs(command, exist_ok=True)
        with open(os.path.join(command, "mxcrypt"), "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nexec {self.options.bin}/mxcrypt -c {conf} "$@"\n')
        os.chmod(os.path.join(command, "mxcrypt"), 0o755)
        return {"PATH": f"{command}:{os.environ['PATH']}", "MXCRYPT_TLS": folder, "MXCRYPT_RELOAD": f"postfix -c {self.path('safe')}/etc reload"}

    def step(self, environment):
        """What the timer does; the exit status and all that it says."""
        done = subprocess.run([os.path.join(CERTBOT, "mxcrypt-rollover-step")], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        return done.returncode, done.stdout

    def safe(self):
        folder = self.path("tls")
        environment = self.environment(folder)
        live = os.path.join(folder, HOST, "live")
        server = receiver.Receiver(self.path("safe"), self.world.ca.ca_file, HOST, ADDRESS, f"{live}/privkey.pem", f"{live}/fullchain.pem")
        server.settings["mydestination"] = DOMAIN
        self.zone.publish(f"3 1 1 {server.digest(f'{live}/fullchain.pem')}")
        server.start()
        waiting.until(lambda: server.shown(ADDRESS, HOST) == server.digest(f"{live}/fullchain.pem"), "Postfix shows the certificate")
        time.sleep(2 * TTL)  # what the naive order left in the resolver's cache
        with Mail(self.client, "v") as mail:
            for number in (1, 2):
                self.renew_safely(number, environment, server, live)
            at = mail.count
            waiting.until(lambda: mail.count > at + 3, "some more mail", 30, pause=0.2)
        sent, deferred = mail.fates()
        self.expect(f"the safe order: none of {mail.count} messages is deferred", not deferred and sent == mail.count,
                    [one.line for one in deferred][:3])
        print(f"# safe order: {sent} sent at once, {len(deferred)} deferred", flush=True)
        server.stop()
        self.unseen(environment, f"{live}/fullchain.pem")

    def unseen(self, environment, chain):
        """A change by hand at a host that nobody can reach, as where port 25 is blocked."""
        state = self.path("by-hand")
        other = self.certbot.live(HOST, "chain.pem")  # any certificate

        def mxcrypt(*words):
            done = subprocess.run(["mxcrypt", "--json", "rollover", *words], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True,
                                  check=False)
            return json.loads(done.stdout) if done.stdout.strip() else done.returncode

        self.expect("a change is staged by hand", mxcrypt("stage", "--state", state, "--cert", chain) == 0)
        self.expect("and again, with the present certificate", mxcrypt("stage", "--state", state, "--cert", chain, "--current", other) == 0 and
                    mxcrypt("status", "--state", state, "--no-probe")["rollover"]["current"] is not None)
        os.unlink(state)
        mxcrypt("stage", "--state", state, "--cert", chain)
        waiting.until(lambda: mxcrypt("step", "--state", state)["install"], "it may be installed", 60, pause=1)
        said = [mxcrypt("step", "--state", state, "--", "true"), mxcrypt("step", "--state", state)]
        self.expect("an address that cannot be reached is waited for, and it is said what may be done",
                    said[1]["state"] == "ripe" and said[1]["rollover"]["installed"] and "--without-address" in said[1]["why"], said)
        page = mxcrypt("step", "--state", state, "--without-address", ADDRESS)
        self.expect("it counts as showing what the command installed", page["state"] in ("deployed", "cleaned") and
                    page["rollover"]["without_addresses"] == [ADDRESS] and ADDRESS in page["rollover"]["hosts"][0]["passed_over"][0], page)

    def renew_safely(self, number, environment, server, live):
        old = server.digest(f"{live}/fullchain.pem")
        status, said = self.certbot.renew("--pre-hook", os.path.join(CERTBOT, "mxcrypt-pre-hook"), "--deploy-hook",
                                          os.path.join(CERTBOT, "mxcrypt-deploy-hook"), "--post-hook",
                                          os.path.join(CERTBOT, "mxcrypt-post-hook"), environment=environment)
        new = server.digest(self.certbot.live(HOST, "cert.pem"))
        said_by_certbot = said
        self.expect(f"renewal {number}: a new key, and Postfix keeps the old one", status == 0 and new != old and server.digest(f"{live}/fullchain.pem") == old
                    and server.shown(ADDRESS, HOST) == old, said)
        status, said = self.step(environment)
        self.expect(f"renewal {number}: the step says what to publish", status == 3 and new in said.lower(), said)
        self.expect(f"renewal {number}: and certbot has reported it", "error code 3" in said_by_certbot and new in said_by_certbot.lower(),
                    said_by_certbot)
        page = self.page(environment)
        self.expect(f"renewal {number}: and so does the status, as JSON", page["need"] == "act" and page["exit"] == 3 and
                    page["rollover"]["hosts"][0]["publish"] == [f"3 1 1 {new}"], page)
        self.zone.publish(f"3 1 1 {old}", f"3 1 1 {new}")
        if number == 1:
            self.failing(environment)
        installed = waiting.until(lambda: self.stepped_to(environment, server, live, new), "the certificate is installed", 60, pause=1)
        self.expect(f"renewal {number}: installed when its record is everywhere and twice the TTL has passed", installed >= 2 * TTL,
                    f"{installed:.1f} s after it was published")
        waiting.until(lambda: server.shown(ADDRESS, HOST) == new, "Postfix shows the new certificate")
        said = waiting.until(lambda: self.cleaned(environment, old), "the old record may go", 60, pause=1)
        self.zone.publish(f"3 1 1 {new}")
        waiting.until(lambda: self.step(environment)[0] == 0 and self.status(environment) == "cleaned", "the rollover is over", 60, pause=1)
        keys = [str(path.parent.name) for path in pathlib.Path(environment["MXCRYPT_TLS"], HOST).glob("*/privkey.pem") if path.parent.name != "live"]
        self.expect(f"renewal {number}: the key before is removed", keys == [os.readlink(live)], keys)
        pages = [self.page(environment), self.page(environment, "--no-probe")]
        self.expect(f"renewal {number}: it is over", all(page["need"] == "done" and page["exit"] == 0 for page in pages), pages)

    def failing(self, environment):
        """A command that fails: the next step runs it again, and after a day that is for the operator."""
        state = pathlib.Path(environment["MXCRYPT_TLS"], HOST, "state")
        command = ["mxcrypt", "rollover", "step", "--state", str(state), "--", "false"]
        run = lambda: subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        waiting.until(lambda: run().returncode == 75, "a command that fails", 60, pause=1)
        page = json.loads(state.read_text(encoding="ascii"))
        page["since"] -= 2 * 86400
        state.write_text(json.dumps(page), encoding="ascii")
        status = run().returncode
        self.expect("a command that fails for more than a day is for the operator", status == 3, status)

    def stepped_to(self, environment, server, live, new):
        """Seconds since the record was published, once the new certificate is installed."""
        self.step(environment)
        return server.digest(f"{live}/fullchain.pem") == new and time.monotonic() - self.zone.published_at

    def cleaned(self, environment, old):
        said = self.step(environment)[1]
        return said if old in said.lower() and "remove" in said else None

    def page(self, environment, *options):
        """The status as JSON, which follows its schema."""
        done = subprocess.run(["mxcrypt", "--json", "rollover", "status", *options, "--state", os.path.join(environment["MXCRYPT_TLS"], HOST, "state")],
                              env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=False)
        page = json.loads(done.stdout)
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="ascii"))).validate(page)
        return page

    def status(self, environment):
        done = subprocess.run(["mxcrypt", "rollover", "status", "--state", os.path.join(environment["MXCRYPT_TLS"], HOST, "state")],
                              env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return next((word for word in ("cleaned", "deployed", "ripe", "published", "staged") if word in done.stdout), done.stdout)


def measure(the_world, options):
    began = time.monotonic()
    story = Story(the_world, options)
    story.naive()
    story.safe()
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
