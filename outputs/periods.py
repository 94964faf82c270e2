"""Years of a run: twelve months each from the as-of date on, the last one as long as the horizon leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import xarray as xr

YEAR: Final = 12
WHOLE: Final = "horizon"
"""Label of all months together."""


@dataclass(frozen=True, slots=True)
class Period:
    """Months first..last of a run, both included."""

    label: str
    first: int
    last: int

    @property
    def months(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def of(self, values: xr.DataArray) -> xr.DataArray:
        """Values by month of this period alone."""
        return values.isel(month=slice(self.first - 1, self.last))

    def sum(self, values: xr.DataArray) -> xr.DataArray:
        """A flow by month, summed over this period; NaN where a month is."""
        return self.of(values).sum("month", skipna=False)


def years(months: int) -> tuple[Period, ...]:
    """The years of a horizon; a last year of fewer months says so by its label."""
    starts = range(1, months + 1, YEAR)
    return tuple(
        Period(_label(first, min(first + YEAR - 1, months)), first, min(first + YEAR - 1, months)) for first in starts
    )


def _label(first: int, last: int) -> str:
    return f"month {first}" if first == last else f"months {first}-{last}"


def periods(months: int) -> tuple[Period, ...]:
    """The years of a horizon and then all of it."""
    return (*years(months), Period(WHOLE, 1, months))


def period_sums(values: xr.DataArray) -> xr.DataArray:
    """A flow by month as sums of all `periods`, by their label along a dim `period` in front."""
    spans = periods(values.sizes["month"])
    sums = [period.sum(values) for period in spans]
    return xr.concat(sums, "period", coords="minimal", compat="override").assign_coords(
        period=[period.label for period in spans]
    )
