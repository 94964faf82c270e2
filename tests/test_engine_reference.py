"""The engine and the plain reference, loan by loan and sum by sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

from busy_books import busy_macro, busy_servicing, busy_seven_buckets, busy_tiers, observed_servicing
from plain_books import OF_STRATEGIES, TRACED, plain_world
from reference import simulate_plain
from scenarios.strategy import CollectionStrategy
from scenarios.vocabulary import (
    BOOK_VARIABLES,
    CHARGED_OFF,
    EXIT_LABELS,
    INCIDENTS,
    POOL_VARIABLES,
    RUNG_VARIABLES,
    STAGES,
)
from simulator.engine import RunSize, prepare, simulate
from simulator.horizon import RUN_OFF_MONTHS
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from small_books import mixed_book, subset

PATHS, MONTHS, SEED = 20, 30, 20_250_101
RELATIVE = 1e-9
"""Largest relative difference of amounts: what the tabulated response and the order of sums may leave."""


@dataclass(frozen=True)
class Pair:
    """One book simulated twice."""

    tape: LoanTape
    engine: xr.Dataset
    plain: list[dict[str, Any]]
    strategy: CollectionStrategy | None

    @property
    def busy(self) -> bool:
        return self.strategy is not None and bool(self.strategy.pools)

    def table(self, value: Callable[[dict[str, Any], int], float], months: range) -> np.ndarray:
        return np.array([[value(path, month) for month in months] for path in self.plain])


CASES = ("lognormal", "probit", "lognormal, strategy", "seven buckets, strategy", "probit, as observed")


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest) -> Pair:
    kind, _, strategy = request.param.partition(", ")
    parameters = busy_seven_buckets() if kind == "seven buckets" else busy_tiers(kind)
    servicings = {"": lambda _: Servicing(), "strategy": busy_servicing, "as observed": observed_servicing}
    servicing = servicings[strategy](parameters)
    tape, macro = mixed_book(), busy_macro(parameters, MONTHS)
    ids = tuple(tape["loan_id"].tolist())
    where = {"months": MONTHS, "seed": SEED, "servicing": servicing}
    size = RunSize(threads=2, path_block=7, month_major=request.param == "probit")
    engine = simulate(tape, macro, parameters, paths=PATHS, trace=ids, size=size, **where)
    stages = prepare(tape, macro, parameters, servicing, months=MONTHS, seed=SEED).book.loans.fact.stage.tolist()
    world = plain_world(tape, macro, parameters, stages=stages, **where)
    return Pair(tape, engine, simulate_plain(world, PATHS), servicing.strategy)


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
    assert {*range(pair.engine.sizes["bucket"]), *EXIT_LABELS} <= met


@pytest.mark.parametrize("name", ["trace_type", "trace_flags"])
def test_types_and_flags_agree_exactly(pair: Pair, name: str) -> None:
    expected = histories(pair, TRACED.index(name))
    np.testing.assert_array_equal(pair.engine[name].to_numpy()[0, 0, 0], expected)
    met = np.unique(expected).astype(int)
    flags = 15 if pair.strategy else 15 - 4
    assert set(met) == {-1, 0, 1, 2} if name == "trace_type" else np.bitwise_or.reduce(met) == flags


def test_rungs_agree_exactly(pair: Pair) -> None:
    expected = histories(pair, TRACED.index("trace_rungs"))
    np.testing.assert_array_equal(pair.engine["trace_rungs"].to_numpy()[0, 0, 0], expected)
    rungs = len(pair.strategy.labels) if pair.strategy else 0
    assert np.bitwise_or.reduce(expected.astype(int), axis=None) == 2**rungs - 1


@pytest.mark.parametrize("name", TRACED[1:5])
def test_amounts_agree_loan_by_loan(pair: Pair, name: str) -> None:
    expected = histories(pair, TRACED.index(name))
    assert np.count_nonzero(expected) > 100
    assert_amounts(pair.engine[name].to_numpy()[0, 0, 0], expected, scale=1.0)


@pytest.mark.parametrize("name", [variable.name for variable in BOOK_VARIABLES])
def test_book_agrees(pair: Pair, name: str) -> None:
    expected = pair.table(lambda path, month: path["book"].get((name, month), 0.0), range(1, MONTHS + 1))
    assert np.count_nonzero(expected) > (-1 if name in OF_STRATEGIES and not pair.busy else 20)
    assert_amounts(pair.engine[name].to_numpy()[0, 0, 0], expected, scale=1_000.0)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("principal_paid", ("principal_paid", "prepaid", "total_loss_paid")),
        ("interest_paid", ("interest_paid",)),
        ("fees", ("fees",)),
        ("charge_off", ("charge_off",)),
        ("recovery", ("recovery",)),
        ("ultimate_loss", ("ultimate_loss",)),
    ],
)
def test_run_off_agrees(pair: Pair, name: str, parts: tuple[str, ...]) -> None:
    after = range(MONTHS + 1, 1 + max(month for path in pair.plain for _, month in path["book"]))
    months = pair.table(lambda path, month: sum(path["book"].get((part, month), 0.0) for part in parts), after)
    assert np.count_nonzero(months) > 10
    found = pair.engine[f"{name}_after_horizon"].to_numpy()[0, 0, 0]
    assert_amounts(found, months.sum(axis=1), scale=1_000.0)


def test_the_run_off_is_met_to_its_end(pair: Pair) -> None:
    last = {state for path in pair.plain for month, _, state in path["moves"] if month == MONTHS + RUN_OFF_MONTHS}
    assert CHARGED_OFF in last
    assert not last & set(range(1, pair.engine.sizes["bucket"]))


@pytest.mark.parametrize("name", [variable.name for variable in POOL_VARIABLES])
def test_pools_agree(pair: Pair, name: str) -> None:
    if not pair.busy:
        assert name not in pair.engine
        return
    for pool in pair.strategy.pools:
        expected = pair.table(lambda path, month, pool=pool: path["pool"][name, pool, month], range(1, MONTHS + 1))
        assert np.count_nonzero(expected) > (-1 if "waiting" in name and pool == "robot" else 100)
        found = pair.engine[name].sel(pool=pool).to_numpy()[0, 0, 0]
        assert_amounts(found, expected, scale=1.0)


@pytest.mark.parametrize("kind", INCIDENTS)
def test_incidents_agree_exactly(pair: Pair, kind: str) -> None:
    if pair.strategy is None:
        assert "incident_count" not in pair.engine
        return
    expected = pair.table(lambda path, month: path["incident"][kind, month], range(1, MONTHS + 1))
    assert np.count_nonzero(expected) > (20 if pair.busy else -1)
    np.testing.assert_array_equal(pair.engine["incident_count"].sel(incident=kind).to_numpy()[0, 0, 0], expected)


@pytest.mark.parametrize("name", [variable.name for variable in RUNG_VARIABLES])
def test_moments_by_rung_agree(pair: Pair, name: str) -> None:
    if pair.strategy is None:
        assert name not in pair.engine
        return
    _, figure, moment = name.split("_")
    for place, label in enumerate(pair.strategy.labels):
        by_path = pair.table(
            lambda path, month, place=place: path["rung"].get((figure, month, place), 0.0), range(1, MONTHS + 1)
        )
        expected = by_path.mean(axis=0) if moment == "mean" else by_path.std(axis=0, ddof=1)
        found = pair.engine[name].sel(rung=label).to_numpy()[0, 0, 0]
        assert_amounts(found, expected, scale=1_000.0)


def test_care_is_met(pair: Pair) -> None:
    """Every rung for loans without arrears averts some of what follows; loans wait for it, and trackers are heard."""
    labels = pair.strategy.labels if pair.strategy else ()
    first = len(pair.strategy.ladder) if pair.strategy else 0
    for place in range(first, len(labels)):
        for figure in ("served", "followed", "averted"):
            key = (figure, place)
            found = pair.table(
                lambda path, month, key=key: path["rung"].get((key[0], month, key[1]), 0.0), range(1, MONTHS + 1)
            )
            assert np.count_nonzero(found) > 10, (labels[place], figure)
    for name in ("alerts", "waiting"):
        found = pair.table(lambda path, month, name=name: path["care"].get((name, month), 0), range(1, MONTHS + 1))
        assert np.count_nonzero(found) > 100 if pair.busy else not found.any()


@pytest.mark.parametrize("name", ["shortfall", "shortfall_12m"])
def test_shortfalls_by_stage_agree(pair: Pair, name: str) -> None:
    found = pair.engine[f"{name}_by_stage"].to_numpy()[0, 0, 0]
    expected = np.array([path[name] for path in pair.plain])
    assert expected.shape == (PATHS, len(STAGES))
    assert (expected > 0.0).any(axis=0).all()
    assert_amounts(found, expected, scale=1_000.0)


@pytest.mark.parametrize("cut", ["region", "sector", "vehicle"])
def test_losses_by_level_agree(pair: Pair, cut: str) -> None:
    labels = pair.tape[cut]
    losses = np.array([[path["loss"][loan] for loan in pair.tape["loan_id"].tolist()] for path in pair.plain])
    for level in pair.engine[cut].to_numpy():
        found = pair.engine[f"loss_by_{cut}"].sel({cut: level}).to_numpy().ravel()
        assert_amounts(found, losses[:, labels == level].sum(axis=1), scale=1_000.0)


def test_moves_agree(pair: Pair) -> None:
    buckets = pair.engine.sizes["bucket"]
    column = {state: buckets + place for place, state in enumerate(EXIT_LABELS)}
    expected = np.zeros((MONTHS, buckets, buckets + len(EXIT_LABELS)))
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


@pytest.mark.parametrize("cut", ["region", "vehicle"])
def test_recoveries_by_level_agree(pair: Pair, cut: str) -> None:
    """In the month of the charge-off, whenever the cash comes."""
    labels = dict(zip(pair.tape["loan_id"].tolist(), pair.tape[cut].tolist(), strict=True))
    for level in pair.engine[cut].to_numpy():
        by_path = pair.table(
            lambda path, month, level=level: sum(
                row.get(month, 0.0) for loan, row in path["recovered"].items() if labels[loan] == level
            ),
            range(1, MONTHS + 1),
        )
        for moment, expected in (("mean", by_path.mean(axis=0)), ("sd", by_path.std(axis=0, ddof=1))):
            found = pair.engine[f"recovery_by_{cut}_{moment}"].sel({cut: level}).to_numpy().ravel()
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
