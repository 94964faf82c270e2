"""Run-off or constant balance sheet: what the book would lose were every repayment lent again to the same borrowers.

A run simulates the book of the tape and no new loan: its balance sheet runs off. Stress tests of supervisors hold it
constant instead. The simulation is the same; each month's rate of loss is applied to the opening balance of the run.
"""

from __future__ import annotations

from typing import Any, Final

import pandas
import xarray as xr

from outputs.lending import at_opening, lent_balance
from outputs.measures import loss_rows, runs, sample_of
from outputs.portions import by_portions
from scenarios.vocabulary import RUN_DIMS

LABELS: Final = {
    "runoff": "run-off: no new loans",
    "constant": "constant: each month's loss rate on the opening balance of the run",
}
CONSTANT: Final = "constant_balance_loss"


def balance_at_opening(dataset: xr.Dataset) -> xr.DataArray:
    """Principal of live loans at the opening of each month: float64[..., path, month], currency."""
    return at_opening(dataset["balance"], lent_balance(dataset)).rename("balance_at_opening")


def constant_balance_loss(dataset: xr.Dataset) -> xr.DataArray:
    """Loss with the balance held at its opening: each month's rate of loss on that balance, methodology (27).

    New loans would be like those that are left: of the same age, arrears and borrowers. What is in default at the
    horizon is not run off, for the balance sheet goes on. A month without balance has no rate and adds nothing.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency.
    """
    return by_portions(dataset, _constant_loss).transpose(*RUN_DIMS, "path").rename(CONSTANT)


def _constant_loss(dataset: xr.Dataset) -> xr.DataArray:
    opened = balance_at_opening(dataset)
    rate = (dataset["ultimate_loss"] / opened.where(opened > 0.0)).where(opened > 0.0, 0.0)
    return rate.sum("month", skipna=False) * lent_balance(dataset)


def constant_summary(dataset: xr.Dataset) -> pandas.DataFrame:
    """Measures of the loss with a constant balance sheet, as `measures.summary`."""
    losses = constant_balance_loss(dataset)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        rows += loss_rows({**run, "loss": CONSTANT}, sample_of(losses.sel(run), dataset), scale)
    return pandas.DataFrame(rows)
