"""The specs that a user writes: `MacroScenario` and `Study`. A field that ends in `_percent` is in percent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from pydantic import Field, Tag

from scenarios.checks import (
    MONTHS_PER_PERIOD,
    PERIOD_PATTERN,
    Month,
    Problem,
    first_month,
    macro_problems,
    study_problems,
)
from scenarios.file_spec import FileSpec, one_of
from scenarios.inherit import with_shocks
from scenarios.portfolio import FilePortfolio as FilePortfolio
from scenarios.portfolio import Portfolio
from scenarios.portfolio import Synthetic as Synthetic
from scenarios.portfolio import SyntheticPortfolio as SyntheticPortfolio
from scenarios.shelf import Shelf
from scenarios.spec import Name as Name
from scenarios.spec import Reference, Spec
from scenarios.tail import Tail, TailField, tail_of, tail_problems
from scenarios.treatment import Uncertainty
from scenarios.vocabulary import REFERENCE_STRATEGY
from scenarios.yaml_text import YamlDocument

SCENARIOS: Final = Shelf("scenario", "scenarios", "library/macro")
STUDIES: Final = Shelf(
    "study", "scenarios", "library/studies", hint="`carstress init FOLDER` writes one to start from."
)

# --- macro scenario ------------------------------------------------------------------------------

Unemployment = Annotated[float, Field(ge=0, le=30)]
"""Percent of the labour force."""

IncomeGrowth = Annotated[float, Field(ge=-60, le=100)]
"""Percent a year, annualised; the wildest quarter on record is +57.6 (US, 2021Q1, Federal Reserve)."""

InterestRate = Annotated[float, Field(ge=-2, le=30)]
"""Percent a year."""

IndexLevel = Annotated[float, Field(ge=5, le=1000)]
"""Level of an index; a used-car index is 100 in the month before `start`."""

Points = Annotated[float, Field(ge=-100, le=1000)]
"""Percentage points, or percent of a level."""

Offset = Annotated[float, Field(ge=-20, le=20)]
"""Percentage points above the nation."""


class Shock(Spec):
    """What is added to the base's path, one value a period."""

    shock: Annotated[tuple[Points, ...], Field(min_length=1)]
    """Percentage points on a rate or a growth; percent of the base's level on an index."""


class IndexShock(Spec):
    """A change of the base's used-car index."""

    shock_percent: Annotated[tuple[Points, ...], Field(min_length=1)]
    """Percent of the base's level, one value a period: -20 makes 80 of 100."""


class Satellite(Spec):
    """A used-car index made from the scenario's unemployment, where a publication has no used-car price.

    `unemployment_gap`: the level is 100 + peak_to_trough_percent x gap(t - lag) / largest gap, gap being
    unemployment above its jump-off value, never below 0.  `flat`: the level stays at 100.  Either is an
    assumption, and the report says so.
    """

    satellite: Literal["unemployment_gap", "flat"]
    """Name of the satellite."""

    peak_to_trough_percent: Annotated[float, Field(ge=-90, le=0)] = -20.0
    """Fall of the index where the gap is largest, percent; -20 is the order of the falls of 2001-04 and 2022-24."""

    lag_quarters: Annotated[int, Field(ge=0, le=8)] = 2
    """Quarters by which the index follows unemployment."""

    shock_percent: Annotated[tuple[Points, ...], Field(min_length=1)] | None = None
    """Percent on top of the satellite's level, one value a period."""


_LIST_OR_SHOCK: Final = "a list with one number a period, or {shock: [...]}"
_INDEX_FORMS: Final = "a list of levels, {shock_percent: [...]} or {satellite: NAME, ...}"

Value = TypeVar("Value")

PathOrShock = Annotated[
    Annotated[tuple[Value, ...], Field(min_length=1), Tag("list form")] | Annotated[Shock, Tag("shock form")],
    one_of(_LIST_OR_SHOCK),
]

UsedCarPath = Annotated[
    Annotated[tuple[IndexLevel, ...], Field(min_length=1), Tag("list form")]
    | Annotated[IndexShock, Tag("shock_percent form")]
    | Annotated[Satellite, Tag("satellite form")],
    one_of(_INDEX_FORMS),
]

UsedCarSegment = Literal["all", "car", "suv", "truck", "van", "ev", "hybrid", "luxury", "motorcycle", "other"]
"""`all`, or a vehicle segment of the vocabulary."""

OffsetVariable = Literal["unemployment_percent", "disposable_income_growth_percent", "prime_rate_percent"]


class MacroPaths(Spec):
    """One path a variable, one value a period, the first for `start`."""

    unemployment_percent: PathOrShock[Unemployment]
    """Unemployment rate, percent of the labour force, 0 to 30, mean of the period."""

    disposable_income_growth_percent: PathOrShock[IncomeGrowth]
    """Growth of real disposable income on the period before, percent a year (annualised)."""

    prime_rate_percent: PathOrShock[InterestRate]
    """Prime rate, or the rate that loans are priced from, percent a year, mean of the period."""

    fuel_price_index: PathOrShock[IndexLevel] | None = None
    """Level of the fuel price, in the unit of its jump-off value; left out: it stays at that value."""


class JumpOff(Spec):
    """The last known values: of the month before `start`, from which every path sets out."""

    unemployment_percent: Unemployment
    """Percent of the labour force."""

    disposable_income_growth_percent: IncomeGrowth
    """Percent a year."""

    prime_rate_percent: InterestRate
    """Percent a year."""

    fuel_price_index: IndexLevel = 100.0
    """Level of the fuel price."""


class RevertTo(Spec):
    """Long-run values; what is left out holds its last value."""

    unemployment_percent: Unemployment | None = None
    """Percent of the labour force."""

    disposable_income_growth_percent: IncomeGrowth | None = None
    """Percent a year."""

    prime_rate_percent: InterestRate | None = None
    """Percent a year."""

    fuel_price_index: IndexLevel | None = None
    """Level, in the unit of the path."""

    used_car_index: IndexLevel | None = None
    """Level of every segment; 100 is the month before `start`."""


class Reversion(Spec):
    """How the paths go on after their end."""

    months: Annotated[int, Field(ge=1, le=240)]
    """Months from the path's end to the long-run values."""

    to: RevertTo
    """The long-run values."""


class Revert(Spec):
    """A return to long-run values after the path's end."""

    revert: Reversion
    """In a straight line (levels: in logarithms) over `months`, constant afterwards."""


Beyond = Annotated[
    Annotated[Literal["hold"], Tag("word form")] | Annotated[Revert, Tag("revert form")],
    one_of("`hold`, or {revert: {months: N, to: {unemployment_percent: ...}}}"),
]


class MacroScenario(FileSpec):
    """One future of the economy and of the used-car market, quarterly or monthly."""

    shelf: ClassVar[Shelf | None] = SCENARIOS

    kind: Literal["macro_scenario"] = "macro_scenario"
    """What this file is."""

    name: Name
    """Its name in results: letters, digits, `_`, `.` and `-`."""

    title: str = ""
    """One line for pictures and tables."""

    description: str = ""
    """What happens in it, and why."""

    source: Annotated[str, Field(min_length=1)]
    """Where its numbers come from; own judgement is an assumption and says so."""

    extends: Reference | None = None
    """Library name or path of a scenario that this one changes. Maps are merged, lists are replaced."""

    start: Annotated[str, Field(pattern=PERIOD_PATTERN)]
    """First period, `2025Q1` or `2025-01`. The tape's as-of month is the month before it."""

    end: Annotated[str, Field(pattern=PERIOD_PATTERN)] | None = None
    """Last period; where it is given, every path must reach exactly so far."""

    frequency: Literal["quarterly", "monthly"]
    """Length of a period."""

    jump_off: JumpOff
    """Values of the month before `start`."""

    macro: MacroPaths
    """The economy."""

    used_car_index: dict[UsedCarSegment, UsedCarPath]
    """Used-car price, 100 in the month before `start`: `all`, and segments that go their own way."""

    regional_offsets: dict[OffsetVariable, dict[Reference, Offset]] = Field(default_factory=dict)
    """Percentage points by which regions of the tape lie above the nation, constant over time."""

    sector_offsets: dict[OffsetVariable, dict[Reference, Offset]] = Field(default_factory=dict)
    """Percentage points by which employment sectors of the tape lie above the nation, beside the region's offset."""

    weight: Annotated[float, Field(gt=0, le=1)] | None = None
    """Probability, for results weighted over a study's scenarios: all of them state one, summing to 1, or none does."""

    beyond: Beyond | None = None
    """What happens after the path's end; left out, a horizon beyond it is an error."""

    @classmethod
    def settled(cls, document: YamlDocument, base: YamlDocument | None) -> YamlDocument:
        """The text with shocks replaced by the paths that they make."""
        return with_shocks(document, base)

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """Unequal lengths, shocks without a base, fractions for percent, and other contradictions."""
        return macro_problems(data)

    @property
    def first_month(self) -> Month:
        """Year and month of the first simulated month."""
        return first_month(self.start)

    @property
    def months(self) -> int:
        """Months that the path covers."""
        path = self.macro.unemployment_percent
        return len(path) * MONTHS_PER_PERIOD[self.frequency] if isinstance(path, tuple) else 0


# --- study ---------------------------------------------------------------------------------------


class Limit(Spec):
    """A bound that the result must respect; `carstress run` exits with 1 where it does not."""

    measure: Literal["expected_loss", "value_at_risk", "expected_shortfall"]
    """What is bounded, a loss after recoveries."""

    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Probability of the quantile; not used by expected_loss."""

    scenario: Name
    """Name of one of the study's scenarios."""

    at_most_percent: Annotated[float, Field(ge=0, le=200)]
    """Bound, percent of opening balance."""


class Study(FileSpec):
    """A portfolio under scenarios: what `carstress run` runs."""

    shelf: ClassVar[Shelf | None] = STUDIES

    kind: Literal["study"] = "study"
    """What this file is."""

    name: Name
    """Its name, and its folder's below `runs/`."""

    title: str = ""
    """One line for the report."""

    portfolio: Portfolio
    """The loans: drawn, or from a tape. Paths start from this file's folder."""

    parameters: Reference | Annotated[tuple[Reference, ...], Field(min_length=1)]
    """Parameter set by name or path; a list gives one set a tier, by score band."""

    scenarios: Annotated[tuple[Reference, ...], Field(min_length=1)]
    """Macro scenarios by library name or path."""

    paths: Annotated[int, Field(ge=1, le=10_000_000)]
    """Futures that are drawn in each scenario."""

    months: Annotated[int, Field(ge=1, le=1200)] = 36
    """Horizon, months; 120 is the longest that parameters speak for."""

    seed: Annotated[int, Field(ge=0, lt=2**64)]
    """Seed of all draws; there is no default, so that it stands in the file."""

    shift_calendar: bool = False
    """true: run the scenarios from the tape's date although they start elsewhere; the report says so."""

    sensitivity_range: bool = True
    """true: every scenario after the first is run once more, on at most 1,000 of its paths, with the macro
    sensitivities at the end of their published range that is farther from 0; false: it is not."""

    strategies: Annotated[tuple[Reference, ...], Field(min_length=1)] = (REFERENCE_STRATEGY,)
    """Collection strategies by library name or path, run on the same draws; the first is what the others are compared
    with. `reference`: loans in arrears are worked as those were that the figures come from."""

    market_share_percent: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Share of the used-car market's auctions that this book's sales are, percent; 0: they move no price."""

    uncertainty: Uncertainty | None = None
    """Parameters that are drawn from their published ranges; left out: every parameter has its value."""

    tail: TailField | None = None
    """A method that reaches the tail with few paths: `shifted`, or a map that names a `method` and its figures; left
    out: all paths are drawn plainly and weigh the same."""

    limits: tuple[Limit, ...] = ()
    """Bounds on the result."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """Scenarios or strategies named twice, draws or figures of `tail:` that do not fit."""
        yield from study_problems(data)
        yield from tail_problems(data)

    @property
    def tail_method(self) -> Tail | None:
        """What `tail:` says, in full; None where paths are drawn plainly."""
        return tail_of(self.tail)

    @property
    def parameter_sets(self) -> tuple[str, ...]:
        """Names or paths of the parameter sets, one a tier."""
        return (self.parameters,) if isinstance(self.parameters, str) else self.parameters


KINDS: Final[dict[str, type[Spec]]] = {"macro_scenario": MacroScenario, "study": Study}
"""Files of this room by their `kind`; other rooms add theirs."""
