"""What a reader of a picture sees of its texts, and that none lies over another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox


def drawn_texts(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """Every text that a reader sees, with its box in dots."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    texts = [*figure.texts, *(text for legend in legends for text in legend.get_texts())]
    children = [child for parent in figure.axes for child in parent.child_axes]
    for axes in (*figure.axes, *children):
        texts += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
    for text in texts:
        if text.get_text().strip() and text.get_visible():
            yield text.get_text(), text.get_window_extent(renderer)


OVERLAP = 1.5
"""Dots by which two boxes may overlap both ways: a box is larger than its letters."""


def assert_readable(figure: Figure, tallest: float = float("inf")) -> None:
    """No text leaves the page or lies over another; texts of `tallest` dots or more may, as slanted ones' boxes do."""
    found, page = list(drawn_texts(figure)), figure.bbox.padded(1.0)
    for text, box in found:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
    upright = [(text, box) for text, box in found if box.height < tallest]
    for (first, one), (second, other) in itertools.combinations(upright, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert not (width > OVERLAP and height > OVERLAP), f"{first!r} over {second!r}"
