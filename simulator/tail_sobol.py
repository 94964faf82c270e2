"""Scrambled Sobol points for the leading directions of the factors (methodology (T6)).

Path k is point k // S of scramble k % S: every batch of S neighbours holds one point of each scramble, and a path's
point does not depend on how many paths there are. A scramble is random linear matrix scrambling with a digital shift
(Matousek 1998, as scipy has it), its generator seeded by a draw (D1) of the study's seed. Points of one scramble hang
together; scrambles are independent, so errors come from them (Owen 1997; L'Ecuyer and Lemieux 2002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from simulator.entities import named_entity
from simulator.kernels.random import block_at

if TYPE_CHECKING:
    from scipy.stats.qmc import Sobol

Floats = NDArray[np.float64]

SCRAMBLE_ENTITY: Final = "tail:scramble"
"""Whose draw (D1), path the scramble's number, slot 0, seeds a scramble: four words."""

BITS: Final = 32
"""Binary digits of a point, as many as a draw by Philox has."""


def sobol_uniforms(paths: range, dimensions: int, scrambles: int, seed: int) -> Floats:
    """Points of a range of paths.

    Parameters
    ----------
    paths : range
        Absolute numbers, step 1.
    dimensions, scrambles : int
    seed : int
        The study's.

    Returns
    -------
    float64[path, dimension]
        In (0, 1): centres of the 2^32 steps.
    """
    first, last = paths.start // scrambles, (paths.stop - 1) // scrambles
    points = np.empty((last - first + 1, scrambles, dimensions))
    for scramble in range(scrambles):
        points[:, scramble] = _points(scrambled(dimensions, scramble, seed), first, last - first + 1)
    start = paths.start - first * scrambles
    return points.reshape(-1, dimensions)[start : start + len(paths)] + 0.5 ** (BITS + 1)


def _points(engine: Sobol, first: int, count: int) -> Floats:
    """Points `first`, `first` + 1, ... of a sequence; scipy warns of a first draw that is no power of 2."""
    if first:
        engine.fast_forward(first)
        return np.asarray(engine.random(count))
    return np.asarray(engine.random(1 << (count - 1).bit_length()))[:count]


def scrambled(dimensions: int, scramble: int, seed: int) -> Sobol:
    """Sobol's sequence in one of its scrambles."""
    from scipy.stats import qmc  # half a second to import, and only studies with Sobol points need it

    entity = np.uint64(named_entity(SCRAMBLE_ENTITY))
    words = [int(word) for word in block_at(entity, scramble, 0, np.uint64(seed))]
    generator = np.random.Generator(np.random.PCG64(words))
    try:
        return qmc.Sobol(dimensions, scramble=True, bits=BITS, rng=generator)
    except TypeError:  # scipy before 1.15
        return qmc.Sobol(dimensions, scramble=True, bits=BITS, seed=generator)
