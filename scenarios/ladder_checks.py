"""What the fields of a collection strategy must be to each other: pools that exist, rungs that can be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scenarios.checks import Problem
from scenarios.explain import nearest
from scenarios.yaml_text import KeyPath

_CAPACITIES: Final = ("hours_per_month", "hours_per_1000_loans", "unlimited")
_SPLITS: Final = ("regions", "tiers", "revealed", "after", "unless")
"""Conditions by which two rungs of one action differ, even where their days overlap."""
LAST_DAY: Final = 3650


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def _rungs(data: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Rungs of plain data with their places; malformed ones are stepped over."""
    found = data.get("ladder")
    items = enumerate(found if isinstance(found, list | tuple) else [])
    return [(place, rung) for place, rung in items if isinstance(rung, Mapping)]


def _label(rung: Mapping[str, Any]) -> str:
    return str(rung.get("name") or rung.get("action"))


def ladder_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that a strategy's fields contradict each other in."""
    yield from _pool_problems(data)
    yield from _name_problems(data)
    yield from _reach_problems(data)
    yield from _overlap_problems(data)
    yield from _currency_problems(data)


def _pool_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A pool with no capacity or two, one that does not exist, and work that takes no time."""
    pools = _mapping(data, "pools")
    for name, pool in pools.items():
        if not isinstance(pool, Mapping):
            continue
        stated = [key for key in _CAPACITIES if pool.get(key) not in (None, False)]
        if not stated:
            remedy = "Write hours for the whole book, or for each 1,000 of its opening loans."
            yield Problem(
                ("pools", name),
                f"pools.{name} has no capacity",
                " or ".join((*_CAPACITIES[:2], "unlimited: true")),
                remedy,
            )
        if len(stated) > 1:
            found = f"pools.{name} has two capacities"
            yield Problem(("pools", name, stated[1]), found, f"one of {' and '.join(stated)}", "Take one out.")
        if pool.get("unlimited") is True and pool.get("hiring") is not None:
            found = f"pools.{name} is unlimited and hires"
            yield Problem(("pools", name, "hiring"), found, "hours that can grow", "Take `hiring` out.")
    for place, rung in _rungs(data):
        pool, here = rung.get("pool"), ("ladder", place)
        if isinstance(pool, str) and pool not in pools:
            expected = f"one of {', '.join(map(str, pools))}" if pools else "a pool below `pools:`; there is none"
            found = f"ladder[{place}].pool = {pool}, a pool that does not exist"
            yield Problem((*here, "pool"), found, expected, nearest(pool, map(str, pools)))
        if pool is not None and rung.get("hours_per_contact") is None:
            found = f"rung {_label(rung)} takes no hours of pool {pool}"
            yield Problem(
                (*here, "pool"), found, "`hours_per_contact:` beside `pool:`", "Write 0.25 for a quarter of an hour."
            )
        if pool is None and rung.get("hours_per_contact") is not None:
            found = f"rung {_label(rung)} takes hours of no pool"
            yield Problem(
                (*here, "hours_per_contact"), found, "`pool:` beside it", "Name the pool, or take the hours out."
            )
        if rung.get("contacts_per_month") is not None and rung.get("contacts_per_week") is not None:
            found = f"rung {_label(rung)} has two numbers of contacts"
            remedy = "Take one out; a month has 52/12 weeks."
            yield Problem((*here, "contacts_per_week"), found, "contacts_per_month or contacts_per_week", remedy)


def _name_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Two rungs of one name, and rungs named in `after` and `unless` that are not there or come too late."""
    labels = [_label(rung) for _, rung in _rungs(data)]
    for item, (place, rung) in enumerate(_rungs(data)):
        label = labels[item]
        if label in labels[:item]:
            path: KeyPath = ("ladder", place, "name" if rung.get("name") else "action")
            remedy = "Give one of them a `name:` of its own."
            yield Problem(path, f"rung {label} for the second time", "names that differ", remedy)
        for key in ("after", "unless"):
            named = _mapping(rung, "who").get(key)
            for number, other in enumerate(named if isinstance(named, list | tuple) else []):
                path = ("ladder", place, "who", key, number)
                if other not in labels:
                    found = f"{key}: {other}, which is no rung"
                    yield Problem(path, found, f"one of {', '.join(labels)}", nearest(str(other), labels))
                elif key == "after" and labels.index(other) >= item:
                    found = f"rung {label} comes after rung {other}, which stands below it"
                    remedy = "Move the rung down: a ladder is climbed from its first rung to its last."
                    yield Problem(path, found, "an earlier rung", remedy)


def _days(rung: Mapping[str, Any]) -> tuple[int, int]:
    who = _mapping(rung, "who")
    first, last = who.get("from_days", 1), who.get("to_days", LAST_DAY)
    return (first if isinstance(first, int) else 1), (last if isinstance(last, int) else LAST_DAY)


def _reach_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Rungs that nobody can ever reach."""
    rungs = _rungs(data)
    by_label = {_label(rung): rung for _, rung in rungs}
    reveals = any(rung.get("action") == "visit" and rung.get("reveals", True) for _, rung in rungs)
    written_off = LAST_DAY + 1
    for place, rung in rungs:
        who, (first, last), label = _mapping(rung, "who"), _days(rung), _label(rung)
        here = ("ladder", place, "who")
        if last < first:
            found = f"rung {label}: to_days = {last}, which comes before from_days = {first}"
            yield Problem((*here, "to_days"), found, f"at least {first}", "Swap them.")
        if first >= written_off:
            found = f"rung {label} is never reached: all loans are written off from day {written_off} on"
            yield Problem((*here, "from_days"), found, f"days before {written_off}")
        for low, high in (("from_balance", "to_balance"), ("from_ltv_percent", "to_ltv_percent")):
            least, most = who.get(low), who.get(high)
            if isinstance(least, int | float) and isinstance(most, int | float) and most < least:
                found = f"rung {label}: {high} = {most:g}, which is below {low} = {least:g}"
                yield Problem((*here, high), found, f"at least {least:g}", "Swap them.")
        types = who.get("revealed")
        if isinstance(types, list | tuple) and "unknown" not in types and not reveals:
            found = f"rung {label} waits for types that nobody reveals"
            remedy = "Add a `visit` before it, or `unknown` to the list."
            yield Problem((*here, "revealed"), found, "a visit that reveals types", remedy)
        after = who.get("after")
        for other in after if isinstance(after, list | tuple) else []:
            if other in by_label and _days(by_label[other])[0] > last:
                found = f"rung {label} is never reached: rung {other}, after which it comes, begins later"
                remedy = f"Let it run to day {_days(by_label[other])[0]} or later."
                yield Problem((*here, "after"), found, "a rung that begins earlier", remedy)
        narrow = [key for key in who if key not in ("from_days", "to_days") and who[key] not in (None, [], (), 0)]
        certain = rung.get("pool") is None and rung.get("reach_percent", 100) == 100
        if rung.get("action") == "write_off" and not narrow and certain and last == LAST_DAY:
            written_off = min(written_off, first)


def _overlap_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Two rungs of one action that serve the same loans in the same month."""
    rungs = _rungs(data)
    for item, (place, rung) in enumerate(rungs):
        for _, other in rungs[:item]:
            if rung.get("action") != other.get("action") or rung.get("action") is None:
                continue
            (first, last), (start, end) = _days(rung), _days(other)
            if max(first, start) <= min(last, end) and not _differ(_mapping(rung, "who"), _mapping(other, "who")):
                found = (
                    f"rungs {_label(other)} and {_label(rung)} overlap: both are for days {max(first, start)} to "
                    f"{min(last, end)} past due"
                )
                remedy = "End one before the other begins, or tell their loans apart by another condition."
                yield Problem(("ladder", place, "who"), found, "each loan on one rung of an action", remedy)


def _differ(who: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rungs' conditions beside the days can tell their loans apart."""
    for key in ("tracker", "starter_interrupt"):
        if who.get(key) is not None and other.get(key) is not None and who[key] != other[key]:
            return True
    for low, high in (("from_balance", "to_balance"), ("from_ltv_percent", "to_ltv_percent")):
        for one, two in ((who, other), (other, who)):
            least, most = one.get(low), two.get(high)
            if isinstance(least, int | float) and isinstance(most, int | float) and most <= least:
                return True
    return any(who.get(key) and who.get(key) != other.get(key) for key in _SPLITS) or any(
        other.get(key) and who.get(key) != other.get(key) for key in _SPLITS
    )


def _currency_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Amounts without a currency."""
    if data.get("currency") is not None:
        return
    for path, value in _amounts(data, ()):
        if isinstance(value, int | float) and value > 0:
            remedy = "Write `currency: USD`, or that of the tape."
            yield Problem(
                path, "an amount in a strategy without currency", "`currency:` at the head of the file", remedy
            )
            return


def _amounts(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in ("cost_per_hour", "cost_per_contact", "from_balance", "to_balance") or path[-1:] == ("cost",):
                yield (*path, key), value
            else:
                yield from _amounts(value, (*path, key))
    elif isinstance(data, list | tuple):
        for place, value in enumerate(data):
            yield from _amounts(value, (*path, place))
