"""What the fields of a scenario or study must be to each other: equal lengths, a known start, percent not fractions.

The checks read plain data and step over malformed parts, so that one reading of a file reports both a field that is
wrong by itself and a path that is too short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scenarios.yaml_text import KeyPath

Month = tuple[int, int]
"""Year and month, 1 to 12."""

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
PERIOD_PATTERN: Final = r"^[0-9]{4}(Q[1-4]|-(0[1-9]|1[0-2]))$"
MONTHS_PER_PERIOD: Final = {"quarterly": 3, "monthly": 1}

# Less than a point is no recession: in reference data since 1948 every US one raised unemployment by more.
SMALLEST_RECESSION: Final = 1.0

OFFSETS: Final = {"regional_offsets": "regions", "sector_offsets": "sectors"}
"""Fields of a scenario that hold offsets from the nation, and whose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault before it has a place: `path` leads to the value inside its file."""

    path: KeyPath
    found: str
    expected: str
    remedy: str = ""


def dotted(path: KeyPath) -> str:
    """A path as errors show it, ``macro.unemployment_percent[7]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def first_month(period: str) -> Month:
    """First month of a period written as ``2025Q1`` or ``2025-01``."""
    year, rest = int(period[:4]), period[5:]
    return (year, 3 * int(rest) - 2) if period[4] == "Q" else (year, int(rest))


def add_months(month: Month, count: int) -> Month:
    """The month `count` months later."""
    year, index = divmod(month[0] * 12 + month[1] - 1 + count, 12)
    return year, index + 1


def months_between(first: Month, last: Month) -> int:
    """How many months `last` lies after `first`."""
    return (last[0] - first[0]) * 12 + last[1] - first[1]


def month_text(month: Month) -> str:
    """A month as ``2025-01``."""
    return f"{month[0]:04d}-{month[1]:02d}"


def numbers(value: Any) -> tuple[float, ...] | None:
    """A list of numbers as a tuple; None for everything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    is_number = [isinstance(item, int | float) and not isinstance(item, bool) for item in value]
    return tuple(float(item) for item in value) if all(is_number) else None


def macro_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that a scenario's fields contradict each other in."""
    yield from _calendar_problems(data)
    yield from _length_problems(data)
    yield from _shock_problems(data)
    yield from _fraction_problems(data)
    yield from _index_problems(data)
    yield from _satellite_problems(data)
    yield from _offset_problems(data)


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _lists(data: Mapping[str, Any]) -> dict[KeyPath, int]:
    """Length of every list that has one value a period, by its path."""
    found: dict[KeyPath, int] = {}
    for group in ("macro", "used_car_index"):
        for name, value in _mapping(data, group).items():
            if isinstance(value, list):
                found[group, name] = len(value)
            elif isinstance(value, Mapping):
                inner = {(group, name, key): item for key, item in value.items() if key in ("shock", "shock_percent")}
                found.update({path: len(item) for path, item in inner.items() if isinstance(item, list)})
    return found


def _period(data: Mapping[str, Any], key: str) -> Month | None:
    value = data.get(key)
    return first_month(value) if isinstance(value, str) and re.match(PERIOD_PATTERN, value) else None


def _calendar_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    start, end = _period(data, "start"), _period(data, "end")
    if data.get("frequency") == "quarterly" and start and start[1] % 3 != 1:
        expected = "the first month of a quarter"
        yield Problem(("start",), f"start = {data['start']}", expected, "Write a quarter, as in 2025Q1.")
    if start and end and end < start:
        yield Problem(("end",), f"end = {data['end']}", f"a period not before start = {data['start']}")


def _length_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    lengths = _lists(data)
    if not lengths:
        return
    unit = "quarter" if data.get("frequency") == "quarterly" else "month"
    start, end = _period(data, "start"), _period(data, "end")
    step = MONTHS_PER_PERIOD.get(str(data.get("frequency")))
    if start and end and step and start <= end and months_between(start, end) % step == 0:
        expected = months_between(start, end) // step + 1
        reason = f"one a {unit} from {data['start']} to {data['end']}"
    else:
        longest = max(lengths, key=lambda path: lengths[path])
        expected, reason = lengths[longest], f"one a {unit} as {dotted(longest)} has"
    for path, length in lengths.items():
        if length != expected:
            more, s = abs(expected - length), "" if abs(expected - length) == 1 else "s"
            remedy = f"{more} {unit}{s} {'missing' if length < expected else 'too many'}."
            yield Problem(path, f"{dotted(path)} has {length} values", f"{expected}, {reason}", remedy)


def _shock_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Shocks that found no base path to act on (the others are resolved before this check)."""
    lengths = _lists(data)
    most = max(lengths.values(), default=0)
    for path, length in lengths.items():
        satellite = "satellite" in _mapping(_mapping(data, str(path[0])), str(path[1]))
        if len(path) == 3 and length == most and not satellite:
            remedy = "Add `extends: NAME`, or write the path itself as a list."
            found = f"{dotted(path[:2])} is a shock without a path below it"
            yield Problem(path[:2], found, "a base scenario that has this path", remedy)


def _fraction_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Unemployment between 0 and 1 %: no economy has reported it for long, but 0.05 for 5 % is easily written."""
    macro = _mapping(data, "macro")
    values = numbers(macro.get("unemployment_percent")) or ()
    for index, value in enumerate(values):
        if 0.0 < value < 1.0:
            path = ("macro", "unemployment_percent", index)
            remedy = f"Rates are in percent: write {100 * value:g} for {100 * value:g} %."
            yield Problem(path, f"{dotted(path)} = {value:g}, which looks like a fraction", "1 to 30", remedy)


def _index_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    if isinstance(data.get("used_car_index"), Mapping) and "all" not in data["used_car_index"]:
        remedy = "Write `all: {satellite: flat}`, `all: {satellite: unemployment_gap}`, or a list of levels."
        yield Problem(("used_car_index",), "used_car_index.all is missing", "a path for all segments", remedy)


def _satellite_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A gap of 0.2 points would be blown up to the whole stated fall."""
    path = numbers(_mapping(data, "macro").get("unemployment_percent"))
    jump_off = numbers([_mapping(data, "jump_off").get("unemployment_percent")])
    if not path or not jump_off:
        return
    gap = max(path) - jump_off[0]
    for name, value in _mapping(data, "used_car_index").items():
        if isinstance(value, Mapping) and value.get("satellite") == "unemployment_gap" and gap < SMALLEST_RECESSION:
            found = f"unemployment rises by {max(gap, 0.0):g} points only under satellite unemployment_gap"
            expected = f"a rise by {SMALLEST_RECESSION:g} or more above jump_off"
            remedy = "Write `satellite: flat`, or the index as a list."
            yield Problem(("used_car_index", name, "satellite"), found, expected, remedy)


def _offset_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Unemployment below 0 in a region or sector, or in the lowest region for its lowest sector."""
    path = numbers(_mapping(data, "macro").get("unemployment_percent"))
    least = min(path) if path else 0.0
    lowest: dict[str, float] = {}
    for field in OFFSETS:
        offsets = _mapping(_mapping(data, field), "unemployment_percent")
        known = {str(name): float(value) for name, value in offsets.items() if numbers([value])}
        lowest[field] = min(known.values(), default=0.0)
        for name, offset in known.items():
            if path and least + offset < 0.0:
                where = (field, "unemployment_percent", name)
                found = f"{dotted(where)} = {offsets[name]}, which makes unemployment negative"
                yield Problem(where, found, f"an offset of at least {-least:g}")
    if path and least + sum(lowest.values()) < 0.0 <= least + min(lowest.values()):
        found = f"the lowest offsets of {' and '.join(OFFSETS.values())} together make unemployment negative"
        yield Problem(("sector_offsets", "unemployment_percent"), found, f"a sum of at least {-least:g}")


def study_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that a study's fields contradict each other in."""
    for key, what in (("scenarios", "scenario"), ("strategies", "strategy")):
        given = data.get(key)
        names = given if isinstance(given, list) else []
        for place, name in enumerate(names):
            if name in names[:place]:
                yield Problem((key, place), f"{what} {name} for the second time", f"each {what} once")
    yield from _draw_problems(data)


def _draw_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """More batches than pairs of paths: without two paths a draw tells nothing of the paths' own spread."""
    draws, paths = _mapping(data, "uncertainty").get("draws"), data.get("paths")
    if isinstance(draws, int) and isinstance(paths, int) and paths < 2 * draws:
        remedy = "Write fewer draws, or more paths."
        found = f"uncertainty.draws = {draws} with {paths} paths"
        yield Problem(("uncertainty", "draws"), found, f"at most {paths // 2}, two paths a draw", remedy)
