"""Pictures of the world around the book: macro paths against their history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas

from outputs.style import BLACK, GREY, RunStyle, date_axis, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VARIABLE_TITLES: Final = {
    "unemployment": "Unemployment rate, %",
    "disposable_income_growth": "Real disposable income, growth, % a year",
    "prime_rate": "Prime rate, % a year",
    "fuel_price": "Fuel price, as-of month = 1",
    "used_car_index": "Used-car index, as-of month = 1",
}
NO_EFFECT: Final = "no effect on loss"
EXTREME: Final = 3.0
"""History may stretch the axis to this many times the scenarios' own span on either side; beyond, it is cut."""


def plot_macro(
    axes: Axes, table: pandas.DataFrame, as_of: str, styles: Mapping[str, RunStyle], *, idle: bool = False
) -> Axes:
    """One macro variable: history in grey, the as-of date as a vertical line, one line a scenario.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One variable of `figure_data.macro_paths`.
    as_of : str
        ISO date.
    styles : mapping of scenario to RunStyle
    idle : bool
        The variable acts on nothing; the title says so.

    Returns
    -------
    Axes
    """
    variable = str(table["variable"].iloc[0])
    past = table[table["scenario"] == "history"]
    if not past.empty:
        axes.plot(past["date"].to_numpy(), past["value"], color=GREY, linewidth=1.3, label="history")
    for scenario, path in table[table["scenario"] != "history"].groupby("scenario", sort=False):
        style = styles[str(scenario)]
        look: dict[str, Any] = {"color": style.colour, "linestyle": style.line, "label": plain(str(scenario))}
        if len(path) == 1:  # a line needs two points
            look |= {"marker": "o", "clip_on": False}
        axes.plot(path["date"].to_numpy(), path["value"], **look)
    axes.axvline(np.datetime64(as_of), color=BLACK, linewidth=0.8)  # type: ignore[arg-type]  # a date axis takes dates
    date_axis(axes, np.append(table["date"].to_numpy().astype("datetime64[D]"), np.datetime64(as_of, "D")))
    title = VARIABLE_TITLES.get(variable, plain(variable.replace("_", " ")))
    axes.set_title(f"{title}\n{NO_EFFECT}" if idle else title)
    _cut_extremes(axes, table)
    return axes


def _cut_extremes(axes: Axes, table: pandas.DataFrame) -> None:
    """Keep one freak quarter of history (2021Q1: +57.6 % a year) from flattening everything else."""
    values = table.loc[table["scenario"] != "history", "value"]
    past = table.loc[table["scenario"] == "history", "value"]
    if past.empty:
        return
    typical = pandas.concat([values, past.clip(past.quantile(0.05), past.quantile(0.95))])
    low, high = typical.min(), typical.max()
    reach = EXTREME * max(high - low, 1e-9)
    if past.max() > high + reach / 6 or past.min() < low - reach / 6:
        margin = 0.08 * (high - low)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel("history beyond the axis is cut; the table has it", fontsize=7.5, color=GREY)
