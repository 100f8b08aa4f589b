"""mxcrypt list build and list renew among real servers: who gets into a list, and what becomes of its members, day by day."""

import json
import os
import pathlib
import subprocess

import daemon
import listing
from case import Failed, case
from listing import DAY_S, enforce, testing
from smtpd import CLEAR

ROW = "lists"
DAEMONS = {
    "lists-made": {"resolver": "127.0.0.53", "dns-timeout": "500ms", "dns-tries": "3", "greeting-deadline": "3s", "probe-deadline": "6s",
                   "ttl-min": "1s", "rules": "FOLDER/made.rules"},
}
QUICK = ("--rate", "2000")


class Maker:
    """Somebody who makes a list of domains below c.u, with a clock of his own."""

    def __init__(self, c):
        self.c, self.days, self.servers = c, 0, {}
        self.folder = pathlib.Path(c.world.folder, c.label)
        self.folder.mkdir()
        self.list = self.path("list.json")
        pathlib.Path(c.world.folder, "made.rules").touch()  # the daemon's, whichever of these cases run

    def path(self, name):
        return str(self.folder / name)

    def name(self, label):
        return f"{label}.{self.c.u}"

    def domain(self, label, *hosts, **more):
        """A domain with these mail hosts, each with a server that has a good certificate unless `more` says otherwise."""
        for host in hosts or ("mx",):
            self.c.plain(f"{label} 1 MX 10 {host}.{label}")
            self.servers[host, label] = self.c.plain_host(f"{host}.{label}", **more)

    def show(self, label, *san, host="mx"):
        """From now on the host has a certificate for these names; for its own without one."""
        ca = self.c.world.ca
        self.servers[host, label].show(ca.server_context(ca.leaf(*(san or (f"{host}.{self.name(label)}",)))))

    def run(self, status, *words, says=()):
        """What the command prints; `says` is what it complains, each part of it."""
        bin_dir = self.c.world.bin_dir
        environment = {**os.environ, **daemon.SANITIZERS, "LD_PRELOAD": os.path.join(bin_dir, "clock_shim.so"), "MXC_TEST_CLOCK": f"+{self.days * DAY_S}",
                       "TMPDIR": self.path("")}
        environment["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        done = subprocess.run([os.path.join(bin_dir, "mxcrypt"), "-c", self.c.daemon.config, "--json", "list", *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False, env=environment)
        missing = [one for one in says if one not in done.stderr]
        if done.returncode != status or missing:
            raise Failed(f"list {words}: exit {done.returncode}, not {status}; {done.stdout[:500]!r} {done.stderr[-2000:]!r}, not {missing}")
        left = list(self.folder.glob("mxcrypt-list-*"))
        if left:
            raise Failed(f"list {words} leaves {left}")
        return json.loads(done.stdout) if done.stdout else None

    def build(self, *source, status=0, says=(), name="a maker", expires="14"):
        return self.run(status, "build", *QUICK, "--name", name, "--expires", expires, *source, self.list, says=says)

    def renew(self, *more, status=0, says=()):
        """The counts that it prints, those that are not 0."""
        counts = self.run(status, "renew", *QUICK, *more, self.list, says=says)
        return {name: count for name, count in (counts or {}).items() if name != "list" and count}

    def names(self, *labels):
        path = self.path("names")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{self.name(label)}\n" for label in labels)
        return path

    def read(self):
        with open(self.list, encoding="utf-8") as file:
            return json.load(file)

    def modes(self):
        return {name.split(".")[0]: policy["mode"] for name, policy in self.read()["policies"].items()}

    def mxs(self, label):
        return [one.removesuffix(f".{self.c.u}") for one in self.read()["policies"][self.name(label)]["mxs"]]


def made_case(name, **more):
    """The decorated function gets a Maker, declares domains, and gives the steps, a function."""
    def keep(declare):
        def declared(c):
            c.do(declare(Maker(c)))
        case(ROW, name, daemon="lists-made", valgrind=False, **more)(declared)
        return declare
    return keep


def must(what, got, want):
    if got != want:
        raise Failed(f"{what}: {got!r}, not {want!r}")


# build

@made_case("list build: those that qualify, and why the others do not")
def _(maker):
    maker.domain("good")
    maker.domain("two", "mx1", "mx2")
    maker.domain("clear", temper=CLEAR)
    maker.domain("mixed", "mx1", "mx2")
    maker.domain("self", cert=maker.c.world.ca.leaf(f"mx.self.{maker.c.u}", issuer=None))
    maker.c.plain("silent MX 10 mx.silent", f"mx.silent A {maker.c.address()}", "null MX 0 .")

    def step():
        maker.show("mixed", "elsewhere.example", host="mx2")
        names = maker.names("good", "two", "clear", "mixed", "self", "silent", "null", "none")
        told = maker.build("--from", names, "--report", maker.path("report"), says=("mixed", "has no valid certificate", "mx2.mixed"))
        must("told", told, {"list": maker.list, "domains": 2, "seen": 8})
        must("mode", maker.modes(), {"good": "testing", "two": "testing"})
        must("hosts", maker.mxs("two"), ["mx1.two", "mx2.two"])
        whole = maker.read()
        must("head", (whole["author"], whole["version"]), ("a maker", "0.1"))
        lines = [line.split("\t") for line in pathlib.Path(maker.path("report")).read_text(encoding="ascii").splitlines()]
        must("report", {line[0].split(".")[0]: line[1] for line in lines},
             {"clear": "no-tls", "mixed": "certificate", "self": "certificate", "silent": "silent", "null": "no-mail", "none": "no-mail"})
    return step


@made_case("list build: enforced and folded, from a survey's file")
def _(maker):
    maker.domain("two", "mx1", "mx2")
    maker.domain("clear", temper=CLEAR)

    def step():
        survey = maker.path("survey.db")
        done = maker.c.daemon.cli("survey", "run", *QUICK, "--out", survey, maker.names("two", "clear"), timeout=120)
        must("survey", done.returncode, 0)
        before = len(maker.servers["mx1", "two"].connections)
        maker.build("--from-survey", survey, "--mode", "enforce", "--fold", says=("no TLS",))
        must("modes", maker.modes(), {"two": "enforce"})
        must("hosts", maker.read()["policies"][maker.name("two")]["mxs"], [f".{maker.name('two')}"])
        must("nobody is asked again", len(maker.servers["mx1", "two"].connections), before)
        subprocess.run(["sqlite3", survey, "UPDATE domain SET name = char(27) || '[31mX' || char(10) || 'b' WHERE name LIKE 'clear%'"], check=True)
        maker.build("--from-survey", survey, "--report", maker.path("report"), says=("\\x1b[31mX\\x0ab",))
        must("one line", len(pathlib.Path(maker.path("report")).read_text(encoding="ascii").splitlines()), 1)
        subprocess.run(["sqlite3", survey, "UPDATE run SET ended = ended - 8 * 86400"], check=True)
        maker.build("--from-survey", survey, status=65, says=("more than a week old",))
        subprocess.run(["sqlite3", survey, "UPDATE run SET ended = NULL"], check=True)
        maker.build("--from-survey", survey, status=65, says=("not finished",))
        maker.build("--from-survey", maker.path("nothing.db"), status=65)
    return step


@made_case("list build: from the operator's rules, and from what the daemon remembers")
def _(maker):
    maker.domain("ruled")
    maker.domain("off")
    maker.domain("asked")

    def step():
        rules = f"{maker.name('ruled')} at-least verify\n{maker.name('off')} off\n.{maker.name('ruled')} at-least encrypt\n"
        pathlib.Path(maker.c.world.folder, "made.rules").write_text(rules, encoding="ascii")
        maker.build("--from-rules")
        must("of the rules", maker.modes(), {"ruled": "testing"})
        for key in (maker.name("asked"), f"[mx.{maker.name('ruled')}]"):
            maker.c.daemon.explain(key)  # waits until all is found out, as query does not
        maker.build("--from-memory")
        must("remembered", maker.modes(), {"asked": "testing"})
    return step


@made_case("list build: what it refuses")
def _(maker):
    maker.domain("clear", temper=CLEAR)

    def step():
        names = maker.names("clear")
        maker.build("--from", names, status=1, says=("none of 1 domains qualifies",))
        must("list", os.path.exists(maker.list), False)
        for words in (("--from", names, "--from-rules"), (), ("--from", names, "--mode", "strict")):
            maker.build(*words, status=64, says=("--",))
        for expires in ("0", "367", "x"):
            maker.build("--from", names, expires=expires, status=64, says=("--expires must be",))
        maker.build("--from", maker.path("nothing"), status=64, says=("No such file",))
    return step


# renew

@made_case("list renew: a member that loses its certificate is dropped after the days that were set, and no sooner")
def _(maker):
    maker.domain("good")
    maker.domain("bad")

    def step():
        maker.build("--from", maker.names("good", "bad"))
        first = maker.read()["timestamp"]
        must("the first day", maker.renew(), {"good": 2})
        must("timestamp", maker.read()["timestamp"] > first, True)
        maker.show("bad", "elsewhere.example")
        for maker.days in (1, 2):
            for _ in range(2):  # twice a day is still a day
                must(f"day {maker.days}", maker.renew("--drop-after", "3", says=("has no valid certificate", f"(day {maker.days} of 3)")), {"good": 1, "failing": 1})
        must("still there", sorted(maker.modes()), ["bad", "good"])
        maker.days = 3
        must("dropped", maker.renew("--drop-after", "3", says=("bad", "dropped")), {"good": 1, "dropped": 1})
        must("gone", sorted(maker.modes()), ["good"])
        must("its days too", list(json.loads(pathlib.Path(maker.list + ".state").read_text(encoding="ascii"))["domains"]), [maker.name("good")])
    return step


@made_case("list renew: from testing to enforce after the days that were set; one bad day begins them anew")
def _(maker):
    maker.domain("steady")
    maker.domain("shaky")

    def step():
        maker.build("--from", maker.names("steady", "shaky"))
        for maker.days, want in enumerate(({"good": 2}, {"good": 1, "failing": 1}, {"good": 2, "enforced": 1}, {"good": 2}, {"good": 2, "enforced": 1})):
            if maker.days == 1:
                maker.show("shaky", "elsewhere.example")
            elif maker.days == 2:
                maker.show("shaky")
            must(f"day {maker.days}", maker.renew("--enforce-after", "3"), want)
        must("modes", maker.modes(), {"steady": "enforce", "shaky": "enforce"})
    return step


@made_case("list renew: a domain that moved to other good hosts gets these in testing mode, after the days that were set if it is enforced")
def _(maker):
    maker.domain("moved", "new")
    maker.domain("early", "new")
    maker.domain("wide", "mx1", "mx2")

    def step():
        name = maker.name
        listing.replace(maker.list, listing.text({name("moved"): enforce(f"old.{name('moved')}"), name("wide"): enforce(f".{name('wide')}"),
                                                  name("early"): testing(f"old.{name('early')}"), name("none"): testing("mx.none.example")}))
        must("moved at once", maker.renew("--drop-after", "2", status=75, says=("of 4 domains that were good the last time 3 fail, or have moved",)), {})
        must("the first day", maker.renew("--really", "--drop-after", "2", "--enforce-after", "9", says=("are others, good ones (day 1 of 2)",)),
             {"good": 1, "moved": 1, "failing": 2})
        must("modes", maker.modes(), {"moved": "enforce", "wide": "enforce", "early": "testing", "none": "testing"})
        must("hosts", maker.mxs("moved") + maker.mxs("early"), ["old.moved", "new.early"])
        maker.days = 1
        must("the second day", maker.renew("--drop-after", "2", "--enforce-after", "9", says=("moved",)), {"good": 2, "moved": 1, "dropped": 1})
        must("modes then", maker.modes(), {"moved": "testing", "wide": "enforce", "early": "testing"})
        must("hosts then", maker.mxs("moved") + maker.mxs("wide"), ["new.moved", ".wide"])
    return step


@made_case("list renew: where nobody answers it is this host that is cut off, and nothing changes")
def _(maker):
    maker.c.plain("silent MX 10 mx.silent", f"mx.silent A {maker.c.address()}")

    def step():
        listing.replace(maker.list, listing.text({maker.name("silent"): enforce(f"mx.{maker.name('silent')}")}))
        before = maker.read()
        maker.renew("--drop-after", "1", status=75, says=("no mail host gave a usable answer",))
        must("the list", maker.read(), before)
        must("the state", os.path.exists(maker.list + ".state"), False)
    return step


@made_case("list renew: a clock that is behind, and a state that is none")
def _(maker):
    maker.domain("good")

    def step():
        maker.days = 5
        maker.build("--from", maker.names("good"))
        maker.days = 0
        maker.renew(status=65, says=("its timestamp is in the future", "put the former list back, or make it anew"))
        maker.days = 5
        pathlib.Path(maker.list + ".state").write_text("[]", encoding="ascii")
        maker.renew(status=65, says=("list.json.state: it is not what mxcrypt list renew writes",))
        maker.renew("--state", maker.path("other"))
        must("expires", maker.run(64, "renew", "--expires", "367", maker.list, says=("--expires must be",)), None)
    return step


@made_case("list renew: an entry that somebody set back to testing, by hand or with list build, is watched from its first day")
def _(maker):
    maker.domain("back")

    def watch(first):
        """Until it is enforced, in three days."""
        for maker.days, want in ((first, {"good": 1}), (first + 1, {"good": 1}), (first + 2, {"good": 1, "enforced": 1})):
            must(f"day {maker.days}", maker.renew("--enforce-after", "3"), want)

    def step():
        maker.build("--from", maker.names("back"))
        watch(0)
        whole = maker.read()
        whole["policies"][maker.name("back")]["mode"] = "testing"
        listing.replace(maker.list, json.dumps(whole))
        watch(3)
        maker.build("--from", maker.names("back"))
        watch(6)
        whole = maker.read()
        whole["policies"][maker.name("back")] = testing(f"mx.back.{maker.c.u}", f"more.back.{maker.c.u}")
        listing.replace(maker.list, json.dumps(whole))
        watch(9)
    return step


@made_case("list renew: after a clock that was ahead the days count again")
def _(maker):
    maker.domain("good")
    maker.domain("bad")

    def step():
        maker.build("--from", maker.names("good", "bad"))
        maker.show("bad", "elsewhere.example")
        maker.days = 20
        must("ahead", maker.renew(), {"good": 1, "failing": 1})
        maker.days = 0
        maker.renew(status=65, says=("its timestamp is in the future",))
        maker.show("bad")
        maker.build("--from", maker.names("good", "bad"))
        maker.show("bad", "elsewhere.example")
        must("back", maker.renew("--drop-after", "2", "--enforce-after", "2", says=("(day 1 of 2)",)), {"good": 1, "failing": 1})
        maker.days = 1
        must("the next day", maker.renew("--drop-after", "2", "--enforce-after", "2"), {"good": 1, "dropped": 1, "enforced": 1})
    return step


@made_case("list renew: where most fail at once it is taken for a fault of this host, and nothing changes")
def _(maker):
    labels = ("one", "two", "three", "four", "five")
    for label in labels:
        maker.domain(label)

    def shown(*bad):
        for label in labels:
            maker.show(label, *(("elsewhere.example",) if label in bad else ()))

    def refused(says, *more):
        """Neither list nor state is another then, and the report counts no day."""
        files = [pathlib.Path(maker.list), pathlib.Path(maker.list + ".state")]
        before = [path.exists() and path.read_bytes() for path in files]
        maker.renew("--drop-after", "1", "--report", maker.path("report"), *more, status=75, says=(says, "has no valid certificate"))
        must("files", [path.exists() and path.read_bytes() for path in files], before)
        report = pathlib.Path(maker.path("report")).read_text(encoding="ascii")
        must("report", ["certificate" in report, "dropped" in report, "(day" in report], [True, False, False])

    def step():
        maker.build("--from", maker.names(*labels))
        shown(*labels[:3])
        refused("of 5 domains that were good the last time 3 fail")  # also when there is no state yet
        shown()
        must("all good", maker.renew(), {"good": 5})
        maker.days = 1
        shown(*labels[:3])
        refused("--really: count it all the same")
        shown(*labels[:2])
        must("two of five", maker.renew(), {"good": 3, "failing": 2})
        shown(*labels)
        refused("of 3 domains that were good the last time 3 fail")
        refused("no domain would stay in the list", "--really")
        shown(*labels[1:])
        must("really", maker.renew("--really", "--drop-after", "2"), {"good": 1, "failing": 4})
        maker.days = 2
        must("and they were good no more", maker.renew("--drop-after", "2"), {"good": 1, "dropped": 4})
        shown(*labels)
        maker.renew("--drop-after", "2")
        maker.days = 3
        refused("no domain would stay in the list")
    return step


@made_case("list renew: who opted out stays as he is")
def _(maker):
    maker.domain("asked")
    maker.domain("out")

    def step():
        maker.build("--from", maker.names("asked", "out"))
        must("both", maker.renew(), {"good": 2})
        opt_out = maker.path("opt-out")
        pathlib.Path(opt_out).write_text(f"{maker.name('out')}\n", encoding="ascii")
        maker.days = 1
        must("one", maker.renew("--drop-after", "1", "--enforce-after", "3", "--opt-out", opt_out, says=("out", "it was not looked up: it stays as it is")),
             {"good": 1, "unseen": 1})
        maker.days = 2
        must("its days", maker.renew("--enforce-after", "3"), {"good": 2, "enforced": 1})
        must("modes", maker.modes(), {"asked": "enforce", "out": "testing"})
        must("and then", maker.renew("--enforce-after", "2"), {"good": 2, "enforced": 1})
        with open(opt_out, "a", encoding="ascii") as file:
            file.write(f"{maker.name('asked')}\n")
        maker.renew("--opt-out", opt_out, status=75, says=("no domain was looked up",))
    return step


@made_case("list renew: files that cannot be written, or are one, are refused before anybody is asked")
def _(maker):
    maker.domain("good")

    def step():
        maker.build("--from", maker.names("good"))
        before = maker.read()
        link, state = maker.path("link"), maker.list + ".state"
        os.symlink(maker.list, link)
        asked = len(maker.servers["mx", "good"].connections)
        for words in (("--report", maker.list), ("--report", link), ("--report", maker.path("./list.json")), ("--state", maker.list), ("--report", state),
                      ("--report", maker.path("./list.json.state")), ("--report", maker.path("same"), "--state", maker.path("./same"))):
            maker.renew(*words, status=64, says=("list, state and report must be different files",))
        for words in (("--state", maker.path("none/state")), ("--report", maker.path("none/report")), ("--state", maker.path("."))):
            maker.renew(*words, status=73, says=("cannot write",))
        maker.run(73, "renew", link, says=("link: ",))
        must("list", maker.read(), before)
        must("state", os.path.exists(state), False)
        must("nobody is asked", len(maker.servers["mx", "good"].connections), asked)
    return step


@made_case("list renew: when the list cannot be written after the state, days are lost, and none is won")
def _(maker):
    maker.domain("good")

    def step():
        usual, state = maker.list, maker.path("state")
        maker.build("--from", maker.names("good"))
        maker.list = maker.path("x" * 250)  # no temporary file beside it can have a name
        os.rename(usual, maker.list)
        maker.renew("--state", state, "--enforce-after", "1", status=73, says=("cannot write", "File name too long"))
        must("mode", maker.modes(), {"good": "testing"})
        must("the state is there", json.loads(pathlib.Path(state).read_text(encoding="ascii"))["domains"][maker.name("good")]["mode"], "enforce")
        os.rename(maker.list, usual)
        maker.list = usual
        maker.days = 1
        must("the first day", maker.renew("--state", state, "--enforce-after", "2"), {"good": 1})
        maker.days = 2
        must("the second day", maker.renew("--state", state, "--enforce-after", "2"), {"good": 1, "enforced": 1})
    return step
