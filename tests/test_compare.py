"""Differences on common draws and contributions to the tail: sums, closed forms, and errors against repeats."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from outputs import compare, contributions, estimators, measures
from outputs.tail import tail_of
from sample_results import OPENING, sample_results

EXACT = 1e-9
"""Relative slack of sums of doubles."""


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    """The sample with vehicles that do not share the loss evenly."""
    sample = sample_results(n_paths=400)
    weights = 1.0 + 0.5 * np.random.default_rng(7).random((400, 3))
    shares = xr.DataArray(weights / weights.sum(axis=1, keepdims=True), dims=("path", "vehicle"))
    split = (measures.path_loss(sample) * shares).transpose(*sample["loss_by_vehicle"].dims)
    return sample.assign(loss_by_vehicle=split)


def paths_of(losses: np.ndarray) -> tuple[xr.DataArray, xr.Dataset]:
    """Losses by path as the measures take them."""
    count = len(losses)
    dataset = xr.Dataset(coords={"path": np.arange(count)}).assign_coords(
        log_weight=("path", np.zeros(count)), batch=("path", np.arange(count))
    )
    return xr.DataArray(losses, dims="path"), dataset


# --- differences ---------------------------------------------------------------------------------------


def test_differences_are_those_of_the_summary(results: xr.Dataset) -> None:
    table = compare.paired_differences(results)
    assert list(table["measure"]) == ["expected_loss", *["expected_shortfall"] * 3]
    summary = measures.summary(results).set_index(["measure", "level", "scenario"])["value"]
    for row in table.itertuples():
        pair = summary[row.measure].loc[[row.level]] if row.level > 0 else summary[row.measure]
        by_hand = pair.xs("severely_adverse", level="scenario").iloc[0] - pair.xs("baseline", level="scenario").iloc[0]
        assert row.value == pytest.approx(by_hand)
        assert row.percent_of_opening == pytest.approx(100 * by_hand / OPENING)
        assert (row.scenario, row.less) == ("severely_adverse", "baseline")


def test_pairing_takes_out_what_both_runs_share(results: xr.Dataset) -> None:
    table = compare.paired_differences(results)
    errors = measures.summary(results).groupby("measure")["standard_error"].apply(lambda values: values.iloc[0])
    unpaired = math.sqrt(2) * errors["expected_loss"]
    assert table["standard_error"].iloc[0] < unpaired
    same = xr.concat(
        [results.isel(scenario=[0]), results.isel(scenario=[0]).assign_coords(scenario=["again"])],
        "scenario",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="override",
    )
    twins = compare.paired_differences(same)
    assert (twins["value"] == 0.0).all()
    assert (twins["standard_error"].dropna() == 0.0).all()


def test_one_scenario_has_no_difference(results: xr.Dataset) -> None:
    assert compare.paired_differences(results.isel(scenario=[0])).empty


def test_the_tail_of_a_difference_without_paths_beyond_has_no_error(results: xr.Dataset) -> None:
    table = compare.paired_differences(results.isel(path=slice(0, 50))).set_index("level")
    assert np.isnan(table.loc[0.99, "standard_error"])
    assert table.loc[0.99, "unreliable"]


def test_shortfall_differences_spread_over_repeats_as_their_errors_say() -> None:
    """300 repeats: a spread is known to 4 %, so 20 % is five standard deviations (false alarm below 1e-6)."""
    random = np.random.default_rng(21)
    found = []
    for _ in range(300):
        common = random.gamma(2.0, size=2_000)
        one, dataset = paths_of(common * (1.3 + 0.2 * random.random(2_000)))
        other, _ = paths_of(common)
        found.append(compare.shortfall_difference(one, other, dataset, 0.95))
    spread = np.std([item.value for item in found], ddof=1)
    assert np.mean([item.standard_error for item in found]) == pytest.approx(spread, rel=0.20)


# --- contributions -------------------------------------------------------------------------------------


def test_levels_of_a_cut_sum_to_the_book(results: xr.Dataset) -> None:
    table = contributions.loss_by_cut(results)
    summary = measures.summary(results).set_index(["scenario", "measure", "level"]).sort_index()["value"]
    level = contributions.tail_level(results)
    assert level == 0.95, "400 paths leave 4 beyond 99 % and 20 beyond 95 %"
    for (scenario, _), part in table.groupby(["scenario", "cut"]):
        expected = summary[scenario]["expected_loss"].iloc[0]
        assert part["expected_loss"].sum() == pytest.approx(expected, rel=EXACT)
        assert part["tail_loss"].sum() == pytest.approx(summary[scenario]["expected_shortfall"][level], rel=EXACT)
        for share in ("share_percent", "tail_share_percent", "opening_percent"):
            assert part[share].sum() == pytest.approx(100.0, rel=EXACT)
        assert (part.filter(like="_error") >= 0.0).all(axis=None)


def test_small_levels_are_summed_up_and_single_ones_left_out(results: xr.Dataset) -> None:
    opening = xr.DataArray([1.0, 3.0, 2.0], dims="vehicle") * OPENING / 6
    changed = results.assign(opening_balance_by_vehicle=opening)
    assert contributions.divided_cuts(changed) == ("region", "vehicle", "vintage")
    table = contributions.loss_by_cut(changed, most_levels=2)
    vehicles = table[(table["cut"] == "vehicle") & (table["scenario"] == "baseline")]
    assert list(vehicles["cut_level"]) == ["suv", "2 more"]
    np.testing.assert_allclose(vehicles["opening_percent"], [50.0, 50.0])
    by_hand = changed["loss_by_vehicle"].sel(scenario="baseline", vehicle=["car", "truck"]).sum("vehicle").mean()
    assert vehicles["expected_loss"].iloc[1] == pytest.approx(float(by_hand))
    assert vehicles["percent_of_level"].iloc[1] == pytest.approx(100 * float(by_hand) / (OPENING / 2))
    years = table[(table["cut"] == "vintage") & (table["scenario"] == "baseline")]["cut_level"]
    assert list(contributions.loss_by_cut(changed)["cut_level"][-3:]) == ["2022", "2023", "2024"], "in their own order"
    assert len(years) == 2


def test_contributions_of_normal_parts_meet_the_closed_form() -> None:
    """L = X + Y, X ~ N(10, 2), Y ~ N(5, 1) independent: ES contribution of X is 10 + 4/sqrt(5) phi(z)/(1 - a).

    Tasche (2000) for elliptic losses. One comparison at five standard errors: false alarm 6e-7 for a fresh seed.
    """
    random = np.random.default_rng(22)
    first, second = 10 + 2 * random.standard_normal(100_000), 5 + random.standard_normal(100_000)
    values, dataset = paths_of(first + second)
    tail = tail_of(values, dataset, 0.95)
    density = math.exp(-(1.6448536269514722**2) / 2) / math.sqrt(2 * math.pi)
    truth = 10 + 4 / math.sqrt(5) * density / 0.05
    error = estimators.mean(measures.sample_of(xr.DataArray(tail.part_influence(first), dims="path"), dataset))
    assert abs(tail.part(first) - truth) < 5 * error.standard_error
    assert error.standard_error < 0.05


def test_contributions_spread_over_repeats_as_their_errors_say() -> None:
    """300 repeats: a spread is known to 4 %, so 20 % is five standard deviations (false alarm below 1e-6)."""
    random = np.random.default_rng(23)
    values, errors = [], []
    for _ in range(300):
        part, rest = random.gamma(2.0, size=2_000), random.gamma(4.0, size=2_000)
        losses, dataset = paths_of(part + rest)
        tail = tail_of(losses, dataset, 0.95)
        values.append(tail.part(part))
        influence = xr.DataArray(tail.part_influence(part), dims="path")
        errors.append(estimators.mean(measures.sample_of(influence, dataset)).standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.20)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=60),
    st.sampled_from((0.5, 0.9, 0.95, 0.99)),
    st.integers(0, 2**32 - 1),
)
def test_tail_weights_make_the_shortfall_ties_included(losses: list[int], level: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    values, dataset = paths_of(np.array(losses, float))
    dataset["log_weight"] = ("path", random.normal(size=len(losses)))
    tail = tail_of(values, dataset, level)
    assert tail.weight.sum() == pytest.approx(1.0)
    assert tail.part(tail.loss) == pytest.approx(tail.shortfall.value)
    split = random.random(len(losses))
    assert tail.part(tail.loss * split) + tail.part(tail.loss * (1 - split)) == pytest.approx(tail.shortfall.value)
