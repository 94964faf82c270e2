"""After the horizon: loans in arrears and in default go on until current, gone, or charged off in the last month."""

from __future__ import annotations

from scenarios.vocabulary import MAX_BUCKET
from simulator.kernels.active import active_pass
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.bundles import NOT_CALLED, Spot
from simulator.kernels.compile import compiled


@compiled(inner=True)
def enter_run_off(spot, loans, clock, work, result):  # type: ignore[no-untyped-def]
    """List the block's loans in arrears that are in default at the horizon; book what enters, return how many.

    A loan in default that is current serves its probation: it has cured.
    """
    late, worker = 0, spot.worker
    states, tracks = work.state[worker], work.track[worker]
    entered = result.run_off[spot.row]
    for place in range(spot.start - spot.origin, spot.stop - spot.origin):
        bucket = states[place]
        if 1 <= bucket <= MAX_BUCKET and work.defaulted[worker, place] >= 0:
            work.active[worker, late] = place
            late += 1
            loan = spot.origin + place
            growth = loans.growth[loan]
            principal = principal_behind(tracks[place], bucket, loans.shrink[loan], loans.step[loan])
            entered[0] += principal
            entered[1] += accrued_interest(principal, bucket, growth, clock.nonaccrual_months)
            entered[2] += 1.0
            work.treated[worker, place] = NOT_CALLED
    return late


@compiled(inner=True)
def step_run_off(spot, late, loans, work, result):  # type: ignore[no-untyped-def]
    """Advance the tracks of the loans in run-off; return how many after dropping those that ended.

    Called before each month's active pass; a loan that has cured leaves with its principal.
    """
    left, states, tracks = 0, work.state[spot.worker], work.track[spot.worker]
    active = work.active[spot.worker]
    for item in range(late):
        place = active[item]
        if states[place] == 0:
            result.run_off[spot.row, 3] += tracks[place]
            result.run_off[spot.row, 4] += 1.0
        elif states[place] <= MAX_BUCKET:
            loan = spot.origin + place
            tracks[place] = tracks[place] * loans.shrink[loan] - loans.step[loan]
            active[left] = place
            left += 1
    return left


@compiled(inner=True)
def run_off(place, bundles, work, result):  # type: ignore[no-untyped-def]
    """Run a block's loans in default off; `place` is (row, worker, origin, start, stop)."""
    loans, _, _, _, clock = bundles
    row, worker, origin, start, stop = place
    late = enter_run_off(Spot(row, clock.months, worker, origin, start, stop), loans, clock, work, result)
    for month in range(clock.months + 1, clock.months + clock.run_off + 2):
        spot = Spot(row, month, worker, origin, start, stop)
        late = step_run_off(spot, late, loans, work, result)
        if late == 0:
            break
        active_pass(spot, late, bundles, work, result)
