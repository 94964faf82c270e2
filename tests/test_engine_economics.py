"""Causes and effects that a risk manager expects, on common draws: worse futures lose more, and only where they act."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr
from scipy.special import roots_hermitenorm
from scipy.stats import norm

from calibration.library import find_parameter_set
from known_cases import normal_bound
from scenarios.errors import InputError
from scenarios.library import find_study
from simulator.engine import simulate
from simulator.horizon import months_needed
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.study import load_inputs, run_study
from simulator.tape import LoanTape
from small_books import (
    chain,
    changed,
    current_only,
    equal_loans,
    macro_at,
    mixed_book,
    quiet,
    run,
    shipped,
    values,
    with_offset,
)

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

PATHS, MONTHS, SEED = 200, 24, 31


@cache
def book() -> LoanTape:
    return mixed_book(1_500, seed=6)


def subprime(**changes: object) -> Parameters:
    return changed(shipped("us_subprime"), **changes)


def without_equity(**changes: object) -> Parameters:
    """The set without negative equity, by which prices reach borrowers."""
    return subprime(equity_slope=np.zeros(1), equity_cap=np.ones(1), equity_mean=np.ones(1), **changes)


def moved(parameters: Parameters, market_share: float = 0.0, **paths: object) -> xr.Dataset:
    macro = macro_at(parameters, months_needed(parameters, MONTHS), **paths)
    servicing = Servicing(market_share=market_share)
    return simulate(book(), macro, parameters, paths=PATHS, months=MONTHS, seed=SEED, servicing=servicing)


@cache
def reference() -> xr.Dataset:
    return moved(subprime())


def lost(results: xr.Dataset) -> np.ndarray:
    """Ultimate loss by path, run-off included."""
    return values(results, "ultimate_loss").sum(axis=1) + values(results, "ultimate_loss_after_horizon")


def recovered(results: xr.Dataset) -> np.ndarray:
    return values(results, "recovery").sum(axis=1) + values(results, "recovery_after_horizon")


# --- scenarios --------------------------------------------------------------------------------------------------


def test_severely_adverse_loses_more_than_baseline() -> None:
    study = find_study("default")
    drawn = study.portfolio.synthetic.model_copy(update={"loans": 2_000})
    portfolio = study.portfolio.model_copy(update={"synthetic": drawn})
    scenarios = ("baseline", "adverse", "severely_adverse")
    study = study.model_copy(update={"portfolio": portfolio, "scenarios": scenarios, "paths": 300})
    results = run_study(load_inputs(study, lambda name, _folder, _where: find_parameter_set(name)))
    loss = results["ultimate_loss"].sum("month") + results["ultimate_loss_after_horizon"]
    baseline, adverse, severe = loss.to_numpy()[:, 0, 0]
    assert baseline.mean() > 0.0
    assert adverse.mean() > 1.1 * baseline.mean()
    assert severe.mean() > 1.1 * adverse.mean()
    # On common draws, hardly any future is better in the recession.
    assert np.mean(severe > baseline) > 0.99


def test_unemployment_raises_default_and_loss_path_by_path() -> None:
    stressed = moved(subprime(), unemployment=0.03)
    count = {
        name: values(run, "default_count").sum(axis=1) for name, run in (("base", reference()), ("high", stressed))
    }
    assert np.all(count["high"] > count["base"])
    # Some who would have fallen behind anyway are of another type now, and a few of them do better by it.
    assert np.mean(lost(stressed) > lost(reference())) > 0.97


def test_cheaper_cars_recover_less_and_change_no_borrower_who_does_not_look_at_them() -> None:
    level, cheaper = (moved(without_equity(), used_car_index=index) for index in (1.0, 0.8))
    for name in ("balance", "delinquent_count", "charge_off_count", "total_loss_count", "sold_count", "matured_count"):
        assert np.array_equal(values(cheaper, name), values(level, name)), name
    assert np.all(recovered(cheaper) < recovered(level))
    # Insurance pays by the car's value, and what it leaves unpaid is a default.
    assert np.all(values(cheaper, "default_count") >= values(level, "default_count"))
    assert np.all(values(cheaper, "total_loss_paid").sum(axis=1) <= values(level, "total_loss_paid").sum(axis=1))
    assert np.all(lost(cheaper) > lost(level))


def test_cheaper_cars_are_given_up_by_who_owes_more_than_their_value() -> None:
    cheaper = moved(subprime(equity_slope=np.array([2.0]), equity_cap=np.array([3.0])), used_car_index=0.7)
    level = moved(subprime(equity_slope=np.array([2.0]), equity_cap=np.array([3.0])))
    assert np.all(values(cheaper, "default_count").sum(axis=1) > values(level, "default_count").sum(axis=1))
    assert np.all(lost(cheaper) > lost(level))


def test_a_book_that_is_its_market_sells_for_less_and_changes_no_borrower() -> None:
    terms = without_equity(fire_sale_elasticity=0.5)
    alone, selling = (moved(terms, share) for share in (0.0, 0.8))
    for name in ("default_count", "balance", "interest_paid", "charge_off_count", "sold_count"):
        assert np.array_equal(values(selling, name), values(alone, name)), name
    assert np.all(recovered(selling) <= recovered(alone))
    assert np.mean(lost(selling) > lost(alone)) > 0.99


def test_a_region_in_trouble_leaves_the_others_alone() -> None:
    parameters = subprime()
    macro = macro_at(parameters, months_needed(parameters, MONTHS))
    troubled = with_offset(macro, "NV", unemployment=0.05)
    stressed = simulate(book(), troubled, parameters, paths=PATHS, months=MONTHS, seed=SEED)
    for region in ("CA", "TX"):
        found, expected = (run["loss_by_region"].sel(region=region).to_numpy() for run in (stressed, reference()))
        assert np.array_equal(found, expected), region
    found, expected = (run["loss_by_region"].sel(region="NV").to_numpy() for run in (stressed, reference()))
    assert np.mean(found > expected) > 0.95


def test_a_class_of_causes_answers_to_its_own_sensitivity() -> None:
    base = subprime()
    for cause, name, sign in ((3, "charge_off_count", 1.0), (4, "prepaid_count", 1.0), (1, "default_count", -1.0)):
        sensitivity = np.zeros_like(base.sensitivity)
        sensitivity[:, cause, 0] = 15.0
        sensitive = changed(base, sensitivity=sensitivity)
        calm, high = (values(moved(sensitive, unemployment=rise), name).sum() for rise in (0.0, 0.05))
        assert sign * (high - calm) > 0.02 * calm, name


# --- borrowers and loans ----------------------------------------------------------------------------------------------


def test_a_larger_default_intensity_loses_more() -> None:
    # A third more intensity of entry: more loans fall behind, on every path.
    intensity = subprime().intensity.copy()
    intensity[:, 0, 1] *= 4.0 / 3.0
    worse = moved(replace(subprime(), intensity=intensity))
    assert np.all(values(worse, "default_count").sum(axis=1) > values(reference(), "default_count").sum(axis=1))
    assert np.mean(lost(worse) > lost(reference())) > 0.99


def test_more_debt_on_the_car_and_on_the_income_defaults_more() -> None:
    plain = {"vehicle_value": 20_000.0, "payment_to_income": 0.08}
    counts = []
    for changes in ({}, {"vehicle_value": 14_000.0}, {"payment_to_income": 0.2}):
        tape = equal_loans(2_000, **{**plain, **changes})
        counts.append(values(run(tape, subprime(), paths=40, months=24, seed=1), "default_count").sum())
    assert counts[1] > 1.05 * counts[0]
    assert counts[2] > 1.05 * counts[0]


def test_seasoning_multiplies_entry() -> None:
    """Loans of 60 and 6 months against the published curve, .35 at most of it; fails once in 10,000 seeds."""
    entries = []
    base = quiet(seasoning=shipped("us_near_prime").seasoning)
    for origination in ("2024-06", "2019-12"):
        tape = equal_loans(20_000, origination_date=np.datetime64(origination))
        moves = values(run(tape, base, paths=5, months=1, seed=2), "transition_count_mean")
        entries.append(5.0 * moves[0, 0, 1])
    ages = base.seasoning[0][[7, 61]]
    ratio = entries[1] / entries[0]
    expected = ages[1] / ages[0]
    spread = expected * math.sqrt(1.0 / entries[0] + 1.0 / entries[1])
    # Competing payoff and the intensity's own curvature move the ratio by less than 2 %.
    assert abs(ratio - expected) < norm.isf(FALSE_ALARM / 2.0) * spread + 0.02 * expected


def test_weaker_tiers_lose_more() -> None:
    tape = equal_loans(1_000, score=np.nan)
    names = ("us_super_prime", "us_prime", "us_near_prime", "us_subprime", "us_deep_subprime")
    losses = [lost(run(tape, shipped(name), paths=60, months=36, seed=3)).mean() for name in names]
    assert np.all(np.diff(losses) > 0.0)


# --- correlation ----------------------------------------------------------------------------------------------


def test_more_correlation_fattens_the_tail() -> None:
    quantile = {}
    for strength in (0.0, 0.35, 0.7):
        losses = lost(moved(subprime(sigma=np.array([strength]))))
        quantile[strength] = np.quantile(losses, 0.95) / losses.mean(), losses.std() / losses.mean()
    assert quantile[0.0] < quantile[0.35] < quantile[0.7]


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.2, 0.3, 0.5)])
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_the_lognormal_response_leaves_the_mean_intensity_alone(
    strength: float, shares: tuple[float, float, float]
) -> None:
    """Mean and spread of first-month entries against quadrature; eight comparisons, once in 10,000 seeds."""
    nodes, weights = nodes_of_the_normal()
    response = 0.02 * np.exp(strength * nodes - 0.5 * strength**2)
    assert weights @ response == pytest.approx(0.02, rel=1e-9)
    parameters = current_only(0.02, sigma=np.array([strength]), shares=shares)
    assert_entries(parameters, -np.expm1(-response), weights, comparisons=8)


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.2, 0.3, 0.5)])
@pytest.mark.parametrize("strength", [0.05, 0.3])
def test_the_probit_response_leaves_the_mean_probability_alone(
    strength: float, shares: tuple[float, float, float]
) -> None:
    """The same for the other response; eight comparisons, once in 10,000 seeds."""
    nodes, weights = nodes_of_the_normal()
    probability = -math.expm1(-0.02)
    p = norm.cdf((norm.ppf(probability) + math.sqrt(strength) * nodes) / math.sqrt(1.0 - strength))
    assert weights @ p == pytest.approx(probability, rel=1e-9)
    parameters = current_only(0.02, response="probit", rho=np.array([strength]), shares=shares)
    assert_entries(parameters, p, weights, comparisons=8)


def nodes_of_the_normal() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = roots_hermitenorm(120)
    return nodes, weights / weights.sum()


def assert_entries(parameters: Parameters, p: np.ndarray, weights: np.ndarray, comparisons: int) -> None:
    """Mean and variance of the first month's charge-offs of loans that enter with p, given the latent factor."""
    loans, paths = 500, 20_000
    count = values(run(equal_loans(loans), parameters, paths=paths, months=1, seed=7), "charge_off_count")[:, 0]
    mean = loans * float(weights @ p)
    variance = loans * float(weights @ (p * (1.0 - p))) + loans**2 * (float(weights @ p**2) - float(weights @ p) ** 2)
    bound = normal_bound(FALSE_ALARM, comparisons)
    assert abs(count.mean() - mean) < bound * math.sqrt(variance / paths)
    squares = (count - mean) ** 2
    assert abs(squares.mean() - variance) < bound * squares.std() / math.sqrt(paths)


def test_loans_of_one_sector_move_together_and_others_less() -> None:
    """Correlations of two halves of a book, from Fisher's z; a fresh seed fails about once in 10,000."""
    rows = [[0.97, 0, 0, 0, 0.03, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]]
    parameters = chain(rows, sigma=np.array([0.6]), shares=(0.4, 0.0, 0.6))
    halves = equal_loans(2_000)
    columns = dict(halves.columns)
    place = np.arange(2_000)
    found = {}
    for label, sector in (("same", np.full(2_000, "a")), ("other", np.where(place % 2, "a", "b"))):
        tape = replace(
            halves, columns={**columns, "sector": sector.astype(str), "channel": np.where(place % 2, "x", "y")}
        )
        results = run(tape, parameters, paths=2_000, months=6, seed=9)
        by_half = results["loss_by_channel"].to_numpy()[0, 0, 0]
        found[label] = math.atanh(float(np.corrcoef(by_half.T)[0, 1]))
    assert found["same"] - found["other"] > norm.isf(FALSE_ALARM) * math.sqrt(2.0 / 2_000)
    assert found["other"] > norm.isf(FALSE_ALARM) / math.sqrt(2_000)


# --- what the door refuses ------------------------------------------------------------------------------------


def test_macro_paths_that_end_too_early_are_refused() -> None:
    parameters = subprime()
    needed = months_needed(parameters, MONTHS)
    with pytest.raises(InputError, match=rf"macro paths end in month {needed - 1}; expected month {needed}"):
        simulate(book(), macro_at(parameters, needed - 1), parameters, paths=2, months=MONTHS, seed=SEED)


def test_a_sensitivity_that_explodes_is_refused() -> None:
    """An intensity of infinity would otherwise leave every loan current."""
    with pytest.raises(InputError, match=r"factor of exp.*unit mistake"):
        moved(subprime(sensitivity=np.full((1, 5, 4), 1000.0)), unemployment=1.0)
