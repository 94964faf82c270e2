"""What a borrower does in a month: equations (2), (3g), (3j), (3k), (4), exactly, in the compiled kernels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calibration.library import parameter_set_names
from scenarios.vocabulary import (
    CHARGED_OFF,
    CURED,
    FORGETFUL,
    HARDSHIP,
    HISTORY_MONTHS,
    MODIFIED,
    PREPAID,
    STRATEGIC,
    TOTAL_LOSS,
    TYPES,
)
from simulator.book import build_book
from simulator.hazards import build_hazards
from simulator.kernels.borrower import entry_type, equity_effect, leave_current
from simulator.kernels.bundles import GUIDE, NO_MARK
from simulator.kernels.close import still_in_default
from simulator.kernels.opening import drawn_kind, drawn_mark
from small_books import fixed_examples, macro_at, shipped, tape_of

rates = st.floats(0.0, 4.0)
shares = st.floats(0.0, 1.0)
uniforms = st.floats(2.0**-33, 1.0 - 2.0**-33)


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
    found = equity_effect(ratio * value, value, threshold, slope, cap)
    expected = min(1.0 + slope * max(0.0, ratio - threshold), cap) if slope > 0.0 else 1.0
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_worthless_car_is_at_the_cap() -> None:
    assert equity_effect(5_000.0, 0.0, 1.0, 0.5, 2.5) == 2.5


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


def guide_to(cumulative: np.ndarray) -> np.ndarray:
    """Where to begin to look for a uniform of so many parts: the first state whose stretch ends beyond them."""
    ends = [[item for item, share in enumerate(cumulative) if share > part / GUIDE] for part in range(GUIDE)]
    return np.array([found[0] if found else cumulative.size - 1 for found in ends], dtype=np.int16)


def opening_mark(u: float, age: int, cumulative: np.ndarray) -> int:
    return drawn_mark(u, age, cumulative, guide_to(cumulative))


@pytest.mark.parametrize("name", parameter_set_names())
def test_the_guide_to_opening_histories_leads_to_the_same_state_as_looking_from_the_first(name: str) -> None:
    parameters = shipped(name)
    book = build_book(tape_of([{"currency": parameters.currency}]), parameters)
    hazards = build_hazards(book.cells, macro_at(parameters, 1), parameters, 1, 1)
    uniforms = np.concatenate([np.random.default_rng(4).random(3_000), np.arange(GUIDE) / GUIDE, [1.0 - 2.0**-33]])
    for shares, guide in zip(hazards.open_history, hazards.open_guide, strict=True):
        borders = np.concatenate([uniforms, shares, np.nextafter(shares, 0.0)])
        for u in borders[(borders > 0.0) & (borders < 1.0)]:
            assert drawn_mark(u, 1_000, shares, guide) == drawn_mark(u, 1_000, shares, np.zeros(GUIDE, np.int16))
        assert np.array_equal(guide, guide_to(shares))


def test_an_opening_history_is_drawn_from_its_shares() -> None:
    """Each state of the pool stands on its own stretch; a share of 1 in 49 leaves room between them."""
    states = 1 + 2 * HISTORY_MONTHS
    cumulative = np.arange(1, states + 1) / states
    for state in range(states):
        mark = opening_mark((state + 0.5) / states, 1_000, cumulative)
        since, kind = (state - 1) % HISTORY_MONTHS, CURED if state <= HISTORY_MONTHS else MODIFIED
        assert mark == (NO_MARK if state == 0 else -2 * since + kind)
        # A mark is read as month and kind, months before the as-of date negative.
        assert state == 0 or (mark >> 1, mark & 1) == (-since, kind)
    # Shares that rounding leaves short of 1 leave nobody without a state.
    assert opening_mark(1.0 - 2.0**-33, 1_000, 0.999 * cumulative) == -2 * (HISTORY_MONTHS - 1) + MODIFIED


@pytest.mark.parametrize("age", [0, 5, HISTORY_MONTHS])
def test_nobody_returned_to_current_before_the_loan_was_made(age: int) -> None:
    states = 1 + 2 * HISTORY_MONTHS
    cumulative = np.arange(1, states + 1) / states
    marks = [opening_mark((state + 0.5) / states, age, cumulative) for state in range(1, states)]
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
