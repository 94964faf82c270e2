"""The mathematics of a proposal: mixture, weights, directions, strata, Sobol points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import chisquare, kstest

from simulator.entities import named_entity
from simulator.factors import draw_shocks, draw_systematic, shocked_entities
from simulator.kernels.random import draw_normals
from simulator.tail_proposal import (
    Proposal,
    components,
    log_ratio,
    log_weights,
    mixture_normal,
    moved,
    proposal_along,
    rng_scheme,
    strata_of,
    stratum_probability,
    with_strata,
)
from simulator.tail_regression import orthonormal
from simulator.tail_sobol import sobol_uniforms
from small_books import fixed_examples, shipped
from tail_cases import leading

SEED = 20
FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

NODES, MASSES = np.polynomial.hermite_e.hermegauss(200)


def drawn_along(shift: float, unshifted: float, scrambles: int = 0, directions: int = 1) -> Proposal:
    """A proposal along random directions of three entities and five months."""
    random = np.random.default_rng(3)
    rows = orthonormal(random.normal(size=(directions, 15))).reshape(directions, 3, 5)
    return proposal_along(("a", "b", "c"), rows, shift=shift, unshifted=unshifted, scrambles=scrambles)


# --- the mixture (T2), (T3) -----------------------------------------------------------------------------


@fixed_examples
@given(st.floats(-6.3, 6.3), st.floats(0.0, 6.0), st.floats(0.01, 1.0))
def test_a_normal_keeps_its_probability_in_the_mixture(normal: float, shift: float, unshifted: float) -> None:
    z = float(mixture_normal(np.array([normal]), shift, unshifted)[0])
    assert normal <= z <= normal + shift
    side = -1.0 if normal > 0.0 else 1.0
    reached = unshifted * ndtr(side * z) + (1.0 - unshifted) * ndtr(side * (z - shift))
    assert reached == pytest.approx(ndtr(side * normal), rel=1e-9)


def test_nothing_shifted_leaves_the_normal_as_it_is() -> None:
    normal = np.linspace(-6.0, 6.0, 25)
    np.testing.assert_array_equal(mixture_normal(normal, 0.0, 0.2), normal)
    np.testing.assert_array_equal(mixture_normal(normal, 3.0, 1.0), normal)
    np.testing.assert_array_equal(log_ratio(normal, 3.0, 1.0), 0.0)


@fixed_examples
@given(st.floats(-8.0, 12.0), st.floats(0.1, 5.0), st.floats(0.1, 0.5))
def test_a_weight_is_the_ratio_of_the_densities_and_bounded(z: float, shift: float, unshifted: float) -> None:
    weight = math.exp(float(log_ratio(np.array([z]), shift, unshifted)[0]))
    model, other = math.exp(-0.5 * z**2), math.exp(-0.5 * (z - shift) ** 2)
    assert weight == pytest.approx(model / (unshifted * model + (1.0 - unshifted) * other), rel=1e-9)
    assert weight <= (1.0 + 1e-12) / unshifted


@pytest.mark.parametrize(
    ("probability", "shift", "ratio"),
    [
        (0.01, None, 37.0746),
        (0.01, 2.51807, 38.0605),
        (0.001, None, 286.565),
        (0.001, 3.24113, 290.896),
        (1e-4, None, 2386.41),
        (1e-4, 3.84693, 2411.13),
    ],
)
def test_a_mean_shift_saves_the_published_variance(probability: float, shift: float | None, ratio: float) -> None:
    """P(Z > z) with one factor and no defence (reference case 2.12): E[w^2 1] = exp(m^2) Phi(-(z + m))."""
    quantile = float(-ndtri(probability))
    m = quantile if shift is None else shift
    grid = np.linspace(quantile, quantile + 12.0, 200_001)
    density = np.exp(-0.5 * grid**2) / math.sqrt(2.0 * math.pi)
    second = np.trapezoid(np.exp(log_ratio(grid, m, 1e-15)) * density, grid)
    assert second == pytest.approx(math.exp(m**2) * ndtr(-(quantile + m)), rel=1e-6)
    plain, shifted = probability - probability**2, second - probability**2
    assert plain / shifted == pytest.approx(ratio, rel=2e-5)


def test_weights_make_the_mixture_the_model_again() -> None:
    """Means of 1, z and z^2 over 200,000 weighted paths; false alarm `FALSE_ALARM` of the three together."""
    proposal = drawn_along(2.8, 0.2)
    z, weight = leading(proposal, 200_000, SEED)
    for power, exact in enumerate((1.0, 0.0, 1.0)):
        terms = weight * z**power
        error = terms.std() / math.sqrt(len(z))
        assert abs(terms.mean() - exact) < -ndtri(FALSE_ALARM / 6.0) * error


def test_the_leading_factor_has_the_mixtures_distribution() -> None:
    """Kolmogorov and Smirnov; false alarm `FALSE_ALARM`."""
    z, _ = leading(drawn_along(2.8, 0.2), 20_000, SEED)
    found = kstest(z, lambda x: 0.2 * ndtr(x) + 0.8 * ndtr(x - 2.8))
    assert found.pvalue > FALSE_ALARM


# --- directions (T1) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("directions", [1, 4])
def test_only_the_components_along_the_directions_change(directions: int) -> None:
    proposal = drawn_along(2.0, 0.3, directions=directions)
    shocks, along = (
        np.random.default_rng(1).normal(size=(7, 3, 5)),
        np.random.default_rng(2).normal(size=(7, directions)),
    )
    found = moved(shocks, proposal, along)
    flat = proposal.directions.reshape(directions, -1)
    np.testing.assert_allclose(found.reshape(7, -1) @ flat.T, along, atol=1e-12)
    rest = np.eye(15) - flat.T @ flat
    np.testing.assert_allclose(found.reshape(7, -1) @ rest, shocks.reshape(7, -1) @ rest, atol=1e-12)


def test_paths_do_not_depend_on_their_block() -> None:
    for proposal in (drawn_along(2.0, 0.3), drawn_along(2.0, 0.3, 16, 4)):
        shocks = np.random.default_rng(1).normal(size=(90, 3, 5))
        along = components(proposal, range(40, 130), SEED)
        whole = moved(shocks, proposal, along)
        for block in (range(40, 41), range(57, 130), range(96, 99)):
            rows = slice(block.start - 40, block.stop - 40)
            part = components(proposal, block, SEED)
            np.testing.assert_array_equal(part, along[rows])
            np.testing.assert_array_equal(moved(shocks[rows], proposal, part), whole[rows])


def test_factors_move_by_the_shift_and_their_rest_does_not() -> None:
    """What differs between a plain draw and a shifted one is a multiple of the direction, path by path."""
    parameters, names = shipped("us_near_prime"), ("factor:region:TX",)
    entities = shocked_entities(names)
    direction = np.zeros((1, len(entities), 13))
    direction[0, 0, 1:] = 1.0 / math.sqrt(12.0)
    proposal = proposal_along(entities, direction, shift=3.0, unshifted=0.1)
    plain = draw_systematic(names, parameters, range(50), 12, 20, seed=SEED)
    shifted = draw_systematic(names, parameters, range(50), 12, 20, seed=SEED, proposal=proposal)
    np.testing.assert_array_equal(shifted.factor[:, 1], plain.factor[:, 1])
    own = (draw_shocks(entities, range(50), 12, SEED) * direction[0]).sum(axis=(1, 2))
    size = (components(proposal, range(50), SEED)[:, 0] - own) / math.sqrt(12.0)
    scale = math.sqrt(1.0 - parameters.persistence**2)
    np.testing.assert_allclose(shifted.factor[:, 0, 1] - plain.factor[:, 0, 1], scale * size, atol=1e-12)
    np.testing.assert_array_equal(
        shifted.log_weight, log_weights(proposal, components(proposal, range(50), SEED)[:, 0])
    )
    np.testing.assert_array_equal(plain.log_weight, 0.0)


def test_a_shorter_index_sees_the_same_shocks() -> None:
    """Parameters that are drawn may reach less far than the pilot's: the direction's last months then move nothing."""
    parameters, entities = shipped("us_near_prime"), shocked_entities(())
    direction = orthonormal(np.random.default_rng(5).normal(size=(1, len(entities) * 31))).reshape(1, len(entities), 31)
    proposal = proposal_along(entities, direction, shift=2.0, unshifted=0.2)
    far, near = (draw_systematic((), parameters, range(9), 12, last, seed=SEED, proposal=proposal) for last in (30, 20))
    np.testing.assert_array_equal(far.index[:, :21], near.index)
    np.testing.assert_array_equal(far.factor, near.factor)


# --- strata (T4), (T5) -----------------------------------------------------------------------------------


def test_probabilities_of_strata_keep_their_digits_far_out() -> None:
    edges = np.array([-9.0, -1.0, 0.5, 9.0, 9.5])
    found = stratum_probability(edges)
    assert found.sum() == pytest.approx(1.0, abs=1e-15)
    assert found[0] == pytest.approx(ndtr(-9.0), rel=1e-12)
    assert found[-1] == pytest.approx(ndtr(-9.5), rel=1e-12)
    assert found[-2] == pytest.approx(ndtr(-9.0) - ndtr(-9.5), rel=1e-12)


def test_strata_weigh_what_their_probabilities_say() -> None:
    proposal = with_strata(drawn_along(2.5, 0.2), 5_000, SEED)
    z, weight = leading(proposal, 5_000, SEED)
    stratum = strata_of(proposal, z)
    assert proposal.edges.size + 1 == proposal.log_correction.size == 100
    held = np.bincount(stratum, weights=weight) / 5_000
    np.testing.assert_allclose(held, stratum_probability(proposal.edges), rtol=1e-12)
    # Equally probable under the mixture; false alarm `FALSE_ALARM`.
    assert chisquare(np.bincount(stratum)).pvalue > FALSE_ALARM


def test_too_few_paths_have_no_strata() -> None:
    proposal = drawn_along(2.5, 0.2)
    assert with_strata(proposal, 499, SEED) is proposal
    assert with_strata(proposal, 500, SEED).log_correction.size == 10


def test_strata_of_many_paths_are_weighed_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = with_strata(drawn_along(2.5, 0.2), 5_000, SEED)
    monkeypatch.setattr("simulator.tail_proposal.PATHS_AT_ONCE", 700)
    pieces = with_strata(drawn_along(2.5, 0.2), 5_000, SEED)
    np.testing.assert_array_equal(whole.edges, pieces.edges)
    np.testing.assert_allclose(whole.log_correction, pieces.log_correction, atol=1e-13)


# --- Sobol points (T6) -----------------------------------------------------------------------------------


def test_points_of_a_scramble_are_balanced() -> None:
    """Every interval of 1/64 of each dimension, and every elementary box of the first two, holds one of 64 points."""
    points = sobol_uniforms(range(64 * 16), 5, 16, SEED).reshape(64, 16, 5)
    for scramble in range(16):
        steps = np.sort(np.floor(64 * points[:, scramble]), axis=0)
        np.testing.assert_array_equal(steps, np.tile(np.arange(64.0)[:, None], 5))
        boxes = np.floor(8 * points[:, scramble, :2]) @ [8.0, 1.0]
        np.testing.assert_array_equal(np.sort(boxes), np.arange(64.0))
    assert 0.0 < points.min() < points.max() < 1.0
    assert np.unique(points[0], axis=0).shape == (16, 5)


def test_a_path_has_its_point_whatever_the_range() -> None:
    whole = sobol_uniforms(range(200), 3, 16, SEED)
    for paths in (range(1), range(15, 17), range(16, 33), range(199, 200), range(37, 180)):
        np.testing.assert_array_equal(sobol_uniforms(paths, 3, 16, SEED), whole[paths.start : paths.stop])
    assert not np.array_equal(sobol_uniforms(range(200), 3, 16, SEED + 1), whole)


def test_each_point_is_uniform_over_scrambles() -> None:
    """The first point of 2,000 scrambles; false alarm `FALSE_ALARM` for the two dimensions together."""
    first = sobol_uniforms(range(2_000), 2, 2_000, SEED)
    for dimension in range(2):
        assert kstest(first[:, dimension], "uniform").pvalue > FALSE_ALARM / 2.0


@pytest.mark.parametrize(("method", "low", "high"), [("sobol", -1.3, -0.8), ("plain", -0.65, -0.35)])
def test_errors_fall_with_the_points(method: str, low: float, high: float) -> None:
    """Mean of a smooth function of a normal, 64 scrambles: the root mean square error falls like n^-1.07 (2.12).

    With independent normals it falls like n^-0.5: slopes over 2^5 to 2^11 points, which have standard deviations of
    about 0.06 and 0.03 over seeds.
    """
    sizes = 2 ** np.arange(5, 12)
    if method == "sobol":
        uniforms = sobol_uniforms(range(64 * int(sizes[-1])), 1, 64, SEED).reshape(-1, 64)
        normals = ndtri(uniforms)
    else:
        drawn = np.empty((int(sizes[-1]), 64, 1))
        entities = np.array([named_entity(f"scramble {item}") for item in range(64)], dtype=np.uint64)
        draw_normals(entities, 0, np.uint64(SEED), drawn)
        normals = drawn[..., 0]
    loss = ndtr((ndtri(0.05) + math.sqrt(0.1) * normals) / math.sqrt(0.9))
    rmse = [math.sqrt(np.mean((loss[:size].mean(axis=0) - 0.05) ** 2)) for size in sizes]
    slope = np.polyfit(np.log(sizes), np.log(rmse), 1)[0]
    assert low < slope < high


def test_the_scheme_of_the_draws_says_what_replaced_them() -> None:
    assert rng_scheme(None) == "philox4x32-10/v1"
    shifted, sobol = rng_scheme(drawn_along(2.0, 0.2)), rng_scheme(drawn_along(2.0, 0.2, 16, 4))
    assert shifted == "philox4x32-10/v1; tail/v1: factors along 1 direction from tail:shift"
    assert sobol == "philox4x32-10/v1; tail/v1: factors along 4 directions from scrambled Sobol points, 16 scrambles"
