"""Cars: age, yearly mileage and wholesale value at the as-of date (methodology (6))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.counted import counted
from scenarios.history import used_car_index_at
from simulator.parameters import USAGE_CLASSES, Parameters
from simulator.tape import LoanTape
from simulator.tape.tape import loan_age

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DEFAULT_USED_AGE = 48
"""Months since new of a used car without a model year, at origination. Assumption, confidence L: near the mean of
the used cars of the World Omni 2020 pool (its model years stand mostly three to five years before origination)."""

OLDEST_MONTH = 2560
"""Rows that a segment and usage have in the depreciation table: the oldest car at the as-of date plus the longest
horizon."""

TYPICAL = 1
"""Usage class of a car of typical yearly mileage; 0 is low and 2 high."""

SHORTEST_USE = 12
"""Months since new from which a car's distance tells its yearly mileage: model years are known to half a year."""

HISTORY_CURRENCY = "USD"
"""The one currency whose used-car history is shipped."""


@dataclass(frozen=True, slots=True)
class Cars:
    """Cars of a book.

    Attributes
    ----------
    age : int64[loan]
        Months since new at the as-of date.
    curve : int64[loan]
        Row of the depreciation table: segment x 3 + class of yearly mileage (`usage_class`).
    value_as_new : float64[loan]
        Wholesale value at the as-of date over the depreciation reached then, currency: times the
        depreciation of a later age and the index's growth since, it is the value of then.
    notes : tuple of str
        What was assumed.
    """

    age: Integers
    curve: Integers
    value_as_new: Floats
    notes: tuple[str, ...]


def value_cars(tape: LoanTape, segment: Integers, parameters: Parameters) -> Cars:
    """Roll the values at origination to the as-of date and to wholesale (methodology (6))."""
    age_then, age_notes = _age_at_origination(tape)
    usage = usage_class(tape, age_then, parameters)
    growth, growth_notes = _index_growth(tape)
    sources, code = np.unique(tape["value_source"], return_inverse=True)
    basis = np.array([parameters.wholesale[str(name)] for name in sources])[code]
    reached = parameters.depreciation[segment, usage, np.minimum(age_then, parameters.depreciation.shape[-1] - 1)]
    value = tape["vehicle_value"] * basis * growth / reached
    return Cars(
        age_then + np.maximum(loan_age(tape), 0), segment * USAGE_CLASSES + usage, value, (*age_notes, *growth_notes)
    )


def usage_class(tape: LoanTape, age_then: Integers, parameters: Parameters) -> Integers:
    """Class of yearly mileage by the distance at origination, 0 low, 1 typical, 2 high: int64[loan].

    Typical where the distance or the car's age is unknown, and of cars younger than a year then.

    Parameters
    ----------
    age_then : int64[loan]
        Months since new at origination.
    """
    low, high = parameters.mileage_edges
    told = np.isfinite(tape["mileage"]) & np.isfinite(tape["model_year"]) & (age_then >= SHORTEST_USE)
    a_year = np.where(told, tape["mileage"], 0.0) / np.maximum(age_then, 1) * 12.0
    found = TYPICAL - (a_year < low) + (a_year > high)
    return np.where(told & ~tape["vehicle_new"], found, TYPICAL).astype(np.int64)


def _age_at_origination(tape: LoanTape) -> tuple[Integers, list[str]]:
    """Months since new; a model year stands for a car first registered in the middle of that year."""
    origination = tape["origination_date"].astype("datetime64[M]").astype(np.int64)
    known = np.isfinite(tape["model_year"])
    middle = (np.where(known, tape["model_year"], 1970.0).astype(np.int64) - 1970) * 12 + 6
    used = ~tape["vehicle_new"]
    age = np.where(used, np.where(known, np.maximum(origination - middle, 0), DEFAULT_USED_AGE), 0)
    guessed = int((used & ~known).sum())
    cars = counted(guessed, "used car states", "used cars state")
    notes = [f"{cars} no model year; {DEFAULT_USED_AGE} months old at origination assumed (L)."]
    return age, notes if guessed else []


def _index_growth(tape: LoanTape) -> tuple[Floats, list[str]]:
    """Used-car index at the as-of date over that of each loan's origination."""
    if tape.currency != HISTORY_CURRENCY:
        note = f"No used-car price history for {tape.currency}: values at origination roll by age alone (L)."
        return np.ones(len(tape)), [note]
    months = tape["origination_date"].astype("datetime64[M]").astype(np.int64)
    then = used_car_index_at(1970 + months // 12, months % 12 + 1)
    return used_car_index_at(tape.as_of.year, tape.as_of.month) / then, []
