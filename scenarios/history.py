"""What was: quarterly history of the United States, for jump-off values, pictures and the ageing of car values."""

from __future__ import annotations

import functools
from typing import Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from scenarios.checks import PERIOD_PATTERN, add_months, first_month, month_text
from scenarios.load import spec_from_text
from scenarios.macro import PERCENT
from scenarios.schema import IncomeGrowth, IndexLevel, InterestRate, Name, Unemployment
from scenarios.shelf import Shelf
from scenarios.spec import Spec

HISTORIES: Final = Shelf("history", "scenarios", "library/history")

QUARTERS: Final = 4
MIDDLE_MONTH: Final = 1
"""The middle month of a quarter, counted from its first."""

Year = Annotated[str, Field(pattern=r"^[0-9]{4}$")]


class MacroHistory(Spec):
    """Published quarters of a country, by year."""

    kind: Literal["macro_history"]
    """What this file is."""

    name: Name
    """The country."""

    source: str
    """Publications and series."""

    start: Annotated[str, Field(pattern=PERIOD_PATTERN)]
    """First quarter of every series."""

    unemployment_percent: dict[Year, tuple[Unemployment, ...]]
    """Percent of the labour force, mean of the quarter."""

    disposable_income_growth_percent: dict[Year, tuple[IncomeGrowth, ...]]
    """Real growth on the quarter before, percent a year."""

    prime_rate_percent: dict[Year, tuple[InterestRate, ...]]
    """Percent a year, mean of the quarter."""

    used_car_index: dict[Year, tuple[IndexLevel, ...]]
    """Price index of used cars, mean of the quarter."""


def us_history() -> xr.Dataset:
    """The United States by quarter.

    Returns
    -------
    xr.Dataset
        float64[quarter]: ``unemployment``, ``disposable_income_growth`` and ``prime_rate`` as fractions (a year),
        ``used_car_index`` as a level (1982-84 = 100).  `quarter` is datetime64, the quarter's first day.  A series
        that ends before another is NaN from there on.
    """
    history = _us()
    names = {
        "unemployment": history.unemployment_percent,
        "disposable_income_growth": history.disposable_income_growth_percent,
        "prime_rate": history.prime_rate_percent,
        "used_car_index": history.used_car_index,
    }
    size = max(_flat(series).size for series in names.values())
    start = first_month(history.start)
    quarter = np.array([np.datetime64(month_text(add_months(start, 3 * step))) for step in range(size)])
    columns = {}
    for name, series in names.items():
        values = np.full(size, np.nan)
        flat = _flat(series)
        values[: flat.size] = flat * (1.0 if name == "used_car_index" else PERCENT)
        unit = "index, 1982-84 = 100" if name == "used_car_index" else "1"
        columns[name] = ("quarter", values, {"units": unit, "long_name": name.replace("_", " ")})
    return xr.Dataset(
        columns,
        coords={"quarter": quarter.astype("datetime64[ns]")},
        attrs={"source": history.source, "title": "United States, quarterly history"},
    )


def used_car_index_at(year: npt.ArrayLike, month: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Level of the US used-car price index in a month.

    Linear in logarithms between the middle months of the quarters.  Before the first and after the last of them
    (`used_car_index_span`) the nearest level holds.

    Parameters
    ----------
    year, month : array_like of int
        Years and months, 1 to 12, of one shape.

    Returns
    -------
    float64[...]
        Levels, 1982-84 = 100, of that shape.
    """
    levels = _flat(_us().used_car_index)
    wanted = np.asarray(year, dtype=np.float64) * 12 + np.asarray(month, dtype=np.float64) - 1
    knots = _month_number(_middle(0)) + 3.0 * np.arange(levels.size)
    return np.exp(np.interp(wanted, knots, np.log(levels)))


def used_car_index_span() -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last month (year, month) that `used_car_index_at` knows rather than holds."""
    return _middle(0), _middle(_flat(_us().used_car_index).size - 1)


@functools.cache
def _us() -> MacroHistory:
    found = HISTORIES.find("us", None, "history")
    history = spec_from_text(found.text, found.name, MacroHistory)
    for series in (history.unemployment_percent, history.used_car_index):
        years = [int(year) for year in series]
        whole = all(len(values) == QUARTERS for values in list(series.values())[:-1])
        if not whole or years != list(range(years[0], years[-1] + 1)):
            raise ValueError("library/history/us.yaml: a quarter is missing")
    return history


def _flat(series: dict[str, tuple[float, ...]]) -> npt.NDArray[np.float64]:
    return np.array([value for values in series.values() for value in values])


def _middle(quarter: int) -> tuple[int, int]:
    return add_months(first_month(_us().start), 3 * quarter + MIDDLE_MONTH)


def _month_number(month: tuple[int, int]) -> int:
    return month[0] * 12 + month[1] - 1
