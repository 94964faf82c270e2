"""The pictures of a run, and the one place that writes them.

`draw_pictures` makes them in memory; `write_figures` writes each as SVG and PNG with its data as CSV beside.
Neither leaves a trace in matplotlib's state, and the same result gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from outputs.csv_text import to_csv
from outputs.page import Page
from outputs.pages import BUILDERS
from outputs.pages_collections import collection_pictures
from outputs.pages_money import MONEY_BUILDERS
from outputs.pages_strategies import strategy_pictures
from outputs.picture import Picture
from outputs.run_folder import write_bytes, write_text
from outputs.style import look, run_labels, run_styles, stamp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from outputs.strategies_view import Comparison

__all__ = ["Picture", "draw_comparison", "draw_pictures", "write_figures"]


def draw_pictures(
    dataset: xr.Dataset, run_id: str, history: xr.Dataset | None = None, *, rendered: bool = False
) -> tuple[Picture, ...]:
    """Draw all pictures of a result.

    Parameters
    ----------
    dataset : xr.Dataset
        A result with the variables of `scenarios.vocabulary.DATASET_VARIABLES`.
    run_id : str
        Shown in every footer.
    history : xr.Dataset, optional
        Macro history, as `outputs.figure_data.macro_paths` takes it.
    rendered : bool
        Render each picture as soon as it is drawn and empty its figure: one figure is in memory at a time.

    Returns
    -------
    tuple of Picture
        Macro paths, loss distribution, exceedance curve, fan of cumulative net loss, delinquency, used-car index,
        roll rates; cash against the schedule, recoveries by channel, expected credit loss by stage; differences
        of strategies and their costs where there are several, the queue of each pool, what rungs do, and incidents,
        each where there are any.
    """
    page = _page(dataset, run_id, history)
    plain = (build(page) for build in (*BUILDERS, *MONEY_BUILDERS))
    return tuple(_drawn(chain(plain, strategy_pictures(page), collection_pictures(page)), rendered=rendered))


def draw_comparison(found: Comparison, run_id: str, *, rendered: bool = False) -> tuple[Picture, ...]:
    """Draw the pictures of a comparison of strategies: those of `draw_pictures` that tell strategies apart."""
    page = _page(found.dataset, run_id)
    pictures = chain(strategy_pictures(page, found.differences, found.loss), collection_pictures(page))
    return tuple(_drawn(pictures, rendered=rendered))


def _drawn(pictures: Iterator[Picture], *, rendered: bool) -> Iterator[Picture]:
    """Pictures one after the other, each laid out, and rendered before the next is begun if it is to be."""
    while True:
        with look():
            picture = next(pictures, None)
            if picture is None:
                return
            _settle(picture.figure)
        if rendered:
            picture.render()
        yield picture


def _page(dataset: xr.Dataset, run_id: str, history: xr.Dataset | None = None) -> Page:
    styles = run_styles(run_labels(dataset), dataset.sizes["strategy"] * dataset.sizes["programme"])
    by_scenario = run_styles([str(name) for name in dataset["scenario"].values])
    return Page(dataset, history, stamp(dataset, run_id), styles, by_scenario)


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all; each saving would do it again."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)


def write_figures(folder: Path, pictures: Iterable[Picture]) -> tuple[Path, ...]:
    """Write each picture as ``<name>.svg`` and ``<name>.png`` with its data as ``<name>.csv`` beside.

    Returns
    -------
    tuple of Path
        The files, in the order of the pictures.
    """
    paths = []
    for picture in pictures:
        svg, png, csv = (folder / f"{picture.name}.{suffix}" for suffix in ("svg", "png", "csv"))
        write_text(svg, picture.svg)
        write_bytes(png, picture.png)
        write_text(csv, to_csv(picture.data))
        paths += [svg, png, csv]
    return tuple(paths)
