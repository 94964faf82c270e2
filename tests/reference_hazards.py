"""The reference's month of one borrower: what moves a loan, and which way (see `reference`).

Numbers in brackets are the equations of docs/methodology.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reference_loan import TYPE_ORDER, at_age, stretch
from reference_market import NORMAL, Plain, event_uniform, monthly_uniform
from reference_strategy import by_kind, reach, return_factor
from scenarios.vocabulary import (
    CHARGED_OFF,
    EXTENDED,
    FORGETFUL,
    HARDSHIP,
    HISTORY_MONTHS,
    PREPAID,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_PLAN,
    PURPOSE_PREPAY,
    PURPOSE_SPELL,
    PURPOSE_TOTAL_LOSS,
    PURPOSE_TYPE,
    STRATEGIC,
    TOTAL_LOSS,
)

if TYPE_CHECKING:
    from reference import Life

# --- macro variables (3) -----------------------------------------------------------------------------------------


def above_reference(contract: Plain, variable: str, month: int, world: Plain) -> float:
    """A macro variable of the loan's region and sector, less the level at which the parameters were observed."""
    macro = world["macro"]
    level = macro["levels"][month][variable]
    for offsets, kind in (("region_offsets", "region"), ("sector_offsets", "sector")):
        level += macro[offsets].get(contract[kind], {}).get(variable, 0.0)
    return level - contract["tier"]["reference"][variable]


def multiplier(contract: Plain, cause: str, month: int, world: Plain) -> float:
    """exp(m'gamma) of a class of causes."""
    effects = contract["tier"]["sensitivity"][cause]
    return math.exp(sum(effects[name] * above_reference(contract, name, month, world) for name in effects))


# --- a loan without arrears (2), (3), (4) ------------------------------------------------------------------------


def event_of_current(life: Life, month: int) -> int:
    """One uniform: lowest part entry (lowest of it charge-off), highest part payoff (lowest of it total loss)."""
    row, tier = life.contract["tier"]["rows"][0], life.contract["tier"]
    worse = entry_intensity(life, month)
    payoff = max(row.get("prepay", 0.0) - tier["total_loss"], 0.0)
    payoff *= multiplier(life.contract, "prepay", month, life.world)
    payoff += tier["total_loss"]
    total = worse + payoff
    if total == 0.0:
        return 0
    moves = 1.0 - math.exp(-total)
    u = monthly_uniform(life.contract["entity"], life.path, month, life.world["seed"])
    if u < moves * worse / total:
        direct = row.get("charge_off", 0.0) / (row.get("charge_off", 0.0) + row.get(1, 0.0))
        return CHARGED_OFF if u < direct * moves * worse / total else 1
    above = u - (1.0 - moves * payoff / total)
    if not above > 0.0:
        return 0
    return TOTAL_LOSS if above < moves * tier["total_loss"] / total else PREPAID


def entry_intensity(life: Life, month: int) -> float:
    """Intensity of leaving current for arrears or charge-off (3), (3a), (3b), (3f), (4)."""
    contract, parameters, market = life.contract, life.world["parameters"], life.market
    tier = contract["tier"]
    base = entry_at_mean(contract, month, life.world)
    names = ("global", f"region:{contract['region']}", f"sector:{contract['sector']}")
    y = sum(
        math.sqrt(share) * market["factor"][name][month]
        for share, name in zip(parameters["shares"], names, strict=True)
    )
    if parameters["response"] == "lognormal":
        cell = base * math.exp(tier["sigma"] * y - tier["sigma"] ** 2 / 2.0)
    elif base > 0.0:
        threshold = NORMAL.inv_cdf(1.0 - math.exp(-base))
        x = (threshold + math.sqrt(tier["rho"]) * y) / math.sqrt(1.0 - tier["rho"])
        cell = -math.log(0.5 * math.erfc(x / math.sqrt(2.0)))
    else:
        cell = 0.0
    own = contract["risk"] * at_age(tier["seasoning"], contract["age"] + month)
    own *= after_return(life, month) * equity_multiplier(life, month) / tier["equity_mean"]
    return cell * own / without_care(life)


def entry_at_mean(contract: Plain, month: int, world: Plain) -> float:
    """Intensity of leaving current of a tier's loans at a month's macro variables, g = 1 (3)."""
    base = sum(rate for target, rate in contract["tier"]["rows"][0].items() if target != "prepay")
    return base * multiplier(contract, "enter", month, world)


def without_care(life: Life) -> float:
    """Share of entries that the observed strategy's rungs for loans without arrears left (P16)."""
    strategy, observed = life.world["strategy"], life.contract["observed"]
    care = observed["while_current"] if strategy and observed else ()
    return math.prod(1.0 - reach(rung) * by_kind(rung["averted_percent"], FORGETFUL) / 100.0 for rung in care)


def after_return(life: Life, month: int) -> float:
    """Multiplier of a loan that was in arrears before, by its months without arrears at the month's opening (3f)."""
    if life.mark is None:
        return 1.0
    since, kind = life.mark
    return life.contract["tier"]["history_multiplier"][kind][min(month - 1 - since, HISTORY_MONTHS)]


def equity_multiplier(life: Life, month: int) -> float:
    """Multiplier of negative equity before its division by the baseline's mean (4)."""
    tier, value = life.contract["tier"], life.car_value(month)
    if tier["equity_slope"] == 0.0:
        return 1.0
    ltv = life.owed / value if value > 0.0 else math.inf
    return min(1.0 + tier["equity_slope"] * max(0.0, ltv - tier["equity_threshold"]), tier["equity_cap"])


def type_at_entry(life: Life, month: int) -> int:
    """Type of a borrower who falls into arrears (3g)."""
    tier = life.contract["tier"]
    u = event_uniform(life.contract["entity"], life.path, month, PURPOSE_TYPE, life.world["seed"])
    raw = equity_multiplier(life, month)
    equity = (raw - 1.0) / raw
    if u < equity:
        return STRATEGIC
    weights = list(tier["type_share"])
    unemployment = above_reference(life.contract, "unemployment", month, life.world)
    weights[HARDSHIP] *= math.exp(tier["hardship_per_point"] * unemployment)
    lengths = [weights[kind] / sum(weights) for kind in TYPE_ORDER]
    return TYPE_ORDER[stretch((u - equity) / (1.0 - equity), lengths)]


# --- a loan in arrears (2), (3h), (3j) ---------------------------------------------------------------------------


def event_in_arrears(life: Life, month: int) -> int:
    """The cause with the shortest waiting time, if that is less than a month; a write-off leaves no choice (P7)."""
    contract, bucket, treatment = life.contract, life.state, life.treatment
    if treatment["write_off"]:
        return CHARGED_OFF
    tier = contract["tier"]
    address = contract["entity"], life.path, month
    waiting: dict[int, float] = {}

    def compete(event: int, purpose: int, intensity: float) -> None:
        if intensity > 0.0:
            waiting[event] = -math.log(event_uniform(*address, purpose, life.world["seed"])) / intensity

    for target, rate in tier["rows"][bucket].items():
        if target == "prepay":
            payoff = max(rate - tier["total_loss"], 0.0) * multiplier(contract, "prepay", month, life.world)
            compete(PREPAID, PURPOSE_PREPAY, payoff)
        elif target == "charge_off":
            compete(
                CHARGED_OFF, PURPOSE_CHARGE_OFF, rate * by_type(life, "charge_off", month) * treatment["charge_off"]
            )
        else:
            cause = "cure" if target < bucket else "roll"
            effect = return_factor(life, month) if target == 0 else treatment[cause]
            compete(target, PURPOSE_BUCKET + target, rate * by_type(life, cause, month) * effect)
    compete(TOTAL_LOSS, PURPOSE_TOTAL_LOSS, tier["total_loss"])
    if treatment["plan"] > 0.0 and month < life.term:
        certain = treatment["plan"] == 1.0
        compete(EXTENDED, PURPOSE_PLAN, math.inf if certain else -math.log1p(-treatment["plan"]))
    first = min(waiting, key=waiting.__getitem__, default=bucket)
    return first if waiting.get(first, 1.0) < 1.0 else bucket


def by_type(life: Life, cause: str, month: int) -> float:
    """Macro and type multipliers of a class of causes (3h)."""
    multipliers = life.contract["tier"]["type_multiplier"][life.type][cause]
    return multiplier(life.contract, cause, month, life.world) * multipliers


def type_after_spell(life: Life, month: int) -> int:
    """Hardship may end at the opening of a month: the borrower is able again (3h)."""
    if life.type != HARDSHIP:
        return life.type
    u = event_uniform(life.contract["entity"], life.path, month, PURPOSE_SPELL, life.world["seed"])
    ends = u < 1.0 - math.exp(-life.contract["tier"]["spell_end"])
    return FORGETFUL if ends else HARDSHIP
