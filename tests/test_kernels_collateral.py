"""The car: its condition, its seizure and search, what its sale leaves (8a), (8b), in the compiled kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from known_cases import assert_shares, normal_bound
from scenarios.vocabulary import PURPOSE_SEIZE
from simulator.kernels.collateral import car_condition, car_is_found, car_is_seized, kept_proceeds
from simulator.kernels.random import event_uniform

FALSE_ALARM = 1e-4
"""Chance that a statistical test of this file fails on a fresh seed although all is well."""


@pytest.mark.parametrize(
    ("price", "claim", "floor", "kept"),
    [
        (10_000.0, 12_000.0, 0.0, 10_000.0),
        (10_000.0, 8_000.0, 0.0, 9_100.0),  # what exceeds claim and costs is the borrower's
        (10_000.0, 8_000.0, -math.inf, 10_000.0),
        (10_000.0, 8_000.0, 0.25, 7_100.0),
        (500.0, 8_000.0, 0.0, 500.0),  # costs exceed the price
    ],
)
def test_kept_proceeds(price: float, claim: float, floor: float, kept: float) -> None:
    cost = 1_100.0
    proceeds = kept_proceeds(price, cost, claim, floor)
    assert proceeds == kept
    assert proceeds - cost <= claim * (1.0 - floor) or floor == -math.inf


def seizure_draw(entity: np.uint64) -> float:
    return event_uniform(entity, 5, 9, PURPOSE_SEIZE, np.uint64(8))


def test_a_car_has_one_condition_a_path_with_mean_1() -> None:
    """Mean and sd of the log of 40,000 cars; a fresh seed fails about once in 10,000."""
    sd, count, seed = 0.2, 40_000, np.uint64(8)
    found = np.log([car_condition(np.uint64(entity), 5, seed, sd) for entity in range(count)])
    z = (found + 0.5 * sd**2) / sd
    bound = normal_bound(FALSE_ALARM, 2)
    assert abs(z.mean()) * math.sqrt(count) < bound
    assert abs(z.var() - 1.0) * math.sqrt(count / 2.0) < bound
    assert car_condition(np.uint64(3), 5, seed, 0.0) == 1.0


@pytest.mark.parametrize("share", [0.17, 0.83])
def test_the_share_of_cars_that_are_found_and_seized(share: float) -> None:
    """Binomial counts of 40,000 cars; the four of both cases fail about once in 10,000 fresh seeds."""
    count, seed = 40_000, np.uint64(8)
    entities = np.arange(count, dtype=np.uint64)
    found = sum(car_is_found(entity, 5, 9, seed, share) for entity in entities)
    seized = sum(car_is_seized(seizure_draw(entity), -math.log1p(-share)) for entity in entities)
    assert_shares(np.array([found, seized]), [share, share], count, normal_bound(FALSE_ALARM, 4))


def test_nothing_is_found_or_seized_with_no_chance_and_all_with_certainty() -> None:
    seed = np.uint64(8)
    for entity in np.arange(1_000, dtype=np.uint64):
        assert not car_is_found(entity, 5, 9, seed, 0.0)
        assert car_is_found(entity, 5, 9, seed, 1.0)
        assert not car_is_seized(seizure_draw(entity), 0.0)
        assert car_is_seized(seizure_draw(entity), 50.0)
