"""Puts the tests' world and what the benchmarks share on Python's path: import it first."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [HERE, os.path.join(HERE, os.pardir, "bench"), os.path.join(HERE, os.pardir, "world")]

import rooms  # noqa: E402 F401
