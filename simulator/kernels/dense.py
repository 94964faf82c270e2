"""The dense pass: loans in order, the usual loan-month booked, the rest listed."""

from __future__ import annotations

from scenarios.vocabulary import MAX_BUCKET
from simulator.kernels.booking import (
    BALANCE,
    COLLATERAL_VALUE,
    INTEREST_ACCRUED,
    INTEREST_PAID,
    LIVE_COUNT,
    PRINCIPAL_PAID,
)
from simulator.kernels.compile import compiled
from simulator.kernels.random import WORDS, unit


@compiled()
def dense_pass(spot, loans, hazards, collateral, work, result):  # type: ignore[no-untyped-def]
    """One month of a block: book every instalment that is surely paid on time, list the others.

    A loan without arrears moves only if its draw falls below its intensity of entry or within its
    intensity of payoff of 1: intensities bound the probabilities of (2), so one comparison settles
    the rest.  Returns the number of listed places: candidates, loans in arrears, last instalments.
    """
    month = spot.month
    cells, segments, cars, term = loans.cell, loans.segment, loans.car, loans.term
    growth, payment, risk_bound, value_as_new = loans.growth, loans.payment, loans.risk_bound, loans.value_as_new
    states, tracks, active = work.state[spot.worker], work.track[spot.worker], work.active[spot.worker]
    words, entry = work.word[spot.worker, month % WORDS], work.entry[spot.worker, month]
    no_payoff, depreciation = 1.0 - hazards.payoff_bound[month], collateral.depreciation
    index = collateral.index_level[spot.row, month]
    balance, principal_paid, interest, value = 0.0, 0.0, 0.0, 0.0
    count, listed = 0, 0
    for place in range(spot.stop - spot.start):
        state = states[place]
        if state > MAX_BUCKET:
            continue
        loan = spot.start + place
        track = tracks[place]
        accrual = track * (growth[loan] - 1.0)
        close = track + accrual - payment[loan]
        tracks[place] = close
        u = unit(words[place])
        if state > 0 or u < entry[cells[loan]] * risk_bound[loan] or u > no_payoff or month >= term[loan]:
            active[listed] = place
            listed += 1
            continue
        balance += close
        principal_paid += track - close
        interest += accrual
        value += value_as_new[loan] * depreciation[cars[loan] + month] * index[segments[loan]]
        count += 1
    book = result.book[spot.row]
    book[BALANCE, month] += balance
    book[PRINCIPAL_PAID, month] += principal_paid
    book[INTEREST_PAID, month] += interest
    book[INTEREST_ACCRUED, month] += interest
    book[COLLATERAL_VALUE, month] += value
    book[LIVE_COUNT, month] += count
    result.bucket_balance[spot.row, month, 0] += balance
    result.transition[spot.row, month, 0, 0] += count
    return listed
