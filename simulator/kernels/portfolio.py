"""The monthly step of a whole book.

::

    for each path of a worker (one thread each)
        intensities of entry by month and cell                hazards.py
        for each block of loans, while it sits in cache
            for each month 1..T
                dense draws, four months at a time            random.py
                dense pass: instalments paid on time          dense.py
                active pass: whoever may move                 active.py
                    no arrears: exact competing intensities   borrower.leave_current
                    arrears: competing exponentials           borrower.leave_arrears
                    cash, interest, default                   booking.py
                    charge-off: sale of the car               collateral.py
            for each month T+1..E                             active pass, loans in default at T only
    ->  Result: sums by month, by bucket, by level; nothing by loan x path x month

A function that is called once a block and month takes bundles; one that is called once a loan takes
scalars and at most one array, because passing a bundle costs a reference count for each of its arrays.
"""

from __future__ import annotations

from scenarios.vocabulary import MAX_BUCKET
from simulator.kernels.active import active_pass
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.booking import book_stocks
from simulator.kernels.bundles import Spot
from simulator.kernels.compile import compiled
from simulator.kernels.dense import dense_pass
from simulator.kernels.hazards import fill_entry_intensities
from simulator.kernels.random import WORDS, block_at


@compiled(inner=True)
def fill_words(spot, loans, clock, work):  # type: ignore[no-untyped-def]
    """Draw the dense words of four months, from the spot's month on, for a block of loans."""
    entity, words = loans.entity, work.word[spot.worker]
    path, slot = clock.first_path + spot.row, spot.month // WORDS
    for place in range(spot.stop - spot.start):
        w0, w1, w2, w3 = block_at(entity[spot.start + place], path, slot, clock.seed)
        words[0, place] = w0
        words[1, place] = w1
        words[2, place] = w2
        words[3, place] = w3


@compiled(inner=True)
def open_block(spot, loans, collateral, clock, work, result):  # type: ignore[no-untyped-def]
    """Set a block of loans to its state at the as-of date and book the opening stocks (month 0)."""
    book, buckets = result.book[spot.row], result.bucket_balance[spot.row]
    states, tracks = work.state[spot.worker], work.track[spot.worker]
    for loan in range(spot.start, spot.stop):
        place, bucket, growth = loan - spot.start, loans.bucket[loan], loans.growth[loan]
        states[place] = bucket
        work.alive[spot.worker, place] = place
        tracks[place] = loans.track[loan]
        work.defaulted[spot.worker, place] = bucket >= clock.default_bucket
        work.loss[spot.worker, place] = 0.0
        principal = principal_behind(loans.track[loan], bucket, growth, loans.payment[loan])
        value = loans.value_as_new[loan] * collateral.depreciation[loans.car[loan]]
        accrued = accrued_interest(principal, bucket, growth, clock.nonaccrual_months)
        book_stocks(book, 0, bucket, principal, accrued, value)
        buckets[0, bucket] += principal


@compiled(inner=True)
def enter_run_off(spot, loans, clock, work, result):  # type: ignore[no-untyped-def]
    """List the block's loans in default at the horizon and book what enters; return how many."""
    late, states, tracks = 0, work.state[spot.worker], work.track[spot.worker]
    entered = result.run_off[spot.row]
    for place in range(spot.stop - spot.start):
        bucket = states[place]
        if clock.default_bucket <= bucket <= MAX_BUCKET:
            work.active[spot.worker, late] = place
            late += 1
            loan = spot.start + place
            growth = loans.growth[loan]
            principal = principal_behind(tracks[place], bucket, growth, loans.payment[loan])
            entered[0] += principal
            entered[1] += accrued_interest(principal, bucket, growth, clock.nonaccrual_months)
            entered[2] += 1.0
    return late


@compiled(inner=True)
def step_run_off(spot, late, loans, clock, work, result):  # type: ignore[no-untyped-def]
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
            loan = spot.start + place
            tracks[place] = tracks[place] * loans.growth[loan] - loans.payment[loan]
            active[left] = place
            left += 1
    return left


@compiled(inner=True)
def write_traces(spot, loans, work, result):  # type: ignore[no-untyped-def]
    """Copy the traced loans of a block: state, principal, loss so far."""
    for item in range(result.traced.size):
        loan = result.traced[item]
        if spot.start <= loan < spot.stop:
            place = loan - spot.start
            state = work.state[spot.worker, place]
            record = result.trace[item, spot.row, spot.month]
            record[0] = state
            record[2] = work.loss[spot.worker, place]
            if state <= MAX_BUCKET:
                track = work.track[spot.worker, place]
                record[1] = principal_behind(track, state, loans.growth[loan], loans.payment[loan])


@compiled(inner=True)
def simulate_block(place, loans, hazards, collateral, clock, work, result):  # type: ignore[no-untyped-def]
    """One block of loans through all months of one path; `place` is (row, worker, start, stop)."""
    row, worker, start, stop = place
    spot = Spot(row, 0, worker, start, stop)
    open_block(spot, loans, collateral, clock, work, result)
    write_traces(spot, loans, work, result)
    fill_words(spot, loans, clock, work)
    alive = stop - start
    for month in range(1, clock.months + 1):
        spot = Spot(row, month, worker, start, stop)
        if month % WORDS == 0:
            fill_words(spot, loans, clock, work)
        active, alive = dense_pass(spot, alive, loans, hazards, collateral, work, result)
        active_pass(spot, active, (loans, hazards, collateral, clock), work, result)
        write_traces(spot, loans, work, result)
    late = enter_run_off(spot, loans, clock, work, result)
    last = clock.months + clock.run_off
    for month in range(clock.months + 1, last + 2):
        spot = Spot(row, month, worker, start, stop)
        late = step_run_off(spot, late, loans, clock, work, result)
        if late == 0:
            break
        active_pass(spot, late, (loans, hazards, collateral, clock), work, result)


@compiled()
def simulate_paths(worker, loans, hazards, collateral, clock, work, result):  # type: ignore[no-untyped-def]
    """One worker's share of a block of paths of the whole book; fills its rows of `result`.

    Worker w of W takes paths w, w + W, w + 2 W, ... without the interpreter's lock, so the engine runs
    one thread a worker.  Each path's sums run over blocks of loans in canonical order, so no bit depends
    on the number of workers or on the block of paths.
    """
    workers, block = work.state.shape
    count = loans.bucket.size
    for row in range(worker, result.book.shape[0], workers):
        fill_entry_intensities(row, hazards, work.entry[worker])
        for start in range(0, count, block):
            place = (row, worker, start, min(start + block, count))
            simulate_block(place, loans, hazards, collateral, clock, work, result)


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
