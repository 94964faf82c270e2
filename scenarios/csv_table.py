"""A CSV file as a table that knows its lines, so that a fault names file, line and column."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scenarios.checks import Month, add_months, months_between
from scenarios.counted import counted
from scenarios.digest import file_digest
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.shelf import read_text

DATE_COLUMN: Final = "Date"

_NUMBER: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_QUARTER: Final = re.compile(r"([0-9]{4}) ?Q([1-4])")
_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MAX_SHOWN: Final = 40
_MAX_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its line in the file, 1-based, and its cells, blanks at their ends removed."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file, all cells text.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Its SHA-256, hexadecimal.
    columns : tuple of str
        Names in the first line.
    rows : tuple of CsvRow
        The rows that are not blank.
    faults : list of Fault
        What is wrong with the table's form: rows with too few or too many cells; readers add theirs.
    """

    path: Path
    sha256: str
    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]
    faults: list[Fault] = field(default_factory=list)

    def where(self, line: int, column: str = "") -> str:
        """Place of a cell, ``file:line: column``, or of a line."""
        return f"{self.path}:{line}: {column}" if column else f"{self.path}:{line}"

    def cells(self, column: str) -> Iterator[tuple[int, str]]:
        """Line and text of a column's cells; rows of another length than the first line's are left out."""
        place = self.columns.index(column)
        return ((row.line, row.cells[place]) for row in self.rows if len(row.cells) == len(self.columns))


def read_table(path: Path) -> CsvTable:
    """A CSV file: UTF-8, separated by commas, names in the first line.

    Raises
    ------
    InputError
        The file is missing, unreadable, binary, empty, or no table at all.
    """
    text = read_text(path)
    rows: list[CsvRow] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 0
    try:
        for cells in reader:
            stripped = tuple(" ".join(cell.split()) for cell in cells)
            if any(stripped):
                rows.append(CsvRow(line + 1, stripped))
            line = reader.line_num
    except csv.Error as error:
        remedy = "Look for an open quotation mark; else save the table as CSV anew."
        raise InputError(
            Fault(f"{path}:{line + 1}", f"no CSV ({error})", "cells separated by commas", remedy)
        ) from None
    if not rows:
        remedy = "Check that it is the right file and was saved."
        raise InputError(Fault(f"{path}:1", "nothing in the file", "column names and rows below them", remedy))
    table = CsvTable(path, file_digest(path), rows[0].cells, tuple(rows[1:]))
    table.faults.extend(_faults_of_form(table, rows[0].line))
    return table


def _faults_of_form(table: CsvTable, first: int) -> Iterator[Fault]:
    header = table.columns
    separator = next((mark for mark in _OTHER_SEPARATORS if len(header) == 1 and mark in header[0]), None)
    if separator is not None:
        found = f"one column only, its name with {_OTHER_SEPARATORS[separator]}"
        remedy = "Save the table with commas between cells and points in numbers."
        raise InputError(Fault(table.where(first), found, "cells separated by commas", remedy))
    if not table.rows:
        remedy = "Check that the file is whole."
        raise InputError(Fault(table.where(first), "column names only", "rows below them", remedy))
    for row in table.rows:
        if len(row.cells) != len(header):
            found, expected = f"{counted(len(row.cells), 'cell')}", f"{len(header)}, as the first line has"
            yield Fault(table.where(row.line), found, expected, "Look for a missing or an unquoted comma.")


def find_columns(table: CsvTable, wanted: Mapping[str, str]) -> dict[str, str]:
    """The table's own names of wanted columns, by key; case does not count.

    Parameters
    ----------
    wanted : mapping of str to str
        Names to look for, by key.  A column that is not there, or there
        more than once, becomes one of the table's faults.
    """
    folded = [name.casefold() for name in table.columns]
    found = {key: table.columns[folded.index(fold)] for key, fold in _folds(wanted).items() if folded.count(fold) == 1}
    others = [name for name in table.columns if name and name not in found.values()]
    for key, fold in _folds(wanted).items():
        name = wanted[key]
        if fold not in folded:
            listed = ", ".join(f"`{other}`" for other in others[:_MAX_LISTED]) or "no others"
            remedy = nearest(name, others) or f"The columns that are not used are {listed}."
            table.faults.append(Fault(table.where(1, name), f"column `{name}` is missing", "one of that name", remedy))
        elif key not in found:
            times = f"column `{name}` {folded.count(fold)} times"
            table.faults.append(Fault(table.where(1, name), times, "it once", "Remove or rename the others."))
    return found


def _folds(wanted: Mapping[str, str]) -> dict[str, str]:
    return {key: name.casefold() for key, name in wanted.items()}


def number(table: CsvTable, line: int, column: str, text: str) -> float | None:
    """A cell's number; None, and one of the table's faults, where it is none."""
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    found = "an empty cell" if not text else f"`{text[:_MAX_SHOWN]}`"
    table.faults.append(Fault(table.where(line, column), found, "a number", _number_remedy(text)))
    return None


def _number_remedy(text: str) -> str:
    bare = text.removesuffix("%").strip()
    if bare != text and _NUMBER.fullmatch(bare):
        return f"Write {bare}, without the sign."
    if _NUMBER.fullmatch(text.replace(",", ".")):
        return f"Write a decimal point: {text.replace(',', '.')}."
    if _NUMBER.fullmatch(text.replace(",", "")):
        return f"Write {text.replace(',', '')}, without commas."
    return "" if text else "Fill it in; a value that is not known cannot be guessed."


# --- quarters -----------------------------------------------------------------------------------------


def quarter_of(text: str) -> Month | None:
    """First month of a quarter written as ``2025 Q1`` or ``2025Q1``; None for anything else."""
    match = _QUARTER.fullmatch(text)
    return (int(match[1]), 3 * int(match[2]) - 2) if match else None


def quarter_text(month: Month) -> str:
    """A quarter by its first month, as ``2025Q1``."""
    return f"{month[0]:04d}Q{(month[1] + 2) // 3}"


def quarters(table: CsvTable, column: str) -> tuple[Month, ...]:
    """First months of the quarters of a column; each that does not follow the one before is one of the faults."""
    place = table.columns.index(column)
    found: list[Month] = []
    for row in table.rows:
        text = row.cells[place] if place < len(row.cells) else ""
        month = quarter_of(text)
        if month is None:
            shown = f"`{text[:_MAX_SHOWN]}`" if text else "an empty cell"
            remedy = "The rows must be quarters, each with its year."
            table.faults.append(Fault(table.where(row.line, column), shown, "a quarter, as in 2025 Q1", remedy))
            month = add_months(found[-1], 3) if found else None
        elif found and month != add_months(found[-1], 3):
            table.faults.append(_break(table, row.line, column, (found[-1], month)))
        if month is not None:
            found.append(month)
    return tuple(found)


def _break(table: CsvTable, line: int, column: str, pair: Sequence[Month]) -> Fault:
    """A quarter that does not follow the one before: a gap, a repetition, a step back."""
    before, month = pair
    steps = months_between(before, month) // 3
    found = f"{quarter_text(month)} after {quarter_text(before)}"
    remedy = f"{counted(steps - 1, 'quarter')} missing." if steps > 1 else "Put the rows in order, each quarter once."
    return Fault(table.where(line, column), found, quarter_text(add_months(before, 3)), remedy)
