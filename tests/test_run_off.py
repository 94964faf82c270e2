"""How long the run-off after the horizon must be."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.library import find_parameter_set, parameter_set_names
from scenarios.vocabulary import TYPES
from simulator.horizon import RUN_OFF_MONTHS
from simulator.intensities import transition_matrix
from simulator.parameters import Parameters, build_parameters
from simulator.seasoned import pool_chain
from simulator.tier_tables import tier_traits

MOST_LEFT = 1e-4
"""Share of defaulted loans that may still be in arrears before the run-off's last month."""


@pytest.mark.parametrize("name", parameter_set_names())
def test_the_run_off_resolves_nearly_every_default(name: str) -> None:
    """From the worst bucket, still in arrears before the last month: fewer than one loan in 10,000."""
    parameters = build_parameters([find_parameter_set(name)])
    buckets = len(parameters.bucket_edges)
    published = transition_matrix(parameters.published_intensity[0])[1:buckets, 1:buckets]
    left = np.linalg.matrix_power(published, RUN_OFF_MONTHS - 1)[-1].sum()
    assert 0.0 < left < MOST_LEFT
    # Types told apart, the slowest to leave must not linger either.
    by_type = np.linalg.matrix_power(among_arrears(parameters), RUN_OFF_MONTHS - 1)
    worst = by_type[-len(TYPES) :].sum(axis=1) @ parameters.borrower.open_type[0, -1]
    assert 0.0 < worst < MOST_LEFT


def among_arrears(parameters: Parameters) -> np.ndarray:
    """A month's moves among bucket x type, buckets 1..K: float64[state, state]."""
    buckets = len(parameters.bucket_edges)
    arrears = pool_chain(parameters.intensity[0], tier_traits(parameters.borrower, 0)).arrears[..., 1:buckets]
    states = (buckets - 1) * len(TYPES)
    return np.swapaxes(arrears, 2, 3).reshape(states, states)
