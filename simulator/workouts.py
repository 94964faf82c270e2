"""Terms of workouts become the kernels' arrays (methodology (6), (8b))."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import MAX_BUCKET
from simulator.collateral import OLDEST_MONTH
from simulator.kernels.bundles import TERMS, Loans, Records, Workouts, records
from simulator.parameters import USAGE_CLASSES, Parameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MONTHS_A_YEAR = 12


def build_workouts(loans: Loans, parameters: Parameters, first_month: int, last_month: int, scale: float) -> Workouts:
    """Workouts of a book; `index_level` is empty and filled for each block of paths.

    Parameters
    ----------
    loans : Loans
        The book.
    parameters : Parameters
        Its `workout` group and the depreciation of cars.
    first_month : int
        Calendar month of month 0, 1 to 12.
    last_month : int
        Month of the last cash of a sale.
    scale : float
        Quanta in one unit of currency.
    """
    terms = parameters.workout
    calendar = (first_month - 1 + np.arange(last_month + 1)) % MONTHS_A_YEAR
    return Workouts(
        index_level=np.empty((0, 0, 0)),
        depreciation=car_depreciation(loans, parameters, last_month + 1),
        car_segment=car_segment(loans),
        stock=car_stock(loans, scale),
        season=np.ascontiguousarray(terms.season[calendar]),
        seizure=np.ascontiguousarray(terms.seizure),
        terms=_terms(parameters),
        retail=1.0 / parameters.wholesale["retail"],
        find_bound=float(loans.fact.find.max()),
    )


def _terms(parameters: Parameters) -> Records:
    """``TERMS[tier]``."""
    terms, borrower = parameters.workout, parameters.borrower
    return records(
        TERMS,
        found_share=terms.found_share,
        haircut=1.0 - terms.haircut,
        cost=terms.cost_fixed,
        cost_share=terms.cost_share,
        storage=terms.storage_per_month,
        condition_sd=terms.vehicle_sd,
        lgd_floor=np.where(np.isnan(terms.lgd_floor), -np.inf, terms.lgd_floor),
        deficiency_share=terms.deficiency_share,
        insured_share=terms.insured_share,
        deductible=terms.insurance_deductible,
        late_fee=borrower.late_fee,
        renewal_fee=borrower.renewal_fee,
        sale_lag=terms.sale_lag,
        search_lag=terms.search_lag,
        deficiency_lag=terms.deficiency_lag,
    )


def car_depreciation(loans: Loans, parameters: Parameters, months: int) -> Floats:
    """``float64[month from the as-of date, car]`` value relative to new; behind a curve's end its last value."""
    curves = parameters.depreciation.reshape(-1, parameters.depreciation.shape[-1])
    curve, age = np.divmod(loans.car, OLDEST_MONTH)
    ages = np.minimum(age + np.arange(months)[:, None], curves.shape[1] - 1)
    return np.ascontiguousarray(curves[curve, ages])


def car_segment(loans: Loans) -> Integers:
    """``int64[car]`` segments."""
    return loans.car // (USAGE_CLASSES * OLDEST_MONTH)


def car_stock(loans: Loans, scale: float) -> Integers:
    """``int64[car]`` values as new of all cars of the book, in quanta."""
    stock = np.zeros(loans.car.size, np.int64)
    np.add.at(stock, loans.fact.car, (loans.fact.value_as_new * scale).astype(np.int64))
    return stock


BOOK_BITS = 58
"""Bits of the sum of a book in quanta: five less than an int64 holds, for what principal and cars may grow by."""

LOAN_BITS = 45
"""Bits of a loan in quanta: six less than `amounts.quanta` takes, for interest, fees and what extensions add."""


def quanta_scale(loans: Loans) -> float:
    """Quanta in one unit of currency (D3).

    It is the largest power of 2 with which principal, or value, of all loans has at most BOOK_BITS, and the principal
    of the largest loan LOAN_BITS.
    """
    principal = np.abs(loans.contract.track)
    book = max(float(np.sum(principal)), float(np.sum(loans.fact.value_as_new)), 1.0)
    behind = MAX_BUCKET * np.abs(loans.contract.step)  # at the most: the track is what is owed without arrears
    loan = max(float(np.max(principal + behind)), 1.0)
    return float(2.0 ** np.floor(min(BOOK_BITS - np.log2(book), LOAN_BITS - np.log2(loan))))
