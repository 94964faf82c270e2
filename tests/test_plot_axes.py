"""Axes of pictures: labels of dates that fit, and room beside the largest loss."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from outputs import figure_data, plots, style
from sample_results import sample_results


@pytest.mark.parametrize(("months", "across", "labels"), [(2, 2, 2), (12, 2, 4), (24, 2, 4), (24, 3, 4), (36, 3, 3)])
def test_a_date_axis_has_as_many_labels_as_its_panel_holds(months: int, across: int, labels: int) -> None:
    axes = Figure().subplots(1, across)[0]
    last = (np.datetime64("2024-01") + months).astype("datetime64[D]") - 1
    style.date_axis(axes, np.array([np.datetime64("2023-12-31"), last]))
    low, high = axes.get_xlim()
    assert sum(low <= place <= high for place in axes.get_xticks()) == labels


def test_a_mark_at_the_largest_loss_is_off_the_frame() -> None:
    few = figure_data.loss_distribution(sample_results(n_paths=20, n_months=3))
    data = few[few["run"] == "baseline"]
    with style.look():
        axes = Figure().subplots()
        plots.plot_loss_distribution(axes, data, style.run_styles(["baseline"])["baseline"])
    assert axes.transAxes.inverted().transform(axes.transData.transform((data["high"].max(), 0.0)))[0] < 0.975
