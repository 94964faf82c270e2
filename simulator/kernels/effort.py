"""What collections keep of a loan in arrears: the state of a spell, and effects where nobody in particular acted."""

from __future__ import annotations

from simulator.kernels.bundles import NEVER
from simulator.kernels.compile import compiled
from simulator.kernels.ladder import EXTENSION, NO_RUNG
from simulator.kernels.workspace import NO_EFFORT


@compiled(inner=True)
def begin_path(worker, work):  # type: ignore[no-untyped-def]
    """Nobody has a record yet."""
    free = work.free[worker]
    free[0] = free.size - 1
    for item in range(1, free.size):
        free[item] = free.size - item
    begin_spell(work.effort[worker, NO_EFFORT])


@compiled(inline=True, inner=True)
def take_effort(fact, path, worker, work):  # type: ignore[no-untyped-def]
    """Give a record to a loan; the one that was given back last, as it is near at hand."""
    free = work.free[worker]
    path.effort = free[free[0]]
    free[0] -= 1
    effort = work.effort[worker, path.effort]
    effort.entity = fact.entity
    effort.own_find = fact.find
    begin_spell(effort)


@compiled(inline=True, inner=True)
def give_effort_back(path, worker, work):  # type: ignore[no-untyped-def]
    """Take a loan's record for others."""
    free = work.free[worker]
    free[0] += 1
    free[free[0]] = path.effort
    path.effort = NO_EFFORT


@compiled(inline=True, inner=True)
def end_spell(path, ladder, worker, work):  # type: ignore[no-untyped-def]
    """A loan is in arrears no more; it keeps its record where loans without arrears wait for pools."""
    if ladder.waits_in_care:
        begin_spell(work.effort[worker, path.effort])
    else:
        give_effort_back(path, worker, work)


@compiled(inline=True, inner=True)
def begin_spell(effort):  # type: ignore[no-untyped-def]
    """Nothing was done yet, nothing is known; ``effort`` is a workspace.EFFORT."""
    effort.find = 1.0
    effort.done = 0
    effort.now = 0
    effort.filed = NEVER
    effort.broken = 0
    effort.suit = NO_RUNG
    effort.sale = NO_RUNG
    effort.revealed = 0
    effort.bucket = 0
    stop_waiting(effort)
    offer_nothing(effort)


@compiled(inline=True, inner=True)
def stop_waiting(effort):  # type: ignore[no-untyped-def]
    """Leave every queue."""
    effort.queued = 0


@compiled(inline=True, inner=True)
def offer_nothing(effort):  # type: ignore[no-untyped-def]
    """Forget what was done at one close alone."""
    effort.plan = 0.0
    effort.now = 0
    effort.agency = NO_RUNG
    effort.reached = 0
    effort.offers = 0
    effort.asked = 0


@compiled(inline=True, inner=True)
def act_on_average(effort, mean, kind):  # type: ignore[no-untyped-def]
    """Effects of the strategy's mean (P13): ``mean`` is float64[class, type] of the loan's tier and bucket."""
    offer_nothing(effort)
    effort.cure = mean[0, kind]
    effort.roll = mean[1, kind]
    effort.charge_off = mean[2, kind]
    effort.extension = mean[EXTENSION, kind]
