"""What a borrower does in a month: competing intensities, exactly (methodology (2), (3))."""

from __future__ import annotations

import math

from scenarios.vocabulary import (
    CHARGE_OFF,
    CHARGED_OFF,
    CURE,
    EVENT_SLOT,
    PREPAID,
    PREPAY,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_PREPAY,
    ROLL,
)
from simulator.kernels.compile import compiled
from simulator.kernels.random import SLOTS_PER_MONTH, WORDS, block_at, unit


@compiled()
def leave_current(u, worse, payoff, direct_share):  # type: ignore[no-untyped-def]
    """State after a month that opened without arrears.

    One uniform decides: the lowest part of the unit interval is entry into arrears (its own lowest
    part a direct charge-off), the highest is payoff, and in between nothing happens.  The parts'
    lengths are those of (2), so the scheme is exact; and a larger intensity moves the same loans.

    Parameters
    ----------
    u : float
        The month's dense draw, in (0, 1).
    worse, payoff : float
        Intensities a month of entry (direct charge-off included) and of payoff.
    direct_share : float
        Share of `worse` that is direct charge-off.
    """
    total = worse + payoff
    if total <= 0.0:
        return 0
    any_event = -math.expm1(-total)
    p_worse = worse / total * any_event
    if u < p_worse:
        return CHARGED_OFF if u < p_worse * direct_share else 1
    return PREPAID if u > 1.0 - payoff / total * any_event else 0


@compiled()
def waiting_time(u, rate):  # type: ignore[no-untyped-def]
    """E / rate with E = -ln(u), in months; 1 (too late) where it surely exceeds a month.

    -ln(u) >= 1 - u, so the logarithm is only taken where the month may be met.
    """
    return -math.log(u) / rate if 1.0 - u < rate else 1.0


@compiled()
def leave_arrears(bucket, address, intensity, multiplier):  # type: ignore[no-untyped-def]
    """State after a month that opened in arrears: the least of E_k / lambda_k if below 1, else stay.

    Each cause k has its own keyed exponential E_k = -ln(u_k), so another cause leaves the draws of
    the others alone.

    Parameters
    ----------
    address : (entity, path, month, seed)
    intensity : float64[K+3]
        Intensities from this bucket to buckets 0..K, charge-off and payoff.
    multiplier : float64[class]
        Macro multipliers by class of cause.
    """
    entity, path, month, seed = address
    slot = EVENT_SLOT + month * SLOTS_PER_MONTH
    first, state = 1.0, bucket
    worst = intensity.size - 3
    words = block_at(entity, path, slot + PURPOSE_BUCKET // WORDS, seed)
    for target in range(worst + 1):
        if target == WORDS:
            words = block_at(entity, path, slot + (PURPOSE_BUCKET + target) // WORDS, seed)
        rate = intensity[target] * (multiplier[CURE] if target < bucket else multiplier[ROLL])
        time = waiting_time(unit(words[target % WORDS]), rate)
        if time < first and target != bucket:
            first, state = time, target
    words = block_at(entity, path, slot + PURPOSE_CHARGE_OFF // WORDS, seed)
    time = waiting_time(unit(words[PURPOSE_CHARGE_OFF % WORDS]), intensity[worst + 1] * multiplier[CHARGE_OFF])
    if time < first:
        first, state = time, CHARGED_OFF
    time = waiting_time(unit(words[PURPOSE_PREPAY % WORDS]), intensity[worst + 2] * multiplier[PREPAY])
    return PREPAID if time < first else state
