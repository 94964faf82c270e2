"""The reference's collections: rungs, pools, conduct and their costs (P1) to (P13) (see `reference`).

A strategy is the plain data of its file; a rung, one of its `ladder`, is a dict.  What a spell of arrears has seen is
a `Spell`, forgotten when the loan returns to current; what the rungs of the last close do in the next month is a
*treatment*, a dict of factors by cause and of offers.  `Office` holds what all loans of a path share.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from reference_market import Plain, draw, event_uniform
from scenarios.vocabulary import (
    ACTIONS,
    INCIDENTS,
    MAX_BUCKET,
    PURPOSE_ACTION,
    PURPOSE_INCIDENT,
    PURPOSE_SUIT,
    PURPOSE_TEAM,
    TYPES,
)
from simulator.entities import named_entity

if TYPE_CHECKING:
    from reference import Life

WEEKS_A_MONTH = 52.0 / 12.0
TEAM = "collections team"
ROUNDING = 1e-9
"""Of a pool's hours: what the order in which hours are summed may leave."""

BY_EFFECT = ("cure", "roll", "charge_off")
"""Causes on which the effects of all rungs act."""

BY_ACTION = {"seizure": ("repossession", "seized"), "extension": ("extension", "granted")}
"""What one action alone does, and by which of its fields."""

UNTREATED: Plain = {"plan": 0.0, "surrender": 0.0, "write_off": False, "commission": [], "reached_in": None}
UNCHANGED: Plain = {**UNTREATED, **dict.fromkeys((*BY_EFFECT, *BY_ACTION), 1.0)}
"""A month of a loan that is worked as those were that the parameters come from."""


@dataclass
class Spell:
    """What has happened since the loan fell into arrears."""

    done: set[str] = field(default_factory=set)
    revealed: str = "unknown"
    finds: float = 1.0
    broken: int = 0
    suit: Plain | None = None
    sold_at: float | None = None
    waiting: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Told(NamedTuple):
    """A rung that reached a borrower."""

    place: int
    rung: Plain
    backfired: bool


Ask = tuple["Life", int]
"""A loan, and the place of a rung in the ladder that is for it."""


# --- rungs -------------------------------------------------------------------------------------------------------


def label(rung: Plain) -> str:
    return str(rung["name"] or rung["action"])


def reach(rung: Plain) -> float:
    return float(rung["reach_percent"]) / 100.0


def contacts(rung: Plain) -> float:
    """Contacts of a loan in a month."""
    if rung["contacts_per_week"] is not None:
        return float(rung["contacts_per_week"]) * WEEKS_A_MONTH
    return 1.0 if rung["contacts_per_month"] is None else float(rung["contacts_per_month"])


def hours(rung: Plain) -> float:
    """Hours of its pool that a loan takes in a month."""
    return contacts(rung) * float(rung["hours_per_contact"])


def by_kind(value: float | Plain, kind: int) -> float:
    """A figure of the latent type, or the one for all."""
    return float(value[TYPES[kind]] if isinstance(value, dict) else value)


def within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def is_for(rung: Plain, life: Life, month: int) -> bool:
    """Whether a rung is for a loan at the close of a month (P1)."""
    who, contract, spell = rung["who"], life.contract, life.spell
    value = life.car_value(month)
    ltv = 100.0 * life.owed / value if value > 0.0 else math.inf
    features = {"tracker": who["tracker"], "starter_interrupt": who["starter_interrupt"]}
    lists = {"region": who["regions"], "tier": who["tiers"]}
    known = {"region": contract["region"], "tier": contract["tier"]["name"]}
    return (
        0 < life.state <= MAX_BUCKET
        and for_days(rung, life.state, life.world)
        and within(life.owed, who["from_balance"], who["to_balance"])
        and within(ltv, who["from_ltv_percent"], who["to_ltv_percent"])
        and all(wanted is None or wanted == contract[name] for name, wanted in features.items())
        and all(wanted is None or known[name] in wanted for name, wanted in lists.items())
        and (who["revealed"] is None or spell.revealed in who["revealed"])
        and spell.done.issuperset(who["after"])
        and spell.done.isdisjoint(who["unless"])
        and spell.broken >= who["broken_promises"]
        and not (is_once(rung) and label(rung) in spell.done)
        and not (rung["action"] == "litigation" and spell.suit)
    )


def for_days(rung: Plain, bucket: int, world: Plain) -> bool:
    first = world["parameters"]["bucket_edges"][bucket]
    return bool(rung["who"]["from_days"] <= first <= rung["who"]["to_days"])


def is_once(rung: Plain) -> bool:
    return bool(rung["once"] or rung["action"] == "litigation")


def by_days_alone(rung: Plain) -> bool:
    """Whether a rung tells loans apart by nothing but days past due."""
    conditions = {name: value for name, value in rung["who"].items() if name not in ("from_days", "to_days")}
    return not is_once(rung) and all(value in (None, (), 0) for value in conditions.values())


# --- effects (P4), (P5), (P6), (P13) -------------------------------------------------------------------------------


def mean_factors(rungs: Iterable[Plain], kind: int, where_none: float) -> dict[str, float]:
    """What rungs make of intensities on average where each serves everybody (P5)."""
    rungs = list(rungs)
    means = {}
    for cause in BY_EFFECT:
        means[cause] = math.prod(1.0 + reach(rung) * (mixed(rung, cause, kind) - 1.0) for rung in rungs)
    for cause, (action, name) in BY_ACTION.items():
        own = [rung for rung in rungs if rung["action"] == action]
        some = math.prod(1.0 - reach(rung) + reach(rung) * rung[name] for rung in own)
        none = math.prod(1.0 - reach(rung) for rung in own)
        means[cause] = some - none if own else where_none
    return means


def mixed(rung: Plain, cause: str, kind: int) -> float:
    """A rung's effect on who was reached, backfires mixed in."""
    back = backfire(rung)
    usual = by_kind(rung["effect"][cause], kind)
    return (1.0 - back) * usual + back * by_kind(rung["backfire"][cause], kind) if back else usual


def backfire(rung: Plain) -> float:
    return float(rung.get("backfire_percent", 0.0)) / 100.0


def observed_factors(life: Life) -> dict[str, float]:
    """N: what the strategy did under which the parameter set was observed (P5)."""
    observed = life.contract["observed"]
    rungs = observed["ladder"] if observed else ()
    return mean_factors((rung for rung in rungs if for_days(rung, life.state, life.world)), life.type, 1.0)


def usual_treatment(life: Life) -> Plain:
    """The strategy's mean in the loan's bucket, where no close came before or none counts (P13)."""
    strategy = life.world["strategy"]
    if strategy is None or not life.in_arrears:
        return UNCHANGED
    rungs = [rung for rung in strategy["ladder"] if by_days_alone(rung) and for_days(rung, life.state, life.world)]
    own, base = mean_factors(rungs, life.type, 0.0), observed_factors(life)
    return {**UNTREATED, **{cause: own[cause] / base[cause] for cause in base}}


def treatment_after(life: Life, reached: list[Told]) -> Plain:
    """What the rungs that reached the borrower do in the next month (P4), (P7)."""
    found = dict.fromkeys(BY_EFFECT, 1.0)
    for cause in BY_EFFECT:
        for told in reached:
            found[cause] *= by_kind(told.rung["backfire" if told.backfired else "effect"][cause], life.type)
    for cause, (action, name) in BY_ACTION.items():
        own = [told.rung[name] for told in reached if told.rung["action"] == action]
        found[cause] = math.prod(own) if own else 0.0
    base = observed_factors(life)
    return {
        **{cause: found[cause] / base[cause] for cause in base},
        "plan": 1.0 - refused(life, reached, "plan"),
        "surrender": 1.0 - refused(life, reached, "surrender"),
        "write_off": any(told.rung["action"] == "write_off" for told in reached),
        "commission": [told for told in reached if told.rung["action"] == "outsourcing"],
        "reached_in": life.state if reached else None,
    }


def refused(life: Life, reached: list[Told], action: str) -> float:
    """Probability that the borrower accepts none of the offers of an action."""
    offers = [told.rung["accepted_percent"] for told in reached if told.rung["action"] == action]
    return math.prod(1.0 - by_kind(accepted, life.type) / 100.0 for accepted in offers)


def extension_share(life: Life, month: int) -> float:
    """Share of the set's returns to current that are extensions: none once the last due date has passed (3i)."""
    return float(life.contract["tier"]["modified_share"][life.state]) if month < life.term else 0.0


def return_factor(life: Life, month: int) -> float:
    """Factor on the intensity of a return to current (P6)."""
    share, treatment = extension_share(life, month), life.treatment
    return 1.0 + (1.0 - share) * (treatment["cure"] - 1.0) + share * (treatment["extension"] - 1.0)


# --- what all loans of a path share (P2), (P10), (P11) -------------------------------------------------------------


class Office:
    """Pools and teams of one path."""

    def __init__(self, world: Plain, path: int) -> None:
        self.strategy, self.world, self.path = world["strategy"], world, path
        self.pools = self.strategy["pools"]
        self.mean = fmean(loan["current_balance"] for loan in world["loans"])  # opening principal
        self.base = {name: self.first_hours(pool) for name, pool in self.pools.items()}
        self.hours = dict(self.base)
        self.closed_to = 0  # last month at whose close field pools are closed
        variance = self.strategy["incidents"]["variance"]
        self.team = gamma_quantile(self.draw(0, PURPOSE_TEAM), 1.0 / variance) * variance if variance > 0.0 else 1.0

    def first_hours(self, pool: Plain) -> float:
        if pool["unlimited"]:
            return math.inf
        if pool["hours_per_month"] is not None:
            return float(pool["hours_per_month"])
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
        """Hours of the next month (P10); return how many were hired for it."""
        now, base, hiring = self.hours[name], self.base[name], self.pools[name]["hiring"]
        if hiring is None:
            return 0.0
        step = hiring["step_percent"] / 100.0 * base
        if asked > now and not self.is_closed(name, month):
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


# --- a close (P1) to (P3), (P8), (P9) ----------------------------------------------------------------------------


def close_month(lives: list[Life], month: int, office: Office, result: Plain) -> None:
    """All loans have moved: promises are counted, rungs ask, pools serve, effects are set, the month is paid."""
    for life in lives:
        settle_spell(life)
    ladder = office.strategy["ladder"]
    asking = [(life, place) for life in lives for place, rung in enumerate(ladder) if is_for(rung, life, month)]
    for _, place in asking:
        result["rung"]["asked", month, place] += 1.0
    served = [ask for ask in asking if ladder[ask[1]]["pool"] is None]
    for pool in office.pools:
        served += serve(pool, [ask for ask in asking if ladder[ask[1]]["pool"] == pool], month, office, result, lives)
    for life in lives:
        work(life, sorted(place for other, place in served if other is life), month, result)
    have_incidents([ladder[place] for _, place in served], month, office, result)


def settle_spell(life: Life) -> None:
    """Who is current has forgotten everything; who was reached and is no better has broken a promise (P8)."""
    if not life.in_arrears:
        life.spell = Spell()
    elif life.treatment and life.treatment["reached_in"] is not None:
        life.spell.broken += life.state >= life.treatment["reached_in"]


def serve(pool: str, queue: list[Ask], month: int, office: Office, result: Plain, lives: list[Life]) -> list[Ask]:
    """Whom a pool serves: the most urgent, until the first whose hours it has not left (P2)."""
    ladder, capacity = office.strategy["ladder"], office.capacity(pool, month)
    queue = sorted(queue, key=lambda ask: urgency(*ask, pool, office), reverse=True)  # stable: loans, then rungs
    totals = list(accumulate(hours(ladder[place]) for _, place in queue))
    served = [ask for ask, total in zip(queue, totals, strict=True) if total <= capacity * (1.0 + ROUNDING)]
    given, asked = totals[len(served) - 1] if served else 0.0, totals[-1] if totals else 0.0
    unserved = count_months(pool, lives, [life for life, _ in queue], [life for life, _ in served])
    cost = office.book_pool(pool, month, asked, given)
    result["book"]["collection_cost", month] += cost
    figures = {
        "demand": asked,
        "served": given,
        "waiting": float(len(unserved)),
        "waiting_months": fmean(life.spell.waiting[pool] for life in unserved) if unserved else 0.0,
        "capacity": capacity,
        "cost": cost,
    }
    result["pool"].update({(f"pool_{name}", pool, month): value for name, value in figures.items()})
    return served


def urgency(life: Life, place: int, pool: str, office: Office) -> int:
    """Priority in sixteenths."""
    weight = office.pools[pool]["priority"]
    points = weight["bucket"] * life.state + weight["waiting"] * life.spell.waiting[pool]
    points += weight["balance"] * life.owed / office.mean + office.strategy["ladder"][place]["priority"]
    return min(max(math.floor(points * 16), 0), 1023)


def count_months(pool: str, lives: list[Life], asked: list[Life], got: list[Life]) -> list[Life]:
    """One more month for who asked and got nothing, whoever else forgets; return who waits."""
    waits = {id(life) for life in asked} - {id(life) for life in got}
    for life in lives:
        life.spell.waiting[pool] = life.spell.waiting[pool] + 1 if id(life) in waits else 0
    return [life for life in lives if id(life) in waits]


def work(life: Life, places: list[int], month: int, result: Plain) -> None:
    """The rungs that serve a loan: whom they reach (P3), what they cost (P9), what they begin."""
    ladder, reached = life.world["strategy"]["ladder"], []
    for place in places:
        rung = ladder[place]
        pay(result, month, place, contacts(rung) * rung["cost_per_contact"])
        result["rung"]["served", month, place] += 1.0
        result["rung"]["contacts", month, place] += contacts(rung)
        u = draw(life, month, PURPOSE_ACTION + ACTIONS.index(rung["action"]))
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
    life.spell.done |= {label(ladder[place]) for place in places}
    life.carried_out = places
    life.treatment = treatment_after(life, reached) if life.in_arrears else None


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
        u = office.draw(month, PURPOSE_INCIDENT + place)
        number = poisson_quantile(u, office.team * terms["standard"] * rate)
        result["incident"][kind, month] = number
        result["book"]["incident_cost", month] += number * terms["cost"][kind]
        if kind == "regulatory" and number:
            office.closed_to = max(office.closed_to, month + terms["suspension_months"])


# --- after charge-off (P12), (P13) -------------------------------------------------------------------------------


def searches(strategy: Plain | None) -> bool:
    """Whether cars are looked for after charge-off: by none that seizes none."""
    return strategy is None or any(rung["action"] == "repossession" for rung in strategy["ladder"])


def pursued(life: Life, month: int) -> tuple[str, float, int]:
    """How what a sale left unpaid is collected after a charge-off: as what, which share, after how many months."""
    tier, suit, price = life.contract["tier"], life.spell.suit, life.spell.sold_at
    if suit and suit["share"] is not None:
        return "judgment_cash", suit["share"], max(suit["month"] - month, 0)
    if price is not None:
        return "debt_sale_cash", price, 1
    return "deficiency_cash", tier["deficiency_share"], tier["deficiency_lag"]
