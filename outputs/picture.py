"""A picture: figure, words and data."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pandas

from outputs.style import look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG_METADATA: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}
PNG_METADATA: Final = {"Software": None}
"""Nothing that names a time or a program's version: equal results give equal bytes."""


@dataclass(frozen=True)
class Picture:
    """A figure with its words and its data.

    Attributes
    ----------
    name : str
        Stem of its files.
    title, caption, alternative : str
        Heading, what to read from it, and a text that stands for it where it cannot be seen.
    figure : Figure
    data : pandas.DataFrame
        What is drawn.
    """

    name: str
    title: str
    caption: str
    alternative: str
    figure: Figure
    data: pandas.DataFrame

    @cached_property
    def svg(self) -> str:
        """The figure as SVG text, the same each time."""
        with look():
            buffer = io.StringIO()
            self.figure.savefig(buffer, format="svg", metadata=SVG_METADATA)
        return buffer.getvalue()

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG at 150 dots an inch, the same each time."""
        with look():
            buffer = io.BytesIO()
            self.figure.savefig(buffer, format="png", metadata=PNG_METADATA)
        return buffer.getvalue()

    def render(self) -> None:
        """Keep the figure as SVG and PNG and empty it: its lines and letters take many times as much memory."""
        _ = self.svg, self.png
        self.figure.clear()
