"""What a run holds while it goes on: its arrays, a worker's scratch, a block's result, and what stays of the blocks.

Every array is made from a table of shapes (`simulator.shapes`), so that a run's need is known before it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.macro import MonthlyMacro
from scenarios.vocabulary import (
    AFTER_HORIZON_VARIABLES,
    BOOK_VARIABLES,
    CUTS,
    EXIT_LABELS,
    STAGES,
    TRACE_VARIABLES,
)
from simulator.book import Book
from simulator.business import Business, Opening
from simulator.economics import funding_cost, servicing_cost
from simulator.factors import SystematicPaths
from simulator.horizon import RUN_OFF_MONTHS, longest_lag
from simulator.kernels.bundles import Hazards, Result, Workouts
from simulator.kernels.ladder import Ladder
from simulator.kernels.portfolio import fold_counts, fold_moments
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.shapes import Shape, path_shapes
from simulator.tail_proposal import Proposal

Floats = NDArray[np.float64]

LOAN_BLOCK = 4096
"""Loans that go through all months together: their state fits a core's second cache."""
POOL_ROWS = 6
"""Of Result.pool: hours asked and given, loans waiting, months that they have waited, hours there are, cost."""
RUNG_FACTS = ("asked", "served", "reached", "contacts", "cost", "followed", "averted", "cured", "worse", "again")
"""Of Result.rung, in the order of the kernel."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the blocks of paths leave behind for one scenario.

    Attributes
    ----------
    by_path : name -> array[path, ...]
        Every variable of the Dataset that has the dim `path`, its other dims behind it, in the Dataset's dtype.
    moments : name -> (mean, sum of squared deviations) over paths
    transition : int64 or float64[month 1..T, from bucket, to state], summed over paths with their weights
    weight : float64[2]
        Sum of the paths' weights and of their squares: both the number of paths where these are drawn plainly.
    trace : float64[traced loan, path, month 0..T, vocabulary.TRACE_VARIABLES]
    """

    by_path: Mapping[str, NDArray[Any]]
    moments: dict[str, tuple[Floats, Floats]]
    transition: NDArray[Any]
    weight: Floats
    trace: Floats


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """One scenario of one book, ready to advance."""

    book: Book
    hazards: Hazards
    workouts: Workouts
    ladder: Ladder
    macro: MonthlyMacro
    parameters: Parameters
    servicing: Servicing
    months: int
    seed: np.uint64
    scale: float
    traced: NDArray[np.int64]
    mix: tuple[Floats, Floats]
    """float64[tier] each: shares of the tiers in the opening principal and in the loans."""
    proposal: Proposal | None
    opening: Opening
    """The whole book, before the strategy declines any of it."""
    lent: Opening
    """What it lends, which is `book`."""
    business: Business


def count_levels(run: ScenarioRun) -> int:
    """Levels of all cuts together."""
    return sum(len(names) for names in run.book.levels.values())


def dataset_sizes(run: ScenarioRun) -> dict[str, int]:
    """Length of every dim of a run's Dataset but `path`; a study without a pool has no such dim."""
    buckets = len(run.parameters.bucket_edges)
    return {
        "month": run.months,
        "bucket": buckets,
        "from_bucket": buckets,
        "to_state": buckets + len(EXIT_LABELS),
        "segment": run.macro.used_car_index.shape[1],
        "stage": len(STAGES),
        "macro_variable": run.macro.macro.sizes["macro_variable"],
        **{cut: len(run.book.levels[cut]) for cut in CUTS},
        **{
            dim: len(names)
            for dim, names in (
                ("pool", run.servicing.pool_names),
                ("rung", run.servicing.rung_names),
                ("incident", run.servicing.incident_names),
                ("criterion", run.servicing.criterion_names),
            )
            if names
        },
    }


# --- a block of paths ----------------------------------------------------------------------------------


def result_shapes(run: ScenarioRun, paths: int) -> dict[str, Shape]:
    """What the kernel returns of a block of paths, by field; zeros on entry."""
    last = run.months + RUN_OFF_MONTHS + longest_lag(run.parameters, run.servicing) + 1
    buckets, levels = len(run.parameters.bucket_edges), count_levels(run)
    return {
        "book": Shape((paths, len(BOOK_VARIABLES), last)),
        "bucket_balance": Shape((paths, run.months + 1, buckets)),
        "transition": Shape((paths, run.months + 1, buckets, buckets + len(EXIT_LABELS)), np.int32),
        "level_loss": Shape((paths, levels)),
        "level_flow": Shape((paths, 3, run.months + 1, levels)),
        "shortfall": Shape((paths, len(STAGES), 2)),
        "pool": Shape((paths, run.ladder.pool.size, POOL_ROWS, run.months + 1)),
        "rung": Shape((paths, run.ladder.rung.size, len(RUNG_FACTS), run.months + 1)),
        "incident": Shape((paths, run.ladder.incident_cost.size, run.months + 1)),
        "run_off": Shape((paths, 5)),
        "trace": Shape((run.traced.size, paths, run.months + 1, len(TRACE_VARIABLES))),
    }


def empty_result(run: ScenarioRun, paths: int) -> Result:
    """The arrays of `result_shapes`."""
    return Result(**{name: shape.filled() for name, shape in result_shapes(run, paths).items()}, traced=run.traced)


# --- what stays ----------------------------------------------------------------------------------------


def empty_totals(run: ScenarioRun, paths: int, by_path: Mapping[str, NDArray[Any]] | None = None) -> Totals:
    """Room for what all blocks of paths leave behind; `by_path` is room that a study has made already."""
    block = result_shapes(run, 1)
    if by_path is None:
        shapes = path_shapes(dataset_sizes(run))
        by_path = {name: np.empty(shape.leading(paths).sizes, shape.dtype) for name, shape in shapes.items()}

    def moments(name: str) -> tuple[Floats, Floats]:
        flat = Shape((int(np.prod(block[name].sizes[1:])),))
        return flat.filled(), flat.filled()

    trace = block["trace"].sizes
    return Totals(
        by_path=by_path,
        moments={name: moments(name) for name in ("bucket_balance", "level_flow", "rung")},
        transition=np.zeros(block["transition"].sizes[1:], np.int64 if run.proposal is None else np.float64)[1:],
        weight=np.zeros(2),
        trace=np.empty((trace[0], paths, *trace[2:])),
    )


AFTER_HORIZON_ROWS = (
    ("principal_paid", "prepaid", "total_loss_paid"),
    ("interest_paid",),
    ("fees",),
    ("charge_off",),
    ("recovery",),
    ("ultimate_loss",),
    ("default_loss",),
)
"""Book variables that each `*_after_horizon` variable sums, in vocabulary order."""

ROW = {variable.name: item for item, variable in enumerate(BOOK_VARIABLES)}
"""Where the kernel writes each variable of the book."""


def keep(run: ScenarioRun, chunk: range, result: Result, systematic: SystematicPaths, totals: Totals) -> None:
    """Fold one block of paths into the totals, in path order; `chunk` are its rows there."""
    rows = slice(chunk.start, chunk.stop)
    for name, values in path_values(run, result, systematic).items():
        target = totals.by_path[name]
        target[rows] = np.rint(values) if target.dtype.kind == "i" else values
    totals.trace[:, rows] = result.trace
    weight, held = np.exp(systematic.log_weight), totals.weight[0]
    moved = result.transition[:, 1:]
    if run.proposal is None:
        totals.transition[...] += moved.sum(axis=0)  # whole numbers: exact in any order
    else:
        fold_counts(moved.reshape(len(chunk), -1), weight, totals.transition.reshape(-1))
    for name in totals.moments:
        values = getattr(result, name)
        mean, squares = totals.moments[name]
        fold_moments(values.reshape(len(chunk), -1), weight, held, mean, squares)
    for each in weight:
        totals.weight[...] += (each, each**2)


def path_values(run: ScenarioRun, result: Result, systematic: SystematicPaths) -> dict[str, Floats]:
    """Every variable of the Dataset by path, for a block of paths: name -> float64[path, ...]."""
    horizon = run.months + 1
    book = {variable.name: result.book[:, item, 1:horizon] for item, variable in enumerate(BOOK_VARIABLES)}
    return {
        **book,
        **_late_values(run, result),
        **_economic_values(run, result),
        "shortfall_12m_by_stage": result.shortfall[..., 0],
        "shortfall_by_stage": result.shortfall[..., 1],
        **_collection_values(run, result),
        **{f"loss_by_{cut}": result.level_loss[:, levels] for cut, levels in cut_slices(run.book).items()},
        "used_car_index": systematic.index[:, 1:horizon],
        "global_factor": systematic.factor[:, 0, 1:horizon],
    }


def _late_values(run: ScenarioRun, result: Result) -> dict[str, Floats]:
    """What follows after the horizon."""
    horizon = run.months + 1
    late = result.book[:, :, horizon:].sum(axis=2)
    return {
        variable.name: np.asarray(sum(late[:, ROW[part]] for part in parts))
        for variable, parts in zip(AFTER_HORIZON_VARIABLES, AFTER_HORIZON_ROWS, strict=True)
    }


def _economic_values(run: ScenarioRun, result: Result) -> dict[str, Floats]:
    """What follows from the book's stocks at the opening of each month (22), (23)."""
    prime = run.macro.macro.sel(macro_variable="prime_rate").to_numpy()[1 : run.months + 1]
    economics, (by_balance, by_count) = run.parameters.economics, run.mix
    balance, live, late = (
        result.book[:, ROW[name], : run.months] for name in ("balance", "live_count", "delinquent_count")
    )
    return {
        "funding_cost": funding_cost(balance, prime, economics, by_balance),
        "servicing_cost": servicing_cost(live, late, economics, by_count),
    }


def _collection_values(run: ScenarioRun, result: Result) -> dict[str, Floats]:
    """What pools did and incidents there were; zeros for a pool that the strategy does not have."""
    servicing = run.servicing
    found: dict[str, Floats] = {}
    if servicing.pool_names:
        own = () if servicing.strategy is None else tuple(servicing.strategy.pools)
        told = np.zeros((*result.pool.shape[:1], len(servicing.pool_names), POOL_ROWS, run.months))
        for place, name in enumerate(own):
            told[:, servicing.pool_names.index(name)] = result.pool[:, place, :, 1:]
        asked, given, waiting, waited, capacity, cost = np.moveaxis(told, (2, 1), (0, 3))
        found |= {
            "pool_demand": asked,
            "pool_served": given,
            "pool_waiting": waiting,
            "pool_waiting_months": np.divide(waited, waiting, out=np.zeros_like(waited), where=waiting > 0.0),
            "pool_capacity": capacity,
            "pool_cost": cost,
        }
    if servicing.incident_names:
        counts = np.zeros((result.incident.shape[0], run.months, len(servicing.incident_names)))
        if result.incident.shape[1]:
            counts[...] = np.moveaxis(result.incident[:, :, 1:], 1, 2)
        found["incident_count"] = counts
    return found


def cut_slices(book: Book) -> dict[str, slice]:
    """Where each cut's levels stand in the kernels' common numbering of levels."""
    slices, first = {}, 0
    for cut in CUTS:
        slices[cut] = slice(first, first + len(book.levels[cut]))
        first += len(book.levels[cut])
    return slices
