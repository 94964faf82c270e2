"""What a ladder must be to serve as the strategy that a parameter set was observed under, methodology (P5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scenarios.checks import Problem
from scenarios.ladder import label_of, number, rungs_of, who_of

MULTIPLIERS: Final = ("sms", "letter", "phone", "visit", "extension", "repossession")
"""Actions that multiply intensities and do nothing else; what others do is in the parameter set's own figures."""


def reference_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Rungs whose mean effect on a bucket is not known from the ladder alone.

    Parameters
    ----------
    data : mapping
        Plain data of a sound strategy.
    """
    for place, rung in rungs_of(data):
        label = label_of(rung)
        if rung.get("action") not in MULTIPLIERS:
            found = f"rung {label} of a reference strategy, which does more than multiply intensities"
            yield Problem(("ladder", place, "action"), found, f"one of {', '.join(MULTIPLIERS)}")
        for key, value in who_of(rung).items():
            if key not in ("from_days", "to_days") and value not in (None, [], (), 0):
                found = f"rung {label} of a reference strategy tells loans apart by {key}"
                yield Problem(("ladder", place, "who", key), found, "from_days and to_days alone")
        if rung.get("once") is True:
            found = f"rung {label} of a reference strategy is carried out once in a spell"
            yield Problem(("ladder", place, "once"), found, "a rung of every month")
        if (number(rung.get("finds_car")) or 1.0) != 1.0:
            found = f"rung {label} of a reference strategy changes the chance to find the car for the rest of the spell"
            yield Problem(("ladder", place, "finds_car"), found, "1")
