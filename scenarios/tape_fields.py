"""The canonical loan tape: name, kind, range and meaning of its columns. Standard library only, as vocabulary.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from scenarios.vocabulary import AMORTISATIONS, SEGMENTS

# Tables read as tables: one field a line.
# fmt: off
FieldKind = Literal["text", "money", "fraction", "months", "days", "number", "date", "month", "flag"]


@dataclass(frozen=True, slots=True)
class TapeField:
    """One column of the canonical tape. `default` None with `required` False: stays missing."""

    name: str
    kind: FieldKind
    required: bool
    long_name: str
    low: float | None = None
    high: float | None = None
    codes: tuple[str, ...] = ()


TAPE_FIELDS: Final = (
    TapeField("loan_id", "text", True, "the lender's own id of the loan"),
    TapeField("as_of_date", "date", True, "reporting date of the row"),
    TapeField("origination_date", "month", True, "month of origination"),
    TapeField("original_balance", "money", True, "amount financed", low=0.0),
    TapeField("current_balance", "money", True, "unpaid principal at the reporting date", low=0.0),
    TapeField("rate", "fraction", True, "contract rate, fraction a year", low=0.0, high=4.0),
    TapeField("original_term", "months", True, "months from first to last instalment", low=1, high=180),
    TapeField("remaining_term", "months", True, "months to maturity", low=0, high=180),
    TapeField("scheduled_payment", "money", False, "level instalment a month; computed where missing", low=0.0),
    TapeField("days_past_due", "days", True, "days past due of the oldest unpaid instalment", low=0, high=3650),
    TapeField("score", "number", False, "credit score at origination; 0 means none", low=0, high=900),
    TapeField("score_type", "text", False, "name of the score's scale"),
    TapeField("payment_to_income", "fraction", False, "instalment over monthly income", low=0.0, high=2.0),
    TapeField("co_borrower", "flag", False, "a second obligor signed"),
    TapeField("region", "text", True, "state, province or NUTS region"),
    TapeField("sector", "text", False, "the borrower's employment sector"),
    TapeField("channel", "text", False, "dealer group or sales channel"),
    TapeField("product", "text", False, "product name", codes=("purchase_loan", "title_loan")),
    TapeField("vehicle", "text", True, "vehicle segment", codes=SEGMENTS),
    TapeField("vehicle_make", "text", False, "manufacturer"),
    TapeField("vehicle_model", "text", False, "model"),
    TapeField("model_year", "number", False, "model year", low=1980, high=2100),
    TapeField("vehicle_new", "flag", True, "new at origination"),
    TapeField("vehicle_value", "money", True, "value at origination, on the basis of its source", low=0.0),
    TapeField("value_source", "text", False, "basis of the value",
              codes=("invoice", "msrp", "retail", "wholesale", "other")),
    TapeField("amortisation", "text", False, "how principal is repaid", codes=AMORTISATIONS),
    TapeField("balloon", "money", False, "principal that falls due with the last instalment", low=0.0),
    TapeField("mileage", "number", False, "kilometres driven at origination", low=0, high=1_000_000),
    TapeField("income", "money", False, "the borrower's gross income a month", low=0.0),
    TapeField("income_verified", "flag", False, "income was verified"),
    TapeField("tracker", "flag", False, "the car carries a GPS tracker"),
    TapeField("starter_interrupt", "flag", False, "the car's starter can be blocked"),
    TapeField("credit_insured", "flag", False, "a credit-insurance policy covers the loan"),
    TapeField("modified", "flag", False, "extended or otherwise modified"),
    TapeField("repossessed", "flag", False, "the car has been repossessed"),
)
"""The canonical loan tape, in column order. Money is in the tape's one currency."""
# fmt: on
