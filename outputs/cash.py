"""Cash against the contractual schedule: what treasury has to fund when borrowers pay late, and when they pay early.

The schedule is what falls due by contract from the as-of date on if nobody is late and nobody prepays. Cash is everything
that comes in, less the costs of workout: instalments, prepayments, payments of the cars' own insurance, fees, sales and
deficiency collections. A prepaid loan brings its cash early and is missing from the schedule afterwards, so months
short of schedule are normal; what counts for funding is the shortfall to date, and the largest that a path reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import FAN_LEVELS, quantile_fan, runs, sample_of
from outputs.periods import WHOLE, periods
from scenarios.vocabulary import RUN_DIMS

SOURCES: Final = {
    "instalments": ("principal_paid", "interest_paid"),
    "prepaid": ("prepaid", "total_loss_paid"),
    "fees": ("fees",),
    "recovery": ("recovery",),
}
"""Variables that make up the cash, by source; together they are `cash`."""

LEVELS: Final = (0.50, 0.95)
"""Quantiles of a shortfall that are told."""
LARGEST: Final = "largest to date"
"""Label, where a period's would stand, of the largest cumulative shortfall."""


def scheduled(dataset: xr.Dataset) -> xr.DataArray:
    """Principal and interest due by contract: float64[month], currency."""
    due = dataset["contractual_principal"] + dataset["contractual_interest"]
    return due.rename("scheduled")


def shortfall(dataset: xr.Dataset) -> xr.DataArray:
    """Schedule less cash of each month; negative where more comes in: float64[..., path, month], currency."""
    short = scheduled(dataset) - dataset["cash"]
    return short.transpose(*RUN_DIMS, "path", "month").rename("shortfall")


def largest_shortfall(dataset: xr.Dataset) -> xr.DataArray:
    """Largest cumulative shortfall of each path at any month's end, 0 where cash never falls behind.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency: what treasury has to have at hand.
    """
    to_date = shortfall(dataset).cumsum("month", skipna=False)
    return to_date.max("month", skipna=False).clip(min=0.0).rename("largest_shortfall")


def cash_by_period(dataset: xr.Dataset) -> pandas.DataFrame:
    """Schedule, cash by source and shortfall of each year and of the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, period (the last row of a run is `LARGEST`: the largest shortfall to date of each
        path, which has no cash of its own), scheduled; instalments, prepaid (own insurance after total losses included),
        fees, recovery (means); cash and cash_error; shortfall and shortfall_error; shortfall_q50, shortfall_q95 (of
        paths). Currency.
    """
    short, largest = shortfall(dataset), largest_shortfall(dataset)
    due = scheduled(dataset)
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        one = dataset.sel(run)
        for period in periods(dataset.sizes["month"]):
            sources = {
                name: _mean(sum(period.sum(one[part]) for part in parts), dataset).value
                for name, parts in SOURCES.items()
            }
            cash = _mean(period.sum(one["cash"]), dataset)
            told = {**run, "period": period.label, "scheduled": float(period.sum(due)), **sources}
            told |= {"cash": cash.value, "cash_error": cash.standard_error}
            rows.append({**told, **_shortfall_columns(period.sum(short.sel(run)), dataset)})
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
    """Cash of each month beside the schedule, and the shortfall to date.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, month, month_end, scheduled; cash_mean, cash_error and cash_q05 .. cash_q95;
        to_date_mean, to_date_error and to_date_q05 .. to_date_q95 (cumulative shortfall, negative where cash is ahead
        of the schedule). Currency.
    """
    to_date = shortfall(dataset).cumsum("month", skipna=False)
    series = {"cash": dataset["cash"], "to_date": to_date}
    fans = {name: quantile_fan(values, dataset["log_weight"]) for name, values in series.items()}
    tables = []
    for run in runs(dataset):
        columns: dict[str, Any] = {**run, "month": dataset["month"].values, "month_end": dataset["month_end"].values}
        columns["scheduled"] = scheduled(dataset).values
        for name, values in series.items():
            columns |= _mean_columns(name, values.sel(run), dataset)
            fan = fans[name].sel(run)
            columns |= {f"{name}_q{round(100 * level):02d}": fan.sel(quantile=level).values for level in FAN_LEVELS}
        tables.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True)


def _mean_columns(name: str, values: xr.DataArray, dataset: xr.Dataset) -> dict[str, np.ndarray[Any, Any]]:
    found = list(_by_month(values, dataset))
    return {
        f"{name}_mean": np.array([estimate.value for estimate in found]),
        f"{name}_error": np.array([estimate.standard_error for estimate in found]),
    }


def _by_month(values: xr.DataArray, dataset: xr.Dataset) -> Iterator[Estimate]:
    for place in range(values.sizes["month"]):
        yield _mean(values.isel(month=place), dataset)


def of_horizon(table: pandas.DataFrame) -> pandas.DataFrame:
    """Rows of the whole horizon."""
    return table[table["period"] == WHOLE]
