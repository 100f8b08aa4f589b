#!/usr/bin/python3
"""The pages of mxcrypt survey, read and looked at: survey_pages.py --bin DIR [--out DIR]

Results files that tests/pages/survey_make.py makes up, by the documented tables alone, are reported, compared, exported and shown by
the command. The JSON follows its schema; every SELECT that mxcrypt-survey(5) prints is run by SQLite itself, and what it gives is what
the JSON and the HTML page say; the examples there run. The pages are opened in a headless Chromium as those of the audit are
(tests/pictures.py). One file is tampered with: names and texts in it are HTML, SQL, terminal controls, formulas; they come through
page, terminal and export without harm. The pictures are kept in --out, build/pages by default."""

import argparse
import csv
import datetime
import html
import io
import json
import math
import pathlib
import re
import resource
import sqlite3
import subprocess
import sys
import traceback

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "pages")]
import browser  # noqa: E402
import pictures  # noqa: E402
import survey_make  # noqa: E402

SCHEMA = HERE.parent / "docs" / "survey.schema.json"
MANUAL = HERE.parent / "docs" / "mxcrypt-survey.5"
SEED = HERE / "fuzz" / "corpus" / "results" / "survey"
TIMES = {"began", "ended", "not_after"}
TRUTHS = {"names_read", "dnssec", "probe", "option_dane", "testing_enforced", "wildcard_hosts", "option_verify"}
CLOSE = 1e-9
Z = 1.959963984540054  # 97.5 % of the normal distribution

# what is reported: the arguments of survey_make.make, and how the page is looked at
SOME = ("wide-light", "phone-dark", "paper")
FILES = {
    "full": ({"domains": 600}, tuple(pictures.LOOKS)),
    "sample": ({"domains": 500, "sample": 500, "names": 20000, "seed": 3}, ("wide-dark", "phone-light", "paper")),
    "later": ({"domains": 640, "seed": 2}, ()),
    "bare": ({"domains": 40, "seed": 4, "unfinished": 7, "dnssec": 0, "probe": 0, "runs": 2}, SOME),
    "empty": ({"domains": 0}, SOME),
    "evil": ({"domains": 60, "hostile": True}, SOME),
}

# Every number of a page, with the places that say where it is in the JSON.
NUMBERS = """
[...document.querySelectorAll("table[data-in]")].flatMap(table => {
  const is = [...table.tHead.rows[0].cells].map(cell => cell.dataset.is);
  return [...table.tBodies[0].rows].flatMap((row, place) => [...row.cells].map((cell, i) => ({
    in: table.dataset.in, key: row.dataset.key, place, is: is[i] ?? null,
    n: cell.dataset.n === undefined ? null : Number(cell.dataset.n), shown: cell.textContent})).filter(cell => cell.is !== null));
}).concat([...document.querySelectorAll("dd[data-is]")].map(dd => ({
  in: dd.dataset.is.split("/")[0], key: null, place: 0, is: dd.dataset.is.split("/")[1], n: Number(dd.dataset.n), shown: dd.textContent})))
"""
FLOWS = """
[...document.querySelectorAll("td[data-flow]")].map(cell => [...cell.dataset.flow.split(" "), Number(cell.dataset.n)])
"""


def run(programs, *words, text=False):
    done = subprocess.run([programs / "mxcrypt", "-c", "/dev/null", *words], capture_output=True, timeout=120)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(f"{words}: {done.returncode} {done.stderr.decode()[:500]}")
    return done.stdout.decode("ascii") if text else done.stdout


# ---- the manual ----


def section(name):
    """A section of the manual, without its markup."""
    text = MANUAL.read_text(encoding="ascii")
    return re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", text, re.S | re.M).group(1)


def plain(text):
    return re.sub(r"^\\&", "", text, flags=re.M).replace("\\e", "\\").replace("\\(dq", '"')


def selects(name):
    """{figure: SELECT} of a section."""
    found = re.findall(r"^\.Ss (\S+)\n.*?^\.Bd -literal\n(.*?)^\.Ed$", section(name), re.S | re.M)
    return {figure: plain(sql) for figure, sql in found}


def table_faults():
    """Tables and columns of the manual are those of schema.sql, in their order."""
    there = sqlite3.connect(":memory:")
    there.executescript(survey_make.SCHEMA.read_text(encoding="ascii"))
    names = {name: [row[1] for row in there.execute(f"PRAGMA table_info({name})")]
             for name, in there.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    said = {}
    for name, text in re.findall(r"^\.Ss (\S+)\n(.*?)(?=^\.S[sh] |\Z)", section("TABLES"), re.S | re.M):
        said[name] = [column for line in re.findall(r"^\.It Li (.*)$", text, re.M) for column in line.split(" , ")]
    views = {name for name, in there.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    if set(said) != set(names) | views:
        yield f"tables: {set(said) ^ (set(names) | views)}"
    for name, columns in names.items():
        if said.get(name) != columns:
            yield f"{name}: the manual has {said.get(name)}, the schema {columns}"


def example_faults(path):
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    examples = re.findall(r"^\.Bd -literal\n(SELECT.*?)^\.Ed$", section("EXAMPLES"), re.S | re.M)
    if len(examples) < 5:
        yield f"only {len(examples)} examples"
    for example in examples:
        if not file.execute(plain(example)).fetchall() and "HAVING" not in example:
            yield f"finds nothing: {example}"


def said(text):
    """Running text of the manual, as it is read."""
    return " ".join(plain(text).replace("\\-", "-").split())


def definition_faults(page):
    """The page defines its words as the manual does."""
    listed = re.search(r"^\.Bl -tag -width Ds\n(.*?)^\.El$", section("DEFINITIONS"), re.S | re.M).group(1)
    manual = {term: said(text) for term, text in re.findall(r"^\.It (.*?)\n(.*?)(?=^\.It |\Z)", listed, re.S | re.M)}
    terms = re.search(r'<dl class="terms">(.*?)</dl>', page.read_text(encoding="ascii"), re.S).group(1)
    shown = {html.unescape(term): said(html.unescape(text)) for term, text in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", terms, re.S)}
    for term in manual.keys() | shown.keys():
        if manual.get(term) != shown.get(term):
            yield f"{term}: the manual has {manual.get(term)}, the page {shown.get(term)}"


# ---- numbers ----


def as_json(column, value):
    """A value as SQLite gives it, as the JSON has it."""
    if value is None:
        return None
    if column in TIMES:
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return bool(value) if column in TRUTHS else value


def same(one, other):
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return abs(one - other) <= CLOSE * max(1, abs(one))
    return one == other


def select_faults(page, queries, path, old=None):
    """Every figure is what its SELECT in the manual gives."""
    file = sqlite3.connect(path)
    if old:
        file.execute("ATTACH ? AS old", (str(old),))
    figures = {name for name in page if isinstance(page[name], (list, dict)) and name != "remarks"}
    if figures != set(queries):
        yield f"figures and SELECTs: {figures ^ set(queries)}"
    for name in figures & set(queries):
        answer = file.execute(queries[name])
        columns = [column[0] for column in answer.description]
        wanted = [{column: as_json(column, value) for column, value in zip(columns, row)} for row in answer]
        found = page[name] if isinstance(page[name], list) else [page[name]]
        if len(found) != len(wanted):
            yield f"{name}: {len(found)} rows, SQLite has {len(wanted)}"
        for one, want in zip(found, wanted):
            yield from (f"{name}: {column} is {one.get(column)}, SQLite has {want[column]}" for column in columns
                        if column not in one or not same(one[column], want[column]))


def wilson(share, n):
    middle, half = share + Z * Z / (2 * n), Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0, (middle - half) / (1 + Z * Z / n)), min(1, (middle + half) / (1 + Z * Z / n))


def interval_faults(page):
    """Intervals as mxcrypt-survey(5) defines them, from the numbers on the page: by weight for (sum w)^2 / sum w^2 domains, or for
    those of which the variance of the ratio is as large."""
    names, drawn = page["runs"][0]["names"], page["totals"]["domains"]
    for name, rows in page.items():
        if not (isinstance(rows, list) and rows and isinstance(rows[0], dict) and "domains_interval" in rows[0]):
            continue
        domains, weight, squares = (sum(row[column] for row in rows) for column in ("domains", "weight", "weight_squares"))
        for row in rows:
            share = row["weight"] / weight
            residuals = row["weight_squares"] * (1 - share) ** 2 + (squares - row["weight_squares"]) * share**2
            equal = weight**2 / squares
            if 0 < share < 1:
                equal = min(equal, share * (1 - share) * weight**2 / residuals)
            for way, want in (("domains", wilson(row["domains"] / domains, domains / (1 - drawn / names))),
                              ("weight", wilson(share, equal / (1 - drawn / names)))):
                if not all(map(same, row[f"{way}_interval"], want)):
                    yield f"{name}, {row['key']}: by {way} {row[f'{way}_interval']}, not {want}"


def share_faults(page):
    """Shares are parts of their sums, and the sums of them are 1."""
    for name, rows in page.items():
        if not (isinstance(rows, list) and rows and isinstance(rows[0], dict) and "weight_squares" in rows[0]):
            continue
        for way in ("domains", "operators", "weight"):
            whole = sum(row[way] for row in rows)
            for row in rows:
                share = row[f"{way}_share"]
                if (share is None) != (whole <= 0) or share is not None and not same(share, row[way] / whole):
                    yield f"{name}, {row['key']}: {way}_share {share} of {whole}"
                low, high = row.get(f"{way}_interval", (0, 1))
                if not 0 <= low <= (share or 0) <= high <= 1:
                    yield f"{name}, {row['key']}: {low} to {high} is no interval of {share}"
        if (page["sampled"] is not None) != ("domains_interval" in rows[0]) or "operators_interval" in rows[0]:
            yield f"{name}: intervals where there are none, or none where there are some"


def number_faults(page, numbers):
    for number in numbers:
        rows = page[number["in"]]
        row = rows if isinstance(rows, dict) else rows[number["place"]]
        want = row[number["is"]]
        key = "-" if row.get("key") is None else row["key"] or "(none)"
        if number["key"] is not None and "key" in row and number["key"] != key:
            yield f"{number}: the JSON has the key {row['key']}"
        if isinstance(want, str):
            continue  # a tampered file has texts where numbers belong
        if want is None and number["n"] in (None, 0):
            continue
        if number["n"] is None or not same(number["n"], want):
            yield f"{number}: the JSON has {want}"
        elif not number["is"].endswith("_share") and isinstance(want, int) and number["shown"].replace(",", "") != str(want) and want < 2**53:
            yield f"{number}: shown otherwise than it is"


def schema_faults(page):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for error in jsonschema.Draft202012Validator(pictures.strict(schema)).iter_errors(page):
        deep = min(error.context, key=lambda one: -len(one.absolute_path), default=error)
        yield f"{'/'.join(map(str, deep.absolute_path))}: {deep.message[:200]}"


# ---- what is hostile ----


def text_faults(text):
    yield from (f"control character in {line!r}" for line in text.split("\n") if re.search(r"[^ -~]", line))


def formula(cell):
    return cell[:1] in tuple("=+-@\t\r") and not re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", cell)


def export_faults(programs, path, table, rows):
    text = run(programs, "survey", "export", path, table, "--format", "csv").decode("ascii")
    if re.search(r"[^ -~\r\n]", text) or text.count("\r") != text.count("\n") or not text.endswith("\r\n"):
        yield "octets that are neither printable nor a line end"
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if any(len(line) != len(lines[0]) for line in lines) or len(lines) != rows + 1:
        yield f"{len(lines) - 1} rows, not {rows}, or of different lengths"
    yield from (f"a formula: {cell!r}" for line in lines for cell in line if formula(cell))
    objects = [json.loads(line) for line in run(programs, "survey", "export", path, table, "--format", "jsonl").decode("ascii").splitlines()]
    if len(objects) != rows or any(list(one) != lines[0] for one in objects):
        yield f"JSON: {len(objects)} rows, not {rows}, or other columns"
    for line, one in zip(lines[1:], objects):
        for cell, value in zip(line, one.values()):
            shown = "" if value is None else value if isinstance(value, str) else None
            if shown is not None and cell.removeprefix("'") != shown.removeprefix("'"):
                yield f"CSV {cell!r}, JSON {value!r}"


def show_faults(programs, path, count):
    """Every domain that a word of the command line can name is explained, in printable text and as JSON."""
    names = [name for name, in sqlite3.connect(path).execute("SELECT name FROM domain ORDER BY id") if name and "\0" not in name]
    shown = 0
    for name in names[-count:]:
        done = subprocess.run([programs / "mxcrypt", "-c", "/dev/null", "survey", "show", "--", path, name], capture_output=True, timeout=60)
        yield from text_faults((done.stdout + done.stderr).decode("latin-1"))
        if done.returncode not in (0, 1, 65) or (done.returncode == 0) == bool(done.stderr):
            yield f"{name!r}: {done.returncode} {done.stderr[:300]}"
        shown += done.returncode == 0
    if shown < count // 2:
        yield f"only {shown} of {len(names)} were shown"
    report = json.loads(run(programs, "--json", "survey", "show", path, "domain-1.example"))
    if report["key"] != "domain-1.example" or len(report["seen"]) < 1 or "valid_for_s" in report or report["recorded"]["weight"] < 1:
        yield f"{report}"


def page_faults(path):
    text = path.read_text(encoding="ascii")
    if text.count("<script") != 1 or text.count("<style") != 1 or re.search(r"[^ -~\n]", text):
        yield "something of the file is markup"


# ---- what cannot be written ----


def refused(programs, status, why, *words, **options):
    done = subprocess.run([programs / "mxcrypt", "-c", "/dev/null", *words], stderr=subprocess.PIPE, timeout=60, **options)
    if done.returncode != status or why not in done.stderr:
        yield f"{words}: {done.returncode} {done.stderr[:300]}"


def writing_faults(programs, folder):
    """A results file is never overwritten by its page; a disk that is full is an error, and leaves nothing half-made."""
    file, link, out = folder / "full.db", folder / "full-link.db", folder / "merged.db"
    before = file.read_bytes()
    link.unlink(missing_ok=True)
    link.hardlink_to(file)
    for words in (("report", file), ("report", link), ("diff", file, folder / "later.db"), ("diff", folder / "later.db", file)):
        yield from refused(programs, 64, b"would take the place of", "survey", *words, "--html", file)
    if file.read_bytes() != before:
        yield "the results file was overwritten"
    name = "domain-1.example"
    with open("/dev/full", "wb") as full:
        for words in (("report", file), ("status", file), ("export", file), ("show", file, name), ("diff", file, file)):
            yield from refused(programs, 73, b"No space left", "survey", *words, stdout=full)
            if words[0] != "export":
                yield from refused(programs, 73, b"No space left", "--json", "survey", *words, stdout=full)
    for octets in (4096, 40960, len(before) // 2):
        yield from refused(programs, 73, b"merged.db: ", "survey", "merge", out, file, folder / "later.db",
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets)))
        yield from (f"{octets} octets: {path} is left" for path in folder.glob("merged.db*"))


# ---- the pages in the browser ----


def check_views(results, window, kind, looks, page, path, out, flows=None):
    for name in looks:
        with window.open(path, **pictures.LOOKS[name]) as tab:
            tab.picture(out / f"survey-{kind}-{name}.png")
            results.check(f"{kind}, {name}: whole, legible, and by itself", pictures.look_faults(tab))
            results.check(f"{kind}, {name}: the numbers are the JSON's", number_faults(page, tab.run(NUMBERS)))
            if flows is not None:
                results.check(f"{kind}, {name}: the matrix has the flows", flow_faults(page, tab.run(FLOWS)))
    if len(looks) < len(pictures.LOOKS):
        return
    with window.open(path, script=False) as tab:
        results.check(f"{kind}, without script: the same numbers", [*pictures.look_faults(tab), *number_faults(page, tab.run(NUMBERS))])


def flow_faults(page, cells):
    want = {(row["was"], row["now"]): row["domains"] for row in page["flows"]}
    found = {(was, now): number for was, now, number in cells if number}
    if want != found:
        yield f"{found}, not {want}"


def check_report(results, window, programs, kind, folder):
    path, sheet = folder / f"{kind}.db", folder / f"{kind}.html"
    page = json.loads(run(programs, "--json", "survey", "report", path))
    run(programs, "survey", "report", path, "--html", sheet)
    if kind != "evil":
        results.check(f"{kind}: the JSON follows its schema", schema_faults(page))
    results.check(f"{kind}: shares and intervals", [*share_faults(page), *interval_faults(page)])
    if kind != "evil":  # SQLite's texts are not escaped
        results.check(f"{kind}: the SELECTs of the manual give the figures", select_faults(page, selects("FIGURES"), path))
    results.check(f"{kind}: text", text_faults(run(programs, "survey", "report", path, text=True)))
    results.check(f"{kind}: status", text_faults(run(programs, "survey", "status", path, text=True)))
    results.check(f"{kind}: nothing of the file is markup", page_faults(sheet))
    check_views(results, window, kind, FILES[kind][1], page, sheet, folder)
    for table, count in (("domains", page["totals"]["domains"]), ("hosts", page["totals"]["hosts"]), ("addresses", None)):
        rows = sqlite3.connect(path).execute("SELECT count(*) FROM host_address").fetchone()[0] if count is None else count
        results.check(f"{kind}: {table} exported", export_faults(programs, path, table, rows))


def check_diff(results, window, programs, kind, now, was, folder):
    old, new, sheet = folder / f"{was}.db", folder / f"{now}.db", folder / f"{kind}.html"
    page = json.loads(run(programs, "--json", "survey", "diff", old, new))
    run(programs, "survey", "diff", old, new, "--html", sheet)
    if kind == "diff":
        results.check(f"{kind}: the JSON follows its schema", schema_faults(page))
        results.check(f"{kind}: the SELECTs of the manual give the figures", select_faults(page, selects("CHANGES"), new, old))
    results.check(f"{kind}: text", text_faults(run(programs, "survey", "diff", old, new, text=True)))
    results.check(f"{kind}: nothing of the files is markup", page_faults(sheet))
    check_views(results, window, kind, tuple(pictures.LOOKS) if kind == "diff" else SOME, page, sheet, folder, page["flows"] if kind == "diff" else None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "build" / "pages")
    options = parser.parse_args()
    programs, folder = options.bin.resolve(), options.out / "survey"
    folder.mkdir(parents=True, exist_ok=True)
    results = pictures.Results()
    try:
        for kind, (arguments, _) in FILES.items():
            survey_make.make(folder / f"{kind}.db", **arguments)
        results.check("the manual has the tables", table_faults())
        results.check("what the fuzzer begins with is a results file", refused(programs, 0, b"", "survey", "status", SEED, stdout=subprocess.DEVNULL))
        results.check("the examples of the manual", example_faults(folder / "full.db"))
        with browser.Browser() as window:
            for kind in FILES:
                check_report(results, window, programs, kind, folder)
            for kind, count in (("full", 40), ("evil", 30)):
                results.check(f"{kind}: domains shown", show_faults(programs, folder / f"{kind}.db", count))
            results.check("what cannot be written", writing_faults(programs, folder))
            check_diff(results, window, programs, "diff", "later", "full", folder)
            check_diff(results, window, programs, "evil diff", "evil", "full", folder)
            results.check("the definitions of the manual are the page's", definition_faults(folder / "full.html"))
            results.check("an injected script does not run", pictures.injection_faults(window, folder / "evil.html", folder))
    except Exception:  # a browser that died is one failure, with its story
        results.check("the pages were looked at", traceback.format_exc().splitlines())
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
