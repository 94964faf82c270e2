"""How loans repay: closed forms against sums term by term, stated instalments, notes, a book's contractual cash."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scenarios.vocabulary import AMORTISATIONS
from simulator.tape import LoadReport, LoanTape, make_tape
from simulator.tape.amortisation import Amortisation, amortisation, contractual
from simulator.tape.schedule import balance_after, instalment_to, level_instalment
from simulator.tape.tape import FIELDS, KIND_DTYPES

Floats = NDArray[np.float64]

ORDINARY: dict[str, Any] = {
    "current_balance": 20_000.0,
    "original_balance": 20_000.0,
    "rate": 0.08,
    "original_term": 60,
    "remaining_term": 60,
    "scheduled_payment": np.nan,
    "amortisation": "level",
    "balloon": np.nan,
}

INSTALMENT = 405.5278857683
"""20,000 at 8 % over 60 months."""
AFTER_YEARS = (16611.1979588, 12941.1270196, 8966.4420024, 4661.8600891)
"""The same loan's principal after 12, 24, 36 and 48 instalments."""

LEFT = f"{(INSTALMENT - 300.0) * ((1.0 + 0.08 / 12.0) ** 60 - 1.0) / (0.08 / 12.0):,.2f}"
"""What instalments of 300 leave of it at the last due date: what they fall short by, with interest."""


def tape_of(*rows: dict[str, Any]) -> LoanTape:
    """Tape of ordinary loans with changes; fields beside those of a schedule hold what no test here looks at."""
    full = [{"loan_id": f"L{place:03d}", **ORDINARY, **row} for place, row in enumerate(rows)]
    empty = {"U": "", "float64": np.nan, "int64": 0, "bool": False}
    dates = {"as_of_date": np.datetime64("2024-12-31"), "origination_date": np.datetime64("2024-12")}
    columns = {
        name: np.array([row.get(name, dates.get(name, empty.get(KIND_DTYPES[field.kind]))) for row in full])
        for name, field in FIELDS.items()
    }
    report = LoadReport("a test", "rows", len(full), len(full), 0, 0)
    return make_tape(columns, as_of=datetime.date(2024, 12, 31), currency="USD", report=report)


def scheduled(*rows: dict[str, Any], bucket: Sequence[int] | int = 0) -> Amortisation:
    return amortisation(tape_of(*rows), np.broadcast_to(np.asarray(bucket, dtype=np.int64), len(rows)).copy())


@dataclass(frozen=True)
class Loans:
    """What `contractual` takes."""

    fact: Amortisation
    contract: Amortisation
    bucket: NDArray[np.int64]


def cash(*rows: dict[str, Any], bucket: int = 0, months: int = 200, nonaccrual: int = 4) -> tuple[Floats, Floats]:
    plan = scheduled(*rows, bucket=bucket)
    return contractual(Loans(plan, plan, np.full(len(rows), bucket)), months, nonaccrual)


def principal_by_month(row: dict[str, Any], months: int) -> list[float]:
    """Principal after 0, 1, 2, ... months of one loan paid on time, month by month."""
    plan = scheduled(row)
    path = [float(plan.track[0])]
    for month in range(1, months + 1):
        path.append(plan.shrink[0] * path[-1] - plan.step[0] if month < plan.term[0] else 0.0)
    return path


# --- each way of repaying, against sums term by term -------------------------------------------------------------


def test_level_instalment_and_balances_are_the_known_ones() -> None:
    plan = scheduled({})
    assert plan.step[0] == pytest.approx(INSTALMENT, abs=1e-10)
    assert (plan.term[0], plan.renewal[0], plan.shrink[0]) == (60, 0, 1.0 + 0.08 / 12.0)
    path = principal_by_month({}, 60)
    assert [path[month] for month in (12, 24, 36, 48)] == pytest.approx(list(AFTER_YEARS), abs=1e-7)
    closed = balance_after(plan.track, np.array([0.08]), plan.step, np.array([48]))
    assert closed[0] == pytest.approx(AFTER_YEARS[-1], abs=1e-7)


def test_a_balloon_is_what_the_last_instalment_leaves() -> None:
    """Present value: instalments and balloon, discounted at the contract rate, are the principal."""
    plan = scheduled({"amortisation": "balloon", "balloon": 8_000.0})
    growth = 1.0 + 0.08 / 12.0
    value = sum(plan.step[0] * growth**-month for month in range(1, 61)) + 8_000.0 * growth**-60
    assert value == pytest.approx(20_000.0, abs=1e-8)
    path = principal_by_month({"amortisation": "balloon", "balloon": 8_000.0}, 60)
    assert growth * path[59] - plan.step[0] == pytest.approx(8_000.0, abs=1e-8)
    assert plan.term[0] == 60
    assert plan.notes == ("1 loan states no instalment; the level payment is computed (methodology (1)).",)


def test_a_linear_loan_repays_equal_parts_of_principal() -> None:
    path = principal_by_month({"amortisation": "linear"}, 60)
    assert path == pytest.approx([20_000.0 * (60 - month) / 60 for month in range(61)], abs=1e-8)
    principal, interest = cash({"amortisation": "linear"}, months=60)
    assert principal == pytest.approx(np.full(60, 20_000.0 / 60), abs=1e-8)
    # Interest of an arithmetic series of balances.
    assert interest.sum() == pytest.approx(0.08 / 12.0 * 20_000.0 / 60 * (60 * 61 / 2), rel=1e-12)


def test_an_interest_only_loan_owes_all_of_it_at_the_end() -> None:
    principal, interest = cash({"amortisation": "interest_only"}, months=61)
    assert principal.tolist() == [0.0] * 59 + [20_000.0, 0.0]
    assert interest == pytest.approx([20_000.0 * 0.08 / 12.0] * 60 + [0.0], rel=1e-12)


def test_a_single_payment_loan_renews_after_its_term() -> None:
    title = {"amortisation": "single_payment", "original_term": 1, "remaining_term": 1, "rate": 3.0}
    plan = scheduled(title, {**title, "remaining_term": 0}, {**title, "original_term": 3, "remaining_term": 2})
    assert plan.term.tolist() == [1, 1, 2]
    assert plan.renewal.tolist() == [1, 1, 3]
    assert (plan.shrink.tolist(), plan.step.tolist()) == ([1.0] * 3, [0.0] * 3)
    assert plan.growth.tolist() == [1.25] * 3
    assert plan.notes == (
        "1 single-payment loan lasts longer than a month: interest is paid monthly, and due dates are renewals "
        "(methodology (1c)).",
    )
    assert scheduled(title).notes == ()
    principal, interest = cash(title, months=2)
    assert (principal.tolist(), interest.tolist()) == ([0.0, 0.0], [5_000.0, 5_000.0])


def test_a_linear_loan_may_end_in_a_balloon() -> None:
    principal, _ = cash({"amortisation": "linear", "balloon": 5_000.0}, months=60)
    assert principal[0] == pytest.approx(15_000.0 / 60)
    assert principal[-1] == pytest.approx(15_000.0 / 60 + 5_000.0)


# --- what the tape states ------------------------------------------------------------------------------------


def test_the_stated_instalment_wins_of_level_and_balloon_loans() -> None:
    stated = {"scheduled_payment": 450.0}
    plan = scheduled(
        stated, {**stated, "amortisation": "balloon", "balloon": 1_000.0}, {**stated, "amortisation": "linear"},
        {**stated, "amortisation": "interest_only"},
    )  # fmt: skip
    assert plan.step.tolist() == [450.0, 450.0, 20_000.0 / 60, 0.0]


def test_a_loan_repaid_early_ends_early() -> None:
    plan = scheduled({"scheduled_payment": 1_000.0}, {"scheduled_payment": 1_000.0, "amortisation": "linear"})
    assert plan.term.tolist() == [22, 60]  # 21 instalments repay 19,547
    assert plan.notes == ()


def test_a_large_residual_of_a_level_loan_is_said() -> None:
    assert scheduled({"scheduled_payment": 300.0}).notes == (
        f"1 loan owes more than two instalments at maturity by the stated payment; {LEFT} beyond the instalment falls"
        " due with the last one.",
    )


def test_what_a_balloon_s_instalment_leaves_is_said() -> None:
    unstated = {"amortisation": "balloon", "scheduled_payment": 300.0}
    assert scheduled(unstated).notes == (
        f"1 loan states no size of its balloon; by the instalments {LEFT} falls due with the last one.",
    )
    assert scheduled({**unstated, "balloon": 7_700.0}).notes == ()
    assert scheduled({**unstated, "balloon": 2_000.0}).notes == (
        f"1 loan has a balloon of 2,000.00, but by the stated payment {LEFT} falls due with the last instalment; the"
        " payment was taken.",
    )


def test_balloons_without_size_or_beyond_the_principal_are_said() -> None:
    plan = scheduled({"amortisation": "balloon"}, {"amortisation": "balloon", "balloon": 30_000.0})
    assert plan.step == pytest.approx([INSTALMENT, 20_000.0 * 0.08 / 12.0], abs=1e-9)
    assert plan.notes == (
        "1 loan states neither its balloon nor an instalment; level instalments are computed that repay all.",
        "1 loan states a balloon above the principal; all principal falls due with the last instalment.",
        "2 loans state no instalment; the level payment is computed (methodology (1)).",
    )


def test_a_level_loan_with_a_balloon_is_one_with_a_balloon() -> None:
    level, balloon = scheduled({"balloon": 8_000.0}, {"balloon": 8_000.0, "amortisation": "balloon"}).step
    assert level == balloon


# --- arrears ---------------------------------------------------------------------------------------------------


def _behind(plan: Amortisation, bucket: int) -> Floats:
    """Principal of the loan that is so many instalments behind, which the tape's balance is."""
    principal = plan.track
    for _ in range(bucket):
        principal = (principal + plan.step) / plan.shrink
    return principal


@pytest.mark.parametrize("way", AMORTISATIONS)
@pytest.mark.parametrize("bucket", [0, 1, 3])
def test_the_paid_track_and_the_balance_are_steps_apart(way: str, bucket: int) -> None:
    plan = scheduled({"amortisation": way, "balloon": 4_000.0, "remaining_term": 30}, bucket=bucket)
    assert _behind(plan, bucket)[0] == pytest.approx(20_000.0, rel=1e-13)
    assert plan.term[0] == 30


def test_arrears_past_maturity_fall_due_at_once() -> None:
    ways = [way for way in AMORTISATIONS if way != "single_payment"]
    plan = scheduled(*({"amortisation": way, "remaining_term": 0} for way in ways), bucket=2)
    assert plan.term.tolist() == [0] * len(ways)
    for way in ways:
        principal, _ = cash({"amortisation": way, "remaining_term": 0}, bucket=2)
        assert principal[0] == pytest.approx(20_000.0, rel=1e-13)


def test_arrears_and_their_accrued_interest_are_due_in_the_first_month() -> None:
    principal, interest = cash({"remaining_term": 30}, bucket=2, nonaccrual=4)
    plan = scheduled({"remaining_term": 30}, bucket=2)
    on_track = plan.shrink[0] * plan.track[0] - plan.step[0]
    assert principal[0] == pytest.approx(20_000.0 - on_track, rel=1e-12)
    assert interest[0] == pytest.approx(3 * 20_000.0 * 0.08 / 12.0, rel=1e-12)
    assert interest[1] == pytest.approx(on_track * 0.08 / 12.0, rel=1e-12)
    stopped = cash({"remaining_term": 30}, bucket=2, nonaccrual=1)[1]
    assert stopped[0] == pytest.approx(20_000.0 * 0.08 / 12.0, rel=1e-12)


# --- the contractual cash of a book ---------------------------------------------------------------------------

MONEY = st.integers(50_000, 5_000_000).map(lambda cents: cents / 100)
ROW = st.fixed_dictionaries(
    {
        "current_balance": MONEY,
        "rate": st.one_of(st.just(0.0), st.floats(0.001, 0.36)),
        "remaining_term": st.integers(1, 96),
        "original_term": st.integers(1, 96),
        "amortisation": st.sampled_from([way for way in AMORTISATIONS if way != "single_payment"]),
        "balloon": st.one_of(st.just(np.nan), MONEY),
        "scheduled_payment": st.one_of(st.just(np.nan), st.integers(20_000, 200_000).map(lambda cents: cents / 100)),
    }
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(rows=st.lists(ROW, min_size=1, max_size=6), bucket=st.integers(0, 4))
def test_all_principal_is_due_in_the_end_and_none_twice(rows: list[dict[str, Any]], bucket: int) -> None:
    principal, interest = cash(*rows, bucket=bucket, months=110)
    assert principal.sum() == pytest.approx(sum(row["current_balance"] for row in rows), rel=1e-9)
    assert (interest >= -1e-9).all()
    assert (principal[100:] == 0.0).all()


def test_the_cash_of_a_level_loan_is_its_instalment() -> None:
    principal, interest = cash({}, months=60)
    assert principal + interest == pytest.approx(np.full(60, INSTALMENT), abs=1e-8)


def test_an_instalment_to_nothing_is_the_level_one_bit_for_bit() -> None:
    principal, months = np.array([20_000.0, 1_234.56, 7.77]), np.array([60, 17, 3])
    rate = np.array([0.08, 0.0, 0.3])
    assert np.array_equal(
        instalment_to(principal, np.zeros(3), rate, months), level_instalment(principal, rate, months)
    )
