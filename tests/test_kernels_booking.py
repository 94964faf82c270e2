"""The accounts of a loan's month (1), (1a), (1b), (8a), in the compiled kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from item_kernels import SCALE, close_stocks, empty_items, pay, settled
from scenarios.vocabulary import (
    BOOK_VARIABLES,
    CHARGED_OFF,
    EXIT_LABELS,
    EXTENDED,
    MATURED,
    MAX_BUCKET,
    PREPAID,
    TOTAL_LOSS,
)
from simulator.kernels import booking
from simulator.kernels.amounts import accrued_interest, principal_behind, quanta
from simulator.kernels.booking import book_default, book_fee, book_opening, fold_lagged
from simulator.kernels.bundles import ENDLESS
from simulator.kernels.close import EXIT_PLACE
from simulator.kernels.collateral import fold_collateral
from simulator.kernels.compile import compiled
from small_books import fixed_examples

MONTH = 7
FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

QUANTA = 1e-9
"""A few quanta and the rounding of a balance: sums are of whole quanta, rounded item by item."""

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


def columns_of(some: list[Loan], drawn: list[int], term: int = ENDLESS, fee: float = 0.0) -> dict[str, list[float]]:
    """Items as they are gathered: their tracks stand at the month's opening."""
    return {
        "track": [loan.owed[loan.bucket] for loan in some],
        "shrink": [loan.shrink for loan in some],
        "step": [loan.step for loan in some],
        "rate": [loan.rate for loan in some],
        "bucket": [loan.bucket for loan in some],
        "due": [term] * len(some),
        "fee": [fee] * len(some),
        "drawn": drawn,
    }


def settle(
    loan: Loan, drawn: int, nonaccrual: int = 99, term: int = ENDLESS, fee: float = 0.0
) -> tuple[dict[str, float], tuple[int, float, float, float]]:
    """Settle one item: amounts by name, and its state, principal, accrued interest and cash.

    Principal and interest are those at month end, of a loan that is charged off or loses its car its claim.
    """
    book, items = settled(MONTH, columns_of([loan], [drawn], term, fee), nonaccrual=nonaccrual)
    state = int(items.state[0, 0])
    claim = (items.principal, items.interest) if state in (CHARGED_OFF, TOTAL_LOSS) else (items.close, items.accrued)
    return booked(book), (state, float(claim[0][0, 0]), float(claim[1][0, 0]), float(items.cash[0, 0]))


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
    labels = list(EXIT_LABELS.values())
    assert sorted(EXIT_PLACE) == list(range(len(labels)))
    for state, label in EXIT_LABELS.items():
        assert labels[EXIT_PLACE[state - MATURED]] == label


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
    assert flows["collected"] == pytest.approx(flows["cash"] if instalments else 0.0, abs=QUANTA)
    live = principal if state <= MAX_BUCKET else 0.0
    assert flows["balance"] == pytest.approx(live, abs=QUANTA)
    assert flows["live_count"] == (state <= MAX_BUCKET)


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
    assume(loan.bucket > 0)
    flows, (state, principal, unpaid, cash) = settle(loan, EXTENDED, nonaccrual, fee=25.0)
    assert (state, unpaid, cash) == (0, 0.0, 0.0)
    interest = loan.owed[0] * loan.rate * months_owed(loan, nonaccrual)
    assert principal == pytest.approx(loan.owed[0] + interest, rel=1e-9)
    accrued = loan.owed[0] * loan.rate * (loan.bucket < nonaccrual)
    expected = {"interest_accrued": accrued, "capitalised": interest, "modified_count": 1.0}
    expected |= {"balance": principal, "live_count": 1.0}
    for name, amount in flows.items():
        assert amount == pytest.approx(expected.get(name, 0.0), rel=1e-9, abs=1e-9 * loan.owed[0]), name


# --- stocks, and who pays on time -----------------------------------------------------------------------------


NO_FLAGS = (False, False, False)


def stocks(bucket: int, late: float, serious: float) -> dict[str, float]:
    """Stocks of one loan of 100 with 3 of accrued interest."""
    found = {"balance": 100.0, "delinquent_balance": late, "seriously_delinquent_balance": serious}
    return found | {"accrued_interest": 3.0 * (bucket > 0), "live_count": 1.0, "delinquent_count": late / 100.0}


STOCKS = [(0, 0.0, 0.0), (1, 100.0, 0.0), (2, 100.0, 100.0), (MAX_BUCKET, 100.0, 100.0)]


@pytest.mark.parametrize(("bucket", "late", "serious"), STOCKS)
def test_closing_stocks(bucket: int, late: float, serious: float) -> None:
    book, items = empty_book(), empty_items(1)
    items.close[0, 0], items.accrued[0, 0], items.state[0, 0] = 100.0, 3.0 * (bucket > 0), bucket
    close_stocks(book, MONTH, 1, SCALE, items)
    assert booked(book) == {name: stocks(bucket, late, serious).get(name, 0.0) for name in ROWS}


@pytest.mark.parametrize("state", EXIT_LABELS)
def test_who_is_gone_is_in_no_closing_stock(state: int) -> None:
    book, items = empty_book(), empty_items(1)
    items.state[0, 0] = state  # amounts are not 0: `empty_items` fills them
    close_stocks(book, MONTH, 1, SCALE, items)
    assert not book.any()


@pytest.mark.parametrize("flags", [NO_FLAGS, (True, False, True), (False, True, False), (True,) * 3])
@pytest.mark.parametrize(("bucket", "late", "serious"), STOCKS)
def test_opening_stocks_and_flags(bucket: int, late: float, serious: float, flags: tuple[bool, bool, bool]) -> None:
    book = empty_book()
    book_opening(book, bucket, 100.0, 3.0 * (bucket > 0), flags)
    names = ("defaulted_balance", "modified_balance", "repossessed_balance")
    expected = stocks(bucket, late, serious) | {n: 100.0 * flag for n, flag in zip(names, flags, strict=True)}
    assert {name: book[row, 0] for name, row in ROWS.items()} == {name: expected.get(name, 0.0) for name in ROWS}
    assert not book[:, 1:].any()


def test_who_pays_on_time_is_booked_as_a_sum() -> None:
    book, quanta = empty_book(), 4
    sums = tuple(quanta * amount for amount in (900, 100, 8, 60, 40))
    for _ in range(2):
        assert pay(book, MONTH, (*sums, 5), 1.0 / quanta) == 900.0
    expected = {"balance": 1_800.0, "principal_paid": 200.0, "interest_paid": 16.0, "interest_accrued": 16.0}
    expected |= {"cash": 216.0, "live_count": 10.0, "modified_balance": 120.0, "defaulted_balance": 80.0}
    assert booked(book) == {name: expected.get(name, 0.0) for name in ROWS}


def test_live_cars_are_worth_their_values_as_new_times_their_prices() -> None:
    random, months, cars, quantum = np.random.default_rng(5), 9, 4, 2.0**-20
    stock = random.integers(2**44, 2**48, cars)
    gone = random.integers(0, 2**40, (months + 2, cars))  # the last row is that of the run-off
    price = random.uniform(0.1, 1.5, (months + 20, cars))
    live = stock - gone[: months + 1].cumsum(axis=0)
    value = np.full(months + 1, np.nan)
    fold_collateral(stock, gone.copy(), price, quantum, value)
    assert value == pytest.approx((live * quantum * price[: months + 1]).sum(axis=1), rel=1e-14)


@fixed_examples
@given(st.lists(loans(), min_size=2, max_size=70), st.data())
def test_items_side_by_side_settle_as_each_alone(some: list[Loan], data: st.DataObject) -> None:
    """Bit for bit by item; sums of quanta are exact, so the book is the sum of the books of one."""
    choices = [*range(MAX_BUCKET + 1), PREPAID, CHARGED_OFF, TOTAL_LOSS, EXTENDED]
    drawn = [
        data.draw(st.sampled_from([s for s in choices if s > MAX_BUCKET or s <= loan.bucket + 1])) for loan in some
    ]
    term, fee, nonaccrual = MONTH - data.draw(st.integers(-2, 2)), 12.5, data.draw(st.integers(0, 8))
    whole, items = settled(MONTH, columns_of(some, drawn, term, fee), nonaccrual=nonaccrual)
    total = np.zeros_like(whole)
    for place, (loan, move) in enumerate(zip(some, drawn, strict=True)):
        book, alone = settled(MONTH, columns_of([loan], [move], term, fee), nonaccrual=nonaccrual)
        for name in ("state", "principal", "interest", "accrual", "close", "accrued", "cash"):
            assert getattr(items, name)[0, place] == getattr(alone, name)[0, 0], name
        total += book
    assert whole == pytest.approx(total, rel=1e-14, abs=1e-9)


@fixed_examples
@given(loans(), st.sampled_from([*range(MAX_BUCKET + 1), PREPAID, CHARGED_OFF, TOTAL_LOSS]))
def test_each_instalment_that_is_paid_late_costs_a_fee(loan: Loan, state: int) -> None:
    assume(state > MAX_BUCKET or state <= loan.bucket + 1)
    flows, (_, _, _, cash) = settle(loan, state, fee=25.0)
    free, (_, _, _, without) = settle(loan, state)
    # All that were past due where the loan ends or stands without arrears; this month's own is in time only then.
    paid = {PREPAID: loan.bucket, CHARGED_OFF: 0, TOTAL_LOSS: 0, 0: loan.bucket}.get(state, loan.bucket + 1 - state)
    assert flows["fees"] == pytest.approx(25.0 * paid, abs=QUANTA)
    assert cash == pytest.approx(without + 25.0 * paid, rel=1e-12, abs=QUANTA)
    assert flows["cash"] == pytest.approx(free["cash"] + 25.0 * paid, rel=1e-12, abs=QUANTA)
    assert flows["collected"] == free["collected"]


def test_fees_and_defaults_are_booked_where_they_belong() -> None:
    book = empty_book()
    assert book_fee(book, MONTH, 25.0) == 25.0
    book_default(book, MONTH, 1_050.0)
    expected = {"fees": 25.0, "cash": 25.0, "default_balance": 1_050.0, "default_count": 1.0}
    assert booked(book) == {name: expected.get(name, 0.0) for name in ROWS}


# --- cash after charge-off ------------------------------------------------------------------------------------


def test_cash_comes_in_its_month_after_the_charge_off() -> None:
    months, lags = 5, 4
    names = ("sale_proceeds", "workout_cost", "deficiency_cash", "judgment_cash", "debt_sale_cash")
    lagged = np.random.default_rng(3).uniform(10.0, 20.0, (len(names), months, lags))
    book = np.zeros((len(BOOK_VARIABLES), months + lags))
    fold_lagged(book, lagged)
    expected = np.zeros((len(names), months + lags))
    for month in range(months):
        expected[:, month : month + lags] += lagged[:, month]
    for name, amounts in zip(names, expected, strict=True):
        assert book[ROWS[name]] == pytest.approx(amounts, rel=1e-14), name
    proceeds, cost, *collected = expected
    for name in ("recovery", "cash"):
        assert book[ROWS[name]] == pytest.approx(proceeds - cost + sum(collected), rel=1e-12), name
    assert not np.delete(book, [ROWS[name] for name in (*names, "recovery", "cash")], axis=0).any()


# --- whole quanta (D3) ----------------------------------------------------------------------------------------------


@compiled()
def fill_quanta(amount, scale, found):  # type: ignore[no-untyped-def]
    """Turn amounts into quanta, float64[n] to int64[n]."""
    for item in range(amount.size):
        found[item] = quanta(amount[item], scale)


@fixed_examples
@given(st.floats(-(2.0**51) + 1.0, 2.0**51 - 1.0), st.integers(-20, 20))
def test_an_amount_becomes_the_nearest_whole_number_of_quanta(whole: float, power: int) -> None:
    amount, found = np.full(11, whole * 2.0**-power), np.zeros(11, np.int64)
    fill_quanta(amount, 2.0**power, found)
    assert set(found.tolist()) == {int(np.rint(whole))}
