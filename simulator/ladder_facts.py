"""What a strategy's words come to on a book: hours, contacts, and which of its rungs are for nobody."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from scenarios.care import AnyCare, CareRung
from scenarios.rungs import AnyRung
from scenarios.strategy import CollectionStrategy
from simulator.ladder_mean import buckets_of
from simulator.tape import LoanTape

WEEKS_A_MONTH = 52.0 / 12.0
LOANS_BASE = 1000.0
"""Opening loans to which `hours_per_1000_loans` refers, and contacts to which rates of incidents do."""
ARREARS_BASE = 100.0
"""Loans past due at the as-of date to which `hours_per_100_in_arrears` refers."""


def idle_rungs(strategy: CollectionStrategy, edges: Iterable[int]) -> tuple[str, ...]:
    """Rungs that never act on a book with these buckets: none begins within their days."""
    first = tuple(edges)
    return tuple(rung.label for rung in strategy.ladder if not buckets_of(rung, first))


def unmet_rungs(strategy: CollectionStrategy, tape: LoanTape) -> tuple[str, ...]:
    """Rungs whose devices and regions no loan has."""
    return tuple(rung.label for _, _, rung in strategy.rungs() if not meets(rung, tape).any())


def meets(rung: AnyRung | AnyCare, tape: LoanTape) -> NDArray[np.bool_]:
    """Loans that have the devices and are in the regions that a rung is for."""
    met = np.ones(len(tape), bool)
    for name in ("tracker", "starter_interrupt"):
        if (wanted := getattr(rung.who, name)) is not None:
            met &= tape[name].astype(bool) == wanted
    if rung.who.regions is not None:
        names, code = tape.codes("region")
        met &= np.isin(names, rung.who.regions)[code]
    return met


def contacts_of(rung: AnyRung | AnyCare) -> float:
    """Contacts of a loan in a month."""
    if isinstance(rung, CareRung):
        return rung.contacts_per_month
    if rung.contacts_per_week is not None:
        return rung.contacts_per_week * WEEKS_A_MONTH
    return 1.0 if rung.contacts_per_month is None else rung.contacts_per_month


def pool_hours(strategy: CollectionStrategy, name: str, tape: LoanTape) -> float:
    """Hours a month that a pool has at the start; infinite where it is unlimited."""
    pool = strategy.pools[name]
    if pool.hours_per_month is not None:
        return pool.hours_per_month
    if pool.hours_per_1000_loans is not None:
        return pool.hours_per_1000_loans * len(tape) / LOANS_BASE
    if pool.hours_per_100_in_arrears is not None:
        return pool.hours_per_100_in_arrears * loans_past_due(tape) / ARREARS_BASE
    return np.inf


def loans_past_due(tape: LoanTape) -> int:
    """Loans past due at the as-of date."""
    return int(np.count_nonzero(tape["days_past_due"] > 0))
