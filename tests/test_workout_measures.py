"""Recoveries by channel and their lags, loans in trouble, pools, worst stretches, stocks and terms by year."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from outputs import balance_sheet, measures, rates, recoveries, servicing, stocks, term_structure, worst
from outputs.money_views import funnel_view, pool_view, worst_view
from outputs.periods import WHOLE
from sample_results import CONTACTS, DEFICIENCY_LAG, LOANS, OPENING, SALE_LAG, START, sample_results


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=300, pool=True)


def one(results: xr.Dataset, name: str, scenario: str = "baseline") -> np.ndarray:
    return results[name].sel(scenario=scenario).values[0, 0]


# --- recoveries ---------------------------------------------------------------------------------------------


def test_channels_make_up_the_recovery_and_insurance_is_none(results: xr.Dataset) -> None:
    table = recoveries.recoveries(results).set_index(["scenario", "channel"]).sort_index()["value"]
    for scenario in ("baseline", "severely_adverse"):
        found = table[scenario]
        net = found["sale_proceeds"] + found["deficiency_cash"] - found["workout_cost"]
        assert found["net_recovery"] == pytest.approx(net)
        assert found["total_loss_paid"] == pytest.approx(float(one(results, "total_loss_paid", scenario).sum(1).mean()))
        late = float(results["recovery_after_horizon"].sel(scenario=scenario).mean())
        assert found["recovery_after_horizon"] == pytest.approx(late)


def test_lags_of_the_sample_are_found(results: xr.Dataset) -> None:
    """Every charge-off of the sample brings the same shares after the same months."""
    table = recoveries.recoveries(results).set_index(["scenario", "channel"]).sort_index()["lag_months"]
    for scenario in ("baseline", "severely_adverse"):
        assert table[scenario, "sale_proceeds"] == pytest.approx(SALE_LAG, abs=1e-6)
        assert table[scenario, "deficiency_cash"] == pytest.approx(DEFICIENCY_LAG, abs=1e-6)
        assert np.isnan(table[scenario, "total_loss_paid"])


@given(st.lists(st.floats(0.1, 10.0), min_size=12, max_size=40), st.integers(0, 9))
def test_a_single_lag_is_found_whatever_the_charge_offs(booked: list[float], lag: int) -> None:
    flow = np.array(booked)
    cash = np.zeros_like(flow)
    cash[lag:] = 0.4 * flow[: flow.size - lag]
    assert recoveries.typical_lag(flow, cash) == pytest.approx(lag, abs=1e-6)


def test_a_flow_that_never_comes_has_no_lag_and_no_centre() -> None:
    assert math.isnan(recoveries.typical_lag(np.ones(5), np.zeros(5)))
    assert math.isnan(recoveries.typical_lag(np.zeros(5), np.ones(5)))
    assert math.isnan(recoveries.mean_month(np.zeros(5)))
    assert recoveries.mean_month(np.array([0.0, 1.0, 3.0])) == pytest.approx(2.75)


def test_shares_are_of_the_gross_charge_off(results: xr.Dataset) -> None:
    table = recoveries.recoveries(results).set_index(["scenario", "channel"]).sort_index()
    row = table.loc[("baseline", "sale_proceeds")]
    gross = one(results, "charge_off").sum(axis=1)
    share = one(results, "sale_proceeds").sum(axis=1).mean() / gross.mean()
    assert row["percent_of_charge_off"] == pytest.approx(100 * share)
    influence = (one(results, "sale_proceeds").sum(axis=1) - share * gross) / gross.mean()
    assert row["percent_of_charge_off_error"] == pytest.approx(100 * influence.std(ddof=1) / math.sqrt(300))


# --- loans in trouble ----------------------------------------------------------------------------------------


def test_funnel_is_in_loans_and_shares_of_the_step_before(results: xr.Dataset) -> None:
    table = servicing.funnel(results).set_index(["scenario", "step"]).sort_index()
    found = table.loc["baseline"]
    for name, step in servicing.STEPS.items():
        total = float(one(results, name).sum(axis=1).mean())
        base = float(one(results, step.base).sum(axis=1).mean()) if step.base else LOANS
        assert found["value"][name] == pytest.approx(total)
        assert found["percent"][name] == pytest.approx(100 * total / base)
    assert 45.0 < found["percent"]["repossessed_count"] < 55.0


def test_steps_that_never_happen_are_left_out_of_the_report(results: xr.Dataset) -> None:
    labels = [line.label for line in funnel_view(results).lines]
    assert "Renewals of single-payment loans" not in labels
    assert len(labels) == len(servicing.STEPS) - 1


# --- pools -----------------------------------------------------------------------------------------------------


def test_pool_measures_by_hand(results: xr.Dataset) -> None:
    table = servicing.pools(results).set_index(["scenario", "pool", "measure"]).sort_index()["value"]
    demand, served, waiting = (one(results, f"pool_{name}")[..., 0] for name in ("demand", "served", "waiting"))
    found = table["baseline", "phone"]
    assert found["utilisation"] == pytest.approx(100 * served.mean() / CONTACTS)
    assert found["served"] == pytest.approx(100 * served.sum() / demand.sum())
    assert found["full_months"] == pytest.approx(100 * (demand >= CONTACTS).mean(), abs=1e-6)
    assert found["waiting_mean"] == pytest.approx(waiting.mean())
    assert found["waiting_worst"] == pytest.approx(waiting.max(axis=1).mean())
    waited = one(results, "pool_waiting_months")[..., 0]
    assert found["waiting_months"] == pytest.approx(float((waited * waiting).sum() / waiting.sum()))
    assert list(pool_view(results)) == ["phone"]


def test_without_a_pool_nothing_is_said_of_one() -> None:
    bare = sample_results(n_paths=5, n_months=3)
    assert servicing.pools(bare).empty
    assert pool_view(bare) == {}
    assert not servicing.has_pool(bare)


# --- the worst stretch and the balance sheet -------------------------------------------------------------------


def test_worst_stretches_by_brute_force(results: xr.Dataset) -> None:
    losses = one(results, "ultimate_loss", "severely_adverse")
    for months in (1, 12, 36):
        windows = [losses[:, first : first + months].sum(axis=1) for first in range(36 - months + 1)]
        found = worst.worst_loss(results, months).sel(scenario="severely_adverse").values.ravel()
        np.testing.assert_allclose(found, np.max(windows, axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match="the worst 37 months of a run of 36; expected 1 to 36"):
        worst.worst_loss(results, 37)


def test_a_short_run_has_a_worst_month_only() -> None:
    short = sample_results(n_paths=20, n_months=11)
    assert set(worst.worst_periods(short)["loss"]) == {"worst month"}
    assert [block.run for block in worst_view(short)] == ["baseline: worst month", "severely_adverse: worst month"]


def test_worst_months_are_no_larger_than_worst_years(results: xr.Dataset) -> None:
    table = worst.worst_periods(results).set_index(["scenario", "loss", "measure", "level"]).sort_index()["value"]
    month, year = (table["baseline", name] for name in ("worst month", "worst 12 months"))
    assert (month < year).drop("standard_deviation").all()
    expected = measures.summary(results)["value"].iloc[0]
    assert year["expected_loss"].iloc[0] < expected


def test_constant_balance_applies_each_months_rate_to_the_opening_balance(results: xr.Dataset) -> None:
    losses, closing = one(results, "ultimate_loss"), one(results, "balance")
    opened = np.concatenate([np.full((300, 1), OPENING), closing[:, :-1]], axis=1)
    by_hand = OPENING * (losses / opened).sum(axis=1)
    np.testing.assert_allclose(
        balance_sheet.constant_balance_loss(results).sel(scenario="baseline").values.ravel(), by_hand, rtol=1e-12
    )
    table = balance_sheet.constant_summary(results).set_index(["scenario", "measure"]).sort_index()["value"]
    assert table["baseline"]["expected_loss"] == pytest.approx(by_hand.mean())
    assert by_hand.mean() > losses.sum(axis=1).mean(), "the book shrinks, so holding it constant loses more"


def test_a_month_without_balance_has_no_rate(results: xr.Dataset) -> None:
    gone = results.copy()
    after = results["month"] > 12
    gone["balance"] = results["balance"].where(~after, 0.0)
    gone["ultimate_loss"] = results["ultimate_loss"].where(results["month"] <= 13, 0.0)
    assert bool(np.isfinite(balance_sheet.constant_balance_loss(gone)).all())


# --- by year and by month ----------------------------------------------------------------------------------------


def test_terms_of_each_year_by_hand(results: xr.Dataset) -> None:
    table = term_structure.term_structure(results).set_index(["scenario", "period", "measure"]).sort_index()["value"]
    defaults, live = one(results, "default_count"), one(results, "live_count")
    second = table["baseline", "months 13-24"]
    assert second["default_rate"] == pytest.approx(100 * defaults[:, 12:24].sum() / live[:, 11].sum())
    assert second["cumulative_default_rate"] == pytest.approx(100 * defaults[:, :24].sum(axis=1).mean() / LOANS)
    exposure = one(results, "default_balance")[:, 12:24].sum() / defaults[:, 12:24].sum()
    assert second["exposure_at_default"] == pytest.approx(exposure)
    each = one(results, "balance")[:, 12:24].sum() / live[:, 12:24].sum()
    assert second["exposure_percent"] == pytest.approx(100 * exposure / each)
    loss, gross = one(results, "ultimate_loss"), one(results, "charge_off")
    assert second["loss_given_charge_off"] == pytest.approx(100 * loss[:, 12:24].sum() / gross[:, 12:24].sum())
    whole = table["baseline", WHOLE]
    assert whole["default_rate"] == pytest.approx(whole["cumulative_default_rate"])


def test_error_of_a_ratio_of_ratios_matches_its_spread_over_repeats() -> None:
    """200 repeats: a spread is known to 5 %, so 25 % is five standard deviations (false alarm below 1e-6)."""
    found = []
    for seed in range(200):
        small = sample_results(n_paths=60, n_months=4, seed=seed).isel(scenario=[0])
        table = term_structure.term_structure(small).set_index(["period", "measure"]).sort_index()
        found.append(table.loc[(WHOLE, "exposure_percent"), ["value", "standard_error"]].to_numpy(float))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.25)


def test_a_run_without_defaults_has_no_exposure(results: xr.Dataset) -> None:
    quiet = results.assign(default_count=0 * results["default_count"], default_balance=0.0 * results["default_balance"])
    table = term_structure.term_structure(quiet).set_index(["scenario", "period", "measure"]).sort_index()["value"]
    found = table["baseline", WHOLE]
    assert found["default_rate"] == 0.0
    assert np.isnan(found["exposure_at_default"])
    assert np.isnan(found["exposure_percent"])


def test_loss_given_default_has_the_run_off_and_what_was_in_default_on_both_sides(results: xr.Dataset) -> None:
    table = rates.rates(results).set_index(["scenario", "measure"]).sort_index()
    late = results["default_loss_after_horizon"].sel(scenario="baseline").values.ravel()
    loss = one(results, "default_loss").sum(axis=1) + late
    opening = float(results["opening_balance_by_stage"].sel(scenario="baseline", stage="stage 3"))
    exposure = one(results, "default_balance").sum(axis=1) + opening
    row = table.loc[("baseline", "loss_given_default")]
    assert row["value"] == pytest.approx(100 * loss.mean() / exposure.mean())
    assert 0.0 < row["standard_error"] < row["value"]


def test_stocks_are_of_a_bucket_or_a_worse_one(results: xr.Dataset) -> None:
    table = stocks.stocks(results).set_index(["scenario", "month", "bucket"]).sort_index()
    balance = results["bucket_balance_mean"].sel(scenario="baseline", month=12).values.ravel()
    rows = table.loc[("baseline", 12)]
    np.testing.assert_allclose(rows["balance"], [balance[1:].sum(), balance[2:].sum(), balance[3]])
    np.testing.assert_allclose(rows["percent_of_balance"], 100 * rows["balance"] / balance.sum())
    spread = float(results["bucket_balance_sd"].sel(scenario="baseline", month=12, bucket="90-119").squeeze())
    assert rows["balance_error"].iloc[-1] == pytest.approx(spread / math.sqrt(300))
    delinquent = one(results, "delinquent_balance")[:, 11]
    assert rows["balance"].iloc[0] == pytest.approx(delinquent.mean())
    assert rows["balance_error"].iloc[0] >= delinquent.std() / math.sqrt(300) * (1 - 1e-9), "told at its largest"
    assert START[3] == pytest.approx(0.008)


def test_a_book_that_has_run_off_has_no_share_in_arrears(results: xr.Dataset) -> None:
    empty = results.assign(bucket_balance_mean=0.0 * results["bucket_balance_mean"])
    assert (stocks.stocks(empty)["percent_of_balance"] == 0.0).all()
