"""Results whose paths carry weights say so wherever a number or a share of paths is told, and keep their axes short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from calibration.library import find_parameter_set
from command_line import SMALL_STUDY
from outputs import estimators, figure_data, plots_loss
from outputs.caveats import caveats
from outputs.figures import draw_pictures
from outputs.measures import has_weights, path_loss, sample_of, summary
from outputs.picture import Picture
from outputs.wording import format_summary, path_count, unreliable_note
from sample_results import sample_results
from scenarios.library import find_study
from scenarios.tail import Tail
from simulator.study import load_inputs

PATHS = 300


@pytest.fixture(scope="module")
def plain() -> xr.Dataset:
    return sample_results(PATHS, 24)


@pytest.fixture(scope="module")
def weighted(plain: xr.Dataset) -> xr.Dataset:
    """Larger losses weigh less, the largest of them next to nothing."""
    loss = path_loss(plain).isel(scenario=0).squeeze().to_numpy()
    rank = loss.argsort().argsort() / PATHS
    return plain.assign(log_weight=("path", -25.0 * np.maximum(rank - 0.3, 0.0)))


@pytest.fixture(scope="module")
def pictures(weighted: xr.Dataset) -> dict[str, Picture]:
    return {picture.name: picture for picture in draw_pictures(weighted, "run")}


def test_paths_that_weigh_alike_are_called_paths(plain: xr.Dataset, weighted: xr.Dataset) -> None:
    assert not has_weights(plain)
    assert path_count(plain) == "300 paths"
    assert unreliable_note(plain) == "unreliable: fewer than 10 paths lie beyond it; more paths are needed"
    assert path_count(weighted) == "300 weighted paths"
    assert "fewer than 10 effective paths lie beyond it" in unreliable_note(weighted)
    assert "300 weighted paths;" in format_summary(summary(weighted), weighted)


def test_every_picture_says_that_paths_are_weighted(pictures: dict[str, Picture]) -> None:
    for picture in pictures.values():
        assert "300 weighted paths over 24 months" in picture.figure.texts[2].get_text(), picture.name
    assert "simulated futures, each with its weight, with a loss" in pictures["loss_distribution"].caption
    assert "fewer than ten effective paths" in pictures["exceedance_curve"].caption


def test_probabilities_of_which_nothing_can_be_said_are_left_to_the_table(pictures: dict[str, Picture]) -> None:
    picture = pictures["exceedance_curve"]
    data, axes = picture.data, picture.figure.axes[0]
    least = data.loc[data["probability"] > 0.0, "probability"].min()
    assert least < 0.1 * plots_loss.SHOWN_PROBABILITY
    assert axes.get_ylim()[0] == plots_loss.SHOWN_PROBABILITY
    shown = data.loc[data["probability"] >= plots_loss.SHOWN_PROBABILITY, "percent_of_opening"].max()
    assert shown <= axes.get_xlim()[1] < data["percent_of_opening"].max()
    assert picture.caption.endswith("The axis ends at once in 100,000; the table goes on.")
    histogram = pictures["loss_distribution"]
    bins = histogram.data[histogram.data["kind"] == "bin"]
    assert shown <= histogram.figure.axes[0].get_xlim()[1] < bins["high"].max()
    assert bins.groupby("run")["share_percent"].sum().to_list() == pytest.approx([100.0, 100.0])


def test_equal_paths_are_drawn_to_the_last(plain: xr.Dataset) -> None:
    data = figure_data.loss_distribution(plain)
    last = data.loc[data["kind"] == "bin", "high"].max()
    assert plots_loss.shown_end(data) == pytest.approx(last * (1.0 + plots_loss.MARGIN))
    caption = next(each.caption for each in draw_pictures(plain, "run") if each.name == "exceedance_curve")
    assert caption.endswith("so the curve is unreliable there.")


def test_bins_are_as_wide_as_the_paths_are_few(plain: xr.Dataset, weighted: xr.Dataset) -> None:
    """Width of Freedman and Diaconis with the number of paths that they are worth, up to what fills the range."""
    losses = 100.0 * path_loss(weighted) / float(weighted.attrs["opening_balance"])
    worth = []
    narrowest = np.inf
    for scenario in losses["scenario"].values:
        sample = sample_of(losses.sel(scenario=scenario).squeeze(), weighted)
        worth.append(estimators.kish(sample.weight, sample.cluster))
        spread = estimators.quantile(sample, 0.75) - estimators.quantile(sample, 0.25)
        narrowest = min(narrowest, 2.0 * spread / worth[0] ** (1 / 3))
    assert worth[0] < 0.6 * PATHS
    bins = figure_data.loss_distribution(weighted).query("kind == 'bin' and run == 'baseline'")
    width = float((bins["high"] - bins["low"]).iloc[0])
    assert 0.9 * narrowest < width <= narrowest


def test_the_report_says_so_before_any_figure(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SMALL_STUDY, "utf-8")
    inputs = load_inputs(find_study(tmp_path / "study.yaml"), find_parameter_set)

    def told(tail: str | Tail | None) -> list[str]:
        changed = replace(inputs, study=inputs.study.model_copy(update={"tail": tail}))
        return [text for text in caveats(changed, ()) if text.startswith("Paths are weighted")]

    assert len(told("shifted")) == len(told(Tail(method="shifted_sobol"))) == 1
    assert told("sobol") == told(None) == []
