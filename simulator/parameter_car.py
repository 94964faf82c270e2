"""The sections of a parameter set about the car: index, depreciation, basis of values, sale."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from scenarios.spec import Spec
from simulator.sourced import Correlation, Count, NonNegative, Persistence, Positive, Share, Sourced, Unit

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


class UsedCarIndex(Spec):
    """Log returns of the used-car index: AR(1), a common part and one residual a segment. No jumps in this version."""

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


class Depreciation(Spec):
    """Value of a car by its age, relative to new."""

    first_year: Annotated[Share, Unit("fraction of value when new")]
    """Loss of value in the first year."""
    later_years: Annotated[Share, Unit("fraction of value a year")]
    """Loss of value in each later year."""
    multiplier: Annotated[SegmentTable, Unit("multiplier of both rates")]
    """Factor on both rates by segment."""

    @model_validator(mode="after")
    def _some_value_stays(self) -> Depreciation:
        for segment in get_args(Segment):
            worst = max(self.first_year.value, self.later_years.value) * self.multiplier.value(segment)
            if worst >= 1.0:
                raise ValueError(
                    f"rates x multiplier below 1; segment '{segment}' loses {worst:.3g} of its value a year"
                )
        return self


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


class SaleTerms(Spec):
    """What happens to the car after charge-off, and what a sale brings."""

    sold_share: Annotated[Share, Unit("fraction of charge-offs")]
    """Share of charge-offs whose car is found and sold."""
    lag_months: Annotated[Count, Unit("months")]
    """Months from charge-off to the sale's cash."""
    auction_haircut: Annotated[Share, Unit("fraction of wholesale value")]
    """What an auction of repossessed cars brings below clean wholesale."""
    cost_fixed: Annotated[NonNegative, Unit("currency")]
    """Repossession, storage and remarketing cost per car."""
    cost_share: Annotated[Share, Unit("fraction of sale price")]
    """Cost in proportion to the sale price."""
    vehicle_sd: Annotated[NonNegative, Unit("log price")]
    """Standard deviation of a single car's log price around its segment's."""
    lgd_floor: Annotated[Sourced | None, Unit("fraction of balance")] = None
    """Least loss given a sale; absent: a sale may bring more than the balance."""
