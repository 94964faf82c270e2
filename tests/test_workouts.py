"""What a book's terms become for the kernels: how fine its sums are (D3)."""

from __future__ import annotations

import numpy as np
import pytest

from busy_books import busy_tiers
from scenarios.vocabulary import MAX_BUCKET
from simulator.book import build_book
from simulator.kernels.amounts import principal_behind
from simulator.workouts import BOOK_BITS, LOAN_BITS, quanta_scale
from small_books import equal_loans, mixed_book, shipped


@pytest.mark.parametrize("count", [1, 60, 30_000])
def test_quanta_are_as_fine_as_the_sums_allow(count: int) -> None:
    loans = build_book(equal_loans(count), shipped("us_prime")).loans
    scale, contract = quanta_scale(loans), loans.contract
    book = max(np.abs(contract.track).sum(), loans.fact.value_as_new.sum()) * scale / 2.0**BOOK_BITS
    loan = np.max(np.abs(contract.track) + MAX_BUCKET * np.abs(contract.step)) * scale / 2.0**LOAN_BITS
    assert np.log2(scale) == int(np.log2(scale))
    assert 0.5 < max(book, loan) <= 1.0
    assert (book > loan) == (count > 2**13)  # the book's bits count only where it has some ten thousand loans


def test_what_a_loan_in_arrears_owes_has_no_more_bits_than_a_loan_may() -> None:
    loans = build_book(mixed_book(), busy_tiers("lognormal")).loans
    scale, contract = quanta_scale(loans), loans.contract
    owed = [
        principal_behind(one.track, int(bucket), one.shrink, one.step)
        for one, bucket in zip(contract, loans.bucket, strict=True)
    ]
    assert loans.bucket.max() > 1
    assert max(owed) > 1.0
    assert max(owed) * scale <= 2.0**LOAN_BITS
