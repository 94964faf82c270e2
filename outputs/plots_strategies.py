"""Pictures of collection strategies: differences to the baseline, costs against tails, rungs, incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas

from outputs.figure_data import quantile_column
from outputs.figure_strategies import QUANTITIES
from outputs.measures import FAN_LEVELS
from outputs.strategies_verdicts import NOT_TESTED
from outputs.style import BLACK, GREY, PALE, RunStyle, handle, plain, run_styles, shorten
from outputs.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP: Final = 1.0
"""Room between groups of rows, in rows."""
MARK_SIZE, SMALL_MARK = 6.0, 4.0
"""Of a mark, and of one that too few paths stand behind to be tested."""
FUNNEL_COLOURS: Final = (PALE, "#8f8f8f", "#0072B2")
FUNNEL_BARS: Final = (0.74, 0.52, 0.30)
"""Heights of the bars of a rung, one in the other, as shares of its place."""
FAR: Final = 3.0
"""How many times as far as all others a strategy lies that is not on the axis, but at its edge, with its figure."""
EDGE_MARK, EDGE_TEXT = 14.0, 20.0
"""Points from the edge to the mark and to the figure of such a strategy."""
RUNG_CHARACTERS: Final = 22
"""Of a rung's name beside its bar; the table has all of it."""
RUNG_LETTER, FIGURES = 0.065, 0.85
"""Inches of a letter of a rung's name, and of the figures beside the longest bar."""
LEAST_REACH: Final = 0.001
"""Percent of opening balance: what no figure shows is no difference, and no axis is stretched to show it."""
BOX_LINES: Final = (1.2, 4.5)
"""Widths of the lines from 5 to 95 % and from 25 to 75 %."""
BOX_WORDS: Final = ("5 % to 95 % of paths", "25 % to 75 % of paths", "mean")
BEST_LINE: Final[dict[str, Any]] = {"color": GREY, "linewidth": 1.2, "linestyle": (0, (4, 2))}
FRONTIER_WORDS: Final = (
    "beaten by no other on both axes",
    "one standard error each way",
    "ES unreliable: few paths",
)
"""What the line, the bars and hollow marks of the frontier are."""


def strategy_styles(names: Sequence[str]) -> dict[str, tuple[RunStyle, str]]:
    """Style and marker by strategy; they depend on the order of strategies alone."""
    return {name: (style, style.marker) for name, style in run_styles(names, max(2, len(names))).items()}


def strategy_handles(styles: Mapping[str, tuple[RunStyle, str]]) -> tuple[list[Any], list[str]]:
    """Handles and labels of a legend of strategies."""
    handles = [
        handle(color=style.colour, marker=marker, markersize=MARK_SIZE, linewidth=1.6)
        for style, marker in styles.values()
    ]
    return handles, [plain(name) for name in styles]


def box_handles() -> list[Any]:
    """Handles of a legend that says what thin and thick lines and marks of incidents are: `BOX_WORDS`."""
    lines = [handle(color=GREY, linewidth=width, solid_capstyle="butt") for width in BOX_LINES]
    return [*lines, handle(color=GREY, marker="o", markerfacecolor="white", markersize=MARK_SIZE, linestyle="none")]


def frontier_handles() -> list[Any]:
    """Handles of a legend that says what line, bars and hollow marks of a frontier are: `FRONTIER_WORDS`."""
    cross = handle(color=GREY, marker="+", markersize=11.0, markeredgewidth=1.2, linestyle="none")
    hollow = handle(color=GREY, marker="o", markerfacecolor="white", markersize=MARK_SIZE, linestyle="none")
    return [handle(**BEST_LINE), cross, hollow]


def plot_differences(axes: Axes, table: pandas.DataFrame, styles: Mapping[str, tuple[RunStyle, str]]) -> Axes:
    """Differences to the baseline with their 95 % intervals, a group of rows a measure.

    Full marks: told apart from the baseline by Holm's procedure; hollow ones: not; small ones: not tested. What
    `far_strategies` names would press all others together: it stands at the edge, with an arrow and its figures.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One scenario of `figure_strategies.difference_points`.
    styles : mapping of strategy to (RunStyle, marker)
        Those that are drawn, in their order.

    Returns
    -------
    Axes
    """
    measures, names = list(dict.fromkeys(table["measure"])), list(styles)
    step, far = len(names) + GAP, far_strategies(table)
    for row in table.itertuples():
        style, marker = styles[row.strategy]
        place = -(measures.index(row.measure) * step + names.index(row.strategy))
        if row.strategy in far:
            _plot_beyond(axes, row, place, style, marker)
            continue
        if np.isfinite(row.low):
            axes.plot([row.low, row.high], [place, place], color=style.colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot(row.value, place, marker, color=style.colour, linestyle="none", **_verdict_mark(row, style))
    axes.axvline(0.0, color=BLACK, linewidth=0.9)
    centres = [-(number * step + (len(names) - 1) / 2.0) for number in range(len(measures))]
    axes.set_yticks(centres, measures)
    for number in range(1, len(measures)):
        axes.axhline(-(number * step) + (GAP + 1.0) / 2.0, color=PALE, linewidth=0.8)
    axes.set_ylim(-(len(measures) * step) + GAP + 0.1, 0.9)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)
    if not float(table[["value", "low", "high"]].abs().max(axis=None)) >= LEAST_REACH:
        axes.set_xlim(-LEAST_REACH, LEAST_REACH)
    return axes


def _verdict_mark(row: Any, style: RunStyle) -> dict[str, Any]:
    """Face and size of a mark: full where told apart, hollow where not, small where nothing was tested."""
    face = style.colour if row.told_apart else "white"
    return {"markerfacecolor": face, "markersize": SMALL_MARK if row.verdict == NOT_TESTED else MARK_SIZE}


def far_strategies(table: pandas.DataFrame) -> frozenset[str]:
    """Strategies so far from the baseline that an axis which holds them shows nothing of the others.

    Parameters
    ----------
    table : pandas.DataFrame
        As of `plot_differences`.
    """
    return _far(table[["value", "low", "high"]].abs().max(axis=1).groupby(table["strategy"]).max())


def far_above(table: pandas.DataFrame) -> frozenset[str]:
    """Strategies whose shortfall lies so far above the least that an axis which holds it shows nothing of the others.

    Parameters
    ----------
    table : pandas.DataFrame
        As of `plot_frontier`.
    """
    shortfall = table.set_index("strategy")["shortfall"]
    return _far(shortfall - shortfall.min())


def _far(reach: pandas.Series) -> frozenset[str]:
    """Labels from the first on that reaches `FAR` times as far as the one before it, in ascending order."""
    reach = reach.where(reach >= LEAST_REACH, 0.0).sort_values()
    for place in range(len(reach) - 1, 0, -1):
        if reach.iloc[place] > FAR * reach.iloc[place - 1] > 0.0:
            return frozenset(str(name) for name in reach.index[place:])
    return frozenset()


def _plot_beyond(axes: Axes, row: Any, place: float, style: RunStyle, marker: str) -> None:
    """A mark at the edge towards which a difference lies, an arrow out of it, and the figure with its interval."""
    from matplotlib.transforms import ScaledTranslation

    inwards = -1.0 if row.value > 0.0 else 1.0
    edge, at = float(row.value > 0.0), axes.get_yaxis_transform()
    beside = at + ScaledTranslation(inwards * EDGE_MARK / 72.0, 0.0, axes.figure.dpi_scale_trans)
    mark = _verdict_mark(row, style)
    axes.plot(edge, place, marker, color=style.colour, transform=beside, linestyle="none", **mark)
    arrow = {"arrowstyle": "->", "color": style.colour, "shrinkA": 0.0, "shrinkB": 0.0}
    start = inwards * (EDGE_MARK - MARK_SIZE / 2.0), 0.0
    axes.annotate("", (edge, place), start, xycoords=at, textcoords="offset points", arrowprops=arrow)
    told = percent(row.value, 2)
    if np.isfinite(row.low):
        told += f" ({percent(row.low, 2)} to {percent(row.high, 2)})"
    axes.annotate(
        told,
        (edge, place),
        (inwards * EDGE_TEXT, 0.0),
        xycoords=at,
        textcoords="offset points",
        ha="right" if edge else "left",
        va="center",
        fontsize=7.0,
        color="#404040",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )


def plot_frontier(axes: Axes, table: pandas.DataFrame, styles: Mapping[str, tuple[RunStyle, str]]) -> Axes:
    """Shortfall against cost, a mark a strategy with the errors of both; a line joins those that none dominates.

    What `far_above` names would press all others together: it stands at the upper edge, with an arrow and its figure.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One scenario of `figure_strategies.frontier`.
    styles : mapping of strategy to (RunStyle, marker)

    Returns
    -------
    Axes
    """
    best = table[table["efficient"]].sort_values("cost")
    axes.plot(best["cost"], best["shortfall"], zorder=1, **BEST_LINE)
    far = far_above(table)
    for row in table.itertuples():
        style, marker = styles[row.strategy]
        face = "white" if row.unreliable else style.colour
        if row.strategy in far:
            _plot_above(axes, row, style, marker, face)
            continue
        axes.errorbar(
            row.cost,
            row.shortfall,
            xerr=row.cost_error if np.isfinite(row.cost_error) else None,
            yerr=row.shortfall_error if np.isfinite(row.shortfall_error) else None,
            fmt=marker,
            color=style.colour,
            markerfacecolor=face,
            markersize=MARK_SIZE + 1.5,
            elinewidth=1.2,
        )
    axes.locator_params(nbins=6)
    axes.margins(0.12)
    if far:
        near = table[~table["strategy"].isin(far)]
        error = near["shortfall_error"].fillna(0.0)
        low, high = float((near["shortfall"] - error).min()), float((near["shortfall"] + error).max())
        axes.set_ylim(low - 0.12 * (high - low), high + 0.35 * (high - low))
    return axes


def _plot_above(axes: Axes, row: Any, style: RunStyle, marker: str, face: str) -> None:
    """A mark at the upper edge over its cost, an arrow out of it, and the shortfall beside it."""
    from matplotlib.transforms import ScaledTranslation

    at = axes.get_xaxis_transform()
    below = at + ScaledTranslation(0.0, -EDGE_MARK / 72.0, axes.figure.dpi_scale_trans)
    size = MARK_SIZE + 1.5
    axes.plot(
        row.cost, 1.0, marker, color=style.colour, markerfacecolor=face, markersize=size, transform=below, linestyle=""
    )
    arrow = {"arrowstyle": "->", "color": style.colour, "shrinkA": 0.0, "shrinkB": 0.0}
    start = 0.0, size / 2.0 - EDGE_MARK
    axes.annotate("", (row.cost, 1.0), start, xycoords=at, textcoords="offset points", arrowprops=arrow)
    axes.annotate(
        percent(row.shortfall, 2),
        (row.cost, 1.0),
        (size, -EDGE_MARK),
        xycoords=at,
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color="#404040",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )


def plot_rungs(axes: Axes, table: pandas.DataFrame) -> Axes:
    """What rungs do, a row a rung: loans that it was for, served and reached, bars in each other.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_strategies.rung_totals`.

    Returns
    -------
    Axes
    """
    places = -np.arange(len(table), dtype=float)
    for (name, label), colour, height in zip(QUANTITIES.items(), FUNNEL_COLOURS, FUNNEL_BARS, strict=True):
        axes.barh(places, table[name], height, color=colour, edgecolor=BLACK, linewidth=0.4, label=label)
    for place, row in zip(places, table.itertuples(), strict=True):
        shares = f"{_share(row.served, row.asked)} % done"
        if row.served > 0.0:
            shares += f"\n{_share(row.reached, row.served)} % reached"
        axes.annotate(
            shares, (row.asked, place), (4, 0), textcoords="offset points", va="center", fontsize=6.5, color="#404040"
        )
    axes.set_yticks(places, [plain(shorten(name, RUNG_CHARACTERS)) for name in table["rung"]])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=False, axis="y")
    return axes


def end_funnel(axes_list: Sequence[Axes], longest: float, room: float) -> None:
    """End the common axis of funnels at their longest bar; what is right of it belongs to the figures."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    ticks = [tick for tick in MaxNLocator(nbins=3).tick_values(0.0, longest) if 0.0 <= tick <= longest]
    axes_list[0].set_xlim(0.0, room * longest)
    for axes in axes_list:
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.spines["bottom"].set_bounds(0.0, longest)


def funnel_room(characters: int, inches: float) -> float:
    """Width of a funnel's axis over its longest bar, so that the figures beside it have their room.

    Parameters
    ----------
    characters : int
        Of the longest name of a rung.
    inches : float
        Width of a panel with its names.
    """
    inner = inches - RUNG_LETTER * min(characters, RUNG_CHARACTERS) - 0.25
    return inner / (inner - FIGURES)


def _share(part: float, whole: float) -> str:
    """Whole percent; what is not quite all or nothing does not read as if it were."""
    share = 100.0 * part / whole
    if 99.5 <= share < 100.0 - 1e-9:
        return "> 99"
    return "< 1" if 0.0 < share < 0.5 else percent(share, 0)


def plot_incidents(axes: Axes, table: pandas.DataFrame, styles: Mapping[str, tuple[RunStyle, str]]) -> Axes:
    """Incidents of one kind: 5 to 95 % and 25 to 75 % of paths as lines, the mean as a mark; a group a scenario.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One kind of `figure_strategies.incident_spread`.
    styles : mapping of strategy to (RunStyle, marker)

    Returns
    -------
    Axes
    """
    from matplotlib.ticker import MaxNLocator

    scenarios, names = list(dict.fromkeys(table["scenario"])), list(styles)
    step = len(names) + GAP
    for row in table.to_dict(orient="records"):
        style, marker = styles[row["strategy"]]
        place = -(scenarios.index(row["scenario"]) * step + names.index(row["strategy"]))
        for depth, width in enumerate(BOX_LINES):
            ends = [row[quantile_column(FAN_LEVELS[end])] for end in (depth, -1 - depth)]
            axes.plot(ends, [place, place], color=style.colour, linewidth=width, solid_capstyle="butt")
        axes.plot(row["mean"], place, marker, color=style.colour, markerfacecolor="white", markersize=MARK_SIZE)
    centres = [-(number * step + (len(names) - 1) / 2.0) for number in range(len(scenarios))]
    axes.set_yticks(centres, [plain(name) for name in scenarios])
    axes.set_ylim(-(len(scenarios) * step) + GAP + 0.1, 0.9)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    largest = float(table[[quantile_column(FAN_LEVELS[-1]), "mean"]].to_numpy().max())
    axes.set_xlim(-0.03 * largest, 1.06 * largest)
    rare = largest < 1.0  # not even one to be expected: whole numbers alone would leave the axis bare
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4 if rare else 6, integer=not rare, min_n_ticks=2))
    return axes
