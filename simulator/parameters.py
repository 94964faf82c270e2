"""Parameters: the only thing that calibration hands over. Dense arrays, one row a tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Fault, InputError
from scenarios.vocabulary import CAUSE_CLASSES, MACRO_VARIABLES, SEGMENTS
from simulator.correlation import Credit, Response, innovation_correlation, solve_response, sum_variance_factor
from simulator.intensities import intensities_from_probabilities, quasi_stationary, transition_matrix
from simulator.parameter_car import usage_log_value
from simulator.parameter_groups import Borrower, Economics, Workout
from simulator.parameter_set import CHARGE_OFF_COLUMN, PREPAID_COLUMN, AgeCurve, ParameterSet, Sensitivity
from simulator.tier_tables import (
    POINTS,
    borrower_tables,
    economics_tables,
    seasoned_tables,
    stated,
    tiers,
    workout_tables,
)
from simulator.tiers import assign_tiers
from simulator.together import check_together, sets_where

__all__ = ["Parameters", "assign_tiers", "build_parameters", "seasoned_shares"]

Array = NDArray[np.float64]

OLDEST_AGE = 360
"""Last month of age that the curves by age cover, for loans and for cars."""

USAGE_CLASSES = 3
"""Cars of low, typical and high yearly mileage."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """A book's parameters as dense arrays; fractions, months, per-month intensities.

    Attributes
    ----------
    names : tuple of str
        Names of the parameter sets: the tiers, in the order of every array's first axis.
    sets : tuple of ParameterSet
        The sets themselves, for provenance.
    currency : str
        ISO 4217 code of the amounts.
    notes : tuple of str
        What building changed (rows that were renormalised), for the report.
    bucket_labels, bucket_edges : tuple
        Label and first day past due of each bucket 0..K.
    default_bucket, nonaccrual_months, probation_months : int
        First bucket (instalments past due) that is default; from which unpaid interest is not accrued; months
        without arrears after which a default counts as a new one.
    intensity : float64[tier, K+1, K+3]
        Per month, at reference macro, from bucket to bucket 0..K, charge-off (K+1), prepaid (K+2), total loss
        included, of a loan whose multipliers are 1: the seasoned pool then shows the published matrix (3k).
    published_intensity : float64[tier, K+1, K+3]
        The published matrix itself, as intensities of one loan of a tier without histories and types.
    seasoning : float64[tier, 361]
        Multiplier of entry by months since origination.
    sensitivity : float64[tier, cause_class, macro_variable]
        Log intensity per unit (fraction) of the macro variable above its reference.
    reference : float64[tier, macro_variable]
        Levels at which the intensities were observed, fractions.
    ltv_coefficient, ltv_reference, pti_coefficient, pti_reference : float64[tier]
        Log intensity of entry per unit of LTV and of payment-to-income; levels where the effect is 0.
    response : "lognormal" or "probit"
        Factor response of entry.
    sigma, rho : float64[tier]
        Monthly strength of either response, solved from the quoted correlation.
    shares : tuple of float
        Variance shares of the global, the region's and the sector's factor; sum 1.
    persistence : float
        Monthly AR(1) coefficient of the factors.
    index_persistence, index_innovation_sd, index_common_share : float
        Used-car returns of a typical segment: the common innovation has sd innovation_sd x sqrt(common_share).
    index_residual_sd : float64[segment]
        Monthly innovation sd of each segment's own part.
    index_factor_correlation : float
        Correlation of the innovations of the common return and of the global factor.
    jump_intensity, jump_mean, jump_sd : float
        Jumps of the common return: intensity a month, mean and sd of a jump's log return.
    reversion : float
        Rate a month at which the log index returns to the scenario's path.
    depreciation : float64[segment, usage, 361]
        Value relative to new by the car's age in months; usage 0 low, 1 typical, 2 high yearly mileage.
    mileage_edges : tuple of float
        Kilometres a year below which mileage is low, and above which it is high.
    wholesale : mapping
        Factor from a stated value to wholesale by the value's basis.
    discount_cap : float64[tier]
        Highest rate at which recoveries are discounted, fraction a year; infinite where there is no cap.
    borrower, workout, economics : Borrower, Workout, Economics
        Further parameters by what they are about.
    """

    names: tuple[str, ...]
    sets: tuple[ParameterSet, ...]
    currency: str
    notes: tuple[str, ...]
    bucket_labels: tuple[str, ...]
    bucket_edges: tuple[int, ...]
    default_bucket: int
    nonaccrual_months: int
    probation_months: int
    intensity: Array
    published_intensity: Array
    seasoning: Array
    sensitivity: Array
    reference: Array
    ltv_coefficient: Array
    ltv_reference: Array
    pti_coefficient: Array
    pti_reference: Array
    response: Response
    sigma: Array
    rho: Array
    shares: tuple[float, float, float]
    persistence: float
    index_persistence: float
    index_innovation_sd: float
    index_common_share: float
    index_residual_sd: Array
    index_factor_correlation: float
    jump_intensity: float
    jump_mean: float
    jump_sd: float
    reversion: float
    depreciation: Array
    mileage_edges: tuple[float, float]
    wholesale: Mapping[str, float]
    discount_cap: Array
    borrower: Borrower
    workout: Workout
    economics: Economics


def build_parameters(sets: Sequence[ParameterSet], *, sensitivity: Literal["central", "top"] = "central") -> Parameters:
    """Build the dense bundle of one or more parameter sets, each a tier.

    Parameters
    ----------
    sets : sequence of ParameterSet
        One set, or several that share currency, buckets, factor and index processes and whose score
        bands do not overlap. Sections that a set does not state have no effect.
    sensitivity : "central" or "top"
        Macro sensitivities at their value, or at the end of their published range that is farther from 0.

    Raises
    ------
    InputError
        The sets cannot be tiers of one book, a quoted correlation cannot be reached, or no intensities
        return the published matrix with the set's histories and types.
    """
    sets = tuple(sets)
    check_together(sets)
    published = np.stack([_intensity(item) for item in sets])
    intensity, borrower, workout = seasoned_tables(sets, published, borrower_tables(sets), workout_tables(sets))
    return Parameters(
        names=tuple(item.name for item in sets),
        sets=sets,
        notes=tuple(note for item in sets for note in _renormalised(item)),
        intensity=intensity,
        published_intensity=published,
        seasoning=np.stack([_by_age(item.entry_by_age) for item in sets]),
        sensitivity=np.stack([_sensitivity(item, sensitivity) for item in sets]),
        reference=np.stack([_reference(item) for item in sets]),
        discount_cap=stated(sets, "discount_cap", np.inf),
        borrower=borrower,
        workout=workout,
        economics=economics_tables(sets),
        **_systematic(sets, published),
        **_covariates(sets),
        **_common(sets[0]),
        **_index(sets[0]),
        **_cars(sets[0]),
    )


def seasoned_shares(parameters: Parameters, tier: int) -> Array:
    """Mix of buckets towards which a tier's live loans settle at reference macro: float64[K+1], sum 1."""
    n_buckets = len(parameters.bucket_labels)
    return quasi_stationary(transition_matrix(parameters.published_intensity[tier])[:, :n_buckets])[0]


# --- single sections -----------------------------------------------------------------------------


def _intensity(item: ParameterSet) -> Array:
    """Monthly intensities from the set's matrix, rows renormalised: float64[K+1, K+3]."""
    columns = [*item.buckets.labels, CHARGE_OFF_COLUMN, PREPAID_COLUMN]
    probability = np.zeros((len(item.transitions), len(columns)))
    for origin, row in enumerate(item.transitions):
        moves = {label: share for label, share in row.to.items() if label != row.from_bucket}
        total = row.stays() + sum(moves.values())
        for label, share in moves.items():
            probability[origin, columns.index(label)] = share / total
    return intensities_from_probabilities(probability)


def _renormalised(item: ParameterSet) -> list[str]:
    """A sentence for each row whose published figures do not sum to 1."""
    sums = {row.from_bucket: sum(row.to.values()) for row in item.transitions if row.from_bucket in row.to}
    return [
        f"{item.name}: row '{label}' of the transition matrix sums to {total:.4g} as given in the set and was divided "
        "by it"
        for label, total in sums.items()
        if abs(total - 1.0) > 1e-9
    ]


def _by_age(curve: AgeCurve) -> Array:
    ages, multipliers = zip(*curve.points, strict=True)
    return np.asarray(np.interp(np.arange(OLDEST_AGE + 1), ages, multipliers), dtype=np.float64)


def _sensitivity(item: ParameterSet, choice: Literal["central", "top"]) -> Array:
    """Log intensity per unit of each macro variable: float64[cause_class, macro_variable]."""
    table = np.zeros((len(CAUSE_CLASSES), len(MACRO_VARIABLES)))
    for effect in item.macro_sensitivity:
        cell = CAUSE_CLASSES.index(effect.cause), MACRO_VARIABLES.index(effect.variable)
        table[cell] = POINTS * _effect(effect, choice)
    return table


def _effect(effect: Sensitivity, choice: Literal["central", "top"]) -> float:
    quoted = effect.per_percentage_point
    if choice == "central" or quoted.range is None:
        return quoted.value
    return float(max(quoted.range, key=abs))


def _reference(item: ParameterSet) -> Array:
    """Reference levels in the order of MACRO_VARIABLES, fractions; fuel price relative."""
    levels = item.macro_reference
    percents = (levels.unemployment_percent, levels.disposable_income_growth_percent, levels.prime_rate_percent)
    return np.array([*(percent.value / POINTS for percent in percents), levels.fuel_price.value])


def _covariates(sets: Sequence[ParameterSet]) -> dict[str, Any]:
    ratio = tiers(sets, lambda item: item.covariates.ltv_hazard_ratio_per_10_points.value)
    return {
        "ltv_coefficient": np.log(ratio) / 0.10,
        "ltv_reference": tiers(sets, lambda item: item.covariates.ltv_reference.value),
        "pti_coefficient": tiers(sets, lambda item: POINTS * item.covariates.payment_to_income_per_point.value),
        "pti_reference": tiers(sets, lambda item: item.covariates.payment_to_income_reference.value),
    }


def _systematic(sets: Sequence[ParameterSet], tables: Array) -> dict[str, Any]:
    """Factor process, and the strength of both responses so that a study may switch between them."""
    shared = sets[0].systematic
    return {
        "response": shared.response,
        "shares": (shared.share_global.value, shared.share_region.value, shared.share_sector.value),
        "persistence": shared.persistence.value,
        "sigma": np.array([_strength(item, table, "lognormal") for item, table in zip(sets, tables, strict=True)]),
        "rho": np.array([_strength(item, table, "probit") for item, table in zip(sets, tables, strict=True)]),
    }


def _strength(item: ParameterSet, table: Array, response: Response) -> float:
    quoted = item.systematic
    credit = Credit(table, item.buckets.labels.index(item.buckets.default_bucket), quoted.persistence.value)
    try:
        return solve_response(credit, response, quoted.correlation.value, quoted.horizon_months)
    except ValueError as fault:
        found = f"systematic.correlation = {quoted.correlation.value}: {fault}"
        raise InputError(Fault(sets_where([item]), found, "a smaller correlation")) from fault


def _common(item: ParameterSet) -> dict[str, Any]:
    """Currency and buckets, which all tiers share."""
    buckets = item.buckets
    return {
        "currency": item.currency,
        "bucket_labels": buckets.labels,
        "bucket_edges": buckets.lower_edge_days,
        "default_bucket": buckets.labels.index(buckets.default_bucket),
        "nonaccrual_months": int(np.searchsorted(buckets.lower_edge_days, buckets.nonaccrual_days.value)),
        "probation_months": buckets.probation_months.value if buckets.probation_months else 0,
    }


def _index(item: ParameterSet) -> dict[str, Any]:
    """The used-car index, which all tiers share."""
    index = item.used_car_index
    yearly = np.array([index.residual_sd_per_year.value(segment) for segment in SEGMENTS])
    a_month = 1.0 / 12.0
    return {
        "index_persistence": index.persistence.value,
        "index_innovation_sd": index.innovation_sd.value,
        "index_common_share": index.common_share.value,
        "index_residual_sd": yearly / np.sqrt(sum_variance_factor(index.persistence.value)),
        "index_factor_correlation": _index_factor_correlation(item),
        "jump_intensity": index.jumps.per_year.value * a_month if index.jumps else 0.0,
        "jump_mean": index.jumps.mean.value if index.jumps else 0.0,
        "jump_sd": index.jumps.sd.value if index.jumps else 0.0,
        "reversion": index.mean_reversion_per_year.value * a_month if index.mean_reversion_per_year else 0.0,
    }


def _cars(item: ParameterSet) -> dict[str, Any]:
    """Depreciation and bases of value, which all tiers share."""
    mileage = item.depreciation.mileage
    typical, half = (mileage.km_per_year.value, mileage.km_step.value / 2.0) if mileage else (0.0, np.inf)
    return {
        "depreciation": np.stack([_depreciation(item, segment) for segment in SEGMENTS]),
        "mileage_edges": (typical - half, typical + half),
        "wholesale": {basis: getattr(item.wholesale, basis).value for basis in type(item.wholesale).model_fields},
    }


def _index_factor_correlation(item: ParameterSet) -> float:
    index = item.used_car_index
    try:
        return innovation_correlation(
            index.correlation_with_credit.value,
            index.persistence.value,
            item.systematic.persistence.value,
            index.common_share.value,
        )
    except ValueError as fault:
        found = f"used_car_index.correlation_with_credit: {fault}"
        raise InputError(Fault(sets_where([item]), found, "a smaller correlation")) from fault


def _depreciation(item: ParameterSet, segment: str) -> Array:
    """Value relative to new by age in months, geometric within each year: float64[usage, 361]."""
    multiplier = item.depreciation.multiplier.value(segment)
    age = np.arange(OLDEST_AGE + 1) / 12.0
    first = np.log1p(-item.depreciation.first_year.value * multiplier)
    later = np.log1p(-item.depreciation.later_years.value * multiplier)
    typical = first * np.minimum(age, 1.0) + later * np.maximum(age - 1.0, 0.0)
    low_to_high = np.linspace(1.0, -1.0, USAGE_CLASSES)[:, None]
    return np.asarray(np.exp(typical + low_to_high * usage_log_value(item.depreciation, segment) * age))
