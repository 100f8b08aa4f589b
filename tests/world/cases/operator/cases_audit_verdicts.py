"""mxcrypt audit with verdicts: what is found of the domains of a log, what other settings would change, rules that are suggested, the queue."""

import datetime
import json
import os

import ruleset
from case import case
from cases_verdicts import KINDS, Partners
from ruleset import LITERAL, Ordered, wanted
from smtpd import CLEAR

ROW = "orders"


def operation(name, group="few", valgrind=False):
    return case(ROW, name, daemon="orders", group=group, valgrind=valgrind)


class Log:
    """A mail log of Postfix, written line by line."""

    def __init__(self, c, name="mail.log"):
        self.path = os.path.join(c.world.folder, f"{c.label}.{name}")
        self._lines, self._number = [], 0

    def _line(self, day, program, text):
        self._number += 1
        self._lines.append(f"{day:%Y-%m-%d}T10:{self._number // 60 % 60:02}:{self._number % 60:02}.000000+00:00 mail postfix/{program}: {text}\n")

    def mail(self, domain, day, tls="Verified", status="sent", reason="250 2.0.0 Ok"):
        """One message for one recipient of the domain; `tls` None: without TLS."""
        relay, ident = f"mx.{domain.strip('[]')}[198.18.0.1]:25", f"{0xA00000 + self._number:X}"
        self._line(day, "qmgr[100]", f"{ident}: from=<news@own.example>, size=1000, nrcpt=1 (queue active)")
        if tls:
            self._line(day, "smtp[101]", f"{tls} TLS connection established to {relay}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)")
        self._line(day, "smtp[101]", f"{ident}: to=<you@{domain}>, relay={relay}, delay=1, delays=0.1/0.1/0.4/0.4, dsn=2.0.0, status={status} ({reason})")
        self._line(day, "qmgr[100]", f"{ident}: removed")

    def mails(self, domain, count, days, tls="Verified", last=None):
        """`count` messages over `days` days, the last of them by another level."""
        begin = datetime.date(2026, 10, 1)
        for number in range(count):
            day = begin + datetime.timedelta(days=number * (days - 1) // max(count - 1, 1))
            self.mail(domain, day, tls if last is None or number < count - 1 else last or None)

    def write(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.writelines(sorted(self._lines))
        return self.path


def audited(one, *arguments, status=0):
    done = one.cli("--json", "audit", *arguments)
    wanted(f"audit: {done.stderr[-500:]}", done.returncode, status)
    return json.loads(done.stdout)


@operation("audit --verdicts: with a daemon and without one the same, and what explain says")
def _(c):
    partners = Partners(c)

    def step():
        with Ordered(c, partners.rules) as life:
            one = life.start()
            log = Log(c)
            for number, domain in enumerate(partners.names.values()):
                log.mails(domain, number + 1, 1)
            tried = os.path.join(c.world.folder, f"{c.label}.tried")
            with open(tried, "w", encoding="ascii") as file:
                file.write(f"{partners.names['clear']} at-least encrypt # tried\n{partners.names['monitor']} at-least verify\n")
            arguments = ("--verdicts", "--rules", tried, "--rollout", "0", log.write())
            by_daemon, alone = audited(one, *arguments), audited(one, "--fresh", *arguments)
            wanted("sources", [said["verdicts"]["source"] for said in (by_daemon, alone)], ["mxcryptd", "lookups made now"])
            for said in (by_daemon, alone):
                wanted("messages", sum(said["verdicts"]["messages"].values()), sum(range(len(KINDS) + 1)))
                domains = {domain["name"]: domain for domain in said["domains"] if domain["name"] in partners.names.values()}
                wanted("domains", sorted(domains), sorted(partners.names.values()))
                for name, domain in domains.items():
                    explained = one.explain(name)
                    wanted(name, (domain["answer"], domain["withheld"]), (explained["answer"], explained["withheld"]))
                    if explained["reason"] not in ("rule-off", "rule-exactly"):
                        wanted(f"{name}, found", (domain["verdict"], domain["reason"]), (explained["found"]["level"], explained["found"]["reason"]))
                enforced, rollout, rules = said["what_if"]
                wanted("enforced already", enforced["changes"], [])
                wanted("rollout = 0 but for what rules name", sorted(change["domain"] for change in rollout["changes"]),
                       sorted(partners.names[kind] for kind in ("dane", "sts", "verified", "untrusted")))
                changes = {change["domain"]: (change["then"], change["forecast"], change["stops"], change["messages"]) for change in rules["changes"]}
                wanted("clear", changes[partners.names["clear"]], ("OK encrypt", "defers", True, 5))
                wanted("monitor", changes[partners.names["monitor"]], ("OK verify servername=hostname", "flows", False, 8))
                wanted("of the period", (rules["messages_stopped"], rules["messages_changed"]), (5, 5 + 6 + 7 + 8))
            wanted("one way and the other", [{**by_daemon, "verdicts": None}][0]["what_if"], alone["what_if"])
    c.do(step)


@operation("audit --verdicts: mode = monitor, what enforcing would change, and without a daemon")
def _(c):
    partners = Partners(c)

    def step():
        with Ordered(c, partners.rules, mode="monitor") as life:
            one = life.start()
            log = Log(c)
            for domain in partners.names.values():
                log.mails(domain, 1, 1)
            path = log.write()
            said = audited(one, "--verdicts", path)
            wanted("setting", said["what_if"][0]["setting"], "mode = enforce")
            wanted("changes", {change["domain"]: change["then"] for change in said["what_if"][0]["changes"]},
                   {partners.names["dane"]: "OK dane-only", partners.names["sts"]: f"OK secure match=mx.{partners.names['sts']} servername=hostname",
                    partners.names["verified"]: "OK verify servername=hostname", partners.names["untrusted"]: "OK encrypt",
                    partners.names["exactly"]: f"OK {LITERAL}"})
            wanted("its end", one.stop(), "")
            done = one.cli("--json", "audit", "--verdicts", path)
            wanted("without a daemon", "everything is looked up here" in done.stderr, True)
            wanted("the same", json.loads(done.stdout)["what_if"], said["what_if"])
    c.do(step)


@operation("audit --suggest-rules: three of ten, checked, put in force, and a stripped STARTTLS is not fallen for")
def _(c):
    partners = Partners(c)
    names = partners.names
    stripped = partners.servers["verified"]

    def step():
        with Ordered(c, f"{names['sts']} at-least verify\n") as life:
            one = life.start()
            log = Log(c)
            log.mails(names["dane"], 30, 40)
            log.mails(names["verified"], 40, 40)
            log.mails(names["untrusted"], 20, 14, tls="Untrusted")
            log.mails(names["sts"], 30, 40)  # has a rule
            log.mails(names["off"], 19, 40)  # few messages
            log.mails(names["exactly"], 30, 13)  # few days
            log.mails(names["monitor"], 30, 40, last="")  # one in clear
            log.mails(names["clear"], 30, 40)  # a weak verdict
            log.mails(names["nothing"], 30, 40)  # no such domain any more
            log.mails("[198.18.0.77]", 30, 40)  # no domain
            suggested = one.cli("audit", "--suggest-rules", log.write())
            wanted(f"status: {suggested.stderr}", suggested.returncode, 0)
            rules = [line for line in suggested.stdout.splitlines() if not line.startswith("#")]
            wanted("rules", rules, [f"{names['verified']} at-least verify  # 40 messages 2026-10-01..2026-11-09, all Verified",
                                    f"{names['dane']} at-least dane-only  # 30 messages 2026-10-01..2026-11-09, all Verified",
                                    f"{names['untrusted']} at-least encrypt  # 20 messages 2026-10-01..2026-10-14, all over TLS"])
            printed = os.path.join(c.world.folder, f"{c.label}.suggested")
            with open(printed, "w", encoding="utf-8") as file:
                file.write(suggested.stdout)
            ruleset.said(one.cli("rules", "check", printed), 0, "3 rules")
            life.reload(f"{names['sts']} at-least verify\n" + suggested.stdout)
            wanted("in force", len(life.listed()), 4)
            life.must_be("VER", names["verified"])
            stripped.temper = CLEAR
            one.cli("cache", "forget", names["verified"])
            life.must_be("VER", names["verified"])
            explained = one.explain(names["verified"])
            wanted("found", (explained["found"]["level"], explained["reason"]), ("notfound", "rule-at-least"))
            again = one.cli("audit", "--suggest-rules", log.path)
            wanted("nothing more", (again.returncode, [line for line in again.stdout.splitlines() if not line.startswith("#")]), (1, []))
    c.do(step)


HOSTILE_LINES = ("Mail queue is empty", "{", "[]", '{"queue_id": 5}', '{"queue_id": "A", "arrival_time": "x", "recipients": []}',
                 '{"queue_id": "A", "arrival_time": 1, "recipients": [{"delay_reason": "x"}]}', '{"queue_id": "\\u0000"}')


def queued(ident, since, *recipients):
    return json.dumps({"queue_name": "deferred", "queue_id": ident, "arrival_time": since, "message_size": 1, "sender": "",
                       "recipients": [{"address": address, "delay_reason": reason} for address, reason in recipients]})


@operation("audit --queue: what waits, why, and what is found of each domain; lines that are none")
def _(c):
    partners = Partners(c)
    clear, dane = partners.names["clear"], partners.names["dane"]

    def step():
        with Ordered(c, f"{clear} at-least encrypt\n") as life:
            one = life.start()
            log = Log(c)
            log.mails(clear, 1, 1)
            reason = f"TLS is required, but was not offered by host mx.{clear}[198.18.0.1]"
            lines = [queued("NEW", 1790000300, (f"a@{dane}", "connect to mx: timed out")), *HOSTILE_LINES,
                     queued("OLD", 1790000100, (f"a@{clear}", reason), (f"b@{clear.upper()}", reason), (f"c@{dane}", "450 \x1b[31m<b>")),
                     queued("LONG", 1790000200, (f"a@{dane}", "x" * 9000000))]
            folder = os.path.join(c.world.folder, c.label)
            os.makedirs(folder)
            with open(os.path.join(folder, "queue"), "w", encoding="utf-8") as file:
                file.write("\n".join(lines))  # without an end
            with open(os.path.join(folder, "postqueue"), "w", encoding="ascii") as file:
                file.write(f'#!/bin/sh\n[ "$*" = -j ] && exec cat {folder}/queue\n')
            os.chmod(os.path.join(folder, "postqueue"), 0o755)
            for arguments in (["--queue"], ["--queue", "--verdicts"]):
                done = one.cli("--json", "audit", *arguments, log.write(), path=folder)
                wanted(f"status: {done.stderr}", done.returncode, 0)
                wanted("left out", (done.stderr.count("is left out"), "and 3 lines more" in done.stderr), (5, True))
                said = json.loads(done.stdout)
                wanted("recipients", said["queue"]["recipients"], 4)
                waiting_now = said["waiting"]
                wanted("in order", [(one["queue_id"], one["domain"], one["recipients"], one["cause"]) for one in waiting_now][-1],
                       ("NEW", dane, 1, None))
                by_domain = {one["domain"]: one for one in waiting_now if one["queue_id"] == "OLD"}
                wanted("of TLS", (by_domain[clear]["recipients"], by_domain[clear]["cause"], by_domain[clear]["text"]), (2, "not-offered", reason))
                wanted("why", by_domain[clear]["why"], "OK encrypt: a rule asks for more than was found out")
                wanted("why not", by_domain[dane]["why"], "OK dane-only: every mail host has usable, DNSSEC-signed TLSA records")
                wanted("printable", by_domain[dane]["text"], "450 \\x1b[31m<b>")
    c.do(step)
