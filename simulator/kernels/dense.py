"""The dense pass: all slots of a block; who surely pays on time is booked, the others are listed."""

from __future__ import annotations

import numpy as np

from simulator.kernels.amounts import quanta
from simulator.kernels.booking import book_on_time
from simulator.kernels.compile import compiled
from simulator.kernels.random import unit
from simulator.kernels.slots import UPWARDS, slots_of

WORD_RANGE = 2.0**32
FLAG_MOVES, FLAG_DUE, FLAG_LATE = 1, 2, 4
"""Why a slot is flagged: its draw is within the bounds, it matures or renews, it is in arrears."""
GROUP = 4
"""Slots whose flags are looked at together."""


@compiled(inner=True)
def flag_movers(month, bounds, word, slots, flag):  # type: ignore[no-untyped-def]
    """Flag the slots that may move or need more than an instalment booked: ``flag`` uint8[slot].

    A loan without arrears moves only if its draw falls below its intensity of entry or within its intensity of
    payoff of 1: intensities bound the probabilities of (2), so one comparison settles the rest.

    Parameters
    ----------
    bounds : (float32, float32)
        2^32 times the largest intensity of entry of a loan of multiplier 1, and the least word that pays off.
    """
    entry, payoff = bounds
    limit, due, late = slots.limit, slots.due, slots.late
    for slot in range(flag.size):
        drawn = np.float32(word[slot])
        moves = np.uint8((drawn < limit[slot] * entry) | (drawn > payoff))
        flag[slot] = moves | np.uint8(np.uint8(due[slot] <= month) * FLAG_DUE) | np.uint8(late[slot] * FLAG_LATE)


@compiled(inner=True)
def list_flagged(count, flag, some, listed):  # type: ignore[no-untyped-def]
    """List the flagged ones of the first `count` slots, without a branch; return how many.

    Most groups of GROUP slots hold none, so these are listed first.

    Parameters
    ----------
    flag : uint8[block]
        What stands behind `count`, up to a full group, is written over.
    some, listed : int32[block]
        Room for the groups; the flagged slots.
    """
    groups = (count + GROUP - 1) // GROUP
    flag[count : groups * GROUP] = 0
    together, holding, found = flag[: groups * GROUP].view(np.uint32), 0, 0
    for group in range(groups):
        some[holding] = group * GROUP
        holding += np.int64(together[group] != 0)
    for group in range(holding):
        first = np.uint64(some[group])
        for member in range(GROUP):
            slot = first + np.uint64(member)
            listed[found] = slot
            found += np.int64(flag[slot] != 0)
    return found


@compiled(inner=True)
def advance(month, scale, slots, flag):  # type: ignore[no-untyped-def]
    """Advance the track of every slot by an instalment; sum over the slots that are not flagged.

    Sums are of whole quanta (amount x `scale`, D3), exact in any order, so that the loop runs eight slots at a time.

    Returns
    -------
    balance, paid, interest, modified, in_default, count : int64
    """
    track, shrink, step, rate = slots.track, slots.shrink, slots.step, slots.rate
    modified_until, default_until = slots.modified_until, slots.default_until
    balance, paid, interest, modified, in_default, count = 0, 0, 0, 0, 0, 0
    for slot in range(flag.size):
        on_time = flag[slot] == 0
        opening = track[slot]
        closing = opening * shrink[slot] - step[slot]
        track[slot] = closing
        owed = quanta(closing, scale) if on_time else np.int64(0)
        balance += owed
        paid += (quanta(opening, scale) if on_time else np.int64(0)) - owed
        interest += quanta(opening * rate[slot], scale) if on_time else np.int64(0)
        modified += owed if modified_until[slot] > month else np.int64(0)
        in_default += owed if default_until[slot] > month else np.int64(0)
        count += np.int64(1) if on_time else np.int64(0)
    return balance, paid, interest, modified, in_default, count


@compiled(inline=True, inner=True)
def sift(spot, listed, bundles, work):  # type: ignore[no-untyped-def]
    """Part the flagged slots of a block by the bounds of their own cells, without a branch.

    Returns
    -------
    late, movers : int
        Slots in ``work.late``, the loans in arrears, and in ``work.mover``, those without arrears that may move or
        whose last instalment or renewal is due.  Flags of the others are taken back.
    """
    hazards, worker, month, first = bundles[1], spot.worker, spot.month, np.uint64(spot.start - spot.origin)
    slots, flag, word = work.slots, work.flag[worker], work.word[worker, month % work.word.shape[1]]
    entry, payoff = work.entry[worker, month], hazards.payoff[month]
    listing, late_slots, mover_slots = work.listed[worker], work.late[worker], work.mover[worker]
    late, movers = 0, 0
    for item in range(listed):
        here = np.uint64(listing[item])
        slot = first + here
        u, cell, why = unit(word[slot]), np.uint64(slots.cell[worker, slot]), flag[here]
        moves = (u < entry[cell] * (slots.limit[worker, slot] * UPWARDS)) | (u > 1.0 - payoff[cell])
        behind = why >= FLAG_LATE
        mover = (moves | (why >= FLAG_DUE)) & ~behind
        late_slots[late] = slot
        mover_slots[movers] = slot
        late += np.int64(behind)
        movers += np.int64(mover)
        flag[here] = np.uint8(mover | behind)
    return late, movers


@compiled(inline=True, inner=True)
def find_movers(spot, count, bundles, work):  # type: ignore[no-untyped-def]
    """List the slots of a block that are in arrears or may move this month; return the numbers of both."""
    _, hazards, _, _, _ = bundles
    worker, month, first = spot.worker, spot.month, spot.start - spot.origin
    entry = np.float32(work.entry_top[worker, month] * WORD_RANGE * UPWARDS)
    payoff = np.float32((1.0 - hazards.payoff_bound[month] * UPWARDS) * WORD_RANGE - WORD_RANGE * (UPWARDS - 1.0))
    word = work.word[worker, month % work.word.shape[1]][first : first + count]
    slots, flag = slots_of(worker, first, count, work.slots), work.flag[worker, :count]
    flag_movers(month, (entry, payoff), word, slots, flag)
    listed = list_flagged(count, work.flag[worker], work.mover[worker], work.listed[worker])
    return sift(spot, listed, bundles, work)


@compiled(inline=True, inner=True)
def pay_on_time(spot, count, clock, work, result):  # type: ignore[no-untyped-def]
    """Book the instalments that are paid on time, and advance all tracks of a block."""
    worker, month, first = spot.worker, spot.month, spot.start - spot.origin
    slots = slots_of(worker, first, count, work.slots)
    sums = advance(month, clock.scale, slots, work.flag[worker, :count])
    balance = book_on_time(result.book[spot.row], month, sums, 1.0 / clock.scale)
    result.bucket_balance[spot.row, month, 0] += balance
    result.transition[spot.row, month, 0, 0] += sums[5]
