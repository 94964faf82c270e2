"""The figures behind the pictures of collection strategies: differences, costs against tails, rungs, incidents.

As in `outputs.figure_data`, every table has the column `run`, and a picture is drawn from its table alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.care import care_rungs
from outputs.figure_data import labelled_runs, quantile_column
from outputs.measures import FAN_LEVELS, Loss, path_loss, path_mean, path_weight, quantile_fan, sample_of
from outputs.strategies import IN_LOANS, INCIDENT_COUNT, NET_CASH, total_cost
from outputs.strategies_verdicts import TOLD_APART
from outputs.wording import measure_label, run_label

SHORTFALL_LEVEL: Final = 0.99
"""Of the shortfall on the axis of the frontier."""

QUANTITIES: Final[Mapping[str, str]] = {
    "asked": "loans that the rung was for",
    "served": "carried out",
    "reached": "borrower reached",
}
"""What is drawn of a rung, widest first."""

PER_LOANS: Final = 1_000.0
"""Opening loans for each of which rungs and incidents are counted."""


def scenario_label(row: Mapping[str, Any], dataset: xr.Dataset) -> str:
    """Scenario, and programme where the result has more than one."""
    vary = ("programme",) if dataset.sizes["programme"] > 1 else ()
    return run_label(str(row["scenario"]), "", str(row["programme"]), vary=vary)


def difference_points(differences: pandas.DataFrame, dataset: xr.Dataset) -> pandas.DataFrame:
    """Differences of losses to the baseline, for a forest plot.

    Parameters
    ----------
    differences : pandas.DataFrame
        Of `strategies.strategy_differences`.

    Returns
    -------
    pandas.DataFrame
        run (scenario), strategy, less, measure (label), value, low, high (percent of opening balance), adjusted_p,
        verdict, told_apart, unreliable. Net cash and incidents are left out: their scales are others.
    """
    table = differences[~differences["measure"].isin([NET_CASH, *IN_LOANS])]
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows = [
        {
            "run": scenario_label(row, dataset),
            **{name: row[name] for name in ("strategy", "less")},
            "measure": measure_label(row["measure"], row["level"]),
            **{name: scale * row[name] for name in ("value", "low", "high")},
            **{name: row[name] for name in ("adjusted_p", "verdict", "unreliable")},
            "told_apart": row["verdict"] in TOLD_APART,
        }
        for row in table.to_dict(orient="records")
    ]
    return pandas.DataFrame(rows)


def frontier(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Cost of each strategy against its shortfall without costs.

    Returns
    -------
    pandas.DataFrame
        run (scenario), strategy, cost, cost_error, shortfall, shortfall_error (ES 99 % of the loss without costs; all
        percent of opening balance), unreliable, efficient (no other strategy costs as little and has as little ES, and
        one of both less).
    """
    losses, costs = path_loss(dataset, loss), total_cost(dataset)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for scenario in map(str, dataset["scenario"].values):
        for programme in map(str, dataset["programme"].values):
            part = []
            for strategy in map(str, dataset["strategy"].values):
                at = {"scenario": scenario, "strategy": strategy, "programme": programme}
                cost = estimators.mean(sample_of(costs.sel(at), dataset))
                tail = estimators.expected_shortfall(sample_of(losses.sel(at), dataset), SHORTFALL_LEVEL)
                part.append(
                    {
                        "run": scenario_label(at, dataset),
                        "strategy": strategy,
                        "cost": scale * cost.value,
                        "cost_error": scale * cost.standard_error,
                        "shortfall": scale * tail.value,
                        "shortfall_error": scale * tail.standard_error,
                        "unreliable": tail.unreliable,
                    }
                )
            points = np.array([(row["cost"], row["shortfall"]) for row in part])
            rows += [{**row, "efficient": bool(good)} for row, good in zip(part, efficient(points), strict=True)]
    return pandas.DataFrame(rows)


def efficient(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which points no other point dominates, less of both being better: bool[point] of float64[point, 2]."""
    no_worse = (points[:, None, :] <= points[None, :, :]).all(axis=2)
    less = (points[:, None, :] < points[None, :, :]).any(axis=2)
    return np.asarray(~(no_worse & less).any(axis=0))


def rung_totals(dataset: xr.Dataset) -> pandas.DataFrame:
    """What each rung of a run's ladder does over the horizon, mean over paths.

    Returns
    -------
    pandas.DataFrame
        run, rung, asked, served, reached, contacts (of each 1,000 opening loans; a loan counts in every month anew),
        cost (currency, whole book). Rungs that are for no loan in a run are left out, and so are those for loans
        without arrears, most of the book, which `care.care_table` has.
    """
    scale = PER_LOANS / float(dataset.attrs["opening_count"])
    rows: list[dict[str, Any]] = []
    before_arrears = care_rungs(dataset)
    for label, run in labelled_runs(dataset):
        sums = {name: dataset[f"rung_{name}_mean"].sel(run).sum("month") for name in (*QUANTITIES, "contacts", "cost")}
        for rung in (str(name) for name in dataset["rung"].values if str(name) not in before_arrears):
            found = {name: float(total.sel(rung=rung)) for name, total in sums.items()}
            if found["asked"] > 0.0:
                counts = {name: scale * found[name] for name in (*QUANTITIES, "contacts")}
                rows.append({"run": label, "rung": rung, **counts, "cost": found["cost"]})
    return pandas.DataFrame(rows, columns=["run", "rung", *QUANTITIES, "contacts", "cost"])


def incident_spread(dataset: xr.Dataset) -> pandas.DataFrame:
    """Incidents within the horizon by kind, over paths.

    Returns
    -------
    pandas.DataFrame
        run, scenario, strategy, incident, mean, q05 .. q95 (number), none_percent (of paths without one). Kinds that
        never happen are left out.
    """
    counts = dataset[INCIDENT_COUNT].sum("month").astype(float)
    weight = path_weight(dataset)
    kinds = [str(name) for name in dataset["incident"].values if float(counts.sel(incident=name).max()) > 0.0]
    rows: list[dict[str, Any]] = []
    for label, run in labelled_runs(dataset):
        for kind in kinds:
            values = counts.sel({**run, "incident": kind})
            fan = quantile_fan(values, dataset["log_weight"])
            none = float((values == 0.0).weighted(weight).mean("path"))
            rows.append(
                {
                    "run": label,
                    "scenario": scenario_label(run, dataset),
                    "strategy": run["strategy"],
                    "incident": kind,
                    "mean": float(path_mean(values, dataset)),
                    **{quantile_column(level): float(fan.sel(quantile=level)) for level in FAN_LEVELS},
                    "none_percent": 100.0 * none,
                }
            )
    return pandas.DataFrame(rows)
