"""The proposal that a tail method draws the factors from, and the weights that undo it (methodology (T1) to (T6)).

All shocks of the systematic factors of a path are one vector x of independent standard normals. A proposal replaces
x's components along a few orthonormal directions and leaves the rest as it was drawn:

    x' = x + sum_j (y_j - d_j'x) d_j.                                                                 (T1)

Along the first direction y_1 = z comes from a mixture: N(0, 1) with probability a, N(m, 1) otherwise; along the others
y_j is N(0, 1). The weight of the path is the ratio of the two densities, a function of z alone and never above 1 / a.
Sources: Hesterberg, Technometrics 37 (1995) for the defensive mixture; Glasserman, Heidelberger, Shahabuddin,
Mathematical Finance 9 (1999) for the shift along one direction with that direction stratified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from scenarios.tail import FEWEST_STRATA, PATHS_A_STRATUM
from scenarios.vocabulary import RNG_SCHEME
from simulator.entities import named_entity
from simulator.kernels.random import draw_normals
from simulator.tail_sobol import sobol_uniforms

Floats = NDArray[np.float64]

TAIL_SCHEME: Final = "tail/v1"
"""Name of the layout of what replaces draws of the factors."""

SHIFT_ENTITY: Final = "tail:shift"
"""Whose normal (D1, slot 0, word 0) gives a path's component along the first direction."""

HALVINGS: Final = 60
"""Steps of the bisection that inverts the mixture: its bracket is as wide as the shift, so what is left is rounding."""

MOST_STRATA: Final = 100
"""Finer strata tell nothing more: within one of a hundred the factors' leading direction hardly varies."""


PATHS_AT_ONCE: Final = 65_536
"""Paths whose components are held together while strata are weighed."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Where the factors are drawn from.

    Attributes
    ----------
    entities : tuple of str
        Whose shocks the directions are about, in the order of the draws.
    directions : float64[direction, entity, month 0..X]
        Orthonormal; the first is that of the loss.
    shift : float
        m, standard deviations, 0 or more.
    unshifted : float
        a, share of the mixture that is not shifted; 1 where nothing is.
    scrambles : int
        Of the Sobol points that the directions are drawn from; 0 where they are drawn by Philox.
    edges : float64[stratum - 1]
        Ends of the strata of z; empty without them.
    log_correction : float64[stratum]
        Log of a stratum's probability over the weight that its paths have (T5); zeros until `with_strata`.
    """

    entities: tuple[str, ...]
    directions: Floats
    shift: float
    unshifted: float
    scrambles: int
    edges: Floats
    log_correction: Floats

    @property
    def last_month(self) -> int:
        """Last month of which the directions hold a shock."""
        return int(self.directions.shape[2]) - 1


def proposal_along(
    entities: tuple[str, ...], directions: Floats, *, shift: float, unshifted: float, scrambles: int = 0
) -> Proposal:
    """A proposal without strata."""
    return Proposal(entities, directions, shift, unshifted, scrambles, np.empty(0), np.zeros(1))


# --- draws ---------------------------------------------------------------------------------------------


def components(proposal: Proposal, paths: range, seed: int) -> Floats:
    """Components of the paths' shocks along the directions: float64[path, direction], the shifted one first."""
    if proposal.scrambles:
        uniforms = sobol_uniforms(paths, proposal.directions.shape[0], proposal.scrambles, seed)
        normals = np.asarray(ndtri(uniforms), dtype=np.float64)
    else:
        drawn = np.empty((len(paths), 1, 1))
        draw_normals(np.array([named_entity(SHIFT_ENTITY)], dtype=np.uint64), paths.start, np.uint64(seed), drawn)
        normals = drawn[:, 0]
    normals[:, 0] = mixture_normal(normals[:, 0], proposal.shift, proposal.unshifted)
    return normals


def mixture_normal(normal: Floats, shift: float, unshifted: float) -> Floats:
    """What a standard normal becomes whose probability is kept: z with F(z) = Phi(normal), F the mixture's (T2).

    Parameters
    ----------
    normal : float64[path]
    shift : float
        m, 0 or more.
    unshifted : float
        a, 0 to 1.

    Returns
    -------
    float64[path]
        Between `normal` and `normal` + m; ascending in `normal`.
    """
    if shift == 0.0 or unshifted == 1.0:
        return normal
    # The smaller of the two tails is compared, so that none of it is lost beside a 1.
    side = np.where(normal > 0.0, -1.0, 1.0)
    wanted = ndtr(side * normal)
    low, high = normal.copy(), normal + shift
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        reached = unshifted * ndtr(side * middle) + (1.0 - unshifted) * ndtr(side * (middle - shift))
        below = side * (reached - wanted) < 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))


def moved(shocks: Floats, proposal: Proposal, along: Floats) -> Floats:
    """Shocks with their components along the directions replaced (T1).

    Parameters
    ----------
    shocks : float64[path, entity, month 0..X]
        Independent standard normals.
    along : float64[path, direction]
        From `components`.
    """
    rows = shocks.reshape(shocks.shape[0], -1)
    flat = proposal.directions.reshape(proposal.directions.shape[0], -1)
    out = rows.copy()
    for item in range(flat.shape[0]):
        # A row's sum has one order whatever the block of paths: no product of matrices here.
        own = (rows * flat[item]).sum(axis=1)
        out += (along[:, item] - own)[:, None] * flat[item]
    return out.reshape(shocks.shape)


# --- weights -------------------------------------------------------------------------------------------


def log_ratio(z: Floats, shift: float, unshifted: float) -> Floats:
    """Log of the density under the model over that under the mixture (T3): -log(a + (1 - a) exp(m z - m^2 / 2)).

    Never above -log a.
    """
    if shift == 0.0 or unshifted == 1.0:
        return np.zeros_like(z)
    moved_part = np.log1p(-unshifted) + shift * z - 0.5 * shift**2
    return np.asarray(-np.logaddexp(np.log(unshifted), moved_part))


def log_weights(proposal: Proposal, z: Floats) -> Floats:
    """Logarithm of the paths' weights, the strata's correction included: float64[path]."""
    return log_ratio(z, proposal.shift, proposal.unshifted) + proposal.log_correction[strata_of(proposal, z)]


def strata_of(proposal: Proposal, z: Floats) -> NDArray[np.int64]:
    """Stratum of each path, 0 for the best times."""
    return np.searchsorted(proposal.edges, z).astype(np.int64)


def batches_of(proposal: Proposal | None, paths: range) -> NDArray[np.int64]:
    """Batch of each path: its scramble, or itself where paths are independent."""
    number = np.array(paths, dtype=np.int64)
    return number % proposal.scrambles if proposal is not None and proposal.scrambles else number


def with_strata(proposal: Proposal, paths: int, seed: int) -> Proposal:
    """The same with strata of z, whose paths weigh together what the stratum's probability is (T4), (T5).

    Strata are equally probable under the mixture. They are functions of the factors with a known mean: weights that
    reproduce it make every estimate one with a control variate, fitted on the run itself (Deville and Sarndal, JASA
    87, 1992; Hesterberg and Nelson, Management Science 44, 1998, for quantiles).

    Parameters
    ----------
    paths : int
        Of the study, all of which make the correction; the proposal is returned as it is where they are too few.
    """
    count = min(MOST_STRATA, paths // PATHS_A_STRATUM)
    if count < FEWEST_STRATA:
        return proposal
    inner = np.asarray(ndtri(np.arange(1, count) / count), dtype=np.float64)
    edges = mixture_normal(inner, proposal.shift, proposal.unshifted)
    held = np.zeros(count)
    for first in range(0, paths, PATHS_AT_ONCE):
        z = components(proposal, range(first, min(first + PATHS_AT_ONCE, paths)), seed)[:, 0]
        weight = np.exp(log_ratio(z, proposal.shift, proposal.unshifted))
        held += np.bincount(np.searchsorted(edges, z), weights=weight, minlength=count)
    if np.any(held == 0.0):
        return proposal
    return replace(proposal, edges=edges, log_correction=np.log(stratum_probability(edges) * (paths / held)))


def stratum_probability(edges: Floats) -> Floats:
    """P(z in stratum) under the model (T4), each from the nearer tail, so that none of it is lost: float64[stratum]."""
    ends = np.concatenate(([-np.inf], edges, [np.inf]))
    upper = ends[:-1] + ends[1:] > 0.0  # what straddles 0 loses nothing either way
    return np.asarray(np.where(upper, -np.diff(ndtr(-ends)), np.diff(ndtr(ends))))


# --- in results ----------------------------------------------------------------------------------------


def rng_scheme(proposal: Proposal | None) -> str:
    """Name of the layout of the draws, with what replaces those of the factors."""
    if proposal is None:
        return RNG_SCHEME
    count = proposal.directions.shape[0]
    along = "1 direction" if count == 1 else f"{count} directions"
    source = f"scrambled Sobol points, {proposal.scrambles} scrambles" if proposal.scrambles else SHIFT_ENTITY
    return f"{RNG_SCHEME}; {TAIL_SCHEME}: factors along {along} from {source}"
