"""Bundles reach kernels by their address: what is read is what was handed over."""

import re
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from simulator.kernels.by_address import by_address
from simulator.kernels.compile import compiled

jitted = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")

ROW = np.dtype([("amount", np.float64), ("count", np.int16)], align=True)


@by_address
class Inner(NamedTuple):
    """A bundle within a bundle."""

    weight: float
    values: NDArray[np.float64]


@by_address
class Outer(NamedTuple):
    """One field of each sort that bundles have."""

    number: int
    small: np.int8
    seed: np.uint64
    yes: np.bool_
    flag: NDArray[np.bool_]
    rows: Any
    inner: Inner
    cube: NDArray[np.float64]
    four: NDArray[np.int32]
    empty: NDArray[np.float64]


@compiled()
def read_scalars(outer):  # type: ignore[no-untyped-def]
    """Everything that is not an array."""
    return outer.number, outer.small, outer.seed, outer.yes, outer.inner.weight


@compiled()
def copy_cube(outer, found):  # type: ignore[no-untyped-def]
    """An array of three axes by its shape and places; the answer tells the other sizes."""
    for first in range(outer.cube.shape[0]):
        for second in range(outer.cube.shape[1]):
            for third in range(outer.cube.shape[2]):
                found[first, second, third] = outer.cube[first, second, third]
    return outer.cube.size, outer.empty.size, outer.four.shape, outer.flag.itemsize, outer.rows.size


@compiled()
def add_rows(outer):  # type: ignore[no-untyped-def]
    """Records, a view of an array, and an array of a bundle within."""
    total = 0.0
    for item in range(outer.rows.size):
        total += outer.rows[item].amount * outer.rows[item].count
    part = outer.cube[1]
    for first in range(part.shape[0]):
        for second in range(part.shape[1]):
            total += part[first, second]
    for item in range(outer.inner.values.size):
        total += outer.inner.values[item]
    return total


@compiled(inner=True)
def write_on(outer, value):  # type: ignore[no-untyped-def]
    """Change what is in an array of a bundle, and read it again."""
    before = outer.inner.values[0]
    outer.inner.values[0] = value
    return before, outer.inner.values[0]


@compiled()
def write_twice(outer):  # type: ignore[no-untyped-def]
    """Hand the bundle on to a function that writes to its arrays."""
    first = write_on(outer, 5.0)
    return first, write_on(outer, 6.0)


def some(cube: NDArray[np.float64] | None = None) -> Outer:
    """A bundle, no two of whose figures are alike."""
    rows = np.array([(1.5, 2), (2.5, 3)], ROW).view(np.recarray)
    inner = Inner(0.25, np.array([7.0, 11.0]))
    cube = np.arange(24.0).reshape(2, 3, 4) if cube is None else cube
    four = np.zeros((2, 3, 5, 7), np.int32)
    seed = np.uint64(2**64 - 3)
    flag = np.array([True, False])
    return Outer(-9, np.int8(-7), seed, np.True_, flag, rows, inner, cube, four, np.zeros(0))


def test_numbers_are_read_as_they_were_given() -> None:
    number, small, seed, yes, weight = read_scalars(some())
    assert (number, small, seed, yes, weight) == (-9, -7, 2**64 - 3, True, 0.25)


def test_arrays_are_read_by_shape_and_place() -> None:
    given, found = some(), np.zeros((2, 3, 4))
    assert copy_cube(given, found) == (24, 0, (2, 3, 5, 7), 1, 2)
    assert_array_equal(found, given.cube)
    assert add_rows(given) == 1.5 * 2 + 2.5 * 3 + given.cube[1].sum() + 18.0


@jitted
def test_arrays_that_are_not_contiguous_are_read_by_their_strides() -> None:
    cube = np.arange(192.0).reshape(4, 6, 8)[::2, ::2, ::2]
    found = np.zeros(cube.shape)
    copy_cube(some(cube), found)
    assert_array_equal(found, cube)


def test_what_is_written_to_an_array_is_read_again_and_stays() -> None:
    given = some()
    assert write_twice(given) == ((7.0, 5.0), (5.0, 6.0))
    assert given.inner.values[0] == 6.0


@jitted
def test_a_bundle_is_one_argument() -> None:
    write_twice(some())
    (part,) = write_on.overloads.values()
    code = next(line for line in part.library.get_llvm_str().splitlines() if line.startswith("define"))
    assert re.findall(r"%\"?arg\.([\w.]+)", code) == ["outer", "value"]
    (kind, *_) = part.signature.args
    assert str(kind).startswith("Outer_")
    assert len(str(kind)) < 20


@jitted
def test_a_field_that_does_not_exist_or_cannot_be_kept_is_refused() -> None:
    @by_address
    class Named(NamedTuple):
        name: str

    @compiled()
    def read(bundle):  # type: ignore[no-untyped-def]
        return bundle.nothing

    with pytest.raises(numba.core.errors.TypingError, match="nothing"):
        read(some().inner)
    with pytest.raises(
        TypeError, match="Named holds unicode_type; a bundle's fields are arrays, numbers or other bundles"
    ):
        read(Named("x"))


@jitted
def test_two_classes_of_the_same_name_are_told_apart_by_their_fields() -> None:
    @by_address
    class Inner(NamedTuple):
        weight: int

    @compiled()
    def weigh(bundle):  # type: ignore[no-untyped-def]
        return bundle.weight

    assert weigh(Inner(3)) == 3
    assert weigh(some().inner) == 0.25


@jitted
def test_a_kernel_is_compiled_once_for_signed_integers_of_any_width_and_value() -> None:
    @compiled(inner=True)
    def double(number):  # type: ignore[no-untyped-def]
        return 2 * number

    @compiled()
    def outer(small, large):  # type: ignore[no-untyped-def]
        found = 0
        for _ in range(3):
            found += double(found) + double(4)
        return double(small) + double(large) + found

    assert outer(np.int8(100), 2**40) == 200 + 2**41 + 8 * (1 + 3 + 9)
    assert [str(kind) for kinds in double.overloads for kind in kinds] == ["int64"]
