"""Rules of contact as data: how often and when borrowers may be called and visited, and which notice they get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from scenarios.checks import Problem
from scenarios.file_spec import FileSpec
from scenarios.ladder_units import clock_problems
from scenarios.rungs import ClockTime, Days
from scenarios.shelf import Shelf
from scenarios.spec import Name, Spec

RULES: Final = Shelf("rule set", "scenarios", "library/rules")

Count = Annotated[int, Field(ge=1, le=1000)]


class Rule(Spec):
    """Where a figure of the rules comes from."""

    source: Annotated[str, Field(min_length=15)]
    """Statute, standard or guideline, as a citation; own judgement is an assumption and says so."""

    confidence: Literal["H", "M", "L"]
    """H: the text itself was read; M: another's account of it; L: from memory, or judgement."""

    note: str = ""
    """What is uncertain, and whom it binds."""


class CountRule(Rule):
    """A number that bounds another."""

    value: Count
    """The number."""


class DaysRule(Rule):
    """The fewest days of a notice."""

    value: Days
    """Days."""


class HoursRule(Rule):
    """Hours of the day, in the borrower's time, in which contact is allowed."""

    value: tuple[ClockTime, ClockTime]
    """From and to, as ["08:00", "21:00"]."""


class CallRules(Spec):
    """What bounds calls to one borrower about one loan; what is left out is unregulated."""

    per_7_days: CountRule | None = None
    """Most calls in seven days in a row, attempts included."""

    per_day: CountRule | None = None
    """Most calls in a day."""

    between: HoursRule | None = None
    """Hours of the day for calls."""


class VisitRules(Spec):
    """What bounds visits; what is left out is unregulated."""

    staff: CountRule | None = None
    """Least number of visitors who go together."""

    between: HoursRule | None = None
    """Hours of the day for visits."""


class NoticeRules(Spec):
    """Notices before an action; what is left out is unregulated."""

    notice_days: DaysRule | None = None
    """Least days of notice and right to cure before it."""


class ContactRules(FileSpec):
    """What the law and the trade's standards ask of collections in one country."""

    shelf: ClassVar[Shelf | None] = RULES

    kind: Literal["contact_rules"] = "contact_rules"
    """What this file is."""

    name: Name
    """Its name: letters, digits, `_`, `.` and `-`."""

    title: str
    """One line for tables."""

    description: str = ""
    """Whom the rules bind, what is uncertain, and what of them is not checked."""

    calls: CallRules = CallRules()
    """Calls."""

    visits: VisitRules = VisitRules()
    """Visits."""

    repossession: NoticeRules = NoticeRules()
    """Seizure of the car."""

    starter_interrupt: NoticeRules = NoticeRules()
    """Blocking of the starter."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        """Hours that end before they begin."""
        for group in ("calls", "visits"):
            rules = data.get(group)
            hours = rules.get("between") if isinstance(rules, Mapping) else None
            if isinstance(hours, Mapping):
                yield from clock_problems(hours.get("value"), (group, "between", "value"), f"{group}.between")
