"""The phone: a pool of finite capacity serves who asks, by priority, while hours last (P1), (3h)."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import CAUSE_CLASSES, CHARGE_OFF, CURE, HARDSHIP, MATURED, MAX_BUCKET, PREPAID, ROLL, TYPES
from simulator.kernels.bundles import PRIORITIES
from simulator.parameters import Parameters
from simulator.servicing import PhonePool, Servicing
from simulator.tape import LoanTape
from small_books import BUCKET_DAYS, certain, chain, equal_loans, fixed_examples, mixed_book, run, values

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""

PATHS, MONTHS, SEED = 6, 14, 3
HOURS = 0.5
"""Of a contact."""


def neutral() -> np.ndarray:
    return np.ones((2, len(TYPES), len(CAUSE_CLASSES)))


def phone(
    contacts: float,
    weights: tuple[float, float, float] = (1.0, 0.5, 2.0),
    *,
    first: int = 1,
    last: int = MAX_BUCKET,
    reach: float = 1.0,
    effect: np.ndarray | None = None,
) -> Servicing:
    effect = neutral() if effect is None else effect
    return Servicing(PhonePool(HOURS * contacts, HOURS, first, last, reach, weights, effect))


def lively(**changes: object) -> Parameters:
    """Loans fall behind and catch up, some leave, hardly any is where it was a month before."""
    rows = [[0.6, 0.35, 0, 0, 0, 0.05], [0.3, 0.3, 0.35, 0, 0, 0.05]]
    rows += [[0.15, 0.2, 0.3, 0.3, 0.05, 0], [0.1, 0.1, 0.2, 0.5, 0.1, 0]]
    return chain(rows, **changes)


@cache
def book() -> LoanTape:
    return mixed_book(150, seed=5)


def phoned(servicing: Servicing | None, parameters: Parameters | None = None) -> xr.Dataset:
    ids = tuple(book()["loan_id"].tolist())
    terms = parameters or lively()
    return run(book(), terms, paths=PATHS, months=MONTHS, seed=SEED, trace=ids, servicing=servicing)


def contacts(results: xr.Dataset, name: str) -> np.ndarray:
    """A pool's hours as numbers of contacts: float64[path, month]."""
    return np.asarray(values(results, name)[..., 0] / HOURS)


def served_by_trace(results: xr.Dataset) -> np.ndarray:
    """bool[loan, path, month 0..T] served and reached at the close of the month."""
    return (values(results, "trace_flags").astype(int) & 4) > 0


# --- capacity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, 1, 17, 40, 10_000])
def test_service_is_the_lesser_of_demand_and_capacity(capacity: int) -> None:
    results = phoned(phone(capacity))
    asked, served = contacts(results, "pool_demand"), contacts(results, "pool_served")
    assert np.array_equal(asked, values(results, "delinquent_count"))
    assert np.array_equal(served, np.minimum(asked, capacity))
    assert np.array_equal(values(results, "pool_waiting")[..., 0], asked - served)
    assert np.array_equal(served_by_trace(results)[:, :, 1:].sum(axis=0), served)
    assert results["pool_capacity"].to_numpy().tolist() == [HOURS * capacity]
    assert 30 < asked.mean() < 150


@pytest.mark.parametrize(("hours", "each", "expected"), [(0.9, 0.3, 3), (0.89, 0.3, 2), (2.0, 0.7, 2), (0.1, 0.25, 0)])
def test_hours_give_whole_contacts(hours: float, each: float, expected: int) -> None:
    pool = PhonePool(hours, each, 1, MAX_BUCKET, 1.0, (1.0, 0.0, 0.0), neutral())
    results = phoned(Servicing(pool))
    assert np.all(values(results, "pool_demand") > hours)
    assert values(results, "pool_served") == pytest.approx(expected * each, rel=1e-12)


def test_only_the_pools_buckets_ask() -> None:
    results = phoned(phone(10_000, first=2, last=2))
    states = values(results, "trace_state")[..., 1:]
    assert np.array_equal(contacts(results, "pool_demand"), (states == 2).sum(axis=0))
    assert np.array_equal(served_by_trace(results)[..., 1:], states == 2)


def test_more_capacity_never_lowers_service() -> None:
    runs = {capacity: phoned(phone(capacity, (1.0, 0.5, 2.0))) for capacity in (5, 10, 20, 40, 80)}
    demand = {capacity: contacts(results, "pool_demand") for capacity, results in runs.items()}
    for less, more in pairwise(runs):
        assert np.array_equal(demand[less], demand[more])
        assert np.all(contacts(runs[less], "pool_served") <= contacts(runs[more], "pool_served"))
        assert np.all(values(runs[less], "pool_waiting") >= values(runs[more], "pool_waiting"))
        assert np.all(values(runs[less], "pool_waiting_months") >= values(runs[more], "pool_waiting_months") - 1e-12)


def test_more_capacity_serves_the_same_loans_and_more_where_waiting_does_not_count() -> None:
    sets = [served_by_trace(phoned(phone(capacity, (1.0, 0.0, 2.0)))) for capacity in (5, 20, 60)]
    for fewer, more in pairwise(sets):
        assert not (fewer & ~more).any()
        assert (more & ~fewer).any()


# --- priority ----------------------------------------------------------------------------------------------------


def expected_service(
    results: xr.Dataset,
    capacity: int,
    weights: tuple[float, float, float],
    called: tuple[int, int] = (1, MAX_BUCKET),
) -> tuple[np.ndarray, np.ndarray]:
    """Who is served by (P1), bool[loan, path, month 1..T], and the mean months that the others have waited.

    Who does not ask leaves the queue.
    """
    states, owed = (values(results, name)[..., 1:] for name in ("trace_state", "trace_balance"))
    per_unit = weights[2] / book()["current_balance"].mean()
    served, mean = np.zeros(states.shape, bool), np.zeros(states.shape[1:])
    for path in range(states.shape[1]):
        waited = np.zeros(len(states), int)
        for month in range(states.shape[2]):
            state = states[:, path, month]
            asks = np.flatnonzero((state >= called[0]) & (state <= called[1]))
            score = weights[0] * state + weights[1] * waited + per_unit * owed[:, path, month]
            level = np.clip(np.floor(16.0 * score), 0, PRIORITIES - 1)
            first = asks[np.lexsort((asks, -level[asks]))]
            served[first[:capacity], path, month] = True
            unserved = first[capacity:]
            waited[unserved] += 1
            waited[np.setdiff1d(np.arange(state.size), unserved)] = 0
            mean[path, month] = waited[unserved].mean() if unserved.size else 0.0
    return served, mean


@settings(fixed_examples, max_examples=25)
@given(
    capacity=st.integers(0, 60),
    weights=st.tuples(st.floats(0.0, 4.0), st.floats(0.0, 4.0), st.floats(0.0, 4.0)),
    called=st.tuples(st.integers(1, 3), st.integers(1, 3)).map(sorted),
)
def test_the_most_urgent_are_served_first_and_equals_in_the_order_of_their_ids(
    capacity: int, weights: tuple[float, float, float], called: list[int]
) -> None:
    first, last = called
    results = phoned(phone(capacity, weights, first=first, last=last))
    served, mean = expected_service(results, capacity, weights, (first, last))
    assert np.array_equal(served_by_trace(results)[..., 1:], served)
    assert values(results, "pool_waiting_months")[..., 0] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("weights", [(100.0, 0.0, 0.0), (0.0, -1.0, 0.0)])
def test_priorities_beyond_the_scale_are_equal(weights: tuple[float, float, float]) -> None:
    """Above 1,023 sixteenths and below 0 the order of ids decides alone."""
    results = phoned(phone(12, weights))
    served, _ = expected_service(results, 12, weights)
    assert np.array_equal(served_by_trace(results)[..., 1:], served)


def test_who_waits_longest_is_served_at_last() -> None:
    """Five loans that never move, two calls a month: all are called in turn, whatever they owe."""
    stuck = certain({})
    tape = equal_loans(5, days_past_due=BUCKET_DAYS[1], remaining_term=100, rate=0.0)
    ids = tuple(tape["loan_id"].tolist())
    results = run(tape, stuck, paths=1, months=5, seed=1, trace=ids, servicing=phone(2, (1.0, 1.0, 0.0)))
    called = [set(np.flatnonzero(month).tolist()) for month in served_by_trace(results)[:, 0, 1:].T]
    assert called == [{0, 1}, {2, 3}, {0, 4}, {1, 2}, {0, 3}]
    waited = values(results, "pool_waiting_months")[0, :, 0]
    assert waited == pytest.approx([1.0, 4.0 / 3.0, 4.0 / 3.0, 4.0 / 3.0, 4.0 / 3.0])


# --- what service does -------------------------------------------------------------------------------------------


def test_only_who_was_served_and_reached_is_treated() -> None:
    """Binomial count of those reached; a fresh seed fails about once in 10,000."""
    reach = 0.37
    results = phoned(phone(10_000, reach=reach))
    served = round(contacts(results, "pool_served").sum())
    reached = served_by_trace(results)[..., 1:].sum()
    assert served > 3_000
    assert_shares(np.array([reached]), [reach], served, normal_bound(FALSE_ALARM, 1))
    nobody = phoned(phone(10_000, reach=0.0))
    assert not served_by_trace(nobody)[..., 1:].any()
    assert np.array_equal(contacts(nobody, "pool_served"), contacts(results, "pool_served"))


def test_service_acts_in_the_next_month_and_in_no_other() -> None:
    effect = neutral()
    effect[0][:, CURE] = 0.0
    results = phoned(phone(25, effect=effect))
    states = values(results, "trace_state").astype(int)
    served = served_by_trace(results)
    opened, closed, treated = states[..., 1:-1], states[..., 2:], served[..., 1:-1]
    late = (opened >= 1) & (opened <= MAX_BUCKET)
    # Loans past their last due date mature by paying one instalment: that is no cure.
    cured = late & (closed < opened)
    assert cured[treated].any()
    assert not cured[~treated].any()
    # Before the first close nobody was asked: all count as served, as on the day that the parameters were observed.
    assert np.all(served[..., 0] == ((states[..., 0] >= 1) & (states[..., 0] <= MAX_BUCKET)))
    assert ((states[..., 0] >= 1) & (states[..., 1] < states[..., 0])).any()


def test_a_bucket_that_the_pool_does_not_call_is_left_alone() -> None:
    """Nobody who asks is served, and nothing happens to the unserved; the others do as without a pool."""
    effect = neutral()
    effect[0] = effect[1] = 0.0
    results = phoned(phone(0, first=2, last=2, effect=effect))
    states = values(results, "trace_state").astype(int)
    opened, closed = states[..., 1:-1], states[..., 2:]
    # Who stands in the bucket stays there, but for payoff; past the last due date a payment is maturity.
    assert set(np.unique(closed[opened == 2]).tolist()) <= {2, PREPAID, MATURED}
    plain = values(phoned(None), "trace_state").astype(int)
    same_until_now = np.cumprod(states == plain, axis=2, dtype=bool)[..., 1:-1]
    elsewhere = same_until_now & (opened != 2)
    assert elsewhere.mean() > 0.3
    assert np.array_equal(closed[elsewhere], plain[..., 2:][elsewhere])


@pytest.mark.parametrize("cause", [CURE, ROLL, CHARGE_OFF])
@pytest.mark.parametrize("treated", [0, 1])
def test_an_effect_moves_its_own_class_of_its_own_type(cause: int, treated: int) -> None:
    """Without service all are unserved, with enough all are served: the effect is that of another intensity."""
    kinds = np.zeros((1, 4, len(TYPES)))
    kinds[..., HARDSHIP] = 1.0
    types = {"open_type": kinds, "type_share": kinds[:, 0]}
    effect, scaled = neutral(), np.ones((1, len(TYPES), len(CAUSE_CLASSES)))
    effect[treated, HARDSHIP, cause] = scaled[0, HARDSHIP, cause] = 1.7
    months = slice(1, None)
    servicing = phone(10_000 * treated, effect=effect)
    by_effect = phoned(servicing, lively(**types))
    by_type = phoned(None, lively(type_multiplier=scaled, **types))
    plain = phoned(None, lively(**types))
    if treated:
        for name in ("trace_state", "trace_balance", "trace_cash"):
            assert np.array_equal(values(by_effect, name), values(by_type, name)), name
    else:
        # The tape's arrears are served in month 1, so histories agree where a loan opened current.
        current = values(plain, "trace_state")[:, 0, 0] == 0
        found, expected = (values(results, "trace_state")[current][..., months] for results in (by_effect, by_type))
        assert np.array_equal(found, expected)
    assert not np.array_equal(values(by_effect, "trace_state"), values(plain, "trace_state"))


def test_the_type_decides_which_effect_acts() -> None:
    effect = neutral()
    effect[:, HARDSHIP, CURE] = 0.0
    kinds = np.tile([0.5, 0.5, 0.0], (1, 4, 1))
    results = phoned(phone(10_000, effect=effect), lively(open_type=kinds, type_share=kinds[:, 0]))
    states, types = values(results, "trace_state"), values(results, "trace_type")[..., :-1]
    late = (states[..., :-1] >= 1) & (states[..., :-1] <= MAX_BUCKET)
    cured = late & (states[..., 1:] < states[..., :-1])
    assert not cured[types == HARDSHIP].any()
    assert cured[late & (types != HARDSHIP)].any()


def test_treatment_never_touches_payoff_or_entry() -> None:
    """Effects on these classes are part of the table and have no meaning."""
    effect = np.full_like(neutral(), 3.0)
    effect[..., [CURE, ROLL, CHARGE_OFF]] = 1.0
    assert phoned(phone(25, effect=effect)).identical(phoned(phone(25)))


def test_after_the_horizon_there_is_no_pool() -> None:
    """Who is called cures neither served nor unserved; in month 1 the loan rolls into default, after it it cures."""
    effect = neutral()
    effect[:, :, CURE] = 0.0
    late, moves = {"days_past_due": BUCKET_DAYS[2], "remaining_term": 40}, certain({2: 3, 3: 0})
    for capacity in (0, 10_000):
        servicing = phone(capacity, effect=effect)
        results = run(equal_loans(3, **late), moves, paths=2, months=1, seed=1, servicing=servicing)
        assert np.all(values(results, "interest_paid_after_horizon") > 0.0)
        assert not values(results, "charge_off_after_horizon").any()
        longer = run(equal_loans(3, **late), moves, paths=2, months=9, seed=1, servicing=servicing)
        assert np.array_equal(values(longer, "delinquent_count"), np.full((2, 9), 3))


def test_a_bucket_that_is_not_called_is_left_alone_before_the_first_close_and_after_the_horizon() -> None:
    """What service would do to it, nothing at all, is not done: it moves in month 1, and in the run-off."""
    effect = np.zeros_like(neutral())
    servicing = phone(10_000, first=1, last=1, effect=effect)
    loan = {"days_past_due": BUCKET_DAYS[2], "remaining_term": 40}
    results = run(equal_loans(3, **loan), certain({2: 3, 3: 0}), paths=1, months=1, seed=1, servicing=servicing)
    assert values(results, "default_count").tolist() == [[3]]
    assert np.all(values(results, "interest_paid_after_horizon") > 0.0)
    called = {**loan, "days_past_due": BUCKET_DAYS[1]}
    stays = run(equal_loans(3, **called), certain({1: 2}), paths=1, months=4, seed=1, servicing=servicing)
    assert np.array_equal(values(stays, "seriously_delinquent_balance"), np.zeros((1, 4)))


def test_a_better_phone_loses_less() -> None:
    effect = neutral()
    effect[0][:, CURE], effect[0][:, [ROLL, CHARGE_OFF]] = 0.4, 1.5
    lost = []
    for capacity in (0, 15, 30, 10_000):
        results = phoned(phone(capacity, effect=effect))
        lost.append(values(results, "charge_off").sum() + values(results, "charge_off_after_horizon").sum())
    assert np.all(np.diff(lost) < 0.0)
