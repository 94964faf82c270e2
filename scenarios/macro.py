"""A scenario -> monthly paths from the tape's as-of month on. Percent becomes fraction by this file's `PERCENT` alone.

Month 0 is the as-of month: every path sets out from its jump-off value there.  Month 1 is the scenario's first.
Between, by variable:

* unemployment, prime rate: linear between the middle months of the quarters;
* growth of disposable income: constant within the quarter.  It is a rate a year, so a month grows by
  (1 + g)^(1/12) - 1 and three of them compound to the quarter's growth;
* fuel price, used-car index: linear in logarithms between the middle months of the quarters.

The months after the last quarter's middle hold its value.  Monthly paths are used as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from scenarios.checks import MONTHS_PER_PERIOD, Month, add_months, month_text
from scenarios.errors import Fault, InputError
from scenarios.schema import MacroScenario, OffsetVariable, Satellite
from scenarios.vocabulary import MACRO_VARIABLES, SEGMENTS

Floats = npt.NDArray[np.float64]

PERCENT: Final = 0.01
START_LEVEL: Final = 100.0
"""Level of the used-car index in month 0."""

LOOKS_LIKE_A_FRACTION: Final = 0.3
"""Percent: a whole path of rates below this may be a policy rate near zero, or fractions by mistake."""


def offset_table(level: str, names: Sequence[str], table: Sequence[Sequence[float]]) -> xr.DataArray:
    """Offsets from the nation of the regions or sectors named: float64[level, macro_variable], fractions."""
    return xr.DataArray(
        np.asarray(table, dtype=np.float64).reshape(len(names), len(MACRO_VARIABLES)),
        dims=(level, "macro_variable"),
        coords={level: np.asarray(names, dtype=str), "macro_variable": list(MACRO_VARIABLES)},
        attrs={"units": "1", "long_name": f"{level} offset from the nation, fractions"},
    )


@dataclass(frozen=True)
class MonthlyMacro:
    """The monthly form of a scenario: what the engine runs on.

    Attributes
    ----------
    name : str
        The scenario's name.
    macro : xr.DataArray
        float64[month, macro_variable], month 0 .. n_months.  Fractions a year; fuel_price relative to month 0.
    used_car_index : xr.DataArray
        float64[month, segment], relative to month 0, which is 1.
    regional_offset : xr.DataArray
        float64[region, macro_variable], fractions added to the nation's value; only regions that the scenario names.
    beyond : str or None
        What happens after the path's end, in words; None if the scenario does not say.
    assumptions : tuple of str
        Sentences for the report: what the scenario takes for granted rather than from its source.
    shifted : bool
        The scenario was moved to the tape's date.
    sector_offset : xr.DataArray
        float64[sector, macro_variable], fractions added to the nation's value beside the region's; only employment
        sectors that the scenario names.
    """

    name: str
    macro: xr.DataArray
    used_car_index: xr.DataArray
    regional_offset: xr.DataArray
    beyond: str | None
    assumptions: tuple[str, ...]
    shifted: bool
    sector_offset: xr.DataArray = dataclass_field(default_factory=lambda: offset_table("sector", (), ()))


def monthly_macro(
    scenario: MacroScenario, as_of: Month, horizon: int, n_months: int, *, shift_calendar: bool = False
) -> MonthlyMacro:
    """Monthly paths of a scenario from a tape's as-of month on.

    Parameters
    ----------
    as_of : (int, int)
        Year and month of the tape; month 0.
    horizon : int
        Months that the study looks ahead.
    n_months : int
        Months that are simulated, run-off and sale lag included; at least `horizon`.  Those after the horizon follow
        `beyond`, or hold the last value where the scenario has none.
    shift_calendar : bool
        Run the scenario from the tape's date although it starts elsewhere.

    Raises
    ------
    InputError
        The tape has another date and `shift_calendar` is off; the horizon exceeds a path without `beyond`.
    """
    if n_months < horizon:
        raise ValueError(f"n_months = {n_months} is less than horizon = {horizon}")
    shifted = as_of != add_months(scenario.first_month, -1)
    faults = [
        *([_calendar_fault(scenario, as_of)] if shifted and not shift_calendar else []),
        *([_horizon_fault(scenario, horizon)] if horizon > scenario.months and scenario.beyond is None else []),
    ]
    if faults:
        raise InputError(faults)
    return MonthlyMacro(
        name=scenario.name,
        macro=_macro(scenario, n_months),
        used_car_index=_used_car_index(scenario, n_months),
        regional_offset=_offset("region", scenario.regional_offsets),
        beyond=_beyond(scenario),
        assumptions=tuple(_assumptions(scenario, as_of, n_months)),
        shifted=shifted,
        sector_offset=_offset("sector", scenario.sector_offsets),
    )


def _calendar_fault(scenario: MacroScenario, as_of: Month) -> Fault:
    start = scenario.first_month
    return Fault(
        scenario.where("start"),
        f"scenario {scenario.name} starts in {month_text(start)} but the tape is dated {month_text(as_of)}",
        f"a tape dated {month_text(add_months(start, -1))}, the month before the start",
        "Write `shift_calendar: true` in the study to run the scenario from the tape's date; the report will say so.",
    )


def _horizon_fault(scenario: MacroScenario, horizon: int) -> Fault:
    end = month_text(add_months(scenario.first_month, scenario.months - 1))
    return Fault(
        scenario.where("macro"),
        f"scenario {scenario.name} ends after {scenario.months} months ({end}) but the horizon is {horizon} months",
        f"a horizon of at most {scenario.months} months, or `beyond`",
        "Write `months:` smaller in the study, or say in the scenario what follows: `beyond: hold` or "
        "`beyond: {revert: {months: 12, to: {unemployment_percent: 4.5}}}`.",
    )


# --- paths -----------------------------------------------------------------------------------------


def _knots(values: Sequence[float], frequency: str) -> Floats:
    """Month of each period's middle, counted from month 0: 2, 5, 8, ... or 1, 2, 3, ..."""
    step = MONTHS_PER_PERIOD[frequency]
    return np.arange(len(values), dtype=np.float64) * step + (step + 1) // 2


def rate_path(jump_off: float, values: Sequence[float], frequency: str) -> Floats:
    """A rate by month, float64[months + 1], linear from the jump-off in month 0 through the periods' middle months."""
    months = np.arange(len(values) * MONTHS_PER_PERIOD[frequency] + 1)
    return np.interp(months, np.concatenate(([0.0], _knots(values, frequency))), [jump_off, *values])


def growth_path(jump_off: float, values: Sequence[float], frequency: str) -> Floats:
    """A growth rate a year by month, float64[months + 1], constant within the period."""
    return np.concatenate(([jump_off], np.repeat(np.asarray(values, dtype=np.float64), MONTHS_PER_PERIOD[frequency])))


def level_path(jump_off: float, values: Sequence[float], frequency: str) -> Floats:
    """A level by month relative to the jump-off, float64[months + 1], as `rate_path` in logarithms; 1 in month 0."""
    return np.exp(rate_path(0.0, np.log(np.asarray(values) / jump_off).tolist(), frequency))


_FIELDS: Final[dict[str, tuple[str, Callable[[float, Sequence[float], str], Floats]]]] = {
    "unemployment": ("unemployment_percent", rate_path),
    "disposable_income_growth": ("disposable_income_growth_percent", growth_path),
    "prime_rate": ("prime_rate_percent", rate_path),
    "fuel_price": ("fuel_price_index", level_path),
}
"""Field of the scenario and the way to make months of it, by macro variable."""


def prolonged(path: Floats, n_months: int, scenario: MacroScenario, field: str, jump_off: float) -> Floats:
    """The path cut or carried on to month `n_months`, float64[n_months + 1], as the scenario's `beyond` says.

    A reversion is a straight line, for a level (`field` ends in `_index`, the path is relative) in logarithms.
    """
    last = path.size - 1
    months = np.arange(n_months + 1)
    held = path[np.minimum(months, last)]
    if scenario.beyond is None or scenario.beyond == "hold":
        return held
    target = getattr(scenario.beyond.revert.to, field)
    if target is None:
        return held
    share = np.clip((months - last) / scenario.beyond.revert.months, 0.0, 1.0)
    if field.endswith("_index"):
        return np.asarray(held * (target / jump_off / held) ** share)
    return np.asarray(held + (target - held) * share)


def _values(path: object, name: str) -> tuple[float, ...]:
    if not isinstance(path, tuple):
        raise ValueError(f"{name} is still a shock; load the scenario with `find_scenario`")
    return path


def _periods(scenario: MacroScenario) -> int:
    return scenario.months // MONTHS_PER_PERIOD[scenario.frequency]


def _macro(scenario: MacroScenario, n_months: int) -> xr.DataArray:
    columns = []
    for variable in MACRO_VARIABLES:
        field, make = _FIELDS[variable]
        jump_off = getattr(scenario.jump_off, field)
        path = getattr(scenario.macro, field)
        values = (jump_off,) * _periods(scenario) if path is None else _values(path, field)
        monthly = prolonged(make(jump_off, values, scenario.frequency), n_months, scenario, field, jump_off)
        columns.append(monthly if make is level_path else monthly * PERCENT)
    return xr.DataArray(
        np.stack(columns, axis=1),
        dims=("month", "macro_variable"),
        coords={"month": np.arange(n_months + 1), "macro_variable": list(MACRO_VARIABLES)},
        attrs={"units": "1", "long_name": "macro variables; fractions a year, fuel price relative to month 0"},
    )


def satellite_levels(satellite: Satellite, scenario: MacroScenario) -> tuple[float, ...]:
    """Used-car levels by period that a satellite makes of the scenario's unemployment; 100 in month 0."""
    unemployment = np.asarray(_values(scenario.macro.unemployment_percent, "unemployment_percent"))
    levels = np.full(unemployment.size, START_LEVEL)
    if satellite.satellite == "unemployment_gap":
        gap = np.maximum(unemployment - scenario.jump_off.unemployment_percent, 0.0)
        lag = satellite.lag_quarters * MONTHS_PER_PERIOD["quarterly"] // MONTHS_PER_PERIOD[scenario.frequency]
        lagged = np.concatenate((np.zeros(lag), gap))[: gap.size]
        levels += START_LEVEL * PERCENT * satellite.peak_to_trough_percent * lagged / gap.max()
    if satellite.shock_percent is not None:
        levels *= 1.0 + np.asarray(satellite.shock_percent) * PERCENT
    return tuple(float(level) for level in levels)


def _used_car_index(scenario: MacroScenario, n_months: int) -> xr.DataArray:
    paths = {str(name): path for name, path in scenario.used_car_index.items()}
    columns = []
    for segment in SEGMENTS:
        path = paths.get(segment, paths["all"])
        values = satellite_levels(path, scenario) if isinstance(path, Satellite) else _values(path, "used_car_index")
        monthly = level_path(START_LEVEL, values, scenario.frequency)
        columns.append(prolonged(monthly, n_months, scenario, "used_car_index", START_LEVEL))
    return xr.DataArray(
        np.stack(columns, axis=1),
        dims=("month", "segment"),
        coords={"month": np.arange(n_months + 1), "segment": list(SEGMENTS)},
        attrs={"units": "1", "long_name": "used-car index relative to month 0"},
    )


def _offset(level: str, offsets: Mapping[OffsetVariable, Mapping[str, float]]) -> xr.DataArray:
    by_field = {str(name): values for name, values in offsets.items()}
    names = sorted({name for values in by_field.values() for name in values})
    fields = [by_field.get(_FIELDS[variable][0], {}) for variable in MACRO_VARIABLES]
    return offset_table(level, names, [[PERCENT * values.get(name, 0.0) for values in fields] for name in names])


# --- what the report must say -----------------------------------------------------------------------


def _beyond(scenario: MacroScenario) -> str | None:
    if scenario.beyond is None or scenario.beyond == "hold":
        return scenario.beyond
    targets = scenario.beyond.revert.to.model_dump(exclude_none=True)
    listed = ", ".join(f"{field} {value:g}" for field, value in targets.items())
    return f"revert over {scenario.beyond.revert.months} months to {listed}"


def _assumptions(scenario: MacroScenario, as_of: Month, n_months: int) -> Iterator[str]:
    start = scenario.first_month
    if as_of != add_months(start, -1):
        yield (
            f"Scenario {scenario.name} starts in {month_text(start)}; it was shifted to follow the tape's "
            f"{month_text(as_of)}, with its own jump-off values."
        )
    yield from _satellite_sentences(scenario)
    if scenario.macro.fuel_price_index is None:
        yield "The fuel price stays at its level of the as-of month: the scenario has no path for it."
    for field in ("prime_rate_percent", "disposable_income_growth_percent"):
        largest = max(abs(value) for value in _values(getattr(scenario.macro, field), field))
        if 0.0 < largest < LOOKS_LIKE_A_FRACTION:
            yield f"{field} never exceeds {largest:g}: taken as percent, though it looks like a fraction."
    if n_months > scenario.months:
        manner = _beyond(scenario) or "hold"
        yield f"After its end, month {scenario.months}, scenario {scenario.name} continues by assumption: {manner}."


def _satellite_sentences(scenario: MacroScenario) -> Iterator[str]:
    for segment, path in scenario.used_car_index.items():
        if not isinstance(path, Satellite):
            continue
        subject = f"Used-car index, {'all segments' if segment == 'all' else f'segment {segment}'}"
        changed = "" if path.shock_percent is None else ", then changed by the scenario's shock"
        if path.satellite == "flat":
            yield f"{subject}: flat by assumption{changed}; the scenario's source has no used-car price."
        else:
            yield (
                f"{subject}: by assumption it follows the rise of unemployment {path.lag_quarters} quarters later and "
                f"falls by {-path.peak_to_trough_percent:g} % where that is largest (satellite "
                f"unemployment_gap){changed}; the scenario's source has no used-car price."
            )
