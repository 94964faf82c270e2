"""One published table of a supervisor's scenario, read and checked: quarters without a gap, rates in percent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from scenarios.checks import Month
from scenarios.counted import counted
from scenarios.csv_table import DATE_COLUMN, CsvTable, find_columns, number, quarter_text, quarters
from scenarios.errors import Fault, InputError
from scenarios.schema import IncomeGrowth, InterestRate, Unemployment

NAME_COLUMN: Final = "Scenario Name"

FED_COLUMNS: Final = {
    "unemployment_percent": "Unemployment rate",
    "disposable_income_growth_percent": "Real disposable income growth",
    "prime_rate_percent": "Prime rate",
}
"""Columns of the Federal Reserve's domestic tables that are used, by the scenario's field."""

_TYPES: Final[dict[str, TypeAdapter[float]]] = {
    "unemployment_percent": TypeAdapter(Unemployment),
    "disposable_income_growth_percent": TypeAdapter(IncomeGrowth),
    "prime_rate_percent": TypeAdapter(InterestRate),
}

# Percent.  Unemployment was never below 3.5 and the prime rate never below 3.1 in the Board's tables of 2024 and 2025,
# history since 1976 and scenarios; growth is often near 0, yet its largest quarter of a scenario was never below 2.
FRACTION_BELOW: Final = {
    "unemployment_percent": 1.0,
    "disposable_income_growth_percent": 0.3,
    "prime_rate_percent": 1.0,
}
"""A path whose largest value is smaller holds fractions."""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A supervisor's table.

    Attributes
    ----------
    table : CsvTable
        The file.
    name : str
        The scenario's name in it.
    quarters : tuple of (int, int)
        First month of every row's quarter, without a gap.
    columns : mapping of str to str
        The file's column names by the scenario's field.
    values : mapping of str to tuple of float
        Percent, one a row, by the scenario's field.
    """

    table: CsvTable
    name: str
    quarters: tuple[Month, ...]
    columns: Mapping[str, str]
    values: Mapping[str, tuple[float, ...]]

    def values_of(self, quarter: Month) -> dict[str, float] | None:
        """Values of a quarter by field, percent; None if the table does not have it."""
        if quarter not in self.quarters:
            return None
        place = self.quarters.index(quarter)
        return {field: path[place] for field, path in self.values.items()}

    @property
    def described(self) -> dict[str, Any]:
        """What was read, as plain data."""
        return {
            "file": str(self.table.path),
            "sha256": self.table.sha256,
            "scenario_name": self.name,
            "quarters": len(self.quarters),
            "first": quarter_text(self.quarters[0]),
            "last": quarter_text(self.quarters[-1]),
        }


def published_table(table: CsvTable) -> PublishedTable:
    """What a CSV file says as a supervisor's table.

    Raises
    ------
    InputError
        With every fault: a column that is missing, several scenarios, a gap in the quarters, text or nothing for a
        number, fractions for percent, a value that no economy has.
    """
    found = find_columns(table, {"name": NAME_COLUMN, "date": DATE_COLUMN, **FED_COLUMNS})
    name = _scenario_name(table, found["name"]) if "name" in found else ""
    dates = quarters(table, found["date"]) if "date" in found else ()
    values = {field: _path(table, field, found[field]) for field in FED_COLUMNS if field in found}
    if table.faults:
        raise InputError(sorted(table.faults, key=lambda fault: _line(table, fault)))
    return PublishedTable(table, name, dates, {field: found[field] for field in FED_COLUMNS}, values)


def _line(table: CsvTable, fault: Fault) -> int:
    return int(fault.where.removeprefix(f"{table.path}:").split(":")[0])


def _scenario_name(table: CsvTable, column: str) -> str:
    """The one name that all rows bear; the first row of any other is a fault."""
    cells = list(table.cells(column))
    names = dict.fromkeys(text for _, text in cells)
    first = next(iter(names), "")
    for other in names:
        if other != first or not other:
            line = next(line for line, text in cells if text == other)
            found = f"scenario `{other}`" + (f" in a table of `{first}`" if other != first else "")
            remedy = "Split the file, one scenario a file, and import each."
            table.faults.append(Fault(table.where(line, column), found, "one named scenario in the file", remedy))
    return first


def _path(table: CsvTable, field: str, column: str) -> tuple[float, ...]:
    cells = [(line, text, number(table, line, column, text)) for line, text in table.cells(column)]
    numbers = [(line, value) for line, text, value in cells if value is not None]
    low = FRACTION_BELOW[field]
    largest = max((abs(value) for _, value in numbers), default=0.0)
    if 0.0 < largest < low:
        line = next(line for line, value in numbers if abs(value) == largest)
        table.faults.append(_fractions(table, line, column, largest))
    else:
        for line, value in numbers:
            _check_range(table, field, (line, column, value))
    return tuple(value for _, value in numbers)


def _fractions(table: CsvTable, line: int, column: str, largest: float) -> Fault:
    found = f"no value above {largest:g}: the column looks like fractions"
    remedy = f"Multiply the column by 100: {100.0 * largest:g} for {100.0 * largest:g} %."
    return Fault(table.where(line, column), found, "percent, as published", remedy)


def _check_range(table: CsvTable, field: str, cell: tuple[int, str, float]) -> None:
    line, column, value = cell
    where = table.where(line, column)
    try:
        _TYPES[field].validate_python(value)
    except ValidationError:
        bounds = _TYPES[field].json_schema()
        expected = f"{bounds['minimum']:g} to {bounds['maximum']:g}, percent"
        remedy = "Rates and growth are in percent a year: 5.5 for 5.5 %; 100 basis points are 1."
        table.faults.append(Fault(where, f"{value:g}", expected, remedy))
        return
    if field != "disposable_income_growth_percent" and 0.0 < value < FRACTION_BELOW[field]:
        found, remedy = f"{value:g}, which looks like a fraction", f"Write {100.0 * value:g} for {100.0 * value:g} %."
        table.faults.append(Fault(where, found, "percent, as published", remedy))


def described_rows(table: PublishedTable) -> str:
    """``Supervisory Baseline, 13 quarters, 2025Q1 to 2028Q1``."""
    first, last = quarter_text(table.quarters[0]), quarter_text(table.quarters[-1])
    return f"{table.name}, {counted(len(table.quarters), 'quarter')}, {first} to {last}"
