"""A chunk of loans as it stands at the as-of date, and the history that the tape does not tell (3k)."""

from __future__ import annotations

from scenarios.vocabulary import CURED, EVENT_SLOT, HISTORY_MONTHS, MODIFIED, PURPOSE_HISTORY, PURPOSE_TYPE
from simulator.kernels.amounts import accrued_interest, principal_behind
from simulator.kernels.booking import book_flags, book_stocks
from simulator.kernels.bundles import DRAW_MARK, NEVER, NO_MARK, NOT_CALLED, SERVED
from simulator.kernels.collateral import car_value
from simulator.kernels.compile import compiled
from simulator.kernels.random import WORDS, block_at, unit


@compiled()
def drawn_mark(u, age, shares):  # type: ignore[no-untyped-def]
    """Mark of a current loan of unknown history: `shares` cumulative, clean first, then cured and modified by months.

    A loan cannot have returned to current before it was made: such a draw counts as clean.
    """
    if u < shares[0]:
        return NO_MARK
    item = 1
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


@compiled(inner=True)
def open_loan(loan, place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Set one loan to its state at the as-of date and draw what nobody knows of it."""
    loans, hazards, _, service, clock = bundles
    worker, bucket, tier, mark = spot.worker, loans.bucket[loan], loans.tier[loan], loans.mark[loan]
    slot = EVENT_SLOT + PURPOSE_TYPE // WORDS  # type and history stand in one block of words
    words = block_at(loans.entity[loan], clock.first_path + spot.row, slot, clock.seed)
    if mark == DRAW_MARK:
        mark = NO_MARK
        if bucket == 0:
            mark = drawn_mark(unit(words[PURPOSE_HISTORY % WORDS]), loans.age[loan], hazards.open_history[tier])
    work.state[worker, place] = bucket
    work.track[worker, place] = loans.track[loan]
    work.term[worker, place] = loans.term[loan]
    work.mark[worker, place] = mark
    work.kind[worker, place] = drawn_kind(unit(words[PURPOSE_TYPE % WORDS]), hazards.open_type[tier, bucket])
    work.seized[worker, place] = 0 if loans.repossessed[loan] else NEVER
    in_default = bucket >= clock.default_bucket or loans.repossessed[loan]
    work.defaulted[worker, place] = 0 if in_default else NEVER
    called = service.pool == 0 or service.first_bucket <= bucket <= service.last_bucket
    work.treated[worker, place] = SERVED if called else NOT_CALLED
    work.waiting[worker, place] = 0
    work.loss[worker, place] = 0.0
    work.cash[worker, place] = 0.0


@compiled(inner=True)
def open_block(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Set a block of loans to its state at the as-of date and book the opening stocks (month 0)."""
    loans, _, workouts, _, clock = bundles
    book, buckets, worker = result.book[spot.row], result.bucket_balance[spot.row], spot.worker
    first = spot.start - spot.origin
    for loan in range(spot.start, spot.stop):
        place, bucket = loan - spot.origin, loans.bucket[loan]
        open_loan(loan, place, spot, bundles, work)
        work.alive[worker, place] = place
        principal = principal_behind(loans.track[loan], bucket, loans.shrink[loan], loans.step[loan])
        value = car_value(loan, spot.row, 0, loans, workouts)
        accrued = accrued_interest(principal, bucket, loans.growth[loan], clock.nonaccrual_months)
        book_stocks(book, 0, bucket, principal, accrued, value)
        mark = work.mark[worker, place]
        modified = (mark & 1) == MODIFIED and -(mark >> 1) < HISTORY_MONTHS
        flags = (work.defaulted[worker, place] >= 0, modified, loans.repossessed[loan])
        book_flags(book, 0, principal, flags)
        buckets[0, bucket] += principal
    work.alive_count[worker, first // clock.block] = spot.stop - spot.start
