"""The pages of the pictures of collections: queues of pools, what rungs do, incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas

from outputs import figure_money, plots
from outputs.figure_money import QUANTITIES
from outputs.money_views import hours_words
from outputs.page import FAN_LABELS, Page, grey_bands
from outputs.picture import Picture
from outputs.servicing import has_pool
from outputs.study_view import waiting_words
from outputs.style import PANELS_A_ROW, RunStyle, new_sheet, panel_rows, panel_width, panels, wrap
from outputs.wording import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def queue_pictures(page: Page) -> tuple[Picture, ...]:
    """A picture a pool; none where the study has no pool."""
    if not has_pool(page.dataset):
        return ()
    data = figure_money.queues(page.dataset)
    pools = list(dict.fromkeys(data["pool"]))
    return tuple(_queue_picture(page, pool, data[data["pool"] == pool], alone=len(pools) == 1) for pool in pools)


def _queue_picture(page: Page, pool: str, data: pandas.DataFrame, *, alone: bool) -> Picture:
    """Hours asked of a pool against those that there are, and under them the loans that wait."""
    title = f"Queue of the pool {pool}: hours asked for, and loans not served"
    hours = hours_words(page.dataset["pool_capacity"].sel(pool=pool))
    subtitle = f"Hours and loans a month from {page.marks.as_of} on; {hours}"
    styles = {run: page.styles[run] for run in dict.fromkeys(data["run"])}
    across, rows = min(len(styles), PANELS_A_ROW), panel_rows(len(styles))
    labels = [*FAN_LABELS[:3], "hours there are"]
    sheet = new_sheet(title, subtitle, page.marks, 2.3 * rows * len(QUANTITIES), legend=labels)
    count = rows * across
    axes_list = panels(sheet.figure, count * len(QUANTITIES), columns=across, share=(True, False))
    for number, label in enumerate(QUANTITIES.values()):
        part = axes_list[number * count : (number + 1) * count]
        _queue_panels(part, data[data["quantity"] == label], styles)
        for axes in part[::across]:
            axes.set_ylabel(label)
    grey_bands(sheet.legend(*axes_list[0].get_legend_handles_labels()))
    waiting = data[data["quantity"] == QUANTITIES["waiting"]]
    most = waiting.groupby("run", sort=False)["mean"].max()
    words = "; ".join(f"{run}: at most {amount(value)} loans wait, mean over paths" for run, value in most.items())
    name = "pool_queue" if alone else f"pool_queue_{pool}"
    return Picture(name, title, _queue_caption(page), f"Fan charts over time. {words}.", sheet.figure, data)


def _queue_caption(page: Page) -> str:
    asks = "Loans in arrears ask the pool for the hours that their rungs take."
    if page.treatment is not None:
        asks = "Every loan in arrears within the pool's buckets asks for one contact a month."
    waits = "" if page.treatment is None else f" A loan that waits {waiting_words(page.treatment)}."
    return (
        f"{asks} Where hours asked for run above the line of the hours there are (their mean over paths, if the pool "
        f"hires), some wait.{waits} Bands hold the middle 50 % and 90 % of paths."
    )


def _queue_panels(axes_list: Sequence[Axes], data: pandas.DataFrame, styles: dict[str, RunStyle]) -> None:
    """One quantity, a panel a run on one scale; panels that are left over go."""
    runs = list(styles)
    width = panel_width(len(runs))
    for axes, run in zip(axes_list, runs, strict=False):
        plots.plot_queue(axes, data[data["run"] == run], styles[run])
        axes.set_title(wrap(run, width))
    top = max(float(axes.get_ylim()[1]) for axes in axes_list[: len(runs)])
    for axes in axes_list[: len(runs)]:
        axes.set_ylim(0.0, top)
    for axes in axes_list[len(runs) :]:
        axes.remove()
