"""Every shipped scenario is sound by itself; stagflation has the numbers that its source names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command_line import carstress
from scenarios.library import find_scenario, library_names
from scenarios.macro import monthly_macro

SharedData = Callable[[str], Path]


@pytest.mark.parametrize("name", library_names("macro"))
def test_every_shipped_scenario_validates_as_a_file_and_becomes_monthly(tmp_path: Path, name: str) -> None:
    (tmp_path / "shown.yaml").write_text(carstress("scenario", "show", name, "--resolved").out, encoding="utf-8")
    assert carstress("validate", tmp_path / "shown.yaml").code == 0
    scenario = find_scenario(name)
    year, month = scenario.first_month
    as_of = (year - 1, 12) if month == 1 else (year, month - 1)
    monthly = monthly_macro(scenario, as_of, scenario.months, scenario.months)
    assert np.isfinite(monthly.macro).all()
    assert (monthly.used_car_index > 0).all()


def test_stagflation_has_dear_money_and_lost_jobs_together() -> None:
    found, base = find_scenario("stagflation"), find_scenario("baseline")
    paths = monthly_macro(found, (2024, 12), 36, 36), monthly_macro(base, (2024, 12), 36, 36)
    more = paths[0].macro - paths[1].macro
    year = more.sel(month=slice(12, 36))
    assert (year.sel(macro_variable="unemployment") > 0.01).all()
    assert (year.sel(macro_variable="prime_rate") > 0.03).all()
    assert (more.sel(macro_variable="disposable_income_growth", month=slice(1, 12)) < 0).all()
    assert (paths[0].used_car_index.sel(month=slice(1, 36)) < 1).all()
    assert (paths[0].macro.sel(macro_variable="fuel_price", month=slice(1, 36)) > 1).all()


def test_stagflation_repeats_the_published_prime_rate(shared_data: SharedData) -> None:
    table = (shared_data("fed_scenarios") / "2025-Table_1A_Historic_Domestic.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in table.splitlines()]
    prime = {row[1]: float(row[rows[0].index("Prime rate")]) for row in rows[1:]}
    later = [rate for quarter, rate in prime.items() if quarter > "2022 Q1"]
    found, base = (np.array(find_scenario(name).macro.prime_rate_percent) for name in ("stagflation", "baseline"))
    rise = (found - base)[: len(later)]
    np.testing.assert_allclose(rise, np.array(later) - prime["2022 Q1"], atol=1e-9)
