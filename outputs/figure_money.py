"""The figures behind the pictures of cash, recoveries, provision and the pool's queue; see `outputs.figure_data`.

Every table has the column `run`. Amounts are in currency; a picture divides them by what its axis says.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import cash, provision, recoveries, servicing
from outputs.figure_data import labelled_runs, quantile_column
from outputs.measures import FAN_LEVELS, path_mean, quantile_fan
from outputs.wording import run_label
from scenarios.vocabulary import RUN_DIMS

QUANTITIES: Final = {"demand": "hours asked for", "waiting": "loans not served"}
"""What is drawn of a pool: its variables, and their names for readers."""


def with_run(table: pandas.DataFrame, dataset: xr.Dataset) -> pandas.DataFrame:
    """Table of measures with one column `run` for scenario, the weighted mean among them, strategy and programme."""
    labels = {tuple(run.values()): label for label, run in labelled_runs(dataset)}
    keys = zip(*(table[dim] for dim in RUN_DIMS), strict=True)
    vary = [dim for dim in ("strategy", "programme") if dataset.sizes[dim] > 1]
    run = [labels.get(key) or run_label(*key, vary=vary) for key in keys]
    kept = table.drop(columns=list(RUN_DIMS))
    kept.insert(0, "run", run)
    return kept


def cash_bands(dataset: xr.Dataset) -> pandas.DataFrame:
    """Cash collected by month beside the schedule.

    Returns
    -------
    pandas.DataFrame
        run, month, month_end, scheduled, due (mean), q05 .. q95 and mean (of what is collected), short_to_date (mean).
    """
    table = cash.cash_by_month(dataset)
    quantiles = {f"collected_{quantile_column(level)}": quantile_column(level) for level in FAN_LEVELS}
    names = {"due_mean": "due", **quantiles, "collected_mean": "mean", "to_date_mean": "short_to_date"}
    columns = ["run", "month", "month_end", "scheduled", *names.values()]
    return with_run(table.rename(columns=names), dataset)[columns]


def recovery_flows(dataset: xr.Dataset) -> pandas.DataFrame:
    """Mean recoveries by month and channel: run, month, month_end, channel, label, value (costs positive)."""
    table = with_run(recoveries.recoveries_by_month(dataset), dataset)
    labels = {**recoveries.CHANNELS, recoveries.BOOKED: "gross charge-off"}
    return table.assign(label=[labels[name] for name in table["channel"]])


def credit_losses(dataset: xr.Dataset) -> pandas.DataFrame:
    """Expected credit loss by stage in percent of the opening balance.

    Returns
    -------
    pandas.DataFrame
        run (the weighted mean last, where scenarios have weights), stage (`provision.ALL_STAGES` last), then
        allowance_percent, allowance_percent_error, lifetime_percent, lifetime_percent_error.
    """
    names = [f"{name}_percent{suffix}" for name in ("allowance", "lifetime") for suffix in ("", "_error")]
    return with_run(provision.credit_loss(dataset), dataset)[["run", "stage", *names]]


def queues(dataset: xr.Dataset) -> pandas.DataFrame:
    """Hours asked of each pool and loans that wait, by month.

    Returns
    -------
    pandas.DataFrame
        run (those that have the pool), pool, quantity (`QUANTITIES`), month, month_end, q05 .. q95, mean, capacity
        (hours there are, mean over paths; missing for loans and where a pool is unlimited, and there nobody waits).
    """
    tables = []
    for label, run in labelled_runs(dataset):
        for pool in servicing.pools_of(dataset.sel(run)):
            one = dataset.sel({**run, "pool": pool})
            there_are = path_mean(servicing.hours_there_are(one), dataset)
            for name, quantity in QUANTITIES.items():
                if name == "waiting" and np.isinf(there_are).all():
                    continue  # nobody ever waits
                values = one[f"pool_{name}"]
                fan = quantile_fan(values, dataset["log_weight"])
                columns: dict[str, Any] = {"run": label, "pool": pool, "quantity": quantity}
                columns |= {"month": dataset["month"].values, "month_end": dataset["month_end"].values}
                columns |= {quantile_column(level): fan.sel(quantile=level).values for level in FAN_LEVELS}
                known = np.where(np.isfinite(there_are), there_are, np.nan)
                columns |= {"mean": path_mean(values, dataset), "capacity": known if name == "demand" else np.nan}
                tables.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame(columns=["run", "pool"])
