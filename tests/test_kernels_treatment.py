"""Whom and what a close looks at: loans in arrears in order, rungs bit by bit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scenarios.vocabulary import MATURED, MAX_BUCKET
from simulator.kernels.compile import compiled
from simulator.kernels.treatment import first_bit, list_visited
from simulator.kernels.workspace import LANES
from small_books import fixed_examples

BLOCK = 16


class Rooms(NamedTuple):
    """What `list_visited` reads and writes of a Workspace."""

    state: NDArray[np.int8]
    flag: NDArray[np.uint8]
    mover: NDArray[np.int32]
    listed: NDArray[np.int32]
    visited: NDArray[np.int32]


@compiled()
def visit(count, least, block, work):  # type: ignore[no-untyped-def]
    """List the first worker's loans."""
    return list_visited(0, count, least, block, work)


@compiled()
def fill_first_bits(mask, found):  # type: ignore[no-untyped-def]
    """The lowest bit of each mask, uint32[n] to int64[n]."""
    for item in range(mask.size):
        found[item] = first_bit(mask[item])


@fixed_examples
@given(st.lists(st.integers(0, MATURED + 3), max_size=5 * BLOCK), st.integers(0, 1))
def test_all_in_arrears_are_listed_in_order(states: list[int], least: int) -> None:
    count, block = len(states), BLOCK + LANES
    work = Rooms(
        np.array([states], np.int8),
        np.full((1, block), 255, np.uint8),
        np.full((1, block), -1, np.int32),
        np.full((1, block), -1, np.int32),
        np.full((1, count + 1), -1, np.int32),
    )
    found = visit(count, least, BLOCK, work)
    expected = [place for place, state in enumerate(states) if least <= state <= MAX_BUCKET]
    assert work.visited[0, :found].tolist() == expected


@pytest.mark.parametrize("above", [0, 0b1010 << 20, 2**32 - 1])
def test_the_lowest_bit_is_found_whatever_stands_above(above: int) -> None:
    masks = np.array([(above << bit | 1 << bit) & (2**32 - 1) for bit in range(32)], np.uint32)
    found = np.full(32, -1)
    fill_first_bits(masks, found)
    assert found.tolist() == list(range(32))
