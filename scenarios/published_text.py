"""The file of an imported scenario: YAML that says of every path where it comes from and how it becomes monthly."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scenarios.checks import Month
from scenarios.csv_table import quarter_text
from scenarios.schema import Satellite
from scenarios.show import INTERPOLATION, scalar
from scenarios.used_car_source import UsedCarIndex

LINE_WIDTH: Final = 120


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in an imported scenario's file.

    Attributes
    ----------
    name, title, description, source : str
        What it says of itself.
    quarters : tuple of (int, int)
        First months of the jump-off quarter and of the path's quarters.
    jump_off : mapping of str to float
        Values of the jump-off quarter by field, percent.
    columns : mapping of str to str
        The table's columns by field.
    ignored : tuple of str
        The table's other columns.
    values : mapping of str to tuple of float
        Paths by field, percent, one value a quarter.
    used_car : UsedCarIndex
        The used-car index.
    """

    name: str
    title: str
    description: str
    source: str
    quarters: tuple[Month, ...]
    jump_off: Mapping[str, float]
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]
    used_car: UsedCarIndex


def printable(text: str) -> bool:
    """Whether a text has something to read and nothing that a terminal or YAML would trip over."""
    return bool(text.strip()) and " ".join(text.split()).isprintable()


def escaped(text: str) -> str:
    """A text with single blanks, whatever does not print (a file's odd name, say) written as its escape."""
    one_line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in one_line)


def draft_text(draft: Draft) -> str:
    """YAML of the scenario, with comments; what `carstress validate` accepts."""
    start, end = quarter_text(draft.quarters[1]), quarter_text(draft.quarters[-1])
    lines = [
        "# Made from a supervisor's table by `carstress scenario import-fed`; numbers as published, in percent.",
        *_comment(f"Columns of the table that are not used: {', '.join(draft.ignored) or 'none'}."),
        "kind: macro_scenario",
        f"name: {scalar(draft.name)}",
        f"title: {scalar(escaped(draft.title))}",
        *_folded("description", draft.description),
        *_folded("source", draft.source),
        f"start: {start}",
        f"end: {end}",
        "frequency: quarterly",
        f"jump_off: # {quarter_text(draft.quarters[0])}",
        *(f"  {field}: {_number(value)}" for field, value in draft.jump_off.items()),
        "macro:",
    ]
    for field, path in draft.values.items():
        lines += _comment(f"{draft.columns[field]}: {INTERPOLATION[field]}.", "  ")
        lines += _list(field, path)
    lines += ["used_car_index:", *_used_car(draft.used_car)]
    return "\n".join(lines) + "\n"


def _used_car(index: UsedCarIndex) -> Iterator[str]:
    told = "Assumption, confidence L: see source. " if index.assumption else ""
    yield from _comment(f"{told}{INTERPOLATION['used_car_index'].capitalize()}.", "  ")
    for segment, path in index.paths.items():
        if isinstance(path, Satellite):
            given = path.model_dump(exclude_none=True)
            shown = given if path.satellite != "flat" else {"satellite": "flat"}
            parts = (
                f"{key}: {scalar(value) if isinstance(value, str) else _number(value)}" for key, value in shown.items()
            )
            yield f"  {segment}: {{{', '.join(parts)}}}"
        else:
            yield from _list(segment, path)


def _number(value: float) -> str:
    """The shortest text that reads back equal."""
    return json.dumps(value)


def _list(name: str, values: Sequence[float]) -> list[str]:
    return _wrapped(f"{name}: [{', '.join(map(_number, values))}]", "  ", "    ")


def _comment(text: str, indent: str = "") -> list[str]:
    return _wrapped(text, f"{indent}# ", f"{indent}# ")


def _folded(key: str, text: str) -> list[str]:
    """A text as a folded block: nothing in it can be misread, and it reads back with single blanks."""
    return [f"{key}: >-", *_wrapped(text, "  ", "  ")]


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        escaped(text),
        LINE_WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
