"""The plain reference's care of loans without arrears by pencil and paper: watch list, what is averted, who waits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from known_cases import assert_shares, normal_bound
from plain_books import plain_run
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import CHARGED_OFF, ENTER, HISTORY_MONTHS
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from small_books import BUCKET_DAYS, certain, quiet

LOAN: dict[str, Any] = {
    "current_balance": 9_000.0,
    "rate": 0.12,
    "remaining_term": 100,
    "amortisation": "interest_only",
    "vehicle_value": 1e6,
}
"""Nothing is past due, and its principal stays."""

FALSE_ALARM = 1e-4
SAMPLE = 2_000


def care(*rungs: dict[str, Any], **more: Any) -> CollectionStrategy:
    source = "Assumption of a test: no figure is anybody's."
    return CollectionStrategy(name="tried", title="Tried", currency="USD", while_current=rungs, source=source, **more)


def cared(
    rows: list[dict[str, Any]], parameters: Parameters, strategy: CollectionStrategy | None, months: int, **more: Any
) -> dict[str, Any]:
    """One path of a few loans under a strategy."""
    servicing = Servicing(strategy=strategy, observed=(more.pop("observed", None),))
    return plain_run(rows, parameters, months=months, servicing=servicing, **more)


def entering(intensity: float, **changes: Any) -> Parameters:
    """Quiet set whose loans without arrears fall behind with an intensity, and do nothing else."""
    table = np.zeros((1, 4, 6))
    table[0, 0, 1] = intensity
    return quiet(intensity=table, **changes)


def told(path: dict[str, Any], figure: str, months: int, place: int = 0) -> list[float]:
    """A figure of a rung, months 1, 2, ..."""
    return [path["rung"].get((figure, month, place), 0.0) for month in range(1, months + 1)]


def column(path: dict[str, Any], month: int, item: int) -> np.ndarray:
    """A figure of every loan's history: 0 is the state, 5 the type, 6 the sum of rungs carried out."""
    return np.array([rows[month][item] for rows in path["history"].values()])


# --- what a rung averts (P15) -------------------------------------------------------------------------------------


def test_a_share_of_those_reached_does_not_fall_behind_by_type() -> None:
    share, averted = np.array([0.5, 0.3, 0.2]), np.array([0.6, 0.3, 0.1])
    by_type = dict(zip(("forgetful", "hardship", "strategic"), (100.0 * averted).tolist(), strict=True))
    reminder = {"action": "reminder", "reach_percent": 80, "averted_percent": by_type}
    path = cared([LOAN] * SAMPLE, certain({0: 1}, type_share=share[None]), care(reminder), months=1)
    late = column(path, 1, 0) == 1
    counts = np.bincount(column(path, 1, 5)[late], minlength=3)
    assert_shares(counts, share * (1.0 - 0.8 * averted), SAMPLE, normal_bound(FALSE_ALARM, 3))
    assert told(path, "averted", 1) == [SAMPLE - late.sum()]


def test_the_first_rung_averts_and_what_followed_is_counted_for_each() -> None:
    reminder = {"action": "reminder", "averted_percent": 100, "cost_per_contact": 0.5, "contacts_per_month": 2}
    call = {"action": "check_in", "averted_percent": 100, "reach_percent": 60}
    path = cared([LOAN] * 4, certain({0: 1}), care(reminder, call), months=3)
    assert [column(path, month, 0).tolist() for month in range(4)] == [[0] * 4] * 4
    assert [column(path, month, 6).tolist() for month in range(4)] == [[3] * 4] * 4
    assert (told(path, "averted", 3), told(path, "averted", 3, 1)) == ([4.0] * 3, [0.0] * 3)
    assert told(path, "followed", 3) == told(path, "followed", 3, 1) == [4.0, 4.0, 0.0]
    assert (told(path, "contacts", 3), told(path, "cost", 3)) == ([8.0] * 3, [4.0] * 3)
    assert told(path, "reached", 3, 1) == [pytest.approx(2.4)] * 3
    assert [path["book"]["collection_cost", month] for month in (1, 2, 3)] == [4.0] * 3


def test_each_month_has_its_own_draw() -> None:
    """Half of those left fall behind each month, and the close before the first month counts like any other."""
    path = cared([LOAN] * SAMPLE, certain({0: 1}), care({"action": "check_in", "averted_percent": 50}), months=3)
    left = np.array([(column(path, month, 0) == 0).sum() for month in (1, 2, 3)])
    assert_shares(left, [0.5, 0.25, 0.125], SAMPLE, normal_bound(FALSE_ALARM, 3))


def test_a_direct_charge_off_is_not_averted() -> None:
    path = cared([LOAN], certain({0: "charge_off"}), care({"action": "reminder", "averted_percent": 100}), months=1)
    assert column(path, 1, 0).tolist() == [CHARGED_OFF]
    assert told(path, "averted", 1) == [0.0]


def test_who_a_rung_is_for() -> None:
    rows = [{**LOAN, "tracker": place == 0, "starter_interrupt": place == 1} for place in range(3)]
    rows += [{**LOAN, "region": "NV"}, {**LOAN, "days_past_due": BUCKET_DAYS[1]}]
    for who, asked in (({"tracker": True}, [0]), ({"starter_interrupt": False}, [0, 2, 3]), ({"regions": ["NV"]}, [3])):
        path = cared(rows, certain({}), care({"action": "reminder", "who": who}), months=1)
        for month in (0, 1):
            assert np.flatnonzero(column(path, month, 6)).tolist() == asked


# --- the watch list (P14) ----------------------------------------------------------------------------------------

WATCHED: dict[str, Any] = {"action": "check_in", "who": {"watched": True}}


@pytest.mark.parametrize(("averted", "intensity"), [(0.0, 0.01), (50.0, 0.02)])
@pytest.mark.parametrize("above", [False, True])
def test_who_is_predicted_to_fall_behind_where_nobody_acts_is_watched(
    averted: float, intensity: float, above: bool
) -> None:
    """The observed strategy averted half of what comes where nobody acts."""
    percent = 100.0 * -math.expm1(-intensity * (1.01 if above else 0.99))
    strategy = care(WATCHED, watch_list={"from_hazard_percent": percent})
    observed = care({"action": "reminder", "averted_percent": averted})
    path = cared([LOAN] * 3, entering(0.01), strategy, months=1, observed=observed)
    assert column(path, 0, 6).tolist() == [0 if above else 1] * 3


def test_macro_variables_are_known_late() -> None:
    """Unemployment doubles the intensity from month 2 on; after three months more it is known."""
    months, sensitivity = 7, np.zeros_like(quiet().sensitivity)
    sensitivity[0, ENTER, 0] = math.log(2.0) / 0.01
    parameters = entering(1e-6, sensitivity=sensitivity)
    strategy = care(WATCHED, watch_list={"from_hazard_percent": 1.5e-4, "macro_lag_months": 3})
    path = cared([LOAN], parameters, strategy, months, moved={"unemployment": late_by(parameters, months, 2)})
    assert told(path, "asked", months) == [0.0] * 4 + [1.0] * 3


def late_by(parameters: Parameters, months: int, first: int) -> np.ndarray:
    """A point of unemployment more from a month on."""
    return np.where(np.arange(months_needed(parameters, months) + 1) >= first, 0.01, 0.0)


def test_a_loan_worth_more_than_its_car_is_watched() -> None:
    strategy = care(WATCHED, watch_list={"from_ltv_percent": 150})
    path = cared([LOAN, {**LOAN, "vehicle_value": 100.0}], certain({}), strategy, months=1)
    assert column(path, 1, 6).tolist() == [0, 1]


def test_alerts_precede_their_share_of_entries_and_are_right_as_often_as_stated() -> None:
    """Entries are a little fewer than their intensity, of which alerts are told."""
    strategy = care(WATCHED, watch_list={"alerts": {"hits_percent": 60, "right_percent": 50}})
    rows = [{**LOAN, "tracker": True}] * SAMPLE + [LOAN] * 50
    path = cared(rows, entering(0.2), strategy, months=1)
    alerted, late = column(path, 0, 6) == 1, column(path, 1, 0) == 1
    enters = -math.expm1(-0.2)
    shares = [0.6 * 0.2 / 0.5, 0.6 * enters]
    counts = np.array([alerted.sum(), (alerted & late).sum()])
    assert_shares(counts, shares, SAMPLE, normal_bound(FALSE_ALARM, 2))
    assert not alerted[SAMPLE:].any()
    assert path["care"]["alerts", 0] == alerted.sum()


# --- pools (P2) and the observed strategy (P16) --------------------------------------------------------------------


def test_loans_wait_for_a_call_and_forget_it_when_arrears_begin() -> None:
    """Current from month 1 on, late again in month 4; the desk has time for one, and another loan is later still."""
    multiplier = np.zeros((1, 2, HISTORY_MONTHS + 1))
    multiplier[:, :, 2] = 1.0
    parameters = certain({0: 1, 1: 0}, history_multiplier=multiplier)
    call = {"pool": "desk", "hours_per_contact": 1.0}
    pools = {"desk": {"hours_per_month": 1.0, "priority": {"bucket": 1.0}}}
    strategy = care({"action": "check_in", **call}, ladder=[{"action": "phone", **call}], pools=pools)
    rows = [{**LOAN, "days_past_due": BUCKET_DAYS[late]} for late in (1, 2)]
    path = cared(rows, parameters, strategy, months=4)
    assert [column(path, month, 0).tolist() for month in range(5)] == [[1, 2], [0, 2], [0, 2], [0, 2], [1, 2]]
    assert [path["pool"]["pool_waiting_months", "desk", month] for month in range(1, 5)] == [1.0, 2.0, 3.0, 1.0]
    assert [path["care"]["waiting", month] for month in range(1, 5)] == [1, 1, 1, 0]


def test_the_longest_waiting_comes_first() -> None:
    pools = {"desk": {"hours_per_month": 1.0, "priority": {"waiting": 1.0}}}
    strategy = care({"action": "check_in", "pool": "desk", "hours_per_contact": 1.0}, pools=pools)
    path = cared([LOAN] * 3, certain({}), strategy, months=4)
    served = [column(path, month, 6).tolist() for month in range(5)]
    assert served == [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]  # before the first close, all


@pytest.mark.parametrize(("acts", "enters"), [("as observed", 0.5 * -math.expm1(-0.2)), ("nobody", -math.expm1(-0.2))])
def test_entries_are_relative_to_the_observed_strategy(acts: str, enters: float) -> None:
    observed = care({"action": "reminder", "averted_percent": 50})
    strategy = observed if acts == "as observed" else care({"action": "reminder", "averted_percent": 0})
    path = cared([LOAN] * SAMPLE, entering(0.1), strategy, months=1, observed=observed)
    late = (column(path, 1, 0) == 1).sum()
    assert_shares(np.array([late]), [enters], SAMPLE, normal_bound(FALSE_ALARM, 1))


def test_without_a_strategy_entries_are_those_of_the_set() -> None:
    observed = care({"action": "reminder", "averted_percent": 50})
    states = [column(cared([LOAN] * 50, entering(0.1), None, 6, observed=item), 6, 0) for item in (None, observed)]
    assert states[0].any()
    assert np.array_equal(*states)
