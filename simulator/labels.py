"""Arrays of a run become one labelled Dataset (vocabulary.DATASET_VARIABLES)."""

from __future__ import annotations

import calendar
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scenarios.vocabulary import (
    CUTS,
    DATASET_VARIABLES,
    EXIT_LABELS,
    NO_PROGRAMME,
    PATH_DIMS,
    RUN_DIMS,
    SEGMENTS,
    STAGES,
    TRACE_VARIABLES,
    Variable,
)
from simulator.book import Book
from simulator.shapes import MEANINGS
from simulator.tail_proposal import batches_of, components, log_weights, strata_of
from simulator.tape import LoanTape
from simulator.totals import RUNG_FACTS, ScenarioRun, Totals, cut_slices

Floats = NDArray[np.float64]
_RUN = (1,) * len(RUN_DIMS)


def label_results(
    run: ScenarioRun, totals: Totals, *, tape: LoanTape, trace: tuple[str, ...], paths: range
) -> xr.Dataset:
    """Label one scenario's totals; dims scenario, strategy and programme have length 1."""
    arrays = {
        **{name: values[(None,) * _run_dims(name)] for name, values in totals.by_path.items()},
        **_opening_arrays(run),
        **_business_arrays(run),
        **_cut_arrays(run.book),
        **_moment_arrays(run, totals, len(paths)),
        **_market_arrays(run, totals),
    }
    variables = {
        variable.name: _labelled(variable, arrays[variable.name], tape.currency)
        for variable in DATASET_VARIABLES
        if variable.name in arrays
    }
    if trace:
        variables |= _trace_arrays(totals, trace, tape.currency)
    return xr.Dataset(variables, _coordinates(run, tape, paths), _attributes(run, tape))


def _run_dims(name: str) -> int:
    """How many of the dims of a run a variable has."""
    return sum(dim in RUN_DIMS for dim in MEANINGS[name].dims)


def _labelled(variable: Variable, values: Floats, currency: str) -> xr.Variable:
    units = {"currency": currency, "hours": "h"}.get(variable.unit, "1")
    attributes = {"units": units, "long_name": variable.long_name}
    if variable.cell_methods:
        attributes["cell_methods"] = variable.cell_methods
    return xr.Variable(variable.dims, values, attributes)


def _opening_arrays(run: ScenarioRun) -> dict[str, Floats]:
    """What the whole book is, and what its contracts ask for."""
    opening = run.opening
    return {
        "contractual_principal": opening.contractual_principal,
        "contractual_interest": opening.contractual_interest,
        "opening_balance_by_stage": opening.opening_balance_by_stage[None],
        "opening_count_by_stage": opening.opening_count_by_stage[None],
    }


def _business_arrays(run: ScenarioRun) -> dict[str, NDArray[Any]]:
    """What the strategy declined, what took its place and what it lends; nothing where no strategy declines."""
    if not run.servicing.criterion_names:
        return {}
    business = run.business
    return {
        "declined_count": np.array([business.declined], np.int32),
        "declined_balance": np.array([business.declined_balance]),
        "declined_interest": np.array([business.declined_interest]),
        "declined_by_criterion": np.array([business.declined_by], np.float64),
        "replaced_count": np.array([business.replaced], np.int32),
        "replaced_balance": np.array([business.replaced_balance]),
        **{f"lent_{name}": values[(None,) * _run_dims(f"lent_{name}")] for name, values in run.lent._asdict().items()},
    }


def _cut_arrays(book: Book) -> dict[str, Floats]:
    return {f"opening_balance_by_{cut}": book.opening_by_level[cut] for cut in CUTS}


def _moments(totals: Totals, name: str, shape: tuple[int, ...], paths: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation over paths with their weights, month 0 dropped."""
    mean, squares = totals.moments[name]
    total, total_of_squares = totals.weight
    freedom = total - total_of_squares / total  # n - 1 of equal weights
    # Rounding may leave less than nothing where weights differ and values do not.
    spread = np.sqrt(np.maximum(squares, 0.0) / freedom) if paths > 1 else np.full_like(squares, np.nan)
    return mean.reshape(shape), spread.reshape(shape)


def _moment_arrays(run: ScenarioRun, totals: Totals, paths: int) -> dict[str, Floats]:
    months, buckets, levels = run.months, totals.transition.shape[1], cut_slices(run.book)
    arrays = {}
    found = _moments(totals, "bucket_balance", (months + 1, buckets), paths)
    for moment, values in zip(("mean", "sd"), found, strict=True):
        arrays[f"bucket_balance_{moment}"] = values[1:].reshape(*_RUN, months, buckets)
    found = _moments(totals, "level_flow", (3, months + 1, -1), paths)
    for moment, values in zip(("mean", "sd"), found, strict=True):
        for flow, name in enumerate(("charge_off", "recovery", "default")):
            for cut, part in levels.items():
                arrays[f"{name}_by_{cut}_{moment}"] = values[flow, 1:, part][(None,) * len(_RUN)]
    return arrays | _rung_arrays(run, totals, paths)


def _rung_arrays(run: ScenarioRun, totals: Totals, paths: int) -> dict[str, Floats]:
    """What the rungs did; zeros for a rung that the strategy does not have."""
    names, strategy = run.servicing.rung_names, run.servicing.strategy
    own, arrays = () if strategy is None else strategy.labels, {}
    if not names:
        return {}
    found = _moments(totals, "rung", (len(own), len(RUNG_FACTS), run.months + 1), paths)
    for moment, values in zip(("mean", "sd"), found, strict=True):
        for fact, name in enumerate(RUNG_FACTS):
            told = np.zeros((*_RUN, run.months, len(names)))
            for place, label in enumerate(own):
                told[0, 0, 0, :, names.index(label)] = values[place, fact, 1:]
            arrays[f"rung_{name}_{moment}"] = told
    return arrays


def _market_arrays(run: ScenarioRun, totals: Totals) -> dict[str, Floats]:
    macro, horizon = run.macro, slice(1, run.months + 1)
    return {
        "transition_count_mean": (totals.transition / totals.weight[0]).reshape(_RUN + totals.transition.shape),
        "used_car_path": macro.used_car_index.to_numpy()[None, horizon],
        "macro": macro.macro.to_numpy()[None, horizon],
    }


def _trace_arrays(totals: Totals, trace: tuple[str, ...], currency: str) -> dict[str, xr.Variable]:
    dims = (*RUN_DIMS, "traced_loan", *PATH_DIMS[-1:], "trace_month")
    return {
        name: xr.Variable(
            dims,
            totals.trace[..., item].reshape(_RUN + totals.trace.shape[:3]),
            {"units": currency if unit == "currency" else unit, "long_name": text},
        )
        for item, (name, unit, text) in enumerate(TRACE_VARIABLES)
    } | {"traced_loan": xr.Variable("traced_loan", np.array(trace, dtype=object))}


def month_ends(tape: LoanTape, months: int) -> NDArray[np.datetime64]:
    """Last days of months 1..T after the as-of month."""
    days = []
    for month in range(tape.as_of.month, tape.as_of.month + months):
        year, number = tape.as_of.year + month // 12, month % 12 + 1
        days.append(f"{year:04d}-{number:02d}-{calendar.monthrange(year, number)[1]:02d}")
    return np.array(days, dtype="datetime64[ns]")


def _coordinates(
    run: ScenarioRun, tape: LoanTape, paths: range
) -> dict[str, tuple[str, NDArray[np.generic]] | xr.Variable]:
    months, number = run.months, np.array(paths, dtype=np.int64)
    book, macro, labels = run.book, run.macro, list(run.parameters.bucket_labels)
    coordinates: dict[str, tuple[str, NDArray[np.generic]] | xr.Variable] = {
        "path": ("path", number),
        "month": ("month", np.arange(1, months + 1, dtype=np.int64)),
        "month_end": ("month", month_ends(tape, months)),
        **_weights(run, paths),
        "batch": ("path", batches_of(run.proposal, paths)),
        "parameter_draw": ("path", np.zeros_like(number)),
        "bucket_first_day": ("bucket", np.array(run.parameters.bucket_edges, dtype=np.int64)),
    }
    if rungs := run.servicing.rung_names:
        care = [name in run.servicing.care_names for name in rungs]
        coordinates["rung_while_current"] = ("rung", np.array(care))
    texts = {
        "scenario": [macro.name],
        "strategy": [run.servicing.name],
        "programme": [NO_PROGRAMME],
        **{cut: list(book.levels[cut]) for cut in CUTS},
        "bucket": labels,
        "from_bucket": labels,
        "to_state": [*labels, *EXIT_LABELS.values()],
        "segment": list(SEGMENTS),
        "stage": list(STAGES),
        **{
            dim: list(names)
            for dim, names in (
                ("pool", run.servicing.pool_names),
                ("rung", run.servicing.rung_names),
                ("incident", run.servicing.incident_names),
                ("criterion", run.servicing.criterion_names),
            )
            if names
        },
        "macro_variable": [str(name) for name in macro.macro["macro_variable"].to_numpy()],
    }
    return coordinates | {name: (name, np.array(values, dtype=object)) for name, values in texts.items()}


def _weights(run: ScenarioRun, paths: range) -> dict[str, tuple[str, NDArray[np.generic]] | xr.Variable]:
    """Weights of the paths, zeros of logarithms where they are drawn plainly; else where the factors were, too."""
    if run.proposal is None:
        return {"log_weight": ("path", np.zeros(len(paths)))}
    z = components(run.proposal, paths, int(run.seed))[:, 0]
    return {
        "log_weight": ("path", log_weights(run.proposal, z)),
        "leading_factor": ("path", z),
        "stratum": ("path", strata_of(run.proposal, z)),
    }


def _attributes(run: ScenarioRun, tape: LoanTape) -> dict[str, str | int | float]:
    parameters = run.parameters
    return {
        "title": "carstress results",
        "currency": tape.currency,
        "as_of": tape.as_of.isoformat(),
        "seed": str(int(run.seed)),
        "balance_sheet": "runoff",
        "default_bucket": parameters.bucket_labels[parameters.default_bucket],
        "parameters": ", ".join(parameters.names),
        "opening_balance": float(tape.opening_balance),
        "opening_count": len(tape),
        "notes": "\n".join(run.book.notes),
    }
