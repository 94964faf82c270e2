"""A collection strategy as a reader sees it: one line a rung."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from scenarios.care import AnyCare, Averted, CheckIn, WatchList, Whose
from scenarios.ladder import LAST_DAY
from scenarios.rungs import (
    Accepted,
    AnyRung,
    DebtSale,
    Effect,
    Extension,
    Interrupt,
    Litigation,
    Outsourcing,
    PhoneCall,
    Plan,
    Repossession,
    Surrender,
    Visit,
    Who,
)
from scenarios.strategy import CollectionStrategy
from scenarios.treatment import ByType, Factor
from scenarios.vocabulary import REFERENCE_STRATEGY, TYPES

REFERENCE_MEANING: Final = (
    f"{REFERENCE_STRATEGY} needs no file: loans in arrears are worked as those were that the parameters come from, so "
    "the published cures, rolls, seizures and recoveries stand as they are, nobody waits, and no cost of collection is "
    "booked. reference_us and reference_cn write down as ladders what that work is taken to have been."
)


def ladder_rows(strategy: CollectionStrategy) -> list[dict[str, str]]:
    """One row a rung, in the ladder's order; empty where nobody does anything.

    Parameters
    ----------
    strategy : CollectionStrategy
        A sound strategy.

    Returns
    -------
    list of dict of str to str
        Columns `rung`, `action`, `days`, `who`, `pool`, `contacts`, `cost` (of a contact, currency), `reach` and
        `effects` (factors on monthly intensities, and what the action alone has).  Rungs for loans without arrears
        come first: they are met first.
    """
    early = [
        _row(rung, "none", _whose(rung.who), f"{rung.contacts_per_month:g} a month", _averted(rung))
        for rung in strategy.while_current
    ]
    late = [
        _row(rung, _days(rung.who), _who(rung), _contacts(rung), [*_factors(rung.effect), *_own(rung)])
        for rung in strategy.ladder
    ]
    return early + late


def _row(
    rung: AnyRung | AnyCare, days: str, who: Iterable[str], contacts: str, effects: Iterable[str]
) -> dict[str, str]:
    """What all rungs show alike, and what they show each in their own way."""
    return {
        "rung": rung.label,
        "action": rung.action_name,
        "days": days,
        "who": ", ".join(who) or "all",
        "pool": f"{rung.pool}, {rung.hours_per_contact:g} h" if rung.pool else "none",
        "contacts": contacts,
        "cost": f"{rung.cost_per_contact:g}",
        "reach": f"{rung.reach_percent:g} %",
        "effects": "; ".join(effects) or "none",
    }


def watch_list_words(watch: WatchList | None) -> str:
    """Who is on a watch list, in a sentence; empty where there is none."""
    if watch is None:
        return ""
    found = []
    if watch.from_hazard_percent is not None:
        found.append(f"a predicted chance of {watch.from_hazard_percent:g} % or more to fall behind within the month")
    if watch.from_ltv_percent is not None:
        found.append(f"a loan-to-value of {watch.from_ltv_percent:g} % or more")
    if watch.alerts is not None:
        hits, right = watch.alerts.hits_percent, watch.alerts.right_percent
        found.append(f"an alert of the tracker (heard before {hits:g} % of entries, {right:g} % of them right)")
    known = f"macro variables known after {watch.macro_lag_months} months"
    return f"Watched: loans without arrears with {' or '.join(found)}; {known}."


def _whose(who: Whose) -> Iterator[str]:
    """Conditions of a rung for loans without arrears, in words."""
    if who.watched is not None:
        yield "watched" if who.watched else "not watched"
    yield from _features(who)


def _features(who: Who | Whose) -> Iterator[str]:
    """What a loan has and where it is, in words."""
    for name, wanted in (("tracker", who.tracker), ("starter interrupt", who.starter_interrupt)):
        if wanted is not None:
            yield name if wanted else f"no {name}"
    for names in (who.regions, who.tiers):
        if names:
            yield " or ".join(names)


def _averted(rung: AnyCare) -> Iterator[str]:
    """What a rung for loans without arrears does."""
    averted = rung.averted_percent
    shares = (
        "/".join(f"{getattr(averted, name):g}" for name in TYPES) if isinstance(averted, Averted) else f"{averted:g}"
    )
    if averted != 0.0:
        yield f"averts {shares} % of entries"
    if isinstance(rung, CheckIn):
        yield f"{rung.between[0]} to {rung.between[1]}"


def _days(who: Who) -> str:
    """Days past due that a rung is for."""
    if who.to_days == LAST_DAY:
        return f"from {who.from_days}"
    return f"{who.from_days} to {who.to_days}"


def _who(rung: AnyRung) -> Iterator[str]:
    """Conditions beside the days, in words."""
    who = rung.who
    ranges = (
        ("balance", who.from_balance, who.to_balance, ""),
        ("LTV", who.from_ltv_percent, who.to_ltv_percent, " %"),
    )
    for name, least, most, unit in ranges:
        if least is not None:
            yield f"{name} from {least:g}{unit}"
        if most is not None:
            yield f"{name} to {most:g}{unit}"
    yield from _features(who)
    if who.revealed:
        yield f"known as {' or '.join(who.revealed)}"
    if who.after:
        yield f"after {' and '.join(who.after)}"
    if who.unless:
        yield f"unless {' or '.join(who.unless)}"
    if who.broken_promises:
        yield f"{who.broken_promises} broken promises"
    if rung.once:
        yield "once"


def _contacts(rung: AnyRung) -> str:
    if rung.contacts_per_week is not None:
        return f"{rung.contacts_per_week:g} a week"
    return f"{1.0 if rung.contacts_per_month is None else rung.contacts_per_month:g} a month"


def _factor(factor: Factor) -> str:
    """A factor, by type where types differ."""
    if not isinstance(factor, ByType):
        return f"x{factor:g}"
    return "x" + "/".join(f"{getattr(factor, name):g}" for name in TYPES)


def _factors(effect: Effect) -> Iterator[str]:
    for name in type(effect).model_fields:
        factor: Factor = getattr(effect, name)
        if factor != 1.0:
            yield f"{name.replace('_', '-')} {_factor(factor)}"


def _accepted(accepted: Accepted) -> str:
    return f"accepted by {'/'.join(f'{getattr(accepted, name):g}' for name in TYPES)} %"


def _own(rung: AnyRung) -> Iterator[str]:
    """What a rung's action alone has."""
    if isinstance(rung, PhoneCall | Visit):
        yield f"{rung.between[0]} to {rung.between[1]}"
    if isinstance(rung, Visit):
        yield from _visit(rung)
    if isinstance(rung, Plan | Surrender):
        yield _accepted(rung.accepted_percent)
    if isinstance(rung, Extension):
        yield f"granted x{rung.granted:g}"
    if isinstance(rung, Repossession):
        yield f"seized x{rung.seized:g}"
    if isinstance(rung, Interrupt | Repossession) and rung.notice_days:
        yield f"{rung.notice_days} days' notice"
    if isinstance(rung, Litigation):
        yield f"{rung.won_percent:g} % won, {rung.enforced_percent:g} % enforced after {rung.judgment_months} months"
        yield f"cost {rung.cost_percent:g} % of the claim"
    if isinstance(rung, Outsourcing):
        yield f"commission {rung.commission_percent:g} %"
    if isinstance(rung, DebtSale):
        yield f"price {rung.price_percent:g} %"


def _visit(rung: Visit) -> Iterator[str]:
    yield f"{rung.staff} together"
    if rung.reveals:
        yield "reveals the type"
    if rung.finds_car != 1.0:
        yield f"car found x{rung.finds_car:g}"
    if rung.backfire_percent:
        yield f"{rung.backfire_percent:g} % backfire ({', '.join(_factors(rung.backfire))})"
