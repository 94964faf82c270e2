"""Factors by type of borrower, and which parameters a study draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from scenarios.file_spec import one_of
from scenarios.ladder_units import MOST_FACTOR
from scenarios.spec import Reference, Spec

Hours = Annotated[float, Field(gt=0, le=10_000_000)]
"""Hours of work."""

Weight = Annotated[float, Field(ge=0, le=10)]
"""Weight of a feature in the priority."""

Multiplier = Annotated[float, Field(ge=0, le=MOST_FACTOR)]
"""Factor on a monthly intensity; 1 changes nothing."""


class ByType(Spec):
    """A factor by latent type of the borrower."""

    forgetful: Multiplier = 1.0
    """Borrowers able and willing to pay."""

    hardship: Multiplier = 1.0
    """Borrowers willing and unable to pay."""

    strategic: Multiplier = 1.0
    """Borrowers able and unwilling to pay."""


def _form(value: Any) -> str:
    return "type form" if isinstance(value, Mapping | Spec) else "number form"


Factor = Annotated[
    Annotated[Multiplier, Tag("number form")] | Annotated[ByType, Tag("type form")],
    Discriminator(_form),
]
"""One number for all borrowers, or one a latent type."""


class Uncertainty(Spec):
    """Parameters that are drawn once for a batch of paths, from a triangle over their published range."""

    draws: Annotated[int, Field(ge=2, le=10_000)]
    """Number of draws, and of batches into which the paths are split; each needs two paths or more."""

    parameters: Annotated[
        Annotated[Literal["all"], Tag("word form")]
        | Annotated[tuple[Reference, ...], Field(min_length=1), Tag("list form")],
        one_of("`all`, or a list of names of parameters, as [systematic.correlation, sale]"),
    ] = "all"
    """`all`: every figure that states a `range` and acts; or names, as the report lists them: a section's name stands
    for all its figures with a range."""
