"""Known answers with few paths, by the engine: finite pools, the infinitely fine pool, how much a factor explains."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import norm

from known_cases import POOLS, Pool, exact_distribution
from outputs import estimators
from outputs.estimators import Sample
from outputs.measures import sample_of
from outputs.tail_view import plain_paths
from scenarios.tail import Tail
from simulator.factors import draw_systematic, shocked_entities
from simulator.tail_pilot import run_pilot
from simulator.tail_proposal import components, log_weights, proposal_along
from small_books import equal_loans
from tail_cases import SIZE, asked, pool_parameters, pool_run, simulate_with
from target_cases import fine_grained

FALSE_ALARM = 1e-4
"""Chance that a test of this file fails on a fresh seed although all is well."""

PATHS = {"shifted": 8_000, "shifted_sobol": 8_192, "control": 20_000}


def defaults(pool: Pool, method: str) -> Sample:
    """Number of charge-offs by path, with the weights of the method."""
    results = pool_run(pool, method, PATHS[method], seed=pool.loans)
    return sample_of(results["charge_off_count"].isel(scenario=0, strategy=0, programme=0, month=0), results)


CASES = [(pool, method) for pool in POOLS for method in ("shifted", "shifted_sobol")]


def bound(sample: Sample, comparisons: int) -> float:
    """Standard errors that a figure may be off: Student's where scrambles tell them."""
    share = FALSE_ALARM / comparisons / 2.0
    if not sample.shared:
        return float(-norm.ppf(share))
    return float(-stdtrit(sample.n_batches - 1, share))


@pytest.mark.parametrize(("pool", "method"), CASES, ids=str)
def test_shortfalls_of_finite_pools(pool: Pool, method: str) -> None:
    """Expected shortfall at 95, 99 and 99.9 % (2.2), within its error; together `FALSE_ALARM`."""
    sample = defaults(pool, method)
    for level, (*_, shortfall) in pool.quantiles.items():
        found = estimators.expected_shortfall(sample, level)
        assert abs(found.value - shortfall) < bound(sample, 3) * found.standard_error
        # The interval is narrow enough to mean something.
        assert found.standard_error < 0.02 * shortfall


@pytest.mark.parametrize(("pool", "method"), CASES, ids=str)
def test_quantiles_of_finite_pools(pool: Pool, method: str) -> None:
    """P(K <= k) at the printed quantile, and P(K = 0), within their errors; together `FALSE_ALARM`.

    No path without a default is looked for where there is one in 10,000: that tail is not the one that was aimed at.
    """
    sample = defaults(pool, method)
    exact = exact_distribution(pool)
    wanted = {quantile: share for quantile, share, _ in pool.quantiles.values()}
    wanted |= {0: pool.none} if pool.none > 0.01 else {}
    for count, share in wanted.items():
        assert exact[count] == pytest.approx(share, abs=5e-9)
        below = (sample.value <= count).astype(float)
        found = float(sample.weight @ below)
        assert abs(found - share) < bound(sample, 4) * estimators.standard_error(sample, below - found) + 1e-9


@pytest.mark.parametrize(("pool", "method"), CASES, ids=str)
def test_mean_and_variance_of_finite_pools(pool: Pool, method: str) -> None:
    """Together `FALSE_ALARM`; the variance by its error from the fourth moment."""
    sample = defaults(pool, method)
    mean, spread = estimators.mean(sample), estimators.standard_deviation(sample)
    assert abs(mean.value - pool.loans * pool.probability) < bound(sample, 2) * mean.standard_error
    assert abs(spread.value - math.sqrt(pool.variance)) < bound(sample, 2) * spread.standard_error


@pytest.mark.parametrize("method", ["shifted", "shifted_sobol"])
def test_a_far_tail_is_told_by_few_paths(method: str) -> None:
    """A thousand loans: ES 99.9 % is as sharp as with fifty times as many plain paths, and EL no worse."""
    pool = POOLS[2]
    sample = defaults(pool, method)
    threshold = estimators.quantile(sample, 0.999)
    excess = np.maximum(sample.value - threshold, 0.0)
    assert plain_paths(sample, excess - sample.weight @ excess) > 50 * PATHS[method]
    assert plain_paths(sample, sample.value - sample.weight @ sample.value) > PATHS[method]


# --- the infinitely fine pool ----------------------------------------------------------------------------


def fine_sample(probability: float, correlation: float, paths: int, seed: int) -> Sample:
    """Loss of an infinitely fine pool by the engine's factor and response, the factor shifted along its direction."""
    parameters = pool_parameters(probability, correlation)
    entities = shocked_entities(())
    direction = np.zeros((1, len(entities), 2))
    direction[0, 0] = parameters.persistence, math.sqrt(1.0 - parameters.persistence**2)
    proposal = proposal_along(entities, direction, shift=3.0, unshifted=0.2)
    drawn = draw_systematic((), parameters, range(paths), 1, 1, seed=seed, proposal=proposal)
    z = components(proposal, range(paths), seed)[:, 0]
    np.testing.assert_allclose(drawn.factor[:, 0, 1], z, atol=1e-12)  # the direction is that of month 1
    loss = fine_grained(parameters, drawn.factor[:, 0, 1])[0]
    return estimators.draw_up_sample(loss, log_weights(proposal, z))


@pytest.mark.parametrize(
    ("probability", "correlation", "figures"),
    [
        (0.01, 0.10, (0.02846151, 0.04003333, 0.04679699, 0.05996825, 0.07749737, 0.09263180)),
        (0.02, 0.05, (0.04183778, 0.05179049, 0.05781298, 0.06788236, 0.08103341, 0.09139377)),
        (0.05, 0.15, (0.13717110, 0.18223306, 0.20988145, 0.25486353, 0.31350591, 0.35652042)),
    ],
)
def test_a_fine_grained_pool_has_the_closed_forms_tails(
    probability: float, correlation: float, figures: tuple[float, ...]
) -> None:
    """VaR and ES at 95, 99 and 99.9 % (2.1) from 5,000 shifted paths; together `FALSE_ALARM`."""
    sample = fine_sample(probability, correlation, 5_000, seed=8)
    bounds = -ndtri(FALSE_ALARM / 12.0)
    for level, value_at_risk, shortfall in zip((0.95, 0.99, 0.999), figures[::2], figures[1::2], strict=True):
        found = estimators.expected_shortfall(sample, level)
        assert abs(found.value - shortfall) < bounds * found.standard_error
        beyond = (sample.value > value_at_risk).astype(float)
        share = float(sample.weight @ beyond)
        assert abs(share - (1.0 - level)) < bounds * estimators.standard_error(sample, beyond - share)


@pytest.mark.parametrize(("probability", "shift", "ratio"), [(0.01, 2.51807, 38.0605), (0.001, 3.24113, 290.896)])
def test_a_shifted_factor_saves_the_published_variance(probability: float, shift: float, ratio: float) -> None:
    """Variance ratio of P(Z > z) (2.12), of the engine's factor, no defence; six of its errors, false alarm < 1e-4."""
    parameters, entities = pool_parameters(0.05, 0.1), shocked_entities(())
    direction = np.zeros((1, len(entities), 2))
    direction[0, 0] = parameters.persistence, math.sqrt(1.0 - parameters.persistence**2)
    proposal = proposal_along(entities, direction, shift=shift, unshifted=1e-12)
    drawn = draw_systematic((), parameters, range(100_000), 1, 1, seed=9, proposal=proposal)
    terms = np.exp(drawn.log_weight) * (drawn.factor[:, 0, 1] > -ndtri(probability))
    assert terms.mean() == pytest.approx(probability, rel=6.0 * math.sqrt(1.0 / ratio / probability / terms.size))
    saved = (probability - probability**2) / terms.var()
    error = np.std((terms - terms.mean()) ** 2) / terms.var() / math.sqrt(terms.size)
    assert saved == pytest.approx(ratio, rel=6.0 * error)


# --- the control variate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("loans", "share"), [(100, 0.46683), (1000, 0.89750)])
def test_strata_explain_what_the_factor_explains(loans: int, share: float) -> None:
    """R^2 of the mean given the factor (2.12), PD .03, rho .05, paths drawn plainly.

    The strata's R^2 has the error of a squared correlation, 2 R (1 - R^2) / sqrt(n), and misses what the factor does
    within a stratum and where the pilot's direction misses the factor's: 0.005. Together `FALSE_ALARM`.
    """
    question = asked(equal_loans(loans), pool_parameters(0.03, 0.05), Tail(method="control"), months=1, seed=loans)
    results = simulate_with(question, run_pilot(question, 20_000, size=SIZE), 20_000)
    sample = sample_of(results["charge_off_count"].isel(scenario=0, strategy=0, programme=0, month=0), results)
    deviation = sample.value - float(sample.weight @ sample.value)
    rest = estimators.beyond_strata(sample, deviation)
    found = 1.0 - float(sample.weight @ rest**2) / float(sample.weight @ deviation**2)
    error = 2.0 * math.sqrt(share) * (1.0 - share) / math.sqrt(20_000.0)
    assert abs(found - share) < -ndtri(FALSE_ALARM / 4.0) * error + 0.005
    # The mean's variance falls by as much.
    mean = estimators.mean(sample)
    assert plain_paths(sample, deviation) / 20_000 == pytest.approx(1.0 / (1.0 - found), rel=0.02)
    assert abs(mean.value - 0.03 * loans) < -ndtri(FALSE_ALARM / 4.0) * mean.standard_error


def test_the_response_is_the_closed_form() -> None:
    """What the tests above take for granted of the pool: its conditional probability is Vasicek's."""
    factor = np.array([-2.0, 0.0, 3.0])
    found = fine_grained(pool_parameters(0.05, 0.10), factor)[0]
    np.testing.assert_allclose(found, ndtr((ndtri(0.05) + math.sqrt(0.1) * factor) / math.sqrt(0.9)), atol=1e-8)
