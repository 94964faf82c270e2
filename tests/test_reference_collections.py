"""The plain reference's collections by themselves: pools, effects, offers, suits and costs by pencil and paper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from known_cases import assert_shares, normal_bound
from plain_books import booked, plain_run, plain_world
from reference import simulate_plain
from reference_collections import gamma_quantile, poisson_quantile
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import CHARGED_OFF, HARDSHIP, STRATEGIC
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from small_books import BUCKET_DAYS, CERTAIN, certain, macro_at, quiet, tape_of

LOAN: dict[str, Any] = {
    "current_balance": 9_000.0,
    "rate": 0.12,
    "remaining_term": 100,
    "amortisation": "interest_only",
    "days_past_due": BUCKET_DAYS[1],
}
"""One instalment past due; its principal stays, and 1 % of it accrues a month."""

SOME: dict[str, Any] = {"revealed": ["unknown"]}
"""A condition that holds for all, and asks what the spell has shown: such a rung acts in no mean (P13)."""

FALSE_ALARM = 1e-4
SAMPLE = 2_000


def ladder(*rungs: dict[str, Any], **more: Any) -> CollectionStrategy:
    source = "Assumption of a test: no figure is anybody's."
    return CollectionStrategy(name="tried", title="Tried", currency="USD", ladder=rungs, source=source, **more)


def worked(
    rows: list[dict[str, Any]],
    parameters: Parameters,
    strategy: CollectionStrategy,
    months: int,
    observed: CollectionStrategy | None = None,
) -> dict[str, Any]:
    """One path of a few loans under a strategy."""
    servicing = Servicing(strategy=strategy, observed=(observed,))
    return plain_run(rows, parameters, months=months, servicing=servicing)


def states(path: dict[str, Any]) -> list[list[int]]:
    """By loan, months 0, 1, ..."""
    return [[row[0] for row in rows] for rows in path["history"].values()]


def carried_out(path: dict[str, Any]) -> list[list[int]]:
    """Rungs carried out as sums of powers of 2, by loan, closes 1, 2, ..."""
    return [[row[6] for row in rows[1:]] for rows in path["history"].values()]


def pool_months(path: dict[str, Any], name: str, pool: str = "desk") -> list[float]:
    return [value for (found, of, _), value in path["pool"].items() if found == f"pool_{name}" and of == pool]


def call(**changes: Any) -> dict[str, Any]:
    return {"action": "phone", "pool": "desk", "hours_per_contact": 1.0, **changes}


def desk(hours: float, **changes: Any) -> dict[str, Any]:
    return {"desk": {"hours_per_month": hours, "priority": {"bucket": 0.0}, **changes}}


# --- pools (P2), (P10) -------------------------------------------------------------------------------------------


def test_the_longest_waiting_comes_first() -> None:
    rows = [LOAN] * 5 + [{**LOAN, "days_past_due": BUCKET_DAYS[3]}, {**LOAN, "days_past_due": 0}]
    rung = call(who={"to_days": BUCKET_DAYS[2]})
    strategy = ladder(rung, pools=desk(2.5, priority={"bucket": 0.0, "waiting": 1.0}))
    path = worked(rows, certain({}), strategy, months=3)
    assert pool_months(path, "demand") == [5.0] * 3
    assert pool_months(path, "served") == [2.0] * 3
    assert pool_months(path, "waiting") == [3.0] * 3
    # Month 1 serves 0 and 1, month 2 serves 2 and 3, month 3 serves 4 and, in the order of the book, 0.
    assert pool_months(path, "waiting_months") == [1.0, 4.0 / 3.0, 4.0 / 3.0]
    served = [{loan for loan, closes in enumerate(carried_out(path)) if closes[month]} for month in range(3)]
    assert served == [{0, 1}, {2, 3}, {0, 4}]


@pytest.mark.parametrize(("weight", "first"), [(1.03, 0), (10.0, 1)])
def test_priorities_are_whole_sixteenths(weight: float, first: int) -> None:
    """Balances of 0.985 and 1.015 of their mean: 16 of 16.48 sixteenths both, but 157 and 162 of 160."""
    rows = [{**LOAN, "current_balance": balance} for balance in (1_000.0, 1_030.0)]
    strategy = ladder(call(), pools=desk(1.0, priority={"bucket": 0.0, "balance": weight}))
    path = worked(rows, certain({}), strategy, months=1)
    assert [closes[0] for closes in carried_out(path)] == [1 - first, first]


def test_a_pool_stops_at_the_first_whom_it_has_no_hours_for() -> None:
    """Calls of 1, 3 and 1 hours in the order of what is owed, and 3.5 hours: the last one waits, too."""
    rows = [{**LOAN, "current_balance": balance} for balance in (1_000.0, 2_000.0, 3_000.0)]
    long = call(name="long", hours_per_contact=3.0, who={"from_balance": 2_000.0, "to_balance": 2_000.0})
    short = [call(name=f"to_{most:g}", who={"from_balance": most, "to_balance": most}) for most in (1_000.0, 3_000.0)]
    strategy = ladder(long, *short, pools=desk(3.5, priority={"bucket": 0.0, "balance": 1.0}))
    path = worked(rows, certain({}), strategy, months=1)
    assert carried_out(path) == [[0], [0], [4]]
    assert (pool_months(path, "demand"), pool_months(path, "served")) == ([5.0], [1.0])
    assert pool_months(path, "waiting") == [2.0]


def test_who_gets_some_of_what_it_asks_does_not_wait_and_rungs_follow_their_priority() -> None:
    first, second = call(), {**call(), "action": "visit", "priority": 1.0}
    path = worked([LOAN, LOAN], certain({}), ladder(first, second, pools=desk(3.0)), months=2)
    assert carried_out(path) == [[3, 3], [2, 2]]  # both visits, then the call of the first loan
    assert pool_months(path, "waiting") == [0.0, 0.0]


def test_hours_for_each_thousand_loans_and_without_bound() -> None:
    pools = {
        "desk": {"hours_per_1000_loans": 500.0, "cost_per_hour": 10.0},
        "robot": {"unlimited": True, "cost_per_hour": 3.0},
    }
    message = {"action": "sms", "pool": "robot", "contacts_per_week": 3.0, "hours_per_contact": 0.5}
    path = worked([LOAN] * 4, certain({}), ladder(call(), message, pools=pools), months=2)
    assert pool_months(path, "capacity") == [2.0, 2.0]
    assert pool_months(path, "capacity", "robot") == [math.inf] * 2
    worked_hours = 4 * 3.0 * 52.0 / 12.0 * 0.5
    assert pool_months(path, "served", "robot") == [pytest.approx(worked_hours)] * 2
    assert pool_months(path, "cost") == [20.0] * 2
    assert pool_months(path, "cost", "robot") == [pytest.approx(3.0 * worked_hours)] * 2
    assert booked(path, "collection_cost") == {month: pytest.approx(20.0 + 3.0 * worked_hours) for month in (1, 2)}


def test_a_pool_hires_while_more_is_asked_and_shrinks_again() -> None:
    """Five loans ask in months 1 and 2 and are then gone; 2 hours grow by 1 to 3.2 at most."""
    hiring = {"step_percent": 50.0, "most_percent": 160.0, "cost_per_hour": 45.0}
    strategy = ladder(call(), pools=desk(2.0, cost_per_hour=10.0, hiring=hiring))
    path = worked([LOAN] * 5, certain({1: 2, 2: 3, 3: "charge_off"}), strategy, months=5)
    assert pool_months(path, "demand") == [5.0, 5.0, 0.0, 0.0, 0.0]
    assert pool_months(path, "capacity") == pytest.approx([2.0, 3.0, 3.2, 2.2, 2.0])
    assert pool_months(path, "cost") == pytest.approx([20.0 + 45.0, 30.0 + 0.2 * 45.0, 32.0, 22.0, 20.0])


# --- for whom (P1) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "fits", "does_not"),
    [
        ({"from_days": 31}, {"days_past_due": BUCKET_DAYS[2]}, {}),
        ({"to_days": 30}, {}, {"days_past_due": BUCKET_DAYS[2]}),
        ({"from_balance": 9_000.0}, {}, {"current_balance": 8_999.0}),
        ({"to_balance": 9_000.0}, {}, {"current_balance": 9_001.0}),
        ({"from_ltv_percent": 200.0}, {"vehicle_value": 3_000.0}, {"vehicle_value": 9_000.0}),
        ({"to_ltv_percent": 200.0}, {"vehicle_value": 9_000.0}, {"vehicle_value": 3_000.0}),
        ({"tracker": True}, {"tracker": True}, {}),
        ({"tracker": False}, {}, {"tracker": True}),
        ({"starter_interrupt": True}, {"starter_interrupt": True}, {}),
        ({"regions": ["CA", "NV"]}, {"region": "NV"}, {"region": "TX"}),
    ],
)
def test_who_a_rung_is_for(who: dict[str, Any], fits: dict[str, Any], does_not: dict[str, Any]) -> None:
    path = worked(
        [{**LOAN, **fits}, {**LOAN, **does_not}], certain({}), ladder({"action": "sms", "who": who}), months=1
    )
    assert carried_out(path) == [[1], [0]]


def test_tiers_are_parameter_sets() -> None:
    for tiers, found in ((["us_near_prime"], [[1]]), (["us_subprime"], [[0]])):
        assert carried_out(worked([LOAN], certain({}), ladder({"action": "sms", "who": {"tiers": tiers}}), 1)) == found


def test_a_rung_after_another_waits_for_the_next_close() -> None:
    rungs = (
        {"action": "sms", "once": True},
        {"action": "letter", "who": {"after": ["sms"]}},
        {"action": "phone", "who": {"unless": ["letter"]}},
    )
    assert carried_out(worked([LOAN], certain({}), ladder(*rungs), months=4)) == [[1 + 4, 2 + 4, 2, 2]]


def test_a_loan_that_returns_to_current_has_forgotten_its_spell() -> None:
    """In arrears at closes 2, 4: once a spell is twice."""
    strategy = ladder({"action": "sms", "once": True}, {"action": "letter", "who": {"after": ["sms"]}})
    path = worked([LOAN], certain({1: 0, 0: 1}), strategy, months=4)
    assert states(path) == [[1, 0, 1, 0, 1]]
    assert carried_out(path) == [[0, 1, 0, 1]]


def test_promises_are_broken_by_who_was_reached_and_is_no_better() -> None:
    """Reached at every close and stuck: one more each month from the second on."""
    rungs = {"action": "sms"}, {"action": "letter", "who": {"broken_promises": 2}}
    stuck = worked([LOAN], certain({}), ladder(*rungs), months=4)
    assert carried_out(stuck) == [[1, 1, 3, 3]]
    some = ladder({**rungs[0], "reach_percent": 50.0}, rungs[1])
    path = worked([LOAN] * 40, certain({}), some, months=4)
    for closes, rows in zip(carried_out(path), path["history"].values(), strict=True):
        broken = np.cumsum([0] + [bool(row[-1] & 4) for row in rows[1:-1]])  # reached at the closes before
        assert closes == [1 + 2 * (number >= 2) for number in broken]
    better = worked([{**LOAN, "days_past_due": BUCKET_DAYS[3]}], certain({3: 2, 2: 1}), ladder(*rungs), months=4)
    assert states(better) == [[3, 2, 1, 1, 1]]
    assert carried_out(better) == [[1, 1, 1, 3]]  # paid in month 2, not in months 3 and 4


def test_a_visit_reveals_the_type_until_the_spell_ends() -> None:
    """Two loans of other types, one visit each; a hardship that ends is known as one until the next visit."""
    rungs = (
        {"action": "visit", "once": True},
        {"action": "plan", "who": {"revealed": ["hardship"]}, "accepted_percent": {}},
        {"action": "letter", "who": {"revealed": ["unknown"]}},
    )
    types = np.zeros((1, 4, 3))
    types[0, 1, HARDSHIP] = types[0, 2, STRATEGIC] = 1.0
    rows = [LOAN, {**LOAN, "days_past_due": BUCKET_DAYS[2]}]
    path = worked(rows, certain({}, open_type=types), ladder(*rungs), months=3)
    assert carried_out(path) == [[5, 2, 2], [5, 0, 0]]
    short = certain({}, open_type=types, spell_end=np.array([math.log(2.0)]))
    path = worked([LOAN] * 20, short, ladder(*rungs), months=3)
    ended = [row for row in path["history"].values() if row[1][5] == HARDSHIP and row[3][5] != HARDSHIP]
    assert ended
    assert all(row[3][6] == 2 for row in ended)
    visit = {**rungs[0], "reach_percent": 50.0}
    path = worked([LOAN] * 40, certain({}, open_type=types), ladder(visit, *rungs[1:]), 2)
    assert {tuple(closes) for closes in carried_out(path)} == {(5, 2), (5, 4)}  # known, or as unknown as before


# --- effects (P4), (P5), (P6), (P13) -----------------------------------------------------------------------------


def curing(intensity: float, **changes: Any) -> Parameters:
    """Loans one instalment behind return to current at an intensity, and nothing else happens."""
    table = np.zeros((1, 4, 6))
    table[0, 1, 0] = intensity
    return quiet(intensity=table, **changes)


def cured_by(path: dict[str, Any], month: int) -> int:
    return sum(row[month] == 0 for row in states(path))


def test_an_effect_acts_on_who_was_reached_relative_to_the_observed_strategy() -> None:
    """Observed: half reached, and cured twice as soon; x stays untouched with x + x^2 = 2 exp(-0.3).

    Own: nobody is reached in month 1, all in month 2, with three times as many cures.
    """
    observed = ladder({"action": "sms", "reach_percent": 50.0, "effect": {"cure": 2.0}})
    strategy = ladder({"action": "sms", "who": SOME, "effect": {"cure": 3.0}})
    path = worked([LOAN] * SAMPLE, curing(0.3), strategy, 2, observed)
    untouched = (math.sqrt(1.0 + 8.0 * math.exp(-0.3)) - 1.0) / 2.0
    shares = [1.0 - untouched, 1.0 - untouched**4]
    bound = normal_bound(FALSE_ALARM, 2)
    assert_shares(np.array([cured_by(path, 1), cured_by(path, 2)]), shares, SAMPLE, bound)


def test_reach_and_backfire_share_a_draw() -> None:
    """Of 80 % reached a quarter backfires and never pays; the rest pay twice as soon."""
    visit = {
        "action": "visit",
        "who": {**SOME, "from_days": BUCKET_DAYS[1]},
        "reach_percent": 80.0,
        "backfire_percent": 25.0,
        "effect": {"cure": 2.0},
        "backfire": {"cure": 0.0},
    }
    path = worked([LOAN] * SAMPLE, curing(0.4), ladder(visit), 2)
    assert sum(value for (name, month, _), value in path["rung"].items() if (name, month) == ("served", 1)) == (
        SAMPLE - cured_by(path, 1)
    )
    own = 0.2 * math.exp(-0.8 * 0.5) + 0.6 * math.exp(-0.8) + 0.2
    shares = [1.0 - math.exp(-0.4), 1.0 - math.exp(-0.4) * own]
    bound = normal_bound(FALSE_ALARM, 3)
    assert_shares(np.array([cured_by(path, 1), cured_by(path, 2)]), shares, SAMPLE, bound)
    # Where that was observed, who is not reached stays with x: 0.2 x + 0.6 x^2 + 0.2 = exp(-0.1).
    days_alone = {**visit, "who": {}}
    path = worked([LOAN] * SAMPLE, curing(0.1), ladder({"action": "sms"}), 1, ladder(days_alone))
    x = (math.sqrt(0.04 + 2.4 * (math.exp(-0.1) - 0.2)) - 0.2) / 1.2
    assert_shares(np.array([cured_by(path, 1)]), [1.0 - x], SAMPLE, bound)


def test_before_the_first_close_and_after_the_horizon_the_strategy_acts_as_on_average() -> None:
    """Who is called cures not at all. The desk has hours for one: the other cures in month 2, and not in month 1."""
    strategy = ladder(call(effect={"cure": 0.0}), pools=desk(1.0))
    path = worked([LOAN] * 2, certain({1: 0}), strategy, months=3)
    assert states(path) == [[1, 1, 1, 1], [1, 1, 0, 0]]
    late = {**LOAN, "days_past_due": BUCKET_DAYS[3]}
    in_default = worked([late] * 2, certain({3: 0}), strategy, months=1)
    assert max(month for month, *_ in in_default["moves"]) == 1 + 24
    by_condition = ladder(call(effect={"cure": 0.0}, who=SOME), pools=desk(1.0))
    in_default = worked([{**LOAN, "days_past_due": BUCKET_DAYS[2]}] * 2, certain({2: 3, 3: 0}), by_condition, months=1)
    assert max(month for month, *_ in in_default["moves"]) == 2


def test_the_type_decides_which_effect_acts() -> None:
    types = np.zeros((1, 4, 3))
    types[0, :, HARDSHIP] = 1.0
    for kind, left in (("hardship", 1), ("strategic", 0)):
        strategy = ladder({"action": "sms", "effect": {"cure": {kind: 0.0}}})
        assert states(worked([LOAN], certain({1: 0}, open_type=types), strategy, 1))[0][1] == left


def test_extensions_are_granted_by_their_rung_alone() -> None:
    """Half of 0.4 are extensions. None: 0.2 without any. Granted twice over, at 60 % reach, observed 0.4 so often."""
    share = np.array([[0.0, 0.5, 0.5, 0.5]])
    bound = normal_bound(FALSE_ALARM, 4)
    none = worked([LOAN] * SAMPLE, curing(0.4, modified_share=share), ladder({"action": "sms"}), 1)
    assert_shares(np.array([cured_by(none, 1)]), [1.0 - math.exp(-0.2)], SAMPLE, bound)
    assert not booked(none, "modified_count")
    observed = ladder({"action": "extension", "granted": 0.5, "reach_percent": 80.0})
    strategy = ladder({"action": "extension", "granted": 2.0, "reach_percent": 60.0})
    some = worked([LOAN] * SAMPLE, curing(0.4, modified_share=share), strategy, 1, observed)
    # E = ((0.4 + 1.2) - 0.4) / ((0.2 + 0.4) - 0.2) = 3: cures at 0.2 and extensions at 0.6.
    assert_shares(np.array([cured_by(some, 1)]), [1.0 - math.exp(-0.8)], SAMPLE, bound)
    extended = np.array([booked(some, "modified_count")[1]])
    assert_shares(extended, [0.75 * (1.0 - math.exp(-0.8))], SAMPLE, bound)


def test_a_car_is_seized_at_the_close_at_which_a_truck_comes() -> None:
    """At that close and by no other means; after the horizon as on average, of the trucks that go by days alone."""
    seizure = {"seizure": np.array([[0.0, CERTAIN, CERTAIN, CERTAIN]])}
    enters = {**LOAN, "days_past_due": 0}
    second = {"action": "repossession", "who": {"after": ["sms"]}}
    rungs = {"truck": ({"action": "repossession"},), "later": ({"action": "sms"}, second), "none": ({"action": "sms"},)}
    seized = {"truck": {1: 1}, "later": {2: 1}, "none": {}}
    for name, own in rungs.items():
        path = worked([enters], certain({0: 1}, **seizure), ladder(*own), months=3)
        assert booked(path, "repossessed_count") == booked(path, "default_count") == seized[name], name
        assert [row[-1] & 2 for row in path["history"]["L00000"]][-1] == 2 * bool(seized[name])
        months = [month for month in booked(path, "repossessed_balance") if month <= 3]
        assert months == list(range(min(seized[name], default=4), 4))
    reference = plain_run([enters], certain({0: 1}, **seizure), months=3)
    assert booked(reference, "repossessed_count") == {1: 1}
    late = {**LOAN, "days_past_due": BUCKET_DAYS[3]}
    for own, months in ((by_days("repossession", from_days=400), []), (by_days("repossession"), [1])):
        path = worked([late], certain({}, **seizure), ladder({"action": "sms"}, own), months=1)
        assert list(booked(path, "repossessed_count")) == months
    trucks = {"desk": {"hours_per_month": 1.0}}
    busy = {**by_days("repossession"), "pool": "desk", "hours_per_contact": 1.0}
    path = worked([late] * 2, certain({}, **seizure), ladder(busy, pools=trucks), months=1)
    assert booked(path, "repossessed_count") == {1: 1, 2: 1}  # the second in the run-off, by nobody's hours


def by_days(action: str, from_days: int = 1) -> dict[str, Any]:
    return {"action": action, "who": {"from_days": from_days}}


def test_a_seized_car_is_not_seized_again_nor_handed_over() -> None:
    offer = {"action": "surrender", "accepted_percent": {"forgetful": 100.0}}
    parameters = certain({}, seizure=np.array([[0.0, CERTAIN, CERTAIN, CERTAIN]]))
    path = worked([LOAN], parameters, ladder({"action": "repossession"}, offer), months=3)
    assert carried_out(path) == [[3, 0, 0]]
    assert booked(path, "repossessed_count") == {1: 1}
    assert not booked(path, "surrendered_count")


def test_a_visit_makes_the_car_easier_to_seize_and_to_find() -> None:
    """Visited at the close of month 1: in month 2 it is seized at 0.1 x 2 x 3; found after charge-off with 0.2 x 3."""
    visit = {"action": "visit", "finds_car": 3.0}
    seizes = {"action": "repossession", "who": {"after": ["visit"]}, "seized": 2.0}
    parameters = certain({}, seizure=np.array([[0.0, 0.1, 0.1, 0.1]]))
    path = worked([LOAN] * SAMPLE, parameters, ladder(visit, seizes), 2)
    bound = normal_bound(FALSE_ALARM, 2)
    assert list(booked(path, "repossessed_count")) == [2]
    shares = [1.0 - math.exp(-0.6)]
    assert_shares(np.array([booked(path, "repossessed_count")[2]]), shares, SAMPLE, bound)
    gone = certain({1: 2, 2: "charge_off"}, found_share=np.array([0.2]))
    path = worked([LOAN] * SAMPLE, gone, ladder(visit, seizes), 2)
    assert_shares(np.array([booked(path, "sold_count")[2]]), [0.6], SAMPLE, bound)
    assert not booked(worked([LOAN] * 50, gone, ladder(visit), 2), "sold_count")


def test_seizure_is_relative_to_the_observed_trucks() -> None:
    """Observed: half reached, seized 1.5 times as often, 0.75 on average; own: all reached, 0.9 times."""
    observed = ladder({"action": "repossession", "seized": 1.5, "reach_percent": 50.0})
    strategy = ladder({"action": "repossession", "seized": 0.9})
    parameters = certain({}, seizure=np.array([[0.0, 0.5, 0.5, 0.5]]))
    path = worked([LOAN] * SAMPLE, parameters, strategy, 1, observed)
    taken = np.array([booked(path, "repossessed_count")[1]])
    assert_shares(taken, [1.0 - math.exp(-0.5 * 0.9 / 0.75)], SAMPLE, normal_bound(FALSE_ALARM, 1))


# --- offers (P7) -------------------------------------------------------------------------------------------------


def test_an_accepted_plan_is_an_extension_in_the_next_month() -> None:
    plan = {"action": "plan", "accepted_percent": {"forgetful": 100.0}}
    path = worked([LOAN, {**LOAN, "remaining_term": 2}], certain({}), ladder(plan), months=2)
    assert states(path)[0] == [1, 1, 0]
    assert booked(path, "modified_count") == {2: 1}  # month 2 is the last due date of the other one
    assert path["history"]["L00000"][2][1] == pytest.approx(9_000.0 * 1.02)
    part = {"action": "plan", "accepted_percent": {"forgetful": 30.0, "hardship": 100.0}}
    path = worked([LOAN] * SAMPLE, certain({}), ladder(part), months=2)
    assert_shares(np.array([cured_by(path, 2)]), [0.3], SAMPLE, normal_bound(FALSE_ALARM, 1))


def test_a_car_is_handed_over_at_the_close_after_the_offer() -> None:
    offer = {"action": "surrender", "accepted_percent": {"forgetful": 100.0}}
    path = worked([LOAN], certain({}), ladder(offer), months=3)
    assert booked(path, "surrendered_count") == booked(path, "repossessed_count") == {2: 1}
    assert booked(path, "default_count") == {2: 1}
    cures = worked([{**LOAN, "days_past_due": BUCKET_DAYS[2]}], certain({2: 1, 1: 0}), ladder(offer), months=3)
    assert not booked(cures, "surrendered_count")
    last = worked([{**LOAN, "days_past_due": BUCKET_DAYS[3]}], certain({}), ladder(offer), months=1)
    assert not booked(last, "surrendered_count")  # what is offered at the close of the horizon is not taken up


def test_a_write_off_leaves_no_choice() -> None:
    rungs = {"action": "write_off", "who": {"from_days": BUCKET_DAYS[2]}}
    path = worked([{**LOAN, "days_past_due": BUCKET_DAYS[1]}], certain({1: 2, 2: 0}), ladder(rungs), months=3)
    assert states(path)[0][:3] == [1, 2, CHARGED_OFF]
    nobody = worked([LOAN], certain({1: 2, 2: 0}), ladder({**rungs, "reach_percent": 0.0}), months=2)
    assert states(nobody) == [[1, 2, 0]]


# --- after charge-off (P12) --------------------------------------------------------------------------------------

SUIT = {
    "action": "litigation",
    "judgment_months": 5,
    "won_percent": 100.0,
    "enforced_percent": 40.0,
    "cost_percent": 4.0,
    "cost_per_contact": 11.0,
}
SALE = {"action": "debt_sale", "price_percent": 7.0}
COLLECTED = {"deficiency_share": np.array([0.2]), "deficiency_lag": np.array([9])}
GONE = 9_000.0 * 1.04
"""What is owed at a charge-off in month 3 by a loan three instalments behind."""


def charged_off(*rungs: dict[str, Any]) -> dict[str, Any]:
    """In arrears at closes 1 and 2, charged off in month 3; there is no car to sell."""
    parameters = certain({1: 2, 2: 3, 3: "charge_off"}, found_share=np.zeros(1), **COLLECTED)
    return worked([LOAN], parameters, ladder(*rungs), months=4)


def test_a_won_suit_is_enforced_so_many_months_after_filing() -> None:
    path = charged_off(SUIT, SALE)
    assert booked(path, "collection_cost") == {1: pytest.approx(11.0 + 0.04 * 9_000.0 * 1.02)}  # filed once
    assert booked(path, "judgment_cash") == {6: pytest.approx(0.4 * GONE)}
    assert booked(path, "cash")[6] == booked(path, "recovery")[6] == pytest.approx(0.4 * GONE)
    assert booked(path, "ultimate_loss") == {3: pytest.approx(GONE - 0.4 * GONE / 1.01**3)}
    assert not booked(path, "deficiency_cash")
    assert not booked(path, "debt_sale_cash")
    at_once = charged_off({**SUIT, "judgment_months": 1})
    assert booked(at_once, "judgment_cash") == {3: pytest.approx(0.4 * GONE)}


def test_without_a_won_suit_debts_are_sold_or_collected_as_ever() -> None:
    lost = {**SUIT, "won_percent": 0.0}
    sold = charged_off(lost, SALE)
    assert booked(sold, "debt_sale_cash") == {4: pytest.approx(0.07 * GONE)}
    assert booked(sold, "ultimate_loss") == {3: pytest.approx(GONE - 0.07 * GONE / 1.01)}
    collected = charged_off(lost)
    assert booked(collected, "deficiency_cash") == {12: pytest.approx(0.2 * GONE)}
    for path in (sold, collected):
        assert not booked(path, "judgment_cash")


def test_suits_are_won_by_their_share() -> None:
    path = worked([LOAN] * SAMPLE, certain({1: 2, 2: "charge_off"}), ladder({**SUIT, "won_percent": 65.0}), 2)
    cash = booked(path, "judgment_cash")
    assert list(cash) == [6]
    won = round(cash[6] / (0.4 * 9_000.0 * 1.03))
    assert cash[6] == pytest.approx(won * 0.4 * 9_000.0 * 1.03)
    assert_shares(np.array([won]), [0.65], SAMPLE, normal_bound(FALSE_ALARM, 1))


# --- costs and incidents (P9), (P11) -----------------------------------------------------------------------------


def test_commission_is_paid_on_what_the_borrower_pays_in_the_next_month() -> None:
    agency = {"action": "outsourcing", "commission_percent": 25.0, "contacts_per_month": 2.0, "cost_per_contact": 1.5}
    parameters = certain({1: 2, 2: 0}, late_fee=np.array([30.0]))
    path = worked([LOAN], parameters, ladder(agency), months=3)
    # Month 2 brings three months' interest, and two instalments are late.
    assert booked(path, "cash")[2] == pytest.approx(3 * 90.0 + 2 * 30.0)
    assert booked(path, "collection_cost") == {1: 3.0, 2: pytest.approx(0.25 * 330.0)}
    assert [path["rung"]["cost", month, 0] for month in (1, 2)] == pytest.approx([3.0, 82.5])
    late = {**LOAN, "days_past_due": BUCKET_DAYS[2]}
    after = worked([late], certain({2: 3, 3: 0}), ladder(agency), months=1)
    assert booked(after, "collection_cost") == {1: 3.0}  # the loan pays in month 2, after the horizon
    assert booked(after, "interest_paid")[2] > 0.0


def test_a_regulatory_event_closes_field_pools_that_are_paid_all_the_same() -> None:
    """Certain to happen where visits are made: closed for two months, open in the next; a closed pool does not hire."""
    hiring = {"step_percent": 100.0, "most_percent": 300.0}
    field = {"hours_per_month": 4.0, "cost_per_hour": 10.0, "field": True, "hiring": hiring}
    visit = {
        "action": "visit",
        "pool": "trucks",
        "contacts_per_month": 10.0,
        "hours_per_contact": 0.1,
        "incidents": {"regulatory": 1000.0},
    }
    conduct = {"suspension_months": 2, "cost": {"regulatory": 500.0}, "standard": 10.0}
    strategy = ladder(visit, call(), pools={"trucks": field, **desk(4.0)}, incidents=conduct)
    path = worked([LOAN] * 13, certain({}), strategy, months=5)
    assert pool_months(path, "capacity", "trucks") == [4.0, 0.0, 0.0, 8.0, 0.0]
    assert pool_months(path, "served", "trucks") == pytest.approx([4.0, 0.0, 0.0, 8.0, 0.0])
    assert pool_months(path, "cost", "trucks") == [40.0, 80.0, 80.0, 80.0, 120.0]
    assert pool_months(path, "served") == [4.0] * 5
    events = [path["incident"]["regulatory", month] for month in range(1, 6)]
    assert [number > 0 for number in events] == [True, False, False, True, False]
    assert booked(path, "incident_cost") == {month: 500.0 * events[month - 1] for month in (1, 4)}


def test_incidents_are_poisson_at_the_rate_of_the_contacts_made() -> None:
    """Two contacts each of five loans, 500 complaints a thousand, half the usual standard: 2.5 a month."""
    rung = {"action": "visit", "contacts_per_month": 2.0, "incidents": {"complaint": 500.0}}
    counts = incidents([LOAN] * 5, ladder(rung, incidents={"standard": 0.5}), months=20, paths=40)
    z = (counts.sum() - 2.5 * counts.size) / math.sqrt(2.5 * counts.size)
    assert abs(z) < normal_bound(FALSE_ALARM, 1)
    assert counts.var() == pytest.approx(2.5, rel=0.3)
    teams = incidents([LOAN] * 5, ladder(rung, incidents={"standard": 0.5, "variance": 0.8}), months=20, paths=40)
    # Paths share a factor of variance 0.8: mean counts of a path vary by that beside a twentieth of Poisson's.
    assert teams.mean(axis=1).var() / 2.5**2 == pytest.approx(0.8 + 0.4 / 20, rel=0.75)
    assert counts.mean(axis=1).var() / 2.5**2 == pytest.approx(0.4 / 20, rel=0.6)


def incidents(rows: list[dict[str, Any]], strategy: CollectionStrategy, months: int, paths: int) -> np.ndarray:
    """Complaints, int64[path, month]."""
    macro, servicing = macro_at(certain({}), months + 24 + 12), Servicing(strategy=strategy, observed=(None,))
    world = plain_world(tape_of(rows), macro, certain({}), months=months, seed=5, servicing=servicing)
    found = simulate_plain(world, paths)
    return np.array([[path["incident"]["complaint", month] for month in range(1, months + 1)] for path in found])


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.7, 5.0, 60.0, 2_000.0])
def test_poisson_quantiles(mean: float) -> None:
    for u in (1e-9, 0.003, 0.31, 0.5, 0.97, 1.0 - 1e-9):
        expected = stats.poisson.ppf(u, mean) if mean else 0
        assert poisson_quantile(u, mean) == expected


@pytest.mark.parametrize("shape", [0.1, 0.5, 1.0, 2.5, 40.0, 1000.0])
def test_gamma_quantiles(shape: float) -> None:
    for u in (1e-6, 0.03, 0.5, 0.9, 1.0 - 1e-8):
        assert gamma_quantile(u, shape) == pytest.approx(float(stats.gamma.ppf(u, shape)), rel=1e-6, abs=1e-300)
