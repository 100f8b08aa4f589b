"""mxcrypt audit beside the daemon: the present verdicts of the domains of a log, and rules that log and verdicts support."""

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import replace

import waiting
from auditing import History, Mail, Partner, audit, domains, known, must_be, must_equal
from case import Failed, case
from daemon import SANITIZERS
from ruleset import QUICK, Ordered
from smtpd import CLEAR, GOOD

DAEMONS = {"audit-verdicts": QUICK, "audit-rules": {**QUICK, "hold": "0s", "hold-expired": "0s"}}


def judged_case(name, daemon):
    return case("audit", name, daemon=daemon, group="few", valgrind=False)


@judged_case("--verdicts: each domain of the log with what the daemon says of it now, and mail by verdict", "audit-verdicts")
def _(c):
    partners = [Partner(c, "dane", "good"), Partner(c, "sts", sts=True), Partner(c, "verify"), Partner(c, "other", cert=c.world.ca.leaf("other.example")),
                Partner(c, "clear", temper=CLEAR)]
    mail = Mail(c)

    def step():
        mail.start()
        for number, one in enumerate(partners):
            for _ in range(number + 1):
                mail.send(one.address(), one.address("other"))
        told = audit(c, "--verdicts", mail.stop())
        must_equal(told, *partners)
        found = {name: (one["verdict"], one["answer"].strip(), one["withheld"]) for name, one in domains(told).items()}
        explained = {one.domain: c.explain(one.domain) for one in partners}
        must_be("verdicts", found, {name: (one["found"]["level"], c.ask(name).strip(), False) for name, one in explained.items()})
        by_verdict = {}
        for number, one in enumerate(partners):
            level = explained[one.domain]["found"]["level"]
            by_verdict[level] = by_verdict.get(level, 0) + number + 1
        must_be("messages by verdict", {key: value for key, value in told["verdicts"]["messages"].items() if value}, by_verdict)
        must_be("kinds of verdicts", len(by_verdict), len(partners))
        if "mxcryptd" not in told["verdicts"]["source"]:
            raise Failed(f"the daemon was not asked: {told['verdicts']['source']}")
    c.do(step)


def suggested(out):
    """domain -> the rule after it, of the lines that are no comments."""
    lines = [line.split("#")[0].split() for line in out.splitlines()]
    return {words[0]: " ".join(words[1:]) for words in lines if words}


@judged_case("--suggest-rules: three partners qualify, eight do not; checked, put in force, and a stripped STARTTLS defers", "audit-rules")
def _(c):
    ca = c.world.ca
    dane, verify, encrypt = Partner(c, "dane", "good"), Partner(c, "verify"), Partner(c, "encrypt", cert=ca.leaf("other.example"))
    few, short, clear, unknown, weak, has, bounced = (Partner(c, name) for name in ("few", "short", "clear", "unknown", "weak", "has", "bounced"))
    weak.becomes(CLEAR)
    history = History()
    for one in (dane, verify, weak, has, bounced):
        history.mail(one, 40, 20)
    history.mail(encrypt, 30, 20, "Trusted")
    history.mail(few, 12, 20)
    history.mail(short, 40, 5)
    history.mail(clear, 39, 20)
    history.mail(clear, 1, 10, None)
    history.mail(unknown, 40, 20, None, instance="postfix-quiet")
    history.mail(bounced, 1, 10, None, status=f"bounced (TLS is required, but host {bounced.server.address} refused to start TLS: 554 5.7.0 no)", dsn="5.7.0")
    history.mail(dane, 40, 20, domain=f"[{dane.server.address}]")
    old = f"{has.domain} at-least verify\n"
    life = Ordered(c, old, like="audit-rules")
    mail = Mail(c, socket=os.path.join(c.world.folder, f"d-{life.name}", "policy.sock"))

    def step():
        with life, contextlib.ExitStack() as at_end:
            life.start()
            log = os.path.join(c.world.folder, f"{c.label}.log")
            history.write(log)
            done = life.daemon.cli("audit", "--suggest-rules", log)
            must_be("exit", (done.returncode, done.stderr), (0, ""))
            must_be("rules", suggested(done.stdout), {dane.domain: "at-least dane-only", verify.domain: "at-least verify", encrypt.domain: "at-least encrypt"})
            rules = life.path + ".suggested"
            with open(rules, "w", encoding="ascii") as file:
                file.write(done.stdout)
            checked = life.daemon.cli("rules", "check", rules)
            must_be("rules check", checked.returncode, 0)
            life.reload(old + done.stdout)
            mail.start()
            at_end.callback(mail.stop)
            for one in (verify, short):
                mail.send(one.address("before"))
                mail.must_say(one.address("before"), "status=sent")
                one.becomes(CLEAR)
                must_be("forgotten", life.daemon.cli("cache", "forget", one.domain).returncode, 0)
                mail.send(one.address("after"))
            mail.must_say(verify.address("after"), "status=deferred", "TLS is required, but was not offered")
            mail.must_say(short.address("after"), "status=sent")
            told = audit(c, mail.postfix.log_path)
            must_equal(told, verify, short)
            must_be("deferred by TLS", {name: one["deferred_by_tls"] for name, one in domains(told).items()}, {verify.domain: 1, short.domain: 0})
    c.do(step)


class Follower:
    """mxcrypt audit --follow, whose events are read from a file."""

    def __init__(self, c, log):
        self._out = os.path.join(c.world.folder, f"{c.label}.events")
        with open(self._out, "wb") as out:
            self._process = subprocess.Popen([os.path.join(c.world.bin_dir, "mxcrypt"), "-c", c.daemon.config, "--json", "audit", "--follow", log],
                                             stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, env={**os.environ, **SANITIZERS})

    def events(self, count):
        """As soon as there are so many: cause, domain, recipient of each, and all of the last."""
        def told():
            with open(self._out, encoding="ascii") as file:
                lines = file.read().splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")] if len(lines) >= count else None
        found = waiting.until(told, f"{count} events")
        return [(one["cause"], one["domain"], one["recipient"], one["status"]) for one in found], found[-1]

    def stop(self):
        self._process.send_signal(signal.SIGINT)
        _, errors = self._process.communicate(timeout=30)
        must_be("the end of --follow", (self._process.returncode, errors), (0, ""))


@judged_case("--follow tells each delivery that TLS defers, over a rotation; --queue tells what waits", "audit-verdicts")
def _(c):
    one, grey = Partner(c, "stripped"), Partner(c, "grey", temper=replace(GOOD, rcpt=b"450 4.2.0 greylisted\r\n"))
    mail = Mail(c)

    def step():
        mail.start()
        known(c, one, grey)
        one.becomes(CLEAR)
        follower = Follower(c, mail.postfix.log_path)
        mail.send(grey.address())
        mail.send(one.address())
        want = [("not-offered", one.domain, one.address(), "deferred")]
        events, last = follower.events(1)
        must_be("events", events, want)
        if not last["why"]:
            raise Failed(f"the event says nothing of the domain: {last}")
        told = audit(c, "--queue", "--postfix", mail.postfix.etc)
        must_be("waits", sorted((entry["domain"], entry["recipients"], entry["cause"]) for entry in told["waiting"]),
                sorted([(grey.domain, 1, None), (one.domain, 1, "not-offered")]))
        must_be("recipients that wait", (told["queue"]["recipients"], told["queue"]["by_cause"]["not-offered"], told["queue"]["by_cause"]["other"]), (2, 1, 1))
        mail.postfix.run("postfix", "logrotate")
        mail.rotated()
        mail.send(one.address("after"))
        waiting.until(lambda: (want[0][0], one.domain, one.address("after"), "deferred") in follower.events(2)[0], "the event after the rotation")
        follower.stop()
        mail.stop()
    c.do(step)
