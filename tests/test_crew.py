"""Threads that share portions of a run: who is free takes the next, and nobody begins what is no longer wanted."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future

import pytest

from simulator.crew import Crew, portions

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
    held, done = threading.Event(), list[int]()

    def wait(worker: int) -> None:
        done.append(worker)
        assert held.wait(WAIT)

    with Crew(2) as crew:
        slow = crew.start(wait)
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
            threading.Timer(0.1, go.set).start()  # the task ends while the crew waits for it
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
