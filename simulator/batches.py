"""Batches of paths, each under its own draw of the parameters: how paths are split, and how parts become one result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from scenarios.vocabulary import PARAMETER_VALUE
from simulator.uncertainty import ParameterDraw, UncertainParameter


def batch_ranges(paths: int, draws: int) -> tuple[range, ...]:
    """Paths of each batch: neighbours, as equal in number as can be."""
    return tuple(range(paths * draw // draws, paths * (draw + 1) // draws) for draw in range(draws))


def mark_batch(part: xr.Dataset, batch: int) -> xr.Dataset:
    """The paths of a part with the coordinates `batch` and `parameter_draw`: they share what is drawn of parameters."""
    mark = ("path", np.full(part.sizes["path"], batch, dtype=np.int64))
    return part.assign_coords(batch=mark, parameter_draw=mark)


def join_batches(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Parts of one scenario along `path`.

    What is by path is put side by side.  What is a mean over paths becomes the mean over all of them, and a standard
    deviation that of all of them, each path with its weight: within the parts and between them.  Anything else that
    differs between parts (the stage of a loan may, as it follows from the parameters) is its mean over paths.
    """
    joined = xr.concat(
        parts,
        "path",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="override",
    )
    weights = [np.exp(part["log_weight"].to_numpy()) for part in parts]
    held = _Held(np.array([each.sum() for each in weights]), np.array([(each**2).sum() for each in weights]))
    for name, variable in joined.data_vars.items():
        if "path" not in variable.dims:
            joined[name] = variable.copy(data=_pooled(parts, str(name), held))
    return joined


class _Held(NamedTuple):
    """Sum of the weights of each part's paths, and of their squares: both their number where paths weigh the same."""

    weight: NDArray[np.float64]
    squares: NDArray[np.float64]


def _pooled(parts: Sequence[xr.Dataset], name: str, held: _Held) -> NDArray[Any]:
    """One variable without the dim `path`, over the paths of all parts."""
    values = np.stack([part[name].to_numpy() for part in parts])
    mean_name = f"{name.removesuffix('_sd')}_mean"
    if name.endswith("_sd") and mean_name in parts[0]:
        return _pooled_sd(values, np.stack([part[mean_name].to_numpy() for part in parts]), held)
    if np.all(values == values[0]):
        return np.asarray(values[0])
    return np.asarray(np.tensordot(held.weight / held.weight.sum(), values, axes=1))


def _pooled_sd(sd: NDArray[np.float64], mean: NDArray[np.float64], held: _Held) -> NDArray[np.float64]:
    """Standard deviation of all paths (divisor n - 1 of equal weights) from those of the parts and their means."""
    aside = (-1, *(1,) * (sd.ndim - 1))
    size, freedom = held.weight.reshape(aside), (held.weight - held.squares / held.weight).reshape(aside)
    total = held.weight.sum()
    center = (size * mean).sum(axis=0) / total
    within = np.where(np.isfinite(sd), freedom * sd**2, 0.0)  # a part of one path has no spread of its own
    squares = (within + size * (mean - center) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(squares / (total - held.squares.sum() / total)))


def parameter_values(uncertain: Sequence[UncertainParameter], draws: Sequence[ParameterDraw]) -> xr.DataArray:
    """Which parameters were drawn, and their values.

    Returns
    -------
    xr.DataArray
        float64[parameter, draw], each in its field's unit, after division of the factors' shares by their sum; with
        the coordinates `parameter_central` (the stated value), `parameter_low` and `parameter_high` (its range).
    """
    ends = {
        "parameter_central": [each.value for each in uncertain],
        "parameter_low": [each.low for each in uncertain],
        "parameter_high": [each.high for each in uncertain],
    }
    redrawn = sum(draw.attempts > 1 for draw in draws)
    return xr.DataArray(
        np.stack([draw.values for draw in draws], axis=1),
        dims=PARAMETER_VALUE.dims,
        coords={
            "parameter": np.array([each.name for each in uncertain], dtype=object),
            "draw": np.arange(len(draws), dtype=np.int64),
            **{name: ("parameter", np.array(values, dtype=np.float64)) for name, values in ends.items()},
        },
        name=PARAMETER_VALUE.name,
        attrs={
            "units": "1",
            "long_name": PARAMETER_VALUE.long_name,
            "distribution": "triangular over the published range, highest at the stated value",
            "drawn_again": redrawn,
        },
    )
