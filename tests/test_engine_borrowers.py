"""What moves borrowers, through the engine: the seasoned pool, memory, types, negative equity (3f) to (3k), (4)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from calibration.library import find_parameter_set
from known_cases import assert_shares, normal_bound
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import (
    CAUSE_CLASSES,
    CHARGE_OFF,
    CURE,
    CURED,
    HISTORY_MONTHS,
    MODIFIED,
    ROLL,
    SEGMENTS,
    TYPES,
)
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.intensities import intensities_from_probabilities, transition_matrix
from simulator.parameters import Parameters, build_parameters, seasoned_shares
from simulator.seasoned import Traits, solve_pool
from simulator.tape import LoanTape
from small_books import (
    BUCKET_DAYS,
    certain,
    changed,
    equal_loans,
    macro_at,
    mixed_book,
    quiet,
    run,
    tape_of_columns,
    values,
    with_offset,
)

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""


# --- the seasoned pool (3k) ----------------------------------------------------------------------------------------

LOANS, PATHS, MONTHS = 10_000, 20, 18
WATCHED = (1, 2, 9, 18)
"""Months whose moves are compared: within one month loans are independent of each other."""


def without_the_rest(parameters: Parameters) -> Parameters:
    """What the chain does not know is switched off: factors, age, covariates, prices."""
    return changed(
        parameters,
        sensitivity=np.zeros_like(parameters.sensitivity),
        sigma=np.zeros(1),
        seasoning=np.ones_like(parameters.seasoning),
        ltv_coefficient=np.zeros(1),
        pti_coefficient=np.zeros(1),
        score_coefficient=np.zeros(1),
    )


def of_a_shipped_set(name: str) -> Parameters:
    """A shipped set without negative equity: what that adds to entries is no type's own share."""
    item = find_parameter_set(name).model_copy(update={"negative_equity": None})
    return without_the_rest(build_parameters([item]))


def of_extreme_traits() -> Parameters:
    """Borrowers who differ as much as they may, in a lively matrix; the car may be lost."""
    rows = [[0.90, 0.075, 0, 0, 0.005, 0.02], [0.4, 0.4, 0.19, 0, 0, 0.01]]
    rows += [[0.2, 0.15, 0.35, 0.25, 0.03, 0.02], [0.08, 0.05, 0.1, 0.5, 0.25, 0.02]]
    moves = np.array(rows)
    np.fill_diagonal(moves[:, :4], 0.0)
    published = intensities_from_probabilities(moves)
    history = np.ones((2, HISTORY_MONTHS + 1))
    history[CURED, :-1] = np.linspace(6.0, 1.5, HISTORY_MONTHS)
    history[MODIFIED, :15] = 4.0
    multiplier = np.ones((len(TYPES), len(CAUSE_CLASSES)))
    multiplier[:, CURE] = 1.8, 0.6, 0.3
    multiplier[:, ROLL] = 0.7, 1.1, 1.6
    multiplier[:, CHARGE_OFF] = 0.6, 1.0, 2.0
    traits = Traits(history, np.array([0.5, 0.3, 0.2]), multiplier, 0.12, np.array([0.0, 0.1, 0.3, 0.5]))
    pool = solve_pool(published, traits, "a test")
    return quiet(
        intensity=pool.intensity[None],
        published_intensity=published[None],
        history_multiplier=history[None],
        type_share=traits.entry_type[None],
        type_multiplier=multiplier[None],
        spell_end=np.array([0.12]),
        modified_share=traits.modified_share[None],
        open_history=pool.history[None],
        open_type=pool.types[None],
        total_loss=np.array([0.006]),
    )


@cache
def seasoned_book(days: tuple[int, ...], shares: tuple[float, ...]) -> LoanTape:
    """Loans of 0 % that outlive the run, old enough for any history, in the buckets of a seasoned pool."""
    tape = equal_loans(
        LOANS, rate=0.0, original_term=180, remaining_term=170, origination_date=np.datetime64("2011-06")
    )
    place = (np.arange(LOANS) + 0.5) / LOANS
    bucket = np.searchsorted(np.cumsum(shares), place).clip(max=len(shares) - 1)
    return tape_of_columns({**tape.columns, "days_past_due": np.array(days)[bucket]})


@pytest.mark.parametrize("name", ["extreme", "us_near_prime", "us_deep_subprime"])
def test_the_seasoned_pool_moves_as_published(name: str) -> None:
    """All moves of four months of 200,000 loan-paths, of which a fresh seed misses one in 10,000 runs."""
    parameters = of_extreme_traits() if name == "extreme" else of_a_shipped_set(name)
    assert np.abs(parameters.intensity / np.maximum(parameters.published_intensity, 1e-12) - 1.0).max() > 0.1
    tape = seasoned_book(parameters.bucket_edges, tuple(seasoned_shares(parameters, 0)))
    results = run(tape, parameters, paths=PATHS, months=MONTHS, seed=3)
    moved = values(results, "transition_count_mean") * PATHS
    buckets = len(parameters.bucket_edges)
    # Published payoff holds total loss, which is counted apart.
    moved[..., buckets + 1] += moved[..., buckets + 2]
    published = transition_matrix(parameters.published_intensity)[0]
    bound = normal_bound(FALSE_ALARM, len(WATCHED) * int((published > 0.0).sum()))
    for month in WATCHED:
        for bucket, row in enumerate(published):
            counts = moved[month - 1, bucket, : buckets + 2]
            possible = row > 0.0
            assert not counts[~possible].any()
            assert_shares(counts[possible], row[possible], round(counts.sum()), bound)


def test_a_pool_without_its_renormalisation_would_be_seen() -> None:
    """The same borrowers under the published intensities: loans fall behind far more often than published."""
    parameters = changed(of_extreme_traits(), intensity=of_extreme_traits().published_intensity)
    tape = seasoned_book(parameters.bucket_edges, tuple(seasoned_shares(parameters, 0)))
    moved = values(run(tape, parameters, paths=2, months=1, seed=3), "transition_count_mean")[0, 0]
    assert moved[1] / moved.sum() > 1.2 * transition_matrix(parameters.published_intensity)[0, 0, 1]


def test_an_unknown_history_is_drawn_and_a_known_one_is_kept() -> None:
    """Shares of current loans modified in the last 24 months: as drawn, or as the tape says."""
    parameters = of_extreme_traits()
    modified = parameters.borrower.open_history[0, 1 + HISTORY_MONTHS :].sum()
    old = {"origination_date": np.datetime64("2011-06"), "original_term": 180, "remaining_term": 170, "rate": 0.0}
    ids = tuple(equal_loans(2_000, **old)["loan_id"].tolist())
    for told, age in ((False, "2011-06"), (True, "2011-06"), (False, "2024-12")):
        tape = equal_loans(2_000, **{**old, "origination_date": np.datetime64(age)}, modified=told)
        results = run(tape, parameters, paths=3, months=1, seed=9, trace=ids)
        marked = int((values(results, "trace_flags")[..., 0].astype(int) & 1).sum())
        if told:
            assert marked == 6_000
        elif age == "2011-06":
            assert_shares(np.array([marked]), [modified], 6_000, normal_bound(FALSE_ALARM, 1))
        else:  # made in the as-of month: only a return in that very month is possible
            assert marked < 0.2 * modified * 6_000


# --- memory of arrears (3f) ------------------------------------------------------------------------------------------


def remembering(kind: int, column: int, **changes: object) -> Parameters:
    """A loan returns from one instalment and enters arrears only where the column of its kind is met."""
    multiplier = np.zeros((1, 2, HISTORY_MONTHS + 1))
    multiplier[0, kind, column] = 1.0
    return certain({0: 1, 1: 0}, history_multiplier=multiplier, **changes)


@pytest.mark.parametrize("column", [0, 1, 11, HISTORY_MONTHS])
@pytest.mark.parametrize("kind", [CURED, MODIFIED])
def test_a_return_is_remembered_by_its_kind_and_its_months(kind: int, column: int) -> None:
    """Back in month 1: in month t the multiplier is that of t - 2 months, from 24 on the last one."""
    extended = np.array([[0.0, float(kind == MODIFIED), 0.0, 0.0]])
    tape = equal_loans(1, rate=0.0, remaining_term=100, days_past_due=BUCKET_DAYS[1])
    ids = ("L0000000",)
    results = run(tape, remembering(kind, column, modified_share=extended), paths=1, months=30, seed=1, trace=ids)
    states = values(results, "trace_state")[0, 0]
    assert np.flatnonzero(states == 1)[:2].tolist() == [0, column + 2]
    assert values(results, "modified_count")[0, 0] == kind
    # Of the other kind, nothing acts.
    other = run(tape, remembering(1 - kind, column, modified_share=extended), paths=1, months=30, seed=1, trace=ids)
    assert np.flatnonzero(values(other, "trace_state")[0, 0] == 1).tolist() == [0]


def test_a_history_from_before_the_tape_goes_on() -> None:
    """Returned five months before the as-of date: in month t the multiplier is that of t + 4 months."""
    history = np.eye(1 + 2 * HISTORY_MONTHS)[[1 + HISTORY_MONTHS + 5]]
    tape = equal_loans(1, rate=0.0, remaining_term=100)
    for column in (5, 12):
        terms = remembering(MODIFIED, column, open_history=history)
        results = run(tape, terms, paths=1, months=10, seed=1, trace=("L0000000",))
        states = values(results, "trace_state")[0, 0]
        assert np.flatnonzero(states == 1)[0] == column - 5 + 1
        flags = values(results, "trace_flags")[0, 0].astype(int) & 1
        assert np.all(flags[: column - 5 + 1] == 1)


# --- multipliers of entry: on common draws an effect is another intensity ---------------------------------------


def entering(intensity: float = 0.03, **changes: object) -> Parameters:
    """Loans that fall one instalment behind, and then stand still."""
    table = np.zeros((1, 4, 6))
    table[0, 0, 1] = intensity
    return quiet(intensity=table, **changes)


def states_of(parameters: Parameters, tape: LoanTape, macro: MonthlyMacro | None = None) -> np.ndarray:
    months = 12
    macro = macro or macro_at(parameters, months_needed(parameters, months))
    ids = tuple(tape["loan_id"].tolist())
    results = simulate(tape, macro, parameters, paths=5, months=months, seed=21, trace=ids)
    return np.asarray(values(results, "trace_state"))


INTEREST_ONLY = {"amortisation": "interest_only", "remaining_term": 60, "current_balance": 10_000.0, "rate": 0.06}


def price_path(ltv: float, months: int, loan: dict[str, object]) -> np.ndarray:
    """Used-car index at which opening principal over the month's value of the one car is `ltv` in every month.

    Found through the engine: principal and value of a loan to which nothing happens, under a flat index.
    """
    nothing_happens = quiet(intensity=np.zeros((1, 4, 6)))
    flat = run(equal_loans(1, **loan), nothing_happens, paths=1, months=months, seed=1, trace=("L0000000",))
    owed, value = (values(flat, name)[0, 0] for name in ("trace_balance", "trace_value"))
    return np.concatenate([[1.0], owed[:-1] / value[1:] / ltv])


EQUITY = {
    "equity_slope": np.array([1.6]),
    "equity_threshold": np.array([0.9]),
    "equity_cap": np.array([2.2]),
    "equity_mean": np.array([1.07]),
}


@pytest.mark.parametrize("amortisation", ["interest_only", "level"])
@pytest.mark.parametrize(("ltv", "effect"), [(0.5, 1.0), (0.9, 1.0), (1.2, 1.48), (1.65, 2.2), (3.0, 2.2)])
def test_negative_equity_multiplies_entry_exactly(ltv: float, effect: float, amortisation: str) -> None:
    """Prices hold the loan-to-value in every month: loans do as under that multiple of the intensity, one by one."""
    loan = {**INTEREST_ONLY, "amortisation": amortisation, "original_term": 180, "remaining_term": 170}
    tape, parameters = equal_loans(2_000, **loan), entering(**EQUITY)
    last = months_needed(parameters, 12)
    macro = macro_at(parameters, last, used_car_index=price_path(ltv, last, loan))
    # At the threshold and at the cap rounding may fall on either side, and does not matter there.
    found = states_of(parameters, tape, macro)
    assert np.array_equal(found, states_of(entering(0.03 * effect / 1.07), tape))
    assert 0.2 < np.mean(found[..., -1] == 1) < 0.7


def test_without_its_slope_negative_equity_has_no_effect() -> None:
    tape = equal_loans(500, **{**INTEREST_ONLY, "vehicle_value": 1_000.0})
    off = entering(**{**EQUITY, "equity_slope": np.zeros(1), "equity_mean": np.ones(1)})
    assert np.array_equal(states_of(off, tape), states_of(entering(), tape))


def test_a_loans_own_features_multiply_entry_exactly() -> None:
    """Score, payment-to-income and loan-to-value at origination, which counts up to the threshold of (4) alone."""
    features = {"score": 610.0, "payment_to_income": 0.14, "original_balance": 18_000.0, "vehicle_value": 15_000.0}
    effects = {
        "score_coefficient": np.array([-0.006]),
        "score_reference": np.array([640.0]),
        "pti_coefficient": np.array([5.0]),
        "pti_reference": np.array([0.10]),
        "ltv_coefficient": np.array([0.8]),
        "ltv_reference": np.array([1.0]),
    }
    tape = equal_loans(1_500, **{**INTEREST_ONLY, **features})
    alone = math.exp(-0.006 * -30.0 + 5.0 * 0.04 + 0.8 * (1.2 - 1.0))
    assert np.array_equal(states_of(entering(**effects), tape), states_of(entering(0.03 * alone), tape))
    capped = math.exp(-0.006 * -30.0 + 5.0 * 0.04 + 0.8 * (0.9 - 1.0)) * 2.2 / 1.07
    cheap = macro_at(entering(), months_needed(entering(), 12), used_car_index=0.05)
    found = states_of(entering(**effects, **EQUITY), tape, cheap)
    assert np.array_equal(found, states_of(entering(0.03 * capped), tape))
    silent = equal_loans(1_500, **{**INTEREST_ONLY, "original_balance": 21_000.0})  # at the references, or not told
    assert np.array_equal(states_of(entering(**effects), silent), states_of(entering(), silent))


def test_age_and_macro_multiply_entry_exactly() -> None:
    tape = equal_loans(1_500, **INTEREST_ONLY)
    seasoning = np.full_like(quiet().seasoning, 1.7)
    assert np.array_equal(states_of(entering(seasoning=seasoning), tape), states_of(entering(0.03 * 1.7), tape))
    sensitive = entering(sensitivity=np.full((1, 5, 4), [12.0, 0.0, 0.0, 0.0]))
    macro = macro_at(sensitive, months_needed(sensitive, 12), unemployment=0.02)
    macro = with_offset(with_offset(macro, "TX", unemployment=0.01), "unknown", "sector", unemployment=0.005)
    expected = states_of(entering(0.03 * math.exp(12.0 * 0.035)), tape)
    assert np.array_equal(states_of(sensitive, tape, macro), expected)


# --- prices of one segment alone ------------------------------------------------------------------------------------


def test_prices_move_the_entries_of_their_segment_alone() -> None:
    tape = mixed_book(400, seed=6)
    parameters = entering(**EQUITY)
    last = months_needed(parameters, 12)
    level, crash = macro_at(parameters, last), macro_at(parameters, last)
    crash.used_car_index.loc[{"segment": "suv"}] = 0.3
    before, after = states_of(parameters, tape, level), states_of(parameters, tape, crash)
    suv = tape["vehicle"] == "suv"
    assert suv.sum() > len(tape) // (2 * len(SEGMENTS))
    assert np.array_equal(before[~suv], after[~suv])
    # More of them fall behind, and nobody later than before.
    assert np.all((before[suv] == 1) <= (after[suv] == 1))
    assert (after[suv] == 1).sum() > 1.1 * (before[suv] == 1).sum()
