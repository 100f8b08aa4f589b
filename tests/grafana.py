#!/usr/bin/python3
"""contrib/grafana against the code: grafana.py

Every query of the dashboard and of the alerts names only families, labels and values of labels that mxcryptd or mxcrypt check
exports, and is PromQL; the alerts fire when their tests say so; the panels fit on the screen. Needs promtool."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GRAFANA = HERE.parent / "contrib" / "grafana"
DASHBOARD = GRAFANA / "mxcryptd.json"
ALERTS = {GRAFANA / "alerts.yml": GRAFANA / "alerts_test.yml", GRAFANA / "check-alerts.yml": GRAFANA / "check-alerts_test.yml"}
TABLE = re.compile(r'^ *\{"([a-z_]+)",\s+(COUNTER|GAUGE|HISTOGRAM),\s+(?:EACH\([\w.]+,\s+"(\w+)"|ONE|SHIFTED)', re.MULTILINE)
CHECK_FAMILY = re.compile(r'family\(out, "([a-z_]+)"')
CHECK_LABELS = {"domain", "severity", "code"}
SELECTOR = re.compile(r"\b(mxcryptd_[a-z_]+|mxcrypt_check_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
FROM_PROMETHEUS = {"instance", "job"}
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$instance": ".+"}
COLUMNS = 24


def families(source):
    """Series by name with the labels they have, from metrics_table.c."""
    found = {}
    for name, kind, label in TABLE.findall(source):
        labels = {label} if label else set()
        for suffix in ("_bucket", "_sum", "_count") if kind == "HISTOGRAM" else ("",):
            found[f"mxcryptd_{name}{suffix}"] = (kind, labels | ({"le"} if suffix == "_bucket" else set()))
    return found


def check_families(source):
    """The same of check/watch/metrics.c, all gauges."""
    return {f"mxcrypt_check_{name}": ("GAUGE", CHECK_LABELS) for name in CHECK_FAMILY.findall(source)}


def values():
    """Every value of a label: what stands in quotes in the sources that names come from."""
    code = HERE.parent
    failures = [code / "probe" / "dns" / "dns.h", code / "probe" / "https" / "https.h"]
    sources = [*(code / "policy").rglob("*.[ch]"), *failures, code / "daemon" / "metrics" / "metrics_table.c",
               code / "daemon" / "lists" / "list_read.h", code / "check" / "finding.h"]
    return {word for path in sources for word in re.findall(r'"([a-z0-9-]+)"', path.read_text(encoding="utf-8"))}


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_queries(dashboard):
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r} {target['refId']}", target["expr"]
    for one in dashboard["annotations"]["list"]:
        if "expr" in one:
            yield f"annotation {one['name']!r}", one["expr"]
    for one in dashboard["templating"]["list"]:
        if "definition" in one:
            yield f"variable {one['name']!r}", re.fullmatch(r"label_values\((\w+), \w+\)", one["definition"])[1]


def alert_queries(text):
    """Without a reader of YAML: `expr:` and what is indented below it."""
    for name, block in re.findall(r"- alert: (\w+)\n((?:(?!      - alert:).*\n?)*)", text):
        expr = re.search(r"^( +)expr: (\|\n(?:\1 +.*\n)+|.*)", block, re.MULTILINE)[2]
        yield f"alert {name}", expr.removeprefix("|").strip()


def check_query(where, expr, known, words):
    for name, matchers in SELECTOR.findall(expr):
        if name not in known:
            yield f"{where}: no such family: {name}"
            continue
        kind, labels = known[name]
        for label, _, value in MATCHER.findall(matchers):
            if label not in labels | FROM_PROMETHEUS:
                yield f"{where}: {name} has no label {label}"
            elif label in labels and not value.startswith("$"):
                yield from (f"{where}: {label} is never {one!r}" for one in value.split("|") if one not in words)
        if name.endswith("_total") and not re.search(rf"(rate|increase)\({name}\b|and sum by \(\w+\) \({name}\b", expr):
            yield f"{where}: {name} without rate or increase"
        if kind == "GAUGE" and re.search(rf"\b(rate|increase)\({name}\b", expr):
            yield f"{where}: the rate of a gauge: {name}"
    for by in re.findall(r"\bby \(([\w, ]+)\)", expr):
        for label in by.split(", "):
            if label not in FROM_PROMETHEUS and not any(label in known.get(name, ("", set()))[1] for name, _ in SELECTOR.findall(expr)):
                yield f"{where}: nothing has the label {label}"


def check_syntax(queries):
    """Prometheus reads them all."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml", encoding="utf-8") as file:
        rules = []
        for number, (_, expr) in enumerate(queries):
            for name, value in VARIABLES.items():
                expr = expr.replace(name, value)
            rules.append({"record": f"query:{number}", "expr": expr})
        json.dump({"groups": [{"name": "all", "rules": rules}]}, file)  # which is YAML
        file.flush()
        done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"promtool: {done.stdout}{done.stderr}"


def check_layout(dashboard):
    taken, ids = set(), set()
    for panel in panels(dashboard):
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        if cells & taken or place["x"] + place["w"] > COLUMNS or panel["id"] in ids:
            yield f"panel {panel['title']!r}: over another, off the screen, or its id is taken"
        taken |= cells
        ids.add(panel["id"])
        if panel["type"] != "row" and not (panel["description"] and panel["targets"] and panel["datasource"]["uid"] == "${datasource}"):
            yield f"panel {panel['title']!r}: without description, query or data source"


def check_alerts(alerts, tests):
    for command in (["check", "rules", str(alerts)], ["test", "rules", str(tests)]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False, cwd=GRAFANA)
        if done.returncode:
            yield f"promtool {' '.join(command)}: {done.stdout}{done.stderr}"
    tested = tests.read_text(encoding="utf-8")
    for name in re.findall(r"- alert: (\w+)", alerts.read_text(encoding="utf-8")):
        if not re.search(rf"alertname: {name}\n\s+exp_alerts:\n\s+- exp_labels", tested):
            yield f"{name} is never seen to fire"


def main():
    known, words = families((HERE.parent / "daemon" / "metrics" / "metrics_table.c").read_text(encoding="utf-8")), values()
    known |= check_families((HERE.parent / "check" / "watch" / "metrics.c").read_text(encoding="utf-8"))
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [*dashboard_queries(dashboard), *(query for path in ALERTS for query in alert_queries(path.read_text(encoding="utf-8")))]
    wrong = [one for query in queries for one in check_query(*query, known, words)]
    wrong += [*check_syntax(queries), *check_layout(dashboard), *(one for pair in ALERTS.items() for one in check_alerts(*pair))]
    if len(known) < 50 or len(queries) < 50:
        wrong.append(f"too little to check: {len(known)} series, {len(queries)} queries")
    print("\n".join(wrong) or f"{len(queries)} queries, {len(known)} series")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
