"""The monthly step of a whole book.

::

    for each path of a worker (one thread each)
        intensities of entry by month and cell                  hazards.py
        for each chunk of loans: a block, or where loans meet in a pool or a market the whole book
            the chunk at the as-of date                         opening.py
            for each month 1..T
                prices under the book's own sales               fire_factor
                for each block of the chunk, while it sits in cache
                    dense draws, four months at a time          random.py
                    dense pass: instalments paid on time        dense.py
                    active pass: whoever may move               active.py
                        no arrears: exact competing intensities borrower.leave_current
                        arrears: competing exponentials         borrower.leave_arrears
                        cash, interest, default                 booking.py
                        charge-off, total loss, sale            workout.py, collateral.py
                the pool serves who asks                        treatment.py
            for each block, months T+1..E: loans in default     run_off.py
    ->  Result: sums by month, by bucket, by level; nothing by loan x path x month

Chunks of one block are the block-major schedule, one chunk of all blocks is the month-major one; where nothing
couples loans they give the same bits, since every sum's terms come in the order of blocks in both.

A function that is called once a block and month takes bundles; one that is called for every loan in arrears
takes scalars and at most one array, or is inlined by the compiler.
"""

from __future__ import annotations

import math

from scenarios.vocabulary import HISTORY_MONTHS, MAX_BUCKET, MODIFIED
from simulator.kernels.active import active_pass, still_in_default
from simulator.kernels.amounts import principal_behind
from simulator.kernels.booking import LIVE_COUNT, SOLD_COUNT, fold_lagged
from simulator.kernels.bundles import SERVED, Spot
from simulator.kernels.collateral import car_value
from simulator.kernels.compile import compiled
from simulator.kernels.dense import dense_pass
from simulator.kernels.hazards import fill_entry_intensities
from simulator.kernels.opening import open_block
from simulator.kernels.random import WORDS, block_at
from simulator.kernels.run_off import run_off
from simulator.kernels.treatment import serve


@compiled(inner=True)
def fill_words(spot, loans, clock, work):  # type: ignore[no-untyped-def]
    """Draw the dense words of four months, from the spot's month on, for a block of loans."""
    entity, words = loans.entity, work.word[spot.worker]
    path, slot = clock.first_path + spot.row, spot.month // WORDS
    for place in range(spot.start - spot.origin, spot.stop - spot.origin):
        w0, w1, w2, w3 = block_at(entity[spot.origin + place], path, slot, clock.seed)
        words[0, place] = w0
        words[1, place] = w1
        words[2, place] = w2
        words[3, place] = w3


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
    loans, _, workouts, _, clock = bundles
    worker, month = spot.worker, spot.month
    for item in range(result.traced.size):
        loan = result.traced[item]
        if spot.start <= loan < spot.stop:
            place = loan - spot.origin
            state, track = work.state[worker, place], work.track[worker, place]
            shrink, step = loans.shrink[loan], loans.step[loan]
            record = result.trace[item, spot.row, month]
            record[0] = state
            record[2] = work.loss[worker, place]
            record[4] = work.cash[worker, place]
            record[5] = -1.0
            if state <= MAX_BUCKET:
                record[1] = principal_behind(track, state, shrink, step)
                record[3] = car_value(loan, spot.row, month, loans, workouts)
                if state > 0:
                    record[5] = work.kind[worker, place]
                elif math.isnan(record[4]):
                    record[4] = (track + step) / shrink * loans.growth[loan] - track
                since = month - (work.mark[worker, place] >> 1)
                modified = (work.mark[worker, place] & 1) == MODIFIED and since < HISTORY_MONTHS
                served = state > 0 and work.treated[worker, place] == SERVED
                in_default = still_in_default(state, since, work.defaulted[worker, place], clock.probation_months)
                seized = work.seized[worker, place] >= 0
                record[6] = modified * 1.0 + seized * 2.0 + served * 4.0 + in_default * 8.0
            else:
                record[4] = 0.0 if math.isnan(record[4]) else record[4]
            work.cash[worker, place] = math.nan


@compiled(inner=True)
def step_blocks(chunk, month, bundles, work, result):  # type: ignore[no-untyped-def]
    """Take all blocks of a chunk through one month; `chunk` is (row, worker, first loan, end)."""
    loans, _, _, _, clock = bundles
    row, worker, origin, end = chunk
    for start in range(origin, end, clock.block):
        spot = Spot(row, month, worker, origin, start, min(start + clock.block, end))
        if month == 1 or month % WORDS == 0:
            fill_words(spot, loans, clock, work)
        number = (start - origin) // clock.block
        alive = work.alive_count[worker, number]
        active, alive = dense_pass(spot, alive, bundles, work, result)
        work.alive_count[worker, number] = alive
        active_pass(spot, active, bundles, work, result)


@compiled(inner=True)
def simulate_chunk(chunk, bundles, work, result):  # type: ignore[no-untyped-def]
    """One chunk of loans through all months of one path; `chunk` is (row, worker, first loan, end)."""
    _, _, _, service, clock = bundles
    row, worker, origin, end = chunk
    work.fire[worker] = 1.0
    for start in range(origin, end, clock.block):
        open_block(Spot(row, 0, worker, origin, start, min(start + clock.block, end)), bundles, work, result)
    write_traces(Spot(row, 0, worker, origin, origin, end), bundles, work, result)
    for month in range(1, clock.months + 1):
        whole = Spot(row, month, worker, origin, origin, end)
        work.fire[worker] = fire_factor(result.book[row], month, service.fire_power, service.baseline_sales)
        step_blocks(chunk, month, bundles, work, result)
        if service.pool > 0:
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
def simulate_paths(worker, bundles, work, result):  # type: ignore[no-untyped-def]
    """One worker's share of a block of paths of the whole book; fills its rows of `result`.

    `bundles` is (Loans, Hazards, Workouts, Service, Clock) here and in all kernels below.

    Worker w of W takes paths w, w + W, w + 2 W, ... without the interpreter's lock, so the engine runs
    one thread a worker.  Each path's sums run over blocks of loans in canonical order, so no bit depends
    on the number of workers or on the block of paths.
    """
    workers, chunk = work.state.shape
    loans, hazards, _, _, _ = bundles
    count = loans.bucket.size
    for row in range(worker, result.book.shape[0], workers):
        work.lagged[worker] = 0.0
        work.shortfall[worker] = 0.0
        work.level_loss[worker] = 0.0
        fill_entry_intensities(row, hazards, work.entry[worker])
        for origin in range(0, count, chunk):
            simulate_chunk((row, worker, origin, min(origin + chunk, count)), bundles, work, result)
        fold_path(row, worker, work, result)


@compiled()
def fold_moments(values, seen, mean, squares):  # type: ignore[no-untyped-def]
    """Add paths to running means and sums of squared deviations (Welford), path by path in order.

    `values` is float64[path, item]; `mean` and `squares` float64[item] hold `seen` paths already.
    The order of additions is that of the paths, whatever the block.
    """
    for path in range(values.shape[0]):
        for item in range(values.shape[1]):
            step = values[path, item] - mean[item]
            mean[item] += step / (seen + path + 1)
            squares[item] += step * (values[path, item] - mean[item])
