"""Conservation (9): it holds in every run, and a flow that is lost or doubled is seen and named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from busy_books import busy_macro, busy_servicing, busy_seven_buckets, busy_tiers
from scenarios.errors import IntegrityError
from scenarios.vocabulary import BOOK_VARIABLES, CHARGED_OFF, EXIT_LABELS, MATURED, MAX_BUCKET, PREPAID, TOTAL_LOSS
from simulator import engine
from simulator.identities import TOLERANCE, check_identities
from simulator.kernels.bundles import Result
from small_books import fixed_examples, mixed_book, values

MONTHS, PATHS = 12, 20
ROWS = {variable.name: row for row, variable in enumerate(BOOK_VARIABLES)}

IDENTITIES = {
    "balance": "principal",
    "principal_paid": "principal",
    "prepaid": "principal",
    "total_loss_paid": "principal",
    "capitalised": "principal",
    "charge_off": "principal",
    "charge_off_interest": "principal",
    "accrued_interest": "interest",
    "interest_paid": "interest",
    "interest_accrued": "interest",
    "fees": "cash",
    "sale_proceeds": "cash",
    "workout_cost": "cash",
    "deficiency_cash": "cash",
    "cash": "cash",
    "live_count": "count",
    "charge_off_count": "count",
    "prepaid_count": "count",
    "matured_count": "count",
    "total_loss_count": "count",
}
"""Stocks and flows that an identity holds, and the first identity that misses them."""

PAID = ("principal_paid", "prepaid", "total_loss_paid", "interest_paid")
"""Flows that are cash and settle a claim: two identities hold them."""

STOCKS = ("balance", "accrued_interest", "live_count")

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
        simulate_busy()
    (whole,) = kept
    return whole


@pytest.fixture
def result(passed: Result) -> Result:
    """A copy to be tampered with."""
    return passed._replace(book=passed.book.copy(), run_off=passed.run_off.copy())


def simulate_busy() -> xr.Dataset:
    parameters = busy_tiers("lognormal")
    return engine.simulate(
        mixed_book(2_000, seed=2),
        busy_macro(parameters, MONTHS),
        parameters,
        paths=PATHS,
        months=MONTHS,
        seed=5,
        servicing=busy_servicing(parameters, times=30.0),
        size=engine.RunSize(1, PATHS),
    )


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


# --- it holds -------------------------------------------------------------------------------------------------


def test_the_book_holds_every_flow_and_stock(passed: Result) -> None:
    for name, row in ROWS.items():
        assert np.count_nonzero(passed.book[:, row, 1 : MONTHS + 1]) > PATHS, name
    for column in range(passed.run_off.shape[1]):
        assert np.all(passed.run_off[:, column] > 0.0)


@settings(fixed_examples, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["lognormal", "probit", "seven buckets"]),
    months=st.integers(1, 30),
    times=st.floats(1.0, 3.0),
    phone=st.booleans(),
)
def test_it_holds_in_any_book(seed: int, kind: str, months: int, times: float, phone: bool) -> None:
    parameters = busy_seven_buckets(seed) if kind == "seven buckets" else busy_tiers(kind, seed)
    servicing = busy_servicing(parameters, times) if phone else None
    macro = busy_macro(parameters, months)
    tape = mixed_book(60, seed)
    # A residual would end the run.
    results = engine.simulate(tape, macro, parameters, paths=3, months=months, seed=seed, servicing=servicing)
    assert np.isfinite(values(results, "cash")).all()


# --- a flow that is lost is seen ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDENTITIES)
@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_a_lost_or_doubled_amount_is_seen(result: Result, name: str, factor: float) -> None:
    path, row, month = some_cell(result, name, late=False)
    result.book[path, row, month] *= factor
    assert_refused(result, IDENTITIES[name], path, "month ")


@pytest.mark.parametrize("name", [name for name in IDENTITIES if name not in STOCKS])
def test_a_flow_lost_after_the_horizon_is_seen(result: Result, name: str) -> None:
    path, row, month = some_cell(result, name, late=True)
    result.book[path, row, month] = 0.0
    # Cash is held month by month to the last lag; claims and counts as sums over the run-off.
    of_cash = name in PAID or IDENTITIES[name] == "cash"
    if of_cash:
        assert_refused(result, "cash", path, f"month {month}:")
    else:
        assert_refused(result, IDENTITIES[name], path, "after the horizon")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", PAID)
def test_a_payment_that_is_lost_with_its_cash_is_seen(result: Result, name: str, late: bool) -> None:
    path, row, month = some_cell(result, name, late=late)
    result.book[path, ROWS["cash"], month] -= result.book[path, row, month]
    result.book[path, row, month] = 0.0
    assert_refused(result, IDENTITIES[name], path, "after the horizon" if late else "month ")


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
    for name in ("principal_paid", "cash"):
        result.book[path, ROWS[name], month] += 0.5 * TOLERANCE * opening
    check_identities(result, 0, MONTHS)
    result.book[path, row, month] += TOLERANCE * opening
    with pytest.raises(IntegrityError, match="conservation of principal"):
        check_identities(result, 0, MONTHS)


# --- a kernel that errs ends the run ----------------------------------------------------------------------------


def drop_a_payment(result: Result) -> None:
    result.book[0, ROWS["principal_paid"], 3] = 0.0


def forget_a_loan(result: Result) -> None:
    result.book[0, ROWS["live_count"], MONTHS] -= 1.0


def accrue_twice(result: Result) -> None:
    result.book[0, ROWS["interest_accrued"], 1] *= 2.0


def forget_to_capitalise(result: Result) -> None:
    result.book[0, ROWS["capitalised"], 2] = 0.0


def keep_a_fee(result: Result) -> None:
    result.book[0, ROWS["fees"], 2] = 0.0


def lose_a_late_sale(result: Result) -> None:
    months = np.flatnonzero(result.book[0, ROWS["sale_proceeds"]])
    result.book[0, ROWS["sale_proceeds"], months[-1]] = 0.0


@pytest.mark.parametrize(
    ("tamper", "identity"),
    [
        (drop_a_payment, "principal"),
        (forget_to_capitalise, "principal"),
        (accrue_twice, "interest"),
        (keep_a_fee, "cash"),
        (lose_a_late_sale, "cash"),
        (forget_a_loan, "count"),
    ],
)
def test_a_run_with_a_faulty_kernel_ends(monkeypatch: pytest.MonkeyPatch, tamper: Tamper, identity: str) -> None:
    kernel = engine.simulate_paths

    def faulty(portion: tuple[int, int, int], *bundles: object) -> None:
        kernel(portion, *bundles)
        tamper(bundles[-1])

    monkeypatch.setattr(engine, "simulate_paths", faulty)
    with pytest.raises(IntegrityError, match=f"conservation of {identity} fails on path 0"):
        simulate_busy()


# --- what a Dataset lets its reader check again --------------------------------------------------------------------


def test_the_datasets_own_sums_agree() -> None:
    results = simulate_busy()
    moved = values(results, "transition_count_mean")
    live = values(results, "live_count").mean(axis=0)
    buckets = results.sizes["bucket"]
    assert buckets <= MAX_BUCKET + 1
    assert moved[..., :buckets].sum(axis=(1, 2)) == pytest.approx(live, rel=1e-12)
    counts = {CHARGED_OFF: "charge_off", PREPAID: "prepaid", TOTAL_LOSS: "total_loss", MATURED: "matured"}
    for column, state in enumerate(EXIT_LABELS):
        found = moved[..., buckets + column].sum(axis=1)
        expected = values(results, f"{counts[state]}_count").mean(axis=0)
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
    by_bucket = values(results, "bucket_balance_mean")
    for first, name in enumerate(("balance", "delinquent_balance", "seriously_delinquent_balance")):
        assert by_bucket[:, first:].sum(axis=1) == pytest.approx(values(results, name).mean(axis=0), rel=1e-9)
    recovery = values(results, "sale_proceeds") - values(results, "workout_cost") + values(results, "deficiency_cash")
    recovery = recovery + values(results, "judgment_cash") + values(results, "debt_sale_cash")
    assert values(results, "recovery") == pytest.approx(recovery, rel=1e-12)
