"""One scenario of one book on many paths: kernel calls by block of paths, checks, labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scenarios.errors import Fault, InputError
from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import BOOK_VARIABLES, EXIT_LABELS, RNG_SCHEME, STAGES, TRACE_VARIABLES
from simulator.book import Book, build_book
from simulator.factors import SystematicPaths, draw_systematic
from simulator.hazards import build_hazards
from simulator.identities import check_identities
from simulator.kernels.bundles import PRIORITIES, Clock, Hazards, Result, Service, Workspace
from simulator.kernels.portfolio import fold_moments, simulate_paths
from simulator.labels import label_results
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.stages import stage_of
from simulator.tape import LoanTape
from simulator.workouts import build_service, build_workouts, couples

Floats = NDArray[np.float64]

LOAN_BLOCK = 4096
"""Loans that go through all months together: their state fits a core's second cache."""
RUN_OFF_MONTHS = 24
"""Months after the horizon in which loans in default go on; who is left then is charged off. Assumption, L:
under every shipped matrix fewer than one defaulted loan in 10,000 is left, and a test says so."""
LOAN_MONTHS_A_CALL = 50_000_000
"""Aim of one kernel call: under a second, so that progress shows and an interrupt is heard."""

POOL_ROWS = 4
"""Loans that asked a pool, were served, were left waiting; months that these have waited."""

MOST_PATHS_A_CALL = 256
"""However small the book: the sums of a block of paths must stay small beside the results."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RunSize:
    """How a run is cut up. None of it changes a bit of the result.

    `month_major` takes the whole book through each month together even where nothing couples its loans.
    """

    threads: int | None = None
    path_block: int | None = None
    month_major: bool = False


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


def months_needed(parameters: Parameters, months: int) -> int:
    """Last month that the macro paths must reach: horizon, run-off, and the longest search and sale after it."""
    return months + RUN_OFF_MONTHS + longest_sale(parameters)


def longest_sale(parameters: Parameters) -> int:
    """Months from a charge-off to the last cash of a sale."""
    return int((parameters.workout.search_lag + parameters.workout.sale_lag).max())


def longest_lag(parameters: Parameters) -> int:
    """Months from a charge-off to the last cash of any kind."""
    return max(longest_sale(parameters), int(parameters.workout.deficiency_lag.max()))


def simulate(  # noqa: PLR0913 - the engine's door: three inputs, three numbers, three options
    tape: LoanTape,
    macro: MonthlyMacro,
    parameters: Parameters,
    *,
    paths: int | range,
    months: int,
    seed: int,
    servicing: Servicing | None = None,
    trace: Sequence[str] = (),
    size: RunSize | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Simulate a book under one macro scenario.

    Parameters
    ----------
    tape : LoanTape
        The book at its as-of date.
    macro : MonthlyMacro
        Monthly paths from the as-of month on, at least `months_needed` long.
    parameters : Parameters
        One or more tiers.
    paths : int or range
        Number of paths, from path 0; or the paths themselves, step 1: their draws are those of any run that holds them.
    months : int
        Horizon.
    seed : int
        0 .. 2**64 - 1.
    servicing : Servicing, optional
        Pool of finite capacity and the book's share of the market; without it nothing couples the loans of a path.
    trace : sequence of loan ids
        Loans whose own histories are returned as `trace_*`, over path x month 0..T.
    size : RunSize, optional
        Threads and paths in a block; neither changes a result.
    progress : callable, optional
        Called with the number of paths done after each block.

    Returns
    -------
    xarray.Dataset
        Variables of `vocabulary.DATASET_VARIABLES`, dims scenario, strategy, programme of length 1.

    Raises
    ------
    InputError
        Arguments that cannot be run.
    IntegrityError
        An identity of methodology (9) fails.
    """
    chosen = range(paths) if isinstance(paths, int) else paths
    _check_arguments(tape, paths=chosen, months=months, seed=seed)
    _check_reach(macro, parameters, months)
    servicing = servicing or Servicing()
    run = prepare(tape, macro, parameters, servicing, months=months, seed=seed, trace=trace)
    totals = advance(run, chosen, size or RunSize(), progress)
    return label_results(run, totals, tape=tape, trace=tuple(trace), paths=chosen).assign_attrs(rng_scheme=RNG_SCHEME)


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


def prepare(  # noqa: PLR0913 - what `simulate` is given, less what does not concern the arrays
    tape: LoanTape,
    macro: MonthlyMacro,
    parameters: Parameters,
    servicing: Servicing,
    *,
    months: int,
    seed: int,
    trace: Sequence[str] = (),
) -> ScenarioRun:
    """Turn what `simulate` is given into arrays; its arguments are checked there."""
    book = build_book(tape, parameters)
    hazards = build_hazards(book.cells, macro, parameters, months, months + RUN_OFF_MONTHS)
    staged = book.loans._replace(stage=stage_of(book.loans, parameters, hazards.class_multiplier))
    book = replace(book, loans=staged)
    return ScenarioRun(
        book=book,
        hazards=hazards,
        service=build_service(servicing, book.loans, tape["current_balance"], parameters),
        macro=macro,
        parameters=parameters,
        servicing=servicing,
        as_of_month=tape.as_of.month,
        months=months,
        seed=np.uint64(seed),
        traced=_positions(tape, trace),
    )


def _check_arguments(tape: LoanTape, *, paths: range, months: int, seed: int) -> None:
    limits = (("paths", len(paths), 1, 2**32 - 1), ("months", months, 1, 1200), ("seed", seed, 0, 2**64 - 1))
    faults = [
        Fault("run", f"{name} = {value}", f"{low} to {high}")
        for name, value, low, high in limits
        if not low <= value <= high
    ]
    if len(paths) and (paths.start < 0 or paths.step != 1 or paths.stop > 2**32):
        faults.append(Fault("run", f"paths = {paths}", "a range of step 1 between 0 and 2**32"))
    if len(tape) == 0:
        faults.append(Fault("tape", "no loan", "at least one loan"))
    if faults:
        raise InputError(faults)


def _check_reach(macro: MonthlyMacro, parameters: Parameters, months: int) -> None:
    """Refuse macro paths that end before the run-off and the last sale do: a kernel would read beyond them."""
    needed = months_needed(parameters, months)
    last = min(macro.macro.sizes["month"], macro.used_car_index.sizes["month"]) - 1
    if last < needed:
        found = f"the macro paths end in month {last}"
        remedy = "Make them with monthly_macro(..., n_months=months_needed(parameters, months))."
        raise InputError(
            Fault(f"scenario {macro.name}", found, f"month {needed}, run-off and sale lag included", remedy)
        )


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _positions(tape: LoanTape, ids: Iterable[str]) -> NDArray[np.int64]:
    """Positions of traced loans in canonical order; ids keep the order in which they were asked."""
    order = {str(name): item for item, name in enumerate(tape.columns["loan_id"])}
    missing = [name for name in ids if name not in order]
    if missing:
        raise InputError([Fault("trace", f"loan {name!r}", "an id of the tape that was used") for name in missing])
    return np.array([order[name] for name in ids], dtype=np.int64)


def _default_path_block(loans: int, months: int, threads: int) -> int:
    block = LOAN_MONTHS_A_CALL // max(loans * months, 1)
    return max(min(max(block, threads), MOST_PATHS_A_CALL) // threads, 1) * threads


def advance(run: ScenarioRun, paths: range, size: RunSize, progress: Progress | None = None) -> Totals:
    """Run all blocks of paths, check each, and keep what the Dataset needs."""
    threads = size.threads or available_cores()
    path_block = size.path_block or _default_path_block(run.book.loans.bucket.size, run.months, threads)
    totals = _empty_totals(run, len(paths))
    work = _workspace(run, threads, whole_book=size.month_major or couples(run.service))
    with ThreadPoolExecutor(threads) as pool:
        for first in range(paths.start, paths.stop, path_block):
            chunk = range(first, min(first + path_block, paths.stop))
            result, systematic = _run_block(run, chunk, work, pool)
            check_identities(result, first, run.months)
            _keep(run, range(first - paths.start, chunk.stop - paths.start), result, systematic, totals)
            if progress is not None:
                progress(chunk.stop - paths.start)
    return totals


def _run_block(
    run: ScenarioRun, chunk: range, work: Workspace, pool: ThreadPoolExecutor
) -> tuple[Result, SystematicPaths]:
    """Draw the systematic paths of a block of paths and run the kernel on them.

    Returns the kernel's result and the paths, with the scenario's path in the index.
    """
    needed = months_needed(run.parameters, run.months)
    names = run.book.cells.factor_names
    drawn = draw_systematic(names, run.parameters, chunk, run.months, needed, seed=int(run.seed))
    index = run.macro.used_car_index.to_numpy()[: needed + 1] * drawn.index
    clock = Clock(
        run.seed,
        chunk.start,
        run.months,
        RUN_OFF_MONTHS,
        run.parameters.default_bucket,
        run.parameters.nonaccrual_months,
        run.parameters.probation_months,
        LOAN_BLOCK,
    )
    hazards = run.hazards._replace(factor=np.ascontiguousarray(drawn.factor))
    result = _empty_result(run, len(chunk))
    workouts = build_workouts(index, run.parameters, run.as_of_month)
    shares = [
        pool.submit(simulate_paths, worker, run.book.loans, hazards, workouts, run.service, clock, work, result)
        for worker in range(work.state.shape[0])
    ]
    for share in shares:
        share.result()
    return result, SystematicPaths(drawn.factor, index)


def _workspace(run: ScenarioRun, threads: int, *, whole_book: bool) -> Workspace:
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


def _empty_result(run: ScenarioRun, paths: int) -> Result:
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


def _empty_totals(run: ScenarioRun, paths: int) -> Totals:
    shape = _empty_result(run, 1)
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


def _keep(run: ScenarioRun, chunk: range, result: Result, systematic: SystematicPaths, totals: Totals) -> None:
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
