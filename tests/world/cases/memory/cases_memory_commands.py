"""What the operator sees and moves of the memory: history, export, import, cache flush and forget."""

import json
import os
import time

import policyhost
import remembering
import tap
import waiting
from case import Failed, case, secure, table
from smtpd import CLEAR, GOOD

ROW = "operations"
DAEMONS = {
    **remembering.DAEMONS,
    "commands": {**remembering.DAEMONS["memory"], "refresh-idle": "1h", "hold": "1h"},
    # answers live long: what is asked again is asked for because of a command
    "moved": {**remembering.DAEMONS["memory"], "ttl-min": "60s", "ttl-max": "24h", "probe-ttl": "24h"},
}
TYPES = ("answer", "policy", "probe", "event")


def command(name, rows=ROW, daemon="commands", valgrind=False):
    return case(rows, name, daemon=daemon, group="few", valgrind=valgrind)


def must_end(one, status, *arguments, says=""):
    """mxcrypt ends with that status and prints these words; what it printed."""
    done = one.cli(*arguments)
    if done.returncode != status or says not in done.stdout + done.stderr:
        raise Failed(f"mxcrypt {' '.join(arguments)}: wanted {status} {says!r}, got {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done


# history

@command("mxcrypt history: changes with their times and reasons, oldest first", valgrind=True)
def _(c):
    c.key = c.u
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}", temper=CLEAR)
    c.plain(f"mx 1 A {server.address}")
    name = f"_mta-sts.{c.u}"
    c.sts(txt=None)
    c.want("NF")
    c.do(lambda: setattr(server, "temper", GOOD))
    c.later("verify", lambda: c.ask() == "OK verify servername=hostname")
    c.do(lambda: c.rule(name, "TXT", tap.answer((name, "TXT", "v=STSv1; id=1;", 1))))
    c.later("secure", lambda: c.ask().startswith("OK secure"))

    def listed(events):
        changes = [(one["was"], one["now"], one["reason"]) for one in events]
        times = [one["at"] for one in events]
        return (changes[-2:] == [("notfound", "verify", "starttls-verified"), ("verify", "secure", "sts-enforce")]
                and times == sorted(times) and time.time() - 120 < times[0] <= times[-1] <= time.time() + 1)
    c.later("both changes are listed", lambda: len(c.daemon.value("history", c.key) or []) >= 2)
    c.check("JSON", lambda: c.daemon.value("history", c.key), listed)
    c.do(lambda: must_end(c.daemon, 0, "history", c.key, says="sts-enforce"))


@command("mxcrypt history: the first verdict has no `was`; 1 for a key that is not known; a restart keeps it", valgrind=False)
def _(c):
    c.plain("@ MX 10 mx")
    c.plain_host("mx")

    def step():
        with remembering.Lives(c, like="commands") as lives:
            one = lives.start()
            must_end(one, 1, "history", c.u)
            must_end(one, 1, "--json", "history", c.u)
            c.must_be("VER", one.ask(c.u))
            waiting.until(lambda: one.value("history", c.u), "it is listed")
            one.settled()
            lives.kill()
            one = lives.start()
            events = one.value("history", c.u)
            if [(event["was"], event["now"]) for event in events] != [(None, "verify")]:
                raise Failed(f"{events}")
    c.do(step)


@command("mxcrypt history is bounded for one domain", valgrind=False)
def _(c):
    c.plain(f"@ MX 10 {c.u}.", f"@ A {c.world.clear.address}")
    c.sts(txt=None, domain=c.u)
    name, flips = f"_mta-sts.{c.u}", 24

    def step():
        with remembering.Lives(c, like="commands", ttl_max="100ms", ttl_min="50ms", temp_ttl="50ms", refresh_idle="0s") as lives:
            one = lives.start()
            for number in range(flips):
                c.rule(c.u, "MX", tap.rcode("SERVFAIL") if number % 2 else None)
                waiting.until(lambda n=number: one.ask(c.u).startswith("TEMP" if n % 2 else "NOTFOUND"), "it flips", 10)
            found = len(one.value("history", c.u) or [])
            if found > 20:
                raise Failed(f"{found} changes are listed")
    c.rule(name, "TXT", tap.rcode("NXDOMAIN"))
    c.do(step)


# export and import

class Moved:
    """Domains of each kind that one daemon has learnt and another gets by an export."""

    def __init__(self, c):
        self.c = c
        good, clear = c.server(f"mx.{c.d}", f"mx.{c.u}"), c.server(temper=CLEAR)
        untrusted = c.server(cert=c.world.ca.leaf("other.example"))
        c.zone("@ MX 10 mx", f"mx A {good.address}", f"_25._tcp.mx TLSA {good.cert.tlsa()}")
        c.plain(f"mx A {good.address}", f"clear A {clear.address}", f"untrusted A {untrusted.address}",
                "sts MX 10 clear", "verify MX 10 mx", "encrypt MX 10 untrusted", "none MX 10 clear")
        c.sts(f"*.{c.u}", domain=f"sts.{c.u}")
        self.dead = remembering.cut_off(c, "SERVFAIL")
        self.path = os.path.join(c.world.folder, f"{c.label}.export")

    @property
    def wanted(self):
        c = self.c
        return {c.d: "OK dane-only", f"sts.{c.u}": secure((f"*.{c.u}",), f"clear.{c.u}"), f"verify.{c.u}": "OK verify servername=hostname",
                f"encrypt.{c.u}": "OK encrypt"}

    def learn(self, one):
        for key, want in self.wanted.items():
            waiting.until(lambda key=key, want=want: one.ask(key) == want, f"{key} is {want}", 20)
        self.c.must_be("NF", one.ask(f"none.{self.c.u}"))
        one.settled()

    def check(self, one):
        for key, want in self.wanted.items():
            self.c.must_be(want, one.ask(key), key)

    def export(self, one):
        """The lines of an export, also written to self.path."""
        lines = must_end(one, 0, "export").stdout.splitlines()
        self.write(lines)
        return lines

    def write(self, lines):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    def exported(self):
        """The lines that a daemon of its own exports which has learnt everything."""
        with remembering.Lives(self.c, "-from", like="moved") as lives:
            one = lives.start()
            self.learn(one)
            return self.export(one)

    def fresh(self, **options):
        """A daemon that knows nothing and can find out nothing."""
        return remembering.Lives(self.c, "-to", like="moved", resolver=self.dead, **options)


def counts(text):
    """(imported, known already, refused) of what import printed."""
    words = text.split()
    return tuple(int(words[words.index(one) + at].strip(",")) for one, at in (("imported", 1), ("already", 1), ("refused", 1)))


@command("mxcrypt export, import: another daemon, cut off from everything, knows the answers", "operations A-40")
def _(c):
    moved = Moved(c)

    def step():
        lines = moved.exported()
        records = [json.loads(line) for line in lines]
        if records[0]["type"] != "mxcrypt-export" or records[0]["version"] != 1 or abs(records[0]["at"] - time.time()) > 120:
            raise Failed(f"begins with {lines[0]}")
        if records[-1] != {"type": "end", "records": len(records) - 2} or not {one["type"] for one in records[1:-1]} <= set(TYPES):
            raise Failed(f"ends with {lines[-1]}, {len(records)} lines")
        with moved.fresh() as lives:
            one = lives.start()
            c.must_be("TMP", one.ask(c.d))
            lives.stop()
            one = lives.start()
            done = must_end(one, 0, "import", moved.path, says="imported ")
            if counts(done.stdout)[0] != len(records) - 2 or counts(done.stdout)[2]:
                raise Failed(done.stdout + done.stderr)
            moved.check(one)
            one.settled()
            again = must_end(one, 0, "import", moved.path)
            imported, known, refused = counts(again.stdout)
            if refused or known < (len(records) - 2) / 2 or imported > (len(records) - 2) / 2:
                raise Failed(f"the second time: {again.stdout}")
            lives.kill()
            moved.check(lives.start())
    c.do(step)


@command("import from standard input", valgrind=True)
def _(c):
    moved = Moved(c)

    def step():
        moved.exported()
        with moved.fresh() as lives:
            one = lives.start()
            with open(moved.path, encoding="utf-8") as file:
                done = one.cli("import", "-", stdin=file)
            if done.returncode != 0 or not done.stdout.startswith("imported "):
                raise Failed(f"{done.returncode}: {done.stdout}{done.stderr}")
            moved.check(one)
    c.do(step)


@command("the key `import`: an export is read at every start; what is known better here stays")
def _(c):
    moved = Moved(c)

    def step():
        moved.exported()
        with moved.fresh(**{"import": moved.path}) as lives:
            for _ in range(2):
                one = lives.start()
                waiting.until(lambda one=one: one.events("imported"), "it is read")
                moved.check(one)
                one.settled()
                lives.kill()
            os.unlink(moved.path)
            moved.check(lives.start())
    c.do(step)


@command("the key `import`: a file that is no export, or not there, does not keep the daemon from serving")
def _(c):
    moved = Moved(c)

    def step():
        for text in (None, "no export\n", "\0" * 1000):
            if text is not None:
                with open(moved.path, "w", encoding="ascii") as file:
                    file.write(text)
            with remembering.Lives(c, "-to", like="moved", **{"import": moved.path}) as lives:
                one = lives.start()
                c.must_be("DO", one.ask(c.d))
                waiting.until(lambda: one.events("imported"), "a word of it")
                if "level=warn" not in one.events("imported")[0]:
                    raise Failed(one.events("imported")[0])
    c.do(step)


@command("the key `import`: a FIFO that nobody writes to is not waited for")
def _(c):
    moved = Moved(c)

    def step():
        os.mkfifo(moved.path)
        with remembering.Lives(c, "-to", like="moved", **{"import": moved.path}) as lives:
            one = lives.start()
            c.must_be("DO", one.ask(c.d))
            line = waiting.until(lambda: one.events("imported"), "a word of it")[0]
            if "level=warn" not in line or "no regular file" not in line:
                raise Failed(line)
    c.do(step)


@command("the key `import`: a file of refused lines does not fill the log, large ones do not stop the loop")
def _(c):
    moved = Moved(c)

    def step():
        with open(moved.path, "w", encoding="ascii") as file:
            file.write('{"type":"mxcrypt-export","version":1}\n' + "{}\n" * 3000)
            file.write('{"type":"policy","domain":"%s"}\n' % ("x" * 900_000) * 30)
            file.write('{"type":"end","records":3030}\n')
        with remembering.Lives(c, "-to", like="moved", **{"import": moved.path}) as lives:
            one = lives.start()
            line = waiting.until(lambda: one.events("imported"), "it is read", 60)[0]
            if " refused=3030" not in line or not 0 < len(one.events("import-refused")) <= 100:
                raise Failed(f"{line}, {len(one.events('import-refused'))} lines before it")
    c.do(step)


@command("import: a NUL hides nothing")
def _(c):
    moved = Moved(c)

    def step():
        event = json.dumps({"type": "event", "key": c.u, "at": 1795000000000, "now": "encrypt", "reason": "starttls-tls"})
        with open(moved.path, "w", encoding="ascii") as file:
            file.write('{"type":"mxcrypt-export","version":1}\n' + event + "\0garbage\n" + "\0" * 3_000_000 + "\n" + event + "\n")
            file.write('{"type":"end","records":3}\n')
        with moved.fresh() as lives:
            done = must_end(lives.start(), 1, "import", moved.path)
            if counts(done.stdout) != (1, 0, 2):
                raise Failed(done.stdout)
            if lives.daemon.value("import", moved.path) != {"imported": 1, "known": 0, "refused": 2}:
                raise Failed("--json says otherwise")
    c.do(step)


def refused_file(c, change, status, words):
    """An export that was changed: the exit status, what is said; the daemon goes on with what was good."""
    moved = Moved(c)

    def step():
        lines = moved.exported()
        changed = change(c, list(lines))
        if isinstance(changed, bytes):
            with open(moved.path, "wb") as file:
                file.write(changed)
        else:
            moved.write(changed)
        with moved.fresh() as lives:
            one = lives.start()
            done = must_end(one, status, "import", moved.path, says=words)
            if status == 1 and not any(line.startswith("line ") for line in done.stderr.splitlines()):
                raise Failed(f"no line is named: {done.stderr}")
            if status == 1:
                moved.check(one)
            if not one.alive():
                raise Failed("it died")
    c.do(step)


def _insert(*lines):
    return lambda c, have: [*have[:1], *lines, *have[1:-1], _end(len(have) - 2 + len(lines))]


def _end(count):
    return json.dumps({"type": "end", "records": count})


def _forged(kind, **changes):
    """One more record: a copy of the first of its kind, changed."""
    def change(c, have):
        record = next(json.loads(line) for line in have if json.loads(line)["type"] == kind)
        record.update({key: value(c, record) if callable(value) else value for key, value in changes.items()})
        return _insert(json.dumps(record))(c, have)
    return change


table(ROW, "import refuses", [
    ("a line of noise", _insert("}{ nonsense"), 1, "line 2:"), ("a record of no type", _insert("{}"), 1, "line 2:"),
    ("a record of an unknown type", _insert('{"type": "recipe"}'), 1, "line 2:"), ("an array", _insert("[1, 2]"), 1, "line 2:"),
    ("an empty answer", _insert('{"type": "answer"}'), 1, "line 2:"), ("an empty policy", _insert('{"type": "policy"}'), 1, "line 2:"),
    ("an empty probe", _insert('{"type": "probe"}'), 1, "line 2:"), ("an empty event", _insert('{"type": "event"}'), 1, "line 2:"),
    ("a line of 10 MB", _insert('{"type": "' + "x" * 10_000_000 + '"}'), 1, "line 2:"),
    ("deep nesting", _insert("[" * 100_000 + "]" * 100_000), 1, "line 2:"),
    ("a policy that is none", _forged("policy", domain="forged.example", body="version: STSv1\nmode: enforce\nmx: hostname\nmax_age: 1\n"), 1, "line 2:"),
    ("a policy of no domain", _forged("policy", domain="../../etc"), 1, "line 2:"),
    ("an answer to no key", _forged("answer", key="a b\nc"), 1, "line 2:"),
    ("an answer with evidence of noise", _forged("answer", key="forged.example", evidence="bm9pc2U="), 1, "line 2:"),
    ("a probe of no address", _forged("probe", address="not.an.address"), 1, "line 2:"),
    ("no export at all", lambda c, have: ["hello", "world"], 65, ""), ("an empty file", lambda c, have: [], 65, ""),
    ("another version", lambda c, have: [have[0].replace('"version": 1', '"version": 99').replace('"version":1', '"version":99'), *have[1:]], 65, ""),
    ("octets", lambda c, have: os.urandom(5000), 65, ""), ("a file without its end", lambda c, have: have[:-1], 65, ""),
    ("a file cut within a line", lambda c, have: "\n".join(have).encode()[:-len(have[-1]) - 30], 65, ""),
    ("another number of records at the end", lambda c, have: [*have[:-1], _end(len(have) + 5)], 65, ""),
], refused_file, daemon="commands", group="few", valgrind=False)


def _moved_times(lines, seconds):
    """Every time in the export moved; in seconds or milliseconds, both are recognisable."""
    def move(value):
        if isinstance(value, dict):
            return {key: move(one) for key, one in value.items()}
        if isinstance(value, list):
            return [move(one) for one in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1_000_000_000_000:
            return value + seconds * 1000
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1_000_000_000:
            return value + seconds
        return value
    return [json.dumps(move(json.loads(line))) for line in lines]


def other_times(c, seconds):
    """What an export from the future gives lives no longer than it could have."""
    moved = Moved(c)

    def step():
        moved.write(_moved_times(moved.exported(), seconds))
        with moved.fresh() as lives:
            one = lives.start()
            one.cli("import", moved.path)
            key = f"sts.{c.u}"
            answer = one.ask(key)
            if answer.startswith("TEMP "):
                return
            c.must_be(moved.wanted[key], answer)
            left = one.explain(key)["evidence"]["mta_sts"]["ends_in_s"]
            if left is None or left > 86400:
                raise Failed(f"it lives for another {left} s")
    c.do(step)


table("operations hostile-39", "import clamps or refuses", [("times ten days ahead", 10 * 86400), ("times of the year 2100", 73 * 365 * 86400)],
      other_times, daemon="commands", group="few", valgrind=False)


@command("import does not replace what is known later here")
def _(c):
    moved = Moved(c)
    key = f"sts.{c.u}"

    def step():
        lines = moved.exported()
        host = c.world.policies.hosts[f"mta-sts.{key}"]
        with remembering.Lives(c, "-to", like="moved") as lives:
            one = lives.start()
            host.policy = type(host.policy)(host.policy.body.replace(b"mode: enforce", b"mode: none"))
            c.must_be("NF", one.ask(key))
            moved.write(lines)
            must_end(one, 0, "import", moved.path)
            c.must_be("NF", one.ask(key))
            one.cli("cache", "flush")
            c.must_be("NF", one.ask(key))
    c.do(step)


@command("exit statuses: usage 64, no daemon 69")
def _(c):
    def step():
        lonely = c.world.new_daemon(c.label, c.world.options("commands"))
        for words in (["held"], ["release", c.u], ["history", c.u], ["export"], ["import", "/dev/null"]):
            must_end(lonely, 69, *words)
        for words in (["held", "x"], ["release"], ["history"], ["export", "x"], ["import"], ["import", "a", "b"]):
            must_end(c.daemon, 64, *words)
        done = c.daemon.cli("import", "/nonexistent/export")
        if done.returncode not in (64, 65, 66, 70) or "/nonexistent/export" not in done.stderr:
            raise Failed(f"{done.returncode}: {done.stderr}")
    c.do(step)


# cache flush and forget

@command("cache flush: everything is asked anew, policies and probes stay", daemon="moved")
def _(c):
    moved = Moved(c)

    def step():
        # the lookup decides, not what the probes are remembered by on a busy machine
        with remembering.Lives(c, like="moved", remembered_deadline="20s") as lives:
            one = lives.start()
            moved.learn(one)
            asked = {key: c.world.tap.asked(key, "MX") for key in moved.wanted}
            fetches = len(c.world.policies.hosts[f"mta-sts.sts.{c.u}"].fetches)
            must_end(one, 0, "cache", "flush")
            moved.check(one)
            again = [key for key in asked if c.world.tap.asked(key, "MX") <= asked[key]]
            if again:
                raise Failed(f"not asked anew: {again}")
            if len(c.world.policies.hosts[f"mta-sts.sts.{c.u}"].fetches) != fetches:
                raise Failed("the policy was fetched again")
            must_end(one, 0, "cache", "flush")
            one.settled()
            lives.kill()
            c.world.policies.hosts[f"mta-sts.sts.{c.u}"].policy = policyhost.Policy(status="500 Oops")
            one = lives.start(sts_refresh="10ms")
            c.must_be(moved.wanted[f"sts.{c.u}"], one.ask(f"sts.{c.u}"))
    c.do(step)


@command("cache flush does not end a hold", "operations G-14")
def _(c):
    c.key = c.u
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}")
    c.plain(f"mx 1 A {server.address}")

    def step():
        with remembering.Lives(c, like="commands") as lives:
            one = lives.start()
            c.must_be("VER", one.ask(c.u))
            server.temper = CLEAR
            waiting.until(lambda: one.held(c.u), "the hold begins")
            before = one.held(c.u)
            must_end(one, 0, "cache", "flush")
            c.must_be("VER", one.ask(c.u))
            after = waiting.until(lambda: one.held(c.u), "it is held")
            if after["until"] != before["until"]:
                raise Failed(f"{before} {after}")
            must_end(one, 0, "cache", "flush")
            one.settled()
            lives.kill()
            one = lives.start()
            c.must_be("VER", one.ask(c.u))
            waiting.until(lambda: one.held(c.u), "it is held")
    c.do(step)


@command("cache forget: what was remembered of the key is gone, in the store too; the others stay", daemon="moved", valgrind=True)
def _(c):
    moved = Moved(c)

    def step():
        with remembering.Lives(c, like="moved") as lives:
            one = lives.start()
            moved.learn(one)
            for key in (f"sts.{c.u}", f"encrypt.{c.u}"):
                must_end(one, 0, "cache", "forget", key)
            one.settled()
            lives.kill()
            one = lives.start(resolver=moved.dead)
            c.must_be("TMP", one.ask(f"sts.{c.u}"))
            c.must_be("TMP", one.ask(f"encrypt.{c.u}"))
            c.must_be("DO", one.ask(c.d))
            c.must_be("VER", one.ask(f"verify.{c.u}"))
            left = [line for line in must_end(one, 0, "export").stdout.splitlines()
                    if f'"sts.{c.u}"' in line and json.loads(line)["type"] in ("policy", "probe")]
            if left:
                raise Failed(f"still in the export: {left}")
    c.do(step)


@command("cache forget of what is held: nothing is held any more, and nothing was proven", "operations G-14")
def _(c):
    c.key = c.u
    c.plain("@ 1 MX 10 mx")
    server = c.server(f"mx.{c.u}")
    c.plain(f"mx 1 A {server.address}")
    c.want("VER")
    c.do(lambda: setattr(server, "temper", CLEAR))
    c.later("the hold begins", lambda: c.daemon.held(c.key))
    c.do(lambda: must_end(c.daemon, 0, "cache", "forget", c.key))
    c.want("NF")
    c.check("held", lambda: c.daemon.held(c.key), None)


@command("cache forget of a key that only the store knows", valgrind=False)
def _(c):
    moved = Moved(c)

    def step():
        with remembering.Lives(c, like="moved", refresh_idle="0s") as lives:
            one = lives.start()
            moved.learn(one)
            lives.kill()
            one = lives.start(resolver=moved.dead)
            must_end(one, 0, "cache", "forget", f"encrypt.{c.u}")
            c.must_be("TMP", one.ask(f"encrypt.{c.u}"))
            one.settled()
            lives.kill()
            c.must_be("TMP", lives.start().ask(f"encrypt.{c.u}"))
    c.do(step)
