"""Stage of each loan at the as-of date (IFRS 9 5.5.3 to 5.5.11), by the published chain: methodology (24).

Stage 3 holds loans in default: in the default bucket or beyond, or with a seized car. Stage 2 holds loans 30 days past
due (the standard's own backstop), loans extended within the probation, and those whose lifetime probability of default
has risen significantly; stage 1 holds the rest.

The increase is measured over the remaining life: the probability of default of the loan as it stands (its arrears, its
own risk, the scenario's macro variables averaged over that life) against what was expected of it at origination for
the same months (no arrears, reference macro). Both come from the tier's published matrix, without latent factors: a
forecast of the mean, not a simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import CAUSE_CLASSES, MODIFIED
from simulator.intensities import STAYS, cause_classes, transition_matrix

if TYPE_CHECKING:
    from simulator.kernels.bundles import Loans
    from simulator.parameters import Parameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

STAGE_1: Final = 0
STAGE_2: Final = 1
STAGE_3: Final = 2
"""Places in `vocabulary.STAGES`."""

SIGNIFICANT_INCREASE: Final = 2.0
"""Lifetime PD now over that expected at origination from which on the increase is significant. Assumption, L: IFRS 9
states no figure; practice runs from a doubling to a tripling, and a doubling moves the more loans to stage 2."""

BACKSTOP_DAYS: Final = 30
"""Days past due at which an increase is presumed: IFRS 9 5.5.11, whose presumption is not rebutted here."""

LEAST_LIFE_IN_ARREARS: Final = 12
"""Months that a loan in arrears has at least before it: it outlives its last due date. Assumption, L."""

LONGEST_LIFE: Final = 180
"""Months that a life is looked at, at most: the longest term that a tape may state."""

CHUNK: Final = 65_536
"""Loans whose chains are followed together: some 10 MB of scratch."""


def stage_of(
    loans: Loans, parameters: Parameters, multiplier: Floats, threshold: float = SIGNIFICANT_INCREASE
) -> NDArray[np.int8]:
    """Stage of each loan at the as-of date.

    Parameters
    ----------
    loans : Loans
        The book; its field `stage` is not read.
    parameters : Parameters
        Its tiers; the chain is `published_intensity`.
    multiplier : float64[month 0.., cell, class]
        exp(m'gamma) of the scenario by month, cell and class of cause; months beyond its last count as that.
    threshold : float
        Ratio of lifetime PDs from which on an increase is significant.

    Returns
    -------
    int8[loan]
        Index of `vocabulary.STAGES`.
    """
    late = np.asarray(parameters.bucket_edges)[loans.bucket] >= BACKSTOP_DAYS
    default = (loans.bucket >= parameters.default_bucket) | loans.repossessed
    stage = np.where(late | _in_probation(loans, parameters), STAGE_2, STAGE_1)
    open_question = np.flatnonzero(~default & (stage == STAGE_1))
    for first in range(0, open_question.size, CHUNK):
        places = open_question[first : first + CHUNK]
        now, expected = lifetime_default(loans, parameters, multiplier, places)
        stage[places] = np.where(now > threshold * expected, STAGE_2, STAGE_1)
    return np.where(default, STAGE_3, stage).astype(np.int8)


def _in_probation(loans: Loans, parameters: Parameters) -> NDArray[np.bool_]:
    """Loans that the tape calls extended so short a time ago that their probation lasts; see `kernels.bundles`."""
    mark = loans.mark.astype(np.int64)
    return np.asarray((mark % 2 == MODIFIED) & (mark // 2 > -parameters.probation_months))


def lifetime_default(
    loans: Loans, parameters: Parameters, multiplier: Floats, places: Integers
) -> tuple[Floats, Floats]:
    """Probability of default over the remaining life, of each loan as it stands and as expected at origination.

    Parameters
    ----------
    places : int64[loan]
        Loans that are asked about, by position; none of them is in default.

    Returns
    -------
    now, expected : float64[loan]
        Probabilities; a payoff ends the life, so does the last due date of a loan without arrears.
    """
    bucket = loans.bucket[places].astype(np.int64)
    term = loans.fact.term[places].astype(np.int64)
    life = np.minimum(np.where(bucket > 0, np.maximum(term, LEAST_LIFE_IN_ARREARS), term), LONGEST_LIFE)
    order = np.argsort(-life, kind="stable")
    life, chosen = life[order], places[order]
    cell = loans.fact.cell[chosen].astype(np.int64)
    group, member = np.unique(np.stack([cell, life]), axis=1, return_inverse=True)
    tiers = np.zeros(int(cell.max()) + 1, dtype=np.int64)
    tiers[cell] = loans.fact.tier[chosen]
    means = _mean_multipliers(multiplier, group[0], group[1])
    member = member.reshape(-1)
    now = _default_by_state(loans, parameters, chosen, life, _chains(parameters, tiers[group[0]], means), member)
    neutral = np.ones_like(means)
    expected = _default_by_state(loans, parameters, chosen, life, _chains(parameters, tiers[group[0]], neutral), member)
    found = np.empty((2, places.size))
    found[:, order] = now[np.arange(places.size), bucket[order]], expected[:, 0]
    return found[0], found[1]


def _mean_multipliers(multiplier: Floats, cell: Integers, life: Integers) -> Floats:
    """Mean over the months of a life: float64[group, class]."""
    sums = np.cumsum(multiplier[1:], axis=0)
    reach = np.clip(life, 1, sums.shape[0])
    beyond = np.maximum(life - sums.shape[0], 0)[:, None] * multiplier[-1, cell]
    return np.asarray((sums[reach - 1, cell] + beyond) / np.maximum(life, 1)[:, None])


@dataclass(frozen=True, slots=True)
class _Chains:
    """Monthly chains of groups of loans that share tier, macro and remaining life; d is the default bucket.

    Attributes
    ----------
    entry, payoff : float64[group]
        Intensities of a current loan, before its own risk and age.
    target : float64[group, d + 1]
        Where an entry leads: shares of buckets 0..d-1, then of default.
    late : float64[group, d - 1, d + 1]
        Monthly probabilities of loans in arrears, buckets 1..d-1, to the same.
    """

    entry: Floats
    payoff: Floats
    target: Floats
    late: Floats


def _chains(parameters: Parameters, tier: Integers, multiplier: Floats) -> _Chains:
    """Chains of groups, given each one's tier, int64[group], and multipliers, float64[group, class]."""
    classes = cause_classes(len(parameters.bucket_edges))
    by_cause = np.concatenate([multiplier, np.zeros((multiplier.shape[0], 1))], axis=1)
    column = np.where(classes == STAYS, len(CAUSE_CLASSES), classes)
    intensity = parameters.published_intensity[tier] * by_cause[:, column]
    enters = intensity[:, 0, :-1]
    entry = enters.sum(axis=1)
    share = np.divide(enters, entry[:, None], out=np.zeros_like(enters), where=entry[:, None] > 0.0)
    first = parameters.default_bucket
    matrix = transition_matrix(intensity)[:, 1:first]
    return _Chains(entry, intensity[:, 0, -1], _collected(share, first), _collected(matrix[..., :-1], first))


def _collected(moves: Floats, first: int) -> Floats:
    """Default buckets and charge-off as one last column; payoff is left out."""
    return np.concatenate([moves[..., :first], moves[..., first:].sum(axis=-1, keepdims=True)], axis=-1)


def _default_by_state(
    loans: Loans, parameters: Parameters, chosen: Integers, life: Integers, chains: _Chains, member: Integers
) -> Floats:
    """Probability of default within the life from each state, backwards in time: float64[loan, d].

    Loans come by falling life, so that those with months left are the first `count` of them.
    """
    first = parameters.default_bucket
    risk, age, tier = loans.fact.risk[chosen], loans.fact.age[chosen].astype(np.int64), loans.fact.tier[chosen]
    entry, payoff = chains.entry[member] * risk, chains.payoff[member]
    target, late = chains.target[member], chains.late[member]
    ahead = np.zeros((chosen.size, first + 1))
    ahead[:, first] = 1.0  # default itself
    oldest = parameters.seasoning.shape[1] - 1
    for left in range(1, int(life.max(initial=0)) + 1):
        count = int(np.searchsorted(-life, -left, side="right"))
        here = slice(count)
        month = life[here] - left + 1
        rate = entry[here] * parameters.seasoning[tier[here], np.minimum(age[here] + month, oldest)]
        total = rate + payoff[here]
        enters = -np.expm1(-total) * np.divide(rate, total, out=np.zeros_like(total), where=total > 0.0)
        arrives = np.einsum("nj,nj->n", target[here], ahead[here])
        from_late = np.einsum("nkj,nj->nk", late[here], ahead[here])
        ahead[here, 0] = enters * arrives + np.exp(-total) * ahead[here, 0]
        ahead[here, 1:first] = from_late
    return ahead[:, :first]
