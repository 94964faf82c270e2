"""The sections of a parameter set about the borrower: history, types, extensions, negative equity, fees.

Every section is optional: a set without it has no such effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from scenarios.spec import Spec
from scenarios.vocabulary import HISTORY_MONTHS
from simulator.sourced import Count, Evidence, NonNegative, Positive, Share, Sourced, Target, Unit

Multiplier = Annotated[float, Field(ge=0.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]

STATED_LTV = 1.25
"""Loan-to-value at which the effect of negative equity is stated."""

SUM_TOLERANCE = 1e-6
"""How far shares of types may miss 1."""


class History(Spec):
    """How a loan that returned to current differs, for up to 24 months, from one that was never in arrears."""

    multiplier_at_cure: Annotated[Positive, Unit("multiplier of entry")]
    """Multiplier of the intensities of class `enter` in the first month after a cure; from there it falls to 1."""
    half_life_months: Annotated[Positive, Unit("months")]
    """Months in which the excess over 1 halves; it is faded so that nothing is left after 24 months."""
    multiplier_modified: Annotated[Positive, Unit("multiplier of entry")]
    """Multiplier after an extension."""
    modified_months: Annotated[Count, Unit("months")]
    """Months for which the multiplier after an extension holds; 24 at most."""
    arrears_again_12m: Target | None = None
    """Share of cured loans that are in arrears again within 12 months: `multiplier_at_cure` may be solved to it."""
    redefault_12m: Target | None = None
    """Share of cured loans that reach the default bucket within 12 months: `multiplier_at_cure` may be solved to it."""

    @model_validator(mode="after")
    def _history_ends(self) -> History:
        if self.modified_months.value > HISTORY_MONTHS:
            raise ValueError(f"modified_months up to {HISTORY_MONTHS}, not {self.modified_months.value}")
        return self


class MultiplierByType(Evidence):
    """A multiplier by type of borrower."""

    forgetful: Multiplier
    """Of borrowers who are able and willing."""
    hardship: Multiplier
    """Of borrowers who are willing and unable."""
    strategic: Multiplier
    """Of borrowers who are able and unwilling."""

    def figures(self) -> Iterator[tuple[str, float]]:
        """Names of the figures below this one, and their values."""
        return ((f".{name}", getattr(self, name)) for name in ("forgetful", "hardship", "strategic"))


class ShareByType(MultiplierByType):
    """Shares of the three types; their sum is 1."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> ShareByType:
        total = self.forgetful + self.hardship + self.strategic
        if abs(total - 1.0) > SUM_TOLERANCE:
            raise ValueError(f"shares of the types that sum to 1, not to {total:.6g}")
        return self


class Types(Spec):
    """Latent types of borrowers in arrears."""

    shares: Annotated[ShareByType, Unit("share of entries")]
    """Shares of the types among loans that fall into arrears, at reference unemployment and without negative equity."""
    hardship_log_odds_per_point: Annotated[Sourced, Unit("log odds per percentage point")]
    """Change of the log odds of hardship per percentage point of unemployment above the reference."""
    hardship_ends_per_month: Annotated[NonNegative, Unit("1/month")]
    """Intensity at which hardship ends: the borrower is able again, and counts as forgetful."""
    cure_multiplier: Annotated[MultiplierByType, Unit("multiplier")]
    """Multiplier of the intensities of class `cure`; only its ratios count, since the matrix is kept."""
    roll_multiplier: Annotated[MultiplierByType, Unit("multiplier")]
    """Multiplier of the intensities of class `roll`."""
    charge_off_multiplier: Annotated[MultiplierByType, Unit("multiplier")]
    """Multiplier of the intensities of class `charge_off`."""


class ByBucket(Evidence):
    """A figure by bucket of arrears; a bucket that is not named has none."""

    by_bucket: Annotated[dict[str, Multiplier], Field(min_length=1)]
    """Figure by the label of the bucket."""

    def figures(self) -> Iterator[tuple[str, float]]:
        """Names of the figures below this one, and their values."""
        return ((f".{label}", value) for label, value in self.by_bucket.items())


class ShareByBucket(ByBucket):
    """A fraction by bucket of arrears; a bucket that is not named has none."""

    by_bucket: Annotated[dict[str, Fraction], Field(min_length=1)]
    """Fraction by the label of the bucket, 0 to 1."""


class Modification(Spec):
    """Extensions: they bring a loan to current without cash."""

    share_of_cures: Annotated[ShareByBucket, Unit("fraction of returns to current")]
    """Share of the returns to current that are extensions, by the bucket they start from."""


class NegativeEquity(Spec):
    """Strategic entry into arrears of borrowers who owe more than the car is worth."""

    threshold: Annotated[Positive, Unit("fraction")]
    """Balance over wholesale value of the car above which it begins."""
    multiplier_at_125: Annotated[Positive, Unit("multiplier of entry")]
    """Multiplier of entry at a balance of 1.25 times the value; linear from the threshold."""
    cap: Annotated[Positive, Unit("multiplier of entry")]
    """Largest multiplier."""
    mean_multiplier: Annotated[Positive, Unit("multiplier of entry")]
    """Mean over a baseline book, by which the multiplier is divided: published entry contains it."""

    @model_validator(mode="after")
    def _rises(self) -> NegativeEquity:
        if self.threshold.value >= STATED_LTV:
            raise ValueError(f"a threshold below {STATED_LTV}, not {self.threshold.value}")
        if not 1.0 <= self.multiplier_at_125.value <= self.cap.value:
            found = f"{self.multiplier_at_125.value} and {self.cap.value}"
            raise ValueError(f"1 <= multiplier_at_125 <= cap, not {found}")
        if not 1.0 <= self.mean_multiplier.value <= self.cap.value:
            raise ValueError(f"a mean_multiplier between 1 and the cap, not {self.mean_multiplier.value}")
        return self


class Fees(Spec):
    """What borrowers pay beside interest."""

    late_fee: Annotated[NonNegative | None, Unit("currency")] = None
    """Fee for each instalment that is paid late; absent: none."""
    renewal_fee_share: Annotated[Share | None, Unit("fraction of principal")] = None
    """Fee for each renewal of a single-payment loan; absent: none."""
