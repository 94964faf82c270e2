"""Pools: hours for whoever asks, by priority, while they last (P2); hiring, suspension and cost (P9) to (P11)."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import xarray as xr

from known_cases import normal_bound
from ladders import ladder, rung
from scenarios.vocabulary import INCIDENTS, MAX_BUCKET
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from small_books import certain, chain, endless_loans, mixed_book, run, values

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

PATHS, MONTHS, SEED = 6, 14, 3
HOURS = 0.5
"""Of a contact."""


def lively(**changes: Any) -> Parameters:
    """Loans fall behind and catch up, some leave, hardly any is where it was a month before."""
    rows = [[0.6, 0.35, 0, 0, 0, 0.05], [0.3, 0.3, 0.35, 0, 0, 0.05]]
    rows += [[0.15, 0.2, 0.3, 0.3, 0.05, 0], [0.1, 0.1, 0.2, 0.5, 0.1, 0]]
    return chain(rows, **changes)


@cache
def book() -> LoanTape:
    return mixed_book(150, seed=5)


def phoned(capacity: float, priority: dict[str, float] | None = None, **fields: Any) -> xr.Dataset:
    """Everybody in arrears asks for a call without effect; there are hours for so many calls."""
    agents = {"hours_per_month": HOURS * capacity, "priority": priority or {}, "cost_per_hour": 10.0}
    calls = rung("phone", pool="agents", hours_per_contact=HOURS, **fields)
    return served_by(ladder(calls, pools={"agents": agents}))


def served_by(strategy: Any) -> xr.Dataset:
    ids = tuple(book()["loan_id"].tolist())
    return run(book(), lively(), paths=PATHS, months=MONTHS, seed=SEED, trace=ids, servicing=Servicing(strategy))


def contacts(results: xr.Dataset, name: str) -> np.ndarray:
    """A pool's hours as numbers of contacts: float64[path, month]."""
    return np.asarray(values(results, name)[..., 0] / HOURS)


def carried_out(results: xr.Dataset, place: int = 0) -> np.ndarray:
    """bool[loan, path, month 1..T] the rung was carried out at the close of the month."""
    return (values(results, "trace_rungs")[..., 1:].astype(int) >> place & 1) > 0


# --- capacity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 17, 40, 10_000])
def test_service_is_the_lesser_of_demand_and_capacity(capacity: int) -> None:
    results = phoned(capacity)
    asked, served = contacts(results, "pool_demand"), contacts(results, "pool_served")
    assert np.array_equal(asked, values(results, "delinquent_count"))
    assert np.array_equal(served, np.minimum(asked, capacity))
    assert np.array_equal(values(results, "pool_waiting")[..., 0], asked - served)
    assert np.array_equal(carried_out(results).sum(axis=0), served)
    assert (values(results, "pool_capacity") == HOURS * capacity).all()
    assert values(results, "collection_cost") == pytest.approx(10.0 * HOURS * capacity)
    assert 30 < asked.mean() < 150


def test_more_capacity_never_lowers_service() -> None:
    runs = {capacity: phoned(capacity, {"bucket": 1, "waiting": 0.5, "balance": 2}) for capacity in (5, 10, 20, 40, 80)}
    for less, more in pairwise(runs):
        assert np.array_equal(contacts(runs[less], "pool_demand"), contacts(runs[more], "pool_demand"))
        assert np.all(contacts(runs[less], "pool_served") <= contacts(runs[more], "pool_served"))
        assert np.all(values(runs[less], "pool_waiting") >= values(runs[more], "pool_waiting"))


def test_more_capacity_serves_the_same_loans_and_more_where_waiting_does_not_count() -> None:
    sets = [carried_out(phoned(capacity, {"bucket": 1, "balance": 2})) for capacity in (5, 20, 60)]
    for fewer, more in pairwise(sets):
        assert not (fewer & ~more).any()
        assert (more & ~fewer).any()


def test_a_pool_closes_at_the_first_whom_it_cannot_serve() -> None:
    """Long visits before short calls by their own priority: what is left of a visit's hours calls nobody."""
    visits = rung("visit", pool="team", hours_per_contact=3, priority=8)
    calls = rung("phone", pool="team", hours_per_contact=1)
    results = served_by(ladder(visits, calls, pools={"team": {"hours_per_month": 20}}))
    assert np.array_equal(carried_out(results, 0).sum(axis=0), np.minimum(values(results, "delinquent_count"), 6))
    assert not carried_out(results, 1)[:, values(results, "delinquent_count") > 6].any()


# --- priority ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 3.0), (1.0, 0.5, 2.0)], ids=str)
def test_who_is_served_follows_priority_then_ids(weights: tuple[float, float, float]) -> None:
    capacity = 15
    results = phoned(capacity, dict(zip(("bucket", "waiting", "balance"), weights, strict=True)))
    states, owed = (values(results, name)[..., 1:] for name in ("trace_state", "trace_balance"))
    per_unit = weights[2] / book()["current_balance"].mean()
    found, months_waited = carried_out(results), values(results, "pool_waiting_months")[..., 0]
    for path in range(PATHS):
        waited = np.zeros(len(states), int)
        for month in range(MONTHS):
            asks = (states[:, path, month] >= 1) & (states[:, path, month] <= MAX_BUCKET)
            score = weights[0] * states[:, path, month] + weights[1] * waited + per_unit * owed[:, path, month]
            level = np.clip(np.floor(np.where(asks, score, 0.0) * 16.0), 0, 1023)
            order = sorted(np.flatnonzero(asks), key=lambda loan: -level[loan])  # stable: ids decide among equals
            served = np.zeros(len(states), bool)
            served[order[:capacity]] = True
            assert np.array_equal(found[:, path, month], served), (path, month)
            waited = np.where(asks & ~served, waited + 1, 0)
            left = waited[asks & ~served]
            assert months_waited[path, month] == pytest.approx(left.mean() if left.size else 0.0)


# --- reach -------------------------------------------------------------------------------------------------------


def test_served_borrowers_are_reached_with_the_stated_probability() -> None:
    """At most one in 10,000 seeds misses."""
    results = phoned(10_000, reach_percent=30)
    served, reached = (float(results[f"rung_{name}_mean"].sum()) * PATHS for name in ("served", "reached"))
    error = (served * 0.3 * 0.7) ** 0.5
    assert abs(reached - 0.3 * served) < normal_bound(FALSE_ALARM, 1) * error
    flags = values(results, "trace_flags")[..., 1:].astype(int) & 4
    assert (flags > 0).sum() == round(reached)


def test_a_cure_effect_acts_on_who_was_reached_alone() -> None:
    calls, tape = rung("phone", reach_percent=40, effect={"cure": 9.0}), endless_loans(300, 45)
    ids = tuple(tape["loan_id"].tolist())
    results = run(tape, lively(), paths=4, months=2, seed=1, servicing=Servicing(ladder(calls)), trace=ids)
    flags, states = values(results, "trace_flags").astype(int), values(results, "trace_state")
    late = (states[..., 1] >= 1) & (states[..., 1] <= MAX_BUCKET)
    reached, cured = late & ((flags[..., 1] & 4) > 0), states[..., 2] == 0
    assert cured[reached].mean() > cured[late & ~reached].mean() + 0.25


# --- hiring, suspension ------------------------------------------------------------------------------------------


def test_a_pool_hires_while_more_is_asked_and_shrinks_again() -> None:
    hiring = {"step_percent": 50, "most_percent": 200, "cost_per_hour": 7.0}
    agents = {"hours_per_month": 10.0, "hiring": hiring, "cost_per_hour": 10.0}
    results = served_by(ladder(rung("phone", pool="agents", hours_per_contact=HOURS), pools={"agents": agents}))
    hours, asked, cost = (values(results, f"pool_{name}")[..., 0] for name in ("capacity", "demand", "cost"))
    for path in range(PATHS):
        there = 10.0
        for month in range(MONTHS):
            assert hours[path, month] == there
            more = min(there + 5.0, 20.0) if asked[path, month] > there else there
            less = max(there - 5.0, 10.0) if asked[path, month] < there else there
            following = more if asked[path, month] > there else less
            assert cost[path, month] == pytest.approx(10.0 * there + 7.0 * max(following - there, 0.0))
            there = following
    assert hours.max() == 20.0
    assert set(np.unique(hours)) >= {10.0, 15.0, 20.0}


def test_a_regulatory_event_closes_field_work_for_the_months_that_are_stated() -> None:
    pools = {
        "visitors": {"hours_per_month": 40.0, "field": True, "cost_per_hour": 2.0},
        "agents": {"hours_per_month": 20.0},
    }
    visits = rung("visit", pool="visitors", hours_per_contact=1, incidents={"regulatory": 8.0})
    calls = rung("phone", pool="agents", hours_per_contact=1)
    conduct = {"suspension_months": 3, "cost": {"regulatory": 500.0}}
    results = served_by(ladder(visits, calls, pools=pools, incidents=conduct))
    events = values(results, "incident_count")[..., INCIDENTS.index("regulatory")]
    field, phone = values(results, "pool_capacity")[..., 0], values(results, "pool_capacity")[..., 1]
    assert (phone == 20.0).all()
    assert events.sum() > 0
    for path in range(PATHS):
        open_from = 0
        for month in range(MONTHS):
            assert field[path, month] == (40.0 if month >= open_from else 0.0)
            if events[path, month] > 0:
                open_from = max(open_from, month + 4)
    assert values(results, "incident_cost") == pytest.approx(500.0 * events)
    assert (values(results, "pool_cost")[..., 0] == 80.0).all()


def test_unlimited_hours_are_paid_as_they_are_worked() -> None:
    agents = {"unlimited": True, "cost_per_hour": 12.0}
    results = served_by(ladder(rung("phone", pool="agents", hours_per_contact=HOURS), pools={"agents": agents}))
    worked = values(results, "pool_served")[..., 0]
    assert np.array_equal(worked, values(results, "pool_demand")[..., 0])
    assert values(results, "pool_cost")[..., 0] == pytest.approx(12.0 * worked)
    assert np.isinf(values(results, "pool_capacity")).all()


# --- what is done after the car ----------------------------------------------------------------------------------


def test_commission_is_a_share_of_what_borrowers_pay() -> None:
    """All loans are with the agency from the first close on: the commission is a share of what arrears pay."""
    agency = ladder(rung("outsourcing", commission_percent=20))
    results = run(endless_loans(200, 45), lively(), paths=3, months=6, seed=2, servicing=Servicing(agency))
    paid = values(results, "collected")[:, 1:]  # no prepayment in these buckets but by payoff, which is booked apart
    cost = values(results, "collection_cost")[:, 1:]
    assert (cost >= 0.2 * paid - 1e-6).all()
    assert values(results, "collection_cost")[:, 0] == pytest.approx(0.0)
    assert cost.sum() > 0.0


@pytest.mark.parametrize(("won", "channel"), [(100, "judgment_cash"), (0, "deficiency_cash")])
def test_a_won_suit_replaces_the_sets_collections(won: float, channel: str) -> None:
    suit = rung("litigation", judgment_months=5, won_percent=won, enforced_percent=40, cost_percent=10)
    falls = certain({1: "charge_off"}, deficiency_share=np.array([0.1]), deficiency_lag=np.array([7]),
                    found_share=np.array([0.0]))  # fmt: skip
    opens = endless_loans(20, 45)
    results = run(opens, falls, paths=2, months=12, seed=1, servicing=Servicing(ladder(suit)))
    nothing = values(results, "charge_off_count")[:, 0]
    assert (nothing == 20).all()  # charged off before the first close at which anybody could file
    later = certain({1: 2, 2: "charge_off"}, deficiency_share=np.array([0.1]), deficiency_lag=np.array([7]),
                    found_share=np.array([0.0]))  # fmt: skip
    results = run(opens, later, paths=2, months=12, seed=1, servicing=Servicing(ladder(suit)))
    lost, cash = values(results, "charge_off"), values(results, channel)
    assert (lost[:, 1] > 0.0).all()  # filed at the close of month 1, charged off in month 2
    share, month = (0.4, 1 + 5) if won else (0.1, 2 + 7)
    assert cash[:, month - 1] == pytest.approx(share * lost[:, 1])
    assert cash.sum() == pytest.approx(share * lost.sum())
    assert (values(results, "collection_cost")[:, 0] > 0.0).all()


def test_a_debt_sale_brings_its_price_in_the_month_after() -> None:
    later = certain({1: 2, 2: "charge_off"}, deficiency_share=np.array([0.1]), deficiency_lag=np.array([7]),
                    found_share=np.array([0.0]))  # fmt: skip
    sale = Servicing(ladder(rung("debt_sale", price_percent=6)))
    results = run(endless_loans(20, 45), later, paths=2, months=12, seed=1, servicing=sale)
    lost = values(results, "charge_off")[:, 1]
    assert values(results, "debt_sale_cash")[:, 2] == pytest.approx(0.06 * lost)
    assert values(results, "deficiency_cash").sum() == 0.0


def test_a_write_off_comes_in_the_next_month() -> None:
    results = run(endless_loans(20, 45), certain({}), paths=2, months=4, seed=1,
                  servicing=Servicing(ladder(rung("write_off"))))  # fmt: skip
    assert values(results, "charge_off_count").tolist() == [[0.0, 20.0, 0.0, 0.0]] * 2


def test_an_accepted_plan_extends_the_loan_and_a_surrender_brings_the_car() -> None:
    plan = rung("plan", accepted_percent={"forgetful": 100, "hardship": 100, "strategic": 100})
    results = run(endless_loans(20, 45), certain({}), paths=2, months=3, seed=1, servicing=Servicing(ladder(plan)))
    assert values(results, "modified_count").tolist() == [[0.0, 20.0, 0.0]] * 2
    offer = rung("surrender", accepted_percent={"forgetful": 100, "hardship": 100, "strategic": 100})
    results = run(endless_loans(20, 45), certain({}), paths=2, months=3, seed=1, servicing=Servicing(ladder(offer)))
    assert values(results, "surrendered_count").tolist() == [[0.0, 20.0, 0.0]] * 2
    assert values(results, "repossessed_count").tolist() == [[0.0, 20.0, 0.0]] * 2
