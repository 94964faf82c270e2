"""The bundles of arrays that enter and leave the kernels.

A bundle always has the same fields, dtypes, ranks and contiguity: an absent feature is its neutral
array, so every study runs the same machine code.  Shapes: ``n`` loans in canonical order, ``c``
cells (distinct tier, region, sector), ``T`` months of the horizon, ``E`` = T + run-off months,
``X`` = E + longest lag of a sale, ``Z`` = E + longest lag of any cash, ``K`` the worst bucket,
``H`` = vocabulary.HISTORY_MONTHS.  Month 0 is the as-of date.

A loan's *mark* says when and how it last returned to current: 2 x month + kind, kinds being those of
vocabulary.HISTORIES; months before the as-of date are negative.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import CUTS
from simulator.kernels.by_address import by_address

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Records = np.recarray[Any, Any]
"""Rows of a structured dtype, whose fields are attributes."""


LINE: Final = 64
"""Bytes that a processor brings from memory together: of x86-64, and of most others."""


def of_lines(fields: list[Any]) -> np.dtype[np.void]:
    """A structured dtype, fields one after another and each aligned, whose records fill whole lines."""
    packed = np.dtype(fields, align=True)
    places: dict[str, Any] = dict(packed.fields or {})
    return np.dtype(
        {
            "names": list(places),
            "formats": [kind[0] for kind in places.values()],
            "offsets": [kind[1] for kind in places.values()],
            "itemsize": -(-packed.itemsize // LINE) * LINE,
            "aligned": True,
        }
    )


def zeros_in_lines(sizes: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros of a shape that begin where a line does, so that a record of a line's length lies in one."""
    size = math.prod(sizes) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    found: NDArray[Any] = room[start : start + size].view(dtype).reshape(sizes)
    return found


def lay_out(rows: NDArray[Any]) -> Records:
    """Records as they are, in lines."""
    found = zeros_in_lines(rows.shape, rows.dtype)
    found[...] = rows
    return found.view(np.recarray)


def records(dtype: np.dtype[np.void], **columns: NDArray[Any]) -> Records:
    """Columns side by side, a record a row."""
    (size,) = {column.shape[0] for column in columns.values()}
    rows = zeros_in_lines((size,), dtype)
    for name, values in columns.items():
        rows[name] = values
    return rows.view(np.recarray)


NO_MARK: Final = -32_000
"""Mark of a loan that was never in arrears: 16,000 months ago."""
DRAW_MARK: Final = 32_000
"""Mark of a loan of whose history nothing is known: drawn at the as-of date on each path."""
NEVER: Final = -1
"""Month of what has not happened: a seizure, a default."""
ENDLESS: Final = 1 << 30
"""Last due date of a loan that renews."""
GUIDE: Final = 256
"""Parts of the unit interval in the guide to a table of cumulative shares."""
PRIORITIES: Final = 1024
"""Levels of priority in a pool."""


FACTS: Final = of_lines(
    [
        ("entity", np.uint64),
        ("risk", np.float64),
        ("risk_bound", np.float64),
        ("value_as_new", np.float64),
        ("find", np.float64),
        ("cell", np.int32),
        ("car", np.int32),
        ("age", np.int32),
        ("renewal", np.int32),
        ("term", np.int32),
        ("tier", np.int16),
        ("segment", np.int8),
        ("stage", np.int8),
    ]
)
"""What never changes of a loan and decides its events, together because who needs one needs several: 64 bytes, a line
of a cache.

entity: hash of the loan's id, its address in the draws.  risk: exp(x'beta), multiplier of the intensity of entry
(methodology (3)); risk_bound: that x the largest seasoning and the largest effect of negative equity that the loan can
meet.  value_as_new: wholesale value at the as-of date over the depreciation reached, currency (6).  find: multiplier of
the chance to find the car.  cell, tier, segment: their indices.  stage: index of vocabulary.STAGES at the as-of date.
car: column of the car in the tables of depreciation and prices: cars of one segment, usage and age share one.  age:
months since origination.  renewal: months between renewals of a single-payment loan, 0 for the others.  term: months
to the last instalment's due date; of a loan that renews, to its first renewal.
"""

CONTRACT: Final = of_lines(
    [
        ("track", np.float64),
        ("shrink", np.float64),
        ("step", np.float64),
        ("growth", np.float64),
        ("discount", np.float64),
        ("level", np.int16, len(CUTS)),
    ]
)
"""Amounts of a loan, and where they count: 64 bytes, a line of a cache.

track: principal if all instalments due so far had been paid, currency (1).  shrink, step: a and b, currency a month, of
B(t+1) = a B(t) - b.  growth: 1 + monthly contract rate.  discount: 1 + the monthly rate at which its recoveries are
discounted.  level: index of the loan's level of each of vocabulary.CUTS, counted through all cuts.
"""


TRAITS: Final = np.dtype(
    [
        (name, np.float64)
        for name in ("total_loss", "direct_share", "spell_end", "threshold", "slope", "cap", "equity_mean")
    ]
)
"""What a tier's borrowers share.

total_loss: intensity of total loss of the car. direct_share: share of entries that are direct charge-offs. spell_end:
probability that hardship ends within a month. threshold, slope, cap, equity_mean: of the effect of negative equity
(4).
"""

TERMS: Final = np.dtype(
    [
        ("found_share", np.float64),
        ("haircut", np.float64),
        ("cost", np.float64),
        ("cost_share", np.float64),
        ("storage", np.float64),
        ("condition_sd", np.float64),
        ("lgd_floor", np.float64),
        ("deficiency_share", np.float64),
        ("insured_share", np.float64),
        ("deductible", np.float64),
        ("late_fee", np.float64),
        ("renewal_fee", np.float64),
        ("sale_lag", np.int32),
        ("search_lag", np.int32),
        ("deficiency_lag", np.int32),
    ],
    align=True,
)
"""A tier's terms of workouts.

found_share: probability that a car not seized before charge-off is found after it. haircut: auction price over
wholesale value. cost: fixed cost of a seizure and sale, currency; cost_share: cost of a sale as a share of its price;
storage: cost of storage, currency a month. condition_sd: sd of the log of a car's own condition. lgd_floor: least loss
given charge-off, -inf where there is none. deficiency_share: share of what a sale leaves unpaid that is collected.
insured_share: probability that the car's own insurance pays a total loss; deductible: what it deducts, currency.
late_fee: fee for each instalment paid late, currency; renewal_fee: fee for a renewal as a share of principal.
sale_lag: months from seizure to cash; search_lag: months from charge-off to seizure of a car found after it;
deficiency_lag: months from charge-off to the cash of the deficiency.
"""


@by_address
class Loans(NamedTuple):
    """What is known of each loan at the as-of date."""

    fact: Records
    """[n] FACTS."""
    contract: Records
    """[n] CONTRACT."""
    bucket: NDArray[np.int8]
    """[n] instalments past due."""
    mark: NDArray[np.int16]
    """[n] mark at the as-of date, NO_MARK, or DRAW_MARK where nothing is known."""
    repossessed: NDArray[np.bool_]
    """[n] the car is seized at the as-of date."""
    car: Integers
    """[car] place in the table of curves: row of segment and usage x ages + months since new at the as-of date."""


@by_address
class Hazards(NamedTuple):
    """Intensities a month."""

    arrears: Floats
    """[tier, type, K+1, K+3] intensities in arrears (3h): from bucket to bucket 0..K, charge-off, payoff without total
    loss; at reference macro, what the type does to them included; none to the own bucket."""
    class_multiplier: Floats
    """[E+1, c, class] exp(m'gamma) by class of cause."""
    payoff: Floats
    """[T+1, c] intensity of payoff of loans without arrears, total loss included."""
    payoff_bound: Floats
    """[T+1] the largest of them."""
    trait: Records
    """[tier] TRAITS."""
    factor: Floats
    """[path, factor, T+1] systematic factors, N(0, 1), larger is worse; the first is global."""
    threshold: Floats
    """[T+1, c] argument of the entry response where the latent factor is 0."""
    loading: Floats
    """[c] its slope in the latent factor."""
    seasoning: Floats
    """[tier, age] multiplier of entry by months since origination."""
    history: Floats
    """[tier, kind, H+1] multiplier of entry by months since the last return to current (3f)."""
    history_bound: Floats
    """[kind, H+1] the largest of any tier in this month or later."""
    type_share: Floats
    """[tier, type] types of borrowers at entry, at reference (3g)."""
    hardship_odds: Floats
    """[T+1, c] odds of hardship over those at reference."""
    modified_share: Floats
    """[tier, K+1] share of cures to current that are extensions (3i)."""
    open_history: Floats
    """[tier, 2H+1] cumulative shares of current loans: clean, cured 0.., modified 0.. months ago (3k)."""
    open_guide: NDArray[np.int16]
    """[tier, GUIDE] where in these shares to begin to look for a uniform of so many GUIDE-ths."""
    open_type: Floats
    """[tier, K+1, type] cumulative shares of types by bucket (3k)."""
    response_table: Floats
    """[x, 2] -ln(1 - Phi(x)) and its slope on a grid; empty for the lognormal response."""
    cell_factor: NDArray[np.int32]
    """[c, 3] which systematic factors a cell loads on: global, its region's, its sector's."""
    factor_root: Floats
    """[3] square roots of the variance shares of the three."""


@by_address
class Workouts(NamedTuple):
    """Cars, their seizure and sale, and what else is collected, for a block of paths."""

    index_level: Floats
    """[path, X+1, segment] used-car index, 1 at month 0."""
    depreciation: Floats
    """[X+1, car] value relative to new."""
    car_segment: Integers
    """[car] segment."""
    stock: Integers
    """[car] values as new of all cars of the book, quanta."""
    season: Floats
    """[X+1] auction price over its yearly mean."""
    seizure: Floats
    """[tier, K+1] intensity of seizure of a car by the loan's bucket."""
    terms: Records
    """[tier] TERMS."""
    retail: float
    """Retail over wholesale value: what insurance pays for is the price of another such car."""
    find_bound: float
    """Largest multiplier of the chance to find a car."""


@by_address
class Clock(NamedTuple):
    """Scalars of a run."""

    seed: np.uint64
    first_path: int
    months: int
    run_off: int
    default_bucket: int
    nonaccrual_months: int
    probation_months: int
    block: int
    """Loans that go through a month together."""
    scale: float
    """Quanta in one unit of currency, a power of 2: sums over loans are of whole quanta (D3)."""


class Spot(NamedTuple):
    """Where the kernel stands: path (row of this block of paths), month, worker, block of loans.

    A worker's scratch holds the loans of a chunk, the first of which is `origin`.
    """

    row: int
    month: int
    worker: int
    origin: int
    start: int
    stop: int


class Loss(NamedTuple):
    """What a charge-off leaves to be collected: amounts and months to their cash."""

    exposure: float
    accrued: float
    proceeds: float
    cost: float
    sale_lag: int
    deficiency: float
    deficiency_lag: int
    channel: int
    """Row of Workspace.lagged that the deficiency's cash belongs to."""


@by_address
class Result(NamedTuple):
    """What a block of paths returns; zeros on entry."""

    book: Floats
    """[path, variable, Z+1] flows and stocks in the order of vocabulary.BOOK_VARIABLES."""
    bucket_balance: Floats
    """[path, T+1, K+1] closing principal by bucket."""
    transition: NDArray[np.int32]
    """[path, T+1, K+1, K+5] loans moved: to bucket 0..K, then vocabulary.EXIT_LABELS."""
    level_loss: Floats
    """[path, level] discounted loss, run-off included."""
    level_flow: Floats
    """[path, 3, T+1, level] charge-offs, recoveries of the same loans, exposures of new defaults."""
    shortfall: Floats
    """[path, stage, 2] losses discounted to the as-of date: of defaults within 12 months, of all."""
    pool: Floats
    """[path, P, 6, T+1] hours asked and given, loans waiting, months that they have waited, hours there are, cost."""
    rung: Floats
    """[path, R, 10, T+1] loans that a rung was for, was carried out for, reached; contacts; cost, pools apart; loans
    without arrears that it was for and that entered, and entries that it averted; loans that cured after it, that got
    worse, and of those that cured in a month those that entered again."""
    incident: Floats
    """[path, kind, T+1] incidents; no kinds where no strategy acts."""
    run_off: Floats
    """[path, 5] principal, interest and count that enter the run-off; principal and count that cure out of it."""
    trace: Floats
    """[traced loan, path, T+1, 8] the traced variables in the order of vocabulary.TRACE_VARIABLES."""
    traced: NDArray[np.int64]
    """[traced loan] positions in canonical order."""
