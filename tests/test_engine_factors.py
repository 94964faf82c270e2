"""Systematic factors and the used-car index: AR(1), OU and GBM moments known in closed form (3c), (5), (5a)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm

from scenarios.vocabulary import SEGMENTS
from simulator.factors import cumulative_variance, draw_systematic, factor_name
from simulator.parameters import Parameters
from small_books import shipped

PATHS, SEED = 20_000, 71
FALSE_ALARM = 1e-4
"""Chance that one test of this file fails on a fresh seed although all is well, shared among its comparisons."""


def bound(comparisons: int) -> float:
    """Two-sided normal bound of each of so many comparisons."""
    return float(norm.isf(FALSE_ALARM / comparisons / 2.0))


def assert_mean(sample: np.ndarray, expected: float, comparisons: int) -> None:
    error = float(sample.std(ddof=1)) / math.sqrt(sample.size)
    assert abs(float(sample.mean()) - expected) < bound(comparisons) * error


def assert_normal_sd(sample: np.ndarray, expected: float, comparisons: int) -> None:
    """Exact interval of the variance of a normal sample."""
    freedom = sample.size - 1
    statistic = freedom * float(sample.var(ddof=1)) / expected**2
    share = FALSE_ALARM / comparisons / 2.0
    assert chi2.ppf(share, freedom) < statistic < chi2.isf(share, freedom)


def index_process(persistence: float, innovation_sd: float, **changes: object) -> Parameters:
    """Used-car index with one common part and no residual; nothing else of the set matters here."""
    return replace(
        shipped("us_near_prime"),
        index_persistence=persistence,
        index_innovation_sd=innovation_sd,
        **{"index_common_share": 1.0, "index_residual_sd": np.zeros(len(SEGMENTS)), **changes},
    )


def index_paths(parameters: Parameters, months: int) -> np.ndarray:
    """float64[path, month, segment]."""
    return draw_systematic((), parameters, range(PATHS), 1, months, seed=SEED).index


# --- credit factors ------------------------------------------------------------------------------------------


def test_ornstein_uhlenbeck_factor() -> None:
    """Reference case OU: kappa .8 a year, stationary sd .0474341649, started at -.10 a year before.

    Seven comparisons over 20,000 paths; a fresh seed fails about once in 10,000.
    """
    parameters = replace(shipped("us_near_prime"), persistence=math.exp(-0.8 / 12.0))
    factor = draw_systematic((), parameters, range(PATHS), 12, 12, seed=SEED).factor[:, 0]
    x = 0.0474341649 * factor
    for month in (0, 5, 12):
        assert_normal_sd(x[:, month], 0.0474341649, 7)
    # A month on and a year on, the mean keeps .9355 and .4493 of -.10, with the printed spreads.
    for months, mean, sd in ((1, -0.0935506985, 0.0167588792), (12, -0.0449328964, math.sqrt(0.0017957328))):
        surprise = x[:, months] - mean / -0.10 * x[:, 0]
        assert_normal_sd(surprise, sd, 7)
        assert_mean(surprise * x[:, 0], 0.0, 7)


def test_every_factor_is_stationary_and_their_mix_too() -> None:
    """Nine variances of 20,000 paths, a fresh seed fails about once in 10,000."""
    names = (factor_name("region", "TX"), factor_name("sector", "mining"))
    parameters = shipped("us_near_prime")
    factor = draw_systematic(names, parameters, range(PATHS), 60, 60, seed=SEED).factor
    latent = np.einsum("f,pfm->pm", np.sqrt(parameters.shares), factor)
    for month in (0, 1, 60):
        assert_normal_sd(factor[:, 0, month], 1.0, 9)
        assert_normal_sd(factor[:, 2, month], 1.0, 9)
        assert_normal_sd(latent[:, month], 1.0, 9)


def test_factors_are_independent_of_each_other() -> None:
    """Three correlations of 20,000 paths, a fresh seed fails about once in 10,000."""
    names = (factor_name("region", "TX"), factor_name("region", "CA"))
    factor = draw_systematic(names, shipped("us_near_prime"), range(PATHS), 24, 24, seed=SEED).factor[..., 24]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.mean(factor[:, first] * factor[:, second])) * math.sqrt(PATHS) < bound(3)


def test_a_factor_depends_on_its_name_alone() -> None:
    parameters, texas = shipped("us_near_prime"), factor_name("region", "TX")
    alone = draw_systematic((texas,), parameters, range(5), 12, 20, seed=SEED)
    among = draw_systematic((factor_name("region", "AK"), texas), parameters, range(2, 4), 9, 30, seed=SEED)
    assert np.array_equal(alone.factor[2:4, 1, :10], among.factor[:, 2])
    assert np.array_equal(alone.factor[2:4, 0, :10], among.factor[:, 0])
    assert np.array_equal(alone.index[2:4], among.index[:, :21])


# --- used-car index --------------------------------------------------------------------------------------------


def test_autoregressive_returns() -> None:
    """Reference case AR(1): persistence .6, innovation .0065: monthly sd .008125, 12-month sum .0517176041.

    Seven variances of 20,000 paths; a fresh seed fails about once in 10,000.
    """
    log_index = np.log(index_paths(index_process(0.6, 0.0065), 37)[..., 0])
    for month in (1, 2, 36):
        assert_normal_sd(log_index[:, month] - log_index[:, month - 1], 0.008125, 7)
    for first in (0, 12, 24):
        assert_normal_sd(log_index[:, first + 12] - log_index[:, first], 0.0517176041, 7)
    # From a last return of 0 the next 12 months add up to a spread of .0502674982 (slope phi (1 - phi^12)/(1 - phi)).
    slope = 0.6 * (1.0 - 0.6**12) / 0.4
    last = log_index[:, 12] - log_index[:, 11]
    assert_normal_sd(log_index[:, 24] - log_index[:, 12] - slope * last, 0.0502674982, 7)


def test_cumulative_variance_closed_form() -> None:
    found = np.sqrt(cumulative_variance(12, 0.6)) * 0.0065
    assert found[[0, 1, 12]] == pytest.approx([0.0, 0.008125, 0.0517176041], abs=5e-11)
    # Variance of 12 months over 12 times that of one: 3.37636049 in the reference case.
    assert (found[12] / found[1]) ** 2 / 12.0 == pytest.approx(3.37636049, abs=5e-9)
    assert cumulative_variance(5, 0.0) == pytest.approx(np.arange(6.0), rel=1e-14)


def test_geometric_brownian_motion() -> None:
    """Reference case GBM: 100, drift -.02, sigma .06, three years; mean, variance, median, 5 % and 1 % quantiles.

    The drift is that of the mean: the scenario's path. Five comparisons; a fresh seed fails about once in 10,000.
    """
    drift, sigma, years = -0.02, 0.06, 3.0
    index = 100.0 * math.exp(drift * years) * index_paths(index_process(0.0, sigma / math.sqrt(12.0)), 36)[:, 36, 0]
    assert_mean(index, 94.17645336, 5)
    assert_normal_sd(np.log(index), math.sqrt(math.log1p(96.30652631 / 94.17645336**2)), 5)
    for quantile, share in ((93.66927113, 0.5), (78.95136128, 0.05), (73.55320509, 0.01)):
        found = float(np.mean(index <= quantile))
        assert abs(found - share) < bound(5) * math.sqrt(share * (1.0 - share) / PATHS)


def test_noise_does_not_move_the_scenarios_mean() -> None:
    """E[exp u] = 1 for 5 months x 9 segments of 20,000 paths; a fresh seed fails about once in 10,000."""
    index = index_paths(shipped("us_near_prime"), 62)
    assert np.all(index[:, 0] == 1.0)
    for month in (1, 12, 24, 36, 62):
        for segment in range(len(SEGMENTS)):
            assert_mean(index[:, month, segment], 1.0, 45)


def test_quoted_correlation_of_prices_and_credit() -> None:
    """12-month sums in three years of 20,000 paths (Fisher's z); a fresh seed fails about once in 10,000."""
    base = shipped("us_near_prime")
    quoted = base.sets[0].used_car_index.correlation_with_credit.value
    typical = base.index_innovation_sd * math.sqrt(1.0 - base.index_common_share)
    parameters = replace(base, index_residual_sd=np.full(len(SEGMENTS), typical))
    drawn = draw_systematic((), parameters, range(PATHS), 36, 36, seed=SEED)
    log_index = np.log(drawn.index[..., 0])
    assert quoted < 0.0
    for first in (0, 12, 24):
        returns = log_index[:, first + 12] - log_index[:, first]
        credit = drawn.factor[:, 0, first + 1 : first + 13].sum(axis=1)
        found = float(np.corrcoef(returns, credit)[0, 1])
        assert abs(math.atanh(found) - math.atanh(quoted)) * math.sqrt(PATHS - 3) < bound(3)


def test_segments_share_the_common_part_alone() -> None:
    """Correlations of 36 pairs of segments against their shares; a fresh seed fails about once in 10,000."""
    parameters = shipped("us_near_prime")
    log_index = np.log(index_paths(parameters, 12)[:, 12])
    common = parameters.index_innovation_sd**2 * parameters.index_common_share
    variance = common + parameters.index_residual_sd**2
    found = np.corrcoef(log_index.T)
    for first in range(len(SEGMENTS)):
        for second in range(first):
            expected = common / math.sqrt(variance[first] * variance[second])
            gap = math.atanh(found[first, second]) - math.atanh(expected)
            assert abs(gap) * math.sqrt(PATHS - 3) < bound(36)
