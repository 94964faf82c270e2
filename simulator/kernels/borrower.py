"""What a borrower does in a month: competing intensities, exactly (methodology (2), (3))."""

from __future__ import annotations

import math

from scenarios.vocabulary import (
    CHARGED_OFF,
    FORGETFUL,
    HARDSHIP,
    PREPAID,
    STRATEGIC,
    TOTAL_LOSS,
)
from simulator.kernels.compile import compiled


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


MOST_EXCESS = 1e300


@compiled()
def equity_effect(principal, value, threshold, slope, cap):  # type: ignore[no-untyped-def]
    """Effect of negative equity on entry (4), before its mean is taken out; `slope` >= 0, `cap` >= 1."""
    excess = principal / value - threshold
    # No branch, as nobody can guess it; a worthless car's excess is endless, and that times no slope is nothing.
    excess = min(excess, MOST_EXCESS) if excess > 0.0 else 0.0
    return min(1.0 + slope * excess, cap)


@compiled()
def entry_type(u, strategic_part, odds, share):  # type: ignore[no-untyped-def]
    """Type of a borrower who falls behind (3g).

    `strategic_part` of entries come from negative equity alone; the rest are mixed as `share`, hardship
    weighted by its odds.  ``share`` is float64[type].
    """
    hardship = share[HARDSHIP] * odds
    either = hardship + share[STRATEGIC]
    rest = (u - strategic_part) / (1.0 - strategic_part) * (share[FORGETFUL] + either)
    kind = STRATEGIC if rest < either else FORGETFUL
    kind = HARDSHIP if rest < hardship else kind
    return STRATEGIC if u < strategic_part else kind
