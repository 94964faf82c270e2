"""Cures, rolls and relapses by rung (P19): rates of a known chain, and whom they are counted for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from known_cases import normal_bound
from ladders import ladder, rung
from outputs.outcomes import ALL, outcome_lines, outcome_table, outcome_tables
from simulator.servicing import Servicing
from small_books import chain, endless_loans, run, values

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

ENTRY, CURE, ROLL, LOSS = 0.03, 0.4, 0.3, 0.25
ROWS = [
    [1.0 - ENTRY, ENTRY, 0, 0, 0, 0],
    [CURE, 1.0 - CURE - ROLL, ROLL, 0, 0, 0],
    [0.1, 0.2, 0.7 - LOSS, 0, LOSS, 0],
    [0, 0, 0, 1.0, 0, 0],
]
LOANS, PATHS, MONTHS = 400, 40, 30


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    early = rung("sms", name="early", who={"to_days": 30})
    late = rung("sms", name="late", who={"from_days": 31})
    half = rung("letter", name="half", who={"to_days": 30}, reach_percent=50)
    strategy = Servicing(ladder(early, late, half))
    return run(endless_loans(LOANS), chain(ROWS), paths=PATHS, months=MONTHS, seed=12, servicing=strategy)


def test_rates_are_those_of_the_chain(results: xr.Dataset) -> None:
    """Five rates; at most one in 10,000 seeds misses."""
    table = outcome_table(results).set_index("rung")
    for name, label, share in (
        ("early", "cured", CURE),
        ("early", "worse", ROLL),
        ("late", "cured", 0.1),
        ("late", "worse", LOSS),
        ("half", "cured", CURE),
    ):
        count = table.loc[name, "loans"] * PATHS
        error = math.sqrt(share * (1.0 - share) / count)
        assert abs(table.loc[name, f"{label}_percent"] / 100.0 - share) < normal_bound(FALSE_ALARM, 5) * error


def test_whoever_cures_falls_behind_again_as_often_as_the_chain_says(results: xr.Dataset) -> None:
    """1 - (1 - entry)^12 of those who cure; two rates, at most one in 10,000 seeds misses."""
    table, share = outcome_table(results).set_index("rung"), 1.0 - (1.0 - ENTRY) ** 12
    for name in ("early", "late"):
        cures = float(results["rung_cured_mean"].sel(rung=name).isel(month=slice(None, -12)).sum()) * PATHS
        error = math.sqrt(share * (1.0 - share) / cures)
        assert abs(table.loc[name, "again_percent"] / 100.0 - share) < normal_bound(FALSE_ALARM, 2) * error


def test_all_loans_in_arrears_are_the_transitions(results: xr.Dataset) -> None:
    """What was carried out for everybody has the rates of everybody, weighted by where the loans were."""
    table = outcome_table(results).set_index("rung")
    parts = table.loc[["early", "late"]]
    assert table.loc[ALL, "loans"] == pytest.approx(parts["loans"].sum())
    for name in ("cured_percent", "worse_percent"):
        assert table.loc[ALL, name] == pytest.approx(np.average(parts[name], weights=parts["loans"]))
    assert math.isnan(table.loc[ALL, "again_percent"])


def test_counts_are_those_of_the_book(results: xr.Dataset) -> None:
    cured = results["rung_cured_mean"].sel(rung=["early", "late"]).sum("rung").to_numpy()[0, 0, 0]
    moved = results["transition_count_mean"].to_numpy()[0, 0, 0][:, 1:, 0].sum(axis=1)
    assert cured[0] == 0.0  # nothing was done before the first close
    assert cured[1:] == pytest.approx(moved[1:])
    lost = values(results, "charge_off_count").mean(axis=0)
    assert (results["rung_worse_mean"].sel(rung="late").to_numpy()[0, 0, 0][1:] <= lost[1:] + 1e-12).all()


def test_a_short_horizon_tells_no_relapses() -> None:
    strategy = Servicing(ladder(rung("sms")))
    short = run(endless_loans(100, days_past_due=45), chain(ROWS), paths=4, months=12, seed=2, servicing=strategy)
    assert outcome_table(short)["again_percent"].isna().all()
    assert "n/a" in outcome_lines(short)[-1]


def test_without_a_ladder_there_is_no_table() -> None:
    plain = run(endless_loans(20, days_past_due=45), chain(ROWS), paths=2, months=3, seed=2)
    nobody = run(endless_loans(20), chain(ROWS), paths=2, months=3, seed=2, servicing=Servicing(ladder()))
    for found in (plain, nobody):
        assert outcome_tables(found) == {}
        assert outcome_lines(found) == []
