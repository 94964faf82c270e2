"""The shipped shares of cars sold: solved in expectation, and found again by the engine."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calibration.baseline import baseline_book, run_off
from calibration.expectation import expected_book
from calibration.library import US_TIERS, find_parameter_set
from calibration.recovery import engine_sold_share, fit_tier, main
from scenarios.vocabulary import SEGMENTS
from simulator.parameters import Parameters, build_parameters

ROUNDING = 0.0005
"""Shipped figures have three digits."""

RANDOM_INDEX = 0.015
"""Largest difference that a random index and a persistent factor make to the solution, as the sets state it."""


@cache
def _parameters(name: str) -> Parameters:
    return build_parameters([find_parameter_set(name)])


@pytest.mark.parametrize("name", US_TIERS)
def test_shipped_sale_terms_are_the_solved_ones(name: str) -> None:
    item = find_parameter_set(name)
    fit = fit_tier(item)
    assert item.sale.sold_share.value == pytest.approx(fit.sold_share, abs=ROUNDING + 1e-9)
    assert fit.haircut == item.sale.auction_haircut.value
    assert "python -m calibration.recovery" in item.sale.sold_share.source


@pytest.mark.parametrize("name", US_TIERS)
def test_the_engine_solves_to_the_shipped_share(name: str) -> None:
    # Seeds are fixed; with others, five times two-sided 4 standard errors is a false alarm in 3,000 runs.
    found = engine_sold_share(find_parameter_set(name), loans=4_000, paths=64)
    assert found.standard_error < 0.02 * found.value
    shipped = _parameters(name).sold_share[0]
    assert found.value == pytest.approx(shipped, abs=RANDOM_INDEX + 4.0 * found.standard_error)


def test_recovery_is_in_proportion_to_the_share_of_cars_sold() -> None:
    # The sale of a car is one draw: what is sold at .3 is sold at .6 too, and at 1 everything.
    item = find_parameter_set("us_subprime")
    tape, parameters = baseline_book(item, loans=300), _parameters("us_subprime")
    cash = []
    for share in (0.0, 0.3, 0.6, 1.0):
        results = run_off(tape, replace(parameters, sold_share=np.array([share])), paths=32)
        cash.append(float(results["recovery"].sum() + results["recovery_after_horizon"].sum()))
    assert cash[0] == 0.0
    assert cash[1] / cash[3] == pytest.approx(0.3, abs=0.02)
    assert cash[2] / cash[3] == pytest.approx(0.6, abs=0.02)


def _without_noise(parameters: Parameters) -> Parameters:
    """No factor and no index noise: what is left is what `expected_book` sums over."""
    return replace(
        parameters,
        sigma=np.zeros_like(parameters.sigma),
        rho=np.zeros_like(parameters.rho),
        index_innovation_sd=0.0,
        index_residual_sd=np.zeros(len(SEGMENTS)),
    )


def test_expectation_is_the_engine_s_mean() -> None:
    # Six sums of independent loans: 4 standard errors each, a false alarm in 2,600 runs with other seeds.
    item, paths = find_parameter_set("us_subprime"), 200
    tape, parameters = baseline_book(item, loans=400), _without_noise(_parameters("us_subprime"))
    expected, results = expected_book(tape, parameters), run_off(tape, parameters, paths)
    charge_offs = results["charge_off_count"].sum("month")
    sums = {
        "live after a year": (results["live_count"].isel(month=11), expected.live[12]),
        "live after four years": (results["live_count"].isel(month=47), expected.live[48]),
        "charge-offs in a year": (
            results["charge_off_count"].isel(month=slice(0, 12)).sum("month"),
            expected.charge_off_count[1:13].sum(),
        ),
        "charge-offs": (charge_offs, expected.charge_off_count.sum()),
        "charged off": (results["charge_off"].sum("month"), expected.charge_off.sum()),
        "recovered": (results["recovery"].sum("month"), expected.sale.sum() * parameters.sold_share[0]),
    }
    for name, (found, mean) in sums.items():
        error = float(found.std(ddof=1)) / np.sqrt(paths)
        assert abs(float(found.mean()) - mean) < 4.0 * error, name


def test_the_command_says_what_is_solved(capsys: pytest.CaptureFixture[str]) -> None:
    main(["us_deep_subprime"])
    said = capsys.readouterr().out
    assert said.startswith("us_deep_subprime: sold_share 0.617 (shipped 0.617) at auction_haircut 0.120; engine 0.6")
    assert "standard error 0.00" in said


def test_a_set_without_published_recovery_cannot_be_solved_by_the_engine() -> None:
    with pytest.raises(ValueError, match="cn_auto_finance publishes no recovery_share"):
        engine_sold_share(find_parameter_set("cn_auto_finance"))
