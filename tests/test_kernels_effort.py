"""Records of collections: each loan in arrears has its own, none is lost, and the last given back is the next used."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from busy_books import busy_macro, busy_servicing, busy_tiers
from scenarios.library import find_strategy
from scenarios.vocabulary import MAX_BUCKET
from simulator import engine
from simulator.engine import RunSize, simulate
from simulator.kernels.bundles import FACTS, NEVER, records
from simulator.kernels.by_address import by_address
from simulator.kernels.compile import compiled
from simulator.kernels.effort import begin_path, give_effort_back, take_effort
from simulator.kernels.ladder import NO_RUNG
from simulator.kernels.prefetch import prefetch
from simulator.kernels.workspace import EFFORT, NO_EFFORT, PATH_STATE
from simulator.servicing import Servicing
from simulator.shapes import Shape
from small_books import mixed_book

LOANS = 5


@by_address
class Desk(NamedTuple):
    """Of a worker's scratch, what records of collections need."""

    path: np.recarray[Any, Any]
    effort: np.recarray[Any, Any]
    free: np.ndarray[Any, np.dtype[np.int32]]


@compiled()
def begin(desk):  # type: ignore[no-untyped-def]
    """Begin a path."""
    begin_path(0, desk)


@compiled()
def take(fact, place, desk):  # type: ignore[no-untyped-def]
    """Give a record to a loan; return which."""
    take_effort(fact[place], desk.path[0, place], 0, desk)
    return desk.path[0, place].effort


@compiled()
def give_back(place, desk):  # type: ignore[no-untyped-def]
    """Take it away."""
    give_effort_back(desk.path[0, place], 0, desk)


def empty_desk() -> Desk:
    arrays = (Shape((1, LOANS), PATH_STATE), Shape((1, 1 + LOANS), EFFORT), Shape((1, 1 + LOANS), np.int32))
    return Desk(*(shape.filled() for shape in arrays))


def test_records_are_handed_out_once_and_the_last_given_back_is_next() -> None:
    desk = empty_desk()
    facts = records(FACTS, **{name: np.arange(1, LOANS + 1) for name in FACTS.names or ()})
    begin(desk)
    handed = [take(facts, place, desk) for place in range(LOANS)]
    assert handed == [1, 2, 3, 4, 5], "near each other, and not the one of all who have none"
    assert desk.effort.entity[0, 1:].tolist() == facts.entity.tolist()
    assert desk.effort.own_find[0, 1:].tolist() == facts.find.tolist()
    for place in (3, 1):
        desk.effort[0, handed[place]].done = 77
        give_back(place, desk)
        assert desk.path.effort[0, place] == NO_EFFORT
    assert [take(facts, place, desk) for place in (1, 3)] == [handed[1], handed[3]]
    assert desk.effort.done[0].tolist() == [0] * (1 + LOANS), "whoever takes one begins anew"


def test_who_has_no_record_was_never_dealt_with() -> None:
    desk = empty_desk()
    begin(desk)
    nobody = desk.effort[0, NO_EFFORT]
    assert (nobody.filed, nobody.sale, nobody.find, nobody.now) == (NEVER, NO_RUNG, 1.0, 0)


@pytest.mark.parametrize("waits", [False, True])
def test_loans_in_arrears_have_a_record_each_and_all_others_are_free(
    monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """At the end of a run, when loans have entered, cured, died and been extended for months."""
    parameters, tape, kept = busy_tiers("lognormal"), mixed_book(400, seed=4), []
    made = engine.workspace

    def keep(*arguments: Any, **options: Any) -> Any:
        kept.append(made(*arguments, **options))
        return kept[-1]

    monkeypatch.setattr(engine, "workspace", keep)
    servicing = Servicing(find_strategy("reference_us"), (None,) * len(parameters.names))
    servicing = busy_servicing(parameters) if waits else servicing
    months = 18
    simulate(
        tape,
        busy_macro(parameters, months),
        parameters,
        paths=2,
        months=months,
        seed=3,
        servicing=servicing,
        size=RunSize(threads=1),
    )
    (work,) = kept
    state, effort = work.path.state[0], work.path.effort[0]
    held = effort[effort != NO_EFFORT]
    free = work.free[0, 1 : 1 + work.free[0, 0]]
    assert sorted([*held, *free]) == list(range(1, 1 + len(tape))), "each record is somebody's or free, and once"
    assert np.all(effort[(state > 0) & (state <= MAX_BUCKET)] != NO_EFFORT)
    assert np.all(effort[state > MAX_BUCKET] == NO_EFFORT)
    assert np.all((effort[state == 0] != NO_EFFORT) == waits), "without arrears those alone who may wait for a pool"
    assert (work.effort.entity[0, effort[effort != NO_EFFORT]] > 0).all()


@compiled()
def ask_ahead(rows, item):  # type: ignore[no-untyped-def]
    """Prefetch a row."""
    prefetch(rows, item)


def test_a_prefetch_changes_nothing_and_is_one_instruction() -> None:
    rows = np.arange(12.0).reshape(4, 3)
    ask_ahead(rows, 2)
    ask_ahead(rows, 1 << 40)  # a wild address is none of its business
    assert rows.tolist() == np.arange(12.0).reshape(4, 3).tolist()
    if not numba.config.DISABLE_JIT:
        (code,) = set(ask_ahead.inspect_llvm().values())
        assert "llvm.prefetch" in code
