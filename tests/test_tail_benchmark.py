"""The benchmark of the methods for the tail: its arithmetic, and a run of it on a small book."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.tails import Wish, _verdict, compare, words
from outputs import estimators
from outputs.estimators import draw_up_sample
from simulator.engine import RunSize

WISH = Wish("tail", None, 60, 6, 2_000, 600, 4, 0.99)


def test_time_for_equal_error() -> None:
    """Plain: 100 s for an error e. The method: 2 s, of which 0.5 for the pilot, for errors of 1.5 e."""
    random = np.random.default_rng(1)
    losses = random.exponential(size=4_000)
    plain = estimators.expected_shortfall(draw_up_sample(losses), 0.99)
    spread = 1.5 * plain.standard_error
    values = plain.value + spread * np.array([-1.0, -0.5, 0.5, 1.0]) / np.std([-1.0, -0.5, 0.5, 1.0], ddof=1)
    runs = np.column_stack((values, np.full(4, spread), np.full(4, 2.0), np.full(4, 0.5)))
    found = _verdict(losses, 100.0, runs, WISH, 50.0)
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
    slow, off = _verdict(losses, 100.0, runs, WISH, 100.0).failures()
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
