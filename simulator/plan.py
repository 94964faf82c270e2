"""What a run needs of memory, before it starts.

A run's memory is the program's own with the book on the tape; the Dataset, which grows with paths; and what the run
works with beside it, which does not. The Dataset and the kernels' arrays are known by the shapes from which they are
made; the rest is measured in small (`simulator.trial`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.effects import TOP_PATHS, top_runs
from simulator.engine import BLOCKS_AT_ONCE, RunSize, cut_up
from simulator.scratch import workspace_shapes
from simulator.shapes import PATH, Shape, bytes_of, other_shapes, path_shapes, study_shape
from simulator.totals import dataset_sizes, result_shapes
from simulator.trial import Process, Trial

if TYPE_CHECKING:
    from simulator.study import StudyInputs

PROGRAM: Final = 300 << 20
"""Memory of Python, its libraries and the kernels, where the system does not tell: as measured on Linux."""

NUMBER: Final = 8
"""Bytes of a floating number."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """What pictures, tables, report and files take beside the Dataset; `outputs.publish` knows.

    Attributes
    ----------
    nbytes : int
        Whatever the study.
    run : int
        For each scenario under each strategy: its panels.
    variables : float
        For each path as much as so many variables of the book over all months and scenarios.
    table : int
        At most, of the tape's columns that are written together.
    """

    nbytes: int
    run: int
    variables: float
    table: int


@dataclass(frozen=True, slots=True)
class Need:
    """Memory of a run, bytes.

    Attributes
    ----------
    program : int
        What the process holds before the simulation: Python, its libraries, the kernels and the book.
    told : bool
        Whether the system says so; else it is an estimate.
    dataset : int
        The Dataset of the results, all of it.
    arranging : int
        Beside it while the book is turned into arrays.
    book, scratch, block : int
        Beside it while paths are simulated: the book as arrays, the kernels' scratch, and the blocks of paths at work.
    further : int
        Beside it all that time: means by draw of the parameters, and the results of runs with other sensitivities.
    publishing : int
        Beside it while pictures, tables and files are made.
    so_far : int
        The most that this process has held already, reading the book for one.
    paths : int
        Of the study.
    path : float
        What one path more adds.
    """

    program: int
    told: bool
    dataset: int
    arranging: int
    book: int
    scratch: int
    block: int
    further: int
    publishing: int
    so_far: int
    paths: int
    path: float

    @property
    def working(self) -> int:
        """At the most beside program and Dataset: arranging, simulating and publishing come one after the other."""
        return max(max(self.arranging, self.book + self.scratch + self.block) + self.further, self.publishing)

    @property
    def total(self) -> int:
        """At the peak."""
        return max(self.program + self.dataset + self.working, self.so_far)

    @property
    def still(self) -> int:
        """What the process will ask for beyond what it holds."""
        return self.dataset + self.working

    def most_paths(self, total: int) -> int:
        """Paths that fit into so much memory altogether; 0 where not even one does, or the book took more already."""
        if self.so_far > total:
            return 0
        return max(int((total - self.program - self.still) / self.path) + self.paths, 0)


def memory_need(inputs: StudyInputs, size: RunSize, trial: Trial, publishing: Publishing, process: Process) -> Need:
    """Memory that a study takes in a process that has its book and the kernels; the trial is one of this size."""
    run, paths, loans = trial.run, inputs.study.paths, len(inputs.tape)
    sizes, cut = dataset_sizes(run), cut_up(run, size, loans)
    block = min(BLOCKS_AT_ONCE * cut.path_block, paths)  # only one is kept at a time: rather too much than too little
    tape = sum(column.nbytes for column in inputs.tape.columns.values())
    fixed, by_path = _dataset(inputs, trial, sizes)
    runs = len(inputs.scenarios) * len(inputs.strategies)
    told = publishing.variables * runs * Shape((sizes["month"],)).nbytes
    return Need(
        program=PROGRAM + tape if process.held is None else process.held,
        told=process.held is not None,
        dataset=fixed + paths * by_path,
        arranging=round(max(trial.book.peak, _offered_and_lent(inputs) * trial.book.kept)),
        book=round(trial.book.kept),
        scratch=bytes_of(workspace_shapes(run, cut.threads, whole_book=cut.whole_book, loans=loans)),
        block=bytes_of(result_shapes(run, block)) + round(block * trial.path),
        further=_further(inputs, sizes),
        # What the book took before is free again by then, but the allocator keeps it.
        publishing=round(trial.book.kept + trial.stored + min(tape, publishing.table) + paths * told)
        + publishing.nbytes
        + runs * publishing.run,
        so_far=process.peak or 0,
        paths=paths,
        path=by_path + told,
    )


def _offered_and_lent(inputs: StudyInputs) -> int:
    """Books that lie side by side as arrays: that which is offered, and the part that a strategy lends of it."""
    return 2 if any(each.criterion_names for each in inputs.servicings()) else 1


def _dataset(inputs: StudyInputs, trial: Trial, sizes: Mapping[str, int]) -> tuple[int, int]:
    """Bytes of the Dataset whatever its paths, and of each path."""
    scenarios, strategies = len(inputs.scenarios), len(inputs.strategies)
    by_path = sum(
        study_shape(name, shape, (scenarios, strategies), 1).nbytes for name, shape in path_shapes(sizes).items()
    )
    marks = [mark for mark in trial.results.coords.values() if PATH in mark.dims]
    others = [each for each in trial.results.variables.values() if PATH not in each.dims]
    again = NUMBER * scenarios * strategies * min(inputs.study.paths, TOP_PATHS) if _runs_again(inputs) else 0
    fixed = scenarios * strategies * sum(each.nbytes for each in others) + again
    return fixed, by_path + sum(mark.dtype.itemsize for mark in marks)


def _further(inputs: StudyInputs, sizes: Mapping[str, int]) -> int:
    """What is held while parts become one: means by draw of the parameters, and the other sensitivities' results."""
    study = inputs.study
    draws = 0 if study.uncertainty is None else study.uncertainty.draws
    again = min(study.paths, TOP_PATHS) * bytes_of(path_shapes(sizes)) if _runs_again(inputs) else 0
    return draws * bytes_of(other_shapes(sizes)) + again


def _runs_again(inputs: StudyInputs) -> bool:
    return bool(top_runs(inputs.study, inputs.scenarios, inputs.sets, inputs.servicings()))
