"""What the macro variables do under a set of parameters: which act on nothing, and how far they might act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from scenarios.macro import MonthlyMacro
from scenarios.schema import MacroScenario, Study
from scenarios.vocabulary import CAUSE_CLASSES, MACRO_VARIABLES, RUN_DIMS, TOP_OF_RANGE
from simulator.engine import RunSize, simulate
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters
from simulator.servicing import Servicing
from simulator.tail_proposal import Proposal

if TYPE_CHECKING:
    from simulator.study import StudyInputs

TOP_PATHS: Final = 1000
"""Paths of the runs with sensitivities at the top of their range: paired with the same paths of the main run, they
hold the error of the difference below a tenth of it, and cost a fifth of one scenario of the default study."""


def variables_without_effect(parameters: Parameters) -> tuple[str, ...]:
    """Macro variables to which no cause of any tier is sensitive, in the vocabulary's order."""
    return tuple(
        name for item, name in enumerate(MACRO_VARIABLES) if not np.any(parameters.sensitivity[:, :, item] != 0.0)
    )


def effective_pairs(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """(macro variable, class of causes) of every sensitivity of any tier that is not 0."""
    return tuple(
        (name, cause)
        for item, name in enumerate(MACRO_VARIABLES)
        for row, cause in enumerate(CAUSE_CLASSES)
        if np.any(parameters.sensitivity[:, row, item] != 0.0)
    )


def moves(macro: MonthlyMacro, variable: str) -> bool:
    """Whether a scenario changes a macro variable over time, by region or by sector."""
    path = macro.macro.sel(macro_variable=variable).to_numpy()
    offsets = (macro.regional_offset, macro.sector_offset)
    differs = any(np.any(table.sel(macro_variable=variable).to_numpy() != 0.0) for table in offsets)
    return bool(np.ptp(path) > 0.0 or differs)


def losses_at_top(
    inputs: StudyInputs,
    macros: Sequence[MonthlyMacro],
    *,
    servicings: Sequence[Servicing],
    size: RunSize | None = None,
    progress: Callable[[str, int], None] | None = None,
    proposal: Proposal | None = None,
) -> xr.DataArray | None:
    """Loss of the first paths of every scenario after the first, sensitivities at the top of their published range.

    The draws are those of the main run, so path k here and path k there differ by the sensitivities alone.

    Returns
    -------
    xr.DataArray or None
        float64[scenario, strategy, programme, path_top], currency; the first scenario, which the others are compared
        with, is not run and holds NaN. None where there is nothing to run: one scenario, no range, not wished, or a
        study that draws its parameters, in which a path here and there would differ by all that is drawn.
    """
    tape, sets, study = inputs.tape, inputs.sets, inputs.study
    if not top_runs(study, macros, sets, servicings):
        return None
    top = build_parameters(sets, sensitivity="top")
    parts = []
    names = iter(top_runs(study, macros, sets, servicings))
    for macro in macros[1:]:
        by_strategy = []
        for servicing in servicings:
            part = simulate(
                tape,
                macro,
                top,
                paths=min(study.paths, TOP_PATHS),
                months=study.months,
                seed=study.seed,
                servicing=servicing,
                size=size,
                progress=None if progress is None else _for_name(progress, next(names)),
                proposal=proposal,
            )
            by_strategy.append(part["ultimate_loss"].sum("month") + part["ultimate_loss_after_horizon"])
        parts.append(xr.concat(by_strategy, "strategy", coords="minimal", compat="override", join="exact"))
    joined = xr.concat(parts, "scenario", coords="minimal", compat="override", join="exact")
    places = [macro.name for macro in macros]
    kept = joined.drop_vars([str(name) for name in joined.coords if str(name) not in (*RUN_DIMS, "path")])
    found = kept.reindex(scenario=places).rename(path="path_top").transpose(*TOP_OF_RANGE.dims)
    attributes = {"units": tape.currency, "long_name": TOP_OF_RANGE.long_name}
    return found.rename(TOP_OF_RANGE.name).assign_attrs(attributes)


def top_runs(
    study: Study,
    macros: Sequence[MonthlyMacro | MacroScenario],
    sets: Sequence[ParameterSet],
    servicings: Sequence[Servicing],
) -> dict[str, int]:
    """Names and paths of the runs that `losses_at_top` makes, scenario by scenario."""
    ranged = any(effect.per_percentage_point.range is not None for item in sets for effect in item.macro_sensitivity)
    if not (study.sensitivity_range and ranged) or study.uncertainty is not None:
        return {}
    names = [run_name(macro.name, each, servicings) for macro in macros[1:] for each in servicings]
    return {top_name(name): min(study.paths, TOP_PATHS) for name in names}


def run_name(scenario: str, servicing: Servicing, servicings: Sequence[Servicing]) -> str:
    """What a run is called while it goes on: its scenario, and its strategy where there are several."""
    return scenario if len(servicings) == 1 else f"{scenario} / {servicing.name}"


def top_name(scenario: str) -> str:
    """What the second run of a scenario is called while it goes on."""
    return f"{scenario}, top sensitivity"


def _for_name(progress: Callable[[str, int], None], name: str) -> Callable[[int], None]:
    return lambda done: progress(name, done)
