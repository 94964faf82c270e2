"""One period, one cause, one homogeneous pool: with the `probit` response the engine is the Vasicek model (3b)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom, norm

from known_cases import POOLS, Pool, exact_distribution, gap_bound, largest_gap
from simulator.correlation import joint_normal_probability
from small_books import current_only, equal_loans, run, values

PATHS = 40_000
FALSE_ALARM = 1e-4
"""Chance that a test of this file fails on a fresh seed although all is well."""


@cache
def simulated(pool: Pool) -> np.ndarray:
    """Sorted number of charge-offs by path, from the engine."""
    intensity = -math.log1p(-pool.probability)
    parameters = current_only(intensity, response="probit", rho=np.array([pool.correlation]), shares=(1.0, 0.0, 0.0))
    results = run(equal_loans(pool.loans), parameters, paths=PATHS, months=1, seed=pool.loans)
    return np.sort(values(results, "charge_off_count")[:, 0])


@pytest.fixture(params=POOLS, ids=str)
def pool(request: pytest.FixtureRequest) -> Pool:
    return request.param


def test_the_second_opinion_has_the_printed_values(pool: Pool) -> None:
    distribution = exact_distribution(pool)
    assert distribution[0] == pytest.approx(pool.none, rel=1e-7)
    for level, (quantile, share, _) in pool.quantiles.items():
        assert int(np.argmax(distribution >= level)) == quantile
        assert distribution[quantile] == pytest.approx(share, abs=5e-9)


def test_the_whole_distribution(pool: Pool) -> None:
    """Largest gap between distribution functions; at most one in 10,000 seeds misses."""
    assert largest_gap(simulated(pool), exact_distribution(pool)) < gap_bound(FALSE_ALARM, PATHS)


def test_quantiles_within_their_order_statistics(pool: Pool) -> None:
    """The printed quantile lies between the order statistics that hold it; at most one in 10,000 seeds misses."""
    count = simulated(pool)
    share = FALSE_ALARM / len(pool.quantiles) / 2.0
    for level, (quantile, *_) in pool.quantiles.items():
        low, high = int(binom.ppf(share, PATHS, level)) - 1, int(binom.isf(share, PATHS, level)) + 1
        assert count[low] <= quantile <= count[high]
        # Defaults are counts, so the interval is narrow enough to mean something.
        assert count[high] - count[low] <= 0.25 * quantile + 1


def test_mean_and_variance(pool: Pool) -> None:
    """Normal bounds with the sample's own fourth moment; two comparisons, one in 10,000 seeds."""
    count = simulated(pool).astype(np.float64)
    bound = norm.isf(FALSE_ALARM / 4.0)
    # Closed form: Var K = N p (1 - p) + N (N - 1) (Phi2(c, c; rho) - p^2).
    joint = joint_normal_probability(float(ndtri(pool.probability)), pool.correlation)
    variance = pool.loans * pool.probability * (1.0 - pool.probability)
    variance += pool.loans * (pool.loans - 1) * (joint - pool.probability**2)
    assert variance == pytest.approx(pool.variance, rel=1e-9)
    assert abs(count.mean() - pool.loans * pool.probability) < bound * math.sqrt(variance / PATHS)
    squares = (count - pool.loans * pool.probability) ** 2
    assert abs(squares.mean() - variance) < bound * squares.std() / math.sqrt(PATHS)


def test_expected_shortfall(pool: Pool) -> None:
    """Mean excess over the printed quantile; three comparisons, one in 10,000 seeds."""
    count = simulated(pool).astype(np.float64)
    bound = norm.isf(FALSE_ALARM / len(pool.quantiles) / 2.0)
    for level, (quantile, _, shortfall) in pool.quantiles.items():
        excess = np.maximum(count - quantile, 0.0) / (1.0 - level)
        assert abs(quantile + excess.mean() - shortfall) < bound * excess.std() / math.sqrt(PATHS)
