"""The pages on which pictures stand: titles, units, captions, and the words for whoever cannot see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pandas

from outputs import figure_data, plots
from outputs.estimators import ROUNDING
from outputs.figure_data import quantile_column
from outputs.measures import FAN_LEVELS, has_weights
from outputs.page import Page, fan_page, legend_from, panel_a_run
from outputs.picture import Picture
from outputs.style import (
    BLACK,
    GREY,
    PANELS_A_ROW,
    Sheet,
    handle,
    new_sheet,
    panel_rows,
    panel_width,
    panels,
    plain,
    scenario_line,
    wrap,
)
from outputs.wording import LOSS_LABELS, percent
from scenarios.counted import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_RUNS_WITH_CHANGES: Final = 4
"""Runs up to which differences of roll rates to the first run are drawn; the table has all rates."""
HEADROOM: Final = 1.06
HOLLOW: Final[dict[str, Any]] = {"markersize": 5.0, "markerfacecolor": "white"}


def macro_picture(page: Page) -> Picture:
    """Macro paths against history."""
    data = figure_data.macro_paths(page.dataset, page.history)
    variables = list(dict.fromkeys(data["variable"]))
    title = "Macro paths of the scenarios against history"
    subtitle = f"Unit over each panel; the vertical line is the as-of date, {page.marks.as_of}"
    columns = 2 if len(variables) in (2, 4) else PANELS_A_ROW
    height = 2.45 * panel_rows(len(variables), columns)
    labels = list(dict.fromkeys(data["scenario"]))
    sheet = new_sheet(title, subtitle, page.marks, height, legend=labels)
    axes_list = panels(sheet.figure, len(variables), columns=columns, share=(False, False))
    idle = str(page.dataset.attrs.get("variables_without_effect", "")).split()
    for axes, variable in zip(axes_list, variables, strict=True):
        part = data[data["variable"] == variable]
        plots.plot_macro(axes, part, page.marks.as_of, page.scenario_styles, idle=variable in idle)
    legend_from(sheet, axes_list)
    caption = (
        "What each scenario assumes, beside what has been. The used-car index is the scenario's own path, before the "
        "noise of the simulation, weighted by the opening balance of each vehicle segment. A scenario whose calendar "
        "was shifted to the tape's date does not begin where history ends. A variable without effect on loss is one to "
        "which the parameter sets have no sensitivity."
    )
    spans = data.groupby(["variable", "scenario"], sort=False)["value"]
    words = "; ".join(
        f"{variable.replace('_', ' ')}, {scenario}: {group.min():.3g} to {group.max():.3g}"
        for (variable, scenario), group in spans
    )
    alternative = f"Lines over time, lowest to highest value. {words}."
    return Picture("macro_paths", title, caption, alternative, sheet.figure, data)


def distribution_picture(page: Page) -> Picture:
    """Loss distribution, one panel a run."""
    data = figure_data.loss_distribution(page.dataset)
    title = "Loss distribution with expected loss, VaR and ES"
    subtitle = (
        f"Loss by path, % of opening balance as of {page.marks.as_of}; {LOSS_LABELS['ultimate_loss']}; run-off included"
    )
    told = [plots.TAIL_WORDS, plots.ERROR_WORDS]
    sheet = new_sheet(title, subtitle, page.marks, 1.75 * len(page.styles) + 0.4, legend=told)
    sheet.legend([plots.tail_handle(), handle(linestyle="none")], told)
    axes_list = panels(sheet.figure, len(page.styles), columns=1, share=(True, False))
    for axes, (run, style) in zip(axes_list, page.styles.items(), strict=True):
        plots.plot_loss_distribution(axes, data[data["run"] == run], style)
        axes.set_title(wrap(run, 90))
    axes_list[-1].set_xlabel("loss, % of opening balance")
    axes_list[-1].set_xlim(right=plots.shown_end(data))
    weighted = ", each with its weight," if has_weights(page.dataset) else ""
    caption = (
        f"Each bar is the share of simulated futures{weighted} with a loss in that range. Hatched: paths beyond the "
        "99 % value at risk; the expected shortfall is their mean. The ± is one Monte Carlo standard error."
    )
    marks = data[data["kind"] == "mark"]
    words = "; ".join(f"{row.run}: {row.label} {percent(row.low)}" for row in marks.itertuples())
    alternative = f"Histograms of loss in percent of the opening balance. {words}."
    return Picture("loss_distribution", title, caption, alternative, sheet.figure, data)


def exceedance_picture(page: Page) -> Picture:
    """Exceedance curves of all runs."""
    data = figure_data.exceedance(page.dataset)
    title = "Exceedance curve: how likely is a loss of more than x"
    subtitle = (
        f"% of opening balance as of {page.marks.as_of}, over {counted(page.dataset.sizes['month'], 'month')} and "
        "run-off; probability on a log axis"
    )
    sheet = _exceedance_sheet(page, (title, subtitle))
    axes = sheet.figure.subplots()
    plots.plot_exceedance(axes, data, page.styles)
    caption = (
        "Read upwards from a loss to its curve, then left for its probability or right for its return period. A curve "
        "reaches the line of a VaR at that VaR's loss. The horizon is that of the run, not a year. Dots and a thin "
        f"line: fewer than ten{' effective' if has_weights(page.dataset) else ''} paths lie beyond, so the curve is "
        "unreliable there."
    )
    if float(data.loc[data["probability"] > 0.0, "probability"].min()) < plots.SHOWN_PROBABILITY:
        caption += f" The axis ends at once in {1.0 / plots.SHOWN_PROBABILITY:,.0f}; the table goes on."
    words = []
    for run, curve in data.groupby("run", sort=False):
        crossed = curve[curve["probability"] <= 1.0 - figure_data.MARKED_LEVEL + ROUNDING].iloc[0]
        loss = percent(crossed["percent_of_opening"])
        words.append(f"{run}: with a probability of at most 1 % the loss is more than {loss} %")
    alternative = f"Falling staircases of probability against loss; {'; '.join(words)}."
    return Picture("exceedance_curve", title, caption, alternative, sheet.figure, data)


def _exceedance_sheet(page: Page, words: tuple[str, str]) -> Sheet:
    """A sheet (title, subtitle) with its legend: a line a run, or colours of strategies and lines of scenarios."""
    scenarios, several = list(page.scenario_styles), len(page.styles) // len(page.scenario_styles)
    if several == 1:
        handles = [handle(color=style.colour, linestyle=style.line) for style in page.styles.values()]
        labels = list(page.styles)
    else:
        first = dict(list(page.styles.items())[:several])
        handles = [handle(color=style.colour, marker=style.marker, **HOLLOW) for style in first.values()]
        handles += [handle(color=BLACK, linestyle=scenario_line(place)) for place in range(len(scenarios))]
        labels = [label.removeprefix(f"{scenarios[0]} / ") for label in first] + scenarios
    handles.append(handle(color=GREY, **plots.THIN_LINE, **plots.THIN_DOT))
    labels.append(f"unreliable: fewer than ten{' effective' if has_weights(page.dataset) else ''} paths beyond")
    sheet = new_sheet(*words, page.marks, 4.3, legend=labels)
    sheet.legend(handles, [plain(label) for label in labels])
    return sheet


def net_loss_picture(page: Page) -> Picture:
    """Fan of cumulative net loss."""
    data = figure_data.net_loss_fan(page.dataset)
    title = "Cumulative net loss over time"
    subtitle = (
        f"Gross charge-off less recovery to date, % of opening balance as of {page.marks.as_of}; undiscounted, "
        "without run-off"
    )
    caption = (
        "Bands hold the middle 50 % and 90 % of simulated futures month by month; their edges are no single path. "
        "All panels have one scale. The first months are gross: sales of cars of loans charged off before the as-of "
        "date are not modelled, so recoveries set in only after the first sale lag."
    )
    picture = fan_page(page, data, "cumulative_net_loss", (title, subtitle, caption), "% of opening balance")
    if float(data[quantile_column(FAN_LEVELS[0])].min()) >= 0.0:
        picture.figure.axes[0].set_ylim(bottom=0.0)
    return picture


def used_car_picture(page: Page) -> Picture:
    """Fan of the used-car index, one panel a scenario: no strategy moves it."""
    page = replace(page, dataset=page.dataset.isel(strategy=[0], programme=[0]), styles=page.scenario_styles)
    data = figure_data.used_car_fan(page.dataset)
    _, held = figure_data.segment_weights(page.dataset)
    title = "Used-car index over time"
    subtitle = (
        f"Relative to the as-of month, {page.marks.as_of} = 1; weighted by opening balance over the segments "
        f"{', '.join(held) or 'of the index, equally'}"
    )
    caption = (
        "The scenario's path of wholesale prices with the noise of the market around it. Recoveries follow it after "
        "the sale lag. Bands hold the middle 50 % and 90 % of simulated futures month by month."
    )
    return fan_page(page, data, "used_car_index", (title, subtitle, caption), "as-of month = 1")


def delinquency_picture(page: Page) -> Picture:
    """Stacked stock in arrears, the tape's first."""
    data = figure_data.delinquency(page.dataset)
    title = "Loans in arrears by days past due, from the tape on"
    subtitle = (
        f"Mean over paths, % of each month's live loans; month 0 is the tape as of {page.marks.as_of}; current loans "
        "are left out"
    )
    buckets = list(dict.fromkeys(data["bucket"]))[1:]

    def draw(axes: Axes, run: str) -> None:
        plots.plot_delinquency(axes, data[data["run"] == run])

    sheet, axes_list = panel_a_run(page, (title, subtitle), buckets, "% of loans", draw)
    late = data[data["bucket"].isin(buckets)].groupby(["run", "month"], sort=False)["percent_of_loans"].sum()
    axes_list[0].set_ylim(0.0, HEADROOM * float(late.max()) or 1.0)
    handles, labels = axes_list[0].get_legend_handles_labels()
    sheet.legend(handles, [f"{label} days" if label[:1].isdigit() else label for label in labels])
    caption = (
        "The left edge is the tape itself. A jump in the first months is the parameter set's, not the scenario's. "
        "Early buckets rise months before charge-offs do."
    )
    words = "; ".join(
        f"{run}: {percent(stock.iloc[0], 2)} % on the tape, {percent(stock.iloc[1], 2)} % after a month, "
        f"{percent(stock.iloc[-1], 2)} % in the last, at most {percent(stock.max(), 2)} %"
        for run, stock in late.groupby("run", sort=False)
    )
    alternative = f"Stacked areas of loans in arrears. {words}."
    return Picture("delinquency", title, caption, alternative, sheet.figure, data)


def roll_rate_picture(page: Page) -> Picture:
    """Heat maps of realised roll rates, and of their differences to the first run."""
    data = figure_data.roll_rates(page.dataset)
    title = "Realised monthly roll rates"
    subtitle = (
        "% of the loans in a bucket at the opening of a month, mean over "
        f"{counted(page.dataset.sizes['month'], 'month')} and all paths; as of {page.marks.as_of}"
    )
    runs = len(page.styles)
    count = 2 * runs - 1 if runs <= MOST_RUNS_WITH_CHANGES else runs
    height = panel_rows(count, columns=2) * (1.3 + 0.28 * data["from_bucket"].nunique())
    sheet = new_sheet(title, subtitle, page.marks, height)
    _roll_rate_panels(panels(sheet.figure, count, columns=2, share=(False, False)), data)
    caption = (
        "Each row says where the loans of a bucket stood a month later and sums to 100 %. It is what the simulation "
        "did, after macro, factors and seasoning, so it differs from the parameter set's own matrix."
    )
    return Picture("roll_rates", title, caption, _roll_words(data), sheet.figure, data)


def _roll_rate_panels(axes_list: Sequence[Axes], data: pandas.DataFrame) -> None:
    """A panel a run, then, as far as panels are left, one a difference to the first run."""
    runs = list(dict.fromkeys(data["run"]))
    by_run = {run: data[data["run"] == run] for run in runs}
    width = panel_width(len(axes_list), columns=2) - 6
    for axes, run in zip(axes_list[: len(runs)], runs, strict=True):
        plots.plot_roll_rates(axes, by_run[run])
        axes.set_title(wrap(run, width))
    span = plots.largest_change(data, runs)
    for axes, run in zip(axes_list[len(runs) :], runs[1:], strict=False):
        plots.plot_roll_rate_changes(axes, by_run[run], by_run[runs[0]], span)
        axes.set_title("\n".join([wrap(f"{run} less", width), wrap(f"{runs[0]}, percentage points", width)]))
    for axes in axes_list:
        axes.set_ylabel("from")


def _roll_words(data: pandas.DataFrame) -> str:
    first, second = list(dict.fromkeys(data["from_bucket"]))[:1], list(dict.fromkeys(data["to_state"]))[1:2]
    chosen = data[data["from_bucket"].isin(first) & data["to_state"].isin(second)]
    words = "; ".join(
        f"{row.run}: {percent(row.percent, 2)} % of {row.from_bucket} loans move to {row.to_state} in a month"
        for row in chosen.itertuples()
    )
    return f"Tables of monthly transition rates in percent, coloured by size. {words}."


BUILDERS: Final[tuple[Callable[[Page], Picture], ...]] = (
    macro_picture,
    distribution_picture,
    exceedance_picture,
    net_loss_picture,
    delinquency_picture,
    used_car_picture,
    roll_rate_picture,
)
"""The pictures of a run, in the order of the report."""
