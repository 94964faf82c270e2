"""How probable it is that a strategy is the best one, given that a run has so many paths and no more.

A share of paths on which a strategy does best would be another thing: the question is whose mean, or whose shortfall,
is the least, and how sure the run is of that. The bootstrap answers it: all batches of paths are drawn again with
replacement, the same for all strategies, and the measures are taken anew (Efron, Annals of Statistics 7, 1979, 1-26; a
Bayesian's answer is nearly the same, Rubin, Annals of Statistics 9, 1981, 130-134).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray

from outputs.bootstrap import Paths, drawn_again, how_many, paths_of, stream
from outputs.measures import Loss
from outputs.strategies import strategy_loss
from outputs.weighted import ALL_SCENARIOS, scenario_labels

REPLICATES: Final = 2_000
"""Samples that are drawn again: a probability near a half is then known to 1.1 % (one standard error)."""

LEVEL: Final = 0.99
"""Of the shortfall."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Best:
    """Probabilities of being the best, float64[strategy], each of sum 1."""

    by_mean: Floats
    by_shortfall: Floats
    replicates: int


def bootstrap_best(paths: Paths, seed: int, *, replicates: int = REPLICATES, level: float = LEVEL) -> Best:
    """Probability that a strategy has the least mean, and that it has the least shortfall; equal ones share it.

    Parameters
    ----------
    paths : Paths
    seed : int
        The run's.
    """
    random, count = stream(seed), how_many(replicates, paths)
    order = np.argsort(paths.loss, axis=1, kind="stable")
    ranked = np.take_along_axis(paths.loss, order, axis=1)
    wins = np.zeros((2, len(paths.loss)))
    for _ in range(count):
        weight = drawn_again(paths, random)
        wins[0] += _least(paths.loss @ weight)
        tails = [_shortfall(values, weight[places], level) for values, places in zip(ranked, order, strict=True)]
        wins[1] += _least(np.array(tails))
    return Best(wins[0] / count, wins[1] / count, count)


def _shortfall(ranked: Floats, weight: Floats, level: float) -> float:
    """Expected shortfall of ascending losses with weights, as in `estimators.expected_shortfall`."""
    beyond = np.maximum(np.cumsum(weight) - level, 0.0)  # the part of the tail up to and with each path
    share = np.diff(beyond, prepend=0.0)
    return float(share @ ranked) / float(share.sum())


def _least(values: Floats) -> Floats:
    """1 for the least of the values, shared by equals."""
    best = values == values.min()
    return np.asarray(best / best.sum(), dtype=np.float64)


def best_strategies(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Probability of being the best strategy by expected loss and by ES 99 %, costs included.

    Returns
    -------
    pandas.DataFrame
        scenario, programme, strategy, best_by_mean, best_by_shortfall (probabilities), replicates.
    """
    return pandas.DataFrame(list(_rows(dataset, loss)))


def _rows(dataset: xr.Dataset, loss: Loss) -> Iterator[dict[str, Any]]:
    losses = strategy_loss(dataset, loss)
    for scenario in scenario_labels(dataset):
        for programme in map(str, dataset["programme"].values):
            at = {"scenario": scenario, "programme": programme}
            chosen = losses.sel(programme=programme).transpose("strategy", "scenario", "path")
            chosen = chosen if scenario == ALL_SCENARIOS else chosen.sel(scenario=scenario)
            found = bootstrap_best(paths_of(list(chosen), dataset), int(dataset.attrs["seed"]))
            for place, name in enumerate(map(str, dataset["strategy"].values)):
                yield {
                    **at,
                    "strategy": name,
                    "best_by_mean": float(found.by_mean[place]),
                    "best_by_shortfall": float(found.by_shortfall[place]),
                    "replicates": found.replicates,
                }
