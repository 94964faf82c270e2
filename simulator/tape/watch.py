"""Tests of cells: what a mapping has watched in columns for which the tape has no field, and what makes a flag true."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import model_validator

from scenarios.spec import Spec
from simulator.tape.yaml_values import Texts

TESTS: Final = ("below", "above", "among", "not_among", "several", "stated")


class CellTest(Spec):
    """What to look for in a column; exactly one test."""

    column: str
    """Name of the source column; absent from a file, nothing is looked for."""
    below: float | None = None
    """Numbers under this one."""
    above: float | None = None
    """Numbers over this one."""
    among: Texts | None = None
    """Cells that hold one of these; 4.0 is 4, and of several codes in one cell each counts."""
    not_among: Texts | None = None
    """Cells that state something else than these."""
    several: bool = False
    """Cells that hold more than one code, as `1;2` or `['1', '2']`."""
    stated: bool = False
    """Cells that state anything at all."""

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        given = [name for name in TESTS if getattr(self, name) is not None and getattr(self, name) is not False]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'no test'} given; expected one of {', '.join(TESTS)}")
        return self


class Watch(CellTest):
    """What to look for in a column beside the tape's own, and what it means."""

    says: str
    """What it means, as the load report goes on after "COLUMN: "."""
    balance: Literal["zero", "other"] | None = None
    """Only rows whose balance is zero, or is another or cannot be read. Absent: all rows."""
    money: bool = False
    """Whether the cells are amounts, whose sum the report gives."""
    closes: bool = False
    """Whether such a row is a closed loan, which is rejected whatever balance it states."""
