"""Systematic factors and the used-car index: moments of AR(1), OU, GBM and Merton's jumps, in closed form (3c), (5)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm

from reference_market import draw_market
from scenarios.vocabulary import SEGMENTS
from simulator.factors import cumulative_variance, draw_systematic, factor_name, jump_cumulant
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


def calm_market(**changes: object) -> Parameters:
    """A shipped set whose used-car index neither jumps nor is drawn back to the scenario's path."""
    none = {"jump_intensity": 0.0, "jump_mean": 0.0, "jump_sd": 0.0, "reversion": 0.0}
    return replace(shipped("us_near_prime"), **{**none, **changes})


def index_process(persistence: float, innovation_sd: float, **changes: object) -> Parameters:
    """Used-car index with one common part and no residual; nothing else of the set matters here."""
    return calm_market(
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
    index = index_paths(calm_market(), 62)
    assert np.all(index[:, 0] == 1.0)
    for month in (1, 12, 24, 36, 62):
        for segment in range(len(SEGMENTS)):
            assert_mean(index[:, month, segment], 1.0, 45)


def test_quoted_correlation_of_prices_and_credit() -> None:
    """12-month sums in three years of 20,000 paths (Fisher's z); a fresh seed fails about once in 10,000."""
    base = calm_market()
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
    parameters = calm_market()
    log_index = np.log(index_paths(parameters, 12)[:, 12])
    common = parameters.index_innovation_sd**2 * parameters.index_common_share
    variance = common + parameters.index_residual_sd**2
    found = np.corrcoef(log_index.T)
    for first in range(len(SEGMENTS)):
        for second in range(first):
            expected = common / math.sqrt(variance[first] * variance[second])
            gap = math.atanh(found[first, second]) - math.atanh(expected)
            assert abs(gap) * math.sqrt(PATHS - 3) < bound(36)


# --- jumps and reversion (5b), (5c) -----------------------------------------------------------------------------

EVERYTHING = {"jump_intensity": 0.4, "jump_mean": -0.05, "jump_sd": 0.06, "reversion": 0.08}
"""Jumps and reversion larger than any plausible ones, so that a missing compensation would show."""


def ornstein_uhlenbeck(kappa: float, sigma: float) -> Parameters:
    """The index as the exact monthly form of dX = -kappa X dt + sigma dW, years: its returns are independent."""
    monthly = sigma * math.sqrt(-math.expm1(-2.0 * kappa / 12.0) / (2.0 * kappa))
    return index_process(0.0, monthly, reversion=-math.expm1(-kappa / 12.0))


def test_level_that_is_drawn_back_is_ornstein_uhlenbecks() -> None:
    """Reference case OU: kappa .8 a year, sigma .06, from -.10: sds, means, E[e^X], half-life.

    Nine comparisons over 20,000 paths; a fresh seed fails about once in 10,000.
    """
    parameters = ornstein_uhlenbeck(0.8, 0.06)
    assert math.log(0.5) / math.log1p(-parameters.reversion) / 12.0 == pytest.approx(0.8664339757, abs=5e-11)
    index = index_paths(parameters, 36)[..., 0]
    variance = cumulative_variance(36, 0.0, parameters.reversion) * parameters.index_innovation_sd**2
    x = np.log(index) + 0.5 * variance
    known = {1: 0.0167588792**2, 12: 0.0017957328, 36: 0.0022314831}
    for month, expected in known.items():
        assert variance[month] == pytest.approx(expected, abs=1e-10)
        assert_normal_sd(x[:, month], math.sqrt(expected), 9)
    # From wherever it stands, a level keeps .9355 of itself for a month, .4493 for a year, .0907 for three.
    for months, mean in ((1, -0.0935506985), (12, -0.0449328964), (24, -0.1 * math.exp(-1.6))):
        surprise = x[:, 12 + months] - mean / -0.10 * x[:, 12]
        assert_mean(surprise * x[:, 12], 0.0, 9)
    assert_normal_sd(x[:, 24] - 0.449328964 * x[:, 12], math.sqrt(0.0017957328), 9)
    assert_mean(np.exp(-0.0449328964 + 0.5 * 0.0017957328) * index[:, 12], 0.9569204360, 9)
    stationary = cumulative_variance(1200, 0.0, parameters.reversion)[-1] * parameters.index_innovation_sd**2
    assert math.sqrt(stationary) == pytest.approx(0.0474341649, abs=5e-11)
    assert_normal_sd(index_paths_at_the_end(parameters, 240), 0.0474341649, 9)


def index_paths_at_the_end(parameters: Parameters, months: int) -> np.ndarray:
    """Log index of the last month, float64[path]; drawn in parts, so that memory stays small."""
    parts = [
        draw_systematic((), parameters, range(first, first + 2_000), 1, months, seed=SEED).index[:, months, 0]
        for first in range(0, PATHS, 2_000)
    ]
    return np.log(np.concatenate(parts))


def test_variance_with_persistence_and_reversion_is_the_double_sum() -> None:
    """Sum over pairs of months of a^(t-i) a^(t-j) phi^|i-j| / (1 - phi^2), term by term."""
    for phi, kappa in ((0.4, 0.0), (0.4, 0.06), (0.0, 0.06), (0.65, 1.0), (0.9, 0.3)):
        kept = 1.0 - kappa
        for months in (0, 1, 2, 7, 30):
            pairs = [(i, j) for i in range(months) for j in range(months)]
            expected = sum(kept ** (i + j) * phi ** abs(i - j) for i, j in pairs) / (1.0 - phi**2)
            assert cumulative_variance(30, phi, kappa)[months] == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_jumps_are_mertons() -> None:
    """Reference case Merton: drift -.02, sigma .06, .25 jumps a year of N(-.08, .05^2), three years.

    E ln -.1254, Var ln .017475, E[S] 88.97659952 of 100. The engine's index is compensated: the cumulant of the jumps
    goes to the scenario's path. Three comparisons over 20,000 paths; a fresh seed fails about once in 10,000.
    """
    drift, sigma, years = -0.02, 0.06, 3.0
    jumps = {"jump_intensity": 0.25 / 12.0, "jump_mean": -0.08, "jump_sd": 0.05}
    parameters = index_process(0.0, sigma / math.sqrt(12.0), **jumps)
    path = math.exp(drift * years + jump_cumulant(36, parameters)[36])
    price = 100.0 * path * index_paths(parameters, 36)[:, 36, 0]
    log_price = np.log(price / 100.0)
    assert_mean(log_price, -0.1254, 3)
    assert_mean((log_price + 0.1254) ** 2, 0.017475, 3)
    assert_mean(price, 88.97659952, 3)
    assert 100.0 * path == pytest.approx(88.97659952, abs=5e-9)


def test_number_of_jumps_is_poisson_in_every_month() -> None:
    """Jumps of -.1 without spread can be counted: chi-square of 5 classes over 12 months x 20,000 paths.

    One comparison; a fresh seed fails about once in 10,000.
    """
    parameters = index_process(0.0, 0.0, jump_intensity=0.7, jump_mean=-0.1, jump_sd=0.0)
    log_index = np.log(index_paths(parameters, 12)[..., 0]) + jump_cumulant(12, parameters)
    count = np.diff(log_index, axis=1) / -0.1
    assert np.abs(count - np.rint(count)).max() < 1e-9
    found = np.bincount(np.minimum(np.rint(count).astype(int), 4).ravel(), minlength=5)
    share = [math.exp(-0.7) * 0.7**k / math.factorial(k) for k in range(4)]
    expected = np.array([*share, 1.0 - sum(share)]) * count.size
    assert np.sum((found - expected) ** 2 / expected) < chi2.isf(FALSE_ALARM, 4)


def test_jumps_are_the_same_in_all_segments_and_leave_the_other_draws_alone() -> None:
    calm = draw_systematic((), calm_market(), range(50), 12, 24, seed=SEED)
    jumpy = draw_systematic((), calm_market(jump_intensity=0.4, jump_mean=-0.05), range(50), 12, 24, seed=SEED)
    assert np.array_equal(calm.factor, jumpy.factor)
    ratio = np.log(jumpy.index / calm.index)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[..., :1], ratio.shape), atol=1e-12)
    assert ratio.std() > 0.01


def test_everything_at_once_does_not_move_the_scenarios_mean() -> None:
    """E[exp u] = 1 in each of 48 months x 9 segments of 20,000 paths; a fresh seed fails about once in 10,000."""
    index = index_paths(calm_market(**EVERYTHING), 48)
    assert np.all(index[:, 0] == 1.0)
    for month in range(1, 49):
        for segment in range(len(SEGMENTS)):
            assert_mean(index[:, month, segment], 1.0, 48 * len(SEGMENTS))


def test_without_jumps_and_reversion_the_index_is_the_plain_sum_of_returns() -> None:
    """To the bit: neutral figures may not change a result, and the variance is that of `t` returns."""
    months, phi = 80, 0.4
    time, lags = np.arange(months + 1), np.arange(1, months + 1)
    tail = [np.sum((t - lags[: max(t - 1, 0)]) * phi ** lags[: max(t - 1, 0)]) for t in time]
    assert np.array_equal(cumulative_variance(months, phi), (time + 2.0 * np.array(tail)) / (1.0 - phi**2))
    sized = calm_market(jump_mean=-0.3, jump_sd=0.2)
    plain, idle = (draw_systematic((), each, range(20), 6, months, seed=SEED).index for each in (calm_market(), sized))
    assert np.array_equal(plain, idle)


def test_market_is_the_references() -> None:
    """Path by path against loops in plain Python, jumps, reversion, persistence and residuals all at once."""
    parameters, months = calm_market(**EVERYTHING), 30
    names = ("persistence", "index_persistence", "index_innovation_sd", "index_common_share", *EVERYTHING)
    plain = {name: getattr(parameters, name) for name in (*names, "index_factor_correlation")}
    world = {
        "parameters": {
            **plain,
            "index_residual_sd": dict(zip(SEGMENTS, parameters.index_residual_sd.tolist(), strict=True)),
            "tiers": [{"search_lag": 0, "sale_lag": 0}],
        },
        "loans": [{"region": "TX", "sector": "mining"}],
        "macro": {"index": [dict.fromkeys(SEGMENTS, 1.0)] * (months + 1)},
        "seed": SEED,
        "months": months,
        "run_off": 0,
    }
    found = draw_systematic((factor_name("region", "TX"),), parameters, range(5, 9), months, months, seed=SEED)
    for row, path in enumerate(range(5, 9)):
        market = draw_market(world, path)
        np.testing.assert_allclose(found.factor[row, 1], market["factor"]["region:TX"], rtol=1e-12, atol=1e-13)
        for place, segment in enumerate(SEGMENTS):
            np.testing.assert_allclose(found.index[row, :, place], market["index"][segment], rtol=1e-11)
