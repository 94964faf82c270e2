"""A number with where it comes from: the atom of every parameter set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.spec import Spec

Confidence = Literal["H", "M", "L"]
"""H: primary and on point. M: secondary, transferred or a small sample. L: memory, judgement or assumption."""

BARE_TAG = re.compile(r"^\W*[A-Z]{1,5}\s?\d{1,3}[a-z]?\W*$")
ASSUMPTION = "assumption"
SHORTEST_SOURCE = 15
"""Fewer characters hold no citation and no reason."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of a sourced field, put into its annotation: ``Annotated[Share, Unit("1/month")]``."""

    text: str


class Evidence(Spec):
    """Where a figure, or a row of figures, comes from."""

    source: str
    """Full citation, or 'assumption: reason', 'computed: how, from what', 'solved: by what, so that what'."""
    confidence: Confidence
    """H, M or L; an assumption is always L."""
    note: str | None = None
    """What a reader should know: conflicts between sources, how the figure was read."""

    @model_validator(mode="after")
    def _source_is_honest(self) -> Evidence:
        if len(self.source.strip()) < SHORTEST_SOURCE or BARE_TAG.match(self.source):
            raise ValueError(f"the full citation, or an assumption with its reason, as source, not '{self.source}'")
        if self.source.startswith(ASSUMPTION) and self.confidence != "L":
            raise ValueError(f"confidence L for a source that is an assumption, not {self.confidence}")
        return self


class Sourced(Evidence):
    """A number, its source, its confidence and, where one was published, its plausible range."""

    value: float
    """The figure, in the unit that the field's own documentation names."""
    range: tuple[float, float] | None = None
    """Plausible range, low to high, in the value's unit."""

    @model_validator(mode="after")
    def _value_lies_in_range(self) -> Sourced:
        if self.range is not None and not self.range[0] <= self.value <= self.range[1]:
            low, high = self.range
            raise ValueError(f"a range that holds the value: {self.value} lies outside {low} to {high}")
        return self


class Share(Sourced):
    """A fraction between 0 and 1."""

    value: Annotated[float, Field(ge=0.0, le=1.0)]
    """A fraction, 0 to 1; write 0.05 for 5 %."""


class Persistence(Sourced):
    """A monthly AR(1) coefficient."""

    value: Annotated[float, Field(ge=0.0, le=0.995)]
    """Coefficient on last month's value, 0 to 0.995."""


class Correlation(Sourced):
    """A correlation coefficient."""

    value: Annotated[float, Field(gt=-1.0, lt=1.0)]
    """Between -1 and 1, both excluded."""


class Positive(Sourced):
    """A number above 0."""

    value: Annotated[float, Field(gt=0.0)]
    """Above 0."""


class NonNegative(Sourced):
    """A number that is 0 or more."""

    value: Annotated[float, Field(ge=0.0)]
    """0 or more."""


class Count(Sourced):
    """A whole number of days or months."""

    value: Annotated[int, Field(ge=0)]
    """A whole number, 0 or more."""


class Lag(Count):
    """Months between two events of a workout."""

    value: Annotated[int, Field(ge=0, le=120)]
    """Months, 0 to 120."""


class Percent(Sourced):
    """A rate in percent: the only places that hold percent, and their names end in ``_percent``."""

    value: Annotated[float, Field(ge=-25.0, le=40.0)]
    """In percent: write 5.5 for 5.5 %."""


class UnemploymentPercent(Percent):
    """An unemployment rate in percent."""

    value: Annotated[float, Field(ge=0.5, le=30.0)]
    """In percent, 0.5 to 30: write 5.5 for 5.5 %, not 0.055."""


class Target(Sourced):
    """A published figure that a simulated book must reproduce at baseline: its range is the band of the test."""

    value: Annotated[float, Field(ge=0.0, le=1.0)]
    """A fraction, 0 to 1."""
    range: tuple[float, float]
    """Band within which a simulated baseline book must come out."""
