"""What a run holds while it goes on: its arrays, a worker's scratch, a block's result, and the sums that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import BOOK_VARIABLES, EXIT_LABELS, STAGES, TRACE_VARIABLES
from simulator.book import Book
from simulator.factors import SystematicPaths
from simulator.horizon import RUN_OFF_MONTHS, longest_lag
from simulator.kernels.bundles import PRIORITIES, Hazards, Result, Service, Workspace
from simulator.kernels.portfolio import fold_moments
from simulator.parameters import Parameters
from simulator.servicing import Servicing

Floats = NDArray[np.float64]

LOAN_BLOCK = 4096
"""Loans that go through all months together: their state fits a core's second cache."""
POOL_ROWS = 4
"""Loans that asked a pool, were served, were left waiting; months that these have waited."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the blocks of paths leave behind for one scenario.

    Attributes
    ----------
    book : float64[variable, path, month 1..T], in the order of BOOK_VARIABLES
    after_horizon : float64[variable, path], in the order of AFTER_HORIZON_VARIABLES
    opening : float64[variable, path]
        Stocks at the as-of date.
    shortfall : float64[path, stage, (12 months, life)]
    pool : float64[row, path, month 1..T], rows of `kernels.treatment`
    level_loss : float64[path, level]
    index : float64[path, month 1..T, segment]
    global_factor : float64[path, month 1..T]
    moments : name -> (mean, sum of squared deviations) over paths
    transition : int64[month 1..T, from bucket, to state], summed over paths
    trace : float64[traced loan, path, month 0..T, vocabulary.TRACE_VARIABLES]
    """

    book: Floats
    after_horizon: Floats
    opening: Floats
    shortfall: Floats
    pool: Floats
    level_loss: Floats
    index: Floats
    global_factor: Floats
    moments: dict[str, tuple[Floats, Floats]]
    transition: NDArray[np.int64]
    trace: Floats


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One scenario of one book, ready to advance."""

    book: Book
    hazards: Hazards
    service: Service
    macro: MonthlyMacro
    parameters: Parameters
    servicing: Servicing
    as_of_month: int
    months: int
    seed: np.uint64
    traced: NDArray[np.int64]


def workspace(run: ScenarioRun, threads: int, *, whole_book: bool) -> Workspace:
    """Scratch of a run: a worker holds a block of loans, or the whole book where its loans meet each month."""
    loans = run.book.loans.bucket.size
    chunk = loans if whole_book else min(LOAN_BLOCK, loans)
    end, lags, levels = run.months + RUN_OFF_MONTHS + 1, longest_lag(run.parameters) + 1, _levels(run)

    def scratch(dtype: type[np.generic], *more: int) -> NDArray[Any]:
        return np.zeros((threads, *more, chunk), dtype)

    return Workspace(
        state=scratch(np.int8),
        track=scratch(np.float64),
        term=scratch(np.int32),
        mark=scratch(np.int16),
        kind=scratch(np.int8),
        seized=scratch(np.int16),
        defaulted=scratch(np.int16),
        treated=scratch(np.int8),
        waiting=scratch(np.int16),
        loss=scratch(np.float64),
        cash=scratch(np.float64),
        word=scratch(np.uint32, 4),
        alive=scratch(np.int32),
        alive_count=np.zeros((threads, chunk // LOAN_BLOCK + 1), np.int32),
        active=np.zeros((threads, min(LOAN_BLOCK, chunk)), np.int32),
        queue=scratch(np.int32),
        rank=scratch(np.int16),
        ranked=np.zeros((threads, PRIORITIES), np.int64),
        entry=np.zeros((threads, run.months + 1, run.book.cells.tier.size)),
        lagged=np.zeros((threads, 3, end, lags)),
        shortfall=np.zeros((threads, end, len(STAGES), 2)),
        level_loss=np.zeros((threads, run.months + 2, levels)),
        fire=np.ones(threads),
    )


def _levels(run: ScenarioRun) -> int:
    return sum(len(names) for names in run.book.levels.values())


def empty_result(run: ScenarioRun, paths: int) -> Result:
    """Zeros for what the kernel returns of a block of paths."""
    last = run.months + RUN_OFF_MONTHS + longest_lag(run.parameters) + 1
    buckets, levels = len(run.parameters.bucket_edges), _levels(run)
    return Result(
        book=np.zeros((paths, len(BOOK_VARIABLES), last)),
        bucket_balance=np.zeros((paths, run.months + 1, buckets)),
        transition=np.zeros((paths, run.months + 1, buckets, buckets + len(EXIT_LABELS)), np.int32),
        level_loss=np.zeros((paths, levels)),
        level_flow=np.zeros((paths, 3, run.months + 1, levels)),
        shortfall=np.zeros((paths, len(STAGES), 2)),
        pool=np.zeros((paths, POOL_ROWS, run.months + 1)),
        run_off=np.zeros((paths, 5)),
        trace=np.zeros((run.traced.size, paths, run.months + 1, len(TRACE_VARIABLES))),
        traced=run.traced,
    )


def empty_totals(run: ScenarioRun, paths: int) -> Totals:
    """Room for what all blocks of paths leave behind."""
    shape = empty_result(run, 1)
    segments = run.macro.used_car_index.shape[1]

    def moments(values: Floats) -> tuple[Floats, Floats]:
        return np.zeros(values[0].size), np.zeros(values[0].size)

    return Totals(
        book=np.empty((len(BOOK_VARIABLES), paths, run.months)),
        after_horizon=np.empty((len(AFTER_HORIZON_ROWS), paths)),
        opening=np.empty((len(BOOK_VARIABLES), paths)),
        shortfall=np.empty((paths, *shape.shortfall.shape[1:])),
        pool=np.empty((POOL_ROWS, paths, run.months)),
        level_loss=np.empty((paths, shape.level_loss.shape[1])),
        index=np.empty((paths, run.months, segments)),
        global_factor=np.empty((paths, run.months)),
        moments={"bucket_balance": moments(shape.bucket_balance), "level_flow": moments(shape.level_flow)},
        transition=np.zeros(shape.transition.shape[1:], np.int64)[1:],
        trace=np.empty((run.traced.size, paths, *shape.trace.shape[2:])),
    )


AFTER_HORIZON_ROWS = (
    ("principal_paid", "prepaid", "total_loss_paid"),
    ("interest_paid",),
    ("fees",),
    ("charge_off",),
    ("recovery",),
    ("ultimate_loss",),
    ("default_loss",),
)
"""Book variables that each `*_after_horizon` variable sums, in vocabulary order."""


def keep(run: ScenarioRun, chunk: range, result: Result, systematic: SystematicPaths, totals: Totals) -> None:
    """Fold one block of paths into the totals, in path order."""
    rows = slice(chunk.start, chunk.stop)
    horizon = run.months + 1
    names = [variable.name for variable in BOOK_VARIABLES]
    totals.book[:, rows] = result.book[:, :, 1:horizon].transpose(1, 0, 2)
    totals.opening[:, rows] = result.book[:, :, 0].T
    totals.shortfall[rows] = result.shortfall
    totals.pool[:, rows] = result.pool[:, :, 1:].transpose(1, 0, 2)
    late = result.book[:, :, horizon:].sum(axis=2)
    for item, parts in enumerate(AFTER_HORIZON_ROWS):
        totals.after_horizon[item, rows] = sum(late[:, names.index(part)] for part in parts)
    totals.level_loss[rows] = result.level_loss
    totals.index[rows] = systematic.index[:, 1:horizon]
    totals.global_factor[rows] = systematic.factor[:, 0, 1:horizon]
    totals.transition[...] += result.transition[:, 1:].sum(axis=0)
    totals.trace[:, rows] = result.trace
    for name, values in (("bucket_balance", result.bucket_balance), ("level_flow", result.level_flow)):
        mean, squares = totals.moments[name]
        fold_moments(values.reshape(len(chunk), -1), chunk.start, mean, squares)
