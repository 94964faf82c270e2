"""What kernels read record by record lies in whole lines of the cache."""

import numpy as np
import pytest

from simulator.book import loans_at
from simulator.kernels.bundles import CONTRACT, FACTS, LINE, Loans, lay_out, of_lines, records, zeros_in_lines
from simulator.kernels.workspace import EFFORT
from simulator.shapes import Shape


@pytest.mark.parametrize("sizes", [(0,), (1,), (7,), (3, 0), (2, 5, 11), (1000, 129)])
@pytest.mark.parametrize("dtype", [np.int8, np.float64, EFFORT])
def test_an_array_begins_with_a_line(sizes: tuple[int, ...], dtype: type[np.generic] | np.dtype[np.void]) -> None:
    found = zeros_in_lines(sizes, dtype)
    assert found.shape == sizes
    assert found.dtype == np.dtype(dtype)
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert found.size == 0 or found.ctypes.data % LINE == 0
    assert not found.tobytes().strip(b"\0")


def test_scratch_and_records_begin_with_a_line() -> None:
    filled = Shape((3, 100), np.float64, 2.5).filled()
    assert filled.ctypes.data % LINE == 0
    assert (filled == 2.5).all()
    assert records(CONTRACT, track=np.arange(9.0)).ctypes.data % LINE == 0
    assert isinstance(Shape((2, 3), EFFORT).filled(), np.recarray)


def test_some_of_a_books_loans_begin_with_a_line_too() -> None:
    fact = lay_out(np.zeros(5, FACTS))
    fact["entity"] = np.arange(5)
    whole = Loans(
        fact,
        lay_out(np.zeros(5, CONTRACT)),
        np.arange(5, dtype=np.int8),
        np.zeros(5, np.int16),
        np.zeros(5, np.bool_),
        np.zeros(1, np.int64),
    )
    part = loans_at(whole, np.array([4, 1, 1]))
    assert part.fact.entity.tolist() == [4, 1, 1]
    assert part.bucket.tolist() == [4, 1, 1]
    assert {rows.ctypes.data % LINE for rows in (part.fact, part.contract)} == {0}


def test_records_fill_whole_lines_and_what_every_loan_in_arrears_needs_fills_the_first() -> None:
    assert [dtype.itemsize for dtype in (FACTS, CONTRACT, EFFORT)] == [LINE, LINE, 2 * LINE]
    ends = {name: EFFORT.fields[name][1] + EFFORT[name].itemsize for name in EFFORT.names or ()}  # type: ignore[index]
    first = [name for name, end in ends.items() if end <= LINE]
    assert first[-1] == "queued"
    assert ends["queued"] == LINE
    odd = of_lines([("small", np.int8), ("large", np.float64), ("many", np.int16, 40)])
    assert (odd.itemsize, odd.isalignedstruct) == (2 * LINE, True)
