"""Methodology (2): competing intensities and monthly probabilities, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.vocabulary import CHARGE_OFF, CURE, ENTER, PREPAY, ROLL
from simulator.intensities import (
    STAYS,
    cause_classes,
    intensities_from_probabilities,
    probabilities_from_intensities,
    quasi_stationary,
    transition_matrix,
)

# An absorbing chain with a direct charge-off from every bucket in arrears (reference case: 6 x 6 chain).
CHAIN = np.array(
    [
        [0.943, 0.04, 0.0, 0.0, 0.0, 0.017],
        [0.33, 0.52, 0.135, 0.0, 0.001, 0.014],
        [0.09, 0.15, 0.49, 0.24, 0.02, 0.01],
        [0.05, 0.03, 0.07, 0.45, 0.39, 0.01],
    ]
)


def test_competing_exponentials_known_answer() -> None:
    # Default .02 and prepayment .015 a month; the naive 1 - exp(-.02) = .0198013 would be wrong.
    probability = probabilities_from_intensities(np.array([0.02, 0.015]))
    assert probability == pytest.approx([0.0196540479, 0.0147405359], abs=5e-11)
    assert 1.0 - probability.sum() == pytest.approx(0.9656054163, abs=5e-11)


def test_competing_exponentials_over_years() -> None:
    probability = probabilities_from_intensities(np.array([0.02, 0.015]))
    stay = 1.0 - probability.sum()
    for months, default, prepaid in ((12, 0.1959732458, 0.1469799344), (36, 0.4093405563, 0.3070054172)):
        incidence = probability * (1.0 - stay**months) / (1.0 - stay)
        assert incidence == pytest.approx([default, prepaid], abs=5e-10)


def test_intensities_of_a_published_row_are_exact() -> None:
    # Total = -ln p_stay, and each cause keeps its share of it.
    moves = np.array([0.434, 0.160, 0.012])
    total = -np.log(1.0 - moves.sum())
    assert intensities_from_probabilities(moves) == pytest.approx(moves * total / moves.sum(), rel=1e-14)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9),
    st.floats(0.0, 0.999),
)
def test_round_trip_returns_the_matrix(weights: list[float], moving: float) -> None:
    shares = np.array(weights)
    probability = moving * shares / max(shares.sum(), 1e-300)
    again = probabilities_from_intensities(intensities_from_probabilities(probability))
    assert again == pytest.approx(probability, rel=1e-12, abs=1e-15)


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=9))
def test_probabilities_are_a_distribution(rates: list[float]) -> None:
    probability = probabilities_from_intensities(np.array(rates))
    assert (probability >= 0.0).all()
    assert probability.sum() <= 1.0 + 1e-12


def test_no_cause_at_all_stays() -> None:
    assert probabilities_from_intensities(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert intensities_from_probabilities(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_each_transition_belongs_to_one_class() -> None:
    # Current, two buckets of arrears; then charge-off and prepaid.
    assert cause_classes(3).tolist() == [
        [STAYS, ENTER, ENTER, ENTER, PREPAY],
        [CURE, STAYS, ROLL, CHARGE_OFF, PREPAY],
        [CURE, CURE, STAYS, CHARGE_OFF, PREPAY],
    ]


def test_matrix_through_intensities_returns_the_chain() -> None:
    moves = CHAIN.copy()
    moves[np.arange(4), np.arange(4)] = 0.0
    assert transition_matrix(intensities_from_probabilities(moves)) == pytest.approx(CHAIN, abs=1e-15)


def test_quasi_stationary_known_answer() -> None:
    shares, kept = quasi_stationary(CHAIN[:, :4])
    assert kept == pytest.approx(0.97844006, abs=5e-9)
    assert shares == pytest.approx([0.87759372, 0.08560486, 0.02530756, 0.01149386], abs=5e-9)


def test_quasi_stationary_mix_does_not_move() -> None:
    shares, kept = quasi_stationary(CHAIN[:, :4])
    assert shares @ CHAIN[:, :4] == pytest.approx(kept * shares, abs=1e-14)
