"""Differences between runs, path by path on common draws.

A path's draws are the same in every scenario, so two runs of one path differ by the scenario alone: the error of a
difference is much smaller than the errors of the two figures would suggest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import LEVELS, Loss, estimate_columns, path_loss, runs, sample_of
from outputs.tail import estimate, tail_of


def paired_differences(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Expected loss and expected shortfall of each scenario less those of the first.

    Strategy and programme are the same on both sides.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, less (the first scenario), loss, measure, level (NaN for the expected loss),
        value and standard_error (currency), low and high (95 % interval), percent_of_opening and
        percent_standard_error, unreliable. No row where there is one scenario only.
    """
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    first = str(dataset["scenario"].values[0])
    rows: list[dict[str, Any]] = []
    for run in (run for run in runs(dataset) if run["scenario"] != first):
        pair = losses.sel(run), losses.sel({**run, "scenario": first})
        for measure, level, found in difference_estimates(*pair, dataset):
            told = {**run, "less": first, "loss": loss, "measure": measure, "level": level}
            rows.append({**told, **estimate_columns(found, scale)})
    return pandas.DataFrame(rows)


def difference_estimates(
    one: xr.DataArray, other: xr.DataArray, dataset: xr.Dataset
) -> Iterator[tuple[str, float, Estimate]]:
    """Differences of two losses, float64[path] each, paired by path: (measure, level or NaN, estimate)."""
    yield "expected_loss", np.nan, estimators.mean(sample_of(one - other, dataset))
    for level in LEVELS:
        yield "expected_shortfall", level, shortfall_difference(one, other, dataset, level)


def shortfall_difference(one: xr.DataArray, other: xr.DataArray, dataset: xr.Dataset, level: float) -> Estimate:
    """Difference of two shortfalls. Each has its own worst paths; a path moves both, hence the joint error."""
    tails = tail_of(one, dataset, level), tail_of(other, dataset, level)
    value = tails[0].shortfall.value - tails[1].shortfall.value
    unreliable = any(tail.shortfall.unreliable for tail in tails)
    if not all(tail.known for tail in tails):
        unknown = estimators.NOT_ESTIMABLE
        return Estimate(value, unknown, unknown, unknown, unreliable)
    return estimate(value, tails[0].influence() - tails[1].influence(), dataset, unreliable=unreliable)


def paired_with(row: Mapping[str, Any]) -> str:
    """What a row compares, for readers."""
    return f"{row['scenario']} less {row['less']}"
