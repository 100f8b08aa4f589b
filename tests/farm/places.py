"""Puts the tests' world, and what the proofs of surveys and the benchmarks share, on Python's path: import it first."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [HERE, *(os.path.join(HERE, os.pardir, room) for room in ("survey", "bench", "world"))]

import rooms  # noqa: E402 F401
