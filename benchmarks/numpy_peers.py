"""The simple job in NumPy, on one core: straightforward, and compacted with all that a good engineer would think of.

Both use SFC64, the fastest of NumPy's generators, states of one byte, and one uniform a loan and month: below the
probability of the worse state the loan goes there, at or above one less the probability of the better way out it takes
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import MISSED, Job, Market

Floats = NDArray[np.float64]

CURRENT, DEFAULT, PREPAID = 0, 4, 5
"""States beside 1, 2 and 3 instalments past due."""

TIDY_MONTHS = 6
"""Months after which the compacted form drops the loans that have left: fewer cost more copies, more cost more draws
for loans that are gone (measured: 3 to 10 make no difference of note)."""


@dataclass(frozen=True, eq=False)
class Straightforward:
    """The job as it reads: every loan in every month, alive or not, one array operation after another.

    `real` is the type of draws and probabilities: float64 is NumPy's own choice, float32 halves the bytes.
    """

    job: Job
    real: type[np.float32 | np.float64]

    def losses(self, market: Market, seed: int) -> Floats:
        """float64[path] loss of the horizon's months, currency."""
        random = np.random.Generator(np.random.SFC64([seed, market.paths.start]))
        own, price = self.job.log_odds.astype(self.real), market.price(self.job)
        common = (self.job.law.volatility * market.factor).astype(self.real)
        return np.array([self._path(random, own, *path) for path in zip(common, price, strict=True)])

    def _path(self, random: np.random.Generator, own: NDArray[Any], common: NDArray[Any], price: Floats) -> float:
        law, real = self.job.law, self.real
        leave = real(1.0 - law.prepay)
        moves = [(k + 1, real(law.roll[k]), real(1.0 - law.cure[k])) for k in range(len(law.cure))]
        state = np.zeros(own.size, np.uint8)
        loss = 0.0
        for month in range(self.job.months):
            draw = random.random(own.size, dtype=self.real)
            current = state == CURRENT
            after = state.copy()
            after[current & (draw < 1 - np.exp(-np.exp(own + common[month])))] = 1
            after[current & (draw >= leave)] = PREPAID
            for bucket, worse, better in moves:
                late = state == bucket
                after[late & (draw < worse)] = bucket + 1
                after[late & (draw >= better)] = CURRENT
            gone = np.flatnonzero((after == DEFAULT) & (state != DEFAULT))
            loss += lost(self.job, gone, month + 1, price[month])
            state = after
        return loss


@dataclass(frozen=True, eq=False)
class Compacted:
    """Lists instead of masks: loans in arrears are gathered each month, loans that left are dropped now and then."""

    job: Job

    def losses(self, market: Market, seed: int) -> Floats:
        """float64[path] loss of the horizon's months, currency."""
        random = np.random.Generator(np.random.SFC64([seed, market.paths.start]))
        odds = self.job.odds().astype(np.float32)
        response, price = market.response(self.job).astype(np.float32), market.price(self.job)
        return np.array([self._path(random, odds, *path) for path in zip(response, price, strict=True)])

    def _path(
        self, random: np.random.Generator, odds: NDArray[np.float32], response: NDArray[np.float32], price: Floats
    ) -> float:
        law = self.job.law
        leave, one = np.float32(1.0 - law.prepay), np.float32(1.0)
        roll = np.array([0.0, *law.roll], np.float32)
        stay = 1.0 - np.array([0.0, *law.cure], np.float32)
        loan, state = np.arange(odds.size), np.zeros(odds.size, np.uint8)
        draw, chance = np.empty_like(odds), np.empty_like(odds)
        loss = 0.0
        for month in range(self.job.months):
            if month % TIDY_MONTHS == 0:
                kept = np.flatnonzero(state < DEFAULT)
                loan, odds, state = loan[kept], odds[kept], state[kept]
                draw, chance = draw[: kept.size], chance[: kept.size]
            random.random(out=draw, dtype=np.float32)
            np.multiply(odds, -response[month], out=chance)
            np.subtract(one, np.exp(chance, out=chance), out=chance)
            late = np.flatnonzero(state - np.uint8(1) < DEFAULT - 1)  # 0 - 1 is 255
            current = state == CURRENT
            behind, prepaid = current & (draw < chance), current & (draw >= leave)
            bucket, u = state[late], draw[late]
            worse, better = u < roll[bucket], u >= stay[bucket]
            loss += lost(self.job, loan[late[worse & (bucket == DEFAULT - 1)]], month + 1, price[month])
            state[behind] = 1
            state[prepaid] = PREPAID
            bucket[worse] += 1
            bucket[better] = CURRENT
            state[late] = bucket
        return loss


def lost(job: Job, loans: NDArray[np.intp], month: int, price: float) -> float:
    """What loans lose that default in `month` (1..T); a car brings `price` times what it would have at the start."""
    owed = job.balance[loans] - (month - MISSED) * job.instalment[loans]
    return float(np.maximum(owed - price * job.proceeds[loans], 0.0).sum())
