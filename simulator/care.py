"""What a strategy does about loans without arrears becomes the kernels' tables (methodology (P14) to (P16))."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.care import Averted, CareRung
from scenarios.errors import Fault
from scenarios.macro import PERCENT
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import ACTION_PURPOSE, ENTER, TYPES
from simulator.hazards import entry_intensity
from simulator.kernels.bundles import Hazards, Loans
from simulator.parameters import Parameters
from simulator.tape import LoanTape

Floats = NDArray[np.float64]


def averted_shares(rung: CareRung) -> list[float]:
    """Share of entries into arrears that a rung averts among those reached, by type."""
    averted = rung.averted_percent
    return [PERCENT * (getattr(averted, kind) if isinstance(averted, Averted) else averted) for kind in TYPES]


def care_row(rung: CareRung, pools: tuple[str, ...]) -> dict[str, float]:
    """Fields of a RUNG that a rung for loans without arrears has; the others are those of one that is for nobody."""
    return {
        "contacts": rung.contacts_per_month,
        "hours": rung.contacts_per_month * (rung.hours_per_contact or 0.0),
        "cost": rung.contacts_per_month * rung.cost_per_contact,
        "reach": PERCENT * rung.reach_percent,
        "priority": rung.priority,
        "purpose": ACTION_PURPOSE[rung.action_name],
        "pool": -1 if rung.pool is None else pools.index(rung.pool),
        "watched": -1 if rung.who.watched is None else int(rung.who.watched),
    }


def no_care(cells: int) -> dict[str, Any]:
    """Fields of a Ladder that has nothing for loans without arrears."""
    return {
        "waits_in_care": 0,
        "watches": 0,
        "watch_hazard": np.inf,
        "watch_ltv": np.inf,
        "alert_hits": 0.0,
        "alert_lift": 0.0,
        "alerting": np.empty(0, np.bool_),
        "predicted": np.empty((0, 0)),
        "entry_scale": np.ones(cells),
    }


def care_tables(
    strategy: CollectionStrategy,
    observed: Sequence[CollectionStrategy | None],
    tape: LoanTape,
    loans: Loans,
    parameters: Parameters,
    hazards: Hazards,
) -> dict[str, Any]:
    """The same fields for a strategy's watch list and rungs for loans without arrears."""
    tier = _tier_of_cells(loans, hazards)
    found = no_care(tier.size) | {"entry_scale": 1.0 / observed_entries(observed, len(parameters.names))[tier]}
    found["waits_in_care"] = int(any(rung.pool is not None for rung in strategy.while_current))
    watch = strategy.watch_list
    if watch is None:
        return found
    found["watches"] = int(any(rung.who.watched is not None for rung in strategy.while_current))
    found["predicted"] = found["entry_scale"] * _predicted(tier, parameters, hazards, watch.macro_lag_months)
    if watch.from_hazard_percent is not None:
        found["watch_hazard"] = float(-np.log1p(-PERCENT * watch.from_hazard_percent))
    if watch.from_ltv_percent is not None:
        found["watch_ltv"] = PERCENT * watch.from_ltv_percent
    if watch.alerts is not None:
        found["alert_hits"] = PERCENT * watch.alerts.hits_percent
        found["alert_lift"] = 1.0 / (PERCENT * watch.alerts.right_percent)
        found["alerting"] = np.ascontiguousarray(tape["tracker"].astype(np.bool_))
    return found


def _tier_of_cells(loans: Loans, hazards: Hazards) -> NDArray[np.int64]:
    tier = np.zeros(hazards.loading.size, np.int64)
    tier[loans.fact.cell] = loans.fact.tier
    return tier


def _predicted(tier: NDArray[np.int64], parameters: Parameters, hazards: Hazards, lag: int) -> Floats:
    """``float64[month 0..T, cell]`` entry of a loan of multiplier 1 by macro variables as known at each close (P14)."""
    base = entry_intensity(parameters)[tier]
    known = np.maximum(np.arange(hazards.threshold.shape[0]) - lag, 0)
    return np.ascontiguousarray(base * hazards.class_multiplier[known, :, ENTER])


def observed_entries(observed: Sequence[CollectionStrategy | None], tiers: int) -> Floats:
    """N of (P16), float64[tier]: share of entries that the observed strategy leaves of those without it."""
    found = np.ones(tiers)
    for place, strategy in enumerate(observed):
        for rung in () if strategy is None else strategy.while_current:
            found[place] *= 1.0 - PERCENT * rung.reach_percent * averted_shares(rung)[0]
    return found


def observed_care_faults(observed: CollectionStrategy) -> Iterator[Fault]:
    """What a strategy that parameter sets were observed under may not do about loans without arrears (P16)."""
    for place, rung in enumerate(observed.while_current):
        where = observed.where("while_current", place)
        asks = any(getattr(rung.who, name) is not None for name in type(rung.who).model_fields)
        if not asks and len(set(averted_shares(rung))) == 1:
            continue
        found = f"strategy {observed.name}, under which parameters were observed, tells loans apart in {rung.label}"
        yield Fault(where, found, "all loans without arrears, and one averted_percent for all types")
    for place, rung in enumerate(observed.while_current):
        if averted_shares(rung)[0] * PERCENT * rung.reach_percent >= 1.0:
            found = f"strategy {observed.name}, under which parameters were observed, averts all entries"
            yield Fault(observed.where("while_current", place), found, "arrears that were observed under it")
