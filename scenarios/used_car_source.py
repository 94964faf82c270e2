"""The used-car index of an imported scenario: an explicit path, or a named satellite, which is an assumption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from scenarios.checks import SMALLEST_RECESSION, Month, add_months, months_between
from scenarios.csv_table import DATE_COLUMN, CsvTable, find_columns, number, quarter_text, quarters, read_table
from scenarios.digest import file_digest
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.library import find_scenario
from scenarios.macro import START_LEVEL, satellite_levels
from scenarios.schema import MacroScenario, Satellite, UsedCarSegment
from scenarios.shelf import is_path

OPTION: Final = "--used-car"
PATH_OPTION: Final = "--used-car-path"
COLUMN_OPTION: Final = "--used-car-column"

LEVEL_DIGITS: Final = 4
"""Decimals of a level after it was put on 100."""

LOWEST, HIGHEST = 5.0, 1000.0
"""Levels that a scenario may have, as `scenarios.schema.IndexLevel` says."""

RECORDED_FALLS: Final = (
    "a fall of 20 percent is the size of those of 2001-2004 (-19.0) and 2022-2024 (-19.4) in CPI series "
    "CUSR0000SETA02 (US Bureau of Labor Statistics)"
)


@dataclass(frozen=True, slots=True)
class UsedCarWish:
    """Where a used-car index shall come from.

    Attributes
    ----------
    satellite : str
        Name of a satellite; not used where there is a path.
    peak_to_trough_percent : float or None
        Fall of satellite unemployment_gap, percent, at most 0; None: its default.
    lag_quarters : int or None
        Quarters by which that follows unemployment; None: its default.
    path : str or None
        A CSV file with one row a quarter, or a scenario by path or shipped name.
    column : str or None
        The column of the CSV file that is the price of all segments.
    """

    satellite: Literal["unemployment_gap", "flat"] = "unemployment_gap"
    peak_to_trough_percent: float | None = None
    lag_quarters: int | None = None
    path: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class UsedCarIndex:
    """A used-car index for a scenario's file.

    Attributes
    ----------
    paths : mapping of str to (Satellite or tuple of float)
        By segment, a satellite or levels, one a quarter, 100 in the quarter before the first.
    source : str
        Where it comes from, a sentence without its full stop.
    assumption : bool
        Whether it is a satellite, or was taken from a scenario that calls itself an assumption.
    file : dict or None
        Name and SHA-256 of the file that it was read from.
    """

    paths: Mapping[str, Satellite | tuple[float, ...]]
    source: str
    assumption: bool
    file: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Quarters of the scenario: the jump-off's first month, how many follow, and how far unemployment rises (points).

    The rise is None where it is not known, because the tables have faults.
    """

    jump_off: Month
    periods: int
    rise: float | None

    @property
    def wanted(self) -> tuple[Month, ...]:
        """First months of the jump-off quarter and of those after it."""
        return tuple(add_months(self.jump_off, 3 * step) for step in range(self.periods + 1))


def used_car_index(wish: UsedCarWish, calendar: Calendar) -> UsedCarIndex:
    """The index that was wished for.

    Raises
    ------
    InputError
        The file has faults or other quarters; unemployment hardly rises under satellite unemployment_gap.
    """
    if wish.path is None:
        return _from_satellite(wish, calendar)
    if wish.path.lower().endswith(".csv"):
        return _from_csv(Path(wish.path), wish.column, calendar)
    return _from_scenario(wish.path, calendar)


def check_wish(wish: UsedCarWish) -> None:
    """Read the file that the index would come from, where the scenario's quarters are not known.

    Raises
    ------
    InputError
        The file has faults.
    """
    if wish.path is None:
        return
    if not wish.path.lower().endswith(".csv"):
        find_scenario(wish.path, None, PATH_OPTION)
    elif faults := _read_prices(Path(wish.path), wish.column).table.faults:
        raise InputError(faults)


# --- a satellite --------------------------------------------------------------------------------------


def _from_satellite(wish: UsedCarWish, calendar: Calendar) -> UsedCarIndex:
    if wish.satellite == "flat":
        source = f"assumption, confidence L: satellite flat, the index stays at {START_LEVEL:g}"
        return UsedCarIndex({"all": Satellite(satellite="flat")}, source, assumption=True)
    if calendar.rise is not None and calendar.rise < SMALLEST_RECESSION:
        found = f"unemployment rises by {max(calendar.rise, 0.0):g} points only under satellite:unemployment_gap"
        remedy = f"Write `{OPTION} satellite:flat`, or give the price with {PATH_OPTION}."
        raise InputError(Fault(OPTION, found, f"a rise by {SMALLEST_RECESSION:g} or more above the jump-off", remedy))
    given = {"peak_to_trough_percent": wish.peak_to_trough_percent, "lag_quarters": wish.lag_quarters}
    satellite = Satellite(
        satellite="unemployment_gap", **{name: value for name, value in given.items() if value is not None}
    )
    fall, lag = satellite.peak_to_trough_percent, satellite.lag_quarters
    source = (
        f"assumption, confidence L: satellite unemployment_gap, {fall:g} percent where unemployment's rise is largest, "
        f"{lag} quarter{'' if lag == 1 else 's'} after it"
    )
    size = f"; {RECORDED_FALLS}" if fall == Satellite.model_fields["peak_to_trough_percent"].default else ""
    return UsedCarIndex({"all": satellite}, source + size, assumption=True)


# --- a file with one row a quarter ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Prices:
    """A CSV file's quarters, and its levels by segment; `names` are the columns that hold them."""

    table: CsvTable
    months: tuple[Month, ...]
    names: Mapping[str, str]
    levels: Mapping[str, Sequence[float]]


def _read_prices(path: Path, column: str | None) -> _Prices:
    table = read_table(path)
    names = _price_columns(table, column)
    found = find_columns(table, {"date": DATE_COLUMN, **names})
    months = quarters(table, found["date"]) if "date" in found else ()
    return _Prices(table, months, names, {key: _levels_of(table, found[key]) for key in names if key in found})


def _from_csv(path: Path, column: str | None, calendar: Calendar) -> UsedCarIndex:
    prices = _read_prices(path, column)
    table, months = prices.table, prices.months
    _check_span(table, months, calendar)
    if table.faults:
        raise InputError(table.faults)
    first = months.index(calendar.jump_off)
    paths = {
        segment: tuple(
            round(START_LEVEL * level / levels[first], LEVEL_DIGITS)
            for level in levels[first + 1 : first + 1 + calendar.periods]
        )
        for segment, levels in prices.levels.items()
    }
    _check_levels(table, paths, prices.names)
    listed = ", ".join(f"{name} for {segment}" for segment, name in prices.names.items())
    base = f"{quarter_text(calendar.jump_off)} = {START_LEVEL:g}"
    source = f"{path.name} (SHA-256 {table.sha256}), column {listed}, {base}"
    return UsedCarIndex(paths, source, assumption=False, file={"file": str(path), "sha256": table.sha256})


def _price_columns(table: CsvTable, column: str | None) -> dict[str, str]:
    """Names of the columns that hold prices, by segment."""
    if column is not None:
        return {"all": column}
    segments = {name: name for name in get_args(UsedCarSegment) if name in table.columns}
    others = [name for name in table.columns if name.casefold() != DATE_COLUMN.casefold()]
    if not segments and len(others) == 1:
        return {"all": others[0]}
    if "all" not in segments:
        found = f"columns {', '.join(f'`{name}`' for name in table.columns)}"
        remedy = nearest("all", others) or f"Name the price of all segments: {COLUMN_OPTION} NAME."
        table.faults.append(Fault(table.where(1), found, "a column `all` beside those of segments", remedy))
    return segments


def _levels_of(table: CsvTable, column: str) -> list[float]:
    found: list[float] = []
    for line, text in table.cells(column):
        value = number(table, line, column, text)
        if value is not None and value <= 0.0:
            remedy = "An index of prices has levels, not changes."
            table.faults.append(Fault(table.where(line, column), f"{value:g}", "a level above 0", remedy))
        found.append(value or 0.0)
    return found


def _check_span(table: CsvTable, months: Sequence[Month], calendar: Calendar) -> None:
    """Every quarter of the scenario must be there, and the one before its first."""
    missing = [quarter_text(month) for month in calendar.wanted if month not in months]
    whole = bool(months) and months_between(months[0], months[-1]) == 3 * (len(months) - 1)
    if missing and whole:  # a gap inside has been reported with its line
        found = f"quarters {quarter_text(months[0])} to {quarter_text(months[-1])}, without {', '.join(missing)}"
        wanted = calendar.wanted
        expected = f"every quarter from the jump-off's, {quarter_text(wanted[0])}, to {quarter_text(wanted[-1])}"
        remedy = f"The level of {quarter_text(wanted[0])} becomes {START_LEVEL:g}, so it must be there."
        table.faults.append(Fault(table.where(1, DATE_COLUMN), found, expected, remedy))


def _check_levels(table: CsvTable, paths: Mapping[str, Sequence[float]], names: Mapping[str, str]) -> None:
    faults = []
    for segment, levels in paths.items():
        for place, level in enumerate(levels):
            if not LOWEST <= level <= HIGHEST:
                found = f"quarter {place + 1} of the scenario at {level:g} where the jump-off is {START_LEVEL:g}"
                remedy = "The column must hold levels of one index, the jump-off quarter's included."
                expected = f"{LOWEST:g} to {HIGHEST:g}"
                faults.append(Fault(table.where(1, names[segment]), found, expected, remedy))
    if faults:
        raise InputError(faults)


# --- another scenario -----------------------------------------------------------------------------------


def _from_scenario(reference: str, calendar: Calendar) -> UsedCarIndex:
    other = find_scenario(reference, None, PATH_OPTION)
    _check_calendar(other, calendar)
    paths = {str(segment): _levels(path, other)[: calendar.periods] for segment, path in other.used_car_index.items()}
    path = Path(reference) if is_path(reference) else None
    file = {"file": str(path), "sha256": file_digest(path)} if path else None
    assumed = "assumption" in other.source.lower() or any(
        isinstance(item, Satellite) for item in other.used_car_index.values()
    )
    told = f"file {path.name} (SHA-256 {file_digest(path)})" if path else "shipped"
    mark = "assumption, confidence L: " if assumed else ""
    return UsedCarIndex(paths, f"{mark}that of scenario {other.name}, {told}: {other.source}", assumed, file)


def _levels(path: Any, other: MacroScenario) -> tuple[float, ...]:
    levels = satellite_levels(path, other) if isinstance(path, Satellite) else path
    return tuple(round(level, LEVEL_DIGITS) for level in levels)


def _check_calendar(other: MacroScenario, calendar: Calendar) -> None:
    faults = []
    start = add_months(calendar.jump_off, 3)
    if other.frequency != "quarterly":
        found, remedy = f"frequency = {other.frequency}", "Give the index as a CSV file with one row a quarter."
        faults.append(Fault(other.where("frequency"), found, "quarterly, as the table is", remedy))
    if other.first_month != start:
        off = months_between(start, other.first_month)
        found = f"start = {other.start}, {abs(off)} months {'after' if off > 0 else 'before'} the table's"
        remedy = "Its index is 100 before its own start; give the index as a CSV file instead."
        faults.append(Fault(other.where("start"), found, quarter_text(start), remedy))
    if other.months < 3 * calendar.periods:
        found = f"{other.months // 3} quarters of the used-car index"
        faults.append(Fault(other.where("used_car_index"), found, f"{calendar.periods}, as the table has", ""))
    if faults:
        raise InputError(faults)
