"""The benchmark of the methods for the tail: its arithmetic, and a run of it on a small book."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from benchmarks.tails import Verdict, Wish, _plain_of, _verdict, compare, tails, words
from outputs import estimators
from outputs.estimators import draw_up_sample
from scenarios.errors import InputError
from simulator.engine import RunSize

Floats = NDArray[np.float64]

WISH = Wish("tail", None, 60, 6, 2_000, 600, 4, 0.99)


def judged(losses: Floats, seconds: float, runs: Floats, opening: float) -> Verdict:
    """A method's runs beside plain losses."""
    return _verdict(_plain_of(losses, seconds, WISH.level, opening), runs, opening)


def test_time_for_equal_error() -> None:
    """Plain: 100 s for an error e. The method: 2 s, of which 0.5 for the pilot, for errors of 1.5 e."""
    random = np.random.default_rng(1)
    losses = random.exponential(size=4_000)
    plain = estimators.expected_shortfall(draw_up_sample(losses), 0.99)
    spread = 1.5 * plain.standard_error
    values = plain.value + spread * np.array([-1.0, -0.5, 0.5, 1.0]) / np.std([-1.0, -0.5, 0.5, 1.0], ddof=1)
    runs = np.column_stack((values, np.full(4, spread), np.full(4, 2.0), np.full(4, 0.5)))
    found = judged(losses, 100.0, runs, 50.0)
    assert found.ratio == pytest.approx(100.0 / (2.0 * 1.5**2))
    assert found.ratio_low < found.ratio < found.ratio_high
    assert found.plain.value == pytest.approx(2.0 * plain.value)
    assert (found.bias, found.pilot_seconds) == (pytest.approx(0.0, abs=1e-12), 0.5)
    half = 2.0 * estimators.Z * math.hypot(plain.standard_error, spread / 2.0)
    assert found.bias_high == pytest.approx(half)
    assert found.failures() == []
    assert found.plain_error_by_parts == pytest.approx(found.plain.error, rel=0.6)


def test_what_is_demanded_and_missing_is_said() -> None:
    losses = np.random.default_rng(1).exponential(size=4_000)
    runs = np.column_stack((np.array([9.0, 9.1, 9.2, 9.1]), np.full(4, 0.1), np.full(4, 90.0), np.full(4, 1.0)))
    slow, off = judged(losses, 100.0, runs, 100.0).failures()
    assert "times less time for equal error; at least 20 are demanded" in slow
    assert "the method is off by " in off


def test_a_small_run() -> None:
    heard: list[tuple[str, int]] = []
    found = compare(WISH, RunSize(threads=1), lambda name, done: heard.append((name, done)))
    assert heard == [("plain paths", 2_000), *(("seeds", seed) for seed in (1, 2, 3, 4))]
    assert found.plain.value > 0.0
    assert 0.0 < found.pilot_seconds < found.method.seconds
    assert abs(found.bias) < 6.0 * math.hypot(found.plain.error, found.method.error)
    text = words(found, WISH)
    assert "Time for equal error: " in text
    assert "method, one of 4 seeds" in text


def nobody(name: str, done: int) -> None:
    """Hears of progress and does nothing."""


def test_the_plain_run_of_an_earlier_json_is_taken_and_timed_again(tmp_path: Path) -> None:
    first = compare(WISH, RunSize(threads=1), nobody)
    told = {**asdict(first), "wish": asdict(WISH)}
    told["plain"] = {**told["plain"], "value": 12.5, "seconds": 1e6}
    file = tmp_path / "plain.json"
    file.write_text(json.dumps(told), "utf-8")
    again = compare(replace(WISH, method="shifted", paths=500), RunSize(threads=1), nobody, file)
    assert (again.plain.value, again.plain.error) == (12.5, first.plain.error)
    assert again.plain_error_by_parts == first.plain_error_by_parts
    assert again.plain.seconds < 1e3
    assert again.bias == again.method.value - 12.5
    assert again.method.value != first.method.value


@pytest.mark.parametrize(
    ("text", "words_of_it"),
    [
        ("nothing", "no plain run; expected what --json of this benchmark prints. Make one without --plain-from."),
        ('{"plain": {"value": 1.0}}', "no plain run; expected"),
        (
            json.dumps(
                {
                    "plain": {"value": 1.0, "error": 0.1, "seconds": 1.0},
                    "plain_error_by_parts": 0.1,
                    "wish": {**asdict(WISH), "loans": 70, "level": 0.999},
                }
            ),
            "wish.loans = 70; expected 60. Ask for the same plain run.",
        ),
    ],
)
def test_a_plain_run_that_is_none_or_another_is_refused(tmp_path: Path, text: str, words_of_it: str) -> None:
    file = tmp_path / "plain.json"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"plain\.json: ") as refused:
        compare(WISH, RunSize(threads=1), nobody, file)
    assert words_of_it in str(refused.value)


def test_paths_that_leave_sobol_points_unbalanced_are_refused() -> None:
    with pytest.raises(InputError, match=r"--paths: paths = 600 with 16 scrambles of Sobol points; expected"):
        compare(replace(WISH, method="shifted_sobol"), RunSize(threads=1), nobody)


def test_the_command_prints_its_verdict_as_json() -> None:
    given = ["--loans", "60", "--months", "6", "--plain-paths", "2000", "--paths", "512", "--seeds", "3"]
    found = CliRunner().invoke(tails, [*given, "--level", "0.99", "--method", "shifted_sobol", "--json"])
    told = json.loads(found.stdout)
    assert told["wish"]["method"] == "shifted_sobol"
    assert found.exit_code == (1 if told["failures"] else 0)
    assert told["ratio_low"] < told["ratio"] < told["ratio_high"]
