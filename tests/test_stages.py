"""Stages at the as-of date: the standard's rules one by one, and the lifetime probability of default by brute force."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.vocabulary import CAUSE_CLASSES, ENTER, MODIFIED, ROLL, STAGES
from simulator import stages
from simulator.intensities import cause_classes, intensities_from_probabilities, transition_matrix
from simulator.kernels.bundles import DRAW_MARK, NO_MARK
from simulator.stages import SIGNIFICANT_INCREASE, STAGE_1, STAGE_2, STAGE_3, lifetime_default, stage_of

ROWS = np.array(
    [
        [0.0, 0.028, 0.001, 0.0, 0.0005, 0.016],
        [0.375, 0.0, 0.160, 0.002, 0.001, 0.012],
        [0.120, 0.140, 0.0, 0.339, 0.015, 0.008],
        [0.060, 0.020, 0.060, 0.0, 0.534, 0.008],
    ]
)
"""Monthly moves of a near-prime kind: current, 30, 60, 90 days past due; to these, charge-off, payoff."""
MONTHS = 60


def parameters(**changes: Any) -> Any:
    """What stages read of `Parameters`: one tier, or two of which the second enters arrears twice as often."""
    chain = intensities_from_probabilities(ROWS)
    second = chain.copy()
    second[0, 1:-1] *= 2.0
    fields = {
        "published_intensity": np.stack([chain, second]),
        "bucket_edges": (0, 30, 60, 90),
        "default_bucket": 3,
        "probation_months": 12,
        "seasoning": np.tile(1.0 + 0.5 * np.sin(np.arange(361) / 12.0), (2, 1)),
    }
    return SimpleNamespace(**{**fields, **changes})


def loans(count: int, **changes: Any) -> Any:
    """What stages read of `Loans`; every field that is not stated is that of an ordinary loan."""
    facts = {
        "cell": np.zeros(count, np.int32),
        "tier": np.zeros(count, np.int16),
        "term": np.full(count, 48, np.int32),
        "age": np.full(count, 12, np.int32),
        "risk": np.ones(count),
    }
    fields = {
        "bucket": np.zeros(count, np.int8),
        "mark": np.full(count, NO_MARK, np.int16),
        "repossessed": np.zeros(count, np.bool_),
    }
    every = {**facts, **fields}
    every |= {name: np.asarray(value, dtype=every[name].dtype) for name, value in changes.items()}
    fact = SimpleNamespace(**{name: every.pop(name) for name in facts})
    return SimpleNamespace(fact=fact, **every)


def calm(months: int = MONTHS, cells: int = 1) -> np.ndarray:
    return np.ones((months + 1, cells, len(CAUSE_CLASSES)))


def stressed(factor: float, cause: int = ENTER, months: int = MONTHS) -> np.ndarray:
    multiplier = calm(months)
    multiplier[:, :, cause] = factor
    return multiplier


# --- the rules -------------------------------------------------------------------------------------------


def test_arrears_extension_and_seizure_decide_before_any_probability() -> None:
    bucket = [0, 1, 2, 3, 0, 1]
    book = loans(6, bucket=bucket, repossessed=[False, False, False, False, True, True])
    found = stage_of(book, parameters(), calm())
    assert found.tolist() == [STAGE_1, STAGE_2, STAGE_2, STAGE_3, STAGE_3, STAGE_3]
    assert found.dtype == np.int8
    assert [STAGES[place] for place in (STAGE_1, STAGE_2, STAGE_3)] == ["stage 1", "stage 2", "stage 3"]


def test_an_extension_is_stage_2_as_long_as_its_probation_lasts() -> None:
    months_ago = np.array([0, 11, 12, 23])
    mark = [*(-2 * months_ago + MODIFIED), -2 * 3, NO_MARK, DRAW_MARK]  # then: cured, clean, unknown
    found = stage_of(loans(7, mark=mark), parameters(), calm())
    assert found.tolist() == [STAGE_2, STAGE_2, STAGE_1, STAGE_1, STAGE_1, STAGE_1, STAGE_1]


def test_a_loan_that_stands_as_expected_has_no_increase() -> None:
    book = loans(3, risk=[0.3, 1.0, 6.0], age=[0, 30, 200], term=[1, 48, 60])
    now, expected = lifetime_default(book, parameters(), calm(), np.arange(3))
    np.testing.assert_array_equal(now, expected)
    assert stage_of(book, parameters(), calm()).tolist() == [STAGE_1] * 3


def test_a_scenario_that_doubles_the_lifetime_risk_moves_good_loans_first() -> None:
    """A loan of twenty times the usual risk cannot double a probability that is near its ceiling already."""
    book = loans(2, risk=[0.2, 20.0])
    assert stage_of(book, parameters(), stressed(2.6)).tolist() == [STAGE_2, STAGE_1]
    assert stage_of(book, parameters(), stressed(1.2)).tolist() == [STAGE_1, STAGE_1]
    now, expected = lifetime_default(book, parameters(), stressed(2.6), np.arange(2))
    assert now[0] > SIGNIFICANT_INCREASE * expected[0]
    assert stage_of(book, parameters(), stressed(2.6), threshold=3.0)[0] == STAGE_1


def test_early_arrears_below_the_backstop_are_measured() -> None:
    """Buckets that begin at 1 day (as in China): the first is no backstop, but from it default is nearer.

    The fewer months are left, the more: a loan that has years before it may well default from current, too.
    """
    early = parameters(bucket_edges=(0, 1, 31, 61))
    book = loans(3, bucket=[1, 1, 1], term=[48, 6, 0])
    now, expected = lifetime_default(book, early, calm(), np.arange(3))
    assert now[0] > expected[0]
    assert now[1] / expected[1] > now[0] / expected[0]
    assert now[2] == now[1], "in arrears, a life goes on beyond the last due date, and for a year at least"
    assert stage_of(book, early, calm()).tolist() == [STAGE_1, STAGE_2, STAGE_2]


def test_months_beyond_the_scenario_count_as_its_last() -> None:
    multiplier = calm(months=10)
    multiplier[1:, :, ENTER] = np.linspace(1.0, 2.0, 10)[:, None]
    means = stages._mean_multipliers(multiplier, np.zeros(3, np.int64), np.array([1, 10, 30]))
    np.testing.assert_allclose(means[:, ENTER], [1.0, 1.5, (15.0 + 20 * 2.0) / 30])
    np.testing.assert_allclose(means[:, ROLL], 1.0)


# --- the probability ---------------------------------------------------------------------------------------


def brute_force(book: Any, terms: Any, multiplier: np.ndarray, place: int) -> float:
    """Chain of one loan forwards in time, with the mean multipliers of its life; default absorbs."""
    life = max(int(book.fact.term[place]), 12 if book.bucket[place] else 0)
    months = np.minimum(np.arange(1, max(life, 1) + 1), multiplier.shape[0] - 1)
    mean = multiplier[months, book.fact.cell[place]].mean(axis=0)
    classes, first = cause_classes(4), terms.default_bucket
    state, defaulted = np.zeros(4), 0.0
    state[book.bucket[place]] = 1.0
    for month in range(1, life + 1):
        chain = terms.published_intensity[book.fact.tier[place]] * np.append(mean, 0.0)[classes]
        chain[0, 1:-1] *= (
            book.fact.risk[place] * terms.seasoning[book.fact.tier[place], min(book.fact.age[place] + month, 360)]
        )
        moved = state @ transition_matrix(chain)
        defaulted += moved[first:5].sum()
        state = np.append(moved[:first], np.zeros(4 - first))
    return float(defaulted)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from((2, 3)))
def test_lifetime_default_is_that_of_the_chain_followed_loan_by_loan(seed: int, default_bucket: int) -> None:
    random = np.random.default_rng(seed)
    count, cells = 12, 3
    tier_of_cell = np.array([0, 1, 1])
    cell = random.integers(0, cells, count)
    book = loans(
        count,
        cell=cell,
        tier=tier_of_cell[cell],
        bucket=random.integers(0, default_bucket, count),
        term=random.integers(0, 70, count),
        age=random.integers(0, 340, count),
        risk=random.uniform(0.1, 5.0, count),
    )
    terms = parameters(default_bucket=default_bucket)
    multiplier = random.uniform(0.5, 2.0, (MONTHS + 1, cells, len(CAUSE_CLASSES)))
    places = random.permutation(count)
    now, expected = lifetime_default(book, terms, multiplier, places)
    by_hand = [brute_force(book, terms, multiplier, place) for place in places]
    np.testing.assert_allclose(now, by_hand, rtol=1e-12, atol=1e-15)
    bucket, fresh = book.bucket.copy(), np.zeros(count, np.int8)
    lives = np.where(bucket > 0, np.maximum(book.fact.term, 12), book.fact.term)
    fact = SimpleNamespace(**{**vars(book.fact), "term": lives})
    origin = SimpleNamespace(**{**vars(book), "bucket": fresh, "fact": fact})
    by_hand = [brute_force(origin, terms, np.ones_like(multiplier), place) for place in places]
    np.testing.assert_allclose(expected, by_hand, rtol=1e-12, atol=1e-15)


def test_a_life_without_end_is_looked_at_as_long_as_the_longest_term() -> None:
    book = loans(2, term=[stages.LONGEST_LIFE, 1 << 30])
    now, expected = lifetime_default(book, parameters(), stressed(1.5), np.arange(2))
    assert now[0] == now[1]
    assert expected[0] == expected[1]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    book = loans(50, risk=random.uniform(0.1, 9.0, 50), term=random.integers(1, 70, 50))
    whole = stage_of(book, parameters(), stressed(2.3))
    monkeypatch.setattr(stages, "CHUNK", 7)
    np.testing.assert_array_equal(stage_of(book, parameters(), stressed(2.3)), whole)
    assert 0 < int((whole == STAGE_2).sum()) < 50
