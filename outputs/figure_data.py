"""The figures behind the pictures: one tidy table a picture. A picture is drawn from its table and from nothing else.

Every table has the column `run` (scenario, and strategy or programme where they vary); shares are in percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import arrears, estimators, measures, rates
from outputs.portions import by_portions
from outputs.style import run_labels
from outputs.wording import measure_label
from scenarios.vocabulary import SEGMENTS

MOST_BINS: Final = 120
CURVE_POINTS: Final = 400
"""Points of an exceedance curve that are kept, evenly spaced in log probability: enough for any page."""
HISTORY_YEARS: Final = 18
"""Years of history before the as-of date: enough to hold the recession of 2008 beside a scenario of today."""
MARKED_LEVEL: Final = 0.99
"""Level of the VaR and the ES that are marked on the loss distribution."""

FRACTION_VARIABLES: Final = ("unemployment", "disposable_income_growth", "prime_rate")
"""Macro variables that are shown in percent."""
USED_CARS: Final = "used_car_index"


def labelled_runs(dataset: xr.Dataset) -> Iterator[tuple[str, dict[str, str]]]:
    """Label and selection of each run."""
    yield from zip(run_labels(dataset), measures.runs(dataset), strict=True)


def month_ends(dataset: xr.Dataset) -> np.ndarray[Any, Any]:
    """As-of date and then the last day of each month: datetime64[month 0..T]."""
    ends = dataset["month_end"].values.astype("datetime64[D]")
    return np.concatenate([[np.datetime64(str(dataset.attrs["as_of"]), "D")], ends])


# --- loss --------------------------------------------------------------------------------------------


def loss_distribution(dataset: xr.Dataset) -> pandas.DataFrame:
    """Histogram of the path loss with its marks.

    Returns
    -------
    pandas.DataFrame
        run, kind ("bin" or "mark"), label (of a mark), low and high (percent of opening balance, equal for a
        mark), share_percent (of paths, weighted; of a bin), standard_error (percent of opening; of a mark),
        unreliable.
    """
    opening = float(dataset.attrs["opening_balance"])
    losses = 100.0 * measures.path_loss(dataset) / opening
    edges = _bin_edges(losses, dataset["log_weight"])
    weight = measures.path_weight(dataset).values
    rows: list[dict[str, Any]] = []
    for label, run in labelled_runs(dataset):
        counts, _ = np.histogram(losses.sel(run).values, edges, weights=weight)
        shares = 100.0 * counts / weight.sum()
        for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True):
            rows.append({"run": label, "kind": "bin", "label": "", "low": low, "high": high, "share_percent": share})
        rows.extend({"run": label, **mark} for mark in _marks(losses.sel(run), dataset))
    table = pandas.DataFrame(rows)
    return table.assign(unreliable=table["unreliable"].eq(True))


def _bin_edges(losses: xr.DataArray, log_weight: xr.DataArray) -> np.ndarray[Any, Any]:
    """Common edges for all runs, at most 120 bins: the width that suits the narrowest (Freedman and Diaconis 1981).

    Paths with weights count for as many as they are worth.
    """
    low, high, paths = float(losses.min()), float(losses.max()), float(losses.sizes["path"])
    alike = float(np.ptp(log_weight.values)) == 0.0
    ends = (0.25, 0.75)
    spread = losses.quantile(ends, dim="path") if alike else measures.quantile_fan(losses, log_weight, ends)
    if not alike:
        paths = estimators.kish(np.exp(log_weight.values - log_weight.values.max()), np.arange(log_weight.size))
    widths = 2.0 * (spread.isel(quantile=1) - spread.isel(quantile=0)).values / paths ** (1 / 3)
    width = float(widths[widths > 0.0].min(initial=np.inf))
    if not np.isfinite(width) or high == low:
        return np.array([low - 0.5, low + 0.5]) if high == low else np.linspace(low, high, 21)
    count = int(np.clip(np.ceil((high - low) / width), 10, MOST_BINS))
    return np.linspace(low, high, count + 1)


def _marks(losses: xr.DataArray, dataset: xr.Dataset) -> Iterator[dict[str, Any]]:
    sample = measures.sample_of(losses, dataset)
    estimates = {
        measure_label("expected_loss"): estimators.mean(sample),
        measure_label("value_at_risk", MARKED_LEVEL): estimators.value_at_risk(sample, MARKED_LEVEL),
        measure_label("expected_shortfall", MARKED_LEVEL): estimators.expected_shortfall(sample, MARKED_LEVEL),
    }
    for label, estimate in estimates.items():
        yield {
            "kind": "mark",
            "label": label,
            "low": estimate.value,
            "high": estimate.value,
            "standard_error": estimate.standard_error,
            "unreliable": estimate.unreliable,
        }


def exceedance(dataset: xr.Dataset) -> pandas.DataFrame:
    """Exceedance curves, thinned: run, loss, percent_of_opening, probability, return_period, unreliable.

    The steps at which the marked levels are crossed are kept whatever is thinned: there the values at risk are read.
    """
    curves = []
    for label, run in labelled_runs(dataset):
        curve = measures.exceedance_curve(dataset, run)
        probability = curve["probability"].to_numpy()
        smallest = probability[probability > 0.0].min(initial=1.0)
        wanted = np.geomspace(smallest, 1.0, CURVE_POINTS)
        crossings = np.searchsorted(-probability, [level - 1.0 - estimators.ROUNDING for level in measures.LEVELS])
        places = np.concatenate([np.searchsorted(-probability, -wanted), crossings, crossings - 1, [0, len(curve) - 1]])
        kept = np.unique(np.clip(places, 0, len(curve) - 1))
        curves.append(curve.iloc[kept].assign(run=label))
    table = pandas.concat(curves, ignore_index=True)
    return table[["run", *(name for name in table.columns if name != "run")]]


# --- fans --------------------------------------------------------------------------------------------


def net_loss_fan(dataset: xr.Dataset) -> pandas.DataFrame:
    """Fan of cumulative net loss: run, month, month_end, q05 .. q95, mean (percent of opening balance)."""
    return _fan(by_portions(dataset, lambda some: 100.0 * rates.cumulative_net_loss(some)), dataset, start=0.0)


def used_car_fan(dataset: xr.Dataset) -> pandas.DataFrame:
    """Fan of the used-car index, weighted by opening balance: run, month, month_end, q05 .. q95, mean."""
    weights, _ = segment_weights(dataset)
    index = by_portions(dataset, lambda some: (some[USED_CARS] * weights).sum("segment"))
    return _fan(index, dataset, start=1.0)


def segment_weights(dataset: xr.Dataset) -> tuple[xr.DataArray, tuple[str, ...]]:
    """Share of the opening balance by vehicle segment, float64[segment], and the segments that the book holds."""
    opening = dataset["opening_balance_by_vehicle"]
    balance = {str(name): float(value) for name, value in zip(opening["vehicle"].values, opening.values, strict=True)}
    segments = [str(name) for name in dataset["segment"].values]
    amounts = np.array([balance.get(name, 0.0) for name in segments])
    if amounts.sum() <= 0.0:
        amounts = np.ones(len(segments))
    held = tuple(name for name in SEGMENTS if balance.get(name, 0.0) > 0.0)
    return xr.DataArray(amounts / amounts.sum(), dims="segment", coords={"segment": dataset["segment"]}), held


def _fan(values: xr.DataArray, dataset: xr.Dataset, start: float) -> pandas.DataFrame:
    """A fan over month 0..T; month 0 is `start` on every path."""
    fan = measures.quantile_fan(values, dataset["log_weight"])
    mean = values.weighted(measures.path_weight(dataset)).mean("path", skipna=False)
    months = np.arange(dataset.sizes["month"] + 1)
    tables = []
    for label, run in labelled_runs(dataset):
        columns: dict[str, Any] = {"run": label, "month": months, "month_end": month_ends(dataset)}
        for level in measures.FAN_LEVELS:
            series = fan.sel(run).sel(quantile=level).values
            columns[quantile_column(level)] = np.concatenate([[start], series])
        columns["mean"] = np.concatenate([[start], mean.sel(run).values])
        tables.append(pandas.DataFrame(columns))
    return pandas.concat(tables, ignore_index=True)


def quantile_column(level: float) -> str:
    """0.05 -> 'q05'."""
    return f"q{round(100 * level):02d}"


# --- the book and the market -------------------------------------------------------------------------


def delinquency(dataset: xr.Dataset) -> pandas.DataFrame:
    """Mean live loans by bucket, the tape first: run, month 0..T, month_end, bucket, loans, percent_of_loans."""
    loans = arrears.bucket_loans(dataset)
    share = 100.0 * arrears.share_of_loans(loans)
    rows = []
    for label, run in labelled_runs(dataset):
        for bucket in loans["bucket"].values:
            columns = {"run": label, "month": loans["month"].values, "month_end": month_ends(dataset)}
            chosen = {**run, "bucket": bucket}
            columns |= {"bucket": str(bucket), "loans": loans.sel(chosen).values}
            rows.append(pandas.DataFrame({**columns, "percent_of_loans": share.sel(chosen).values}))
    return pandas.concat(rows, ignore_index=True)


def roll_rates(dataset: xr.Dataset) -> pandas.DataFrame:
    """Realised monthly transitions: run, from_bucket, to_state, percent (missing where nobody stood in the bucket)."""
    realised = 100.0 * rates.roll_rates(dataset)
    rows = []
    for label, run in labelled_runs(dataset):
        for origin in realised["from_bucket"].values:
            for state in realised["to_state"].values:
                percent = float(realised.sel(run).sel(from_bucket=origin, to_state=state))
                rows.append({"run": label, "from_bucket": str(origin), "to_state": str(state), "percent": percent})
    return pandas.DataFrame(rows)


def macro_paths(dataset: xr.Dataset, history: xr.Dataset | None = None) -> pandas.DataFrame:
    """Macro variables of each scenario, and their history.

    Parameters
    ----------
    history : xr.Dataset, optional
        Variables named as in the scenario (fractions; `used_car_index` as a level) over one dimension whose
        coordinate is the first day of each period; what `scenarios.history.us_history` returns.

    Returns
    -------
    pandas.DataFrame
        variable, scenario ("history" for history), date, value: percent for rates and growth, relative to the
        as-of month for indices. An index that never moves and has no history is left out.
    """
    series = _scenario_series(dataset)
    past = {} if history is None else _history_series(dataset, history, list(series))
    rows: list[pandas.DataFrame] = []
    for variable, by_scenario in series.items():
        moves = max(float(np.ptp(values)) for values in by_scenario.values()) > 0.0
        if not moves and variable not in past and variable not in (*FRACTION_VARIABLES, USED_CARS):
            continue
        if variable in past:
            dates, values = past[variable]
            rows.append(pandas.DataFrame({"variable": variable, "scenario": "history", "date": dates, "value": values}))
        for scenario, values in by_scenario.items():
            columns = {"variable": variable, "scenario": scenario, "date": month_ends(dataset)[1:], "value": values}
            rows.append(pandas.DataFrame(columns))
    return pandas.concat(rows, ignore_index=True)


def _scenario_series(dataset: xr.Dataset) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    macro = dataset["macro"]
    series = {
        str(name): {
            str(scenario): (100.0 if name in FRACTION_VARIABLES else 1.0)
            * macro.sel(macro_variable=name, scenario=scenario).values
            for scenario in macro["scenario"].values
        }
        for name in macro["macro_variable"].values
    }
    weights, _ = segment_weights(dataset)
    index = (dataset["used_car_path"] * weights).sum("segment")
    series[USED_CARS] = {str(name): index.sel(scenario=name).values for name in index["scenario"].values}
    return series


def _history_series(
    dataset: xr.Dataset, history: xr.Dataset, names: list[str]
) -> Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    as_of = np.datetime64(str(dataset.attrs["as_of"]), "D")
    found = {}
    for name in (name for name in names if name in history):
        values = history[name].dropna(history[name].dims[0])
        starts = values[values.dims[0]].values.astype("datetime64[D]")
        dates = starts + np.median(np.diff(starts)) // 2  # a mean of a period stands in its middle
        chosen = (dates <= as_of) & (dates > as_of - np.timedelta64(int(365.25 * HISTORY_YEARS), "D"))
        if not chosen.any():
            continue
        kept = values.values[chosen].astype(float)
        scaled = 100.0 * kept if name in FRACTION_VARIABLES else kept / kept[-1]
        found[name] = (dates[chosen], scaled)
    return found
