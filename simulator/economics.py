"""Cost of funding and of servicing a book, by path and month (methodology (22), (23)).

They follow from the book's own stocks, so they are taken outside the kernel. Stocks are those of the whole book: each
tier's terms count with the tier's share at the as-of date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from simulator.parameter_groups import Economics

Floats = NDArray[np.float64]

MONTHS_A_YEAR: Final = 12.0


def tier_mix(tier: NDArray[np.int32], weight: Floats, tiers: int) -> Floats:
    """Share of each tier at the as-of date.

    Parameters
    ----------
    tier : int32[loan]
        Index of each loan's parameter set.
    weight : float64[loan]
        Opening principal, currency (for costs of loans, 1 each).
    tiers : int
        Number of parameter sets.

    Returns
    -------
    float64[tier]
        Fractions, sum 1; equal ones where the weights are all 0.
    """
    total = np.bincount(tier, weights=weight, minlength=tiers)
    return np.asarray(total / total.sum() if total.sum() > 0.0 else np.full(tiers, 1.0 / tiers))


def funding_cost(opening_balance: Floats, prime_rate: Floats, economics: Economics, mix: Floats) -> Floats:
    """Cost of funding the balance of a month's opening: methodology (22), B(t-1) (prime(t) + spread) / 12.

    The balance is funded in full at a rate that moves with the prime rate of the nation; nothing is fixed or hedged.

    Parameters
    ----------
    opening_balance : float64[..., month]
        Principal of live loans at the opening of months 1..T, currency.
    prime_rate : float64[month]
        Prime rate of the month, fraction a year.
    economics : Economics
        Its `funding_spread` is over the prime rate, fraction a year, and may be negative.
    mix : float64[tier]
        Share of each tier in the opening balance, sum 1.

    Returns
    -------
    float64[..., month]
        Currency, a cost positive.
    """
    rate = prime_rate + float(mix @ economics.funding_spread)
    return np.asarray(opening_balance * rate / MONTHS_A_YEAR)


def servicing_cost(live_count: Floats, delinquent_count: Floats, economics: Economics, mix: Floats) -> Floats:
    """Cost of servicing: methodology (23), c live(t-1) + d delinquent(t-1).

    Parameters
    ----------
    live_count, delinquent_count : float64[..., month]
        Live loans, and those in arrears, at the opening of months 1..T.
    economics : Economics
        Currency a month: `servicing_cost` of a live loan, `delinquent_servicing_cost` on top for one in arrears.
    mix : float64[tier]
        Share of each tier in the opening loans, sum 1.

    Returns
    -------
    float64[..., month]
        Currency, a cost positive.
    """
    each, more = float(mix @ economics.servicing_cost), float(mix @ economics.delinquent_servicing_cost)
    return np.asarray(each * live_count + more * delinquent_count)
