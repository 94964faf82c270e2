"""What became of the loans that the rungs of the last close were carried out for (methodology (P19))."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import AGAIN_MONTHS, CHARGED_OFF, MATURED, MAX_BUCKET
from simulator.kernels.bundles import NEVER
from simulator.kernels.compile import compiled
from simulator.kernels.pools import AGAIN, CURED, WORSE


@compiled(inline=True, inner=True)
def tell_outcomes(spot, late, count, work, result):  # type: ignore[no-untyped-def]
    """Count cures, rolls and relapses by rung: the first `late` of `count` items opened the month in arrears."""
    worker, month, items = spot.worker, spot.month, work.items
    for item in range(late):
        effort = work.effort[worker, items.place[worker, item]]
        state, bucket = items.state[worker, item], items.bucket[worker, item]
        cured = (state == 0) | (state == MATURED)
        worse = (state == CHARGED_OFF) | ((state > bucket) & (state <= MAX_BUCKET))
        if cured:
            effort.cured_with = effort.now
            effort.cured_in = month
        if cured or worse:
            book_outcome(spot, effort.now, CURED if cured else WORSE, month, result)
    for item in range(late, count):
        effort = work.effort[worker, items.place[worker, item]]
        fell = 1 <= items.state[worker, item] <= MAX_BUCKET
        if fell and effort.cured_in != NEVER and month - effort.cured_in <= AGAIN_MONTHS:
            book_outcome(spot, effort.cured_with, AGAIN, effort.cured_in, result)
            effort.cured_in = NEVER


@compiled(inline=True, inner=True)
def book_outcome(spot, rungs, fact, month, result):  # type: ignore[no-untyped-def]
    """Count one loan for each rung of a mask."""
    told = result.rung[spot.row]
    for number in range(told.shape[0]):
        if (rungs >> np.uint32(number)) & 1 == 1:
            told[number, fact, month] += 1.0
