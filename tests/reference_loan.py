"""The reference's loans at the as-of date: schedule, car, features and what came before (see `reference`)."""

from __future__ import annotations

import math
from itertools import accumulate

from reference_market import Plain, event_uniform
from scenarios.vocabulary import (
    CURED,
    FORGETFUL,
    HARDSHIP,
    HISTORY_MONTHS,
    MAX_BUCKET,
    MODIFIED,
    PURPOSE_HISTORY,
    PURPOSE_TYPE,
    STRATEGIC,
)
from simulator.entities import loan_entities

USED_CAR_AGE = 48  # months since new of a used car without a model year, at origination: the engine's assumption

TYPE_ORDER = (HARDSHIP, STRATEGIC, FORGETFUL)
"""Order of the stretches of a uniform that decides a type (3g)."""


def open_contract(loan: Plain, world: Plain) -> Plain:
    """Everything about a loan that no path changes."""
    parameters = world["parameters"]
    place = tier_of(loan, parameters["tiers"])
    tier = parameters["tiers"][place]
    bucket = max(k for k, edge in enumerate(parameters["bucket_edges"]) if loan["days_past_due"] >= edge)
    if loan["repossessed"]:
        bucket = max(bucket, parameters["default_bucket"])
    since = months_between(loan["origination_date"], world["as_of"])
    names = ("loan_id", "region", "sector", "vehicle", "amortisation", "stage", "modified", "repossessed")
    names += ("tracker", "starter_interrupt")
    tracked = tier["tracker_multiplier"] if loan["tracker"] else 1.0
    return {
        **{name: loan[name] for name in names},
        "entity": int(loan_entities([loan["loan_id"]])[0]),
        "tier": tier,
        "observed": world["observed"][place] if world["observed"] else None,
        "bucket": bucket,
        "monthly_rate": loan["rate"] / 12.0,
        "discount": 1.0 + min(loan["rate"], tier["discount_cap"]) / 12.0,
        "age": since,
        "risk": math.exp(feature_score(loan, tier)),
        "find": tracked * parameters["segment_find"][loan["vehicle"]],
        **open_schedule(loan, bucket, world),
        **open_car(loan, since, world),
    }


# --- principal (1) -----------------------------------------------------------------------------------------------


def open_schedule(loan: Plain, bucket: int, world: Plain) -> Plain:
    """Principal after 0, 1, 2, ... further instalments, up to the last one due, and how it goes on (1).

    A loan that is `bucket` instalments behind has as many more to pay than it has months left.  A thousandth
    of an instalment is rounding of the tape's figures and makes no further instalment.  A single-payment loan
    has no last instalment: its schedule is longer than any run.
    """
    kind, principal, growth = loan["amortisation"], loan["current_balance"], 1.0 + loan["rate"] / 12.0
    months = max(loan["remaining_term"], 0 if bucket else 1)
    due = months + bucket
    factor, payment = 1.0, 0.0
    if kind in ("level", "balloon"):
        factor, payment = growth, level_payment(loan, growth, due)
    elif kind == "linear":
        payment = (principal - balloon(loan)) / due
    elif kind == "single_payment":
        due = world["months"] + world["run_off"] + MAX_BUCKET + 2
    owed = amortise(principal, factor, payment, 1)
    while len(owed) <= due and owed[-1] > 1e-3 * payment:
        owed += amortise(owed[-1], factor, payment, 1)[1:]
    return {
        "owed": owed,
        "factor": factor,
        "payment": payment,
        "term": months if kind == "single_payment" else len(owed) - 1 - bucket,
        "renewal_period": loan["original_term"],
    }


def level_payment(loan: Plain, growth: float, due: int) -> float:
    """The tape's instalment, or the one that leaves nothing but the balloon."""
    if loan["scheduled_payment"] > 0.0:
        return loan["scheduled_payment"]
    rest = balloon(loan) * growth**-due
    return (loan["current_balance"] - rest) / sum(growth**-k for k in range(1, due + 1))


def balloon(loan: Plain) -> float:
    """Principal that is left to the last instalment of a loan that is repaid in instalments."""
    return 0.0 if math.isnan(loan["balloon"]) else min(loan["balloon"], loan["current_balance"])


def amortise(principal: float, factor: float, payment: float, steps: int) -> list[float]:
    """Principal now and after each of so many instalments."""
    owed = [principal]
    for _ in range(steps):
        owed.append(owed[-1] * factor - payment)
    return owed


# --- the car (6) -------------------------------------------------------------------------------------------------


def open_car(loan: Plain, since: int, world: Plain) -> Plain:
    """Age and value of the car, and the depreciation that its mileage gives it."""
    parameters = world["parameters"]
    age = car_age_at_origination(loan)
    depreciation = parameters["depreciation"][loan["vehicle"]][usage_class(loan, age, parameters["mileage_edges"])]
    growth = world["history"][world["as_of"]] / world["history"][loan["origination_date"]]
    wholesale = loan["vehicle_value"] * parameters["wholesale"][loan["value_source"]] * growth
    return {
        "car_age": age + since,
        "value_as_new": wholesale / at_age(depreciation, age),
        "depreciation": depreciation,
    }


def usage_class(loan: Plain, age: int, edges: tuple[float, float]) -> int:
    """Low, typical or high yearly mileage; typical where it is not known, as of cars younger than a year."""
    if age < 12 or math.isnan(loan["mileage"]) or math.isnan(loan["model_year"]):
        return 1
    a_year = loan["mileage"] / (age / 12.0)
    return 0 if a_year < edges[0] else 2 if a_year > edges[1] else 1


def car_age_at_origination(loan: Plain) -> int:
    """Months since new; a model year stands for July of that year."""
    if loan["vehicle_new"]:
        return 0
    if math.isnan(loan["model_year"]):
        return USED_CAR_AGE
    return max(months_between((int(loan["model_year"]), 7), loan["origination_date"]), 0)


def months_between(first: tuple[int, int], last: tuple[int, int]) -> int:
    return 12 * (last[0] - first[0]) + last[1] - first[1]


def at_age(curve: list[float], age: int) -> float:
    return curve[min(age, len(curve) - 1)]


# --- tier and features (3) -----------------------------------------------------------------------------------------


def tier_of(loan: Plain, tiers: list[Plain]) -> int:
    """The set whose score band, or without a score whose rate band, holds the loan."""
    if len(tiers) == 1:
        return 0
    scored = loan["score"] > 0.0
    value = loan["score"] if scored else 100.0 * loan["rate"]
    bands = [tier["score_band" if scored else "rate_band"] for tier in tiers]
    inside = [k for k, (low, high) in enumerate(bands) if low <= value < high]
    nearest = min(range(len(tiers)), key=lambda k: min(abs(value - bands[k][0]), abs(value - bands[k][1])))
    return inside[0] if inside else nearest


def feature_score(loan: Plain, tier: Plain) -> float:
    """x'beta; a missing feature counts as the reference.

    Where negative equity has a cause of its own (4), what a loan-to-value adds above its threshold is left to it.
    """
    ltv = loan["original_balance"] / loan["vehicle_value"]
    if tier["equity_slope"] > 0.0:
        ltv = min(ltv, tier["equity_threshold"])
    score = tier["ltv_coefficient"] * (ltv - tier["ltv_reference"])
    if not math.isnan(loan["payment_to_income"]):
        score += tier["pti_coefficient"] * (loan["payment_to_income"] - tier["pti_reference"])
    if loan["score"] > 0.0:
        score += tier["score_coefficient"] * (loan["score"] - tier["score_reference"])
    return score


# --- before the as-of date (3k) ------------------------------------------------------------------------------------


def opening_mark(contract: Plain, path: int, seed: int) -> tuple[int, int] | None:
    """(month, kind) of the last return to current before month 0; None for a loan that was never in arrears."""
    if contract["modified"]:
        return 0, MODIFIED
    if contract["bucket"] > 0:
        return None
    shares = contract["tier"]["open_history"]
    u = event_uniform(contract["entity"], path, 0, PURPOSE_HISTORY, seed)
    drawn = stretch(u, shares)
    if drawn == 0:
        return None
    kind, months = divmod(drawn - 1, HISTORY_MONTHS)
    return None if months > contract["age"] else (-months, (CURED, MODIFIED)[kind])


def opening_type(contract: Plain, path: int, seed: int) -> int:
    """Type of a borrower who is in arrears at month 0; nobody's in particular without arrears."""
    if contract["bucket"] == 0:
        return FORGETFUL
    shares = contract["tier"]["open_type"][contract["bucket"]]
    u = event_uniform(contract["entity"], path, 0, PURPOSE_TYPE, seed)
    return stretch(u, shares)


def stretch(u: float, lengths: list[float]) -> int:
    """Which of the stretches of (0, 1) holds u; the last one, whatever the rounding of their sum."""
    ends = list(accumulate(lengths))
    return next((place for place, end in enumerate(ends) if u < end), len(lengths) - 1)
