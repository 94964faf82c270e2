"""Loans without arrears that the dense pass flagged: what they do this month, exactly (2), (3f), (3g), (4).

What can be said of a loan without a branch is said first, since who moves is what no processor can guess.
"""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import CHARGED_OFF, EVENT_SLOT, HISTORY_MONTHS, PREPAID, PURPOSE_TYPE, TOTAL_LOSS
from simulator.kernels.borrower import entry_type, equity_effect, leave_current
from simulator.kernels.bundles import NEVER
from simulator.kernels.care import avert_entries
from simulator.kernels.compile import compiled
from simulator.kernels.items import gather
from simulator.kernels.prefetch import FAR, prefetch
from simulator.kernels.random import SLOTS_PER_MONTH, WORDS, draw_blocks, unit
from simulator.kernels.slots import entry_limit

UNSURE = -1
"""The bounds do not tell what a mover does."""


@compiled(inline=True, inner=True)
def weigh(mover, slot, place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Intensities of entry (3) and payoff of one mover, and what bounds of the probabilities say that it does.

    1 - exp(-x) lies between x - x^2/2 and x, which tells nearly all moves without the exponential.
    """
    loans, hazards, _, _, _ = bundles
    month, worker, movers = spot.month, np.uint64(spot.worker), work.movers
    fact, mark = loans.fact[np.uint64(spot.origin) + place], work.path[worker, place].mark
    tier, cell = np.uint64(fact.tier), np.uint64(fact.cell)
    trait = hazards.trait[tier]
    kind, since = np.uint64(mark & 1), np.uint64(min(month - 1 - (mark >> 1), HISTORY_MONTHS))
    age = np.uint64(min(fact.age + month, hazards.seasoning.shape[1] - 1))
    value = fact.value_as_new * work.price[worker, month, np.uint64(fact.car)]
    equity = equity_effect(work.slots.track[worker, slot], value, trait.threshold, trait.slope, trait.cap)
    worse = work.entry[worker, month, cell] * fact.risk * hazards.seasoning[tier, age]
    worse *= hazards.history[tier, kind, since] * (equity / trait.equity_mean)
    payoff = hazards.payoff[month, cell]
    u = unit(work.word[worker, month % WORDS, slot])
    least = 1.0 - 0.5 * (worse + payoff)
    enters = (u < worse * least) & (trait.direct_share == 0.0)
    pays = 1.0 - u < (payoff - trait.total_loss) * least
    stays = (u >= worse) & (1.0 - u >= payoff)
    movers.worse[worker, mover] = worse
    movers.equity[worker, mover] = equity
    movers.drawn[worker, mover] = 1 * enters + PREPAID * (pays & ~enters) + UNSURE * ~(enters | pays | stays)
    work.slots.limit[worker, slot] = entry_limit(month, mark, fact.risk_bound, hazards)


@compiled(inline=True, inner=True)
def make_sure(mover, spot, bundles, work):  # type: ignore[no-untyped-def]
    """What a mover does of which the bounds cannot tell."""
    loans, hazards, _, _, _ = bundles
    month, worker = spot.month, spot.worker
    slot = work.mover[worker, mover]
    fact = loans.fact[spot.origin + work.slots.place[worker, slot]]
    u = unit(work.word[worker, month % WORDS, slot])
    worse, payoff = work.movers.worse[worker, mover], hazards.payoff[month, fact.cell]
    trait = hazards.trait[fact.tier]
    return leave_current(u, worse, payoff, trait.direct_share, trait.total_loss)


@compiled(inline=True, inner=True)
def decide_current(spot, count, late, bundles, work, items, result):  # type: ignore[no-untyped-def]
    """Gather the loans of ``work.mover`` that do more than pay an instalment; return how many items there are.

    The others' flags are taken back, so that the dense pass books them.  The loans in arrears, `late` of them, are the
    first items.
    """
    clock, month, worker, first = bundles[4], spot.month, np.uint64(spot.worker), np.uint64(spot.start - spot.origin)
    movers, slots, found, entered = work.movers, work.slots, late, 0
    for mover in range(count):
        ahead = np.uint64(slots.place[worker, np.uint64(work.mover[worker, mover + FAR])])
        prefetch(bundles[0].fact, np.uint64(spot.origin) + ahead)
        prefetch(work.path[worker], ahead)
        slot = np.uint64(work.mover[worker, mover])
        weigh(mover, slot, np.uint64(slots.place[worker, slot]), spot, bundles, work)
    for mover in range(count):
        if movers.drawn[worker, mover] == UNSURE:
            movers.drawn[worker, mover] = make_sure(mover, spot, bundles, work)
        movers.entered[worker, entered] = mover
        entered += np.int64(movers.drawn[worker, mover] == 1)
    give_types(spot, entered, bundles, work)
    if bundles[3].first_care < bundles[3].rung.size:
        avert_entries(spot, entered, bundles, work, result)
    for mover in range(count):
        slot = np.uint64(work.mover[worker, mover])
        place, drawn = np.uint64(slots.place[worker, slot]), movers.drawn[worker, mover]
        path = gather(found, slot, place, worker, bundles[2], work)
        items.drawn[found] = drawn
        moves = (drawn != 0) | (slots.due[worker, slot] <= month)
        work.flag[worker, slot - first] = np.uint8(moves)
        found += np.int64(moves)
        worsens = (drawn == 1) | (drawn == CHARGED_OFF) | (drawn == TOTAL_LOSS)
        forgets = worsens & (month - (path.mark >> 1) >= clock.probation_months)
        path.defaulted = NEVER if forgets else path.defaulted
    return found


@compiled(inline=True, inner=True)
def give_types(spot, entered, bundles, work):  # type: ignore[no-untyped-def]
    """Give a type to each borrower who falls behind (3g)."""
    loans, hazards, _, _, clock = bundles
    month, worker, movers, slots = spot.month, np.uint64(spot.worker), work.movers, work.slots
    entity, word = movers.entity[worker], movers.word[worker]
    for entry in range(entered):
        entity[entry] = slots.entity[worker, work.mover[worker, movers.entered[worker, entry]]]
    event = EVENT_SLOT + month * SLOTS_PER_MONTH + PURPOSE_TYPE // WORDS
    address = (clock.first_path + spot.row, event, clock.seed)
    draw_blocks(entity[:entered], address, word[0], word[1], word[2], word[3])
    for entry in range(entered):
        mover = movers.entered[worker, entry]
        place = slots.place[worker, work.mover[worker, mover]]
        fact, path = loans.fact[spot.origin + place], work.path[worker, place]
        odds, shares = hazards.hardship_odds[month, fact.cell], hazards.type_share[fact.tier]
        equity, u = movers.equity[worker, mover], unit(word[PURPOSE_TYPE % WORDS][entry])
        path.kind = entry_type(u, (equity - 1.0) / equity, odds, shares)
