"""A study: one book under several scenarios, on common draws."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import xarray as xr

from scenarios.digest import file_digest
from scenarios.errors import Fault, InputError
from scenarios.file_spec import FileSpec
from scenarios.library import study_path, study_scenarios
from scenarios.macro import MonthlyMacro, monthly_macro
from scenarios.schema import FilePortfolio, MacroScenario, Study, Synthetic, SyntheticPortfolio
from scenarios.shelf import is_missing, is_path
from simulator.effects import losses_at_top, top_runs, variables_without_effect
from simulator.engine import RunSize, months_needed, simulate
from simulator.offsets import with_reach
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters, seasoned_shares
from simulator.tape import (
    LoanTape,
    load_layout,
    profile_names,
    read_tape,
    synthetic_tape,
    tape_from_arrays,
    tape_to_arrays,
)
from simulator.tape.rejects import refuse_rejects
from simulator.tape.tape import METADATA
from simulator.weights import scenario_weights

Found = TypeVar("Found")

FindParameterSet = Callable[[str, Path, str], ParameterSet]
"""Finds a parameter set by name or path from a folder; the third text says who asks (for errors)."""

StudyProgress = Callable[[str, int], None]
"""Called with the scenario's name and the number of its paths done."""


@dataclass(frozen=True, slots=True)
class StudyInputs:
    """All that a study needs, read and checked: a run is a function of this alone.

    Attributes
    ----------
    study : Study
        Paths, horizon, seed, limits.
    tape : LoanTape
        The book.
    scenarios : tuple of MacroScenario
        In the study's order, what they extend worked out.
    sets : tuple of ParameterSet
        One a tier.
    files : mapping of str to str
        SHA-256, taken as it was read, of every file that was, those that others extend included, by its path from the
        study's folder.
    """

    study: Study
    tape: LoanTape
    scenarios: tuple[MacroScenario, ...]
    sets: tuple[ParameterSet, ...]
    files: dict[str, str]

    def parameters(self) -> Parameters:
        """The sets as the engine's dense bundle."""
        return build_parameters(self.sets)

    def macro_paths(self) -> tuple[MonthlyMacro, ...]:
        """Monthly paths of every scenario; all faults of all scenarios at once."""
        study = self.study
        needed = months_needed(self.parameters(), study.months)
        as_of = (self.tape.as_of.year, self.tape.as_of.month)
        paths: list[MonthlyMacro] = []
        faults: list[Fault] = []
        for scenario in self.scenarios:
            try:
                shift = study.shift_calendar
                macro = monthly_macro(scenario, as_of, study.months, needed, shift_calendar=shift)
                paths.append(with_reach(macro, scenario, self.tape))
            except InputError as error:
                faults.extend(error.faults)
        if faults:
            raise InputError(faults)
        return tuple(paths)

    def weights(self) -> tuple[float, ...] | None:
        """Probability of each scenario, sum 1; None where they carry none."""
        return scenario_weights(self.study, self.scenarios)

    def runs(self) -> dict[str, int]:
        """Names of the runs of `run_study` as progress is told of them, in order, and the paths of each."""
        again = top_runs(self.study, self.scenarios, self.sets)
        return {**dict.fromkeys((item.name for item in self.scenarios), self.study.paths), **again}

    def with_run(self, *, paths: int | None = None, seed: int | None = None) -> StudyInputs:
        """The same study with another number of paths or another seed."""
        changes = {name: value for name, value in (("paths", paths), ("seed", seed)) if value is not None}
        return replace(self, study=self.study.model_copy(update=changes)) if changes else self


def load_inputs(study: Study, find_set: FindParameterSet) -> StudyInputs:
    """Read what a study names.

    Raises
    ------
    InputError
        With the faults of every scenario and parameter set, and of the tape.
    """
    faults: list[Fault] = []
    portfolio = study.portfolio
    book = _kept(faults, partial(_read_book, study, portfolio)) if isinstance(portfolio, FilePortfolio) else None
    sets = [_kept(faults, partial(find_set, *reference)) for reference in _set_references(study)]
    if isinstance(portfolio, SyntheticPortfolio):
        described = sets[0] if portfolio.synthetic.parameters is None else sets.pop()
        book = _kept(faults, partial(_draw_book, study, portfolio.synthetic, described)) if described else None
    scenarios = _kept(faults, partial(study_scenarios, study))
    found = tuple(item for item in sets if item is not None)
    if faults or scenarios is None or book is None:
        raise InputError(faults)
    inputs = StudyInputs(study, book.tape, scenarios, found, _files(study, (*found, *scenarios), book))
    _check_currency(inputs)
    for check in (inputs.weights, inputs.macro_paths):
        _kept(faults, check)
    if faults:
        raise InputError(faults)
    return inputs


def _kept(faults: list[Fault], read: Callable[[], Found]) -> Found | None:
    """What a reader returns; its faults join the others', so that all are reported at once."""
    try:
        return read()
    except InputError as error:
        faults.extend(error.faults)
        return None


def _set_references(study: Study) -> list[tuple[str, Path, str]]:
    """Name, folder and place of each parameter set: one a tier, last the one that describes a book to draw."""
    single = isinstance(study.parameters, str)
    places: list[tuple[str | int, ...]] = [
        ("parameters",) if single else ("parameters", place) for place in range(len(study.parameter_sets))
    ]
    names = list(study.parameter_sets)
    if isinstance(study.portfolio, SyntheticPortfolio) and study.portfolio.synthetic.parameters is not None:
        names.append(study.portfolio.synthetic.parameters)
        places.append(("portfolio", "synthetic", "parameters"))
    return [(name, study.folder, study.where(*place)) for name, place in zip(names, places, strict=True)]


@dataclass(frozen=True, slots=True)
class _Book:
    tape: LoanTape
    files: tuple[Path, ...]


def _draw_book(study: Study, wish: Synthetic, described: ParameterSet) -> _Book:
    if described.name not in profile_names():
        where = study.where("portfolio", "synthetic", *([] if wish.parameters is None else ["parameters"]))
        found = f"no tape profile describes a book of parameter set {described.name}"
        remedy = "Name a shipped set under `portfolio.synthetic.parameters`; `parameters` may still be another."
        raise InputError(Fault(where, found, f"one of {', '.join(profile_names())}", remedy))
    try:
        return _Book(draw_tape(wish, described), described.files)
    except InputError as error:
        placed = [(study.where("portfolio", "synthetic", fault.found.split(" = ")[0]), fault) for fault in error.faults]
        raise InputError(replace(fault, where=where) for where, fault in placed) from None


def _read_book(study: Study, portfolio: FilePortfolio) -> _Book:
    """The tape of a study, and the files that it was read from."""
    faults = _missing_files(study, portfolio)
    if faults:
        raise InputError(faults)
    path, named = study_path(study, portfolio.file), portfolio.mapping or portfolio.format
    where = study.where("portfolio", "file" if portfolio.mapping is None else "mapping")
    layout = load_layout(study_path(study, named) if is_path(named) else named, where)
    tape = read_tape(path, portfolio.format, layout)
    stated = "rejected_at_most_percent" in portfolio.model_fields_set
    where = study.where("portfolio", "rejected_at_most_percent" if stated else "file")
    refuse_rejects(tape.report, path, portfolio.rejected_at_most_percent, where=where, currency=tape.currency)
    return _Book(tape, (path, *layout.files))


def _missing_files(study: Study, portfolio: FilePortfolio) -> list[Fault]:
    """Faults of a tape or mapping that is not where the study says."""
    named = {"file": portfolio.file}
    if portfolio.mapping is not None and is_path(portfolio.mapping):
        named["mapping"] = portfolio.mapping
    remedy = "Relative paths start from this file's folder."
    faults = []
    for key, name in named.items():
        path = study_path(study, name)
        if is_missing(path):
            found = f"the file {path} does not exist"
            faults.append(Fault(study.where("portfolio", key), found, "a file", remedy))
    return faults


def draw_tape(wish: Synthetic, described: ParameterSet) -> LoanTape:
    """Synthetic book of one parameter set; its delinquency is the set's seasoned state."""
    parameters = build_parameters([described])
    return synthetic_tape(
        described.name,
        wish.loans,
        seed=wish.seed,
        as_of=wish.as_of,
        bucket_shares=seasoned_shares(parameters, 0),
        bucket_edges=parameters.bucket_edges,
        minimum_remaining_term=wish.minimum_remaining_term,
    )


def _files(study: Study, specs: Iterable[FileSpec], book: _Book) -> dict[str, str]:
    """Digest of every file that was read, by its path from the study's folder; what is shipped has the version's."""
    read = [*study.files, *book.files, *(path for spec in specs for path in spec.files)]
    return {Path(os.path.relpath(path, study.folder)).as_posix(): file_digest(path) for path in read}


def _check_currency(inputs: StudyInputs) -> None:
    wrong = [item for item in inputs.sets if item.currency != inputs.tape.currency]
    if wrong:
        raise InputError(
            Fault(
                inputs.study.where("parameters"),
                f"parameter set {item.name} is in {item.currency} but the tape is in {inputs.tape.currency}",
                f"parameter sets in {inputs.tape.currency}",
                "Sale costs are amounts: use a set of the tape's currency, or convert the tape.",
            )
            for item in wrong
        )


def run_study(inputs: StudyInputs, *, size: RunSize | None = None, progress: StudyProgress | None = None) -> xr.Dataset:
    """Simulate a study's book under each of its scenarios on the same draws.

    Returns
    -------
    xarray.Dataset
        As `simulate`, with all scenarios along `scenario`; further `loss_at_top_sensitivity` (`effects.losses_at_top`),
        the coordinate `scenario_weight` where the scenarios carry weights, and the attribute
        `variables_without_effect`, names of macro variables with blanks between.
    """
    study, parameters, macros = inputs.study, inputs.parameters(), inputs.macro_paths()
    parts = []
    for macro in macros:
        report = None if progress is None else _for_scenario(progress, macro.name)
        part = simulate(
            inputs.tape,
            macro,
            parameters,
            paths=study.paths,
            months=study.months,
            seed=study.seed,
            size=size,
            progress=report,
        )
        parts.append(part)
    results = _join(parts)
    top = losses_at_top(inputs.tape, macros, inputs.sets, study, size=size, progress=progress)
    if top is not None:
        results[top.name] = top
    weights = inputs.weights()
    if weights is not None:
        results = results.assign_coords(scenario_weight=("scenario", np.array(weights)))
    idle = " ".join(variables_without_effect(parameters))
    return results.assign_attrs(title=study.title or study.name, variables_without_effect=idle)


def _join(parts: list[xr.Dataset]) -> xr.Dataset:
    """Scenarios along one dim; what has no such dim (factors, opening balances) is the same in every part."""
    return xr.concat(
        parts,
        "scenario",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )


def _for_scenario(progress: StudyProgress, name: str) -> Callable[[int], None]:
    return lambda done: progress(name, done)


# --- a study in a results file -------------------------------------------------------------------------


def inputs_to_store(inputs: StudyInputs) -> dict[str, xr.Dataset | str]:
    """What a results file keeps so that the study can be run again from it alone."""
    arrays = tape_to_arrays(inputs.tape)
    metadata = str(arrays.pop(METADATA))
    tape = xr.Dataset({name: ("loan", column) for name, column in arrays.items()}, attrs={METADATA: metadata})
    return {
        "tape": tape,
        "study": inputs.study.model_dump_json(),
        "scenarios": json.dumps([item.model_dump(mode="json") for item in inputs.scenarios]),
        "parameters": json.dumps([item.model_dump(mode="json") for item in inputs.sets]),
    }


def inputs_from_store(stored: dict[str, xr.Dataset | str], source: Path) -> StudyInputs:
    """Inverse of `inputs_to_store`; `source` is the results file, the one input of the run that follows."""
    table = stored["tape"]
    if not isinstance(table, xr.Dataset):
        raise TypeError("the stored tape is a Dataset; this one is text")
    arrays = {str(name): column.to_numpy() for name, column in table.data_vars.items()}
    return StudyInputs(
        study=Study.model_validate_json(str(stored["study"])),
        tape=tape_from_arrays({**arrays, METADATA: table.attrs[METADATA]}),
        scenarios=tuple(MacroScenario.model_validate(item) for item in json.loads(str(stored["scenarios"]))),
        sets=tuple(ParameterSet.model_validate(item) for item in json.loads(str(stored["parameters"]))),
        files={source.name: file_digest(source)},
    )
