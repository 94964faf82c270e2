"""The bundles of arrays that enter and leave the kernels.

A bundle always has the same fields, dtypes, ranks and contiguity: an absent feature is its neutral
array, so every study runs the same machine code.  Shapes: ``n`` loans in canonical order, ``c``
cells (distinct tier, region, sector), ``T`` months of the horizon, ``E`` = T + run-off months,
``X`` = E + longest sale lag, ``K`` the worst bucket.  Month 0 is the as-of date.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Loans(NamedTuple):
    """What is known of each loan at the as-of date."""

    entity: NDArray[np.uint64]
    """[n] hash of the loan's id: its address in the draws."""
    cell: NDArray[np.int32]
    """[n] index of the loan's cell."""
    tier: NDArray[np.int32]
    """[n] index of the loan's parameter set."""
    segment: NDArray[np.int32]
    """[n] index of the vehicle's segment."""
    bucket: NDArray[np.int8]
    """[n] instalments past due."""
    track: Floats
    """[n] principal if all instalments due so far had been paid, currency (methodology (1))."""
    growth: Floats
    """[n] 1 + monthly contract rate."""
    payment: Floats
    """[n] instalment, currency a month."""
    term: NDArray[np.int32]
    """[n] months to the last instalment's due date."""
    age: NDArray[np.int32]
    """[n] months since origination."""
    car: NDArray[np.int32]
    """[n] place of the car in the depreciation table: segment x ages + months since new."""
    value_as_new: Floats
    """[n] wholesale value at the as-of date over the depreciation reached, currency (methodology (6))."""
    risk: Floats
    """[n] exp(x'beta): multiplier of the intensity of entry (methodology (3))."""
    risk_bound: Floats
    """[n] risk x the largest seasoning that the loan can meet."""
    level: NDArray[np.int32]
    """[n, cut] index of the loan's level of each cut, counted through all cuts."""


class Hazards(NamedTuple):
    """Intensities a month."""

    intensity: Floats
    """[tier, K+1, K+3] from bucket to bucket 0..K, charge-off, payoff; at reference macro."""
    class_multiplier: Floats
    """[E+1, c, class] exp(m'gamma) by class of cause."""
    payoff: Floats
    """[T+1, c] intensity of payoff of loans without arrears."""
    payoff_bound: Floats
    """[T+1] the largest of them."""
    factor: Floats
    """[path, factor, T+1] systematic factors, N(0, 1), larger is worse; the first is global."""
    threshold: Floats
    """[T+1, c] argument of the entry response where the latent factor is 0."""
    loading: Floats
    """[c] its slope in the latent factor."""
    direct_share: Floats
    """[tier] share of entries that are direct charge-offs."""
    seasoning: Floats
    """[tier, age] multiplier of entry by months since origination."""
    response_table: Floats
    """[x, 2] -ln(1 - Phi(x)) and its slope on a grid; empty for the lognormal response."""
    cell_factor: NDArray[np.int32]
    """[c, 3] which systematic factors a cell loads on: global, its region's, its sector's."""
    factor_root: Floats
    """[3] square roots of the variance shares of the three."""


class Collateral(NamedTuple):
    """Cars and their sale after charge-off, for a block of paths."""

    index_level: Floats
    """[path, X+1, segment] used-car index, 1 at month 0."""
    depreciation: Floats
    """[segment x age] value relative to new, by months since new, long enough for every car's last month."""
    sold_share: Floats
    """[tier] probability that the car is found and sold."""
    haircut: Floats
    """[tier] auction price over wholesale value."""
    cost: Floats
    """[tier] fixed cost of a sale, currency."""
    cost_share: Floats
    """[tier] cost of a sale as a share of its price."""
    condition_sd: Floats
    """[tier] sd of the log of a car's own condition."""
    lgd_floor: Floats
    """[tier] least loss given charge-off, -inf where there is none."""
    lag: NDArray[np.int32]
    """[tier] months from charge-off to cash."""


class Clock(NamedTuple):
    """Scalars of a run."""

    seed: np.uint64
    first_path: int
    months: int
    run_off: int
    default_bucket: int
    nonaccrual_months: int


class Spot(NamedTuple):
    """Where the kernel stands: path (row of this block of paths), month, worker, its block of loans."""

    row: int
    month: int
    worker: int
    start: int
    stop: int


class Terms(NamedTuple):
    """One loan's contract, as scalars."""

    growth: float
    payment: float
    term: int
    nonaccrual_months: int


class Move(NamedTuple):
    """One loan's month: opening bucket, state after it, fully paid principal before and after it."""

    bucket: int
    state: int
    track_open: float
    track_close: float


class Workspace(NamedTuple):
    """Scratch, one row a worker; the second dimension is a block of loans."""

    state: NDArray[np.int8]
    track: Floats
    defaulted: NDArray[np.bool_]
    loss: Floats
    """[worker, block] discounted loss of the loan so far on this path (for traces)."""
    word: NDArray[np.uint32]
    """[worker, 4, block] dense draws of four months."""
    entry: Floats
    """[worker, T+1, c] intensity of entry on this path."""
    alive: NDArray[np.int32]
    """[worker, block] places of the loans that were alive when last looked at, in order."""
    active: NDArray[np.int32]
    """[worker, block] places of the loans that need more than the dense pass in this month."""


class Result(NamedTuple):
    """What a block of paths returns; zeros on entry."""

    book: Floats
    """[path, variable, X+1] flows and stocks in the order of vocabulary.BOOK_VARIABLES."""
    bucket_balance: Floats
    """[path, T+1, K+1] closing principal by bucket."""
    transition: NDArray[np.int32]
    """[path, T+1, K+1, K+4] loans moved: to bucket 0..K, charged off, prepaid, matured."""
    level_loss: Floats
    """[path, level] discounted loss, run-off included."""
    level_flow: Floats
    """[path, 2, T+1, level] charge-offs and recoveries."""
    run_off: Floats
    """[path, 5] principal, interest and count that enter the run-off; principal and count that cure out of it."""
    trace: Floats
    """[traced loan, path, T+1, 3] state, principal, discounted loss."""
    traced: NDArray[np.int64]
    """[traced loan] positions in canonical order, ascending."""
