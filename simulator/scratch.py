"""A worker's scratch: every array that the kernels write between a run's inputs and its results."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import numpy as np

from scenarios.vocabulary import STAGES
from simulator.horizon import RUN_OFF_MONTHS, longest_lag, months_needed
from simulator.kernels.bundles import PRIORITIES
from simulator.kernels.ladder import MOST_RUNGS
from simulator.kernels.random import WORDS
from simulator.kernels.workspace import ALL_WORDS, EFFORT, LANES, PATH_STATE, Items, Movers, Slots, Workspace
from simulator.shapes import Shape
from simulator.totals import LOAN_BLOCK, ScenarioRun, count_levels


def column_types(bundle: type[tuple[Any, ...]]) -> dict[str, type[np.generic]]:
    """Scalar type of each array of a bundle, as its fields are declared."""
    hints = get_type_hints(bundle)
    return {name: get_args(get_args(hint)[1])[0] for name, hint in hints.items()}


SLOTS, ITEMS, MOVERS = column_types(Slots), column_types(Items), column_types(Movers)
"""Arrays by slot of a chunk; by item of a block, of `word` and `cause` several; by mover of a block, of `word` four."""

GROUPS = {"slots": Slots, "items": Items, "movers": Movers}


def workspace_shapes(run: ScenarioRun, threads: int, *, whole_book: bool, loans: int | None = None) -> dict[str, Shape]:
    """Scratch of a run by field: a worker holds a block of loans, or the whole book where its loans meet each month.

    `loans` if the book has another number of them than the run, which then is one of its like.
    """
    loans = run.book.loans.bucket.size if loans is None else loans
    chunk = loans if whole_book else min(LOAN_BLOCK, loans)
    block, buckets = min(LOAN_BLOCK, chunk) + LANES, len(run.parameters.bucket_edges)
    several = {"items.word": ALL_WORDS, "items.cause": buckets + 4, "movers.word": WORDS}
    cars = run.book.loans.car.size
    end, lags, months = run.months + RUN_OFF_MONTHS + 1, longest_lag(run.parameters, run.servicing) + 1, run.months

    def grouped(group: str, arrays: dict[str, Any], size: int) -> dict[str, Shape]:
        names = {f"{group}.{name}": dtype for name, dtype in arrays.items()}
        rows = {name: (several[name],) if name in several else () for name in names}
        return {name: Shape((threads, *rows[name], size), dtype) for name, dtype in names.items()}

    def lists(*names: str) -> dict[str, Shape]:
        return {name: Shape((threads, block), np.int32) for name in names}

    return {
        **grouped("slots", SLOTS, chunk),
        **grouped("items", ITEMS, block),
        **grouped("movers", MOVERS, block),
        "standing": Shape((threads, chunk // LOAN_BLOCK + 1), np.int32),
        "path": Shape((threads, chunk), PATH_STATE),
        "state": Shape((threads, chunk), np.int8),
        "flag": Shape((threads, block), np.uint8),
        **lists("listed", "mover", "late", "behind", "paid", "dead", "defaulting"),
        "word": Shape((threads, WORDS, chunk), np.uint32),
        **_of_collections(run, threads, chunk),
        "entry": Shape((threads, months + 1, run.book.cells.tier.size)),
        "entry_top": Shape((threads, months + 1)),
        "price": Shape((threads, months_needed(run.parameters, months) + 1, cars)),
        "gone": Shape((threads, months + 2, cars), np.int64),
        "lagged": Shape((threads, 5, end, lags)),
        "shortfall": Shape((threads, end, len(STAGES), 2)),
        "level_loss": Shape((threads, months + 2, count_levels(run))),
        "fire": Shape((threads,), fill=1.0),
    }


def _of_collections(run: ScenarioRun, threads: int, chunk: int) -> dict[str, Shape]:
    """Scratch of the collection strategy; next to nothing where none acts."""
    pools, queue = run.ladder.pool.size, chunk * int((run.ladder.rung.pool >= 0).sum())
    cares = run.ladder.first_care < run.ladder.rung.size
    return {
        "effort": Shape((threads, 1 + chunk if run.ladder.on else 1), EFFORT),
        "free": Shape((threads, 1 + chunk if run.ladder.on else 1), np.int32),
        "meant": Shape((threads, chunk if cares else 0), np.uint32),
        "cared": Shape((threads, chunk if cares else 0), np.uint32),
        "waits": Shape((threads, chunk if run.ladder.waits_in_care else 0), np.int8),
        "tally": Shape((threads, 2, MOST_RUNGS), np.int32),
        "visited": Shape((threads, LANES + chunk if run.ladder.on else 1), np.int32),
        "lined": Shape((threads, chunk if run.ladder.on else 1), np.int32),
        "queue": Shape((threads, LANES + queue), np.int32),
        "queue_rung": Shape((threads, queue), np.int8),
        "queue_level": Shape((threads, queue), np.int16),
        "ranked": Shape((threads, pools, PRIORITIES)),
        "left": Shape((threads, pools)),
        "level": Shape((threads, pools), np.int64),
        "staff": Shape((threads, pools)),
        "shut": Shape((threads,), np.int64),
    }


def workspace(run: ScenarioRun, threads: int, *, whole_book: bool) -> Workspace:
    """The scratch of `workspace_shapes`."""
    fields: dict[str, Any] = {}
    grouped: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
    for name, shape in workspace_shapes(run, threads, whole_book=whole_book).items():
        group, _, field = name.rpartition(".")
        (grouped[group] if group else fields)[field] = shape.filled()
    return Workspace(**{name: GROUPS[name](**arrays) for name, arrays in grouped.items()}, **fields)
