"""Monthly paths: interpolation by variable, the published tables, satellites, what follows the end of a path."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.errors import InputError
from scenarios.history import us_history, used_car_index_at, used_car_index_span
from scenarios.library import find_scenario, library_names
from scenarios.load import spec_from_text
from scenarios.macro import level_path, monthly_macro, rate_path
from scenarios.schema import MacroScenario
from scenarios.vocabulary import MACRO_VARIABLES, SEGMENTS

SharedData = Callable[[str], Path]

COLUMNS = {
    "unemployment_percent": "Unemployment rate",
    "disposable_income_growth_percent": "Real disposable income growth",
    "prime_rate_percent": "Prime rate",
}
TABLES = {
    "fed_2024_baseline": ("2024-Table_3A_Supervisory_Baseline", "2024-Table_2A_Historic"),
    "fed_2024_severely_adverse": ("2024-Table_4A_Supervisory_Severely_Adverse", "2024-Table_2A_Historic"),
    "fed_2025_baseline": ("2025-Table_2A_Supervisory_Baseline", "2025-Table_1A_Historic"),
    "fed_2025_severely_adverse": ("2025-Table_3A_Supervisory_Severely_Adverse", "2025-Table_1A_Historic"),
}

SMALL = """\
kind: macro_scenario
name: small
source: Assumption, for a test.
start: 2025Q1
frequency: quarterly
jump_off: {unemployment_percent: 4, disposable_income_growth_percent: 3, prime_rate_percent: 8, fuel_price_index: 50}
macro:
  unemployment_percent: [5, 8, 6]
  disposable_income_growth_percent: [-4, 1, 2]
  prime_rate_percent: [6, 3, 3]
  fuel_price_index: [100, 50, 25]
used_car_index:
  all: [90, 80, 100]
"""


def small(**changes: str) -> MacroScenario:
    text = SMALL
    for old, new in changes.items():
        line = next(line for line in SMALL.splitlines() if line.strip().startswith(f"{old}:"))
        text = text.replace(line, line.split(old)[0] + f"{old}: {new}")
    return spec_from_text(text, "small.yaml", MacroScenario)


def months_of(scenario: MacroScenario, variable: str, n_months: int = 9) -> np.ndarray:
    return monthly_macro(scenario, (2024, 12), 9, n_months).macro.sel(macro_variable=variable).values


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}_Domestic.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# --- interpolation ---------------------------------------------------------------------------------


def test_rates_are_linear_from_the_jump_off_through_the_middle_months() -> None:
    expected = [4, 4.5, 5, 6, 7, 8, 22 / 3, 20 / 3, 6, 6]
    np.testing.assert_allclose(months_of(small(), "unemployment"), np.array(expected) / 100, rtol=1e-14)


def test_growth_is_constant_within_the_quarter_and_compounds_to_it() -> None:
    growth = months_of(small(), "disposable_income_growth")
    np.testing.assert_allclose(growth, np.array([3, -4, -4, -4, 1, 1, 1, 2, 2, 2]) / 100, rtol=1e-14)
    np.testing.assert_allclose(np.prod((1 + growth[1:4]) ** (1 / 12)), (1 - 0.04) ** 0.25, rtol=1e-14)


def test_levels_are_linear_in_logarithms_and_relative_to_month_0() -> None:
    fuel = months_of(small(), "fuel_price")
    np.testing.assert_allclose(fuel[[0, 1, 2, 5, 8, 9]], [1, 2**0.5, 2, 1, 0.5, 0.5], rtol=1e-14)
    index = monthly_macro(small(), (2024, 12), 9, 9).used_car_index
    np.testing.assert_allclose(index.sel(segment="ev").values[[1, 2, 5, 8]], [0.9**0.5, 0.9, 0.8, 1.0], rtol=1e-14)


def test_monthly_paths_are_used_as_they_are() -> None:
    scenario = small(frequency="monthly", start="2025-01")
    assert scenario.months == 3
    found = monthly_macro(scenario, (2024, 12), 3, 3)
    np.testing.assert_allclose(found.macro.sel(macro_variable="unemployment"), [0.04, 0.05, 0.08, 0.06])
    np.testing.assert_allclose(found.used_car_index.sel(segment="car"), [1, 0.9, 0.8, 1.0])


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0.5, 30), st.lists(st.floats(0.5, 30), min_size=1, max_size=20), st.sampled_from(["quarterly", "monthly"])
)
def test_interpolation_starts_at_the_jump_off_meets_the_values_and_stays_between(
    jump_off: float, values: list[float], frequency: str
) -> None:
    step = {"quarterly": 3, "monthly": 1}[frequency]
    rates, levels = rate_path(jump_off, values, frequency), level_path(jump_off, values, frequency)
    assert rates.size == levels.size == step * len(values) + 1
    assert rates[0] == jump_off
    assert levels[0] == 1.0
    middles = slice((step + 1) // 2, None, step)
    np.testing.assert_allclose(rates[middles], values, rtol=1e-12)
    np.testing.assert_allclose(levels[middles] * jump_off, values, rtol=1e-12)
    assert rates.min() >= min(jump_off, *values) - 1e-12
    assert rates.max() <= max(jump_off, *values) + 1e-12


# --- the library against what was published ----------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_the_feds_scenarios_carry_the_published_numbers(name: str, shared_data: SharedData) -> None:
    folder = shared_data("fed_scenarios")
    path, history = (rows(folder, table) for table in TABLES[name])
    scenario = find_scenario(name)
    assert scenario.start == path[0]["Date"].replace(" ", "")
    assert scenario.end == path[-1]["Date"].replace(" ", "")
    for field, column in COLUMNS.items():
        assert getattr(scenario.macro, field) == tuple(float(row[column]) for row in path)
        assert getattr(scenario.jump_off, field) == float(history[-1][column])
    assert "Federal Reserve" in scenario.source


def test_history_carries_the_published_numbers(shared_data: SharedData) -> None:
    published = rows(shared_data("fed_scenarios"), "2025-Table_1A_Historic")
    history = us_history()
    for variable, column in zip(MACRO_VARIABLES, COLUMNS.values(), strict=False):
        series = {row["Date"]: float(row[column]) for row in published if row["Date"] >= "1997"}
        found = history[variable].dropna("quarter")
        np.testing.assert_allclose(found.values, np.array(list(series.values())) / 100, rtol=1e-12)
        assert str(found.quarter.values[0])[:7] == "1997-01"
        assert str(found.quarter.values[-1])[:7] == "2024-10"


def test_used_car_history_is_the_quarterly_mean_of_the_price_index(shared_data: SharedData) -> None:
    path = shared_data("used_car_cpi") / "CUSR0000SETA02_used_cars_cpi_1953_2026.csv"
    monthly: dict[str, list[float]] = {}
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            year, month, _ = row["observation_date"].split("-")
            if int(year) >= 1997:
                monthly.setdefault(f"{year}-{(int(month) - 1) // 3 * 3 + 1:02d}", []).append(
                    float(row["CUSR0000SETA02"])
                )
    series = us_history()["used_car_index"]
    whole = {quarter: values for quarter, values in monthly.items() if len(values) == 3}
    assert [str(quarter)[:7] for quarter in series.quarter.values] == list(whole)
    np.testing.assert_allclose(series.values, [np.mean(values) for values in whole.values()], atol=5.1e-4)


def test_used_car_level_of_a_month() -> None:
    """Known from the history file: 2024Q4 = 179.781, 2025Q1 = 185.725."""
    np.testing.assert_allclose(used_car_index_at(2024, 11), 179.781)
    np.testing.assert_allclose(used_car_index_at(2024, 12), 179.781 ** (2 / 3) * 185.725 ** (1 / 3))
    assert used_car_index_at([2020, 2021], [5, 5]).shape == (2,)


def test_used_car_level_holds_outside_what_is_known() -> None:
    first, last = used_car_index_span()
    assert first == (1997, 2)
    assert used_car_index_at(1980, 1) == used_car_index_at(*first)
    assert used_car_index_at(2040, 1) == used_car_index_at(*last)


@pytest.mark.parametrize("name", library_names("macro"))
def test_every_library_scenario_gives_sound_months(name: str) -> None:
    scenario = find_scenario(name)
    found = monthly_macro(scenario, (scenario.first_month[0] - 1, 12), 36, 72)
    assert found.macro.dims == ("month", "macro_variable")
    assert list(found.macro.macro_variable.values) == list(MACRO_VARIABLES)
    assert list(found.used_car_index.segment.values) == list(SEGMENTS)
    assert found.macro.sizes["month"] == found.used_car_index.sizes["month"] == 73
    assert np.isfinite(found.macro.values).all()
    assert (found.used_car_index.isel(month=0) == 1.0).all()
    assert (found.macro.sel(macro_variable="fuel_price", month=0) == 1.0).all()
    assert 0.0 < found.macro.sel(macro_variable="unemployment").min() < 0.15
    assert not found.shifted


def test_severity_is_ordered() -> None:
    names = ("baseline", "adverse", "severely_adverse")
    found = [monthly_macro(find_scenario(name), (2024, 12), 60, 60) for name in names]
    peaks = [float(each.macro.sel(macro_variable="unemployment").max()) for each in found]
    troughs = [float(each.used_car_index.sel(segment="car").min()) for each in found]
    np.testing.assert_allclose(peaks, [0.043, 0.068, 0.10], atol=1e-12)
    np.testing.assert_allclose(troughs, [1.0, 0.87, 0.80], rtol=1e-12)
    crash = monthly_macro(find_scenario("used_car_crash"), (2024, 12), 60, 60)
    np.testing.assert_allclose(crash.used_car_index.min("month").sel(segment=["car", "ev"]), [0.70, 0.61], rtol=1e-12)


# --- satellites, assumptions, offsets ------------------------------------------------------------------


def test_the_satellite_follows_unemployment_two_quarters_later() -> None:
    scenario = find_scenario("fed_2025_severely_adverse")
    index = monthly_macro(scenario, (2024, 12), 39, 39).used_car_index.sel(segment="car").values[2::3]
    np.testing.assert_allclose(index[:2], 1.0)
    np.testing.assert_allclose(index[2], 1 - 0.2 * 1.5 / 5.9)  # unemployment 5.6 in 2025Q1, from 4.1 to at most 10.0
    assert index.argmin() == 8
    np.testing.assert_allclose(index[8], 0.8)


def test_a_satellite_is_named_as_an_assumption() -> None:
    sentences = " ".join(monthly_macro(find_scenario("fed_2025_severely_adverse"), (2024, 12), 39, 39).assumptions)
    assert "satellite unemployment_gap" in sentences
    assert "20 %" in sentences
    assert "2 quarters later" in sentences
    flat = " ".join(monthly_macro(find_scenario("fed_2025_baseline"), (2024, 12), 39, 39).assumptions)
    assert "flat by assumption" in flat


def test_a_shock_on_a_satellite_is_a_percentage_of_its_level() -> None:
    scenario = small(all="{satellite: flat, shock_percent: [0, -50, 0]}")
    index = monthly_macro(scenario, (2024, 12), 9, 9).used_car_index.sel(segment="suv")
    np.testing.assert_allclose(index.values[[2, 5, 8]], [1, 0.5, 1])


def test_a_missing_fuel_path_and_rates_that_look_like_fractions_are_told() -> None:
    scenario = small(fuel_price_index="null", prime_rate_percent="[0.06, 0.03, 0.03]")
    found = monthly_macro(scenario, (2024, 12), 9, 9)
    assert (found.macro.sel(macro_variable="fuel_price") == 1.0).all()
    assert any("fuel price stays" in sentence for sentence in found.assumptions)
    assert any("prime_rate_percent never exceeds 0.06" in sentence for sentence in found.assumptions)


def test_regional_offsets_become_fractions_for_the_regions_named() -> None:
    scenario = small(all="[90, 80, 100]\nregional_offsets: {unemployment_percent: {NV: 1.5, CA: 0.5}}")
    offsets = monthly_macro(scenario, (2024, 12), 9, 9).regional_offset
    assert list(offsets.region.values) == ["CA", "NV"]
    np.testing.assert_allclose(offsets.sel(macro_variable="unemployment"), [0.005, 0.015])
    assert (offsets.drop_sel(macro_variable="unemployment") == 0).all()
    assert monthly_macro(small(), (2024, 12), 9, 9).regional_offset.sizes["region"] == 0


def test_sector_offsets_stand_beside_those_of_regions() -> None:
    offsets = "{unemployment_percent: {mining: 2.5}, prime_rate_percent: {health care: -0.5, mining: 0.25}}"
    scenario = small(
        all=f"[90, 80, 100]\nregional_offsets: {{unemployment_percent: {{NV: 1}}}}\nsector_offsets: {offsets}"
    )
    found = monthly_macro(scenario, (2024, 12), 9, 9)
    table = found.sector_offset
    assert table.dims == ("sector", "macro_variable")
    assert list(table.sector.values) == ["health care", "mining"]
    np.testing.assert_allclose(table.sel(macro_variable="unemployment"), [0.0, 0.025])
    np.testing.assert_allclose(table.sel(macro_variable="prime_rate"), [-0.005, 0.0025])
    np.testing.assert_allclose(found.regional_offset.sel(region="NV"), [0.01, 0.0, 0.0, 0.0])
    without = monthly_macro(small(), (2024, 12), 9, 9)
    assert without.sector_offset.sizes["sector"] == 0
    np.testing.assert_array_equal(found.macro, without.macro)


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        (
            "sector_offsets: {unemployment_percent: {mining: -6}}",
            r"sector_offsets.unemployment_percent.mining = -6, which",
        ),
        (
            "regional_offsets: {unemployment_percent: {NV: -3}}\nsector_offsets: {unemployment_percent: {mining: -3}}",
            r"15:40: the lowest offsets of regions and sectors together make unemployment negative; "
            r"expected a sum of at least -5",
        ),
    ],
)
def test_offsets_that_make_unemployment_negative_are_refused(offsets: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        small(all=f"[90, 80, 100]\n{offsets}")


# --- calendar, horizon, what follows -------------------------------------------------------------------


def test_a_tape_of_another_date_is_refused_with_both_dates() -> None:
    with pytest.raises(InputError) as caught:
        monthly_macro(small(), (2020, 7), 9, 9)
    text = str(caught.value)
    assert text.startswith("small.yaml:4:8: scenario small starts in 2025-01 but the tape is dated 2020-07")
    assert "expected a tape dated 2024-12" in text
    assert "`shift_calendar: true`" in text


def test_a_shifted_scenario_says_so() -> None:
    found = monthly_macro(small(), (2020, 7), 9, 9, shift_calendar=True)
    assert found.shifted
    assert "2020-07" in found.assumptions[0]
    assert "shifted" in found.assumptions[0]
    np.testing.assert_array_equal(found.macro, monthly_macro(small(), (2024, 12), 9, 9).macro)


def test_a_horizon_beyond_the_path_is_refused_with_the_remedy() -> None:
    with pytest.raises(InputError) as caught:
        monthly_macro(small(), (2024, 12), 10, 10)
    text = str(caught.value)
    assert text.startswith("small.yaml:8:3: scenario small ends after 9 months (2025-09) but the horizon is 10 months")
    assert "`beyond: hold`" in text


def test_both_faults_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        monthly_macro(small(), (2020, 7), 99, 99)
    assert len(caught.value.faults) == 2


def test_run_off_after_the_horizon_holds_the_last_value_and_says_so() -> None:
    found = monthly_macro(small(), (2024, 12), 9, 20)
    np.testing.assert_allclose(found.macro.sel(macro_variable="unemployment").values[9:], 0.06)
    assert found.beyond is None
    assert "After its end, month 9, scenario small continues by assumption: hold." in found.assumptions


def test_beyond_hold_and_beyond_revert() -> None:
    held = small(all="[90, 80, 64]\nbeyond: hold")
    np.testing.assert_allclose(months_of(held, "prime_rate", 15)[9:], 0.03)
    revert = "{revert: {months: 4, to: {unemployment_percent: 4, used_car_index: 100}}}"
    found = monthly_macro(small(all=f"[90, 80, 64]\nbeyond: {revert}"), (2024, 12), 15, 15)
    unemployment = found.macro.sel(macro_variable="unemployment").values
    np.testing.assert_allclose(unemployment[9:], np.array([6, 5.5, 5, 4.5, 4, 4, 4]) / 100)
    index = found.used_car_index.sel(segment="car").values
    np.testing.assert_allclose(index[[9, 11, 13, 15]], [0.64, 0.8, 1.0, 1.0])
    np.testing.assert_allclose(found.macro.sel(macro_variable="prime_rate").values[9:], 0.03)
    assert found.beyond == "revert over 4 months to unemployment_percent 4, used_car_index 100"


def test_fewer_months_than_the_horizon_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="n_months = 5 is less than horizon = 9"):
        monthly_macro(small(), (2024, 12), 9, 5)
