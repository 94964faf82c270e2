"""The engine and the plain reference, loan by loan and sum by sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

from reference import simulate_plain
from scenarios.vocabulary import BOOK_VARIABLES, CHARGED_OFF, MATURED, PREPAID
from simulator.engine import RUN_OFF_MONTHS, RunSize, simulate
from simulator.tape import LoanTape
from small_books import busy_macro, busy_seven_buckets, busy_tiers, mixed_book, plain_world, subset

PATHS, MONTHS, SEED = 20, 30, 20_250_101
RELATIVE = 1e-9
"""Largest relative difference of amounts: what the tabulated response and the order of sums may leave."""


@dataclass(frozen=True)
class Pair:
    """One book simulated twice."""

    tape: LoanTape
    engine: xr.Dataset
    plain: list[dict[str, Any]]

    def table(self, value: Callable[[dict[str, Any], int], float], months: range) -> np.ndarray:
        return np.array([[value(path, month) for month in months] for path in self.plain])


@pytest.fixture(scope="module", params=["lognormal", "probit", "seven buckets"])
def pair(request: pytest.FixtureRequest) -> Pair:
    parameters = busy_seven_buckets() if request.param == "seven buckets" else busy_tiers(request.param)
    tape, macro = mixed_book(), busy_macro(parameters, MONTHS)
    ids = tuple(tape["loan_id"].tolist())
    size = RunSize(threads=2, path_block=7)
    engine = simulate(tape, macro, parameters, paths=PATHS, months=MONTHS, seed=SEED, trace=ids, size=size)
    world = plain_world(tape, macro, parameters, months=MONTHS, seed=SEED)
    return Pair(tape, engine, simulate_plain(world, PATHS))


def histories(pair: Pair, item: int) -> np.ndarray:
    """One figure of every loan's history: [loan, path, month 0..T]."""
    ids = pair.tape["loan_id"].tolist()
    return np.array([[[row[item] for row in path["history"][loan]] for path in pair.plain] for loan in ids])


def assert_amounts(found: np.ndarray, expected: np.ndarray, scale: float) -> None:
    """Equal within `RELATIVE`; what should be nothing is nothing, at the scale of one loan's amounts."""
    np.testing.assert_allclose(found, expected, rtol=RELATIVE, atol=RELATIVE * scale)


def test_states_agree_exactly(pair: Pair) -> None:
    expected = histories(pair, 0)
    np.testing.assert_array_equal(pair.engine["trace_state"].to_numpy()[0, 0, 0], expected)
    # The comparison means something: every exit and every bucket is met.
    met = set(np.unique(expected).astype(int))
    assert {*range(pair.engine.sizes["bucket"]), MATURED, PREPAID, CHARGED_OFF} <= met


def test_balances_and_losses_agree_loan_by_loan(pair: Pair) -> None:
    for name, item in (("trace_balance", 1), ("trace_loss", 2)):
        expected = histories(pair, item)
        assert np.count_nonzero(expected) > 100
        assert_amounts(pair.engine[name].to_numpy()[0, 0, 0], expected, scale=1.0)


@pytest.mark.parametrize("name", [variable.name for variable in BOOK_VARIABLES])
def test_book_agrees(pair: Pair, name: str) -> None:
    expected = pair.table(lambda path, month: path["book"].get((name, month), 0.0), range(1, MONTHS + 1))
    assert np.count_nonzero(expected) > 20
    assert_amounts(pair.engine[name].to_numpy()[0, 0, 0], expected, scale=1_000.0)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("principal_paid", ("principal_paid", "prepaid")),
        ("interest_paid", ("interest_paid",)),
        ("charge_off", ("charge_off",)),
        ("recovery", ("recovery",)),
        ("ultimate_loss", ("ultimate_loss",)),
    ],
)
def test_run_off_agrees(pair: Pair, name: str, parts: tuple[str, ...]) -> None:
    last = MONTHS + RUN_OFF_MONTHS + 12
    months = pair.table(
        lambda path, month: sum(path["book"].get((part, month), 0.0) for part in parts), range(MONTHS + 1, last)
    )
    assert np.count_nonzero(months) > 10
    found = pair.engine[f"{name}_after_horizon"].to_numpy()[0, 0, 0]
    assert_amounts(found, months.sum(axis=1), scale=1_000.0)


def test_the_run_off_is_met_to_its_end(pair: Pair) -> None:
    last = {state for path in pair.plain for month, _, state in path["moves"] if month == MONTHS + RUN_OFF_MONTHS}
    assert CHARGED_OFF in last
    assert not last & set(range(1, pair.engine.sizes["bucket"]))


@pytest.mark.parametrize("cut", ["region", "sector", "vehicle"])
def test_losses_by_level_agree(pair: Pair, cut: str) -> None:
    labels = pair.tape[cut]
    losses = np.array([[path["loss"][loan] for loan in pair.tape["loan_id"].tolist()] for path in pair.plain])
    for level in pair.engine[cut].to_numpy():
        found = pair.engine[f"loss_by_{cut}"].sel({cut: level}).to_numpy().ravel()
        assert_amounts(found, losses[:, labels == level].sum(axis=1), scale=1_000.0)


def test_moves_agree(pair: Pair) -> None:
    buckets = pair.engine.sizes["bucket"]
    column = {CHARGED_OFF: buckets, PREPAID: buckets + 1, MATURED: buckets + 2}
    expected = np.zeros((MONTHS, buckets, buckets + 3))
    for path in pair.plain:
        for (month, origin, state), count in path["moves"].items():
            if month <= MONTHS:
                expected[month - 1, origin, column.get(state, state)] += count / PATHS
    np.testing.assert_allclose(pair.engine["transition_count_mean"].to_numpy()[0, 0, 0], expected, atol=1e-12)


def test_moments_by_bucket_agree(pair: Pair) -> None:
    buckets = pair.engine.sizes["bucket"]
    states, balances = histories(pair, 0)[..., 1:], histories(pair, 1)[..., 1:]
    by_bucket = np.stack([np.where(states == bucket, balances, 0.0).sum(axis=0) for bucket in range(buckets)], axis=-1)
    for moment, expected in (("mean", by_bucket.mean(axis=0)), ("sd", by_bucket.std(axis=0, ddof=1))):
        found = pair.engine[f"bucket_balance_{moment}"].to_numpy()[0, 0, 0]
        assert_amounts(found, expected, scale=10_000.0)


def test_the_order_of_the_loans_asked_for_is_kept() -> None:
    parameters = busy_tiers("lognormal")
    tape, macro = mixed_book(), busy_macro(parameters, MONTHS)
    ids = tape["loan_id"].tolist()
    backwards = simulate(tape, macro, parameters, paths=3, months=6, seed=1, trace=[ids[9], ids[2]])
    alone = simulate(subset(tape, np.array([2])), macro, parameters, paths=3, months=6, seed=1, trace=[ids[2]])
    assert backwards["traced_loan"].to_numpy().tolist() == [ids[9], ids[2]]
    assert np.array_equal(
        backwards["trace_balance"].to_numpy()[0, 0, 0, 1], alone["trace_balance"].to_numpy()[0, 0, 0, 0]
    )
