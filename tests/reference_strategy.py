"""The reference's strategies: rungs, and what they do to a loan (P4) to (P7), (P12), (P13) (see `reference`).

A strategy is the plain data of its file; a rung, one of its `ladder`, is a dict.  What a spell of arrears has seen is
a `Spell`, forgotten when the loan returns to current; what the rungs of the last close do in the next month is a
*treatment*, a dict of factors by cause and of offers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from reference_market import Plain
from scenarios.vocabulary import TYPES

if TYPE_CHECKING:
    from reference import Life

WEEKS_A_MONTH = 52.0 / 12.0

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


class Told(NamedTuple):
    """A rung that reached a borrower."""

    place: int
    rung: Plain
    backfired: bool


# --- rungs -------------------------------------------------------------------------------------------------------


def label(rung: Plain) -> str:
    return str(rung["name"] or rung["action"])


def reach(rung: Plain) -> float:
    return float(rung["reach_percent"]) / 100.0


def contacts(rung: Plain) -> float:
    """Contacts of a loan in a month."""
    if rung.get("contacts_per_week") is not None:
        return float(rung["contacts_per_week"]) * WEEKS_A_MONTH
    return 1.0 if rung["contacts_per_month"] is None else float(rung["contacts_per_month"])


def hours(rung: Plain) -> float:
    """Hours of its pool that a loan takes in a month."""
    return contacts(rung) * float(rung["hours_per_contact"])


def by_kind(value: float | Plain, kind: int) -> float:
    """A figure of the latent type, or the one for all."""
    return float(value[TYPES[kind]] if isinstance(value, dict) else value)


def for_days(rung: Plain, bucket: int, world: Plain) -> bool:
    first = world["parameters"]["bucket_edges"][bucket]
    return bool(rung["who"]["from_days"] <= first <= rung["who"]["to_days"])


def is_once(rung: Plain) -> bool:
    return bool(rung["once"] or rung["action"] == "litigation")


def is_usual(rung: Plain, life: Life) -> bool:
    """Whether a rung acts on a loan on average (P13): but for days, all it asks for holds whatever the spell saw."""
    who = rung["who"]
    asks = is_once(rung) or who["revealed"] is not None or who["after"] or who["unless"] or who["broken_promises"]
    return not asks and meets(rung, life, *life.at_start)


def within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def meets(rung: Plain, life: Life, owed: float, ltv: float) -> bool:
    """Whether a loan with such amounts meets a rung's conditions on them and on what never changes of it."""
    who, contract = rung["who"], life.contract
    features = {"tracker": who["tracker"], "starter_interrupt": who["starter_interrupt"]}
    lists = {"region": who["regions"], "tier": who["tiers"]}
    known = {"region": contract["region"], "tier": contract["tier"]["name"]}
    return (
        within(owed, who["from_balance"], who["to_balance"])
        and within(100.0 * ltv, who["from_ltv_percent"], who["to_ltv_percent"])
        and all(wanted is None or wanted == contract[name] for name, wanted in features.items())
        and all(wanted is None or known[name] in wanted for name, wanted in lists.items())
    )


# --- what a strategy does on average (P5), (P13) -------------------------------------------------------------------


def mean_of_action(rungs: list[Plain], cause: str, where_none: float) -> float:
    """How much is seized or extended on average where the rungs that do so serve everybody (P5)."""
    action, name = BY_ACTION[cause]
    own = [rung for rung in rungs if rung["action"] == action]
    some = math.prod(1.0 - reach(rung) + reach(rung) * rung[name] for rung in own)
    return some - math.prod(1.0 - reach(rung) for rung in own) if own else where_none


def backfire(rung: Plain) -> float:
    return float(rung.get("backfire_percent", 0.0)) / 100.0


def outcomes(rungs: list[Plain], kind: int) -> list[tuple[float, dict[str, float]]]:
    """Every set of rungs that may reach a borrower: its probability, and the product of their effects by cause."""
    found = [(1.0, dict.fromkeys(BY_EFFECT, 1.0))]
    for rung in rungs:
        chances = {"effect": reach(rung) * (1.0 - backfire(rung)), "backfire": reach(rung) * backfire(rung)}
        longer = [(chance * (1.0 - reach(rung)), effects) for chance, effects in found]
        for form, share in chances.items():
            for chance, effects in found if share else ():
                more = {cause: factor * by_kind(rung[form][cause], kind) for cause, factor in effects.items()}
                longer.append((chance * share, more))
        found = longer
    return found


def probabilities(tier: Plain, bucket: int, kind: int, effects: dict[str, float]) -> dict[str, float]:
    """Monthly probabilities by class of cause in arrears at reference macro, of an extension rung's usual work (2)."""
    rates, share = dict.fromkeys((*BY_EFFECT, "prepay"), 0.0), tier["modified_share"][bucket]
    for target, rate in tier["rows"][bucket].items():
        if target == "prepay":
            rates["prepay"] += rate
            continue
        cause = target if target == "charge_off" else "cure" if target < bucket else "roll"
        factor = 1.0 + (1.0 - share) * (effects["cure"] - 1.0) if target == 0 else effects[cause]
        rates[cause] += rate * tier["type_multiplier"][kind][cause] * factor
    total = sum(rates.values())
    return {cause: rates[cause] / total * (1.0 - math.exp(-total)) if total else 0.0 for cause in BY_EFFECT}


def mean_probabilities(
    tier: Plain, bucket: int, kind: int, rungs: list[Plain], base: dict[str, float]
) -> dict[str, float]:
    """Over who is reached, where each rung serves everybody it is for; effects are relative to `base`."""
    mean = dict.fromkeys(BY_EFFECT, 0.0)
    for chance, effects in outcomes(rungs, kind):
        found = probabilities(tier, bucket, kind, {cause: effects[cause] / base[cause] for cause in BY_EFFECT})
        for cause in BY_EFFECT:
            mean[cause] += chance * found[cause]
    return mean


def solved_base(tier: Plain, bucket: int, kind: int, rungs: list[Plain]) -> dict[str, float]:
    """N of the observed strategy's rungs: so that the mean probabilities are the set's own (P5)."""
    own = probabilities(tier, bucket, kind, dict.fromkeys(BY_EFFECT, 1.0))
    means = {cause: sum(chance * effects[cause] for chance, effects in outcomes(rungs, kind)) for cause in BY_EFFECT}

    def improved(base: dict[str, float]) -> dict[str, float]:
        found = mean_probabilities(tier, bucket, kind, rungs, base)
        return {cause: base[cause] * (found[cause] / own[cause] if own[cause] else 1.0) for cause in BY_EFFECT}

    return repeated(means, improved)


def solved_effects(tier: Plain, bucket: int, kind: int, rungs: list[Plain], base: dict[str, float]) -> dict[str, float]:
    """The multipliers that alone give the mean probabilities of a strategy's rungs (P13)."""
    wanted = mean_probabilities(tier, bucket, kind, rungs, base)

    def improved(effects: dict[str, float]) -> dict[str, float]:
        found = probabilities(tier, bucket, kind, effects)
        return {cause: effects[cause] * (wanted[cause] / found[cause] if found[cause] else 1.0) for cause in BY_EFFECT}

    return repeated({cause: 1.0 / base[cause] for cause in BY_EFFECT}, improved)


def repeated(values: dict[str, float], improved: Callable[[dict[str, float]], dict[str, float]]) -> dict[str, float]:
    """Where improvement ends."""
    for _ in range(10_000):
        before, values = values, improved(values)
        if all(math.isclose(values[cause], before[cause], rel_tol=1e-15) for cause in values):
            return values
    message = "values that go on changing"
    raise ArithmeticError(message)


def base_of(life: Life) -> dict[str, float]:
    """N of the loan's tier, bucket and type: what the strategy did under which the figures were observed (P5)."""
    observed = life.contract["observed"]
    rungs = [rung for rung in observed["ladder"] if for_days(rung, life.state, life.world)] if observed else []

    def solve() -> dict[str, float]:
        base = solved_base(life.contract["tier"], life.state, life.type, rungs)
        return {**base, **{cause: mean_of_action(rungs, cause, 1.0) for cause in BY_ACTION}}

    return once_solved(life, ("base",), solve)


def usual_treatment(life: Life) -> Plain:
    """The strategy's mean in the loan's bucket, where no close came before or none counts (P13)."""
    strategy = life.world["strategy"]
    if strategy is None:
        return UNCHANGED
    base = base_of(life)
    rungs = [rung for rung in strategy["ladder"] if is_usual(rung, life) and for_days(rung, life.state, life.world)]

    def solve() -> dict[str, float]:
        effects = solved_effects(life.contract["tier"], life.state, life.type, rungs, base)
        return {**effects, **{cause: mean_of_action(rungs, cause, 0.0) / base[cause] for cause in BY_ACTION}}

    return {**UNTREATED, **once_solved(life, ("usual", *map(label, rungs)), solve)}


def once_solved(life: Life, what: tuple[str, ...], solve: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Factors by tier, bucket and type, solved when they are first asked for."""
    known = life.world.setdefault("factors", {})
    place = what, life.contract["tier"]["name"], life.state, life.type
    if place not in known:
        known[place] = solve()
    return dict(known[place])


# --- effects (P4), (P6), (P7) ------------------------------------------------------------------------------------


def treatment_after(life: Life, reached: list[Told]) -> Plain:
    """What the rungs that reached the borrower do in the next month (P4), (P7)."""
    found = dict.fromkeys(BY_EFFECT, 1.0)
    for cause in BY_EFFECT:
        for told in reached:
            found[cause] *= by_kind(told.rung["backfire" if told.backfired else "effect"][cause], life.type)
    granted = [told.rung["granted"] for told in reached if told.rung["action"] == "extension"]
    found["extension"] = math.prod(granted) if granted else 0.0
    base = base_of(life)
    return {
        **{cause: found[cause] / base[cause] for cause in found},
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
