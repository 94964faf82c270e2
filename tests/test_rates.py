"""Rates of the book: what is divided by what, against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from outputs import rates
from outputs.wording import rate_label
from sample_results import LOANS, OPENING, sample_results


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=400)


def test_rates_of_the_book(results: xr.Dataset) -> None:
    rate = rates.default_rate(results)
    by_hand = results["default_count"].isel(month=slice(0, 12)).sum("month") / results.attrs["opening_count"]
    np.testing.assert_allclose(rate.values, by_hand.values)
    assert rate.name == "default_rate_12m"
    with pytest.raises(ValueError, match="a 37-month default rate of a run of 36 months"):
        rates.default_rate(results, 37)
    share = rates.delinquent_share(results)
    by_hand = results["delinquent_balance"].mean("path") / results["balance"].mean("path")
    np.testing.assert_allclose(share["one_or_more"].values, by_hand.values)
    cnl = rates.cumulative_net_loss(results).isel(month=-1)
    net = (results["charge_off"] - results["recovery"]).sum("month")
    np.testing.assert_allclose(cnl.values, (net / OPENING).values)
    table = rates.rates(results).set_index(["scenario", "measure"])["value"]
    assert table["baseline", "cumulative_net_loss"] == pytest.approx(100 * float(cnl[0].mean()))
    assert table["baseline", "stock_one_or_more_peak"] == pytest.approx(100 * float(share["one_or_more"][0].max()))


def test_roll_rates_of_a_row_sum_to_one_and_are_missing_where_nobody_stood(results: xr.Dataset) -> None:
    np.testing.assert_allclose(rates.roll_rates(results).sum("to_state").values, 1.0)
    emptied = results.copy(deep=True)
    emptied["transition_count_mean"][..., 3, :] = 0.0
    assert np.isnan(rates.roll_rates(emptied).isel(from_bucket=3).values).all()


def test_charge_offs_less_recoveries_are_the_net_loss(results: xr.Dataset) -> None:
    table = rates.rates(results).set_index(["scenario", "measure"])["value"]
    for scenario in ("baseline", "severely_adverse"):
        found = table[scenario]
        by_hand = 100 * float(results["charge_off"].sel(scenario=scenario).sum("month").mean()) / OPENING
        assert found["gross_charge_off"] == pytest.approx(by_hand)
        assert found["gross_charge_off"] - found["recovery"] == pytest.approx(found["cumulative_net_loss"])


def test_loss_given_charge_off_has_the_run_off_on_both_sides(results: xr.Dataset) -> None:
    """The sample books a loss of 0.58 for 1.02 charged off, whatever the month."""
    table = rates.rates(results).set_index(["scenario", "measure"])
    row = table.loc[("baseline", "loss_given_charge_off")]
    assert row["value"] == pytest.approx(100 * 0.58 / 1.02)
    assert row["standard_error"] == pytest.approx(0.0, abs=1e-9)


def test_prepayment_is_per_month_of_loans_alive_at_its_opening(results: xr.Dataset) -> None:
    opened = rates.loans_at_opening(results)
    assert bool((opened.isel(month=0) == LOANS).all())
    np.testing.assert_array_equal(opened.isel(month=slice(1, None)), results["live_count"].isel(month=slice(0, -1)))
    table = rates.rates(results).set_index(["scenario", "measure"])["value"]
    one = results.sel(scenario="baseline")
    by_hand = 100 * float(one["prepaid_count"].sum()) / float(opened.sel(scenario="baseline").sum())
    assert table["baseline", "prepayment_rate"] == pytest.approx(by_hand)
    assert 1.0 < by_hand < 2.0, "the sample prepays 1.6 % of current loans a month"


def test_current_loan_to_value_is_of_live_loans(results: xr.Dataset) -> None:
    table = rates.rates(results).set_index(["scenario", "measure"])["value"]
    for name in ("loan_to_value_first", "loan_to_value_last"):
        assert table["baseline", name] == pytest.approx(100 / 0.8), "the sample's cars are worth 0.8 of the balance"


def test_a_ratio_without_a_base_is_missing(results: xr.Dataset) -> None:
    quiet = results.copy()
    for name in ("charge_off", "ultimate_loss"):
        quiet[name] = 0.0 * quiet[name]
        quiet[f"{name}_after_horizon"] = 0.0 * quiet[f"{name}_after_horizon"]
    table = rates.rates(quiet).set_index(["scenario", "measure"])["value"]
    assert np.isnan(table["baseline", "loss_given_charge_off"])
    assert table["baseline", "gross_charge_off"] == 0.0


def test_every_rate_has_a_name_and_says_its_base(results: xr.Dataset) -> None:
    for measure in rates.rates(results)["measure"]:
        label, definition = rate_label(measure)
        assert label
        assert definition
    assert rate_label("default_rate_1m")[0] == "Defaults within 1 month"
    assert "not a loss given default" in rate_label("loss_given_charge_off")[1]
