"""Slots: the live loans of a block side by side, in no order, as the dense pass reads them.

A loan that dies leaves its slot to the block's last one, so no pass ever meets a dead loan.  What only arrears and
moves need stays at the loan's place.
"""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import HISTORY_MONTHS, MODIFIED
from simulator.kernels.compile import compiled
from simulator.kernels.workspace import Slots

UPWARDS = 1.0 + 1e-5
"""What a bound in single precision is widened by: a hundred times its rounding."""


@compiled(inline=True, inner=True)
def slots_of(worker, first, count, slots):  # type: ignore[no-untyped-def]
    """The slots of one block: views of `count` of them from `first` on."""
    stop = first + count
    return Slots(
        slots.place[worker, first:stop],
        slots.entity[worker, first:stop],
        slots.cell[worker, first:stop],
        slots.track[worker, first:stop],
        slots.shrink[worker, first:stop],
        slots.step[worker, first:stop],
        slots.rate[worker, first:stop],
        slots.limit[worker, first:stop],
        slots.due[worker, first:stop],
        slots.late[worker, first:stop],
        slots.modified_until[worker, first:stop],
        slots.default_until[worker, first:stop],
    )


@compiled(inline=True, inner=True)
def remember(slot, worker, mark, month, defaulted, clock, slots):  # type: ignore[no-untyped-def]
    """Note for how long a loan without arrears counts as modified and, after a default, as in probation."""
    since = mark >> 1
    modified = (mark & 1) == MODIFIED and month - since < HISTORY_MONTHS
    slots.modified_until[worker, slot] = since + HISTORY_MONTHS if modified else 0
    slots.default_until[worker, slot] = since + clock.probation_months - 1 if defaulted >= 0 else 0


@compiled(inline=True, inner=True)
def entry_limit(month, mark, risk_bound, hazards):  # type: ignore[no-untyped-def]
    """Bound, from `month` on, of a loan's multiplier of entry: what arrears before did to it wears off."""
    kind, since = np.uint64(mark & 1), np.uint64(min(month - 1 - (mark >> 1), HISTORY_MONTHS))
    return np.float32(risk_bound * hazards.history_bound[kind, since])


@compiled(inline=True, inner=True)
def next_due(month, term, renewal):  # type: ignore[no-untyped-def]
    """First month after `month` in which a loan that pays on time matures or renews."""
    if renewal == 0 or month < term:
        return term
    return term + ((month - term) // renewal + 1) * renewal


@compiled(inline=True, inner=True)
def leave_slot(place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Take a dead loan out: the block's last loan moves into its slot, and its car out of the lender's collateral."""
    loans, _, _, _, clock = bundles
    worker, slots, first = spot.worker, work.slots, spot.start - spot.origin
    loan, number = spot.origin + place, first // clock.block
    slot, last = work.path[worker, place].slot, first + work.standing[worker, number] - 1
    work.standing[worker, number] -= 1
    moved = slots.place[worker, last]
    slots.place[worker, slot] = moved
    work.path[worker, moved].slot = slot
    slots.entity[worker, slot] = slots.entity[worker, last]
    slots.cell[worker, slot] = slots.cell[worker, last]
    slots.track[worker, slot] = slots.track[worker, last]
    slots.shrink[worker, slot] = slots.shrink[worker, last]
    slots.step[worker, slot] = slots.step[worker, last]
    slots.rate[worker, slot] = slots.rate[worker, last]
    slots.limit[worker, slot] = slots.limit[worker, last]
    slots.due[worker, slot] = slots.due[worker, last]
    slots.late[worker, slot] = slots.late[worker, last]
    slots.modified_until[worker, slot] = slots.modified_until[worker, last]
    slots.default_until[worker, slot] = slots.default_until[worker, last]
    for row in range(work.word.shape[1]):
        work.word[worker, row, slot] = work.word[worker, row, last]
    month, car = min(spot.month, clock.months + 1), np.uint64(loans.fact[loan].car)
    work.gone[worker, month, car] += np.int64(loans.fact[loan].value_as_new * clock.scale)
