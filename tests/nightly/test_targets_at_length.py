"""Known answers of docs/targets.md on large samples, under the seed that `tests/nightly/run` draws.

Each statistical test fails about once in a million seeds although all is well.
"""

from __future__ import annotations

import math
import os
from hashlib import blake2b

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from calibration.library import parameter_set_names
from known_cases import POOLS, assert_shares, exact_distribution, normal_bound
from outputs import estimators
from outputs.estimators import draw_up_sample
from simulator.correlation import Credit, default_probabilities
from small_books import current_only, equal_loans, quiet, run, shipped, values
from target_cases import Queue, WrongWay, lasting_loans, one_factor

pytestmark = pytest.mark.nightly

FALSE_ALARM = 1e-6
SEED = os.environ.get("CARSTRESS_NIGHTLY_SEED", "20250101")


def seed_of(name: str) -> int:
    """A seed of 64 bits for each test and case."""
    return int.from_bytes(blake2b(f"{SEED}:targets:{name}".encode(), digest_size=8).digest(), "little")


# --- measures ---------------------------------------------------------------------------------------------------------

RUNS, PATHS = 500, 2_000


def test_intervals_of_a_run_cover_the_exact_figures() -> None:
    """Intervals of 500 runs of 100 loans, PD .05 and rho .10, against the finite pool's exact figures.

    A shortfall of 100 paths beyond the quantile and a standard deviation of skewed losses cover a few percent less than
    they say; a count's quantile covers more. Four comparisons.
    """
    pool = POOLS[1]
    parameters = one_factor(pool.probability, pool.correlation)
    results = run(equal_loans(pool.loans), parameters, paths=RUNS * PATHS, months=1, seed=seed_of("coverage"))
    counts = values(results, "charge_off_count")[:, 0].astype(np.float64).reshape(RUNS, PATHS)
    quantile, _, shortfall = pool.quantiles[0.95]
    truths = (
        (estimators.mean, pool.loans * pool.probability),
        (estimators.standard_deviation, math.sqrt(pool.variance)),
        (lambda sample: estimators.value_at_risk(sample, 0.95), float(quantile)),
        (lambda sample: estimators.expected_shortfall(sample, 0.95), shortfall),
    )
    samples = [draw_up_sample(count) for count in counts]
    slack = normal_bound(FALSE_ALARM, len(truths)) * math.sqrt(0.05 * 0.95 / RUNS)
    for number, (estimate, truth) in enumerate(truths):
        found = [estimate(sample) for sample in samples]
        covered = np.mean([item.low <= truth <= item.high for item in found])
        assert covered > 0.94 - slack, (number, covered)
        assert number == 2 or covered < 0.95 + slack, (number, covered)


def test_the_factor_explains_nearly_all_of_a_large_pool() -> None:
    """R^2 .98871 of 10,000 loans, PD .03 and rho .05; see the daily test for the bound."""
    paths = 5_000
    seed = seed_of("control variate")
    results = run(equal_loans(10_000), one_factor(0.03, 0.05), paths=paths, months=1, seed=seed)
    factor = results["global_factor"].to_numpy()[:, 0]
    conditional = ndtr((ndtri(0.03) + math.sqrt(0.05) * factor) / math.sqrt(0.95))
    found = float(np.corrcoef(values(results, "charge_off_count")[:, 0], conditional)[0, 1])
    gap = math.atanh(found) - math.atanh(math.sqrt(0.98871))
    assert abs(gap) * math.sqrt(paths - 3) < 1.5 * normal_bound(FALSE_ALARM, 1)


def test_tail_of_the_largest_pool() -> None:
    """P(K > k) of 1,000 loans at the printed quantiles, 200,000 paths."""
    pool, paths = POOLS[2], 200_000
    parameters = one_factor(pool.probability, pool.correlation)
    results = run(equal_loans(pool.loans), parameters, paths=paths, months=1, seed=seed_of("tail"))
    counts = values(results, "charge_off_count")[:, 0]
    at = [quantile for quantile, *_ in pool.quantiles.values()]
    beyond = np.array([(counts > quantile).sum() for quantile in at])
    shares = 1.0 - exact_distribution(pool)[at]
    assert shares == pytest.approx([1.0 - share for _, share, _ in pool.quantiles.values()], abs=5e-9)
    assert_shares(beyond, shares, paths, normal_bound(FALSE_ALARM, len(at)))


# --- mechanics ------------------------------------------------------------------------------------------------------


def test_two_causes_are_not_counted_twice() -> None:
    """Twelve months of 40,000,000 loans; the naive figure of the first month alone is seven standard errors away."""
    loans, paths = 20_000, 2_000
    seed = seed_of("competing")
    results = run(lasting_loans(loans, 12), current_only(0.02, 0.015), paths=paths, months=12, seed=seed)
    counts = np.array([values(results, f"{name}_count").sum() for name in ("charge_off", "prepaid")])
    assert_shares(counts, [0.1959732458, 0.1469799344], loans * paths, normal_bound(FALSE_ALARM, 4))
    first = np.array([values(results, f"{name}_count")[:, 0].sum() for name in ("charge_off", "prepaid")])
    assert_shares(first, [0.0196540479, 0.0147405359], loans * paths, normal_bound(FALSE_ALARM, 4))


@pytest.mark.parametrize("correlation", [-0.2, 0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("own_sd", [0.0, 0.15])
def test_wrong_way_collateral(correlation: float, own_sd: float) -> None:
    """Mean loss of 100 loans on 100,000 paths against the closed form."""
    configured = WrongWay(0.05, 12_000.0, 10_000.0, math.sqrt(0.25**2 - own_sd**2), own_sd, correlation, 0.2)
    paths = 100_000
    results = configured.simulate(100, paths, seed_of(f"wrong way {correlation} {own_sd}"))
    lost = values(results, "ultimate_loss")[:, 0] / 100
    error = lost.std() / math.sqrt(paths)
    assert abs(lost.mean() - configured.expected_loss()) < normal_bound(FALSE_ALARM, 10) * error


@pytest.mark.parametrize(("demand", "capacity"), [(100.0, 90), (100.0, 100), (100.0, 120), (1000.0, 950)])
def test_capacity(demand: float, capacity: int) -> None:
    """Contacts of 36 months on 100 paths: exact mean of min(N, C)."""
    months, paths = 36, 100
    queue = Queue(demand, capacity, 50_000)
    results = queue.simulate(paths, months, seed_of(f"capacity {demand} {capacity}"))
    mean, variance = queue.moments(months)
    error = math.sqrt(variance / (paths * months))
    assert abs(values(results, "pool_served").mean() - mean) < normal_bound(FALSE_ALARM, 4) * error


# --- factors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("response", ["lognormal", "probit"])
@pytest.mark.parametrize("name", parameter_set_names())
def test_cumulative_default_of_the_shipped_chains(name: str, response: str) -> None:
    """First defaults within 12 and 36 months under the shipped strength of the factor, against the chain on a grid."""
    base, loans, paths = shipped(name), 400, 20_000
    strength = {"sigma": base.sigma, "rho": base.rho}
    parameters = quiet(name, response=response, shares=(1.0, 0.0, 0.0), probation_months=600, **strength)
    tape = equal_loans(loans, currency=base.currency)
    results = run(tape, parameters, paths=paths, months=36, seed=seed_of(f"fall {name} {response}"))
    credit = Credit(parameters.intensity[0], parameters.default_bucket, parameters.persistence)
    own = float(strength["sigma" if response == "lognormal" else "rho"][0])
    for months in (12, 36):
        share = values(results, "default_count")[:, :months].sum(axis=1) / loans
        expected, _ = default_probabilities(credit, response, own, months)
        error = share.std() / math.sqrt(paths)
        assert abs(share.mean() - expected) < normal_bound(FALSE_ALARM, 2 * 2 * len(parameter_set_names())) * error
