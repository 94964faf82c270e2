"""The report's tables as CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas
import xarray as xr

from outputs import (
    arrears,
    balance_sheet,
    capital,
    cash,
    compare,
    contributions,
    income,
    limits,
    measures,
    provision,
    rates,
    recoveries,
    regimes,
    servicing,
    stocks,
    term_structure,
    uncertainty,
    worst,
)
from outputs.book_view import averages_table, book_table
from outputs.business import business_tables
from outputs.care import care_tables
from outputs.csv_text import to_csv
from outputs.incident_limits import limits_table
from outputs.outcomes import outcome_tables
from outputs.report import ReportInputs
from outputs.run_folder import write_text
from outputs.sensitivity import top_of_range
from outputs.tail_view import has_method, tail_table
from outputs.weighted import weighted_summary
from scenarios.regimes import shipped_regimes

if TYPE_CHECKING:
    from simulator.provenance import ProvenanceRow
    from simulator.tape.report import LoadReport


def write_tables(folder: Path, inputs: ReportInputs) -> tuple[Path, ...]:
    """Write each table of the report as ``<name>.csv``; text that a spreadsheet could run is made harmless.

    Returns
    -------
    tuple of Path
        The files, by name.
    """
    paths = []
    for name, table in sorted(report_tables(inputs).items()):
        path = folder / f"{name}.csv"
        write_text(path, to_csv(table))
        paths.append(path)
    return tuple(paths)


def report_tables(inputs: ReportInputs) -> dict[str, pandas.DataFrame]:
    """All tables by name; a table that would have no row has its head only."""
    results = inputs.results
    tables = {
        "summary": measures.summary(results),
        "summary_net_loss": measures.summary(results, "net_loss"),
        "return_periods": measures.return_periods(results),
        "differences": compare.paired_differences(results),
        **(_alone(results) if inputs.comparison is None else inputs.comparison.tables()),
        **business_tables(results),
        "weighted": weighted_summary(results),
        "top_of_range": top_of_range(results),
        "rates": rates.rates(results),
        "arrears": arrears.arrears_table(results),
        **_money_tables(results),
        **_regime_tables(results),
        "parameter_bands": uncertainty.parameter_bands(results),
        "parameter_drivers": uncertainty.parameter_drivers(results),
        "loss_by_cut": contributions.loss_by_cut(results),
        "limits": _rows([limit.record() for limit in inputs.limits], *limits.COLUMNS),
        **limits_table(inputs.incident_limits),
        "parameters": _rows([_parameter(row) for row in inputs.provenance], "parameter_set", "field", "value"),
        "assumptions": _assumptions(inputs),
    }
    if inputs.book is not None:
        tables |= {"book": book_table(inputs.book), "book_averages": averages_table(inputs.book)}
    if has_method(results):
        tables["tail"] = tail_table(results)
    return tables | ({} if inputs.load_report is None else _load_tables(inputs.load_report))


def _alone(results: xr.Dataset) -> dict[str, pandas.DataFrame]:
    """Tables of a ladder that has none to compare with."""
    return {**care_tables(results), **outcome_tables(results)}


def _money_tables(results: xr.Dataset) -> dict[str, pandas.DataFrame]:
    """What the run means for the lender: provision, income, cash, recoveries, and the book year by year."""
    return {
        "expected_credit_loss": provision.credit_loss(results),
        "income": income.income(results),
        "cash": cash.cash_by_period(results),
        "cash_by_month": cash.cash_by_month(results),
        "recoveries": recoveries.recoveries(results),
        "funnel": servicing.funnel(results),
        "pools": servicing.pools(results),
        "term_structure": term_structure.term_structure(results),
        "stocks": stocks.stocks(results),
        "worst_periods": worst.worst_periods(results),
        "constant_balance": balance_sheet.constant_summary(results),
    }


def _regime_tables(results: xr.Dataset) -> dict[str, pandas.DataFrame]:
    """Classes of the stock in arrears, what moves between them, and capital."""
    shipped = shipped_regimes()
    return {
        "regimes": regimes.regime_table(results, shipped),
        "regime_migration": regimes.migration_table(results, shipped),
        "capital": capital.capital_table(results),
    }


def _rows(rows: list[dict[str, Any]], *columns: str) -> pandas.DataFrame:
    return pandas.DataFrame(rows) if rows else pandas.DataFrame(columns=list(columns))


def _parameter(row: ProvenanceRow) -> dict[str, Any]:
    low, high = row.range or (None, None)
    columns = row._asdict()
    del columns["range"]
    return {**columns, "plausible_low": low, "plausible_high": high}


def _assumptions(inputs: ReportInputs) -> pandas.DataFrame:
    by_scenario: Mapping[str, Sequence[str]] = inputs.assumptions or {}
    pairs = [(scenario, sentence) for scenario, sentences in by_scenario.items() for sentence in sentences]
    pairs += [("", sentence) for sentence in inputs.notes]
    return pandas.DataFrame(pairs, columns=["scenario", "assumption"])


def _load_tables(load: LoadReport) -> dict[str, pandas.DataFrame]:
    """Reconciliation to the cent, rejected rows, and what was filled or guessed."""
    parts = (
        ("used", load.rows_used, load.balance_used_cents),
        ("rejected", load.rows_rejected, load.balance_rejected_cents),
        ("in", load.rows_read, load.balance_read_cents),
    )
    reconciliation = [{"part": name, "rows": rows, "balance": _decimal(cents)} for name, rows, cents in parts]
    rejected = [
        {
            "line": row.line,
            "loan_id": row.loan_id,
            "column": row.column,
            "reason": row.reason,
            "balance": None if row.balance_cents is None else _decimal(row.balance_cents),
        }
        for row in load.rejected
    ]
    remarks = [{"kind": "default", "field": name, "loans": count, "text": ""} for name, count in load.defaults.items()]
    remarks += [{"kind": "missing", "field": name, "loans": count, "text": ""} for name, count in load.missing.items()]
    remarks += [{"kind": "guess", "field": "", "loans": "", "text": sentence} for sentence in load.guesses]
    remarks += [{"kind": "note", "field": "", "loans": "", "text": sentence} for sentence in load.notes]
    return {
        "reconciliation": pandas.DataFrame(reconciliation),
        "rejected_rows": _rows(rejected, "line", "loan_id", "column", "reason", "balance"),
        "load_remarks": _rows(remarks, "kind", "field", "loans", "text"),
    }


def _decimal(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
