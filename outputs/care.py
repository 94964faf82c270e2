"""What was done about loans without arrears: whom the rungs were for, how often rightly, and what they averted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs.strategies import ordered_runs
from outputs.wording import align, amount, percent

WHILE_CURRENT: Final = "rung_while_current"
"""Coordinate of the rungs: true for those for loans without arrears."""

CARE: Final = "strategy_care"
"""Name of the table's file."""

NAMES: Final = ("asked", "served", "followed", "averted", "cost")


def has_care(dataset: xr.Dataset) -> bool:
    """Whether a strategy of a result does anything about loans without arrears."""
    return WHILE_CURRENT in dataset.coords and bool(dataset[WHILE_CURRENT].any())


def care_rungs(dataset: xr.Dataset) -> tuple[str, ...]:
    """Rungs for loans without arrears."""
    if not has_care(dataset):
        return ()
    return tuple(str(name) for name in dataset["rung"].values[np.asarray(dataset[WHILE_CURRENT].values, dtype=bool)])


def care_table(dataset: xr.Dataset) -> pandas.DataFrame:
    """Each rung for loans without arrears over the horizon, mean over paths (methodology (P15)).

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, rung; asked, served, followed, averted (numbers of loan-months, of loans that
        fell behind in the month after or would have, and of entries averted), cost (currency, pools apart);
        hit_percent: followed of asked, the rest being false alarms; found_percent: followed of all who fell behind or
        would have; both without the last month, whose next is beyond the horizon; averted_percent: of all who would
        have fallen behind.
        Rungs that were for no loan of a run are left out.
    """
    rows: list[dict[str, Any]] = []
    rungs = list(care_rungs(dataset))
    for run in ordered_runs(dataset) if rungs else ():
        told = {name: dataset[f"rung_{name}_mean"].sel(run) for name in NAMES}
        entered = _entered(dataset.sel(run)) + told["averted"].sel(rung=rungs).sum("rung")
        for rung in rungs:
            own = {name: values.sel(rung=rung) for name, values in told.items()}
            totals = {name: float(values.sum("month")) for name, values in own.items()}
            if totals["asked"] == 0.0:
                continue
            followed = float(own["followed"].isel(month=slice(None, -1)).sum("month"))
            rows.append(
                {
                    **run,
                    "rung": rung,
                    **totals,
                    "hit_percent": _percent(followed, own["asked"].isel(month=slice(None, -1))),
                    "found_percent": _percent(followed, entered.isel(month=slice(1, None))),
                    "averted_percent": _percent(totals["averted"], entered),
                }
            )
    columns = [
        *("scenario", "strategy", "programme", "rung"),
        *NAMES,
        "hit_percent",
        "found_percent",
        "averted_percent",
    ]
    return pandas.DataFrame(rows, columns=columns)


def _entered(one: xr.Dataset) -> xr.DataArray:
    """Loans that fell behind, by month: float64[month]."""
    buckets = [str(name) for name in one["from_bucket"].values]
    return one["transition_count_mean"].sel(from_bucket=buckets[0], to_state=buckets[1:]).sum("to_state")


def _percent(part: float, whole: xr.DataArray) -> float:
    total = float(whole.sum("month"))
    return 100.0 * part / total if total > 0.0 else float("nan")


def care_tables(dataset: xr.Dataset) -> dict[str, pandas.DataFrame]:
    """The table by the name of its file; none where no strategy acts before arrears."""
    return {CARE: care_table(dataset)} if has_care(dataset) else {}


def care_lines(dataset: xr.Dataset) -> list[str]:
    """The table as the terminal shows it; nothing where no strategy acts before arrears."""
    table = care_table(dataset)
    if table.empty:
        return []
    head = (
        "scenario",
        "strategy",
        "rung",
        "asked",
        "served",
        "fell behind",
        "right, %",
        "found, %",
        "averted",
        "of all, %",
    )
    rows: list[tuple[str, ...]] = []
    before = ("", "")
    for row in table.to_dict("records"):
        run = str(row["scenario"]), str(row["strategy"])
        shown = ("" if run[0] == before[0] else run[0], "" if run == before else run[1], str(row["rung"]))
        counts = [amount(row[name]) for name in ("asked", "served", "followed")]
        shares = [percent(row[name], 2) for name in ("hit_percent", "found_percent")]
        rows.append((*shown, *counts, *shares, amount(row["averted"]), percent(row["averted_percent"], 2)))
        before = run
    title = (
        "Before arrears, in loan-months: whom rungs were for, who of them fell behind or would have, entries averted;\n"
        "mean over paths; right and found leave the last month out, whose next is beyond the horizon"
    )
    return ["", title, align([head, *rows], text_columns=3)]
