"""Parameters: the only thing that calibration hands over. Dense arrays, one row a tier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from scenarios.errors import Fault, InputError
from scenarios.vocabulary import CAUSE_CLASSES, MACRO_VARIABLES, SEGMENTS
from simulator.correlation import Credit, Response, innovation_correlation, solve_response, sum_variance_factor
from simulator.intensities import intensities_from_probabilities, quasi_stationary, transition_matrix
from simulator.parameter_set import CHARGE_OFF_COLUMN, PREPAID_COLUMN, AgeCurve, ParameterSet, Sensitivity
from simulator.sourced import Sourced
from simulator.tiers import assign_tiers, check_bands

__all__ = ["Parameters", "assign_tiers", "build_parameters", "seasoned_shares"]

Array = NDArray[np.float64]

OLDEST_AGE = 360
"""Last month of age that the curves by age cover, for loans and for cars."""

POINTS = 100.0
"""Percentage points in a unit fraction."""

SHARED = ("currency", "buckets", "systematic", "used_car_index", "depreciation", "wholesale")
"""Sections that all tiers of one book must have in common."""

OWN = frozenset({"correlation", "source", "confidence", "note", "range"})
"""Fields inside them that may differ: the correlation is a tier's own, and evidence is not a number."""


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
    default_bucket, nonaccrual_months : int
        First bucket (instalments past due) that is default; from which unpaid interest is not accrued.
    intensity : float64[tier, K+1, K+3]
        Per month, at reference macro, from bucket to bucket 0..K, charge-off (K+1), prepaid (K+2).
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
    depreciation : float64[segment, 361]
        Value relative to new by the car's age in months.
    wholesale : mapping
        Factor from a stated value to wholesale by the value's basis.
    sold_share, haircut, sale_cost, sale_cost_share, vehicle_sd, lgd_floor : float64[tier]
        Sale terms: a sale brings value x (1 - haircut); lgd_floor is NaN where there is none.
    sale_lag : int64[tier]
        Months from charge-off to the sale's cash.
    """

    names: tuple[str, ...]
    sets: tuple[ParameterSet, ...]
    currency: str
    notes: tuple[str, ...]
    bucket_labels: tuple[str, ...]
    bucket_edges: tuple[int, ...]
    default_bucket: int
    nonaccrual_months: int
    intensity: Array
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
    depreciation: Array
    wholesale: Mapping[str, float]
    sold_share: Array
    haircut: Array
    sale_cost: Array
    sale_cost_share: Array
    vehicle_sd: Array
    lgd_floor: Array
    sale_lag: NDArray[np.int64]


def build_parameters(sets: Sequence[ParameterSet], *, sensitivity: Literal["central", "top"] = "central") -> Parameters:
    """Build the dense bundle of one or more parameter sets, each a tier.

    Parameters
    ----------
    sets : sequence of ParameterSet
        One set, or several that share currency, buckets, factor and index processes and whose score
        bands do not overlap.
    sensitivity : "central" or "top"
        Macro sensitivities at their value, or at the end of their published range that is farther from 0.

    Raises
    ------
    InputError
        The sets cannot be tiers of one book, or a quoted correlation cannot be reached.
    """
    sets = tuple(sets)
    _check_together(sets)
    tables = [_intensity(item) for item in sets]
    return Parameters(
        names=tuple(item.name for item in sets),
        sets=sets,
        notes=tuple(note for item in sets for note in _renormalised(item)),
        intensity=np.stack(tables),
        seasoning=np.stack([_by_age(item.entry_by_age) for item in sets]),
        sensitivity=np.stack([_sensitivity(item, sensitivity) for item in sets]),
        reference=np.stack([_reference(item) for item in sets]),
        **_systematic(sets, tables),
        **_covariates(sets),
        **_common(sets[0]),
        **_sale(sets),
    )


def seasoned_shares(parameters: Parameters, tier: int) -> Array:
    """Mix of buckets towards which a tier's live loans settle at reference macro: float64[K+1], sum 1."""
    n_buckets = len(parameters.bucket_labels)
    return quasi_stationary(transition_matrix(parameters.intensity[tier])[:, :n_buckets])[0]


# --- several sets, one book ----------------------------------------------------------------------


def _where(sets: Sequence[ParameterSet]) -> str:
    return "parameters " + ", ".join(item.name for item in sets)


def _check_together(sets: tuple[ParameterSet, ...]) -> None:
    """Refuse sets that cannot be tiers of one book, all faults at once."""
    if not sets:
        raise InputError(Fault("parameters", "no parameter set", "at least one"))
    where = _where(sets)
    names = [item.name for item in sets]
    doubled = sorted({name for name in names if names.count(name) > 1})
    faults = [Fault(where, f"'{name}' more than once", "each parameter set once") for name in doubled]
    faults += [
        Fault(
            where, f"{item.name} and {names[0]} differ in {difference}", f"the same `{section}` in all tiers of a book"
        )
        for item in sets[1:]
        for section, difference in _differences(sets[0], item)
    ]
    faults += check_bands(sets)
    if faults:
        raise InputError(faults)


def _differences(first: ParameterSet, other: ParameterSet) -> list[tuple[str, str]]:
    """Shared sections whose numbers differ, each with its first difference in words."""
    found = []
    for section in SHARED:
        left, right = (dict(_numbers(getattr(item, section), section)) for item in (first, other))
        paths = [
            path for path in (*left, *(path for path in right if path not in left)) if left.get(path) != right.get(path)
        ]
        if paths:
            found.append((section, f"{paths[0]}: {right.get(paths[0])} and {left.get(paths[0])}"))
    return found


def _numbers(value: object, path: str) -> list[tuple[str, object]]:
    """Leaves of a spec without their evidence: (path, value)."""
    if isinstance(value, Sourced):
        return [(path, value.value)]
    if isinstance(value, BaseModel):
        fields = [(name, getattr(value, name)) for name in type(value).model_fields if name not in OWN]
    elif isinstance(value, Mapping):
        fields = list(value.items())
    else:
        return [(path, value)]
    return [leaf for name, item in fields for leaf in _numbers(item, f"{path}.{name}")]


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


def _tiers(sets: Sequence[ParameterSet], figure: Callable[[ParameterSet], float]) -> Array:
    return np.array([figure(item) for item in sets], dtype=np.float64)


def _covariates(sets: Sequence[ParameterSet]) -> dict[str, Any]:
    ratio = _tiers(sets, lambda item: item.covariates.ltv_hazard_ratio_per_10_points.value)
    return {
        "ltv_coefficient": np.log(ratio) / 0.10,
        "ltv_reference": _tiers(sets, lambda item: item.covariates.ltv_reference.value),
        "pti_coefficient": _tiers(sets, lambda item: POINTS * item.covariates.payment_to_income_per_point.value),
        "pti_reference": _tiers(sets, lambda item: item.covariates.payment_to_income_reference.value),
    }


def _systematic(sets: Sequence[ParameterSet], tables: Sequence[Array]) -> dict[str, Any]:
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
        raise InputError(Fault(_where([item]), found, "a smaller correlation")) from fault


def _common(item: ParameterSet) -> dict[str, Any]:
    """Sections that all tiers share."""
    buckets, index = item.buckets, item.used_car_index
    yearly = np.array([index.residual_sd_per_year.value(segment) for segment in SEGMENTS])
    return {
        "currency": item.currency,
        "bucket_labels": buckets.labels,
        "bucket_edges": buckets.lower_edge_days,
        "default_bucket": buckets.labels.index(buckets.default_bucket),
        "nonaccrual_months": int(np.searchsorted(buckets.lower_edge_days, buckets.nonaccrual_days.value)),
        "index_persistence": index.persistence.value,
        "index_innovation_sd": index.innovation_sd.value,
        "index_common_share": index.common_share.value,
        "index_residual_sd": yearly / np.sqrt(sum_variance_factor(index.persistence.value)),
        "index_factor_correlation": _index_factor_correlation(item),
        "depreciation": np.stack([_depreciation(item, segment) for segment in SEGMENTS]),
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
        raise InputError(Fault(_where([item]), found, "a smaller correlation")) from fault


def _depreciation(item: ParameterSet, segment: str) -> Array:
    """Value relative to new by age in months, geometric within each year: float64[361]."""
    multiplier = item.depreciation.multiplier.value(segment)
    age = np.arange(OLDEST_AGE + 1) / 12.0
    first = np.log1p(-item.depreciation.first_year.value * multiplier)
    later = np.log1p(-item.depreciation.later_years.value * multiplier)
    return np.asarray(np.exp(first * np.minimum(age, 1.0) + later * np.maximum(age - 1.0, 0.0)))


def _sale(sets: Sequence[ParameterSet]) -> dict[str, Any]:
    return {
        "sold_share": _tiers(sets, lambda item: item.sale.sold_share.value),
        "haircut": _tiers(sets, lambda item: item.sale.auction_haircut.value),
        "sale_cost": _tiers(sets, lambda item: item.sale.cost_fixed.value),
        "sale_cost_share": _tiers(sets, lambda item: item.sale.cost_share.value),
        "vehicle_sd": _tiers(sets, lambda item: item.sale.vehicle_sd.value),
        "lgd_floor": _tiers(sets, lambda item: np.nan if item.sale.lgd_floor is None else item.sale.lgd_floor.value),
        "sale_lag": np.array([item.sale.lag_months.value for item in sets], dtype=np.int64),
    }
