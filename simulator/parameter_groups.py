"""Groups of a book's parameters as arrays by tier: borrowers, workout of arrears, economics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import CAUSE_CLASSES, FORGETFUL, HISTORIES, HISTORY_MONTHS, SEGMENTS, TYPES

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MONTHS_A_YEAR = 12


@dataclass(frozen=True, eq=False)
class Borrower:
    """What moves borrowers beside macro and factors; K is the worst bucket, H `vocabulary.HISTORY_MONTHS`.

    Attributes
    ----------
    history_multiplier : float64[tier, kind, H+1]
        Multiplier of entry by months from the last return to current to the month's opening, kinds as in
        `vocabulary.HISTORIES`; the last column is 1 (methodology (3f)).
    type_share : float64[tier, type]
        Types at entry into arrears at reference unemployment and without negative equity (3g); rows sum to 1.
    hardship_per_point : float64[tier]
        Log odds of hardship per unit (fraction) of unemployment above the reference.
    spell_end : float64[tier]
        Intensity a month at which hardship ends; the probability is 1 - exp(-spell_end).
    type_multiplier : float64[tier, type, class]
        Multipliers of intensities in arrears (3h); 1 for the classes enter and prepay.
    modified_share : float64[tier, K+1]
        Share of returns to current that are extensions, by the bucket they start from (3i).
    equity_slope, equity_cap, equity_threshold, equity_mean : float64[tier]
        Entry is multiplied by min(1 + slope x max(0, LTV - threshold), cap) / mean (4); neutral 0, 1, 1, 1.
    score_coefficient, score_reference : float64[tier]
        Log intensity of entry per point of score; score where the effect is 0, and that a missing score counts as.
    late_fee : float64[tier]
        Currency an instalment paid late.
    renewal_fee : float64[tier]
        Fraction of principal a renewal.
    open_history : float64[tier, 1+2H]
        Current loans of the seasoned pool: clean, cured 0..H-1 months ago, modified 0..H-1 months ago; sum 1 (3k).
    open_type : float64[tier, K+1, type]
        Types of the seasoned pool by bucket; rows sum to 1, row 0 unused (3k).
    """

    history_multiplier: Floats
    type_share: Floats
    hardship_per_point: Floats
    spell_end: Floats
    type_multiplier: Floats
    modified_share: Floats
    equity_slope: Floats
    equity_cap: Floats
    equity_threshold: Floats
    equity_mean: Floats
    score_coefficient: Floats
    score_reference: Floats
    late_fee: Floats
    renewal_fee: Floats
    open_history: Floats
    open_type: Floats

    @classmethod
    def neutral(cls, tiers: int, buckets: int) -> Borrower:
        """Without any effect; `buckets` counts current in (K + 1)."""
        forgetful = np.eye(len(TYPES))[FORGETFUL]
        clean = np.eye(1 + 2 * HISTORY_MONTHS)[0]
        return cls(
            history_multiplier=np.ones((tiers, len(HISTORIES), HISTORY_MONTHS + 1)),
            type_share=np.tile(forgetful, (tiers, 1)),
            hardship_per_point=np.zeros(tiers),
            spell_end=np.zeros(tiers),
            type_multiplier=np.ones((tiers, len(TYPES), len(CAUSE_CLASSES))),
            modified_share=np.zeros((tiers, buckets)),
            equity_slope=np.zeros(tiers),
            equity_cap=np.ones(tiers),
            equity_threshold=np.ones(tiers),
            equity_mean=np.ones(tiers),
            score_coefficient=np.zeros(tiers),
            score_reference=np.zeros(tiers),
            late_fee=np.zeros(tiers),
            renewal_fee=np.zeros(tiers),
            open_history=np.tile(clean, (tiers, 1)),
            open_type=np.tile(forgetful, (tiers, buckets, 1)),
        )


@dataclass(frozen=True, eq=False)
class Workout:
    """Seizure and sale of cars, deficiency, total loss: methodology (3j), (7), (8b).

    Attributes
    ----------
    total_loss : float64[tier]
        Intensity a month of total loss of the car, in every state; part of published payoff.
    insured_share, insurance_deductible : float64[tier]
        Share of total losses that the car's own insurance pays; what it deducts, currency.
    seizure : float64[tier, K+1]
        Intensity a month of seizure by bucket at the close of the month.
    tracker_multiplier : float64[tier]
        Factor on the chance to seize or find a car with a tracker.
    segment_find : float64[segment]
        The same by vehicle segment.
    found_share : float64[tier]
        Probability that a car not seized before charge-off is found after it.
    search_lag, sale_lag, deficiency_lag : int64[tier]
        Months: from charge-off to finding; from having the car to cash; from charge-off to deficiency cash.
    haircut, cost_fixed, cost_share, storage_per_month, vehicle_sd, lgd_floor : float64[tier]
        A sale brings value x (1 - haircut); costs in currency, as a share of the price, in currency a month; log
        sd of a car's own condition; least loss given a sale, NaN where there is none.
    deficiency_share : float64[tier]
        Share of what a sale leaves unpaid that is collected.
    season : float64[12]
        Sale price over the year's mean, January first; mean 1.
    fire_sale_elasticity : float
        Log price per log volume at a market share of 1.
    baseline_sales : float64[tier]
        Cars that go to sale per live loan and month in the seasoned pool.
    """

    total_loss: Floats
    insured_share: Floats
    insurance_deductible: Floats
    seizure: Floats
    tracker_multiplier: Floats
    segment_find: Floats
    found_share: Floats
    search_lag: Integers
    sale_lag: Integers
    deficiency_lag: Integers
    haircut: Floats
    cost_fixed: Floats
    cost_share: Floats
    storage_per_month: Floats
    vehicle_sd: Floats
    lgd_floor: Floats
    deficiency_share: Floats
    season: Floats
    fire_sale_elasticity: float
    baseline_sales: Floats

    @classmethod
    def neutral(cls, tiers: int, buckets: int) -> Workout:
        """No car is ever seized, found or lost, and nothing costs anything; `buckets` counts current in (K + 1)."""
        none = np.zeros(tiers)
        at_once = np.zeros(tiers, dtype=np.int64)
        return cls(
            total_loss=none,
            insured_share=none,
            insurance_deductible=none,
            seizure=np.zeros((tiers, buckets)),
            tracker_multiplier=np.ones(tiers),
            segment_find=np.ones(len(SEGMENTS)),
            found_share=none,
            search_lag=at_once,
            sale_lag=at_once,
            deficiency_lag=at_once,
            haircut=none,
            cost_fixed=none,
            cost_share=none,
            storage_per_month=none,
            vehicle_sd=none,
            lgd_floor=np.full(tiers, np.nan),
            deficiency_share=none,
            season=np.ones(MONTHS_A_YEAR),
            fire_sale_elasticity=0.0,
            baseline_sales=none,
        )


@dataclass(frozen=True, eq=False)
class Economics:
    """Cost of funding and servicing.

    Attributes
    ----------
    funding_spread : float64[tier]
        Fraction a year over the prime rate; may be negative.
    servicing_cost, delinquent_servicing_cost : float64[tier]
        Currency a month: of a live loan; more of one in arrears.
    """

    funding_spread: Floats
    servicing_cost: Floats
    delinquent_servicing_cost: Floats

    @classmethod
    def neutral(cls, tiers: int) -> Economics:
        """Funding at the prime rate, servicing for nothing."""
        return cls(np.zeros(tiers), np.zeros(tiers), np.zeros(tiers))
