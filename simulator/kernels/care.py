"""Loans without arrears at the close of a month: who is watched, who is reminded, and whose entry that averts.

::

    at the close of month t, for each loan without arrears      care
        is it on the watch list (P14)                           is_watched
        for each rung that is for it
            without pool: carried out                           care_for
            with one: asks, as loans in arrears do              treatment.py
    in month t + 1, for each of them that would enter arrears   current.py
        does a rung avert that (P15)                            avert_entries

Whether a borrower is reached matters to those alone who would fall behind, so only their draws are made.
"""

from __future__ import annotations

import numpy as np

from scenarios.vocabulary import HISTORY_MONTHS, PURPOSE_ALERT
from simulator.kernels.borrower import equity_effect
from simulator.kernels.collateral import car_value
from simulator.kernels.compile import compiled
from simulator.kernels.pools import AVERTED, FOLLOWED, FOR, SERVED, line_up
from simulator.kernels.random import WORDS, block_at, event_uniform, unit
from simulator.kernels.slots import UPWARDS


@compiled(inline=True, inner=True)
def predicted_entry(loan, place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Intensity of entry in the coming month as a servicer predicts it at a close (P14)."""
    loans, hazards, _, ladder, _ = bundles
    worker, month = spot.worker, spot.month
    fact, path = loans.fact[loan], work.path[worker, place]
    trait = hazards.trait[fact.tier]
    track = work.slots.track[worker, path.slot]
    value = car_value(loan, worker, month, loans, work)
    equity = equity_effect(track, value, trait.threshold, trait.slope, trait.cap)
    age = min(fact.age + month + 1, hazards.seasoning.shape[1] - 1)
    kind, since = path.mark & 1, min(month - (path.mark >> 1), HISTORY_MONTHS)
    found = ladder.predicted[month, fact.cell] * fact.risk * hazards.seasoning[fact.tier, age]
    return found * hazards.history[fact.tier, kind, since] * (equity / trait.equity_mean)


@compiled(inline=True, inner=True)
def is_alerted(loan, intensity, spot, bundles):  # type: ignore[no-untyped-def]
    """Whether the tracker of a loan's car tells of the coming month (P14); `intensity` is the predicted one."""
    loans, _, _, ladder, clock = bundles
    if ladder.alerting.size == 0 or not ladder.alerting[loan]:
        return False
    entity, path, coming = loans.fact[loan].entity, clock.first_path + spot.row, spot.month + 1
    if event_uniform(entity, path, spot.month, PURPOSE_ALERT, clock.seed) >= ladder.alert_hits:
        return False
    return unit(block_at(entity, path, coming // WORDS, clock.seed)[coming % WORDS]) < intensity * ladder.alert_lift


@compiled(inline=True, inner=True)
def is_watched(loan, place, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Whether a loan without arrears is on the watch list for the coming month (P14)."""
    ladder, worker = bundles[3], spot.worker
    slot = work.path[worker, place].slot
    track = work.slots.track[worker, slot]
    if track >= ladder.watch_ltv * car_value(loan, worker, spot.month, bundles[0], work):
        return True
    alerting = ladder.alerting.size > 0 and ladder.alerting[loan]
    most = ladder.predicted[spot.month, work.slots.cell[worker, slot]] * (work.slots.limit[worker, slot] * UPWARDS)
    if most < ladder.watch_hazard and not alerting:
        return False
    intensity = predicted_entry(loan, place, spot, bundles, work)
    return intensity >= ladder.watch_hazard or is_alerted(loan, intensity, spot, bundles)


@compiled(inline=True, inner=True)
def is_meant(number, loan, watched, ladder):  # type: ignore[no-untyped-def]
    """Whether a rung for loans without arrears is for one of them."""
    wanted = ladder.rung[number].watched
    return (ladder.fits[loan] >> np.uint32(number)) & 1 == 1 and (wanted < 0 or (wanted == 1) == watched)


@compiled(inline=True, inner=True)
def care(place, late, asking, spot, bundles, work):  # type: ignore[no-untyped-def]
    """Let every rung for loans without arrears look at one; return `late` and `asking` as `treatment.ask` counts."""
    ladder, worker, loan = bundles[3], spot.worker, spot.origin + place
    before = asking
    watched = ladder.watches and is_watched(loan, place, spot, bundles, work)
    work.meant[worker, place] = 0
    work.cared[worker, place] = 0
    for number in range(ladder.first_care, ladder.rung.size):
        if not is_meant(number, loan, watched, ladder):
            continue
        work.meant[worker, place] |= np.uint32(1) << np.uint32(number)
        if ladder.rung[number].pool < 0:
            care_for(number, place, worker, work)
            continue
        principal = work.slots.track[worker, work.path[worker, place].slot]
        line_up(number, place, asking, principal, worker, ladder, work)
        asking += 1
    if ladder.waits_in_care and (asking > before or work.waits[worker, place]):
        work.lined[worker, late] = place
        late += 1
    return late, asking


@compiled(inline=True, inner=True)
def care_for(number, place, worker, work):  # type: ignore[no-untyped-def]
    """Carry a rung out for a loan without arrears."""
    work.cared[worker, place] |= np.uint32(1) << np.uint32(number)


@compiled(inline=True, inner=True)
def count_care(number, spot, count, work, result):  # type: ignore[no-untyped-def]
    """Book for how many loans without arrears a rung was at a close, and for how many it was carried out."""
    told = result.rung[spot.row, number]
    told[FOR, spot.month] = count_bit(number, work.meant[spot.worker, :count], work.state[spot.worker, :count])
    told[SERVED, spot.month] = count_bit(number, work.cared[spot.worker, :count], work.state[spot.worker, :count])


@compiled(inner=True)
def count_bit(number, mask, state):  # type: ignore[no-untyped-def]
    """How many loans without arrears have a bit set: uint32[place], int8[place]."""
    found, bit = np.int64(0), np.uint32(number)
    for place in range(mask.size):
        found += np.int64((mask[place] >> bit) & np.uint32(state[place] == 0))
    return found


@compiled(inner=True)
def care_at_start(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """What was done for loans without arrears before the first month: every rung's own, with capacity for all (P16)."""
    ladder, worker = bundles[3], spot.worker
    for place in range(spot.stop - spot.origin):
        work.meant[worker, place] = 0
        work.cared[worker, place] = 0
        if work.path[worker, place].state != 0:
            continue
        loan = spot.origin + place
        watched = ladder.watches and is_watched(loan, place, spot, bundles, work)
        for number in range(ladder.first_care, ladder.rung.size):
            if is_meant(number, loan, watched, ladder):
                work.meant[worker, place] |= np.uint32(1) << np.uint32(number)
        work.cared[worker, place] = work.meant[worker, place]


@compiled(inline=True, inner=True)
def is_averted(place, meant, kind, spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Whether a rung of the last close averts an entry into arrears (P15); the first that does is told of it."""
    loans, _, _, ladder, clock = bundles
    month, before, found = spot.month, spot.month - 1, False
    entity, path = loans.fact[spot.origin + place].entity, clock.first_path + spot.row
    for number in range(ladder.first_care, ladder.rung.size):
        bit = np.uint32(1) << np.uint32(number)
        if meant & bit == 0:
            continue
        if before > 0:
            result.rung[spot.row, number, FOLLOWED, before] += 1.0
        if found or work.cared[spot.worker, place] & bit == 0:
            continue
        rung = ladder.rung[number]
        u = event_uniform(entity, path, before, rung.purpose, clock.seed)
        if u < rung.reach * ladder.accepted[number, kind]:
            found = True
            result.rung[spot.row, number, AVERTED, month] += 1.0
    return found


@compiled(inline=True, inner=True)
def avert_entries(spot, entered, bundles, work, result):  # type: ignore[no-untyped-def]
    """Let loans that would enter arrears pay on time where a rung averts it: the first `entered` of movers.entered."""
    worker, movers, slots = spot.worker, work.movers, work.slots
    for entry in range(entered):
        mover = movers.entered[worker, entry]
        place = slots.place[worker, work.mover[worker, mover]]
        meant = work.meant[worker, place]
        if meant == 0:
            continue
        kind = work.path[worker, place].kind
        if is_averted(place, meant, kind, spot, bundles, work, result):
            movers.drawn[worker, mover] = 0
