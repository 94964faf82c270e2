"""The rungs of a collection strategy's ladder: one class an action, each with what the action alone has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from scenarios.ladder_units import MOST_FACTOR
from scenarios.spec import Name, Spec
from scenarios.treatment import Factor
from scenarios.vocabulary import ACTIONS

ByTypePercent = Annotated[float, Field(ge=0, le=100)]
Percent = Annotated[float, Field(ge=0, le=100)]
Money = Annotated[float, Field(ge=0, le=1e9)]
Days = Annotated[int, Field(ge=0, le=3650)]
ClockTime = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Revealed = Literal["unknown", "forgetful", "hardship", "strategic"]


class Accepted(Spec):
    """Percent of the borrowers of each latent type who accept what they are offered, in the month after the offer."""

    forgetful: ByTypePercent = 0.0
    """Borrowers able and willing to pay."""

    hardship: ByTypePercent = 0.0
    """Borrowers willing and unable to pay."""

    strategic: ByTypePercent = 0.0
    """Borrowers able and unwilling to pay."""


class Who(Spec):
    """Which loans in arrears an action is for; a condition left out excludes nobody."""

    from_days: Days = 1
    """Days past due from which on: buckets that begin then or later."""

    to_days: Days = 3650
    """Days past due up to which: buckets that begin then or earlier."""

    from_balance: Money | None = None
    """Unpaid principal at the close of the month from which on, currency."""

    to_balance: Money | None = None
    """Unpaid principal up to which, currency."""

    from_ltv_percent: Annotated[float, Field(ge=0, le=10_000)] | None = None
    """Unpaid principal over the car's value by the published index from which on, percent."""

    to_ltv_percent: Annotated[float, Field(ge=0, le=10_000)] | None = None
    """The same up to which, percent."""

    tracker: bool | None = None
    """true: only cars with a tracker; false: only cars without one."""

    starter_interrupt: bool | None = None
    """true: only cars whose starter can be blocked; false: only the others."""

    regions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Regions of the tape."""

    tiers: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Tiers: names of parameter sets."""

    revealed: Annotated[tuple[Revealed, ...], Field(min_length=1)] | None = None
    """What is known of the borrower's type: `unknown` until a visit reveals it."""

    after: tuple[str, ...] = ()
    """Names of earlier rungs, all of which must have been carried out in this spell of arrears."""

    unless: tuple[str, ...] = ()
    """Names of rungs none of which may have been carried out in this spell."""

    broken_promises: Annotated[int, Field(ge=0, le=100)] = 0
    """Least number of months in this spell in which the borrower was reached and fell further behind or stayed."""


class Effect(Spec):
    """Factors on the monthly intensities in the month after, of those served and reached; 1 changes nothing."""

    cure: Factor = 1.0
    """Return to current or to fewer instalments past due: a number, or {forgetful: ..., hardship: ...}."""

    roll: Factor = 1.0
    """One more instalment past due: a number, or by type."""

    charge_off: Factor = 1.0
    """Charge-off: a number, or by type."""


class Rates(Spec):
    """Incidents for each 1,000 contacts, before the conduct standard."""

    complaint: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Formal complaints."""

    claim: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Claims: wrongful repossession, breach of the peace."""

    injury: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Serious injuries."""

    regulatory: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Regulatory events, which suspend field work."""


class Labelled(Spec):
    """What has a name, or its action's."""

    name: Name | None = None
    """Name of the rung, where the action alone does not tell it from another."""

    @property
    def label(self) -> str:
        """Its name, or its action's."""
        return self.name or self.action_name

    @property
    def action_name(self) -> str:
        """Its action."""
        return str(getattr(self, "action", ""))


class Rung(Labelled):
    """What all actions on loans in arrears share."""

    who: Who = Who()
    """Loans in arrears that the action is for."""

    pool: Name | None = None
    """Pool whose hours it takes; left out: nobody waits for it."""

    contacts_per_month: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Contacts of a loan in a month; 1 if neither this nor `contacts_per_week` is written."""

    contacts_per_week: Annotated[float, Field(gt=0, le=100)] | None = None
    """Contacts of a loan in a week, attempts included: what rules bound."""

    hours_per_contact: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Hours of the pool that a contact takes, travel included; needed with `pool`."""

    cost_per_contact: Money = 0.0
    """Cost of a contact beside the pool's hours, currency."""

    reach_percent: Percent = 100.0
    """Borrowers reached in the month, percent of those served; effects act on them alone."""

    priority: Annotated[float, Field(ge=0, le=64)] = 0.0
    """What the pool's priority adds for this action."""

    once: bool = False
    """true: at most once in a spell of arrears."""

    effect: Effect = Effect()
    """What it does to who was reached, relative to no action."""

    incidents: Rates = Rates()
    """Incidents for each 1,000 contacts."""

    source: str = ""
    """Where the figures come from; own judgement is an assumption and says so."""


class Sms(Rung):
    """Message by SMS or app."""

    action: Literal["sms"]
    """Message by SMS or app."""


class Letter(Rung):
    """Letter."""

    action: Literal["letter"]
    """Letter, a lawyer's included."""


class PhoneCall(Rung):
    """Call."""

    action: Literal["phone"]
    """Call."""

    between: tuple[ClockTime, ClockTime] = ("09:00", "18:00")
    """Hours of the day in which calls are made."""


class Visit(Rung):
    """Field visit: reveals the borrower's type, may find the car, may backfire."""

    action: Literal["visit"]
    """Field visit."""

    between: tuple[ClockTime, ClockTime] = ("09:00", "18:00")
    """Hours of the day in which visits are made."""

    staff: Annotated[int, Field(ge=1, le=10)] = 1
    """Visitors who go together; `hours_per_contact` counts the hours of all of them."""

    reveals: bool = True
    """true: who was reached is known by type until the spell of arrears ends."""

    finds_car: Annotated[float, Field(ge=1, le=5)] = 1.0
    """Factor on the chance to find the car later, of who was reached in this spell."""

    backfire_percent: Percent = 0.0
    """Borrowers of those reached on whom `backfire` acts instead of `effect`, percent."""

    backfire: Effect = Effect()
    """What a visit does that backfires."""


class Plan(Rung):
    """Instalment plan: who accepts returns to current on new terms, the arrears added to the end."""

    action: Literal["plan"]
    """Instalment plan, by offer."""

    accepted_percent: Accepted
    """Borrowers who accept within the month, by type, percent of those reached."""


class Extension(Rung):
    """Extensions as the books granted them that the parameters come from."""

    action: Literal["extension"]
    """Extensions as usual: the parameter set's share of cures. Without this action none are granted."""

    granted: Annotated[float, Field(ge=0, le=MOST_FACTOR)] = 1.0
    """Factor on their intensity."""


class Surrender(Rung):
    """Voluntary surrender of the car."""

    action: Literal["surrender"]
    """Offer to take the car back."""

    accepted_percent: Accepted
    """Borrowers who hand the car over within the month, by type, percent of those reached."""


class Interrupt(Rung):
    """The starter is blocked."""

    action: Literal["starter_interrupt"]
    """Block the starter."""

    notice_days: Days = 0
    """Days of notice before."""


class Repossession(Rung):
    """Seizure of the car as the parameter set has it, for loans that a truck serves."""

    action: Literal["repossession"]
    """Seize the car. Without this action no car is seized, nor found after charge-off."""

    seized: Annotated[float, Field(ge=0, le=MOST_FACTOR)] = 1.0
    """Factor on the intensity of seizure; a tracker's own factor is the parameter set's."""

    notice_days: Days = 0
    """Days of notice and right to cure before."""


class Litigation(Rung):
    """Writ, judgment and enforcement."""

    action: Literal["litigation"]
    """File a suit, once in a spell; what is still owed after charge-off is enforced."""

    judgment_months: Annotated[int, Field(ge=1, le=60)]
    """Months from filing to the cash of an enforced judgment."""

    won_percent: Percent
    """Suits that are won."""

    enforced_percent: Percent
    """Share of what the sale of the car left unpaid that is collected on a judgment."""

    cost_percent: Percent
    """Cost at filing, percent of the claim."""


class Outsourcing(Rung):
    """An agency works the loan on commission."""

    action: Literal["outsourcing"]
    """Give the loan to an agency."""

    commission_percent: Percent
    """Commission on what the borrower pays in the month after."""


class DebtSale(Rung):
    """What the car's sale leaves unpaid is sold."""

    action: Literal["debt_sale"]
    """Sell what is unpaid after charge-off, instead of collecting it."""

    price_percent: Percent
    """Price, percent of what is unpaid."""


class WriteOff(Rung):
    """The loan is charged off in the next month."""

    action: Literal["write_off"]
    """Charge off ahead of the parameter set's own rule."""


def _action(value: Any) -> str | None:
    """Tag of a rung by its action; it holds a blank, so that no key of a file is mistaken for one."""
    action = value.get("action") if isinstance(value, dict) else getattr(value, "action", None)
    return f"{action} rung" if action in ACTIONS else None


AnyRung = Annotated[
    Annotated[Sms, Tag("sms rung")]
    | Annotated[Letter, Tag("letter rung")]
    | Annotated[PhoneCall, Tag("phone rung")]
    | Annotated[Visit, Tag("visit rung")]
    | Annotated[Plan, Tag("plan rung")]
    | Annotated[Extension, Tag("extension rung")]
    | Annotated[Surrender, Tag("surrender rung")]
    | Annotated[Interrupt, Tag("starter_interrupt rung")]
    | Annotated[Repossession, Tag("repossession rung")]
    | Annotated[Litigation, Tag("litigation rung")]
    | Annotated[Outsourcing, Tag("outsourcing rung")]
    | Annotated[DebtSale, Tag("debt_sale rung")]
    | Annotated[WriteOff, Tag("write_off rung")],
    Discriminator(
        _action,
        custom_error_type="form",
        custom_error_message=f"`action:` with one of {', '.join(ACTIONS)}",
    ),
]
"""A rung, told by its action."""
