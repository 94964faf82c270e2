"""Text cells of a file to typed columns of canonical fields, faults and guesses beside them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.tape_fields import TapeField
from scenarios.vocabulary import SEGMENTS
from simulator.tape.cells import (
    ParsedColumn,
    UnreadableCellError,
    canonical_parser,
    parse_cents,
    parse_column,
)
from simulator.tape.derived import conditional_cells, flagged, guessed_column, months_column
from simulator.tape.formulas import unescaped
from simulator.tape.mapping import FieldMapping, Layout
from simulator.tape.raw_table import RawTable
from simulator.tape.report import CENTS, CellFault
from simulator.tape.tape import FIELDS


@dataclass(slots=True)
class TypedTable:
    """Rows of a file with typed values.

    Attributes
    ----------
    columns : dict of str to list
        Canonical field -> one value a row; None where nothing is stated or the cell is at fault.
    cents : list of int or None
        Current balance of each row in cents; None where it cannot be read.
    faults : dict of int to list of CellFault
        Row -> everything wrong with it.
    guesses, notes : list of str
        For the load report.
    """

    columns: dict[str, list[Any]]
    cents: list[int | None]
    faults: dict[int, list[CellFault]] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def type_table(path: Path, raw: RawTable, layout: Layout) -> TypedTable:
    """Type all columns that the layout maps.

    Raises
    ------
    InputError
        A required column is not in the file, or a constant or default of the mapping is no value of its field.
    """
    _require_columns(path, raw, layout)
    for name, mapping in layout.fields.items():
        if mapping.default is not None:
            _stated(layout, FIELDS[name], "default", mapping.default)
    amounts = _amounts(raw, layout)
    cents = [None if amount is None else amount[0] for amount in amounts]
    table = TypedTable({}, cents, {row: list(faults) for row, faults in raw.faults.items()})
    for name, tape_field in FIELDS.items():
        table.columns[name] = _values(raw, layout, tape_field, table)
    table.notes += _absent_notes(raw, layout)
    _set_balances(amounts, table)
    _refine_vehicles(layout, table)
    _refine_amortisation(table)
    return table


def _values(raw: RawTable, layout: Layout, tape_field: TapeField, table: TypedTable) -> list[Any]:
    """Values of a field, from wherever the layout has them."""
    mapping = layout.fields.get(tape_field.name)
    nothing: list[Any] = [None] * len(raw.lines)
    if mapping is None:
        return nothing
    if mapping.constant is not None:
        return [_stated(layout, tape_field, "constant", mapping.constant)] * len(raw.lines)
    own = bool(mapping.source_columns) and set(mapping.source_columns) <= set(raw.columns)
    values = _typed_column(raw, layout, tape_field, mapping, table) if own else nothing
    return flagged(raw, mapping, values, layout.missing_values) if mapping.true_where else values


def source_cells(raw: RawTable, mapping: FieldMapping, missing: frozenset[str] = frozenset()) -> list[str]:
    """Cells of a field's source: one column, or several joined; a join with a part not stated states nothing."""
    if mapping.column is not None:
        return raw.columns[mapping.column]
    columns = [raw.columns[name] for name in mapping.source_columns]
    nothing = missing | {""}
    return [
        "" if any(part in nothing for part in parts) else mapping.separator.join(parts)
        for parts in zip(*columns, strict=True)
    ]


def _typed_column(
    raw: RawTable, layout: Layout, tape_field: TapeField, mapping: FieldMapping, table: TypedTable
) -> list[Any]:
    """One column, its faults and guesses added to the table."""
    cells, sentences = conditional_cells(raw, mapping, source_cells(raw, mapping, layout.missing_values))
    table.guesses += sentences
    if layout.unescape and raw.is_text and tape_field.kind == "text":
        cells = [unescaped(cell) if cell.startswith("'") else cell for cell in cells]
    if mapping.unit == "guess":
        column, guesses = guessed_column(raw, tape_field, mapping, cells, layout.missing_values)
        table.guesses += guesses
    elif mapping.months_from is not None:
        column = months_column(raw, tape_field, mapping, cells, layout.missing_values)
    else:
        column = parse_column(tape_field, mapping, cells, layout.missing_values)
    for row, fault in column.faults.items():
        table.faults.setdefault(row, []).append(fault)
    table.guesses += _nothing_sentences(tape_field, mapping, column)
    return column.values


def _nothing_sentences(tape_field: TapeField, mapping: FieldMapping, column: ParsedColumn) -> list[str]:
    """What was taken for "not stated", in sentences."""
    listed = ", ".join(mapping.missing_values)
    readable = "a number" if tape_field.kind == "number" else "readable"
    silent = (
        (column.zeros, "holds 0", "hold 0"),
        (column.unreadable, f"is not {readable}", f"are not {readable}"),
        (column.coded, f"holds {listed}", f"hold {listed}"),
    )
    field_text = f"{tape_field.name} ({mapping.label})"
    return [
        f"{field_text}: {counted(count, f'cell {one}', f'cells {many}')}, which was read as not stated."
        for count, one, many in silent
        if count
    ]


def _require_columns(path: Path, raw: RawTable, layout: Layout) -> None:
    faults = []
    for name, mapping in layout.fields.items():
        for column in mapping.source_columns:
            if FIELDS[name].required and column not in raw.columns:
                near = difflib.get_close_matches(column, raw.header, n=1)
                hint = f"The nearest is {near[0]!r}. " if near else ""
                remedy = f"{hint}Rename the column, or map {name} to another one in a mapping file."
                faults.append(Fault(f"{path}:1: {column}", "no such column", f"a column for {name}", remedy))
    if faults:
        raise InputError(faults)


def _absent_notes(raw: RawTable, layout: Layout) -> list[str]:
    """Fields that are not stated because the file lacks their columns; those without a misspelt one in one sentence."""
    unread = [name for name in raw.header if name not in raw.columns]
    notes, columns, fields = [], [], []
    for name, mapping in layout.fields.items():
        absent = _absent_columns(raw, mapping)
        near = difflib.get_close_matches(absent[0], unread, n=1) if absent else []
        if near:
            hint = f"(column {near[0]} was not read)"
            notes.append(f"The file has no column {', '.join(absent)} {hint}: {name} is not stated.")
        elif absent:
            columns.append("+".join(absent))
            fields.append(name)
    if len(columns) == 1:
        notes.append(f"The file has no column {columns[0]}: {fields[0]} is not stated.")
    elif columns:
        what = "they" if columns == fields else ", ".join(fields)
        notes.append(f"The file has no columns {', '.join(columns)}: {what} are not stated.")
    return notes


def _absent_columns(raw: RawTable, mapping: FieldMapping) -> list[str]:
    """Columns that a field lacks so that it is not stated; a flag is by any of those that it is told from."""
    tested = [test.column for test in mapping.true_where]
    if any(column in raw.columns for column in tested):
        return []
    return [column for column in mapping.source_columns or tested if column not in raw.columns]


def _stated(layout: Layout, tape_field: TapeField, key: str, text: str) -> Any:
    """A value that the mapping itself states."""
    try:
        return canonical_parser(tape_field)(text)
    except UnreadableCellError as error:
        where = f"mapping {layout.name}: fields.{tape_field.name}.{key}"
        raise InputError(Fault(where, f"'{text}'", error.expected, error.remedy)) from error


def _amounts(raw: RawTable, layout: Layout) -> list[tuple[int, bool] | None]:
    """Current balance of each row in cents, whatever else is wrong with the row, and whether it was rounded."""
    mapping = layout.fields["current_balance"]
    if mapping.constant is not None:
        return [parse_cents(mapping.constant, None)] * len(raw.lines)
    return [parse_cents(cell, mapping.unit) for cell in source_cells(raw, mapping)]


def _set_balances(amounts: Sequence[tuple[int, bool] | None], table: TypedTable) -> None:
    """Make balances whole cents, so that the book's sum is the file's sum."""
    values: list[Any] = table.columns["current_balance"]
    for row, cents in enumerate(table.cents):
        if cents is not None and values[row] is not None:
            values[row] = cents / CENTS
    rounded = sum(amount[1] for amount in amounts if amount is not None)
    if rounded:
        balances = counted(rounded, "balance was", "balances were")
        table.notes.append(f"{balances} rounded to whole cents, half to even.")


def _refine_vehicles(layout: Layout, table: TypedTable) -> None:
    """Set the segment of makes that build one kind of car only."""
    by_make = {make.casefold(): segment for make, segment in (layout.vehicle_by_make or {}).items()}
    unknown = sorted(set(by_make.values()) - set(SEGMENTS))
    if unknown:
        where = f"mapping {layout.name}: vehicle_by_make"
        raise InputError(Fault(where, ", ".join(unknown), f"segments among {', '.join(SEGMENTS)}"))
    vehicles: list[Any] = table.columns["vehicle"]
    makes: Sequence[str | None] = table.columns["vehicle_make"]
    refined = 0
    for row, make in enumerate(makes):
        segment = by_make.get(make.casefold()) if make and vehicles[row] is not None else None
        if segment is not None and segment != vehicles[row]:
            vehicles[row], refined = segment, refined + 1
    if refined:
        vehicles_text = counted(refined, "vehicle took its segment", "vehicles took their segment")
        table.notes.append(f"{vehicles_text} from the make ({', '.join(sorted(by_make))}).")


def _refine_amortisation(table: TypedTable) -> None:
    """Take loans in level instalments that state a balloon for what they are."""
    ways: list[Any] = table.columns["amortisation"]
    balloons: Sequence[float | None] = table.columns["balloon"]
    rows = [row for row, balloon in enumerate(balloons) if balloon and ways[row] in (None, "level")]
    for row in rows:
        ways[row] = "balloon"
    if rows:
        loans = counted(len(rows), "loan states", "loans state")
        table.notes.append(f"{loans} a balloon, and level instalments or none: amortisation was taken as balloon.")
