"""Slots: every live loan stands in one, with what is its own; cars leave the sums exactly; bounds miss nobody."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from busy_books import busy_macro, busy_tiers
from scenarios.vocabulary import MAX_BUCKET
from simulator import engine, scratch, totals
from simulator.collateral import OLDEST_MONTH
from simulator.kernels.booking import LIVE_COUNT
from simulator.kernels.bundles import Spot
from simulator.kernels.collateral import fill_prices, fold_collateral
from simulator.kernels.compile import compiled
from simulator.kernels.dense import FLAG_DUE, FLAG_LATE, FLAG_MOVES, find_movers
from simulator.kernels.opening import open_block
from simulator.kernels.random import unit
from simulator.kernels.slots import leave_slot
from simulator.kernels.workspace import LANES, Slots
from simulator.parameters import USAGE_CLASSES
from simulator.scratch import SLOTS
from small_books import fixed_examples, mixed_book

LOANS, BLOCK, MONTHS, PATHS = 150, 64, 20, 3


@compiled()
def open_all(bundles, work, result):  # type: ignore[no-untyped-def]
    """Open all blocks of a book on its first path, as `portfolio.simulate_chunk` does."""
    loans, clock = bundles[0], bundles[4]
    work.gone[0] = 0
    for start in range(0, loans.bucket.size, clock.block):
        stop = min(start + clock.block, loans.bucket.size)
        open_block(Spot(0, 0, 0, 0, start, stop), bundles, work, result)


@compiled()
def take_out(place, month, bundles, work):  # type: ignore[no-untyped-def]
    """Let the loan at a place die in a month."""
    loans, _, _, _, clock = bundles
    start = place // clock.block * clock.block
    stop = min(start + clock.block, loans.bucket.size)
    leave_slot(place, Spot(0, month, 0, 0, start, stop), bundles, work)


class Kept(NamedTuple):
    """Arguments of the kernel."""

    bundles: Any
    work: Any
    result: Any


class StoppedError(Exception):
    """The arguments are kept; the run may end."""


def arguments(*, run: bool) -> Kept:
    """What the kernel gets for a book of three blocks in one chunk, after it ran or instead of that."""
    kept, kernel, terms = [], engine.simulate_paths, busy_tiers("lognormal")

    def keep(portion: tuple[int, int, int], *given: Any) -> None:
        if run:
            kernel(portion, *given)
        kept.append(Kept(*given))
        raise StoppedError

    with pytest.MonkeyPatch.context() as patched:
        for room in (engine, scratch, totals):
            patched.setattr(room, "LOAN_BLOCK", BLOCK)
        patched.setattr(engine, "simulate_paths", keep)
        with pytest.raises(StoppedError):
            engine.simulate(
                mixed_book(LOANS, seed=6),
                busy_macro(terms, MONTHS),
                terms,
                paths=PATHS,
                months=MONTHS,
                seed=3,
                size=engine.RunSize(1, PATHS, month_major=True),
            )
    return kept[0]


@pytest.fixture(scope="module")
def opened() -> Kept:
    """A book that can be opened again and again."""
    return arguments(run=False)


def state_of(kept: Kept, place: int) -> dict[str, Any]:
    """What stands in a loan's slot, draws included."""
    slot = kept.work.path[0, place].slot
    own = {name: getattr(kept.work.slots, name)[0, slot] for name in SLOTS}
    return {**own, "word": kept.work.word[0, :, slot].tolist()}


def live_places(kept: Kept, start: int) -> list[int]:
    """Places in the slots in use of a block."""
    return kept.work.slots.place[0, start : start + kept.work.standing[0, start // BLOCK]].tolist()


def value_of(kept: Kept, places: list[int]) -> np.ndarray:
    """int64[car] values as new of these loans' cars, in quanta, each cut off."""
    loans, clock = kept.bundles[0], kept.bundles[4]
    value = np.zeros(loans.car.size, np.int64)
    for fact in loans.fact[places]:
        value[fact.car] += int(fact.value_as_new * clock.scale)
    return value


# --- a loan leaves its slot to the block's last ---------------------------------------------------------------------


@settings(fixed_examples, max_examples=60, phases=[Phase.generate])  # to shrink an order of deaths takes minutes
@given(
    order=st.permutations(range(LOANS)),
    count=st.integers(0, LOANS),
    months=st.lists(st.integers(1, MONTHS + 5), min_size=LOANS, max_size=LOANS).map(sorted),
)
def test_every_live_loan_stands_in_one_slot_with_what_is_its_own(
    opened: Kept, order: list[int], count: int, months: list[int]
) -> None:
    """Deaths in any order; of the cars that go, each month knows the values as new, to the quantum."""
    open_all(*opened)
    before, dead = [state_of(opened, place) for place in range(LOANS)], order[:count]
    gone = np.zeros_like(opened.work.gone[0])
    for place, month in zip(dead, months[:count], strict=True):
        take_out(place, month, opened.bundles, opened.work)
        gone[min(month, MONTHS + 1)] += value_of(opened, [place])
    for start in range(0, LOANS, BLOCK):
        alive = sorted(set(range(start, min(start + BLOCK, LOANS))) - set(dead))
        assert sorted(live_places(opened, start)) == alive
        slots = opened.work.path.slot[0, alive]
        assert sorted(slots.tolist()) == list(range(start, start + len(alive)))
        for place in alive:
            assert state_of(opened, place) == before[place]
    assert np.array_equal(opened.work.gone[0], gone)


def test_where_all_are_gone_no_car_is_left(opened: Kept) -> None:
    """Exactly nothing, from the month of the last death on."""
    open_all(*opened)
    for place in range(LOANS):
        take_out(place, 1 + place % 7, opened.bundles, opened.work)
    assert not opened.work.standing[0, : LOANS // BLOCK + 1].any()
    value = np.full(MONTHS + 1, np.nan)
    fold_collateral(opened.bundles[2].stock, opened.work.gone[0], np.ones((MONTHS + 9, value.size + 99)), 1.0, value)
    assert not value[7:].any()
    assert value[:7].all()


def test_the_sum_of_all_cars_is_that_of_each(opened: Kept) -> None:
    assert np.array_equal(opened.bundles[2].stock, value_of(opened, list(range(LOANS))))


def test_a_car_is_worth_what_its_segment_usage_and_age_say(opened: Kept) -> None:
    """Price on a path: depreciation of the car's own curve at its age, times the index of its segment (6)."""
    loans, _, workouts, _, _ = opened.bundles
    curves = busy_tiers("lognormal").depreciation
    price = np.full(workouts.depreciation.shape, np.nan)
    fill_prices(workouts.depreciation, workouts.index_level[1], workouts.car_segment, price)
    assert len({*loans.fact.car.tolist()}) == loans.car.size > 20
    for fact in loans.fact:
        curve, age = divmod(int(loans.car[fact.car]), OLDEST_MONTH)
        segment, usage = divmod(curve, USAGE_CLASSES)
        assert segment == fact.segment
        for month in (0, 1, MONTHS, price.shape[0] - 1):
            worth = curves[segment, usage, min(age + month, curves.shape[-1] - 1)]
            assert price[month, fact.car] == worth * workouts.index_level[1, month, segment]


def test_after_a_run_the_slots_hold_who_is_alive() -> None:
    """The last path's scratch, its run-off included."""
    kept = arguments(run=True)
    state = kept.work.path.state[0]
    alive = np.flatnonzero(state <= MAX_BUCKET)
    assert LOANS // 10 < alive.size < LOANS
    assert kept.result.book[PATHS - 1, LIVE_COUNT, MONTHS] >= alive.size
    found = np.concatenate([live_places(kept, start) for start in range(0, LOANS, BLOCK)])
    assert np.array_equal(np.sort(found), alive)
    for place in alive.tolist():
        own = state_of(kept, place)
        fact, contract = kept.bundles[0].fact[place], kept.bundles[0].contract[place]
        assert (own["place"], own["entity"], own["cell"]) == (place, fact.entity, fact.cell)
        assert (own["shrink"], own["step"], own["rate"]) == (contract.shrink, contract.step, contract.growth - 1.0)


# --- the dense pass misses nobody ---------------------------------------------------------------------------------


class Bounds(NamedTuple):
    """Of the hazards, what the dense pass reads."""

    payoff: np.ndarray
    payoff_bound: np.ndarray


class Bench(NamedTuple):
    """Of a worker's scratch, what the dense pass reads and writes."""

    slots: Slots
    word: np.ndarray
    entry: np.ndarray
    entry_top: np.ndarray
    flag: np.ndarray
    listed: np.ndarray
    late: np.ndarray
    mover: np.ndarray


@compiled()
def find(spot, count, bundles, bench):  # type: ignore[no-untyped-def]
    """List the slots of a block that are in arrears or may move."""
    return find_movers(spot, count, bundles, bench)


@settings(fixed_examples, max_examples=150)
@given(count=st.integers(1, 200), seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-9, 3.0), first=st.integers(0, 40))
def test_whoever_may_move_is_listed_and_hardly_anybody_else(count: int, seed: int, scale: float, first: int) -> None:
    """Draws lie at the borders of a loan's own bounds, within a few units of a word, or anywhere."""
    random, cells, month = np.random.default_rng(seed), 5, 6
    size = first + count
    entry, payoff = scale * random.random(cells), np.minimum(scale * random.random(cells), 0.9)
    bound, cell = random.uniform(0.2, 8.0, size), random.integers(0, cells, size)
    enters, leaves = entry[cell] * bound, 1.0 - payoff[cell]
    at = np.where(random.random(size) < 0.5, enters, leaves) * 2.0**32 + random.integers(-3, 4, size)
    at = np.where(random.random(size) < 0.3, random.random(size) * 2.0**32, at)
    word = np.tile(np.clip(at, 0, 2**32 - 1).astype(np.uint32), (1, 4, 1))
    fields = {name: np.ones((1, size), dtype) for name, dtype in SLOTS.items()}
    fields["limit"][0], fields["cell"][0] = bound, cell
    fields["due"][0] = random.choice([month - 1, month, month + 1, 900], size, p=[0.02, 0.03, 0.05, 0.9])
    fields["late"][0] = random.random(size) < 0.1
    lists = [np.zeros((1, count + LANES), np.int32) for _ in range(3)]
    tables = Bounds(np.tile(payoff, (month + 1, 1)), np.full(month + 1, payoff.max()))
    per_month = np.tile(entry, (1, month + 1, 1)), np.full((1, month + 1), entry.max())
    bench = Bench(Slots(**fields), word, *per_month, np.zeros((1, count + LANES), np.uint8), *lists)
    late, movers = find(Spot(0, month, 0, 0, first, size), count, (None, tables, None, None, None), bench)
    block = slice(first, size)
    behind, due = fields["late"][0, block] == 1, fields["due"][0, block] <= month
    u = np.array([unit(drawn) for drawn in word[0, 0, block]])
    moves = (u < enters[block]) | (u > leaves[block]) | due
    assert bench.late[0, :late].tolist() == (first + np.flatnonzero(behind)).tolist()
    listed = np.isin(np.arange(first, size), bench.mover[0, :movers])
    assert np.all(listed[moves & ~behind])
    far = (u > enters[block] * (1.0 + 3e-5)) & (u < leaves[block]) & ~due
    assert not np.any(listed & (far | behind))
    # Flags stay with those who are listed alone: the dense pass books the others.
    assert np.array_equal(bench.flag[0, :count] != 0, listed | behind)
    assert len({FLAG_MOVES, FLAG_DUE, FLAG_LATE}) == 3
