"""The tail of a loss path by path: which paths make the expected shortfall, and what each does to its estimate.

`outputs.estimators` sorts a sample and forgets which path was which. To compare two runs on their common draws, or to
split a shortfall among parts of a book, both have to be asked path by path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import path_weight, sample_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail of one run's loss beyond a quantile; arrays are in the order of the paths.

    Attributes
    ----------
    loss : float64[path]
    threshold : float
        Value at risk, the quantile where the tail begins.
    level : float
        Its probability, fraction.
    shortfall : Estimate
        Expected shortfall.
    weight : float64[path]
        Weight of each path in the shortfall: 0 outside the tail, sum 1. Paths at the quantile itself share what is
        left of the tail's probability, so that the weighted mean loss is the expected shortfall.
    near : float64[path]
        Weight, relative to the largest, of paths beside the quantile in rank, 0 elsewhere: from these paths is read
        what a part loses where the whole loses the quantile.
    """

    loss: Floats
    threshold: float
    level: float
    shortfall: Estimate
    weight: Floats
    near: Floats

    @property
    def known(self) -> bool:
        """Whether the sample tells the error of the shortfall: some path lies beyond the quantile."""
        return math.isfinite(self.shortfall.standard_error)

    def influence(self) -> Floats:
        """First-order effect of each path on the shortfall: float64[path], weighted mean 0 (Manistre and Hancock)."""
        return self.part_influence(self.loss)

    def part(self, losses: Floats) -> float:
        """Mean loss of a part of the book over the tail's paths: its Euler contribution to the shortfall.

        The contributions of parts that make up the book sum to its expected shortfall (Tasche 2000).
        """
        return float(self.weight @ losses)

    def part_influence(self, losses: Floats) -> Floats:
        """First-order effect of each path on `part`: float64[path].

        With m the mean loss of the part where the book loses its quantile q, the effect of a path with loss L is
        m + (part - m) 1{L > q} / (1 - level) less the estimate: as for the shortfall, where m is q.
        """
        beside = self.near > 0.0
        share = self.near[beside]
        whole = float((share * self.loss[beside]).sum())
        at_quantile = self.threshold * float((share * losses[beside]).sum()) / whole if whole != 0.0 else 0.0
        excess = np.where(self.loss > self.threshold, losses - at_quantile, 0.0) / (1.0 - self.level)
        return at_quantile + excess - self.part(losses)


def tail_of(values: xr.DataArray, dataset: xr.Dataset, level: float) -> Tail:
    """Tail of one run.

    Parameters
    ----------
    values : float64[path]
        Loss of each path.
    dataset : xr.Dataset
        The result, for weights and batches of its paths.
    level : float
        Probability of the quantile, fraction.
    """
    sample = sample_of(values, dataset)
    loss = np.asarray(values.values, float)
    relative = path_weight(dataset).values
    weight = relative / relative.sum()
    threshold = estimators.quantile(sample, level)
    beyond, tied = weight * (loss > threshold), weight * (loss == threshold)
    left = max(1.0 - level - float(beyond.sum()), 0.0)
    tail = beyond + tied * left / float(tied.sum())
    reach = max(1, math.isqrt(len(loss)) // 2)
    ranks = np.argsort(np.argsort(loss, kind="stable"), kind="stable")
    near = np.where(np.abs(ranks - estimators.rank(sample, level)) <= reach, relative, 0.0)
    return Tail(loss, threshold, level, estimators.expected_shortfall(sample, level), tail / tail.sum(), near)


def estimate(value: float, influence: Floats, dataset: xr.Dataset, *, unreliable: bool = False) -> Estimate:
    """An estimate with the error of its influence by path, batches and weights minded."""
    paths = xr.DataArray(influence, dims="path")
    sample = sample_of(paths, dataset)
    error = estimators.mean(sample).standard_error
    return Estimate(value, error, value - sample.z * error, value + sample.z * error, unreliable)
