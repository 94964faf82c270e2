"""The one place that names things.

States, dimensions, tape fields, macro variables and every variable of a result Dataset are named
here, with unit and meaning.  Standard library only, so that every room may import it; the kernels
use its integer constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

# --- states of a loan --------------------------------------------------------------------------
# A live loan's state is its number of monthly instalments past due, 0 .. MAX_BUCKET.  The exits
# follow; their codes are far from the buckets so that `state <= MAX_BUCKET` means "alive".

MAX_BUCKET: Final = 6
MATURED: Final = 16
PREPAID: Final = 17
CHARGED_OFF: Final = 18

EXIT_LABELS: Final[dict[int, str]] = {
    MATURED: "matured",
    PREPAID: "prepaid",
    CHARGED_OFF: "charged_off",
}

# --- causes of a transition --------------------------------------------------------------------
# A transition belongs to one class; macro sensitivities and the factor response are stated by class.

CAUSE_CLASSES: Final = ("enter", "cure", "roll", "charge_off", "prepay")
ENTER: Final = 0  # from current into arrears (or straight to charge-off)
CURE: Final = 1  # from arrears to any smaller arrears, 0 included
ROLL: Final = 2  # from arrears to the next larger bucket
CHARGE_OFF: Final = 3  # from arrears to charge-off
PREPAY: Final = 4  # payoff before maturity, from any bucket

# --- addresses of random draws -----------------------------------------------------------------
# rng_scheme "philox4x32-10/v1": key = seed (64 bits); counter = entity hash (64) | path (32) |
# slot (32).  Dense monthly draws: slot = month // 4, word = month % 4.  Event draws:
# slot = EVENT_SLOT + month * 16 + purpose // 4, word = purpose % 4.  `month` counts from 1 (the
# first simulated month); month 0 addresses what is drawn once, before the first month.

RNG_SCHEME: Final = "philox4x32-10/v1"
EVENT_SLOT: Final = 1 << 16
PURPOSES_PER_MONTH: Final = 64
PURPOSE_BUCKET: Final = 0  # 0 .. 6: arrival in bucket 0 .. 6
PURPOSE_CHARGE_OFF: Final = 8
PURPOSE_PREPAY: Final = 9
PURPOSE_SOLD: Final = 12  # is the car found and sold after charge-off
PURPOSE_CONDITION: Final = 13  # the vehicle's own condition (address: month 0)

# --- dimensions ----------------------------------------------------------------------------------

RUN_DIMS: Final = ("scenario", "strategy", "programme")
PATH_DIMS: Final = (*RUN_DIMS, "path")
BOOK_DIMS: Final = (*PATH_DIMS, "month")

CUTS: Final = ("region", "sector", "vehicle", "tier", "vintage", "channel", "product")
"""The ways in which a book is cut; each is a dimension of the same name in results."""

SEGMENTS: Final = (
    "car",
    "suv",
    "truck",
    "van",
    "ev",
    "hybrid",
    "luxury",
    "motorcycle",
    "other",
)
"""Vehicle segments: levels of the cut `vehicle` and of the used-car index."""

MACRO_VARIABLES: Final = ("unemployment", "disposable_income_growth", "prime_rate", "fuel_price")
"""Macro variables as monthly series. Fractions a year, except `fuel_price`, relative to month 0."""

REFERENCE_STRATEGY: Final = "reference"
NO_PROGRAMME: Final = "none"


# --- variables of a result Dataset ---------------------------------------------------------------

Unit = Literal["currency", "count", "1"]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the result Dataset: its shape, unit and meaning. Losses are positive."""

    name: str
    dims: tuple[str, ...]
    unit: Unit
    long_name: str
    cell_methods: str = ""


# Tables read as tables: one variable, one field a line.
# fmt: off

def _book(name: str, unit: Unit, long_name: str, method: str) -> Variable:
    return Variable(name, BOOK_DIMS, unit, long_name, f"month: {method}")


BOOK_VARIABLES: Final = (
    _book("balance", "currency", "closing principal of live loans", "point"),
    _book("delinquent_balance", "currency", "closing principal one or more instalments past due", "point"),
    _book("seriously_delinquent_balance", "currency", "closing principal two or more instalments past due", "point"),
    _book("accrued_interest", "currency", "closing accrued unpaid interest of live loans", "point"),
    _book("collateral_value", "currency", "wholesale value of live loans' cars", "point"),
    _book("live_count", "count", "live loans at month end", "point"),
    _book("principal_paid", "currency", "principal paid by instalments, catch-up included", "sum"),
    _book("interest_paid", "currency", "interest paid", "sum"),
    _book("interest_accrued", "currency", "simple interest accrued on unpaid principal", "sum"),
    _book("prepaid", "currency", "principal prepaid", "sum"),
    _book("charge_off", "currency", "gross charge-off: principal and accrued interest, month booked", "sum"),
    _book("charge_off_interest", "currency", "accrued interest within gross charge-off", "sum"),
    _book("recovery", "currency", "recovery net of sale costs, month of cash", "sum"),
    _book("ultimate_loss", "currency", "loss of the month's charge-offs, recoveries discounted", "sum"),
    _book("default_balance", "currency", "exposure of loans that default for the first time", "sum"),
    _book("default_count", "count", "loans that default for the first time", "sum"),
    _book("charge_off_count", "count", "loans charged off", "sum"),
    _book("prepaid_count", "count", "loans prepaid", "sum"),
    _book("matured_count", "count", "loans repaid at or after maturity", "sum"),
)
"""Layer (a): the book, over path x month. The kernel writes them in this order."""

AFTER_HORIZON_VARIABLES: Final = tuple(
    Variable(f"{name}_after_horizon", PATH_DIMS, "currency", f"{text}, of loans in default at the horizon")
    for name, text in (
        ("principal_paid", "principal paid and prepaid after the horizon"),
        ("interest_paid", "interest paid after the horizon"),
        ("charge_off", "gross charge-off after the horizon"),
        ("recovery", "net recovery received after the horizon"),
        ("ultimate_loss", "discounted loss of charge-offs after the horizon"),
    )
)

CUT_VARIABLES: Final = tuple(
    variable
    for cut in CUTS
    for variable in (
        Variable(f"loss_by_{cut}", (*PATH_DIMS, cut), "currency", f"ultimate loss by {cut}, run-off included"),
        Variable(f"opening_balance_by_{cut}", (cut,), "currency", f"opening principal by {cut}"),
    )
)
"""Layer (b): cumulative loss over path x level of each cut."""

MEAN_VARIABLES: Final = tuple(
    Variable(f"{name}_{moment}", (*RUN_DIMS, "month", level), "currency", f"{text}, {moment} over paths")
    for name, level, text in (
        ("bucket_balance", "bucket", "closing principal by instalments past due"),
        *((f"charge_off_by_{cut}", cut, f"gross charge-off by {cut}, month booked") for cut in CUTS),
        *((f"recovery_by_{cut}", cut, f"net recovery by {cut}, month of the charge-off's sale") for cut in CUTS),
    )
    for moment in ("mean", "sd")
)
"""Layer (c): month x level, as mean and standard deviation over paths."""

MARKET_VARIABLES: Final = (
    Variable("transition_count_mean", (*RUN_DIMS, "month", "from_bucket", "to_state"), "count", "mean number of loans"),
    Variable("used_car_index", (*PATH_DIMS, "month", "segment"), "1", "used-car index relative to the as-of month"),
    Variable("used_car_path", ("scenario", "month", "segment"), "1", "the scenario's used-car index, before noise"),
    Variable("global_factor", ("path", "month"), "1", "global credit factor, standard normal, larger is worse"),
    Variable("macro", ("scenario", "month", "macro_variable"), "1", "macro variables of the scenario"),
)

TOP_OF_RANGE: Final = Variable(
    "loss_at_top_sensitivity",
    (*RUN_DIMS, "path_top"),
    "currency",
    "ultimate loss with macro sensitivities at the top of their published range, first paths",
)
"""What `run_study` adds to the variables of `simulate`."""

DATASET_VARIABLES: Final = (
    *BOOK_VARIABLES,
    *AFTER_HORIZON_VARIABLES,
    *CUT_VARIABLES,
    *MEAN_VARIABLES,
    *MARKET_VARIABLES,
)


# --- fields of a loan tape -----------------------------------------------------------------------

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
)
"""The canonical loan tape, in column order. Money is in the tape's one currency."""
# fmt: on
