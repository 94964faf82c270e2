"""Loss over all scenarios of a study, each with its probability (methodology (16))."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Sample
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
    if WEIGHT not in dataset.coords:
        return summary(dataset, loss).iloc[:0]
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for strategy in dataset["strategy"].values:
        for programme in dataset["programme"].values:
            run = {"scenario": ALL_SCENARIOS, "strategy": str(strategy), "programme": str(programme)}
            values = losses.sel(strategy=strategy, programme=programme)
            rows += loss_rows({**run, "loss": loss}, _mixture(values, dataset), scale)
    return pandas.DataFrame(rows)


def _mixture(losses: xr.DataArray, dataset: xr.Dataset) -> Sample:
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
