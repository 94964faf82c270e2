"""The car: its own condition, its seizure and what its sale brings (methodology (6), (8a), (8b))."""

from __future__ import annotations

import math

from scenarios.vocabulary import PURPOSE_CONDITION, PURPOSE_SOLD
from simulator.kernels.compile import compiled
from simulator.kernels.random import event_uniform, normal_quantile


@compiled(inline=True, inner=True)
def car_value(loan, row, month, loans, workouts):  # type: ignore[no-untyped-def]
    """Wholesale value of a loan's car without its own condition (6); `row` is the path's in this block of paths."""
    new = loans.fact[loan].value_as_new * workouts.depreciation[loans.fact[loan].car + month]
    return new * workouts.index_level[row, month, loans.fact[loan].segment]


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
