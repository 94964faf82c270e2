"""One file built on another: maps are merged key by key, lists are replaced, shocks act on the base's path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from scenarios.checks import numbers
from scenarios.yaml_text import KeyPath, Mark, YamlDocument

OWN_KEYS: Final = ("extends", "name", "title", "description", "source", "weight")
"""What a file says about itself alone; it is never inherited."""

SHOCK_DIGITS: Final = 9


def merged(base: YamlDocument, over: YamlDocument) -> YamlDocument:
    """`over` laid on `base`; every value keeps the place where it was written."""
    replaced: set[KeyPath] = {(key,) for key in OWN_KEYS}

    def combine(path: KeyPath, under: Any, top: Any) -> Any:
        if not (isinstance(under, dict) and isinstance(top, dict)):
            replaced.add(path)
            return top
        result = dict(under)
        for key, value in top.items():
            result[key] = combine((*path, key), under[key], value) if key in under else value
        return result

    below = {key: value for key, value in base.data.items() if key not in OWN_KEYS}
    data = combine((), below, over.data)
    data.pop("extends", None)
    return YamlDocument(
        over.name,
        data,
        {**_kept(base.marks, replaced), **over.marks},
        {**_kept(base.key_marks, replaced), **over.key_marks},
        base.bases,
    )


def _kept(marks: Mapping[KeyPath, Mark], replaced: set[KeyPath]) -> dict[KeyPath, Mark]:
    return {
        path: mark
        for path, mark in marks.items()
        if not any(path[:depth] in replaced for depth in range(1, len(path) + 1))
    }


ValuePath = tuple[str, str]
"""Group and name, as ``("macro", "prime_rate_percent")``."""


def with_shocks(document: YamlDocument, base: YamlDocument | None) -> YamlDocument:
    """Every ``{shock: ...}`` and ``{shock_percent: ...}`` replaced by the path that it makes of the base's.

    Rates: points are added.  Indices: the level is changed by that many percent.  A used-car segment that the base
    does not have takes the base's `all`.  A shock on a satellite stays beside it, and two of them compound.  What
    finds no base of its own length is left for the checks to report.
    """
    for group, key in (("macro", "shock"), ("used_car_index", "shock_percent")):
        values = document.data.get(group)
        below = base.data.get(group, {}) if base else {}
        for name in values if isinstance(values, dict) else ():
            relative = group == "used_car_index" or name.endswith("_index")
            beneath = (group, name if name in below else "all")
            if base and beneath[1] in below:
                document = _shocked(document, (group, name), key, _Base(base, beneath), relative=relative)
    return document


@dataclass(frozen=True)
class _Base:
    """The path that a shock acts on."""

    document: YamlDocument
    path: ValuePath

    @property
    def value(self) -> Any:
        return self.document.data[self.path[0]][self.path[1]]

    @property
    def note(self) -> str:
        mark = self.document.mark(self.path)
        return f"shock on {mark.file}:{mark.line}"


def _shocked(document: YamlDocument, path: ValuePath, key: str, base: _Base, *, relative: bool) -> YamlDocument:
    value = document.data[path[0]][path[1]]
    own = document.marks.get((*path, key))
    shock = numbers(value.get(key)) if isinstance(value, dict) else None
    if shock is None or own is None or own.file != document.name:
        return document
    under = base.value
    if isinstance(under, dict):
        satellite = document.marks.get((*path, "satellite"))
        rewritten = satellite is not None and satellite.file == document.name
        earlier = None if rewritten else numbers(under.get(key))
        after: Any = {**under, **value, key: _compounded(earlier, shock) if earlier else list(shock)}
    else:
        levels = numbers(under)
        if levels is None or len(levels) != len(shock):
            return document
        after = [_moved(level, step, relative=relative) for level, step in zip(levels, shock, strict=True)]
    return _with_value(document, path, after, replace(own, note=base.note))


def _moved(level: float, step: float, *, relative: bool) -> float:
    return round(level * (1.0 + step / 100.0) if relative else level + step, SHOCK_DIGITS)


def _compounded(first: tuple[float, ...], second: tuple[float, ...]) -> list[float]:
    """Percent on percent; the second's values alone where the lengths differ (the checks report that)."""
    if len(first) != len(second):
        return list(second)
    factors = [(1.0 + a / 100.0) * (1.0 + b / 100.0) for a, b in zip(first, second, strict=True)]
    return [round(100.0 * (factor - 1.0), SHOCK_DIGITS) for factor in factors]


def _with_value(document: YamlDocument, path: ValuePath, value: Any, own: Mark) -> YamlDocument:
    """The document with one value of a group exchanged; its items stand where the shock's items stand."""
    group, name = path
    marks = dict(document.marks)
    marks[path] = own
    if isinstance(value, list):
        key = "shock" if group == "macro" else "shock_percent"
        marks.update(
            {(*path, place): replace(marks.get((*path, key, place), own), note=own.note) for place in range(len(value))}
        )
    data = {**document.data, group: {**document.data[group], name: value}}
    return replace(document, data=data, marks=marks)
