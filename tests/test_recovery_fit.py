"""The shipped shares of cars found: solved in expectation, and found again by the engine."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xarray as xr

from calibration.baseline import baseline_book, run_off
from calibration.expectation import ExpectedBook, expected_book
from calibration.library import US_TIERS, find_parameter_set
from calibration.recovery import SaleFit, engine_found_share, fit_tier, main
from parameter_sections import with_sections
from scenarios.vocabulary import SEGMENTS
from simulator.parameter_set import ParameterSet
from simulator.parameters import Parameters, build_parameters

ROUNDING = 0.0005
"""Shipped figures have three digits."""

RANDOM_INDEX = 0.035
"""Largest difference that a random index, its jumps and a persistent factor make to the solution; it is above the
expectation's, since a boom's surplus belongs to the borrower."""


@cache
def _parameters(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


@cache
def _fit(name: str) -> SaleFit:
    return fit_tier(find_parameter_set(name))


@pytest.mark.parametrize("name", US_TIERS)
def test_shipped_sale_terms_are_the_solved_ones(name: str) -> None:
    item, fit = find_parameter_set(name), _fit(name)
    assert item.sale.found_share.value == pytest.approx(fit.found_share, abs=ROUNDING + 1e-9)
    assert fit.haircut == item.sale.auction_haircut.value
    assert "python -m calibration.recovery" in item.sale.found_share.source


@pytest.mark.parametrize("name", US_TIERS)
def test_the_engine_solves_to_the_shipped_share(name: str) -> None:
    # Seeds are fixed; with others, five times two-sided 4 standard errors is a false alarm in 3,000 runs.
    found = engine_found_share(find_parameter_set(name), _fit(name), loans=4_000, paths=64)
    assert found.standard_error < 0.04 * found.value
    shipped = _parameters(name).workout.found_share[0]
    assert found.value == pytest.approx(shipped, abs=RANDOM_INDEX + 4.0 * found.standard_error)


def test_recovery_rises_in_proportion_to_the_share_of_cars_found() -> None:
    # The finding of a car is one draw: what is found at .3 is found at .6 too, and at 1 everything.
    tape, parameters = baseline_book(find_parameter_set("us_subprime"), loans=300), _parameters("us_subprime")
    cash = []
    for share in (0.0, 0.3, 0.6, 1.0):
        workout = replace(parameters.workout, found_share=np.array([share]))
        results = run_off(tape, replace(parameters, workout=workout), paths=32)
        cash.append(float(results["recovery"].sum() + results["recovery_after_horizon"].sum()))
    assert cash[0] > 0.0
    assert (cash[1] - cash[0]) / (cash[3] - cash[0]) == pytest.approx(0.3, abs=0.03)
    assert (cash[2] - cash[0]) / (cash[3] - cash[0]) == pytest.approx(0.6, abs=0.03)


def _without_noise(parameters: Parameters) -> Parameters:
    """No factor and no index noise: what is left is what `expected_book` sums over."""
    return replace(
        parameters,
        sigma=np.zeros_like(parameters.sigma),
        rho=np.zeros_like(parameters.rho),
        index_innovation_sd=0.0,
        index_residual_sd=np.zeros(len(SEGMENTS)),
        jump_intensity=0.0,
    )


def _both(item: ParameterSet, paths: int) -> tuple[ExpectedBook, xr.Dataset, float]:
    """Expectation and engine of the same book, and the expected recovery."""
    tape, parameters = baseline_book(item, loans=400), _without_noise(build_parameters([item]))
    expected = expected_book(tape, parameters)
    recovered = expected.recoveries.cash(float(parameters.workout.found_share[0]))
    return expected, run_off(tape, parameters, paths), recovered


def test_expectation_is_the_engine_s_mean() -> None:
    # Eight sums of independent loans: 4 standard errors each, a false alarm in 2,000 runs with other seeds.
    paths = 200
    item = with_sections(find_parameter_set("us_subprime"), modification=None)
    expected, results, recovered = _both(item, paths)
    first_year = slice(0, 12)
    sums = {
        "live after a year": (results["live_count"].isel(month=11), expected.live[12]),
        "live after four years": (results["live_count"].isel(month=47), expected.live[48]),
        "in arrears in a year": (
            results["delinquent_count"].isel(month=first_year).sum("month"),
            expected.delinquent[1:13].sum(),
        ),
        "charge-offs in a year": (
            results["charge_off_count"].isel(month=first_year).sum("month"),
            expected.charge_off_count[1:13].sum(),
        ),
        "charge-offs": (results["charge_off_count"].sum("month"), expected.charge_off_count.sum()),
        "total losses": (results["total_loss_count"].sum("month"), expected.total_loss_count.sum()),
        "charged off": (results["charge_off"].sum("month"), expected.charge_off.sum()),
        "recovered": (results["recovery"].sum("month") + results["recovery_after_horizon"], recovered),
    }
    for name, (found, mean) in sums.items():
        error = float(found.std(ddof=1)) / np.sqrt(paths)
        assert abs(float(found.mean()) - mean) < 4.0 * error, name


def test_expectation_of_a_book_with_extensions() -> None:
    # An extension moves a loan's last due date, which the expectation leaves out: .01 of amounts, and of a year's
    # charge-offs; without the excess that extended loans owe, .03 would be missing here.
    paths = 200
    expected, results, recovered = _both(with_sections(find_parameter_set("us_subprime")), paths)
    charged_off = results["charge_off"].sum("month")
    cash = results["recovery"].sum("month") + results["recovery_after_horizon"]
    for name, found, mean in (
        ("charged off", charged_off, expected.charge_off.sum()),
        ("recovered", cash, recovered),
    ):
        error = float(found.std(ddof=1)) / np.sqrt(paths)
        assert float(found.mean()) == pytest.approx(mean, abs=0.01 * mean + 3.0 * error), name


def test_the_command_says_what_is_solved(capsys: pytest.CaptureFixture[str]) -> None:
    main(["us_deep_subprime"])
    said, fit = capsys.readouterr().out, _fit("us_deep_subprime")
    shipped = find_parameter_set("us_deep_subprime").sale.found_share.value
    assert said.startswith(
        f"us_deep_subprime: found_share {fit.found_share:.3f} (shipped {shipped:g}) at auction_haircut 0.120; engine 0."
    )
    assert "standard error 0.00" in said


def test_a_set_without_published_recovery_cannot_be_solved_by_the_engine() -> None:
    with pytest.raises(ValueError, match="cn_auto_finance publishes no recovery_share"):
        engine_found_share(find_parameter_set("cn_auto_finance"), _fit("us_prime"))
