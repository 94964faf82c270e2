"""Strategies as the report lays them out: who does best, by how much, for what cost, and by which action."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas
import xarray as xr

from outputs import estimators
from outputs.business import declined_business
from outputs.care import care_table
from outputs.incident_limits import IncidentResult
from outputs.measures import has_costs, sample_of
from outputs.outcomes import outcome_table
from outputs.report_views import Cell, by_run
from outputs.servicing import has_pool
from outputs.strategies import (
    IN_LOANS,
    INCIDENTS,
    NET_CASH,
    RANKED,
    compared_runs,
    total_cost,
)
from outputs.strategies_costs import COST_LABELS, strategy_costs
from outputs.strategies_view import Comparison, comparison_notes, ranking
from outputs.weighted import ALL_SCENARIOS, with_mixture
from outputs.wording import NOT_AVAILABLE, amount, measure_label, p_value, percent, run_label
from scenarios.vocabulary import AGAIN_MONTHS

SHOWN: Final = ("expected_loss", "expected_shortfall", NET_CASH, INCIDENTS)
"""Measures of the report's differences; of the shortfall the level by which strategies are ranked."""
SHOWN_COSTS: Final = (
    "collection_cost",
    "incident_cost",
    "recovered",
    "cost_per_recovered",
    "loss_avoided",
    "net_benefit",
)
"""Columns of the report's table of costs; `tables/strategy_costs.csv` has all."""
NOTHING: Final[Cell] = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one scenario."""

    scenario: str
    rows: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LevelRow:
    """A strategy in its scenario: of each measure of `RANKED` (percent of opening, rank, P(best) in percent)."""

    strategy: str
    ranked: tuple[tuple[Cell, int, float], ...]
    net_cash: Cell
    incidents: Cell
    thin: bool


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A difference to the baseline: ready text, percent of opening balance or a number, and an amount if it is one."""

    strategy: str
    label: str
    value: str
    interval: str
    money: str
    p_value: str
    verdict: str
    thin: bool


@dataclass(frozen=True, slots=True)
class ActionCosts:
    """Costs of one scenario: a row a rung, pool or kind of cost, a cell a strategy; the total is the last row."""

    scenario: str
    strategies: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class StrategiesView:
    """What the report says of several strategies.

    Attributes
    ----------
    baseline : str
    levels, differences : list of Block
        Of `LevelRow` and `DifferenceRow`.
    replicates : int
    notes : tuple of str
    """

    baseline: str
    levels: list[Block]
    differences: list[Block]
    replicates: int
    notes: tuple[str, ...]


def strategies_context(
    results: xr.Dataset, found: Comparison | None, limits: Sequence[IncidentResult]
) -> dict[str, Any]:
    """What the template of the section needs; without several strategies, or without costs, parts of it are empty."""
    costly = has_costs(results)
    return {
        "has_collections": found is not None or costly or has_pool(results) or bool(limits),
        "strategies": None if found is None else strategies_view(found),
        "winners": [] if found is None else winners(found),
        "strategy_costs": cost_blocks(strategy_costs(results) if found is None else found.costs) if costly else [],
        "cost_columns": [
            name for name in SHOWN_COSTS if found is not None or name not in ("loss_avoided", "net_benefit")
        ],
        "cost_labels": COST_LABELS,
        "action_costs": action_costs(results) if costly else [],
        "care": by_run(care_table(results)),
        "outcomes": by_run(outcome_table(results)),
        "again_months": AGAIN_MONTHS,
    }


def strategies_view(found: Comparison) -> StrategiesView:
    """Levels with ranks, and differences with verdicts, a block a scenario."""
    return StrategiesView(
        found.baseline, level_blocks(found), difference_blocks(found), found.replicates, comparison_notes(found)
    )


def winners(found: Comparison) -> list[str]:
    """Who has the least expected loss with costs, a sentence a scenario."""
    table, business = ranking(found.levels, found.best), declined_business(found.dataset, found.loss)
    first = table[(table["measure"] == "expected_loss") & (table["rank"] == 1)]
    return [
        f"With the costs of collection and of incidents, {row.strategy} has the least expected loss "
        f"{_where(row, found.dataset)}: {percent(row.percent_of_opening, 2)} % of the "
        f"opening balance. Probability that it is the best, given the paths of this run: "
        f"{percent(100.0 * row.best_probability, 1)} %.{_of_what_is_lent(row, business)}"
        for row in first.itertuples()
    ]


def _of_what_is_lent(winner: Any, business: pandas.DataFrame) -> str:
    """What the winner declined before the loan, and who loses the least of what it lends; nothing where all is lent."""
    if business.empty:
        return ""
    rows = business[(business["scenario"] == winner.scenario) & (business["programme"] == winner.programme)]
    own = rows[(rows["strategy"] == winner.strategy) & (rows["declined"] > 0)]
    if own.empty:
        return ""
    least = rows.loc[rows["loss_percent"].idxmin()]
    own_too = least["strategy"] == winner.strategy
    who = "its expected loss is the least too" if own_too else f"that of {least['strategy']} is the least"
    return (
        f" It declines {percent(float(own['declined_percent'].iloc[0]), 1)} % of the book before the loan; of what "
        f"each lends, {who}: {percent(float(least['loss_percent']), 2)} %."
    )


def _where(row: Any, dataset: xr.Dataset) -> str:
    if row.scenario == ALL_SCENARIOS:
        return "over all scenarios with their weights"
    return f"in {_scenario_label(row.scenario, row.programme, dataset)}"


def level_blocks(found: Comparison) -> list[Block]:
    """A row a strategy: EL and ES 99 % with costs, their ranks, net cash and incidents."""
    table, totals = ranking(found.levels, found.best), found.totals.set_index(["scenario", "programme", "strategy"])

    def row(key: tuple[str, ...], part: pandas.DataFrame) -> LevelRow:
        ranked = tuple(
            ((each.percent_of_opening, each.percent_standard_error), int(each.rank), 100.0 * each.best_probability)
            for each in part.itertuples()
        )
        own = totals.loc[[key]].set_index("measure")
        cash, counts = (
            (float(own.loc[name, "value"]), float(own.loc[name, "standard_error"])) if name in own.index else NOTHING
            for name in (NET_CASH, INCIDENTS)
        )
        return LevelRow(key[-1], ranked, cash, counts, bool(part["unreliable"].any()))

    rows = ((key, row(key, part)) for key, part in table.groupby(["scenario", "programme", "strategy"], sort=False))
    return _blocks(rows, found.dataset)


def difference_blocks(found: Comparison) -> list[Block]:
    """A row a strategy and measure of `SHOWN`, as `carstress compare` shows it."""
    table = found.differences
    level = RANKED[-1][1]
    table = table[table["measure"].isin(SHOWN) & (table["level"].isna() | (table["level"] == level))]
    rows = (((row.scenario, row.programme, row.strategy), _difference(row)) for row in table.itertuples())
    return _blocks(rows, found.dataset)


def _difference(row: Any) -> DifferenceRow:
    count = row.measure in IN_LOANS
    scale = row.percent_of_opening / row.value if row.value and not count else 0.0
    told = [amount(each, row.value) if count else percent(scale * each) for each in (row.value, row.low, row.high)]
    label = measure_label(row.measure, row.level)
    interval = f"{told[1]} to {told[2]}" if math.isfinite(row.low) else NOT_AVAILABLE
    return DifferenceRow(
        row.strategy,
        f"{label}, number" if count else label,
        told[0],
        interval,
        "" if count else amount(row.value),
        p_value(row.adjusted_p),
        row.verdict,
        bool(row.unreliable),
    )


def cost_blocks(table: pandas.DataFrame) -> list[Block]:
    """A row a strategy: its name and a cell a measure of costs, by name."""
    found: dict[str, list[Any]] = {}
    for (scenario, programme, strategy), part in table.groupby(["scenario", "programme", "strategy"], sort=False):
        cells = {row.measure: (row.value, row.standard_error) for row in part.itertuples()}
        label = run_label(scenario, "", programme, vary=("programme",) if table["programme"].nunique() > 1 else ())
        found.setdefault(label, []).append((strategy, {name: cells.get(name, NOTHING) for name in COST_LABELS}))
    return [Block(scenario, tuple(rows)) for scenario, rows in found.items()]


def action_costs(dataset: xr.Dataset) -> list[ActionCosts]:
    """Cost over the horizon by what it is paid for: rungs, hours of pools, kinds of incidents; mean over paths.

    Rows are left out where no strategy pays anything; the total is that of `strategies.total_cost`.
    """
    parts = {name: with_mixture(values, dataset) for name, values in _cost_parts(dataset)}
    blocks: dict[str, dict[str, dict[str, Cell]]] = {}
    for run in compared_runs(dataset):
        cells = {name: _mean(values.sel(run), dataset) for name, values in parts.items()}
        label = _scenario_label(run["scenario"], run["programme"], dataset)
        blocks.setdefault(label, {})[run["strategy"]] = cells
    return [
        ActionCosts(
            scenario,
            tuple(by_strategy),
            tuple(
                (name, tuple(cells[name] for cells in by_strategy.values()))
                for name in parts
                if any(cells[name][0] != 0.0 for cells in by_strategy.values())
            ),
        )
        for scenario, by_strategy in blocks.items()
    ]


def _cost_parts(dataset: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """Costs by what they are paid for: by path, but those of rungs, of which a result holds the mean alone."""
    if "rung_cost_mean" in dataset:
        for rung in map(str, dataset["rung"].values):
            yield f"{rung}: contacts, filings, commissions", dataset["rung_cost_mean"].sel(rung=rung).sum("month")
    if "pool_cost" in dataset:
        for pool in map(str, dataset["pool"].values):
            yield f"pool {pool}: hours and hiring", dataset["pool_cost"].sel(pool=pool).sum("month")
    yield "incidents", total_cost(dataset, "incident_cost")
    yield "all costs", total_cost(dataset)


def _mean(values: xr.DataArray, dataset: xr.Dataset) -> Cell:
    """Mean over paths with its error; a mean that is one already has none."""
    if "path" not in values.dims:
        return float(values), math.nan
    found = estimators.mean(sample_of(values, dataset))
    return found.value, found.standard_error


def _blocks(rows: Iterator[tuple[tuple[str, ...], Any]], dataset: xr.Dataset) -> list[Block]:
    found: dict[str, list[Any]] = {}
    for (scenario, programme, _), row in rows:
        found.setdefault(_scenario_label(scenario, programme, dataset), []).append(row)
    return [Block(scenario, tuple(each)) for scenario, each in found.items()]


def _scenario_label(scenario: str, programme: str, dataset: xr.Dataset) -> str:
    vary = ("programme",) if dataset.sizes["programme"] > 1 else ()
    return run_label(scenario, "", programme, vary=vary)
