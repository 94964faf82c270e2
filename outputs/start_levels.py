"""Where a run begins far from the levels of the economy at which its parameters were observed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from scenarios.shelf import is_path
from scenarios.vocabulary import MACRO_VARIABLES
from simulator.collateral import HISTORY_CURRENCY

if TYPE_CHECKING:
    from simulator.study import StudyInputs

FAR_PRIME_RATE: Final = 2.0
"""Percentage points of the prime rate. Assumption, L: loans keep the rate at which they were made and funding follows
the prime rate, so two points a year of what is funded are of the size of a lender's whole margin after losses."""

FAR_UNEMPLOYMENT: Final = 2.0
"""Percentage points of unemployment. Assumption, L: about what an ordinary recession adds, so a run that begins
farther away begins with a stress, or with the relief of one, that no scenario states."""

FAR: Final = {"prime_rate": FAR_PRIME_RATE, "unemployment": FAR_UNEMPLOYMENT}

CONSEQUENCES: Final = {
    "prime_rate": "Funding follows the prime rate and loans' rates do not: the result may change its sign by that gap.",
    "unemployment": "Arrears answer to that gap in unemployment from the first month on, in every scenario named.",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """One variable of one parameter set that scenarios leave behind in month 0.

    Attributes
    ----------
    variable : str
    observed : float
        Level at which the set was observed, percent.
    start : float
        Level of month 0, percent.
    sets, scenarios : tuple of str
    """

    variable: str
    observed: float
    start: float
    sets: tuple[str, ...]
    scenarios: tuple[str, ...]


def far_starts(inputs: StudyInputs) -> tuple[str, ...]:
    """One sentence or two on the levels of month 0 that are far from those of `macro_reference`; or none."""
    found = list(_gaps(inputs))
    if not found:
        return ()
    cases = [
        f"the {gap.variable.replace('_', ' ')} is {gap.start:.1f} % in month 0 of {', '.join(gap.scenarios)} and was "
        f"{gap.observed:.1f} % where {', '.join(gap.sets)} {'was' if len(gap.sets) == 1 else 'were'} observed"
        for gap in found
    ]
    moved = {gap.variable for gap in found}
    sentences = [CONSEQUENCES[name] for name in FAR if name in moved]
    words = f"The run begins far from the levels at which its parameters were observed: {'; '.join(cases)}."
    return (" ".join([words, *sentences, *([_foreign(inputs)] if foreign_only(inputs) else [])]),)


def foreign_starts(inputs: StudyInputs) -> tuple[str, ...]:
    """The same where no scenario is of the book's country: a warning for the terminal too."""
    return far_starts(inputs) if foreign_only(inputs) else ()


def foreign_only(inputs: StudyInputs) -> bool:
    """Whether all scenarios are shipped ones, which are of the United States, and the book is not in dollars."""
    return inputs.tape.currency != HISTORY_CURRENCY and not any(map(is_path, inputs.study.scenarios))


def _foreign(inputs: StudyInputs) -> str:
    return (
        f"No scenario of the book's country was chosen: those shipped are of the United States, the book is in "
        f"{inputs.tape.currency}. Write one that begins at that country's own levels."
    )


def _gaps(inputs: StudyInputs) -> Iterator[Gap]:
    """Sets and scenarios of the same two levels share a gap. The prime rate acts on funding whatever the set says."""
    parameters, paths = inputs.parameters(), inputs.macro_paths()
    for variable, far in FAR.items():
        item = MACRO_VARIABLES.index(variable)
        acts = [variable == "prime_rate" or bool(np.any(table[:, item] != 0.0)) for table in parameters.sensitivity]
        cases: dict[tuple[float, float], tuple[list[str], list[str]]] = {}
        for tier, item_set in enumerate(inputs.sets):
            observed = 100.0 * float(parameters.reference[tier, item])
            for path in paths:
                start = 100.0 * float(path.macro.sel(macro_variable=variable, month=0))
                if acts[tier] and abs(start - observed) > far:
                    sets, scenarios = cases.setdefault((round(observed, 6), round(start, 6)), ([], []))
                    sets.append(item_set.name)
                    scenarios.append(path.name)
        for (observed, start), (sets, scenarios) in cases.items():
            yield Gap(variable, observed, start, tuple(dict.fromkeys(sets)), tuple(dict.fromkeys(scenarios)))
