#!/usr/bin/env python3
"""Plant wrong models one at a time and see whether the tests notice: `python tests/planted_errors.py`.

Each error of `planted_models.ERRORS` replaces one piece of one source file in a copy of the checkout; then the test
files that speak of the model run there, those named with the error first, until one fails.  Left out are tests that
compare files or digests of the sources, and packaging: they would notice any change at all.

Exit code 0: at least `NEEDED` were caught.  The table on standard output names for each error the test that caught it;
survivors stand there with the reason why nobody can notice, or should.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from planted_models import ERRORS, Planted, planted_text

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("scenarios", "simulator", "calibration", "outputs", "tests", "docs")
FILES = ("cli.py", "pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "constraints.txt")

NEEDED = 28
"""Errors that must be caught, of 30 or more."""

MODEL_TESTS = (
    "test_kernels_*.py",
    "test_engine_*.py",
    "test_collections_effects.py",
    "test_collections_mean.py",
    "test_collections_pools.py",
    "test_targets.py",
    "test_seasoned.py",
    "test_correlation.py",
    "test_parameters.py",
    "test_measures.py",
    "test_macro.py",
    "test_stages.py",
    "test_economics.py",
    "test_capital.py",
    "test_tail_proposal.py",
    "test_tail_study.py",
)
"""Tests of the model, cheapest first; none of them holds a golden file or a digest of sources."""

FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def copy_of_the_checkout(folder: Path) -> Path:
    """The rooms and their tests in a folder of their own."""
    place = folder / "planted"
    for room in ROOMS:
        shutil.copytree(ROOT / room, place / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy2(ROOT / name, place / name)
    return place


def files_to_run(place: Path, error: Planted) -> list[str]:
    """Test files, those that the error names first."""
    found = [path.name for pattern in MODEL_TESTS for path in sorted((place / "tests").glob(pattern))]
    first = [name for name in error.first if name in found]
    return [f"tests/{name}" for name in dict.fromkeys([*first, *found])]


def caught_by(place: Path, error: Planted) -> str:
    """Name of the first test that fails with the error planted, or nothing."""
    path = place / error.file
    sound = path.read_text("utf-8")
    path.write_text(planted_text(error, sound), "utf-8")
    # PYTHONPATH: the copy is tested, whatever is installed.
    environment = {**os.environ, "PYTHONPATH": str(place)}
    try:
        for name in files_to_run(place, error):
            run = subprocess.run(
                [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", name],
                cwd=place, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if run.returncode not in (0, 5):
                failed = FAILED.search(run.stdout)
                return failed.group(1) if failed else f"{name}: exit {run.returncode}"
    finally:
        path.write_text(sound, "utf-8")
    return ""


def main() -> int:
    """Plant what was asked for, print the table, and say whether enough were caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="name of an error; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the errors and end")
    asked = parser.parse_args()
    chosen = [error for error in ERRORS if not asked.only or error.name in asked.only]
    if asked.list:
        for error in chosen:
            print(f"{error.name:32} {error.file:36} {error.what}")
        return 0
    caught = 0
    with tempfile.TemporaryDirectory() as folder:
        place = copy_of_the_checkout(Path(folder))
        for error in chosen:
            started = time.monotonic()
            by = caught_by(place, error)
            caught += bool(by)
            verdict = f"caught by {by}" if by else f"SURVIVES: {error.why_it_survives or 'not explained'}"
            print(f"{error.name:32} {time.monotonic() - started:5.0f} s  {verdict}", flush=True)
    needed = min(NEEDED, len(chosen))
    print(f"{caught} of {len(chosen)} planted errors caught; at least {needed} expected")
    return 0 if caught >= needed else 1


if __name__ == "__main__":
    sys.exit(main())
