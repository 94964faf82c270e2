"""Pictures of loss: distribution, exceedance curve, and the fan that serves every path over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas
from numpy.typing import ArrayLike

from outputs.figure_data import quantile_column
from outputs.measures import FAN_LEVELS, LEVELS
from outputs.style import BLACK, GREY, MARKERS, RunStyle, date_axis, plain
from outputs.wording import UNRELIABLE, percent, percent_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARK_LINES: Final = ("solid", (0, (5, 2)), (0, (1, 1.2)))
"""Lines of EL, VaR and ES, in this order."""
MARGIN: Final = 0.03
"""Room right of the largest loss, as a share of the axis: a mark at that loss is a line, not the frame's edge."""
CURVE_MARKS: Final = 4
"""Markers of a strategy on a curve."""
CURVE_MARK: Final[dict[str, Any]] = {"linestyle": "none", "markersize": 5.0, "markerfacecolor": "white"}
TAIL_HATCH: Final = "//////"
TAIL_WORDS: Final = "paths beyond VaR 99 %, whose mean is ES 99 %"
ERROR_WORDS: Final = "\N{PLUS-MINUS SIGN}: one standard error of the simulation"
THIN_LINE: Final[dict[str, Any]] = {"linewidth": 0.7}
THIN_DOT: Final[dict[str, Any]] = {"marker": ".", "markersize": 3.5}
"""Of a curve, and of its steps, where too few paths lie beyond."""
FLOOR_OF_ONE_STEP: Final = 0.1
"""Lower end of the probability axis where every curve is one step from 1 to 0."""
SHOWN_PROBABILITY: Final = 1e-5
"""Least probability that is drawn, once in 100,000 paths. Weighted paths reach far below it, where their few largest
losses would stretch the axes and a model of borrowers and markets has nothing to say; the tables have them."""


def plot_loss_distribution(axes: Axes, table: pandas.DataFrame, style: RunStyle) -> Axes:
    """Histogram of one run's path loss with EL, VaR and ES marked and the tail beyond VaR shaded.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_data.loss_distribution`.
    style : RunStyle

    Returns
    -------
    Axes
    """
    bins, marks = table[table["kind"] == "bin"], table[table["kind"] == "mark"]
    threshold = float(marks["low"].iloc[1])
    beyond = bins["low"] >= threshold
    for chosen, hatch, edge in ((~beyond, "", "white"), (beyond, TAIL_HATCH, BLACK)):
        part = bins[chosen]
        widths = part["high"] - part["low"]
        shade = {"color": style.colour, "alpha": 0.75} if not hatch else {"facecolor": "white"}
        axes.bar(
            part["low"],
            part["share_percent"],
            widths,
            align="edge",
            hatch=hatch,
            edgecolor=edge,
            linewidth=0.4,
            **shade,
        )
    first, last = float(bins["low"].iloc[0]), float(bins["high"].iloc[-1])
    left = _left_end(first, last)
    right = last + MARGIN * (last - left)
    axes.axvspan(threshold, right, color=GREY, alpha=0.12, linewidth=0.0)
    for (_, mark), line in zip(marks.iterrows(), MARK_LINES, strict=True):
        axes.axvline(mark["low"], color=BLACK, linestyle=line, linewidth=1.3, label=_mark_label(mark))
    unexpected = threshold - float(marks["low"].iloc[0])
    axes.plot([], [], linestyle="none", label=f"UL = VaR \N{MINUS SIGN} EL: {percent(unexpected)}")
    axes.set_ylabel("probability, %")
    axes.set_xlim(left, right)
    heading = {"title": "% of opening balance", "alignment": "left"}
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0.0, **heading)
    axes.grid(visible=False, axis="x")
    return axes


def tail_handle() -> Any:
    """Handle of a legend that says what is hatched on grey: `TAIL_WORDS`."""
    from matplotlib.patches import Patch

    return Patch(facecolor="#efefef", edgecolor=BLACK, hatch=TAIL_HATCH, linewidth=0.4)


def shown_end(table: pandas.DataFrame) -> float:
    """Right end of the axis of all runs' histograms: beyond it no run's loss has the probability that is drawn.

    Parameters
    ----------
    table : pandas.DataFrame
        `figure_data.loss_distribution`.

    Returns
    -------
    float
        Percent of opening balance.
    """
    bins = table[table["kind"] == "bin"]
    beyond = 0.01 * bins.iloc[::-1].groupby("run", sort=False)["share_percent"].cumsum()
    left, last = float(bins["low"].min()), float(bins.loc[beyond >= SHOWN_PROBABILITY, "high"].max())
    marks = table.loc[table["kind"] == "mark", "high"]
    last = max(last, float(marks.max()))
    return last + MARGIN * (last - _left_end(left, last))


def _left_end(low: float, high: float) -> float:
    """0 where the losses reach near it, so that a bar's distance from 0 is its size."""
    return 0.0 if 0.0 <= low < 0.6 * high else low


def _mark_label(mark: pandas.Series) -> str:
    doubt = f" ({UNRELIABLE})" if mark["unreliable"] else ""
    return f"{mark['label']}: {percent(mark['low'])} ± {percent(mark['standard_error'])}{doubt}"


def plot_exceedance(axes: Axes, table: pandas.DataFrame, styles: Mapping[str, RunStyle]) -> Axes:
    """Exceedance curves P(loss > x) as steps on a logarithmic axis, a return period ("1 in N paths") on the right.

    A curve falls to or below the line of a level where the loss is that level's value at risk.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        `figure_data.exceedance`.
    styles : mapping of run label to RunStyle

    Returns
    -------
    Axes
    """
    lowest = 0.7 * float(table.loc[table["probability"] > 0.0, "probability"].min())
    lowest = max(lowest, SHOWN_PROBABILITY) if np.isfinite(lowest) else FLOOR_OF_ONE_STEP
    for label, curve in table.groupby("run", sort=False):
        _plot_steps(axes, curve, styles[str(label)], lowest, plain(str(label)))
    axes.set_yscale("log")
    axes.set_ylim(lowest, 1.15)
    axes.set_xlabel("loss x, % of opening balance")
    axes.set_ylabel("probability that the loss is more than x")
    axes.grid(visible=True, which="major")
    for level in (level for level in LEVELS if 1.0 - level > lowest):
        axes.axhline(1.0 - level, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        beside = axes.get_yaxis_transform()
        label = f"VaR {percent_level(level)}"
        axes.text(0.006, 1.0 - level, label, transform=beside, va="bottom", fontsize=7.5, color=GREY)
    losses, shown = table["percent_of_opening"], table.loc[table["probability"] >= lowest, "percent_of_opening"]
    axes.set_xlim(left=_left_end(float(losses.min()), float(losses.max())))
    if len(shown) and float(table["probability"][table["probability"] > 0.0].min()) < lowest:
        axes.set_xlim(right=float(shown.max()) * (1.0 + MARGIN))
    _return_period_axis(axes)
    return axes


def _plot_steps(axes: Axes, curve: pandas.DataFrame, style: RunStyle, lowest: float, label: str) -> None:
    """One curve: firm steps, then thin ones with dots where too few paths lie beyond; it ends at the largest loss."""
    losses = curve["percent_of_opening"].to_numpy()
    probability = np.maximum(curve["probability"].to_numpy(), 0.1 * lowest)  # what falls below leaves the axis
    first = int(np.argmax(curve["unreliable"].to_numpy())) if bool(curve["unreliable"].any()) else len(curve)
    start = min(0.0, float(losses[0]))
    firm = np.append(start, losses[: first + 1]), np.append(1.0, probability[: first + 1])
    steps: dict[str, Any] = {"color": style.colour, "drawstyle": "steps-post"}
    axes.plot(*firm, linestyle=style.line, label=label, **steps)
    if style.marker:
        places = _mark_places(probability[: first + 1], style.marker)
        axes.plot(losses[places], probability[places], style.marker, **CURVE_MARK, color=style.colour)
    axes.plot(losses[first:], probability[first:], **steps, **THIN_LINE)
    dots = curve["unreliable"].to_numpy() & (curve["probability"].to_numpy() > 0.0)
    axes.plot(losses[dots], probability[dots], color=style.colour, linestyle="none", **THIN_DOT)


def _mark_places(probability: np.ndarray[Any, Any], marker: str) -> np.ndarray[Any, Any]:
    """Steps of a curve that carry its strategy's marker, evenly in log probability; each marker begins elsewhere."""
    last = float(probability[-1]) if probability[-1] > 0.0 else float(probability[probability > 0.0].min(initial=1.0))
    depth = (np.arange(CURVE_MARKS) + MARKERS.index(marker) / len(MARKERS)) / CURVE_MARKS
    return np.unique(np.minimum(np.searchsorted(-probability, -(last**depth)), len(probability) - 1))


def _return_period_axis(axes: Axes) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low = axes.get_ylim()[0]
    periods = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000) if 1.0 / n >= low]
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100.0 * value:g} %"))
    axes.yaxis.set_minor_locator(NullLocator())
    right = axes.secondary_yaxis("right", functions=(_inverse, _inverse))
    right.set_ylabel("return period: once in N paths")
    right.yaxis.set_major_locator(FixedLocator(periods))
    right.yaxis.set_minor_locator(NullLocator())
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"1 in {value:,.0f}"))


def _inverse(value: ArrayLike) -> ArrayLike:
    with np.errstate(divide="ignore"):
        return 1.0 / np.asarray(value, dtype=float)


def plot_fan(axes: Axes, table: pandas.DataFrame, style: RunStyle) -> Axes:
    """Bands between quantiles over time, the median as a line in the run's style and the mean as a dotted line.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_data.net_loss_fan` or `figure_data.used_car_fan`.
    style : RunStyle

    Returns
    -------
    Axes
    """
    dates = table["month_end"].to_numpy()
    plot_bands(axes, table, style)
    axes.plot(dates, table["mean"], color=BLACK, linestyle=(0, (1, 1.4)), linewidth=1.3, label="mean")
    date_axis(axes, dates)
    return axes


def plot_bands(axes: Axes, table: pandas.DataFrame, style: RunStyle, divisor: float = 1.0) -> Axes:
    """Bands between quantiles over time and the median as a line, all divided by `divisor`."""
    dates = table["month_end"].to_numpy()
    series = {level: table[quantile_column(level)].to_numpy() / divisor for level in FAN_LEVELS}
    for depth in range(len(FAN_LEVELS) // 2):
        low, high = FAN_LEVELS[depth], FAN_LEVELS[-1 - depth]
        bounds = series[low], series[high]
        text = f"{100 * low:g} % to {100 * high:g} % of paths"
        axes.fill_between(dates, *bounds, color=style.colour, alpha=0.20 + 0.25 * depth, linewidth=0.0, label=text)
        for bound in bounds:
            axes.plot(dates, bound, color=style.colour, linewidth=0.5)
    axes.plot(dates, series[0.50], color=BLACK, linestyle="solid", linewidth=1.6, label="median")
    return axes
