"""The sections of a parameter set about the car: index, depreciation, basis of values."""

from __future__ import annotations

import math
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from scenarios.spec import Spec
from simulator.sourced import Correlation, NonNegative, Persistence, Positive, Share, Sourced, Unit

Segment = Literal["car", "suv", "truck", "van", "ev", "hybrid", "luxury", "motorcycle", "other"]
"""A vehicle segment; a test holds it against `vocabulary.SEGMENTS`."""


class SegmentTable(Spec):
    """A figure by vehicle segment, with a default for the segments that are not named."""

    default: NonNegative
    """Figure of the segments that are not named."""
    by_segment: dict[Segment, NonNegative] = Field(default_factory=dict)
    """Figures of single segments."""

    def value(self, segment: str) -> float:
        """Figure of one segment."""
        return next((own.value for name, own in self.by_segment.items() if name == segment), self.default.value)


class Jumps(Spec):
    """Sudden moves of the used-car market as a whole."""

    per_year: Annotated[NonNegative, Unit("1/year")]
    """Jumps a year."""
    mean: Annotated[Sourced, Unit("log return")]
    """Mean of a jump; negative where prices fall."""
    sd: Annotated[NonNegative, Unit("log return")]
    """Standard deviation of a jump."""


class UsedCarIndex(Spec):
    """Log returns of the used-car index: AR(1), a common part with jumps, and one residual a segment."""

    persistence: Annotated[Persistence, Unit("1/month")]
    """Monthly AR(1) coefficient of the returns."""
    innovation_sd: Annotated[NonNegative, Unit("log return a month")]
    """Standard deviation of a typical segment's monthly innovation, common part and residual together."""
    common_share: Annotated[Share, Unit("share of variance")]
    """Share of that variance that all segments have in common."""
    residual_sd_per_year: Annotated[SegmentTable, Unit("log return a year")]
    """Standard deviation of a segment's own part over 12 months."""
    correlation_with_credit: Annotated[Correlation, Unit("correlation of 12-month sums")]
    """Correlation of a typical segment's 12-month return with the 12-month sum of the global credit factor."""
    jumps: Jumps | None = None
    """Sudden moves; absent: none."""
    mean_reversion_per_year: Annotated[NonNegative | None, Unit("1/year")] = None
    """Rate at which the log index returns to the scenario's path; absent: it does not."""


class Mileage(Spec):
    """Value of a car by the distance it is driven, beside its age: cars of low, typical and high yearly mileage."""

    value_lost_per_1000_km: Annotated[SegmentTable, Unit("fraction of value")]
    """Loss of value per 1,000 km beyond those of a typical car."""
    km_per_year: Annotated[Positive, Unit("km a year")]
    """Distance of a typical car."""
    km_step: Annotated[Positive, Unit("km a year")]
    """How much less or more the classes of low and high mileage drive; a car belongs to the nearest class."""


class Depreciation(Spec):
    """Value of a car by its age and yearly mileage, relative to new."""

    first_year: Annotated[Share, Unit("fraction of value when new")]
    """Loss of value in the first year."""
    later_years: Annotated[Share, Unit("fraction of value a year")]
    """Loss of value in each later year."""
    multiplier: Annotated[SegmentTable, Unit("multiplier of both rates")]
    """Factor on both rates by segment."""
    mileage: Mileage | None = None
    """Effect of the distance driven; absent: none."""

    @model_validator(mode="after")
    def _some_value_stays(self) -> Depreciation:
        for segment in get_args(Segment):
            worst = max(self.first_year.value, self.later_years.value) * self.multiplier.value(segment)
            if worst >= 1.0:
                raise ValueError(
                    f"rates x multiplier below 1; segment '{segment}' loses {worst:.3g} of its value a year"
                )
        return self

    @model_validator(mode="after")
    def _little_driven_cars_age_too(self) -> Depreciation:
        for segment in get_args(Segment) if self.mileage else ():
            slowest = min(self.first_year.value, self.later_years.value) * self.multiplier.value(segment)
            kept = usage_log_value(self, segment)
            if math.log1p(-slowest) + kept > 0.0:
                raise ValueError(
                    f"mileage that makes no car dearer with age; segment '{segment}' of low mileage keeps "
                    f"{math.expm1(kept):.3g} a year more and loses {slowest:.3g}"
                )
        return self


def usage_log_value(depreciation: Depreciation, segment: str) -> float:
    """Log value a year that a car of low mileage keeps, and one of high mileage loses, beside a typical one."""
    mileage = depreciation.mileage
    if mileage is None:
        return 0.0
    return -math.log1p(-mileage.value_lost_per_1000_km.value(segment)) * mileage.km_step.value / 1000.0


class ValueBasis(Spec):
    """Factor from a stated vehicle value to wholesale, by the basis of the statement.

    Invoice and list prices are those of new cars: from them the depreciation curve itself leads to wholesale.
    """

    invoice: Annotated[Positive, Unit("fraction")]
    """Dealer's invoice price."""
    msrp: Annotated[Positive, Unit("fraction")]
    """Manufacturer's list price."""
    retail: Annotated[Positive, Unit("fraction")]
    """Retail guide or sales price."""
    wholesale: Annotated[Positive, Unit("fraction")]
    """Wholesale guide or auction price."""
    other: Annotated[Positive, Unit("fraction")]
    """Any other or unknown basis."""
