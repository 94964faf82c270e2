"""Whether a run fits: into memory, and its files onto the disk."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import xarray as xr

from outputs.quantities import bytes_text
from outputs.store import PORTION_BYTES, stored_by_path, write_results
from scenarios.errors import Fault
from scenarios.schema import Study, SyntheticPortfolio
from simulator.machine import Room, free_disk
from simulator.plan import Need, Publishing
from simulator.shapes import PATH, by_run

if TYPE_CHECKING:
    from simulator.engine import RunSize
    from simulator.study import StudyInputs
    from simulator.trial import Trial

PUBLISHING: Final = Publishing(nbytes=90 << 20, run=5 << 19, variables=3.0, table=PORTION_BYTES)
"""Memory of matplotlib, pictures, tables and the report, measured; `tests/test_plan.py` holds runs to it. Of a scenario
under a strategy it is a panel's pixels in the tallest picture, and its share of what is drawn and kept until it is
written. Tables by month hold three arrays as large as a variable of the book at once."""

DOCUMENTS: Final = 4 << 20
"""Bytes of report, pictures and tables whatever the number of scenarios and strategies, rather too many."""

DOCUMENTS_A_RUN: Final = 1 << 20
"""Bytes more of them for each scenario under each strategy, which has a panel of its own in most pictures; measured on
runs of one strategy to eight."""

TAPE_SHARE: Final = 0.125
"""Share of a tape's bytes in memory that it takes in a file, compressed: a tenth as measured."""

BOOK_LOAN: Final = 900
"""Bytes of a loan while a drawn book is turned into arrays, as measured: 570 on the tape, 330 beside it."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Memory that a run may take altogether.

    Attributes
    ----------
    nbytes : int
    basis : str
        Whose limit it is, for a sentence.
    """

    nbytes: int
    basis: str


def allowance(limit: int | None, room: Room | None, held: int) -> Allowance | None:
    """Memory that a run may take: the limit that was set, or what it holds and what is free; None where unknown."""
    if limit is not None:
        return Allowance(limit, "the limit that was set")
    if room is None:
        return None
    return Allowance(room.nbytes + (0 if room.whole else held), room.basis)


def book_shortage(study: Study, allowed: Allowance) -> Fault | None:
    """What is wrong with a book to draw that does not fit by itself; None where it does, or is read from a file."""
    portfolio = study.portfolio
    if not isinstance(portfolio, SyntheticPortfolio):
        return None
    loans = portfolio.synthetic.loans
    if loans * BOOK_LOAN <= allowed.nbytes:
        return None
    found = f"a book of {loans:,} loans, which takes about {bytes_text(loans * BOOK_LOAN)} of memory by itself"
    fits = f"{allowed.nbytes // BOOK_LOAN:,} loans fit" if allowed.nbytes >= BOOK_LOAN else ""
    where = study.where("portfolio", "synthetic", "loans")
    return Fault(where, found, _at_most(allowed), f"{fits}, without results. {ALL_THE_SAME}" if fits else ALL_THE_SAME)


def memory_shortage(inputs: StudyInputs, need: Need, size: RunSize, allowed: Allowance) -> Fault | None:
    """What is wrong with a run that takes more memory than it may; None where it fits."""
    if need.total <= allowed.nbytes:
        return None
    study = inputs.study
    results = f"{bytes_text(need.dataset)} of it for the results of {study.paths:,} paths"
    found = f"a run that takes {bytes_text(need.total)} of memory at its peak, {results}"
    remedy = f"{_way_out(inputs, need, size, allowed)} {ALL_THE_SAME}"
    return Fault(study.where("paths"), found, _at_most(allowed), remedy)


ALL_THE_SAME: Final = "`--memory-limit none` starts it all the same."


def _at_most(allowed: Allowance) -> str:
    return f"at most {bytes_text(allowed.nbytes)}, {allowed.basis}"


def _way_out(inputs: StudyInputs, need: Need, size: RunSize, allowed: Allowance) -> str:
    """What would make a run fit, as a sentence."""
    if need.so_far >= need.total:  # the run itself would take less
        return f"Reading the book of {len(inputs.tape):,} loans took {bytes_text(need.so_far)}: run a part of the book."
    study, threads = inputs.study, size.threads or 1
    least = 1 if study.uncertainty is None else 2 * study.uncertainty.draws
    paths = rounded_down(need.most_paths(allowed.nbytes))
    ways = [f"`--paths {paths}` fits"] if paths >= least else []
    spared = need.scratch * (threads - 1) // threads
    if spared > need.total // 10:
        ways.append(f"`--threads 1` spares {bytes_text(spared)}")
    if len(inputs.scenarios) > 1 and need.dataset > need.total // 4:
        ways.append("a study of fewer scenarios takes less")
    if not ways and 2 * (need.arranging + tape_bytes(inputs)) > need.total:
        ways = [f"its book of {len(inputs.tape):,} loans takes most of it: run a part of the book"]
    if not ways:
        ways = [f"{bytes_text(need.total - need.dataset)} of it do not depend on paths: a limit must be above that"]
    sentence = "; ".join(ways)
    return f"{sentence[0].upper()}{sentence[1:]}."


def rounded_down(number: int) -> int:
    """Two leading digits of a number, the others 0."""
    step = int(10 ** max(len(str(number)) - 2, 0))
    return number // step * step


# --- files ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Output:
    """Files of a run, bytes: the results file; report, pictures and tables."""

    results: int
    documents: int

    @property
    def total(self) -> int:
        """All files."""
        return self.results + self.documents


def most_output(inputs: StudyInputs, need: Need) -> int:
    """Bytes that the files cannot exceed: nothing is compressed."""
    return need.dataset + tape_bytes(inputs) + documents_bytes(inputs)


def output_size(inputs: StudyInputs, trial: Trial) -> Output:
    """Size of a run's files, from a trial, which is of one scenario under one strategy."""
    found, runs = trial.results, number_of_runs(inputs)
    own = {str(name) for name in found.data_vars if PATH in found[name].dims and by_run(str(name))}
    a_path = sum(nbytes * (runs if name in own else 1) for name, nbytes in stored_a_path(found).items())
    return Output(round(inputs.study.paths * a_path + TAPE_SHARE * tape_bytes(inputs)), documents_bytes(inputs))


def number_of_runs(inputs: StudyInputs) -> int:
    """Scenarios times strategies: panels of most pictures."""
    return len(inputs.scenarios) * len(inputs.strategies)


def documents_bytes(inputs: StudyInputs) -> int:
    """Bytes of report, pictures and tables, roughly and rather too many."""
    return DOCUMENTS + number_of_runs(inputs) * DOCUMENTS_A_RUN


def tape_bytes(inputs: StudyInputs) -> int:
    """Bytes of the tape in memory."""
    return sum(int(column.nbytes) for column in inputs.tape.columns.values())


def stored_a_path(results: xr.Dataset) -> dict[str, float]:
    """Bytes that a path of each variable takes in a results file, compressed as it is there."""
    with tempfile.TemporaryDirectory(prefix="carstress-") as folder:
        file = Path(folder) / "trial.nc"
        write_results(file, results)
        return {name: nbytes / results.sizes["path"] for name, nbytes in stored_by_path(file).items()}


def disk_shortage(nbytes: int, folder: Path) -> Fault | None:
    """What is wrong with files for which the disk has no room; None where they fit, or nobody knows."""
    free = free_disk(folder)
    if free is None or nbytes <= free:
        return None
    found, expected = f"about {bytes_text(nbytes)} of files", f"at most {bytes_text(free)}, what is free on that disk"
    remedy = "Choose a folder on another disk with --out, or fewer paths with --paths."
    return Fault(str(folder), found, expected, remedy)
