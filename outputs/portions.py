"""Functions of a result by path, taken portion by portion of its paths: what they make on the way stays small.

A result of a million paths fills the memory; a sum of ten of its variables must not fill it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import xarray as xr

PORTION: Final = 2048
"""Paths at a time: a variable over 36 months of two scenarios takes 1 MB, what a core's second cache holds."""


def by_portions(dataset: xr.Dataset, function: Callable[[xr.Dataset], xr.DataArray]) -> xr.DataArray:
    """What a function gives for a Dataset, whatever it does with one path knowing nothing of the others.

    Parameters
    ----------
    dataset : xr.Dataset
        With the dim `path`.
    function : callable
        Takes some of the paths and returns an array with the dim `path`.
    """
    paths = dataset.sizes["path"]
    parts = [function(dataset.isel(path=slice(first, first + PORTION))) for first in range(0, paths, PORTION)]
    if len(parts) == 1:
        return parts[0]
    return xr.concat(parts, "path", coords="minimal", compat="override", join="override", combine_attrs="override")
