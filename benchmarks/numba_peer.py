"""The simple job as a plain numba loop, as most would write it: np.random, a branch a state, one thread a path."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks.job import MISSED, Job, Market

Floats = NDArray[np.float64]


def _one_path(seed, response, price, book, law):  # type: ignore[no-untyped-def]
    """Loss of a path, currency; `book` is float64[4, loan], `law` (leave, roll[3], stay[3])."""
    np.random.seed(seed)  # noqa: NPY002 - the generator that numba has in compiled code, one a thread
    odds, balance, instalment, proceeds = book
    leave, roll, stay = law
    state, loss = np.zeros(odds.size, np.uint8), 0.0
    for month in range(response.size):
        for loan in range(odds.size):
            now = state[loan]
            if now > 3:
                continue
            draw = np.random.random()  # noqa: NPY002
            if now == 0:
                if draw < 1.0 - math.exp(-odds[loan] * response[month]):
                    state[loan] = 1
                elif draw >= leave:
                    state[loan] = 5
            elif draw < roll[now - 1]:
                state[loan] = now + 1
                if now == 3:
                    owed = balance[loan] - (month + 1 - MISSED) * instalment[loan]
                    loss += max(owed - price[month] * proceeds[loan], 0.0)
            elif draw >= stay[now - 1]:
                state[loan] = 0
    return loss


def _all_paths(one_path: Any) -> Any:
    """The parallel loop over paths around a compiled path."""

    def run(seeds, response, price, book, law):  # type: ignore[no-untyped-def]
        losses = np.empty(seeds.size)
        for path in numba.prange(seeds.size):
            losses[path] = one_path(seeds[path], response[path], price[path], book, law)
        return losses

    return run


@dataclass(eq=False)
class Loop:
    """A loop over paths, months and loans on `cores` threads."""

    job: Job
    cores: int

    def __post_init__(self) -> None:
        """Wrap the loops; the first call compiles them."""
        self._run = numba.njit(_all_paths(numba.njit(_one_path)), parallel=True)

    def losses(self, market: Market, seed: int) -> Floats:
        """float64[path] loss of the horizon's months, currency."""
        job, law = self.job, self.job.law
        numba.set_num_threads(min(self.cores, numba.config.NUMBA_NUM_THREADS))
        seeds = np.random.SeedSequence([seed, market.paths.start]).generate_state(len(market.paths))
        book = np.stack([job.odds(), job.balance, job.instalment, job.proceeds])
        chances = (1.0 - law.prepay, np.array(law.roll), 1.0 - np.array(law.cure))
        return np.asarray(self._run(seeds, market.response(job), market.price(job), book, chances))
