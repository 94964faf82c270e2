"""What the fields of a collection strategy must be to each other: pools that exist, rungs that can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scenarios.checks import Problem
from scenarios.explain import nearest
from scenarios.ladder import (
    HISTORY,
    LAST_DAY,
    Rung,
    care_rungs,
    days_of,
    exclude,
    label_of,
    loans_of,
    mapping,
    monthly_contacts,
    named,
    number,
    pairs,
    percent_reached,
    required_by,
    rungs_of,
    who_of,
)
from scenarios.ladder_units import figure_problems
from scenarios.yaml_text import KeyPath

_CAPACITIES: Final = ("hours_per_month", "hours_per_1000_loans", "hours_per_100_in_arrears", "unlimited")
_AMOUNTS: Final = ("cost_per_hour", "cost_per_contact", "cost_per_tracker", "from_balance", "to_balance")
_AFTER_CHARGE_OFF: Final = ("write_off", "litigation", "debt_sale")
"""Actions that matter although the loan is charged off in the month after."""


def ladder_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that a strategy's fields contradict each other in."""
    yield from _pool_problems(data)
    yield from _name_problems(data)
    yield from _reach_problems(data)
    yield from _overlap_problems(data)
    yield from figure_problems(data)
    yield from _incident_problems(data)
    yield from _currency_problems(data)


# --- pools ----------------------------------------------------------------------------------------


def _pool_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A pool with no capacity or two, one that does not exist or that nobody uses, and work that takes no time."""
    pools = mapping(data, "pools")
    used = [rung.get("pool") for _, rung in (*rungs_of(data), *care_rungs(data))]  # of any type, so no set
    unreadable = any(pool is not None and not isinstance(pool, str) for pool in used)  # whichever pool was meant
    for name, pool in pools.items():
        if isinstance(pool, Mapping):
            yield from _capacity_problems(str(name), pool)
        if name not in used and not unreadable:
            remedy = (
                "Write `pool:` in the rung whose work it does, or take the pool out: its hours are paid for nothing."
            )
            yield Problem(("pools", name), f"pools.{name} does no rung's work", "a rung that names it", remedy)
    for section, rungs in (("ladder", rungs_of(data)), ("while_current", care_rungs(data))):
        for place, rung in rungs:
            yield from _work_problems((section, place), rung, pools)


def _capacity_problems(name: str, pool: Mapping[str, Any]) -> Iterator[Problem]:
    stated = [key for key in _CAPACITIES if pool.get(key) is not None and pool.get(key) is not False]
    if not stated:
        remedy = "Write hours for the whole book, or for each 1,000 of its opening loans."
        expected = " or ".join((*_CAPACITIES[:3], "unlimited: true"))
        yield Problem(("pools", name), f"pools.{name} has no capacity", expected, remedy)
    if len(stated) > 1:
        found = f"pools.{name} has two capacities"
        yield Problem(("pools", name, stated[1]), found, f"one of {' and '.join(stated)}", "Take one out.")
    if pool.get("unlimited") is True and pool.get("hiring") is not None:
        found = f"pools.{name} is unlimited and hires"
        yield Problem(("pools", name, "hiring"), found, "hours that can grow", "Take `hiring` out.")


def _work_problems(here: tuple[str, int], rung: Rung, pools: Mapping[str, Any]) -> Iterator[Problem]:
    pool, hours, label = rung.get("pool"), number(rung.get("hours_per_contact")), label_of(rung)
    if isinstance(pool, str) and pool not in pools:
        expected = f"one of {', '.join(map(str, pools))}" if pools else "a pool below `pools:`; there is none"
        found = f"{here[0]}[{here[1]}].pool = {pool}, a pool that does not exist"
        yield Problem((*here, "pool"), found, expected, nearest(pool, map(str, pools)))
    if pool is not None and rung.get("hours_per_contact") is None:
        found = f"rung {label} takes no hours of pool {pool}"
        remedy = "Write 0.25 for a quarter of an hour."
        yield Problem((*here, "pool"), found, "`hours_per_contact:` beside `pool:`", remedy)
    if pool is None and rung.get("hours_per_contact") is not None:
        found = f"rung {label} takes hours of no pool"
        yield Problem((*here, "hours_per_contact"), found, "`pool:` beside it", "Name the pool, or take the hours out.")
    if rung.get("contacts_per_month") is not None and rung.get("contacts_per_week") is not None:
        found = f"rung {label} has two numbers of contacts"
        remedy = "Take one out; a month has 52/12 weeks."
        yield Problem((*here, "contacts_per_week"), found, "contacts_per_month or contacts_per_week", remedy)
        return
    available = _most_hours(mapping(pools, pool)) if isinstance(pool, str) else None
    asked = None if hours is None else hours * monthly_contacts(rung)
    if available is not None and asked is not None and asked > available:
        found = f"rung {label} is never carried out: one loan asks {asked:g} hours a month of pool {pool}"
        remedy = "Write fewer hours or contacts, or give the pool more."
        yield Problem((*here, "hours_per_contact"), found, f"at most the {available:g} that it can have", remedy)


def _most_hours(pool: Mapping[str, Any]) -> float | None:
    """Hours that a pool for the whole book can grow to; None where they depend on the book or have no end."""
    hours, most = number(pool.get("hours_per_month")), number(mapping(pool, "hiring").get("most_percent"))
    if hours is None or hours <= 0.0:  # its own fault
        return None
    return hours * (100.0 if most is None else most) / 100.0


# --- names ----------------------------------------------------------------------------------------


def _name_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Two rungs of one name, and rungs named in `after` and `unless` that are not there or come too late."""
    labels = [label_of(rung) for _, rung in rungs_of(data)]
    for item, (place, rung) in enumerate(rungs_of(data)):
        label = labels[item]
        if label in labels[:item]:
            path: KeyPath = ("ladder", place, "name" if rung.get("name") else "action")
            remedy = "Give one of them a `name:` of its own."
            yield Problem(path, f"rung {label} for the second time", "names that differ", remedy)
        for key in ("after", "unless"):
            for position, other in enumerate(named(rung, key)):
                path = ("ladder", place, "who", key, position)
                if other not in labels:
                    found = f"{key}: {other}, which is no rung"
                    yield Problem(path, found, f"one of {', '.join(labels)}", nearest(other, labels))
                elif key == "after" and labels.index(other) >= item:
                    below = "itself" if other == label else f"rung {other}, which stands below it"
                    remedy = "Move the rung down: a ladder is climbed from its first rung to its last."
                    yield Problem(path, f"rung {label} comes after {below}", "an earlier rung", remedy)


# --- rungs that nobody reaches --------------------------------------------------------------------


def _reach_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Rungs that nobody can ever reach."""
    rungs = rungs_of(data)
    written_off = _written_off(rungs)
    for place, rung in rungs:
        here: KeyPath = ("ladder", place, "who")
        yield from _range_problems(here, rung)
        first = days_of(rung)[0]
        if first >= written_off and rung.get("action") not in _AFTER_CHARGE_OFF:
            found = f"rung {label_of(rung)} does nothing: all loans are written off from day {written_off} on"
            remedy = "Let it begin earlier, or the `write_off` later."
            yield Problem((*here, "from_days"), found, f"days before {written_off}", remedy)
        yield from _knowledge_problems(here, rung, [other for _, other in rungs])
        yield from _after_problems(here, rung, [other for _, other in rungs])
        if rung.get("action") == "starter_interrupt" and who_of(rung).get("starter_interrupt") is not True:
            found = f"rung {label_of(rung)} blocks starters of cars without the device too"
            yield Problem(here, found, "`who: {starter_interrupt: true}`", "Add it to the rung's `who`.")


def _written_off(rungs: list[tuple[int, Rung]]) -> int:
    """First day past due from which every loan is written off; the day after the last where none is for certain."""
    first = LAST_DAY + 1
    for _, rung in rungs:
        who = who_of(rung)
        narrow = [key for key in who if key not in ("from_days", "to_days") and who[key] not in (None, [], (), 0)]
        certain = rung.get("pool") is None and percent_reached(rung) == 100.0
        if rung.get("action") == "write_off" and not narrow and certain and days_of(rung)[1] == LAST_DAY:
            first = min(first, days_of(rung)[0])
    return first


def _range_problems(here: KeyPath, rung: Rung) -> Iterator[Problem]:
    who, (first, last), label = who_of(rung), days_of(rung), label_of(rung)
    if last < first:
        found = f"rung {label}: to_days = {last}, which comes before from_days = {first}"
        yield Problem((*here, "to_days"), found, f"at least {first}", "Swap them.")
    for low, high in (("from_balance", "to_balance"), ("from_ltv_percent", "to_ltv_percent")):
        least, most = number(who.get(low)), number(who.get(high))
        if least is not None and most is not None and most < least:
            found = f"rung {label}: {high} = {most:g}, which is below {low} = {least:g}"
            yield Problem((*here, high), found, f"at least {least:g}", "Swap them.")


def _knowledge_problems(here: KeyPath, rung: Rung, rungs: list[Rung]) -> Iterator[Problem]:
    """A rung that waits for types that nobody reveals, or for promises that nobody has asked for."""
    types, label, last = who_of(rung).get("revealed"), label_of(rung), days_of(rung)[1]
    if isinstance(types, list | tuple) and types and "unknown" not in types:
        visits = [other for other in rungs if _reveals(other)]
        if not visits:
            found = f"rung {label} waits for types that nobody reveals"
            remedy = "Add a `visit` before it, or `unknown` to the list."
            yield Problem((*here, "revealed"), found, "a visit that reveals types", remedy)
        elif min(days_of(other)[0] for other in visits) > last:
            first = min(days_of(other)[0] for other in visits)
            found = f"rung {label} ends on day {last}, before the first visit reveals a type (day {first})"
            yield Problem((*here, "revealed"), found, "a visit that begins earlier", f"Let it run to day {first}.")
    promises = number(who_of(rung).get("broken_promises"))
    asked = [other for other in rungs if not who_of(other).get("broken_promises") and percent_reached(other) > 0.0]
    if promises and not asked:
        found = f"rung {label} waits for broken promises, and no rung reaches a borrower without them"
        remedy = "Add a rung before it, or take `broken_promises` out."
        yield Problem((*here, "broken_promises"), found, "a rung that reaches borrowers first", remedy)


def _reveals(rung: Rung) -> bool:
    """Whether a rung tells types that were unknown."""
    types = who_of(rung).get("revealed")
    unknown = not isinstance(types, list | tuple) or not types or "unknown" in types
    return rung.get("action") == "visit" and rung.get("reveals", True) is True and unknown and percent_reached(rung) > 0


def _after_problems(here: KeyPath, rung: Rung, rungs: list[Rung]) -> Iterator[Problem]:
    """Rungs after others that begin later, that exclude them, or that are for other loans."""
    by_label = {label_of(other): other for other in rungs}
    label, last = label_of(rung), days_of(rung)[1]
    before = required_by(rungs).get(label, frozenset())
    for other in named(rung, "after"):
        if other in by_label and days_of(by_label[other])[0] > last:
            start = days_of(by_label[other])[0]
            found = f"rung {label} ends on day {last}, and rung {other}, after which it comes, begins on day {start}"
            remedy = f"Let it run to day {start} or later."
            yield Problem((*here, "after"), found, "a rung that begins earlier", remedy)
    for other in sorted(before & set(named(rung, "unless"))):
        found = f"rung {label} is never reached: it comes after rung {other} and is barred by it"
        yield Problem((*here, "unless"), found, "a rung that need not come before", "Take one of the two out.")
    fixed = {"tracker", "starter_interrupt", "regions", "tiers"}
    for other in sorted(before & by_label.keys() - {label}):
        one, two = ({key: who_of(each).get(key) for key in fixed} for each in (rung, by_label[other]))
        if loans_of({"who": one}).meet(loans_of({"who": two}), days=False) is None:
            found = f"rung {label} is never reached: rung {other}, after which it comes, is for other loans"
            remedy = "Compare their tracker, starter_interrupt, regions and tiers."
            yield Problem((*here, "after"), found, "a rung for the same loans", remedy)


# --- rungs that serve the same loans --------------------------------------------------------------


def _overlap_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Two rungs of one action that serve the same loans in the same month, without a word on what came before."""
    rungs = rungs_of(data)
    required = required_by([rung for _, rung in rungs])
    for place, other, rung in pairs(rungs):
        if rung.get("action") != other.get("action") or rung.get("action") is None:
            continue
        both = loans_of(rung).meet(loans_of(other))
        if both is None or exclude(rung, other, required) or _laid_on_top(rung, other):
            continue
        found = (
            f"rungs {label_of(other)} and {label_of(rung)} overlap: both are for days {both.days[0]} to "
            f"{both.days[1]} past due"
        )
        remedy = "End one before the other begins, or tell their loans apart by another condition."
        yield Problem(("ladder", place, "who"), found, "each loan on one rung of an action", remedy)


def _laid_on_top(rung: Rung, other: Rung) -> bool:
    """Whether one of two rungs asks for another history of the spell: then it is meant to come on top."""
    keys = ((who_of(rung).get(key) or (), who_of(other).get(key) or ()) for key in HISTORY)
    return any(one != two for one, two in keys)


# --- conduct, amounts -----------------------------------------------------------------------------


def _incident_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Limits that cannot fail, and a suspension that closes nothing."""
    incidents, rungs = mapping(data, "incidents"), rungs_of(data)
    rates = {key for _, rung in rungs for key, rate in mapping(rung, "incidents").items() if number(rate)}
    limits = incidents.get("limits")
    for item, limit in enumerate(limits if isinstance(limits, list | tuple) else []):
        kind = limit.get("kind") if isinstance(limit, Mapping) else None
        if isinstance(kind, str) and kind not in rates:
            found = f"a limit on incidents of kind {kind}, at whose rate no rung has a figure"
            remedy = f"Write `incidents: {{{kind}: ...}}` in the rungs that cause them, or take the limit out."
            yield Problem(("incidents", "limits", item, "kind"), found, "a limit that can fail", remedy)
    if not number(incidents.get("suspension_months")):
        return
    pools = mapping(data, "pools")
    field = [name for name in pools if mapping(pools, name).get("field") is True]
    if not field:
        found = "incidents.suspension_months closes no pool"
        expected = "a pool with `field: true`"
        remedy = "Mark the pools of visitors and trucks, or take the suspension out."
        yield Problem(("incidents", "suspension_months"), found, expected, remedy)
    for place, rung in rungs if field else ():
        pool = rung.get("pool")
        if rung.get("action") in ("visit", "repossession") and pool in list(pools) and pool not in field:
            found = f"rung {label_of(rung)} goes on while field work is suspended: pool {pool} is no field pool"
            remedy = f"Write `field: true` in pools.{pool}."
            yield Problem(("ladder", place, "pool"), found, "a pool with `field: true`", remedy)


def _currency_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Amounts without a currency."""
    if data.get("currency") is not None:
        return
    for path, value in _amounts(data, ()):
        if isinstance(value, int | float) and value > 0:
            remedy = "Write `currency: USD`, or that of the tape."
            found = "an amount in a strategy without currency"
            yield Problem(path, found, "`currency:` at the head of the file", remedy)
            return


def _amounts(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in _AMOUNTS or path[-1:] == ("cost",):
                yield (*path, key), value
            else:
                yield from _amounts(value, (*path, key))
    elif isinstance(data, list | tuple):
        for place, value in enumerate(data):
            yield from _amounts(value, (*path, place))
