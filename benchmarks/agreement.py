"""Whether an implementation's losses are those of its law, and how well they are known.

Given factor and index, a path's mean and variance are exact (`exact`), and the loss is a sum over tens of thousands of
independent loans: (loss - mean) / sd is standard normal on every path, and paths are independent.  So two statistics
judge an implementation without any estimated error: the sum of the deviations, which is normal, for the mean loss; and
the sum of their squares, which is chi-squared, for the spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from benchmarks.exact import Expected

Floats = NDArray[np.float64]

FALSE_ALARM = 1e-4
"""Chance that a benchmark of right implementations fails, shared among all of its comparisons."""

INTERVAL = 0.95

COMPARISONS = 2
"""Of an implementation: mean and spread."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Losses of one implementation beside what they should be.

    Attributes
    ----------
    mean, sd : (float, float, float)
        Of the loss by path as a share of the opening balance: estimate, low, high of the 95 % interval.  Paths'
        factors are within these: the same for every implementation.
    off_by : (float, float, float)
        Mean loss over its exact expectation on these very paths, less 1: estimate and 95 % interval.
    spread : (float, float, float)
        Standard deviation around the expectation over the exact one: estimate and 95 % interval.
    p_mean, p_spread : float
        Two-sided p-values of the two.
    """

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    off_by: tuple[float, float, float]
    spread: tuple[float, float, float]
    p_mean: float
    p_spread: float

    def holds(self, implementations: int) -> bool:
        """Whether both are likely enough, where so many implementations are judged together."""
        return min(self.p_mean, self.p_spread) >= FALSE_ALARM / (COMPARISONS * implementations)


def judge(losses: Floats, expected: Expected, opening: float) -> Agreement:
    """Compare losses with their law.

    Parameters
    ----------
    losses : float64[path]
        Currency.
    expected : Expected
        On the same paths.
    opening : float
        Opening balance of the book, currency.
    """
    paths, wide = losses.size, float(norm.isf((1.0 - INTERVAL) / 2.0))
    deviation = (losses - expected.mean) / np.sqrt(expected.variance)
    error = math.sqrt(expected.variance.sum()) / expected.mean.sum()
    off = float(losses.sum() / expected.mean.sum()) - 1.0
    squares = float((deviation**2).sum())
    low, high = (math.sqrt(squares / float(chi2.isf(tail, paths))) for tail in (0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2))
    above = float(chi2.sf(squares, paths))
    return Agreement(
        mean=_mean_interval(losses / opening, wide),
        sd=_sd_interval(losses / opening, wide),
        off_by=(off, off - wide * error, off + wide * error),
        spread=(math.sqrt(squares / paths), low, high),
        p_mean=float(2.0 * norm.sf(abs(off) / error)),
        p_spread=min(2.0 * min(above, 1.0 - above), 1.0),
    )


def _mean_interval(share: Floats, wide: float) -> tuple[float, float, float]:
    mean, error = float(share.mean()), float(share.std(ddof=1)) / math.sqrt(share.size)
    return mean, mean - wide * error, mean + wide * error


def _sd_interval(share: Floats, wide: float) -> tuple[float, float, float]:
    """Interval of the standard deviation, in logarithms, by the fourth moment: no normal law is assumed."""
    sd = float(share.std(ddof=1))
    kurtosis = float(((share - share.mean()) ** 4).mean()) / sd**4
    error = math.sqrt(max(kurtosis - 1.0, 0.0) / share.size) / 2.0
    return sd, sd * math.exp(-wide * error), sd * math.exp(wide * error)
