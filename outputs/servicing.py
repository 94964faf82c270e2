"""What becomes of loans in trouble: extensions, seized, redeemed and sold cars, and the queue of a pool of contacts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.lending import lent_count
from outputs.measures import runs, sample_of
from outputs.rates import ratio
from scenarios.vocabulary import POOL_VARIABLES, RUN_DIMS

POOL: Final = POOL_VARIABLES[0].name
FULL: Final = 1.0 - 1e-9
"""Share of its hours from which on a pool is full; a whole number of contacts rarely fills it to the last minute."""


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the funnel: a number of loans or cars, and what it is a share of.

    Attributes
    ----------
    label : str
    base : str
        Variable that it is compared with; empty for the opening loans.
    base_label : str
    """

    label: str
    base: str
    base_label: str


STEPS: Final = {
    "modified_count": Step("Extensions granted", "", "opening loans"),
    "renewed_count": Step("Renewals of single-payment loans", "", "opening loans"),
    "total_loss_count": Step("Total losses of the car", "", "opening loans"),
    "default_count": Step("Defaults", "", "opening loans"),
    "repossessed_count": Step("Cars seized", "default_count", "defaults"),
    "redeemed_count": Step("Cars given back (redeemed)", "repossessed_count", "cars seized"),
    "charge_off_count": Step("Charge-offs", "default_count", "defaults"),
    "sold_count": Step("Cars to sale, found after charge-off included", "charge_off_count", "charge-offs"),
}
"""Rows of the funnel in their order, by variable of the book."""


def funnel(dataset: xr.Dataset) -> pandas.DataFrame:
    """Loans and cars that take each step within the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, step (variable of the book), value, standard_error, low, high (number, mean over
        paths), percent and percent_error (of the step's base, `STEPS`; missing where the base is 0 on every path).
    """
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        one = dataset.sel(run)
        totals = {name: one[name].sum("month", skipna=False) for name in STEPS}
        opening = xr.full_like(totals["default_count"], float(lent_count(one)), dtype=float)
        for name, step in STEPS.items():
            share = ratio(totals[name], totals[step.base] if step.base else opening, dataset)
            rows.append(
                {
                    **run,
                    "step": name,
                    **_columns(estimators.mean(sample_of(totals[name], dataset))),
                    "percent": share.value,
                    "percent_error": share.standard_error,
                }
            )
    return pandas.DataFrame(rows)


def _columns(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "standard_error": found.standard_error, "low": found.low, "high": found.high}


# --- the pool ----------------------------------------------------------------------------------------------

POOL_LABELS: Final = {
    "asked": ("Hours asked for, mean month", "by loans that a rung is for"),
    "given": ("Hours given, mean month", ""),
    "capacity": ("Hours there are, mean month", "hiring and suspensions included"),
    "utilisation": ("Utilisation, %", "hours given over hours there are, over all months"),
    "served": ("Served, %", "hours given over hours asked for, over all months"),
    "full_months": ("Months in which the pool is full, %", "share of months and paths"),
    "waiting_mean": ("Loans not served, mean month", "asked for a contact and got none"),
    "waiting_worst": ("Loans not served, worst month", "of each path, mean over paths"),
    "waiting_months": ("Months waited so far", "mean over loans not served, over all months"),
    "waiting_longest": (
        "Months waited so far, worst month",
        "mean over loans not served, of each path; 0 where nobody waits",
    ),
    "cost": ("Cost of hours and of hiring", "currency, over all months"),
}
"""Measures of a pool: label and definition. An unlimited pool has no hours nor utilisation, an unpaid one no cost."""


def has_pool(dataset: xr.Dataset) -> bool:
    """Whether some run of the study has a pool."""
    return POOL in dataset


def pools_of(one: xr.Dataset) -> tuple[str, ...]:
    """Pools of one run, whose strategy need not have all pools of the study: those with hours, or asked for some."""
    if not has_pool(one):
        return ()
    used = (one["pool_capacity"] > 0.0) | (one[POOL] > 0.0)
    some = used.any([dim for dim in used.dims if dim != "pool"])
    return tuple(str(name) for name in some["pool"].values[some.values])


def hours_there_are(one: xr.Dataset) -> xr.DataArray:
    """Capacity of one pool of one run by path and month, hours; infinite where it is unlimited."""
    return one["pool_capacity"].broadcast_like(one["pool_served"])


def pools(dataset: xr.Dataset) -> pandas.DataFrame:
    """Utilisation, service, queue and cost of each pool over the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, pool, measure (`POOL_LABELS`), value, standard_error, low, high. No row without
        a pool, nor for a pool that is not the run's.
    """
    rows: list[dict[str, Any]] = []
    for run in runs(dataset) if has_pool(dataset) else ():
        for pool in pools_of(dataset.sel(run)):
            one = dataset.sel({**run, "pool": pool})
            told = {**run, "pool": pool}
            rows += [{**told, "measure": name, **_columns(found)} for name, found in _pool_estimates(one, dataset)]
    heads = [*RUN_DIMS, "pool", "measure", "value", "standard_error", "low", "high"]
    return pandas.DataFrame(rows, columns=heads)


def _pool_estimates(one: xr.Dataset, dataset: xr.Dataset) -> Iterator[tuple[str, Estimate]]:
    demand, served, waiting = (one[f"pool_{name}"] for name in ("demand", "served", "waiting"))
    capacity, total = hours_there_are(one), served.sum("month", skipna=False)
    yield "asked", estimators.mean(sample_of(demand.mean("month", skipna=False), dataset))
    yield "given", estimators.mean(sample_of(served.mean("month", skipna=False), dataset))
    if bool(np.isfinite(capacity).all()):
        yield "capacity", estimators.mean(sample_of(capacity.mean("month"), dataset))
        yield "utilisation", ratio(total, capacity.sum("month"), dataset)
    full = (served >= FULL * capacity) | (waiting > 0)
    yield "served", ratio(total, demand.sum("month", skipna=False), dataset)
    yield "full_months", estimators.mean(sample_of(100.0 * full.mean("month"), dataset))
    yield "waiting_mean", estimators.mean(sample_of(waiting.mean("month", skipna=False), dataset))
    yield "waiting_worst", estimators.mean(sample_of(waiting.max("month", skipna=False), dataset))
    longest = one["pool_waiting_months"].max("month", skipna=False)
    waited = (one["pool_waiting_months"] * waiting).sum("month", skipna=False)
    yield "waiting_months", ratio(waited, waiting.sum("month", skipna=False), dataset, scale=1.0)
    yield "waiting_longest", estimators.mean(sample_of(longest, dataset))
    cost = one["pool_cost"].sum("month", skipna=False) if "pool_cost" in one else xr.zeros_like(total)
    if bool((cost != 0.0).any()):
        yield "cost", estimators.mean(sample_of(cost, dataset))
