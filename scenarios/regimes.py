"""Regimes of classification as data: which class a loan belongs to by its days past due and by what happened to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from scenarios.checks import Problem
from scenarios.explain import nearest
from scenarios.file_spec import FileSpec
from scenarios.load import spec_from_text
from scenarios.schema import Name
from scenarios.shelf import Shelf
from scenarios.spec import Spec

REGIMES: Final = Shelf("regime", "scenarios", "library/regimes")

ClassName = Annotated[str, Field(min_length=1, max_length=40)]
"""Name of a class as tables show it."""


class RegimeClass(Spec):
    """One class of a regime, from its first day past due to the day before the next class begins."""

    name: ClassName
    """Its name in tables, at most 40 characters."""

    title: str = ""
    """Its name in the regime's own language, or in full."""

    days_from: Annotated[int, Field(ge=0, le=3650)]
    """First day past due that belongs to the class; "more than 90 days" begins with 91."""


class Workout(Spec):
    """Where loans belong to which something happened, each at least in the class that is named.

    A loan whose days past due lead to a worse class stays there. What is left out changes nothing.
    """

    modified: ClassName | None = None
    """Loans extended in the last 24 months."""

    repossessed: ClassName | None = None
    """Loans whose car was seized and not given back."""

    in_default: ClassName | None = None
    """Loans in default until the end of their probation, as the parameter set defines both."""

    charged_off: ClassName | None = None
    """Loans charged off. They leave the stock; the class is where they are counted as they leave."""


class Regime(FileSpec):
    """A way to classify loans: classes by days past due, and where loans in workout belong."""

    shelf: ClassVar[Shelf | None] = REGIMES

    kind: Literal["regime"] = "regime"
    """What this file is."""

    name: Name
    """Its name in results: letters, digits, `_`, `.` and `-`."""

    title: str
    """One line for reports."""

    description: str = ""
    """What it is for, and what it leaves out."""

    source: Annotated[str, Field(min_length=15)]
    """The rule that it follows, as a citation; own judgement is an assumption and says so."""

    classes: Annotated[tuple[RegimeClass, ...], Field(min_length=2, max_length=20)]
    """Classes from the best to the worst; the first begins with day 0."""

    workout: Workout = Workout()
    """Loans that are classified by more than their days past due."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """Classes out of order or named twice, and workout states that lead to no class."""
        yield from _order_problems(data)
        yield from _workout_problems(data)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, the best first."""
        return tuple(item.name for item in self.classes)

    @property
    def workout_classes(self) -> dict[str, int]:
        """Place of the class that each workout state leads to at least, by the state's name."""
        named = {state: getattr(self.workout, state) for state in Workout.model_fields}
        return {state: self.class_names.index(name) for state, name in named.items() if name is not None}


def _classes(data: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Classes of plain data with their places; malformed ones are stepped over."""
    found = data.get("classes")
    return [(place, item) for place, item in enumerate(found if isinstance(found, list) else []) if _is_map(item)]


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _order_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    before: int | None = None
    names: list[object] = []
    for place, item in _classes(data):
        day = item.get("days_from")
        if isinstance(day, int) and not isinstance(day, bool):
            path = ("classes", place, "days_from")
            found = f"classes[{place}].days_from = {day}"
            if place == 0 and day != 0:
                yield Problem(path, found, "0", "The best class begins with day 0: a loan without arrears has one too.")
            if before is not None and day <= before:
                yield Problem(path, found, f"more than {before}", "Write the classes from the best to the worst.")
            before = day
        name = item.get("name")
        if name in names:
            found = f"class {name} for the second time"
            yield Problem(("classes", place, "name"), found, "each class once")
        names.append(name)


def _workout_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    names = [str(item.get("name")) for _, item in _classes(data)]
    workout = data.get("workout")
    for state, name in workout.items() if isinstance(workout, Mapping) else ():
        if state in Workout.model_fields and isinstance(name, str) and name not in names:
            found = f"workout.{state} = {name}"
            yield Problem(("workout", state), found, f"one of {', '.join(names)}", nearest(name, names))


def regime_names() -> tuple[str, ...]:
    """Names of the shipped regimes, sorted."""
    return REGIMES.names


def find_regime(reference: str | Path, folder: Path | None = None, where: str = "regime") -> Regime:
    """A regime by library name or by path.

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
        There is no such regime, or its file has faults.
    """
    found = REGIMES.find(reference, folder, where)
    return spec_from_text(found.text, found.name, Regime, found.folder)


def shipped_regimes() -> tuple[Regime, ...]:
    """Every shipped regime, by name."""
    return tuple(find_regime(name) for name in regime_names())
