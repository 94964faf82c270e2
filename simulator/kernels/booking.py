"""The accounts of a loan's month: cash, interest and stocks (methodology (1), (9)).

The state says what was paid; amounts follow in closed form.
"""

from __future__ import annotations

from scenarios.vocabulary import CHARGED_OFF, MATURED, MAX_BUCKET, PREPAID, TOTAL_LOSS
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.compile import compiled

# Rows of Result.book; a test holds them against vocabulary.BOOK_VARIABLES.
(
    BALANCE,
    DELINQUENT_BALANCE,
    SERIOUSLY_DELINQUENT_BALANCE,
    DEFAULTED_BALANCE,
    MODIFIED_BALANCE,
    REPOSSESSED_BALANCE,
    ACCRUED_INTEREST,
    COLLATERAL_VALUE,
    LIVE_COUNT,
    DELINQUENT_COUNT,
    PRINCIPAL_PAID,
    INTEREST_PAID,
    INTEREST_ACCRUED,
    CAPITALISED,
    PREPAID_PRINCIPAL,
    TOTAL_LOSS_PAID,
    FEES,
    COLLECTED,
    CHARGE_OFF,
    CHARGE_OFF_INTEREST,
    SALE_PROCEEDS,
    WORKOUT_COST,
    DEFICIENCY_CASH,
    RECOVERY,
    CASH,
    ULTIMATE_LOSS,
    DEFAULT_BALANCE,
    DEFAULT_LOSS,
    DEFAULT_COUNT,
    CHARGE_OFF_COUNT,
    PREPAID_COUNT,
    MATURED_COUNT,
    TOTAL_LOSS_COUNT,
    MODIFIED_COUNT,
    RENEWED_COUNT,
    REPOSSESSED_COUNT,
    REDEEMED_COUNT,
    SOLD_COUNT,
) = range(38)


@compiled()
def book_stocks(book, month, bucket, principal, accrued, value):  # type: ignore[no-untyped-def]
    """Add a live loan to the closing stocks of a month: ``book`` is float64[variable, month]."""
    book[BALANCE, month] += principal
    book[LIVE_COUNT, month] += 1.0
    book[COLLATERAL_VALUE, month] += value
    book[ACCRUED_INTEREST, month] += accrued
    if bucket >= 1:
        book[DELINQUENT_BALANCE, month] += principal
        book[DELINQUENT_COUNT, month] += 1.0
    if bucket >= 2:
        book[SERIOUSLY_DELINQUENT_BALANCE, month] += principal


@compiled()
def book_flags(book, month, principal, flags):  # type: ignore[no-untyped-def]
    """Add a live loan to the stocks of loans in default, modified lately, without their car: `flags` in that order."""
    in_default, modified, repossessed = flags
    if in_default:
        book[DEFAULTED_BALANCE, month] += principal
    if modified:
        book[MODIFIED_BALANCE, month] += principal
    if repossessed:
        book[REPOSSESSED_BALANCE, month] += principal


@compiled()
def book_on_time(book, month, sums, count):  # type: ignore[no-untyped-def]
    """Add the sums over a block's loans that paid on time: closing stocks, and the month's cash."""
    balance, principal_paid, interest, value, modified, in_default = sums
    book[BALANCE, month] += balance
    book[PRINCIPAL_PAID, month] += principal_paid
    book[INTEREST_PAID, month] += interest
    book[INTEREST_ACCRUED, month] += interest
    book[CASH, month] += principal_paid + interest
    book[COLLATERAL_VALUE, month] += value
    book[MODIFIED_BALANCE, month] += modified
    book[DEFAULTED_BALANCE, month] += in_default
    book[LIVE_COUNT, month] += count


@compiled()
def claim_at_due(book, month, move, terms):  # type: ignore[no-untyped-def]
    """Principal and unpaid interest, the month's own included, before anything is paid; books the accrual."""
    principal = principal_behind(move.track_open, move.bucket, terms.shrink, terms.step)
    interest = accrued_interest(principal, move.bucket, terms.growth, terms.nonaccrual_months)
    if move.bucket < terms.nonaccrual_months:
        interest += principal * (terms.growth - 1.0)
        book[INTEREST_ACCRUED, month] += principal * (terms.growth - 1.0)
    return principal, interest


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
        Principal and accrued interest: at month end of a live loan, at the end of a loan that is charged
        off or loses its car, 0 otherwise.
    cash : float
        What the borrower paid.
    """
    state = move.state
    principal, interest = claim_at_due(book, month, move, terms)
    if state in (CHARGED_OFF, TOTAL_LOSS):
        return state, principal, interest, 0.0
    close, accrued = 0.0, 0.0
    if state > MAX_BUCKET:
        book[PREPAID_PRINCIPAL, month] += principal
        book[PREPAID_COUNT, month] += 1.0
        state = PREPAID
    elif month - state >= terms.term:
        book[PRINCIPAL_PAID, month] += principal
        book[MATURED_COUNT, month] += 1.0
        state = MATURED
    else:
        close = principal
        if state <= move.bucket:
            close = principal_behind(move.track_close, state, terms.shrink, terms.step)
        accrued = accrued_interest(close, state, terms.growth, terms.nonaccrual_months)
        book[PRINCIPAL_PAID, month] += principal - close
    book[INTEREST_PAID, month] += interest - accrued
    cash = (principal + interest) - (close + accrued)
    book[CASH, month] += cash
    if move.bucket > 0 and state != PREPAID:
        book[COLLECTED, month] += cash
    return state, close, accrued, cash


@compiled()
def book_extension(book, month, move, terms):  # type: ignore[no-untyped-def]
    """Bring a loan in arrears to current without cash: unpaid interest joins the principal, which is returned (1b)."""
    principal, interest = claim_at_due(book, month, move, terms)
    book[CAPITALISED, month] += interest
    book[MODIFIED_COUNT, month] += 1.0
    return principal + interest


@compiled()
def book_fee(book, month, fee):  # type: ignore[no-untyped-def]
    """Book a fee, which is paid at once; return it."""
    book[FEES, month] += fee
    book[CASH, month] += fee
    return fee


@compiled()
def book_default(book, month, exposure):  # type: ignore[no-untyped-def]
    """Book a loan's default at its exposure: principal and accrued interest."""
    book[DEFAULT_BALANCE, month] += exposure
    book[DEFAULT_COUNT, month] += 1.0


@compiled()
def fold_lagged(book, lagged):  # type: ignore[no-untyped-def]
    """Add cash that came after its charge-off to the months in which it came.

    ``lagged`` is float64[3, month of charge-off, months to cash].  Kept apart until a path's end because
    the order of these additions would otherwise be that in which loans are visited (methodology (D2)).
    """
    for month in range(lagged.shape[1]):
        for lag in range(lagged.shape[2]):
            proceeds, cost, deficiency = lagged[0, month, lag], lagged[1, month, lag], lagged[2, month, lag]
            book[SALE_PROCEEDS, month + lag] += proceeds
            book[WORKOUT_COST, month + lag] += cost
            book[DEFICIENCY_CASH, month + lag] += deficiency
            book[CASH, month + lag] += proceeds - cost + deficiency
    for month in range(book.shape[1]):
        net = book[SALE_PROCEEDS, month] - book[WORKOUT_COST, month]
        book[RECOVERY, month] = net + book[DEFICIENCY_CASH, month]
