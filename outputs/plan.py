"""What a study's run will take: memory by shapes and a trial, time and files by a rehearsal.

A rehearsal is some paths of every scenario on the study's own book and this machine; then pictures, tables, report and
files of what they gave, in a folder that is removed. What grows with paths is scaled from there.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from outputs.limits import check_limits
from outputs.publish import publish_run
from outputs.room import Output, stored_a_path
from outputs.run_folder import RESULTS
from outputs.store import stored_by_path
from outputs.strategies_view import compared
from outputs.terminal import further_lines, measures_document
from simulator.plan import Need
from simulator.rehearsal import Rehearsal, Span, simulation_span

if TYPE_CHECKING:
    from simulator.engine import RunSize
    from simulator.study import StudyInputs
    from simulator.trial import Kernels

MOST_PATHS: Final = 2048
"""Paths of which the files are rehearsed at the most."""

FEW_PATHS: Final = 64
"""Where a study has twice as many or more, they are rehearsed on so few as well: the difference is what paths take."""


@dataclass(frozen=True, slots=True)
class Files:
    """Pictures, tables, report and files: seconds, and bytes."""

    seconds: float
    output: Output


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study's run will take.

    Attributes
    ----------
    inputs : StudyInputs
    size : RunSize
    need : Need
        Of memory.
    kernels : Kernels
    book : float
        Seconds until the book was read or drawn.
    simulation : Span
        Seconds of the simulation.
    files : Files
    rehearsal : Rehearsal
    """

    inputs: StudyInputs
    size: RunSize
    need: Need
    kernels: Kernels
    book: float
    simulation: Span
    files: Files
    rehearsal: Rehearsal

    @property
    def span(self) -> Span:
        """Seconds of the run, compiling left out."""
        return self.simulation.with_more(self.book + self.files.seconds)


def make_plan(
    inputs: StudyInputs, size: RunSize, need: Need, *, kernels: Kernels, rehearsal: Rehearsal, book: float
) -> Plan:
    """Put together what was measured, and rehearse the files; see `Plan` for what is what."""
    simulation = simulation_span(inputs, rehearsal)
    return Plan(inputs, size, need, kernels, book, simulation, _files(inputs, rehearsal), rehearsal)


def _files(inputs: StudyInputs, rehearsal: Rehearsal) -> Files:
    """Time and size of the files of all paths, from those of some."""
    paths = inputs.study.paths
    many = min(paths, MOST_PATHS)
    seconds, results, documents = _published(rehearsal, many)
    if paths >= 2 * many:
        fewer, _, _ = _published(rehearsal, FEW_PATHS)
        seconds += (paths - many) * max(seconds - fewer, 0.0) / (many - FEW_PATHS)
    a_path = sum(stored_a_path(rehearsal.results).values())
    return Files(seconds, Output(round(results + paths * a_path), documents))


def _published(rehearsal: Rehearsal, paths: int) -> tuple[float, int, int]:
    """Seconds that the files of so many paths take; bytes of results.nc less what paths take in it; of all others."""
    with tempfile.TemporaryDirectory(prefix="carstress-") as folder:
        started = time.perf_counter()
        results = _repeated(rehearsal.results, paths)
        limits = check_limits(results, rehearsal.inputs.study.limits)
        written = publish_run(Path(folder) / "run", rehearsal.inputs, results, limits)
        measures_document(results, limits, rehearsal.inputs)
        further_lines(results, compared(results))
        seconds = time.perf_counter() - started
        sizes = {path: path.stat().st_size for path in written}
        (file,) = (path for path in written if path.name == RESULTS)
        return seconds, sizes[file] - sum(stored_by_path(file).values()), sum(sizes.values()) - sizes[file]


def _repeated(results: xr.Dataset, paths: int) -> xr.Dataset:
    """Results of so many paths: those that there are, again and again, each with a number of its own."""
    own = np.arange(paths)
    repeated = results.isel(path=own % results.sizes["path"])
    if "path_top" in repeated.sizes:
        repeated = repeated.isel(path_top=slice(paths))
    return repeated.assign_coords(path=("path", own), batch=("path", own))
