"""What a result means: loss measures with their errors, curves and fans.

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
from outputs.estimators import Estimate, Sample, Ties
from scenarios.errors import IntegrityError
from scenarios.vocabulary import RUN_DIMS

Loss = Literal["ultimate_loss", "net_loss"]
"""`ultimate_loss` discounts recoveries to the charge-off at the contract rate; `net_loss` does not."""

LEVELS: Final = (0.95, 0.99, 0.999)
RETURN_PERIODS: Final = (10, 20, 50, 100, 200, 500, 1000)
COSTS: Final = ("collection_cost", "incident_cost")
"""What a strategy costs, by variable of the book."""
FAN_LEVELS: Final = (0.05, 0.25, 0.50, 0.75, 0.95)


def path_loss(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> xr.DataArray:
    """Loss of each path over the horizon and the run-off of what is in default at its end.

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
    """Values by path of one run, with the Dataset's weights, batches and strata."""
    return estimators.draw_up_sample(np.asarray(values.values, float), dataset["log_weight"].values, ties=ties(dataset))


def ties(dataset: xr.Dataset) -> Ties:
    """How a Dataset's paths hang together.

    Batches hold several paths where parameters are drawn, which paths of a draw have in common, and where factors come
    from Sobol points, which within a scramble keep apart: then every path counts for itself.
    """
    batch = dataset["batch"].values
    drawn = "parameter_draw" not in dataset.coords or np.ptp(dataset["parameter_draw"].values) > 0
    shared = not bool(np.all(batch[1:] > batch[:-1]))
    return Ties(
        batch=batch,
        shared=shared,
        cluster=np.arange(batch.size) if shared and not drawn else None,
        stratum=dataset["stratum"].values if "stratum" in dataset.coords else None,
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
        rows += loss_rows({**run, "loss": loss}, sample_of(losses.sel(run), dataset), scale)
    return pandas.DataFrame(rows)


def loss_rows(told: Mapping[str, str], sample: Sample, scale: float) -> list[dict[str, Any]]:
    """A row of `summary` for each measure of one sample; `told` are the columns that come first."""
    return [
        {**told, "measure": measure, "level": level, **estimate_columns(estimate, scale)}
        for measure, level, estimate in loss_estimates(sample)
    ]


def loss_estimates(sample: Sample) -> Iterator[tuple[str, float, Estimate]]:
    """Every measure of a loss: (name, level or NaN, estimate)."""
    yield "expected_loss", np.nan, estimators.mean(sample)
    yield "standard_deviation", np.nan, estimators.standard_deviation(sample)
    for level in LEVELS:
        yield "value_at_risk", level, estimators.value_at_risk(sample, level)
    for level in LEVELS:
        yield "expected_shortfall", level, estimators.expected_shortfall(sample, level)


def estimate_columns(estimate: Estimate, scale: float) -> dict[str, float | bool]:
    """Columns of an estimate in currency; `scale` makes it percent of the opening balance."""
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


def path_weight(dataset: xr.Dataset) -> xr.DataArray:
    """Weight of each path relative to the largest: float64[path]."""
    log_weight = dataset["log_weight"].values
    return xr.DataArray(np.exp(log_weight - log_weight.max()), dims="path", name="weight")


def has_weights(dataset: xr.Dataset) -> bool:
    """Whether some paths weigh more than others: a share of paths is then a share of their weights."""
    return bool(np.ptp(dataset["log_weight"].values) > 0.0)


def path_mean(values: xr.DataArray, dataset: xr.Dataset) -> NDArray[np.float64]:
    """Mean over paths with their weights, without the labels: float64[...], the other dimensions in their order."""
    weight = path_weight(dataset).values
    axis = values.get_axis_num("path")
    return np.asarray(np.average(values.values, axis=axis, weights=weight), dtype=np.float64)


# --- curves and fans -------------------------------------------------------------------------------


def exceedance_curve(dataset: xr.Dataset, run: Mapping[str, str], loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """P(loss > x) at every distinct simulated loss x of one run, over the run's whole horizon (not a year).

    Between two rows the probability is that of the upper row (the curve is a staircase, continuous from the right),
    so the value at risk of a level is the first loss at which it is 1 - level or less.

    Returns
    -------
    pandas.DataFrame
        loss (currency, ascending), percent_of_opening, probability (0 at the largest loss), return_period =
        1 / probability ("1 in N paths", infinite at the largest loss), unreliable (fewer than ten effective paths
        beyond it).
    """
    sample = sample_of(path_loss(dataset, loss).sel(run), dataset)
    last_of_equals = np.append(sample.value[1:] > sample.value[:-1], True)
    values = sample.value[last_of_equals]
    probability = np.maximum(1.0 - sample.cumulative[last_of_equals], 0.0)
    probability[-1] = 0.0
    beyond = estimators.effective_paths_above(sample)[last_of_equals]
    with np.errstate(divide="ignore"):
        periods = 1.0 / probability
    return pandas.DataFrame(
        {
            "loss": values,
            "percent_of_opening": values * 100.0 / float(dataset.attrs["opening_balance"]),
            "probability": probability,
            "return_period": periods,
            "unreliable": [estimators.too_few(number) for number in beyond],
        }
    )


def return_periods(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Loss exceeded once in N paths, with its interval, for N up to 1,000: scenario, ..., return_period, value, ..."""
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows = []
    for run in runs(dataset):
        sample = sample_of(losses.sel(run), dataset)
        for period in RETURN_PERIODS:
            estimate = estimators.value_at_risk(sample, 1.0 - 1.0 / period)
            rows.append({**run, "loss": loss, "return_period": period, **estimate_columns(estimate, scale)})
    return pandas.DataFrame(rows)


def has_costs(dataset: xr.Dataset) -> bool:
    """Whether a strategy costs anything, so that the loss alone is not what it comes to."""
    return any(bool((dataset[name] != 0.0).any()) for name in COSTS if name in dataset)


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
    found = np.empty((*values.shape[:-1], levels.size))
    for place in np.ndindex(values.shape[:-1]):  # row by row: as much again for all of them would fill the memory
        order = np.argsort(values[place], kind="stable")
        cumulative = np.cumsum(weight[order])
        reach = cumulative / cumulative[-1]
        ranks = np.searchsorted(reach, levels - estimators.ROUNDING, side="left")
        found[place] = values[place][order[np.minimum(ranks, order.size - 1)]]
    return found
