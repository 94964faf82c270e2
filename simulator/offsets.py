"""Regional offsets of a scenario against the regions of a tape: whom they reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenarios.counted import counted
from scenarios.errors import Fault, InputError
from scenarios.explain import nearest
from scenarios.macro import MonthlyMacro
from scenarios.schema import MacroScenario
from simulator.tape import LoanTape

SHOWN_REGIONS = 10
"""Regions that a sentence names before it counts the rest."""


def with_reach(macro: MonthlyMacro, scenario: MacroScenario, tape: LoanTape) -> MonthlyMacro:
    """A scenario's paths with a sentence on the share of the book that its regional offsets reach.

    Raises
    ------
    InputError
        The scenario names regions, and the tape has none of them.
    """
    named = [str(region) for region in macro.regional_offset["region"].to_numpy()]
    if not named:
        return macro
    held = np.unique(tape["region"]).tolist()
    if not set(named) & set(held):
        raise InputError(_unknown_regions(scenario, held))
    balance = tape["current_balance"]
    share = float(balance[np.isin(tape["region"], named)].sum() / balance.sum())
    absent = [region for region in named if region not in held]
    missing = f"; the tape has no loan in {_listed(absent)}, whose offsets act on nothing" if absent else ""
    sentence = f"Its regional offsets reach {100.0 * share:.1f} % of the opening balance{missing}."
    return replace(macro, assumptions=(*macro.assumptions, sentence))


def _unknown_regions(scenario: MacroScenario, held: list[str]) -> list[Fault]:
    """A fault for each region named, with the nearest name that the tape has."""
    expected = f"one of the tape's {counted(len(held), 'region')}: {_listed(held)}"
    faults = []
    for variable, offsets in scenario.regional_offsets.items():
        for region in offsets:
            where = scenario.where("regional_offsets", variable, region)
            found = f"region {region}, and the tape has none of the regions that scenario {scenario.name} names"
            remedy = nearest(region, held) or "Use the names that the tape uses, or take the offsets out."
            faults.append(Fault(where, found, expected, remedy))
    return faults


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN_REGIONS
    return ", ".join(names[:SHOWN_REGIONS]) + (f" and {counted(more, 'other')}" if more > 0 else "")
