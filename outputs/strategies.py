"""Collection strategies against each other, path by path on common draws: loss with its costs, net cash, incidents.

A path has the same draws under every strategy, so what two strategies differ by is their own doing, and the error of a
difference is that of the differences by path. docs/comparing.md says what is compared and how it is judged. Where a
study's scenarios carry weights, all of them together are one more scenario, `weighted.ALL_SCENARIOS`, the last of every
table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas
import xarray as xr

from outputs import estimators
from outputs.bootstrap import Floats, paths_of, quantile_spread
from outputs.compare import shortfall_difference
from outputs.estimators import NOT_ESTIMABLE, Estimate
from outputs.lending import principal_kept
from outputs.measures import COSTS, LEVELS, Loss, estimate_columns, path_loss, sample_of
from outputs.strategies_verdicts import judge, two_sided
from outputs.tail import estimate
from outputs.weighted import (
    ALL_SCENARIOS,
    mixture,
    mixture_quantile,
    mixture_shortfall,
    scenario_labels,
    with_mixture,
)
from scenarios.vocabulary import RUN_DIMS

LATE_CASH: Final = ("principal_paid", "interest_paid", "fees", "recovery")
"""Cash of the run-off, by variable of the book."""

NET_CASH: Final = "net_cash"
INCIDENTS: Final = "incidents"
INCIDENT_COUNT: Final = "incident_count"
MORE_IS_BETTER: Final = frozenset({NET_CASH})
"""Measures of which more is better; of all others less is."""
IN_LOANS: Final = frozenset({INCIDENTS})
"""Measures that are numbers and no amounts."""


def several_strategies(dataset: xr.Dataset) -> bool:
    """Whether a result has strategies to compare."""
    return dataset.sizes["strategy"] > 1


def with_baseline(dataset: xr.Dataset, baseline: str) -> xr.Dataset:
    """The same result with one strategy first, which makes it the baseline of every comparison."""
    names = [str(name) for name in dataset["strategy"].values]
    return dataset.isel(strategy=[names.index(baseline), *(at for at, name in enumerate(names) if name != baseline)])


def total_cost(dataset: xr.Dataset, *names: str) -> xr.DataArray:
    """Cost of the strategies over the horizon, currency: float64[scenario, strategy, programme, path]; 0 without any.

    Parameters
    ----------
    names : str
        Of `COSTS`; both where none is given.
    """
    none = xr.zeros_like(dataset["ultimate_loss"].isel(month=0, drop=True))
    held = [dataset[name].sum("month", skipna=False) for name in names or COSTS if name in dataset]
    return sum(held, none).transpose(*RUN_DIMS, "path")


def strategy_loss(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> xr.DataArray:
    """Loss of each path, run-off included, plus costs of collection and of incidents, which are not discounted.

    Returns
    -------
    xr.DataArray
        float64[scenario, strategy, programme, path], currency, losses positive.
    """
    return (path_loss(dataset, loss) + total_cost(dataset)).rename(f"{loss}_with_costs")


def net_cash(dataset: xr.Dataset) -> xr.DataArray:
    """Cash received over horizon and run-off less all costs: float64[scenario, strategy, programme, path], currency.

    Principal that a strategy does not lend is cash that it keeps (methodology (P18)).
    """
    late = sum(dataset[f"{name}_after_horizon"] for name in LATE_CASH)
    total = dataset["cash"].sum("month", skipna=False) + late - total_cost(dataset) + principal_kept(dataset)
    return total.transpose(*RUN_DIMS, "path").rename(NET_CASH)


def incidents(dataset: xr.Dataset) -> xr.DataArray | None:
    """Incidents of all kinds within the horizon: float64[scenario, strategy, programme, path].

    None where no strategy tells of incidents; one that does not, beside others that do, has none.
    """
    if INCIDENT_COUNT not in dataset:
        return None
    total = dataset[INCIDENT_COUNT].sum(["month", "incident"]).astype(float)
    return total.transpose(*RUN_DIMS, "path").rename(INCIDENTS)


# --- differences -------------------------------------------------------------------------------------------

Told = tuple[Estimate, np.ndarray[Any, Any] | None]
"""An estimate, and the first-order effect of each path on it; None where no path tells it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What two strategies come to on each path: arrays over path, currency, incidents a number."""

    dataset: xr.Dataset
    loss: tuple[xr.DataArray, xr.DataArray]
    cash: tuple[xr.DataArray, xr.DataArray]
    incidents: tuple[xr.DataArray, xr.DataArray] | None

    def quantile(self, level: float) -> Estimate:
        """Difference of the values at risk."""
        return quantile_difference(*self.loss, self.dataset, level)

    def quantile_errors(self) -> Floats:
        """Errors of the differences of the values at risk as samples show them: float64[level of `LEVELS`]."""
        return quantile_spread(paths_of(self.loss, self.dataset), int(self.dataset.attrs["seed"]), LEVELS)

    def shortfall(self, level: float) -> Estimate:
        """Difference of the expected shortfalls."""
        return shortfall_difference(*self.loss, self.dataset, level)


@dataclass(frozen=True, slots=True)
class MixedPair(Pair):
    """What two strategies come to on each path over all scenarios, with the weights of those.

    Attributes
    ----------
    losses : pair of float64[scenario, path]
        Whose mixture has the tails; of sums over scenarios they would be other ones.
    """

    losses: tuple[xr.DataArray, xr.DataArray]

    def quantile(self, level: float) -> Estimate:
        """Difference of the mixtures' values at risk."""
        found = [mixture_quantile(values, self.dataset, level) for values in self.losses]
        return _joint_difference([(one, _scaled(one, beyond, self.dataset)) for one, beyond in found], self.dataset)

    def quantile_errors(self) -> Floats:
        """As `Pair.quantile_errors`, of the mixtures."""
        return quantile_spread(paths_of(self.losses, self.dataset), int(self.dataset.attrs["seed"]), LEVELS)

    def shortfall(self, level: float) -> Estimate:
        """Difference of the mixtures' shortfalls."""
        return _joint_difference(
            [mixture_shortfall(values, self.dataset, level) for values in self.losses], self.dataset
        )


def strategy_differences(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Each strategy less the first, the baseline: loss with costs, net cash and incidents, with verdicts.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, less (the baseline), loss, measure, level (NaN where it has none), value,
        standard_error, low, high (95 % interval of this row alone; currency, or a number of incidents),
        percent_of_opening and percent_standard_error (missing for incidents), unreliable, p_value and adjusted_p (by
        Holm over all strategies and measures of a scenario; missing where nothing was tested), verdict
        (`strategies_verdicts.VERDICTS`), fewer_paths
        (only for the expected loss: how many times as many independent paths would tell the difference as sharply). No
        row where there is one strategy.
    """
    names = [str(name) for name in dataset["strategy"].values]
    rows: list[dict[str, Any]] = []
    if len(names) < 2:
        return pandas.DataFrame(rows)
    pair_of = _pairs(dataset, loss)
    for scenario in scenario_labels(dataset):
        for programme in map(str, dataset["programme"].values):
            family: list[dict[str, Any]] = []
            for name in names[1:]:
                told = {"scenario": scenario, "strategy": name, "programme": programme, "less": names[0], "loss": loss}
                pair = pair_of({"scenario": scenario, "programme": programme}, (name, names[0]))
                family += [{**told, **row} for row in pair_rows(pair)]
            rows += judge(family, MORE_IS_BETTER)
    return pandas.DataFrame(rows)


def _pairs(dataset: xr.Dataset, loss: Loss) -> Callable[[dict[str, str], tuple[str, str]], Pair]:
    """Makes the pair of two strategies in a scenario and programme, `ALL_SCENARIOS` among them."""
    losses, counts = strategy_loss(dataset, loss), incidents(dataset)
    flows = [with_mixture(losses, dataset), with_mixture(net_cash(dataset), dataset)]
    numbers = None if counts is None else with_mixture(counts, dataset)

    def pair_of(at: dict[str, str], names: tuple[str, str]) -> Pair:
        one, other = ({**at, "strategy": name} for name in names)
        loss_pair, cash_pair = ((values.sel(one), values.sel(other)) for values in flows)
        count_pair = None if numbers is None else (numbers.sel(one), numbers.sel(other))
        if at["scenario"] != ALL_SCENARIOS:
            return Pair(dataset, loss_pair, cash_pair, count_pair)
        whole = losses.sel(programme=at["programme"])
        return MixedPair(
            dataset, loss_pair, cash_pair, count_pair, (whole.sel(strategy=names[0]), whole.sel(strategy=names[1]))
        )

    return pair_of


def pair_rows(pair: Pair) -> Iterator[dict[str, Any]]:
    """A row a measure of two strategies: estimate and p-value, not yet judged among the others."""
    scale = 100.0 / float(pair.dataset.attrs["opening_balance"])
    for measure, level, found in pair_estimates(pair):
        columns = estimate_columns(found, math.nan if measure in IN_LOANS else scale)
        fewer = fewer_paths(*pair.loss, pair.dataset) if measure == "expected_loss" else math.nan
        yield {
            "measure": measure,
            "level": level,
            **columns,
            "p_value": two_sided(found, sample_of(pair.loss[0], pair.dataset)),
            "fewer_paths": fewer,
        }


def pair_estimates(pair: Pair) -> Iterator[tuple[str, float, Estimate]]:
    """Differences of one strategy to another: (measure, level or NaN, estimate)."""
    dataset = pair.dataset
    yield "expected_loss", math.nan, mean_difference(*pair.loss, dataset)
    for level, error in zip(LEVELS, pair.quantile_errors(), strict=True):
        yield "value_at_risk", level, _widened(pair.quantile(level), float(error), sample_of(pair.loss[0], dataset).z)
    for level in LEVELS:
        yield "expected_shortfall", level, pair.shortfall(level)
    yield NET_CASH, math.nan, mean_difference(*pair.cash, dataset)
    if pair.incidents is not None:
        yield INCIDENTS, math.nan, mean_difference(*pair.incidents, dataset)


def _widened(found: Estimate, error: float, z: float) -> Estimate:
    """The estimate with the larger of its own error and another; one that has none keeps none."""
    if not error > found.standard_error:
        return found
    return Estimate(found.value, error, found.value - z * error, found.value + z * error, found.unreliable)


def mean_difference(one: xr.DataArray, other: xr.DataArray, dataset: xr.Dataset) -> Estimate:
    """Mean of the differences by path, float64[path] each."""
    return estimators.mean(sample_of(one - other, dataset))


def quantile_difference(one: xr.DataArray, other: xr.DataArray, dataset: xr.Dataset, level: float) -> Estimate:
    """Difference of two values at risk. A path moves both, hence the joint error."""
    return _joint_difference([_quantile_influence(values, dataset, level) for values in (one, other)], dataset)


def _joint_difference(found: Sequence[Told], dataset: xr.Dataset) -> Estimate:
    """Difference of two estimates, whose influences by path are one's less the other's."""
    (one, first), (other, second) = found
    value, unreliable = one.value - other.value, one.unreliable or other.unreliable
    if first is None or second is None:
        return Estimate(value, NOT_ESTIMABLE, NOT_ESTIMABLE, NOT_ESTIMABLE, unreliable)
    return estimate(value, first - second, dataset, unreliable=unreliable)


def _quantile_influence(values: xr.DataArray, dataset: xr.Dataset, level: float) -> Told:
    """Value at risk and the first-order effect of each path on it; None where no path tells it."""
    found = estimators.value_at_risk(sample_of(values, dataset), level)
    beyond = np.where(values.values > found.value, level, level - 1.0)
    return found, _scaled(found, beyond, dataset)


def _scaled(found: Estimate, beyond: np.ndarray[Any, Any], dataset: xr.Dataset) -> np.ndarray[Any, Any] | None:
    """Effect of each path on a quantile, (1{L > q} - (1 - level)) / f(q), from its numerator; None where none tells it.

    The density at the quantile is what makes the error of this the one that `estimators.value_at_risk` reads from order
    statistics.
    """
    share = estimate(0.0, beyond, dataset).standard_error
    if not math.isfinite(found.standard_error):
        return None
    return beyond * (found.standard_error / share if share > 0.0 else 0.0)


def fewer_paths(one: xr.DataArray, other: xr.DataArray, dataset: xr.Dataset) -> float:
    """Variance of the difference of the means from independent runs over that from common paths.

    So many times as many paths would independent runs need for the same error; NaN where the difference has none.
    """
    apart = [estimators.mean(sample_of(values, dataset)).standard_error for values in (one, other)]
    paired = mean_difference(one, other, dataset).standard_error
    return (apart[0] ** 2 + apart[1] ** 2) / paired**2 if paired > 0.0 else math.nan


# --- levels and rankings -----------------------------------------------------------------------------------

RANKED: Final = (("expected_loss", math.nan), ("expected_shortfall", 0.99))
"""Measures by which strategies are ranked."""


def strategy_levels(dataset: xr.Dataset, loss: Loss = "ultimate_loss") -> pandas.DataFrame:
    """Expected loss and ES 99 % of each strategy's loss with costs, and its rank by each in its scenario.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, loss, measure, level, value, standard_error, low, high, percent_of_opening,
        percent_standard_error, unreliable, rank (1 is the least loss; equal losses share the better rank).
    """
    losses = strategy_loss(dataset, loss)
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    rows: list[dict[str, Any]] = []
    for run in compared_runs(dataset):
        sample = _loss_sample(losses, run, dataset)
        for measure, level in RANKED:
            plain = math.isnan(level)
            found = estimators.mean(sample) if plain else estimators.expected_shortfall(sample, level)
            told = {**run, "loss": loss, "measure": measure, "level": level}
            rows.append({**told, **estimate_columns(found, scale)})
    table = pandas.DataFrame(rows)
    by = ["scenario", "programme", "measure"]
    return table.assign(rank=table.groupby(by, sort=False)["value"].rank(method="min").astype(int))


def _loss_sample(losses: xr.DataArray, run: dict[str, str], dataset: xr.Dataset) -> estimators.Sample:
    """Losses of a run as a sample; of `ALL_SCENARIOS` those of their mixture."""
    if run["scenario"] == ALL_SCENARIOS:
        return mixture(losses.sel(strategy=run["strategy"], programme=run["programme"]), dataset)
    return sample_of(losses.sel(run), dataset)


def strategy_totals(dataset: xr.Dataset) -> pandas.DataFrame:
    """Net cash and, where some strategy tells of them, incidents of each strategy, mean over paths.

    Returns
    -------
    pandas.DataFrame
        scenario, strategy, programme, measure, value, standard_error, low, high (currency; incidents a number),
        percent_of_opening and percent_standard_error (missing for incidents), unreliable.
    """
    scale = 100.0 / float(dataset.attrs["opening_balance"])
    found = {NET_CASH: net_cash(dataset), INCIDENTS: incidents(dataset)}
    flows = {name: with_mixture(values, dataset) for name, values in found.items() if values is not None}
    return pandas.DataFrame(
        [
            {**run, "measure": name, **estimate_columns(estimators.mean(sample_of(values.sel(run), dataset)), own)}
            for run in compared_runs(dataset)
            for name, values in flows.items()
            for own in (math.nan if name in IN_LOANS else scale,)
        ]
    )


def ordered_runs(dataset: xr.Dataset) -> Iterator[dict[str, str]]:
    """The runs of a result: of each scenario and programme all strategies in their order."""
    return (run for run in compared_runs(dataset) if run["scenario"] != ALL_SCENARIOS)


def compared_runs(dataset: xr.Dataset) -> Iterator[dict[str, str]]:
    """What is compared: `ordered_runs`, and after them those of `ALL_SCENARIOS`, where scenarios carry weights."""
    for scenario in scenario_labels(dataset):
        for programme in map(str, dataset["programme"].values):
            for strategy in map(str, dataset["strategy"].values):
                yield {"scenario": scenario, "strategy": strategy, "programme": programme}


def nearest_to_best(levels: pandas.DataFrame, at: Mapping[str, str], baseline: str) -> tuple[str, str]:
    """Winner by expected loss in a scenario, and whom it is measured with: the baseline, or where that wins the second.

    Parameters
    ----------
    levels : pandas.DataFrame
        Of `strategy_levels`.
    at : mapping
        scenario and programme.
    """
    chosen = levels[levels["measure"] == "expected_loss"]
    for dim, label in at.items():
        chosen = chosen[chosen[dim] == label]
    names = [str(name) for name in chosen.sort_values("value", kind="stable")["strategy"]]
    return names[0], (names[1] if names[0] == baseline else baseline)
