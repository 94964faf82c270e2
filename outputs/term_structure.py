"""Probability of default, exposure and loss given charge-off by year of the run.

A loss given charge-off sets the loss of a year's charge-offs against these charge-offs. A loss given default by year is
not told: a default is charged off months after it, in the next year perhaps, or cures; `outputs.rates` has it for the
whole run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any, Final

import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate
from outputs.lending import lent_count
from outputs.measures import path_mean, runs, sample_of
from outputs.periods import Period, periods
from outputs.rates import UNKNOWN, loans_at_opening, ratio

TERM_LABELS: Final = {
    "default_rate": ("Probability of default", "defaults of the period over loans alive at its opening"),
    "cumulative_default_rate": ("Cumulative probability of default", "defaults to date over opening loans"),
    "exposure_at_default": ("Exposure at default", "principal and accrued interest of a default, mean"),
    "exposure_percent": ("Exposure at default, relative", "over the mean balance of a live loan in the period"),
    "loss_given_charge_off": ("Loss given charge-off", "loss of the period's charge-offs over their gross amount"),
}
"""Measures by year: label and definition. Percent, but for the exposure, which is in currency."""

IN_CURRENCY: Final = ("exposure_at_default",)


def term_structure(dataset: xr.Dataset) -> pandas.DataFrame:
    """Default, exposure and loss given charge-off of each year and of the horizon.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, period, first_month, last_month, measure (`TERM_LABELS`), unit ("percent" or the
        currency), value, standard_error, low, high.
    """
    opened = loans_at_opening(dataset)
    rows: list[dict[str, Any]] = []
    for run in runs(dataset):
        one = dataset.sel(run).assign(opened=opened.sel(run))
        for period in periods(dataset.sizes["month"]):
            told = {**run, "period": period.label, "first_month": period.first, "last_month": period.last}
            for measure, found in _estimates(one, period, dataset):
                unit = str(dataset.attrs["currency"]) if measure in IN_CURRENCY else "percent"
                rows.append({**told, "measure": measure, "unit": unit, **_columns(found)})
    return pandas.DataFrame(rows)


def _columns(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "standard_error": found.standard_error, "low": found.low, "high": found.high}


def _estimates(one: xr.Dataset, period: Period, dataset: xr.Dataset) -> Iterator[tuple[str, Estimate]]:
    defaults, exposure = period.sum(one["default_count"]), period.sum(one["default_balance"])
    to_date = Period("", 1, period.last).sum(one["default_count"])
    opening = xr.full_like(to_date, float(lent_count(one)), dtype=float)
    yield "default_rate", ratio(defaults, period.of(one["opened"]).isel(month=0), dataset)
    yield "cumulative_default_rate", ratio(to_date, opening, dataset)
    yield "exposure_at_default", ratio(exposure, defaults, dataset, scale=1.0)
    yield "exposure_percent", _relative_exposure(one, period, dataset)
    yield "loss_given_charge_off", ratio(period.sum(one["ultimate_loss"]), period.sum(one["charge_off"]), dataset)


def _relative_exposure(one: xr.Dataset, period: Period, dataset: xr.Dataset) -> Estimate:
    """Exposure of a default over the balance of a live loan: a ratio of ratios, percent."""
    names = ("default_balance", "default_count", "balance", "live_count")
    parts = [period.sum(one[name]) for name in names]
    means = [float(path_mean(part, dataset)) for part in parts]
    if min(means) <= 0.0:
        return UNKNOWN
    value = means[0] / means[1] / (means[2] / means[3])
    signs = (1.0, -1.0, -1.0, 1.0)
    relative = reduce(add, (sign * part / mean for sign, part, mean in zip(signs, parts, means, strict=True)))
    sample = sample_of(relative, dataset)
    error = value * estimators.mean(sample).standard_error
    half = sample.z * error
    return Estimate(100.0 * value, 100.0 * error, 100.0 * (value - half), 100.0 * (value + half))
