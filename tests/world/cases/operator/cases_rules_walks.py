"""What goes through all that is cached, in shares: report, rules, rules check. Clients that go, do not read, come all at once; files of
every make; rules that change meanwhile."""

import concurrent.futures
import json
import os
import socket
import time

import clients
import ruleset
import waiting
from case import Failed, case
from ruleset import FOUND, Ordered, said, wanted

ROW = "orders"
AT_ONCE = 8
MANY = 6000  # rules: a list of which no socket holds as much
RULES = "".join(f"n{number}.example at-least encrypt\n" for number in range(1, MANY + 1))
PART_MAX = 128 * 1024


def operation(name, group="few", valgrind=False):
    return case(ROW, name, daemon="orders", group=group, valgrind=valgrind)


class Asked(clients.Stream):
    """A connection to the control socket on which a command was sent, whose answer waits to be read."""

    def __init__(self, one, command, **more):
        super().__init__(one.control)
        self.ask(command, **more)

    def ask(self, command, **more):
        self.send(json.dumps({"command": command, **more}).encode() + b"\n")

    def objects(self):
        """The objects of the answer, up to the one without `more`."""
        while True:
            line = self.read_until(b"\n")
            one = json.loads(line)
            yield one, len(line)
            if not one.get("more"):
                return

    def begun(self):
        """Waits for the first part: what is more than the socket holds waits for us from then on."""
        self.sock.recv(1, socket.MSG_PEEK)
        return self


def whole(asked):
    """The lines of a whole answer in parts, none of which is large."""
    lines, parts = [], 0
    for one, octets in asked.objects():
        wanted(f"a part of {octets} octets", octets < PART_MAX, True)
        if "error" in one:
            raise Failed(one["error"])
        lines += one["lines"]
        parts += 1
    return lines, parts


@operation("rules: a client that does not read gets all of it in the end, and nobody waits for it")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, RULES) as life:
            one = life.start()
            life.must_be_cached("DO", c.d)
            with Asked(one, "rules") as slow:
                slow.begun()
                for _ in range(100):
                    life.must_be("DO", c.d)
                wanted("for others", [rule["line"] for rule in life.listed()], list(range(1, MANY + 1)))
                wanted("report", one.value("report")["nexthops"], 1)
                lines, parts = whole(slow)
                wanted("lines", [line["line"] for line in lines], list(range(1, MANY + 1)))
                wanted(f"{parts} parts", parts > 20, True)
                slow.ask("version")
                wanted("the connection goes on", list(json.loads(slow.read_until(b"\n"))), ["version"])
    c.do(step)


@operation("report, rules, rules check: clients that go in the middle leave nothing behind", valgrind=True)
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, RULES) as life:
            one = life.start()
            life.must_be_cached("DO", c.d)
            before = one.descriptors()
            for number in range(6 * AT_ONCE):
                kind = number % 6
                asked = Asked(one, "rules" if kind < 2 else "report") if kind < 3 else Asked(one, "rules-check", text=RULES[:50000], more=kind != 5)
                if kind == 1:
                    asked.begun()
                if kind == 4:
                    asked.read_until(b"\n")
                    asked.ask("rules-check", text=RULES[50000:200000], more=False)
                asked.sock.close()
            waiting.until(lambda: one.descriptors() <= before, "all are gone")
            wanted("nobody holds a place", one.value("report")["nexthops"], 1)
            wanted("rules", len(life.listed()), MANY)
    c.do(step)


@operation("rules, report: a reload in the middle ends them with a word, and the next is whole")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, RULES) as life:
            one = life.start()
            life.must_be_cached("DO", c.d)
            with Asked(one, "rules") as slow:
                slow.begun()
                life.reload(f"{c.d} off\n")
                last = list(slow.objects())[-1][0]
                wanted("the last", "ask again" in last.get("error", ""), True)
                slow.ask("rules")
                lines, _ = whole(slow)
                wanted("asked again", [line["pattern"] for line in lines], [c.d])
    c.do(step)


@operation("mxcrypt report and rules check: other orders every moment, and each answer is of one of them or says so")
def _(c):
    FOUND["no STARTTLS"][0](c)
    rules = (f"{c.u} at-least encrypt\n", f"{c.u} off\n")

    def step():
        with Ordered(c, rules[0]) as life:
            one = life.start()
            life.must_be_cached("ENC", c.u)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                over = [False]

                def reloads():
                    while not over[0]:
                        for text in rules[::-1]:
                            life.reload(text)
                reloading = pool.submit(reloads)
                try:
                    for number in range(40):
                        done = one.cli("--json", "report") if number % 2 else one.cli("--json", "rules", "check", life.path)
                        if done.returncode == 1 and "ask again" in done.stderr:
                            continue
                        shown = json.loads(done.stdout)
                        if number % 2:
                            stops = [line["told"] for line in shown["would_stop"]]
                            wanted("report", (shown["nexthops"], stops in ([], ["OK encrypt"])), (1, True))
                        else:
                            wanted("changes", [change["now"] != change["then"] for change in shown["changes"]] in ([], [True]), True)
                finally:
                    over[0] = True
                reloading.result(60)
    c.do(step)


@operation("report, rules, rules check: eight at once and no more; who is refused is told")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        with Ordered(c, RULES) as life:
            one = life.start()
            life.must_be_cached("DO", c.d)
            path = os.path.join(c.world.folder, f"{c.label}.new-rules")
            with open(path, "w", encoding="utf-8") as file:
                file.write("* off\n")
            slow = [Asked(one, "rules").begun() for _ in range(AT_ONCE - 1)]
            said(one.cli("report"), 0, "1 next-hops with a verdict")
            slow.append(Asked(one, "rules").begun())
            said(one.cli("report"), 1, "ask again")
            said(one.cli("rules"), 1, "ask again")
            said(one.cli("rules", "check", path), 1, "ask again", "the rules are valid")
            said(one.cli("cache", "list"), 0, c.d)
            life.must_be("DO", c.d)
            wanted("stats", one.stats()["cache_entries"], 1)
            slow.pop().sock.close()
            waiting.until(lambda: one.cli("report").returncode == 0, "there is room again")
            for asked in slow:
                wanted("lines", len(whole(asked)[0]), MANY)
                asked.sock.close()
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                commands = [("report",), ("rules",), ("rules", "check", path)] * 3
                for command, done in zip(commands, pool.map(lambda command: one.cli("--json", *command), commands[:AT_ONCE])):
                    shown = json.loads(said(done, 0))
                    wanted(command, len(shown) if command == ("rules",) else shown["nexthops"], MANY if command == ("rules",) else 1)
    c.do(step)


@operation("mxcrypt rules check: files of every make")
def _(c):
    FOUND["dane-only"][0](c)

    def step():
        rule = f"{c.d} exactly may".encode()
        files = ((rule + b"\n", 1), (rule, 1), (b"\xef\xbb\xbf" + rule, 1), (b"\xef\xbb\xbf# caf\xe9\r\n" + rule + b"\r\n", 2),
                 (b"# caf\xe9, caf\xc3\xa9\n\n \t# \xff\xfe\n" + rule + b" ticket=\"\xc3\xbc \\\"\n", 4), (b"\n" * 70000 + rule, 70001),
                 (b"#\n" * 1_000_000 + rule, 1_000_001), (b"#" + b"\xe9" * 4000 + b"\n" + b"x.example off\n" + rule, 3),
                 (b"".join(b"n%d.example off ticket=\"%s\"\n" % (number, b"\xe2\x82\xac" * 60) for number in range(3000)) + rule, 3001),
                 (b"", 0), (b"# nothing", 0), (b"\n", 0))
        with Ordered(c) as life:
            one = life.start()
            life.must_be_cached("DO", c.d)
            path = os.path.join(c.world.folder, f"{c.label}.new-rules")
            for text, line in files:
                with open(path, "wb") as file:
                    file.write(text)
                shown = json.loads(said(one.cli("--json", "rules", "check", path), 0))
                changes = [{"key": c.d, "now": "OK dane-only", "then": "OK may", "line": line, "forecast": "flows", "stops": False}] if line else []
                wanted(f"{text[-60:]} of {len(text)} octets", (shown["nexthops"], shown["changes"]), (1, changes))
            with open(path, "wb") as file:
                file.write(b"#" * (16 * 1024 * 1024 + 1))
            said(one.cli("rules", "check", path), 65, "longer than")
    c.do(step)


@operation("mxcrypt rules check: a hundred thousand rules, and nobody waits", group="alone")
def _(c):
    FOUND["dane-only"][0](c)
    count = 100_000

    def step():
        path = os.path.join(c.world.folder, f"{c.label}.new-rules")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"n{number}.example at-least {ruleset.LITERAL} ticket=\"number {number}\"\n" for number in range(1, count))
            file.write(f"{c.d} off\n")
        with Ordered(c) as life, concurrent.futures.ThreadPoolExecutor(1) as pool:
            one = life.start()
            life.must_be_cached("DO", c.d)
            began, slowest = time.monotonic(), 0.0
            checking = pool.submit(one.cli, "--json", "rules", "check", path)
            with clients.Socketmap(one.socket) as connection:
                while not checking.done():
                    asked = time.monotonic()
                    c.must_be("DO", connection.ask(c.d), c.d)
                    slowest = max(slowest, time.monotonic() - asked)
            shown = json.loads(said(checking.result(), 0))
            wanted("changes", (shown["rules"], [(change["key"], change["line"]) for change in shown["changes"]]), (count, [(c.d, count)]))
            print(f"  rules check of {count} rules: {time.monotonic() - began:.1f} s, the slowest answer meanwhile took {slowest * 1000:.1f} ms", flush=True)
            wanted("in time", slowest < 1.0, True)
    c.do(step)
