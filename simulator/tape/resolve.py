"""A layout settled for one file: its encoding, which of a column's names it uses, units that its header states."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from scenarios.errors import Fault, InputError
from simulator.tape.mapping import FieldMapping, Layout, units_of
from simulator.tape.source import read_header, settle_encoding
from simulator.tape.tape import FIELDS

HINTED: Final = re.compile(r"(?P<name>.+?)\s*[(\[](?P<hint>[^()\[\]]+)[)\]]")
"""A column's name with a unit in brackets behind it."""


def settle_layout(path: Path, layout: Layout) -> tuple[Layout, tuple[str, ...]]:
    """The layout as it fits this file, and what the load report should say of that.

    Raises
    ------
    InputError
        The file cannot be opened, or its header gives one column twice, in two units.
    """
    encoding = settle_encoding(path, layout.encodings)
    notes = [f"The text was read as {encoding}."] if len(layout.encodings) > 1 else []
    layout = replace(layout, encodings=(encoding,))
    if layout.header_units is None and not any(mapping.aliases for mapping in layout.fields.values()):
        return layout, tuple(notes)
    header = read_header(path, encoding=encoding, delimiter=layout.delimiter)
    fields = {}
    for name, mapping in layout.fields.items():
        fields[name], said = _settled(path, header, name, mapping, layout.header_units or {})
        notes += said
    return replace(layout, fields=fields), tuple(notes)


def _settled(
    path: Path, header: tuple[str, ...], name: str, mapping: FieldMapping, units: Mapping[str, str]
) -> tuple[FieldMapping, list[str]]:
    """A field's mapping with the file's own name of its column, and its unit where the header states one."""
    if mapping.column is None:
        return mapping, []
    for wanted in (mapping.column, *mapping.aliases):
        found = [(column, unit) for column in header if (unit := _unit(column, wanted, name, units)) is not None]
        if len(found) > 1:
            columns = ", ".join(column for column, _ in found)
            expected = f"one column for {name}"
            raise InputError(Fault(f"{path}:1", f"{columns}", expected, "Remove the others, or map the one to read."))
        if found:
            column, unit = found[0]
            changes: dict[str, Any] = {"column": column} | ({"unit": unit} if unit else {})
            note = f"{name} ({column}) is in {unit}, as its header says." if unit else ""
            return mapping.model_copy(update=changes), [note] if note else []
    return mapping, []


def _unit(column: str, wanted: str, field: str, units: Mapping[str, str]) -> str | None:
    """Unit of a header's column if it is the wanted one: empty where it states none, None for another column."""
    plain = _plain(column)
    if plain == _plain(wanted):
        return ""
    match = HINTED.fullmatch(plain)
    if match is None or match["name"] != _plain(wanted):
        return None
    unit = units.get(match["hint"].strip())
    return unit if unit in units_of(FIELDS[field]) else None


def _plain(text: str) -> str:
    """Text with full-width signs as plain ones and without spaces around it."""
    return unicodedata.normalize("NFKC", text).strip()
