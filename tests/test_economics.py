"""Funding and servicing of a book: sums by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from simulator.economics import funding_cost, servicing_cost, tier_mix

TERMS = SimpleNamespace(
    funding_spread=np.array([-0.03, 0.01]),
    servicing_cost=np.array([8.0, 12.0]),
    delinquent_servicing_cost=np.array([30.0, 50.0]),
)
MIX = np.array([0.25, 0.75])


def test_funding_is_the_opening_balance_at_prime_and_spread_a_month() -> None:
    """(22): 1,200,000 at 8.5 % less 0 (a quarter at -3, three at +1 points) is 8,500 a month."""
    balance = np.array([[1_200_000.0, 600_000.0], [0.0, 120_000.0]])
    cost = funding_cost(balance, np.array([0.085, 0.035]), TERMS, MIX)
    np.testing.assert_allclose(cost, [[8_500.0, 1_750.0], [0.0, 350.0]])


def test_servicing_costs_more_for_loans_in_arrears() -> None:
    """(23): 11 a loan, 45 more for one in arrears."""
    cost = servicing_cost(np.array([100.0, 0.0]), np.array([10.0, 0.0]), TERMS, MIX)
    np.testing.assert_allclose(cost, [1_100.0 + 450.0, 0.0])


def test_mix_is_by_weight_and_equal_where_nothing_weighs() -> None:
    tier = np.array([1, 0, 1], dtype=np.int32)
    np.testing.assert_allclose(tier_mix(tier, np.array([30.0, 25.0, 45.0]), 2), MIX)
    np.testing.assert_allclose(tier_mix(tier, np.zeros(3), 3), [1 / 3] * 3)
