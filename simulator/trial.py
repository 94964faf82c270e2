"""A run tried out in small: what it takes of memory for each loan and each path, measured where it is not known.

Arrays that a run makes are known by their shapes before they are made. What numpy and Python take on the way is not:
it is measured, by `tracemalloc`, on a part of the study's own book.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import xarray as xr

from simulator.engine import RunSize, advance, cut_up, prepare
from simulator.kernels.compile import CACHE_FOLDER
from simulator.kernels.portfolio import simulate_paths
from simulator.labels import label_results
from simulator.machine import peak_memory, resident_memory
from simulator.scratch import workspace_shapes
from simulator.shapes import bytes_of, path_shapes
from simulator.stages import CHUNK
from simulator.tape import LoanTape, part_of, tape_to_arrays
from simulator.totals import ScenarioRun, dataset_sizes, result_shapes

if TYPE_CHECKING:
    from simulator.study import StudyInputs

Found = TypeVar("Found")

SMALL: Final = 1000
"""Loans of the book on which a block of paths is tried: what a path takes does not depend on their number."""

SMALLEST: Final = 10
"""Loans that are enough to compile the kernels; and for a trial, too, where they are not compiled and so are slow."""

COMPILED: Final = hasattr(simulate_paths, "signatures")
"""Whether kernels are compiled at all: NUMBA_DISABLE_JIT=1 leaves them plain Python."""

SAMPLE: Final = 2 * CHUNK
"""Loans from which on a book is arranged for trial in part: two parts that differ by whole portions tell the slope."""

LOADED_KERNELS: Final = 64 << 20
"""Memory of kernels that were found on disk, as measured; compiling them leaves several times as much behind."""


class Taken(NamedTuple):
    """Bytes that some work took: at its peak, and of that what its result keeps."""

    peak: float
    kept: float


class Process(NamedTuple):
    """Memory of a process with the book and the kernels, bytes; None where the system does not tell.

    `held` is what it holds, `peak` the most that it held until then.
    """

    held: int | None
    peak: int | None


@dataclass(frozen=True, slots=True)
class Kernels:
    """What it took to have the kernels ready.

    Attributes
    ----------
    seconds : float
        Of compiling; 0 where they lay on disk.
    lasting : bool
        Whether the next process finds them on disk.
    now, later : Process
        This process, and a later one that runs the same: it finds on disk what was compiled here.
    """

    seconds: float
    lasting: bool
    now: Process
    later: Process


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found.

    Attributes
    ----------
    run : ScenarioRun
        The study's first scenario on a part of its book, or on all of it: shapes come from it.
    book : Taken
        By turning the study's whole book into arrays.
    stored : float
        By turning its tape into arrays for a file, bytes.
    path : float
        Bytes that a path of a block takes while it is drawn and kept, beside the kernels' result.
    loan_path : float
        Seconds of a path of one loan, roughly.
    results : xarray.Dataset
        Of a block of paths of a few of the loans.
    """

    run: ScenarioRun
    book: Taken
    stored: float
    path: float
    loan_path: float
    results: xr.Dataset


def ready_kernels(inputs: StudyInputs, size: RunSize) -> Kernels:
    """Run a path of a few loans, so that the kernels are compiled, or loaded where they lie on disk."""
    before, made = Process(resident_memory(), peak_memory()), _compiled()
    run = _arranger(inputs)(part_of(inputs.tape, SMALLEST))
    started = time.perf_counter()
    advance(run, range(1), size)
    seconds = time.perf_counter() - started
    now, lasting = Process(resident_memory(), peak_memory()), CACHE_FOLDER is not None
    if _compiled() == made:
        return Kernels(0.0, lasting, now, now)
    held = None if before.held is None else before.held + LOADED_KERNELS
    return Kernels(seconds, lasting, now, Process(held, before.peak) if lasting else now)


def _compiled() -> int:
    """How often the kernel that holds all others was compiled in this process, not loaded."""
    signatures = getattr(simulate_paths, "signatures", ())  # a plain function where compilation is switched off
    stats = getattr(simulate_paths, "stats", None)
    return len(signatures) - (0 if stats is None else sum(stats.cache_hits.values()))


def try_out(inputs: StudyInputs, size: RunSize) -> Trial:
    """Measure what the study takes; the kernels are ready."""
    arrange = _arranger(inputs)
    run, book = _book(inputs.tape, arrange)
    few = part_of(inputs.tape, SMALL if COMPILED else SMALLEST)
    small = arrange(few)
    threads, paths, whole_book = cut_up(small, size if COMPILED else replace(size, path_block=1))
    started = time.perf_counter()
    totals, block = taken(lambda: advance(small, range(paths), replace(size, path_block=paths)))
    seconds = time.perf_counter() - started
    known = (
        bytes_of(workspace_shapes(small, threads, whole_book=whole_book))
        + bytes_of(result_shapes(small, paths))
        + paths * bytes_of(path_shapes(dataset_sizes(small)))
    )
    results = label_results(small, totals, tape=few, trace=(), paths=range(paths))
    _, stored = taken(lambda: tape_to_arrays(few))
    a_path = max(block.peak - known, 0.0) / paths
    tape = stored.kept * len(inputs.tape) / len(few)
    return Trial(run, book, tape, a_path, seconds / (paths * len(few)), results)


def _arranger(inputs: StudyInputs) -> Callable[[LoanTape], ScenarioRun]:
    """What turns a book into the arrays of the study's first scenario, under the strategy of the most rungs.

    Nothing is declined: of a few loans cut-offs may leave none.
    """
    study, macro, parameters, servicing = (
        inputs.study,
        inputs.macro_paths()[0],
        inputs.parameters(),
        max(inputs.servicings(), key=lambda each: 0 if each.strategy is None else len(each.strategy.labels)),
    )
    if servicing.strategy is not None:
        open_to_all = servicing.strategy.model_copy(update={"underwriting": None})
        servicing = replace(servicing, strategy=open_to_all)
    return lambda tape: prepare(tape, macro, parameters, servicing, months=study.months, seed=study.seed)


def _book(tape: LoanTape, arrange: Callable[[LoanTape], ScenarioRun]) -> tuple[ScenarioRun, Taken]:
    """The book as arrays, or a part of a large one, and what all of it takes."""
    most, fewer = part_of(tape, SAMPLE), part_of(tape, SAMPLE // 2)
    run, whole = taken(lambda: arrange(most))
    if len(tape) <= SAMPLE:
        return run, whole
    _, half = taken(lambda: arrange(fewer))
    beyond = 2.0 * (len(tape) - SAMPLE) / SAMPLE
    peak, kept = (large + beyond * (large - small) for large, small in zip(whole, half, strict=True))
    return run, Taken(peak, kept)


def taken(work: Callable[[], Found]) -> tuple[Found, Taken]:
    """What work returns, and the memory that it took as Python and numpy count it."""
    mine = not tracemalloc.is_tracing()
    if mine:
        tracemalloc.start(1)
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        found = work()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        if mine:
            tracemalloc.stop()
    return found, Taken(float(peak - before), float(after - before))
