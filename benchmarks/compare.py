"""Implementations of the simple job, timed in turns on the same paths and judged by their losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.agreement import Agreement, judge
from benchmarks.engine_peer import Engine
from benchmarks.exact import Expected, expected_loss
from benchmarks.job import Job, Market, reference_entry, simple_job, simple_tape
from benchmarks.machine import speed_of_cores

Floats = NDArray[np.float64]

Losses = Callable[[Market, int], Floats]
"""Loss of each path of a market, currency; the number is the seed of the implementation's own draws."""

LOANS, MONTHS = 100_000, 60
"""The exact simple job; of a smaller one no speed is demanded."""

SEED = 20_261_114
"""Seed of all draws: the same losses in every run."""

MILLION = 1e6

DEMANDED = {"numpy": (130.0, 1), "jax": (390.0, 2)}
"""What others reach, million nominal loan-months a second, and the cores that it takes."""

ENOUGH = 0.85
"""Share of that which a peer has to reach, or it is no fair one."""

PATIENCE = 3
"""How many times the rounds asked for there may be."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run.

    Attributes
    ----------
    paths : int
        Of one timing.
    repeats : int
        Timings of each implementation, each on paths of its own; one more comes first and is not counted, since
        it compiles.
    """

    loans: int
    months: int
    paths: int
    repeats: int
    cores: int

    @property
    def nominal(self) -> int:
        """Loan-months of one timing, alive or not."""
        return self.loans * self.months * self.paths


@dataclass(frozen=True, slots=True)
class Timing:
    """One implementation's timings and losses.

    Attributes
    ----------
    speed, median : float
        Nominal loan-months a second: of the fastest timing, of the middle one.
    cores_busy : float
        Processor time over time, of the fastest.
    agreement : Agreement
        Of the losses of all paths.
    """

    speed: float
    median: float
    cores_busy: float
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Record:
    """Rounds of one implementation: (time, processor time) in seconds, and losses by path."""

    seconds: list[tuple[float, float]] = field(default_factory=list)
    losses: list[Floats] = field(default_factory=list)

    def timing(self, size: Size, expected: Expected, opening: float) -> Timing:
        """The rounds after the first, and the losses of all."""
        walls, busy = np.array(self.seconds[1:]).T
        return Timing(
            speed=size.nominal / float(walls.min()),
            median=size.nominal / float(np.median(walls)),
            cores_busy=float((busy / walls)[walls.argmin()]),
            agreement=judge(np.concatenate(self.losses), expected, opening),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a benchmark found.

    Attributes
    ----------
    rounds : int
        Timings that count, of each implementation.
    timings : dict of str to Timing
        By implementation, the engine first.
    speed_of : dict of int to float
        Number of cores to their speed over that of as many of the reference machine's, at most 1.
    law_gap : float
        Exact mean loss under the engine's competing intensities over that under the job's law, less 1.
    annual_default, live_share : float
        Exact: defaults a year per live loan; live over nominal loan-months.
    """

    size: Size
    rounds: int
    timings: dict[str, Timing]
    speed_of: dict[int, float]
    law_gap: float
    annual_default: float
    live_share: float

    def ratio(self, name: str) -> float:
        """The engine's speed over another's."""
        return self.timings["engine"].speed / self.timings[name].speed

    def demanded(self) -> dict[str, float]:
        """Nominal loan-months a second that peers have to reach on this machine; none where the job is smaller."""
        if self.size.loans != LOANS or self.size.months != MONTHS:
            return {}
        floors = {}
        for name, (speed, cores) in DEMANDED.items():
            if name in self.timings:
                own = min(cores, self.size.cores)
                floors[name] = ENOUGH * speed * MILLION * self.speed_of[own] * own / cores
        return floors

    def too_slow(self) -> list[str]:
        """A sentence for every peer that does not reach what is demanded of it."""
        return [
            f"{name} reaches {self.timings[name].speed / MILLION:.0f} million loan-months a second; expected at least "
            f"{floor / MILLION:.0f} on this machine. A slow peer flatters the engine: see what else runs here."
            for name, floor in self.demanded().items()
            if self.timings[name].speed < floor
        ]

    def failures(self) -> list[str]:
        """A sentence for everything that makes the comparison worthless."""
        said = self.too_slow()
        for name, timing in self.timings.items():
            found = timing.agreement
            if not found.holds(len(self.timings)):
                said.append(
                    f"{name} loses {found.off_by[0]:+.3%} beside its expectation (p = {found.p_mean:.1g}), with a "
                    f"spread of {found.spread[0]:.3f} times its own (p = {found.p_spread:.1g}); expected 0 and 1 "
                    "within their intervals. Who disagrees does another job."
                )
        return said


def compare(names: Sequence[str], size: Size, progress: Callable[[], None]) -> Comparison:
    """Time implementations and judge their losses.

    While a peer stays below what is demanded of it there are more rounds than asked for, up to `PATIENCE` times as
    many: another process may have taken its core.

    Parameters
    ----------
    names : sequence of str
        Keys of `peer_makers`; the engine always takes part.
    progress : callable
        Called after each round of timings.

    Raises
    ------
    InputError
        JAX is asked for and not installed.
    """
    tape = simple_tape(size.loans, size.months)
    job, engine = simple_job(tape, size.months), Engine(tape, size.months, SEED, size.cores)
    chosen: dict[str, Losses] = {"engine": engine.losses}
    chosen |= {name: make() for name, make in peer_makers(job, size.cores).items() if name in names}
    market = engine.market(size.paths * (PATIENCE * size.repeats + 1))
    records = {name: Record() for name in chosen}
    speed_of = dict.fromkeys({1, min(size.cores, 2)}, 0.0)
    for turn in range(PATIENCE * size.repeats + 1):
        speed_of = {cores: max(speed, speed_of_cores(cores)) for cores, speed in speed_of.items()}
        _one_round(chosen, market.part(turn * size.paths, size.paths), turn, records)
        progress()
        found = _comparison(size, job, market, records, speed_of) if turn >= size.repeats else None
        if found is not None and not found.too_slow():
            break
    return found or _comparison(size, job, market, records, speed_of)


def _one_round(chosen: dict[str, Losses], part: Market, turn: int, records: dict[str, Record]) -> None:
    """Time everybody once, begun at another one each time, so that nobody always follows the same neighbour."""
    names = list(chosen)
    first = turn % len(names)
    for name in names[first:] + names[:first]:
        start, busy = time.perf_counter(), time.process_time()
        losses = chosen[name](part, SEED + names.index(name))
        records[name].seconds.append((time.perf_counter() - start, time.process_time() - busy))
        records[name].losses.append(losses)


def _comparison(
    size: Size, job: Job, market: Market, records: dict[str, Record], speed_of: dict[int, float]
) -> Comparison:
    """What the rounds so far say; `market` may hold more paths than they have used."""
    rounds = len(records["engine"].seconds)
    used = market.part(0, rounds * size.paths)
    own, engines = expected_loss(job, used), expected_loss(job, used, reference_entry())
    opening = float(job.balance.sum())
    timings = {
        name: record.timing(size, engines if name == "engine" else own, opening) for name, record in records.items()
    }
    return Comparison(
        size=size,
        rounds=rounds - 1,
        timings=timings,
        speed_of=speed_of,
        law_gap=float(engines.mean.sum() / own.mean.sum()) - 1.0,
        annual_default=own.annual_default,
        live_share=float(own.live_share.mean()),
    )


def peer_makers(job: Job, cores: int) -> dict[str, Callable[[], Losses]]:
    """What makes each peer ready, by name; JAX and numba are imported where theirs are called."""

    def straightforward(real: type[np.float32 | np.float64]) -> Losses:
        from benchmarks.numpy_peers import Straightforward

        return Straightforward(job, real).losses

    def compacted() -> Losses:
        from benchmarks.numpy_peers import Compacted

        return Compacted(job).losses

    def scan(threads: int, halves: bool) -> Losses:
        from benchmarks.jax_peer import Scan

        return Scan(job, threads, halves).losses

    def loop() -> Losses:
        from benchmarks.numba_peer import Loop

        return Loop(job, cores).losses

    return {
        "numpy": lambda: straightforward(np.float64),
        "numpy_float32": lambda: straightforward(np.float32),
        "numpy_compacted": compacted,
        "jax": lambda: scan(1, halves=False),
        "jax_tuned": lambda: scan(cores, halves=True),
        "numba": loop,
    }
