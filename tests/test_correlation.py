"""From quoted correlations to monthly figures: closed forms, other algorithms, Monte Carlo."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from calibration.library import find_parameter_set, parameter_set_names
from simulator.correlation import (
    Credit,
    Response,
    default_probabilities,
    factor_grid,
    implied_correlation,
    innovation_correlation,
    joint_normal_probability,
    response_multiplier,
    solve_response,
    sum_covariance_factor,
    sum_variance_factor,
)
from simulator.intensities import probabilities_from_intensities
from simulator.parameters import Parameters, build_parameters

Array = NDArray[np.float64]


@cache
def _parameters(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


def _credit(parameters: Parameters) -> Credit:
    return Credit(parameters.published_intensity[0], parameters.default_bucket, parameters.persistence)


def _direct_default(monthly_pd: float, prepayment: float = 0.0, persistence: float = 0.95) -> Credit:
    """A borrower who goes from current straight to charge-off: the Vasicek model's only event."""
    intensity = np.zeros((2, 4))
    intensity[0, 2], intensity[0, 3], intensity[1, 0] = -math.log1p(-monthly_pd), prepayment, 1.0
    return Credit(intensity, 1, persistence)


# --- two normals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("pd", "correlation", "joint"), [(0.02, 0.05, 5.300856e-4), (0.05, 0.10, 3.7127891e-3)])
def test_joint_probability_known_answers(pd: float, correlation: float, joint: float) -> None:
    assert joint_normal_probability(float(ndtri(pd)), correlation) == pytest.approx(joint, rel=1e-6)
    assert implied_correlation(pd, joint) == pytest.approx(correlation, rel=1e-6)


@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("threshold", [-3.5, -1.0, 0.0, 0.7])
def test_joint_probability_agrees_with_another_algorithm(threshold: float, correlation: float) -> None:
    other = multivariate_normal([0.0, 0.0], [[1.0, correlation], [correlation, 1.0]]).cdf([threshold, threshold])
    assert joint_normal_probability(threshold, correlation) == pytest.approx(float(other), abs=1e-8)


# --- the factor's grid ---------------------------------------------------------------------------


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.95, 0.995])
def test_grid_is_a_standard_normal_ar1(persistence: float) -> None:
    nodes, stationary, kernel = factor_grid(persistence)
    assert stationary @ nodes**2 == pytest.approx(1.0, abs=1e-10)
    assert stationary @ nodes**4 == pytest.approx(3.0, abs=1e-8)
    assert stationary @ (nodes * (kernel @ nodes)) == pytest.approx(persistence, abs=1e-8)


@pytest.mark.parametrize("correlation", [0.03, 0.15])
def test_probit_response_is_the_vasicek_model_over_one_period(correlation: float) -> None:
    credit = _direct_default(0.02)
    pd, joint = default_probabilities(credit, "probit", correlation, months=1)
    assert pd == pytest.approx(0.02, abs=1e-12)
    assert joint == pytest.approx(joint_normal_probability(float(ndtri(0.02)), correlation), rel=1e-9)


def test_lognormal_response_keeps_the_mean_intensity() -> None:
    nodes, stationary, _ = factor_grid(0.95)
    multiplier = response_multiplier("lognormal", 0.4, np.array(0.03), nodes)
    assert stationary @ multiplier == pytest.approx(1.0, abs=1e-12)


# --- solving the monthly response ----------------------------------------------------------------


@pytest.mark.parametrize("name", parameter_set_names())
@pytest.mark.parametrize("response", ["lognormal", "probit"])
def test_solved_response_yields_the_quoted_correlation(name: str, response: Response) -> None:
    parameters = _parameters(name)
    strength = float((parameters.sigma if response == "lognormal" else parameters.rho)[0])
    achieved = implied_correlation(*default_probabilities(_credit(parameters), response, strength))
    assert achieved == pytest.approx(parameters.sets[0].systematic.correlation.value, rel=1e-6)


def _conditional_pd(credit: Credit, response: Response, strength: float, factor: Array) -> Array:
    """12-month PD of a loan that starts current, given each path of the factor: float64[path]."""
    entry = credit.intensity[0, 1:-1].sum()
    n_buckets = credit.intensity.shape[0]
    state = np.zeros((factor.shape[0], n_buckets))
    state[:, 0] = 1.0
    defaulted = np.zeros(factor.shape[0])
    for month in range(factor.shape[1]):
        intensity = np.repeat(credit.intensity[None], factor.shape[0], axis=0)
        intensity[:, 0, 1:-1] *= response_multiplier(response, strength, np.array(entry), factor[:, month])[:, None]
        moves = probabilities_from_intensities(intensity)
        flow = state[:, :, None] * moves
        state = state * (1.0 - moves.sum(axis=2)) + flow[:, :, :n_buckets].sum(axis=1)
        defaulted += flow[:, :, n_buckets].sum(axis=1) + state[:, credit.default_bucket :].sum(axis=1)
        state[:, credit.default_bucket :] = 0.0
    return defaulted


def _factor_paths(persistence: float, paths: int, months: int, seed: int) -> Array:
    draws = np.random.default_rng(seed).standard_normal((paths, months))
    for month in range(1, months):
        draws[:, month] = persistence * draws[:, month - 1] + math.sqrt(1.0 - persistence**2) * draws[:, month]
    return draws


@pytest.mark.parametrize("name", parameter_set_names())
@pytest.mark.parametrize("response", ["lognormal", "probit"])
def test_monte_carlo_finds_the_quoted_correlation(name: str, response: Response) -> None:
    # A simulation of the conditional chain, no grid. Tolerance 5 standard errors: false alarm 6e-7 a case.
    parameters = _parameters(name)
    strength = float((parameters.sigma if response == "lognormal" else parameters.rho)[0])
    factor = _factor_paths(parameters.persistence, 20_000, 12, seed=11)
    conditional = _conditional_pd(_credit(parameters), response, strength, factor)
    quoted = parameters.sets[0].systematic.correlation.value
    mean, square = conditional.mean(), (conditional**2).mean()

    def joint_at(pd: float, correlation: float) -> float:
        return joint_normal_probability(float(ndtri(pd)), correlation)

    by_pd = (joint_at(1.001 * mean, quoted) - joint_at(0.999 * mean, quoted)) / (0.002 * mean)
    by_correlation = (joint_at(mean, 1.01 * quoted) - joint_at(mean, 0.99 * quoted)) / (0.02 * quoted)
    influence = (conditional**2 - by_pd * conditional) / by_correlation
    error = influence.std() / math.sqrt(conditional.size)
    assert error < 0.05 * quoted
    assert abs(implied_correlation(mean, square) - quoted) < 5.0 * error


def test_linearised_variance_agrees() -> None:
    # Another algorithm: PD12 as a linear functional of the monthly responses, weights by differences.
    parameters = _parameters("us_prime")
    credit, sigma = _credit(parameters), float(parameters.sigma[0])

    def pd12(responses: Array) -> float:
        # A path Y = ln(g) / s + s / 2 yields the response g whatever s is.
        return float(_conditional_pd(credit, "lognormal", 0.1, (np.log(responses) / 0.1 + 0.05)[None])[0])

    bump = 1e-4 * np.eye(12)
    weight = np.array([(pd12(1.0 + row) - pd12(1.0 - row)) / 2e-4 for row in bump])
    lag = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    variance = weight @ (np.exp(sigma**2 * parameters.persistence**lag) - 1.0) @ weight
    pd, joint = default_probabilities(credit, "lognormal", sigma)
    assert variance == pytest.approx(joint - pd**2, rel=0.02)
    assert weight[10:] == pytest.approx(0.0, abs=1e-6)  # 90 days past due takes three months


def test_persistence_lowers_cumulative_default_a_little() -> None:
    # The mean intensity is kept, not the mean of a 12-month default: bad spells exhaust a pool.
    for name, fall in (("us_prime", 0.0031), ("us_subprime", 0.0149)):
        parameters = _parameters(name)
        pd, _ = default_probabilities(_credit(parameters), "lognormal", float(parameters.sigma[0]))
        flat, _ = default_probabilities(_credit(parameters), "lognormal", 0.0)
        assert 1.0 - pd / flat == pytest.approx(fall, abs=2e-4)


@pytest.mark.parametrize("monthly_pd", [0.002, 0.004, 0.01])
def test_a_yearly_correlation_fed_in_monthly_acts_too_strongly(monthly_pd: float) -> None:
    # A one-step default with prepayment 1.65 % a month: .02 acts like .03 to .035 over 12 months.
    credit = _direct_default(monthly_pd, prepayment=0.0165)
    assert 0.028 < implied_correlation(*default_probabilities(credit, "probit", 0.02)) < 0.036
    assert solve_response(credit, "probit", 0.02, 12) < 0.015


def test_a_correlation_quoted_at_one_month() -> None:
    credit = _credit(_parameters("us_near_prime"))
    assert solve_response(credit, "probit", 0.02, 1) == 0.02
    sigma = solve_response(credit, "lognormal", 0.02, 1)
    nodes, stationary, _ = factor_grid(0.0)
    entry = credit.intensity[0, 1:-1].sum()
    hit = -np.expm1(-entry * response_multiplier("lognormal", sigma, np.array(entry), nodes))
    assert implied_correlation(float(stationary @ hit), float(stationary @ hit**2)) == pytest.approx(0.02, rel=1e-6)


def test_no_correlation_and_no_default_need_no_response() -> None:
    credit = _credit(_parameters("us_prime"))
    assert solve_response(credit, "lognormal", 0.0, 12) == 0.0
    assert solve_response(_direct_default(0.0), "lognormal", 0.02, 12) == 0.0


def test_a_correlation_out_of_reach_is_refused() -> None:
    # Independent months average out: no monthly response makes two years' defaults coincide like this.
    credit = Credit(_parameters("us_prime").published_intensity[0], 3, persistence=0.0)
    with pytest.raises(ValueError, match="larger than any monthly response"):
        solve_response(credit, "lognormal", 0.95, 12)


# --- sums of AR(1) series ------------------------------------------------------------------------


def test_sum_of_ar1_returns_known_answer() -> None:
    # phi .6, innovation sd .0065: 12-month sd .0517176041, against .0281458256 for independent months.
    assert 0.0065 * math.sqrt(sum_variance_factor(0.6)) == pytest.approx(0.0517176041, abs=5e-11)
    variance_ratio = sum_variance_factor(0.6) * (1.0 - 0.6**2) / 12.0
    assert variance_ratio == pytest.approx(3.37636049, abs=5e-9)


@pytest.mark.parametrize(("name", "published"), [("us_prime", 0.079), ("cn_auto_finance", 0.10)])
def test_an_index_has_the_published_yearly_sd(name: str, published: float) -> None:
    # From the scenario's path on: stationary returns, jumps, and the pull back to the path.
    parameters = _parameters(name)
    kept = (1.0 - parameters.reversion) ** np.arange(11, -1, -1)
    lag = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    covariance = parameters.index_persistence**lag / (1.0 - parameters.index_persistence**2)
    returns = parameters.index_innovation_sd**2 * (kept @ covariance @ kept)
    jumps = parameters.jump_intensity * (parameters.jump_mean**2 + parameters.jump_sd**2) * (kept**2).sum()
    assert math.sqrt(returns + jumps) == pytest.approx(published, abs=5e-4)


def test_covariance_of_sums_agrees_with_state_space() -> None:
    # Another algorithm: stationary covariance of the pair by a Lyapunov equation, then lagged sums.
    step = np.diag([0.4, 0.95])
    stationary = solve_discrete_lyapunov(step, np.array([[1.0, 0.5], [0.5, 1.0]]))
    total = np.zeros((2, 2))
    for first in range(12):
        for second in range(12):
            lag = np.linalg.matrix_power(step, abs(first - second))
            total += lag @ stationary if first >= second else stationary @ lag.T
    assert total[0, 1] == pytest.approx(0.5 * sum_covariance_factor(0.4, 0.95), rel=1e-12)
    assert total[0, 0] == pytest.approx(sum_variance_factor(0.4), rel=1e-12)
    assert total[1, 1] == pytest.approx(sum_variance_factor(0.95), rel=1e-12)


def test_solved_innovations_yield_the_quoted_correlation_of_returns() -> None:
    # Simulation of a typical segment: common part plus residual. 5 standard errors: false alarm 6e-7.
    solved = innovation_correlation(-0.3, 0.4, 0.95, 0.75)
    rng = np.random.default_rng(3)
    paths, months = 40_000, 72  # the returns forget their start at 0 within a few months
    factor = _factor_paths(0.95, paths, months, seed=4)
    credit = np.zeros_like(factor)
    credit[:, 1:] = (factor[:, 1:] - 0.95 * factor[:, :-1]) / math.sqrt(1.0 - 0.95**2)
    common = solved * credit + math.sqrt(1.0 - solved**2) * rng.standard_normal((paths, months))
    shock = math.sqrt(0.75) * common + math.sqrt(0.25) * rng.standard_normal((paths, months))
    returns = np.zeros_like(shock)
    for month in range(1, months):
        returns[:, month] = 0.4 * returns[:, month - 1] + shock[:, month]
    found = np.corrcoef(returns[:, -12:].sum(axis=1), factor[:, -12:].sum(axis=1))[0, 1]
    assert abs(found + 0.3) < 5.0 * (1.0 - 0.3**2) / math.sqrt(paths)


def test_an_index_correlation_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected less than 0\.\d+ in size"):
        innovation_correlation(-0.9, 0.4, 0.95, 0.75)
