"""Lives of single loans through the engine: who pays what, when a loan ends, what counts as a default."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from scenarios.vocabulary import CHARGED_OFF, MATURED, MAX_BUCKET
from simulator.engine import RUN_OFF_MONTHS
from simulator.parameters import Parameters
from small_books import BUCKET_DAYS, chain, current_only, equal_loans, mixed_book, quiet, run, shipped, values

PATHS = 400
LOAN = {"current_balance": 9_000.0, "rate": 0.12, "remaining_term": 18}
RATE = 0.01  # a month


def nothing_happens() -> Parameters:
    """Every loan stays where it is: a current one pays, one in arrears pays one instalment a month."""
    return quiet(intensity=np.zeros((1, 4, 6)))


def late_and_cured() -> Parameters:
    """Loans fall behind and catch up, and nobody leaves before maturity; interest accrues throughout."""
    rows = [[0.8, 0.2, 0, 0, 0, 0], [0.3, 0.5, 0.2, 0, 0, 0], [0.2, 0.2, 0.5, 0.1, 0, 0], [0.2, 0.1, 0.1, 0.6, 0, 0]]
    return chain(rows, nonaccrual_months=MAX_BUCKET)


def lives(parameters: Parameters, months: int, paths: int = PATHS, **changes: object) -> xr.Dataset:
    """One loan on many paths, traced."""
    tape = equal_loans(1, **{**LOAN, **changes})
    return run(tape, parameters, paths=paths, months=months, seed=12, trace=["L0000000"])


# --- interest --------------------------------------------------------------------------------------------------


def test_who_always_pays_pays_what_accrues() -> None:
    tape = mixed_book()
    current = replace(nothing_happens(), bucket_edges=(0, 4_000, 4_030, 4_060))  # nobody opens in arrears
    results = run(tape, current, paths=2, months=84, seed=1)
    paid, accrued = values(results, "interest_paid"), values(results, "interest_accrued")
    assert accrued[:, 0].min() > 0.0
    assert paid == pytest.approx(accrued, rel=1e-12, abs=1e-9)
    assert not values(results, "accrued_interest").any()
    assert values(results, "principal_paid").sum(axis=1) == pytest.approx(tape.opening_balance, rel=1e-12)


def test_late_payers_pay_more_interest() -> None:
    results = lives(late_and_cured(), months=120)
    states, owed = values(results, "trace_state")[0], values(results, "trace_balance")[0]
    assert np.all(states[:, -1] == MATURED)
    in_time = lives(nothing_happens(), months=120, paths=1)
    paid = values(results, "interest_paid").sum(axis=1)
    schedule = float(values(in_time, "interest_paid").sum())
    late = ((states >= 1) & (states <= MAX_BUCKET)).any(axis=1)
    assert 0.5 < late.mean() < 1.0
    assert np.all(paid[late] > schedule * (1.0 + 1e-9))
    assert paid[~late] == pytest.approx(schedule, rel=1e-12)
    # Simple interest: a month's rate on what was owed at its opening, all of it paid in the end.
    assert paid == pytest.approx(RATE * owed.sum(axis=1), rel=1e-9)
    assert values(results, "principal_paid").sum(axis=1) == pytest.approx(9_000.0, rel=1e-12)


def test_interest_stops_accruing_in_arrears() -> None:
    stuck = lives(quiet(intensity=np.zeros((1, 4, 6)), nonaccrual_months=3), months=4, days_past_due=95)
    assert not values(stuck, "interest_accrued").any()
    assert values(stuck, "accrued_interest")[:, 0] == pytest.approx(3 * RATE * values(stuck, "balance")[:, 0])
    accruing = lives(quiet(intensity=np.zeros((1, 4, 6)), nonaccrual_months=4), months=4, days_past_due=95)
    assert values(accruing, "interest_accrued")[:, 0] == pytest.approx(9_000.0 * RATE)


# --- maturity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", range(4))
@pytest.mark.parametrize("remaining", [0, 1, 5])
def test_a_loan_in_arrears_matures_when_nothing_is_in_arrears(bucket: int, remaining: int) -> None:
    # It pays one instalment a month, of which `remaining + bucket` are open.
    due = max(remaining + bucket, 1)
    results = lives(nothing_happens(), months=10, paths=1, remaining_term=remaining, days_past_due=BUCKET_DAYS[bucket])
    states, owed = values(results, "trace_state")[0, 0], values(results, "trace_balance")[0, 0]
    assert states[:due].tolist() == [bucket] * due
    assert np.all(states[due:] == MATURED)
    assert owed[0] == pytest.approx(9_000.0, rel=1e-12)
    assert np.all(np.diff(owed[: due + 1]) < 0.0)
    assert np.all(owed[due:] == 0.0)


def test_past_maturity_nobody_is_current() -> None:
    results = lives(late_and_cured(), months=60, remaining_term=3)
    states = values(results, "trace_state")[0]
    alive = states[:, 3:] <= MAX_BUCKET
    assert alive.any()
    assert np.all(states[:, 3:][alive] >= 1)
    assert np.all(values(results, "trace_balance")[0][:, 3:][alive] > 0.0)


@pytest.mark.parametrize("instalments", [4, RUN_OFF_MONTHS, RUN_OFF_MONTHS + 1])
def test_the_last_instalment_may_fall_into_the_run_off(instalments: int) -> None:
    # Horizon 1: month 25 is the last of the run-off, and who pays the last instalment then has paid all.
    results = lives(nothing_happens(), months=1, remaining_term=instalments - 3, days_past_due=95)
    assert not values(results, "charge_off_after_horizon").any()
    total = values(results, "principal_paid")[:, 0] + values(results, "principal_paid_after_horizon")
    assert total == pytest.approx(9_000.0, rel=1e-9)


def test_who_is_still_in_arrears_after_the_run_off_is_charged_off() -> None:
    results = lives(nothing_happens(), months=1, remaining_term=RUN_OFF_MONTHS, days_past_due=95)
    assert np.all(values(results, "charge_off_after_horizon") > 0.0)
    assert not values(results, "charge_off").any()


def test_only_loans_in_default_run_off() -> None:
    # 60 days past due at the horizon is no default here: the loan is live, and nothing follows.
    results = lives(nothing_happens(), months=1, days_past_due=65)
    assert values(results, "live_count")[:, 0].tolist() == [1] * PATHS
    for name in ("principal_paid", "interest_paid", "charge_off", "recovery", "ultimate_loss"):
        assert not values(results, f"{name}_after_horizon").any()


# --- default -----------------------------------------------------------------------------------------------------


def test_a_loan_defaults_once() -> None:
    results = lives(late_and_cured(), months=60, remaining_term=100)
    states = values(results, "trace_state")[0]
    in_default = (states >= 3) & (states <= MAX_BUCKET)
    spells = (in_default[:, 1:] & ~in_default[:, :-1]).sum(axis=1)
    assert spells.max() > 1
    assert values(results, "default_count").sum(axis=1).tolist() == in_default.any(axis=1).tolist()
    first = in_default.argmax(axis=1)
    for path in np.flatnonzero(in_default.any(axis=1)):
        assert values(results, "default_count")[path, first[path] - 1] == 1
        exposure = values(results, "trace_balance")[0, path, first[path]] * (1.0 + RATE * states[path, first[path]])
        assert values(results, "default_balance")[path, first[path] - 1] == pytest.approx(exposure, rel=1e-9)


def test_who_opens_in_default_does_not_default_again() -> None:
    results = lives(shipped("us_subprime"), months=24, days_past_due=95)
    assert values(results, "charge_off_count").sum() > 0
    assert not values(results, "default_count").any()


# --- charge-off and sale (8) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 3])
def test_loss_of_one_charge_off(lag: int) -> None:
    # All is certain but the month: the car brings 60 % of its value less 5 % and 300, after the lag.
    sale = {"haircut": 0.4, "sale_cost": 300.0, "sale_cost_share": 0.05, "sold_share": 1.0, "lgd_floor": np.nan}
    terms = {name: np.array([figure]) for name, figure in sale.items()}
    parameters = current_only(0.2, sale_lag=np.array([lag]), **terms)
    results = lives(parameters, months=20, remaining_term=100, vehicle_value=5_000.0, value_source="wholesale")
    states, owed = values(results, "trace_state")[0], values(results, "trace_balance")[0]
    value = values(results, "collateral_value")
    growth = np.array([1.0 + RATE])
    for path in range(PATHS):
        month = int(np.argmax(states[path] == CHARGED_OFF))
        if not 1 < month <= 16:
            continue
        exposure = owed[path, month - 1] * growth[0]
        # The live value of the month before, aged on along the depreciation curve.
        aged = parameters.depreciation[0, 18 + month + lag] / parameters.depreciation[0, 18 + month - 1]
        recovery = value[path, month - 2] * aged * 0.6 * 0.95 - 300.0
        assert values(results, "charge_off")[path, month - 1] == pytest.approx(exposure, rel=1e-9)
        assert values(results, "recovery")[path, month - 1 + lag] == pytest.approx(recovery, rel=1e-9)
        loss = exposure - recovery / growth[0] ** lag
        assert values(results, "ultimate_loss")[path, month - 1] == pytest.approx(loss, rel=1e-9)
        assert values(results, "trace_loss")[0, path, -1] == pytest.approx(loss, rel=1e-9)
