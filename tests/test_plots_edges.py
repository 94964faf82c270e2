"""Pictures of extremes: a single month, differences that are none, names as long as a file may have them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from drawn_texts import assert_readable
from outputs import plots_strategies, style
from outputs.figures import Picture, draw_comparison, draw_pictures
from outputs.strategies_view import compare_strategies
from sample_results import sample_results
from strategy_samples import LADDERS, Ladder, strategy_results

RUN_ID = "0123456789ab"
LONG_RUNG = "a_rung_name_with_so_many_letters_that_no_label_ever_held_it_all_"
LONG = "a_name_that_somebody_chose_so_long_that_no_picture_ever_held_it_"


# --- a single month ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def month() -> dict[str, Picture]:
    return {picture.name: picture for picture in draw_pictures(sample_results(40, 1, pool=True), RUN_ID)}


@pytest.mark.parametrize("name", ["cash_against_schedule", "recoveries", "pool_queue"])
def test_flows_of_a_single_month_have_the_width_of_that_month(name: str, month: dict[str, Picture]) -> None:
    for axes in month[name].figure.axes:
        for band in axes.collections:
            places = band.get_paths()[0].vertices[:, 0]
            assert np.ptp(places) == 31.0, "January 2025"
        for line in axes.lines:
            assert line.get_xdata()[0] != line.get_xdata()[-1]
    assert set(month[name].data["month_end"]) == {np.datetime64("2025-01-31")}, "the table has the month itself"


def test_a_single_month_stays_below_the_frame(month: dict[str, Picture]) -> None:
    picture = month["cash_against_schedule"]
    largest = float(picture.data[["scheduled", "due", "q95"]].max(axis=None)) / 1e6
    for axes in picture.figure.axes:
        assert axes.get_ylim()[1] > 1.05 * largest


def test_a_scenario_of_one_month_is_a_point_that_is_seen(month: dict[str, Picture]) -> None:
    for axes in month["macro_paths"].figure.axes:
        points = [line for line in axes.lines if len(line.get_xdata()) == 1]
        assert [line.get_marker() for line in points] == ["o", "o"]
    several = {picture.name: picture for picture in draw_pictures(sample_results(20, 2), RUN_ID)}
    markers = {line.get_marker() for axes in several["macro_paths"].figure.axes for line in axes.lines}
    assert markers == {"None"}


# --- nothing to show ---------------------------------------------------------------------------------------------


def test_differences_that_are_none_have_an_axis_that_can_be_read() -> None:
    ladders = {"one": Ladder(1.0, 0.0), "two": Ladder(1.0 + 1e-15, 0.0), "three": Ladder(1.0 + 1e-13, 0.0)}
    dataset = strategy_results(30, 3, ladders=ladders)
    picture = {picture.name: picture for picture in draw_comparison(compare_strategies(dataset), RUN_ID)}
    for axes in picture["strategy_differences"].figure.axes:
        assert axes.get_xlim() == (-plots_strategies.LEAST_REACH, plots_strategies.LEAST_REACH)
        assert not axes.texts, "who differs by nothing is not far away"


def test_recoveries_of_nothing_have_an_axis_that_can_be_read() -> None:
    quiet = sample_results(20, 2)
    stems = ("charge_off", "recovery", "sale_proceeds", "total_loss_paid", "deficiency", "workout")
    for name in quiet.data_vars:
        if str(name).startswith(stems):
            quiet[name] = quiet[name] * 0.0
    picture = {picture.name: picture for picture in draw_pictures(quiet, RUN_ID)}["recoveries"]
    assert picture.figure.axes[0].get_ylim() == (-1.0, 1.0)


# --- long names --------------------------------------------------------------------------------------------------


def long_named() -> xr.Dataset:
    results = strategy_results(40, 6)
    names = [f"{LONG[:-1]}{number}" for number in range(len(LADDERS))]
    return results.assign_coords(
        rung=["sms", "call", LONG_RUNG, "seize"], strategy=names, scenario=["baseline", f"{LONG[:-1]}s"]
    )


@pytest.fixture(scope="module")
def funnel() -> Picture:
    pictures = draw_comparison(compare_strategies(long_named()), RUN_ID)
    return next(picture for picture in pictures if picture.name == "collections_funnel")


def test_a_rung_with_the_longest_name_leaves_the_funnel_readable(funnel: Picture) -> None:
    labels = {label.get_text() for axes in funnel.figure.axes for label in axes.get_yticklabels()}
    (short,) = labels - {"sms", "call", "seize"}
    assert short == style.shorten(LONG_RUNG, 22) == "a_rung_name_wi\N{HORIZONTAL ELLIPSIS}it_all_"
    assert LONG_RUNG in set(funnel.data["rung"])
    assert_readable(funnel.figure)


def test_the_axis_of_a_funnel_ends_at_its_longest_bar(funnel: Picture) -> None:
    longest = float(funnel.data["asked"].max())
    for axes in funnel.figure.axes:
        assert axes.spines["bottom"].get_bounds() == (0.0, longest)
        assert max(axes.get_xticks()) <= longest
        assert axes.get_xlim()[1] < 1.6 * longest


def test_short_texts_stay_and_long_ones_keep_both_ends() -> None:
    assert style.shorten("short", 5) == "short"
    assert style.shorten("abcdefghij", 7) == "abcd\N{HORIZONTAL ELLIPSIS}ij"
