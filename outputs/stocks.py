"""Stock in arrears by month end: principal of loans in each bucket or a worse one, as 30+, 60+ and 90+ days."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs import estimators
from outputs.measures import runs, sample_of
from scenarios.vocabulary import RUN_DIMS

Floats = NDArray[np.float64]


def stocks(dataset: xr.Dataset) -> pandas.DataFrame:
    """Principal in arrears by bucket or worse, of each month's end.

    Means over paths; a share is a mean over the mean balance, so that paths on which little is left do not dominate.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, month, month_end, bucket (that or a worse one), balance and balance_error
        (currency), percent_of_balance and percent_error. Of several buckets together only the errors of each are known;
        their sum, which is told, is the largest that the error can be. The error of a share is that of its numerator.
    """
    mean, spread = (
        dataset[f"bucket_balance_{moment}"].transpose(*RUN_DIMS, "month", "bucket") for moment in ("mean", "sd")
    )
    root = math.sqrt(_independent_paths(dataset))
    tables = []
    for run in runs(dataset):
        balance, sd = (_or_worse(values.sel(run).values) for values in (mean, spread))
        live = balance[:, :1]
        scale = np.divide(100.0, live, out=np.zeros_like(live), where=live > 0.0)
        for place, bucket in enumerate(mean["bucket"].values[1:], start=1):
            columns: dict[str, Any] = {**run, "month": mean["month"].values, "month_end": dataset["month_end"].values}
            columns |= {"bucket": str(bucket), "balance": balance[:, place], "balance_error": sd[:, place] / root}
            columns["percent_of_balance"] = scale[:, 0] * columns["balance"]
            columns["percent_error"] = scale[:, 0] * columns["balance_error"]
            tables.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True)


def _or_worse(values: Floats) -> Floats:
    """Sums over a bucket and all worse ones: float64[month, bucket]."""
    return np.asarray(np.cumsum(values[:, ::-1], axis=1)[:, ::-1])


def _independent_paths(dataset: xr.Dataset) -> float:
    paths = xr.DataArray(np.zeros(dataset.sizes["path"]), dims="path")
    sample = sample_of(paths, dataset)
    return estimators.kish(sample.weight, sample.cluster)
