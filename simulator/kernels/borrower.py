"""What a borrower does in a month: competing intensities, exactly (methodology (2), (3))."""

from __future__ import annotations

import math

from scenarios.vocabulary import (
    CHARGE_OFF,
    CHARGED_OFF,
    CURE,
    EVENT_SLOT,
    FORGETFUL,
    HARDSHIP,
    PREPAID,
    PREPAY,
    PURPOSE_BUCKET,
    PURPOSE_CHARGE_OFF,
    PURPOSE_MODIFY,
    PURPOSE_PREPAY,
    PURPOSE_TOTAL_LOSS,
    ROLL,
    STRATEGIC,
    TOTAL_LOSS,
)
from simulator.kernels.compile import compiled
from simulator.kernels.random import SLOTS_PER_MONTH, WORDS, block_at, unit


@compiled()
def leave_current(u, worse, payoff, direct_share, total_loss):  # type: ignore[no-untyped-def]
    """State after a month that opened without arrears.

    One uniform decides: the lowest part of the unit interval is entry into arrears (its own lowest
    part a direct charge-off), the highest is payoff (its own lowest part total loss of the car), and in
    between nothing happens.  The parts' lengths are those of (2), so the scheme is exact; and a larger
    intensity moves the same loans.

    Parameters
    ----------
    u : float
        The month's dense draw, in (0, 1).
    worse, payoff : float
        Intensities a month of entry (direct charge-off included) and of payoff (total loss included).
    direct_share : float
        Share of `worse` that is direct charge-off.
    total_loss : float
        Intensity of total loss.
    """
    total = worse + payoff
    if total <= 0.0:
        return 0
    any_event = -math.expm1(-total)
    p_worse = worse / total * any_event
    if u < p_worse:
        return CHARGED_OFF if u < p_worse * direct_share else 1
    p_payoff = payoff / total * any_event
    if u > 1.0 - p_payoff:
        return TOTAL_LOSS if u <= 1.0 - p_payoff * (1.0 - min(total_loss / payoff, 1.0)) else PREPAID
    return 0


@compiled()
def equity_effect(principal, value, equity):  # type: ignore[no-untyped-def]
    """Effect of negative equity on entry (4), before its mean is taken out; `equity` float64[4] of a tier."""
    threshold, slope, cap = equity[0], equity[1], equity[2]
    if slope <= 0.0 or principal <= threshold * value:
        return 1.0
    return min(1.0 + slope * (principal / value - threshold), cap)


@compiled()
def entry_type(u, strategic_part, odds, share):  # type: ignore[no-untyped-def]
    """Type of a borrower who falls behind (3g).

    `strategic_part` of entries come from negative equity alone; the rest are mixed as `share`, hardship
    weighted by its odds.  ``share`` is float64[type].
    """
    if u < strategic_part:
        return STRATEGIC
    rest = (u - strategic_part) / (1.0 - strategic_part)
    hardship, strategic = share[HARDSHIP] * odds, share[STRATEGIC]
    total = share[FORGETFUL] + hardship + strategic
    if rest * total < hardship:
        return HARDSHIP
    return STRATEGIC if rest * total < hardship + strategic else FORGETFUL


@compiled()
def waiting_time(u, rate):  # type: ignore[no-untyped-def]
    """E / rate with E = -ln(u), in months; 1 (too late) where it surely exceeds a month.

    -ln(u) >= 1 - u, so the logarithm is only taken where the month may be met.
    """
    return -math.log(u) / rate if 1.0 - u < rate else 1.0


@compiled()
def leave_arrears(bucket, address, intensity, multiplier, total_loss):  # type: ignore[no-untyped-def]
    """State after a month that opened in arrears: the least of E_k / lambda_k if below 1, else stay.

    Each cause k has its own keyed exponential E_k = -ln(u_k), so another cause leaves the draws of
    the others alone.

    Parameters
    ----------
    address : (entity, path, month, seed)
    intensity : float64[K+3]
        Intensities from this bucket to buckets 0..K, charge-off and payoff.
    multiplier : tuple of float
        Multipliers by class of cause: what macro, type and treatment do to this loan.
    total_loss : float
        Intensity of total loss.

    Returns
    -------
    state : int
    extension : float
        Uniform that decides whether a cure to current is an extension.
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
    # The four purposes of one block of words.
    words = block_at(entity, path, slot + PURPOSE_CHARGE_OFF // WORDS, seed)
    time = waiting_time(unit(words[PURPOSE_CHARGE_OFF % WORDS]), intensity[worst + 1] * multiplier[CHARGE_OFF])
    if time < first:
        first, state = time, CHARGED_OFF
    time = waiting_time(unit(words[PURPOSE_PREPAY % WORDS]), intensity[worst + 2] * multiplier[PREPAY])
    if time < first:
        first, state = time, PREPAID
    if waiting_time(unit(words[PURPOSE_TOTAL_LOSS % WORDS]), total_loss) < first:
        state = TOTAL_LOSS
    return state, unit(words[PURPOSE_MODIFY % WORDS])
