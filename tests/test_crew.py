"""Threads that share portions of a run: who is free takes the next, and nobody begins what is no longer wanted."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from concurrent.futures import Future
from typing import Any

import pytest

from simulator import engine
from simulator.crew import Crew, portions
from small_books import mixed_book, run, shipped

WAIT = 10.0
"""Seconds after which a test that waits for a thread fails."""


def test_no_two_tasks_use_one_workers_scratch_at_a_time() -> None:
    busy, most, seen = Counter[int](), Counter[int](), Counter[int]()
    guard, both = threading.Lock(), threading.Barrier(2, timeout=WAIT)

    def task(worker: int) -> None:
        with guard:
            busy[worker] += 1
            most[worker] = max(most[worker], busy[worker])
            seen[worker] += 1
        both.wait()  # both are at work now
        with guard:
            busy[worker] -= 1

    with Crew(2) as crew:
        calls = [crew.start(task) for _ in range(40)]
        for call in calls:
            call.result()
    assert most == {0: 1, 1: 1}
    assert seen == {0: 20, 1: 20}


def test_who_is_free_takes_the_next() -> None:
    at_work, held, done = threading.Event(), threading.Event(), list[int]()

    def wait(worker: int) -> None:
        done.append(worker)
        at_work.set()
        assert held.wait(WAIT)

    with Crew(2) as crew:
        slow = crew.start(wait)
        assert at_work.wait(WAIT)
        calls = [crew.start(done.append) for _ in range(5)]
        for call in calls:
            call.result(WAIT)
        held.set()
        slow.result()
    assert len(done) == 6
    assert len(set(done[1:])) == 1  # the other one took all


def test_an_error_drops_what_has_not_begun() -> None:
    begun, at_work, go = list[int](), threading.Event(), threading.Event()

    def wait(worker: int) -> None:
        begun.append(worker)
        at_work.set()
        assert go.wait(WAIT)

    later = list[Future[None]]()

    def interrupted() -> None:
        with Crew(1) as crew:
            crew.start(wait)
            later.extend(crew.start(begun.append) for _ in range(3))
            assert at_work.wait(WAIT)
            later[-1].add_done_callback(lambda _: go.set())  # the task ends once the last of the others is dropped
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert begun == [0]
    assert all(call.cancelled() for call in later)


def test_a_tasks_error_reaches_who_waits_and_frees_the_worker() -> None:
    def fail(worker: int) -> None:
        raise ValueError(worker)

    found = list[int]()
    with Crew(1) as crew:
        with pytest.raises(ValueError, match="0"):
            crew.start(fail).result()
        crew.start(found.append).result(WAIT)
    assert found == [0]


@pytest.mark.parametrize(
    ("paths", "loan_months", "threads", "most"),
    [
        (256, 72_000, 2, 27),  # 2 million loan-months a call
        (8, 6_000_000, 2, 1),  # a path has more than that
        (40, 100, 4, 10),  # all threads have a share
        (3, 100, 4, 1),
        (1, 0, 2, 1),
    ],
)
def test_portions_hold_every_row_once(paths: int, loan_months: int, threads: int, most: int) -> None:
    found = portions(paths, loan_months, threads)
    assert [row for rows in found for row in rows] == list(range(paths))
    assert max(len(rows) for rows in found) == most


def test_two_blocks_of_paths_are_held_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made, alive = list[weakref.ref[object]](), list[int]()
    empty, kept = engine.empty_result, engine.keep

    def count(*given: Any) -> Any:
        result = empty(*given)
        made.append(weakref.ref(result.book))
        return result

    def look(*given: Any) -> None:
        gc.collect()
        alive.append(sum(each() is not None for each in made))
        kept(*given)

    monkeypatch.setattr(engine, "empty_result", count)
    monkeypatch.setattr(engine, "keep", look)
    run(mixed_book(), shipped("us_prime"), paths=12, months=2, seed=1, size=engine.RunSize(2, path_block=3))
    assert alive == [2, 2, 2, 1]


def test_an_error_in_one_block_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, begun = engine.simulate_paths, list[int]()

    def fail(portion: tuple[int, int, int], bundles: Any, *given: Any) -> None:
        begun.append(int(bundles[-1].first_path))
        if bundles[-1].first_path == 3:
            raise RuntimeError("block 3")
        kernel(portion, bundles, *given)

    monkeypatch.setattr(engine, "simulate_paths", fail)
    with pytest.raises(RuntimeError, match="block 3"):
        run(mixed_book(), shipped("us_prime"), paths=30, months=2, seed=1, size=engine.RunSize(1, path_block=3))
    assert max(begun) <= 6
