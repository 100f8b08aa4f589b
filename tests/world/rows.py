"""Which rows of the conformance list are covered, and by what: rows.txt is the list, the cases are the proof."""

import os
import pathlib

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT = pathlib.Path(HERE).parent / "unit"


def read():
    """row -> words after it."""
    found = {}
    with open(os.path.join(HERE, "rows.txt"), encoding="ascii") as file:
        for line in file:
            line = line.split("#", 1)[0].strip()
            if line:
                row, where = line.split(None, 1)
                found[row] = where
    return found


def proven(row, where, in_cases):
    """True when the row has a case here or a unit test that exists."""
    units = [word.removeprefix("unit:") for word in where.split() if word.startswith("unit:")]
    return row in in_cases or any(any(UNIT.rglob(f"{unit}.c")) for unit in units)


def summary(cases):
    in_cases = {row for one in cases for row in one.entry.rows}
    listed = read()
    unlisted = sorted(row for row in in_cases - set(listed) if "-" in row)
    sections = dict.fromkeys(row.split("-")[0] for row in listed)
    print("rows of docs/conformance.md in reach, covered by a case here or a unit table:")
    for section in sections:
        mine = {row: where for row, where in listed.items() if row.split("-")[0] == section}
        later = [row for row, where in mine.items() if where.startswith("later:")]
        nothing = [row for row, where in mine.items() if where.startswith("none:")]
        reach = [row for row in mine if row not in later and row not in nothing]
        missing = [row for row in reach if not proven(row, mine[row], in_cases)]
        notes = [f"{word}: {' '.join(found)}" for word, found in
                 (("later", later), ("nothing to ask", nothing), ("not covered", missing)) if found]
        print("; ".join([f"  {section}: {len(reach) - len(missing)} of {len(reach)}", *notes]))
    if unlisted:
        print(f"  rows that rows.txt does not list: {' '.join(unlisted)}")
