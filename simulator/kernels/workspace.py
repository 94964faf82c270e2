"""The scratch of a worker: a path's loans as places, slots, items and movers.

A loan's *place* in its chunk never changes; what only some months touch is kept there.  Its *slot* is where the dense
pass meets it: live loans stand side by side, and a dead one leaves its slot to the last.  *Movers* and *items* are
gathered anew each month.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kernels.bundles import Floats, Integers, Records, of_lines
from simulator.kernels.by_address import by_address
from simulator.kernels.ladder import MOST_POOLS

EVENT_WORDS: Final = 16
"""Words of a month's first four event slots: a row each in ``Items.word``, numbered as the purposes are."""
ALL_WORDS: Final = 24
"""Rows of it: behind them those of the sixth slot, which collections draw."""
LANES: Final = 32
"""Items are filled up to a multiple of this: a vectorised loop would step what remains one by one."""

PATH_STATE: Final = np.dtype(
    [
        ("state", np.int8),
        ("kind", np.int8),
        ("mark", np.int16),
        ("seized", np.int16),
        ("defaulted", np.int16),
        ("tier", np.int16),
        ("cured_in", np.int16),
        ("cured_with", np.uint32),
        ("term", np.int32),
        ("last_due", np.int32),
        ("slot", np.int32),
        ("effort", np.int32),
        ("loss", np.float64),
        ("cash", np.float64),
    ],
    align=True,
)
"""What a loan is on a path.

state: bucket or exit.  kind: type of the borrower while in arrears.  mark: see bundles.py.  seized, defaulted: months
of the car's seizure and of default, or NEVER.  tier: that of the loan.  cured_with: rungs carried out at the close
before its last return to current, in month cured_in, or NEVER.  term: last due date, extensions move it; last_due: the
same, ENDLESS for a loan that renews.  slot: where the dense pass finds the loan; effort: which EFFORT is its own, or
NO_EFFORT.  loss: discounted loss so far; cash: that of the last month in which the loan was an item (for traces).
"""


OFFERS_WRITE_OFF: Final = 1
OFFERS_SURRENDER: Final = 2
"""Bits of EFFORT's `offers`."""

EFFORT: Final = of_lines(
    [
        ("entity", np.uint64),
        ("cure", np.float64),
        ("roll", np.float64),
        ("charge_off", np.float64),
        ("extension", np.float64),
        ("plan", np.float64),
        ("done", np.uint32),
        ("now", np.uint32),
        ("bucket", np.int8),
        ("reached", np.int8),
        ("revealed", np.int8),
        ("agency", np.int8),
        ("broken", np.uint8),
        ("offers", np.uint8),
        ("asked", np.uint8),
        ("queued", np.uint8),
        # What follows is in a second line of the cache, and few loans need it in a month.
        ("surrender", np.float64),
        ("find", np.float64),
        ("own_find", np.float64),
        ("filed", np.int16),
        ("suit", np.int8),
        ("sale", np.int8),
        ("waiting", np.int16, MOST_POOLS),
    ],
)
"""What collections have done with a loan in arrears, and do to it in the coming month (P4): two lines of a cache.

entity: hash of the loan's id, its address in the draws.  cure .. extension: multipliers of intensities. plan: intensity
of accepting one. done, now: rungs carried out in the spell, at the last close, a bit each. reached: 1 where a rung
reached the borrower at the last close; bucket: as it was then. revealed: 0, or 1 + type. agency: the rung that has the
loan with an agency, or NO_RUNG. broken: promises, MOST_BROKEN if more. offers: whether the loan is charged off this
month, and whether the borrower may hand the car over. asked: pools that the loan asked at the close and that have not
served it, a bit each; queued: those that it asked in vain at the close before.

surrender: probability of handing the car over, if it is offered. find: multiplier of the chance to find it, own_find:
that of FACTS. filed: month of filing, or NEVER. suit, sale: rungs that filed, sell what is unpaid, or NO_RUNG. waiting:
closes at which it asked a pool in vain, if it is queued there. Of a loan without arrears only `queued` and `waiting`
are kept, and `asked` until the pools of that close have served.
"""
NO_EFFORT: Final = 0
"""The record of all loans for which nothing was ever done: those without arrears, unless such loans wait for pools."""
MOST_BROKEN: Final = 255
"""Broken promises that are counted."""


@by_address
class Slots(NamedTuple):
    """Live loans side by side, [worker, slot of the chunk]; a block's come first to last, then empty slots."""

    place: NDArray[np.int32]
    """Place of the loan in the chunk."""
    entity: NDArray[np.uint64]
    cell: NDArray[np.int32]
    track: Floats
    """Principal if all instalments due had been paid, at the opening of the month; moved on by the dense pass."""
    shrink: Floats
    step: Floats
    rate: Floats
    """Monthly contract rate."""
    limit: NDArray[np.float32]
    """Bound of the multiplier of entry."""
    due: NDArray[np.int32]
    """Month of the last instalment or the next renewal."""
    late: NDArray[np.uint8]
    """1 in arrears, else 0."""
    modified_until: NDArray[np.int16]
    """The loan counts as modified in months before this one, while without arrears."""
    default_until: NDArray[np.int16]
    """The loan counts as in default in months before this one, while without arrears."""


@by_address
class Items(NamedTuple):
    """Loans of a block that are in arrears or move this month, side by side: [worker, item]."""

    slot: NDArray[np.int32]
    place: NDArray[np.int32]
    entity: NDArray[np.uint64]
    word: NDArray[np.uint32]
    """[worker, purpose, item] event draws."""
    cause: Floats
    """[worker, K+5, item] intensities of arrival in bucket 0..K, charge-off, payoff, total loss, a plan."""
    soonest: Floats
    """Waiting time of the cause that comes first, months; 1 where none comes."""
    modified: Floats
    """Share of cures to current that are extensions."""
    bucket: NDArray[np.int64]
    drawn: NDArray[np.int64]
    state: NDArray[np.int64]
    due: NDArray[np.int64]
    """Month of the last instalment, ENDLESS of a loan that renews."""
    fee: Floats
    """Fee for each instalment paid late, currency."""
    track: Floats
    shrink: Floats
    step: Floats
    rate: Floats
    principal: Floats
    """Claim before anything is paid, currency."""
    interest: Floats
    """Unpaid interest before anything is paid, the month's own included."""
    accrual: Floats
    """The month's own interest."""
    close: Floats
    """Principal at the month's close; 0 of who is gone."""
    accrued: Floats
    """Unpaid interest at the month's close."""
    cash: Floats
    """What the borrower paid, late fees included."""


@by_address
class Movers(NamedTuple):
    """Loans of a block without arrears that may move this month, side by side: [worker, mover]."""

    worse: Floats
    """Intensity of entry, direct charge-off included."""
    equity: Floats
    """Effect of negative equity on it."""
    drawn: NDArray[np.int64]
    """State to which the loan moves; 0 where it pays."""
    entered: NDArray[np.int32]
    """Movers that fall behind."""
    entity: NDArray[np.uint64]
    word: NDArray[np.uint32]
    """[worker, 4, mover] the draws of those, one after another."""


@by_address
class Workspace(NamedTuple):
    """Scratch, one row a worker; the second dimension of most is a chunk of loans."""

    slots: Slots
    items: Items
    movers: Movers
    standing: NDArray[np.int32]
    """[worker, block] slots in use."""
    path: Records
    """[worker, chunk] PATH_STATE, by place."""
    state: NDArray[np.int8]
    """[worker, chunk] state by place, as in `path`: what a look at all loans reads."""
    flag: NDArray[np.uint8]
    """[worker, block] by slot, why the dense pass may not book it, FLAG_MOVES, FLAG_DUE, FLAG_LATE of `dense`; 0 where
    it may. `sift` and `decide_current` set whom they clear to 0, and whom they keep to 1. At a close it, `listed` and
    `mover` are free (`treatment.list_visited`)."""
    listed: NDArray[np.int32]
    """[worker, block] flagged slots, numbered within their block."""
    mover: NDArray[np.int32]
    """[worker, block] slots without arrears that may move."""
    late: NDArray[np.int32]
    """[worker, block] slots of the loans in arrears."""
    behind: NDArray[np.int32]
    """[worker, block] items that close the month in arrears."""
    paid: NDArray[np.int32]
    """[worker, block] items that close it without."""
    dead: NDArray[np.int32]
    """[worker, block] items that are gone."""
    defaulting: NDArray[np.int32]
    """[worker, block] items that default."""
    word: NDArray[np.uint32]
    """[worker, 4, chunk] dense draws of four months, by slot."""
    effort: Records
    """[worker, 1 + chunk] EFFORT, by the loan's `effort`; one record where no strategy acts."""
    free: NDArray[np.int32]
    """[worker, 1 + chunk] the number of unused records of it, then which: the last is the next to be used."""
    meant: NDArray[np.uint32]
    """[worker, chunk] rungs that were for a loan without arrears at the last close, a bit each; by place, and empty
    where the strategy has no such rungs."""
    cared: NDArray[np.uint32]
    """[worker, chunk] those that were carried out."""
    waits: NDArray[np.int8]
    """[worker, chunk] 1 of a loan without arrears that asked a pool in vain; empty where no such loan asks one."""
    tally: NDArray[np.int32]
    """[worker, 2, MOST_RUNGS] loans that cured and that got worse this month, by rung carried out at the last close."""
    visited: NDArray[np.int32]
    """[worker, chunk + LANES] places of the loans that a close looks at, in order."""
    lined: NDArray[np.int32]
    """[worker, chunk] places of the loans in arrears, and of others that ask a pool or did, in order."""
    queue: NDArray[np.int32]
    """[worker, chunk x rungs with a pool + LANES] places of the loans that ask a pool, in order."""
    queue_rung: NDArray[np.int8]
    """[worker, chunk x rungs with a pool] the rungs for which they ask."""
    queue_level: NDArray[np.int16]
    """[worker, chunk x rungs with a pool] their priorities."""
    ranked: Floats
    """[worker, P, PRIORITIES] hours asked at each priority."""
    left: Floats
    """[worker, P] hours left for the priority at which they run out."""
    level: Integers
    """[worker, P] that priority."""
    staff: Floats
    """[worker, P] hours that a pool has this month."""
    shut: NDArray[np.int64]
    """[worker] months for which field pools stay closed."""
    entry: Floats
    """[worker, T+1, c] intensity of entry on this path."""
    entry_top: Floats
    """[worker, T+1] the largest of them."""
    price: Floats
    """[worker, X+1, car] wholesale value of a car on this path over its value as new (6)."""
    gone: Integers
    """[worker, T+2, car] values as new of the cars of loans that end in a month, quanta; those of the run-off last."""
    lagged: Floats
    """[worker, 5, E+1, lag] proceeds, costs, cash of deficiency, of judgments and of debt sales, by month of charge-off
    and months to cash."""
    shortfall: Floats
    """[worker, E+1, stage, 2] losses discounted to the as-of date: defaults within 12 months, all."""
    level_loss: Floats
    """[worker, T+2, level] loss by month of charge-off, run-off last."""
    fire: Floats
    """[worker] factor of auction prices this month (7)."""
