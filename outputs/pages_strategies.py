"""The pages on which strategies are compared: differences to the baseline, and costs against the tail of the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pandas

from outputs import figure_strategies, plots_strategies
from outputs.measures import Loss
from outputs.page import Page
from outputs.picture import Picture
from outputs.plots_strategies import (
    FRONTIER_WORDS,
    MARK_SIZE,
    SMALL_MARK,
    frontier_handles,
    strategy_handles,
    strategy_styles,
)
from outputs.strategies import several_strategies, strategy_differences
from outputs.style import GREY, PANELS_A_ROW, RunStyle, Sheet, handle, new_sheet, panel_rows, panel_width, panels, wrap
from outputs.wording import percent, percent_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_HEIGHT: Final = 0.155
"""Inches of a row of the forest."""
FRONTIER_HEIGHT: Final = 2.9
FAR_WORDS: Final = "the difference and its interval are written beside it"
TOLD_APART, OPEN, UNTESTED = "told apart from the baseline", "not told apart", "not tested: too few paths"


def strategy_pictures(
    page: Page, differences: pandas.DataFrame | None = None, loss: Loss = "ultimate_loss"
) -> Iterator[Picture]:
    """Differences to the baseline and the frontier of costs; none where there is one strategy.

    Parameters
    ----------
    differences : pandas.DataFrame, optional
        Of `strategies.strategy_differences`, where the caller has it already.
    """
    if not several_strategies(page.dataset):
        return
    table = strategy_differences(page.dataset, loss) if differences is None else differences
    yield differences_picture(page, table)
    yield frontier_picture(page, loss)


def differences_picture(page: Page, differences: pandas.DataFrame) -> Picture:
    """A forest of differences, a panel a scenario."""
    data = figure_strategies.difference_points(differences, page.dataset)
    baseline = str(data["less"].iloc[0])
    title = f"What each strategy adds to the loss with costs, compared with {baseline}"
    subtitle = (
        f"Difference path by path, % of opening balance as of {page.marks.as_of}, with 95 % intervals; below 0: better"
    )
    names = [str(name) for name in page.dataset["strategy"].values]
    styles = {name: style for name, style in strategy_styles(names).items() if name != baseline}
    scenarios = list(dict.fromkeys(data["run"]))
    rows = data["measure"].nunique() * (len(styles) + plots_strategies.GAP)
    height = panel_rows(len(scenarios)) * (0.55 + ROW_HEIGHT * rows)
    sheet = new_sheet(title, subtitle, page.marks, height, legend=[*styles, TOLD_APART, OPEN, UNTESTED])
    axes_list = panels(sheet.figure, len(scenarios), share=(False, True))
    for axes, scenario in zip(axes_list, scenarios, strict=True):
        plots_strategies.plot_differences(axes, data[data["run"] == scenario], styles)
        axes.set_title(wrap(scenario, panel_width(len(scenarios))))
        axes.set_xlabel("% of opening balance")
    _forest_legend(sheet, styles)
    beyond = {name for _, part in data.groupby("run") for name in plots_strategies.far_strategies(part)}
    caption = (
        "Loss with the costs of collection and of incidents, each strategy less the baseline on the same paths. A full "
        "mark is a difference that stands when all measures and strategies of its scenario are judged together (Holm, "
        "5 %); each interval is that of its row alone. Small hollow marks are not tested: fewer "
        "than ten paths lie beyond the quantile."
        + (f" An arrow stands for what lies far outside the axis: {FAR_WORDS}." if beyond else "")
    )
    words = "; ".join(
        f"{row.run}, {row.strategy}: {row.measure} {percent(row.value)} % ({row.verdict})"
        for row in data[data["measure"] == data["measure"].iloc[0]].itertuples()
    )
    alternative = f"Differences of losses as marks with intervals. {words}."
    return Picture("strategy_differences", title, caption, alternative, sheet.figure, data)


def _forest_legend(sheet: Sheet, styles: dict[str, tuple[RunStyle, str]]) -> None:
    """Marks of the strategies, then what full, hollow and small ones mean."""
    handles, labels = strategy_handles(styles)
    handles += [
        handle(color=GREY, marker="o", markerfacecolor=face, markersize=size, linestyle="none")
        for face, size in ((GREY, MARK_SIZE), ("white", MARK_SIZE), ("white", SMALL_MARK))
    ]
    sheet.legend(handles, [*labels, TOLD_APART, OPEN, UNTESTED])


def frontier_picture(page: Page, loss: Loss = "ultimate_loss") -> Picture:
    """Costs against the shortfall, a panel a scenario."""
    data = figure_strategies.frontier(page.dataset, loss)
    level = percent_level(figure_strategies.SHORTFALL_LEVEL)
    title = "What strategies cost, and the tail of the loss that they leave"
    subtitle = (
        f"% of opening balance as of {page.marks.as_of}; cost of collection and incidents against ES {level} of the "
        "loss without costs"
    )
    styles = strategy_styles([str(name) for name in page.dataset["strategy"].values])
    scenarios = list(dict.fromkeys(data["run"]))
    height = FRONTIER_HEIGHT * panel_rows(len(scenarios))
    sheet = new_sheet(title, subtitle, page.marks, height, legend=[*styles, *FRONTIER_WORDS])
    axes_list = panels(sheet.figure, len(scenarios), share=(False, False))
    for axes, scenario in zip(axes_list, scenarios, strict=True):
        plots_strategies.plot_frontier(axes, data[data["run"] == scenario], styles)
        axes.set_title(wrap(scenario, panel_width(len(scenarios))))
        axes.set_xlabel("cost, % of opening balance")
    _left_labels(axes_list, f"ES {level}, % of opening balance")
    above = {name for _, part in data.groupby("run") for name in plots_strategies.far_above(part)}
    handles, labels = strategy_handles(styles)
    sheet.legend([*handles, *frontier_handles()], [*labels, *FRONTIER_WORDS])
    caption = (
        "Down and to the left is better. The dashed line joins the strategies that no other beats on both axes. Lines "
        "through the marks are one standard error each way of each figure by itself: strategies share their paths, so "
        "their differences are known better than these lines suggest. Hollow: fewer than ten paths beyond the quantile."
        + (" An arrow stands for an ES far above the axis, which is written beside it." if above else "")
    )
    words = "; ".join(
        f"{row.run}, {row.strategy}: cost {percent(row.cost, 2)} %, ES {percent(row.shortfall, 2)} %"
        for row in data.itertuples()
    )
    alternative = f"Marks of cost against expected shortfall, % of the opening balance. {words}."
    return Picture("strategy_frontier", title, caption, alternative, sheet.figure, data)


def _left_labels(axes_list: Sequence[Axes], text: str) -> None:
    """The same label beside the first panel of each row."""
    for axes in axes_list[::PANELS_A_ROW]:
        axes.set_ylabel(text)
