"""Total loss and its insurance, fire sale, and losses by stage and by cut, by pencil and paper (3j), (7), (8c)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import CURED, CUTS, HISTORY_MONTHS, TOTAL_LOSS
from simulator.kernels.booking import LIVE_COUNT, SOLD_COUNT
from simulator.kernels.portfolio import fire_factor
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from single_loans import OWED, RATE, STANDING_LOAN, car_values, close, in_month, life, terms, traced
from small_books import (
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
    assert traced(results, "trace_cash")[1] == close(paid)
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
    tape = equal_loans(16_000, **{**STANDING_LOAN, "vehicle_value": 1e6}, days_past_due=BUCKET_DAYS[bucket])
    parameters = quiet(intensity=intensity, nonaccrual_months=6, **shares)
    results = run(tape, parameters, paths=1, months=1, seed=bucket)
    gone = -math.expm1(-0.3)
    lost, prepaid = (int(values(results, f"{name}_count")[0, 0]) for name in ("total_loss", "prepaid"))
    bound = normal_bound(FALSE_ALARM, 9)
    assert_shares(np.array([lost, prepaid]), [0.4 * gone, 0.6 * gone], 16_000, bound)
    uninsured = values(results, "charge_off")[0] / (OWED * (1.0 + (bucket + 1) * RATE))
    assert_shares(uninsured, [0.3], lost, bound)
    moved = values(results, "transition_count_mean")[0, bucket]
    assert moved[4:].tolist() == [0.0, prepaid, lost, 0.0]


# --- fire sale (7) ----------------------------------------------------------------------------------------------------


@cache
def selling(late: int) -> LoanTape:
    """Three loans that are charged off in month 1, one that is in another bucket, six that stand still."""
    buckets = [3, 3, 3, late, *[0] * 6]
    return tape_of([{**STANDING_LOAN, "days_past_due": BUCKET_DAYS[bucket]} for bucket in buckets])


def proceeds(share: float, elasticity: float = 0.5, usual: float = 0.1) -> dict[int, float]:
    """Proceeds by month of cash, of three cars first and of one a month later."""
    baseline = {"fire_sale_elasticity": elasticity, "baseline_sales": np.array([usual])}
    parameters = certain({2: 3, 3: "charge_off"}, **baseline, **terms(deficiency_share=0.0))
    servicing = Servicing(market_share=share)
    return in_month(run(selling(2), parameters, paths=1, months=12, seed=1, servicing=servicing), "sale_proceeds")


def test_elasticity_lowers_prices_by_the_sales_of_the_month_before() -> None:
    alone, sold = proceeds(0.0), proceeds(0.4)
    assert list(sold) == [6, 7]  # two months of search and three of sale
    # Nothing was sold before month 1; then three cars stand against 0.1 of the seven loans that are left.
    assert sold[6] == alone[6]
    assert sold[7] == pytest.approx(alone[7] * (3.0 / 0.7) ** (-0.5 * 0.4), rel=1e-12)
    assert proceeds(0.8, elasticity=0.25) == pytest.approx(sold, rel=1e-12)


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
    tape, sale = selling(bucket), terms(deficiency_share=0.0, cost_share=0.0)
    baseline = {"fire_sale_elasticity": 0.5, "baseline_sales": np.array([0.1])}
    parameters = certain({1: 2, 2: 3, 3: "charge_off"}, **baseline, **sale)
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
    """One rate, and a horizon at whose end nobody owes anything: each month's losses over (1 + r/12)^month."""
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
    # Who is in default at the date has defaulted within the year, but for who cures and defaults anew.
    assert one_year[:, 2].sum() > 0.9 * life_long[:, 2].sum()
    assert one_year[:, :2].sum() < 0.9 * life_long[:, :2].sum()


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
