"""Uniform numbers of a synthetic book: the engine's generator, at addresses that the engine never asks for (D1).

Philox4x32-10 with the seed as key; the counter is the address of the loan's id, path 0, and a slot from `FIRST_SLOT`
on.  So a loan's attributes depend on the seed and its id alone, and a book drawn with a study's own seed shares no
draw with what the study then simulates on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.entities import loan_entities

FIRST_SLOT: Final = 1 << 24
"""Slots of attributes begin here, four attributes a slot; monthly draws and events of 1,200 months lie far below."""

REPLACEMENT_SLOT: Final = 1 << 25
"""Slot of the draw of the loan that takes a declined one's place: far above those of attributes (P17)."""


def attribute_uniforms(
    loan_ids: NDArray[np.str_], attributes: Sequence[str], seed: int, *, first_slot: int = FIRST_SLOT
) -> dict[str, NDArray[np.float64]]:
    """One number a loan and attribute, above 0 and below 1.

    Parameters
    ----------
    loan_ids : str[loan]
    attributes : Sequence of str
        What is drawn; an attribute's place in the sequence is its address.
    seed : int
        0 to 2**64 - 1.
    first_slot : int
        Slot of the first four.

    Returns
    -------
    dict of str to float64[loan]
    """
    from simulator.kernels import random  # 0.6 s for numba, and only drawing needs it

    # The kernels' own functions, run by numpy over whole arrays; without compilation they are plain already.
    philox, unit = (getattr(function, "py_func", function) for function in (random.philox, random.unit))
    entity, key = loan_entities(loan_ids.tolist()), np.uint64(seed)
    low, high = entity & random.MASK, entity >> random.SHIFT
    path = np.uint64(0)
    numbers: dict[str, NDArray[np.float64]] = {}
    for first in range(0, len(attributes), random.WORDS):
        slot = np.uint64(first_slot + first // random.WORDS)
        words = philox(low, high, path, slot, key & random.MASK, key >> random.SHIFT)
        # The last slot may hold more words than attributes.
        named = zip(attributes[first : first + random.WORDS], words, strict=False)
        numbers |= {name: unit(word) for name, word in named}
    return numbers
