"""What a borrower does in a month: equations (2), (3g), (3j), (3k), (4), exactly, in the compiled kernels."""

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
    CURED,
    ENTER,
    FORGETFUL,
    HARDSHIP,
    HISTORY_MONTHS,
    MAX_BUCKET,
    MODIFIED,
    PREPAID,
    PREPAY,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_MODIFY,
    PURPOSE_PREPAY,
    PURPOSE_TOTAL_LOSS,
    ROLL,
    STRATEGIC,
    TOTAL_LOSS,
    TYPES,
)
from simulator.intensities import cause_classes, probabilities_from_intensities
from simulator.kernels.active import still_in_default
from simulator.kernels.borrower import entry_type, equity_effect, leave_arrears, leave_current, waiting_time
from simulator.kernels.bundles import NO_MARK
from simulator.kernels.opening import drawn_kind, drawn_mark
from simulator.kernels.random import event_uniform
from small_books import fixed_examples

SEED = np.uint64(20_250_101)

rates = st.floats(0.0, 4.0)
shares = st.floats(0.0, 1.0)
uniforms = st.floats(2.0**-33, 1.0 - 2.0**-33)


def exits(worst: int) -> list[int]:
    """Events by column of a row of intensities: buckets, charge-off, payoff; then total loss."""
    return [*range(worst + 1), CHARGED_OFF, PREPAID, TOTAL_LOSS]


# --- without arrears: one uniform -----------------------------------------------------------------------


def border(event: Callable[[float], bool]) -> float:
    """The u at which a monotone event changes from true to false, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if event(middle) else (low, middle)
    return high


@fixed_examples
@given(worse=rates, other=rates, lost=rates, direct=shares)
def test_parts_of_the_unit_interval_have_the_lengths_of_equation_2(
    worse: float, other: float, lost: float, direct: float
) -> None:
    payoff = other + lost
    assume(worse + payoff > 0.0)
    moves = 1.0 - math.exp(-worse - payoff)
    enters, leaves, loses = (part / (worse + payoff) * moves for part in (worse, payoff, lost))

    def state(u: float) -> int:
        return leave_current(u, worse, payoff, direct, lost)

    assert border(lambda u: state(u) == CHARGED_OFF) == pytest.approx(direct * enters, abs=1e-12)
    assert border(lambda u: state(u) in (CHARGED_OFF, 1)) == pytest.approx(enters, abs=1e-12)
    assert border(lambda u: state(u) not in (PREPAID, TOTAL_LOSS)) == pytest.approx(1.0 - leaves, abs=1e-12)
    # Total loss is the lowest stretch of payoff, next to "nothing happens".
    assert border(lambda u: state(u) != PREPAID) == pytest.approx(1.0 - leaves + loses, abs=1e-12)


def test_competing_exponentials_of_a_loan_without_arrears() -> None:
    # Default .02, payoff .015 a month; the naive 1 - exp(-.02) = .0198013267 is wrong here.
    def charged_off(u: float) -> bool:
        return leave_current(u, 0.02, 0.015, 1.0, 0.0) == CHARGED_OFF

    assert border(charged_off) == pytest.approx(0.0196540479, abs=5e-11)
    leaves = 1.0 - border(lambda u: leave_current(u, 0.02, 0.015, 1.0, 0.0) != PREPAID)
    assert leaves == pytest.approx(0.0147405359, abs=5e-11)
    assert 1.0 - border(charged_off) - leaves == pytest.approx(0.9656054163, abs=5e-11)


@fixed_examples
@given(u=uniforms, worse=rates, payoff=rates, direct=shares, factor=st.floats(1.0, 3.0))
def test_a_larger_intensity_moves_the_same_loans_and_more(
    u: float, worse: float, payoff: float, direct: float, factor: float
) -> None:
    # Alone, a cause only gains loans as its intensity rises.
    if leave_current(u, worse, 0.0, direct, 0.0) != 0:
        assert leave_current(u, worse * factor, 0.0, direct, 0.0) != 0
    if leave_current(u, 0.0, payoff, direct, 0.0) != 0:
        assert leave_current(u, 0.0, payoff * factor, direct, 0.0) == PREPAID


@fixed_examples
@given(u=uniforms, worse=rates, payoff=rates, direct=shares, lost=shares)
def test_intensities_bound_the_probabilities(u: float, worse: float, payoff: float, direct: float, lost: float) -> None:
    # What the dense pass relies on: between these bounds nothing can happen.
    if worse <= u <= 1.0 - payoff:
        assert leave_current(u, worse, payoff, direct, lost * payoff) == 0


@fixed_examples
@given(u=uniforms)
def test_nothing_happens_at_intensity_0(u: float) -> None:
    assert leave_current(u, 0.0, 0.0, 0.0, 0.0) == 0


@fixed_examples
@given(u=uniforms, worse=rates, lost=st.floats(1e-9, 4.0))
def test_where_payoff_is_total_loss_alone_nobody_prepays(u: float, worse: float, lost: float) -> None:
    assert leave_current(u, worse, lost, 0.5, lost) != PREPAID


# --- negative equity and types at entry (4), (3g) ----------------------------------------------------------------


@fixed_examples
@given(ratio=st.floats(0.0, 3.0), slope=st.floats(0.0, 5.0), cap=st.floats(1.0, 4.0), threshold=st.floats(0.5, 1.5))
def test_negative_equity_acts_above_its_threshold_and_up_to_its_cap(
    ratio: float, slope: float, cap: float, threshold: float
) -> None:
    value = 12_345.0
    found = equity_effect(ratio * value, value, np.array([threshold, slope, cap, 1.0]))
    expected = min(1.0 + slope * max(0.0, ratio - threshold), cap) if slope > 0.0 else 1.0
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_worthless_car_is_at_the_cap() -> None:
    assert equity_effect(5_000.0, 0.0, np.array([1.0, 0.5, 2.5, 1.0])) == 2.5


@fixed_examples
@given(
    strategic=st.floats(0.0, 0.9),
    odds=st.floats(0.1, 10.0),
    weights=st.tuples(*[st.floats(0.01, 1.0)] * len(TYPES)),
)
def test_types_at_entry_are_stretches_of_one_uniform(
    strategic: float, odds: float, weights: tuple[float, float, float]
) -> None:
    share = np.array(weights) / sum(weights)

    def kind(u: float) -> int:
        return entry_type(u, strategic, odds, share)

    mixed = share * np.where(np.arange(len(TYPES)) == HARDSHIP, odds, 1.0)
    mixed *= (1.0 - strategic) / mixed.sum()
    # What negative equity adds comes first and is strategic; then hardship, the other strategic, forgetful.
    ends = np.cumsum([strategic, mixed[HARDSHIP], mixed[STRATEGIC]])
    inside = 1e-9 * np.array([-1.0, 1.0])
    kinds = (STRATEGIC, HARDSHIP, STRATEGIC, FORGETFUL)
    for end, below, above in zip(ends, kinds[:-1], kinds[1:], strict=True):
        found = [kind(float(u)) for u in end + inside if 0.0 < u < 1.0]
        assert found in ([below, above], [above]), end
    assert kind(1.0 - 2.0**-33) == FORGETFUL


# --- what nobody knows at the as-of date (3k) ------------------------------------------------------------------------


def test_an_opening_history_is_drawn_from_its_shares() -> None:
    """Each state of the pool stands on its own stretch; a share of 1 in 49 leaves room between them."""
    states = 1 + 2 * HISTORY_MONTHS
    cumulative = np.arange(1, states + 1) / states
    for state in range(states):
        mark = drawn_mark((state + 0.5) / states, 1_000, cumulative)
        since, kind = (state - 1) % HISTORY_MONTHS, CURED if state <= HISTORY_MONTHS else MODIFIED
        assert mark == (NO_MARK if state == 0 else -2 * since + kind)
        # A mark is read as month and kind, months before the as-of date negative.
        assert state == 0 or (mark >> 1, mark & 1) == (-since, kind)
    # Shares that rounding leaves short of 1 leave nobody without a state.
    assert drawn_mark(1.0 - 2.0**-33, 1_000, 0.999 * cumulative) == -2 * (HISTORY_MONTHS - 1) + MODIFIED


@pytest.mark.parametrize("age", [0, 5, HISTORY_MONTHS])
def test_nobody_returned_to_current_before_the_loan_was_made(age: int) -> None:
    states = 1 + 2 * HISTORY_MONTHS
    cumulative = np.arange(1, states + 1) / states
    marks = [drawn_mark((state + 0.5) / states, age, cumulative) for state in range(1, states)]
    assert {-(mark >> 1) for mark in marks if mark != NO_MARK} == set(range(min(age + 1, HISTORY_MONTHS)))


def test_an_opening_type_is_drawn_from_its_shares() -> None:
    cumulative = np.cumsum([0.2, 0.5, 0.3])
    found = [drawn_kind(u, cumulative) for u in (0.1, 0.19, 0.21, 0.69, 0.71, 1.0 - 2.0**-33)]
    assert found == [FORGETFUL, FORGETFUL, HARDSHIP, HARDSHIP, STRATEGIC, STRATEGIC]
    assert drawn_kind(1.0 - 2.0**-33, 0.999 * cumulative) == STRATEGIC


@pytest.mark.parametrize(
    ("state", "since", "defaulted", "probation", "expected"),
    [
        (0, 0, -1, 12, False),  # it never defaulted
        (3, 900, 5, 12, True),
        (1, 900, 0, 0, True),  # a loan in arrears serves no probation
        (0, 0, 5, 1, False),  # one close without arrears is enough
        (0, 0, 5, 2, True),
        (0, 10, 5, 12, True),
        (0, 11, 5, 12, False),
        (0, 0, 5, 0, False),
    ],
)
def test_who_is_still_in_default(state: int, since: int, defaulted: int, probation: int, expected: bool) -> None:
    assert still_in_default(state, since, defaulted, probation) == expected


# --- in arrears: one exponential a cause ---------------------------------------------------------------------


Arrears = tuple[int, tuple[np.uint64, int, int, np.uint64], np.ndarray, tuple[float, ...], float]


@st.composite
def arrears(draw: st.DrawFn) -> Arrears:
    """Bucket, address, row of intensities, multipliers by class, intensity of total loss."""
    worst = draw(st.integers(1, MAX_BUCKET))
    bucket = draw(st.integers(1, worst))
    row = np.array(
        draw(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 4.0)), min_size=worst + 3, max_size=worst + 3))
    )
    row[bucket] = 0.0
    multiplier = draw(st.tuples(*[st.floats(0.1, 5.0)] * 5))
    total_loss = draw(st.one_of(st.just(0.0), st.floats(1e-9, 2.0)))
    entity, path, month = draw(st.integers(0, 2**63 - 1)), draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 1_224))
    return bucket, (np.uint64(entity), path, month, SEED), row, multiplier, total_loss


def state_after(case: Arrears) -> int:
    return leave_arrears(*case)[0]


def causes(case: Arrears) -> dict[int, tuple[int, float]]:
    """Purpose of the draw and intensity of every cause that can happen."""
    bucket, _, row, multiplier, total_loss = case
    worst = row.size - 3
    classes = cause_classes(worst + 1)[bucket]
    purposes = [*(PURPOSE_BUCKET + target for target in range(worst + 1)), PURPOSE_CHARGE_OFF, PURPOSE_PREPAY]
    rates = [rate * multiplier[kind] for rate, kind in zip(row.tolist(), classes, strict=True)]
    drawn = zip(exits(worst), [*purposes, PURPOSE_TOTAL_LOSS], [*rates, total_loss], strict=True)
    return {event: (purpose, rate) for event, purpose, rate in drawn if rate > 0.0}


@fixed_examples
@given(arrears())
def test_the_shortest_waiting_time_wins_if_it_is_below_a_month(case: Arrears) -> None:
    bucket, (entity, path, month, seed), *_ = case
    waiting = {
        event: -math.log(event_uniform(entity, path, month, purpose, seed)) / rate
        for event, (purpose, rate) in causes(case).items()
    }
    first = min(waiting, key=waiting.__getitem__, default=bucket)
    state, extension = leave_arrears(*case)
    assert state == (first if waiting.get(first, 1.0) < 1.0 else bucket)
    assert extension == event_uniform(entity, path, month, PURPOSE_MODIFY, seed)


@fixed_examples
@given(arrears(), st.integers(0, MAX_BUCKET + 3), st.floats(0.01, 5.0))
def test_another_cause_leaves_the_draws_of_the_others_alone(case: Arrears, column: int, rate: float) -> None:
    bucket, address, row, multiplier, total_loss = case
    rates = np.append(row, total_loss)
    assume(column < rates.size and column != bucket and rates[column] == 0.0)
    rates[column] = rate
    event = exits(row.size - 3)[column]
    more = bucket, address, rates[:-1].copy(), multiplier, float(rates[-1])
    assert state_after(more) in (state_after(case), event)


@fixed_examples
@given(arrears(), st.sampled_from([CURE, ROLL, CHARGE_OFF, PREPAY]), st.floats(1.0, 4.0))
def test_a_multiplier_moves_its_own_class_alone(case: Arrears, cause: int, factor: float) -> None:
    bucket, address, row, multiplier, total_loss = case
    before = state_after(case)
    raised = tuple(value * factor if place == cause else value for place, value in enumerate(multiplier))
    after = state_after((bucket, address, row, raised, total_loss))
    no_class = -9  # total loss answers to no multiplier
    classes = dict(zip(exits(row.size - 3), [*cause_classes(row.size - 2)[bucket], no_class], strict=True))
    assert after == before or classes[after] == cause
    assert before == bucket or classes[before] != cause or after == before or classes[after] == cause


@fixed_examples
@given(arrears())
def test_the_class_of_entry_does_not_touch_arrears(case: Arrears) -> None:
    bucket, address, row, multiplier, total_loss = case
    other = tuple(7.0 if place == ENTER else value for place, value in enumerate(multiplier))
    assert leave_arrears(bucket, address, row, other, total_loss) == leave_arrears(*case)


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
    multiplier, total_loss = (1.0, 0.8, 1.3, 1.1, 0.9), scale * 0.03
    entities = np.arange(draws, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(1)
    counts = Counter(state_after((bucket, (entity, 3, 5, SEED), row, multiplier, total_loss)) for entity in entities)
    classes = cause_classes(worst + 1)[bucket]
    rates = np.append(row * np.where(classes < 0, 1.0, np.array(multiplier)[classes]), total_loss)
    moves = probabilities_from_intensities(rates)
    moves[bucket] = 1.0 - moves.sum()
    statistic = sum(
        (counts[event] - draws * p) ** 2 / (draws * p) for event, p in zip(exits(worst), moves, strict=True)
    )
    assert statistic < chi2.isf(1e-4 / 4, df=len(moves) - 1)
