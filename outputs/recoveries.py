"""Where recoveries come from and when: sales, the cars' own insurance, what sales left unpaid, and their costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import path_mean, runs, sample_of
from outputs.rates import ratio

CHANNELS: Final[Mapping[str, str]] = {
    "sale_proceeds": "sale of the car",
    "total_loss_paid": "own insurance after total loss",
    "deficiency_cash": "deficiency collections",
    "judgment_cash": "collections on judgments",
    "debt_sale_cash": "sale of debt",
    "workout_cost": "costs of repossession and sale",
}
"""Variables of the book by channel, with their names for readers."""

LADDER_CHANNELS: Final = ("judgment_cash", "debt_sale_cash")
"""Channels that a strategy with suits or sales of debt opens; elsewhere they bring nothing and are not told of."""
COST: Final = "workout_cost"
"""The channel that takes cash away."""
BOOKED: Final = "charge_off"
"""What recoveries are compared with."""

FOLLOWS: Final = ("sale_proceeds", "deficiency_cash", *LADDER_CHANNELS, "workout_cost")
"""Channels whose cash follows a charge-off; a total loss is paid for at once, and mostly without one."""
AFTER: Final = "recovery_after_horizon"
NET: Final = "net_recovery"
LABELS: Final[Mapping[str, str]] = {
    **CHANNELS,
    NET: "net recovery after charge-off",
    AFTER: "net recovery after the horizon",
}


def channels(dataset: xr.Dataset) -> dict[str, str]:
    """Channels of a result with their names: those of a strategy's own only where some run has cash of them."""
    idle = {name for name in LADDER_CHANNELS if name not in dataset or not bool((dataset[name] != 0.0).any())}
    return {name: label for name, label in CHANNELS.items() if name not in idle}


def recoveries(dataset: xr.Dataset) -> pandas.DataFrame:
    """Recoveries by channel within the horizon, their share of gross charge-off and their lag.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, channel (`channels`, then `NET`, without payments of own insurance, and `AFTER`),
        value, standard_error, low, high (currency, costs positive), percent_of_charge_off and its `_error` (over the
        gross charge-off within the horizon), mean_month (of the cash), lag_months (from charge-off to cash; missing
        where the cash follows none, or there is none).
    """
    rows: list[dict[str, Any]] = []
    shown = channels(dataset)
    for run in runs(dataset):
        one = dataset.sel(run)
        booked = one[BOOKED].sum("month", skipna=False)
        flows = {name: one[name] for name in shown} | {NET: one["recovery"]}
        for name, flow in flows.items():
            total = flow.sum("month", skipna=False)
            timing = _timing(name, flow, one, dataset)
            rows.append({**run, "channel": name, **_columns(total, booked, dataset), **timing})
        late = {"mean_month": np.nan, "lag_months": np.nan}
        rows.append({**run, "channel": AFTER, **_columns(one[AFTER], booked, dataset), **late})
    return pandas.DataFrame(rows)


def _columns(total: xr.DataArray, booked: xr.DataArray, dataset: xr.Dataset) -> dict[str, float]:
    found: Estimate = estimators.mean(sample_of(total, dataset))
    share = ratio(total, booked, dataset)
    return {
        "value": found.value,
        "standard_error": found.standard_error,
        "low": found.low,
        "high": found.high,
        "percent_of_charge_off": share.value,
        "percent_of_charge_off_error": share.standard_error,
    }


def _timing(name: str, flow: xr.DataArray, one: xr.Dataset, dataset: xr.Dataset) -> dict[str, float]:
    cash, booked = (path_mean(values, dataset) for values in (flow, one[BOOKED]))
    lag = typical_lag(booked, cash) if name in FOLLOWS else np.nan
    return {"mean_month": mean_month(cash), "lag_months": lag}


def mean_month(flow: NDArray[np.float64]) -> float:
    """Month about which a flow is centred; missing where there is none."""
    total = float(flow.sum())
    return float(flow @ np.arange(1.0, flow.size + 1.0)) / total if total > 0.0 else np.nan


def typical_lag(booked: NDArray[np.float64], cash: NDArray[np.float64]) -> float:
    """Months from charge-off to cash, weighted by amount.

    The cash of the last charge-offs lies beyond the horizon, so the two flows' centres are not a lag apart. The lag is
    the l at which cash is centred l months after the charge-offs of all months but the last l, interpolated between
    whole months: exact where all charge-offs have one lag and bring the same share. Where sale prices fall, early cash
    weighs more and the lag seems shorter.
    """
    months = booked.size
    if float(cash.sum()) <= 0.0 or float(booked.sum()) <= 0.0:
        return np.nan
    centre = mean_month(cash)
    beyond = np.array([mean_month(booked[: months - lag]) + lag - centre for lag in range(months)])
    nearest = int(np.nanargmin(np.abs(beyond)))
    for beside in (nearest - 1, nearest + 1):
        if 0 <= beside < months and beyond[nearest] * beyond[beside] < 0.0:
            step = beyond[nearest] / (beyond[nearest] - beyond[beside])
            return nearest + (beside - nearest) * float(step)
    return float(nearest)


def recoveries_by_month(dataset: xr.Dataset) -> pandas.DataFrame:
    """Mean recoveries of each month by channel: scenario, strategy, programme, month, month_end, channel, value.

    Costs are positive; the channel `charge_off` is the gross charge-off of the month, for comparison. Currency.
    """
    tables = []
    shown = channels(dataset)
    for run in runs(dataset):
        one = dataset.sel(run)
        for name in (*shown, BOOKED):
            columns: dict[str, Any] = {**run, "month": one["month"].values, "month_end": one["month_end"].values}
            columns |= {"channel": name, "value": path_mean(one[name], dataset)}
            tables.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True)
