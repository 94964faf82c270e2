"""The pool: hours for whoever asks, by priority, while they last; its effects act from the next month on.

This couples the loans of a path, so the whole book must have met the month before it is called
(portfolio.py: month-major).
"""

from __future__ import annotations

import math

from scenarios.vocabulary import MAX_BUCKET, PURPOSE_REACH
from simulator.kernels.amounts import principal_behind
from simulator.kernels.bundles import NOT_CALLED, PRIORITIES, SERVED, UNSERVED
from simulator.kernels.compile import compiled
from simulator.kernels.random import event_uniform

STEPS = 16.0
"""Levels of priority in one unit of score."""

ASKED, GIVEN, WAITING, WAITED = range(4)
"""Rows of Result.pool."""


@compiled(inner=True)
def priority(loan, place, worker, loans, service, work):  # type: ignore[no-untyped-def]
    """Priority of a loan: a weighted sum of arrears, months waited and principal, in whole steps (P1)."""
    bucket, weights = work.path[worker, place].state, service.weights
    score = weights[0] * bucket + weights[1] * work.path[worker, place].waiting
    if weights[2] != 0.0:
        track = work.slots.track[worker, work.path[worker, place].slot]
        principal = principal_behind(track, bucket, loans.contract[loan].shrink, loans.contract[loan].step)
        score += weights[2] * principal
    return min(max(math.floor(score * STEPS), 0), PRIORITIES - 1)


@compiled(inner=True)
def ask(spot, count, loans, service, work):  # type: ignore[no-untyped-def]
    """List the loans that ask the pool in canonical order with their priorities; return how many.

    Who is in arrears outside the pool's buckets leaves the queue and is worked as the loans were that the parameters
    come from.
    """
    worker, asked = spot.worker, 0
    ranked = work.ranked[worker]
    ranked[:] = 0
    for place in range(count):
        state = work.path[worker, place].state
        if not 1 <= state <= MAX_BUCKET:
            continue
        work.path[worker, place].treated = UNSERVED
        if service.first_bucket <= state <= service.last_bucket:
            level = priority(spot.origin + place, place, worker, loans, service, work)
            work.queue[worker, asked] = place
            work.rank[worker, asked] = level
            ranked[level] += 1
            asked += 1
        else:
            work.path[worker, place].treated = NOT_CALLED
            work.path[worker, place].waiting = 0
    return asked


@compiled(inner=True)
def serve(spot, count, bundles, work, result):  # type: ignore[no-untyped-def]
    """Serve the loans of a chunk at the close of a month and book demand, service and waiting.

    A counting sort without a sort: who stands on a level above the last one that is served is served, on that
    last level the first in canonical order are, and nobody below it is.
    """
    loans, _, _, service, clock = bundles
    worker, month, path = spot.worker, spot.month, clock.first_path + spot.row
    asked = ask(spot, count, loans, service, work)
    left, level = service.contacts, PRIORITIES - 1
    while level > 0 and work.ranked[worker, level] <= left:
        left -= work.ranked[worker, level]
        level -= 1
    pool = result.pool[spot.row]
    for item in range(asked):
        place, rank = work.queue[worker, item], work.rank[worker, item]
        served = rank > level
        if rank == level and left > 0:
            served = True
            left -= 1
        pool[ASKED, month] += 1.0
        if served:
            pool[GIVEN, month] += 1.0
            work.path[worker, place].waiting = 0
            entity = loans.fact[spot.origin + place].entity
            if event_uniform(entity, path, month, PURPOSE_REACH, clock.seed) < service.reach:
                work.path[worker, place].treated = SERVED
        else:
            work.path[worker, place].waiting += 1
            pool[WAITING, month] += 1.0
            pool[WAITED, month] += work.path[worker, place].waiting
