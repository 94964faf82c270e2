"""Arrays of a run become one labelled Dataset (vocabulary.DATASET_VARIABLES)."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import (
    AFTER_HORIZON_VARIABLES,
    BOOK_VARIABLES,
    CUTS,
    DATASET_VARIABLES,
    NO_PROGRAMME,
    PATH_DIMS,
    REFERENCE_STRATEGY,
    RUN_DIMS,
    SEGMENTS,
    Variable,
)
from simulator.book import Book
from simulator.parameters import Parameters
from simulator.tape import LoanTape

if TYPE_CHECKING:
    from simulator.engine import Totals

Floats = NDArray[np.float64]
_RUN = (1,) * len(RUN_DIMS)


def label_results(
    book: Book,
    macro: MonthlyMacro,
    parameters: Parameters,
    totals: Totals,
    *,
    tape: LoanTape,
    seed: int,
    trace: tuple[str, ...],
) -> xr.Dataset:
    """Label one scenario's totals; dims scenario, strategy and programme have length 1."""
    months = totals.book.shape[2]
    arrays = {
        **_book_arrays(totals),
        **_cut_arrays(book, totals),
        **_moment_arrays(book, totals),
        **_market_arrays(macro, totals, months),
    }
    meanings = {variable.name: variable for variable in DATASET_VARIABLES}
    variables = {name: _labelled(meanings[name], values, tape.currency) for name, values in arrays.items()}
    if trace:
        variables |= _trace_arrays(totals, trace)
    coordinates = _coordinates(book, macro, parameters, tape, totals)
    return xr.Dataset(variables, coordinates, _attributes(book, parameters, tape, seed))


def _labelled(variable: Variable, values: Floats, currency: str) -> xr.Variable:
    units = currency if variable.unit == "currency" else "1"
    attributes = {"units": units, "long_name": variable.long_name}
    if variable.cell_methods:
        attributes["cell_methods"] = variable.cell_methods
    if variable.unit == "count" and variable.name.endswith("_count"):
        values = np.rint(values).astype(np.int32)
    return xr.Variable(variable.dims, values, attributes)


def _book_arrays(totals: Totals) -> dict[str, Floats]:
    arrays = {
        variable.name: values.reshape(_RUN + values.shape)
        for variable, values in zip(BOOK_VARIABLES, totals.book, strict=True)
    }
    for variable, values in zip(AFTER_HORIZON_VARIABLES, totals.after_horizon, strict=True):
        arrays[variable.name] = values.reshape(_RUN + values.shape)
    return arrays


def _slices(book: Book) -> dict[str, slice]:
    """Where each cut's levels stand in the kernels' common numbering of levels."""
    slices, first = {}, 0
    for cut in CUTS:
        slices[cut] = slice(first, first + len(book.levels[cut]))
        first += len(book.levels[cut])
    return slices


def _cut_arrays(book: Book, totals: Totals) -> dict[str, Floats]:
    arrays = {}
    for cut, levels in _slices(book).items():
        values = totals.level_loss[:, levels]
        arrays[f"loss_by_{cut}"] = values.reshape(_RUN + values.shape)
        arrays[f"opening_balance_by_{cut}"] = book.opening_by_level[cut]
    return arrays


def _moments(totals: Totals, name: str, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Mean and standard deviation over paths, month 0 dropped."""
    mean, squares = totals.moments[name]
    paths = totals.book.shape[1]
    spread = np.sqrt(squares / (paths - 1)) if paths > 1 else np.full_like(squares, np.nan)
    return mean.reshape(shape), spread.reshape(shape)


def _moment_arrays(book: Book, totals: Totals) -> dict[str, Floats]:
    months = totals.book.shape[2]
    arrays = {}
    buckets = totals.transition.shape[1]
    for moment, values in zip(("mean", "sd"), _moments(totals, "bucket_balance", (months + 1, buckets)), strict=True):
        arrays[f"bucket_balance_{moment}"] = values[1:].reshape(*_RUN, months, buckets)
    levels = totals.level_loss.shape[1]
    for moment, values in zip(("mean", "sd"), _moments(totals, "level_flow", (2, months + 1, levels)), strict=True):
        for flow, name in enumerate(("charge_off", "recovery")):
            for cut, part in _slices(book).items():
                arrays[f"{name}_by_{cut}_{moment}"] = values[flow, 1:, part][(None,) * len(_RUN)]
    return arrays


def _market_arrays(macro: MonthlyMacro, totals: Totals, months: int) -> dict[str, Floats]:
    paths = totals.book.shape[1]
    return {
        "transition_count_mean": (totals.transition / paths).reshape(_RUN + totals.transition.shape),
        "used_car_index": totals.index.reshape(_RUN + totals.index.shape),
        "global_factor": totals.global_factor,
        "used_car_path": macro.used_car_index.to_numpy()[None, 1 : months + 1],
        "macro": macro.macro.to_numpy()[None, 1 : months + 1],
    }


def _trace_arrays(totals: Totals, trace: tuple[str, ...]) -> dict[str, xr.Variable]:
    dims = (*RUN_DIMS, "traced_loan", *PATH_DIMS[-1:], "trace_month")
    names = ("trace_state", "trace_balance", "trace_loss")
    texts = (
        "state at month end: instalments past due, or exit code",
        "principal at month end",
        "discounted loss so far",
    )
    return {
        name: xr.Variable(dims, totals.trace[..., item].reshape(_RUN + totals.trace.shape[:3]), {"long_name": text})
        for item, (name, text) in enumerate(zip(names, texts, strict=True))
    } | {"traced_loan": xr.Variable("traced_loan", np.array(trace, dtype=object))}


def month_ends(tape: LoanTape, months: int) -> NDArray[np.datetime64]:
    """Last days of months 1..T after the as-of month."""
    days = []
    for month in range(tape.as_of.month, tape.as_of.month + months):
        year, number = tape.as_of.year + month // 12, month % 12 + 1
        days.append(f"{year:04d}-{number:02d}-{calendar.monthrange(year, number)[1]:02d}")
    return np.array(days, dtype="datetime64[ns]")


def _coordinates(
    book: Book, macro: MonthlyMacro, parameters: Parameters, tape: LoanTape, totals: Totals
) -> dict[str, tuple[str, NDArray[np.generic]] | xr.Variable]:
    _, paths, months = totals.book.shape
    labels = list(parameters.bucket_labels)
    coordinates: dict[str, tuple[str, NDArray[np.generic]] | xr.Variable] = {
        "path": ("path", np.arange(paths, dtype=np.int64)),
        "month": ("month", np.arange(1, months + 1, dtype=np.int64)),
        "month_end": ("month", month_ends(tape, months)),
        "log_weight": ("path", np.zeros(paths)),
        "batch": ("path", np.arange(paths, dtype=np.int64)),
        "parameter_draw": ("path", np.zeros(paths, dtype=np.int64)),
    }
    texts = {
        "scenario": [macro.name],
        "strategy": [REFERENCE_STRATEGY],
        "programme": [NO_PROGRAMME],
        **{cut: list(book.levels[cut]) for cut in CUTS},
        "bucket": labels,
        "from_bucket": labels,
        "to_state": [*labels, "charged_off", "prepaid", "matured"],
        "segment": list(SEGMENTS),
        "macro_variable": [str(name) for name in macro.macro["macro_variable"].to_numpy()],
    }
    return coordinates | {name: (name, np.array(values, dtype=object)) for name, values in texts.items()}


def _attributes(book: Book, parameters: Parameters, tape: LoanTape, seed: int) -> dict[str, str | int | float]:
    return {
        "title": "carstress results",
        "currency": tape.currency,
        "as_of": tape.as_of.isoformat(),
        "seed": str(seed),
        "parameters": ", ".join(parameters.names),
        "opening_balance": float(tape.opening_balance),
        "opening_count": len(tape),
        "notes": "\n".join(book.notes),
    }
