"""Loss over all scenarios of a study, each with its probability (methodology (16))."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs import estimators
from outputs.estimators import Estimate, Sample
from outputs.measures import Loss, loss_rows, path_loss, summary, ties

WEIGHT: Final = "scenario_weight"
ALL_SCENARIOS: Final = "(weighted)"
"""Label of the mixture where a scenario's name would stand; no scenario may be called so."""


def weighted_summary(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Measures of the mixture of scenarios: as `measures.summary`, `ALL_SCENARIOS` in the place of the scenario.

    The mixture says: one of the scenarios comes, with the probabilities that the study states. A path of it is a path
    of one scenario with the weight of both. A path has the same draws in every scenario, so errors come from the sums
    over scenarios by path.

    Returns
    -------
    pandas.DataFrame
        No row where the scenarios carry no weights.
    """
    if not has_scenario_weights(dataset):
        return summary(dataset, loss).iloc[:0]
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for strategy in dataset["strategy"].values:
        for programme in dataset["programme"].values:
            run = {"scenario": ALL_SCENARIOS, "strategy": str(strategy), "programme": str(programme)}
            values = losses.sel(strategy=strategy, programme=programme)
            rows += loss_rows({**run, "loss": loss}, mixture(values, dataset), scale)
    return pandas.DataFrame(rows)


def mixture(losses: xr.DataArray, dataset: xr.Dataset) -> Sample:
    """Paths of all scenarios, float64[scenario, path], as one weighted sample; a batch holds its paths everywhere."""
    values = losses.transpose("scenario", "path").values
    log_weight = np.log(dataset[WEIGHT].values)[:, None] + dataset["log_weight"].values[None, :]
    path, tied = np.broadcast_to(np.arange(values.shape[1]), values.shape).ravel(), ties(dataset)
    everywhere = replace(
        tied,
        batch=dataset["batch"].values[path],
        cluster=None if tied.cluster is None else tied.cluster[path],
        stratum=None if tied.stratum is None else tied.stratum[path],
    )
    return estimators.draw_up_sample(values.ravel(), log_weight.ravel(), ties=everywhere)


def has_scenario_weights(dataset: xr.Dataset) -> bool:
    """Whether the scenarios carry weights, which sum to 1."""
    return WEIGHT in dataset.coords


def scenario_labels(dataset: xr.Dataset) -> tuple[str, ...]:
    """Scenarios of a result, and `ALL_SCENARIOS` after them where they carry weights."""
    return (*map(str, dataset["scenario"].values), *((ALL_SCENARIOS,) if has_scenario_weights(dataset) else ()))


def by_path(values: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    """What each path comes to over all scenarios, with their weights (methodology (16)), without the dim `scenario`.

    A path has the same draws in every scenario, so the mean of the mixture has the error of the mean of this.
    """
    return (values * dataset[WEIGHT]).sum("scenario", skipna=False)


def with_mixture(values: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    """Values with `by_path` as one more scenario, `ALL_SCENARIOS`; as they are where scenarios carry no weights."""
    if not has_scenario_weights(dataset):
        return values
    mixed = by_path(values, dataset).expand_dims(scenario=[ALL_SCENARIOS]).transpose(*values.dims)
    return xr.concat([values.drop_vars(WEIGHT, errors="ignore"), mixed], "scenario")


def mixture_shortfall(
    losses: xr.DataArray, dataset: xr.Dataset, level: float
) -> tuple[Estimate, NDArray[np.float64] | None]:
    """Expected shortfall of the mixture, and the first-order effect of each path on it; None where none tells it.

    The effect of a path is q + max(L - q, 0) / (1 - level) less the estimate, summed over scenarios with their weights
    (Manistre and Hancock), q the quantile of the mixture.

    Parameters
    ----------
    losses : float64[scenario, path]
    """
    sample = mixture(losses, dataset)
    found, threshold = estimators.expected_shortfall(sample, level), estimators.quantile(sample, level)
    if not np.isfinite(found.standard_error):
        return found, None
    beyond = threshold + (losses - threshold).clip(min=0.0) / (1.0 - level)
    return found, by_path(beyond, dataset).values - found.value


def mixture_quantile(losses: xr.DataArray, dataset: xr.Dataset, level: float) -> tuple[Estimate, NDArray[np.float64]]:
    """Value at risk of the mixture, and what each path adds to the probability beyond it, weighted mean 0.

    Parameters
    ----------
    losses : float64[scenario, path]
    """
    found = estimators.value_at_risk(mixture(losses, dataset), level)
    return found, by_path((losses > found.value) - (1.0 - level), dataset).values
