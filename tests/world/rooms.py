"""Puts the rooms of the tests' world on Python's path: import it before anything that is in one of them."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE / room) for room in ("parts", "cases/verdicts", "cases/memory", "cases/operator", "cases/farm")]
