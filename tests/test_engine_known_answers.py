"""The engine against answers that are known: amortisation, competing causes, an absorbing chain.

Each case configures the real engine, by its parameters, until nothing but the case is left.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import xarray as xr

from known_cases import (
    ABSORBED,
    AFTER,
    DIRECT_CHAIN,
    MONTHS_TO_ABSORPTION,
    PUBLISHED_CHAIN,
    THEIR_VARIANCES,
    absorbed_in_the_end,
    assert_shares,
    normal_bound,
)
from simulator.engine import months_needed, simulate
from small_books import BUCKET_DAYS, chain, current_only, endless_loans, equal_loans, macro_at, quiet, run, values

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed, shared among its comparisons."""


# --- amortisation (1): 20,000 at 8 % over 60 months ---------------------------------------------------------


def amortising(**changes: object) -> xr.Dataset:
    loan = {"current_balance": 20_000.0, "rate": 0.08, "remaining_term": 60, **changes}
    nothing_happens = quiet(intensity=np.zeros((1, 4, 6)))
    return run(equal_loans(1, **loan), nothing_happens, paths=2, months=61, seed=1, trace=["L0000000"])


def test_amortisation() -> None:
    results = amortising()
    balance = values(results, "trace_balance")[0, 1]
    # Reference case: payment 405.5278857683, balances after 12, 24, 36 and 48 months.
    known = [20_000.0, 16_611.1979588, 12_941.1270196, 8_966.4420024, 4_661.8600891]
    assert balance[[0, 12, 24, 36, 48]] == pytest.approx(known, rel=1e-9, abs=0.0)
    cash = values(results, "principal_paid") + values(results, "interest_paid")
    assert cash[:, :60] == pytest.approx(np.full((2, 60), 405.5278857683), rel=1e-9)
    assert values(results, "matured_count")[:, 59].tolist() == [1, 1]
    assert cash[:, 60].tolist() == [0.0, 0.0]
    assert values(results, "live_count")[:, 59:].tolist() == [[0, 0], [0, 0]]


def test_the_tapes_own_instalment_wins_and_its_rest_falls_due_with_the_last_one() -> None:
    results = amortising(scheduled_payment=400.0)
    cash = (values(results, "principal_paid") + values(results, "interest_paid"))[0]
    growth = 1.0 + 0.08 / 12.0
    left = 20_000.0 * growth**60 - 400.0 * (growth**60 - 1.0) / (growth - 1.0)
    assert cash[:59] == pytest.approx(np.full(59, 400.0), rel=1e-9)
    assert cash[59] == pytest.approx(400.0 + left, rel=1e-9)


def test_a_loan_that_its_instalment_repays_early_ends_early() -> None:
    results = amortising(scheduled_payment=500.0)
    growth = 1.0 + 0.08 / 12.0
    count = math.ceil(-math.log(1.0 - 20_000.0 * (growth - 1.0) / 500.0) / math.log(growth))
    cash = (values(results, "principal_paid") + values(results, "interest_paid"))[0]
    assert values(results, "matured_count")[0, count - 1] == 1
    assert cash[: count - 1] == pytest.approx(np.full(count - 1, 500.0), rel=1e-9)
    assert 0.0 < cash[count - 1] < 500.0


def test_a_loan_without_interest() -> None:
    results = amortising(rate=0.0, remaining_term=40)
    assert values(results, "trace_balance")[0, 0, :42] == pytest.approx(
        np.maximum(20_000.0 - 500.0 * np.arange(42), 0.0), abs=1e-9
    )
    assert not values(results, "interest_accrued").any()


# --- competing exponentials (2) --------------------------------------------------------------------------------

EXPONENTIAL_LOANS, EXPONENTIAL_PATHS = 5_000, 40


def test_competing_exponentials() -> None:
    """Reference case: default .02, payoff .015 a month. Seven counts of 200,000 loans; fails once in 10,000 seeds."""
    results = run(
        endless_loans(EXPONENTIAL_LOANS), current_only(0.02, 0.015), paths=EXPONENTIAL_PATHS, months=36, seed=2
    )
    trials, bound = EXPONENTIAL_LOANS * EXPONENTIAL_PATHS, normal_bound(FALSE_ALARM, 7)
    default = values(results, "charge_off_count").sum(axis=0).cumsum()
    payoff = values(results, "prepaid_count").sum(axis=0).cumsum()
    stays = values(results, "live_count").sum(axis=0)
    assert_shares(default[[0, 11, 35]], [0.0196540479, 0.1959732458, 0.4093405563], trials, bound)
    assert_shares(payoff[[0, 11, 35]], [0.0147405359, 0.1469799344, 0.3070054172], trials, bound)
    assert_shares(stays[35:], [0.2836540265], trials, bound)


def test_intensities_that_change_by_month() -> None:
    """Reference case of 12 intensities, here through a macro path; 5 counts of 200,000, fails once in 10,000 seeds."""
    by_month = np.array([5, 8, 11, 14, 17, 20, 22, 23, 24, 24, 23, 22]) / 1_000.0
    sensitivity = np.zeros((1, 5, 4))
    sensitivity[0, 0, 0] = 10.0
    parameters = current_only(by_month[0], sensitivity=sensitivity)
    unemployment = np.zeros(months_needed(parameters, 12) + 1)
    unemployment[1:13] = np.log(by_month / by_month[0]) / 10.0
    macro = macro_at(parameters, unemployment.size - 1, unemployment=unemployment)
    results = simulate(endless_loans(EXPONENTIAL_LOANS), macro, parameters, paths=EXPONENTIAL_PATHS, months=12, seed=3)
    trials, bound = EXPONENTIAL_LOANS * EXPONENTIAL_PATHS, normal_bound(FALSE_ALARM, 5)
    default = values(results, "charge_off_count").sum(axis=0)
    assert_shares(default[[0, 1, 2, 11]], [0.00498752, 0.00792834, 0.01079843, 0.01797645], trials, bound)
    assert_shares(values(results, "live_count").sum(axis=0)[11:], [0.8081561372], trials, bound)


# --- absorbing chain: charge-off and payoff from every bucket, to the end of all loans ------------------------------

CHAIN_LOANS, CHAIN_PATHS, CHAIN_MONTHS = 2_000, 20, 1_200
CHAIN_TRIALS = CHAIN_LOANS * CHAIN_PATHS
CHAIN_BOUND = normal_bound(FALSE_ALARM, 4 + 4 + 3 * 6)


@cache
def chain_run(matrix: tuple[tuple[float, ...], ...], bucket: int) -> xr.Dataset:
    tape = endless_loans(CHAIN_LOANS, days_past_due=BUCKET_DAYS[bucket])
    return run(tape, chain(matrix), paths=CHAIN_PATHS, months=CHAIN_MONTHS, seed=4 + bucket)


@pytest.mark.parametrize("bucket", range(4))
def test_absorption_of_the_published_chain(bucket: int) -> None:
    """40,000 loans from each bucket; with the test below 26 comparisons, which fail once in 10,000 seeds."""
    results = chain_run(PUBLISHED_CHAIN, bucket)
    counts = [values(results, f"{name}_count").sum() for name in ("charge_off", "prepaid", "matured")]
    assert sum(counts) == CHAIN_TRIALS
    assert counts[2] == 0
    assert_shares(np.array(counts[:1]), [ABSORBED[bucket]], CHAIN_TRIALS, CHAIN_BOUND)
    # A loan that leaves in month n was live at the ends of months 0 .. n - 1.
    months = 1.0 + values(results, "live_count").sum() / CHAIN_TRIALS
    z = abs(months - MONTHS_TO_ABSORPTION[bucket]) / math.sqrt(THEIR_VARIANCES[bucket] / CHAIN_TRIALS)
    assert z < CHAIN_BOUND


@pytest.mark.parametrize("month", AFTER)
def test_distribution_of_the_published_chain(month: int) -> None:
    """Where 40,000 loans stand after 12, 36 and 60 months; see the test above for its false alarms."""
    results = chain_run(PUBLISHED_CHAIN, 0)
    into = values(results, "transition_count_mean") * CHAIN_PATHS
    stands = into[month - 1].sum(axis=0)[:4]
    absorbed = into[:month].sum(axis=(0, 1))[4:6]
    assert_shares(np.concatenate([stands, absorbed]), AFTER[month], CHAIN_TRIALS, CHAIN_BOUND)


@pytest.mark.parametrize("bucket", range(4))
def test_absorption_with_a_direct_charge_off_from_every_bucket(bucket: int) -> None:
    """The fundamental matrix by linear algebra; eight comparisons, which fail once in 10,000 seeds."""
    results = chain_run(DIRECT_CHAIN, bucket)
    counts = np.array([values(results, "charge_off_count").sum(), values(results, "prepaid_count").sum()])
    assert counts.sum() == CHAIN_TRIALS
    assert_shares(counts, absorbed_in_the_end(DIRECT_CHAIN)[bucket], CHAIN_TRIALS, normal_bound(FALSE_ALARM, 8))


def test_realised_rolls_are_the_matrix() -> None:
    """20 cells of the realised matrix, pooled over time; fails once in 10,000 seeds."""
    moved = values(chain_run(DIRECT_CHAIN, 1), "transition_count_mean").sum(axis=0) * CHAIN_PATHS
    for bucket, row in enumerate(DIRECT_CHAIN):
        trials = round(moved[bucket].sum())
        possible = np.array(row) > 0.0
        assert moved[bucket, :6][~possible].sum() == 0.0
        assert_shares(moved[bucket, :6][possible], np.array(row)[possible], trials, normal_bound(FALSE_ALARM, 20))
