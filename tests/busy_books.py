"""Parameters, macro paths and servicing with every feature at work, for comparing the engine with `reference`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.macro import MonthlyMacro
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import CAUSE_CLASSES, CHARGE_OFF, CURE, HISTORY_MONTHS, ROLL, SEGMENTS, TYPES
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from small_books import changed, macro_at, shipped, with_offset

Floats = NDArray[np.float64]

IN_ARREARS = [CURE, ROLL, CHARGE_OFF]
"""Classes of causes on which the borrower's type and a contact act."""

SOURCE = "Assumption of a test: no figure is anybody's."


def busy_tiers(response: str, seed: int = 3) -> Parameters:
    """Two shipped tiers, changed until every feature is at work and most loans move."""
    base = shipped("us_near_prime", "us_subprime")
    random = np.random.default_rng(seed)
    intensity = base.published_intensity * random.uniform(0.5, 2.0, base.published_intensity.shape)
    intensity[:, 0, 1] *= 3.0
    intensity[:, 0, 4] = 0.004, 0.008
    intensity[:, 2:] *= 0.15  # so that some default linger, and reach the end of the run-off
    return changed(
        base,
        response=response,
        intensity=intensity,
        sensitivity=random.uniform(-6.0, 6.0, base.sensitivity.shape) * [1.0, 0.5, 1.0, 0.2],
        nonaccrual_months=2,
        default_bucket=2,
        probation_months=3,
        discount_cap=np.array([np.inf, 0.10]),
        **busy_borrower(random, 2, 4),
        **busy_workout(random, 2, 4),
        **busy_market(),
    )


def busy_seven_buckets(seed: int = 5) -> Parameters:
    """The Chinese set: six buckets of arrears, so that draws come from more than one block of words."""
    base = shipped("cn_auto_finance")
    random = np.random.default_rng(seed)
    intensity = base.published_intensity.copy()
    intensity[:, 0, 1] *= 10.0
    intensity[:, 1:, 1:] *= 1.5
    intensity[:, 4:] *= 0.06
    intensity[:, 6, 1:4] += 0.05
    # The book's amounts are taken as they stand, and its cars' history as the one that is shipped.
    return changed(
        base,
        intensity=intensity,
        currency="USD",
        probation_months=12,
        discount_cap=np.array([0.15]),
        **busy_borrower(random, 1, 7),
        **busy_workout(random, 1, 7),
        **busy_market(),
    )


def busy_borrower(random: np.random.Generator, tiers: int, buckets: int) -> dict[str, Any]:
    """Histories, types, extensions, negative equity, score and fees; `buckets` counts current in."""
    faded = np.linspace(1.0, 0.0, HISTORY_MONTHS + 1)
    type_multiplier = np.ones((tiers, len(TYPES), len(CAUSE_CLASSES)))
    type_multiplier[:, :, IN_ARREARS] = random.uniform(0.4, 1.8, (tiers, len(TYPES), len(IN_ARREARS)))
    return {
        "history_multiplier": 1.0 + random.uniform(1.0, 3.0, (tiers, 2, 1)) * faded,
        "type_share": random.dirichlet([4.0, 3.0, 2.0], tiers),
        "hardship_per_point": random.uniform(5.0, 20.0, tiers),
        "spell_end": random.uniform(0.1, 0.3, tiers),
        "type_multiplier": type_multiplier,
        "modified_share": np.hstack([np.zeros((tiers, 1)), random.uniform(0.2, 0.5, (tiers, buckets - 1))]),
        "equity_slope": random.uniform(0.8, 1.6, tiers),
        "equity_cap": random.uniform(1.5, 2.0, tiers),
        "equity_threshold": random.uniform(0.8, 1.0, tiers),
        "equity_mean": random.uniform(1.0, 1.2, tiers),
        "score_coefficient": random.uniform(-0.01, -0.003, tiers),
        "score_reference": random.uniform(600.0, 640.0, tiers),
        "late_fee": random.uniform(10.0, 40.0, tiers),
        "renewal_fee": random.uniform(0.02, 0.2, tiers),
        "open_history": random.dirichlet([30.0] + [1.0] * 2 * HISTORY_MONTHS, tiers),
        "open_type": random.dirichlet([3.0, 4.0, 3.0], (tiers, buckets)),
    }


def busy_workout(random: np.random.Generator, tiers: int, buckets: int) -> dict[str, Any]:
    """Total loss, seizure, search, costs of storage, season, deficiency, fire sale; `buckets` counts current in."""
    season = random.uniform(0.9, 1.1, 12)
    return {
        "total_loss": np.array([0.004, 0.006])[:tiers],
        "insured_share": random.uniform(0.5, 0.8, tiers),
        "insurance_deductible": random.uniform(300.0, 2_000.0, tiers),
        "seizure": np.tile(np.linspace(0.0, 0.12, buckets), (tiers, 1)),
        "tracker_multiplier": random.uniform(1.5, 2.5, tiers),
        "segment_find": random.uniform(0.6, 1.4, len(SEGMENTS)),
        "found_share": np.array([0.5, 0.4])[:tiers],
        "search_lag": np.array([3, 1])[:tiers],
        "sale_lag": np.array([4, 2])[:tiers],
        "deficiency_lag": np.array([7, 40])[:tiers],
        "haircut": random.uniform(0.1, 0.2, tiers),
        "cost_fixed": np.array([900.0, 300.0])[:tiers],
        "cost_share": np.array([0.03, 0.08])[:tiers],
        "storage_per_month": random.uniform(20.0, 90.0, tiers),
        "lgd_floor": np.array([np.nan, 0.1])[:tiers] if tiers > 1 else np.array([0.2]),
        "deficiency_share": random.uniform(0.05, 0.3, tiers),
        "season": season / season.mean(),
        "fire_sale_elasticity": 0.4,
        "baseline_sales": random.uniform(0.002, 0.006, tiers),
    }


def busy_market() -> dict[str, float]:
    """Jumps and mean reversion of the used-car index."""
    return {"jump_intensity": 0.06, "jump_mean": -0.08, "jump_sd": 0.05, "reversion": 0.02}


def busy_macro(parameters: Parameters, horizon: int) -> MonthlyMacro:
    """Every macro variable moves, cars lose a fifth, and one region and one sector are off the nation."""
    months = np.arange(months_needed(parameters, horizon) + 1)
    macro = macro_at(
        parameters,
        int(months[-1]),
        unemployment=0.03 * np.sin(months / 5.0),
        prime_rate=0.0004 * months,
        fuel_price=0.3 * np.cos(months / 7.0),
        used_car_index=np.exp(-0.01 * np.minimum(months, 24)),
    )
    return with_offset(with_offset(macro, "NV", unemployment=0.02), "mining", "sector", unemployment=0.01)


def busy_servicing(parameters: Parameters, times: float = 1.0) -> Servicing:
    """A strategy with every action at work, and a book that has most of its market of used cars.

    Hours of a month are so many times those for a book of 60 loans.
    """
    observed = observed_strategy(parameters)
    by_tier = (None, observed)[-len(parameters.names) :]
    strategy = busy_strategy(parameters)
    pools = {
        name: pool
        if pool.hours_per_month is None
        else pool.model_copy(update={"hours_per_month": times * pool.hours_per_month})
        for name, pool in strategy.pools.items()
    }
    strategy = strategy.model_copy(update={"pools": pools})
    return Servicing(strategy=strategy, observed=by_tier, market_share=0.8)


def observed_servicing(parameters: Parameters) -> Servicing:
    """The strategy of the figures again, in a book of which one tier was observed otherwise; nothing couples loans."""
    observed = observed_strategy(parameters)
    by_tier = (observed, None)[: len(parameters.names)]
    return Servicing(strategy=observed, observed=by_tier)


def observed_strategy(parameters: Parameters) -> CollectionStrategy:
    """What was done where the figures were observed: by days alone, with visits that backfire."""
    _, first, second, *_ = parameters.bucket_edges
    work: dict[str, Any] = {"who": {"from_days": first}}
    late: dict[str, Any] = {"who": {"from_days": second}}
    ladder = [
        {"action": "phone", **work, "reach_percent": 70, "effect": {"cure": 1.5, "roll": {"forgetful": 0.6}}},
        {
            "action": "visit",
            **late,
            "reach_percent": 50,
            "effect": {"cure": {"forgetful": 2.0, "hardship": 1.2}, "charge_off": 0.8},
            "backfire_percent": 20,
            "backfire": {"cure": 0.5, "roll": 1.5},
        },
        {"action": "extension", **work, "granted": 0.9, "reach_percent": 80},
        {"action": "repossession", **late, "seized": 1.2, "reach_percent": 75},
    ]
    care = [{"action": "reminder", "reach_percent": 80, "averted_percent": 15}]
    return CollectionStrategy(name="observed", title="As observed", ladder=ladder, while_current=care, source=SOURCE)


def busy_strategy(parameters: Parameters) -> CollectionStrategy:
    """Every action and condition, pools with and without bounds, hiring, incidents that close field pools."""
    days = parameters.bucket_edges
    return CollectionStrategy(
        name="busy",
        title="Everything at work",
        currency="USD",
        pools=busy_pools(),
        ladder=(*early_rungs(days), *middle_rungs(days), *late_rungs(parameters)),
        watch_list=busy_watch_list(),
        while_current=care_rungs(),
        incidents=busy_incidents(),
        source=SOURCE,
    )


def busy_pools() -> dict[str, Any]:
    """For a book of 60 loans."""
    weights = {"bucket": 1.0, "waiting": 0.5, "balance": 2.0}
    hiring = {"step_percent": 30, "most_percent": 180, "cost_per_hour": 45.0}
    return {
        "robot": {"unlimited": True, "cost_per_hour": 3.0},
        "desk": {"hours_per_month": 3.1, "cost_per_hour": 21.0, "priority": weights, "hiring": hiring},
        "field": {
            "hours_per_1000_loans": 80.0,
            "cost_per_hour": 33.0,
            "field": True,
            "priority": {"bucket": 0.5, "waiting": 1.5, "balance": 0.3},
            "hiring": {**hiring, "step_percent": 50, "most_percent": 200},
        },
        "trucks": {"hours_per_month": 7.0, "cost_per_hour": 52.0, "field": True, "priority": {"waiting": 1.0}},
    }


def busy_watch_list() -> dict[str, Any]:
    """Any of the three conditions puts some loans on it that no other does."""
    alerts = {"hits_percent": 60, "right_percent": 70}
    return {"from_hazard_percent": 30, "from_ltv_percent": 150, "alerts": alerts, "macro_lag_months": 3}


def care_rungs() -> list[dict[str, Any]]:
    """A reminder for all; calls to the watched, who wait for the desk with those in arrears, and to some others."""
    call: dict[str, Any] = {"action": "check_in", "contacts_per_month": 1.5}
    return [
        {
            "action": "reminder",
            "cost_per_contact": 0.15,
            "reach_percent": 85,
            "averted_percent": {"forgetful": 40, "hardship": 10, "strategic": 5},
        },
        {
            **call,
            "name": "watched_call",
            "who": {"watched": True},
            "pool": "desk",
            "hours_per_contact": 0.097,
            "cost_per_contact": 0.4,
            "reach_percent": 60,
            "priority": 1.5,
            "averted_percent": {"forgetful": 50, "hardship": 35, "strategic": 15},
        },
        {
            **call,
            "name": "other_call",
            "who": {"watched": False, "tracker": False, "regions": ["CA", "TX"]},
            "pool": "robot",
            "hours_per_contact": 0.05,
            "averted_percent": 30,
        },
    ]


def early_rungs(days: Sequence[int]) -> list[dict[str, Any]]:
    """Messages, letters, calls."""
    return [
        {
            "action": "sms",
            "pool": "robot",
            "contacts_per_week": 1.5,
            "hours_per_contact": 0.02,
            "cost_per_contact": 0.05,
            "reach_percent": 60,
            "effect": {"cure": 1.1},
        },
        {
            "action": "letter",
            "who": {"to_balance": 20_000.0},
            "cost_per_contact": 1.4,
            "reach_percent": 90,
            "once": True,
        },
        {
            "action": "phone",
            "who": {"to_days": days[2], "regions": ["CA", "TX"]},
            "pool": "desk",
            "contacts_per_week": 0.4,
            "hours_per_contact": 0.25,
            "cost_per_contact": 0.3,
            "reach_percent": 55,
            "effect": {"cure": {"forgetful": 1.6, "strategic": 0.9}, "roll": 0.8},
        },
        {
            "action": "phone",
            "name": "second_call",
            "who": {"from_days": days[1], "regions": ["NV"], "broken_promises": 1, "after": ["sms"]},
            "pool": "desk",
            "contacts_per_month": 2,
            "hours_per_contact": 0.4,
            "reach_percent": 65,
            "priority": 1.3,
            "effect": {"cure": {"forgetful": 1.3, "hardship": 1.4}, "roll": {"strategic": 0.7}},
        },
    ]


def middle_rungs(days: Sequence[int]) -> list[dict[str, Any]]:
    """Visits, and what is offered to who was visited."""
    return [
        {
            "action": "visit",
            "who": {"from_days": days[1], "from_balance": 1_500.0, "broken_promises": 1},
            "pool": "field",
            "contacts_per_month": 1.5,
            "hours_per_contact": 1.1,
            "cost_per_contact": 4.0,
            "reach_percent": 75,
            "finds_car": 1.8,
            "backfire_percent": 15,
            "effect": {"cure": {"forgetful": 1.7, "hardship": 1.1}, "charge_off": 0.9},
            "backfire": {"cure": 0.4, "roll": 1.6, "charge_off": {"strategic": 1.5}},
            "incidents": {"complaint": 60.0, "claim": 15.0, "injury": 20.0, "regulatory": 8.0},
        },
        {
            "action": "plan",
            "who": {"revealed": ["hardship", "unknown"], "to_ltv_percent": 110.0},
            "cost_per_contact": 6.0,
            "reach_percent": 80,
            "accepted_percent": {"forgetful": 5, "hardship": 30, "strategic": 1},
        },
        {"action": "extension", "granted": 1.3, "reach_percent": 85},
        {
            "action": "surrender",
            "who": {"from_days": days[1], "from_ltv_percent": 60.0, "revealed": ["hardship", "strategic", "unknown"]},
            "reach_percent": 70,
            "accepted_percent": {"forgetful": 2, "hardship": 20, "strategic": 8},
        },
        {
            "action": "starter_interrupt",
            "who": {"from_days": days[1], "starter_interrupt": True},
            "effect": {"cure": {"strategic": 2.5}, "roll": 0.9},
            "incidents": {"complaint": 25.0, "regulatory": 1.0},
        },
    ]


def late_rungs(parameters: Parameters) -> list[dict[str, Any]]:
    """Trucks, lawyers, agencies, buyers of debt, write-off."""
    days, tiers = parameters.bucket_edges, list(parameters.names)
    return [
        {
            "action": "repossession",
            "who": {"from_days": days[1], "tracker": True},
            "pool": "trucks",
            "hours_per_contact": 1.5,
            "cost_per_contact": 20.0,
            "reach_percent": 90,
            "seized": 1.5,
            "incidents": {"claim": 30.0, "injury": 10.0, "regulatory": 12.0},
        },
        {
            "action": "repossession",
            "name": "search",
            "who": {"from_days": days[2], "tracker": False, "unless": ["plan"]},
            "pool": "trucks",
            "hours_per_contact": 2.5,
            "reach_percent": 70,
            "priority": 0.7,
        },
        {
            "action": "litigation",
            "who": {"from_days": days[2], "broken_promises": 2, "tiers": tiers[-1:]},
            "cost_per_contact": 11.0,
            "reach_percent": 60,
            "judgment_months": 5,
            "won_percent": 65,
            "enforced_percent": 40,
            "cost_percent": 4,
            "effect": {"cure": {"strategic": 1.8}},
        },
        {
            "action": "outsourcing",
            "who": {"from_days": days[2], "unless": ["litigation"]},
            "commission_percent": 25,
            "reach_percent": 80,
            "effect": {"cure": 1.2},
        },
        {"action": "debt_sale", "who": {"from_days": days[2], "from_balance": 3_000.0}, "price_percent": 7},
        {"action": "write_off", "who": {"from_days": days[-1], "broken_promises": 3}, "reach_percent": 30},
    ]


def busy_incidents() -> dict[str, Any]:
    """Frequent and dear."""
    return {
        "standard": 1.3,
        "variance": 0.6,
        "cost": {"complaint": 90.0, "claim": 2_500.0, "injury": 12_000.0, "regulatory": 40_000.0},
        "suspension_months": 3,
    }
