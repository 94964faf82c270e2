"""Balances and accrued interest in closed form (methodology (1)): nothing is carried but the state."""

from __future__ import annotations

from simulator.kernels.compile import compiled


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
