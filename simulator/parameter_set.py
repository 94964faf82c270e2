"""The YAML spec of a parameter set: one tier of borrowers, every number with its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from scenarios.checks import Problem
from scenarios.file_spec import FileSpec
from scenarios.schema import Name
from scenarios.spec import Spec
from scenarios.vocabulary import HISTORY_MONTHS, MAX_BUCKET
from simulator.parameter_borrower import Fees, History, Modification, NegativeEquity, Types
from simulator.parameter_car import Depreciation, UsedCarIndex, ValueBasis
from simulator.parameter_workout import (
    Deficiency,
    EconomicsTerms,
    FireSale,
    Repossession,
    SaleTerms,
    TotalLoss,
)
from simulator.sourced import (
    Correlation,
    Count,
    Evidence,
    Percent,
    Persistence,
    Positive,
    Share,
    Sourced,
    Target,
    UnemploymentPercent,
    Unit,
)

CURRENT = "current"
CHARGE_OFF_COLUMN = "charge_off"
PREPAID_COLUMN = "prepaid"

ROW_SUM_TOLERANCE = 0.003
"""Six entries printed to three decimals may miss 1 by 6 x 0.0005; more is an error, not rounding."""


CauseClass = Literal["enter", "cure", "roll", "charge_off", "prepay"]
"""A class of causes; a test holds it against `vocabulary.CAUSE_CLASSES`."""

MacroVariable = Literal["unemployment", "disposable_income_growth", "prime_rate", "fuel_price"]
"""A macro variable; a test holds it against `vocabulary.MACRO_VARIABLES`."""


def _strictly_rising(values: Iterable[float]) -> bool:
    return all(low < high for low, high in pairwise(values))


class ScoreBand(Evidence):
    """Credit scores that belong to the tier."""

    scale: str
    """Name of the score's scale, as FICO."""
    low: float | None = None
    """Lowest score of the tier, included; absent: no lower end."""
    high: float | None = None
    """First score above the tier; absent: no upper end."""


class RateBand(Evidence):
    """Contract rates that belong to the tier where a loan has no score."""

    low_percent: Annotated[float, Field(ge=0.0, le=400.0)] | None = None
    """Lowest contract rate, percent a year, included; absent: no lower end."""
    high_percent: Annotated[float, Field(ge=0.0, le=400.0)] | None = None
    """First contract rate above the tier, percent a year; absent: no upper end."""


class Buckets(Spec):
    """Buckets of arrears. State k is k monthly instalments past due; 0 is current."""

    labels: Annotated[tuple[str, ...], Field(max_length=MAX_BUCKET + 1)]
    """Labels from current to the worst bucket, as current, 30-59, 60-89, 90-119."""
    lower_edge_days: tuple[int, ...]
    """Fewest days past due of each bucket; the first is 0."""
    default_bucket: str
    """Label of the first bucket that counts as default."""
    charge_off_days: Annotated[Count, Unit("days past due")]
    """Days past due at which the balance is charged off. Descriptive: when loans are charged off, the matrix says."""
    nonaccrual_days: Annotated[Count, Unit("days past due")]
    """Days past due from which unpaid interest is no longer accrued."""
    probation_months: Annotated[Count | None, Unit("months")] = None
    """Months without arrears after which a further default counts as a new one; absent: none needed."""

    @model_validator(mode="after")
    def _buckets_fit(self) -> Buckets:
        if len(self.labels) < 2:
            raise ValueError(f"labels of current and of at least one bucket of arrears, not {list(self.labels)}")
        if self.labels[0] != CURRENT or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels with '{CURRENT}' first and none twice, not {list(self.labels)}")
        if len(self.lower_edge_days) != len(self.labels):
            raise ValueError(f"{len(self.labels)} lower_edge_days, one a label, not {len(self.lower_edge_days)}")
        if self.lower_edge_days[0] != 0 or not _strictly_rising(self.lower_edge_days):
            raise ValueError(f"lower_edge_days that start at 0 and rise, not {list(self.lower_edge_days)}")
        if self.default_bucket not in self.labels[1:]:
            raise ValueError(f"default_bucket one of {list(self.labels[1:])}, not '{self.default_bucket}'")
        if self.charge_off_days.value <= self.lower_edge_days[-1]:
            last = self.lower_edge_days[-1]
            raise ValueError(
                f"charge_off_days above the last bucket's first day {last}, not {self.charge_off_days.value}"
            )
        if self.nonaccrual_days.value < 1:
            raise ValueError("nonaccrual_days of 1 or more: a loan without arrears pays its interest, so it accrues")
        if self.probation_months is not None and self.probation_months.value > HISTORY_MONTHS:
            raise ValueError(f"probation_months of at most {HISTORY_MONTHS}, not {self.probation_months.value}")
        return self


class TransitionRow(Evidence):
    """One row of the monthly transition matrix."""

    from_bucket: str
    """Label of the bucket that the loan is in at the opening of the month."""
    to: Annotated[dict[str, Annotated[float, Field(ge=0.0, le=1.0)]], Field(min_length=1)]
    """Probability by destination: bucket labels, charge_off, prepaid. Absent: 0; absent diagonal: the rest to 1."""

    def stays(self) -> float:
        """Probability to stay, before renormalisation."""
        others = sum(share for label, share in self.to.items() if label != self.from_bucket)
        return self.to.get(self.from_bucket, 1.0 - others)

    @model_validator(mode="after")
    def _row_sums_to_one(self) -> TransitionRow:
        total = sum(self.to.values()) if self.from_bucket in self.to else 1.0
        if abs(total - 1.0) > ROW_SUM_TOLERANCE:
            raise ValueError(f"a row that sums to 1 within {ROW_SUM_TOLERANCE}, not to {total:.6g}")
        if self.stays() <= 0.0:
            remedy = "a certain move has no finite intensity"
            raise ValueError(f"a probability to stay above 0, not {self.stays():.6g}: {remedy}")
        return self


AgePoint = tuple[Annotated[int, Field(ge=0, le=360)], Annotated[float, Field(ge=0.0)]]
"""Age in months, multiplier."""


class AgeCurve(Evidence):
    """A multiplier by months since origination: linear between points, flat outside them."""

    points: Annotated[tuple[AgePoint, ...], Field(min_length=1)]
    """Pairs of age in months and multiplier, by rising age."""

    @model_validator(mode="after")
    def _ages_rise(self) -> AgeCurve:
        if not _strictly_rising(age for age, _ in self.points):
            raise ValueError(f"ages that rise, not {[age for age, _ in self.points]}")
        return self


class MacroReference(Spec):
    """Levels of the macro variables at which the hazards were observed."""

    unemployment_percent: Annotated[UnemploymentPercent, Unit("percent")]
    """Unemployment rate."""
    disposable_income_growth_percent: Annotated[Percent, Unit("percent a year")]
    """Growth of real disposable income, annualised."""
    prime_rate_percent: Annotated[Percent, Unit("percent a year")]
    """Banks' prime lending rate."""
    fuel_price: Annotated[Positive, Unit("relative to the as-of month")]
    """Fuel price, 1 being the as-of month's."""


class Sensitivity(Spec):
    """Effect of one macro variable on the intensities of one class of causes."""

    cause: CauseClass
    """Class of causes."""
    variable: MacroVariable
    """Macro variable."""
    per_percentage_point: Annotated[Sourced, Unit("log intensity per percentage point")]
    """Change of log intensity per percentage point (of the as-of level for fuel_price) above the reference."""


class Covariates(Spec):
    """Effects of a loan's own features on the intensities of class `enter`."""

    ltv_hazard_ratio_per_10_points: Annotated[Positive, Unit("hazard ratio per 0.10 of LTV")]
    """Hazard multiplier for each 10 percentage points of loan-to-value at origination."""
    ltv_reference: Annotated[Positive, Unit("fraction")]
    """Loan-to-value at origination at which the multiplier is 1."""
    payment_to_income_per_point: Annotated[Sourced, Unit("log intensity per 0.01 of income")]
    """Change of log intensity for each percentage point of payment-to-income."""
    payment_to_income_reference: Annotated[Share, Unit("fraction")]
    """Payment-to-income at which the multiplier is 1."""
    score_per_point: Annotated[Sourced | None, Unit("log intensity per point of score")] = None
    """Change of log intensity for each point of the credit score within the tier; absent: none."""
    score_reference: Annotated[Positive | None, Unit("score points")] = None
    """Score at which the multiplier is 1, and that a loan without a score counts as."""

    @model_validator(mode="after")
    def _score_has_both(self) -> Covariates:
        if (self.score_per_point is None) != (self.score_reference is None):
            raise ValueError("score_per_point and score_reference together, or neither")
        return self


class Systematic(Spec):
    """The latent credit factors: N(0,1), AR(1) monthly, larger is worse. Entry into arrears responds to them."""

    response: Literal["lognormal", "probit"]
    """How a factor moves an intensity: exp(sigma Y - sigma^2/2), or the Vasicek (Basel) response."""
    correlation: Annotated[Correlation, Unit("asset correlation")]
    """Asset correlation of two borrowers of one region and sector, for default within `horizon_months`."""
    horizon_months: Literal[1, 12]
    """Horizon at which the correlation is quoted; the monthly response is solved from 12."""
    persistence: Annotated[Persistence, Unit("1/month")]
    """Monthly AR(1) coefficient of every factor."""
    share_global: Annotated[Share, Unit("share of variance")]
    """Share of the global factor."""
    share_region: Annotated[Share, Unit("share of variance")]
    """Share of the region's factor."""
    share_sector: Annotated[Share, Unit("share of variance")]
    """Share of the sector's factor."""

    @model_validator(mode="after")
    def _consistent(self) -> Systematic:
        total = self.share_global.value + self.share_region.value + self.share_sector.value
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"shares of the factors that sum to 1, so that their mix is N(0,1), not to {total:.6g}")
        if self.correlation.value < 0.0:
            raise ValueError(
                f"a correlation of 0 or more, since borrowers share the factor, not {self.correlation.value}"
            )
        return self


class PublishedTargets(Spec):
    """What was published of books like this one, or computed from the set's own matrix where the source says so.

    A baseline run must find it; no result depends on it.
    """

    delinquent_share: Target | None = None
    """Share of live loans in arrears by one instalment or more."""
    seriously_delinquent_share: Target | None = None
    """Share of live loans in arrears by two instalments or more."""
    charge_off_hazard: Target | None = None
    """Charge-offs a month over live loans."""
    recovery_share: Target | None = None
    """Recoveries over charged-off balance."""
    cumulative_net_loss: Target | None = None
    """Net loss over the life of a pool, over its opening balance."""
    cumulative_default: Target | None = None
    """Defaulted balance over the life of a pool so far, over its opening balance."""


class ParameterSet(FileSpec):
    """One tier of borrowers as data: a new tier is a file and no code."""

    kind: Literal["parameter_set"]
    """Kind of the file."""
    name: Name
    """Name by which studies refer to the set."""
    title: str
    """Heading of the set in a report."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    """ISO 4217 code of the amounts, as USD."""
    observed_under: str
    """Collection strategy that the serviced books ran when the figures were observed."""
    score: ScoreBand | None = None
    """Scores that belong to the tier; needed where several sets are used together."""
    rate: RateBand | None = None
    """Contract rates that belong to the tier where the score is absent."""
    buckets: Buckets
    """Buckets of arrears."""
    transitions: tuple[TransitionRow, ...]
    """Monthly transition matrix, one row a bucket, in the order of the labels."""
    entry_by_age: AgeCurve
    """Multiplier of the intensities of class `enter` by the loan's age."""
    macro_reference: MacroReference
    """Macro levels at which the figures were observed."""
    macro_sensitivity: tuple[Sensitivity, ...]
    """Effects of macro variables; what is not named has none."""
    covariates: Covariates
    """Effects of a loan's own features."""
    history: History | None = None
    """Loans that returned to current."""
    types: Types | None = None
    """Latent types of borrowers in arrears."""
    modification: Modification | None = None
    """Extensions."""
    negative_equity: NegativeEquity | None = None
    """Strategic entry of borrowers who owe more than the car is worth."""
    fees: Fees | None = None
    """Late fees and renewal fees."""
    systematic: Systematic
    """Latent credit factors."""
    used_car_index: UsedCarIndex
    """Process of the used-car index around the scenario's path."""
    depreciation: Depreciation
    """Value of a car by age."""
    wholesale: ValueBasis
    """From stated values to wholesale."""
    total_loss: TotalLoss | None = None
    """Accident and theft."""
    repossession: Repossession | None = None
    """Seizure of cars before charge-off."""
    sale: SaleTerms
    """Sale of the car after charge-off."""
    deficiency: Deficiency | None = None
    """Collections on what a sale leaves unpaid."""
    discount_cap: Annotated[Positive | None, Unit("fraction a year")] = None
    """Highest rate at which recoveries are discounted; absent: the contract rate always."""
    fire_sale: FireSale | None = None
    """Effect of the book's own volume on prices."""
    economics: EconomicsTerms | None = None
    """Cost of funding and of servicing."""
    published: PublishedTargets
    """Published figures that a baseline run must reproduce."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """Contradictions between sections: rows and columns that are no buckets, an effect stated twice."""
        yield from _matrix_problems(data)
        yield from _effect_problems(data)
        yield from _bucket_problems(data)


def _parts(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Entries of a list of maps; nothing where the text is malformed, which is reported elsewhere."""
    value = data.get(key)
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [entry if isinstance(entry, Mapping) else {} for entry in entries]


def _labels(data: Mapping[str, Any]) -> list[str]:
    """Labels of the buckets; none where one is malformed, which is reported elsewhere."""
    buckets = data.get("buckets")
    labels = buckets.get("labels") if isinstance(buckets, Mapping) else None
    sound = isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels)
    return list(labels) if labels and sound else []


def _matrix_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    labels = _labels(data)
    rows = _parts(data, "transitions")
    names = [row.get("from_bucket") for row in rows]
    if labels and rows and names != labels:
        yield Problem(("transitions",), f"transitions has the rows {names}", f"{labels}, one a bucket, in this order")
    for place, row in enumerate(rows if labels else ()):
        to = row.get("to")
        for label in to if isinstance(to, Mapping) else ():
            known = [*_reachable(labels, row.get("from_bucket")), CHARGE_OFF_COLUMN, PREPAID_COLUMN]
            if label not in known:
                path = ("transitions", place, "to", str(label))
                found, remedy = (
                    f"row '{row.get('from_bucket')}' leads to '{label}'",
                    "A month misses one instalment at most.",
                )
                yield Problem(path, found, "one of " + ", ".join(known), remedy if label in labels else "")


def _reachable(labels: Sequence[str], origin: object) -> Sequence[str]:
    """Buckets that a month can lead to: any better one, the same, and the next worse one."""
    return labels[: labels.index(origin) + 2] if origin in labels else labels


def _effect_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    seen: list[tuple[Any, Any]] = []  # of any types, so no set
    for place, effect in enumerate(_parts(data, "macro_sensitivity")):
        pair = (effect.get("cause"), effect.get("variable"))
        if pair in seen:
            found = f"the effect of {pair[1]} on {pair[0]} a second time"
            yield Problem(("macro_sensitivity", place), found, "each effect once")
        seen.append(pair)


BY_BUCKET = (("modification", "share_of_cures"), ("repossession", "intensity_per_month"))
"""Figures by bucket of arrears."""


def _bucket_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Figures of buckets that do not exist, or of current loans."""
    labels = _labels(data)[1:]
    for path in BY_BUCKET:
        table: Any = data
        for part in (*path, "by_bucket"):
            table = table.get(part) if isinstance(table, Mapping) else None
        for label in table if isinstance(table, Mapping) and labels else ():
            if label not in labels:
                found = f"{path[0]} has a figure for the bucket '{label}'"
                yield Problem((*path, "by_bucket", str(label)), found, "one of " + ", ".join(labels))
