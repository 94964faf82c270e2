"""The sale of the car: closed forms, and the sold share that reproduces what was published."""

from __future__ import annotations

import datetime
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from calibration.expectation import capped_sale, expected_book
from calibration.library import US_TIERS, find_parameter_set
from calibration.recovery import MOST_SOLD, baseline_book, fit_sold_share, fit_tier
from simulator.intensities import transition_matrix
from simulator.parameters import Parameters, build_parameters
from simulator.tape import LoanTape
from simulator.tape.synthetic import synthetic_tape


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
    assert (book.live[0], book.delinquent[0], book.charge_off_count[:3].sum()) == (150.0, 0.0, 0.0)
    stays = transition_matrix(parameters.intensity[0])[0]
    assert book.delinquent[1] == pytest.approx(150.0 * stays[1], rel=0.2)  # risk and age of 150 loans move it
    assert book.live[-1] < 0.05


def test_expected_counts_never_rise() -> None:
    book = expected_book(_small_book("us_subprime"), _parameters("us_subprime"))
    assert (np.diff(book.live) <= 1e-12).all()
    assert (book.seriously_delinquent <= book.delinquent).all()
    assert book.charge_off_count.sum() < 150.0


def test_sold_share_is_solved_at_the_prior_haircut() -> None:
    tape, parameters = _small_book("us_near_prime"), _parameters("us_near_prime")
    fit = fit_sold_share(tape, parameters, 0.40)
    assert fit.haircut == parameters.haircut[0]
    assert fit.sold_share == pytest.approx(0.40 / expected_book(tape, parameters).sale_share)
    assert fit.recovery_share == pytest.approx(0.40)


def test_the_haircut_gives_way_where_too_many_cars_would_be_sold() -> None:
    tape, parameters = _small_book("us_near_prime"), _parameters("us_near_prime")
    target = 1.02 * MOST_SOLD * expected_book(tape, parameters).sale_share
    fit = fit_sold_share(tape, parameters, target)
    assert fit.sold_share == MOST_SOLD
    assert fit.haircut < parameters.haircut[0]
    changed = replace(parameters, haircut=np.array([fit.haircut]))
    assert MOST_SOLD * expected_book(tape, changed).sale_share == pytest.approx(target, rel=1e-4)


def test_a_recovery_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a recovery of 1\.2 is out of reach: 95% of the cars without haircut"):
        fit_sold_share(_small_book("us_near_prime"), _parameters("us_near_prime"), 1.2)


def test_a_set_without_published_recovery_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="cn_auto_finance publishes no recovery_share"):
        fit_tier(find_parameter_set("cn_auto_finance"))


@pytest.mark.parametrize("name", US_TIERS)
def test_shipped_terms_recover_what_was_published(name: str) -> None:
    # .01: the shipped values are rounded, and 1,500 loans stand for the 4,000 that they were solved on.
    item, parameters = find_parameter_set(name), _parameters(name)
    target = item.published.recovery_share
    assert target is not None
    book = expected_book(baseline_book(item, loans=1_500), parameters)
    assert parameters.sold_share[0] * book.sale_share == pytest.approx(target.value, abs=0.01)


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
