"""Where every number of a parameter set comes from, as rows for a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel

from simulator.parameter_borrower import ByBucket, MultiplierByType
from simulator.parameter_set import AgeCurve, ParameterSet, RateBand, ScoreBand, TransitionRow
from simulator.parameter_workout import Season
from simulator.sourced import Confidence, Count, Evidence, Percent, Share, Sourced, Target, Unit

if TYPE_CHECKING:
    from simulator.parameters import Parameters


class ProvenanceRow(NamedTuple):
    """One number and where it comes from."""

    parameter_set: str
    field: str
    value: float
    unit: str
    source: str
    confidence: Confidence
    range: tuple[float, float] | None
    note: str | None
    acts: bool = True
    """Whether a result depends on it; a target to compare with, or a rule that is only described, does not."""


DESCRIPTIVE = ("buckets.charge_off_days", "history.arrears_again_12m", "history.redefault_12m", "published.")
"""Beginnings of the fields that no result depends on: the day of charge-off is in the matrix itself, and what was
published, or what another figure is solved to, is compared with."""

DEFAULT_UNITS: Mapping[type[Sourced], str] = {Share: "fraction", Target: "fraction", Percent: "percent", Count: "count"}


def provenance(parameters: Parameters) -> list[ProvenanceRow]:
    """List every number of the sets, in the order of their files."""
    return [row for item in parameters.sets for row in set_provenance(item)]


def set_provenance(item: ParameterSet) -> list[ProvenanceRow]:
    """List every number of one set, in the order of its file."""
    return [row for path, unit, evidence in _walk(item, "", "") for row in _rows(item.name, path, unit, evidence)]


def _walk(value: object, path: str, unit: str) -> Iterator[tuple[str, str, Evidence]]:
    """Every piece of evidence below a spec, with its path and unit."""
    if isinstance(value, Evidence):
        yield path, unit, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            own = next((extra.text for extra in field.metadata if isinstance(extra, Unit)), unit)
            yield from _walk(getattr(value, name), f"{path}.{name}".lstrip("."), own)
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _walk(entry, f"{path}.{name}", unit)
    elif isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from _walk(entry, f"{path}[{_place_name(entry, place)}]", unit)


def _place_name(entry: object, place: int) -> str:
    if isinstance(entry, TransitionRow):
        return entry.from_bucket
    names = [getattr(entry, name) for name in ("cause", "variable") if hasattr(entry, name)]
    return ", ".join(names) if names else str(place)


def _rows(name: str, path: str, unit: str, evidence: Evidence) -> Iterator[ProvenanceRow]:
    span = evidence.range if isinstance(evidence, Sourced) else None
    for suffix, value, own_unit in _figures(evidence, unit):
        source = evidence.source, evidence.confidence
        acts = not path.startswith(DESCRIPTIVE)
        yield ProvenanceRow(name, path + suffix, float(value), own_unit, *source, span, evidence.note, acts)


def _figures(evidence: Evidence, unit: str) -> Iterator[tuple[str, float, str]]:
    """Numbers that one piece of evidence stands for: (suffix of the path, value, unit)."""
    match evidence:
        case Sourced():
            yield "", evidence.value, unit or DEFAULT_UNITS.get(type(evidence), "1")
        case ByBucket() | MultiplierByType() | Season():
            yield from ((name, value, unit) for name, value in evidence.figures())
        case TransitionRow():
            yield from ((f".{label}", share, "probability a month") for label, share in evidence.to.items())
        case AgeCurve():
            yield from ((f"[month {age}]", multiplier, "multiplier") for age, multiplier in evidence.points)
        case ScoreBand():
            yield from _ends({"low": evidence.low, "high": evidence.high}, f"score points, {evidence.scale}")
        case RateBand():
            ends = {"low_percent": evidence.low_percent, "high_percent": evidence.high_percent}
            yield from _ends(ends, "percent a year")


def _ends(band: Mapping[str, float | None], unit: str) -> Iterator[tuple[str, float, str]]:
    return ((f".{name}", value, unit) for name, value in band.items() if value is not None)
