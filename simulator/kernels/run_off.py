"""After the horizon: loans in arrears and in default go on until current, gone, or charged off in the last month."""

from __future__ import annotations

from scenarios.vocabulary import MAX_BUCKET
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.bundles import Spot
from simulator.kernels.close import close_items
from simulator.kernels.compile import compiled
from simulator.kernels.effort import act_on_average
from simulator.kernels.items import decide_late, fill_lanes, items_of, settle, settle_books


@compiled(inner=True)
def enter_run_off(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """List the block's loans in arrears that are in default at the horizon; book what enters, return how many.

    A loan in default that is current serves its probation: it has cured.
    """
    loans, _, _, _, clock = bundles
    late, worker = 0, spot.worker
    entered = result.run_off[spot.row]
    for place in range(spot.start - spot.origin, spot.stop - spot.origin):
        bucket = work.path[worker, place].state
        if 1 <= bucket <= MAX_BUCKET and work.path[worker, place].defaulted >= 0:
            work.listed[worker, late] = place
            late += 1
            loan = spot.origin + place
            growth, track = loans.contract[loan].growth, work.slots.track[worker, work.path[worker, place].slot]
            principal = principal_behind(track, bucket, loans.contract[loan].shrink, loans.contract[loan].step)
            entered[0] += principal
            entered[1] += accrued_interest(principal, bucket, growth, clock.nonaccrual_months)
            entered[2] += 1.0
    return late


@compiled(inner=True)
def stay_in_run_off(spot, listed, ladder, work, result):  # type: ignore[no-untyped-def]
    """Drop the places that ended from ``work.listed``, list the others' slots in ``work.late``; return how many.

    A loan that has cured leaves with its principal.
    """
    left, worker, tracks = 0, spot.worker, work.slots.track[spot.worker]
    for item in range(listed):
        place = work.listed[worker, item]
        state, slot = work.path[worker, place].state, work.path[worker, place].slot
        if state == 0:
            result.run_off[spot.row, 3] += tracks[slot]
            result.run_off[spot.row, 4] += 1.0
        elif state <= MAX_BUCKET:
            if ladder.on:
                path = work.path[worker, place]
                mean = ladder.mean[ladder.group[spot.origin + place], path.tier, state]
                act_on_average(work.effort[worker, path.effort], mean, path.kind)
            work.listed[worker, left] = place
            work.late[worker, left] = slot
            left += 1
    return left


@compiled(inner=True)
def run_off(place, bundles, work, result):  # type: ignore[no-untyped-def]
    """Run a block's loans in default off; `place` is (row, worker, origin, start, stop)."""
    clock, slots = bundles[4], work.slots
    row, worker, origin, start, stop = place
    items = items_of(worker, work.items)
    late = enter_run_off(Spot(row, clock.months, worker, origin, start, stop), bundles, work, result)
    for month in range(clock.months + 1, clock.months + clock.run_off + 2):
        spot = Spot(row, month, worker, origin, start, stop)
        late = stay_in_run_off(spot, late, bundles[3], work, result)
        if late == 0:
            break
        decide_late(spot, late, bundles, work, items)
        full = fill_lanes(late, items)
        settle(spot, full, clock, items)
        settle_books(spot, full, clock, items, result)
        for item in range(late):
            slot = work.late[worker, item]
            slots.track[worker, slot] = (
                slots.track[worker, slot] * slots.shrink[worker, slot] - slots.step[worker, slot]
            )
        close_items(spot, late, bundles, work, result)
