"""From quoted correlations to the monthly figures that yield them.

A correlation of defaults is quoted for a 12-month horizon, that of car prices and credit on 12-month
sums; the engine draws months.  Fed in monthly, a 12-month figure would act far too strongly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri, owens_t

from scenarios.vocabulary import ENTER
from simulator.intensities import cause_classes, probabilities_from_intensities

Array = NDArray[np.float64]
Response = Literal["lognormal", "probit"]

HORIZON_MONTHS = 12
"""Horizon at which correlations are quoted."""

GRID_REACH = 8.0
"""Half-width of the factor's grid in standard deviations; the mass beyond is 1e-15."""

GRID_STEP = 0.1
"""Widest step of that grid; the trapezoid rule on a normal density is then exact to rounding."""

STEPS_PER_INNOVATION = 1.6
"""Grid steps per standard deviation of the factor's innovation, so that its density too is resolved."""

LARGEST_SIGMA = 3.0
LARGEST_CORRELATION = 0.95


@dataclass(frozen=True)
class Credit:
    """What the solvers need to know of a tier.

    Attributes
    ----------
    intensity : float64[K+1, K+3]
        Monthly intensities at factor response 1.
    default_bucket : int
        First bucket that counts as default; charge-off counts too.
    persistence : float
        Monthly AR(1) coefficient of the factor, 0 to 0.995.
    """

    intensity: Array
    default_bucket: int
    persistence: float


def joint_normal_probability(threshold: float, correlation: float) -> float:
    """P(X < c and Y < c) of two standard normals, by Owen's T function.

    Owen, D. B. (1956), Tables for computing bivariate normal probabilities.

    Parameters
    ----------
    threshold : float
        c, the same for both.
    correlation : float
        Between -1 and 1, both excluded.
    """
    slope = math.sqrt((1.0 - correlation) / (1.0 + correlation))
    return math.exp(float(log_ndtr(threshold))) - 2.0 * float(owens_t(threshold, slope))


def response_multiplier(response: Response, strength: float, intensity: Array, factor: Array) -> Array:
    """Factor response g of methodology (3).

    Parameters
    ----------
    response : "lognormal" or "probit"
        exp(sigma Y - sigma^2/2), or g with 1 - exp(-g lambda) = Phi((Phi^-1(p) + sqrt(rho) Y) / sqrt(1 - rho))
        and p = 1 - exp(-lambda).
    strength : float
        Monthly sigma (lognormal) or asset correlation rho (probit).
    intensity : float64[...]
        lambda, per month; where it is 0 the response is 1.
    factor : float64[node]
        Values of Y.

    Returns
    -------
    float64[node, ...]
        Multiplier of the intensity of entry.
    """
    spread = factor.reshape(-1, *(1,) * intensity.ndim)
    if response == "lognormal":
        return np.exp(strength * spread - 0.5 * strength**2) * np.ones_like(intensity)
    present = intensity > 0.0
    safe = np.where(present, intensity, 1.0)
    threshold = ndtri(-np.expm1(-safe))
    conditional = (threshold + math.sqrt(strength) * spread) / math.sqrt(1.0 - strength)
    return np.where(present, -log_ndtr(-conditional) / safe, 1.0)


def factor_grid(persistence: float) -> tuple[Array, Array, Array]:
    """A stationary N(0,1) AR(1) factor on a grid, by the trapezoid rule.

    Returns
    -------
    float64[node]
        Values of the factor.
    float64[node]
        Stationary probabilities.
    float64[node, node]
        Transition probabilities from this month's node to the next month's.
    """
    innovation_sd = math.sqrt(1.0 - persistence**2)
    step = min(GRID_STEP, innovation_sd / STEPS_PER_INNOVATION)
    reach = math.ceil(GRID_REACH / step)
    nodes = step * np.arange(-reach, reach + 1, dtype=np.float64)
    stationary = np.exp(-0.5 * nodes**2)
    kernel = np.exp(-0.5 * ((nodes[None, :] - persistence * nodes[:, None]) / innovation_sd) ** 2)
    return nodes, stationary / stationary.sum(), kernel / kernel.sum(axis=1, keepdims=True)


def _entry_intensity(intensity: Array) -> Array:
    """Total intensity of leaving current for arrears or charge-off, float64[] of a table float64[K+1, K+3]."""
    return np.asarray(np.where(cause_classes(intensity.shape[0]) == ENTER, intensity, 0.0).sum())


def _conditional_steps(credit: Credit, response: Response, strength: float, nodes: Array) -> Array:
    """Monthly probabilities among buckets before default, and into default (last state), at each node."""
    entry = cause_classes(credit.intensity.shape[0]) == ENTER
    multiplier = response_multiplier(response, strength, _entry_intensity(credit.intensity), nodes)
    by_cell = np.where(entry, multiplier[:, None, None], 1.0)
    return _absorb_default(probabilities_from_intensities(credit.intensity * by_cell), credit.default_bucket)


def _absorb_default(probability: Array, default_bucket: int) -> Array:
    """Fold default buckets and charge-off into one absorbing last state; prepaid loans leave."""
    n_buckets = probability.shape[-2]
    alive = np.arange(default_bucket)
    steps = np.zeros((probability.shape[0], default_bucket + 1, default_bucket + 1))
    steps[:, :default_bucket, :default_bucket] = probability[:, :default_bucket, :default_bucket]
    steps[:, alive, alive] = 1.0 - probability[:, :default_bucket].sum(axis=-1)
    into_default = probability[:, :default_bucket, default_bucket : n_buckets + 1].sum(axis=-1)
    steps[:, :default_bucket, default_bucket] = into_default
    steps[:, default_bucket, default_bucket] = 1.0
    return steps


def default_probabilities(
    credit: Credit, response: Response, strength: float, months: int = HORIZON_MONTHS
) -> tuple[float, float]:
    """Probability that one loan, and that both of two loans on one factor, default within the horizon.

    Both start current.  Two loans are independent given the factor, so the pair is a chain of its own
    on a grid of factor values: exact up to the grid, no linearisation in the response.

    Returns
    -------
    float
        PD over `months` of a loan that starts current, averaged over the factor.
    float
        Joint PD of two such loans that share the whole factor.
    """
    nodes, stationary, kernel = factor_grid(credit.persistence)
    steps = _conditional_steps(credit, response, strength, nodes)
    n_states = steps.shape[-1]
    pair = np.zeros((nodes.size, n_states, n_states))
    single = np.zeros((nodes.size, n_states))
    pair[:, 0, 0] = single[:, 0] = stationary
    for month in range(months):
        if month:
            pair = np.tensordot(kernel.T, pair, axes=1)
            single = kernel.T @ single
        pair = steps.transpose(0, 2, 1) @ pair @ steps
        single = (single[:, None, :] @ steps)[:, 0, :]
    return float(single[:, -1].sum()), float(pair[:, -1, -1].sum())


def implied_correlation(pd: float, joint: float) -> float:
    """Asset correlation at which two defaults of probability `pd` coincide with probability `joint`.

    Inverts Phi2(c, c; rho) = joint with c = Phi^-1(pd): targets 2.1 of the Vasicek model.
    """
    threshold = float(ndtri(pd))
    return float(brentq(lambda rho: joint_normal_probability(threshold, rho) - joint, -0.5, 0.999, xtol=1e-12))


def _excess_joint(pd: float, joint: float, correlation: float) -> float:
    """Joint PD above the one that the quoted correlation asks for."""
    return joint - joint_normal_probability(float(ndtri(pd)), correlation)


def solve_response(credit: Credit, response: Response, correlation: float, horizon_months: Literal[1, 12]) -> float:
    """Monthly strength of the response that yields the quoted correlation of defaults.

    Horizon 12: a pair of loans that start current, `default_probabilities`.  Horizon 1: the event is one
    month's entry into arrears; for `probit` the quoted figure then is the monthly one, by construction.

    Parameters
    ----------
    credit : Credit
        The tier.
    response : "lognormal" or "probit"
        Response whose sigma or rho is wanted.
    correlation : float
        Quoted asset correlation, 0 or more and below 1.
    horizon_months : 1 or 12
        Horizon at which it is quoted.

    Returns
    -------
    float
        Monthly sigma (lognormal) or asset correlation (probit); 0 where no loan can default.
    """
    if correlation == 0.0:
        return 0.0
    if horizon_months == 1:
        return correlation if response == "probit" else _one_month_sigma(credit, correlation)
    if default_probabilities(credit, response, 0.0)[0] <= 0.0:
        return 0.0

    def excess(strength: float) -> float:
        return _excess_joint(*default_probabilities(credit, response, strength), correlation)

    return _root(excess, LARGEST_SIGMA if response == "lognormal" else LARGEST_CORRELATION)


def _one_month_sigma(credit: Credit, correlation: float) -> float:
    """Lognormal sigma at which one month's entries into arrears have the quoted asset correlation."""
    entry = _entry_intensity(credit.intensity)
    if entry <= 0.0:
        return 0.0
    nodes, stationary, _ = factor_grid(0.0)

    def excess(sigma: float) -> float:
        conditional = -np.expm1(-entry * response_multiplier("lognormal", sigma, entry, nodes))
        return _excess_joint(float(stationary @ conditional), float(stationary @ conditional**2), correlation)

    return _root(excess, LARGEST_SIGMA)


def _root(excess: Callable[[float], float], largest: float) -> float:
    """Root of a function that rises from below 0 at 0; ValueError where it stays below 0."""
    if excess(largest) < 0.0:
        raise ValueError("the quoted correlation is larger than any monthly response of this tier can yield")
    return float(brentq(excess, 0.0, largest, xtol=1e-10))


def sum_variance_factor(persistence: float, months: int = HORIZON_MONTHS) -> float:
    """Variance of the sum of n successive AR(1) terms over the squared innovation sd.

    (n + 2 sum_k (n - k) phi^k) / (1 - phi^2), stationary start.
    """
    lags = np.arange(1, months)
    return float((months + 2.0 * ((months - lags) * persistence**lags).sum()) / (1.0 - persistence**2))


def sum_covariance_factor(persistence_a: float, persistence_b: float, months: int = HORIZON_MONTHS) -> float:
    """Covariance of the sums of two AR(1) series over the covariance of their innovations.

    (n + sum_k (n - k)(phi_a^k + phi_b^k)) / (1 - phi_a phi_b), stationary start.
    """
    lags = np.arange(1, months)
    cross = ((months - lags) * (persistence_a**lags + persistence_b**lags)).sum()
    return float((months + cross) / (1.0 - persistence_a * persistence_b))


def innovation_correlation(
    sum_correlation: float, index_persistence: float, factor_persistence: float, common_share: float
) -> float:
    """Correlation of the monthly innovations that yields the quoted correlation of 12-month sums.

    The quoted figure is that of a typical segment's returns with the global factor; only the common
    part of the returns, `common_share` of their variance, moves with the factor.

    Parameters
    ----------
    sum_correlation : float
        Quoted correlation of 12-month sums, negative where bad months for borrowers are bad for cars.
    index_persistence, factor_persistence : float
        Monthly AR(1) coefficients of the returns and of the factor.
    common_share : float
        Share of a typical segment's variance that all segments have in common.

    Returns
    -------
    float
        Correlation between the innovations of the common returns and of the global factor.
    """
    if sum_correlation == 0.0:
        return 0.0
    covariance = sum_covariance_factor(index_persistence, factor_persistence)
    spread = math.sqrt(sum_variance_factor(index_persistence) * sum_variance_factor(factor_persistence))
    reach = math.sqrt(common_share) * covariance / spread
    if abs(sum_correlation) >= reach:
        raise ValueError(
            f"correlation {sum_correlation} of 12-month sums; expected less than {reach:.3f} in size: "
            f"with persistence {index_persistence} and {factor_persistence} and a common share of {common_share} "
            "no innovations are correlated enough"
        )
    return sum_correlation / reach
