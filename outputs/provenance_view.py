"""Where numbers come from, condensed for reading: equal rows of several sets are one, neighbours share a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simulator.provenance import ProvenanceRow

CONFIDENCE: Final = {
    "H": "primary source, on point",
    "M": "transferred from a near neighbour, or a small sample",
    "L": "assumption, judgement or memory",
}


@dataclass(frozen=True, slots=True)
class ProvenanceGroup:
    """Numbers of the same sets with one source.

    Attributes
    ----------
    sets : str
        Names of the parameter sets that hold these numbers.
    numbers : tuple of str
        "field = value unit", one each.
    source, confidence, note : str
    """

    sets: str
    numbers: tuple[str, ...]
    source: str
    confidence: str
    note: str


def confidence_counts(rows: Sequence[ProvenanceRow]) -> dict[str, dict[str, int]]:
    """Numbers on which results depend, by parameter set and confidence."""
    counts: dict[str, dict[str, int]] = {}
    for row in (row for row in rows if row.acts):
        counts.setdefault(row.parameter_set, dict.fromkeys(CONFIDENCE, 0))[row.confidence] += 1
    return counts


def provenance_groups(rows: Sequence[ProvenanceRow]) -> list[ProvenanceGroup]:
    """Condense rows, in their order: the same number of several sets once, then neighbours with one source."""
    sets_of: dict[tuple[str, str, str, str, str], list[str]] = {}
    for row in rows:
        key = (row.field, _number(row), row.source, row.confidence, row.note or "")
        sets_of.setdefault(key, []).append(row.parameter_set)
    names = list(dict.fromkeys(row.parameter_set for row in rows))
    groups: list[ProvenanceGroup] = []
    for (_, number, source, confidence, note), sets in sets_of.items():
        label = "all" if len(names) > 1 and len(sets) == len(names) else ", ".join(sets)
        last = groups[-1] if groups else None
        if last and (last.sets, last.source, last.confidence, last.note) == (label, source, confidence, note):
            groups[-1] = ProvenanceGroup(label, (*last.numbers, number), source, confidence, note)
        else:
            groups.append(ProvenanceGroup(label, (number,), source, confidence, note))
    return groups


def _number(row: ProvenanceRow) -> str:
    span = f", plausible {row.range[0]:.6g} to {row.range[1]:.6g}" if row.range else ""
    idle = "" if row.acts else "; descriptive, no result depends on it"
    return f"{row.field} = {row.value:.6g} ({row.unit}{span}{idle})"
