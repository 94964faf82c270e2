"""The plain reference by itself: what enters a month leaves it; schedules, fees and defaults by pencil and paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from busy_books import busy_macro, busy_servicing, busy_seven_buckets, busy_tiers
from plain_books import OF_STRATEGIES, booked, plain_run, plain_world
from reference import simulate_plain
from scenarios.vocabulary import BOOK_VARIABLES, MATURED
from small_books import BUCKET_DAYS, CERTAIN, certain, changed, mixed_book

EXACT = 1e-9
SEED = 20_250_101
LAST_CASH = 200
"""A month after every lag."""

RECOVERED = ("sale_proceeds", "deficiency_cash", "judgment_cash", "debt_sale_cash")
"""What comes in after charge-off."""

PAID = ("principal_paid", "interest_paid", "prepaid", "total_loss_paid")
"""What reduces principal and interest, in cash."""


# --- nothing is lost (9) -----------------------------------------------------------------------------------------

MONTHS, PATHS = 24, 6


@pytest.fixture(scope="module", params=["lognormal", "probit", "seven buckets", "reference"])
def busy(request: pytest.FixtureRequest) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = request.param if request.param in ("lognormal", "probit") else "lognormal"
    parameters = busy_seven_buckets() if request.param == "seven buckets" else busy_tiers(kind)
    servicing = None if request.param == "reference" else busy_servicing(parameters)
    macro = busy_macro(parameters, MONTHS)
    world = plain_world(mixed_book(), macro, parameters, months=MONTHS, seed=SEED, servicing=servicing)
    return world, simulate_plain(world, PATHS)


def in_the_horizon(paths: list[dict[str, Any]], name: str) -> np.ndarray:
    """float64[path, month 0..T]."""
    return np.array([[path["book"].get((name, month), 0.0) for month in range(MONTHS + 1)] for path in paths])


def test_every_book_variable_is_met(busy: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    for variable in BOOK_VARIABLES:
        if busy[0]["strategy"] is None and variable.name in OF_STRATEGIES:
            assert not in_the_horizon(busy[1], variable.name).any(), variable.name
            continue
        assert np.count_nonzero(in_the_horizon(busy[1], variable.name)) > 3, variable.name


def test_principal_interest_and_loans_are_conserved(busy: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    book = {variable.name: in_the_horizon(busy[1], variable.name) for variable in BOOK_VARIABLES}

    def kept(stock: str, more: tuple[str, ...], less: tuple[str, ...]) -> None:
        opening, closing = book[stock][:, :-1], book[stock][:, 1:]
        came, went = (sum(book[name][:, 1:] for name in names) for names in (more, less))
        np.testing.assert_allclose(opening + came, closing + went, rtol=EXACT, atol=EXACT * book[stock][:, 0].max())

    book["charge_off_principal"] = book["charge_off"] - book["charge_off_interest"]
    kept("balance", ("capitalised",), ("principal_paid", "prepaid", "total_loss_paid", "charge_off_principal"))
    kept("accrued_interest", ("interest_accrued",), ("interest_paid", "charge_off_interest", "capitalised"))
    kept("live_count", (), ("charge_off_count", "prepaid_count", "matured_count", "total_loss_count"))


def test_cash_is_the_sum_of_its_parts(busy: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    def total(names: tuple[str, ...]) -> np.ndarray:
        rows = [[sum(path["book"].get((name, t), 0.0) for name in names) for t in range(LAST_CASH)] for path in busy[1]]
        return np.array(rows)

    cash = total((*PAID, "fees", *RECOVERED)) - total(("workout_cost",))
    np.testing.assert_allclose(total(("cash",)), cash, rtol=EXACT, atol=1e-6)
    recovery = total(RECOVERED) - total(("workout_cost",))
    np.testing.assert_allclose(total(("recovery",)), recovery, rtol=EXACT, atol=1e-6)


def test_what_enters_the_run_off_leaves_it(busy: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    world, paths = busy
    parameters = world["parameters"]
    rates = {loan["loan_id"]: loan["rate"] / 12.0 for loan in world["loans"]}
    for path in paths:
        entered = 0.0
        for loan, rows in path["history"].items():
            state, owed, *_, flags = rows[-1]
            if 0 < state < MATURED and flags & 8:
                entered += owed * (1.0 + rates[loan] * min(state, parameters["nonaccrual_months"]))
        assert entered > 0.0
        after = {
            name: sum(value for month, value in booked(path, name).items() if month > MONTHS)
            for name in ("interest_accrued", "charge_off", *PAID)
        }
        came = entered + after.pop("interest_accrued")
        assert sum(after.values()) + sum(path["left"].values()) == pytest.approx(came, rel=EXACT)


def test_without_discount_the_loss_is_what_was_not_recovered() -> None:
    parameters = changed(busy_tiers("lognormal"), discount_cap=np.zeros(2))
    macro, servicing = busy_macro(parameters, MONTHS), busy_servicing(parameters)
    world = plain_world(mixed_book(), macro, parameters, months=MONTHS, seed=3, servicing=servicing)
    for path in simulate_plain(world, 3):
        lost = sum(path["loss"].values())
        assert lost > 0.0
        for name in ("ultimate_loss", "default_loss"):
            assert sum(booked(path, name).values()) == pytest.approx(lost, rel=EXACT)
        assert sum(path["shortfall"]) == pytest.approx(lost, rel=EXACT)
        gone = sum(booked(path, "charge_off").values()) - sum(booked(path, "recovery").values())
        assert gone == pytest.approx(lost, rel=EXACT)
        assert sum(sum(row.values()) for row in path["recovered"].values()) == pytest.approx(
            sum(booked(path, "recovery").values()), rel=EXACT
        )


# --- how principal is repaid (1) ---------------------------------------------------------------------------------

LOAN = {"current_balance": 9_000.0, "rate": 0.12, "remaining_term": 18}


def test_a_balloon_is_left_to_the_last_instalment() -> None:
    path = plain_run([{**LOAN, "amortisation": "balloon", "balloon": 4_000.0}], certain({}), months=20)
    growth = 1.01**18
    instalment = (9_000.0 * growth - 4_000.0) * 0.01 / (growth - 1.0)
    for month in (1, 7, 17):
        owed = 9_000.0 * 1.01**month - instalment * (1.01**month - 1.0) / 0.01
        assert path["history"]["L00000"][month][:2] == (0, pytest.approx(owed))
    assert booked(path, "matured_count") == {18: 1}
    last = booked(path, "principal_paid")[18] + booked(path, "interest_paid")[18]
    assert last == pytest.approx(instalment + 4_000.0)


def test_interest_only_and_linear_loans() -> None:
    path = plain_run([{**LOAN, "amortisation": "interest_only"}], certain({}), months=20)
    assert booked(path, "principal_paid") == {18: 9_000.0}
    assert booked(path, "interest_paid") == {month: pytest.approx(90.0) for month in range(1, 19)}
    path = plain_run([{**LOAN, "amortisation": "linear"}], certain({}), months=20)
    assert booked(path, "principal_paid") == {month: pytest.approx(500.0) for month in range(1, 19)}
    assert booked(path, "interest_paid")[5] == pytest.approx(0.01 * (9_000.0 - 4 * 500.0))


def test_a_single_payment_loan_is_renewed_for_a_fee_until_it_leaves() -> None:
    loan = {**LOAN, "amortisation": "single_payment", "original_term": 4, "remaining_term": 3}
    parameters = certain({}, renewal_fee=np.array([0.1]))
    path = plain_run([loan], parameters, months=16)
    assert booked(path, "fees") == {month: pytest.approx(900.0) for month in (3, 7, 11, 15)}
    assert list(booked(path, "renewed_count")) == [3, 7, 11, 15]
    assert path["history"]["L00000"][16][:2] == (0, 9_000.0)
    assert not booked(path, "principal_paid")


@pytest.mark.parametrize("kind", ["level", "linear", "interest_only", "balloon"])
def test_catching_up_pays_all_that_was_missed(kind: str) -> None:
    loan = {**LOAN, "amortisation": kind, "balloon": 1_000.0, "days_past_due": BUCKET_DAYS[2]}
    path = plain_run([loan], certain({2: 0}, late_fee=np.array([30.0])), months=18)
    on_time = plain_run([{**loan, "days_past_due": 0, "remaining_term": 20}], certain({}), months=20)
    assert [row[1] for row in path["history"]["L00000"]][1:] == pytest.approx(
        [row[1] for row in on_time["history"]["L00000"]][3:]
    )
    assert booked(path, "interest_paid")[1] == pytest.approx(3 * 90.0)
    assert booked(path, "fees") == {1: 60.0}
    assert booked(path, "collected") == {1: pytest.approx(270.0 + booked(path, "principal_paid").get(1, 0.0))}
    assert booked(path, "matured_count") == {18: 1}


@pytest.mark.parametrize("kind", ["level", "linear", "interest_only", "balloon"])
def test_an_extension_moves_arrears_to_the_end(kind: str) -> None:
    loan = {**LOAN, "amortisation": kind, "balloon": 1_000.0, "days_past_due": BUCKET_DAYS[2]}
    parameters = certain({2: 0}, modified_share=np.array([[0.0, 0.0, 1.0, 0.0]]), late_fee=np.array([30.0]))
    path = plain_run([loan], parameters, months=30)
    assert booked(path, "modified_count") == {1: 1}
    assert booked(path, "capitalised") == {1: pytest.approx(3 * 90.0)}
    assert 1 not in booked(path, "cash")
    assert not booked(path, "fees")
    assert path["history"]["L00000"][1][:2] == (0, pytest.approx(9_270.0))
    assert booked(path, "matured_count") == {21: 1}  # 18 months, and 3 instalments later
    assert sum(booked(path, "principal_paid").values()) == pytest.approx(9_270.0)
    assert [flags & 1 for *_, flags in path["history"]["L00000"]][:22] == [0, *[1] * 20, 0]
    too_late = plain_run([{**loan, "remaining_term": 1}], parameters, months=3)
    assert not booked(too_late, "modified_count")


def test_fees_of_partial_payments_and_payoffs() -> None:
    fee = {"late_fee": np.array([10.0])}
    three = {**LOAN, "days_past_due": BUCKET_DAYS[3]}
    # A loan that defaulted and is in arrears still goes on after the horizon, one late instalment a month.
    partly = booked(plain_run([three], certain({3: 1}, **fee), months=1), "fees")
    assert partly.pop(1) == 30.0
    assert set(partly.values()) == {10.0}
    assert booked(plain_run([three], certain({3: "prepaid"}, **fee), months=1), "fees") == {1: 30.0}
    assert booked(plain_run([three], certain({}, **fee), months=2), "fees") == dict.fromkeys(range(1, 22), 10.0)
    assert not booked(plain_run([three], certain({3: "charge_off"}, **fee), months=1), "fees")


# --- default and probation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("probation", "defaults"), [(0, [1, 3, 5]), (1, [1, 3, 5]), (2, [1])])
def test_a_default_counts_again_after_probation(probation: int, defaults: list[int]) -> None:
    """In arrears in months 1, 3, 5, current in 2 and 4: one closing without arrears each time."""
    parameters = certain({0: 1, 1: 0}, default_bucket=1, probation_months=probation)
    path = plain_run([LOAN], parameters, months=5)
    assert list(booked(path, "default_count")) == defaults
    flags = [row[-1] & 8 for row in path["history"]["L00000"]]
    assert flags == [0, 8, 8 * (probation > 1), 8, 8 * (probation > 1), 8]


def test_seizure_is_default_and_cure_gives_the_car_back() -> None:
    parameters = certain({0: 1, 1: 2, 2: 0}, seizure=np.array([[0.0, CERTAIN, 0.0, 0.0]]))
    path = plain_run([LOAN], parameters, months=3)
    assert booked(path, "repossessed_count") == {1: 1}
    assert booked(path, "default_count") == {1: 1}
    assert booked(path, "default_balance") == {1: pytest.approx(9_000.0 * 1.01)}
    assert booked(path, "redeemed_count") == {3: 1}
    assert [row[-1] & 2 for row in path["history"]["L00000"]] == [0, 2, 2, 0]
    assert list(booked(path, "repossessed_balance")) == [1, 2]


def test_a_tape_with_the_car_already_seized() -> None:
    path = plain_run([{**LOAN, "repossessed": True}], certain({}), months=1)
    assert path["history"]["L00000"][0][0] == 3  # the default bucket of the set
    assert path["history"]["L00000"][0][-1] == 2 + 8
    assert not booked(path, "default_count")
