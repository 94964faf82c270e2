"""Cash against the contractual schedule: what treasury has to fund when borrowers pay late or not at all.

The schedule is what falls due by contract from the as-of date on if nobody is late and nobody prepays. A loan that is
prepaid brings its cash early, repays its own funding and leaves the schedule: what is still due on a path is the
schedule times the share of principal that was not prepaid. Against that stands the cash of all the other kinds:
instalments, fees, and what sales and deficiency collections bring net of costs. The shortfall between the two is what
treasury funds; what counts is the shortfall to date, and the largest that a path reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.balance_sheet import balance_at_opening
from outputs.estimators import Estimate
from outputs.lending import of_lent
from outputs.measures import FAN_LEVELS, quantile_fan, runs, sample_of
from outputs.periods import period_sums, periods
from outputs.portions import by_portions
from scenarios.vocabulary import RUN_DIMS

EARLY: Final = ("prepaid", "total_loss_paid")
"""Cash that ends a loan before its time."""

SOURCES: Final = {
    "instalments": ("principal_paid", "interest_paid"),
    "fees": ("fees",),
    "recovery": ("recovery",),
    "prepaid": EARLY,
}
"""Variables that make up the cash, by source; together they are `cash`."""

LEVELS: Final = (0.50, 0.95)
"""Quantiles of a shortfall that are told."""
LARGEST: Final = "largest to date"
"""Label, where a period's would stand, of the largest cumulative shortfall."""


def scheduled(dataset: xr.Dataset) -> xr.DataArray:
    """Principal and interest due by contract: float64[month], by strategy too where any declines loans; currency."""
    due = of_lent(dataset, "contractual_principal") + of_lent(dataset, "contractual_interest")
    return due.rename("scheduled")


def due(dataset: xr.Dataset) -> xr.DataArray:
    """The schedule less that of loans that were prepaid or ended by total loss by then.

    Every unit of principal that is prepaid takes its share of the remaining schedule with it, as if prepaid loans were
    like the others.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path, month], currency.
    """
    opened = balance_at_opening(dataset)
    early = reduce(add, (dataset[name] for name in EARLY))
    left = (1.0 - (early / opened.where(opened > 0.0)).fillna(0.0)).clip(min=0.0)
    remains = left.transpose(*RUN_DIMS, "path", "month")
    return (scheduled(dataset) * remains.copy(data=np.cumprod(remains.values, axis=-1))).transpose(*remains.dims)


def collected(dataset: xr.Dataset) -> xr.DataArray:
    """Cash of each month without what was prepaid or paid after total losses: float64[..., path, month], currency."""
    return (dataset["cash"] - reduce(add, (dataset[name] for name in EARLY))).rename("collected")


def shortfall(dataset: xr.Dataset) -> xr.DataArray:
    """What is due less what is collected, methodology (26), negative where more comes in: float64[..., path, month]."""
    return (due(dataset) - collected(dataset)).transpose(*RUN_DIMS, "path", "month").rename("shortfall")


def largest_shortfall(dataset: xr.Dataset) -> xr.DataArray:
    """Largest cumulative shortfall of each path at any month's end, 0 where cash never falls behind.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency: what treasury has to have at hand.
    """
    largest = by_portions(dataset, lambda some: short_to_date(some).max("month", skipna=False).clip(min=0.0))
    return largest.rename("largest_shortfall")


def short_to_date(dataset: xr.Dataset) -> xr.DataArray:
    """Cumulative shortfall at the end of each month: float64[scenario, strategy, programme, path, month], currency."""
    return _to_date(shortfall(dataset))


def _to_date(values: xr.DataArray) -> xr.DataArray:
    return values.cumsum("month", skipna=False).assign_coords(month=values["month"])


def cash_by_period(dataset: xr.Dataset) -> pandas.DataFrame:
    """Schedule, cash by source and shortfall of each year and of the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, period (the last row of a run is `LARGEST`: the largest shortfall to date of each
        path, which has no cash of its own), scheduled; instalments, fees, recovery, prepaid (own insurance after a
        total loss included), due (means over paths); cash and cash_error (all sources); shortfall and shortfall_error;
        shortfall_q50, shortfall_q95 (of paths). Currency.
    """
    largest = largest_shortfall(dataset)
    still_due = by_portions(dataset, lambda some: period_sums(due(some)))
    short = by_portions(dataset, lambda some: period_sums(shortfall(some)))
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        one = dataset.sel(run)
        for period in periods(dataset.sizes["month"]):
            parts = {name: reduce(add, (period.sum(one[part]) for part in found)) for name, found in SOURCES.items()}
            parts["due"] = still_due.sel(run).sel(period=period.label)
            means = {name: _mean(values, dataset).value for name, values in parts.items()}
            cash = _mean(period.sum(one["cash"]), dataset)
            told = {**run, "period": period.label, "scheduled": float(period.sum(scheduled(one))), **means}
            told |= {"cash": cash.value, "cash_error": cash.standard_error}
            rows.append({**told, **_shortfall_columns(short.sel(run).sel(period=period.label), dataset)})
        rows.append({**run, "period": LARGEST, **_shortfall_columns(largest.sel(run), dataset)})
    return pandas.DataFrame(rows)


def _mean(values: xr.DataArray, dataset: xr.Dataset) -> Estimate:
    return estimators.mean(sample_of(values, dataset))


def _shortfall_columns(values: xr.DataArray, dataset: xr.Dataset) -> dict[str, float]:
    sample = sample_of(values, dataset)
    mean = estimators.mean(sample)
    columns = {"shortfall": mean.value, "shortfall_error": mean.standard_error}
    return columns | {f"shortfall_q{round(100 * level)}": estimators.quantile(sample, level) for level in LEVELS}


def cash_by_month(dataset: xr.Dataset) -> pandas.DataFrame:
    """Collected cash of each month beside the schedule, and the shortfall to date.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, month, month_end, scheduled; then of each of `due`, `collected` and `to_date`
        (cumulative shortfall) the mean, its error and the quantiles q05 .. q95 over paths. Currency.
    """
    months, found = dataset["month"].values, list(runs(dataset))
    every = {"month": months, "month_end": dataset["month_end"].values}
    columns: list[dict[str, Any]] = [{**run, **every, "scheduled": scheduled(dataset.sel(run)).values} for run in found]
    for name, function in {"due": due, "collected": collected, "to_date": short_to_date}.items():
        values = by_portions(dataset, function)  # one at a time: each is as large as a variable of the book
        fan = quantile_fan(values, dataset["log_weight"])
        for run, told in zip(found, columns, strict=True):
            told |= _mean_columns(name, values.sel(run), dataset)
            one = fan.sel(run)
            told |= {f"{name}_q{round(100 * level):02d}": one.sel(quantile=level).values for level in FAN_LEVELS}
    return pandas.concat([pandas.DataFrame(told) for told in columns], ignore_index=True)


def _mean_columns(name: str, values: xr.DataArray, dataset: xr.Dataset) -> dict[str, np.ndarray[Any, Any]]:
    found = list(_by_month(values, dataset))
    return {
        f"{name}_mean": np.array([estimate.value for estimate in found]),
        f"{name}_error": np.array([estimate.standard_error for estimate in found]),
    }


def _by_month(values: xr.DataArray, dataset: xr.Dataset) -> Iterator[Estimate]:
    for place in range(values.sizes["month"]):
        yield _mean(values.isel(month=place), dataset)
