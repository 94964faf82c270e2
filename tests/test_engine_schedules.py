"""Two schedules of one loop, and how a run is cut up: the same bits, whatever is at work in the book."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from busy_books import busy_macro, busy_servicing, busy_seven_buckets, busy_tiers
from comparisons import assert_same_bits, assert_same_values
from ladders import ladder, rung
from scenarios.vocabulary import BOOK_VARIABLES, INCIDENT_VARIABLES, POOL_VARIABLES, RUNG_VARIABLES
from simulator import engine, scratch, totals
from simulator.engine import RunSize, ScenarioRun, simulate
from simulator.kernels.bundles import Loans
from simulator.parameters import Parameters
from simulator.servicing import Servicing
from simulator.tape import LoanTape
from simulator.totals import LOAN_BLOCK
from small_books import fixed_examples, mixed_book, subset, tape_of_columns, values

PATHS, MONTHS, SEED = 70, 20, 2**40 + 77

POOL_NAMES = {variable.name for variable in (*POOL_VARIABLES, *INCIDENT_VARIABLES, *RUNG_VARIABLES)}
POOL_NAMES |= {"pool", "rung", "incident", "rung_while_current"}


@cache
def parameters() -> Parameters:
    return busy_tiers("lognormal")


@cache
def book() -> LoanTape:
    """Two blocks and a part of a third."""
    return mixed_book(2 * LOAN_BLOCK + 300, seed=4)


def simulated(tape: LoanTape, size: RunSize, paths: int = PATHS, **options: object) -> xr.Dataset:
    macro = busy_macro(parameters(), MONTHS)
    ids = book()["loan_id"].tolist()
    trace = tuple(ids[place] for place in (0, LOAN_BLOCK - 1, LOAN_BLOCK, len(ids) - 1))
    return simulate(tape, macro, parameters(), paths=paths, months=MONTHS, seed=SEED, trace=trace, size=size, **options)


def shuffled(tape: LoanTape) -> LoanTape:
    order = np.random.default_rng(7).permutation(len(tape))
    return tape_of_columns({name: column[order] for name, column in tape.columns.items()})


# --- nothing couples the loans of a path -------------------------------------------------------------------------


@cache
def block_major() -> xr.Dataset:
    return simulated(book(), RunSize(threads=1, path_block=PATHS))


def test_the_book_is_busy() -> None:
    """Everything that a schedule could disturb happens, in the horizon and after it."""
    of_strategies = {"judgment_cash", "debt_sale_cash", "surrendered_count", "collection_cost", "incident_cost"}
    for name in {variable.name for variable in BOOK_VARIABLES} - of_strategies:
        flow = values(block_major(), name)
        assert np.count_nonzero(flow) > flow.size // 2, name
    assert np.all(values(block_major(), "ultimate_loss_after_horizon") > 0.0)
    for flag in (1, 2, 8):
        assert (values(block_major(), "trace_flags").astype(int) & flag).any()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("path_block", [7, PATHS])
def test_month_by_month_gives_the_same_bits(threads: int, path_block: int) -> None:
    month_major = simulated(book(), RunSize(threads, path_block, month_major=True))
    assert_same_bits(month_major, block_major())


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_blocks_of_paths_give_the_same_bits(threads: int) -> None:
    assert_same_bits(simulated(book(), RunSize(threads, path_block=11)), block_major())


def test_the_order_of_the_tapes_rows_gives_the_same_bits() -> None:
    for month_major in (False, True):
        assert_same_bits(simulated(shuffled(book()), RunSize(2, month_major=month_major)), block_major())


@settings(fixed_examples, max_examples=30)
@given(
    block=st.integers(1, 70),
    threads=st.integers(1, 4),
    path_block=st.integers(1, 6),
    kind=st.sampled_from(["lognormal", "probit", "seven buckets"]),
    months=st.integers(1, 26),
    seed=st.integers(0, 2**64 - 1),
)
def test_both_schedules_agree_however_a_run_is_cut(
    block: int, threads: int, path_block: int, kind: str, months: int, seed: int
) -> None:
    """Blocks of a few loans, so that a small book has many."""
    terms = busy_seven_buckets() if kind == "seven buckets" else busy_tiers(kind)
    tape, macro = mixed_book(61), busy_macro(terms, months)
    where = {"paths": 5, "months": months, "seed": seed, "trace": tape["loan_id"].tolist()}
    with pytest.MonkeyPatch.context() as patched:
        for room in (engine, scratch, totals):
            patched.setattr(room, "LOAN_BLOCK", block)
        first = simulate(tape, macro, terms, size=RunSize(1, 5), **where)
        second = simulate(tape, macro, terms, size=RunSize(threads, path_block, month_major=True), **where)
    assert_same_bits(second, first)
    # Sums come in the order of blocks; what a loan does knows nothing of them.
    whole = simulate(tape, macro, terms, **where)
    traced = [name for name in whole.data_vars if str(name).startswith("trace_")]
    assert_same_values(first, whole, *traced, "transition_count_mean", "live_count", "default_count")
    np.testing.assert_allclose(values(first, "cash"), values(whole, "cash"), rtol=1e-9, atol=1e-6)


# --- a pool and a market couple them -----------------------------------------------------------------------------


def neutral_pool(hours: float) -> Servicing:
    """Calls without effect, and seizures and extensions as usual."""
    agents = {"hours_per_month": hours, "priority": {"bucket": 1, "waiting": 0.5, "balance": 2}}
    calls = rung("phone", pool="agents", hours_per_contact=0.5, reach_percent=70)
    return Servicing(ladder(calls, rung("extension"), rung("repossession"), pools={"agents": agents}))


@pytest.mark.parametrize("hours", [1e7, 20.0], ids=["enough", "short"])
def test_a_pool_without_effect_changes_nothing_but_its_own_figures(hours: float) -> None:
    pooled = simulated(book(), RunSize(2), servicing=neutral_pool(hours))
    assert set(pooled.variables) - set(block_major().variables) == POOL_NAMES
    served, asked = values(pooled, "pool_served"), values(pooled, "pool_demand")
    assert np.array_equal(served, asked) if hours > 1e6 else np.all(served < asked)
    # What differs: strategy's name, whom calls reached, and the order of sums over loans whose cars are seized.
    seized = {"defaulted_balance", "repossessed_balance", "default_balance"}
    own = {"strategy", "trace_flags", "trace_rungs", "collection_cost"}
    by_level = {str(name) for name in pooled.data_vars if str(name).startswith("default_by_")}
    assert_same_bits(pooled, block_major(), without=POOL_NAMES | own | seized | by_level)
    for name in (*seized, *by_level):
        np.testing.assert_allclose(pooled[name].to_numpy(), block_major()[name].to_numpy(), rtol=1e-9, err_msg=name)
    flags = [values(results, "trace_flags").astype(int) & ~4 for results in (pooled, block_major())]
    assert np.array_equal(*flags)


def coupled(tape: LoanTape, size: RunSize, paths: int = PATHS) -> xr.Dataset:
    return simulated(tape, size, paths, servicing=busy_servicing(parameters(), times=60.0))


@cache
def whole() -> xr.Dataset:
    return coupled(book(), RunSize(threads=1, path_block=PATHS))


def test_the_pool_is_short_and_prices_move() -> None:
    desk = whole()["pool"].to_numpy().tolist().index("desk")
    served, capacity = (values(whole(), f"pool_{name}")[..., desk] for name in ("served", "capacity"))
    assert np.all(served <= capacity * (1.0 + 1e-9))
    assert np.mean(values(whole(), "pool_waiting")[..., desk] > 0.0) > 0.5
    assert not np.array_equal(values(whole(), "sale_proceeds"), values(block_major(), "sale_proceeds"))
    assert not np.array_equal(values(whole(), "default_count"), values(block_major(), "default_count"))


@pytest.mark.parametrize("size", [RunSize(2, 7), RunSize(3, 64, month_major=True), RunSize()], ids=str)
def test_a_coupled_book_has_the_same_bits_however_a_run_is_cut(size: RunSize) -> None:
    assert_same_bits(coupled(book(), size), whole())


def test_a_coupled_book_does_not_depend_on_the_order_of_the_tapes_rows() -> None:
    assert_same_bits(coupled(shuffled(book()), RunSize(2)), whole())


def test_the_first_paths_of_a_coupled_book_are_unchanged_when_there_are_more() -> None:
    fewer = coupled(book(), RunSize(2), paths=9)
    for variable in BOOK_VARIABLES:
        found, expected = values(fewer, variable.name), values(whole(), variable.name)[:9]
        assert np.array_equal(found, expected), variable.name


def test_other_loans_change_a_loan_only_where_they_are_coupled() -> None:
    tape, macro = mixed_book(900, seed=8), busy_macro(parameters(), MONTHS)
    smaller = subset(tape, np.arange(len(tape)) % 3 > 0)
    ids = tuple(smaller["loan_id"].tolist())
    alone, among = (
        {
            phone: simulate(
                some,
                macro,
                parameters(),
                paths=10,
                months=MONTHS,
                seed=SEED,
                trace=ids,
                servicing=busy_servicing(parameters(), times=10.0) if phone else None,
            )
            for phone in (False, True)
        }
        for some in (smaller, tape)
    )
    names = [str(name) for name in alone[False].data_vars if str(name).startswith("trace_")]
    assert_same_values(among[False], alone[False], *names)
    # With a third of the book gone the pools serve others, and they do otherwise.
    moved = values(among[True], "trace_state") != values(alone[True], "trace_state")
    assert 0.01 < moved.any(axis=2).mean() < 0.9


# --- two passes of one month -------------------------------------------------------------------------------------


def test_the_dense_pass_books_what_the_active_pass_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bound every loan is stepped one by one: the same lives, and the same sums but for their order."""
    tape = mixed_book(700, seed=9)
    macro, ids = busy_macro(parameters(), MONTHS), tuple(tape["loan_id"].tolist())
    where = {"paths": 8, "months": MONTHS, "seed": SEED, "trace": ids}
    dense = simulate(tape, macro, parameters(), **where)
    stepped: list[Loans] = []
    prepare = engine.prepare

    def without_bound(*arguments: object, **options: object) -> ScenarioRun:
        run = prepare(*arguments, **options)
        run.book.loans.fact["risk_bound"] = np.inf
        stepped.append(run.book.loans)
        return run

    monkeypatch.setattr(engine, "prepare", without_bound)
    active = simulate(tape, macro, parameters(), **where)
    assert len(stepped) == 1
    exact = ("trace_state", "trace_type", "trace_flags", "transition_count_mean", "default_count")
    assert_same_values(active, dense, *exact)
    for name in dense.data_vars:
        if name not in exact:
            np.testing.assert_allclose(active[name], dense[name], rtol=1e-9, atol=1e-6, err_msg=str(name))
