"""A supervisor's published tables -> `MacroScenario`: the Federal Reserve's supervisory scenarios, domestic.

A table has one row a quarter, ``Scenario Name`` and ``Date`` in front, rates in percent and growth annualised; three
of its columns are used.  It has no used-car price (`scenarios/used_car_source.py`), and not the quarter before its
first, from which paths set out: that is in the publication's historic table, or in the shipped history.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from scenarios.checks import NAME_PATTERN, Month, add_months, month_text
from scenarios.csv_table import DATE_COLUMN, quarter_of, quarter_text, read_table
from scenarios.errors import Fault, InputError
from scenarios.history import us_history
from scenarios.load import spec_from_text
from scenarios.published_table import FED_COLUMNS, NAME_COLUMN, PublishedTable, described_rows, published_table
from scenarios.published_text import Draft, draft_text, escaped, printable
from scenarios.schema import MacroScenario
from scenarios.show import INTERPOLATION
from scenarios.used_car_source import Calendar, UsedCarIndex, UsedCarWish, check_wish, used_car_index

HISTORY_OPTION: Final = "--history"
JUMP_OFF_OPTION: Final = "--jump-off"

POINTS: Final = 100.0
"""Percent points in 1; the history speaks in fractions."""

_HISTORY_DIGITS: Final = 9
_HISTORY_NAMES: Final = {field: field.removesuffix("_percent") for field in FED_COLUMNS}

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class ImportWish:
    """What to make of which tables.

    Attributes
    ----------
    file : Path
        The supervisor's table.
    used_car : UsedCarWish
        Where the used-car index comes from.
    history : Path or None
        The publication's historic table; None: the shipped history, for a quarter that the table does not have.
    jump_off : str or None
        Quarter whose values are month 0, ``2024Q4``; None: the one before the table's first.
    name, title, source : str or None
        What the scenario says of itself; None: made from the table's own name and year.
    """

    file: Path
    used_car: UsedCarWish
    history: Path | None = None
    jump_off: str | None = None
    name: str | None = None
    title: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A scenario made from published tables.

    Attributes
    ----------
    scenario : MacroScenario
        What `text` says.
    text : str
        The scenario's file, YAML with comments.
    record : dict
        What was read, which columns were used and which were not, and what was assumed; plain data.
    lines : tuple of str
        The record for a reader.
    """

    scenario: MacroScenario
    text: str
    record: dict[str, Any]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _JumpOff:
    """The quarter of month 0, its values by field in percent, and where they were found."""

    quarter: Month
    values: Mapping[str, float]
    source: str


def import_published(wish: ImportWish) -> Imported:
    """A scenario from a supervisor's table, and the text of its file.

    Raises
    ------
    InputError
        With every fault of every file and option.
    """
    faults = list(_faults_of_words(wish))
    table = _attempt(faults, lambda: published_table(read_table(wish.file)))
    history_file = wish.history
    history = _attempt(faults, lambda: published_table(read_table(history_file))) if history_file else None
    quarter = _attempt(faults, lambda: _jump_off_quarter(wish.jump_off, table)) if table else None
    if table is None or quarter is None:
        _attempt(faults, lambda: check_wish(wish.used_car))
        raise InputError(faults)
    known = history_file is None or history is not None
    jump_off = _attempt(faults, lambda: _jump_off(quarter, table, history)) if known else None
    values = _values_after(quarter, table)
    peak = max(values["unemployment_percent"])
    rise = peak - jump_off.values["unemployment_percent"] if jump_off else None
    calendar = Calendar(quarter, len(values["unemployment_percent"]), rise)
    used_car = _attempt(faults, lambda: used_car_index(wish.used_car, calendar))
    if faults or jump_off is None or used_car is None:
        raise InputError(faults)
    draft = _draft(wish, table, jump_off, used_car)
    text = draft_text(draft)
    scenario = spec_from_text(text, f"{draft.name}.yaml", MacroScenario)
    tables = (table, history) if history else (table,)
    record = _record(tables, jump_off, used_car)
    return Imported(
        scenario, text, {"name": draft.name, **record}, tuple(map(escaped, _lines(tables, jump_off, used_car)))
    )


def _attempt(faults: list[Fault], work: Callable[[], Found]) -> Found | None:
    """What work returns; None, its faults added to the others, where it refuses."""
    try:
        return work()
    except InputError as error:
        faults.extend(error.faults)
        return None


def _faults_of_words(wish: ImportWish) -> Iterator[Fault]:
    if wish.name is not None and not re.match(NAME_PATTERN, wish.name):
        expected = "letters, digits, `_`, `.` and `-`, at most 64, a letter or digit first"
        yield Fault("--name", f"`{wish.name}`", expected, "It becomes a part of file names.")
    for option, text in (("--title", wish.title), ("--source", wish.source)):
        if text is not None and not printable(text):
            found = "control characters" if text.strip() else "nothing"
            yield Fault(option, found, "text", "Write what a reader should see.")


# --- the quarter from which paths set out ---------------------------------------------------------------


def _jump_off_quarter(wished: str | None, table: PublishedTable) -> Month:
    before, last = add_months(table.quarters[0], -3), table.quarters[-1]
    if wished is None:
        return before
    quarter = quarter_of(wished)
    if quarter is None or not before <= quarter < last:
        expected = f"a quarter from {quarter_text(before)} to {quarter_text(add_months(last, -3))}, as in 2025Q1"
        remedy = f"{table.table.path} has {quarter_text(table.quarters[0])} to {quarter_text(last)}."
        raise InputError(Fault(JUMP_OFF_OPTION, f"`{wished}`", expected, remedy))
    return quarter


def _jump_off(quarter: Month, table: PublishedTable, history: PublishedTable | None) -> _JumpOff:
    """Values of the jump-off quarter: of the historic table, else the scenario's own, else the shipped history's."""
    for source in (history, table):
        values = source.values_of(quarter) if source else None
        if source and values:
            file = source.table
            return _JumpOff(quarter, values, f"{file.path.name} (SHA-256 {file.sha256})")
    if history is not None:
        first, last = quarter_text(history.quarters[0]), quarter_text(history.quarters[-1])
        found, remedy = f"quarters {first} to {last}", "Give the historic table of the same publication."
        expected = f"{quarter_text(quarter)}, the quarter before the scenario's first"
        raise InputError(Fault(history.table.where(1, DATE_COLUMN), found, expected, remedy))
    return _shipped_jump_off(quarter)


def _shipped_jump_off(quarter: Month) -> _JumpOff:
    wanted = np.array([month_text(quarter)], dtype="datetime64[ns]")
    here = us_history().reindex(quarter=wanted).isel(quarter=0)
    known = {field: float(here[name]) for field, name in _HISTORY_NAMES.items() if not np.isnan(here[name])}
    values = {field: round(POINTS * value, _HISTORY_DIGITS) for field, value in known.items()}
    if len(values) < len(FED_COLUMNS):
        found = f"no value of {quarter_text(quarter)}, the quarter before the scenario's first, in the shipped history"
        remedy = f"Give the publication's historic table: {HISTORY_OPTION} FILE.csv."
        raise InputError(Fault(HISTORY_OPTION, found, "values from which the paths set out", remedy))
    return _JumpOff(quarter, values, "the shipped history `us` (Federal Reserve, 2025 Stress Test Scenarios, Table 1A)")


def _values_after(quarter: Month, table: PublishedTable) -> dict[str, tuple[float, ...]]:
    first = table.quarters.index(add_months(quarter, 3))
    return {field: path[first:] for field, path in table.values.items()}


# --- what it says of itself -----------------------------------------------------------------------------


def _draft(wish: ImportWish, table: PublishedTable, jump_off: _JumpOff, used_car: UsedCarIndex) -> Draft:
    year = table.quarters[0][0]
    short = re.sub(r"[^a-z0-9]+", "_", table.name.lower().replace("supervisory", "")).strip("_")
    own = f"Board of Governors of the Federal Reserve System, supervisory scenarios {year}, domestic, {table.name}"
    file = f"{table.table.path.name} (SHA-256 {table.table.sha256})"
    source = (
        f"{(wish.source or own).rstrip('. ')}: {file}. Jump-off {quarter_text(jump_off.quarter)} from "
        f"{jump_off.source}. Used-car index: {used_car.source.rstrip('. ')}."
    )
    missing = "The table has no used-car price, so the index "
    return Draft(
        name=wish.name or f"fed_{year}_{short}"[:64].rstrip("_"),
        title=wish.title or f"Federal Reserve {year}, {table.name.lower()}",
        description=f"{table.name} as published. {missing}"
        + ("is an assumption." if used_car.assumption else "comes from elsewhere: see source."),
        source=source,
        quarters=(jump_off.quarter, *table.quarters[table.quarters.index(add_months(jump_off.quarter, 3)) :]),
        jump_off=jump_off.values,
        columns=table.columns,
        ignored=_ignored(table),
        values=_values_after(jump_off.quarter, table),
        used_car=used_car,
    )


def _ignored(table: PublishedTable) -> tuple[str, ...]:
    """Columns that were not used, in the table's order; those that name and date a row are."""
    used = {name.casefold() for name in (NAME_COLUMN, DATE_COLUMN, *table.columns.values())}
    return tuple(name for name in table.table.columns if name and name.casefold() not in used)


def _record(tables: tuple[PublishedTable, ...], jump_off: _JumpOff, used_car: UsedCarIndex) -> dict[str, Any]:
    table = tables[0]
    used = {column: {"field": field, "interpolation": INTERPOLATION[field]} for field, column in table.columns.items()}
    quarter = quarter_text(jump_off.quarter)
    return {
        "tables": [item.described for item in tables],
        "columns_used": used,
        "columns_ignored": list(_ignored(table)),
        "jump_off": {"quarter": quarter, "values": dict(jump_off.values), "source": jump_off.source},
        "used_car_index": {
            "source": used_car.source,
            "assumption": used_car.assumption,
            "confidence": "L" if used_car.assumption else None,
            "interpolation": INTERPOLATION["used_car_index"],
            "file": used_car.file,
        },
    }


def _lines(tables: tuple[PublishedTable, ...], jump_off: _JumpOff, used_car: UsedCarIndex) -> tuple[str, ...]:
    table = tables[0]
    used = "; ".join(f"{column} ({INTERPOLATION[field]})" for field, column in table.columns.items())
    return (
        *(f"{item.table.path}: {described_rows(item)}" for item in tables),
        f"Columns used: {used}.",
        f"Columns not used: {', '.join(_ignored(table)) or 'none'}.",
        f"Jump-off {quarter_text(jump_off.quarter)}: from {jump_off.source}.",
        f"Used-car index: {used_car.source}.",
    )
