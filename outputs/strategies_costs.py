"""What strategies cost and what that buys: cost per unit recovered, net benefit over the baseline, contacts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import COSTS, Loss, path_loss, sample_of
from outputs.rates import ratio
from outputs.strategies import compared_runs, mean_difference, total_cost
from outputs.weighted import with_mixture
from scenarios.vocabulary import RUN_DIMS

CONTACTS: Final = "rung_contacts_mean"

COST_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "collection_cost": ("Cost of collection", "contacts, hours, hiring, filings and commissions"),
    "incident_cost": ("Cost of incidents", "what incidents of field and repossession work cost"),
    "recovered": ("Recovered", "paid by loans in arrears, and net recoveries, within the horizon"),
    "cost_per_recovered": ("Cost per unit recovered", "all costs over what is recovered"),
    "contacts_per_loan": ("Contacts per loan", "over the opening loans; its error is not told"),
    "loss_avoided": ("Loss avoided", "loss of the baseline less that of the strategy, costs apart"),
    "extra_cost": ("Further cost", "cost of collection less that of the baseline"),
    "extra_incident_cost": ("Further cost of incidents", "less that of the baseline"),
    "net_benefit": ("Net benefit", "loss avoided less further costs, those of incidents included"),
}
"""Measures of costs and benefits: label and definition."""

RATIOS: Final = frozenset({"cost_per_recovered", "contacts_per_loan"})
"""Those that are no amounts."""


@dataclass(frozen=True, slots=True)
class Flows:
    """What strategies lose, cost and recover on each path, currency: float64[scenario, strategy, programme, path]."""

    loss: xr.DataArray
    collection: xr.DataArray
    incident: xr.DataArray
    recovered: xr.DataArray

    @property
    def cost(self) -> xr.DataArray:
        """All costs."""
        return self.collection + self.incident


def recovered(dataset: xr.Dataset) -> xr.DataArray:
    """What loans in arrears pay, and net recoveries after charge-off: float64[scenario, strategy, programme, path].

    Within the horizon, since no cost is booked after it (methodology (P13)); currency.
    """
    total = dataset["collected"].sum("month", skipna=False) + dataset["recovery"].sum("month", skipna=False)
    return total.transpose(*RUN_DIMS, "path").rename("recovered")


def strategy_costs(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Costs and benefits of every strategy; the first is the baseline.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, measure (`COST_LABELS`), value, standard_error, low, high (currency, but for
        `RATIOS`), percent_of_opening (missing for those). The baseline has no benefits, and no
        contacts are told where the result has no rungs.
    """
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    parts = (path_loss(dataset, loss), *(total_cost(dataset, name) for name in COSTS), recovered(dataset))
    flows = Flows(*(with_mixture(values, dataset) for values in parts))
    rows: list[dict[str, Any]] = []
    for run in compared_runs(dataset):
        for measure, found in _estimates(dataset, flows, run):
            columns = {
                "value": found.value,
                "standard_error": found.standard_error,
                "low": found.low,
                "high": found.high,
                "percent_of_opening": math.nan if measure in RATIOS else scale * found.value,
            }
            rows.append({**run, "measure": measure, **columns})
    return pandas.DataFrame(rows)


def _estimates(dataset: xr.Dataset, flows: Flows, run: Mapping[str, str]) -> Iterator[tuple[str, Estimate]]:
    own = {"collection_cost": flows.collection, "incident_cost": flows.incident, "recovered": flows.recovered}
    for name, values in own.items():
        yield name, estimators.mean(sample_of(values.sel(run), dataset))
    yield "cost_per_recovered", ratio(flows.cost.sel(run), flows.recovered.sel(run), dataset, scale=1.0)
    contacts = contacts_per_loan(dataset, run)
    if math.isfinite(contacts):
        yield "contacts_per_loan", Estimate(contacts, *(estimators.NOT_ESTIMABLE,) * 3)
    first = {**run, "strategy": str(dataset["strategy"].values[0])}
    if run == first:
        return
    yield "loss_avoided", mean_difference(flows.loss.sel(first), flows.loss.sel(run), dataset)
    for name, cost in (("extra_cost", flows.collection), ("extra_incident_cost", flows.incident)):
        yield name, mean_difference(cost.sel(run), cost.sel(first), dataset)
    whole = flows.loss + flows.cost
    yield "net_benefit", mean_difference(whole.sel(first), whole.sel(run), dataset)


def contacts_per_loan(dataset: xr.Dataset, run: Mapping[str, str]) -> float:
    """Contacts of all rungs within the horizon over the opening loans; NaN where the result does not tell."""
    if CONTACTS not in dataset:
        return math.nan
    made = np.asarray(with_mixture(dataset[CONTACTS], dataset).sel(run).values, dtype=float)
    return float(np.nansum(made)) / float(dataset.attrs["opening_count"]) if np.isfinite(made).any() else math.nan
