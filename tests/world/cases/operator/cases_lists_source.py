"""Where policy lists come from: files and HTTPS, minisign and gpg, what is wrong with one, and what of it outlives a restart."""

import contextlib
import json
import os
import pathlib
import re
import signal
import time

import listing
import policyhost
import remembering
import ruleset
import waiting
from case import Failed, case
from listing import DAY_S, enforce, testing
from ruleset import Ordered, said, wanted

ROW = "lists"
DAEMONS = {
    "lists-source": {**ruleset.QUICK, "policy-list-refresh": "1s"},
}
ALIASES = {"big": enforce(".big.example")}
SECURE = "OK secure match=mx1.one.example servername=hostname"  # no MX host is below .mail.one.example


def three(c):
    """Policies for three domains that are there."""
    c.plain(*(f"{name} MX 10 mx" for name in ("one", "two", "three")))
    return {f"one.{c.u}": enforce("mx1.one.example", ".mail.one.example"), f"two.{c.u}": testing("mx.two.example"),
            f"three.{c.u}": {"policy-alias": "big"}}


def operation(name, valgrind=False):
    return case(ROW, name, daemon="lists-source", group="few", valgrind=valgrind)


class Sourced(Ordered):
    """A daemon with one list; `line` is what policy-list has."""

    def __init__(self, c, line, **options):
        super().__init__(c, like="lists-source", policy_list=line, **options)

    def status(self, number=0):
        return self.daemon.control_answer("lists")["lists"][number]

    def becomes(self, state, why=None, seconds=60):
        """The status, once it is this, and `why` is in what is wrong with the source; None: nothing is."""
        def there():
            got = self.status()
            return got["state"] == state and (got["why"] is None if why is None else why in (got["why"] or "")) and got
        try:
            return waiting.until(there, f"the list is {state}: {why}", seconds)
        except waiting.TimedOut as error:
            raise Failed(f"{error}; it is {self.status()}") from error


def file_source(c, key=None, **more):
    path = os.path.join(c.world.folder, c.label)
    return listing.Source(f"{path}.json", key or listing.Minisign(path), **more)


class Published:
    """A list on a web server of the world, as files that may be replaced one by one."""

    def __init__(self, c, key=None):
        self.c, self.host = c, f"lists.{c.u}"
        self.source = file_source(c, key)
        c.plain(f"lists A {c.world.policy_address}")
        self.files = policyhost.Files()
        self.web = c.world.policies.host(self.host, c.world.ca.server_context(c.world.ca.leaf(self.host)), self.files)
        self.line = f"https://{self.host}/network/list.json {self.source.key.option}"

    def publish(self, policies, kind="application/json", **more):
        self.source.write(policies, **more)
        for end in (self.source.key.suffix, ""):
            body = pathlib.Path(self.source.path + end).read_bytes()
            self.files["/network/list.json" + end] = policyhost.Policy(body, content_type=kind)

    @property
    def fetched(self):
        """The paths, in order."""
        return [one.request.split(" ", 2)[1] for one in self.web.fetches]


def signed_by_gpg(c):
    folder = os.path.join(c.world.folder, c.label + ".gpg")
    os.makedirs(folder)
    return listing.OpenPgp(folder)


# over HTTPS

@operation("a list over HTTPS, signed with minisign: fetched, in force, kept over a restart without the server", valgrind=True)
def _(c):
    policies = three(c)
    web = Published(c)

    def step():
        web.publish(policies, aliases=ALIASES)
        with Sourced(c, web.line, policy_list_refresh="12h") as life:
            one = life.start()
            got = life.becomes("in-force")
            wanted("paths", web.fetched, ["/network/list.json.minisig", "/network/list.json"])
            wanted("what it has", (got["domains"], got["enforce"], got["testing"], got["as"], got["signature"]), (3, 2, 1, "file", "minisign"))
            wanted("secure", one.ask(f"one.{c.u}"), SECURE)
            said(one.cli("list"), 0, web.host, "in-force", "3 domains, 2 of them to be enforced, 1 in testing", "minisign key")
            wanted("--json", json.loads(one.cli("--json", "list", "status").stdout)["lists"][0]["state"], "in-force")
            stats = one.stats()
            wanted("counted", (stats["lists"], stats["lists_in_force"], stats["lists_domains"], stats["lists_fetched"]), (1, 1, 3, 1))
            life.stop()
            web.files.clear()
            one = life.start()
            wanted("from the copy", life.status()["state"], "in-force")
            wanted("secure", one.ask(f"one.{c.u}"), SECURE)
            wanted("no more fetches", len(web.fetched), 2)
    c.do(step)


@operation("a list over HTTPS is replaced, falsified, rolled back, gone, sent elsewhere: the last good one stays", valgrind=True)
def _(c):
    web = Published(c)
    c.plain("before MX 10 mx", "after MX 10 mx")
    before, after = f"before.{c.u}", f"after.{c.u}"

    def step():
        now = int(time.time())
        web.publish({before: enforce("mx.before.example")}, timestamp=now - 60)
        with Sourced(c, web.line) as life:
            one = life.start()
            life.becomes("in-force")
            secure = one.ask(before)
            web.publish({after: enforce("mx.after.example")}, timestamp=now - 30)
            waiting.until(lambda: one.ask(after) == "OK secure match=mx.after.example servername=hostname", "the new list is in force", 60)
            if secure == one.ask(before):
                raise Failed(f"a domain that left the list: {secure}")
            life.becomes("in-force")
            true = dict(web.files)
            text = true["/network/list.json"].body
            web.files["/network/list.json.minisig"] = policyhost.Policy(b"untrusted comment: x\n")
            life.becomes("in-force", "signature: ")
            web.files.update(true)
            life.becomes("in-force")
            web.publish({before: enforce("mx.before.example")}, timestamp=now - 60)
            life.becomes("in-force", "before ")
            web.files["/network/list.json"] = policyhost.Policy(status="301 Moved Permanently", headers=(f"Location: https://{web.host}/x",))
            life.becomes("in-force", "HTTP status 301")
            web.files["/network/list.json"] = policyhost.Policy(text, content_length=len(text) + 1000)
            life.becomes("in-force", "transfer closed")
            web.files.clear()
            life.becomes("in-force", "HTTP status 404")
            wanted("still", one.ask(after), "OK secure match=mx.after.example servername=hostname")
            said(one.cli("list"), 1, "in-force", "the source: ", "404")
            stats = one.stats()
            wanted("refused", [stats["lists_refused_" + word] > 0 for word in ("signature", "rollback", "syntax", "size")], [True, True, False, False])
            if one.stats()["lists_fetch_failures"] < 4:
                raise Failed(f"failures: {stats}")
    c.do(step)


# gpg

@operation("a list signed by gpg, with an alias and a suffix: in force; tampered with, by another key, expired, rolled back: not", valgrind=True)
def _(c):
    policies = three(c)
    key = signed_by_gpg(c)

    def step():
        now = int(time.time())
        source = file_source(c, key)
        source.write(policies, aliases=ALIASES, timestamp=now - 60, author="Ministère")
        with Sourced(c, source.option) as life, contextlib.closing(key):
            one = life.start()
            got = life.becomes("in-force")
            wanted("key", (got["signature"], got["key"], got["author"]), ("openpgp", key.fingerprint, "Ministère"))
            wanted("an alias", one.ask(f"three.{c.u}").split(" servername")[0].startswith("OK secure match="), True)
            text = pathlib.Path(source.path).read_text(encoding="utf-8")
            listing.replace(source.path, text.replace("mx1", "mx7"))
            life.becomes("in-force", "not of this file")
            listing.replace(source.path, text)
            life.becomes("in-force")
            source.write({}, timestamp=now - 120)
            life.becomes("in-force", "before ")
            source.write({}, timestamp=now - 30, expires=now - 1)
            life.becomes("in-force", "expire")
            life.stop()
            life.start()
            wanted("after a restart", (life.status()["state"], life.status()["domains"]), ("in-force", 3))
            wrong = ("F" if key.fingerprint[0] != "F" else "E") + key.fingerprint[1:]
            life.reload(policy_list=f"{source.path} key={key.public} fingerprint={wrong}")
            life.becomes("refused", "not the pinned one")
            life.reload(policy_list=source.option)
            life.becomes("in-force", "expire")
    c.do(step)


def verifiers(one):
    """The processes whose parent is the daemon."""
    text = pathlib.Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def has_ended(pid):
    """Nobody need have taken leave of it."""
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True


@operation("gpgv is run by a process that has no rights; it is killed: no new list, no other harm; and it ends with the daemon")
def _(c):
    policies = three(c)
    key = signed_by_gpg(c)

    def step():
        now = int(time.time())
        source = file_source(c, key)
        source.write(policies, aliases=ALIASES, timestamp=now - 60)
        with Sourced(c, source.option) as life, contextlib.closing(key):
            one = life.start()
            life.becomes("in-force")
            pid, = verifiers(one)
            facts = dict(re.findall(r"^(\w+):\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE))
            wanted("rights", (facts["NoNewPrivs"], int(facts["CapEff"], 16), int(facts["CapBnd"], 16)), ("1", 0, 0))
            wanted("descriptors", len(os.listdir(f"/proc/{pid}/fd")), 4)
            os.kill(pid, signal.SIGKILL)
            source.write({}, timestamp=now - 30)
            life.becomes("in-force", "the verifier process is gone")
            wanted("the list stays", one.ask(f"one.{c.u}").split(" ")[1], "secure")
            life.kill()
            one = life.start()
            life.becomes("in-force")
            wanted("the new list", life.status()["domains"], 0)
            pid, = verifiers(one)
            life.kill()
            waiting.until(lambda: has_ended(pid), "it has ended")
    c.do(step)


@operation("a list with an OpenPGP key comes by reload to a daemon that had none: refused, until a restart")
def _(c):
    policies = three(c)
    key = signed_by_gpg(c)

    def step():
        source = file_source(c, key)
        source.write(policies, aliases=ALIASES)
        with Sourced(c, []) as life, contextlib.closing(key):
            one = life.start()
            wanted("no process", verifiers(one), [])
            said(one.cli("list"), 1, "there is no policy-list")
            life.reload(policy_list=source.option)
            life.becomes("refused", "restart it")
            life.stop()
            life.start(policy_list=source.option)
            life.becomes("in-force")
    c.do(step)


# time

@operation("a clock that is set back, and ahead: a list in force stays, no older one comes in, it expires", valgrind=True)
def _(c):
    policies = three(c)
    def step():
        now = int(time.time())
        source = file_source(c, timestamp=now - 60, expires=now + DAY_S)
        source.write(policies, aliases=ALIASES)
        with Sourced(c, source.option) as life:
            life.clock = remembering.Clock(c)
            life.start()
            life.becomes("in-force")
            life.stop()
            source.write({}, timestamp=now - 3 * DAY_S, expires=now + DAY_S)
            life.clock.ahead(-2 * DAY_S)
            life.start()
            wanted("set back", life.becomes("in-force", "before ")["domains"], 3)
            source.write(policies, timestamp=now - 60, expires=now + DAY_S)
            life.becomes("in-force")
            life.clock.ahead(2 * DAY_S)
            one = life.daemon
            waiting.until(lambda: life.status()["state"] == "expired", "it has expired", 90)
            wanted("told once", len(one.events("policy-list-expired")), 1)
            wanted("counted", one.stats()["lists_expired"], 1)
            life.must_be("NF", f"one.{c.u}")
    c.do(step)


# reload

@operation("a hundred reloads in a row: nothing is left over")
def _(c):
    policies = three(c)
    web = Published(c)

    def step():
        web.publish(policies, aliases=ALIASES)
        other = listing.Source(os.path.join(c.world.folder, c.label + "-2.json"), web.source.key)
        other.write({f"d{number}.example": enforce("mx.example.com") for number in range(2000)})
        with Sourced(c, [web.line, other.option]) as life:
            one = life.start()
            life.becomes("in-force")

            def round_of(count):
                for number in range(count):
                    life.reload(policy_list=[[web.line, other.option], other.option, [other.option, web.line], []][number % 4])
                life.reload(policy_list=[web.line, other.option])
                waiting.until(lambda: life.status(0)["state"] == life.status(1)["state"] == "in-force", "all are in force", 60)
                one.settled()
                waiting.until(lambda: not [fd for fd in links(one) if fd.startswith("socket:") and fd not in sockets], "no fetch is left", 60)
                return one.descriptors(), one.resident_kb()
            sockets = set(links(one))
            round_of(20)
            descriptors, memory = round_of(20)
            after, memory_after = round_of(100)
            wanted("descriptors", after, descriptors)
            if memory_after - memory > 8 * 1024 and "asan" not in c.world.bin_dir:
                raise Failed(f"{memory_after - memory} KB more")
            wanted(f"one.{c.u}", one.ask(f"one.{c.u}").split(" ")[1], "secure")
    c.do(step)


def links(one):
    folder = f"/proc/{one.process.pid}/fd"
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(os.path.join(folder, name)))
        except FileNotFoundError:
            pass
    return found


# doctor

@operation("mxcrypt doctor: nothing of sound lists; a list that expires soon, one that is refused, one that is not there, a key that is gone")
def _(c):
    policies = three(c)
    key = signed_by_gpg(c)

    def step():
        now = int(time.time())
        source, other = file_source(c, key), listing.Source(os.path.join(c.world.folder, c.label + "-2.json"), listing.Minisign(
            os.path.join(c.world.folder, c.label + "-2")))
        for one in (source, other):
            one.write(policies, aliases=ALIASES, timestamp=now - 60)
        with Sourced(c, [source.option, other.option]) as life, contextlib.closing(key):
            one = life.start()

            def findings():
                told = json.loads(one.cli("--json", "doctor", "--postfix", os.path.join(c.world.folder, "nowhere"), "--mail-host",
                                          c.world.clear.address).stdout)
                made = {check["check"] for check in told["checks"] if check["made"]}
                wanted("made", {"list-key", "list-gpgv", "list", "list-expiry", "list-kept"} - made, set())
                return {(found["check"], found["what"]) for found in told["findings"] if found["check"].startswith("list")}
            wanted("sound", findings(), set())
            source.write(policies, timestamp=now - 30, expires=now + 2 * DAY_S)
            waiting.until(lambda: "T" in life.status()["expires"] and life.status()["expires"] < life.status(1)["expires"], "the new list", 60)
            other.write({}, timestamp=now - 120)
            waiting.until(lambda: life.status(1)["why"], "the other is refused", 60)
            found = findings()
            wanted("checks", sorted(check for check, _ in found), ["list", "list-expiry"])
            if not any("in force, and its source has no newer one" in what and "before" in what for _, what in found):
                raise Failed(f"a list that is rolled back: {found}")
            os.unlink(other.path)
            os.unlink(other.key.public)
            one.configure(policy_list=[source.option, other.option, f"/nothing key={key.public} fingerprint={key.fingerprint}"])
            found = findings()
            wanted("checks", sorted(check for check, _ in found), ["list", "list", "list-expiry", "list-key"])
            if not any("running mxcryptd does not have it" in what for _, what in found):
                raise Failed(f"a list that was not loaded: {found}")
    c.do(step)
