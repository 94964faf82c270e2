"""What rungs for loans without arrears and the watch list must be to each other; pools stand in `ladder_checks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from scenarios.checks import Problem
from scenarios.ladder import Rung, care_rungs, label_of, mapping, number, rungs_of, who_of
from scenarios.ladder_units import LEAST_LTV_PERCENT, clock_problems, fraction_problems
from scenarios.yaml_text import KeyPath

SECTION: Final = "while_current"
_CONDITIONS: Final = ("from_hazard_percent", "from_ltv_percent", "alerts")
_LEAST_AVERTED: Final = 1.0
"""Least of the largest share averted, percent: below it stand fractions."""


def care_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that the rungs for loans without arrears and the watch list contradict each other in."""
    yield from _list_problems(data)
    yield from _name_problems(data)
    yield from _overlap_problems(data)
    for place, rung in care_rungs(data):
        here: KeyPath = (SECTION, place)
        yield from _averted_problems(here, rung)
        yield from clock_problems(rung.get("between"), (*here, "between"), f"rung {label_of(rung)}: between")


def _list_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A watch list that nobody is on, that nobody looks at, or that is not there."""
    watch = data.get("watch_list")
    asking = [(place, rung) for place, rung in care_rungs(data) if who_of(rung).get("watched") is not None]
    if watch is None:
        for place, rung in asking:
            found = f"rung {label_of(rung)} asks who is on a watch list, and there is none"
            yield Problem(
                (SECTION, place, "who", "watched"), found, "`watch_list:`", "Write one, or take `watched` out."
            )
        return
    if not isinstance(watch, Mapping):
        return
    if not any(watch.get(key) is not None for key in _CONDITIONS):
        found = "watch_list has no condition, so that nobody is on it"
        remedy = "Write from_hazard_percent: 3 for who is predicted to fall behind with 3 % or more."
        yield Problem(("watch_list",), found, " or ".join(_CONDITIONS), remedy)
    if not asking:
        remedy = "Write `who: {watched: true}` in a rung of `while_current`, or take the list out."
        yield Problem(("watch_list",), "watch_list changes nothing", "a rung that asks who is on it", remedy)
    yield from fraction_problems(watch.get("from_ltv_percent"), ("watch_list", "from_ltv_percent"), LEAST_LTV_PERCENT)
    for key in ("hits_percent", "right_percent"):
        yield from fraction_problems(mapping(watch, "alerts").get(key), ("watch_list", "alerts", key), 1.0)


def _name_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Names that a rung of the ladder, or another of these, has."""
    seen = {label_of(rung) for _, rung in rungs_of(data)}
    for place, rung in care_rungs(data):
        label = label_of(rung)
        if label in seen:
            path: KeyPath = (SECTION, place, "name" if rung.get("name") else "action")
            yield Problem(path, f"rung {label} for the second time", "names that differ", "Give one of them another.")
        seen.add(label)


def _overlap_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Two rungs of one action that are for the same loans: they would share their draws."""
    for (_, one), (place, other) in combinations(care_rungs(data), 2):
        if one.get("action") != other.get("action") or _apart(who_of(one), who_of(other)):
            continue
        found = f"rungs {label_of(one)} and {label_of(other)} overlap: both are for the same loans"
        remedy = "Tell their loans apart by watched, tracker, starter_interrupt, regions or tiers."
        yield Problem((SECTION, place, "who"), found, "each loan on one rung of an action", remedy)


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether no loan meets both conditions."""
    for key in ("watched", "tracker", "starter_interrupt"):
        if None not in (one.get(key), other.get(key)) and one.get(key) != other.get(key):
            return True
    names = [(one.get(key), other.get(key)) for key in ("regions", "tiers")]
    return any(
        isinstance(left, list | tuple) and isinstance(right, list | tuple) and not any(name in right for name in left)
        for left, right in names
    )


def _averted_problems(here: KeyPath, rung: Rung) -> Iterator[Problem]:
    """Fractions where percent is asked."""
    yield from fraction_problems(rung.get("reach_percent"), (*here, "reach_percent"), 1.0)
    averted = rung.get("averted_percent")
    shares = averted.values() if isinstance(averted, Mapping) else (averted,)
    largest = max((number(share) or 0.0 for share in shares), default=0.0)
    yield from fraction_problems(largest, (*here, "averted_percent"), _LEAST_AVERTED)
