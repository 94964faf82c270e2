"""The shipped parameter sets, and whatever else a name or a path may mean."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.load import decoded, is_path, read_spec, spec_from_text
from simulator.parameter_set import ParameterSet

US_TIERS = ("us_super_prime", "us_prime", "us_near_prime", "us_subprime", "us_deep_subprime")
"""The US tiers, best first: together they cover every score."""


def _files() -> dict[str, Traversable]:
    """Shipped files by name, sorted."""
    root = resources.files("calibration") / "library"
    files = {entry.name.removesuffix(".yaml"): entry for entry in root.iterdir() if entry.name.endswith(".yaml")}
    return dict(sorted(files.items()))


def parameter_set_names() -> tuple[str, ...]:
    """Names of the shipped parameter sets, sorted."""
    return tuple(_files())


def parameter_set_text(name: str) -> str:
    """Text of a shipped parameter set, comments included."""
    return _files()[name].read_text(encoding="utf-8")


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
    if isinstance(reference, Path) or is_path(reference):
        path = (folder or Path()) / reference
        if not path.is_file():
            found, remedy = (
                f"the file {path} does not exist",
                "Relative paths start from the study's folder.",
            )
            raise InputError(Fault(where, found, "the path of a parameter set", remedy))
        return read_spec(path, ParameterSet)
    files = _files()
    if reference not in files:
        known = f"one of {', '.join(files)}, or a path ending in .yaml"
        raise InputError(Fault(where, f"unknown parameter set `{reference}`", known, nearest(reference, files)))
    return spec_from_text(
        decoded(files[reference].read_bytes(), f"{reference}.yaml"), f"{reference}.yaml", ParameterSet
    )
