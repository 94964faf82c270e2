"""The collection strategy as the kernels take it: rungs, pools, and what they do (methodology (P1) to (P13))."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kernels.bundles import Floats, Records
from simulator.kernels.by_address import by_address

EFFECTS: Final = ("cure", "roll", "charge_off", "seizure", "extension")
"""Classes of what treatment multiplies, in the order of `Ladder` and `workspace.EFFORT`."""
SEIZURE: Final = 3
EXTENSION: Final = 4
MOST_RUNGS: Final = 32
"""Rungs of a ladder: a bit of a mask each."""
MOST_POOLS: Final = 8
"""Pools of a strategy: a bit of a mask each."""
NO_RUNG: Final = -1

RUNG: Final = np.dtype(
    [
        ("contacts", np.float64),
        ("hours", np.float64),
        ("cost", np.float64),
        ("reach", np.float64),
        ("backfire", np.float64),
        ("priority", np.float64),
        ("from_balance", np.float64),
        ("to_balance", np.float64),
        ("from_ltv", np.float64),
        ("to_ltv", np.float64),
        ("find", np.float64),
        ("claim_cost", np.float64),
        ("commission", np.float64),
        ("won", np.float64),
        ("enforced", np.float64),
        ("price", np.float64),
        ("after", np.uint32),
        ("unless", np.uint32),
        ("broken", np.int32),
        ("judgment_months", np.int32),
        ("purpose", np.int16),
        ("pool", np.int16),
        ("watched", np.int8),
        ("once", np.int8),
        ("reveals", np.int8),
        ("seizes", np.int8),
        ("extends", np.int8),
        ("files", np.int8),
        ("agency", np.int8),
        ("sells", np.int8),
        ("writes_off", np.int8),
        ("surrenders", np.int8),
    ],
    align=True,
)
"""A rung of the ladder.

contacts: a month. hours: of all of them, of the pool. cost: of all of them, currency. reach: probability that the
borrower is reached in the month. backfire: share of those reached on whom it backfires. priority: the rung's own.
from_balance .. to_ltv: bounds of principal, currency, and loan-to-value, fraction. find: multiplier of the chance to
find the car. claim_cost: cost of filing, share of the claim. commission: share of what the borrower pays. won,
enforced: probability that a suit is won, share of the deficiency that is then collected. price: of the deficiency,
fraction. after, unless: masks of rungs. broken: least number of broken promises. purpose: of its draw. pool: its pool,
-1 where it has none. watched: of a rung for loans without arrears 1 or 0 where it is for those on the watch list or the
others, -1 for both. The last ones: 1 where it does so.
"""

POOL: Final = np.dtype(
    [
        ("hours", np.float64),
        ("step", np.float64),
        ("most", np.float64),
        ("bucket", np.float64),
        ("waiting", np.float64),
        ("balance", np.float64),
        ("cost", np.float64),
        ("hiring", np.float64),
        ("unlimited", np.int8),
        ("field", np.int8),
    ],
    align=True,
)
"""A pool.

hours: a month at the start. step: hours that come or go in a month; most: the most there can be. bucket, waiting,
balance: weights in the priority, the last over the book's mean opening principal. cost: of an hour, hiring: of an hour
more, currency. unlimited: 1 where nobody waits. field: 1 where a regulatory event closes it.
"""


@by_address
class Ladder(NamedTuple):
    """The collection strategy (P1) to (P13), and what else couples loans; ``R`` rungs, ``P`` pools."""

    on: int
    """1 where a strategy acts; 0: loans are worked as those were that the parameters come from, no array is read."""
    fits: NDArray[np.uint32]
    """[n] rungs whose fixed conditions a loan meets, a bit each."""
    rung: Records
    """[R] RUNG; those for loans without arrears come last."""
    of_bucket: NDArray[np.uint32]
    """[K+1] rungs for each bucket, a bit each; those for loans without arrears are for none."""
    of_known: NDArray[np.uint32]
    """[1 + type] rungs for what is known of the borrower."""
    first_care: int
    """The first of those; R where there is none."""
    waits_in_care: int
    """1 where one of those has a pool."""
    watches: int
    """1 where one of those asks who is on the watch list."""
    watch_hazard: float
    """Predicted intensity from which on a loan is watched (P14); infinite: none is for that."""
    watch_ltv: float
    """Loan-to-value from which on it is, fraction; infinite: none is."""
    alert_hits: float
    """Share of entries that an alert precedes; 0: there are none."""
    alert_lift: float
    """1 over the share of alerts that an entry follows."""
    alerting: NDArray[np.bool_]
    """[n] cars with a tracker; empty where there are no alerts."""
    predicted: Floats
    """[T+1, c] predicted intensity of entry of a loan of multiplier 1, at each close (P14); empty without a list."""
    entry_scale: Floats
    """[c] what the intensity of entry is multiplied by: 1 / N of (P16)."""
    pool: Records
    """[P] POOL."""
    effect: Floats
    """[R, 2, class of EFFECTS, type] multipliers of who was reached: as meant, and where it backfired."""
    accepted: Floats
    """[R, type] intensity of accepting a plan, probability of handing the car over, share of entries averted."""
    scale: Floats
    """[tier, K+1, class of EFFECTS, type] 1 / N of (P5)."""
    mean: Floats
    """[group, tier, K+1, class of EFFECTS, type] E of (P13)."""
    group: NDArray[np.int32]
    """[n] group of the loan, by the rungs that are for it on average."""
    incident_rate: Floats
    """[R, kind] incidents a contact, conduct standard included."""
    incident_cost: Floats
    """[kind] currency."""
    suspension: int
    """Months for which a regulatory event closes field pools."""
    team: Floats
    """[path] factor of the teams on incident rates, mean 1."""
    team_entity: np.uint64
    searches: int
    """1 where cars are looked for after charge-off."""
    measures: int
    """1 where a rung bounds balance or loan-to-value, or a pool weighs balance."""
    fire_power: float
    """Elasticity x market share: how auction prices answer to the book's own sales (7)."""
    baseline_sales: float
    """Cars to sale in a month per live loan at baseline."""
