"""The tape's arrears against the simulation's: month 0 is the tape, and a jump is said in plain words."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from outputs import arrears, measures, wording
from outputs.arrears import bucket_loans, early_jumps, late_shares, settled_shares
from sample_results import sample_results
from simulator.parameters import build_parameters, seasoned_shares
from small_books import mixed_book, run, shipped


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=200)


def with_tape(results: xr.Dataset, late: float) -> xr.Dataset:
    """The result with another share of the tape's loans in the first bucket of arrears; what follows stays."""
    counts = results["transition_count_mean"].copy(deep=True)
    tape = xr.DataArray([1.0 - late, late, 0.0, 0.0], dims="from_bucket")
    counts[..., 0, :, :] = tape * counts[..., 0, :, :].sum("from_bucket")
    return results.assign(transition_count_mean=counts)


def test_month_0_is_the_tape_and_later_months_are_closing_stocks() -> None:
    tape, parameters = mixed_book(), shipped("us_near_prime")
    simulated = run(tape, parameters, paths=3, months=2, seed=1)
    loans = bucket_loans(simulated)
    bucket = np.searchsorted(parameters.bucket_edges, tape["days_past_due"], side="right") - 1
    bucket = np.where(tape["repossessed"], np.maximum(bucket, parameters.default_bucket), bucket)
    by_hand = np.bincount(bucket, minlength=len(parameters.bucket_edges))
    np.testing.assert_allclose(loans.sel(month=0).values.ravel(), by_hand, rtol=1e-12)
    assert list(loans["month"].values) == [0, 1, 2]
    live = simulated["live_count"].mean("path")
    np.testing.assert_allclose(loans.sel(month=[1, 2]).sum("bucket").values, live.values)


def test_late_shares_are_of_a_bucket_or_a_worse_one(results: xr.Dataset) -> None:
    late = late_shares(results)
    assert list(late["bucket"].values) == ["30-59", "60-89", "90-119"]
    np.testing.assert_allclose(late.sel(month=0, scenario="baseline").values.ravel(), [0.05, 0.02, 0.008])
    assert float(late.min()) >= 0.0


def test_table_has_the_tape_month_1_month_12_and_the_horizon(results: xr.Dataset) -> None:
    table = arrears.arrears_table(results)
    assert list(dict.fromkeys(table["month"])) == [0, 1, 12, 36]
    assert len(table) == 2 * 3 * 4
    first = table[(table["scenario"] == "baseline") & (table["month"] == 0)]["percent_of_loans"]
    np.testing.assert_allclose(first, [5.0, 2.0, 0.8])
    short = arrears.arrears_table(sample_results(n_paths=5, n_months=1))
    assert list(dict.fromkeys(short["month"])) == [0, 1]


def test_a_book_that_fits_its_parameters_has_no_warning(results: xr.Dataset) -> None:
    assert not list(early_jumps(results))
    assert wording.arrears_warnings(results) == ()
    assert "Warning" not in wording.format_summary(measures.summary(results), results)


@pytest.mark.parametrize(("late", "few"), [(0.005, "few"), (0.40, "many")])
def test_a_jump_in_the_first_months_is_said_in_report_and_terminal(results: xr.Dataset, late: float, few: str) -> None:
    changed = with_tape(results, late)
    (warning,) = wording.arrears_warnings(changed)
    assert f"On the tape {100 * late:.1f} % of loans are 30 or more days past due" in warning
    assert "under baseline" in warning
    assert "under severely_adverse" in warning
    assert f"picked so as to hold {few} loans in arrears" in warning
    assert "the parameter set describes other borrowers than this book's" in warning
    assert "Calibrate a set to the book" in warning
    text = wording.format_summary(measures.summary(changed), changed)
    assert warning in " ".join(text.split("Warning: ")[1].split())


def test_what_chance_makes_of_a_small_book_is_no_jump(results: xr.Dataset) -> None:
    """Ten loans with one late, or none, say nothing of the 5 % that a set expects."""
    small = with_tape(results, 0.005)
    small["transition_count_mean"] = small["transition_count_mean"] / 1_000
    small.attrs["opening_count"] = 10
    assert not list(early_jumps(small))


def test_settled_state_weighs_each_tier_by_its_loans() -> None:
    tape, parameters = mixed_book(), shipped("us_near_prime")
    state = seasoned_shares(parameters, 0)
    np.testing.assert_allclose(settled_shares(tape, parameters), [state[1:].sum(), state[2:].sum(), state[3:].sum()])
    tiers = build_parameters([*shipped("us_prime").sets, *parameters.sets])
    found = settled_shares(tape, tiers)
    ends = sorted(float(seasoned_shares(tiers, tier)[1:].sum()) for tier in (0, 1))
    assert ends[0] <= found[0] <= ends[1]


def test_buckets_are_worded_by_their_days_where_they_name_days() -> None:
    assert wording.late_label("30-59") == "30 or more days past due"
    assert wording.late_label("M2") == "M2 or worse"
