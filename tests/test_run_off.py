"""How long the run-off after the horizon must be."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.library import find_parameter_set, parameter_set_names
from simulator.engine import RUN_OFF_MONTHS
from simulator.intensities import transition_matrix
from simulator.parameters import build_parameters


@pytest.mark.parametrize("name", parameter_set_names())
def test_the_run_off_resolves_nearly_every_default(name: str) -> None:
    """From the worst bucket, still in arrears before the last month: fewer than one loan in 10,000."""
    intensity = build_parameters([find_parameter_set(name)]).intensity[0]
    buckets = intensity.shape[0]
    arrears = transition_matrix(intensity)[1:buckets, 1:buckets]
    left = np.linalg.matrix_power(arrears, RUN_OFF_MONTHS - 1)[-1].sum()
    assert 0.0 < left < 1e-4
