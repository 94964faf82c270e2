"""What a study does to the book beside the economy: who works arrears, and which parameters are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from scenarios.file_spec import one_of
from scenarios.spec import Reference, Spec

Hours = Annotated[float, Field(gt=0, le=10_000_000)]
"""Hours of work."""

Weight = Annotated[float, Field(ge=0, le=10)]
"""Weight of a feature in the priority."""

Multiplier = Annotated[float, Field(ge=0, le=20)]
"""Factor on a monthly intensity; 1 changes nothing."""


class ByType(Spec):
    """A factor by latent type of the borrower."""

    forgetful: Multiplier = 1.0
    """Borrowers able and willing to pay."""

    hardship: Multiplier = 1.0
    """Borrowers willing and unable to pay."""

    strategic: Multiplier = 1.0
    """Borrowers able and unwilling to pay."""


def _form(value: Any) -> str:
    return "type form" if isinstance(value, Mapping | Spec) else "number form"


Factor = Annotated[
    Annotated[Multiplier, Tag("number form")] | Annotated[ByType, Tag("type form")],
    Discriminator(_form),
]
"""One number for all borrowers, or one a latent type."""


class Effects(Spec):
    """Factors on the monthly intensities of loans in arrears, by class of cause."""

    cure: Factor = 1.0
    """Return to current or to fewer instalments past due: a number, or {forgetful: ..., hardship: ...}."""

    roll: Factor = 1.0
    """One more instalment past due: a number, or {forgetful: ..., hardship: ...}."""

    charge_off: Factor = 1.0
    """Charge-off: a number, or {forgetful: ..., hardship: ...}."""


class PhoneEffect(Spec):
    """What a contact does in the month after it, and what its absence does."""

    served: Effects = Effects()
    """Factors of loans that were served and whose borrower was reached."""

    unserved: Effects = Effects()
    """Factors of loans in arrears that were not, for whatever reason."""


class Priority(Spec):
    """Whom a pool serves first: the largest sum of features times weights, in steps of 1/16 up to 64."""

    bucket: Weight = 1.0
    """Weight of an instalment past due."""

    waiting: Weight = 0.0
    """Weight of a month in which the loan asked and was not served."""

    balance: Weight = 0.0
    """Weight of principal, in units of the book's mean opening principal."""


class Phone(Spec):
    """People who call borrowers in arrears, for so many hours a month: who is not called waits."""

    hours_per_month: Hours | None = None
    """Hours of contact a month for the whole book; or write `hours_per_1000_loans`."""

    hours_per_1000_loans: Hours | None = None
    """Hours of contact a month for each 1,000 loans of the opening book; or write `hours_per_month`."""

    hours_per_contact: Annotated[float, Field(gt=0, le=100)]
    """Hours that one contact takes, attempts included."""

    from_bucket: Reference | None = None
    """Label of the first bucket of arrears that is called; left out: the first there is."""

    to_bucket: Reference | None = None
    """Label of the last bucket of arrears that is called; left out: the worst there is."""

    reach_percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    """Share of served borrowers who are reached, percent; the time is spent either way."""

    priority: Priority = Priority()
    """Whom the pool serves first."""

    effect: PhoneEffect = PhoneEffect()
    """What a contact does; left out: nothing, and the pool only counts who asks, who is served and who waits."""

    source: Annotated[str, Field(min_length=1)] = "Assumption of the study; no source is stated."
    """Where these figures come from; own judgement is an assumption and says so."""


class Treatment(Spec):
    """Who works arrears. Effects are relative to the serviced books that the parameter sets were observed on."""

    phone: Phone
    """Calls from a pool of finite capacity."""


class Uncertainty(Spec):
    """Parameters that are drawn once for a batch of paths, from a triangle over their published range."""

    draws: Annotated[int, Field(ge=2, le=10_000)]
    """Number of draws, and of batches into which the paths are split; each needs two paths or more."""

    parameters: Annotated[
        Annotated[Literal["all"], Tag("word form")]
        | Annotated[tuple[Reference, ...], Field(min_length=1), Tag("list form")],
        one_of("`all`, or a list of names of parameters, as [systematic.correlation, sale]"),
    ] = "all"
    """`all`: every figure that states a `range` and acts; or names, as the report lists them: a section's name stands
    for all its figures with a range."""
