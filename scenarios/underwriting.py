"""Cut-offs and terms at underwriting, before there is a loan to collect (methodology (P17))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from scenarios.checks import Problem
from scenarios.ladder import mapping, number
from scenarios.ladder_units import LEAST_LTV_PERCENT
from scenarios.rungs import Money
from scenarios.spec import Spec
from scenarios.tape_fields import TAPE_FIELDS

CRITERIA: Final = (
    "most_ltv_percent",
    "least_score",
    "most_payment_to_income_percent",
    "income_verified",
    "credit_insured",
    "tracker",
)
"""What underwriting may ask of a loan, in the order in which it asks: the first that is not met declines."""

BEST_SCORE: Final = next(field.high for field in TAPE_FIELDS if field.name == "score")

LEAST_PERCENT: Final = {"most_ltv_percent": LEAST_LTV_PERCENT, "most_payment_to_income_percent": 1.0}
"""Least percentage that a cut-off means: below it stand fractions, as 1.2 for 120 % or 0.15 for 15 %."""

_MAY_BE_MISSING: Final = ("most_ltv_percent", "least_score", "most_payment_to_income_percent")
"""Criteria on figures that a tape need not state; a flag that is not stated is not set."""


class Underwriting(Spec):
    """Which of the book's loans a lender would have made, and what it asks of them."""

    most_ltv_percent: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Most that is lent on a car: amount financed over the car's value at origination, percent."""

    least_score: Annotated[float, Field(gt=0, le=BEST_SCORE)] | None = None
    """Least credit score at origination, on the tape's own scale."""

    most_payment_to_income_percent: Annotated[float, Field(gt=0, le=200)] | None = None
    """Largest instalment over monthly income, percent."""

    income_verified: bool = False
    """true: only loans whose income was verified."""

    credit_insured: bool = False
    """true: only loans that a credit-insurance policy covers."""

    tracker: Literal["required", "fitted"] | None = None
    """required: loans on cars without a GPS tracker are declined; fitted: such cars get one; left out: neither."""

    cost_per_tracker: Money = 0.0
    """Cost of each tracker that is fitted, currency; booked in the first month."""

    missing: Literal["accept", "decline"] = "accept"
    """What becomes of a loan of which the tape does not state the loan-to-value, score or income that is asked for."""

    declined: Literal["left_out", "replaced"] = "left_out"
    """left_out: the book is smaller; replaced: a copy of an accepted loan, drawn at random among those of the same
    region and vehicle segment where there are any, takes the place of each declined one."""

    source: str = ""
    """Where the figures come from; own judgement is an assumption and says so."""


def underwriting_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Cut-offs that decline nobody, terms that act on nothing, fractions where percent is asked."""
    if not isinstance(data.get("underwriting"), Mapping):
        return
    block, here = mapping(data, "underwriting"), "underwriting"
    asked = [name for name in CRITERIA if block.get(name) not in (None, False, "fitted")]
    fitted = block.get("tracker") == "fitted"
    if not asked and not fitted:
        remedy = "Write one, as `least_score: 620`, or take the block out."
        yield Problem((here,), "underwriting declines nobody", f"one of {', '.join(CRITERIA)}", remedy)
    if number(block.get("cost_per_tracker")) and not fitted:
        found = "underwriting.cost_per_tracker without a tracker that is fitted"
        yield Problem((here, "cost_per_tracker"), found, "`tracker: fitted`", "Write it, or take the cost out.")
    if block.get("missing") == "decline" and not set(asked).intersection(_MAY_BE_MISSING):
        found = "underwriting.missing = decline, with no figure that could be missing"
        yield Problem((here, "missing"), found, f"one of {', '.join(_MAY_BE_MISSING)}", "Take it out, or write one.")
    if block.get("declined") == "replaced" and not asked and fitted:
        found = "underwriting.declined = replaced, with nobody declined"
        yield Problem((here, "declined"), found, "a cut-off that declines", "Take it out, or write one.")
    for name, least in LEAST_PERCENT.items():
        value = number(block.get(name))
        if value is not None and 0.0 < value < least:
            found = f"underwriting.{name} = {value:g}, which looks like a fraction"
            remedy = f"Shares are in percent: write {100 * value:g} for {100 * value:g} %."
            yield Problem((here, name), found, f"at least {least:g}", remedy)
