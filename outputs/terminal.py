"""What the terminal says after the summary: scenarios weighted, sensitivities at their top; all of it as JSON, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import xarray as xr

from outputs.limits import LimitResult
from outputs.measures import as_records, summary
from outputs.sensitivity import top_of_range
from outputs.weighted import weighted_summary
from outputs.wording import align, amount, arrears_warnings, measure_label, percent, run_label, varying
from scenarios.counted import counted


def further_lines(dataset: xr.Dataset) -> list[str]:
    """Lines for the terminal; none where a study has neither weights nor ranges."""
    return [*_weighted_lines(dataset), *_top_lines(dataset)]


def measures_document(dataset: xr.Dataset, limits: Sequence[LimitResult]) -> dict[str, Any]:
    """Measures, verdicts and warnings of a run as plain values fit for JSON."""
    return {
        "summary": as_records(summary(dataset)),
        "weighted": as_records(weighted_summary(dataset)),
        "top_of_range": as_records(top_of_range(dataset)),
        "warnings": list(arrears_warnings(dataset)),
        "limits": [limit.record() for limit in limits],
    }


def _weighted_lines(dataset: xr.Dataset) -> list[str]:
    table = weighted_summary(dataset)
    if table.empty:
        return []
    weights = zip(dataset["scenario"].values, dataset["scenario_weight"].values, strict=True)
    shares = ", ".join(f"{name} {percent(100.0 * weight, 1)} %" for name, weight in weights)
    rows = [
        (
            measure_label(row.measure, row.level),
            amount(row.value),
            amount(row.standard_error),
            percent(row.percent_of_opening),
            percent(row.percent_standard_error),
            "*" if row.unreliable else "",
        )
        for row in table.itertuples()
    ]
    head = ("measure", f"loss, {dataset.attrs['currency']}", "+/- s.e.", "% of opening", "+/- s.e.", "")
    return ["", f"All scenarios, weighted: {shares}", align([head, *rows], text_columns=1)]


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
    return ["", title, align([head, *rows], text_columns=2)]
