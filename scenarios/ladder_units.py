"""Figures of a ladder in the wrong unit, and figures that change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scenarios.checks import Problem
from scenarios.ladder import Rung, days_of, label_of, mapping, number, rungs_of, who_of
from scenarios.yaml_text import KeyPath

LEAST_PERCENT: Final = {
    "reach_percent": 1.0,
    "commission_percent": 1.0,
    "won_percent": 1.0,
    "enforced_percent": 1.0,
    "backfire_percent": 0.5,
    "cost_percent": 0.5,
    "price_percent": 0.25,
}
"""Least percentage above 0 that a rung's field means: below it stand fractions. A court may cost less than 1 % of a
large claim, and packs of old debts were sold for less than 1 %; nobody is paid a commission of a third of a percent."""

LEAST_ACCEPTED: Final = 1.0
"""Least of the largest of an offer's three shares, percent: one type may well accept an offer in less than 1 %."""

LEAST_LTV_PERCENT: Final = 5.0
"""A loan-to-value below it, 0 apart, is a fraction: 1.2 for 120 %."""

MOST_FACTOR: Final = 10.0
"""Largest factor on an intensity: a percentage stands above it. The largest effect that evidence makes of a contact,
34 points on a cure of 5 % in the month (Laudenbach, Pirschel and Siegel), is a factor of 9."""

_FACTORS: Final = ("cure", "roll", "charge_off")
_NEUTRAL: Final = (None, 1, 1.0)


def figure_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Fractions where percent is asked, percentages where factors are, hours that end before they begin."""
    for place, rung in rungs_of(data):
        here: KeyPath = ("ladder", place)
        yield from _percent_problems(here, rung)
        yield from _factor_problems(here, rung)
        yield from _backfire_problems(here, rung)
        yield from _notice_problems(here, rung)
        yield from clock_problems(rung.get("between"), (*here, "between"), f"rung {label_of(rung)}: between")
    for name in mapping(data, "pools"):
        hiring = mapping(mapping(mapping(data, "pools"), name), "hiring")
        yield from fraction_problems(hiring.get("step_percent"), ("pools", name, "hiring", "step_percent"), 0.5)
    limits = mapping(data, "incidents").get("limits")
    for item, limit in enumerate(limits if isinstance(limits, list | tuple) else []):
        if isinstance(limit, Mapping):
            path = ("incidents", "limits", item, "with_probability_percent")
            yield from fraction_problems(limit.get("with_probability_percent"), path, 1.0 + 1e-9)


def clock_problems(hours: Any, path: KeyPath, name: str) -> Iterator[Problem]:
    """Hours of the day that end before they begin; malformed ones are stepped over."""
    if not isinstance(hours, list | tuple) or len(hours) != 2 or not all(isinstance(hour, str) for hour in hours):
        return
    if hours[1] <= hours[0]:
        found = f"{name} = {hours[0]} to {hours[1]}, which ends before it begins"
        yield Problem(path, found, "two times of one day, the earlier first", 'Write ["09:00", "18:00"].')


def fraction_problems(value: Any, path: KeyPath, least: float) -> Iterator[Problem]:
    """A number above 0 and below the least percentage that the field can mean."""
    found = number(value)
    if found is not None and 0.0 < found < least:
        remedy = f"Shares are in percent: write {100 * found:g} for {100 * found:g} %."
        yield Problem(path, f"{path[-1]} = {found:g}, which looks like a fraction", f"0, or {least:g} and more", remedy)


def _percent_problems(here: KeyPath, rung: Rung) -> Iterator[Problem]:
    for key, least in LEAST_PERCENT.items():
        yield from fraction_problems(rung.get(key), (*here, key), least)
    for key in ("from_ltv_percent", "to_ltv_percent"):
        yield from fraction_problems(who_of(rung).get(key), (*here, "who", key), LEAST_LTV_PERCENT)
    shares = {key: number(value) or 0.0 for key, value in mapping(rung, "accepted_percent").items()}
    largest = max(shares, key=lambda key: shares[key], default="")
    if largest and 0.0 < shares[largest] < LEAST_ACCEPTED:
        share = shares[largest]
        found = f"accepted_percent.{largest} = {share:g}, the largest of the offer, which looks like a fraction"
        remedy = f"Shares are in percent: write {100 * share:g} for {100 * share:g} %."
        expected = f"a type of whom {LEAST_ACCEPTED:g} percent or more accept"
        yield Problem((*here, "accepted_percent", largest), found, expected, remedy)


def _factor_problems(here: KeyPath, rung: Rung) -> Iterator[Problem]:
    """Factors that are percentages."""
    for group in ("effect", "backfire"):
        for key, factor in mapping(rung, group).items():
            by_type = factor.items() if isinstance(factor, Mapping) else ()
            for name, value in by_type:
                yield from _large((*here, group, key, name), value)
            yield from _large((*here, group, key), factor)
    for key in ("seized", "granted"):
        yield from _large((*here, key), rung.get(key))


def _large(path: KeyPath, value: Any) -> Iterator[Problem]:
    found = number(value)
    if found is not None and found > MOST_FACTOR:
        told = f"{'.'.join(map(str, path[2:]))} = {found:g}, which looks like a percentage"
        remedy = f"It is a factor: write {1 + found / 100:g} for {found:g} % more."
        yield Problem(path, told, f"0 to {MOST_FACTOR:g}", remedy)


def _backfire_problems(here: KeyPath, rung: Rung) -> Iterator[Problem]:
    """A visit that backfires and does nothing, and what a visit would do that never backfires."""
    share, effect = number(rung.get("backfire_percent")) or 0.0, mapping(rung, "backfire")
    acts = any(_acts(effect.get(key)) for key in _FACTORS)
    if share > 0.0 and not acts:
        found = f"rung {label_of(rung)} backfires on {share:g} percent, and `backfire` changes nothing"
        remedy = "Write what it does, as `backfire: {cure: 0.7}`."
        yield Problem((*here, "backfire_percent"), found, "`backfire:` beside it", remedy)
    if acts and share == 0.0:
        found = f"rung {label_of(rung)} says what a backfire does, and none happens"
        yield Problem((*here, "backfire"), found, "`backfire_percent:` above 0", "Write how many, or take it out.")


def _acts(factor: Any) -> bool:
    """Whether a factor, one number or one a type, changes anything."""
    each = factor.values() if isinstance(factor, Mapping) else (factor,)
    return any(value not in _NEUTRAL for value in each)


def _notice_problems(here: KeyPath, rung: Rung) -> Iterator[Problem]:
    """A notice that is longer than the loan can have been in arrears."""
    notice, first = number(rung.get("notice_days")) or 0.0, days_of(rung)[0]
    if first < 1 + notice:
        found = f"rung {label_of(rung)} begins on day {first} past due, with {notice:g} days of notice before"
        remedy = "The notice is sent on the first day past due at the earliest: let the rung begin later."
        yield Problem((*here, "who", "from_days"), found, f"from_days of at least {1 + notice:g}", remedy)
