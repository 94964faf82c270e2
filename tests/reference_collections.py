"""The reference's collections: who is served, by whom, at what cost (P1) to (P3), (P8) to (P11) (see `reference`)."""

from __future__ import annotations

import math
from itertools import accumulate
from statistics import fmean
from typing import TYPE_CHECKING

from reference_care import count_care, is_care_for, watch
from reference_market import Plain, draw, event_uniform
from reference_strategy import (
    Spell,
    Told,
    backfire,
    base_of,
    contacts,
    for_days,
    hours,
    is_once,
    label,
    meets,
    reach,
    treatment_after,
)
from reference_workout import try_seizure
from scenarios.vocabulary import (
    ACTION_PURPOSE,
    CHARGED_OFF,
    INCIDENTS,
    MATURED,
    MAX_BUCKET,
    PURPOSE_SUIT,
    TEAM_PURPOSE_FACTOR,
    TEAM_PURPOSE_INCIDENT,
    TYPES,
)
from simulator.entities import named_entity

if TYPE_CHECKING:
    from reference import Life

TEAM = "collections team"
ROUNDING = 1e-9
"""Of a pool's hours: what the order in which hours are summed may leave."""

Ask = tuple["Life", int]
"""A loan, and the place of a rung that is for it: those of the ladder, then those for loans without arrears."""


# --- what all loans of a path share (P2), (P10), (P11) -------------------------------------------------------------


class Office:
    """Pools and teams of one path."""

    def __init__(self, lives: list[Life], world: Plain, path: int) -> None:
        self.strategy, self.world, self.path = world["strategy"], world, path
        self.pools = self.strategy["pools"]
        self.rungs = (*self.strategy["ladder"], *self.strategy["while_current"])
        self.mean = fmean(life.owed for life in lives)
        self.in_arrears = sum(life.in_arrears for life in lives)
        self.base = {name: self.first_hours(pool) for name, pool in self.pools.items()}
        self.hours = dict(self.base)
        self.closed_to = 0  # last month at whose close field pools are closed
        variance = self.strategy["incidents"]["variance"]
        self.team = (
            gamma_quantile(self.draw(0, TEAM_PURPOSE_FACTOR), 1.0 / variance) * variance if variance > 0.0 else 1.0
        )

    def first_hours(self, pool: Plain) -> float:
        if pool["unlimited"]:
            return math.inf
        if pool["hours_per_month"] is not None:
            return float(pool["hours_per_month"])
        if pool["hours_per_100_in_arrears"] is not None:
            return float(pool["hours_per_100_in_arrears"]) * self.in_arrears / 100.0
        return float(pool["hours_per_1000_loans"]) * len(self.world["loans"]) / 1000.0

    def draw(self, month: int, purpose: int) -> float:
        return event_uniform(named_entity(TEAM), self.path, month, purpose, self.world["seed"])

    def book_pool(self, name: str, month: int, asked: float, given: float) -> float:
        """Order the next month's hours; return what this month's cost, closed or not, and what hiring costs (P9)."""
        pool = self.pools[name]
        worked = given if pool["unlimited"] else self.hours[name]
        hired = self.hire(name, asked, month)
        return float(worked * pool["cost_per_hour"] + (hired * pool["hiring"]["cost_per_hour"] if hired else 0.0))

    def is_closed(self, name: str, month: int) -> bool:
        return bool(self.pools[name]["field"]) and month <= self.closed_to

    def capacity(self, name: str, month: int) -> float:
        return 0.0 if self.is_closed(name, month) else self.hours[name]

    def hire(self, name: str, asked: float, month: int) -> float:
        """Hours of the next month (P10), those of a closed pool as they are; return how many were hired for it."""
        now, base, hiring = self.hours[name], self.base[name], self.pools[name]["hiring"]
        if hiring is None or self.is_closed(name, month):
            return 0.0
        step = hiring["step_percent"] / 100.0 * base
        if asked > now:
            self.hours[name] = min(now + step, hiring["most_percent"] / 100.0 * base)
        elif asked < now:
            self.hours[name] = max(now - step, base)
        return max(self.hours[name] - now, 0.0)


def poisson_quantile(u: float, mean: float) -> int:
    """The least number at which the sum of Poisson's probabilities reaches u."""
    if mean == 0.0:
        return 0
    number, reached = 0, math.exp(-mean)
    while reached < u:
        number += 1
        reached += math.exp(
            number * math.log(mean) - mean - math.lgamma(number + 1.0)
        )  # a large mean has no exp(-mean)
    return number


def gamma_quantile(u: float, shape: float) -> float:
    """Quantile of Gamma with scale 1, by halving an interval of its distribution's series."""

    def below(x: float) -> float:
        term = total = math.exp(shape * math.log(x) - x - math.lgamma(shape + 1.0))
        steps = 0
        while term > 1e-17 * total:
            steps += 1
            term *= x / (shape + steps)
            total += term
        return total

    low, high = 0.0, shape + 1.0
    while below(high) < u:
        low, high = high, 2.0 * high
    while high - low > 1e-15 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if below(middle) < u else (low, middle)
    return 0.5 * (low + high)


# --- for whom (P1) -----------------------------------------------------------------------------------------------


def is_for(rung: Plain, life: Life, month: int) -> bool:
    """Whether a rung is for a loan at the close of a month (P1)."""
    who, spell = rung["who"], life.spell
    return (
        0 < life.state <= MAX_BUCKET
        and for_days(rung, life.state, life.world)
        and meets(rung, life, life.owed, life.ltv(month))
        and (who["revealed"] is None or spell.revealed in who["revealed"])
        and spell.done.issuperset(who["after"])
        and spell.done.isdisjoint(who["unless"])
        and spell.broken >= who["broken_promises"]
        and not (is_once(rung) and label(rung) in spell.done)
        and not (rung["action"] == "litigation" and spell.suit)
        and not (rung["action"] in ("repossession", "surrender") and life.seized is not None)
    )


# --- a close (P1) to (P3), (P8), (P9) ----------------------------------------------------------------------------


def close_month(lives: list[Life], month: int, office: Office, result: Plain) -> None:
    """All loans have moved: promises are counted, rungs ask, pools serve, effects are set, the month is paid."""
    for life in lives:
        tell_outcome(life, month, result)
        settle_spell(life)
        watch(life, month, result)
    rungs = office.rungs
    asking = [(life, place) for life in lives for place in rungs_for(life, month, office)]
    for _, place in asking:
        result["rung"]["asked", month, place] += 1.0
    served = [ask for ask in asking if rungs[ask[1]]["pool"] is None]
    for pool in office.pools:
        served += serve(pool, [ask for ask in asking if rungs[ask[1]]["pool"] == pool], month, office, result, lives)
    for life in lives:
        places = sorted(place for other, place in served if other is life)
        if life.state == 0:
            care_for(life, places, month, office, result)
        else:
            work(life, places, month, result)
    in_arrears = [rungs[place] for life, place in served if life.in_arrears]
    have_incidents(in_arrears, month, office, result)


def tell_outcome(life: Life, month: int, result: Plain) -> None:
    """What became of a loan after the rungs of the last close (P19)."""
    cured, fell = life.state in (0, MATURED), life.opened == 0 and life.in_arrears
    if 0 < life.opened <= MAX_BUCKET and cured:
        life.cured_after = (month, life.carried_out)
        for place in life.carried_out:
            result["rung"]["cured", month, place] += 1.0
    elif 0 < life.opened <= MAX_BUCKET and (life.state == CHARGED_OFF or life.opened < life.state <= MAX_BUCKET):
        for place in life.carried_out:
            result["rung"]["worse", month, place] += 1.0
    elif fell and life.cured_after and month - life.cured_after[0] <= 12:
        cured_in, places = life.cured_after
        for place in places:
            result["rung"]["again", cured_in, place] += 1.0
        life.cured_after = None


def rungs_for(life: Life, month: int, office: Office) -> list[int]:
    """Places of the rungs that are for a loan, in arrears or not."""
    first = len(office.strategy["ladder"])
    return [
        place
        for place, rung in enumerate(office.rungs)
        if (is_for(rung, life, month) if place < first else is_care_for(rung, life))
    ]


def settle_spell(life: Life) -> None:
    """Who is current has forgotten everything; who was reached and is no better has broken a promise (P8)."""
    if not life.in_arrears:
        life.spell = Spell()
    elif life.treatment and life.treatment["reached_in"] is not None:
        life.spell.broken += life.state >= life.treatment["reached_in"]


def serve(pool: str, queue: list[Ask], month: int, office: Office, result: Plain, lives: list[Life]) -> list[Ask]:
    """Whom a pool serves: the most urgent, until the first whose hours it has not left (P2)."""
    rungs, capacity = office.rungs, office.capacity(pool, month)
    queue = sorted(queue, key=lambda ask: urgency(*ask, pool, office), reverse=True)  # stable: loans, then rungs
    totals = list(accumulate(hours(rungs[place]) for _, place in queue))
    served = [ask for ask, total in zip(queue, totals, strict=True) if total <= capacity * (1.0 + ROUNDING)]
    given, asked = totals[len(served) - 1] if served else 0.0, totals[-1] if totals else 0.0
    unserved = count_months(pool, lives, [life for life, _ in queue], [life for life, _ in served])
    result["care"]["waiting", month] += sum(life.state == 0 for life in unserved)
    cost = office.book_pool(pool, month, asked, given)
    result["book"]["collection_cost", month] += cost
    figures = {
        "demand": asked,
        "served": given,
        "waiting": float(len(unserved)),
        "waiting_months": fmean(life.waiting[pool] for life in unserved) if unserved else 0.0,
        "capacity": capacity,
        "cost": cost,
    }
    result["pool"].update({(f"pool_{name}", pool, month): value for name, value in figures.items()})
    return served


def urgency(life: Life, place: int, pool: str, office: Office) -> int:
    """Priority in sixteenths."""
    weight = office.pools[pool]["priority"]
    points = weight["bucket"] * life.state + weight["waiting"] * life.waiting[pool]
    points += weight["balance"] * life.owed / office.mean + office.rungs[place]["priority"]
    return min(max(math.floor(points * 16), 0), 1023)


def count_months(pool: str, lives: list[Life], asked: list[Life], got: list[Life]) -> list[Life]:
    """One more month for who asked and got nothing, whoever else forgets; return who waits."""
    waits = {id(life) for life in asked} - {id(life) for life in got}
    for life in lives:
        life.waiting[pool] = life.waiting[pool] + 1 if id(life) in waits else 0
    return [life for life in lives if id(life) in waits]


def work(life: Life, places: list[int], month: int, result: Plain) -> None:
    """The rungs that serve a loan: whom they reach (P3), what they cost (P9), what they begin."""
    ladder, reached = life.world["strategy"]["ladder"], []
    for place in places:
        rung = ladder[place]
        pay(result, month, place, contacts(rung) * rung["cost_per_contact"])
        result["rung"]["served", month, place] += 1.0
        result["rung"]["contacts", month, place] += contacts(rung)
        u = draw(life, month, ACTION_PURPOSE[rung["action"]])
        if u < reach(rung):
            result["rung"]["reached", month, place] += 1.0
            reached.append(Told(place, rung, u < reach(rung) * backfire(rung)))
        if rung["action"] == "litigation":
            pay(result, month, place, file_suit(life, rung, month))
        if rung["action"] == "debt_sale":
            life.spell.sold_at = rung["price_percent"] / 100.0
    for told in reached:
        if told.rung["action"] == "visit":
            life.spell.finds = max(life.spell.finds, told.rung["finds_car"])
            life.spell.revealed = TYPES[life.type] if told.rung["reveals"] else life.spell.revealed
    if any(told.rung["action"] == "repossession" for told in reached):
        send_trucks(life, month, [told.rung["seized"] for told in reached if told.rung["action"] == "repossession"])
    life.spell.done |= {label(ladder[place]) for place in places}
    life.carried_out = places
    life.treatment = treatment_after(life, reached) if life.in_arrears else None


def care_for(life: Life, places: list[int], month: int, office: Office, result: Plain) -> None:
    """The rungs that serve a loan without arrears; what they avert shows in the month after (P15)."""
    life.asked_by = rungs_for(life, month, office)
    life.carried_out, life.treatment = places, None
    for place in places:
        count_care(office.rungs[place], month, place, result)


def send_trucks(life: Life, month: int, factors: list[float]) -> None:
    """A car is seized, or not, at the close at which trucks reach the loan (P4)."""
    try_seizure(life, month, math.prod(factors) / base_of(life)["seizure"])


def file_suit(life: Life, rung: Plain, month: int) -> float:
    """Told at once whether it is won (P12); return the cost of filing, a share of the claim."""
    won = draw(life, month, PURPOSE_SUIT) < rung["won_percent"] / 100.0
    share = rung["enforced_percent"] / 100.0 if won else None
    life.spell.suit = {"share": share, "month": month + rung["judgment_months"]}
    return float(rung["cost_percent"] / 100.0 * (life.owed + life.receivable))


def pay(result: Plain, month: int, place: int, amount: float) -> None:
    """A cost of a rung."""
    result["rung"]["cost", month, place] += amount
    result["book"]["collection_cost", month] += amount


def pay_commission(life: Life, month: int, paid: float, result: Plain) -> None:
    """An agency's share of what the borrower has paid since it was given the loan (P9); none after the horizon."""
    for told in life.treatment["commission"] if life.treatment else ():
        pay(result, month, told.place, told.rung["commission_percent"] / 100.0 * paid)


def have_incidents(served: list[Plain], month: int, office: Office, result: Plain) -> None:
    """Poisson numbers of incidents and their costs; a regulatory event closes field pools (P11)."""
    terms = office.strategy["incidents"]
    for place, kind in enumerate(INCIDENTS):
        rate = sum(rung["incidents"][kind] / 1000.0 * contacts(rung) for rung in served)
        u = office.draw(month, TEAM_PURPOSE_INCIDENT + place)
        number = poisson_quantile(u, office.team * terms["standard"] * rate)
        result["incident"][kind, month] = number
        result["book"]["incident_cost", month] += number * terms["cost"][kind]
        if kind == "regulatory" and number:
            office.closed_to = max(office.closed_to, month + terms["suspension_months"])
