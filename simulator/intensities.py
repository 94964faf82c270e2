"""Monthly probabilities to competing intensities and back: methodology (2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import CHARGE_OFF, CURE, ENTER, PREPAY, ROLL

Array = NDArray[np.float64]

STAYS = -1
"""Mark of the diagonal in a table of cause classes: no transition."""


def intensities_from_probabilities(probability: Array) -> Array:
    """Convert monthly transition probabilities to constant competing intensities, exactly.

    Methodology (2): total intensity = -ln(1 - m) with m the probability to move at all, and each
    cause keeps its share of it.  The naive -ln(1 - p) per cause is wrong where causes compete.

    Parameters
    ----------
    probability : float64[..., cause]
        Probability of each move within the month; their sum lies in [0, 1).

    Returns
    -------
    float64[..., cause]
        Intensity per month of each cause.
    """
    moves = probability.sum(axis=-1, keepdims=True)
    total = -np.log1p(-moves)
    scale = np.divide(total, moves, out=np.ones_like(moves), where=moves > 0.0)
    return np.asarray(probability * scale, dtype=np.float64)


def probabilities_from_intensities(intensity: Array) -> Array:
    """Probability that each cause fires first within the month: methodology (2).

    Parameters
    ----------
    intensity : float64[..., cause]
        Constant intensities per month, 0 or more.

    Returns
    -------
    float64[..., cause]
        Probability of each move; the rest to 1 is the probability to stay.
    """
    total = intensity.sum(axis=-1, keepdims=True)
    scale = np.divide(-np.expm1(-total), total, out=np.ones_like(total), where=total > 0.0)
    return np.asarray(intensity * scale, dtype=np.float64)


def cause_classes(n_buckets: int) -> NDArray[np.int64]:
    """Class of the cause of each transition (`scenarios.vocabulary.CAUSE_CLASSES`).

    Parameters
    ----------
    n_buckets : int
        Number of buckets, current included (K + 1).

    Returns
    -------
    int64[K+1, K+3]
        Index into CAUSE_CLASSES from bucket to destination (buckets, charge-off, prepaid);
        `STAYS` on the diagonal.
    """
    charge_off, prepaid = n_buckets, n_buckets + 1
    origin, destination = np.indices((n_buckets, n_buckets + 2))
    classes = np.where(destination < origin, CURE, ROLL)
    classes[:, charge_off] = CHARGE_OFF
    classes[0, :] = ENTER
    classes[:, prepaid] = PREPAY
    classes[origin == destination] = STAYS
    return classes.astype(np.int64)


def transition_matrix(intensity: Array) -> Array:
    """Monthly transition probabilities of a table of intensities, diagonal included.

    Parameters
    ----------
    intensity : float64[..., K+1, K+3]
        Per month, from bucket to destination; the diagonal is 0.

    Returns
    -------
    float64[..., K+1, K+3]
        Probabilities; each row sums to 1.
    """
    probability = probabilities_from_intensities(intensity)
    diagonal = np.arange(intensity.shape[-2])
    probability[..., diagonal, diagonal] = 1.0 - probability.sum(axis=-1)
    return probability


def quasi_stationary(surviving: Array) -> tuple[Array, float]:
    """Mix of states towards which the survivors of an absorbing chain settle.

    Parameters
    ----------
    surviving : float64[state, state]
        Monthly probabilities among the transient states; rows sum to 1 or less.

    Returns
    -------
    float64[state]
        Shares of the survivors by state, summing to 1 (left eigenvector of the largest eigenvalue).
    float
        That eigenvalue: the share of survivors kept each month.
    """
    values, vectors = np.linalg.eig(surviving.T)
    leading = int(np.argmax(values.real))
    shares = np.abs(vectors[:, leading].real)
    return shares / shares.sum(), float(values[leading].real)
