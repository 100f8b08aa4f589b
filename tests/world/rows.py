"""Which rows of the conformance list are covered, and by what: rows.txt is the list, the cases are the proof."""

import os

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT = os.path.join(HERE, "..", "unit")


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
    return row in in_cases or any(os.path.exists(os.path.join(UNIT, f"{unit}.c")) for unit in units)


def summary(cases):
    in_cases = {row for one in cases for row in one.entry.rows}
    listed = read()
    unlisted = sorted(in_cases - set(listed))
    sections = dict.fromkeys(row.split("-")[0] for row in listed)
    print("rows of CONFORMANCE.md in reach, covered by a case here or a unit table:")
    for section in sections:
        mine = {row: where for row, where in listed.items() if row.split("-")[0] == section}
        later = [row for row, where in mine.items() if where.startswith("later")]
        open_rows = [row for row, where in mine.items() if row not in later and not proven(row, where, in_cases)]
        reach = len(mine) - len(later)
        print(f"  {section}: {reach - len(open_rows)} of {reach}" + (f", later: {' '.join(later)}" if later else "")
              + (f", not covered: {' '.join(open_rows)}" if open_rows else ""))
    if unlisted:
        print(f"  rows that rows.txt does not list: {' '.join(unlisted)}")
