"""What a month changes for its items one by one: states, cars, defaults, charge-offs, and who leaves."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import (
    CHARGED_OFF,
    CURED,
    EXIT_LABELS,
    EXTENDED,
    HISTORY_MONTHS,
    MATURED,
    MAX_BUCKET,
    MODIFIED,
    PURPOSE_SEIZE,
    PURPOSE_SURRENDER,
    TOTAL_LOSS,
)
from simulator.kernels.booking import (
    DEFAULTED_BALANCE,
    MODIFIED_BALANCE,
    REDEEMED_COUNT,
    RENEWED_COUNT,
    REPOSSESSED_BALANCE,
    REPOSSESSED_COUNT,
    SURRENDERED_COUNT,
    book_fee,
)
from simulator.kernels.bundles import ENDLESS, NEVER
from simulator.kernels.collateral import car_is_seized
from simulator.kernels.compile import compiled
from simulator.kernels.effort import end_spell, give_effort_back, take_effort
from simulator.kernels.items import items_of
from simulator.kernels.ladder import SEIZURE
from simulator.kernels.prefetch import NEAR, prefetch
from simulator.kernels.random import event_uniform, unit
from simulator.kernels.slots import entry_limit, leave_slot, next_due, remember
from simulator.kernels.workout import book_new_default, charge_off, lose_car
from simulator.kernels.workspace import NO_EFFORT, OFFERS_SURRENDER


@compiled()
def still_in_default(state, since, defaulted, probation):  # type: ignore[no-untyped-def]
    """Whether a live loan that defaulted in month `defaulted` still counts as in default at a close.

    It does until it has closed `probation` months without arrears, the first of them `since` months ago.
    """
    return defaulted >= 0 and (state > 0 or since + 1 < probation)


EXIT_PLACE = tuple(list(EXIT_LABELS).index(state) for state in range(MATURED, MATURED + len(EXIT_LABELS)))
"""Column of each exit among the last of Result.transition."""


@compiled(inline=True, inner=True)
def renewal_fee(item, path, spot, bundles, items, book):  # type: ignore[no-untyped-def]
    """Fee of a single-payment loan that renews this month; booked and returned."""
    loans, _, workouts, _, _ = bundles
    month, fact = spot.month, loans.fact[spot.origin + items.place[item]]
    if items.bucket[item] > 0 or month < path.term or (month - path.term) % fact.renewal != 0:
        return 0.0
    book[RENEWED_COUNT, month] += 1.0
    return book_fee(book, month, workouts.terms[np.uint64(fact.tier)].renewal_fee * items.close[item])


@compiled(inline=True, inner=True)
def seize(item, path, effort, spot, bundles, items, book):  # type: ignore[no-untyped-def]
    """Try to seize the car of a loan in arrears (8b)."""
    loans, _, workouts, ladder, clock = bundles
    state, month = items.state[item], spot.month
    most = workouts.seizure[np.uint64(path.tier), np.uint64(state)]
    if ladder.on:
        late, loan = month > clock.months, np.uint64(spot.origin) + np.uint64(items.place[item])
        most *= after_horizon(loan, path, state, effort, ladder) if late else 0.0
    drawn, u = items.bucket[item] > 0, unit(items.word[PURPOSE_SEIZE, item])
    if (path.seized < 0) & (most > 0.0) & (~drawn | (u < most * workouts.find_bound)):
        fact = loans.fact[spot.origin + items.place[item]]
        if not drawn:
            u = event_uniform(fact.entity, clock.first_path + spot.row, month, PURPOSE_SEIZE, clock.seed)
        if car_is_seized(u, most * fact.find):
            path.seized = month
            book[REPOSSESSED_COUNT, month] += 1.0
    if ladder.on:
        surrender(item, path, effort, month, items, book)


@compiled(inline=True, inner=True)
def after_horizon(loan, path, state, effort, ladder):  # type: ignore[no-untyped-def]
    """What collections do to the intensity of seizure after the horizon (P13); before it the ladder seizes."""
    return ladder.mean[ladder.group[loan], path.tier, state, SEIZURE, path.kind] * effort.find


@compiled(inline=True, inner=True)
def surrender(item, path, effort, month, items, book):  # type: ignore[no-untyped-def]
    """Take back the car of a borrower who hands it over (P7)."""
    offered = (path.seized < 0) & (items.bucket[item] > 0)
    if offered and effort.offers & OFFERS_SURRENDER and unit(items.word[PURPOSE_SURRENDER, item]) < effort.surrender:
        path.seized = month
        book[REPOSSESSED_COUNT, month] += 1.0
        book[SURRENDERED_COUNT, month] += 1.0


@compiled(inline=True, inner=True)
def close_behind(count, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Close the month of the items in arrears: cars may be seized (8b), loans default."""
    ladder, clock = bundles[3], bundles[4]
    worker, month, book, items = spot.worker, spot.month, result.book[spot.row], items_of(spot.worker, work.items)
    defaulted, modified, seized, defaults = 0.0, 0.0, 0.0, 0
    for entry in range(count):
        item = np.uint64(work.behind[worker, entry])
        place, principal = np.uint64(items.place[item]), items.close[item]
        path = work.path[worker, place]
        work.slots.late[worker, np.uint64(items.slot[item])] = 1
        if ladder.on and path.effort == NO_EFFORT:
            take_effort(bundles[0].fact[np.uint64(spot.origin) + place], path, worker, work)
        seize(item, path, work.effort[worker, path.effort], spot, bundles, items, book)
        enters = (path.defaulted < 0) & ((items.state[item] >= clock.default_bucket) | (path.seized >= 0))
        path.defaulted = month if enters else path.defaulted
        work.defaulting[worker, defaults] = item
        defaults += np.int64(enters)
        defaulted += principal if path.defaulted >= 0 else 0.0
        seized += principal if path.seized >= 0 else 0.0
        lately = (path.mark & 1 == MODIFIED) & (month - (path.mark >> 1) < HISTORY_MONTHS)
        modified += principal if lately else 0.0
    for entry in range(defaults):
        prefetch(bundles[0].contract, spot.origin + items.place[work.defaulting[worker, entry + NEAR]])
        item = work.defaulting[worker, entry]
        exposure = items.close[item] + items.accrued[item]
        book_new_default(spot.origin + items.place[item], spot, exposure, bundles, result)
    book[DEFAULTED_BALANCE, month] += defaulted
    book[MODIFIED_BALANCE, month] += modified
    book[REPOSSESSED_BALANCE, month] += seized


@compiled(inline=True, inner=True)
def close_paid(count, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Close the month of the items without arrears: they were in arrears, were extended, or renewed."""
    loans, hazards, _, ladder, clock = bundles
    worker, month, slots, book = spot.worker, spot.month, work.slots, result.book[spot.row]
    items = items_of(worker, work.items)
    for entry in range(count):
        item = np.uint64(work.paid[worker, entry])
        slot, place = np.uint64(items.slot[item]), np.uint64(items.place[item])
        loan, path = np.uint64(spot.origin) + place, work.path[worker, place]
        give_back(path, month, book)
        if items.due[item] == ENDLESS:
            path.cash += renewal_fee(item, path, spot, bundles, items, book)
        if items.bucket[item] > 0:
            extended = items.drawn[item] == EXTENDED
            path.mark = 2 * month + (MODIFIED if extended else CURED)
            slots.late[worker, slot] = 0
            if ladder.on:
                end_spell(path, ladder, worker, work)
            slots.limit[worker, slot] = entry_limit(month + 1, path.mark, loans.fact[loan].risk_bound, hazards)
            if extended:
                slots.track[worker, slot] = items.close[item]
                path.term += items.bucket[item] + 1
                path.last_due += items.bucket[item] + 1 if path.last_due < ENDLESS else 0
            remember(slot, worker, path.mark, month, path.defaulted, clock, slots)
        slots.due[worker, slot] = next_due(month, path.term, loans.fact[loan].renewal)
        since, principal = month - (path.mark >> 1), items.close[item]
        if still_in_default(0, since, path.defaulted, clock.probation_months):
            book[DEFAULTED_BALANCE, month] += principal
        if path.mark & 1 == MODIFIED and since < HISTORY_MONTHS:
            book[MODIFIED_BALANCE, month] += principal


@compiled(inline=True, inner=True)
def give_back(path, month, book):  # type: ignore[no-untyped-def]
    """Give a seized car back to a borrower who owes nothing any more."""
    if path.seized >= 0:
        path.seized = NEVER
        book[REDEEMED_COUNT, month] += 1.0


@compiled(inline=True, inner=True)
def close_dead(count, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Book the losses of the items that are gone, and take them out of the dense pass."""
    worker, items = spot.worker, work.items
    for entry in range(count):
        prefetch(bundles[0].contract, spot.origin + items.place[worker, work.dead[worker, entry + NEAR]])
        item = work.dead[worker, entry]
        place, state = items.place[worker, item], items.state[worker, item]
        loan, path = spot.origin + place, work.path[worker, place]
        claim = (items.principal[worker, item], items.interest[worker, item])
        if state == CHARGED_OFF:
            charge_off(loan, place, spot, claim, bundles, work, result)
        elif state == TOTAL_LOSS:
            path.cash += lose_car(loan, place, spot, claim, bundles, work, result)
        else:
            give_back(path, spot.month, result.book[spot.row])
        if path.effort != NO_EFFORT:
            give_effort_back(path, worker, work)
        leave_slot(place, spot, bundles, work)


@compiled(inline=True, inner=True)
def close_items(spot, count, bundles, work, result):  # type: ignore[no-untyped-def]
    """Close the month of all items of a block; their tracks stand at the month's close."""
    _, hazards, _, _, clock = bundles
    month, worker, row, buckets = spot.month, spot.worker, spot.row, hazards.arrears.shape[2]
    items, behind, paid, dead = items_of(worker, work.items), 0, 0, 0
    within, last = month <= clock.months, min(month, clock.months)
    moved, balance = result.transition[row, last], result.bucket_balance[row, last]
    for item in range(count):
        state, path = items.state[item], work.path[worker, np.uint64(items.place[item])]
        path.state = state
        work.state[worker, np.uint64(items.place[item])] = state
        path.cash = items.cash[item]
        lives = state <= MAX_BUCKET
        moved[items.bucket[item], state if lives else buckets + EXIT_PLACE[state - MATURED]] += within
        balance[state if lives else 0] += items.close[item] if within else 0.0
        work.behind[worker, behind] = item
        work.paid[worker, paid] = item
        work.dead[worker, dead] = item
        behind += np.int64(lives & (state > 0))
        paid += np.int64(state == 0)
        dead += np.int64(not lives)
    close_behind(behind, spot, bundles, work, result)
    close_paid(paid, spot, bundles, work, result)
    close_dead(dead, spot, bundles, work, result)
