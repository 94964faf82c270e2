"""What a study's method for the tail did: weights, effective paths, what they are worth, and when they are too few.

Paths with weights are not worth their number. Beside each measure stand two numbers of paths: how many equally
weighted ones carry it (Kish), by which a reader sees a tail that hangs on a few; and how many plainly drawn ones would
tell it as sharply, by which he sees what the method brought.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.estimators import Estimate, Sample
from outputs.measures import as_records, estimate_columns, loss_estimates, path_loss, runs, sample_of
from outputs.style import run_labels
from outputs.wording import (
    NOT_AVAILABLE,
    TERMINAL_WIDTH,
    align,
    measure_label,
    percent,
    percent_level,
    run_label,
    varying,
)
from scenarios.counted import counted
from scenarios.tail import SHIFTED
from scenarios.vocabulary import MEASURE_VARIABLES, RUN_DIMS
from simulator.tail_pilot import FIRST_PATH

THIN: Final = 100.0
"""Effective paths beyond a quantile below which intervals of weighted paths cover less than they say: measured 90 % at
16 and 92 % at 58 where factors explain half and three quarters of the loss, 95 % at 100 and more."""

COLUMNS: Final = (
    *RUN_DIMS,
    "measure",
    "level",
    "value",
    "standard_error",
    "low",
    "high",
    "percent_of_opening",
    "percent_standard_error",
    "unreliable",
    "effective_paths",
    "plain_paths",
)


class Told(NamedTuple):
    """A measure of a sample, and what its paths are worth.

    Attributes
    ----------
    measure : str
    level : float
        NaN where the measure has none.
    found : Estimate
    effective_paths, plain_paths : float
    """

    measure: str
    level: float
    found: Estimate
    effective_paths: float
    plain_paths: float


def has_method(dataset: xr.Dataset) -> bool:
    """Whether a result comes from a study with a method for the tail."""
    return "tail_method" in dataset.attrs


def tail_table(dataset: xr.Dataset) -> pandas.DataFrame:
    """Measures of the loss with what their paths are worth, by run; a head only where paths were drawn plainly.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: currency, then percent of opening balance, then numbers of paths.
    """
    if not has_method(dataset):
        return pandas.DataFrame(columns=list(COLUMNS))
    rows: list[dict[str, Any]] = []
    scale, losses = 100.0 / float(dataset.attrs["opening_balance"]), path_loss(dataset)
    for run in runs(dataset):
        rows += [
            {
                **run,
                "measure": told.measure,
                "level": told.level,
                **estimate_columns(told.found, scale),
                "effective_paths": told.effective_paths,
                "plain_paths": told.plain_paths,
            }
            for told in told_of(sample_of(losses.sel(run), dataset))
        ]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def told_of(sample: Sample) -> Iterator[Told]:
    """Every measure of a loss but its standard deviation."""
    for measure, level, found in loss_estimates(sample):
        if measure == "expected_loss":
            whole = estimators.kish(sample.weight, sample.cluster)
            yield Told(measure, level, found, whole, plain_paths(sample, sample.value - found.value))
        elif measure in ("value_at_risk", "expected_shortfall"):
            effective = estimators.effective_paths_beyond(sample, level)
            yield Told(measure, level, found, effective, plain_paths(sample, _influence(sample, measure, level)))


def _influence(sample: Sample, measure: str, level: float) -> np.ndarray[Any, Any]:
    """First-order effect of each path on the tail's probability, or on the shortfall."""
    threshold = estimators.quantile(sample, level)
    if measure == "value_at_risk":
        return (sample.value > threshold).astype(float) - float(sample.weight @ (sample.value > threshold))
    excess = np.maximum(sample.value - threshold, 0.0)
    return excess - float(sample.weight @ excess)


def plain_paths(sample: Sample, influence: np.ndarray[Any, Any]) -> float:
    """Independent paths of equal weight under which the estimate would have the error that it has here.

    The variance of the influence under the model, over the squared standard error; NaN where the error is not known.
    """
    error = estimators.standard_error(sample, influence)
    return float(sample.weight @ influence**2) / error**2 if error > 0.0 else math.nan


def explained_by_strata(dataset: xr.Dataset) -> dict[str, float]:
    """Share of the variance of the loss that strata of the leading factor explain in the run, by the run's label."""
    losses = path_loss(dataset)
    found = {}
    for label, run in zip(run_labels(dataset), runs(dataset), strict=True):
        sample = sample_of(losses.sel(run), dataset)
        deviation = sample.value - float(sample.weight @ sample.value)
        rest = estimators.beyond_strata(sample, deviation)
        total = float(sample.weight @ deviation**2)
        found[label] = 1.0 - float(sample.weight @ rest**2) / total if total > 0.0 else 0.0
    return found


# --- in a stored run -------------------------------------------------------------------------------------


def with_measures(dataset: xr.Dataset) -> xr.Dataset:
    """The result with its measures, their intervals and the paths behind them; itself where paths were drawn plainly.

    Returns
    -------
    xr.Dataset
        With `MEASURE_VARIABLES`, by run and `loss_measure`.
    """
    if not has_method(dataset):
        return dataset
    table = tail_table(dataset)
    shape = [dataset.sizes[dim] for dim in RUN_DIMS]
    columns = ("value", "standard_error", "low", "high", "effective_paths", "plain_paths")
    labels = [measure_label(row.measure, row.level) for row in table.itertuples()]
    kinds = list(dict.fromkeys(labels))
    variables = {
        each.name: (each.dims, table[column].to_numpy(dtype=np.float64).reshape(*shape, len(kinds)))
        for each, column in zip(MEASURE_VARIABLES, columns, strict=True)
    }
    return dataset.assign(variables).assign_coords(loss_measure=np.array(kinds, dtype=object))


# --- words -----------------------------------------------------------------------------------------------


def method_words(dataset: xr.Dataset) -> str:
    """What was done, for readers; empty where paths were drawn plainly."""
    if not has_method(dataset):
        return ""
    return " ".join([*_where_from(dataset), *_strata_words(dataset)])


def _where_from(dataset: xr.Dataset) -> Iterator[str]:
    attributes, paths = dataset.attrs, dataset.sizes["path"]
    shares = dataset["pilot_explained"]
    pilot = counted(int(attributes["tail_pilot_paths"]), "path")
    explained = ", ".join(
        f"{percent(100.0 * float(share), 0)} % under {name}"
        for name, share in zip(shares["scenario"].values, shares.values, strict=True)
    )
    yield (
        f"Method for the tail: {attributes['tail_method']}. A pilot of {pilot} in each scenario, numbered from "
        f"{FIRST_PATH:,} on and no part of the run, found the direction of the factors along which losses rise; it "
        f"explains of the loss's variance {explained}."
    )
    if attributes["tail_method"] in SHIFTED:
        moved = percent(100.0 * (1.0 - attributes["tail_unshifted"]), 0)
        yield (
            f"Of {moved} % of the paths the factors are moved along it by {attributes['tail_shift']:.2f} standard "
            f"deviations, towards the {percent_level(attributes['tail_level'])} quantile; weights undo that, none "
            f"above {1.0 / attributes['tail_unshifted']:.3g} times the average before strata correct it, and every "
            "figure takes them."
        )
    if attributes["tail_scrambles"]:
        count, scrambles = dataset.sizes["direction"], int(attributes["tail_scrambles"])
        yield (
            f"{counted(count, 'leading direction')} of the factors {'is' if count == 1 else 'are'} taken from "
            f"scrambled Sobol points, {scrambles} scrambles of {paths // scrambles:,}; errors come from the scrambles."
        )


def _strata_words(dataset: xr.Dataset) -> Iterator[str]:
    if not dataset.attrs["tail_strata"]:
        return
    explained = ", ".join(
        f"{percent(100.0 * share, 1)} % under {name}" for name, share in explained_by_strata(dataset).items()
    )
    yield (
        f"Control variate: {int(dataset.attrs['tail_strata'])} strata of the leading factor weigh what their "
        f"probabilities say; in the run they explain of the loss's variance {explained}."
    )


def thin_tails(dataset: xr.Dataset) -> tuple[str, ...]:
    """Warning where few paths carry a quantile that the shift was to reach; none where paths were drawn plainly."""
    if not has_method(dataset) or dataset.attrs["tail_method"] not in SHIFTED:
        return ()
    table = tail_table(dataset)
    aimed = float(dataset.attrs["tail_level"]) + estimators.ROUNDING
    reached = table[(table["measure"] == "expected_shortfall") & (table["level"] <= aimed)]
    farthest = reached[reached["level"] == reached["level"].max()]
    few = farthest[farthest["effective_paths"] < THIN]
    if few.empty:
        return ()
    vary = varying(table)
    cases = ", ".join(
        f"{row.effective_paths:.0f} under {run_label(row.scenario, row.strategy, row.programme, vary=vary)}"
        for row in few.itertuples()
    )
    return (
        f"Few paths carry the tail although its factors were shifted: the effective number of paths beyond the "
        f"{percent_level(float(few['level'].iloc[0]))} quantile is {cases}. Below {THIN:.0f} intervals cover less than "
        "95 %. Run more paths; where factors explain little of the loss, a shift of factors cannot do much.",
    )


def tail_lines(dataset: xr.Dataset) -> list[str]:
    """Lines for the terminal; none where paths were drawn plainly."""
    if not has_method(dataset):
        return []
    head = ("scenario", "measure", "% of opening", "+/- s.e.", "effective paths", "plain paths for the same error")
    table = tail_table(dataset)
    vary = varying(table)
    rows = [
        (
            run_label(row.scenario, row.strategy, row.programme, vary=vary),
            measure_label(row.measure, row.level),
            percent(row.percent_of_opening),
            percent(row.percent_standard_error),
            number_of_paths(row.effective_paths),
            number_of_paths(row.plain_paths),
        )
        for row in table.itertuples()
    ]
    told = [textwrap.fill(method_words(dataset), TERMINAL_WIDTH, break_on_hyphens=False)]
    warned = [textwrap.fill(f"Warning: {text}", TERMINAL_WIDTH, break_on_hyphens=False) for text in thin_tails(dataset)]
    return ["", *told, align([head, *rows], text_columns=2), *(line for text in warned for line in ("", text))]


def number_of_paths(value: float) -> str:
    """A number of paths for readers."""
    return f"{value:,.0f}" if math.isfinite(value) else NOT_AVAILABLE


SHIFT_DECIMALS: Final = 6
"""Of a shift in documents, which is a mean over scenarios."""


def tail_document(dataset: xr.Dataset) -> dict[str, Any]:
    """Method, shift, pilot and the worth of paths as plain values; empty where paths were drawn plainly."""
    if not has_method(dataset):
        return {}
    attributes = dataset.attrs
    names = ("method", "level", "shift", "unshifted", "scrambles", "strata", "pilot_paths")
    shares = dataset["pilot_explained"]
    return {
        **{name: attributes[f"tail_{name}"] for name in names},
        "shift": round(float(attributes["tail_shift"]), SHIFT_DECIMALS),
        "pilot_first_path": FIRST_PATH,
        "pilot_explained": dict(zip(map(str, shares["scenario"].values), map(float, shares.values), strict=True)),
        "strata_explain": explained_by_strata(dataset) if attributes["tail_strata"] else {},
        "measures": as_records(tail_table(dataset)),
        "warnings": list(thin_tails(dataset)),
    }
