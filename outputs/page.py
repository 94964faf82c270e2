"""What pages of pictures share: the page itself, its legend, one panel a run, and the page of a fan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas
import xarray as xr

from outputs import plots
from outputs.figure_data import quantile_column
from outputs.picture import Picture
from outputs.style import RunStyle, Sheet, Stamp, even_columns, new_sheet, panel_rows, panel_width, panels, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FAN_GREYS: Final = ("#d4d4d4", "#8f8f8f")
"""Outer and inner band in the legend, which speaks for panels of all colours."""
FAN_LABELS: Final = ("25 % to 75 % of paths", "25 % to 75 % of paths", "median", "median")
"""As many entries as a fan's legend has, as long as its longest."""


@dataclass(frozen=True, slots=True)
class Page:
    """What every picture is drawn from.

    Attributes
    ----------
    dataset : xr.Dataset
    history : xr.Dataset or None
    marks : Stamp
    styles : dict of run label to RunStyle
    scenario_styles : dict of scenario to RunStyle
    """

    dataset: xr.Dataset
    history: xr.Dataset | None
    marks: Stamp
    styles: dict[str, RunStyle]
    scenario_styles: dict[str, RunStyle]


def legend_from(sheet: Sheet, axes_list: Sequence[Axes]) -> Any:
    """One legend for all panels, whichever of them shows a label first."""
    handles: dict[Any, Any] = {}
    for axes in axes_list:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    return sheet.legend(list(handles.values()), list(handles))


def fan_page(page: Page, data: pandas.DataFrame, name: str, words: tuple[str, str, str], unit: str) -> Picture:
    """A picture of fans, one panel a run; `words` are title, subtitle and caption."""
    title, subtitle, caption = words

    def draw(axes: Axes, run: str) -> None:
        plots.plot_fan(axes, data[data["run"] == run], page.styles[run])

    sheet, axes_list = panel_a_run(page, (title, subtitle), FAN_LABELS, unit, draw)
    grey_bands(sheet.legend(*axes_list[0].get_legend_handles_labels()))
    last = data[data["month"] == data["month"].max()]
    text = "; ".join(
        f"{row['run']}: median {row[quantile_column(0.5)]:.3f}, "
        f"5 % to 95 % of paths {row[quantile_column(0.05)]:.3f} to {row[quantile_column(0.95)]:.3f}"
        for _, row in last.iterrows()
    )
    alternative = f"Fan charts over time; in the last month ({unit}) {text}."
    return Picture(name, title, caption, alternative, sheet.figure, data)


def panel_a_run(
    page: Page, words: tuple[str, str], legend: Sequence[str], unit: str, draw: Callable[[Axes, str], None]
) -> tuple[Sheet, list[Axes]]:
    """A sheet (title, subtitle) with one panel a run on common scales; the unit stands beside the first of a row."""
    count = len(page.styles)
    across = even_columns(count)
    sheet = new_sheet(*words, page.marks, 2.7 * panel_rows(count, across), legend=legend)
    axes_list = panels(sheet.figure, count, columns=across)
    for axes, run in zip(axes_list, page.styles, strict=True):
        draw(axes, run)
        axes.set_title(wrap(run, panel_width(count, across)))
    for axes in axes_list[::across]:
        axes.set_ylabel(unit)
    return sheet, axes_list


def grey_bands(legend: Any) -> None:
    """Grey patches for the bands of a legend that speaks for panels of all colours."""
    for patch, grey in zip(legend.get_patches(), FAN_GREYS, strict=False):
        patch.set(facecolor=grey, alpha=None)
