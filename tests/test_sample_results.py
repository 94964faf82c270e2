"""The sample that stands for a result in tests of `outputs`: its books balance; it is shaped like the engine's own."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from outputs import cash, income, measures, provision
from outputs.periods import WHOLE
from sample_results import LOANS, OPENING, sample_results
from scenarios.vocabulary import BOOK_VARIABLES
from small_books import mixed_book, run, shipped

EXACT = 1e-9


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return sample_results(n_paths=60)


@pytest.fixture(scope="module")
def engine() -> xr.Dataset:
    """A short run of the engine itself, of a book with every kind of loan."""
    return run(mixed_book(), shipped("us_near_prime"), paths=3, months=14, seed=1)


def test_what_the_lender_is_told_holds_for_the_engines_own_results(engine: xr.Dataset) -> None:
    """Cash is the sum of its sources, a year's shortfall is part of the life's, and stages hold the whole book."""
    by_source = cash.cash_by_period(engine).iloc[:-1]
    np.testing.assert_allclose(by_source[list(cash.SOURCES)].sum(axis=1), by_source["cash"])
    losses = provision.credit_loss(engine).set_index("stage")
    assert losses["loans"]["all stages"] == engine.attrs["opening_count"]
    assert losses["opening_balance"]["all stages"] == pytest.approx(engine.attrs["opening_balance"])
    assert losses["lifetime"]["all stages"] <= float(measures.path_loss(engine).mean())
    assert (engine["shortfall_12m_by_stage"] <= engine["shortfall_by_stage"] + 1e-6).all()
    statement = income.income(engine).set_index(["period", "item"])["value"][WHOLE]
    recovered = statement["sale_proceeds"] + statement["deficiency_cash"] - statement["workout_cost"]
    assert recovered == pytest.approx(float(engine["recovery"].sum("month").mean()))
    assert bool((engine["contractual_principal"] >= 0.0).all())


def test_the_sample_that_stands_for_a_result_is_shaped_like_the_engines(
    results: xr.Dataset, engine: xr.Dataset
) -> None:
    assert set(results.data_vars) == set(engine.data_vars)
    assert set(results.coords) == set(engine.coords)
    assert set(results.attrs) == set(engine.attrs)
    for name in engine.variables:
        assert results[name].dims == engine[name].dims, name
        kinds = results[name].dtype.kind, engine[name].dtype.kind
        assert kinds[0] == kinds[1] or set(kinds) <= set("OUT"), name
    for name, value in engine.attrs.items():
        assert type(results.attrs[name]) is type(value), name


@pytest.mark.parametrize("scenario", ["baseline", "severely_adverse"])
def test_the_sample_conserves_principal_interest_loans_and_cash(results: xr.Dataset, scenario: str) -> None:
    """(9): measures are tested on a book whose books balance."""
    flow = {variable.name: results[variable.name].sel(scenario=scenario).values[0, 0] for variable in BOOK_VARIABLES}
    opened = np.concatenate([np.full_like(flow["balance"][:, :1], OPENING), flow["balance"][:, :-1]], axis=1)
    left = flow["principal_paid"] + flow["prepaid"] + flow["total_loss_paid"]
    charged = flow["charge_off"] - flow["charge_off_interest"]
    np.testing.assert_allclose(opened + flow["capitalised"], flow["balance"] + left + charged, rtol=EXACT)
    accrued = flow["accrued_interest"][:, :-1] + flow["interest_accrued"][:, 1:]
    gone = ("accrued_interest", "interest_paid", "charge_off_interest", "capitalised")
    np.testing.assert_allclose(accrued, sum(flow[name][:, 1:] for name in gone), rtol=EXACT)
    exits = sum(flow[f"{name}_count"] for name in ("charge_off", "prepaid", "matured", "total_loss"))
    np.testing.assert_array_equal(flow["live_count"], LOANS - np.cumsum(exits, axis=1))
    paid = ("principal_paid", "interest_paid", "prepaid", "total_loss_paid", "fees", "sale_proceeds", "deficiency_cash")
    np.testing.assert_allclose(flow["cash"], sum(flow[name] for name in paid) - flow["workout_cost"], rtol=EXACT)
    assert min(flow[name].min() for name in paid) >= 0.0
