"""A study: one book under several scenarios, on common draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from scenarios.digest import file_digest
from scenarios.macro import MonthlyMacro
from scenarios.schema import MacroScenario, Study
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import PARAMETER_VALUE
from simulator.batches import batch_ranges, join_batches, mark_batch, parameter_values
from simulator.effects import losses_at_top, variables_without_effect
from simulator.engine import RunSize, simulate
from simulator.gathered import Gathered
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.study_book import draw_tape as draw_tape
from simulator.study_inputs import StudyInputs as StudyInputs
from simulator.study_inputs import load_inputs as load_inputs
from simulator.tail_proposal import Proposal
from simulator.tail_study import study_pilot, with_pilot
from simulator.tape import tape_from_arrays, tape_to_arrays
from simulator.tape.tape import METADATA
from simulator.uncertainty import ParameterDraw, draw_sets, uncertain_parameters

StudyProgress = Callable[[str, int], None]
"""Called with the scenario's name and the number of its paths done."""


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
