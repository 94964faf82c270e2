"""Collection strategies: ladders of actions on loans in arrears, and the pools of people and trucks that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from scenarios.care import AnyCare, WatchList
from scenarios.care_checks import care_problems
from scenarios.checks import Problem
from scenarios.file_spec import FileSpec
from scenarios.ladder_checks import ladder_problems
from scenarios.rungs import AnyRung, Money
from scenarios.shelf import Shelf
from scenarios.spec import Name, Reference, Spec
from scenarios.treatment import Hours, Weight
from scenarios.underwriting import Underwriting, underwriting_problems
from scenarios.vocabulary import REFERENCE_STRATEGY

STRATEGIES: Final = Shelf("strategy", "scenarios", "library/strategies", also=(REFERENCE_STRATEGY,))
"""`reference` needs no file: loans in arrears are worked as those were that the parameters come from."""


class Priority(Spec):
    """Whom a pool serves first: the largest sum of features times weights, and the rung's own, in steps of 1/16."""

    bucket: Weight = 1.0
    """Weight of an instalment past due."""

    waiting: Weight = 0.0
    """Weight of a month in which the loan asked this pool and was not served."""

    balance: Weight = 0.0
    """Weight of principal, in units of the book's mean opening principal."""


class Hiring(Spec):
    """How a pool grows where more is asked than it has, and shrinks again."""

    step_percent: Annotated[float, Field(gt=0, le=100)]
    """Hours that are added each month in which more is asked than there is, percent of the hours at the start; as many
    go in a month in which less is asked."""

    most_percent: Annotated[float, Field(ge=100, le=10_000)]
    """Most hours there can be, percent of those at the start."""

    cost_per_hour: Money = 0.0
    """Cost of hiring and training, currency for each monthly hour added."""


class Pool(Spec):
    """People or trucks who serve loans in arrears, for so many hours a month: who is not served waits."""

    hours_per_month: Hours | None = None
    """Hours a month for the whole book; or write one of the other capacities."""

    hours_per_1000_loans: Hours | None = None
    """Hours a month for each 1,000 loans of the opening book; or write another capacity."""

    hours_per_100_in_arrears: Hours | None = None
    """Hours a month for each 100 loans that are past due at the as-of date; or write another capacity."""

    unlimited: bool = False
    """true: nobody ever waits, and only hours worked are paid."""

    cost_per_hour: Money = 0.0
    """Cost of an hour that the pool has, worked or not, currency."""

    field: bool = False
    """true: field work, which a regulatory event suspends."""

    priority: Priority = Priority()
    """Whom the pool serves first."""

    hiring: Hiring | None = None
    """How it grows and shrinks; left out: not at all."""

    source: str = ""
    """Where the figures come from; own judgement is an assumption and says so."""


class IncidentCosts(Spec):
    """Cost of one incident, currency."""

    complaint: Money = 0.0
    """Of a formal complaint."""

    claim: Money = 0.0
    """Of a claim."""

    injury: Money = 0.0
    """Of a serious injury."""

    regulatory: Money = 0.0
    """Of a regulatory event, fine and redress."""


class IncidentLimit(Spec):
    """A chance constraint: a number of incidents over the horizon that is exceeded with little probability."""

    kind: Literal["complaint", "claim", "injury", "regulatory"]
    """Kind of incident."""

    at_most: Annotated[float, Field(ge=0)]
    """Number within the horizon for each 1,000 opening loans."""

    with_probability_percent: Annotated[float, Field(gt=0, le=100)]
    """Least probability with which it is kept, percent, in every scenario."""


class Incidents(Spec):
    """Conduct: how often field and repossession work hurts somebody, and what follows."""

    standard: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Conduct standard: factor on the rates of all rungs; below 1 is stricter than usual."""

    variance: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Variance of the teams' own factor on the rates, Gamma with mean 1, drawn once a path; 0: none."""

    cost: IncidentCosts = IncidentCosts()
    """Cost of an incident by kind."""

    suspension_months: Annotated[int, Field(ge=0, le=60)] = 0
    """Months for which a regulatory event closes all field pools of a path."""

    limits: tuple[IncidentLimit, ...] = ()
    """What the strategy must keep; `carstress run` exits with 1 where it does not."""

    source: str = ""
    """Where the figures come from; own judgement is an assumption and says so."""


class CollectionStrategy(FileSpec):
    """What is done with loans in arrears, by whom and when."""

    shelf: ClassVar[Shelf | None] = STRATEGIES

    kind: Literal["collection_strategy"] = "collection_strategy"
    """What this file is."""

    name: Name
    """Its name in results: letters, digits, `_`, `.` and `-`."""

    title: str
    """One line for reports."""

    description: str = ""
    """What it is for, and how its figures were chosen."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    """ISO 4217 code of its amounts, as USD; needed where there are any."""

    rules: Reference | None = None
    """Rules of contact that it must keep, by name or path; left out: none are checked."""

    underwriting: Underwriting | None = None
    """Cut-offs and terms before the loan; left out: the book as it is."""

    pools: dict[Name, Pool] = Field(default_factory=dict)
    """Pools by name."""

    ladder: tuple[AnyRung, ...] = ()
    """Actions in their order; none: nobody does anything about arrears."""

    watch_list: WatchList | None = None
    """Loans without arrears that are watched; left out: none."""

    while_current: tuple[AnyCare, ...] = ()
    """Actions on loans without arrears."""

    incidents: Incidents = Incidents()
    """Conduct and its consequences."""

    source: Annotated[str, Field(min_length=15)]
    """Where its figures come from; own judgement is an assumption and says so."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """A reserved name, pools that do not exist or have no capacity, rungs that overlap or can never be reached."""
        if data.get("name") == REFERENCE_STRATEGY:
            remedy = f"`{REFERENCE_STRATEGY}` stands for loans worked as those were that the parameters come from."
            yield Problem(("name",), f"name = {REFERENCE_STRATEGY}, which is reserved", "another name", remedy)
        yield from ladder_problems(data)
        yield from care_problems(data)
        yield from underwriting_problems(data)

    def rungs(self) -> Iterator[tuple[str, int, AnyRung | AnyCare]]:
        """All rungs, those of the ladder first: the field that each stands in, its place there, and the rung."""
        yield from (("ladder", place, rung) for place, rung in enumerate(self.ladder))
        yield from (("while_current", place, rung) for place, rung in enumerate(self.while_current))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the rungs, those of the ladder first."""
        return tuple(rung.label for _, _, rung in self.rungs())
