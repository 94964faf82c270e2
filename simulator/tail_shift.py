"""How far to shift: the length that leaves the shortfall the smallest variance (methodology (T7)).

What a pilot says of the tail is little: a loss's normal score s is alpha + beta z + tau e, with z the leading factor
and e normal. For this model the variance that an estimate of the shortfall of s has under each shift is an integral
over z, and the shift that makes it smallest is found on a grid. A shift to the tail's own mean, as the cross-entropy
method takes it, is longer and, where factors explain little of a loss, far worse: bad paths without bad factors then
are rare and carry large weights.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from simulator.tail_proposal import log_ratio

Floats = NDArray[np.float64]

SHIFTS: Final = np.arange(0.0, 5.0 + 1e-9, 0.05)
"""Lengths that are compared, standard deviations."""

GRID: Final = np.linspace(-8.0, 11.0, 1901)
"""Values of z of the integral: it ends where neither density is 1e-9 of its height."""


class Dependence(NamedTuple):
    """A loss's normal score given the leading factor: s = alpha + beta z + tau e."""

    alpha: float
    beta: float
    tau: float


def dependence_of(score: Floats, z: Floats) -> Dependence:
    """Least squares of scores on the leading factor."""
    centre, middle = float(z.mean()), float(score.mean())
    spread = float(((z - centre) ** 2).mean())
    beta = float(((z - centre) * (score - middle)).mean()) / spread if spread > 0.0 else 0.0
    rest = score - middle - beta * (z - centre)
    return Dependence(middle - beta * centre, beta, float(np.sqrt((rest**2).sum() / max(score.size - 2, 1))))


def best_shift(dependence: Dependence, level: float, unshifted: float) -> float:
    """Length of the shift under which the shortfall of the score has the smallest variance (T7)."""
    second = squared_influence(dependence, level)
    density = np.exp(-0.5 * GRID**2)
    variance = [float((density * np.exp(log_ratio(GRID, m, unshifted)) * second).sum()) for m in SHIFTS]
    return float(SHIFTS[int(np.argmin(variance))])


def squared_influence(dependence: Dependence, level: float) -> Floats:
    """Mean square of the shortfall's influence given z, on `GRID`, but for a factor: E[((s - q)+ - c)^2 | z].

    q is the score's quantile, c the mean of (s - q)+.
    """
    tau = max(dependence.tau, 1e-3)
    above = dependence.alpha + dependence.beta * GRID - float(ndtri(level))
    ratio = above / tau
    beyond, density = ndtr(ratio), np.exp(-0.5 * ratio**2) / np.sqrt(2.0 * np.pi)
    first = above * beyond + tau * density
    second = (above**2 + tau**2) * beyond + above * tau * density
    weight = np.exp(-0.5 * GRID**2)
    mean = float((weight * first).sum() / weight.sum())
    return np.asarray(second - 2.0 * mean * first + mean**2)
