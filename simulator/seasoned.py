"""The seasoned pool of a tier: intensities under which it shows the published matrix (methodology (3k)).

Published matrices are means over borrowers of every type and history.  With histories and types told
apart, the chain of a month has the states ::

    current     clean | cured 0..H-1 months ago | modified 0..H-1 months ago
    bucket k    forgetful | hardship | strategic                                k = 1..K

and the pool is its quasi-stationary mix: what survivors of a book of every age look like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.errors import Fault, InputError
from scenarios.vocabulary import CURED, ENTER, FORGETFUL, HARDSHIP, HISTORY_MONTHS, MODIFIED, TYPES
from simulator.intensities import (
    cause_classes,
    intensities_from_probabilities,
    probabilities_from_intensities,
    quasi_stationary,
    transition_matrix,
)

Array = NDArray[np.float64]

TOLERANCE = 1e-12
"""Largest miss of a published probability."""

MOST_ROUNDS = 400
"""Rounds of the fixed point; shipped sets need a tenth of that."""

SMALLEST = 1e-15
"""Shares below it are rounding errors of states that nobody reaches."""

HISTORY_STATES = 1 + 2 * HISTORY_MONTHS
"""Clean, cured, modified: states of a current loan."""


@dataclass(frozen=True, eq=False)
class Traits:
    """What tells the borrowers of a tier apart.

    Attributes
    ----------
    history : float64[kind, H+1]
        Multiplier of entry by months from the last return to current to the month's opening.
    entry_type : float64[type]
        Types at entry at reference, the strategic part of negative equity included; sum 1.
    type_multiplier : float64[type, class]
        Multipliers of intensities in arrears.
    spell_end : float
        Intensity a month at which hardship ends.
    modified_share : float64[K+1]
        Share of returns to current that are extensions.
    """

    history: Array
    entry_type: Array
    type_multiplier: Array
    spell_end: float
    modified_share: Array


@dataclass(frozen=True, eq=False)
class SeasonedPool:
    """A tier's seasoned pool.

    Attributes
    ----------
    intensity : float64[K+1, K+3]
        Intensities a month of a clean loan, or of one whose type has multiplier 1, at reference.
    history : float64[1+2H]
        Shares of current loans: clean, cured 0..H-1, modified 0..H-1 months ago; sum 1.
    types : float64[K+1, type]
        Shares of types by bucket; rows sum to 1, row 0 unused.
    share : float64[1+2H+3K]
        Shares of all states of the chain, in its order; sum 1.
    kept : float
        Share of live loans that are left after a month.
    """

    intensity: Array
    history: Array
    types: Array
    share: Array
    kept: float


def solve_pool(published: Array, traits: Traits, where: str) -> SeasonedPool:
    """Intensities at which the seasoned pool moves from bucket to bucket as published, and its mix.

    A fixed point: each intensity is scaled by the published over the pool's realised one.  Where all
    multipliers are 1 the published intensities are returned bit for bit.

    Parameters
    ----------
    published : float64[K+1, K+3]
        Published intensities a month.
    traits : Traits
        What tells borrowers apart.
    where : str
        The set, for errors.

    Raises
    ------
    InputError
        No intensities do it: a multiplier is too extreme.
    """
    target = transition_matrix(published)
    intensity, gap = published.copy(), np.inf
    for _ in range(MOST_ROUNDS):
        chain = pool_chain(intensity, traits)
        share, kept = _settled(_among_states(chain, traits))
        realised = bucket_matrix(chain, share)
        gap = float(np.abs(realised - target).max())
        if gap <= TOLERANCE:
            return SeasonedPool(intensity, *_mixes(share), share, kept)
        np.fill_diagonal(realised, 0.0)
        found = intensities_from_probabilities(realised)
        if not (np.isfinite(found).all() and (found[published > 0.0] > 0.0).all()):
            break
        intensity = intensity * np.divide(published, found, out=np.zeros_like(found), where=found > 0.0)
    raise InputError(
        Fault(
            where,
            f"histories and types with which no intensities return the published matrix (it is missed by {gap:.2g})",
            f"a seasoned pool that meets it within {TOLERANCE:g}",
            "Move the multipliers of `history` and `types` nearer to 1, or the shares of rare types up.",
        )
    )


@dataclass(frozen=True, eq=False)
class PoolChain:
    """Monthly probabilities of the extended chain, from each state to bucket, charge-off, prepaid.

    Attributes
    ----------
    current : float64[1+2H, K+3]
        From current, by history; staying included.
    arrears : float64[K, type, type, K+3]
        From bucket 1.. and opening type, by the type of the month (hardship may have ended), staying included.
    """

    current: Array
    arrears: Array


def pool_chain(intensity: Array, traits: Traits) -> PoolChain:
    """A month of the extended chain, in the kernel's order: hardship ends, then intensities compete."""
    n_buckets = intensity.shape[0]
    classes = cause_classes(n_buckets)
    entry = np.where(classes[0] == ENTER, history_of_states(traits.history)[:, None], 1.0)
    current = probabilities_from_intensities(intensity[0] * entry)
    current[:, 0] = 1.0 - current[:, 1:].sum(axis=1)
    multiplier = traits.type_multiplier[:, np.maximum(classes[1:], 0)]
    by_type = np.swapaxes(probabilities_from_intensities(intensity[1:] * multiplier), 0, 1)
    bucket = np.arange(1, n_buckets)
    by_type[bucket - 1, :, bucket] = 1.0 - by_type.sum(axis=-1)
    return PoolChain(current, spell_matrix(traits.spell_end)[:, :, None] * by_type[:, None])


def history_of_states(history: Array) -> Array:
    """Multiplier of entry in the coming month of each state of a current loan: float64[..., 1+2H]."""
    clean = np.ones((*history.shape[:-2], 1))
    recent = history[..., :HISTORY_MONTHS]
    return np.concatenate([clean, recent[..., CURED, :], recent[..., MODIFIED, :]], axis=-1)


def spell_matrix(spell_end: float) -> Array:
    """Types after the opening of a month in arrears: float64[type, type]; hardship may end."""
    types = np.eye(len(TYPES))
    types[HARDSHIP, FORGETFUL] = -np.expm1(-spell_end)
    types[HARDSHIP, HARDSHIP] = np.exp(-spell_end)
    return types


def bucket_matrix(chain: PoolChain, share: Array) -> Array:
    """Probabilities from bucket to bucket, charge-off and prepaid of a pool with that mix: float64[K+1, K+3]."""
    current, arrears = _split(share)
    from_current = current @ chain.current / current.sum()
    moved = np.einsum("kt,ktuc->kc", arrears, chain.arrears)
    total = arrears.sum(axis=1, keepdims=True)
    alone = chain.arrears.sum(axis=2)[:, FORGETFUL]
    return np.vstack([from_current, np.divide(moved, total, out=alone, where=total > 0.0)])


def _settled(matrix: Array) -> tuple[Array, float]:
    """Quasi-stationary mix, exactly 0 where nobody comes, and the share of survivors kept each month."""
    share, kept = quasi_stationary(matrix)
    share[share < SMALLEST] = 0.0
    return share / share.sum(), kept


def _split(share: Array) -> tuple[Array, Array]:
    """Shares of current loans by history, and of loans in arrears by bucket and type."""
    return share[:HISTORY_STATES], share[HISTORY_STATES:].reshape(-1, len(TYPES))


def _mixes(share: Array) -> tuple[Array, Array]:
    """Conditional shares: histories of current loans, types by bucket."""
    current, arrears = _split(share)
    total = arrears.sum(axis=1, keepdims=True)
    forgetful = np.tile(np.eye(len(TYPES))[FORGETFUL], (len(arrears), 1))
    types = np.divide(arrears, total, out=forgetful, where=total > 0.0)
    return current / current.sum(), np.vstack([np.eye(len(TYPES))[FORGETFUL], types])


def _among_states(chain: PoolChain, traits: Traits) -> Array:
    """Monthly probabilities among the live states of the chain: float64[state, state]."""
    n_types, worst = len(TYPES), len(chain.arrears)
    current = np.arange(HISTORY_STATES)
    matrix = np.zeros((HISTORY_STATES + n_types * worst,) * 2)
    matrix[current, older(current)] = chain.current[:, 0]
    entering = chain.current[:, 1 : worst + 1, None] * traits.entry_type
    matrix[:HISTORY_STATES, HISTORY_STATES:] = entering.reshape(HISTORY_STATES, -1)
    cured = chain.arrears[..., 0].sum(axis=2).reshape(-1)
    extended = np.repeat(traits.modified_share[1:], n_types)
    matrix[HISTORY_STATES:, 1] = cured * (1.0 - extended)
    matrix[HISTORY_STATES:, 1 + HISTORY_MONTHS] = cured * extended
    among = np.swapaxes(chain.arrears[..., 1 : worst + 1], 2, 3)
    matrix[HISTORY_STATES:, HISTORY_STATES:] = among.reshape(worst * n_types, -1)
    return matrix


def older(state: NDArray[np.int64]) -> NDArray[np.int64]:
    """State of a current loan after a month in which nothing happened: a history ends after H months."""
    ends = (state == 0) | (state % HISTORY_MONTHS == 0)
    return np.where(ends, 0, state + 1)


# --- what follows from a pool ----------------------------------------------------------------------


def seized_share(pool: SeasonedPool, traits: Traits, seizure: Array) -> Array:
    """Shares of live loans that are in arrears with a seized car, by bucket and type: float64[K, type].

    A loan in arrears at the close of a month loses its car with probability 1 - exp(-seizure), and has
    it back when it returns to current.  With x the seized and a all loans in arrears, and Q the moves
    among states in arrears, growth x = x Q + (growth a - x Q) z.
    """
    matrix = _among_states(pool_chain(pool.intensity, traits), traits)[HISTORY_STATES:, HISTORY_STATES:]
    seized = np.repeat(-np.expm1(-seizure[1:]), len(TYPES))
    flow = pool.kept * pool.share[HISTORY_STATES:] * seized
    share = np.linalg.solve((pool.kept * np.eye(len(matrix)) - matrix * (1.0 - seized)).T, flow)
    return np.asarray(share.reshape(-1, len(TYPES)), dtype=np.float64)


def sales_per_loan(pool: SeasonedPool, traits: Traits, seizure: Array, found_share: float) -> float:
    """Cars of the charge-offs of a month that go to sale, per live loan: seized ones, and those found later."""
    chain = pool_chain(pool.intensity, traits)
    charge_off = len(pool.types)
    current, arrears = _split(pool.share)
    by_state = chain.arrears.sum(axis=2)[..., charge_off]
    seized = seized_share(pool, traits, seizure)
    sold = (seized + (arrears - seized) * found_share) * by_state
    return float(sold.sum() + current @ chain.current[:, charge_off] * found_share)


def relapse_probability(pool: SeasonedPool, traits: Traits, bucket: int, months: int = 12) -> float:
    """Probability that a loan cured in the month before reaches a bucket of arrears within some months, at reference.

    Charge-off counts as reaching it; payoff does not.

    Parameters
    ----------
    bucket : int
        1 or more: first of the buckets that count.
    """
    chain = pool_chain(pool.intensity, traits)
    moves = _among_states(chain, traits)
    first = HISTORY_STATES + (bucket - 1) * len(TYPES)
    charge_off = len(pool.types)
    lost = np.concatenate([chain.current[:, charge_off], chain.arrears.sum(axis=2)[..., charge_off].reshape(-1)])
    state, found = np.eye(len(moves))[1], 0.0
    for _ in range(months):
        found += float(state @ lost)
        state = state @ moves
        found += float(state[first:].sum())
        state[first:] = 0.0
    return found
