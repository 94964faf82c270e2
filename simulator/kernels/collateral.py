"""The car: its own condition, its seizure and what its sale brings (methodology (6), (8a), (8b))."""

from __future__ import annotations

import math

import numpy as np

from scenarios.vocabulary import PURPOSE_CONDITION, PURPOSE_SOLD
from simulator.kernels.compile import compiled
from simulator.kernels.random import event_uniform, normal_quantile


@compiled(inline=True, inner=True)
def car_value(loan, worker, month, loans, work):  # type: ignore[no-untyped-def]
    """Wholesale value of a loan's car without its own condition (6)."""
    return loans.fact[loan].value_as_new * work.price[worker, month, np.uint64(loans.fact[loan].car)]


@compiled()
def fill_prices(depreciation, index, segment, price):  # type: ignore[no-untyped-def]
    """Prices of a path's cars over their values as new (6): ``float64[X+1, car]``, `index` float64[X+1, segment]."""
    for month in range(price.shape[0]):
        for car in range(price.shape[1]):
            price[month, car] = depreciation[month, car] * index[month, segment[car]]


@compiled()
def fold_collateral(stock, gone, price, quantum, value):  # type: ignore[no-untyped-def]
    """Value of live loans' cars at the closes of months 0..T: ``float64[T+1]`` is filled.

    Parameters
    ----------
    stock : int64[car]
        Values as new of all cars, quanta.
    gone : int64[T+2, car]
        Of those whose loans end in a month; their sum up to each month is written over it.
    price : float64[X+1, car]
        Prices over values as new.
    """
    for car in range(stock.size):
        gone[0, car] = stock[car] - gone[0, car]
    for month in range(1, value.size):
        for car in range(stock.size):
            gone[month, car] = gone[month - 1, car] - gone[month, car]
    for month in range(value.size):
        total = 0.0
        for car in range(stock.size):
            total += gone[month, car] * price[month, car]
        value[month] = total * quantum


@compiled()
def car_condition(entity, path, seed, sd):  # type: ignore[no-untyped-def]
    """exp(omega), the car's own condition, drawn once a path; mean 1."""
    z = normal_quantile(event_uniform(entity, path, 0, PURPOSE_CONDITION, seed))
    return math.exp(sd * z - 0.5 * sd * sd)


@compiled()
def car_is_seized(u, intensity):  # type: ignore[no-untyped-def]
    """Whether a car is seized at a month's close; the intensity bounds the probability 1 - exp(-intensity)."""
    return u < intensity and u < -math.expm1(-intensity)


@compiled()
def car_is_found(entity, path, month, seed, share):  # type: ignore[no-untyped-def]
    """Whether the car of a loan charged off in `month` is found later."""
    return event_uniform(entity, path, month, PURPOSE_SOLD, seed) < share


@compiled()
def kept_proceeds(price, cost, claim, lgd_floor):  # type: ignore[no-untyped-def]
    """Proceeds that the lender keeps.

    Where the parameter set floors the loss, what exceeds the claim after costs belongs to the borrower.
    """
    return min(price, claim * (1.0 - lgd_floor) + cost)
