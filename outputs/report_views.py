"""Tables of measures as the report lays them out: runs side by side, each figure beside its error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas
import xarray as xr

from outputs import arrears, compare, contributions, measures, rates
from outputs.style import run_labels
from outputs.wording import late_label, measure_label, percent_level, rate_label, run_label, varying
from scenarios.vocabulary import CUTS
from simulator.tape.describe import MOST_LEVELS

Cell = tuple[float, float]
"""A figure and its standard error."""

CUT_COLUMNS: Final = ("percent_of_level", "percent_of_opening", "share_percent", "tail_percent_of_opening")
"""Columns of the report's tables by cut; `tables/loss_by_cut.csv` has all."""

RUNS_SIDE_BY_SIDE: Final = 2
"""Runs that a table by cut shows: the first, and of the others that with the largest expected loss."""


@dataclass(frozen=True, slots=True)
class RunTable:
    """Rows of a measure table that belong to one run."""

    run: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A table with a column (or a group of columns) a run.

    Attributes
    ----------
    runs : tuple of str
    rows : tuple of (label, definition, cells)
    """

    runs: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class CutRow:
    """A level of a cut: its share of the opening balance in percent, then the cells of `CUT_COLUMNS` by run."""

    label: str
    opening_percent: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class CutTables:
    """Loss by cut.

    Attributes
    ----------
    runs : tuple of str
        Those that are shown.
    left_out : tuple of str
        Runs that are in the CSV only.
    shortfall : str
        The measure that is split, as "ES 99 %".
    cuts : dict of str to tuple of CutRow
        The book itself is each table's last row.
    undivided : tuple of str
        Cuts with one level.
    """

    runs: tuple[str, ...]
    left_out: tuple[str, ...]
    shortfall: str
    cuts: dict[str, tuple[CutRow, ...]]
    undivided: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArrearsTable:
    """Stock in arrears by month.

    Attributes
    ----------
    heads : tuple of str
        The tape, then months.
    runs : dict of str to list of (label, percentages)
    settled : tuple of float
        Percent by bucket to which the parameter sets' own matrices settle; empty where not known.
    """

    heads: tuple[str, ...]
    runs: dict[str, list[tuple[str, tuple[float, ...]]]]
    settled: tuple[float, ...]


def by_run(table: pandas.DataFrame) -> list[RunTable]:
    """A measure table as one block of rows a run."""
    vary = () if table.empty else varying(table)
    blocks: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_dict(orient="records"):
        label = run_label(row["scenario"], row["strategy"], row["programme"], vary=vary)
        blocks.setdefault(label, []).append({str(name): value for name, value in row.items()})
    return [RunTable(run, rows) for run, rows in blocks.items()]


def rate_matrix(results: xr.Dataset) -> Matrix:
    """Rates of the book: a row a rate with its definition, a column a run."""
    table = rates.rates(results)
    labels = run_labels(results)
    per_run = len(table) // len(labels)
    rows = []
    for place in range(per_run):
        same = table.iloc[place::per_run]
        cells = tuple(zip(same["value"], same["standard_error"], strict=True))
        rows.append((*rate_label(str(same["measure"].iloc[0])), cells))
    return Matrix(tuple(labels), tuple(rows))


def differences(results: xr.Dataset) -> dict[str, list[dict[str, Any]]]:
    """Paired differences by pair, as "adverse less baseline"; strategy and programme are named where they vary."""
    vary = [dim for dim in ("strategy", "programme") if results.sizes[dim] > 1]
    pairs: dict[str, list[dict[str, Any]]] = {}
    for row in compare.paired_differences(results).to_dict(orient="records"):
        label = " / ".join([compare.paired_with(row), *(str(row[dim]) for dim in vary)])
        pairs.setdefault(label, []).append({str(name): value for name, value in row.items()})
    return pairs


def arrears_view(results: xr.Dataset, settled: Sequence[float]) -> ArrearsTable:
    """Stock in arrears on the tape and in the months after it, beside the state to which the parameters lead."""
    table = arrears.arrears_table(results)
    months = arrears.shown_months(results)
    heads = ("tape", *(f"month {month}" for month in months[1:-1]), f"month {months[-1]}, the horizon")
    runs: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
    buckets = list(dict.fromkeys(table["bucket"]))
    values = iter(table["percent_of_loans"].tolist())
    for label in run_labels(results):
        runs[label] = [(late_label(bucket), tuple(next(values) for _ in months)) for bucket in buckets]
    return ArrearsTable(heads, runs, tuple(100.0 * share for share in settled))


def cut_tables(results: xr.Dataset) -> CutTables:
    """Loss by cut, the first run beside the worst of the others."""
    labels = run_labels(results)
    chosen = _shown_runs(results)
    table = contributions.loss_by_cut(results, MOST_LEVELS)
    divided = contributions.divided_cuts(results)
    level = contributions.tail_level(results)
    total = _book_row(results, chosen, level)
    selections = [list(measures.runs(results))[place] for place in chosen]
    return CutTables(
        runs=tuple(labels[place] for place in chosen),
        left_out=tuple(label for place, label in enumerate(labels) if place not in chosen),
        shortfall=f"ES {percent_level(level)}",
        cuts={cut: (*_cut_rows(table[table["cut"] == cut], selections), total) for cut in divided},
        undivided=tuple(cut for cut in CUTS if cut not in divided),
    )


def _shown_runs(results: xr.Dataset) -> list[int]:
    """Places of the first run and of the others' worst by expected loss."""
    weight = measures.path_weight(results)
    means = [float(measures.path_loss(results).sel(run).weighted(weight).mean()) for run in measures.runs(results)]
    others = sorted(range(1, len(means)), key=lambda place: -means[place])
    return [0, *others[: RUNS_SIDE_BY_SIDE - 1]]


def _cut_rows(table: pandas.DataFrame, runs: Sequence[Mapping[str, str]]) -> Iterator[CutRow]:
    parts = [table[(table[list(run)] == list(run.values())).all(axis=1)].to_dict(orient="records") for run in runs]
    for rows in zip(*parts, strict=True):
        cells = tuple((row[name], row[f"{name}_error"]) for row in rows for name in CUT_COLUMNS)
        yield CutRow(str(rows[0]["cut_level"]), float(rows[0]["opening_percent"]), cells)


def _book_row(results: xr.Dataset, chosen: Sequence[int], level: float) -> CutRow:
    """The whole book: what the levels of a cut sum to, from the summary's own figures."""
    table = measures.summary(results)
    per_run = len(table) // len(run_labels(results))
    cells: list[Cell] = []
    for place in chosen:
        rows = table.iloc[place * per_run : (place + 1) * per_run]
        wanted = rows[
            (rows["measure"] == "expected_loss") | (rows["level"].eq(level) & rows["measure"].eq("expected_shortfall"))
        ]
        expected, tail = zip(wanted["percent_of_opening"], wanted["percent_standard_error"], strict=True)
        cells += [expected, expected, (100.0, math.nan), tail]
    return CutRow("the book", 100.0, tuple(cells))


def difference_label(row: Mapping[str, Any]) -> str:
    """Label of a difference's row."""
    return measure_label(str(row["measure"]), float(row["level"]))
