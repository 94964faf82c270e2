"""Expected credit loss: the allowance by stage (IFRS 9), the lifetime loss beside it (CECL), and what they cover.

Stages are those of the as-of date. Stage 1 is allowed for with the loss of defaults within twelve months, stages 2 and
3 with the loss over the loans' life; both are discounted to the as-of date at the contract rate, and life ends with the
run's horizon and the run-off of what is in default then. CECL takes the lifetime loss of every loan.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.lending import lent_balance, of_lent
from outputs.measures import path_mean, runs, sample_of
from outputs.weighted import ALL_SCENARIOS, WEIGHT

ALL_STAGES: Final = "all stages"
TWELVE_MONTHS, LIFE = "12 months", "life"


def allowance(dataset: xr.Dataset) -> xr.DataArray:
    """Loss allowance by stage: 12-month loss of the first stage, lifetime loss of the others, methodology (25).

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path, stage], currency; its mean over paths is the expected credit loss.
    """
    life, year = dataset["shortfall_by_stage"], dataset["shortfall_12m_by_stage"]
    return year.where(life["stage"] == life["stage"][0], life).transpose(*life.dims).rename("allowance")


def credit_loss(dataset: xr.Dataset) -> pandas.DataFrame:
    """Expected credit loss by stage, of each scenario as if it were certain and, where they have weights, of all.

    Returns
    -------
    pandas.DataFrame
        scenario (`ALL_SCENARIOS` for the weighted mean), strategy, programme, stage (each, then `ALL_STAGES`); loans,
        opening_balance (currency); horizon (of the allowance: "12 months" or "life"); allowance, allowance_error,
        allowance_low, allowance_high (currency); coverage_percent, coverage_percent_error (allowance over the stage's
        own opening balance; missing where it has none); allowance_percent, allowance_percent_error (over the book's);
        lifetime, lifetime_error, lifetime_percent, lifetime_percent_error (CECL, over the book's).
    """
    values = {"allowance": allowance(dataset), "lifetime": dataset["shortfall_by_stage"]}
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        mine = {name: found.sel(run) for name, found in values.items()}
        opening = _opening(dataset, run["strategy"]).sel(scenario=run["scenario"])
        rows.extend(_stage_rows(dict(run), mine, opening, dataset))
    if WEIGHT in dataset.coords:
        rows.extend(_weighted_rows(values, dataset))
    return pandas.DataFrame(rows)


def _weighted_rows(values: dict[str, xr.DataArray], dataset: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Means weighted by the scenarios' probabilities (methodology (16)); a path's draws are common to all of them."""
    weight = dataset[WEIGHT]
    for strategy in dataset["strategy"].values:
        opening = (_opening(dataset, str(strategy)) * weight).sum("scenario")
        for programme in dataset["programme"].values:
            chosen = {"strategy": str(strategy), "programme": str(programme)}
            mixed = {name: (found.sel(chosen) * weight).sum("scenario", skipna=False) for name, found in values.items()}
            yield from _stage_rows({"scenario": ALL_SCENARIOS, **chosen}, mixed, opening, dataset)


def _opening(dataset: xr.Dataset, strategy: str) -> xr.Dataset:
    """Principal and loans by stage that a strategy lends, each float64[scenario, stage].

    Scenarios may differ in what they call stage 2.
    """
    one = dataset.sel(strategy=strategy, drop=True)
    names = {"balance": "opening_balance_by_stage", "loans": "opening_count_by_stage"}
    alike = xr.ones_like(dataset["scenario"], dtype=float)
    found = {
        name: values if "scenario" in values.dims else values * alike
        for name, values in ((name, of_lent(one, source)) for name, source in names.items())
    }
    return xr.Dataset({name: values.drop_vars(WEIGHT, errors="ignore") for name, values in found.items()})


def _stage_rows(
    told: dict[str, str], values: dict[str, xr.DataArray], opening: xr.Dataset, dataset: xr.Dataset
) -> Iterator[dict[str, Any]]:
    """Rows of one run: its stages, then all of them; `values` are float64[path, stage] by name."""
    book = float(dataset.attrs["opening_balance"])
    for place, stage in enumerate([*(str(name) for name in opening["stage"].values), ALL_STAGES]):
        whole = stage == ALL_STAGES
        loans, balance = (
            float(opening[name].sum() if whole else opening[name][place]) for name in ("loans", "balance")
        )
        parts = {name: found.sum("stage") if whole else found.isel(stage=place) for name, found in values.items()}
        estimates = {name: estimators.mean(sample_of(part, dataset)) for name, part in parts.items()}
        yield {
            **told,
            "stage": stage,
            "loans": loans,
            "opening_balance": balance,
            "horizon": "" if whole else (TWELVE_MONTHS if place == 0 else LIFE),
            **_columns("allowance", estimates["allowance"]),
            **_percents("coverage_percent", estimates["allowance"], balance),
            **_percents("allowance_percent", estimates["allowance"], book),
            "lifetime": estimates["lifetime"].value,
            "lifetime_error": estimates["lifetime"].standard_error,
            **_percents("lifetime_percent", estimates["lifetime"], book),
        }


def _columns(name: str, found: Estimate) -> dict[str, float]:
    return {
        name: found.value,
        f"{name}_error": found.standard_error,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
    }


def _percents(name: str, found: Estimate, base: float) -> dict[str, float]:
    """An amount in percent of a base that is certain."""
    scale = 100.0 / base if base > 0.0 else np.nan
    return {name: found.value * scale, f"{name}_error": found.standard_error * scale}


def left_at_horizon(dataset: xr.Dataset) -> dict[str, float]:
    """Share of the opening balance that is live at the horizon, by scenario: what no lifetime loss here reaches."""
    closing = dataset["balance"].isel(month=-1, strategy=0, programme=0)
    shares = path_mean(closing, dataset) / float(lent_balance(dataset.isel(strategy=0)))
    return {str(name): float(share) for name, share in zip(closing["scenario"].values, shares, strict=True)}
