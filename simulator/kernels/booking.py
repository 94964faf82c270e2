"""The accounts of a loan's month: cash, interest and stocks (methodology (1), (9)).

The state says what was paid; amounts follow in closed form.
"""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import CHARGED_OFF, EXTENDED, MATURED, MAX_BUCKET, PREPAID, TOTAL_LOSS
from simulator.kernels.amounts import quanta
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
    JUDGMENT_CASH,
    DEBT_SALE_CASH,
    SURRENDERED_COUNT,
    COLLECTION_COST,
    INCIDENT_COST,
) = range(43)

# Rows of Workspace.lagged.
PROCEEDS_ROW, COST_ROW, DEFICIENCY_ROW, JUDGMENT_ROW, DEBT_SALE_ROW = range(5)


@compiled()
def book_opening(book, bucket, principal, accrued, flags):  # type: ignore[no-untyped-def]
    """Add a loan to the opening stocks; `flags`: in default, modified lately, without its car."""
    in_default, modified, repossessed = flags
    book[BALANCE, 0] += principal
    book[LIVE_COUNT, 0] += 1.0
    if bucket >= 1:
        book[ACCRUED_INTEREST, 0] += accrued
        book[DELINQUENT_BALANCE, 0] += principal
        book[DELINQUENT_COUNT, 0] += 1.0
    if bucket >= 2:
        book[SERIOUSLY_DELINQUENT_BALANCE, 0] += principal
    if in_default:
        book[DEFAULTED_BALANCE, 0] += principal
    if modified:
        book[MODIFIED_BALANCE, 0] += principal
    if repossessed:
        book[REPOSSESSED_BALANCE, 0] += principal


@compiled(inner=True)
def book_on_time(book, month, sums, quantum):  # type: ignore[no-untyped-def]
    """Add a block's loans that paid on time, `sums` as `dense.advance` returns them; return their balance."""
    balance, paid, interest, modified, in_default, count = sums
    book[BALANCE, month] += balance * quantum
    book[PRINCIPAL_PAID, month] += paid * quantum
    book[INTEREST_PAID, month] += interest * quantum
    book[INTEREST_ACCRUED, month] += interest * quantum
    book[CASH, month] += (paid + interest) * quantum
    book[MODIFIED_BALANCE, month] += modified * quantum
    book[DEFAULTED_BALANCE, month] += in_default * quantum
    book[LIVE_COUNT, month] += count
    return balance * quantum


@compiled(inline=True, inner=True)
def book_payments(book, month, count, scale, items):  # type: ignore[no-untyped-def]
    """Book what the items' borrowers paid, and note it by item.

    Interest paid is what was accrued less what stays accrued, so who pays late pays interest on the principal for as
    long as it was owed.
    """
    principal, interest, close, accrued = items.principal, items.interest, items.close, items.accrued
    state, drawn, bucket, cash = items.state, items.drawn, items.bucket, items.cash
    for item in range(count):
        pays = (state[item] != CHARGED_OFF) & (state[item] != TOTAL_LOSS) & (drawn[item] != EXTENDED)
        paid = (principal[item] + interest[item]) - (close[item] + accrued[item])
        cash[item] = paid if pays else 0.0
    all_principal, all_interest, prepaid, collected, fees = 0, 0, 0, 0, 0
    for item in range(count):
        pays = (state[item] != CHARGED_OFF) & (state[item] != TOTAL_LOSS) & (drawn[item] != EXTENDED)
        of_principal = quanta(principal[item] - close[item], scale) if pays else np.int64(0)
        all_principal += of_principal
        all_interest += quanta(interest[item] - accrued[item], scale) if pays else np.int64(0)
        prepaid += of_principal if state[item] == PREPAID else np.int64(0)
        worked = (bucket[item] > 0) & (state[item] != PREPAID)
        collected += quanta(cash[item], scale) if worked else np.int64(0)
    for item in range(count):
        late = bucket[item] + 1 - drawn[item] - np.int64(drawn[item] == 0)
        late = bucket[item] if state[item] == PREPAID else (late if drawn[item] <= bucket[item] else np.int64(0))
        fee = late * items.fee[item]
        fees += quanta(fee, scale)
        cash[item] += fee
    book[PREPAID_PRINCIPAL, month] += prepaid / scale
    book[PRINCIPAL_PAID, month] += (all_principal - prepaid) / scale
    book[INTEREST_PAID, month] += all_interest / scale
    book[CASH, month] += (all_principal + all_interest + fees) / scale
    book[FEES, month] += fees / scale
    book[COLLECTED, month] += collected / scale


@compiled(inline=True, inner=True)
def book_accruals(book, month, count, scale, items):  # type: ignore[no-untyped-def]
    """Book the items' interest of the month, what extensions bring to principal (1b), and who leaves without loss."""
    interest, accrual, state, drawn = items.interest, items.accrual, items.state, items.drawn
    accrues, capitalised, modified, prepaid, matured = 0, 0, 0, 0, 0
    for item in range(count):
        extended = drawn[item] == EXTENDED
        accrues += quanta(accrual[item], scale)
        capitalised += quanta(interest[item], scale) if extended else np.int64(0)
        modified += np.int64(1) if extended else np.int64(0)
        prepaid += np.int64(1) if state[item] == PREPAID else np.int64(0)
        matured += np.int64(1) if state[item] == MATURED else np.int64(0)
    book[INTEREST_ACCRUED, month] += accrues / scale
    book[CAPITALISED, month] += capitalised / scale
    book[MODIFIED_COUNT, month] += modified
    book[PREPAID_COUNT, month] += prepaid
    book[MATURED_COUNT, month] += matured


@compiled(inline=True, inner=True)
def book_closing(book, month, count, scale, items):  # type: ignore[no-untyped-def]
    """Add the live ones among the first `count` items to the closing stocks of a month."""
    close, accrued, state = items.close, items.accrued, items.state
    balance, late, seriously, unpaid, live, arrears = 0, 0, 0, 0, 0, 0
    for item in range(count):
        owed = quanta(close[item], scale)
        lives = state[item] <= MAX_BUCKET
        behind = lives & (state[item] >= 1)
        balance += owed if lives else np.int64(0)
        late += owed if behind else np.int64(0)
        seriously += owed if lives & (state[item] >= 2) else np.int64(0)
        unpaid += quanta(accrued[item], scale) if lives else np.int64(0)
        live += np.int64(1) if lives else np.int64(0)
        arrears += np.int64(1) if behind else np.int64(0)
    book[BALANCE, month] += balance / scale
    book[DELINQUENT_BALANCE, month] += late / scale
    book[SERIOUSLY_DELINQUENT_BALANCE, month] += seriously / scale
    book[ACCRUED_INTEREST, month] += unpaid / scale
    book[LIVE_COUNT, month] += live
    book[DELINQUENT_COUNT, month] += arrears


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

    ``lagged`` is float64[5, month of charge-off, months to cash].  Kept apart until a path's end because
    the order of these additions would otherwise be that in which loans are visited (methodology (D2)).
    """
    for month in range(lagged.shape[1]):
        for lag in range(lagged.shape[2]):
            proceeds, cost = lagged[PROCEEDS_ROW, month, lag], lagged[COST_ROW, month, lag]
            deficiency, judgment = lagged[DEFICIENCY_ROW, month, lag], lagged[JUDGMENT_ROW, month, lag]
            sale = lagged[DEBT_SALE_ROW, month, lag]
            book[SALE_PROCEEDS, month + lag] += proceeds
            book[WORKOUT_COST, month + lag] += cost
            book[DEFICIENCY_CASH, month + lag] += deficiency
            book[JUDGMENT_CASH, month + lag] += judgment
            book[DEBT_SALE_CASH, month + lag] += sale
            book[CASH, month + lag] += proceeds - cost + deficiency + judgment + sale
    for month in range(book.shape[1]):
        net = book[SALE_PROCEEDS, month] - book[WORKOUT_COST, month]
        sued = book[JUDGMENT_CASH, month] + book[DEBT_SALE_CASH, month]
        book[RECOVERY, month] = net + book[DEFICIENCY_CASH, month] + sued
