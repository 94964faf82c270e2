"""Rates and stocks of the book: defaults, charge-offs, recoveries, prepayment, arrears, loan-to-value, roll rates.

Everything here takes the result Dataset. What an amount is divided by stands beside it: a loss given default and a loss
given charge-off are two things and never mixed, since some defaults cure and some claims are booked as lost in part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.lending import at_opening, lent_count, of_lent
from outputs.measures import path_mean, path_weight, runs, sample_of
from outputs.portions import by_portions
from scenarios.vocabulary import RUN_DIMS

DEFAULT_RATE_HORIZON: Final = 12
UNKNOWN: Final = Estimate(*(estimators.NOT_ESTIMABLE,) * 4)


def default_rate(dataset: xr.Dataset, horizon: int = DEFAULT_RATE_HORIZON) -> xr.DataArray:
    """Share of the opening loans that default within `horizon` months, again only after probation.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], fraction of the opening loans, of those that a strategy lends.
    """
    months = dataset.sizes["month"]
    if horizon > months:
        raise ValueError(f"a {horizon}-month default rate of a run of {months} months; expected {horizon} or more.")
    defaults = dataset["default_count"].isel(month=slice(0, horizon)).sum("month", skipna=False)
    return (defaults / lent_count(dataset)).transpose(*defaults.dims).rename(f"default_rate_{horizon}m")


def cumulative_net_loss(dataset: xr.Dataset) -> xr.DataArray:
    """CNL: gross charge-off less recovery to date over opening balance; months booked and of cash, undiscounted.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path, month], fraction of opening balance.
    """
    share = by_portions(dataset, _cumulative_net_loss)
    return share.assign_coords(month=dataset["month"]).rename("cumulative_net_loss")


def _cumulative_net_loss(dataset: xr.Dataset) -> xr.DataArray:
    net = (dataset["charge_off"] - dataset["recovery"]).cumsum("month", skipna=False)
    return net / float(dataset.attrs["opening_balance"])


def delinquent_share(dataset: xr.Dataset) -> xr.Dataset:
    """Stock in arrears by month end: mean balance in arrears over mean balance.

    A ratio of means, so that paths on which the book has nearly run off do not dominate.

    Returns
    -------
    xr.Dataset
        `one_or_more` and `two_or_more` instalments past due: float64[scenario, strategy, programme, month],
        fraction of balance; 0 where no balance is left.
    """
    weight = path_weight(dataset)
    balance = dataset["balance"].weighted(weight).mean("path", skipna=False)
    stocks = {"one_or_more": "delinquent_balance", "two_or_more": "seriously_delinquent_balance"}
    means = {name: dataset[source].weighted(weight).mean("path", skipna=False) for name, source in stocks.items()}
    return xr.Dataset({name: (stock / balance.where(balance > 0.0)).fillna(0.0) for name, stock in means.items()})


def rates(dataset: xr.Dataset) -> pandas.DataFrame:
    """Key rates of the book by run, in percent; `outputs.wording.RATE_LABELS` defines each.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, measure, value, standard_error, low, high (all percent). A peak of the stock
        has no error: it is one of expected values. A ratio whose base is 0 on every path is missing.
    """
    shares = _shares_of_opening(dataset)
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        one = dataset.sel(run)
        estimates = {
            name: estimators.mean(sample_of(100.0 * values.sel(run), dataset)) for name, values in shares.items()
        }
        estimates |= {name: ratio(*parts, dataset) for name, parts in _ratios(one).items()}
        estimates |= _stocks(dataset, run)
        rows.extend({**run, "measure": name, **_percent_columns(estimate)} for name, estimate in estimates.items())
    return pandas.DataFrame(rows)


def _shares_of_opening(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Rates over the opening book by name: float64[scenario, strategy, programme, path], fraction."""
    horizon = min(DEFAULT_RATE_HORIZON, dataset.sizes["month"])
    opening = float(dataset.attrs["opening_balance"])
    totals = {
        name: dataset[name].sum("month", skipna=False) / opening for name in ("charge_off", "recovery", "prepaid")
    }
    return {
        f"default_rate_{horizon}m": default_rate(dataset, horizon),
        "gross_charge_off": totals["charge_off"],
        "recovery": totals["recovery"],
        "cumulative_net_loss": by_portions(dataset, lambda some: cumulative_net_loss(some).isel(month=-1)),
        "prepaid": totals["prepaid"],
    }


def _ratios(one: xr.Dataset) -> dict[str, tuple[xr.DataArray, xr.DataArray]]:
    """Numerator and denominator by path of the rates of one run whose base is random."""
    loss = one["ultimate_loss"].sum("month", skipna=False) + one["ultimate_loss_after_horizon"]
    charged_off = one["charge_off"].sum("month", skipna=False) + one["charge_off_after_horizon"]
    first, last = one.isel(month=0), one.isel(month=-1)
    return {
        "loss_given_default": loss_given_default(one),
        "loss_given_charge_off": (loss, charged_off),
        "prepayment_rate": (one["prepaid_count"].sum("month", skipna=False), loans_at_opening(one).sum("month")),
        "loan_to_value_first": (first["balance"], first["collateral_value"]),
        "loan_to_value_last": (last["balance"], last["collateral_value"]),
    }


def loss_given_default(one: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Loss of defaults and their exposure, methodology (28): float64[path] each, currency, of one run.

    What was in default at the as-of date counts on both sides, its exposure with its principal; what is in default at
    the horizon is run off.
    """
    opening = of_lent(one, "opening_balance_by_stage").isel(stage=-1, drop=True)
    exposure = one["default_balance"].sum("month", skipna=False) + opening
    return one["default_loss"].sum("month", skipna=False) + one["default_loss_after_horizon"], exposure


def loans_at_opening(dataset: xr.Dataset) -> xr.DataArray:
    """Live loans at the opening of each month: [..., path, month], count."""
    return at_opening(dataset["live_count"], lent_count(dataset)).rename("loans_at_opening")


def _percent_columns(estimate: Estimate) -> dict[str, float]:
    return {
        "value": estimate.value,
        "standard_error": estimate.standard_error,
        "low": estimate.low,
        "high": estimate.high,
    }


def _stocks(dataset: xr.Dataset, run: Mapping[str, str]) -> dict[str, Estimate]:
    """Mean and worst month of the stock in arrears, percent; a book without balance has none in arrears."""
    shares = delinquent_share(dataset)
    balance = dataset["balance"].sel(run).sum("month", skipna=False)
    found = {}
    for name, source in (("one_or_more", "delinquent_balance"), ("two_or_more", "seriously_delinquent_balance")):
        found[f"stock_{name}_mean"] = ratio(dataset[source].sel(run).sum("month", skipna=False), balance, dataset)
        found[f"stock_{name}_peak"] = replace(UNKNOWN, value=100.0 * float(shares[name].sel(run).max()))
    return found


def ratio(numerator: xr.DataArray, denominator: xr.DataArray, dataset: xr.Dataset, scale: float = 100.0) -> Estimate:
    """Ratio of two means over paths; its error from the linearised ratio (the delta method).

    Parameters
    ----------
    numerator, denominator : float64[path]
        Of one run.
    scale : float
        What the ratio is multiplied by: 100 for percent.

    Returns
    -------
    Estimate
        Missing where the denominator is 0 on every path.
    """
    above, below = (np.asarray(values.values, dtype=np.float64) for values in (numerator, denominator))
    base = float(path_mean(denominator, dataset))
    if base == 0.0:
        return UNKNOWN
    value = float(path_mean(numerator, dataset)) / base
    influence = xr.DataArray((above - value * below) / base, dims="path")
    sample = sample_of(influence, dataset)
    error = estimators.mean(sample).standard_error
    half = sample.z * error
    return Estimate(scale * value, scale * error, scale * (value - half), scale * (value + half))


def roll_rates(dataset: xr.Dataset) -> xr.DataArray:
    """Realised monthly transition rates over the horizon: moves out of each bucket over loans that stood in it.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, from_bucket, to_state], fraction a month; each row sums to 1,
        NaN where no loan ever stood in the bucket.
    """
    counts = dataset["transition_count_mean"].sum("month", skipna=False)
    base = counts.sum("to_state", skipna=False)
    return (counts / base.where(base > 0.0)).transpose(*RUN_DIMS, "from_bucket", "to_state").rename("roll_rate")
