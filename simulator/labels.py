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
    EXIT_LABELS,
    NO_PROGRAMME,
    PATH_DIMS,
    REFERENCE_STRATEGY,
    RUN_DIMS,
    SEGMENTS,
    STAGES,
    TRACE_VARIABLES,
    Variable,
)
from simulator.book import Book
from simulator.economics import funding_cost, servicing_cost, tier_mix
from simulator.tape import LoanTape
from simulator.tape.amortisation import contractual

if TYPE_CHECKING:
    from simulator.totals import ScenarioRun, Totals

Floats = NDArray[np.float64]
_RUN = (1,) * len(RUN_DIMS)


POOL = "phone"
"""The one pool of this version."""


def label_results(
    run: ScenarioRun, totals: Totals, *, tape: LoanTape, trace: tuple[str, ...], paths: range
) -> xr.Dataset:
    """Label one scenario's totals; dims scenario, strategy and programme have length 1."""
    months = totals.book.shape[2]
    arrays = {
        **_book_arrays(totals),
        **_economic_arrays(run, totals, tape),
        **_stage_arrays(run, totals, tape),
        **_pool_arrays(run, totals),
        **_cut_arrays(run.book, totals),
        **_moment_arrays(run.book, totals),
        **_market_arrays(run.macro, totals, months),
    }
    meanings = {variable.name: variable for variable in DATASET_VARIABLES}
    variables = {name: _labelled(meanings[name], values, tape.currency) for name, values in arrays.items()}
    if trace:
        variables |= _trace_arrays(totals, trace, tape.currency)
    return xr.Dataset(variables, _coordinates(run, tape, totals, paths), _attributes(run, tape))


def _labelled(variable: Variable, values: Floats, currency: str) -> xr.Variable:
    units = {"currency": currency, "hours": "h"}.get(variable.unit, "1")
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


def _economic_arrays(run: ScenarioRun, totals: Totals, tape: LoanTape) -> dict[str, Floats]:
    """What follows from the book's stocks (22), (23), and what the contracts ask for."""
    row = {variable.name: item for item, variable in enumerate(BOOK_VARIABLES)}
    loans, economics, tiers = run.book.loans, run.parameters.economics, len(run.parameters.names)

    def at_opening(name: str) -> Floats:
        opening, closing = totals.opening[row[name]], totals.book[row[name]]
        return np.concatenate([opening[:, None], closing[:, :-1]], axis=1)

    prime = run.macro.macro.sel(macro_variable="prime_rate").to_numpy()[1 : run.months + 1]
    by_balance = tier_mix(loans.tier, tape["current_balance"], tiers)
    by_count = tier_mix(loans.tier, np.ones(loans.tier.size), tiers)
    funding = funding_cost(at_opening("balance"), prime, economics, by_balance)
    servicing = servicing_cost(at_opening("live_count"), at_opening("delinquent_count"), economics, by_count)
    principal, interest = contractual(loans, run.months, run.parameters.nonaccrual_months)
    return {
        "funding_cost": funding.reshape(_RUN + funding.shape),
        "servicing_cost": servicing.reshape(_RUN + servicing.shape),
        "contractual_principal": principal,
        "contractual_interest": interest,
    }


def _stage_arrays(run: ScenarioRun, totals: Totals, tape: LoanTape) -> dict[str, Floats]:
    stage = run.book.loans.stage
    count = np.bincount(stage, minlength=len(STAGES)).astype(np.float64)
    balance = np.bincount(stage, weights=tape["current_balance"], minlength=len(STAGES))
    one_year, life = np.moveaxis(totals.shortfall, -1, 0)
    return {
        "opening_balance_by_stage": balance[None],
        "opening_count_by_stage": count[None],
        "shortfall_12m_by_stage": one_year.reshape(_RUN + one_year.shape),
        "shortfall_by_stage": life.reshape(_RUN + life.shape),
    }


def _pool_arrays(run: ScenarioRun, totals: Totals) -> dict[str, Floats]:
    """Demand and service of the pool in hours; nothing where a study has none."""
    pool = run.servicing.pool
    if pool is None:
        return {}
    asked, served, waiting, waited = (values.reshape(_RUN + values.shape)[..., None] for values in totals.pool)
    return {
        "pool_demand": asked * pool.hours_per_contact,
        "pool_served": served * pool.hours_per_contact,
        "pool_waiting": waiting,
        "pool_waiting_months": np.divide(waited, waiting, out=np.zeros_like(waited), where=waiting > 0.0),
        "pool_capacity": np.array([pool.hours]),
    }


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
    for moment, values in zip(("mean", "sd"), _moments(totals, "level_flow", (3, months + 1, levels)), strict=True):
        for flow, name in enumerate(("charge_off", "recovery", "default")):
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
    run: ScenarioRun, tape: LoanTape, totals: Totals, paths: range
) -> dict[str, tuple[str, NDArray[np.generic]] | xr.Variable]:
    months, number = totals.book.shape[2], np.array(paths, dtype=np.int64)
    book, macro, labels = run.book, run.macro, list(run.parameters.bucket_labels)
    coordinates: dict[str, tuple[str, NDArray[np.generic]] | xr.Variable] = {
        "path": ("path", number),
        "month": ("month", np.arange(1, months + 1, dtype=np.int64)),
        "month_end": ("month", month_ends(tape, months)),
        "log_weight": ("path", np.zeros(number.size)),
        "batch": ("path", number),
        "parameter_draw": ("path", np.zeros_like(number)),
        "bucket_first_day": ("bucket", np.array(run.parameters.bucket_edges, dtype=np.int64)),
    }
    texts = {
        "scenario": [macro.name],
        "strategy": [REFERENCE_STRATEGY],
        "programme": [NO_PROGRAMME],
        **{cut: list(book.levels[cut]) for cut in CUTS},
        "bucket": labels,
        "from_bucket": labels,
        "to_state": [*labels, *EXIT_LABELS.values()],
        "segment": list(SEGMENTS),
        "stage": list(STAGES),
        **({} if run.servicing.pool is None else {"pool": [POOL]}),
        "macro_variable": [str(name) for name in macro.macro["macro_variable"].to_numpy()],
    }
    return coordinates | {name: (name, np.array(values, dtype=object)) for name, values in texts.items()}


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
