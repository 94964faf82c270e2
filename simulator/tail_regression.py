"""Arithmetic of the pilot: how a loss hangs on the factors' shocks, in coordinates that few paths can tell.

A book's factors have thousands of shocks, a pilot a thousand paths. What a month's shock does to the loss changes
slowly from month to month, so each entity has four coordinates only: its shock of month 0, from which it starts in its
stationary law, and the first Legendre polynomials over the months after it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]

POLYNOMIALS: Final = 3
"""Legendre polynomials over the months. Measured on the default study's books: a fourth to sixth adds nothing to the
share of the loss's variance that its direction explains, a second alone lacks two points of it."""


def monthly_basis(last_month: int, months: int) -> Floats:
    """Orthonormal functions of the month: float64[function, month 0..months].

    Parameters
    ----------
    last_month : int
        Last month with a shock that matters, 1 or more; the functions are 0 after it.
    months : int
        Last month of the array.
    """
    count = min(POLYNOMIALS, last_month)
    grid = np.linspace(-1.0, 1.0, last_month) if last_month > 1 else np.zeros(1)
    rows = [np.zeros(months + 1)]
    rows[0][0] = 1.0
    for column in orthonormal(np.asarray(legendre.legvander(grid, count - 1).T, dtype=np.float64)):
        row = np.zeros(months + 1)
        row[1 : last_month + 1] = column
        rows.append(row)
    return np.stack(rows)


def orthonormal(vectors: Floats, *, least: float = 1e-6) -> Floats:
    """Gram and Schmidt: what of each vector is orthogonal to those before it, at length 1; nearly nothing is left out.

    Parameters
    ----------
    vectors : float64[vector, place]
    least : float
        Share of its length that a vector must keep.
    """
    kept: list[Floats] = []
    for vector in vectors:
        rest = vector
        for _ in range(2):  # the second time removes what rounding left
            for other in kept:
                rest = rest - (rest * other).sum() * other
        size, full = np.sqrt((rest**2).sum()), np.sqrt((vector**2).sum())
        if size > least * full:
            kept.append(rest / size)
    return np.stack(kept)


def normal_scores(losses: Floats, weight: Floats) -> Floats:
    """Normal quantiles of the losses' weighted ranks (van der Waerden), ties at their mean: float64[path].

    Any monotone dependence on a normal variable becomes linear, and no single path outweighs the others.
    """
    _, codes = np.unique(losses, return_inverse=True)
    held = np.bincount(codes, weights=weight)
    middle = np.cumsum(held) - 0.5 * held
    return np.asarray(ndtri(middle / held.sum())[codes], dtype=np.float64)


def slopes(coordinates: Floats, response: Floats) -> tuple[Floats, float]:
    """Ridge regression of a response on independent coordinates of variance 1, both centred.

    The penalty is the number of coordinates: the best where they explain half of the response. Where there are many
    more paths than coordinates it shrinks all slopes alike; where there are not, it keeps their noise small (Hoerl and
    Kennard, Technometrics 12, 1970). Sums are taken without BLAS and the equations solved row by row: their bits depend
    on no number of threads.

    Returns
    -------
    float64[coordinate], float
        The slopes, and the variance of a slope that is nothing but noise.
    """
    centred = coordinates - coordinates.mean(axis=0)
    target = response - response.mean()
    paths, count = centred.shape
    gram = np.einsum("ni,nj->ij", centred, centred, optimize=False)
    gram[np.diag_indices(count)] += count
    found = _solved(gram, np.einsum("ni,n->i", centred, target, optimize=False))
    rest = target - np.einsum("ni,i->n", centred, found, optimize=False)
    # Degrees of freedom that the penalty leaves to the slopes: count x paths / (paths + count).
    variance = float((rest**2).sum()) * (paths + count) / paths**2
    return found, variance * paths / (paths + count) ** 2


def _solved(matrix: Floats, right: Floats) -> Floats:
    """Solution of a positive definite system by Cholesky's factors."""
    lower, count = matrix.copy(), right.size
    for item in range(count):
        lower[item, item] = np.sqrt(lower[item, item])
        lower[item + 1 :, item] /= lower[item, item]
        lower[item + 1 :, item + 1 :] -= lower[item + 1 :, item, None] * lower[None, item + 1 :, item]
    found = right.copy()
    for item in range(count):
        found[item] = (found[item] - (lower[item, :item] * found[:item]).sum()) / lower[item, item]
    for item in reversed(range(count)):
        found[item] = (found[item] - (lower[item + 1 :, item] * found[item + 1 :]).sum()) / lower[item, item]
    return found


def without_noise(found: Floats, variance: float, groups: NDArray[np.int64]) -> Floats:
    """Slopes drawn in towards 0 by what chance makes of those of an entity, and 0 where that is all of them.

    Positive-part shrinkage by group (James and Stein 1961): each entity's slopes times max(0, 1 - k s^2 / |b|^2).

    Parameters
    ----------
    found : float64[coordinate]
    variance : float
        s^2, variance of a slope that is nothing but noise, as `slopes` gives it.
    groups : int64[coordinate]
        Number of the entity of each coordinate.
    """
    squares = np.bincount(groups, weights=found**2)
    noise = variance * np.bincount(groups)
    kept = np.maximum(1.0 - np.divide(noise, squares, out=np.ones_like(squares), where=squares > 0.0), 0.0)
    return np.asarray(found * kept[groups])


def explained(losses: Floats, weight: Floats, z: Floats, strata: int) -> float:
    """Share of the losses' variance between strata of z of equal weight, corrected for their number; 0 at least.

    Parameters
    ----------
    losses, weight, z : float64[path]
    strata : int
    """
    order = np.argsort(z, kind="stable")
    reach = np.cumsum(weight[order])
    code = np.empty(z.size, np.int64)
    code[order] = np.minimum((strata * (reach - 0.5 * weight[order]) / reach[-1]).astype(np.int64), strata - 1)
    held = np.bincount(code, weights=weight, minlength=strata)
    mean = np.divide(np.bincount(code, weights=weight * losses, minlength=strata), held, where=held > 0.0, out=held * 0)
    total = float((weight * (losses - (weight * losses).sum() / weight.sum()) ** 2).sum())
    within = float((weight * (losses - mean[code]) ** 2).sum())
    effective = float(weight.sum()) ** 2 / float((weight**2).sum())
    if total <= 0.0 or effective <= strata:
        return 0.0
    return max(1.0 - within / total * (effective - 1.0) / (effective - strata), 0.0)
