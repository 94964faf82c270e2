"""A ladder as plain data: its rungs, the loans that they are for, and which of them can meet on one loan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Rung = Mapping[str, Any]

LAST_DAY: Final = 3650
WEEKS_PER_MONTH: Final = 52 / 12

_RANGES: Final = {"balance": ("from_balance", "to_balance"), "ltv": ("from_ltv_percent", "to_ltv_percent")}
_FLAGS: Final = ("tracker", "starter_interrupt")
_SETS: Final = ("regions", "tiers", "revealed")
HISTORY: Final = ("after", "unless", "broken_promises")
"""Conditions on what happened in the spell: by them a rung may be laid on top of another one of its action."""


def mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A mapping within plain data; empty where there is none."""
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def number(value: Any) -> float | None:
    """A number of plain data; None for anything else, true and false included."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def rungs_of(data: Mapping[str, Any]) -> list[tuple[int, Rung]]:
    """Rungs of plain data with their places; malformed ones are stepped over."""
    return _rungs_below(data, "ladder")


def care_rungs(data: Mapping[str, Any]) -> list[tuple[int, Rung]]:
    """Rungs for loans without arrears, likewise."""
    return _rungs_below(data, "while_current")


def _rungs_below(data: Mapping[str, Any], key: str) -> list[tuple[int, Rung]]:
    found = data.get(key)
    items = enumerate(found if isinstance(found, list | tuple) else [])
    return [(place, rung) for place, rung in items if isinstance(rung, Mapping)]


def label_of(rung: Rung) -> str:
    """Its name, or its action's."""
    return str(rung.get("name") or rung.get("action"))


def who_of(rung: Rung) -> Mapping[str, Any]:
    """Its conditions."""
    return mapping(rung, "who")


def named(rung: Rung, key: str) -> tuple[str, ...]:
    """Names of the rungs in its `after` or `unless`."""
    found = who_of(rung).get(key)
    return tuple(str(name) for name in found) if isinstance(found, list | tuple) else ()


def days_of(rung: Rung) -> tuple[int, int]:
    """First and last day past due that it is for."""
    first, last = (number(who_of(rung).get(key)) for key in ("from_days", "to_days"))
    return (1 if first is None else int(first)), (LAST_DAY if last is None else int(last))


def percent_reached(rung: Rung) -> float:
    """Borrowers reached, percent of those served."""
    found = number(rung.get("reach_percent"))
    return 100.0 if found is None else found


def weekly_contacts(rung: Rung) -> float:
    """Contacts of a loan in a week; a month has 52/12 weeks."""
    week, month = number(rung.get("contacts_per_week")), number(rung.get("contacts_per_month"))
    return week if week is not None else (1.0 if month is None else month) / WEEKS_PER_MONTH


def monthly_contacts(rung: Rung) -> float:
    """Contacts of a loan in a month."""
    week, month = number(rung.get("contacts_per_week")), number(rung.get("contacts_per_month"))
    return month if month is not None else 1.0 if week is None else week * WEEKS_PER_MONTH


# --- loans that rungs are for ---------------------------------------------------------------------


@dataclass(frozen=True)
class Loans:
    """Loans by what is seen of them at a close; a feature that is left out is free.

    Attributes
    ----------
    days : tuple of int
        First and last day past due.
    ranges : mapping of str to tuple of float
        Least and most principal, and loan-to-value in percent.
    flags : mapping of str to bool
        Devices in the car.
    sets : mapping of str to frozenset of str
        Regions, tiers, revealed types.
    """

    days: tuple[int, int]
    ranges: Mapping[str, tuple[float, float]]
    flags: Mapping[str, bool]
    sets: Mapping[str, frozenset[str]]

    def meet(self, other: Loans, *, days: bool = True) -> Loans | None:
        """Loans that both hold, or None; without `days` two rungs may be met at different times of a spell."""
        first, last = max(self.days[0], other.days[0]), min(self.days[1], other.days[1])
        ranges = {
            key: (max(low, other.ranges[key][0]), min(high, other.ranges[key][1]))
            for key, (low, high) in self.ranges.items()
        }
        flags = {**self.flags, **other.flags}
        sets = {**self.sets, **other.sets}
        sets = {key: names & self.sets.get(key, names) for key, names in sets.items()}
        apart = (
            (days and last < first)
            or any(high <= low for low, high in ranges.values())
            or any(self.flags.get(key, value) != value for key, value in other.flags.items())
            or not all(sets.values())
        )
        return None if apart else Loans((first, last), ranges, flags, sets)


def loans_of(rung: Rung) -> Loans:
    """The loans that a rung is for, its conditions on the spell's history left out."""
    who = who_of(rung)
    ranges = {}
    for key, (low, high) in _RANGES.items():
        least, most = number(who.get(low)), number(who.get(high))
        ranges[key] = (0.0 if least is None else least, float("inf") if most is None else most)
    flags = {key: who[key] for key in _FLAGS if isinstance(who.get(key), bool)}
    listed = {key: who.get(key) for key in _SETS}
    sets = {key: frozenset(map(str, value)) for key, value in listed.items() if isinstance(value, list | tuple)}
    return Loans(days_of(rung), ranges, flags, {key: value for key, value in sets.items() if value})


def required_by(rungs: Sequence[Rung]) -> dict[str, frozenset[str]]:
    """By label, the labels of all rungs that must have been carried out before: `after`, all the way down."""
    after = {label_of(rung): named(rung, "after") for rung in rungs}

    def below(label: str, seen: frozenset[str]) -> frozenset[str]:
        for other in after.get(label, ()):
            seen = seen if other in seen else below(other, seen | {other})
        return seen

    return {label: below(label, frozenset()) for label in after}


def exclude(rung: Rung, other: Rung, required: Mapping[str, frozenset[str]]) -> bool:
    """Whether the spell's history keeps two rungs from serving one loan at the same close."""
    for one, two in ((rung, other), (other, rung)):
        before = required.get(label_of(one), frozenset())
        if before & set(named(two, "unless")):
            return True
        if label_of(two) in before and two.get("once") is True:
            return True
    return False


def heaviest_with(rung: Rung, others: Sequence[Rung], required: Mapping[str, frozenset[str]]) -> list[Rung]:
    """Of rungs that serve one loan at the same close, `rung` among them, those with the most contacts a week."""
    best: list[Rung] = [rung]

    def grow(chosen: list[Rung], loans: Loans, rest: Sequence[Rung]) -> None:
        nonlocal best
        if _weight(chosen) > _weight(best):
            best = chosen
        if not rest or _weight(chosen) + _weight(rest) <= _weight(best):
            return
        met = loans.meet(loans_of(rest[0]))
        if met is not None and not any(exclude(rest[0], each, required) for each in chosen):
            grow([*chosen, rest[0]], met, rest[1:])
        grow(chosen, loans, rest[1:])

    grow([rung], loans_of(rung), [*others])
    return best


def _weight(rungs: Sequence[Rung]) -> float:
    return sum(map(weekly_contacts, rungs))


def pairs(rungs: Sequence[tuple[int, Rung]]) -> Iterator[tuple[int, Rung, Rung]]:
    """Each rung with every one above it: place of the lower one, the upper, the lower."""
    for item, (place, rung) in enumerate(rungs):
        for _, other in rungs[:item]:
            yield place, other, rung
