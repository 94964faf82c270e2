"""Cases whose answers are known in closed form, with the printed figures, and the bounds that samples must keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, roots_hermitenorm
from scipy.stats import binom, norm

Floats = NDArray[np.float64]


def normal_bound(false_alarm: float, comparisons: int) -> float:
    """Two-sided bound of |z| in each of so many comparisons, together wrong with the probability given."""
    return float(norm.isf(false_alarm / comparisons / 2.0))


def assert_shares(counts: Floats, shares: Sequence[float] | Floats, trials: int, bound: float) -> None:
    """Binomial counts are within `bound` standard deviations of their expectation."""
    expected = np.asarray(shares, dtype=np.float64)
    error = np.sqrt(trials * expected * (1.0 - expected))
    z = np.abs(np.asarray(counts, dtype=np.float64) - trials * expected) / error
    assert np.all(z < bound), z


# --- draws -------------------------------------------------------------------------------------------------------

WORD = 2**32


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 from its paper: Salmon, Moraes, Dror, Shaw (2011), section 3.3."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c0, WORD)
        high_1, low_1 = divmod(0xCD9E8D57 * c2, WORD)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return [c0, c1, c2, c3]


# --- absorbing chain ------------------------------------------------------------------------------------------

PUBLISHED_CHAIN = (
    (0.943, 0.04, 0.0, 0.0, 0.0, 0.017),
    (0.33, 0.52, 0.135, 0.0, 0.001, 0.014),
    (0.09, 0.15, 0.49, 0.24, 0.02, 0.01),
    (0.05, 0.03, 0.07, 0.45, 0.39, 0.01),
)
"""Monthly matrix from current, 30, 60, 90 to them, charged off, paid off."""

DIRECT_CHAIN = ((0.939, 0.04, 0.0, 0.0, 0.004, 0.017), *PUBLISHED_CHAIN[1:])
"""The same with a direct charge-off from current, too."""

ABSORBED = (0.21219106, 0.30237226, 0.54900471, 0.81474737)
"""Charged off in the end, by starting bucket, of the published chain."""

MONTHS_TO_ABSORPTION = (47.67594496, 42.93822157, 28.72062605, 12.14979585)
THEIR_VARIANCES = (2112.98031, 2047.52773, 1660.58042, 822.04935)

AFTER = {
    12: (0.69695906, 0.06759646, 0.01967217, 0.00868511, 0.02598700, 0.18110020),
    36: (0.41270925, 0.04025769, 0.01190145, 0.00540523, 0.10150719, 0.42821919),
    60: (0.24460516, 0.02386001, 0.00705379, 0.00320360, 0.14659074, 0.57468670),
}
"""Where loans that started current stand after so many months, in the columns of the matrix."""


def absorbed_in_the_end(chain: tuple[tuple[float, ...], ...]) -> Floats:
    """float64[start, (charged off, paid off)] by the fundamental matrix (I - Q)^-1."""
    rows = np.array(chain)
    return np.linalg.inv(np.eye(len(rows)) - rows[:, : len(rows)]) @ rows[:, len(rows) :]


# --- finite homogeneous pool under one factor --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pool:
    """A pool of equal loans over one period.

    Attributes
    ----------
    none, variance : float
        P(no default); variance of the number of defaults.
    quantiles : dict
        Level to (smallest k with F(k) >= level, F(k), expected shortfall).
    """

    loans: int
    probability: float
    correlation: float
    none: float
    variance: float
    quantiles: dict[float, tuple[int, float, float]]

    def __str__(self) -> str:
        return f"{self.loans} loans, PD {self.probability}, rho {self.correlation}"


POOLS = (
    Pool(
        100,
        0.02,
        0.05,
        0.206243147688,
        3.247846954650,
        {0.95: (5, 0.95231438, 6.90699290), 0.99: (8, 0.99407922, 9.16112313), 0.999: (11, 0.99930448, 12.35855309)},
    ),
    Pool(
        100,
        0.05,
        0.10,
        0.067160866604,
        16.756612319716,
        {
            0.95: (13, 0.95719109, 16.48538183),
            0.99: (19, 0.99208051, 22.14778791),
            0.999: (27, 0.99922428, 29.97470739),
        },
    ),
    Pool(
        1000,
        0.02,
        0.03,
        9.2595611e-5,
        94.413954357008,
        {
            0.95: (38, 0.95236290, 45.30525160),
            0.99: (50, 0.99108705, 56.60295853),
            0.999: (66, 0.99913045, 72.35205585),
        },
    ),
)


def exact_distribution(pool: Pool) -> Floats:
    """P(K <= k) for k = 0 .. loans: binomial mixture by 250-point Gauss-Hermite quadrature."""
    nodes, weights = roots_hermitenorm(250)
    shifted = (ndtri(pool.probability) + math.sqrt(pool.correlation) * nodes) / math.sqrt(1.0 - pool.correlation)
    mixture = binom.cdf(np.arange(pool.loans + 1)[:, None], pool.loans, norm.cdf(shifted))
    return np.asarray(mixture @ (weights / weights.sum()))


def largest_gap(sorted_counts: NDArray[np.integer], distribution: Floats) -> float:
    """Largest gap between a sample's distribution function and the exact one, on whole numbers."""
    found = np.searchsorted(sorted_counts, np.arange(distribution.size), side="right") / sorted_counts.size
    return float(np.max(np.abs(found - distribution)))


def gap_bound(false_alarm: float, sample: int) -> float:
    """Gap that a sample of the exact distribution exceeds with at most that probability.

    Massart (1990), The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality.
    """
    return math.sqrt(math.log(2.0 / false_alarm) / (2.0 * sample))
