"""Systematic factors and used-car index paths for a block of paths (methodology (3), (5))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import SEGMENTS
from simulator.entities import named_entity
from simulator.kernels.random import draw_normals
from simulator.parameters import Parameters

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SystematicPaths:
    """Systematic paths of a block of paths.

    Attributes
    ----------
    factor : float64[path, factor, month 0..T]
        Standard normal, stationary, larger is worse; global first, then the names given.
    index : float64[path, month 0..X, segment]
        Used-car index around its scenario path: compensated, mean 1; 1 at month 0.
    """

    factor: Floats
    index: Floats


def factor_name(kind: str, level: str) -> str:
    """Name of a regional or sectoral factor: its address in the draws depends on nothing else."""
    return f"factor:{kind}:{level}"


def draw_systematic(
    names: tuple[str, ...], parameters: Parameters, paths: range, months: int, index_months: int, *, seed: int
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
    """
    entities = ["factor:global", *names, "index:common", *(f"index:{segment}" for segment in SEGMENTS)]
    addresses = np.array([named_entity(name) for name in entities], dtype=np.uint64)
    shocks = np.empty((len(paths), addresses.size, index_months + 1))
    draw_normals(addresses, paths.start, np.uint64(seed), shocks)
    factors = 1 + len(names)
    factor = _stationary(shocks[:, :factors, : months + 1], parameters.persistence)
    return SystematicPaths(factor, np.exp(_index_noise(shocks[:, 0], shocks[:, factors:], parameters)))


def _stationary(shocks: Floats, persistence: float) -> Floats:
    """AR(1) of unit variance, stationary from month 0, along the last axis."""
    out = np.empty_like(shocks)
    out[..., 0] = shocks[..., 0]
    scale = np.sqrt(1.0 - persistence**2)
    for month in range(1, shocks.shape[-1]):
        out[..., month] = persistence * out[..., month - 1] + scale * shocks[..., month]
    return out


def _index_noise(credit: Floats, shocks: Floats, parameters: Parameters) -> Floats:
    """Compensated log index, from innovations tied to the credit factor's (methodology (5), (5a)).

    The common return and the global factor start from their joint stationary law, so the
    correlation of their 12-month sums is the same in every year of the horizon.
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
    noise = np.zeros_like(returns)
    np.cumsum(returns[..., 1:], axis=-1, out=noise[..., 1:])
    variance = common_sd**2 + parameters.index_residual_sd**2
    noise -= 0.5 * cumulative_variance(shocks.shape[-1] - 1, phi)[None, None, :] * variance[None, :, None]
    return np.ascontiguousarray(noise.transpose(0, 2, 1))


def cumulative_variance(months: int, persistence: float) -> Floats:
    """Variance of the sum of the first 0..months stationary AR(1) returns of unit innovation variance.

    Var = (t + 2 sum_k (t - k) phi^k) / (1 - phi^2); known values in reference case AR(1)/OU.
    """
    t = np.arange(months + 1)
    lags = np.arange(1, months + 1)
    tail = np.array([np.sum((time - lags[: max(time - 1, 0)]) * persistence ** lags[: max(time - 1, 0)]) for time in t])
    return np.asarray((t + 2.0 * tail) / (1.0 - persistence**2))
