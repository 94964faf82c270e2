"""The pages of the pictures of collections: queues of pools, what rungs do, incidents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pandas
import xarray as xr

from outputs import figure_money, figure_strategies, plots, plots_strategies
from outputs.figure_money import QUANTITIES
from outputs.money_views import hours_words
from outputs.page import FAN_LABELS, Page, grey_bands, legend_from
from outputs.picture import Picture
from outputs.plots_strategies import BOX_WORDS, strategy_styles
from outputs.servicing import has_pool
from outputs.strategies import INCIDENT_COUNT
from outputs.style import WIDTH, RunStyle, even_columns, new_sheet, panel_rows, panel_width, panels, wrap
from outputs.wording import amount
from scenarios.counted import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


QUEUE_CAPTION: Final = (
    "Loans that a rung is for ask its pool for hours. Where hours asked for run above the "
    "line of the hours there are (their mean over paths, if the pool hires or is suspended), some wait, and nothing "
    "acts on them that month. Bands hold the middle 50 % and 90 % of paths."
)
SERVED_CAPTION: Final = (
    "Loans that a rung is for ask its pool for hours. This pool has hours for all of them. "
    "Bands hold the middle 50 % and 90 % of paths."
)
LADDERS_A_ROW: Final = 2
"""Panels of ladders in a row: names of rungs and figures need room."""


def collection_pictures(page: Page) -> Iterator[Picture]:
    """Queues of pools, what rungs do, incidents: each where the result tells of it."""
    yield from queue_pictures(page)
    ladders = figure_strategies.rung_totals(page.dataset) if "rung_asked_mean" in page.dataset else pandas.DataFrame()
    if not ladders.empty:
        yield ladder_picture(page, ladders)
    if INCIDENT_COUNT in page.dataset and bool((page.dataset[INCIDENT_COUNT] > 0).any()):
        yield incident_picture(page)


def queue_pictures(page: Page) -> Iterator[Picture]:
    """A picture a pool; none where no run has a pool that anybody could ask."""
    if not has_pool(page.dataset):
        return
    data = figure_money.queues(page.dataset)
    pools = [] if data.empty else list(dict.fromkeys(data["pool"]))
    for pool in pools:
        yield _queue_picture(page, pool, data[data["pool"] == pool], alone=len(pools) == 1)


def _queue_picture(page: Page, pool: str, data: pandas.DataFrame, *, alone: bool) -> Picture:
    """Hours asked of a pool against those that there are, and under them the loans that wait."""
    waits = QUANTITIES["waiting"] in set(data["quantity"])
    title = f"Queue of the pool {pool}: hours asked for, and loans not served"
    if not waits:
        title = f"Hours asked of the pool {pool}, which serves everybody"
    hours = hours_words(page.dataset["pool_capacity"].sel(pool=pool))
    what = "Hours and loans a month" if waits else "Hours a month"
    subtitle = f"{what} from {page.marks.as_of} on; {hours}"
    styles = {run: page.styles[run] for run in dict.fromkeys(data["run"])}
    across = even_columns(len(styles))
    rows, quantities = panel_rows(len(styles), across), list(dict.fromkeys(data["quantity"]))
    labels = [*FAN_LABELS[:3], "hours there are"]
    sheet = new_sheet(title, subtitle, page.marks, 2.3 * rows * len(quantities), legend=labels)
    axes_list = panels(sheet.figure, rows * across * len(quantities), columns=across, share=(True, False))
    for number, label in enumerate(quantities):
        below = range(number * across, len(axes_list), across * len(quantities))
        part = [axes for first in below for axes in axes_list[first : first + across]]
        _queue_panels(part, data[data["quantity"] == label], styles, across)
        for row in range(0, len(part), across):
            for axes in _shown(part[row : row + across])[:1]:
                axes.set_ylabel(label)
    for column in range(across):
        for axes in _shown(axes_list[column::across])[-1:]:
            axes.tick_params(labelbottom=True)
    grey_bands(legend_from(sheet, axes_list))
    what = "loans wait" if waits else "hours are asked for"
    told = data[data["quantity"] == QUANTITIES["waiting" if waits else "demand"]]
    most = told.groupby("run", sort=False)["mean"].max()
    words = "; ".join(f"{run}: at most {amount(value)} {what}, mean over paths" for run, value in most.items())
    name = "pool_queue" if alone else f"pool_queue_{pool}"
    return Picture(
        name, title, QUEUE_CAPTION if waits else SERVED_CAPTION, f"Fan charts over time. {words}.", sheet.figure, data
    )


def _shown(axes_list: Sequence[Axes]) -> list[Axes]:
    """Those panels that are neither removed nor empty."""
    return [axes for axes in axes_list if axes.axison and axes.figure is not None]


def _queue_panels(axes_list: Sequence[Axes], data: pandas.DataFrame, styles: dict[str, RunStyle], across: int) -> None:
    """One quantity, a panel a run on one scale; panels that are left over go.

    Where nobody waits the title says so, and where there are far more hours than anybody asks for, how many.
    """
    runs, top = list(styles), plots.queue_top(data)
    width = panel_width(len(runs), across)
    for axes, run in zip(axes_list, runs, strict=False):
        own = data[data["run"] == run]
        if own.empty:
            axes.set_title(wrap(f"{run}: serves everybody", width))
            axes.set_axis_off()
            continue
        plots.plot_queue(axes, own, styles[run])
        axes.set_ylim(0.0, top)
        above = own["capacity"].max() > top
        hours = hours_words(xr.DataArray(own["capacity"].to_numpy(), dims="month"))
        axes.set_title(wrap(f"{run}: has {hours}, above the axis" if above else run, width))
    for axes in axes_list[len(runs) :]:
        axes.remove()


def ladder_picture(page: Page, data: pandas.DataFrame) -> Picture:
    """What the rungs of each run's ladder do, a panel a run; `data` is `figure_strategies.rung_totals`."""
    title = "Collections funnel: whom each rung was for, and whom it reached"
    subtitle = (
        f"Loans of each 1,000 opening loans over {counted(page.dataset.sizes['month'], 'month')} from "
        f"{page.marks.as_of} on, mean over paths; a loan counts anew in every month"
    )
    by_run = {str(run): part for run, part in data.groupby("run", sort=False)}
    longest, letters = max(len(part) for part in by_run.values()), int(data["rung"].str.len().max())
    across, letters = min(len(by_run), LADDERS_A_ROW), min(letters, plots_strategies.RUNG_CHARACTERS)
    heads = [wrap(run, panel_width(len(by_run), LADDERS_A_ROW) - letters) for run in by_run]
    lines = max(head.count("\n") for head in heads)
    height = panel_rows(len(by_run), LADDERS_A_ROW) * (0.75 + 0.27 * longest + 0.16 * lines)
    sheet = new_sheet(title, subtitle, page.marks, height, legend=list(figure_strategies.QUANTITIES.values()))
    axes_list = panels(sheet.figure, len(by_run), columns=LADDERS_A_ROW, share=(True, False))
    for axes, head, part in zip(axes_list, heads, by_run.values(), strict=True):
        plots_strategies.plot_rungs(axes, part)
        axes.set_title(head)
        axes.set_ylim(-longest + 0.4, 0.6)
    room = plots_strategies.funnel_room(letters, WIDTH / across)
    plots_strategies.end_funnel(axes_list, float(data["asked"].max()), room)
    for axes in axes_list[-LADDERS_A_ROW:]:
        axes.set_xlabel("of each 1,000 opening loans", loc="left")
    sheet.legend(*axes_list[0].get_legend_handles_labels())
    caption = (
        "Rungs for loans in arrears in the order in which the study's strategies first name them: the loans that each "
        "was for, those of them for which it was carried out (done; the rest waited for its pool), and those of whom "
        "it reached the borrower (percent of those done). The data have contacts and costs too."
    )
    words = "; ".join(
        f"{row.run}, {row.rung}: for {amount(row.asked)}, done {amount(row.served)}, reached {amount(row.reached)}"
        for row in data.itertuples()
    )
    alternative = f"Bars in each other, of 1,000 opening loans. {words}."
    return Picture("collections_funnel", title, caption, alternative, sheet.figure, data)


def incident_picture(page: Page) -> Picture:
    """Incidents within the horizon, a panel a kind."""
    data = figure_strategies.incident_spread(page.dataset)
    kinds = list(dict.fromkeys(data["incident"]))
    styles = strategy_styles([str(name) for name in page.dataset["strategy"].values])
    title = "Incidents of field and repossession work: how many to expect, and how they spread"
    subtitle = (
        f"Number within {counted(page.dataset.sizes['month'], 'month')} from {page.marks.as_of} on, over paths; each "
        "kind on its own scale"
    )
    rows = (len(styles) + plots_strategies.GAP) * data["scenario"].nunique()
    height = panel_rows(len(kinds), LADDERS_A_ROW) * (0.75 + 0.16 * rows)
    sheet = new_sheet(title, subtitle, page.marks, height, legend=[*styles, *BOX_WORDS])
    axes_list = panels(sheet.figure, len(kinds), columns=LADDERS_A_ROW, share=(False, True))
    for axes, kind in zip(axes_list, kinds, strict=True):
        plots_strategies.plot_incidents(axes, data[data["incident"] == kind], styles)
        axes.set_title(wrap(kind.replace("_", " "), panel_width(len(kinds), LADDERS_A_ROW)))
        axes.set_xlabel("number of incidents")
    handles, labels = plots_strategies.strategy_handles(styles)
    sheet.legend([*handles, *plots_strategies.box_handles()], [*labels, *BOX_WORDS])
    caption = (
        "The mark is the mean over paths, the thick line holds the middle 50 % and the thin one the middle 90 %. Paths "
        "differ by the teams' own factor as well as by chance and by how much work there was. The data say on how many "
        "paths there is none."
    )
    words = "; ".join(
        f"{row.run}, {row.incident}: mean {row.mean:.3g}, 95 % of paths at most {row.q95:.3g}"
        for row in data.itertuples()
    )
    alternative = f"Lines over quantiles of numbers of incidents. {words}."
    return Picture("incidents", title, caption, alternative, sheet.figure, data)
