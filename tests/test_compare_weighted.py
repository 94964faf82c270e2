"""Strategies over all scenarios with the weights of those: closed forms, twins of scenarios, errors against repeats."""

from __future__ import annotations

import math

import numpy as np
import pandas
import pytest
import xarray as xr

from outputs import estimators, strategies, strategies_costs
from outputs.figures import draw_pictures
from outputs.strategies_best import best_strategies
from outputs.strategies_view import compare_strategies, format_comparison
from outputs.terminal import further_lines
from outputs.weighted import ALL_SCENARIOS, mixture
from strategy_samples import bare_results, strategy_results

WEIGHTS = (0.7, 0.3)
EXACT = 1e-9
"""Relative slack of sums of doubles."""
KEYS = ["strategy", "measure", "level"]


@pytest.fixture(scope="module")
def plain() -> xr.Dataset:
    return strategy_results(n_paths=400, n_months=12)


@pytest.fixture(scope="module")
def weighted(plain: xr.Dataset) -> xr.Dataset:
    return plain.assign_coords(scenario_weight=("scenario", np.array(WEIGHTS)))


@pytest.fixture(scope="module")
def twins(plain: xr.Dataset) -> xr.Dataset:
    """The same scenario twice, each with a probability of one half."""
    both = plain.isel(scenario=[1, 1]).assign_coords(scenario=["one", "other"])
    return both.assign_coords(scenario_weight=("scenario", np.array([0.5, 0.5])))


def rows(table: pandas.DataFrame, scenario: str) -> pandas.DataFrame:
    return table[table["scenario"] == scenario].fillna({"level": 0.0}).set_index(KEYS)


def test_without_weights_there_is_no_mixture(plain: xr.Dataset) -> None:
    found = compare_strategies(plain)
    for table in (*found.tables().values(), found.best):
        assert set(table["scenario"]) == {"baseline", "severely_adverse"}


def test_weights_add_rows_and_change_none(plain: xr.Dataset, weighted: xr.Dataset) -> None:
    before, after = compare_strategies(plain).tables(), compare_strategies(weighted).tables()
    for name, table in before.items():
        kept = after[name][after[name]["scenario"] != ALL_SCENARIOS].reset_index(drop=True)
        pandas.testing.assert_frame_equal(kept, table)
        assert len(after[name]) * 2 == len(table) * 3, name


def test_means_are_those_of_the_weighted_sum_of_each_path(weighted: xr.Dataset) -> None:
    """A path's draws are common to all scenarios: not the sum of two independent errors."""
    found = rows(strategies.strategy_differences(weighted), ALL_SCENARIOS)
    flows = {"expected_loss": strategies.strategy_loss(weighted), "net_cash": strategies.net_cash(weighted)}
    for measure, values in flows.items():
        arrays = {
            name: values.sel(strategy=name).squeeze().transpose("scenario", "path") for name in ("none", "reference_us")
        }
        by_path = np.array(WEIGHTS) @ (arrays["none"].values - arrays["reference_us"].values)
        row = found.loc["none", measure, 0.0]
        assert row["value"] == pytest.approx(by_path.mean(), rel=EXACT)
        assert row["standard_error"] == pytest.approx(by_path.std(ddof=1) / math.sqrt(by_path.size), rel=EXACT)
        apart = rows(strategies.strategy_differences(weighted), "baseline").loc["none", measure, 0.0]["standard_error"]
        assert row["standard_error"] > WEIGHTS[0] * apart


def test_tails_are_those_of_the_mixture_of_paths(weighted: xr.Dataset) -> None:
    found = rows(strategies.strategy_differences(weighted), ALL_SCENARIOS)
    losses = strategies.strategy_loss(weighted).squeeze()
    parts = [mixture(losses.sel(strategy=name), weighted) for name in ("none", "reference_us")]
    for level in (0.95, 0.99):
        pairs = {
            "value_at_risk": [estimators.value_at_risk(part, level).value for part in parts],
            "expected_shortfall": [estimators.expected_shortfall(part, level).value for part in parts],
        }
        for measure, (one, other) in pairs.items():
            assert found.loc["none", measure, level]["value"] == pytest.approx(one - other, rel=EXACT)


def test_one_scenario_twice_is_that_scenario(twins: xr.Dataset) -> None:
    """Both halves of the mixture are the same paths, so nothing is known better; VaR's own error is read from ranks."""
    table = strategies.strategy_differences(twins)
    single, both = rows(table, "one"), rows(table, ALL_SCENARIOS)
    np.testing.assert_allclose(both["value"], single["value"], rtol=EXACT)
    means = single.index.get_level_values("measure") != "value_at_risk"
    np.testing.assert_allclose(both["standard_error"][means], single["standard_error"][means], rtol=1e-6)
    quantile = single.loc["field_first", "value_at_risk", 0.95]["standard_error"]
    assert both.loc["field_first", "value_at_risk", 0.95]["standard_error"] == pytest.approx(quantile, rel=0.25)
    best = best_strategies(twins).set_index(["scenario", "strategy"])
    for column in ("best_by_mean", "best_by_shortfall"):
        assert list(best.loc[ALL_SCENARIOS][column]) == pytest.approx(list(best.loc["one"][column]))
    costs = strategies_costs.strategy_costs(twins).set_index("scenario")
    for column in ("value", "standard_error"):
        np.testing.assert_allclose(costs.loc[ALL_SCENARIOS][column], costs.loc["one"][column], rtol=EXACT)


def test_errors_of_the_mixtures_tail_are_those_of_repeats() -> None:
    """200 repeats: a standard deviation over them is known to 5 %, so a fifth off by chance in less than 1 of 1,000."""
    found: dict[str, list[tuple[float, float]]] = {"expected_shortfall": [], "value_at_risk": []}
    for seed in range(200):
        random = np.random.default_rng([7, seed])
        table = rows(strategies.strategy_differences(two_scenarios(random, 1_000)), ALL_SCENARIOS)
        for measure, told in found.items():
            row = table.loc["other", measure, 0.95]
            told.append((row["value"], row["standard_error"]))
    for measure, told in found.items():
        values, errors = np.array(told).T
        assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(ddof=1), rel=0.2), measure


def two_scenarios(random: np.random.Generator, paths: int) -> xr.Dataset:
    """A normal loss in two scenarios on common draws, the second 30 % larger; a strategy adds its own noise."""
    common, own = 50.0 + 10.0 * random.standard_normal(paths), 4.0 * random.standard_normal(paths)
    parts = [
        bare_results({"base": factor * common, "other": factor * common + own}).assign_coords(scenario=[name])
        for name, factor in (("calm", 1.0), ("storm", 1.3))
    ]
    both = xr.concat(parts, "scenario", data_vars="all", coords="minimal", compat="override", join="override")
    return both.assign_attrs(parts[0].attrs).assign_coords(scenario_weight=("scenario", np.array(WEIGHTS)))


def test_verdicts_of_the_mixture_are_a_family_of_their_own(weighted: xr.Dataset) -> None:
    table = strategies.strategy_differences(weighted)
    mixed = table[table["scenario"] == ALL_SCENARIOS]
    order = np.sort(mixed["p_value"].to_numpy())
    assert float(mixed["adjusted_p"].min()) == pytest.approx(min(1.0, len(mixed) * order[0]))
    assert "better" in set(mixed["verdict"])


def test_the_terminal_names_strategies_of_the_mixture(weighted: xr.Dataset) -> None:
    found = compare_strategies(weighted)
    assert "(weighted)" in format_comparison(found)
    lines = further_lines(weighted, found)
    start = next(place for place, line in enumerate(lines) if line.startswith("All scenarios, weighted"))
    for name in ("reference_us", "field_first"):
        assert name in lines[start + 1]


def test_a_weighted_study_of_several_strategies_is_drawn(weighted: xr.Dataset) -> None:
    small = weighted.isel(path=slice(0, 40), month=slice(0, 6))
    shown = {picture.name: picture for picture in draw_pictures(small, "0123456789ab")}
    bars = shown["expected_credit_loss"].data["run"].unique()
    assert f"{ALL_SCENARIOS} / field_first" in bars
    assert len(bars) == 3 * 4
    assert ALL_SCENARIOS in set(shown["strategy_differences"].data["run"])
