"""Conservation (9): it holds in every run, and a flow that is lost or doubled is seen and named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scenarios.errors import IntegrityError
from scenarios.vocabulary import BOOK_VARIABLES, MAX_BUCKET
from simulator import engine
from simulator.identities import check_identities
from simulator.kernels.bundles import Result
from small_books import mixed_book, run, shipped, values

MONTHS, PATHS = 12, 20
ROWS = {variable.name: row for row, variable in enumerate(BOOK_VARIABLES)}

IDENTITIES = {
    "balance": "principal",
    "principal_paid": "principal",
    "prepaid": "principal",
    "charge_off": "principal",
    "charge_off_interest": "principal",
    "accrued_interest": "interest",
    "interest_paid": "interest",
    "interest_accrued": "interest",
    "live_count": "count",
    "charge_off_count": "count",
    "prepaid_count": "count",
    "matured_count": "count",
}
"""Stocks and flows that an identity holds, and the first identity that misses them."""

LATE_FLOWS = [name for name in IDENTITIES if name not in ("balance", "accrued_interest", "live_count")]

Tamper = Callable[[Result], None]


@pytest.fixture(scope="module")
def passed() -> Result:
    """What the kernel returned for a book in which everything happens; it passed its own check."""
    kept: list[Result] = []

    def keep(result: Result, first_path: int, months: int) -> None:
        check_identities(result, first_path, months)
        kept.append(result)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engine, "check_identities", keep)
        simulate_mixed()
    (whole,) = kept
    return whole


@pytest.fixture
def result(passed: Result) -> Result:
    """A copy to be tampered with."""
    return passed._replace(book=passed.book.copy(), run_off=passed.run_off.copy())


def simulate_mixed() -> object:
    parameters = shipped("us_near_prime", "us_subprime")
    return run(mixed_book(2_000, seed=2), parameters, paths=PATHS, months=MONTHS, seed=5, size=engine.RunSize(1, PATHS))


def some_cell(result: Result, name: str, *, late: bool) -> tuple[int, int, int]:
    """A path and month in which the flow is not 0."""
    months = slice(MONTHS + 1, None) if late else slice(1, MONTHS + 1)
    paths, found = np.nonzero(result.book[:, ROWS[name], months])
    assert paths.size, f"no {name} to lose"
    return int(paths[-1]), ROWS[name], int(found[-1]) + months.start


def assert_refused(result: Result, identity: str, path: int, when: str) -> None:
    with pytest.raises(IntegrityError) as refusal:
        check_identities(result, 1_000, MONTHS)
    message = str(refusal.value)
    expected = (f"conservation of {identity} fails", f"path {1_000 + path},", when, "fault of carstress", "no result")
    for words in expected:
        assert words in message


@pytest.mark.parametrize("name", IDENTITIES)
@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_a_lost_or_doubled_amount_is_seen(result: Result, name: str, factor: float) -> None:
    path, row, month = some_cell(result, name, late=False)
    result.book[path, row, month] *= factor
    assert_refused(result, IDENTITIES[name], path, "month ")


@pytest.mark.parametrize("name", LATE_FLOWS)
def test_a_flow_lost_after_the_horizon_is_seen(result: Result, name: str) -> None:
    path, row, month = some_cell(result, name, late=True)
    result.book[path, row, month] = 0.0
    assert_refused(result, IDENTITIES[name], path, "after the horizon")


@pytest.mark.parametrize(("column", "identity"), [*enumerate(("principal", "interest", "count", "principal", "count"))])
def test_what_enters_or_cures_out_of_the_run_off_is_seen(result: Result, column: int, identity: str) -> None:
    path = int(np.flatnonzero(result.run_off[:, column])[-1])
    result.run_off[path, column] = 0.0
    assert_refused(result, identity, path, "after the horizon")


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_figure_that_is_no_number_is_seen(result: Result, name: str) -> None:
    path, row, month = some_cell(result, name, late=False)
    result.book[path, row, month] = np.nan
    assert_refused(result, IDENTITIES[name], path, "month ")


def test_rounding_is_not_a_fault_and_more_is(result: Result) -> None:
    path, row, month = some_cell(result, "principal_paid", late=False)
    opening = result.book[path, ROWS["balance"], 0]
    result.book[path, row, month] += 5e-10 * opening
    check_identities(result, 0, MONTHS)
    result.book[path, row, month] += 1e-9 * opening
    with pytest.raises(IntegrityError, match="conservation of principal"):
        check_identities(result, 0, MONTHS)


# --- a kernel that errs ends the run ----------------------------------------------------------------------------


def drop_a_payment(result: Result) -> None:
    result.book[0, ROWS["principal_paid"], 3] = 0.0


def forget_a_loan(result: Result) -> None:
    result.book[0, ROWS["live_count"], MONTHS] -= 1.0


def accrue_twice(result: Result) -> None:
    result.book[0, ROWS["interest_accrued"], 1] *= 2.0


@pytest.mark.parametrize(
    ("tamper", "identity"), [(drop_a_payment, "principal"), (forget_a_loan, "count"), (accrue_twice, "interest")]
)
def test_a_run_with_a_faulty_kernel_ends(monkeypatch: pytest.MonkeyPatch, tamper: Tamper, identity: str) -> None:
    kernel = engine.simulate_paths

    def faulty(worker: int, *bundles: object) -> None:
        kernel(worker, *bundles)
        tamper(bundles[-1])

    monkeypatch.setattr(engine, "simulate_paths", faulty)
    with pytest.raises(IntegrityError, match=f"conservation of {identity} fails on path 0"):
        simulate_mixed()


# --- what a Dataset lets its reader check again --------------------------------------------------------------------


def test_the_datasets_own_sums_agree() -> None:
    results = simulate_mixed()
    moved = values(results, "transition_count_mean")
    live = values(results, "live_count").mean(axis=0)
    buckets = results.sizes["bucket"]
    assert buckets <= MAX_BUCKET + 1
    assert moved[..., :buckets].sum(axis=(1, 2)) == pytest.approx(live, rel=1e-12)
    for column, name in enumerate(("charge_off_count", "prepaid_count", "matured_count")):
        found = moved[..., buckets + column].sum(axis=1)
        assert found == pytest.approx(values(results, name).mean(axis=0), rel=1e-12, abs=1e-12)
    by_bucket = values(results, "bucket_balance_mean")
    for first, name in enumerate(("balance", "delinquent_balance", "seriously_delinquent_balance")):
        assert by_bucket[:, first:].sum(axis=1) == pytest.approx(values(results, name).mean(axis=0), rel=1e-9)
