"""Systematic factors and used-car index paths for a block of paths (methodology (3), (5) to (5c))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, pdtrc

from scenarios.vocabulary import SEGMENTS
from simulator.entities import named_entity
from simulator.kernels.random import draw_normals
from simulator.parameters import Parameters
from simulator.tail_proposal import Proposal, components, log_weights, moved

Floats = NDArray[np.float64]

JUMPS = ("index:jumps", "index:jump_size")
"""Entities whose normals give the number of a month's common jumps and their sum."""

INDEX_COMMON = "index:common"
"""Entity whose normals move all segments of the index."""


@dataclass(frozen=True, slots=True)
class SystematicPaths:
    """Systematic paths of a block of paths.

    Attributes
    ----------
    factor : float64[path, factor, month 0..T]
        Standard normal, stationary, larger is worse; global first, then the names given.
    index : float64[path, month 0..X, segment]
        Used-car index around its scenario path: compensated, mean 1; 1 at month 0.
    log_weight : float64[path]
        Logarithm of the paths' weights; zeros where paths are drawn plainly.
    """

    factor: Floats
    index: Floats
    log_weight: Floats


def factor_name(kind: str, level: str) -> str:
    """Name of a regional or sectoral factor: its address in the draws depends on nothing else."""
    return f"factor:{kind}:{level}"


def shocked_entities(names: tuple[str, ...]) -> tuple[str, ...]:
    """Named entities whose normals drive the factors and the index, jumps apart, in the order of the draws."""
    return ("factor:global", *names, INDEX_COMMON, *(f"index:{segment}" for segment in SEGMENTS))


def draw_systematic(
    names: tuple[str, ...],
    parameters: Parameters,
    paths: range,
    months: int,
    index_months: int,
    *,
    seed: int,
    proposal: Proposal | None = None,
) -> SystematicPaths:
    """Draw the factors named and the used-car index for the paths of a range.

    Parameters
    ----------
    names : tuple of str
        Regional and sectoral factors, from `factor_name`.
    paths : range
        Absolute path numbers, step 1.
    months, index_months : int
        Last month of the factors and of the index.
    proposal : Proposal, optional
        Where the shocks are drawn from, and the weights that undo it; without it from the model itself.
    """
    jumps = JUMPS if parameters.jump_intensity > 0.0 else ()
    last = index_months if proposal is None else max(index_months, proposal.last_month)
    shocks = draw_shocks((*shocked_entities(names), *jumps), paths, last, seed)
    log_weight = np.zeros(len(paths))
    if proposal is not None:
        along = components(proposal, paths, seed)
        moving = len(proposal.entities), proposal.last_month + 1
        shocks[:, : moving[0], : moving[1]] = moved(shocks[:, : moving[0], : moving[1]], proposal, along)
        log_weight = log_weights(proposal, along[:, 0])
    own, market = 1 + len(names), 1 + len(SEGMENTS)
    credit, prices, sudden = np.split(shocks[..., : index_months + 1], (own, own + market), axis=1)
    noise = _index_noise(credit[:, 0], prices, parameters)
    if jumps:
        noise += _jump_noise(sudden[:, 0], sudden[:, 1], parameters)[..., None]
    factor = _stationary(credit[..., : months + 1], parameters.persistence)
    return SystematicPaths(factor, np.exp(noise), log_weight)


def draw_shocks(entities: tuple[str, ...], paths: range, last_month: int, seed: int) -> Floats:
    """Independent standard normals of named entities (D1): float64[path, entity, month 0..last]."""
    addresses = np.array([named_entity(name) for name in entities], dtype=np.uint64)
    shocks = np.empty((len(paths), addresses.size, last_month + 1))
    draw_normals(addresses, paths.start, np.uint64(seed), shocks)
    return shocks


def _stationary(shocks: Floats, persistence: float) -> Floats:
    """AR(1) of unit variance, stationary from month 0, along the last axis."""
    out = np.empty_like(shocks)
    out[..., 0] = shocks[..., 0]
    scale = np.sqrt(1.0 - persistence**2)
    for month in range(1, shocks.shape[-1]):
        out[..., month] = persistence * out[..., month - 1] + scale * shocks[..., month]
    return out


def _index_noise(credit: Floats, shocks: Floats, parameters: Parameters) -> Floats:
    """Compensated log index without jumps, from innovations tied to the credit factor's (methodology (5), (5a)).

    The common return and the global factor start from their joint stationary law, so the
    correlation of their 12-month sums is the same in every year of the horizon.  That quoted correlation and the
    quoted standard deviations are those of the returns: without jumps, and before the level is drawn back.

    Returns
    -------
    float64[path, month 0..X, segment]
        Log index around the scenario's path; exp of it has mean 1.
    """
    phi, tie = parameters.index_persistence, parameters.index_factor_correlation
    credit_phi = parameters.persistence
    # Correlation of the two stationary levels that innovations with correlation `tie` lead to.
    start_tie = tie * np.sqrt((1.0 - credit_phi**2) * (1.0 - phi**2)) / (1.0 - credit_phi * phi)
    common = tie * credit + np.sqrt(1.0 - tie**2) * shocks[:, 0]
    common[:, 0] = start_tie * credit[:, 0] + np.sqrt(1.0 - start_tie**2) * shocks[:, 0, 0]
    common_sd = parameters.index_innovation_sd * np.sqrt(parameters.index_common_share)
    level_sd = 1.0 / np.sqrt(1.0 - phi**2)
    # A return is its innovation sd x level_sd x an AR(1) of unit variance.
    returns = common_sd * level_sd * _stationary(common, phi)[:, None, :]
    returns = returns + (parameters.index_residual_sd * level_sd)[:, None] * _stationary(shocks[:, 1:], phi)
    noise = _accumulated(returns, parameters.reversion)
    variance = common_sd**2 + parameters.index_residual_sd**2
    months = shocks.shape[-1] - 1
    noise -= 0.5 * cumulative_variance(months, phi, parameters.reversion)[None, None, :] * variance[None, :, None]
    return np.ascontiguousarray(noise.transpose(0, 2, 1))


def _accumulated(returns: Floats, reversion: float) -> Floats:
    """Level u(t) = (1 - kappa) u(t-1) + return(t) along the last axis, u(0) = 0 (methodology (5b))."""
    level = np.zeros_like(returns)
    for month in range(1, returns.shape[-1]):
        level[..., month] = (1.0 - reversion) * level[..., month - 1] + returns[..., month]
    return level


def cumulative_variance(months: int, persistence: float, reversion: float = 0.0) -> Floats:
    """Variance of u in months 0..`months` that stationary AR(1) returns of unit innovation variance lead to.

    Var u(t) = (w(t) + 2 sum_k w(t - k) (a phi)^k) / (1 - phi^2) with a = 1 - kappa and w(n) = 1 + a^2 + ... +
    a^(2n-2), which is n without reversion: then u is the sum of t returns.  Known values in reference case AR(1)/OU.

    Parameters
    ----------
    persistence : float
        phi, monthly coefficient of the returns, below 1.
    reversion : float
        kappa, 0 to 1: the share of the level's distance from the scenario's path that is lost in a month.

    Returns
    -------
    float64[months + 1]
    """
    kept = 1.0 - reversion
    weight = np.concatenate(([0.0], np.cumsum(kept ** (2 * np.arange(months)))))
    lags = np.arange(1, months + 1)
    tail = np.zeros(months + 1)
    for month in range(2, months + 1):
        before = lags[: month - 1]
        tail[month] = np.sum(weight[month - before] * (kept * persistence) ** before)
    return np.asarray((weight + 2.0 * tail) / (1.0 - persistence**2))


def _jump_noise(number: Floats, size: Floats, parameters: Parameters) -> Floats:
    """Compensated part of the log index that jumps of the whole market make (methodology (5c)).

    A month's number of jumps is Poisson, read from a normal by inversion; their sum is normal given their number.

    Parameters
    ----------
    number, size : float64[path, month 0..X]
        Standard normals.

    Returns
    -------
    float64[path, month 0..X]
        exp of it has mean 1 in every month; 0 in month 0.
    """
    count = np.searchsorted(_count_thresholds(parameters.jump_intensity), number).astype(np.float64)
    returns = count * parameters.jump_mean + np.sqrt(count) * parameters.jump_sd * size
    return _accumulated(returns, parameters.reversion) - jump_cumulant(number.shape[-1] - 1, parameters)


def _count_thresholds(intensity: float) -> Floats:
    """Normal quantiles of P(N <= 0), P(N <= 1), ...: n of them lie below a normal that stands for n jumps."""
    # Seven standard deviations and fifteen jumps above the mean: what lies beyond is rarer than a draw's 2^-33.
    most = int(np.ceil(intensity + 7.0 * np.sqrt(intensity) + 15.0))
    return np.asarray(-ndtri(pdtrc(np.arange(most), intensity)))


def jump_cumulant(months: int, parameters: Parameters) -> Floats:
    """Log of E[exp of the jumps' part of u] in months 0..`months` (methodology (5c)), float64[months + 1].

    lambda sum_{j<t} (E[exp(a^j J)] - 1), a = 1 - kappa: a jump of j months ago counts with a^j of its size.
    """
    kept = (1.0 - parameters.reversion) ** np.arange(months)
    growth = np.expm1(kept * parameters.jump_mean + 0.5 * (kept * parameters.jump_sd) ** 2)
    return np.concatenate(([0.0], parameters.jump_intensity * np.cumsum(growth)))
