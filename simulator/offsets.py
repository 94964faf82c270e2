"""Offsets of a scenario against the regions and employment sectors of a tape: whom they reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.macro import MonthlyMacro
from scenarios.schema import MacroScenario
from simulator.tape import LoanTape

SHOWN = 10
"""Regions or sectors that a sentence names before it counts the rest."""

FIELDS = {"region": "regional_offsets", "sector": "sector_offsets"}
"""Field of the scenario by the column of the tape that it speaks of."""

ADJECTIVES = {"region": "regional", "sector": "sectoral"}


def with_reach(macro: MonthlyMacro, scenario: MacroScenario, tape: LoanTape) -> MonthlyMacro:
    """A scenario's paths with a sentence on the share of the book that its offsets reach, for each kind of them.

    Raises
    ------
    InputError
        The scenario names regions, or sectors, and the tape has none of them.
    """
    named = {
        "region": [str(name) for name in macro.regional_offset["region"].to_numpy()],
        "sector": [str(name) for name in macro.sector_offset["sector"].to_numpy()],
    }
    faults: list[Fault] = []
    sentences: list[str] = []
    for column, names in named.items():
        held = tape.codes(column)[0].tolist()
        if names and not set(names) & set(held):
            faults += _unknown(scenario, column, held)
        elif names:
            sentences.append(_reach(tape, column, names, held))
    if faults:
        raise InputError(faults)
    return replace(macro, assumptions=(*macro.assumptions, *sentences)) if sentences else macro


def _reach(tape: LoanTape, column: str, named: list[str], held: list[str]) -> str:
    balance = tape["current_balance"]
    share = float(balance[np.isin(tape[column], named)].sum() / balance.sum())
    absent = [name for name in named if name not in held]
    missing = f"; the tape has no loan in {_listed(absent)}, whose offsets act on nothing" if absent else ""
    return f"Its {ADJECTIVES[column]} offsets reach {100.0 * share:.1f} % of the opening balance{missing}."


def _unknown(scenario: MacroScenario, column: str, held: list[str]) -> list[Fault]:
    """A fault for each region or sector named, with the nearest name that the tape has."""
    expected = f"one of the tape's {counted(len(held), column)}: {_listed(held)}"
    by_variable: Mapping[str, Mapping[str, float]] = getattr(scenario, FIELDS[column])
    faults = []
    for variable, offsets in by_variable.items():
        for name in offsets:
            where = scenario.where(FIELDS[column], variable, name)
            found = f"{column} {name}, and the tape has none of the {column}s that scenario {scenario.name} names"
            remedy = nearest(name, held) or "Use the names that the tape uses, or take the offsets out."
            faults.append(Fault(where, found, expected, remedy))
    return faults


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {counted(more, 'other')}" if more > 0 else "")
