"""Citations that lead nowhere: code, tests and documents name docs/verdicts.md, docs/postfix.md and docs/conformance.md by
section, fact or row, and tests/world/rows.txt lists every row. Prints each fault; exit status 1 when there is one."""

import pathlib
import re
import sys

PATTERNS = ("*.[ch]", "*.py", "*.sh", "*.md", "*.txt", "*.[158]")
ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = re.compile(r"docs/[a-z-]+\.(?:md|\d|png)\b")
LINK = re.compile(r"\]\(([a-z-]+\.md)\)")
SECTIONS = re.compile(r"verdicts\.md((?:,? (?:and )?§\d+)+)")
FACT = re.compile(r"postfix\.md,? facts? (\d+)")
HEADING = re.compile(r"postfix\.md, ([A-Z][A-Za-z]+)")
ROWS = re.compile(r"conformance\.md((?:,? (?:and |to )?(?:[A-J](?:-\d+)?\b|hostile \d+|\d+\b))+)")
ROW = re.compile(r"(?<![\w-])([A-J]-\d+)(?![\w-])|\bhostile[ -](\d+)|((?<=, )|(?<= to )|(?<= and ))(\d+)\b")
BARE = re.compile(r"(?<![\w.%-])([A-J]-\d{1,2})(?![\w.-])|\bhostile (\d+)")
OLD = re.compile(r"\b(?:VERDICTS|CONFORMANCE)\b|\bPOSTFIX\.md")


def sources():
    """Every text of the project that may cite; a tree without git has them too."""
    found = [path for pattern in PATTERNS for path in ROOT.rglob(pattern)]
    inside = [path.relative_to(ROOT) for path in found if path.is_file()]
    return sorted(str(path) for path in inside if not path.parts[0].startswith(("build", "obj-", ".")))


def text_of(path):
    """A file's text, each comment on one line."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.sub(r"[ \t]*\n[ \t]*(?:\*|//|#)?[ \t]*", " ", text)


def rows_of_document():
    text = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^- \*\*([A-J]-\d+)\*\*", text, re.M)
    return rows + [f"hostile-{number}" for number in re.findall(r"^\| (\d+) \|", text, re.M)]


def cited_rows(text):
    """Rows that the text cites, and sections as "A"."""
    for found in ROWS.findall(text):
        yield from re.findall(r"(?<![\w-])([A-J])(?![\w-])", found)
        for row, hostile, _, more in ROW.findall(found):
            yield row or f"hostile-{hostile or more}"
    for row, hostile in BARE.findall(text):
        yield row or f"hostile-{hostile}"


def faults_of(path, known, sections, headings):
    text = text_of(path)
    for name in DOCUMENT.findall(text):
        if not (ROOT / name).exists():
            yield f"{name}: no such document"
    for name in LINK.findall(text):
        if not (ROOT / path).parent.joinpath(name).exists():
            yield f"{name}: no such document"
    for found in SECTIONS.findall(text):
        for number in set(re.findall(r"\d+", found)) - sections:
            yield f"verdicts.md §{number}: no such section"
    for number in FACT.findall(text):
        if not 1 <= int(number) <= 10:
            yield f"postfix.md fact {number}: no such fact"
    for word in HEADING.findall(text):
        if word not in headings:
            yield f"postfix.md, {word}: no such section"
    for row in cited_rows(text):
        if row not in known:
            yield f"conformance.md {row}: no such row"
    for word in OLD.findall(text):
        yield f"{word}: documents are cited as docs/verdicts.md, docs/postfix.md, docs/conformance.md"


def main():
    rows = rows_of_document()
    verdicts = (ROOT / "docs/verdicts.md").read_text(encoding="utf-8")
    postfix = (ROOT / "docs/postfix.md").read_text(encoding="utf-8")
    known = set(rows) | {row.split("-")[0] for row in rows}
    sections = set(re.findall(r"^## (\d+)\.", verdicts, re.M))
    headings = set(re.findall(r"^##+ (\w+)", postfix, re.M))
    listed = [line.split()[0] for line in (ROOT / "tests/world/rows.txt").read_text(encoding="ascii").splitlines()
              if line and not line.startswith("#")]
    files = sources()
    faults = [f"{path}: {fault}" for path in files if path != "tests/citations.py" and (ROOT / path).exists()
              for fault in faults_of(path, known, sections, headings)]
    faults += [f"tests/world/rows.txt: {row} is no row of docs/conformance.md" for row in listed if row not in rows]
    faults += [f"docs/conformance.md: tests/world/rows.txt does not list {row}" for row in rows if row not in listed]
    faults += [f"docs/conformance.md: {row} stands there twice" for row in sorted({row for row in rows if rows.count(row) > 1})]
    print("\n".join(faults) if faults else f"{len(files)} files, {len(rows)} rows")
    return 1 if faults else 0


sys.exit(main())
