"""Which tier a loan belongs to: by score, or by contract rate where the score is absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Fault
from simulator.parameter_set import ParameterSet

if TYPE_CHECKING:
    from simulator.parameters import Parameters

Array = NDArray[np.float64]
Band = tuple[float, float]


@dataclass(frozen=True, eq=False)
class TierAssignment:
    """Tiers of a book's loans.

    Attributes
    ----------
    tier : int64[loan]
        Index of the parameter set.
    by_rate : int
        Loans without a score, assigned by their contract rate.
    outside : int
        Loans outside every band, assigned to the nearest one.
    """

    tier: NDArray[np.int64]
    by_rate: int
    outside: int


def assign_tiers(parameters: Parameters, score: Array, rate: Array) -> NDArray[np.int64]:
    """Tier of each loan; `tier_assignment` also counts the guesses."""
    return tier_assignment(parameters, score, rate).tier


def tier_assignment(parameters: Parameters, score: Array, rate: Array) -> TierAssignment:
    """Assign each loan to a tier by its score band, or by its rate band where it has no score.

    Parameters
    ----------
    parameters : Parameters
        One set (all loans belong to it) or several.
    score : float64[loan]
        Credit score at origination; NaN or 0 where there is none.
    rate : float64[loan]
        Contract rate, fraction a year.

    Returns
    -------
    TierAssignment
        Tiers, and how many loans were assigned by rate and to the nearest band.
    """
    if len(parameters.sets) == 1:
        return TierAssignment(np.zeros(len(score), dtype=np.int64), by_rate=0, outside=0)
    scored = np.nan_to_num(score, nan=0.0) > 0.0
    score_distance = _distances(score, [_score_band(item) for item in parameters.sets])
    rate_distance = _distances(rate, [_rate_band(item) for item in parameters.sets])
    distance = np.where(scored[:, None], score_distance, rate_distance)
    tier = distance.argmin(axis=1)
    outside = int((distance[np.arange(len(tier)), tier] > 0.0).sum())
    return TierAssignment(tier.astype(np.int64), by_rate=int((~scored).sum()), outside=outside)


def check_bands(sets: Sequence[ParameterSet]) -> list[Fault]:
    """Faults of the bands of sets that are used together; a single set needs none."""
    if len(sets) < 2:
        return []
    where = "parameters " + ", ".join(item.name for item in sets)
    remedy = "Give each set its own band, or use a single set."
    faults = [
        Fault(where, f"{item.name} has no {kind} band", "score and rate bands in each of several sets", remedy)
        for item in sets
        for kind, band in (("score", item.score), ("rate", item.rate))
        if band is None
    ]
    if faults:
        return faults
    scales = {item.score.scale for item in sets if item.score is not None}
    if len(scales) > 1:
        faults.append(Fault(where, f"score scales {sorted(scales)}", "one scale for all tiers", remedy))
    overlapping = [
        f"{kind} bands of {first.name} and {second.name} overlap"
        for kind, band in (("score", _score_band), ("rate", _rate_band))
        for first, second in combinations(sets, 2)
        if max(band(first)[0], band(second)[0]) < min(band(first)[1], band(second)[1])
    ]
    return faults + [Fault(where, found, "bands that do not overlap", remedy) for found in overlapping]


def _ends(low: float | None, high: float | None, unit: float = 1.0) -> Band:
    return (-np.inf if low is None else low / unit, np.inf if high is None else high / unit)


def _score_band(item: ParameterSet) -> Band:
    return (-np.inf, np.inf) if item.score is None else _ends(item.score.low, item.score.high)


def _rate_band(item: ParameterSet) -> Band:
    return (-np.inf, np.inf) if item.rate is None else _ends(item.rate.low_percent, item.rate.high_percent, 100.0)


def _distances(value: Array, bands: Sequence[Band]) -> Array:
    """Distance of each value to each band, 0 inside [low, high): float64[loan, tier]."""
    values = np.nan_to_num(value, nan=0.0)[:, None]
    low, high = np.array(bands, dtype=np.float64).T
    at_or_above = np.maximum(values - high, np.spacing(np.abs(values)))
    return np.where(values < low, low - values, np.where(values >= high, at_or_above, 0.0))
