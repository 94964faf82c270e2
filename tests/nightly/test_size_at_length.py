"""A million loans: forecast memory, and an interrupt that is heard whatever goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from command_line import COMMAND, SMALL_STUDY, environment, files_below, study_file
from measured_runs import MEMORY_BAND, kernels_on_disk, measured

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(sys.platform == "win32", reason="signals and rusage of POSIX")]

GIB = 1 << 30
MOST = 4 * GIB
"""Memory that a million loans on a thousand paths over 36 months may take, on two threads."""

MILLION = (
    SMALL_STUDY.replace("loans: 200", "loans: 1000000")
    .replace("months: 6", "months: 36")
    .replace("[baseline, severely_adverse]", "[baseline]")
)

PROMPT_SECONDS = 2.0
"""Within which an interrupt is answered."""

DELAYS = (2.0, 5.0, 8.0, 11.0, 15.0, 20.0, 26.0)
"""Seconds after the start: while the book is drawn, arranged, simulated."""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return kernels_on_disk(tmp_path_factory.mktemp("kernels"))


def test_a_million_loans_take_what_their_plan_says(tmp_path: Path, kernels: dict[str, str]) -> None:
    study_file(tmp_path, MILLION)
    words = ["study.yaml", "--threads", "2", "--json"]
    full = json.loads(measured(["plan", *words, "--paths", "1000"], tmp_path, kernels)[0])
    assert full["memory"]["total_bytes"] < MOST
    few = json.loads(measured(["plan", *words, "--paths", "4"], tmp_path, kernels)[0])
    _, peak = measured(["run", *words, "--paths", "4", "--out", "r"], tmp_path, kernels)
    assert few["memory"]["total_bytes"] == pytest.approx(peak, rel=MEMORY_BAND)
    # What the other 996 paths add is their Dataset and a little of it for tables.
    added = full["memory"]["total_bytes"] - few["memory"]["total_bytes"]
    assert added < 1.2 * 996 * full["memory"]["bytes_a_path"]


@pytest.mark.parametrize("delay", DELAYS)
def test_an_interrupt_is_heard_in_the_midst_of_a_million_loans(
    tmp_path: Path, kernels: Mapping[str, str], delay: float
) -> None:
    study_file(tmp_path, MILLION)
    command = [*COMMAND, "run", "study.yaml", "--paths", "2000", "--threads", "2", "--out", "r"]
    running = subprocess.Popen(
        command, cwd=tmp_path, env=environment(**{**kernels, "TMPDIR": str(tmp_path)}), stderr=subprocess.PIPE
    )
    time.sleep(delay)
    start = time.monotonic()
    os.kill(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, time.monotonic() - start < PROMPT_SECONDS) == (130, True)
    assert err.decode().endswith("Interrupted; nothing was left half-written.\n")
    assert set(files_below(tmp_path)) == {"study.yaml"}
