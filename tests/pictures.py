#!/usr/bin/python3
"""The pages of mxcrypt audit, read and looked at: pictures.py --bin DIR [--out DIR]

Facts that tests/pages/page_writer.c makes up are written as text, JSON, HTML and for Prometheus; so is what mxcrypt reads from a
log that tests/bench/maillog.py makes up. The JSON follows its schema, promtool takes the metrics, and the HTML page is opened in a headless Chromium, wide and as on a phone, light and dark, on paper,
with and without script: it fetches nothing, says nothing on the console, fits its width, is legible, and its numbers are the JSON's.
The pictures are kept in --out, build/pages by default. One "ok" or "not ok" line for each check."""

import argparse
import json
import pathlib
import subprocess
import sys
import traceback

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "pages"))
import browser  # noqa: E402

MAILLOG = HERE / "bench" / "maillog.py"
SCHEMA = HERE.parent / "docs" / "audit.schema.json"
KINDS = ("made", "plain", "empty", "log")  # with verdicts; without; nothing at all; what the command makes of a log
LOG = ("--messages", "3000", "--nexthops", "300", "--days", "30", "--troubles", "0.1")
LOOKS = {"wide-light": {"width": 1280}, "wide-dark": {"width": 1280, "dark": True},
         "phone-light": {"width": 390}, "phone-dark": {"width": 390, "dark": True},
         "paper": {"width": 800, "paper": True}}
SMALL_CONTRAST, LARGE_CONTRAST = 4.5, 3.0  # WCAG 2.1, 1.4.3

# Every number of a table, with the places that say where it is in the JSON.
NUMBERS = """
[...document.querySelectorAll("table[data-in]")].flatMap(table => {
  const is = [...table.tHead.rows[0].cells].map(cell => cell.dataset.is);
  return [...table.tBodies[0].rows].flatMap(row => [...row.cells].map((cell, i) => ({
    in: table.dataset.in, key: row.dataset.key ?? null, is: is[i] ?? null,
    n: cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n),
    shown: cell.textContent})).filter(cell => cell.is !== null));
}).concat([...document.querySelectorAll("dd[data-is]")].map(dd => ({
  in: "", key: null, is: dd.dataset.is, n: Number(dd.dataset.n), shown: null})))
"""

# Text whose contrast with what is behind it is too small.
CONTRAST = """
(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const rgba = parse(getComputedStyle(e).backgroundColor);
      if (rgba.length === 3 || rgba[3] === 1) return rgba.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  let seen = 0;
  for (const e of document.body.querySelectorAll("*")) {
    if (e.closest("svg, script") || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    const [a, b] = [light(parse(style.color).slice(0, 3)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    seen++;
    if (ratio < (large ? LARGE : SMALL)) poor.push(e.tagName + " " + e.className + " " + ratio.toFixed(2));
  }
  return {seen, poor: [...new Set(poor)]};
})()
""".replace("LARGE :", f"{LARGE_CONTRAST} :").replace("SMALL)", f"{SMALL_CONTRAST})")

# The first cells of the table of domains, and how it is sorted.
ORDER = """
(() => {
  const table = document.querySelector(".sortable table");
  return {column: COLUMN, values: [...table.tBodies[0].rows].map(row => Number(row.cells[COLUMN].dataset.n)),
          sort: [...table.tHead.rows[0].cells].map(cell => cell.getAttribute("aria-sort"))};
})()
"""
CLICK = 'document.querySelectorAll(".sortable thead th")[COLUMN].querySelector("button").click()'

# What a screen reader needs.
LABELS = """
({captions: [...document.querySelectorAll("table")].every(t => t.caption && t.caption.textContent),
  scopes: [...document.querySelectorAll("th")].every(th => th.scope),
  pictures: [...document.querySelectorAll("svg")].every(s => s.closest("[aria-hidden]") || s.getAttribute("aria-label")),
  regions: [...document.querySelectorAll(".scroll")].every(r => r.getAttribute("aria-label") && r.tabIndex === 0),
  headings: document.querySelectorAll("h1").length, language: document.documentElement.lang})
"""


class Results:
    def __init__(self):
        self.failed = 0

    def check(self, name, faults):
        faults = list(faults)
        self.failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {name}")
        for fault in faults[:10]:
            print(f"    {fault}")


# ---- without a browser ----


def strict(schema):
    """The schema with no members but those that it names."""
    if isinstance(schema, dict):
        more = {"additionalProperties": False} if "properties" in schema and schema.get("type") == "object" else {}
        return {name: strict(value) for name, value in schema.items()} | more
    return [strict(one) for one in schema] if isinstance(schema, list) else schema


def schema_faults(page):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for error in jsonschema.Draft202012Validator(strict(schema)).iter_errors(page):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def sum_faults(page):
    """Figures that must be sums of others."""
    for member in ("by_tls", "statuses"):
        for name, number in page[member].items():
            for of in ("domains", "days"):
                found = sum(one[member][name] for one in page[of])
                if found != number:
                    yield f"{member}/{name}: {number}, but {found} of all {of}"
    if sum(page["by_tls"].values()) != page["statuses"]["sent"]:
        yield "by_tls is not statuses/sent"
    for member in ("deferred_by_tls", "bounced_by_tls"):
        if sum(page[member].values()) != sum(one[member] for one in page["domains"]):
            yield f"{member} is not that of all domains"


def prometheus_faults(path):
    done = subprocess.run(["promtool", "check", "metrics"], stdin=open(path, "rb"), capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or done.stdout or done.stderr:
        yield done.stdout + done.stderr or f"exit status {done.returncode}"


def many_faults(program):
    """A million domains: each in a line of its own that is JSON by itself, in memory that does not grow with them."""
    done = subprocess.run([program, "many", "20000"], stdout=subprocess.PIPE, check=True, timeout=120)
    lines = done.stdout.decode().splitlines()
    domains = lines[lines.index('"domains":[') + 1:-1]
    names = {json.loads(line.rstrip(","))["name"] for line in domains}
    if len(domains) != 20000 or len(names) != 20000:
        yield f"{len(domains)} lines, {len(names)} names"


# ---- in the browser ----


def wanted(page, number):
    """Where a number of the page is in the JSON."""
    base = page[number["in"]] if number["in"] else page
    if isinstance(base, list):
        name = "day" if number["in"] == "days" else "name"
        base, rest = next(one for one in base if one[name] == number["key"]), []
    else:
        rest = [] if number["key"] is None else [number["key"]]
    for step in [part for part in number["is"].split("/") if part] + rest:
        base = base[step]
    return base


def number_faults(page, numbers):
    for number in numbers:
        want = wanted(page, number)
        if number["n"] != ("" if want is None else want):
            yield f"{number}: the JSON has {want}"
        elif isinstance(want, int) and number["shown"] not in (None, f"{want:,}"):
            yield f"{number}: shown otherwise than it is"
    seen = {number["key"] for number in numbers if number["in"] == "domains"}
    missing = [one["name"] for one in page["domains"] if one["name"] not in seen]
    if missing:
        yield f"not on the page: {missing}"
    if page["domains"] and not {"by_tls", "by_protocol", "days", "domains", "hosts", ""} <= {n["in"] for n in numbers}:
        yield "a table is missing"


def look_faults(tab):
    """What any view of the page must be."""
    requests = [event["request"]["url"] for event in tab.noted("Network.requestWillBeSent")]
    if requests != [tab.address]:
        yield f"requests: {requests}"
    for event in tab.noted("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
        yield f"console: {str(event)[:300]}"
    width = tab.run("document.documentElement.scrollWidth")
    if width > tab.width:
        yield f"{width} pixels wide, the window is {tab.width}"
    if tab.run("getComputedStyle(document.body).fontVariantNumeric") != "tabular-nums":
        yield "the style is not in force"
    contrast = tab.run(CONTRAST)
    yield from (f"contrast: {one}" for one in contrast["poor"])
    if contrast["seen"] < 20:
        yield f"only {contrast['seen']} texts"
    labels = tab.run(LABELS)
    yield from (f"no {name}" for name in labels if not labels[name])


def sort_faults(tab):
    for column, clicks, down in ((2, 1, True), (2, 2, False), (1, 1, True)):
        for _ in range(clicks if down or column != 2 else 1):
            tab.run(CLICK.replace("COLUMN", str(column)))
        order = tab.run(ORDER.replace("COLUMN", str(column)))
        if order["values"] != sorted(order["values"], reverse=down) or len(order["values"]) < 2:
            yield f"column {column} is not sorted: {order['values'][:10]}"
        if order["sort"].count(None) != len(order["sort"]) - 1 or order["sort"][column] != ("descending" if down else "ascending"):
            yield f"column {column}: aria-sort is {order['sort']}"


def injection_faults(window, path, folder):
    """The page's policy is what keeps a script out that somehow came in."""
    text = pathlib.Path(path).read_text(encoding="ascii")
    evil = folder / "injected.html"
    evil.write_text(text.replace("</main>", "<script>document.title = 'taken'</script>"
                                 "<img src=x onerror=\"document.title = 'taken'\"><p id=p style='color: red'>x</p></main>"),
                    encoding="ascii")
    with window.open(evil) as tab:
        if tab.run("document.title") == "taken" or tab.run("getComputedStyle(document.getElementById('p')).color") == "rgb(255, 0, 0)":
            yield "what was put into the page is in force"
        if not any("Content Security Policy" in str(event) for event in tab.noted("Log.entryAdded")):
            yield "the policy did not object"


def check_pictures(results, window, kind, folder, out):
    page = json.loads((folder / "audit.json").read_text(encoding="ascii"))
    path = folder / "audit.html"
    for name, look in LOOKS.items():
        with window.open(path, **look) as tab:
            tab.picture(out / f"{kind}-{name}.png")
            results.check(f"{kind}, {name}: whole, legible, and by itself", look_faults(tab))
            results.check(f"{kind}, {name}: the numbers are the JSON's", number_faults(page, tab.run(NUMBERS)))
            if kind != "empty" and name == "wide-light":
                results.check(f"{kind}: sorted by a click", sort_faults(tab))
    with window.open(path, script=False) as tab:
        results.check(f"{kind}, without script: the same numbers",
                      [*look_faults(tab), *number_faults(page, tab.run(NUMBERS)),
                       *(["the script ran"] if tab.run('document.querySelector("th button") !== null') else [])])


def write_pages(programs, kind, folder):
    if kind != "log":
        subprocess.run([programs / "page_writer", kind, folder], check=True, timeout=60)
        return
    with open(folder / "mail.log", "wb") as log:
        subprocess.run([sys.executable, MAILLOG, *LOG, "--truth", folder / "truth.json"], stdout=log, check=True, timeout=120)
    with open(folder / "audit.json", "wb") as page:
        subprocess.run([programs / "mxcrypt", "-c", "/dev/null", "--json", "audit", "--html", folder / "audit.html",
                        "--prometheus", folder / "audit.prom", folder / "mail.log"], stdout=page, check=True, timeout=120)


def check_kind(results, window, kind, programs, out):
    folder = out / kind
    folder.mkdir(parents=True, exist_ok=True)
    write_pages(programs, kind, folder)
    page = json.loads((folder / "audit.json").read_text(encoding="ascii"))
    results.check(f"{kind}: the JSON follows its schema", schema_faults(page))
    results.check(f"{kind}: the sums are right", sum_faults(page))
    results.check(f"{kind}: promtool takes the metrics", prometheus_faults(folder / "audit.prom"))
    check_pictures(results, window, kind, folder, out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "build" / "pages")
    options = parser.parse_args()
    programs = options.bin.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results()
    try:
        results.check("a domain, a line", many_faults(programs / "page_writer"))
        with browser.Browser() as window:
            for kind in KINDS:
                check_kind(results, window, kind, programs, options.out)
            results.check("an injected script does not run", injection_faults(window, options.out / "made" / "audit.html", options.out))
    except Exception:  # a browser that died is one failure, with its story
        results.check("the pages were looked at", traceback.format_exc().splitlines())
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
