"""Responses to the latent factor, in the compiled kernels (3a), (3b)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_ndtr

from simulator.book import build_book
from simulator.correlation import response_multiplier
from simulator.hazards import build_hazards, response_table
from simulator.kernels.hazards import TABLE_HIGH, TABLE_LOW, TABLE_STEP, fill_entry_intensities, tabulated_response
from simulator.parameters import Parameters
from small_books import macro_at, shipped, tape_of

TABLE_ERROR = 1e-9
"""Largest absolute error of an intensity a month that the methodology admits (3b)."""


def responses(points: np.ndarray) -> np.ndarray:
    table = response_table()
    return np.array([tabulated_response(point, table) for point in points])


def test_tabulated_response_error() -> None:
    # Between the nodes, at distances that are no fraction of the step.
    points = np.linspace(TABLE_LOW, TABLE_HIGH, 100_003)
    exact = -log_ndtr(-points)
    assert np.max(np.abs(responses(points) - exact)) <= TABLE_ERROR
    # The smallest intensities have to be right in proportion, too.
    small = points < -3.0
    assert np.max(np.abs(responses(points[small]) / exact[small] - 1.0)) <= 1e-6


def test_tabulated_response_is_exact_at_the_nodes_and_holds_beyond_the_ends() -> None:
    nodes = TABLE_LOW + TABLE_STEP * np.arange(0, response_table().shape[0], 17)
    assert responses(nodes) == pytest.approx(-log_ndtr(-nodes), rel=1e-12)
    ends = responses(np.array([TABLE_LOW, TABLE_LOW - 1.0, -1e300, -np.inf]))
    assert np.all(ends == ends[0])
    ends = responses(np.array([TABLE_HIGH, TABLE_HIGH + 1.0, 1e300, np.inf]))
    assert np.all(ends == ends[0])


def test_tabulated_response_rises() -> None:
    assert np.all(np.diff(responses(np.linspace(TABLE_LOW, TABLE_HIGH, 30_001))) > 0.0)


def cell_intensities(parameters: Parameters, factor: np.ndarray, unemployment: float) -> np.ndarray:
    """Intensity of entry by month, from the kernel, for a book of one cell."""
    months = factor.shape[1] - 1
    book = build_book(tape_of([{}]), parameters)
    hazards = build_hazards(
        book.cells, macro_at(parameters, months, unemployment=unemployment), parameters, months, months
    )
    entry, top = np.zeros((months + 1, 1)), np.zeros(months + 1)
    fill_entry_intensities(0, hazards._replace(factor=np.ascontiguousarray(factor[None])), np.ones(1), entry, top)
    assert np.array_equal(top, entry[:, 0])
    return entry[1:, 0]


@pytest.mark.parametrize("response", ["lognormal", "probit"])
def test_entry_intensity_is_base_times_macro_times_response(response: str) -> None:
    parameters = replace(shipped("us_subprime"), response=response)
    factor = np.random.default_rng(5).normal(size=(3, 41)) * 1.5
    found = cell_intensities(parameters, factor, unemployment=0.04)
    base = parameters.intensity[0, 0, 1:5].sum() * np.exp(0.04 * parameters.sensitivity[0, 0, 0])
    latent = np.sqrt(parameters.shares) @ factor[:, 1:]
    strength = float((parameters.sigma if response == "lognormal" else parameters.rho)[0])
    expected = base * response_multiplier(parameters.response, strength, np.array(base), latent)
    assert found == pytest.approx(expected, abs=TABLE_ERROR, rel=1e-12 if response == "lognormal" else 1e-9)


@pytest.mark.parametrize("response", ["lognormal", "probit"])
def test_no_entry_stays_no_entry(response: str) -> None:
    base = shipped("us_subprime")
    intensity = base.intensity.copy()
    intensity[:, 0, :5] = 0.0
    factor = np.full((3, 4), 3.0)
    found = cell_intensities(replace(base, response=response, intensity=intensity), factor, unemployment=0.0)
    # The table's lower end is a probability below 2e-33: nobody enters in any feasible run.
    assert np.all(found <= 2e-33)
