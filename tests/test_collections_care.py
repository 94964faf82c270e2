"""Rungs for loans without arrears and the watch list: known shares, who is on the list, who gets a turn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from known_cases import normal_bound
from ladders import ladder, rung
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import BOOK_VARIABLES, CAUSE_CLASSES, ENTER, MACRO_VARIABLES, MATURED, TRACE_VARIABLES
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from small_books import (
    certain,
    changed,
    endless_loans,
    equal_loans,
    macro_at,
    mixed_book,
    run,
    shipped,
    tape_of,
    values,
)

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

ENTRY = 0.04
LOANS, PATHS, MONTHS = 500, 60, 6


def entering(**changes: Any) -> Parameters:
    """Loans fall behind with a known intensity, and cure in the month after."""
    parameters = certain({1: 0})
    intensity = parameters.intensity.copy()
    intensity[0, 0, 1] = ENTRY
    return changed(parameters, intensity=intensity, **changes)


def care(*rungs: dict[str, Any], **more: Any) -> CollectionStrategy:
    return ladder(while_current=list(rungs), **more)


def figure(results: xr.Dataset, name: str, label: str) -> NDArray[np.float64]:
    """Mean of what a rung did, by month."""
    return results[f"rung_{name}_mean"].sel(rung=label).to_numpy()[0, 0, 0]


def entries(results: xr.Dataset) -> NDArray[np.float64]:
    """Mean number of loans without arrears that fell behind, by month."""
    return results["transition_count_mean"].sel(from_bucket="current").to_numpy()[0, 0, 0][:, 1]


def close_to(found: float, expected: float, tests: int = 1) -> bool:
    """Whether a count is what a binomial with that mean may give."""
    return abs(found - expected) < normal_bound(FALSE_ALARM, tests) * math.sqrt(expected)


# --- what is averted ---------------------------------------------------------------------------------------------


def test_reminders_avert_the_stated_share() -> None:
    """Of entries 0.8 x 30 %; and the counts add up path by path; at most one in 10,000 seeds misses."""
    reminder = rung("reminder", reach_percent=80, averted_percent=30, cost_per_contact=0.5)
    results = run(
        endless_loans(LOANS), entering(), paths=PATHS, months=MONTHS, seed=3, servicing=Servicing(care(reminder))
    )
    asked, followed, averted = (figure(results, name, "reminder") for name in ("asked", "followed", "averted"))
    fell = entries(results)
    current = np.concatenate([[LOANS], LOANS - fell[:-1]])  # whoever fell behind cures, and is asked again
    assert asked == pytest.approx(LOANS - fell)
    assert np.array_equal(figure(results, "served", "reminder"), asked)
    assert figure(results, "reached", "reminder") == pytest.approx(0.8 * asked)
    assert figure(results, "cost", "reminder") == pytest.approx(0.5 * asked)
    would = -math.expm1(-ENTRY) * current.sum() * PATHS
    assert close_to((fell + averted).sum() * PATHS, would, 3)
    assert close_to(averted.sum() * PATHS, 0.24 * would, 3)
    # Who followed in a month fell behind in the next or was averted in it; nobody is told of the month after the last.
    assert followed[:-1] == pytest.approx(fell[1:] + averted[1:])
    assert followed[-1] == 0.0


def test_types_are_averted_apart() -> None:
    """Hardship alone is averted, and half of it: the others fall behind as without anybody's care."""
    shares = np.array([[0.5, 0.3, 0.2]])
    tape = endless_loans(LOANS)
    ids = tuple(tape["loan_id"].tolist())
    where = {"paths": 30, "months": 1, "seed": 5, "trace": ids}
    usual = run(tape, entering(type_share=shares), **where)
    cared = care(rung("reminder", averted_percent={"hardship": 50}))
    found = run(tape, entering(type_share=shares), **where, servicing=Servicing(cared))
    before, after = (values(each, "trace_type")[..., 1] for each in (usual, found))
    for kind, kept in ((0, 1.0), (1, 0.5), (2, 1.0)):
        fell = before == kind
        assert fell.sum() > 100
        if kept == 1.0:
            assert (after[fell] == kind).all()
        else:
            share, error = (after[fell] == kind).mean(), math.sqrt(0.25 / fell.sum())
            assert abs(share - kept) < normal_bound(FALSE_ALARM, 1) * error
    assert (after[before < 0] < 0).all()


def test_more_averted_never_worsens_a_loan_in_the_next_month() -> None:
    tape = mixed_book(90, seed=7)
    ids = tuple(tape["loan_id"].tolist())

    def states(percent: float) -> NDArray[np.float64]:
        servicing = Servicing(care(rung("reminder", averted_percent=percent)))
        where = {"paths": 60, "months": 1, "seed": 2, "trace": ids}
        return values(run(tape, shipped("us_deep_subprime"), **where, servicing=servicing), "trace_state")[..., 1]

    weak, strong = states(20), states(90)
    fell = (weak == 1) & (strong != 1)
    assert (weak[~fell] == strong[~fell]).all()
    assert np.isin(strong[fell], (0, MATURED)).all()
    assert fell.sum() > 20


def test_without_effect_nothing_changes_loan_by_loan() -> None:
    tape = mixed_book(60, seed=3)
    ids = tuple(tape["loan_id"].tolist())
    watch = {"from_hazard_percent": 3, "from_ltv_percent": 110, "alerts": {"hits_percent": 40, "right_percent": 30}}
    rungs = (
        rung("reminder"),
        rung("check_in", who={"watched": True}, pool="agents", hours_per_contact=0.5, reach_percent=50),
    )
    pools = {"agents": {"hours_per_month": 3, "priority": {"waiting": 1}}}
    found = [
        run(tape, shipped("us_subprime"), paths=4, months=12, seed=5, trace=ids, servicing=Servicing(strategy))
        for strategy in (ladder(rung("sms")), ladder(rung("sms"), while_current=rungs, watch_list=watch, pools=pools))
    ]
    for name in (*(name for name, *_ in TRACE_VARIABLES if name != "trace_rungs"), *(v.name for v in BOOK_VARIABLES)):
        assert np.array_equal(*(values(each, name) for each in found), equal_nan=True), name
    assert values(found[1], "trace_rungs").max() >= 6.0


def test_a_set_observed_with_reminders_enters_arrears_as_published() -> None:
    """(P16): with the observed strategy as without any; without reminders more fall behind; 1 seed in 10,000 fails."""
    observed = care(rung("reminder", reach_percent=90, averted_percent=40), name="observed")
    fell = {}
    for name, strategy in (("usual", None), ("observed", observed), ("none", ladder())):
        servicing = Servicing(strategy, (observed,)) if strategy else Servicing()
        where = {"paths": PATHS, "months": MONTHS, "seed": 3}
        fell[name] = entries(run(endless_loans(LOANS), entering(), **where, servicing=servicing)).sum() * PATHS
    share = 1.0 - 0.9 * 0.4
    exact = share * -math.expm1(-ENTRY / share) / -math.expm1(-ENTRY)  # a month has no second entry
    assert 0.98 < exact < 1.0
    assert abs(fell["observed"] - fell["usual"] * exact) < normal_bound(FALSE_ALARM, 1) * math.sqrt(2 * fell["usual"])
    assert fell["none"] > 1.3 * fell["usual"]


# --- who is watched ----------------------------------------------------------------------------------------------


def test_a_loan_is_watched_from_its_loan_to_value_on() -> None:
    tape = mixed_book(120, seed=2)
    ids = tuple(tape["loan_id"].tolist())
    strategy = care(rung("check_in", who={"watched": True}), watch_list={"from_ltv_percent": 90})
    where = {"paths": 5, "months": 10, "seed": 4, "trace": ids}
    results = run(tape, shipped("us_subprime"), **where, servicing=Servicing(strategy))
    state, owed, value = (values(results, f"trace_{name}") for name in ("state", "balance", "value"))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (state == 0) & (owed >= 0.9 * value)
    assert np.array_equal(values(results, "trace_rungs") == 1.0, expected)
    assert 0.05 < expected[..., 1:].mean() < 0.6


def test_the_list_holds_who_is_predicted_to_fall_behind() -> None:
    """Two tiers, one of which is predicted above the threshold; unemployment raises both once it is known."""
    parameters = shipped("us_prime", "us_deep_subprime")
    tape = tape_of([{"score": 780 if place % 2 else 480} for place in range(200)])
    strategy = care(
        rung("check_in", who={"watched": True}), watch_list={"from_hazard_percent": 3, "macro_lag_months": 3}
    )
    results = run(tape, parameters, paths=10, months=4, seed=4, servicing=Servicing(strategy))
    share = figure(results, "asked", "check_in") / results["live_count"].mean("path").to_numpy()[0, 0, 0]
    assert (share > 0.2).all()
    assert (share < 0.55).all()


def test_macro_variables_are_known_late() -> None:
    """A jump of unemployment in month 2 puts all on the list at the close of month 2 plus the lag, not before."""
    from simulator.engine import simulate
    from simulator.horizon import months_needed

    sensitivity = np.zeros((1, len(CAUSE_CLASSES), len(MACRO_VARIABLES)))
    sensitivity[0, ENTER, MACRO_VARIABLES.index("unemployment")] = 10.0
    parameters, months = entering(sensitivity=sensitivity), 6
    needed = months_needed(parameters, months)
    macro = macro_at(parameters, needed, unemployment=[0.0, 0.0, *[0.14] * (needed - 1)])

    def asked(lag: int) -> list[bool]:
        watch = {"from_hazard_percent": 10, "macro_lag_months": lag}
        strategy = care(rung("check_in", who={"watched": True}), watch_list=watch)
        where = {"paths": 2, "months": months, "seed": 4, "servicing": Servicing(strategy)}
        results = simulate(equal_loans(50), macro, parameters, **where)
        return [bool(found > 0.0) for found in figure(results, "asked", "check_in")]

    assert asked(0) == [False, True, True, True, True, True]
    assert asked(2) == [False, False, False, True, True, True]


def test_alerts_are_heard_and_right_as_often_as_stated() -> None:
    """Prediction and truth are one here: 40 % of entries have an alert, 25 % of alerts an entry (1 seed in 10,000)."""
    watch = {"alerts": {"hits_percent": 40, "right_percent": 25}}
    strategy = care(rung("check_in", who={"watched": True}), watch_list=watch)
    where = {"paths": PATHS, "months": MONTHS, "seed": 6, "servicing": Servicing(strategy)}
    tape = equal_loans(LOANS, rate=0.0, current_balance=3_000.0, remaining_term=3_000, days_past_due=0, tracker=True)
    results = run(tape, entering(), **where)
    asked, followed = (figure(results, name, "check_in") for name in ("asked", "followed"))
    fell = entries(results)
    assert close_to(followed[:-1].sum() * PATHS, 0.4 * fell[1:].sum() * PATHS, 2)
    # The prediction is an intensity, of which 1 - exp(-x) enter: alerts are right a little less often.
    right = -math.expm1(-ENTRY) / ENTRY * 0.25
    assert close_to(followed[:-1].sum() * PATHS, right * asked[:-1].sum() * PATHS, 2)
    without = run(endless_loans(LOANS), entering(), **where)
    assert figure(without, "asked", "check_in").sum() == 0.0


# --- queues ------------------------------------------------------------------------------------------------------


def test_whoever_waits_gets_a_turn() -> None:
    """Hours for a third of the book: with months waited in the priority each loan is called every third month."""
    tape = endless_loans(30)
    ids = tuple(tape["loan_id"].tolist())
    agents = {"agents": {"hours_per_month": 5, "priority": {"waiting": 1}}}
    call = rung("check_in", pool="agents", hours_per_contact=0.5)
    results = run(
        tape, certain({}), paths=1, months=9, seed=4, trace=ids, servicing=Servicing(care(call, pools=agents))
    )
    served = values(results, "trace_rungs")[:, 0, 1:]
    assert (served.sum(axis=1) == 3.0).all()
    assert (served.sum(axis=0) == 10.0).all()
    assert [values(results, f"pool_{name}")[0, -1, 0] for name in ("demand", "served", "waiting")] == [15.0, 5.0, 20.0]


def test_arrears_come_before_whoever_pays() -> None:
    """One pool: a bucket past due weighs more than none; what is left goes to the loans without arrears."""
    tape = tape_of([{"days_past_due": 45 if place < 4 else 0} for place in range(20)])
    strategy = ladder(
        rung("phone", pool="agents", hours_per_contact=1),
        while_current=[rung("check_in", pool="agents", hours_per_contact=0.5)],
        pools={"agents": {"hours_per_month": 7}},
    )
    results = run(tape, certain({}), paths=1, months=3, seed=4, servicing=Servicing(strategy))
    assert figure(results, "served", "phone").tolist() == [4.0] * 3
    assert figure(results, "served", "check_in").tolist() == [6.0] * 3


def test_the_list_finds_more_than_chance_on_a_shipped_set() -> None:
    """Half of the list falls behind more often than the rest: what the set says of its borrowers is worth something."""
    strategy = care(
        rung("check_in", name="listed", who={"watched": True}),
        rung("check_in", name="others", who={"watched": False}),
        watch_list={"from_hazard_percent": 3.5},
    )
    tape = mixed_book(400, seed=9)
    results = run(tape, shipped("us_subprime"), paths=60, months=8, seed=4, servicing=Servicing(strategy))
    rate = {
        label: figure(results, "followed", label)[:-1].sum() / figure(results, "asked", label)[:-1].sum()
        for label in ("listed", "others")
    }
    assert rate["listed"] > 1.3 * rate["others"]
