"""Balances and accrued interest in closed form (methodology (1)): nothing is carried but the state."""

from __future__ import annotations

import numpy as np

from simulator.kernels.compile import compiled

MANY_QUANTA = 1.5 * 2.0**52
"""Added to less than 2^51 quanta, it leaves their whole number in the last bits of the sum."""
MANY_QUANTA_BITS = int(np.float64(MANY_QUANTA).view(np.int64))


@compiled()
def principal_behind(track, bucket, shrink, step):  # type: ignore[no-untyped-def]
    """Principal of a loan `bucket` instalments behind the fully paid track at the same date."""
    principal = track
    for _ in range(bucket):
        principal = (principal + step) / shrink
    return principal


@compiled()
def accrued_interest(principal, bucket, growth, nonaccrual_months):  # type: ignore[no-untyped-def]
    """Accrued unpaid simple interest of a loan `bucket` instalments past due, currency."""
    return principal * (growth - 1.0) * min(bucket, nonaccrual_months)


@compiled(inline=True)
def quanta(amount, scale):  # type: ignore[no-untyped-def]
    """The nearest whole number of quanta in an amount (D3), less than 2^51 of them.

    The conversion that processors have takes one number at a time where they lack AVX-512.
    """
    return np.float64(amount * scale + MANY_QUANTA).view(np.int64) - np.int64(MANY_QUANTA_BITS)
