"""The reference's workout: seizure, sale, insurance of the car, deficiency, loss (8) to (8d) (see `reference`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reference_market import NORMAL, draw
from reference_strategy import pursued, searches, usual_treatment
from scenarios.vocabulary import (
    PURPOSE_CONDITION,
    PURPOSE_INSURED,
    PURPOSE_SEIZE,
    PURPOSE_SOLD,
    PURPOSE_SURRENDER,
)

if TYPE_CHECKING:
    from reference import Life


def condition(life: Life) -> float:
    """The car's own condition, drawn once, mean 1 (6)."""
    sd = life.contract["tier"]["vehicle_sd"]
    return math.exp(sd * NORMAL.inv_cdf(draw(life, 0, PURPOSE_CONDITION)) - sd**2 / 2.0)


# --- the car of a live loan (8b) ---------------------------------------------------------------------------------


def follow_car(life: Life, month: int) -> None:
    """At the close of a month: a car may be seized or handed over while there are arrears, else it goes back.

    Within the horizon of a strategy it is the strategy's trucks that seize, at the same close (P4).
    """
    if life.in_arrears:
        if life.world["strategy"] is None or month > life.world["months"]:
            try_seizure(life, month, usual_treatment(life)["seizure"])
        offered = life.treatment["surrender"] if life.treatment else 0.0
        if life.seized is None and draw(life, month, PURPOSE_SURRENDER) < offered:
            take_car(life, month)
            life.add(month, surrendered_count=1)
    elif life.seized is not None and life.redeems:
        life.seized = None
        life.add(month, redeemed_count=1)


def try_seizure(life: Life, month: int, factor: float) -> None:
    """Whether a car that the borrower still has is seized at a close (8b)."""
    intensity = life.contract["tier"]["seizure"][life.state] * find_factor(life) * factor
    if life.seized is None and draw(life, month, PURPOSE_SEIZE) < 1.0 - math.exp(-intensity):
        take_car(life, month)


def take_car(life: Life, month: int) -> None:
    life.seized = month
    life.add(month, repossessed_count=1)


def find_factor(life: Life) -> float:
    """Factor on the chance to seize or find the car: tracker, segment, a visit in this spell."""
    return float(life.contract["find"] * life.spell.finds)


# --- the end of a loan that owes (8) -----------------------------------------------------------------------------


def charge_off(life: Life, month: int, principal: float, interest: float, fire: float) -> None:
    """The car goes to sale, if there is one; the rest is pursued."""
    exposure = principal + interest
    life.note_default(month, exposure)
    life.add(month, charge_off=exposure, charge_off_interest=interest, charge_off_count=1)
    proceeds, cost, lag = sell(life, month, exposure, fire)
    life.add(month + lag, sale_proceeds=proceeds, workout_cost=cost, recovery=proceeds - cost, cash=proceeds - cost)
    take_loss(life, month, exposure, proceeds - cost, lag)


def sell(life: Life, month: int, exposure: float, fire: float) -> tuple[float, float, int]:
    """Proceeds and costs of the car's sale, and months from charge-off to its cash; nothing without a car."""
    tier = life.contract["tier"]
    if life.seized is not None:
        waited = month - life.seized
        lag = max(tier["sale_lag"] - waited, 0)
        stored = waited + lag
    elif searches(life.world["strategy"]) and draw(life, month, PURPOSE_SOLD) < found_share(life):
        lag = tier["search_lag"] + tier["sale_lag"]
        stored = tier["sale_lag"]
    else:
        return 0.0, 0.0, 0
    life.add(month, sold_count=1)
    calendar = (life.world["as_of"][1] - 1 + month + lag) % 12
    price = life.car_value(month + lag) * condition(life) * (1.0 - tier["haircut"])
    price *= life.world["parameters"]["season"][calendar] * fire
    cost = tier["cost_fixed"] + tier["cost_share"] * price + tier["storage_per_month"] * stored
    net = price - cost
    if not math.isnan(tier["lgd_floor"]):
        net = min(net, exposure * (1.0 - tier["lgd_floor"]))
    return net + cost, cost, lag


def found_share(life: Life) -> float:
    """Probability that a car is found after charge-off (8b)."""
    return min(float(life.contract["tier"]["found_share"]) * find_factor(life), 1.0)


def total_loss(life: Life, month: int, principal: float, interest: float) -> tuple[float, float]:
    """The car's own insurance may pay its retail value, interest first (3j); return what it paid of each."""
    tier, exposure, paid = life.contract["tier"], principal + interest, 0.0
    life.add(month, total_loss_count=1)
    if draw(life, month, PURPOSE_INSURED) < tier["insured_share"]:
        retail = life.car_value(month) * condition(life) / life.world["parameters"]["wholesale"]["retail"]
        paid = min(max(retail - tier["insurance_deductible"], 0.0), exposure)
    of_interest = min(paid, interest)
    short = exposure - paid
    if short > 0.0:
        life.note_default(month, exposure)
        life.add(month, charge_off=short, charge_off_interest=interest - of_interest)
        take_loss(life, month, short, 0.0, 0)
    return of_interest, paid - of_interest


def take_loss(life: Life, month: int, exposure: float, net: float, lag: int) -> None:
    """Deficiency, and the loss at charge-off (8), discounted to the default (8c) and to the book's date."""
    discount = life.contract["discount"]
    name, share, later = pursued(life, month)
    collected = share * max(exposure - net, 0.0)
    life.add(month + later, **{name: collected}, recovery=collected, cash=collected)
    life.loss = exposure - net / discount**lag - collected / discount**later
    life.recovered[month] = net + collected
    assert life.default_month is not None
    life.add(month, ultimate_loss=life.loss, default_loss=life.loss / discount ** (month - life.default_month))
    life.shortfall = life.loss / discount**month
    life.shortfall_12m = life.shortfall if life.default_month <= 12 else 0.0
