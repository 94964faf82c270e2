"""The accounts of a loan's month (1), (1a), (1b), (8a), in the compiled kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import BOOK_VARIABLES, CHARGED_OFF, EXIT_LABELS, MATURED, MAX_BUCKET, PREPAID, TOTAL_LOSS
from simulator.kernels import booking
from simulator.kernels.active import exit_column
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.booking import (
    book_cash,
    book_default,
    book_extension,
    book_fee,
    book_flags,
    book_on_time,
    book_stocks,
    fold_lagged,
)
from simulator.kernels.bundles import ENDLESS, Move, Terms
from simulator.kernels.collateral import car_condition, car_is_found, car_is_seized, kept_proceeds
from small_books import fixed_examples

MONTH = 7
FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

ROWS = {variable.name: row for row, variable in enumerate(BOOK_VARIABLES)}

balances = st.floats(100.0, 100_000.0)
monthly_rates = st.one_of(st.just(0.0), st.floats(1e-6, 0.03))
buckets = st.integers(0, MAX_BUCKET)


@dataclass(frozen=True)
class Loan:
    """A loan `bucket` instalments behind: what it owes now is owed[0], after n more instalments owed[n].

    Had it paid all, it would owe owed[bucket] now and owed[bucket + 1] a month on.
    """

    owed: list[float]
    bucket: int
    growth: float
    shrink: float
    step: float

    @property
    def rate(self) -> float:
        return self.growth - 1.0


@st.composite
def loans(draw: st.DrawFn) -> Loan:
    """Any amortisation, with what it leaves at its end; more instalments are open than a month can pay."""
    growth = 1.0 + draw(monthly_rates)
    remaining = draw(st.integers(MAX_BUCKET + 3, 180))
    balance, left = draw(balances), draw(st.one_of(st.just(0.0), st.floats(0.0, 0.9)))
    if draw(st.booleans()):
        shrink, repaid = growth, balance * (1.0 - left * growth**-remaining)
        step = repaid / sum(growth**-k for k in range(1, remaining + 1))
    else:
        shrink, step = 1.0, draw(st.sampled_from([0.0, balance * (1.0 - left) / remaining]))
    owed = [balance]
    for _ in range(MAX_BUCKET + 2):
        owed.append(owed[-1] * shrink - step)
    return Loan(owed, draw(buckets), growth, shrink, step)


def empty_book() -> np.ndarray:
    return np.zeros((len(BOOK_VARIABLES), MONTH + 4))


def booked(book: np.ndarray) -> dict[str, float]:
    """Amounts of the month by name; nothing stands in another month."""
    assert not book[:, np.arange(book.shape[1]) != MONTH].any()
    return {name: float(book[row, MONTH]) for name, row in ROWS.items()}


def settle(loan: Loan, state: int, nonaccrual: int = 99, term: int = ENDLESS) -> tuple[dict[str, float], tuple]:
    """Run book_cash: cash flows by name, and what it returned."""
    book = empty_book()
    move = Move(loan.bucket, state, loan.owed[loan.bucket], loan.owed[loan.bucket + 1])
    returned = book_cash(book, MONTH, move, Terms(loan.growth, loan.shrink, loan.step, term, nonaccrual))
    return booked(book), returned


def months_owed(loan: Loan, nonaccrual: int) -> int:
    """Months of interest on the opening principal that are owed once this month's has accrued."""
    return min(loan.bucket, nonaccrual) + (loan.bucket < nonaccrual)


# --- order of rows ------------------------------------------------------------------------------------------


def test_rows_stand_in_the_vocabularys_order() -> None:
    names = [variable.name.upper() for variable in BOOK_VARIABLES]
    # PREPAID alone is the state; its flow's row bears a longer name.
    constants = ["PREPAID_PRINCIPAL" if name == "PREPAID" else name for name in names]
    assert [getattr(booking, name) for name in constants] == list(range(len(BOOK_VARIABLES)))


def test_columns_of_exits() -> None:
    labels = ["current", "30-59", "60-89", "90-119", *EXIT_LABELS.values()]
    assert [exit_column(state, 4) for state in range(4)] == [0, 1, 2, 3]
    for state, label in EXIT_LABELS.items():
        assert labels[exit_column(state, 4)] == label


# --- principal and interest ---------------------------------------------------------------------------------


@fixed_examples
@given(loans())
def test_principal_behind_is_the_principal_of_so_many_instalments_ago(loan: Loan) -> None:
    found = principal_behind(loan.owed[loan.bucket], loan.bucket, loan.shrink, loan.step)
    assert found == pytest.approx(loan.owed[0], rel=1e-9)


@fixed_examples
@given(balances, monthly_rates, buckets, st.integers(0, 8))
def test_interest_stops_accruing(balance: float, rate: float, bucket: int, nonaccrual: int) -> None:
    found = accrued_interest(balance, bucket, 1.0 + rate, nonaccrual)
    assert found == pytest.approx(balance * rate * min(bucket, nonaccrual), abs=1e-9 * balance)


@fixed_examples
@given(loans(), st.integers(0, 8), st.sampled_from([*range(MAX_BUCKET + 1), PREPAID, CHARGED_OFF, TOTAL_LOSS]))
def test_what_opens_and_accrues_is_paid_or_stays(loan: Loan, nonaccrual: int, state: int) -> None:
    assume(state > MAX_BUCKET or state <= loan.bucket + 1)
    flows, (closing, principal, accrued, cash) = settle(loan, state, nonaccrual)
    assert closing == state
    scale = {"rel": 1e-9, "abs": 1e-9 * loan.owed[0]}
    left = flows["principal_paid"] + flows["prepaid"] + principal
    assert left == pytest.approx(loan.owed[0], **scale)
    opening_interest = loan.owed[0] * loan.rate * min(loan.bucket, nonaccrual)
    assert flows["interest_paid"] + accrued == pytest.approx(opening_interest + flows["interest_accrued"], **scale)
    assert flows["interest_paid"] >= -1e-9 * loan.owed[0]
    assert flows["principal_paid"] >= -1e-9 * loan.owed[0]
    expected = loan.owed[0] * loan.rate * (loan.bucket < nonaccrual)
    assert flows["interest_accrued"] == pytest.approx(expected, **scale)
    paid = flows["principal_paid"] + flows["prepaid"] + flows["interest_paid"]
    assert (cash, flows["cash"]) == (pytest.approx(paid, **scale), pytest.approx(paid, **scale))
    instalments = loan.bucket > 0 and state <= MAX_BUCKET
    assert flows["collected"] == (flows["cash"] if instalments else 0.0)


@fixed_examples
@given(loans(), buckets)
def test_cash_is_the_instalments_paid_and_late_interest(loan: Loan, state: int) -> None:
    assume(state <= loan.bucket + 1)
    flows, _ = settle(loan, state)
    paid = max(loan.bucket + 1 - state, 0)
    due = sum(loan.owed[place] * loan.growth - loan.owed[place + 1] for place in range(paid))
    late = flows["cash"] - due
    # Interest on each missed instalment's principal for as long as it was owed; none for who pays in time.
    assert late >= -1e-8 * loan.owed[0]
    if loan.bucket == 0 or loan.growth == 1.0 or paid == 0:
        assert late == pytest.approx(0.0, abs=1e-8 * loan.owed[0])
    if state == 0:
        missed = [loan.owed[0] - loan.owed[place] for place in range(loan.bucket + 1)]
        assert late == pytest.approx(loan.rate * sum(missed), abs=1e-8 * loan.owed[0])


@fixed_examples
@given(loans())
def test_nothing_is_paid_by_who_falls_further_behind_or_ends_badly(loan: Loan) -> None:
    for state in [*range(loan.bucket + 1, MAX_BUCKET + 1)[:1], CHARGED_OFF, TOTAL_LOSS]:
        flows, (_, principal, _, cash) = settle(loan, state)
        assert (flows["principal_paid"], flows["prepaid"]) == (0.0, 0.0)
        assert flows["interest_paid"] == pytest.approx(0.0, abs=1e-9 * loan.owed[0])
        assert cash == pytest.approx(0.0, abs=1e-9 * loan.owed[0])
        assert principal == pytest.approx(loan.owed[0], rel=1e-9)


@fixed_examples
@given(loans(), buckets, st.integers(-MAX_BUCKET, 2 * MAX_BUCKET))
def test_a_loan_matures_when_its_last_instalment_is_paid(loan: Loan, state: int, after_last: int) -> None:
    assume(state <= loan.bucket + 1)
    # The last instalment was due `after_last` months ago: it is open until the loan is no longer behind it.
    flows, (closing, principal, accrued, cash) = settle(loan, state, term=MONTH - after_last)
    if after_last >= state:
        assert (closing, principal, accrued) == (MATURED, 0.0, 0.0)
        assert flows["matured_count"] == 1.0
        assert flows["principal_paid"] == pytest.approx(loan.owed[0], rel=1e-9)
        # What is left at the end, a balloon or all of it, is part of the last payment.
        everything = loan.owed[0] * (1.0 + loan.rate * (loan.bucket + 1))
        assert cash == pytest.approx(everything, rel=1e-9)
    else:
        assert (closing, flows["matured_count"]) == (state, 0.0)


@fixed_examples
@given(loans(), st.integers(0, 8))
def test_a_prepaid_loan_pays_all_it_owes(loan: Loan, nonaccrual: int) -> None:
    flows, (state, principal, accrued, cash) = settle(loan, PREPAID, nonaccrual)
    assert (state, principal, accrued) == (PREPAID, 0.0, 0.0)
    assert (flows["prepaid_count"], flows["principal_paid"], flows["collected"]) == (1.0, 0.0, 0.0)
    assert flows["prepaid"] == pytest.approx(loan.owed[0], rel=1e-9)
    interest = loan.owed[0] * loan.rate * months_owed(loan, nonaccrual)
    assert flows["interest_paid"] == pytest.approx(interest, rel=1e-9, abs=1e-9 * loan.owed[0])
    assert cash == pytest.approx(loan.owed[0] + interest, rel=1e-9)


@fixed_examples
@given(loans(), st.integers(0, 8))
def test_an_extension_brings_no_cash_and_capitalises_all_interest(loan: Loan, nonaccrual: int) -> None:
    book = empty_book()
    move = Move(loan.bucket, 0, loan.owed[loan.bucket], loan.owed[loan.bucket + 1])
    terms = Terms(loan.growth, loan.shrink, loan.step, ENDLESS, nonaccrual)
    principal = book_extension(book, MONTH, move, terms)
    flows = booked(book)
    interest = loan.owed[0] * loan.rate * months_owed(loan, nonaccrual)
    assert principal == pytest.approx(loan.owed[0] + interest, rel=1e-9)
    accrued = loan.owed[0] * loan.rate * (loan.bucket < nonaccrual)
    expected = {"interest_accrued": accrued, "capitalised": interest, "modified_count": 1.0}
    for name, amount in flows.items():
        assert amount == pytest.approx(expected.get(name, 0.0), rel=1e-9, abs=1e-9 * loan.owed[0]), name


# --- stocks, and who pays on time -----------------------------------------------------------------------------


@pytest.mark.parametrize(("bucket", "late", "serious"), [(0, 0.0, 0.0), (1, 100.0, 0.0), (2, 100.0, 100.0)])
def test_stocks(bucket: int, late: float, serious: float) -> None:
    book = empty_book()
    book_stocks(book, MONTH, bucket, 100.0, 3.0, 70.0)
    expected = {"balance": 100.0, "delinquent_balance": late, "seriously_delinquent_balance": serious}
    expected |= {"accrued_interest": 3.0, "collateral_value": 70.0, "live_count": 1.0, "delinquent_count": late / 100.0}
    assert booked(book) == {name: expected.get(name, 0.0) for name in ROWS}


@pytest.mark.parametrize("flags", [(False, False, False), (True, False, True), (False, True, False), (True,) * 3])
def test_flags_are_stocks_of_principal(flags: tuple[bool, bool, bool]) -> None:
    book = empty_book()
    book_flags(book, MONTH, 100.0, flags)
    names = ("defaulted_balance", "modified_balance", "repossessed_balance")
    expected = {name: 100.0 * flag for name, flag in zip(names, flags, strict=True)}
    assert booked(book) == {name: expected.get(name, 0.0) for name in ROWS}


def test_who_pays_on_time_is_booked_as_a_sum() -> None:
    book = empty_book()
    for _ in range(2):
        book_on_time(book, MONTH, (900.0, 100.0, 8.0, 700.0, 60.0, 40.0), 5)
    expected = {"balance": 1_800.0, "principal_paid": 200.0, "interest_paid": 16.0, "interest_accrued": 16.0}
    expected |= {"cash": 216.0, "collateral_value": 1_400.0, "live_count": 10.0}
    expected |= {"modified_balance": 120.0, "defaulted_balance": 80.0}
    assert booked(book) == {name: expected.get(name, 0.0) for name in ROWS}


def test_fees_and_defaults_are_booked_where_they_belong() -> None:
    book = empty_book()
    assert book_fee(book, MONTH, 25.0) == 25.0
    book_default(book, MONTH, 1_050.0)
    expected = {"fees": 25.0, "cash": 25.0, "default_balance": 1_050.0, "default_count": 1.0}
    assert booked(book) == {name: expected.get(name, 0.0) for name in ROWS}


# --- cash after charge-off ------------------------------------------------------------------------------------


def test_cash_comes_in_its_month_after_the_charge_off() -> None:
    months, lags = 5, 4
    lagged = np.random.default_rng(3).uniform(10.0, 20.0, (3, months, lags))
    book = np.zeros((len(BOOK_VARIABLES), months + lags))
    fold_lagged(book, lagged)
    expected = np.zeros((3, months + lags))
    for month in range(months):
        expected[:, month : month + lags] += lagged[:, month]
    proceeds, cost, deficiency = expected
    assert book[ROWS["sale_proceeds"]] == pytest.approx(proceeds, rel=1e-14)
    assert book[ROWS["workout_cost"]] == pytest.approx(cost, rel=1e-14)
    assert book[ROWS["deficiency_cash"]] == pytest.approx(deficiency, rel=1e-14)
    for name in ("recovery", "cash"):
        assert book[ROWS[name]] == pytest.approx(proceeds - cost + deficiency, rel=1e-12), name


@pytest.mark.parametrize(
    ("price", "claim", "floor", "kept"),
    [
        (10_000.0, 12_000.0, 0.0, 10_000.0),
        (10_000.0, 8_000.0, 0.0, 9_100.0),  # what exceeds claim and costs is the borrower's
        (10_000.0, 8_000.0, -math.inf, 10_000.0),
        (10_000.0, 8_000.0, 0.25, 7_100.0),
        (500.0, 8_000.0, 0.0, 500.0),  # costs exceed the price
    ],
)
def test_kept_proceeds(price: float, claim: float, floor: float, kept: float) -> None:
    cost = 1_100.0
    proceeds = kept_proceeds(price, cost, claim, floor)
    assert proceeds == kept
    assert proceeds - cost <= claim * (1.0 - floor) or floor == -math.inf


# --- cars -------------------------------------------------------------------------------------------------------


def test_a_car_has_one_condition_a_path_with_mean_1() -> None:
    """Mean and sd of the log of 40,000 cars; a fresh seed fails about once in 10,000."""
    sd, count, seed = 0.2, 40_000, np.uint64(8)
    found = np.log([car_condition(np.uint64(entity), 5, seed, sd) for entity in range(count)])
    z = (found + 0.5 * sd**2) / sd
    bound = normal_bound(FALSE_ALARM, 2)
    assert abs(z.mean()) * math.sqrt(count) < bound
    assert abs(z.var() - 1.0) * math.sqrt(count / 2.0) < bound
    assert car_condition(np.uint64(3), 5, seed, 0.0) == 1.0


@pytest.mark.parametrize("share", [0.17, 0.83])
def test_the_share_of_cars_that_are_found_and_seized(share: float) -> None:
    """Binomial counts of 40,000 cars; the four of both cases fail about once in 10,000 fresh seeds."""
    count, seed = 40_000, np.uint64(8)
    entities = np.arange(count, dtype=np.uint64)
    found = sum(car_is_found(entity, 5, 9, seed, share) for entity in entities)
    seized = sum(car_is_seized(entity, 5, 9, seed, -math.log1p(-share)) for entity in entities)
    assert_shares(np.array([found, seized]), [share, share], count, normal_bound(FALSE_ALARM, 4))


def test_nothing_is_found_or_seized_with_no_chance_and_all_with_certainty() -> None:
    seed = np.uint64(8)
    for entity in np.arange(1_000, dtype=np.uint64):
        assert not car_is_found(entity, 5, 9, seed, 0.0)
        assert car_is_found(entity, 5, 9, seed, 1.0)
        assert not car_is_seized(entity, 5, 9, seed, 0.0)
        assert car_is_seized(entity, 5, 9, seed, 50.0)
