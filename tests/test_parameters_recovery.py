"""The sale of the car: closed forms, and the found share that reproduces what was published."""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from calibration.baseline import baseline_book
from calibration.expectation import expected_book, run_off_months
from calibration.library import US_TIERS, find_parameter_set
from calibration.population import CURED_NOW, MODIFIED_NOW, opening
from calibration.proceeds import Cars, book_cars, capped_sale
from calibration.recovery import MOST_FOUND, fit_found_share, fit_tier, with_haircut
from parameter_sections import with_sections
from simulator.book import build_book
from simulator.intensities import transition_matrix
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape
from simulator.tape.synthetic import synthetic_tape
from small_books import equal_loans, tape_of


@cache
def _parameters(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


@cache
def _small_book(name: str) -> LoanTape:
    return synthetic_tape(name, 150, seed=5, as_of=datetime.date(2019, 12, 31))


@pytest.mark.parametrize(
    ("price", "cost", "cap", "sd"), [(9e3, 1.1e3, 8e3, 0.14), (15e3, 0.0, 8e3, 0.3), (3e3, 5e3, 9e3, 0.2)]
)
def test_capped_sale_agrees_with_integration(price: float, cost: float, cap: float, sd: float) -> None:
    def payoff(z: float) -> float:
        return min(price * np.exp(sd * z - 0.5 * sd**2) - cost, cap) * norm.pdf(z)

    kink = (np.log((cap + cost) / price) + 0.5 * sd**2) / sd
    expected = quad(payoff, -10.0, kink)[0] + quad(payoff, kink, 10.0)[0]
    found = capped_sale(np.array(price), np.array(cost), np.array(cap), np.array(sd))
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_capped_sale_without_spread_or_cap() -> None:
    price, cost = np.array([9e3, 9e3]), np.array([1e3, 1e3])
    found = capped_sale(price, cost, np.array([5e3, 20e3]), np.zeros(2))
    assert found.tolist() == [5e3, 8e3]
    assert capped_sale(price, cost, np.full(2, np.inf), np.full(2, 0.14)).tolist() == [8e3, 8e3]


def test_first_months_of_a_current_book() -> None:
    # Entry alone moves a current book in its first month, and nothing can be charged off for three.
    tape, parameters = _small_book("us_near_prime"), _parameters("us_near_prime")
    book = expected_book(tape, parameters)
    assert book.live[0] == pytest.approx(150.0, rel=1e-12)  # shares of histories sum to 1 but for rounding
    assert (book.delinquent[0], book.charge_off_count[:3].sum()) == (0.0, 0.0)
    stays = transition_matrix(parameters.published_intensity[0])[0]
    assert book.delinquent[1] == pytest.approx(150.0 * stays[1], rel=0.2)  # risk and age of 150 loans move it
    assert book.live[-1] < 0.05
    assert book.entries[1] == pytest.approx(book.delinquent[1])


def test_expected_counts_never_rise() -> None:
    book = expected_book(_small_book("us_subprime"), _parameters("us_subprime"))
    assert (np.diff(book.live) <= 1e-12).all()
    assert (book.seriously_delinquent <= book.delinquent).all()
    assert book.charge_off_count.sum() < 150.0


def test_found_share_is_solved_at_the_prior_haircut() -> None:
    tape, parameters = _small_book("us_near_prime"), _parameters("us_near_prime")
    book = expected_book(tape, parameters)
    target = book.recovery_share(0.4)
    fit = fit_found_share(tape, parameters, target)
    assert fit.haircut == parameters.workout.haircut[0]
    assert fit.found_share == pytest.approx(0.4, abs=1e-6)
    assert fit.per_found == pytest.approx((book.recovery_share(0.5) - target) / 0.1)  # no loan has a tracker here


def test_the_haircut_gives_way_where_too_many_cars_would_be_found() -> None:
    tape, parameters = _small_book("us_near_prime"), _parameters("us_near_prime")
    target = 1.02 * expected_book(tape, parameters).recovery_share(MOST_FOUND)
    fit = fit_found_share(tape, parameters, target)
    assert fit.found_share == MOST_FOUND
    assert fit.haircut < parameters.workout.haircut[0]
    book = expected_book(tape, with_haircut(parameters, fit.haircut))
    assert book.recovery_share(MOST_FOUND) == pytest.approx(target, rel=1e-4)


def test_a_recovery_out_of_reach_is_refused() -> None:
    tape, parameters = _small_book("us_near_prime"), _parameters("us_near_prime")
    with pytest.raises(ValueError, match=r"a recovery of 1\.2 is out of reach: 95% of the cars without haircut"):
        fit_found_share(tape, parameters, 1.2)
    with pytest.raises(ValueError, match=r"a recovery of 0\.02 is out of reach: seized cars and collections alone"):
        fit_found_share(tape, parameters, 0.02)


def test_a_set_without_published_recovery_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="cn_auto_finance publishes no recovery_share"):
        fit_tier(find_parameter_set("cn_auto_finance"))


@pytest.mark.parametrize("name", US_TIERS)
def test_shipped_terms_recover_what_was_published(name: str) -> None:
    # .02: the shipped values are rounded, and 1,500 loans stand for the 4,000 that they were solved on.
    item, parameters = find_parameter_set(name), _parameters(name)
    target = item.published.recovery_share
    assert target is not None
    book = expected_book(baseline_book(item, loans=1_500), parameters)
    assert book.recovery_share(float(parameters.workout.found_share[0])) == pytest.approx(target.value, abs=0.02)


# --- what follows on arrears ----------------------------------------------------------------------------


def _quiet_book(**loan: Any) -> tuple[Cars, Parameters]:
    """One loan of full size, its car without a condition of its own, and a set whose terms are made up."""
    item = with_sections(find_parameter_set("us_near_prime"))
    parameters = build_parameters([item])
    workout = replace(
        parameters.workout,
        vehicle_sd=np.zeros(1),
        search_lag=np.array([3]),
        storage_per_month=np.array([100.0]),
        season=np.array([1.0, 2.0, *[1.0] * 10]),
    )
    parameters = replace(parameters, workout=workout)
    tape = equal_loans(1, **loan)
    cars = book_cars(build_book(tape, parameters).loans, parameters, tape.as_of.month, months=60)
    return cars, parameters


def test_a_sale_s_lag_storage_and_season() -> None:
    # As of December: January is month 1. The lag is 2 months from having the car.
    cars, parameters = _quiet_book(vehicle_value=10_000.0)
    terms, claim = parameters.workout, np.full((1, 4), 1e6)
    share = float(terms.deficiency_share[0])
    assert terms.sale_lag.tolist() == [2]
    for held, wait, stored in ((None, 5, 2), (1, 1, 2), (2, 0, 2), (7, 0, 7)):
        month = 1
        season = 2.0 if month + wait == 2 else 1.0
        price = float(cars.value(month + wait)[0]) * (1.0 - terms.haircut[0]) * season
        net = price * (1.0 - terms.cost_share[0]) - terms.cost_fixed[0] - 100.0 * stored
        found = cars.after_sale(month, claim, held)
        assert found == pytest.approx(np.full((1, 4), net + share * (1e6 - net))), held


def test_a_sale_above_the_claim_leaves_no_deficiency() -> None:
    cars, _ = _quiet_book(vehicle_value=60_000.0)
    claim = np.full((1, 4), 5_000.0)
    assert cars.after_sale(1, claim, 2) == pytest.approx(claim)


def test_insurance_pays_the_car_s_retail_value_or_the_claim() -> None:
    cars, parameters = _quiet_book(vehicle_value=10_000.0)
    paid = float(cars.value(1)[0]) / parameters.wholesale["retail"] - 500.0
    left = cars.unpaid_total_loss(1, np.array([[20_000.0, 3_000.0, 0.0, 0.0]]))
    assert parameters.workout.insured_share.tolist() == [0.8]
    assert left[0] == pytest.approx([20_000.0 - 0.8 * paid, 0.2 * 3_000.0, 0.0, 0.0])


def test_where_loans_stand_at_the_as_of_date() -> None:
    parameters = build_parameters([with_sections(find_parameter_set("us_near_prime"))])
    rows = [{}, {"modified": True}, {"days_past_due": 65}, {"days_past_due": 95, "repossessed": True}]
    rows.append({"origination_date": np.datetime64("2024-10")})
    loans = build_book(tape_of(rows), parameters).loans
    standing = opening(loans, parameters)
    current, arrears = standing.current[0], standing.arrears[0]
    assert current.sum(axis=1).tolist() == pytest.approx([1.0, 1.0, 0.0, 0.0, 1.0])
    assert current[0] == pytest.approx(parameters.borrower.open_history[0] * (current[0] > 0.0), abs=0.2)
    assert current[1, MODIFIED_NOW] == 1.0
    # Two months old: it can have been cured in this month, the last or the one before.
    assert current[4, CURED_NOW + 3] == 0.0 < current[4, CURED_NOW + 2]
    assert arrears[2, 1, :, 0] == pytest.approx(parameters.borrower.open_type[0, 2])
    assert arrears[3, 2, :, 1] == pytest.approx(parameters.borrower.open_type[0, 3])
    assert standing.arrears[1].sum() == standing.current[1].sum() == 0.0


def test_loans_that_renew_are_run_off_for_years() -> None:
    tape = equal_loans(3, amortisation="single_payment", remaining_term=1, original_term=1)
    assert run_off_months(tape) == 72
    assert run_off_months(equal_loans(3)) == 66
    parameters = build_parameters([with_sections(find_parameter_set("us_near_prime"))])
    book = expected_book(tape, parameters)
    assert 0.0 < book.live[-1] < book.live[12] < 3.0


@pytest.mark.parametrize("name", [*US_TIERS, "cn_auto_finance"])
def test_seasoned_book_shows_the_published_arrears(name: str) -> None:
    # Two years from the as-of date; loans past month 36 enter less often than the matrix alone says.
    item = find_parameter_set(name)
    book = expected_book(baseline_book(item, loans=600), _parameters(name))
    window = slice(1, 25)
    serious = item.published.seriously_delinquent_share
    assert serious is not None
    assert serious.range[0] <= book.seriously_delinquent[window].sum() / book.live[window].sum() <= serious.range[1]
    hazard = item.published.charge_off_hazard
    if hazard is not None:
        assert hazard.range[0] <= book.charge_off_count[window].sum() / book.live[:24].sum() <= hazard.range[1]
