"""The monthly step of a whole book.

::

    for each path of a worker's portion (one thread each)
        intensities of entry by month and cell                  hazards.py
        for each chunk of loans: a block, or where loans meet in a pool or a market the whole book
            the chunk at the as-of date                         opening.py
            for each month 1..T
                prices under the book's own sales               fire_factor
                for each block of the chunk, while it sits in cache
                    dense draws, four months at a time          random.py
                    who is in arrears, who may move             dense.py     find_movers
                    arrears: competing exponentials             items.py     decide_late
                    no arrears: exact competing intensities     current.py   decide_current; care.py
                    cash, interest, amounts of both             items.py     settle; booking.py
                    all others: an instalment paid on time      dense.py     pay_on_time
                    cars, defaults, losses, who leaves          close.py; workout.py, collateral.py, slots.py
                rungs ask, pools serve, effects are set         treatment.py; effort.py
            for each block, months T+1..E: loans in default     run_off.py
    ->  Result: sums by month, by bucket, by level; nothing by loan x path x month

Chunks of one block are the block-major schedule, one chunk of all blocks is the month-major one; where nothing
couples loans they give the same bits, since every sum's terms come in the order of blocks in both.

What is called for a loan is inlined, so that LLVM sees the loop around it; bundles come by address (by_address.py).
"""

from __future__ import annotations

import math

from scenarios.vocabulary import HISTORY_MONTHS, MAX_BUCKET, MODIFIED
from simulator.kernels.amounts import principal_behind
from simulator.kernels.booking import COLLATERAL_VALUE, LIVE_COUNT, SOLD_COUNT, fold_lagged
from simulator.kernels.bundles import Spot
from simulator.kernels.care import care_at_start
from simulator.kernels.close import close_items, still_in_default
from simulator.kernels.collateral import car_value, fill_prices, fold_collateral
from simulator.kernels.compile import compiled
from simulator.kernels.current import decide_current
from simulator.kernels.dense import find_movers, pay_on_time
from simulator.kernels.effort import begin_path
from simulator.kernels.hazards import fill_entry_intensities
from simulator.kernels.items import decide_late, fill_lanes, items_of, settle, settle_books
from simulator.kernels.opening import open_block
from simulator.kernels.outcomes import book_outcomes, tell_outcomes
from simulator.kernels.pools import book_commissions, open_pools
from simulator.kernels.random import WORDS, draw_blocks
from simulator.kernels.run_off import run_off
from simulator.kernels.treatment import serve


@compiled(inline=True, inner=True)
def fill_words(spot, count, clock, work):  # type: ignore[no-untyped-def]
    """Draw the dense words of four months, from the spot's month on, for the slots of a block."""
    worker, first, word = spot.worker, spot.start - spot.origin, work.word[spot.worker]
    stop, address = first + count, (clock.first_path + spot.row, spot.month // WORDS, clock.seed)
    entity = work.slots.entity[worker, first:stop]
    draw_blocks(entity, address, word[0][first:stop], word[1][first:stop], word[2][first:stop], word[3][first:stop])


@compiled()
def fire_factor(book, month, power, baseline):  # type: ignore[no-untyped-def]
    """What the book's own sales of the month before do to auction prices (7); 1 where the power is 0."""
    if power == 0.0 or month <= 1:
        return 1.0
    usual = baseline * book[LIVE_COUNT, month - 1]
    if usual <= 0.0 or book[SOLD_COUNT, month - 1] <= usual:
        return 1.0
    return math.exp(-power * math.log(book[SOLD_COUNT, month - 1] / usual))


@compiled(inner=True)
def write_traces(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Copy the traced loans of a chunk after a month: vocabulary.TRACE_VARIABLES."""
    loans, _, _, ladder, clock = bundles
    worker, month = spot.worker, spot.month
    for item in range(result.traced.size):
        loan = result.traced[item]
        if spot.start <= loan < spot.stop:
            place = loan - spot.origin
            state, track = work.path[worker, place].state, work.slots.track[worker, work.path[worker, place].slot]
            shrink, step = loans.contract[loan].shrink, loans.contract[loan].step
            record = result.trace[item, spot.row, month]
            record[0] = state
            record[2] = work.path[worker, place].loss
            record[4] = work.path[worker, place].cash
            record[5] = -1.0
            record[7] = 0.0
            if state <= MAX_BUCKET:
                record[1] = principal_behind(track, state, shrink, step)
                record[3] = car_value(loan, worker, month, loans, work)
                if state > 0:
                    record[5] = work.path[worker, place].kind
                elif math.isnan(record[4]):
                    record[4] = (track + step) / shrink * loans.contract[loan].growth - track
                since = month - (work.path[worker, place].mark >> 1)
                modified = (work.path[worker, place].mark & 1) == MODIFIED and since < HISTORY_MONTHS
                served = False
                if state == 0 and work.cared.shape[1] > 0:
                    record[7] = work.cared[worker, place]
                if ladder.on and state > 0:
                    effort = work.effort[worker, work.path[worker, place].effort]
                    served = effort.reached == 1
                    record[7] = effort.now
                in_default = still_in_default(state, since, work.path[worker, place].defaulted, clock.probation_months)
                seized = work.path[worker, place].seized >= 0
                record[6] = modified * 1.0 + seized * 2.0 + served * 4.0 + in_default * 8.0
            else:
                record[4] = 0.0 if math.isnan(record[4]) else record[4]
            work.path[worker, place].cash = math.nan


@compiled(inline=True, inner=True)
def step_block(spot, number, bundles, work, result):  # type: ignore[no-untyped-def]
    """Take one block of a chunk through one month."""
    worker, clock, items = spot.worker, bundles[4], items_of(spot.worker, work.items)
    count = work.standing[worker, number]
    if spot.month == 1 or spot.month % WORDS == 0:
        fill_words(spot, count, clock, work)
    late, movers = find_movers(spot, count, bundles, work)
    decide_late(spot, late, bundles, work, items)
    found = decide_current(spot, movers, late, bundles, work, items, result)
    full = fill_lanes(found, items)
    settle(spot, full, clock, items)
    settle_books(spot, full, clock, items, result)
    if bundles[3].on:
        book_commissions(spot, late, bundles, work, result)
        tell_outcomes(spot, late, found, work, result)
    pay_on_time(spot, count, clock, work, result)
    close_items(spot, found, bundles, work, result)


@compiled(inner=True)
def simulate_chunk(chunk, bundles, work, result):  # type: ignore[no-untyped-def]
    """One chunk of loans through all months of one path; `chunk` is (row, worker, first loan, end)."""
    _, _, _, ladder, clock = bundles
    row, worker, origin, end = chunk
    work.fire[worker] = 1.0
    if ladder.on:
        begin_path(worker, work)
    for start in range(origin, end, clock.block):
        open_block(Spot(row, 0, worker, origin, start, min(start + clock.block, end)), bundles, work, result)
    if ladder.first_care < ladder.rung.size:
        care_at_start(Spot(row, 0, worker, origin, origin, end), bundles, work, result)
    write_traces(Spot(row, 0, worker, origin, origin, end), bundles, work, result)
    for month in range(1, clock.months + 1):
        whole = Spot(row, month, worker, origin, origin, end)
        work.fire[worker] = fire_factor(result.book[row], month, ladder.fire_power, ladder.baseline_sales)
        for start in range(origin, end, clock.block):
            spot = Spot(row, month, worker, origin, start, min(start + clock.block, end))
            step_block(spot, (start - origin) // clock.block, bundles, work, result)
        if ladder.on:
            book_outcomes(whole, work, result)
            serve(whole, end - origin, bundles, work, result)
        write_traces(whole, bundles, work, result)
    for start in range(origin, end, clock.block):
        run_off((row, worker, origin, start, min(start + clock.block, end)), bundles, work, result)


@compiled(inner=True)
def fold_path(row, worker, work, result):  # type: ignore[no-untyped-def]
    """Bring together what a path kept apart by month of origin, in the order of months."""
    fold_lagged(result.book[row], work.lagged[worker])
    for month in range(work.level_loss.shape[1]):
        for level in range(result.level_loss.shape[1]):
            result.level_loss[row, level] += work.level_loss[worker, month, level]
    for month in range(work.shortfall.shape[1]):
        for stage in range(result.shortfall.shape[1]):
            result.shortfall[row, stage, 0] += work.shortfall[worker, month, stage, 0]
            result.shortfall[row, stage, 1] += work.shortfall[worker, month, stage, 1]


@compiled()
def simulate_paths(portion, bundles, work, result):  # type: ignore[no-untyped-def]
    """Some paths of a block of paths, for the whole book; fills their rows of `result`.

    `portion` is (worker, first row, end): which scratch to use, for which rows.
    `bundles` is (Loans, Hazards, Workouts, Ladder, Clock) here and in all kernels below.

    The kernel runs without the interpreter's lock, so several threads call it, each with a worker's scratch.  Each
    path's sums run over blocks of loans in canonical order, so no bit depends on the number of workers or on the block
    of paths.
    """
    worker, first, end = portion
    chunk = work.path.shape[1]
    loans, hazards, workouts, ladder, clock = bundles
    count = loans.bucket.size
    for row in range(first, end):
        work.lagged[worker] = 0.0
        work.shortfall[worker] = 0.0
        work.level_loss[worker] = 0.0
        work.gone[worker] = 0
        open_pools(worker, ladder, work)
        fill_prices(workouts.depreciation, workouts.index_level[row], workouts.car_segment, work.price[worker])
        fill_entry_intensities(row, hazards, ladder.entry_scale, work.entry[worker], work.entry_top[worker])
        for origin in range(0, count, chunk):
            simulate_chunk((row, worker, origin, min(origin + chunk, count)), bundles, work, result)
        fold_path(row, worker, work, result)
        value = result.book[row, COLLATERAL_VALUE, : clock.months + 1]
        fold_collateral(workouts.stock, work.gone[worker], work.price[worker], 1.0 / clock.scale, value)


@compiled()
def fold_moments(values, weight, held, mean, squares):  # type: ignore[no-untyped-def]
    """Add weighted paths to running means and sums of squared deviations (West 1979), path by path in order.

    `values` is float64[path, item], `weight` float64[path]; `mean` and `squares` float64[item] hold paths that weigh
    `held` together already.  The order of additions is that of the paths, whatever the block; with weights of 1 each
    of them is Welford's.
    """
    for path in range(values.shape[0]):
        held += weight[path]
        for item in range(values.shape[1]):
            step = values[path, item] - mean[item]
            mean[item] += step * weight[path] / held
            squares[item] += weight[path] * step * (values[path, item] - mean[item])


@compiled()
def fold_counts(counts, weight, total):  # type: ignore[no-untyped-def]
    """Add weighted paths to sums, path by path in order: int32[path, item], float64[path], float64[item]."""
    for path in range(counts.shape[0]):
        for item in range(counts.shape[1]):
            total[item] += weight[path] * counts[path, item]
