"""Pictures of money: cash against the schedule, recoveries by channel, provision by stage; and the pool's queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas

from outputs.figure_data import quantile_column
from outputs.measures import FAN_LEVELS
from outputs.plots_book import BUCKET_HATCHES
from outputs.plots_loss import plot_bands
from outputs.provision import ALL_STAGES
from outputs.recoveries import BOOKED, CHANNELS, COST
from outputs.style import BLACK, GREY, PALE, RunStyle, date_axis, plain, whole_month
from outputs.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEDULE_LINE: Final = (0, (1, 1.4))
DUE_LINE: Final = (0, (5, 2))
CHANNEL_COLOURS: Final = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7")
STAGE_COLOURS: Final = ("#d9d9d9", "#8f8f8f", "#404040")
"""From light to dark: a later stage is worse."""
LIFE_LABEL: Final = "lifetime loss of all loans (CECL)"
ROOM: Final = 1.42
"""Width of the axis over its largest value: room for the figures beside the bars."""
FAR_ABOVE: Final = 3.0
"""Times the most that is asked for, beyond which the hours that there are would flatten all panels."""
HEADROOM: Final = 1.06
"""Upper end of an axis over the largest of what it shows."""
BAR: Final = 0.62
"""Height of a bar, as a share of its place."""


def plot_cash(axes: Axes, table: pandas.DataFrame, style: RunStyle, divisor: float) -> Axes:
    """Cash collected by month as bands, the contractual schedule and what of it is still due as lines.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_money.cash_bands`.
    style : RunStyle
    divisor : float
        What amounts are divided by: the axis' unit.

    Returns
    -------
    Axes
    """
    table = whole_month(table)
    dates = table["month_end"].to_numpy()
    plot_bands(axes, table, style, divisor)
    lines = {"scheduled": ("contractual schedule", SCHEDULE_LINE, GREY), "due": ("still due, mean", DUE_LINE, BLACK)}
    for name, (label, line, colour) in lines.items():
        axes.plot(dates, table[name] / divisor, color=colour, linestyle=line, linewidth=1.5, label=label)
    date_axis(axes, dates)
    largest = float(table[[quantile_column(FAN_LEVELS[-1]), *lines]].max(axis=None)) / divisor
    axes.set_ylim(0.0, max(axes.get_ylim()[1], HEADROOM * largest))
    return axes


def plot_recoveries(axes: Axes, table: pandas.DataFrame, divisor: float) -> Axes:
    """Recoveries stacked by channel over time, their costs below zero, and the month's gross charge-off as a line.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_money.recovery_flows`.
    divisor : float
        What amounts are divided by.

    Returns
    -------
    Axes
    """
    wide = whole_month(table).pivot(index="month_end", columns="channel", values="value") / divisor
    dates = wide.index.to_numpy()
    names = [name for name in CHANNELS if name != COST and name in wide]
    stacks = axes.stackplot(
        dates,
        [wide[name].to_numpy() for name in names],
        labels=[CHANNELS[name] for name in names],
        colors=CHANNEL_COLOURS[: len(names)],
        edgecolor="white",
        linewidth=0.6,
    )
    below = axes.fill_between(
        dates, -wide[COST].to_numpy(), 0.0, facecolor=PALE, edgecolor=GREY, linewidth=0.6, label=CHANNELS[COST]
    )
    for number, part in enumerate([*stacks, below]):
        part.set_hatch(BUCKET_HATCHES[number])
    axes.plot(dates, wide[BOOKED], color=BLACK, linestyle=DUE_LINE, linewidth=1.5, label="gross charge-off")
    axes.axhline(0.0, color=BLACK, linewidth=0.8)
    date_axis(axes, dates)
    return axes


def plot_credit_loss(axes: Axes, table: pandas.DataFrame, labels: Sequence[str]) -> Axes:
    """Loss allowance stacked by stage, one bar a run, and the lifetime loss of all loans as a mark.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        `figure_money.credit_losses`.
    labels : sequence of str
        What stands beside each bar, in the order of the runs.

    Returns
    -------
    Axes
    """
    runs = list(dict.fromkeys(table["run"]))
    places = np.arange(len(runs))[::-1]
    left = np.zeros(len(runs))
    stages = [stage for stage in dict.fromkeys(table["stage"]) if stage != ALL_STAGES]
    for number, stage in enumerate(stages):
        width = table[table["stage"] == stage]["allowance_percent"].to_numpy()
        colour, hatch = STAGE_COLOURS[number], BUCKET_HATCHES[number]
        axes.barh(places, width, BAR, left, label=stage, color=colour, hatch=hatch, edgecolor=BLACK, linewidth=0.5)
        left += width
    whole = table[table["stage"] == ALL_STAGES]
    errors = whole["allowance_percent_error"].to_numpy()
    axes.errorbar(left, places, xerr=errors, fmt="none", ecolor=BLACK, elinewidth=1.2, capsize=3)
    life = whole["lifetime_percent"].to_numpy()
    axes.plot(life, places, "D", color=BLACK, markerfacecolor="white", markersize=6, zorder=3, label=LIFE_LABEL)
    for place, total, lifetime in zip(places, left, life, strict=True):
        text = f"allowance {percent(total, 2)}, lifetime {percent(lifetime, 2)}"
        end = max(total, lifetime), place
        axes.annotate(text, end, (9, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(places, [plain(label) for label in labels])
    axes.set_xlim(0.0, ROOM * float(max(left.max(), life.max())) or 1.0)
    axes.set_ylim(-0.6, len(runs) - 0.4)
    axes.grid(visible=False, axis="y")
    return axes


def queue_top(table: pandas.DataFrame) -> float:
    """Upper end of the axis of all runs' queues: what is asked for, and hours there are that are not far above it.

    Parameters
    ----------
    table : pandas.DataFrame
        One pool and quantity of `figure_money.queues`.
    """
    asked = float(table[[quantile_column(FAN_LEVELS[-1]), "mean"]].max(axis=None))
    there = table["capacity"].fillna(0.0)
    near = there[there <= FAR_ABOVE * asked] if asked > 0.0 else there
    return HEADROOM * max(asked, float(near.max()) if len(near) else 0.0) or 1.0


def plot_queue(axes: Axes, table: pandas.DataFrame, style: RunStyle) -> Axes:
    """Hours asked for, or loans that wait, as bands over time; the hours that there are as a line.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run, pool and quantity of `figure_money.queues`.
    style : RunStyle

    Returns
    -------
    Axes
    """
    table = whole_month(table)
    dates = table["month_end"].to_numpy()
    plot_bands(axes, table, style)
    capacity = table["capacity"].to_numpy()
    if np.isfinite(capacity).all():
        axes.plot(dates, capacity, color=BLACK, linestyle=DUE_LINE, linewidth=1.5, label="hours there are")
    date_axis(axes, dates)
    axes.set_ylim(bottom=0.0)
    return axes
