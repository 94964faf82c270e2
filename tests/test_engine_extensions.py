"""Extensions by hand, and what a default is: probation, seized cars, total losses (1b), (3i), the states of a loan."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import single_loans
from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import HISTORY_MONTHS, MATURED, MAX_BUCKET
from simulator.parameters import Parameters
from single_loans import RATE, in_month, traced
from small_books import (
    BUCKET_DAYS,
    CERTAIN,
    certain,
    chain,
    changed,
    equal_loans,
    fixed_examples,
    mixed_book,
    run,
    values,
)

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

LOAN = {"amortisation": "level", "remaining_term": 18}


def life(parameters: Parameters, months: int, **changes: object) -> xr.Dataset:
    return single_loans.life(parameters, months, **{**LOAN, **changes})


def extending(bucket: int, **changes: object) -> Parameters:
    """Loans in a bucket are extended in the next month."""
    shares = np.zeros((1, 4))
    shares[0, bucket] = 1.0
    return certain({bucket: 0}, modified_share=shares, late_fee=np.array([30.0]), **changes)


# --- one extension (1b) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bucket", [1, 2, 3])
def test_an_extension_of_a_level_loan(bucket: int) -> None:
    """Nothing is paid; all unpaid interest, this month's included, is owed; the instalment stays, and pays longer."""
    loan = {"days_past_due": BUCKET_DAYS[bucket], "scheduled_payment": 400.0, "remaining_term": 30}
    results = life(extending(bucket), months=40, **loan)
    capitalised = 9_000.0 * RATE * (bucket + 1)
    assert in_month(results, "modified_count") == {1: 1.0}
    assert in_month(results, "capitalised") == {1: pytest.approx(capitalised)}
    assert in_month(results, "interest_accrued")[1] == pytest.approx(9_000.0 * RATE)
    for name in ("cash", "fees", "principal_paid", "interest_paid", "accrued_interest"):
        assert values(results, name)[0, 0] == 0.0, name
    balance, state = traced(results, "trace_balance"), traced(results, "trace_state")
    # 26 instalments of 400 repay 9,000; as many are left, and the last one pays what is then owed.
    count = math.ceil(-math.log(1.0 - 9_000.0 * RATE / 400.0) / math.log(1.0 + RATE))
    owed = [9_000.0 + capitalised]
    while len(owed) < count:
        owed.append(owed[-1] * (1.0 + RATE) - 400.0)
    assert balance[1 : 1 + count] == pytest.approx(owed, rel=1e-12)
    assert state[: 2 + count].tolist() == [bucket, *[0] * count, MATURED]
    cash = traced(results, "trace_cash")
    assert cash[2 : 1 + count] == pytest.approx(np.full(count - 1, 400.0), rel=1e-12)
    assert cash[1 + count] == pytest.approx(owed[-1] * (1.0 + RATE), rel=1e-12)


@pytest.mark.parametrize("amortisation", ["level", "balloon", "interest_only", "linear"])
@pytest.mark.parametrize("bucket", [1, 3])
def test_an_extension_moves_the_last_due_date(amortisation: str, bucket: int) -> None:
    """By the instalments missed, this month's too; what the instalments leave falls due then."""
    terms = {"amortisation": amortisation, "balloon": 1_000.0, "days_past_due": BUCKET_DAYS[bucket]}
    results = life(extending(bucket), months=30, **terms)
    principal = 9_000.0 * (1.0 + RATE * (bucket + 1))
    last = 18 + bucket + 1
    assert in_month(results, "matured_count") == {last: 1.0}
    assert values(results, "principal_paid").sum() == pytest.approx(principal, rel=1e-12)
    # From then on as a loan of that principal, that instalment and as many instalments left.
    left = 18 + bucket
    instalment = {
        "interest_only": 0.0,
        "linear": (9_000.0 - 1_000.0) / left,
        "level": (9_000.0 * 1.01**left - 1_000.0) * RATE / (1.01**left - 1.0),
    }
    instalment["balloon"] = instalment["level"]
    growth = 1.01 if amortisation in ("level", "balloon") else 1.0
    owed = principal
    for month in range(1, last):
        assert traced(results, "trace_balance")[month] == pytest.approx(owed, rel=1e-9), month
        owed = owed * growth - instalment[amortisation]


@pytest.mark.parametrize("nonaccrual", [1, 2, 6])
def test_an_extension_capitalises_what_has_accrued(nonaccrual: int) -> None:
    parameters = changed(extending(3), nonaccrual_months=nonaccrual)
    results = life(parameters, months=2, days_past_due=BUCKET_DAYS[3])
    months = min(3, nonaccrual) + (nonaccrual > 3)
    assert in_month(results, "capitalised") == {1: pytest.approx(9_000.0 * RATE * months)}
    assert traced(results, "trace_balance")[1] == pytest.approx(9_000.0 * (1.0 + RATE * months))


def test_there_is_no_extension_on_or_after_the_last_due_date() -> None:
    for remaining, extended in ((2, True), (1, False), (0, False)):
        results = life(extending(2), months=4, days_past_due=BUCKET_DAYS[2], remaining_term=remaining)
        assert values(results, "modified_count").sum() == extended, remaining
        if not extended:  # who cannot be extended pays, late fees included
            assert in_month(results, "matured_count") == {1: 1.0}
            assert values(results, "cash")[0, 0] == pytest.approx(9_000.0 * (1.0 + 3 * RATE) + 60.0)


def test_arrears_after_an_extension_follow_the_new_schedule() -> None:
    """Extended in month 1, late from month 3 on, charged off: the claim is the new principal and its interest."""
    multiplier = np.ones((1, 2, HISTORY_MONTHS + 1))
    multiplier[0, 1, 0] = 0.0  # one month of peace
    parameters = certain(
        {0: 1, 1: 2, 2: 3, 3: 0}, modified_share=np.array([[0, 0, 0, 1.0]]), history_multiplier=multiplier
    )
    loan = {"days_past_due": BUCKET_DAYS[3], "scheduled_payment": 400.0, "remaining_term": 60}
    results = life(parameters, months=6, **loan)
    assert traced(results, "trace_state").tolist() == [3, 0, 0, 1, 2, 3, 0]
    first = 9_000.0 * (1.0 + 4 * RATE)
    paid = first * 1.01 - 400.0
    expected = [first, paid, paid, paid, paid, paid * (1.0 + 4 * RATE)]
    assert traced(results, "trace_balance")[1:] == pytest.approx(expected, rel=1e-12)
    assert values(results, "accrued_interest")[0] == pytest.approx(np.array([0, 0, 1, 2, 3, 0]) * paid * RATE)
    assert in_month(results, "capitalised") == {1: pytest.approx(first - 9_000.0), 6: pytest.approx(4 * RATE * paid)}


def test_the_share_of_cures_that_are_extensions_by_bucket() -> None:
    """Binomial counts from two buckets; once in 10,000 fresh seeds."""
    shares = np.array([[0.0, 0.15, 0.6, 0.0]])
    for bucket in (1, 2, 3):
        tape = equal_loans(8_000, days_past_due=BUCKET_DAYS[bucket])
        results = run(tape, certain({bucket: 0}, modified_share=shares), paths=1, months=1, seed=2)
        count = values(results, "modified_count")[0]
        if shares[0, bucket] > 0.0:
            assert_shares(count, shares[0, [bucket]], 8_000, normal_bound(FALSE_ALARM, 2))
        else:
            assert count.tolist() == [0]
        # The rest pays.
        paid = values(results, "interest_paid")[0, 0] / (16_000.0 * 0.08 / 12.0 * (bucket + 1))
        assert paid == pytest.approx(8_000 - count[0], rel=1e-9)


def test_a_modified_balance_counts_for_24_months() -> None:
    results = life(extending(1), months=30, days_past_due=BUCKET_DAYS[1], remaining_term=60)
    modified, balance = values(results, "modified_balance")[0], values(results, "balance")[0]
    assert modified[:HISTORY_MONTHS].tolist() == balance[:HISTORY_MONTHS].tolist()
    assert not modified[HISTORY_MONTHS:].any()
    flags = traced(results, "trace_flags").astype(int) & 1
    assert np.flatnonzero(flags).tolist() == list(range(1, HISTORY_MONTHS + 1))


# --- default and probation -------------------------------------------------------------------------------------------


def lively(**changes: object) -> Parameters:
    rows = [
        [0.7, 0.29, 0, 0, 0.01, 0],
        [0.4, 0.3, 0.3, 0, 0, 0],
        [0.3, 0.1, 0.3, 0.3, 0, 0],
        [0.3, 0.1, 0.1, 0.4, 0.1, 0],
    ]
    return chain(rows, **changes)


def defaults_of(states: list[int], seized: list[bool], probation: int) -> tuple[list[int], list[int]]:
    """Months of defaults, and months that close in default, from a life's states: by the words of the methodology."""
    in_default, clean = states[0] >= 3, 10_000
    months, closes = [], []
    for month, state in enumerate(states[1:], 1):
        if state > MAX_BUCKET and states[month - 1] > MAX_BUCKET:
            break
        was_in_arrears = 1 <= states[month - 1] <= MAX_BUCKET
        bad = 3 <= state <= MAX_BUCKET or state == 18 or (seized[month] and state <= MAX_BUCKET)
        if not was_in_arrears and state != 0 and state not in (16, 17) and clean >= probation:
            in_default = False
        if bad and not in_default:
            months.append(month)
            in_default = True
        clean = clean + 1 if state == 0 and not was_in_arrears else 1 if state == 0 else 0
        still = in_default and state <= MAX_BUCKET and (state > 0 or clean < probation)
        if still:
            closes.append(month)
    return months, closes


@settings(fixed_examples, max_examples=12)
@given(probation=st.integers(0, HISTORY_MONTHS), seed=st.integers(0, 2**32 - 1), seizure=st.sampled_from([0.0, 0.05]))
def test_a_default_counts_again_only_after_probation(probation: int, seed: int, seizure: float) -> None:
    parameters = lively(probation_months=probation, seizure=np.array([[0.0, seizure, seizure, seizure]]))
    tape = mixed_book(60, seed=3)
    ids = tuple(tape["loan_id"].tolist())
    results = run(tape, parameters, paths=4, months=40, seed=seed, trace=ids)
    states, flags = (values(results, name).astype(int) for name in ("trace_state", "trace_flags"))
    counted = np.zeros((4, 41), int)
    for loan in range(len(tape)):
        for path in range(4):
            seized = ((flags[loan, path] & 2) > 0).tolist()
            months, closes = defaults_of(states[loan, path].tolist(), seized, probation)
            np.add.at(counted[path], months, 1)
            assert np.flatnonzero(flags[loan, path, 1:] & 8).tolist() == [month - 1 for month in closes]
    assert np.array_equal(values(results, "default_count"), counted[:, 1:])
    assert counted.sum() > 100
    owed = values(results, "trace_balance")[..., 1:]
    defaulted = np.where(flags[..., 1:] & 8, owed, 0.0).sum(axis=0)
    assert values(results, "defaulted_balance") == pytest.approx(defaulted, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("probation", "again"), [(0, True), (3, True), (4, True), (5, False), (24, False)])
def test_one_default_and_the_next(probation: int, again: bool) -> None:
    """Cured in month 1 it closes four months clean, and falls behind in month 5: in default again in month 7."""
    multiplier = np.zeros((1, 2, HISTORY_MONTHS + 1))
    multiplier[0, 0, 3] = 1.0  # entry in the fourth month after the return, month 5
    moves = {0: 1, 1: 2, 2: 3, 3: 0}
    parameters = certain(moves, history_multiplier=multiplier, probation_months=probation)
    results = life(parameters, months=7, days_past_due=BUCKET_DAYS[3], remaining_term=60)
    assert traced(results, "trace_state").tolist() == [3, 0, 0, 0, 0, 1, 2, 3]
    assert list(in_month(results, "default_count")) == ([7] if again else [])


def test_the_exposure_of_a_default_is_what_is_owed_then() -> None:
    results = life(certain({0: 1, 1: 2, 2: 3}), months=3, scheduled_payment=400.0, remaining_term=60)
    assert in_month(results, "default_count") == {3: 1.0}
    assert in_month(results, "default_balance") == {3: pytest.approx(9_000.0 * (1.0 + 3 * RATE))}


def test_who_opens_in_default_does_not_default_again() -> None:
    results = life(certain({3: "charge_off"}), months=2, days_past_due=BUCKET_DAYS[3])
    assert in_month(results, "charge_off_count") == {1: 1.0}
    assert not in_month(results, "default_count")


def test_a_charge_off_or_a_written_off_total_loss_is_a_default_at_once() -> None:
    for parameters, ending in (
        (certain({0: "charge_off"}), "charge_off_count"),
        (certain({}, total_loss=np.array([CERTAIN])), "total_loss_count"),
    ):
        results = life(parameters, months=1)
        assert in_month(results, ending) == {1: 1.0}
        assert in_month(results, "default_count") == {1: 1.0}
        assert in_month(results, "default_balance") == {1: pytest.approx(9_000.0 * 1.01)}


def test_a_total_loss_after_probation_is_a_new_default_and_before_it_is_not() -> None:
    """Once in default, cured in month 1: uninsured total losses count from the end of the probation on."""
    rows = [[1, 0, 0, 0, 0, 0], [1e-12] * 6, [1e-12] * 6, [1 - 5e-12, *[1e-12] * 5]]
    parameters = chain(rows, probation_months=4, total_loss=np.array([0.1]))
    tape = equal_loans(400, rate=0.0, remaining_term=100, days_past_due=BUCKET_DAYS[3])
    results = run(tape, parameters, paths=2, months=12, seed=1)
    lost, defaults = values(results, "total_loss_count"), values(results, "default_count")
    assert lost[:, 1:].min() > 0
    assert not defaults[:, :4].any()
    assert np.array_equal(defaults[:, 4:], lost[:, 4:])
