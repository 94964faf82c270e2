"""The car and its sale (methodology (6), (8))."""

from __future__ import annotations

import math

from scenarios.vocabulary import PURPOSE_CONDITION, PURPOSE_SOLD
from simulator.kernels.compile import compiled
from simulator.kernels.random import event_uniform, normal_quantile


@compiled()
def car_condition(entity, path, seed, sd):  # type: ignore[no-untyped-def]
    """exp(omega), the car's own condition, drawn once a path; mean 1."""
    z = normal_quantile(event_uniform(entity, path, 0, PURPOSE_CONDITION, seed))
    return math.exp(sd * z - 0.5 * sd * sd)


@compiled()
def car_is_sold(entity, path, month, seed, sold_share):  # type: ignore[no-untyped-def]
    """Whether the car of a loan charged off in `month` is found and sold."""
    return event_uniform(entity, path, month, PURPOSE_SOLD, seed) < sold_share


@compiled()
def sale_recovery(price, cost, cost_share, claim, lgd_floor):  # type: ignore[no-untyped-def]
    """Recovery net of costs; may be negative where costs exceed the price.

    Where the parameter set floors LGD, what exceeds the claim belongs to the borrower.
    """
    return min(price * (1.0 - cost_share) - cost, claim * (1.0 - lgd_floor))
