"""A run rehearsed: a study on a few of its paths, on its own book and this machine, with a watch in hand.

Every scenario is run on some blocks of paths. What passes until the first block of a scenario is done, less a block's
time, is what arranging its book takes, once; the blocks after it tell the seconds of a path. A block begins before
the last one is done, so that single times are rougher than their mean.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import xarray as xr

from simulator.engine import RunSize, cut_up
from simulator.study import run_study
from simulator.tail_pilot import pilot_name
from simulator.trial import Trial
from simulator.uncertainty import draw_sets

if TYPE_CHECKING:
    from simulator.study import StudyInputs

SECONDS: Final = 2.0
"""What all paths of a rehearsal should take together."""

BLOCKS: Final = 4
"""Least number of blocks of a scenario's paths: the first also arranges the book, the others tell the speed."""

LEAST_BAND: Final = 0.15
"""Width of the band to either side at the least: what else goes on in a machine changes from minute to minute."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of one scenario's run.

    Attributes
    ----------
    before : float
        Until its paths begin: the book as arrays.
    path : float
        Of a path, mean over the blocks.
    fastest, slowest : float
        Of a path in the fastest and in the slowest block.
    """

    before: float
    path: float
    fastest: float
    slowest: float


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds that something will take, and the band in which they are expected."""

    seconds: float
    low: float
    high: float

    def with_more(self, seconds: float) -> Span:
        """The same with something that takes so many seconds, more or less `LEAST_BAND` of them."""
        low, high = self.low + (1.0 - LEAST_BAND) * seconds, self.high + (1.0 + LEAST_BAND) * seconds
        return Span(self.seconds + seconds, low, high)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal found.

    Attributes
    ----------
    inputs : StudyInputs
        The study that was rehearsed: fewer paths, parameters as stated, no method for the tail.
    results : xarray.Dataset
        What it gave.
    paces : name of run -> Pace
    draw : float
        Seconds of a draw of the parameters.
    seconds : float
        Of the rehearsal.
    """

    inputs: StudyInputs
    results: xr.Dataset
    paces: Mapping[str, Pace]
    draw: float
    seconds: float


def few_paths(inputs: StudyInputs, size: RunSize, trial: Trial) -> tuple[StudyInputs, RunSize]:
    """The study on a few of its paths, in blocks of the run's own size or smaller: what is to be rehearsed."""
    study = inputs.study
    few, block = _cut(inputs, size, trial)
    again = study.sensitivity_range and study.uncertainty is None
    changes = {"paths": few, "uncertainty": None, "tail": None, "sensitivity_range": again}
    return replace(inputs, study=study.model_copy(update=changes)), replace(size, path_block=block)


def rehearse(
    inputs: StudyInputs,
    few: tuple[StudyInputs, RunSize],
    progress: Callable[[str, int], None] | None = None,
) -> Rehearsal:
    """Run a study on a few paths of each scenario, as `few_paths` has them, and time their blocks."""
    plain, size = few
    watch = _Watch(progress)
    started = time.perf_counter()
    results = run_study(plain, size=size, progress=watch)
    seconds = time.perf_counter() - started
    return Rehearsal(plain, results, watch.paces(started), _draw(inputs), seconds)


def _cut(inputs: StudyInputs, size: RunSize, trial: Trial) -> tuple[int, int]:
    """Paths of a rehearsal, and those of a block: the run's own blocks, or smaller ones where it has few."""
    study, loans = inputs.study, len(inputs.tape)
    threads, block, _ = cut_up(trial.run, size, loans)
    block = min(block, max(-(-study.paths // BLOCKS), threads))
    wished = SECONDS / (max(len(inputs.run_names()), 1) * loans * trial.loan_path)
    return min(max(BLOCKS, math.ceil(wished / block)) * block, study.paths), block


def _draw(inputs: StudyInputs) -> float:
    """Seconds of a draw of the parameters."""
    study = inputs.study
    if study.uncertainty is None:
        return 0.0
    started = time.perf_counter()
    draw_sets(inputs.sets, study.uncertainty, 0, study.seed)
    return time.perf_counter() - started


class _Watch:
    """Notes when each block of paths was done."""

    def __init__(self, progress: Callable[[str, int], None] | None) -> None:
        self._tell = progress
        self._noted: dict[str, list[tuple[int, float]]] = {}

    def __call__(self, name: str, done: int) -> None:
        """Take note of a run's paths so far."""
        self._noted.setdefault(name, []).append((done, time.perf_counter()))
        if self._tell is not None:
            self._tell(name, done)

    def paces(self, started: float) -> dict[str, Pace]:
        """The pace of every run; `started` is when the first one began."""
        found, before = {}, started
        for name, notes in self._noted.items():
            found[name] = _pace(notes, before)
            before = notes[-1][1]
        return found


def _pace(notes: list[tuple[int, float]], began: float) -> Pace:
    """Pace of one run from its paths so far and the times of its blocks."""
    (first, after), *rest = notes
    if not rest:  # one block only: what is before it cannot be told from it
        whole = (after - began) / first
        return Pace(0.0, whole, whole, whole)
    steps = zip(notes, rest, strict=False)
    each = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in steps]
    path = (rest[-1][1] - after) / (rest[-1][0] - first)
    return Pace(max(after - began - first * path, 0.0), path, min(each), max(each))


def simulation_span(inputs: StudyInputs, rehearsal: Rehearsal) -> Span:
    """Seconds of the simulation of a whole study.

    The band spans the fastest and the slowest block of the rehearsal, but at least `LEAST_BAND` to either side.
    """
    study = inputs.study
    draws = 1 if study.uncertainty is None else study.uncertainty.draws
    runs = inputs.run_names()
    # A pilot is one of the first strategy: its pace is that of this strategy's runs.
    pilots = {pilot_name(scenario): name for (scenario, strategy), name in runs.items() if strategy == 0}
    before = rehearsal.draw * draws
    low = seconds = high = 0.0
    for name, paths in inputs.runs().items():
        pace = rehearsal.paces[pilots.get(name, name)]
        before += pace.before * (draws if name in runs.values() else 1)
        low, seconds, high = low + paths * pace.fastest, seconds + paths * pace.path, high + paths * pace.slowest
    total = before + seconds
    return Span(total, min(before + low, total * (1.0 - LEAST_BAND)), max(before + high, total * (1.0 + LEAST_BAND)))
