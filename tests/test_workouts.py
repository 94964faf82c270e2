"""What a book's terms become for the kernels: how fine its sums are (D3)."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.vocabulary import MAX_BUCKET
from simulator.book import build_book
from simulator.workouts import BOOK_BITS, LOAN_BITS, quanta_scale
from small_books import equal_loans, shipped


@pytest.mark.parametrize("count", [1, 60, 8_000])
def test_quanta_are_as_fine_as_the_sums_allow(count: int) -> None:
    loans = build_book(equal_loans(count), shipped("us_prime")).loans
    scale, contract = quanta_scale(loans), loans.contract
    book = max(np.abs(contract.track).sum(), loans.fact.value_as_new.sum()) * scale / 2.0**BOOK_BITS
    loan = np.max(np.abs(contract.track) + MAX_BUCKET * np.abs(contract.step)) * scale / 2.0**LOAN_BITS
    assert np.log2(scale) == int(np.log2(scale))
    assert 0.5 < max(book, loan) <= 1.0
    assert (book > loan) == (count > 2**11)  # the book's bits count only where it has thousands of loans
