"""What is not known of the parameters, apart from the error of the simulation.

Where a study draws its parameters, the paths of a batch share one draw of them.  Standard errors of every measure then
come from batches (`outputs.estimators` sums by the coordinate `batch`), and hold both: the few draws and the few paths.
This module takes them apart.  The measure is estimated in each draw from its own paths; the variance between draws,
less what the paths' own spread puts into it, is that of the parameters:

    Var[E(L | parameters)] = Var over draws of the estimates - mean over draws of their squared standard errors.

For the expected loss that is the unbiased estimator of a random-effects model (Searle, Casella, McCulloch, Variance
Components, 1992, 3.6; for simulation: Sun, Apley, Staum, Operations Research 59(4), 2011).  For a quantile or a
shortfall it holds to first order, as their standard errors do, and the draws need paths enough for a tail of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from outputs import estimators
from outputs.estimators import Estimate
from outputs.measures import Loss, loss_estimates, path_loss, runs
from scenarios.vocabulary import RUN_DIMS

Floats = NDArray[np.float64]

BAND: Final = (0.05, 0.95)
"""Probabilities of the ends of a band over draws."""

FALSE_ALARM: Final = 0.05
"""Probability that, of parameters that do nothing, at least one is said to stand out."""

MEASURES: Final = ("expected_loss", "value_at_risk", "expected_shortfall")

BAND_COLUMNS: Final = (
    *RUN_DIMS,
    "loss",
    "measure",
    "level",
    "draws",
    "paths_a_draw",
    "value",
    "parameter_sd",
    "parameter_sd_error",
    "monte_carlo_sd",
    "low",
    "high",
    "percent_of_opening",
    "low_percent",
    "high_percent",
    "resolved",
    "unreliable",
)

DRIVER_COLUMNS: Final = (
    *RUN_DIMS,
    "parameter",
    "central",
    "low",
    "high",
    "rank_correlation",
    "rank_correlation_error",
    "largest_by_chance",
    "stands_out",
)


def parameter_bands(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """How far expected loss, value at risk and expected shortfall vary with the parameters alone, by run.

    Returns
    -------
    pandas.DataFrame
        A row for each run and measure: scenario, strategy, programme, loss, measure, level (NaN where the measure has
        none), draws, paths_a_draw (of the smallest batch); value, the mean over draws, currency; parameter_sd, the
        standard deviation over draws without the paths' noise, and parameter_sd_error, its own error (jackknife);
        monte_carlo_sd, the noise of one draw's estimate; low and high, 5 % and 95 % of the draws' estimates after
        they were drawn in towards their mean until their variance is that of the parameters; the same in percent of
        opening balance; resolved, False where the noise is as large as what the draws differ by (the band is then
        empty: more paths a draw are needed); unreliable, fewer than ten paths beyond the quantile in some draw.
        No row where parameters were not drawn.
    """
    draw = dataset["parameter_draw"].to_numpy()
    if np.unique(draw).size < 2:
        return pandas.DataFrame(columns=list(BAND_COLUMNS))
    losses = path_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    log_weight = dataset["log_weight"].to_numpy()
    smallest = int(np.unique(draw, return_counts=True)[1].min())
    rows = []
    for run in runs(dataset):
        for measure, level, found in _by_draw(losses.sel(run).to_numpy(), log_weight, draw):
            told = {**run, "loss": loss, "measure": measure, "level": level}
            rows.append({**told, "draws": len(found), "paths_a_draw": smallest, **_band(found, scale)})
    return pandas.DataFrame(rows, columns=list(BAND_COLUMNS))


def _by_draw(
    losses: Floats, log_weight: Floats, draw: NDArray[np.int64]
) -> Iterator[tuple[str, float, list[Estimate]]]:
    """Every measure with its estimates, one a draw; within a draw paths are independent."""
    parts = [draw == number for number in np.unique(draw)]
    tables = [list(loss_estimates(estimators.draw_up_sample(losses[part], log_weight[part]))) for part in parts]
    for place, (measure, level, _) in enumerate(tables[0]):
        if measure in MEASURES:
            yield measure, level, [table[place][2] for table in tables]


def _band(found: list[Estimate], scale: float) -> dict[str, Any]:
    """Columns of one measure from its estimates by draw."""
    values = np.array([each.value for each in found])
    noise = np.array([each.standard_error for each in found]) ** 2
    center, variance = float(values.mean()), parameter_variance(values, noise)
    spread = math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else estimators.NOT_ESTIMABLE
    total = float(values.std(ddof=1))
    kept = center + (spread / total if total > 0.0 else 0.0) * (values - center)
    low, high = (float(end) for end in np.quantile(kept, BAND))
    return {
        "value": center,
        "parameter_sd": spread,
        "parameter_sd_error": _jackknife_error(values, noise) / (2.0 * spread) if spread > 0.0 else math.nan,
        "monte_carlo_sd": math.sqrt(float(noise.mean())),
        "low": low,
        "high": high,
        "percent_of_opening": center * scale,
        "low_percent": low * scale,
        "high_percent": high * scale,
        "resolved": bool(variance > 0.0),
        "unreliable": any(each.unreliable for each in found),
    }


def parameter_variance(values: Floats, noise: Floats) -> float:
    """Variance that the parameters make: between draws, less the mean of the estimates' own variances.

    Parameters
    ----------
    values : float64[draw]
        Estimate of one measure in each draw, any unit.
    noise : float64[draw]
        Its squared standard error.

    Returns
    -------
    float
        Unbiased, so it may be negative where parameters do little; NaN where a draw does not tell its own error.
    """
    return float(values.var(ddof=1) - noise.mean())


def _jackknife_error(values: Floats, noise: Floats) -> float:
    """Standard error of `parameter_variance`, one draw left out at a time (Efron and Stein 1981); two draws: NaN."""
    count = len(values)
    if count < 3:
        return estimators.NOT_ESTIMABLE
    left = np.array([parameter_variance(np.delete(values, k), np.delete(noise, k)) for k in range(count)])
    return math.sqrt((count - 1) / count * float(np.sum((left - left.mean()) ** 2)))


def parameter_drivers(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Which parameters the expected loss goes with over the draws, by run, strongest first.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, parameter, central, low, high (the stated value and its range, in the
        parameter's unit), rank_correlation (Spearman's, of the value drawn with the draw's expected loss; NaN where
        the value does not vary), rank_correlation_error, 1 / sqrt(draws - 1): what chance alone would make of one,
        largest_by_chance, what it would make of the largest (`largest_by_chance`), and stands_out: beyond that.
        No row where parameters were not drawn.
    """
    if "parameter_value" not in dataset:
        return pandas.DataFrame(columns=list(DRIVER_COLUMNS))
    drawn, losses = dataset["parameter_value"].transpose("parameter", "draw"), path_loss(dataset, loss)
    told = {
        "parameter": [str(name) for name in drawn["parameter"].to_numpy()],
        **{name: drawn[f"parameter_{name}"].to_numpy() for name in ("central", "low", "high")},
        "rank_correlation_error": 1.0 / math.sqrt(drawn.sizes["draw"] - 1),
    }
    tables = []
    for run in runs(dataset):
        expected = _expected_by_draw(losses.sel(run), dataset)
        found = np.array([rank_correlation(values, expected) for values in drawn.to_numpy()])
        chance = largest_by_chance(int(np.isfinite(found).sum()), drawn.sizes["draw"])
        judged = {"rank_correlation": found, "largest_by_chance": chance, "stands_out": np.abs(found) > chance}
        order = np.argsort(-np.nan_to_num(np.abs(found), nan=-1.0), kind="stable")
        tables.append(pandas.DataFrame({**run, **told, **judged}).iloc[order])
    return pandas.concat(tables, ignore_index=True)[list(DRIVER_COLUMNS)]


def largest_by_chance(parameters: int, draws: int) -> float:
    """What the largest of so many rank correlations exceeds in 5 % of studies if no parameter does anything.

    Bonferroni's bound over both signs, each by the t-quantile with draws - 2 degrees of freedom.  Where the draws are
    so few that an order in full agreement, a chance of 2 in draws!, is no rarer than that, it is 1: none can exceed it.
    """
    share = FALSE_ALARM / max(parameters, 1)
    if draws < 3 or 2.0 / math.factorial(min(draws, 170)) > share:
        return 1.0
    quantile = float(-stdtrit(draws - 2, 0.5 * share))
    return quantile / math.sqrt(draws - 2 + quantile**2)


def _expected_by_draw(losses: xr.DataArray, dataset: xr.Dataset) -> Floats:
    """Expected loss of each draw, from its own paths: float64[draw]."""
    values, log_weight = losses.to_numpy(), dataset["log_weight"].to_numpy()
    draw = dataset["parameter_draw"].to_numpy()
    parts = [draw == number for number in np.unique(draw)]
    return np.array(
        [estimators.mean(estimators.draw_up_sample(values[part], log_weight[part])).value for part in parts]
    )


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two series, ties at their mean rank; NaN where one does not vary."""
    ranks = [pandas.Series(series).rank().to_numpy(dtype=np.float64) for series in (first, second)]
    one, other = (rank - rank.mean() for rank in ranks)
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0.0 else math.nan
