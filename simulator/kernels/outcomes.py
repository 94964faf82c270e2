"""What became of the loans that the rungs of the last close were carried out for (methodology (P19))."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import AGAIN_MONTHS, CHARGED_OFF, MATURED, MAX_BUCKET
from simulator.kernels.bundles import NEVER
from simulator.kernels.compile import compiled
from simulator.kernels.pools import AGAIN, CURED, WORSE


@compiled(inner=True)
def add_bits(mask, rungs, counts):  # type: ignore[no-untyped-def]
    """Count the first bits of a mask: int32[MOST_RUNGS].  Without a branch: which there are no processor can guess."""
    for number in range(rungs):
        counts[number] += np.int32((mask >> np.uint32(number)) & np.uint32(1))


@compiled(inline=True, inner=True)
def tell_outcomes(spot, late, count, work, result):  # type: ignore[no-untyped-def]
    """Tally cures and rolls by rung, book relapses: the first `late` of `count` items opened the month in arrears."""
    worker, month, items, rungs = spot.worker, spot.month, work.items, result.rung.shape[1]
    for item in range(late):
        path = work.path[worker, items.place[worker, item]]
        now = work.effort[worker, path.effort].now
        state, bucket = items.state[worker, item], items.bucket[worker, item]
        if (state == 0) | (state == MATURED):
            path.cured_with = now
            path.cured_in = month
            add_bits(now, rungs, work.tally[worker, 0])
        elif (state == CHARGED_OFF) | ((state > bucket) & (state <= MAX_BUCKET)):
            add_bits(now, rungs, work.tally[worker, 1])
    for item in range(late, count):
        if not 1 <= items.state[worker, item] <= MAX_BUCKET:
            continue
        path = work.path[worker, items.place[worker, item]]
        if path.cured_in != NEVER and month - path.cured_in <= AGAIN_MONTHS:
            book_relapse(spot, path.cured_with, path.cured_in, result)
            path.cured_in = NEVER


@compiled(inline=True, inner=True)
def book_relapse(spot, rungs, cured_in, result):  # type: ignore[no-untyped-def]
    """Count a relapse in the month of the cure, for each rung of a mask."""
    told = result.rung[spot.row]
    for number in range(told.shape[0]):
        if (rungs >> np.uint32(number)) & 1 == 1:
            told[number, AGAIN, cured_in] += 1.0


@compiled(inline=True, inner=True)
def book_outcomes(spot, work, result):  # type: ignore[no-untyped-def]
    """Book a month's tally."""
    told, tally = result.rung[spot.row], work.tally[spot.worker]
    for number in range(told.shape[0]):
        told[number, CURED, spot.month] = tally[0, number]
        told[number, WORSE, spot.month] = tally[1, number]
    tally[:] = 0
