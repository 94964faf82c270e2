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
TOTAL_LOSS: Final = 19
EXTENDED: Final = 64  # what a loan does that an extension brings to current: no state, only a month's move

EXIT_LABELS: Final[dict[int, str]] = {
    CHARGED_OFF: "charged_off",
    PREPAID: "prepaid",
    TOTAL_LOSS: "total_loss",
    MATURED: "matured",
}
"""Exits in the order of the last columns of transition counts."""

# --- what a live loan carries beside its state ---------------------------------------------------

TYPES: Final = ("forgetful", "hardship", "strategic")
"""Latent types of borrowers in arrears: able and willing; willing, unable; able, unwilling."""
FORGETFUL: Final = 0
HARDSHIP: Final = 1
STRATEGIC: Final = 2

HISTORIES: Final = ("cured", "modified")
"""How a loan last returned to current: by paying, or by an extension."""
CURED: Final = 0
MODIFIED: Final = 1
HISTORY_MONTHS: Final = 24
"""Months after a return to current in which a loan may differ from one that was never in arrears."""

STAGES: Final = ("stage 1", "stage 2", "stage 3")
"""Stages of expected credit loss (IFRS 9) at the reporting date."""

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
PURPOSE_TOTAL_LOSS: Final = 10
PURPOSE_MODIFY: Final = 11  # is a cure an extension
PURPOSE_SOLD: Final = 12  # is the car found after charge-off
PURPOSE_CONDITION: Final = 13  # the vehicle's own condition (address: month 0)
PURPOSE_SEIZE: Final = 14  # is the car seized this month
PURPOSE_SPELL: Final = 15  # does hardship end
PURPOSE_TYPE: Final = 16  # the borrower's type at entry into arrears; at the as-of date (month 0)
PURPOSE_INSURED: Final = 18  # does the car's own insurance pay
PURPOSE_HISTORY: Final = 19  # history before the as-of date (address: month 0)
PURPOSE_PLAN: Final = 20  # is an instalment plan accepted
PURPOSE_SURRENDER: Final = 21  # is the car handed over
PURPOSE_SUIT: Final = 22  # is a suit won (address: month of filing)
PURPOSE_ALERT: Final = 23  # is an alert of the tracker heard (address: month before)
PURPOSE_ACTION: Final = 32  # 32 .. 44: is the borrower reached, an action each, in the order of ACTIONS
PURPOSE_CARE: Final = 56  # 56, 57: the same of a borrower without arrears, in the order of CARE_ACTIONS
# Draws of the entity `collections team`, which is no loan: its incidents of a month, a purpose each kind, in the order
# of INCIDENTS; at month 0, its own factor on their rates.
TEAM_PURPOSE_INCIDENT: Final = 0
TEAM_PURPOSE_FACTOR: Final = 4

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

AMORTISATIONS: Final = ("level", "balloon", "interest_only", "linear", "single_payment")
"""How principal is repaid: equal instalments; the same with a larger last one; at the end; in equal parts of
principal; at once, with renewal for a fee."""

MACRO_VARIABLES: Final = ("unemployment", "disposable_income_growth", "prime_rate", "fuel_price")
"""Macro variables as monthly series. Fractions a year, except `fuel_price`, relative to month 0."""

REFERENCE_STRATEGY: Final = "reference"

ACTIONS: Final = (
    "sms",
    "letter",
    "phone",
    "visit",
    "plan",
    "extension",
    "surrender",
    "starter_interrupt",
    "repossession",
    "litigation",
    "outsourcing",
    "debt_sale",
    "write_off",
)
"""What may be done with a loan in arrears, in the order of their draws' purposes: new ones come last."""

AGAIN_MONTHS: Final = 12
"""Months within which an entry into arrears after a return to current counts as a relapse (methodology (P19))."""

CARE_ACTIONS: Final = ("reminder", "check_in")
"""What may be done about a loan without arrears, in the order of their draws' purposes: new ones come last."""

ACTION_PURPOSE: Final = {
    **{action: PURPOSE_ACTION + place for place, action in enumerate(ACTIONS)},
    **{action: PURPOSE_CARE + place for place, action in enumerate(CARE_ACTIONS)},
}
"""Purpose of each action's draw."""

INCIDENTS: Final = ("complaint", "claim", "injury", "regulatory")
"""Kinds of incident of field and repossession work."""
NO_PROGRAMME: Final = "none"


# --- variables of a result Dataset ---------------------------------------------------------------

Unit = Literal["currency", "count", "hours", "1"]


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
    _book("defaulted_balance", "currency", "closing principal of live loans in default, probation included", "point"),
    _book("modified_balance", "currency", "closing principal of loans extended in the last 24 months", "point"),
    _book("repossessed_balance", "currency", "closing principal of live loans whose car was seized", "point"),
    _book("accrued_interest", "currency", "closing accrued unpaid interest of live loans", "point"),
    _book("collateral_value", "currency", "wholesale value of live loans' cars", "point"),
    _book("live_count", "count", "live loans at month end", "point"),
    _book("delinquent_count", "count", "live loans one or more instalments past due", "point"),
    _book("principal_paid", "currency", "principal paid by instalments, catch-up included", "sum"),
    _book("interest_paid", "currency", "interest paid", "sum"),
    _book("interest_accrued", "currency", "simple interest accrued on unpaid principal", "sum"),
    _book("capitalised", "currency", "accrued interest added to principal by extensions", "sum"),
    _book("prepaid", "currency", "principal prepaid", "sum"),
    _book("total_loss_paid", "currency", "principal repaid by the cars' own insurance after total loss", "sum"),
    _book("fees", "currency", "late fees and renewal fees", "sum"),
    _book("collected", "currency", "principal and interest paid by loans in arrears at the month's opening", "sum"),
    _book("charge_off", "currency", "gross charge-off: principal and accrued interest, month booked", "sum"),
    _book("charge_off_interest", "currency", "accrued interest within gross charge-off", "sum"),
    _book("sale_proceeds", "currency", "proceeds of repossessed cars before costs, month of cash", "sum"),
    _book("workout_cost", "currency", "costs of repossession, storage and sale, month of cash", "sum"),
    _book("deficiency_cash", "currency", "collections on what sales left unpaid, month of cash", "sum"),
    _book("recovery", "currency", "proceeds less costs plus deficiency collections, month of cash", "sum"),
    _book("cash", "currency", "cash received less workout costs", "sum"),
    _book("ultimate_loss", "currency", "loss of the month's charge-offs, recoveries discounted to them", "sum"),
    _book("default_balance", "currency", "exposure of loans that default, again only after probation", "sum"),
    _book("default_loss", "currency", "loss of the month's charge-offs, discounted to their default", "sum"),
    _book("default_count", "count", "loans that default, again only after probation", "sum"),
    _book("charge_off_count", "count", "loans charged off", "sum"),
    _book("prepaid_count", "count", "loans prepaid", "sum"),
    _book("matured_count", "count", "loans repaid at or after maturity", "sum"),
    _book("total_loss_count", "count", "loans that end by total loss of the car", "sum"),
    _book("modified_count", "count", "loans brought to current by an extension", "sum"),
    _book("renewed_count", "count", "single-payment loans renewed", "sum"),
    _book("repossessed_count", "count", "cars seized", "sum"),
    _book("redeemed_count", "count", "seized cars given back after cure, payoff or maturity", "sum"),
    _book("sold_count", "count", "cars of the month's charge-offs that go to sale", "sum"),
    _book("judgment_cash", "currency", "collections on judgments, month of cash", "sum"),
    _book("debt_sale_cash", "currency", "price of what sales of cars left unpaid and was sold, month of cash", "sum"),
    _book("surrendered_count", "count", "cars handed over by their borrowers, among those seized", "sum"),
    _book("collection_cost", "currency", "cost of the collection strategy without incidents", "sum"),
    _book("incident_cost", "currency", "cost of incidents of the collection strategy", "sum"),
)
"""Layer (a): the book, over path x month. The kernel writes them in this order."""

ECONOMIC_VARIABLES: Final = (
    _book("funding_cost", "currency", "cost of funding the opening balance", "sum"),
    _book("servicing_cost", "currency", "cost of servicing live loans, more for those in arrears", "sum"),
)
"""What follows from the book by path and month, outside the kernel."""

CONTRACTUAL_VARIABLES: Final = (
    Variable("contractual_principal", ("month",), "currency",
             "principal due by contract, no loan late or prepaid, all renewed"),
    Variable("contractual_interest", ("month",), "currency", "interest due by contract, no loan late or prepaid"),
)

POOL_VARIABLES: Final = (
    Variable("pool_demand", (*BOOK_DIMS, "pool"), "hours", "hours asked of the pool"),
    Variable("pool_served", (*BOOK_DIMS, "pool"), "hours", "hours given"),
    Variable("pool_waiting", (*BOOK_DIMS, "pool"), "count", "loans that asked and got nothing"),
    Variable("pool_waiting_months", (*BOOK_DIMS, "pool"), "1", "mean months that they have waited so far"),
    Variable("pool_capacity", (*BOOK_DIMS, "pool"), "hours", "hours that the pool has; infinite where it is unlimited"),
    Variable("pool_cost", (*BOOK_DIMS, "pool"), "currency", "cost of the pool's hours and of hiring"),
)
"""Pools that loans in arrears share; in results of studies that have one."""

INCIDENT_VARIABLES: Final = (
    Variable("incident_count", (*BOOK_DIMS, "incident"), "count", "incidents of field and repossession work"),
)
"""In results of studies that name a strategy."""

UNDERWRITING_VARIABLES: Final = (
    Variable("declined_count", ("strategy",), "count", "loans of the book that underwriting declines"),
    Variable("declined_balance", ("strategy",), "currency", "opening principal of declined loans"),
    Variable("declined_interest", ("strategy",), "currency", "interest due by contract of declined loans"),
    Variable("declined_by_criterion", ("strategy", "criterion"), "count", "declined loans by first criterion unmet"),
    Variable("replaced_count", ("strategy",), "count", "copies of accepted loans in the place of declined ones"),
    Variable("replaced_balance", ("strategy",), "currency", "opening principal of copies of accepted loans"),
    Variable("lent_contractual_principal", ("strategy", "month"), "currency", "principal due by contract, loans lent"),
    Variable("lent_contractual_interest", ("strategy", "month"), "currency", "interest due by contract, loans lent"),
    Variable("lent_opening_balance_by_stage", ("scenario", "strategy", "stage"), "currency", "principal lent by stage"),
    Variable("lent_opening_count_by_stage", ("scenario", "strategy", "stage"), "count", "loans lent by stage"),
    Variable("lent_opening_balance_by_tier", ("strategy", "tier"), "currency", "principal lent by tier"),
)
"""In results of studies of which a strategy declines loans: there what has no dim `strategy` is the whole book's."""

STAGE_VARIABLES: Final = (
    Variable("opening_balance_by_stage", ("scenario", "stage"), "currency", "opening principal by stage"),
    Variable("opening_count_by_stage", ("scenario", "stage"), "count", "loans by stage at the as-of date"),
    Variable("shortfall_12m_by_stage", (*PATH_DIMS, "stage"), "currency",
             "loss of defaults within 12 months, discounted to the as-of date"),
    Variable("shortfall_by_stage", (*PATH_DIMS, "stage"), "currency",
             "loss over the loans' life, discounted to the as-of date"),
)

AFTER_HORIZON_VARIABLES: Final = tuple(
    Variable(f"{name}_after_horizon", PATH_DIMS, "currency", f"{text}, of loans in default at the horizon")
    for name, text in (
        ("principal_paid", "principal paid, prepaid or repaid by insurance after the horizon"),
        ("interest_paid", "interest paid after the horizon"),
        ("fees", "fees received after the horizon"),
        ("charge_off", "gross charge-off after the horizon"),
        ("recovery", "net recovery received after the horizon"),
        ("ultimate_loss", "discounted loss of charge-offs after the horizon"),
        ("default_loss", "loss of charge-offs after the horizon, discounted to their default"),
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
        *((f"default_by_{cut}", cut, f"exposure of new defaults by {cut}") for cut in CUTS),
        *((f"recovery_by_{cut}", cut, f"net recovery by {cut}, month of the charge-off") for cut in CUTS),
    )
    for moment in ("mean", "sd")
)
"""Layer (c): month x level, as mean and standard deviation over paths."""

_RUNG_FACTS: Final[tuple[tuple[str, Unit, str], ...]] = (
    ("asked", "count", "loans that a rung of the ladder is for"),
    ("served", "count", "loans for which it was carried out"),
    ("reached", "count", "loans whose borrower it reached"),
    ("contacts", "count", "contacts made"),
    ("cost", "currency", "cost of contacts, filings and commissions, pools' hours apart"),
    ("followed", "count", "current loans that it was for and that fell behind in the next month, or would have"),
    ("averted", "count", "entries into arrears that it averted in the month"),
    ("cured", "count", "loans for which it was carried out at the last close and that owe no instalment any more"),
    ("worse", "count", "the same, further behind or charged off"),
    ("again", "count", "of those that cured in the month, fell behind again within 12 months of the horizon"),
)

RUNG_VARIABLES: Final = tuple(
    Variable(f"rung_{name}_{moment}", (*RUN_DIMS, "month", "rung"), unit, f"{text}, {moment} over paths")
    for name, unit, text in _RUNG_FACTS
    for moment in ("mean", "sd")
)
"""What the rungs of all strategies of a study do; in results of studies that name a strategy."""

MARKET_VARIABLES: Final = (
    Variable("transition_count_mean", (*RUN_DIMS, "month", "from_bucket", "to_state"), "count", "mean number of loans"),
    Variable("used_car_index", (*PATH_DIMS, "month", "segment"), "1", "used-car index relative to the as-of month"),
    Variable("used_car_path", ("scenario", "month", "segment"), "1", "the scenario's used-car index, before noise"),
    Variable("global_factor", ("path", "month"), "1", "global credit factor, standard normal, larger is worse"),
    Variable("macro", ("scenario", "month", "macro_variable"), "1", "fractions a year; fuel price relative to month 0"),
)

TRACE_VARIABLES: Final = (
    ("trace_state", "1", "state at month end: instalments past due, or exit code"),
    ("trace_balance", "currency", "principal at month end"),
    ("trace_loss", "currency", "discounted loss so far"),
    ("trace_value", "currency", "wholesale value of the car without its own condition"),
    ("trace_cash", "currency", "cash of the month from the borrower or the car's insurance, sales apart"),
    ("trace_type", "1", "index of the borrower's type while in arrears, else -1"),
    ("trace_flags", "1", "sum of 1 extended lately, 2 car seized, 4 reached by a rung, 8 in default"),
    ("trace_rungs", "1", "sum of 2**r over the rungs r carried out at the close, the ladder's first being 0"),
)
"""What a traced loan leaves, over path x month 0..T: name, unit, meaning."""

TOP_OF_RANGE: Final = Variable(
    "loss_at_top_sensitivity",
    (*RUN_DIMS, "path_top"),
    "currency",
    "ultimate loss with macro sensitivities at the top of their published range, first paths",
)
"""What `run_study` adds to the variables of `simulate` where parameters have ranges."""

PARAMETER_VALUE: Final = Variable(
    "parameter_value", ("parameter", "draw"), "1", "value of each uncertain parameter by draw, in its own unit"
)
"""What it adds where a study draws its parameters."""

TAIL_VARIABLES: Final = (
    Variable("shift_direction", ("direction", "shocked_entity", "shock_month"), "1",
             "directions of the factors' shocks that are not drawn as usual, of length 1; the loss's first"),
    Variable("stratum_low", ("stratum_number",), "1", "lower end of each stratum of the leading factor"),
    Variable("stratum_log_correction", ("stratum_number",), "1", "what a stratum adds to the log weight of its paths"),
    Variable("pilot_explained", ("scenario",), "1", "share of the loss's variance that the leading factor explains"),
)
"""What it adds where a study has a method for the tail: with them any path can be drawn again."""

MEASURE_VARIABLES: Final = (
    Variable("measure_value", (*RUN_DIMS, "loss_measure"), "currency", "measure of the ultimate loss"),
    Variable("measure_standard_error", (*RUN_DIMS, "loss_measure"), "currency", "Monte Carlo standard error of it"),
    Variable("measure_low", (*RUN_DIMS, "loss_measure"), "currency", "lower end of its 95 % interval"),
    Variable("measure_high", (*RUN_DIMS, "loss_measure"), "currency", "upper end of its 95 % interval"),
    Variable("effective_paths", (*RUN_DIMS, "loss_measure"), "1",
             "paths of equal weight that those behind it are worth (Kish), beyond the quantile where it has one"),
    Variable("plain_paths", (*RUN_DIMS, "loss_measure"), "1", "paths drawn plainly that would tell it as sharply"),
)
"""What a stored run of such a study says of its loss: the measures are not to be had from its paths without weights."""

DATASET_VARIABLES: Final = (
    *BOOK_VARIABLES,
    *ECONOMIC_VARIABLES,
    *CONTRACTUAL_VARIABLES,
    *POOL_VARIABLES,
    *INCIDENT_VARIABLES,
    *UNDERWRITING_VARIABLES,
    *STAGE_VARIABLES,
    *AFTER_HORIZON_VARIABLES,
    *CUT_VARIABLES,
    *MEAN_VARIABLES,
    *RUNG_VARIABLES,
    *MARKET_VARIABLES,
)
# fmt: on
