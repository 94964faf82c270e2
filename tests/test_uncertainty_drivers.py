"""Which parameters stand out from chance: the largest of many correlations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outputs.uncertainty import largest_by_chance


def test_largest_correlation_by_chance_known_answer() -> None:
    """Tables of Pearson's r, two-sided: .632 at 5 % and .765 at 1 %, that is of five, with eight degrees of freedom."""
    assert largest_by_chance(1, 10) == pytest.approx(0.632, abs=5e-4)
    assert largest_by_chance(5, 10) == pytest.approx(0.765, abs=5e-4)
    # All six in one order comes by chance once in 360: of twenty parameters in one study of eighteen.
    assert [largest_by_chance(20, draws) for draws in (2, 3, 4, 5, 6)] == [1.0] * 5
    assert largest_by_chance(20, 7) < 1.0
    assert largest_by_chance(20, 10_000) < 0.04


def test_idle_parameters_seldom_stand_out() -> None:
    """Some parameter of 20 does in at most 5 % of 1,000 studies, plus four standard errors of that share.

    A false alarm in fewer than 1 of 10,000 seeds; the lower bound sees a threshold that is never passed.
    """
    random = np.random.default_rng(6)
    ranks = random.random((1_000, 21, 20)).argsort(axis=2).astype(float)
    centered = ranks - ranks.mean(axis=2, keepdims=True)
    found = np.abs(np.einsum("sd,spd->sp", centered[:, 0], centered[:, 1:])) / (centered[0, 0] @ centered[0, 0])
    alarms = float((found.max(axis=1) > largest_by_chance(20, 20)).mean())
    assert 0.02 < alarms < 0.05 + 4.0 * math.sqrt(0.05 * 0.95 / 1_000)
