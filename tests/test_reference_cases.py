"""The plain reference by itself: workout, total loss, histories, types by pencil and paper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from known_cases import assert_shares, normal_bound
from plain_books import booked, plain_run
from scenarios.vocabulary import (
    CAUSE_CLASSES,
    CURE,
    HARDSHIP,
    HISTORY_MONTHS,
    MATURED,
    STRATEGIC,
    TOTAL_LOSS,
    TYPES,
)
from simulator.servicing import Servicing
from small_books import BUCKET_DAYS, CERTAIN, certain, changed, quiet

LOAN = {"current_balance": 9_000.0, "rate": 0.12, "remaining_term": 18}

# --- workout (8b), (8), (7) --------------------------------------------------------------------------------------

TERMS: dict[str, Any] = {
    "haircut": 0.25,
    "cost_fixed": 400.0,
    "cost_share": 0.05,
    "storage_per_month": 30.0,
    "lgd_floor": np.nan,
    "found_share": 0.0,
    "deficiency_share": 0.2,
}
LAGS = {"search_lag": np.array([2]), "sale_lag": np.array([4]), "deficiency_lag": np.array([9])}
SEASON = np.linspace(0.89, 1.11, 12)


def terms(**changes: float) -> dict[str, Any]:
    return {name: np.array([value]) for name, value in {**TERMS, **changes}.items()} | LAGS


def value_in(path: dict[str, Any], month: int, loan: str = "L00000") -> float:
    return float(path["history"][loan][month][3])


def test_sale_of_a_seized_car() -> None:
    parameters = certain(
        {1: 2, 2: "charge_off"}, seizure=np.array([[0.0, 0.0, CERTAIN, 0.0]]), season=SEASON, **terms()
    )
    loan = {**LOAN, "current_balance": 14_000.0, "days_past_due": BUCKET_DAYS[1]}
    path = plain_run([loan], parameters, months=12)
    standing = plain_run([loan], certain({}), months=12)
    # Seized at the close of month 1, charged off in month 2, cash in month 5: May.
    exposure = 14_000.0 * 1.03
    price = value_in(standing, 5) * 0.75 * SEASON[4]
    cost = 400.0 + 0.05 * price + 4 * 30.0
    assert 0.0 < price - cost < exposure
    collected = 0.2 * (exposure - (price - cost))
    assert booked(path, "charge_off") == {2: pytest.approx(exposure)}
    assert booked(path, "sale_proceeds") == {5: pytest.approx(price)}
    assert booked(path, "workout_cost") == {5: pytest.approx(cost)}
    assert booked(path, "deficiency_cash") == {11: pytest.approx(collected)}
    loss = exposure - (price - cost) / 1.01**3 - collected / 1.01**9
    assert booked(path, "ultimate_loss") == {2: pytest.approx(loss)}
    assert booked(path, "default_loss") == {2: pytest.approx(loss / 1.01)}
    assert path["shortfall_12m"][0] == pytest.approx(loss / 1.01**2)
    assert path["recovered"]["L00000"] == {2: pytest.approx(price - cost + collected)}


def test_a_car_seized_long_ago_is_sold_at_once_and_was_stored_all_the_time() -> None:
    parameters = certain({3: "charge_off"}, **terms())
    waiting = certain({2: 3, 3: "charge_off"}, seizure=np.array([[0.0, 0.0, 0.0, 0.0]]), **terms())
    path = plain_run([{**LOAN, "repossessed": True}], changed(parameters, sale_lag=np.array([0])), months=2)
    price = value_in(plain_run([LOAN], certain({}), months=2), 1) * 0.75
    assert booked(path, "workout_cost") == {1: pytest.approx(400.0 + 0.05 * price + 1 * 30.0)}
    late = plain_run([{**LOAN, "days_past_due": BUCKET_DAYS[2]}], waiting, months=3)
    assert list(booked(late, "charge_off")) == [2]
    assert not booked(late, "sold_count")


def test_a_car_found_later_and_a_floor_of_the_loss() -> None:
    loan = {**LOAN, "current_balance": 4_000.0, "days_past_due": BUCKET_DAYS[1]}
    path = plain_run([loan], certain({1: "charge_off"}, **terms(found_share=1.0, lgd_floor=0.3)), months=12)
    price = value_in(plain_run([loan], certain({}), months=8), 7) * 0.75
    cost = 400.0 + 0.05 * price + 4 * 30.0
    exposure = 4_000.0 * 1.02
    assert price - cost > 0.7 * exposure
    assert booked(path, "sale_proceeds") == {7: pytest.approx(0.7 * exposure + cost)}
    assert booked(path, "workout_cost") == {7: pytest.approx(cost)}
    assert booked(path, "deficiency_cash") == {10: pytest.approx(0.2 * 0.3 * exposure)}


def test_who_finds_a_car() -> None:
    """Found with probability found_share x tracker x segment: 0.2 x 2 x 1.5, of which 2,000 cars are a sample."""
    find = np.ones(9)
    find[0] = 1.5
    parameters = certain(
        {1: "charge_off"}, segment_find=find, tracker_multiplier=np.array([2.0]), **terms(found_share=0.2)
    )
    loan = {**LOAN, "days_past_due": BUCKET_DAYS[1]}
    path = plain_run([{**loan, "tracker": place % 2 == 0} for place in range(4_000)], parameters, months=1)
    sold = [loan for loan, row in path["recovered"].items() if row[1] > TERMS["deficiency_share"] * 9_180.0 + 1e-6]
    with_tracker = sum(int(loan[1:]) % 2 == 0 for loan in sold)
    bound = normal_bound(1e-4, 2)
    assert_shares(np.array([with_tracker, len(sold) - with_tracker]), [0.6, 0.3], 2_000, bound)


def test_fire_sale_follows_the_sales_of_the_month_before() -> None:
    late = {**LOAN, "current_balance": 20_000.0}
    rows = [{**late, "days_past_due": BUCKET_DAYS[3]}] * 3 + [{**late, "days_past_due": BUCKET_DAYS[2]}] + [LOAN] * 6
    sale = terms(found_share=1.0, deficiency_share=0.0) | {"baseline_sales": np.array([0.1])}
    moves: dict[int, int | str] = {2: 3, 3: "charge_off"}
    parameters = certain(moves, fire_sale_elasticity=0.5, **sale)
    alone, selling = (
        booked(plain_run(rows, parameters, months=4, servicing=Servicing(market_share=share)), "sale_proceeds")
        for share in (0.0, 0.4)
    )
    assert list(selling) == [7, 8]  # two months of search and four of sale
    assert selling[7] == alone[7]
    # Three cars of month 1 over 0.1 of the seven loans that are left.
    assert selling[8] == pytest.approx(alone[8] * (3.0 / 0.7) ** (-0.5 * 0.4))


# --- total loss (3j) ---------------------------------------------------------------------------------------------


def test_total_loss_and_the_cars_own_insurance() -> None:
    insurance = {"insured_share": np.array([0.75]), "insurance_deductible": np.array([500.0])}
    parameters = certain({}, total_loss=np.array([0.3]), **insurance, **terms(deficiency_share=0.5))
    loans = 2_000
    tape = [{**LOAN, "vehicle_value": 9_000.0, "days_past_due": BUCKET_DAYS[place % 2]} for place in range(loans)]
    path = plain_run(tape, parameters, months=1)
    ended = [row[1][0] == TOTAL_LOSS for row in path["history"].values()]
    assert all(row[1][0] in (0, 1, TOTAL_LOSS) for row in path["history"].values())
    paid = [row[1][4] > 0.0 for row in path["history"].values() if row[1][0] == TOTAL_LOSS]
    bound = normal_bound(1e-4, 3)
    gone = 1.0 - math.exp(-0.3)
    assert_shares(np.array([sum(ended[::2]), sum(ended[1::2])]), [gone, gone], loans // 2, bound)
    assert_shares(np.array([sum(paid)]), [0.75], len(paid), bound)
    value = value_in(plain_run([{**LOAN, "vehicle_value": 9_000.0}], certain({}), months=1), 1)
    retail = value / parameters.wholesale["retail"]
    for row in path["history"].values():
        if row[1][0] == TOTAL_LOSS:
            state = row[0][0]
            short = row[0][1] * (1.0 + 0.01 * (state + 1)) - (retail - 500.0 if row[1][4] else 0.0)
            assert row[1][2] == pytest.approx(short * (1.0 - 0.5 / 1.01**9))
    assert not booked(path, "charge_off_count")
    assert booked(path, "default_count") == {1: sum(ended)}


def test_total_loss_is_a_part_of_payoff() -> None:
    intensity = np.zeros((1, 4, 6))
    intensity[0, :, 5] = 0.5
    parameters = quiet(intensity=intensity, total_loss=np.array([0.2]))
    loans = 2_000
    path = plain_run(
        [{**LOAN, "days_past_due": BUCKET_DAYS[place % 2]} for place in range(loans)], parameters, months=1
    )
    states = [row[1][0] for row in path["history"].values()]
    share = 1.0 - math.exp(-0.5)
    counts = np.array([states[first::2].count(TOTAL_LOSS) for first in (0, 1)])
    assert_shares(counts, [0.4 * share] * 2, loans // 2, normal_bound(1e-4, 3))
    assert_shares(np.array([loans - sum(state < MATURED for state in states)]), [share], loans, normal_bound(1e-4, 3))


# --- histories and types (3f), (3g), (3h), (3k), (4) -------------------------------------------------------------


def test_opening_histories_are_those_of_the_pool_and_act_by_age() -> None:
    shares = np.zeros((1, 1 + 2 * HISTORY_MONTHS))
    shares[0, [0, 1 + 2, 1 + HISTORY_MONTHS + 5]] = 0.5, 0.3, 0.2
    multiplier = np.zeros((1, 2, HISTORY_MONTHS + 1))
    multiplier[0, 0, 2] = multiplier[0, 1, 5] = CERTAIN  # a loan that is neither clean nor of another month enters
    multiplier[:, :, -1] = 1.0
    intensity = np.zeros((1, 4, 6))
    intensity[0, 0, 1] = 1e-6
    parameters = quiet(intensity=intensity, open_history=shares, history_multiplier=multiplier)
    loans = 2_000
    path = plain_run([LOAN] * loans, parameters, months=1)
    late = [row[1][0] == 1 for row in path["history"].values()]
    modified = [row[0][-1] & 1 for row in path["history"].values()]
    assert_shares(np.array([sum(late), sum(modified)]), [0.5, 0.2], loans, normal_bound(1e-4, 2))
    young = plain_run([{**LOAN, "origination_date": np.datetime64("2024-08")}] * 400, parameters, months=1)
    assert {row[0][-1] & 1 for row in young["history"].values()} == {0}  # five months ago there was no loan


def test_a_loan_that_returns_is_known_by_its_months_without_arrears() -> None:
    """Current again in month 1, it enters when the multiplier of its third month is met."""
    multiplier = np.zeros((1, 2, HISTORY_MONTHS + 1))
    multiplier[:, :, 2] = 1.0
    parameters = certain({0: 1, 1: 0}, history_multiplier=multiplier)
    path = plain_run([{**LOAN, "days_past_due": BUCKET_DAYS[1]}], parameters, months=4)
    assert [row[0] for row in path["history"]["L00000"]] == [1, 0, 0, 0, 1]


def test_types_at_entry() -> None:
    """Two points of unemployment double the odds of hardship; half the entries beyond follow from negative equity."""
    parameters = certain(
        {0: 1},
        type_share=np.array([[0.5, 0.3, 0.2]]),
        hardship_per_point=np.array([math.log(2.0) / 0.02]),
        equity_slope=np.array([1.0]),
        equity_cap=np.array([1.25]),
        equity_threshold=np.array([0.9]),
    )
    loans = 2_000
    tape = [{**LOAN, "vehicle_value": 100.0}] * loans
    path = plain_run(tape, parameters, months=1, moved={"unemployment": 0.02})
    kinds = [row[1][5] for row in path["history"].values()]
    equity = 0.25 / 1.25
    shares = (1.0 - equity) * np.array([0.5, 0.6, 0.2]) / 1.3
    shares[STRATEGIC] += equity
    assert_shares(np.bincount(kinds, minlength=3), shares, loans, normal_bound(1e-4, 3))


def test_hardship_ends_and_types_act() -> None:
    multiplier = np.ones((1, len(TYPES), len(CAUSE_CLASSES)))
    multiplier[0, HARDSHIP:, CURE] = 0.0
    types = np.zeros((1, 4, 3))
    types[0, :] = 0.0, 0.6, 0.4
    parameters = certain({1: 0}, type_multiplier=multiplier, open_type=types, spell_end=np.array([math.log(2.0)]))
    loans = 2_000
    path = plain_run([{**LOAN, "days_past_due": BUCKET_DAYS[1]}] * loans, parameters, months=2)
    left = [[row[month][0] for row in path["history"].values()].count(1) for month in (1, 2)]
    # Half of hardship ends each month, and who is able again pays at once; who will not never does.
    assert_shares(np.array(left), [0.7, 0.55], loans, normal_bound(1e-4, 2))


@pytest.mark.parametrize("late", [False, True])
def test_negative_equity_score_and_ltv_move_entry(late: bool) -> None:
    """One car is worth a third of the loan; LTV at origination counts up to the threshold alone."""
    intensity = np.zeros((1, 4, 6))
    intensity[0, 0, 1] = 0.2
    parameters = quiet(
        intensity=intensity,
        equity_slope=np.array([2.0]),
        equity_cap=np.array([2.5]),
        equity_threshold=np.array([1.0]),
        equity_mean=np.array([1.25]),
        ltv_coefficient=np.array([1.0]),
        ltv_reference=np.array([0.5]),
        score_coefficient=np.array([-0.01]),
        score_reference=np.array([640.0]),
    )
    value = 3_000.0 if late else 100_000.0
    loans = 2_000
    row = {**LOAN, "original_balance": 9_000.0, "vehicle_value": value, "value_source": "wholesale", "score": 620.0}
    path = plain_run([row] * loans, parameters, months=1)
    hazard = 0.2 * math.exp(0.2)
    hazard *= 2.5 / 1.25 * math.exp(1.0 - 0.5) if late else 1.0 / 1.25 * math.exp(0.09 - 0.5)
    entered = sum(row[1][0] == 1 for row in path["history"].values())
    assert_shares(np.array([entered]), [1.0 - math.exp(-hazard)], loans, normal_bound(1e-4, 2))
