"""Compiled doors to kernels that only kernels call: a month of hand-made items, slots of a hand-made block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import BOOK_VARIABLES, CAUSE_CLASSES, MAX_BUCKET, TYPES
from simulator.kernels.booking import book_closing, book_on_time
from simulator.kernels.bundles import DRAW_MARK, TERMS, TRAITS, Clock, Spot
from simulator.kernels.compile import compiled
from simulator.kernels.items import decide_late, fill_lanes, items_of, race, settle, settle_books
from simulator.kernels.logarithm import waiting
from simulator.kernels.workspace import ALL_WORDS, EFFORT, LANES, PATH_STATE, Items, Slots
from simulator.scratch import ITEMS, SLOTS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SCALE = 2.0**33
"""Quanta in one unit of currency: of a quarter of a million at the most, `amounts.quanta` takes no more."""


class Booked(NamedTuple):
    """What the accounts write."""

    book: Floats


class Late(NamedTuple):
    """Tables that loans in arrears read; see `Hazards`."""

    arrears: Floats
    class_multiplier: Floats
    trait: NDArray[np.record]
    modified_share: Floats


class Fees(NamedTuple):
    """Of the workouts, what is read of a loan in arrears."""

    terms: NDArray[np.record]


class Acts(NamedTuple):
    """Of the ladder, what is read of a loan in arrears before the close."""

    on: int


class Desk(NamedTuple):
    """Of a worker's scratch, what decisions read and write: one row each."""

    slots: Slots
    items: Items
    path: NDArray[np.record]
    late: NDArray[np.int32]
    effort: NDArray[np.record]


# --- doors ------------------------------------------------------------------------------------------------------


@compiled()
def settle_items(spot, count, clock, items, result):  # type: ignore[no-untyped-def]
    """Settle and book a month of items as `portfolio.step_block` does."""
    items = items_of(spot.worker, items)
    full = fill_lanes(count, items)
    settle(spot, full, clock, items)
    settle_books(spot, full, clock, items, result)


@compiled()
def close_stocks(book, month, count, scale, items):  # type: ignore[no-untyped-def]
    """Closing stocks of items."""
    book_closing(book, month, count, scale, items_of(0, items))


@compiled()
def pay(book, month, sums, quantum):  # type: ignore[no-untyped-def]
    """Book a block's loans that paid on time."""
    return book_on_time(book, month, sums, quantum)


@compiled()
def decide_items(spot, count, bundles, desk):  # type: ignore[no-untyped-def]
    """Decide a month of loans in arrears as `portfolio.step_block` does."""
    decide_late(spot, count, bundles, desk, items_of(spot.worker, desk.items))


@compiled()
def race_one(state, word, rate, soonest, drawn):  # type: ignore[no-untyped-def]
    """Let one cause compete for all items."""
    race(state, word, rate, soonest, drawn, word.size)


@compiled()
def fill_waiting(word, found):  # type: ignore[no-untyped-def]
    """Waiting times of an array of words."""
    for item in range(word.size):
        found[item] = waiting(word[item])


# --- what goes through them -----------------------------------------------------------------------------------------


def empty_items(count: int, buckets: int = MAX_BUCKET + 1) -> Items:
    """Room for so many items of one worker, filled with what no kernel may read before it has written it."""
    size = count + LANES
    rows = {"word": (ALL_WORDS,), "cause": (buckets + 4,)}
    return Items(**{name: np.full((1, *rows.get(name, ()), size), 77, dtype) for name, dtype in ITEMS.items()})


def rows(dtype: np.dtype[np.void], count: int) -> Any:
    """So many records of zeros."""
    return np.zeros(count, dtype).view(np.recarray)


def clock_of(seed: int, *, path: int = 0, months: int = 1_200, nonaccrual: int = 99) -> Clock:
    """Scalars of a run without anything that a test here does not look at."""
    return Clock(np.uint64(seed), path, months, 24, 3, nonaccrual, 12, 4_096, SCALE)


def spot_at(month: int, count: int) -> Spot:
    """The first block, path and worker."""
    return Spot(0, month, 0, 0, 0, count)


def settled(
    month: int, columns: Mapping[str, Any], *, nonaccrual: int = 99, buckets: int = MAX_BUCKET + 1
) -> tuple[Floats, Items]:
    """Settle items whose opening stands in `columns`, arrays[item]: the book float64[variable, month], the items."""
    count = len(columns["drawn"])
    items, book = empty_items(count, buckets), np.zeros((1, len(BOOK_VARIABLES), month + 4))
    for name, column in columns.items():
        getattr(items, name)[0, :count] = column
    settle_items(spot_at(month, count), count, clock_of(0, nonaccrual=nonaccrual), items, Booked(book))
    return book[0], items


class Arrears(NamedTuple):
    """A loan in arrears: address, bucket, intensities[K+3] of its own, and what else decides its month."""

    entity: int
    bucket: int
    row: Floats
    kind: int = 0
    modified_share: float = 0.0
    term: int = 2_000
    effort: Mapping[str, float] | None = None
    """Fields of EFFORT, for a month in which collections act; others are 1, or nothing done. None: nobody acts."""


def efforts(loans: list[Arrears]) -> NDArray[np.record]:
    """What collections do to each: EFFORT[1, loan]; where they do nothing, what no kernel may read."""
    found = np.full((1, len(loans)), 77, EFFORT).view(np.recarray)
    for place, loan in enumerate(loans):
        if loan.effort is not None:
            neutral = dict.fromkeys(("cure", "roll", "charge_off", "extension"), 1.0)
            for name, value in {**neutral, "plan": 0.0, "offers": 0, **loan.effort}.items():
                found[0, place][name] = value
    return found


def decided(
    loans: list[Arrears],
    clock: Clock,
    month: int,
    macro: tuple[float, ...] = (1.0,) * len(CAUSE_CLASSES),
    total_loss: float = 0.0,
    spell_end: float = 0.0,
) -> tuple[Integers, NDArray[np.record]]:
    """What loans in arrears do in a month, each a tier of its own: state int64[loan], and PATH_STATE[loan].

    All intensities but the loan's own are so large that whoever reads one moves at once. Collections act where the
    first loan has an `effort`.
    """
    count, causes = len(loans), len(loans[0].row)
    arrears = np.full((count, len(TYPES), causes - 2, causes), 1e9)
    arrears[..., np.arange(causes - 2), np.arange(causes - 2)] = 0.0
    path = np.zeros((1, count), PATH_STATE).view(np.recarray)
    modified, slots = np.full((count, causes - 2), 2.0), {n: np.ones((1, count), t) for n, t in SLOTS.items()}
    for place, loan in enumerate(loans):
        arrears[place, loan.kind, loan.bucket] = loan.row
        modified[place, loan.bucket] = loan.modified_share
        slots["entity"][0, place] = loan.entity
        record = path[0, place]
        record.state, record.kind, record.tier = loan.bucket, loan.kind, place
        record.term = record.last_due = loan.term
        record.mark, record.effort = DRAW_MARK, place
    slots["place"][0], slots["cell"][0] = np.arange(count), 0
    late = np.zeros((1, count + LANES), np.int32)  # who reads ahead finds loan 0 behind the last
    late[0, :count] = np.arange(count)
    multipliers = np.broadcast_to(np.array(macro), (month + 1, 1, len(macro))).copy()
    trait = rows(TRAITS, count)
    trait.total_loss, trait.spell_end = total_loss, spell_end
    tables = Late(arrears, multipliers, trait, modified)
    desk = Desk(Slots(**slots), empty_items(count, causes - 2), path, late, efforts(loans))
    acts = Acts(int(loans[0].effort is not None))
    decide_items(spot_at(month, count), count, (None, tables, Fees(rows(TERMS, count)), acts, clock), desk)
    return desk.items.drawn[0, :count].copy(), path[0]
