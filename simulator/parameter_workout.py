"""The sections of a parameter set about what follows on arrears: repossession, sale, deficiency; and economics.

Every section but the sale is optional: a set without it has no such effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from scenarios.spec import Spec
from simulator.parameter_borrower import ByBucket
from simulator.parameter_car import SegmentTable
from simulator.sourced import Evidence, Lag, NonNegative, Percent, Positive, Share, Sourced, Unit

MONTHS_A_YEAR = 12

SEASON_TOLERANCE = 0.005
"""How far the mean of the seasonal factors may miss 1: twelve figures of two decimals."""


class Season(Evidence):
    """Seasonal factors of sale prices, January first; divided by their mean, so that a year has no level."""

    by_month: tuple[Annotated[float, Field(gt=0.0)], ...]
    """Price of a month over the year's mean, twelve figures."""

    @model_validator(mode="after")
    def _mean_is_one(self) -> Season:
        if len(self.by_month) != MONTHS_A_YEAR:
            raise ValueError(f"by_month of {MONTHS_A_YEAR} factors, January first, not of {len(self.by_month)}")
        mean = sum(self.by_month) / MONTHS_A_YEAR
        if abs(mean - 1.0) > SEASON_TOLERANCE:
            raise ValueError(f"factors of a mean of 1 within {SEASON_TOLERANCE}, not of {mean:.6g}")
        return self

    def figures(self) -> Iterator[tuple[str, float]]:
        """Names of the figures below this one, and their values."""
        return ((f"[month {month}]", value) for month, value in enumerate(self.by_month, start=1))


class SaleTerms(Spec):
    """What happens to the car after charge-off, and what a sale brings."""

    found_share: Annotated[Share, Unit("fraction of charge-offs without the car")]
    """Share of charge-offs whose car, not seized before, is found later and sold."""
    search_lag_months: Annotated[Lag | None, Unit("months")] = None
    """Months from charge-off until such a car is found; absent: none."""
    lag_months: Annotated[Lag, Unit("months")]
    """Months from having the car (seized, or found after charge-off) to the sale's cash, charge-off at the earliest."""
    auction_haircut: Annotated[Share, Unit("fraction of wholesale value")]
    """What an auction of repossessed cars brings below clean wholesale."""
    cost_fixed: Annotated[NonNegative, Unit("currency")]
    """Repossession and remarketing cost per car."""
    cost_share: Annotated[Share, Unit("fraction of sale price")]
    """Cost in proportion to the sale price."""
    storage_per_month: Annotated[NonNegative | None, Unit("currency a month")] = None
    """Cost of keeping a car until it is sold; absent: part of `cost_fixed`."""
    vehicle_sd: Annotated[NonNegative, Unit("log price")]
    """Standard deviation of a single car's log price around its segment's."""
    season: Annotated[Season | None, Unit("multiplier of price")] = None
    """Seasonal factors of sale prices; absent: none."""
    lgd_floor: Annotated[Sourced | None, Unit("fraction of balance")] = None
    """Least loss given a sale; absent: a sale may bring more than the balance."""


class Repossession(Spec):
    """Seizure of the cars of loans in arrears."""

    intensity_per_month: Annotated[ByBucket, Unit("1/month")]
    """Intensity of seizure by bucket of arrears at the close of the month, for a car without tracker."""
    tracker_multiplier: Annotated[Positive, Unit("multiplier")]
    """Factor on the chance to seize or find a car that carries a tracker."""
    segment_multiplier: Annotated[SegmentTable, Unit("multiplier")]
    """Factor on the chance to seize or find a car by segment; the same in all tiers of a book."""


class Deficiency(Spec):
    """Collections on what the sale of the car left unpaid."""

    collected_share: Annotated[Share, Unit("fraction of deficiency")]
    """Share of the deficiency that is collected net of cost."""
    lag_months: Annotated[Lag, Unit("months")]
    """Months from charge-off to that cash, the mean of instalments over years."""


class TotalLoss(Spec):
    """Total loss of the car by accident or theft: it ends the loan. The published payoff column includes it."""

    intensity_per_month: Annotated[NonNegative, Unit("1/month")]
    """Intensity, in every state of a loan."""
    insured_share: Annotated[Share, Unit("fraction of total losses")]
    """Share of total losses that the car's own insurance pays."""
    deductible: Annotated[NonNegative, Unit("currency")]
    """What the insurance keeps of the car's value."""


class FireSale(Spec):
    """Effect of the book's own volume on prices: off where a study gives the book no share of its market."""

    elasticity: Annotated[NonNegative, Unit("log price per log volume")]
    """Fall of the log price per log of the book's repossessions over their baseline, at a market share of 1."""


class EconomicsTerms(Spec):
    """Cost of funding and of servicing."""

    funding_spread_percent: Annotated[Percent, Unit("percent a year over the prime rate")]
    """Cost of funding above the prime rate; negative where it is below."""
    servicing_cost_per_loan_month: Annotated[NonNegative, Unit("currency a month")]
    """Cost of servicing a live loan."""
    delinquent_servicing_cost_per_month: Annotated[NonNegative, Unit("currency a month")]
    """Further cost of a loan in arrears."""
