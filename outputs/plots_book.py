"""Pictures of the book: stock in arrears and realised roll rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas

from outputs.style import BLACK, date_axis, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

BUCKET_HATCHES: Final = ("", "////", "xxxx", "----", "||||", "++++")
"""One a bucket, so that a grey print tells them apart; colours run from light (early) to dark (late)."""
LARGEST_SHARE: Final = 100.0
COLOUR_POWER: Final = 0.4
"""Exponent of the colour scale: a roll rate of 2 % must be seen beside a stay of 95 %."""
SMALL_CHANGE: Final = 2.0
"""Percentage points: where no change is larger, changes are printed with two decimals."""
DARK: Final = 0.6
"""Position on the colour scale from which on figures are printed in white."""


def plot_delinquency(axes: Axes, table: pandas.DataFrame) -> Axes:
    """Stacked shares of the live loans in arrears, the latest bucket on top; current loans are left out.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_data.delinquency`; its first bucket is "current".

    Returns
    -------
    Axes
    """
    from matplotlib import colormaps

    buckets = list(dict.fromkeys(table["bucket"]))[1:]
    wide = table.pivot(index="month_end", columns="bucket", values="percent_of_loans")
    colours = colormaps["cividis_r"](np.linspace(0.10, 0.95, len(buckets)))
    stacks = axes.stackplot(
        wide.index.to_numpy(),
        [wide[bucket].to_numpy() for bucket in buckets],
        labels=[plain(bucket) for bucket in buckets],
        colors=colours,
        edgecolor="white",
        linewidth=0.6,
    )
    for number, stack in enumerate(stacks):
        stack.set_hatch(BUCKET_HATCHES[number % len(BUCKET_HATCHES)])
    date_axis(axes, wide.index.to_numpy())
    return axes


def plot_roll_rates(axes: Axes, table: pandas.DataFrame) -> QuadMesh:
    """Heat map of realised monthly transitions, the percentage printed in each cell.

    Parameters
    ----------
    axes : Axes
    table : pandas.DataFrame
        One run of `figure_data.roll_rates`.

    Returns
    -------
    QuadMesh
        For a colour bar.
    """
    from matplotlib.colors import PowerNorm

    wide = _matrix(table)
    mesh = axes.pcolormesh(
        wide.to_numpy(dtype=float),
        cmap="Blues",
        norm=PowerNorm(COLOUR_POWER, 0.0, LARGEST_SHARE),
        edgecolors="white",
    )
    dark = (wide / LARGEST_SHARE) ** COLOUR_POWER > DARK
    _print_cells(axes, wide, dark, _share_text)
    _label_cells(axes, wide)
    return mesh


def plot_roll_rate_changes(axes: Axes, table: pandas.DataFrame, base: pandas.DataFrame, span: float) -> QuadMesh:
    """Heat map of the difference to another run, in percentage points, red where it is larger.

    Parameters
    ----------
    axes : Axes
    table, base : pandas.DataFrame
        One run each of `figure_data.roll_rates`.
    span : float
        Largest difference of the colour scale, percentage points.

    Returns
    -------
    QuadMesh
    """
    wide = _matrix(table) - _matrix(base)
    mesh = axes.pcolormesh(wide.to_numpy(dtype=float), cmap="PuOr_r", vmin=-span, vmax=span, edgecolors="white")
    decimals = 1 if span >= SMALL_CHANGE else 2
    _print_cells(axes, wide, (wide.abs() / span) > DARK, lambda value: _change_text(value, decimals))
    _label_cells(axes, wide)
    return mesh


def largest_change(table: pandas.DataFrame, runs: list[str]) -> float:
    """Largest difference to the first run, in percentage points; 1 where nothing differs."""
    base = _matrix(table[table["run"] == runs[0]])
    changes = [float((_matrix(table[table["run"] == run]) - base).abs().max().max()) for run in runs[1:]]
    largest = max(changes, default=0.0)
    return largest if np.isfinite(largest) and largest > 0.0 else 1.0


def _matrix(table: pandas.DataFrame) -> pandas.DataFrame:
    origins, states = list(dict.fromkeys(table["from_bucket"])), list(dict.fromkeys(table["to_state"]))
    return table.pivot(index="from_bucket", columns="to_state", values="percent").loc[origins, states]


def _share_text(value: float) -> str:
    if np.isnan(value):
        return "n/a"
    return "0" if value == 0.0 else f"{value:.1f}" if value >= 0.05 else "<0.1"


def _change_text(value: float, decimals: int) -> str:
    if np.isnan(value):
        return "n/a"
    text = f"{value:+.{decimals}f}"
    return "0" if float(text) == 0.0 else text.replace("-", "\N{MINUS SIGN}")


def _print_cells(axes: Axes, wide: pandas.DataFrame, dark: pandas.DataFrame, text: Callable[[float], str]) -> None:
    size = 8.0 if wide.shape[1] <= 8 else 6.5
    for row in range(wide.shape[0]):
        for column in range(wide.shape[1]):
            value = float(wide.iat[row, column])
            colour = "white" if bool(dark.iat[row, column]) else BLACK
            axes.text(column + 0.5, row + 0.5, text(value), ha="center", va="center", fontsize=size, color=colour)


def _label_cells(axes: Axes, wide: pandas.DataFrame) -> None:
    states = [plain(str(name).replace("_", " ")) for name in wide.columns]
    axes.set_xticks(np.arange(wide.shape[1]) + 0.5, states, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(wide.shape[0]) + 0.5, [plain(str(name)) for name in wide.index])
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
