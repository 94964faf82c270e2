"""Whether several parameter sets can be tiers of one book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from scenarios.errors import Fault, InputError
from simulator.parameter_set import ParameterSet
from simulator.sourced import Sourced
from simulator.tiers import check_bands

SHARED = (
    "currency",
    "buckets",
    "systematic",
    "used_car_index",
    "depreciation",
    "wholesale",
    "sale.season",
    "repossession.segment_multiplier",
    "fire_sale",
)
"""Sections that all tiers of one book must have in common."""

OWN = frozenset({"correlation", "source", "confidence", "note", "range"})
"""Fields inside them that may differ: the correlation is a tier's own, and evidence is not a number."""


def sets_where(sets: Sequence[ParameterSet]) -> str:
    """The place that errors about several sets name."""
    return "parameters " + ", ".join(item.name for item in sets)


def check_together(sets: tuple[ParameterSet, ...]) -> None:
    """Refuse sets that cannot be tiers of one book, all faults at once."""
    if not sets:
        raise InputError(Fault("parameters", "no parameter set", "at least one"))
    where = sets_where(sets)
    names = [item.name for item in sets]
    doubled = sorted({name for name in names if names.count(name) > 1})
    faults = [Fault(where, f"'{name}' more than once", "each parameter set once") for name in doubled]
    faults += [
        Fault(
            where, f"{item.name} and {names[0]} differ in {difference}", f"the same `{section}` in all tiers of a book"
        )
        for item in sets[1:]
        for section, difference in _differences(sets[0], item)
    ]
    faults += check_bands(sets)
    if faults:
        raise InputError(faults)


def _differences(first: ParameterSet, other: ParameterSet) -> list[tuple[str, str]]:
    """Shared sections whose numbers differ, each with its first difference in words."""
    found = []
    for section in SHARED:
        left, right = (dict(_numbers(_section(item, section), section)) for item in (first, other))
        paths = [
            path for path in (*left, *(path for path in right if path not in left)) if left.get(path) != right.get(path)
        ]
        if paths:
            found.append((section, f"{paths[0]}: {right.get(paths[0])} and {left.get(paths[0])}"))
    return found


def _section(item: ParameterSet, path: str) -> object:
    """A section by its dotted path; None where a part of it is absent."""
    value: object = item
    for part in path.split("."):
        value = None if value is None else getattr(value, part)
    return value


def _numbers(value: object, path: str) -> list[tuple[str, object]]:
    """Leaves of a spec without their evidence: (path, value)."""
    if isinstance(value, Sourced):
        return [(path, value.value)]
    if isinstance(value, BaseModel):
        fields = [(name, getattr(value, name)) for name in type(value).model_fields if name not in OWN]
    elif isinstance(value, Mapping):
        fields = list(value.items())
    else:
        return [(path, value)]
    return [leaf for name, item in fields for leaf in _numbers(item, f"{path}.{name}")]
