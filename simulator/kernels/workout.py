"""What a loan leaves when it ends badly: charge-off, total loss of the car, and the cash to come (8), (8b), (8c)."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import CUTS, PURPOSE_INSURED, PURPOSE_SUIT
from simulator.kernels.booking import (
    CASH,
    CHARGE_OFF,
    CHARGE_OFF_COUNT,
    CHARGE_OFF_INTEREST,
    COST_ROW,
    DEBT_SALE_ROW,
    DEFAULT_LOSS,
    DEFICIENCY_ROW,
    INTEREST_PAID,
    JUDGMENT_ROW,
    PROCEEDS_ROW,
    SOLD_COUNT,
    TOTAL_LOSS_COUNT,
    TOTAL_LOSS_PAID,
    ULTIMATE_LOSS,
    book_default,
)
from simulator.kernels.bundles import Loss
from simulator.kernels.collateral import car_condition, car_is_found, car_value, kept_proceeds
from simulator.kernels.compile import compiled
from simulator.kernels.random import event_uniform

YEAR = 12
"""Months of the horizon of a one-year expected credit loss."""


LEVEL_BITS = 2.0**-7
"""Of a quantum's: sums by level are floating-point sums of multiples of so many quanta, exact in any order (D3)."""


@compiled(inline=True)
def whole(amount, scale):  # type: ignore[no-untyped-def]
    """An amount to whole quanta of the sums by level, so that a level's sum does not depend on other levels' loans."""
    return np.rint(amount * (scale * LEVEL_BITS)) / (scale * LEVEL_BITS)


@compiled(inline=True, inner=True)
def book_new_default(loan, spot, exposure, bundles, result):  # type: ignore[no-untyped-def]
    """Book a default, in the month and by level."""
    loans, _, _, _, clock = bundles
    book_default(result.book[spot.row], spot.month, exposure)
    if spot.month <= clock.months:
        rounded = whole(exposure, clock.scale)
        levels = loans.contract[loan].level
        for cut in range(len(CUTS)):
            result.level_flow[spot.row, 2, spot.month, np.uint64(levels[cut])] += rounded


@compiled(inline=True, inner=True)
def enter_default(loan, place, spot, exposure, bundles, work, result):  # type: ignore[no-untyped-def]
    """Note and book a default, unless the loan is in one."""
    if work.path[spot.worker, place].defaulted < 0:
        work.path[spot.worker, place].defaulted = spot.month
        book_new_default(loan, spot, exposure, bundles, result)


@compiled(inline=True, inner=True)
def sell_car(loan, held, spot, exposure, bundles, work):  # type: ignore[no-untyped-def]
    """Proceeds, costs and months to the cash of the sale of a car that is held or will be found (8b).

    `held` is the number of months since its seizure, negative where it has not been seized.
    """
    loans, _, workouts, _, clock = bundles
    terms = workouts.terms[loans.fact[loan].tier]
    lag = terms.sale_lag
    stored = lag
    if held >= 0:
        lag = max(lag - held, 0)
        stored = held + lag
    else:
        lag += terms.search_lag
    month, path = spot.month + lag, clock.first_path + spot.row
    price = car_value(loan, spot.worker, month, loans, work) * terms.haircut
    price *= workouts.season[month] * work.fire[spot.worker]
    price *= car_condition(loans.fact[loan].entity, path, clock.seed, terms.condition_sd)
    cost = terms.cost + terms.cost_share * price + terms.storage * stored
    return kept_proceeds(price, cost, exposure, terms.lgd_floor), cost, lag


@compiled(inline=True, inner=True)
def book_loss(loan, place, spot, claim, bundles, work, result):  # type: ignore[no-untyped-def]
    """Book a claim that is written off with what will be collected on it, by month, level and stage."""
    loans, _, _, _, clock = bundles
    row, month, worker, discount = spot.row, spot.month, spot.worker, loans.contract[loan].discount
    book, net = result.book[row], claim.proceeds - claim.cost
    loss = claim.exposure - net / discount**claim.sale_lag - claim.deficiency / discount**claim.deficiency_lag
    book[CHARGE_OFF, month] += claim.exposure
    book[CHARGE_OFF_INTEREST, month] += claim.accrued
    book[ULTIMATE_LOSS, month] += loss
    book[DEFAULT_LOSS, month] += loss / discount ** (month - work.path[worker, place].defaulted)
    work.lagged[worker, PROCEEDS_ROW, month, claim.sale_lag] += claim.proceeds
    work.lagged[worker, COST_ROW, month, claim.sale_lag] += claim.cost
    work.lagged[worker, claim.channel, month, claim.deficiency_lag] += claim.deficiency
    work.path[worker, place].loss += loss
    shortfall, stage = loss / discount**month, loans.fact[loan].stage
    work.shortfall[worker, month, stage, 1] += shortfall
    if work.path[worker, place].defaulted <= YEAR:
        work.shortfall[worker, month, stage, 0] += shortfall
    when, lost = min(month, clock.months + 1), whole(loss, clock.scale)
    charged, recovered = whole(claim.exposure, clock.scale), whole(net + claim.deficiency, clock.scale)
    levels = loans.contract[loan].level
    for cut in range(len(CUTS)):
        level = np.uint64(levels[cut])
        work.level_loss[worker, when, level] += lost
        if month <= clock.months:
            result.level_flow[row, 0, month, level] += charged
            result.level_flow[row, 1, month, level] += recovered


@compiled(inline=True, inner=True)
def collect_rest(loan, place, rest, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Cash on what is unpaid after the car, months to it and its row of ``work.lagged`` (8d), (P12)."""
    loans, _, workouts, ladder, clock = bundles
    terms = workouts.terms[loans.fact[loan].tier]
    cash, lag, channel = rest * terms.deficiency_share, terms.deficiency_lag, DEFICIENCY_ROW
    if ladder.on:
        effort = work.effort[spot.worker, work.path[spot.worker, place].effort]
        won = False
        if effort.filed >= 0:
            path, suit = clock.first_path + spot.row, ladder.rung[effort.suit]
            won = event_uniform(loans.fact[loan].entity, path, effort.filed, PURPOSE_SUIT, clock.seed) < suit.won
            if won:
                lag = np.int32(max(effort.filed + suit.judgment_months - spot.month, 0))
                cash, channel = rest * suit.enforced, JUDGMENT_ROW
        if not won and effort.sale >= 0:
            cash, lag, channel = rest * ladder.rung[effort.sale].price, np.int32(1), DEBT_SALE_ROW
    return cash, lag, channel


@compiled(inline=True, inner=True)
def charge_off(loan, place, spot, claim, bundles, work, result):  # type: ignore[no-untyped-def]
    """Charge a loan off: its car is sold if held or found, the deficiency pursued; `claim` is (principal, interest)."""
    loans, _, workouts, ladder, clock = bundles
    principal, accrued = claim
    exposure, terms = principal + accrued, workouts.terms[loans.fact[loan].tier]
    enter_default(loan, place, spot, exposure, bundles, work, result)
    proceeds, cost, lag = 0.0, 0.0, 0
    held = spot.month - work.path[spot.worker, place].seized if work.path[spot.worker, place].seized >= 0 else -1
    share = terms.found_share * loans.fact[loan].find
    if ladder.on:
        share *= ladder.searches * work.effort[spot.worker, work.path[spot.worker, place].effort].find
    path = clock.first_path + spot.row
    if held >= 0 or car_is_found(loans.fact[loan].entity, path, spot.month, clock.seed, share):
        proceeds, cost, lag = sell_car(loan, held, spot, exposure, bundles, work)
        result.book[spot.row, SOLD_COUNT, spot.month] += 1.0
    rest = max(exposure - (proceeds - cost), 0.0)
    deficiency, later, channel = collect_rest(loan, place, rest, spot, bundles, work)
    result.book[spot.row, CHARGE_OFF_COUNT, spot.month] += 1.0
    left = Loss(exposure, accrued, proceeds, cost, lag, deficiency, later, channel)
    book_loss(loan, place, spot, left, bundles, work, result)


@compiled(inline=True, inner=True)
def lose_car(loan, place, spot, claim, bundles, work, result):  # type: ignore[no-untyped-def]
    """Total loss of the car: its own insurance may pay, what it leaves is written off (3j); return its cash."""
    loans, _, workouts, _, clock = bundles
    principal, accrued = claim
    month, path, book = spot.month, clock.first_path + spot.row, result.book[spot.row]
    terms = workouts.terms[loans.fact[loan].tier]
    exposure, paid = principal + accrued, 0.0
    if event_uniform(loans.fact[loan].entity, path, month, PURPOSE_INSURED, clock.seed) < terms.insured_share:
        value = car_value(loan, spot.worker, month, loans, work) * workouts.retail
        value *= car_condition(loans.fact[loan].entity, path, clock.seed, terms.condition_sd)
        paid = min(max(value - terms.deductible, 0.0), exposure)
    interest = min(paid, accrued)
    book[TOTAL_LOSS_COUNT, month] += 1.0
    book[INTEREST_PAID, month] += interest
    book[TOTAL_LOSS_PAID, month] += paid - interest
    book[CASH, month] += paid
    if exposure > paid:
        enter_default(loan, place, spot, exposure, bundles, work, result)
        rest = exposure - paid
        deficiency, lag, channel = collect_rest(loan, place, rest, spot, bundles, work)
        left = Loss(rest, accrued - interest, 0.0, 0.0, 0, deficiency, lag, channel)
        book_loss(loan, place, spot, left, bundles, work, result)
    return paid
