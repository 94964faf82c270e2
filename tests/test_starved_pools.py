"""A pool that has next to no hours for what is asked of it is named, with its reason."""

from __future__ import annotations

import pytest
import xarray as xr

from outputs import measures, wording
from outputs.starved_pools import LEAST_GIVEN, starved_pools
from strategy_samples import strategy_results


@pytest.fixture(scope="module")
def results() -> xr.Dataset:
    return strategy_results(n_paths=20)


def with_given(results: xr.Dataset, share: float, **where: str) -> xr.Dataset:
    """The same with that share of the hours asked given, there."""
    given = results["pool_served"].copy()
    given.loc[where] = share * results["pool_demand"].sel(where)
    return results.assign(pool_served=given)


def test_pools_that_serve_are_not_named(results: xr.Dataset) -> None:
    assert starved_pools(results) == ()
    assert starved_pools(with_given(results, LEAST_GIVEN + 0.001, pool="phone")) == ()
    assert starved_pools(results.drop_dims("pool")) == ()


def test_a_pool_that_serves_hardly_anybody_is_named_in_the_terminal(results: xr.Dataset) -> None:
    where = {"pool": "phone", "strategy": "field_first", "scenario": "baseline"}
    starved = with_given(results, 0.021, **where)
    (warning,) = starved_pools(starved)
    assert warning.startswith("Pool phone of strategy field_first gives 2.1 % under baseline of the hours that are")
    assert "severely_adverse" not in warning
    assert "`hours_per_month` or `hours_per_1000_loans`" in warning
    text = wording.format_summary(measures.summary(starved), starved)
    assert warning in " ".join(text.split("Warning: ")[1].split())
