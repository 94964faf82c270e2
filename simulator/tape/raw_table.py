"""Rows of a loan file as text, before they mean anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenarios.errors import Fault, InputError
from simulator.tape.report import CellFault, Position, RejectedRow


@dataclass(frozen=True, slots=True)
class RawTable:
    """Text cells of the columns that were asked for.

    Attributes
    ----------
    header : tuple of str
        All column names of the file, in its order; of XML, all elements of its records, as they first occur.
    columns : Mapping of str to list of str
        Column -> one cell a row, spaces around it removed; only columns that were asked for and exist.
    lines : Sequence of int
        Line on which each row begins, the header being line 1; row numbers from 1 for Parquet; of XML the line of
        each record, or, where records share lines, its number from 1.
    ragged : tuple of RejectedRow
        Rows that cannot be split into the header's columns.
    faults : Mapping of int to list of CellFault
        Row -> what is wrong with how it is written, where its cells can be told apart all the same.
    floating : frozenset of str
        Columns that the file stores as floating point (Parquet only).
    is_text : bool
        Whether the file is a text table, where cells may carry a guard against formulas.
    position : str
        What `lines` counts.
    notes : tuple of str
        What a reader should know about how the file is written.
    """

    header: tuple[str, ...]
    columns: Mapping[str, list[str]]
    lines: Sequence[int]
    ragged: tuple[RejectedRow, ...] = ()
    faults: Mapping[int, list[CellFault]] = field(default_factory=dict)
    floating: frozenset[str] = frozenset()
    is_text: bool = True
    position: Position = "line"
    notes: tuple[str, ...] = ()


def file_fault(path: Path, found: str, expected: str, remedy: str = "", *, line: int | None = None) -> InputError:
    """What is wrong with a whole file, or with one line of it so that the rest cannot be read."""
    return InputError(Fault(f"{path}:{line}" if line else str(path), found, expected, remedy))
