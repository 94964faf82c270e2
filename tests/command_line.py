"""The command line as tests use it: `carstress(...)` runs a command in this process, so that kernels compile once."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import cli

COMMAND = [sys.executable, "-m", "cli"]
"""The command as a process of its own."""

SMALL_STUDY = """\
kind: study
name: small
portfolio:
  synthetic: {parameters: us_near_prime, loans: 200, seed: 1, as_of: 2024-12-31}
parameters: us_near_prime
scenarios: [baseline, severely_adverse]
paths: 100
months: 6
seed: 7
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON; NaN and infinity, which JSON does not know, fail the test."""
        return json.loads(self.out, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} stands in JSON")


def carstress(*words: str | Path) -> Answer:
    """Run `carstress WORDS...` through its entry point, in the working folder."""
    arguments = ["carstress", *map(str, words)]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with patch.object(sys, "argv", arguments), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int), f"exit code {code!r}"
    return Answer(code, out.getvalue(), err.getvalue())


def environment(**changes: str) -> dict[str, str]:
    """Environment of a process that finds the code under test from any folder."""
    return {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent), **changes}


def process(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `carstress WORDS...` as a process of its own."""
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)


def study_file(folder: Path, text: str = SMALL_STUDY, name: str = "study.yaml") -> Path:
    """A study in a folder; its name as the working folder sees it."""
    (folder / name).write_text(text, encoding="utf-8")
    return Path(name)


def files_below(folder: Path) -> dict[str, bytes]:
    """Content by relative name of every file of a folder, hidden ones included."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
