"""The shipped parameter sets, and whatever else a name or a path may mean."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from scenarios.load import spec_from_text
from scenarios.shelf import Shelf
from simulator.parameter_set import ParameterSet

PARAMETER_SETS: Final = Shelf("parameter set", "calibration", "library")

US_TIERS = ("us_super_prime", "us_prime", "us_near_prime", "us_subprime", "us_deep_subprime")
"""The US tiers, best first: together they cover every score."""


def parameter_set_names() -> tuple[str, ...]:
    """Names of the shipped parameter sets, sorted."""
    return PARAMETER_SETS.names


def find_parameter_set(reference: str | Path, folder: Path | None = None, where: str = "parameters") -> ParameterSet:
    """A parameter set by library name or by path.

    Parameters
    ----------
    reference : str or Path
        Library name, or path from `folder`.
    folder : Path, optional
        Where relative paths start; the working directory if left out.
    where : str, optional
        Who refers to it, for errors.

    Raises
    ------
    InputError
        There is no such set, or its file has faults.
    """
    found = PARAMETER_SETS.find(reference, folder, where)
    return spec_from_text(found.text, found.name, ParameterSet, found.folder)
