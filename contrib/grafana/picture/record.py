#!/usr/bin/python3
"""Some minutes of a real mxcryptd, as Prometheus saw them: record.py --bin DIR [--minutes N] --out FILE

In the tests' world (its own network namespace: a validating resolver, signed and unsigned domains, mail hosts and policy hosts of
every temper) a mxcryptd answers lookups as Postfix makes them, a Prometheus scrapes it every five seconds, and things go wrong:
mail hosts lose STARTTLS, the resolver is silent, the store is locked, rules and rollout change. At the end every query of the
dashboard's panels is put to Prometheus' HTTP API, and what it answers goes to FILE. Times to live are shortened, so that what
takes a day happens in minutes; nothing else is made up."""

import argparse
import contextlib
import json
import math
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import replace

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import benchworld  # noqa: E402  (puts tests/world on the path)

import case  # noqa: E402
import clients  # noqa: E402
import policyhost  # noqa: E402
import smtpd  # noqa: E402
import tap  # noqa: E402
import waiting  # noqa: E402

DASHBOARD = HERE.parent / "mxcryptd.json"
METRICS, PROMETHEUS = "127.0.0.1:9617", "127.0.0.1:9090"
SCRAPE_S = 5
CLIENTS = 12
BUSIEST, QUIETEST = 60, 15  # lookups a second
SEED = 4
ENTRY = case.Entry(("picture",), "picture", None, "picture", "together", True)
CONFIGURATION = {
    "resolver": "127.0.0.53", "metrics-listen": METRICS, "ttl-min": "5s", "ttl-max": "40s", "negative-ttl-max": "40s", "temp-ttl": "5s",
    "probe-ttl": "40s", "probe-retry-min": "15s", "probe-retry-max": "30s", "sts-refresh": "40s", "sts-retry": "15s", "hold": "90s",
    "hold-probe-min": "5s", "hold-probe-max": "10s", "refresh-idle": "60s", "refresh-rate": "15", "store-flush": "2s", "dns-timeout": "500ms",
    "dns-tries": "2", "greeting-deadline": "3s", "probe-deadline": "6s", "fetch-deadline": "4s", "remembered-deadline": "500ms",
}
RULES = "vip.signed at-least secure match=mx.vip.signed\noff.plain off\nticketed.plain exactly encrypt ticket=picture\nwatched.plain monitor\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of mxcryptd and mxcrypt: a release build")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    options.bin, options.out = os.path.abspath(options.bin), os.path.abspath(options.out)
    return options


# ---- the world ----

def one(world, label):
    return case.Case(world, ENTRY, label)


def domains(world):
    """The next-hops, most popular first; and the mail hosts that will lose STARTTLS."""
    hubs = [_hub(world, number) for number in range(12)]
    found, weak = [], []
    for number in range(24):
        c = one(world, f"dane{number}")
        c.zone("@ MX 10 mx")
        c.host("mx", "good")
        found.append(c.d)
    for number in range(60):
        c = one(world, f"hosted{number}")
        c.plain(f"@ MX 10 mx.hub{number % len(hubs)}.plain.")
        found.append(c.u)
    for number in range(20):
        c = one(world, f"sts{number}")
        c.key = c.u
        c.plain("@ MX 10 mx")
        c.plain_host("mx")
        c.sts()
        found.append(c.u)
    for number in range(16):
        c = one(world, f"own{number}")
        c.plain("@ MX 10 mx")
        weak.append(c.plain_host("mx", cert=None if number % 2 else world.ca.leaf("elsewhere.example")))
        found.append(c.u)
    for number in range(8):
        world.dns.add(f"clear{number}.plain", "@ MX 10 mx", f"mx A {world.clear.address}")
        found.append(f"clear{number}.plain")
    world.dns.add("nullmx.plain", "@ MX 0 .")
    found += ["nullmx.plain", "nosuchdomain.plain", *_mixed(world), *_ruled(world), *_failing(world)]
    random.Random(SEED).shuffle(found)
    return found, weak + hubs[:2]


def _hub(world, number):
    """A provider's mail host."""
    c = one(world, f"hub{number}")
    return c.plain_host("mx", cert=world.ca.leaf(f"mx.hub{number}.plain"))


def _mixed(world):
    c = one(world, "mixed")
    c.zone("@ MX 10 mx", "@ MX 20 mx2")
    c.host("mx", "good")
    c.host("mx2")
    return [c.d]


def _ruled(world):
    c = one(world, "vip")
    c.zone("@ MX 10 mx")
    c.host("mx")
    for name in ("off", "ticketed", "watched"):
        world.dns.add(f"{name}.plain", "@ MX 10 mx.hub5.plain.")
    return ["vip.signed", "off.plain", "ticketed.plain", "watched.plain"]


def _failing(world):
    """Domains of which something does not work."""
    good = smtpd.GOOD
    tempers = {"greets554": replace(good, greeting=b"554 no\r\n"), "later": replace(good, starttls=b"454 later\r\n"),
               "never": replace(good, starttls=b"554 never\r\n"), "cutoff": replace(good, handshake="close"), "mute": replace(good, hang=True)}
    found = ["refusing.plain", "bogus.signed", "refused.plain", "silent.plain"]
    for name, temper in tempers.items():
        c = one(world, name)
        c.plain("@ MX 10 mx")
        c.plain_host("mx", temper=temper)
        found.append(c.u)
    world.dns.add("refusing.plain", "@ MX 10 mx", f"mx A {world.new_address()}")
    world.dns.add_child("bogus.signed", "bogus", "@ MX 10 mx", "mx A 198.51.100.25")
    world.tap.rule("refused.plain", "*", tap.rcode("REFUSED"))
    world.tap.rule("silent.plain", "MX", tap.silence())
    text = policyhost.sts_text("mx.example")
    for name, policy, host in (("gone", policyhost.Policy(text, status="404 Not Found"), None), ("stranger", policyhost.Policy(text), "other.example"),
                               ("grammar", policyhost.Policy(b"version: STSv2\r\n"), None), ("slowly", policyhost.Policy(text, drip=3), None)):
        c = one(world, name)
        c.key = c.u
        c.plain("@ MX 10 mx.hub3.plain.")
        c.sts(policy=policy, cert=world.ca.leaf(host or f"mta-sts.{c.u}"))
        found.append(c.u)
    return found


# ---- lookups ----

class Load(threading.Thread):
    """A Postfix client: keys by popularity, in random intervals, more in the middle of the run than at its ends."""

    def __init__(self, socket, keys, began, minutes, number):
        super().__init__(daemon=True)
        self.socket, self.keys, self.began, self.seconds = socket, keys, began, minutes * 60
        self.random = random.Random(SEED + number)
        self.weights = [1 / (rank + 2) for rank in range(len(keys))]
        self.asked = 0

    def pause(self):
        at = (time.monotonic() - self.began) / self.seconds
        rate = QUIETEST + (BUSIEST - QUIETEST) * math.sin(math.pi * min(max(at, 0), 1)) ** 2
        return self.random.expovariate(rate / CLIENTS)

    def key(self):
        if self.random.random() < 0.01:
            return f"typo{self.random.randrange(10**6)}.plain"
        return self.random.choices(self.keys, self.weights)[0]

    def run(self):
        end = self.began + self.seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError, clients.Closed), clients.Socketmap(self.socket) as connection:
                for _ in range(self.random.randrange(20, 200)):
                    time.sleep(self.pause())
                    if time.monotonic() > end:
                        return
                    connection.ask(self.key())
                    self.asked += 1


# ---- what happens meanwhile ----

def set_rollout(daemon, percent):
    path = pathlib.Path(daemon.config)
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("rollout ")]
    path.write_text("\n".join([*lines, f"rollout = {percent}%", ""]), encoding="utf-8")
    answer = daemon.control_answer("reload")
    if not answer.get("reloaded"):
        raise RuntimeError(f"reload: {answer}")


def strip(servers, stripped):
    for server in servers:
        server.temper = smtpd.CLEAR if stripped else smtpd.GOOD


def lock_store(daemon, seconds):
    """Somebody else writes into the database for a while."""
    with contextlib.closing(sqlite3.connect(os.path.join(daemon.folder, "store.db"), timeout=30, isolation_level=None)) as store:
        store.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        store.execute("ROLLBACK")


def story(world, daemon, weak, minutes):
    """(share of the run, what is done then)"""
    silent = tap.silence()
    return [(0.22, "half of what is found is enforced, now three quarters", lambda: set_rollout(daemon, 75)),
            (0.30, f"{len(weak)} mail hosts lose STARTTLS", lambda: strip(weak, True)),
            (0.47, "the resolver is silent", lambda: world.tap.cut_off(silent)),
            (0.47 + 12 / 60 / minutes, "the resolver answers again", lambda: world.tap.cut_off(None)),
            (0.58, "the mail hosts have STARTTLS again", lambda: strip(weak, False)),
            (0.68, "the store is locked for 40 s", lambda: threading.Thread(target=lock_store, args=(daemon, 40), daemon=True).start()),
            (0.82, "everything is enforced", lambda: set_rollout(daemon, 100))]


def live(world, daemon, keys, weak, minutes):
    began = time.monotonic()
    load = [Load(daemon.socket, keys, began, minutes, number) for number in range(CLIENTS)]
    for thread in load:
        thread.start()
    for share, what, act in story(world, daemon, weak, minutes):
        time.sleep(max(0, began + share * minutes * 60 - time.monotonic()))
        print(f"{time.monotonic() - began:5.0f} s: {what}", flush=True)
        act()
    for thread in load:
        thread.join()
    return sum(thread.asked for thread in load)


# ---- Prometheus ----

def start_prometheus(folder):
    config = os.path.join(folder, "prometheus.yml")
    pathlib.Path(config).write_text(json.dumps({  # which is YAML
        "global": {"scrape_interval": f"{SCRAPE_S}s"}, "rule_files": [str(HERE.parent / "alerts.yml")],
        "scrape_configs": [{"job_name": "mxcryptd", "static_configs": [{"targets": [METRICS]}]}]}), encoding="ascii")
    with open(os.path.join(folder, "prometheus.log"), "wb") as log:
        process = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                                    f"--web.listen-address={PROMETHEUS}"], stdout=log, stderr=log)
    waiting.until(lambda: ready("/-/ready"), "Prometheus is ready")
    return process


def ready(path):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{PROMETHEUS}{path}", timeout=5) as response:
        return response.status == 200
    return False


def api(path, **parameters):
    with urllib.request.urlopen(f"http://{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as response:
        answer = json.load(response)
    if answer["status"] != "success":
        raise RuntimeError(answer)
    return answer["data"]


def panel_data(dashboard, begin, end):
    """By panel id and refId: what Grafana would get for that panel. Its $__rate_interval is four scrapes at this zoom."""
    variables = {"$__rate_interval": f"{4 * SCRAPE_S}s", "$__interval": f"{SCRAPE_S}s", "$instance": ".*"}
    found = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expr = target["expr"]
            for name, value in variables.items():
                expr = expr.replace(name, value)
            found.setdefault(str(panel["id"]), {})[target["refId"]] = api("query_range", query=expr, start=begin, end=end, step=SCRAPE_S)["result"]
    return found


def empty_panels(dashboard, data):
    return [panel["title"] for panel in dashboard["panels"] if panel["type"] != "row" and
            not any(series["values"] for series in (one for result in data[str(panel["id"])].values() for one in result))]


def record(world, options):
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    keys, weak = domains(world)
    world.dns.start()
    rules = os.path.join(world.folder, "rules")
    pathlib.Path(rules).write_text(RULES, encoding="ascii")
    prometheus = start_prometheus(world.folder)
    daemon = world.new_daemon("picture", {**world.options(), **CONFIGURATION, "rules": rules, "rollout": "50%"}).start()
    begin = time.time()
    asked = live(world, daemon, keys, weak, options.minutes)
    end = time.time()
    data = panel_data(dashboard, begin + 3 * SCRAPE_S, end)
    alerts = sorted({one["labels"]["alertname"] for one in api("alerts")["alerts"]})
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump({"begin": begin, "end": end, "dashboard": dashboard, "data": data}, file)
    wrong, empty = daemon.stop(), empty_panels(dashboard, data)
    prometheus.terminate()
    prometheus.wait()
    print(f"{asked} lookups of {len(keys)} next-hops in {end - begin:.0f} s; alerts at the end: {alerts or 'none'}; panels without data: {empty or 'none'}"
          + (f"; {wrong}" if wrong else ""))
    return 1 if wrong or empty else 0


if __name__ == "__main__":
    wanted = arguments()
    benchworld.main(__file__, record, wanted, int(wanted.minutes * 60) + 300)
