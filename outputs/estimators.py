"""Statistics of a weighted sample of losses, each with its Monte Carlo standard error.

One idea carries all of them: to first order an estimate differs from the truth by the weighted mean of an
*influence* u over the paths, so its standard error is that of a mean. Paths of one batch may depend on each
other; their influences are summed first, and the errors come from the batch sums (which for the mean is
exactly the method of batch means). Where every path is its own batch this is the textbook formula; where a study draws
its parameters, a batch is the paths of one draw, and where it takes factors from Sobol points, those of one scramble.
Where strata of the factors correct the weights, what the strata explain of the influence is no error: the rest of it
counts (methodology (T5)). The shortfall's influence is so skewed that a symmetric interval of 95 % covers less; its
interval is Hall's (methodology (T8)).

Sources: the mean and the standard deviation by the central limit theorem (the latter from the fourth moment);
the quantile by order statistics (Woodruff, JASA 47, 1952; Serfling, Approximation Theorems, 1980, 2.6), the
expected shortfall by its influence function (Manistre and Hancock, NAAJ 9(2), 2005), its interval by the cubic
transformation of Hall (JRSS B 54(1), 1992, 221-228); batches that hold several paths by Student's quantile; strata
as in Deville and Sarndal, JASA 87 (1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from scenarios.errors import IntegrityError

CONFIDENCE: Final = 0.95
"""Coverage of every interval that is reported."""

Z: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""Half width of that interval in standard errors."""

MINIMUM_BEYOND: Final = 10.0
"""A quantile with fewer (effective) paths beyond it is unreliable: the rule of the README's first line."""

ROUNDING: Final = 1e-9
"""Slack of cumulated weights: 0.99 x 10,000 paths must be rank 9,900 and not, by a last bit, 9,901."""

LEAST_SKEWNESS: Final = 1e-6
"""Below it the transformation is the identity to more digits than a division by it would leave."""

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
    cluster : int64[path]
        Number of what each path shares its fate with: `batch`, but for batches of points that repel each other.
    stratum : int64[path] or None
        Stratum of the factors, whose probability the weights reproduce; None without strata.
    shared : bool
        Whether batches hold several paths.
    """

    value: NDArray[np.float64]
    weight: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    batch: NDArray[np.int64]
    n_batches: int
    cluster: NDArray[np.int64]
    stratum: NDArray[np.int64] | None
    shared: bool

    @property
    def z(self) -> float:
        """Half width of a symmetric 95 % interval in standard errors: Student's where few batches tell the error."""
        if not self.shared or self.n_batches < 2:
            return Z
        return float(stdtrit(self.n_batches - 1, 0.5 + CONFIDENCE / 2))


@dataclass(frozen=True, slots=True)
class Ties:
    """How the paths of a sample hang together.

    Attributes
    ----------
    batch : int64[path] or None
        Batch of each path, from whose sums errors come; independent paths where absent.
    shared : bool
        Whether batches hold several paths, so that there are few of them: intervals are then Student's.
    cluster : int64[path] or None
        What paths are counted as one by, where their effective number is asked for; `batch` where absent.
    stratum : int64[path] or None
        Stratum of each path, where the weights reproduce the strata's probabilities.
    """

    batch: NDArray[np.int64] | None = None
    shared: bool = False
    cluster: NDArray[np.int64] | None = None
    stratum: NDArray[np.int64] | None = None


def draw_up_sample(
    values: NDArray[np.float64],
    log_weight: NDArray[np.float64] | None = None,
    batch: NDArray[np.int64] | None = None,
    ties: Ties | None = None,
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
    ties : Ties, optional
        More of how paths hang together, `batch` included.
    """
    count = len(values)
    if count == 0:
        raise ValueError("a sample of 0 paths has no measures; expected 1 path or more")
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        raise IntegrityError(f"{bad} of {count} values by path are not finite numbers; expected none")
    tied = Ties(batch) if ties is None else ties
    order = np.argsort(values, kind="stable")
    weight = np.ones(count) if log_weight is None else np.exp(log_weight - np.max(log_weight))[order]
    weight = weight / weight.sum()
    cumulative = np.cumsum(weight)
    labels = np.arange(count) if tied.batch is None else tied.batch
    distinct, codes = np.unique(labels, return_inverse=True)
    return Sample(
        value=np.asarray(values, float)[order],
        weight=weight,
        cumulative=cumulative / cumulative[-1],
        batch=codes[order],
        n_batches=len(distinct),
        cluster=(codes if tied.cluster is None else np.unique(tied.cluster, return_inverse=True)[1])[order],
        stratum=None if tied.stratum is None else tied.stratum[order],
        shared=tied.shared,
    )


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
    sums = batch_sums(sample, influence)
    if sums is None:
        return NOT_ESTIMABLE
    return math.sqrt(freedom_factor(sample) * float(sums @ sums))


def batch_sums(sample: Sample, influence: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """What each batch adds to the error of an estimate, float64[batch]; None where one batch tells nothing."""
    if sample.n_batches < 2:
        return None
    weighted = sample.weight * beyond_strata(sample, influence)
    return np.asarray(np.bincount(sample.batch, weights=weighted, minlength=sample.n_batches), dtype=np.float64)


def beyond_strata(sample: Sample, influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """What strata do not explain of an influence: less its weighted mean in the path's stratum; itself without any."""
    if sample.stratum is None:
        return influence
    held = np.bincount(sample.stratum, weights=sample.weight)
    mean = np.bincount(sample.stratum, weights=sample.weight * influence) / np.where(held > 0.0, held, 1.0)
    return np.asarray(influence - mean[sample.stratum])


def freedom_factor(sample: Sample) -> float:
    """Batches over their degrees of freedom: n / (n - 1), or n / (n - strata) where batches hold a path each."""
    taken = 1 if sample.stratum is None or sample.shared else int(np.unique(sample.stratum).size)
    left = sample.n_batches - taken
    return sample.n_batches / left if left > 0 else NOT_ESTIMABLE


def _symmetric(value: float, error: float, z: float) -> Estimate:
    return Estimate(value, error, value - z * error, value + z * error)


def unskewed(value: float, sample: Sample, influence: NDArray[np.float64]) -> Estimate:
    """An estimate with an interval that minds how skewed its error is (methodology (T8)).

    T = (estimate - truth) / error is not quite normal, but Hall's T + c T^2 / 3 + c^2 T^3 / 27 + c / 6 nearly is, with
    c the skewness of the mean of the influence, c = sum s^3 / (sum s^2)^(3/2) over the batches' sums s. Solved for the
    truth this gives an interval that reaches farther on the side where a sample tells less. A few batches of many
    paths tell no skewness: their interval is Student's.
    """
    error = standard_error(sample, influence)
    sums = batch_sums(sample, influence)
    if sums is None or sample.shared or not error > 0.0:
        return _symmetric(value, error, sample.z)
    skewness = float(np.sum(sums**3)) / float(sums @ sums) ** 1.5
    return Estimate(value, error, value - error * _hall(Z, skewness), value - error * _hall(-Z, skewness))


def _hall(y: float, skewness: float) -> float:
    """T at which Hall's cubic transformation is y."""
    if abs(skewness) < LEAST_SKEWNESS:
        return y
    return 3.0 / skewness * (math.cbrt(1.0 + skewness * (y - skewness / 6.0)) - 1.0)


def mean(sample: Sample) -> Estimate:
    """Weighted mean, the expected loss."""
    value = _center(sample)
    return _symmetric(value, standard_error(sample, sample.value - value), sample.z)


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
        return _symmetric(0.0, 0.0, Z)
    value = math.sqrt(variance / lost_freedom)
    influence = (deviation**2 - variance) / (2.0 * math.sqrt(variance))
    return _symmetric(value, standard_error(sample, influence), sample.z)


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
    With n independent paths the ranks are n level -/+ 1.96 sqrt(n level (1 - level)), rounded to the nearest, halves
    outwards: rounded outwards always, small samples cover 96 to 98 %.
    """
    value = quantile(sample, level)
    unreliable = too_few(effective_paths_beyond(sample, level))
    if _nothing_beyond(sample, level):
        return Estimate(value, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, unreliable)
    beyond = (np.arange(len(sample.value)) > rank(sample, level)).astype(float)
    spread = sample.z * standard_error(sample, beyond - (1.0 - level))
    low_level, high_level = level - spread, level + spread
    if not (low_level > 0.0 and high_level <= 1.0 + ROUNDING):
        return Estimate(value, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, unreliable)
    low, high = (float(sample.value[place]) for place in _nearest_ranks(sample, low_level, high_level))
    ends = np.interp([low_level, high_level], sample.cumulative, sample.value)
    return Estimate(value, float(ends[1] - ends[0]) / (2.0 * sample.z), low, high, unreliable)


def _nearest_ranks(sample: Sample, low_level: float, high_level: float) -> tuple[int, int]:
    """Positions (0-based) whose cumulated weights are nearest to two levels; of two as near, the outer one."""
    reach = sample.cumulative
    low = max(int(np.searchsorted(reach, low_level + ROUNDING, side="right")) - 1, 0)
    high = rank(sample, high_level)
    inner_low, inner_high = min(low + 1, len(reach) - 1), max(high - 1, 0)
    if reach[inner_low] - low_level + ROUNDING < low_level - reach[low]:
        low = inner_low
    if high_level - reach[inner_high] + ROUNDING < reach[high] - high_level:
        high = inner_high
    return low, high


def expected_shortfall(sample: Sample, level: float) -> Estimate:
    """Mean of the worst 1 - level of outcomes; an atom at the quantile counts with the part that lies beyond."""
    threshold = quantile(sample, level)
    excess = np.maximum(sample.value - threshold, 0.0) / (1.0 - level)
    value = threshold + float(sample.weight @ excess)
    unreliable = too_few(effective_paths_beyond(sample, level))
    if _nothing_beyond(sample, level):
        return Estimate(value, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, unreliable)
    return replace(unskewed(value, sample, threshold + excess - value), unreliable=unreliable)


def _nothing_beyond(sample: Sample, level: float) -> bool:
    """Whether the quantile is the largest path: then the sample says nothing of the tail, nor of its own error."""
    return rank(sample, level) == len(sample.value) - 1


def too_few(effective_paths: float) -> bool:
    """Whether a tail of so many effective paths is too thin to be relied on; exactly ten are enough."""
    return effective_paths < MINIMUM_BEYOND - ROUNDING * MINIMUM_BEYOND


def effective_paths_beyond(sample: Sample, level: float) -> float:
    """How many equally weighted independent paths the tail beyond the quantile is worth (Kish 1965).

    Plainly the number of paths beyond it where paths are independent and equally weighted; fewer where a few
    weights, or a few draws of the parameters, carry the tail.
    """
    first = rank(sample, level) + 1
    return kish(sample.weight[first:], sample.cluster[first:])


def kish(weight: NDArray[np.float64], cluster: NDArray[np.int64]) -> float:
    """(sum of weights)^2 / sum of their squares, those of a cluster added first; 0 without any path."""
    totals = np.bincount(cluster, weights=weight, minlength=1)
    squares = float(totals @ totals)
    return float(totals.sum()) ** 2 / squares if squares > 0.0 else 0.0


def effective_paths_above(sample: Sample) -> NDArray[np.float64]:
    """The same of the paths after each one, in the order of their losses: float64[path]; 0 after the last.

    Where several paths form a cluster, the share of the whole sample's effective number.
    """
    if np.unique(sample.cluster).size < len(sample.value):
        above = np.maximum(1.0 - sample.cumulative, 0.0)
        return np.asarray(above * kish(sample.weight, sample.cluster))
    weight = sample.weight[::-1]
    sums, squares = (np.concatenate(([0.0], np.cumsum(part)[:-1]))[::-1] for part in (weight, weight**2))
    return np.asarray(np.divide(sums**2, squares, out=np.zeros_like(sums), where=squares > 0.0))
