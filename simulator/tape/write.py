"""A `LoanTape` to a canonical CSV or Parquet file that `read_tape` reads back equal."""

from __future__ import annotations

import contextlib
import csv
import math
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from scenarios.errors import Fault, InputError
from simulator.tape.formulas import escaped
from simulator.tape.offline import connect_offline
from simulator.tape.tape import FIELDS, Column, LoanTape

CURRENCY_COLUMN: Final = "currency"


def write_tape(tape: LoanTape, path: Path | str, *, force: bool = False) -> None:
    """Write a tape under its final name in one step: an interrupted write leaves no file.

    Parameters
    ----------
    tape : LoanTape
        Its load report is not written.
    path : Path or str
        Ends in ``.csv`` or ``.parquet``.  In CSV, text that a spreadsheet would run as a formula gets a
        single quote in front, which `read_tape` takes away again.
    force : bool
        Whether an existing file is replaced.

    Raises
    ------
    InputError
        Another ending, a folder that does not exist, or an existing file without `force`.
    """
    path = Path(path)
    check_target(path, force=force)
    with _complete_or_absent(path) as unfinished:
        _WRITERS[path.suffix.lower()](tape, unfinished)


def check_target(path: Path, *, force: bool) -> None:
    """Refuse a name that `write_tape` could not write to; cheap, so ask before reading or drawing a book.

    Raises
    ------
    InputError
        As `write_tape` does.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InputError(Fault(str(path), f"ending '{path.suffix}'", " or ".join(_WRITERS), "Name the file so."))
    if not path.parent.is_dir():
        raise InputError(Fault(str(path.parent), "no such folder", "an existing folder", "Create it first."))
    try:
        if path.is_dir():
            raise InputError(Fault(str(path), "a folder", "a file's name", "Choose another name."))
        if path.exists() and not force:
            remedy = "Choose another, or replace it with --force."
            raise InputError(Fault(str(path), "an existing file", "a new name", remedy))
        probe = _unfinished(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        found = f"no file can be written there ({(error.strerror or str(error)).lower()})"
        raise InputError(Fault(str(path), found, "a place to write to", "Choose another name.")) from None


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")


@contextlib.contextmanager
def _complete_or_absent(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` once the body has ended well."""
    unfinished = _unfinished(path)
    try:
        yield unfinished
        with unfinished.open("rb+") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    if os.name == "nt":  # Windows cannot open a folder
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_csv(tape: LoanTape, path: Path) -> None:
    texts = [_texts(column) for column in tape.columns.values()]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*FIELDS, CURRENCY_COLUMN])
        writer.writerows((*row, tape.currency) for row in zip(*texts, strict=True))


def _texts(column: Column) -> list[str]:
    """Cells of a column; floats in the shortest form that reads back equal, empty where missing."""
    kind = column.dtype.kind
    if kind == "U":
        return [escaped(text) for text in column.tolist()]
    if kind == "M":
        return list(np.datetime_as_string(column).tolist())
    if kind == "b":
        return ["true" if flag else "false" for flag in column.tolist()]
    if kind == "i":
        return [str(value) if value >= 0 else "" for value in column.tolist()]
    return [_number_text(value) for value in column.tolist()]


def _number_text(value: float) -> str:
    if math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def _write_parquet(tape: LoanTape, path: Path) -> None:
    # duckdb finds the table by its Python name.
    table = {name: _for_duckdb(column) for name, column in tape.columns.items()}
    table[CURRENCY_COLUMN] = np.full(len(tape), tape.currency, dtype=object)
    select = ", ".join(_parquet_value(name, column) for name, column in tape.columns.items())
    with connect_offline() as connection:
        connection.register("tape_columns", table)
        connection.execute(
            f"COPY (SELECT {select}, {CURRENCY_COLUMN} FROM tape_columns) TO ? (FORMAT parquet)",  # noqa: S608 - own names
            [str(path)],
        )


def _for_duckdb(column: Column) -> Any:
    if column.dtype.kind == "U":
        return column.astype(object)
    return column.astype("datetime64[s]") if column.dtype.kind == "M" else column


def _parquet_value(name: str, column: Column) -> str:
    """SQL of a column: dates as DATE, what is missing as NULL."""
    if column.dtype.kind == "M":
        return f"CAST({name} AS DATE) AS {name}"
    if column.dtype.kind == "f":
        return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END AS {name}"
    return (
        f"NULLIF({name}, {-1 if column.dtype.kind == 'i' else repr('')}) AS {name}"
        if column.dtype.kind in "iU"
        else name
    )


_WRITERS: Final[dict[str, Callable[[LoanTape, Path], None]]] = {".csv": _write_csv, ".parquet": _write_parquet}
