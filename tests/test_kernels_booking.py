"""The accounts of a loan's month (1), (1a), (8), in the compiled kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scenarios.vocabulary import BOOK_VARIABLES, CHARGED_OFF, EXIT_LABELS, MATURED, MAX_BUCKET, PREPAID
from simulator.kernels import booking
from simulator.kernels.active import exit_column
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.booking import book_cash, book_charge_off, book_default, book_stocks
from simulator.kernels.bundles import Move, Terms
from simulator.kernels.collateral import car_condition, car_is_sold, sale_recovery
from small_books import fixed_examples

MONTH = 7
LATE = MONTH + 1_000
"""Term of a loan that does not end."""

ROWS = {variable.name: row for row, variable in enumerate(BOOK_VARIABLES)}

balances = st.floats(100.0, 100_000.0)
monthly_rates = st.one_of(st.just(0.0), st.floats(1e-6, 0.03))
buckets = st.integers(0, MAX_BUCKET)


@st.composite
def months_of_a_loan(draw: st.DrawFn) -> tuple[list[float], int, float, float]:
    """Principal after 0, 1, 2, ... instalments; opening bucket; growth a month; instalment."""
    growth = 1.0 + draw(monthly_rates)
    remaining = draw(st.integers(MAX_BUCKET + 3, 180))
    balance = draw(balances)
    instalment = balance / sum(growth**-k for k in range(1, remaining + 1))
    owed = [balance]
    for _ in range(MAX_BUCKET + 2):
        owed.append(owed[-1] * growth - instalment)
    return owed, draw(buckets), growth, instalment


def settle(case: tuple, state: int, nonaccrual: int = 99, term: int = LATE) -> tuple[dict[str, float], tuple]:
    """Run book_cash for a loan `bucket` behind: cash flows by name, and what it returned."""
    owed, bucket, growth, instalment = case
    # owed[0] is what it owes now; had it paid all, it would owe owed[bucket] now and owed[bucket + 1] a month on.
    book = np.zeros((len(BOOK_VARIABLES), MONTH + 4))
    move = Move(bucket, state, owed[bucket], owed[bucket + 1])
    returned = book_cash(book, MONTH, move, Terms(growth, instalment, term, nonaccrual))
    assert not book[:, np.arange(MONTH + 4) != MONTH].any()
    return {name: float(book[row, MONTH]) for name, row in ROWS.items()}, returned


# --- order of rows ------------------------------------------------------------------------------------------


def test_rows_stand_in_the_vocabularys_order() -> None:
    names = [variable.name.upper() for variable in BOOK_VARIABLES]
    # PREPAID alone is the state; its flow's row bears a longer name.
    constants = ["PREPAID_PRINCIPAL" if name == "PREPAID" else name for name in names]
    assert [getattr(booking, name) for name in constants] == list(range(len(BOOK_VARIABLES)))


def test_columns_of_exits() -> None:
    labels = ["current", "30-59", "60-89", "90-119", "charged_off", "prepaid", "matured"]
    assert [exit_column(state, 4) for state in range(4)] == [0, 1, 2, 3]
    for state, label in EXIT_LABELS.items():
        assert labels[exit_column(state, 4)] == label


# --- principal and interest ---------------------------------------------------------------------------------


@fixed_examples
@given(months_of_a_loan())
def test_principal_behind_is_the_principal_of_so_many_instalments_ago(case: tuple) -> None:
    owed, bucket, growth, instalment = case
    found = principal_behind(owed[bucket], bucket, growth, instalment)
    assert found == pytest.approx(owed[0], rel=1e-9)


@fixed_examples
@given(balances, monthly_rates, buckets, st.integers(0, 8))
def test_interest_stops_accruing(balance: float, rate: float, bucket: int, nonaccrual: int) -> None:
    found = accrued_interest(balance, bucket, 1.0 + rate, nonaccrual)
    assert found == pytest.approx(balance * rate * min(bucket, nonaccrual), abs=1e-9 * balance)


@fixed_examples
@given(months_of_a_loan(), st.integers(0, 8), st.sampled_from([*range(MAX_BUCKET + 2), PREPAID, CHARGED_OFF]))
def test_what_opens_and_accrues_is_paid_or_stays(case: tuple, nonaccrual: int, state: int) -> None:
    owed, bucket, growth, _ = case
    assume(state > MAX_BUCKET + 1 or state <= min(bucket + 1, MAX_BUCKET))
    flows, (closing, principal, accrued) = settle(case, state, nonaccrual)
    assert closing == state
    opening_interest = owed[0] * (growth - 1.0) * min(bucket, nonaccrual)
    scale = {"rel": 1e-9, "abs": 1e-9 * owed[0]}
    left = flows["principal_paid"] + flows["prepaid"] + principal
    assert left == pytest.approx(owed[0], **scale)
    assert flows["interest_paid"] + accrued == pytest.approx(opening_interest + flows["interest_accrued"], **scale)
    assert flows["interest_paid"] >= -1e-9 * owed[0]
    assert flows["principal_paid"] >= -1e-9 * owed[0]
    assert flows["interest_accrued"] == pytest.approx(owed[0] * (growth - 1.0) * (bucket < nonaccrual), **scale)


@fixed_examples
@given(months_of_a_loan(), buckets)
def test_cash_is_the_instalments_paid_and_late_interest(case: tuple, state: int) -> None:
    owed, bucket, growth, instalment = case
    assume(state <= bucket + 1)
    flows, _ = settle(case, state)
    cash = flows["principal_paid"] + flows["interest_paid"]
    instalments = max(bucket + 1 - state, 0)
    late = cash - instalments * instalment
    # Interest on each missed instalment's principal for as long as it was owed; none for who pays in time.
    assert late >= -1e-8 * owed[0]
    if bucket == 0 or growth == 1.0 or instalments == 0:
        assert late == pytest.approx(0.0, abs=1e-8 * owed[0])
    if state == 0 and bucket > 0:
        missed = [owed[0] - owed[paid] for paid in range(bucket + 1)]
        assert late == pytest.approx((growth - 1.0) * sum(missed), abs=1e-8 * owed[0])


@fixed_examples
@given(months_of_a_loan())
def test_nothing_is_paid_by_who_falls_further_behind_or_is_charged_off(case: tuple) -> None:
    owed, bucket, *_ = case
    for state in [*range(bucket + 1, MAX_BUCKET + 1)[:1], CHARGED_OFF]:
        flows, (_, principal, _) = settle(case, state)
        assert (flows["principal_paid"], flows["prepaid"]) == (0.0, 0.0)
        assert flows["interest_paid"] == pytest.approx(0.0, abs=1e-9 * owed[0])
        assert principal == pytest.approx(owed[0], rel=1e-9)


@fixed_examples
@given(months_of_a_loan(), buckets, st.integers(-MAX_BUCKET, 2 * MAX_BUCKET))
def test_a_loan_matures_when_its_last_instalment_is_paid(case: tuple, state: int, after_last: int) -> None:
    owed, bucket, *_ = case
    assume(state <= min(bucket + 1, MAX_BUCKET))
    # The last instalment was due `after_last` months ago: it is open until the loan is no longer behind it.
    flows, (closing, principal, accrued) = settle(case, state, term=MONTH - after_last)
    if after_last >= state:
        assert (closing, principal, accrued) == (MATURED, 0.0, 0.0)
        assert flows["matured_count"] == 1.0
        assert flows["principal_paid"] == pytest.approx(owed[0], rel=1e-9)
    else:
        assert (closing, flows["matured_count"]) == (state, 0.0)


@fixed_examples
@given(months_of_a_loan(), st.integers(0, 8))
def test_a_prepaid_loan_pays_all_it_owes(case: tuple, nonaccrual: int) -> None:
    owed, bucket, growth, _ = case
    flows, returned = settle(case, PREPAID, nonaccrual)
    assert returned == (PREPAID, 0.0, 0.0)
    assert (flows["prepaid_count"], flows["principal_paid"]) == (1.0, 0.0)
    assert flows["prepaid"] == pytest.approx(owed[0], rel=1e-9)
    months = min(bucket, nonaccrual) + (bucket < nonaccrual)
    assert flows["interest_paid"] == pytest.approx(owed[0] * (growth - 1.0) * months, rel=1e-9, abs=1e-9 * owed[0])


@pytest.mark.parametrize(("bucket", "late", "serious"), [(0, 0.0, 0.0), (1, 100.0, 0.0), (2, 100.0, 100.0)])
def test_stocks(bucket: int, late: float, serious: float) -> None:
    book = np.zeros((len(BOOK_VARIABLES), 3))
    book_stocks(book, 2, bucket, 100.0, 3.0, 70.0)
    expected = {"balance": 100.0, "delinquent_balance": late, "seriously_delinquent_balance": serious}
    expected |= {"accrued_interest": 3.0, "collateral_value": 70.0, "live_count": 1.0}
    assert {name: book[row, 2] for name, row in ROWS.items() if book[row, 2] != 0.0} == {
        name: value for name, value in expected.items() if value != 0.0
    }


# --- default, charge-off, sale ------------------------------------------------------------------------------


def test_charge_off_and_default_bookings() -> None:
    book = np.zeros((len(BOOK_VARIABLES), 12))
    loss = book_charge_off(book, 3, 1_050.0, 50.0, 400.0, (2, 1.01))
    book_default(book, 3, 1_050.0)
    assert loss == pytest.approx(1_050.0 - 400.0 / 1.01**2, rel=1e-14)
    booked = {name: (int(book[row].argmax()), float(book[row].max())) for name, row in ROWS.items() if book[row].any()}
    assert booked == {
        "charge_off": (3, 1_050.0),
        "charge_off_interest": (3, 50.0),
        "charge_off_count": (3, 1.0),
        "recovery": (5, 400.0),
        "ultimate_loss": (3, loss),
        "default_balance": (3, 1_050.0),
        "default_count": (3, 1.0),
    }


@pytest.mark.parametrize(
    ("price", "claim", "floor", "expected"),
    [
        (10_000.0, 12_000.0, 0.0, 8_900.0),
        (10_000.0, 8_000.0, 0.0, 8_000.0),  # what exceeds the claim is the borrower's
        (10_000.0, 8_000.0, -math.inf, 8_900.0),
        (10_000.0, 8_000.0, 0.25, 6_000.0),
        (500.0, 8_000.0, 0.0, -125.0),  # costs exceed the price
    ],
)
def test_sale_recovery(price: float, claim: float, floor: float, expected: float) -> None:
    # 600 fixed and 5 % of the price.
    assert sale_recovery(price, 600.0, 0.05, claim, floor) == pytest.approx(expected, rel=1e-14)


def test_a_car_has_one_condition_a_path_with_mean_1() -> None:
    """Mean and sd of the log of 40,000 cars; a fresh seed fails about once in 10,000."""
    sd, count, seed = 0.2, 40_000, np.uint64(8)
    found = np.log([car_condition(np.uint64(entity), 5, seed, sd) for entity in range(count)])
    z = (found + 0.5 * sd**2) / sd
    bound = 4.1  # two-sided 4e-5 of a normal, twice
    assert abs(z.mean()) * math.sqrt(count) < bound
    assert abs(z.var() - 1.0) * math.sqrt(count / 2.0) < bound
    assert car_condition(np.uint64(3), 5, seed, 0.0) == 1.0


def test_the_share_of_cars_that_are_sold() -> None:
    """Binomial count of 40,000 cars; a fresh seed fails about once in 10,000."""
    share, count, seed = 0.83, 40_000, np.uint64(8)
    sold = sum(car_is_sold(np.uint64(entity), 5, 9, seed, share) for entity in range(count))
    assert abs(sold - share * count) < 3.9 * math.sqrt(count * share * (1.0 - share))
    assert not any(car_is_sold(np.uint64(entity), 5, 9, seed, 0.0) for entity in range(1_000))
    assert all(car_is_sold(np.uint64(entity), 5, 9, seed, 1.0) for entity in range(1_000))
