"""The worst stretch of a run: the largest loss that a month, or twelve months in a row, bring on each path."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs.measures import loss_rows, runs, sample_of
from outputs.periods import YEAR
from outputs.portions import by_portions
from scenarios.vocabulary import RUN_DIMS

STRETCHES: Final[Mapping[str, int]] = {"worst month": 1, "worst 12 months": YEAR}
"""What is looked for, and its months. A year is any twelve months in a row, not a calendar year."""


def worst_loss(dataset: xr.Dataset, months: int) -> xr.DataArray:
    """Largest loss of so many months in a row within the horizon; a loss counts in the month of its charge-off.

    Parameters
    ----------
    months : int
        1 up to the horizon.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency.
    """
    horizon = dataset.sizes["month"]
    if not 1 <= months <= horizon:
        raise ValueError(f"the worst {months} months of a run of {horizon}; expected 1 to {horizon}.")
    return by_portions(dataset, partial(_worst, months)).rename("worst_loss")


def _worst(months: int, dataset: xr.Dataset) -> xr.DataArray:
    loss = dataset["ultimate_loss"].transpose(*RUN_DIMS, "path", "month")
    total = np.cumsum(loss.values, axis=-1)
    before = np.concatenate([np.zeros_like(total[..., :1]), total[..., :-months]], axis=-1)
    largest = (total[..., months - 1 :] - before).max(axis=-1)
    return loss.isel(month=0, drop=True).copy(data=largest)


def worst_periods(dataset: xr.Dataset) -> pandas.DataFrame:
    """Expected loss, SD, VaR and ES of the worst month and of the worst twelve months of each path.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, loss (the stretch), then as `measures.summary`. A stretch that is longer than
        the horizon is left out.
    """
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    stretches = {name: months for name, months in STRETCHES.items() if months <= dataset.sizes["month"]}
    losses = {name: worst_loss(dataset, months) for name, months in stretches.items()}
    for run in runs(dataset):
        for name, loss in losses.items():
            rows += loss_rows({**run, "loss": name}, sample_of(loss.sel(run), dataset), scale)
    return pandas.DataFrame(rows)
