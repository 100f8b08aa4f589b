#!/usr/bin/python3
"""The pages of mxcrypt check: check_pages.py --bin DIR [--out DIR]

tests/pages/check_writer.c makes up checks: a sound domain, one with mistakes, one whose every word is a stranger's, one with more findings
than a report holds, and one of which nothing is known. The JSON follows docs/check.schema.json, text and the line for Nagios say the same
as it does, nothing but printable ASCII comes through, and the text fits a terminal of 80 columns. The pages are kept in --out,
build/pages/check by default."""

import argparse
import json
import pathlib
import re
import subprocess
import sys

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "pages")]
import pictures  # noqa: E402

SCHEMA = HERE.parent / "docs" / "check.schema.json"
CHECKS = {"sound": 0, "mistakes": 2, "hostile": 2, "many": 1, "bare": 3}
COLUMNS = 80
NAGIOS = re.compile(r"MXCRYPT (OK|WARNING|CRITICAL|UNKNOWN) - (\S+): ([^|]*) \|( days_to_expiry=(-?\d+);14:;3:)? findings=(\d+)\n")


def schema_faults(page):
    schema = json.loads(SCHEMA.read_text(encoding="ascii"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for error in jsonschema.Draft202012Validator(pictures.strict(schema)).iter_errors(page):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def report_faults(name, page):
    if page["exit"] != CHECKS[name]:
        yield f"exit {page['exit']}, not {CHECKS[name]}"
    found = [finding["severity"] for finding in page["findings"]]
    if page["counts"] != {severity: found.count(severity) for severity in page["counts"]}:
        yield f"counts: {page['counts']}"
    if found != sorted(found, key=["critical", "unknown", "warning", "notice"].index):
        yield f"order: {found}"
    if name == "many" and (len(found) != 400 or page["dropped"] != 50):
        yield f"{len(found)} findings, {page['dropped']} dropped"


def text_faults(text, page, quiet):
    for line in text.splitlines():
        if len(line) > COLUMNS and " " in line.strip():
            yield f"{len(line)} columns: {line[:120]}"
    if re.search(r"[^\n -~]", text):
        yield "not printable"
    plain = " ".join(text.split())
    for finding in page["findings"]:
        for member in ("code", "where", "evidence", "fix"):
            if " ".join(finding[member].split()) not in plain:
                yield f"without {finding[member]}"
    if quiet != ("What senders do" not in text):
        yield "quiet tells more than findings" if quiet else "no senders"
    if quiet and not page["findings"] and text:
        yield "quiet tells something where nothing was found"


def nagios_faults(line, page):
    match = NAGIOS.fullmatch(line)
    if match is None:
        yield f"not of its form: {line[:200]}"
        return
    status, _, text, _, days, count = match.groups()
    if status.lower() != page["status"]:
        yield f"{status}, not {page['status']}"
    if days != (None if page["days_to_expiry"] is None else str(page["days_to_expiry"])):
        yield f"{days} days, not {page['days_to_expiry']}"
    if int(count) != len(page["findings"]) + page["dropped"]:
        yield f"{count} findings"
    if page["findings"] and page["findings"][0]["code"] not in text:
        yield "without the worst"
    if re.search(r"[^\n -~]", line):
        yield "not printable"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "build" / "pages" / "check")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    subprocess.run([options.bin / "check_writer", options.out], check=True, timeout=120)
    report = pictures.Results()
    for name in CHECKS:
        read = {end: (options.out / f"{name}.{end}").read_bytes().decode("ascii") for end in ("txt", "quiet", "json", "nagios")}
        page = json.loads(read["json"])
        report.check(f"{name}: the JSON follows its schema", schema_faults(page))
        report.check(f"{name}: the report", report_faults(name, page))
        report.check(f"{name}: the text", text_faults(read["txt"], page, False))
        report.check(f"{name}: the quiet text", text_faults(read["quiet"], page, True))
        report.check(f"{name}: the line for Nagios", nagios_faults(read["nagios"], page))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
