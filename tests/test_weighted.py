"""Scenarios weighted by probability, and sensitivities at the top of their range: closed forms and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from outputs import measures
from outputs.compare import difference_estimates
from outputs.manifest import run_facts
from outputs.report import ReportInputs, render_report
from outputs.sensitivity import top_of_range
from outputs.tables import report_tables
from outputs.terminal import further_lines
from outputs.weighted import ALL_SCENARIOS, weighted_summary
from outputs.wording import percent
from sample_results import OPENING, sample_results

WEIGHTS = (0.75, 0.25)
TOP = 250


@pytest.fixture(scope="module")
def plain() -> xr.Dataset:
    return sample_results(n_paths=400)


@pytest.fixture(scope="module")
def weighted(plain: xr.Dataset) -> xr.Dataset:
    return plain.assign_coords(scenario_weight=("scenario", np.array(WEIGHTS)))


@pytest.fixture(scope="module")
def ranged(plain: xr.Dataset) -> xr.Dataset:
    """The sample with a second run of its stress that loses a fifth more on every path."""
    top = 1.2 * measures.path_loss(plain).isel(path=slice(TOP))
    top = top.where(top["scenario"] != "baseline").drop_vars(["path", "log_weight", "batch", "parameter_draw"])
    return plain.assign(loss_at_top_sensitivity=top.rename(path="path_top"))


def value(table: object, measure: str, level: float = math.nan) -> float:
    rows = table[table["measure"] == measure]  # type: ignore[index]
    rows = rows if math.isnan(level) else rows[rows["level"] == level]
    return float(rows["value"].iloc[0])


# --- weights --------------------------------------------------------------------------------------------


def test_expected_loss_of_the_mixture_is_the_weighted_mean(weighted: xr.Dataset) -> None:
    table = weighted_summary(weighted)
    assert list(table.columns) == list(measures.summary(weighted).columns)
    assert set(table["scenario"]) == {ALL_SCENARIOS}
    means = measures.path_loss(weighted).mean("path").squeeze().values
    assert value(table, "expected_loss") == pytest.approx(float(np.dot(WEIGHTS, means)), rel=1e-12)


def test_quantile_and_shortfall_of_the_mixture_by_hand(weighted: xr.Dataset) -> None:
    losses = measures.path_loss(weighted).squeeze().transpose("scenario", "path").values
    weight = np.repeat(np.array(WEIGHTS) / losses.shape[1], losses.shape[1])
    order = np.argsort(losses.ravel())
    values, reach = losses.ravel()[order], np.cumsum(weight[order])
    threshold = values[np.searchsorted(reach, 0.95 - 1e-9)]
    excess = np.maximum(losses - threshold, 0.0).mean(axis=1) / 0.05
    table = weighted_summary(weighted)
    assert value(table, "value_at_risk", 0.95) == threshold
    assert value(table, "expected_shortfall", 0.95) == pytest.approx(threshold + float(np.dot(WEIGHTS, excess)))


def test_error_of_the_mixture_is_that_of_the_weighted_loss_by_path(weighted: xr.Dataset) -> None:
    """Paths are paired: the mixture's mean is that of w1 L1 + w2 L2, and so is its error."""
    losses = measures.path_loss(weighted).squeeze().transpose("scenario", "path").values
    by_path = np.array(WEIGHTS) @ losses
    table = weighted_summary(weighted)
    error = float(by_path.std(ddof=1) / math.sqrt(len(by_path)))
    assert float(table["standard_error"].iloc[0]) == pytest.approx(error, rel=1e-9)


def test_a_certain_scenario_is_that_scenario(plain: xr.Dataset) -> None:
    twins = plain.isel(scenario=[0, 0]).assign_coords(scenario=["one", "other"])
    table = weighted_summary(twins.assign_coords(scenario_weight=("scenario", np.array([0.4, 0.6]))))
    alone = measures.summary(plain.isel(scenario=[0]))
    chosen = table["measure"] != "standard_deviation"  # whose divisor counts paths
    np.testing.assert_allclose(table["value"][chosen], alone["value"][chosen], rtol=1e-9)
    chosen &= table["measure"] != "value_at_risk"  # whose error is read between ranks, of which there are twice as many
    np.testing.assert_allclose(table["standard_error"][chosen], alone["standard_error"][chosen], rtol=1e-9)


def test_without_weights_nothing_is_said(plain: xr.Dataset) -> None:
    assert weighted_summary(plain).empty
    assert top_of_range(plain).empty
    assert not any("weighted" in line or "published range" in line for line in further_lines(plain))
    html = render_report(ReportInputs("plain", plain, run_facts(plain, {}), ()))
    assert "weighted by probability" not in html
    assert "at the top of their published range" not in html


def test_weighted_loss_stands_in_report_tables_and_terminal(weighted: xr.Dataset) -> None:
    inputs = ReportInputs("weighted", weighted, run_facts(weighted, {}), ())
    html = render_report(inputs)
    assert "Loss over all scenarios, weighted by probability" in html
    assert "baseline 75.0 %, severely_adverse 25.0 %" in html
    shown = percent(weighted_summary(weighted)["percent_of_opening"].iloc[0])
    text = "\n".join(further_lines(weighted))
    assert "All scenarios, weighted: baseline 75.0 %, severely_adverse 25.0 %" in text
    assert shown in text
    assert shown in html
    assert len(report_tables(inputs)["weighted"]) == 8


# --- the top of the range -------------------------------------------------------------------------------


def test_what_the_top_adds_is_paired(ranged: xr.Dataset) -> None:
    table = top_of_range(ranged)
    assert set(table["scenario"]) == {"severely_adverse"}
    assert set(table["paths"]) == {TOP}
    assert list(table["measure"]) == ["expected_loss", "expected_shortfall"]  # 250 paths: 12 lie beyond 95 %, 2 99 %
    loss = measures.path_loss(ranged).sel(scenario="severely_adverse").squeeze().values[:TOP]
    first = table.iloc[0]
    assert first["value"] == pytest.approx(1.2 * loss.mean())
    assert first["central_percent"] == pytest.approx(100 * loss.mean() / OPENING)
    assert first["added_percent"] == pytest.approx(20 * loss.mean() / OPENING)
    assert first["added_percent_error"] == pytest.approx(20 * loss.std(ddof=1) / math.sqrt(TOP) / OPENING)
    for row in table.itertuples():
        assert row.added_percent == pytest.approx(row.percent_of_opening - row.central_percent)


def test_a_difference_of_equal_losses_has_no_error(plain: xr.Dataset) -> None:
    losses = measures.path_loss(plain).isel(scenario=0).squeeze()
    for _, _, found in difference_estimates(losses, losses, plain):
        assert found.value == 0.0
        assert found.standard_error == 0.0 or math.isnan(found.standard_error)  # beyond 99.9 % lies no path


def test_the_top_stands_in_report_tables_and_terminal(ranged: xr.Dataset) -> None:
    inputs = ReportInputs("ranged", ranged, run_facts(ranged, {}), ())
    html = render_report(inputs)
    assert f"run again on its first {TOP} paths" in html
    text = "\n".join(further_lines(ranged))
    assert f"% of opening balance; first {TOP} paths" in text
    shown = percent(top_of_range(ranged)["added_percent"].iloc[0])
    assert shown in text
    assert shown in html
    assert len(report_tables(inputs)["top_of_range"]) == 2
