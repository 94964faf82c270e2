"""The tape's arrears against those of the simulation: whether the parameter set describes this book.

Arrears are counted in loans: that is what the published matrices are about, and the transitions of the first month
begin with the tape's own loans, so month 0 is the tape exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs.measures import runs
from scenarios.vocabulary import RUN_DIMS
from simulator.parameters import seasoned_shares
from simulator.tiers import assign_tiers

if TYPE_CHECKING:
    from simulator.parameters import Parameters
    from simulator.tape import LoanTape

SHOWN_MONTHS: Final = (0, 1, 12)
"""Months of the table of arrears; the horizon comes after them."""

EARLY_MONTHS: Final = 3
"""Months within which the simulated stock must still resemble the tape's: no scenario has bitten by then."""

LARGEST_RATIO: Final = 2.0
"""From this ratio on, or below its inverse, the early stock is not the tape's."""

CHANCE: Final = 3.0
"""A difference is only told if it is more than this many times the square root of the larger number of loans: what
chance alone makes of a count (Poisson) in 3 of 1,000 books."""


@dataclass(frozen=True, slots=True)
class EarlyJump:
    """A run whose early arrears are not the tape's.

    Attributes
    ----------
    run : dict of str to str
        The run's scenario, strategy and programme.
    bucket : str
        First bucket in arrears; the shares are of loans in it or a worse one.
    tape, found : float
        Share of live loans on the tape, and in the month of the first three that is farthest from it; fractions.
    month : int
    """

    run: dict[str, str]
    bucket: str
    tape: float
    found: float
    month: int


def bucket_loans(dataset: xr.Dataset) -> xr.DataArray:
    """Mean number of live loans by bucket at each month's end, the tape first.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, month 0..T, bucket], count.
    """
    moves = dataset["transition_count_mean"]
    buckets = [str(name) for name in moves["from_bucket"].values]
    tape = moves.isel(month=0, drop=True).sum("to_state", skipna=False).rename(from_bucket="bucket")
    closing = moves.sel(to_state=buckets).sum("from_bucket", skipna=False).rename(to_state="bucket")
    closing = closing.drop_vars("month_end", errors="ignore")
    stock = xr.concat(
        [tape.expand_dims(month=[0]), closing], "month", coords="minimal", compat="override", join="exact"
    )
    return stock.transpose(*RUN_DIMS, "month", "bucket").rename("bucket_loans")


def share_of_loans(loans: xr.DataArray) -> xr.DataArray:
    """Share of live loans by bucket, fraction; 0 where no loan is left."""
    total = loans.sum("bucket")
    return (loans / total.where(total > 0.0)).fillna(0.0)


def late_shares(dataset: xr.Dataset) -> xr.DataArray:
    """Share of live loans in each bucket or a worse one.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, month 0..T, bucket], fraction of live loans; without the first bucket,
        that of current loans.
    """
    share = share_of_loans(bucket_loans(dataset))
    return (
        share.isel(bucket=slice(None, None, -1))
        .cumsum("bucket")
        .isel(bucket=slice(None, None, -1))
        .isel(bucket=slice(1, None))
        .assign_coords(month=share["month"], bucket=share["bucket"][1:])
    )


def arrears_table(dataset: xr.Dataset) -> pandas.DataFrame:
    """Stock in arrears on the tape, after a month, after twelve and at the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, bucket (that or a worse one), month (0 is the tape), percent_of_loans (mean
        number in arrears over mean number of live loans).
    """
    late = late_shares(dataset)
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        for bucket in late["bucket"].values:
            for month in shown_months(dataset):
                percent = 100.0 * float(late.sel(run).sel(bucket=bucket, month=month))
                rows.append({**run, "bucket": str(bucket), "month": month, "percent_of_loans": percent})
    return pandas.DataFrame(rows)


def shown_months(dataset: xr.Dataset) -> tuple[int, ...]:
    """Months of the table: those of `SHOWN_MONTHS` within the horizon, and the horizon."""
    horizon = dataset.sizes["month"]
    return (*(month for month in SHOWN_MONTHS if month < horizon), horizon)


def settled_shares(tape: LoanTape, parameters: Parameters) -> NDArray[np.float64]:
    """Share of live loans in each bucket or a worse one towards which the parameter sets' own matrices settle.

    Each loan counts with the seasoned state of its tier, at reference macro.

    Returns
    -------
    float64[bucket 1..K]
        Fractions, as `late_shares` has them.
    """
    tiers = np.bincount(assign_tiers(parameters, tape["score"], tape["rate"]), minlength=len(parameters.names))
    states = np.stack([seasoned_shares(parameters, tier) for tier in range(len(parameters.names))])
    state = tiers @ states / tiers.sum()
    late: NDArray[np.float64] = np.cumsum(state[::-1])[::-1][1:]
    return late


def early_jumps(dataset: xr.Dataset) -> Iterator[EarlyJump]:
    """Runs whose stock in arrears in the first months is more than twice the tape's, or less than half of it."""
    late = late_shares(dataset).isel(bucket=0)
    loans = float(dataset.attrs["opening_count"])
    months = range(1, min(EARLY_MONTHS, dataset.sizes["month"]) + 1)
    for run in runs(dataset):
        shares = [float(late.sel(run).sel(month=month)) for month in (0, *months)]
        tape = shares[0]
        month = max(months, key=lambda number: _distance(tape, shares[number]))
        found = shares[month]
        clear = abs(found - tape) * loans > CHANCE * math.sqrt(max(found, tape) * loans)
        if clear and _distance(tape, found) > math.log(LARGEST_RATIO):
            yield EarlyJump(run, str(late["bucket"].values), tape, found, month)


def _distance(one: float, other: float) -> float:
    """How far apart two shares are as a ratio: |log|; infinite where one of them alone is 0."""
    if one == other:
        return 0.0
    return abs(math.log(one / other)) if one > 0.0 and other > 0.0 else math.inf
