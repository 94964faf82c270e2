"""The items of a month: the loans of a block that are in arrears or move, gathered side by side.

Each step of an item's month is a loop over all items with nothing but arithmetic in it, so that it runs eight at a
time; what branches (who dies, who defaults) is left to `close.py`.
"""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import (
    CHARGE_OFF,
    CHARGED_OFF,
    CURE,
    EVENT_SLOT,
    EXTENDED,
    FORGETFUL,
    HARDSHIP,
    MATURED,
    MAX_BUCKET,
    PREPAID,
    PREPAY,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_MODIFY,
    PURPOSE_PLAN,
    PURPOSE_PREPAY,
    PURPOSE_SPELL,
    PURPOSE_TOTAL_LOSS,
    ROLL,
    TOTAL_LOSS,
)
from simulator.kernels.booking import book_accruals, book_closing, book_payments
from simulator.kernels.bundles import ENDLESS
from simulator.kernels.compile import compiled
from simulator.kernels.logarithm import waiting
from simulator.kernels.prefetch import FAR, NEAR, prefetch
from simulator.kernels.random import SLOTS_PER_MONTH, WORDS, draw_blocks, unit
from simulator.kernels.workspace import EVENT_WORDS, LANES, OFFERS_WRITE_OFF, Items


@compiled(inline=True, inner=True)
def items_of(worker, items):  # type: ignore[no-untyped-def]
    """One worker's items."""
    return Items(
        items.slot[worker],
        items.place[worker],
        items.entity[worker],
        items.word[worker],
        items.cause[worker],
        items.soonest[worker],
        items.modified[worker],
        items.bucket[worker],
        items.drawn[worker],
        items.state[worker],
        items.due[worker],
        items.fee[worker],
        items.track[worker],
        items.shrink[worker],
        items.step[worker],
        items.rate[worker],
        items.principal[worker],
        items.interest[worker],
        items.accrual[worker],
        items.close[worker],
        items.accrued[worker],
        items.cash[worker],
    )


@compiled(inline=True)
def whole_lanes(count):  # type: ignore[no-untyped-def]
    """The next multiple of LANES."""
    return (count + LANES - 1) // LANES * LANES


@compiled(inline=True, inner=True)
def draw_events(count, address, group, items):  # type: ignore[no-untyped-def]
    """Draw four words for each item: rows 4 group .. of ``items.word``; `address` is (path, month, seed)."""
    path, month, seed = address
    slot, row, word = EVENT_SLOT + month * SLOTS_PER_MONTH + group, group * WORDS, items.word
    draw_blocks(items.entity[:count], (path, slot, seed), word[row], word[row + 1], word[row + 2], word[row + 3])


@compiled(inner=True)
def race(state, word, rate, soonest, drawn, count):  # type: ignore[no-untyped-def]
    """Let one cause compete: where its waiting time E / rate is less than what came first, it leads to `state`."""
    for item in range(count):
        time = waiting(word[item]) / rate[item] if rate[item] > 0.0 else 1.0
        sooner = time < soonest[item]
        soonest[item] = time if sooner else soonest[item]
        drawn[item] = state if sooner else drawn[item]


@compiled(inline=True, inner=True)
def gather(item, slot, place, worker, workouts, work):  # type: ignore[no-untyped-def]
    """Bring what the settlement of a slot's month needs to its item; return the loan's PATH_STATE."""
    slots, items, path = work.slots, work.items, work.path[worker, place]
    items.slot[worker, item] = slot
    items.place[worker, item] = place
    items.track[worker, item] = slots.track[worker, slot]
    items.shrink[worker, item] = slots.shrink[worker, slot]
    items.step[worker, item] = slots.step[worker, slot]
    items.rate[worker, item] = slots.rate[worker, slot]
    items.bucket[worker, item] = path.state
    items.due[worker, item] = path.last_due
    items.fee[worker, item] = workouts.terms[np.uint64(path.tier)].late_fee
    return path


@compiled(inline=True, inner=True)
def gather_late(spot, late, bundles, work, items):  # type: ignore[no-untyped-def]
    """Gather the loans in arrears that ``work.late`` lists and their intensities of every cause (3h)."""
    _, hazards, workouts, ladder, _ = bundles
    month, worker, buckets, cause = spot.month, np.uint64(spot.worker), hazards.arrears.shape[2], items.cause
    slots, places = work.late[worker], work.slots.place[worker]
    for item in range(late):
        prefetch(work.path[worker], np.uint64(places[np.uint64(slots[item + FAR])]))
        if ladder.on:
            prefetch(work.effort[worker], work.path[worker, np.uint64(places[np.uint64(slots[item + NEAR])])].effort)
        slot = np.uint64(slots[item])
        path = gather(item, slot, np.uint64(places[slot]), worker, workouts, work)
        tier, cell, bucket = np.uint64(path.tier), np.uint64(work.slots.cell[worker, slot]), np.uint64(path.state)
        ends = (path.kind == HARDSHIP) & (unit(items.word[PURPOSE_SPELL, item]) < hazards.trait[tier].spell_end)
        path.kind = FORGETFUL if ends else path.kind
        own = hazards.arrears[tier, np.uint64(path.kind), bucket]
        macro = hazards.class_multiplier[month, cell]
        cure, roll, charge_off = macro[CURE], macro[ROLL], macro[CHARGE_OFF]
        for target in range(buckets):
            cause[target, item] = own[target] * (cure if target < bucket else roll)
        cause[buckets, item] = own[buckets] * charge_off
        cause[buckets + 1, item] = own[buckets + 1] * macro[PREPAY]
        cause[buckets + 2, item] = hazards.trait[tier].total_loss
        items.modified[item] = hazards.modified_share[tier, bucket] if month < path.term else 0.0
        items.drawn[item] = bucket
        if ladder.on:
            treat(item, bucket, buckets, work.effort[worker, np.uint64(path.effort)], month < path.term, items)


AT_ONCE = 1e12
"""Intensity of what happens this month whatever else may."""


@compiled(inline=True, inner=True)
def treat(item, bucket, buckets, effort, has_term, items):  # type: ignore[no-untyped-def]
    """What collections do to the intensities of a loan in arrears (P6), (P7)."""
    cause, share = items.cause, items.modified[item]
    returns = 1.0 + ((1.0 - share) * (effort.cure - 1.0) + share * (effort.extension - 1.0))
    cause[0, item] *= returns
    for target in range(1, buckets):
        cause[target, item] *= effort.cure if target < bucket else effort.roll
    cause[buckets, item] = AT_ONCE if effort.offers & OFFERS_WRITE_OFF else cause[buckets, item] * effort.charge_off
    cause[buckets + 3, item] = effort.plan if has_term else 0.0
    items.modified[item] = share * effort.extension / returns if returns > 0.0 else 0.0


@compiled(inline=True, inner=True)
def decide_late(spot, late, bundles, work, items):  # type: ignore[no-untyped-def]
    """What the loans in arrears do: the least of E_k / lambda_k if below 1, else they stay (2), (3h), (3i).

    Each cause k has its own keyed exponential E_k, so another cause leaves the draws of the others alone.
    """
    _, hazards, _, ladder, clock = bundles
    buckets, address = hazards.arrears.shape[2], (clock.first_path + spot.row, spot.month, clock.seed)
    full = whole_lanes(late)
    for item in range(late):
        items.entity[item] = work.slots.entity[spot.worker, work.late[spot.worker, item]]
    for item in range(full):
        items.soonest[item] = 1.0
    for group in range(EVENT_WORDS // WORDS):
        if group != 1 or buckets > WORDS:
            draw_events(full, address, group, items)
    gather_late(spot, late, bundles, work, items)
    word, cause, soonest, drawn = items.word, items.cause, items.soonest, items.drawn
    for target in range(buckets):
        race(target, word[PURPOSE_BUCKET + target], cause[target], soonest, drawn, full)
    race(CHARGED_OFF, word[PURPOSE_CHARGE_OFF], cause[buckets], soonest, drawn, full)
    race(PREPAID, word[PURPOSE_PREPAY], cause[buckets + 1], soonest, drawn, full)
    race(TOTAL_LOSS, word[PURPOSE_TOTAL_LOSS], cause[buckets + 2], soonest, drawn, full)
    if ladder.on:
        draw_events(full, address, PURPOSE_PLAN // WORDS, items)
        race(EXTENDED, word[PURPOSE_PLAN], cause[buckets + 3], soonest, drawn, full)
    finish_decision(spot, late, clock, items)


@compiled(inline=True, inner=True)
def finish_decision(spot, late, clock, items):  # type: ignore[no-untyped-def]
    """A cure to current may be an extension (3i); who is in arrears when the run-off ends is charged off."""
    month, drawn, word = spot.month, items.drawn, items.word[PURPOSE_MODIFY]
    for item in range(late):
        extended = (drawn[item] == 0) & (unit(word[item]) < items.modified[item])
        drawn[item] = EXTENDED if extended else drawn[item]
    if month == clock.months + clock.run_off:
        for item in range(late):
            if 1 <= drawn[item] <= MAX_BUCKET and month - drawn[item] < items.due[item]:
                drawn[item] = CHARGED_OFF


@compiled(inner=True)
def step_back(deepest, items, principal, close, count):  # type: ignore[no-untyped-def]
    """Principal of the items before anything is paid, and what it is behind the next track (1).

    Who is k instalments behind at the close owes what the track was k - 1 instalments ago: ``close`` is updated where
    k is 1 .. bucket, ``principal`` to as many instalments behind as the bucket says.
    """
    bucket, state, step, shrink = items.bucket, items.state, items.step, items.shrink
    for back in range(deepest):
        for item in range(count):
            here = principal[item]
            close[item] = here if state[item] == back + 1 else close[item]
            earlier = (here + step[item]) / shrink[item]
            principal[item] = earlier if back < bucket[item] else here


@compiled(inline=True, inner=True)
def settle_states(spot, count, items):  # type: ignore[no-untyped-def]
    """State of each item at the month's close."""
    month, drawn, state, due = spot.month, items.drawn, items.state, items.due
    for item in range(count):
        matures = (drawn[item] <= MAX_BUCKET) & (month - drawn[item] >= due[item])
        state[item] = MATURED if matures else (0 if drawn[item] == EXTENDED else drawn[item])


@compiled(inline=True, inner=True)
def settle_claims(count, most, items):  # type: ignore[no-untyped-def]
    """Unpaid interest of each item, the month's own included, before anything is paid; the accrual."""
    rate, bucket, principal = items.rate, items.bucket, items.principal
    interest, accrual = items.interest, items.accrual
    for item in range(count):
        accrual[item] = principal[item] * rate[item] if bucket[item] < most else 0.0
    for item in range(count):
        interest[item] = principal[item] * rate[item] * min(bucket[item], most) + accrual[item]


@compiled(inline=True, inner=True)
def settle_close(count, most, items):  # type: ignore[no-untyped-def]
    """Principal and accrued interest of each item at the month's close."""
    drawn, state, close, principal = items.drawn, items.state, items.close, items.principal
    for item in range(count):
        owed = principal[item] if state[item] > items.bucket[item] else close[item]
        owed = principal[item] + items.interest[item] if drawn[item] == EXTENDED else owed
        close[item] = owed if state[item] <= MAX_BUCKET else 0.0
    for item in range(count):
        items.accrued[item] = close[item] * items.rate[item] * min(state[item], most)


@compiled(inline=True, inner=True)
def fill_lanes(count, items):  # type: ignore[no-untyped-def]
    """Follow `count` items by such as leave nothing in any sum, up to a full step of the loops; return how many."""
    full = whole_lanes(count)
    for item in range(count, full):
        items.track[item] = 0.0
        items.shrink[item] = 1.0
        items.step[item] = 0.0
        items.rate[item] = 0.0
        items.bucket[item] = 0
        items.due[item] = ENDLESS
        items.fee[item] = 0.0
        items.drawn[item] = CHARGED_OFF
    return full


@compiled(inline=True, inner=True)
def settle(spot, count, clock, items):  # type: ignore[no-untyped-def]
    """Settle the month of all items in closed form (1): who ends in `state` has paid what lies between."""
    track, principal, close, deepest = items.track, items.principal, items.close, 0
    for item in range(count):
        deepest = max(deepest, items.bucket[item])
        principal[item] = track[item]
        close[item] = track[item] * items.shrink[item] - items.step[item]
    settle_states(spot, count, items)
    step_back(deepest, items, principal, close, count)
    settle_claims(count, clock.nonaccrual_months, items)
    settle_close(count, clock.nonaccrual_months, items)


@compiled(inline=True, inner=True)
def settle_books(spot, count, clock, items, result):  # type: ignore[no-untyped-def]
    """Add the settled month of all items to the book."""
    book, month, scale = result.book[spot.row], spot.month, clock.scale
    book_payments(book, month, count, scale, items)
    book_accruals(book, month, count, scale, items)
    book_closing(book, month, count, scale, items)
