"""What became of loans in arrears after each rung: cures, rolls, relapses (methodology (P19))."""

from __future__ import annotations

from typing import Any, Final

import pandas
import xarray as xr

from outputs.care import WHILE_CURRENT
from outputs.strategies import ordered_runs
from outputs.wording import align, amount, percent
from scenarios.vocabulary import AGAIN_MONTHS, CHARGED_OFF, EXIT_LABELS, MATURED

OUTCOMES: Final = "rung_outcomes"
"""Name of the table's file."""
ALL: Final = "all loans in arrears"
"""Row of a run with which its rungs compare: whoever opened a month in arrears, whatever was done."""
NAMES: Final = ("served", "cured", "worse", "again")


def outcome_table(dataset: xr.Dataset) -> pandas.DataFrame:
    """Rates after each rung of a ladder, and of all loans in arrears, by run.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, rung (or `ALL`); loans (loan-months served whose next month is within the
        horizon; of `ALL`, opened in arrears), cured_percent and worse_percent (of them, in the month after),
        again_percent (of cures, those who fell behind again within `AGAIN_MONTHS`; missing where the horizon is no
        longer than that, and of `ALL`).  Means over paths; no row where a run names no strategy.
    """
    rows: list[dict[str, Any]] = []
    if "rung_cured_mean" not in dataset:
        return pandas.DataFrame(rows)
    rungs = [str(name) for name in dataset["rung"].values[~dataset[WHILE_CURRENT].values]]
    for run in ordered_runs(dataset):
        told = {name: dataset[f"rung_{name}_mean"].sel(run) for name in NAMES}
        found = [_after(rung, {name: values.sel(rung=rung) for name, values in told.items()}) for rung in rungs]
        if any(row["loans"] > 0.0 for row in found):
            rows += [{**run, **row} for row in (_of_all(dataset.sel(run)), *found) if row["loans"] > 0.0]
    return pandas.DataFrame(rows)


def _after(rung: str, own: dict[str, xr.DataArray]) -> dict[str, Any]:
    """Rates after one rung of one run; its figures are float64[month]."""
    served = float(own["served"].isel(month=slice(None, -1)).sum())
    followed = {name: float(own[name].isel(month=slice(1, None)).sum()) for name in ("cured", "worse")}
    known = {name: float(own[name].isel(month=slice(None, -AGAIN_MONTHS)).sum()) for name in ("cured", "again")}
    return {
        "rung": rung,
        "loans": served,
        "cured_percent": _percent(followed["cured"], served),
        "worse_percent": _percent(followed["worse"], served),
        "again_percent": _percent(known["again"], known["cured"]),
    }


def _of_all(one: xr.Dataset) -> dict[str, Any]:
    """The same of all loans that opened a month in arrears, from the second month on."""
    moved = one["transition_count_mean"].isel(month=slice(1, None), from_bucket=slice(1, None)).sum("month")
    labels = [str(name) for name in one["from_bucket"].values]
    cured = float(moved.sel(to_state=[labels[0], EXIT_LABELS[MATURED]]).sum())
    worse = sum(
        float(moved.sel(from_bucket=label, to_state=[*labels[place + 1 :], EXIT_LABELS[CHARGED_OFF]]).sum())
        for place, label in enumerate(labels)
        if place > 0
    )
    loans = float(moved.sum())
    return {
        "rung": ALL,
        "loans": loans,
        "cured_percent": _percent(cured, loans),
        "worse_percent": _percent(worse, loans),
        "again_percent": float("nan"),
    }


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole > 0.0 else float("nan")


def outcome_tables(dataset: xr.Dataset) -> dict[str, pandas.DataFrame]:
    """The table by the name of its file; none where no ladder acts."""
    table = outcome_table(dataset)
    return {} if table.empty else {OUTCOMES: table}


def outcome_lines(dataset: xr.Dataset) -> list[str]:
    """The table as the terminal shows it; nothing where no ladder acts."""
    table = outcome_table(dataset)
    if table.empty:
        return []
    rows: list[tuple[str, ...]] = [("scenario", "strategy", "after", "loan-months", "cured, %", "worse, %", "again, %")]
    before = ("", "")
    for row in table.to_dict("records"):
        run = str(row["scenario"]), str(row["strategy"])
        shown = ("" if run[0] == before[0] else run[0], "" if run == before else run[1], str(row["rung"]))
        rates = [percent(row[f"{name}_percent"], 1) for name in ("cured", "worse", "again")]
        rows.append((*shown, amount(row["loans"]), *rates))
        before = run
    title = (
        "In the month after a rung was carried out: loans that cured, and that fell further behind or were charged\n"
        f"off; of cures, those who fell behind again within {AGAIN_MONTHS} months; whom a rung is for is in its rates"
    )
    return ["", title, align(rows, text_columns=3)]
