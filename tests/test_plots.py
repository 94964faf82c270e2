"""Pictures: what they show is their table, they say unit, date and run, nothing overlaps, and bytes repeat."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import outputs.figures
from drawn_texts import assert_readable
from outputs import figure_data, figure_money, measures, plots, style
from outputs.csv_text import to_csv
from outputs.figures import Picture, draw_pictures, write_figures
from outputs.pages_money import money_scale
from sample_results import sample_results

NAMES = (
    "macro_paths",
    "loss_distribution",
    "exceedance_curve",
    "cumulative_net_loss",
    "delinquency",
    "used_car_index",
    "roll_rates",
    "cash_against_schedule",
    "recoveries",
    "expected_credit_loss",
)
QUEUE = "pool_queue"
"""Drawn where there is a pool."""
RUN_ID = "0123456789ab"
LONG = "a_very_long_scenario_name_that_somebody_chose_without_thinking_6"


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=300, pool=True)


@pytest.fixture(scope="module")
def history() -> xr.Dataset:
    quarters = np.arange("1997-01", "2026-01", 3, dtype="datetime64[M]").astype("datetime64[ns]")
    rates = 0.05 + 0.01 * np.sin(np.arange(len(quarters)))
    growth = rates.copy()
    growth[96] = 0.576  # 2021Q1, the wildest quarter on record
    index = 150.0 + np.arange(len(quarters))
    variables = {"unemployment": rates, "disposable_income_growth": growth, "used_car_index": index}
    columns = {name: ("quarter", values) for name, values in variables.items()}
    return xr.Dataset(columns, coords={"quarter": quarters})


@pytest.fixture(scope="module")
def pictures(results: xr.Dataset, history: xr.Dataset) -> dict[str, Picture]:
    return {picture.name: picture for picture in draw_pictures(results, RUN_ID, history)}


@pytest.fixture(scope="module")
def crowded(results: xr.Dataset, history: xr.Dataset) -> dict[str, Picture]:
    """Five scenarios, among them the longest name that a file may have, and seven buckets."""
    names = ["baseline", LONG, "fed_2025_severely_adverse", "$adverse$", "x"]
    parts = [results.isel(scenario=[number % 2]).assign_coords(scenario=[name]) for number, name in enumerate(names)]
    options = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "override"}
    dataset = xr.concat(parts, "scenario", **options).drop_dims(["bucket", "from_bucket", "to_state"])
    buckets = ["current", "1-30", "31-60", "61-90", "91-120", "121-150", "151-180"]
    states = [*buckets, "charged_off", "prepaid", "total_loss", "matured"]
    counts = np.broadcast_to(10.0 + np.eye(7, 11) * 90.0, (5, 1, 1, 36, 7, 11))
    balance = np.broadcast_to([90.0, 4.0, 2.0, 1.0, 0.8, 0.6, 0.4], (5, 1, 1, 36, 7))
    dims = ("scenario", "strategy", "programme", "month")
    dataset = dataset.assign(
        transition_count_mean=((*dims, "from_bucket", "to_state"), counts),
        bucket_balance_mean=((*dims, "bucket"), balance),
    ).assign_coords(bucket=buckets, from_bucket=buckets, to_state=states)
    return {picture.name: picture for picture in draw_pictures(dataset, RUN_ID, history)}


@pytest.fixture(scope="module")
def two_years() -> dict[str, Picture]:
    """Months as labels, no history; panels two a row."""
    return {picture.name: picture for picture in draw_pictures(sample_results(60, 24, pool=True), RUN_ID)}


@pytest.fixture(scope="module")
def three_a_row() -> dict[str, Picture]:
    """Eighteen months, three runs a row."""
    base = sample_results(60, 18, pool=True)
    dataset = base.isel(scenario=[0, 1, 0]).assign_coords(scenario=["a", "b", "c"])
    return {picture.name: picture for picture in draw_pictures(dataset, RUN_ID)}


# --- what they show ----------------------------------------------------------------------------------


def test_all_pictures_are_drawn_in_the_order_of_the_report(pictures: dict[str, Picture]) -> None:
    assert tuple(pictures) == (*NAMES, QUEUE)
    for picture in pictures.values():
        assert len(picture.caption) > 50
        assert len(picture.alternative) > 50
        assert not picture.data.empty


@pytest.mark.parametrize("name", [*NAMES, QUEUE])
def test_every_picture_says_as_of_and_run(name: str, pictures: dict[str, Picture]) -> None:
    texts = [text.get_text() for text in pictures[name].figure.texts]
    assert pictures[name].title in texts
    assert any("2024-12-31" in text for text in texts[1:2])
    assert any(f"run {RUN_ID}" in text and "seed 1" in text and "300 paths" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("loss_distribution", "% of opening balance"),
        ("exceedance_curve", "% of opening balance"),
        ("cumulative_net_loss", "% of opening balance"),
        ("delinquency", "% of each month's live loans"),
        ("used_car_index", "2024-12-31 = 1"),
        ("roll_rates", "% of the loans in a bucket"),
        ("cash_against_schedule", "USD million a month"),
        ("recoveries", "USD million a month"),
        ("expected_credit_loss", "% of opening balance"),
        ("pool_queue", "900 hours a month"),
    ],
)
def test_unit_stands_under_the_title(name: str, unit: str, pictures: dict[str, Picture]) -> None:
    assert unit in " ".join(pictures[name].figure.texts[1].get_text().split())


def test_macro_panels_name_their_units(pictures: dict[str, Picture]) -> None:
    titles = [axes.get_title("left") for axes in pictures["macro_paths"].figure.axes]
    assert titles == [
        "Unemployment rate, %",
        "Real disposable income, growth, % a year",
        "Prime rate, % a year",
        "Used-car index, as-of month = 1",
    ]


def test_distribution_holds_every_path_and_the_measures_of_the_summary(results: xr.Dataset) -> None:
    data = figure_data.loss_distribution(results)
    shares = data[data["kind"] == "bin"].groupby("run", sort=False)["share_percent"].sum()
    np.testing.assert_allclose(shares, 100.0)
    table = measures.summary(results).set_index(["scenario", "measure", "level"])["percent_of_opening"]
    marks = data[data["kind"] == "mark"].set_index(["run", "label"])["low"]
    assert marks["baseline", "VaR 99 %"] == pytest.approx(table["baseline", "value_at_risk", 0.99])
    assert marks["severely_adverse", "ES 99 %"] == pytest.approx(table["severely_adverse", "expected_shortfall", 0.99])


def test_histograms_and_curves_alone_say_what_is_hatched_and_what_is_thin(pictures: dict[str, Picture]) -> None:
    (told,) = pictures["loss_distribution"].figure.legends
    assert [text.get_text() for text in told.get_texts()] == [
        "paths beyond VaR 99 %, whose mean is ES 99 %",
        "\N{PLUS-MINUS SIGN}: one standard error of the simulation",
    ]
    assert told.get_patches()[0].get_hatch()
    (told,) = pictures["exceedance_curve"].figure.legends
    assert told.get_texts()[-1].get_text() == "unreliable: fewer than ten paths beyond"
    assert told.get_lines()[-1].get_linewidth() < 1.0


def test_exceedance_keeps_first_and_last_path_and_marks_thin_tails(results: xr.Dataset) -> None:
    data = figure_data.exceedance(results)
    for _, curve in data.groupby("run"):
        assert curve["probability"].iloc[0] > 0.99
        assert curve["probability"].iloc[-1] == 0.0
        assert curve["return_period"].iloc[-2] == pytest.approx(300.0)
        assert curve["unreliable"].sum() == 10
        assert curve["percent_of_opening"].is_monotonic_increasing


def test_thinned_exceedance_curve_is_drawn_through_the_values_at_risk() -> None:
    """Of 3,000 paths some 400 steps are drawn; the steps at the levels are those of the whole curve."""
    many = sample_results(n_paths=3_000, n_months=3)
    data = figure_data.exceedance(many)
    table = measures.summary(many).set_index(["scenario", "measure", "level"])["percent_of_opening"]
    with style.look():
        axes = Figure().subplots()
        plots.plot_exceedance(axes, data, style.run_styles(list(data["run"])))
    for run, curve in data.groupby("run"):
        assert len(curve) < 500
        for level in measures.LEVELS:
            first = curve[curve["probability"] <= 1 - level + 1e-9].iloc[0]
            assert first["percent_of_opening"] == pytest.approx(table[run, "value_at_risk", level])
    assert all(line.get_drawstyle() == "steps-post" for line in axes.lines if line.get_label() in set(data["run"]))


def test_fans_begin_at_the_as_of_date_and_are_ordered(results: xr.Dataset) -> None:
    for data, start in ((figure_data.net_loss_fan(results), 0.0), (figure_data.used_car_fan(results), 1.0)):
        quantiles = data[["q05", "q25", "q50", "q75", "q95"]].to_numpy()
        assert (np.diff(quantiles, axis=1) >= 0).all()
        first = data[data["month"] == 0]
        assert (first[["q05", "q50", "q95", "mean"]].to_numpy() == start).all()
        assert (first["month_end"] == np.datetime64("2024-12-31")).all()


def test_used_car_index_is_weighted_by_balance_and_says_over_what(
    results: xr.Dataset, pictures: dict[str, Picture]
) -> None:
    weights, held = figure_data.segment_weights(results)
    assert held == ("car", "suv", "truck")
    np.testing.assert_allclose(weights.sel(segment=["car", "suv", "truck"]), 1 / 3)
    assert float(weights.sum()) == pytest.approx(1.0)
    assert "car, suv, truck" in pictures["used_car_index"].figure.texts[1].get_text()


def test_delinquency_begins_with_the_tape_and_leaves_out_current_loans_in_the_picture_only(results: xr.Dataset) -> None:
    data = figure_data.delinquency(results)
    np.testing.assert_allclose(data.groupby(["run", "month"])["percent_of_loans"].sum(), 100.0)
    tape = data[(data["run"] == "baseline") & (data["month"] == 0)]
    np.testing.assert_allclose(tape["percent_of_loans"], [95.0, 3.0, 1.2, 0.8], err_msg="where the sample begins")
    assert (tape["month_end"] == np.datetime64("2024-12-31")).all()
    with style.look():
        axes = Figure().subplots()
        plots.plot_delinquency(axes, data[data["run"] == "baseline"])
    assert axes.get_legend_handles_labels()[1] == ["30-59", "60-89", "90-119"]


def test_history_ends_at_the_as_of_date_and_its_index_is_one_there(results: xr.Dataset, history: xr.Dataset) -> None:
    data = figure_data.macro_paths(results, history)
    past = data[data["scenario"] == "history"]
    assert past["date"].max() <= np.datetime64("2024-12-31")
    assert past["date"].min() > np.datetime64("2006-12-31")
    index = past[past["variable"] == "used_car_index"]
    assert index["value"].iloc[-1] == 1.0
    assert past.loc[past["variable"] == "unemployment", "value"].between(3.9, 6.1).all()
    assert "fuel_price" not in set(data["variable"]), "an index that never moves tells nothing"


def test_one_freak_quarter_does_not_flatten_the_axis(pictures: dict[str, Picture]) -> None:
    income = pictures["macro_paths"].figure.axes[1]
    assert income.get_ylim()[1] < 15.0
    assert income.get_xlabel() == "history beyond the axis is cut; the table has it"
    data = pictures["macro_paths"].data
    assert data.loc[data["variable"] == "disposable_income_growth", "value"].max() == pytest.approx(57.6)


def test_heat_map_prints_every_rate(pictures: dict[str, Picture]) -> None:
    picture = pictures["roll_rates"]
    data = picture.data[picture.data["run"] == "baseline"]
    printed = [text.get_text() for text in picture.figure.axes[0].texts]
    assert len(printed) == len(data) == 4 * 8
    assert printed[0] == f"{data['percent'].iloc[0]:.1f}"
    assert len(picture.figure.axes) == 3, "two runs and their difference"


# --- how they look -----------------------------------------------------------------------------------


def test_a_run_has_one_colour_and_line_everywhere(pictures: dict[str, Picture]) -> None:
    chosen = style.run_styles(["baseline", "severely_adverse"])
    for axes in (*pictures["macro_paths"].figure.axes, pictures["exceedance_curve"].figure.axes[0]):
        for line in axes.lines:
            if line.get_label() in chosen:
                assert line.get_color() == chosen[line.get_label()].colour
    fan = pictures["cumulative_net_loss"].figure.axes
    for axes, run in zip(fan, chosen.values(), strict=True):
        np.testing.assert_allclose(axes.collections[0].get_facecolor()[0][:3], to_rgb(run.colour))


@pytest.mark.parametrize(("strategies", "scenarios"), [(2, 5), (4, 3), (9, 2), (12, 9)])
def test_a_strategy_is_a_colour_and_a_marker_and_a_scenario_is_a_line(strategies: int, scenarios: int) -> None:
    labels = [f"{scenario} / {strategy}" for scenario in range(scenarios) for strategy in range(strategies)]
    chosen = style.run_styles(labels, strategies)
    for strategy in range(strategies):
        own = [chosen[f"{scenario} / {strategy}"] for scenario in range(scenarios)]
        assert len({(item.colour, item.marker) for item in own}) == 1
    for scenario in range(scenarios):
        assert len({str(chosen[f"{scenario} / {strategy}"].line) for strategy in range(strategies)}) == 1
    assert len({item.marker for item in chosen.values()}) == strategies
    assert len({(item.colour, item.marker, str(item.line)) for item in chosen.values()}) == strategies * scenarios


def test_no_two_of_twenty_runs_look_alike_even_in_grey() -> None:
    chosen = list(style.run_styles([f"run {number}" for number in range(20)]).values())
    assert len({(item.colour, str(item.line)) for item in chosen}) == 20
    for first, second in itertools.combinations(chosen[:5], 2):
        assert first.line != second.line


@pytest.mark.parametrize("name", [*NAMES, QUEUE])
@pytest.mark.parametrize("case", ["pictures", "crowded", "two_years", "three_a_row"])
def test_texts_neither_overlap_nor_leave_the_page(case: str, name: str, request: pytest.FixtureRequest) -> None:
    slanted = name == "roll_rates"  # the boxes of slanted labels overlap although their letters do not
    assert_readable(request.getfixturevalue(case)[name].figure, 20 if slanted else float("inf"))


@given(st.text(alphabet="ab_-./ ", max_size=80), st.integers(8, 40))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, width: int) -> None:
    wrapped = style.wrap(text, width)
    assert wrapped.replace("\n", "").replace(" ", "") == text.replace(" ", "")
    for line in wrapped.split("\n"):
        assert len(line.rstrip("_-./ ")) <= width


def test_a_dollar_sign_is_a_dollar_sign(crowded: dict[str, Picture]) -> None:
    assert r"\$adverse\$" in [axes.get_title("left") for axes in crowded["cumulative_net_loss"].figure.axes]


# --- odd books ---------------------------------------------------------------------------------------


def test_one_scenario_two_months_and_one_path_are_drawn() -> None:
    small = sample_results(n_paths=1, n_months=2).isel(scenario=[1])
    assert len(draw_pictures(small, RUN_ID)) == len(NAMES)


def test_a_book_without_loss_is_drawn(results: xr.Dataset) -> None:
    quiet = results.copy()
    stems = ("charge_off", "recovery", "ultimate_loss", "sale_proceeds", "total_loss_paid", "deficiency", "workout")
    for name in quiet.data_vars:
        if str(name).startswith((*stems, "shortfall", "pool_demand", "pool_served", "pool_waiting")):
            quiet[name] = quiet[name] * 0.0
    quiet["bucket_balance_mean"] = quiet["bucket_balance_mean"].where(quiet["bucket"] == "current", 0.0)
    quiet["transition_count_mean"] = quiet["transition_count_mean"].where(quiet["from_bucket"] == "current", 0.0)
    assert len(draw_pictures(quiet, RUN_ID)) == len(NAMES) + 1


def test_amounts_of_any_size_have_a_unit_that_suits_them() -> None:
    found = [money_scale(largest, "USD") for largest in (3e9, 2.5e6, 999_999.0, 12.0, 0.0)]
    assert found == [(1e9, "USD billion"), (1e6, "USD million"), (1e3, "USD thousand"), (1.0, "USD"), (1.0, "USD")]


def test_provision_bars_end_at_the_allowance_and_show_the_weighted_mean_last(results: xr.Dataset) -> None:
    weighted = results.assign_coords(scenario_weight=("scenario", np.array([0.75, 0.25])))
    data = figure_money.credit_losses(weighted)
    assert list(dict.fromkeys(data["run"])) == ["baseline", "severely_adverse", "(weighted)"]
    with style.look():
        axes = Figure().subplots()
        plots.plot_credit_loss(axes, data, list(dict.fromkeys(data["run"])))
    ends = [bar.get_x() + bar.get_width() for bar in axes.containers[2].patches]
    np.testing.assert_allclose(ends, data[data["stage"] == "all stages"]["allowance_percent"])


def test_stacked_recoveries_are_those_of_the_table(results: xr.Dataset) -> None:
    data = figure_money.recovery_flows(results)
    one = data[data["run"] == "baseline"]
    by_hand = results["sale_proceeds"].sel(scenario="baseline").mean("path").values.ravel()
    np.testing.assert_allclose(one[one["channel"] == "sale_proceeds"]["value"], by_hand)
    with style.look():
        axes = Figure().subplots()
        plots.plot_recoveries(axes, one, 1e6)
    assert axes.get_legend_handles_labels()[1][-1] == "gross charge-off"


# --- bytes and state ---------------------------------------------------------------------------------


def settings_in_force() -> dict[str, object]:
    """All settings but the backend, which matplotlib looks up the first time that somebody asks."""
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def test_same_result_same_bytes_whatever_the_settings(
    results: xr.Dataset, history: xr.Dataset, pictures: dict[str, Picture]
) -> None:
    with matplotlib.rc_context({"font.size": 20, "axes.grid": False, "svg.hashsalt": "other", "savefig.dpi": 30}):
        before = settings_in_force()
        again = draw_pictures(results, RUN_ID, history)
        for picture in again:
            assert picture.svg == pictures[picture.name].svg
        assert again[-1].png == pictures[again[-1].name].png
        assert settings_in_force() == before


def test_a_rendered_picture_is_the_same_and_its_figure_is_given_up_before_the_next(
    monkeypatch: pytest.MonkeyPatch, pictures: dict[str, Picture], results: xr.Dataset, history: xr.Dataset
) -> None:
    drawn: list[Figure] = []

    def settle(figure: Figure) -> None:
        assert not any(other.axes or other.texts for other in drawn), "two figures in memory"
        drawn.append(figure)
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine(None)

    monkeypatch.setattr(outputs.figures, "_settle", settle)
    found = draw_pictures(results, RUN_ID, history, rendered=True)
    assert len(drawn) == len(found)
    assert {picture.name: picture.svg for picture in found} == {name: each.svg for name, each in pictures.items()}
    assert found[-1].png == pictures[found[-1].name].png
    assert all(not picture.figure.axes for picture in found)


def test_files_name_no_time_and_no_program(pictures: dict[str, Picture], tmp_path: Path) -> None:
    for picture in pictures.values():
        assert "<dc:date>" not in picture.svg
        assert "matplotlib.org" not in picture.svg.lower()
    chosen = [pictures["exceedance_curve"], pictures["roll_rates"]]
    paths = write_figures(tmp_path / "figures", chosen)
    names = [f"{picture.name}.{suffix}" for picture in chosen for suffix in ("svg", "png", "csv")]
    assert [path.name for path in paths] == names
    for picture in chosen:
        assert picture.png.startswith(b"\x89PNG")
        assert b"Software" not in picture.png
        assert (tmp_path / "figures" / f"{picture.name}.csv").read_text("utf-8") == to_csv(picture.data)


def test_matplotlib_is_loaded_by_drawing_only_and_pyplot_never() -> None:
    program = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
        from sample_results import sample_results
        from outputs import figure_data, figures, measures, plots, report, store, style, wording
        assert "matplotlib" not in sys.modules
        data = figure_data.exceedance(sample_results(20, 3))
        with style.look():
            from matplotlib.figure import Figure
            figure = Figure()
            plots.plot_exceedance(figure.subplots(), data, style.run_styles(list(data["run"])))
            figure.draw_without_rendering()
        assert "matplotlib.pyplot" not in sys.modules
        """
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
