"""What a path of the simple job loses, in expectation and in variance, without drawing a loan.

Given the factor and the index, loans are independent and each is a chain of four live states.  Loans of one score have
the same chain and loans of one loan-to-value lose the same share of their car's value, so a book is a table of sums by
score and ratio, and a path's mean and variance follow exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import MISSED, Job, Law, Market
from simulator.intensities import intensities_from_probabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """A path's loss under one law.

    Attributes
    ----------
    mean : float64[path]
        Currency.
    variance : float64[path]
        Of the loss given factor and index: what the loans' own draws make.
    default_share, live_share : float64[month 1..T]
        Of the loans, mean over paths: that default in the month, that are alive at its opening.
    """

    mean: Floats
    variance: Floats
    default_share: Floats
    live_share: Floats

    @property
    def annual_default(self) -> float:
        """Defaults a year per live loan."""
        return float(12.0 * self.default_share.sum() / self.live_share.sum())


def stated_moves(intensity: Floats, prepay: float) -> tuple[Floats, Floats]:
    """Probabilities to fall behind and to prepay as the job states them: 1 - exp(-intensity), and a constant.

    Parameters
    ----------
    intensity : float64[...]
        Of entry, 1/month.
    """
    return -np.expm1(-intensity), np.full_like(intensity, prepay)


def competing_moves(intensity: Floats, entry: float, prepay: float) -> tuple[Floats, Floats]:
    """The same two as the engine has them: intensities compete (methodology (2)).

    Parameters
    ----------
    intensity : float64[...]
        exp(b + sigma z), 1/month.
    entry, prepay : float
        The two probabilities at the reference, which is where 1 - exp(-intensity) is `entry`.
    """
    at_reference, payoff = intensities_from_probabilities(np.array([entry, prepay]))
    own = intensity * (at_reference / -np.log1p(-entry))
    total = own + payoff
    moves = -np.expm1(-total)
    return own / total * moves, payoff / total * moves


def expected_loss(job: Job, market: Market, reference_entry: float | None = None) -> Expected:
    """Follow the chains of a book through the months of some paths.

    Parameters
    ----------
    reference_entry : float, optional
        Probability of entry of the parameter set: the engine's law.  Without it, the job's own.
    """
    scores, score = np.unique(job.log_odds, return_inverse=True)
    ratios, ratio = np.unique(np.round(job.balance / job.proceeds, 9), return_inverse=True)
    table = score * ratios.size + ratio
    sums = [
        np.bincount(table, weights=job.proceeds**power, minlength=scores.size * ratios.size).reshape(scores.size, -1)
        for power in (1, 2)
    ]
    share = np.bincount(score, minlength=scores.size) / score.size
    left = _left_over(job)
    response, price = market.response(job), market.price(job)
    shape = (len(market.paths), scores.size)
    state = np.zeros((*shape, 4))
    state[..., 0] = 1.0
    first, second = np.zeros((*shape, ratios.size)), np.zeros((*shape, ratios.size))
    default_share, live_share = np.zeros(job.months), np.zeros(job.months)
    for month in range(job.months):
        live_share[month] = (state.sum(axis=2) @ share).mean()
        intensity = np.exp(scores) * response[:, month, None]
        state, defaults = _step(state, intensity, job.law, reference_entry)
        default_share[month] = (defaults @ share).mean()
        lost = np.maximum(ratios * left[month] - price[:, month, None], 0.0)[:, None, :]
        first += defaults[..., None] * lost
        second += defaults[..., None] * lost**2
    mean = (first * sums[0]).sum(axis=(1, 2))
    variance = ((second - first**2) * sums[1]).sum(axis=(1, 2))
    return Expected(mean, variance, default_share, live_share)


def _left_over(job: Job) -> Floats:
    """float64[month 1..T] balance of a loan that defaults then over its balance at the start, alike for all loans."""
    months = np.arange(1, job.months + 1)
    return np.asarray(1.0 - (months - MISSED) * (job.instalment[0] / job.balance[0]))


def _step(state: Floats, intensity: Floats, law: Law, reference_entry: float | None) -> tuple[Floats, Floats]:
    """One month of the chains: float64[path, score, state] at the close, and float64[path, score] that default."""
    if reference_entry is None:
        enter, prepay = stated_moves(intensity, law.prepay)
    else:
        enter, prepay = competing_moves(intensity, reference_entry, law.prepay)
    cure, roll = np.array(law.cure), np.array(law.roll)
    current, late = state[..., 0], state[..., 1:]
    close = np.empty_like(state)
    close[..., 0] = current * (1.0 - enter - prepay) + late @ cure
    close[..., 1:] = late * (1.0 - cure - roll)
    close[..., 1] += current * enter
    close[..., 2:] += (late * roll)[..., :2]
    return close, late[..., 2] * roll[2]
