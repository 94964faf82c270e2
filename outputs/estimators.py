"""Statistics of a weighted sample of losses, each with its Monte Carlo standard error.

One idea carries all of them: to first order an estimate differs from the truth by the weighted mean of an
*influence* u over the paths, so its standard error is that of a mean. Paths of one batch may depend on each
other; their influences are summed first, and the errors come from the batch sums (which for the mean is
exactly the method of batch means). Where every path is its own batch this is the textbook formula; where a study draws
its parameters, a batch is the paths of one draw.

Sources: the mean and the standard deviation by the central limit theorem (the latter from the fourth moment);
the quantile by order statistics (Woodruff, JASA 47, 1952; Serfling, Approximation Theorems, 1980, 2.6), the
expected shortfall by its influence function (Manistre and Hancock, NAAJ 9(2), 2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import IntegrityError

CONFIDENCE: Final = 0.95
"""Coverage of every interval that is reported."""

Z: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""Half width of that interval in standard errors."""

MINIMUM_BEYOND: Final = 10.0
"""A quantile with fewer (effective) paths beyond it is unreliable: the rule of the README's first line."""

ROUNDING: Final = 1e-9
"""Slack of cumulated weights: 0.99 x 10,000 paths must be rank 9,900 and not, by a last bit, 9,901."""

NOT_ESTIMABLE: Final = math.nan


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate and its Monte Carlo error, in the unit of the sample.

    Attributes
    ----------
    value : float
    standard_error : float
        NaN where the sample cannot tell (one batch only, or no path beyond the interval).
    low, high : float
        Ends of the 95 % interval; NaN where the sample does not reach that far.
    unreliable : bool
        True for a quantile or shortfall with fewer than `MINIMUM_BEYOND` effective paths beyond it.
    """

    value: float
    standard_error: float
    low: float
    high: float
    unreliable: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """Losses by path in ascending order, with weights that sum to 1.

    Attributes
    ----------
    value : float64[path]
        Ascending; ties keep the order of the paths.
    weight : float64[path]
        Self-normalised importance weights: fit for weights with a bound, as those of a defensive mixture are.
    cumulative : float64[path]
        Running sum of `weight`; the last is 1.
    batch : int64[path]
        Number 0 .. n_batches - 1 of the batch of each path.
    n_batches : int
    """

    value: NDArray[np.float64]
    weight: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    batch: NDArray[np.int64]
    n_batches: int


def draw_up_sample(
    values: NDArray[np.float64],
    log_weight: NDArray[np.float64] | None = None,
    batch: NDArray[np.int64] | None = None,
) -> Sample:
    """Sort losses by path into a `Sample`.

    Parameters
    ----------
    values : float64[path]
        Loss of each path, any unit.
    log_weight : float64[path], optional
        Logarithm of the importance weight, up to a constant; equal weights where absent.
    batch : int64[path], optional
        Batch of each path; independent paths where absent.
    """
    count = len(values)
    if count == 0:
        raise ValueError("a sample of 0 paths has no measures; expected 1 path or more")
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise IntegrityError(f"{bad} of {count} values by path are not finite numbers; expected none")
    order = np.argsort(values, kind="stable")
    weight = np.ones(count) if log_weight is None else np.exp(log_weight - np.max(log_weight))[order]
    weight = weight / weight.sum()
    cumulative = np.cumsum(weight)
    labels = np.arange(count) if batch is None else batch
    distinct, codes = np.unique(labels, return_inverse=True)
    return Sample(np.asarray(values, float)[order], weight, cumulative / cumulative[-1], codes[order], len(distinct))


def standard_error(sample: Sample, influence: NDArray[np.float64]) -> float:
    """Standard error of an estimate whose influence by path is given.

    Parameters
    ----------
    influence : float64[path]
        First-order effect of each (sorted) path on the estimate; its weighted mean is about 0.

    Returns
    -------
    float
        NaN for a single batch: one draw says nothing of its own spread.
    """
    if sample.n_batches < 2:
        return NOT_ESTIMABLE
    sums = np.bincount(sample.batch, weights=sample.weight * influence, minlength=sample.n_batches)
    return math.sqrt(sample.n_batches / (sample.n_batches - 1) * float(sums @ sums))


def _symmetric(value: float, error: float) -> Estimate:
    return Estimate(value, error, value - Z * error, value + Z * error)


def mean(sample: Sample) -> Estimate:
    """Weighted mean, the expected loss."""
    value = _center(sample)
    return _symmetric(value, standard_error(sample, sample.value - value))


def _center(sample: Sample) -> float:
    """Weighted mean, taken from the smallest value so that equal values have exactly their own mean."""
    smallest = float(sample.value[0])
    return smallest + float(sample.weight @ (sample.value - smallest))


def standard_deviation(sample: Sample) -> Estimate:
    """Standard deviation with its error from the fourth moment; divisor n - 1, or what that is under weights."""
    deviation = sample.value - _center(sample)
    variance = float(sample.weight @ deviation**2)
    lost_freedom = 1.0 - float(sample.weight @ sample.weight)
    if lost_freedom <= 0.0:
        return Estimate(NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE)
    if variance == 0.0:
        return _symmetric(0.0, 0.0)
    value = math.sqrt(variance / lost_freedom)
    return _symmetric(value, standard_error(sample, (deviation**2 - variance) / (2.0 * math.sqrt(variance))))


def rank(sample: Sample, level: float) -> int:
    """Position (0-based) of the quantile: the first path at which the cumulated weight reaches `level`."""
    return min(int(np.searchsorted(sample.cumulative, level - ROUNDING, side="left")), len(sample.value) - 1)


def quantile(sample: Sample, level: float) -> float:
    """Smallest loss x with P(L <= x) >= level: never between two paths, so that it is a loss that occurred."""
    return float(sample.value[rank(sample, level)])


def value_at_risk(sample: Sample, level: float) -> Estimate:
    """Quantile with the interval of its order statistics.

    The error of the empirical distribution function at the quantile, turned into ranks, gives the interval;
    its standard error is the interval's width between interpolated ranks over twice the normal quantile.
    With n independent paths the ranks are n level -/+ 1.96 sqrt(n level (1 - level)), rounded outwards.
    """
    value = quantile(sample, level)
    unreliable = too_few(effective_paths_beyond(sample, level))
    if _nothing_beyond(sample, level):
        return Estimate(value, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, unreliable)
    beyond = (np.arange(len(sample.value)) > rank(sample, level)).astype(float)
    spread = Z * standard_error(sample, beyond - (1.0 - level))
    low_level, high_level = level - spread, level + spread
    if not (low_level > 0.0 and high_level <= 1.0 + ROUNDING):
        return Estimate(value, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, unreliable)
    low_rank = int(np.searchsorted(sample.cumulative, low_level + ROUNDING, side="right")) - 1
    low, high = float(sample.value[max(low_rank, 0)]), quantile(sample, high_level)
    ends = np.interp([low_level, high_level], sample.cumulative, sample.value)
    return Estimate(value, float(ends[1] - ends[0]) / (2.0 * Z), low, high, unreliable)


def expected_shortfall(sample: Sample, level: float) -> Estimate:
    """Mean of the worst 1 - level of outcomes; an atom at the quantile counts with the part that lies beyond."""
    threshold = quantile(sample, level)
    excess = np.maximum(sample.value - threshold, 0.0) / (1.0 - level)
    value = threshold + float(sample.weight @ excess)
    known = not _nothing_beyond(sample, level)
    error = standard_error(sample, threshold + excess - value) if known else NOT_ESTIMABLE
    unreliable = too_few(effective_paths_beyond(sample, level))
    return Estimate(value, error, value - Z * error, value + Z * error, unreliable)


def _nothing_beyond(sample: Sample, level: float) -> bool:
    """Whether the quantile is the largest path: then the sample says nothing of the tail, nor of its own error."""
    return rank(sample, level) == len(sample.value) - 1


def too_few(effective_paths: float) -> bool:
    """Whether a tail of so many effective paths is too thin to be relied on; exactly ten are enough."""
    return effective_paths < MINIMUM_BEYOND - ROUNDING * MINIMUM_BEYOND


def effective_paths_beyond(sample: Sample, level: float) -> float:
    """How many equally weighted independent paths the tail beyond the quantile is worth (Kish 1965).

    Plainly the number of paths beyond it where paths are independent and equally weighted; fewer where a few
    weights, or a few batches, carry the tail.
    """
    first = rank(sample, level) + 1
    tail = np.bincount(sample.batch[first:], weights=sample.weight[first:], minlength=1)
    squares = float(tail @ tail)
    return float(tail.sum()) ** 2 / squares if squares > 0.0 else 0.0
