"""What a borrower does in a month: equation (2), exactly, in the compiled kernels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2

from scenarios.vocabulary import (
    CHARGE_OFF,
    CHARGED_OFF,
    CURE,
    ENTER,
    MAX_BUCKET,
    PREPAID,
    PREPAY,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_PREPAY,
    ROLL,
)
from simulator.intensities import cause_classes, probabilities_from_intensities
from simulator.kernels.borrower import leave_arrears, leave_current, waiting_time
from simulator.kernels.random import event_uniform
from small_books import fixed_examples

NEUTRAL = np.ones(5)
SEED = np.uint64(20_250_101)

rates = st.floats(0.0, 4.0)
shares = st.floats(0.0, 1.0)
uniforms = st.floats(2.0**-33, 1.0 - 2.0**-33)


def exits(worst: int) -> list[int]:
    """Events by column of a row of intensities: buckets, charge-off, payoff."""
    return [*range(worst + 1), CHARGED_OFF, PREPAID]


# --- without arrears: one uniform -----------------------------------------------------------------------


def border(event: Callable[[float], bool]) -> float:
    """The u at which a monotone event changes from true to false, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if event(middle) else (low, middle)
    return high


@fixed_examples
@given(worse=rates, payoff=rates, direct=shares)
def test_parts_of_the_unit_interval_have_the_lengths_of_equation_2(worse: float, payoff: float, direct: float) -> None:
    assume(worse + payoff > 0.0)
    moves = 1.0 - math.exp(-worse - payoff)
    enters, leaves = worse / (worse + payoff) * moves, payoff / (worse + payoff) * moves

    def state(u: float) -> int:
        return leave_current(u, worse, payoff, direct)

    assert border(lambda u: state(u) == CHARGED_OFF) == pytest.approx(direct * enters, abs=1e-12)
    assert border(lambda u: state(u) in (CHARGED_OFF, 1)) == pytest.approx(enters, abs=1e-12)
    assert border(lambda u: state(u) != PREPAID) == pytest.approx(1.0 - leaves, abs=1e-12)


def test_competing_exponentials_of_a_loan_without_arrears() -> None:
    # Default .02, payoff .015 a month; the naive 1 - exp(-.02) = .0198013267 is wrong here.
    def charged_off(u: float) -> bool:
        return leave_current(u, 0.02, 0.015, 1.0) == CHARGED_OFF

    assert border(charged_off) == pytest.approx(0.0196540479, abs=5e-11)
    leaves = 1.0 - border(lambda u: leave_current(u, 0.02, 0.015, 1.0) != PREPAID)
    assert leaves == pytest.approx(0.0147405359, abs=5e-11)
    assert 1.0 - border(charged_off) - leaves == pytest.approx(0.9656054163, abs=5e-11)


@fixed_examples
@given(u=uniforms, worse=rates, payoff=rates, direct=shares, factor=st.floats(1.0, 3.0))
def test_a_larger_intensity_moves_the_same_loans_and_more(
    u: float, worse: float, payoff: float, direct: float, factor: float
) -> None:
    # Alone, a cause only gains loans as its intensity rises.
    if leave_current(u, worse, 0.0, direct) != 0:
        assert leave_current(u, worse * factor, 0.0, direct) != 0
    if leave_current(u, 0.0, payoff, direct) != 0:
        assert leave_current(u, 0.0, payoff * factor, direct) == PREPAID


@fixed_examples
@given(u=uniforms, worse=rates, payoff=rates, direct=shares)
def test_intensities_bound_the_probabilities(u: float, worse: float, payoff: float, direct: float) -> None:
    # What the dense pass relies on: between these bounds nothing can happen.
    if worse <= u <= 1.0 - payoff:
        assert leave_current(u, worse, payoff, direct) == 0


@fixed_examples
@given(u=uniforms)
def test_nothing_happens_at_intensity_0(u: float) -> None:
    assert leave_current(u, 0.0, 0.0, 0.0) == 0


# --- in arrears: one exponential a cause ---------------------------------------------------------------------


@st.composite
def arrears(draw: st.DrawFn) -> tuple[int, tuple[np.uint64, int, int, np.uint64], np.ndarray, np.ndarray]:
    """Bucket, address, row of intensities, multipliers by class."""
    worst = draw(st.integers(1, MAX_BUCKET))
    bucket = draw(st.integers(1, worst))
    row = np.array(
        draw(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 4.0)), min_size=worst + 3, max_size=worst + 3))
    )
    row[bucket] = 0.0
    multiplier = np.array(draw(st.lists(st.floats(0.1, 5.0), min_size=5, max_size=5)))
    entity, path, month = draw(st.integers(0, 2**63 - 1)), draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 1_224))
    return bucket, (np.uint64(entity), path, month, SEED), row, multiplier


def plain_waiting_times(bucket: int, address: tuple, row: np.ndarray, multiplier: np.ndarray) -> dict[int, float]:
    """E_k / lambda_k of every cause that can happen."""
    worst = row.size - 3
    classes = cause_classes(worst + 1)[bucket]
    purposes = [*(PURPOSE_BUCKET + target for target in range(worst + 1)), PURPOSE_CHARGE_OFF, PURPOSE_PREPAY]
    entity, path, month, seed = address
    waiting = {}
    for column, (event, purpose) in enumerate(zip(exits(worst), purposes, strict=True)):
        if row[column] > 0.0:
            u = event_uniform(entity, path, month, purpose, seed)
            waiting[event] = -math.log(u) / (row[column] * multiplier[classes[column]])
    return waiting


@fixed_examples
@given(arrears())
def test_the_shortest_waiting_time_wins_if_it_is_below_a_month(case: tuple) -> None:
    bucket, _, _, _ = case
    waiting = plain_waiting_times(*case)
    first = min(waiting, key=waiting.__getitem__, default=bucket)
    assert leave_arrears(*case) == (first if waiting.get(first, 1.0) < 1.0 else bucket)


@fixed_examples
@given(arrears(), st.integers(0, MAX_BUCKET + 2), st.floats(0.01, 5.0))
def test_another_cause_leaves_the_draws_of_the_others_alone(case: tuple, column: int, rate: float) -> None:
    bucket, address, row, multiplier = case
    assume(column < row.size and column != bucket and row[column] == 0.0)
    more = row.copy()
    more[column] = rate
    event = exits(row.size - 3)[column]
    assert leave_arrears(bucket, address, more, multiplier) in (leave_arrears(*case), event)


@fixed_examples
@given(arrears(), st.sampled_from([CURE, ROLL, CHARGE_OFF, PREPAY]), st.floats(1.0, 4.0))
def test_a_multiplier_moves_its_own_class_alone(case: tuple, cause: int, factor: float) -> None:
    bucket, address, row, multiplier = case
    before = leave_arrears(*case)
    raised = multiplier.copy()
    raised[cause] *= factor
    after = leave_arrears(bucket, address, row, raised)
    classes = dict(zip(exits(row.size - 3), cause_classes(row.size - 2)[bucket], strict=True))
    assert after == before or classes[after] == cause
    assert before == bucket or classes[before] != cause or after == before or classes[after] == cause


@fixed_examples
@given(arrears())
def test_the_class_of_entry_does_not_touch_arrears(case: tuple) -> None:
    bucket, address, row, multiplier = case
    other = multiplier.copy()
    other[ENTER] = 7.0
    assert leave_arrears(bucket, address, row, other) == leave_arrears(*case)


@fixed_examples
@given(u=uniforms, rate=st.floats(0.0, 50.0))
def test_waiting_time_is_exact_within_the_month(u: float, rate: float) -> None:
    found = waiting_time(u, rate)
    if rate > 0.0 and -math.log(u) / rate < 1.0:
        assert found == -math.log(u) / rate
    else:
        assert found >= 1.0


@pytest.mark.parametrize(("bucket", "scale"), [(1, 1.0), (3, 1.0), (6, 0.2), (6, 3.0)])
def test_frequencies_are_those_of_equation_2(bucket: int, scale: float) -> None:
    """Chi-square of 40,000 draws over all exits; four cases, a fresh seed fails about once in 10,000."""
    worst, draws = 6, 40_000
    row = scale * np.array([0.30, 0.12, 0.10, 0.08, 0.06, 0.05, 0.04, 0.25, 0.02])
    row[bucket] = 0.0
    multiplier = np.array([1.0, 0.8, 1.3, 1.1, 0.9])
    entities = np.arange(draws, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(1)
    counts = Counter(leave_arrears(bucket, (entity, 3, 5, SEED), row, multiplier) for entity in entities)
    classes = cause_classes(worst + 1)[bucket]
    moves = probabilities_from_intensities(row * np.where(classes < 0, 1.0, multiplier[classes]))
    moves[bucket] = 1.0 - moves.sum()
    statistic = sum(
        (counts[event] - draws * p) ** 2 / (draws * p) for event, p in zip(exits(worst), moves, strict=True)
    )
    assert statistic < chi2.isf(1e-4 / 4, df=len(moves) - 1)
