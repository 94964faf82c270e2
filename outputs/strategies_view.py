"""Strategies against each other as the terminal shows them, and as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas
import xarray as xr

from outputs.business import TABLE, business_lines, business_tables
from outputs.care import CARE, care_lines, care_tables
from outputs.incident_limits import IncidentResult
from outputs.measures import Loss, as_records
from outputs.outcomes import OUTCOMES, outcome_lines, outcome_tables
from outputs.strategies import IN_LOANS, several_strategies, strategy_differences, strategy_levels, strategy_totals
from outputs.strategies_best import REPLICATES, best_strategies
from outputs.strategies_costs import COST_LABELS, RATIOS, strategy_costs
from outputs.strategies_verdicts import FAMILY_ERROR
from outputs.wording import LOSS_LABELS, TERMINAL_WIDTH, align, amount, measure_label, p_value, path_count, percent
from scenarios.counted import counted
from scenarios.vocabulary import REFERENCE_STRATEGY

MEASURES: Final = ("expected_loss", "value_at_risk", "expected_shortfall", "net_cash", "incidents")
"""Measures of a comparison, in the order in which they are shown."""

SHOWN_COSTS: Final = (
    "collection_cost",
    "incident_cost",
    "cost_per_recovered",
    "contacts_per_loan",
    "loss_avoided",
    "net_benefit",
)
"""Columns of the terminal's table of costs."""

SCHEMA: Final = "carstress-compare/1"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All tables of a comparison; the first strategy is the baseline.

    Attributes
    ----------
    dataset : xr.Dataset
    loss : Loss
    differences, levels, best, costs, totals : pandas.DataFrame
        Of `strategy_differences`, `strategy_levels`, `best_strategies`, `strategy_costs` and `strategy_totals`.
    """

    dataset: xr.Dataset
    loss: Loss
    differences: pandas.DataFrame
    levels: pandas.DataFrame
    best: pandas.DataFrame
    costs: pandas.DataFrame
    totals: pandas.DataFrame

    @property
    def baseline(self) -> str:
        """Name of the strategy that the others are compared with."""
        return str(self.dataset["strategy"].values[0])

    @property
    def replicates(self) -> int:
        """Bootstrap samples behind each probability of being the best; the fewest of all scenarios."""
        return int(self.best["replicates"].min())

    def tables(self) -> dict[str, pandas.DataFrame]:
        """The tables by the names of their files."""
        return {
            "strategy_differences": self.differences,
            "strategy_levels": self._levels_and_totals(),
            "strategy_ranking": ranking(self.levels, self.best),
            "strategy_costs": self.costs,
            **care_tables(self.dataset),
            **outcome_tables(self.dataset),
            **business_tables(self.dataset, self.loss),
        }

    def _levels_and_totals(self) -> pandas.DataFrame:
        """All that is told of each strategy alone; only losses have a rank."""
        parts = [self.levels.astype({"rank": "Int64"}), self.totals.assign(loss=self.loss)]
        return pandas.concat(parts, ignore_index=True)


def compared(dataset: xr.Dataset) -> Comparison | None:
    """The comparison of a run's strategies; None of one strategy."""
    return compare_strategies(dataset) if several_strategies(dataset) else None


def compare_strategies(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> Comparison:
    """Compare the strategies of a result with its first."""
    return Comparison(
        dataset,
        loss,
        strategy_differences(dataset, loss),
        strategy_levels(dataset, loss),
        best_strategies(dataset, loss),
        strategy_costs(dataset, loss),
        strategy_totals(dataset),
    )


def ranking(levels: pandas.DataFrame, best: pandas.DataFrame) -> pandas.DataFrame:
    """Levels and ranks with the probability of being best by the same measure."""
    columns = {"expected_loss": "best_by_mean", "expected_shortfall": "best_by_shortfall"}
    chances = best.set_index(["scenario", "programme", "strategy"])
    keys = zip(levels["scenario"], levels["programme"], levels["strategy"], levels["measure"], strict=True)
    found = [
        float(chances.loc[(scenario, programme, name), columns[measure]]) for scenario, programme, name, measure in keys
    ]
    return levels.assign(best_probability=found)


# --- the terminal --------------------------------------------------------------------------------------------


def format_comparison(found: Comparison, measures: Collection[str] = MEASURES) -> str:
    """The comparison as the terminal shows it: differences with verdicts, ranking, costs.

    Parameters
    ----------
    measures : collection of str
        Of `MEASURES`: those whose differences are shown; verdicts are those of the whole family all the same.
    """
    parts = [_heading(found), *_difference_lines(found, measures), *_pairing_lines(found)]
    parts += [*_ranking_lines(found), *_cost_lines(found), *care_lines(found.dataset)]
    parts += [*outcome_lines(found.dataset), *business_lines(found.dataset, found.loss)]
    return "\n".join(parts)


def ranking_lines(found: Comparison | None) -> list[str]:
    """What `carstress run` says of several strategies; nothing of one."""
    if found is None:
        return []
    shown = found.differences[found.differences["level"].isna() | (found.differences["level"] == 0.99)]
    verdicts = replace(found, differences=shown)
    told = [*_difference_lines(verdicts, MEASURES), *_ranking_lines(found), *business_lines(found.dataset)]
    return ["", _heading(found), *told]


def _heading(found: Comparison) -> str:
    attrs, sizes = found.dataset.attrs, found.dataset.sizes
    return "\n".join(
        [
            f"{sizes['strategy']} strategies path by path on common draws; {path_count(found.dataset)}; baseline "
            f"{found.baseline};",
            f"{LOSS_LABELS[found.loss]}, run-off included,",
            "plus costs of collection and of incidents; opening balance "
            f"{amount(float(attrs['opening_balance']))} {attrs['currency']} as of {attrs['as_of']}",
        ]
    )


def _difference_lines(found: Comparison, measures: Collection[str]) -> list[str]:
    table = found.differences[found.differences["measure"].isin(measures)]
    head = ("scenario", "strategy", "measure", "difference", "95 % from", "to", "Holm p", "verdict")
    rows: list[tuple[str, ...]] = []
    before = ("", "")
    for row in table.itertuples():
        run = str(row.scenario), str(row.strategy)
        shown = ("" if run[0] == before[0] else run[0], "" if run == before else run[1])
        mark = " *" if row.unreliable else ""
        rows.append(
            (*shown, measure_label(row.measure, row.level), *_cells(row), p_value(row.adjusted_p), row.verdict + mark)
        )
        before = run
    told = _columns_right([head, *rows], text_columns=3)
    title = f"Less {found.baseline}, % of opening balance (incidents: their number)"
    several = (
        f"Verdicts: at most {percent(100 * FAMILY_ERROR, 0)} % false ones in a scenario, all rows together (Holm)."
    )
    notes = [several, *(["* not tested: fewer than 10 paths lie beyond it"] if bool(table["unreliable"].any()) else [])]
    return ["", title, told, *notes]


def _cells(row: Any) -> tuple[str, str, str]:
    """Difference and its interval: in percent of the opening balance, or as a number."""
    if row.measure in IN_LOANS:
        return amount(row.value), amount(row.low, row.value), amount(row.high, row.value)
    scale = row.percent_of_opening / row.value if row.value else 0.0
    return percent(row.percent_of_opening), percent(scale * row.low), percent(scale * row.high)


def _columns_right(rows: Sequence[Sequence[str]], text_columns: int) -> str:
    """Rows aligned as `align` does, the last column to the left."""
    width = max(len(row[-1]) for row in rows)
    return align([(*row[:-1], row[-1].ljust(width)) for row in rows], text_columns)


def _pairing_lines(found: Comparison) -> list[str]:
    fewer = found.differences["fewer_paths"].dropna()
    if fewer.empty:
        return []
    low, high = (f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in (fewer.min(), fewer.max()))
    times = low if low == high else f"{low} to {high}"
    text = f"Common paths tell a difference of expected losses as sharply as {times} times as many independent ones."
    return [textwrap.fill(text, TERMINAL_WIDTH)]


def _ranking_lines(found: Comparison) -> list[str]:
    table = ranking(found.levels, found.best)
    head = ("scenario", "strategy", "EL, %", "rank", "P(best)", "ES 99 %, %", "rank", "P(best)", "")
    rows: list[tuple[str, ...]] = []
    before = ""
    for (scenario, strategy), part in table.groupby(["scenario", "strategy"], sort=False):
        cells: list[str] = []
        for row in part.itertuples():
            cells += [percent(row.percent_of_opening), str(row.rank), percent(100 * row.best_probability, 1)]
        cells.append("*" if bool(part["unreliable"].any()) else "")
        rows.append(("" if scenario == before else str(scenario), str(strategy), *cells))
        before = str(scenario)
    title = (
        "Ranking by the loss with costs; P(best), %: how probable it is that the strategy has the least,\n"
        f"given this run ({counted(found.replicates, 'bootstrap sample')} of the paths, Philox keyed by the run's seed)"
    )
    thin = ["* fewer than 10 paths lie beyond ES 99 %"] if bool(table["unreliable"].any()) else []
    return ["", title, align([head, *rows], text_columns=2), *thin]


def _cost_lines(found: Comparison) -> list[str]:
    currency = str(found.dataset.attrs["currency"])
    columns = [name for name in SHOWN_COSTS if name in set(found.costs["measure"])]
    head = ("scenario", "strategy", *(COST_LABELS[name][0].lower() for name in columns))
    rows: list[tuple[str, ...]] = []
    before = ""
    for (scenario, strategy), part in found.costs.groupby(["scenario", "strategy"], sort=False):
        values = part.set_index("measure")["value"]
        cells = [_cost_text(name, float(values.get(name, math.nan))) for name in columns]
        rows.append(("" if scenario == before else str(scenario), str(strategy), *cells))
        before = str(scenario)
    title = f"Costs and benefits over the horizon, {currency}; benefits over {found.baseline}"
    return ["", title, align([head, *rows], text_columns=2)]


def _cost_text(name: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if name in RATIOS else amount(value)


def retest_lines(table: pandas.DataFrame, dataset: xr.Dataset) -> list[str]:
    """The winners on fresh paths: difference to the rival in the run and there, and whether the verdict holds."""
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    head = ("scenario", "winner", "less", "in the run", "from", "to", "fresh", "from", "to", "verdict")
    rows = [
        (
            str(row["scenario"]),
            str(row["winner"]),
            str(row["rival"]),
            *(percent(scale * row[f"{kind}{name}"]) for kind in ("", "fresh_") for name in ("value", "low", "high")),
            str(row["outcome"]),
        )
        for row in table.to_dict(orient="records")
    ]
    fresh = counted(int(table["paths"].iloc[0]), "path")
    title = f"The winner by EL once more on {fresh} that it was not chosen by, % of opening balance"
    return ["", title, _columns_right([head, *rows], text_columns=3)]


def comparison_notes(found: Comparison) -> tuple[str, ...]:
    """What a reader must know of a comparison: that `reference` books no cost, where others do."""
    costs = found.costs[found.costs["measure"] == "collection_cost"].groupby("strategy")["value"].max()
    free = [str(name) for name in costs.index if str(name).partition("@")[0] == REFERENCE_STRATEGY]
    if not free or not bool((costs.drop(free) > 0.0).any()):
        return ()
    return (
        f"Warning: {free[0]} has no ladder and books no cost of collection; what others cost is set against nothing. "
        "Compare with a ladder that does what the books did whose figures the parameters are.",
    )


# --- JSON ----------------------------------------------------------------------------------------------------


def comparison_document(found: Comparison, limits: Sequence[IncidentResult] = ()) -> dict[str, Any]:
    """The comparison as plain values fit for JSON.

    Parameters
    ----------
    limits : sequence of IncidentResult
        Verdicts on the limits that the strategies state.
    """
    tables = found.tables()
    return {
        "baseline": found.baseline,
        "strategies": [str(name) for name in found.dataset["strategy"].values],
        "loss": found.loss,
        "currency": str(found.dataset.attrs["currency"]),
        "paths": found.dataset.sizes["path"],
        "family_error": round(FAMILY_ERROR, 6),
        "bootstrap": {
            "replicates": found.replicates,
            "wanted": REPLICATES,
            "generator": "Philox4x64-10",
        },
        "differences": as_records(tables["strategy_differences"]),
        "levels": as_records(tables["strategy_levels"]),
        "ranking": as_records(tables["strategy_ranking"]),
        "costs": as_records(tables["strategy_costs"]),
        "care": as_records(tables[CARE]) if CARE in tables else [],
        "outcomes": as_records(tables[OUTCOMES]) if OUTCOMES in tables else [],
        "business": as_records(tables[TABLE]) if TABLE in tables else [],
        "incident_limits": [limit.record() for limit in limits],
    }
