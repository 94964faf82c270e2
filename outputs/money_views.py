"""Provision, income, cash, recoveries and capital as the report lays them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import cash, income, provision, recoveries, servicing, term_structure, uncertainty
from outputs.measures import runs
from outputs.periods import WHOLE
from outputs.report_views import Cell, RunTable, by_run
from outputs.style import run_labels
from outputs.wording import percent
from outputs.worst import worst_periods
from scenarios.counted import counted
from scenarios.vocabulary import RUN_DIMS

LEFT_OVER: Final = 1.0
"""Percent of the opening balance at the horizon from which on the report says that lifetime losses end too soon."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a statement: its words, and for each run an amount and a percentage, both with their errors."""

    label: str
    note: str
    total: bool
    cells: tuple[tuple[Cell, Cell], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines with two columns a run.

    Attributes
    ----------
    runs : tuple of str
    lines : tuple of Line
    """

    runs: tuple[str, ...]
    lines: tuple[Line, ...]


def provision_view(results: xr.Dataset) -> list[RunTable]:
    """Expected credit loss by stage, a block a run; the weighted mean comes last where scenarios have weights."""
    return by_run(provision.credit_loss(results))


def stage_3_coverage(blocks: Sequence[RunTable]) -> list[tuple[str, float]]:
    """Allowance of all stages over the balance in default, percent by run; without runs where nothing is in default."""
    found = []
    for block in blocks:
        stages = {str(row["stage"]): row for row in block.rows}
        defaulted = float(block.rows[-2]["opening_balance"])
        if defaulted > 0.0:
            found.append((block.run, 100.0 * float(stages[provision.ALL_STAGES]["allowance"]) / defaulted))
    return found


def cut_off(results: xr.Dataset) -> str:
    """What is alive at the horizon and so beyond every lifetime loss; empty where next to nothing is."""
    left = {name: 100.0 * share for name, share in provision.left_at_horizon(results).items()}
    if max(left.values()) < LEFT_OVER:
        return ""
    shares = ", ".join(f"{name} {percent(share, 1)} %" for name, share in left.items())
    return (
        f"Life ends with the horizon of {counted(results.sizes['month'], 'month')}, when part of the opening balance "
        f"is still live ({shares}): lifetime losses are too small by what that part would lose. A longer horizon cures "
        "it."
    )


def income_view(results: xr.Dataset) -> Statement:
    """Income over the horizon, a line an item: currency, and percent a year of the balance."""
    table = income.income(results)
    labels = {item.name: (item.label, "", item.total) for item in income.ITEMS}
    whole = table[table["period"] == WHOLE]
    return _statement(whole, "item", labels, income.MARGIN_COLUMNS, results)


def funnel_view(results: xr.Dataset) -> Statement:
    """Steps of loans in trouble: number, and percent of the step's base; steps that never happen are left out."""
    table = servicing.funnel(results)
    happens = table.groupby("step")["value"].transform("max") > 0.0
    labels = {name: (step.label, f"share of {step.base_label}", False) for name, step in servicing.STEPS.items()}
    return _statement(table[happens], "step", labels, ("percent", "percent_error"), results)


def _statement(
    table: pandas.DataFrame,
    key: str,
    labels: Mapping[str, tuple[str, str, bool]],
    share_columns: tuple[str, str],
    results: xr.Dataset,
) -> Statement:
    """Rows of a tidy table side by side by run; every run has the same keys in the same order."""
    lines = []
    for name in dict.fromkeys(table[key]):
        same = table[table[key] == name]
        amounts = zip(same["value"], same["standard_error"], strict=True)
        shares = zip(*(same[column] for column in share_columns), strict=True)
        label, note, total = labels[str(name)]
        lines.append(Line(label, note, total, tuple(zip(amounts, shares, strict=True))))
    return Statement(tuple(run_labels(results)), tuple(lines))


def cash_view(results: xr.Dataset) -> list[RunTable]:
    """Schedule, cash and shortfall by year, a block a run; the largest shortfall to date is each block's last row."""
    return by_run(cash.cash_by_period(results))


def recovery_view(results: xr.Dataset) -> list[RunTable]:
    """Recoveries by channel, a block a run."""
    blocks = by_run(recoveries.recoveries(results))
    return [RunTable(block.run, [_named(row) for row in block.rows]) for block in blocks]


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    lag = float(row["lag_months"])
    return {**row, "label": recoveries.LABELS[str(row["channel"])], "lag": "" if math.isnan(lag) else f"{lag:.1f}"}


def term_view(results: xr.Dataset) -> list[RunTable]:
    """Default, exposure and loss by period, a block a run and a row a period, with a cell a measure."""
    blocks = by_run(term_structure.term_structure(results))
    shown = []
    for block in blocks:
        rows: dict[str, dict[str, Any]] = {}
        for row in block.rows:
            cells = rows.setdefault(str(row["period"]), {"period": row["period"]})
            cells[str(row["measure"])] = (row["value"], row["standard_error"])
        shown.append(RunTable(block.run, list(rows.values())))
    return shown


def worst_view(results: xr.Dataset) -> list[RunTable]:
    """Measures of the worst stretches, a block a run and stretch."""
    table = worst_periods(results)
    blocks = {stretch: by_run(table[table["loss"] == stretch]) for stretch in dict.fromkeys(table["loss"])}
    pairs = zip(*blocks.values(), strict=True)
    return [
        RunTable(f"{block.run}: {name}", block.rows) for pair in pairs for name, block in zip(blocks, pair, strict=True)
    ]


def pool_view(results: xr.Dataset) -> dict[str, Statement]:
    """Measures of each pool, a column a run that has it; empty without a pool. Percentages of a cell are not used."""
    table = servicing.pools(results)
    if table.empty:
        return {}
    labels = {tuple(run.values()): label for run, label in zip(runs(results), run_labels(results), strict=True)}
    return {str(pool): _pool_statement(rows, labels) for pool, rows in table.groupby("pool", sort=False)}


def _pool_statement(rows: pandas.DataFrame, labels: Mapping[tuple[str, ...], str]) -> Statement:
    """One pool: a line a measure that some run has, a column a run."""
    unused = (math.nan, math.nan)
    found = {
        (*(str(row[dim]) for dim in RUN_DIMS), str(row["measure"])): (float(row["value"]), float(row["standard_error"]))
        for row in rows.to_dict(orient="records")
    }
    present = [run for run in labels if any(key[:-1] == run for key in found)]
    measures = set(rows["measure"])
    lines = tuple(
        Line(label, note, False, tuple((found.get((*run, measure), unused), unused) for run in present))
        for measure, (label, note) in servicing.POOL_LABELS.items()
        if measure in measures
    )
    return Statement(tuple(labels[run] for run in present), lines)


def pool_hours(results: xr.Dataset) -> dict[str, str]:
    """Hours that each pool has, in words: their number, or the least and the most over paths and months."""
    if not servicing.has_pool(results):
        return {}
    return {str(name): hours_words(results["pool_capacity"].sel(pool=name)) for name in results["pool"].values}


def hours_words(capacity: xr.DataArray) -> str:
    """Capacity of a pool in words; strategies without the pool, with a capacity of 0 throughout, are passed over."""
    if "strategy" in capacity.dims:
        own = (capacity > 0.0).any([dim for dim in capacity.dims if dim != "strategy"])
        capacity = capacity.isel(strategy=np.flatnonzero(own.values))
    values = capacity.values[~np.isnan(capacity.values)]
    if not values.size or np.isinf(values).all():
        return "unlimited hours"
    finite = values[np.isfinite(values)]
    low, high = (f"{float(value):,.0f}" for value in (finite.min(), finite.max()))
    told = f"{low} hours a month" if low == high else f"{low} to {high} hours a month"
    return told if finite.size == values.size else f"{told}, or unlimited hours"


# --- uncertain parameters ------------------------------------------------------------------------------------

STRONGEST: Final = 5
"""Parameters that the report names at most; the table has all."""


def band_view(results: xr.Dataset) -> list[RunTable]:
    """What the parameters alone do to the loss, % of opening balance, a block a run; empty without draws.

    Measures with too few paths beyond them in a draw are left out.
    """
    scale = 100.0 / float(results.attrs["opening_balance"])
    table = uncertainty.parameter_bands(results)
    table = table[~table["unreliable"].astype(bool)]
    shares = {"sd": "parameter_sd", "sd_error": "parameter_sd_error", "noise": "monte_carlo_sd"}
    return by_run(table.assign(**{f"{name}_percent": scale * table[column] for name, column in shares.items()}))


@dataclass(frozen=True, slots=True)
class Drivers:
    """Parameters that the expected loss of a run goes with.

    Attributes
    ----------
    run : str
    parameters : int
        How many were compared.
    chance : float
        What the largest rank correlation of so many exceeds in 5 % of studies by chance alone.
    rows : list of dict
        The strongest of those beyond it; of the others the order is chance.
    """

    run: str
    parameters: int
    chance: float
    rows: list[dict[str, Any]]


def driver_view(results: xr.Dataset) -> list[Drivers]:
    """Parameters that stand out from chance, strongest first, by run; empty without draws."""
    blocks = by_run(uncertainty.parameter_drivers(results).dropna(subset=["rank_correlation"]))
    return [
        Drivers(
            block.run,
            len(block.rows),
            float(block.rows[0]["largest_by_chance"]),
            [row for row in block.rows if row["stands_out"]][:STRONGEST],
        )
        for block in blocks
    ]


# --- capital -------------------------------------------------------------------------------------------------

APPROACHES: Final = {
    "irb_other_retail": "Basel formula, other retail",
    "standardised": "standardised approach",
    "simulated": "simulation, VaR 99.9 % less EL",
}
CAPITAL_COLUMNS: Final = ("pd_12m_percent", "lgd_percent", "correlation", "risk_weight_percent", "percent_of_exposure")
"""Columns of the capital table that some rows lack; shown with two decimals."""


@dataclass(frozen=True, slots=True)
class CapitalLine:
    """A row of the capital table: its words, exposure and capital in currency, and cells that are ready text."""

    approach: str
    part: str
    exposure: float
    capital: Cell
    cells: tuple[str, ...]
    unreliable: bool


def capital_lines(rows: Sequence[Mapping[str, Any]]) -> list[CapitalLine]:
    """Rows of `capital.capital_table` for readers; what a row lacks stays empty."""
    return [
        CapitalLine(
            APPROACHES.get(str(row["approach"]), str(row["approach"])),
            str(row["part"]),
            float(row["exposure"]),
            (float(row["capital"]), float(row["standard_error"])),
            tuple("" if pandas.isna(row[name]) else percent(float(row[name]), 2) for name in CAPITAL_COLUMNS),
            row["unreliable"] is True,
        )
        for row in rows
    ]
