"""A study's tail method in its run and in its results: its pilot is run, and what that found is kept beside paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import TAIL_VARIABLES
from simulator.engine import RunSize
from simulator.tail_pilot import Pilot, Question, pilot_name, pilot_paths, run_pilot
from simulator.tail_proposal import Proposal

if TYPE_CHECKING:
    from scenarios.tail import Tail
    from simulator.servicing import Servicing
    from simulator.study import StudyInputs


def study_pilot(
    inputs: StudyInputs,
    macros: Sequence[MonthlyMacro],
    servicing: Servicing,
    *,
    size: RunSize | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Pilot | None:
    """Run the pilot of a study, at the stated values of its parameters; None where paths are drawn plainly."""
    study, tail = inputs.study, inputs.study.tail_method
    if tail is None:
        return None
    question = Question(inputs.tape, macros, inputs.parameters(), servicing, study.months, study.seed, tail)
    return run_pilot(question, study.paths, size=size, progress=progress)


def with_pilot(results: xr.Dataset, pilot: Pilot | None, tail: Tail | None) -> xr.Dataset:
    """Results with what their weights come from: enough to draw any of their paths again."""
    if pilot is None or tail is None:
        return results
    proposal = pilot.proposal
    found = {
        "shift_direction": proposal.directions,
        "stratum_low": np.concatenate(([-np.inf], proposal.edges)),
        "stratum_log_correction": proposal.log_correction,
        "pilot_explained": np.array(pilot.explained),
    }
    variables = {
        each.name: (each.dims, found[each.name], {"long_name": each.long_name, "units": "1"}) for each in TAIL_VARIABLES
    }
    labelled = results.assign(variables).assign_coords(
        shocked_entity=np.array(proposal.entities, dtype=object),
        shock_month=np.arange(proposal.last_month + 1, dtype=np.int64),
    )
    return labelled.assign_attrs(
        tail_method=tail.method,
        tail_level=tail.level,
        tail_shift=proposal.shift,
        tail_unshifted=proposal.unshifted,
        tail_scrambles=proposal.scrambles,
        tail_strata=proposal.log_correction.size if pilot.control else 0,
        tail_pilot_paths=pilot.paths,
    )


def stored_proposal(results: xr.Dataset) -> Proposal | None:
    """The proposal that a study's results were drawn from; None where they were drawn plainly."""
    if "shift_direction" not in results:
        return None
    attributes = results.attrs
    return Proposal(
        entities=tuple(str(name) for name in results["shocked_entity"].to_numpy()),
        directions=np.ascontiguousarray(results["shift_direction"].to_numpy()),
        shift=float(attributes["tail_shift"]),
        unshifted=float(attributes["tail_unshifted"]),
        scrambles=int(attributes["tail_scrambles"]),
        edges=results["stratum_low"].to_numpy()[1:],
        log_correction=results["stratum_log_correction"].to_numpy(),
    )


def pilot_runs(inputs: StudyInputs) -> dict[str, int]:
    """Names of the pilot's runs as progress is told of them, and the paths of each."""
    tail = inputs.study.tail_method
    if tail is None:
        return {}
    return {pilot_name(scenario.name): pilot_paths(tail, inputs.tape) for scenario in inputs.scenarios}
