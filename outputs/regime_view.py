"""A regime of classification as readers see it: shares by class in the report and on the terminal."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import xarray as xr

from outputs.arrears import shown_months
from outputs.measures import runs
from outputs.regimes import classify
from outputs.style import run_labels
from outputs.wording import TERMINAL_WIDTH, align, percent
from scenarios.counted import counted
from scenarios.regimes import Regime

NOT_OBSERVED: Final = "not observed"

Row = tuple[str, str, str, tuple[str, ...]]
"""Class, its title, its days past due, a cell a month."""


@dataclass(frozen=True, slots=True)
class RegimeView:
    """A run's stock by class.

    Attributes
    ----------
    name, title, source : str
        Of the regime.
    heads : tuple of str
        The months that are shown.
    runs : dict of str to list of Row
        By run; a cell is the share of the live balance in percent, "LOW to HIGH" where the bounds differ.
    notes : tuple of str
        Sentences.
    """

    name: str
    title: str
    source: str
    heads: tuple[str, ...]
    runs: dict[str, list[Row]]
    notes: tuple[str, ...]


def regime_view(results: xr.Dataset, regime: Regime) -> RegimeView:
    """Shares of the live balance by class, after a month, after twelve and at the horizon."""
    found = classify(results, regime)
    months = [month for month in shown_months(results) if month > 0]
    names, titles = regime.class_names, [item.title for item in regime.classes]
    shown: dict[str, list[Row]] = {}
    for label, run in zip(run_labels(results), runs(results), strict=True):
        shares = 100.0 * found["share"].sel(run).sel(month=months).transpose("category", "month", "severity").to_numpy()
        cells = [tuple(_cell(*pair) for pair in row) for row in shares]
        shown[label] = list(zip(names, titles, class_days(regime), cells, strict=True))
    heads = tuple(f"after {counted(month, 'month')}" for month in months)
    notes = tuple(found.attrs["notes"].splitlines())
    return RegimeView(regime.name, regime.title, " ".join(regime.source.split()), heads, shown, notes)


def _cell(*bounds: float) -> str:
    if np.isnan(bounds).any():
        return NOT_OBSERVED
    low, high = (percent(value) for value in sorted(bounds))
    return low if low == high else f"{low} to {high}"


def class_days(regime: Regime) -> tuple[str, ...]:
    """Days past due of each class in words: '31 to 90', '91 and more'."""
    firsts = [item.days_from for item in regime.classes]
    words = [f"{low} to {high - 1}" if high - 1 > low else str(low) for low, high in pairwise(firsts)]
    return (*words, f"{firsts[-1]} and more")


def format_regime(view: RegimeView) -> str:
    """A view as the terminal shows it; lines without a closing line break."""
    rows = [("scenario", "class", "days past due", *view.heads)]
    for label, classes in view.runs.items():
        shown = label
        for name, _, days, cells in classes:
            rows.append((shown, name, days, *cells))
            shown = ""
    lines = [f"{view.title} ({view.name}); share of live balance, %, mean over paths", "", align(rows, text_columns=3)]
    for note in view.notes:
        lines += ["", textwrap.fill(note, TERMINAL_WIDTH, break_on_hyphens=False)]
    return "\n".join(lines)
