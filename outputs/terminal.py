"""What the terminal says after the summary, and all of it as JSON.

Scenarios weighted, what a run means for the lender, sensitivities at their top, and what is not known of parameters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from outputs.cash import cash_by_period, largest_shortfall
from outputs.estimators import mean
from outputs.incident_limits import IncidentResult
from outputs.income import RESULT, income
from outputs.limits import LimitResult
from outputs.measures import as_records, runs, sample_of, summary
from outputs.periods import WHOLE
from outputs.provision import ALL_STAGES, credit_loss
from outputs.sensitivity import top_of_range, why_lower
from outputs.start_levels import foreign_starts
from outputs.starved_pools import starved_pools
from outputs.strategies_view import Comparison, comparison_document, ranking_lines
from outputs.study_view import study_document
from outputs.tail_view import tail_document, tail_lines, thin_tails
from outputs.uncertainty import parameter_bands
from outputs.weighted import ALL_SCENARIOS, weighted_summary
from outputs.wording import TERMINAL_WIDTH, align, amount, arrears_warnings, measure_label, percent, run_label, varying
from outputs.worst import worst_periods
from scenarios.counted import counted

if TYPE_CHECKING:
    from simulator.study import StudyInputs


def further_lines(dataset: xr.Dataset, found: Comparison | None = None) -> list[str]:
    """Lines for the terminal; a part that a study has no figures for is left out.

    Parameters
    ----------
    found : Comparison or None
        Of `strategies_view.compared`.
    """
    return [
        *tail_lines(dataset),
        *ranking_lines(found),
        *_weighted_lines(dataset),
        *_lender_lines(dataset),
        *_top_lines(dataset),
        *_band_lines(dataset),
    ]


def study_warnings(inputs: StudyInputs) -> list[str]:
    """Lines for the terminal on what a study should not have chosen."""
    found = [f"Warning: {text}" for text in foreign_starts(inputs)]
    return [line for text in found for line in ("", textwrap.fill(text, TERMINAL_WIDTH, break_on_hyphens=False))]


def measures_document(
    dataset: xr.Dataset, limits: Sequence[LimitResult], inputs: StudyInputs | None = None
) -> dict[str, Any]:
    """Measures, verdicts, warnings and the study's own assumptions as plain values fit for JSON."""
    return {
        "summary": as_records(summary(dataset)),
        "tail": tail_document(dataset),
        "weighted": as_records(weighted_summary(dataset)),
        "top_of_range": as_records(top_of_range(dataset)),
        "parameter_bands": as_records(parameter_bands(dataset)),
        "expected_credit_loss": as_records(credit_loss(dataset)),
        "income": as_records(income(dataset)),
        "cash": as_records(cash_by_period(dataset)),
        "worst_periods": as_records(worst_periods(dataset)),
        "balance_sheet": str(dataset.attrs["balance_sheet"]),
        "warnings": [
            *arrears_warnings(dataset),
            *starved_pools(dataset),
            *thin_tails(dataset),
            *(() if inputs is None else foreign_starts(inputs)),
        ],
        "study_assumptions": {} if inputs is None else study_document(inputs),
        "limits": [limit.record() for limit in limits],
    }


def strategies_document(found: Comparison | None, conduct: Sequence[IncidentResult]) -> dict[str, Any]:
    """The comparison of a run's strategies, with the keys of `carstress compare --json`; empty of one strategy."""
    return {} if found is None else comparison_document(found, conduct)


def _weighted_lines(dataset: xr.Dataset) -> list[str]:
    table = weighted_summary(dataset)
    if table.empty:
        return []
    weights = zip(dataset["scenario"].values, dataset["scenario_weight"].values, strict=True)
    shares = ", ".join(f"{name} {percent(100.0 * weight, 1)} %" for name, weight in weights)
    vary = varying(table)
    rows = [
        (
            *(str(getattr(row, dim)) for dim in vary),
            measure_label(row.measure, row.level),
            amount(row.value),
            amount(row.standard_error, row.value),
            percent(row.percent_of_opening),
            percent(row.percent_standard_error),
            "*" if row.unreliable else "",
        )
        for row in table.itertuples()
    ]
    head = (*vary, "measure", f"loss, {dataset.attrs['currency']}", "+/- s.e.", "% of opening", "+/- s.e.", "")
    return ["", f"All scenarios, weighted: {shares}", align([head, *rows], text_columns=1 + len(vary))]


def _lender_lines(dataset: xr.Dataset) -> list[str]:
    """One line a run: provision, result and cash shortfall, percent of the opening balance."""
    losses, earned, largest = credit_loss(dataset), income(dataset), largest_shortfall(dataset)
    result = earned[(earned["period"] == WHOLE) & (earned["item"] == RESULT)]
    allowed = losses[(losses["stage"] == ALL_STAGES) & (losses["scenario"] != ALL_SCENARIOS)]
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    head = ("scenario", "allowance", "+/- s.e.", "lifetime", "+/- s.e.", "result", "+/- s.e.", "short", "+/- s.e.")
    rows = []
    for run, loss, found in zip(runs(dataset), allowed.itertuples(), result.itertuples(), strict=True):
        short = mean(sample_of(largest.sel(run), dataset))
        pairs = (
            (loss.allowance_percent, loss.allowance_percent_error),
            (loss.lifetime_percent, loss.lifetime_percent_error),
            (scale * found.value, scale * found.standard_error),
            (scale * short.value, scale * short.standard_error),
        )
        label = run_label(**run, vary=varying(allowed))
        rows.append((label, *(percent(value) for pair in pairs for value in pair)))
    title = (
        "For the lender, % of opening balance: loss allowance by stage (IFRS 9), lifetime loss (CECL), result before\n"
        "provision, overhead and tax within the horizon, and the largest shortfall of cash against the schedule"
    )
    return ["", title, align([head, *rows], text_columns=1)]


def _band_lines(dataset: xr.Dataset) -> list[str]:
    table = parameter_bands(dataset)
    table = table[~table["unreliable"].astype(bool)]
    if table.empty:
        return []
    head = ("scenario", "measure", "mean of draws", "5 % of draws", "95 % of draws", "")
    rows = [
        (
            run_label(row.scenario, row.strategy, row.programme, vary=varying(table)),
            measure_label(row.measure, row.level),
            percent(row.percent_of_opening),
            *((percent(row.low_percent), percent(row.high_percent)) if row.resolved else ("", "")),
            "" if row.resolved else "not resolved: more paths a draw are needed",
        )
        for row in table.itertuples()
    ]
    draws = counted(int(table["draws"].iloc[0]), "draw")
    return ["", f"What the parameters alone do, % of opening balance; {draws}", align([head, *rows], text_columns=2)]


def _top_lines(dataset: xr.Dataset) -> list[str]:
    table = top_of_range(dataset)
    if table.empty:
        return []
    head = ("scenario", "measure", "as it is", "at the top", "adds", "+/- s.e.")
    rows = [
        (
            run_label(row.scenario, row.strategy, row.programme, vary=varying(table)),
            measure_label(row.measure, row.level),
            percent(row.central_percent),
            percent(row.percent_of_opening),
            percent(row.added_percent),
            percent(row.added_percent_error),
        )
        for row in table.itertuples()
    ]
    paths = counted(int(table["paths"].iloc[0]), "path")
    title = f"Macro sensitivities at the top of their published range, % of opening balance; first {paths}"
    note = why_lower(table)
    told = [textwrap.fill(note, TERMINAL_WIDTH, break_on_hyphens=False)] if note else []
    return ["", title, align([head, *rows], text_columns=2), *told]
