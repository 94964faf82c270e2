"""One scenario of one book on many paths: kernel calls by block of paths, checks, labels."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scenarios.errors import Fault, InputError
from scenarios.macro import MonthlyMacro
from simulator.book import build_book
from simulator.business import lend, opening_of
from simulator.crew import Crew, portions
from simulator.economics import tier_mix
from simulator.factors import SystematicPaths, draw_systematic
from simulator.hazards import build_hazards
from simulator.horizon import RUN_OFF_MONTHS, months_needed
from simulator.identities import check_identities
from simulator.kernels.bundles import Clock, Result
from simulator.kernels.portfolio import simulate_paths
from simulator.kernels.workspace import Workspace
from simulator.labels import label_results
from simulator.ladder import build_ladder, couples, team_factors
from simulator.parameters import Parameters
from simulator.scratch import workspace
from simulator.servicing import Servicing
from simulator.shapes import Shape, path_shapes
from simulator.stages import stage_of
from simulator.tail_proposal import Proposal, rng_scheme
from simulator.tape import LoanTape
from simulator.totals import (
    LOAN_BLOCK,
    ROW,
    ScenarioRun,
    Totals,
    dataset_sizes,
    empty_result,
    empty_totals,
    keep,
)
from simulator.workouts import build_workouts, quanta_scale

Floats = NDArray[np.float64]

LOAN_MONTHS_A_BLOCK = 50_000_000
"""Aim of a block of paths, if it has several: seconds at most, so that progress shows."""

MOST_PATHS_A_BLOCK = 256
"""However small the book: the sums of a block of paths must stay small beside the results."""

BLOCKS_AT_ONCE = 2
"""While one block of paths is checked and kept, workers are at the next: no core waits for another at a block's end."""

Progress = Callable[[int], None]

PathArrays = Callable[[Mapping[str, Shape]], Mapping[str, NDArray[Any]]]
"""Gives the arrays of one run by path for the shapes that each has for one path."""


@dataclass(frozen=True, slots=True)
class RunSize:
    """How a run is cut up. None of it changes a bit of the result.

    `month_major` takes the whole book through each month together even where nothing couples its loans.
    """

    threads: int | None = None
    path_block: int | None = None
    month_major: bool = False


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
    into: PathArrays | None = None,
    proposal: Proposal | None = None,
) -> xr.Dataset:
    """Simulate a book under one macro scenario.

    Parameters
    ----------
    tape : LoanTape
        The book at its as-of date, before the strategy declines any of its loans.
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
        Collection strategy and the book's share of the market; without it nothing couples the loans of a path.
    trace : sequence of loan ids
        Loans whose own histories are returned as `trace_*`, over path x month 0..T.
    size : RunSize, optional
        Threads and paths in a block; neither changes a result.
    progress : callable, optional
        Called with the number of paths done after each block.
    into : PathArrays, optional
        Where the Dataset's arrays by path lie: those of a study, so that nothing is copied; else they are made here.
    proposal : Proposal, optional
        Where the systematic factors are drawn from; paths then carry the weights that undo it.

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
    run = replace(run, proposal=proposal)
    by_path = None if into is None else into(path_shapes(dataset_sizes(run)))
    totals = advance(run, chosen, size or RunSize(), progress, by_path)
    return label_results(run, totals, tape=tape, trace=tuple(trace), paths=chosen).assign_attrs(
        rng_scheme=rng_scheme(proposal)
    )


def prepare(
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
    whole = build_book(tape, parameters)
    hazards = build_hazards(whole.cells, macro, parameters, months, months + RUN_OFF_MONTHS)
    whole.loans.fact["stage"] = stage_of(whole.loans, parameters, hazards.class_multiplier)
    opening = opening_of(whole, tape, parameters, months)
    book, tape, business = lend(whole, tape, parameters, servicing.strategy, months=months, seed=seed)
    own = opening if book is whole else opening_of(book, tape, parameters, months)
    tiers, balance = len(parameters.names), tape["current_balance"]
    by_count = tier_mix(book.loans.fact.tier, np.ones(len(tape)), tiers)
    scale = quanta_scale(book.loans)
    return ScenarioRun(
        book=book,
        hazards=hazards,
        workouts=build_workouts(book.loans, parameters, tape.as_of.month, months_needed(parameters, months), scale),
        ladder=build_ladder(servicing, tape, book.loans, parameters, hazards),
        macro=macro,
        parameters=parameters,
        servicing=servicing,
        months=months,
        seed=np.uint64(seed),
        scale=scale,
        traced=_positions(tape, trace),
        mix=(tier_mix(book.loans.fact.tier, balance, tiers), by_count),
        proposal=None,
        opening=opening,
        lent=own,
        business=business,
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
    wanted = tuple(ids)
    order = {str(name): item for item, name in enumerate(tape.columns["loan_id"])} if wanted else {}
    missing = [name for name in wanted if name not in order]
    if missing:
        raise InputError([Fault("trace", f"loan {name!r}", "an id of the tape that was used") for name in missing])
    return np.array([order[name] for name in wanted], dtype=np.int64)


class Cut(NamedTuple):
    """How a run is cut up: threads, paths in a block, and whether a worker's scratch holds the whole book."""

    threads: int
    path_block: int
    whole_book: bool


def cut_up(run: ScenarioRun, size: RunSize, loans: int | None = None) -> Cut:
    """How a run of that size goes; `loans` if the book has another number of them than the run."""
    threads = size.threads or available_cores()
    count = run.book.loans.bucket.size if loans is None else loans
    block = size.path_block or _default_path_block(count, run.months, threads)
    return Cut(threads, block, size.month_major or couples(run.ladder))


def _default_path_block(loans: int, months: int, threads: int) -> int:
    block = LOAN_MONTHS_A_BLOCK // max(loans * months, 1)
    return max(min(max(block, threads), MOST_PATHS_A_BLOCK) // threads, 1) * threads


def advance(
    run: ScenarioRun,
    paths: range,
    size: RunSize,
    progress: Progress | None = None,
    by_path: Mapping[str, NDArray[Any]] | None = None,
) -> Totals:
    """Run all blocks of paths, check each, and keep what the Dataset needs, in `by_path` where that is given."""
    cut = cut_up(run, size)
    totals = empty_totals(run, len(paths), by_path)
    with Crew(cut.threads) as crew:
        for block in _in_order(run, paths, cut, crew):
            for call in block.calls:
                call.result()
            block.result.book[:, ROW["collection_cost"], 1] += run.business.fitting_cost
            check_identities(block.result, block.paths.start, run.months)
            rows = range(block.paths.start - paths.start, block.paths.stop - paths.start)
            keep(run, rows, block.result, block.systematic, totals)
            del block  # or it would be held beside the next ones
            if progress is not None:
                progress(rows.stop)
    return totals


class _Block(NamedTuple):
    """A block of paths that is being simulated; `result` is there when all `calls` have ended."""

    paths: range
    systematic: SystematicPaths
    result: Result
    calls: Sequence[Future[None]]


def _in_order(run: ScenarioRun, paths: range, cut: Cut, crew: Crew) -> Iterator[_Block]:
    """The blocks of a run; when one is handed out, the next has been started."""
    work, ahead = workspace(run, cut.threads, whole_book=cut.whole_book), deque[_Block]()
    for first in range(paths.start, paths.stop, cut.path_block):
        ahead.append(_start(run, range(first, min(first + cut.path_block, paths.stop)), work, crew))
        if len(ahead) == BLOCKS_AT_ONCE:
            yield ahead.popleft()
    while ahead:
        yield ahead.popleft()


def _start(run: ScenarioRun, paths: range, work: Workspace, crew: Crew) -> _Block:
    """Draw the systematic paths of a block, with the scenario's in the index, and hand the block to the crew."""
    needed = months_needed(run.parameters, run.months)
    names = run.book.cells.factor_names
    seed, proposal = int(run.seed), run.proposal
    drawn = draw_systematic(names, run.parameters, paths, run.months, needed, seed=seed, proposal=proposal)
    index = run.macro.used_car_index.to_numpy()[: needed + 1] * drawn.index
    clock = Clock(
        run.seed,
        paths.start,
        run.months,
        RUN_OFF_MONTHS,
        run.parameters.default_bucket,
        run.parameters.nonaccrual_months,
        run.parameters.probation_months,
        LOAN_BLOCK,
        run.scale,
    )
    hazards = run.hazards._replace(factor=np.ascontiguousarray(drawn.factor))
    result = empty_result(run, len(paths))
    workouts = run.workouts._replace(index_level=np.ascontiguousarray(index))
    ladder = run.ladder._replace(team=team_factors(run.servicing, paths, int(run.seed)))
    bundles = (run.book.loans, hazards, workouts, ladder, clock)
    calls = [
        crew.start(partial(_simulate, rows, bundles, work, result))
        for rows in portions(len(paths), run.book.loans.bucket.size * run.months, work.path.shape[0])
    ]
    return _Block(paths, SystematicPaths(drawn.factor, index, drawn.log_weight), result, calls)


def _simulate(rows: range, bundles: tuple[Any, ...], work: Workspace, result: Result, worker: int) -> None:
    """Call the kernel for some rows of a block, with one worker's scratch."""
    simulate_paths((worker, rows.start, rows.stop), bundles, work, result)
