"""What is done about loans without arrears: a watch list, and the rungs of their own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from scenarios.rungs import ByTypePercent, ClockTime, Labelled, Money, Percent
from scenarios.spec import Name, Spec
from scenarios.vocabulary import CARE_ACTIONS


class Alerts(Spec):
    """What trackers tell of borrowers who are about to fall behind: how often they are heard, and how often right."""

    hits_percent: Annotated[float, Field(gt=0, le=100)]
    """Entries into arrears that an alert precedes by less than a month, percent of those of cars with a tracker."""

    right_percent: Annotated[float, Field(gt=0, le=100)]
    """Alerts that arrears follow within the month where nobody acts, percent; the others are false alarms."""


class WatchList(Spec):
    """Loans without arrears that are watched in the coming month: any one of the conditions puts them on the list."""

    from_hazard_percent: Annotated[float, Field(gt=0, lt=100)] | None = None
    """Predicted probability to fall behind within the month from which on, percent."""

    from_ltv_percent: Annotated[float, Field(ge=0, le=10_000)] | None = None
    """Unpaid principal over the car's value by the published index from which on, percent."""

    alerts: Alerts | None = None
    """Alerts of trackers; left out: there are none."""

    macro_lag_months: Annotated[int, Field(ge=0, le=24)] = 2
    """Months after which a macro variable is known; predictions use what is known."""

    source: str = ""
    """Where the figures come from; own judgement is an assumption and says so."""


class Whose(Spec):
    """Which loans without arrears an action is for; a condition left out excludes nobody."""

    watched: bool | None = None
    """true: only loans on the watch list; false: only the others."""

    tracker: bool | None = None
    """true: only cars with a tracker; false: only cars without one."""

    starter_interrupt: bool | None = None
    """true: only cars whose starter can be blocked; false: only the others."""

    regions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Regions of the tape."""

    tiers: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Tiers: names of parameter sets."""


class Averted(Spec):
    """Percent of those reached who pay on time and would have fallen behind, by latent type."""

    forgetful: ByTypePercent = 0.0
    """Borrowers able and willing to pay."""

    hardship: ByTypePercent = 0.0
    """Borrowers willing and unable to pay."""

    strategic: ByTypePercent = 0.0
    """Borrowers able and unwilling to pay."""


class CareRung(Labelled):
    """What all actions on loans without arrears share."""

    who: Whose = Whose()
    """Loans without arrears that the action is for."""

    pool: Name | None = None
    """Pool whose hours it takes; left out: nobody waits for it."""

    contacts_per_month: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Contacts of a loan in a month."""

    hours_per_contact: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Hours of the pool that a contact takes; needed with `pool`."""

    cost_per_contact: Money = 0.0
    """Cost of a contact beside the pool's hours, currency."""

    reach_percent: Percent = 100.0
    """Borrowers reached in the month, percent of those served; nobody else's entry is averted."""

    priority: Annotated[float, Field(ge=0, le=64)] = 0.0
    """What the pool's priority adds for this action; a loan without arrears has no bucket to count."""

    averted_percent: ByTypePercent | Averted = 0.0
    """Entries into arrears that it averts among those reached, percent: a number, or by type."""

    source: str = ""
    """Where the figures come from; own judgement is an assumption and says so."""


class Reminder(CareRung):
    """Message before the due date."""

    action: Literal["reminder"]
    """Message before the due date."""


class CheckIn(CareRung):
    """Call before anything is due: another due date, another instalment, advice."""

    action: Literal["check_in"]
    """Call before anything is due."""

    between: tuple[ClockTime, ClockTime] = ("09:00", "18:00")
    """Hours of the day in which calls are made."""


def _action(value: Any) -> str | None:
    """Tag of a rung by its action; it holds a blank, so that no key of a file is mistaken for one."""
    action = value.get("action") if isinstance(value, dict) else getattr(value, "action", None)
    return f"{action} rung" if action in CARE_ACTIONS else None


AnyCare = Annotated[
    Annotated[Reminder, Tag("reminder rung")] | Annotated[CheckIn, Tag("check_in rung")],
    Discriminator(
        _action,
        custom_error_type="form",
        custom_error_message=f"`action:` with one of {', '.join(CARE_ACTIONS)}",
    ),
]
"""A rung for loans without arrears, told by its action."""
