"""What a result means: loss measures with their errors, rates, curves and fans.

Everything here takes the result Dataset of `scenarios.vocabulary.DATASET_VARIABLES` and returns labelled
values; nothing is drawn or written. Losses are positive and in the Dataset's currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs import estimators
from outputs.estimators import Estimate, Sample
from scenarios.errors import IntegrityError
from scenarios.vocabulary import RUN_DIMS

Loss = Literal["ultimate_loss", "net_loss"]
"""`ultimate_loss` discounts recoveries to the charge-off at the contract rate; `net_loss` does not."""

LEVELS: Final = (0.95, 0.99, 0.999)
RETURN_PERIODS: Final = (10, 20, 50, 100, 200, 500, 1000)
FAN_LEVELS: Final = (0.05, 0.25, 0.50, 0.75, 0.95)
DEFAULT_RATE_HORIZON: Final = 12


def path_loss(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> xr.DataArray:
    """Loss of each path over the horizon and the run-off of what is in default or workout at its end.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency, losses positive.

    Raises
    ------
    IntegrityError
        Where a path's loss is not a finite number.
    """
    if loss == "ultimate_loss":
        total = dataset["ultimate_loss"].sum("month", skipna=False) + dataset["ultimate_loss_after_horizon"]
    else:
        charged_off = dataset["charge_off"].sum("month", skipna=False) + dataset["charge_off_after_horizon"]
        total = charged_off - dataset["recovery"].sum("month", skipna=False) - dataset["recovery_after_horizon"]
    bad = int(np.sum(~np.isfinite(total.values)))
    if bad:
        raise IntegrityError(f"{loss}: {bad} of {total.size} path losses are not finite numbers; expected none.")
    return total.transpose(*RUN_DIMS, "path").rename(loss)


def runs(dataset: xr.Dataset) -> Iterator[dict[str, str]]:
    """The runs of a Dataset, each as {dim: label} over scenario x strategy x programme."""
    for scenario in dataset["scenario"].values:
        for strategy in dataset["strategy"].values:
            for programme in dataset["programme"].values:
                labels = (str(scenario), str(strategy), str(programme))
                yield dict(zip(RUN_DIMS, labels, strict=True))


def sample_of(values: xr.DataArray, dataset: xr.Dataset) -> Sample:
    """Values by path of one run, with the Dataset's weights and batches."""
    return estimators.draw_up_sample(
        np.asarray(values.values, float), dataset["log_weight"].values, dataset["batch"].values
    )


def summary(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Expected loss, its standard deviation, value at risk and expected shortfall, by run.

    Returns
    -------
    pandas.DataFrame
        A row for each run and measure: scenario, strategy, programme, loss, measure, level (NaN where the
        measure has none), value and standard_error (currency), low and high (ends of the 95 % interval),
        percent_of_opening and percent_standard_error (percent of opening balance), unreliable.
    """
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        sample = sample_of(losses.sel(run), dataset)
        for measure, level, estimate in _loss_measures(sample):
            rows.append({**run, "loss": loss, "measure": measure, "level": level, **_columns(estimate, scale)})
    return pandas.DataFrame(rows)


def _loss_measures(sample: Sample) -> Iterator[tuple[str, float, Estimate]]:
    yield "expected_loss", np.nan, estimators.mean(sample)
    yield "standard_deviation", np.nan, estimators.standard_deviation(sample)
    for level in LEVELS:
        yield "value_at_risk", level, estimators.value_at_risk(sample, level)
    for level in LEVELS:
        yield "expected_shortfall", level, estimators.expected_shortfall(sample, level)


def _columns(estimate: Estimate, scale: float) -> dict[str, float | bool]:
    return {
        "value": estimate.value,
        "standard_error": estimate.standard_error,
        "low": estimate.low,
        "high": estimate.high,
        "percent_of_opening": estimate.value * scale,
        "percent_standard_error": estimate.standard_error * scale,
        "unreliable": estimate.unreliable,
    }


def as_records(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain values fit for JSON: what is not a number becomes None."""
    records = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in records]


# --- rates and stocks ------------------------------------------------------------------------------


def default_rate(dataset: xr.Dataset, horizon: int = DEFAULT_RATE_HORIZON) -> xr.DataArray:
    """Share of the opening loans that default for the first time within `horizon` months.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], fraction of opening count.
    """
    months = dataset.sizes["month"]
    if horizon > months:
        raise ValueError(f"a {horizon}-month default rate of a run of {months} months; expected {horizon} or more.")
    defaults = dataset["default_count"].isel(month=slice(0, horizon)).sum("month", skipna=False)
    return (defaults / float(dataset.attrs["opening_count"])).rename(f"default_rate_{horizon}m")


def cumulative_net_loss(dataset: xr.Dataset) -> xr.DataArray:
    """CNL: gross charge-off less recovery to date over opening balance; months booked and of cash, undiscounted.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path, month], fraction of opening balance.
    """
    net = (dataset["charge_off"] - dataset["recovery"]).cumsum("month", skipna=False)
    share = net / float(dataset.attrs["opening_balance"])
    return share.assign_coords(month=dataset["month"]).rename("cumulative_net_loss")


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


def path_weight(dataset: xr.Dataset) -> xr.DataArray:
    """Weight of each path relative to the largest: float64[path]."""
    log_weight = dataset["log_weight"].values
    return xr.DataArray(np.exp(log_weight - log_weight.max()), dims="path", name="weight")


def rates(dataset: xr.Dataset) -> pandas.DataFrame:
    """Key rates of the book by run, in percent.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, measure, value, standard_error, low, high (all percent): the first-default
        rate over 12 months (or the horizon, where shorter), cumulative net loss at the horizon, and the mean and
        the peak over months of the stock in arrears (no error given for a peak: it is one of expected values).
    """
    horizon = min(DEFAULT_RATE_HORIZON, dataset.sizes["month"])
    by_path = {
        f"default_rate_{horizon}m": default_rate(dataset, horizon),
        "cumulative_net_loss": cumulative_net_loss(dataset).isel(month=-1),
    }
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        for name, values in by_path.items():
            estimate = estimators.mean(sample_of(100.0 * values.sel(run), dataset))
            rows.append({**run, "measure": name, **_percent_columns(estimate)})
        rows.extend({**run, **row} for row in _stock_rates(dataset, run))
    return pandas.DataFrame(rows)


def _percent_columns(estimate: Estimate) -> dict[str, float]:
    return {
        "value": estimate.value,
        "standard_error": estimate.standard_error,
        "low": estimate.low,
        "high": estimate.high,
    }


def _stock_rates(dataset: xr.Dataset, run: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    shares = delinquent_share(dataset)
    balance = dataset["balance"].sel(run).sum("month", skipna=False)
    for name, source in (("one_or_more", "delinquent_balance"), ("two_or_more", "seriously_delinquent_balance")):
        ratio = _ratio(dataset[source].sel(run).sum("month", skipna=False), balance, dataset)
        yield {"measure": f"stock_{name}_mean", **_percent_columns(ratio)}
        peak = 100.0 * float(shares[name].sel(run).max())
        unknown = estimators.NOT_ESTIMABLE
        yield {"measure": f"stock_{name}_peak", **_percent_columns(Estimate(peak, unknown, unknown, unknown))}


def _ratio(numerator: xr.DataArray, denominator: xr.DataArray, dataset: xr.Dataset) -> Estimate:
    """Ratio of two means over paths, in percent; its error from the linearised ratio (the delta method)."""
    weight = path_weight(dataset)
    base = float(denominator.weighted(weight).mean(skipna=False))
    if base == 0.0:
        return Estimate(0.0, 0.0, 0.0, 0.0)
    value = float(numerator.weighted(weight).mean(skipna=False)) / base
    error = estimators.mean(sample_of((numerator - value * denominator) / base, dataset)).standard_error
    half = estimators.Z * error
    return Estimate(100.0 * value, 100.0 * error, 100.0 * (value - half), 100.0 * (value + half))


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


# --- curves and fans -------------------------------------------------------------------------------


def exceedance_curve(dataset: xr.Dataset, run: Mapping[str, str], loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """P(loss >= x) at every simulated loss x of one run, over the run's whole horizon (not a year).

    Returns
    -------
    pandas.DataFrame
        loss (currency, ascending), percent_of_opening, probability, return_period = 1 / probability
        ("1 in N paths"), unreliable (fewer than ten effective paths at or beyond it).
    """
    sample = sample_of(path_loss(dataset, loss).sel(run), dataset)
    probability = 1.0 - np.concatenate([[0.0], sample.cumulative[:-1]])
    effective_paths = _effective_paths(sample)
    return pandas.DataFrame(
        {
            "loss": sample.value,
            "percent_of_opening": sample.value * 100.0 / float(dataset.attrs["opening_balance"]),
            "probability": probability,
            "return_period": 1.0 / probability,
            "unreliable": [estimators.too_few(share * effective_paths) for share in probability],
        }
    )


def _effective_paths(sample: Sample) -> float:
    sums = np.bincount(sample.batch, weights=sample.weight)
    return 1.0 / float(sums @ sums)


def return_periods(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Loss reached once in N paths, with its interval, for N up to 1,000: scenario, ..., return_period, value, ..."""
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows = []
    for run in runs(dataset):
        sample = sample_of(losses.sel(run), dataset)
        for period in RETURN_PERIODS:
            estimate = estimators.value_at_risk(sample, 1.0 - 1.0 / period)
            rows.append({**run, "loss": loss, "return_period": period, **_columns(estimate, scale)})
    return pandas.DataFrame(rows)


def quantile_fan(
    values: xr.DataArray, log_weight: xr.DataArray, levels: tuple[float, ...] = FAN_LEVELS
) -> xr.DataArray:
    """Weighted quantiles over paths, as for a fan chart.

    Parameters
    ----------
    values : float64[..., path, ...]
    log_weight : float64[path]
    levels : tuple of float
        Probabilities, fractions.

    Returns
    -------
    xr.DataArray
        float64[..., quantile], with the coordinate `quantile`.
    """
    weight = np.exp(log_weight.values - log_weight.values.max())
    fan: xr.DataArray = xr.apply_ufunc(
        _weighted_quantiles,
        values,
        kwargs={"weight": weight, "levels": np.asarray(levels)},
        input_core_dims=[["path"]],
        output_core_dims=[["quantile"]],
    )
    return fan.assign_coords(quantile=list(levels))


def _weighted_quantiles(
    values: NDArray[np.float64], weight: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quantiles along the last axis: the smallest value at which the cumulated weight reaches the level."""
    order = np.argsort(values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    cumulative = np.cumsum(weight[order], axis=-1)
    reach = cumulative / cumulative[..., -1:]
    ranks = np.stack([(reach < level - estimators.ROUNDING).sum(axis=-1) for level in levels], axis=-1)
    return np.take_along_axis(ordered, np.minimum(ranks, values.shape[-1] - 1), axis=-1)
