"""One loan on one path through the engine, and the terms of a workout whose amounts are known by pencil and paper."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

from simulator.parameters import Parameters
from small_books import certain, equal_loans, run, values

ID = ("L0000000",)
OWED, RATE = 9_000.0, 0.01
"""Principal, currency; the contract's rate, a month."""

STANDING_LOAN = {
    "current_balance": OWED,
    "rate": 0.12,
    "remaining_term": 100,
    "amortisation": "interest_only",
    "vehicle_value": 8_000.0,
    "value_source": "wholesale",
}
"""A loan whose principal stays, and whose car is worth less than it."""

TERMS = {
    "haircut": 0.15,
    "cost_fixed": 400.0,
    "cost_share": 0.05,
    "storage_per_month": 30.0,
    "deficiency_share": 0.2,
    "lgd_floor": np.nan,
    "found_share": 1.0,
}
LAGS = {"search_lag": 2, "sale_lag": 3, "deficiency_lag": 9}


def life(parameters: Parameters, months: int, paths: int = 1, **changes: Any) -> xr.Dataset:
    """The standing loan with changes, traced."""
    tape = equal_loans(1, **{**STANDING_LOAN, **changes})
    return run(tape, parameters, paths=paths, months=months, seed=12, trace=ID)


def traced(results: xr.Dataset, name: str) -> np.ndarray:
    """A traced variable of the one loan on its first path, by month 0, 1, ..."""
    return np.asarray(values(results, name)[0, 0])


def in_month(results: xr.Dataset, name: str) -> dict[int, float]:
    """What is not 0 in the months of the first path."""
    flow = values(results, name)[0]
    return {int(month) + 1: float(flow[month]) for month in np.flatnonzero(flow)}


def close(expected: float) -> Any:
    """Within the rounding of a few operations."""
    return pytest.approx(expected, rel=1e-9)


def terms(**changes: float) -> dict[str, np.ndarray]:
    """Terms of a workout as arrays of one tier."""
    figures = {**TERMS, **LAGS, **changes}
    return {name: np.array([value], np.int64 if name in LAGS else np.float64) for name, value in figures.items()}


@cache
def car_values(months: int = 60) -> np.ndarray:
    """Wholesale value of the one car by month, while its loan stands still."""
    return traced(life(certain({}), months), "trace_value")
