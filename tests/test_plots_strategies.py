"""Pictures of strategies and collections: they show their table, nothing overlaps, who has none is spared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
import xarray as xr
from matplotlib.figure import Figure

from drawn_texts import assert_readable
from outputs import figure_money, figure_strategies, figures, plots_strategies, strategies, style
from outputs.csv_text import to_csv
from outputs.figure_strategies import efficient
from outputs.figures import Picture, draw_comparison, draw_pictures, write_figures
from outputs.money_views import hours_words, pool_view
from outputs.pages import exceedance_picture, used_car_picture
from outputs.strategies_view import compare_strategies
from outputs.wording import percent
from sample_results import LOANS, sample_results
from strategy_samples import HOURS, LADDERS, MOST, WAGE, Ladder, strategy_results

NAMES = (
    "strategy_differences",
    "strategy_frontier",
    "pool_queue_phone",
    "pool_queue_field",
    "pool_queue_digital",
    "collections_funnel",
    "incidents",
)
RUN_ID = "0123456789ab"
LONG = "a_strategy_whose_name_somebody_chose_without_thinking_of_pictures"


def drawn(dataset: xr.Dataset) -> dict[str, Picture]:
    return {picture.name: picture for picture in draw_comparison(compare_strategies(dataset), RUN_ID)}


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return strategy_results(300, 36)


@pytest.fixture(scope="module")
def pictures(results: xr.Dataset) -> dict[str, Picture]:
    return drawn(results)


@pytest.fixture(scope="module")
def crowded(results: xr.Dataset) -> dict[str, Picture]:
    """Three scenarios, two of them with long names, and a strategy with the longest."""
    names = ["baseline", "fed_2025_severely_adverse_with_a_used_car_slump", "$adverse$"]
    dataset = results.isel(scenario=[0, 1, 1]).assign_coords(scenario=names)
    return drawn(dataset.assign_coords(strategy=["reference_us", LONG, "$field$", "digital_only"]))


@pytest.fixture(scope="module")
def two_years() -> dict[str, Picture]:
    """One scenario, two strategies, months as labels."""
    ladders = {name: LADDERS[name] for name in ("reference_us", "field_first")}
    return drawn(strategy_results(60, 24, ladders=ladders).isel(scenario=[1]))


# --- what they show ------------------------------------------------------------------------------------------------


def test_all_pictures_are_drawn_in_their_order(pictures: dict[str, Picture]) -> None:
    assert tuple(pictures) == NAMES
    for picture in pictures.values():
        assert len(picture.caption) > 50
        assert len(picture.alternative) > 50
        assert not picture.data.empty
        assert "run" in picture.data


def test_a_run_of_several_strategies_has_them_after_its_other_pictures(results: xr.Dataset) -> None:
    small = results.isel(path=slice(0, 40), month=slice(0, 6))
    assert tuple(picture.name for picture in draw_pictures(small, RUN_ID))[-len(NAMES) :] == NAMES


def test_a_run_of_one_strategy_without_pools_has_none() -> None:
    names = {picture.name for picture in draw_pictures(sample_results(20, 3), RUN_ID)}
    assert not names & {*NAMES, "pool_queue"}


def test_one_ladder_alone_has_pools_rungs_and_incidents_but_no_comparison() -> None:
    alone = strategy_results(40, 6, ladders={"field_first": LADDERS["field_first"]})
    names = [picture.name for picture in draw_pictures(alone, RUN_ID)]
    assert names[-4:] == ["pool_queue_phone", "pool_queue_field", "collections_funnel", "incidents"]


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_says_as_of_and_run(name: str, pictures: dict[str, Picture]) -> None:
    texts = [text.get_text() for text in pictures[name].figure.texts]
    assert pictures[name].title in texts
    assert any("2024-12-31" in text for text in texts[1:2])
    assert any(f"run {RUN_ID}" in text and "300 paths" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("strategy_differences", "% of opening balance"),
        ("strategy_frontier", "% of opening balance"),
        ("pool_queue_phone", "500 hours a month"),
        ("pool_queue_field", "300 to 450 hours a month"),
        ("pool_queue_digital", "unlimited hours"),
        ("collections_funnel", "Loans of each 1,000 opening loans"),
        ("incidents", "Number within 36 months"),
    ],
)
def test_unit_stands_under_the_title(name: str, unit: str, pictures: dict[str, Picture]) -> None:
    assert unit in " ".join(pictures[name].figure.texts[1].get_text().split())


def test_marks_of_the_forest_are_those_of_the_table(results: xr.Dataset, pictures: dict[str, Picture]) -> None:
    table = strategies.strategy_differences(results)
    data = pictures["strategy_differences"].data
    assert len(data) == 2 * 3 * 7, "two scenarios, three strategies, EL and three levels of VaR and ES"
    means = table[table["measure"] == "expected_loss"]
    np.testing.assert_allclose(data[data["measure"] == "EL"]["value"], means["percent_of_opening"])
    assert (data["told_apart"] == data["verdict"].isin(["better", "worse"])).all()
    assert set(data.loc[data["unreliable"], "verdict"]) == {"not tested"}
    assert data["adjusted_p"].isna().equals(data["unreliable"])
    first = data[data["run"] == "baseline"]
    with style.look():
        axes = Figure().subplots()
        styles = dict(list(plots_strategies.strategy_styles(list(LADDERS)).items())[1:])
        plots_strategies.plot_differences(axes, first, styles)
    marks = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    assert [float(line.get_xdata()[0]) for line in marks] == pytest.approx(list(first["value"]))
    full = [line.get_markerfacecolor() != "white" for line in marks]
    assert full == list(first["told_apart"])
    small = [line.get_markersize() < plots_strategies.MARK_SIZE for line in marks]
    assert small == list(first["verdict"] == "not tested")
    labels = [text.get_text() for text in pictures["strategy_differences"].figure.legends[0].get_texts()]
    assert labels[-3:] == ["told apart from the baseline", "not told apart", "not tested: too few paths"]


def test_the_used_car_index_is_shown_once_a_scenario() -> None:
    ladders = {name: LADDERS[name] for name in ("reference_us", "field_first")}
    dataset = strategy_results(20, 6, ladders=ladders)
    with style.look():
        picture = used_car_picture(figures._page(dataset, "once"))
    assert [axes.get_title("left") for axes in picture.figure.axes] == ["baseline", "severely_adverse"]
    assert list(dict.fromkeys(picture.data["run"])) == ["baseline", "severely_adverse"]


@pytest.fixture(scope="module")
def stretched() -> dict[str, Picture]:
    """A strategy that loses thrice as much beside some that differ by a few percent."""
    ladders = {**LADDERS, "none": Ladder(3.0)}
    return drawn(strategy_results(100, 12, ladders=ladders))


def test_a_strategy_far_away_stands_at_the_edge_with_its_figures(stretched: dict[str, Picture]) -> None:
    picture = stretched["strategy_differences"]
    assert "An arrow stands for what lies far outside the axis" in picture.caption
    for axes, (_, part) in zip(picture.figure.axes, picture.data.groupby("run", sort=False), strict=True):
        assert plots_strategies.far_strategies(part) == {"none"}
        low, high = axes.get_xlim()
        near = part[part["strategy"] != "none"]
        assert low < float(near[["value", "low"]].min(axis=None))
        assert float(near[["value", "high"]].max(axis=None)) < high < float(part["value"].max())
        told = [text.get_text() for text in axes.texts if text.get_text()]
        beyond = part[part["strategy"] == "none"]
        assert [float(text.split()[0].replace(",", "")) for text in told] == pytest.approx(
            list(beyond["value"]), abs=0.006
        )
        assert all("(" in text for text, low in zip(told, beyond["low"], strict=True) if np.isfinite(low))


def test_a_tail_far_above_stands_at_the_upper_edge_of_the_frontier(stretched: dict[str, Picture]) -> None:
    picture = stretched["strategy_frontier"]
    assert "An arrow stands for an ES far above the axis" in picture.caption
    for axes, (_, part) in zip(picture.figure.axes, picture.data.groupby("run", sort=False), strict=True):
        assert plots_strategies.far_above(part) == {"none"}
        low, high = axes.get_ylim()
        near, above = part[part["strategy"] != "none"], part[part["strategy"] == "none"]
        assert low < float((near["shortfall"] - near["shortfall_error"].fillna(0.0)).min())
        assert float((near["shortfall"] + near["shortfall_error"].fillna(0.0)).max()) < high < above["shortfall"].item()
        (told,) = [text.get_text() for text in axes.texts if text.get_text()]
        assert told == percent(above["shortfall"].item(), 2)


def test_who_is_far_is_a_matter_of_all_others() -> None:
    def table(**reach: float) -> pandas.DataFrame:
        rows = [{"strategy": name, "value": value, "low": value, "high": np.nan} for name, value in reach.items()]
        return pandas.DataFrame(rows)

    far = plots_strategies.far_strategies
    assert far(table(one=-1.0, two=2.9)) == frozenset()
    assert far(table(one=-1.0, two=3.1)) == {"two"}
    assert far(table(one=1.0, two=-4.0, three=5.0)) == {"two", "three"}
    assert far(table(one=0.0, two=5.0)) == frozenset(), "twins of the baseline give no measure of what is far"
    assert far(table(one=7.0)) == frozenset()


def test_waiting_loans_stand_under_the_hours_of_their_run(pictures: dict[str, Picture]) -> None:
    axes_list = pictures["pool_queue_phone"].figure.axes
    shown = [(axes.get_title("left"), axes.get_subplotspec().rowspan.start) for axes in axes_list]
    labels = [axes.get_ylabel() for axes in axes_list if axes.get_ylabel()]
    assert labels == ["hours asked for", "loans not served"] * (len(labels) // 2)
    for run, row in shown:
        assert sorted(other for title, other in shown if title == run) in ([row, row + 1], [row - 1, row])


def test_a_pool_unlimited_under_the_first_strategy_has_its_legend_and_labels(results: xr.Dataset) -> None:
    changed = results.isel(strategy=[0, 2]).copy(deep=True)
    first = {"strategy": "reference_us", "pool": "phone"}
    changed["pool_capacity"].loc[first] = np.inf
    changed["pool_waiting"].loc[first] = 0
    figure = drawn(changed)["pool_queue_phone"].figure
    assert "hours there are" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert {axes.get_ylabel() for axes in figure.axes if axes.axison} >= {"hours asked for", "loans not served"}
    assert all(not axes.get_ylabel() for axes in figure.axes if not axes.axison)
    figure.draw_without_rendering()
    dated = [axes for axes in figure.axes if any(label.get_visible() for label in axes.get_xticklabels())]
    columns = {axes.get_subplotspec().colspan.start for axes in dated if axes.axison}
    assert columns == {0, 1}, "a date stands under both columns, though the last panel of the first is empty"


def test_hours_far_above_what_is_asked_for_flatten_no_panel(results: xr.Dataset) -> None:
    changed = results.copy(deep=True)
    changed["pool_capacity"].loc[{"strategy": "field_first", "pool": "phone"}] = 1e7
    picture = drawn(changed)["pool_queue_phone"]
    asked = picture.data[picture.data["quantity"] == "hours asked for"]
    panels = [axes for axes in picture.figure.axes if axes.get_ylim()[1] > 1.0 and axes.get_title("left")]
    hours = [axes for axes in panels if any(line.get_linestyle() == "--" for line in axes.lines)]
    assert len(hours) == 4
    for axes in hours:
        assert axes.get_ylim()[1] == pytest.approx(1.06 * max(asked["q95"].max(), HOURS["phone"]))
        title = axes.get_title("left").replace("\n", " ")
        assert ("has 10,000,000 hours a month, above the axis" in title) == ("field_first" in title)


def test_a_strategy_has_one_colour_in_the_queues_of_all_scenarios(pictures: dict[str, Picture]) -> None:
    colours: dict[str, set[str]] = {}
    for axes in pictures["pool_queue_phone"].figure.axes:
        name = axes.get_title("left").replace("\n", " ").split("/")[-1].strip()
        colours.setdefault(name, set()).update(str(band.get_facecolor()[0][:3]) for band in axes.collections)
    assert len(colours) == 2
    assert all(len(found) == 1 for found in colours.values()), colours


@pytest.mark.parametrize(
    ("part", "share"), [(100.0, "100"), (99.7, "> 99"), (99.4, "99"), (0.3, "< 1"), (0.0, "0"), (50.0, "50")]
)
def test_not_quite_all_is_not_all(part: float, share: str) -> None:
    assert plots_strategies._share(part, 100.0) == share


def test_incidents_rarer_than_one_have_an_axis(results: xr.Dataset) -> None:
    """Of 300 paths one has a single event: the mean is 1 / 300, and every quantile 0."""
    none = xr.zeros_like(results["incident_count"])
    at = {"incident": "regulatory", "path": 0, "month": 1, "strategy": "field_first"}
    none.loc[at] = 1
    axes = drawn(results.assign(incident_count=none))["incidents"].figure.axes[0]
    ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    assert len(ticks) >= 2
    assert 0.0 < max(ticks) < 1.0


def test_nobody_beats_a_strategy_of_the_frontier() -> None:
    points = np.array([[0.0, 5.0], [1.0, 3.0], [2.0, 3.0], [2.0, 1.0], [3.0, 2.0], [0.0, 5.0]])
    assert list(efficient(points)) == [True, True, False, True, False, True], "equals do not beat each other"


def test_the_funnel_counts_loans_of_each_thousand(results: xr.Dataset) -> None:
    data = figure_strategies.rung_totals(results).set_index(["run", "rung"])
    at = {"scenario": "baseline", "strategy": "field_first", "programme": "none", "rung": "visit"}
    by_hand = float(results["rung_asked_mean"].sel(at).sum()) * 1_000 / LOANS
    assert data.loc["baseline / field_first", "visit"]["asked"] == pytest.approx(by_hand)
    assert set(data.loc["baseline / field_first"].index) == {"call", "visit", "seize"}
    assert not any("none" in run for run, _ in data.index), "a ladder without rungs has no panel"


def test_spread_of_incidents_by_hand(results: xr.Dataset) -> None:
    data = figure_strategies.incident_spread(results).set_index(["run", "incident"])
    at = {"scenario": "baseline", "strategy": "field_first", "programme": "none", "incident": "injury"}
    counts = np.sort(results["incident_count"].sel(at).sum("month").values)
    row = data.loc["baseline / field_first", "injury"]
    assert row["mean"] == pytest.approx(counts.mean())
    assert row["none_percent"] == pytest.approx(100 * (counts == 0).mean())
    assert row["q95"] == counts[int(np.ceil(0.95 * counts.size)) - 1]
    quiet = results.assign(incident_count=results["incident_count"].where(results["incident"] == "claim", 0))
    assert set(figure_strategies.incident_spread(quiet)["incident"]) == {"claim"}


# --- pools -----------------------------------------------------------------------------------------------------------


def test_queues_are_of_the_runs_that_have_the_pool_and_follow_its_hours(results: xr.Dataset) -> None:
    data = figure_money.queues(results)
    assert set(data[data["pool"] == "field"]["run"]) == {
        f"{scenario} / {name}"
        for scenario in ("baseline", "severely_adverse")
        for name in ("reference_us", "field_first")
    }
    asked = data[(data["pool"] == "field") & (data["quantity"] == "hours asked for")]
    hired = asked[asked["run"] == "severely_adverse / reference_us"]["capacity"].to_numpy()
    assert hired[0] == HOURS["field"]
    assert hired.max() == pytest.approx(MOST * HOURS["field"])
    digital = data[data["pool"] == "digital"]
    assert set(digital["quantity"]) == {"hours asked for"}, "nobody waits where hours are unlimited"
    assert digital["capacity"].isna().all()


def test_pool_tables_have_a_column_for_each_run_with_the_pool(results: xr.Dataset) -> None:
    views = pool_view(results)
    assert list(views) == ["phone", "field", "digital"]
    assert views["digital"].runs == tuple(
        f"{scenario} / {name}"
        for scenario in ("baseline", "severely_adverse")
        for name in ("reference_us", "digital_only")
    )
    lines = {line.label: [cell[0][0] for cell in line.cells] for line in views["field"].lines}
    at = {"scenario": "baseline", "strategy": "reference_us", "programme": "none", "pool": "field"}
    hours = results["pool_capacity"].sel(at)
    assert lines["Hours there are, mean month"][0] == pytest.approx(float(hours.mean()))
    used = 100 * float(results["pool_served"].sel(at).sum() / hours.sum())
    assert lines["Utilisation, %"][0] == pytest.approx(used)
    assert lines["Cost of hours and of hiring"][0] == pytest.approx(WAGE * float(hours.sum("month").mean()))
    labels = [line.label for line in views["digital"].lines]
    assert "Utilisation, %" not in labels
    assert "Served, %" in labels


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ([900.0, 900.0], "900 hours a month"),
        ([7.5, 7.5], "7.5 hours a month"),
        ([0.0, 12_345.0], "0 to 12,345 hours a month"),
        ([np.inf, np.inf], "unlimited hours"),
        ([5.0, np.inf], "5 hours a month, or unlimited hours"),
    ],
)
def test_hours_in_words(hours: list[float], words: str) -> None:
    assert hours_words(xr.DataArray(hours, dims="month")) == words


def test_panels_leave_few_gaps() -> None:
    assert [style.even_columns(count) for count in (1, 2, 3, 4, 5, 6, 7, 8, 9)] == [1, 2, 3, 2, 3, 3, 2, 2, 3]


# --- how they look ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["pictures", "crowded", "two_years", "stretched"])
def test_texts_neither_overlap_nor_leave_the_page(case: str, name: str, request: pytest.FixtureRequest) -> None:
    shown = request.getfixturevalue(case)
    if name not in shown:
        assert (case, name) == ("two_years", "pool_queue_digital") or name.startswith("pool_queue")
        return
    assert_readable(shown[name].figure)


def test_strategies_are_told_apart_without_colour() -> None:
    styles = plots_strategies.strategy_styles([f"strategy {number}" for number in range(12)])
    assert len({marker for _, marker in styles.values()}) == 12


def test_no_two_of_many_strategies_look_alike() -> None:
    styles = plots_strategies.strategy_styles([f"strategy {number}" for number in range(40)])
    assert len({(look.colour, marker) for look, marker in styles.values()}) == 40


def test_exceedance_curves_of_a_strategy_have_its_colour_and_marker_and_those_of_a_scenario_its_line() -> None:
    """Nine strategies of two scenarios: two more than there are colours."""
    ladders = {f"ladder_{number}": Ladder(1.0 + 0.05 * number) for number in range(9)}
    with style.look():
        picture = exceedance_picture(figures._page(strategy_results(60, 3, ladders=ladders), "nine"))
    (axes,) = picture.figure.axes
    curves = {str(line.get_label()): line for line in axes.lines if " / " in str(line.get_label())}
    chosen = plots_strategies.strategy_styles(list(ladders))
    for name, (look, marker) in chosen.items():
        own = [curves[f"{scenario} / {name}"] for scenario in ("baseline", "severely_adverse")]
        assert [line.get_color() for line in own] == [look.colour] * 2
        assert [line.get_linestyle() for line in own] == ["-", "--"]
        marks = [line for line in axes.lines if line.get_marker() == marker and line.get_color() == look.colour]
        assert len(marks) == 2
    labels = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert labels[:-1] == [*ladders, "baseline", "severely_adverse"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("incidents", ["5 % to 95 % of paths", "25 % to 75 % of paths", "mean"]),
        (
            "strategy_frontier",
            ["beaten by no other on both axes", "one standard error each way", "ES unreliable: few paths"],
        ),
    ],
)
def test_a_picture_alone_says_what_its_lines_and_marks_are(
    name: str, words: list[str], pictures: dict[str, Picture]
) -> None:
    (legend,) = pictures[name].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*LADDERS, *words]
    shown = legend.get_lines()[len(LADDERS) :]
    if name == "incidents":
        assert [line.get_linewidth() for line in shown[:2]] == list(plots_strategies.BOX_LINES)
    assert shown[-1].get_markerfacecolor() == "white"


def test_a_strategy_that_costs_and_changes_nothing_is_drawn() -> None:
    ladders = {"one": Ladder(1.0, 0.0), "two": Ladder(1.0, 0.0)}
    shown = drawn(strategy_results(30, 6, ladders=ladders))
    assert list(shown) == ["strategy_differences", "strategy_frontier"]


def test_files_have_the_data_and_bytes_repeat(
    results: xr.Dataset, pictures: dict[str, Picture], tmp_path: Path
) -> None:
    again = drawn(results)
    for name in ("strategy_differences", "incidents"):
        assert again[name].svg == pictures[name].svg
    write_figures(tmp_path, [pictures["strategy_differences"]])
    assert (tmp_path / "strategy_differences.csv").read_text("utf-8") == to_csv(pictures["strategy_differences"].data)
