"""What a reader of a picture sees of its texts, for the tests of overlap."""

from __future__ import annotations

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
