"""Parameters, macro paths and servicing with every feature at work, for comparing the engine with `reference`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import CAUSE_CLASSES, CHARGE_OFF, CURE, HISTORY_MONTHS, ROLL, SEGMENTS, TYPES
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.servicing import PhonePool, Servicing
from small_books import changed, macro_at, shipped, with_offset

Floats = NDArray[np.float64]

IN_ARREARS = [CURE, ROLL, CHARGE_OFF]
"""Classes of causes on which the borrower's type and a call act."""


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


def busy_servicing(parameters: Parameters, contacts: int = 6, seed: int = 11) -> Servicing:
    """A phone that reaches some of those in arrears, and a book that has most of its market of used cars."""
    random = np.random.default_rng(seed)
    effect = np.ones((2, len(TYPES), len(CAUSE_CLASSES)))
    effect[0][:, [CURE]] = random.uniform(0.3, 0.8, (len(TYPES), 1))
    effect[0][:, [ROLL, CHARGE_OFF]] = random.uniform(1.0, 1.6, (len(TYPES), 2))
    effect[1][:, IN_ARREARS] = random.uniform(0.9, 1.3, (len(TYPES), len(IN_ARREARS)))
    pool = PhonePool(
        hours=0.7 * contacts + 0.5,
        hours_per_contact=0.7,
        first_bucket=1,
        last_bucket=len(parameters.bucket_edges) - 2,
        reach=0.7,
        weights=(1.0, 0.5, 2.0),
        effect=effect,
    )
    return Servicing(pool=pool, market_share=0.8)
