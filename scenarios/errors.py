"""What bad input gets: every fault of a file at once, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of an input. `str(fault)` is the line that the user reads.

    Attributes
    ----------
    where : str
        Place: ``file:line:column`` of a YAML file, ``file:line: column_name`` of a tape.
    found : str
        What stands there, with the field's path, as ``macro.unemployment_percent[7] = 55.0``.
    expected : str
        What would be right, as ``0 to 30``.
    remedy : str
        What to do, a sentence; may be empty where `expected` says it.
    """

    where: str
    found: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.where}: {self.found}; expected {self.expected}."
        return f"{line} {self.remedy}" if self.remedy else line


class InputError(Exception):
    """Bad input. Carries all faults that were found; the command line exits with 3."""

    def __init__(self, faults: Fault | Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class IntegrityError(Exception):
    """A result contradicts itself (an identity of methodology (9) fails); exit code 5."""
