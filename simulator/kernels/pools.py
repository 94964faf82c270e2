"""Pools, conduct and costs of a collection strategy at the close of a month (methodology (P9) to (P11))."""

from __future__ import annotations

import math

import numpy as np

from scenarios.vocabulary import INCIDENTS, TEAM_PURPOSE_INCIDENT
from simulator.kernels.booking import COLLECTION_COST, INCIDENT_COST
from simulator.kernels.bundles import PRIORITIES
from simulator.kernels.compile import compiled
from simulator.kernels.ladder import NO_RUNG
from simulator.kernels.random import event_uniform, normal_quantile
from simulator.kernels.workout import whole

HOURS_ASKED, HOURS_GIVEN, WAITING, WAITED, CAPACITY, POOL_COST = range(6)
"""Rows of Result.pool."""
FOR, SERVED, REACHED, CONTACTS, RUNG_COST, FOLLOWED, AVERTED, CURED, WORSE, AGAIN = range(10)
"""Rows of Result.rung."""

MOST_COUNTED = 600.0
"""Mean of incidents up to which the Poisson distribution is summed; beyond, a normal of its mean and variance is near
enough (skewness below .041) and rounded."""

STEPS = 16.0
"""Levels of priority in one unit of score."""

REGULATORY = len(INCIDENTS) - 1


@compiled()
def poisson_quantile(u, mean):  # type: ignore[no-untyped-def]
    """Smallest n whose Poisson distribution function reaches u in (0, 1)."""
    if mean <= 0.0:
        return 0
    if mean > MOST_COUNTED:
        return max(math.floor(mean + math.sqrt(mean) * normal_quantile(u) + 0.5), 0)
    count, share = 0, math.exp(-mean)
    total = share
    while total < u and share > 0.0:
        count += 1
        share *= mean / count
        total += share
    return count


@compiled(inline=True, inner=True)
def level_of(pool, rung, state, waiting, principal):  # type: ignore[no-untyped-def]
    """Priority of a loan in a pool: a weighted sum in whole steps (P2)."""
    score = pool.bucket * state + pool.waiting * waiting + pool.balance * principal + rung.priority
    return min(max(math.floor(score * STEPS), 0), PRIORITIES - 1)


@compiled(inline=True, inner=True)
def line_up(number, place, asking, principal, worker, ladder, work):  # type: ignore[no-untyped-def]
    """Let a loan ask a rung's pool at its priority (P2): the item `asking` of the queue."""
    rung, state = ladder.rung[number], work.state[worker, place]
    effort = work.effort[worker, work.path[worker, place].effort]
    bit = np.uint8(1 << rung.pool)
    waited = effort.waiting[rung.pool] if effort.queued & bit else 0
    level = level_of(ladder.pool[rung.pool], rung, state, waited, principal)
    effort.asked |= bit
    work.queue[worker, asking] = place
    work.queue_rung[worker, asking] = number
    work.queue_level[worker, asking] = level
    work.ranked[worker, rung.pool, level] += rung.hours


@compiled(inline=True, inner=True)
def open_pools(worker, ladder, work):  # type: ignore[no-untyped-def]
    """Pools as a path begins."""
    work.shut[worker] = 0
    for number in range(ladder.pool.size):
        work.staff[worker, number] = ladder.pool[number].hours


@compiled(inline=True, inner=True)
def hours_of(number, worker, ladder, work):  # type: ignore[no-untyped-def]
    """Hours that a pool can give this month."""
    pool = ladder.pool[number]
    if pool.unlimited:
        return np.inf
    return 0.0 if pool.field and work.shut[worker] > 0 else work.staff[worker, number]


@compiled(inline=True, inner=True)
def close_pools(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Book hours, contacts and costs of a close, draw its incidents, hire for the next (P9) to (P11)."""
    ladder = bundles[3]
    month, row, book = spot.month, spot.row, result.book[spot.row]
    total = 0.0
    for number in range(ladder.rung.size):
        rung, told = ladder.rung[number], result.rung[row, number]
        told[CONTACTS, month] = told[SERVED, month] * rung.contacts
        if number >= ladder.first_care:
            told[REACHED, month] = told[SERVED, month] * rung.reach
        told[RUNG_COST, month] += told[SERVED, month] * rung.cost
        total += told[SERVED, month] * rung.cost
        if rung.pool >= 0:
            result.pool[row, rung.pool, HOURS_ASKED, month] += told[FOR, month] * rung.hours
            result.pool[row, rung.pool, HOURS_GIVEN, month] += told[SERVED, month] * rung.hours
    for number in range(ladder.pool.size):
        total += close_pool(number, spot, ladder, work, result)
    book[COLLECTION_COST, month] += total
    draw_incidents(spot, bundles, work, result)


@compiled(inline=True, inner=True)
def close_pool(number, spot, ladder, work, result):  # type: ignore[no-untyped-def]
    """Book a pool's month and hire for the next; return its cost."""
    worker, month = spot.worker, spot.month
    pool, told, staff = ladder.pool[number], result.pool[spot.row, number], work.staff[worker, number]
    there = hours_of(number, worker, ladder, work)
    told[CAPACITY, month] = there
    if pool.unlimited:
        told[POOL_COST, month] = told[HOURS_GIVEN, month] * pool.cost
        return told[POOL_COST, month]
    told[POOL_COST, month] = staff * pool.cost
    if there > 0.0 and pool.step > 0.0:
        if told[HOURS_ASKED, month] > staff:
            work.staff[worker, number] = max(min(staff + pool.step, pool.most), staff)
            told[POOL_COST, month] += (work.staff[worker, number] - staff) * pool.hiring
        elif told[HOURS_ASKED, month] < staff:
            work.staff[worker, number] = max(staff - pool.step, pool.hours)
    return told[POOL_COST, month]


@compiled(inline=True, inner=True)
def draw_incidents(spot, bundles, work, result):  # type: ignore[no-untyped-def]
    """Incidents of a month's contacts, their cost, and for how long field work is closed (P11)."""
    _, _, _, ladder, clock = bundles
    worker, month, row, path = spot.worker, spot.month, spot.row, clock.first_path + spot.row
    work.shut[worker] = max(work.shut[worker] - 1, 0)
    cost = 0.0
    for kind in range(ladder.incident_cost.size):
        mean = 0.0
        for number in range(ladder.rung.size):
            mean += ladder.incident_rate[number, kind] * result.rung[row, number, CONTACTS, month]
        if mean > 0.0:
            u = event_uniform(ladder.team_entity, path, month, TEAM_PURPOSE_INCIDENT + kind, clock.seed)
            found = poisson_quantile(u, mean * ladder.team[row])
            result.incident[row, kind, month] = found
            cost += found * ladder.incident_cost[kind]
            if kind == REGULATORY and found > 0:
                work.shut[worker] = max(work.shut[worker], ladder.suspension)
    result.book[row, INCIDENT_COST, month] += cost


@compiled(inline=True, inner=True)
def book_commissions(spot, late, bundles, work, result):  # type: ignore[no-untyped-def]
    """Commission of agencies on what their loans paid this month (P9); the first `late` items were in arrears."""
    _, _, _, ladder, clock = bundles
    worker, month = spot.worker, spot.month
    for item in range(late):
        agency = work.effort[worker, work.path[worker, work.items.place[worker, item]].effort].agency
        if agency != NO_RUNG:
            commission = whole(ladder.rung[agency].commission * work.items.cash[worker, item], clock.scale)
            result.rung[spot.row, agency, RUNG_COST, month] += commission
            result.book[spot.row, COLLECTION_COST, month] += commission
