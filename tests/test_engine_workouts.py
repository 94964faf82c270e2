"""Seizure of cars, their return and their sale by pencil and paper (8), (8a), (8b), (8d)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import CHARGED_OFF, MATURED, PREPAID, SEGMENTS
from single_loans import OWED, RATE, STANDING_LOAN, TERMS, car_values, close, in_month, life, terms, traced
from small_books import AS_OF, BUCKET_DAYS, CERTAIN, certain, changed, equal_loans, run, values

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""


def seizing(bucket: int, intensity: float = CERTAIN) -> np.ndarray:
    table = np.zeros((1, 4))
    table[0, bucket] = intensity
    return table


# --- seizure and redemption (8b) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracker", [False, True])
@pytest.mark.parametrize("segment", ["car", "truck"])
def test_the_chance_of_seizure_a_month(tracker: bool, segment: str) -> None:
    """Loans stand still in arrears; first and second month; the four cases fail about once in 10,000 fresh seeds."""
    find = np.ones(len(SEGMENTS))
    find[SEGMENTS.index("truck")] = 0.4
    parameters = certain({}, seizure=seizing(2, 0.3), tracker_multiplier=np.array([1.7]), segment_find=find)
    loans = 8_000
    tape = equal_loans(loans, **STANDING_LOAN, days_past_due=BUCKET_DAYS[2], tracker=tracker, vehicle=segment)
    results = run(tape, parameters, paths=1, months=2, seed=4)
    chance = -math.expm1(-0.3 * (1.7 if tracker else 1.0) * (0.4 if segment == "truck" else 1.0))
    first, second = values(results, "repossessed_count")[0]
    bound = normal_bound(FALSE_ALARM, 8)
    assert_shares(np.array([first]), [chance], loans, bound)
    assert_shares(np.array([second]), [chance], loans - first, bound)
    assert values(results, "repossessed_balance")[0] == pytest.approx(OWED * np.array([first, first + second]))


@pytest.mark.parametrize(("bucket", "named"), [(0, 2), (1, 2), (3, 2), (0, 0)])
def test_no_car_is_seized_in_another_bucket_or_of_who_is_current(bucket: int, named: int) -> None:
    results = life(certain({}, seizure=seizing(named)), months=3, days_past_due=BUCKET_DAYS[bucket])
    assert not in_month(results, "repossessed_count")


def test_a_car_is_seized_by_the_bucket_at_the_close_of_the_month() -> None:
    results = life(certain({0: 1, 1: 2}, seizure=seizing(2), **terms()), months=4)
    assert in_month(results, "repossessed_count") == {2: 1.0}
    assert in_month(results, "default_count") == {2: 1.0}
    assert in_month(results, "default_balance") == {2: close(OWED * (1.0 + 2 * RATE))}
    assert (traced(results, "trace_flags").astype(int) & 2).tolist() == [0, 0, 2, 2, 2]
    assert list(in_month(results, "repossessed_balance")) == [2, 3, 4]


@pytest.mark.parametrize(
    ("target", "state"), [(0, 0), ("prepaid", PREPAID), (1, MATURED), ("charge_off", CHARGED_OFF), (1, 1)], ids=str
)
def test_who_returns_to_current_pays_off_or_matures_has_the_car_back(target: int | str, state: int) -> None:
    """Seized in month 1 in bucket 1; of month 2's moves only those that leave arrears behind free the car."""
    remaining = 1 if state == MATURED else 100
    moves = {0: 1} if target == 1 else {0: 1, 1: target}
    results = life(certain(moves, seizure=seizing(1), **terms()), months=2, remaining_term=remaining)
    assert traced(results, "trace_state").astype(int).tolist() == [0, 1, state]
    redeemed = state not in (CHARGED_OFF, 1)
    assert in_month(results, "redeemed_count") == ({2: 1.0} if redeemed else {})
    assert in_month(results, "sold_count") == ({2: 1.0} if state == CHARGED_OFF else {})
    if redeemed:  # the borrower bears the costs
        for name in ("workout_cost", "sale_proceeds", "recovery"):
            assert not in_month(results, name)
        assert values(results, "recovery_after_horizon")[0] == 0.0


def test_a_car_that_was_given_back_can_be_seized_again() -> None:
    results = life(certain({0: 1, 1: 0}, seizure=seizing(1)), months=6)
    assert in_month(results, "repossessed_count") == dict.fromkeys((1, 3, 5), 1.0)
    assert in_month(results, "redeemed_count") == dict.fromkeys((2, 4, 6), 1.0)


def test_a_tape_with_the_car_already_seized() -> None:
    parameters = certain({3: "charge_off"}, **terms(sale_lag=4))
    results = life(parameters, months=5, repossessed=True)
    assert values(results, "trace_state")[0, 0, :2].tolist() == [3, CHARGED_OFF]
    assert values(results, "trace_flags")[0, 0, 0].astype(int) == 2 + 8
    assert not in_month(results, "default_count")
    assert list(in_month(results, "sale_proceeds")) == [4]  # four months from the as-of date


# --- sale (8), (8a), (8d) --------------------------------------------------------------------------------------------


def expected_sale(price_month: int, stored: int, exposure: float, **changes: float) -> dict[str, float]:
    """Amounts of one sale by the words of (8a) and (8d)."""
    figures = {**TERMS, **changes}
    price = car_values()[price_month] * (1.0 - figures["haircut"])
    cost = figures["cost_fixed"] + figures["cost_share"] * price + figures["storage_per_month"] * stored
    rest = max(exposure - (price - cost), 0.0)
    return {"price": price, "cost": cost, "deficiency": figures["deficiency_share"] * rest}


@pytest.mark.parametrize(("search", "lag", "later"), [(0, 0, 0), (2, 3, 9), (5, 1, 2)])
def test_a_car_found_after_charge_off(search: int, lag: int, later: int) -> None:
    """Charged off in month 4: found after the search, sold after the lag, stored between the two."""
    parameters = certain(
        {0: 1, 1: 2, 2: 3, 3: "charge_off"}, **terms(search_lag=search, sale_lag=lag, deficiency_lag=later)
    )
    results = life(parameters, months=20)
    exposure = OWED * (1.0 + 4 * RATE)
    sale = expected_sale(4 + search + lag, lag, exposure)
    assert in_month(results, "charge_off") == {4: close(exposure)}
    assert in_month(results, "charge_off_interest") == {4: close(OWED * 4 * RATE)}
    assert in_month(results, "sold_count") == {4: 1.0}
    assert in_month(results, "sale_proceeds") == {4 + search + lag: close(sale["price"])}
    assert in_month(results, "workout_cost") == {4 + search + lag: close(sale["cost"])}
    assert in_month(results, "deficiency_cash") == {4 + later: close(sale["deficiency"])}
    net, d = sale["price"] - sale["cost"], 1.0 + RATE
    loss = exposure - net / d ** (search + lag) - sale["deficiency"] / d**later
    assert in_month(results, "ultimate_loss") == {4: close(loss)}
    assert traced(results, "trace_loss")[-1] == close(loss)
    # It defaulted in month 3, one month before.
    assert in_month(results, "default_loss") == {4: close(loss / d)}
    # Recoveries of a static pool stand in the month of the charge-off, undiscounted and after costs.
    by_cut = results["recovery_by_region_mean"].to_numpy()[0, 0, 0, :, 0]
    assert by_cut[3] == close(net + sale["deficiency"])
    assert not np.delete(by_cut, 3).any()


@pytest.mark.parametrize(("seized_in", "lag"), [(1, 5), (1, 3), (1, 2), (1, 0), (3, 4)])
def test_the_lag_of_a_seized_car_counts_from_its_seizure(seized_in: int, lag: int) -> None:
    """Charged off in month 4; the cash does not come before that, and storage is paid for as long as it was held."""
    moves = {0: 1, 1: 2, 2: 3, 3: "charge_off"}
    parameters = certain(moves, seizure=seizing(seized_in), **terms(sale_lag=lag, found_share=0.0))
    results = life(parameters, months=20)
    when = max(seized_in + lag, 4)
    exposure = OWED * (1.0 + 4 * RATE)
    sale = expected_sale(when, when - seized_in, exposure)
    assert in_month(results, "sale_proceeds") == {when: close(sale["price"])}
    assert in_month(results, "workout_cost") == {when: close(sale["cost"])}
    net, d = sale["price"] - sale["cost"], 1.0 + RATE
    loss = exposure - net / d ** (when - 4) - sale["deficiency"] / d**9
    assert in_month(results, "ultimate_loss") == {4: close(loss)}
    assert in_month(results, "default_loss") == {4: close(loss / d ** (4 - seized_in))}


def test_a_car_that_is_not_found_brings_nothing_and_costs_nothing() -> None:
    results = life(certain({0: "charge_off"}, **terms(found_share=0.0)), months=15)
    exposure = OWED * 1.01
    assert not in_month(results, "sale_proceeds")
    assert not in_month(results, "workout_cost")
    assert not in_month(results, "sold_count")
    assert in_month(results, "deficiency_cash") == {10: close(0.2 * exposure)}
    assert in_month(results, "ultimate_loss") == {1: close(exposure * (1.0 - 0.2 / 1.01**9))}


def test_the_share_of_cars_that_are_found() -> None:
    """With and without a tracker; two counts of 8,000, once in 10,000 fresh seeds."""
    parameters = certain({0: "charge_off"}, tracker_multiplier=np.array([1.5]), **terms(found_share=0.4))
    for tracker, share in ((False, 0.4), (True, 0.6)):
        results = run(equal_loans(8_000, **STANDING_LOAN, tracker=tracker), parameters, paths=1, months=1, seed=4)
        assert_shares(values(results, "sold_count")[0], [share], 8_000, normal_bound(FALSE_ALARM, 2))
    surely = changed(parameters, tracker_multiplier=np.array([3.0]))
    results = run(equal_loans(500, **STANDING_LOAN, tracker=True), surely, paths=1, months=1, seed=4)
    assert values(results, "sold_count")[0, 0] == 500


def test_a_sale_has_the_price_of_the_season_in_which_its_cash_comes() -> None:
    season = np.linspace(0.8, 1.2, 12)
    for lag in (0, 1, 5, 12):
        parameters = certain({0: "charge_off"}, season=season, **terms(search_lag=0, sale_lag=lag))
        month = 1 + lag
        calendar = (AS_OF.month - 1 + month) % 12
        expected = car_values()[month] * 0.85 * season[calendar]
        assert in_month(life(parameters, months=15), "sale_proceeds") == {month: close(expected)}


@pytest.mark.parametrize("floor", [0.0, 0.25, np.nan])
def test_a_floor_on_the_loss_gives_the_borrower_what_exceeds_the_claim(floor: float) -> None:
    parameters = certain({0: "charge_off"}, **terms(lgd_floor=floor, search_lag=0, sale_lag=0, cost_share=0.0))
    results = life(parameters, months=1, vehicle_value=40_000.0)
    exposure, cost = OWED * 1.01, 400.0
    price = 5.0 * car_values()[1] * 0.85
    kept = price if math.isnan(floor) else exposure * (1.0 - floor) + cost
    assert kept <= price
    assert in_month(results, "sale_proceeds") == {1: close(kept)}
    assert in_month(results, "workout_cost") == {1: close(cost)}
    loss = exposure - (kept - cost)
    expected = loss - 0.2 * max(loss, 0.0) / 1.01**9
    assert values(results, "ultimate_loss")[0, 0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_recoveries_are_discounted_at_the_capped_rate() -> None:
    parameters = certain({0: "charge_off"}, discount_cap=np.array([0.06]), **terms())
    results = life(parameters, months=12)
    exposure = OWED * 1.01
    sale = expected_sale(6, 3, exposure)
    loss = exposure - (sale["price"] - sale["cost"]) / 1.005**5 - sale["deficiency"] / 1.005**9
    assert in_month(results, "ultimate_loss") == {1: close(loss)}


def test_a_cars_own_condition_scatters_prices_and_leaves_their_mean() -> None:
    """Prices of 8,000 cars and the sum of their squares; once in 10,000 fresh seeds."""
    sd, loans = 0.25, 8_000
    parameters = certain({0: "charge_off"}, vehicle_sd=np.array([sd]), **terms(search_lag=0, sale_lag=0))
    tape = equal_loans(loans, **STANDING_LOAN)
    results = run(tape, parameters, paths=1, months=1, seed=4)
    usual = car_values()[1] * 0.85
    spread = math.sqrt(math.expm1(sd**2) / loans)
    found = values(results, "sale_proceeds")[0, 0] / loans / usual - 1.0
    assert abs(found) < normal_bound(FALSE_ALARM, 1) * spread
    again = run(tape, parameters, paths=2, months=1, seed=4)
    totals = values(again, "sale_proceeds")[:, 0]
    assert totals[0] == values(results, "sale_proceeds")[0, 0] != totals[1]
