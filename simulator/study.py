"""A study: one book under several scenarios, on common draws."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import xarray as xr

from scenarios.digest import file_digest
from scenarios.errors import Fault, InputError
from scenarios.file_spec import FileSpec
from scenarios.library import find_strategy, study_scenarios, study_strategies
from scenarios.macro import PERCENT, MonthlyMacro, monthly_macro
from scenarios.schema import FilePortfolio, MacroScenario, Study, SyntheticPortfolio
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import PARAMETER_VALUE, REFERENCE_STRATEGY
from simulator.batches import batch_ranges, join_batches, mark_batch, parameter_values
from simulator.effects import losses_at_top, run_name, top_runs, variables_without_effect
from simulator.engine import RunSize, simulate
from simulator.gathered import Gathered
from simulator.horizon import months_needed
from simulator.ladder import check_hours, check_ladder
from simulator.offsets import with_reach
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.servicing import Servicing, study_servicing
from simulator.study_book import Book, draw_book, read_book
from simulator.study_book import draw_tape as draw_tape
from simulator.tail_proposal import Proposal
from simulator.tail_study import pilot_runs, study_pilot, with_pilot
from simulator.tape import LoanTape, tape_from_arrays, tape_to_arrays
from simulator.tape.tape import METADATA
from simulator.uncertainty import ParameterDraw, check_uncertainty, draw_sets, longest_lags, uncertain_parameters
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
    strategies : tuple of (CollectionStrategy or None)
        In the study's order; None is `reference`.
    observed : tuple of (CollectionStrategy or None)
        One a tier: the strategy under which its parameter set was observed; empty where no strategy needs it.
    """

    study: Study
    tape: LoanTape
    scenarios: tuple[MacroScenario, ...]
    sets: tuple[ParameterSet, ...]
    files: dict[str, str]
    strategies: tuple[CollectionStrategy | None, ...] = (None,)
    observed: tuple[CollectionStrategy | None, ...] = ()

    def parameters(self) -> Parameters:
        """The sets as the engine's dense bundle."""
        return build_parameters(self.sets)

    def servicings(self) -> tuple[Servicing, ...]:
        """One for each strategy: who works arrears, and the book's share of the auction market."""
        return study_servicing(self.strategies, self.observed, PERCENT * self.study.market_share_percent)

    def servicing(self, strategy: str | None = None) -> Servicing:
        """That of one strategy by name; of the first if left out."""
        each = self.servicings()
        named = {servicing.name: servicing for servicing in each}
        if strategy is not None and strategy not in named:
            raise ValueError(f"the study has no strategy {strategy!r}, only {', '.join(named)}")
        return each[0] if strategy is None else named[strategy]

    def run_names(self) -> dict[tuple[str, int], str]:
        """Names of the study's runs as progress is told of them, by scenario and place of the strategy."""
        each = self.servicings()
        return {
            (scenario.name, place): run_name(scenario.name, servicing, each)
            for scenario in self.scenarios
            for place, servicing in enumerate(each)
        }

    def macro_paths(self) -> tuple[MonthlyMacro, ...]:
        """Monthly paths of every scenario, long enough for every draw of the parameters; all faults at once."""
        study, spec = self.study, self.study.uncertainty
        longest = self.parameters() if spec is None else longest_lags(self.sets, spec)
        needed = months_needed(longest, study.months)
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
        again = top_runs(self.study, self.scenarios, self.sets, self.servicings())
        return {**pilot_runs(self), **dict.fromkeys(self.run_names().values(), self.study.paths), **again}

    def with_run(self, *, paths: int | None = None, seed: int | None = None) -> StudyInputs:
        """The same study with another number of paths or another seed.

        Raises
        ------
        InputError
            The other number of paths does not go with the rest of the study.
        """
        changes = {name: value for name, value in (("paths", paths), ("seed", seed)) if value is not None}
        if not changes:
            return self
        study = self.study.model_copy(update=changes)
        problems = Study.problems(study.model_dump(mode="json", exclude_none=True))
        faults = [Fault(study.where(*each.path), each.found, each.expected, each.remedy) for each in problems]
        if faults:
            raise InputError(faults)
        return replace(self, study=study)


def load_inputs(study: Study, find_set: FindParameterSet) -> StudyInputs:
    """Read what a study names.

    Raises
    ------
    InputError
        With the faults of every scenario and parameter set, and of the tape.
    """
    faults: list[Fault] = []
    portfolio = study.portfolio
    book = _kept(faults, partial(read_book, study, portfolio)) if isinstance(portfolio, FilePortfolio) else None
    sets = [_kept(faults, partial(find_set, *reference)) for reference in _set_references(study)]
    if isinstance(portfolio, SyntheticPortfolio):
        described = sets[0] if portfolio.synthetic.parameters is None else sets.pop()
        book = _kept(faults, partial(draw_book, study, portfolio.synthetic, described)) if described else None
    scenarios = _kept(faults, partial(study_scenarios, study))
    strategies = _kept(faults, partial(study_strategies, study))
    found = tuple(item for item in sets if item is not None)
    observed = () if strategies is None else _kept(faults, partial(_observed, strategies, found))
    if faults or scenarios is None or book is None or strategies is None or observed is None:
        raise InputError(faults)
    specs = (*found, *scenarios, *(item for item in (*strategies, *observed) if item is not None))
    inputs = StudyInputs(study, book.tape, scenarios, found, _files(study, specs, book), strategies, observed)
    _check_currency(inputs)
    for check in (
        inputs.weights,
        partial(check_ladders, inputs),
        partial(_check_uncertainty, inputs),
        inputs.macro_paths,
    ):
        _kept(faults, check)
    if faults:
        raise InputError(faults)
    return inputs


def _observed(
    strategies: tuple[CollectionStrategy | None, ...], sets: tuple[ParameterSet, ...]
) -> tuple[CollectionStrategy | None, ...]:
    """Strategies under which the sets were observed; none where every run is `reference`."""
    if all(strategy is None for strategy in strategies):
        return ()
    return tuple(
        None
        if item.observed_under == REFERENCE_STRATEGY
        else find_strategy(item.observed_under, item.folder, item.where("observed_under"))
        for item in sets
    )


def check_ladders(inputs: StudyInputs) -> None:
    """Refuse strategies that do not go with the book or its parameters."""
    parameters, book = inputs.parameters(), inputs.tape
    for servicing in inputs.servicings():
        check_ladder(servicing, book, parameters)
        if servicing.strategy is not None:
            check_hours(servicing.strategy, book)


def _check_uncertainty(inputs: StudyInputs) -> None:
    study = inputs.study
    if study.uncertainty is not None:
        check_uncertainty(inputs.sets, study.uncertainty, study.where)


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


def _files(study: Study, specs: Iterable[FileSpec], book: Book) -> dict[str, str]:
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


class _Stretch(NamedTuple):
    """Paths that share their parameters."""

    batch: int
    paths: range
    parameters: Parameters
    draw: ParameterDraw | None


class _Task(NamedTuple):
    """One run on some paths, and where its arrays by path lie: as scenario and strategy `run` of `gathered`."""

    macro: MonthlyMacro
    stretches: Sequence[_Stretch]
    servicing: Servicing
    gathered: Gathered
    run: tuple[int, int]
    proposal: Proposal | None


def run_study(inputs: StudyInputs, *, size: RunSize | None = None, progress: StudyProgress | None = None) -> xr.Dataset:
    """Simulate a study's book under each of its scenarios on the same draws.

    Returns
    -------
    xarray.Dataset
        As `simulate`, with all scenarios along `scenario`; further `loss_at_top_sensitivity` (`effects.losses_at_top`),
        the coordinate `scenario_weight` where the scenarios carry weights, `parameter_value` where the study draws
        parameters, `TAIL_VARIABLES` where it has a method for the tail, and the attribute `variables_without_effect`,
        names of macro variables with blanks between.
    """
    study, macros, servicings = inputs.study, inputs.macro_paths(), inputs.servicings()
    stretches, names = _stretches(inputs, range(study.paths)), inputs.run_names()
    gathered = Gathered((len(macros), len(servicings)), study.paths)
    pilot = study_pilot(inputs, macros, servicings[0], size=size, progress=progress)
    proposal = None if pilot is None else pilot.proposal
    parts = []
    for number, macro in enumerate(macros):
        by_strategy = []
        for place, servicing in enumerate(servicings):
            report = None if progress is None else _for_run(progress, names[macro.name, place])
            task = _Task(macro, stretches, servicing, gathered, (number, place), proposal)
            by_strategy.append(_simulate(inputs, task, size=size, progress=report))
        parts.append(by_strategy)
    results = gathered.joined([part for each in parts for part in each], _join_runs(len(macros)), ALL_RUNS)
    top = losses_at_top(inputs, macros, servicings=servicings, size=size, progress=progress, proposal=proposal)
    if top is not None:
        results[top.name] = top
    weights = inputs.weights()
    if weights is not None:
        results = results.assign_coords(scenario_weight=("scenario", np.array(weights)))
    draws = [stretch.draw for stretch in stretches if stretch.draw is not None]
    if study.uncertainty is not None:
        drawn = parameter_values(uncertain_parameters(inputs.sets, study.uncertainty), draws)
        results = results.assign({PARAMETER_VALUE.name: drawn})
    idle = " ".join(variables_without_effect(inputs.parameters()))
    results = results.assign_attrs(title=study.title or study.name, variables_without_effect=idle)
    return with_pilot(results, pilot, study.tail_method)


def simulate_scenario(  # noqa: PLR0913 - as `simulate`
    inputs: StudyInputs,
    macro: MonthlyMacro,
    *,
    paths: int | range,
    strategy: str | None = None,
    trace: Sequence[str] = (),
    size: RunSize | None = None,
    progress: Callable[[int], None] | None = None,
    proposal: Proposal | None = None,
) -> xr.Dataset:
    """Simulate one scenario of a study on some of its paths, as `run_study` does on all of them.

    Parameters
    ----------
    macro : MonthlyMacro
        One of `inputs.macro_paths()`.
    paths : int or range
        The first so many paths, or absolute path numbers with step 1.  A path's draws are the same in every run, and
        so are its parameters: where a study draws them, a path keeps the batch that it has among all paths of the
        study.
    strategy : str, optional
        Name of one of the study's strategies; the first if left out.
    trace, size, progress
        As in `simulate`; progress is told how many of these paths are done.
    proposal : Proposal, optional
        What the study's paths are drawn from, as `tail_study.stored_proposal` finds it in its results; where a study
        has a method for the tail and none is given, its pilot is run again.

    Raises
    ------
    ValueError
        The study draws parameters, and a path is not among its paths; or it has no strategy of that name.
    """
    wanted, servicing = range(paths) if isinstance(paths, int) else paths, inputs.servicing(strategy)
    if proposal is None and (pilot := study_pilot(inputs, inputs.macro_paths(), inputs.servicing(), size=size)):
        proposal = pilot.proposal
    task = _Task(macro, _stretches(inputs, wanted), servicing, Gathered((1, 1), len(wanted)), (0, 0), proposal)
    return _simulate(inputs, task, trace=trace, size=size, progress=progress)


def _stretches(inputs: StudyInputs, wanted: range) -> list[_Stretch]:
    """The paths wanted, cut where the parameters change."""
    study = inputs.study
    if study.uncertainty is None:
        return [_Stretch(0, wanted, inputs.parameters(), None)]
    if wanted.stop > study.paths:
        raise ValueError(f"path {wanted.stop - 1} of a study of {study.paths} paths has no draw of the parameters")
    found = []
    for batch, block in enumerate(batch_ranges(study.paths, study.uncertainty.draws)):
        part = range(max(block.start, wanted.start), min(block.stop, wanted.stop))
        if part:
            draw = draw_sets(inputs.sets, study.uncertainty, batch, study.seed)
            found.append(_Stretch(batch, part, draw.parameters, draw))
    return found


def _simulate(
    inputs: StudyInputs,
    task: _Task,
    *,
    trace: Sequence[str] = (),
    size: RunSize | None = None,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """One scenario on stretches of paths, put together."""
    study, gathered, (number, place) = inputs.study, task.gathered, task.run
    parts, done = [], 0
    for stretch in task.stretches:
        part = simulate(
            inputs.tape,
            task.macro,
            stretch.parameters,
            paths=stretch.paths,
            months=study.months,
            seed=study.seed,
            servicing=task.servicing,
            trace=trace,
            size=size,
            progress=None if progress is None else _after(progress, done),
            into=gathered.place(task.run, range(done, done + len(stretch.paths))),
            proposal=task.proposal,
        )
        done += len(stretch.paths)
        parts.append(part if stretch.draw is None else mark_batch(part, stretch.batch))
    return (
        parts[0]
        if len(parts) == 1
        else gathered.joined(parts, join_batches, (slice(number, number + 1), slice(place, place + 1)))
    )


def _after(progress: Callable[[int], None], before: int) -> Callable[[int], None]:
    """Progress of a stretch as progress of all: so many paths were done before it."""
    return lambda done: progress(before + done)


ALL_RUNS = (slice(None), slice(None))


def _join_runs(scenarios: int) -> Callable[[Sequence[xr.Dataset]], xr.Dataset]:
    """Puts runs together that come scenario by scenario, in each strategy by strategy."""

    def join(parts: Sequence[xr.Dataset]) -> xr.Dataset:
        each = len(parts) // scenarios
        rows = [_join(parts[first : first + each], "strategy") for first in range(0, len(parts), each)]
        return _join(rows, "scenario")

    return join


def _join(parts: Sequence[xr.Dataset], dim: str) -> xr.Dataset:
    """Runs along one dim; what has no such dim (factors, opening balances) is the same in every part."""
    return xr.concat(
        parts,
        dim,
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )


def _for_run(progress: StudyProgress, name: str) -> Callable[[int], None]:
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
        "strategies": _strategies_text(inputs.strategies),
        "observed": _strategies_text(inputs.observed),
    }


def _strategies_text(strategies: tuple[CollectionStrategy | None, ...]) -> str:
    return json.dumps([None if item is None else item.model_dump(mode="json") for item in strategies])


def _strategies_from(text: str) -> tuple[CollectionStrategy | None, ...]:
    return tuple(None if item is None else CollectionStrategy.model_validate(item) for item in json.loads(text))


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
        strategies=_strategies_from(str(stored["strategies"])),
        observed=_strategies_from(str(stored["observed"])),
    )
