"""Comparisons of result Datasets, bit by bit."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr


def assert_same_bits(found: xr.Dataset, expected: xr.Dataset, without: Collection[str] = ()) -> None:
    """The same variables, coordinates and attributes to the last bit, those named in `without` left out."""
    assert set(found.variables) - set(without) == set(expected.variables) - set(without)
    for name, variable in expected.variables.items():
        if name not in without:
            assert_same_values(found, expected, str(name))
            assert found[name].attrs == variable.attrs
    assert found.attrs == expected.attrs


def assert_same_values(found: xr.Dataset, expected: xr.Dataset, *names: str) -> None:
    """Variables are equal to the last bit; what is not a number is so in both."""
    for name in names:
        floats = expected[name].dtype.kind == "f"
        assert np.array_equal(found[name].to_numpy(), expected[name].to_numpy(), equal_nan=floats), name
