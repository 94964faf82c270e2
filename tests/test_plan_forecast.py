"""`carstress plan` forecasts what a run takes, and `carstress run` refuses one that would not fit."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command_line import COMMAND, SMALL_STUDY, carstress
from outputs.store import read_results
from simulator.shapes import Shape, bytes_of

WITHIN = 0.20
"""How far a forecast of memory may be from what a run takes."""

WIDE = SMALL_STUDY.replace("loans: 200", "loans: 1000").replace("paths: 100", "paths: 20000")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(SMALL_STUDY, "utf-8")
    return tmp_path


def test_plan_says_what_a_run_takes_and_keeps_nothing(here: Path) -> None:
    answer = carstress("plan", "study.yaml")
    assert answer.code == 0
    for words in ("Plan of small", "loans", "paths", "minutes to", "memory at the peak", "results (Dataset)", "files"):
        assert words.replace("minutes to", "time") in answer.out
    assert answer.out.rstrip().endswith("The run fits.")
    assert [path.name for path in here.iterdir()] == ["study.yaml"]


def test_plan_as_json_counts_runs_bytes_and_minutes(here: Path) -> None:
    document = carstress("plan", "study.yaml", "--paths", "40", "--threads", "1", "--json").document
    assert (document["loans"], document["paths"], document["months"], document["threads"]) == (200, 40, 6, 1)
    assert document["runs"]["baseline"] == document["runs"]["severely_adverse"] == 40
    assert 0 < document["minutes_low"] <= document["minutes"] <= document["minutes_high"]
    memory = document["memory"]
    parts = memory["program_bytes"] + memory["dataset_bytes"] + memory["working_bytes"]
    assert memory["total_bytes"] == pytest.approx(parts, rel=0.01)
    assert document["fits"] is True
    assert document["faults"] == []


def test_a_path_takes_what_its_variables_hold(here: Path) -> None:
    """Bytes a path: the variables with the dim `path`, and a little for its coordinates and the further runs."""
    assert carstress("run", "study.yaml", "-q").code == 0
    results = read_results(here / "runs" / "small")
    by_path = sum(variable.nbytes for variable in results.data_vars.values() if "path" in variable.dims)
    planned = carstress("plan", "study.yaml", "--json").document["memory"]["bytes_a_path"]
    held = by_path / results.sizes["path"]
    assert held <= planned <= 1.1 * held


@pytest.mark.parametrize("limit", ["100MB", "50MiB"])
def test_a_run_that_does_not_fit_is_refused_before_it_starts(here: Path, limit: str) -> None:
    answer = carstress("run", "study.yaml", "--memory-limit", limit)
    assert (answer.code, answer.out) == (3, "")
    assert "study.yaml:7:8: a run that takes" in answer.err
    assert "of memory at its peak" in answer.err
    assert "the limit that was set" in answer.err
    assert [path.name for path in here.iterdir()] == ["study.yaml"]
    assert carstress("run", "study.yaml", "--memory-limit", "none", "-q").code == 0


def test_a_limit_without_a_unit_that_is_known_is_a_usage_error(here: Path) -> None:
    answer = carstress("plan", "study.yaml", "--memory-limit", "4 boxes")
    assert answer.code == 2
    assert "4 boxes" in answer.err
    assert [path.name for path in here.iterdir()] == ["study.yaml"]


def test_memory_is_forecast_within_a_fifth(here: Path) -> None:
    """Peak memory of a process of its own, the results' arrays being a good part of it."""
    (here / "wide.yaml").write_text(WIDE, "utf-8")
    once = {**os.environ, "CARSTRESS_KERNEL_CACHE": "1", "XDG_CACHE_HOME": str(here / "cache")}
    plan = [*COMMAND, "plan", "wide.yaml", "--json"]
    planned = subprocess.run(plan, capture_output=True, text=True, check=True, env=once)
    watched = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    run = [sys.executable, "-c", watched, *COMMAND, "run", "wide.yaml", "-q"]
    told = subprocess.run(run, capture_output=True, text=True, check=True, env=once)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = int(told.stdout.split()[-1]) * unit
    forecast = json.loads(planned.stdout)["memory"]["total_bytes"]
    assert peak > resource.getpagesize()
    assert forecast == pytest.approx(peak, rel=WITHIN)


def test_shapes_are_what_is_made() -> None:
    shape = Shape((3, 4), np.int32, 2.0)
    assert (shape.nbytes, shape.filled().nbytes) == (48, 48)
    assert shape.leading(5).sizes == (5, 3, 4)
    assert bytes_of({"one": shape, "other": Shape((2,))}) == 48 + 16
