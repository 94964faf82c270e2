"""A study: one book under several scenarios, on common draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import xarray as xr

from scenarios.errors import Fault, InputError
from scenarios.library import study_path, study_scenarios
from scenarios.load import is_path
from scenarios.macro import MonthlyMacro, monthly_macro
from scenarios.schema import FilePortfolio, MacroScenario, Study, Synthetic
from simulator.engine import RunSize, months_needed, simulate
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters, seasoned_shares
from simulator.tape import LoanTape, read_tape, synthetic_tape, tape_from_arrays, tape_to_arrays
from simulator.tape.tape import METADATA

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
    files : mapping of str to Path
        Input files that were read, by the name that the user wrote.
    """

    study: Study
    tape: LoanTape
    scenarios: tuple[MacroScenario, ...]
    sets: tuple[ParameterSet, ...]
    files: dict[str, Path]

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
                paths.append(monthly_macro(scenario, as_of, study.months, needed, shift_calendar=shift))
            except InputError as error:
                faults.extend(error.faults)
        if faults:
            raise InputError(faults)
        return tuple(paths)

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
    faults = _missing_files(study)
    sets: list[ParameterSet] = []
    for place, name in enumerate(study.parameter_sets):
        where = study.where("parameters") if isinstance(study.parameters, str) else study.where("parameters", place)
        try:
            sets.append(find_set(name, study.folder, where))
        except InputError as error:
            faults.extend(error.faults)
    scenarios: tuple[MacroScenario, ...] = ()
    try:
        scenarios = study_scenarios(study)
    except InputError as error:
        faults.extend(error.faults)
    if faults:
        raise InputError(faults)
    inputs = StudyInputs(study, _tape(study, tuple(sets), find_set), scenarios, tuple(sets), _files(study))
    _check_currency(inputs)
    inputs.macro_paths()
    return inputs


def _missing_files(study: Study) -> list[Fault]:
    """Faults of a tape or mapping that is not where the study says."""
    portfolio = study.portfolio
    if not isinstance(portfolio, FilePortfolio):
        return []
    named = {"file": portfolio.file}
    if portfolio.mapping is not None and is_path(portfolio.mapping):
        named["mapping"] = portfolio.mapping
    remedy = "Relative paths start from this file's folder."
    return [
        Fault(study.where("portfolio", key), f"the file {study_path(study, name)} does not exist", "a file", remedy)
        for key, name in named.items()
        if not study_path(study, name).exists()
    ]


def _tape(study: Study, sets: tuple[ParameterSet, ...], find_set: FindParameterSet) -> LoanTape:
    portfolio = study.portfolio
    if isinstance(portfolio, FilePortfolio):
        named = portfolio.mapping
        mapping = study_path(study, named) if named is not None and is_path(named) else named
        return read_tape(study_path(study, portfolio.file), portfolio.format, mapping)
    wish = portfolio.synthetic
    where = study.where("portfolio", "synthetic", "parameters")
    described = sets[0] if wish.parameters is None else find_set(wish.parameters, study.folder, where)
    return draw_tape(wish, described)


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


def _files(study: Study) -> dict[str, Path]:
    """The study's own file by its name, and the files that it names by the words used."""
    own = Path(study.document.name) if study.document else Path()
    names = [name for name in (*study.parameter_sets, *study.scenarios) if is_path(name)]
    if isinstance(study.portfolio, FilePortfolio):
        names += [name for name in (study.portfolio.file, study.portfolio.mapping) if name is not None]
    files = {own.name: own, **{name: study_path(study, name) for name in names}}
    return {name: path for name, path in files.items() if path.is_file()}


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
        As `simulate`, with all scenarios along `scenario`.
    """
    study, parameters = inputs.study, inputs.parameters()
    parts = []
    for macro in inputs.macro_paths():
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
    return results.assign_attrs(title=study.title or study.name)


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
        files={source.name: source},
    )
