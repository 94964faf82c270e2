"""Cars: their wholesale value at the as-of date, and the terms of their sale (methodology (6), (8))."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.counted import counted
from scenarios.history import used_car_index_at
from simulator.kernels.bundles import Collateral
from simulator.parameters import Parameters
from simulator.tape import LoanTape
from simulator.tape.tape import loan_age

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DEFAULT_USED_AGE = 48
"""Months since new of a used car without a model year, at origination. Assumption, confidence L: near the mean of
the used cars of the World Omni 2020 pool (its model years stand mostly three to five years before origination)."""

OLDEST_MONTH = 2560
"""Rows a segment has in the depreciation table: the oldest car at the as-of date plus the longest horizon."""

HISTORY_CURRENCY = "USD"
"""The one currency whose used-car history is shipped."""


@dataclass(frozen=True, slots=True)
class Cars:
    """Cars of a book.

    Attributes
    ----------
    age : int64[loan]
        Months since new at the as-of date.
    value_as_new : float64[loan]
        Wholesale value at the as-of date over the depreciation reached then, currency: times the
        depreciation of a later age and the index's growth since, it is the value of then.
    notes : tuple of str
        What was assumed.
    """

    age: Integers
    value_as_new: Floats
    notes: tuple[str, ...]


def value_cars(tape: LoanTape, segment: Integers, parameters: Parameters) -> Cars:
    """Roll the values at origination to the as-of date and to wholesale (methodology (6))."""
    age_then, age_notes = _age_at_origination(tape)
    growth, growth_notes = _index_growth(tape)
    sources, code = np.unique(tape["value_source"], return_inverse=True)
    basis = np.array([parameters.wholesale[str(name)] for name in sources])[code]
    reached = parameters.depreciation[segment, np.minimum(age_then, parameters.depreciation.shape[1] - 1)]
    value = tape["vehicle_value"] * basis * growth / reached
    return Cars(age_then + np.maximum(loan_age(tape), 0), value, (*age_notes, *growth_notes))


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


def build_collateral(index: Floats, parameters: Parameters) -> Collateral:
    """Collateral bundle of a block of paths.

    Parameters
    ----------
    index : float64[path, month 0..X, segment]
        Used-car index, 1 at month 0.
    """
    floor = parameters.lgd_floor
    return Collateral(
        index_level=np.ascontiguousarray(index),
        depreciation=_long_depreciation(parameters.depreciation),
        sold_share=parameters.sold_share,
        haircut=1.0 - parameters.haircut,
        cost=parameters.sale_cost,
        cost_share=parameters.sale_cost_share,
        condition_sd=parameters.vehicle_sd,
        lgd_floor=np.where(np.isnan(floor), -np.inf, floor),
        lag=parameters.sale_lag.astype(np.int32),
    )


def _long_depreciation(depreciation: Floats) -> Floats:
    """``float64[segment x OLDEST_MONTH]``: the curve, then its last value for older cars."""
    ages = np.minimum(np.arange(OLDEST_MONTH), depreciation.shape[1] - 1)
    return np.ascontiguousarray(depreciation[:, ages].reshape(-1))
