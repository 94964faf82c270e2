"""Threads that run kernels without the interpreter's lock, and what a kernel is given at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType

LOAN_MONTHS_A_CALL = 2_000_000
"""Aim of one kernel call: long beside what Python does between two, short beside a block of paths."""


def portions(paths: int, loan_months: int, threads: int) -> list[range]:
    """Rows of a block of `paths` for each call of the kernel; a path has so many `loan_months`."""
    portion = max(min(LOAN_MONTHS_A_CALL // max(loan_months, 1), -(-paths // threads)), 1)
    return [range(first, min(first + portion, paths)) for first in range(0, paths, portion)]


class Crew:
    """Workers 0 .. count - 1.

    Tasks are begun in the order in which they are handed in, each by the next worker that is free: cores that are not
    equally fast, or not all ours, end together. Leaving by an exception drops the tasks that have not begun.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._free: SimpleQueue[int] = SimpleQueue()
        for worker in range(count):
            self._free.put(worker)

    def start(self, task: Callable[[int], None]) -> Future[None]:
        """Hand in a task; it is called with the number of the worker whose scratch it may use."""
        return self._threads.submit(self._run, task)

    def _run(self, task: Callable[[int], None]) -> None:
        worker = self._free.get()
        try:
            task(worker)
        finally:
            self._free.put(worker)

    def __enter__(self) -> Crew:
        """Use the crew until the block's end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for what has begun."""
        self._threads.shutdown(cancel_futures=kind is not None)
