"""The ladder at the close of a month: rungs ask, pools serve by priority while hours last, effects act next month.

::

    for each loan, in canonical order, without arrears              care.py
    for each in arrears
        promises broken, effects of the last close forgotten        begin_close
        for each rung that is for it (P1)                           is_open, within
            without pool: carried out                               carry_out
            with one: asks                                          ask
    for each pool: down to which priority do hours reach (P2)       reach_down
    for each that asks, in order: carried out, or waits
    incidents, suspension, hiring, costs (P9) to (P11)              close_pools (pools.py)

This couples the loans of a path, so the whole book must have met the month before it is called (portfolio.py:
month-major).
"""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import (
    MAX_BUCKET,
    PURPOSE_SEIZE,
)
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.booking import (
    COLLECTION_COST,
    DEFAULTED_BALANCE,
    REPOSSESSED_BALANCE,
    REPOSSESSED_COUNT,
)
from simulator.kernels.bundles import NEVER, PRIORITIES
from simulator.kernels.care import care, care_for, count_care
from simulator.kernels.collateral import car_is_seized, car_value
from simulator.kernels.compile import compiled
from simulator.kernels.dense import list_flagged
from simulator.kernels.effort import offer_nothing, stop_waiting
from simulator.kernels.ladder import EXTENSION, SEIZURE
from simulator.kernels.pools import FOR, REACHED, RUNG_COST, SERVED, WAITED, WAITING, close_pools, hours_of, line_up
from simulator.kernels.prefetch import FAR, NEAR, prefetch
from simulator.kernels.random import event_uniform
from simulator.kernels.workout import book_new_default, whole
from simulator.kernels.workspace import MOST_BROKEN, OFFERS_SURRENDER, OFFERS_WRITE_OFF

SLACK = 1e-9
"""Share of a pool's hours by which the last loan served may exceed them: sums of hours are rounded."""


@compiled(inline=True, inner=True)
def owed(loan, place, worker, loans, work):  # type: ignore[no-untyped-def]
    """Principal of a loan in arrears at the close of the month."""
    track = work.slots.track[worker, work.path[worker, place].slot]
    return principal_behind(
        track, work.path[worker, place].state, loans.contract[loan].shrink, loans.contract[loan].step
    )


@compiled(inline=True, inner=True)
def begin_close(effort, state, scale, kind):  # type: ignore[no-untyped-def]
    """Count a broken promise (P8) and set the effects of nobody's reaching the borrower (P4)."""
    if effort.bucket == 0:
        stop_waiting(effort)  # it may have asked without arrears
    if effort.reached and state >= effort.bucket:
        effort.broken += np.uint8(effort.broken < MOST_BROKEN)
    offer_nothing(effort)
    effort.bucket = state
    effort.cure = scale[0, kind]
    effort.roll = scale[1, kind]
    effort.charge_off = scale[2, kind]
    effort.extension = 0.0


@compiled(inner=True)
def flag_visited(state, least, flag):  # type: ignore[no-untyped-def]
    """Flag live loans at least so many instalments past due: ``state`` int8[place], ``flag`` uint8[place]."""
    for place in range(state.size):
        flag[place] = np.uint8((state[place] >= least) & (state[place] <= MAX_BUCKET))


@compiled(inline=True, inner=True)
def list_visited(worker, count, least, block, work):  # type: ignore[no-untyped-def]
    """List the places of the loans that a close looks at in ``work.visited``, in order; return how many."""
    found, visited, listed = 0, work.visited[worker], work.listed[worker]
    for start in range(0, count, block):
        size = min(block, count - start)
        flag_visited(work.state[worker, start : start + size], least, work.flag[worker, :size])
        for item in range(list_flagged(size, work.flag[worker], work.mover[worker], listed)):
            visited[found] = start + listed[item]
            found += 1
    return found


@compiled(inline=True, inner=True)
def first_bit(mask):  # type: ignore[no-untyped-def]
    """Number of the lowest bit that is set in a mask of 32, not 0: the exponent of what remains when it is alone."""
    alone = np.int64(mask) & -np.int64(mask)
    return (np.float64(alone).view(np.int64) >> 52) - 1023


@compiled(inline=True, inner=True)
def is_open(number, rung, done, effort):  # type: ignore[no-untyped-def]
    """Whether a rung is for a loan by what was done in the spell (P1); `done`: at earlier closes."""
    fits = (rung.after & done) == rung.after
    fits &= (rung.unless & done) == 0
    fits &= effort.broken >= rung.broken
    again = (done >> np.uint32(number)) & 1 == 1
    return fits and not (again and (rung.once or (rung.files and effort.filed >= 0)))


@compiled(inline=True, inner=True)
def within(rung, principal, ltv):  # type: ignore[no-untyped-def]
    """Whether a loan's amounts are within a rung's bounds."""
    return (
        (principal >= rung.from_balance)
        & (principal <= rung.to_balance)
        & (ltv >= rung.from_ltv)
        & (ltv <= rung.to_ltv)
    )


@compiled(inline=True, inner=True)
def carry_out(number, place, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Carry a rung out for a loan: count it, and if it reaches the borrower let it act (P3), (P4), (P7)."""
    loans, _, _, ladder, clock = bundles
    worker, month, loan = spot.worker, spot.month, spot.origin + place
    rung, path = ladder.rung[number], work.path[worker, place]
    effort = work.effort[worker, path.effort]
    address = clock.first_path + spot.row
    told, bit = result.rung[spot.row, number], np.uint32(1) << np.uint32(number)
    told[SERVED, month] += 1.0
    effort.done |= bit
    effort.now |= bit
    if rung.files and effort.filed == NEVER:
        effort.filed = month
        effort.suit = number
        principal = owed(loan, place, worker, loans, work)
        growth = loans.contract[loan].growth
        claim = principal + accrued_interest(principal, path.state, growth, clock.nonaccrual_months)
        cost = whole(rung.claim_cost * claim, clock.scale)
        told[RUNG_COST, month] += cost
        result.book[spot.row, COLLECTION_COST, month] += cost
    if rung.sells:
        effort.sale = number
    u = 0.0
    if rung.reach < 1.0 or rung.backfire > 0.0:
        u = event_uniform(effort.entity, address, month, rung.purpose, clock.seed)
    if u >= rung.reach:
        return
    told[REACHED, month] += 1.0
    backfires = u < rung.reach * rung.backfire
    reach_borrower(number, backfires, place, spot, bundles, work, result)


@compiled(inline=True, inner=True)
def reach_borrower(number, backfires, place, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Let a rung act on a borrower whom it reaches (P3), (P4), (P7)."""
    ladder, worker = bundles[3], spot.worker
    rung, path = ladder.rung[number], work.path[worker, place]
    effort = work.effort[worker, path.effort]
    effort.reached = 1
    kind = path.kind
    act(
        rung,
        ladder.effect[number, 1 if backfires else 0],
        kind,
        ladder.scale[path.tier, path.state],
        effort,
    )
    if rung.seizes:
        seize_now(
            ladder.scale[path.tier, path.state, SEIZURE, kind] * ladder.effect[number, 0, SEIZURE, kind],
            place,
            spot,
            bundles,
            work,
            result,
        )
    if rung.reveals:
        effort.revealed = 1 + kind
    if rung.find > 1.0:  # others leave the record's second line alone
        effort.find = max(effort.find, rung.find)
    accepted = ladder.accepted[number, kind]
    if rung.surrenders:
        effort.surrender = accepted
        effort.offers |= OFFERS_SURRENDER
    else:
        effort.plan += accepted
    if rung.agency:
        effort.agency = number
    if rung.writes_off:
        effort.offers |= OFFERS_WRITE_OFF


@compiled(inline=True, inner=True)
def act(rung, effect, kind, scale, effort):  # type: ignore[no-untyped-def]
    """Multiply a loan's effects by a rung's that reached it; ``effect`` and ``scale`` are float64[class, type]."""
    effort.cure *= effect[0, kind]
    effort.roll *= effect[1, kind]
    effort.charge_off *= effect[2, kind]
    if rung.extends:
        before = effort.extension if effort.extension > 0.0 else scale[EXTENSION, kind]
        effort.extension = before * effect[EXTENSION, kind]


@compiled(inline=True, inner=True)
def seize_now(multiplier, place, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Try to seize the car of a loan that a truck reaches (8b), and book what follows at the same close."""
    loans, _, workouts, _, clock = bundles
    worker, month, loan = spot.worker, spot.month, spot.origin + place
    path, book = work.path[worker, place], result.book[spot.row]
    effort = work.effort[worker, path.effort]
    intensity = workouts.seizure[path.tier, path.state] * multiplier * effort.find * effort.own_find
    u = event_uniform(effort.entity, clock.first_path + spot.row, month, PURPOSE_SEIZE, clock.seed)
    if not car_is_seized(u, intensity):
        return
    path.seized = month
    principal = owed(loan, place, worker, loans, work)
    book[REPOSSESSED_COUNT, month] += 1.0
    book[REPOSSESSED_BALANCE, month] += principal
    if path.defaulted < 0:
        path.defaulted = month
        book[DEFAULTED_BALANCE, month] += principal
        growth = loans.contract[loan].growth
        exposure = principal + accrued_interest(principal, path.state, growth, clock.nonaccrual_months)
        book_new_default(loan, spot, exposure, bundles, result)


@compiled(inline=True, inner=True)
def see_coming(place, far, near, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Prefetch what loans in arrears at further places will need; `place` is one that is in the cache."""
    loans, _, _, ladder, _ = bundles
    state, path = work.state[spot.worker], work.path[spot.worker]
    prefetch(path, far if state[far] > 0 else place)
    near = near if state[near] > 0 else place
    prefetch(work.effort[spot.worker], path[near].effort)
    if ladder.measures:
        prefetch(loans.contract, spot.origin + near)
        prefetch(loans.fact, spot.origin + near)


@compiled(inline=True, inner=True)
def ask(spot, count, bundles, work, result):  # type: ignore[no-untyped-def]
    """Let every rung look at every loan; return how many are in arrears or in a queue, and how many ask a pool."""
    loans, _, _, ladder, clock = bundles
    worker, month, late, asking = spot.worker, spot.month, 0, 0
    least, visited = 0 if ladder.first_care < ladder.rung.size else 1, work.visited[worker]
    for item in range(list_visited(worker, count, least, clock.block, work)):
        place = visited[item]
        state = work.state[worker, place]
        see_coming(place, visited[item + FAR], visited[item + NEAR], spot, bundles, work)
        if state == 0:
            late, asking = care(place, late, asking, spot, bundles, work)
            continue
        path, loan = work.path[worker, place], spot.origin + place
        effort = work.effort[worker, path.effort]
        work.lined[worker, late] = place
        late += 1
        begin_close(effort, state, ladder.scale[path.tier, state], path.kind)
        done, principal, ltv = effort.done, 0.0, 0.0
        fits = ladder.fits[loan] & ladder.of_bucket[state] & ladder.of_known[effort.revealed]
        if ladder.measures:
            principal = owed(loan, place, worker, loans, work)
            ltv = principal / car_value(loan, worker, month, loans, work)
        while fits != 0:
            number = first_bit(fits)
            fits &= fits - np.uint32(1)
            rung = ladder.rung[number]
            if not is_open(number, rung, done, effort):
                continue
            if ladder.measures and not within(rung, principal, ltv):
                continue
            if (rung.seizes or rung.surrenders) and path.seized >= 0:
                continue
            result.rung[spot.row, number, FOR, month] += 1.0
            if rung.pool < 0:
                carry_out(number, place, spot, bundles, work, result)
                continue
            line_up(number, place, asking, principal, worker, ladder, work)
            asking += 1
    return late, asking


@compiled(inline=True, inner=True)
def serve(spot, count, bundles, work, result):  # type: ignore[no-untyped-def]
    """Take a chunk up the ladder at the close of a month, and book what it costs."""
    _, _, _, ladder, _ = bundles
    worker, pools = spot.worker, ladder.pool.size
    work.ranked[worker] = 0.0
    late, asking = ask(spot, count, bundles, work, result)
    # A counting sort without a sort: a pool serves all levels above the last that it reaches, of that one the first.
    for number in range(pools):
        left, level = hours_of(number, worker, ladder, work) * (1.0 + SLACK), PRIORITIES - 1
        while level > 0 and work.ranked[worker, number, level] <= left:
            left -= work.ranked[worker, number, level]
            level -= 1
        work.left[worker, number] = left
        work.level[worker, number] = level
    queue = work.queue[worker]
    for item in range(asking):
        prefetch(work.path[worker], queue[item + FAR])
        prefetch(work.effort[worker], work.path[worker, queue[item + NEAR]].effort)
        number, place = work.queue_rung[worker, item], queue[item]
        pool, rank = ladder.rung[number].pool, work.queue_level[worker, item]
        if rank < work.level[worker, pool]:
            continue
        if rank == work.level[worker, pool]:
            work.left[worker, pool] -= ladder.rung[number].hours
            if work.left[worker, pool] < 0.0:
                work.left[worker, pool] = -1.0  # whoever follows waits, even where few hours would do
                continue
        work.effort[worker, work.path[worker, place].effort].asked &= ~np.uint8(1 << pool)
        if number >= ladder.first_care:
            care_for(number, place, worker, work)
        else:
            carry_out(number, place, spot, bundles, work, result)
    count_waiting(spot, late, ladder, work, result)
    for number in range(ladder.first_care, ladder.rung.size):
        count_care(number, spot, count, work, result)
    close_pools(spot, bundles, work, result)


@compiled(inline=True, inner=True)
def count_waiting(spot, late, ladder, work, result):  # type: ignore[no-untyped-def]
    """Who asked a pool and got nothing has waited a month more (P2)."""
    worker, month = spot.worker, spot.month
    for item in range(late):
        place, waits = work.lined[worker, item], 0
        effort = work.effort[worker, work.path[worker, place].effort]
        for number in range(ladder.pool.size if effort.asked else 0):
            bit = np.uint8(1 << number)
            if effort.asked & bit:
                effort.waiting[number] = (effort.waiting[number] if effort.queued & bit else 0) + 1
                waits = 1
                result.pool[spot.row, number, WAITING, month] += 1.0
                result.pool[spot.row, number, WAITED, month] += effort.waiting[number]
        effort.queued = effort.asked
        if ladder.waits_in_care:
            current = work.state[worker, place] == 0
            work.waits[worker, place] = waits * current
            if current:  # the next close of a loan in arrears does this for it
                effort.asked = 0
