"""Loss with the macro sensitivities at the top of their published range, beside the loss with them as they are."""

from __future__ import annotations

from typing import Any

import pandas
import xarray as xr

from outputs.compare import difference_estimates
from outputs.estimators import Estimate
from outputs.measures import estimate_columns, loss_estimates, path_loss, runs, sample_of
from outputs.wording import run_label, varying
from scenarios.vocabulary import RUN_DIMS, TOP_OF_RANGE

MEASURES = ("expected_loss", "expected_shortfall")


def top_of_range(dataset: xr.Dataset) -> pandas.DataFrame:
    """Expected loss and reliable shortfalls of each scenario after the first, run again with top sensitivities.

    Both losses are those of the same paths, of which there are fewer than in the summary; so the figures beside each
    other differ by the sensitivities alone, and the error of the difference is that of a paired one.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, paths, measure, level (NaN for the expected loss); value and the other columns
        of `measures.summary` at the top; `central_percent` with the sensitivities as they are; `added_percent` and
        `added_percent_error`, the difference. Percent of opening balance. No row where there was no such run.
    """
    if TOP_OF_RANGE.name not in dataset:
        return pandas.DataFrame(columns=[*RUN_DIMS, "measure", "level", "central_percent", "percent_of_opening"])
    top = dataset[TOP_OF_RANGE.name].rename(path_top="path")
    # Strata are weighed on all paths: some of them alone do not have the strata's probabilities.
    few = dataset.isel(path=slice(top.sizes["path"])).drop_vars("stratum", errors="ignore")
    losses, first = path_loss(few), str(dataset["scenario"].values[0])
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for run in (run for run in runs(few) if run["scenario"] != first):
        pair = top.sel(run).assign_coords(path=few["path"]), losses.sel(run)
        told = {**run, "paths": few.sizes["path"]}
        rows += [{**told, **row} for row in _rows(*pair, few, scale)]
    return pandas.DataFrame(rows)


def why_lower(table: pandas.DataFrame) -> str:
    """Why stronger sensitivities lower the loss where they do, one sentence for readers; empty where they do not."""
    if table.empty:
        return ""
    lower = table[table["added_percent"] < 0.0]
    if lower.empty:
        return ""
    vary = varying(table)
    names = ", ".join(
        dict.fromkeys(run_label(r.scenario, r.strategy, r.programme, vary=vary) for r in lower.itertuples())
    )
    return (
        f"The top lowers the loss in {names}: a sensitivity acts on the distance from the level at which the set was "
        "observed. Where a scenario's unemployment lies below that level, a stronger one takes arrears farther down."
    )


def _rows(top: xr.DataArray, central: xr.DataArray, dataset: xr.Dataset, scale: float) -> list[dict[str, Any]]:
    found, usual = (_estimates(values, dataset) for values in (top, central))
    rows = []
    for measure, level, added in difference_estimates(top, central, dataset):
        key = (measure, "" if level != level else f"{level}")  # NaN is no key: it equals nothing
        if found[key].unreliable or usual[key].unreliable:
            continue
        shown = {
            "measure": measure,
            "level": level,
            **estimate_columns(found[key], scale),
            "central_percent": usual[key].value * scale,
            "added_percent": added.value * scale,
            "added_percent_error": added.standard_error * scale,
        }
        rows.append(shown)
    return rows


def _estimates(values: xr.DataArray, dataset: xr.Dataset) -> dict[tuple[str, str], Estimate]:
    sample = sample_of(values, dataset)
    return {
        (measure, "" if level != level else f"{level}"): estimate
        for measure, level, estimate in loss_estimates(sample)
        if measure in MEASURES
    }
