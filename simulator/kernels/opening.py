"""A block of loans as it stands at the as-of date, and the history that the tape does not tell (3k)."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import CURED, EVENT_SLOT, FORGETFUL, HISTORY_MONTHS, MODIFIED, PURPOSE_HISTORY, PURPOSE_TYPE
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.booking import book_opening
from simulator.kernels.bundles import DRAW_MARK, ENDLESS, GUIDE, NEVER, NO_MARK
from simulator.kernels.compile import compiled
from simulator.kernels.effort import act_on_average, take_effort
from simulator.kernels.random import WORDS, draw_blocks, unit
from simulator.kernels.slots import entry_limit, next_due, remember
from simulator.kernels.workspace import NO_EFFORT


@compiled()
def drawn_mark(u, age, shares, guide):  # type: ignore[no-untyped-def]
    """Mark of a current loan of unknown history: `shares` cumulative, clean first, then cured and modified by months.

    A loan cannot have returned to current before it was made: such a draw counts as clean.
    """
    if u < shares[0]:
        return NO_MARK
    item = np.int64(guide[int(u * GUIDE)])
    while item < shares.size - 1 and u >= shares[item]:
        item += 1
    since, kind = (item - 1) % HISTORY_MONTHS, CURED if item <= HISTORY_MONTHS else MODIFIED
    return NO_MARK if since > age else -2 * since + kind


@compiled()
def drawn_kind(u, shares):  # type: ignore[no-untyped-def]
    """Type of a borrower in arrears from cumulative shares float64[type]."""
    kind = 0
    while kind < shares.size - 1 and u >= shares[kind]:
        kind += 1
    return kind


@compiled(inline=True, inner=True)
def open_loan(loan, place, worker, words, bundles, work):  # type: ignore[no-untyped-def]
    """Set one loan to its state at the as-of date and draw what nobody knows of it; `words` are (type, history)."""
    loans, hazards, _, ladder, clock = bundles
    bucket, tier, mark = loans.bucket[loan], loans.fact[loan].tier, loans.mark[loan]
    if mark == DRAW_MARK:
        mark = NO_MARK
        if bucket == 0:
            mark = drawn_mark(
                unit(words[1]), loans.fact[loan].age, hazards.open_history[tier], hazards.open_guide[tier]
            )
    work.path[worker, place].state = bucket
    work.state[worker, place] = bucket
    work.path[worker, place].term = loans.fact[loan].term
    work.path[worker, place].last_due = ENDLESS if loans.fact[loan].renewal > 0 else loans.fact[loan].term
    work.path[worker, place].tier = tier
    work.path[worker, place].mark = mark
    work.path[worker, place].kind = FORGETFUL
    if bucket > 0:
        work.path[worker, place].kind = drawn_kind(unit(words[0]), hazards.open_type[tier, bucket])
    work.path[worker, place].seized = 0 if loans.repossessed[loan] else NEVER
    in_default = bucket >= clock.default_bucket or loans.repossessed[loan]
    work.path[worker, place].defaulted = 0 if in_default else NEVER
    work.path[worker, place].effort = NO_EFFORT
    work.path[worker, place].cured_in = NEVER
    if ladder.on:
        path = work.path[worker, place]
        if bucket > 0 or ladder.waits_in_care:
            take_effort(loans.fact[loan], path, worker, work)
            act_on_average(work.effort[worker, path.effort], ladder.mean[ladder.group[loan], tier, bucket], path.kind)
        if ladder.waits_in_care:
            work.waits[worker, place] = 0
    work.path[worker, place].loss = 0.0
    work.path[worker, place].cash = 0.0


@compiled(inline=True, inner=True)
def open_slot(loan, place, worker, bundles, work):  # type: ignore[no-untyped-def]
    """Give a loan its slot: a block's slots open in the order of places."""
    loans, hazards, _, _, clock = bundles
    slots, mark = work.slots, work.path[worker, place].mark
    work.path[worker, place].slot = place
    slots.place[worker, place] = place
    slots.cell[worker, place] = loans.fact[loan].cell
    slots.track[worker, place] = loans.contract[loan].track
    slots.shrink[worker, place] = loans.contract[loan].shrink
    slots.step[worker, place] = loans.contract[loan].step
    slots.rate[worker, place] = loans.contract[loan].growth - 1.0
    slots.limit[worker, place] = entry_limit(1, mark, loans.fact[loan].risk_bound, hazards)
    slots.due[worker, place] = next_due(0, loans.fact[loan].term, loans.fact[loan].renewal)
    slots.late[worker, place] = 1 if loans.bucket[loan] > 0 else 0
    remember(place, worker, mark, 0, work.path[worker, place].defaulted, clock, slots)


@compiled(inner=True)
def open_block(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Set a block of loans to its state at the as-of date and book the opening stocks (month 0)."""
    loans, _, _, _, clock = bundles
    book, buckets, worker = result.book[spot.row], result.bucket_balance[spot.row], spot.worker
    first, stop, slot = spot.start - spot.origin, spot.stop - spot.origin, EVENT_SLOT + PURPOSE_TYPE // WORDS
    word = work.word[worker]
    address = (clock.first_path + spot.row, slot, clock.seed)  # type and history stand in one block of words
    entity = work.slots.entity[worker, first:stop]
    for place in range(first, stop):
        work.slots.entity[worker, place] = loans.fact[spot.origin + place].entity
    draw_blocks(entity, address, word[0][first:stop], word[1][first:stop], word[2][first:stop], word[3][first:stop])
    type_word, history_word = word[PURPOSE_TYPE % WORDS], word[PURPOSE_HISTORY % WORDS]
    for loan in range(spot.start, spot.stop):
        place, bucket = loan - spot.origin, loans.bucket[loan]
        open_loan(loan, place, worker, (type_word[place], history_word[place]), bundles, work)
        open_slot(loan, place, worker, bundles, work)
        principal = principal_behind(
            loans.contract[loan].track, bucket, loans.contract[loan].shrink, loans.contract[loan].step
        )
        accrued = accrued_interest(principal, bucket, loans.contract[loan].growth, clock.nonaccrual_months)
        mark = work.path[worker, place].mark
        modified = (mark & 1) == MODIFIED and -(mark >> 1) < HISTORY_MONTHS
        flags = (work.path[worker, place].defaulted >= 0, modified, loans.repossessed[loan])
        book_opening(book, bucket, principal, accrued, flags)
        buckets[0, bucket] += principal
    work.standing[worker, first // clock.block] = stop - first
