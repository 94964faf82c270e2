"""What a pilot finds: the direction along which losses rise, and how far to shift."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from scenarios.tail import Tail
from simulator.engine import RunSize
from simulator.factors import draw_shocks, shocked_entities
from simulator.tail_pilot import FIRST_PATH, pilot_paths, run_pilot
from simulator.tail_proposal import log_ratio
from simulator.tail_regression import (
    explained,
    monthly_basis,
    normal_scores,
    orthonormal,
    slopes,
    without_noise,
)
from simulator.tail_shift import GRID, SHIFTS, Dependence, best_shift, dependence_of, squared_influence
from small_books import equal_loans, mixed_book, shipped
from tail_cases import SIZE, asked, pool_parameters

SEED = 11


# --- arithmetic ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "months", "functions"), [(36, 64, 4), (2, 5, 3), (1, 30, 2)])
def test_functions_of_the_month_are_orthonormal_and_end_in_time(last: int, months: int, functions: int) -> None:
    basis = monthly_basis(last, months)
    assert basis.shape == (functions, months + 1)
    np.testing.assert_allclose(basis @ basis.T, np.eye(functions), atol=1e-12)
    assert not basis[:, last + 1 :].any()
    assert basis[0].tolist() == [1.0] + [0.0] * months
    # A constant and a straight line over the months are among them.
    rest = np.concatenate(([0.0], np.linspace(1.0, 3.0, last), np.zeros(months - last)))
    np.testing.assert_allclose(basis.T @ (basis @ rest), rest, atol=1e-12)


def test_what_depends_on_earlier_vectors_is_left_out() -> None:
    vectors = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    found = orthonormal(vectors)
    np.testing.assert_allclose(found, [[math.sqrt(0.5), math.sqrt(0.5), 0.0], [math.sqrt(0.5), -math.sqrt(0.5), 0.0]])


@pytest.mark.parametrize("paths", [80, 5])
def test_slopes_are_those_of_ridge_regression(paths: int) -> None:
    random = np.random.default_rng(1)
    coordinates = random.normal(size=(paths, 7))
    response = 2.0 + coordinates @ np.arange(7.0) + random.normal(size=paths)
    found, _ = slopes(coordinates, response)
    centred, target = coordinates - coordinates.mean(axis=0), response - response.mean()
    exact = np.linalg.solve(centred.T @ centred + 7.0 * np.eye(7), centred.T @ target)
    np.testing.assert_allclose(found, exact, rtol=1e-9)


@pytest.mark.parametrize("paths", [2_000, 60])
def test_the_variance_of_noise_is_told(paths: int) -> None:
    """Slopes of a response that is noise: their mean square over 40 coordinates is what is told, but for chance."""
    random = np.random.default_rng(2)
    found, variance = slopes(random.normal(size=(paths, 40)), 3.0 * random.normal(size=paths))
    assert (found**2).mean() == pytest.approx(variance, rel=0.7)


def test_slopes_of_noise_alone_become_nothing() -> None:
    found, groups = np.array([3.0, 4.0, 0.1, 0.1]), np.array([0, 0, 1, 1])
    kept = without_noise(found, 0.5, groups)
    np.testing.assert_allclose(kept, [3.0 * (1.0 - 1.0 / 25.0), 4.0 * (1.0 - 1.0 / 25.0), 0.0, 0.0])


def test_scores_are_normal_quantiles_of_middle_ranks() -> None:
    losses = np.array([5.0, 1.0, 1.0, 9.0])
    np.testing.assert_allclose(normal_scores(losses, np.ones(4)), ndtri((rankdata(losses) - 0.5) / 4.0))
    weighted = normal_scores(np.array([1.0, 2.0]), np.array([3.0, 1.0]))
    np.testing.assert_allclose(weighted, ndtri([1.5 / 4.0, 3.5 / 4.0]))


def test_what_a_factor_explains_is_told_without_its_noise() -> None:
    """Of a loss z + e half the variance is z's; of noise alone nothing, but for what 10 strata miss."""
    random = np.random.default_rng(2)
    z, noise = random.normal(size=(2, 20_000))
    assert explained(z + noise, np.ones(20_000), z, 10) == pytest.approx(0.48, abs=0.02)
    assert explained(noise, np.ones(20_000), z, 10) == pytest.approx(0.0, abs=0.002)
    assert explained(np.ones(50), np.ones(50), z[:50], 10) == 0.0


# --- the length of a shift (T7) --------------------------------------------------------------------------


def test_dependence_of_a_normal_pair() -> None:
    random = np.random.default_rng(3)
    z, noise = random.normal(size=(2, 50_000))
    found = dependence_of(0.2 + 0.8 * z + 0.6 * noise, z)
    assert found == pytest.approx((0.2, 0.8, 0.6), abs=0.015)
    assert dependence_of(np.ones(9), np.ones(9)).beta == 0.0


def test_squared_influence_is_what_simulation_gives() -> None:
    dependence, random = Dependence(0.1, 0.8, 0.6), np.random.default_rng(4)
    found = squared_influence(dependence, 0.99)
    quantile, normals = float(ndtri(0.99)), random.normal(size=400_000)
    z = random.normal(size=400_000)
    mean = np.maximum(0.1 + 0.8 * z + 0.6 * normals - quantile, 0.0).mean()
    for place in (1000, 1100, 1200):
        excess = np.maximum(0.1 + 0.8 * GRID[place] + 0.6 * normals - quantile, 0.0) - mean
        terms = excess**2
        assert abs(terms.mean() - found[place]) < 5.0 * terms.std() / math.sqrt(terms.size) + 1e-4


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.97, 3.1, 3.3), (0.9, 2.9, 3.1), (0.55, 1.8, 2.1), (0.0, 0.0, 0.1)]
)
def test_the_less_factors_explain_the_shorter_the_shift(share: float, least: float, most: float) -> None:
    dependence = Dependence(0.0, math.sqrt(share), math.sqrt(1.0 - share))
    assert least <= best_shift(dependence, 0.999, 0.2) <= most


def test_the_chosen_shift_has_the_smallest_variance() -> None:
    """Variance of the weighted influence by simulation, on paths drawn once: no other length is much better."""
    dependence, random = Dependence(0.0, math.sqrt(0.9), math.sqrt(0.1)), np.random.default_rng(5)
    z = 3.0 * random.normal(size=400_000)
    proposal = np.exp(-0.5 * (z / 3.0) ** 2) / 3.0
    score = dependence.beta * z + dependence.tau * random.normal(size=z.size)
    excess = np.maximum(score - ndtri(0.999), 0.0)
    model = np.exp(-0.5 * z**2) / proposal / z.size
    influence = excess - (model * excess).sum()
    variance = [float((model * np.exp(log_ratio(z, m, 0.2)) * influence**2).sum()) for m in SHIFTS]
    chosen = list(SHIFTS).index(best_shift(dependence, 0.999, 0.2))
    assert variance[chosen] < 1.03 * min(variance)


# --- the pilot ------------------------------------------------------------------------------------------


def test_a_pool_on_one_factor_is_moved_along_that_factor() -> None:
    """Month 1 of an AR(1) factor: shocks of months 0 and 1 in the ratio phi to sqrt(1 - phi^2), and no other entity."""
    parameters = pool_parameters(0.05, 0.10)
    pilot = run_pilot(asked(equal_loans(500), parameters, Tail(), months=1, seed=SEED), 2_000, size=SIZE)
    (direction,) = pilot.proposal.directions
    assert np.sqrt((direction**2).sum()) == pytest.approx(1.0, abs=1e-12)
    phi = parameters.persistence
    along = direction[0, :2] @ [phi, math.sqrt(1.0 - phi**2)]
    assert along > 0.99
    assert not direction[:, 40:].any()
    assert pilot.paths == 1000
    assert 1.5 < pilot.proposal.shift < 3.3
    assert pilot.control
    assert pilot.proposal.log_correction.size == 40


def test_nothing_depends_on_threads_or_blocks() -> None:
    question = asked(mixed_book(), shipped("us_near_prime"), Tail(pilot_paths=200), months=6, seed=SEED)
    one, other = (run_pilot(question, 600, size=size) for size in (RunSize(1, 7), RunSize(3, 90, month_major=True)))
    np.testing.assert_array_equal(one.proposal.directions, other.proposal.directions)
    assert one.proposal.shift == other.proposal.shift
    np.testing.assert_array_equal(one.proposal.log_correction, other.proposal.log_correction)
    assert one.explained == other.explained


def test_pilot_paths_are_numbered_apart() -> None:
    """Their shocks are those of paths from 2^31 on, which no study has."""
    entities = shocked_entities(())
    assert FIRST_PATH == 2**31
    first = draw_shocks(entities, range(FIRST_PATH, FIRST_PATH + 3), 4, SEED)
    assert not np.isin(first, draw_shocks(entities, range(10_000), 4, SEED)).any()


def test_progress_is_told_under_the_pilots_name() -> None:
    question, heard = asked(equal_loans(5), pool_parameters(0.1, 0.1), Tail(pilot_paths=200), months=1, seed=SEED), []
    run_pilot(question, 100, size=RunSize(1, 60), progress=lambda name, done: heard.append((name, done)))
    assert heard == [("level, pilot", done) for done in (60, 100, 160, 200)]


def test_a_pilot_grows_with_the_factors() -> None:
    tape = mixed_book()
    assert pilot_paths(Tail(), tape) == 1000
    assert pilot_paths(Tail(pilot_paths=300), tape) == 300
    many = replace(tape, columns={**tape.columns, "region": np.array([f"R{place}" for place in range(len(tape))])})
    assert pilot_paths(Tail(), many) > 1000


@pytest.mark.parametrize("method", ["control", "sobol"])
def test_methods_without_a_shift_do_not_shift(method: str) -> None:
    tail = Tail.model_validate({"method": method, "pilot_paths": 200})
    pilot = run_pilot(asked(equal_loans(50), pool_parameters(0.1, 0.1), tail, months=1, seed=SEED), 512, size=SIZE)
    assert (pilot.proposal.shift, pilot.proposal.unshifted) == (0.0, 1.0)
    assert pilot.control == (method == "control")
    assert pilot.proposal.scrambles == (16 if method == "sobol" else 0)


def test_directions_of_sobol_points_are_orthonormal_and_begin_with_the_loss() -> None:
    question = asked(mixed_book(), shipped("us_near_prime"), Tail(method="shifted_sobol"), months=12, seed=SEED)
    found = run_pilot(question, 512, size=SIZE).proposal.directions
    assert found.shape[0] == 8
    flat = found.reshape(8, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(8), atol=1e-12)
    alone = run_pilot(replace(question, tail=Tail(method="shifted")), 512, size=SIZE).proposal.directions
    np.testing.assert_array_equal(found[0], alone[0])


@pytest.mark.parametrize(("control", "expected"), [(None, False), (True, True), (False, False)])
def test_strata_are_used_where_they_help(control: bool | None, expected: bool) -> None:
    """Three loans of a hundred, one in a hundred charged off: factors explain next to nothing."""
    tail = Tail(control=control, pilot_paths=400)
    pilot = run_pilot(asked(equal_loans(3), pool_parameters(0.01, 0.01), tail, months=1, seed=SEED), 1000, size=SIZE)
    assert pilot.explained[0] < 0.05
    assert pilot.control is expected
    assert pilot.proposal.shift < 1.5


def test_the_tails_own_mean_is_too_far_where_factors_explain_half() -> None:
    """Variance at the mean of z over the tail, rho phi(q) / (1 - level), over that at the chosen length."""
    level = 0.999
    for share, least, most in ((0.5, 1.1, 1.4), (0.9, 1.0, 1.05)):
        dependence = Dependence(0.0, math.sqrt(share), math.sqrt(1.0 - share))
        second, quantile = squared_influence(dependence, level), float(ndtri(level))
        tail_mean = dependence.beta * math.exp(-0.5 * quantile**2) / math.sqrt(2.0 * math.pi) / (1.0 - level)

        def variance(shift: float, second: np.ndarray = second) -> float:
            return float((np.exp(-0.5 * GRID**2 + log_ratio(GRID, shift, 0.2)) * second).sum())

        assert least <= variance(tail_mean) / variance(best_shift(dependence, level, 0.2)) <= most
