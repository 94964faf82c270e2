"""Optional sections of the sets as arrays by tier; what a set does not state is neutral."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Fault, InputError
from scenarios.vocabulary import CAUSE_CLASSES, CHARGE_OFF, CURE, CURED, HISTORY_MONTHS, MODIFIED, ROLL, SEGMENTS, TYPES
from simulator.parameter_borrower import STATED_LTV, History, MultiplierByType, NegativeEquity, Types
from simulator.parameter_groups import Borrower, Economics, Workout
from simulator.parameter_set import ParameterSet
from simulator.parameter_workout import Repossession
from simulator.seasoned import SeasonedPool, Traits, sales_per_loan, solve_pool
from simulator.sourced import Sourced
from simulator.together import sets_where

Array = NDArray[np.float64]
Sets = Sequence[ParameterSet]

POINTS = 100.0
"""Percentage points in a unit fraction."""


def tiers(sets: Sets, figure: Callable[[ParameterSet], float]) -> Array:
    """A figure of each set: float64[tier]."""
    return np.array([figure(item) for item in sets], dtype=np.float64)


def stated(sets: Sets, path: str, absent: float = 0.0) -> Array:
    """A figure of each set by its dotted path, or `absent` where a part of it is: float64[tier]."""
    return tiers(sets, lambda item: _stated(item, path, absent))


def _stated(item: object, path: str, absent: float) -> float:
    for part in path.split("."):
        item = None if item is None else getattr(item, part)
    return item.value if isinstance(item, Sourced) else absent


def _months(sets: Sets, path: str) -> NDArray[np.int64]:
    return stated(sets, path).astype(np.int64)


# --- borrowers -----------------------------------------------------------------------------------


def borrower_tables(sets: Sets) -> Borrower:
    """Borrowers of each tier; the seasoned pool is not known yet."""
    equity = [_equity(item.negative_equity) for item in sets]
    return replace(
        Borrower.neutral(len(sets), len(sets[0].buckets.labels)),
        history_multiplier=np.stack([history_multiplier(item.history) for item in sets]),
        type_share=np.array([_type_share(item.types) for item in sets]),
        hardship_per_point=POINTS * stated(sets, "types.hardship_log_odds_per_point"),
        spell_end=stated(sets, "types.hardship_ends_per_month"),
        type_multiplier=np.stack([_type_multiplier(item.types) for item in sets]),
        modified_share=np.stack([_extensions(item) for item in sets]),
        equity_slope=np.array([slope for slope, _ in equity]),
        equity_cap=np.array([cap for _, cap in equity]),
        equity_threshold=stated(sets, "negative_equity.threshold", 1.0),
        equity_mean=stated(sets, "negative_equity.mean_multiplier", 1.0),
        score_coefficient=stated(sets, "covariates.score_per_point"),
        score_reference=stated(sets, "covariates.score_reference"),
        late_fee=stated(sets, "fees.late_fee"),
        renewal_fee=stated(sets, "fees.renewal_fee_share"),
    )


def history_multiplier(history: History | None) -> Array:
    """Multiplier of entry by months from the last return to current to the month's opening: float64[kind, H+1].

    Methodology (3f): after a cure 1 + (m - 1) w(j), where w(j) = (2^(-j/h) - 2^(-H/h)) / (1 - 2^(-H/h)) halves
    every h months and is 0 after H.
    """
    table = np.ones((2, HISTORY_MONTHS + 1))
    if history is None:
        return table
    month = np.arange(HISTORY_MONTHS + 1)
    weight = np.exp2(-month / history.half_life_months.value)
    weight = (weight - weight[-1]) / (weight[0] - weight[-1])
    table[CURED] = 1.0 + (history.multiplier_at_cure.value - 1.0) * weight
    table[MODIFIED, : history.modified_months.value] = history.multiplier_modified.value
    return table


def _by_type(figures: MultiplierByType) -> list[float]:
    return [getattr(figures, name) for name in TYPES]


def _type_share(types: Types | None) -> list[float]:
    shares = _by_type(types.shares) if types else [1.0, *(0.0 for _ in TYPES[1:])]
    return [share / sum(shares) for share in shares]


def _type_multiplier(types: Types | None) -> Array:
    table = np.ones((len(TYPES), len(CAUSE_CLASSES)))
    if types:
        table[:, CURE] = _by_type(types.cure_multiplier)
        table[:, ROLL] = _by_type(types.roll_multiplier)
        table[:, CHARGE_OFF] = _by_type(types.charge_off_multiplier)
    return table


def _by_bucket(item: ParameterSet, figures: Mapping[str, float]) -> Array:
    return np.array([figures.get(label, 0.0) for label in item.buckets.labels], dtype=np.float64)


def _extensions(item: ParameterSet) -> Array:
    return _by_bucket(item, item.modification.share_of_cures.by_bucket if item.modification else {})


def _equity(section: NegativeEquity | None) -> tuple[float, float]:
    """Slope above the threshold, and cap, of the multiplier of entry (methodology (4))."""
    if section is None:
        return 0.0, 1.0
    slope = (section.multiplier_at_125.value - 1.0) / (STATED_LTV - section.threshold.value)
    return slope, section.cap.value


# --- workout and economics -----------------------------------------------------------------------


def workout_tables(sets: Sets) -> Workout:
    """Workout of each tier; the sales of the seasoned pool are not known yet."""
    shared = sets[0]
    season = shared.sale.season.by_month if shared.sale.season else np.ones(12)
    return replace(
        Workout.neutral(len(sets), len(shared.buckets.labels)),
        total_loss=stated(sets, "total_loss.intensity_per_month"),
        insured_share=stated(sets, "total_loss.insured_share"),
        insurance_deductible=stated(sets, "total_loss.deductible"),
        seizure=np.stack([_seizure(item) for item in sets]),
        tracker_multiplier=stated(sets, "repossession.tracker_multiplier", 1.0),
        segment_find=_segment_find(shared.repossession),
        found_share=stated(sets, "sale.found_share"),
        search_lag=_months(sets, "sale.search_lag_months"),
        sale_lag=_months(sets, "sale.lag_months"),
        deficiency_lag=_months(sets, "deficiency.lag_months"),
        haircut=stated(sets, "sale.auction_haircut"),
        cost_fixed=stated(sets, "sale.cost_fixed"),
        cost_share=stated(sets, "sale.cost_share"),
        storage_per_month=stated(sets, "sale.storage_per_month"),
        vehicle_sd=stated(sets, "sale.vehicle_sd"),
        lgd_floor=stated(sets, "sale.lgd_floor", np.nan),
        deficiency_share=stated(sets, "deficiency.collected_share"),
        season=np.asarray(season, dtype=np.float64) / np.mean(season),
        fire_sale_elasticity=float(stated(sets[:1], "fire_sale.elasticity")[0]),
    )


def _seizure(item: ParameterSet) -> Array:
    return _by_bucket(item, item.repossession.intensity_per_month.by_bucket if item.repossession else {})


def _segment_find(section: Repossession | None) -> Array:
    if section is None:
        return np.ones(len(SEGMENTS))
    return np.array([section.segment_multiplier.value(segment) for segment in SEGMENTS])


def economics_tables(sets: Sets) -> Economics:
    """Cost of funding and servicing of each tier."""
    return Economics(
        funding_spread=stated(sets, "economics.funding_spread_percent") / POINTS,
        servicing_cost=stated(sets, "economics.servicing_cost_per_loan_month"),
        delinquent_servicing_cost=stated(sets, "economics.delinquent_servicing_cost_per_month"),
    )


# --- the seasoned pool ---------------------------------------------------------------------------


def tier_traits(borrower: Borrower, tier: int) -> Traits:
    """What tells a tier's borrowers apart; entries by negative equity are at their mean."""
    strategic = 1.0 - 1.0 / borrower.equity_mean[tier]
    of_equity = np.array([0.0, 0.0, strategic])
    return Traits(
        history=borrower.history_multiplier[tier],
        entry_type=of_equity + (1.0 - strategic) * borrower.type_share[tier],
        type_multiplier=borrower.type_multiplier[tier],
        spell_end=float(borrower.spell_end[tier]),
        modified_share=borrower.modified_share[tier],
    )


def seasoned_tables(
    sets: Sets, published: Array, borrower: Borrower, workout: Workout
) -> tuple[Array, Borrower, Workout]:
    """Renormalised intensities float64[tier, K+1, K+3], and both groups with their seasoned pools (3k)."""
    traits = [tier_traits(borrower, tier) for tier in range(len(sets))]
    pools = [
        solve_pool(table, trait, sets_where([item])) for item, table, trait in zip(sets, published, traits, strict=True)
    ]
    for item, pool in zip(sets, pools, strict=True):
        _check_total_loss(item, pool)
    sales = [
        sales_per_loan(pool, trait, workout.seizure[tier], float(workout.found_share[tier]))
        for tier, (pool, trait) in enumerate(zip(pools, traits, strict=True))
    ]
    apart = [item.history is not None or item.modification is not None for item in sets]
    histories = np.where(np.array(apart)[:, None], np.stack([pool.history for pool in pools]), borrower.open_history)
    return (
        np.stack([pool.intensity for pool in pools]),
        replace(borrower, open_history=histories, open_type=np.stack([pool.types for pool in pools])),
        replace(workout, baseline_sales=np.array(sales)),
    )


def _check_total_loss(item: ParameterSet, pool: SeasonedPool) -> None:
    """Total loss is part of published payoff, and cannot be more than all of it."""
    if item.total_loss is None:
        return
    stated_loss = item.total_loss.intensity_per_month.value
    payoff = pool.intensity[:, -1]
    if stated_loss <= payoff.min():
        return
    label = item.buckets.labels[int(payoff.argmin())]
    raise InputError(
        Fault(
            sets_where([item]),
            f"total_loss.intensity_per_month = {stated_loss:g} and payoff of {payoff.min():.3g} a month "
            f"from bucket '{label}'",
            "a total loss that is part of the published payoff column",
            "Lower the intensity of total loss, or add total losses to `prepaid` in that row of the matrix.",
        )
    )
