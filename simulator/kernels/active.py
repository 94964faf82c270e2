"""The active pass: loans that may move this month, drawn exactly and booked one by one."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import CHARGED_OFF, MAX_BUCKET, PREPAID
from simulator.kernels.booking import book_cash, book_charge_off, book_default, book_stocks
from simulator.kernels.borrower import leave_arrears, leave_current
from simulator.kernels.bundles import Move, Terms
from simulator.kernels.collateral import car_condition, car_is_sold, sale_recovery
from simulator.kernels.compile import compiled
from simulator.kernels.random import WORDS, unit


@compiled()
def exit_column(state, buckets):  # type: ignore[no-untyped-def]
    """Column of Result.transition of a state: buckets first, then charged off, prepaid, matured."""
    if state <= MAX_BUCKET:
        return state
    if state == CHARGED_OFF:
        return buckets
    return buckets + 1 if state == PREPAID else buckets + 2


@compiled(inner=True)
def charge_off(loan, spot, principal, accrued, bundles, result):  # type: ignore[no-untyped-def]
    """Sell the car of a loan charged off this month, book both, by month and by level; return the loss."""
    loans, _, collateral, clock = bundles
    row, month, path = spot.row, spot.month, clock.first_path + spot.row
    entity, tier, growth = loans.entity[loan], loans.tier[loan], loans.growth[loan]
    ead, lag, recovery = principal + accrued, collateral.lag[tier], 0.0
    if car_is_sold(entity, path, month, clock.seed, collateral.sold_share[tier]):
        value = loans.value_as_new[loan] * collateral.depreciation[loans.car[loan] + month + lag]
        price = value * collateral.index_level[row, month + lag, loans.segment[loan]] * collateral.haircut[tier]
        price *= car_condition(entity, path, clock.seed, collateral.condition_sd[tier])
        floor = collateral.lgd_floor[tier]
        recovery = sale_recovery(price, collateral.cost[tier], collateral.cost_share[tier], ead, floor)
    loss = book_charge_off(result.book[row], month, ead, accrued, recovery, (lag, growth))
    for cut in range(loans.level.shape[1]):
        level = loans.level[loan, cut]
        result.level_loss[row, level] += loss
        if month <= clock.months:
            result.level_flow[row, 0, month, level] += ead
        if month + lag <= clock.months:
            result.level_flow[row, 1, month + lag, level] += recovery
    return loss


@compiled(inner=True)
def active_pass(spot, listed, bundles, work, result):  # type: ignore[no-untyped-def]
    """Step the listed loans of a block through one month.

    In the last month of the run-off, who is still in arrears is charged off.

    Parameters
    ----------
    listed : int
        How many places of ``work.active`` are listed; their tracks stand at the month's close.
    bundles : (Loans, Hazards, Collateral, Clock)
    """
    loans, hazards, collateral, clock = bundles
    month, row, path = spot.month, spot.row, clock.first_path + spot.row
    book, inside = result.book[row], month <= clock.months
    last = month == clock.months + clock.run_off
    states, tracks, active = work.state[spot.worker], work.track[spot.worker], work.active[spot.worker]
    words, defaulted = work.word[spot.worker, month % WORDS], work.defaulted[spot.worker]
    intensity, multiplier = hazards.intensity, hazards.class_multiplier[month]
    index, depreciation = collateral.index_level[row], collateral.depreciation
    for item in range(listed):
        place = np.uint64(active[item])  # unsigned: see the dense pass
        loan = np.uint64(spot.start) + place
        bucket, cell, tier, entity = states[place], loans.cell[loan], loans.tier[loan], loans.entity[loan]
        if bucket == 0:
            age = min(loans.age[loan] + month, hazards.seasoning.shape[1] - 1)
            worse = work.entry[spot.worker, month, cell] * loans.risk[loan] * hazards.seasoning[tier, age]
            drawn = leave_current(unit(words[place]), worse, hazards.payoff[month, cell], hazards.direct_share[tier])
        else:
            drawn = leave_arrears(bucket, (entity, path, month, clock.seed), intensity[tier, bucket], multiplier[cell])
        if last and 1 <= drawn <= MAX_BUCKET and month - drawn < loans.term[loan]:
            drawn = CHARGED_OFF
        terms = Terms(loans.growth[loan], loans.payment[loan], loans.term[loan], clock.nonaccrual_months)
        track_open = (tracks[place] + terms.payment) / terms.growth
        state, principal, accrued = book_cash(book, month, Move(bucket, drawn, track_open, tracks[place]), terms)
        states[place] = state
        if state <= MAX_BUCKET:
            value = loans.value_as_new[loan] * depreciation[loans.car[loan] + month]
            book_stocks(book, month, state, principal, accrued, value * index[month, loans.segment[loan]])
            if inside:
                result.bucket_balance[row, month, state] += principal
        elif state == CHARGED_OFF:
            work.loss[spot.worker, place] = charge_off(loan, spot, principal, accrued, bundles, result)
        if not defaulted[place] and (state == CHARGED_OFF or clock.default_bucket <= state <= MAX_BUCKET):
            defaulted[place] = True
            book_default(book, month, principal + accrued)
        if inside:
            result.transition[row, month, bucket, exit_column(state, intensity.shape[1])] += 1
