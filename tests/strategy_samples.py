"""Results of a pretended study of several collection strategies: `sample_results` with what their ladders would leave.

Every strategy has the same paths; what it changes differs by path, so that differences have an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sample_results import LOANS, START, opening_of, sample_results
from scenarios.vocabulary import INCIDENT_VARIABLES, INCIDENTS, POOL_VARIABLES, RUNG_VARIABLES

POOLS = ("phone", "field", "digital")
RUNGS = {"sms": "digital", "call": "phone", "visit": "field", "seize": "field"}
"""Rungs of all ladders and the pools that they ask."""
HOURS = {"phone": 500.0, "field": 300.0}
STEP, MOST = 0.1, 1.5
"""Hiring of the field pool: hours added a month in which more is asked than there is, and the most, of the first."""
WAGE = 30.0
INCIDENT_RATE = {"complaint": 2e-3, "claim": 4e-4, "injury": 1e-4, "regulatory": 2e-5}
INCIDENT_COST = {"complaint": 80.0, "claim": 4_000.0, "injury": 60_000.0, "regulatory": 250_000.0}


@dataclass(frozen=True)
class Ladder:
    """A pretended strategy.

    Attributes
    ----------
    loss : float
        Factor on losses.
    spread : float
        Standard deviation over paths of that factor.
    rungs : tuple of str
        Those of `RUNGS` that it has.
    """

    loss: float
    spread: float = 0.02
    rungs: tuple[str, ...] = ()


LADDERS: Mapping[str, Ladder] = {
    "reference_us": Ladder(1.0, 0.0, ("sms", "call", "seize")),
    "none": Ladder(1.12),
    "field_first": Ladder(0.9, 0.05, ("call", "visit", "seize")),
    "digital_only": Ladder(1.02, 0.01, ("sms",)),
}


def strategy_results(
    n_paths: int = 300, n_months: int = 36, seed: int = 1, ladders: Mapping[str, Ladder] = LADDERS
) -> xr.Dataset:
    """Result of a study of two scenarios and of the ladders given, with pools, incidents and rungs."""
    base = sample_results(n_paths, n_months, seed)
    parts = [
        _worked(base, name, ladder, np.random.default_rng([seed, place]))
        for place, (name, ladder) in enumerate(ladders.items())
    ]
    options = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "override"}
    return xr.concat(parts, "strategy", combine_attrs="override", **options)


def _worked(base: xr.Dataset, name: str, ladder: Ladder, random: np.random.Generator) -> xr.Dataset:
    """The base under one ladder."""
    factor = xr.DataArray(ladder.loss + ladder.spread * random.standard_normal(base.sizes["path"]), dims="path")
    changed = base.assign_coords(strategy=[name])
    stems = ("ultimate_loss", "charge_off", "default_loss", "recovery", "sale_proceeds", "workout_cost", "loss_by_")
    for variable in base.data_vars:
        if str(variable).startswith(stems) and base[variable].dtype.kind == "f" and "path" in base[variable].dims:
            changed[variable] = (changed[variable] * factor).transpose(*base[variable].dims)
    if "call" in ladder.rungs:
        changed["judgment_cash"] = 0.4 * changed["deficiency_cash"]
        changed["debt_sale_cash"] = 0.1 * changed["deficiency_cash"]
        changed["recovery"] = changed["recovery"] + changed["judgment_cash"] + changed["debt_sale_cash"]
    return changed.assign(_collections(base, ladder, random)).assign_coords(
        pool=list(POOLS), incident=list(INCIDENTS), rung=list(RUNGS)
    )


def _collections(
    base: xr.Dataset, ladder: Ladder, random: np.random.Generator
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Pools, incidents, rungs and costs of one ladder."""
    late = base["delinquent_count"].values.astype(float)
    late = opening_of({"late": late}, "late", LOANS * START[1:].sum())
    pools = [_pool(late if pool in {RUNGS[rung] for rung in ladder.rungs} else 0.0 * late, pool) for pool in POOLS]
    values = {f"pool_{name}": np.stack([pool[name] for pool in pools], axis=-1) for name in pools[0]}
    field = values["pool_served"][..., 1]
    frailty = random.gamma(4.0, 0.25, late.shape[:-1])[..., None]
    counts = np.stack([random.poisson(rate * field * frailty) for rate in INCIDENT_RATE.values()], axis=-1)
    values["incident_count"] = counts.astype(np.int32)
    values["incident_cost"] = counts @ np.array(list(INCIDENT_COST.values()))
    values["collection_cost"] = values["pool_cost"].sum(axis=-1) + 0.05 * late * ("sms" in ladder.rungs)
    values |= _rungs(late, ladder)
    known = {item.name: item.dims for item in (*POOL_VARIABLES, *INCIDENT_VARIABLES, *RUNG_VARIABLES)}
    return {name: (known.get(name, base["cash"].dims), found) for name, found in values.items()}


def _pool(asking: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Hours asked of a pool and given; the field hires, and nobody waits for messages."""
    demand = 1.5 * asking
    first = HOURS.get(name, np.inf)
    capacity = np.full_like(demand, first if asking.any() else 0.0)
    if name == "field" and asking.any():
        for month in range(1, demand.shape[-1]):
            before, asked = capacity[..., month - 1], demand[..., month - 1]
            grown = np.minimum(before + STEP * first, MOST * first)
            capacity[..., month] = np.where(asked > before, grown, np.maximum(before - STEP * first, first))
    served = np.minimum(demand, capacity)
    waiting = np.floor((demand - served) / 1.5)
    paid = np.where(np.isfinite(capacity), capacity, 0.02 * served)
    return {
        "demand": demand,
        "served": served,
        "waiting": waiting.astype(np.int32),
        "waiting_months": np.minimum(waiting, 40.0) / 20.0,
        "capacity": capacity,
        "cost": WAGE * paid,
    }


def _rungs(late: np.ndarray, ladder: Ladder) -> dict[str, np.ndarray]:
    """Means over paths of what each rung does; rungs that a ladder lacks do nothing."""
    asked = np.stack([late * (rung in ladder.rungs) / 2.0**place for place, rung in enumerate(RUNGS)], axis=-1)
    flows = {"asked": asked, "served": 0.8 * asked, "reached": 0.3 * asked, "contacts": 1.6 * asked, "cost": asked}
    moments = {"mean": np.mean, "sd": np.std}
    return {f"rung_{name}_{moment}": of(flow, axis=3) for name, flow in flows.items() for moment, of in moments.items()}
