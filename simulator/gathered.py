"""The arrays by path of a whole study, made once: every run of one scenario on some paths writes its part of them.

So a study's results lie in memory once, however many scenarios and draws of the parameters they are put together from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simulator.engine import PathArrays
from simulator.shapes import Shape, by_run, study_shape


@dataclass(slots=True)
class Gathered:
    """What all runs of a study leave by path.

    Attributes
    ----------
    runs : tuple of int
        Scenarios and strategies of the study.
    paths : int
        Of the study.
    arrays : dict of str to array
        Every variable of the Dataset with the dim `path`, all dims in place; made when the first run tells its shapes.
    """

    runs: tuple[int, int]
    paths: int
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    def place(self, run: tuple[int, int], rows: range) -> PathArrays:
        """Where a run writes that is of one scenario and strategy, by numbers, and some paths, by their rows."""

        def views(shapes: Mapping[str, Shape]) -> dict[str, NDArray[Any]]:
            if not self.arrays:
                wholes = {name: study_shape(name, shape, self.runs, self.paths) for name, shape in shapes.items()}
                self.arrays = {name: np.empty(whole.sizes, whole.dtype) for name, whole in wholes.items()}
            own = slice(rows.start, rows.stop)
            return {
                name: array[run[0], run[1], 0, own] if by_run(name) else array[own]
                for name, array in self.arrays.items()
            }

        return views

    def joined(
        self, parts: Sequence[xr.Dataset], join: Callable[[Sequence[xr.Dataset]], xr.Dataset], runs: tuple[slice, slice]
    ) -> xr.Dataset:
        """One Dataset of several runs: what is not gathered here is joined, what is has its place already.

        Parameters
        ----------
        parts : sequence of xr.Dataset
            What the runs returned; those of the first give order, dims and attributes.
        join : callable
            Puts Datasets together.
        runs : tuple of slice
            Of which scenarios and strategies the parts are, by number.
        """
        rest = join([part.drop_vars(list(self.arrays)) for part in parts])
        variables = {name: self._variable(first, runs, rest) for name, first in parts[0].data_vars.items()}
        return xr.Dataset(variables, rest.coords, rest.attrs)

    def _variable(self, first: xr.DataArray, runs: tuple[slice, slice], rest: xr.Dataset) -> xr.Variable:
        name = str(first.name)
        if name not in self.arrays:
            return rest[name].variable
        array = self.arrays[name]
        return xr.Variable(first.dims, array[runs] if by_run(name) else array, first.attrs)
