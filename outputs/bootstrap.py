"""Paths drawn again with replacement: what an estimate does in samples like the one at hand.

All batches of paths are drawn again, the same for all strategies (Efron, Annals of Statistics 7, 1979, 1-26).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from outputs.measures import path_weight, ties
from outputs.weighted import WEIGHT

FEWEST: Final = 200
MOST_WORK: Final = 200_000_000
"""Replicates x paths x strategies from which on fewer are drawn, but never fewer than `FEWEST`."""

STREAM: Final = 0x636F6D70617265
"""Second word of the key of Philox4x64-10, "compare" in ASCII; the first is the run's seed. No draw of a path has it:
those have Philox4x32-10."""

QUANTILE_REPLICATES: Final = 200
"""Samples for the error of a difference of quantiles: it is then known to 5 %."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Paths:
    """Losses of strategies on the same paths, and how the paths hang together.

    Attributes
    ----------
    loss : float64[strategy, path]
    weight : float64[path]
        Sum 1.
    batch : int64[path]
        0 .. n - 1.
    stratum : int64[path] or None
        Strata whose share of the weight is known, and so is kept.
    """

    loss: Floats
    weight: Floats
    batch: Ints
    stratum: Ints | None = None


def stream(seed: int) -> np.random.Generator:
    """The generator of a run's samples."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64)))


def how_many(replicates: int, paths: Paths) -> int:
    """Samples that are drawn of so many paths: all that are wished, or fewer where that is much work."""
    return max(min(replicates, MOST_WORK // paths.loss.size), min(replicates, FEWEST))


def drawn_again(paths: Paths, random: np.random.Generator) -> Floats:
    """Weights of paths after a draw of as many batches with replacement: float64[path], sum 1."""
    batches = int(paths.batch.max()) + 1
    times = np.bincount(random.integers(0, batches, batches), minlength=batches)
    weight = paths.weight * times[paths.batch]
    if paths.stratum is not None:
        known = np.bincount(paths.stratum, weights=paths.weight)
        held = np.bincount(paths.stratum, weights=weight, minlength=known.size)
        weight = weight * np.divide(known, held, out=np.zeros_like(held), where=held > 0.0)[paths.stratum]
    return np.asarray(weight / weight.sum(), dtype=np.float64)


def quantile_spread(paths: Paths, seed: int, levels: Sequence[float]) -> Floats:
    """Standard deviation over samples of the difference of two quantiles: float64[level].

    Where two strategies differ little they exceed their quantiles on the same paths, so that to first order nothing is
    uncertain; what their losses differ by at the quantile is, and samples show it.

    Parameters
    ----------
    paths : Paths
        Of two strategies.
    """
    random, count = stream(seed), how_many(QUANTILE_REPLICATES, paths)
    order = np.argsort(paths.loss, axis=1, kind="stable")
    ranked = np.take_along_axis(paths.loss, order, axis=1)
    found = np.empty((count, len(levels)))
    for item in range(count):
        weight = drawn_again(paths, random)
        one, other = (_quantiles(values, weight[places], levels) for values, places in zip(ranked, order, strict=True))
        found[item] = one - other
    return np.asarray(found.std(axis=0, ddof=1))


def _quantiles(ranked: Floats, weight: Floats, levels: Sequence[float]) -> Floats:
    """Least of ascending losses up to and with which the weight reaches each level."""
    reached = np.searchsorted(np.cumsum(weight), np.asarray(levels) - 1e-12)
    return ranked[np.minimum(reached, ranked.size - 1)]


def paths_of(losses: Sequence[xr.DataArray], dataset: xr.Dataset) -> Paths:
    """Paths of strategies in a scenario, or over all: a path then stands once for each, with the weight of both.

    Parameters
    ----------
    losses : sequence of float64[path] or float64[scenario, path]
        One a strategy; a batch holds its paths of all scenarios.
    """
    mixed = "scenario" in losses[0].dims
    shares = dataset[WEIGHT].values if mixed else np.ones(1)
    values = np.stack([each.values.ravel() for each in losses])
    weight, stratum = path_weight(dataset).values, ties(dataset).stratum
    batch = np.unique(dataset["batch"].values, return_inverse=True)[1]
    return Paths(
        np.asarray(values, dtype=np.float64),
        np.outer(shares, weight / weight.sum()).ravel(),
        np.tile(batch, shares.size),
        None if stratum is None else np.tile(stratum, shares.size),
    )
