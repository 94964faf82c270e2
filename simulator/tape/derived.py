"""Values that no single cell holds: months between two dates, cells that count beside certain others, no-data codes."""

from __future__ import annotations

import calendar
import datetime
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.tape_fields import TapeField
from simulator.tape.cells import ParsedColumn, UnreadableCellError, cell_parser, guess_unit, parse_column
from simulator.tape.mapping import FieldMapping, Layout
from simulator.tape.oddities import cell_test, codes_in
from simulator.tape.raw_table import RawTable
from simulator.tape.report import CellFault
from simulator.tape.tape import FIELDS


def months_until(later: datetime.date, earlier: datetime.date) -> int:
    """Monthly dates after `earlier` up to `later`: instalments that are still due at a cut-off date.

    The last day of a month counts as the last of any: from 28 February to 31 March is one month.  Negative where
    `later` is the earlier one.
    """
    months = 12 * (later.year - earlier.year) + later.month - earlier.month
    month_end = calendar.monthrange(earlier.year, earlier.month)[1]
    return months + (later.day > earlier.day and earlier.day < month_end)


def months_column(
    raw: RawTable, tape_field: TapeField, mapping: FieldMapping, cells: Sequence[str], missing: frozenset[str]
) -> ParsedColumn:
    """A field in months from a column of later dates and the column of earlier ones that the mapping names."""
    low, high = tape_field.low or 0.0, tape_field.high or math.inf
    dates = replace(tape_field, kind="date", low=None, high=None)
    later = parse_column(dates, mapping.model_copy(update={"unit": None}), cells, missing)
    start = mapping.months_from or ""
    begins = FieldMapping(column=start, date_format=mapping.date_format)
    earlier = parse_column(replace(dates, required=False), begins, raw.columns[start], missing)
    for row, (end, begin) in enumerate(zip(later.values, earlier.values, strict=True)):
        # A start that cannot be read is its own field's fault; the loan is rejected for that.
        months = None if end is None or begin is None else months_until(end, begin)
        later.values[row] = months
        if months is not None and not low <= months <= high:
            found = f"{tape_field.name} = {months} ({begin} to {end})"
            later.values[row] = None
            later.faults[row] = CellFault(mapping.label, found, f"{low:g} to {high:g} months")
    return later


def guessed_column(
    raw: RawTable, tape_field: TapeField, mapping: FieldMapping, cells: Sequence[str], missing: frozenset[str]
) -> tuple[ParsedColumn, list[str]]:
    """A column of ratios whose unit is guessed by its median, and the sentences that say so.

    Issuers that differ from the rest of the file are read in their own unit where the mapping tells them apart.
    """
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(raw.columns.get(mapping.guess_by or "", [""] * len(cells))):
        rows.setdefault(group, []).append(row)
    unit, sentence = _guess(tape_field, mapping, cells)
    column = ParsedColumn([None] * len(cells), {})
    sentences = [sentence] if sentence else []
    for group, members in rows.items():
        own = [cells[row] for row in members]
        own_unit, own_sentence = _guess(tape_field, mapping, own)
        if own_unit != unit and own_sentence:
            sentences.append(f"Where {mapping.guess_by} is {group or 'empty'}, {own_sentence}")
        settled = mapping.model_copy(update={"unit": own_unit if own_sentence else unit})
        _merge(column, members, parse_column(tape_field, settled, own, missing))
    return column, sentences


def _guess(tape_field: TapeField, mapping: FieldMapping, cells: Sequence[str]) -> tuple[str, str | None]:
    return guess_unit(tape_field, mapping.label, (cell for cell in cells if cell not in mapping.missing_values))


def _merge(column: ParsedColumn, rows: Sequence[int], part: ParsedColumn) -> None:
    """Put a parsed part of the rows in its place."""
    for row, value in zip(rows, part.values, strict=True):
        column.values[row] = value
    column.faults.update({rows[place]: fault for place, fault in part.faults.items()})
    column.zeros += part.zeros
    column.unreadable += part.unreadable
    column.coded += part.coded


def conditional_cells(raw: RawTable, mapping: FieldMapping, cells: list[str]) -> tuple[list[str], list[str]]:
    """Cells that count, the others empty; and sentences that say how many were left out."""
    sentences = []
    for column, wanted in (mapping.only_where or {}).items():
        if column not in raw.columns:
            continue
        keep = [cell in wanted or bool(codes_in(cell) & set(wanted)) for cell in raw.columns[column]]
        dropped = sum(not kept and cell != "" for kept, cell in zip(keep, cells, strict=True))
        cells = [cell if kept else "" for kept, cell in zip(keep, cells, strict=True)]
        if dropped:
            where = f"where {column} is not {' or '.join(wanted)}"
            sentences.append(f"{mapping.label}: {counted(dropped, 'cell')} {where}, read as not stated.")
    return cells, sentences


def flagged(
    raw: RawTable, mapping: FieldMapping, values: Sequence[bool | None], missing: frozenset[str]
) -> list[bool | None]:
    """Values of a flag, made true where one of the mapping's tests of other columns is met.

    A flag that its own column does not state is false where a tested column states something else.
    """
    flags = list(values)
    for test in mapping.true_where:
        cells = raw.columns.get(test.column, ())
        holds = cell_test(test)
        met = {cell: holds(cell) for cell in set(cells) if cell and cell not in missing}
        for row, cell in enumerate(cells):
            if cell in met and not flags[row]:
                flags[row] = met[cell]
    return flags


def with_no_data(raw: RawTable, layout: Layout) -> tuple[Layout, tuple[str, ...]]:
    """The layout with the file's own no-data cells among its missing values; how often each stands in a field."""
    codes = layout.no_data or {}
    if not codes:
        return layout, ()
    meaning = {cell: code for column in raw.columns.values() for cell in set(column) if (code := _code(cell, codes))}
    notes = []
    for name, mapping in layout.fields.items():
        for column in mapping.source_columns[:1]:
            cells = Counter(meaning[cell] for cell in raw.columns.get(column, ()) if cell in meaning)
            counts = ", ".join(
                f"{code.rstrip('-')} ({codes[code]}) on {counted(count, 'row')}"
                for code, count in sorted(cells.items())
            )
            notes += [f"{name} ({column}): {counts}."] if counts else []
    return replace(layout, missing_values=layout.missing_values | meaning.keys()), tuple(notes)


def _code(cell: str, codes: Mapping[str, str]) -> str | None:
    """The no-data code that a cell is, if it is one."""
    if cell in codes:
        return cell
    return next((code for code in codes if code.endswith("-") and cell.startswith(code)), None)


def rows_of_date(path: Path, raw: RawTable, layout: Layout, as_of: datetime.date) -> tuple[RawTable, tuple[str, ...]]:
    """Rows of one reporting date, those whose date cannot be read, and a sentence on what was left out.

    Raises
    ------
    InputError
        No row has the date.
    """
    mapping = layout.fields["as_of_date"]
    column = mapping.column
    if column is None or column not in raw.columns:
        raise InputError(
            Fault(str(path), "no column with the reporting date", f"rows of {as_of}", "Do not choose one.")
        )
    cells = raw.columns[column]
    dates = {cell: _date_or_none(cell, mapping) for cell in set(cells)}
    keep = [row for row, cell in enumerate(cells) if dates[cell] in (as_of, None)]
    others = Counter(str(date) for cell in cells if (date := dates[cell]) not in (as_of, None))
    if not any(date == as_of for date in dates.values()):
        found = f"rows of {', '.join(sorted(others)) or 'no date'}"
        raise InputError(Fault(f"{path}: {column}", found, f"rows of {as_of}", "Choose one of the dates."))
    place = {row: number for number, row in enumerate(keep)}
    chosen = replace(
        raw,
        columns={name: [values[row] for row in keep] for name, values in raw.columns.items()},
        lines=[raw.lines[row] for row in keep],
        faults={place[row]: faults for row, faults in raw.faults.items() if row in place},
    )
    left = f"{counted(others.total(), 'row')} of {counted(len(others), 'other reporting date')} left out, as asked."
    return chosen, (left,) if others else ()


def _date_or_none(cell: str, mapping: FieldMapping) -> Any:
    try:
        return cell_parser(FIELDS["as_of_date"], mapping)(cell)
    except UnreadableCellError:
        return None
