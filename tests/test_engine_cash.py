"""Lives of single loans through the engine: who pays what and when, fees, when a loan ends, how principal is repaid."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from scenarios.vocabulary import MATURED, MAX_BUCKET, PREPAID
from simulator.horizon import RUN_OFF_MONTHS
from simulator.parameters import Parameters
from single_loans import RATE, in_month, traced
from small_books import BUCKET_DAYS, CERTAIN, certain, chain, equal_loans, mixed_book, quiet, run, subset, values

PATHS = 400
LOAN = {"current_balance": 9_000.0, "rate": 0.12, "remaining_term": 18}


def nothing_happens(**changes: object) -> Parameters:
    """Every loan stays where it is: a current one pays, one in arrears pays one instalment a month."""
    return quiet(intensity=np.zeros((1, 4, 6)), **changes)


def late_and_cured(**changes: object) -> Parameters:
    """Loans fall behind and catch up, and nobody leaves before maturity; interest accrues throughout."""
    rows = [[0.8, 0.2, 0, 0, 0, 0], [0.3, 0.5, 0.2, 0, 0, 0], [0.2, 0.2, 0.5, 0.1, 0, 0], [0.2, 0.1, 0.1, 0.6, 0, 0]]
    return chain(rows, nonaccrual_months=MAX_BUCKET, **changes)


def lives(parameters: Parameters, months: int, paths: int = PATHS, **changes: object) -> xr.Dataset:
    """One loan on many paths, traced."""
    tape = equal_loans(1, **{**LOAN, **changes})
    return run(tape, parameters, paths=paths, months=months, seed=12, trace=["L0000000"])


def life(parameters: Parameters, months: int, **changes: object) -> xr.Dataset:
    """One loan on one path."""
    return lives(parameters, months, paths=1, **changes)


# --- interest --------------------------------------------------------------------------------------------------


def test_who_always_pays_pays_what_accrues() -> None:
    whole = mixed_book()
    kept = ~whole["repossessed"] & (whole["amortisation"] != "single_payment")
    tape = subset(whole, np.flatnonzero(kept))
    current = nothing_happens(bucket_edges=(0, 4_000, 4_030, 4_060))  # nobody opens in arrears
    results = run(tape, current, paths=2, months=84, seed=1)
    paid, accrued = values(results, "interest_paid"), values(results, "interest_accrued")
    assert accrued[:, 0].min() > 0.0
    assert paid == pytest.approx(accrued, rel=1e-12, abs=1e-9)
    assert not values(results, "accrued_interest").any()
    assert values(results, "principal_paid").sum(axis=1) == pytest.approx(tape.opening_balance, rel=1e-12)
    # What the contracts ask for is what comes.
    for name, flow in (("principal", "principal_paid"), ("interest", "interest_paid")):
        asked = np.broadcast_to(results[f"contractual_{name}"].to_numpy(), paid.shape)
        assert values(results, flow) == pytest.approx(asked, rel=1e-9, abs=1e-6)


def test_late_payers_pay_more_interest() -> None:
    results = lives(late_and_cured(), months=120)
    states, owed = values(results, "trace_state")[0], values(results, "trace_balance")[0]
    assert np.all(states[:, -1] == MATURED)
    in_time = life(nothing_happens(), months=120)
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
    stuck = lives(nothing_happens(nonaccrual_months=3), months=4, days_past_due=95)
    assert not values(stuck, "interest_accrued").any()
    assert values(stuck, "accrued_interest")[:, 0] == pytest.approx(3 * RATE * values(stuck, "balance")[:, 0])
    accruing = lives(nothing_happens(nonaccrual_months=4), months=4, days_past_due=95)
    assert values(accruing, "interest_accrued")[:, 0] == pytest.approx(9_000.0 * RATE)


# --- cash of the month --------------------------------------------------------------------------------------------


def test_the_cash_of_a_traced_loan_is_the_books() -> None:
    fees = {"late_fee": np.array([25.0])}
    for changes in ({}, {"amortisation": "linear"}, {"amortisation": "interest_only"}):
        results = lives(late_and_cured(**fees), months=60, **changes)
        cash = values(results, "trace_cash")[0]
        assert not cash[:, 0].any()
        parts = sum(values(results, name) for name in ("principal_paid", "interest_paid", "fees"))
        assert cash[:, 1:] == pytest.approx(parts, rel=1e-9, abs=1e-9)
        assert values(results, "cash") == pytest.approx(parts, rel=1e-12, abs=1e-9)


def test_what_loans_in_arrears_pay_is_collected() -> None:
    results = lives(late_and_cured(late_fee=np.array([25.0])), months=60)
    states = values(results, "trace_state")[0]
    late = (states[:, :-1] >= 1) & (states[:, :-1] <= MAX_BUCKET)
    paid = values(results, "principal_paid") + values(results, "interest_paid")
    assert values(results, "collected") == pytest.approx(np.where(late, paid, 0.0), rel=1e-12, abs=1e-9)
    assert np.all(values(results, "collected")[late & (states[:, 1:] == 0)] > 0.0)


def test_late_fees_are_paid_with_the_instalments_that_are_late() -> None:
    results = lives(late_and_cured(late_fee=np.array([25.0])), months=60, remaining_term=150)
    states, fees = values(results, "trace_state")[0].astype(int), values(results, "fees")
    was, now = states[:, :-1], states[:, 1:]
    # Of was + 1 - now instalments that are paid, the last one is in time where nothing stays open.
    assert np.array_equal(fees, 25.0 * np.where(now > was, 0, was + 1 - now - (now == 0)))
    # Who closes a month in arrears is late with its instalment: once each, less those that are open at the end.
    missed = np.sum(now >= 1, axis=1)
    assert missed.max() > 20
    assert np.array_equal(fees.sum(axis=1), 25.0 * (missed - now[:, -1]))


@pytest.mark.parametrize(("target", "fee"), [(0, 75.0), (1, 75.0), (2, 50.0), (3, 25.0), ("prepaid", 75.0)])
def test_a_late_fee_by_what_three_missed_instalments_become(target: int | str, fee: float) -> None:
    parameters = certain({3: target} if target != 3 else {}, late_fee=np.array([25.0]))
    results = life(parameters, months=1, days_past_due=95)
    assert in_month(results, "fees") == {1: fee}


def test_an_ending_pays_no_late_fee_unless_it_pays_the_loan() -> None:
    parameters = certain({3: "charge_off"}, late_fee=np.array([25.0]))
    assert not in_month(life(parameters, months=1, days_past_due=95), "fees")


# --- maturity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", range(4))
@pytest.mark.parametrize("remaining", [0, 1, 5])
def test_a_loan_in_arrears_matures_when_nothing_is_in_arrears(bucket: int, remaining: int) -> None:
    # It pays one instalment a month, of which `remaining + bucket` are open.
    due = max(remaining + bucket, 1)
    results = life(nothing_happens(), months=10, remaining_term=remaining, days_past_due=BUCKET_DAYS[bucket])
    states, owed = traced(results, "trace_state"), traced(results, "trace_balance")
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
    results = lives(nothing_happens(late_fee=np.array([5.0])), months=1, days_past_due=65)
    assert values(results, "live_count")[:, 0].tolist() == [1] * PATHS
    for name in ("principal_paid", "interest_paid", "fees", "charge_off", "recovery", "ultimate_loss"):
        assert not values(results, f"{name}_after_horizon").any()
    # A seized car is: the loan goes on, and pays.
    seizure = np.array([[0.0, 0.0, CERTAIN, 0.0]])
    seized = lives(nothing_happens(late_fee=np.array([5.0]), seizure=seizure), months=1, days_past_due=65)
    paid = values(seized, "principal_paid")[:, 0] + values(seized, "principal_paid_after_horizon")
    assert paid == pytest.approx(9_000.0, rel=1e-9)
    assert np.all(values(seized, "fees_after_horizon") > 0.0)


# --- how principal is repaid (1): closed forms by trace -------------------------------------------------------------


def level(growth: float, instalment: float, months: np.ndarray) -> np.ndarray:
    """Principal of 9,000 after so many instalments: the annuity's closed form."""
    return np.asarray(9_000.0 * growth**months - instalment * (growth**months - 1.0) / (growth - 1.0))


MONTHS = np.arange(18)
"""Closes before the last due date, the as-of date included."""


@pytest.mark.parametrize("balloon", [0.0, 4_000.0])
def test_a_balloon_falls_due_with_the_last_instalment(balloon: float) -> None:
    results = life(nothing_happens(), months=20, amortisation="balloon", balloon=balloon)
    growth = 1.0 + RATE
    instalment = (9_000.0 * growth**18 - balloon) * RATE / (growth**18 - 1.0)
    assert traced(results, "trace_balance")[:18] == pytest.approx(level(growth, instalment, MONTHS), rel=1e-12)
    cash = traced(results, "trace_cash")
    assert cash[1:18] == pytest.approx(np.full(17, instalment), rel=1e-12)
    assert cash[18] == pytest.approx(instalment + balloon, rel=1e-12)
    assert in_month(results, "matured_count") == {18: 1.0}
    assert not cash[19:].any()


def test_a_level_loan_with_a_stated_balloon_keeps_it() -> None:
    results = life(nothing_happens(), months=18, balloon=4_000.0)
    assert traced(results, "trace_cash")[18] > 4_000.0


def test_an_interest_only_loan_repays_at_its_end() -> None:
    results = life(nothing_happens(), months=20, amortisation="interest_only")
    assert np.all(traced(results, "trace_balance")[:18] == 9_000.0)
    assert in_month(results, "principal_paid") == {18: pytest.approx(9_000.0, rel=1e-14)}
    assert in_month(results, "interest_paid") == {month: pytest.approx(90.0) for month in range(1, 19)}


@pytest.mark.parametrize("balloon", [0.0, 1_800.0])
def test_a_linear_loan_repays_equal_parts_of_principal(balloon: float) -> None:
    results = life(nothing_happens(), months=20, amortisation="linear", balloon=balloon)
    part = (9_000.0 - balloon) / 18
    assert traced(results, "trace_balance")[:18] == pytest.approx(9_000.0 - part * MONTHS, rel=1e-12)
    paid = in_month(results, "principal_paid")
    assert paid == {month: pytest.approx(part + (balloon if month == 18 else 0.0)) for month in range(1, 19)}
    interest = {month: pytest.approx(RATE * (9_000.0 - part * (month - 1))) for month in range(1, 19)}
    assert in_month(results, "interest_paid") == interest


@pytest.mark.parametrize("amortisation", ["level", "balloon", "interest_only", "linear"])
@pytest.mark.parametrize("bucket", [1, 2, 3])
def test_who_catches_up_joins_the_schedule_of_who_was_never_late(amortisation: str, bucket: int) -> None:
    terms = {"amortisation": amortisation, "balloon": 1_000.0}
    late = life(certain({bucket: 0}), months=18, **terms, days_past_due=BUCKET_DAYS[bucket])
    in_time = life(nothing_happens(), months=21, **{**terms, "remaining_term": 18 + bucket})
    expected = traced(in_time, "trace_balance")[bucket + 1 : bucket + 19]
    assert traced(late, "trace_balance")[1:] == pytest.approx(expected, rel=1e-9)
    # All interest for as long as the principal was owed.
    assert in_month(late, "interest_paid")[1] == pytest.approx((bucket + 1) * RATE * 9_000.0, rel=1e-12)
    assert in_month(late, "matured_count") == {18: 1.0}


def test_a_balance_without_events_is_the_closed_form_bit_for_bit() -> None:
    """Level loans at rates from 0 % up: the recursion B <- a B - b, in this order of operations."""
    rates = [0.0, 0.03, 0.0799, 0.24]
    for rate in rates:
        growth = 1.0 + rate / 12.0
        results = life(nothing_happens(), months=54, rate=rate, remaining_term=54, scheduled_payment=200.0)
        balance = traced(results, "trace_balance")
        owed, places = 9_000.0, 0
        while owed > 0.2 and places < 54:
            assert balance[places] == owed, (rate, places)
            owed, places = owed * growth - 200.0, places + 1
        assert places > 40


# --- single payment and its renewal (1c) -----------------------------------------------------------------------------

ROLLING = {"amortisation": "single_payment", "original_term": 4, "remaining_term": 3}


def test_a_single_payment_loan_is_renewed_for_a_fee_on_every_due_date() -> None:
    results = life(nothing_happens(renewal_fee=np.array([0.1])), months=16, **ROLLING)
    due = (3, 7, 11, 15)
    assert in_month(results, "fees") == {month: pytest.approx(900.0) for month in due}
    assert in_month(results, "renewed_count") == dict.fromkeys(due, 1.0)
    assert in_month(results, "interest_paid") == {month: pytest.approx(90.0) for month in range(1, 17)}
    assert not in_month(results, "principal_paid")
    assert traced(results, "trace_balance").tolist() == [9_000.0] * 17
    cash = [90.0 + 900.0 * (month in due) for month in range(1, 17)]
    assert traced(results, "trace_cash")[1:] == pytest.approx(cash)


def test_a_single_payment_loan_ends_by_payoff_alone() -> None:
    results = life(certain({0: "prepaid"}, renewal_fee=np.array([0.1])), months=3, **{**ROLLING, "remaining_term": 1})
    assert traced(results, "trace_state").tolist() == [0, PREPAID, PREPAID, PREPAID]
    assert not in_month(results, "fees")
    assert in_month(results, "prepaid") == {1: 9_000.0}


def test_who_is_in_arrears_on_a_due_date_does_not_renew() -> None:
    # Late in months 1, 3, 5, ..., current in 2, 4, 6, ...: every due date but an even one is missed.
    loan = {**ROLLING, "original_term": 3, "remaining_term": 2}
    results = life(certain({0: 1, 1: 0}, renewal_fee=np.array([0.1])), months=12, **loan)
    assert traced(results, "trace_state").tolist() == [month % 2 for month in range(13)]
    # Back to current in month 2, 4, ...: a loan that opened in arrears has missed its date, too.
    assert not in_month(results, "renewed_count")
    stays = life(nothing_happens(renewal_fee=np.array([0.1])), months=12, **loan)
    assert list(in_month(stays, "renewed_count")) == [2, 5, 8, 11]


def test_renewals_of_a_book_pay_their_share_of_principal() -> None:
    rows = [[0.7, 0.1, 0, 0, 0, 0.2], [0.4, 0.3, 0.2, 0, 0.1, 0], [0, 0, 0.5, 0, 0.5, 0], [0, 0, 0, 0.5, 0.5, 0]]
    tape = equal_loans(500, **{**LOAN, **ROLLING, "original_term": 1, "remaining_term": 1})
    results = run(tape, chain(rows, renewal_fee=np.array([0.15])), paths=4, months=6, seed=3)
    renewed = values(results, "renewed_count")
    assert values(results, "fees") == pytest.approx(0.15 * 9_000.0 * renewed, rel=1e-12)
    stays = values(results, "transition_count_mean")[:, 0, 0]
    assert renewed.mean(axis=0) == pytest.approx(stays, rel=1e-12)
    assert not values(results, "matured_count").any()
