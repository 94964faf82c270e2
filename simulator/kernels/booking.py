"""The accounts of a loan's month: cash, interest and stocks (methodology (1), (9)).

The state says what was paid; amounts follow in closed form.
"""

from __future__ import annotations

from scenarios.vocabulary import CHARGED_OFF, MATURED, MAX_BUCKET, PREPAID
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.compile import compiled

# Rows of Result.book; a test holds them against vocabulary.BOOK_VARIABLES.
(
    BALANCE,
    DELINQUENT_BALANCE,
    SERIOUSLY_DELINQUENT_BALANCE,
    ACCRUED_INTEREST,
    COLLATERAL_VALUE,
    LIVE_COUNT,
    PRINCIPAL_PAID,
    INTEREST_PAID,
    INTEREST_ACCRUED,
    PREPAID_PRINCIPAL,
    CHARGE_OFF,
    CHARGE_OFF_INTEREST,
    RECOVERY,
    ULTIMATE_LOSS,
    DEFAULT_BALANCE,
    DEFAULT_COUNT,
    CHARGE_OFF_COUNT,
    PREPAID_COUNT,
    MATURED_COUNT,
) = range(19)


@compiled()
def book_stocks(book, month, bucket, principal, accrued, value):  # type: ignore[no-untyped-def]
    """Add a live loan to the closing stocks of a month: ``book`` is float64[variable, month]."""
    book[BALANCE, month] += principal
    book[LIVE_COUNT, month] += 1.0
    book[COLLATERAL_VALUE, month] += value
    book[ACCRUED_INTEREST, month] += accrued
    if bucket >= 1:
        book[DELINQUENT_BALANCE, month] += principal
    if bucket >= 2:
        book[SERIOUSLY_DELINQUENT_BALANCE, month] += principal


@compiled()
def book_on_time(book, month, balance, principal_paid, interest, value, count):  # type: ignore[no-untyped-def]
    """Add the sums over a block's loans that paid on time: closing stocks, and the month's cash."""
    book[BALANCE, month] += balance
    book[PRINCIPAL_PAID, month] += principal_paid
    book[INTEREST_PAID, month] += interest
    book[INTEREST_ACCRUED, month] += interest
    book[COLLATERAL_VALUE, month] += value
    book[LIVE_COUNT, month] += count


@compiled()
def book_cash(book, month, move, terms):  # type: ignore[no-untyped-def]
    """Book what a month's state says was paid.

    Interest paid is what was accrued less what stays accrued, so who pays late pays interest on the
    principal for as long as it was owed.

    Returns
    -------
    state : int
        The move's state, or MATURED where nothing is left to pay.
    principal, accrued : float
        Principal and accrued interest: at month end of a live loan, at the charge-off of a
        charged-off one, 0 otherwise.
    """
    state = move.state
    principal = principal_behind(move.track_open, move.bucket, terms.growth, terms.payment)
    interest = accrued_interest(principal, move.bucket, terms.growth, terms.nonaccrual_months)
    if move.bucket < terms.nonaccrual_months:
        interest += principal * (terms.growth - 1.0)
        book[INTEREST_ACCRUED, month] += principal * (terms.growth - 1.0)
    if state == CHARGED_OFF:
        return state, principal, interest
    if state <= MAX_BUCKET and month - state < terms.term:
        close = principal
        if state <= move.bucket:
            close = principal_behind(move.track_close, state, terms.growth, terms.payment)
        accrued = accrued_interest(close, state, terms.growth, terms.nonaccrual_months)
        book[PRINCIPAL_PAID, month] += principal - close
        book[INTEREST_PAID, month] += interest - accrued
        return state, close, accrued
    book[INTEREST_PAID, month] += interest
    if state == PREPAID:
        book[PREPAID_PRINCIPAL, month] += principal
        book[PREPAID_COUNT, month] += 1.0
        return state, 0.0, 0.0
    book[PRINCIPAL_PAID, month] += principal
    book[MATURED_COUNT, month] += 1.0
    return MATURED, 0.0, 0.0


@compiled()
def book_charge_off(book, month, ead, accrued, recovery, when):  # type: ignore[no-untyped-def]
    """Book a charge-off and its recovery; return the loss discounted to the charge-off.

    `when` is (months to the cash, monthly discount factor) at the contract rate.
    """
    lag, growth = when
    loss = ead - recovery / growth**lag
    book[CHARGE_OFF, month] += ead
    book[CHARGE_OFF_INTEREST, month] += accrued
    book[CHARGE_OFF_COUNT, month] += 1.0
    book[RECOVERY, month + lag] += recovery
    book[ULTIMATE_LOSS, month] += loss
    return loss


@compiled()
def book_default(book, month, exposure):  # type: ignore[no-untyped-def]
    """Book a loan's first default at its exposure: principal and accrued interest."""
    book[DEFAULT_BALANCE, month] += exposure
    book[DEFAULT_COUNT, month] += 1.0
