"""The active pass: loans that may move this month, drawn exactly and booked one by one."""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import (
    CHARGE_OFF,
    CHARGED_OFF,
    CURE,
    CURED,
    ENTER,
    FORGETFUL,
    HARDSHIP,
    HISTORY_MONTHS,
    MATURED,
    MAX_BUCKET,
    MODIFIED,
    PREPAID,
    PREPAY,
    PURPOSE_SPELL,
    PURPOSE_TYPE,
    ROLL,
    TOTAL_LOSS,
)
from simulator.kernels.booking import (
    REDEEMED_COUNT,
    RENEWED_COUNT,
    REPOSSESSED_COUNT,
    book_cash,
    book_extension,
    book_fee,
    book_flags,
    book_stocks,
)
from simulator.kernels.borrower import entry_type, equity_effect, leave_arrears, leave_current
from simulator.kernels.bundles import ENDLESS, NEVER, SERVED, Move, Terms
from simulator.kernels.collateral import car_is_seized, car_value
from simulator.kernels.compile import compiled
from simulator.kernels.random import WORDS, event_uniform, unit
from simulator.kernels.workout import charge_off, enter_default, lose_car

EXTENDED = 64
"""What a loan in arrears does that is brought to current by an extension; no state, only a month's move."""


@compiled()
def still_in_default(state, since, defaulted, probation):  # type: ignore[no-untyped-def]
    """Whether a live loan that defaulted in month `defaulted` still counts as in default at a close.

    It does until it has closed `probation` months without arrears, the first of them `since` months ago.
    """
    return defaulted >= 0 and (state > 0 or since + 1 < probation)


@compiled()
def exit_column(state, buckets):  # type: ignore[no-untyped-def]
    """Column of Result.transition of a state: buckets first, then vocabulary.EXIT_LABELS in their order."""
    if state <= MAX_BUCKET:
        return state
    if state == CHARGED_OFF:
        return buckets
    if state == PREPAID:
        return buckets + 1
    return buckets + 2 if state == TOTAL_LOSS else buckets + 3


@compiled(inline=True, inner=True)
def move_from_current(loan, place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """State of a loan that opened the month without arrears; who falls behind gets a type (3), (3f), (3g), (4)."""
    loans, hazards, workouts, _, clock = bundles
    month, worker, tier, cell = spot.month, spot.worker, loans.tier[loan], loans.cell[loan]
    mark = work.mark[worker, place]
    since = min(month - 1 - (mark >> 1), HISTORY_MONTHS)
    age = min(loans.age[loan] + month, hazards.seasoning.shape[1] - 1)
    value = car_value(loan, spot.row, month, loans, workouts)
    opening = (work.track[worker, place] + loans.step[loan]) / loans.shrink[loan]
    equity = equity_effect(opening, value, hazards.equity[tier])
    worse = work.entry[worker, month, cell] * loans.risk[loan] * hazards.seasoning[tier, age]
    worse *= hazards.history[tier, mark & 1, since] * (equity / hazards.equity[tier, 3])
    u = unit(work.word[worker, month % WORDS, place])
    payoff, total_loss = hazards.payoff[month, cell], hazards.total_loss[tier]
    drawn = leave_current(u, worse, payoff, hazards.direct_share[tier], total_loss)
    if drawn in (1, CHARGED_OFF, TOTAL_LOSS) and month - (mark >> 1) >= clock.probation_months:
        work.defaulted[worker, place] = NEVER
    if drawn == 1:
        u = event_uniform(loans.entity[loan], clock.first_path + spot.row, month, PURPOSE_TYPE, clock.seed)
        odds, shares = hazards.hardship_odds[month, cell], hazards.type_share[tier]
        work.kind[worker, place] = entry_type(u, (equity - 1.0) / equity, odds, shares)
        work.treated[worker, place] = SERVED
        work.waiting[worker, place] = 0
    return drawn


@compiled()
def hardship_ends(entity, path, month, seed, chance):  # type: ignore[no-untyped-def]
    """Whether a hardship is over at the opening of `month` (3g)."""
    return chance > 0.0 and event_uniform(entity, path, month, PURPOSE_SPELL, seed) < chance


@compiled(inline=True, inner=True)
def move_from_arrears(loan, place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """State of a loan that opened the month in arrears: macro, type and treatment act here (3h), (3i)."""
    loans, hazards, _, service, clock = bundles
    month, worker, tier, cell = spot.month, spot.worker, loans.tier[loan], loans.cell[loan]
    bucket, entity, path = work.state[worker, place], loans.entity[loan], clock.first_path + spot.row
    kind = work.kind[worker, place]
    if kind == HARDSHIP and hardship_ends(entity, path, month, clock.seed, hazards.spell_end[tier]):
        kind = FORGETFUL
        work.kind[worker, place] = kind
    macro, own = hazards.class_multiplier[month, cell], hazards.type_multiplier[tier, kind]
    effect = service.effect[work.treated[worker, place], kind]
    multiplier = (
        macro[ENTER],
        macro[CURE] * own[CURE] * effect[CURE],
        macro[ROLL] * own[ROLL] * effect[ROLL],
        macro[CHARGE_OFF] * own[CHARGE_OFF] * effect[CHARGE_OFF],
        macro[PREPAY],
    )
    address = (entity, path, month, clock.seed)
    drawn, extension = leave_arrears(
        bucket, address, hazards.intensity[tier, bucket], multiplier, hazards.total_loss[tier]
    )
    if drawn == 0 and extension < hazards.modified_share[tier, bucket] and month < work.term[worker, place]:
        return EXTENDED
    return drawn


@compiled(inline=True, inner=True)
def last_due(loan, place, worker, loans, work):  # type: ignore[no-untyped-def]
    """Month of the last instalment: never for a loan that renews."""
    return ENDLESS if loans.renewal[loan] > 0 else work.term[worker, place]


@compiled(inline=True, inner=True)
def settle(loan, place, spot, drawn, bundles, work, result):  # type: ignore[no-untyped-def]
    """Book the cash of a loan's month and advance it; return its state, principal and accrued interest."""
    loans, _, workouts, _, clock = bundles
    month, worker, book, tier = spot.month, spot.worker, result.book[spot.row], loans.tier[loan]
    bucket, track, term = work.state[worker, place], work.track[worker, place], work.term[worker, place]
    ends = last_due(loan, place, worker, loans, work)
    terms = Terms(loans.growth[loan], loans.shrink[loan], loans.step[loan], ends, clock.nonaccrual_months)
    move = Move(bucket, drawn, (track + terms.step) / terms.shrink, track)
    if drawn == EXTENDED:
        principal = book_extension(book, month, move, terms)
        work.track[worker, place] = principal
        work.term[worker, place] = term + bucket + 1
        work.mark[worker, place] = 2 * month + MODIFIED
        work.cash[worker, place] = 0.0
        return 0, principal, 0.0
    state, principal, accrued, cash = book_cash(book, month, move, terms)
    if drawn <= bucket or state == PREPAID:
        late = bucket if state == PREPAID else bucket + 1 - drawn - (1 if drawn == 0 else 0)
        if late > 0 and workouts.late_fee[tier] > 0.0:
            cash += book_fee(book, month, late * workouts.late_fee[tier])
    if state == 0 and bucket > 0:
        work.mark[worker, place] = 2 * month + CURED
    renewal = loans.renewal[loan]
    if state == 0 and bucket == 0 and renewal > 0 and month >= term and (month - term) % renewal == 0:
        cash += book_fee(book, month, workouts.renewal_fee[tier] * principal)
        book[RENEWED_COUNT, month] += 1.0
    work.cash[worker, place] = cash
    return state, principal, accrued


@compiled(inline=True, inner=True)
def move_car(loan, place, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Give a seized car back to a borrower who is out of arrears, or try to seize the car of one who is not (8b)."""
    loans, _, workouts, _, clock = bundles
    month, worker, state = spot.month, spot.worker, work.state[spot.worker, place]
    book = result.book[spot.row]
    if work.seized[worker, place] >= 0:
        if state in (0, PREPAID, MATURED):
            work.seized[worker, place] = NEVER
            book[REDEEMED_COUNT, month] += 1.0
    elif 1 <= state <= MAX_BUCKET:
        intensity = workouts.seizure[loans.tier[loan], state] * loans.find[loan]
        path = clock.first_path + spot.row
        if intensity > 0.0 and car_is_seized(loans.entity[loan], path, month, clock.seed, intensity):
            work.seized[worker, place] = month
            book[REPOSSESSED_COUNT, month] += 1.0


@compiled(inline=True, inner=True)
def close_loan(loan, place, spot, claim, bundles, work, result):  # type: ignore[no-untyped-def]
    """Default, loss and closing stocks of a loan whose month is settled; `claim` is (principal, interest)."""
    loans, _, workouts, _, clock = bundles
    month, worker, book, row = spot.month, spot.worker, result.book[spot.row], spot.row
    state, seized = work.state[worker, place], work.seized[worker, place] >= 0
    if state <= MAX_BUCKET:
        if work.defaulted[worker, place] < 0 and (state >= clock.default_bucket or seized):
            enter_default(loan, place, spot, claim[0] + claim[1], bundles, work, result)
        value = car_value(loan, row, month, loans, workouts)
        book_stocks(book, month, state, claim[0], claim[1], value)
        mark = work.mark[worker, place]
        since = month - (mark >> 1)
        in_default = still_in_default(state, since, work.defaulted[worker, place], clock.probation_months)
        book_flags(book, month, claim[0], (in_default, (mark & 1) == MODIFIED and since < HISTORY_MONTHS, seized))
        if month <= clock.months:
            result.bucket_balance[row, month, state] += claim[0]
    elif state == CHARGED_OFF:
        charge_off(loan, place, spot, claim, bundles, work, result)
    elif state == TOTAL_LOSS:
        work.cash[worker, place] += lose_car(loan, place, spot, claim, bundles, work, result)


@compiled(inner=True)
def active_pass(spot, listed, bundles, work, result):  # type: ignore[no-untyped-def]
    """Step the listed loans of a block through one month.

    In the last month of the run-off, who is still in arrears is charged off.

    Parameters
    ----------
    listed : int
        How many places of ``work.active`` are listed; their tracks stand at the month's close.
    bundles : (Loans, Hazards, Workouts, Service, Clock)
    """
    loans, hazards, _, _, clock = bundles
    month, worker, states = spot.month, spot.worker, work.state[spot.worker]
    last, buckets = month == clock.months + clock.run_off, hazards.intensity.shape[1]
    for item in range(listed):
        place = np.uint64(work.active[worker, item])  # unsigned: see the dense pass
        loan = np.uint64(spot.origin) + place
        bucket = states[place]
        if bucket == 0:
            drawn = move_from_current(loan, place, spot, bundles, work)
        else:
            drawn = move_from_arrears(loan, place, spot, bundles, work)
        if last and 1 <= drawn <= MAX_BUCKET and month - drawn < last_due(loan, place, worker, loans, work):
            drawn = CHARGED_OFF
        state, principal, accrued = settle(loan, place, spot, drawn, bundles, work, result)
        states[place] = state
        move_car(loan, place, spot, bundles, work, result)
        close_loan(loan, place, spot, (principal, accrued), bundles, work, result)
        if month <= clock.months:
            result.transition[spot.row, month, bucket, exit_column(state, buckets)] += 1
