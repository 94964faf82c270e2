"""What a run holds, as shapes: the one table from which arrays are made and the need of a run is forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scenarios.vocabulary import DATASET_VARIABLES, RUN_DIMS, UNDERWRITING_VARIABLES, Variable
from simulator.kernels.bundles import zeros_in_lines

PATH: Final = "path"


@dataclass(frozen=True, slots=True)
class Shape:
    """An array before it is made.

    Attributes
    ----------
    sizes : tuple of int
        Length of each dim.
    dtype : type or dtype; fields of a structured one are attributes of the array
    fill : float
        What `filled` writes.
    """

    sizes: tuple[int, ...]
    dtype: type[np.generic] | np.dtype[Any] = np.float64
    fill: float = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return math.prod(self.sizes) * np.dtype(self.dtype).itemsize

    def filled(self) -> NDArray[Any]:
        """The array, zeros unless `fill` says otherwise."""
        zeros = zeros_in_lines(self.sizes, self.dtype)
        if self.fill:
            zeros.fill(self.fill)
        return zeros if zeros.dtype.names is None else zeros.view(np.recarray)

    def leading(self, *sizes: int) -> Shape:
        """The same with further dims in front."""
        return Shape((*sizes, *self.sizes), self.dtype, self.fill)


def bytes_of(shapes: Mapping[str, Shape]) -> int:
    """Bytes of all arrays of a table together."""
    return sum(shape.nbytes for shape in shapes.values())


def variable_dtype(variable: Variable) -> type[np.generic]:
    """Dtype of a variable in a result Dataset: numbers of loans are whole, all else is floating."""
    return np.int32 if variable.unit == "count" and variable.name.endswith("_count") else np.float64


def path_shapes(sizes: Mapping[str, int]) -> dict[str, Shape]:
    """What each variable by path holds of one path of one scenario, by name.

    Parameters
    ----------
    sizes : mapping of str to int
        Length of every dim of the Dataset; a variable with a dim that is not among them is not of this study.
    """
    return {
        variable.name: _shape(variable, sizes, (*RUN_DIMS, PATH))
        for variable in DATASET_VARIABLES
        if PATH in variable.dims and _present(variable, sizes)
    }


def other_shapes(sizes: Mapping[str, int]) -> dict[str, Shape]:
    """What each variable without the dim `path` holds of one scenario, by name."""
    return {
        variable.name: _shape(variable, sizes, RUN_DIMS)
        for variable in DATASET_VARIABLES
        if PATH not in variable.dims and _present(variable, sizes)
    }


def _present(variable: Variable, sizes: Mapping[str, int]) -> bool:
    needed = {"criterion"} if variable in UNDERWRITING_VARIABLES else set()
    return needed.union(variable.dims).difference((*RUN_DIMS, PATH)) <= sizes.keys()


def _shape(variable: Variable, sizes: Mapping[str, int], without: tuple[str, ...]) -> Shape:
    return Shape(tuple(sizes[dim] for dim in variable.dims if dim not in without), variable_dtype(variable))


def by_run(name: str) -> bool:
    """Whether a variable by path differs between runs: the factors' draws do not."""
    return RUN_DIMS[0] in MEANINGS[name].dims


def study_shape(name: str, shape: Shape, runs: tuple[int, int], paths: int) -> Shape:
    """An array by path of a whole study, from what it holds of one path of one run; `runs`: scenarios, strategies."""
    return shape.leading(*((*runs, 1) if by_run(name) else ()), paths)


MEANINGS: Final = {variable.name: variable for variable in DATASET_VARIABLES}
"""Variables of a result Dataset by name."""
