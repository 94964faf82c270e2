"""Seizure, redemption, sale, insurance, deficiency, fire sale and shortfalls by pencil and paper (3j), (7), (8) to (8d)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import CHARGED_OFF, CURED, CUTS, HISTORY_MONTHS, MATURED, PREPAID, SEGMENTS, TOTAL_LOSS
from simulator.kernels.booking import LIVE_COUNT, SOLD_COUNT
from simulator.kernels.portfolio import fire_factor
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from small_books import (
    AS_OF,
    BUCKET_DAYS,
    CERTAIN,
    certain,
    changed,
    equal_loans,
    fixed_examples,
    mixed_book,
    quiet,
    run,
    shipped,
    tape_of,
    tape_of_columns,
    values,
)

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

ID = ("L0000000",)
OWED, RATE = 9_000.0, 0.01
LOAN = {
    "current_balance": OWED,
    "rate": 0.12,
    "remaining_term": 100,
    "amortisation": "interest_only",
    "vehicle_value": 8_000.0,
    "value_source": "wholesale",
}
"""A loan whose principal stays, and whose car is worth less than it."""

TERMS = {
    "haircut": 0.15,
    "cost_fixed": 400.0,
    "cost_share": 0.05,
    "storage_per_month": 30.0,
    "deficiency_share": 0.2,
    "lgd_floor": np.nan,
    "found_share": 1.0,
}
LAGS = {"search_lag": 2, "sale_lag": 3, "deficiency_lag": 9}


def terms(**changes: float) -> dict[str, np.ndarray]:
    """Terms of a workout as arrays of one tier."""
    figures = {**TERMS, **LAGS, **changes}
    return {name: np.array([value], np.int64 if name in LAGS else np.float64) for name, value in figures.items()}


def seizing(bucket: int, intensity: float = CERTAIN) -> np.ndarray:
    table = np.zeros((1, 4))
    table[0, bucket] = intensity
    return table


def life(parameters: Parameters, months: int, **changes: object) -> xr.Dataset:
    """One loan on one path."""
    return run(equal_loans(1, **{**LOAN, **changes}), parameters, paths=1, months=months, seed=12, trace=ID)


def in_month(results: xr.Dataset, name: str) -> dict[int, float]:
    """What is not 0 in the months of the one path."""
    flow = values(results, name)[0]
    return {int(month) + 1: float(flow[month]) for month in np.flatnonzero(flow)}


@cache
def car_values(months: int = 60) -> np.ndarray:
    """Wholesale value of the one car by month, while its loan stands still."""
    return np.asarray(values(life(certain({}), months), "trace_value")[0, 0])


def close(expected: float) -> object:
    return pytest.approx(expected, rel=1e-9)


# --- seizure and redemption (8b) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracker", [False, True])
@pytest.mark.parametrize("segment", ["car", "truck"])
def test_the_chance_of_seizure_a_month(tracker: bool, segment: str) -> None:
    """Loans stand still in arrears; first and second month; the four cases fail about once in 10,000 fresh seeds."""
    find = np.ones(len(SEGMENTS))
    find[SEGMENTS.index("truck")] = 0.4
    parameters = certain({}, seizure=seizing(2, 0.3), tracker_multiplier=np.array([1.7]), segment_find=find)
    loans = 8_000
    tape = equal_loans(loans, **LOAN, days_past_due=BUCKET_DAYS[2], tracker=tracker, vehicle=segment)
    results = run(tape, parameters, paths=1, months=2, seed=4)
    chance = -math.expm1(-0.3 * (1.7 if tracker else 1.0) * (0.4 if segment == "truck" else 1.0))
    first, second = values(results, "repossessed_count")[0]
    bound = normal_bound(FALSE_ALARM, 8)
    assert_shares(np.array([first]), [chance], loans, bound)
    assert_shares(np.array([second]), [chance], loans - first, bound)
    assert values(results, "repossessed_balance")[0] == pytest.approx(OWED * np.array([first, first + second]))


@pytest.mark.parametrize("bucket", [0, 1, 3])
def test_no_car_is_seized_in_another_bucket(bucket: int) -> None:
    results = life(certain({}, seizure=seizing(2)), months=3, days_past_due=BUCKET_DAYS[bucket])
    assert not in_month(results, "repossessed_count")


def test_a_car_is_seized_by_the_bucket_at_the_close_of_the_month() -> None:
    results = life(certain({0: 1, 1: 2}, seizure=seizing(2), **terms()), months=4)
    assert in_month(results, "repossessed_count") == {2: 1.0}
    assert in_month(results, "default_count") == {2: 1.0}
    assert in_month(results, "default_balance") == {2: close(OWED * (1.0 + 2 * RATE))}
    assert (values(results, "trace_flags")[0, 0].astype(int) & 2).tolist() == [0, 0, 2, 2, 2]
    assert list(in_month(results, "repossessed_balance")) == [2, 3, 4]


@pytest.mark.parametrize(
    ("target", "state"), [(0, 0), ("prepaid", PREPAID), (1, MATURED), ("charge_off", CHARGED_OFF), (1, 1)], ids=str
)
def test_who_returns_to_current_pays_off_or_matures_has_the_car_back(target: int | str, state: int) -> None:
    """Seized in month 1 in bucket 1; of month 2's moves only those that leave arrears behind free the car."""
    remaining = 1 if state == MATURED else 100
    moves = {0: 1} if target == 1 else {0: 1, 1: target}
    results = life(certain(moves, seizure=seizing(1), **terms()), months=2, remaining_term=remaining)
    assert values(results, "trace_state")[0, 0].astype(int).tolist() == [0, 1, state]
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
    assert values(results, "trace_flags")[0, 0, 0].astype(int) == 2 + 4 + 8
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
    assert values(results, "trace_loss")[0, 0, -1] == close(loss)
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
        results = run(equal_loans(8_000, **LOAN, tracker=tracker), parameters, paths=1, months=1, seed=4)
        assert_shares(values(results, "sold_count")[0], [share], 8_000, normal_bound(FALSE_ALARM, 2))
    surely = changed(parameters, tracker_multiplier=np.array([3.0]))
    results = run(equal_loans(500, **LOAN, tracker=True), surely, paths=1, months=1, seed=4)
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
    assert in_month(results, "ultimate_loss") == {1: close(loss - 0.2 * max(loss, 0.0) / 1.01**9)}


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
    tape = equal_loans(loans, **LOAN)
    results = run(tape, parameters, paths=1, months=1, seed=4)
    usual = car_values()[1] * 0.85
    spread = math.sqrt(math.expm1(sd**2) / loans)
    found = values(results, "sale_proceeds")[0, 0] / loans / usual - 1.0
    assert abs(found) < normal_bound(FALSE_ALARM, 1) * spread
    again = run(tape, parameters, paths=2, months=1, seed=4)
    totals = values(again, "sale_proceeds")[:, 0]
    assert totals[0] == values(results, "sale_proceeds")[0, 0] != totals[1]


# --- total loss (3j) -------------------------------------------------------------------------------------------------


def losing(**changes: float) -> Parameters:
    """Every car is lost in month 1."""
    insurance = {"insured_share": 1.0, "insurance_deductible": 500.0, "total_loss": CERTAIN, **changes}
    return certain({}, **{name: np.array([value]) for name, value in insurance.items()}, **terms())


def insured_value(month: int) -> float:
    """Retail value of the one car: its price for who has to buy another."""
    return float(car_values()[month] / shipped("us_near_prime").wholesale["retail"])


@pytest.mark.parametrize("bucket", [0, 2])
def test_insurance_pays_the_cars_retail_value_less_its_deductible(bucket: int) -> None:
    results = life(losing(), months=12, days_past_due=BUCKET_DAYS[bucket], vehicle_value=6_000.0)
    exposure, interest = OWED * (1.0 + (bucket + 1) * RATE), OWED * (bucket + 1) * RATE
    paid = 0.75 * insured_value(1) - 500.0
    assert interest < paid < exposure
    assert values(results, "trace_state")[0, 0, 1] == TOTAL_LOSS
    assert in_month(results, "total_loss_count") == {1: 1.0}
    assert in_month(results, "interest_paid") == {1: close(interest)}
    assert in_month(results, "total_loss_paid") == {1: close(paid - interest)}
    assert values(results, "trace_cash")[0, 0, 1] == close(paid)
    # The rest is written off and pursued, and is no charge-off of a loan.
    rest = exposure - paid
    assert in_month(results, "charge_off") == {1: close(rest)}
    assert not in_month(results, "charge_off_interest")
    assert not in_month(results, "charge_off_count")
    assert in_month(results, "deficiency_cash") == {10: close(0.2 * rest)}
    assert in_month(results, "ultimate_loss") == {1: close(rest * (1.0 - 0.2 / 1.01**9))}
    assert in_month(results, "default_balance") == {1: close(exposure)}
    assert not in_month(results, "collected")


def test_insurance_that_pays_less_than_the_interest_pays_interest() -> None:
    deductible = insured_value(1) - 100.0
    results = life(losing(insurance_deductible=deductible), months=1, days_past_due=BUCKET_DAYS[3])
    assert in_month(results, "interest_paid") == {1: close(100.0)}
    assert not in_month(results, "total_loss_paid")
    assert in_month(results, "charge_off_interest") == {1: close(4 * RATE * OWED - 100.0)}
    assert in_month(results, "charge_off") == {1: close(OWED * 1.04 - 100.0)}


def test_insurance_that_pays_all_leaves_no_default() -> None:
    results = life(losing(), months=1, vehicle_value=30_000.0)
    assert in_month(results, "total_loss_paid") == {1: close(OWED)}
    for name in ("charge_off", "default_count", "ultimate_loss", "deficiency_cash"):
        assert not in_month(results, name)


def test_without_insurance_all_is_written_off() -> None:
    for nothing in (losing(insured_share=0.0), losing(insurance_deductible=1e6)):
        results = life(nothing, months=1)
        assert in_month(results, "charge_off") == {1: close(OWED * 1.01)}
        assert not in_month(results, "cash")


def test_a_seized_car_that_is_lost_is_neither_sold_nor_given_back() -> None:
    results = life(losing(insured_share=0.0), months=1, repossessed=True)
    for name in ("redeemed_count", "sold_count", "sale_proceeds", "workout_cost"):
        assert not in_month(results, name)
    assert in_month(results, "total_loss_count") == {1: 1.0}


@pytest.mark.parametrize("bucket", [0, 1, 3])
def test_total_loss_is_a_part_of_published_payoff(bucket: int) -> None:
    """Total loss, payoff, and insured among the lost: four shares of 16,000; the cases fail once in 10,000 seeds."""
    intensity = np.zeros((1, 4, 6))
    intensity[0, :, 5] = 0.3
    shares = {"total_loss": np.array([0.12]), "insured_share": np.array([0.7])}
    tape = equal_loans(16_000, **{**LOAN, "vehicle_value": 1e6}, days_past_due=BUCKET_DAYS[bucket])
    results = run(tape, quiet(intensity=intensity, **shares), paths=1, months=1, seed=bucket)
    gone = -math.expm1(-0.3)
    lost, prepaid = (int(values(results, f"{name}_count")[0, 0]) for name in ("total_loss", "prepaid"))
    bound = normal_bound(FALSE_ALARM, 9)
    assert_shares(np.array([lost, prepaid]), [0.4 * gone, 0.6 * gone], 16_000, bound)
    assert_shares(values(results, "default_count")[0], [0.3], lost, bound)
    moved = values(results, "transition_count_mean")[0, bucket]
    assert moved[4:].tolist() == [0.0, prepaid, lost, 0.0]


# --- fire sale (7) ----------------------------------------------------------------------------------------------------


@cache
def three_then_one() -> LoanTape:
    """Three loans that are charged off in month 1, one in month 2, six that stand still."""
    late = [{**LOAN, "days_past_due": BUCKET_DAYS[3]}] * 3 + [{**LOAN, "days_past_due": BUCKET_DAYS[2]}]
    return tape_of([*late, *[LOAN] * 6])


def proceeds(share: float, elasticity: float = 0.5, usual: float = 0.1, months: int = 12) -> dict[int, float]:
    sale = terms(deficiency_share=0.0)
    parameters = certain(
        {2: 3, 3: "charge_off"}, fire_sale_elasticity=elasticity, baseline_sales=np.array([usual]), **sale
    )
    servicing = Servicing(market_share=share)
    return in_month(
        run(three_then_one(), parameters, paths=1, months=months, seed=1, servicing=servicing), "sale_proceeds"
    )


def test_elasticity_lowers_prices_by_the_sales_of_the_month_before() -> None:
    alone, selling = proceeds(0.0), proceeds(0.4)
    assert list(selling) == [6, 7]  # two months of search and three of sale
    # Nothing was sold before month 1; then three cars stand against 0.1 of the seven loans that are left.
    assert selling[6] == alone[6]
    assert selling[7] == pytest.approx(alone[7] * (3.0 / 0.7) ** (-0.5 * 0.4), rel=1e-12)
    assert proceeds(0.8, elasticity=0.25) == pytest.approx(selling, rel=1e-12)


@pytest.mark.parametrize(
    ("share", "elasticity", "usual"), [(0.0, 0.5, 0.1), (0.4, 0.0, 0.1), (0.4, 0.5, 0.5), (0.4, 0.5, 0.0)]
)
def test_prices_stay_without_a_share_an_elasticity_or_unusual_sales(
    share: float, elasticity: float, usual: float
) -> None:
    assert proceeds(share, elasticity, usual) == proceeds(0.0)


@pytest.mark.parametrize(("bucket", "months"), [(1, 2), (2, 1), (2, 2)])
def test_after_the_horizon_the_factor_of_its_last_month_holds(bucket: int, months: int) -> None:
    """Three cars go to sale in month 1, one in month 4 - bucket, which a short horizon has behind it."""
    late = [{**LOAN, "days_past_due": BUCKET_DAYS[3]}] * 3 + [{**LOAN, "days_past_due": BUCKET_DAYS[bucket]}]
    tape, sale = tape_of([*late, *[LOAN] * 6]), terms(deficiency_share=0.0, cost_share=0.0)
    parameters = certain(
        {1: 2, 2: 3, 3: "charge_off"}, fire_sale_elasticity=0.5, baseline_sales=np.array([0.1]), **sale
    )
    recovered = []
    for share in (0.0, 0.4):
        results = run(tape, parameters, paths=1, months=months, seed=1, servicing=Servicing(market_share=share))
        recovered.append(values(results, "recovery").sum() + values(results, "recovery_after_horizon")[0])
    price = car_values()[4 - bucket + 5] * 0.85
    factor = (3.0 / 0.7) ** (-0.5 * 0.4) if months == 2 else 1.0
    assert recovered[1] - recovered[0] == pytest.approx((factor - 1.0) * price, rel=1e-9)


@fixed_examples
@given(sold=st.integers(0, 500), live=st.integers(0, 10_000), power=st.floats(0.0, 2.0), usual=st.floats(0.0, 0.02))
def test_the_factor_of_prices(sold: int, live: int, power: float, usual: float) -> None:
    book = np.zeros((max(LIVE_COUNT, SOLD_COUNT) + 1, 4))
    book[SOLD_COUNT, 2], book[LIVE_COUNT, 2] = sold, live
    ratio = sold / (usual * live) if usual * live > 0.0 else 1.0
    assert fire_factor(book, 3, power, usual) == pytest.approx(max(ratio, 1.0) ** -power, rel=1e-12)
    assert fire_factor(book, 1, power, usual) == 1.0


# --- shortfalls by stage ---------------------------------------------------------------------------------------------


def test_shortfalls_are_the_losses_discounted_to_the_books_date() -> None:
    """One rate, and a horizon at whose end nobody owes anything: the sum of the losses over 1 + r/12, month by month."""
    tape = mixed_book(300, seed=3)
    columns = dict(tape.columns)
    columns["rate"] = np.full(len(tape), 0.12)
    kept = columns["amortisation"] != "single_payment"
    tape = tape_of_columns({name: column[kept] for name, column in columns.items()})
    parameters = changed(shipped("us_subprime"), discount_cap=np.array([np.inf]), **terms(lgd_floor=0.0))
    results = run(tape, parameters, paths=10, months=200, seed=5)
    assert not values(results, "live_count")[:, -1].any()
    d = 1.01 ** np.arange(1, 201)
    expected = (values(results, "ultimate_loss") / d).sum(axis=1)
    life_long, one_year = (values(results, name) for name in ("shortfall_by_stage", "shortfall_12m_by_stage"))
    assert life_long.sum(axis=1) == pytest.approx(expected, rel=1e-9)
    assert np.all(expected > 0.0)
    # With a floor at 0 no loss is negative, so a part is no more than the whole.
    assert np.all(one_year <= life_long + 1e-9)
    assert np.all(one_year.sum(axis=1) > 0.0)
    # Who is in default at the date has defaulted within the year.
    assert one_year[:, 2] == pytest.approx(life_long[:, 2], rel=1e-12)
    assert one_year[:, :2].sum() < life_long[:, :2].sum()


@pytest.mark.parametrize(("default_in", "counts"), [(0, True), (12, True), (13, False)])
def test_a_loss_counts_in_the_year_of_its_default(default_in: int, counts: bool) -> None:
    """From current it is charged off in the month that its history names, or it was in default on the tape."""
    history = np.zeros((1, 2, HISTORY_MONTHS + 1))
    history[0, CURED, max(default_in - 1, 0)] = 1.0
    cured_this_month = np.eye(1 + 2 * HISTORY_MONTHS)[[1]]
    parameters = certain(
        {0: "charge_off", 3: "charge_off"},
        history_multiplier=history,
        open_history=cured_this_month,
        **terms(found_share=0.0, deficiency_share=0.0),
    )
    results = life(parameters, months=20, days_past_due=0 if default_in else BUCKET_DAYS[3])
    month = max(default_in, 1)
    assert list(in_month(results, "charge_off_count")) == [month]
    loss = in_month(results, "ultimate_loss")[month] / 1.01**month
    life_long, one_year = (values(results, name)[0] for name in ("shortfall_by_stage", "shortfall_12m_by_stage"))
    stage = 2 if default_in == 0 else int(np.flatnonzero(life_long)[0])
    assert life_long[stage] == close(loss)
    assert one_year[stage] == (close(loss) if counts else 0.0)


def test_stages_sum_to_the_book() -> None:
    tape = mixed_book(300, seed=3)
    results = run(tape, shipped("us_subprime"), paths=5, months=24, seed=5)
    assert float(results["opening_balance_by_stage"].sum()) == pytest.approx(tape.opening_balance, rel=1e-12)
    assert float(results["opening_count_by_stage"].sum()) == len(tape)
    assert np.all(results["opening_count_by_stage"].to_numpy() > 0)


@pytest.mark.parametrize("cut", CUTS)
def test_defaults_and_recoveries_by_level_add_up(cut: str) -> None:
    results = run(mixed_book(300, seed=3), changed(shipped("us_subprime"), **terms()), paths=5, months=24, seed=5)
    exposure = values(results, "default_balance").mean(axis=0)
    by_level = results[f"default_by_{cut}_mean"].to_numpy()[0, 0, 0]
    assert by_level.sum(axis=1) == pytest.approx(exposure, rel=1e-9, abs=1e-6)
