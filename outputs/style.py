"""How every picture looks: colours, lines, titles, footers. matplotlib is imported inside functions only.

The palette is Okabe and Ito's (2008), which stays apart under the common forms of colour blindness; line styles
and luminance keep runs apart in grey print too. A run has the same colour in every picture, and a strategy in every
scenario.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs.measures import runs
from outputs.wording import amount, path_count, run_label
from scenarios.counted import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK: Final = "#000000"
GREY: Final = "#767676"
PALE: Final = "#d9d9d9"
RUN_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", BLACK)
"""Okabe and Ito's eight without yellow, which vanishes on white."""
Line = str | tuple[int, tuple[float, ...]]
RUN_LINES: Final[tuple[Line, ...]] = (
    "solid",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (6, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "*", "h")
"""By place of the strategy. There are more of them than colours, and no multiple: a colour that comes again has another
marker."""

WIDTH: Final = 9.0
"""Inches; a report's column."""
TITLE_LINE: Final = 0.27
SUBTITLE_LINE: Final = 0.19
LEGEND_LINE: Final = 0.21
FOOTER: Final = 0.30
"""Heights in inches."""
LEFT: Final = 0.012
"""Left edge of title, legend and footer, as a share of the width."""
LEGEND_CHARACTERS: Final = 122
HANDLE_CHARACTERS: Final = 9
"""Characters of labels and handles that fit on one line of the legend; what a handle takes of them."""
PANELS_A_ROW: Final = 3
MONTH_STEPS: Final = (1, 3, 6)
MONTH_LABELS: Final = 5
"""Months between the labels of a date axis, and the most labels like "2025-04" that a panel holds; of three a row, one
fewer."""
DAYS_A_MONTH: Final = 365.25 / 12.0
CJK_FAMILIES: Final = ("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei")


@dataclass(frozen=True, slots=True)
class RunStyle:
    """Colour and line of a run, the same in every picture, and the marker of its strategy where there are several."""

    colour: str
    line: Line
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every picture says of its run.

    Attributes
    ----------
    as_of : str
        ISO date of the tape.
    currency : str
    footer : str
        Run id, seed, paths, opening balance.
    """

    as_of: str
    currency: str
    footer: str


def stamp(dataset: xr.Dataset, run_id: str) -> Stamp:
    """Stamp of a result."""
    attrs = dataset.attrs
    opening = f"opening balance {amount(float(attrs['opening_balance']))} {attrs['currency']}"
    paths = f"{path_count(dataset)} over {counted(dataset.sizes['month'], 'month')}"
    footer = f"carstress run {run_id} | seed {attrs['seed']} | {paths} | {opening} as of {attrs['as_of']}"
    return Stamp(str(attrs["as_of"]), str(attrs["currency"]), footer)


def run_labels(dataset: xr.Dataset) -> list[str]:
    """Labels of a Dataset's runs, in its order."""
    vary = [dim for dim in ("strategy", "programme") if dataset.sizes[dim] > 1]
    return [run_label(**run, vary=vary) for run in runs(dataset)]


def run_styles(labels: Sequence[str], strategies: int = 1) -> dict[str, RunStyle]:
    """Colour and line by run label; they depend on nothing but the order of runs in the Dataset.

    Where each scenario is run under several strategies, colour and marker are the strategy, the same in all scenarios,
    and the line is the scenario, the same for all strategies.
    """
    colours, lines, styles = len(RUN_COLOURS), len(RUN_LINES), {}
    for number, label in enumerate(dict.fromkeys(labels)):
        if strategies > 1:
            scenario, place = divmod(number, strategies)
            style = RunStyle(RUN_COLOURS[place % colours], scenario_line(scenario), MARKERS[place % len(MARKERS)])
        else:
            style = RunStyle(RUN_COLOURS[number % colours], RUN_LINES[(number + number // colours) % lines])
        styles[label] = style
    return styles


def scenario_line(place: int) -> Line:
    """Line of a scenario among several strategies: of those beyond `RUN_LINES` a dash and more and more dots."""
    return RUN_LINES[place] if place < len(RUN_LINES) else (0, (6, 1, *(1, 1) * (place - 2)))


def handle(**look: Any) -> Any:
    """A line of a legend that stands for no line of the picture."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **look)


@contextmanager
def look() -> Iterator[None]:
    """Settings under which pictures are made and saved; the caller's own come back afterwards."""
    import matplotlib

    settings = {
        "font.family": font_families(),
        "font.size": 9.0,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.linewidth": 1.8,
        "hatch.linewidth": 0.5,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.dpi": 150,
        "svg.fonttype": "path",
        "svg.hashsalt": "carstress",
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in settings.items():
            matplotlib.rcParams[name] = value  # type: ignore[index]  # its keys are one long literal
        yield


def font_families() -> list[str]:
    """The font that ships with matplotlib, then a Chinese one where the machine has one."""
    from matplotlib import font_manager

    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in CJK_FAMILIES if name in installed)]


def plain(text: str) -> str:
    """Text that is drawn as it stands: a dollar sign would open a formula."""
    return text.replace("$", r"\$")


def wrap(text: str, width: int) -> str:
    """Text broken into lines of about `width` characters, inside a long name too: after `_`, `-`, `.`, `/`."""
    lines = [""]
    for piece in re.findall(rf"[^\s_./-]{{1,{width}}}[\s_./-]*|[\s_./-]+", text):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return plain("\n".join(line.strip() for line in lines))


def shorten(text: str, width: int) -> str:
    """Text of at most `width` characters: of a longer one beginning and end, an ellipsis between."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 3
    return f"{text[: width - 1 - tail]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - tail :]}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """An empty page: a figure with title, subtitle and footer, and room for a legend under the subtitle.

    Attributes
    ----------
    figure : Figure
    legend_top : float
        Where the legend begins, as a share of the height.
    legend_columns : int
    """

    figure: Figure
    legend_top: float
    legend_columns: int

    def legend(self, handles: Sequence[Any], labels: Sequence[str], title: str | None = None) -> Any:
        """Put the legend into its room."""
        anchor = (LEFT - 0.004, self.legend_top)
        return self.figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=anchor,
            ncols=self.legend_columns,
            title=title,
            alignment="left",
            borderaxespad=0.0,
        )


def new_sheet(
    title: str, subtitle: str, marks: Stamp, height: float, *, legend: Sequence[str] = (), legend_title: bool = False
) -> Sheet:
    """Lay out a page; axes keep clear of what stands around them by constrained layout.

    Parameters
    ----------
    title : str
        What is shown.
    subtitle : str
        Unit and as-of date, and how to read it.
    marks : Stamp
    height : float
        Inches of the plotting area; title, legend and footer come on top.
    legend : sequence of str
        Labels that the legend will have, if any: they decide its room.
    legend_title : bool
        Whether the legend has a title.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    head, below = textwrap.wrap(title, 88), textwrap.wrap(subtitle, 138)
    columns, rows = _legend_shape(legend)
    lines = ((TITLE_LINE, len(head)), (SUBTITLE_LINE, len(below)), (LEGEND_LINE, rows + legend_title))
    heights = [size * count for size, count in lines]
    total = 0.18 + sum(heights) + height + FOOTER
    figure = Figure(figsize=(WIDTH, total))
    area = (0.006, FOOTER / total, 0.988, height / total)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=area, w_pad=0.06, h_pad=0.06))
    tops = [1.0 - (0.12 + sum(heights[:number])) / total for number in range(3)]
    figure.text(LEFT, tops[0], plain("\n".join(head)), fontsize=13, fontweight="bold", va="top", linespacing=1.2)
    figure.text(LEFT, tops[1], plain("\n".join(below)), fontsize=9, color="#404040", va="top", linespacing=1.25)
    figure.text(LEFT, 0.09 / total, plain(marks.footer), fontsize=7, color=GREY, va="bottom")
    return Sheet(figure, tops[2] - 0.03 / total, columns)


def _legend_shape(labels: Sequence[str]) -> tuple[int, int]:
    """Columns and rows of a legend with these labels."""
    if not labels:
        return 1, 0
    widths = [len(label) + HANDLE_CHARACTERS for label in labels]
    if sum(widths) <= LEGEND_CHARACTERS:
        return len(labels), 1
    columns = min(len(labels), max(1, LEGEND_CHARACTERS // max(widths)))
    return columns, -(-len(labels) // columns)


def panels(
    figure: Figure, count: int, *, columns: int = PANELS_A_ROW, share: tuple[bool, bool] = (True, True)
) -> list[Axes]:
    """`count` axes in rows of at most `columns`; `share` says whether x and y axes are common."""
    across = min(count, columns)
    rows = -(-count // across)
    grid = figure.subplots(rows, across, squeeze=False, sharex=share[0], sharey=share[1])
    axes = list(grid.ravel())
    for unused in axes[count:]:
        unused.remove()
    for number in range(max(0, count - across), count):
        axes[number].tick_params(labelbottom=True)
    return axes[:count]


def even_columns(count: int, most: int = PANELS_A_ROW) -> int:
    """Columns of panels that leave the fewest gaps in the last row; of those the most."""
    return min(range(min(count, most), min(count, 2) - 1, -1), key=lambda across: -count % across)


def panel_rows(count: int, columns: int = PANELS_A_ROW) -> int:
    """Rows that `panels` makes."""
    return -(-count // min(count, columns))


def panel_width(count: int, columns: int = PANELS_A_ROW) -> int:
    """Characters that fit over one of `count` panels."""
    return int(118 / min(count, columns)) - 5


def whole_month(table: pandas.DataFrame) -> pandas.DataFrame:
    """Flows by `month_end`; of a single month from its beginning to its end, since a point has no width."""
    if table["month_end"].nunique() > 1:
        return table
    begin = table["month_end"].to_numpy().astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    return pandas.concat([table.assign(month_end=begin.astype("datetime64[ns]")), table], ignore_index=True)


def date_axis(axes: Axes, dates: pandas.Series | np.ndarray[Any, Any]) -> None:
    """Years as labels, or months where the axis spans less than two and a half years; as many as the panel holds."""
    from matplotlib import dates as mdates

    values = np.asarray(dates, dtype="datetime64[D]")
    months = round(int((values.max() - values.min()).astype(int)) / DAYS_A_MONTH)
    place = axes.get_subplotspec()
    across = place.get_gridspec().ncols if place is not None else 1
    fitting = [step for step in MONTH_STEPS if months / step <= MONTH_LABELS - (across > 2)]
    if months < 30 and fitting:
        starts = range(1, 13, fitting[0])
        ticks: mdates.RRuleLocator = mdates.MonthLocator(bymonth=starts)  # type: ignore[no-untyped-call]
        form = "%Y-%m"
    else:
        ticks = mdates.YearLocator(base=max(1, round(months / 12.0 / 6.0)))  # type: ignore[no-untyped-call]
        form = "%Y"
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(mdates.DateFormatter(form))  # type: ignore[no-untyped-call]
    axes.set_xlim(values.min(), values.max())
