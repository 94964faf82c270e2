"""What a strategy does on average, before the first close and after the horizon (P13): who is for whom, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from ladders import ladder, rung
from scenarios.library import find_strategy
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import BOOK_VARIABLES, TRACE_VARIABLES
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from small_books import mixed_book, run, shipped, subset, values

OBSERVED = find_strategy("reference_us")


def collected(tape: LoanTape, strategy: CollectionStrategy, months: int = 2) -> xr.Dataset:
    """A run so short that its first month and its run-off decide."""
    ids = tuple(tape["loan_id"].tolist())
    servicing = Servicing(strategy, (OBSERVED,))
    return run(tape, shipped("us_near_prime"), paths=16, months=months, seed=8, trace=ids, servicing=servicing)


def assert_equal_runs(one: xr.Dataset, other: xr.Dataset) -> None:
    names = (*(variable.name for variable in BOOK_VARIABLES), *(name for name, *_ in TRACE_VARIABLES))
    for name in names:
        assert np.array_equal(values(one, name), values(other, name), equal_nan=True), name


def rewritten(who: dict[str, Any], *actions: str, name: str = OBSERVED.name) -> CollectionStrategy:
    """The reference strategy with more conditions on some of its rungs."""
    plain = OBSERVED.model_dump(mode="json", exclude_none=True)
    for item in plain["ladder"]:
        if item["action"] in actions or not actions:
            item["who"] = {**item.get("who", {}), **who}
    return CollectionStrategy.model_validate({**plain, "name": name})


def without_trackers() -> LoanTape:
    tape = mixed_book(200, seed=6)
    return subset(tape, ~tape["tracker"].astype(bool))


@pytest.mark.parametrize("who", [{"from_balance": 0.0}, {"to_ltv_percent": 10_000}, {"tiers": ["us_near_prime"]}])
def test_a_condition_that_all_loans_meet_changes_nothing(who: dict[str, Any]) -> None:
    tape = mixed_book(200, seed=6)
    conditional, plain = collected(tape, rewritten(who)), collected(tape, rewritten({}))
    for name in ("ultimate_loss", "balance", "charge_off", "run_off_principal"):
        if name in plain:
            assert values(conditional, name) == pytest.approx(values(plain, name), rel=1e-9), name
    assert values(plain, "ultimate_loss").sum() > 0.0


def test_rungs_for_devices_that_no_loan_has_act_on_nobody() -> None:
    tape = without_trackers()
    late = rung("sms", who={"from_days": 30, "tracker": True}, effect={"cure": 3.0})
    both = ladder(rung("phone", effect={"cure": 1.3}), {**late, "name": "tracked"})
    alone = ladder(rung("phone", effect={"cure": 1.3}))
    assert_equal_runs(collected(tape, both), collected(tape, alone))


def test_rungs_by_amounts_act_on_those_who_owe_as_much_and_on_no_others() -> None:
    """Loan by loan: the large ones as if the rung were for all, the small ones as if for none."""
    tape = mixed_book(200, seed=6)
    owed = sorted(tape["current_balance"].tolist())[100]
    effect = {"effect": {"cure": 4.0, "roll": 0.3}}
    results = {
        name: collected(tape, ladder(*rungs), months=1)
        for name, rungs in {
            "all": [rung("phone", **effect)],
            "large": [rung("phone", who={"from_balance": owed}, **effect)],
            "none": [rung("phone", effect={})],
        }.items()
    }
    state = {name: values(found, "trace_state")[:, :, 1] for name, found in results.items()}
    large = (tape["current_balance"] >= owed)[:, None]
    assert (state["large"] == np.where(large, state["all"], state["none"])).all()
    for part in (large, ~large):
        assert ((state["all"] != state["none"]) & part).any()


def test_the_observed_strategy_by_another_name_is_the_same_bit_for_bit() -> None:
    tape = mixed_book(200, seed=6)
    assert_equal_runs(collected(tape, rewritten({}, name="copied")), collected(tape, OBSERVED))
